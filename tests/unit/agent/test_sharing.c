/* Tests who sees what: applying, showing and checking the policy, approving partners, the status,
 * and that a policy that is wrong or not committed changes nothing. */
#include "sharing.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "sharing_routes.h"
#include "status.h"
#include "unit/agent/world.h"
#include "vfs/watch_vfs.h"

enum { A, B, C };

#define POLICY(members, precision)                                                                 \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[" members                                      \
    "],\"services\":[\"*\"],\"precision\":\"" precision "\"}]}"

static void three(struct world *w) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    world_add(w, "C", ROLE_COORDINATOR, NULL);
    world_settle(w);
}

static json_t *applied(struct world *w, const char *policy) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(world_apply(w, A, policy, &answer, &e));
    return answer;
}

/* The answer's value at "a/b/0/c" as compact JSON; caller frees. */
static char *value_at(const json_t *answer, const char *path) {
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path);
    const json_t *value = answer;
    char *rest = copy, *word;
    while (value && (word = strsep(&rest, "/")) != NULL)
        value = json_is_array(value) ? json_array_get(value, strtoul(word, NULL, 10))
                                     : json_object_get(value, word);
    cr_assert_not_null(value, "nothing at %s", path);
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

#define IS(answer, path, expected)                                                                 \
    do {                                                                                           \
        char *found_ = value_at((answer), (path));                                                 \
        cr_assert_str_eq(found_, (expected), "%s: %s", (path), found_);                            \
        free(found_);                                                                              \
    } while (0)

Test(sharing, apply_stores_keys_and_shows_names) {
    struct world w;
    struct error e = {0};
    three(&w);
    json_t *answer = applied(&w, POLICY("\"b\",\"@hub\"", "exact"));
    IS(answer, "version", "1");
    IS(answer, "dry_run", "false");
    IS(answer, "unchanged", "false");
    IS(answer, "changes/added", "[\"all\"]");
    char *members = value_at(answer, "changes/members");
    cr_assert_not_null(strstr(
        members, "{\"member\":\"@hub\",\"service\":\"bed\",\"from\":null,\"to\":\"exact\"}"));
    cr_assert_not_null(
        strstr(members, "{\"member\":\"B\",\"service\":\"care\",\"from\":null,\"to\":\"exact\"}"));
    free(members);
    IS(answer, "unapproved", "[\"B\"]");
    IS(answer, "policy/audiences/0/members", "[\"B\",\"@hub\"]");
    cr_assert_eq(json_array_size(json_object_get(answer, "warnings")), 1u);
    json_decref(answer);
    char hex[2 * KEY_LEN + 1], sql[200];
    hex_encode(hex, bytes_of(w.agents[B].member.b, KEY_LEN));
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM policy WHERE json LIKE '%%%s%%' AND actor = 'test'", hex);
    cr_assert_eq(world_number(w.agents[A].agent, sql), 1, "stored by key");
    world_reopen(&w, A, NULL);
    RUN_OK(sharing_show(w.agents[A].agent, &answer, &e));
    IS(answer, "version", "1");
    IS(answer, "applied", "\"2026-09-13T12:00:00Z\"");
    IS(answer, "audiences/0/members", "[\"B\",\"@hub\"]");
    char *shown = json_dumps(answer, 0);
    json_decref(answer);
    answer = applied(&w, shown);
    IS(answer, "unchanged", "true");
    IS(answer, "version", "1");
    json_decref(answer);
    free(shown);
    world_done(&w);
}

Test(sharing, before_the_first_policy_nothing_is_shown) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    three(&w);
    RUN_OK(sharing_show(w.agents[A].agent, &answer, &e));
    IS(answer, "version", "0");
    IS(answer, "audiences", "[]");
    json_decref(answer);
    RUN_OK(sharing_check(w.agents[A].agent, w.now_ms, &answer, &e));
    IS(answer, "findings/0/code", "\"no-policy\"");
    json_decref(answer);
    world_done(&w);
}

