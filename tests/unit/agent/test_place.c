/* Places: the counts of their line follow from them, and nothing else does. */
#include "import.h"
#include "place.h"
#include "unit/agent/agent_kit.h"

static struct kit kit;

static void setup(void) {
    kit_joined(&kit, NULL);
}
static void teardown(void) {
    kit_done(&kit);
}
TestSuite(place, .init = setup, .fini = teardown);

static enum err act(enum place_act what, const char *code, const char *key, const char *value,
                    int64_t now_ms, struct record *ret, struct error *e) {
    const struct record_pair pair = {key, value};
    const struct place_change change = {.act = what,
                                        .service = "bed",
                                        .ward = "W",
                                        .code = code,
                                        .pairs = &pair,
                                        .pair_count = key ? 1 : 0,
                                        .actor = "uid:1"};
    *e = (struct error){0};
    return place_apply(kit.agent, &change, now_ms, ret, e);
}

static struct capacity did(enum place_act what, const char *code, const char *key,
                           const char *value, int64_t now_ms) {
    struct error e = {0};
    struct record r;
    KIT_OK(act(what, code, key, value, now_ms, &r, &e));
    return r.line.capacity;
}

static struct line line_now(void) {
    struct error e = {0};
    struct record r;
    bool found = false;
    KIT_OK(records_find_line(kit.agent, 1, "bed", "W", &r, &found, &e));
    cr_assert(found);
    return r.line;
}

static void expect_counts(const struct capacity *c, int64_t total, int64_t occupied, int64_t held,
                          int64_t blocked) {
    cr_assert_eq(c->total.value, total);
    cr_assert_eq(c->occupied.value, occupied);
    cr_assert_eq(c->held.value, held);
    cr_assert_eq(c->blocked.value, blocked);
    cr_assert_eq(capacity_available(c).value, total - occupied - held - blocked);
    cr_assert(capacity_available(c).known);
}

Test(place, counts_follow_from_places) {
    struct capacity c = did(PLACE_ADD, "1", NULL, NULL, KIT_NOW);
    expect_counts(&c, 1, 0, 0, 0);
    c = did(PLACE_ADD, "2", "state", "occupied", KIT_NOW);
    c = did(PLACE_ADD, "3", "state", "held", KIT_NOW);
    c = did(PLACE_ADD, "4", "state", "blocked", KIT_NOW);
    expect_counts(&c, 4, 1, 1, 1);
    c = did(PLACE_CHANGE, "4", "state", "free", KIT_NOW + KIT_HOUR);
    expect_counts(&c, 4, 1, 1, 0);
    cr_assert_eq(c.observed_ms, KIT_NOW + KIT_HOUR, "somebody looked");
    c = did(PLACE_DROP, "2", NULL, NULL, KIT_NOW + KIT_HOUR);
    expect_counts(&c, 3, 0, 1, 0);
    struct line stored = line_now();
    expect_counts(&stored.capacity, 3, 0, 1, 0);
}

/* Nobody has counted since: not 0 places, but unknown. */
Test(place, without_its_last_place_a_line_is_unknown) {
    did(PLACE_ADD, "1", NULL, NULL, KIT_NOW);
    struct capacity c = did(PLACE_DROP, "1", NULL, NULL, KIT_NOW);
    cr_assert_not(c.total.known);
    cr_assert_not(capacity_available(&c).known);
}

