/* One test for each trap of the tables that people have: the same three figures, written in that
 * dialect, are the same figures, as the newest of a line and as its history. What has two readings
 * is refused. */
#include "import.h"
#include "past_rows.h"
#include "records.h"
#include "unit/agent/agent_kit.h"

#define WARD "Zo\xC3\xAB"
#define NOON (KIT_NOW - 2 * KIT_HOUR - KIT_DAY) /* 2026-09-12, in Amsterdam */

static enum err import(struct kit *kit, const char *table, const char *date, const char *more,
                       bool history, struct error *e) {
    char profile[512];
    json_t *report = NULL;
    snprintf(profile, sizeof profile,
             "{\"format\":1,\"service\":\"care\",\"ward\":{\"column\":\"w\"},"
             "\"columns\":{\"free\":\"f\",\"occupied\":\"o\"},"
             "\"date\":{\"column\":\"d\",\"format\":\"%s\"}%s}",
             date, more);
    const struct import_request r = {.file = "t.csv",
                                     .profile = bytes_str(profile),
                                     .profile_file = "p.json",
                                     .history = history,
                                     .actor = "test"};
    enum err code = import_run(kit->agent, &r, bytes_str(table), KIT_NOW, &report, e);
    json_decref(report);
    return code;
}

static size_t past_count(struct kit *kit) {
    struct error e = {0};
    json_t *rows = NULL;
    const struct past_filter own = {.own = true};
    KIT_OK(past_rows(kit->agent, &own, &rows, &e));
    size_t count = json_array_size(rows);
    json_decref(rows);
    return count;
}

/* Three days of one ward; on the last of them 1234.5 free, and nobody knows how many occupied. */
static void expect(const char *table, const char *date, const char *more) {
    for (int history = 0; history < 2; history++) {
        struct kit kit;
        struct error e = {0};
        struct record r;
        bool found = false;
        kit_joined(&kit, NULL);
        KIT_OK(import(&kit, table, date, more, history, &e));
        KIT_OK(records_find_line(kit.agent, 1, "care", WARD, &r, &found, &e));
        cr_assert(found, "the ward was misread");
        const struct capacity *c = &r.line.capacity;
        cr_assert(c->free.known);
        cr_assert_eq(c->free.value, 12345);
        cr_assert_not(c->occupied.known, "unknown is not 0");
        cr_assert_eq(c->observed_ms, NOON);
        cr_assert_eq(past_count(&kit), history ? 3u : 1u);
        kit_done(&kit);
    }
}

static void refuse(const char *table, const char *date, const char *more, int column,
                   const char *words) {
    for (int history = 0; history < 2; history++) {
        struct kit kit;
        struct error e = {0};
        kit_joined(&kit, NULL);
        KIT_FAILS(import(&kit, table, date, more, history, &e), ERR_DATA);
        cr_assert_str_eq(e.file, "t.csv");
        cr_assert_eq(e.line, 4, "line %d: %s", e.line, e.detail);
        cr_assert_eq(e.column, column, "column %d: %s", e.column, e.detail);
        cr_assert_not_null(strstr(e.detail, words), "%s", e.detail);
        cr_assert_eq(past_count(&kit), 0u, "nothing of it was taken");
        kit_done(&kit);
    }
}

/* Days and rows in the plainest dialect; each test bends one thing. */
#define ISO(d, free)                                                                               \
    "d" d "w" d "f" d "o\n2026-09-10" d WARD d "7" d "1\n2026-09-11" d WARD d "0" d                \
    "2\n2026-09-12" d WARD d free d "NA\n"

Test(dialect, commas) {
    expect(ISO(",", "1234.5"), "iso", "");
}

Test(dialect, semicolons) {
    expect(ISO(";", "1234.5"), "iso", "");
}

Test(dialect, tabs) {
    expect(ISO("\t", "1234.5"), "iso", "");
}

Test(dialect, a_sep_line) {
    expect("sep=;\r\n" ISO(";", "1234.5"), "iso", "");
    expect("sep=;\n" ISO(";", "1234.5"), "iso", ",\"delimiter\":\",\"");
}

Test(dialect, a_byte_order_mark) {
    expect("\xEF\xBB\xBF" ISO(";", "1234.5"), "iso", "");
    expect("\xEF\xBB\xBFsep=,\n" ISO(",", "1234.5"), "iso", "");
}

Test(dialect, utf_8) {
    expect(ISO(",", "1234.5"), "iso", ",\"encoding\":\"utf-8\"");
    refuse("d,w,f,o\n2026-09-10,A,7,1\n2026-09-11,A,7,1\n2026-09-12,Zo\xEB,1,NA\n", "iso",
           ",\"encoding\":\"utf-8\"", 14, "windows-1252");
}

Test(dialect, windows_1252) {
    static const char table[] = "d,w,f,o\n2026-09-10,Zo\xEB,7,1\n2026-09-11,Zo\xEB,0,2\n"
                                "2026-09-12,Zo\xEB,1234.5,NA\n";
    expect(table, "iso", "");
    expect(table, "iso", ",\"encoding\":\"windows-1252\"");
}

Test(dialect, quoted_thousands) {
    expect(ISO(",", "\"1,234.5\""), "iso", "");
    expect(ISO(";", "\"1.234,5\""), "iso", "");
    expect(ISO(";", "1.234,50"), "iso", "");
}

Test(dialect, a_decimal_comma) {
    expect(ISO(";", "1234,5"), "iso", "");
    expect(ISO(",", "\"1234,5\""), "iso", "");
    expect(ISO(";", "1234,5"), "iso", ",\"decimal\":\",\"");
    refuse(ISO(";", "1234.5"), "iso", ",\"decimal\":\",\"", 3, "1234.5");
}

Test(dialect, one_point_two_three_four_has_two_readings) {
    refuse(ISO(";", "1.234"), "iso", "", 3, "1234 when '.'");
    refuse(ISO(",", "\"1,234\""), "iso", "", 3, "\"decimal\"");
}

#define DUTCH(first, second, third)                                                                \
    "d;w;f;o\n" first ";" WARD ";7;1\n" second ";" WARD ";0;2\n" third ";" WARD ";1234,5;NA\n"

Test(dialect, dutch_days) {
    expect(DUTCH("10-09-2026", "11-09-2026", "12-09-2026"), "dd-mm-jjjj", "");
    expect(DUTCH("10-9-2026", "11-9-2026", "12-9-2026"), "d-m-jjjj", "");
    expect(DUTCH("10/09/2026", "11/09/2026", "12/09/2026"), "dd/mm/jjjj", "");
}

Test(dialect, iso_days_are_no_dutch_days) {
    refuse(DUTCH("10-09-2026", "11-09-2026", "2026-09-12"), "dd-mm-jjjj", "", 1, "'2026-09-12'");
    refuse(DUTCH("2026-09-10", "2026-09-11", "12-09-2026"), "iso", "", 1, "'12-09-2026'");
}

Test(dialect, na_dash_and_empty_are_unknown) {
    static const char *const unknown[] = {"NA", "-", "", "\"\"", "\"NA\""};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        char table[256];
        snprintf(table, sizeof table,
                 "d;w;f;o\n2026-09-10;" WARD ";7;1\n2026-09-11;" WARD ";0;2\n2026-09-12;" WARD
                 ";1234,5;%s\n",
                 unknown[i]);
        expect(table, "iso", "");
    }
    refuse(ISO(";", "onbekend"), "iso", "", 3, "'onbekend'");
}
