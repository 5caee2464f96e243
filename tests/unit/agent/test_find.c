/* Tests who has room: every key of a row, what stays unknown, filters, order, whose rows are
 * hidden, the corrected clock; and that a preview is what the partner finds. */
#include "find.h"

#include <stdlib.h>

#include "found.h"
#include "outbox.h"
#include "records.h"
#include "sharing_routes.h"
#include "status.h"
#include "unit/agent/world.h"

enum { A, B, C };

#define ALL_TO_B(precision)                                                                        \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],\"precision\":"    \
    "\"" precision "\"}]}"

static void two(struct world *w, const char *policy) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
    world_add(w, "B", ROLE_PROVIDER, NULL);
    world_settle(w);
    world_approve(w, A, "B");
    world_policy(w, A, policy);
}

static const json_t *at(const json_t *rows, size_t i, const char *key) {
    const json_t *value = json_object_get(json_array_get(rows, i), key);
    cr_assert_not_null(value, "row %zu has no %s", i, key);
    return value;
}

static const char *text_at(const json_t *rows, size_t i, const char *key) {
    const char *text = json_string_value(at(rows, i, key));
    return text ? text : "(none)";
}

static json_t *find(struct world *w, const char *service, const char *min, const char *region,
                    const char *where) {
    struct error e = {0};
    struct find_filter filter;
    json_t *rows = NULL;
    RUN_OK(find_filter_parse(w->agents[B].agent, service, min, region, where, &filter, &e));
    RUN_OK(find_rows(w->agents[B].agent, &filter, w->now_ms, &rows, &e));
    return rows;
}

static size_t count(struct world *w, const char *service, const char *min, const char *region,
                    const char *where) {
    json_t *rows = find(w, service, min, region, where);
    size_t n = json_array_size(rows);
    json_decref(rows);
    return n;
}

static const char *const keys[] = {
    "member",      "site",  "service",    "ward",     "precision", "available",
    "band",        "light", "status",     "total",    "occupied",  "held",
    "blocked",     "need",  "attributes", "phone",    "region",    "observed_at",
    "valid_until", "age_s", "freshness",  "verified", "hours",     "note"};
#define KEYS (sizeof keys / sizeof keys[0])

Test(find, a_row_has_exactly_the_keys_it_promises) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    world_set(&w, A, "bed", "Noord", "total=10 free=4 held=1 status=admitting security=high");
    world_settle(&w);
    json_t *rows = find(&w, NULL, NULL, NULL, NULL);
    cr_assert_eq(json_array_size(rows), 1u);
    cr_assert_eq(json_object_size(json_array_get(rows, 0)), KEYS);
    for (size_t i = 0; i < KEYS; i++)
        at(rows, 0, keys[i]);
    cr_assert_str_eq(text_at(rows, 0, "member"), "A");
    cr_assert_str_eq(text_at(rows, 0, "site"), "A");
    cr_assert_str_eq(text_at(rows, 0, "ward"), "Noord");
    cr_assert_str_eq(text_at(rows, 0, "precision"), "exact");
    cr_assert_str_eq(text_at(rows, 0, "status"), "admitting");
    cr_assert_str_eq(text_at(rows, 0, "observed_at"), "2026-09-13T12:00:00Z");
    cr_assert_str_eq(text_at(rows, 0, "valid_until"), "2026-09-14T12:00:00Z");
    cr_assert_str_eq(text_at(rows, 0, "freshness"), "current");
    cr_assert_eq(json_integer_value(at(rows, 0, "available")), 4);
    cr_assert_eq(json_integer_value(at(rows, 0, "total")), 10);
    cr_assert_eq(json_integer_value(at(rows, 0, "held")), 1);
    cr_assert_eq(json_integer_value(at(rows, 0, "age_s")), 0);
    static const char *const unknown[] = {"band",  "light",  "occupied", "blocked", "need",
                                          "phone", "region", "hours",    "note"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        cr_assert(json_is_null(at(rows, 0, unknown[i])), "%s", unknown[i]);
    cr_assert_str_eq(json_string_value(json_object_get(at(rows, 0, "attributes"), "security")),
                     "high");
    cr_assert(json_is_false(at(rows, 0, "verified")), "B did not approve A");
    json_decref(rows);
    world_approve(&w, B, "A");
    rows = find(&w, NULL, NULL, NULL, NULL);
    cr_assert(json_is_true(at(rows, 0, "verified")));
    json_decref(rows);
    world_done(&w);
}

