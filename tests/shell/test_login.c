/* Tests of log-in as browsers and programs do it: real HTTP over loopback, cookies, the page's
 * token, events, slow work, and requests that never end. */
#include "served.h"

#include "allowance.h"

static struct served served;
static struct gate gate;

static void setup(void) {
    gate_init(&gate);
    served_start_guarded(&served, false, &gate, 300);
}

static void teardown(void) {
    served_done(&served);
    gate_done(&gate);
}

TestSuite(login, .init = setup, .fini = teardown, .timeout = 60);

struct browser {
    char cookie[128], csrf[ACCESS_SECRET_SIZE];
    char answer[8192];
};

/* One request; `lines` are more header lines, `body` NULL: none. Keeps the cookie it is given. */
static const char *ask(struct browser *b, const char *first, const char *lines, const char *body) {
    char request[4096];
    int fd = served_connect_browser(&served);
    snprintf(request, sizeof request,
             "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s%s%s%s%s%s"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             first, b->cookie[0] ? "Cookie: other=1; " : "", b->cookie, b->cookie[0] ? "\r\n" : "",
             b->csrf[0] ? "X-Plek-CSRF: " : "", b->csrf, b->csrf[0] ? "\r\n" : "", lines,
             body ? strlen(body) : 0, body ? body : "");
    served_send(fd, request);
    served_read(fd, NULL, b->answer, sizeof b->answer);
    close(fd);
    const char *cookie = strstr(b->answer, "set-cookie: "),
               *csrf = strstr(b->answer, "\"csrf\":\"");
    if (cookie)
        snprintf(b->cookie, sizeof b->cookie, "%.*s", (int)strcspn(cookie + 12, ";"), cookie + 12);
    if (csrf)
        snprintf(b->csrf, sizeof b->csrf, "%.*s", (int)strcspn(csrf + 8, "\""), csrf + 8);
    return b->answer;
}

/* Before the server's thread may use the database; so each test makes its users first. */
static void make_user(const char *name, const char *role, char body[static 256]) {
    char token[ACCESS_SECRET_SIZE];
    gate_add_user(&gate, name, role, token);
    snprintf(body, 256, "{\"token\":\"%s\",\"password\":\"" GATE_PASSWORD "\"}", token);
}

#define BALIE "{\"user\":\"balie\",\"password\":\"" GATE_PASSWORD "\"}"

Test(login, gives_a_cookie_that_scripts_and_others_do_not_get) {
    struct browser b = {.cookie = ""};
    char link[256], expected[64];
    make_user("balie", "editor", link);
    cr_assert(strstr(ask(&b, "GET /v1/status", "", NULL), " 401 "), "%s", b.answer);
    ask(&b, "POST /v1/invite", "", link);
    cr_assert(strstr(b.answer, " 200 "), "%s", b.answer);
    cr_assert(strstr(b.answer, "; Path=/; HttpOnly; SameSite=Strict\r\n"), "%s", b.answer);
    snprintf(expected, sizeof expected, "plek-%d=", served.port);
    cr_assert_eq(strncmp(b.cookie, expected, strlen(expected)), 0, "%s", b.cookie);
    cr_assert(strstr(ask(&b, "GET /v1/status", "", NULL), "\"actor\":\"user:balie\""), "%s",
              b.answer);
    cr_assert(strstr(ask(&b, "POST /v1/echo", "", "{}"), " 200 "), "%s", b.answer);
    cr_assert(strstr(ask(&b, "GET /v1/users", "", NULL), "\"permission\""), "%s", b.answer);
}

Test(login, behind_tls_the_cookie_is_for_tls_only) {
    struct browser b = {.cookie = ""};
    char link[256];
    make_user("balie", "viewer", link);
    ask(&b, "POST /v1/invite", "Origin: https://localhost\r\nSec-Fetch-Site: same-origin\r\n",
        link);
    cr_assert(strstr(b.answer, "; Secure\r\n"), "%s", b.answer);
    cr_assert_eq(strncmp(b.cookie, "__Host-plek-", 12), 0, "%s", b.cookie);
    cr_assert(strstr(ask(&b, "GET /v1/status", "", NULL), " 200 "), "%s", b.answer);
}

