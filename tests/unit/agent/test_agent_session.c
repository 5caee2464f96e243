/* Tests of agent/session.c, taking.c and pushing.c against a puppet hub that speaks by hand. */
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

static void forget(struct rig *r) {
    for (size_t i = 0; i < r->count; i++)
        blob_unref(r->seen[i].data);
    r->count = 0;
}

/* Drains into seen[], after what is there. */
static void drain(struct rig *r) {
    struct agent_effect effect;
    while (agent_session_next(r->s, &effect)) {
        cr_assert_lt(r->count, (size_t)MAX_SEEN);
        r->seen[r->count] = effect;
        if (effect.kind == AGENT_EFFECT_SEND && r->open)
            r->frames[r->count] = puppet_open(&r->hub, blob_bytes(effect.data));
        r->count++;
    }
}

static size_t count_kind(const struct rig *r, enum agent_effect_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == kind;
    return n;
}

static const struct agent_effect *find(const struct rig *r, enum agent_effect_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == kind)
            return &r->seen[i];
    cr_assert_fail("no effect of kind %d among %zu", (int)kind, r->count);
    return NULL;
}

static const struct frame *find_frame(const struct rig *r, enum frame_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == AGENT_EFFECT_SEND && r->frames[i].kind == kind)
            return &r->frames[i];
    cr_assert_fail("no %s frame among %zu effects", frame_name(kind), r->count);
    return NULL;
}

static size_t count_frames(const struct rig *r, enum frame_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == AGENT_EFFECT_SEND && r->frames[i].kind == kind;
    return n;
}

static struct rig *rig_new(uint64_t hub_seq) {
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

static void rig_free(struct rig *r) {
    forget(r);
    agent_session_free(r->s);
    puppet_done(&r->hub);
    kit_done(&r->kit);
    free(r);
}

static void expect_closed(struct rig *r, enum err code) {
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

static struct welcome welcome_of(uint64_t hub_seq, uint64_t own_seq) {
    return (struct welcome){.hub_time_ms = 1700000000000,
                            .hub_head = kit_head(hub_seq),
                            .has_own_head = own_seq > 0,
                            .own_head = kit_head(own_seq),
                            .credit_bytes = CREDIT};
}

/* Hub hello in, agent hello out. */
static struct bytes greet(struct rig *r) {
    forget(r);
    agent_session_bytes(r->s, puppet_hub_hello(&r->hub), NOW);
    drain(r);
    return blob_bytes(find(r, AGENT_EFFECT_SEND)->data);
}

static void answer(struct rig *r, struct bytes hello, const struct welcome *welcome) {
    struct bytes message = puppet_welcome(&r->hub, hello, welcome);
    forget(r);
    agent_session_bytes(r->s, message, NOW);
    r->open = true;
    drain(r);
}

/* Established, WELCOMED in seen[] and not completed. */
static struct rig *rig_open(uint64_t held_hub_seq, const struct welcome *welcome) {
    struct rig *r = rig_new(held_hub_seq);
    answer(r, greet(r), welcome);
    cr_assert(agent_session_established(r->s));
    r->welcomed_req = find(r, AGENT_EFFECT_WELCOMED)->req;
    return r;
}

/* Established, welcome stored, pull sent; a NEXT in seen[] when pushing may start. */
static struct rig *rig_ready(uint64_t held_hub_seq, uint64_t hub_seq, uint64_t own_seq) {
    struct welcome welcome = welcome_of(hub_seq, own_seq);
    struct rig *r = rig_open(held_hub_seq, &welcome);
    forget(r);
    agent_session_done(r->s, r->welcomed_req, ERR_OK, NOW);
    drain(r);
    return r;
}

static size_t send_to_agent(struct rig *r, const struct frame *frame) {
    size_t len = 0;
    struct blob *message = puppet_frame(&r->hub, frame, &len);
    agent_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    drain(r);
    return len;
}

static size_t deliver(struct rig *r, uint32_t class_, uint64_t position, size_t bytes) {
    uint8_t *data = calloc(1, bytes + 1);
    size_t len =
        send_to_agent(r, &(struct frame){.kind = FRAME_DELIVER,
                                         .deliver = {class_, position, 77, bytes_of(data, bytes)}});
    free(data);
    return len;
}

static void reached(struct rig *r, uint32_t class_, uint64_t upto, bool tip) {
    send_to_agent(r, &(struct frame){.kind = FRAME_REACHED, .reached = {class_, upto, tip}});
}

static void ack(struct rig *r, uint64_t seq, uint64_t credit) {
    send_to_agent(r, &(struct frame){.kind = FRAME_ACK, .ack = {seq > 0 ? 1 : 0, seq, credit}});
}

static void reject(struct rig *r, uint64_t seq, enum err code) {
    struct frame frame = {.kind = FRAME_REJECT,
                          .reject = {.head = kit_head(seq), .code = code, .detail = "why"}};
    send_to_agent(r, &frame);
}

/* Answers the NEXT in seen[] with an entry of that many bytes. */
static void give(struct rig *r, uint64_t seq, size_t bytes) {
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

static void give_nothing(struct rig *r) {
    uint64_t req = find(r, AGENT_EFFECT_NEXT)->req;
    forget(r);
    agent_session_next_entry(r->s, req, ERR_OK, NULL, NULL, NOW);
    drain(r);
}

/* ---- handshake ---- */

Test(agent_session, answers_a_hello_with_what_it_holds) {
    struct rig *r = rig_new(6);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + AGENT_HANDSHAKE_MS);
    struct bytes hello = greet(r);
    struct agent_hello fields;
    struct error e = {0};
    cr_assert_eq(
        agent_hello_verify(hello, &r->kit.hub.pub, buf_bytes(&r->hub.hub_hello), &fields, &e),
        ERR_OK, "%s", e.detail);
    cr_assert(fields.has_hub_head);
    cr_assert_eq(fields.hub_head.seq, 6u);
    cr_assert_not(agent_session_established(r->s));
    rig_free(r);
}

Test(agent_session, times_out_before_the_welcome_only) {
    struct rig *r = rig_new(0);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS - 1);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_WAKE), 2u);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS);
    expect_closed(r, ERR_TIMEOUT);
    rig_free(r);
    r = rig_new(0);
    greet(r);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS);
    expect_closed(r, ERR_TIMEOUT);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    forget(r);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS);
    drain(r);
    cr_assert_eq(r->count, 0u);
    rig_free(r);
}

