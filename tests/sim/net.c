/* Owns the simulated network: whole messages in order per direction, as TCP under a websocket gives
 * them; lines that break at any moment; and somebody in the middle who drops, repeats, swaps,
 * changes and invents. Must not know what a message says. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define FULL_MS 20      /* until an end that has its hands full looks again */
#define NOTICE_MS 50000 /* both shells hang up a silent line after that long */

struct sim_conn *sim_conn_find(struct sim *sim, uint64_t id) {
    for (struct sim_conn *c = sim->conns; c; c = c->next)
        if (c->id == id)
            return c;
    return NULL;
}

/* ---- ways ---- */

static size_t message_len(const struct sim_message *m) {
    return m->data ? blob_bytes(m->data).len : 0;
}

static void free_message(struct sim_message *m) {
    blob_unref(m->data);
    free(m);
}

static void way_clear(struct sim_way *way) {
    while (way->first) {
        struct sim_message *m = way->first;
        way->first = m->next;
        free_message(m);
    }
    way->last = NULL;
    way->bytes = 0;
}

static struct sim_message *message_new(struct blob *take_data, uint64_t number, int64_t due_ms) {
    struct sim_message *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    *m = (struct sim_message){.data = take_data, .number = number, .due_ms = due_ms};
    return m;
}

/* Nothing overtakes: what comes later is due no earlier. */
static void way_append(struct sim_way *way, struct sim_message *m) {
    if (way->last && way->last->due_ms > m->due_ms)
        m->due_ms = way->last->due_ms;
    if (way->last)
        way->last->next = m;
    else
        way->first = m;
    way->last = m;
    way->bytes += message_len(m);
}

static void remove_conn(struct sim *sim, struct sim_conn *c) {
    if (c->hub_open || c->agent_open)
        return;
    for (struct sim_conn **at = &sim->conns; *at; at = &(*at)->next) {
        if (*at != c)
            continue;
        *at = c->next;
        break;
    }
    way_clear(&c->to[SIDE_HUB]);
    way_clear(&c->to[SIDE_AGENT]);
    free(c);
}

static void schedule_way(struct sim *sim, struct sim_conn *c, enum sim_side to);

/* ---- the man in the middle ---- */

static struct blob *changed(struct sim *sim, struct bytes in) {
    uint8_t *copy = malloc(in.len ? in.len : 1);
    if (!copy)
        abort();
    memcpy(copy, in.data, in.len);
    size_t len = in.len;
    if (len > 0 && prng_chance(&sim->prng, 150))
        len = (size_t)prng_below(&sim->prng, len);
    else if (len > 0)
        copy[prng_below(&sim->prng, len)] ^= (uint8_t)(1u << prng_below(&sim->prng, 8));
    return blob_take(copy, len);
}

static void change_message(struct sim *sim, struct sim_message *m) {
    if (sim->mutation != MUTATION_OPEN_CHANNEL) {
        struct blob *data = changed(sim, blob_bytes(m->data));
        blob_unref(m->data);
        m->data = data;
    }
    m->altered = true;
}

/* What becomes of a message that somebody holds in hand. Appends what goes on. */
static void meddle(struct sim *sim, struct sim_conn *c, enum sim_side to, struct sim_message *m) {
    struct sim_way *way = &c->to[to];
    struct sim_message *last = way->last;
    bool same_way = sim->old.conn == c->id && sim->old.to == to;
    sim->seen.altered++;
    switch (prng_below(&sim->prng, 5)) {
    case 0: /* gone */
        free_message(m);
        return;
    case 1: /* twice */
        way_append(way, m);
        way_append(way, message_new(blob_ref(m->data), m->number, m->due_ms));
        return;
    case 2: /* the other way round */
        if (last && last->data && last->number != m->number) {
            struct blob *data = last->data;
            uint64_t number = last->number;
            bool altered = last->altered;
            last->data = m->data;
            last->number = m->number;
            last->altered = m->altered;
            m->data = data;
            m->number = number;
            m->altered = altered;
        }
        way_append(way, m);
        return;
    case 3: /* something said before, here or elsewhere */
        if (sim->old.data)
            way_append(way, message_new(blob_ref(sim->old.data),
                                        same_way ? sim->old.number : UINT64_MAX, m->due_ms));
        way_append(way, m);
        return;
    default:
        change_message(sim, m);
        way_append(way, m);
        return;
    }
}

