/* Owns HTTP at the hub (see screens.h). Must not touch the domain: jobs do. */
#include "screens.h"

#include <stdlib.h>
#include <string.h>

#include "web_work.h"

#define OPEN_MAX 128 /* requests and followers of browsers at a time */
#define FOLLOWERS_MAX 64
#define CHANGE_MS 2000 /* of many changes in a row one is told */
#define SOCKET_BODY_MAX (4u * 1024 * 1024)

/* Made by CMake from hub/web and shared/web. */
extern const struct pages_assets hub_pages;

struct screens {
    struct screens_config config;
    struct web *socket, *public;
    struct web_browsers browsers;
    char hosts[INVITE_ADDRESS_MAX + sizeof((struct hub_settings){0}.web_hosts)];
    struct web_work *work;
    uv_timer_t change;
    bool change_ready;
};

static void serve(void *ctx, struct web_call *take_call) {
    struct screens *s = ctx;
    struct job *job = job_new(JOB_API);
    if (job)
        job->call = take_call;
    if (job && job_queue_offer(s->config.store, job))
        return;
    if (job)
        job->call = NULL;
    job_free(job);
    struct error e;
    error_set(&e, ERR_BUSY, "the hub's queues are full; try again in a moment");
    web_answer(take_call, e.code, api_error_to_json(&e));
}

static int plain(void *ctx, const char *path, struct buf *text) {
    struct screens *s = ctx;
    return s->config.plain(s->config.ctx, path, text);
}

static void tell_event(struct screens *s, const char *name) {
    web_event(s->socket, name);
    web_event(s->public, name);
}

static void on_change(uv_timer_t *timer) {
    tell_event(timer->data, "status");
}

void screens_changed(struct screens *s) {
    if (!s->change_ready && uv_timer_init(s->config.loop, &s->change) != 0)
        return;
    s->change_ready = true;
    s->change.data = s;
    if (!uv_is_active((uv_handle_t *)&s->change) && !uv_is_closing((uv_handle_t *)&s->change))
        uv_timer_start(&s->change, on_change, CHANGE_MS, 0);
}

static void tell_change(struct screens *s, const char *path) {
    static const struct {
        const char *path, *event;
    } table[] = {{"/v1/members", "members"},
                 {"/v1/invitations", "members"},
                 {"/v1/charter", "charter"},
                 {"/v1/users", "users"},
                 {"/v1/tokens", "tokens"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(path, table[i].path, strlen(table[i].path)) == 0)
            tell_event(s, table[i].event);
    tell_event(s, "status");
}

/* Slow work comes back and goes to the store once more. */
void screens_answer(struct screens *s, struct job *job) {
    struct web_call *call = job->call;
    const struct password_work *work = &call->caller.work;
    char path[API_PATH_MAX] = "";
    job->call = NULL;
    if (work->wanted && !work->done) {
        web_work_take(s->work, call);
        return;
    }
    if (call->request.method != API_GET && !job->code)
        snprintf(path, sizeof path, "%s", call->path);
    web_answer(call, job->code, job->response);
    job->response = NULL;
    if (path[0])
        tell_change(s, path);
}

/* What browsers get: the pages, by the name that agents know too. */
static const struct web_browsers *browse(struct screens *s) {
    const struct hub_settings *h = s->config.settings;
    const char *name = strstr(h->address, "://");
    name = name ? name + 3 : h->address;
    snprintf(s->hosts, sizeof s->hosts, "%.*s %s", (int)strcspn(name, ":"), name, h->web_hosts);
    s->browsers =
        (struct web_browsers){.pages = {.assets = &hub_pages,
                                        .root = s->config.web_root,
                                        .shared = s->config.web_shared,
                                        .without = h->public_page ? NULL : "/public.html"},
                              .hosts = s->hosts};
    return &s->browsers;
}

struct screens *screens_new(const struct screens_config *config) {
    struct screens *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->config = *config;
    struct web_config socket = {.serve = serve, .ctx = s, .max_body = SOCKET_BODY_MAX};
    const struct hub_settings *h = config->settings;
    struct web_config public = {
        .serve = serve,
        .log = config->log,
        .visitors = {.all = (size_t)h->connections, .each = (size_t)h->connections_per_address},
        .plain = config->plain ? plain : NULL,
        .ctx = s,
        .max_body = API_BODY_MAX,
        .browsers = browse(s),
        .max_open = OPEN_MAX,
        .max_followers = FOLLOWERS_MAX};
    s->socket = web_new(&socket);
    s->public = web_new(&public);
    s->work = web_work_new(config->loop, serve, s);
    if (s->socket && s->public && s->work)
        return s;
    screens_free(s);
    return NULL;
}

void screens_free(struct screens *s) {
    if (!s)
        return;
    web_free(s->socket);
    web_free(s->public);
    web_work_free(s->work);
    free(s);
}

struct web *screens_socket(struct screens *s) {
    return s->socket;
}

struct web *screens_public(struct screens *s) {
    return s->public;
}

void screens_stop(struct screens *s) {
    if (!s)
        return;
    web_work_stop(s->work);
    if (s->change_ready)
        uv_close((uv_handle_t *)&s->change, NULL);
}