Test(agent_session, does_not_talk_to_another_hub) {
    struct rig *r = rig_new(0);
    struct error e = {0};
    struct buf hello;
    struct sign_pair other;
    kit_pair(&r->kit, &other);
    buf_init(&hello, HELLO_MAX_BYTES);
    cr_assert_eq(hub_hello_build(&other.pub, &r->hub.secret, &hello, &e), ERR_OK);
    agent_session_bytes(r->s, buf_bytes(&hello), NOW);
    buf_done(&hello);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_SEND), 0u);
    expect_closed(r, ERR_NETWORK);
    rig_free(r);
}

Test(agent_session, believes_no_welcome_that_another_key_signed) {
    struct rig *r = rig_new(0);
    struct welcome welcome = welcome_of(0, 0);
    struct bytes hello = greet(r);
    kit_pair(&r->kit, &r->hub.hub);
    struct bytes message = puppet_welcome(&r->hub, hello, &welcome);
    forget(r);
    agent_session_bytes(r->s, message, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_WELCOMED), 0u);
    expect_closed(r, ERR_SIGNATURE);
    rig_free(r);
}

static struct refused refused_of(enum err code) {
    return (struct refused){
        .code = code, .hub_time_ms = 5, .detail = "detail", .retry_after_ms = 9};
}

