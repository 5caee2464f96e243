/* Owns one session of the hub and a puppet agent that speaks by hand, for the tests of session.c
 * and deliver.c. Must not test anything itself. */
#ifndef PLEK_TEST_HUB_RIG_H
#define PLEK_TEST_HUB_RIG_H

#include "hub/session.h"

#include "unit/session_kit.h"

#define NOW 1000
#define HUB_TIME INT64_C(1700000000000)
#define MAX_SEEN 6000

struct rig {
    struct kit kit;
    struct puppet agent;
    struct hub_session *s;
    bool open; /* the puppet has a channel: messages are frames */
    struct hub_effect seen[MAX_SEEN];
    struct frame frames[MAX_SEEN]; /* of SENDs; the excerpt's bytes are gone, its length stands */
    size_t count;
};

static inline void forget(struct rig *r) {
    for (size_t i = 0; i < r->count; i++)
        blob_unref(r->seen[i].data);
    r->count = 0;
}

/* Drains into seen[], after what is there. */
static inline void drain(struct rig *r) {
    struct hub_effect effect;
    while (hub_session_next(r->s, &effect)) {
        cr_assert_lt(r->count, (size_t)MAX_SEEN);
        r->seen[r->count] = effect;
        if (effect.kind == HUB_EFFECT_SEND && r->open)
            r->frames[r->count] = puppet_open(&r->agent, blob_bytes(effect.data));
        r->count++;
    }
}

static inline size_t count_kind(const struct rig *r, enum hub_effect_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == kind;
    return n;
}

static inline size_t count_frames(const struct rig *r, enum frame_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == HUB_EFFECT_SEND && r->frames[i].kind == kind;
    return n;
}

static inline const struct hub_effect *find(const struct rig *r, enum hub_effect_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == kind)
            return &r->seen[i];
    cr_assert_fail("no effect of kind %d among %zu", (int)kind, r->count);
    return NULL;
}

static inline const struct frame *find_frame(const struct rig *r, enum frame_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == HUB_EFFECT_SEND && r->frames[i].kind == kind)
            return &r->frames[i];
    cr_assert_fail("no %s frame among %zu effects", frame_name(kind), r->count);
    return NULL;
}

static inline struct rig *rig_new(void) {
    struct rig *r = calloc(1, sizeof *r);
    struct error e = {0};
    cr_assert_not_null(r);
    kit_init(&r->kit, 7);
    puppet_init(&r->agent, &r->kit);
    cr_assert_eq(hub_session_new(&r->kit.hub, &r->kit.entropy, NOW, &r->s, &e), ERR_OK);
    drain(r);
    return r;
}

static inline void rig_free(struct rig *r) {
    forget(r);
    hub_session_free(r->s);
    puppet_done(&r->agent);
    kit_done(&r->kit);
    free(r);
}

static inline void expect_closed(struct rig *r, enum err code) {
    drain(r);
    const struct hub_effect *close = find(r, HUB_EFFECT_CLOSE);
    cr_assert_eq(close->code, code, "%s: %s", error_name(close->code), close->reason);
    cr_assert_eq(close, &r->seen[r->count - 1], "nothing follows a close");
    cr_assert_neq(close->reason[0], '\0');
    forget(r);
    hub_session_news(r->s, NOW);
    hub_session_wake(r->s, NOW + 999999);
    hub_session_bytes(r->s, bytes_str("x"), NOW);
    hub_session_expel(r->s, ERR_REMOVED, "x", NOW);
    drain(r);
    cr_assert_eq(r->count, 0u, "no effects after the close");
    cr_assert_not(hub_session_established(r->s));
}

/* Sends the hello; returns the GREET request. */
static inline uint64_t say_hello(struct rig *r, uint64_t hub_seq) {
    struct head hub_head = kit_head(hub_seq);
    struct bytes hello = puppet_hello(&r->agent, blob_bytes(find(r, HUB_EFFECT_SEND)->data),
                                      hub_seq > 0 ? &hub_head : NULL);
    forget(r);
    hub_session_bytes(r->s, hello, NOW);
    drain(r);
    const struct hub_effect *greet = find(r, HUB_EFFECT_GREET);
    cr_assert(bytes_equal(blob_bytes(greet->data), hello));
    cr_assert(bytes_equal(greet->hub_hello, buf_bytes(&r->agent.hub_hello)));
    return greet->req;
}

