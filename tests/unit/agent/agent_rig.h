/* Owns one session of an agent and a puppet hub that speaks by hand, for the tests of session.c,
 * taking.c and pushing.c. Must not test anything itself. */
#ifndef PLEK_TEST_AGENT_RIG_H
#define PLEK_TEST_AGENT_RIG_H

#include "agent/session.h"

#include "unit/session_kit.h"

#define NOW 1000
#define CREDIT (2u * 1024 * 1024)
#define MAX_SEEN 6000

struct rig {
    struct kit kit;
    struct puppet hub;
    struct agent_session *s;
    bool open; /* the puppet has a channel: messages are frames */
    struct agent_effect seen[MAX_SEEN];
    struct frame frames[MAX_SEEN]; /* of SENDs; the entry's bytes are gone, its length stands */
    size_t count;
    uint64_t welcomed_req;
};

static inline void forget(struct rig *r) {
    for (size_t i = 0; i < r->count; i++)
        blob_unref(r->seen[i].data);
    r->count = 0;
}

/* Drains into seen[], after what is there. */
static inline void drain(struct rig *r) {
    struct agent_effect effect;
    while (agent_session_next(r->s, &effect)) {
        cr_assert_lt(r->count, (size_t)MAX_SEEN);
        r->seen[r->count] = effect;
        if (effect.kind == AGENT_EFFECT_SEND && r->open)
            r->frames[r->count] = puppet_open(&r->hub, blob_bytes(effect.data));
        r->count++;
    }
}

static inline size_t count_kind(const struct rig *r, enum agent_effect_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == kind;
    return n;
}

static inline const struct agent_effect *find(const struct rig *r, enum agent_effect_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == kind)
            return &r->seen[i];
    cr_assert_fail("no effect of kind %d among %zu", (int)kind, r->count);
    return NULL;
}

static inline const struct frame *find_frame(const struct rig *r, enum frame_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == AGENT_EFFECT_SEND && r->frames[i].kind == kind)
            return &r->frames[i];
    cr_assert_fail("no %s frame among %zu effects", frame_name(kind), r->count);
    return NULL;
}

static inline size_t count_frames(const struct rig *r, enum frame_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == AGENT_EFFECT_SEND && r->frames[i].kind == kind;
    return n;
}

static inline struct rig *rig_new(uint64_t hub_seq) {
    struct rig *r = calloc(1, sizeof *r);
    struct error e = {0};
    cr_assert_not_null(r);
    kit_init(&r->kit, 11);
    puppet_init(&r->hub, &r->kit);
    struct agent_session_config config = {.network = r->kit.hub.pub,
                                          .keys = &r->kit.agent,
                                          .cert = buf_bytes(&r->kit.cert_bytes),
                                          .hub_head = kit_head(hub_seq),
                                          .after = {0, 10, 20, 30, 40},
                                          .entropy = &r->kit.entropy};
    cr_assert_eq(agent_session_new(&config, NOW, &r->s, &e), ERR_OK);
    drain(r);
    return r;
}

static inline void rig_free(struct rig *r) {
    forget(r);
    agent_session_free(r->s);
    puppet_done(&r->hub);
    kit_done(&r->kit);
    free(r);
}

static inline void expect_closed(struct rig *r, enum err code) {
    drain(r);
    const struct agent_effect *close = find(r, AGENT_EFFECT_CLOSE);
    cr_assert_eq(close->code, code, "%s: %s", error_name(close->code), close->reason);
    cr_assert_eq(close, &r->seen[r->count - 1], "nothing follows a close");
    cr_assert_neq(close->reason[0], '\0');
    forget(r);
    agent_session_outbox(r->s, NOW);
    agent_session_wake(r->s, NOW + 999999);
    agent_session_bytes(r->s, bytes_str("x"), NOW);
    agent_session_done(r->s, r->welcomed_req, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u, "no effects after the close");
    cr_assert_not(agent_session_established(r->s));
    cr_assert_not(agent_session_caught_up(r->s));
}

