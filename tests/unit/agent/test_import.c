/* Importing a table: what each row becomes, all or nothing, and never backwards. */
#include <errno.h>

#include "unit/agent/import_kit.h"
#include "vfs/watch_vfs.h"

#define VFS "watch-import"

TestSuite(import, .init = setup, .fini = teardown);

/* Counts by day and region, as a ministry publishes them. */
static const char dated[] =
    "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"frei\",\"occupied\":\"belegt\"},"
    "\"filter\":[{\"column\":\"gruppe\",\"equals\":\"E\"}],\"date\":{\"column\":\"datum\"},"
    "\"valid\":\"36h\"}";
static const char published[] = "datum,land,gruppe,belegt,frei\n"
                                "2026-09-11,Nord,E,20,5\n"
                                "2026-09-12,Nord,K,1,1\n"
                                "2026-09-12,Nord,E,21,NA\n"
                                "2026-09-12,Sued,E,30,3\n"
                                "2026-09-10,Nord,E,19,6\n";
/* One row a ward, no date. */
static const char wards[] =
    "{\"format\":1,\"service\":{\"column\":\"s\"},\"ward\":{\"column\":\"w\"},"
    "\"columns\":{\"free\":\"f\",\"status\":\"st\"},\"attributes\":{\"security\":{\"column\":"
    "\"sec\"}}}";

static char *dump(void) {
    struct error e = {0};
    json_t *lines = NULL;
    KIT_OK(records_lines_json(kit.agent, NULL, NULL, KIT_NOW, &lines, &e));
    char *text = json_dumps(lines, JSON_SORT_KEYS);
    json_decref(lines);
    return text;
}

static void refuse(const char *text, const char *profile, struct options o, enum err code, int line,
                   int column, const char *words) {
    struct error e = {0};
    json_t *report = NULL;
    char *before = dump();
    agent_clear_dirty(kit.agent);
    enum err got = import(text, profile, o, &report, &e);
    char *after = dump();
    cr_assert_eq(got, code, "%d: %s", got, e.detail);
    cr_assert_null(report);
    cr_assert_eq(e.line, line, "line %d: %s", e.line, e.detail);
    cr_assert_eq(e.column, column, "column %d: %s", e.column, e.detail);
    cr_assert_not_null(strstr(e.detail, words), "%s", e.detail);
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
}

/* ---- what rows become ---- */

Test(import, a_row_of_the_day) {
    struct options o = {.where = {"land=Nord", "datum=2026-09-11"}};
    cr_assert_eq(run(published, dated, o), 1000);
    struct capacity c = line_of("bed", "").capacity;
    cr_assert_eq(c.free.value, 5);
    cr_assert_eq(c.occupied.value, 20);
    cr_assert_not(c.total.known);
    cr_assert_eq(capacity_total(&c).value, 25);
    cr_assert_eq(c.observed_ms, KIT_NOW - 2 * KIT_DAY - 2 * KIT_HOUR, "noon in Amsterdam");
    cr_assert_eq(c.valid_until_ms - c.observed_ms, 36 * KIT_HOUR);
}

Test(import, newest_of_several_rows_and_unknown_is_not_zero) {
    struct error e = {0};
    json_t *report = NULL;
    KIT_OK(import(published, dated, (struct options){.where = {"land=Nord"}}, &report, &e));
    cr_assert_eq(count_of(report, "rows_read"), 5);
    cr_assert_eq(count_of(report, "rows_used"), 3);
    cr_assert_eq(count_of(report, "superseded"), 2);
    cr_assert_eq(count_of(report, "new"), 1);
    cr_assert_eq(json_integer_value(
                     json_object_get(json_array_get(json_object_get(report, "lines"), 0), "row")),
                 4);
    json_decref(report);
    struct capacity c = line_of("bed", "").capacity;
    cr_assert_eq(c.occupied.value, 21);
    cr_assert_not(c.free.known);
}

