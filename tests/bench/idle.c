/* Measures what an idle, established agent costs the hub in memory, over ws and wss.
 * Source: design 8. */
#include "testbed.h"

#include <unistd.h>

#define SETTLE_SECONDS 3
#define TLS_CONNECTIONS 1000 /* each costs a handshake first */
#define FIRST                                                                                      \
    50 /* connect before the counting starts: what the first ones load once is not theirs */

static bool never(void *ctx) {
    return bench_now_ns() >= *(const int64_t *)ctx;
}

static enum err settle(struct testbed *t, struct error *e) {
    int64_t until = bench_now_ns() + SETTLE_SECONDS * INT64_C(1000000000);
    return testbed_until(t, never, &until, SETTLE_SECONDS + 5, e);
}

/* A hub that has just started: what joining once cost must not hide what a connection costs. */
static enum err restart(struct testbed *t, struct process_usage *ret, struct error *e) {
    enum err err = testbed_stop_hub(t, e);
    if (err == ERR_OK)
        err = testbed_start_hub(t, e);
    if (err == ERR_OK)
        err = testbed_connect(t, 0, FIRST, e);
    if (err == ERR_OK)
        err = settle(t, e);
    return err == ERR_OK ? process_usage(&t->hub, ret, e) : err;
}

static enum err add(struct bench *b, const struct testbed *t, const struct process_usage *before,
                    const struct process_usage *after, struct error *e) {
    char name[64], note[200];
    size_t counted = t->count - FIRST;
    double each = (after->rss_kib - before->rss_kib) / (double)counted;
    double limit = t->tls ? 30 : 12;
    snprintf(name, sizeof name, "hub's memory an idle agent, %s", t->tls ? "wss" : "ws");
    snprintf(note, sizeof note,
             "resident set with %zu members admitted: %.0f KiB with %d of them connected, %.0f KiB "
             "with %zu more, all established and caught up",
             t->count, before->rss_kib, FIRST, after->rss_kib, counted);
    struct report_row row = {.group = "memory",
                             .name = name,
                             .value = each,
                             .unit = "KiB",
                             .budget = t->tls ? "under 30 KiB" : "under 12 KiB",
                             .met = report_within(each, limit),
                             .note = note};
    return report_add(b->report, &row, e);
}

static enum err add_wakeups(struct bench *b, struct testbed *t, struct error *e) {
    struct process_usage start, end;
    enum err err = process_usage(&t->hub, &start, e);
    if (err == ERR_OK)
        err = settle(t, e);
    if (err == ERR_OK)
        err = process_usage(&t->hub, &end, e);
    if (err != ERR_OK)
        return err;
    struct report_row row = {.group = "memory",
                             .name = t->tls ? "hub's processor time with them idle, wss"
                                            : "hub's processor time with them idle, ws",
                             .value = (double)(end.cpu_ns - start.cpu_ns) / 1e6 / SETTLE_SECONDS,
                             .unit = "ms/s"};
    return report_add(b->report, &row, e);
}

static enum err measure(struct bench *b, const char *name, bool tls, size_t count,
                        struct error *e) {
    struct testbed t;
    struct process_usage before, after;
    enum err err = testbed_open(&t, b, name, tls, e);
    if (err == ERR_OK)
        err = testbed_join(&t, count, e);
    if (err == ERR_OK)
        err = restart(&t, &before, e);
    if (err == ERR_OK)
        err = testbed_connect(&t, FIRST, count, e);
    if (err == ERR_OK)
        err = settle(&t, e);
    if (err == ERR_OK)
        err = process_usage(&t.hub, &after, e);
    if (err == ERR_OK)
        err = add(b, &t, &before, &after, e);
    if (err == ERR_OK)
        err = add_wakeups(b, &t, e);
    testbed_close(&t);
    return err;
}

enum err bench_idle(struct bench *b, struct error *e) {
    return measure(b, "idle", false, (size_t)b->idle, e);
}

enum err bench_idle_tls(struct bench *b, struct error *e) {
    size_t count = b->idle < TLS_CONNECTIONS ? (size_t)b->idle : TLS_CONNECTIONS;
    return measure(b, "idle-tls", true, count, e);
}
