/* Owns a small world for test_session_pair.c: both machines, stores made of arrays, two queues of
 * messages and a heap of completions that come back in random order. Every check that something
 * forged was believed, lost or applied out of order stands here. */
#ifndef PLEK_TEST_SESSION_WORLD_H
#define PLEK_TEST_SESSION_WORLD_H

#include "agent/session.h"
#include "hub/session.h"

#include "ring.h"
#include "unit/session_kit.h"

#define CHECK(w, condition) cr_assert(condition, "seed %llu", (unsigned long long)(w)->seed)
#define WORLD_MAX_ITEMS 20000
#define WORLD_ENTRY_MIN 250 /* bytes: as small as entries get */

enum side { SIDE_HUB, SIDE_AGENT };

/* What the hub has for the reader: position and content of each are functions of its index. */
struct shelf {
    size_t count;
    bool taken[WORLD_MAX_ITEMS];
};

enum pending_kind { PENDING_GREET, PENDING_ACCEPT, PENDING_LOAD, PENDING_DONE, PENDING_NEXT };
struct pending {
    enum pending_kind kind;
    uint64_t req;
    struct blob *data; /* GREET */
    enum err code;
    struct head entry, head;
    struct cursors cursors;
    size_t max_bytes, bytes;
};

struct world {
    uint64_t seed;
    struct kit kit;
    struct rng dice; /* apart from the keys' randomness */
    int64_t now;
    /* the stores outlive sessions */
    uint64_t outbox;       /* entries 1..outbox exist at the agent */
    uint64_t outbox_limit; /* news adds up to here */
    uint64_t hub_holds;    /* entries 1..hub_holds are accepted */
    uint64_t acked;
    struct shelf shelves[HUB_CLASSES];
    uint64_t hub_feed_stored;
    uint64_t cursors[HUB_CLASSES];
    unsigned rate_percent; /* of accepts that are rejected as too fast */
    enum err refuse;       /* what the hub's directory says of the agent; ERR_OK: come in */
    /* one session */
    struct hub_session *hub;
    struct agent_session *agent;
    bool closed[2];
    enum err close_code[2];
    bool refused;
    int64_t wake_ms[2];
    struct ring link[2]; /* struct blob *, towards that side */
    struct pending *pending;
    size_t pending_count, pending_cap;
    size_t accept_bytes, take_bytes; /* open at the stores */
    size_t peak_accept_bytes, peak_take_bytes, peak_pending;
    unsigned tamper_per_mille;
    size_t tampered;
    struct ring record[2]; /* struct blob *: all that was sent, when recording */
    bool recording;
};

/* ---- content ---- */

static inline size_t content_len(uint64_t number) {
    return WORLD_ENTRY_MIN + (size_t)(number * 2654435761u % 400);
}

static inline struct blob *content(uint32_t class_, uint64_t number) {
    uint8_t data[WORLD_ENTRY_MIN + 400] = {0};
    struct rng r = {number * 8 + class_};
    rng_fill(&r, data, content_len(number));
    memcpy(data, &number, sizeof number);
    return blob_new(bytes_of(data, content_len(number)));
}
#define CLASS_OWN 7u /* the agent's own entries, for content() */

static inline bool is_content(struct bytes in, uint32_t class_, uint64_t number) {
    struct blob *expected = content(class_, number);
    bool same = bytes_equal(in, blob_bytes(expected));
    blob_unref(expected);
    return same;
}

/* ---- life ---- */

static inline struct world *world_new(uint64_t seed) {
    struct world *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    w->seed = seed;
    kit_init(&w->kit, seed);
    w->dice.state = seed ^ UINT64_C(0xd1ce);
    w->now = 1000000;
    for (int side = 0; side < 2; side++) {
        ring_init(&w->link[side], sizeof(struct blob *), 1000000);
        ring_init(&w->record[side], sizeof(struct blob *), 1000000);
    }
    return w;
}

static inline void clear_blobs(struct ring *r) {
    struct blob *b;
    while (ring_pop(r, &b))
        blob_unref(b);
}

static inline void pending_add(struct world *w, struct pending p) {
    if (w->pending_count == w->pending_cap) {
        w->pending_cap = w->pending_cap * 2 + 16;
        w->pending = realloc(w->pending, w->pending_cap * sizeof *w->pending);
        cr_assert_not_null(w->pending);
    }
    w->pending[w->pending_count++] = p;
    if (w->pending_count > w->peak_pending)
        w->peak_pending = w->pending_count;
}