Test(import, wards_services_and_attributes_by_column) {
    static const char text[] =
        "s;w;f;st;sec\nbed;A;3;admitting;high\nbed;B;-;full;\ncare;;12.5;;\n";
    cr_assert_eq(run(text, wards, (struct options){0}), 3000);
    struct line a = line_of("bed", "A"), b = line_of("bed", "B"), c = line_of("care", "");
    cr_assert_eq(a.capacity.free.value, 3);
    cr_assert_eq(a.capacity.status, STATUS_ADMITTING);
    cr_assert_str_eq(a.attributes[0].value, "high");
    cr_assert_not(b.capacity.free.known);
    cr_assert_eq(b.capacity.status, STATUS_FULL);
    cr_assert_eq(b.attribute_count, 0);
    cr_assert_eq(c.capacity.free.value, 125);
    cr_assert_eq(c.capacity.observed_ms, KIT_NOW);
    cr_assert_eq(c.capacity.valid_until_ms, KIT_NOW + 48 * KIT_HOUR);
}

Test(import, sites_by_column_or_option) {
    static const char profile[] = "{\"format\":1,\"service\":\"bed\",\"site\":{\"column\":\"huis\"}"
                                  ",\"columns\":{\"free\":\"f\"}}";
    struct error e = {0};
    struct site site = {.name = "Noord"};
    KIT_OK(records_site_add(kit.agent, &site, &e));
    cr_assert_eq(run("huis,f\nNoord,1\n" KIT_MEMBER ",2\n", profile, (struct options){0}), 2000);
    cr_assert_eq(line_of("bed", "").capacity.free.value, 2);
    cr_assert_eq(run("huis,f\nOost,9\n", profile, (struct options){.site = "Noord"}), 100);
    refuse("huis,f\nOost,9\n", profile, (struct options){0}, ERR_NOT_FOUND, 2, 1, "Noord");
    refuse("huis,f\n,9\n", profile, (struct options){0}, ERR_USAGE, 2, 1, "--site");
    refuse("huis,f\nNoord,9\n", profile, (struct options){.site = "West"}, ERR_NOT_FOUND, 2, 0,
           "West");
}

Test(import, dates_in_three_forms) {
    static const char dmy[] = "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\"},"
                              "\"date\":{\"column\":\"d\",\"format\":\"dd-mm-yyyy\"}}";
    static const char rfc[] = "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\"},"
                              "\"date\":{\"column\":\"d\",\"format\":\"rfc3339\"}}";
    cr_assert_eq(run("d,f\n12-09-2026,1\n", dmy, (struct options){0}), 1000);
    cr_assert_eq(line_of("bed", "").capacity.observed_ms, KIT_NOW - KIT_DAY - 2 * KIT_HOUR);
    cr_assert_eq(run("d,f\n2026-09-13T08:00:00Z,2\n", rfc, (struct options){0}), 100);
    cr_assert_eq(line_of("bed", "").capacity.observed_ms, KIT_NOW - 4 * KIT_HOUR);
    refuse("d,f\n31-02-2026,1\n", dmy, (struct options){0}, ERR_DATA, 2, 1, "column 'd'");
    refuse("d,f\n2026-09-12,1\n", dmy, (struct options){0}, ERR_DATA, 2, 1, "20-11-2026");
    refuse("d,f\n09/12/2026,1\n", dmy, (struct options){0}, ERR_DATA, 2, 1, "column 'd'");
    refuse("d,f\n12-09-2026,1\n", rfc, (struct options){0}, ERR_DATA, 2, 1, "column 'd'");
    refuse("d,f\nNA,1\n", rfc, (struct options){0}, ERR_DATA, 2, 1, "no date");
    refuse("d,f\n20-09-2026,1\n", dmy, (struct options){0}, ERR_DATA, 2, 1, "still to come");
}

