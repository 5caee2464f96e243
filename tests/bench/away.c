/* Measures a reader that was away for weeks: its processor time and its memory until it has all
 * partners' states and what they told of their past meanwhile. Source: design 8. */
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "past_rows.h"
#include "resident.h"

#define STORE "agent.db"
#define POINTS 10 /* of the past of each line */
#define LIVES 3   /* the one that took least counts: others use the machine, too */

struct away {
    struct testbed t;
    struct resident r;
    int64_t now_ms;
    struct process_usage directory, idle, tenth, all, often;
    double idle_peak_kib, tenth_peak_kib, all_peak_kib, often_peak_kib;
    double hub_s; /* the hub's time for the life that is `all` */
};

/* ---- partners ---- */

/* Partners [from, to) tell the past of their lines in so many views. */
static enum err tell(struct away *x, size_t from, size_t to, size_t views, int64_t newest_ms,
                     struct error *e) {
    size_t each = POINTS / views;
    enum err err = ERR_OK;
    for (size_t i = from; i < to && err == ERR_OK; i++)
        for (size_t k = views; k > 0 && err == ERR_OK; k--)
            err = puppet_seal_history(&x->t.puppets[i], each,
                                      newest_ms - (int64_t)((k - 1) * each) * PUPPET_PAST_STEP_MS,
                                      x->now_ms, e);
    return err == ERR_OK ? testbed_push(&x->t, from, to, e) : err;
}

/* ---- the reader ---- */

/* The least of some lives from the same store on, each with what it took of the hub. */
static enum err live(struct away *x, int lives, struct process_usage *ret, double *ret_peak_kib,
                     double *ret_hub_s, struct error *e) {
    enum err err = ERR_OK;
    ret->cpu_ns = INT64_MAX;
    for (int i = 0; i < lives && err == ERR_OK; i++) {
        struct process_usage before, after, now;
        err = backup_restore(x->r.dir, STORE, e);
        if (err == ERR_OK)
            err = process_usage(&x->t.hub, &before, e);
        if (err == ERR_OK)
            err = resident_live(&x->r, &x->t, &now, e);
        if (err == ERR_OK)
            err = process_usage(&x->t.hub, &after, e);
        if (err != ERR_OK || now.cpu_ns >= ret->cpu_ns)
            continue;
        *ret = now;
        *ret_peak_kib = x->r.peak_kib;
        if (ret_hub_s != NULL)
            *ret_hub_s = bench_seconds(after.cpu_ns - before.cpu_ns);
    }
    return err;
}

static enum err check_points(struct away *x, size_t expected, struct error *e) {
    const struct past_filter partners = {.partners = true};
    json_t *next = NULL;
    size_t count = 0;
    enum err err = resident_open(&x->r, e);
    while (err == ERR_OK && !json_is_null(next)) {
        json_t *rows = NULL, *before = next;
        err = past_rows_page(x->r.agent, &partners, json_string_value(before), &rows, &next, e);
        count += json_array_size(rows);
        json_decref(rows);
        json_decref(before);
    }
    resident_close(&x->r);
    if (err == ERR_OK && count != expected)
        err = error_set(e, ERR_INTERNAL, "the reader shows %zu past figures, expected %zu", count,
                        expected);
    return err;
}

/* A tenth of the partners tell, then the others: the same absence, with more to fetch. */
static enum err catch_up(struct away *x, struct error *e) {
    size_t count = x->t.count, few = count / 10 > 0 ? count / 10 : 1;
    enum err err = resident_live(&x->r, &x->t, &x->directory, e);
    if (err == ERR_OK)
        err = backup_keep(x->r.dir, STORE, e);
    if (err == ERR_OK)
        err = live(x, 2, &x->idle, &x->idle_peak_kib, NULL, e);
    if (err == ERR_OK)
        err = resident_told(&x->r, &x->t, count, e);
    if (err == ERR_OK)
        err = tell(x, 0, few, 1, x->now_ms, e);
    if (err == ERR_OK)
        err = live(x, 1, &x->tenth, &x->tenth_peak_kib, NULL, e);
    if (err == ERR_OK)
        err = tell(x, few, count, 1, x->now_ms, e);
    if (err == ERR_OK)
        err = live(x, LIVES, &x->all, &x->all_peak_kib, &x->hub_s, e);
    return err == ERR_OK ? check_points(x, count * PUPPET_LINES * POINTS, e) : err;
}

