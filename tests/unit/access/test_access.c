/* Tests of log-in, sessions, links, tokens and roles over a real database. */
#include "gate.h"

static struct gate gate;

static void setup(void) {
    gate_init(&gate);
}
static void teardown(void) {
    gate_done(&gate);
}
TestSuite(access, .init = setup, .fini = teardown);

static enum err get(struct access_caller *c, const char *path) {
    return gate_call(&gate, c, API_GET, path, NULL, NULL);
}

static enum err post(struct access_caller *c, const char *path, const char *body) {
    return gate_call(&gate, c, API_POST, path, body, NULL);
}

Test(access, a_link_gives_a_password_once) {
    char token[ACCESS_SECRET_SIZE];
    struct access_caller balie = {.local = false};
    gate_add_user(&gate, "balie", "editor", token);
    cr_assert_eq(gate_log_in(&gate, &balie, "balie", ""), ERR_DATA);
    cr_assert_eq(gate_log_in(&gate, &balie, "balie", GATE_PASSWORD), ERR_CREDENTIALS);
    cr_assert_eq(gate_use_link(&gate, &balie, token, "kort"), ERR_PASSWORD);
    cr_assert_eq(gate_use_link(&gate, &balie, token, GATE_PASSWORD), ERR_OK);
    gate_adopt(&balie);
    cr_assert_eq(get(&balie, "/v1/me"), ERR_OK);
    struct access_caller other = {.local = false};
    cr_assert_eq(gate_use_link(&gate, &other, token, GATE_PASSWORD), ERR_INVITE_USED);
    cr_assert_eq(gate_use_link(&gate, &other, "niets", GATE_PASSWORD), ERR_INVITE_UNKNOWN);
    cr_assert_eq(gate_log_in(&gate, &other, "BALIE", GATE_PASSWORD), ERR_OK);
}

Test(access, a_link_expires) {
    char token[ACCESS_SECRET_SIZE];
    struct access_caller balie = {.local = false};
    gate_add_user(&gate, "balie", "viewer", token);
    gate.now_ms += ACCESS_LINK_MS;
    cr_assert_eq(gate_use_link(&gate, &balie, token, GATE_PASSWORD), ERR_INVITE_EXPIRED);
}

Test(access, secrets_stand_in_the_database_as_hashes_only) {
    char token[ACCESS_SECRET_SIZE];
    struct access_caller balie = {.local = false};
    size_t len = 0;
    gate_add_user(&gate, "balie", "admin", token);
    cr_assert_eq(gate_use_link(&gate, &balie, token, GATE_PASSWORD), ERR_OK);
    gate_adopt(&balie);
    static const char *const files[] = {"gate.db", "gate.db-wal"};
    for (size_t i = 0; i < 2; i++) {
        uint8_t *bytes = scratch_read(&gate.scratch, files[i], &len);
        const char *const secrets[] = {token, balie.session, GATE_PASSWORD};
        for (size_t k = 0; bytes && k < 3; k++)
            cr_expect_null(memmem(bytes, len, secrets[k], strlen(secrets[k])), "%s", files[i]);
        free(bytes);
    }
}

Test(access, me_says_who_and_strangers_are_nobody) {
    struct access_caller balie = {.local = false}, nobody = {.local = false};
    json_t *me = NULL;
    cr_assert_eq(get(&nobody, "/v1/me"), ERR_LOGIN);
    gate_enter(&gate, &balie, "balie", "editor");
    cr_assert_eq(gate_call(&gate, &balie, API_GET, "/v1/me", NULL, &me), ERR_OK);
    json_t *expected = json_pack("{s:s, s:s, s:s, s:s, s:s}", "user", "balie", "role", "editor",
                                 "csrf", balie.csrf, "member", "Haven", "network", "Noord");
    cr_assert(json_equal(me, expected), "%s", json_dumps(me, 0));
    json_decref(me);
    json_decref(expected);
    cr_assert_eq(get(&balie, "/v1/users"), ERR_PERMISSION);
}

