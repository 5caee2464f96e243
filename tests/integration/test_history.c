/* History by real processes: a time without a link, a kill between send and ack, a long table, a
 * partner that comes later. Every point arrives, none twice. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "history");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}
static void teardown(void) {
    lab_close(&lab);
}
TestSuite(history, .init = setup, .fini = teardown);

#define POLICY(members)                                                                            \
    "{\"audiences\":[{\"name\":\"near\",\"members\":[" members                                     \
    ",\"@hub\"],\"services\":[\"*\"],\"precision\":\"exact\",\"history\":true}]}"

static json_t *past_at(const char *name, const char *member) {
    return AGENT(&net, name, "history", "bed", "--member", member);
}

/* How often a figure stands in the rows. */
static int times_found(json_t *rows, int64_t available) {
    int found = 0;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) found += number_at(row, "available") == available;
    return found;
}

static int64_t available_at_b(void) {
    json_t *rows = AGENT(&net, "B", "find", "bed");
    return json_array_size(rows) == 1 ? number_at(json_array_get(rows, 0), "available") : INT64_MIN;
}

static void share_with_b(void) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    network_approve(&net, "A", (const char *const[]){"B", NULL});
    network_policy(&net, "A", POLICY("\"B\""));
    AGENT_DO(&net, "A", "set", "bed", "free=1", "--observed", lab_time(&lab, -3600));
    EVENTUALLY(available_at_b() == 1);
    EVENTUALLY(json_array_size(past_at("B", "A")) == 1);
}

static void set_several(int from, int to) {
    for (int i = from; i <= to; i++)
        AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%d", i), "--observed",
                 lab_time(&lab, -3600 + 60 * i));
}

static void expect_each_once(const char *name, int count) {
    json_t *rows = past_at(name, "A");
    cr_assert_eq(json_array_size(rows), (size_t)count, "%s", lab_dump(&lab, rows));
    for (int i = 1; i <= count; i++)
        cr_assert_eq(times_found(rows, i), 1, "%d: %s", i, lab_dump(&lab, rows));
    for (size_t i = 1; i < json_array_size(rows); i++)
        cr_assert_lt(
            strcmp(json_string_value(json_object_get(json_array_get(rows, i - 1), "observed_at")),
                   json_string_value(json_object_get(json_array_get(rows, i), "observed_at"))),
            0, "in order of time");
}

/* The state first: whoever sees a point of the time without a link sees the newest figure too. */
Test(history, a_time_without_a_link_arrives_after_the_newest_state) {
    share_with_b();
    lab_stop(&lab, network_process(&net, "hub"));
    set_several(2, 7);
    cr_assert_eq(json_array_size(AGENT(&net, "A", "history", "--own")), 7u);
    network_run_hub(&net, NULL);
    EVENTUALLY(times_found(past_at("B", "A"), 7) == 1 && json_array_size(past_at("B", "A")) == 7);
    cr_assert_eq(available_at_b(), 7);
    expect_each_once("B", 7);
    EVENTUALLY(network_drained(&net, "A"));
    json_t *status = AGENT(&net, "B", "status");
    cr_assert_eq(json_array_size(json_object_get(status, "history_holes")), 0u);
    json_t *row = json_array_get(past_at("B", "A"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(row, "member")), "A");
    cr_assert_str_eq(json_string_value(json_object_get(row, "precision")), "exact");
    /* A correction of one of them takes its place everywhere. */
    AGENT_DO(&net, "A", "set", "bed", "free=33", "--observed",
             json_string_value(json_object_get(row, "observed_at")));
    EVENTUALLY(times_found(past_at("B", "A"), 33) == 1);
    cr_assert_eq(json_array_size(past_at("B", "A")), 7u);
    lab_pass(&lab);
}

/* Both kinds of kill around the ack: what was signed is sent again, and counts once. */
Test(history, killed_between_send_and_ack) {
    share_with_b();
    lab_stop(&lab, network_process(&net, "A"));
    network_run_agent(&net, "A", "PLEK_FAILPOINT=agent-after-send");
    EVENTUALLY(network_connected(&net, "A"));
    LAB_RUN(&lab, "plek-agent", "set", "bed", "free=2", "--observed", lab_time(&lab, -3480),
            "--dir", network_dir(&net, "A"));
    cr_assert_eq(lab_wait_end(&lab, network_process(&net, "A")), 256 + SIGKILL);
    network_run_agent(&net, "A", NULL);
    set_several(3, 4);
    lab_stop(&lab, network_process(&net, "hub"));
    network_run_hub(&net, "PLEK_FAILPOINT=hub-after-commit");
    EVENTUALLY(network_connected(&net, "A"));
    LAB_RUN(&lab, "plek-agent", "set", "bed", "free=5", "--observed", lab_time(&lab, -3300),
            "--dir", network_dir(&net, "A"));
    cr_assert_eq(lab_wait_end(&lab, network_process(&net, "hub")), 256 + SIGKILL);
    lab_kill(&lab, network_process(&net, "B"));
    network_run_hub(&net, NULL);
    network_run_agent(&net, "B", NULL);
    EVENTUALLY(json_array_size(past_at("B", "A")) == 5);
    EVENTUALLY(network_drained(&net, "A"));
    expect_each_once("B", 5);
    cr_assert_eq(available_at_b(), 5);
    lab_pass(&lab);
}

