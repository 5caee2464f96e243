/* Owns the agent's one loop: link, local API, watched folder, signals. Translates and delegates. */
#include "daemon.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "db.h"
#include "link.h"
#include "log.h"
#include "newcomers.h"
#include "random.h"
#include "settings.h"
#include "signals.h"
#include "table_routes.h"
#include "watch.h"
#include "web.h"
#include "web_work.h"

#define AGENT_FD_LIMIT 960 /* below the soft limit that there mostly is */
#define STOP_GRACE_MS 2000
#define REST_AFTER_MS 10000 /* of work, whatever else comes meanwhile */
#define WEB_OPEN_MAX 128    /* requests and followers at a time */
#define WEB_FOLLOWERS_MAX 64
#define WEB_VISITORS_MAX 512 /* connections; well below AGENT_FD_LIMIT, for the hub's too */

/* Made by CMake from agent/web and shared/web. */
extern const struct pages_assets agent_pages;

struct daemon {
    char dir[512];
    struct agent_settings settings;
    struct entropy entropy;
    int lock;
    struct agent *agent;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    uv_timer_t limit, newcomers, rest;
    struct lws_context *context;
    struct web *web;  /* DIR/api.sock */
    struct web *site; /* browsers */
    struct web_browsers browsers;
    struct web_work *work;
    char web_address[WEB_ADDRESS_MAX + 8];
    struct link *link;
    struct log_repeats *log; /* what others bring about */
    struct watch *watch;
    bool loop_ready, serving, joining, joined, stopping;
    enum err join_code;
    struct error join_error;
};

static void begin_stop(struct daemon *d) {
    if (d->stopping)
        return;
    d->stopping = true;
    link_stop(d->link);
}

static void end_loop(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct daemon *d = handle->data;
    log_event(LOG_INFO, "stopping", "signal=%d", number);
    begin_stop(d);
    uv_timer_start(&d->limit, end_loop, STOP_GRACE_MS, 0);
}

static void tell_event(struct daemon *d, const char *name) {
    if (d->web)
        web_event(d->web, name);
    if (d->site)
        web_event(d->site, name);
}

/* A network of a thousand partners is read through a cache that nobody needs until the next time.
 */
static void on_rest(uv_timer_t *timer) {
    struct daemon *d = timer->data;
    agent_rest(d->agent);
    malloc_trim(0);
}

/* After any work. */
static void tell_events(struct daemon *d) {
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{AGENT_EVENT_PICTURE, "picture"},
                 {AGENT_EVENT_LINES, "lines"},
                 {AGENT_EVENT_STATUS, "status"}};
    unsigned events = agent_take_events(d->agent);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (events & names[i].bit)
            tell_event(d, names[i].name);
    if (!uv_is_active((uv_handle_t *)&d->rest) && !d->stopping)
        uv_timer_start(&d->rest, on_rest, REST_AFTER_MS, 0);
}

/* Who waits to be let in, and who waited long enough. */
static void look_at_newcomers(struct daemon *d) {
    struct error e = {0};
    enum err code = newcomers_look(d->agent, clock_wall_ms(), &e);
    if (code)
        log_event(LOG_ERROR, "store", "code=%s detail=\"%s\"", error_name(code), e.detail);
}

static void on_newcomers(uv_timer_t *timer) {
    struct daemon *d = timer->data;
    look_at_newcomers(d);
    if (agent_dirty(d->agent))
        link_outbox(d->link);
    tell_events(d);
}

/* What a change by a route means for those who follow; the domain raises what else it means. */
static const char *changed_by(const struct api_request *r) {
    static const struct {
        const char *path, *event;
    } table[] = {
        {"/v1/sites", "sites"},     {"/v1/places", "lines"},  {"/v1/policy", "policy"},
        {"/v1/withdraw", "policy"}, {"/v1/pause", "policy"},  {"/v1/partners", "partners"},
        {"/v1/users", "users"},     {"/v1/tokens", "tokens"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0] && r->method != API_GET; i++)
        if (strncmp(r->path, table[i].path, strlen(table[i].path)) == 0)
            return table[i].event;
    return NULL;
}

static void serve(void *ctx, struct web_call *take_call) {
    struct daemon *d = ctx;
    size_t count = 0;
    json_t *response = NULL;
    const struct api_route *routes = agent_routes(&count);
    take_call->request.now_ms = clock_wall_ms();
    const struct password_work *work = &take_call->caller.work;
    enum err code = access_dispatch(agent_access(d->agent), routes, count, d->agent,
                                    &take_call->request, &response);
    if (work->wanted && !work->done) {
        json_decref(response);
        web_work_take(d->work, take_call);
        return;
    }
    const char *event = code ? NULL : changed_by(&take_call->request);
    web_answer(take_call, code, response);
    if (event)
        tell_event(d, event);
    if (agent_dirty(d->agent)) {
        look_at_newcomers(d);
        link_outbox(d->link);
    }
    tell_events(d);
}

/* Joining is done when our admission stands in the hub's feed. */
static void try_finish_join(struct daemon *d) {
    if (!d->joining || d->joined || !link_caught_up(d->link))
        return;
    d->join_code = agent_join_finish(d->agent, clock_wall_ms(), &d->join_error);
    d->joined = true;
    begin_stop(d);
}

