/* Tests taking back: partners' pictures go and do not come back by older views, nothing is sealed
 * until it is undone or a policy is applied; and what one author may fill here is bounded. */
#include "withdraw.h"

#include "audit.h"
#include "inbox.h"
#include "picture.h"
#include "sharing.h"
#include "status.h"
#include "unit/agent/world.h"

#define AUDIENCE(name, member)                                                                     \
    "{\"name\":\"" name "\",\"members\":[" member "],\"services\":[\"*\"],\"precision\":"          \
    "\"exact\"}"
#define BOTH "{\"audiences\":[" AUDIENCE("b", "\"B\"") "," AUDIENCE("c", "\"C\"") "]}"
#define TOGETHER "{\"audiences\":[" AUDIENCE("all", "\"B\",\"C\",\"@hub\"") "]}"
#define WITHOUT_C "{\"audiences\":[" AUDIENCE("all", "\"B\",\"@hub\"") "]}"

enum { A, B, C };
enum { CLASS_GRANTS = 1, CLASS_STATES = 2 };

static void three_sharing(struct world *w, const char *policy) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    world_add(w, "C", ROLE_PROVIDER, NULL);
    world_settle(w);
    world_set(w, A, "bed", NULL, "total=10 free=4");
    world_approve(w, A, "B");
    world_approve(w, A, "C");
    world_policy(w, A, policy);
    world_settle(w);
}

static size_t seen(struct world *w, int i) {
    json_t *rows = world_find(w, i, NULL);
    size_t count = json_array_size(rows);
    json_decref(rows);
    return count;
}

static size_t previewed(struct world *w, const char *partner) {
    json_t *rows = world_preview(w, A, partner);
    size_t count = json_array_size(rows);
    json_decref(rows);
    return count;
}

static json_t *run(struct world *w, const struct withdraw_request *what) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(withdraw_run(w->agents[A].agent, what, w->now_ms, &answer, &e));
    return answer;
}

static void withdraw(struct world *w, const char *audience, bool undo) {
    json_decref(run(w, &(struct withdraw_request){audience, undo, false, "test"}));
}

static int64_t journal_count(struct world *w, const char *event) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM journal WHERE event = '%s'", event);
    return world_number(w->agents[A].agent, sql);
}

static enum err offer(struct world *w, int i, size_t at, uint32_t kind, struct error *e) {
    struct buf excerpt;
    buf_init(&excerpt, ENTRY_MAX_BYTES);
    cr_assert(world_excerpt(w, &w->log[at], i, kind, true, &excerpt));
    *e = (struct error){0};
    enum err code = inbox_take(w->agents[i].agent, kind == VIEW_GRANT ? CLASS_GRANTS : CLASS_STATES,
                               1, w->now_ms, buf_bytes(&excerpt), w->now_ms, e);
    buf_done(&excerpt);
    return code;
}

Test(withdraw, the_picture_goes_and_nothing_newer_comes) {
    struct world w;
    three_sharing(&w, TOGETHER);
    cr_assert_eq(seen(&w, B), 1u);
    withdraw(&w, NULL, false);
    cr_expect_eq(previewed(&w, "B"), 0u);
    world_settle(&w);
    cr_expect_eq(seen(&w, B), 0u);
    cr_expect_eq(seen(&w, C), 0u);
    cr_expect_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM seen_line"), 0);
    cr_expect_eq(world_number(w.agents[B].agent, "SELECT withdrawn FROM picture"), 1);
    world_set(&w, A, "bed", NULL, "total=10 free=9");
    w.now_ms += 30 * WORLD_DAY;
    cr_expect_eq(world_push(&w, A), 0, "something was sealed to a withdrawn audience");
    cr_expect_eq(journal_count(&w, "withdrawn"), 1);
    cr_expect_eq(journal_count(&w, "withdrawal"), 1);
    world_done(&w);
}

Test(withdraw, undone_it_is_shared_again_under_a_new_key) {
    struct world w;
    three_sharing(&w, TOGETHER);
    int64_t keys = world_number(w.agents[B].agent, "SELECT count(*) FROM held_key");
    withdraw(&w, "all", false);
    world_settle(&w);
    withdraw(&w, "all", true);
    cr_expect_eq(previewed(&w, "B"), 1u);
    world_settle(&w);
    cr_expect_eq(seen(&w, B), 1u);
    cr_expect_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM held_key"), keys + 1);
    cr_expect_eq(journal_count(&w, "resumed"), 1);
    /* Once more: the second withdrawal counts on. */
    withdraw(&w, "all", false);
    world_settle(&w);
    cr_expect_eq(seen(&w, B), 0u);
    cr_expect_eq(world_number(w.agents[B].agent, "SELECT counter FROM picture"), 2);
    world_done(&w);
}

