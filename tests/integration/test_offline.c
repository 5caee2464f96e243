/* Days without a hub, daemons that stop, and power cuts between sending and the ack: local work
 * goes on, changes coalesce, nothing is lost and nothing counts twice. */
#include <signal.h>
#include <string.h>

#include "network.h"

static struct lab lab;
static struct network net;

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"

static void setup(void) {
    lab_open(&lab, "offline");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(offline, .init = setup, .fini = teardown, .timeout = 240);

static int64_t available_at_b(void) {
    return number_at(json_array_get(AGENT(&net, "B", "find", "bed"), 0), "available");
}

static int64_t own_seq(void) {
    return number_at(AGENT(&net, "A", "status"), "feed.seq");
}

/* Entries that the hub's log holds, its own feed included. */
static int64_t hub_entries(void) {
    return number_at(HUB(&net, "status"), "log");
}

static void share_with_b(void) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    EVENTUALLY(available_at_b() == 3);
    EVENTUALLY(network_drained(&net, "A"));
}

Test(offline, everything_local_works_and_changes_coalesce) {
    share_with_b();
    int64_t before = own_seq();
    lab_stop(&lab, network_process(&net, "hub"));
    EVENTUALLY(!network_connected(&net, "A"));
    AGENT_DO(&net, "A", "site", "add", "West", "--region", "NL-ZH");
    AGENT_DO(&net, "A", "set", "bed", "--site", "West", "free=3", "occupied=1");
    for (int free = 4; free <= 9; free++)
        AGENT_DO(&net, "A", "set", "bed", "--site", "A", lab_text(&lab, "free=%d", free));
    AGENT_DO(&net, "A", "confirm");
    cr_assert_eq(json_array_size(AGENT(&net, "A", "lines", "bed")), 2);
    cr_assert_eq(json_array_size(json_object_get(AGENT(&net, "A", "policy", "show"), "audiences")),
                 1);
    json_t *preview = AGENT(&net, "A", "policy", "preview", "--partner", "B");
    cr_assert_eq(json_array_size(preview), 2);
    /* Nothing is sealed for nobody: the feed does not grow. */
    cr_assert_eq(own_seq(), before);
    cr_assert_eq(number_at(AGENT(&net, "A", "status"), "outbox.dirty_audiences"), 1);
    /* B still answers with what it has, and says how old that is. */
    json_t *row = json_array_get(AGENT(&net, "B", "find", "bed"), 0);
    cr_assert_eq(number_at(row, "available"), 3);
    cr_assert_geq(number_at(row, "age_s"), 0);

    network_run_hub(&net, NULL);
    EVENTUALLY(json_array_size(AGENT(&net, "B", "find", "bed")) == 2);
    json_t *rows = AGENT(&net, "B", "find", "bed");
    cr_assert_eq(number_at(row_where(rows, "site", "A"), "available"), 9);
    cr_assert_eq(number_at(row_where(rows, "site", "West"), "available"), 3);
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(own_seq(), before + 1, "nine changes made more than one entry");
    lab_pass(&lab);
}

/* The daemon is down: commands work on the same data themselves; it takes over again. */
Test(offline, commands_work_without_the_daemon_and_it_catches_up) {
    share_with_b();
    lab_stop(&lab, network_process(&net, "A"));
    AGENT_DO(&net, "A", "set", "bed", "free=6");
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "available"), 6);
    cr_assert(json_is_false(
        json_object_get(json_object_get(AGENT(&net, "A", "status"), "hub"), "connected")));
    cr_assert_eq(available_at_b(), 3);
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(available_at_b() == 6);
    lab_stop(&lab, network_process(&net, "B"));
    AGENT_DO(&net, "A", "set", "bed", "free=7");
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(available_at_b(), 6, "its last picture, in-process");
    network_run_agent(&net, "B", NULL);
    EVENTUALLY(available_at_b() == 7);
    lab_pass(&lab);
}

static void expect_killed(const char *name) {
    int status = lab_wait_end(&lab, network_process(&net, name));
    cr_assert_eq(status, 256 + SIGKILL, "%s ended with %d", name, status);
}

/* The entry left, the ack never came: after the restart it is not made a second time. */
Test(offline, agent_killed_between_send_and_ack) {
    share_with_b();
    lab_stop(&lab, network_process(&net, "A"));
    int64_t before = own_seq(), entries = hub_entries();
    network_run_agent(&net, "A", "PLEK_FAILPOINT=agent-after-send");
    EVENTUALLY(network_connected(&net, "A"));
    /* The daemon may be gone before its answer is out: committed all the same. */
    LAB_RUN(&lab, "plek-agent", "set", "bed", "free=8", "--dir", network_dir(&net, "A"));
    expect_killed("A");
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "available"), 8);
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(available_at_b() == 8);
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(own_seq(), before + 1);
    cr_assert_eq(hub_entries(), entries + 1);
    lab_pass(&lab);
}

/* The agent signed and committed, and died before anything left. */
Test(offline, agent_killed_before_send) {
    share_with_b();
    lab_stop(&lab, network_process(&net, "A"));
    int64_t before = own_seq(), entries = hub_entries();
    AGENT_DO(&net, "A", "set", "bed", "free=8");
    struct process *p = lab_start(&lab, "A", "PLEK_FAILPOINT=agent-before-send",
                                  LAB_ARGV("plek-agent", "run", "--dir", network_dir(&net, "A")));
    cr_assert_eq(lab_wait_end(&lab, p), 256 + SIGKILL);
    cr_assert_eq(own_seq(), before + 1, "signed and kept");
    cr_assert_eq(hub_entries(), entries);
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(available_at_b() == 8);
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(own_seq(), before + 1);
    cr_assert_eq(hub_entries(), entries + 1);
    lab_pass(&lab);
}

