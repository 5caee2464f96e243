/* Owns the proof that each writing route of the agent's local API, and so each exit 0 of a command
 * that goes through one, answers after the sync of its commit, and that it would not with
 * synchronous=OFF. A writing route that is not tried here fails the test. */
#include <string.h>

#include "logins.h"
#include "unit/agent/world.h"
#include "vfs/watch_vfs.h"

struct attempt {
    enum api_method method;
    const char *pattern, *path, *body;
};

static const struct attempt attempts[] = {
    {API_POST, "/v1/sites", "/v1/sites", "{\"name\":\"Annex\"}"},
    {API_PUT, "/v1/sites/{name}", "/v1/sites/Annex", "{\"phone\":\"020-1234\"}"},
    {API_PUT, "/v1/sites", NULL, "{\"phone\":\"020-1235\"}"},
    {API_POST, "/v1/lines", "/v1/lines",
     "{\"service\":\"bed\",\"site\":\"Annex\",\"set\":{\"free\":\"3\"}}"},
    {API_POST, "/v1/confirm", "/v1/confirm", "{\"all\":true}"},
    {API_POST, "/v1/undo", "/v1/undo", "{\"service\":\"bed\",\"site\":\"Annex\"}"},
    {API_POST, "/v1/import", "/v1/import",
     "{\"text\":\"ward,free\\nnorth,2\\n\",\"site\":\"Annex\",\"profile\":\"{\\\"format\\\":1,"
     "\\\"service\\\":\\\"bed\\\",\\\"ward\\\":{\\\"column\\\":\\\"ward\\\"},"
     "\\\"columns\\\":{\\\"free\\\":\\\"free\\\"}}\"}"},
    {API_POST, "/v1/places", "/v1/places",
     "{\"service\":\"bed\",\"site\":\"Annex\",\"ward\":\"cots\",\"code\":\"K1\"}"},
    {API_PUT, "/v1/places", "/v1/places",
     "{\"service\":\"bed\",\"site\":\"Annex\",\"ward\":\"cots\",\"code\":\"K1\","
     "\"set\":{\"state\":\"occupied\"}}"},
    {API_DELETE, "/v1/places", "/v1/places",
     "{\"service\":\"bed\",\"site\":\"Annex\",\"ward\":\"cots\",\"code\":\"K1\"}"},
    {API_POST, "/v1/policy", "/v1/policy",
     "{\"policy\":\"{\\\"audiences\\\":[{\\\"name\\\":\\\"all\\\",\\\"members\\\":[\\\"@hub\\\"],"
     "\\\"services\\\":[\\\"*\\\"],\\\"precision\\\":\\\"exact\\\"}]}\"}"},
    {API_POST, "/v1/pause", "/v1/pause", "{\"audience\":\"all\"}"},
    {API_POST, "/v1/withdraw", "/v1/withdraw", "{\"audience\":\"all\"}"},
    {API_POST, "/v1/keys/renew", "/v1/keys/renew", "{}"},
    {API_POST, "/v1/partners/{name}/approve", "/v1/partners/West/approve", "{}"},
    {API_POST, "/v1/partners/{name}/refuse", "/v1/partners/West/refuse", "{}"},
    {API_POST, "/v1/partners/{name}/forget", "/v1/partners/West/forget", "{}"},
    {API_POST, "/v1/users", "/v1/users", "{\"name\":\"balie\",\"role\":\"viewer\"}"},
    {API_POST, "/v1/users/{name}/role", "/v1/users/balie/role", "{\"role\":\"editor\"}"},
    {API_POST, "/v1/users/{name}/reset", "/v1/users/balie/reset", "{}"},
    {API_DELETE, "/v1/users/{name}", "/v1/users/balie", "{}"},
    {API_POST, "/v1/tokens", "/v1/tokens", "{\"name\":\"epd\",\"role\":\"viewer\"}"},
    {API_DELETE, "/v1/tokens/{name}", "/v1/tokens/epd", "{}"},
};
#define ATTEMPTS (sizeof attempts / sizeof attempts[0])

/* Pieces of a table are kept aside and promise nothing; its commit does, and is tried below. */
static const struct attempt staged[] = {
    {API_POST, "/v1/imports", NULL, NULL},
    {API_PUT, "/v1/imports/{id}", NULL, NULL},
    {API_POST, "/v1/imports/{id}/commit", NULL, NULL},
    {API_DELETE, "/v1/imports/{id}", NULL, NULL},
    /* logins.h */
    {API_POST, "/v1/invite", NULL, NULL},
    {API_POST, "/v1/login", NULL, NULL},
    {API_POST, "/v1/password", NULL, NULL},
    {API_POST, "/v1/logout", NULL, NULL},
};
#define STAGED (sizeof staged / sizeof staged[0])

