/* Owns a small hash table from bytes to items.
 * Must not own keys or items, nor take any out: what it serves only ever grows. */
#include "map.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAP_FIRST_CAP 16

_Static_assert(MAP_SEED_LEN == crypto_shorthash_KEYBYTES, "the seed is the hash's key");

void map_init(struct map *m, const uint8_t seed[static MAP_SEED_LEN]) {
    *m = (struct map){.slots = NULL};
    memcpy(m->seed, seed, MAP_SEED_LEN);
}

void map_done(struct map *m) {
    free(m->slots);
    m->slots = NULL;
    m->cap = m->count = 0;
}

static uint64_t hash_of(const struct map *m, struct bytes key) {
    uint8_t raw[crypto_shorthash_BYTES];
    uint64_t hash;
    _Static_assert(sizeof(raw) == sizeof(hash), "one word");
    crypto_shorthash(raw, key.data, key.len, m->seed);
    memcpy(&hash, raw, sizeof(hash));
    return hash;
}

/* The slot that holds the key, or the free one where it would go. */
static struct map_slot *slot_of(struct map_slot *slots, size_t cap, uint64_t hash,
                                struct bytes key) {
    size_t at = (size_t)hash & (cap - 1);
    while (slots[at].item && (slots[at].hash != hash || !bytes_equal(slots[at].key, key))) {
        at = (at + 1) & (cap - 1);
    }
    return &slots[at];
}

enum err map_reserve(struct map *m, struct error *e) {
    /* At most three quarters full: a search ends at a free slot. */
    if (m->cap > 0 && m->count + 1 <= m->cap - m->cap / 4) {
        return ERR_OK;
    }
    size_t cap = m->cap > 0 ? m->cap * 2 : MAP_FIRST_CAP;
    struct map_slot *slots = (struct map_slot *)calloc(cap, sizeof(*slots));
    if (!slots) {
        return error_set(e, ERR_NO_MEMORY, "no memory for a table of %zu slots", cap);
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].item) {
            *slot_of(slots, cap, m->slots[i].hash, m->slots[i].key) = m->slots[i];
        }
    }
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return ERR_OK;
}

void map_put(struct map *m, struct bytes key, const void *item) {
    assert(item && m->count < m->cap);
    uint64_t hash = hash_of(m, key);
    struct map_slot *slot = slot_of(m->slots, m->cap, hash, key);
    assert(!slot->item);
    *slot = (struct map_slot){hash, key, item};
    m->count++;
}

const void *map_get(const struct map *m, struct bytes key) {
    if (m->cap == 0) {
        return NULL;
    }
    return slot_of(m->slots, m->cap, hash_of(m, key), key)->item;
}
