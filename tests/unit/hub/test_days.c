/* Tests the sums of a run of days by hand: who counts on a day, until when, and which sites are
 * current, expired or gone. */
#include <criterion/criterion.h>
#include <string.h>

#include "days.h"

#define DAY INT64_C(86400000)
#define HOUR INT64_C(3600000)
#define DAYS 6

static const struct charter_service bed = {.code = "bed"};
/* Day 0 ends at DAY. */
static int64_t ends[DAYS];
static struct days *days;

static void setup(void) {
    struct error e = {0};
    for (int i = 0; i < DAYS; i++)
        ends[i] = (i + 1) * DAY - 1;
    const struct days_config config = {.service = &bed, .at_ms = ends, .count = DAYS};
    cr_assert_eq(days_new(&config, &days, &e), ERR_OK);
}
static void teardown(void) {
    days_free(days);
}
TestSuite(days, .init = setup, .fini = teardown);

struct said {
    uint8_t member;
    uint32_t site;
    const char *region, *ward;
    int64_t hour, hours; /* observed at, valid for */
    int64_t free;
    bool standing;
};

static void say(const struct said *s) {
    struct error e = {0};
    const struct observation o = {.member = {{s->member}},
                                  .author = s->member,
                                  .site = s->site,
                                  .region = s->region ? s->region : "",
                                  .ward = s->ward ? s->ward : "",
                                  .standing = s->standing,
                                  .precision = PRECISION_EXACT,
                                  .figure = {.available = {true, s->free},
                                             .observed_ms = s->hour * HOUR,
                                             .valid_until_ms = (s->hour + s->hours) * HOUR}};
    cr_assert_eq(days_add(days, &o, &e), ERR_OK, "%s", e.detail);
}

static void end(void) {
    struct error e = {0};
    cr_assert_eq(days_end(days, &e), ERR_OK, "%s", e.detail);
}

/* "12/2+1" a day: available, of so many current sites and so many expired ones; "-": no figure. */
static void expect(const char *region, const char *expected) {
    char text[256] = "";
    size_t r = 0;
    while (r < days_region_count(days) && strcmp(days_region(days, r), region) != 0)
        r++;
    cr_assert_lt(r, days_region_count(days), "no region %s", region);
    for (size_t d = 0; d < DAYS; d++) {
        const struct cell *c = days_cell(days, r, d);
        size_t len = strlen(text);
        char figure[32] = "-";
        if (c->low.known)
            snprintf(figure, sizeof figure, "%lld", (long long)c->low.value);
        snprintf(text + len, sizeof text - len, "%s%s/%lld+%lld", d ? " " : "", figure,
                 (long long)c->current, (long long)c->expired);
    }
    cr_assert_str_eq(text, expected);
}

static const struct cell *whole(size_t day) {
    return days_cell(days, 0, day);
}

Test(days, nothing_at_all) {
    end();
    expect("", "-/0+0 -/0+0 -/0+0 -/0+0 -/0+0 -/0+0");
}

/* Noon of day 1 for 24 hours: at the end of day 1 it counts, at the end of day 2 it has lapsed. */
Test(days, a_figure_counts_while_it_is_valid_at_the_days_end) {
    say(&(struct said){1, 1, "a", "", 36, 24, 5, true});
    end();
    expect("", "-/0+0 5/1+0 -/0+1 -/0+1 -/0+1 -/0+1");
    expect("a", "-/0+0 5/1+0 -/0+1 -/0+1 -/0+1 -/0+1");
}

/* A figure that holds until midnight holds at the day's end; one stated at midnight is the next
 * day's. */
Test(days, midnight_is_the_next_days) {
    say(&(struct said){1, 1, "", "", 24, 24, 7, true});
    end();
    expect("", "-/0+0 7/1+0 -/0+1 -/0+1 -/0+1 -/0+1");
}

Test(days, the_last_of_a_day_counts_alone) {
    say(&(struct said){1, 1, "a", "", 30, 48, 5, false});
    say(&(struct said){1, 1, "a", "", 40, 48, 6, false});
    say(&(struct said){1, 1, "a", "", 47, 48, 7, true});
    end();
    expect("", "-/0+0 7/1+0 7/1+0 -/0+1 -/0+1 -/0+1");
}

/* The newer word of one time replaces the older one. */
Test(days, of_one_time_the_later_word) {
    say(&(struct said){1, 1, "a", "", 30, 24, 5, false});
    say(&(struct said){1, 1, "a", "", 30, 24, 9, true});
    end();
    expect("", "-/0+0 9/1+0 -/0+1 -/0+1 -/0+1 -/0+1");
}

