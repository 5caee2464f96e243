/* Tests of the codec: what strict and view decoding let through, with messages written by hand. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "flip.h"
#include "plek.pb-c.h"

#define MAX 4096

/* ---- messages written by hand ---- */

static void put_varint(struct buf *out, uint64_t value) {
    for (; value > 0x7f; value >>= 7)
        buf_append_u8(out, (uint8_t)(value | 0x80));
    buf_append_u8(out, (uint8_t)value);
}

static void put_number(struct buf *out, uint32_t field, uint64_t value) {
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static void put_bytes(struct buf *out, uint32_t field, struct bytes value) {
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, value.len);
    buf_append(out, value.data, value.len);
}

static void put_text(struct buf *out, uint32_t field, const char *value) {
    put_bytes(out, field, bytes_str(value));
}

/* Closes `inner` into a field of `out`. */
static void put_message(struct buf *out, uint32_t field, struct buf *inner) {
    put_bytes(out, field, buf_bytes(inner));
    buf_done(inner);
}

static struct buf new_buf(void) {
    struct buf b;
    buf_init(&b, MAX);
    return b;
}

static void put_head(struct buf *out) {
    put_number(out, 1, 1);
    put_number(out, 2, 300);
    put_text(out, 3, "hash");
}

static enum err strict(const ProtobufCMessageDescriptor *type, struct bytes in) {
    ProtobufCMessage *message = NULL;
    struct error e = {0};
    enum err rc = codec_decode(type, in, MAX, "test message", &message, &e);
    cr_expect_eq(message != NULL, rc == ERR_OK);
    if (rc != ERR_OK) {
        cr_expect_eq(e.code, rc);
        cr_expect_not_null(strstr(e.detail, "test message"), "%s", e.detail);
    }
    codec_free(message);
    return rc;
}

static enum err view(const ProtobufCMessageDescriptor *type, struct bytes in) {
    ProtobufCMessage *message = NULL;
    struct error e = {0};
    enum err rc = codec_decode_view(type, in, MAX, "test message", &message, &e);
    cr_expect_eq(message != NULL, rc == ERR_OK);
    codec_free(message);
    return rc;
}

static void expect(const ProtobufCMessageDescriptor *type, struct buf *take_message,
                   enum err in_strict, enum err in_view) {
    struct bytes in = buf_bytes(take_message);
    cr_expect_eq(strict(type, in), in_strict, "strict gave %s", error_name(strict(type, in)));
    cr_expect_eq(view(type, in), in_view, "view gave %s", error_name(view(type, in)));
    buf_done(take_message);
}

#define HEAD &plek__head__descriptor
#define FRAME &plek__frame__descriptor

/* ---- what is accepted ---- */

Test(codec, canonical_message_round_trip) {
    struct buf in = new_buf(), out = new_buf();
    struct error e;
    ProtobufCMessage *message = NULL;
    put_head(&in);
    cr_assert_eq(codec_decode(HEAD, buf_bytes(&in), MAX, "head", &message, &e), ERR_OK);
    const Plek__Head *head = (const Plek__Head *)message;
    cr_expect_eq(head->incarnation, 1);
    cr_expect_eq(head->seq, 300);
    cr_expect(bytes_equal(codec_bytes(head->hash), bytes_str("hash")));
    codec_encode(message, &out);
    cr_expect(bytes_equal(buf_bytes(&in), buf_bytes(&out)));
    codec_free(message);
    codec_free(NULL);
    buf_done(&in);
    buf_done(&out);
}

Test(codec, presence_of_zero_survives) {
    Plek__Line line = PLEK__LINE__INIT, *back;
    line.has_available = true;
    line.available = 0;
    line.has_need = true;
    line.need = -3;
    line.note = (char *)(uintptr_t) "caf\xc3\xa9";
    struct buf out = new_buf();
    struct error e;
    codec_encode(&line, &out);
    ProtobufCMessage *message = NULL;
    cr_assert_eq(codec_decode(&plek__line__descriptor, buf_bytes(&out), MAX, "line", &message, &e),
                 ERR_OK);
    back = (Plek__Line *)message;
    cr_expect(back->has_available && back->available == 0);
    cr_expect_not(back->has_total);
    cr_expect(back->has_need && back->need == -3);
    cr_expect_str_eq(back->note, "caf\xc3\xa9");
    codec_free(message);
    buf_done(&out);
}