Test(agent_session, a_signed_refusal_is_reported_and_a_forged_one_is_not) {
    for (int forged = 0; forged <= 1; forged++) {
        struct rig *r = rig_new(0);
        struct bytes hello = greet(r);
        struct refused refused = refused_of(ERR_REMOVED);
        struct error e = {0};
        struct sign_pair key = r->kit.hub;
        if (forged)
            kit_pair(&r->kit, &key);
        cr_assert_eq(
            refused_build(&refused, buf_bytes(&r->hub.hub_hello), hello, &key, &r->hub.answer, &e),
            ERR_OK);
        forget(r);
        agent_session_bytes(r->s, buf_bytes(&r->hub.answer), NOW);
        drain(r);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_REFUSED), forged ? 0u : 1u);
        if (!forged) {
            cr_assert_eq(find(r, AGENT_EFFECT_REFUSED)->refused.code, ERR_REMOVED);
            cr_assert_str_eq(find(r, AGENT_EFFECT_REFUSED)->refused.detail, "detail");
        }
        expect_closed(r, forged ? ERR_SIGNATURE : ERR_REMOVED);
        rig_free(r);
    }
}

/* ---- order after the welcome ---- */

Test(agent_session, pulls_once_the_welcome_is_stored) {
    struct welcome welcome = welcome_of(0, 0);
    struct rig *r = rig_open(0, &welcome);
    cr_assert_eq(r->count, 1u, "before that nothing is sent");
    cr_assert_eq(find(r, AGENT_EFFECT_WELCOMED)->welcome.credit_bytes, CREDIT);
    agent_session_done(r->s, r->welcomed_req, ERR_OK, NOW);
    drain(r);
    agent_session_done(r->s, r->welcomed_req, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_frames(r, FRAME_PULL), 1u);
    for (int c = 1; c < FRAME_CLASSES; c++)
        cr_assert_eq(find_frame(r, FRAME_PULL)->pull.after[c], 10u * (unsigned)c);
    rig_free(r);
}

Test(agent_session, ahead_or_forked_it_pulls_and_pushes_nothing) {
    static const enum err codes[] = {ERR_AHEAD, ERR_FORK};
    for (size_t i = 0; i < 2; i++) {
        struct welcome welcome = welcome_of(0, 5);
        struct rig *r = rig_open(0, &welcome);
        agent_session_done(r->s, r->welcomed_req, codes[i], NOW);
        agent_session_outbox(r->s, NOW);
        drain(r);
        cr_assert_eq(count_frames(r, FRAME_PULL), 1u);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
        rig_free(r);
    }
    struct welcome welcome = welcome_of(0, 5);
    struct rig *r = rig_open(0, &welcome);
    agent_session_done(r->s, r->welcomed_req, ERR_DISK_FULL, NOW);
    expect_closed(r, ERR_DISK_FULL);
    rig_free(r);
}

Test(agent_session, pushes_only_after_the_hubs_feed_up_to_the_welcomes_head) {
    struct rig *r = rig_ready(2, 4, 0);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    forget(r);
    deliver(r, 0, 3, 300);
    uint64_t third = find(r, AGENT_EFFECT_TAKE)->req;
    forget(r);
    deliver(r, 0, 4, 300);
    uint64_t fourth = find(r, AGENT_EFFECT_TAKE)->req;
    cr_assert_eq(find(r, AGENT_EFFECT_TAKE)->position, 4u);
    cr_assert_eq(find(r, AGENT_EFFECT_TAKE)->received_ms, 77);
    agent_session_done(r->s, third, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    agent_session_done(r->s, fourth, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);

    r = rig_ready(4, 4, 0);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u, "at once when it is held already");
    rig_free(r);
}

Test(agent_session, a_hub_that_forges_its_feed_is_not_talked_to) {
    static const enum err codes[] = {ERR_SIGNATURE, ERR_PREV, ERR_OLD, ERR_KIND};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct rig *r = rig_ready(2, 4, 0);
        forget(r);
        deliver(r, 0, 3, 300);
        agent_session_done(r->s, find(r, AGENT_EFFECT_TAKE)->req, codes[i], NOW);
        expect_closed(r, codes[i]);
        rig_free(r);
    }
    for (uint64_t position = 2; position <= 4; position += 2) {
        struct rig *r = rig_ready(2, 4, 0);
        forget(r);
        deliver(r, 0, position, 300);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_TAKE), 0u);
        expect_closed(r, ERR_PROTOCOL);
        rig_free(r);
    }
}

/* ---- taking ---- */

