/* HTTP abuse of both daemons' listeners: shapes of requests that are no good, one by one, and the
 * same in numbers. None gets what it should not, the daemon answers everybody else all the while,
 * and memory stays under a stated cap. Figures are printed, no duration is asserted. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gauge.h"

#define CAP_KIB (24 * 1024)

static struct lab lab;
static struct network net;
static struct actor author, reader;
static struct gauge gauges[2]; /* the hub's, the agent's */
static const char *const names[] = {"hub", "agent"};

static const char *agent_address(struct process *p) {
    const char *at = strstr(lab_read(&lab, p->out), "web=http://");
    cr_assert_not_null(at);
    at += strlen("web=http://");
    return lab_text(&lab, "%.*s", (int)strcspn(at, " \r\n"), at);
}

static void setup(void) {
    lab_open(&lab, "http");
    network_init(&net, &lab, NULL);
    lab_write(lab_text(&lab, "%s/hub.conf", net.hub_dir), "log.level = error\npublic = yes\n");
    struct process *hub = network_run_hub(&net, NULL);
    struct process *agent = network_add(&net, "A", NULL);
    gauge_admit(&net, &reader, "Reader", 1);
    gauge_admit(&net, &author, "Author", 2);
    gauges[0] =
        (struct gauge){.lab = &lab, .address = net.address, .author = &author, .reader = &reader};
    gauges[1] = (struct gauge){.lab = &lab, .address = agent_address(agent), .path = "/"};
    gauge_prove(&gauges[0]);
    gauge_prove(&gauges[1]);
    gauge_open(&gauges[0], net.address, hub->pid);
    gauge_open(&gauges[1], gauges[1].address, agent->pid);
}

static void teardown(void) {
    actor_done(&author);
    actor_done(&reader);
    lab_close(&lab);
}

TestSuite(http, .init = setup, .fini = teardown, .timeout = 900);

static void finish(const char *what) {
    for (int i = 0; i < 2; i++)
        gauge_close(&gauges[i], lab_text(&lab, "%s, %s", names[i], what), CAP_KIB);
    lab_pass(&lab);
}

/* ---- one request at a time ---- */