void sim_conn_send(struct sim *sim, struct sim_conn *c, enum sim_side from,
                   struct blob *take_data) {
    enum sim_side to = from == SIDE_HUB ? SIDE_AGENT : SIDE_HUB;
    struct sim_way *way = &c->to[to];
    bool listening = to == SIDE_HUB ? c->hub_open : c->agent_open;
    if (c->cut || !listening) {
        way->given++;
        blob_unref(take_data);
        return;
    }
    struct sim_old old = {.conn = c->id, .to = to, .number = way->given};
    if (sim_hits(sim, 20))
        old.data = blob_ref(take_data);
    int64_t due_ms = sim->now_ms + sim_delay(sim, sim->climate.slow_ms);
    struct sim_message *m = message_new(take_data, way->given++, due_ms);
    if (c->hostile && sim_hits(sim, 60))
        meddle(sim, c, to, m);
    else
        way_append(way, m);
    if (old.data) {
        blob_unref(sim->old.data);
        sim->old = old;
    }
    schedule_way(sim, c, to);
    if (sim_hits(sim, sim->climate.cut))
        sim_conn_cut(sim, c);
}

/* ---- delivery ---- */

/* A machine that was given something else than what was sent must be closed by it. */
static void check_tainted(struct sim *sim, uint64_t id, enum sim_side side) {
    struct sim_conn *c = sim_conn_find(sim, id);
    if (sim->failed || !c)
        return;
    bool open = side == SIDE_HUB ? c->hub_open && hub_session_established(c->hub_session)
                                 : c->agent_open && agent_session_established(c->agent_session);
    if (open)
        sim_fail(sim,
                 "the %s of connection %llu stays open after a message that was not the next "
                 "one its peer sent",
                 side == SIDE_HUB ? "hub's end" : "agent's end", (unsigned long long)id);
}

void sim_check_close(struct sim *sim, const struct sim_conn *c, enum err code, const char *reason) {
    bool blames =
        code == ERR_CAP || code == ERR_PROTOCOL || code == ERR_DECRYPT || code == ERR_INTERNAL;
    if (blames && !c->hostile)
        sim_fail(sim, "connection %llu closes although nobody meddled with it: %s %s",
                 (unsigned long long)c->id, error_name(code), reason);
}

static void deliver(struct sim *sim, struct sim_conn *c, enum sim_side side,
                    struct sim_message *m) {
    struct sim_way *way = &c->to[side];
    uint64_t id = c->id;
    bool listening = side == SIDE_HUB ? c->hub_open : c->agent_open;
    if (!listening)
        return;
    if (!m->data) {
        sim_conn_leave(sim, c, side, false);
        return;
    }
    if (m->altered || m->number != way->expected)
        way->tainted = true;
    way->first_tainted |= way->tainted && way->expected == 0;
    way->expected++;
    bool tainted = way->tainted;
    if (side == SIDE_HUB)
        sim_hub_receive(sim, c, blob_bytes(m->data));
    else
        sim_agent_receive(sim, c, blob_bytes(m->data));
    if (tainted)
        check_tainted(sim, id, side);
    c = sim_conn_find(sim, id);
    if (c && side == SIDE_AGENT && c->hub_open)
        sim_hub_queued(sim, c);
    c = sim_conn_find(sim, id);
    if (c && side == SIDE_HUB && c->agent_open)
        sim_agent_queued(sim, c);
}

static void on_due(struct sim *sim, const struct sim_event *event) {
    struct sim_conn *c = sim_conn_find(sim, event->conn);
    if (!c)
        return;
    enum sim_side side = (enum sim_side)event->worker;
    struct sim_way *way = &c->to[side];
    way->scheduled = false;
    struct sim_message *m = way->first;
    if (!m)
        return;
    if (side == SIDE_HUB ? sim_hub_full(sim)
                         : sim_agent_full(sim, c) && sim->mutation != MUTATION_BUSY_READS)
        m->due_ms = sim->now_ms + FULL_MS;
    if (m->due_ms > sim->now_ms) {
        schedule_way(sim, c, side);
        return;
    }
    way->first = m->next;
    if (!way->first)
        way->last = NULL;
    way->bytes -= message_len(m);
    deliver(sim, c, side, m);
    free_message(m);
    c = sim_conn_find(sim, event->conn);
    if (c)
        schedule_way(sim, c, side);
}

