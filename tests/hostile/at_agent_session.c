/* Owns the cases of rules that a hub breaks towards a real agent in the handshake and in frames. */
#include "clock.h"
#include "codec.h"
#include "rules.h"
#include "session.h" /* the agent's */

/* ---- the hub's hello ---- */

typedef void change_hub_hello(Plek__HubHello *hello);

static void bad_hub_hello(struct stage *s, change_hub_hello *change, enum err code) {
    struct false_hub *h = &s->false_hub;
    ProtobufCMessage *message = NULL;
    false_hub_part(h);
    false_hub_accept(h);
    cr_assert_eq(codec_decode(&plek__hub_hello__descriptor, buf_bytes(&h->puppet.hub_hello),
                              HELLO_MAX_BYTES, "hello", &message, NULL),
                 ERR_OK);
    Plek__HubHello *hello = (Plek__HubHello *)message, kept = *hello;
    change(hello);
    buf_done(&h->puppet.hub_hello);
    buf_init(&h->puppet.hub_hello, HELLO_MAX_BYTES);
    codec_encode(hello, &h->puppet.hub_hello);
    *hello = kept;
    codec_free(message);
    false_hub_send(h, buf_bytes(&h->puppet.hub_hello));
    false_hub_expect_hang_up(h, code);
}

static void short_nonce(Plek__HubHello *hello) {
    hello->nonce.len--;
}
CASE_FUNCTION(hub_hello_with_a_short_nonce) {
    bad_hub_hello(s, short_nonce, code);
}
static void other_network(Plek__HubHello *hello) {
    hello->network = hello->nonce;
}
CASE_FUNCTION(hub_hello_of_another_network) {
    bad_hub_hello(s, other_network, code);
}
static void later_version(Plek__HubHello *hello) {
    static uint32_t later[] = {2};
    hello->n_versions = 1;
    hello->versions = later;
}
CASE_FUNCTION(hub_hello_of_another_version) {
    bad_hub_hello(s, later_version, code);
}
static void low_order(Plek__HubHello *hello) {
    static const uint8_t zero[KEY_LEN];
    hello->kx = codec_binary(bytes_of(zero, KEY_LEN));
}
CASE_FUNCTION(hub_hello_with_a_key_of_low_order) {
    bad_hub_hello(s, low_order, code);
}

/* ---- its answer ---- */

/* An answer with these bodies (len 0: none), signed by `signer`. */
static void send_answer(struct false_hub *h, struct bytes welcome, struct bytes refused,
                        const struct sign_pair *signer, struct bytes hello) {
    Plek__Answer answer = PLEK__ANSWER__INIT;
    struct signature signature;
    uint8_t which = welcome.len > 0 ? 1 : 2;
    struct bytes parts[] = {buf_bytes(&h->puppet.hub_hello), hello, bytes_of(&which, 1),
                            welcome.len > 0 ? welcome : refused};
    struct buf out;
    sign_parts(&signature, signer, DOMAIN_HELLO_HUB, parts, 4);
    answer.has_welcome = welcome.len > 0;
    answer.welcome = codec_binary(welcome);
    answer.has_refused = refused.len > 0;
    answer.refused = codec_binary(refused);
    answer.signature = codec_binary(bytes_of(signature.b, SIGNATURE_LEN));
    buf_init(&out, HELLO_MAX_BYTES);
    codec_encode(&answer, &out);
    false_hub_send(h, buf_bytes(&out));
    buf_done(&out);
}

static void encode_welcome(struct false_hub *h, struct buf *out) {
    Plek__Welcome welcome = PLEK__WELCOME__INIT;
    Plek__Head head = PLEK__HEAD__INIT;
    head.incarnation = 1;
    head.seq = h->head.seq;
    head.hash = codec_binary(bytes_of(h->head.hash.b, HASH_LEN));
    welcome.hub_time_ms = clock_wall_ms();
    welcome.hub_head = &head;
    welcome.credit_bytes = 1u << 21;
    buf_init(out, HELLO_MAX_BYTES);
    codec_encode(&welcome, out);
}

static void encode_refused(uint32_t number, struct buf *out) {
    Plek__Refused refused = PLEK__REFUSED__INIT;
    refused.code = number;
    refused.hub_time_ms = clock_wall_ms();
    buf_init(out, HELLO_MAX_BYTES);
    codec_encode(&refused, out);
}

/* The hello that puppet_welcome would have kept. */
static struct bytes take_hello(struct false_hub *h) {
    static uint8_t hello[HELLO_MAX_BYTES];
    size_t len = 0;
    false_hub_send(h, buf_bytes(&h->puppet.hub_hello));
    cr_assert_eq(peer_read_frame(&h->peer, hello, sizeof hello, &len), PEER_BINARY);
    return bytes_of(hello, len);
}

