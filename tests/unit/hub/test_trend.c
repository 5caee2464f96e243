/* Tests the aggregate per day through the whole way: sealed history and states go in, the route's
 * rows come out; worked by hand. The town's clock begins on Friday 21 November 2025, 15:00 in
 * Amsterdam. */
#include <criterion/criterion.h>

#include "hub_private.h"
#include "town.h"

static const char charter[] =
    "{\"format\": 1, \"purpose\": \"beds\", \"k\": 3, \"time_zone\": \"Europe/Amsterdam\","
    " \"longest_validity\": \"7d\", \"keep_days\": 35, \"services\": ["
    "{\"code\": \"bed\", \"label\": \"Bed\", \"definition\": \"A staffed bed.\", \"unit\": \"bed\","
    " \"validity\": \"24h\"}]}";

static struct town t;
static struct person noord, zuid;
static struct circle near, far;

static void setup(void) {
    town_init(&t, 61, charter);
    person_join(&t, &noord, "Noord", "provider");
    person_join(&t, &zuid, "Zuid", "provider");
    circle_new(&t, &near, &noord);
    circle_new(&t, &far, &zuid);
}
static void teardown(void) {
    town_done(&t);
}
TestSuite(trend, .init = setup, .fini = teardown);

static int64_t at(const char *time) {
    int64_t ms = 0;
    cr_assert_eq(text_parse_time(time, &ms, NULL), ERR_OK, "%s", time);
    return ms;
}

struct told {
    const char *observed, *valid_until;
    int64_t available;
};

/* History of a person's only site, in region `region`, with the grant that opens it. */
static void tell(struct person *p, struct circle *c, const char *region, const struct told *told,
                 size_t count) {
    static uint64_t counter;
    struct draft d;
    struct site site = {.id = 1, .name = "Huis"};
    struct history_series series = {
        .site = 1, .service = "bed", .precision = PRECISION_EXACT, .count = count};
    struct history_point points[16];
    const struct history h = {++counter, &site, 1, &series, 1, points, count};
    snprintf(site.region, sizeof site.region, "%s", region);
    for (size_t i = 0; i < count; i++)
        points[i] = (struct history_point){.available = {true, told[i].available},
                                           .observed_ms = at(told[i].observed),
                                           .valid_until_ms = at(told[i].valid_until)};
    draft_init(&t, &d, p);
    draft_grant_hub(&t, &d, c);
    draft_history(&t, &d, c, &h);
    person_publish(&t, p, &d);
}
#define TELL(p, c, region, ...)                                                                    \
    tell(p, c, region, (struct told[]){__VA_ARGS__},                                               \
         sizeof((struct told[]){__VA_ARGS__}) / sizeof(struct told))

static void show(struct person *p, struct circle *c, const char *precision,
                 const struct figures *figures) {
    struct draft d;
    struct buf plain;
    figures_encode(&t, precision, figures, 1, &plain);
    draft_init(&t, &d, p);
    draft_grant_hub(&t, &d, c);
    draft_state(&t, &d, c, buf_bytes(&plain));
    person_publish(&t, p, &d);
    buf_done(&plain);
}

static json_t *ask(const char *from, const char *to) {
    struct error e = {0};
    json_t *answer = NULL, *query = json_pack("{s:s}", "from", from);
    if (to)
        json_object_set_new(query, "to", json_string(to));
    cr_assert_eq(town_call(&t, API_GET, "/v1/aggregate", query, NULL, &answer, &e), ERR_OK, "%s",
                 e.detail);
    return answer;
}

/* "20 5/1+0 | 21 8/2+0": the whole network's days of the month, low of available, current sites and
 * expired ones; "!" behind an open day, "." behind a final one. */
static void expect_in(const char *region, const char *from, const char *to, const char *expected) {
    char text[2048] = "";
    json_t *answer = ask(from, to), *row;
    size_t i;
    cr_assert(json_is_null(json_object_get(answer, "next")));
    json_array_foreach(json_object_get(answer, "rows"), i, row) {
        const char *found = json_string_value(json_object_get(row, "region"));
        json_t *low = json_object_get(json_object_get(row, "available"), "low");
        size_t len = strlen(text);
        char figure[32] = "-";
        if (strcmp(found ? found : "", region) != 0)
            continue;
        if (json_is_integer(low))
            snprintf(figure, sizeof figure, "%lld", (long long)json_integer_value(low));
        snprintf(text + len, sizeof text - len, "%s%s %s/%lld+%lld%s%s", len ? " | " : "",
                 json_string_value(json_object_get(row, "day")) + 8, figure,
                 (long long)json_integer_value(json_object_get(row, "sites_current")),
                 (long long)json_integer_value(json_object_get(row, "sites_expired")),
                 json_is_true(json_object_get(row, "open")) ? "!" : "",
                 json_is_true(json_object_get(row, "final")) ? "." : "");
    }
    cr_assert_str_eq(text, expected);
    json_decref(answer);
}
static void expect(const char *from, const char *to, const char *expected) {
    expect_in("", from, to, expected);
}