/* The option wins over the column, which still says which of two rows is newer. */
Test(import, observed_on_the_command_line) {
    struct options o = {.where = {"land=Nord"}, .observed = "2026-09-13T10:00:00Z"};
    cr_assert_eq(run(published, dated, o), 1000);
    struct capacity c = line_of("bed", "").capacity;
    cr_assert_eq(c.occupied.value, 21);
    cr_assert_eq(c.observed_ms, KIT_NOW - 2 * KIT_HOUR);
    o.observed = "noon";
    refuse(published, dated, o, ERR_DATA, 2, 0, "observed: ");
}

Test(import, two_rows_for_one_line) {
    refuse("s,w,f,st,sec\nbed,A,1,,\n\nbed,A,2,,\n", wards, (struct options){0}, ERR_DATA, 4, 0,
           "line 2");
    refuse("s,w,f,st,sec\nbed,A,1,,\nbed,A,1,,\n", wards, (struct options){0}, ERR_DATA, 3, 0,
           "line 2");
    refuse("datum,land,gruppe,belegt,frei\n2026-09-11,Nord,E,20,5\n2026-09-11,Sued,E,20,6\n", dated,
           (struct options){0}, ERR_DATA, 3, 0, "same date");
}

Test(import, several_lines_many_rows) {
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_str(&text, "s,w,f,st,sec\n");
    for (int i = 0; i < 500; i++)
        buf_printf(&text, "bed,ward %d,%d,,\n", i, i);
    cr_assert_eq(run(buf_text(&text), wards, (struct options){0}), 500000);
    cr_assert_eq(line_of("bed", "ward 321").capacity.free.value, 321);
    cr_assert_eq(run(buf_text(&text), wards, (struct options){0}), 5000);
    buf_printf(&text, "bed,ward 7,8,,\n");
    refuse(buf_text(&text), wards, (struct options){0}, ERR_DATA, 502, 0, "line 9");
    buf_done(&text);
}

/* ---- again ---- */

Test(import, the_same_file_twice_changes_nothing) {
    struct options o = {.where = {"land=Nord"}};
    cr_assert_eq(run(published, dated, o), 1000);
    char *before = dump();
    agent_clear_dirty(kit.agent);
    agent_take_events(kit.agent);
    o.now_ms = KIT_NOW + KIT_HOUR;
    cr_assert_eq(run(published, dated, o), 10);
    char *after = dump();
    cr_assert_str_eq(before, after);
    cr_assert_not(agent_dirty(kit.agent));
    cr_assert_eq(agent_take_events(kit.agent), 0);
    free(before);
    free(after);
}

/* Without a date nobody counted again: a forgotten nightly export must not keep figures green. */
Test(import, a_file_without_dates_renews_nothing) {
    static const char text[] = "s,w,f,st,sec\nbed,A,3,,high\n";
    cr_assert_eq(run(text, wards, (struct options){0}), 1000);
    cr_assert_eq(run(text, wards, (struct options){.now_ms = KIT_NOW + KIT_DAY}), 10);
    cr_assert_eq(line_of("bed", "A").capacity.observed_ms, KIT_NOW);
    cr_assert_eq(
        run(text, wards,
            (struct options){.observed = "2026-09-13T12:30:00Z", .now_ms = KIT_NOW + KIT_DAY}),
        100);
    cr_assert_eq(line_of("bed", "A").capacity.observed_ms, KIT_NOW + KIT_HOUR / 2);
}

Test(import, never_backwards) {
    cr_assert_eq(run(published, dated, (struct options){.where = {"land=Nord"}}), 1000);
    cr_assert_eq(
        run(published, dated, (struct options){.where = {"land=Nord", "datum=2026-09-11"}}), 1);
    cr_assert_eq(line_of("bed", "").capacity.occupied.value, 21);
}