Test(withdraw, only_the_audience_named) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    three_sharing(&w, BOTH);
    withdraw(&w, "b", false);
    world_settle(&w);
    cr_expect_eq(seen(&w, B), 0u);
    cr_expect_eq(seen(&w, C), 1u);
    struct withdraw_request what = {.audience = "c", .undo = true, .actor = "test"};
    RUN_FAILS(withdraw_run(w.agents[A].agent, &what, w.now_ms, &answer, &e), ERR_NOT_FOUND);
    what = (struct withdraw_request){.audience = "nobody", .actor = "test"};
    RUN_FAILS(withdraw_run(w.agents[A].agent, &what, w.now_ms, &answer, &e), ERR_NOT_FOUND);
    world_done(&w);
}

Test(withdraw, a_dry_run_tells_whom_and_changes_nothing) {
    struct world w;
    three_sharing(&w, TOGETHER);
    struct hash before = world_dump(w.agents[A].agent);
    json_t *answer = run(&w, &(struct withdraw_request){.dry_run = true, .actor = "test"});
    struct hash after = world_dump(w.agents[A].agent);
    cr_expect(hash_equal(&before, &after));
    json_t *row = json_array_get(json_object_get(answer, "audiences"), 0);
    cr_expect_eq(json_array_size(json_object_get(row, "members")), 3u);
    cr_expect(json_is_true(json_object_get(row, "changed")));
    cr_expect_not_null(strstr(json_string_value(json_object_get(answer, "note")), "stays seen"));
    json_decref(answer);
    cr_expect_eq(world_push(&w, A), 0);
    world_done(&w);
}

Test(withdraw, undone_before_it_was_sent_nothing_is_said) {
    struct world w;
    three_sharing(&w, TOGETHER);
    withdraw(&w, NULL, false);
    withdraw(&w, NULL, true);
    cr_expect_eq(world_push(&w, A), 0);
    world_pull(&w, B);
    cr_expect_eq(seen(&w, B), 1u);
    world_done(&w);
}

/* Said all the same: who is no longer in the new policy must hear of it. */
Test(withdraw, a_policy_applied_before_it_was_sent_does_not_swallow_it) {
    struct world w;
    three_sharing(&w, TOGETHER);
    withdraw(&w, NULL, false);
    json_t *answer = NULL;
    struct error e = {0};
    RUN_OK(world_apply(&w, A, WITHOUT_C, &answer, &e));
    cr_expect_eq(json_array_size(json_object_get(answer, "resumed")), 1u);
    json_decref(answer);
    world_settle(&w);
    cr_expect_eq(seen(&w, C), 0u);
    cr_expect_eq(seen(&w, B), 1u);
    cr_expect_eq(world_number(w.agents[A].agent, "SELECT count(*) FROM withdrawn"), 0);
    world_done(&w);
}

Test(withdraw, the_same_policy_applied_again_resumes) {
    struct world w;
    three_sharing(&w, TOGETHER);
    withdraw(&w, NULL, false);
    world_settle(&w);
    world_policy(&w, A, TOGETHER);
    world_settle(&w);
    cr_expect_eq(seen(&w, B), 1u);
    cr_expect_eq(agent_policy_version(w.agents[A].agent), 1u);
    world_done(&w);
}

Test(withdraw, an_older_state_does_not_bring_it_back) {
    struct world w;
    struct error e;
    three_sharing(&w, TOGETHER);
    withdraw(&w, NULL, false);
    world_settle(&w);
    cr_expect_eq(offer(&w, B, 0, VIEW_STATE, &e), ERR_OLD, "%s", e.detail);
    cr_expect_eq(offer(&w, B, 1, VIEW_WITHDRAW, &e), ERR_OLD, "%s", e.detail);
    cr_expect_eq(seen(&w, B), 0u);
    world_done(&w);
}

Test(withdraw, the_tombstone_may_come_before_the_state_and_before_its_key) {
    struct world w;
    struct error e;
    world_init(&w, NULL);
    world_add(&w, "A", ROLE_PROVIDER, NULL);
    world_add(&w, "B", ROLE_PROVIDER, NULL);
    for (int i = 0; i < w.count; i++)
        world_feed(&w, i);
    world_set(&w, A, "bed", NULL, "total=10 free=4");
    world_approve(&w, A, "B");
    world_policy(&w, A, "{\"audiences\":[" AUDIENCE("b", "\"B\"") "]}");
    cr_assert_eq(world_push(&w, A), 1);
    withdraw(&w, NULL, false);
    cr_assert_eq(world_push(&w, A), 1);
    cr_expect_eq(offer(&w, B, 1, VIEW_WITHDRAW, &e), ERR_NO_KEY, "%s", e.detail);
    cr_expect_eq(offer(&w, B, 0, VIEW_GRANT, &e), ERR_OK, "%s", e.detail);
    cr_expect_eq(offer(&w, B, 0, VIEW_STATE, &e), ERR_OLD, "%s", e.detail);
    cr_expect_eq(seen(&w, B), 0u);
    cr_expect_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM waiting"), 0);
    world_done(&w);
}

