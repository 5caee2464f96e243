/* Owns the hub's picture in memory of who published: each agent's head in the log and its marks, so
 * that accepting needs no read. Must not know the store: hub.c fills it. */
#ifndef PLEK_HUB_AUTHORS_H
#define PLEK_HUB_AUTHORS_H

#include "entry.h"
#include "map.h"

struct author {
    int64_t id; /* the store's */
    struct public_key agent, member;
    struct head head;
    bool forked;      /* stopped until it opens its next incarnation */
    bool keyed;       /* granted the hub a key, at some time */
    uint64_t resumed; /* log index of its member's last resumption; 0: never */
};
struct authors {
    struct map by_agent;
    struct author **items; /* ids ascend */
    size_t count, cap;
};

void authors_init(struct authors *a, const uint8_t seed[static MAP_SEED_LEN]);
void authors_done(struct authors *a); /* accepts a zeroed one */
struct author *authors_find(const struct authors *a, const struct public_key *agent);
struct author *authors_by_id(const struct authors *a, int64_t id);
/* Room for one more, so that the next authors_add cannot fail. ERR_NO_MEMORY. */
enum err authors_reserve(struct authors *a, struct error *e) MUST_USE;
/* Takes over heap memory. Its id is above all others, its agent new. */
void authors_add(struct authors *a, struct author *take_author);

#endif