/* The hub committed and died before it could say so: the agent sends again, it counts once. */
Test(offline, hub_killed_between_commit_and_ack) {
    share_with_b();
    int64_t before = own_seq(), entries = hub_entries();
    lab_stop(&lab, network_process(&net, "hub"));
    network_run_hub(&net, "PLEK_FAILPOINT=hub-after-commit");
    EVENTUALLY(network_connected(&net, "A"));
    AGENT_DO(&net, "A", "set", "bed", "free=8");
    expect_killed("hub");
    network_run_hub(&net, NULL);
    EVENTUALLY(available_at_b() == 8);
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(own_seq(), before + 1);
    cr_assert_eq(hub_entries(), entries + 1);
    cr_assert_eq(number_at(network_sum(&net, "bed"), "available.low"), 8);
    cr_assert_eq(number_at(network_sum(&net, "bed"), "members"), 1);
    lab_pass(&lab);
}

/* Admitted, but the answer was lost with the hub: the same command again is the same member. */
Test(offline, hub_killed_while_admitting) {
    network_add(&net, "A", NULL);
    const char *uri = network_invite(&net, "B", NULL);
    lab_stop(&lab, network_process(&net, "A"));
    lab_stop(&lab, network_process(&net, "hub"));
    network_run_hub(&net, "PLEK_FAILPOINT=hub-after-greet");
    AGENT_DO(&net, "B", "init", "--unsealed");
    struct process *joining = lab_start(
        &lab, "join", NULL, LAB_ARGV("plek-agent", "join", uri, "--dir", network_dir(&net, "B")));
    expect_killed("hub");
    lab_kill(&lab, joining);
    network_run_hub(&net, NULL);
    json_t *members = HUB(&net, "member", "list");
    cr_assert_eq(json_array_size(members), 2, "the admission was committed");
    AGENT_DO(&net, "B", "join", uri);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 2);
    network_run_agent(&net, "B", NULL);
    EVENTUALLY(network_connected(&net, "B"));
    lab_pass(&lab);
}

/* kill -9 of everybody at once, wherever they are. */
Test(offline, all_killed_at_once_recover) {
    share_with_b();
    AGENT_DO(&net, "A", "set", "bed", "free=5");
    lab_kill(&lab, network_process(&net, "hub"));
    lab_kill(&lab, network_process(&net, "A"));
    lab_kill(&lab, network_process(&net, "B"));
    network_run_agent(&net, "B", NULL);
    network_run_agent(&net, "A", NULL);
    network_run_hub(&net, NULL);
    EVENTUALLY(available_at_b() == 5);
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(json_array_size(json_object_get(AGENT(&net, "A", "status"), "alarms")), 0);
    lab_pass(&lab);
}

/* The hub is restored from an older copy of its directory: the agents notice, push nothing over it
 * and say so (restore itself comes later; what must not happen is silence). */
Test(offline, agent_that_lost_its_newest_entries_says_so) {
    share_with_b();
    lab_stop(&lab, network_process(&net, "A"));
    const char *dir = network_dir(&net, "A"), *copy = lab_path(&lab, "older");
    LAB_OK(&lab, "cp", "-a", dir, copy);
    network_run_agent(&net, "A", NULL);
    AGENT_DO(&net, "A", "set", "bed", "free=9");
    EVENTUALLY(available_at_b() == 9);
    EVENTUALLY(network_drained(&net, "A"));
    lab_stop(&lab, network_process(&net, "A"));
    LAB_OK(&lab, "rm", "-r", dir);
    LAB_OK(&lab, "mv", copy, dir);
    int64_t entries = hub_entries();
    network_run_agent(&net, "A", NULL);
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    EVENTUALLY(network_alarm(&net, "A", "ahead"));
    cr_assert_eq(hub_entries(), entries);
    cr_assert_eq(available_at_b(), 9);
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "available"), 1, "kept");
    cr_assert(strstr(lab_log(&lab, network_process(&net, "A")), "ahead"));
    lab_pass(&lab);
}

/* Two of the same key at a time, as after a machine was cloned or a backup started beside it. */
Test(offline, two_copies_of_one_agent_do_not_both_publish) {
    share_with_b();
    lab_stop(&lab, network_process(&net, "A"));
    LAB_OK(&lab, "cp", "-a", network_dir(&net, "A"), network_dir(&net, "copy"));
    network_run_agent(&net, "A", NULL);
    network_run_agent(&net, "copy", NULL);
    AGENT_DO(&net, "copy", "set", "bed", "free=9");
    EVENTUALLY(available_at_b() == 9);
    int64_t entries = hub_entries();
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    EVENTUALLY(network_alarm(&net, "A", "ahead"));
    cr_assert_eq(hub_entries(), entries, "both published");
    cr_assert_eq(available_at_b(), 9);
    cr_assert_not(network_alarm(&net, "copy", "ahead"), "the one that published goes on");
    AGENT_DO(&net, "copy", "set", "bed", "free=8");
    EVENTUALLY(available_at_b() == 8);
    cr_assert_not(network_alarm(&net, "B", "peer-forked"), "one chain only");
    lab_pass(&lab);
}
