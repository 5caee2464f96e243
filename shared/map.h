/* Owns a small hash table from bytes to items, open addressing, nothing is ever taken out.
 * Keys are borrowed from the items; the caller owns both. Must not know what they mean. */
#ifndef PLEK_MAP_H
#define PLEK_MAP_H

#include "bytes.h"

#define MAP_SEED_LEN 16

struct map_slot {
    uint64_t hash;
    struct bytes key;
    const void *item;
};
struct map {
    struct map_slot *slots; /* cap of them, a power of two; a free one has item NULL */
    size_t cap, count;
    uint8_t seed[MAP_SEED_LEN];
};

/* `seed` keeps the order of slots from being the same for everybody. */
void map_init(struct map *m, const uint8_t seed[static MAP_SEED_LEN]);
void map_done(struct map *m); /* accepts a zeroed one */
/* Makes room for one more item, so that the next map_put cannot fail. ERR_NO_MEMORY: unchanged. */
enum err map_reserve(struct map *m, struct error *e) MUST_USE;
/* The key must not be there yet and room must be reserved; item is not NULL. */
void map_put(struct map *m, struct bytes key, const void *item);
const void *map_get(const struct map *m, struct bytes key); /* NULL: not there */

#endif
