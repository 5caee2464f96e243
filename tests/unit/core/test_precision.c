/* Tests precision: its text forms and what of a figure is left at each. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "precision.h"

#define MINUTE INT64_C(60000)
#define T0 INT64_C(1763730000000) /* 13:00 UTC: a whole quarter of an hour */

#define A(v)                                                                                       \
    (struct amount) {                                                                              \
        true, v                                                                                    \
    }
static const struct amount unknown = {.known = false};

static const struct charter_service beds = {.code = "bed", .decimals = 0};
static const struct charter_service hours = {.code = "hours", .decimals = 1};
static const struct charter_service lit = {
    .code = "bed", .decimals = 0, .has_light = true, .light_green = 5, .light_orange = 3};

static struct precision parsed(const char *text) {
    struct precision p = {0};
    struct error e = {0};
    cr_assert_eq(precision_parse(text, &p, &e), ERR_OK, "%s: %s", text, e.detail);
    return p;
}

static struct disclosed applied(const char *text, struct capacity c,
                                const struct charter_service *service) {
    struct precision p = parsed(text);
    struct disclosed d;
    memset(&d, 0xA5, sizeof(d));
    precision_apply(&p, &c, service, &d);
    return d;
}

/* Everything said: what must not leak below exact. */
static struct capacity full(struct amount free) {
    struct capacity c = {.total = A(10),
                         .occupied = A(4),
                         .held = A(1),
                         .blocked = A(1),
                         .need = A(7),
                         .free = free,
                         .blocked_until_ms = T0 + 1,
                         .next_free_ms = T0 + 2,
                         .status = STATUS_ADMITTING,
                         .observed_ms = T0 + 7 * MINUTE,
                         .valid_until_ms = T0 + 97 * MINUTE};
    snprintf(c.blocked_reason, sizeof c.blocked_reason, "%s", "personeel");
    snprintf(c.note, sizeof c.note, "%s", "bel eerst");
    return c;
}

Test(precision, text_forms_go_both_ways) {
    static const char *const good[] = {"exact",           "rounded:2", "rounded:5",
                                       "rounded:1000000", "band",      "light"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char text[32];
        struct precision p = parsed(good[i]);
        cr_assert_str_eq(precision_text(&p, text), good[i]);
    }
    struct precision p = parsed("band");
    cr_assert_eq(p.band_count, 3u);
    cr_assert_eq(p.bands[0], 1);
    cr_assert_eq(p.bands[1], 3);
    cr_assert_eq(p.bands[2], 6);
    cr_assert_eq(parsed("rounded:5").step, 5);
    static const char *const bad[] = {"",
                                      "Exact",
                                      "exact ",
                                      "rounded",
                                      "rounded:",
                                      "rounded:0",
                                      "rounded:1",
                                      "rounded:-5",
                                      "rounded:5x",
                                      "rounded: 5",
                                      "rounded:1000001",
                                      "rounded:05000000",
                                      "rounded:99999999999999999999",
                                      "bands",
                                      "licht"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct precision untouched = {.kind = PRECISION_LIGHT, .step = 77};
        struct error e = {0};
        cr_assert_eq(precision_parse(bad[i], &untouched, &e), ERR_DATA, "%s", bad[i]);
        cr_assert_eq(untouched.step, 77);
        cr_assert_not_null(strstr(e.detail, "rounded:N"), "%s", e.detail);
    }
}

Test(precision, exact_gives_all_that_was_entered_and_what_follows) {
    struct disclosed d = applied("exact", full(unknown), &beds);
    cr_assert(d.available.known && d.available.value == 4);
    cr_assert(d.total.known && d.total.value == 10);
    cr_assert(d.occupied.value == 4 && d.held.value == 1 && d.blocked.value == 1);
    cr_assert(d.need.known && d.need.value == 7);
    cr_assert_str_eq(d.blocked_reason, "personeel");
    cr_assert_str_eq(d.note, "bel eerst");
    cr_assert_eq(d.blocked_until_ms, T0 + 1);
    cr_assert_eq(d.next_free_ms, T0 + 2);
    cr_assert_eq(d.observed_ms, T0 + 7 * MINUTE);
    cr_assert_eq(d.valid_until_ms, T0 + 97 * MINUTE);
    cr_assert_eq(d.status, STATUS_ADMITTING);
    cr_assert(!d.has_band && !d.high.known && d.light == LIGHT_UNKNOWN);
}

Test(precision, below_exact_nothing_else_is_left) {
    static const char *const kinds[] = {"rounded:5", "band", "light"};
    for (size_t i = 0; i < 3; i++) {
        struct disclosed d = applied(kinds[i], full(A(4)), &beds);
        cr_assert(!d.total.known && !d.occupied.known && !d.held.known && !d.blocked.known &&
                      !d.need.known,
                  "%s", kinds[i]);
        cr_assert_eq(
            d.total.value + d.occupied.value + d.held.value + d.blocked.value + d.need.value, 0);
        cr_assert(d.blocked_reason[0] == '\0' && d.note[0] == '\0', "%s", kinds[i]);
        cr_assert(d.blocked_until_ms == 0 && d.next_free_ms == 0, "%s", kinds[i]);
        cr_assert_eq(d.status, STATUS_ADMITTING);
        cr_assert_eq(d.observed_ms, T0, "%s", kinds[i]);
        cr_assert_eq(d.valid_until_ms, T0 + 105 * MINUTE, "%s", kinds[i]);
        cr_assert_eq(d.available.known, i == 0, "%s", kinds[i]);
        cr_assert_eq(d.has_band, i == 1, "%s", kinds[i]);
        cr_assert_eq(d.light != LIGHT_UNKNOWN, i == 2, "%s", kinds[i]);
    }
}

