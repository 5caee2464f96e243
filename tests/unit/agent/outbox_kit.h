/* Owns what the tests of the outbox share: three members, of which A shares with B, C and the hub.
 * Must not test anything. */
#ifndef PLEK_TEST_OUTBOX_KIT_H
#define PLEK_TEST_OUTBOX_KIT_H

#include "outbox.h"
#include "unit/agent/world.h"

#define EXACT                                                                                      \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\",\"@hub\"],\"services\":[\"*\"],"   \
    "\"precision\":\"exact\"}]}"
#define WITHOUT_C                                                                                  \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"

enum { A, B, C };

static inline void three(struct world *w) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    world_add(w, "C", ROLE_PROVIDER, NULL);
    world_settle(w);
    world_set(w, A, "bed", NULL, "total=10 free=4 status=admitting");
}

static inline void three_sharing(struct world *w) {
    three(w);
    world_approve(w, A, "B");
    world_approve(w, A, "C");
    world_policy(w, A, EXACT);
    world_settle(w);
}

static inline size_t views_of(const struct entry *entry, uint32_t kind) {
    size_t count = 0;
    for (size_t i = 0; i < entry->view_count; i++)
        count += entry->views[i].kind == kind;
    return count;
}

static inline const struct entry *newest(const struct world *w) {
    return w->log[w->log_count - 1].entry;
}

static inline struct outbox_status status(struct world *w, int i) {
    struct error e = {0};
    struct outbox_status s;
    RUN_OK(outbox_status(w->agents[i].agent, w->now_ms, &s, &e));
    return s;
}

#endif