Test(import, a_correction_of_the_same_day_applies) {
    static const char first[] = "datum,gruppe,belegt,frei\n2026-09-12,E,20,5\n";
    static const char second[] = "datum,gruppe,belegt,frei\n2026-09-12,E,20,4\n";
    cr_assert_eq(run(first, dated, (struct options){0}), 1000);
    cr_assert_eq(run(second, dated, (struct options){0}), 100);
    cr_assert_eq(line_of("bed", "").capacity.free.value, 4);
}

Test(import, a_changed_attribute_alone_is_a_change) {
    cr_assert_eq(run("s,w,f,st,sec\nbed,A,3,,high\n", wards, (struct options){0}), 1000);
    cr_assert_eq(run("s,w,f,st,sec\nbed,A,3,,low\n", wards, (struct options){0}), 100);
    cr_assert_eq(run("s,w,f,st,sec\nbed,A,3,,NA\n", wards, (struct options){0}), 10);
    cr_assert_str_eq(line_of("bed", "A").attributes[0].value, "low", "unknown leaves it");
}

Test(import, dry_run_reports_and_changes_nothing) {
    struct error e = {0};
    json_t *report = NULL;
    cr_assert_eq(run("s,w,f,st,sec\nbed,A,3,,high\n", wards, (struct options){0}), 1000);
    char *before = dump();
    KIT_OK(import("s,w,f,st,sec\nbed,A,5,full,high\nbed,B,1,,\n", wards,
                  (struct options){.dry_run = true}, &report, &e));
    char *after = dump();
    cr_assert_str_eq(before, after);
    cr_assert(json_is_true(json_object_get(report, "dry_run")));
    cr_assert_eq(count_of(report, "changed"), 1);
    cr_assert_eq(count_of(report, "new"), 1);
    json_t *line = json_array_get(json_object_get(report, "lines"), 0);
    cr_assert_eq(count_of(line, "row"), 2);
    json_t *changes = json_object_get(line, "changes");
    cr_assert_eq(json_array_size(changes), 2, "free and status; the time has not moved");
    json_t *free_change = json_array_get(changes, 0);
    cr_assert_str_eq(json_string_value(json_object_get(free_change, "key")), "free");
    cr_assert_str_eq(json_string_value(json_object_get(free_change, "old")), "3");
    cr_assert_str_eq(json_string_value(json_object_get(free_change, "new")), "5");
    cr_assert(json_is_null(json_object_get(json_array_get(changes, 1), "old")));
    json_decref(report);
    cr_assert_eq(run("s,w,f,st,sec\nbed,A,5,full,high\nbed,B,1,,\n", wards, (struct options){0}),
                 1100);
    free(before);
    free(after);
}

/* ---- dialects: one test for each trap ---- */

#define DATE_FORM(form)                                                                            \
    "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\",\"next_free\":\"n\"},"          \
    "\"date\":{\"column\":\"d\",\"format\":\"" form "\"}}"

static void expect_observed(const char *cell, const char *profile, int64_t observed_ms) {
    char text[128];
    snprintf(text, sizeof text, "d;f;n\n%s;1;\n", cell);
    run(text, profile, (struct options){0});
    int64_t found = line_of("bed", "").capacity.observed_ms;
    cr_assert_eq(found, observed_ms, "'%s' gave %lld", cell, (long long)found);
}

Test(import, dutch_days_in_all_their_forms) {
    static const int64_t noon = KIT_NOW - 2 * KIT_HOUR;
    expect_observed("03-09-2026", DATE_FORM("dd-mm-jjjj"), noon - 10 * KIT_DAY);
    expect_observed("4-9-2026", DATE_FORM("d-m-yyyy"), noon - 9 * KIT_DAY);
    expect_observed("05-09-2026", DATE_FORM("d-m-jjjj"), noon - 8 * KIT_DAY);
    expect_observed("06/09/2026", DATE_FORM("dd/mm/yyyy"), noon - 7 * KIT_DAY);
    expect_observed("7/9/2026", DATE_FORM("d/m/jjjj"), noon - 6 * KIT_DAY);
    expect_observed("2026-09-08", DATE_FORM("iso"), noon - 5 * KIT_DAY);
}

