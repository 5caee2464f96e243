/* Tests how history becomes a table: page by page, every point once, nothing a spreadsheet runs,
 * and read again it is the same. */
#include "bytes.h"
#include "export.h"
#include "import.h"
#include "past_rows.h"
#include "place.h"
#include "records.h"
#include "unit/agent/world.h"

enum { A, B, C };
#define BODY_MAX (1024 * 1024)
#define PROFILE "docs/examples/profile-own-history.json" /* from the repository's root */

#define POLICY                                                                                     \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"C\"],\"services\":[\"*\"],"                  \
    "\"precision\":\"exact\",\"history\":true}]}"

static struct world w;

static void setup(void) {
    world_init(&w, NULL);
    world_add(&w, "A", ROLE_PROVIDER, NULL);
    world_add(&w, "B", ROLE_PROVIDER, NULL);
    world_add(&w, "C", ROLE_OBSERVER, NULL);
    for (int i = 0; i < w.count; i++)
        world_feed(&w, i);
    for (int i = A; i <= B; i++) {
        world_approve(&w, i, "C");
        world_policy(&w, i, POLICY);
    }
}
static void teardown(void) {
    world_done(&w);
}
TestSuite(past_export, .init = setup, .fini = teardown);

/* ---- asking ---- */

static enum err page(int i, json_t *query, json_t **ret, struct error *e) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    struct api_request r = {.method = API_GET,
                            .path = "/v1/export",
                            .query = query,
                            .actor = "test",
                            .role = API_VIEWER,
                            .now_ms = w.now_ms};
    enum err code = api_dispatch(routes, count, w.agents[i].agent, &r, ret);
    api_error_from_json(*ret, e);
    return code;
}

/* All pages; how many. The caller frees *ret. */
static int whole(int i, const char *query_text, char **ret) {
    struct error e = {0};
    struct buf text;
    json_t *query = json_loads(query_text, 0, NULL);
    int pages = 0;
    buf_init(&text, 64 << 20);
    json_object_set_new(query, "what", json_string("history"));
    for (bool more = true; more; pages++) {
        json_t *answer = NULL;
        RUN_OK(page(i, query, &answer, &e));
        cr_assert_lt(json_string_length(json_object_get(answer, "text")), BODY_MAX);
        buf_append_str(&text, json_string_value(json_object_get(answer, "text")));
        json_object_set(query, "after", json_object_get(answer, "next"));
        more = json_is_string(json_object_get(query, "after"));
        json_decref(answer);
    }
    json_decref(query);
    *ret = strdup(buf_text(&text));
    buf_done(&text);
    return pages;
}

