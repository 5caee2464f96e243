/* Members that are suspended, resumed, removed, come late, or come with a used, expired or wrong
 * invitation. */
#include <string.h>

#include "clock.h"
#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "members");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(members, .init = setup, .fini = teardown, .timeout = 240);

#define EXACT_TO_ALL                                                                               \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[%s\"@hub\"],\"services\":[\"*\"],"             \
    "\"precision\":\"exact\"}]}"

static void share(const char *name, const char *others) {
    network_policy(&net, name, lab_text(&lab, EXACT_TO_ALL, others));
}

static size_t rows_of(const char *finder, const char *member) {
    size_t i, count = 0;
    json_t *row, *rows = AGENT(&net, finder, "find");
    json_array_foreach(rows, i, row) count +=
        strcmp(json_string_value(json_object_get(row, "member")), member) == 0;
    return count;
}

static int64_t available_of(const char *finder, const char *member) {
    return number_at(row_where(AGENT(&net, finder, "find"), "member", member), "available");
}

/* A, B and C share with each other and the hub. */
static void three_members(void) {
    static const char *const names[] = {"A", "B", "C", NULL};
    for (int i = 0; names[i]; i++)
        network_add(&net, names[i], NULL);
    for (int i = 0; names[i]; i++)
        network_approve(&net, names[i], names);
    share("A", "\"B\",\"C\",");
    share("B", "\"A\",\"C\",");
    share("C", "\"A\",\"B\",");
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    AGENT_DO(&net, "B", "set", "bed", "free=2");
    AGENT_DO(&net, "C", "set", "bed", "free=4");
    for (int i = 0; names[i]; i++)
        EVENTUALLY(json_array_size(AGENT(&net, names[i], "find")) == 2);
    EVENTUALLY(number_at(network_sum(&net, "bed"), "available.low") == 7);
}

Test(members, suspended_member_is_out_until_resumed) {
    three_members();
    HUB_DO(&net, "member", "suspend", "C", "--reason", "audit");
    EVENTUALLY(network_alarm(&net, "C", "suspended"));
    EVENTUALLY(rows_of("A", "C") == 0 && rows_of("B", "C") == 0);
    EVENTUALLY(number_at(network_sum(&net, "bed"), "available.low") == 3);
    cr_assert_eq(number_at(network_sum(&net, "bed"), "members"), 2);
    json_t *members = HUB(&net, "member", "list");
    cr_assert_str_eq(json_string_value(json_object_get(row_where(members, "name", "C"), "state")),
                     "suspended");
    /* What A says meanwhile is not for C, and what C says goes nowhere. */
    AGENT_DO(&net, "A", "set", "bed", "free=9");
    AGENT_DO(&net, "C", "set", "bed", "free=5");
    EVENTUALLY(available_of("B", "A") == 9);
    cr_assert_neq(available_of("C", "A"), 9);
    cr_assert_not(network_drained(&net, "C"));
    LAB_FAILS(&lab, 65, "plek-hub", "member", "suspend", "C", "--dir", net.hub_dir);

    HUB_DO(&net, "member", "resume", "C");
    EVENTUALLY(available_of("A", "C") == 5 && available_of("B", "C") == 5);
    EVENTUALLY(available_of("C", "A") == 9);
    EVENTUALLY(!network_alarm(&net, "C", "suspended"));
    EVENTUALLY(number_at(network_sum(&net, "bed"), "available.low") == 16);
    lab_pass(&lab);
}

Test(members, removed_member_gets_nothing_new_and_does_not_come_back) {
    three_members();
    HUB_DO(&net, "member", "remove", "C");
    EVENTUALLY(network_alarm(&net, "C", "removed"));
    EVENTUALLY(rows_of("A", "C") == 0 && rows_of("B", "C") == 0);
    EVENTUALLY(number_at(network_sum(&net, "bed"), "available.low") == 3);
    AGENT_DO(&net, "A", "set", "bed", "free=9");
    EVENTUALLY(available_of("B", "A") == 9);
    cr_assert_neq(available_of("C", "A"), 9);
    LAB_FAILS(&lab, 65, "plek-hub", "member", "resume", "C", "--dir", net.hub_dir);
    const struct result *r =
        LAB_FAILS(&lab, 65, "plek-hub", "invite", "--name", "C", "--dir", net.hub_dir);
    cr_assert(strstr(r->err, "C"), "%s", r->err);
    /* Restarting changes nothing. */
    lab_stop(&lab, network_process(&net, "C"));
    network_run_agent(&net, "C", NULL);
    EVENTUALLY(network_alarm(&net, "C", "removed"));
    cr_assert_neq(available_of("C", "A"), 9);
    lab_pass(&lab);
}

/* A member that was away while others were removed and figures changed. */
Test(members, removal_reaches_who_was_away) {
    three_members();
    lab_stop(&lab, network_process(&net, "A"));
    AGENT_DO(&net, "A", "set", "bed", "free=8");
    HUB_DO(&net, "member", "remove", "C");
    EVENTUALLY(network_alarm(&net, "C", "removed"));
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(available_of("B", "A") == 8);
    EVENTUALLY(rows_of("A", "C") == 0);
    cr_assert_neq(available_of("C", "A"), 8);
    lab_pass(&lab);
}

