/* Tests what is published: the rule by itself, and the example of docs/aggregate.md ("An example")
 * through the whole way, with the figures that stand in its tables. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "published.h"
#include "town.h"

/* ---- the rule: "n:a1 b1 c2 o:d1" is who (a letter) contributes what (a digit) to a region ---- */

#define PARTS_MAX 64
struct list {
    struct published_part parts[PARTS_MAX];
    size_t count;
};

static struct list list(const char *text) {
    struct list l = {.count = 0};
    char region[REGION_MAX + 1] = "";
    for (; *text; text++) {
        if (text[1] == ':') {
            snprintf(region, sizeof region, "%c", *text == '-' ? DAYS_NOWHERE[0] : *text);
            text++;
        } else if (*text != ' ') {
            struct published_part *p = &l.parts[l.count++];
            *p = (struct published_part){.who = {(uint8_t)text[0]}, .what = {(uint8_t)text[1]}};
            memcpy(p->region, region, strlen(region));
            text++;
        }
    }
    published_sort(l.parts, l.count);
    return l;
}

struct shown {
    const char *region, *parts; /* NULL: never shown */
};

/* "W+ n+ o= s-": shown anew, stays, hidden; in the order of the cells, the whole network first. */
static void expect(int64_t k, const char *fresh, const struct shown *shown, size_t count,
                   const char *expected) {
    struct published_cell cells[8];
    struct list before[8], now = list(fresh);
    struct error e = {0};
    char text[64] = "";
    for (size_t i = 0; i < count; i++) {
        before[i] = list(shown[i].parts ? shown[i].parts : "");
        cells[i] = (struct published_cell){
            .known = shown[i].parts != NULL, .parts = before[i].parts, .count = before[i].count};
        snprintf(cells[i].region, sizeof cells[i].region, "%s", shown[i].region);
    }
    cr_assert_eq(published_decide(k, now.parts, now.count, cells, count, &e), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s%c", i ? " " : "", i ? cells[i].region : "W",
                 cells[i].verdict == PUBLISHED_SHOW   ? '+'
                 : cells[i].verdict == PUBLISHED_HIDE ? '-'
                                                      : '=');
    }
    cr_assert_str_eq(text, expected, "%s gave %s, expected %s", fresh, text, expected);
}
#define EXPECT(fresh, expected, ...)                                                               \
    expect(3, fresh, (struct shown[]){__VA_ARGS__},                                                \
           sizeof((struct shown[]){__VA_ARGS__}) / sizeof(struct shown), expected)

Test(published, fewer_than_k_is_never_shown) {
    EXPECT("n:a1 b1", "W= n=", {"", NULL}, {"n", NULL});
    EXPECT("n:a1 b1 c1", "W+ n+", {"", NULL}, {"n", NULL});
    EXPECT("", "W=", {"", NULL});
    /* one member at many places is one */
    EXPECT("n:a1 o:a1 s:a1 w:b1", "W= n= o= s= w=", {"", NULL}, {"n", NULL}, {"o", NULL},
           {"s", NULL}, {"w", NULL});
}

/* What is left of the whole network must be nothing, or of three. */
Test(published, the_next_smallest_hides_a_small_one) {
    EXPECT("n:a1 b1 c1 d1 o:e1 f1 g1 s:h1", "W+ n+ o= s=", {"", NULL}, {"n", NULL}, {"o", NULL},
           {"s", NULL});
    EXPECT("n:a1 b1 c1 s:h1 t:i1 u:j1", "W+ n+ s= t= u=", {"", NULL}, {"n", NULL}, {"s", NULL},
           {"t", NULL}, {"u", NULL});
    /* the same two members in both small ones are two */
    EXPECT("n:a1 b1 c1 s:h1 i1 t:h1 i1", "W+ n= s= t=", {"", NULL}, {"n", NULL}, {"s", NULL},
           {"t", NULL});
    /* a site without a region is left over too */
    EXPECT("n:a1 b1 c1 -:h1", "W+ n=", {"", NULL}, {"n", NULL});
    EXPECT("n:a1 b1 c1 -:h1 i1 j1", "W+ n+", {"", NULL}, {"n", NULL});
}

