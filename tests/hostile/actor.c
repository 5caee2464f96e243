/* Owns an agent played by hand (actor.h). */
#include "actor.h"

#include <stdio.h>
#include <time.h>

#include "codec.h"
#include "lab.h"

#define YEAR_MS INT64_C(31536000000)

static int64_t wall_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- who it is ---- */

void actor_certify(struct actor *a) {
    struct error e = {0};
    buf_done(&a->kit.cert_bytes);
    buf_init(&a->kit.cert_bytes, CERT_MAX_BYTES);
    cr_assert_eq(cert_issue(&a->kit.cert, &a->kit.member, &a->kit.agent, &a->kit.cert_bytes, &e),
                 ERR_OK, "%s", e.detail);
}

static void make_join(struct actor *a) {
    struct error e = {0};
    struct hash next = hash_blake2b(bytes_of(a->kit.member.pub.b, KEY_LEN));
    buf_done(&a->join);
    buf_init(&a->join, JOIN_MAX_BYTES);
    cr_assert_eq(join_build(&a->kit.hub.pub, &a->invite, &a->kit.member, &next, &a->kit.agent,
                            buf_bytes(&a->kit.cert_bytes), &a->join, &e),
                 ERR_OK, "%s", e.detail);
}

void actor_init(struct actor *a, const char *uri, uint64_t seed) {
    struct error e = {0};
    struct invite invite;
    uint8_t box_seed[SEED_LEN];
    memset(a, 0, sizeof *a);
    kit_init(&a->kit, seed);
    a->kit.entropy.ctx = &a->kit.rng;
    cr_assert_eq(invite_parse(uri, &invite, &e), ERR_OK, "%s", e.detail);
    snprintf(a->address, sizeof a->address, "%s", strstr(invite.address, "//") + 2);
    a->kit.hub = (struct sign_pair){.pub = invite.network};
    sign_pair_from_seed(&a->invite, invite.seed);
    entropy_fill(&a->kit.entropy, box_seed, sizeof box_seed);
    box_pair_from_seed(&a->box, box_seed);
    a->kit.cert.network = invite.network;
    a->kit.cert.box = a->box.pub;
    a->kit.cert.not_after_ms = wall_ms() + YEAR_MS;
    actor_certify(a);
    make_join(a);
    a->ctx = (struct audience_ctx){
        .network = invite.network, .member = a->kit.member.pub, .agent = a->kit.agent.pub};
    entropy_fill(&a->kit.entropy, a->ctx.audience, AUDIENCE_ID_LEN);
    entropy_fill(&a->kit.entropy, a->key.b, AUDIENCE_KEY_LEN);
    a->key_id = audience_key_id(&a->ctx, &a->key);
}

void actor_done(struct actor *a) {
    actor_disconnect(a);
    buf_done(&a->join);
    kit_done(&a->kit);
}

/* ---- the handshake ---- */

void actor_open(struct actor *a) {
    static uint8_t hello[HELLO_MAX_BYTES];
    size_t len = 0;
    actor_disconnect(a);
    peer_open(&a->peer, a->address);
    cr_assert(peer_upgrade(&a->peer, "plek.v1"), "the hub refused a websocket");
    cr_assert_eq(peer_read_frame(&a->peer, hello, sizeof hello, &len), PEER_BINARY);
    puppet_init(&a->puppet, &a->kit);
    buf_append(&a->puppet.hub_hello, hello, len);
    a->connected = true;
    a->pulled = false;
    a->pushed = a->delivered = 0;
    a->reason[0] = '\0';
    a->left = ERR_OK;
}

static void encode(const void *message, struct buf *out, size_t max) {
    buf_init(out, max);
    codec_encode(message, out);
    cr_assert_eq(buf_failed(out, NULL), ERR_OK);
}

static void build_right(struct actor *a, struct buf *out) {
    struct error e = {0};
    struct agent_hello fields = {.network = a->kit.hub.pub,
                                 .cert_bytes = buf_bytes(&a->kit.cert_bytes)};
    if (!a->joined)
        fields.join = buf_bytes(&a->join);
    buf_init(out, HELLO_MAX_BYTES);
    cr_assert_eq(agent_hello_build(&fields, &a->puppet.secret, &a->kit.hub.pub,
                                   buf_bytes(&a->puppet.hub_hello), &a->kit.agent, out, &e),
                 ERR_OK, "%s", e.detail);
}

