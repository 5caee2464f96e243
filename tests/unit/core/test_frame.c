/* Tests of shared/frame.c: against protobuf-c on the schema, canonical form, caps, damage. */
#include "frame.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "flip.h"
#include "plek.pb-c.h"

static uint8_t hash_bytes[HASH_LEN], signature_bytes[SIGNATURE_LEN];

/* What stands where an Entry and an Excerpt stand has to be one for protobuf-c. */
static struct bytes entry_bytes(void) {
    static uint8_t data[300];
    static size_t len;
    if (len == 0) {
        Plek__Entry entry = PLEK__ENTRY__INIT;
        entry.header = codec_binary(bytes_str("header"));
        entry.signature = codec_binary(bytes_of(signature_bytes, SIGNATURE_LEN));
        len = protobuf_c_message_pack(&entry.base, data);
    }
    return bytes_of(data, len);
}

static struct frame sample(enum frame_kind kind) {
    struct frame f = {.kind = kind};
    memset(hash_bytes, 0xa5, sizeof hash_bytes);
    memset(signature_bytes, 0x5a, sizeof signature_bytes);
    switch (kind) {
    case FRAME_PUSH:
        f.push.entry = entry_bytes();
        break;
    case FRAME_ACK:
        f.ack.incarnation = 2;
        f.ack.seq = 300;
        f.ack.credit_bytes = UINT64_MAX;
        break;
    case FRAME_REJECT:
        f.reject.head = (struct head){.incarnation = 1, .seq = 129};
        memcpy(f.reject.head.hash.b, hash_bytes, HASH_LEN);
        f.reject.code = ERR_PREV;
        memcpy(f.reject.detail, "reden: één", sizeof "reden: één");
        break;
    case FRAME_PULL:
        for (int i = 1; i < FRAME_CLASSES; i++)
            f.pull.after[i] = (uint64_t)i * 1000000007u;
        break;
    case FRAME_DELIVER:
        f.deliver.class_ = 4;
        f.deliver.position = 77;
        f.deliver.received_ms = -5;
        f.deliver.excerpt = entry_bytes(); /* an Excerpt without views has the same form */
        break;
    case FRAME_REACHED:
        f.reached.class_ = 3;
        f.reached.upto = UINT64_C(1) << 63;
        f.reached.tip = true;
        break;
    case FRAME_TAKEN:
        f.taken.bytes = 0;
        break;
    case FRAME_LEAVE:
        f.leave.refused = bytes_str("refused");
        memcpy(f.leave.signature.b, signature_bytes, SIGNATURE_LEN);
        break;
    }
    return f;
}

static void encode(const struct frame *f, struct buf *out) {
    struct error e = {0};
    buf_init(out, FRAME_MAX_BYTES);
    cr_assert_eq(frame_encode(f, out, &e), ERR_OK, "%s", e.detail);
}

