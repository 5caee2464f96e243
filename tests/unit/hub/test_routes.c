/* Owns the tests of the hub's local API: what each route answers, refuses and leaves alone. */
#include <criterion/criterion.h>

#include "town.h"
#include "unit/access/gate.h"

static enum err post(struct town *t, const char *path, json_t *take_body, json_t **ret,
                     struct error *e) {
    json_t *unused = NULL;
    enum err err = town_call(t, API_POST, path, NULL, take_body, ret ? ret : &unused, e);
    json_decref(unused);
    return err;
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

Test(routes, status_of_a_new_hub) {
    struct town t;
    char fingerprint[FINGERPRINT_SIZE];
    town_init(&t, 1, NULL);
    json_t *status = town_get(&t, "/v1/status");
    cr_assert_str_eq(text_of(status, "name"), "Town");
    cr_assert_str_eq(text_of(status, "fingerprint"),
                     fingerprint_text(&hub_keys(t.hub)->pub, fingerprint));
    cr_assert_eq(json_integer_value(json_object_get(status, "charter_version")), 1);
    cr_assert_eq(json_integer_value(json_object_get(status, "log")), 2);
    cr_assert_eq(json_integer_value(json_object_get(status, "connected")), 0);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(status, "feed"), "seq")), 2);
    cr_assert_gt(json_integer_value(json_object_get(status, "database_bytes")), 4096);
    cr_assert_eq(json_object_size(json_object_get(status, "rejections")), 0);
    json_decref(status);
    town_done(&t);
}

Test(routes, rejections_of_the_shell_are_counted) {
    struct town t;
    town_init(&t, 2, NULL);
    hub_note_rejection(t.hub, ERR_SIGNATURE, t.now_ms);
    hub_note_rejection(t.hub, ERR_SIGNATURE, t.now_ms);
    for (int round = 0; round < 2; round++) {
        json_t *status = town_get(&t, "/v1/status");
        json_t *counts = json_object_get(status, "rejections");
        cr_assert_eq(json_integer_value(json_object_get(counts, "signature")), 2);
        json_decref(status);
        town_close(&t);
        town_open(&t);
    }
    town_done(&t);
}

Test(routes, members) {
    struct town t;
    struct person p, q;
    char hex[2 * KEY_LEN + 1], fingerprint[FINGERPRINT_SIZE];
    town_init(&t, 3, NULL);
    person_join(&t, &p, "Huis Noord", "provider");
    person_join(&t, &q, "Meldpunt", "coordinator");
    town_change(&t, "Meldpunt", "suspend");
    hub_note_session(t.hub, &p.agent.pub, true, t.now_ms);
    json_t *members = town_get(&t, "/v1/members");
    cr_assert_eq(json_array_size(members), 2);
    json_t *m = json_array_get(members, 0);
    hex_encode(hex, bytes_of(p.member.pub.b, KEY_LEN));
    cr_assert_str_eq(text_of(m, "name"), "Huis Noord");
    cr_assert_str_eq(text_of(m, "key"), hex);
    cr_assert_str_eq(text_of(m, "role"), "provider");
    cr_assert_str_eq(text_of(m, "state"), "admitted");
    cr_assert_str_eq(text_of(m, "fingerprint"), fingerprint_text(&p.member.pub, fingerprint));
    cr_assert(json_is_true(json_object_get(m, "connected")));
    cr_assert_str_eq(text_of(m, "last_seen"), "2025-11-21T14:00:00Z");
    m = json_array_get(members, 1);
    cr_assert_str_eq(text_of(m, "role"), "coordinator");
    cr_assert_str_eq(text_of(m, "state"), "suspended");
    cr_assert(json_is_null(json_object_get(m, "last_seen")));
    json_decref(members);
    town_done(&t);
}

