/* Owns the tests of the aggregate: sums and coverage worked by hand, through the whole way from
 * sealed states to the route's rows. */
#include <criterion/criterion.h>

#include "town.h"

static const char charter[] =
    "{\"format\": 1, \"purpose\": \"beds\", \"k\": 3, \"time_zone\": \"Europe/Amsterdam\","
    " \"longest_validity\": \"7d\", \"keep_days\": 35, \"services\": ["
    "{\"code\": \"bed\", \"label\": \"Bed\", \"definition\": \"A staffed bed.\", \"unit\": \"bed\","
    " \"validity\": \"24h\"},"
    "{\"code\": \"hours\", \"label\": \"Hours\", \"definition\": \"Hours of care.\","
    " \"unit\": \"hour\", \"period\": \"week\", \"decimals\": 1, \"validity\": \"24h\"}]}";

static json_t *aggregate(struct town *t, const char *service, const char *region) {
    struct error e = {0};
    json_t *query = json_object(), *rows = NULL;
    if (service)
        json_object_set_new(query, "service", json_string(service));
    if (region)
        json_object_set_new(query, "region", json_string(region));
    cr_assert_eq(town_call(t, API_GET, "/v1/aggregate", query, NULL, &rows, &e), ERR_OK, "%s",
                 e.detail);
    return rows;
}

Test(aggregate, nobody_sent_anything) {
    struct town t;
    struct person p;
    town_init(&t, 1, charter);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &p, "Meldpunt", "coordinator");
    json_t *rows = aggregate(&t, NULL, NULL);
    cr_assert_eq(json_array_size(rows), 2, "the whole network, per service");
    expect_row(rows, 0,
               "{\"day\":\"2025-11-21\",\"service\":\"bed\",\"region\":null,"
               "\"available\":{\"low\":null,\"high\":null},\"total\":null,\"occupied\":null,"
               "\"held\":null,\"blocked\":null,\"need\":null,\"members\":0,\"sites_current\":0,"
               "\"sites_expired\":0,\"sites_never\":1,\"suppressed\":false}");
    expect_row(rows, 1, "{\"service\":\"hours\",\"sites_never\":1}");
    json_decref(rows);
    town_done(&t);
}

/* Noord, exact, two sites: 10-7-1-0 = 2 and free 5. Zuid, band: 4 free is 3-5, 0 is none. Oost,
 * rounded to 5: 13 is 10 to 14. West, light: nothing but coverage. */
Test(aggregate, precisions_make_intervals) {
    struct town t;
    struct person p[4];
    struct circle c[4];
    static const char *const names[] = {"Noord", "Zuid", "Oost", "West"};
    town_init(&t, 2, charter);
    for (int i = 0; i < 4; i++)
        person_join(&t, &p[i], names[i], "provider");
    person_share(
        &t, &p[0], &c[0], "exact",
        (struct figures[]){{.site = 1,
                            .region = "NL11",
                            .service = "bed",
                            .total = known(10),
                            .occupied = known(7),
                            .held = known(1),
                            .blocked = known(0),
                            .need = known(3)},
                           {.site = 2, .region = "NL12", .service = "bed", .free = known(5)}},
        2);
    person_share(
        &t, &p[1], &c[1], "band",
        (struct figures[]){{.site = 1, .region = "NL11", .service = "bed", .free = known(4)},
                           {.site = 1, .service = "bed", .ward = "B", .free = known(0)}},
        2);
    person_share(
        &t, &p[2], &c[2], "rounded:5",
        (struct figures[]){{.site = 1, .region = "NL12", .service = "bed", .free = known(13)}}, 1);
    person_share(&t, &p[3], &c[3], "light",
                 (struct figures[]){{.site = 1, .service = "bed", .free = known(100)}}, 1);
    json_t *rows = aggregate(&t, "bed", NULL);
    cr_assert_eq(json_array_size(rows), 3);
    /* low 2+5+3+0+10, high 2+5+5+0+14 */
    expect_row(rows, 0,
               "{\"region\":null,\"available\":{\"low\":20,\"high\":26},\"total\":10,"
               "\"occupied\":7,\"held\":1,\"blocked\":0,\"need\":3,\"members\":4,"
               "\"sites_current\":5,\"sites_expired\":0,\"sites_never\":0}");
    expect_row(rows, 1,
               "{\"region\":\"NL11\",\"available\":{\"low\":5,\"high\":7},\"total\":10,"
               "\"members\":2,\"sites_current\":2}");
    expect_row(rows, 2,
               "{\"region\":\"NL12\",\"available\":{\"low\":15,\"high\":19},\"total\":null,"
               "\"members\":2,\"sites_current\":2}");
    json_decref(rows);
    rows = aggregate(&t, NULL, "NL12");
    cr_assert_eq(json_array_size(rows), 1, "only rows of that region, of services it has");
    expect_row(rows, 0, "{\"service\":\"bed\",\"region\":\"NL12\"}");
    json_decref(rows);

    /* 6 or more has no upper end: neither has the sum. */
    person_share(
        &t, &p[1], &c[1], "band",
        (struct figures[]){{.site = 1, .region = "NL11", .service = "bed", .free = known(9)}}, 1);
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":23,\"high\":null}}");
    expect_row(rows, 1, "{\"available\":{\"low\":8,\"high\":null}}");
    expect_row(rows, 2, "{\"available\":{\"low\":15,\"high\":19}}");
    json_decref(rows);
    town_done(&t);
}

