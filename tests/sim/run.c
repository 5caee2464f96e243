/* Owns one world from its seed to its verdict: birth, steps, healing, rest, end.
 * Must not know the checks themselves (ledger.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/alarm.h"
#include "agent/outbox.h"
#include "hub/keyfile.h"
#include "ledger.h"
#include "sim.h"

#define JOIN_MS 60000
#define CROWD_EVERY 50 /* of so many seeds one has up to 50 agents */
#define CROWD_STORE_MS 200
#define REST_SLICE_MS 30000
#define REST_SLICES 60

/* ---- birth ---- */

static unsigned often(struct sim *sim, unsigned odds, unsigned low, unsigned high) {
    bool at_all = prng_chance(&sim->prng, odds);
    unsigned value = (unsigned)prng_between(&sim->prng, low, high);
    return at_all ? value : 0;
}

static void draw_climate(struct sim *sim) {
    struct sim_climate *c = &sim->climate;
    static const int64_t slow[] = {5, 50, 400, 5000};
    static const int64_t store[] = {2, 20, 200, 3000};
    static const size_t batch[] = {1, 3, 20, SIM_BATCH_MAX};
    c->slow_ms = slow[prng_below(&sim->prng, 4)];
    c->store_ms = store[prng_below(&sim->prng, 4)];
    c->any_order = prng_chance(&sim->prng, 700);
    c->cut = often(sim, 600, 1, 15);
    c->hostile = often(sim, 400, 100, 500);
    c->forge = often(sim, 300, 10, 80);
    c->crash = often(sim, 700, 1, 25);
    c->disk_fault = often(sim, 300, 1, 15);
    c->dishonest = often(sim, 150, 50, 300);
    c->skewed = prng_chance(&sim->prng, 250);
    c->crowd = sim->seed % CROWD_EVERY == 0 && sim->mutation == MUTATION_NONE;
    if (c->crowd && c->store_ms > CROWD_STORE_MS) /* at 3 s an answer its hellos time out in turn */
        c->store_ms = CROWD_STORE_MS;
    c->queue = often(sim, 300, 1, 12);
    c->batch = batch[prng_below(&sim->prng, 4)];
    c->amid = often(sim, 500, 50, 400);
    /* What a mutation breaks has to come up. */
    if (sim->mutation == MUTATION_NO_VERIFY)
        c->forge = 100;
    if (sim->mutation == MUTATION_EARLIER_PICTURE)
        c->dishonest = 0;
    if (sim->mutation == MUTATION_OPEN_CHANNEL)
        c->hostile = 800;
    if (sim->mutation != MUTATION_NONE && sim->mutation != MUTATION_NO_NEWS && c->crash == 0)
        c->crash = 20;
    if (sim->watch_sync)
        *c = (struct sim_climate){.slow_ms = c->slow_ms,
                                  .store_ms = c->store_ms,
                                  .any_order = true,
                                  .batch = SIM_BATCH_MAX};
}

static bool make_root(struct sim *sim) {
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    char path[SIM_PATH_MAX / 2];
    snprintf(path, sizeof path, "%s/plek-sim-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(path) || !realpath(path, sim->root)) {
        sim_fail(sim, "cannot make a directory %s", path);
        return false;
    }
    return true;
}

static bool make_hub(struct sim *sim) {
    struct error e = {0};
    struct keyfile keys;
    struct sim_hub *h = &sim->hub;
    char path[SIM_PATH_MAX + 32];
    snprintf(h->disk.dir, sizeof h->disk.dir, "%.400s/hub", sim->root);
    enum err err = hub_init(h->disk.dir, "Sim", bytes_of(NULL, 0), &sim->entropy, sim->now_ms, &e);
    snprintf(path, sizeof path, "%s/" KEYFILE_NAME, h->disk.dir);
    if (!err)
        err = keyfile_read(path, &keys, &e);
    if (err) {
        sim_fail(sim, "the hub cannot be made: %s", e.detail);
        return false;
    }
    h->network = keys.sign.pub;
    h->box = keys.box;
    return sim_hub_start(sim);
}

/* The network grows in quiet weather; what breaks comes after. */
static void begin(struct sim *sim) {
    int count = sim->climate.crowd ? (int)prng_between(&sim->prng, 20, SIM_MAX_AGENTS)
                                   : (int)prng_between(&sim->prng, 3, 8);
    sim->calm = true;
    if (!make_root(sim) || !make_hub(sim))
        return;
    sim_publish_charter(sim);
    for (int i = 0; i < count && !sim->failed; i++)
        sim_invite(sim, i < 3 || prng_chance(&sim->prng, 850) ? ROLE_PROVIDER : ROLE_COORDINATOR);
    sim_run_until(sim, sim->now_ms + JOIN_MS);
    for (int i = 0; i < sim->agent_count && !sim->failed; i++) {
        if (!sim->agents[i].agent || !agent_joined(sim->agents[i].agent))
            sim_fail(sim, "%s did not join in quiet weather", sim->agents[i].name);
        else if (prng_chance(&sim->prng, 800))
            sim_act_first(sim, i);
    }
    sim->calm = false;
}

/* ---- rest ---- */

static void heal(struct sim *sim) {
    sim_trace(sim, "the network heals");
    sim->calm = true;
    for (struct sim_conn *c = sim->conns; c; c = c->next)
        if (c->hostile)
            sim_conn_cut(sim, c);
    for (int i = 0; i < sim->agent_count; i++) {
        sim->agents[i].offline = sim->agents[i].refused = false;
        sim->agents[i].connect_scheduled = false; /* whatever it waited for, it tries now */
        sim_agent_connect_soon(sim, i, 0);
    }
}