static size_t times_in(const char *text, const char *part) {
    size_t n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

/* ---- entering ---- */

static void import_days(int i, const char *ward, int days) {
    struct error e = {0};
    json_t *report = NULL;
    struct buf table;
    buf_init(&table, 1 << 20);
    buf_append_str(&table, "d,w,f,o\n");
    for (int day = days; day > 0; day--) {
        char text[TEXT_TIME_SIZE];
        buf_printf(&table, "%s,%s,%d,%d\n", text_time(WORLD_NOW - day * WORLD_DAY, text), ward, day,
                   day % 7);
    }
    struct import_request r = {
        .file = "t.csv",
        .profile = bytes_str("{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"w\"},"
                             "\"columns\":{\"free\":\"f\",\"occupied\":\"o\"},"
                             "\"date\":{\"column\":\"d\",\"format\":\"rfc3339\"}}"),
        .profile_file = "p.json",
        .history = true,
        .actor = "test"};
    RUN_OK(import_run(w.agents[i].agent, &r, buf_bytes(&table), w.now_ms, &report, &e));
    json_decref(report);
    buf_done(&table);
}

/* ---- pages ---- */

Test(past_export, a_long_history_comes_in_pages_and_every_point_once) {
    char *text = NULL;
    const int days = 2 * PAST_PAGE_POINTS + 500;
    import_days(A, "W1", days);
    import_days(A, "W2", 3);
    cr_assert_eq(whole(A, "{\"format\":\"rfc4180\"}", &text), 3);
    cr_assert_eq(times_in(text, "observed_at"), 1, "one header");
    cr_assert_eq(times_in(text, "\r\n"), (size_t)days + 3 + 1);
    char before[TEXT_TIME_SIZE] = "", *line = text;
    for (strsep(&line, "\n"); line && strncmp(line, "A,A,bed,W1,", 11) == 0; strsep(&line, "\n")) {
        cr_assert_lt(strncmp(before, line + 11, 20), 0, "%s then %.40s", before, line);
        snprintf(before, 21, "%s", line + 11);
    }
    cr_assert(line && strncmp(line, "A,A,bed,W2,", 11) == 0);
    free(text);
    cr_assert_eq(whole(A, "{\"service\":\"care\"}", &text), 1);
    cr_assert_eq(times_in(text, "\n"), 1, "the header: %s", text);
    free(text);
    cr_assert_eq(
        whole(A, "{\"from\":\"2026-09-10\",\"to\":\"2026-09-11\",\"format\":\"rfc4180\"}", &text),
        1);
    cr_assert_eq(times_in(text, "A,A,bed,"), 4, "two days of two wards: %s", text);
    free(text);
}

/* Exactly as many as a page holds: the last one may be empty, nothing comes again. */
Test(past_export, a_full_page_is_followed_by_the_rest_only) {
    char *text = NULL;
    import_days(A, "W", PAST_PAGE_POINTS);
    cr_assert_eq(whole(A, "{\"format\":\"rfc4180\"}", &text), 2);
    cr_assert_eq(times_in(text, "\r\n"), PAST_PAGE_POINTS + 1);
    free(text);
}

Test(past_export, partners_history_in_pages) {
    char *text = NULL;
    import_days(A, "W1", PAST_PAGE_POINTS + 1);
    import_days(B, "=W2", PAST_PAGE_POINTS);
    import_days(C, "mine", 2);
    world_settle(&w);
    cr_assert_eq(whole(C, "{\"partners\":\"1\",\"format\":\"rfc4180\"}", &text), 3);
    cr_assert_eq(times_in(text, "\r\n"), 2 * PAST_PAGE_POINTS + 2);
    cr_assert_eq(times_in(text, "\nA,A,bed,W1,"), PAST_PAGE_POINTS + 1);
    cr_assert_eq(times_in(text, "\nB,B,bed,'=W2,"), PAST_PAGE_POINTS, "no formula");
    free(text);
    cr_assert_eq(whole(C, "{\"partner\":\"A\",\"format\":\"rfc4180\"}", &text), 2);
    cr_assert_eq(times_in(text, "\r\n"), PAST_PAGE_POINTS + 2);
    cr_assert_not_null(strstr(text, ",exact,1,,,,,2,1,,,,\r\n"), "free 1, occupied 1: %s",
                       text + strlen(text) - 200);
    free(text);
    cr_assert_eq(whole(C, "{}", &text), 1);
    cr_assert_eq(strncmp(text, "\xEF\xBB\xBFmember;site;", 12), 0);
    cr_assert_eq(times_in(text, "C;C;bed;mine;"), 2, "our own: %s", text);
    free(text);
    world_member_event(&w, A, ENTRY_HUB_SUSPENDED);
    world_feed(&w, C);
    whole(C, "{\"partners\":\"1\"}", &text);
    cr_assert_eq(times_in(text, "\nA;"), 0, "a suspended member is hidden");
    cr_assert_eq(times_in(text, "\nB;B;bed;'=W2;"), PAST_PAGE_POINTS);
    free(text);
}

static void refuse(const char *query_text, enum err expected, const char *file) {
    struct error e = {0};
    json_t *query = json_loads(query_text, 0, NULL), *answer = NULL;
    RUN_FAILS(page(A, query, &answer, &e), expected);
    cr_assert_str_eq(e.file, file, "%s: %s", query_text, e.file);
    json_decref(answer);
    json_decref(query);
}

Test(past_export, questions_that_make_no_sense_are_refused) {
    refuse("{\"what\":\"history\",\"after\":\"7\"}", ERR_DATA, "after");
    refuse("{\"what\":\"history\",\"after\":\"[]\"}", ERR_DATA, "after");
    refuse("{\"what\":\"history\",\"after\":\"[\\\"xy\\\",1,\\\"bed\\\",\\\"\\\",1]\"}", ERR_DATA,
           "after");
    refuse("{\"what\":\"lines\",\"after\":\"[\\\"\\\",1,\\\"bed\\\",\\\"\\\",1]\"}", ERR_USAGE,
           "after");
    refuse("{\"what\":\"history\",\"partner\":\"B\",\"partners\":\"1\"}", ERR_USAGE, "");
    refuse("{\"what\":\"history\",\"partner\":\"B\",\"site\":\"A\"}", ERR_USAGE, "");
    refuse("{\"what\":\"history\",\"partner\":\"Z\"}", ERR_UNKNOWN_MEMBER, "");
    refuse("{\"what\":\"history\",\"from\":\"yesterday\"}", ERR_DATA, "from");
    refuse("{\"what\":\"history\",\"site\":\"Z\"}", ERR_NOT_FOUND, "");
}

/* ---- there and back ---- */

static char *profile_text(void) {
    static char text[4096];
    FILE *f = fopen(PROFILE, "re");
    cr_assert_not_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static enum err import_again(const char *table, json_t **ret, struct error *e) {
    struct import_request r = {.file = "h.csv",
                               .profile = bytes_str(profile_text()),
                               .profile_file = "p.json",
                               .history = true,
                               .actor = "test"};
    return import_run(w.agents[A].agent, &r, bytes_str(table), w.now_ms, ret, e);
}

static int64_t recorded(const json_t *report) {
    return json_integer_value(json_object_get(json_object_get(report, "history"), "recorded"));
}

/* Figures of all kinds: what was derived is not in the table as entered, what only concerns the
 * present stays with its line, and a line of places keeps them. */
static void enter_all_kinds(void) {
    struct error e = {0};
    struct record record;
    import_days(A, "W1", 5);
    world_set(&w, A, "bed", "W2", "total=9 occupied=11 held=0 blocked=1 need=2 status=consult");
    w.now_ms += 60 * WORLD_HOUR + 789; /* not a whole second */
    world_set(&w, A, "bed", "W2", "total=9 occupied=3");
    world_set(&w, A, "care", "NA", "free=-12.5");
    const struct record_pair pairs[] = {{"free", "4"}, {"note", "lift defect"}};
    const struct record_set noted = {.service = "bed",
                                     .ward = "two, \"words\"",
                                     .observed = "2026-09-13T10:05:09Z",
                                     .valid = "90m",
                                     .pairs = pairs,
                                     .pair_count = 2};
    RUN_OK(records_set(w.agents[A].agent, &noted, w.now_ms, &record, &e));
    const struct place_change place = {
        .act = PLACE_ADD, .service = "bed", .ward = "W3", .code = "12", .actor = "test"};
    w.now_ms += 211; /* the line of places says a whole second */
    RUN_OK(place_apply(w.agents[A].agent, &place, w.now_ms, &record, &e));
}

Test(past_export, own_history_read_again_changes_nothing) {
    struct error e = {0};
    char *text = NULL;
    json_t *report = NULL;
    enter_all_kinds();
    whole(A, "{\"format\":\"rfc4180\"}", &text);
    cr_assert_not_null(strstr(text, "A,A,care,NA,"), "%s", text);
    cr_assert_not_null(strstr(text, "\"two, \"\"words\"\"\""), "%s", text);
    struct hash before = world_dump(w.agents[A].agent);
    RUN_OK(import_again(text, &report, &e));
    cr_assert_eq(recorded(report), 0, "%s", text);
    struct hash after = world_dump(w.agents[A].agent);
    cr_assert(hash_equal(&before, &after), "%s", json_dumps(report, 0));
    json_decref(report);
    /* The same table with one figure changed is one correction. */
    char *figure = strstr(text, ",exact,3,,,,,,3,3,");
    cr_assert_not_null(figure, "%s", text);
    figure[strlen(",exact,3,,,,,,3,")] = '5'; /* free */
    RUN_OK(import_again(text, &report, &e));
    cr_assert_eq(recorded(report), 1, "%s", text);
    json_decref(report);
    free(text);
}

/* Into an agent that lost its log: the log is what it was, but for who recorded it. */
Test(past_export, own_history_restores_a_log) {
    struct error e = {0};
    char *text = NULL, *again = NULL;
    json_t *report = NULL;
    import_days(A, "W1", 40);
    world_set(&w, A, "bed", "W2", "total=9 occupied=3");
    whole(A, "{\"format\":\"rfc4180\"}", &text);
    world_number(w.agents[A].agent, "DELETE FROM past RETURNING 1");
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT count(*) FROM past"), 0);
    RUN_OK(import_again(text, &report, &e));
    cr_assert_eq(recorded(report), 41);
    whole(A, "{\"format\":\"rfc4180\"}", &again);
    cr_assert_str_eq(text, again);
    json_decref(report);
    free(text);
    free(again);
}

Test(past_export, a_bad_end_of_validity_has_line_and_column) {
    static const char header[] = "service,site,ward,total,occupied,free,held,blocked,need,status,"
                                 "observed_at,valid_until\n";
    static const char row[] = "bed,A,,,,1,,,,,2026-09-12T10:00:00Z,";
    const struct {
        const char *cell, *words;
        int column;
    } bad[] = {{"2026-09-12", "valid_until", 12},
               {"2026-09-12T10:00:00Z", "expected later than observed_at", 0},
               {"2036-09-12T10:00:00Z", "the charter's longest validity", 0}};
    struct error e = {0};
    json_t *report = NULL;
    struct hash before = world_dump(w.agents[A].agent);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char table[512];
        snprintf(table, sizeof table, "%s%s%s\n", header, row, bad[i].cell);
        RUN_FAILS(import_again(table, &report, &e), ERR_DATA);
        cr_assert_eq(e.line, 2);
        cr_assert_eq(e.column, bad[i].column, "%s: %d", e.detail, e.column);
        cr_assert_not_null(strstr(e.detail, bad[i].words), "%s", e.detail);
    }
    struct hash after = world_dump(w.agents[A].agent);
    cr_assert(hash_equal(&before, &after));
    /* No cell: the service's. */
    char table[512];
    snprintf(table, sizeof table, "%s%s\n", header, row);
    RUN_OK(import_again(table, &report, &e));
    json_decref(report);
    cr_assert_eq(
        world_number(w.agents[A].agent, "SELECT valid_until_ms - observed_ms FROM capacity"),
        24 * WORLD_HOUR);
}
