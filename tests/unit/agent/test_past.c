/* Tests the own log, what of it partners are told, and what a reader keeps of it: each point once,
 * newest state first, nothing finer than the precision, holes seen and asked for. */
#include "past.h"

#include "import.h"
#include "inbox.h"
#include "outbox.h"
#include "past_rows.h"
#include "records.h"
#include "series.h"
#include "unit/agent/world.h"
#include "withdraw.h"

enum { A, B, C };
#define CLASS_HISTORY 4

#define POLICY(members, precision, history)                                                        \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[" members "],\"services\":[\"*\"],"            \
    "\"precision\":\"" precision "\",\"history\":" history "}]}"

static void start(struct world *w, const char *policy) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    for (int i = 0; i < w->count; i++)
        world_feed(w, i);
    world_approve(w, A, "B");
    world_policy(w, A, policy);
}

/* The figure as counted `minutes` after the start. */
static void set_at(struct world *w, int minutes, int free) {
    struct error e = {0};
    char observed[TEXT_TIME_SIZE], value[16];
    struct record record;
    snprintf(value, sizeof value, "%d", free);
    const struct record_pair pair = {"free", value};
    struct record_set set = {.service = "bed",
                             .observed = text_time(WORLD_NOW + minutes * 60000, observed),
                             .pairs = &pair,
                             .pair_count = 1,
                             .actor = "test"};
    RUN_OK(records_set(w->agents[A].agent, &set, w->now_ms, &record, &e));
}

static json_t *rows_at(struct world *w, int i, const struct past_filter *filter) {
    struct error e = {0};
    json_t *rows = NULL;
    RUN_OK(past_rows(w->agents[i].agent, filter, &rows, &e));
    return rows;
}

static size_t count_at(struct world *w, int i) {
    const struct past_filter of_a = {.member = "A"};
    json_t *rows = rows_at(w, i, &of_a);
    size_t count = json_array_size(rows);
    json_decref(rows);
    return count;
}

static size_t views_of(const struct world *w, size_t entry, uint32_t kind) {
    size_t n = 0;
    for (size_t k = 0; k < w->log[entry].entry->view_count; k++)
        n += w->log[entry].entry->views[k].kind == kind;
    return n;
}

Test(past, everything_set_is_logged_once_by_its_time) {
    struct world w;
    start(&w, POLICY("\"B\"", "exact", "false"));
    set_at(&w, 0, 1);
    set_at(&w, 1, 2);
    set_at(&w, 1, 2);
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT count(*) FROM past"), 2);
    set_at(&w, 1, 3);
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT count(*) FROM past"), 2);
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT free FROM past ORDER BY id DESC"), 3);
    world_settle(&w);
    cr_assert_eq(count_at(&w, B), 0, "the policy shares no history");
    world_done(&w);
}

Test(past, offline_sets_are_one_state_and_then_every_point) {
    struct world w;
    start(&w, POLICY("\"B\"", "exact", "true"));
    for (int i = 1; i <= 5; i++)
        set_at(&w, i, i);
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_eq(views_of(&w, 0, VIEW_STATE), 1);
    cr_assert_eq(views_of(&w, 0, VIEW_HISTORY), 1);
    uint32_t state = 0, history = 0;
    for (uint32_t k = 0; k < w.log[0].entry->view_count; k++) {
        state = w.log[0].entry->views[k].kind == VIEW_STATE ? k : state;
        history = w.log[0].entry->views[k].kind == VIEW_HISTORY ? k : history;
    }
    cr_assert_lt(state, history);
    world_settle(&w);
    cr_assert_eq(count_at(&w, B), 5);
    set_at(&w, 6, 6);
    set_at(&w, 3, 30);
    world_settle(&w);
    world_pull(&w, B); /* offered again from the start: applied once */
    cr_assert_eq(count_at(&w, B), 6);
    cr_assert_eq(
        world_number(w.agents[B].agent, "SELECT count(*) FROM seen_past WHERE available = 30"), 1,
        "a late correction takes the place of its time");
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM history_hole"), 0);
    world_done(&w);
}