static void pass_days(int days) {
    t.now_ms += days * 24 * TOWN_HOUR_MS;
}
/* What a daemon does when nothing else is to be done. */
static void rest(void) {
    show(&zuid, &far, "exact", &(struct figures){.site = 1, .service = "bed", .free = known(1)});
    while (hub_idle(t.hub, t.now_ms))
        continue;
}

Test(trend, each_day_counts_what_was_valid_at_its_end) {
    TELL(&noord, &near, "a", {"2025-11-17T09:00:00Z", "2025-11-18T09:00:00Z", 5},
         {"2025-11-17T16:00:00Z", "2025-11-18T16:00:00Z", 6},
         {"2025-11-19T09:00:00Z", "2025-11-20T09:00:00Z", 7});
    TELL(&zuid, &far, "b", {"2025-11-18T09:00:00Z", "2025-11-25T09:00:00Z", 100});
    /* Of audiences without a state nothing is shown today. */
    expect("2025-11-16", "2025-11-21",
           "16 -/0+0 | 17 6/1+0 | 18 100/1+1 | 19 107/2+0 | 20 100/1+0 | 21 -/0+0!");
    expect_in("a", "2025-11-16", "2025-11-20", "17 6/1+0 | 18 -/0+1 | 19 7/1+0");
    expect_in("b", "2025-11-16", "2025-11-20", "18 100/1+0 | 19 100/1+0 | 20 100/1+0");
}

Test(trend, late_history_corrects) {
    TELL(&noord, &near, "a", {"2025-11-17T09:00:00Z", "2025-11-18T09:00:00Z", 5});
    expect("2025-11-17", "2025-11-18", "17 5/1+0 | 18 -/0+0");
    TELL(&noord, &near, "a", {"2025-11-17T12:00:00Z", "2025-11-18T12:00:00Z", 3},
         {"2025-11-18T12:00:00Z", "2025-11-19T12:00:00Z", 2});
    expect("2025-11-17", "2025-11-18", "17 3/1+0 | 18 2/1+0");
    TELL(&noord, &near, "a", {"2025-11-17T12:00:00Z", "2025-11-18T12:00:00Z", 30});
    expect("2025-11-17", "2025-11-18", "17 30/1+0 | 18 2/1+0");
}

/* Summer time ends on 26 October 2025, which has 25 hours: it ends at 23:00Z, the day before at
 * 22:00Z. A half-hour figure up to midnight is that day's; one from midnight on is neither's. */
Test(trend, days_end_at_local_midnight) {
    TELL(&noord, &near, "a", {"2025-10-25T21:30:00Z", "2025-10-25T22:00:00Z", 1},
         {"2025-10-25T22:00:00Z", "2025-10-25T22:30:00Z", 2},
         {"2025-10-26T22:30:00Z", "2025-10-26T23:00:00Z", 3},
         {"2025-10-26T23:00:00Z", "2025-10-26T23:30:00Z", 4},
         {"2025-10-27T22:59:00Z", "2025-10-27T23:00:00Z", 5});
    expect("2025-10-24", "2025-10-28", "24 -/0+0 | 25 1/1+0 | 26 3/1+0 | 27 5/1+0 | 28 -/0+0");
    /* 30 March 2025 has 23 hours and ends at 22:00Z. */
    TELL(&zuid, &far, "a", {"2025-03-29T22:30:00Z", "2025-03-29T23:00:00Z", 6},
         {"2025-03-30T21:30:00Z", "2025-03-30T22:00:00Z", 7},
         {"2025-03-30T22:00:00Z", "2025-03-30T22:30:00Z", 8});
    expect("2025-03-29", "2025-03-31", "29 6/1+0 | 30 7/1+0 | 31 -/0+0");
}