Test(agent_session, taken_is_cumulative_coalesced_and_has_no_gaps) {
    struct rig *r = rig_ready(0, 0, 0);
    uint64_t req[3], bytes[3];
    for (uint32_t i = 0; i < 3; i++) {
        forget(r);
        bytes[i] = deliver(r, 1 + i, 50 + i, 300 + i);
        const struct agent_effect *take = find(r, AGENT_EFFECT_TAKE);
        cr_assert_eq(take->class_, 1 + i);
        cr_assert_eq(blob_bytes(take->data).len, 300u + i);
        req[i] = take->req;
    }
    forget(r);
    agent_session_done(r->s, req[1], ERR_NO_KEY, NOW);    /* the reader's rule: counts as taken */
    agent_session_done(r->s, req[1], ERR_DISK_FULL, NOW); /* completed once is completed */
    drain(r);
    cr_assert_eq(r->count, 0u);
    agent_session_done(r->s, req[0], ERR_OK, NOW);
    agent_session_done(r->s, req[0], ERR_OK, NOW);
    agent_session_done(r->s, req[2] + 1, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(r->count, 1u);
    cr_assert_eq(find_frame(r, FRAME_TAKEN)->taken.bytes, bytes[0] + bytes[1]);
    forget(r);
    agent_session_done(r->s, req[2], ERR_SIGNATURE, NOW);
    drain(r);
    cr_assert_eq(find_frame(r, FRAME_TAKEN)->taken.bytes, bytes[0] + bytes[1] + bytes[2]);
    cr_assert(agent_session_established(r->s));
    rig_free(r);
}

Test(agent_session, a_store_that_fails_closes_and_credits_nothing) {
    static const enum err codes[] = {ERR_DISK_FULL, ERR_STORE, ERR_NO_MEMORY};
    for (size_t i = 0; i < 3; i++) {
        struct rig *r = rig_ready(0, 0, 0);
        forget(r);
        deliver(r, 2, 50, 300);
        agent_session_done(r->s, find(r, AGENT_EFFECT_TAKE)->req, codes[i], NOW);
        drain(r);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_SEND), 0u);
        expect_closed(r, codes[i]);
        rig_free(r);
    }
}

Test(agent_session, a_position_is_stored_only_after_what_came_before_it) {
    struct rig *r = rig_ready(0, 0, 0);
    forget(r);
    deliver(r, 1, 50, 300);
    uint64_t first = find(r, AGENT_EFFECT_TAKE)->req;
    reached(r, 1, 50, false);
    reached(r, 2, 60, true);
    forget(r);
    deliver(r, 2, 61, 300);
    uint64_t second = find(r, AGENT_EFFECT_TAKE)->req;
    reached(r, 2, 61, true);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REACHED), 0u);
    forget(r);
    agent_session_done(r->s, first, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REACHED), 2u);
    cr_assert_eq(find(r, AGENT_EFFECT_REACHED)->class_, 1u);
    cr_assert_eq(find(r, AGENT_EFFECT_REACHED)->position, 50u);
    uint64_t reached_req[2], n = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == AGENT_EFFECT_REACHED)
            reached_req[n++] = r->seen[i].req;
    cr_assert_not(agent_session_caught_up(r->s));
    agent_session_done(r->s, reached_req[1], ERR_OK, NOW);
    cr_assert(agent_session_caught_up(r->s));
    forget(r);
    agent_session_done(r->s, second, ERR_OK, NOW);
    agent_session_done(r->s, reached_req[0], ERR_OK, NOW);
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_REACHED)->position, 61u);
    rig_free(r);
}

Test(agent_session, a_position_that_cannot_be_stored_closes) {
    static const enum err codes[] = {ERR_STORE, ERR_CONFLICT};
    for (size_t i = 0; i < 2; i++) {
        struct rig *r = rig_ready(0, 0, 0);
        forget(r);
        reached(r, 1, 50, false);
        agent_session_done(r->s, find(r, AGENT_EFFECT_REACHED)->req, codes[i], NOW);
        expect_closed(r, codes[i]);
        rig_free(r);
    }
}