Test(published, a_figure_changes_by_k_members) {
    const char *before = "n:a1 b1 c1 d1";
    EXPECT("n:a1 b1 c1 d1", "W= n=", {"", before}, {"n", before});
    EXPECT("n:a2 b2 c1 d1", "W= n=", {"", before}, {"n", before});
    EXPECT("n:a2 b2 c2 d1", "W+ n+", {"", before}, {"n", before});
    EXPECT("n:a1 b1 c2 d1 e1 f1", "W+ n+", {"", before}, {"n", before});
    EXPECT("n:b1 c1 d1", "W= n=", {"", before}, {"n", before});
    EXPECT("n:a1", "W- n-", {"", before}, {"n", before});
}

/* Three of the north and one of the east changed: both new sums together would tell the east's one.
 * So the north waits. */
Test(published, changes_of_others_do_not_follow) {
    EXPECT("n:a2 b2 c2 o:d2 e1 f1", "W+ n= o=", {"", "n:a1 b1 c1 o:d1 e1 f1"}, {"n", "n:a1 b1 c1"},
           {"o", "o:d1 e1 f1"});
    EXPECT("n:a2 b2 c2 o:d1 e1 f1", "W+ n+ o=", {"", "n:a1 b1 c1 o:d1 e1 f1"}, {"n", "n:a1 b1 c1"},
           {"o", "o:d1 e1 f1"});
    /* the same with the one in a small region that was never shown */
    EXPECT("n:a2 b2 c2 o:d1 e1 f1 s:g2", "W+ n= o= s=", {"", "n:a1 b1 c1 o:d1 e1 f1 s:g1"},
           {"n", "n:a1 b1 c1"}, {"o", NULL}, {"s", NULL});
}

/* East was held back to hide south. Shown now, unchanged, it would tell south of then. */
Test(published, what_hid_another_stays_hidden) {
    EXPECT("n:a1 b1 c1 o:d1 e1 f1 s:g1 h1 i1", "W= n= o= s=", {"", "n:a1 b1 c1 o:d1 e1 f1 s:g1"},
           {"n", "n:a1 b1 c1"}, {"o", NULL}, {"s", NULL});
    EXPECT("n:a1 b1 c1 o:d2 e2 f2 s:g1 h1 i1 j1", "W+ n= o+ s+", {"", "n:a1 b1 c1 o:d1 e1 f1 s:g1"},
           {"n", "n:a1 b1 c1"}, {"o", NULL}, {"s", NULL});
}

/* ---- the example ---- */

static const char charter[] =
    "{\"format\": 1, \"purpose\": \"beds\", \"k\": 3, \"time_zone\": \"Europe/Amsterdam\","
    " \"longest_validity\": \"7d\", \"keep_days\": 35, \"services\": ["
    "{\"code\": \"bed\", \"label\": \"Bed\", \"definition\": \"A staffed bed.\", \"unit\": \"bed\","
    " \"validity\": \"24h\"}]}";

enum { A, B, C, D, E, F, G, MEMBERS };
static struct town t;
static struct person people[MEMBERS];
static struct circle circles[MEMBERS];

static void setup(void) {
    static const char *const names[] = {"A", "B", "C", "D", "E", "F", "G"};
    town_init(&t, 71, charter);
    for (int i = 0; i < MEMBERS; i++) {
        person_join(&t, &people[i], names[i], "provider");
        circle_new(&t, &circles[i], &people[i]);
    }
}
static void teardown(void) {
    town_done(&t);
}
TestSuite(example, .init = setup, .fini = teardown);

struct told {
    int member;
    uint32_t site;
    const char *region;
    bool band; /* 3 to 5 */
    int64_t available;
    int64_t hours; /* valid from noon on 20 November */
    int64_t later; /* observed so many hours after that */
};