static void on_changed(void *ctx) {
    struct daemon *d = ctx;
    try_finish_join(d);
    tell_events(d);
}

/* Does trying again not help a join? A hub that is busy may admit us later; one with another key,
 * or a certificate that does not verify, will not. */
static bool is_final(const struct error *why, bool refused) {
    int status = error_exit_status(why->code);
    return status == EX_PROTOCOL || (refused && status != EX_TEMPFAIL);
}

static void on_ended(void *ctx, const struct error *why, bool refused) {
    struct daemon *d = ctx;
    if (d->joining && !d->joined) {
        d->join_error = *why;
        if (is_final(why, refused)) {
            d->join_code = why->code;
            d->joined = true;
            begin_stop(d);
        }
    }
    if (d->stopping)
        uv_stop(&d->loop);
}

static enum err open_api(struct daemon *d, struct error *e) {
    struct web_config config = {.serve = serve, .ctx = d, .max_body = AGENT_BODY_MAX};
    d->web = web_new(&config);
    if (!d->web)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the local API");
    char path[sizeof d->dir + 16];
    snprintf(path, sizeof path, "%s/api.sock", d->dir);
    return web_listen_socket(d->web, d->context, path, e);
}

/* The default address may be another agent's; one that somebody chose has to work. */
static enum err open_site(struct daemon *d, struct error *e) {
    const struct agent_settings *s = &d->settings;
    const char *address = s->web_listen[0] ? s->web_listen : AGENT_WEB_LISTEN;
    const struct web_listen listen = {address, s->web_cert, s->web_key};
    struct web_config config = {.serve = serve,
                                .ctx = d,
                                .max_body = API_BODY_MAX,
                                .browsers = &d->browsers,
                                .log = d->log,
                                .visitors = {.all = WEB_VISITORS_MAX, .each = WEB_VISITORS_MAX},
                                .max_open = WEB_OPEN_MAX,
                                .max_followers = WEB_FOLLOWERS_MAX};
    char bound[WEB_ADDRESS_MAX];
    snprintf(d->web_address, sizeof d->web_address, "off");
    if (strcmp(address, "off") == 0)
        return ERR_OK;
    d->browsers.pages.assets = &agent_pages;
    d->browsers.hosts = s->web_hosts;
    d->site = web_new(&config);
    d->work = web_work_new(&d->loop, serve, d);
    if (!d->site || !d->work)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the screens");
    enum err err = web_listen_browsers(d->site, d->context, &listen, bound, e);
    if (!err)
        snprintf(d->web_address, sizeof d->web_address, "%s%s",
                 s->web_cert[0] ? "https://" : "http://", bound);
    if (!err && !s->web_hosts[0])
        access_set_url(agent_access(d->agent), d->web_address);
    if (err && !s->web_listen[0])
        log_event(LOG_WARN, "web-off", "address=%s", address);
    return s->web_listen[0] ? err : ERR_OK;
}

static enum err open_loop(struct daemon *d, struct error *e) {
    if (uv_loop_init(&d->loop) != 0)
        return error_set(e, ERR_NO_MEMORY, "libuv could not start");
    d->loop_ready = true;
    d->log = log_repeats_new(&d->loop);
    if (!d->log)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the log");
    uv_signal_init(&d->loop, &d->terminate);
    uv_signal_init(&d->loop, &d->interrupt);
    uv_timer_init(&d->loop, &d->limit);
    uv_timer_init(&d->loop, &d->newcomers);
    uv_timer_init(&d->loop, &d->rest);
    d->terminate.data = d->interrupt.data = d->limit.data = d->newcomers.data = d->rest.data = d;
    return web_context_new(
        &(struct web_context){.loop = &d->loop, .max_descriptors = AGENT_FD_LIMIT, .client = true},
        &d->context, e);
}

static enum err open_link(struct daemon *d, struct error *e) {
    struct link_config config = {.agent = d->agent,
                                 .settings = &d->settings,
                                 .loop = &d->loop,
                                 .context = d->context,
                                 .log = d->log,
                                 .changed = on_changed,
                                 .ended = on_ended,
                                 .ctx = d};
    return link_open(&config, &d->link, e);
}

/* A file of DIR/watch changed the records. */
static void on_watched(void *ctx) {
    struct daemon *d = ctx;
    if (agent_dirty(d->agent))
        link_outbox(d->link);
    tell_events(d);
}

static enum err open_watch(struct daemon *d, struct error *e) {
    const struct watch_config config = {
        .agent = d->agent, .loop = &d->loop, .dir = d->dir, .changed = on_watched, .ctx = d};
    return watch_open(&config, &d->watch, e);
}

/* An option that stands for a setting. */
static enum err override(char *setting, size_t size, const char *name, const char *option,
                         struct error *e) {
    if (option && strlen(option) >= size)
        return error_set(e, ERR_USAGE, "the value of --%s is too long: %.80s...", name, option);
    if (option)
        snprintf(setting, size, "%s", option);
    return ERR_OK;
}