Test(access, changes_need_the_pages_own_token) {
    struct access_caller balie = {.local = false}, forged;
    gate_enter(&gate, &balie, "balie", "admin");
    static const char body[] = "{\"name\":\"piet\",\"role\":\"viewer\"}";
    forged = balie;
    forged.csrf[0] = '\0';
    cr_assert_eq(post(&forged, "/v1/users", body), ERR_CSRF);
    cr_assert_eq(get(&forged, "/v1/users"), ERR_OK);
    forged = balie;
    forged.csrf[5] = (char)(forged.csrf[5] == 'A' ? 'B' : 'A');
    cr_assert_eq(post(&forged, "/v1/users", body), ERR_CSRF);
    forged = balie;
    forged.foreign = true;
    cr_assert_eq(post(&forged, "/v1/users", body), ERR_CSRF);
    cr_assert_eq(gate_log_in(&gate, &forged, "balie", GATE_PASSWORD), ERR_CSRF);
    forged.foreign = false;
    forged.csrf[0] = '\0';
    cr_assert_eq(gate_log_in(&gate, &forged, "balie", GATE_PASSWORD), ERR_OK,
                 "a log-in needs none");
    cr_assert_eq(post(&balie, "/v1/users", body), ERR_OK);
}

Test(access, sessions_end_by_time) {
    struct access_caller balie = {.local = false};
    gate_enter(&gate, &balie, "balie", "viewer");
    for (int i = 0; i < 5; i++) { /* used now and then, it lives on */
        gate.now_ms += ACCESS_IDLE_MS - 1;
        cr_assert_eq(get(&balie, "/v1/me"), ERR_OK, "%d", i);
    }
    balie.idle = true;
    gate.now_ms += ACCESS_IDLE_MS - 1;
    cr_assert_eq(get(&balie, "/v1/me"), ERR_OK);
    gate.now_ms += 1;
    cr_assert_eq(get(&balie, "/v1/me"), ERR_LOGIN, "a screen that nobody is at does not keep it");
    cr_assert(access_session_alive(0, ACCESS_SESSION_MS - 2, ACCESS_SESSION_MS - 1));
    cr_assert_not(access_session_alive(0, ACCESS_SESSION_MS - 1, ACCESS_SESSION_MS));
}

Test(access, logging_out_ends_one_session) {
    struct access_caller balie = {.local = false}, phone = {.local = false};
    gate_enter(&gate, &balie, "balie", "viewer");
    cr_assert_eq(gate_log_in(&gate, &phone, "balie", GATE_PASSWORD), ERR_OK);
    gate_adopt(&phone);
    cr_assert_eq(post(&balie, "/v1/logout", "{}"), ERR_OK);
    cr_assert(balie.end_session);
    cr_assert_eq(get(&balie, "/v1/me"), ERR_LOGIN);
    cr_assert_eq(get(&phone, "/v1/me"), ERR_OK);
}

Test(access, a_new_password_ends_all_other_sessions) {
    struct access_caller balie = {.local = false}, phone = {.local = false};
    gate_enter(&gate, &balie, "balie", "viewer");
    cr_assert_eq(gate_log_in(&gate, &phone, "balie", GATE_PASSWORD), ERR_OK);
    gate_adopt(&phone);
    cr_assert_eq(post(&balie, "/v1/password", "{\"old\":\"niet deze\",\"new\":\"een andere zin\"}"),
                 ERR_CREDENTIALS);
    cr_assert_eq(
        post(&balie, "/v1/password", "{\"old\":\"" GATE_PASSWORD "\",\"new\":\"een andere zin\"}"),
        ERR_OK);
    struct access_caller before = balie;
    gate_adopt(&balie);
    cr_assert_eq(get(&phone, "/v1/me"), ERR_LOGIN);
    cr_assert_eq(get(&before, "/v1/me"), ERR_LOGIN);
    cr_assert_eq(get(&balie, "/v1/me"), ERR_OK);
    cr_assert_eq(gate_log_in(&gate, &phone, "balie", GATE_PASSWORD), ERR_CREDENTIALS);
    cr_assert_eq(gate_log_in(&gate, &phone, "balie", "een andere zin"), ERR_OK);
}

Test(access, reset_and_removal_end_what_the_user_had) {
    struct access_caller balie = {.local = false}, piet = {.local = false}, local = {.local = true};
    gate_enter(&gate, &balie, "balie", "viewer");
    gate_enter(&gate, &piet, "piet", "viewer");
    cr_assert_eq(post(&local, "/v1/users/balie/reset", "{}"), ERR_OK);
    cr_assert_eq(get(&balie, "/v1/me"), ERR_LOGIN);
    cr_assert_eq(gate_log_in(&gate, &balie, "balie", GATE_PASSWORD), ERR_CREDENTIALS);
    cr_assert_eq(gate_call(&gate, &local, API_DELETE, "/v1/users/piet", NULL, NULL), ERR_OK);
    cr_assert_eq(get(&piet, "/v1/me"), ERR_LOGIN);
    cr_assert_eq(gate_call(&gate, &local, API_DELETE, "/v1/users/piet", NULL, NULL), ERR_NOT_FOUND);
}

