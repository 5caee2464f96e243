/* Owns the simulated hub's network thread: its ends of connections and their session machines, as
 * hub/net.c and hub/connection.c run them. Must not touch the store (keeper_node.c). */
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "sim.h"

#define RESTART_MS 60000

static void pump(struct sim *sim, struct sim_conn *c);

/* ---- jobs ---- */

void sim_job_free(struct sim_job *job) {
    if (!job)
        return;
    blob_unref(job->data);
    blob_unref(job->hub_hello);
    entry_free(job->entry);
    page_done(&job->page);
    hub_news_done(&job->news);
    free(job);
}

static struct sim_job *job_new(enum sim_job_kind kind) {
    struct sim_job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->kind = kind;
    return job;
}

static void submit(struct sim *sim, struct sim_conn *c, enum sim_job_kind kind,
                   struct hub_effect *effect) {
    struct sim_job *job = job_new(kind);
    job->conn = c->id;
    job->req = effect->req;
    job->data = effect->data;
    effect->data = NULL;
    job->agent = effect->agent;
    job->cursors = effect->cursors;
    job->max_bytes = effect->max_bytes;
    if (kind == JOB_GREET)
        job->hub_hello = blob_new(effect->hub_hello);
    job->suspect = c->to[SIDE_HUB].tainted || c->to[SIDE_AGENT].first_tainted;
    if (kind == JOB_ACCEPT && c->to[SIDE_HUB].tainted)
        sim_fail(sim, "the hub takes an entry from a connection whose bytes were altered");
    sim_hub_submit(sim, job);
}

static void note(struct sim *sim, const struct public_key *agent, bool connected) {
    struct sim_job *job = job_new(JOB_NOTE);
    job->agent = *agent;
    job->connected = connected;
    sim_hub_submit(sim, job);
}

/* ---- effects ---- */

static struct sim_conn *current_of(struct sim *sim, const struct public_key *agent) {
    for (struct sim_conn *c = sim->conns; c; c = c->next)
        if (c->hub_open && c->current && key_equal(&c->key, agent))
            return c;
    return NULL;
}

static void expel(struct sim *sim, struct sim_conn *c, enum err code) {
    sim_trace(sim, "hub expels %s c%llu: %s", sim_name(sim, c->agent), (unsigned long long)c->id,
              error_name(code));
    hub_session_expel(c->hub_session, code, error_text(code), sim->now_ms);
    pump(sim, c);
}

static void joined(struct sim *sim, struct sim_conn *c, const struct public_key *agent) {
    struct sim_conn *before = current_of(sim, agent);
    c->key = *agent;
    c->current = true;
    sim->seen.joins++;
    if (before) {
        before->current = false;
        expel(sim, before, ERR_SUPERSEDED);
    }
    note(sim, agent, true);
}

/* True: the session is over. */
static bool carry_out(struct sim *sim, struct sim_conn *c, struct hub_effect *effect);

static void on_wake(struct sim *sim, const struct sim_event *event) {
    struct sim_conn *c = sim_conn_find(sim, event->conn);
    if (!c || !c->hub_open || sim_stale(sim, event))
        return;
    hub_session_wake(c->hub_session, sim->now_ms);
    pump(sim, c);
}

static bool carry_out(struct sim *sim, struct sim_conn *c, struct hub_effect *effect) {
    switch (effect->kind) {
    case HUB_EFFECT_SEND:
        sim_conn_send(sim, c, SIDE_HUB, effect->data);
        effect->data = NULL;
        return false;
    case HUB_EFFECT_CLOSE:
        sim_check_close(sim, c, effect->code, effect->reason);
        if (effect->code != ERR_OK)
            sim_trace(sim, "hub closes %s c%llu: %s %.100s", sim_name(sim, c->agent),
                      (unsigned long long)c->id, error_name(effect->code), effect->reason);
        return true;
    case HUB_EFFECT_WAKE:
        sim_schedule(sim, effect->at_ms - sim->now_ms, SIM_HUB, on_wake)->conn = c->id;
        return false;
    case HUB_EFFECT_GREET:
        submit(sim, c, JOB_GREET, effect);
        return false;
    case HUB_EFFECT_ACCEPT:
        submit(sim, c, JOB_ACCEPT, effect);
        return false;
    case HUB_EFFECT_LOAD:
        submit(sim, c, JOB_LOAD, effect);
        return false;
    case HUB_EFFECT_JOINED:
        joined(sim, c, &effect->agent);
        return false;
    }
    return false;
}