Test(aggregate, over_capacity_counts_below_zero) {
    struct town t;
    struct person p;
    struct circle c;
    town_init(&t, 3, charter);
    person_join(&t, &p, "Noord", "provider");
    person_share(&t, &p, &c, "exact",
                 (struct figures[]){{.site = 1,
                                     .service = "bed",
                                     .total = known(10),
                                     .occupied = known(13),
                                     .held = known(0),
                                     .blocked = known(0)},
                                    {.site = 2, .service = "bed", .free = known(1)}},
                 2);
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":-2,\"high\":-2},\"total\":10,\"occupied\":13}");
    json_decref(rows);
    town_done(&t);
}

Test(aggregate, decimals_are_strings) {
    struct town t;
    struct person p;
    struct circle c;
    town_init(&t, 4, charter);
    person_join(&t, &p, "Noord", "provider");
    person_share(
        &t, &p, &c, "exact",
        (struct figures[]){{.site = 1, .service = "hours", .free = known(125), .need = known(5)},
                           {.site = 2, .service = "hours", .free = known(30)}},
        2);
    json_t *rows = aggregate(&t, "hours", NULL);
    expect_row(rows, 0,
               "{\"available\":{\"low\":\"15.5\",\"high\":\"15.5\"},\"need\":\"0.5\","
               "\"total\":null,\"members\":1,\"sites_current\":2}");
    json_decref(rows);
    town_done(&t);
}

/* A figure counts while it is current or due; then its site is counted as expired and nothing of
 * it. */
Test(aggregate, expired_is_left_out_and_counted) {
    struct town t;
    struct person p, q;
    struct circle c, k;
    town_init(&t, 5, charter);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    int64_t now = t.now_ms;
    person_share(&t, &p, &c, "exact",
                 (struct figures[]){{.site = 1,
                                     .region = "NL11",
                                     .service = "bed",
                                     .free = known(3),
                                     .valid_until_ms = now + 2 * TOWN_HOUR_MS},
                                    {.site = 2,
                                     .region = "NL11",
                                     .service = "bed",
                                     .free = known(4),
                                     .valid_until_ms = now + 9 * TOWN_HOUR_MS},
                                    {.site = 2,
                                     .service = "bed",
                                     .ward = "B",
                                     .free = known(5),
                                     .valid_until_ms = now + 2 * TOWN_HOUR_MS}},
                 3);
    person_share(&t, &q, &k, "exact",
                 (struct figures[]){{.site = 1,
                                     .region = "NL12",
                                     .service = "bed",
                                     .free = known(50),
                                     .valid_until_ms = now + 2 * TOWN_HOUR_MS}},
                 1);
    t.now_ms = now + 2 * TOWN_HOUR_MS - 1; /* due */
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0,
               "{\"available\":{\"low\":62,\"high\":62},\"members\":2,\"sites_current\":3,"
               "\"sites_expired\":0}");
    json_decref(rows);
    t.now_ms =
        now + 2 * TOWN_HOUR_MS; /* of site 2, one ward still counts; its site is not complete */
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0,
               "{\"available\":{\"low\":4,\"high\":4},\"members\":1,\"sites_current\":0,"
               "\"sites_expired\":3,\"sites_never\":0}");
    expect_row(rows, 1, "{\"region\":\"NL11\",\"available\":{\"low\":4,\"high\":4}}");
    expect_row(rows, 2,
               "{\"region\":\"NL12\",\"available\":{\"low\":null,\"high\":null},\"members\":0,"
               "\"sites_expired\":1}");
    json_decref(rows);
    town_done(&t);
}