Test(access, roles_change_at_once_and_not_ones_own) {
    struct access_caller balie = {.local = false}, piet = {.local = false};
    gate_enter(&gate, &balie, "balie", "admin");
    gate_enter(&gate, &piet, "piet", "admin");
    cr_assert_eq(post(&balie, "/v1/users/piet/role", "{\"role\":\"viewer\"}"), ERR_OK);
    cr_assert_eq(get(&piet, "/v1/users"), ERR_PERMISSION);
    cr_assert_eq(post(&balie, "/v1/users/balie/role", "{\"role\":\"viewer\"}"), ERR_CONFLICT);
    cr_assert_eq(gate_call(&gate, &balie, API_DELETE, "/v1/users/balie", NULL, NULL), ERR_CONFLICT);
    cr_assert_eq(post(&balie, "/v1/users/piet/role", "{\"role\":\"koning\"}"), ERR_DATA);
}

Test(access, tokens_act_by_their_role_until_they_go) {
    struct access_caller local = {.local = true}, program = {.local = false};
    json_t *made = NULL, *list = NULL;
    cr_assert_eq(gate_call(&gate, &local, API_POST, "/v1/tokens",
                           "{\"name\":\"epd\",\"role\":\"viewer\"}", &made),
                 ERR_OK);
    const char *token = json_string_value(json_object_get(made, "token"));
    cr_assert_eq(strncmp(token, ACCESS_TOKEN_PREFIX, strlen(ACCESS_TOKEN_PREFIX)), 0);
    snprintf(program.bearer, sizeof program.bearer, "%s", token);
    cr_assert_eq(get(&program, "/v1/me"), ERR_OK);
    cr_assert_str_eq(program.actor, "token:epd");
    cr_assert_eq(get(&program, "/v1/tokens"), ERR_PERMISSION);
    cr_assert_eq(gate_call(&gate, &local, API_GET, "/v1/tokens", NULL, &list), ERR_OK);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "last_used_at")),
                     "2025-11-21T14:00:00Z");
    cr_assert_eq(post(&local, "/v1/tokens", "{\"name\":\"EPD\",\"role\":\"viewer\"}"),
                 ERR_CONFLICT);
    cr_assert_eq(gate_call(&gate, &local, API_DELETE, "/v1/tokens/epd", NULL, NULL), ERR_OK);
    cr_assert_eq(get(&program, "/v1/me"), ERR_CREDENTIALS);
    json_decref(made);
    json_decref(list);
}

Test(access, failures_slow_down_and_say_for_how_long) {
    struct access_caller balie = {.local = false}, thief = {.address = "192.0.2.66"};
    json_t *answer = NULL;
    gate_enter(&gate, &balie, "balie", "viewer");
    for (int i = 0; i < THROTTLE_FREE + 1; i++)
        cr_assert_eq(gate_log_in(&gate, &thief, "balie", "raden maar weer"), ERR_CREDENTIALS, "%d",
                     i);
    cr_assert_eq(gate_call(&gate, &thief, API_POST, "/v1/login",
                           "{\"user\":\"balie\",\"password\":\"" GATE_PASSWORD "\"}", &answer),
                 ERR_RATE);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(answer, "error"), "retry_ms")),
                 THROTTLE_FIRST_MS);
    json_decref(answer);
    /* neither another name there, nor the same name elsewhere, goes around it */
    cr_assert_eq(gate_log_in(&gate, &thief, "piet", "raden maar weer"), ERR_RATE);
    struct access_caller elsewhere = {.address = "198.51.100.7"};
    cr_assert_eq(gate_log_in(&gate, &elsewhere, "Balie", "raden maar weer"), ERR_RATE);
    cr_assert_eq(gate_log_in(&gate, &elsewhere, "piet", "raden maar weer"), ERR_CREDENTIALS);
    cr_assert_eq(get(&balie, "/v1/me"), ERR_OK, "who is in stays in");
    gate.now_ms += THROTTLE_FIRST_MS;
    cr_assert_eq(gate_log_in(&gate, &thief, "balie", GATE_PASSWORD), ERR_OK);
}