static struct bytes start_handshake(struct stage *s) {
    false_hub_part(&s->false_hub);
    false_hub_accept(&s->false_hub);
    return take_hello(&s->false_hub);
}

CASE_FUNCTION(answer_with_both) {
    struct buf welcome, refused;
    struct bytes hello = start_handshake(s);
    encode_welcome(&s->false_hub, &welcome);
    encode_refused(49, &refused);
    send_answer(&s->false_hub, buf_bytes(&welcome), buf_bytes(&refused), &s->false_hub.kit.hub,
                hello);
    false_hub_expect_hang_up(&s->false_hub, code);
    buf_done(&welcome);
    buf_done(&refused);
}

CASE_FUNCTION(refusal_without_a_code) {
    struct buf refused;
    struct bytes hello = start_handshake(s);
    encode_refused(0, &refused);
    send_answer(&s->false_hub, bytes_of(NULL, 0), buf_bytes(&refused), &s->false_hub.kit.hub,
                hello);
    false_hub_expect_hang_up(&s->false_hub, code);
    buf_done(&refused);
}

/* A code of a later version is a refusal all the same. */
CASE_FUNCTION(refusal_with_an_unknown_code) {
    struct buf refused;
    struct bytes hello = start_handshake(s);
    encode_refused(9999, &refused);
    send_answer(&s->false_hub, bytes_of(NULL, 0), buf_bytes(&refused), &s->false_hub.kit.hub,
                hello);
    false_hub_expect_hang_up(&s->false_hub, code);
    buf_done(&refused);
}

CASE_FUNCTION(welcome_signed_by_another) {
    struct buf welcome;
    struct bytes hello = start_handshake(s);
    encode_welcome(&s->false_hub, &welcome);
    send_answer(&s->false_hub, buf_bytes(&welcome), bytes_of(NULL, 0), &s->false_hub.kit.member,
                hello);
    false_hub_expect_hang_up(&s->false_hub, code);
    buf_done(&welcome);
}

/* "Removed", said by somebody in between: no alarm, nothing believed. */
CASE_FUNCTION(refusal_signed_by_another) {
    struct buf refused;
    struct bytes hello = start_handshake(s);
    encode_refused(50, &refused);
    send_answer(&s->false_hub, bytes_of(NULL, 0), buf_bytes(&refused), &s->false_hub.kit.member,
                hello);
    false_hub_expect_hang_up(&s->false_hub, code);
    false_hub_meet(&s->false_hub);
    cr_assert_not(network_alarm(&s->false_hub.net, "A", "removed"));
    buf_done(&refused);
}

/* ---- sealed messages and frames ---- */

CASE_FUNCTION(hub_sends_a_damaged_message) {
    struct frame reached = {.kind = FRAME_REACHED, .reached = {2, 1, false}};
    uint8_t data[256];
    struct false_hub *h = &s->false_hub;
    struct blob *good = puppet_frame(&h->puppet, &reached, NULL);
    size_t len = blob_bytes(good).len;
    memcpy(data, blob_bytes(good).data, len);
    data[len - 1] ^= 0x80;
    false_hub_send(h, bytes_of(data, len));
    blob_unref(good);
    false_hub_expect_hang_up(h, code);
}

static void bad_plain(struct stage *s, const void *plain, size_t len, enum err code) {
    false_hub_send_plain(&s->false_hub, bytes_of(plain, len));
    false_hub_expect_hang_up(&s->false_hub, code);
}
static void bad_frame(struct stage *s, const struct frame *frame, enum err code) {
    false_hub_send_frame(&s->false_hub, frame);
    false_hub_expect_hang_up(&s->false_hub, code);
}