Test(routes, standing_changes_only_where_it_can) {
    struct town t;
    struct person p;
    struct error e = {0};
    char uri[INVITE_URI_MAX], path[API_PATH_MAX], hex[2 * KEY_LEN + 1];
    json_t *answer = NULL;
    town_init(&t, 4, NULL);
    person_join(&t, &p, "Noord", "provider");
    uint64_t head = directory_head(hub_directory(t.hub)).seq;
    cr_assert_eq(post(&t, "/v1/members/Zuid/suspend", NULL, NULL, &e), ERR_UNKNOWN_MEMBER);
    cr_assert_eq(error_exit_status(e.code), 65);
    town_invite(&t, "Oost", "provider", uri);
    head++;
    cr_assert_eq(post(&t, "/v1/members/Oost/suspend", NULL, NULL, &e), ERR_UNKNOWN_MEMBER);
    cr_assert(strstr(e.detail, "not joined"), "%s", e.detail);
    cr_assert_eq(post(&t, "/v1/members/Noord/resume", NULL, NULL, &e), ERR_CONFLICT);
    cr_assert_eq(directory_head(hub_directory(t.hub)).seq, head);
    hex_encode(hex, bytes_of(p.member.pub.b, KEY_LEN));
    snprintf(path, sizeof path, "/v1/members/%s/suspend", hex);
    cr_assert_eq(
        post(&t, path, json_pack("{s:s}", "reason", "figures that do not add up"), &answer, &e),
        ERR_OK, "%s", e.detail);
    cr_assert_str_eq(text_of(answer, "name"), "Noord");
    cr_assert_str_eq(text_of(answer, "state"), "suspended");
    json_decref(answer);
    cr_assert_eq(post(&t, "/v1/members/Noord/suspend", NULL, NULL, &e), ERR_CONFLICT);
    town_change(&t, "Noord", "remove");
    cr_assert_eq(post(&t, "/v1/members/Noord/resume", NULL, NULL, &e), ERR_CONFLICT);
    cr_assert_eq(post(&t, "/v1/members/Noord/remove", NULL, NULL, &e), ERR_CONFLICT);
    cr_assert_eq(directory_head(hub_directory(t.hub)).seq, head + 2);
    town_done(&t);
}

Test(routes, bad_bodies_name_the_fault) {
    struct town t;
    struct person p;
    struct error e = {0};
    town_init(&t, 5, NULL);
    person_join(&t, &p, "Noord", "provider");
    cr_assert_eq(post(&t, "/v1/members/Noord/suspend", json_pack("{s:s}", "why", "x"), NULL, &e),
                 ERR_DATA);
    cr_assert_eq(post(&t, "/v1/invitations", NULL, NULL, &e), ERR_USAGE);
    cr_assert_eq(post(&t, "/v1/invitations", json_object(), NULL, &e), ERR_DATA);
    cr_assert_eq(post(&t, "/v1/invitations",
                      json_pack("{s:s, s:s}", "name", "Zuid", "role", "boss"), NULL, &e),
                 ERR_DATA);
    cr_assert_eq(post(&t, "/v1/invitations",
                      json_pack("{s:s, s:I}", "name", "Zuid", "expires_ms", (json_int_t)t.now_ms),
                      NULL, &e),
                 ERR_DATA);
    cr_assert_eq(post(&t, "/v1/invitations",
                      json_pack("{s:s, s:s}", "name", "Zuid", "address", "no address"), NULL, &e),
                 ERR_DATA);
    cr_assert_eq(post(&t, "/v1/invitations", json_pack("{s:s}", "name", "noord"), NULL, &e),
                 ERR_NAME_TAKEN);
    cr_assert_eq(directory_head(hub_directory(t.hub)).seq, 4, "nothing was written");
    town_done(&t);
}

/* ---- invitations ---- */

