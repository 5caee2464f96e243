/* Tests of HTTP on a real Unix socket: what is served, refused, answered late, and told as events.
 */
#include "served.h"

#include "client.h"

static struct served served;

static void setup(void) {
    served_start(&served, false);
}

static void teardown(void) {
    served_done(&served);
}

TestSuite(web, .init = setup, .fini = teardown, .timeout = 60);

static enum err no_open(const char *dir, void **ret, struct error *e) {
    (void)ret;
    return error_set(e, ERR_INTERNAL, "%s must not be opened here", dir);
}

static void no_close(void *domain) {
    (void)domain;
}

static const struct client_local nothing_local = {no_open, no_close, NULL, 0, NULL};

/* A client of the served socket: the lock is held, as a daemon holds it. */
struct dialogue {
    struct client *client;
    int lock;
};

static void dialogue_open(struct dialogue *d) {
    struct error e = {0};
    cr_assert_eq(lock_acquire(served.scratch.dir, &d->lock, &e), ERR_OK);
    cr_assert_eq(client_open(served.scratch.dir, &nothing_local, &d->client, &e), ERR_OK, "%s",
                 e.detail);
    cr_assert(client_is_remote(d->client));
}

static void dialogue_close(struct dialogue *d) {
    client_close(d->client);
    lock_release(d->lock);
}

Test(web, socket_is_for_its_owner_only) {
    struct stat info;
    cr_assert_eq(stat(served.socket, &info), 0);
    cr_assert(S_ISSOCK(info.st_mode));
    cr_assert_eq(info.st_mode & 0777, 0600, "found mode %o", info.st_mode & 0777);
}

Test(web, path_query_and_actor_arrive_as_they_were) {
    static const char name[] = "Huis \xC3\xA9\xC3\xA9n & Co + 100%?#=x";
    struct dialogue d;
    struct error e = {0};
    json_t *got = NULL;
    dialogue_open(&d);
    json_t *query = json_pack("{s:s, s:s}", "where", name, "min", "-3");
    char path[200], actor[64];
    snprintf(path, sizeof path, "/v1/echo/%s", name);
    cr_assert_eq(client_call(d.client, API_GET, path, query, NULL, &got, &e), ERR_OK, "%s",
                 e.detail);
    cr_assert_str_eq(json_string_value(json_object_get(got, "name")), name);
    cr_assert(json_equal(json_object_get(got, "query"), query), "found %s",
              json_dumps(got, JSON_COMPACT));
    snprintf(actor, sizeof actor, "uid:%ld", (long)getuid());
    cr_assert_str_eq(json_string_value(json_object_get(got, "actor")), actor);
    json_decref(got);
    json_decref(query);
    dialogue_close(&d);
}

Test(web, large_body_and_large_answer_arrive_whole) {
    struct dialogue d;
    struct error e = {0};
    json_t *got = NULL;
    static char text[SERVED_MAX_BODY - 100];
    dialogue_open(&d);
    memset(text, 'x', sizeof text - 1);
    json_t *body = json_pack("{s:s}", "text", text);
    for (int i = 0; i < 3; i++) { /* over one connection */
        cr_assert_eq(client_call(d.client, API_POST, "/v1/echo", NULL, body, &got, &e), ERR_OK,
                     "%s", e.detail);
        cr_assert(json_equal(json_object_get(got, "body"), body));
        json_decref(got);
        cr_assert_eq(client_call(d.client, API_GET, "/v1/big", NULL, NULL, &got, &e), ERR_OK, "%s",
                     e.detail);
        cr_assert_eq(json_string_length(json_object_get(got, "big")), SERVED_BIG);
        json_decref(got);
    }
    json_decref(body);
    dialogue_close(&d);
}

