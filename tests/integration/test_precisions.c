/* What `policy preview` says a partner sees is what that partner finds, and both are what the table
 * says: every precision, with negative, zero, unknown, consult, expired and fractions. Real
 * processes over loopback. */
#include <string.h>

#include "network.h"

static struct lab lab;
static struct network net;

static const char charter[] =
    "{\"format\": 1, \"name\": \"Precisions\", \"time_zone\": \"Europe/Amsterdam\", \"k\": 1,"
    " \"longest_validity\": \"7d\", \"services\": ["
    "{\"code\": \"bed\", \"unit\": \"bed\", \"decimals\": 0, \"validity\": \"24h\","
    " \"attributes\": [{\"name\": \"group\", \"values\": [\"women\", \"men\"]}],"
    " \"light\": {\"green\": 4, \"orange\": 2}},"
    "{\"code\": \"care\", \"unit\": \"hour\", \"period\": \"week\", \"decimals\": 1,"
    " \"validity\": \"24h\", \"light\": {\"green\": 8, \"orange\": 3}}]}";

static void setup(void) {
    lab_open(&lab, "precisions");
    const char *path = lab_path(&lab, "charter.json");
    lab_write(path, charter);
    network_init(&net, &lab, path);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(precisions, .init = setup, .fini = teardown, .timeout = 240);

/* ---- the table ---- */

enum { EXACT, ROUNDED, BAND, LIGHT, PRECISIONS };
static const char *const precisions[PRECISIONS] = {"exact", "rounded:5", "band", "light"};
/* Where each precision shows its figure. */
static const char *const figure_keys[PRECISIONS] = {"available", "available", "band", "light"};
static const char *const partners[PRECISIONS] = {"B", "C", "D", "E"};

#define PAIRS_MAX 9
/* A line, and its figure as each precision gives it. Rounding is down; a band of fractions ends a
 * tenth below the next; "full", "stopped" and "consult" decide a light whatever the number. */
static const struct line_case {
    const char *service, *ward;
    const char *pairs[PAIRS_MAX];
    int64_t observed_s; /* before now; 0: now */
    const char *shown[PRECISIONS];
    const char *freshness;
} cases[] = {
    {"bed", "plenty", {"free=7"}, 0, {"7", "5", "[6,null]", "\"green\""}, "current"},
    {"bed", "three", {"free=3"}, 0, {"3", "0", "[3,5]", "\"orange\""}, "current"},
    {"bed", "one", {"free=1"}, 0, {"1", "0", "[1,2]", "\"red\""}, "current"},
    {"bed", "zero", {"free=0"}, 0, {"0", "0", "[0,0]", "\"red\""}, "current"},
    {"bed",
     "negative",
     {"total=5", "occupied=7", "held=0", "blocked=0"},
     0,
     {"-2", "-5", "[0,0]", "\"red\""},
     "current"},
    {"bed", "unknown", {"status=admitting"}, 0, {"null", "null", "null", "null"}, "current"},
    {"bed", "partly", {"total=9", "occupied=4"}, 0, {"null", "null", "null", "null"}, "current"},
    {"bed",
     "consult",
     {"free=9", "status=consult"},
     0,
     {"9", "5", "[6,null]", "\"orange\""},
     "current"},
    {"bed", "full", {"free=1", "status=full"}, 0, {"1", "0", "[1,2]", "\"red\""}, "current"},
    {"bed",
     "stopped",
     {"free=6", "status=stopped"},
     0,
     {"6", "5", "[6,null]", "\"red\""},
     "current"},
    {"bed",
     "everything",
     {"total=10", "occupied=4", "held=1", "blocked=1", "blocked_reason=rebuilding", "need=3",
      "group=women", "status=admitting", "note=ring the bell"},
     0,
     {"4", "0", "[3,5]", "\"green\""},
     "current"},
    {"bed", "expired", {"free=12"}, 3 * 86400, {"12", "10", "[6,null]", "\"green\""}, "expired"},
    {"care",
     "fraction",
     {"free=12.5"},
     0,
     {"\"12.5\"", "\"10.0\"", "[\"6.0\",null]", "\"green\""},
     "current"},
    {"care",
     "little",
     {"free=0.5"},
     0,
     {"\"0.5\"", "\"0.0\"", "[\"0.0\",\"0.9\"]", "\"red\""},
     "current"},
    {"care",
     "almost",
     {"free=5.9"},
     0,
     {"\"5.9\"", "\"5.0\"", "[\"3.0\",\"5.9\"]", "\"orange\""},
     "current"},
    {"care",
     "negative",
     {"total=10", "occupied=10.5", "held=0", "blocked=0"},
     0,
     {"\"-0.5\"", "\"-5.0\"", "[\"0.0\",\"0.9\"]", "\"red\""},
     "current"},
    {"care", "consult", {"status=consult"}, 0, {"null", "null", "null", "\"orange\""}, "current"},
    {"care",
     "expired",
     {"free=2.9"},
     3 * 86400,
     {"\"2.9\"", "\"0.0\"", "[\"1.0\",\"2.9\"]", "\"red\""},
     "expired"},
};
#define CASES (sizeof cases / sizeof cases[0])

static void state_line(const struct line_case *c) {
    const char *argv[16 + PAIRS_MAX] = {"plek-agent", "set", c->service, "--ward", c->ward};
    int n = 5;
    for (int i = 0; i < PAIRS_MAX && c->pairs[i]; i++)
        argv[n++] = c->pairs[i];
    argv[n++] = "--dir";
    argv[n++] = network_dir(&net, "A");
    if (c->observed_s > 0) {
        argv[n++] = "--observed";
        argv[n++] = lab_time(&lab, -c->observed_s);
    }
    argv[n] = NULL;
    lab_expect(&lab, 0, NULL, __FILE__, __LINE__, argv);
}

/* Partner i at precision (i + turn) of the list. */
static void share(int turn) {
    json_t *audiences = json_array();
    for (int i = 0; i < PRECISIONS; i++)
        json_array_append_new(audiences, json_pack("{s:o, s:[s], s:[s], s:s}", "name",
                                                   json_sprintf("to-%c", "bcde"[i]), "members",
                                                   partners[i], "services", "*", "precision",
                                                   precisions[(i + turn) % PRECISIONS]));
    json_t *policy = json_pack("{s:o}", "audiences", audiences);
    network_policy(&net, "A", lab_dump(&lab, policy));
    json_decref(policy);
}

/* ---- what is seen ---- */

/* Without what runs on, and what is the finder's to say. */
static json_t *comparable(json_t *rows) {
    json_t *copy = json_deep_copy(rows);
    for (size_t i = 0; i < json_array_size(copy); i++) {
        json_object_del(json_array_get(copy, i), "age_s");
        json_object_del(json_array_get(copy, i), "verified");
        json_object_del(json_array_get(copy, i), "why");
    }
    return copy;
}

static bool previewed_is_found(const char *partner, const char **ret_why) {
    json_t *preview = comparable(AGENT(&net, "A", "policy", "preview", "--partner", partner));
    json_t *found = comparable(AGENT(&net, partner, "find"));
    bool same = json_array_size(found) == CASES && json_equal(preview, found);
    if (!same)
        *ret_why =
            lab_text(&lab, "preview %s\nfound %s", lab_dump(&lab, preview), lab_dump(&lab, found));
    json_decref(preview);
    json_decref(found);
    return same;
}

static void expect_previewed_is_found(const char *partner) {
    const char *why = "";
    int64_t until = lab_deadline(LAB_DEADLINE_S);
    while (!previewed_is_found(partner, &why)) {
        cr_assert_not(lab_passed_deadline(until), "%s: %s", partner, why);
        lab_poll_pause();
    }
}

static json_t *row_of(json_t *rows, const struct line_case *c) {
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const char *ward = json_string_value(json_object_get(row, "ward"));
        const char *service = json_string_value(json_object_get(row, "service"));
        if (ward && strcmp(ward, c->ward) == 0 && strcmp(service, c->service) == 0)
            return row;
    }
    cr_assert_fail("no row of %s %s", c->service, c->ward);
    return NULL;
}

