/* Measures what 1,000 to 1,000,000 stored entries cost a hub: taking one more, starting, serving a
 * reader that was away. Source: design 8. */
#include "growth.h"

#define FAMILY "stored entries"
#define AGENTS 200
#define PHASE_SECONDS 1200

struct stock {
    struct testbed t; /* puppets [0, AGENTS) publish, puppet AGENTS reads */
    struct process_usage rested;
};

static bool all_stored(void *ctx) {
    const struct stock *s = ctx;
    for (size_t i = 0; i < AGENTS; i++)
        if (s->t.puppets[i].acked_seq < s->t.puppets[i].entry_count)
            return false;
    return true;
}

/* Each agent's feed grows to `each` entries; sealed before anything is sent. */
static enum err seal(struct stock *s, size_t each, struct error *e) {
    const struct puppet *reader[] = {&s->t.puppets[AGENTS]};
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    enum err err = ERR_OK;
    for (size_t i = 0; i < AGENTS && err == ERR_OK; i++) {
        struct puppet *p = &s->t.puppets[i];
        p->window = (uint64_t)s->t.bench->window;
        if (p->entry_count == 0)
            err = puppet_open_feed(p, reader, 1, now_ms, e);
        while (p->entry_count < each && err == ERR_OK)
            err = puppet_seal_state(p, now_ms, e);
    }
    return err;
}

static enum err push(struct stock *s, double *ret_us, struct error *e) {
    struct process_usage before, after;
    uint64_t stored = 0;
    for (size_t i = 0; i < AGENTS; i++)
        stored += s->t.puppets[i].entry_count - s->t.puppets[i].acked_seq;
    enum err err = process_usage(&s->t.hub, &before, e);
    for (size_t i = 0; i < AGENTS && err == ERR_OK; i++)
        err = puppet_connect(&s->t.puppets[i], e);
    if (err == ERR_OK)
        err = testbed_until(&s->t, all_stored, s, PHASE_SECONDS, e);
    if (err == ERR_OK)
        err = process_usage(&s->t.hub, &after, e);
    for (size_t i = 0; i < AGENTS; i++)
        puppet_disconnect(&s->t.puppets[i]);
    if (err == ERR_OK)
        *ret_us = (double)(after.cpu_ns - before.cpu_ns) / 1e3 / (double)stored;
    return err;
}

static bool reader_has_all(void *ctx) {
    const struct stock *s = ctx;
    const struct puppet *reader = &s->t.puppets[AGENTS];
    return peer_caught_up(reader->peer) && reader->taken >= 2 * AGENTS;
}

/* As one that was away since it joined: a grant and a state of each. */
static enum err serve(struct stock *s, double *ret_ms, struct error *e) {
    struct process_usage after;
    struct puppet *reader = &s->t.puppets[AGENTS];
    for (size_t i = 0; i < AGENT_CLASSES; i++)
        reader->after[i] = 0;
    reader->taken = 0;
    enum err err = puppet_connect(reader, e);
    if (err == ERR_OK)
        err = testbed_until(&s->t, reader_has_all, s, PHASE_SECONDS, e);
    if (err == ERR_OK)
        err = process_usage(&s->t.hub, &after, e);
    puppet_disconnect(reader);
    if (err == ERR_OK)
        *ret_ms = (double)(after.cpu_ns - s->rested.cpu_ns) / 1e6;
    return err;
}

static enum err grow(struct bench *b, struct stock *s, size_t entries, struct error *e) {
    double ingest_us = 0, serve_ms = 0;
    enum err err = seal(s, entries / AGENTS, e);
    if (err == ERR_OK)
        err = push(s, &ingest_us, e);
    if (err == ERR_OK)
        err = growth_restart_hub(&s->t, &s->rested, e);
    if (err == ERR_OK)
        err = serve(s, &serve_ms, e);
    if (err != ERR_OK)
        return err;
    const struct growth_value values[] = {
        {"hub, one more entry", "us of CPU", ingest_us},
        {"hub, start", "ms of CPU", (double)s->rested.cpu_ns / 1e6},
        {"hub, a reader of 200 served", "ms of CPU", serve_ms},
        {"hub, private memory", "MiB", s->rested.rss_anon_kib / 1024},
        {"hub, database", "MiB", growth_store_mib(s->t.hub_dir, "hub.db")},
    };
    return growth_add(b, FAMILY, (double)entries, values, sizeof values / sizeof values[0], e);
}

enum err bench_growth_entries(struct bench *b, struct error *e) {
    static struct stock s;
    s = (struct stock){.rested = {.threads = 0}};
    enum err err = testbed_open(&s.t, b, "entries", false, e);
    if (err == ERR_OK)
        err = testbed_join(&s.t, AGENTS + 1, e);
    for (size_t entries = 1000; entries <= (size_t)b->growth_entries && err == ERR_OK;
         entries *= 10)
        err = grow(b, &s, entries, e);
    testbed_close(&s.t);
    return err;
}
