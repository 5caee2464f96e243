/* Tests pausing an audience: partners keep what they have, nothing newer is sealed, it goes on from
 * the newest when resumed; and that two changes of a policy do not overwrite each other. */
#include "pause.h"

#include "outbox.h"
#include "sharing.h"
#include "status.h"
#include "unit/agent/world.h"

#define ALL                                                                                        \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],\"precision\":"    \
    "\"exact\"}]}"
#define OTHER                                                                                      \
    "{\"audiences\":[{\"name\":\"other\",\"members\":[\"B\"],\"services\":[\"*\"],\"precision\":"  \
    "\"exact\"}]}"

enum { A, B };

static void sharing(struct world *w) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    world_settle(w);
    world_set(w, A, "bed", NULL, "free=4");
    world_approve(w, A, "B");
    world_policy(w, A, ALL);
    world_settle(w);
}

static bool run_pause(struct world *w, const struct pause_request *what) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(pause_run(w->agents[A].agent, what, w->now_ms, &answer, &e));
    cr_assert_eq(json_is_true(json_object_get(answer, "undo")), what->undo);
    cr_assert_eq(json_is_true(json_object_get(answer, "dry_run")), what->dry_run);
    json_t *row = json_array_get(json_object_get(answer, "audiences"), 0);
    bool changed = json_is_true(json_object_get(row, "changed"));
    if (row) {
        cr_assert_str_eq(json_string_value(json_object_get(row, "audience")), "all");
        cr_assert_str_eq(json_string_value(json_array_get(json_object_get(row, "members"), 0)),
                         "B");
    }
    json_decref(answer);
    return changed;
}

static bool set_pause(struct world *w, bool undo) {
    return run_pause(w, &(struct pause_request){.audience = "all", .undo = undo, .actor = "test"});
}

static int64_t found(struct world *w) {
    json_t *rows = world_find(w, B, NULL);
    int64_t n = json_integer_value(json_object_get(json_array_get(rows, 0), "available"));
    json_decref(rows);
    return n;
}

static size_t previewed(struct world *w) {
    json_t *rows = world_preview(w, A, "B");
    size_t n = json_array_size(rows);
    json_decref(rows);
    return n;
}

static size_t paused(struct world *w) {
    struct error e = {0};
    json_t *status = NULL;
    RUN_OK(status_json(w->agents[A].agent, w->now_ms, &status, &e));
    size_t n = json_array_size(json_object_get(status, "paused"));
    cr_assert_not_null(json_string_value(json_object_get(status, "fingerprint")));
    cr_assert_not_null(json_string_value(json_object_get(status, "network_fingerprint")));
    cr_assert_str_eq(json_string_value(json_object_get(status, "role")), "provider");
    json_decref(status);
    return n;
}

Test(pause, nothing_newer_goes_and_what_they_have_stays) {
    struct world w;
    sharing(&w);
    cr_assert(set_pause(&w, false));
    cr_assert_not(set_pause(&w, false), "paused twice");
    cr_assert_eq(paused(&w), 1u);
    cr_assert_eq(previewed(&w), 0u);
    world_set(&w, A, "bed", NULL, "free=9");
    w.now_ms += WORLD_HOUR;
    cr_assert_eq(world_push(&w, A), 0, "something was sealed to a paused audience");
    world_settle(&w);
    cr_assert_eq(found(&w), 4);
    /* Its key wears out in the meantime: no reason to look again and again. */
    w.now_ms += 30 * WORLD_DAY;
    cr_assert_gt(outbox_wake_at(w.agents[A].agent, w.now_ms), w.now_ms);
    cr_assert(set_pause(&w, true));
    cr_assert_not(set_pause(&w, true));
    world_set(&w, A, "bed", NULL, "free=8");
    world_settle(&w);
    cr_assert_eq(found(&w), 8);
    cr_assert_eq(world_number(w.agents[A].agent,
                              "SELECT count(*) FROM journal WHERE event IN ('paused', 'resumed')"),
                 2);
    world_done(&w);
}

Test(pause, without_a_name_is_all_of_the_policy_and_a_dry_run_changes_nothing) {
    struct world w;
    sharing(&w);
    const struct pause_request dry = {.dry_run = true}, all = {.actor = "test"};
    const struct pause_request back_dry = {.undo = true, .dry_run = true};
    const struct pause_request back = {.undo = true, .actor = "test"};
    cr_assert(run_pause(&w, &dry));
    cr_assert_eq(paused(&w), 0u);
    cr_assert(run_pause(&w, &all));
    cr_assert_eq(paused(&w), 1u);
    cr_assert_not(run_pause(&w, &all), "paused twice");
    cr_assert(run_pause(&w, &back_dry));
    cr_assert_eq(paused(&w), 1u);
    cr_assert(run_pause(&w, &back));
    cr_assert_eq(paused(&w), 0u);
    cr_assert_not(run_pause(&w, &back), "all that are paused: none");
    world_done(&w);
}

Test(pause, ends_with_the_audience_and_survives_a_restart) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    sharing(&w);
    set_pause(&w, false);
    world_reopen(&w, A, NULL);
    cr_assert_eq(paused(&w), 1u);
    world_policy(&w, A, OTHER);
    cr_assert_eq(paused(&w), 0u);
    struct pause_request what = {.audience = "all", .actor = "test"};
    RUN_FAILS(pause_run(w.agents[A].agent, &what, w.now_ms, &answer, &e), ERR_NOT_FOUND);
    world_done(&w);
}

Test(pause, a_policy_made_from_an_older_one_is_refused) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    sharing(&w);
    int64_t base = agent_policy_version(w.agents[A].agent);
    struct sharing_apply change = {.text = bytes_str(OTHER), .base = &base, .actor = "test"};
    RUN_OK(sharing_apply(w.agents[A].agent, &change, w.now_ms, &answer, &e));
    json_decref(answer);
    change.text = bytes_str(ALL);
    RUN_FAILS(sharing_apply(w.agents[A].agent, &change, w.now_ms, &answer, &e), ERR_CONFLICT);
    cr_assert_eq(agent_policy_version(w.agents[A].agent), (uint32_t)base + 1);
    world_done(&w);
}