static enum err read_settings(struct daemon *d, const struct daemon_options *o, struct error *e) {
    struct agent_settings *s = &d->settings;
    enum err err = settings_read(d->dir, s, e);
    if (!err)
        err = override(s->ca, sizeof s->ca, "ca", o->ca, e);
    if (!err)
        err = override(s->web_listen, sizeof s->web_listen, "web", o->web_listen, e);
    if (!err && d->settings.ca[0] && access(d->settings.ca, R_OK) != 0)
        err = error_at(e, ERR_NO_INPUT, d->settings.ca, 0, 0,
                       "%s: expected the hub's certificate authority (PEM)", strerror(errno));
    if (!err)
        log_set_level(d->serving ? d->settings.log_level
                                 : LOG_ERROR); /* joining talks by its exit */
    return err;
}

enum err daemon_open(const struct daemon_options *options, struct daemon **ret, struct error *e) {
    const char *dir = options->dir;
    bool serving = options->serve;
    struct daemon *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(e, ERR_NO_MEMORY, "not enough memory to start");
    d->lock = -1;
    d->serving = serving;
    d->entropy = random_entropy();
    d->browsers.pages.root = options->web_root;
    d->browsers.pages.shared = options->web_shared;
    enum err err = ERR_OK;
    if (snprintf(d->dir, sizeof d->dir, "%s", dir) >= (int)sizeof d->dir)
        err = error_set(e, ERR_USAGE, "--dir is too long: %.80s...", dir);
    if (!err)
        err = read_settings(d, options, e);
    if (!err)
        err = serving ? client_lock_daemon(dir, &d->lock, e) : lock_acquire(dir, &d->lock, e);
    if (serving)
        signals_hold();
    if (!err)
        err = agent_open(dir, NULL, &d->entropy, &d->agent, e);
    if (!err && serving && !agent_joined(d->agent))
        err = error_set(e, ERR_NOT_JOINED,
                        "this agent belongs to no network yet: run `plek-agent join` first");
    if (!err)
        err = open_loop(d, e);
    if (!err)
        err = open_link(d, e);
    if (!err && serving)
        err = open_api(d, e);
    if (!err && serving)
        err = open_site(d, e);
    if (!err && serving)
        err = open_watch(d, e);
    if (err) {
        daemon_close(d);
        return err;
    }
    *ret = d;
    return ERR_OK;
}

const char *daemon_web_address(const struct daemon *d) {
    return d->web_address;
}

struct agent *daemon_agent(struct daemon *d) {
    return d->agent;
}

void daemon_run(struct daemon *d, int64_t timeout_ms) {
    uv_signal_start(&d->terminate, on_signal, SIGTERM);
    uv_signal_start(&d->interrupt, on_signal, SIGINT);
    signals_release();
    if (timeout_ms > 0)
        uv_timer_start(&d->limit, end_loop, (uint64_t)timeout_ms, 0);
    link_start(d->link);
    if (d->serving) /* once also with `trust = manual`: nobody waits any more */
        uv_timer_start(&d->newcomers, on_newcomers, 0,
                       d->settings.trust == TRUST_DIRECTORY ? NEWCOMER_LOOK_MS : 0);
    uv_run(&d->loop, UV_RUN_DEFAULT);
}

enum err daemon_join(struct daemon *d, int64_t timeout_ms, struct error *e) {
    d->joining = true;
    daemon_run(d, timeout_ms);
    if (d->joined && d->join_code) {
        *e = d->join_error;
        return d->join_code;
    }
    if (d->joined)
        return ERR_OK;
    char why[ERROR_DETAIL_MAX / 2];
    snprintf(why, sizeof why, "%.120s", d->join_error.detail);
    return error_set(
        e, ERR_TIMEOUT,
        "the hub at %s did not admit us within %lld s%s%s; the same command can be repeated",
        agent_hub_address(d->agent), (long long)timeout_ms / 1000, why[0] ? ": " : "", why);
}

/* A foreign loop is torn down in two steps: the context closes its handles, the loop carries that
 * out, then the context can go. */
static void close_loop(struct daemon *d) {
    if (d->link)
        link_stop(d->link);
    uv_close((uv_handle_t *)&d->terminate, NULL);
    uv_close((uv_handle_t *)&d->interrupt, NULL);
    uv_close((uv_handle_t *)&d->limit, NULL);
    uv_close((uv_handle_t *)&d->newcomers, NULL);
    uv_close((uv_handle_t *)&d->rest, NULL);
    log_repeats_stop(d->log);
    watch_close(d->watch);
    web_work_stop(d->work);
    if (d->context) {
        lws_context_destroy(d->context);
        uv_run(&d->loop, UV_RUN_DEFAULT);
        lws_context_destroy(d->context);
    }
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
}

void daemon_close(struct daemon *d) {
    if (!d)
        return;
    if (d->loop_ready)
        close_loop(d);
    log_repeats_free(d->log);
    watch_free(d->watch);
    link_free(d->link);
    web_free(d->web);
    web_free(d->site);
    web_work_free(d->work);
    agent_close(d->agent);
    if (d->lock >= 0)
        lock_release(d->lock);
    free(d);
}