static void tell(const struct told *told) {
    static uint64_t counter;
    struct draft d;
    const int64_t noon = TOWN_START_MS - (27 - told->later) * TOWN_HOUR_MS;
    struct site site = {.id = told->site, .name = "Huis"};
    struct history_series series = {.site = told->site,
                                    .service = "bed",
                                    .precision = told->band ? PRECISION_BAND : PRECISION_EXACT,
                                    .count = 1};
    struct history_point point = {.observed_ms = noon,
                                  .valid_until_ms = noon + told->hours * TOWN_HOUR_MS};
    const struct history h = {++counter, &site, 1, &series, 1, &point, 1};
    snprintf(site.region, sizeof site.region, "%s", told->region);
    if (told->band) {
        point.has_band = true;
        point.low = 3;
        point.high = known(5);
    } else {
        point.available = known(told->available);
    }
    draft_init(&t, &d, &people[told->member]);
    draft_grant_hub(&t, &d, &circles[told->member]);
    draft_history(&t, &d, &circles[told->member], &h);
    person_publish(&t, &people[told->member], &d);
}

static void tell_first_day(void) {
    tell(&(struct told){A, 1, "north", false, 4, 24, 0});
    tell(&(struct told){B, 1, "north", false, 2, 24, 0});
    tell(&(struct told){C, 1, "north", false, 3, 24, 0});
    tell(&(struct told){D, 1, "east", false, 5, 24, 0});
    tell(&(struct told){E, 1, "east", true, 0, 24, 0});
    tell(&(struct told){F, 1, "east", false, 1, 24, 0});
    tell(&(struct told){G, 1, "south", false, 6, 24, 0});
    tell(&(struct told){G, 2, "west", false, 8, 1, 0}); /* lapsed by the day's end */
    tell(&(struct told){G, 2, "west", false, 8, 1, 24});
}

/* "north 9-9/3": region, available and members; "*" for what is suppressed. */
static void expect_rows(json_t *answer, const char *expected) {
    char text[256] = "";
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "rows"), i, row) {
        const char *region = json_string_value(json_object_get(row, "region"));
        json_t *available = json_object_get(row, "available");
        size_t len = strlen(text);
        bool hidden = json_is_true(json_object_get(row, "suppressed"));
        snprintf(text + len, sizeof text - len, "%s%s ", len ? " | " : "", region ? region : "all");
        len = strlen(text);
        if (hidden || !json_is_integer(json_object_get(available, "low")))
            snprintf(text + len, sizeof text - len, "%s", hidden ? "*" : "-");
        else
            snprintf(text + len, sizeof text - len, "%lld-%lld/%lld",
                     (long long)json_integer_value(json_object_get(available, "low")),
                     (long long)json_integer_value(json_object_get(available, "high")),
                     (long long)json_integer_value(json_object_get(row, "members")));
    }
    cr_assert_str_eq(text, expected);
    json_decref(answer);
}

static json_t *operators(void) {
    struct error e = {0};
    json_t *answer = NULL;
    cr_assert_eq(town_call(&t, API_GET, "/v1/aggregate",
                           json_pack("{s:s, s:s}", "from", "2025-11-20", "to", "2025-11-20"), NULL,
                           &answer, &e),
                 ERR_OK, "%s", e.detail);
    return answer;
}

static json_t *publics(void) {
    struct error e = {0};
    json_t *answer = NULL;
    cr_assert_eq(town_call(&t, API_POST, "/v1/published", NULL,
                           json_pack("{s:s, s:s}", "from", "2025-11-20", "to", "2025-11-20"),
                           &answer, &e),
                 ERR_OK, "%s", e.detail);
    return answer;
}

static void expect_published_at(const char *time) {
    json_t *answer = publics();
    cr_assert_str_eq(json_string_value(json_object_get(
                         json_array_get(json_object_get(answer, "rows"), 0), "published_at")),
                     time);
    json_decref(answer);
}

