/* Tests of what browsers get on their address: files, headers, and what is refused before anybody
 * is known. Real HTTP over loopback. */
#include "served.h"

static struct served served;

static void setup(void) {
    served_start(&served, false);
}

static void teardown(void) {
    served_done(&served);
}

TestSuite(browsers, .init = setup, .fini = teardown, .timeout = 60);

/* Sends one request with these lines after the first, and gives what came until `end`. */
static const char *ask(const char *first, const char *lines, const char *end, char *out,
                       size_t size) {
    char request[2048];
    int fd = served_connect_browser(&served);
    snprintf(request, sizeof request, "%s HTTP/1.1\r\n%s\r\n", first, lines);
    served_send(fd, request);
    served_read(fd, end, out, size);
    close(fd);
    return out;
}

Test(browsers, get_a_file_with_what_keeps_it_safe) {
    static const char *const headers[] = {
        "content-type: text/html; charset=utf-8\r\n",
        "content-length: 8\r\n",
        "etag: \"tag\"\r\n",
        "cache-control: no-cache\r\n",
        "x-content-type-options: nosniff\r\n",
        "referrer-policy: no-referrer\r\n",
        "cross-origin-opener-policy: same-origin\r\n",
        "cross-origin-resource-policy: same-origin\r\n",
        "vary: accept-encoding\r\n",
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; "
        "connect-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'\r\n",
    };
    char out[4096];
    ask("GET /", "Host: localhost\r\n", "hello", out, sizeof out);
    cr_assert(strstr(out, " 200 ") && strstr(out, "<p>hello"), "%s", out);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        cr_expect(strstr(out, headers[i]), "%s is not in %s", headers[i], out);
    cr_expect_not(strstr(out, "content-encoding"), "%s", out);
}

Test(browsers, get_the_packed_form_when_they_take_it) {
    char out[4096];
    ask("GET /index.html", "Host: localhost\r\nAccept-Encoding: br, gzip\r\n", "PACKED", out,
        sizeof out);
    cr_expect(strstr(out, "content-encoding: gzip\r\n"), "%s", out);
    cr_expect(strstr(out, "etag: \"tag-gz\"\r\n"), "%s", out);
    cr_expect(strstr(out, "PACKED"), "%s", out);
}

Test(browsers, that_have_a_file_are_told_that_it_is_the_same) {
    char out[4096];
    ask("GET /", "Host: localhost\r\nIf-None-Match: \"tag\"\r\nConnection: close\r\n", NULL, out,
        sizeof out);
    cr_expect(strstr(out, " 304 ") && !strstr(out, "hello"), "%s", out);
    ask("GET /", "Host: localhost\r\nIf-None-Match: \"tag-gz\"\r\n", "hello", out, sizeof out);
    cr_expect(strstr(out, " 200 "), "%s", out);
}

/* The connection that a 304 came over is good for more. */
Test(browsers, ask_on_over_the_same_connection) {
    char out[4096];
    int fd = served_connect_browser(&served);
    for (int i = 0; i < 3; i++) {
        served_send(fd, "GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"tag\"\r\n\r\n");
        served_read(fd, "\r\n\r\n", out, sizeof out);
        cr_assert(strstr(out, " 304 "), "%s", out);
        served_send(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        served_read(fd, "hello", out, sizeof out);
        cr_assert(strstr(out, " 200 "), "%s", out);
    }
    close(fd);
}

Test(browsers, are_refused_by_a_name_that_is_not_ours) {
    static const char *const paths[] = {"GET /", "GET /v1/status", "GET /v1/events",
                                        "POST /v1/echo"};
    char out[4096];
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(paths[i], "Host: evil.example\r\n", "}}", out, sizeof out);
        cr_expect(strstr(out, " 421 ") && strstr(out, "\"code\":\"host\""), "%s", out);
    }
    ask("GET /", "", "}}", out, sizeof out);
    cr_expect(strstr(out, " 421 "), "without a name: %s", out);
    ask("GET /", "Host: plek.test:8443\r\n", "hello", out, sizeof out);
    cr_expect(strstr(out, " 200 "), "%s", out);
    ask("GET /healthz", "Host: monitor\r\n", "ok\n", out, sizeof out);
    cr_expect(strstr(out, " 200 "), "health is for whoever watches: %s", out);
    cr_expect_eq(atomic_load(&served.calls), 0);
}

