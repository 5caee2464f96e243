/* Tests of hub/session.c and hub/deliver.c against a puppet agent that speaks by hand. */
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

static void forget(struct rig *r) {
    for (size_t i = 0; i < r->count; i++)
        blob_unref(r->seen[i].data);
    r->count = 0;
}

/* Drains into seen[], after what is there. */
static void drain(struct rig *r) {
    struct hub_effect effect;
    while (hub_session_next(r->s, &effect)) {
        cr_assert_lt(r->count, (size_t)MAX_SEEN);
        r->seen[r->count] = effect;
        if (effect.kind == HUB_EFFECT_SEND && r->open)
            r->frames[r->count] = puppet_open(&r->agent, blob_bytes(effect.data));
        r->count++;
    }
}

static size_t count_kind(const struct rig *r, enum hub_effect_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == kind;
    return n;
}

static size_t count_frames(const struct rig *r, enum frame_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->seen[i].kind == HUB_EFFECT_SEND && r->frames[i].kind == kind;
    return n;
}

static const struct hub_effect *find(const struct rig *r, enum hub_effect_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == kind)
            return &r->seen[i];
    cr_assert_fail("no effect of kind %d among %zu", (int)kind, r->count);
    return NULL;
}

static const struct frame *find_frame(const struct rig *r, enum frame_kind kind) {
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == HUB_EFFECT_SEND && r->frames[i].kind == kind)
            return &r->frames[i];
    cr_assert_fail("no %s frame among %zu effects", frame_name(kind), r->count);
    return NULL;
}

static struct rig *rig_new(void) {
    struct rig *r = calloc(1, sizeof *r);
    struct error e = {0};
    cr_assert_not_null(r);
    kit_init(&r->kit, 7);
    puppet_init(&r->agent, &r->kit);
    cr_assert_eq(hub_session_new(&r->kit.hub, &r->kit.entropy, NOW, &r->s, &e), ERR_OK);
    drain(r);
    return r;
}

static void rig_free(struct rig *r) {
    forget(r);
    hub_session_free(r->s);
    puppet_done(&r->agent);
    kit_done(&r->kit);
    free(r);
}

static void expect_closed(struct rig *r, enum err code) {
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
static uint64_t say_hello(struct rig *r, uint64_t hub_seq) {
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

static struct greeting greeting_ok(const struct rig *r, uint64_t own_seq) {
    struct greeting g = {.code = ERR_OK, .kx = r->agent.secret.kx.pub, .cert = r->kit.cert};
    g.welcome.hub_time_ms = HUB_TIME;
    g.welcome.hub_head = kit_head(9);
    g.welcome.has_own_head = own_seq > 0;
    g.welcome.own_head = kit_head(own_seq);
    return g;
}

/* Through the handshake; the first LOAD stands in seen[]. */
static struct rig *rig_open(uint64_t hub_seq, uint64_t own_seq) {
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

static size_t send_to_hub(struct rig *r, const struct frame *frame) {
    size_t len = 0;
    struct blob *message = puppet_frame(&r->agent, frame, &len);
    hub_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    drain(r);
    return len;
}

static void pull(struct rig *r, uint64_t after) {
    send_to_hub(
        r, &(struct frame){.kind = FRAME_PULL, .pull = {.after = {0, after, after, after, after}}});
}

static size_t push(struct rig *r, size_t bytes) {
    uint8_t *entry = calloc(1, bytes + 1);
    size_t len = send_to_hub(
        r, &(struct frame){.kind = FRAME_PUSH, .push = {.entry = bytes_of(entry, bytes)}});
    free(entry);
    return len;
}

static struct delivery item(enum deliver_class class_, uint64_t position, size_t bytes) {
    uint8_t *data = calloc(1, bytes + 1);
    struct delivery d = {.class_ = class_,
                         .position = position,
                         .received_ms = 5,
                         .excerpt = blob_new(bytes_of(data, bytes))};
    free(data);
    return d;
}

/* A page of `count` items of `bytes` each, at positions after `from`. */
static struct page page_of(enum deliver_class class_, uint64_t from, size_t count, size_t bytes,
                           bool tip) {
    struct page p = {
        .items = calloc(count + 1, sizeof(struct delivery)), .count = count, .tip = tip};
    for (size_t i = 0; i < count; i++)
        p.items[i] = item(class_, from + 1 + i, bytes);
    p.upto[class_] = from + count;
    return p;
}

static void load(struct rig *r, struct page page) {
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    hub_session_loaded(r->s, req, ERR_OK, &page, NOW);
    drain(r);
}

/* ---- handshake ---- */

Test(hub_session, opens_with_a_hello_and_a_deadline) {
    struct rig *r = rig_new();
    cr_assert_eq(r->count, 2u);
    struct error e = {0};
    struct hub_hello hello;
    cr_assert_eq(
        hub_hello_parse(blob_bytes(find(r, HUB_EFFECT_SEND)->data), &r->kit.hub.pub, &hello, &e),
        ERR_OK);
    cr_assert_eq(find(r, HUB_EFFECT_WAKE)->at_ms, NOW + HUB_HANDSHAKE_MS);
    cr_assert_null(hub_session_cert(r->s));
    rig_free(r);
}

Test(hub_session, times_out_at_every_point_of_the_handshake_and_not_before) {
    struct rig *r = rig_new();
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS - 1);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_CLOSE), 0u);
    cr_assert_eq(count_kind(r, HUB_EFFECT_WAKE), 2u, "woken early it asks again");
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS);
    expect_closed(r, ERR_TIMEOUT);
    rig_free(r);

    r = rig_new();
    uint64_t req = say_hello(r, 0);
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS);
    struct greeting g = greeting_ok(r, 0);
    expect_closed(r, ERR_TIMEOUT);
    hub_session_greeted(r->s, req, &g, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u, "a greeting after the close does nothing");
    rig_free(r);

    r = rig_open(0, 0);
    forget(r);
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS);
    drain(r);
    cr_assert_eq(r->count, 0u, "an open session has no deadline");
    cr_assert(hub_session_established(r->s));
    rig_free(r);
}

