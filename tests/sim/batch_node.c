/* Owns a simulated agent's store effects: batches in one transaction, results after its commit and
 * in an order of their own, power cuts and disk faults in between. Must not know what an effect
 * means. */
#include <stdlib.h>
#include <string.h>

#include "agent/outbox.h"
#include "ledger.h"
#include "sim.h"

static void step_done(struct sim_step *step) {
    blob_unref(step->effect.data);
    blob_unref(step->entry);
    *step = (struct sim_step){0};
}

void sim_agent_forget_steps(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    for (size_t s = 0; s < a->step_count; s++)
        step_done(&a->steps[s]);
    a->step_count = 0;
}

/* ---- results ---- */

static struct blob *forged(struct sim *sim, struct bytes entry) {
    uint8_t *copy = malloc(entry.len);
    if (!copy)
        abort();
    memcpy(copy, entry.data, entry.len);
    copy[prng_below(&sim->prng, entry.len)] ^= (uint8_t)(1u << prng_below(&sim->prng, 8));
    sim->seen.altered++;
    return blob_take(copy, entry.len);
}

static void give_entry(struct sim *sim, struct sim_conn *c, struct sim_step *step) {
    bool some = step->code == ERR_OK && step->entry;
    if (some)
        ledger_sent(sim, c->agent, &step->head);
    if (some && sim_hits(sim, sim->climate.forge)) {
        struct blob *other = forged(sim, blob_bytes(step->entry));
        blob_unref(step->entry);
        step->entry = other;
        sim_trace(sim, "%s pushes damaged bytes as %llu", sim->agents[c->agent].name,
                  (unsigned long long)step->head.seq);
    }
    agent_session_next_entry(c->agent_session, step->effect.req, step->code,
                             some ? step->entry : NULL, &step->head, sim->now_ms);
}

static void complete(struct sim *sim, int i, struct sim_step *step) {
    struct sim_conn *c = sim_conn_find(sim, step->conn);
    if (!c || !c->agent_open || sim->agents[i].conn != c->id)
        return;
    switch (step->effect.kind) {
    case AGENT_EFFECT_NEXT:
        give_entry(sim, c, step);
        break;
    case AGENT_EFFECT_TAKE:
        agent_session_done(c->agent_session, step->effect.req, step->code, sim->now_ms);
        if (step->effect.class_ <= CLASS_GRANTS && agent_dirty(sim->agents[i].agent))
            agent_session_outbox(c->agent_session, sim->now_ms);
        break;
    case AGENT_EFFECT_WELCOMED:
    case AGENT_EFFECT_REACHED:
    case AGENT_EFFECT_ACKED:
        agent_session_done(c->agent_session, step->effect.req, step->code, sim->now_ms);
        break;
    case AGENT_EFFECT_REFUSED:
    case AGENT_EFFECT_REJECTED:
    case AGENT_EFFECT_SEND:
    case AGENT_EFFECT_CLOSE:
    case AGENT_EFFECT_WAKE:
        return;
    }
    sim_agent_pump(sim, c);
}

void sim_agent_free_result(struct sim_event *event) {
    if (event->step)
        step_done(event->step);
    free(event->step);
    event->step = NULL;
}

static void on_result(struct sim *sim, const struct sim_event *event) {
    struct sim_event mine = *event;
    if (!sim_stale(sim, event))
        complete(sim, event->node, event->step);
    sim_agent_free_result(&mine);
}

/* Takes over the step's contents. */
static void complete_later(struct sim *sim, int i, struct sim_step *step, int64_t in_ms) {
    struct sim_step *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = *step;
    *step = (struct sim_step){0};
    sim_schedule(sim, in_ms, i, on_result)->step = kept;
}

/* ---- one transaction ---- */

static bool is_fatal(enum err code) {
    return code == ERR_DISK_FULL || code == ERR_STORE || code == ERR_NO_MEMORY;
}

static bool lose(struct sim *sim, const struct sim_step *step) {
    return sim->mutation == MUTATION_LOST_TAKE && step->effect.kind == AGENT_EFFECT_TAKE &&
           step->effect.class_ == CLASS_STATES && prng_chance(&sim->prng, 100);
}

static void perform(struct sim *sim, int i, struct sim_step *step) {
    struct sim_agent *a = &sim->agents[i];
    struct error e = {0};
    int64_t clock = sim_agent_clock(sim, i);
    sim_mutate_before_take(sim, i, step);
    if (step->effect.kind == AGENT_EFFECT_NEXT)
        step->code = outbox_next(a->agent, &step->effect.head, step->effect.max_bytes, clock,
                                 &step->entry, &step->head, &e);
    else if (!lose(sim, step))
        step->code = agent_perform(a->agent, &step->effect, clock, &e);
    if (!step->code)
        sim_mutate_after_take(sim, i, step);
    sim->seen.takes += step->effect.kind == AGENT_EFFECT_TAKE;
    if (step->code == ERR_OK && step->entry)
        ledger_sealed(sim, i, blob_bytes(step->entry));
    if (step->effect.kind == AGENT_EFFECT_REFUSED || step->effect.kind == AGENT_EFFECT_REJECTED)
        sim_trace(sim, "%s is %s: %s", a->name,
                  step->effect.kind == AGENT_EFFECT_REFUSED ? "refused" : "rejected",
                  error_name(step->effect.code));
    else if (step->code && step->code != ERR_OLD && step->code != ERR_NO_KEY)
        sim_trace(sim, "%s effect %d class %u: %s %.110s", a->name, (int)step->effect.kind,
                  step->effect.class_, error_name(step->code), e.detail);
    if (sim->mutation == MUTATION_SEND_BEFORE_COMMIT && step->entry && !step->code)
        complete(sim, i, step);
}