/* May free the connection. */
static void pump(struct sim *sim, struct sim_conn *c) {
    struct hub_effect effect;
    bool over = false;
    while (!over && hub_session_next(c->hub_session, &effect)) {
        over = carry_out(sim, c, &effect);
        blob_unref(effect.data);
    }
    if (over)
        sim_conn_leave(sim, c, SIDE_HUB, true);
}

/* ---- answers ---- */

static void spread_news(struct sim *sim, const struct hub_news *news) {
    uint64_t ids[SIM_MAX_AGENTS * 4];
    size_t count = 0;
    for (struct sim_conn *c = sim->conns; c && news->hub_feed; c = c->next)
        if (c->hub_open && c->current && count < sizeof ids / sizeof ids[0])
            ids[count++] = c->id;
    for (size_t i = 0; i < news->agent_count && !news->hub_feed; i++) {
        struct sim_conn *c = current_of(sim, &news->agents[i]);
        if (c && count < sizeof ids / sizeof ids[0])
            ids[count++] = c->id;
    }
    for (size_t i = 0; i < count; i++) {
        struct sim_conn *c = sim_conn_find(sim, ids[i]);
        if (!c || !c->hub_open)
            continue;
        hub_session_news(c->hub_session, sim->now_ms);
        pump(sim, c);
    }
    for (size_t i = 0; i < news->expelled_count; i++) {
        struct sim_conn *c = current_of(sim, &news->expelled[i].agent);
        if (c)
            expel(sim, c, news->expelled[i].code);
    }
}

/* An admission and an ack are promises. */
static void check_promise(struct sim *sim, const struct sim_job *job) {
    bool good = job->kind == JOB_GREET ? job->greeting.code == ERR_OK : job->code == ERR_OK;
    if (!good || !sim->watch_sync)
        return;
    sim->seen.acks += job->kind == JOB_ACCEPT;
    if (!job->committed)
        sim_fail(sim, "the hub answers before its commit");
    sim_disk_check(sim, &sim->hub.disk, job->moment, "the hub answers");
}

static void answer(struct sim *sim, struct sim_conn *c, struct sim_job *job) {
    if (job->kind == JOB_GREET || job->kind == JOB_ACCEPT)
        check_promise(sim, job);
    switch (job->kind) {
    case JOB_GREET:
        hub_session_greeted(c->hub_session, job->req, &job->greeting, sim->now_ms);
        break;
    case JOB_ACCEPT:
        if (job->code == ERR_OK)
            ledger_told(sim, c->agent, &job->entry_head);
        else
            sim_trace(sim, "hub rejects %s %llu: %s %.90s", sim_name(sim, c->agent),
                      (unsigned long long)job->entry_head.seq, error_name(job->code),
                      job->error.detail);
        hub_session_accepted(c->hub_session, job->req, job->code, &job->error,
                             job->entry ? &job->entry_head : NULL, &job->head, sim->now_ms);
        break;
    case JOB_LOAD:
        hub_session_loaded(c->hub_session, job->req, job->code, &job->page, sim->now_ms);
        break;
    case JOB_NOTE:
    case JOB_NEWS:
        return;
    }
    pump(sim, c);
}