static inline void world_hang_up(struct world *w) {
    hub_session_free(w->hub);
    agent_session_free(w->agent);
    w->hub = NULL;
    w->agent = NULL;
    for (size_t i = 0; i < w->pending_count; i++)
        blob_unref(w->pending[i].data);
    w->pending_count = 0;
    for (int side = 0; side < 2; side++)
        clear_blobs(&w->link[side]);
}

static inline void world_free(struct world *w) {
    world_hang_up(w);
    for (int side = 0; side < 2; side++)
        clear_blobs(&w->record[side]);
    free(w->pending);
    kit_done(&w->kit);
    free(w);
}

/* ---- the hub's store ---- */

/* Verified and decided in order, as the real store does; only the completion wanders. */
static inline void hub_accept(struct world *w, const struct hub_effect *effect) {
    struct bytes entry = blob_bytes(effect->data);
    uint64_t seq = 0;
    CHECK(w, entry.len >= WORLD_ENTRY_MIN);
    memcpy(&seq, entry.data, sizeof seq);
    CHECK(w, seq >= 1 && seq <= w->outbox && is_content(entry, CLASS_OWN, seq));
    struct pending p = {.kind = PENDING_ACCEPT,
                        .req = effect->req,
                        .entry = kit_head(seq),
                        .code = ERR_OK,
                        .bytes = entry.len};
    if (seq > w->hub_holds + 1)
        p.code = ERR_SEQ;
    else if (rng_below(&w->dice, 100) < w->rate_percent)
        p.code = ERR_RATE;
    else if (seq == w->hub_holds + 1)
        w->hub_holds = seq;
    p.head = kit_head(w->hub_holds);
    w->accept_bytes += entry.len;
    if (w->accept_bytes > w->peak_accept_bytes)
        w->peak_accept_bytes = w->accept_bytes;
    pending_add(w, p);
}

/* From the cursors at completion time, at least one item when any waits. */
static inline struct page hub_page(const struct world *w, const struct cursors *cursors,
                                   size_t max_bytes) {
    struct page page = {.tip = true};
    size_t bytes = 0, cap = 0;
    for (int c = 0; c < HUB_CLASSES; c++)
        cap += w->shelves[c].count;
    page.items = calloc(cap + 1, sizeof(struct delivery));
    for (int c = 0; c < HUB_CLASSES; c++) {
        uint64_t at = cursors->after[c];
        page.upto[c] = at;
        if (at == UINT64_MAX)
            continue;
        for (; at < w->shelves[c].count; at++) {
            size_t len = content_len(at + 1);
            if (page.count > 0 && bytes + len > max_bytes) {
                page.tip = false;
                break;
            }
            bytes += len;
            page.items[page.count++] = (struct delivery){.class_ = (enum deliver_class)c,
                                                         .position = at + 1,
                                                         .received_ms = 3,
                                                         .excerpt = content((uint32_t)c, at + 1)};
            page.upto[c] = at + 1;
        }
    }
    return page;
}

static inline void hub_greet(struct world *w, struct pending *p) {
    struct greeting g = {.code = ERR_OK};
    struct agent_hello hello;
    struct blob *hub_hello = *(struct blob *const *)ring_at(&w->record[SIDE_AGENT], 0);
    g.code = agent_hello_verify(blob_bytes(p->data), &w->kit.hub.pub, blob_bytes(hub_hello), &hello,
                                &g.error);
    if (g.code == ERR_OK) {
        g.kx = hello.kx;
        g.cert = hello.cert;
        g.welcome = (struct welcome){.hub_time_ms = w->now,
                                     .hub_head = kit_head(w->shelves[CLASS_HUB].count),
                                     .has_own_head = w->hub_holds > 0,
                                     .own_head = kit_head(w->hub_holds)};
    }
    g.unsigned_close = g.code != ERR_OK;
    if (g.code == ERR_OK && w->refuse)
        g.code = g.refused.code = w->refuse;
    hub_session_greeted(w->hub, p->req, &g, w->now);
}

/* ---- the agent's store ---- */

