/* Owns what the parts of the benchmark share: where it works, how much it does, the machine's
 * limits found in this run, and clocks. Must not measure anything. */
#ifndef PLEK_BENCH_H
#define PLEK_BENCH_H

#include <limits.h>
#include <time.h>

#include "error.h"
#include "report.h"

#define BENCH_PATH_MAX (PATH_MAX + 64)

/* What the machine can do, from limits.c and echo.c; 0: not measured in this run. */
struct limits {
    double verify_rate;     /* Ed25519 verifications a second, one core */
    double verify_us;       /* processor time of one: what others use of the core is left out */
    double verify_all_rate; /* one thread a processor */
    double sign_rate;
    double commit_rate;  /* SQLite transactions of one 512-byte row a second */
    double row_rate;     /* such rows a second at 100 a transaction */
    double raw_row_rate; /* at 1,000 a transaction */
    double sync_rate;    /* appends of 4 KiB with fdatasync a second */
    double sync_p50_ms, sync_p99_ms;
    double relay_p50_ms, relay_p99_ms; /* the way of an update with nothing but the machine in it */
    double echo_rate;                  /* websocket messages a second through an echo server */
    double postgres_rate; /* durable single-row INSERTs a second; measured by packaging/bench */
};

struct bench {
    const char *hub, *agent; /* programs */
    const char *mosquitto;   /* the broker's program; NULL: not installed */
    const char *dir;         /* scratch, on the disk that is measured */
    int seconds;             /* of a timed phase */
    int agents;              /* live ingest */
    int window;              /* entries an agent of live ingest has under way */
    int partners;            /* publishing members of the latency measurement */
    int rate;                /* their updates a second, together */
    int readers_partners;    /* partners of find and of a reader's catch-up */
    int reingest;            /* entries that a restored hub is sent again */
    int idle;                /* idle connections */
    int growth_members;      /* where the growth curves end */
    int growth_entries;
    struct limits limits;
    struct report *report;
};

static inline int64_t bench_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
static inline int64_t bench_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
/* Sleeps until then, less than a second ahead; what time it is. */
static inline int64_t bench_wait_until(int64_t due_ns) {
    int64_t now;
    while ((now = bench_now_ns()) < due_ns)
        nanosleep(&(struct timespec){.tv_nsec = due_ns - now}, NULL);
    return now;
}
static inline double bench_seconds(int64_t ns) {
    return (double)ns / 1e9;
}

/* Sorts the samples; the value below which `share` of them lie. */
double bench_percentile(double *samples, size_t count, double share);

/* ---- measurements: each adds rows to the report ---- */
typedef enum err bench_measure(struct bench *b, struct error *e);
bench_measure bench_limits, bench_echo, bench_pace, bench_relay, bench_ingest, bench_latency,
    bench_bytes, bench_idle, bench_idle_tls, bench_agent, bench_reader, bench_away, bench_reingest,
    bench_wide, bench_mosquitto, bench_growth_members, bench_growth_recipients,
    bench_growth_entries;

#endif
