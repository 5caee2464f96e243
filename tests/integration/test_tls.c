/* wss: a hub with a certificate, agents that know its authority, and ones that do not. */
#include <stdlib.h>
#include <string.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "tls");
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(tls, .init = setup, .fini = teardown, .timeout = 240);

/* A self-signed certificate for localhost: it is its own authority. */
static const char *make_certificate(const char *name) {
    const char *cert = lab_path(&lab, "%s.pem", name), *key = lab_path(&lab, "%s.key", name);
    LAB_OK(&lab, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
           "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert);
    return cert;
}

static const char *port_of(const char *address) {
    return strrchr(address, ':') + 1;
}

/* The hub listens on 127.0.0.1; invitations name it as in its certificate. */
static const char *run_hub(void) {
    network_init(&net, &lab, NULL);
    lab_write(lab_text(&lab, "%s/hub.conf", net.hub_dir),
              lab_text(&lab, "tls.cert = \"%s\"\ntls.key = \"%s\"\n", lab_path(&lab, "hub.pem"),
                       lab_path(&lab, "hub.key")));
    snprintf(net.address, sizeof net.address, "127.0.0.1:0");
    network_run_hub(&net, NULL);
    return lab_text(&lab, "wss://localhost:%s", port_of(net.address));
}

static const char *invite(const char *name, const char *address) {
    const struct result *r = HUB_DO(&net, "invite", "--name", name, "--address", address);
    cr_assert_eq(strncmp(r->out, "plek:wss://", 11), 0, "%s", r->out);
    return lab_text(&lab, "%.*s", (int)strcspn(r->out, "\n"), r->out);
}

#define EXACT_TO_B                                                                                 \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"                  \
    "\"precision\":\"exact\"}]}"

Test(tls, members_reach_each_other_over_wss) {
    const char *ca = make_certificate("hub"), *address = run_hub();
    const char *a = network_dir(&net, "A"), *b = network_dir(&net, "B");
    /* A names the authority on the command line, B in agent.conf. */
    AGENT_DO(&net, "A", "init", "--unsealed");
    AGENT_DO(&net, "A", "join", invite("A", address), "--ca", ca);
    AGENT_DO(&net, "B", "init", "--unsealed");
    lab_write(lab_text(&lab, "%s/agent.conf", b), lab_text(&lab, "ca = \"%s\"\n", ca));
    AGENT_DO(&net, "B", "join", invite("B", address));
    lab_wait_line(&lab,
                  lab_start(&lab, "A", NULL, LAB_ARGV("plek-agent", "run", "--ca", ca, "--dir", a)),
                  "ready");
    network_run_agent(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B);
    AGENT_DO(&net, "A", "set", "bed", "free=3");
    EVENTUALLY(number_at(json_array_get(AGENT(&net, "B", "find"), 0), "available") == 3);
    /* Through a restart of the hub too. */
    lab_stop(&lab, network_process(&net, "hub"));
    AGENT_DO(&net, "A", "set", "bed", "free=4");
    network_run_hub(&net, NULL);
    EVENTUALLY(number_at(json_array_get(AGENT(&net, "B", "find"), 0), "available") == 4);
    lab_pass(&lab);
}

Test(tls, wrong_authority_is_refused_and_said) {
    make_certificate("hub");
    const char *other = make_certificate("other"), *address = run_hub();
    const char *uri = invite("A", address), *dir = network_dir(&net, "A");
    AGENT_DO(&net, "A", "init", "--unsealed");
    const struct result *r =
        LAB_FAILS(&lab, 76, "plek-agent", "join", uri, "--ca", other, "--dir", dir);
    cr_assert(strstr(r->err, "cert"), "%s", r->err);
    r = LAB_FAILS(&lab, 76, "plek-agent", "join", uri, "--dir", dir);
    cr_assert(strstr(r->err, "cert"), "the system's authorities do not know it: %s", r->err);
    r = LAB_FAILS(&lab, 66, "plek-agent", "join", uri, "--ca", lab_path(&lab, "none.pem"), "--dir",
                  dir);
    cr_assert(strstr(r->err, "none.pem"), "%s", r->err);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 0);
    /* Nothing is spoilt: with the right one it joins. */
    LAB_OK(&lab, "plek-agent", "join", uri, "--ca", lab_path(&lab, "hub.pem"), "--dir", dir);
    /* A daemon keeps trying, and its log says what is wrong. */
    struct process *p =
        lab_start(&lab, "A", NULL, LAB_ARGV("plek-agent", "run", "--ca", other, "--dir", dir));
    EVENTUALLY(strstr(lab_log(&lab, p), "code=certificate"));
    cr_assert_not(network_connected(&net, "A"));
    lab_stop(&lab, p);
    lab_pass(&lab);
}

/* The system's authorities are looked up one by one, in their directory or in one file. */
Test(tls, authorities_of_the_system_are_trusted) {
    make_certificate("hub");
    const char *address = run_hub(), *authorities = lab_path(&lab, "authorities");
    LAB_OK(&lab, "mkdir", authorities);
    LAB_OK(&lab, "cp", lab_path(&lab, "hub.pem"), authorities);
    LAB_OK(&lab, "openssl", "rehash", authorities);
    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_DIR", authorities, 1);
    AGENT_DO(&net, "A", "init", "--unsealed");
    AGENT_DO(&net, "A", "join", invite("A", address));
    unsetenv("SSL_CERT_DIR");
    setenv("SSL_CERT_FILE", lab_path(&lab, "hub.pem"), 1);
    AGENT_DO(&net, "B", "init", "--unsealed");
    AGENT_DO(&net, "B", "join", invite("B", address));
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 2);
    lab_pass(&lab);
}

/* A certificate for another name is refused though its authority is known. */
Test(tls, certificate_of_another_name_is_refused) {
    LAB_OK(&lab, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-days", "2", "-subj", "/CN=elsewhere.example", "-addext",
           "subjectAltName=DNS:elsewhere.example", "-keyout", lab_path(&lab, "hub.key"), "-out",
           lab_path(&lab, "hub.pem"));
    const char *address = run_hub();
    AGENT_DO(&net, "A", "init", "--unsealed");
    const struct result *r = LAB_FAILS(&lab, 76, "plek-agent", "join", invite("A", address), "--ca",
                                       lab_path(&lab, "hub.pem"), "--dir", network_dir(&net, "A"));
    cr_assert(strstr(r->err, "cert"), "%s", r->err);
    cr_assert_eq(json_array_size(HUB(&net, "member", "list")), 0);
    lab_pass(&lab);
}

Test(tls, unreadable_certificate_stops_the_hub_with_a_reason) {
    network_init(&net, &lab, NULL);
    lab_write(lab_text(&lab, "%s/hub.conf", net.hub_dir),
              "tls.cert = \"/nowhere/hub.pem\"\ntls.key = \"/nowhere/hub.key\"\n");
    const struct result *r =
        LAB_FAILS(&lab, 78, "plek-hub", "run", "--dir", net.hub_dir, "--listen", "127.0.0.1:0");
    cr_assert(strstr(r->err, "/nowhere/hub.pem"), "%s", r->err);
    lab_pass(&lab);
}