Test(sharing, apply_says_what_changes_for_whom) {
    struct world w;
    three(&w);
    json_decref(applied(&w, POLICY("\"B\",\"C\"", "exact")));
    json_t *answer = applied(
        &w,
        "{\"audiences\":[{\"name\":\"all\",\"members\":[\"C\"],\"services\":[\"bed\"],"
        "\"precision\":\"band\"},"
        "{\"name\":\"new\",\"members\":[\"B\"],\"services\":[\"bed\"],\"precision\":\"exact\"}]}");
    IS(answer, "version", "2");
    IS(answer, "changes/added", "[\"new\"]");
    IS(answer, "changes/removed", "[]");
    IS(answer, "changes/changed/0/audience", "\"all\"");
    IS(answer, "changes/changed/0/members_removed", "[\"B\"]");
    IS(answer, "changes/changed/0/members_added", "[]");
    IS(answer, "changes/changed/0/services_removed", "[\"*\"]");
    IS(answer, "changes/changed/0/services_added", "[\"bed\"]");
    IS(answer, "changes/changed/0/precision", "{\"from\":\"exact\",\"to\":\"band [1,3,6]\"}");
    json_t *members = json_object_get(json_object_get(answer, "changes"), "members");
    cr_assert_eq(json_array_size(members), 3u, "B loses care; C loses care and gets bands of beds");
    size_t i;
    json_t *change;
    json_array_foreach(members, i, change) {
        const char *name = json_string_value(json_object_get(change, "member"));
        bool bed = strcmp(json_string_value(json_object_get(change, "service")), "bed") == 0;
        cr_assert(!bed || strcmp(name, "C") == 0, "B sees beds as before");
        cr_assert_eq(json_is_null(json_object_get(change, "to")), !bed);
    }
    json_decref(answer);
    answer = applied(&w, "{\"audiences\":[]}");
    IS(answer, "changes/removed", "[\"all\",\"new\"]");
    json_decref(answer);
    world_done(&w);
}

Test(sharing, a_dry_run_changes_nothing) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    three(&w);
    json_decref(applied(&w, POLICY("\"B\"", "exact")));
    world_settle(&w);
    struct agent *a = w.agents[A].agent;
    struct hash before = world_dump(a);
    const char *policy = POLICY("\"C\"", "band");
    struct sharing_apply what = {.text = bytes_str(policy), .dry_run = true};
    RUN_OK(sharing_apply(a, &what, w.now_ms, &answer, &e));
    IS(answer, "dry_run", "true");
    IS(answer, "applied", "null");
    IS(answer, "version", "2");
    IS(answer, "changes/changed/0/members_added", "[\"C\"]");
    json_decref(answer);
    struct hash after = world_dump(a);
    cr_assert(hash_equal(&before, &after));
    cr_assert_not(agent_dirty(a));
    cr_assert(policy_has_member(&agent_policy(a)->audiences[0], &w.agents[B].member));
    world_done(&w);
}

Test(sharing, a_wrong_policy_names_the_place_and_changes_nothing) {
    static const struct {
        const char *text, *place;
        enum err code;
    } cases[] = {
        {"{", "policy.json", ERR_DATA},
        {POLICY("\"Nobody\"", "exact"), "audiences[0].members[0]", ERR_UNKNOWN_MEMBER},
        {POLICY("\"B\"", "fine"), "audiences[0].precision", ERR_DATA},
        {POLICY("\"B\",\"B\"", "exact"), "audiences[0].members[1]", ERR_DATA},
        {"{\"audiences\":[{\"name\":\"all\",\"members\":[],\"services\":[\"boat\"],\"precision\":"
         "\"exact\"}]}",
         "audiences[0].services[0]", ERR_DATA},
        {"{\"audiences\":[{\"name\":\"all\",\"member\":[]}]}", "audiences[0]", ERR_DATA},
    };
    struct world w;
    three(&w);
    json_decref(applied(&w, POLICY("\"B\"", "exact")));
    struct agent *a = w.agents[A].agent;
    struct hash before = world_dump(a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error e = {0};
        json_t *answer = NULL;
        RUN_FAILS(world_apply(&w, A, cases[i].text, &answer, &e), cases[i].code);
        cr_assert_not_null(strstr(e.file, cases[i].place), "%s: %s", e.file, e.detail);
        cr_assert_null(answer);
    }
    struct hash after = world_dump(a);
    cr_assert(hash_equal(&before, &after));
    cr_assert_eq(agent_policy_version(a), 1u);
    world_done(&w);
}