static inline void agent_take(struct world *w, const struct agent_effect *effect) {
    uint32_t class_ = effect->class_;
    uint64_t position = effect->position;
    CHECK(w, class_ < HUB_CLASSES && position >= 1 && position <= w->shelves[class_].count);
    CHECK(w, effect->received_ms == 3);
    CHECK(w, is_content(blob_bytes(effect->data), class_, position));
    if (class_ == CLASS_HUB) {
        CHECK(w, position == w->hub_feed_stored + 1);
        w->hub_feed_stored = position;
    }
    w->shelves[class_].taken[position - 1] = true;
    size_t len = blob_bytes(effect->data).len;
    w->take_bytes += len;
    if (w->take_bytes > w->peak_take_bytes)
        w->peak_take_bytes = w->take_bytes;
    /* reader's errors now and then: they count as taken all the same, but not in the hub's feed */
    enum err code = class_ != CLASS_HUB && rng_below(&w->dice, 50) == 0 ? ERR_NO_KEY : ERR_OK;
    pending_add(
        w, (struct pending){.kind = PENDING_DONE, .req = effect->req, .code = code, .bytes = len});
}

static inline void agent_reach(struct world *w, const struct agent_effect *effect) {
    uint32_t class_ = effect->class_;
    CHECK(w, class_ < HUB_CLASSES && effect->position <= w->shelves[class_].count);
    for (uint64_t at = w->cursors[class_]; at < effect->position; at++)
        CHECK(w, w->shelves[class_].taken[at]);
    CHECK(w, effect->position >= w->cursors[class_]);
    w->cursors[class_] = effect->position;
    pending_add(w, (struct pending){.kind = PENDING_DONE, .req = effect->req});
}

static inline void agent_ack(struct world *w, const struct agent_effect *effect) {
    struct head expected = kit_head(effect->head.seq);
    CHECK(w, effect->head.seq > w->acked && effect->head.seq <= w->hub_holds);
    CHECK(w, hash_equal(&effect->head.hash, &expected.hash));
    w->acked = effect->head.seq;
    pending_add(w, (struct pending){.kind = PENDING_DONE, .req = effect->req});
}

static inline void agent_welcomed(struct world *w, const struct agent_effect *effect) {
    CHECK(w, effect->welcome.own_head.seq == w->hub_holds);
    CHECK(w, w->acked <= w->hub_holds);
    w->acked = effect->welcome.own_head.seq;
    pending_add(w, (struct pending){.kind = PENDING_DONE, .req = effect->req});
}

static inline void agent_give(struct world *w, const struct pending *p) {
    uint64_t seq = p->head.seq + 1;
    /* never before the hub's feed is applied up to the welcome's head */
    CHECK(w, w->hub_feed_stored == w->shelves[CLASS_HUB].count);
    if (seq > w->outbox || content_len(seq) > p->max_bytes) {
        agent_session_next_entry(w->agent, p->req, ERR_OK, NULL, NULL, w->now);
        return;
    }
    struct blob *entry = content(CLASS_OWN, seq);
    struct head head = kit_head(seq);
    agent_session_next_entry(w->agent, p->req, ERR_OK, entry, &head, w->now);
    blob_unref(entry);
}

/* ---- effects ---- */

static inline void world_send(struct world *w, enum side to, struct blob *take_message) {
    struct error e = {0};
    struct blob *copy = blob_ref(take_message);
    cr_assert_eq(ring_push(&w->link[to], &take_message, &e), ERR_OK);
    /* the hub's hello is always kept: the fake directory verifies against it */
    if (w->recording || (to == SIDE_AGENT && w->record[to].count == 0))
        cr_assert_eq(ring_push(&w->record[to], &copy, &e), ERR_OK);
    else
        blob_unref(copy);
}

static inline void drain_hub(struct world *w) {
    struct hub_effect effect;
    while (hub_session_next(w->hub, &effect)) {
        CHECK(w, !w->closed[SIDE_HUB]);
        if (effect.kind == HUB_EFFECT_SEND) {
            world_send(w, SIDE_AGENT, effect.data);
            continue;
        }
        if (effect.kind == HUB_EFFECT_CLOSE) {
            w->closed[SIDE_HUB] = true;
            w->close_code[SIDE_HUB] = effect.code;
        }
        if (effect.kind == HUB_EFFECT_WAKE)
            w->wake_ms[SIDE_HUB] = effect.at_ms;
        if (effect.kind == HUB_EFFECT_GREET)
            pending_add(w, (struct pending){.kind = PENDING_GREET,
                                            .req = effect.req,
                                            .data = blob_ref(effect.data)});
        if (effect.kind == HUB_EFFECT_ACCEPT)
            hub_accept(w, &effect);
        if (effect.kind == HUB_EFFECT_LOAD)
            pending_add(w, (struct pending){.kind = PENDING_LOAD,
                                            .req = effect.req,
                                            .cursors = effect.cursors,
                                            .max_bytes = effect.max_bytes});
        blob_unref(effect.data);
    }
}