Test(find, coarser_precisions_disclose_nothing_finer) {
    static const struct {
        const char *policy, *precision, *shown;
    } cases[] = {
        {ALL_TO_B("rounded:5"), "rounded:5", "available"},
        {ALL_TO_B("band"), "band", "band"},
        {ALL_TO_B("light"), "light", "light"},
    };
    static const char *const finer[] = {"available", "band", "light",   "total",
                                        "occupied",  "held", "blocked", "need"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        two(&w, cases[i].policy);
        world_set(&w, A, "bed", NULL, "total=10 free=4 occupied=4 held=1 blocked=1 need=2");
        world_settle(&w);
        json_t *rows = find(&w, NULL, NULL, NULL, NULL);
        cr_assert_str_eq(text_at(rows, 0, "precision"), cases[i].precision);
        for (size_t k = 0; k < sizeof finer / sizeof finer[0]; k++)
            cr_assert_eq(json_is_null(at(rows, 0, finer[k])), strcmp(finer[k], cases[i].shown) != 0,
                         "%s at %s", finer[k], cases[i].precision);
        json_decref(rows);
        world_done(&w);
    }
}

Test(find, a_band_is_low_and_high_or_more) {
    struct world w;
    two(&w, ALL_TO_B("band"));
    world_set(&w, A, "bed", "a", "free=4");
    world_set(&w, A, "bed", "b", "free=40");
    world_settle(&w);
    json_t *rows = find(&w, "bed", NULL, NULL, NULL);
    cr_assert_eq(json_integer_value(json_array_get(at(rows, 0, "band"), 0)), 6);
    cr_assert(json_is_null(json_array_get(at(rows, 0, "band"), 1)));
    cr_assert_eq(json_integer_value(json_array_get(at(rows, 1, "band"), 0)), 3);
    cr_assert_eq(json_integer_value(json_array_get(at(rows, 1, "band"), 1)), 5);
    json_decref(rows);
    cr_assert_eq(count(&w, "bed", "3", NULL, NULL), 2u);
    cr_assert_eq(count(&w, "bed", "4", NULL, NULL), 1u, "3 to 5 is not surely 4");
    world_done(&w);
}

Test(find, figures_with_decimals_are_texts) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    world_set(&w, A, "care", NULL, "free=12.5");
    world_settle(&w);
    json_t *rows = find(&w, "care", "12.5", NULL, NULL);
    cr_assert_str_eq(text_at(rows, 0, "available"), "12.5");
    json_decref(rows);
    cr_assert_eq(count(&w, "care", "12.6", NULL, NULL), 0u);
    cr_assert_eq(count(&w, NULL, "12", NULL, NULL), 1u, "whole units when no service is named");
    cr_assert_eq(count(&w, NULL, "13", NULL, NULL), 0u);
    world_done(&w);
}

Test(find, an_expired_figure_is_unknown_and_shows_its_last) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    world_set(&w, A, "bed", NULL, "total=10 free=4");
    world_settle(&w);
    w.now_ms += 19 * WORLD_HOUR;
    json_t *rows = find(&w, "bed", "1", NULL, NULL);
    cr_assert_str_eq(text_at(rows, 0, "freshness"), "due");
    cr_assert_eq(json_integer_value(at(rows, 0, "age_s")), 19 * 3600);
    cr_assert_null(json_object_get(json_array_get(rows, 0), "last"));
    json_decref(rows);
    w.now_ms += 5 * WORLD_HOUR;
    cr_assert_eq(count(&w, "bed", "0", NULL, NULL), 0u, "never passes --min");
    rows = find(&w, "bed", NULL, NULL, NULL);
    cr_assert_str_eq(text_at(rows, 0, "freshness"), "expired");
    cr_assert(json_is_null(at(rows, 0, "available")));
    cr_assert(json_is_null(at(rows, 0, "total")));
    cr_assert_eq(json_integer_value(json_object_get(at(rows, 0, "last"), "available")), 4);
    cr_assert_eq(json_integer_value(json_object_get(at(rows, 0, "last"), "total")), 10);
    cr_assert_str_eq(text_at(rows, 0, "observed_at"), "2026-09-13T12:00:00Z");
    json_decref(rows);
    world_done(&w);
}