Test(agent_session, reached_frames_without_end_take_no_memory) {
    struct rig *r = rig_ready(0, 0, 0);
    forget(r);
    deliver(r, 1, 50, 300); /* nothing may be stored before this */
    for (uint64_t i = 0; i < 100000; i++) {
        struct frame frame = {.kind = FRAME_REACHED,
                              .reached = {1 + (uint32_t)(i % 4), 100 + i, i % 7 == 0}};
        struct blob *message = puppet_frame(&r->hub, &frame, NULL);
        agent_session_bytes(r->s, blob_bytes(message), NOW);
        blob_unref(message);
    }
    drain(r);
    cr_assert(agent_session_established(r->s));
    uint64_t take = find(r, AGENT_EFFECT_TAKE)->req;
    forget(r);
    agent_session_done(r->s, take, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REACHED), 4u);
    rig_free(r);
}

Test(agent_session, a_position_must_not_go_back_nor_past_the_hubs_feed) {
    struct rig *r = rig_ready(2, 2, 0);
    reached(r, 1, 9, false); /* 10 is held */
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
    r = rig_ready(2, 2, 0);
    reached(r, 0, 3, false);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
    r = rig_ready(2, 2, 0);
    forget(r);
    reached(r, 0, 2, true);
    cr_assert(find(r, AGENT_EFFECT_REACHED)->tip);
    rig_free(r);
}

Test(agent_session, a_hub_that_ignores_the_window_is_left) {
    struct rig *r = rig_ready(0, 0, 0);
    size_t sent = 0;
    while (sent < FRAME_WINDOW_BYTES) {
        forget(r);
        sent += deliver(r, 1, 50, 100 * 1024);
        cr_assert(agent_session_established(r->s));
    }
    forget(r);
    deliver(r, 1, 51, 10);
    expect_closed(r, ERR_CAP);
    rig_free(r);
}

/* ---- pushing ---- */

Test(agent_session, starts_after_what_the_hub_holds_and_goes_on_until_nothing) {
    struct rig *r = rig_ready(0, 0, 5);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 5u);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->max_bytes, (size_t)ENTRY_MAX_BYTES);
    uint64_t req = find(r, AGENT_EFFECT_NEXT)->req;
    give(r, 6, 400);
    cr_assert_eq(find_frame(r, FRAME_PUSH)->push.entry.len, 400u);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 6u);
    struct head again = kit_head(6);
    agent_session_next_entry(r->s, req, ERR_OK, NULL, &again, NOW); /* twice */
    give(r, 7, 400);
    give_nothing(r);
    cr_assert_eq(r->count, 0u);
    agent_session_outbox(r->s, NOW);
    agent_session_outbox(r->s, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 7u);
    agent_session_outbox(r->s, NOW); /* while asking */
    give_nothing(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);

    r = rig_ready(0, 0, 0);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 0u, "a hub that holds nothing gets all");
    rig_free(r);
}

Test(agent_session, keeps_within_the_credit_and_goes_on_when_it_grows) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, ENTRY_MAX_BYTES);
    size_t left = find(r, AGENT_EFFECT_NEXT)->max_bytes;
    cr_assert_lt(left, (size_t)ENTRY_MAX_BYTES);
    give(r, 2, left);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    agent_session_outbox(r->s, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u, "no credit, no question");
    forget(r);
    ack(r, 1, CREDIT + ENTRY_MAX_BYTES);
    cr_assert_eq(find(r, AGENT_EFFECT_ACKED)->head.seq, 1u);
    cr_assert(hash_equal(&find(r, AGENT_EFFECT_ACKED)->head.hash, &(struct hash){{0}}) == false);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);
}

Test(agent_session, asks_again_for_what_did_not_fit_once_the_credit_grows) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, ENTRY_MAX_BYTES);
    give_nothing(r); /* the second may wait, and be too large */
    cr_assert_eq(r->count, 0u);
    ack(r, 1, CREDIT + ENTRY_MAX_BYTES);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->max_bytes, (size_t)ENTRY_MAX_BYTES);
    give_nothing(r);
    ack(r, 1, CREDIT + ENTRY_MAX_BYTES + 100);
    cr_assert_eq(r->count, 0u, "there was room for the largest: nothing waits");
    rig_free(r);
}

Test(agent_session, an_entry_larger_than_asked_for_is_our_bug_and_never_sent) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, ENTRY_MAX_BYTES);
    give(r, 2, ENTRY_MAX_BYTES);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_SEND), 0u);
    expect_closed(r, ERR_INTERNAL);
    rig_free(r);
    r = rig_ready(0, 0, 5);
    give(r, 5, 400);
    expect_closed(r, ERR_INTERNAL);
    rig_free(r);
}

