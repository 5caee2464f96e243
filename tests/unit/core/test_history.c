/* Tests history's bytes: one encoding for one content, and reading a stranger's. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "codec.h"
#include "flip.h"
#include "history.h"
#include "plek.pb-c.h"

#define T0 INT64_C(1763730000000)
#define HOUR INT64_C(3600000)
#define A(v)                                                                                       \
    (struct amount) {                                                                              \
        true, v                                                                                    \
    }

/* Two series, three points. */
struct sample {
    struct history h;
    struct site sites[1];
    struct history_series series[2];
    struct history_point points[3];
};

static void sample(struct sample *s) {
    *s = (struct sample){.h = {.counter = 7}};
    s->sites[0] = (struct site){.id = 3, .name = "Noord", .region = "nh"};
    s->series[0] = (struct history_series){
        .site = 3, .service = "bed", .precision = PRECISION_EXACT, .first = 0, .count = 2};
    s->series[1] = (struct history_series){.site = 3,
                                           .service = "bed",
                                           .ward = "A",
                                           .precision = PRECISION_BAND,
                                           .first = 2,
                                           .count = 1};
    s->points[0] = (struct history_point){.available = A(-2),
                                          .total = A(10),
                                          .occupied = A(12),
                                          .status = STATUS_FULL,
                                          .observed_ms = T0,
                                          .valid_until_ms = T0 + 24 * HOUR};
    s->points[1] = (struct history_point){
        .available = A(0), .observed_ms = T0 + 1000, .valid_until_ms = T0 + 1000 + HOUR};
    s->points[2] = (struct history_point){.has_band = true,
                                          .low = 3,
                                          .high = A(5),
                                          .observed_ms = T0 - T0 % (HOUR / 4),
                                          .valid_until_ms = T0 + 25 * HOUR};
    s->h.sites = s->sites;
    s->h.series = s->series;
    s->h.points = s->points;
    s->h.site_count = 1;
    s->h.series_count = 2;
    s->h.point_count = 3;
}

static struct buf encoded(const struct history *h) {
    struct error e = {0};
    struct buf b;
    buf_init(&b, VIEW_MAX_BYTES);
    cr_assert_eq(history_encode(h, &b, &e), ERR_OK, "%s", e.detail);
    return b;
}

static void same_amount(struct amount a, struct amount b) {
    cr_assert_eq(a.known, b.known);
    cr_assert(!a.known || a.value == b.value);
}