Test(aggregate, suspended_and_removed_are_left_out) {
    struct town t;
    struct person p, q;
    struct circle c, k;
    town_init(&t, 6, charter);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    person_share(&t, &p, &c, "exact",
                 (struct figures[]){{.site = 1, .service = "bed", .free = known(3)}}, 1);
    person_share(&t, &q, &k, "exact",
                 (struct figures[]){{.site = 1, .service = "bed", .free = known(40)}}, 1);
    town_change(&t, "Zuid", "suspend");
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0,
               "{\"available\":{\"low\":3,\"high\":3},\"members\":1,\"sites_current\":1,"
               "\"sites_never\":0}");
    json_decref(rows);
    town_change(&t, "Zuid", "resume");
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":43,\"high\":43},\"members\":2}");
    json_decref(rows);
    town_change(&t, "Zuid", "remove");
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":3,\"high\":3},\"members\":1}");
    json_decref(rows);
    town_done(&t);
}

/* The hub is taken out of an audience: what it knew of it goes. In another one for the same
 * service: that one counts, not both. */
Test(aggregate, audience_of_the_hub_changes) {
    struct town t;
    struct person p;
    struct circle c, other;
    struct draft d;
    struct buf plain;
    town_init(&t, 7, charter);
    person_join(&t, &p, "Noord", "provider");
    person_share(&t, &p, &c, "exact",
                 (struct figures[]){{.site = 1, .service = "bed", .free = known(3)}}, 1);
    figures_encode(&t, "band", (struct figures[]){{.site = 1, .service = "bed", .free = known(4)}},
                   1, &plain);
    circle_new(&t, &other, &p);
    draft_init(&t, &d, &p);
    draft_grant_hub(&t, &d, &other);
    draft_state(&t, &d, &other, buf_bytes(&plain));
    person_publish(&t, &p, &d);
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":3,\"high\":5},\"sites_current\":1}");
    json_decref(rows);
    for (int i = 0; i < 2; i++) {
        struct circle *left = i == 0 ? &c : &other;
        circle_rotate(&t, left, &p);
        draft_init(&t, &d, &p);
        draft_state(&t, &d, left, buf_bytes(&plain));
        person_publish(&t, &p, &d);
    }
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":null,\"high\":null},\"sites_never\":1}");
    json_decref(rows);
    buf_done(&plain);
    town_done(&t);
}

/* The key comes after the state: the state is opened then. */
Test(aggregate, grant_after_the_state) {
    struct town t;
    struct person p;
    struct circle c;
    struct draft d;
    struct buf plain;
    town_init(&t, 8, charter);
    person_join(&t, &p, "Noord", "provider");
    circle_new(&t, &c, &p);
    figures_encode(&t, "exact", (struct figures[]){{.site = 1, .service = "bed", .free = known(4)}},
                   1, &plain);
    draft_init(&t, &d, &p);
    draft_state(&t, &d, &c, buf_bytes(&plain));
    person_publish(&t, &p, &d);
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":null,\"high\":null}}");
    json_decref(rows);
    town_close(&t);
    town_open(&t);
    draft_init(&t, &d, &p);
    draft_grant_hub(&t, &d, &c);
    person_publish(&t, &p, &d);
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":4,\"high\":4},\"sites_current\":1}");
    json_decref(rows);
    buf_done(&plain);
    town_done(&t);
}