Test(hub_session, a_message_before_the_greeting_is_complete_closes) {
    struct rig *r = rig_new();
    say_hello(r, 0);
    forget(r);
    hub_session_bytes(r->s, bytes_str("early"), NOW);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(hub_session, a_hello_over_its_cap_closes) {
    struct rig *r = rig_new();
    forget(r);
    static uint8_t big[HELLO_MAX_BYTES + 1];
    hub_session_bytes(r->s, bytes_of(big, sizeof big), NOW);
    expect_closed(r, ERR_CAP);
    rig_free(r);
}

Test(hub_session, a_refusal_is_signed_unless_the_hello_did_not_verify) {
    struct rig *r = rig_new();
    uint64_t req = say_hello(r, 0);
    forget(r);
    struct greeting g = {
        .code = ERR_SUSPENDED,
        .refused = {.code = ERR_SUSPENDED, .hub_time_ms = HUB_TIME, .detail = "why"}};
    hub_session_greeted(r->s, req + 1, &g, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u, "a completion of a request never made");
    hub_session_greeted(r->s, req, &g, NOW);
    drain(r);
    struct welcome welcome;
    struct refused refused;
    cr_assert_not(
        puppet_welcomed(&r->agent, blob_bytes(find(r, HUB_EFFECT_SEND)->data), &welcome, &refused));
    cr_assert_eq(refused.code, ERR_SUSPENDED);
    cr_assert_str_eq(refused.detail, "why");
    expect_closed(r, ERR_SUSPENDED);
    rig_free(r);

    r = rig_new();
    req = say_hello(r, 0);
    forget(r);
    g = (struct greeting){.code = ERR_SIGNATURE, .unsigned_close = true};
    hub_session_greeted(r->s, req, &g, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    expect_closed(r, ERR_SIGNATURE);
    rig_free(r);
}

Test(hub_session, streams_its_own_feed_from_the_hellos_head_and_nothing_else_before_the_pull) {
    struct rig *r = rig_open(4, 0);
    const struct hub_effect *first = find(r, HUB_EFFECT_LOAD);
    cr_assert_eq(first->cursors.after[CLASS_HUB], 4u);
    for (int c = CLASS_GRANTS; c < HUB_CLASSES; c++)
        cr_assert_eq(first->cursors.after[c], UINT64_MAX);
    cr_assert_gt(first->max_bytes, 0u);
    struct page page = page_of(CLASS_HUB, 4, 5, 300, true);
    page.upto[CLASS_STATES] = 99; /* not asked for: has to be ignored */
    load(r, page);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 5u);
    cr_assert_eq(count_frames(r, FRAME_REACHED), 1u);
    cr_assert_eq(find_frame(r, FRAME_REACHED)->reached.upto, 9u);
    cr_assert_not(find_frame(r, FRAME_REACHED)->reached.tip, "other classes were not looked at");
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 0u, "the tip: nothing to load until news");
    forget(r);
    pull(r, 10);
    const struct hub_effect *second = find(r, HUB_EFFECT_LOAD);
    cr_assert_eq(second->cursors.after[CLASS_HUB], 9u);
    cr_assert_eq(second->cursors.after[CLASS_STATES], 10u);
    rig_free(r);
}

