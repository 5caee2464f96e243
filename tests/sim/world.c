/* Owns time and order in the simulated world: the heap of events, the trace, the verdict.
 * Must not know what an event does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

const char *const sim_mutation_names[MUTATION_COUNT] = {
    [MUTATION_NONE] = "none",
    [MUTATION_ACK_BEFORE_COMMIT] = "ack-before-commit",
    [MUTATION_SEND_BEFORE_COMMIT] = "send-before-commit",
    [MUTATION_HUB_NO_SYNC] = "hub-no-sync",
    [MUTATION_AGENT_NO_SYNC] = "agent-no-sync",
    [MUTATION_NO_VERIFY] = "no-verify",
    [MUTATION_LOST_TAKE] = "lost-take",
    [MUTATION_FORGET_KEEPS_KEY] = "forget-keeps-key",
    [MUTATION_NO_REKEY] = "no-rekey",
    [MUTATION_OLD_KEY] = "old-key",
    [MUTATION_OLD_PICTURE] = "old-picture",
    [MUTATION_PAINTED_PICTURE] = "painted-picture",
    [MUTATION_WRONG_SUM] = "wrong-sum",
    [MUTATION_WIDE_POLICY] = "wide-policy",
    [MUTATION_OPEN_CHANNEL] = "open-channel",
    [MUTATION_NO_NEWS] = "no-news",
    [MUTATION_STRAY_KEY] = "stray-key",
    [MUTATION_FINER_FIGURE] = "finer-figure",
    [MUTATION_STRAY_PICTURE] = "stray-picture",
    [MUTATION_EARLIER_PICTURE] = "earlier-picture",
    [MUTATION_BUSY_READS] = "busy-reads",
};

/* ---- trace and verdict ---- */

static void trace_line(struct sim *sim, const char *text) {
    int64_t t = sim->now_ms - SIM_START_MS;
    char *line = sim->trace[sim->trace_count++ % SIM_TRACE_LINES];
    snprintf(line, SIM_TRACE_SIZE, "%3" PRId64 "d %02d:%02d:%02d.%03d #%-3d %s", t / SIM_DAY_MS,
             (int)(t / 3600000 % 24), (int)(t / 60000 % 60), (int)(t / 1000 % 60), (int)(t % 1000),
             sim->step, text);
    for (const char *c = line; *c; c++) /* FNV-1a */
        sim->digest = (sim->digest ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    if (sim->verbose)
        fprintf(stderr, "%s\n", line);
}

void sim_trace(struct sim *sim, const char *fmt, ...) {
    char text[SIM_TRACE_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    trace_line(sim, text);
}

void sim_fail(struct sim *sim, const char *fmt, ...) {
    if (sim->failed)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(sim->failure, sizeof sim->failure, fmt, args);
    va_end(args);
    sim->failed = true;
    trace_line(sim, sim->failure);
}

const char *sim_name(const struct sim *sim, int node) {
    return node == SIM_HUB ? "hub" : sim->agents[node].name;
}

uint64_t sim_epoch(const struct sim *sim, int node) {
    return node == SIM_HUB ? sim->hub.epoch : sim->agents[node].epoch;
}

bool sim_stale(const struct sim *sim, const struct sim_event *event) {
    return event->epoch != sim_epoch(sim, event->node);
}

/* ---- chance ---- */

bool sim_hits(struct sim *sim, unsigned permille) {
    return !sim->calm && permille > 0 && prng_chance(&sim->prng, permille);
}

int64_t sim_delay(struct sim *sim, int64_t most_ms) {
    if (most_ms <= 0 || prng_chance(&sim->prng, 300))
        return 0;
    int64_t most = prng_chance(&sim->prng, 800) ? most_ms / 8 + 1 : most_ms;
    return prng_between(&sim->prng, 0, most);
}

/* ---- the heap ---- */

static bool earlier(const struct sim_event *a, const struct sim_event *b) {
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms;
    return a->tie != b->tie ? a->tie < b->tie : a->number < b->number;
}

static void swap(struct sim_event *a, struct sim_event *b) {
    struct sim_event kept = *a;
    *a = *b;
    *b = kept;
}

struct sim_event *sim_schedule(struct sim *sim, int64_t in_ms, int node,
                               void (*run)(struct sim *sim, const struct sim_event *event)) {
    if (sim->event_count == sim->event_cap) {
        sim->event_cap = sim->event_cap ? sim->event_cap * 2 : 256;
        sim->events = realloc(sim->events, sim->event_cap * sizeof *sim->events);
        if (!sim->events)
            abort();
    }
    size_t i = sim->event_count++;
    sim->events[i] = (struct sim_event){.at_ms = sim->now_ms + (in_ms > 0 ? in_ms : 0),
                                        .tie = prng_next(&sim->prng),
                                        .number = sim->next_event++,
                                        .run = run,
                                        .node = node,
                                        .epoch = sim_epoch(sim, node)};
    while (i > 0 && earlier(&sim->events[i], &sim->events[(i - 1) / 2])) {
        swap(&sim->events[i], &sim->events[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return &sim->events[i];
}

static struct sim_event take_first(struct sim *sim) {
    struct sim_event first = sim->events[0];
    sim->events[0] = sim->events[--sim->event_count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < sim->event_count && earlier(&sim->events[left], &sim->events[least]))
            least = left;
        if (right < sim->event_count && earlier(&sim->events[right], &sim->events[least]))
            least = right;
        if (least == i)
            return first;
        swap(&sim->events[i], &sim->events[least]);
        i = least;
    }
}

void sim_run_until(struct sim *sim, int64_t at_ms) {
    while (!sim->failed && sim->event_count > 0 && sim->events[0].at_ms <= at_ms) {
        struct sim_event event = take_first(sim);
        sim->now_ms = event.at_ms;
        sim->seen.events++;
        event.run(sim, &event);
    }
    if (!sim->failed && sim->now_ms < at_ms)
        sim->now_ms = at_ms;
}