Test(agent_session, acks_are_stored_one_at_a_time_and_the_newest_wins) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 4; seq++)
        give(r, seq, 400);
    forget(r);
    ack(r, 1, CREDIT);
    uint64_t req = find(r, AGENT_EFFECT_ACKED)->req;
    forget(r);
    ack(r, 2, CREDIT + 10);
    ack(r, 4, CREDIT + 20);
    ack(r, 4, CREDIT + 30); /* credit only */
    cr_assert_eq(count_kind(r, AGENT_EFFECT_ACKED), 0u);
    agent_session_done(r->s, req, ERR_OK, NOW);
    agent_session_done(r->s, req, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_ACKED), 1u);
    cr_assert_eq(find(r, AGENT_EFFECT_ACKED)->head.seq, 4u);
    struct head four = kit_head(4);
    cr_assert(hash_equal(&find(r, AGENT_EFFECT_ACKED)->head.hash, &four.hash));
    agent_session_done(r->s, find(r, AGENT_EFFECT_ACKED)->req, ERR_DISK_FULL, NOW);
    expect_closed(r, ERR_DISK_FULL);
    rig_free(r);
}

static void check_forged_ack(uint64_t incarnation, uint64_t seq, uint64_t credit) {
    struct rig *r = rig_ready(0, 0, 5);
    give(r, 6, 400);
    give(r, 7, 400);
    ack(r, 6, CREDIT + 100);
    forget(r);
    send_to_agent(r, &(struct frame){.kind = FRAME_ACK, .ack = {incarnation, seq, credit}});
    cr_assert_eq(count_kind(r, AGENT_EFFECT_ACKED), 0u);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(agent_session, acks_of_what_was_not_sent_or_that_go_back_close) {
    check_forged_ack(1, 8, CREDIT + 100);
    check_forged_ack(1, UINT64_MAX, CREDIT + 100);
    check_forged_ack(2, 7, CREDIT + 100);
    check_forged_ack(1, 5, CREDIT + 100);
    check_forged_ack(0, 0, CREDIT + 100);
    check_forged_ack(1, 7, CREDIT + 99);
    check_forged_ack(1, 6, 0);
}

Test(agent_session, a_rejection_is_reported_once_and_stops_the_pushing) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 4; seq++)
        give(r, seq, 400);
    uint64_t next = find(r, AGENT_EFFECT_NEXT)->req;
    forget(r);
    reject(r, 2, ERR_KIND);
    const struct agent_effect *rejected = find(r, AGENT_EFFECT_REJECTED);
    cr_assert_eq(rejected->head.seq, 2u);
    cr_assert_eq(rejected->code, ERR_KIND);
    cr_assert_str_eq(rejected->reason, "why");
    forget(r);
    reject(r, 3, ERR_SEQ); /* what follows from it is no second alarm */
    reject(r, 4, ERR_SEQ);
    cr_assert_eq(r->count, 0u);
    struct head five = kit_head(5);
    struct blob *entry = blob_new(bytes_str("entry"));
    agent_session_next_entry(r->s, next, ERR_OK, entry, &five, NOW); /* was asked for before */
    blob_unref(entry);
    agent_session_outbox(r->s, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u);
    ack(r, 1, CREDIT + 9999);
    cr_assert_eq(find(r, AGENT_EFFECT_ACKED)->head.seq, 1u);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    rig_free(r);
}

