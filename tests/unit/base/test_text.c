/* Tests the text forms of times, days, durations and scaled numbers, both ways. */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNTOUCHED INT64_C(-424242)

static const struct {
    int64_t ms;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00Z"},
    {1, "1970-01-01T00:00:00.001Z"},
    {INT64_C(951782400000), "2000-02-29T00:00:00Z"},
    {INT64_C(1795183509123), "2026-11-20T14:05:09.123Z"},
    {INT64_C(4107542399999), "2100-02-28T23:59:59.999Z"},
    {INT64_C(4107542400000), "2100-03-01T00:00:00Z"},
    {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
};

Test(text, times_both_ways) {
    for (size_t i = 0; i < COUNT(times); i++) {
        char out[TEXT_TIME_SIZE];
        int64_t ms = UNTOUCHED;
        cr_assert_str_eq(text_time(times[i].ms, out), times[i].text);
        cr_assert_eq(text_parse_time(times[i].text, &ms, NULL), ERR_OK, "%s", times[i].text);
        cr_assert_eq(ms, times[i].ms, "%s", times[i].text);
    }
}

Test(text, times_before_1970_and_at_the_ends_of_int64_fit) {
    char out[TEXT_TIME_SIZE];
    cr_assert_str_eq(text_time(-1, out), "1969-12-31T23:59:59.999Z");
    cr_assert_str_eq(text_time(INT64_MAX, out), "292278994-08-17T07:12:55.807Z");
    cr_assert_str_eq(text_time(INT64_MIN, out), "-292275055-05-16T16:47:04.192Z");
}

/* Every day of 800 years, against the C library's calendar. */
Test(text, days_agree_with_the_c_library) {
    for (int64_t days = -146097; days < 146097; days++) {
        time_t seconds = (time_t)(days * 86400);
        struct tm tm;
        cr_assert_not_null(gmtime_r(&seconds, &tm));
        int64_t year;
        int month;
        int day;
        text_civil_from_days(days, &year, &month, &day);
        cr_assert(year == tm.tm_year + 1900 && month == tm.tm_mon + 1 && day == tm.tm_mday,
                  "day %lld", (long long)days);
        cr_assert_eq(text_days_from_civil(year, month, day), days);
    }
}

static const struct {
    const char *text;
    int64_t ms;
} accepted_times[] = {
    {"2026-11-20T15:05:09+01:00", INT64_C(1795183509000)},
    {"2026-11-20T09:35:09-04:30", INT64_C(1795183509000)},
    {"2026-11-20t14:05:09z", INT64_C(1795183509000)},
    {"2026-11-20 14:05:09Z", INT64_C(1795183509000)},
    {"2026-11-20T14:05:09.1Z", INT64_C(1795183509100)},
    {"2026-11-20T14:05:09.12Z", INT64_C(1795183509120)},
    {"2026-11-20T14:05:09.123456789Z", INT64_C(1795183509123)},
    {"1970-01-01T01:00:00+01:00", 0},
    {"2024-02-29T12:00:00-00:00", INT64_C(1709208000000)},
};

Test(text, other_forms_of_times) {
    for (size_t i = 0; i < COUNT(accepted_times); i++) {
        int64_t ms = UNTOUCHED;
        cr_assert_eq(text_parse_time(accepted_times[i].text, &ms, NULL), ERR_OK, "%s",
                     accepted_times[i].text);
        cr_assert_eq(ms, accepted_times[i].ms, "%s", accepted_times[i].text);
    }
}

static const char *const bad_times[] = {
    "",
    "2026-11-20",
    "2026-11-20T14:05:09",
    "2026-11-20T14:05Z",
    "2026-11-20T14:05:09.Z",
    "2026-11-20T14:05:09.1234567890Z",
    "2026-11-20T24:00:00Z",
    "2026-11-20T14:60:00Z",
    "2026-11-20T14:05:60Z",
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-13-10T00:00:00Z",
    "2026-11-00T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:59:59+01:00",
    "9999-12-31T23:59:59-00:01",
    "2026-11-20T14:05:09+0100",
    "2026-11-20T14:05:09+24:00",
    "2026-11-20T14:05:09+01:60",
    "2026-11-20T14:05:09Z ",
    " 2026-11-20T14:05:09Z",
    "2026-11-20X14:05:09Z",
    "20-11-2026T14:05:09Z",
    "2026-1-20T14:05:09Z",
};

Test(text, refuses_other_times) {
    for (size_t i = 0; i < COUNT(bad_times); i++) {
        int64_t ms = UNTOUCHED;
        struct error e = {0};
        cr_assert_eq(text_parse_time(bad_times[i], &ms, &e), ERR_DATA, "%s", bad_times[i]);
        cr_assert_eq(ms, UNTOUCHED);
        cr_assert_not_null(strstr(e.detail, "expected"));
    }
}

Test(text, a_time_truncated_anywhere_is_refused) {
    static const char text[] = "2026-11-20T15:05:09.123+01:00";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char cut[sizeof(text)] = {0};
        memcpy(cut, text, len);
        int64_t ms = UNTOUCHED;
        cr_assert_eq(text_parse_time(cut, &ms, NULL), ERR_DATA, "%s", cut);
        cr_assert_eq(ms, UNTOUCHED);
    }
}