Test(import, a_time_beside_the_day_is_local) {
    static const int64_t noon = KIT_NOW - 2 * KIT_HOUR;
    expect_observed("04-09-2026 14:05", DATE_FORM("dd-mm-jjjj"), noon - 9 * KIT_DAY + 125 * 60000);
    expect_observed("5-9-2026 9:00:30", DATE_FORM("d-m-jjjj"),
                    noon - 8 * KIT_DAY - 3 * KIT_HOUR + 30000);
    expect_observed("2026-09-06T12:00", DATE_FORM("iso"), noon - 7 * KIT_DAY);
    refuse("d;f;n\n04-09-2026 24:00;1;\n", DATE_FORM("dd-mm-jjjj"), (struct options){0}, ERR_DATA,
           2, 1, "column 'd'");
    refuse("d;f;n\n04-09-2026 14.05;1;\n", DATE_FORM("dd-mm-jjjj"), (struct options){0}, ERR_DATA,
           2, 1, "column 'd'");
}

Test(import, a_day_in_another_form_than_the_profile_says_is_refused) {
    static const struct {
        const char *cell, *profile;
    } cases[] = {
        {"3-9-2026", DATE_FORM("dd-mm-jjjj")}, {"03/09/2026", DATE_FORM("dd-mm-jjjj")},
        {"03-09-26", DATE_FORM("dd-mm-jjjj")}, {"2026-09-03", DATE_FORM("dd/mm/jjjj")},
        {"03-09-2026", DATE_FORM("iso")},      {"09/13/2026", DATE_FORM("dd/mm/jjjj")},
        {"29-02-2026", DATE_FORM("d-m-jjjj")}, {"3-9-2026x", DATE_FORM("d-m-jjjj")},
        {"2026-09-03", DATE_FORM("rfc3339")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "d;f;n\n%s;1;\n", cases[i].cell);
        refuse(text, cases[i].profile, (struct options){0}, ERR_DATA, 2, 1, cases[i].cell);
    }
}

Test(import, other_dates_in_the_row_have_the_same_form) {
    run("d;f;n\n04-09-2026;1;05-10-2026\n", DATE_FORM("dd-mm-jjjj"), (struct options){0});
    cr_assert_eq(line_of("bed", "").capacity.next_free_ms, KIT_NOW - 2 * KIT_HOUR + 22 * KIT_DAY);
    run("d;f;n\n05-09-2026;1;2026-10-06\n", DATE_FORM("dd-mm-jjjj"), (struct options){0});
    cr_assert_eq(line_of("bed", "").capacity.next_free_ms, KIT_NOW - 2 * KIT_HOUR + 23 * KIT_DAY);
}

#define NUMBERS(more) "{\"format\":1,\"service\":\"care\",\"columns\":{\"free\":\"f\"}" more "}"

Test(import, one_point_two_three_four_is_refused_unless_the_profile_says) {
    refuse("f;x\n1.234;\n", NUMBERS(""), (struct options){0}, ERR_DATA, 2, 1, "1234 when '.'");
    refuse("f,x\n\"1,234\",\n", NUMBERS(""), (struct options){0}, ERR_DATA, 2, 1, "\"decimal\"");
    cr_assert_eq(run("f;x\n1.234;\n", NUMBERS(",\"decimal\":\",\""), (struct options){0}), 1000);
    cr_assert_eq(line_of("care", "").capacity.free.value, 12340);
    refuse("f;x\n1.234;\n", NUMBERS(",\"decimal\":\".\""), (struct options){0}, ERR_DATA, 2, 1,
           "1 digit after");
}