Test(codec, empty_input_where_nothing_is_required) {
    cr_expect_eq(strict(FRAME, bytes_of(NULL, 0)), ERR_OK);
    cr_expect_eq(view(FRAME, bytes_of(NULL, 0)), ERR_OK);
    cr_expect_eq(strict(HEAD, bytes_of(NULL, 0)), ERR_MALFORMED);
    cr_expect_eq(view(HEAD, bytes_of(NULL, 0)), ERR_MALFORMED);
}

/* ---- the cap ---- */

Test(codec, cap_before_decoding) {
    struct buf in = new_buf();
    put_head(&in);
    struct error e;
    ProtobufCMessage *message = NULL;
    cr_expect_eq(codec_decode(HEAD, buf_bytes(&in), in.len - 1, "head", &message, &e), ERR_CAP);
    cr_expect_eq(codec_decode_view(HEAD, buf_bytes(&in), in.len - 1, "head", &message, &e),
                 ERR_CAP);
    cr_expect_null(message);
    cr_assert_eq(codec_decode(HEAD, buf_bytes(&in), in.len, "head", &message, &e), ERR_OK);
    codec_free(message);
    buf_done(&in);
}

/* Two bytes on the wire each, some forty in memory: bounded whatever the caller's cap. */
Test(codec, many_tiny_items_are_capped_in_memory) {
    struct buf in;
    struct error e = {0};
    ProtobufCMessage *message = NULL;
    buf_init(&in, 4 * 1024 * 1024);
    for (int i = 0; i < 1024 * 1024; i++)
        put_text(&in, 6, "");
    cr_expect_eq(codec_decode_view(&plek__snapshot__descriptor, buf_bytes(&in), in.max, "view",
                                   &message, &e),
                 ERR_CAP, "%s", e.detail);
    cr_expect_null(message);
    buf_done(&in);
}

/* ---- bytes that are not canonical ---- */

Test(codec, overlong_varint) {
    struct buf value = new_buf(), tag = new_buf(), len = new_buf();
    put_varint(&value, 1 << 3);
    buf_append(&value, "\x81\x00", 2); /* 1 in two bytes */
    put_number(&value, 2, 300);
    put_text(&value, 3, "hash");
    expect(HEAD, &value, ERR_MALFORMED, ERR_OK);
    buf_append(&tag, "\x88\x00\x01", 3); /* the tag of field 1 in two bytes */
    put_number(&tag, 2, 300);
    put_text(&tag, 3, "hash");
    expect(HEAD, &tag, ERR_MALFORMED, ERR_OK);
    put_number(&len, 1, 1);
    put_number(&len, 2, 300);
    buf_append(&len, "\x1a\x84\x00hash", 7);
    expect(HEAD, &len, ERR_MALFORMED, ERR_OK);
}

Test(codec, varint_beyond_its_type) {
    struct buf over = new_buf(), endless = new_buf();
    put_number(&over, 1, UINT64_C(1) << 32 | 2); /* uint32 class_ */
    put_number(&over, 2, 1);
    put_number(&over, 3, 1);
    expect(&plek__reached__descriptor, &over, ERR_MALFORMED, ERR_OK);
    put_varint(&endless, 1 << 3);
    for (int i = 0; i < 11; i++)
        buf_append_u8(&endless, 0xff);
    expect(HEAD, &endless, ERR_MALFORMED, ERR_MALFORMED);
}

Test(codec, bool_that_is_neither_0_nor_1) {
    struct buf in = new_buf();
    put_number(&in, 1, 1);
    put_number(&in, 2, 1);
    put_number(&in, 3, 2);
    expect(&plek__reached__descriptor, &in, ERR_MALFORMED, ERR_OK);
}

