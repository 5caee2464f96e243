/* Owns how a daemon fares while it is attacked (gauge.h). */
#include "gauge.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define KIB_LEFT (6 * 1024) /* of memory that an attack may leave behind */
#define OF_ONE_ADDRESS 400  /* below the hub's limit of 512 */

int gauge_scale(int normal, int large) {
    return getenv("PLEK_HOSTILE_LONG") ? large : normal;
}

void gauge_admit(struct network *n, struct actor *ret, const char *name, uint64_t seed) {
    actor_init(ret, network_invite(n, name, NULL), seed);
    actor_connect(ret);
}

/* ---- the kernel's word ---- */

static int64_t memory_kib(struct lab *lab, pid_t pid, const char *field) {
    const char *text = lab_read(lab, lab_text(lab, "/proc/%d/status", (int)pid));
    const char *at = strstr(text, field);
    cr_assert_not_null(at, "the daemon is gone");
    return strtoll(at + strlen(field), NULL, 10);
}

int gauge_descriptors(pid_t pid) {
    char path[64];
    int count = -3; /* ".", ".." and nothing of the daemon's: a directory of its own is not open */
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    cr_assert_not_null(dir, "the daemon is gone");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* The peak begins anew. */
static void forget_peak(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "5", 1) < 0)
        printf("the peak of memory is that of the whole run\n");
    if (fd >= 0)
        close(fd);
}

/* ---- life ---- */

void gauge_open(struct gauge *g, const char *address, pid_t pid) {
    g->address = address;
    g->pid = pid;
    g->worst_ms = g->update_ms = 0;
    g->proofs = 0;
    g->descriptors = gauge_descriptors(pid);
    forget_peak(pid);
    g->before_kib = memory_kib(g->lab, pid, "VmRSS:");
}

/* Who is told to come back (503) does. */
static void ask_health(const char *address, const char *path) {
    struct peer p;
    char head[4096], request[128];
    int64_t deadline_ms = lab_deadline(LAB_DEADLINE_S);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    do {
        cr_assert_not(lab_passed_deadline(deadline_ms), "told to come back for too long");
        peer_open(&p, address);
        cr_assert(peer_send_text(&p, request));
        cr_assert(peer_read_head(&p, head, sizeof head), "hung up without an answer");
        peer_close(&p);
    } while (strstr(head, " 503 "));
    cr_assert(strstr(head, " 200 "), "%s", head);
}

void gauge_prove(struct gauge *g) {
    int64_t from_ms = clock_monotonic_ms();
    ask_health(g->address, g->path ? g->path : "/healthz");
    int64_t answered_ms = clock_monotonic_ms();
    if (g->author) {
        struct actor *readers[] = {g->reader};
        actor_publish(g->author, readers, 1);
        actor_expect_state(g->reader, g->author);
    }
    int64_t update_ms = clock_monotonic_ms() - answered_ms;
    g->worst_ms = answered_ms - from_ms > g->worst_ms ? answered_ms - from_ms : g->worst_ms;
    g->update_ms = update_ms > g->update_ms ? update_ms : g->update_ms;
    g->proofs++;
}

void gauge_close(struct gauge *g, const char *what, int64_t cap_kib) {
    int64_t peak_kib = memory_kib(g->lab, g->pid, "VmHWM:") - g->before_kib;
    gauge_prove(g);
    EVENTUALLY(gauge_descriptors(g->pid) <= g->descriptors + 1);
#ifndef PLEK_SANITIZED
    EVENTUALLY(memory_kib(g->lab, g->pid, "VmRSS:") - g->before_kib <= KIB_LEFT);
#endif
    int64_t left_kib = memory_kib(g->lab, g->pid, "VmRSS:") - g->before_kib;
    printf("%-44s worst of %3d: update %5lld ms, new connection %5lld ms; memory peak +%6lld KiB "
           "(cap %lld), after +%lld\n",
           what, g->proofs, (long long)g->update_ms, (long long)g->worst_ms, (long long)peak_kib,
           (long long)cap_kib, (long long)left_kib);
    fflush(stdout);
#ifndef PLEK_SANITIZED /* a sanitizer keeps what was freed for a while */
    cr_assert_leq(peak_kib, cap_kib, "%s: %lld KiB more than before", what, (long long)peak_kib);
#endif
}

/* ---- attackers ---- */

bool gauge_room(int count) {
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    bool room = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > (rlim_t)count + 200;
    if (!room)
        printf("SKIPPED: %d connections need more descriptors than the %llu there are\n", count,
               (unsigned long long)limit.rlim_max);
    return room;
}

int gauge_connect(const char *address, int number) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(address, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    cr_assert_eq(inet_pton(AF_INET, host, &to.sin_addr), 1);
    from.sin_addr.s_addr = htonl(0x7f640001u + (uint32_t)(number / OF_ONE_ADDRESS));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0, "no descriptor for attacker %d", number);
    cr_assert_eq(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)!connect(fd, (struct sockaddr *)&to, sizeof to);
    return fd;
}
