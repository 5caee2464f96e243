/* Owns calendar days in a time zone, over libical and the system's zone files.
 * Asks libical one question only, the offset at an instant, and does the calendar itself. */
#include "zone.h"

#include <libical/ical.h>
#include <string.h>

#define MS_PER_DAY INT64_C(86400000)
#define NAME_MAX_BYTES 64

static icaltimezone *ical_of(const struct zone *z) {
    /* libical's functions take a non-const zone and lock what they fill in lazily. */
    return (icaltimezone *)z;
}

enum err zone_find(const char *name, const struct zone **ret, struct error *e) {
    icaltimezone *found = NULL;
    if (name[0] != '\0' && strnlen(name, NAME_MAX_BYTES + 1) <= NAME_MAX_BYTES) {
        icaltimezone_set_builtin_tzdata(0);
        found = icaltimezone_get_builtin_timezone(name);
    }
    if (!found) {
        return error_set(e, ERR_DATA,
                         "found time zone '%.64s', which this system does not know; expected a "
                         "name such as Europe/Amsterdam (is the package tzdata installed?)",
                         name);
    }
    *ret = (const struct zone *)found;
    return ERR_OK;
}

/* Years 1970 to 9999. Instants come from other organisations' messages too: none may overflow the
 * sums here, or make libical work out the rules of a million years. */
static int64_t within_bounds(int64_t ms) {
    static const int64_t last = INT64_C(253402300799999) - MS_PER_DAY;
    return ms < 0 ? 0 : ms > last ? last : ms;
}

static int64_t offset_ms(const struct zone *z, int64_t any_ms) {
    int64_t ms = within_bounds(any_ms);
    int64_t days = ms / MS_PER_DAY;
    int rest = (int)(ms % MS_PER_DAY / 1000);
    int64_t year;
    struct icaltimetype utc = icaltime_null_time();
    text_civil_from_days(days, &year, &utc.month, &utc.day);
    utc.year = (int)year;
    utc.hour = rest / 3600;
    utc.minute = rest / 60 % 60;
    utc.second = rest % 60;
    int is_daylight;
    return INT64_C(1000) * icaltimezone_get_utc_offset_of_utc_time(ical_of(z), &utc, &is_daylight);
}

int64_t zone_local_ms(const struct zone *z, int64_t ms) {
    return within_bounds(ms) + offset_ms(z, ms);
}

int64_t zone_day_number(const struct zone *z, int64_t ms) {
    int64_t local = within_bounds(ms) + offset_ms(z, ms);
    return local < 0 ? -1 : local / MS_PER_DAY;
}

char *zone_day(const struct zone *z, int64_t ms, char out[static TEXT_DAY_SIZE]) {
    return text_day(zone_day_number(z, ms), out);
}

int64_t zone_day_start(const struct zone *z, int64_t days) {
    int64_t year;
    int month;
    int day;
    text_civil_from_days(days, &year, &month, &day);
    return zone_instant(z, (int)year, month, day, 0, 0);
}

int64_t zone_instant(const struct zone *z, int year, int month, int day, int hour, int minute) {
    int64_t local =
        text_days_from_civil(year, month, day) * MS_PER_DAY + (int64_t)(hour * 60 + minute) * 60000;
    int64_t before = local - offset_ms(z, local - MS_PER_DAY);
    int64_t after = local - offset_ms(z, local + MS_PER_DAY);
    /* Twice that day (end of summer time): both fit, the first one counts. Never that day (a gap):
     * neither fits, and the offset from before the change lands on the later side. */
    if (before + offset_ms(z, before) == local) {
        return before;
    }
    return after + offset_ms(z, after) == local ? after : before;
}

enum err zone_parse_time(const struct zone *z, const char *s, int64_t *ret_ms, struct error *e) {
    int year;
    int month;
    int day;
    if (text_parse_time(s, ret_ms, NULL) == ERR_OK) {
        return ERR_OK;
    }
    if (text_parse_day(s, &year, &month, &day, NULL) == ERR_OK) {
        *ret_ms = zone_instant(z, year, month, day, 12, 0);
        return ERR_OK;
    }
    return error_set(e, ERR_DATA,
                     "found '%.40s', expected a time such as 2026-11-20T14:05:09Z or "
                     "2026-11-20T15:05:09+01:00, or a day such as 2026-11-20 (noon)",
                     s);
}