static void assert_address(struct town *t, const char *name, const char *expected) {
    struct error e = {0};
    struct invite invite;
    json_t *answer = NULL;
    cr_assert_eq(post(t, "/v1/invitations", json_pack("{s:s}", "name", name), &answer, &e), ERR_OK,
                 "%s", e.detail);
    cr_assert_eq(invite_parse(text_of(answer, "uri"), &invite, &e), ERR_OK);
    cr_assert_str_eq(invite.address, expected);
    cr_assert(key_equal(&invite.network, &hub_keys(t->hub)->pub));
    cr_assert_eq(invite.expires_ms, t->now_ms + 7 * 24 * TOWN_HOUR_MS);
    json_decref(answer);
}

static void reopen_with(struct town *t, const char *conf) {
    town_close(t);
    scratch_write(&t->scratch, "hub/hub.conf", conf);
    town_open(t);
}

/* The first one may be on its way to somebody. */
Test(routes, a_name_is_invited_again_only_when_asked_for) {
    struct town t;
    struct person p;
    struct error e = {0};
    char uri[INVITE_URI_MAX];
    town_init(&t, 12, NULL);
    town_invite(&t, "Zuid", "provider", uri);
    cr_assert_eq(post(&t, "/v1/invitations", json_pack("{s:s}", "name", "zuid"), NULL, &e),
                 ERR_CONFLICT);
    cr_assert(strstr(e.detail, "--again") && strstr(e.detail, "provider"), "%s", e.detail);
    cr_assert_eq(
        post(&t, "/v1/invitations", json_pack("{s:s, s:b}", "name", "zuid", "again", 1), NULL, &e),
        ERR_OK, "%s", e.detail);
    person_join(&t, &p, "Noord", "provider");
    cr_assert_eq(
        post(&t, "/v1/invitations", json_pack("{s:s, s:b}", "name", "Noord", "again", 1), NULL, &e),
        ERR_NAME_TAKEN, "a member is not invited again");
    town_done(&t);
}

Test(routes, invitations_name_an_address) {
    struct town t;
    struct error e = {0};
    town_init(&t, 6, NULL);
    assert_address(&t, "A", "ws://127.0.0.1:7535");
    reopen_with(&t, "listen = \"127.0.0.1:0\"\n");
    cr_assert_eq(post(&t, "/v1/invitations", json_pack("{s:s}", "name", "B"), NULL, &e), ERR_DATA);
    cr_assert(strstr(e.detail, "--address"), "%s", e.detail);
    hub_note_address(t.hub, "ws://127.0.0.1:34567");
    assert_address(&t, "B", "ws://127.0.0.1:34567");
    reopen_with(&t, "address = \"wss://hub.example:443\"\n");
    hub_note_address(t.hub, "ws://127.0.0.1:34567");
    assert_address(&t, "C", "wss://hub.example:443");
    reopen_with(&t, "tls.cert = \"/tmp/c\"\ntls.key = \"/tmp/k\"\n");
    assert_address(&t, "D", "wss://127.0.0.1:7535");
    town_done(&t);
}

/* The seed is in the URI and nowhere in the hub's directory. */
Test(routes, invitation_secret_is_not_kept) {
    struct town t;
    struct error e = {0};
    struct invite invite;
    char uri[INVITE_URI_MAX];
    static const char *const files[] = {"hub/hub.db", "hub/hub.conf", "hub/hub.key"};
    town_init(&t, 7, NULL);
    town_invite(&t, "Noord", "provider", uri);
    cr_assert_eq(invite_parse(uri, &invite, &e), ERR_OK);
    town_close(&t);
    for (size_t i = 0; i < 3; i++) {
        size_t len = 0;
        uint8_t *data = scratch_read(&t.scratch, files[i], &len);
        cr_assert(data);
        cr_assert_null(memmem(data, len, invite.seed, SEED_LEN));
        free(data);
    }
    town_done(&t);
}

/* ---- charter ---- */

static json_t *charter_body(const char *text) {
    return json_pack("{s:s, s:s}", "text", text, "file", "rules.json");
}