Test(login, changes_by_other_sites_are_refused) {
    struct browser b = {.cookie = ""}, forged;
    char link[256];
    make_user("balie", "editor", link);
    ask(&b, "POST /v1/invite", "", link);
    forged = b;
    forged.csrf[0] = '\0';
    cr_assert(strstr(ask(&forged, "POST /v1/echo", "", "{}"), "\"csrf\""), "%s", forged.answer);
    forged = b;
    ask(&forged, "POST /v1/echo", "Origin: https://evil.example\r\n", "{}");
    cr_assert(strstr(forged.answer, " 403 "), "%s", forged.answer);
    ask(&forged, "POST /v1/echo", "Sec-Fetch-Site: cross-site\r\n", "{}");
    cr_assert(strstr(forged.answer, " 403 "), "%s", forged.answer);
    ask(&forged, "POST /v1/login", "Origin: http://localhost:1\r\n", BALIE);
    cr_assert(strstr(forged.answer, " 403 "), "%s", forged.answer);
}

Test(login, an_origin_that_is_too_long_is_not_left_out) {
    struct browser b = {.cookie = ""};
    char link[256], origin[400];
    make_user("balie", "editor", link);
    ask(&b, "POST /v1/invite", "", link);
    snprintf(origin, sizeof origin, "Origin: https://%0300d.example\r\n", 0);
    ask(&b, "POST /v1/echo", origin, "{}");
    cr_assert(strstr(b.answer, " 403 "), "%s", b.answer);
    snprintf(origin, sizeof origin, "Sec-Fetch-Site: %0100d\r\n", 0);
    ask(&b, "POST /v1/echo", origin, "{}");
    cr_assert(strstr(b.answer, " 403 "), "%s", b.answer);
}

/* Cookies of other programs on the same machine come along, as long as libwebsockets takes them. */
Test(login, a_session_behind_many_cookies_of_others_counts) {
    struct browser b = {.cookie = ""};
    char link[256], cookies[3000];
    make_user("balie", "viewer", link);
    ask(&b, "POST /v1/invite", "", link);
    snprintf(cookies, sizeof cookies, "Cookie: a=%01200d; b=%01200d; %s\r\n", 0, 0, b.cookie);
    b.cookie[0] = '\0';
    cr_assert(strstr(ask(&b, "GET /v1/status", cookies, NULL), " 200 "), "%s", b.answer);
}

/* Nobody can hide behind the address of a proxy by saying much before it adds whom it speaks for.
 */
Test(login, a_forwarded_for_that_is_too_long_is_not_left_out) {
    struct browser b = {.cookie = ""};
    char link[256], request[4096];
    make_user("balie", "viewer", link);
    ask(&b, "POST /v1/invite", "", link);
    for (int width = 1; width <= 3000; width += 2999) {
        int fd = served_connect_browser(&served);
        snprintf(request, sizeof request,
                 "GET /v1/status HTTP/1.1\r\nHost: plek.test\r\nConnection: close\r\nCookie: %s\r\n"
                 "X-Forwarded-For: %0*d, 192.0.2.7\r\n\r\n",
                 b.cookie, width, 0);
        served_send(fd, request);
        served_read(fd, NULL, b.answer, sizeof b.answer);
        close(fd);
        cr_assert(strstr(b.answer, "\"address\":\"192.0.2.7\""), "%s", b.answer);
    }
}

