/* The way of one figure: entered at one member, found at another, summed by the hub, as its policy
 * allows and not before. Real processes over loopback. */
#include <string.h>

#include "network.h"
#include "zone.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "first");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(first_update, .init = setup, .fini = teardown, .timeout = 240);

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"
#define BAND_TO_B                                                                                  \
    "{\"audiences\":[{\"name\":\"b\",\"members\":[\"B\"],\"services\":[\"bed\"],"                  \
    "\"precision\":\"band\"}]}"

/* The one row that `name` finds; NULL while it finds none. */
static json_t *found(const char *name) {
    json_t *rows = AGENT(&net, name, "find", "bed");
    cr_assert_leq(json_array_size(rows), 1);
    return json_array_get(rows, 0);
}

static int64_t available(const char *name) {
    return number_at(found(name), "available");
}

static const char *text_of(json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "(none)";
}

static const char *const find_keys[] = {
    "member",      "site",  "service",    "ward",     "precision", "available",
    "band",        "light", "status",     "total",    "occupied",  "held",
    "blocked",     "need",  "attributes", "phone",    "region",    "observed_at",
    "valid_until", "age_s", "freshness",  "verified",
};

static void expect_keys(json_t *row) {
    for (size_t i = 0; i < sizeof find_keys / sizeof find_keys[0]; i++)
        cr_assert(json_object_get(row, find_keys[i]), "find has no key '%s'", find_keys[i]);
}

/* What A's preview says of B is what B finds, but for the age, which runs on. */
static void expect_preview_is_found(void) {
    json_t *preview = json_deep_copy(AGENT(&net, "A", "policy", "preview", "--partner", "B"));
    json_t *rows = json_deep_copy(AGENT(&net, "B", "find"));
    cr_assert_eq(json_array_size(preview), json_array_size(rows));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_object_del(json_array_get(preview, i), "age_s");
        json_object_del(json_array_get(rows, i), "age_s");
        json_object_set_new(json_array_get(preview, i), "verified", json_true()); /* B's to say */
        json_object_del(json_array_get(preview, i), "why");
    }
    cr_assert(json_equal(preview, rows), "preview %s\nfound %s", lab_dump(&lab, preview),
              lab_dump(&lab, rows));
    json_decref(preview);
    json_decref(rows);
}

static void set_up_sharing(void) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    AGENT_DO(&net, "B", "partner", "approve", "A");
    AGENT_DO(&net, "A", "set", "bed", "free=3", "occupied=7", "need=2", "--observed",
             lab_time(&lab, -60));
}

Test(first_update, figure_goes_where_the_policy_says) {
    set_up_sharing();
    /* Nothing leaves before there is a policy. */
    cr_assert_eq(number_at(AGENT(&net, "A", "status"), "feed.seq"), 0);
    cr_assert_null(found("B"));
    json_t *sum = network_sum(&net, "bed");
    cr_assert_eq(number_at(sum, "sites_never"), 2);
    cr_assert_eq(number_at(sum, "members"), 0);

    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    AGENT_DO(&net, "A", "set", "bed", "free=3", "occupied=7", "need=2");
    EVENTUALLY(available("B") == 3);
    json_t *row = found("B");
    expect_keys(row);
    cr_assert_str_eq(text_of(row, "member"), "A");
    cr_assert_str_eq(text_of(row, "site"), "A");
    cr_assert_str_eq(text_of(row, "precision"), "exact");
    cr_assert_str_eq(text_of(row, "freshness"), "current");
    cr_assert_eq(number_at(row, "total"), 10);
    cr_assert_eq(number_at(row, "occupied"), 7);
    cr_assert_eq(number_at(row, "need"), 2);
    cr_assert(json_is_null(json_object_get(row, "held")), "unknown is not 0");
    cr_assert(json_is_true(json_object_get(row, "verified")));
    expect_preview_is_found();

    EVENTUALLY(number_at(network_sum(&net, "bed"), "sites_current") == 1);
    sum = network_sum(&net, "bed");
    cr_assert_eq(number_at(sum, "available.low"), 3);
    cr_assert_eq(number_at(sum, "available.high"), 3);
    cr_assert_eq(number_at(sum, "total"), 10);
    cr_assert_eq(number_at(sum, "occupied"), 7);
    cr_assert_eq(number_at(sum, "need"), 2);
    cr_assert_eq(number_at(sum, "members"), 1);
    cr_assert_eq(number_at(sum, "sites_never"), 1);
    cr_assert(json_is_false(json_object_get(sum, "suppressed")));
    EVENTUALLY(network_drained(&net, "A"));
    lab_pass(&lab);
}

