/* Owns a web server for tests: one thread with libuv, libwebsockets and a few routes on a Unix
 * socket. The calls come from the test's own thread. Must not know the product's routes. */
#ifndef PLEK_TEST_SERVED_H
#define PLEK_TEST_SERVED_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include "clock.h"
#include "db.h"
#include "unit/access/gate.h"
#include "unit/db/scratch.h"
#include "web.h"
#include "web_work.h"

#define SERVED_MAX_BODY (1024 * 1024)
#define SERVED_BIG (5u * 1024 * 1024)

struct served {
    struct scratch scratch;
    char socket[sizeof((struct sockaddr_un){0}.sun_path)];
    uv_loop_t loop;
    uv_async_t wake;
    uv_check_t turn;
    atomic_uint turns; /* of the loop */
    struct lws_context *context;
    struct web *web;
    struct web *site; /* for browsers */
    int port;
    struct gate *gate; /* with it browsers can log in; NULL: nobody can */
    struct web_work *work;
    int64_t body_ms;
    pthread_t thread;
    atomic_bool stop, answer_late;
    atomic_int calls, late_waiting;
    atomic_uint events; /* bits: which of served_events to tell */
    struct web_call *late;
    bool no_api;
};

static const char *const served_events[] = {"picture", "lines", "status"};

static inline enum err served_echo(void *domain, const struct api_request *r, json_t **ret,
                                   struct error *e) {
    (void)domain, (void)e;
    *ret = json_pack("{s:s, s:s, s:s, s:O?, s:O?}", "name", r->params[0] ? r->params[0] : "",
                     "actor", r->actor, "address", r->caller ? r->caller->address : "", "query",
                     r->query, "body", r->body);
    return ERR_OK;
}

static inline enum err served_fail(void *domain, const struct api_request *r, json_t **ret,
                                   struct error *e) {
    (void)domain, (void)r, (void)ret;
    return error_at(e, ERR_DATA, "rows.csv", 4, 2, "found 'x', expected a number");
}

static inline enum err served_big(void *domain, const struct api_request *r, json_t **ret,
                                  struct error *e) {
    (void)domain, (void)r, (void)e;
    char *text = malloc(SERVED_BIG);
    cr_assert(text);
    memset(text, 'b', SERVED_BIG);
    *ret = json_pack("{s:s#}", "big", text, (int)SERVED_BIG);
    free(text);
    return ERR_OK;
}

/* Says "no such member" until the third call. */
static inline enum err served_slow_name(void *domain, const struct api_request *r, json_t **ret,
                                        struct error *e) {
    (void)ret;
    struct served *s = domain;
    if (atomic_load(&s->calls) < 3)
        return error_set(e, ERR_UNKNOWN_MEMBER, "no member '%s'", r->params[0]);
    return ERR_OK;
}

static const struct api_route served_routes[] = {
    {API_GET, API_VIEWER, "/v1/status", served_echo, ""},
    {API_GET, API_VIEWER, "/v1/echo/{name}?a&b&where&min", served_echo, ""},
    {API_POST, API_VIEWER, "/v1/echo?a&b", served_echo, ""},
    {API_PUT, API_VIEWER, "/v1/fail", served_fail, ""},
    {API_GET, API_VIEWER, "/v1/big", served_big, ""},
    {API_GET, API_VIEWER, "/v1/events", served_echo, ""},
    {API_POST, API_VIEWER, "/v1/slow/{name}", served_slow_name, ""},
};
#define SERVED_ROUTES (sizeof served_routes / sizeof served_routes[0])

/* Who logs in gets the routes of log-in and those above. */
static inline void served_guarded(void *ctx, struct web_call *take_call) {
    struct served *s = ctx;
    struct api_route table[64];
    size_t count = 0;
    json_t *response = NULL;
    const struct api_route *access = access_routes(&count);
    memcpy(table, access, count * sizeof *access);
    memcpy(table + count, served_routes, sizeof served_routes);
    take_call->request.now_ms = s->gate->now_ms;
    enum err code = access_dispatch(s->gate->access, table, count + SERVED_ROUTES, s,
                                    &take_call->request, &response);
    const struct password_work *work = &take_call->caller.work;
    if (!work->wanted || work->done) {
        web_answer(take_call, code, response);
        return;
    }
    json_decref(response);
    web_work_take(s->work, take_call);
}

static inline void served_call(void *ctx, struct web_call *take_call) {
    struct served *s = ctx;
    json_t *response = NULL;
    atomic_fetch_add(&s->calls, 1);
    if (s->gate) {
        served_guarded(ctx, take_call);
        return;
    }
    if (strcmp(take_call->request.path, "/v1/later") == 0) {
        s->late = take_call;
        atomic_fetch_add(&s->late_waiting, 1);
        return;
    }
    enum err code = api_dispatch(served_routes, SERVED_ROUTES, s, &take_call->request, &response);
    web_answer(take_call, code, response);
}

static inline int served_plain(void *ctx, const char *path, struct buf *text) {
    (void)ctx;
    if (strcmp(path, "/healthz") != 0)
        return 0;
    buf_append_str(text, "ok\n");
    return 200;
}

