/* Owns what tests that inject faults have in common (faults.h). */
#include "faults.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define ANSWER_MAX (1024 * 1024)

unsigned faults_times(unsigned normal, unsigned longer) {
    return getenv("PLEK_FAULTS_LONG") ? longer : normal;
}

struct prng faults_prng(void) {
    const char *text = getenv("PLEK_FAULTS_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    faults_say("PLEK_FAULTS_SEED=%llu", (unsigned long long)seed);
    return (struct prng){seed};
}

void faults_say(const char *format, ...) {
    va_list args;
    printf("faults: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

void faults_pause_ms(int64_t ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- asking ---- */

/* Everything until the other side closes; false past the deadline or without memory. */
static bool read_all(int fd, int64_t deadline_ms, char *answer, size_t *ret_len) {
    size_t len = 0;
    for (;;) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || len + 1 >= ANSWER_MAX || poll(&wanted, 1, (int)left_ms) <= 0)
            return false;
        ssize_t n = recv(fd, answer + len, ANSWER_MAX - 1 - len, 0);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    answer[len] = '\0';
    *ret_len = len;
    return true;
}

/* The body of an answer with status 200, in `answer`; NULL else. */
static char *get(const struct sockaddr *to, socklen_t to_len, const char *path, int wait_ms,
                 char *answer) {
    char request[512];
    size_t len = 0;
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool whole = fd >= 0 && connect(fd, to, to_len) == 0 &&
                 send(fd, request, (size_t)n, MSG_NOSIGNAL) == n &&
                 read_all(fd, deadline_ms, answer, &len);
    if (fd >= 0)
        close(fd);
    char *body = whole && strstr(answer, " 200 ") ? strstr(answer, "\r\n\r\n") : NULL;
    return body ? body + 4 : NULL;
}

json_t *faults_ask(struct lab *lab, const char *dir, const char *path, int wait_ms) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int n = snprintf(to.sun_path, sizeof to.sun_path, "%s/api.sock", dir);
    cr_assert_lt(n, (int)sizeof to.sun_path, "%s is too long for a socket", dir);
    char *answer = malloc(ANSWER_MAX);
    cr_assert(answer);
    char *body = get((const struct sockaddr *)&to, sizeof to, path, wait_ms, answer);
    json_t *document = body ? json_loads(body, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (document)
        json_array_append_new(lab->documents, document);
    free(answer);
    return document;
}

double faults_health_ms(const char *address, int wait_ms) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(address, ':');
    cr_assert(colon && colon - address < (int)sizeof host, "bad address %s", address);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    cr_assert_eq(inet_pton(AF_INET, host, &to.sin_addr), 1, "bad address %s", address);
    char *answer = malloc(ANSWER_MAX);
    cr_assert(answer);
    struct timespec from, until;
    clock_gettime(CLOCK_MONOTONIC, &from);
    char *body = get((const struct sockaddr *)&to, sizeof to, "/healthz", wait_ms, answer);
    clock_gettime(CLOCK_MONOTONIC, &until);
    bool well = body && strncmp(body, "ok ", 3) == 0;
    free(answer);
    return well ? (double)(until.tv_sec - from.tv_sec) * 1e3 +
                      (double)(until.tv_nsec - from.tv_nsec) / 1e6
                : -1;
}

/* ---- what has to hold in the end ---- */

void faults_expect_calm(struct network *n, const char *name) {
    json_t *status = AGENT(n, name, "status");
    cr_assert_eq(json_array_size(json_object_get(status, "alarms")), 0, "%s alarms: %s", name,
                 lab_dump(n->lab, status));
    cr_assert_leq(number_at(status, "feed.incarnation"), 1, "%s opened another incarnation", name);
    cr_assert_eq(number_at(status, "feed.acked_seq"), number_at(status, "feed.seq"), "%s", name);
}

void faults_expect_once(struct network *n, const char *const *names) {
    json_t *hub = HUB(n, "status");
    int64_t entries = number_at(hub, "feed.seq");
    for (; *names; names++)
        entries += number_at(AGENT(n, *names, "status"), "feed.seq");
    cr_assert_eq(number_at(hub, "log"), entries, "the hub's log holds %lld entries of %lld",
                 (long long)number_at(hub, "log"), (long long)entries);
    cr_assert_eq(json_array_size(json_object_get(hub, "forks")), 0, "%s", lab_dump(n->lab, hub));
}
