/* Tests calendar days in time zones: both seasons, the days of the change, and years to 2045. */
#include <criterion/criterion.h>
#include <string.h>

#include "zone.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const struct zone *zone(const char *name) {
    const struct zone *z = NULL;
    struct error e = {0};
    cr_assert_eq(zone_find(name, &z, &e), ERR_OK, "%s", e.detail);
    return z;
}

static int64_t at(const char *time) {
    int64_t ms = 0;
    cr_assert_eq(text_parse_time(time, &ms, NULL), ERR_OK, "%s", time);
    return ms;
}

static void check_day(const char *name, const char *time, const char *expected) {
    char day[TEXT_DAY_SIZE];
    cr_assert_str_eq(zone_day(zone(name), at(time), day), expected, "%s %s: %s", name, time, day);
}

static void check_instant(const char *name, int year, int month, int day, int hour, int minute,
                          const char *expected) {
    char out[TEXT_TIME_SIZE];
    int64_t ms = zone_instant(zone(name), year, month, day, hour, minute);
    cr_assert_str_eq(text_time(ms, out), expected, "%s: %s", name, out);
}

Test(zone, unknown_names_are_refused) {
    static const char *const bad[] = {
        "",    "Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "Europe", "europe/amsterdam",
        "CEST"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct zone *z = (const struct zone *)bad;
        struct error e = {0};
        cr_assert_eq(zone_find(bad[i], &z, &e), ERR_DATA, "%s", bad[i]);
        cr_assert_eq(z, (const struct zone *)bad);
        cr_assert_not_null(strstr(e.detail, "expected"));
    }
}

Test(zone, winter_and_summer_days_in_amsterdam) {
    check_day("Europe/Amsterdam", "2026-01-14T22:59:59.999Z", "2026-01-14");
    check_day("Europe/Amsterdam", "2026-01-14T23:00:00Z", "2026-01-15");
    check_day("Europe/Amsterdam", "2026-07-14T21:59:59.999Z", "2026-07-14");
    check_day("Europe/Amsterdam", "2026-07-14T22:00:00Z", "2026-07-15");
    check_day("Europe/Amsterdam", "2025-12-31T23:00:00Z", "2026-01-01");
}

Test(zone, days_around_the_changes_in_amsterdam) {
    check_day("Europe/Amsterdam", "2026-03-28T22:59:59Z", "2026-03-28");
    check_day("Europe/Amsterdam", "2026-03-28T23:00:00Z", "2026-03-29");
    check_day("Europe/Amsterdam", "2026-03-29T21:59:59Z", "2026-03-29");
    check_day("Europe/Amsterdam", "2026-03-29T22:00:00Z", "2026-03-30");
    check_day("Europe/Amsterdam", "2026-10-24T21:59:59Z", "2026-10-24");
    check_day("Europe/Amsterdam", "2026-10-24T22:00:00Z", "2026-10-25");
    check_day("Europe/Amsterdam", "2026-10-25T22:59:59Z", "2026-10-25");
    check_day("Europe/Amsterdam", "2026-10-25T23:00:00Z", "2026-10-26");
}

Test(zone, instants_of_ordinary_days) {
    check_instant("Europe/Amsterdam", 2026, 1, 15, 12, 0, "2026-01-15T11:00:00Z");
    check_instant("Europe/Amsterdam", 2026, 7, 15, 12, 0, "2026-07-15T10:00:00Z");
    check_instant("UTC", 2026, 7, 15, 12, 0, "2026-07-15T12:00:00Z");
    check_instant("America/Curacao", 2026, 7, 15, 12, 30, "2026-07-15T16:30:00Z");
}

Test(zone, instants_in_the_gap_land_on_the_later_side) {
    check_instant("Europe/Amsterdam", 2026, 3, 29, 1, 59, "2026-03-29T00:59:00Z");
    check_instant("Europe/Amsterdam", 2026, 3, 29, 2, 0, "2026-03-29T01:00:00Z");
    check_instant("Europe/Amsterdam", 2026, 3, 29, 2, 30, "2026-03-29T01:30:00Z");
    check_instant("Europe/Amsterdam", 2026, 3, 29, 3, 0, "2026-03-29T01:00:00Z");
    check_instant("Europe/Amsterdam", 2026, 3, 29, 3, 30, "2026-03-29T01:30:00Z");
}

Test(zone, instants_of_the_hour_that_comes_twice_are_the_first) {
    check_instant("Europe/Amsterdam", 2026, 10, 25, 1, 59, "2026-10-24T23:59:00Z");
    check_instant("Europe/Amsterdam", 2026, 10, 25, 2, 0, "2026-10-25T00:00:00Z");
    check_instant("Europe/Amsterdam", 2026, 10, 25, 2, 59, "2026-10-25T00:59:00Z");
    check_instant("Europe/Amsterdam", 2026, 10, 25, 3, 0, "2026-10-25T02:00:00Z");
}