Test(find, a_line_never_reported_is_expired_without_a_time) {
    struct site site = {.id = 1, .name = "Huis"};
    struct seen_line line = {.site = 1, .service = "bed"};
    struct charter_service service = {.code = "bed"};
    struct found f = {.member = "A",
                      .site = &site,
                      .line = &line,
                      .precision = PRECISION_EXACT,
                      .service = &service};
    int64_t room = 0;
    json_t *row = found_json(&f, WORLD_NOW);
    cr_assert_str_eq(json_string_value(json_object_get(row, "freshness")), "expired");
    cr_assert(json_is_null(json_object_get(row, "observed_at")));
    cr_assert(json_is_null(json_object_get(row, "valid_until")));
    cr_assert(json_is_null(json_object_get(row, "age_s")));
    cr_assert(json_is_null(json_object_get(row, "last")));
    cr_assert_not(found_room(&f, WORLD_NOW, &room));
    json_decref(row);
}

Test(find, what_else_was_said_is_shown_where_it_was) {
    struct site site = {.id = 1, .name = "Huis", .note = "Bel aan", .reports = "ma-vr"};
    struct seen_line line = {.site = 1, .service = "bed"};
    struct charter_service service = {.code = "bed"};
    struct found f = {.member = "A",
                      .site = &site,
                      .line = &line,
                      .precision = PRECISION_EXACT,
                      .service = &service};
    line.figure.observed_ms = WORLD_NOW;
    line.figure.valid_until_ms = WORLD_NOW + WORLD_DAY;
    line.figure.next_free_ms = WORLD_NOW + WORLD_HOUR;
    snprintf(line.figure.blocked_reason, sizeof line.figure.blocked_reason, "verbouwing");
    json_t *row = found_json(&f, WORLD_NOW);
    cr_assert_eq(json_object_size(row), KEYS + 4);
    cr_assert_str_eq(json_string_value(json_object_get(row, "next_free")), "2026-09-13T13:00:00Z");
    cr_assert_str_eq(json_string_value(json_object_get(row, "blocked_reason")), "verbouwing");
    cr_assert_str_eq(json_string_value(json_object_get(row, "site_note")), "Bel aan");
    cr_assert_str_eq(json_string_value(json_object_get(row, "reports")), "ma-vr");
    json_decref(row);
}

Test(find, the_most_useful_comes_first) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    w.now_ms -= 30 * WORLD_HOUR;
    world_set(&w, A, "bed", "expired", "free=99 status=admitting");
    w.now_ms += 30 * WORLD_HOUR;
    world_set(&w, A, "bed", "unknown", "status=admitting");
    world_set(&w, A, "bed", "stopped", "free=2 status=stopped");
    world_set(&w, A, "bed", "full", "free=2 status=full");
    world_set(&w, A, "bed", "consult", "free=2 status=consult");
    w.now_ms -= WORLD_HOUR;
    world_set(&w, A, "bed", "older", "free=2 status=admitting");
    w.now_ms += WORLD_HOUR;
    world_set(&w, A, "bed", "z", "free=2 status=admitting");
    world_set(&w, A, "bed", "b", "free=2 status=admitting");
    world_set(&w, A, "bed", "over", "free=-1 status=admitting");
    world_set(&w, A, "bed", "most", "free=7 status=consult");
    world_settle(&w);
    static const char *const order[] = {"most",    "b",    "z",       "older", "consult",
                                        "unknown", "full", "stopped", "over",  "expired"};
    json_t *rows = find(&w, "bed", NULL, NULL, NULL);
    cr_assert_eq(json_array_size(rows), sizeof order / sizeof order[0]);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        cr_assert_str_eq(text_at(rows, i, "ward"), order[i], "place %zu: %s", i,
                         text_at(rows, i, "ward"));
    json_decref(rows);
    world_done(&w);
}

Test(find, lights_come_green_orange_unknown_red) {
    static const char *const order[] = {"much", "some", "unknown", "none"};
    struct world w;
    two(&w, ALL_TO_B("light"));
    world_set(&w, A, "bed", "none", "free=0");
    world_set(&w, A, "bed", "unknown", "need=1");
    world_set(&w, A, "bed", "some", "free=1");
    world_set(&w, A, "bed", "much", "free=9");
    world_settle(&w);
    json_t *rows = find(&w, "bed", NULL, NULL, NULL);
    cr_assert_eq(json_array_size(rows), sizeof order / sizeof order[0]);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        cr_expect_str_eq(text_at(rows, i, "ward"), order[i], "place %zu", i);
    json_decref(rows);
    world_done(&w);
}