/* Reached: class 5, upto 0, tip 0. */
CASE_FUNCTION(class_that_there_is_not) {
    bad_plain(s, "\x32\x06\x08\x05\x10\x00\x18\x00", 8, code);
}
CASE_FUNCTION(tip_of_two) {
    bad_plain(s, "\x32\x06\x08\x02\x10\x00\x18\x02", 8, code);
}
CASE_FUNCTION(frame_that_only_agents_send) {
    struct frame pull = {.kind = FRAME_PULL};
    bad_frame(s, &pull, code);
}
CASE_FUNCTION(position_that_goes_back) {
    struct frame reached = {.kind = FRAME_REACHED, .reached = {FALSE_HUB_STATES, 0, false}};
    cr_assert_gt(s->false_hub.positions[FALSE_HUB_STATES], 0u);
    bad_frame(s, &reached, code);
}
CASE_FUNCTION(position_beyond_the_hubs_feed) {
    struct frame reached = {.kind = FRAME_REACHED,
                            .reached = {0, s->false_hub.head.seq + 5, false}};
    bad_frame(s, &reached, code);
}
CASE_FUNCTION(position_beyond_63_bits) {
    struct frame reached = {.kind = FRAME_REACHED,
                            .reached = {FALSE_HUB_STATES, UINT64_C(1) << 63, false}};
    bad_frame(s, &reached, code);
}
CASE_FUNCTION(hole_in_the_hubs_feed) {
    s->false_hub.held++;
    false_hub_deliver(&s->false_hub, 0, buf_bytes(&s->false_hub.feed[0]));
    false_hub_expect_hang_up(&s->false_hub, code);
}

/* Leave with a refusal that somebody else signed. */
CASE_FUNCTION(leave_signed_by_another) {
    struct frame leave = {.kind = FRAME_LEAVE};
    struct buf refused;
    encode_refused(50, &refused);
    leave.leave.refused = buf_bytes(&refused);
    uint8_t which = 2;
    struct bytes parts[] = {buf_bytes(&s->false_hub.puppet.hub_hello),
                            buf_bytes(&s->false_hub.puppet.agent_hello), bytes_of(&which, 1),
                            leave.leave.refused};
    sign_parts(&leave.leave.signature, &s->false_hub.kit.member, DOMAIN_HELLO_HUB, parts, 4);
    bad_frame(s, &leave, code);
    buf_done(&refused);
    false_hub_meet(&s->false_hub);
    cr_assert_not(network_alarm(&s->false_hub.net, "A", "removed"));
}

/* ---- answers to pushes ---- */

/* The agent pushes an entry, which waits for its answer. */
static void wait_push(struct stage *s) {
    struct false_hub *h = &s->false_hub;
    struct frame frame;
    static int figure = 10;
    h->silent = true;
    AGENT_DO(&h->net, "A", "set", "bed", lab_text(&s->lab, "free=%d", figure++));
    do {
        cr_assert_neq(false_hub_next(h, &frame), 0);
    } while (frame.kind != FRAME_PUSH);
}

CASE_FUNCTION(ack_of_what_was_not_sent) {
    wait_push(s);
    struct frame ack = {.kind = FRAME_ACK, .ack = {1, s->false_hub.pushed.seq + 7, 1u << 23}};
    bad_frame(s, &ack, code);
}
CASE_FUNCTION(ack_that_takes_credit_back) {
    wait_push(s);
    struct frame ack = {.kind = FRAME_ACK, .ack = {1, s->false_hub.pushed.seq, 1024}};
    bad_frame(s, &ack, code);
}
CASE_FUNCTION(reject_of_what_was_not_sent) {
    wait_push(s);
    struct frame reject = {.kind = FRAME_REJECT,
                           .reject = {.head = s->false_hub.pushed, .code = ERR_SEQ}};
    reject.reject.head.hash.b[0] ^= 1;
    bad_frame(s, &reject, code);
}
CASE_FUNCTION(reject_without_a_code) {
    Plek__Frame frame = PLEK__FRAME__INIT;
    Plek__Reject reject = PLEK__REJECT__INIT;
    struct buf plain;
    wait_push(s);
    reject.incarnation = s->false_hub.pushed.incarnation;
    reject.seq = s->false_hub.pushed.seq;
    reject.hash = codec_binary(bytes_of(s->false_hub.pushed.hash.b, HASH_LEN));
    frame.body_case = PLEK__FRAME__BODY_REJECT;
    frame.reject = &reject;
    buf_init(&plain, 256);
    codec_encode(&frame, &plain);
    bad_plain(s, plain.data, plain.len, code);
    buf_done(&plain);
}

