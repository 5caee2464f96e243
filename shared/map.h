/* Owns a small hash table of items, each with a key of bytes in it; open addressing, nothing is
 * ever taken out. The caller owns the items, whose keys do not change. Must not know what they
 * mean. */
#ifndef PLEK_MAP_H
#define PLEK_MAP_H

#include "bytes.h"

#define MAP_SEED_LEN 16

/* An item's key, borrowed from it. */
typedef struct bytes map_key(const void *item);

struct map {
    const void **slots; /* items, cap of them, a power of two; NULL: free */
    size_t cap, count;
    map_key *key_of;
    uint8_t seed[MAP_SEED_LEN];
};

/* `seed` keeps the order of slots from being the same for everybody. */
void map_init(struct map *m, const uint8_t seed[static MAP_SEED_LEN], map_key *key_of);
void map_done(struct map *m); /* accepts a zeroed one */
/* Makes room for one more item, so that the next map_put cannot fail. ERR_NO_MEMORY: unchanged. */
enum err map_reserve(struct map *m, struct error *e) MUST_USE;
/* Its key must not be there yet and room must be reserved; item is not NULL. */
void map_put(struct map *m, const void *item);
const void *map_get(const struct map *m, struct bytes key); /* NULL: not there */

#endif
