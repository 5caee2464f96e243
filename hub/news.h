/* Owns what a group of commits means for sessions, collected while the group is written.
 * Must not know the store: who holds a key is resolved by hub.c when the news is taken. */
#ifndef PLEK_HUB_NEWS_H
#define PLEK_HUB_NEWS_H

#include "hub.h"

/* Whoever holds a grant of this key has something waiting. */
struct news_key {
    int64_t author;
    struct hash key_id;
};
struct news {
    bool everybody;
    struct news_key *keys;
    struct public_key *agents;
    struct hub_expulsion *expelled;
    size_t key_count, key_cap, agent_count, agent_cap, expelled_count, expelled_cap;
};
/* How much was collected: to forget what came after. */
struct news_mark {
    bool everybody;
    size_t keys, agents, expelled;
};

void news_done(struct news *n); /* frees; empty and usable afterwards */
struct news_mark news_mark(const struct news *n);
void news_forget(struct news *n, const struct news_mark *mark);
enum err news_add_key(struct news *n, int64_t author, const struct hash *key_id, struct error *e)
    MUST_USE;
enum err news_add_agent(struct news *n, const struct public_key *agent, struct error *e) MUST_USE;
enum err news_add_expelled(struct news *n, const struct public_key *agent, enum err code,
                           struct error *e) MUST_USE;
/* Appends `from` to `to` and empties it. ERR_NO_MEMORY: `from` is as it was, `to` may hold part of
 * it (telling twice does no harm). */
enum err news_move(struct news *to, struct news *from, struct error *e) MUST_USE;
/* Sorts keys and agents and drops what is there twice. */
void news_tidy(struct news *n);

#endif
