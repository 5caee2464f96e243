/* Owns the weekly hours in which a site reports: their text (a subset of OpenStreetMap's
 * opening_hours), and until when a validity runs on that ends outside them. Pure.
 * Source: docs/formats.md, "When a site reports". */
#ifndef PLEK_HOURS_H
#define PLEK_HOURS_H

#include "zone.h"

#define HOURS_DAYS 7          /* Monday is 0 */
#define HOURS_SPANS_PER_DAY 4 /* at most */
/* After the site opens again somebody needs a moment to report: at most this. */
#define HOURS_GRACE_MS (INT64_C(2) * 3600 * 1000)

/* Minutes of the local clock since the day began; `to` is over 1440 when it ends the next day. */
struct hours_span {
    int from, to;
};
struct hours {
    struct hours_span spans[HOURS_DAYS][HOURS_SPANS_PER_DAY]; /* in order, apart */
    int count[HOURS_DAYS];
};

/* "mo-fr 08:00-17:00; sa 10:00-13:00", also in Dutch; "" and "-" give none. ERR_DATA says which
 * character, what was found there, what was expected, and gives an example. */
enum err hours_parse(const char *text, struct hours *ret, struct error *e) MUST_USE;
/* The normal form ("Mo-Fr 08:00-17:00; Sa 10:00-13:00"), which parses back to the same and is an
 * opening_hours value; "" for none. ERR_DATA when it does not fit in `size`. */
enum err hours_text(const struct hours *h, char *out, size_t size, struct error *e) MUST_USE;

/* A validity of validity_ms that ends at end_ms, while the site is closed or has just opened, runs
 * on until the site has been open for a while: the validity, HOURS_GRACE_MS, or the whole opening,
 * whichever is shortest. False: it ends when it ends. */
struct hours_run {
    int64_t opens_ms; /* when the site reports again */
    int64_t end_ms;   /* until when the validity runs on */
};
bool hours_run_on(const struct hours *h, const struct zone *z, int64_t end_ms, int64_t validity_ms,
                  struct hours_run *ret);

/* "Fri 16:40" of the local clock; with `dated` "Fri 2026-11-20 16:40". Returns out. */
#define HOURS_MOMENT_SIZE 32
char *hours_moment(const struct zone *z, int64_t ms, bool dated,
                   char out[static HOURS_MOMENT_SIZE]);

#endif