#define CHARTER(service)                                                                           \
    "{\"format\": 1, \"purpose\": \"beds\", \"k\": 3, \"time_zone\": \"Europe/Amsterdam\","        \
    " \"longest_validity\": \"7d\", \"keep_days\": 35, \"services\": [{\"code\": \"" service       \
    "\", \"label\": \"Bed\", \"definition\": \"One.\", \"unit\": \"bed\", \"validity\": "          \
    "\"24h\"}]}"

Test(routes, charter_show_and_publish) {
    struct town t;
    struct person p;
    struct circle c;
    struct draft d;
    struct buf plain;
    struct error e = {0};
    json_t *answer = NULL;
    town_init(&t, 8, CHARTER("bed"));
    person_join(&t, &p, "Noord", "provider");
    circle_new(&t, &c, &p);
    figures_encode(&t, "exact",
                   (struct figures[]){{.site = 1, .service = "bed", .free = known(4)},
                                      {.site = 2, .service = "bed", .free = known(4)}},
                   2, &plain);
    draft_init(&t, &d, &p);
    draft_grant_hub(&t, &d, &c);
    draft_state(&t, &d, &c, buf_bytes(&plain));
    person_publish(&t, &p, &d);
    buf_done(&plain);

    json_t *charter = town_get(&t, "/v1/charter");
    cr_assert_eq(json_integer_value(json_object_get(charter, "version")), 1);
    cr_assert_str_eq(text_of(json_array_get(json_object_get(charter, "services"), 0), "code"),
                     "bed");
    json_decref(charter);

    cr_assert_eq(post(&t, "/v1/charter", charter_body(CHARTER("bed")), &answer, &e), ERR_OK);
    cr_assert(json_is_false(json_object_get(answer, "changed")), "the same text is not news");
    cr_assert_eq(directory_charter_version(hub_directory(t.hub)), 1);
    json_decref(answer);

    cr_assert_eq(post(&t, "/v1/charter",
                      charter_body("{\"format\": 1, \"services\": [{\"code\": \"bed\","
                                   " \"unit\": \"bed\", \"decimals\": 1}]}"),
                      NULL, &e),
                 ERR_DATA, "figures that exist would be read by another scale");
    cr_assert_str_eq(e.file, "services[0].decimals", "%s", e.detail);
    cr_assert_eq(directory_charter_version(hub_directory(t.hub)), 1);

    cr_assert_eq(post(&t, "/v1/charter", charter_body(CHARTER("place")), &answer, &e), ERR_OK, "%s",
                 e.detail);
    cr_assert_eq(json_integer_value(json_object_get(answer, "version")), 2);
    json_t *dropped = json_object_get(answer, "dropped");
    cr_assert_eq(json_array_size(dropped), 1);
    cr_assert_str_eq(text_of(json_array_get(dropped, 0), "service"), "bed");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(dropped, 0), "lines")), 2);
    json_decref(answer);
    town_close(&t);
    town_open(&t);
    cr_assert_eq(directory_charter_version(hub_directory(t.hub)), 2);
    cr_assert(charter_service(directory_charter(hub_directory(t.hub)), "place"));
    town_done(&t);
}

Test(routes, bad_charters_change_nothing) {
    struct town t;
    struct error e = {0};
    town_init(&t, 9, NULL);
    cr_assert_eq(
        post(&t, "/v1/charter", charter_body("{\"format\": 1, \"services\": [}"), NULL, &e),
        ERR_DATA);
    cr_assert_str_eq(e.file, "rules.json");
    cr_assert_eq(e.line, 1);
    cr_assert_eq(post(&t, "/v1/charter", charter_body(CHARTER("Bad Code")), NULL, &e), ERR_DATA);
    cr_assert(strstr(e.file, "services[0]"), "found '%s'", e.file);
    cr_assert_eq(post(&t, "/v1/charter", json_pack("{s:s}", "file", "x"), NULL, &e), ERR_DATA);
    cr_assert_eq(directory_charter_version(hub_directory(t.hub)), 1);
    cr_assert_eq(directory_head(hub_directory(t.hub)).seq, 2);
    town_done(&t);
}