Test(example, as_worked_by_hand) {
    tell_first_day();
    expect_rows(operators(), "all 24-26/7 | east 9-11/3 | north 9-9/3 | south 6-6/1 | west -");
    expect_rows(publics(), "all 24-26/7 | east * | north 9-9/3 | south *");
    expect_published_at("2025-11-21T14:00:00Z");
    /* A corrects itself: one member. */
    t.now_ms += 24 * TOWN_HOUR_MS;
    tell(&(struct told){A, 1, "north", false, 5, 24, 0});
    expect_rows(operators(), "all 25-27/7 | east 9-11/3 | north 10-10/3 | south 6-6/1 | west -");
    expect_rows(publics(), "all 24-26/7 | east * | north 9-9/3 | south *");
    expect_published_at("2025-11-21T14:00:00Z");
    /* B and C do too: three. */
    t.now_ms += 24 * TOWN_HOUR_MS;
    tell(&(struct told){B, 1, "north", false, 3, 24, 0});
    tell(&(struct told){C, 1, "north", false, 4, 24, 0});
    expect_rows(operators(), "all 27-29/7 | east 9-11/3 | north 12-12/3 | south 6-6/1 | west -");
    expect_rows(publics(), "all 27-29/7 | east * | north 12-12/3 | south *");
    expect_published_at("2025-11-23T14:00:00Z");
}

/* What was shown is known after a restart, and when the day is final; who stood behind it then goes
 * with the points. */
Test(example, is_kept) {
    tell_first_day();
    expect_rows(publics(), "all 24-26/7 | east * | north 9-9/3 | south *");
    town_close(&t);
    town_open(&t);
    tell(&(struct told){A, 1, "north", false, 5, 24, 0});
    expect_rows(publics(), "all 24-26/7 | east * | north 9-9/3 | south *");
    t.now_ms += 40 * 24 * TOWN_HOUR_MS;
    tell(&(struct told){B, 1, "north", false, 3, 24, 0});
    while (hub_idle(t.hub, t.now_ms))
        continue;
    expect_rows(publics(), "all 24-26/7 | north 9-9/3");
    town_change(&t, "B", "remove");
    expect_rows(publics(), "all 24-26/7 | north 9-9/3");
}

/* Of the moment, by the same rule; coverage stands with the whole network alone. */
Test(example, now) {
    struct error e = {0};
    json_t *answer = NULL;
    for (int i = 0; i < 3; i++) {
        struct draft d;
        struct buf plain;
        figures_encode(&t, "exact",
                       &(struct figures){.site = 1,
                                         .region = "north",
                                         .service = "bed",
                                         .total = known(9),
                                         .free = known(i + 1)},
                       1, &plain);
        draft_init(&t, &d, &people[i]);
        draft_grant_hub(&t, &d, &circles[i]);
        draft_state(&t, &d, &circles[i], buf_bytes(&plain));
        person_publish(&t, &people[i], &d);
        buf_done(&plain);
        cr_assert_eq(town_call(&t, API_POST, "/v1/published", NULL, json_object(), &answer, &e),
                     ERR_OK, "%s", e.detail);
        expect_row(json_object_get(answer, "rows"), 0,
                   i < 2 ? "{\"suppressed\":true,\"members\":null,\"sites_current\":null,"
                           "\"published_at\":null,\"open\":true}"
                         : "{\"suppressed\":false,\"members\":3,\"sites_current\":3,\"total\":null,"
                           "\"available\":{\"low\":6,\"high\":6},\"day\":\"2025-11-21\"}");
        if (i == 2)
            expect_row(json_object_get(answer, "rows"), 1,
                       "{\"region\":\"north\",\"members\":3,\"sites_current\":null}");
        json_decref(answer);
    }
}

