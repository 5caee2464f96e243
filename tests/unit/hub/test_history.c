/* Tests what the hub keeps of history that was sealed to it: points, by the time their sender said.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "hub_private.h"
#include "town.h"

#define DAY_MS (24 * TOWN_HOUR_MS)

static struct town t;
static struct person p;
static struct circle c;

static void setup(void) {
    town_init(&t, 41, NULL);
    person_join(&t, &p, "Noord", "provider");
    circle_new(&t, &c, &p);
}
static void teardown(void) {
    town_done(&t);
}
TestSuite(history, .init = setup, .fini = teardown);

/* One point of one line, sealed under the circle's key into the draft. */
static void draft_point(struct draft *d, uint64_t counter, int64_t observed_ms, int64_t available) {
    struct site site = {.id = 1, .name = "Huis", .region = "nh"};
    struct history_series series = {
        .site = 1, .service = "bed", .ward = "A", .precision = PRECISION_EXACT, .count = 1};
    struct history_point point = {.available = {true, available},
                                  .observed_ms = observed_ms,
                                  .valid_until_ms = observed_ms + TOWN_HOUR_MS};
    const struct history h = {counter, &site, 1, &series, 1, &point, 1};
    draft_history(&t, d, &c, &h);
}

static void publish(uint64_t counter, int64_t observed_ms, int64_t available) {
    struct draft d;
    draft_init(&t, &d, &p);
    draft_point(&d, counter, observed_ms, available);
    person_publish(&t, &p, &d);
}

static void grant_hub(void) {
    struct draft d;
    draft_init(&t, &d, &p);
    draft_grant_hub(&t, &d, &c);
    person_publish(&t, &p, &d);
}

/* "available@hours-after-the-start" of every point, in order. */
struct seen {
    char text[256];
};
static enum err see(void *ctx, const struct store_point *point, struct error *e) {
    struct seen *s = ctx;
    size_t len = strlen(s->text);
    (void)e;
    if (point->mark)
        return ERR_OK;
    cr_assert_str_eq(point->region, "nh");
    cr_assert_str_eq(point->ward, "A");
    snprintf(s->text + len, sizeof s->text - len, "%lld@%lld ",
             (long long)point->figure.available.value,
             (long long)((point->figure.observed_ms - TOWN_START_MS) / TOWN_HOUR_MS));
    return ERR_OK;
}
static void expect(const char *expected) {
    struct seen s = {""};
    struct error e = {0};
    cr_assert_eq(store_points(t.hub->store, "bed", INT64_MAX, see, &s, &e), ERR_OK, "%s", e.detail);
    cr_assert_str_eq(s.text, expected);
}

Test(history, points_are_kept_and_a_later_word_replaces) {
    grant_hub();
    publish(1, TOWN_START_MS - 2 * TOWN_HOUR_MS, 4);
    publish(2, TOWN_START_MS - 3 * TOWN_HOUR_MS, 5);
    expect("5@-3 4@-2 ");
    publish(3, TOWN_START_MS - 2 * TOWN_HOUR_MS, 6);
    expect("5@-3 6@-2 ");
}

Test(history, a_withdrawal_takes_it_back) {
    static const uint8_t plain[] = {1};
    struct draft d;
    grant_hub();
    publish(1, TOWN_START_MS - 2 * TOWN_HOUR_MS, 4);
    expect("4@-2 ");
    draft_init(&t, &d, &p);
    draft_raw(&d, VIEW_WITHDRAW, target_audience(c.id), c.key_id, bytes_of(plain, sizeof plain));
    person_publish(&t, &p, &d);
    expect("");
}

Test(history, what_came_before_the_key_is_opened_with_it) {
    publish(1, TOWN_START_MS - 2 * TOWN_HOUR_MS, 4);
    publish(2, TOWN_START_MS - 2 * TOWN_HOUR_MS, 7);
    expect("");
    grant_hub();
    expect("7@-2 ");
}

Test(history, a_clock_ahead_is_corrected_and_the_point_stays_one) {
    struct draft d;
    grant_hub();
    publish(1, TOWN_START_MS + 5 * TOWN_HOUR_MS, 1);
    draft_init(&t, &d, &p);
    d.header.claimed_ms = t.now_ms + 5 * TOWN_HOUR_MS;
    draft_point(&d, 2, TOWN_START_MS + 5 * TOWN_HOUR_MS, 2);
    person_publish(&t, &p, &d);
    char expected[32];
    snprintf(expected, sizeof expected, "2@%lld ", (long long)0);
    expect(expected);
}

static enum err count_trouble(void *ctx, const struct store_trouble *trouble, struct error *e) {
    int64_t *count = ctx;
    (void)e;
    *count += trouble->count;
    return ERR_OK;
}
static int64_t troubles(void) {
    struct error e = {0};
    int64_t count = 0;
    cr_assert_eq(store_troubles(t.hub->store, count_trouble, &count, &e), ERR_OK, "%s", e.detail);
    return count;
}

Test(history, what_cannot_be_read_is_noted_not_refused) {
    struct draft d;
    grant_hub();
    draft_init(&t, &d, &p);
    draft_raw(&d, VIEW_HISTORY, target_audience(c.id), c.key_id, bytes_str("not sealed at all"));
    person_publish(&t, &p, &d);
    expect("");
    cr_assert_eq(troubles(), 1);
}

Test(history, is_kept_as_long_as_the_charter_says) {
    grant_hub();
    publish(1, TOWN_START_MS - 2 * TOWN_HOUR_MS, 4);
    t.now_ms += 36 * DAY_MS;
    publish(2, TOWN_START_MS + 35 * DAY_MS, 8);
    while (hub_idle(t.hub, t.now_ms))
        continue;
    expect("8@840 ");
    town_change(&t, "Noord", "remove");
    expect("");
}
