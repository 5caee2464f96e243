/* Owns what the tests of the inbox share: A shares with B, entries made by hand, and the check that
 * a refusal is typed, counted and changes nothing. Must not test anything itself. */
#ifndef PLEK_TEST_INBOX_KIT_H
#define PLEK_TEST_INBOX_KIT_H

#include "inbox.h"
#include "unit/agent/world.h"

#define TO_B                                                                                       \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],\"precision\":"    \
    "\"exact\"}]}"

enum { A, B, C, D };
enum { CLASS_HUB, CLASS_GRANTS, CLASS_STATES };

/* A shares with B; nothing was delivered to B yet. */
static inline void sharing(struct world *w) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    for (int i = 0; i < w->count; i++)
        world_feed(w, i);
    world_set(w, A, "bed", NULL, "total=10 free=4");
    world_approve(w, A, "B");
    world_policy(w, A, TO_B);
    cr_assert_eq(world_push(w, A), 1);
}

static inline enum err take(struct world *w, int i, uint32_t class_, struct bytes excerpt,
                            struct error *e) {
    *e = (struct error){0};
    return inbox_take(w->agents[i].agent, class_, 1, w->now_ms, excerpt, w->now_ms, e);
}

/* Typed, counted, and nothing else changed. */
static inline void refused(struct world *w, int i, uint32_t class_, struct bytes excerpt,
                           enum err expected) {
    struct error e;
    struct agent *a = w->agents[i].agent;
    struct hash before = world_dump(a);
    int64_t count = world_refusals(a, error_name(expected));
    struct head head = directory_head(agent_directory(a));
    enum err code = take(w, i, class_, excerpt, &e);
    cr_assert_eq(code, expected, "found %s (%s), expected %s", error_name(code), e.detail,
                 error_name(expected));
    cr_assert_eq(e.code, expected);
    cr_assert_neq(e.detail[0], '\0');
    struct hash after = world_dump(a);
    cr_assert(hash_equal(&before, &after), "%s changed something", error_name(expected));
    cr_assert_eq(world_refusals(a, error_name(expected)), count + 1, "%s was not counted",
                 error_name(expected));
    cr_assert_eq(directory_head(agent_directory(a)).seq, head.seq);
}

static inline void excerpt_of(struct world *w, size_t at, int i, uint32_t kind, struct buf *out) {
    buf_init(out, ENTRY_MAX_BYTES);
    cr_assert(world_excerpt(w, &w->log[at], i, kind, true, out));
}

/* ---- crafted entries ---- */

/* An entry in A's name with one view, as its parts say; signed by `signer`. */
struct craft {
    struct header header;
    struct view view;
    const struct sign_pair *signer;
};

static inline struct craft craft_of(struct world *w, int author) {
    struct craft c = {.signer = agent_keys(w->agents[author].agent)};
    c.header = (struct header){.network = w->hub.pub,
                               .member = w->agents[author].member,
                               .agent = c.signer->pub,
                               .incarnation = 1,
                               .seq = w->agents[author].head.seq + 1,
                               .prev = w->agents[author].head.hash,
                               .claimed_ms = w->now_ms,
                               .kind = ENTRY_UPDATE};
    uint8_t id[AUDIENCE_ID_LEN] = {9};
    c.view = (struct view){.target = target_audience(id),
                           .kind = VIEW_STATE,
                           .key_id = {{5}},
                           .data = bytes_str("not readable anyway, but long enough to be one")};
    return c;
}

static inline void craft_excerpt(const struct craft *c, struct buf *out) {
    struct error e = {0};
    struct buf bytes;
    struct entry *entry = NULL;
    const uint32_t which[] = {0};
    buf_init(&bytes, ENTRY_MAX_BYTES);
    buf_init(out, ENTRY_MAX_BYTES);
    RUN_OK(entry_build(&c->header, &c->view, 1, c->signer, &bytes, NULL, &e));
    RUN_OK(entry_parse(buf_bytes(&bytes), &entry, &e));
    RUN_OK(entry_excerpt(entry, which, 1, out, &e));
    entry_free(entry);
    buf_done(&bytes);
}

static inline void refused_craft(struct world *w, int i, uint32_t class_, const struct craft *c,
                                 enum err expected) {
    struct buf excerpt;
    craft_excerpt(c, &excerpt);
    refused(w, i, class_, buf_bytes(&excerpt), expected);
    buf_done(&excerpt);
}

#endif