/* The hub names a head of ours that we never signed. Done on a copy: it needs a person to end. */
CASE_FUNCTION(own_head_that_is_nobodys) {
    struct false_hub *h = &s->false_hub;
    struct frame frame;
    struct head other = h->acked;
    const char *dir = network_dir(&h->net, "A"), *copy = lab_path(&s->lab, "kept");
    (void)code;
    other.hash.b[0] ^= 1;
    false_hub_part(h);
    LAB_OK(&s->lab, "cp", "-a", dir, copy);
    false_hub_accept(h);
    false_hub_take_hello(h);
    false_hub_welcome(h, &other);
    AGENT_DO(&h->net, "A", "set", "bed", "free=77");
    /* What comes from the partner is taken on; nothing is pushed. */
    false_hub_append(h, 99, bytes_of("later", 5));
    false_hub_deliver(h, 0, buf_bytes(&h->feed[h->head.seq - 1]));
    h->held++;
    while (h->taken < h->delivered) {
        cr_assert_neq(false_hub_next(h, &frame), 0);
        cr_assert_neq(frame.kind, FRAME_PUSH, "pushed behind a head that is not its own");
    }
    cr_assert(network_alarm(&h->net, "A", "forked"), "%s",
              lab_dump(&s->lab, AGENT(&h->net, "A", "status")));
    false_hub_part(h);
    LAB_OK(&s->lab, "rm", "-r", dir);
    LAB_OK(&s->lab, "mv", copy, dir);
}

/* ---- below the socket ---- */

/* A session of the agent's machine, alone, against a hub played by hand. */
static struct agent_session *core_session(struct false_hub *h, struct puppet *hub, bool welcomed) {
    struct agent_session *session = NULL;
    struct agent_effect effect;
    struct actor *b = &h->partner;
    struct agent_session_config config = {.network = h->kit.hub.pub,
                                          .keys = &b->kit.agent,
                                          .cert = buf_bytes(&b->kit.cert_bytes),
                                          .entropy = &b->kit.entropy};
    cr_assert_eq(agent_session_new(&config, 0, &session, NULL), ERR_OK);
    puppet_init(hub, &h->kit);
    agent_session_bytes(session, puppet_hub_hello(hub), 0);
    struct welcome welcome = {.hub_head = h->head, .credit_bytes = 1u << 21};
    while (welcomed && agent_session_next(session, &effect)) {
        if (effect.kind == AGENT_EFFECT_SEND && !hub->channel.ready)
            agent_session_bytes(session, puppet_welcome(hub, blob_bytes(effect.data), &welcome), 0);
        blob_unref(effect.data);
    }
    return session;
}

static void expect_core_close(struct agent_session *session, enum err code) {
    struct agent_effect effect;
    bool closed = false;
    while (agent_session_next(session, &effect)) {
        if (effect.kind == AGENT_EFFECT_CLOSE) {
            cr_assert_eq(effect.code, code, "closed with %s", error_name(effect.code));
            closed = true;
        }
        blob_unref(effect.data);
    }
    cr_assert(closed, "the session goes on");
}

/* A real agent takes what it is sent before more can come, so the window never fills there. */
CASE_FUNCTION(delivered_beyond_the_window) {
    static uint8_t large[600 * 1024];
    Plek__Excerpt excerpt = PLEK__EXCERPT__INIT;
    struct puppet hub;
    struct buf bytes;
    struct agent_session *session = core_session(&s->false_hub, &hub, true);
    excerpt.header = codec_binary(bytes_of(large, sizeof large));
    excerpt.signature = codec_binary(bytes_of(large, SIGNATURE_LEN));
    buf_init(&bytes, ENTRY_MAX_BYTES);
    codec_encode(&excerpt, &bytes);
    for (uint64_t i = 1; i <= 3; i++) {
        struct frame frame = {
            .kind = FRAME_DELIVER,
            .deliver = {.class_ = 2, .position = i, .excerpt = buf_bytes(&bytes)}};
        struct blob *sealed = puppet_frame(&hub, &frame, NULL);
        agent_session_bytes(session, blob_bytes(sealed), 0);
        blob_unref(sealed);
    }
    expect_core_close(session, code);
    buf_done(&bytes);
    agent_session_free(session);
    puppet_done(&hub);
}

/* Twenty seconds that need not be waited for. */
CASE_FUNCTION(hub_that_does_not_answer) {
    struct puppet hub;
    struct agent_session *session = core_session(&s->false_hub, &hub, false);
    agent_session_wake(session, AGENT_HANDSHAKE_MS - 1);
    cr_assert_not(agent_session_established(session));
    agent_session_wake(session, AGENT_HANDSHAKE_MS);
    expect_core_close(session, code);
    agent_session_free(session);
    puppet_done(&hub);
}

CASE_FUNCTION(recipient_of_low_order) {
    static const struct public_key zero;
    static const uint8_t seed[SEED_LEN] = {1};
    struct actor *b = &s->false_hub.partner;
    struct buf out;
    buf_init(&out, GRANT_MAX_BYTES);
    cr_assert_eq(grant_seal(&b->ctx, &b->key, &zero, seed, &out, NULL), code);
    cr_assert_eq(out.len, 0u);
    buf_done(&out);
}