#define DAYS 5000

/* Some thousand days: more than one view holds, so several entries. */
static const char *long_table(void) {
    const char *path = lab_path(&lab, "days.csv");
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs("date,free\n", f);
    for (int i = 0; i < DAYS; i++) {
        time_t noon = (time_t)1000000000 + (time_t)i * 86400;
        struct tm tm;
        gmtime_r(&noon, &tm);
        fprintf(f, "%04d-%02d-%02d,%d\n", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, i);
    }
    fclose(f);
    return path;
}

/* What a partner sees of that week is what the hub sums up of its one contributor, also when asked
 * for all of the days, which it gives in pieces. */
static void expect_summed(json_t *week) {
    json_t *sums = HUB(&net, "aggregate", "--from", "2010-01-04", "--to", "2010-01-10");
    cr_assert_eq(json_array_size(sums), 7u, "%s", lab_dump(&lab, sums));
    for (size_t i = 0; i < 7; i++) {
        json_t *row = json_array_get(sums, i);
        int64_t available = number_at(json_array_get(week, i), "available");
        cr_assert_eq(number_at(row, "available.low"), available, "%s", lab_dump(&lab, sums));
        cr_assert_eq(number_at(row, "available.high"), available);
        cr_assert_eq(number_at(row, "sites_current"), 1);
    }
    int64_t counted = 0, found = 0;
    size_t i;
    json_t *row, *all = HUB(&net, "aggregate", "--from", "2001-01-01", "--to", "2015-12-31");
    json_array_foreach(all, i, row) {
        counted += number_at(row, "members");
        found += json_is_integer(json_object_get(json_object_get(row, "available"), "low"));
    }
    cr_assert_eq(json_array_size(all), 5478u, "the days of fifteen years");
    cr_assert_eq(counted, DAYS);
    cr_assert_eq(found, DAYS);
    /* One contributor is fewer than three: nothing of it is published. */
    sums = HUB(&net, "aggregate", "--audience", "public", "--from", "2010-01-04", "--to",
               "2010-03-10");
    cr_assert_eq(json_array_size(sums), 66u);
    json_array_foreach(sums, i, row) {
        cr_assert(json_is_true(json_object_get(row, "suppressed")));
        cr_assert(json_is_null(json_object_get(row, "members")));
    }
}

Test(history, a_long_table_goes_to_partners_and_to_one_that_comes_later) {
    share_with_b();
    const char *profile = lab_path(&lab, "profile.json"), *table = long_table();
    lab_write(profile, "{\"format\":1,\"service\":\"bed\",\"columns\":{\"free\":\"free\"},"
                       "\"date\":{\"column\":\"date\"}}");
    json_t *report = AGENT(&net, "A", "import", table, "--profile", profile, "--history");
    cr_assert_eq(number_at(report, "history.recorded"), DAYS, "%s", lab_dump(&lab, report));
    EVENTUALLY(json_array_size(past_at("B", "A")) == DAYS + 1);
    report = AGENT(&net, "A", "import", table, "--profile", profile, "--history");
    cr_assert_eq(number_at(report, "history.recorded"), 0, "the same file twice changes nothing");
    cr_assert_eq(number_at(report, "history.unchanged"), DAYS);
    const struct result *again = LAB_OK(&lab, "plek-agent", "import", table, "--profile", profile,
                                        "--history", "--dir", network_dir(&net, "A"));
    cr_assert(strstr(again->out, lab_text(&lab, "History: 0 recorded, %d known already.\n", DAYS)),
              "%s", again->out);
    cr_assert_eq(available_at_b(), 1, "old rows do not become the current figure");
    network_add(&net, "C", NULL);
    network_approve(&net, "A", (const char *const[]){"C", NULL});
    network_policy(&net, "A", POLICY("\"B\",\"C\""));
    EVENTUALLY(json_array_size(past_at("C", "A")) == DAYS + 1);
    json_t *week = AGENT(&net, "C", "history", "bed", "--from", "2010-01-04", "--to", "2010-01-10");
    cr_assert_eq(json_array_size(week), 7u, "%s", lab_dump(&lab, week));
    expect_summed(week);
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(json_array_size(past_at("B", "A")), DAYS + 1, "and B has nothing twice");
    LAB_FAILS(&lab, 64, "plek-agent", "import", table, "--profile", profile, "--history",
              "--observed", "2010-01-01", "--dir", network_dir(&net, "A"));
    lab_pass(&lab);
}
