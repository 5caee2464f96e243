/* Owns the text forms of times, durations, days and scaled numbers.
 * Reads no clock, no time zone, no locale. */
#include "text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MS_PER_DAY INT64_C(86400000)
#define DURATION_MAX_MS (INT64_C(3653) * MS_PER_DAY) /* ten years, leap days included */
#define NUMBER_DECIMALS_MAX 3
#define FRACTION_DIGITS_MAX 9

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

static int64_t floor_mod(int64_t a, int64_t b) {
    return a % b < 0 ? a % b + b : a % b;
}

/* Days before 1 January of a year of the Gregorian calendar, counted from 1 January of year 1. */
static int64_t days_before_year(int64_t year) {
    int64_t y = year - 1;
    return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400);
}

static bool is_leap(int64_t year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int64_t year, int month) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : lengths[month - 1];
}

#define DAYS_BEFORE_1970 INT64_C(719162)

int64_t text_days_from_civil(int64_t year, int month, int day) {
    int64_t days = days_before_year(year) - DAYS_BEFORE_1970;
    for (int m = 1; m < month; m++) {
        days += days_in_month(year, m);
    }
    return days + day - 1;
}

void text_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day) {
    int64_t since = days + DAYS_BEFORE_1970;
    /* 146,097 days in 400 years; the estimate is off by one year at most. */
    int64_t year = floor_div(since * 400, 146097) + 1;
    while (days_before_year(year) > since) {
        year--;
    }
    while (days_before_year(year + 1) <= since) {
        year++;
    }
    int64_t left = since - days_before_year(year);
    int month = 1;
    while (left >= days_in_month(year, month)) {
        left -= days_in_month(year, month);
        month++;
    }
    *ret_year = year;
    *ret_month = month;
    *ret_day = (int)left + 1;
}

char *text_day(int64_t days, char out[static TEXT_DAY_SIZE]) {
    int64_t year;
    int month;
    int day;
    text_civil_from_days(days, &year, &month, &day);
    char wide[TEXT_TIME_SIZE];
    snprintf(wide, sizeof(wide), "%04" PRId64 "-%02d-%02d", year, month, day);
    memcpy(out, wide, TEXT_DAY_SIZE - 1);
    out[TEXT_DAY_SIZE - 1] = '\0';
    return out;
}

char *text_time(int64_t ms, char out[static TEXT_TIME_SIZE]) {
    int rest = (int)floor_mod(ms, MS_PER_DAY);
    int64_t year;
    int month;
    int day;
    text_civil_from_days(floor_div(ms, MS_PER_DAY), &year, &month, &day);
    int n = snprintf(out, TEXT_TIME_SIZE, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d", year, month,
                     day, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60);
    size_t len = (size_t)n;
    if (rest % 1000 != 0) {
        snprintf(out + len, TEXT_TIME_SIZE - len, ".%03dZ", rest % 1000);
    } else {
        snprintf(out + len, TEXT_TIME_SIZE - len, "Z");
    }
    return out;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Exactly `digits` digits at *s as a number within bounds; steps over them. */
static bool take_number(const char **s, int digits, int min, int max, int *ret) {
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit((*s)[i])) {
            return false;
        }
        value = value * 10 + ((*s)[i] - '0');
    }
    if (value < min || value > max) {
        return false;
    }
    *s += digits;
    *ret = value;
    return true;
}

static bool take_char(const char **s, char c) {
    if (**s != c) {
        return false;
    }
    (*s)++;
    return true;
}

static bool take_date(const char **s, int *year, int *month, int *day) {
    return take_number(s, 4, 1970, 9999, year) && take_char(s, '-') &&
           take_number(s, 2, 1, 12, month) && take_char(s, '-') &&
           take_number(s, 2, 1, days_in_month(*year, *month), day);
}

