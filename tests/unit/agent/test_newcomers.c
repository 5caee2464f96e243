/* Tests trust = directory: who is let in without an approval, to what, after how long; that a clock
 * that jumps does not shorten it, that a refusal stands, and that everybody is told. */
#include "newcomers.h"

#include "audit.h"
#include "outbox.h"
#include "sharing.h"
#include "status.h"
#include "unit/agent/world.h"

enum { A, B, C };

#define HOURS_ALL 24
#define SHARE(precision)                                                                           \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"                  \
    "\"precision\":\"" precision "\"}]}"
#define WITH_C                                                                                     \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\"],\"services\":[\"*\"],"            \
    "\"precision\":\"band\"}]}"
#define NOBODY "{\"audiences\":[]}"

static void trust(struct world *w, const char *mode) {
    char text[64];
    snprintf(text, sizeof text, "trust = %s\n", mode);
    scratch_write(&w->scratch, "0/agent.conf", text);
    world_reopen(w, A, NULL);
}

/* `count`: of A, B, C. */
static void members(struct world *w, int count, const char *mode) {
    static const char *const names[] = {"A", "B", "C"};
    world_init(w, NULL);
    for (int i = 0; i < count; i++)
        world_add(w, names[i], ROLE_PROVIDER, NULL);
    world_settle(w);
    trust(w, mode);
    world_set(w, A, "bed", NULL, "total=10 free=4 status=admitting");
}

static void three(struct world *w, const char *mode) {
    members(w, 3, mode);
}

static void look(struct world *w) {
    struct error e = {0};
    RUN_OK(newcomers_look(w->agents[A].agent, w->now_ms, &e));
}

/* As the daemon looks while it runs, but no more often than counts whole. */
static void run_for(struct world *w, int64_t ms) {
    look(w);
    while (ms > 0) {
        int64_t step_ms = ms < NEWCOMER_STEP_MS ? ms : NEWCOMER_STEP_MS;
        w->now_ms += step_ms;
        ms -= step_ms;
        look(w);
    }
}

static void refuse(struct world *w, const char *name) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(sharing_refuse(w->agents[A].agent, name, "test", w->now_ms, &answer, &e));
    cr_assert(json_is_true(json_object_get(answer, "refused")));
    json_decref(answer);
}

/* How many of A's entries from `from` on grant a key to agent i. */
static size_t grants_to(struct world *w, int i, size_t from) {
    struct target target = target_key(&agent_keys(w->agents[i].agent)->pub);
    size_t count = 0;
    for (size_t k = from; k < w->log_count; k++)
        for (size_t v = 0; v < w->log[k].entry->view_count; v++)
            count += w->log[k].entry->views[v].kind == VIEW_GRANT &&
                     target_equal(&w->log[k].entry->views[v].target, &target);
    return count;
}

static size_t pushed_grants(struct world *w, int i) {
    size_t from = w->log_count;
    world_feed(w, A);
    world_push(w, A);
    return grants_to(w, i, from);
}

static json_t *trust_json(struct world *w) {
    struct error e = {0};
    json_t *status = NULL;
    RUN_OK(status_json(w->agents[A].agent, w->now_ms, &status, &e));
    json_t *trust = json_incref(json_object_get(status, "trust"));
    json_decref(status);
    return trust;
}

static size_t listed(struct world *w, const char *list) {
    json_t *trust = trust_json(w);
    size_t count = json_array_size(json_object_get(trust, list));
    json_decref(trust);
    return count;
}

static void is_listed_as(struct world *w, const char *name, const char *as) {
    struct error e = {0};
    json_t *list = NULL, *row;
    size_t i;
    RUN_OK(sharing_partners(w->agents[A].agent, &list, &e));
    json_array_foreach(list, i, row) {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            cr_assert_str_eq(json_string_value(json_object_get(row, "trust")), as);
    }
    json_decref(list);
}

/* ---- the table ---- */

enum said { NOTHING, APPROVED, REFUSED };
struct point {
    const char *policy;
    bool coarse, directory, suspended;
    enum said said;
    int hours;
};