/* A member's clock is a day ahead: its figure is not valid for a day longer. */
Test(aggregate, clock_ahead_is_corrected) {
    struct town t;
    struct person p;
    struct circle c;
    town_init(&t, 9, charter);
    person_join(&t, &p, "Noord", "provider");
    int64_t now = t.now_ms;
    struct figures row = {.site = 1,
                          .service = "bed",
                          .free = known(4),
                          .observed_ms = now + 24 * TOWN_HOUR_MS,
                          .valid_until_ms = now + 26 * TOWN_HOUR_MS};
    struct draft d;
    struct buf plain;
    circle_new(&t, &c, &p);
    figures_encode(&t, "exact", &row, 1, &plain);
    draft_init(&t, &d, &p);
    d.header.claimed_ms = now + 24 * TOWN_HOUR_MS;
    draft_grant_hub(&t, &d, &c);
    draft_state(&t, &d, &c, buf_bytes(&plain));
    person_publish(&t, &p, &d);
    buf_done(&plain);
    t.now_ms = now + 2 * TOWN_HOUR_MS - 1;
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"sites_current\":1,\"sites_expired\":0}");
    json_decref(rows);
    t.now_ms = now + 2 * TOWN_HOUR_MS;
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"sites_current\":0,\"sites_expired\":1}");
    json_decref(rows);
    town_done(&t);
}

static json_int_t troubles(struct town *t, const char *code) {
    json_t *status = town_get(t, "/v1/status");
    json_int_t count = 0;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(status, "troubles"), i, row) {
        if (strcmp(json_string_value(json_object_get(row, "code")), code) == 0) {
            count = json_integer_value(json_object_get(row, "count"));
            cr_assert_str_eq(json_string_value(json_object_get(row, "member")), "Noord");
        }
    }
    json_decref(status);
    return count;
}

/* What the hub cannot use is accepted, relayed, and noted; the last good picture stays. */
Test(aggregate, unusable_views_are_noted_not_refused) {
    struct town t;
    struct person p;
    struct circle c;
    struct draft d;
    struct buf plain;
    town_init(&t, 10, charter);
    person_join(&t, &p, "Noord", "provider");
    person_share(&t, &p, &c, "exact",
                 (struct figures[]){{.site = 1, .service = "bed", .free = known(4)}}, 1);

    draft_init(&t, &d, &p);
    draft_raw(&d, VIEW_GRANT, target_key(&hub_keys(t.hub)->pub), c.key_id, bytes_str("no grant"));
    person_publish(&t, &p, &d);
    cr_assert_eq(troubles(&t, "malformed"), 1);
    draft_init(&t, &d, &p);
    draft_raw(&d, VIEW_STATE, target_audience(c.id), c.key_id, bytes_str("no state"));
    person_publish(&t, &p, &d);
    draft_init(&t, &d, &p);
    draft_state(&t, &d, &c, bytes_str("no snapshot"));
    person_publish(&t, &p, &d);
    cr_assert_eq(troubles(&t, "malformed"), 3);
    struct figures row = {.site = 1,
                          .service = "bed",
                          .free = known(9),
                          .valid_until_ms = t.now_ms + 8 * 24 * TOWN_HOUR_MS};
    figures_encode(&t, "exact", &row, 1, &plain);
    draft_init(&t, &d, &p);
    draft_state(&t, &d, &c, buf_bytes(&plain));
    person_publish(&t, &p, &d);
    buf_done(&plain);
    cr_assert_eq(troubles(&t, "validity"), 1);
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"available\":{\"low\":4,\"high\":4},\"sites_current\":1}");
    json_decref(rows);
    town_done(&t);
}

Test(aggregate, unknown_service) {
    struct town t;
    struct error e = {0};
    json_t *rows = NULL;
    town_init(&t, 11, charter);
    cr_assert_eq(town_call(&t, API_GET, "/v1/aggregate", json_pack("{s:s}", "service", "boat"),
                           NULL, &rows, &e),
                 ERR_NOT_FOUND);
    cr_assert(strstr(e.detail, "boat"));
    town_done(&t);
}

/* A day begins at midnight in the charter's zone. */
Test(aggregate, day_of_the_charters_zone) {
    struct town t;
    town_init(&t, 12, charter);
    t.now_ms = TOWN_START_MS + 9 * TOWN_HOUR_MS - 1; /* 22:59:59.999Z, an hour earlier than there */
    json_t *rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"day\":\"2025-11-21\"}");
    json_decref(rows);
    t.now_ms++;
    rows = aggregate(&t, "bed", NULL);
    expect_row(rows, 0, "{\"day\":\"2025-11-22\"}");
    json_decref(rows);
    town_done(&t);
}
