/* Measures the machine's pace with nothing else running: one signature verified each millisecond.
 * Must not use the project's own code but keys.h. */
#include "pace.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys.h"

#define MOMENT_NS 50000000
#define INTERVAL_NS 1000000
#define SIGNED_BYTES 320

enum err pace_init(struct pace *p, int64_t start_ns, int seconds, struct error *e) {
    *p = (struct pace){.start_ns = start_ns, .count = (size_t)seconds * 1000000000 / MOMENT_NS};
    p->moments = calloc(p->count, sizeof *p->moments);
    return p->moments ? ERR_OK : error_set(e, ERR_NO_MEMORY, "no memory for %d seconds", seconds);
}

void pace_done(struct pace *p) {
    free(p->moments);
    *p = (struct pace){0};
}

int64_t pace_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void pace_note(struct pace *p, int64_t at_ns, int64_t cpu_ns) {
    if (at_ns < p->start_ns || (size_t)((at_ns - p->start_ns) / MOMENT_NS) >= p->count)
        return;
    struct pace_moment *moment = &p->moments[(at_ns - p->start_ns) / MOMENT_NS];
    moment->cpu_ns += cpu_ns;
    moment->count++;
}

static double mean_ns(const struct pace_moment *moment) {
    return moment->count ? (double)moment->cpu_ns / (double)moment->count : 0;
}

enum err pace_judge(struct pace *p, struct error *e) {
    double *means = calloc(p->count, sizeof *means);
    size_t count = 0;
    if (means == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu moments", p->count);
    for (size_t i = 0; i < p->count; i++)
        if (p->moments[i].count > 0)
            means[count++] = mean_ns(&p->moments[i]);
    p->slow_ns = 2 * bench_percentile(means, count, 0.50);
    free(means);
    return ERR_OK;
}

static bool is_slow(const struct pace *p, size_t moment) {
    return mean_ns(&p->moments[moment]) > p->slow_ns;
}

size_t pace_slow_count(const struct pace *p) {
    size_t slow = 0;
    for (size_t i = 0; i < p->count; i++)
        slow += is_slow(p, i);
    return slow;
}

bool pace_slow_between(const struct pace *p, int64_t from_ns, int64_t until_ns) {
    size_t first = from_ns > p->start_ns ? (size_t)((from_ns - p->start_ns) / MOMENT_NS) : 0;
    size_t last = until_ns > p->start_ns ? (size_t)((until_ns - p->start_ns) / MOMENT_NS) : 0;
    bool slow = false;
    for (size_t i = first; i <= last && i < p->count && !slow; i++)
        slow = is_slow(p, i);
    return slow;
}

/* ---- the machine alone ---- */

struct alone {
    struct sign_pair pair;
    uint8_t message[SIGNED_BYTES], signature[SIGNATURE_LEN];
    double *samples; /* us of processor time */
    size_t count;
};

static bool verify_each_interval(struct alone *a, struct pace *pace, size_t total) {
    for (size_t n = 0; n < total; n++) {
        int64_t now = bench_wait_until(pace->start_ns + (int64_t)n * INTERVAL_NS);
        int64_t before = pace_cpu_ns();
        if (crypto_sign_verify_detached(a->signature, a->message, sizeof a->message,
                                        a->pair.pub.b) != 0)
            return false;
        int64_t cpu_ns = pace_cpu_ns() - before;
        pace_note(pace, now, cpu_ns);
        a->samples[a->count++] = (double)cpu_ns / 1e3;
    }
    return true;
}

static enum err report(struct bench *b, struct alone *a, const struct pace *pace, struct error *e) {
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"processor time of one verification, p50", 0.50},
                {"processor time of one verification, p99", 0.99},
                {"processor time of one verification, most", 1}};
    char note[160];
    snprintf(note, sizeof note,
             "one each millisecond for %d s, nothing else; in %zu of %zu moments of 50 ms their "
             "mean was more than twice its median",
             b->seconds, pace_slow_count(pace), pace->count);
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && err == ERR_OK; i++) {
        struct report_row row = {.group = "pace",
                                 .name = rows[i].name,
                                 .value = bench_percentile(a->samples, a->count, rows[i].share),
                                 .unit = "us",
                                 .note = i == 0 ? note : NULL};
        err = report_add(b->report, &row, e);
    }
    return err;
}

enum err bench_pace(struct bench *b, struct error *e) {
    struct alone a = {0};
    struct pace pace = {0};
    size_t total = (size_t)b->seconds * (1000000000 / INTERVAL_NS);
    a.samples = calloc(total, sizeof *a.samples);
    if (a.samples == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu samples", total);
    randombytes_buf(a.message, sizeof a.message);
    crypto_sign_keypair(a.pair.pub.b, a.pair.secret);
    crypto_sign_detached(a.signature, NULL, a.message, sizeof a.message, a.pair.secret);
    enum err err = pace_init(&pace, bench_now_ns(), b->seconds, e);
    if (err == ERR_OK && !verify_each_interval(&a, &pace, total))
        err = error_set(e, ERR_INTERNAL, "a signature made here does not verify");
    if (err == ERR_OK)
        err = pace_judge(&pace, e);
    if (err == ERR_OK)
        err = report(b, &a, &pace, e);
    pace_done(&pace);
    free(a.samples);
    return err;
}