static void check(const struct point *p) {
    struct world w;
    members(&w, 2, p->directory ? "directory" : "manual");
    world_policy(&w, A, p->policy);
    if (p->said == APPROVED)
        world_approve(&w, A, "B");
    if (p->said == REFUSED)
        refuse(&w, "B");
    run_for(&w, p->hours * WORLD_HOUR);
    if (p->suspended)
        world_member_event(&w, B, ENTRY_HUB_SUSPENDED);
    size_t grants = pushed_grants(&w, B);
    bool let_in = p->directory && p->coarse && p->said == NOTHING && p->hours >= HOURS_ALL;
    bool expected = !p->suspended && (p->said == APPROVED || let_in);
    json_t *rows = world_preview(&w, A, "B");
    json_t *why = json_object_get(json_object_get(json_array_get(rows, 0), "why"), "basis");
    cr_assert_eq(grants > 0, expected, "%s directory %d said %d hours %d suspended %d", p->policy,
                 p->directory, (int)p->said, p->hours, p->suspended);
    cr_assert_eq(json_array_size(rows) > 0, expected, "the preview says otherwise");
    if (expected)
        cr_assert_str_eq(json_string_value(why), let_in ? "directory" : "approved");
    json_decref(rows);
    world_done(&w);
}

static void check_all(const char *policy, bool coarse) {
    static const int hours[] = {0, HOURS_ALL - 1, HOURS_ALL};
    for (int directory = 0; directory < 2; directory++)
        for (int said = NOTHING; said <= REFUSED; said++)
            for (size_t h = 0; h < sizeof hours / sizeof hours[0]; h++)
                for (int suspended = 0; suspended <= (hours[h] == HOURS_ALL); suspended++)
                    check(&(struct point){.policy = policy,
                                          .coarse = coarse,
                                          .directory = directory,
                                          .suspended = suspended,
                                          .said = (enum said)said,
                                          .hours = hours[h]});
}

Test(newcomers, exact_is_for_who_is_approved) {
    check_all(SHARE("exact"), false);
}
Test(newcomers, rounded_is_for_who_is_approved) {
    check_all(SHARE("rounded:5"), false);
}
Test(newcomers, band_may_be_let_in_to) {
    check_all(SHARE("band"), true);
}
Test(newcomers, light_may_be_let_in_to) {
    check_all(SHARE("light"), true);
}

Test(newcomers, one_who_is_let_in_to_a_band_is_not_to_exact) {
    struct world w;
    three(&w, "directory");
    world_set(&w, A, "care", NULL, "free=1.5");
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"beds\",\"members\":[\"B\"],\"services\":[\"bed\"],"
                 "\"precision\":\"exact\"},{\"name\":\"care\",\"members\":[\"B\"],"
                 "\"services\":[\"care\"],\"precision\":\"band\"}]}");
    run_for(&w, WORLD_DAY);
    world_settle(&w);
    json_t *rows = world_find(&w, B, NULL);
    cr_assert_eq(json_array_size(rows), 1u);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "service")),
                     "care");
    json_decref(rows);
    world_done(&w);
}

/* ---- time ---- */

static int64_t waited(struct world *w) {
    return world_number(w->agents[A].agent, "SELECT waited_ms FROM newcomer");
}

Test(newcomers, a_clock_that_jumps_forward_does_not_shorten_the_wait) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, WORLD_HOUR);
    w.now_ms += 30 * WORLD_DAY;
    look(&w);
    cr_assert_leq(waited(&w), WORLD_HOUR + NEWCOMER_STEP_MS);
    cr_assert_eq(pushed_grants(&w, B), 0u);
    run_for(&w, WORLD_DAY - WORLD_HOUR - NEWCOMER_STEP_MS - NEWCOMER_LOOK_MS);
    cr_assert_eq(pushed_grants(&w, B), 0u);
    run_for(&w, NEWCOMER_LOOK_MS);
    cr_assert_eq(pushed_grants(&w, B), 1u);
    world_done(&w);
}

Test(newcomers, a_clock_that_jumps_back_lengthens_nothing_but_the_jump) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, 12 * WORLD_HOUR);
    w.now_ms -= 300 * WORLD_DAY;
    look(&w);
    cr_assert_eq(waited(&w), 12 * WORLD_HOUR);
    run_for(&w, 12 * WORLD_HOUR);
    cr_assert_eq(pushed_grants(&w, B), 1u);
    world_done(&w);
}

Test(newcomers, the_agent_has_to_run_for_it) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, WORLD_HOUR);
    for (int day = 0; day < 3; day++) {
        w.now_ms += WORLD_DAY;
        world_reopen(&w, A, NULL);
        look(&w);
    }
    cr_assert_eq(waited(&w), WORLD_HOUR + 3 * NEWCOMER_STEP_MS);
    cr_assert_eq(pushed_grants(&w, B), 0u);
    world_done(&w);
}

/* ---- out and back ---- */