Test(agent_session, an_ack_beyond_a_rejection_closes) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        give(r, seq, 400);
    reject(r, 2, ERR_KIND);
    ack(r, 3, CREDIT);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(agent_session, a_rejection_of_what_was_not_sent_closes) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, 400);
    reject(r, 2, ERR_KIND);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    give(r, 1, 400);
    struct frame frame = {.kind = FRAME_REJECT, .reject = {.head = kit_head(1), .code = ERR_KIND}};
    frame.reject.head.hash.b[0] ^= 1;
    send_to_agent(r, &frame);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(agent_session, too_fast_is_tried_again_behind_what_was_acknowledged) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        give(r, seq, 400);
    give_nothing(r);
    ack(r, 1, CREDIT);
    forget(r);
    reject(r, 2, ERR_RATE);
    cr_assert_eq(find(r, AGENT_EFFECT_REJECTED)->code, ERR_RATE);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + 5000);
    forget(r);
    agent_session_wake(r->s, NOW + 4999);
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + 5000);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    forget(r);
    agent_session_wake(r->s, NOW + 5000); /* the third entry is not answered yet */
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + 10000);
    forget(r);
    reject(r, 3, ERR_SEQ);
    agent_session_wake(r->s, NOW + 10000);
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 1u);
    give(r, 2, 400);
    ack(r, 2, CREDIT + 1000);
    cr_assert(agent_session_established(r->s));
    rig_free(r);
}

Test(agent_session, a_long_queue_at_the_shell_holds_back) {
    struct rig *r = rig_ready(0, 0, 0);
    agent_session_queued(r->s, 2 * 1024 * 1024, NOW);
    give(r, 1, 400);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    agent_session_queued(r->s, 0, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);
}

Test(agent_session, an_outbox_that_fails_closes_and_one_that_refuses_waits) {
    struct rig *r = rig_ready(0, 0, 0);
    uint64_t req = find(r, AGENT_EFFECT_NEXT)->req;
    forget(r);
    agent_session_next_entry(r->s, req, ERR_CONFLICT, NULL, NULL, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u);
    agent_session_outbox(r->s, NOW);
    drain(r);
    req = find(r, AGENT_EFFECT_NEXT)->req;
    agent_session_next_entry(r->s, req, ERR_STORE, NULL, NULL, NOW);
    expect_closed(r, ERR_STORE);
    rig_free(r);
}

/* ---- leaving and abuse ---- */

static void send_leave(struct rig *r, const struct sign_pair *key, enum err code) {
    struct refused refused = refused_of(code);
    struct error e = {0};
    struct buf answer_bytes;
    struct frame leave;
    buf_init(&answer_bytes, HELLO_MAX_BYTES);
    cr_assert_eq(refused_build(&refused, buf_bytes(&r->hub.hub_hello),
                               buf_bytes(&r->hub.agent_hello), key, &answer_bytes, &e),
                 ERR_OK);
    cr_assert_eq(frame_leave_from_answer(buf_bytes(&answer_bytes), &leave, &e), ERR_OK);
    forget(r);
    send_to_agent(r, &leave);
    buf_done(&answer_bytes);
}

Test(agent_session, a_leave_counts_only_when_the_hub_signed_it) {
    struct rig *r = rig_ready(0, 0, 0);
    send_leave(r, &r->kit.hub, ERR_DISK_FULL);
    cr_assert_eq(find(r, AGENT_EFFECT_REFUSED)->refused.code, ERR_DISK_FULL);
    cr_assert_eq(find(r, AGENT_EFFECT_REFUSED)->refused.retry_after_ms, 9u);
    expect_closed(r, ERR_DISK_FULL);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    struct sign_pair other;
    kit_pair(&r->kit, &other);
    send_leave(r, &other, ERR_REMOVED);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REFUSED), 0u);
    expect_closed(r, ERR_SIGNATURE);
    rig_free(r);
}

Test(agent_session, frames_of_the_wrong_direction_or_form_close) {
    static const enum frame_kind wrong[] = {FRAME_PUSH, FRAME_PULL, FRAME_TAKEN};
    for (size_t i = 0; i < 3; i++) {
        struct rig *r = rig_ready(0, 0, 0);
        send_to_agent(r, &(struct frame){.kind = wrong[i]});
        expect_closed(r, ERR_PROTOCOL);
        rig_free(r);
    }
    struct rig *r = rig_ready(0, 0, 0);
    struct blob *message = puppet_seal(&r->hub, bytes_str("no frame"));
    agent_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    expect_closed(r, ERR_MALFORMED);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    agent_session_bytes(r->s, bytes_str("this was never sealed, by anybody"), NOW);
    expect_closed(r, ERR_DECRYPT);
    rig_free(r);
    agent_session_free(NULL);
}