static inline void drain_agent(struct world *w) {
    struct agent_effect effect;
    while (agent_session_next(w->agent, &effect)) {
        CHECK(w, !w->closed[SIDE_AGENT]);
        switch (effect.kind) {
        case AGENT_EFFECT_SEND:
            world_send(w, SIDE_HUB, effect.data);
            continue;
        case AGENT_EFFECT_CLOSE:
            w->closed[SIDE_AGENT] = true;
            w->close_code[SIDE_AGENT] = effect.code;
            break;
        case AGENT_EFFECT_WAKE:
            w->wake_ms[SIDE_AGENT] = effect.at_ms;
            break;
        case AGENT_EFFECT_WELCOMED:
            agent_welcomed(w, &effect);
            break;
        case AGENT_EFFECT_REFUSED:
            w->refused = true;
            break;
        case AGENT_EFFECT_TAKE:
            agent_take(w, &effect);
            break;
        case AGENT_EFFECT_REACHED:
            agent_reach(w, &effect);
            break;
        case AGENT_EFFECT_NEXT:
            pending_add(w, (struct pending){.kind = PENDING_NEXT,
                                            .req = effect.req,
                                            .head = effect.head,
                                            .max_bytes = effect.max_bytes});
            break;
        case AGENT_EFFECT_ACKED:
            agent_ack(w, &effect);
            break;
        case AGENT_EFFECT_REJECTED:
            /* what follows a rejected entry may be answered first */
            CHECK(w, effect.code == ERR_RATE || effect.code == ERR_SEQ);
            break;
        }
        blob_unref(effect.data);
    }
}

static inline void world_connect(struct world *w) {
    struct error e = {0};
    world_hang_up(w);
    for (int side = 0; side < 2; side++) {
        clear_blobs(&w->record[side]);
        w->closed[side] = false;
        w->wake_ms[side] = 0;
    }
    w->refused = false;
    w->accept_bytes = w->take_bytes = 0;
    struct agent_session_config config = {.network = w->kit.hub.pub,
                                          .keys = &w->kit.agent,
                                          .cert = buf_bytes(&w->kit.cert_bytes),
                                          .hub_head = kit_head(w->hub_feed_stored),
                                          .sent = kit_head(w->acked),
                                          .own = kit_head(w->outbox),
                                          .entropy = &w->kit.entropy};
    memcpy(config.after, w->cursors, sizeof config.after);
    cr_assert_eq(agent_session_new(&config, w->now, &w->agent, &e), ERR_OK);
    cr_assert_eq(hub_session_new(&w->kit.hub, &w->kit.entropy, w->now, &w->hub, &e), ERR_OK);
    drain_agent(w);
    drain_hub(w);
}

/* ---- steps ---- */

static inline void complete(struct world *w, size_t index) {
    struct pending p = w->pending[index];
    w->pending[index] = w->pending[--w->pending_count];
    /* now and then a completion comes twice: the second must do nothing */
    for (int times = rng_below(&w->dice, 20) == 0 ? 2 : 1; times > 0; times--) {
        struct page page;
        switch (p.kind) {
        case PENDING_GREET:
            hub_greet(w, &p);
            break;
        case PENDING_ACCEPT:
            hub_session_accepted(w->hub, p.req, p.code, NULL, &p.entry, &p.head, w->now);
            break;
        case PENDING_LOAD:
            page = hub_page(w, &p.cursors, p.max_bytes);
            hub_session_loaded(w->hub, p.req, ERR_OK, &page, w->now);
            break;
        case PENDING_DONE:
            agent_session_done(w->agent, p.req, p.code, w->now);
            break;
        case PENDING_NEXT:
            agent_give(w, &p);
            break;
        }
    }
    if (p.kind == PENDING_ACCEPT)
        w->accept_bytes -= p.bytes;
    if (p.kind == PENDING_DONE)
        w->take_bytes -= p.bytes;
    blob_unref(p.data);
    drain_hub(w);
    drain_agent(w);
}