static void schedule_way(struct sim *sim, struct sim_conn *c, enum sim_side to) {
    struct sim_way *way = &c->to[to];
    if (way->scheduled || !way->first)
        return;
    way->scheduled = true;
    struct sim_event *event = sim_schedule(sim, way->first->due_ms - sim->now_ms, SIM_HUB, on_due);
    event->conn = c->id;
    event->worker = (int)to;
}

/* ---- life ---- */

struct sim_conn *sim_conn_open(struct sim *sim, int agent) {
    struct sim_conn *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->id = ++sim->next_conn;
    c->agent = agent;
    c->hostile = sim_hits(sim, sim->climate.hostile);
    c->hub_open = c->agent_open = true;
    c->next = sim->conns;
    sim->conns = c;
    return c;
}

void sim_conn_leave(struct sim *sim, struct sim_conn *c, enum sim_side side, bool orderly) {
    bool *open = side == SIDE_HUB ? &c->hub_open : &c->agent_open;
    if (!*open)
        return;
    *open = false;
    way_clear(&c->to[side]);
    if (side == SIDE_HUB)
        sim_hub_ended(sim, c);
    else
        sim_agent_ended(sim, c);
    enum sim_side other = side == SIDE_HUB ? SIDE_AGENT : SIDE_HUB;
    bool other_open = other == SIDE_HUB ? c->hub_open : c->agent_open;
    if (other_open && !c->cut && orderly) {
        way_append(&c->to[other], message_new(NULL, UINT64_MAX, sim->now_ms));
        schedule_way(sim, c, other);
    } else if (other_open) {
        sim_conn_cut(sim, c);
    }
    remove_conn(sim, c);
}

static void on_notice(struct sim *sim, const struct sim_event *event) {
    struct sim_conn *c = sim_conn_find(sim, event->conn);
    if (c)
        sim_conn_leave(sim, c, (enum sim_side)event->worker, false);
}

/* What was on its way and had not arrived is lost, from a random point on. */
static void lose_tail(struct sim *sim, struct sim_way *way) {
    size_t count = 0;
    for (struct sim_message *m = way->first; m; m = m->next)
        count++;
    size_t keep = (size_t)prng_below(&sim->prng, count + 1);
    struct sim_message *last = NULL, *m = way->first;
    for (size_t i = 0; i < keep; i++) {
        last = m;
        m = m->next;
    }
    if (last)
        last->next = NULL;
    else
        way->first = NULL;
    way->last = last;
    while (m) {
        struct sim_message *next = m->next;
        way->bytes -= message_len(m);
        free_message(m);
        m = next;
    }
}

void sim_conn_cut(struct sim *sim, struct sim_conn *c) {
    if (c->cut)
        return;
    c->cut = true;
    sim->seen.cuts++;
    for (int side = 0; side < 2; side++) {
        if (!(side == SIDE_HUB ? c->hub_open : c->agent_open))
            continue;
        lose_tail(sim, &c->to[side]);
        int64_t in_ms = prng_chance(&sim->prng, 500) ? 0 : sim_delay(sim, NOTICE_MS);
        int64_t last_ms = c->to[side].last ? c->to[side].last->due_ms - sim->now_ms : 0;
        struct sim_event *event =
            sim_schedule(sim, in_ms > last_ms ? in_ms : last_ms + 1, SIM_HUB, on_notice);
        event->conn = c->id;
        event->worker = side;
    }
}

void sim_net_free(struct sim *sim) {
    while (sim->conns) {
        struct sim_conn *c = sim->conns;
        sim->conns = c->next;
        sim_hub_drop(sim, c);
        sim_agent_drop(sim, c);
        way_clear(&c->to[SIDE_HUB]);
        way_clear(&c->to[SIDE_AGENT]);
        free(c);
    }
    blob_unref(sim->old.data);
    blob_unref(sim->old_excerpt);
    sim->old = (struct sim_old){0};
    sim->old_excerpt = NULL;
}