/* ---- pushing ---- */

Test(hub_session, each_push_is_accepted_and_acks_are_cumulative_and_coalesced) {
    struct rig *r = rig_open(0, 3);
    forget(r);
    size_t bytes = 0;
    uint64_t req[3];
    for (int i = 0; i < 3; i++) {
        forget(r);
        bytes += push(r, 300 + (size_t)i);
        const struct hub_effect *accept = find(r, HUB_EFFECT_ACCEPT);
        cr_assert_eq(blob_bytes(accept->data).len, 300u + (size_t)i);
        cr_assert(key_equal(&accept->agent, &r->kit.agent.pub));
        req[i] = accept->req;
    }
    forget(r);
    struct head h4 = kit_head(4), h5 = kit_head(5), h6 = kit_head(6);
    /* the last first: it stands for all before it, their credit comes with them */
    hub_session_accepted(r->s, req[2], ERR_OK, NULL, &h6, &h6, NOW);
    drain(r);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 6u);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.credit_bytes, HUB_CREDIT_BYTES);
    forget(r);
    hub_session_accepted(r->s, req[0], ERR_OK, NULL, &h4, &h6, NOW);
    hub_session_accepted(r->s, req[0], ERR_OK, NULL, &h4, &h6, NOW); /* twice counts once */
    hub_session_accepted(r->s, req[1], ERR_OK, NULL, &h5, &h6, NOW);
    hub_session_accepted(r->s, req[2] + 1, ERR_OK, NULL, &h5, &h6, NOW); /* never made */
    drain(r);
    cr_assert_eq(r->count, 1u, "one ack a drain");
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 6u);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.credit_bytes, HUB_CREDIT_BYTES + bytes);
    rig_free(r);
}

Test(hub_session, an_ack_never_exceeds_what_was_pushed_here) {
    struct rig *r = rig_open(0, 3);
    forget(r);
    push(r, 300);
    uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
    forget(r);
    struct head h4 = kit_head(4), h7 = kit_head(7); /* an older session's pushes went further */
    hub_session_accepted(r->s, req, ERR_OK, NULL, &h4, &h7, NOW);
    drain(r);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 4u);
    rig_free(r);
}

Test(hub_session, a_rejection_is_typed_returns_credit_and_keeps_the_session) {
    struct rig *r = rig_open(0, 3);
    forget(r);
    size_t bytes = push(r, 300);
    uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
    forget(r);
    struct head entry = kit_head(5), head = kit_head(3);
    struct error why = {0};
    (void)error_set(&why, ERR_SEQ, "found 5, expected 4");
    hub_session_accepted(r->s, req, ERR_SEQ, &why, &entry, &head, NOW);
    drain(r);
    const struct frame *reject = find_frame(r, FRAME_REJECT);
    cr_assert_eq(reject->reject.code, ERR_SEQ);
    cr_assert_eq(reject->reject.head.seq, 5u);
    cr_assert(hash_equal(&reject->reject.head.hash, &entry.hash));
    cr_assert_str_eq(reject->reject.detail, "found 5, expected 4");
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 3u);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.credit_bytes, HUB_CREDIT_BYTES + bytes);
    cr_assert(hub_session_established(r->s));
    rig_free(r);
}

