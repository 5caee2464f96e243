/* Owns asking a daemon over HTTP (ask.h). Must not end a test. */
#include "ask.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

#define ANSWER_MAX (1024 * 1024)

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

/* The body of an answer with status 200, for the caller to free; NULL else. */
static char *get(const struct sockaddr *to, socklen_t to_len, const char *path, int wait_ms) {
    char request[512], *answer = malloc(ANSWER_MAX);
    size_t len = 0;
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool whole = answer && fd >= 0 && connect(fd, to, to_len) == 0 &&
                 send(fd, request, (size_t)n, MSG_NOSIGNAL) == n &&
                 read_all(fd, deadline_ms, answer, &len);
    if (fd >= 0)
        close(fd);
    char *body = whole && strstr(answer, " 200 ") ? strstr(answer, "\r\n\r\n") : NULL;
    if (body)
        memmove(answer, body + 4, strlen(body + 4) + 1);
    else
        free(answer);
    return body ? answer : NULL;
}

char *ask_socket(const char *socket, const char *path, int wait_ms) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int n = snprintf(to.sun_path, sizeof to.sun_path, "%s", socket);
    return n < (int)sizeof to.sun_path ? get((const struct sockaddr *)&to, sizeof to, path, wait_ms)
                                       : NULL;
}

double ask_health_ms(const char *address, int wait_ms) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(address, ':');
    if (!colon || colon - address >= (int)sizeof host)
        return -1;
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return -1;
    struct timespec from, until;
    clock_gettime(CLOCK_MONOTONIC, &from);
    char *body = get((const struct sockaddr *)&to, sizeof to, "/healthz", wait_ms);
    clock_gettime(CLOCK_MONOTONIC, &until);
    bool well = body && strncmp(body, "ok ", 3) == 0;
    free(body);
    return well ? (double)(until.tv_sec - from.tv_sec) * 1e3 +
                      (double)(until.tv_nsec - from.tv_nsec) / 1e6
                : -1;
}