/* NULL: at rest. */
static const char *restless(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    struct outbox_status status;
    const struct member *m =
        a->known ? directory_member(hub_directory(sim->hub.hub), &a->member) : NULL;
    if (a->agent && m && m->state != MEMBER_ADMITTED)
        return NULL;
    struct sim_conn *c = sim_conn_find(sim, a->conn);
    if (!a->agent || !m)
        return a->agent ? "not admitted" : "down";
    if (!c || !c->agent_open || !agent_session_caught_up(c->agent_session))
        return "not caught up";
    if (!agent_joined(a->agent))
        return "not joined";
    if (a->step_count > 0)
        return "busy";
    if (outbox_status(a->agent, sim_agent_clock(sim, i), &status, NULL) != ERR_OK)
        return "no status";
    return status.entries > 0           ? "entries wait"
           : status.dirty_audiences > 0 ? "audiences wait"
                                        : NULL;
}

static const char *anybody_restless(struct sim *sim, const char **ret_name) {
    *ret_name = "hub";
    if (!sim->hub.hub)
        return "down";
    for (int i = 0; i < sim->agent_count; i++) {
        const char *why = restless(sim, i);
        *ret_name = sim->agents[i].name;
        if (why)
            return why;
    }
    return NULL;
}

static void check_alarms(struct sim *sim, int i) {
    static const char *const codes[] = {ALARM_AHEAD,    ALARM_FORKED, ALARM_HUB_BEHIND,
                                        ALARM_REJECTED, ALARM_GRANT,  ALARM_HUB_FEED,
                                        ALARM_OWN_DATA};
    struct error e = {0};
    const struct member *m = directory_member(hub_directory(sim->hub.hub), &sim->agents[i].member);
    if (!m || m->state != MEMBER_ADMITTED) /* what it pushed last may have been refused */
        return;
    for (size_t n = 0; n < sizeof codes / sizeof codes[0]; n++) {
        bool stands = false;
        if (alarm_stands(sim->agents[i].agent, codes[n], &stands, &e) != ERR_OK || stands)
            sim_fail(sim, "%s has the alarm '%s' in an honest network", sim->agents[i].name,
                     codes[n]);
    }
}

static void rest(struct sim *sim) {
    const char *why = "", *name = "";
    for (int slice = 0; slice < REST_SLICES && why && !sim->failed; slice++) {
        sim_run_until(sim, sim->now_ms + REST_SLICE_MS);
        why = sim->failed ? NULL : anybody_restless(sim, &name);
    }
    if (why)
        sim_fail(sim, "%s does not come to rest: %s", name, why);
}

/* Everybody says something once more, so that every way has to carry something. */
static void finish(struct sim *sim) {
    heal(sim);
    rest(sim);
    for (int i = 0; i < sim->agent_count && !sim->failed; i++)
        sim_act_last(sim, i);
    if (!sim->failed)
        rest(sim);
    if (!sim->failed) /* what was acknowledged last may still be on its way to readers */
        sim_run_until(sim, sim->now_ms + REST_SLICE_MS);
    for (int i = 0; i < sim->agent_count && !sim->failed; i++)
        check_alarms(sim, i);
    if (!sim->failed)
        ledger_check_convergence(sim);
}

/* ---- the end ---- */

static void end(struct sim *sim) {
    sim_net_free(sim);
    for (int i = 0; i < sim->agent_count; i++)
        sim_agent_stop(sim, i);
    sim_hub_stop(sim);
    for (size_t i = 0; i < sim->event_count; i++)
        sim_agent_free_result(&sim->events[i]);
    free(sim->events);
    ledger_free(sim);
    if (sim->root[0])
        sim_remove_tree(sim->root);
}

static void tell(struct sim *sim) {
    uint64_t first = sim->trace_count > SIM_TRACE_LINES ? sim->trace_count - SIM_TRACE_LINES : 0;
    fprintf(stderr, "seed %llu fails at step %d: %s\n", (unsigned long long)sim->seed, sim->step,
            sim->failure);
    for (uint64_t n = first; n < sim->trace_count && !sim->verbose; n++)
        fprintf(stderr, "    %s\n", sim->trace[n % SIM_TRACE_LINES]);
}

void sim_run(const struct sim_options *options, bool loud, struct sim_result *ret) {
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        abort();
    sim->seed = options->seed;
    sim->prng.state = options->seed * UINT64_C(0xd1342543de82ef95) + 1;
    sim->now_ms = SIM_START_MS;
    sim->verbose = options->verbose;
    sim->mutation = options->mutation;
    sim->watch_sync = options->watch_sync;
    sim->entropy = sim_entropy(sim);
    ledger_open(sim);
    draw_climate(sim);
    begin(sim);
    for (sim->step = 1; sim->step <= options->steps && !sim->failed; sim->step++) {
        sim_act(sim);
        sim_mutate_after_step(sim);
        ledger_check_hub(sim);
        ledger_check_allowed(sim);
    }
    if (!sim->failed)
        finish(sim);
    if (sim->failed && loud)
        tell(sim);
    *ret = (struct sim_result){.failed = sim->failed,
                               .digest = sim->digest,
                               .events = sim->seen.events,
                               .entries = sim->seen.entries,
                               .takes = sim->seen.takes,
                               .crashes = sim->seen.crashes,
                               .cuts = sim->seen.cuts,
                               .altered = sim->seen.altered,
                               .faults = sim->seen.faults,
                               .joins = sim->seen.joins,
                               .checks = sim->seen.checks,
                               .views = sim->seen.views,
                               .acks = sim->seen.acks,
                               .writes = sim->seen.writes};
    memcpy(ret->failure, sim->failure, sizeof ret->failure);
    end(sim);
    free(sim);
}