Test(import, quoted_thousands_and_decimal_marks) {
    cr_assert_eq(run("f,x\n\"1,234.5\",\n", NUMBERS(""), (struct options){0}), 1000);
    cr_assert_eq(line_of("care", "").capacity.free.value, 12345);
    cr_assert_eq(run("f,x\n\"12,5\",\n", NUMBERS(""), (struct options){0}), 100);
    cr_assert_eq(line_of("care", "").capacity.free.value, 125);
    cr_assert_eq(run("f;x\n-2.012,50;\n", NUMBERS(""), (struct options){0}), 100);
    cr_assert_eq(line_of("care", "").capacity.free.value, -20125);
}

Test(import, windows_1252_unless_the_profile_forbids) {
    static const char detect[] = "{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"w\"},"
                                 "\"columns\":{\"free\":\"f\"}}";
    static const char utf8[] = "{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"w\"},"
                               "\"columns\":{\"free\":\"f\"},\"encoding\":\"utf-8\"}";
    refuse("w;f\nZo\xEB;1\n", utf8, (struct options){0}, ERR_DATA, 2, 3, "windows-1252");
    cr_assert_eq(run("w;f\nZo\xEB;1\n", detect, (struct options){0}), 1000);
    cr_assert_eq(line_of("bed", "Zo\xC3\xAB").capacity.free.value, 1);
}

/* What a spreadsheet leaves of cleared rows. */
Test(import, rows_of_delimiters_only_say_nothing) {
    cr_assert_eq(run("s;w;f;st;sec\nbed;A;1;;\n;;;;\n ; ;;;\n", wards, (struct options){0}), 1000);
}

/* ---- which row counts ---- */

/* Two rows of an older date are nobody's concern, wherever they stand. */
Test(import, the_order_of_rows_does_not_matter) {
    static const char *const orders[] = {"1122", "1212", "2211", "1221", "21", "12", "112", "211"};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        char text[512] = "datum,gruppe,belegt,frei\n";
        bool twice = strchr(strchr(orders[i], '2') + 1, '2') != NULL;
        for (const char *s = orders[i]; *s; s++) {
            size_t len = strlen(text);
            snprintf(text + len, sizeof text - len, "2026-09-1%c,E,20,%c\n", *s, *s);
        }
        if (twice)
            refuse(text, dated, (struct options){.dry_run = true}, ERR_DATA,
                   2 + (int)(strrchr(orders[i], '2') - orders[i]), 0, "same date");
        else
            cr_assert_eq(run(text, dated, (struct options){.dry_run = true}), 1000, "%s",
                         orders[i]);
    }
}

/* ---- refusals ---- */

