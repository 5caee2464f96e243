/* Measures publish to decrypted: partners change a figure at a fixed rate together, one reader
 * gets, verifies and opens every state. Source: design 8. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opening.h"
#include "pace.h"
#include "testbed.h"

#define WARM_UP_SECONDS 2
#define PATIENCE_SECONDS 10
#define P99_BUDGET_MS 25

struct latency {
    struct testbed *t;
    size_t partners; /* puppets [0, partners) publish, puppet `partners` reads */
    struct opening *opening;
    int64_t *published; /* ns of update n; puppet n % partners, seq n / partners + 2 */
    int64_t *arrived;   /* ns; 0: superseded by a newer one first */
    double *samples;    /* ms, of what arrived and counts */
    size_t total, next, sample_count, received;
    struct pace pace; /* of what the reader does with one */
    int64_t start_ns, interval_ns;
    size_t warm;        /* updates before this one are not counted */
    double late_max_ms; /* how far the generator itself fell behind its schedule */
    struct error e;
};

static int64_t wall_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum err on_take(void *ctx, const struct agent_effect *effect) {
    struct latency *l = ctx;
    long author = -1;
    uint64_t seq = 0;
    int64_t cpu_ns = pace_cpu_ns();
    enum err err = opening_take(l->opening, blob_bytes(effect->data), &author, &seq, &l->e);
    int64_t now = bench_now_ns();
    if (err != ERR_OK || author < 0 || seq < 2)
        return err;
    size_t n = (size_t)(seq - 2) * l->partners + (size_t)author;
    l->received++;
    pace_note(&l->pace, now, pace_cpu_ns() - cpu_ns);
    if (n < l->total)
        l->arrived[n] = now;
    return ERR_OK;
}

/* Publishes what is due by now; the clock of an update starts before it is sealed. */
static enum err publish_due(struct latency *l, struct error *e) {
    enum err err = ERR_OK;
    while (l->next < l->total && err == ERR_OK) {
        int64_t due = l->start_ns + (int64_t)l->next * l->interval_ns, now = bench_now_ns();
        if (now < due)
            break;
        double late_ms = (double)(now - due) / 1e6;
        if (l->next >= l->warm && late_ms > l->late_max_ms)
            l->late_max_ms = late_ms;
        struct puppet *p = &l->t->puppets[l->next % l->partners];
        l->published[l->next++] = now;
        err = puppet_seal_state(p, wall_ms(), e);
        if (err == ERR_OK)
            peer_outbox(p->peer);
    }
    return err;
}

static enum err publish_all(struct latency *l, struct error *e) {
    struct puppet_network *n = &l->t->network;
    enum err err = ERR_OK;
    l->start_ns = bench_now_ns();
    err = pace_init(&l->pace, l->start_ns, (int)(l->total / (size_t)(1000000000 / l->interval_ns)),
                    e);
    while (l->next < l->total && err == ERR_OK && !n->failed) {
        err = publish_due(l, e);
        if (err == ERR_OK)
            err = sockets_pass(n->sockets, 1, e);
    }
    if (err == ERR_OK && n->failed) {
        *e = n->why;
        err = e->code;
    }
    return err;
}

static bool last_arrived(void *ctx) {
    const struct latency *l = ctx;
    for (size_t i = 0; i < l->partners; i++)
        if (l->t->puppets[i].acked_seq < l->t->puppets[i].entry_count)
            return false;
    return peer_caught_up(l->t->puppets[l->partners].peer);
}

/* ---- preparing and reporting ---- */

static enum err open_feeds(struct latency *l, struct error *e) {
    const struct puppet *readers[] = {&l->t->puppets[l->partners]};
    enum err err = ERR_OK;
    for (size_t i = 0; i < l->partners && err == ERR_OK; i++)
        err = puppet_open_feed(&l->t->puppets[i], readers, 1, wall_ms(), e);
    return err;
}