/* A form of another site could send these without the browser asking us first. */
Test(login, other_types_of_body_are_refused) {
    char out[2048];
    int fd = served_connect_browser(&served);
    served_send(fd, "POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                    "Content-Length: 2\r\n\r\n{}");
    served_read(fd, "}}", out, sizeof out);
    cr_assert(strstr(out, " 400 ") && strstr(out, "application/json"), "%s", out);
    close(fd);
}

Test(login, wrong_ones_are_told_apart_by_nothing) {
    struct browser a = {.cookie = ""}, b = {.cookie = ""}, own = {.cookie = ""};
    char link[256];
    make_user("balie", "viewer", link);
    ask(&own, "POST /v1/invite", "", link);
    ask(&a, "POST /v1/login", "", "{\"user\":\"balie\",\"password\":\"raden maar\"}");
    ask(&b, "POST /v1/login", "", "{\"user\":\"niemand\",\"password\":\"raden maar\"}");
    cr_assert(strstr(a.answer, " 401 ") && strstr(a.answer, "\"credentials\""), "%s", a.answer);
    cr_assert_str_eq(a.answer, b.answer);
    ask(&own, "POST /v1/login", "", BALIE);
    cr_assert(strstr(own.answer, " 200 "), "%s", own.answer);
}

Test(login, logging_out_takes_the_cookie_back) {
    struct browser b = {.cookie = ""}, before;
    char link[256];
    make_user("balie", "viewer", link);
    ask(&b, "POST /v1/invite", "", link);
    before = b;
    ask(&b, "POST /v1/logout", "", "{}");
    cr_assert(strstr(b.answer, " 200 ") && strstr(b.answer, "; Max-Age=0\r\n"), "%s", b.answer);
    cr_assert(strstr(ask(&before, "GET /v1/status", "", NULL), " 401 "), "%s", before.answer);
}

Test(login, followers_have_to_be_known) {
    char link[256], request[512], out[4096];
    struct browser b = {.cookie = ""};
    make_user("balie", "viewer", link);
    ask(&b, "POST /v1/invite", "", link);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = served_connect_browser(&served);
        snprintf(request, sizeof request,
                 "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\n\r\n", b.cookie);
        served_send(fds[i], request);
        served_read(fds[i], i < 2 ? "\r\n\r\n" : "}}", out, sizeof out);
        cr_assert(strstr(out, i < 2 ? "text/event-stream" : " 503 "), "%s", out);
    }
    served_tell(&served, 1);
    served_read(fds[0], "event: picture\ndata: {}\n\n", out, sizeof out);
    cr_assert(strstr(out, "event: picture"), "%s", out);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* A body that comes drop by drop is not waited for. */
Test(login, requests_that_never_end_are_ended) {
    char out[64];
    int fd = served_connect_browser(&served);
    served_send(fd, "POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
                    "\r\nContent-Length: 5000\r\n\r\n{");
    bool gone = false;
    for (int i = 0; i < 4000 && !gone; i++) {
        struct timespec pause = {0, 5 * 1000 * 1000};
        gone = send(fd, "x", 1, MSG_NOSIGNAL) < 0;
        nanosleep(&pause, NULL);
    }
    cr_assert(gone, "still waited for");
    cr_assert_str_eq(served_read(fd, NULL, out, sizeof out), "");
    close(fd);
}

/* More at a time than can be worked on: some are told to come back, and all are answered. */
Test(login, too_many_at_a_time_are_told_so) {
    enum { TRIES = SERVED_MAX_OPEN };
    int fds[TRIES], answered = 0;
    char out[2048];
    static const char body[] = "{\"user\":\"balie\",\"password\":\"raden maar\"}";
    for (int i = 0; i < TRIES; i++) {
        char request[512];
        fds[i] = served_connect_browser(&served);
        snprintf(request, sizeof request,
                 "POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
        served_send(fds[i], request);
    }
    for (int i = 0; i < TRIES; i++) {
        served_read(fds[i], "}}", out, sizeof out);
        answered += strstr(out, " 401 ") || strstr(out, " 429 ") || strstr(out, " 503 ");
        close(fds[i]);
    }
    cr_assert_eq(answered, TRIES);
}

Test(login, one_address_asks_so_much_and_no_more) {
    char out[2048];
    int fd = served_connect_browser(&served);
    bool refused = false;
    for (int i = 0; i < 20 * ALLOWANCE_BURST && !refused; i++) {
        served_send(fd, "GET /v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n");
        served_read(fd, "}}", out, sizeof out);
        refused = strstr(out, " 429 ") != NULL;
    }
    cr_assert(refused && strstr(out, "\"retry_ms\""), "%s", out);
    close(fd);
}
