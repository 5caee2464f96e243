/* Validity over a site's closed hours: every way to state a figure gives it the same end, a named
 * validity stays as it was named, and rows say when the site reports again. */
#include "reopening.h"

#include "import.h"
#include "past.h"
#include "place.h"
#include "records.h"
#include "unit/agent/agent_kit.h"

static struct kit kit;

static int64_t at(const char *time) {
    int64_t ms = 0;
    cr_assert_eq(text_parse_time(time, &ms, NULL), ERR_OK, "%s", time);
    return ms;
}

/* Services of 24 and 48 hours, at most 7 days; Amsterdam; Fridays are 4, 11 and 18 September. */
#define FRIDAY at("2026-09-11T16:40:00+02:00")
#define SUNDAY at("2026-09-13T20:00:00+02:00")
#define MONDAY "2026-09-14T10:00:00+02:00" /* two hours after the site opens again */

static void reports(const char *text) {
    struct error e = {0};
    KIT_OK(records_site_set(kit.agent, KIT_MEMBER, &(struct site_change){.reports = text}, &e));
}

static void setup(void) {
    kit_joined(&kit, NULL);
    reports("ma-vr 8:00-17:00");
}
static void teardown(void) {
    kit_done(&kit);
}
TestSuite(reopening, .init = setup, .fini = teardown);

static enum err set(const char *service, const char *observed, const char *valid, bool keep,
                    int64_t now_ms, struct record *ret, struct error *e) {
    struct record_pair pair = {"free", "1"};
    struct record_set set = {.service = service,
                             .observed = observed,
                             .valid = valid,
                             .keep = keep,
                             .pairs = &pair,
                             .pair_count = 1,
                             .actor = "uid:1"};
    *e = (struct error){0};
    return records_set(kit.agent, &set, now_ms, ret, e);
}

static void set_ok(const char *service, const char *valid, int64_t now_ms) {
    struct record r;
    struct error e = {0};
    KIT_OK(set(service, NULL, valid, false, now_ms, &r, &e));
}

static int64_t until(const char *service, const char *ward) {
    struct error e = {0};
    struct record r;
    bool found = false;
    KIT_OK(records_find_line(kit.agent, 1, service, ward, &r, &found, &e));
    cr_assert(found);
    return r.line.capacity.valid_until_ms;
}

static void expect_until(const char *service, const char *time) {
    char found[TEXT_TIME_SIZE];
    cr_assert_eq(until(service, ""), at(time), "%s", text_time(until(service, ""), found));
}

static void confirm(int64_t now_ms) {
    struct error e = {0};
    struct record_confirmed done;
    KIT_OK(
        records_confirm(kit.agent, &(struct record_confirm){.actor = "uid:1"}, now_ms, &done, &e));
}

/* ---- stating ---- */

Test(reopening, set_on_friday_holds_until_monday) {
    set_ok("bed", NULL, FRIDAY);
    expect_until("bed", MONDAY);
    set_ok("care", NULL, FRIDAY);
    expect_until("care", MONDAY);
}

Test(reopening, what_ends_while_the_site_reports_ends_then) {
    set_ok("bed", NULL, at("2026-09-10T12:00:00+02:00"));
    expect_until("bed", "2026-09-11T12:00:00+02:00");
}

Test(reopening, without_hours_a_figure_ends_with_its_validity) {
    reports("-");
    set_ok("bed", NULL, FRIDAY);
    expect_until("bed", "2026-09-12T16:40:00+02:00");
}