Test(sharing, a_policy_that_is_not_committed_is_not_in_force) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    struct watch_vfs *vfs = watch_vfs_new("sharing-watch");
    three(&w);
    json_decref(applied(&w, POLICY("\"B\"", "exact")));
    world_reopen(&w, A, "sharing-watch");
    struct agent *a = w.agents[A].agent;
    watch_vfs_fail(vfs, WATCH_SYNC, 1, 1, SQLITE_IOERR_FSYNC, EIO);
    cr_assert_neq(world_apply(&w, A, POLICY("\"C\"", "band"), &answer, &e), ERR_OK);
    watch_vfs_fail(vfs, WATCH_SYNC, 0, 0, SQLITE_OK, 0);
    cr_assert_null(answer);
    cr_assert_eq(agent_policy_version(a), 1u);
    cr_assert(policy_has_member(&agent_policy(a)->audiences[0], &w.agents[B].member));
    cr_assert_eq(world_number(a, "SELECT max(version) FROM policy"), 1);
    json_decref(applied(&w, POLICY("\"C\"", "band")));
    cr_assert_eq(agent_policy_version(a), 2u);
    cr_assert(watch_vfs_durable(vfs, watch_vfs_now(vfs)), "apply answers after the sync");
    world_done(&w);
    watch_vfs_free(vfs);
}

Test(sharing, the_charters_suggestion_is_applied_as_it_stands) {
    static const char charter[] =
        "{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\"}],\"suggested_policy\":"
        "{\"audiences\":[{\"name\":\"hub\",\"members\":[\"@hub\"],\"services\":[\"*\"],"
        "\"precision\":\"band\"}]}}";
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    struct sharing_apply what = {.suggested = true};
    world_init(&w, charter);
    world_add(&w, "A", ROLE_PROVIDER, NULL);
    RUN_OK(sharing_apply(w.agents[A].agent, &what, w.now_ms, &answer, &e));
    IS(answer, "policy/audiences/0/members", "[\"@hub\"]");
    IS(answer, "warnings", "[]");
    json_decref(answer);
    world_done(&w);
    three(&w);
    RUN_FAILS(sharing_apply(w.agents[A].agent, &what, w.now_ms, &answer, &e), ERR_NOT_FOUND);
    world_done(&w);
}

/* ---- check ---- */

static bool finds(struct world *w, const char *code, const char *subject) {
    struct error e = {0};
    json_t *answer = NULL, *finding;
    size_t i;
    bool found = false;
    RUN_OK(sharing_check(w->agents[A].agent, w->now_ms, &answer, &e));
    json_array_foreach(json_object_get(answer, "findings"), i, finding) {
        const char *c = json_string_value(json_object_get(finding, "code"));
        const char *s = json_string_value(json_object_get(finding, "subject"));
        found |= strcmp(c, code) == 0 && strcmp(s, subject) == 0;
    }
    json_decref(answer);
    return found;
}

Test(sharing, check_finds_what_stands_in_the_way) {
    struct world w;
    three(&w);
    json_decref(applied(
        &w, "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"A\"],\"services\":[\"care\"],"
            "\"precision\":\"exact\"},{\"name\":\"none\",\"members\":[],\"services\":[\"*\"],"
            "\"precision\":\"exact\"}]}"));
    cr_assert(finds(&w, "unapproved", "B"));
    cr_assert(finds(&w, "self", "A"));
    cr_assert(finds(&w, "empty", "none"));
    cr_assert(finds(&w, "unshared", "bed"));
    cr_assert(finds(&w, "left-out", "C"));
    world_approve(&w, A, "B");
    cr_assert_not(finds(&w, "unapproved", "B"));
    world_member_event(&w, B, ENTRY_HUB_SUSPENDED);
    world_feed(&w, A);
    cr_assert(finds(&w, "suspended", "B"));
    world_member_event(&w, B, ENTRY_HUB_REMOVED);
    world_feed(&w, A);
    cr_assert(finds(&w, "removed", "B"));
    struct error e = {0};
    struct buf charter;
    buf_init(&charter, ENTRY_MAX_BYTES);
    RUN_OK(event_charter(
        2, bytes_str("{\"format\":1,\"services\":[{\"code\":\"bed\",\"unit\":\"bed\"}]}"), &charter,
        &e));
    world_hub_entry(&w, ENTRY_HUB_CHARTER, buf_bytes(&charter));
    world_feed(&w, A);
    cr_assert(finds(&w, "service-gone", "care"));
    buf_done(&charter);
    world_reopen(&w, A, NULL);
    cr_assert(finds(&w, "service-gone", "care"), "an older policy still opens");
    world_done(&w);
}

/* ---- partners ---- */