void sim_hub_finish(struct sim *sim, struct sim_job *job) {
    struct sim_conn *c = sim_conn_find(sim, job->conn);
    if (job->kind == JOB_NEWS)
        spread_news(sim, &job->news);
    else if (c && c->hub_open)
        answer(sim, c, job);
}

/* ---- the network's calls ---- */

void sim_hub_accept(struct sim *sim, struct sim_conn *c) {
    struct error e = {0};
    struct entropy entropy = sim_entropy(sim);
    sim->entropy = entropy;
    if (hub_session_new(hub_keys(sim->hub.hub), &sim->entropy, sim->now_ms, &c->hub_session, &e))
        sim_fail(sim, "the hub cannot start a session: %s", e.detail);
    else
        pump(sim, c);
}

void sim_hub_receive(struct sim *sim, struct sim_conn *c, struct bytes message) {
    hub_session_bytes(c->hub_session, message, sim->now_ms);
    pump(sim, c);
}

void sim_hub_queued(struct sim *sim, struct sim_conn *c) {
    hub_session_queued(c->hub_session, c->to[SIDE_AGENT].bytes, sim->now_ms);
    pump(sim, c);
}

void sim_hub_drop(struct sim *sim, struct sim_conn *c) {
    (void)sim;
    hub_session_free(c->hub_session);
    c->hub_session = NULL;
}

void sim_hub_ended(struct sim *sim, struct sim_conn *c) {
    sim_hub_drop(sim, c);
    if (c->current && sim->hub.hub)
        note(sim, &c->key, false);
    c->current = false;
}

/* ---- life ---- */

static void break_mutated(struct sim *sim) {
#ifdef PLEK_FAILPOINTS
    if (sim->mutation == MUTATION_HUB_NO_SYNC)
        ledger_hub_no_sync(sim);
#else
    (void)sim;
#endif
}

bool sim_hub_start(struct sim *sim) {
    struct error e = {0};
    struct sim_hub *h = &sim->hub;
    sim->entropy = sim_entropy(sim);
    enum err err = sim_disk_open(sim, &h->disk, SIM_HUB, &e);
    if (!err)
        err = hub_open(h->disk.dir, h->disk.vfs_name, &sim->entropy, &h->hub, &e);
    if (err) {
        sim_fail(sim, "the hub does not open after a crash: %s: %s", error_name(err), e.detail);
        return false;
    }
    break_mutated(sim);
    sim_trace(sim, "hub up");
    ledger_hub_restarted(sim);
    return !sim->failed;
}

static void leave_all(struct sim *sim) {
    for (struct sim_conn *c = sim->conns; c;) {
        if (!c->hub_open) {
            c = c->next;
            continue;
        }
        sim_conn_leave(sim, c, SIDE_HUB, false);
        c = sim->conns;
    }
}

static void on_restart(struct sim *sim, const struct sim_event *event) {
    if (!sim_stale(sim, event))
        sim_hub_start(sim);
}

void sim_hub_crash(struct sim *sim) {
    struct sim_hub *h = &sim->hub;
    struct hub *hub = h->hub;
    if (!hub)
        return;
    sim_disk_cut(sim, &h->disk);
    sim->seen.crashes++;
    ledger_hub_closes(sim);
    h->hub = NULL;
    h->epoch++;
    sim_hub_forget_jobs(sim);
    leave_all(sim);
    hub_close(hub);
    sim_disk_swap(sim, &h->disk);
    int64_t down_ms = sim_delay(sim, RESTART_MS);
    sim_trace(sim, "hub crashes, %s, down %lld ms",
              h->disk.crash_seed ? "torn" : "all unsynced lost", (long long)down_ms);
    sim_schedule(sim, down_ms, SIM_HUB, on_restart);
}

void sim_hub_stop(struct sim *sim) {
    sim_hub_forget_jobs(sim);
    ledger_hub_closes(sim);
    hub_close(sim->hub.hub);
    sim->hub.hub = NULL;
    sim_disk_done(&sim->hub.disk);
}
