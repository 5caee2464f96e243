/* Measures a joined, idle plek-agent: memory and wake-ups. Source: design 8. */
#include "resident.h"

#define PARTNERS 20
#define WATCH_SECONDS 60

static bool later(void *ctx) {
    return bench_now_ns() >= *(const int64_t *)ctx;
}

static enum err add(struct bench *b, struct report_row row, struct error *e) {
    row.group = "agent";
    return report_add(b->report, &row, e);
}

static enum err add_results(struct bench *b, const struct process_usage *start,
                            const struct process_usage *end, struct error *e) {
    double minutes = WATCH_SECONDS / 60.0;
    enum err err =
        add(b,
            (struct report_row){.name = "private memory (RssAnon)",
                                .value = end->rss_anon_kib / 1024,
                                .unit = "MiB",
                                .budget = "under 6 MiB",
                                .met = report_within(end->rss_anon_kib / 1024, 6),
                                .note = "joined, connected, pictures of 20 partners with "
                                        "10 lines each, idle"},
            e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "resident memory (RSS)",
                                      .value = end->rss_kib / 1024,
                                      .unit = "MiB",
                                      .note = "most of it is code of the libraries, shared with "
                                              "other processes that use them"},
                  e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "wake-ups when idle",
                                      .value = (double)(end->switches - start->switches) / minutes,
                                      .unit = "/min",
                                      .budget = "none beyond its timers",
                                      .note = "voluntary context switches of all its threads in 60 "
                                              "s; its timers: a ping every 25 s and libwebsockets' "
                                              "own bookkeeping"},
                  e);
    if (err == ERR_OK)
        err =
            add(b,
                (struct report_row){.name = "processor time when idle",
                                    .value = (double)(end->cpu_ns - start->cpu_ns) / 1e6 / minutes,
                                    .unit = "ms/min"},
                e);
    return err;
}

static enum err watch(struct bench *b, struct testbed *t, struct resident *r, struct error *e) {
    struct process_usage start, end;
    enum err err = resident_start(r, e);
    if (err == ERR_OK)
        err = resident_settle(r, t, &start, e);
    int64_t until = bench_now_ns() + WATCH_SECONDS * INT64_C(1000000000);
    if (err == ERR_OK)
        err = testbed_until(t, later, &until, WATCH_SECONDS + 10, e);
    if (err == ERR_OK)
        err = process_usage(&r->daemon, &end, e);
    return err == ERR_OK ? add_results(b, &start, &end, e) : err;
}

enum err bench_agent(struct bench *b, struct error *e) {
    struct testbed t;
    struct resident r = {.lock = -1};
    enum err err = testbed_open(&t, b, "agent", false, e);
    if (err == ERR_OK)
        err = testbed_join(&t, PARTNERS, e);
    if (err == ERR_OK)
        err = resident_join(&r, &t, "Resident", e);
    if (err == ERR_OK)
        err = resident_told(&r, &t, t.count, e);
    if (err == ERR_OK)
        err = watch(b, &t, &r, e);
    resident_done(&r);
    testbed_close(&t);
    return err;
}