/* Opens the Leave as an agent would: verified under the hub's key. */
static struct refused check_leave(struct rig *r, enum err code) {
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

Test(hub_session, passing_trouble_says_when_to_come_back) {
    static const enum err passing[] = {ERR_DISK_FULL, ERR_STORE, ERR_BUSY, ERR_NO_MEMORY};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        struct rig *r = rig_open(0, 0);
        forget(r);
        push(r, 300);
        uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
        forget(r);
        struct head entry = kit_head(1), head = kit_head(0);
        hub_session_accepted(r->s, req, passing[i], NULL, &entry, &head, NOW + 50);
        struct refused refused = check_leave(r, passing[i]);
        cr_assert_eq(refused.retry_after_ms, 5000u);
        cr_assert_eq(refused.hub_time_ms, HUB_TIME + 50);
        rig_free(r);
    }
}

Test(hub_session, bytes_that_are_no_entry_end_the_session) {
    struct head none = {0};
    const struct head *nameless[] = {NULL, &none};
    for (size_t i = 0; i < 2; i++) {
        struct rig *r = rig_open(0, 0);
        forget(r);
        push(r, 3);
        uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
        forget(r);
        hub_session_accepted(r->s, req, ERR_MALFORMED, NULL, nameless[i], nameless[i], NOW);
        check_leave(r, ERR_MALFORMED);
        rig_free(r);
    }
}

Test(hub_session, pushing_beyond_the_credit_ends_the_session) {
    struct rig *r = rig_open(0, 0);
    forget(r);
    size_t pushed = push(r, ENTRY_MAX_BYTES);
    pushed += push(r, HUB_CREDIT_BYTES - pushed - FRAME_PUSH_OVERHEAD);
    size_t left = HUB_CREDIT_BYTES - pushed;
    cr_assert_eq(count_kind(r, HUB_EFFECT_ACCEPT), 2u);
    cr_assert_leq(left, 2u, "the credit is used to the byte");
    forget(r);
    struct frame over = {.kind = FRAME_PUSH, .push = {.entry = bytes_str("one more")}};
    struct blob *message = puppet_frame(&r->agent, &over, NULL);
    hub_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    check_leave(r, ERR_CAP);
    rig_free(r);
}

Test(hub_session, more_open_pushes_than_its_cap_end_the_session) {
    struct rig *r = rig_open(0, 0);
    struct frame tiny = {.kind = FRAME_PUSH, .push = {.entry = bytes_str("")}};
    size_t accepts = 0;
    for (;;) {
        forget(r);
        struct blob *message = puppet_frame(&r->agent, &tiny, NULL);
        hub_session_bytes(r->s, blob_bytes(message), NOW);
        blob_unref(message);
        if (!hub_session_established(r->s))
            break;
        drain(r);
        cr_assert_lt(++accepts, 10000u);
    }
    cr_assert_eq(accepts, 8192u);
    check_leave(r, ERR_CAP);
    rig_free(r);
}

/* ---- delivering ---- */

Test(hub_session, a_page_is_sent_in_order_with_a_reached_per_class_and_tip_on_the_last) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 1, 300, true));
    forget(r);
    pull(r, 0);
    struct page page = {.items = calloc(3, sizeof(struct delivery)), .count = 3, .tip = true};
    page.items[0] = item(CLASS_GRANTS, 3, 310);
    page.items[1] = item(CLASS_STATES, 2, 320);
    page.items[2] = item(CLASS_HISTORY, 1, 330);
    page.upto[CLASS_HUB] = 1; /* not further than before: no Reached */
    for (int c = CLASS_GRANTS; c < HUB_CLASSES; c++)
        page.upto[c] = 20 + (uint64_t)c;
    load(r, page);
    cr_assert_eq(r->count, 7u);
    for (size_t i = 0; i < 3; i++) {
        static const uint32_t classes[] = {CLASS_GRANTS, CLASS_STATES, CLASS_HISTORY};
        cr_assert_eq(r->frames[i].deliver.class_, classes[i]);
        cr_assert_eq(r->frames[i].deliver.position, 3u - i);
        cr_assert_eq(r->frames[i].deliver.received_ms, 5);
        cr_assert_eq(r->frames[i].deliver.excerpt.len, 310u + 10 * i);
    }
    for (size_t i = 3; i < 7; i++) {
        cr_assert_eq(r->frames[i].reached.class_, i - 2);
        cr_assert_eq(r->frames[i].reached.upto, 20u + i - 2);
        cr_assert_eq(r->frames[i].reached.tip, i == 6);
    }
    rig_free(r);
}