/* The figure as the table has it, and none in any other precision's place. */
static void expect_row(json_t *row, const struct line_case *c, int precision) {
    bool expired = strcmp(c->freshness, "expired") == 0;
    json_t *figure = expired ? json_object_get(row, "last") : row;
    for (int p = 0; p < PRECISIONS; p++) {
        bool own = strcmp(figure_keys[p], figure_keys[precision]) == 0;
        char *text =
            json_dumps(json_object_get(figure, figure_keys[p]), JSON_COMPACT | JSON_ENCODE_ANY);
        cr_expect_str_eq(text, own ? c->shown[precision] : "null", "%s %s at %s: %s is %s",
                         c->service, c->ward, precisions[precision], figure_keys[p], text);
        free(text);
        cr_expect(!expired || json_is_null(json_object_get(row, figure_keys[p])),
                  "an expired figure is shown as if it held");
    }
    const char *freshness = json_string_value(json_object_get(row, "freshness"));
    cr_expect_str_eq(freshness, c->freshness, "%s %s is %s", c->service, c->ward, freshness);
}

static void expect_table(const char *partner, int precision) {
    json_t *rows = AGENT(&net, partner, "find");
    for (size_t i = 0; i < CASES; i++)
        expect_row(row_of(rows, &cases[i]), &cases[i], precision);
    if (precision == EXACT)
        return;
    const char *text = lab_dump(&lab, rows);
    cr_expect_null(strstr(text, "rebuilding"), "%s sees a reason", partner);
    cr_expect_null(strstr(text, "ring the bell"), "%s sees a note", partner);
}

static void expect_all(int turn) {
    for (int i = 0; i < PRECISIONS; i++) {
        expect_previewed_is_found(partners[i]);
        expect_table(partners[i], (i + turn) % PRECISIONS);
    }
}

Test(precisions, preview_is_what_is_found) {
    network_add(&net, "A", NULL);
    for (int i = 0; i < PRECISIONS; i++) {
        network_add(&net, partners[i], NULL);
        EVENTUALLY(row_where(AGENT(&net, "A", "partner", "list"), "name", partners[i]) != NULL);
        AGENT_DO(&net, "A", "partner", "approve", partners[i]);
    }
    for (size_t i = 0; i < CASES; i++)
        state_line(&cases[i]);
    share(0);
    expect_all(0);
    /* Everybody gets another precision; nobody keeps the finer one beside it. */
    share(1);
    expect_all(1);
    lab_pass(&lab);
}