Test(history, what_was_written_is_read) {
    struct sample s;
    struct history *read = NULL;
    struct error e = {0};
    sample(&s);
    struct buf bytes = encoded(&s.h);
    cr_assert_eq(history_decode(buf_bytes(&bytes), &read, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(read->counter, 7u);
    cr_assert_str_eq(history_site(read, 3)->name, "Noord");
    cr_assert_null(history_site(read, 4));
    cr_assert_eq(read->series_count, 2u);
    cr_assert_str_eq(read->series[1].ward, "A");
    cr_assert_eq(read->series[1].precision, PRECISION_BAND);
    cr_assert_eq(read->point_count, 3u);
    for (size_t i = 0; i < 3; i++) {
        const struct history_point *a = &s.points[i], *b = &read->points[i];
        same_amount(a->available, b->available);
        same_amount(a->total, b->total);
        same_amount(a->occupied, b->occupied);
        same_amount(a->high, b->high);
        cr_assert_eq(a->has_band, b->has_band);
        cr_assert_eq(a->low, b->low);
        cr_assert_eq(a->status, b->status);
        cr_assert_eq(a->observed_ms, b->observed_ms);
        cr_assert_eq(a->valid_until_ms, b->valid_until_ms);
    }
    history_free(read);
    history_free(NULL);
    buf_done(&bytes);
}

/* Worked by hand from the schema: field numbers, zigzag, times relative to the oldest. */
Test(history, golden_bytes) {
    struct history h = {.counter = 7};
    struct site site = {.id = 3, .name = "Hof"};
    struct history_series series = {
        .site = 3, .service = "bed", .precision = PRECISION_EXACT, .count = 1};
    struct history_point point = {.available = A(2),
                                  .status = STATUS_ADMITTING,
                                  .observed_ms = INT64_C(1763731472000),
                                  .valid_until_ms = INT64_C(1763731472000) + HOUR};
    h.sites = &site;
    h.series = &series;
    h.points = &point;
    h.site_count = h.series_count = h.point_count = 1;
    struct buf bytes = encoded(&h);
    char *found = malloc(2 * bytes.len + 1);
    hex_encode(found, buf_bytes(&bytes));
    cr_assert_str_eq(found, "080710a0a083920d1a0708031203486f6622140803120362"
                            "65642001320908001001180460a038");
    free(found);
    buf_done(&bytes);
}

static void decode_any(struct bytes in, size_t at, void *ctx) {
    struct history *h = NULL;
    struct error e = {0};
    size_t *refused = ctx;
    (void)at;
    enum err code = history_decode(in, &h, &e);
    cr_assert(code == ERR_OK || code == ERR_MALFORMED || code == ERR_CAP, "%s", error_name(code));
    cr_assert_eq(code != ERR_OK, h == NULL);
    *refused += code != ERR_OK;
    history_free(h);
}

Test(history, cut_and_flipped_bytes_never_crash) {
    struct sample s;
    size_t cut = 0, flipped = 0;
    sample(&s);
    struct buf bytes = encoded(&s.h);
    cr_assert_eq(truncate_each(buf_bytes(&bytes), decode_any, &cut), bytes.len);
    cr_assert_eq(flip_each_bit(buf_bytes(&bytes), decode_any, &flipped), bytes.len * 8);
    cr_assert_gt(cut, bytes.len / 2, "%zu of %zu", cut, bytes.len);
    cr_assert_gt(flipped, 100u);
    buf_done(&bytes);
}

/* A change to the decoded message, encoded again. */
typedef void damage(Plek__History *m);

static void refused(damage *fn, enum err expected, const char *what) {
    struct sample s;
    struct error e = {0};
    ProtobufCMessage *message = NULL;
    struct history *h = NULL;
    struct buf out;
    sample(&s);
    struct buf bytes = encoded(&s.h);
    cr_assert_eq(codec_decode_view(&plek__history__descriptor, buf_bytes(&bytes), VIEW_MAX_BYTES,
                                   "history", &message, &e),
                 ERR_OK);
    fn((Plek__History *)message);
    buf_init(&out, VIEW_MAX_BYTES);
    codec_encode(message, &out);
    enum err code = history_decode(buf_bytes(&out), &h, &e);
    cr_assert_eq(code, expected, "%s: found %s (%s)", what, error_name(code), e.detail);
    cr_assert_null(h);
    cr_assert_neq(e.detail[0], '\0');
    codec_free(message);
    buf_done(&out);
    buf_done(&bytes);
}

static void no_counter(Plek__History *m) {
    m->counter = 0;
}
static void bad_base(Plek__History *m) {
    m->base_s = -1;
}
static void other_site(Plek__History *m) {
    m->series[0]->site = 9;
}
static void twice(Plek__History *m) {
    m->series[0]->points[1]->observed_s = 0;
}
static void overflow(Plek__History *m) {
    m->series[0]->points[0]->observed_s = INT64_MAX;
}
static void no_validity(Plek__History *m) {
    m->series[0]->points[0]->has_valid_s = 0;
}
static void long_validity(Plek__History *m) {
    m->series[0]->points[0]->valid_s = INT64_MAX;
}
static void bad_precision(Plek__History *m) {
    m->series[0]->precision = 5;
}
static void step_of_exact(Plek__History *m) {
    m->series[0]->has_step = 1;
}
static void more_than_band(Plek__History *m) {
    m->series[1]->points[0]->has_total = 1;
}
static void out_of_order(Plek__History *m) {
    Plek__Series *first = m->series[0];
    m->series[0] = m->series[1];
    m->series[1] = first;
}
static void bad_status(Plek__History *m) {
    m->series[0]->points[0]->status = 5;
}
static void negative(Plek__History *m) {
    m->series[0]->points[0]->total = -1;
}

Test(history, what_it_says_must_make_sense) {
    refused(no_counter, ERR_MALFORMED, "counter 0");
    refused(bad_base, ERR_MALFORMED, "base before 1970");
    refused(other_site, ERR_MALFORMED, "no card");
    refused(twice, ERR_MALFORMED, "one time twice");
    refused(overflow, ERR_MALFORMED, "no time");
    refused(no_validity, ERR_MALFORMED, "no validity");
    refused(long_validity, ERR_MALFORMED, "a validity without end");
    refused(bad_precision, ERR_MALFORMED, "precision 5");
    refused(step_of_exact, ERR_MALFORMED, "a step of exact");
    refused(more_than_band, ERR_MALFORMED, "a total beside a band");
    refused(out_of_order, ERR_MALFORMED, "series out of order");
    refused(bad_status, ERR_MALFORMED, "status 5");
    refused(negative, ERR_MALFORMED, "a negative total");
}

Test(history, more_points_than_a_view_may_have_are_refused) {
    size_t count = HISTORY_MAX_POINTS + 1;
    struct history_point *points = calloc(count, sizeof *points);
    struct site site = {.id = 1, .name = "X"};
    struct history_series series = {
        .site = 1, .service = "bed", .precision = PRECISION_EXACT, .count = count};
    struct history h = {.counter = 1,
                        .sites = &site,
                        .site_count = 1,
                        .series = &series,
                        .series_count = 1,
                        .points = points,
                        .point_count = count};
    struct history *read = NULL;
    struct error e = {0};
    for (size_t i = 0; i < count; i++)
        points[i].observed_ms = points[i].valid_until_ms = T0 + (int64_t)i * 1000;
    struct buf bytes = encoded(&h);
    cr_assert_eq(history_decode(buf_bytes(&bytes), &read, &e), ERR_CAP, "%s", e.detail);
    buf_done(&bytes);
    series.count = h.point_count = count - 1;
    bytes = encoded(&h);
    cr_assert_eq(history_decode(buf_bytes(&bytes), &read, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(read->point_count, count - 1);
    history_free(read);
    buf_done(&bytes);
    free(points);
}

Test(history, validity_is_judged_by_the_charter) {
    struct sample s;
    struct error e = {0};
    sample(&s);
    cr_assert_eq(history_check_clock(&s.h, 0, 26 * HOUR, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(history_check_clock(&s.h, -T0, 26 * HOUR, &e), ERR_VALIDITY);
    cr_assert_eq(history_check_clock(&s.h, 0, 23 * HOUR, &e), ERR_VALIDITY);
}

/* The one way figures get coarser is precision.c's. */
Test(history, below_exact_only_the_precision_is_said) {
    struct error e = {0};
    struct precision light, exact;
    struct charter_service service = {.code = "bed"};
    struct capacity c = {.total = A(10),
                         .occupied = A(9),
                         .free = A(1),
                         .status = STATUS_ADMITTING,
                         .observed_ms = T0 + 61234,
                         .valid_until_ms = T0 + HOUR};
    struct history_point p;
    cr_assert_eq(precision_parse("light", &light, &e), ERR_OK);
    cr_assert_eq(precision_parse("exact", &exact, &e), ERR_OK);
    cr_assert(history_disclose(&light, &c, &service, &p));
    cr_assert(!p.available.known && !p.total.known && !p.occupied.known && !p.has_band);
    cr_assert_eq(p.light, LIGHT_ORANGE);
    cr_assert_eq(p.observed_ms % (HOUR / 4), 0);
    cr_assert(history_disclose(&exact, &c, &service, &p));
    cr_assert_eq(p.observed_ms, T0 + 61000);
    cr_assert_eq(p.available.value, 1);
    c.observed_ms = 60000;
    cr_assert_not(history_disclose(&light, &c, &service, &p), "before any quarter of an hour");
}
