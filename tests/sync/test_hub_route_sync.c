/* Owns the proof that each writing route of the hub's local API answers after the sync of its
 * commit, and that it would not with synchronous=OFF. A writing route that is not tried here fails
 * the test. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "hub_private.h"
#include "logins.h"
#include "unit/hub/town.h"
#include "vfs/watch_vfs.h"

struct attempt {
    enum api_method method;
    const char *pattern, *path, *body; /* body NULL: a newer charter */
};

static const struct attempt attempts[] = {
    {API_POST, "/v1/invitations", "/v1/invitations", "{\"name\":\"Zuid\"}"},
    {API_POST, "/v1/published", "/v1/published", "{}"},
    {API_POST, "/v1/members/{name}/suspend", "/v1/members/Noord/suspend", "{}"},
    {API_POST, "/v1/members/{name}/resume", "/v1/members/Noord/resume", "{}"},
    {API_POST, "/v1/members/{name}/revoke", "/v1/members/Noord/revoke", "{\"agent\":\"\"}"},
    {API_POST, "/v1/members/{name}/remove", "/v1/members/Noord/remove", "{}"},
    {API_POST, "/v1/charter", "/v1/charter", NULL},
    {API_POST, "/v1/users", "/v1/users", "{\"name\":\"balie\",\"role\":\"viewer\"}"},
    {API_POST, "/v1/users/{name}/role", "/v1/users/balie/role", "{\"role\":\"admin\"}"},
    {API_POST, "/v1/users/{name}/reset", "/v1/users/balie/reset", "{}"},
    {API_DELETE, "/v1/users/{name}", "/v1/users/balie", "{}"},
    {API_POST, "/v1/tokens", "/v1/tokens", "{\"name\":\"bi\",\"role\":\"viewer\"}"},
    {API_DELETE, "/v1/tokens/{name}", "/v1/tokens/bi", "{}"},
};
#define ATTEMPTS (sizeof attempts / sizeof attempts[0])
static const char *const logins[] = {"/v1/invite", "/v1/login", "/v1/password", "/v1/logout"};

/* The default one, but for how long figures are kept, and that one member's are published. */
static char *charter_text(int keep_days) {
    json_t *charter = json_loads(charter_default_json(), 0, NULL);
    cr_assert_eq(json_object_set_new(charter, "keep_days", json_integer(keep_days)), 0);
    cr_assert_eq(json_object_set_new(charter, "k", json_integer(1)), 0);
    char *text = json_dumps(charter, JSON_COMPACT);
    json_decref(charter);
    return text;
}

static json_t *newer_charter(void) {
    char *text = charter_text(30);
    json_t *body = json_pack("{s:s}", "text", text);
    free(text);
    return body;
}

struct watched {
    struct watch_vfs *vfs;
    bool durable;
};

static void check_login(void *ctx, const char *path) {
    const struct watched *x = ctx;
    cr_assert_eq(watch_vfs_durable(x->vfs, watch_vfs_now(x->vfs)), x->durable, "%s", path);
}

static void log_in(struct town *t, struct watched *x) {
    struct logins l = {.access = hub_access(t->hub),
                       .domain = t->hub,
                       .now_ms = t->now_ms,
                       .check = check_login,
                       .ctx = x};
    l.routes = hub_routes(&l.count);
    logins_try(&l);
}

static void try_all(int synchronous, bool durable) {
    struct town t;
    struct person noord;
    struct circle circle;
    struct watch_vfs *vfs = watch_vfs_new("hub-route-sync");
    char *charter = charter_text(35);
    town_init(&t, 7, charter);
    free(charter);
    town_close(&t);
    t.vfs = "hub-route-sync";
    town_open(&t);
    person_join(&t, &noord, "Noord", "provider");
    person_share(&t, &noord, &circle, "exact",
                 &(struct figures){.site = 1, .service = "bed", .free = known(3)}, 1);
    char agent[2 * KEY_LEN + 1];
    hex_encode(agent, bytes_of(noord.agent.pub.b, KEY_LEN));
#ifdef PLEK_FAILPOINTS
    store_test_set_synchronous(t.hub->store, synchronous);
#else
    (void)synchronous;
#endif
    for (size_t n = 0; n < ATTEMPTS; n++) {
        struct error e = {0};
        json_t *answer = NULL;
        json_t *body = attempts[n].body ? json_loads(attempts[n].body, 0, NULL) : newer_charter();
        uint64_t writes = watch_vfs_count(vfs, WATCH_WRITE);
        t.now_ms += TOWN_HOUR_MS;
        cr_assert_not_null(body);
        if (json_object_get(body, "agent"))
            json_object_set_new(body, "agent", json_string(agent));
        cr_assert_eq(town_call(&t, attempts[n].method, attempts[n].path, NULL, body, &answer, &e),
                     ERR_OK, "%s: %s", attempts[n].path, e.detail);
        json_decref(answer);
        cr_assert_gt(watch_vfs_count(vfs, WATCH_WRITE), writes, "%s wrote nothing",
                     attempts[n].path);
        cr_assert_eq(watch_vfs_durable(vfs, watch_vfs_now(vfs)), durable, "%s answers %s",
                     attempts[n].path, durable ? "before its sync" : "durably without a sync");
    }
    log_in(&t, &(struct watched){vfs, durable});
    town_done(&t);
    watch_vfs_free(vfs);
}

Test(hub_route_sync, every_writing_route_answers_after_its_sync) {
    try_all(2, true);
}

#ifdef PLEK_FAILPOINTS
Test(hub_route_sync, and_would_not_with_synchronous_off) {
    try_all(0, false);
}
#endif

Test(hub_route_sync, no_writing_route_is_left_out) {
    size_t count = 0;
    const struct api_route *routes = hub_routes(&count);
    for (size_t r = 0; r < count; r++) {
        bool tried = routes[r].method == API_GET;
        for (size_t n = 0; n < ATTEMPTS; n++)
            tried |= routes[r].method == attempts[n].method &&
                     strcmp(attempts[n].pattern, routes[r].pattern) == 0;
        for (size_t n = 0; n < sizeof logins / sizeof logins[0]; n++)
            tried |= strcmp(logins[n], routes[r].pattern) == 0;
        cr_assert(tried, "%s %s is not tried", api_method_name(routes[r].method),
                  routes[r].pattern);
    }
}