Test(newcomers, one_who_is_out_and_back_waits_anew) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, WORLD_DAY);
    cr_assert_eq(pushed_grants(&w, B), 1u);
    world_policy(&w, A, NOBODY);
    look(&w);
    world_policy(&w, A, SHARE("light"));
    look(&w);
    cr_assert_eq(pushed_grants(&w, B), 0u);
    cr_assert_eq(listed(&w, "waiting"), 1u);
    run_for(&w, WORLD_DAY);
    cr_assert_eq(pushed_grants(&w, B), 1u);
    world_member_event(&w, B, ENTRY_HUB_SUSPENDED);
    world_feed(&w, A);
    look(&w);
    world_member_event(&w, B, ENTRY_HUB_RESUMED);
    world_feed(&w, A);
    look(&w);
    cr_assert_eq(pushed_grants(&w, B), 0u);
    run_for(&w, WORLD_DAY);
    cr_assert_eq(pushed_grants(&w, B), 1u);
    world_done(&w);
}

Test(newcomers, from_one_coarse_audience_to_another_nobody_waits_again) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, WORLD_DAY);
    cr_assert_eq(pushed_grants(&w, B), 1u);
    world_policy(&w, A, SHARE("light"));
    look(&w);
    cr_assert_eq(pushed_grants(&w, B), 1u, "under a new key, at once");
    world_done(&w);
}

Test(newcomers, an_approval_that_is_withdrawn_does_not_leave_a_short_cut) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, WORLD_DAY);
    world_approve(&w, A, "B");
    world_forget(&w, A, "B");
    look(&w);
    is_listed_as(&w, "B", "waiting");
    cr_assert_eq(pushed_grants(&w, B), 0u);
    world_done(&w);
}

Test(newcomers, back_to_manual_is_a_leave_and_makes_a_new_key) {
    struct world w;
    three(&w, "directory");
    world_approve(&w, A, "C");
    world_policy(&w, A, WITH_C);
    run_for(&w, WORLD_DAY);
    world_settle(&w);
    cr_assert_eq(grants_to(&w, B, 0), 1u);
    struct hash old = w.log[w.log_count - 1].entry->views[0].key_id;
    size_t from = w.log_count;
    trust(&w, "manual");
    look(&w);
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_eq(grants_to(&w, B, from), 0u);
    cr_assert_eq(grants_to(&w, C, from), 1u);
    cr_assert_not(hash_equal(&old, &w.log[from].entry->views[0].key_id));
    trust(&w, "directory");
    look(&w);
    cr_assert_eq(pushed_grants(&w, B), 0u, "waits anew");
    world_done(&w);
}

/* Before anybody looked: the verdict of another time does not count under manual. */
Test(newcomers, manual_counts_from_the_first_moment) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, WORLD_DAY);
    trust(&w, "manual");
    cr_assert_eq(pushed_grants(&w, B), 0u);
    json_t *rows = world_preview(&w, A, "B");
    cr_assert_eq(json_array_size(rows), 0u);
    json_decref(rows);
    is_listed_as(&w, "B", "none");
    world_done(&w);
}

/* ---- refused ---- */

Test(newcomers, a_refusal_stands_until_an_approval) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    run_for(&w, WORLD_DAY);
    cr_assert_eq(pushed_grants(&w, B), 1u);
    is_listed_as(&w, "B", "directory");
    refuse(&w, "B");
    look(&w);
    world_reopen(&w, A, NULL);
    run_for(&w, 2 * WORLD_DAY);
    cr_assert_eq(pushed_grants(&w, B), 0u);
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT sum(length(key)) FROM audience"), 0,
                 "the key it held is out of use");
    is_listed_as(&w, "B", "refused");
    cr_assert_eq(listed(&w, "waiting") + listed(&w, "trusted"), 0u);
    world_approve(&w, A, "B");
    is_listed_as(&w, "B", "approved");
    cr_assert_eq(pushed_grants(&w, B), 1u);
    refuse(&w, "B");
    is_listed_as(&w, "B", "refused");
    cr_assert_eq(pushed_grants(&w, B), 0u, "a refusal withdraws an approval");
    world_forget(&w, A, "B");
    look(&w);
    is_listed_as(&w, "B", "waiting");
    world_done(&w);
}

Test(newcomers, the_hub_and_ourselves_are_not_refused) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    three(&w, "manual");
    RUN_FAILS(sharing_refuse(w.agents[A].agent, "@hub", "test", w.now_ms, &answer, &e), ERR_USAGE);
    RUN_FAILS(sharing_refuse(w.agents[A].agent, "A", "test", w.now_ms, &answer, &e), ERR_USAGE);
    RUN_FAILS(sharing_refuse(w.agents[A].agent, "X", "test", w.now_ms, &answer, &e),
              ERR_UNKNOWN_MEMBER);
    refuse(&w, "B");
    is_listed_as(&w, "B", "refused");
    world_done(&w);
}

/* ---- told ---- */