/* The newest picture covers the days its figure holds; where the point is there too, once. */
Test(trend, a_state_counts_once) {
    const struct figures now = {.site = 1,
                                .region = "a",
                                .service = "bed",
                                .free = known(4),
                                .observed_ms = at("2025-11-19T08:00:00Z"),
                                .valid_until_ms = at("2025-11-22T08:00:00Z")};
    show(&noord, &near, "exact", &now);
    expect("2025-11-18", NULL, "18 -/0+0 | 19 4/1+0 | 20 4/1+0 | 21 4/1+0!");
    TELL(&noord, &near, "a", {"2025-11-18T08:00:00Z", "2025-11-21T08:00:00Z", 9},
         {"2025-11-19T08:00:00Z", "2025-11-22T08:00:00Z", 4});
    expect("2025-11-18", NULL, "18 9/1+0 | 19 4/1+0 | 20 4/1+0 | 21 4/1+0!");
    expect_in("a", "2025-11-18", NULL, "18 9/1+0 | 19 4/1+0 | 20 4/1+0 | 21 4/1+0!");
    /* The same time stated otherwise: the later entry's word, whether state or history. */
    TELL(&noord, &near, "a", {"2025-11-19T08:00:00Z", "2025-11-22T08:00:00Z", 5});
    expect("2025-11-19", "2025-11-20", "19 5/1+0 | 20 5/1+0");
    struct figures again = now;
    again.free = known(6);
    show(&noord, &near, "exact", &again);
    expect("2025-11-19", NULL, "19 6/1+0 | 20 6/1+0 | 21 6/1+0!");
}

/* The line is told to another audience from some day on: it is one line still. */
Test(trend, a_line_that_moved_counts_once) {
    struct circle other;
    circle_new(&t, &other, &noord);
    TELL(&noord, &near, "a", {"2025-11-18T08:00:00Z", "2025-11-25T08:00:00Z", 9});
    show(&noord, &near, "exact",
         &(struct figures){.site = 1,
                           .region = "a",
                           .service = "bed",
                           .free = known(9),
                           .observed_ms = at("2025-11-18T08:00:00Z"),
                           .valid_until_ms = at("2025-11-25T08:00:00Z")});
    show(&noord, &other, "band",
         &(struct figures){.site = 1,
                           .region = "a",
                           .service = "bed",
                           .free = known(4),
                           .observed_ms = at("2025-11-20T08:00:00Z"),
                           .valid_until_ms = at("2025-11-25T08:00:00Z")});
    TELL(&noord, &other, "a", {"2025-11-19T08:00:00Z", "2025-11-25T08:00:00Z", 7});
    expect("2025-11-18", NULL, "18 9/1+0 | 19 7/1+0 | 20 3/1+0 | 21 3/1+0!");
    json_t *answer = ask("2025-11-20", "2025-11-20");
    expect_row(json_object_get(answer, "rows"), 0,
               "{\"day\":\"2025-11-20\",\"service\":\"bed\",\"region\":null,"
               "\"available\":{\"low\":3,\"high\":5},\"members\":1,\"sites_current\":1,"
               "\"sites_never\":0,\"open\":false,\"final\":false}");
    json_decref(answer);
}

/* Members that were admitted by then and of whom nothing had come by then. */
Test(trend, never_reported_as_of_the_day) {
    pass_days(3); /* both joined on the 21st; it is the 24th */
    TELL(&noord, &near, "a", {"2025-11-23T09:00:00Z", "2025-11-23T21:00:00Z", 5});
    json_t *answer = ask("2025-11-20", "2025-11-23"), *rows = json_object_get(answer, "rows");
    expect_row(rows, 0, "{\"day\":\"2025-11-20\",\"sites_never\":0}");
    expect_row(rows, 1, "{\"day\":\"2025-11-21\",\"sites_never\":2}");
    expect_row(rows, 2, "{\"day\":\"2025-11-22\",\"sites_never\":2}");
    expect_row(rows, 3, "{\"day\":\"2025-11-23\",\"sites_never\":1}");
    json_decref(answer);
}