static void withdraw(struct world *w, bool undo) {
    struct error e = {0};
    json_t *answer = NULL;
    const struct withdraw_request what = {"all", undo, false, "test"};
    RUN_OK(withdraw_run(w->agents[A].agent, &what, w->now_ms, &answer, &e));
    json_decref(answer);
}

Test(past, taken_back_it_goes_from_the_reader_and_shared_again_it_is_told_again) {
    struct world w;
    start(&w, POLICY("\"B\"", "exact", "true"));
    set_at(&w, 1, 1);
    set_at(&w, 2, 2);
    world_settle(&w);
    cr_assert_eq(count_at(&w, B), 2);
    cr_assert_eq(
        world_number(w.agents[A].agent, "SELECT count(*) FROM journal WHERE event = 'history'"), 1);
    withdraw(&w, false);
    set_at(&w, 3, 3);
    world_settle(&w);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM seen_past"), 0);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM seen_series"), 0);
    size_t before = w.log_count;
    world_pull(&w, B); /* a hub that offers it all again */
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM seen_past"), 0);
    cr_assert_eq(world_push(&w, A), 0, "something was sealed to a withdrawn audience");
    withdraw(&w, true);
    world_settle(&w);
    cr_assert_eq(count_at(&w, B), 3);
    size_t views = 0;
    for (size_t i = before; i < w.log_count; i++)
        views += views_of(&w, i, VIEW_HISTORY);
    cr_assert_eq(views, 1);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM history_view"), 1,
                 "what was taken back counts no more");
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM history_hole"), 0);
    world_done(&w);
}

Test(past, a_new_key_or_member_is_not_told_again) {
    struct world w;
    start(&w, POLICY("\"B\"", "exact", "true"));
    set_at(&w, 1, 1);
    world_settle(&w);
    size_t before = w.log_count;
    w.now_ms += 8 * WORLD_DAY; /* the key is worn */
    world_settle(&w);
    cr_assert_gt(w.log_count, before);
    for (size_t i = before; i < w.log_count; i++)
        cr_assert_eq(views_of(&w, i, VIEW_HISTORY), 0);
    world_done(&w);
}

/* 10:01 and 10:09 are one quarter of an hour: it is told by its last figure, whatever came late. */
Test(past, coarse_history_says_one_thing_a_quarter) {
    struct world w;
    struct past_filter of_a = {.member = "A"};
    start(&w, POLICY("\"B\"", "light", "true"));
    set_at(&w, 1, 0);
    set_at(&w, 9, 5);
    world_settle(&w);
    set_at(&w, 4, 1);
    world_settle(&w);
    json_t *rows = rows_at(&w, B, &of_a);
    cr_assert_eq(json_array_size(rows), 1u);
    json_t *row = json_array_get(rows, 0);
    cr_assert_str_eq(json_string_value(json_object_get(row, "light")), "green");
    cr_assert(json_is_null(json_object_get(row, "available")));
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT observed_ms % 900000 FROM seen_past"), 0);
    json_decref(rows);
    world_done(&w);
}

/* More than a view holds: several entries, in order, nothing left behind. */
Test(past, a_long_log_goes_in_several_entries) {
    struct world w;
    struct error e = {0};
    start(&w, POLICY("\"B\"", "exact", "true"));
    set_at(&w, 0, 1);
    struct agent *a = w.agents[A].agent;
    struct capacity c = {.free = {true, 4}};
    RUN_OK(db_begin(agent_db(a), &e));
    for (int i = 1; i <= 9000; i++) {
        c.observed_ms = WORLD_NOW - i * INT64_C(60000);
        c.valid_until_ms = c.observed_ms + WORLD_HOUR;
        RUN_OK(past_put(a, 1, &c, w.now_ms, "test", NULL, &e));
    }
    RUN_OK(db_commit(agent_db(a), &e));
    cr_assert_eq(world_push(&w, A), 3);
    cr_assert_eq(views_of(&w, 2, VIEW_HISTORY), 1);
    world_pull(&w, B);
    cr_assert_eq(count_at(&w, B), 9001);
    world_done(&w);
}

