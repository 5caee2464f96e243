/* Owns scripted runs over the stores of both daemons: a list of deeds with everything they need,
 * and for each what all tables hold after it. A deed can be done at any time in any process that
 * opened the store as it was before: the same deed, the same tables. Must not know faults or
 * crashes: the sweeps do. */
#ifndef PLEK_TEST_SCRIPT_H
#define PLEK_TEST_SCRIPT_H

#include <sqlite3.h>

#include "agent/agent.h"
#include "hub/hub.h"
#include "unit/db/scratch.h"

#define SCRIPT_MAX_DEEDS 160
#define SCRIPT_GROUP 3
#define SCRIPT_REFUSALS "refusal" /* the table where an agent counts what it refused */

enum deed_kind {
    DEED_CALL,    /* a route of the local API */
    DEED_TAKE,    /* agent: one delivered excerpt */
    DEED_REACHED, /* agent: a cursor */
    DEED_NEXT,    /* agent: the next entry of its feed, sealed where one is due */
    DEED_ACKED,   /* agent */
    DEED_WELCOMED,
    DEED_REST,   /* agent: a quiet moment */
    DEED_GREET,  /* hub: a hello, with a join request */
    DEED_ACCEPT, /* hub: a group of entries */
    DEED_IDLE,   /* hub: a quiet moment */
};

struct deed {
    enum deed_kind kind;
    char title[64];
    int number; /* its randomness follows from it */
    int64_t now_ms;
    bool again; /* what a peer may send twice: done once more, nothing changes */
    enum api_method method;
    char path[96];
    char *body; /* JSON; owned */
    uint32_t class_;
    uint64_t position;
    struct head head;
    struct blob *bytes[SCRIPT_GROUP];
    struct public_key agent[SCRIPT_GROUP];
    struct welcome welcome;
    enum err code;     /* what it comes to: ERR_OK but where a rule says no */
    struct hash after; /* the tables */
    struct hash but_refusals;
    char *answer; /* of a DEED_CALL, JSON; owned */
};

struct stage;
/* What differs between the two daemons. Failures of the store come back, and then nothing changed;
 * what a rule refuses is *ret_verdict. */
struct script_side {
    enum err (*open)(struct stage *s, const char *vfs, struct error *e);
    void (*close)(struct stage *s);
    enum err (*run)(struct stage *s, const struct deed *d, enum err *ret_verdict, struct error *e);
    sqlite3 *(*db)(struct stage *s);
    void (*no_sync)(struct stage *s);
};

struct script {
    const char *name;
    const struct script_side *side;
    struct scratch scratch;
    char dir[PATH_MAX];
    struct deed deeds[SCRIPT_MAX_DEEDS];
    int count;
    struct hash before; /* the tables before the first deed */
};

/* One open store that a script works on. */
struct stage {
    const struct script *script;
    struct agent *agent;
    struct hub *hub;
    uint64_t draws;
    json_t *answer; /* of the last DEED_CALL */
    struct blob *entry;
    struct head head; /* of the last DEED_NEXT */
    /* A defect for the sweeps to find: the answer is given before the commit. */
    void (*answered)(void *ctx);
    void *answered_ctx;
};

void script_agent(struct script *s); /* makes the run: everything an agent's store does */
void script_hub(struct script *s);
void script_done(struct script *s);

enum err stage_open(struct stage *s, const struct script *script, const char *vfs, struct error *e)
    MUST_USE;
void stage_close(struct stage *s); /* accepts one that is not open */
/* ERR_OK when the deed came to what it should. A failure of the store comes back as it is. */
enum err stage_do(struct stage *s, const struct deed *d, struct error *e) MUST_USE;
/* The deed once more, although it was done: what its peer is told may differ (ERR_OLD). */
enum err stage_repeat(struct stage *s, const struct deed *d, struct error *e) MUST_USE;
/* All tables. *ret_fault, unless NULL: SQLite's own checks find them damaged. */
struct hash stage_tables(struct stage *s, bool *ret_fault);
/* The same without one. */
struct hash stage_tables_but(struct stage *s, const char *table);
/* Which tables differ, for messages. */
void stage_explain(struct stage *s, struct stage *other, char *out, size_t size);

/* ---- for the makers of scripts ---- */
/* Adds the deed and does it; it must succeed. Borrowed until the next. */
struct deed *script_add(struct script *s, struct stage *stage, const struct deed *deed);
struct deed script_call(enum api_method method, const char *path, const char *body, int64_t now_ms);
enum err stage_call(struct stage *s, struct access *access, const struct api_route *routes,
                    size_t count, void *domain, const struct deed *d, struct error *e) MUST_USE;
struct entropy stage_entropy(struct stage *s);
/* True for what a store says of itself, not a rule of a delivery. */
bool script_is_fatal(enum err code);

#endif
