/* Tests the figures of a line: what cannot be true, what follows, how fresh it is, and the guard on
 * shared texts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "capacity.h"

#define HOUR INT64_C(3600000)
#define T0 INT64_C(1763730000000) /* 2025-11-21T13:00:00Z */

static const struct charter charter = {.longest_validity_ms = 7 * 24 * HOUR};
static const struct charter_service beds = {.code = "bed", .decimals = 0};
static const struct charter_service hours = {.code = "hours", .decimals = 1};

#define A(v)                                                                                       \
    { true, v }

static struct capacity valid(void) {
    return (struct capacity){.observed_ms = T0, .valid_until_ms = T0 + 24 * HOUR};
}

struct figures {
    struct amount total, occupied, free, held, blocked, need;
};

static struct capacity with(struct figures f) {
    struct capacity c = valid();
    c.total = f.total;
    c.occupied = f.occupied;
    c.free = f.free;
    c.held = f.held;
    c.blocked = f.blocked;
    c.need = f.need;
    return c;
}

static void accepts(const struct capacity *c, const char *what) {
    struct error e = {0};
    cr_assert_eq(capacity_check(c, &charter, &beds, &e), ERR_OK, "%s: %s", what, e.detail);
}

static struct error refuses(const struct capacity *c, const struct charter_service *service,
                            const char *key, const char *part) {
    struct error e = {0};
    cr_assert_eq(capacity_check(c, &charter, service, &e), ERR_DATA, "%s %s", key, part);
    cr_assert_eq(e.code, ERR_DATA);
    cr_assert_str_eq(e.file, key, "%s", e.detail);
    cr_assert_not_null(strstr(e.detail, part), "'%s' not in: %s", part, e.detail);
    return e;
}