static enum err give(struct world *w, size_t at, int i) {
    struct error e = {0};
    struct buf excerpt;
    buf_init(&excerpt, ENTRY_MAX_BYTES);
    cr_assert(world_excerpt(w, &w->log[at], i, VIEW_HISTORY, true, &excerpt));
    enum err code = inbox_take(w->agents[i].agent, CLASS_HISTORY, at + 1, w->now_ms,
                               buf_bytes(&excerpt), w->now_ms, &e);
    buf_done(&excerpt);
    return code;
}

Test(past, a_hole_is_seen_asked_for_and_filled) {
    struct world w;
    struct error e = {0};
    uint64_t after = 0;
    int64_t hole = 0;
    bool more = false;
    json_t *holes = NULL;
    start(&w, POLICY("\"B\"", "exact", "true"));
    struct agent *b = w.agents[B].agent;
    for (int i = 1; i <= 4; i++) {
        set_at(&w, i, i);
        cr_assert_eq(world_push(&w, A), 1);
        if (i == 1)
            world_pull(&w, B);
    }
    cr_assert_eq(give(&w, 3, B), ERR_OK); /* the fourth; two and three did not come */
    RUN_OK(series_holes(b, &holes, &e));
    cr_assert_eq(json_array_size(holes), 1u);
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(holes, 0), "missing")), 2);
    cr_assert(json_is_false(json_object_get(json_array_get(holes, 0), "asked")));
    json_decref(holes);
    RUN_OK(series_pull_from(b, 4, &after, &hole, &e));
    cr_assert_lt(after, 1u, "from before the first: found %llu", (unsigned long long)after);
    cr_assert_gt(hole, 0);
    cr_assert_eq(give(&w, 1, B), ERR_OK);
    cr_assert_eq(give(&w, 1, B), ERR_OK, "twice is no fault");
    cr_assert_eq(world_number(b, "SELECT count(*) FROM seen_past"), 3);
    cr_assert_eq(world_number(b, "SELECT first * 10 + last FROM history_hole"), 33);
    int64_t rest = world_number(b, "SELECT id FROM history_hole");
    RUN_OK(series_pulled(b, rest, &more, &e));
    cr_assert_not(more);
    RUN_OK(series_pull_from(b, 4, &after, &hole, &e));
    cr_assert_eq(after, 4u, "asked once");
    cr_assert_eq(give(&w, 2, B), ERR_OK);
    cr_assert_eq(world_number(b, "SELECT count(*) FROM history_hole"), 0);
    cr_assert_eq(count_at(&w, B), 4);
    world_done(&w);
}

Test(past, without_the_key_nothing_is_kept) {
    struct world w;
    start(&w, POLICY("\"B\"", "exact", "true"));
    world_add(&w, "C", ROLE_PROVIDER, NULL);
    for (int i = 0; i < w.count; i++)
        world_feed(&w, i);
    set_at(&w, 1, 1);
    world_push(&w, A);
    cr_assert_eq(give(&w, 0, C), ERR_NO_KEY);
    cr_assert_eq(world_number(w.agents[C].agent, "SELECT count(*) FROM seen_past"), 0);
    cr_assert_eq(world_number(w.agents[C].agent, "SELECT count(*) FROM history_view"), 0);
    world_done(&w);
}

Test(past, retention_is_the_charters) {
    struct world w;
    struct error e = {0};
    start(&w, POLICY("\"B\"", "exact", "true"));
    set_at(&w, 1, 1);
    world_settle(&w);
    cr_assert_eq(count_at(&w, B), 1);
    w.now_ms += 34 * WORLD_DAY;
    RUN_OK(past_prune(w.agents[A].agent, w.now_ms, &e));
    RUN_OK(series_prune(w.agents[B].agent, w.now_ms, &e));
    cr_assert_eq(count_at(&w, B), 1);
    w.now_ms += 2 * WORLD_DAY;
    RUN_OK(past_prune(w.agents[A].agent, w.now_ms, &e));
    RUN_OK(series_prune(w.agents[B].agent, w.now_ms, &e));
    cr_assert_eq(count_at(&w, B), 0);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM seen_series"), 0);
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT count(*) FROM past"), 0);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM history_view"), 1,
                 "the newest counter stays, or a hole would not be seen");
    world_done(&w);
}