/* As many points again, as partners tell them that are on line: each time all lines at once. */
static enum err catch_up_often(struct away *x, struct error *e) {
    size_t count = x->t.count;
    enum err err = backup_keep(x->r.dir, STORE, e);
    if (err == ERR_OK)
        err = tell(x, 0, count, POINTS, x->now_ms - PUPPET_PAST_STEP_MS / 2, e);
    if (err == ERR_OK)
        err = live(x, 1, &x->often, &x->often_peak_kib, NULL, e);
    return err == ERR_OK ? check_points(x, 2 * count * PUPPET_LINES * POINTS, e) : err;
}

/* ---- reporting ---- */

static enum err add(struct bench *b, struct report_row row, struct error *e) {
    row.group = "away";
    return report_add(b->report, &row, e);
}

static enum err add_times(struct bench *b, const struct away *x, struct error *e) {
    char note[320];
    double verify_s = b->limits.verify_us / 1e6 * (double)x->t.count;
    double all_s = bench_seconds(x->all.cpu_ns - x->idle.cpu_ns);
    double often_s = bench_seconds(x->often.cpu_ns - x->idle.cpu_ns);
    snprintf(note, sizeof note,
             "a real plek-agent: of %zu partners the grant, the state (10 lines, a site card) and "
             "one view of %d past figures of each line; processor time of the whole daemon, the "
             "least of %d lives from the same store on, less %.0f ms of a start with nothing to "
             "fetch",
             x->t.count, POINTS, LIVES, (double)x->idle.cpu_ns / 1e6);
    enum err err = add(b,
                       (struct report_row){.name = "catch-up of states and 100 points a partner",
                                           .value = all_s,
                                           .unit = "s of CPU",
                                           .ratio_to = "its 3 verifies a partner",
                                           .ratio = all_s / (3 * verify_s),
                                           .budget = "under 2 s of CPU",
                                           .met = report_within(all_s, 2),
                                           .note = note},
                       e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "the hub's processor time for it",
                                      .value = x->hub_s,
                                      .unit = "s of CPU"},
                  e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){
                      .name = "catch-up of another 100 points a partner in 10 views",
                      .value = often_s,
                      .unit = "s of CPU",
                      .ratio_to = "its 10 verifies a partner",
                      .ratio = often_s / (10 * verify_s),
                      .note = "as partners send them that tell each round at once: ten times the "
                              "signatures for as many points, no states"},
                  e);
    return err;
}

static enum err add_memories(struct bench *b, const struct away *x, struct error *e) {
    enum err err =
        report_memory(b->report, "away", "most private memory, nothing to fetch", x->idle_peak_kib,
                      "RssAnon, looked at about fifty times a second", e);
    if (err == ERR_OK)
        err = report_memory(b->report, "away",
                            "most private memory, states and a tenth of the points",
                            x->tenth_peak_kib, NULL, e);
    if (err == ERR_OK)
        err = report_memory(b->report, "away", "most private memory, states and all points",
                            x->all_peak_kib, NULL, e);
    if (err == ERR_OK)
        err = report_memory(b->report, "away", "most private memory, 10 views a partner",
                            x->often_peak_kib, NULL, e);
    if (err == ERR_OK)
        err = report_flat(b->report, "away", "memory with ten times the points", x->tenth_peak_kib,
                          x->all_peak_kib, e);
    return err;
}

enum err bench_away(struct bench *b, struct error *e) {
    static struct away x;
    x = (struct away){.r = {.lock = -1}, .now_ms = (int64_t)time(NULL) * 1000};
    enum err err = testbed_open(&x.t, b, "away", false, e);
    if (err == ERR_OK)
        err = testbed_join(&x.t, (size_t)b->readers_partners, e);
    if (err == ERR_OK)
        err = resident_join(&x.r, &x.t, "Resident", e);
    if (err == ERR_OK)
        err = catch_up(&x, e);
    if (err == ERR_OK)
        err = catch_up_often(&x, e);
    if (err == ERR_OK)
        err = add_times(b, &x, e);
    if (err == ERR_OK)
        err = add_memories(b, &x, e);
    resident_done(&x.r);
    testbed_close(&x.t);
    return err;
}
