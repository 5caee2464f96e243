/* Owns the figures of one line: whether what was entered can be true, what follows from it, how
 * fresh it is, and the guard on shared texts. Must not know a clock, a store or a recipient. */
#include "capacity.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TIME_MAX_MS INT64_C(253402300799999) /* the end of the year 9999 */
#define BSN_DIGITS 9
#define PHONE_DIGITS 11 /* "+31" and nine digits; where longer numbers are cut off as phones */
#define LOCAL_PHONE_DIGITS 10
#define SEPARATORS_MAX 3 /* between two groups of digits that are read as one number */
#define GROUPS_MAX 16

static const char *const status_names[] = {NULL, "admitting", "consult", "full", "stopped"};

const char *status_name(enum status s) {
    return (unsigned)s <= STATUS_STOPPED ? status_names[s] : NULL;
}

enum err status_parse(const char *text, enum status *ret, struct error *e) {
    for (enum status s = STATUS_ADMITTING; s <= STATUS_STOPPED; s++) {
        if (strcmp(text, status_names[s]) == 0) {
            *ret = s;
            return ERR_OK;
        }
    }
    return error_set(e, ERR_DATA, "found '%.40s', expected admitting, consult, full or stopped",
                     text);
}

const char *freshness_name(enum freshness f) {
    switch (f) {
    case FRESH_CURRENT:
        return "current";
    case FRESH_DUE:
        return "due";
    case FRESH_EXPIRED:
        return "expired";
    }
    return "expired";
}

/* ---- what was entered --------------------------------------------------------------------------
 */

struct term {
    const char *key;
    const struct amount *amount;
};

static int64_t known_or_zero(const struct amount *a) {
    return a->known ? a->value : 0;
}

static enum err check_bounds(const struct capacity *c, int decimals, struct error *e) {
    const struct term terms[] = {{"total", &c->total},     {"occupied", &c->occupied},
                                 {"free", &c->free},       {"held", &c->held},
                                 {"blocked", &c->blocked}, {"need", &c->need}};
    char found[TEXT_NUMBER_SIZE];
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
        const struct amount *a = terms[i].amount;
        if (!a->known) {
            continue;
        }
        text_number(a->value, decimals, found);
        if (a->value > AMOUNT_MAX || a->value < -AMOUNT_MAX) {
            return error_at(e, ERR_DATA, terms[i].key, 0, 0,
                            "found %s %s, which is larger than this software counts; correct it",
                            terms[i].key, found);
        }
        /* Only free may be below zero: more people than places. */
        if (a->value < 0 && a != &c->free) {
            return error_at(e, ERR_DATA, terms[i].key, 0, 0,
                            "found %s %s, expected 0 or more, or nothing when it is not known",
                            terms[i].key, found);
        }
    }
    return ERR_OK;
}

/* "free 8 + occupied 3" out of the known ones among free, occupied, held and blocked. */
static void name_parts(const struct capacity *c, int decimals, char *out, size_t size) {
    const struct term terms[] = {{"free", &c->free},
                                 {"occupied", &c->occupied},
                                 {"held", &c->held},
                                 {"blocked", &c->blocked}};
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]) && len < size; i++) {
        char number[TEXT_NUMBER_SIZE];
        if (!terms[i].amount->known) {
            continue;
        }
        int n = snprintf(out + len, size - len, "%s%s %s", len > 0 ? " + " : "", terms[i].key,
                         text_number(terms[i].amount->value, decimals, number));
        len += n > 0 ? (size_t)n : 0;
    }
}

static enum err check_sum(const struct capacity *c, int decimals, struct error *e) {
    if (!c->free.known) {
        return ERR_OK; /* then available follows, and may be below zero */
    }
    bool all = c->occupied.known && c->held.known && c->blocked.known;
    int64_t sum = c->free.value + known_or_zero(&c->occupied) + known_or_zero(&c->held) +
                  known_or_zero(&c->blocked);
    char parts[160];
    char total[TEXT_NUMBER_SIZE];
    char made[TEXT_NUMBER_SIZE];
    name_parts(c, decimals, parts, sizeof(parts));
    text_number(sum, decimals, made);
    if (!c->total.known) {
        return !all || sum >= 0 ? ERR_OK
                                : error_at(e, ERR_DATA, "free", 0, 0,
                                           "found %s, which make %s in total, expected 0 or more; "
                                           "correct one of them",
                                           parts, made);
    }
    if (sum > c->total.value || (all && sum != c->total.value)) {
        return error_at(e, ERR_DATA, "total", 0, 0,
                        "found total %s, but %s make %s; correct one of them or leave out what is "
                        "not known",
                        text_number(c->total.value, decimals, total), parts, made);
    }
    return ERR_OK;
}

static enum err check_blocked(const struct capacity *c, struct error *e) {
    bool any = c->blocked.known && c->blocked.value > 0;
    if (c->blocked_reason[0] && !any) {
        return error_at(e, ERR_DATA, "blocked_reason", 0, 0,
                        "found a reason without a number of blocked over 0; enter blocked too");
    }
    if (c->blocked_until_ms != 0 && !any) {
        return error_at(e, ERR_DATA, "blocked_until", 0, 0,
                        "found an end without a number of blocked over 0; enter blocked too");
    }
    return ERR_OK;
}

