/* Owns the weekly hours in which a site reports (see hours.h).
 * Must not know sites or figures, and asks the zone for every change of summer time. */
#include "hours.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_MIN 1440
#define DAY_MS INT64_C(86400000)
#define EXAMPLE "mo-fr 08:00-17:00; sa 10:00-13:00"
/* Two weeks ahead: a weekly opening may fall into the hour that summer time skips. */
#define DAYS_AHEAD 15
#define DAY_NAME_MIN 2 /* letters that tell days apart, in both languages */

static const char *const day_names[HOURS_DAYS][2] = {
    {"monday", "maandag"},     {"tuesday", "dinsdag"}, {"wednesday", "woensdag"},
    {"thursday", "donderdag"}, {"friday", "vrijdag"},  {"saturday", "zaterdag"},
    {"sunday", "zondag"},
};
static const char *const short_names[HOURS_DAYS] = {"Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"};

/* ---- reading ---- */

struct cursor {
    const char *text, *at;
};

static void skip_spaces(struct cursor *c) {
    c->at += strspn(c->at, " \t");
}

static bool take(struct cursor *c, char sign) {
    skip_spaces(c);
    if (*c->at != sign)
        return false;
    c->at++;
    skip_spaces(c);
    return true;
}

static enum err fault(const struct cursor *c, const char *at, const char *expected,
                      struct error *e) {
    char found[24];
    snprintf(found, sizeof found, "%.*s", (int)strcspn(at, ";"), at);
    return error_set(e, ERR_DATA, "found %s%s%s at character %zu, expected %s; write it such as %s",
                     *at ? "'" : "", *at ? found : "the end", *at ? "'" : "",
                     (size_t)(at - c->text) + 1, expected, EXAMPLE);
}

static enum err read_day(struct cursor *c, int *ret, struct error *e) {
    size_t len = 0;
    while (isalpha((unsigned char)c->at[len]))
        len++;
    for (int day = 0; day < HOURS_DAYS && len >= DAY_NAME_MIN; day++) {
        for (int language = 0; language < 2; language++) {
            const char *name = day_names[day][language];
            if (len <= strlen(name) && strncasecmp(name, c->at, len) == 0) {
                *ret = day;
                c->at += len;
                return ERR_OK;
            }
        }
    }
    return fault(c, c->at, "a day (mo tu we th fr sa su, or ma di wo do vr za zo)", e);
}

/* Days before the times; none named: all of them. */
static enum err read_days(struct cursor *c, bool days[static HOURS_DAYS], struct error *e) {
    bool named = isalpha((unsigned char)*c->at);
    for (int day = 0; day < HOURS_DAYS; day++)
        days[day] = !named;
    while (named) {
        int first = 0, last = 0;
        enum err code = read_day(c, &first, e);
        last = first;
        if (code == ERR_OK && take(c, '-'))
            code = read_day(c, &last, e);
        if (code != ERR_OK)
            return code;
        for (int day = first; !days[day]; day = (day + 1) % HOURS_DAYS) {
            days[day] = true;
            if (day == last)
                break;
        }
        named = take(c, ',');
    }
    skip_spaces(c);
    return ERR_OK;
}

static int digits(const char **s, int most) {
    int value = 0, len = 0;
    for (; len < most && isdigit((unsigned char)**s); len++)
        value = 10 * value + (*(*s)++ - '0');
    return len > 0 ? value : -1;
}

/* "8:00", "08:00", "24:00" */
static enum err read_time(struct cursor *c, int *ret, struct error *e) {
    const char *s = c->at;
    int hour = digits(&s, 2);
    int minute = -1;
    if (hour >= 0 && *s == ':' && isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2])) {
        s++;
        minute = digits(&s, 2);
    }
    if (minute < 0 || minute > 59 || hour * 60 + minute > DAY_MIN || isdigit((unsigned char)*s))
        return fault(c, c->at, "a time from 0:00 to 24:00", e);
    *ret = hour * 60 + minute;
    c->at = s;
    return ERR_OK;
}