/* A suspension stops the present, not the past; a removal takes the member out of both. */
Test(trend, suspended_and_removed) {
    TELL(&noord, &near, "a", {"2025-11-20T09:00:00Z", "2025-11-22T09:00:00Z", 5});
    show(&noord, &near, "exact", &(struct figures){.site = 1, .service = "bed", .free = known(5)});
    town_change(&t, "Noord", "suspend");
    expect("2025-11-20", NULL, "20 5/1+0 | 21 -/0+0!");
    town_change(&t, "Noord", "remove");
    expect("2025-11-20", NULL, "20 -/0+0 | 21 -/0+0!");
}

/* A withdrawal takes back what the hub was told, its first day included. */
Test(trend, withdrawn) {
    static const uint8_t plain[] = {1};
    struct draft d;
    TELL(&noord, &near, "a", {"2025-11-19T09:00:00Z", "2025-11-19T10:00:00Z", 4},
         {"2025-11-20T09:00:00Z", "2025-11-22T09:00:00Z", 5});
    expect("2025-11-19", "2025-11-20", "19 -/0+1 | 20 5/1+0");
    draft_init(&t, &d, &noord);
    draft_raw(&d, VIEW_WITHDRAW, target_audience(near.id), near.key_id,
              bytes_of(plain, sizeof plain));
    person_publish(&t, &noord, &d);
    expect("2025-11-19", "2025-11-20", "19 -/0+0 | 20 -/0+0");
}

/* 36 days on, the sums of 21 November are final, and its points are gone; what comes for it later
 * changes nothing, and neither does the removal of who was counted. The 22nd is kept as it was: it
 * ended less than 35 days ago. */
Test(trend, days_become_final_before_their_points_go) {
    TELL(&noord, &near, "a", {"2025-11-10T09:00:00Z", "2025-11-11T09:00:00Z", 3},
         {"2025-11-21T09:00:00Z", "2025-11-22T09:00:00Z", 5});
    pass_days(1);
    TELL(&noord, &near, "a", {"2025-11-22T09:00:00Z", "2025-11-23T09:00:00Z", 6});
    expect("2025-11-21", "2025-11-21", "21 5/1+0");
    pass_days(35);
    rest();
    expect("2025-11-21", "2025-11-23", "21 5/1+0. | 22 6/1+0 | 23 -/0+0");
    expect_in("a", "2025-11-21", "2025-11-23", "21 5/1+0. | 22 6/1+0");
    expect("2025-11-09", "2025-11-12", "09 -/0+0 | 10 3/1+0. | 11 -/0+1 | 12 -/0+1");
    TELL(&noord, &near, "a", {"2025-11-21T12:00:00Z", "2025-11-22T12:00:00Z", 50},
         {"2025-11-22T12:00:00Z", "2025-11-23T12:00:00Z", 60});
    expect("2025-11-21", "2025-11-22", "21 5/1+0. | 22 60/1+0");
    pass_days(3);
    rest();
    expect("2025-11-21", "2025-11-24", "21 5/1+0. | 22 60/1+0. | 23 -/0+0. | 24 -/0+0.");
    town_change(&t, "Noord", "remove");
    expect("2025-11-21", "2025-11-22", "21 5/1+0. | 22 60/1+0.");
    town_close(&t);
    town_open(&t);
    expect("2025-11-21", "2025-11-22", "21 5/1+0. | 22 60/1+0.");
}

static enum err count_point(void *ctx, const struct store_point *p, struct error *e) {
    (void)e;
    *(int *)ctx += !p->mark;
    return ERR_OK;
}
static int points(void) {
    struct error e = {0};
    int count = 0;
    cr_assert_eq(store_points(t.hub->store, "bed", INT64_MAX, count_point, &count, &e), ERR_OK);
    return count;
}

/* Imported days of years ago are kept as long as any, become final then, and go. */
Test(trend, an_import_of_old_days_becomes_final_too) {
    struct told told[16];
    char text[16][2][TEXT_TIME_SIZE];
    const int64_t noon = at("2020-03-01T12:00:00Z");
    for (int i = 0; i < 16; i++)
        told[i] = (struct told){text_time(noon + i * 24 * TOWN_HOUR_MS, text[i][0]),
                                text_time(noon + (i + 1) * 24 * TOWN_HOUR_MS, text[i][1]), i};
    tell(&noord, &near, "a", told, 16);
    const char days[] = "01 0/1+0 | 02 1/1+0 | 03 2/1+0";
    expect("2020-03-01", "2020-03-03", days);
    pass_days(34);
    rest();
    expect("2020-03-01", "2020-03-03", days);
    cr_assert_eq(points(), 16);
    pass_days(2);
    rest();
    cr_assert_eq(points(), 0);
    expect("2020-02-29", "2020-03-03", "29 -/0+0 | 01 0/1+0. | 02 1/1+0. | 03 2/1+0.");
    expect("2020-03-15", "2020-03-17", "15 14/1+0. | 16 15/1+0. | 17 -/0+0");
}

