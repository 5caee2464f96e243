/* Owns the map from agent keys to connections: open addressing over uniformly random keys. An agent
 * could choose its key, so probing is bounded by growing at half full, not by trust. */
#include "registry.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    struct public_key key;
    void *connection; /* NULL: free */
};
struct registry {
    struct slot *slots;
    size_t room, count; /* room is a power of two */
    uint8_t salt[16];
};

struct registry *registry_new(void) {
    struct registry *r = calloc(1, sizeof *r);
    if (r)
        randombytes_buf(r->salt, sizeof r->salt);
    return r;
}

void registry_free(struct registry *r) {
    if (!r)
        return;
    free(r->slots);
    free(r);
}

static size_t home(const struct registry *r, const struct public_key *key) {
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, key->b, sizeof key->b, r->salt);
    uint64_t value;
    memcpy(&value, hash, sizeof value);
    return (size_t)value & (r->room - 1);
}

/* The slot that holds the key, or the free one where it would go. */
static struct slot *find(const struct registry *r, const struct public_key *key) {
    size_t i = home(r, key);
    while (r->slots[i].connection && !key_equal(&r->slots[i].key, key))
        i = (i + 1) & (r->room - 1);
    return &r->slots[i];
}

static bool grow(struct registry *r) {
    if (r->count * 2 < r->room)
        return true;
    struct registry bigger = *r;
    bigger.room = r->room ? r->room * 2 : 64;
    bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < r->room; i++)
        if (r->slots[i].connection)
            *find(&bigger, &r->slots[i].key) = r->slots[i];
    free(r->slots);
    *r = bigger;
    return true;
}

void *registry_put(struct registry *r, const struct public_key *agent, void *connection,
                   bool *ret_failed) {
    *ret_failed = !grow(r);
    if (*ret_failed)
        return NULL;
    struct slot *slot = find(r, agent);
    void *before = slot->connection;
    r->count += before == NULL;
    *slot = (struct slot){*agent, connection};
    return before;
}

void *registry_get(const struct registry *r, const struct public_key *agent) {
    return r->room ? find(r, agent)->connection : NULL;
}

void registry_remove(struct registry *r, const struct public_key *agent, const void *connection) {
    if (!r->room)
        return;
    struct slot *slot = find(r, agent);
    if (slot->connection != connection || !connection)
        return;
    slot->connection = NULL;
    r->count--;
    /* Whatever was pushed past the freed slot moves back, or it could not be found again. */
    size_t i = (size_t)(slot - r->slots);
    for (;;) {
        i = (i + 1) & (r->room - 1);
        if (!r->slots[i].connection)
            return;
        struct slot moved = r->slots[i];
        r->slots[i].connection = NULL;
        *find(r, &moved.key) = moved;
    }
}

size_t registry_count(const struct registry *r) {
    return r->count;
}

void *registry_each(const struct registry *r, size_t *cursor) {
    while (*cursor < r->room) {
        void *connection = r->slots[(*cursor)++].connection;
        if (connection)
            return connection;
    }
    return NULL;
}