Test(web, error_comes_back_with_code_and_place) {
    struct dialogue d;
    struct error e = {0};
    json_t *got = NULL;
    dialogue_open(&d);
    cr_assert_eq(client_call(d.client, API_PUT, "/v1/fail", NULL, NULL, &got, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "rows.csv");
    cr_assert_eq(e.line, 4);
    cr_assert_eq(e.column, 2);
    cr_assert_eq(client_call(d.client, API_GET, "/v1/nowhere", NULL, NULL, &got, &e),
                 ERR_NOT_FOUND);
    cr_assert_null(got);
    dialogue_close(&d);
}

Test(web, body_beyond_the_cap_is_refused_and_serves_nothing) {
    struct dialogue d;
    struct error e = {0};
    json_t *got = NULL;
    static char text[SERVED_MAX_BODY + 10];
    dialogue_open(&d);
    memset(text, 'x', sizeof text - 1);
    json_t *body = json_pack("{s:s}", "text", text);
    int before = atomic_load(&served.calls);
    cr_assert_eq(client_call(d.client, API_POST, "/v1/echo", NULL, body, &got, &e), ERR_TOO_LARGE,
                 "%s", e.detail);
    cr_assert_eq(atomic_load(&served.calls), before);
    json_decref(body);
    dialogue_close(&d);
}

/* Sends one raw request and gives what came until `end` or the close. */
static const char *raw(const char *request, const char *end, char *out, size_t size) {
    int fd = served_connect(&served);
    served_send(fd, request);
    served_read(fd, end, out, size);
    close(fd);
    return out;
}

Test(web, body_that_is_no_json_names_its_line_and_column) {
    char out[2048];
    raw("POST /v1/echo HTTP/1.1\r\nHost: plek\r\nContent-Length: 9\r\n\r\n{\n \"a\": x", "}}", out,
        sizeof out);
    cr_assert(strstr(out, " 422 "), "%s", out);
    cr_assert(strstr(out, "\"line\":2"), "%s", out);
    cr_assert(strstr(out, "\"column\""), "%s", out);
    cr_assert_eq(atomic_load(&served.calls), 0);
}

Test(web, post_without_a_body_is_served) {
    char out[2048];
    raw("POST /v1/echo HTTP/1.1\r\nHost: plek\r\nContent-Length: 0\r\n\r\n", "}", out, sizeof out);
    cr_assert(strstr(out, " 200 "), "%s", out);
    raw("POST /v1/echo HTTP/1.1\r\nHost: plek\r\n\r\n", "}", out, sizeof out);
    cr_assert(strstr(out, " 200 "), "%s", out);
    cr_assert(strstr(out, "no-store"), "%s", out);
}

Test(web, other_methods_long_paths_and_garbage_are_refused) {
    char out[2048], request[1200];
    raw("OPTIONS /v1/status HTTP/1.1\r\nHost: plek\r\n\r\n", "\r\n\r\n", out, sizeof out);
    cr_assert(strstr(out, " 405 "), "%s", out);
    char path[600];
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: plek\r\n\r\n", path);
    raw(request, "\r\n\r\n", out, sizeof out);
    cr_assert(strstr(out, " 414 "), "%s", out);
    raw("\x16\x03\x01 this is no HTTP at all\r\n\r\n", NULL, out, sizeof out);
    cr_assert_null(strstr(out, " 200 "), "%s", out);
    cr_assert_eq(atomic_load(&served.calls), 0);
    raw("GET /v1/status HTTP/1.1\r\nHost: plek\r\n\r\n", "}", out, sizeof out);
    cr_assert(strstr(out, " 200 "), "%s", out);
}

/* What was refused is over; a body that follows is nobody's. */
Test(web, a_body_behind_a_refused_request_serves_nothing) {
    char out[2048], request[1200], path[600];
    raw("PATCH /v1/echo HTTP/1.1\r\nHost: plek\r\nContent-Length: 2\r\n\r\n{}", "\r\n\r\n", out,
        sizeof out);
    cr_assert(strstr(out, " 405 "), "%s", out);
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = '\0';
    snprintf(request, sizeof request,
             "POST /%s HTTP/1.1\r\nHost: plek\r\nContent-Length: 2\r\n\r\n{}", path);
    raw(request, "\r\n\r\n", out, sizeof out);
    cr_assert(strstr(out, " 414 "), "%s", out);
    cr_assert_eq(atomic_load(&served.calls), 0);
    raw("GET /v1/status HTTP/1.1\r\nHost: plek\r\n\r\n", "}", out, sizeof out);
    cr_assert(strstr(out, " 200 "), "%s", out);
}

Test(web, an_address_to_listen_on_is_taken_apart_or_refused) {
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {{"127.0.0.1:7536", "127.0.0.1", 7536},
                {"[::1]:0", "::1", 0},
                {":65535", "", 65535},
                {"localhost:080", "localhost", 80}};
    static const char *const bad[] = {"",
                                      "7536",
                                      "a:",
                                      "a:b",
                                      "a:+80",
                                      "a: 80",
                                      "a:-0",
                                      "a:65536",
                                      "a:80x",
                                      "::1:80",
                                      "[::1:80",
                                      "::1]:80",
                                      "[[::1]]:80",
                                      "[]:80",
                                      "[::1]",
                                      "a:000080",
                                      "0123456789abcde:1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char host[16] = "";
        int port = -1;
        struct error e = {0};
        cr_assert_eq(web_split_address(good[i].text, host, sizeof host, &port, &e), ERR_OK, "%s",
                     good[i].text);
        cr_expect_str_eq(host, good[i].host);
        cr_expect_eq(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char host[15] = "as it was";
        int port = -1;
        struct error e = {0};
        cr_expect_eq(web_split_address(bad[i], host, sizeof host, &port, &e), ERR_USAGE, "%s",
                     bad[i]);
        cr_expect(port == -1 && strcmp(host, "as it was") == 0);
    }
}

Test(web, half_a_request_serves_nothing) {
    char out[256];
    int fd = served_connect(&served);
    served_send(fd, "POST /v1/echo HTTP/1.1\r\nHost: plek\r\nContent-Length: 50\r\n\r\n{\"a\":");
    close(fd);
    raw("GET /healthz HTTP/1.1\r\nHost: plek\r\n\r\n", "ok\n", out, sizeof out);
    cr_assert_eq(atomic_load(&served.calls), 0);
}

static void wait_late(int count) {
    int64_t until_ms = clock_monotonic_ms() + 10000;
    while (atomic_load(&served.late_waiting) < count && clock_monotonic_ms() < until_ms)
        sched_yield();
    cr_assert_eq(atomic_load(&served.late_waiting), count);
}

Test(web, answer_may_come_later) {
    char out[1024];
    int fd = served_connect(&served);
    served_send(fd, "GET /v1/later HTTP/1.1\r\nHost: plek\r\n\r\n");
    wait_late(1);
    atomic_store(&served.answer_late, true);
    uv_async_send(&served.wake);
    served_read(fd, "}", out, sizeof out);
    cr_assert(strstr(out, "{\"late\":true}"), "%s", out);
    close(fd);
}

/* A client that gives up before its answer comes must not take the daemon with it. */
Test(web, client_may_leave_before_its_answer) {
    char out[1024];
    int fd = served_connect(&served);
    served_send(fd, "GET /v1/later HTTP/1.1\r\nHost: plek\r\n\r\n");
    wait_late(1);
    close(fd);
    raw("GET /healthz HTTP/1.1\r\nHost: plek\r\n\r\n", "ok\n", out, sizeof out);
    atomic_store(&served.answer_late, true);
    uv_async_send(&served.wake);
    raw("GET /v1/status HTTP/1.1\r\nHost: plek\r\n\r\n", "}", out, sizeof out);
    cr_assert(strstr(out, " 200 "), "%s", out);
}

/* Events told while a follower has not been written to are told once each, in order. */
Test(web, followers_get_each_event) {
    char a[4096], b[4096];
    int first = served_connect(&served), second = served_connect(&served);
    static const char request[] = "GET /v1/events HTTP/1.1\r\nHost: plek\r\n\r\n";
    served_send(first, request);
    served_send(second, request);
    served_read(first, "\r\n\r\n", a, sizeof a);
    served_read(second, "\r\n\r\n", b, sizeof b);
    cr_assert(strstr(a, "text/event-stream"), "%s", a);
    served_tell(&served, 7);
    served_read(first, "event: status\ndata: {}\n\n", a, sizeof a);
    cr_assert_str_eq(a, "event: picture\ndata: {}\n\nevent: lines\ndata: {}\n\n"
                        "event: status\ndata: {}\n\n");
    close(first);
    served_read(second, "event: status\ndata: {}\n\n", b, sizeof b);
    served_tell(&served, 1);
    served_read(second, "\n\n", b, sizeof b);
    cr_assert_str_eq(b, "event: picture\ndata: {}\n\n");
    close(second);
}

/* How often the loop turned in a while without anything to do. */
static unsigned idle_turns(void) {
    usleep(100000);
    unsigned before = atomic_load(&served.turns);
    usleep(300000);
    return atomic_load(&served.turns) - before;
}

Test(web, who_leaves_a_stream_of_events_keeps_nobody_busy) {
    char text[1024];
    int fd = served_connect(&served);
    served_send(fd, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(strstr(served_read(fd, "\r\n\r\n", text, sizeof text), "text/event-stream"));
    served_send(fd, "more than was asked");
    cr_expect_lt(idle_turns(), 100, "while something waits unread");
    close(fd);
    cr_expect_lt(idle_turns(), 100, "after it left");
}

Test(web, who_leaves_before_the_answer_keeps_nobody_busy) {
    int fd = served_connect(&served);
    served_send(fd, "GET /v1/later HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/status HTTP/1.1\r\n");
    while (atomic_load(&served.late_waiting) == 0)
        usleep(1000);
    cr_expect_lt(idle_turns(), 100, "while it waits");
    close(fd);
    cr_expect_lt(idle_turns(), 100, "after it left");
}

Test(web, requests_in_one_packet_are_answered_one_by_one) {
    char text[4096];
    int fd = served_connect(&served);
    served_send(fd, "GET /v1/echo/a HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /v1/echo/b HTTP/1.1\r\nHost: x\r\n\r\n");
    served_read(fd, "\"name\":\"b\"", text, sizeof text);
    const char *first = strstr(text, "\"name\":\"a\"");
    cr_assert(first && strstr(first, "\"name\":\"b\""), "%s", text);
    close(fd);
}

Test(web, websocket_without_a_subprotocol_is_closed_with_a_reason) {
    char out[2048];
    int fd = served_connect(&served);
    served_send(fd,
                "GET / HTTP/1.1\r\nHost: plek\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    served_read(fd, "subprotocol", out, sizeof out);
    cr_assert(strstr(out, " 101 ") && strstr(out, "name a subprotocol"), "%s", out);
    close(fd);
}

Test(web, stale_socket_is_replaced_and_a_long_path_refused) {
    struct error e = {0};
    struct dialogue d;
    served_done(&served);
    served_start(&served, false);
    cr_assert_eq(served.calls, 0);
    dialogue_open(&d);
    dialogue_close(&d);
    char path[PATH_MAX];
    memset(path, 'p', 200);
    memcpy(path, "/tmp/", 5);
    path[200] = '\0';
    cr_assert_eq(web_listen_socket(served.web, served.context, path, &e), ERR_IO);
    cr_assert(strstr(e.detail, path), "%s", e.detail);
}

static void setup_public(void) {
    served_start(&served, true);
}

TestSuite(web_public, .init = setup_public, .fini = teardown, .timeout = 60);

/* The address that strangers reach must not offer the local API, whatever the path. */
Test(web_public, serves_health_and_nothing_else) {
    char out[2048];
    raw("GET /healthz HTTP/1.1\r\nHost: plek\r\n\r\n", "ok\n", out, sizeof out);
    cr_assert(strstr(out, " 200 ") && strstr(out, "ok\n"), "%s", out);
    static const char *const refused[] = {
        "GET /v1/status HTTP/1.1\r\nHost: plek\r\n\r\n",
        "GET /v1/events HTTP/1.1\r\nHost: plek\r\n\r\n",
        "GET /healthz/../v1/status HTTP/1.1\r\nHost: plek\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: plek\r\nContent-Length: 2\r\n\r\n{}",
        "DELETE /v1/echo/x HTTP/1.1\r\nHost: plek\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        raw(refused[i], "}}", out, sizeof out);
        cr_assert(strstr(out, " 403 "), "%s gave %s", refused[i], out);
    }
    cr_assert_eq(atomic_load(&served.calls), 0);
}