Test(routes, unknown_route) {
    struct town t;
    struct error e = {0};
    json_t *answer = NULL;
    town_init(&t, 10, NULL);
    cr_assert_eq(town_call(&t, API_GET, "/v1/nothing", NULL, NULL, &answer, &e), ERR_NOT_FOUND);
    cr_assert_eq(town_call(&t, API_GET, "/v1/invitations", NULL, NULL, &answer, &e), ERR_NOT_FOUND);
    town_done(&t);
}

Test(routes, every_route_has_its_role) {
    size_t count = 0;
    const struct api_route *routes = hub_routes(&count);
    gate_expect_roles(routes, count);
    gate_expect_refusals(routes, count);
}

/* Whose figures are current, expired, or never came. */
/* Found by fuzzing: a member's part of no pictures at all was reckoned from a null pointer. */
Test(routes, coverage_before_anybody_reported) {
    struct town t;
    struct person p;
    town_init(&t, 3, NULL);
    person_join(&t, &p, "Huis Noord", "provider");
    json_t *rows = town_get(&t, "/v1/coverage");
    cr_assert_eq(json_array_size(rows), 1);
    expect_row(rows, 0, "{\"member\":\"Huis Noord\",\"reported\":false,\"services\":{}}");
    json_decref(rows);
    town_done(&t);
}

Test(routes, coverage_by_member) {
    struct town t;
    struct person p, q;
    struct circle circle;
    town_init(&t, 3, NULL);
    person_join(&t, &p, "Huis Noord", "provider");
    person_join(&t, &q, "Huis Zuid", "provider");
    const struct figures two[] = {{.site = 1, .service = "bed", .free = known(3)},
                                  {.site = 2,
                                   .service = "bed",
                                   .free = known(1),
                                   .observed_ms = t.now_ms,
                                   .valid_until_ms = t.now_ms + TOWN_HOUR_MS}};
    person_share(&t, &p, &circle, "exact", two, 2);
    t.now_ms += 2 * TOWN_HOUR_MS;
    json_t *rows = town_get(&t, "/v1/coverage");
    cr_assert_eq(json_array_size(rows), 2);
    expect_row(rows, 0,
               "{\"member\":\"Huis Noord\",\"reported\":true,"
               "\"services\":{\"bed\":{\"current\":1,\"expired\":1}}}");
    expect_row(rows, 1, "{\"member\":\"Huis Zuid\",\"reported\":false,\"services\":{}}");
    json_decref(rows);
    town_change(&t, "Huis Zuid", "suspend");
    rows = town_get(&t, "/v1/coverage");
    cr_assert_eq(json_array_size(rows), 1);
    json_decref(rows);
    town_done(&t);
}

/* Figures are not entered at a hub: somebody with that role would look for a page in vain. */
Test(routes, nobody_becomes_an_editor_here) {
    struct town t;
    struct error e = {0};
    static const char *const paths[] = {"/v1/users", "/v1/tokens", "/v1/users/balie/role"};
    town_init(&t, 12, NULL);
    cr_assert_eq(
        post(&t, "/v1/users", json_pack("{s:s, s:s}", "name", "balie", "role", "viewer"), NULL, &e),
        ERR_OK, "%s", e.detail);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        json_t *body = i < 2 ? json_pack("{s:s, s:s}", "name", "nacht", "role", "editor")
                             : json_pack("{s:s}", "role", "editor");
        cr_assert_eq(post(&t, paths[i], body, NULL, &e), ERR_DATA, "%s", paths[i]);
        cr_assert_str_eq(e.detail, "found 'editor', which is for agents: figures are not entered "
                                   "at a hub; expected viewer or admin");
        cr_assert_str_eq(e.file, "role");
    }
    json_t *users = town_get(&t, "/v1/users");
    cr_assert_eq(json_array_size(users), 1);
    cr_assert_str_eq(text_of(json_array_get(users, 0), "role"), "viewer");
    json_decref(users);
    town_done(&t);
}
