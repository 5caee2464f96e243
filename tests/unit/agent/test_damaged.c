/* What an agent says of a database that somebody or some disk has changed: which part, and to
 * restore a backup. It never seals or shows what it can only read in part. */
#include <sqlite3.h>

#include "find.h"
#include "inbox.h"
#include "outbox.h"
#include "unit/agent/inbox_kit.h"
#include "withdraw.h"

/* Past the gateway, while the agent is down. */
static void damage(struct world *w, int i, const char *sql) {
    char path[PATH_MAX + 16];
    sqlite3 *raw = NULL;
    agent_close(w->agents[i].agent);
    w->agents[i].agent = NULL;
    snprintf(path, sizeof path, "%s/agent.db", w->agents[i].dir);
    cr_assert_eq(sqlite3_open(path, &raw), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql,
                 sqlite3_errmsg(raw));
    cr_assert_gt(sqlite3_changes(raw), 0, "%s changed nothing", sql);
    sqlite3_close(raw);
}

static enum err seal(struct world *w, struct error *e) {
    struct blob *entry = NULL;
    struct head head;
    struct world_agent *a = &w->agents[A];
    *e = (struct error){0};
    cr_assert_eq(db_begin(agent_db(a->agent), e), ERR_OK);
    enum err code = outbox_next(a->agent, &a->head, ENTRY_MAX_BYTES, w->now_ms, &entry, &head, e);
    db_rollback(agent_db(a->agent));
    cr_assert_null(entry);
    return code;
}

Test(damaged, an_audience_that_cannot_be_read_seals_nothing) {
    static const char *const cases[] = {"UPDATE audience SET id = x'00'",
                                        "UPDATE audience SET key = x'00'"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct error e;
        sharing(&w);
        damage(&w, A, cases[i]);
        world_reopen(&w, A, NULL);
        world_set(&w, A, "bed", NULL, "total=10 free=5");
        RUN_FAILS(seal(&w, &e), ERR_STORE);
        cr_assert(strstr(e.detail, "audience 'all' is damaged: restore"), "%s", e.detail);
        world_done(&w);
    }
}

Test(damaged, a_withdrawal_of_a_damaged_audience_is_not_said) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    sharing(&w);
    RUN_OK(withdraw_run(w.agents[A].agent, &(struct withdraw_request){"all", false, false, "test"},
                        w.now_ms, &answer, &e));
    json_decref(answer);
    damage(&w, A, "UPDATE audience SET key = x'00'");
    world_reopen(&w, A, NULL);
    RUN_FAILS(seal(&w, &e), ERR_STORE);
    cr_assert(strstr(e.detail, "audience 'all' is damaged: restore"), "%s", e.detail);
    world_done(&w);
}

/* B is given a state of A's after its own database was damaged, and says so. */
static void take_damaged(struct world *w, const char *sql, const char *said) {
    struct error e;
    struct buf excerpt;
    sharing(w);
    world_settle(w);
    world_set(w, A, "bed", NULL, "total=10 free=5");
    cr_assert_eq(world_push(w, A), 1);
    damage(w, B, sql);
    world_reopen(w, B, NULL);
    excerpt_of(w, w->log_count - 1, B, VIEW_STATE, &excerpt);
    RUN_FAILS(take(w, B, CLASS_STATES, buf_bytes(&excerpt), &e), ERR_STORE);
    cr_assert(strstr(e.detail, said), "%s", e.detail);
    buf_done(&excerpt);
}

Test(damaged, a_held_key_that_cannot_be_read_opens_nothing) {
    struct world w;
    take_damaged(&w, "UPDATE held_key SET key = x'00'", "a held key is damaged: restore");
    world_done(&w);
}

Test(damaged, lines_that_cannot_be_read_are_not_no_room) {
    struct world w;
    struct error e;
    struct find_filter all = {.service = NULL};
    json_t *rows = NULL;
    sharing(&w);
    world_set(&w, A, "bed", NULL, "total=10 free=5");
    world_settle(&w);
    damage(&w, B, "UPDATE seen_judged SET lines = substr(lines, 1, length(lines) - 1)");
    world_reopen(&w, B, NULL);
    RUN_FAILS(find_rows(w.agents[B].agent, &all, w.now_ms, &rows, &e), ERR_STORE);
    cr_assert(strstr(e.detail, "lines are damaged: restore"), "%s", e.detail);
    damage(&w, B, "UPDATE picture SET agent = substr(agent, 1, 31)");
    world_reopen(&w, B, NULL);
    RUN_FAILS(find_rows(w.agents[B].agent, &all, w.now_ms, &rows, &e), ERR_STORE);
    cr_assert(strstr(e.detail, "agent.db: "), "%s", e.detail);
    world_done(&w);
}

/* What came before the first word of the hub, and what this version does not read. */
Test(damaged, deliveries_that_cannot_be_meant) {
    struct world w;
    struct error e;
    sharing(&w);
    RUN_FAILS(take(&w, B, 77, bytes_str("x"), &e), ERR_KIND);
    damage(&w, B, "DELETE FROM hub_entry WHERE seq > 1");
    world_reopen(&w, B, NULL);
    RUN_FAILS(take(&w, B, CLASS_STATES, bytes_str("x"), &e), ERR_PROTOCOL);
    cr_assert(strstr(e.detail, "before the network's charter"), "%s", e.detail);
    world_done(&w);
}

/* It says which file, and to restore a backup; so it does when it is opened. */
Test(damaged, a_network_that_cannot_be_read_is_not_opened) {
    static const struct {
        const char *sql, *said;
    } cases[] = {
        {"UPDATE network SET key = x'00'", "agent.db: found a key of 1 bytes, expected 32"},
        {"UPDATE network SET address = printf('%0600d', 0)", "agent.db: the hub's address"},
        {"UPDATE network SET certificate = x'00'", "agent.db: the agent's own certificate"},
        {"UPDATE hub_entry SET excerpt = x'00'", "agent.db: entry 1 of the hub's feed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct error e = {0};
        sharing(&w);
        damage(&w, B, cases[i].sql);
        RUN_FAILS(agent_open(w.agents[B].dir, NULL, &w.entropy, &w.agents[B].agent, &e), ERR_STORE);
        cr_assert(strstr(e.detail, cases[i].said) && strstr(e.detail, ": restore a backup"), "%s",
                  e.detail);
        world_done(&w);
    }
}

/* The fault is this database's: the partner's entry is neither refused nor counted as bad. */
Test(damaged, a_held_head_that_cannot_be_read_refuses_nobody) {
    struct world w;
    take_damaged(&w, "UPDATE peer_header SET hash = x'00'", "agent.db: found a hash of 1 bytes");
    cr_assert_eq(world_refusals(w.agents[B].agent, error_name(ERR_MALFORMED)), 0);
    world_done(&w);
}