Test(sharing, approving_compares_the_fingerprint) {
    struct world w;
    struct error e = {0};
    json_t *answer = NULL;
    char right[FINGERPRINT_SIZE], wrong[FINGERPRINT_SIZE];
    three(&w);
    struct agent *a = w.agents[A].agent;
    fingerprint_text(&w.agents[B].member, right);
    fingerprint_text(&w.agents[C].member, wrong);
    RUN_FAILS(sharing_approve(a, "B", wrong, "test", w.now_ms, &answer, &e), ERR_FINGERPRINT);
    cr_assert_not_null(strstr(e.detail, right), "%s", e.detail);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM partner"), 0);
    RUN_OK(sharing_approve(a, "b", right, "test", w.now_ms, &answer, &e));
    IS(answer, "approved", "true");
    IS(answer, "name", "\"B\"");
    IS(answer, "since", "\"2026-09-13T12:00:00Z\"");
    json_decref(answer);
    w.now_ms += WORLD_DAY;
    RUN_OK(sharing_approve(a, "B", NULL, "test", w.now_ms, &answer, &e));
    IS(answer, "since", "\"2026-09-13T12:00:00Z\"");
    json_decref(answer);
    RUN_OK(sharing_forget(a, "B", "test", w.now_ms, &answer, &e));
    IS(answer, "approved", "false");
    json_decref(answer);
    RUN_OK(sharing_approve(a, "@hub", NULL, "test", w.now_ms, &answer, &e));
    IS(answer, "approved", "true");
    json_decref(answer);
    RUN_FAILS(sharing_forget(a, "@hub", "test", w.now_ms, &answer, &e), ERR_USAGE);
    RUN_FAILS(sharing_approve(a, "A", NULL, "test", w.now_ms, &answer, &e), ERR_USAGE);
    RUN_FAILS(sharing_approve(a, "Nobody", NULL, "test", w.now_ms, &answer, &e),
              ERR_UNKNOWN_MEMBER);
    world_member_event(&w, C, ENTRY_HUB_REMOVED);
    world_feed(&w, A);
    RUN_FAILS(sharing_approve(a, "C", NULL, "test", w.now_ms, &answer, &e), ERR_REMOVED);
    world_done(&w);
}

Test(sharing, partners_are_listed_with_when_they_were_seen) {
    struct world w;
    struct error e = {0};
    json_t *list = NULL;
    three(&w);
    world_approve(&w, A, "B");
    world_policy(&w, A, POLICY("\"B\"", "exact"));
    world_set(&w, A, "bed", NULL, "free=1");
    world_settle(&w);
    RUN_OK(sharing_partners(w.agents[B].agent, &list, &e));
    cr_assert_eq(json_array_size(list), 2u);
    cr_assert_eq(json_object_size(json_array_get(list, 0)), 8u);
    IS(list, "0/name", "\"A\"");
    IS(list, "0/role", "\"provider\"");
    IS(list, "0/state", "\"admitted\"");
    IS(list, "0/last_seen", "\"2026-09-13T12:00:00Z\"");
    IS(list, "0/approved", "false");
    IS(list, "1/name", "\"C\"");
    IS(list, "1/role", "\"coordinator\"");
    IS(list, "1/last_seen", "null");
    json_decref(list);
    world_done(&w);
}

/* ---- status, routes ---- */

Test(sharing, the_status_says_how_the_agent_is) {
    struct world w;
    struct error e = {0};
    json_t *status = NULL;
    three(&w);
    struct agent *a = w.agents[A].agent;
    world_approve(&w, A, "B");
    world_set(&w, A, "bed", NULL, "free=1");
    json_decref(applied(&w, POLICY("\"B\"", "exact")));
    RUN_OK(status_json(a, w.now_ms, &status, &e));
    IS(status, "member", "\"A\"");
    IS(status, "network", "\"Testnet\"");
    IS(status, "hub",
       "{\"address\":\"ws://127.0.0.1:7535\",\"connected\":false,\"clock_offset_ms\":null}");
    IS(status, "feed", "{\"incarnation\":0,\"seq\":0,\"acked_seq\":0}");
    IS(status, "outbox", "{\"entries\":0,\"dirty_audiences\":1}");
    IS(status, "partners", "{\"known\":2,\"approved\":1}");
    IS(status, "alarms", "[]");
    IS(status, "policy_version", "1");
    IS(status, "refusals", "{}");
    json_decref(status);
    world_settle(&w);
    RUN_OK(status_json(a, w.now_ms, &status, &e));
    IS(status, "feed", "{\"incarnation\":1,\"seq\":1,\"acked_seq\":1}");
    IS(status, "outbox", "{\"entries\":0,\"dirty_audiences\":0}");
    json_decref(status);
    world_done(&w);
}

