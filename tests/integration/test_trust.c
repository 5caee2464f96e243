/* trust = directory by real processes: a member that nobody approved stands in `status`, is let in
 * to a band after its hours, is refused, and approved. */
#include <string.h>

#include "network.h"
#include "stored.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "trust");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(trust, .init = setup, .fini = teardown, .timeout = 240);

#define POLICY(precision)                                                                          \
    "{\"audiences\":[{\"name\":\"near\",\"members\":[\"B\",\"C\"],\"services\":[\"*\"],"           \
    "\"precision\":\"" precision "\"}]}"

static void trust(const char *mode) {
    lab_write(lab_text(&lab, "%s/agent.conf", network_dir(&net, "A")),
              lab_text(&lab, "trust = %s\n", mode));
    network_run_agent(&net, "A", NULL);
}

static json_t *listed(const char *list) {
    json_t *trust = json_object_get(AGENT(&net, "A", "status"), "trust");
    return json_object_get(trust, list);
}

/* The first band A shows this member, as text; "" when it finds nothing. */
static const char *band_at(const char *name) {
    json_t *row = json_array_get(AGENT(&net, name, "find", "bed"), 0);
    return row ? lab_dump(&lab, json_object_get(row, "band")) : "";
}

static bool sees(const char *name, const char *band) {
    return strcmp(band_at(name), band) == 0;
}

/* What the wait counts is the running time of the agent: a test cannot run that long. */
static void let_the_hours_pass(void) {
    lab_stop(&lab, network_process(&net, "A"));
    cr_assert_eq(stored_change(&lab, network_dir(&net, "A"), "agent.db",
                               "UPDATE newcomer SET waited_ms = 24 * 3600 * 1000"),
                 1);
    network_run_agent(&net, "A", NULL);
}

static void three_members(const char *policy) {
    network_join(&net, "A", NULL);
    network_add(&net, "B", NULL);
    network_add(&net, "C", NULL);
    trust("directory");
    EVENTUALLY(json_array_size(AGENT(&net, "A", "partner", "list")) == 2);
    AGENT_DO(&net, "A", "partner", "approve", "C");
    AGENT_DO(&net, "A", "set", "bed", "free=4");
    network_policy(&net, "A", policy);
}

Test(trust, a_member_is_let_in_to_a_band_after_its_hours_and_refused) {
    three_members(POLICY("band"));
    EVENTUALLY(sees("C", "[3,5]"));
    json_t *row = row_where(listed("waiting"), "member", "B");
    cr_assert_not_null(row, "B does not stand in status");
    cr_assert(json_is_string(json_object_get(row, "not_before")));
    const struct result *status = AGENT_DO(&net, "A", "status");
    cr_assert(strstr(status->out, "WAITING   B") && strstr(status->out, "partner refuse"), "%s",
              status->out);
    cr_assert(sees("B", ""), "before its hours");
    cr_assert_eq(json_array_size(AGENT(&net, "A", "policy", "preview", "--partner", "B")), 0);

    let_the_hours_pass();
    EVENTUALLY(sees("B", "[3,5]"));
    cr_assert_not_null(row_where(listed("trusted"), "member", "B"));
    const struct result *preview = AGENT_DO(&net, "A", "policy", "preview", "--partner", "B");
    cr_assert(strstr(preview->out, "trust = directory since"), "%s", preview->out);
    json_t *rows = AGENT(&net, "A", "audit", "--partner", "B");
    cr_assert_not_null(row_where(rows, "event", "trusted"), "%s", lab_dump(&lab, rows));

    const struct result *refused = AGENT_DO(&net, "A", "partner", "refuse", "B");
    cr_assert(strstr(refused->out, "refused"), "%s", refused->out);
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    EVENTUALLY(sees("C", "[1,2]"));
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert(sees("B", "[3,5]"), "%s after it was refused", band_at("B"));
    lab_stop(&lab, network_process(&net, "A"));
    network_run_agent(&net, "A", NULL);
    row = row_where(AGENT(&net, "A", "partner", "list"), "name", "B");
    cr_assert_str_eq(json_string_value(json_object_get(row, "trust")), "refused");

    AGENT_DO(&net, "A", "partner", "approve", "B");
    EVENTUALLY(sees("B", "[1,2]"));
    lab_pass(&lab);
}

Test(trust, back_to_manual_is_a_leave) {
    three_members(POLICY("light"));
    EVENTUALLY(listed("waiting") && json_array_size(listed("waiting")) == 1);
    let_the_hours_pass();
    EVENTUALLY(json_array_size(AGENT(&net, "B", "find")) == 1);
    lab_stop(&lab, network_process(&net, "A"));
    trust("manual");
    AGENT_DO(&net, "A", "set", "bed", "free=0", "status=full");
    EVENTUALLY(row_where(AGENT(&net, "C", "find"), "light", "red") != NULL);
    EVENTUALLY(network_drained(&net, "A"));
    cr_assert_not_null(row_where(AGENT(&net, "B", "find"), "light", "green"),
                       "B reads what came after");
    lab_stop(&lab, network_process(&net, "A"));
    lab_write(lab_text(&lab, "%s/agent.conf", network_dir(&net, "A")), "trust = everybody\n");
    const struct result *r =
        LAB_FAILS(&lab, 78, "plek-agent", "status", "--dir", network_dir(&net, "A"));
    cr_assert(strstr(r->err, "manual or directory"), "%s", r->err);
    lab_pass(&lab);
}