Test(codec, fields_out_of_order) {
    struct buf in = new_buf();
    put_number(&in, 2, 300);
    put_number(&in, 1, 1);
    put_text(&in, 3, "hash");
    expect(HEAD, &in, ERR_MALFORMED, ERR_OK);
}

Test(codec, a_field_twice) {
    struct buf in = new_buf();
    put_number(&in, 1, 1);
    put_head(&in);
    expect(HEAD, &in, ERR_MALFORMED, ERR_OK);
}

Test(codec, two_bodies_of_one_frame) {
    struct buf in = new_buf(), taken = new_buf(), ack = new_buf();
    put_number(&ack, 1, 1);
    put_number(&ack, 2, 1);
    put_number(&ack, 3, 1);
    put_message(&in, 2, &ack);
    put_number(&taken, 1, 1);
    put_message(&in, 7, &taken);
    expect(FRAME, &in, ERR_MALFORMED, ERR_OK);
}

Test(codec, packed_numbers) {
    struct buf in = new_buf();
    put_bytes(&in, 1, bytes_str("\1\2")); /* HubHello.versions, which is not packed */
    for (uint32_t field = 2; field <= 4; field++)
        put_text(&in, field, "x");
    put_number(&in, 5, 0);
    cr_expect_eq(strict(&plek__hub_hello__descriptor, buf_bytes(&in)), ERR_MALFORMED);
    buf_done(&in);
}

Test(codec, required_field_missing) {
    struct buf in = new_buf();
    put_number(&in, 1, 1);
    put_text(&in, 3, "hash");
    expect(HEAD, &in, ERR_MALFORMED, ERR_MALFORMED);
}

Test(codec, wrong_wire_types) {
    struct buf text = new_buf(), group = new_buf(), zero = new_buf();
    put_text(&text, 1, "1");
    put_number(&text, 2, 1);
    put_text(&text, 3, "hash");
    expect(HEAD, &text, ERR_MALFORMED, ERR_MALFORMED);
    put_head(&group);
    put_varint(&group, 9 << 3 | 3); /* a group starts */
    put_varint(&group, 9 << 3 | 4);
    expect(HEAD, &group, ERR_MALFORMED, ERR_MALFORMED);
    put_head(&zero);
    put_number(&zero, 0, 1); /* field number 0 */
    expect(HEAD, &zero, ERR_MALFORMED, ERR_MALFORMED);
}

Test(codec, length_beyond_the_end) {
    struct buf in = new_buf();
    put_number(&in, 1, 1);
    put_number(&in, 2, 1);
    put_varint(&in, 3 << 3 | 2);
    put_varint(&in, UINT64_MAX);
    buf_append_str(&in, "hash");
    expect(HEAD, &in, ERR_MALFORMED, ERR_MALFORMED);
}

/* ---- unknown fields ---- */

Test(codec, unknown_fields_of_every_wire_type) {
    for (int kind = 0; kind < 4; kind++) {
        struct buf in = new_buf();
        put_head(&in);
        if (kind == 0)
            put_number(&in, 9, 1);
        if (kind == 1)
            put_text(&in, 9, "later");
        if (kind == 2)
            buf_append(&in, "\x49\1\2\3\4\5\6\7\x08", 9); /* field 9, 64 bits */
        if (kind == 3)
            buf_append(&in, "\x4d\1\2\3\4", 5); /* field 9, 32 bits */
        expect(HEAD, &in, ERR_MALFORMED, ERR_OK);
    }
}

/* Frame > Push > Entry > Part: the deepest a frame goes. */
static void put_push(struct buf *out, bool unknown) {
    struct buf part = new_buf(), entry = new_buf(), push = new_buf();
    put_text(&part, 1, "target");
    put_number(&part, 2, 3);
    put_text(&part, 3, "key id");
    if (unknown)
        put_number(&part, 77, 1);
    put_text(&entry, 1, "header");
    put_text(&entry, 2, "signature");
    put_message(&entry, 3, &part);
    put_message(&push, 1, &entry);
    put_message(out, 1, &push);
}