static void check_same(const struct frame *a, const struct frame *b) {
    struct buf first, second;
    encode(a, &first);
    encode(b, &second);
    cr_assert(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    buf_done(&first);
    buf_done(&second);
}

static void check_fields(const struct frame *f, const Plek__Frame *m) {
    cr_assert_eq((int)m->body_case, (int)f->kind);
    switch (f->kind) {
    case FRAME_PUSH:
        cr_assert(bytes_equal(codec_bytes(m->push->entry->header), bytes_str("header")));
        break;
    case FRAME_ACK:
        cr_assert_eq(m->ack->incarnation, 2u);
        cr_assert_eq(m->ack->seq, 300u);
        cr_assert_eq(m->ack->credit_bytes, UINT64_MAX);
        break;
    case FRAME_REJECT:
        cr_assert_eq(m->reject->seq, 129u);
        cr_assert_eq(m->reject->code, error_wire(ERR_PREV));
        cr_assert_str_eq(m->reject->detail, "reden: één");
        cr_assert(bytes_equal(codec_bytes(m->reject->hash), bytes_of(hash_bytes, HASH_LEN)));
        break;
    case FRAME_PULL:
        cr_assert_eq(m->pull->grants_after, f->pull.after[1]);
        cr_assert_eq(m->pull->states_after, f->pull.after[2]);
        cr_assert_eq(m->pull->messages_after, f->pull.after[3]);
        cr_assert_eq(m->pull->history_after, f->pull.after[4]);
        break;
    case FRAME_DELIVER:
        cr_assert_eq(m->deliver->class_, 4u);
        cr_assert_eq(m->deliver->position, 77u);
        cr_assert_eq(m->deliver->received_ms, -5);
        cr_assert(bytes_equal(codec_bytes(m->deliver->excerpt->header), bytes_str("header")));
        break;
    case FRAME_REACHED:
        cr_assert_eq(m->reached->class_, 3u);
        cr_assert_eq(m->reached->upto, UINT64_C(1) << 63);
        cr_assert(m->reached->tip);
        break;
    case FRAME_TAKEN:
        cr_assert_eq(m->taken->bytes, 0u);
        break;
    case FRAME_LEAVE:
        cr_assert(bytes_equal(codec_bytes(m->leave->refused), bytes_str("refused")));
        cr_assert_eq(m->leave->signature.len, (size_t)SIGNATURE_LEN);
        break;
    }
}

Test(frame, each_kind_is_what_the_schema_says_and_comes_back) {
    for (int kind = FRAME_PUSH; kind <= FRAME_LEAVE; kind++) {
        struct error e = {0};
        struct frame f = sample((enum frame_kind)kind), back;
        struct buf out;
        encode(&f, &out);
        ProtobufCMessage *message = NULL;
        cr_assert_eq(codec_decode(&plek__frame__descriptor, buf_bytes(&out), FRAME_MAX_BYTES,
                                  "frame", &message, &e),
                     ERR_OK, "%s: %s", frame_name(f.kind), e.detail);
        check_fields(&f, (const Plek__Frame *)message);
        codec_free(message);
        cr_assert_eq(frame_decode(buf_bytes(&out), &back, &e), ERR_OK, "%s", e.detail);
        cr_assert_eq(back.kind, f.kind);
        check_same(&f, &back);
        buf_done(&out);
    }
}

Test(frame, the_bytes_of_an_ack_and_a_reached) {
    static const uint8_t ack[] = {0x12, 0x08, 0x08, 0x01, 0x10, 0x07, 0x18, 0x80, 0x80, 0x01};
    struct frame f = {.kind = FRAME_ACK, .ack = {1, 7, 16384}};
    struct buf out;
    encode(&f, &out);
    cr_assert(bytes_equal(buf_bytes(&out), bytes_of(ack, sizeof ack)));
    buf_done(&out);
    static const uint8_t reached[] = {0x32, 0x06, 0x08, 0x02, 0x10, 0x05, 0x18, 0x01};
    f = (struct frame){.kind = FRAME_REACHED, .reached = {2, 5, true}};
    encode(&f, &out);
    cr_assert(bytes_equal(buf_bytes(&out), bytes_of(reached, sizeof reached)));
    buf_done(&out);
}

static void check_truncated(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    struct error e = {0};
    struct frame f;
    cr_assert_eq(frame_decode(damaged, &f, &e), ERR_MALFORMED, "cut at %zu", at);
}

/* Damage is refused, or is another frame's one canonical form: never two readings of one. */
static void check_flipped(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    struct error e = {0};
    struct frame f;
    enum err rc = frame_decode(damaged, &f, &e);
    if (rc != ERR_OK) {
        cr_assert_eq(rc, ERR_MALFORMED, "bit %zu", at);
        return;
    }
    if (f.kind == FRAME_REJECT && f.reject.code == ERR_PROTOCOL)
        return; /* a code of a later version: known to be lost in reading */
    struct buf out;
    encode(&f, &out);
    cr_assert(bytes_equal(buf_bytes(&out), damaged), "bit %zu", at);
    buf_done(&out);
}

Test(frame, truncation_at_every_byte_and_every_bit_flipped) {
    for (int kind = FRAME_PUSH; kind <= FRAME_LEAVE; kind++) {
        struct frame f = sample((enum frame_kind)kind);
        struct buf out;
        encode(&f, &out);
        cr_assert_eq(truncate_each(buf_bytes(&out), check_truncated, NULL), out.len);
        cr_assert_eq(flip_each_bit(buf_bytes(&out), check_flipped, NULL), out.len * 8);
        buf_done(&out);
    }
}

static enum err decode_rc(const void *data, size_t len) {
    struct error e = {0};
    struct frame f;
    return frame_decode(bytes_of(data, len), &f, &e);
}

Test(frame, refuses_what_is_not_canonical_or_out_of_range) {
    cr_assert_eq(decode_rc("\x12\x06\x08\x01\x10\x07\x18\x00", 8), ERR_OK);
    cr_assert_eq(decode_rc("\x12\x07\x08\x81\x00\x10\x07\x18\x00", 9), ERR_MALFORMED,
                 "long varint");
    cr_assert_eq(decode_rc("\x12\x06\x10\x07\x08\x01\x18\x00", 8), ERR_MALFORMED, "order");
    cr_assert_eq(decode_rc("\x12\x04\x08\x01\x10\x07", 6), ERR_MALFORMED, "missing field");
    cr_assert_eq(decode_rc("\x12\x08\x08\x01\x10\x07\x18\x00\x20\x00", 10), ERR_MALFORMED,
                 "unknown");
    cr_assert_eq(decode_rc("\x3a\x02\x08\x01\x3a\x02\x08\x01", 8), ERR_MALFORMED, "two frames");
    cr_assert_eq(decode_rc("\x4a\x00", 2), ERR_MALFORMED, "unknown kind");
    cr_assert_eq(decode_rc("", 0), ERR_MALFORMED, "nothing");
    cr_assert_eq(decode_rc("", FRAME_MAX_BYTES + 1), ERR_CAP, "told by its length alone");
    cr_assert_eq(decode_rc("\x32\x06\x08\x05\x10\x05\x18\x01", 8), ERR_MALFORMED, "class 5");
    cr_assert_eq(decode_rc("\x32\x06\x08\x04\x10\x05\x18\x02", 8), ERR_MALFORMED, "tip 2");
}

Test(frame, a_reject_without_a_code_or_with_a_bad_text_is_malformed) {
    struct frame f = sample(FRAME_REJECT);
    struct buf out;
    f.reject.code = ERR_OK;
    encode(&f, &out);
    cr_assert_eq(decode_rc(out.data, out.len), ERR_MALFORMED);
    buf_done(&out);
    f.reject.code = ERR_SEQ;
    f.reject.detail[0] = '\0';
    encode(&f, &out);
    cr_assert_eq(decode_rc(out.data, out.len), ERR_OK);
    buf_append(&out, "\x2a\x00", 2); /* an empty detail, where it should be left out */
    out.data[1] = (uint8_t)(out.data[1] + 2);
    cr_assert_eq(decode_rc(out.data, out.len), ERR_MALFORMED);
    buf_done(&out);
    memcpy(f.reject.detail, "\xff", 2);
    encode(&f, &out);
    cr_assert_eq(decode_rc(out.data, out.len), ERR_MALFORMED);
    buf_done(&out);
}

Test(frame, an_unknown_code_is_a_protocol_error_and_no_success) {
    static const uint8_t tail[] = {0x20, 0xff, 0x7f}; /* field 4: 16383 */
    struct frame f = sample(FRAME_REJECT);
    f.reject.detail[0] = '\0';
    struct buf out;
    encode(&f, &out);
    uint8_t data[200];
    memcpy(data, out.data, out.len);
    memcpy(data + out.len - 2, tail, sizeof tail);
    data[1]++;
    struct error e = {0};
    struct frame back;
    cr_assert_eq(frame_decode(bytes_of(data, out.len + 1), &back, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(back.reject.code, ERR_PROTOCOL);
    buf_done(&out);
}

Test(frame, the_largest_entry_fits_and_more_is_refused) {
    size_t len = FRAME_MAX_BYTES;
    uint8_t *data = calloc(1, len);
    cr_assert_not_null(data);
    struct error e = {0};
    struct buf out;
    struct frame f = {.kind = FRAME_PUSH, .push = {bytes_of(data, ENTRY_MAX_BYTES)}}, back;
    encode(&f, &out);
    cr_assert_leq(out.len, (size_t)ENTRY_MAX_BYTES + FRAME_PUSH_OVERHEAD);
    cr_assert_eq(frame_decode(buf_bytes(&out), &back, &e), ERR_OK);
    cr_assert_eq(back.push.entry.len, (size_t)ENTRY_MAX_BYTES);
    buf_done(&out);
    f = (struct frame){
        .kind = FRAME_DELIVER,
        .deliver = {4, UINT64_MAX, INT64_MIN, bytes_of(data, FRAME_EXCERPT_MAX_BYTES)}};
    encode(&f, &out);
    buf_done(&out);
    f.deliver.excerpt.len = FRAME_MAX_BYTES;
    buf_init(&out, SIZE_MAX / 2);
    cr_assert_eq(frame_encode(&f, &out, &e), ERR_CAP);
    cr_assert_eq(out.len, 0u);
    buf_done(&out);
    free(data);
}

Test(frame, a_buffer_that_is_too_small_gets_nothing) {
    struct error e = {0};
    struct frame f = sample(FRAME_PUSH);
    struct buf out;
    buf_init(&out, 20);
    cr_assert_eq(frame_encode(&f, &out, &e), ERR_TOO_LARGE);
    cr_assert_eq(out.len, 0u);
    buf_done(&out);
}

Test(frame, a_leave_is_an_answer_without_its_wrapping) {
    struct error e = {0};
    struct buf answer, again;
    struct frame leave;
    struct refused refused = {.code = ERR_SUPERSEDED, .hub_time_ms = 1, .detail = "x"};
    struct sign_pair hub;
    uint8_t seed[SEED_LEN] = {1};
    cr_assert_eq(keys_init(&e), ERR_OK);
    sign_pair_from_seed(&hub, seed);
    buf_init(&answer, HELLO_MAX_BYTES);
    buf_init(&again, HELLO_MAX_BYTES);
    cr_assert_eq(refused_build(&refused, bytes_str("a"), bytes_str("b"), &hub, &answer, &e),
                 ERR_OK);
    cr_assert_eq(frame_leave_from_answer(buf_bytes(&answer), &leave, &e), ERR_OK);
    cr_assert_eq(frame_leave_to_answer(&leave, &again, &e), ERR_OK);
    cr_assert(bytes_equal(buf_bytes(&answer), buf_bytes(&again)));
    buf_done(&answer);
    buf_init(&answer, HELLO_MAX_BYTES);
    struct welcome welcome = {.hub_time_ms = 1};
    cr_assert_eq(welcome_build(&welcome, bytes_str("a"), bytes_str("b"), &hub, &answer, &e),
                 ERR_OK);
    cr_assert_eq(frame_leave_from_answer(buf_bytes(&answer), &leave, &e), ERR_MALFORMED);
    buf_done(&answer);
    buf_done(&again);
}
