/* Measures wide use: one agent with 20 sites of 10 lines each, the pictures of 1,000 partners,
 * and one audience of 2,000. Source: design 8. */
#include "sharer.h"

#include <string.h>

#define SITES 20
#define LINES 10
#define PARTNERS 1000
#define WATCH_SECONDS 30

struct wide {
    struct testbed t;
    struct sharer s;
    struct process_usage start, end;
};

static enum err add(struct bench *b, struct report_row row, struct error *e) {
    row.group = "wide";
    return report_add(b->report, &row, e);
}

/* ---- sharing with all of them ---- */

static enum err make_records(struct wide *x, struct error *e) {
    char site[32];
    enum err err = ERR_OK;
    for (int i = 0; i < SITES && err == ERR_OK; i++) {
        snprintf(site, sizeof site, i == 0 ? "Resident" : "Locatie %d", i);
        if (i > 0)
            err = sharer_call(&x->s, API_POST, "/v1/sites",
                              json_pack("{s:s, s:s, s:s}", "name", site, "region", "NL-UT", "phone",
                                        "+31301234567"),
                              e);
        for (int j = 0; j < LINES && err == ERR_OK; j++)
            err = sharer_line(&x->s, site, "bed", j, 15 + (i + j) % 5, e);
    }
    return err;
}

struct step {
    double cpu_ms;
    int entries;
    size_t bytes;
};

/* The policy for this many of the members, and all that follows from it, sealed. */
static enum err share(struct wide *x, int members, struct step *policy, struct step *sealed,
                      struct error *e) {
    int64_t start = bench_cpu_ns();
    enum err err = sharer_policy(&x->s, 1, members, e);
    int64_t applied = bench_cpu_ns();
    if (err == ERR_OK)
        err = sharer_drain(&x->s, &sealed->entries, &sealed->bytes, e);
    policy->cpu_ms = (double)(applied - start) / 1e6;
    sealed->cpu_ms = (double)(bench_cpu_ns() - applied) / 1e6;
    return err;
}

static enum err add_step(struct bench *b, const char *name, const struct step *step,
                         struct error *e) {
    char note[96];
    snprintf(note, sizeof note, "in %d entries, %zu bytes together", step->entries, step->bytes);
    return add(b,
               (struct report_row){.name = name,
                                   .value = step->cpu_ms,
                                   .unit = "ms of CPU",
                                   .note = step->entries > 0 ? note : NULL},
               e);
}

static enum err share_widely(struct bench *b, struct wide *x, struct error *e) {
    struct step policy, all, again, rest;
    double update = 0;
    enum err err = share(x, SHARER_MANY, &policy, &all, e);
    if (err == ERR_OK)
        err = sharer_update(&x->s, &update, e);
    if (err == ERR_OK)
        err = share(x, SHARER_MANY - 1, &again, &rest, e);
    if (err == ERR_OK)
        err = add_step(b, "a policy for 2,000 partners, applied", &policy, e);
    if (err == ERR_OK)
        err = add_step(b, "its key granted to all of them", &all, e);
    if (err == ERR_OK)
        err = add_step(b, "one leaves: a new key for the others", &rest, e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "state update of 200 lines, one audience of 2,000",
                                      .value = update,
                                      .unit = "bytes",
                                      .note = "one view, padded to a power of two"},
                  e);
    return err;
}

/* ---- the daemon ---- */

static bool later(void *ctx) {
    return bench_now_ns() >= *(const int64_t *)ctx;
}

/* It sends what was sealed, fetches the partners' states, then is left alone. */
static enum err watch(struct wide *x, struct process_usage *ret_hub, struct error *e) {
    enum err err = resident_start(&x->s.r, e);
    if (err == ERR_OK)
        err = resident_settle(&x->s.r, &x->t, &x->start, e);
    int64_t until = bench_now_ns() + WATCH_SECONDS * INT64_C(1000000000);
    if (err == ERR_OK)
        err = testbed_until(&x->t, later, &until, WATCH_SECONDS + 10, e);
    if (err == ERR_OK)
        err = process_usage(&x->s.r.daemon, &x->end, e);
    if (err == ERR_OK)
        err = process_usage(&x->t.hub, ret_hub, e);
    return err == ERR_OK ? resident_stop(&x->s.r, e) : err;
}

static enum err add_watched(struct bench *b, const struct wide *x, const struct process_usage *hub,
                            struct error *e) {
    double minutes = WATCH_SECONDS / 60.0;
    enum err err = add(
        b,
        (struct report_row){.name = "agent's private memory (RssAnon)",
                            .value = x->end.rss_anon_kib / 1024,
                            .unit = "MiB",
                            .budget = "under 6 MiB",
                            .met = report_within(x->end.rss_anon_kib / 1024, 6),
                            .note = "200 own lines, 2,000 recipients, pictures of 1,000 "
                                    "partners with 10 lines each, a directory of 2,001 members"},
        e);
    if (err == ERR_OK)
        err = add(
            b,
            (struct report_row){.name = "its wake-ups when idle",
                                .value = (double)(x->end.switches - x->start.switches) / minutes,
                                .unit = "/min",
                                .budget = "none beyond its timers"},
            e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "hub's private memory (RssAnon)",
                                      .value = hub->rss_anon_kib / 1024,
                                      .unit = "MiB",
                                      .note = "2,001 members, one of them connected"},
                  e);
    return err;
}

static enum err run(struct bench *b, struct wide *x, struct error *e) {
    struct process_usage hub;
    enum err err = testbed_join(&x->t, SHARER_MANY, e);
    if (err == ERR_OK)
        err = resident_join(&x->s.r, &x->t, "Resident", e);
    if (err == ERR_OK)
        err = resident_told(&x->s.r, &x->t, PARTNERS, e);
    if (err == ERR_OK)
        err = resident_open(&x->s.r, e);
    if (err == ERR_OK)
        err = make_records(x, e);
    if (err == ERR_OK)
        err = sharer_approve(&x->s, e);
    if (err == ERR_OK)
        err = share_widely(b, x, e);
    resident_close(&x->s.r);
    if (err == ERR_OK)
        err = watch(x, &hub, e);
    return err == ERR_OK ? add_watched(b, x, &hub, e) : err;
}

enum err bench_wide(struct bench *b, struct error *e) {
    static struct wide x;
    x = (struct wide){.s = {.r = {.lock = -1}}};
    enum err err = testbed_open(&x.t, b, "wide", false, e);
    if (err == ERR_OK)
        err = run(b, &x, e);
    resident_done(&x.s.r);
    testbed_close(&x.t);
    return err;
}
