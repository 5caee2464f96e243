/* Owns the text forms of times, durations, days and scaled numbers. Reads no clock. */
#ifndef PLEK_TEXT_H
#define PLEK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define TEXT_TIME_SIZE 32   /* room for "2026-11-20T14:05:09.123Z" and its NUL */
#define TEXT_NUMBER_SIZE 32 /* room for a scaled int64 and its NUL */
#define TEXT_DAY_SIZE 11    /* room for "2026-11-20" and its NUL */

/* ms since 1970 UTC as RFC 3339 UTC; whole seconds are written without a fraction. Returns out. */
char *text_time(int64_t ms, char out[static TEXT_TIME_SIZE]);
/* RFC 3339 with an offset or Z (years 1970..9999); up to 9 digits of fraction, 3 are kept.
 * ERR_DATA names what was found and expected. */
enum err text_parse_time(const char *s, int64_t *ret_ms, struct error *e) MUST_USE;
/* "2026-11-20" checked against the calendar. ERR_DATA. */
enum err text_parse_day(const char *s, int *ret_year, int *ret_month, int *ret_day, struct error *e)
    MUST_USE;
/* "250ms" "4s" "90m" "2h" "7d" (one unit, whole number, at most 10 years) in ms. ERR_DATA. */
enum err text_parse_duration(const char *s, int64_t *ret_ms, struct error *e) MUST_USE;
/* The shortest exact form ("90m", "2h", "7d"). Returns out. */
char *text_duration(int64_t ms, char out[static TEXT_TIME_SIZE]);
/* A decimal number with at most `decimals` (0..3) digits after '.', as int64 scaled by
 * 10^decimals. A sign is allowed. No exponent, spaces, or thousands. ERR_DATA. */
enum err text_parse_number(const char *s, int decimals, int64_t *ret, struct error *e) MUST_USE;
/* The inverse: exactly `decimals` digits after the point. Returns out. */
char *text_number(int64_t value, int decimals, char out[static TEXT_NUMBER_SIZE]);

/* Days since 1970-01-01 of a day of the Gregorian calendar (checked by the caller), and back. */
int64_t text_days_from_civil(int64_t year, int month, int day);
void text_civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
/* Such a day of the years 1970 to 9999 as "2026-11-20". Returns out. */
char *text_day(int64_t days, char out[static TEXT_DAY_SIZE]);

#endif
