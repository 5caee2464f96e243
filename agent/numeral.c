/* Owns reading numbers of people's tables (see numeral.h). */
#include "numeral.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define GROUP 3 /* digits between two thousands marks */

/* A number in parts: digits and marks; a no-break space counts as a thousands mark ' '. */
struct parts {
    bool minus;
    char text[NUMERAL_SIZE]; /* without the sign */
    size_t len;
    size_t points, commas, spaces;
};

/* False: not made of a sign, digits and marks only, or too long for a number. */
static bool split(const char *cell, struct parts *ret) {
    *ret = (struct parts){.minus = *cell == '-'};
    bool is_signed = *cell == '-' || *cell == '+';
    cell += is_signed;
    if (!is_signed && strncmp(cell, "\xE2\x88\x92", 3) == 0) { /* a typographic minus */
        ret->minus = true;
        cell += 3;
    }
    for (; *cell && ret->len + 1 < sizeof ret->text; cell++) {
        char c = *cell;
        if (strncmp(cell, "\xC2\xA0", 2) == 0 || strncmp(cell, "\xE2\x80\xAF", 3) == 0) {
            cell += *cell == '\xC2' ? 1 : 2;
            c = ' ';
        } else if (!isdigit((unsigned char)c) && c != '.' && c != ',') {
            return false;
        }
        ret->points += c == '.';
        ret->commas += c == ',';
        ret->spaces += c == ' ';
        ret->text[ret->len++] = c;
    }
    return *cell == '\0' && ret->len > 0 && isdigit((unsigned char)ret->text[0]) &&
           isdigit((unsigned char)ret->text[ret->len - 1]);
}

/* 1 to 3 digits, then the mark and 3 digits each, up to `len`. */
static bool grouped(const char *text, size_t len, char mark) {
    size_t first = strcspn(text, ".,");
    const char *space = memchr(text, ' ', len);
    if (space && (size_t)(space - text) < first)
        first = (size_t)(space - text);
    if (first >= len)
        return true; /* no mark at all */
    if (first > GROUP || text[0] == '0')
        return false;
    for (size_t at = first; at < len; at += 1 + GROUP) {
        if (text[at] != mark || len - at < 1 + GROUP)
            return false;
        for (size_t i = 1; i <= GROUP; i++) {
            if (!isdigit((unsigned char)text[at + i]))
                return false;
        }
    }
    return true;
}

/* "1234.5" of the digits up to `whole` and those after it; whole == len: no decimals. */
static void compose(const struct parts *p, size_t whole, char ret[static NUMERAL_SIZE]) {
    char out[NUMERAL_SIZE + 2];
    size_t len = 0, end = p->len;
    while (whole < p->len && end > whole + 1 && p->text[end - 1] == '0')
        end--;
    if (end == whole + 1)
        end = whole; /* nothing but zeros after the mark */
    if (p->minus)
        out[len++] = '-';
    for (size_t i = 0; i < end; i++) {
        if (i == whole)
            out[len++] = '.';
        else if (isdigit((unsigned char)p->text[i]))
            out[len++] = p->text[i];
    }
    out[len] = '\0';
    snprintf(ret, NUMERAL_SIZE, "%.*s", NUMERAL_SIZE - 1, out);
}

static void as_it_is(const char *cell, char ret[static NUMERAL_SIZE]) {
    snprintf(ret, NUMERAL_SIZE, "%.*s", NUMERAL_SIZE - 1, cell);
}

/* `at`: where the decimal mark stands, or len. Are the digits before it whole or grouped by one and
 * the same mark, which is not the decimal one? */
static bool fits(const struct parts *p, size_t at) {
    char mark = '\0';
    for (size_t i = 0; i < at; i++) {
        if (isdigit((unsigned char)p->text[i]))
            continue;
        if ((mark != '\0' && p->text[i] != mark) || (at < p->len && p->text[i] == p->text[at]))
            return false;
        mark = p->text[i];
    }
    for (size_t i = at + 1; i < p->len; i++) {
        if (!isdigit((unsigned char)p->text[i]))
            return false;
    }
    return mark == '\0' || grouped(p->text, at, mark);
}

static size_t last_mark(const struct parts *p) {
    size_t at = p->len;
    while (at > 0 && isdigit((unsigned char)p->text[at - 1]))
        at--;
    return at > 0 ? at - 1 : p->len;
}

static enum err two_readings(const char *cell, const struct parts *p, size_t at, struct error *e) {
    char thousands[NUMERAL_SIZE], fraction[NUMERAL_SIZE];
    compose(p, p->len, thousands);
    snprintf(fraction, sizeof fraction, "%s%.*s.%.*s", p->minus ? "-" : "", (int)at, p->text, GROUP,
             p->text + at + 1);
    return error_set(e, ERR_DATA,
                     "found '%.40s', which is %s when '%c' sets thousands apart and %s when it is "
                     "the decimal mark: say which in the profile, \"decimal\": \",\" or \".\"",
                     cell, thousands, p->text[at], fraction);
}

enum err numeral_read(const char *cell, char decimal, char ret[static NUMERAL_SIZE],
                      struct error *e) {
    struct parts p;
    if (!split(cell, &p)) {
        if (strlen(cell) >= NUMERAL_SIZE)
            return error_set(e, ERR_DATA, "found '%.40s...', expected a number", cell);
        as_it_is(cell, ret);
        return ERR_OK;
    }
    /* The last mark begins the decimals or parts thousands: which, the profile says or only one
     * reading fits. */
    size_t at = last_mark(&p);
    bool marked = at < p.len, told = marked && decimal != '\0';
    bool is_mark = marked && p.text[at] != ' ' && fits(&p, at);
    bool is_grouped = marked && fits(&p, p.len);
    bool decimals = told ? p.text[at] == decimal : is_mark;
    if (!told && is_mark && is_grouped)
        return two_readings(cell, &p, at, e);
    if (told && !(decimals ? is_mark : is_grouped))
        return error_set(e, ERR_DATA,
                         "found '%.40s', expected a number with '%c' before its decimals, as the "
                         "profile says, such as %s",
                         cell, decimal, decimal == ',' ? "1.234,5" : "1,234.5");
    if (decimals || is_grouped || !marked)
        compose(&p, decimals ? at : p.len, ret);
    else
        as_it_is(cell, ret);
    return ERR_OK;
}