static void set_region(struct world *w, int i, const char *region) {
    struct error e = {0};
    char sql[128];
    (void)e;
    snprintf(sql, sizeof sql, "UPDATE site SET region = '%s' RETURNING id", region);
    cr_assert_eq(world_number(w->agents[i].agent, sql), 1);
    agent_mark_dirty(w->agents[i].agent);
}

Test(find, filters_combine) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    world_set(&w, A, "bed", "a", "free=4 security=high");
    world_set(&w, A, "bed", "b", "free=2 security=low");
    world_set(&w, A, "bed", "c", "status=admitting");
    world_set(&w, A, "care", NULL, "free=4.0");
    set_region(&w, A, "nl-gr");
    world_settle(&w);
    cr_assert_eq(count(&w, NULL, NULL, NULL, NULL), 4u);
    cr_assert_eq(count(&w, "bed", NULL, NULL, NULL), 3u);
    cr_assert_eq(count(&w, "bed", "3", NULL, NULL), 1u);
    cr_assert_eq(count(&w, "bed", "2", NULL, NULL), 2u);
    cr_assert_eq(count(&w, "bed", "-5", NULL, NULL), 2u, "unknown never passes");
    cr_assert_eq(count(&w, NULL, "2.5", NULL, NULL), 2u, "each service in its own scale");
    cr_assert_eq(count(&w, NULL, "4", NULL, NULL), 2u);
    cr_assert_eq(count(&w, NULL, "4.1", NULL, NULL), 0u);
    cr_assert_eq(count(&w, "bed", NULL, "nl-gr", NULL), 3u);
    cr_assert_eq(count(&w, NULL, NULL, "nl-gr", NULL), 4u);
    cr_assert_eq(count(&w, "bed", NULL, "nl-fr", NULL), 0u);
    cr_assert_eq(count(&w, NULL, NULL, NULL, "security=high"), 1u);
    cr_assert_eq(count(&w, "bed", "3", "nl-gr", "security=low"), 0u);
    cr_assert_eq(count(&w, NULL, NULL, NULL, "security=high,security=low"), 0u);
    world_done(&w);
}

Test(find, what_is_not_a_filter_is_refused) {
    struct world w;
    struct error e = {0};
    struct find_filter f;
    two(&w, ALL_TO_B("exact"));
    struct agent *b = w.agents[B].agent;
    RUN_FAILS(find_filter_parse(b, "boat", NULL, NULL, NULL, &f, &e), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(e.detail, "bed, care"), "%s", e.detail);
    RUN_FAILS(find_filter_parse(b, "bed", "many", NULL, NULL, &f, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "min");
    RUN_FAILS(find_filter_parse(b, "bed", "1.5", NULL, NULL, &f, &e), ERR_DATA);
    RUN_FAILS(find_filter_parse(b, NULL, NULL, NULL, "security", &f, &e), ERR_DATA);
    RUN_FAILS(find_filter_parse(b, NULL, NULL, NULL, "=high", &f, &e), ERR_DATA);
    RUN_FAILS(find_filter_parse(b, NULL, NULL, NULL, "a=b,,c=d", &f, &e), ERR_DATA);
    RUN_FAILS(find_filter_parse(b, NULL, NULL, NULL, "a=b,a=b,a=b,a=b,a=b,a=b,a=b,a=b,a=b", &f, &e),
              ERR_DATA);
    RUN_FAILS(find_filter_parse(b, NULL, NULL, NULL, "security=hihg", &f, &e), ERR_DATA);
    RUN_FAILS(find_filter_parse(b, NULL, NULL, NULL, "safety=high", &f, &e), ERR_DATA);
    RUN_FAILS(find_filter_parse(b, "care", NULL, NULL, "security=high", &f, &e), ERR_DATA);
    cr_assert_str_eq(e.file, "where");
    cr_assert_not_null(strstr(e.detail, "'security=high'"), "%s", e.detail);
    RUN_FAILS(find_filter_parse(b, "111222333", NULL, NULL, NULL, &f, &e), ERR_NOT_FOUND);
    cr_assert_null(strstr(e.detail, "111222333"), "a citizen service number: %s", e.detail);
    RUN_FAILS(find_filter_parse(b, NULL, NULL, NULL, "111222333", &f, &e), ERR_DATA);
    cr_assert_null(strstr(e.detail, "111222333"), "%s", e.detail);
    world_done(&w);
}

Test(find, own_lines_are_not_found) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    world_set(&w, B, "bed", NULL, "free=4");
    world_settle(&w);
    cr_assert_eq(count(&w, NULL, NULL, NULL, NULL), 0u);
    world_done(&w);
}