Test(hub_session, a_reader_that_misses_nothing_is_told_so_once) {
    struct rig *r = rig_open(9, 0);
    load(r, (struct page){.tip = true});
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    pull(r, 50);
    load(r, (struct page){.upto = {9, 50, 50, 50, 50}, .tip = true});
    cr_assert_eq(count_frames(r, FRAME_REACHED), 1u);
    cr_assert(find_frame(r, FRAME_REACHED)->reached.tip);
    cr_assert_eq(find_frame(r, FRAME_REACHED)->reached.upto, 9u);
    forget(r);
    hub_session_news(r->s, NOW);
    drain(r);
    load(r, (struct page){.upto = {9, 50, 50, 50, 50}, .tip = true});
    cr_assert_eq(r->count, 0u);
    rig_free(r);
}

Test(hub_session, news_during_a_load_is_one_more_load) {
    struct rig *r = rig_open(0, 0);
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 1u);
    for (int i = 0; i < 5; i++)
        hub_session_news(r->s, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 1u, "one load at a time");
    load(r, page_of(CLASS_HUB, 0, 2, 300, true));
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 1u);
    cr_assert_eq(find(r, HUB_EFFECT_LOAD)->cursors.after[CLASS_HUB], 2u);
    load(r, (struct page){.upto = {2}, .tip = true});
    cr_assert_eq(r->count, 0u);
    rig_free(r);
}

Test(hub_session, loads_on_until_the_tip) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 2, 300, false));
    load(r, page_of(CLASS_HUB, 2, 2, 300, false));
    cr_assert_eq(find(r, HUB_EFFECT_LOAD)->cursors.after[CLASS_HUB], 4u);
    rig_free(r);
}

Test(hub_session, the_window_holds_back_and_taken_opens_it) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 30, 100 * 1024, false));
    size_t sent = count_frames(r, FRAME_DELIVER);
    cr_assert_eq(sent, 11u, "found %zu frames of 100 KiB in a window of 1 MiB and one over", sent);
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 0u);
    forget(r);
    hub_session_news(r->s, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u);
    struct frame taken = {.kind = FRAME_TAKEN, .taken = {.bytes = 5 * 100 * 1024}};
    send_to_hub(r, &taken);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 5u);
    forget(r);
    taken.taken.bytes = 11 * 100 * 1024;
    send_to_hub(r, &taken);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 6u);
    rig_free(r);
}

Test(hub_session, a_long_queue_at_the_shell_holds_back_too) {
    struct rig *r = rig_open(0, 0);
    hub_session_queued(r->s, HUB_WINDOW_BYTES + 1, NOW);
    load(r, page_of(CLASS_HUB, 0, 3, 300, true));
    cr_assert_eq(r->count, 0u);
    hub_session_queued(r->s, HUB_WINDOW_BYTES, NOW);
    drain(r);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 3u);
    rig_free(r);
}

static void check_taken_closes(uint64_t first, uint64_t second) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 3, 300, true));
    forget(r);
    struct frame taken = {.kind = FRAME_TAKEN, .taken = {.bytes = first}};
    send_to_hub(r, &taken);
    cr_assert_eq(r->count, 0u);
    taken.taken.bytes = second;
    send_to_hub(r, &taken);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(hub_session, taken_must_not_go_back_nor_beyond_what_was_sent) {
    check_taken_closes(600, 599);
    check_taken_closes(0, 2000);
    check_taken_closes(0, UINT64_MAX);
}

Test(hub_session, a_page_that_moves_nothing_is_our_bug_and_no_endless_loop) {
    struct rig *r = rig_open(0, 0);
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    struct page page = {.tip = false};
    hub_session_loaded(r->s, req, ERR_OK, &page, NOW);
    check_leave(r, ERR_INTERNAL);
    rig_free(r);
}

Test(hub_session, a_failed_load_says_when_to_come_back) {
    struct rig *r = rig_open(0, 0);
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    struct page page = {0};
    hub_session_loaded(r->s, req, ERR_STORE, &page, NOW);
    cr_assert_eq(check_leave(r, ERR_STORE).retry_after_ms, 5000u);
    rig_free(r);
}

