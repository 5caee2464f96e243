/* Owns a simulated agent's loop: connecting, the session machine and its effects, as agent/link.c
 * and agent/daemon.c run them. Must not run store effects (batch_node.c). */
#include <stdlib.h>
#include <string.h>

#include "agent/outbox.h"
#include "ledger.h"
#include "sim.h"

#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000
#define RESTART_MS 120000
#define IN_VAIN_MS 7200000

int64_t sim_agent_clock(const struct sim *sim, int i) {
    return sim->now_ms + sim->agents[i].skew_ms;
}

/* ---- connecting ---- */

static void on_connect(struct sim *sim, const struct sim_event *event);

void sim_agent_connect_soon(struct sim *sim, int i, int64_t in_ms) {
    struct sim_agent *a = &sim->agents[i];
    if (a->connect_scheduled || !a->agent)
        return;
    a->connect_scheduled = true;
    sim_schedule(sim, in_ms, i, on_connect);
}

static void retry(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    int64_t wait = prng_between(&sim->prng, RETRY_MIN_MS, a->retry_ms * 3);
    a->retry_ms = wait > RETRY_MAX_MS ? RETRY_MAX_MS : wait;
    /* A real agent knocks every half minute for as long as that lasts; here once in a while will
     * do. */
    bool in_vain = a->offline || (a->refused && !sim->calm);
    sim_agent_connect_soon(sim, i, in_vain ? IN_VAIN_MS : a->retry_ms);
}

static void start_session(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    struct agent_session_config config;
    struct error e = {0};
    if (agent_session_fill(a->agent, &config, &e) != ERR_OK) {
        sim_fail(sim, "%s cannot fill a session: %s", a->name, e.detail);
        return;
    }
    struct sim_conn *c = sim_conn_open(sim, i);
    a->conn = c->id;
    if (agent_session_new(&config, sim->now_ms, &c->agent_session, &e) != ERR_OK) {
        sim_fail(sim, "%s cannot start a session: %s", a->name, e.detail);
        return;
    }
    uint64_t id = c->id;
    sim_hub_accept(sim, c);
    c = sim_conn_find(sim, id);
    if (c && c->agent_open)
        sim_agent_pump(sim, c);
}

static void on_connect(struct sim *sim, const struct sim_event *event) {
    struct sim_agent *a = &sim->agents[event->node];
    if (sim_stale(sim, event))
        return;
    a->connect_scheduled = false;
    if (a->conn)
        return;
    if (a->offline || !sim->hub.hub)
        retry(sim, event->node);
    else
        start_session(sim, event->node);
}

/* ---- effects ---- */

static void on_wake(struct sim *sim, const struct sim_event *event) {
    struct sim_conn *c = sim_conn_find(sim, event->conn);
    if (!c || !c->agent_open || sim_stale(sim, event))
        return;
    agent_session_wake(c->agent_session, sim->now_ms);
    sim_agent_pump(sim, c);
}

static bool from_the_wire(enum agent_effect_kind kind) {
    return kind == AGENT_EFFECT_WELCOMED || kind == AGENT_EFFECT_TAKE ||
           kind == AGENT_EFFECT_REJECTED || kind == AGENT_EFFECT_REFUSED;
}

/* True: the session is over. */
static bool carry_out(struct sim *sim, struct sim_conn *c, struct agent_effect *effect) {
    struct sim_agent *a = &sim->agents[c->agent];
    if (from_the_wire(effect->kind) && c->to[SIDE_AGENT].tainted)
        sim_fail(sim, "%s acts on a connection whose bytes were altered", a->name);
    switch (effect->kind) {
    case AGENT_EFFECT_SEND:
        sim_conn_send(sim, c, SIDE_AGENT, effect->data);
        effect->data = NULL;
        return false;
    case AGENT_EFFECT_CLOSE:
        sim_check_close(sim, c, effect->code, effect->reason);
        sim_trace(sim, "%s closes c%llu: %s %.100s", a->name, (unsigned long long)c->id,
                  error_name(effect->code), effect->reason);
        return true;
    case AGENT_EFFECT_WAKE:
        sim_schedule(sim, effect->at_ms - sim->now_ms, c->agent, on_wake)->conn = c->id;
        return false;
    case AGENT_EFFECT_REFUSED:
        a->refused = true;
        sim_agent_add_step(sim, c->agent, c, effect);
        return false;
    case AGENT_EFFECT_WELCOMED:
    case AGENT_EFFECT_TAKE:
    case AGENT_EFFECT_REACHED:
    case AGENT_EFFECT_NEXT:
    case AGENT_EFFECT_ACKED:
    case AGENT_EFFECT_REJECTED:
        sim_agent_add_step(sim, c->agent, c, effect);
        return false;
    }
    return false;
}