static enum err check_time(const char *key, int64_t ms, struct error *e) {
    if (ms >= 0 && ms <= TIME_MAX_MS) {
        return ERR_OK;
    }
    return error_at(e, ERR_DATA, key, 0, 0, "found %lld ms, expected a time between 1970 and 9999",
                    (long long)ms);
}

static enum err check_times(const struct capacity *c, const struct charter *charter,
                            struct error *e) {
    enum err code = check_time("observed_at", c->observed_ms, e);
    code = code != ERR_OK ? code : check_time("valid_until", c->valid_until_ms, e);
    code = code != ERR_OK ? code : check_time("blocked_until", c->blocked_until_ms, e);
    code = code != ERR_OK ? code : check_time("next_free", c->next_free_ms, e);
    if (code != ERR_OK) {
        return code;
    }
    if (c->observed_ms == 0) {
        return error_at(e, ERR_DATA, "observed_at", 0, 0,
                        "found nothing, expected when the figures were observed");
    }
    char observed[TEXT_TIME_SIZE];
    char valid[TEXT_TIME_SIZE];
    char longest[TEXT_TIME_SIZE];
    text_time(c->observed_ms, observed);
    text_time(c->valid_until_ms, valid);
    if (c->valid_until_ms <= c->observed_ms) {
        return error_at(e, ERR_DATA, "valid_until", 0, 0,
                        "found valid_until %s, expected later than observed_at %s", valid,
                        observed);
    }
    if (c->valid_until_ms - c->observed_ms > charter->longest_validity_ms) {
        return error_at(e, ERR_DATA, "valid_until", 0, 0,
                        "found valid_until %s for observed_at %s, expected at most %s later: the "
                        "charter's longest validity",
                        valid, observed, text_duration(charter->longest_validity_ms, longest));
    }
    return ERR_OK;
}

enum err capacity_check(const struct capacity *c, const struct charter *charter,
                        const struct charter_service *service, struct error *e) {
    enum err code = check_bounds(c, service->decimals, e);
    code = code != ERR_OK ? code : check_sum(c, service->decimals, e);
    code = code != ERR_OK ? code : check_blocked(c, e);
    if (code != ERR_OK) {
        return code;
    }
    if ((unsigned)c->status > STATUS_STOPPED) {
        return error_at(e, ERR_DATA, "status", 0, 0,
                        "found %d, expected admitting, consult, full or stopped", (int)c->status);
    }
    code = capacity_check_text("blocked_reason", c->blocked_reason, REASON_MAX, e);
    code = code != ERR_OK ? code : capacity_check_text("note", c->note, NOTE_MAX, e);
    return code != ERR_OK ? code : check_times(c, charter, e);
}

/* ---- what follows -------------------------------------------------------------------------------
 */

struct amount capacity_available(const struct capacity *c) {
    if (c->free.known) {
        return c->free;
    }
    if (!c->total.known || !c->occupied.known || !c->held.known || !c->blocked.known) {
        return (struct amount){.known = false};
    }
    return (struct amount){true,
                           c->total.value - c->occupied.value - c->held.value - c->blocked.value};
}

struct amount capacity_total(const struct capacity *c) {
    if (c->total.known) {
        return c->total;
    }
    if (!c->free.known || !c->occupied.known) {
        return (struct amount){.known = false};
    }
    int64_t sum =
        c->free.value + c->occupied.value + known_or_zero(&c->held) + known_or_zero(&c->blocked);
    /* Over capacity with held or blocked not entered: the total cannot be told from the rest. */
    return sum < 0 ? (struct amount){.known = false} : (struct amount){true, sum};
}

enum freshness capacity_freshness(int64_t observed_ms, int64_t valid_until_ms, int64_t now_ms) {
    if (now_ms >= valid_until_ms) {
        return FRESH_EXPIRED;
    }
    int64_t validity_ms = valid_until_ms - observed_ms;
    return now_ms >= valid_until_ms - validity_ms / 4 ? FRESH_DUE : FRESH_CURRENT;
}

/* ---- the guard on shared texts ---- */

/* Groups of digits that stand together: "1234 56 782" is one run of three groups. */
struct run {
    const char *group[GROUPS_MAX];
    size_t len[GROUPS_MAX];
    char separator[GROUPS_MAX]; /* first one in front of the group */
    size_t count;
};

static size_t digits_at(const char *s) {
    size_t n = 0;
    while (isdigit((unsigned char)s[n])) {
        n++;
    }
    return n;
}

/* Length of the separators in front of the next group; 0 when no group follows them. */
static size_t separators_at(const char *s, const char *allowed) {
    size_t n = 0;
    for (int i = 0; i < SEPARATORS_MAX; i++) {
        if (strncmp(s + n, "\xC2\xA0", 2) == 0) { /* no-break space */
            n += 2;
        } else if (s[n] && strchr(allowed, s[n])) {
            n++;
        } else {
            break;
        }
    }
    return isdigit((unsigned char)s[n]) ? n : 0;
}