/* The tables of the page hold these figures. */
Test(example, the_page_says_the_same) {
    static const char *const rows[] = {
        "| whole network | 24-26 | 7 | 24-26 | 7 |", "| north | 9 | 3 | 9 | 3 |",
        "| east | 9-11 | 3 | suppressed | |",        "| south | 6 | 1 | suppressed | |",
        "| whole network | 25-27 | 24-26 |",         "| north | 10 | 9 |",
        "| whole network | 27-29 | 27-29 |",         "| north | 12 | 12 |"};
    static char text[64 * 1024];
    FILE *page = fopen("docs/aggregate.md", "re");
    cr_assert_not_null(page);
    text[fread(text, 1, sizeof text - 1, page)] = '\0';
    fclose(page);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert(strstr(text, rows[i]), "the page lacks '%s'", rows[i]);
}

/* ---- reading what was published ---- */

static json_t *ask(const char *path, const char *day) {
    struct error e = {0};
    json_t *answer = NULL;
    json_t *query = day ? json_pack("{s:s, s:s, s:s}", "service", "bed", "from", day, "to", day)
                        : json_pack("{s:s}", "service", "bed");
    cr_assert_eq(town_call(&t, API_GET, path, query, NULL, &answer, &e), ERR_OK, "%s", e.detail);
    return answer;
}

static json_t *shown(void) {
    return ask("/v1/published", "2025-11-20");
}

static void open_with_public_page(void) {
    char path[PATH_MAX + 16];
    town_close(&t);
    snprintf(path, sizeof path, "%s/" SETTINGS_FILE, t.dir);
    FILE *file = fopen(path, "a");
    cr_assert(file && fputs("public = yes\n", file) >= 0 && fclose(file) == 0);
    town_open(&t);
}

/* Reading publishes nothing and shows nothing that is newer than what was published. */
Test(example, reading_shows_what_was_published_last) {
    tell_first_day();
    expect_rows(shown(), "all *");
    expect_rows(shown(), "all *");
    expect_rows(publics(), "all 24-26/7 | east * | north 9-9/3 | south *");
    expect_rows(shown(), "all 24-26/7 | north 9-9/3");
    tell(&(struct told){A, 1, "north", false, 5, 24, 0});
    tell(&(struct told){B, 1, "north", false, 3, 24, 0});
    tell(&(struct told){C, 1, "north", false, 4, 24, 0});
    expect_rows(shown(), "all 24-26/7 | north 9-9/3");
    expect_rows(publics(), "all 27-29/7 | east * | north 12-12/3 | south *");
    expect_rows(shown(), "all 27-29/7 | north 12-12/3");
    expect_rows(ask("/v1/published", NULL), "all *");
}

Test(example, what_is_hidden_again_is_not_read) {
    tell_first_day();
    json_decref(publics());
    for (int i = A; i <= C; i++) {
        char name[2] = {(char)('A' + i), '\0'};
        town_change(&t, name, "remove");
    }
    json_decref(publics());
    json_t *answer = shown(), *row;
    size_t i;
    json_array_foreach(json_object_get(answer, "rows"), i, row) {
        if (!json_is_true(json_object_get(row, "suppressed")))
            continue;
        cr_assert(json_is_null(json_object_get(json_object_get(row, "available"), "low")));
        cr_assert(json_is_null(json_object_get(row, "members")));
        cr_assert(json_is_null(json_object_get(row, "published_at")));
    }
    expect_rows(answer, "all 15-17/4 | north *");
}

Test(example, the_public_route_is_off_unless_configured) {
    struct error e = {0};
    json_t *answer = NULL;
    tell_first_day();
    json_decref(publics());
    cr_assert_eq(town_call(&t, API_GET, "/v1/public/aggregate", NULL, NULL, &answer, &e),
                 ERR_NOT_FOUND);
    open_with_public_page();
    answer = ask("/v1/public/aggregate", "2025-11-20");
    cr_assert_str_eq(json_string_value(json_object_get(answer, "network")), "Town");
    cr_assert_eq(json_integer_value(json_object_get(answer, "k")), 3);
    cr_assert_null(json_object_get(answer, "members"));
    cr_assert(json_is_string(
        json_object_get(json_array_get(json_object_get(answer, "services"), 0), "code")));
    expect_rows(answer, "all 24-26/7 | north 9-9/3");
}