static void on_outbox(struct sim *sim, const struct sim_event *event) {
    struct sim_agent *a = &sim->agents[event->node];
    if (!sim_stale(sim, event) && a->outbox_event == event->number)
        sim_agent_outbox(sim, event->node);
}

/* Keys age without anything else happening. */
static void set_outbox_timer(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    int64_t clock = sim_agent_clock(sim, i), at_ms = outbox_wake_at(a->agent, clock);
    a->outbox_event = UINT64_MAX;
    if (at_ms == INT64_MAX)
        return;
    a->outbox_event =
        sim_schedule(sim, at_ms > clock ? at_ms - clock : RETRY_MIN_MS, i, on_outbox)->number;
}

/* Joining is done when our admission stands in the hub's feed. */
static bool finish_join(struct sim *sim, struct sim_conn *c) {
    int i = c->agent;
    struct sim_agent *a = &sim->agents[i];
    struct error e = {0};
    if (agent_joined(a->agent) || !agent_session_caught_up(c->agent_session))
        return true;
    struct ledger_truth meant = *ledger_truth(sim, i);
    sim_disk_arm(sim, &a->disk);
    enum err code = agent_join_finish(a->agent, sim_agent_clock(sim, i), &e);
    bool crashed = sim_disk_disarm(&a->disk);
    if (code != ERR_OK)
        sim_fail(sim, "%s caught up and does not find its admission: %s", a->name, e.detail);
    ledger_wrote(sim, i, &meant, code, crashed);
    sim_trace(sim, "%s joined", a->name);
    if (crashed)
        sim_agent_crash(sim, i);
    return !crashed;
}

static void note_established(struct sim *sim, struct sim_conn *c) {
    struct sim_agent *a = &sim->agents[c->agent];
    if (c->established || !agent_session_established(c->agent_session))
        return;
    c->established = true;
    a->retry_ms = RETRY_MIN_MS;
    a->refused = false;
    agent_note_connection(a->agent, true, ERR_OK, "", sim_agent_clock(sim, c->agent));
}

/* May free the connection. */
void sim_agent_pump(struct sim *sim, struct sim_conn *c) {
    struct agent_effect effect;
    bool over = false;
    while (!over && !sim_agent_full(sim, c) && agent_session_next(c->agent_session, &effect)) {
        over = carry_out(sim, c, &effect);
        if (effect.data)
            blob_unref(effect.data);
    }
    note_established(sim, c);
    set_outbox_timer(sim, c->agent);
    if (over)
        sim_agent_over(sim, c);
    else
        finish_join(sim, c);
}

/* What the machine asked for before it closed is still done, as the real loop does. */
void sim_agent_over(struct sim *sim, struct sim_conn *c) {
    uint64_t id = c->id;
    sim_agent_flush(sim, c->agent);
    c = sim_conn_find(sim, id);
    if (c && c->agent_open)
        sim_conn_leave(sim, c, SIDE_AGENT, true);
}

void sim_agent_outbox(struct sim *sim, int i) {
    struct sim_conn *c = sim_conn_find(sim, sim->agents[i].conn);
    if (!c || !c->agent_open)
        return;
    agent_session_outbox(c->agent_session, sim->now_ms);
    sim_agent_pump(sim, c);
}

/* ---- the network's calls ---- */

bool sim_agent_full(const struct sim *sim, const struct sim_conn *c) {
    return sim->agents[c->agent].step_count >= sim->climate.batch;
}

void sim_agent_receive(struct sim *sim, struct sim_conn *c, struct bytes message) {
    agent_session_bytes(c->agent_session, message, sim->now_ms);
    sim_agent_pump(sim, c);
}