Test(members, who_comes_late_gets_the_current_figures) {
    three_members();
    AGENT_DO(&net, "A", "set", "bed", "free=6");
    EVENTUALLY(available_of("B", "A") == 6);
    network_add(&net, "D", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "D");
    share("A", "\"B\",\"C\",\"D\",");
    EVENTUALLY(available_of("D", "A") == 6);
    cr_assert_eq(rows_of("D", "B"), 0, "B shares nothing with D");
    lab_pass(&lab);
}

/* An observer may be shown figures and publishes none. */
Test(members, observer_sees_what_it_is_shown_and_publishes_nothing) {
    network_add(&net, "A", NULL);
    network_add(&net, "O", "observer");
    AGENT_DO(&net, "A", "partner", "approve", "O");
    share("A", "\"O\",");
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    EVENTUALLY(available_of("O", "A") == 3);
    EVENTUALLY(number_at(network_sum(&net, "bed"), "members") == 1);
    cr_assert_eq(number_at(network_sum(&net, "bed"), "sites_never"), 0,
                 "only providers are expected");
    cr_assert_eq(number_at(AGENT(&net, "O", "status"), "feed.seq"), 0);
    lab_pass(&lab);
}

static const struct result *join_fails(const char *name, const char *uri) {
    AGENT_DO(&net, name, "init", "--unsealed");
    return LAB_FAILS(&lab, 76, "plek-agent", "join", uri, "--dir", network_dir(&net, name));
}

Test(members, invitation_works_once) {
    const char *uri = network_invite(&net, "A", NULL);
    AGENT_DO(&net, "A", "init", "--unsealed");
    AGENT_DO(&net, "A", "join", uri);
    const struct result *r = join_fails("thief", uri);
    cr_assert(strstr(r->err, "used"), "%s", r->err);
    const char *fingerprint = json_string_value(
        json_object_get(row_where(HUB(&net, "member", "list"), "name", "A"), "fingerprint"));
    cr_assert(strstr(r->err, fingerprint), "%s does not say by whom: %s", r->err, fingerprint);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 1);
    /* Who has joined is told so, and stays joined. */
    r = LAB_FAILS(&lab, 65, "plek-agent", "join", uri, "--dir", network_dir(&net, "A"));
    cr_assert(strstr(r->err, "already"), "%s", r->err);
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(network_connected(&net, "A"));
    lab_pass(&lab);
}

Test(members, expired_invitation_is_refused_and_says_so) {
    const struct result *made = HUB_DO(&net, "invite", "--name", "A", "--expires", "1s");
    int64_t over_ms = clock_wall_ms() + 2000;
    EVENTUALLY(clock_wall_ms() > over_ms);
    const struct result *r =
        join_fails("A", lab_text(&lab, "%.*s", (int)strcspn(made->out, "\n"), made->out));
    cr_assert(strstr(r->err, "expired"), "%s", r->err);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 0);
    lab_pass(&lab);
}

/* The address of one hub with the key of another: nothing of it is believed. */
Test(members, wrong_hub_is_refused) {
    struct network other;
    struct lab second;
    lab_open(&second, "members-other");
    network_init(&other, &second, NULL);
    const char *uri = network_invite(&net, "A", NULL);
    const struct result *made = LAB_OK(&second, "plek-hub", "invite", "--dir", other.hub_dir,
                                       "--name", "A", "--address", net.address);
    const char *wrong = lab_text(&lab, "%.*s", (int)strcspn(made->out, "\n"), made->out);
    const struct result *r = join_fails("A", wrong);
    cr_assert(strstr(r->err, net.address) || strstr(r->err, "key") || strstr(r->err, "network"),
              "%s", r->err);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 0);
    /* The right one still works in the same directory. */
    AGENT_DO(&net, "A", "join", uri);
    lab_pass(&second);
    lab_close(&second);
    lab_pass(&lab);
}

/* From standard input, so that the seed is in no list of processes; and with a sealed member key.
 */
Test(members, join_reads_the_invitation_from_standard_input) {
    const char *uri = network_invite(&net, "A", NULL);
    const char *secret = lab_path(&lab, "secret"), *dir = network_dir(&net, "A");
    lab_write(secret, "correct horse\n");
    AGENT_DO(&net, "A", "init", "--passphrase-file", secret);
    const char *wrong = lab_path(&lab, "wrong");
    lab_write(wrong, "incorrect\n");
    const char *const without[] = {"plek-agent", "join", "-", "--dir", dir, NULL};
    const char *const with_wrong[] = {"plek-agent", "join",  "-", "--passphrase-file",
                                      wrong,        "--dir", dir, NULL};
    const char *const with_right[] = {
        "plek-agent", "join", "--passphrase-file", secret, "-", "--dir", dir, NULL};
    const char *line = lab_text(&lab, "%s\n", uri);
    cr_assert_neq(lab_run(&lab, line, without)->status, 0);
    cr_assert_neq(lab_run(&lab, line, with_wrong)->status, 0);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 0);
    lab_expect(&lab, 0, line, __FILE__, __LINE__, with_right);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 1);
    cr_assert_eq(json_array_size(AGENT(&net, "A", "site", "list")), 1, "one site named after it");
    lab_pass(&lab);
}