/* Nothing of a query is dropped in silence: it is refused, or all of it arrives. */
Test(browsers, ask_by_a_query_that_is_whole) {
    static const struct {
        const char *query, *expect, *detail;
    } cases[] = {{"name=%ff", " 400 ", "'name' that is not UTF-8"},
                 {"%ff=1", " 400 ", "whose name is not UTF-8"},
                 {"name=1&x=2&name=3", " 400 ", "'name' twice"},
                 {"a=1&&b=2", " 400 ", "an empty parameter"},
                 {"a=1&", " 401 ", "log in"},
                 {"name=caf%c3%a9&b", " 401 ", "log in"}};
    char first[1600], out[4096];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(first, sizeof first, "GET /v1/status?%s", cases[i].query);
        ask(first, "Host: localhost\r\n", "}}", out, sizeof out);
        cr_expect(strstr(out, cases[i].expect) && strstr(out, cases[i].detail), "%s: %s",
                  cases[i].query, out);
    }
    snprintf(first, sizeof first, "GET /v1/status?a=1&long=%0900d", 1);
    snprintf(first + strlen(first), 300, "%0200d", 1);
    ask(first, "Host: localhost\r\n", "}}", out, sizeof out);
    cr_expect(strstr(out, " 400 ") && strstr(out, "at most 1023"), "%s", out);
}

Test(browsers, that_nobody_knows_may_not_use_the_api) {
    static const char *const requests[] = {"GET /v1/status", "GET /v1/events", "POST /v1/echo",
                                           "PUT /v1/fail"};
    char out[4096];
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        ask(requests[i], "Host: localhost\r\n", "}}", out, sizeof out);
        cr_expect(strstr(out, " 401 ") && strstr(out, "\"code\":\"login\""), "%s: %s", requests[i],
                  out);
        cr_expect(strstr(out, "cache-control: no-store\r\n"), "%s", out);
    }
}

Test(browsers, find_nothing_where_nothing_is) {
    static const char *const paths[] = {"GET /nothing.js", "GET /../index.html/x", "GET /.git",
                                        "GET //index.html/", "POST /index.html"};
    char out[4096];
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(paths[i], "Host: localhost\r\n", "}}", out, sizeof out);
        cr_expect(strstr(out, " 404 "), "%s: %s", paths[i], out);
    }
}

/* Strangers hold a few requests open; one more is told to come back, and is served when they went.
 */
Test(browsers, that_are_too_many_are_told_so) {
    char out[4096];
    int held[SERVED_MAX_OPEN];
    for (int i = 0; i < SERVED_MAX_OPEN; i++) {
        held[i] = served_connect_browser(&served);
        served_send(held[i], "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
                             "Content-Type: application/json\r\n\r\n{");
    }
    bool refused = false;
    for (int i = 0; i < 200 && !refused; i++) {
        ask("GET /v1/status", "Host: localhost\r\n", "}}", out, sizeof out);
        refused = strstr(out, " 503 ") != NULL;
    }
    cr_assert(refused && strstr(out, "\"code\":\"busy\""), "%s", out);
    for (int i = 0; i < SERVED_MAX_OPEN; i++)
        close(held[i]);
    for (int i = 0; i < 2000 && !strstr(out, " 401 "); i++)
        ask("GET /v1/status", "Host: localhost\r\n", "}}", out, sizeof out);
    cr_assert(strstr(out, " 401 "), "%s", out);
}