static json_t *call(struct world *w, struct agent *a, const struct attempt *attempt) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    json_t *answer = NULL, *query = attempt->path ? NULL : json_pack("{s:s}", "site", "Annex");
    struct api_request request = {.method = attempt->method,
                                  .path = attempt->path ? attempt->path : attempt->pattern,
                                  .query = query,
                                  .body = json_loads(attempt->body, 0, NULL),
                                  .actor = "test",
                                  .role = API_ADMIN,
                                  .now_ms = w->now_ms};
    enum err err = access_call(agent_access(a), routes, count, a, &request, &answer);
    char *text = json_dumps(answer, JSON_COMPACT);
    cr_assert_not_null(request.body);
    cr_assert_eq(err, ERR_OK, "%s: %s", attempt->pattern, text);
    free(text);
    json_decref(query);
    json_decref(request.body);
    return answer;
}

/* ward,free / south,4 as base64 in one piece. */
static void import_in_pieces(struct world *w, struct agent *a) {
    char path[64];
    const struct attempt begin = {
        API_POST, "/v1/imports", "/v1/imports",
        "{\"site\":\"Annex\",\"profile\":\"{\\\"format\\\":1,\\\"service\\\":\\\"bed\\\","
        "\\\"ward\\\":{\\\"column\\\":\\\"ward\\\"},"
        "\\\"columns\\\":{\\\"free\\\":\\\"free\\\"}}\"}"};
    json_t *begun = call(w, a, &begin);
    snprintf(path, sizeof path, "/v1/imports/%s", json_string_value(json_object_get(begun, "id")));
    const struct attempt piece = {API_PUT, "/v1/imports/{id}", path,
                                  "{\"offset\":0,\"data\":\"d2FyZCxmcmVlCnNvdXRoLDQK\"}"};
    json_decref(call(w, a, &piece));
    strncat(path, "/commit", sizeof path - strlen(path) - 1);
    const struct attempt commit = {API_POST, "/v1/imports/{id}/commit", path, "{}"};
    json_decref(call(w, a, &commit));
    json_decref(begun);
}

struct watched {
    struct watch_vfs *vfs;
    bool durable;
};

static void check_login(void *ctx, const char *path) {
    const struct watched *x = ctx;
    cr_assert_eq(watch_vfs_durable(x->vfs, watch_vfs_now(x->vfs)), x->durable, "%s", path);
}

static void log_in(struct world *w, struct agent *a, struct watched *x) {
    struct logins l = {.access = agent_access(a),
                       .domain = a,
                       .now_ms = w->now_ms,
                       .check = check_login,
                       .ctx = x};
    l.routes = agent_routes(&l.count);
    logins_try(&l);
}

/* Tries every writing route; `durable`: what has to be after each. */
static void try_all(int synchronous, bool durable) {
    struct world w;
    struct watch_vfs *vfs = watch_vfs_new("route-sync");
    world_init(&w, NULL);
    int i = world_add(&w, "Noord", ROLE_PROVIDER, "route-sync");
    world_add(&w, "West", ROLE_PROVIDER, NULL);
    world_feed(&w, i);
    struct agent *a = w.agents[i].agent;
#ifdef PLEK_FAILPOINTS
    db_test_set_synchronous(agent_db(a), synchronous);
#else
    (void)synchronous;
#endif
    for (size_t n = 0; n < ATTEMPTS; n++) {
        uint64_t writes = watch_vfs_count(vfs, WATCH_WRITE);
        w.now_ms += WORLD_HOUR;
        json_decref(call(&w, a, &attempts[n]));
        cr_assert_gt(watch_vfs_count(vfs, WATCH_WRITE), writes, "%s wrote nothing",
                     attempts[n].pattern);
        cr_assert_eq(watch_vfs_durable(vfs, watch_vfs_now(vfs)), durable, "%s answers %s",
                     attempts[n].pattern, durable ? "before its sync" : "durably without a sync");
    }
    uint64_t writes = watch_vfs_count(vfs, WATCH_WRITE);
    import_in_pieces(&w, a);
    cr_assert_gt(watch_vfs_count(vfs, WATCH_WRITE), writes, "an import in pieces wrote nothing");
    cr_assert_eq(watch_vfs_durable(vfs, watch_vfs_now(vfs)), durable, "an import in pieces");
    log_in(&w, a, &(struct watched){vfs, durable});
    world_done(&w);
    watch_vfs_free(vfs);
}

Test(agent_route_sync, every_writing_route_answers_after_its_sync) {
    try_all(2, true);
}

#ifdef PLEK_FAILPOINTS
Test(agent_route_sync, and_would_not_with_synchronous_off) {
    try_all(0, false);
}
#endif

Test(agent_route_sync, no_writing_route_is_left_out) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    for (size_t r = 0; r < count; r++) {
        bool tried = routes[r].method == API_GET;
        for (size_t n = 0; n < ATTEMPTS; n++)
            tried |= attempts[n].method == routes[r].method &&
                     api_same_path(attempts[n].pattern, routes[r].pattern);
        for (size_t n = 0; n < STAGED; n++)
            tried |= staged[n].method == routes[r].method &&
                     api_same_path(staged[n].pattern, routes[r].pattern);
        cr_assert(tried, "%s %s is not tried", api_method_name(routes[r].method),
                  routes[r].pattern);
    }
}