Test(reopening, a_named_validity_stays_as_it_was_named) {
    set_ok("bed", "24h", FRIDAY);
    expect_until("bed", "2026-09-12T16:40:00+02:00");
    confirm(FRIDAY + KIT_HOUR);
    expect_until("bed", "2026-09-12T17:40:00+02:00");
    set_ok("bed", NULL, FRIDAY + 2 * KIT_HOUR);
    expect_until("bed", MONDAY);
    struct record r;
    struct error e = {0};
    KIT_FAILS(set("bed", NULL, "0s", false, FRIDAY, &r, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "valid");
}

Test(reopening, never_longer_than_the_charter_allows) {
    reports("fr 8:00-17:00");
    set_ok("bed", NULL, FRIDAY);
    expect_until("bed", "2026-09-18T10:00:00+02:00");
    reports("mo 8:00-9:00");
    set_ok("bed", NULL, at("2026-09-13T20:00:00+02:00"));
    expect_until("bed", "2026-09-20T20:00:00+02:00");
}

Test(reopening, confirm_counts_anew_from_then) {
    set_ok("bed", NULL, FRIDAY);
    confirm(at("2026-09-14T08:10:00+02:00"));
    expect_until("bed", "2026-09-15T10:00:00+02:00");
    confirm(at("2026-09-14T11:00:00+02:00"));
    expect_until("bed", "2026-09-15T11:00:00+02:00");
    confirm(at("2026-09-14T18:00:00+02:00"));
    expect_until("bed", "2026-09-16T10:00:00+02:00");
}

Test(reopening, attributes_alone_leave_the_times) {
    struct error e = {0};
    struct record r;
    struct record_pair pair = {"security", "low"};
    struct record_set only = {.service = "bed", .pairs = &pair, .pair_count = 1};
    set_ok("bed", "24h", FRIDAY);
    KIT_OK(records_set(kit.agent, &only, FRIDAY + KIT_HOUR, &r, &e));
    confirm(FRIDAY + KIT_HOUR);
    expect_until("bed", "2026-09-12T17:40:00+02:00");
}

Test(reopening, what_is_taken_back_keeps_the_validity_that_was_named) {
    struct error e = {0};
    struct record r;
    set_ok("bed", "24h", FRIDAY);
    set_ok("bed", NULL, FRIDAY + KIT_HOUR);
    KIT_OK(records_undo(kit.agent, &(struct record_undo){.service = "bed"}, FRIDAY + 2 * KIT_HOUR,
                        &r, &e));
    expect_until("bed", "2026-09-12T16:40:00+02:00");
    confirm(FRIDAY + 3 * KIT_HOUR);
    expect_until("bed", "2026-09-12T19:40:00+02:00");
}

Test(reopening, counts_of_places_run_on_too) {
    struct error e = {0};
    struct record r;
    const struct place_change change = {.act = PLACE_ADD, .service = "bed", .code = "1"};
    KIT_OK(place_apply(kit.agent, &change, FRIDAY, &r, &e));
    expect_until("bed", MONDAY);
}

static void import(const char *profile, const char *table, bool history, int64_t now_ms) {
    struct error e = {0};
    json_t *report = NULL;
    struct import_request r = {.file = "in.csv",
                               .profile = bytes_str(profile),
                               .profile_file = "p.json",
                               .history = history,
                               .actor = "uid:1"};
    KIT_OK(import_run(kit.agent, &r, bytes_str(table), now_ms, &report, &e));
    json_decref(report);
}

static enum err keep_until(void *ctx, const struct past *p, bool *ret_stop, struct error *e) {
    (void)ret_stop;
    (void)e;
    *(int64_t *)ctx = p->capacity.valid_until_ms;
    return ERR_OK;
}

Test(reopening, imported_rows_and_their_past_run_on_too) {
    static const char dated[] = "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\"},"
                                "\"date\":{\"column\":\"d\"}}";
    static const char named[] = "{\"format\":1,\"service\":\"care\",\"columns\":{\"free\":\"f\"},"
                                "\"date\":{\"column\":\"d\"},\"valid\":\"24h\"}";
    static const char table[] = "d;f\n2026-09-03;1\n2026-09-04;2\n2026-09-11;3\n";
    struct error e = {0};
    int64_t first = 0;
    import(dated, table, true, SUNDAY);
    expect_until("bed", MONDAY);
    const struct past_range friday = {.service = "bed",
                                      .from_ms = at("2026-09-04T00:00:00Z"),
                                      .to_ms = at("2026-09-05T00:00:00Z"),
                                      .most = -1};
    KIT_OK(past_between(kit.agent, &friday, keep_until, &first, &e));
    cr_assert_eq(first, at("2026-09-07T10:00:00+02:00"));
    import(named, table, false, SUNDAY);
    expect_until("care", "2026-09-12T12:00:00+02:00");
}

Test(reopening, other_hours_count_for_what_is_stated_from_then_on) {
    set_ok("bed", NULL, FRIDAY);
    reports("24/7");
    expect_until("bed", MONDAY);
    confirm(FRIDAY + KIT_HOUR);
    expect_until("bed", "2026-09-12T17:40:00+02:00");
}

Test(reopening, hours_are_kept_in_their_normal_form) {
    struct error e = {0};
    struct records r;
    struct site site = {.name = "Noord", .reports = "za,ZO 9:00-10:00"};
    KIT_OK(records_site_add(kit.agent, &site, &e));
    KIT_OK(records_load(kit.agent, &r, &e));
    cr_assert_str_eq(r.sites[0].reports, "Mo-Fr 08:00-17:00");
    cr_assert_str_eq(r.sites[1].reports, "Sa-Su 09:00-10:00");
    records_done(&r);
    KIT_FAILS(
        records_site_set(kit.agent, KIT_MEMBER, &(struct site_change){.reports = "elke dag"}, &e),
        ERR_DATA);
    cr_assert_str_eq(e.file, "reports");
    cr_assert_not_null(strstr(e.detail, "at character 1"), "%s", e.detail);
}

/* ---- saying so ---- */

static const char *words(const char *valid, const char *hours, int64_t observed_ms, int64_t now_ms,
                         char out[static 128]) {
    static const struct charter_service service = {.code = "bed", .validity_ms = 24 * KIT_HOUR};
    const struct zone *zone = NULL;
    struct error e = {0};
    KIT_OK(agent_zone(kit.agent, &zone, &e));
    const struct reopening r = {.reports = hours,
                                .service = &service,
                                .zone = zone,
                                .observed_ms = observed_ms,
                                .valid_until_ms = at(valid)};
    json_t *row = json_object();
    cr_assert(reopening_set(row, &r, now_ms));
    const char *text = json_string_value(json_object_get(row, "still_counts"));
    cr_assert_eq(text != NULL, json_object_get(row, "reports_again") != NULL);
    snprintf(out, 128, "%s", text ? text : "");
    json_decref(row);
    return out;
}

#define WEEKDAYS "Mo-Fr 08:00-17:00"

Test(reopening, rows_say_why_a_figure_still_counts) {
    char text[128];
    cr_assert_str_eq(words(MONDAY, WEEKDAYS, FRIDAY, SUNDAY, text),
                     "confirmed Fri 16:40, reports again Mon 08:00");
    cr_assert_str_eq(words(MONDAY, WEEKDAYS, FRIDAY, FRIDAY + 24 * KIT_HOUR - 1, text), "",
                     "its own validity has not passed");
    cr_assert_str_eq(words(MONDAY, WEEKDAYS, FRIDAY, at(MONDAY), text), "", "it has expired");
    cr_assert_str_eq(words(MONDAY, "", FRIDAY, SUNDAY, text), "");
    cr_assert_str_eq(words(MONDAY, "ma-vr, bel even", FRIDAY, SUNDAY, text), "",
                     "others may say it in their own words");
    cr_assert_str_eq(words("2026-09-16T16:40:00+02:00", WEEKDAYS, FRIDAY, SUNDAY, text), "",
                     "somebody named a validity");
    cr_assert_str_eq(words("2026-09-18T10:00:00+02:00", "Fr 08:00-17:00", FRIDAY,
                           at("2026-09-18T07:00:00+02:00"), text),
                     "confirmed Fri 2026-09-11 16:40, reports again Fri 08:00");
}

Test(reopening, own_lines_say_it_unless_somebody_named_the_validity) {
    struct error e = {0};
    json_t *rows = NULL;
    set_ok("bed", NULL, FRIDAY);
    set_ok("care", "63h", FRIDAY);
    KIT_OK(records_lines_json(kit.agent, NULL, NULL, SUNDAY, &rows, &e));
    const json_t *bed = json_array_get(rows, 0), *care = json_array_get(rows, 1);
    cr_assert_str_eq(json_string_value(json_object_get(bed, "reports_again")),
                     "2026-09-14T06:00:00Z");
    cr_assert_str_eq(json_string_value(json_object_get(bed, "still_counts")),
                     "confirmed Fri 16:40, reports again Mon 08:00");
    cr_assert_null(json_object_get(care, "still_counts"));
    json_decref(rows);
}