Test(capacity, what_can_be_true_is_accepted) {
    static const struct {
        const char *what;
        struct figures f;
    } rows[] = {
        {"nothing known", {{false, 0}, {false, 0}, {false, 0}, {false, 0}, {false, 0}, {false, 0}}},
        {"only free", {.free = A(2)}},
        {"free of zero", {.free = A(0)}},
        {"free below zero", {.free = A(-1)}},
        {"all five agree",
         {.total = A(10), .free = A(3), .occupied = A(5), .held = A(1), .blocked = A(1)}},
        {"all five agree, over capacity",
         {.total = A(10), .free = A(-2), .occupied = A(11), .held = A(1), .blocked = A(0)}},
        {"the rest is held or blocked", {.total = A(10), .free = A(3), .occupied = A(5)}},
        {"nothing is left for what is not known", {.total = A(10), .free = A(5), .occupied = A(5)}},
        {"over capacity, free not entered",
         {.total = A(10), .occupied = A(12), .held = A(1), .blocked = A(0)}},
        {"more occupied than total", {.total = A(10), .occupied = A(12)}},
        {"no total, parts known", {.free = A(-3), .occupied = A(3), .held = A(0), .blocked = A(0)}},
        {"no total, held not known", {.free = A(-5), .occupied = A(3), .blocked = A(0)}},
        {"waiting", {.need = A(4)}},
        {"the bound", {.total = A(AMOUNT_MAX), .free = A(0), .occupied = A(AMOUNT_MAX)}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct capacity c = with(rows[i].f);
        accepts(&c, rows[i].what);
    }
}

Test(capacity, contradictions_name_their_keys_and_values) {
    static const struct {
        struct figures f;
        const char *key, *part;
    } rows[] = {
        {{.total = A(-1)}, "total", "found total -1"},
        {{.occupied = A(-1)}, "occupied", "found occupied -1"},
        {{.held = A(-3)}, "held", "found held -3"},
        {{.blocked = A(-1)}, "blocked", "found blocked -1"},
        {{.need = A(-1)}, "need", "found need -1"},
        {{.total = A(AMOUNT_MAX + 1)}, "total", "larger"},
        {{.free = A(-AMOUNT_MAX - 1)}, "free", "larger"},
        {{.free = A(INT64_MIN)}, "free", "larger"},
        {{.total = A(INT64_MAX)}, "total", "larger"},
        {{.total = A(10), .free = A(11)}, "total", "found total 10, but free 11 make 11"},
        {{.total = A(10), .free = A(8), .occupied = A(3)},
         "total",
         "found total 10, but free 8 + occupied 3 make 11"},
        {{.total = A(10), .free = A(8), .held = A(2), .blocked = A(1)},
         "total",
         "free 8 + held 2 + blocked 1 make 11"},
        {{.total = A(10), .free = A(3), .occupied = A(5), .held = A(1), .blocked = A(0)},
         "total",
         "found total 10, but free 3 + occupied 5 + held 1 + blocked 0 make 9"},
        {{.free = A(-4), .occupied = A(1), .held = A(1), .blocked = A(1)}, "free", "make -1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct capacity c = with(rows[i].f);
        refuses(&c, &beds, rows[i].key, rows[i].part);
    }
}

Test(capacity, messages_write_numbers_with_the_services_decimals) {
    struct capacity c = with((struct figures){.total = A(100), .free = A(125)});
    refuses(&c, &hours, "total", "found total 10.0, but free 12.5");
}

Test(capacity, a_reason_or_end_needs_something_blocked) {
    struct capacity c = valid();
    snprintf(c.blocked_reason, sizeof c.blocked_reason, "%s", "personeel");
    refuses(&c, &beds, "blocked_reason", "enter blocked");
    c.blocked = (struct amount)A(0);
    refuses(&c, &beds, "blocked_reason", "enter blocked");
    c.blocked = (struct amount)A(1);
    accepts(&c, "reason with blocked");
    c.blocked_until_ms = T0 + 48 * HOUR;
    accepts(&c, "end with blocked");
    c.blocked_reason[0] = '\0';
    c.blocked = (struct amount){.known = false};
    refuses(&c, &beds, "blocked_until", "enter blocked");
}

Test(capacity, validity_is_over_zero_and_within_the_charters_longest) {
    struct capacity c = valid();
    c.valid_until_ms = T0 + 7 * 24 * HOUR;
    accepts(&c, "the longest");
    c.valid_until_ms++;
    refuses(&c, &beds, "valid_until", "at most 7d");
    c.valid_until_ms = T0;
    refuses(&c, &beds, "valid_until", "later than observed_at 2025-11-21T13:00:00Z");
    c.valid_until_ms = T0 - 1;
    refuses(&c, &beds, "valid_until", "later");
    c = valid();
    c.observed_ms = 0;
    refuses(&c, &beds, "observed_at", "found nothing");
    c = valid();
    c.observed_ms = INT64_MIN;
    refuses(&c, &beds, "observed_at", "1970");
    c = valid();
    c.valid_until_ms = INT64_MAX;
    refuses(&c, &beds, "valid_until", "9999");
    c = valid();
    c.next_free_ms = -1;
    refuses(&c, &beds, "next_free", "1970");
}

Test(capacity, status_and_texts_are_checked_too) {
    struct capacity c = valid();
    c.status = (enum status)5;
    refuses(&c, &beds, "status", "found 5");
    c = valid();
    snprintf(c.note, sizeof c.note, "%s", "bel over 111222333");
    refuses(&c, &beds, "note", "BSN");
    c = valid();
    c.blocked = (struct amount)A(1);
    snprintf(c.blocked_reason, sizeof c.blocked_reason, "%s", "van 111222333");
    refuses(&c, &beds, "blocked_reason", "BSN");
}

Test(capacity, available_is_never_made_out_of_unknown) {
    static const struct {
        struct figures f;
        struct amount available, total;
    } rows[] = {
        {{.free = A(3)}, A(3), {false, 0}},
        {{.total = A(10), .free = A(3)}, A(3), A(10)},
        {{.total = A(10), .occupied = A(5), .held = A(1), .blocked = A(2)}, A(2), A(10)},
        {{.total = A(10), .occupied = A(12), .held = A(1), .blocked = A(0)}, A(-3), A(10)},
        {{.total = A(10), .occupied = A(5), .held = A(1)}, {false, 0}, A(10)},
        {{.total = A(10), .occupied = A(5), .blocked = A(1)}, {false, 0}, A(10)},
        {{.total = A(10), .held = A(5), .blocked = A(1)}, {false, 0}, A(10)},
        {{.occupied = A(5), .held = A(1), .blocked = A(1)}, {false, 0}, {false, 0}},
        {{.free = A(2), .occupied = A(5)}, A(2), A(7)},
        {{.free = A(2), .occupied = A(5), .held = A(1)}, A(2), A(8)},
        {{.free = A(2), .occupied = A(5), .held = A(1), .blocked = A(2)}, A(2), A(10)},
        {{.free = A(2), .held = A(5)}, A(2), {false, 0}},
        {{.free = A(-5), .occupied = A(3)}, A(-5), {false, 0}},
        {{.need = A(5)}, {false, 0}, {false, 0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct capacity c = with(rows[i].f);
        struct amount available = capacity_available(&c);
        struct amount total = capacity_total(&c);
        cr_assert_eq(available.known, rows[i].available.known, "row %zu", i);
        cr_assert_eq(total.known, rows[i].total.known, "row %zu", i);
        cr_assert_eq(available.value, rows[i].available.value, "row %zu", i);
        cr_assert_eq(total.value, rows[i].total.value, "row %zu", i);
    }
}

Test(capacity, freshness_turns_at_three_quarters_and_at_the_end) {
    static const struct {
        int64_t now;
        enum freshness expected;
    } rows[] = {
        {T0 - HOUR, FRESH_CURRENT},          {T0, FRESH_CURRENT},
        {T0 + 18 * HOUR - 1, FRESH_CURRENT}, {T0 + 18 * HOUR, FRESH_DUE},
        {T0 + 24 * HOUR - 1, FRESH_DUE},     {T0 + 24 * HOUR, FRESH_EXPIRED},
        {T0 + 900 * HOUR, FRESH_EXPIRED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(capacity_freshness(T0, T0 + 24 * HOUR, rows[i].now), rows[i].expected,
                     "row %zu", i);
    }
    cr_assert_eq(capacity_freshness(0, 0, T0), FRESH_EXPIRED, "never reported is never current");
    cr_assert_str_eq(freshness_name(FRESH_CURRENT), "current");
    cr_assert_str_eq(freshness_name(FRESH_DUE), "due");
    cr_assert_str_eq(freshness_name(FRESH_EXPIRED), "expired");
}

Test(capacity, status_names_go_both_ways) {
    for (enum status s = STATUS_ADMITTING; s <= STATUS_STOPPED; s++) {
        enum status back = STATUS_UNKNOWN;
        struct error e = {0};
        cr_assert_eq(status_parse(status_name(s), &back, &e), ERR_OK);
        cr_assert_eq(back, s);
    }
    cr_assert_null(status_name(STATUS_UNKNOWN));
    cr_assert_null(status_name((enum status)99));
    static const char *const bad[] = {"", "open", "gesloten", "Full", "full ", "unknown"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum status untouched = STATUS_CONSULT;
        struct error e = {0};
        cr_assert_eq(status_parse(bad[i], &untouched, &e), ERR_DATA, "%s", bad[i]);
        cr_assert_eq(untouched, STATUS_CONSULT);
        cr_assert_not_null(strstr(e.detail, "admitting"), "%s", e.detail);
    }
}

/* 111222333 and 123456782 pass the 11-test, 123456789 does not. */
Test(capacity, a_citizen_service_number_is_refused_and_not_repeated) {
    static const char *const bad[] = {
        "111222333",
        "123456782",
        "bel over 111222333.",
        "mw 111 222 333 komt",
        "1112.22.333",
        "1112-22-333",
        "1112 22.333",
        "1 1 1 2 2 2 3 3 3",
        "111 - 222 - 333",
        "111\xC2\xA0"
        "222\xC2\xA0"
        "333",
        "(111222333)",
        "kamer 12 111222333",
        "111222333 kamer 12",
        "06-12345678 en 111222333",
        "+31612345678 111222333",
        "+31 6 1234 5678 111222333",
        "vrij per 20-11-2026 111222333",
        "bsn:111222333",
        "a1b2c 111222333",
        "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 111222333",
        "111222333 0", /* ten digits, but nine of them stand together */
        "0 111222333",
        "33-11-2026 4", /* no such day */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error e = {0};
        cr_assert_eq(capacity_check_text("note", bad[i], NOTE_MAX, &e), ERR_DATA, "%s", bad[i]);
        cr_assert_str_eq(e.file, "note");
        cr_assert_not_null(strstr(e.detail, "BSN"), "%s", e.detail);
        cr_assert_null(strpbrk(e.detail, "0123456789"), "repeats digits: %s", e.detail);
    }
}

Test(capacity, other_numbers_pass) {
    static const char *const good[] = {
        "",
        "2 plekken vrij",
        "12345678",
        "11122233",   /* eight */
        "1112223330", /* ten */
        "0111222333", /* ten */
        "123456789",  /* fails the 11-test */
        "111222334",
        "000000000",
        "+31111222333",
        "+31 111222333",
        "+31 (0)11 1222 333",
        "+31-11-12 22 333",
        "0111 222 333",
        "06 11 12 22 33",
        "06-11122233",
        "020 1112223",
        "vrij per 22-11-2026 9 uur", /* 221120269 would pass the test */
        "2026-11-23 1",
        "19.11.2026 1",
        "111a222b333",
        "111, 222, 333",
        "111    222    333", /* more than a separator: a table, not a number */
        "café \xE2\x82\xAC 12\nen meer\t!",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct error e = {0};
        cr_assert_eq(capacity_check_text("note", good[i], NOTE_MAX, &e), ERR_OK, "%s: %s", good[i],
                     e.detail);
    }
}

Test(capacity, every_nine_digits_are_judged_by_the_eleven_test) {
    unsigned caught = 0;
    for (unsigned n = 111222000; n < 111222000 + 1100; n++) {
        char text[16];
        int sum = 0;
        snprintf(text, sizeof(text), "%u", n);
        for (int i = 0; i < 8; i++) {
            sum += (text[i] - '0') * (9 - i);
        }
        bool bsn = (sum - (text[8] - '0')) % 11 == 0;
        bool refused = capacity_check_text("note", text, NOTE_MAX, NULL) == ERR_DATA;
        cr_assert_eq(refused, bsn, "%s", text);
        caught += refused;
    }
    cr_assert_gt(caught, 90);
    cr_assert_lt(caught, 110);
}

Test(capacity, texts_are_short_plain_utf8) {
    char text[NOTE_MAX + 2];
    struct error e = {0};
    memset(text, 'a', sizeof(text));
    text[NOTE_MAX] = '\0';
    cr_assert_eq(capacity_check_text("note", text, NOTE_MAX, &e), ERR_OK);
    text[NOTE_MAX] = 'a';
    text[NOTE_MAX + 1] = '\0';
    cr_assert_eq(capacity_check_text("note", text, NOTE_MAX, &e), ERR_DATA);
    cr_assert_not_null(strstr(e.detail, "281 bytes, expected at most 280"), "%s", e.detail);
    static const char *const bad[] = {"\xFF", "a\x01", "a\x1B[2J", "\x7F", "\xC3", "a\rb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(capacity_check_text("note", bad[i], NOTE_MAX, &e), ERR_DATA, "%zu", i);
    }
}
