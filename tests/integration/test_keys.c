/* Keys that are renewed: partners seal to the new one, the old one is wiped, whoever was away or
 * came later learns it, and a crash in between costs nothing. */
#include <string.h>
#include <unistd.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "keys");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(keys, .init = setup, .fini = teardown, .timeout = 240);

#define TO_B                                                                                       \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"                  \
    "\"precision\":\"%s\"}]}"

static int64_t available_of(const char *finder, const char *member) {
    return number_at(row_where(AGENT(&net, finder, "find"), "member", member), "available");
}

static bool has_key(const char *name, int number) {
    return access(lab_text(&lab, "%s/box-%d.key", network_dir(&net, name), number), F_OK) == 0;
}

/* A shares with B. */
static void two_members(void) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", lab_text(&lab, TO_B, "exact"));
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    EVENTUALLY(available_of("B", "A") == 1);
}

/* Announced, and acknowledged by the hub. */
static void renewed(const char *name) {
    EVENTUALLY(number_at(AGENT(&net, name, "status"), "key.older") == 1);
    EVENTUALLY(network_drained(&net, name));
}

Test(keys, renewed_key_is_what_partners_seal_to_and_the_old_one_goes) {
    two_members();
    const struct result *r = AGENT_DO(&net, "B", "renew-keys");
    cr_assert(strstr(r->out, "next one due"), "%s", r->out);
    renewed("B");
    cr_assert(has_key("B", 1) && has_key("B", 2));
    /* B holds the old key no more from here on, so what it opens came by the new one. */
    lab_stop(&lab, network_process(&net, "B"));
#ifdef PLEK_FAILPOINTS
    network_run_agent(&net, "B", "PLEK_CLOCK_AHEAD_S=3110400"); /* 36 days */
    EVENTUALLY(!has_key("B", 1));
    cr_assert(has_key("B", 2));
    EVENTUALLY(number_at(AGENT(&net, "B", "status"), "key.older") == 0);
#else
    network_run_agent(&net, "B", NULL);
#endif
    network_policy(&net, "A", lab_text(&lab, TO_B, "rounded:2")); /* a new key is granted */
    AGENT_DO(&net, "A", "set", "bed", "free=9");
    EVENTUALLY(available_of("B", "A") == 8);
    lab_pass(&lab);
}

/* A was away when B renewed; C did not exist. */
Test(keys, who_was_away_and_who_comes_later_learn_it) {
    two_members();
    lab_stop(&lab, network_process(&net, "A"));
    AGENT_DO(&net, "B", "renew-keys");
    renewed("B");
    lab_stop(&lab, network_process(&net, "B"));
#ifdef PLEK_FAILPOINTS
    network_run_agent(&net, "B", "PLEK_CLOCK_AHEAD_S=3110400");
    EVENTUALLY(!has_key("B", 1));
#else
    network_run_agent(&net, "B", NULL);
#endif
    network_policy(&net, "A", lab_text(&lab, TO_B, "rounded:2"));
    AGENT_DO(&net, "A", "set", "bed", "free=7");
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(available_of("B", "A") == 6);
    network_add(&net, "C", NULL);
    AGENT_DO(&net, "C", "partner", "approve", "B");
    network_policy(&net, "C", lab_text(&lab, TO_B, "exact"));
    AGENT_DO(&net, "C", "set", "bed", "free=5");
    EVENTUALLY(available_of("B", "C") == 5);
    lab_pass(&lab);
}

#ifdef PLEK_FAILPOINTS
/* Killed when the new key is on disk and nothing says so yet: it is taken up, not made again. */
Test(keys, killed_between_making_and_announcing) {
    two_members();
    lab_stop(&lab, network_process(&net, "B"));
    struct process *b = network_run_agent(&net, "B", "PLEK_FAILPOINT=agent-box-made");
    LAB_RUN(&lab, "plek-agent", "renew-keys", "--dir", network_dir(&net, "B"));
    cr_assert_eq(lab_wait_end(&lab, b), 256 + 9);
    const char *made = lab_read(&lab, lab_text(&lab, "%s/box-2.key", network_dir(&net, "B")));
    cr_assert_neq(made[0], '\0');
    network_run_agent(&net, "B", NULL);
    cr_assert_eq(number_at(AGENT(&net, "B", "status"), "key.older"), 0);
    AGENT_DO(&net, "B", "renew-keys");
    renewed("B");
    cr_assert_str_eq(lab_read(&lab, lab_text(&lab, "%s/box-2.key", network_dir(&net, "B"))), made);
    cr_assert_not(has_key("B", 3));
    network_policy(&net, "A", lab_text(&lab, TO_B, "rounded:2"));
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    EVENTUALLY(available_of("B", "A") == 2);
    lab_pass(&lab);
}

/* Killed when the announcement is signed and stored, and has not left. */
Test(keys, killed_before_the_announcement_is_sent) {
    two_members();
    lab_stop(&lab, network_process(&net, "B"));
    struct process *b = network_run_agent(&net, "B", "PLEK_FAILPOINT=agent-before-send");
    LAB_RUN(&lab, "plek-agent", "renew-keys", "--dir", network_dir(&net, "B"));
    cr_assert_eq(lab_wait_end(&lab, b), 256 + 9);
    network_run_agent(&net, "B", NULL);
    renewed("B");
    cr_assert_not(has_key("B", 3));
    network_policy(&net, "A", lab_text(&lab, TO_B, "rounded:2"));
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    EVENTUALLY(available_of("B", "A") == 2);
    lab_pass(&lab);
}
#endif
