/* A further agent of an organisation: requested, certified, joined, seen, revoked. */
#include <string.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "second");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(second, .init = setup, .fini = teardown, .timeout = 240);

#define TO(members)                                                                                \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[" members "],\"services\":[\"*\"],"            \
    "\"precision\":\"exact\"}]}"

static const char *request_of(const char *name) {
    return lab_path(&lab, "%s.request", name);
}

static const char *certificate_of(const char *name) {
    return lab_path(&lab, "%s.cert", name);
}

/* On the new machine, then where A's member key is, then on the new machine again. */
static void add_second(const char *name, const char *label) {
    AGENT_DO(&net, name, "init", "--second");
    const struct result *r =
        AGENT_DO(&net, name, "request", "--label", label, "--output", request_of(name));
    const char *shown = strstr(r->err, "Fingerprint: ");
    cr_assert_not_null(shown, "%s", r->err);
    const char *fingerprint = lab_text(&lab, "%.39s", shown + strlen("Fingerprint: "));
    AGENT_DO(&net, "A", "certify", request_of(name), "--fingerprint", fingerprint, "--output",
             certificate_of(name));
    r = AGENT_DO(&net, name, "join", certificate_of(name));
    cr_assert(strstr(r->out, "member=\"A\""), "%s", r->out);
    network_run_agent(&net, name, NULL);
}

static json_t *row_of(const char *finder, const char *site) {
    return row_where(AGENT(&net, finder, "find"), "site", site);
}

static int64_t available_at(const char *finder, const char *site) {
    return number_at(row_of(finder, site), "available");
}

static const char *key_of(const char *name) {
    return json_string_value(json_object_get(AGENT(&net, name, "status"), "agent"));
}

Test(second, a_second_site_is_seen_under_the_members_name) {
    static const char *const others[] = {"A", NULL};
    network_add(&net, "A", NULL);
    network_add(&net, "P", NULL);
    add_second("A2", "East");
    cr_assert_eq(json_array_size(json_object_get(HUB(&net, "member", "show", "A"), "agents")), 2);
    /* P shares with the member and so with both; both share with P. */
    network_approve(&net, "P", others);
    network_policy(&net, "P", TO("\"A\""));
    AGENT_DO(&net, "P", "set", "bed", "free=7");
    EVENTUALLY(available_at("A", "P") == 7 && available_at("A2", "P") == 7);
    AGENT_DO(&net, "A", "partner", "approve", "P");
    AGENT_DO(&net, "A2", "partner", "approve", "P");
    network_policy(&net, "A", TO("\"P\""));
    network_policy(&net, "A2", TO("\"P\""));
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    AGENT_DO(&net, "A2", "set", "bed", "free=2");
    EVENTUALLY(available_at("P", "A") == 1 && available_at("P", "East") == 2);
    cr_assert_str_eq(json_string_value(json_object_get(row_of("P", "East"), "member")), "A");
    cr_assert_eq(json_array_size(AGENT(&net, "P", "partner", "list")), 1);
    lab_pass(&lab);
}

/* The own member in an audience: its other agents, both ways, never itself. */
Test(second, own_sites_see_each_other) {
    network_add(&net, "A", NULL);
    network_add(&net, "P", NULL);
    add_second("A2", "East");
    network_policy(&net, "A", TO("\"A\""));
    network_policy(&net, "A2", TO("\"A\""));
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    AGENT_DO(&net, "A2", "set", "bed", "free=4");
    EVENTUALLY(available_at("A", "East") == 4 && available_at("A2", "A") == 3);
    cr_assert_null(row_of("A", "A"));
    cr_assert_null(row_of("A2", "East"));
    json_t *seen = AGENT(&net, "A", "policy", "preview", "--partner", "A");
    cr_assert_eq(number_at(row_where(seen, "site", "A"), "available"), 3);
    cr_assert_eq(json_array_size(AGENT(&net, "P", "find")), 0);
    lab_pass(&lab);
}

Test(second, a_revoked_agent_is_out_and_its_certificate_does_not_bring_it_back) {
    network_add(&net, "A", NULL);
    network_add(&net, "P", NULL);
    add_second("A2", "East");
    AGENT_DO(&net, "P", "partner", "approve", "A");
    network_policy(&net, "P", TO("\"A\""));
    AGENT_DO(&net, "P", "set", "bed", "free=7");
    AGENT_DO(&net, "A2", "partner", "approve", "P");
    network_policy(&net, "A2", TO("\"P\""));
    AGENT_DO(&net, "A2", "set", "bed", "free=2");
    EVENTUALLY(available_at("P", "East") == 2 && available_at("A2", "P") == 7);
    const char *key = key_of("A2");
    HUB_DO(&net, "member", "revoke", "A", "--agent", key, "--reason", "laptop lost");
    EVENTUALLY(network_alarm(&net, "A2", "revoked"));
    EVENTUALLY(row_of("P", "East") == NULL);
    AGENT_DO(&net, "P", "set", "bed", "free=5");
    EVENTUALLY(available_at("A", "P") == 5);
    cr_assert_eq(available_at("A2", "P"), 7, "sealed to a revoked agent");
    LAB_FAILS(&lab, 65, "plek-hub", "member", "revoke", "A", "--agent", key, "--dir", net.hub_dir);
    /* Neither the old certificate nor a new one. */
    lab_stop(&lab, network_process(&net, "A2"));
    network_run_agent(&net, "A2", NULL);
    EVENTUALLY(network_alarm(&net, "A2", "revoked"));
    AGENT_DO(&net, "A2", "request", "--output", request_of("again"));
    const struct result *r =
        LAB_RUN(&lab, "plek-agent", "certify", request_of("again"), "--yes", "--output",
                certificate_of("again"), "--dir", network_dir(&net, "A"));
    cr_assert_neq(r->status, 0);
    cr_assert(strstr(r->err, "revoked"), "%s", r->err);
    lab_pass(&lab);
}

