/* Clocks that are days off, on either side, that jump while a daemon runs, and the hour that a
 * summer-time change takes or gives.
 * The rule: nothing is lost or stuck, whoever is off says so, a figure from a clock that runs ahead
 * is not made younger or longer valid than it is, and one from a clock that runs behind counts as
 * old, never as current by mistake. What expired while its author was offline is unknown. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "faults.h"
#include "text.h"

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"
#define DAY_S INT64_C(86400)
#define OFF_S (3 * DAY_S)
#define A_WHILE_S 3600 /* an age that is about none */

static const char charter[] =
    "{\"format\": 1, \"name\": \"Clocks\", \"time_zone\": \"Europe/Amsterdam\", \"k\": 1,"
    " \"longest_validity\": \"7d\", \"services\": ["
    "{\"code\": \"bed\", \"unit\": \"bed\", \"validity\": \"24h\"}]}";
static const char *const names[] = {"hub", "A", "B"};

static struct lab lab;
static struct network net;
static int64_t figure;
static unsigned moved;

static const char *clock_file(const char *name) {
    return lab_path(&lab, "clock-%s", name);
}

/* From now on, under the running daemon. */
static void set_ahead(const char *name, int64_t ahead_s) {
    const char *next = lab_path(&lab, "clock-next");
    lab_write(next, lab_text(&lab, "%lld\n", (long long)ahead_s));
    cr_assert_eq(rename(next, clock_file(name)), 0);
    moved++;
}

static void set_all(int64_t ahead_s) {
    for (size_t i = 0; i < 3; i++)
        set_ahead(names[i], ahead_s);
}

static void start(const char *name) {
    const char *env = lab_text(&lab, "PLEK_CLOCK_AHEAD_S=@%s", clock_file(name));
    if (strcmp(name, "hub") == 0)
        network_run_hub(&net, env);
    else
        network_run_agent(&net, name, env);
}

static void restart(const char *name) {
    struct process *p = network_process(&net, name);
    if (lab_running(p))
        lab_kill(&lab, p);
    start(name);
}

static void setup(void) {
    lab_open(&lab, "clocks");
    const char *path = lab_path(&lab, "charter.json");
    lab_write(path, charter);
    network_init(&net, &lab, path);
    set_all(0);
    start("hub");
    for (size_t i = 1; i < 3; i++) {
        network_join(&net, names[i], NULL);
        start(names[i]);
    }
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(clocks, .init = setup, .fini = teardown, .timeout = 600);

static bool can_be_set(void) {
#ifdef PLEK_FAILPOINTS
    return true;
#else
    printf("SKIPPED: needs a build with PLEK_FAILPOINTS\n");
    lab_pass(&lab);
    return false;
#endif
}

static json_t *row_at_b(void) {
    return json_array_get(AGENT(&net, "B", "find", "bed"), 0);
}

/* An expired figure is told as the last one known. */
static int64_t at_b(void) {
    json_t *row = row_at_b();
    int64_t now = number_at(row, "available");
    return now != INT64_MIN ? now : number_at(row, "last.available");
}

static void comes_to_b(void) {
    AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%lld", (long long)++figure));
    EVENTUALLY(at_b() == figure);
    EVENTUALLY(network_drained(&net, "A"));
}

static const char *freshness_at_b(void) {
    return json_string_value(json_object_get(row_at_b(), "freshness"));
}

/* The clock alarm stands at this agent, and no other. */
static void expect_flagged(const char *name, bool flagged) {
    json_t *alarms = json_object_get(AGENT(&net, name, "status"), "alarms");
    cr_assert_eq(json_array_size(alarms), flagged ? 1u : 0u, "%s: %s", name,
                 lab_dump(&lab, alarms));
    cr_assert_eq(network_alarm(&net, name, "clock"), flagged);
}

static void set_clocks(int64_t hub_s, int64_t a_s, int64_t b_s) {
    const int64_t ahead[] = {hub_s, a_s, b_s};
    for (size_t i = 0; i < 3; i++)
        set_ahead(names[i], ahead[i]);
    for (size_t i = 0; i < 3; i++)
        restart(names[i]); /* a welcome tells the hub's time */
    for (size_t i = 1; i < 3; i++)
        EVENTUALLY(network_connected(&net, names[i]));
}

/* ---- days off ---- */

static const struct {
    int64_t hub_s, a_s, b_s;
    bool current; /* at B */
} wrong[] = {
    {0, OFF_S, 0, true},   /* the author's ahead: corrected by what the hub received when */
    {0, 0, OFF_S, true},   /* the reader's: it goes by the hub's */
    {0, 0, -OFF_S, true},  /**/
    {-OFF_S, 0, 0, true},  /* the hub's behind: as all others ahead */
    {0, -OFF_S, 0, false}, /* the author's behind: nobody can know that its figure is new */
    {OFF_S, 0, 0, false},  /* the hub's ahead: as all others behind */
};

Test(clocks, days_off_are_flagged_and_never_make_a_figure_younger) {
    if (!can_be_set())
        return;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        set_clocks(wrong[i].hub_s, wrong[i].a_s, wrong[i].b_s);
        comes_to_b();
        expect_flagged("A", wrong[i].a_s != wrong[i].hub_s);
        expect_flagged("B", wrong[i].b_s != wrong[i].hub_s);
        int64_t age_s = number_at(row_at_b(), "age_s");
        cr_assert_geq(age_s, 0, "case %zu", i);
        if (wrong[i].current)
            cr_assert_lt(age_s, A_WHILE_S, "case %zu", i);
        cr_assert_eq(strcmp(freshness_at_b(), "expired") != 0, wrong[i].current, "case %zu: %s", i,
                     lab_dump(&lab, row_at_b()));
        json_t *sum = network_sum(&net, "bed");
        cr_assert_eq(number_at(sum, "sites_current"), wrong[i].current ? 1 : 0, "case %zu: %s", i,
                     lab_dump(&lab, sum));
    }
    set_clocks(0, 0, 0);
    comes_to_b();
    expect_flagged("A", false);
    expect_flagged("B", false);
    cr_assert_str_neq(freshness_at_b(), "expired");
    faults_say("%zu networks with one clock 3 days off: flagged there, no figure younger than it "
               "is; set right, nothing is left of it",
               sizeof wrong / sizeof wrong[0]);
    lab_pass(&lab);
}

