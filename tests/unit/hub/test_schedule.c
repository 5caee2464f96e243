/* Tests when the hub publishes by itself, by a clock that the test sets: when, what, what changes
 * and what does not, over restarts, clocks set back and stores that fail. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "town.h"
#include "vfs/watch_vfs.h"

#define MINUTE_MS INT64_C(60000)

static const char charter[] =
    "{\"format\": 1, \"purpose\": \"beds\", \"k\": 3, \"time_zone\": \"Europe/Amsterdam\","
    " \"longest_validity\": \"7d\", \"keep_days\": 35, \"services\": ["
    "{\"code\": \"bed\", \"label\": \"Bed\", \"definition\": \"A staffed bed.\", \"unit\": \"bed\","
    " \"validity\": \"24h\"}]}";

enum { A, B, C, MEMBERS };
static struct town t;
static struct person people[MEMBERS];
static struct circle circles[MEMBERS];

static void say(const char *line) {
    char path[PATH_MAX + 16];
    town_close(&t);
    snprintf(path, sizeof path, "%s/" SETTINGS_FILE, t.dir);
    FILE *file = fopen(path, "a");
    cr_assert(file && fputs(line, file) >= 0 && fclose(file) == 0);
    town_open(&t);
}

static void restart(void) {
    town_close(&t);
    town_open(&t);
}

/* One site in the north with so many free, valid for a week. */
static void tell(int member, int64_t free_now) {
    struct draft d;
    struct buf plain;
    const struct figures row = {.site = 1,
                                .region = "north",
                                .service = "bed",
                                .free = {true, free_now},
                                .observed_ms = t.now_ms,
                                .valid_until_ms = t.now_ms + 7 * 24 * TOWN_HOUR_MS};
    figures_encode(&t, "exact", &row, 1, &plain);
    draft_init(&t, &d, &people[member]);
    draft_grant_hub(&t, &d, &circles[member]);
    draft_state(&t, &d, &circles[member], buf_bytes(&plain));
    person_publish(&t, &people[member], &d);
    buf_done(&plain);
}

static void setup(void) {
    static const char *const names[] = {"A", "B", "C"};
    town_init(&t, 72, charter);
    for (int i = 0; i < MEMBERS; i++) {
        person_join(&t, &people[i], names[i], "provider");
        circle_new(&t, &circles[i], &people[i]);
        tell(i, i + 1);
    }
}
static void teardown(void) {
    town_done(&t);
}
TestSuite(schedule, .init = setup, .fini = teardown);

/* Whether it published; it must not fail. */
static bool look(void) {
    struct error e = {0};
    bool published = false;
    cr_assert_eq(hub_publish_due(t.hub, t.now_ms, &published, &e), ERR_OK, "%s", e.detail);
    return published;
}

static void expect_publishing(const char *expected) {
    json_t *status = town_get(&t, "/v1/status");
    char *found = json_dumps(json_object_get(status, "publishing"), JSON_SORT_KEYS | JSON_COMPACT);
    cr_assert_str_eq(found, expected);
    free(found);
    json_decref(status);
}

/* What stands published of the whole network now: -1 for nothing. */
static json_int_t shown(const char *ret_day) {
    struct error e = {0};
    json_t *answer = NULL, *query = ret_day
                                        ? json_pack("{s:s, s:s}", "from", ret_day, "to", ret_day)
                                        : json_object();
    cr_assert_eq(town_call(&t, API_GET, "/v1/published", query, NULL, &answer, &e), ERR_OK, "%s",
                 e.detail);
    json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
    json_t *low = json_object_get(json_object_get(row, "available"), "low");
    json_int_t found = json_is_integer(low) ? json_integer_value(low) : -1;
    json_decref(answer);
    return found;
}

Test(schedule, never_unless_asked_for) {
    cr_assert_not(look());
    t.now_ms += 30 * 24 * TOWN_HOUR_MS;
    cr_assert_not(look());
    cr_assert_eq(shown(NULL), -1);
    expect_publishing("{\"every\":null,\"fault\":null,\"last_at\":null,\"next_at\":null}");
}

Test(schedule, at_once_and_then_every_hour) {
    say("publish.every = 1h\n");
    cr_assert(look());
    cr_assert_eq(shown(NULL), 6);
    expect_publishing("{\"every\":\"1h\",\"fault\":null,\"last_at\":\"2025-11-21T14:00:00Z\","
                      "\"next_at\":\"2025-11-21T15:00:00Z\"}");
    t.now_ms += TOWN_HOUR_MS - 1;
    cr_assert_not(look());
    t.now_ms += 1;
    cr_assert(look());
    cr_assert_not(look());
}

/* The rule is the same whoever asks: one or two members' changes are not shown. */
Test(schedule, a_figure_still_changes_by_k) {
    say("publish.every = 1h\n");
    cr_assert(look());
    for (int i = A; i <= C; i++) {
        t.now_ms += TOWN_HOUR_MS;
        tell(i, 10);
        cr_assert(look());
        cr_assert_eq(shown(NULL), i == C ? 30 : 6, "after %d changes", i + 1);
    }
}