Test(sharing, an_agent_without_a_network_has_a_status_and_nothing_else) {
    struct world w;
    struct error e = {0};
    struct scratch scratch;
    char dir[PATH_MAX];
    struct agent *a = NULL;
    json_t *answer = NULL;
    world_init(&w, NULL);
    scratch_init(&scratch);
    scratch_path(&scratch, "agent", dir);
    RUN_OK(agent_init(dir, bytes_of(NULL, 0), &w.entropy, w.now_ms, &e));
    RUN_OK(agent_open(dir, NULL, &w.entropy, &a, &e));
    RUN_OK(status_json(a, w.now_ms, &answer, &e));
    IS(answer, "member", "null");
    IS(answer, "network", "null");
    IS(answer, "hub/address", "null");
    json_decref(answer);
    struct sharing_apply what = {.text = bytes_str("{\"audiences\":[]}")};
    RUN_FAILS(sharing_apply(a, &what, w.now_ms, &answer, &e), ERR_NOT_JOINED);
    RUN_FAILS(sharing_show(a, &answer, &e), ERR_NOT_JOINED);
    RUN_FAILS(sharing_check(a, w.now_ms, &answer, &e), ERR_NOT_JOINED);
    RUN_FAILS(sharing_partners(a, &answer, &e), ERR_NOT_JOINED);
    RUN_FAILS(sharing_approve(a, "B", NULL, "test", w.now_ms, &answer, &e), ERR_NOT_JOINED);
    RUN_FAILS(sharing_preview(a, "B", w.now_ms, &answer, &e), ERR_NOT_JOINED);
    agent_close(a);
    scratch_done(&scratch);
    world_done(&w);
}

static enum err call(struct agent *a, enum api_method method, const char *path, json_t *take_query,
                     json_t *take_body, json_t **ret) {
    size_t count = 0;
    const struct api_route *routes = sharing_routes(&count);
    struct api_request request = {.method = method,
                                  .path = path,
                                  .query = take_query,
                                  .body = take_body,
                                  .actor = "uid:7",
                                  .role = API_ADMIN,
                                  .now_ms = WORLD_NOW};
    enum err code = api_dispatch(routes, count, a, &request, ret);
    json_decref(take_query);
    json_decref(take_body);
    return code;
}

Test(sharing, the_routes_lead_there) {
    struct world w;
    json_t *answer = NULL;
    three(&w);
    struct agent *a = w.agents[A].agent;
    json_t *body = json_pack("{s:s, s:s}", "policy", POLICY("\"B\"", "exact"), "file", "mine.json");
    cr_assert_eq(call(a, API_POST, "/v1/policy", json_pack("{s:s}", "dry_run", "1"),
                      json_incref(body), &answer),
                 ERR_OK);
    json_decref(answer);
    cr_assert_eq(agent_policy_version(a), 0u);
    cr_assert_eq(call(a, API_POST, "/v1/policy", NULL, body, &answer), ERR_OK);
    json_decref(answer);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM policy WHERE actor = 'uid:7'"), 1);
    cr_assert_eq(call(a, API_POST, "/v1/policy", NULL,
                      json_pack("{s:s, s:s}", "policy", "[", "file", "mine.json"), &answer),
                 ERR_DATA);
    IS(answer, "error/file", "\"mine.json\"");
    json_decref(answer);
    cr_assert_eq(call(a, API_POST, "/v1/policy", NULL, json_pack("{s:i}", "policy", 3), &answer),
                 ERR_DATA);
    json_decref(answer);
    cr_assert_eq(call(a, API_POST, "/v1/policy", NULL, NULL, &answer), ERR_USAGE);
    json_decref(answer);
    /* A slip in the name of a member must not mean "for real". */
    cr_assert_eq(call(a, API_POST, "/v1/withdraw", NULL, json_pack("{s:b}", "dry-run", 1), &answer),
                 ERR_DATA);
    json_decref(answer);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM withdrawn"), 0);
    cr_assert_eq(call(a, API_POST, "/v1/partners/B/approve", NULL, NULL, &answer), ERR_OK);
    json_decref(answer);
    cr_assert_eq(call(a, API_POST, "/v1/partners/B/forget", NULL, NULL, &answer), ERR_OK);
    json_decref(answer);
    cr_assert_eq(call(a, API_GET, "/v1/policy/preview", NULL, NULL, &answer), ERR_USAGE);
    json_decref(answer);
    static const char *const paths[] = {"/v1/policy", "/v1/policy/check", "/v1/partners",
                                        "/v1/find",   "/v1/status",       "/v1/alarms"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cr_assert_eq(call(a, API_GET, paths[i], NULL, NULL, &answer), ERR_OK, "%s", paths[i]);
        json_decref(answer);
    }
    world_done(&w);
}