Test(codec, unknown_field_at_depth) {
    struct buf known = new_buf(), unknown = new_buf();
    put_push(&known, false);
    expect(FRAME, &known, ERR_OK, ERR_OK);
    put_push(&unknown, true);
    struct error e;
    ProtobufCMessage *message = NULL;
    cr_expect_eq(codec_decode(FRAME, buf_bytes(&unknown), MAX, "frame", &message, &e),
                 ERR_MALFORMED);
    cr_expect_not_null(strstr(e.detail, "77"), "%s", e.detail);
    expect(FRAME, &unknown, ERR_MALFORMED, ERR_OK);
}

/* ---- text ---- */

static void put_snapshot(struct buf *out, const char *text, size_t len) {
    struct buf site = new_buf();
    put_number(out, 1, 1);
    put_number(out, 2, 1);
    put_number(out, 3, 2);
    put_number(out, 4, 1);
    put_number(&site, 1, 1);
    put_bytes(&site, 2, bytes_of(text, len));
    put_message(out, 7, &site);
}

Test(codec, text_is_utf_8_at_every_depth) {
    static const struct {
        const char *text;
        size_t len;
        enum err expected;
    } texts[] = {
        {"", 0, ERR_OK},
        {"Huis Z\xc3\xbcid \xe2\x82\xac", 14, ERR_OK},
        {"\xff", 1, ERR_MALFORMED},
        {"\xc3", 1, ERR_MALFORMED},
        {"\xc0\xaf", 2, ERR_MALFORMED},
        {"\xed\xa0\x80", 3, ERR_MALFORMED},
        {"a\0b", 3, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf nested = new_buf(), list = new_buf();
        put_snapshot(&nested, texts[i].text, texts[i].len);
        expect(&plek__snapshot__descriptor, &nested, texts[i].expected, texts[i].expected);
        put_number(&list, 1, 1);
        put_number(&list, 2, 1);
        put_number(&list, 3, 2);
        put_number(&list, 4, 1);
        put_text(&list, 6, "fine");
        put_bytes(&list, 6, bytes_of(texts[i].text, texts[i].len));
        expect(&plek__snapshot__descriptor, &list, texts[i].expected, texts[i].expected);
    }
}

/* ---- depth ---- */

static const ProtobufCMessageDescriptor recursive_type;

struct recursive {
    ProtobufCMessage base;
    struct recursive *inner;
};
static const ProtobufCFieldDescriptor recursive_fields[] = {
    {.name = "inner",
     .id = 1,
     .label = PROTOBUF_C_LABEL_OPTIONAL,
     .type = PROTOBUF_C_TYPE_MESSAGE,
     .offset = offsetof(struct recursive, inner),
     .descriptor = &recursive_type},
};
static const unsigned recursive_names[] = {0};
static const ProtobufCIntRange recursive_ranges[] = {{1, 0}, {0, 1}};
static void recursive_init(ProtobufCMessage *message) {
    *(struct recursive *)message = (struct recursive){.base = {.descriptor = &recursive_type}};
}
static const ProtobufCMessageDescriptor recursive_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Recursive",
    .short_name = "Recursive",
    .c_name = "recursive",
    .package_name = "",
    .sizeof_message = sizeof(struct recursive),
    .n_fields = 1,
    .fields = recursive_fields,
    .fields_sorted_by_name = recursive_names,
    .n_field_ranges = 1,
    .field_ranges = recursive_ranges,
    .message_init = recursive_init,
};

/* Should a recursive type ever enter the schema, it cannot overflow the stack. */
Test(codec, depth_is_bounded) {
    struct buf in = new_buf();
    for (int depth = 1; depth <= 1000; depth++) {
        struct bytes bytes = buf_bytes(&in);
        cr_expect_eq(strict(&recursive_type, bytes), depth <= 8 ? ERR_OK : ERR_MALFORMED, "%d",
                     depth);
        cr_expect_eq(view(&recursive_type, bytes), depth <= 8 ? ERR_OK : ERR_MALFORMED);
        struct buf outer = new_buf();
        put_message(&outer, 1, &in);
        in = outer;
    }
    buf_done(&in);
}