/* A figure that still counts within the kept days stays until it does not: the days it covers are
 * not made final early, and late history corrects them. */
Test(trend, a_long_validity_keeps_its_point) {
    TELL(&noord, &near, "a", {"2025-11-21T09:00:00Z", "2025-11-28T09:00:00Z", 5});
    pass_days(36);
    rest();
    expect("2025-11-21", "2025-11-23", "21 5/1+0. | 22 5/1+0 | 23 5/1+0");
    cr_assert_eq(points(), 1);
    pass_days(7);
    rest();
    cr_assert_eq(points(), 0);
    expect("2025-11-21", "2025-11-29",
           "21 5/1+0. | 22 5/1+0. | 23 5/1+0. | 24 5/1+0. | 25 5/1+0. | 26 5/1+0. | 27 5/1+0. | "
           "28 -/0+0. | 29 -/0+0");
}

/* A point of a day that has not come is no reason to keep it for ever. */
Test(trend, a_point_that_lies_ahead_goes) {
    TELL(&noord, &near, "a", {"2031-01-01T09:00:00Z", "2031-01-02T09:00:00Z", 5});
    cr_assert_eq(points(), 1);
    pass_days(36);
    rest();
    cr_assert_eq(points(), 0);
}

/* Ten years in pieces: every day once, in order. */
Test(trend, many_days_come_in_pages) {
    TELL(&noord, &near, "a", {"2020-03-01T12:00:00Z", "2020-03-02T12:00:00Z", 5});
    char from[TEXT_DAY_SIZE] = "2015-11-21", last[TEXT_DAY_SIZE] = "";
    size_t days = 0, pages = 0, regions = 0;
    bool more = true;
    for (; more; pages++) {
        json_t *answer = ask(from, "2025-11-20"), *row;
        json_t *next = json_object_get(answer, "next");
        size_t i;
        json_array_foreach(json_object_get(answer, "rows"), i, row) {
            const char *day = json_string_value(json_object_get(row, "day"));
            if (json_is_null(json_object_get(row, "region"))) {
                cr_assert_gt(strcmp(day, last), 0);
                snprintf(last, sizeof last, "%s", day);
                days++;
            } else {
                cr_assert_str_eq(day, "2020-03-01");
                regions++;
            }
        }
        more = json_is_string(next);
        if (more)
            snprintf(from, sizeof from, "%s", json_string_value(next));
        json_decref(answer);
    }
    cr_assert_eq(days, 3653);
    cr_assert_eq(regions, 1);
    cr_assert_gt(pages, 1u);
    cr_assert_str_eq(last, "2025-11-20");
}

Test(trend, what_cannot_be_asked_for) {
    static const struct {
        const char *from, *to, *service, *says;
        enum err err;
    } bad[] = {{"2025-11-31", NULL, NULL, "2025-11-31", ERR_DATA},
               {"today", NULL, NULL, "today", ERR_DATA},
               {"1969-12-31", NULL, NULL, "1969", ERR_DATA},
               {"2025-11-22", NULL, NULL, "2025-11-21", ERR_DATA},
               {"2025-11-20", "2025-11-22", NULL, "ahead", ERR_DATA},
               {"2025-11-20", "2025-11-19", NULL, "after", ERR_DATA},
               {NULL, "2025-11-19", NULL, "start", ERR_USAGE},
               {"2025-11-20", NULL, "boat", "boat", ERR_NOT_FOUND}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error e = {0};
        json_t *answer = NULL, *query = json_object();
        if (bad[i].from)
            json_object_set_new(query, "from", json_string(bad[i].from));
        if (bad[i].to)
            json_object_set_new(query, "to", json_string(bad[i].to));
        if (bad[i].service)
            json_object_set_new(query, "service", json_string(bad[i].service));
        cr_assert_eq(town_call(&t, API_GET, "/v1/aggregate", query, NULL, &answer, &e), bad[i].err,
                     "%zu: %s", i, e.detail);
        cr_assert(strstr(e.detail, bad[i].says), "%zu: %s", i, e.detail);
    }
}