/* The hub's clock is `offset_ms` ahead of ours. */
static void welcomed(struct world *w, int i, int64_t offset_ms) {
    struct error e = {0};
    struct welcome said = {
        .hub_time_ms = w->now_ms + offset_ms, .hub_head = w->hub_head, .credit_bytes = 1};
    RUN_OK(outbox_welcomed(w->agents[i].agent, &said, w->now_ms, &e));
}

Test(find, a_clock_far_off_is_corrected_by_the_hubs_and_said) {
    struct world w;
    struct error e = {0};
    two(&w, ALL_TO_B("exact"));
    world_set(&w, A, "bed", NULL, "free=4");
    world_settle(&w);
    welcomed(&w, B, 4 * 60 * 1000);
    json_t *rows = find(&w, NULL, NULL, NULL, NULL), *status = NULL;
    cr_assert_eq(json_integer_value(at(rows, 0, "age_s")), 0, "within five minutes it is left");
    json_decref(rows);
    RUN_OK(status_json(w.agents[B].agent, w.now_ms, &status, &e));
    cr_assert_eq(json_array_size(json_object_get(status, "alarms")), 0u);
    json_decref(status);
    welcomed(&w, B, 30 * WORLD_HOUR);
    rows = find(&w, NULL, NULL, NULL, NULL);
    cr_assert_str_eq(text_at(rows, 0, "freshness"), "expired");
    cr_assert_eq(json_integer_value(at(rows, 0, "age_s")), 30 * 3600);
    json_decref(rows);
    RUN_OK(status_json(w.agents[B].agent, w.now_ms, &status, &e));
    cr_assert_str_eq(text_at(json_object_get(status, "alarms"), 0, "code"), "clock");
    json_decref(status);
    world_done(&w);
}

Test(find, the_preview_is_what_the_partner_finds) {
    static const char *const policies[] = {ALL_TO_B("exact"), ALL_TO_B("rounded:3"),
                                           ALL_TO_B("band"), ALL_TO_B("light")};
    struct world w;
    two(&w, policies[0]);
    world_approve(&w, B, "A");
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        world_policy(&w, A, policies[i]);
        world_set(&w, A, "bed", "a", "total=10 free=4 status=admitting security=high");
        world_set(&w, A, "bed", "b", "free=0 status=full");
        world_set(&w, A, "care", NULL, "free=17.5 occupied=3.5");
        w.now_ms += 7 * WORLD_HOUR;
        world_settle(&w);
        json_t *preview = world_preview(&w, A, "B"), *found = world_find(&w, B, NULL);
        for (size_t k = 0; k < json_array_size(preview); k++)
            json_object_del(json_array_get(preview, k), "why"); /* A's to say */
        char *left = json_dumps(preview, JSON_INDENT(1)),
             *right = json_dumps(found, JSON_INDENT(1));
        cr_assert_str_eq(left, right);
        cr_assert_eq(json_array_size(preview), 3u);
        free(left);
        free(right);
        json_decref(preview);
        json_decref(found);
    }
    world_done(&w);
}

Test(find, the_preview_is_empty_where_nothing_would_be_sealed) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    world_add(&w, "C", ROLE_PROVIDER, NULL);
    world_set(&w, A, "bed", NULL, "free=4");
    world_settle(&w);
    json_t *rows = world_preview(&w, A, "C");
    cr_assert_eq(json_array_size(rows), 0u, "in no audience");
    json_decref(rows);
    world_forget(&w, A, "B");
    rows = world_preview(&w, A, "B");
    cr_assert_eq(json_array_size(rows), 0u, "not approved");
    json_decref(rows);
    world_approve(&w, A, "B");
    world_member_event(&w, B, ENTRY_HUB_SUSPENDED);
    world_feed(&w, A);
    rows = world_preview(&w, A, "B");
    cr_assert_eq(json_array_size(rows), 0u, "suspended");
    json_decref(rows);
    world_done(&w);
}