/* ---- damage ---- */

/* Whatever still decodes strictly re-encodes to the very bytes that came in. */
static void expect_canonical_or_refused(struct bytes damaged, size_t at, void *ctx) {
    size_t *accepted = ctx;
    ProtobufCMessage *message = NULL;
    struct error e;
    enum err rc = codec_decode(FRAME, damaged, MAX, "frame", &message, &e);
    if (rc != ERR_OK) {
        cr_expect(rc == ERR_MALFORMED && message == NULL, "at %zu", at);
        return;
    }
    (*accepted)++;
    struct buf out = new_buf();
    codec_encode(message, &out);
    cr_expect(bytes_equal(buf_bytes(&out), damaged), "at %zu", at);
    codec_free(message);
    buf_done(&out);
}

Test(codec, damage_never_gives_another_encoding) {
    struct buf in = new_buf();
    size_t accepted = 0;
    put_push(&in, false);
    cr_expect_eq(truncate_each(buf_bytes(&in), expect_canonical_or_refused, &accepted), in.len);
    cr_expect_eq(accepted, 1); /* the empty frame */
    accepted = 0;
    cr_expect_eq(flip_each_bit(buf_bytes(&in), expect_canonical_or_refused, &accepted), in.len * 8);
    cr_expect_gt(accepted, 0); /* bits inside byte strings */
    buf_done(&in);
}

static void decode_as_view(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    ProtobufCMessage *message = NULL;
    struct error e;
    enum err rc =
        codec_decode_view(&plek__snapshot__descriptor, damaged, MAX, "view", &message, &e);
    cr_expect(rc == ERR_OK || rc == ERR_MALFORMED, "at %zu", at);
    cr_expect_eq(message != NULL, rc == ERR_OK);
    codec_free(message);
}

Test(codec, damaged_views_are_refused_or_decoded_cleanly) {
    struct buf in = new_buf();
    put_snapshot(&in, "Huis Zuid", 9);
    cr_expect_eq(truncate_each(buf_bytes(&in), decode_as_view, NULL), in.len);
    cr_expect_eq(flip_each_bit(buf_bytes(&in), decode_as_view, NULL), in.len * 8);
    buf_done(&in);
}

/* ---- encoding and borrowing ---- */

Test(codec, encoding_that_does_not_fit_leaves_nothing_behind) {
    Plek__Head head = PLEK__HEAD__INIT;
    head.incarnation = 1;
    head.seq = 300;
    head.hash = codec_binary(bytes_str("a longer hash"));
    struct buf out;
    struct error e;
    for (size_t max = 3; max < 3 + protobuf_c_message_get_packed_size(&head.base); max++) {
        buf_init(&out, max);
        buf_append_str(&out, "abc");
        codec_encode(&head, &out);
        cr_expect_eq(buf_failed(&out, &e), ERR_TOO_LARGE);
        cr_expect_eq(out.len, 3);
        buf_done(&out);
    }
}

Test(codec, borrowing_a_field) {
    struct buf in = new_buf();
    put_number(&in, 1, 5);
    put_text(&in, 2, "two");
    buf_append(&in, "\x1d\1\2\3\4", 5);
    buf_append(&in, "\x21\1\2\3\4\5\6\7\x08", 9);
    put_text(&in, 300, "three hundred");
    struct bytes all = buf_bytes(&in);
    cr_expect(bytes_equal(codec_borrow(all, 2), bytes_str("two")));
    struct bytes far = codec_borrow(all, 300);
    cr_expect(bytes_equal(far, bytes_str("three hundred")));
    cr_expect(far.data > all.data && far.data < all.data + all.len);
    cr_expect_null(codec_borrow(all, 1).data);
    cr_expect_null(codec_borrow(all, 9).data);
    cr_expect_null(codec_borrow(bytes_of(all.data, all.len - 1), 300).data);
    cr_expect_null(codec_borrow(bytes_of(NULL, 0), 1).data);
    buf_done(&in);
}