static enum err run_steps(struct sim *sim, int i, struct sim_step *steps, size_t count,
                          struct error *e) {
    struct agent *agent = sim->agents[i].agent;
    enum err fatal = agent_begin(agent, e);
    bool begun = fatal == ERR_OK;
    if (begun)
        sim_mutate_before_batch(sim, i);
    for (size_t s = 0; s < count && !fatal; s++) {
        perform(sim, i, &steps[s]);
        if (is_fatal(steps[s].code))
            fatal = error_set(e, steps[s].code, "an effect failed");
    }
    if (fatal && begun)
        agent_rollback(agent);
    else if (!fatal)
        fatal = agent_commit(agent, e);
    return fatal;
}

/* What failed takes the whole batch back. */
static void settle(struct sim *sim, int i, struct sim_step *steps, size_t count, enum err fatal) {
    struct sim_agent *a = &sim->agents[i];
    struct error e = {0};
    if (!fatal)
        return;
    for (size_t s = 0; s < count; s++)
        steps[s].code = fatal;
    sim_trace(sim, "%s loses a batch: %s", a->name, error_name(fatal));
    sim_disk_heal(&a->disk);
    if (agent_refresh(a->agent, &e) != ERR_OK)
        sim_fail(sim, "%s cannot read its store again: %s", a->name, e.detail);
    ledger_forget_unsent(sim, i);
}

/* Runs the oldest `count` steps. False: the power went. */
static bool run_batch(struct sim *sim, int i, size_t count) {
    struct sim_agent *a = &sim->agents[i];
    struct sim_step *steps = calloc(count, sizeof *steps);
    struct error e = {0};
    bool taken = false;
    if (!steps)
        abort();
    memcpy(steps, a->steps, count * sizeof *steps);
    a->step_count -= count;
    memmove(a->steps, a->steps + count, a->step_count * sizeof *a->steps);
    sim_disk_arm(sim, &a->disk);
    sim_disk_fault(sim, &a->disk);
    enum err fatal = run_steps(sim, i, steps, count, &e);
    sim_disk_heal(&a->disk);
    if (!fatal)
        sim_disk_check(sim, &a->disk, watch_vfs_now(a->disk.vfs), "an agent goes on");
    bool crashed = sim_disk_disarm(&a->disk) || sim_hits(sim, sim->climate.crash / 2);
    if (crashed)
        sim_agent_crash(sim, i);
    else
        settle(sim, i, steps, count, fatal);
    int64_t in_ms = 0;
    for (size_t s = 0; s < count; s++) {
        taken |= steps[s].effect.kind == AGENT_EFFECT_TAKE && steps[s].effect.class_ != CLASS_HUB;
        int64_t delay = sim_delay(sim, sim->climate.store_ms);
        in_ms = sim->climate.any_order ? delay : in_ms + delay;
        if (crashed)
            step_done(&steps[s]);
        else
            complete_later(sim, i, &steps[s], in_ms);
    }
    free(steps);
    if (taken && !crashed && !fatal)
        ledger_check_reader(sim, i);
    return !crashed;
}

static void schedule_batch(struct sim *sim, int i);

static void on_batch(struct sim *sim, const struct sim_event *event) {
    struct sim_agent *a = &sim->agents[event->node];
    if (sim_stale(sim, event))
        return;
    a->batch_scheduled = false;
    if (a->step_count == 0)
        return;
    size_t count = a->step_count;
    if (prng_chance(&sim->prng, 300))
        count = 1 + (size_t)prng_below(&sim->prng, count);
    if (!run_batch(sim, event->node, count))
        return;
    schedule_batch(sim, event->node);
    struct sim_conn *c = sim_conn_find(sim, a->conn);
    if (c && c->agent_open)
        sim_agent_pump(sim, c);
}

static void schedule_batch(struct sim *sim, int i) {
    struct sim_agent *a = &sim->agents[i];
    if (a->batch_scheduled || a->step_count == 0)
        return;
    a->batch_scheduled = true;
    sim_schedule(sim, sim_delay(sim, sim->climate.store_ms), i, on_batch);
}

void sim_agent_flush(struct sim *sim, int i) {
    if (sim->agents[i].step_count > 0)
        run_batch(sim, i, sim->agents[i].step_count);
}

void sim_agent_add_step(struct sim *sim, int i, struct sim_conn *c, struct agent_effect *effect) {
    struct sim_agent *a = &sim->agents[i];
    a->steps[a->step_count++] = (struct sim_step){.conn = c->id, .effect = *effect};
    effect->data = NULL;
    schedule_batch(sim, i);
}
