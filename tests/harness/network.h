/* Owns a network for a test: one hub and some agents, started, stopped, killed and asked by name.
 * Must not know what a figure means: tests do. */
#ifndef PLEK_TEST_NETWORK_H
#define PLEK_TEST_NETWORK_H

#include "lab.h"

#define NETWORK_AGENTS_MAX 32

struct network {
    struct lab *lab;
    char address[64];    /* what the hub said after "ready addr=" */
    const char *hub_dir; /* DIR/hub */
};

/* `charter`: a file, or NULL for the default. Initialises only. */
void network_init(struct network *n, struct lab *lab, const char *charter);
/* Starts the hub (again): a free port on a loopback address of this test's own the first time, the
 * same afterwards, so that no other process can have taken it in between. `env` as lab_start. */
struct process *network_run_hub(struct network *n, const char *env);
/* The URI of a new invitation. `role` NULL: provider. */
const char *network_invite(struct network *n, const char *name, const char *role);
/* DIR/agent-NAME. */
const char *network_dir(struct network *n, const char *name);
/* init (unsealed) and join. The member and the agent's directory have this name. */
void network_join(struct network *n, const char *name, const char *role);
/* The same as provider by an invitation that names another address of the hub ("ws://..."). */
void network_join_at(struct network *n, const char *name, const char *address);
struct process *network_run_agent(struct network *n, const char *name, const char *env);
/* network_join and network_run_agent. */
struct process *network_add(struct network *n, const char *name, const char *role);
struct process *network_process(struct network *n, const char *name); /* "hub" or an agent's name */
/* Approves each other of the NULL-terminated names at this agent. */
void network_approve(struct network *n, const char *name, const char *const *others);
/* Applies a policy given as JSON text. */
void network_policy(struct network *n, const char *name, const char *json);

/* ---- asking ---- */

/* AGENT(&n, "A", "find", "bed") and HUB(&n, "aggregate"): JSON of a command, borrowed. */
#define AGENT(n, name, ...)                                                                        \
    lab_json((n)->lab, __FILE__, __LINE__,                                                         \
             LAB_ARGV("plek-agent", __VA_ARGS__, "--dir", network_dir((n), (name))))
#define HUB(n, ...)                                                                                \
    lab_json((n)->lab, __FILE__, __LINE__, LAB_ARGV("plek-hub", __VA_ARGS__, "--dir", (n)->hub_dir))
/* The same without --json, expecting exit status 0. */
#define AGENT_DO(n, name, ...)                                                                     \
    LAB_OK((n)->lab, "plek-agent", __VA_ARGS__, "--dir", network_dir((n), (name)))
#define HUB_DO(n, ...) LAB_OK((n)->lab, "plek-hub", __VA_ARGS__, "--dir", (n)->hub_dir)

/* The row of an array of objects whose member `key` is the string `value`; NULL when none is. */
json_t *row_where(json_t *rows, const char *key, const char *value);
/* The hub's aggregate of a service over the whole network. */
json_t *network_sum(struct network *n, const char *service);
/* status.feed: everything signed was acknowledged, and nothing waits to be sealed. */
bool network_drained(struct network *n, const char *name);
bool network_connected(struct network *n, const char *name);
/* An alarm with this code stands in the agent's status. */
bool network_alarm(struct network *n, const char *name, const char *code);
/* An integer inside an object by a path of member names ("feed.seq"); INT64_MIN when absent. */
int64_t number_at(json_t *object, const char *path);

#endif