/* Reads the run that begins at a digit; returns where it ends. A run of too many groups is read in
 * pieces that overlap by all but the first group (see guard_text). */
static const char *read_run(const char *s, struct run *ret) {
    ret->count = 0;
    char separator = '\0';
    for (;;) {
        size_t len = digits_at(s);
        ret->group[ret->count] = s;
        ret->len[ret->count] = len;
        ret->separator[ret->count] = separator;
        ret->count++;
        s += len;
        size_t gap = separators_at(s, " .-");
        if (gap == 0 || ret->count == GROUPS_MAX) {
            return s;
        }
        separator = *s;
        s += gap;
    }
}

static bool passes_eleven_test(const char digits[static BSN_DIGITS]) {
    int sum = 0;
    bool any = false;
    for (int i = 0; i < BSN_DIGITS; i++) {
        int digit = digits[i] - '0';
        sum += digit * (i == BSN_DIGITS - 1 ? -1 : BSN_DIGITS - i);
        any = any || digit != 0;
    }
    return any && sum % 11 == 0;
}

/* True when groups from `first` on hold together exactly nine digits that pass. */
static bool bsn_from(const struct run *run, size_t first) {
    char digits[BSN_DIGITS];
    size_t len = 0;
    for (size_t i = first; i < run->count && len < BSN_DIGITS; i++) {
        if (run->len[i] > BSN_DIGITS - len) {
            return false;
        }
        memcpy(digits + len, run->group[i], run->len[i]);
        len += run->len[i];
    }
    return len == BSN_DIGITS && passes_eleven_test(digits);
}

static int number_of(const struct run *run, size_t i) {
    int value = 0;
    for (size_t k = 0; k < run->len[i]; k++) {
        value = value * 10 + (run->group[i][k] - '0');
    }
    return value;
}

/* "20-11-2026" or "2026-11-20" at `i`: the day a place comes free is not part of a number. */
static bool date_at(const struct run *run, size_t i) {
    if (i + 2 >= run->count || run->separator[i + 1] != run->separator[i + 2] ||
        run->len[i + 1] > 2) {
        return false;
    }
    bool year_first = run->len[i] == 4 && run->len[i + 2] <= 2;
    bool year_last = run->len[i] <= 2 && run->len[i + 2] == 4;
    if (!year_first && !year_last) {
        return false;
    }
    int year = number_of(run, year_first ? i : i + 2);
    int day = number_of(run, year_first ? i + 2 : i);
    int month = number_of(run, i + 1);
    return year >= 1900 && year < 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* "06 12 34 56 78": ten digits from 0 on, none of whose groups is nine long. */
static bool local_phone(const struct run *run) {
    size_t digits = 0;
    for (size_t i = 0; i < run->count; i++) {
        digits += run->len[i];
        if (run->len[i] == BSN_DIGITS) {
            return false;
        }
    }
    return digits == LOCAL_PHONE_DIGITS && run->group[0][0] == '0';
}

static bool run_holds_bsn(const struct run *run) {
    if (local_phone(run)) {
        return false;
    }
    size_t i = 0;
    while (i < run->count) {
        if (date_at(run, i)) {
            i += 3;
        } else if (bsn_from(run, i)) {
            return true;
        } else {
            i++;
        }
    }
    return false;
}

/* Past an international phone number that begins at `s` with its country's digits. */
static const char *skip_phone(const char *s) {
    size_t digits = 0;
    for (;;) {
        size_t len = digits_at(s);
        s += len;
        digits += len;
        size_t gap = separators_at(s, " .-()/");
        if (gap == 0 || digits >= PHONE_DIGITS) {
            return s;
        }
        s += gap;
    }
}

bool capacity_holds_bsn(const char *text) {
    const char *s = text;
    while (*s) {
        if (!isdigit((unsigned char)*s)) {
            s++;
            continue;
        }
        if (s > text && s[-1] == '+') {
            s = skip_phone(s);
            continue;
        }
        struct run run;
        const char *end = read_run(s, &run);
        if (run_holds_bsn(&run)) {
            return true;
        }
        s = run.count == GROUPS_MAX ? run.group[1] : end;
    }
    return false;
}

static bool has_control(const char *text) {
    for (const char *s = text; *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7F) {
            return true;
        }
    }
    return false;
}

enum err capacity_check_text(const char *what, const char *text, size_t max_bytes,
                             struct error *e) {
    size_t len = strlen(text);
    if (len > max_bytes) {
        return error_at(e, ERR_DATA, what, 0, 0,
                        "found a text of %zu bytes, expected at most %zu; shorten it", len,
                        max_bytes);
    }
    if (!utf8_valid(bytes_of(text, len)) || has_control(text)) {
        return error_at(e, ERR_DATA, what, 0, 0,
                        "found bytes that are not plain UTF-8 text, expected letters, digits and "
                        "signs");
    }
    if (capacity_holds_bsn(text)) {
        return error_at(e, ERR_DATA, what, 0, 0,
                        "found nine digits that can be a citizen service number (BSN), expected "
                        "nothing about a person in a text that leaves the organisation; remove "
                        "them");
    }
    return ERR_OK;
}