Test(hub_session, a_page_nobody_waits_for_is_freed) {
    struct rig *r = rig_open(0, 0);
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    struct page stray = page_of(CLASS_HUB, 0, 3, 300, true);
    hub_session_loaded(r->s, req + 7, ERR_OK, &stray, NOW);
    cr_assert_null(stray.items);
    struct page page = page_of(CLASS_HUB, 0, 3, 300, true);
    hub_session_loaded(r->s, req, ERR_OK, &page, NOW);
    struct page twice = page_of(CLASS_HUB, 0, 3, 300, true);
    hub_session_loaded(r->s, req, ERR_OK, &twice, NOW);
    cr_assert_null(twice.items);
    drain(r);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 3u);
    rig_free(r);
}

/* ---- abuse and expulsion ---- */

Test(hub_session, frames_of_the_wrong_direction_or_form_close_without_an_answer) {
    static const enum frame_kind wrong[] = {FRAME_ACK, FRAME_REJECT, FRAME_DELIVER, FRAME_REACHED,
                                            FRAME_LEAVE};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rig *r = rig_open(0, 0);
        forget(r);
        struct frame frame = {.kind = wrong[i]};
        if (wrong[i] == FRAME_REJECT)
            frame.reject.code = ERR_SEQ;
        send_to_hub(r, &frame);
        cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
        expect_closed(r, ERR_PROTOCOL);
        rig_free(r);
    }
    struct rig *r = rig_open(0, 0);
    forget(r);
    struct blob *message = puppet_seal(&r->agent, bytes_str("no frame"));
    hub_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    expect_closed(r, ERR_MALFORMED);
    rig_free(r);
    r = rig_open(0, 0);
    forget(r);
    hub_session_bytes(r->s, bytes_str("this was never sealed, by anybody"), NOW);
    expect_closed(r, ERR_DECRYPT);
    rig_free(r);
}

Test(hub_session, a_second_pull_closes) {
    struct rig *r = rig_open(0, 0);
    pull(r, 0);
    forget(r);
    pull(r, 0);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(hub_session, expel_is_signed_once_established_and_a_plain_close_before) {
    struct rig *r = rig_new();
    forget(r);
    hub_session_expel(r->s, ERR_UNAVAILABLE, "shutting down", NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    expect_closed(r, ERR_UNAVAILABLE);
    rig_free(r);

    r = rig_new();
    say_hello(r, 0);
    forget(r);
    hub_session_expel(r->s, ERR_REMOVED, NULL, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    expect_closed(r, ERR_REMOVED);
    rig_free(r);

    r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 30, 100 * 1024, false)); /* a page stands waiting */
    forget(r);
    hub_session_expel(r->s, ERR_SUPERSEDED, "a newer session", NOW);
    struct refused refused = check_leave(r, ERR_SUPERSEDED);
    cr_assert_str_eq(refused.detail, "a newer session");
    cr_assert_eq(refused.retry_after_ms, 0u);
    rig_free(r);
}

Test(hub_session, expel_right_after_the_welcome_comes_after_it) {
    struct rig *r = rig_new();
    uint64_t req = say_hello(r, 0);
    forget(r);
    struct greeting g = greeting_ok(r, 0);
    hub_session_greeted(r->s, req, &g, NOW);
    hub_session_expel(r->s, ERR_SUPERSEDED, "x", NOW);
    drain(r);
    cr_assert_eq(r->count, 4u);
    cr_assert_eq(r->seen[0].kind, HUB_EFFECT_SEND);
    cr_assert_eq(r->seen[1].kind, HUB_EFFECT_JOINED);
    cr_assert_eq(r->seen[2].kind, HUB_EFFECT_SEND);
    cr_assert_eq(r->seen[3].kind, HUB_EFFECT_CLOSE);
    rig_free(r);
}

Test(hub_session, effects_that_nobody_drains_end_the_session) {
    struct rig *r = rig_open(0, 0);
    struct frame frame = {.kind = FRAME_PUSH, .push = {.entry = bytes_str("entry")}};
    for (int i = 0; i < 100; i++) {
        struct blob *message = puppet_frame(&r->agent, &frame, NULL);
        hub_session_bytes(r->s, blob_bytes(message), NOW);
        blob_unref(message);
    }
    expect_closed(r, ERR_CAP);
    hub_session_free(NULL);
    rig_free(r);
}