Test(newcomers, status_says_who_waits_and_until_when) {
    struct world w;
    char text[TEXT_TIME_SIZE];
    three(&w, "directory");
    world_policy(&w, A, WITH_C);
    world_approve(&w, A, "C");
    run_for(&w, 6 * WORLD_HOUR);
    json_t *trust = trust_json(&w);
    cr_assert_str_eq(json_string_value(json_object_get(trust, "mode")), "directory");
    json_t *row = json_array_get(json_object_get(trust, "waiting"), 0);
    cr_assert_eq(json_array_size(json_object_get(trust, "waiting")), 1u);
    cr_assert_str_eq(json_string_value(json_object_get(row, "member")), "B");
    cr_assert_str_eq(json_string_value(json_object_get(row, "since")),
                     text_time(w.now_ms - 6 * WORLD_HOUR, text));
    cr_assert_str_eq(json_string_value(json_object_get(row, "not_before")),
                     text_time(w.now_ms + 18 * WORLD_HOUR, text));
    cr_assert_eq(json_integer_value(json_object_get(row, "waited_s")), 6 * 3600);
    json_decref(trust);
    run_for(&w, 18 * WORLD_HOUR);
    trust = trust_json(&w);
    cr_assert_eq(json_array_size(json_object_get(trust, "waiting")), 0u);
    row = json_array_get(json_object_get(trust, "trusted"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(row, "since")), text_time(w.now_ms, text));
    json_decref(trust);
    world_done(&w);
}

static const char *event_of(const json_t *rows, size_t i) {
    return json_string_value(json_object_get(json_array_get(rows, i), "event"));
}

Test(newcomers, the_journal_says_why) {
    struct world w;
    struct error e = {0};
    json_t *page = NULL;
    three(&w, "directory");
    world_policy(&w, A, WITH_C);
    world_approve(&w, A, "C");
    run_for(&w, WORLD_DAY);
    world_settle(&w);
    RUN_OK(audit_rows(w.agents[A].agent, &(struct audit_query){.partner = "B"}, &page, &e));
    json_t *rows = json_object_get(page, "rows");
    cr_assert_eq(json_array_size(rows), 4u);
    cr_assert_str_eq(event_of(rows, 0), "waiting");
    cr_assert_str_eq(event_of(rows, 1), "trusted");
    cr_assert_str_eq(event_of(rows, 2), "keys");
    cr_assert_str_eq(event_of(rows, 3), "state");
    json_t *detail = json_object_get(json_array_get(rows, 2), "detail");
    cr_assert_str_eq(json_string_value(json_object_get(detail, "trust")), "directory");
    json_decref(page);
    RUN_OK(audit_rows(w.agents[A].agent, &(struct audit_query){.partner = "C"}, &page, &e));
    rows = json_object_get(page, "rows");
    cr_assert_str_eq(event_of(rows, 1), "keys");
    cr_assert(json_is_null(json_object_get(json_array_get(rows, 1), "detail")));
    json_decref(page);
    world_done(&w);
}

static void found_by_check(struct world *w, const char *code, const char *level, bool expected) {
    struct error e = {0};
    json_t *answer = NULL, *finding;
    size_t i;
    bool found = false;
    RUN_OK(sharing_check(w->agents[A].agent, w->now_ms, &answer, &e));
    json_array_foreach(json_object_get(answer, "findings"), i, finding) {
        if (strcmp(json_string_value(json_object_get(finding, "code")), code) == 0) {
            found = true;
            cr_assert_str_eq(json_string_value(json_object_get(finding, "level")), level);
        }
    }
    json_decref(answer);
    cr_assert_eq(found, expected, "%s", code);
}

Test(newcomers, check_tells_an_approval_that_is_needed_from_one_that_is_not) {
    struct world w;
    three(&w, "directory");
    world_policy(&w, A, SHARE("band"));
    found_by_check(&w, "directory", "notice", true);
    found_by_check(&w, "unapproved", "problem", false);
    world_policy(&w, A, SHARE("exact"));
    found_by_check(&w, "directory", "notice", false);
    found_by_check(&w, "unapproved", "problem", true);
    refuse(&w, "B");
    found_by_check(&w, "refused", "notice", true);
    found_by_check(&w, "unapproved", "problem", false);
    world_done(&w);
}

Test(newcomers, another_word_for_trust_is_refused) {
    struct world w;
    struct error e = {0};
    struct agent_settings settings;
    three(&w, "manual");
    scratch_write(&w.scratch, "0/agent.conf", "trust = everybody\n");
    RUN_FAILS(settings_read(w.agents[A].dir, &settings, &e), ERR_CONFIG);
    cr_assert_not_null(strstr(e.detail, "manual or directory"), "%s", e.detail);
    world_done(&w);
}