void sim_agent_queued(struct sim *sim, struct sim_conn *c) {
    agent_session_queued(c->agent_session, c->to[SIDE_HUB].bytes, sim->now_ms);
    sim_agent_pump(sim, c);
}

void sim_agent_drop(struct sim *sim, struct sim_conn *c) {
    (void)sim;
    agent_session_free(c->agent_session);
    c->agent_session = NULL;
}

void sim_agent_ended(struct sim *sim, struct sim_conn *c) {
    struct sim_agent *a = &sim->agents[c->agent];
    sim_agent_drop(sim, c);
    if (a->conn != c->id)
        return;
    a->conn = 0;
    sim_agent_forget_steps(sim, c->agent);
    if (!a->agent)
        return;
    agent_note_connection(a->agent, false, ERR_UNAVAILABLE, "ended",
                          sim_agent_clock(sim, c->agent));
    retry(sim, c->agent);
}

/* ---- life ---- */

void sim_agent_note(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    a->key = agent_keys(a->agent)->pub;
    if (agent_member(a->agent)) {
        a->member = *agent_member(a->agent);
        a->known = true;
    }
}

/* `join URI`, again after a crash that came in between. */
static bool begin_join(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    struct ledger_truth meant = *ledger_truth(sim, i);
    struct invite invite;
    struct error e = {0};
    enum err err = invite_parse(a->uri, &invite, &e);
    sim_disk_arm(sim, &a->disk);
    if (!err)
        err = agent_join_begin(a->agent, &invite, bytes_of(NULL, 0), sim_agent_clock(sim, i), &e);
    bool crashed = sim_disk_disarm(&a->disk);
    if (err)
        sim_fail(sim, "%s cannot begin to join: %s", a->name, e.detail);
    ledger_wrote(sim, i, &meant, err, crashed);
    sim_agent_note(sim, i);
    if (crashed)
        sim_agent_crash(sim, i);
    return !err && !crashed;
}

bool sim_agent_start(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    struct error e = {0};
    sim->entropy = sim_entropy(sim);
    enum err err = sim_disk_open(sim, &a->disk, i, &e);
    if (!err)
        err = agent_open(a->disk.dir, a->disk.vfs_name, &sim->entropy, &a->agent, &e);
    if (err) {
        sim_fail(sim, "%s does not open after a crash: %s: %s", a->name, error_name(err), e.detail);
        return false;
    }
    a->retry_ms = RETRY_MIN_MS;
    a->connect_scheduled = a->batch_scheduled = false;
    a->outbox_event = UINT64_MAX;
    a->known = false;
    sim_agent_note(sim, i);
    if (sim->mutation == MUTATION_AGENT_NO_SYNC)
        ledger_agent_no_sync(sim, i);
    sim_trace(sim, "%s up", a->name);
    ledger_agent_restarted(sim, i);
    if (!sim->failed && (a->known || begin_join(sim, i)))
        sim_agent_connect_soon(sim, i, sim_delay(sim, 2000));
    return !sim->failed;
}

static void on_restart(struct sim *sim, const struct sim_event *event) {
    if (!sim_stale(sim, event))
        sim_agent_start(sim, event->node);
}

void sim_agent_crash(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    struct agent *agent = a->agent;
    if (!agent)
        return;
    sim_disk_cut(sim, &a->disk);
    sim->seen.crashes++;
    ledger_agent_closes(sim, i);
    a->agent = NULL;
    a->epoch++;
    sim_agent_forget_steps(sim, i);
    struct sim_conn *c = sim_conn_find(sim, a->conn);
    if (c)
        sim_conn_leave(sim, c, SIDE_AGENT, false);
    agent_close(agent);
    sim_disk_swap(sim, &a->disk);
    int64_t down_ms = sim_delay(sim, RESTART_MS);
    sim_trace(sim, "%s crashes, %s, down %lld ms", a->name,
              a->disk.crash_seed ? "torn" : "all unsynced lost", (long long)down_ms);
    sim_schedule(sim, down_ms, i, on_restart);
}

void sim_agent_stop(struct sim *sim, int i) {
    sim_agent_forget_steps(sim, i);
    blob_unref(sim->agents[i].kept_state);
    ledger_agent_closes(sim, i);
    agent_close(sim->agents[i].agent);
    sim->agents[i].agent = NULL;
    sim_disk_done(&sim->agents[i].disk);
}
