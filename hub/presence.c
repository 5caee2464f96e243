/* Owns what the hub remembers of members outside any commit: sessions and rates.
 * Must not know the store. */
#include "presence.h"

#include <stdlib.h>

#include "array.h"

#define MILLI 1000

static struct bytes key_view(const struct public_key *k) {
    return bytes_of(k->b, KEY_LEN);
}

static struct bytes agent_of(const void *item) {
    return key_view(&((const struct presence_agent *)item)->agent);
}

static struct bytes member_of(const void *item) {
    return key_view(&((const struct presence_member *)item)->member);
}

void presence_init(struct presence *p, const uint8_t seed[static MAP_SEED_LEN]) {
    *p = (struct presence){.agents = NULL};
    map_init(&p->by_agent, seed, agent_of);
    map_init(&p->by_member, seed, member_of);
}

void presence_done(struct presence *p) {
    for (size_t i = 0; i < p->agent_count; i++)
        free(p->agents[i]);
    for (size_t i = 0; i < p->member_count; i++)
        free(p->members[i]);
    free(p->agents);
    free(p->members);
    map_done(&p->by_agent);
    map_done(&p->by_member);
    p->agents = NULL;
    p->members = NULL;
    p->agent_count = p->agent_cap = p->member_count = p->member_cap = 0;
}

/* A zeroed item, and room for it in list and map; NULL without memory. */
static void *new_item(void ***items, size_t count, size_t *cap, struct map *m, size_t size) {
    void **grown = array_grow(*items, count, cap, sizeof *grown);
    if (grown == NULL)
        return NULL;
    *items = grown;
    if (map_reserve(m, NULL) != ERR_OK)
        return NULL;
    return calloc(1, size);
}

static struct presence_agent *own_agent(const struct presence *p, const struct public_key *agent) {
    return (struct presence_agent *)(uintptr_t)map_get(&p->by_agent, key_view(agent));
}

const struct presence_agent *presence_find(const struct presence *p,
                                           const struct public_key *agent) {
    return own_agent(p, agent);
}

static struct presence_agent *make_agent(struct presence *p, const struct public_key *agent) {
    struct presence_agent *found = own_agent(p, agent);
    if (found != NULL)
        return found;
    void **items = (void **)p->agents;
    struct presence_agent *made =
        new_item(&items, p->agent_count, &p->agent_cap, &p->by_agent, sizeof *made);
    p->agents = (struct presence_agent **)items;
    if (made == NULL)
        return NULL;
    made->agent = *agent;
    p->agents[p->agent_count++] = made;
    map_put(&p->by_agent, made);
    return made;
}

enum err presence_load(struct presence *p, const struct public_key *agent, int64_t last_ms,
                       struct error *e) {
    struct presence_agent *a = make_agent(p, agent);
    if (a == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for who was seen when");
    a->last_ms = last_ms;
    return ERR_OK;
}

void presence_note(struct presence *p, const struct public_key *agent, bool connected,
                   int64_t now_ms) {
    struct presence_agent *a = make_agent(p, agent);
    if (a == NULL || (!connected && a->sessions == 0))
        return;
    if (connected && a->sessions++ == 0)
        p->connected++;
    if (!connected && --a->sessions == 0)
        p->connected--;
    a->last_ms = now_ms;
    a->unsaved = true;
}

static struct presence_member *make_member(struct presence *p, const struct public_key *member) {
    struct presence_member *found =
        (struct presence_member *)(uintptr_t)map_get(&p->by_member, key_view(member));
    if (found != NULL)
        return found;
    void **items = (void **)p->members;
    struct presence_member *made =
        new_item(&items, p->member_count, &p->member_cap, &p->by_member, sizeof *made);
    p->members = (struct presence_member **)items;
    if (made == NULL)
        return NULL;
    *made = (struct presence_member){.member = *member};
    p->members[p->member_count++] = made;
    map_put(&p->by_member, made);
    return made;
}

static void refill(struct presence_bucket *b, const struct presence_limit *limit, int64_t now_ms) {
    int64_t full = limit->burst * MILLI, passed_ms = now_ms - b->last_ms;
    /* rate tokens a second are rate thousandths a millisecond; a clock set back gives nothing. */
    if (b->last_ms == 0 || (passed_ms > 0 && passed_ms > (full - b->tokens_milli) / limit->rate))
        b->tokens_milli = full;
    else if (passed_ms > 0)
        b->tokens_milli += passed_ms * limit->rate;
    b->last_ms = now_ms;
}

enum err presence_take(struct presence *p, const struct public_key *member,
                       const struct presence_limit *limit, int64_t cost, int64_t now_ms,
                       struct error *e) {
    struct presence_member *m = make_member(p, member);
    if (m == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for how much a member sent");
    struct presence_bucket *b = &m->buckets[limit->budget];
    refill(b, limit, now_ms);
    int64_t wanted_milli = (cost < limit->burst ? cost : limit->burst) * MILLI;
    if (b->tokens_milli < wanted_milli)
        return error_set(e, ERR_RATE, "more than the limit allows; try again later");
    b->tokens_milli -= wanted_milli;
    return ERR_OK;
}