Test(first_update, confirm_renews_the_time_and_nothing_else) {
    set_up_sharing();
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    AGENT_DO(&net, "A", "set", "bed", "free=4", "--valid", "2h", "--observed",
             lab_time(&lab, -3600));
    EVENTUALLY(available("B") == 4);
    int64_t age_s = number_at(found("B"), "age_s");
    cr_assert_geq(age_s, 3600);
    json_t *answer = AGENT(&net, "A", "confirm");
    cr_assert_eq(number_at(answer, "confirmed"), 1);
    EVENTUALLY(number_at(found("B"), "age_s") < 3600);
    cr_assert_eq(available("B"), 4);
    expect_preview_is_found();
    lab_pass(&lab);
}

Test(first_update, band_shows_a_band_and_nothing_finer) {
    set_up_sharing();
    network_policy(&net, "A", BAND_TO_B);
    AGENT_DO(&net, "A", "set", "bed", "free=4", "occupied=6", "need=3", "note=two upstairs");
    EVENTUALLY(found("B") != NULL);
    json_t *row = found("B");
    json_t *band = json_object_get(row, "band");
    cr_assert_eq(json_integer_value(json_array_get(band, 0)), 3);
    cr_assert_eq(json_integer_value(json_array_get(band, 1)), 5);
    static const char *const hidden[] = {"available", "total",   "occupied",
                                         "held",      "blocked", "need"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        cr_assert(json_is_null(json_object_get(row, hidden[i])), "%s is disclosed", hidden[i]);
    cr_assert_null(strstr(lab_dump(&lab, row), "upstairs"));
    expect_preview_is_found();
    /* The hub is in no audience: it relays and has no figure. */
    cr_assert_eq(number_at(network_sum(&net, "bed"), "members"), 0);
    AGENT_DO(&net, "A", "set", "bed", "free=8", "occupied=2");
    EVENTUALLY(json_integer_value(json_array_get(json_object_get(found("B"), "band"), 0)) == 6);
    cr_assert(json_is_null(json_array_get(json_object_get(found("B"), "band"), 1)));
    lab_pass(&lab);
}

/* From exact to band: B's picture gets coarser, the hub keeps what it was given then. */
Test(first_update, coarser_policy_replaces_the_finer_picture) {
    set_up_sharing();
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    EVENTUALLY(available("B") == 1);
    network_policy(&net, "A", BAND_TO_B);
    EVENTUALLY(found("B") && json_is_array(json_object_get(found("B"), "band")));
    cr_assert(json_is_null(json_object_get(found("B"), "available")));
    EVENTUALLY(network_drained(&net, "A"));
    lab_pass(&lab);
}

/* 8:00 local time, three days from now: the site's next opening, whatever the day is today. */
static int64_t opening_in_three_days(const char **ret_day) {
    static const char *const names[] = {"do", "vr", "za", "zo", "ma", "di", "wo"}; /* from 1970 */
    const struct zone *zone = NULL;
    int64_t now_ms = 0, year = 0;
    int month = 0, day = 0;
    cr_assert_eq(zone_find("Europe/Amsterdam", &zone, NULL), ERR_OK);
    cr_assert_eq(text_parse_time(lab_time(&lab, 0), &now_ms, NULL), ERR_OK);
    int64_t days = zone_local_ms(zone, now_ms) / 86400000 + 3;
    text_civil_from_days(days, &year, &month, &day);
    *ret_day = names[days % 7];
    return zone_instant(zone, (int)year, month, day, 8, 0);
}

Test(first_update, figure_of_a_closed_site_holds_until_it_reports_again) {
    const char *day = NULL;
    char opens[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE];
    int64_t opens_ms = opening_in_three_days(&day);
    text_time(opens_ms, opens);
    text_time(opens_ms + 2 * 3600 * 1000, until);
    set_up_sharing();
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    const struct result *bad = LAB_FAILS(&lab, 65, "plek-agent", "site", "set", "A", "--reports",
                                         "elke dag", "--dir", network_dir(&net, "A"));
    cr_assert(strstr(bad->err, "found 'elke dag' at character 1, expected a day"), "%s", bad->err);
    AGENT_DO(&net, "A", "site", "set", "A", "--reports", lab_text(&lab, "%s 8:00 - 17:00", day));
    AGENT_DO(&net, "A", "set", "bed", "free=5", "--observed", lab_time(&lab, -30 * 3600));
    EVENTUALLY(available("B") == 5);
    json_t *row = found("B");
    cr_assert_str_eq(text_of(row, "freshness"), "current");
    cr_assert_str_eq(text_of(row, "valid_until"), until);
    cr_assert_str_eq(text_of(row, "reports_again"), opens);
    cr_assert(strstr(text_of(row, "reports"), " 08:00-17:00"), "%s", text_of(row, "reports"));
    expect_preview_is_found();
    const char *const table[] = {"plek-agent", "find", "--dir", network_dir(&net, "B"), NULL};
    const char *shown = lab_expect(&lab, 0, NULL, __FILE__, __LINE__, table)->out;
    cr_assert(strstr(shown, "current, confirmed ") && strstr(shown, ", reports again "), "%s",
              shown);
    row = json_array_get(AGENT(&net, "A", "lines"), 0);
    cr_assert_str_eq(text_of(row, "reports_again"), opens);

    network_policy(&net, "A", BAND_TO_B);
    EVENTUALLY(strcmp(text_of(found("B"), "precision"), "band") == 0);
    cr_assert_str_eq(text_of(found("B"), "valid_until"), until);
    cr_assert_str_eq(text_of(found("B"), "reports_again"), opens);

    AGENT_DO(&net, "A", "set", "bed", "free=6", "--valid", "24h", "--observed",
             lab_time(&lab, -30 * 3600));
    EVENTUALLY(strcmp(text_of(found("B"), "freshness"), "expired") == 0);
    lab_pass(&lab);
}

Test(first_update, unapproved_partner_gets_nothing_until_approved) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    const char *path = lab_path(&lab, "p.json");
    lab_write(path, EXACT_TO_B_AND_HUB);
    json_t *applied = AGENT(&net, "A", "policy", "apply", path);
    cr_assert_eq(json_array_size(json_object_get(applied, "unapproved")), 1);
    AGENT_DO(&net, "A", "set", "bed", "free=2");
    /* The hub has it, so an entry went out; B is still given no key. */
    EVENTUALLY(number_at(network_sum(&net, "bed"), "available.low") == 2);
    cr_assert_null(found("B"));
    AGENT_DO(&net, "A", "partner", "approve", "B");
    EVENTUALLY(available("B") == 2);
    cr_assert(json_is_false(json_object_get(found("B"), "verified")), "B approved nobody");
    AGENT_DO(&net, "B", "partner", "approve", "A");
    EVENTUALLY(json_is_true(json_object_get(found("B"), "verified")));
    lab_pass(&lab);
}

