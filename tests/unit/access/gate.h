/* Owns an access over a database of its own for tests, calls of its routes, and what must hold for
 * every table of routes. Same seed, same secrets. */
#ifndef PLEK_TEST_GATE_H
#define PLEK_TEST_GATE_H

#include <criterion/criterion.h>

#include "access.h"
#include "unit/db/scratch.h"

#define GATE_PASSWORD "een zin van woorden"
#define GATE_NOW INT64_C(1763733600000)

static const char *const gate_migrations[] = {USERS_SCHEMA};
static const struct db_schema gate_schema = {
    .application_id = 0x67617465u, .migrations = gate_migrations, .count = 1};
static const struct db_statement gate_statements[] = {
#define SQL(name, text) {#name, text},
#include "users_sql.def"
#undef SQL
};

struct gate {
    struct scratch scratch;
    struct db *db;
    struct access *access;
    uint64_t seed;
    int64_t now_ms;
};

static inline void gate_fill(void *ctx, void *out, size_t len) {
    struct gate *g = ctx;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        g->seed = g->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        bytes[i] = (uint8_t)(g->seed >> 56);
    }
}

static inline void gate_describe(void *ctx, const char **ret_member, const char **ret_network) {
    (void)ctx;
    *ret_member = "Haven";
    *ret_network = "Noord";
}

static inline void gate_init(struct gate *g) {
    char path[PATH_MAX];
    struct error e = {0};
    *g = (struct gate){.seed = 7, .now_ms = GATE_NOW};
    scratch_init(&g->scratch);
    cr_assert_eq(keys_init(&e), ERR_OK);
    cr_assert_eq(db_open(scratch_path(&g->scratch, "gate.db", path), NULL, &gate_schema,
                         gate_statements, sizeof gate_statements / sizeof gate_statements[0],
                         &g->db, &e),
                 ERR_OK, "%s", e.detail);
    struct access_config config = {
        .users = {g->db, 0}, .entropy = {gate_fill, g}, .describe = gate_describe, .editors = true};
    g->access = access_new(&config);
    cr_assert(g->access);
    access_set_url(g->access, "https://plek.test");
}

static inline void gate_done(struct gate *g) {
    access_free(g->access);
    db_close(g->db);
    scratch_done(&g->scratch);
}

/* A call from elsewhere; `caller` says what it brings and gets what it takes back. */
static inline enum err gate_call(struct gate *g, struct access_caller *caller,
                                 enum api_method method, const char *path, const char *body,
                                 json_t **ret) {
    size_t count = 0;
    const struct api_route *routes = access_routes(&count);
    struct api_request r = {.method = method,
                            .path = path,
                            .body = body ? json_loads(body, 0, NULL) : NULL,
                            .now_ms = g->now_ms,
                            .caller = caller};
    json_t *answer = NULL;
    caller->work = (struct password_work){.wanted = false};
    caller->new_session[0] = '\0';
    caller->end_session = false;
    if (!caller->address[0])
        snprintf(caller->address, sizeof caller->address, "192.0.2.1");
    if (caller->local)
        r.role = API_ADMIN, r.actor = "uid:1000";
    enum err err = access_call(g->access, routes, count, NULL, &r, &answer);
    json_decref(r.body);
    if (ret)
        *ret = answer;
    else
        json_decref(answer);
    return err;
}

/* The next request of whoever got this session. */
static inline void gate_adopt(struct access_caller *caller) {
    snprintf(caller->session, sizeof caller->session, "%s", caller->new_session);
    access_csrf(caller->session, caller->csrf);
}

/* From this machine: a new user's one-time token. */
static inline void gate_add_user(struct gate *g, const char *name, const char *role,
                                 char token[static ACCESS_SECRET_SIZE]) {
    struct access_caller local = {.local = true};
    char body[128];
    json_t *answer = NULL;
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"role\":\"%s\"}", name, role);
    cr_assert_eq(gate_call(g, &local, API_POST, "/v1/users", body, &answer), ERR_OK);
    snprintf(token, ACCESS_SECRET_SIZE, "%s", json_string_value(json_object_get(answer, "invite")));
    json_decref(answer);
}

static inline enum err gate_use_link(struct gate *g, struct access_caller *caller,
                                     const char *token, const char *password) {
    char body[256];
    snprintf(body, sizeof body, "{\"token\":\"%s\",\"password\":\"%s\"}", token, password);
    return gate_call(g, caller, API_POST, "/v1/invite", body, NULL);
}

static inline enum err gate_log_in(struct gate *g, struct access_caller *caller, const char *user,
                                   const char *password) {
    char body[256];
    snprintf(body, sizeof body, "{\"user\":\"%s\",\"password\":\"%s\"}", user, password);
    return gate_call(g, caller, API_POST, "/v1/login", body, NULL);
}

/* A user with GATE_PASSWORD, logged in. */
static inline void gate_enter(struct gate *g, struct access_caller *caller, const char *name,
                              const char *role) {
    char token[ACCESS_SECRET_SIZE];
    gate_add_user(g, name, role, token);
    cr_assert_eq(gate_use_link(g, caller, token, GATE_PASSWORD), ERR_OK);
    gate_adopt(caller);
}

/* What strangers may use, what any user may change; everything else that writes is for editors. */
static inline void gate_expect_roles(const struct api_route *routes, size_t count) {
    static const char *const open[] = {"/v1/me", "/v1/login", "/v1/invite", "/v1/public/aggregate"};
    static const char *const own[] = {"/v1/logout", "/v1/password"};
    for (size_t i = 0; i < count; i++) {
        const struct api_route *r = &routes[i];
        bool is_open = false, is_own = false;
        for (size_t k = 0; k < sizeof open / sizeof open[0]; k++)
            is_open |= api_same_path(r->pattern, open[k]);
        for (size_t k = 0; k < sizeof own / sizeof own[0]; k++)
            is_own |= strcmp(r->pattern, own[k]) == 0;
        enum api_role least = is_open                          ? API_STRANGER
                              : is_own || r->method == API_GET ? API_VIEWER
                                                               : API_EDITOR;
        cr_expect_geq(r->least, least, "%s %s is for a %s", api_method_name(r->method), r->pattern,
                      api_role_name(r->least));
        cr_expect_leq(r->least, API_ADMIN);
    }
}

/* Every route that writes, asked for by a viewer and by nobody: none is carried out. */
static inline void gate_expect_refusals(const struct api_route *routes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (int role = API_STRANGER; role <= API_VIEWER; role++) {
            char path[API_PATH_MAX];
            struct api_request r = {.method = routes[i].method, .actor = "user:kijker"};
            json_t *answer = NULL;
            size_t n = 0;
            for (const char *p = routes[i].pattern; *p && *p != '?'; p++) {
                path[n++] = *p == '{' ? 'x' : *p;
                p += *p == '{' ? strcspn(p, "}") : 0;
            }
            path[n] = '\0';
            r.path = path;
            r.role = (enum api_role)role;
            if (r.role >= routes[i].least || (role == API_VIEWER && r.method == API_GET))
                continue;
            cr_expect_eq(api_dispatch(&routes[i], 1, NULL, &r, &answer),
                         role == API_STRANGER ? ERR_LOGIN : ERR_PERMISSION, "%s %s",
                         api_method_name(r.method), path);
            json_decref(answer);
        }
    }
}

#endif
