/* Owns a small network for the tests of sharing: real agents with real databases, and a tiny hub
 * that signs its feed, keeps what it was pushed and hands out what each reader may have. Must not
 * know sockets or sessions. */
#ifndef PLEK_TEST_WORLD_H
#define PLEK_TEST_WORLD_H

#include <criterion/criterion.h>

#include "agent.h"
#include "audience.h"
#include "blob.h"
#include "unit/db/dump.h"
#include "unit/db/scratch.h"

#define WORLD_NOW INT64_C(1789300800000) /* 2026-09-13T12:00:00Z */
#define WORLD_HOUR INT64_C(3600000)
#define WORLD_DAY (24 * WORLD_HOUR)
#define WORLD_AGENTS 8
#define WORLD_LOG 4096

/* ok(expression with &e) */
#define RUN_OK(call) cr_assert_eq((call), ERR_OK, "%s: %s %d: %s", #call, e.file, e.line, e.detail)
#define RUN_FAILS(call, code_)                                                                     \
    cr_assert_eq((call), (code_), "not %s: %s %s", #code_, e.file, e.detail)

/* One agent and what the hub knows of it. */
struct world_agent {
    char dir[PATH_MAX], name[NAME_MAX_BYTES + 1];
    struct agent *agent;
    struct public_key member;
    struct head head; /* of its feed at the hub */
    size_t delivered; /* of the log, grants and states both */
    bool blocked;     /* suspended or removed: the hub gives and takes nothing */
};
/* One pushed entry, as the hub keeps it. */
struct world_entry {
    int author;
    int64_t received_ms;
    struct entry *entry;
    struct blob *bytes;
};
struct world {
    struct scratch scratch;
    uint64_t counter; /* of the seeded randomness */
    struct entropy entropy;
    int64_t now_ms;
    struct sign_pair hub;
    struct box_pair hub_box;
    struct head hub_head;
    struct blob *feed[WORLD_LOG]; /* excerpts of the hub's feed, from seq 1 */
    size_t feed_count;
    struct world_agent agents[WORLD_AGENTS];
    int count;
    struct world_entry log[WORLD_LOG];
    size_t log_count;
};

/* charter NULL: two services, bed (decimals 0) and care (decimals 1). */
void world_init(struct world *w, const char *charter);
void world_done(struct world *w);
/* A member with an open agent that has joined; gives its number. vfs NULL: the default. */
int world_add(struct world *w, const char *name, enum role role, const char *vfs);
void world_reopen(struct world *w, int i, const char *vfs);

/* The hub's feed */
void world_hub_entry(struct world *w, uint32_t kind, struct bytes content);
void world_member_event(struct world *w, int i, uint32_t kind); /* suspended, resumed, removed */
void world_revoke(struct world *w, int i);
/* Gives the agent what it lacks of the hub's feed. */
void world_feed(struct world *w, int i);

/* Agent i sends what it has, entry by entry, each in its own transaction; how many. */
int world_push(struct world *w, int i);
/* One entry out of the outbox, committed; NULL when there is none. Caller unrefs. */
struct blob *world_next(struct world *w, int i, size_t max_bytes, struct head *ret_head);
/* The hub takes it by its own rule, and acknowledges. */
void world_accept(struct world *w, int i, struct blob *bytes);
/* Agent i receives what is for it: grants, then states and history under keys it was granted. */
void world_pull(struct world *w, int i);
/* Feed, push, pull, for all, until nothing moves. */
void world_settle(struct world *w);
/* The excerpt for reader i of that entry: views of this kind for it (all states when any_state). */
bool world_excerpt(struct world *w, const struct world_entry *from, int i, uint32_t kind,
                   bool any_state, struct buf *out);

/* What people do */
enum err world_apply(struct world *w, int i, const char *policy, json_t **ret, struct error *e);
void world_policy(struct world *w, int i, const char *policy);
void world_approve(struct world *w, int i, const char *name);
void world_forget(struct world *w, int i, const char *name);
/* Pairs "key=value key=value". */
void world_set(struct world *w, int i, const char *service, const char *ward, const char *pairs);
json_t *world_find(struct world *w, int i, const char *service); /* service NULL: any */
json_t *world_preview(struct world *w, int i, const char *partner);

/* Everything in the database but refusals and alarms, as one hash. */
struct hash world_dump(struct agent *a);
#define WORLD_DUMP_BUT "'alarm', 'refusal'"
int64_t world_refusals(struct agent *a, const char *code);
/* The first column of one row by any SQL. */
int64_t world_number(struct agent *a, const char *sql);
bool world_alarm(struct agent *a, const char *code);

#endif
