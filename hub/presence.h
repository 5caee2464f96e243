/* Owns what the hub remembers of members outside any commit: who is connected, when each agent was
 * last seen, and how fast each member publishes. Survives a failed commit. Must not know the store.
 */
#ifndef PLEK_HUB_PRESENCE_H
#define PLEK_HUB_PRESENCE_H

#include "keys.h"
#include "map.h"

struct presence_agent {
    struct public_key agent;
    int sessions;    /* a newer one may start before the older has ended */
    int64_t last_ms; /* 0: never */
    bool unsaved;
};
/* What a member spends: a bucket each. */
enum presence_budget { PRESENCE_ENTRIES, PRESENCE_CERTIFICATES, PRESENCE_BUDGETS };
/* A token bucket in thousandths of a token; last_ms 0: never used, full. */
struct presence_bucket {
    int64_t tokens_milli, last_ms;
};
struct presence_member {
    struct public_key member;
    struct presence_bucket buckets[PRESENCE_BUDGETS];
};
struct presence {
    struct map by_agent, by_member;
    struct presence_agent **agents;
    struct presence_member **members;
    size_t agent_count, agent_cap, member_count, member_cap;
    size_t connected; /* agents with a session */
};

void presence_init(struct presence *p, const uint8_t seed[static MAP_SEED_LEN]);
void presence_done(struct presence *p); /* accepts a zeroed one */
const struct presence_agent *presence_find(const struct presence *p,
                                           const struct public_key *agent);
/* As it stood in the store. ERR_NO_MEMORY. */
enum err presence_load(struct presence *p, const struct public_key *agent, int64_t last_ms,
                       struct error *e) MUST_USE;
/* Without memory nothing is noted. */
void presence_note(struct presence *p, const struct public_key *agent, bool connected,
                   int64_t now_ms);
/* Takes `cost` tokens (at most `burst` count) of a member's bucket, which holds `burst` and gains
 * `rate` a second. ERR_RATE: too few are left, none is taken. */
struct presence_limit {
    enum presence_budget budget;
    int64_t rate, burst;
};
enum err presence_take(struct presence *p, const struct public_key *member,
                       const struct presence_limit *limit, int64_t cost, int64_t now_ms,
                       struct error *e) MUST_USE;

#endif