/* Whoever has one address of an IPv6 network has all 2^64 of them. */
Test(access, failures_of_one_ipv6_network_count_together) {
    struct access_caller near = {.address = "2001:db8:1:2::ffff"},
                         far = {.address = "2001:db8:1:3::1"};
    for (int i = 0; i < THROTTLE_FREE + 1; i++) {
        struct access_caller thief = {.local = false};
        char user[16];
        snprintf(thief.address, sizeof thief.address, "2001:db8:1:2::%d", i + 1);
        snprintf(user, sizeof user, "user%d", i);
        cr_assert_eq(gate_log_in(&gate, &thief, user, "raden maar weer"), ERR_CREDENTIALS, "%d", i);
    }
    cr_assert_eq(gate_log_in(&gate, &near, "piet", "raden maar weer"), ERR_RATE);
    cr_assert_eq(gate_log_in(&gate, &far, "piet", "raden maar weer"), ERR_CREDENTIALS);
}

/* Many tries at once: each counts when it begins, not when its hash is done. */
Test(access, tries_under_way_count) {
    size_t count = 0;
    const struct api_route *routes = access_routes(&count);
    int begun = 0;
    for (int i = 0; i < 3 * THROTTLE_FREE; i++) {
        struct access_caller c = {.address = "192.0.2.66"};
        struct api_request r = {
            .method = API_POST, .path = "/v1/login", .now_ms = gate.now_ms, .caller = &c};
        json_t *answer = NULL;
        r.body = json_pack("{s:s, s:s}", "user", "balie", "password", "raden");
        enum err err = access_dispatch(gate.access, routes, count, NULL, &r, &answer);
        begun += err == ERR_OK && c.work.wanted;
        json_decref(answer);
        json_decref(r.body);
    }
    cr_assert_eq(begun, THROTTLE_FREE + 1);
}

Test(access, passwords_do_not_travel_in_the_clear) {
    struct access_caller balie = {.open = true};
    cr_assert_eq(gate_log_in(&gate, &balie, "balie", GATE_PASSWORD), ERR_PERMISSION);
    cr_assert_eq(gate_use_link(&gate, &balie, "x", GATE_PASSWORD), ERR_PERMISSION);
}

Test(access, one_user_has_so_many_sessions) {
    struct access_caller first = {.local = false}, next = {.local = false};
    gate_enter(&gate, &first, "balie", "viewer");
    for (int i = 0; i < USERS_SESSIONS; i++) {
        gate.now_ms++;
        cr_assert_eq(gate_log_in(&gate, &next, "balie", GATE_PASSWORD), ERR_OK);
        gate_adopt(&next);
    }
    cr_assert_eq(get(&first, "/v1/me"), ERR_LOGIN);
    cr_assert_eq(get(&next, "/v1/me"), ERR_OK);
}

Test(access, so_many_users_and_no_more) {
    struct access_caller here = {.local = true};
    struct error e = {0};
    char body[64];
    cr_assert_eq(db_begin(gate.db, &e), ERR_OK); /* one commit for all, for the test's sake */
    for (int i = 0; i < USERS_MAX; i++) {
        snprintf(body, sizeof body, "{\"name\":\"u%d\",\"role\":\"viewer\"}", i);
        cr_assert_eq(post(&here, "/v1/users", body), ERR_OK, "%d", i);
    }
    cr_assert_eq(db_commit(gate.db, &e), ERR_OK);
    snprintf(body, sizeof body, "{\"name\":\"late\",\"role\":\"viewer\"}");
    cr_assert_eq(post(&here, "/v1/users", body), ERR_CAP);
    cr_assert_eq(gate_call(&gate, &here, API_DELETE, "/v1/users/u7", NULL, NULL), ERR_OK);
    cr_assert_eq(post(&here, "/v1/users", body), ERR_OK);
}

Test(access, names_are_checked) {
    static const char *const bad[] = {"", "a b", "a/b", "a:b", "'", "\x01", "{x}"};
    char longer[USERS_NAME_MAX + 2];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(access_check_name(bad[i], NULL), ERR_DATA, "%s", bad[i]);
    cr_expect_eq(access_check_name(longer, NULL), ERR_DATA);
    cr_expect_eq(access_check_name("j.de-vries@haven_1+", NULL), ERR_OK);
    cr_expect_eq(access_check_name("Ren\xC3\xA9", NULL), ERR_OK);
}

Test(access, every_route_has_its_role) {
    size_t count = 0;
    const struct api_route *routes = access_routes(&count);
    gate_expect_roles(routes, count);
    gate_expect_refusals(routes, count);
}
