/* Owns a small hash table of items.
 * Must not own the items, nor take any out: what it serves only ever grows. */
#include "map.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAP_FIRST_CAP 16

_Static_assert(MAP_SEED_LEN == crypto_shorthash_KEYBYTES, "the seed is the hash's key");

void map_init(struct map *m, const uint8_t seed[static MAP_SEED_LEN], map_key *key_of) {
    *m = (struct map){.key_of = key_of};
    memcpy(m->seed, seed, MAP_SEED_LEN);
}

void map_done(struct map *m) {
    free((void *)m->slots);
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
static const void **slot_of(const struct map *m, const void **slots, size_t cap, struct bytes key) {
    size_t at = (size_t)hash_of(m, key) & (cap - 1);
    while (slots[at] && !bytes_equal(m->key_of(slots[at]), key)) {
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
    const void **slots = (const void **)calloc(cap, sizeof(*slots));
    if (!slots) {
        return error_set(e, ERR_NO_MEMORY, "no memory for a table of %zu slots", cap);
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i]) {
            *slot_of(m, slots, cap, m->key_of(m->slots[i])) = m->slots[i];
        }
    }
    free((void *)m->slots);
    m->slots = slots;
    m->cap = cap;
    return ERR_OK;
}

void map_put(struct map *m, const void *item) {
    assert(item && m->count < m->cap);
    const void **slot = slot_of(m, m->slots, m->cap, m->key_of(item));
    assert(!*slot);
    *slot = item;
    m->count++;
}

const void *map_get(const struct map *m, struct bytes key) {
    if (m->cap == 0) {
        return NULL;
    }
    return *slot_of(m, m->slots, m->cap, key);
}