/* The first row alone would do: nothing of it may be stored. */
Test(import, faults_have_file_line_and_field) {
    const struct {
        const char *text;
        int line, column;
        const char *words;
    } cases[] = {
        {"s,w,f,st,sec\nbed,A,1,,\nbed,B,x,,\n", 3, 3, "column 'f': found 'x'"},
        {"s,w,f,st,sec\nbed,A,1,,\nbed,B,1.5,,\n", 3, 3, "column 'f'"},
        {"s,w,f,st,sec\nbed,A,1,,\nbed,B,1 000,,\n", 3, 3, "column 'f'"},
        {"s,w,f,st,sec\nbed,A,1,,\nbed,B,1,open,\n", 3, 4, "column 'st': found 'open'"},
        {"s,w,f,st,sec\nbed,A,1,,\nbed,B,1,,medium\n", 3, 5, "low, high"},
        {"s,w,f,st,sec\nbed,A,1,,\nbeds,B,1,,\n", 3, 1, "bed, care"},
        {"s,w,f,st,sec\nbed,A,1,,\n,B,1,,\n", 3, 1, "bed, care"},
        {"s,w,f,st,sec\nbed,A,1,,\nbed,111222333,1,,\n", 3, 2, "column 'w'"},
        {"s,w,f,st,sec\nbed,A,1,,\ncare,B,1,,high\n", 3, 5, "column 'sec'"},
        {"s,w,f,st,sec\nbed,A,1,,\nbed,B,1,\n", 3, 0, "found 4 fields"},
        {"s,w,f,st,sec\nbed,A,1,,\nbed,\"B,1,,\n", 3, 2, "never ends"},
        {"s,w,f,st\nbed,A,1,\n", 1, 0, "no column 'sec'"},
        {"s,w,f,st,sec,f\nbed,A,1,,,2\n", 1, 6, "'f' twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse(cases[i].text, wards, (struct options){0}, ERR_DATA, cases[i].line, cases[i].column,
               cases[i].words);
}

Test(import, contradictions_name_the_keys) {
    static const char profile[] =
        "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\",\"total\":\"t\","
        "\"occupied\":\"o\"}}";
    refuse("f,t,o\n3,5,4\n", profile, (struct options){0}, ERR_DATA, 2, 0, "free");
    refuse("f,t,o\n3,7,-1\n", profile, (struct options){0}, ERR_DATA, 2, 0, "occupied");
}

Test(import, validity_beyond_the_charter) {
    static const char profile[] =
        "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\"},\"valid\":\"90d\"}";
    refuse("f\n3\n", profile, (struct options){0}, ERR_DATA, 2, 0, "valid");
}

Test(import, filters_that_leave_nothing) {
    refuse(published, dated, (struct options){.where = {"land=West"}}, ERR_DATA, 0, 0,
           "none of its 5 rows");
    refuse(published, dated, (struct options){.where = {"stadt=x"}}, ERR_DATA, 1, 0,
           "no column 'stadt'");
    refuse(published, dated, (struct options){.where = {"land"}}, ERR_USAGE, 0, 0, "COLUMN=VALUE");
    refuse(published, dated, (struct options){.where = {"=x"}}, ERR_USAGE, 0, 0, "COLUMN=VALUE");
    refuse("", dated, (struct options){0}, ERR_DATA, 0, 0, "no rows");
}

Test(import, a_bad_profile_is_named) {
    struct error e = {0};
    json_t *report = NULL;
    KIT_FAILS(import(published, "{\"format\":1}", (struct options){0}, &report, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "p.json");
}

/* A bad row that a filter keeps out is nobody's concern; one that a newer row replaces is. */
Test(import, every_row_that_passes_is_checked) {
    static const char text[] =
        "datum,gruppe,belegt,frei\n2026-09-10,K,x,x\n2026-09-11,E,x,5\n2026-09-12,E,20,5\n";
    refuse(text, dated, (struct options){0}, ERR_DATA, 3, 3, "column 'belegt'");
    cr_assert_eq(run(text, dated, (struct options){.where = {"datum=2026-09-12"}}), 1000);
}

Test(import, before_joining) {
    struct error e = {0};
    json_t *report = NULL;
    kit_done(&kit);
    kit_alone(&kit);
    KIT_FAILS(import(published, dated, (struct options){0}, &report, &e), ERR_NOT_JOINED);
}

Test(import, failing_commit_stores_no_row) {
    struct error e = {0};
    json_t *report = NULL;
    struct watch_vfs *w = watch_vfs_new(VFS);
    kit_reopen(&kit, VFS);
    cr_assert_eq(run("s,w,f,st,sec\nbed,A,3,,\n", wards, (struct options){0}), 1000);
    char *before = dump();
    watch_vfs_fail(w, WATCH_SYNC, 1, 1, SQLITE_IOERR_FSYNC, EIO);
    cr_assert_neq(
        import("s,w,f,st,sec\nbed,A,4,,\nbed,B,5,,\n", wards, (struct options){0}, &report, &e),
        ERR_OK);
    cr_assert_null(report);
    kit_reopen(&kit, VFS);
    char *after = dump();
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
    agent_close(kit.agent);
    kit.agent = NULL;
    watch_vfs_free(w);
}