static inline struct welcome welcome_of(uint64_t hub_seq, uint64_t own_seq) {
    return (struct welcome){.hub_time_ms = 1700000000000,
                            .hub_head = kit_head(hub_seq),
                            .has_own_head = own_seq > 0,
                            .own_head = kit_head(own_seq),
                            .credit_bytes = CREDIT};
}

/* Hub hello in, agent hello out. */
static inline struct bytes greet(struct rig *r) {
    forget(r);
    agent_session_bytes(r->s, puppet_hub_hello(&r->hub), NOW);
    drain(r);
    return blob_bytes(find(r, AGENT_EFFECT_SEND)->data);
}

static inline void answer(struct rig *r, struct bytes hello, const struct welcome *welcome) {
    struct bytes message = puppet_welcome(&r->hub, hello, welcome);
    forget(r);
    agent_session_bytes(r->s, message, NOW);
    r->open = true;
    drain(r);
}

/* Established, WELCOMED in seen[] and not completed. */
static inline struct rig *rig_open(uint64_t held_hub_seq, const struct welcome *welcome) {
    struct rig *r = rig_new(held_hub_seq);
    answer(r, greet(r), welcome);
    cr_assert(agent_session_established(r->s));
    r->welcomed_req = find(r, AGENT_EFFECT_WELCOMED)->req;
    return r;
}

/* Established, welcome stored, pull sent; a NEXT in seen[] when pushing may start. */
static inline struct rig *rig_ready(uint64_t held_hub_seq, uint64_t hub_seq, uint64_t own_seq) {
    struct welcome welcome = welcome_of(hub_seq, own_seq);
    struct rig *r = rig_open(held_hub_seq, &welcome);
    forget(r);
    agent_session_done(r->s, r->welcomed_req, ERR_OK, NOW);
    drain(r);
    return r;
}

static inline size_t send_to_agent(struct rig *r, const struct frame *frame) {
    size_t len = 0;
    struct blob *message = puppet_frame(&r->hub, frame, &len);
    agent_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    drain(r);
    return len;
}

static inline size_t deliver(struct rig *r, uint32_t class_, uint64_t position, size_t bytes) {
    uint8_t *data = calloc(1, bytes + 1);
    size_t len =
        send_to_agent(r, &(struct frame){.kind = FRAME_DELIVER,
                                         .deliver = {class_, position, 77, bytes_of(data, bytes)}});
    free(data);
    return len;
}

static inline void reached(struct rig *r, uint32_t class_, uint64_t upto, bool tip) {
    send_to_agent(r, &(struct frame){.kind = FRAME_REACHED, .reached = {class_, upto, tip}});
}

static inline void ack(struct rig *r, uint64_t seq, uint64_t credit) {
    send_to_agent(r, &(struct frame){.kind = FRAME_ACK, .ack = {seq > 0 ? 1 : 0, seq, credit}});
}

static inline void reject(struct rig *r, uint64_t seq, enum err code) {
    struct frame frame = {.kind = FRAME_REJECT,
                          .reject = {.head = kit_head(seq), .code = code, .detail = "why"}};
    send_to_agent(r, &frame);
}

/* Answers the NEXT in seen[] with an entry of that many bytes. */
static inline void give(struct rig *r, uint64_t seq, size_t bytes) {
    uint64_t req = find(r, AGENT_EFFECT_NEXT)->req;
    uint8_t *data = calloc(1, bytes + 1);
    struct blob *entry = blob_new(bytes_of(data, bytes));
    struct head head = kit_head(seq);
    free(data);
    forget(r);
    agent_session_next_entry(r->s, req, ERR_OK, entry, &head, NOW);
    blob_unref(entry);
    drain(r);
}

static inline void give_nothing(struct rig *r) {
    uint64_t req = find(r, AGENT_EFFECT_NEXT)->req;
    forget(r);
    agent_session_next_entry(r->s, req, ERR_OK, NULL, NULL, NOW);
    drain(r);
}
static inline struct refused refused_of(enum err code) {
    return (struct refused){
        .code = code, .hub_time_ms = 5, .detail = "detail", .retry_after_ms = 9};
}

#endif