Test(past, rows_are_asked_for_by_member_service_and_time) {
    struct world w;
    struct error e = {0};
    json_t *rows = NULL;
    start(&w, POLICY("\"B\"", "exact", "true"));
    set_at(&w, 0, 1);
    set_at(&w, -24 * 60, 2);
    world_settle(&w);
    struct past_filter f = {.from = "2026-09-13", .to = "2026-09-13"};
    rows = rows_at(&w, B, &f);
    cr_assert_eq(json_array_size(rows), 1u);
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 0), "available")), 1);
    json_decref(rows);
    f = (struct past_filter){.own = true};
    rows = rows_at(&w, A, &f);
    cr_assert_eq(json_array_size(rows), 2u);
    json_decref(rows);
    rows = rows_at(&w, B, &f);
    cr_assert_eq(json_array_size(rows), 0u);
    json_decref(rows);
    f = (struct past_filter){.service = "care"};
    rows = rows_at(&w, B, &f);
    cr_assert_eq(json_array_size(rows), 0u);
    json_decref(rows);
    struct agent *b = w.agents[B].agent;
    f = (struct past_filter){.service = "nothing"};
    RUN_FAILS(past_rows(b, &f, &rows, &e), ERR_NOT_FOUND);
    f = (struct past_filter){.member = "nobody"};
    RUN_FAILS(past_rows(b, &f, &rows, &e), ERR_UNKNOWN_MEMBER);
    f = (struct past_filter){.from = "yesterday"};
    RUN_FAILS(past_rows(b, &f, &rows, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "from");
    cr_assert_null(strstr(e.detail, "noon"), "a day is all of it: %s", e.detail);
    world_done(&w);
}

/* ---- import --history ---- */

static enum err import(struct world *w, const char *text, bool dated, json_t **ret,
                       struct error *e) {
    const char *with = "{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"w\"},"
                       "\"columns\":{\"free\":\"f\"},\"date\":{\"column\":\"d\"}}";
    const char *without = "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\"}}";
    struct import_request r = {.file = "t.csv",
                               .profile = bytes_str(dated ? with : without),
                               .profile_file = "p.json",
                               .history = true,
                               .actor = "test"};
    return import_run(w->agents[A].agent, &r, bytes_str(text), w->now_ms, ret, e);
}

Test(past, an_imported_history_keeps_every_row) {
    static const char table[] =
        "d,w,f\n2026-09-12,A,3\n2026-09-10,A,1\n2026-09-11,A,2\n2026-09-11,B,9\n";
    struct world w;
    struct error e = {0};
    json_t *report = NULL;
    start(&w, POLICY("\"B\"", "exact", "true"));
    struct agent *a = w.agents[A].agent;
    RUN_OK(import(&w, table, true, &report, &e));
    cr_assert_eq(
        json_integer_value(json_object_get(json_object_get(report, "history"), "recorded")), 4);
    json_decref(report);
    cr_assert_eq(world_number(a, "SELECT c.free FROM capacity c JOIN line l ON l.id = c.line"
                                 " WHERE l.ward = 'A'"),
                 3, "the newest is the current figure");
    world_settle(&w);
    cr_assert_eq(count_at(&w, B), 4);
    struct hash before = world_dump(a);
    RUN_OK(import(&w, table, true, &report, &e));
    struct hash after = world_dump(a);
    cr_assert(hash_equal(&before, &after), "the same file twice changes nothing");
    json_decref(report);
    RUN_FAILS(
        import(&w, "d,w,f\n2026-09-01,A,1\n2026-09-03,A,1\n2026-09-01,A,2\n", true, &report, &e),
        ERR_DATA);
    cr_assert_eq(e.line, 4);
    RUN_FAILS(import(&w, "f\n1\n", false, &report, &e), ERR_USAGE);
    after = world_dump(a);
    cr_assert(hash_equal(&before, &after), "all or nothing");
    world_done(&w);
}