Test(precision, a_whole_quarter_stays_where_it_is) {
    struct capacity c = {.observed_ms = T0, .valid_until_ms = T0 + 30 * MINUTE};
    struct disclosed d = applied("light", c, &beds);
    cr_assert_eq(d.observed_ms, T0);
    cr_assert_eq(d.valid_until_ms, T0 + 30 * MINUTE);
}

Test(precision, rounding_goes_down_also_below_zero) {
    static const struct {
        int64_t free, expected;
    } rows[] = {{0, 0},   {4, 0},    {5, 5},
                {9, 5},   {10, 10},  {-1, -5},
                {-5, -5}, {-6, -10}, {AMOUNT_MAX, AMOUNT_MAX}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct capacity c = {.free = A(rows[i].free)};
        cr_assert_eq(applied("rounded:5", c, &beds).available.value, rows[i].expected, "%lld",
                     (long long)rows[i].free);
    }
    struct capacity twelve_and_a_half = {.free = A(125)};
    cr_assert_eq(applied("rounded:5", twelve_and_a_half, &hours).available.value, 100);
    struct capacity nothing = {.total = A(5)};
    cr_assert(!applied("rounded:5", nothing, &beds).available.known, "unknown is never 0");
}

Test(precision, bands_have_the_policys_bounds) {
    static const struct {
        int64_t free, low, high; /* high -1: or more */
    } rows[] = {{-7, 0, 0}, {0, 0, 0}, {1, 1, 2},  {2, 1, 2},
                {3, 3, 5},  {5, 3, 5}, {6, 6, -1}, {5000, 6, -1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct capacity c = {.free = A(rows[i].free)};
        struct disclosed d = applied("band", c, &beds);
        cr_assert(d.has_band && !d.available.known);
        cr_assert_eq(d.low, rows[i].low, "free %lld", (long long)rows[i].free);
        cr_assert_eq(d.high.known, rows[i].high >= 0, "free %lld", (long long)rows[i].free);
        cr_assert_eq(d.high.value, rows[i].high >= 0 ? rows[i].high : 0);
    }
    struct capacity unsaid = {.total = A(5)};
    struct disclosed d = applied("band", unsaid, &beds);
    cr_assert(!d.has_band && !d.high.known && d.low == 0);
}

/* A band must hold the figure it stands for, or sums of bands would not hold the true sum. */
Test(precision, every_figure_lies_in_its_band) {
    struct precision p = {.kind = PRECISION_BAND, .bands = {1, 2, 10}, .band_count = 3};
    for (int64_t free = 0; free < 300; free++) {
        struct capacity c = {.free = A(free)};
        struct disclosed d;
        precision_apply(&p, &c, &hours, &d);
        cr_assert(d.low <= free && (!d.high.known || free <= d.high.value), "free %lld",
                  (long long)free);
        cr_assert(d.low == 0 || d.low == 10 || d.low == 20 || d.low == 100);
    }
}

Test(precision, light_by_status_then_thresholds) {
    static const struct {
        enum status status;
        struct amount free;
        enum light plain, with_thresholds;
    } rows[] = {
        {STATUS_CONSULT, {true, 9}, LIGHT_ORANGE, LIGHT_ORANGE},
        {STATUS_CONSULT, {true, 0}, LIGHT_ORANGE, LIGHT_ORANGE},
        {STATUS_CONSULT, {false, 0}, LIGHT_ORANGE, LIGHT_ORANGE},
        {STATUS_FULL, {true, 9}, LIGHT_RED, LIGHT_RED},
        {STATUS_STOPPED, {true, 9}, LIGHT_RED, LIGHT_RED},
        {STATUS_STOPPED, {false, 0}, LIGHT_RED, LIGHT_RED},
        {STATUS_UNKNOWN, {false, 0}, LIGHT_UNKNOWN, LIGHT_UNKNOWN},
        {STATUS_ADMITTING, {false, 0}, LIGHT_UNKNOWN, LIGHT_UNKNOWN},
        {STATUS_ADMITTING, {true, 0}, LIGHT_RED, LIGHT_RED},
        {STATUS_ADMITTING, {true, -2}, LIGHT_RED, LIGHT_RED},
        {STATUS_UNKNOWN, {true, 1}, LIGHT_ORANGE, LIGHT_RED},
        {STATUS_UNKNOWN, {true, 2}, LIGHT_GREEN, LIGHT_RED},
        {STATUS_UNKNOWN, {true, 3}, LIGHT_GREEN, LIGHT_ORANGE},
        {STATUS_UNKNOWN, {true, 4}, LIGHT_GREEN, LIGHT_ORANGE},
        {STATUS_ADMITTING, {true, 5}, LIGHT_GREEN, LIGHT_GREEN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct capacity c = {.status = rows[i].status, .free = rows[i].free};
        cr_assert_eq(applied("light", c, &beds).light, rows[i].plain, "row %zu", i);
        cr_assert_eq(applied("light", c, &lit).light, rows[i].with_thresholds, "row %zu", i);
    }
    struct capacity one_hour_and_nine_tenths = {.free = A(19)};
    cr_assert_eq(applied("light", one_hour_and_nine_tenths, &hours).light, LIGHT_ORANGE);
    cr_assert_str_eq(light_name(LIGHT_GREEN), "green");
    cr_assert_str_eq(light_name(LIGHT_ORANGE), "orange");
    cr_assert_str_eq(light_name(LIGHT_RED), "red");
    cr_assert_null(light_name(LIGHT_UNKNOWN));
}