static enum err read_span(struct cursor *c, int earliest, struct hours_span *ret, struct error *e) {
    const char *begin = c->at;
    struct hours_span span = {0};
    enum err code = read_time(c, &span.from, e);
    if (code == ERR_OK && !take(c, '-'))
        code = fault(c, c->at, "- and the time it ends", e);
    code = code != ERR_OK ? code : read_time(c, &span.to, e);
    if (code != ERR_OK)
        return code;
    if (span.from == DAY_MIN || span.from == span.to)
        return fault(c, begin, "a span that begins before it ends (00:00-24:00 is all day)", e);
    if (span.from < earliest)
        return fault(c, begin, "the times of a day in order and apart", e);
    span.to += span.to < span.from ? DAY_MIN : 0; /* over midnight */
    *ret = span;
    return ERR_OK;
}

static enum err read_rule(struct cursor *c, struct hours *h, struct error *e) {
    const char *begin = c->at;
    struct hours_span spans[HOURS_SPANS_PER_DAY];
    bool days[HOURS_DAYS];
    int count = 0;
    enum err code = read_days(c, days, e);
    if (code != ERR_OK)
        return code;
    do {
        if (count == HOURS_SPANS_PER_DAY)
            return fault(c, c->at, "at most four spans of time a day", e);
        code = read_span(c, count > 0 ? spans[count - 1].to : 0, &spans[count], e);
        if (code != ERR_OK)
            return code;
        count++;
    } while (take(c, ','));
    for (int day = 0; day < HOURS_DAYS; day++) {
        if (days[day] && h->count[day] > 0)
            return fault(c, begin, "each day once, with all its times", e);
        if (days[day]) {
            memcpy(h->spans[day], spans, (size_t)count * sizeof spans[0]);
            h->count[day] = count;
        }
    }
    return ERR_OK;
}

enum err hours_parse(const char *text, struct hours *ret, struct error *e) {
    struct hours h = {.count = {0}};
    struct cursor c = {text, text};
    skip_spaces(&c);
    if (strncmp(c.at, "24/7", 4) == 0) {
        c.at += 4;
        for (int day = 0; day < HOURS_DAYS; day++) {
            h.spans[day][0] = (struct hours_span){0, DAY_MIN};
            h.count[day] = 1;
        }
    } else if (!take(&c, '-')) {
        while (*c.at) {
            enum err code = read_rule(&c, &h, e);
            if (code != ERR_OK)
                return code;
            if (!take(&c, ';'))
                break;
        }
    }
    skip_spaces(&c);
    if (*c.at)
        return fault(&c, c.at, "; and further days, or the end", e);
    *ret = h;
    return ERR_OK;
}

/* ---- writing ---- */

static bool same_day(const struct hours *h, int x, int y) {
    return h->count[x] == h->count[y] &&
           memcmp(h->spans[x], h->spans[y], (size_t)h->count[x] * sizeof h->spans[x][0]) == 0;
}

static bool written_before(const struct hours *h, int day) {
    for (int other = 0; other < day; other++) {
        if (same_day(h, other, day))
            return true;
    }
    return false;
}

/* "Mo-Fr,Su": the days that are as this one. */
static size_t put_days(const struct hours *h, int like, char *out, size_t size) {
    size_t len = 0;
    for (int day = like, last; day < HOURS_DAYS; day = last + 1) {
        last = day;
        if (!same_day(h, like, day))
            continue;
        while (last + 1 < HOURS_DAYS && same_day(h, like, last + 1))
            last++;
        len += (size_t)snprintf(out + len, size - len, "%s%s%s%s", len > 0 ? "," : "",
                                short_names[day], last > day ? "-" : "",
                                last > day ? short_names[last] : "");
    }
    return len;
}

static size_t put_times(const struct hours *h, int day, char *out, size_t size) {
    size_t len = 0;
    for (int i = 0; i < h->count[day]; i++) {
        int from = h->spans[day][i].from, to = h->spans[day][i].to;
        to -= to > DAY_MIN ? DAY_MIN : 0;
        len += (size_t)snprintf(out + len, size - len, "%s%02d:%02d-%02d:%02d", i > 0 ? "," : " ",
                                from / 60, from % 60, to / 60, to % 60);
    }
    return len;
}