Test(find, the_route_takes_all_filters) {
    struct world w;
    two(&w, ALL_TO_B("exact"));
    world_set(&w, A, "bed", NULL, "free=4 security=high");
    world_settle(&w);
    size_t routes = 0;
    const struct api_route *table = sharing_routes(&routes);
    json_t *body = NULL;
    struct api_request request = {.method = API_GET,
                                  .path = "/v1/find",
                                  .role = API_VIEWER,
                                  .now_ms = w.now_ms,
                                  .query = json_pack("{s:s, s:s, s:s}", "service", "bed", "min",
                                                     "4", "where", "security=high")};
    cr_assert_eq(api_dispatch(table, routes, w.agents[B].agent, &request, &body), ERR_OK);
    cr_assert_eq(json_array_size(body), 1u);
    json_decref(body);
    json_object_set_new(request.query, "min", json_string("5"));
    cr_assert_eq(api_dispatch(table, routes, w.agents[B].agent, &request, &body), ERR_OK);
    cr_assert_eq(json_array_size(body), 0u);
    json_decref(body);
    json_decref(request.query);
    world_done(&w);
}

/* ---- by the page ---- */

static json_t *room(struct world *w, bool taking, const char *offset, const char *limit) {
    struct error e = {0};
    struct find_filter filter;
    struct find_page page;
    json_t *answer = NULL;
    RUN_OK(find_filter_parse(w->agents[B].agent, NULL, NULL, NULL, NULL, &filter, &e));
    RUN_OK(find_page_parse(offset, limit, &page, &e));
    filter.taking = taking;
    RUN_OK(find_room(w->agents[B].agent, &filter, &page, w->now_ms, &answer, &e));
    return answer;
}

Test(find, a_page_has_its_part_of_the_rows_and_says_how_many_there_are) {
    struct world w;
    struct error e = {0};
    two(&w, ALL_TO_B("exact"));
    RUN_OK(records_site_set(w.agents[A].agent, "A", &(struct site_change){.region = "oost"}, &e));
    world_set(&w, A, "bed", "1", "free=5 status=admitting");
    world_set(&w, A, "bed", "2", "free=4 status=consult");
    world_set(&w, A, "bed", "3", "free=3 status=stopped");
    world_settle(&w);
    json_t *all = find(&w, NULL, NULL, NULL, NULL), *page = room(&w, false, "1", "1");
    cr_assert_eq(json_integer_value(json_object_get(page, "total")), 3);
    cr_assert_eq(json_array_size(json_object_get(page, "rows")), 1u);
    cr_assert(json_equal(json_array_get(json_object_get(page, "rows"), 0), json_array_get(all, 1)));
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(page, "regions"), 0)),
                     "oost");
    json_decref(page);
    page = room(&w, false, NULL, "0");
    cr_assert_eq(json_array_size(json_object_get(page, "rows")), 0u);
    json_decref(page);
    page = room(&w, false, "9", NULL);
    cr_assert_eq(json_array_size(json_object_get(page, "rows")), 0u);
    json_decref(page);
    page = room(&w, true, NULL, NULL);
    cr_assert_eq(json_integer_value(json_object_get(page, "total")), 2);
    json_decref(page);
    w.now_ms += 2 * WORLD_DAY;
    page = room(&w, true, NULL, NULL);
    cr_assert_eq(json_integer_value(json_object_get(page, "total")), 0, "expired is unknown");
    json_decref(page);
    json_decref(all);
    world_done(&w);
}

Test(find, a_page_is_a_whole_number) {
    struct error e = {0};
    struct find_page page;
    RUN_FAILS(find_page_parse("-1", NULL, &page, &e), ERR_DATA);
    RUN_FAILS(find_page_parse(NULL, "1001", &page, &e), ERR_DATA);
    RUN_FAILS(find_page_parse(NULL, "ten", &page, &e), ERR_DATA);
    RUN_FAILS(find_page_parse("1.5", NULL, &page, &e), ERR_DATA);
}