static bool take_clock(const char **s, int *ret_ms) {
    int hour;
    int minute;
    int second;
    if (!take_number(s, 2, 0, 23, &hour) || !take_char(s, ':') ||
        !take_number(s, 2, 0, 59, &minute) || !take_char(s, ':') ||
        !take_number(s, 2, 0, 59, &second)) {
        return false;
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000;
    return true;
}

/* An optional fraction of a second; what is finer than a millisecond is dropped. */
static bool take_fraction(const char **s, int *ret_ms) {
    *ret_ms = 0;
    if (!take_char(s, '.')) {
        return true;
    }
    int digits = 0;
    int weight = 100;
    for (; is_digit(**s); (*s)++) {
        *ret_ms += (**s - '0') * weight;
        weight /= 10;
        digits++;
    }
    return digits >= 1 && digits <= FRACTION_DIGITS_MAX;
}

static bool take_offset(const char **s, int64_t *ret_ms) {
    if (**s == 'Z' || **s == 'z') {
        (*s)++;
        *ret_ms = 0;
        return true;
    }
    int sign = **s == '-' ? -1 : 1;
    int hour;
    int minute;
    if (!(take_char(s, '+') || take_char(s, '-')) || !take_number(s, 2, 0, 23, &hour) ||
        !take_char(s, ':') || !take_number(s, 2, 0, 59, &minute)) {
        return false;
    }
    *ret_ms = (int64_t)sign * (hour * 60 + minute) * 60000;
    return true;
}

enum err text_parse_time(const char *s, int64_t *ret_ms, struct error *e) {
    const char *p = s;
    int year = 0;
    int month = 0;
    int day = 0;
    int clock_ms = 0;
    int fraction_ms = 0;
    int64_t offset_ms = 0;
    bool fits = take_date(&p, &year, &month, &day) &&
                (take_char(&p, 'T') || take_char(&p, 't') || take_char(&p, ' ')) &&
                take_clock(&p, &clock_ms) && take_fraction(&p, &fraction_ms) &&
                take_offset(&p, &offset_ms) && *p == '\0';
    int64_t ms = 0;
    if (fits) {
        ms = text_days_from_civil(year, month, day) * MS_PER_DAY + clock_ms + fraction_ms -
             offset_ms;
        fits = ms >= 0 && ms < text_days_from_civil(10000, 1, 1) * MS_PER_DAY;
    }
    if (!fits) {
        return error_set(e, ERR_DATA,
                         "found '%.40s', expected a time with its offset, such as "
                         "2026-11-20T14:05:09Z or 2026-11-20T15:05:09+01:00",
                         s);
    }
    *ret_ms = ms;
    return ERR_OK;
}

enum err text_parse_day(const char *s, int *ret_year, int *ret_month, int *ret_day,
                        struct error *e) {
    const char *p = s;
    int year = 0;
    int month = 0;
    int day = 0;
    if (!take_date(&p, &year, &month, &day) || *p != '\0') {
        return error_set(e, ERR_DATA,
                         "found '%.40s', expected a day of the calendar such as 2026-11-20", s);
    }
    *ret_year = year;
    *ret_month = month;
    *ret_day = day;
    return ERR_OK;
}

struct unit {
    const char *name;
    int64_t ms;
};

/* Largest first: text_duration takes the first that divides. */
static const struct unit units[] = {
    {"d", MS_PER_DAY}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static const struct unit *find_unit(const char *name) {
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(units[i].name, name) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

enum err text_parse_duration(const char *s, int64_t *ret_ms, struct error *e) {
    const char *p = s;
    int64_t value = 0;
    for (; is_digit(*p) && value <= DURATION_MAX_MS; p++) {
        value = value * 10 + (*p - '0');
    }
    const struct unit *unit = p > s ? find_unit(p) : NULL;
    if (p > s && value > DURATION_MAX_MS) {
        unit = NULL;
    }
    if (!unit || value > DURATION_MAX_MS / unit->ms) {
        return error_set(e, ERR_DATA,
                         "found '%.40s', expected a duration of at most ten years in one unit, "
                         "such as 4s, 90m, 2h or 7d",
                         s);
    }
    *ret_ms = value * unit->ms;
    return ERR_OK;
}

char *text_duration(int64_t ms, char out[static TEXT_TIME_SIZE]) {
    if (ms == 0) {
        snprintf(out, TEXT_TIME_SIZE, "0s");
        return out;
    }
    const struct unit *unit = units;
    while (ms % unit->ms != 0) {
        unit++; /* ends at the last one, 1 ms, which divides everything */
    }
    snprintf(out, TEXT_TIME_SIZE, "%" PRId64 "%s", ms / unit->ms, unit->name);
    return out;
}

/* Digits are added on the negative side, which reaches one further. */
static bool add_digit(int64_t *negative, char c) {
    return !__builtin_mul_overflow(*negative, 10, negative) &&
           !__builtin_sub_overflow(*negative, c - '0', negative);
}

static bool parse_scaled(const char *s, int decimals, int64_t *ret) {
    bool minus = *s == '-';
    s += *s == '-' || *s == '+';
    int64_t value = 0;
    if (!is_digit(*s)) {
        return false;
    }
    for (; is_digit(*s); s++) {
        if (!add_digit(&value, *s)) {
            return false;
        }
    }
    int given = 0;
    if (take_char(&s, '.')) {
        for (; is_digit(*s) && given < decimals; s++, given++) {
            if (!add_digit(&value, *s)) {
                return false;
            }
        }
        if (given == 0) {
            return false;
        }
    }
    for (; given < decimals; given++) {
        if (!add_digit(&value, '0')) {
            return false;
        }
    }
    if (*s != '\0' || (!minus && value == INT64_MIN)) {
        return false;
    }
    *ret = minus ? value : -value;
    return true;
}

enum err text_parse_number(const char *s, int decimals, int64_t *ret, struct error *e) {
    assert(decimals >= 0 && decimals <= NUMBER_DECIMALS_MAX);
    if (parse_scaled(s, decimals, ret)) {
        return ERR_OK;
    }
    if (decimals == 0) {
        return error_set(e, ERR_DATA, "found '%.40s', expected a whole number such as 12", s);
    }
    return error_set(e, ERR_DATA,
                     "found '%.40s', expected a number such as 12 or 12.5, with at most %d "
                     "digit%s after the point",
                     s, decimals, decimals == 1 ? "" : "s");
}

char *text_number(int64_t value, int decimals, char out[static TEXT_NUMBER_SIZE]) {
    assert(decimals >= 0 && decimals <= NUMBER_DECIMALS_MAX);
    char digits[24];
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    /* At least one digit before the point: 5 with 2 decimals is "005", then "0.05". */
    int n = snprintf(digits, sizeof(digits), "%0*" PRIu64, decimals + 1, size);
    int whole = n - decimals;
    snprintf(out, TEXT_NUMBER_SIZE, "%s%.*s%s%s", value < 0 ? "-" : "", whole, digits,
             decimals > 0 ? "." : "", digits + whole);
    return out;
}
