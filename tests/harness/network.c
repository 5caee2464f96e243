/* Owns a network for a test (network.h). */
#include "network.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void network_init(struct network *n, struct lab *lab, const char *charter) {
    memset(n, 0, sizeof *n);
    n->lab = lab;
    n->hub_dir = lab_path(lab, "hub");
    if (charter)
        LAB_OK(lab, "plek-hub", "init", "--dir", n->hub_dir, "--name", "Testnet", "--charter",
               charter);
    else
        LAB_OK(lab, "plek-hub", "init", "--dir", n->hub_dir, "--name", "Testnet");
}

struct process *network_run_hub(struct network *n, const char *env) {
    if (n->address[0] == '\0') {
        unsigned pid = (unsigned)getpid();
        snprintf(n->address, sizeof n->address, "127.%u.%u.%u:0", 1 + (pid >> 16) % 250,
                 (pid >> 8) & 255, 1 + (pid & 255) % 254);
    }
    struct process *p =
        lab_start(n->lab, "hub", env,
                  LAB_ARGV("plek-hub", "run", "--dir", n->hub_dir, "--listen", n->address));
    const char *rest = lab_wait_line(n->lab, p, "ready");
    cr_assert_eq(strncmp(rest, "addr=", 5), 0, "found 'ready %s', expected 'ready addr=...'", rest);
    snprintf(n->address, sizeof n->address, "%s", rest + 5);
    return p;
}

static const char *trimmed(struct lab *lab, const char *text) {
    return lab_text(lab, "%.*s", (int)strcspn(text, "\r\n"), text);
}

const char *network_invite(struct network *n, const char *name, const char *role) {
    const struct result *r =
        HUB_DO(n, "invite", "--name", name, "--role", role ? role : "provider");
    return trimmed(n->lab, r->out);
}

const char *network_dir(struct network *n, const char *name) {
    return lab_path(n->lab, "agent-%s", name);
}

void network_join(struct network *n, const char *name, const char *role) {
    const char *uri = network_invite(n, name, role);
    AGENT_DO(n, name, "init", "--unsealed");
    AGENT_DO(n, name, "join", uri);
}

void network_join_at(struct network *n, const char *name, const char *address) {
    const struct result *r = HUB_DO(n, "invite", "--name", name, "--address", address);
    AGENT_DO(n, name, "init", "--unsealed");
    AGENT_DO(n, name, "join", trimmed(n->lab, r->out));
}

struct process *network_run_agent(struct network *n, const char *name, const char *env) {
    struct process *p = lab_start(
        n->lab, name, env,
        LAB_ARGV("plek-agent", "run", "--dir", network_dir(n, name), "--web", "127.0.0.1:0"));
    lab_wait_line(n->lab, p, "ready");
    return p;
}

struct process *network_add(struct network *n, const char *name, const char *role) {
    network_join(n, name, role);
    return network_run_agent(n, name, NULL);
}

struct process *network_process(struct network *n, const char *name) {
    for (int i = 0; i < n->lab->process_count; i++)
        if (strcmp(n->lab->processes[i].name, name) == 0)
            return &n->lab->processes[i];
    cr_assert_fail("no process was started as %s", name);
    return NULL;
}

void network_approve(struct network *n, const char *name, const char *const *others) {
    for (; *others; others++)
        if (strcmp(*others, name) != 0)
            AGENT_DO(n, name, "partner", "approve", *others);
}

void network_policy(struct network *n, const char *name, const char *json) {
    const char *path = lab_path(n->lab, "policy-%s.json", name);
    lab_write(path, json);
    AGENT_DO(n, name, "policy", "apply", path);
}

json_t *row_where(json_t *rows, const char *key, const char *value) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const char *text = json_string_value(json_object_get(row, key));
        if (text && strcmp(text, value) == 0)
            return row;
    }
    return NULL;
}

json_t *network_sum(struct network *n, const char *service) {
    size_t i;
    json_t *row;
    json_t *rows = HUB(n, "aggregate", "--service", service);
    json_array_foreach(rows, i, row) {
        if (json_is_null(json_object_get(row, "region")))
            return row;
    }
    cr_assert_fail("the aggregate has no row of %s for the whole network", service);
    return NULL;
}

int64_t number_at(json_t *object, const char *path) {
    char key[64];
    while (object && *path) {
        size_t len = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)len, path);
        object = json_object_get(object, key);
        path += len + (path[len] == '.');
    }
    return json_is_integer(object) ? (int64_t)json_integer_value(object) : INT64_MIN;
}

bool network_drained(struct network *n, const char *name) {
    json_t *status = AGENT(n, name, "status");
    return number_at(status, "feed.seq") == number_at(status, "feed.acked_seq") &&
           number_at(status, "outbox.dirty_audiences") == 0 &&
           number_at(status, "outbox.entries") == 0;
}

bool network_connected(struct network *n, const char *name) {
    json_t *hub = json_object_get(AGENT(n, name, "status"), "hub");
    return json_is_true(json_object_get(hub, "connected"));
}

bool network_alarm(struct network *n, const char *name, const char *code) {
    json_t *alarms = json_object_get(AGENT(n, name, "status"), "alarms");
    return row_where(alarms, "code", code) != NULL;
}