static int last_sunday(int year, int month) {
    int64_t last = text_days_from_civil(year, month, 31);
    return 31 - (int)((last + 4) % 7); /* 1970-01-01 was a Thursday */
}

/* The rule of Directive 2000/84/EC, computed here, against the zone, up to 2045: the system's files
 * name single changes only to 2037. */
Test(zone, amsterdam_follows_the_directive_to_2045) {
    for (int year = 1997; year <= 2045; year++) {
        int march = last_sunday(year, 3);
        int october = last_sunday(year, 10);
        int64_t starts = text_days_from_civil(year, 3, march) * DAY + HOUR;
        int64_t ends = text_days_from_civil(year, 10, october) * DAY + HOUR;
        const struct zone *z = zone("Europe/Amsterdam");
        cr_assert_eq(zone_instant(z, year, 3, march, 1, 59), starts - MINUTE, "%d", year);
        cr_assert_eq(zone_instant(z, year, 3, march, 3, 0), starts, "%d", year);
        cr_assert_eq(zone_instant(z, year, 10, october, 2, 59), ends - MINUTE, "%d", year);
        cr_assert_eq(zone_instant(z, year, 10, october, 3, 0), ends + HOUR, "%d", year);
        cr_assert_eq(zone_instant(z, year, 7, 1, 0, 0),
                     text_days_from_civil(year, 7, 1) * DAY - 2 * HOUR, "%d", year);
        cr_assert_eq(zone_instant(z, year, 12, 31, 23, 0),
                     text_days_from_civil(year, 12, 31) * DAY + 22 * HOUR, "%d", year);
    }
}

/* Midnight of each day is the first instant of that day, and the last minute is in it too. */
Test(zone, instants_and_days_agree_for_years) {
    const struct zone *z = zone("Europe/Amsterdam");
    int64_t first = text_days_from_civil(2020, 1, 1);
    int64_t last = text_days_from_civil(2045, 12, 31);
    for (int64_t days = first; days <= last; days++) {
        int64_t year;
        int month;
        int day;
        text_civil_from_days(days, &year, &month, &day);
        int64_t midnight = zone_instant(z, (int)year, month, day, 0, 0);
        char before[TEXT_DAY_SIZE];
        char from[TEXT_DAY_SIZE];
        char to[TEXT_DAY_SIZE];
        zone_day(z, midnight - 1, before);
        zone_day(z, midnight, from);
        zone_day(z, zone_instant(z, (int)year, month, day, 23, 59), to);
        char whole[TEXT_TIME_SIZE];
        text_time(days * DAY, whole);
        whole[10] = '\0';
        cr_assert_str_eq(from, whole);
        cr_assert_str_eq(to, whole);
        cr_assert_str_neq(before, from);
    }
}

/* Instants come out of messages: the ends of int64 give a day, and soon. */
Test(zone, instants_out_of_bounds_give_the_nearest_day, .timeout = 20) {
    const struct zone *z = zone("Europe/Amsterdam");
    char day[TEXT_DAY_SIZE];
    cr_assert_str_eq(zone_day(z, INT64_MIN, day), "1970-01-01");
    cr_assert_str_eq(zone_day(z, -1, day), "1970-01-01");
    cr_assert_str_eq(zone_day(z, INT64_MAX, day), "9999-12-31");
    cr_assert_str_eq(zone_day(zone("America/Curacao"), 0, day), "1969-12-31");
    cr_assert_str_eq(zone_day(z, at("9999-06-01T00:00:00Z"), day), "9999-06-01");
}

Test(zone, time_arguments) {
    const struct zone *z = zone("Europe/Amsterdam");
    int64_t ms = 0;
    cr_assert_eq(zone_parse_time(z, "2026-07-15", &ms, NULL), ERR_OK);
    cr_assert_eq(ms, at("2026-07-15T12:00:00+02:00"));
    cr_assert_eq(zone_parse_time(z, "2026-01-15", &ms, NULL), ERR_OK);
    cr_assert_eq(ms, at("2026-01-15T12:00:00+01:00"));
    cr_assert_eq(zone_parse_time(z, "2026-11-20T14:05:09Z", &ms, NULL), ERR_OK);
    cr_assert_eq(ms, at("2026-11-20T14:05:09Z"));
    struct error e = {0};
    cr_assert_eq(zone_parse_time(z, "2026-02-30", &ms, &e), ERR_DATA);
    cr_assert_eq(zone_parse_time(z, "tomorrow", &ms, &e), ERR_DATA);
    cr_assert_eq(ms, at("2026-11-20T14:05:09Z"));
    cr_assert_not_null(strstr(e.detail, "'tomorrow'"));
}