static inline void served_on_wake(uv_async_t *async) {
    struct served *s = async->data;
    if (atomic_exchange(&s->answer_late, false))
        web_answer(s->late, ERR_OK, json_pack("{s:b}", "late", 1));
    unsigned events = atomic_exchange(&s->events, 0);
    for (unsigned i = 0; i < 3; i++)
        if (events & 1u << i) {
            web_event(s->web, served_events[i]);
            web_event(s->site, served_events[i]);
        }
    if (atomic_load(&s->stop))
        uv_stop(&s->loop);
}

static inline void served_on_turn(uv_check_t *check) {
    struct served *s = check->data;
    atomic_fetch_add(&s->turns, 1);
}

static inline void *served_run(void *arg) {
    struct served *s = arg;
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* Two files, as CMake would make them; the second stands for "packed". */
static const struct pages_asset served_files[] = {
    {"/index.html",
     "text/html; charset=utf-8",
     "\"tag\"",
     "\"tag-gz\"",
     {(const uint8_t *)"<p>hello", 8},
     {(const uint8_t *)"PACKED", 6}},
};
static const struct pages_assets served_pages = {served_files, 1};
static struct web_browsers served_browsers = {.pages = {.assets = &served_pages},
                                              .hosts = "plek.test"};

#define SERVED_MAX_OPEN 8
static inline void served_listen(struct served *s) {
    struct error e = {0};
    struct web_config config = {.serve = served_call,
                                .plain = served_plain,
                                .ctx = s,
                                .max_body = SERVED_MAX_BODY,
                                .browsers = &served_browsers,
                                .max_open = SERVED_MAX_OPEN,
                                .body_ms = s->body_ms,
                                .max_followers = 2};
    const struct web_listen listen = {"127.0.0.1:0", "", ""};
    char address[WEB_ADDRESS_MAX];
    s->site = web_new(&config);
    cr_assert_eq(web_listen_browsers(s->site, s->context, &listen, address, &e), ERR_OK, "%s",
                 e.detail);
    s->port = (int)strtol(strrchr(address, ':') + 1, NULL, 10);
    cr_assert_gt(s->port, 0);
}

static inline void served_start_guarded(struct served *s, bool no_api, struct gate *gate,
                                        int64_t body_ms) {
    struct error e = {0};
    memset(s, 0, sizeof *s);
    s->gate = gate;
    s->body_ms = body_ms;
    scratch_init(&s->scratch);
    cr_assert_lt(snprintf(s->socket, sizeof s->socket, "%.90s/api.sock", s->scratch.dir), 108);
    lws_set_log_level(0, NULL);
    cr_assert_eq(uv_loop_init(&s->loop), 0);
    uv_async_init(&s->loop, &s->wake, served_on_wake);
    s->wake.data = s;
    uv_check_init(&s->loop, &s->turn);
    s->turn.data = s;
    uv_check_start(&s->turn, served_on_turn);
    void *loops[] = {&s->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .fd_limit_per_thread = 256,
    };
    s->context = lws_create_context(&info);
    struct web_config config = {.serve = no_api ? NULL : served_call,
                                .plain = served_plain,
                                .ctx = s,
                                .max_body = SERVED_MAX_BODY};
    s->web = web_new(&config);
    cr_assert(s->context && s->web);
    cr_assert_eq(web_listen_socket(s->web, s->context, s->socket, &e), ERR_OK, "%s", e.detail);
    s->work = web_work_new(&s->loop, served_guarded, s);
    cr_assert(s->work);
    served_listen(s);
    cr_assert_eq(pthread_create(&s->thread, NULL, served_run, s), 0);
}

static inline void served_start(struct served *s, bool no_api) {
    served_start_guarded(s, no_api, NULL, 0);
}

/* Ends the server; the socket's file stays until served_done. */
static inline void served_stop(struct served *s) {
    if (!s->context)
        return;
    atomic_store(&s->stop, true);
    uv_async_send(&s->wake);
    pthread_join(s->thread, NULL);
    uv_close((uv_handle_t *)&s->wake, NULL);
    uv_close((uv_handle_t *)&s->turn, NULL);
    web_work_stop(s->work);
    lws_context_destroy(s->context);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    lws_context_destroy(s->context);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
    web_free(s->web);
    web_free(s->site);
    web_work_free(s->work);
    s->context = NULL;
}

static inline void served_done(struct served *s) {
    served_stop(s);
    scratch_done(&s->scratch);
}

static inline void served_tell(struct served *s, unsigned events) {
    atomic_fetch_or(&s->events, events);
    uv_async_send(&s->wake);
}

/* A socket of the test's own, for what no decent client would send. */
static inline int served_connect(const struct served *s) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {10, 0};
    memcpy(address.sun_path, s->socket, sizeof s->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

/* The same to the browsers' address. */
static inline int served_connect_browser(const struct served *s) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    struct timeval limit = {10, 0};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static inline void served_send(int fd, const char *text) {
    cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until `end` shows up, the other side closes, or ten seconds passed. Returns what came. */
static inline const char *served_read(int fd, const char *end, char *out, size_t size) {
    size_t len = 0;
    ssize_t n;
    out[0] = '\0';
    while (len + 1 < size && !(end && strstr(out, end)) &&
           (n = recv(fd, out + len, size - 1 - len, 0)) > 0) {
        len += (size_t)n;
        out[len] = '\0';
    }
    return out;
}

#endif