static enum err prepare(struct latency *l, const struct bench *b, struct error *e) {
    l->partners = (size_t)b->partners;
    l->interval_ns = 1000000000 / b->rate;
    l->warm = (size_t)(WARM_UP_SECONDS * b->rate);
    l->total = l->warm + (size_t)(b->seconds * b->rate);
    l->published = calloc(l->total, sizeof *l->published);
    l->arrived = calloc(l->total, sizeof *l->arrived);
    l->samples = calloc(l->total, sizeof *l->samples);
    if (l->published == NULL || l->arrived == NULL || l->samples == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu samples", l->total);
    enum err err = testbed_join(l->t, l->partners + 1, e);
    if (err == ERR_OK)
        err = opening_new(&l->t->puppets[l->partners], l->t->puppets, l->partners, &l->opening, e);
    if (err != ERR_OK)
        return err;
    l->t->puppets[l->partners].take = on_take;
    l->t->puppets[l->partners].take_ctx = l;
    err = open_feeds(l, e);
    return err == ERR_OK ? testbed_connect(l->t, 0, l->partners + 1, e) : err;
}

/* `relay_ms`: the same percentile of the machine alone. */
static enum err add(struct bench *b, const char *name, double ms, double relay_ms, double limit,
                    const char *budget, const char *note, struct error *e) {
    double above = ms - b->limits.sync_p50_ms;
    struct report_row row = {.group = "latency",
                             .name = name,
                             .value = ms,
                             .unit = "ms",
                             .ratio_to = relay_ms > 0 ? "the machine alone" : NULL,
                             .ratio = relay_ms > 0 ? ms / relay_ms : 0,
                             .budget = budget,
                             .met = budget != NULL ? report_within(above, limit) : REPORT_NO_BUDGET,
                             .note = note};
    return report_add(b->report, &row, e);
}

static void take_samples(struct latency *l) {
    for (size_t n = l->warm; n < l->total; n++)
        if (l->arrived[n] > 0)
            l->samples[l->sample_count++] = (double)(l->arrived[n] - l->published[n]) / 1e6;
}

/* Whether those above the budget are the machine's: were they under way while the reader's own
 * work, in processor time, cost double? */
static enum err add_late(struct bench *b, struct latency *l, struct error *e) {
    char note[256];
    size_t late = 0, while_slow = 0;
    enum err err = pace_judge(&l->pace, e);
    for (size_t n = l->warm; n < l->total; n++) {
        if (l->arrived[n] - l->published[n] <= (int64_t)P99_BUDGET_MS * 1000000)
            continue;
        late++;
        while_slow += pace_slow_between(&l->pace, l->published[n], l->arrived[n]);
    }
    snprintf(
        note, sizeof note,
        "%zu of them were under way in a moment (50 ms) in which the reader's work for one took "
        "more than twice its median processor time; so were %zu of all %zu moments",
        while_slow, pace_slow_count(&l->pace), l->pace.count);
    struct report_row row = {.group = "latency",
                             .name = "above the budget of 25 ms",
                             .value = (double)late,
                             .unit = "updates",
                             .note = note};
    return err == ERR_OK ? report_add(b->report, &row, e) : err;
}

static enum err add_results(struct bench *b, struct latency *l, struct error *e) {
    char note[256];
    size_t expected = l->total - l->warm;
    double p50 = bench_percentile(l->samples, l->sample_count, 0.50);
    double p99 = bench_percentile(l->samples, l->sample_count, 0.99);
    snprintf(
        note, sizeof note,
        "%d updates a second by %zu partners for %d s: sealed, signed, sent, verified, synced, "
        "relayed, verified and opened by one reader; %zu of %zu arrived, the others were "
        "superseded by a newer one first; load generator late by %.1f ms at most",
        b->rate, l->partners, b->seconds, l->sample_count, expected, l->late_max_ms);
    enum err err = add(b, "publish to decrypted, p50", p50, b->limits.relay_p50_ms, 5,
                       "5 ms above the disk's sync", note, e);
    if (err == ERR_OK)
        err = add(b, "publish to decrypted, p99", p99, b->limits.relay_p99_ms, P99_BUDGET_MS,
                  "25 ms above the disk's sync", NULL, e);
    if (err == ERR_OK)
        err = add(b, "publish to decrypted, most", bench_percentile(l->samples, l->sample_count, 1),
                  0, 0, NULL, NULL, e);
    return err == ERR_OK ? add_late(b, l, e) : err;
}

enum err bench_latency(struct bench *b, struct error *e) {
    struct testbed t;
    struct latency l = {.t = &t};
    enum err err = testbed_open(&t, b, "latency", false, e);
    if (err == ERR_OK)
        err = prepare(&l, b, e);
    if (err == ERR_OK)
        err = publish_all(&l, e);
    if (err == ERR_OK)
        err = testbed_until(&t, last_arrived, &l, PATIENCE_SECONDS, e);
    if (err == ERR_OK)
        take_samples(&l);
    if (err == ERR_OK && l.sample_count == 0)
        err = error_set(e, ERR_INTERNAL, "no state reached the reader: %s", l.e.detail);
    if (err == ERR_OK)
        err = add_results(b, &l, e);
    else if (l.e.code != ERR_OK)
        *e = l.e;
    testbed_close(&t);
    opening_free(l.opening);
    pace_done(&l.pace);
    free(l.published);
    free(l.arrived);
    free(l.samples);
    return err;
}