void actor_make_hello(struct actor *a, change_hello *change, const char *domain) {
    struct buf right, inner;
    struct error e = {0};
    ProtobufCMessage *outer = NULL, *message = NULL;
    struct signature signature;
    build_right(a, &right);
    cr_assert_eq(codec_decode(&plek__signed_agent_hello__descriptor, buf_bytes(&right),
                              HELLO_MAX_BYTES, "hello", &outer, &e),
                 ERR_OK);
    Plek__SignedAgentHello *s = (Plek__SignedAgentHello *)outer, kept_outer = *s;
    cr_assert_eq(codec_decode(&plek__agent_hello__descriptor, codec_bytes(s->hello),
                              HELLO_MAX_BYTES, "hello", &message, &e),
                 ERR_OK);
    Plek__AgentHello *hello = (Plek__AgentHello *)message, kept = *hello;
    if (change)
        change(hello, a);
    encode(hello, &inner, 4u * HELLO_MAX_BYTES);
    *hello = kept;
    struct bytes parts[] = {bytes_of(a->kit.hub.pub.b, KEY_LEN), buf_bytes(&a->puppet.hub_hello),
                            buf_bytes(&inner)};
    sign_parts(&signature, &a->kit.agent, domain ? domain : DOMAIN_HELLO_AGENT, parts, 3);
    s->hello = codec_binary(buf_bytes(&inner));
    s->signature = codec_binary(bytes_of(signature.b, SIGNATURE_LEN));
    buf_done(&a->puppet.agent_hello);
    encode(s, &a->puppet.agent_hello, 4u * HELLO_MAX_BYTES);
    *s = kept_outer;
    codec_free(message);
    codec_free(outer);
    buf_done(&inner);
    buf_done(&right);
}

void actor_send(struct actor *a, struct bytes message) {
    peer_send_frame(&a->peer, PEER_BINARY, message.data, message.len);
}

enum err actor_answer(struct actor *a, struct welcome *ret_welcome, struct refused *ret_refused) {
    static uint8_t answer[HELLO_MAX_BYTES];
    size_t len = 0;
    int opcode = peer_read_frame(&a->peer, answer, sizeof answer, &len);
    cr_assert_eq(opcode, PEER_BINARY, "no answer but a close: '%.*s'",
                 opcode == PEER_CLOSE && len > 2 ? (int)len - 2 : 0, (const char *)answer + 2);
    if (puppet_welcomed(&a->puppet, bytes_of(answer, len), ret_welcome, ret_refused)) {
        a->credit = ret_welcome->credit_bytes;
        return ERR_OK;
    }
    return ret_refused->code;
}

static void note_close(struct actor *a, int opcode, const uint8_t *data, size_t len) {
    a->connected = false;
    if (opcode == PEER_CLOSE && len > 2)
        snprintf(a->reason, sizeof a->reason, "%.*s", (int)(len - 2), (const char *)data + 2);
}

void actor_expect_closed(struct actor *a, enum err code) {
    uint8_t data[256];
    size_t len = 0;
    int opcode = peer_read_frame(&a->peer, data, sizeof data, &len);
    cr_assert(opcode == PEER_CLOSE || opcode < 0, "found a message of %zu bytes before the close",
              len);
    note_close(a, opcode, data, len);
    cr_assert_str_eq(a->reason, error_name(code), "closed as '%s', expected '%s'", a->reason,
                     error_name(code));
    actor_disconnect(a);
}

static void catch_up(struct actor *a) {
    struct frame frame = {.kind = FRAME_PULL};
    actor_send_frame(a, &frame);
    a->pulled = true;
    do {
        int kind = actor_next(a, &frame);
        cr_assert_neq(kind, 0, "the hub closed: '%s' %s", a->reason, error_name(a->left));
    } while (frame.kind != FRAME_REACHED || !frame.reached.tip);
}

void actor_connect(struct actor *a) {
    struct welcome welcome;
    struct refused refused;
    actor_open(a);
    actor_make_hello(a, NULL, NULL);
    actor_send(a, buf_bytes(&a->puppet.agent_hello));
    enum err code = actor_answer(a, &welcome, &refused);
    cr_assert_eq(code, ERR_OK, "refused: %s %s", error_name(code), refused.detail);
    a->joined = true;
    if (welcome.has_own_head)
        a->head = welcome.own_head;
    catch_up(a);
}

void actor_disconnect(struct actor *a) {
    peer_close(&a->peer);
    if (a->puppet.kit)
        puppet_done(&a->puppet);
    memset(&a->puppet, 0, sizeof a->puppet);
    a->connected = false;
}

/* ---- frames ---- */

void actor_send_plain(struct actor *a, struct bytes plain) {
    struct blob *sealed = puppet_seal(&a->puppet, plain);
    actor_send(a, blob_bytes(sealed));
    blob_unref(sealed);
}

void actor_send_frame(struct actor *a, const struct frame *frame) {
    size_t len = 0;
    struct blob *sealed = puppet_frame(&a->puppet, frame, &len);
    actor_send(a, blob_bytes(sealed));
    blob_unref(sealed);
    if (frame->kind == FRAME_PUSH)
        a->pushed += len;
}