/* A newer figure that lapsed does not bring the older one back, valid for longer as that is. */
Test(days, what_was_said_last_holds_even_when_it_lapsed) {
    say(&(struct said){1, 1, "", "", 12, 120, 5, false});
    say(&(struct said){1, 1, "", "", 36, 1, 2, true});
    end();
    expect("", "5/1+0 -/0+1 -/0+1 -/0+1 -/0+1 -/0+1");
}

/* Silent on days 2 and 3, then back, then gone from its agent's picture: silence between two
 * figures is an expired site, what comes after the last one of a line that is gone is no site. */
Test(days, silent_is_expired_and_gone_is_not) {
    say(&(struct said){1, 1, "a", "", 12, 36, 5, false});
    say(&(struct said){1, 1, "a", "", 100, 24, 6, false});
    end();
    expect("", "5/1+0 5/1+0 -/0+1 -/0+1 6/1+0 -/0+0");
}

/* Site 1 has two wards, one of which lapses on day 2: the other still counts, its site is not
 * complete. Site 2 has no region: it counts in the whole network only. */
Test(days, wards_sites_and_regions) {
    say(&(struct said){1, 1, "a", "A", 12, 36, 5, true});
    say(&(struct said){1, 1, "a", "B", 12, 72, 3, true});
    say(&(struct said){1, 2, "", "", 40, 30, 100, true});
    end();
    expect("a", "8/1+0 8/1+0 3/0+1 -/0+1 -/0+1 -/0+1");
    expect("", "8/1+0 108/2+0 3/0+2 -/0+2 -/0+2 -/0+2");
    cr_assert_eq(whole(1)->members, 1, "one member, in two places");
}

/* Two members in one region; one of them with two agents (authors) is still one member. */
Test(days, members_are_counted_once) {
    struct error e = {0};
    say(&(struct said){1, 1, "a", "", 12, 24, 5, true});
    struct observation second = {
        .member = {{1}},
        .author = 2,
        .site = 1,
        .region = "a",
        .ward = "",
        .standing = true,
        .precision = PRECISION_EXACT,
        .figure = {.available = {true, 4}, .observed_ms = 13 * HOUR, .valid_until_ms = 40 * HOUR}};
    cr_assert_eq(days_add(days, &second, &e), ERR_OK);
    second.member.b[0] = 3;
    second.author = 3;
    cr_assert_eq(days_add(days, &second, &e), ERR_OK);
    end();
    expect("a", "13/3+0 -/0+3 -/0+3 -/0+3 -/0+3 -/0+3");
    cr_assert_eq(whole(0)->members, 2);
    cr_assert_eq(whole(1)->members, 0);
}

/* Known since 6:00 of day 1, though the figures of then are held no longer, and until day 3; the
 * second ward since the morning of day 2, nothing of it is left. */
Test(days, a_line_counts_from_its_first_observation_to_its_last) {
    struct error e = {0};
    struct observation o = {.member = {{1}},
                            .author = 1,
                            .site = 1,
                            .region = "a",
                            .ward = "A",
                            .mark = true,
                            .last_ms = 80 * HOUR,
                            .precision = PRECISION_EXACT,
                            .figure = {.observed_ms = 30 * HOUR, .valid_until_ms = 30 * HOUR}};
    cr_assert_eq(days_add(days, &o, &e), ERR_OK);
    say(&(struct said){1, 1, "a", "A", 80, 40, 4, false});
    o.ward = "B";
    o.figure.observed_ms = o.figure.valid_until_ms = 54 * HOUR;
    o.last_ms = 100 * HOUR;
    cr_assert_eq(days_add(days, &o, &e), ERR_OK);
    end();
    expect("", "-/0+0 -/0+1 -/0+1 4/0+1 4/1+0 -/0+0");
}

/* A band from 3 to 5 and one without an upper end, on one day; alone the next. */
Test(days, bands_add_up_to_intervals) {
    struct error e = {0};
    struct observation o = {.member = {{1}},
                            .author = 1,
                            .site = 1,
                            .region = "a",
                            .ward = "",
                            .standing = true,
                            .precision = PRECISION_BAND,
                            .figure = {.has_band = true,
                                       .low = 3,
                                       .high = {true, 5},
                                       .observed_ms = 2 * HOUR,
                                       .valid_until_ms = 72 * HOUR}};
    cr_assert_eq(days_add(days, &o, &e), ERR_OK);
    o.author = 2;
    o.member.b[0] = 2;
    o.figure.low = 6;
    o.figure.high.known = false;
    o.figure.valid_until_ms = 24 * HOUR;
    cr_assert_eq(days_add(days, &o, &e), ERR_OK);
    end();
    cr_assert_eq(whole(0)->low.value, 9);
    cr_assert(whole(0)->open_ended);
    cr_assert_eq(whole(1)->low.value, 3);
    cr_assert_eq(whole(1)->high.value, 5);
    cr_assert_not(whole(1)->open_ended);
}