Test(second, certificates_are_renewed) {
    network_add(&net, "A", NULL);
    add_second("A2", "East");
    lab_stop(&lab, network_process(&net, "A"));
    lab_stop(&lab, network_process(&net, "A2"));
    AGENT_DO(&net, "A", "renew-certificate");
    json_t *agents = json_object_get(HUB(&net, "member", "show", "A"), "agents");
    cr_assert_eq(number_at(json_array_get(agents, 0), "serial"), 2);
    AGENT_DO(&net, "A2", "request", "--output", request_of("A2"));
    AGENT_DO(&net, "A", "certify", request_of("A2"), "--yes", "--output", certificate_of("A2"));
    AGENT_DO(&net, "A2", "join", certificate_of("A2"));
    agents = json_object_get(HUB(&net, "member", "show", "A"), "agents");
    cr_assert_eq(json_array_size(agents), 2);
    cr_assert_eq(number_at(json_array_get(agents, 1), "serial"), 2);
    const struct result *r =
        LAB_RUN(&lab, "plek-agent", "join", certificate_of("A2"), "--dir", network_dir(&net, "A2"));
    cr_assert_eq(r->status, 65);
    cr_assert(strstr(r->err, "nothing to do"), "%s", r->err);
    lab_pass(&lab);
}

static const struct result *fails(int status, const char *words, const char *const *argv) {
    const struct result *r = lab_run(&lab, NULL, argv);
    cr_assert_eq(r->status, status, "%d: %s", r->status, r->err);
    cr_assert(strstr(r->err, words), "no '%s' in %s", words, r->err);
    return r;
}

Test(second, what_does_not_hold_is_refused_in_words) {
    const char *secret = lab_path(&lab, "secret"), *wrong = lab_path(&lab, "wrong");
    const char *dir = network_dir(&net, "A"), *second = network_dir(&net, "A2");
    lab_write(secret, "correct horse\n");
    lab_write(wrong, "incorrect\n");
    const char *uri = network_invite(&net, "A", NULL);
    AGENT_DO(&net, "A", "init", "--passphrase-file", secret);
    AGENT_DO(&net, "A", "join", "--passphrase-file", secret, uri);
    AGENT_DO(&net, "A2", "init", "--second");
    AGENT_DO(&net, "A2", "request", "--output", request_of("A2"));
    const char *request = request_of("A2"), *cert = certificate_of("A2");
    const char *bad = lab_path(&lab, "bad");
    /* no member key there */
    fails(66, "request",
          LAB_ARGV("plek-agent", "join", network_invite(&net, "B", NULL), "--dir", second));
    /* not compared; another fingerprint; wrong passphrase; none */
    fails(64, "--yes", LAB_ARGV("plek-agent", "certify", request, "--dir", dir));
    cr_assert_neq(LAB_RUN(&lab, "plek-agent", "certify", request, "--fingerprint",
                          "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", "--dir", dir)
                      ->status,
                  0);
    fails(77, "passphrase",
          LAB_ARGV("plek-agent", "certify", request, "--yes", "--passphrase-file", wrong, "--dir",
                   dir));
    fails(64, "passphrase", LAB_ARGV("plek-agent", "certify", request, "--yes", "--dir", dir));
    /* a request that was changed, and something else */
    const char *text = lab_read(&lab, request);
    lab_write(bad, lab_text(&lab, "%.*slabel Mine%s", (int)(strstr(text, "label") - text), text,
                            strchr(strstr(text, "label"), '\n')));
    fails(76, "changed", LAB_ARGV("plek-agent", "certify", bad, "--yes", "--dir", dir));
    lab_write(bad, lab_text(&lab, "%.120s", text));
    fails(65, "damaged", LAB_ARGV("plek-agent", "certify", bad, "--yes", "--dir", dir));
    lab_write(bad, "hello\n");
    fails(65, "request", LAB_ARGV("plek-agent", "certify", bad, "--yes", "--dir", dir));
    fails(65, "certificate", LAB_ARGV("plek-agent", "join", bad, "--dir", second));
    /* another agent's certificate */
    AGENT_DO(&net, "A3", "init", "--second");
    AGENT_DO(&net, "A", "certify", request, "--yes", "--passphrase-file", secret, "--output", cert);
    fails(76, "another agent",
          LAB_ARGV("plek-agent", "join", cert, "--dir", network_dir(&net, "A3")));
    /* a member that is suspended */
    HUB_DO(&net, "member", "suspend", "A");
    const struct result *r = LAB_RUN(&lab, "plek-agent", "join", cert, "--dir", second);
    cr_assert_neq(r->status, 0);
    cr_assert(strstr(r->err, "suspended"), "%s", r->err);
    cr_assert_eq(json_array_size(json_object_get(HUB(&net, "member", "show", "A"), "agents")), 1);
    HUB_DO(&net, "member", "resume", "A");
    cr_assert_eq(LAB_RUN(&lab, "plek-agent", "join", cert, "--dir", second)->status, 0);
    lab_pass(&lab);
}