static void note_leave(struct actor *a, const struct frame *frame) {
    struct error e = {0};
    struct buf answer;
    struct welcome welcome;
    struct refused refused = {.code = ERR_OK};
    bool welcomed = true;
    buf_init(&answer, HELLO_MAX_BYTES);
    cr_assert_eq(frame_leave_to_answer(frame, &answer, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(answer_verify(buf_bytes(&answer), &a->kit.hub.pub, buf_bytes(&a->puppet.hub_hello),
                               buf_bytes(&a->puppet.agent_hello), &welcomed, &welcome, &refused,
                               &e),
                 ERR_OK, "%s", e.detail);
    a->left = refused.code;
    buf_done(&answer);
}

int actor_next(struct actor *a, struct frame *ret) {
    static uint8_t data[PEER_FRAME_MAX];
    size_t len = 0;
    int opcode = peer_read_frame(&a->peer, data, sizeof data, &len);
    if (opcode != PEER_BINARY) {
        note_close(a, opcode, data, len);
        return 0;
    }
    *ret = puppet_open(&a->puppet, bytes_of(data, len));
    if (ret->kind == FRAME_LEAVE)
        note_leave(a, ret);
    if (ret->kind == FRAME_ACK)
        a->credit = ret->ack.credit_bytes;
    if (ret->kind != FRAME_DELIVER)
        return (int)ret->kind;
    a->delivered += a->puppet.plain.len;
    struct frame taken = {.kind = FRAME_TAKEN, .taken = {.bytes = a->delivered}};
    if (a->pulled || ret->deliver.class_ == 0)
        actor_send_frame(a, &taken);
    return (int)ret->kind;
}

void actor_expect_end(struct actor *a, enum err code, bool signed_leave) {
    struct frame frame;
    while (actor_next(a, &frame) != 0)
        cr_assert(frame.kind != FRAME_ACK && frame.kind != FRAME_REJECT, "answered with a %s",
                  frame_name(frame.kind));
    cr_assert_eq(a->left, signed_leave ? code : ERR_OK, "left with %s, expected %s",
                 error_name(a->left), signed_leave ? error_name(code) : "a close only");
    cr_assert_str_eq(a->reason, error_name(code), "closed as '%s', expected '%s'", a->reason,
                     error_name(code));
    actor_disconnect(a);
}

/* ---- entries ---- */

struct view actor_view(uint32_t kind, size_t target_len, uint8_t byte, size_t len) {
    static const uint8_t nothing[VIEW_MAX_BYTES];
    struct view v = {.kind = kind, .data = bytes_of(nothing, len)};
    v.target.len = target_len;
    memset(v.target.b, byte, target_len);
    memset(v.key_id.b, byte, HASH_LEN);
    return v;
}

/* A state that says nothing is a state all the same: the hub cannot look into it. */
static void seal_state(struct actor *a, struct craft *c) {
    struct error e = {0};
    uint8_t nonce[VIEW_NONCE_LEN];
    static const uint8_t plain[] = {0x08, 0x01};
    entropy_fill(&a->kit.entropy, nonce, sizeof nonce);
    buf_init(&c->data[0], VIEW_MAX_BYTES);
    cr_assert_eq(view_seal(&a->ctx, &a->key, c->header.incarnation, c->header.seq, VIEW_STATE,
                           bytes_of(plain, sizeof plain), nonce, &c->data[0], &e),
                 ERR_OK, "%s", e.detail);
    c->views[0] = (struct view){.target = target_audience(a->ctx.audience),
                                .kind = VIEW_STATE,
                                .key_id = a->key_id,
                                .data = buf_bytes(&c->data[0])};
    c->count = 1;
}

void actor_craft(struct actor *a, struct craft *ret) {
    memset(ret, 0, sizeof *ret);
    ret->signer = &a->kit.agent;
    ret->header = (struct header){.network = a->kit.hub.pub,
                                  .member = a->kit.member.pub,
                                  .agent = a->kit.agent.pub,
                                  .incarnation = a->head.seq ? a->head.incarnation : 1,
                                  .seq = a->head.seq + 1,
                                  .prev = a->head.hash,
                                  .claimed_ms = wall_ms(),
                                  .kind = ENTRY_UPDATE};
    seal_state(a, ret);
}

void craft_build(const struct craft *c, struct buf *out, struct hash *ret_hash) {
    struct error e = {0};
    buf_init(out, ENTRY_MAX_BYTES);
    cr_assert_eq(entry_build(&c->header, c->views, c->count, c->signer, out, ret_hash, &e), ERR_OK,
                 "%s", e.detail);
}

void craft_done(struct craft *c) {
    for (int i = 0; i < ACTOR_VIEWS; i++)
        buf_done(&c->data[i]);
}

void craft_changed(const struct craft *c, change_entry *change, struct actor *a, struct buf *out) {
    struct error e = {0};
    struct buf right, header_bytes;
    struct signature signature;
    ProtobufCMessage *message = NULL, *inner = NULL;
    craft_build(c, &right, NULL);
    cr_assert_eq(codec_decode(&plek__entry__descriptor, buf_bytes(&right), ENTRY_MAX_BYTES, "entry",
                              &message, &e),
                 ERR_OK);
    Plek__Entry *entry = (Plek__Entry *)message, kept = *entry;
    cr_assert_eq(codec_decode(&plek__header__descriptor, codec_bytes(entry->header),
                              HEADER_MAX_BYTES, "header", &inner, &e),
                 ERR_OK);
    Plek__Header *header = (Plek__Header *)inner, kept_header = *header;
    Plek__Part kept_part = PLEK__PART__INIT;
    if (entry->n_parts > 0)
        kept_part = *entry->parts[0];
    change(entry, header, a);
    encode(header, &header_bytes, (size_t)4 * HEADER_MAX_BYTES);
    struct bytes signed_bytes = buf_bytes(&header_bytes);
    sign_parts(&signature, c->signer, DOMAIN_ENTRY, &signed_bytes, 1);
    entry->header = codec_binary(signed_bytes);
    entry->signature = codec_binary(bytes_of(signature.b, SIGNATURE_LEN));
    encode(entry, out, (size_t)4 * ENTRY_MAX_BYTES);
    *header = kept_header;
    *entry = kept;
    if (entry->n_parts > 0)
        *entry->parts[0] = kept_part;
    codec_free(inner);
    codec_free(message);
    buf_done(&header_bytes);
    buf_done(&right);
}

enum err actor_push(struct actor *a, struct bytes entry) {
    struct frame frame = {.kind = FRAME_PUSH, .push = {.entry = entry}};
    actor_send_frame(a, &frame);
    for (;;) {
        int kind = actor_next(a, &frame);
        if (kind == 0)
            cr_assert_neq(a->left, ERR_OK, "closed as '%s' instead of an answer", a->reason);
        if (kind == 0)
            return a->left;
        if (kind == FRAME_REJECT)
            return frame.reject.code;
        if (kind == FRAME_ACK && frame.ack.seq > a->head.seq)
            return ERR_OK;
    }
}

static void push_craft(struct actor *a, struct craft *c) {
    struct buf entry;
    struct head head = {c->header.incarnation, c->header.seq, {{0}}};
    craft_build(c, &entry, &head.hash);
    enum err code = actor_push(a, buf_bytes(&entry));
    cr_assert_eq(code, ERR_OK, "a good entry was answered with %s", error_name(code));
    a->head = head;
    buf_done(&entry);
    craft_done(c);
}

void actor_publish(struct actor *a, struct actor *const *readers, size_t count) {
    struct craft c;
    struct error e = {0};
    if (a->head.seq == 0) {
        actor_craft(a, &c);
        c.header.kind = ENTRY_OPEN;
        c.count = 0;
        cr_assert_lt(count, (size_t)ACTOR_VIEWS);
        for (; c.count < count; c.count++) {
            struct actor *to = readers[c.count];
            uint8_t seed[SEED_LEN];
            struct buf *grant = &c.data[c.count + 1];
            entropy_fill(&a->kit.entropy, seed, sizeof seed);
            buf_init(grant, GRANT_MAX_BYTES);
            cr_assert_eq(grant_seal(&a->ctx, &a->key, &to->box.pub, seed, grant, &e), ERR_OK);
            c.views[c.count] = (struct view){.target = target_key(&to->kit.agent.pub),
                                             .kind = VIEW_GRANT,
                                             .key_id = a->key_id,
                                             .data = buf_bytes(grant)};
        }
        push_craft(a, &c);
    }
    actor_craft(a, &c);
    push_craft(a, &c);
}

static bool is_state_of(const struct frame *frame, const struct actor *author) {
    struct entry *entry = NULL;
    if (frame->kind != FRAME_DELIVER || frame->deliver.class_ != 2)
        return false;
    cr_assert_eq(excerpt_parse(frame->deliver.excerpt, &entry, NULL), ERR_OK);
    bool is = key_equal(&entry->header.agent, &author->kit.agent.pub) &&
              entry->header.seq == author->head.seq;
    entry_free(entry);
    return is;
}

void actor_expect_state(struct actor *a, const struct actor *author) {
    struct frame frame;
    do {
        cr_assert_neq(actor_next(a, &frame), 0, "the hub closed: '%s'", a->reason);
    } while (!is_state_of(&frame, author));
}