static size_t put_rules(const struct hours *h, char *out, size_t size) {
    size_t len = 0;
    for (int day = 0; day < HOURS_DAYS; day++) {
        if (h->count[day] == 0 || written_before(h, day))
            continue;
        len += (size_t)snprintf(out + len, size - len, "%s", len > 0 ? "; " : "");
        len += put_days(h, day, out + len, size - len);
        len += put_times(h, day, out + len, size - len);
    }
    return len;
}

static bool always(const struct hours *h) {
    return h->count[0] == 1 && h->spans[0][0].from == 0 && h->spans[0][0].to == DAY_MIN &&
           same_day(h, 0, 1) && same_day(h, 0, 2) && same_day(h, 0, 3) && same_day(h, 0, 4) &&
           same_day(h, 0, 5) && same_day(h, 0, 6);
}

enum err hours_text(const struct hours *h, char *out, size_t size, struct error *e) {
    char text[512] = ""; /* seven rules of 22 bytes of days, four spans of 12, and "; " */
    size_t len =
        always(h) ? (size_t)snprintf(text, sizeof text, "24/7") : put_rules(h, text, sizeof text);
    if (len >= size)
        return error_set(e, ERR_DATA,
                         "written in full these hours take %zu bytes, expected at most %zu: leave "
                         "out the shortest",
                         len, size - 1);
    memcpy(out, text, len + 1);
    return ERR_OK;
}

/* ---- running on ---- */

/* Since when and until when figures are entered, without a break. */
struct opening {
    int64_t from_ms, to_ms;
};

static int64_t instant(const struct zone *z, int64_t day, int minute) {
    int64_t year;
    int month, of_month;
    text_civil_from_days(day + minute / DAY_MIN, &year, &month, &of_month);
    return zone_instant(z, (int)year, month, of_month, minute % DAY_MIN / 60, minute % 60);
}

/* The opening in which end_ms falls, or the next one. An opening that goes on since before the
 * grace, or is long enough for it, need not be followed to its end. */
static bool opening_at(const struct hours *h, const struct zone *z, int64_t end_ms,
                       struct opening *ret) {
    struct opening open = {0, 0};
    int64_t today = zone_local_ms(z, end_ms) / DAY_MS;
    for (int64_t day = today - 2; day <= today + DAYS_AHEAD; day++) {
        int weekday = (int)((day + 3) % HOURS_DAYS); /* 1970-01-01 was a Thursday */
        for (int i = 0; i < h->count[weekday]; i++) {
            int64_t from = instant(z, day, h->spans[weekday][i].from);
            int64_t to = instant(z, day, h->spans[weekday][i].to);
            if (to <= from) /* skipped by summer time */
                continue;
            if (open.to_ms > end_ms &&
                (from > open.to_ms || open.to_ms >= open.from_ms + HOURS_GRACE_MS))
                goto out;
            if (from > open.to_ms)
                open.from_ms = from;
            open.to_ms = to > open.to_ms ? to : open.to_ms;
        }
    }
out:
    *ret = open;
    return open.to_ms > end_ms;
}

static int64_t least(int64_t x, int64_t y) {
    return x < y ? x : y;
}

bool hours_run_on(const struct hours *h, const struct zone *z, int64_t end_ms, int64_t validity_ms,
                  struct hours_run *ret) {
    struct opening open;
    if (end_ms < 2 * DAY_MS || !opening_at(h, z, end_ms, &open))
        return false;
    int64_t grace = least(least(validity_ms, HOURS_GRACE_MS), open.to_ms - open.from_ms);
    if (end_ms >= open.from_ms + grace)
        return false;
    *ret = (struct hours_run){open.from_ms, open.from_ms + grace};
    return true;
}

char *hours_moment(const struct zone *z, int64_t ms, bool dated,
                   char out[static HOURS_MOMENT_SIZE]) {
    static const char *const names[HOURS_DAYS] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    char day[TEXT_DAY_SIZE];
    int64_t local = zone_local_ms(z, ms);
    int minutes = (int)(local % DAY_MS / 60000);
    snprintf(out, HOURS_MOMENT_SIZE, "%s%s%s %02d:%02d", names[(local / DAY_MS + 3) % HOURS_DAYS],
             dated ? " " : "", dated ? zone_day(z, ms, day) : "", minutes / 60, minutes % 60);
    return out;
}