Test(first_update, fingerprint_that_differs_is_refused) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    json_t *members = HUB(&net, "member", "list");
    const char *fingerprint = text_of(row_where(members, "name", "B"), "fingerprint");
    const struct result *r =
        LAB_FAILS(&lab, 65, "plek-agent", "partner", "approve", "B", "--fingerprint",
                  "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", "--dir", network_dir(&net, "A"));
    cr_assert(strstr(r->err, fingerprint), "%s does not name %s", r->err, fingerprint);
    json_t *partners = AGENT(&net, "A", "partner", "list");
    cr_assert(json_is_false(json_object_get(row_where(partners, "name", "B"), "approved")));
    AGENT_DO(&net, "A", "partner", "approve", "B", "--fingerprint", fingerprint);
    partners = AGENT(&net, "A", "partner", "list");
    cr_assert(json_is_true(json_object_get(row_where(partners, "name", "B"), "approved")));
    lab_pass(&lab);
}

/* find --watch prints again when a partner's picture changes. */
Test(first_update, watching_prints_again) {
    set_up_sharing();
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    AGENT_DO(&net, "A", "set", "bed", "free=5");
    EVENTUALLY(available("B") == 5);
    struct process *watch = lab_start(&lab, "watch", NULL,
                                      LAB_ARGV("plek-agent", "find", "bed", "--watch", "--json",
                                               "--dir", network_dir(&net, "B")));
    EVENTUALLY(strstr(lab_read(&lab, watch->out), "\"available\": 5"));
    AGENT_DO(&net, "A", "set", "bed", "free=8");
    EVENTUALLY(strstr(lab_read(&lab, watch->out), "\"available\": 8"));
    lab_stop(&lab, network_process(&net, "B"));
    cr_assert_eq(lab_wait_end(&lab, watch), 69, "%s", lab_log(&lab, watch));
    lab_pass(&lab);
}

/* Beyond its limit the hub reads on later: nobody is turned away, and nothing is lost. */
Test(first_update, a_hub_with_its_hands_full_reads_on_later) {
    const char *conf = lab_path(&lab, "hub/hub.conf");
    struct process *hub = network_process(&net, "hub");
    lab_stop(&lab, hub);
    lab_write(conf, "limit.under_way = 1\nlog.level = \"debug\"\n");
    hub = network_run_hub(&net, NULL);
    set_up_sharing();
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    network_policy(&net, "B",
                   "{\"audiences\":[{\"name\":\"a\",\"members\":[\"A\"],\"services\":[\"*\"],"
                   "\"precision\":\"exact\",\"history\":true}]}");
    for (int i = 1; i <= 5; i++) {
        AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%d", i));
        AGENT_DO(&net, "B", "set", "bed", lab_text(&lab, "free=%d", i + 10));
    }
    EVENTUALLY(available("B") == 5 && available("A") == 15);
    EVENTUALLY(network_drained(&net, "A") && network_drained(&net, "B"));
    cr_assert(network_connected(&net, "A") && network_connected(&net, "B"));
    const char *log = lab_log(&lab, hub);
    cr_assert(strstr(log, "paused peer="), "%s", log);
    cr_assert_null(strstr(log, "code=busy"), "%s", log);
    lab_pass(&lab);
}
