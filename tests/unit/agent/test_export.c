/* Export: what a spreadsheet opens, and what it must never run. */
#include "csv_cell.h"
#include "export.h"
#include "import.h"
#include "records.h"
#include "unit/agent/agent_kit.h"

static const struct zone *amsterdam(void) {
    struct error e = {0};
    const struct zone *zone = NULL;
    KIT_OK(zone_find("Europe/Amsterdam", &zone, &e));
    return zone;
}

static void expect_cell(const char *text, const char *expected) {
    struct buf out;
    buf_init(&out, 4096);
    csv_cell_text(&out, ';', text);
    cr_assert_str_eq(buf_text(&out), expected, "'%s' gave %s", text, buf_text(&out));
    buf_done(&out);
}

Test(export, formulas_are_neutralised) {
    expect_cell("=1+1", "'=1+1");
    expect_cell("+31 30 123", "'+31 30 123");
    expect_cell("-2+3", "'-2+3");
    expect_cell("@SUM(A1)", "'@SUM(A1)");
    expect_cell("\t=1", "\"'\t=1\"");
    expect_cell("\r=1", "\"'\r=1\"");
    expect_cell("=HYPERLINK(\"x\";\"y\")", "\"'=HYPERLINK(\"\"x\"\";\"\"y\"\")\"");
    expect_cell("a=b", "a=b");
    expect_cell("", "");
}

Test(export, quotes_where_they_are_needed) {
    expect_cell("a;b", "\"a;b\"");
    expect_cell("a,b", "a,b");
    expect_cell("say \"hi\"", "\"say \"\"hi\"\"\"");
    expect_cell("two\nlines", "\"two\nlines\"");
    expect_cell(" edge", "\" edge\"");
}

static char *csv(enum export_kind kind, enum export_format format, const char *rows) {
    struct error e = {0};
    struct buf out;
    json_t *list = json_loads(rows, 0, NULL);
    cr_assert_not_null(list);
    buf_init(&out, 1 << 20);
    const struct export_form form = {.kind = kind, .format = format, .zone = amsterdam()};
    KIT_OK(export_csv(&form, list, &out, &e));
    json_decref(list);
    char *text = strdup(buf_text(&out));
    buf_done(&out);
    return text;
}

static const char rows[] =
    "[{\"site\":\"Zuid\",\"service\":\"care\",\"ward\":\"-W\",\"available\":\"-12.5\",\"total\":-3,"
    "\"note\":null,\"observed_at\":\"2026-07-01T10:05:09Z\",\"attributes\":{\"b\":\"x\"}},"
    "{\"site\":\"Noord\",\"available\":null,\"observed_at\":\"2026-12-31T23:30:00Z\","
    "\"attributes\":{\"a\":\"y\"}}]";

Test(export, excel_nl) {
    char *text = csv(EXPORT_LINES, EXPORT_EXCEL_NL, rows);
    cr_assert_str_eq(
        text, "\xEF\xBB\xBFsite;service;ward;available;total;occupied;free;held;blocked;"
              "blocked_reason;blocked_until;need;status;next_free;note;observed_at;valid_until;"
              "freshness;entered_at;actor;attribute.a;attribute.b\r\n"
              "Zuid;care;'-W;-12,5;-3;;;;;;;;;;;01-07-2026 12:05:09;;;;;;x\r\n"
              "Noord;;;;;;;;;;;;;;;01-01-2027 00:30:00;;;;;y;\r\n");
    free(text);
}

Test(export, rfc4180) {
    char *text = csv(EXPORT_LINES, EXPORT_RFC4180, rows);
    cr_assert_not_null(strstr(text, "\r\nZuid,care,'-W,-12.5,-3,,"), "%s", text);
    cr_assert_not_null(strstr(text, ",2026-07-01T10:05:09Z,"), "%s", text);
    cr_assert_eq(strncmp(text, "site,", 5), 0);
    free(text);
}

Test(export, picture_has_bands_and_last_figures) {
    char *text = csv(EXPORT_PICTURE, EXPORT_RFC4180,
                     "[{\"member\":\"=A\",\"band\":[3,5],\"verified\":true,\"attributes\":{}},"
                     "{\"member\":\"B\",\"band\":[6,null],\"last\":{\"available\":-2}}]");
    cr_assert_not_null(strstr(text, "\r\n'=A,,,,,,3,5,,"), "%s", text);
    cr_assert_not_null(strstr(text, "\r\nB,,,,,,6,,,,,,,,,-2,,"), "%s", text);
    cr_assert_not_null(strstr(text, ",yes,"), "%s", text);
    free(text);
}

Test(export, names_are_told_apart) {
    struct error e = {0};
    enum export_format format = EXPORT_RFC4180;
    enum export_kind kind = EXPORT_PICTURE;
    KIT_OK(export_format_parse("excel-nl", &format, &e));
    cr_assert_eq(format, EXPORT_EXCEL_NL);
    KIT_FAILS(export_format_parse("excel", &format, &e), ERR_DATA);
    KIT_OK(export_kind_parse("lines", &kind, &e));
    cr_assert_eq(kind, EXPORT_LINES);
    KIT_FAILS(export_kind_parse("rows", &kind, &e), ERR_DATA);
}

/* What was exported is read again as the same figures, in both forms. */
static void round_trip(enum export_format format, const char *profile) {
    struct kit kit;
    struct error e = {0};
    struct record r;
    json_t *list = NULL, *report = NULL;
    struct buf out;
    kit_joined(&kit, NULL);
    const struct record_pair pairs[] = {{"free", "-12.5"}, {"note", "=1;2"}};
    const struct record_set set = {.service = "care",
                                   .ward = "W",
                                   .observed = "2026-09-13T10:05:09Z",
                                   .pairs = pairs,
                                   .pair_count = 2};
    KIT_OK(records_set(kit.agent, &set, KIT_NOW, &r, &e));
    KIT_OK(records_lines_json(kit.agent, NULL, NULL, KIT_NOW, &list, &e));
    buf_init(&out, 1 << 20);
    const struct export_form form = {.format = format, .zone = amsterdam()};
    KIT_OK(export_csv(&form, list, &out, &e));
    const struct import_request request = {
        .file = "e.csv", .profile = bytes_str(profile), .profile_file = "p.json"};
    KIT_OK(import_run(kit.agent, &request, buf_bytes(&out), KIT_NOW, &report, &e));
    cr_assert_eq(json_integer_value(json_object_get(report, "unchanged")), 0);
    json_t *changes =
        json_object_get(json_array_get(json_object_get(report, "lines"), 0), "changes");
    cr_assert_eq(json_array_size(changes), 1, "only the note, which got its mark");
    buf_done(&out);
    json_decref(list);
    json_decref(report);
    kit_done(&kit);
}

#define TRIP                                                                                       \
    "\"format\":1,\"service\":{\"column\":\"service\"},\"ward\":{\"column\":\"ward\"},"            \
    "\"columns\":{\"free\":\"free\",\"note\":\"note\"},"

Test(export, excel_nl_can_be_imported_again) {
    round_trip(EXPORT_EXCEL_NL, "{" TRIP "\"decimal\":\",\",\"date\":{\"column\":\"observed_at\","
                                "\"format\":\"dd-mm-jjjj\"}}");
}

Test(export, rfc4180_can_be_imported_again) {
    round_trip(EXPORT_RFC4180, "{" TRIP "\"decimal\":\".\",\"date\":{\"column\":\"observed_at\","
                               "\"format\":\"rfc3339\"}}");
}