Test(place, entering_counts_beside_places_is_refused_with_what_to_do) {
    struct error e = {0};
    struct record r;
    did(PLACE_ADD, "1", "state", "occupied", KIT_NOW);
    struct record_pair count = {"free", "3"}, status = {"status", "full"};
    struct record_set set = {
        .service = "bed", .ward = "W", .pairs = &count, .pair_count = 1, .actor = "uid:1"};
    KIT_FAILS(records_set(kit.agent, &set, KIT_NOW, &r, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "free");
    cr_assert_not_null(strstr(e.detail, "place set"), "%s", e.detail);
    set.pairs = &status;
    KIT_OK(records_set(kit.agent, &set, KIT_NOW, &r, &e));
    expect_counts(&r.line.capacity, 1, 1, 0, 0);
    cr_assert_eq(r.line.capacity.status, STATUS_FULL);
}

Test(place, what_is_no_count_stays_while_it_is_fresh) {
    struct error e = {0};
    struct record r;
    did(PLACE_ADD, "1", NULL, NULL, KIT_NOW);
    struct record_pair need = {"need", "7"};
    const struct record_set set = {
        .service = "bed", .ward = "W", .pairs = &need, .pair_count = 1, .actor = "uid:1"};
    KIT_OK(records_set(kit.agent, &set, KIT_NOW, &r, &e));
    struct capacity c = did(PLACE_CHANGE, "1", "state", "occupied", KIT_NOW + KIT_HOUR);
    cr_assert_eq(c.need.value, 7);
    c = did(PLACE_CHANGE, "1", "state", "free", KIT_NOW + 3 * KIT_DAY);
    cr_assert_not(c.need.known, "expired is unknown");
}

Test(place, a_new_state_drops_what_was_said_of_the_old_one) {
    struct error e = {0};
    struct place p;
    struct record r;
    bool found = false;
    const struct record_pair pairs[] = {
        {"state", "blocked"}, {"reason", "paint"}, {"until", "2026-09-20"}, {"note", "ask Jo"}};
    const struct place_change change = {.act = PLACE_ADD,
                                        .service = "bed",
                                        .ward = "W",
                                        .code = "1",
                                        .pairs = pairs,
                                        .pair_count = 4,
                                        .actor = "uid:1"};
    KIT_OK(place_apply(kit.agent, &change, KIT_NOW, &r, &e));
    KIT_OK(places_find(kit.agent, r.id, "1", &p, &found, &e));
    cr_assert_str_eq(p.reason, "paint");
    cr_assert_str_eq(r.line.capacity.blocked_reason, "", "it stays here");
    did(PLACE_CHANGE, "1", "state", "free", KIT_NOW);
    KIT_OK(places_find(kit.agent, r.id, "1", &p, &found, &e));
    cr_assert_str_eq(p.reason, "");
    cr_assert_eq(p.until_ms, 0);
    cr_assert_str_eq(p.note, "ask Jo");
}

Test(place, refusals) {
    struct error e = {0};
    struct record r;
    KIT_FAILS(act(PLACE_CHANGE, "1", "state", "free", KIT_NOW, &r, &e), ERR_NOT_FOUND);
    did(PLACE_ADD, "1", NULL, NULL, KIT_NOW);
    KIT_FAILS(act(PLACE_ADD, "1", NULL, NULL, KIT_NOW, &r, &e), ERR_CONFLICT);
    KIT_FAILS(act(PLACE_ADD, "", NULL, NULL, KIT_NOW, &r, &e), ERR_DATA);
    KIT_FAILS(act(PLACE_ADD, "2", "state", "vol", KIT_NOW, &r, &e), ERR_DATA);
    KIT_FAILS(act(PLACE_ADD, "2", "colour", "red", KIT_NOW, &r, &e), ERR_DATA);
    KIT_FAILS(act(PLACE_ADD, "2\t3", NULL, NULL, KIT_NOW, &r, &e), ERR_DATA);
    KIT_FAILS(act(PLACE_ADD, "2", "note",
                  "a\x01"
                  "b",
                  KIT_NOW, &r, &e),
              ERR_DATA);
    char many[2000];
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    KIT_FAILS(act(PLACE_ADD, "2", "note", many, KIT_NOW, &r, &e), ERR_DATA);
    KIT_FAILS(act(PLACE_ADD, many, NULL, NULL, KIT_NOW, &r, &e), ERR_DATA);
    KIT_FAILS(act(PLACE_DROP, "2", NULL, NULL, KIT_NOW, &r, &e), ERR_NOT_FOUND);
    struct place_change hours = {.act = PLACE_ADD, .service = "care", .code = "1"};
    KIT_FAILS(place_apply(kit.agent, &hours, KIT_NOW, &r, &e), ERR_DATA);
    expect_counts(&(struct capacity){.total = line_now().capacity.total,
                                     .occupied = line_now().capacity.occupied,
                                     .held = line_now().capacity.held,
                                     .blocked = line_now().capacity.blocked},
                  1, 0, 0, 0);
}

Test(place, messages_never_repeat_a_number_of_a_person) {
    struct error e = {0};
    struct record r;
    KIT_FAILS(act(PLACE_CHANGE, "111222333", "state", "free", KIT_NOW, &r, &e), ERR_NOT_FOUND);
    cr_assert_null(strstr(e.detail, "111222333"), "%s", e.detail);
    KIT_FAILS(act(PLACE_ADD, "1", "state", "111222333", KIT_NOW, &r, &e), ERR_DATA);
    cr_assert_null(strstr(e.detail, "111222333"), "%s", e.detail);
}

/* ---- importing places ---- */

#define PLACES                                                                                     \
    "\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"w\"},\"place\":{\"column\":\"k\"},"   \
    "\"columns\":{\"state\":\"st\",\"reason\":\"r\",\"until\":\"u\"},"                             \
    "\"date\":{\"column\":\"d\",\"format\":\"dd-mm-jjjj\"},"                                       \
    "\"states\":{\"bezet\":\"occupied\",\"vrij\":\"free\"}"

static enum err import(const char *text, const char *profile, json_t **ret, struct error *e) {
    const struct import_request r = {.file = "in.csv",
                                     .profile = bytes_str(profile),
                                     .profile_file = "p.json",
                                     .places = true,
                                     .actor = "uid:1"};
    *e = (struct error){0};
    return import_run(kit.agent, &r, bytes_str(text), KIT_NOW, ret, e);
}

static int64_t run(const char *text, const char *profile) {
    struct error e = {0};
    json_t *report = NULL;
    int64_t sum = 0;
    static const char *const keys[] = {"new", "changed", "unchanged", "older", "removed"};
    KIT_OK(import(text, profile, &report, &e));
    for (size_t i = 0; i < 5; i++)
        sum = 10 * sum + json_integer_value(json_object_get(report, keys[i]));
    json_decref(report);
    return sum;
}

static const char table[] = "w;k;st;r;u;d\nW;1;bezet;;;12-09-2026\nW;2;vrij;;;12-09-2026\n"
                            "W;3;blocked;lek;15-09-2026;12-09-2026\nW;1;vrij;;;11-09-2026\n";

Test(place, import_is_idempotent_and_the_newest_row_counts) {
    cr_assert_eq(run(table, "{" PLACES "}"), 30000);
    struct line line = line_now();
    expect_counts(&line.capacity, 3, 1, 0, 1);
    cr_assert_eq(line.capacity.observed_ms, KIT_NOW - KIT_DAY - 2 * KIT_HOUR);
    cr_assert_eq(run(table, "{" PLACES "}"), 300);
    did(PLACE_CHANGE, "1", "state", "free", KIT_NOW);
    cr_assert_eq(run(table, "{" PLACES "}"), 210, "an older file does not undo what was entered");
    struct capacity now = line_now().capacity;
    expect_counts(&now, 3, 0, 0, 1);
}

Test(place, a_complete_table_takes_others_away) {
    did(PLACE_ADD, "9", NULL, NULL, KIT_NOW - 2 * KIT_DAY);
    cr_assert_eq(run(table, "{" PLACES "}"), 30000);
    cr_assert_eq(run(table, "{" PLACES ",\"complete\":true}"), 301);
    struct capacity now = line_now().capacity;
    expect_counts(&now, 3, 1, 0, 1);
}

Test(place, import_refuses_all_or_nothing) {
    struct error e = {0};
    json_t *report = NULL;
    const struct {
        const char *text;
        int line, column;
        const char *words;
    } cases[] = {
        {"w;k;st;r;u;d\nW;1;vrij;;;12-09-2026\nW;2;vol;;;12-09-2026\n", 3, 3, "'vol'"},
        {"w;k;st;r;u;d\nW;1;vrij;;;12-09-2026\nW;;vrij;;;12-09-2026\n", 3, 2, "code"},
        {"w;k;st;r;u;d\nW;1;vrij;;;12-09-2026\nW;1;vrij;;;12-09-2026\n", 3, 0, "line 2"},
        {"w;k;st;r;u;d\nW;1;vrij;;;12-09-2026\nW;2;vrij;;morgen;12-09-2026\n", 3, 5, "morgen"},
        {"w;k;st;r;u;d\nW;1;vrij;;;12-09-2026\nW;2;vrij;;;12-09-2029\n", 3, 6, "still to come"},
        {"w;k;st;r;u;d\nW;1;111222333;;;12-09-2026\n", 2, 3, "*********"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        KIT_FAILS(import(cases[i].text, "{" PLACES "}", &report, &e), ERR_DATA);
        cr_assert_eq(e.line, cases[i].line, "%zu: %d %s", i, e.line, e.detail);
        cr_assert_eq(e.column, cases[i].column, "%zu: %d %s", i, e.column, e.detail);
        cr_assert_not_null(strstr(e.detail, cases[i].words), "%s", e.detail);
        struct record r;
        bool found = true;
        KIT_OK(records_find_line(kit.agent, 1, "bed", "W", &r, &found, &e));
        cr_assert_not(found, "%zu", i);
    }
    KIT_FAILS(import("f\n1\n", "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"f\"}}",
                     &report, &e),
              ERR_DATA);
    cr_assert_str_eq(e.file, "p.json");
}

/* Counts for a line with places are refused in a table too; unknown ones say nothing. */
Test(place, a_table_of_figures_for_a_line_with_places) {
    static const char profile[] = "{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"w\"},"
                                  "\"columns\":{\"free\":\"f\",\"status\":\"s\"}}";
    struct error e = {0};
    json_t *report = NULL;
    struct import_request r = {.file = "in.csv",
                               .profile = bytes_str(profile),
                               .profile_file = "p.json",
                               .actor = "uid:1"};
    did(PLACE_ADD, "1", NULL, NULL, KIT_NOW);
    KIT_FAILS(import_run(kit.agent, &r, bytes_str("w,f,s\nV,1,\nW,3,full\n"), KIT_NOW, &report, &e),
              ERR_DATA);
    cr_assert_eq(e.line, 3);
    cr_assert_not_null(strstr(e.detail, "place"), "%s", e.detail);
    KIT_OK(import_run(kit.agent, &r, bytes_str("w,f,s\nV,1,\nW,NA,full\n"), KIT_NOW, &report, &e));
    json_decref(report);
    struct line line = line_now();
    expect_counts(&line.capacity, 1, 0, 0, 0);
    cr_assert_eq(line.capacity.status, STATUS_FULL);
}