/* Each day is published once it ended, also those on which the hub stood still. */
Test(schedule, days_that_ended_too) {
    say("publish.every = 1h\n");
    cr_assert(look());
    cr_assert_eq(shown("2025-11-21"), 6, "today, as it is now");
    t.now_ms += 3 * 24 * TOWN_HOUR_MS;
    cr_assert_eq(shown("2025-11-21"), -1);
    cr_assert(look());
    cr_assert_eq(shown("2025-11-21"), 6);
    cr_assert_eq(shown("2025-11-22"), 6);
    cr_assert_eq(shown("2025-11-23"), 6);
}

Test(schedule, goes_on_where_it_was_after_a_restart) {
    say("publish.every = 1h\n");
    cr_assert(look());
    t.now_ms += 20 * MINUTE_MS;
    restart();
    cr_assert_not(look());
    expect_publishing("{\"every\":\"1h\",\"fault\":null,\"last_at\":\"2025-11-21T14:00:00Z\","
                      "\"next_at\":\"2025-11-21T15:00:00Z\"}");
    t.now_ms += 40 * MINUTE_MS;
    restart();
    cr_assert(look());
}

/* Publishing by hand counts, when it was of everything now. */
Test(schedule, by_hand_puts_the_next_one_off) {
    struct error e = {0};
    json_t *answer = NULL;
    say("publish.every = 1h\n");
    cr_assert_eq(town_call(&t, API_POST, "/v1/published", NULL,
                           json_pack("{s:s}", "service", "bed"), &answer, &e),
                 ERR_OK, "%s", e.detail);
    json_decref(answer);
    expect_publishing("{\"every\":\"1h\",\"fault\":null,\"last_at\":null,\"next_at\":null}");
    cr_assert_eq(town_call(&t, API_POST, "/v1/published", NULL, json_object(), &answer, &e),
                 ERR_OK);
    json_decref(answer);
    cr_assert_not(look());
    expect_publishing("{\"every\":\"1h\",\"fault\":null,\"last_at\":\"2025-11-21T14:00:00Z\","
                      "\"next_at\":\"2025-11-21T15:00:00Z\"}");
}

Test(schedule, a_clock_set_back_does_not_stop_it) {
    say("publish.every = 1h\n");
    t.now_ms += 48 * TOWN_HOUR_MS;
    cr_assert(look());
    t.now_ms -= 24 * TOWN_HOUR_MS;
    cr_assert(look());
    cr_assert_not(look());
}

/* A full disk: said in the status, nothing half published, and tried again. */
Test(schedule, a_failure_is_told_and_tried_again) {
    struct error e = {0};
    bool published = true;
    say("publish.every = 1h\n");
    town_close(&t);
    struct watch_vfs *vfs = watch_vfs_new("schedule");
    cr_assert_not_null(vfs);
    t.vfs = "schedule";
    town_open(&t);
    watch_vfs_fail(vfs, WATCH_WRITE, 1, 1000, SQLITE_FULL, ENOSPC);
    cr_assert_neq(hub_publish_due(t.hub, t.now_ms, &published, &e), ERR_OK);
    cr_assert_not(published);
    watch_vfs_fail(vfs, WATCH_WRITE, 1, 0, SQLITE_FULL, ENOSPC);
    json_t *status = town_get(&t, "/v1/status");
    json_t *said = json_object_get(status, "publishing");
    cr_assert_str_eq(json_string_value(json_object_get(said, "fault")), e.detail);
    cr_assert(json_is_null(json_object_get(said, "last_at")));
    json_decref(status);
    cr_assert_eq(shown(NULL), -1);
    cr_assert_not(look(), "not at once");
    t.now_ms += MINUTE_MS;
    cr_assert(look());
    cr_assert_eq(shown(NULL), 6);
    expect_publishing("{\"every\":\"1h\",\"fault\":null,\"last_at\":\"2025-11-21T14:01:00Z\","
                      "\"next_at\":\"2025-11-21T15:01:00Z\"}");
    town_close(&t);
    watch_vfs_free(vfs);
    t.vfs = NULL;
    town_open(&t);
}

Test(schedule, less_than_a_minute_is_refused_with_the_file) {
    struct error e = {0};
    struct hub_settings settings;
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/" SETTINGS_FILE, t.dir);
    FILE *file = fopen(path, "a");
    cr_assert(file && fputs("publish.every = 59s\n", file) >= 0 && fclose(file) == 0);
    cr_assert_eq(hub_settings_read(t.dir, &settings, &e), ERR_CONFIG);
    cr_assert_str_eq(e.detail, "found publish.every of less than a minute, expected 1m or more, or "
                               "0s for never");
    cr_assert(strstr(e.file, SETTINGS_FILE));
}