Test(withdraw, it_stands_in_status_over_a_restart) {
    struct world w;
    struct error e = {0};
    json_t *status = NULL;
    three_sharing(&w, TOGETHER);
    withdraw(&w, NULL, false);
    world_reopen(&w, A, NULL);
    RUN_OK(status_json(w.agents[A].agent, w.now_ms, &status, &e));
    json_t *row = json_array_get(json_object_get(status, "withdrawn"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(row, "audience")), "all");
    cr_expect(json_is_false(json_object_get(row, "sent")));
    cr_expect_eq(
        json_integer_value(json_object_get(json_object_get(status, "outbox"), "dirty_audiences")),
        1);
    json_decref(status);
    cr_expect_eq(world_push(&w, A), 1);
    RUN_OK(status_json(w.agents[A].agent, w.now_ms, &status, &e));
    row = json_array_get(json_object_get(status, "withdrawn"), 0);
    cr_expect(json_is_true(json_object_get(row, "sent")));
    json_decref(status);
    world_done(&w);
}

/* ---- bounds ---- */

static int64_t dropped(struct agent *a, const char *what) {
    struct error e = {0};
    json_t *counts = NULL;
    RUN_OK(picture_dropped(a, &counts, &e));
    int64_t count = json_integer_value(json_object_get(counts, what));
    json_decref(counts);
    return count;
}

static void put_key(struct world *w, uint8_t audience, uint8_t key, uint64_t seq) {
    struct error e = {0};
    struct held_key held = {.audience = {audience}, .granted = {.incarnation = 1, .seq = seq}};
    struct hash id = {{audience, key}};
    RUN_OK(picture_key_put(w->agents[B].agent, &agent_keys(w->agents[A].agent)->pub, &id, &held,
                           w->now_ms, &e));
}

Test(withdraw, of_an_audience_the_newest_keys_are_held_and_of_an_agent_so_many_audiences) {
    struct world w;
    three_sharing(&w, TOGETHER);
    struct agent *b = w.agents[B].agent;
    int64_t before = world_number(b, "SELECT count(*) FROM held_key");
    for (int i = 0; i <= PICTURE_KEYS_MAX; i++)
        put_key(&w, 200, (uint8_t)(i + 1), (uint64_t)(10 + i));
    cr_expect_eq(world_number(b, "SELECT count(*) FROM held_key"), before + PICTURE_KEYS_MAX);
    cr_expect_eq(world_number(b, "SELECT min(seq) FROM held_key WHERE seq >= 10"), 11);
    cr_expect_eq(dropped(b, "superseded_keys"), 1);
    for (int i = 0; i < PICTURE_AUDIENCES_MAX; i++)
        put_key(&w, (uint8_t)(i + 1), 1, (uint64_t)(20 + i));
    cr_expect_eq(world_number(b, "SELECT count(DISTINCT audience) FROM held_key"),
                 PICTURE_AUDIENCES_MAX);
    cr_expect_eq(world_number(b, "SELECT min(seq) FROM held_key"), 20);
    cr_expect_eq(dropped(b, "keys"), before + PICTURE_KEYS_MAX);
    world_done(&w);
}

Test(withdraw, of_an_agent_so_many_pictures_are_held) {
    struct world w;
    struct error e = {0};
    three_sharing(&w, TOGETHER);
    struct agent *b = w.agents[B].agent;
    struct header h = {.member = w.agents[A].member,
                       .agent = agent_keys(w.agents[A].agent)->pub,
                       .incarnation = 1};
    for (int i = 0; i < PICTURE_AUDIENCES_MAX; i++) {
        uint8_t audience[AUDIENCE_ID_LEN] = {(uint8_t)(i + 1)};
        h.seq = 10 + (uint64_t)i;
        RUN_OK(picture_withdraw(b, &h, audience, 1, w.now_ms, &e));
    }
    cr_expect_eq(world_number(b, "SELECT count(*) FROM picture"), PICTURE_AUDIENCES_MAX);
    cr_expect_eq(world_number(b, "SELECT min(seq) FROM picture"), 10, "the oldest goes");
    cr_expect_eq(dropped(b, "pictures"), 1);
    world_done(&w);
}

Test(withdraw, a_position_beyond_the_last_is_refused) {
    struct world w;
    struct error e = {0};
    three_sharing(&w, TOGETHER);
    struct agent *b = w.agents[B].agent;
    struct hash before = world_dump(b);
    RUN_FAILS(inbox_reached(b, CLASS_STATES, (uint64_t)INT64_MAX + 1, true, w.now_ms, &e),
              ERR_PROTOCOL);
    struct hash after = world_dump(b);
    cr_expect(hash_equal(&before, &after));
    RUN_OK(inbox_reached(b, CLASS_STATES, INT64_MAX, true, w.now_ms, &e));
    world_done(&w);
}