Test(text, days) {
    int year = 0;
    int month = 0;
    int day = 0;
    cr_assert_eq(text_parse_day("2028-02-29", &year, &month, &day, NULL), ERR_OK);
    cr_assert(year == 2028 && month == 2 && day == 29);
    static const char *const bad[] = {"",           "2026-02-29", "2026-2-28",   "2026-02-28 ",
                                      "28-02-2026", "2026/02/28", "2026-02-28T", "1969-12-31",
                                      "2026-06-31", "2026-02",    "10000-01-01"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        cr_assert_eq(text_parse_day(bad[i], &year, &month, &day, NULL), ERR_DATA, "%s", bad[i]);
        cr_assert(year == 2028 && month == 2 && day == 29, "%s", bad[i]);
    }
}

static const struct {
    const char *text;
    int64_t ms;
} durations[] = {
    {"0s", 0},
    {"1ms", 1},
    {"1500ms", 1500},
    {"4s", 4000},
    {"90s", 90000},
    {"90m", 5400000},
    {"2h", 7200000},
    {"7d", INT64_C(604800000)},
    {"3653d", INT64_C(315619200000)},
};

Test(text, durations_both_ways) {
    for (size_t i = 0; i < COUNT(durations); i++) {
        int64_t ms = UNTOUCHED;
        char out[TEXT_TIME_SIZE];
        cr_assert_eq(text_parse_duration(durations[i].text, &ms, NULL), ERR_OK, "%s",
                     durations[i].text);
        cr_assert_eq(ms, durations[i].ms);
        cr_assert_str_eq(text_duration(ms, out), durations[i].text);
    }
}

Test(text, durations_are_written_in_the_largest_exact_unit) {
    char out[TEXT_TIME_SIZE];
    cr_assert_str_eq(text_duration(60000, out), "1m");
    cr_assert_str_eq(text_duration(INT64_C(48) * 3600000, out), "2d");
    cr_assert_str_eq(text_duration(-7200000, out), "-2h");
    cr_assert_str_eq(text_duration(INT64_MAX, out), "9223372036854775807ms");
    cr_assert_str_eq(text_duration(INT64_MIN, out), "-9223372036854775808ms");
}

Test(text, refuses_other_durations) {
    static const char *const bad[] = {"",
                                      "2",
                                      "h",
                                      "2 h",
                                      "-2h",
                                      "+2h",
                                      "1.5h",
                                      "2h30m",
                                      "2w",
                                      "2y",
                                      "2H",
                                      "2hours",
                                      "3654d",
                                      "2h ",
                                      " 2h",
                                      "0x2h",
                                      "87673h",
                                      "315619200001ms",
                                      "99999999999999999999d",
                                      "\xC3\xA9"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = UNTOUCHED;
        cr_assert_eq(text_parse_duration(bad[i], &ms, NULL), ERR_DATA, "%s", bad[i]);
        cr_assert_eq(ms, UNTOUCHED);
    }
}

static const struct {
    const char *in;
    int decimals;
    int64_t value;
    const char *out;
} numbers[] = {
    {"0", 0, 0, "0"},
    {"-0", 2, 0, "0.00"},
    {"12", 0, 12, "12"},
    {"+12", 1, 120, "12.0"},
    {"012", 0, 12, "12"},
    {"12.5", 1, 125, "12.5"},
    {"-0.5", 1, -5, "-0.5"},
    {"-0.05", 2, -5, "-0.05"},
    {"1.2", 3, 1200, "1.200"},
    {"9223372036854775807", 0, INT64_MAX, "9223372036854775807"},
    {"-9223372036854775808", 0, INT64_MIN, "-9223372036854775808"},
    {"9223372036854775.807", 3, INT64_MAX, "9223372036854775.807"},
    {"-9223372036854775.808", 3, INT64_MIN, "-9223372036854775.808"},
};

Test(text, numbers_both_ways) {
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int64_t value = UNTOUCHED;
        char out[TEXT_NUMBER_SIZE];
        cr_assert_eq(text_parse_number(numbers[i].in, numbers[i].decimals, &value, NULL), ERR_OK,
                     "%s", numbers[i].in);
        cr_assert_eq(value, numbers[i].value, "%s", numbers[i].in);
        cr_assert_str_eq(text_number(value, numbers[i].decimals, out), numbers[i].out);
    }
}

Test(text, refuses_other_numbers) {
    static const struct {
        const char *in;
        int decimals;
    } bad[] = {
        {"", 0},
        {"-", 0},
        {"+", 1},
        {".", 1},
        {".5", 1},
        {"5.", 1},
        {"1.5", 0},
        {"1.0", 0},
        {"1.25", 1},
        {"1,5", 1},
        {"1e3", 0},
        {" 1", 0},
        {"1 ", 0},
        {"1_0", 0},
        {"--1", 0},
        {"+-1", 0},
        {"0x10", 0},
        {"1.5.5", 2},
        {"NA", 0},
        {"1.234,5", 3},
        {"9223372036854775808", 0},
        {"-9223372036854775809", 0},
        {"9223372036854775807", 1},
        {"9223372036854775.808", 3},
        {"99999999999999999999999", 0},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t value = UNTOUCHED;
        struct error e = {0};
        cr_assert_eq(text_parse_number(bad[i].in, bad[i].decimals, &value, &e), ERR_DATA, "%s",
                     bad[i].in);
        cr_assert_eq(value, UNTOUCHED, "%s", bad[i].in);
        cr_assert_not_null(strstr(e.detail, "expected"));
    }
}
