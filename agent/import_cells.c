/* Owns what a cell of an imported table says: unknown, numbers, dates (see import_private.h).
 * Must not know which line a row is about. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_private.h"
#include "numeral.h"

const char *import_cell(const struct import *im, const struct sheet_row *row, int column) {
    const char *cell = row->fields[column];
    for (size_t i = 0; i < im->profile->unknown_count; i++) {
        if (strcmp(cell, im->profile->unknown[i]) == 0)
            return "";
    }
    return cell;
}

const char *import_value(const struct import *im, const struct sheet_row *row,
                         const struct profile_value *value, int column) {
    if (value->fixed)
        return value->fixed;
    return column >= 0 ? import_cell(im, row, column) : "";
}

/* What was found is repeated so that a person sees it, but never a number that can be a person's.
 */
enum err import_at(const struct import *im, const struct sheet_row *row, int column,
                   const char *name, const struct error *why, struct error *e) {
    struct error told = *why;
    records_hide_numbers(&told, column >= 0 && capacity_holds_bsn(row->fields[column]));
    if (column < 0)
        return error_at(e, told.code, im->request.file, row->line, 0, "%s%s%s", told.file,
                        told.file[0] ? ": " : "", told.detail);
    return error_at(e, told.code, im->request.file, row->line, column + 1, "column '%.60s': %s",
                    name, told.detail);
}

/* ---- dates ---- */

/* So many digits, or one fewer when `few`; steps over them. */
static bool take_digits(const char **s, int digits, bool few, int *ret) {
    int n = 0, value = 0;
    for (; n < digits && (*s)[n] >= '0' && (*s)[n] <= '9'; n++)
        value = value * 10 + ((*s)[n] - '0');
    if (n != digits && !(few && n == digits - 1 && n > 0))
        return false;
    *s += n;
    *ret = value;
    return true;
}

static bool take_mark(const char **s, char mark) {
    if (**s != mark)
        return false;
    (*s)++;
    return true;
}

/* "2026-11-20" or the Dutch order with the format's mark; *ret_iso is checked by the calendar. */
static bool take_day(const char **s, enum profile_date format, char ret_iso[static TEXT_DAY_SIZE]) {
    bool few = format == PROFILE_DATE_DMY_SHORT || format == PROFILE_DATE_DMY_SLASHES;
    bool slash = format == PROFILE_DATE_DMY_SLASH || format == PROFILE_DATE_DMY_SLASHES;
    bool iso = format == PROFILE_DATE_ISO;
    char mark = slash ? '/' : '-';
    int first = 0, month = 0, last = 0;
    if (!take_digits(s, iso ? 4 : 2, few, &first) || !take_mark(s, mark) ||
        !take_digits(s, 2, few, &month) || !take_mark(s, mark) ||
        !take_digits(s, iso ? 2 : 4, false, &last))
        return false;
    char iso_day[TEXT_TIME_SIZE];
    snprintf(iso_day, sizeof iso_day, "%04d-%02d-%02d", iso ? first : last, month,
             iso ? last : first);
    memcpy(ret_iso, iso_day, TEXT_DAY_SIZE - 1); /* four digits and twice two at most */
    ret_iso[TEXT_DAY_SIZE - 1] = '\0';
    return true;
}

/* " 14:05" or " 14:05:09" after a day; nothing is noon. */
static bool take_clock(const char **s, int *hour, int *minute, int *second) {
    *hour = 12;
    *minute = *second = 0;
    if (**s == '\0')
        return true;
    if (!(take_mark(s, ' ') || take_mark(s, 'T')) || !take_digits(s, 2, true, hour) ||
        !take_mark(s, ':') || !take_digits(s, 2, false, minute))
        return false;
    if (take_mark(s, ':') && !take_digits(s, 2, false, second))
        return false;
    return **s == '\0' && *hour < 24 && *minute < 60 && *second < 60;
}

static enum err parse_local(const struct import *im, const char *cell, int64_t *ret,
                            struct error *e) {
    char iso[TEXT_DAY_SIZE];
    const char *s = cell;
    int hour = 0, minute = 0, second = 0, year = 0, month = 0, day = 0;
    enum profile_date format = im->profile->date_format;
    if (!take_day(&s, format, iso) || !take_clock(&s, &hour, &minute, &second) ||
        text_parse_day(iso, &year, &month, &day, NULL) != ERR_OK)
        return error_set(
            e, ERR_DATA,
            "found '%.40s', expected a day of the calendar such as %s, with or without "
            "a time: is the profile's date format right?",
            cell, profile_date_example(format));
    *ret = zone_instant(im->zone, year, month, day, hour, minute) + INT64_C(1000) * second;
    return ERR_OK;
}

enum err import_time(const struct import *im, const char *cell, int64_t *ret, struct error *e) {
    return im->profile->date_format == PROFILE_DATE_RFC3339 ? text_parse_time(cell, ret, e)
                                                            : parse_local(im, cell, ret, e);
}

enum err import_date(struct import *im, const char *cell, int64_t *ret, struct error *e) {
    if (cell[0] == '\0')
        return error_set(e, ERR_DATA, "found no date, expected one in every row");
    if (strcmp(im->last_date.text, cell) != 0) {
        im->last_date.text[0] = '\0';
        enum err code = import_time(im, cell, &im->last_date.ms, e);
        if (code != ERR_OK)
            return code;
        if (strlen(cell) < sizeof im->last_date.text)
            memcpy(im->last_date.text, cell, strlen(cell) + 1);
    }
    *ret = im->last_date.ms;
    return ERR_OK;
}

/* A time in the profile's form, else as it is: RFC 3339 and ISO days are always understood. */
const char *import_plain_time(const struct import *im, const char *cell,
                              char out[static IMPORT_PLAIN_SIZE]) {
    int64_t ms = 0;
    if (cell[0] == '\0' || import_time(im, cell, &ms, NULL) != ERR_OK)
        return cell;
    return text_time(ms, out);
}

/* ---- numbers ---- */

enum err import_plain_number(const struct import *im, const char *cell,
                             char out[static IMPORT_PLAIN_SIZE], struct error *e) {
    _Static_assert(IMPORT_PLAIN_SIZE >= NUMERAL_SIZE && IMPORT_PLAIN_SIZE >= TEXT_TIME_SIZE,
                   "numbers and times fit");
    return numeral_read(cell, im->profile->decimal, out, e);
}
