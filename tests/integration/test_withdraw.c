/* What was shown is taken back, or is not renewed for a while: at a partner who is there, at one
 * who was away while the others went on, and at the hub. Real processes over loopback. */
#include <string.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "withdraw");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(withdraw, .init = setup, .fini = teardown, .timeout = 240);

#define TO_ALL                                                                                     \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\",\"@hub\"],\"services\":[\"*\"],"   \
    "\"precision\":\"exact\"}]}"
#define WITHOUT_C                                                                                  \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"

static size_t found(const char *name) {
    return json_array_size(AGENT(&net, name, "find", "bed"));
}

Test(withdraw, is_heard_by_who_is_there_and_who_was_away) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    network_add(&net, "C", NULL);
    network_approve(&net, "A", (const char *const[]){"B", "C", NULL});
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    network_policy(&net, "A", TO_ALL);
    EVENTUALLY(found("B") == 1 && found("C") == 1);
    EVENTUALLY(number_at(network_sum(&net, "bed"), "sites_current") == 1);
    lab_stop(&lab, network_process(&net, "C"));

    const struct result *dry = AGENT_DO(&net, "A", "withdraw", "--dry-run");
    cr_assert(strstr(dry->out, "stays seen"), "%s", dry->out);
    cr_assert_eq(json_array_size(json_object_get(AGENT(&net, "A", "status"), "withdrawn")), 0);
    AGENT_DO(&net, "A", "withdraw", "--audience", "all");
    EVENTUALLY(found("B") == 0);
    EVENTUALLY(number_at(network_sum(&net, "bed"), "sites_current") == 0);
    cr_assert_eq(json_array_size(json_object_get(AGENT(&net, "A", "status"), "withdrawn")), 1);
    cr_assert_not_null(row_where(json_object_get(AGENT(&net, "A", "policy", "show"), "withdrawn"),
                                 "audience", "all"));
    AGENT_DO(&net, "A", "set", "bed", "free=8");
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(found("B"), 0, "a withdrawn audience got something newer");
    cr_assert_eq(json_array_size(AGENT(&net, "A", "policy", "preview", "--partner", "B")), 0);

    /* The others go on; C, who is away and no longer one of them, still has to hear of it. */
    network_policy(&net, "A", WITHOUT_C);
    EVENTUALLY(found("B") == 1);
    EVENTUALLY(number_at(network_sum(&net, "bed"), "available.low") == 8);
    cr_assert_eq(found("C"), 1, "C is away and has what it saw");
    network_run_agent(&net, "C", NULL);
    EVENTUALLY(found("C") == 0);

    json_t *rows = AGENT(&net, "A", "audit", "--partner", "C");
    cr_assert_not_null(row_where(rows, "event", "withdrawn"), "%s", lab_dump(&lab, rows));
    cr_assert_not_null(row_where(rows, "event", "withdrawal"), "%s", lab_dump(&lab, rows));
    json_t *last = json_array_get(rows, json_array_size(rows) - 1);
    cr_assert_str_eq(json_string_value(json_object_get(last, "event")), "withdrawal",
                     "nothing newer was sealed to C");
    lab_pass(&lab);
}

static int64_t available(const char *name) {
    return number_at(json_array_get(AGENT(&net, name, "find", "bed"), 0), "available");
}

Test(withdraw, a_pause_leaves_what_they_have_and_a_change_is_undone) {
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    network_approve(&net, "A", (const char *const[]){"B", NULL});
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    network_policy(&net, "A", WITHOUT_C);
    EVENTUALLY(found("B") == 1);

    const struct result *dry = AGENT_DO(&net, "A", "pause", "--dry-run");
    cr_assert(strstr(dry->out, "would pause audience all") && strstr(dry->out, "B"), "%s",
              dry->out);
    cr_assert_eq(json_array_size(json_object_get(AGENT(&net, "A", "status"), "paused")), 0);
    const struct result *said = AGENT_DO(&net, "A", "pause", "--audience", "all");
    cr_assert(strstr(said->out, "pauses audience all") && strstr(said->out, "plek-agent resume"),
              "%s", said->out);
    AGENT_DO(&net, "A", "set", "bed", "free=8");
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_eq(available("B"), 3, "a paused audience got something newer");

    /* The command says the line as it stands again. */
    said = AGENT_DO(&net, "A", "undo", "bed");
    cr_assert(strstr(said->out, "3"), "%s", said->out);
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "free"), 3);
    AGENT_DO(&net, "A", "undo", "bed");
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "free"), 8);

    said = AGENT_DO(&net, "A", "resume");
    cr_assert(strstr(said->out, "resumes audience all"), "%s", said->out);
    EVENTUALLY(available("B") == 8);
    said = AGENT_DO(&net, "A", "resume");
    cr_assert(strstr(said->out, "Nothing is paused."), "%s", said->out);
    lab_pass(&lab);
}
