/* Owns calendar days in a time zone (libical over the system's zone files). */
#ifndef PLEK_ZONE_H
#define PLEK_ZONE_H

#include "text.h"

struct zone; /* opaque, immutable, borrowed from libical for the life of the process */

/* "Europe/Amsterdam". ERR_DATA when the system does not know it. */
enum err zone_find(const char *name, const struct zone **ret, struct error *e) MUST_USE;
/* The local calendar day of an instant, "2026-11-20"; of one outside the years 1970 to 9999 the
 * nearest day inside. Returns out. */
char *zone_day(const struct zone *z, int64_t ms, char out[static TEXT_DAY_SIZE]);
/* What the local clock shows at an instant, as ms since 1970 of that clock. */
int64_t zone_local_ms(const struct zone *z, int64_t ms);
/* The instant of local hour:minute on a day; in a gap of summer time the later side (02:30 becomes
 * 03:30), in the hour that comes twice the first time. */
int64_t zone_instant(const struct zone *z, int year, int month, int day, int hour, int minute);
/* Days since 1970-01-01 of the local calendar day of an instant, bounded as zone_day; and the
 * instant at which such a day begins: its local midnight. */
int64_t zone_day_number(const struct zone *z, int64_t ms);
int64_t zone_day_start(const struct zone *z, int64_t days);
/* A TIME argument (docs: commands): RFC 3339, or a date meaning 12:00 local. ERR_DATA. */
enum err zone_parse_time(const struct zone *z, const char *s, int64_t *ret_ms, struct error *e)
    MUST_USE;

#endif