static inline void give_message(struct world *w, enum side to, struct bytes message) {
    if (to == SIDE_HUB) {
        hub_session_bytes(w->hub, message, w->now);
        drain_hub(w);
    } else {
        agent_session_bytes(w->agent, message, w->now);
        drain_agent(w);
    }
}

/* A changed copy of a message: cut, one bit flipped, or other bytes altogether. */
static inline struct blob *damaged(struct world *w, struct bytes in) {
    struct buf copy;
    buf_init(&copy, in.len + 64);
    buf_append(&copy, in.data, in.len);
    size_t how = rng_below(&w->dice, 3);
    if (how == 0)
        copy.len = rng_below(&w->dice, in.len);
    else if (how == 1)
        copy.data[rng_below(&w->dice, in.len)] ^= (uint8_t)(1u << rng_below(&w->dice, 8));
    else
        rng_fill(&w->dice, copy.data, copy.len);
    struct blob *b = blob_new(buf_bytes(&copy));
    buf_done(&copy);
    return b;
}

/* The one in the middle: damages, repeats or swaps what passes. */
static inline void pass_message(struct world *w, enum side to) {
    struct blob *message, *second;
    ring_pop(&w->link[to], &message);
    bool tamper = rng_below(&w->dice, 1000) < w->tamper_per_mille;
    size_t how = rng_below(&w->dice, 4);
    if (!tamper) {
        give_message(w, to, blob_bytes(message));
    } else if (how == 0) {
        give_message(w, to, blob_bytes(message));
        give_message(w, to, blob_bytes(message));
        w->tampered++;
    } else if (how == 1 && ring_pop(&w->link[to], &second)) {
        give_message(w, to, blob_bytes(second));
        give_message(w, to, blob_bytes(message));
        blob_unref(second);
        w->tampered++;
    } else {
        struct blob *changed = damaged(w, blob_bytes(message));
        give_message(w, to, blob_bytes(changed));
        blob_unref(changed);
        w->tampered++;
    }
    blob_unref(message);
}

/* One random thing happens. False when nothing can any more. */
static inline bool world_step(struct world *w) {
    size_t ways = (w->link[SIDE_HUB].count > 0 && !w->closed[SIDE_HUB]) +
                  2 * (size_t)(w->link[SIDE_AGENT].count > 0 && !w->closed[SIDE_AGENT]);
    size_t choice = rng_below(&w->dice, 3);
    if ((choice == 0 || w->pending_count == 0) && (ways & 1))
        pass_message(w, SIDE_HUB);
    else if ((choice <= 1 || w->pending_count == 0) && (ways & 2))
        pass_message(w, SIDE_AGENT);
    else if (w->pending_count > 0)
        complete(w, rng_below(&w->dice, w->pending_count));
    else
        return false;
    return true;
}

/* Time passes only when nothing else can happen. */
static inline bool world_wake(struct world *w) {
    int side = w->wake_ms[SIDE_AGENT] != 0 ? SIDE_AGENT : SIDE_HUB;
    if (w->wake_ms[side] == 0)
        return false;
    if (w->wake_ms[side] > w->now)
        w->now = w->wake_ms[side];
    w->wake_ms[side] = 0;
    if (side == SIDE_HUB)
        hub_session_wake(w->hub, w->now);
    else
        agent_session_wake(w->agent, w->now);
    drain_hub(w);
    drain_agent(w);
    return true;
}

static inline void world_run(struct world *w) {
    while (world_step(w) || world_wake(w))
        ;
}

static inline bool both_open(const struct world *w) {
    return hub_session_established(w->hub) && agent_session_established(w->agent);
}

/* Everything that was to go either way has gone, and both know. */
static inline void check_complete(const struct world *w) {
    CHECK(w, both_open(w));
    CHECK(w, agent_session_caught_up(w->agent));
    CHECK(w, w->hub_holds == w->outbox);
    CHECK(w, w->acked == w->outbox);
    CHECK(w, w->hub_feed_stored == w->shelves[CLASS_HUB].count);
    for (int c = 1; c < HUB_CLASSES; c++)
        CHECK(w, w->cursors[c] == w->shelves[c].count);
}

#endif