static inline struct greeting greeting_ok(const struct rig *r, uint64_t own_seq) {
    struct greeting g = {.code = ERR_OK, .kx = r->agent.secret.kx.pub, .cert = r->kit.cert};
    g.welcome.hub_time_ms = HUB_TIME;
    g.welcome.hub_head = kit_head(9);
    g.welcome.has_own_head = own_seq > 0;
    g.welcome.own_head = kit_head(own_seq);
    return g;
}

/* Through the handshake; the first LOAD stands in seen[]. */
static inline struct rig *rig_open(uint64_t hub_seq, uint64_t own_seq) {
    struct rig *r = rig_new();
    uint64_t req = say_hello(r, hub_seq);
    forget(r);
    struct greeting g = greeting_ok(r, own_seq);
    hub_session_greeted(r->s, req, &g, NOW);
    struct hub_effect effect;
    cr_assert(hub_session_next(r->s, &effect));
    cr_assert_eq(effect.kind, HUB_EFFECT_SEND);
    struct welcome welcome;
    struct refused refused;
    cr_assert(puppet_welcomed(&r->agent, blob_bytes(effect.data), &welcome, &refused));
    cr_assert_eq(welcome.credit_bytes, HUB_CREDIT_BYTES);
    cr_assert_eq(welcome.own_head.seq, own_seq);
    blob_unref(effect.data);
    r->open = true;
    drain(r);
    cr_assert(key_equal(&find(r, HUB_EFFECT_JOINED)->agent, &r->kit.agent.pub));
    return r;
}

static inline size_t send_to_hub(struct rig *r, const struct frame *frame) {
    size_t len = 0;
    struct blob *message = puppet_frame(&r->agent, frame, &len);
    hub_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    drain(r);
    return len;
}

static inline void pull(struct rig *r, uint64_t after) {
    send_to_hub(
        r, &(struct frame){.kind = FRAME_PULL, .pull = {.after = {0, after, after, after, after}}});
}

static inline size_t push(struct rig *r, size_t bytes) {
    uint8_t *entry = calloc(1, bytes + 1);
    size_t len = send_to_hub(
        r, &(struct frame){.kind = FRAME_PUSH, .push = {.entry = bytes_of(entry, bytes)}});
    free(entry);
    return len;
}

static inline struct delivery item(enum deliver_class class_, uint64_t position, size_t bytes) {
    uint8_t *data = calloc(1, bytes + 1);
    struct delivery d = {.class_ = class_,
                         .position = position,
                         .received_ms = 5,
                         .excerpt = blob_new(bytes_of(data, bytes))};
    free(data);
    return d;
}

/* A page of `count` items of `bytes` each, at positions after `from`. */
static inline struct page page_of(enum deliver_class class_, uint64_t from, size_t count,
                                  size_t bytes, bool tip) {
    struct page p = {
        .items = calloc(count + 1, sizeof(struct delivery)), .count = count, .tip = tip};
    for (size_t i = 0; i < count; i++)
        p.items[i] = item(class_, from + 1 + i, bytes);
    p.upto[class_] = from + count;
    return p;
}

static inline void load(struct rig *r, struct page page) {
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    hub_session_loaded(r->s, req, ERR_OK, &page, NOW);
    drain(r);
}

/* Opens the Leave as an agent would: verified under the hub's key. */
static inline struct refused check_leave(struct rig *r, enum err code) {
    struct hub_effect effect;
    struct refused refused = {0};
    cr_assert(hub_session_next(r->s, &effect));
    cr_assert_eq(effect.kind, HUB_EFFECT_SEND);
    struct frame leave = puppet_open(&r->agent, blob_bytes(effect.data));
    cr_assert_eq(leave.kind, FRAME_LEAVE);
    blob_unref(effect.data);
    struct error e = {0};
    struct buf answer;
    struct welcome welcome;
    bool welcomed = true;
    buf_init(&answer, HELLO_MAX_BYTES);
    cr_assert_eq(frame_leave_to_answer(&leave, &answer, &e), ERR_OK);
    cr_assert_eq(answer_verify(buf_bytes(&answer), &r->kit.hub.pub, buf_bytes(&r->agent.hub_hello),
                               buf_bytes(&r->agent.agent_hello), &welcomed, &welcome, &refused, &e),
                 ERR_OK, "%s", e.detail);
    buf_done(&answer);
    cr_assert_not(welcomed);
    cr_assert_eq(refused.code, code);
    expect_closed(r, code);
    return refused;
}

#endif
