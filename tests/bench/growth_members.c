/* Measures what a network of 10 to 10,000 members costs its hub and one real agent that joins last.
 * Source: design 8. */
#include "growth.h"
#include "resident.h"

#define FAMILY "members"

static enum err add(struct bench *b, const struct testbed *t, const struct resident *r,
                    const struct process_usage *hub, const struct process_usage *agent,
                    struct error *e) {
    const struct growth_value values[] = {
        {"hub, start", "ms of CPU", (double)hub->cpu_ns / 1e6},
        {"hub, private memory", "MiB", hub->rss_anon_kib / 1024},
        {"hub, database", "MiB", growth_store_mib(t->hub_dir, "hub.db")},
        {"agent, first directory", "ms of CPU", (double)agent->cpu_ns / 1e6},
        {"agent, private memory", "MiB", agent->rss_anon_kib / 1024},
        {"agent, database", "MiB", growth_store_mib(r->dir, "agent.db")},
    };
    return growth_add(b, FAMILY, (double)t->count, values, sizeof values / sizeof values[0], e);
}

static enum err run(struct bench *b, struct testbed *t, struct resident *r, size_t members,
                    struct error *e) {
    struct process_usage hub, agent;
    enum err err = testbed_join(t, members, e);
    if (err == ERR_OK)
        err = resident_join(r, t, "Resident", e);
    if (err == ERR_OK)
        err = growth_restart_hub(t, &hub, e);
    if (err == ERR_OK)
        err = resident_start(r, e);
    if (err == ERR_OK)
        err = resident_settle(r, t, &agent, e);
    return err == ERR_OK ? add(b, t, r, &hub, &agent, e) : err;
}

static enum err measure(struct bench *b, size_t members, struct error *e) {
    struct testbed t;
    struct resident r = {.lock = -1};
    char name[32];
    snprintf(name, sizeof name, "members-%zu", members);
    enum err err = testbed_open(&t, b, name, false, e);
    if (err == ERR_OK)
        err = run(b, &t, &r, members, e);
    resident_done(&r);
    testbed_close(&t);
    return err;
}

enum err bench_growth_members(struct bench *b, struct error *e) {
    enum err err = ERR_OK;
    for (size_t members = 10; members <= (size_t)b->growth_members && err == ERR_OK; members *= 10)
        err = measure(b, members, e);
    return err;
}