/* ---- a jump under a running daemon ---- */

Test(clocks, that_jump_lose_and_stop_nothing) {
    static const int64_t jumps[] = {OFF_S, -OFF_S, 3600, -3600, 0};
    if (!can_be_set())
        return;
    comes_to_b();
    for (size_t i = 1; i < 3; i++)
        for (size_t k = 0; k < sizeof jumps / sizeof jumps[0]; k++) {
            set_ahead(names[i], jumps[k]);
            comes_to_b();
            cr_assert(network_connected(&net, names[i]), "%s left at a jump", names[i]);
        }
    for (size_t k = 0; k < sizeof jumps / sizeof jumps[0]; k++) {
        set_ahead("hub", jumps[k]);
        comes_to_b();
    }
    static const char *const agents[] = {"A", "B", NULL};
    faults_expect_calm(&net, "B");
    faults_expect_once(&net, agents);
    cr_assert_str_neq(freshness_at_b(), "expired");
    faults_say("%u jumps of a running daemon's clock, up to 3 days either way: every update came",
               moved);
    lab_pass(&lab);
}

/* ---- expiry while the author is offline ---- */

Test(clocks, expiry_while_offline_is_unknown_and_no_number) {
    if (!can_be_set())
        return;
    comes_to_b();
    lab_stop(&lab, network_process(&net, "A"));
    cr_assert_str_eq(freshness_at_b(), "current");
    set_all(DAY_S + A_WHILE_S); /* a day and more goes by */
    cr_assert_str_eq(freshness_at_b(), "expired");
    cr_assert_eq(number_at(row_at_b(), "available"), INT64_MIN, "%s", lab_dump(&lab, row_at_b()));
    cr_assert_eq(number_at(row_at_b(), "last.available"), figure);
    cr_assert_eq(number_at(network_sum(&net, "bed"), "sites_expired"), 1);
    cr_assert_eq(number_at(network_sum(&net, "bed"), "available.low"), INT64_MIN, "not 0 either");
    start("A"); /* back, and nobody has looked */
    EVENTUALLY(network_connected(&net, "A"));
    cr_assert_str_eq(freshness_at_b(), "expired", "green again by itself");
    comes_to_b();
    cr_assert_str_eq(freshness_at_b(), "current");
    faults_say("a figure that expired while its author was away: unknown at the partner and in the "
               "sum, until somebody states one");
    lab_pass(&lab);
}

/* ---- the summer-time change ---- */

struct change {
    const char *before, *after; /* half an hour into the day, and shortly before its end */
    const char *day;            /* the day of the change, as the aggregate has it */
};
static const struct change changes[] = {
    {"2027-03-27T23:30:00Z", "2027-03-28T21:30:00Z", "2027-03-28"}, /* 23 hours */
    {"2027-10-30T22:30:00Z", "2027-10-31T22:45:00Z", "2027-10-31"}, /* 25 hours */
};

static int64_t ahead_of(const char *time) {
    int64_t ms = 0;
    struct error e = {0};
    cr_assert_eq(text_parse_time(time, &ms, &e), ERR_OK, "%s", e.detail);
    return (ms - clock_wall_ms()) / 1000;
}

/* Early and late on the day of the change, whether it has 23 or 25
 * hours: a figure that is valid 24 hours is current at both ends of the short day and not at the
 * end of the long one, and counts on that day. */
Test(clocks, that_change_for_summer_keep_validity_in_hours_and_days_in_the_zone) {
    if (!can_be_set())
        return;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        int64_t from_s = ahead_of(changes[i].before), to_s = ahead_of(changes[i].after);
        set_clocks(from_s, from_s, from_s);
        comes_to_b();
        cr_assert_str_eq(freshness_at_b(), "current");
        const char *day = json_string_value(json_object_get(network_sum(&net, "bed"), "day"));
        cr_assert_str_eq(day, changes[i].day);
        set_all(to_s);
        day = json_string_value(json_object_get(network_sum(&net, "bed"), "day"));
        cr_assert_str_eq(day, changes[i].day);
        bool short_day = to_s - from_s < DAY_S - A_WHILE_S;
        const char *freshness = freshness_at_b();
        cr_assert_eq(strcmp(freshness, "expired") == 0, !short_day, "%s: %s", changes[i].day,
                     freshness);
        cr_assert_eq(number_at(network_sum(&net, "bed"), "sites_current"), short_day ? 1 : 0);
    }
    faults_say("both changes: 24 hours of validity are 24 hours on a day of 23 and on one of 25");
    lab_pass(&lab);
}