/* What came until the end, or until nothing came for a second. */
static const char *answer_to(const char *address, const char *request, size_t len) {
    static char answer[65536];
    struct peer p;
    size_t got = 0;
    peer_open(&p, address);
    (void)peer_send(&p, request, len);
    struct pollfd wanted = {.fd = p.fd, .events = POLLIN};
    while (got < sizeof answer - 1 && poll(&wanted, 1, got ? 150 : 1000) > 0) {
        ssize_t n = recv(p.fd, answer + got, sizeof answer - 1 - got, 0);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    peer_close(&p);
    answer[got] = '\0';
    return answer;
}

static int count_of(const char *text, const char *what) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

#define HOST "Host: localhost\r\n"
#define JSON "Content-Type: application/json\r\n"
/* `never`: must not stand in the answer; `expect`: has to ("" anything, silence too). */
static const struct shape {
    const char *what, *request, *expect, *never;
} shapes[] = {
    {"another host's name", "GET /v1/me HTTP/1.1\r\nHost: evil.example\r\n\r\n", " 421 ", " 200 "},
    {"no host", "GET /v1/me HTTP/1.1\r\n\r\n", "", " 200 "},
    {"two hosts", "GET /v1/me HTTP/1.1\r\n" HOST "Host: evil.example\r\n\r\n", "", " 200 "},
    {"a method nobody knows", "BREW /v1/me HTTP/1.1\r\n" HOST "\r\n", "", " 200 "},
    {"trace", "TRACE / HTTP/1.1\r\n" HOST "X-Secret: nog\r\n\r\n", "", "nog"},
    {"a proxy's request", "CONNECT evil.example:443 HTTP/1.1\r\n" HOST "\r\n", "", " 200 "},
    {"an absolute address", "GET http://evil.example/ HTTP/1.1\r\n" HOST "\r\n", "", " 200 "},
    {"up and out", "GET /../../../../etc/passwd HTTP/1.1\r\n" HOST "\r\n", "", "root:"},
    {"up and out, encoded", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" HOST "\r\n", "", "root:"},
    {"encoded twice", "GET /%252e%252e/etc/passwd HTTP/1.1\r\n" HOST "\r\n", "", "root:"},
    {"a shared file up and out", "GET /shared/..%2f..%2fhub.db HTTP/1.1\r\n" HOST "\r\n", "",
     "SQLite"},
    {"a zero byte in the path", "GET /%00/v1/me HTTP/1.1\r\n" HOST "\r\n", "", " 200 "},
    {"half an escape", "GET /%2 HTTP/1.1\r\n" HOST "\r\n", "", " 200 "},
    {"an encoded route", "GET /%761/users HTTP/1.1\r\n" HOST "\r\n", "", " 200 "},
    {"slashes", "GET //v1//users HTTP/1.1\r\n" HOST "\r\n", "", " 200 "},
    {"a change without log-in",
     "POST /v1/users HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}", " 401 ", " 200 "},
    {"a length that is none", "POST /v1/login HTTP/1.1\r\n" HOST JSON "Content-Length: x\r\n\r\n{}",
     "", " 200 "},
    {"a length below zero", "POST /v1/login HTTP/1.1\r\n" HOST JSON "Content-Length: -1\r\n\r\n{}",
     "", " 200 "},
    {"a length beyond all bounds",
     "POST /v1/login HTTP/1.1\r\n" HOST JSON "Content-Length: 99999999999999999999\r\n\r\n{}", "",
     " 200 "},
    {"a body in chunks",
     "POST /v1/login HTTP/1.1\r\n" HOST JSON
     "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
     "", " 200 "},
    {"a request behind a body in chunks",
     "POST /v1/login HTTP/1.1\r\n" HOST JSON
     "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5c\r\nGET /smuggled HTTP/1.1\r\n" HOST "\r\n",
     "", "smuggled"},
    {"a request behind two lengths",
     "POST /v1/login HTTP/1.1\r\n" HOST JSON
     "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}GET /smuggled HTTP/1.1\r\n" HOST "\r\n",
     "", "smuggled"},
    {"a header that is folded", "GET /v1/users HTTP/1.1\r\n" HOST "X: a\r\n b: c\r\n\r\n", "",
     " 200 "},
    {"line feeds alone", "GET /v1/users HTTP/1.1\nHost: localhost\n\n", "", " 200 "},
    {"a range", "GET / HTTP/1.1\r\n" HOST "Range: bytes=0-0,1-1,2-2,5-999999\r\n\r\n", "", " 206 "},
    {"any etag", "GET / HTTP/1.1\r\n" HOST "If-None-Match: *\r\n\r\n", "HTTP/1.1 ", " 500 "},
    {"etags without end", "GET / HTTP/1.1\r\n" HOST "If-None-Match: \"\"\"\"\"\",,,,W/W/\r\n\r\n",
     "HTTP/1.1 ", " 500 "},
    {"an upgrade to something else",
     "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
     "", " 101 "},
    {"HTTP/2 outright", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", " 200 "},
    {"HTTP/0.9", "GET /v1/users\r\n\r\n", "", " 200 "},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

Test(http, shapes_that_are_no_good_get_nothing) {
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < SHAPES; k++) {
            const struct shape *s = &shapes[k];
            const char *answer = answer_to(gauges[i].address, s->request, strlen(s->request));
            cr_expect(strstr(answer, s->expect), "%s, %s: %s", names[i], s->what, answer);
            cr_expect_null(strstr(answer, s->never), "%s, %s: %s", names[i], s->what, answer);
        }
        gauge_prove(&gauges[i]);
    }
    finish(lab_text(&lab, "%zu bad requests", SHAPES));
}

/* A request in the body of one that is refused is never answered. */
Test(http, a_body_is_no_second_request) {
    static const char two[] =
        "POST /v1/login HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n";
    for (int i = 0; i < 2; i++) {
        const char *answer = answer_to(gauges[i].address, two, strlen(two));
        cr_expect_leq(count_of(answer, "HTTP/1.1 "), 1, "%s: %s", names[i], answer);
    }
    finish("a body in chunks");
}

/* ---- without end ---- */

/* Sends until the other side closes, or `max` bytes went. */
static size_t pour(const char *address, const char *head, const char *piece, size_t max) {
    struct peer p;
    size_t sent = 0, len = strlen(piece);
    peer_open(&p, address);
    bool open = peer_send(&p, head, strlen(head));
    while (open && sent < max) {
        struct pollfd state = {.fd = p.fd, .events = POLLIN | POLLOUT};
        if (poll(&state, 1, 5000) <= 0)
            break; /* it reads no more: as good */
        ssize_t n =
            state.revents & POLLOUT ? send(p.fd, piece, len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        sent += n > 0 ? (size_t)n : 0;
        char nothing[4096];
        if (state.revents & (POLLIN | POLLHUP | POLLERR))
            open = recv(p.fd, nothing, sizeof nothing, MSG_DONTWAIT) > 0;
    }
    peer_close(&p);
    return sent;
}

Test(http, heads_and_bodies_without_end) {
    static char piece[8192];
    size_t max = (size_t)gauge_scale(16, 256) * 1024 * 1024;
    memset(piece, 'a', sizeof piece - 1);
    for (int i = 0; i < 2; i++) {
        const char *address = gauges[i].address;
        size_t sent[] = {
            pour(address, "GET /", piece, max),
            pour(address, "GET / HTTP/1.1\r\n" HOST "X: ", piece, max),
            pour(address, "GET / HTTP/1.1\r\n" HOST, "X-Another: header\r\n", max),
            pour(address,
                 "POST /v1/login HTTP/1.1\r\n" HOST JSON "Content-Length: 1000000000\r\n\r\n",
                 piece, max),
        };
        for (size_t k = 0; k < sizeof sent / sizeof sent[0]; k++)
            cr_expect_lt(sent[k], max, "%s read all %zu bytes of pour %zu", names[i], max, k);
        gauge_prove(&gauges[i]);
    }
    finish("heads and bodies without end");
}

/* ---- in numbers ---- */

static int fds[2048];

static void ask_all(const struct gauge *g, int from, int count, const char *request) {
    for (int i = from; i < from + count; i++) {
        fds[i] = gauge_connect(g->address, 0);
        struct pollfd ready = {.fd = fds[i], .events = POLLOUT};
        (void)poll(&ready, 1, 1000);
        (void)!send(fds[i], request, strlen(request), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static void hang_up_all(int count) {
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* A visitor from the same address as attacker `number`. */
static const char *visit_from(const struct gauge *g, int number) {
    static const char request[] = "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    static char answer[256];
    int fd = gauge_connect(g->address, number);
    struct pollfd state = {.fd = fd, .events = POLLOUT};
    (void)poll(&state, 1, LAB_DEADLINE_S * 1000);
    (void)!send(fd, request, sizeof request - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    state.events = POLLIN;
    (void)poll(&state, 1, LAB_DEADLINE_S * 1000);
    ssize_t n = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);
    answer[n > 0 ? n : 0] = '\0';
    close(fd);
    return answer;
}

/* More than there may be, in silence, in the midst of a head, and after an answer: who came first
 * makes room, for visitors from elsewhere and from the same address; there somebody may have to try
 * again while all others are just being answered. */
Test(http, idle_connections_make_room) {
    static const char *const says[] = {"", "GET / HTTP/1.1\r\nHost: loc",
                                       "GET /v1/me HTTP/1.1\r\n" HOST "\r\n"};
    int count = 1500;
    for (int i = 0; i < 2 && gauge_room(count); i++) {
        for (size_t k = 0; k < sizeof says / sizeof says[0]; k++) {
            ask_all(&gauges[i], 0, count, says[k]);
            for (int round = 0; round < 5; round++) {
                gauge_prove(&gauges[i]);
                EVENTUALLY(strstr(visit_from(&gauges[i], 0), " 200 "));
            }
            cr_expect_leq(gauge_descriptors(gauges[i].pid), gauges[i].descriptors + 520,
                          "%s holds on to them", names[i]);
            hang_up_all(count);
        }
    }
    finish("1500 idle connections of one address");
}

/* Each takes one of the places for requests and keeps it, as long as a body may take. */
Test(http, bodies_that_do_not_come) {
    int count = 300;
    for (int i = 0; i < 2; i++) {
        ask_all(&gauges[i], 0, count,
                "POST /v1/login HTTP/1.1\r\n" HOST JSON "Content-Length: 100\r\n\r\n{");
        usleep(300 * 1000);
        const char *hostile = visit_from(&gauges[i], 0);
        cr_expect(strstr(hostile, " 503 "), "%s: %s", names[i], hostile);
        const char *honest = visit_from(&gauges[i], 1000);
        cr_expect(strstr(honest, " 200 "), "%s: %s", names[i], honest);
        hang_up_all(count);
    }
    finish("300 requests whose body does not come");
}

/* A hundred requests on one connection before the first answer is read. */
Test(http, requests_in_a_row) {
    static char row[8192];
    for (int i = 0; i < 100; i++)
        snprintf(row + strlen(row), sizeof row - strlen(row),
                 "GET /v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        const char *answer = answer_to(gauges[i].address, row, strlen(row));
        cr_expect_eq(count_of(answer, " 200 "), 0);
        ask_all(&gauges[i], 0, 50, row);
        gauge_prove(&gauges[i]);
        hang_up_all(50);
    }
    finish("a hundred requests in a row, 50 times");
}

Test(http, heads_that_come_slowly) {
    int count = gauge_scale(400, 2000);
    for (int i = 0; i < 2; i++) {
        ask_all(&gauges[i], 0, count, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        for (int k = 0; k < 5; k++) {
            for (int j = 0; j < count; j++)
                (void)!send(fds[j], "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            gauge_prove(&gauges[i]);
        }
        hang_up_all(count);
    }
    finish(lab_text(&lab, "%d heads that come slowly", count));
}

Test(http, streams_of_events_without_log_in) {
    for (int i = 0; i < 2; i++) {
        ask_all(&gauges[i], 0, 300, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        for (int k = 0; k < 3; k++)
            gauge_prove(&gauges[i]);
        hang_up_all(300);
    }
    finish("300 streams of events without log-in");
}

/* Passwords are hashed by Argon2id, two at a time: members and other requests do not wait for it.
 */
Test(http, log_ins_without_end) {
    static const char body[] = "{\"user\":\"admin\",\"password\":\"guess guess guess\"}";
    const char *request =
        lab_text(&lab, "POST /v1/login HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
    HUB_DO(&net, "user", "add", "admin", "--role", "admin");
    AGENT_DO(&net, "A", "user", "add", "admin", "--role", "admin");
    for (int i = 0; i < 2; i++) {
        for (int round = 0; round < gauge_scale(3, 30); round++) {
            ask_all(&gauges[i], 0, 64, request);
            gauge_prove(&gauges[i]);
            gauge_prove(&gauges[i]);
            hang_up_all(64);
        }
    }
    /* Argon2id itself takes memory, for two passwords at a time. */
    for (int i = 0; i < 2; i++)
        gauge_close(&gauges[i], lab_text(&lab, "%s, log-ins 64 at a time", names[i]),
                    CAP_KIB + 2 * 64 * 1024);
    lab_pass(&lab);
}
