/* Owns the step from bytes to decoded messages and back. A first walk over the wire bytes refuses
 * what protobuf-c would let through (unknown fields, bad UTF-8); re-encoding proves canonical form.
 * Must not know what a message means. */
#include "codec.h"

#include <stdlib.h>
#include <string.h>

#define CODEC_MAX_DEPTH 8
/* What one decoded message may take in memory. The schema's own caps stay far below it; many empty
 * items in a hostile message would not. */
#define CODEC_MAX_MEMORY ((size_t)16 * 1024 * 1024)
#define VARINT_MAX_BYTES 10

enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

/* ---- wire bytes ---- */

/* Reads fields one after another; `bad` is sticky. */
struct cursor {
    struct bytes in;
    size_t pos;
    bool bad;
};

struct wire_field {
    uint32_t number;
    unsigned type;
    struct bytes value; /* WIRE_BYTES only */
};

static uint64_t read_varint(struct cursor *c) {
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX_BYTES && c->pos < c->in.len; i++) {
        uint8_t byte = c->in.data[c->pos++];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0)
            return value;
    }
    c->bad = true;
    return 0;
}

static void skip(struct cursor *c, uint64_t len) {
    if (len > c->in.len - c->pos)
        c->bad = true;
    else
        c->pos += (size_t)len;
}

/* False at the end and on bad bytes; c->bad tells which. */
static bool next_field(struct cursor *c, struct wire_field *ret) {
    if (c->bad || c->pos == c->in.len)
        return false;
    uint64_t tag = read_varint(c);
    if (c->bad || tag >> 3 == 0 || tag > UINT32_MAX) {
        c->bad = true;
        return false;
    }
    ret->number = (uint32_t)(tag >> 3);
    ret->type = (unsigned)(tag & 7);
    ret->value = bytes_of(NULL, 0);
    if (ret->type == WIRE_VARINT) {
        (void)read_varint(c);
    } else if (ret->type == WIRE_64BIT) {
        skip(c, 8);
    } else if (ret->type == WIRE_32BIT) {
        skip(c, 4);
    } else if (ret->type == WIRE_BYTES) {
        uint64_t len = read_varint(c);
        size_t start = c->pos;
        if (!c->bad)
            skip(c, len);
        if (!c->bad)
            ret->value = bytes_of(c->in.data + start, (size_t)len);
    } else {
        c->bad = true;
    }
    return !c->bad;
}

struct bytes codec_borrow(struct bytes in, uint32_t number) {
    struct cursor c = {.in = in};
    struct wire_field field;
    while (next_field(&c, &field))
        if (field.number == number && field.type == WIRE_BYTES)
            return field.value;
    return bytes_of(NULL, 0);
}

/* ---- the checks protobuf-c does not make ---- */

struct rules {
    const char *what;
    bool strict;
};

static enum err check_wire(const ProtobufCMessageDescriptor *type, struct bytes in,
                           const struct rules *rules, int depth, struct error *e);

static enum err check_field(const ProtobufCMessageDescriptor *type, const struct wire_field *field,
                            const struct rules *rules, int depth, struct error *e) {
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(type, field->number);
    if (known == NULL) {
        if (!rules->strict)
            return ERR_OK;
        return error_set(e, ERR_MALFORMED, "%s: found unknown field %u in %s, expected none",
                         rules->what, (unsigned)field->number, type->short_name);
    }
    if (field->type != WIRE_BYTES)
        return ERR_OK;
    if (known->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_wire(known->descriptor, field->value, rules, depth + 1, e);
    if (known->type == PROTOBUF_C_TYPE_STRING && !utf8_valid(field->value))
        return error_set(e, ERR_MALFORMED, "%s: %s.%s is not valid UTF-8 without NUL", rules->what,
                         type->short_name, known->name);
    return ERR_OK;
}

/* Recursion is bounded by CODEC_MAX_DEPTH. */
static enum err check_wire(const ProtobufCMessageDescriptor *type, struct bytes in,
                           const struct rules *rules, int depth, struct error *e) {
    if (depth > CODEC_MAX_DEPTH)
        return error_set(e, ERR_MALFORMED, "%s: nested deeper than %d messages", rules->what,
                         CODEC_MAX_DEPTH);
    struct cursor c = {.in = in};
    struct wire_field field;
    while (next_field(&c, &field)) {
        enum err rc = check_field(type, &field, rules, depth, e);
        if (rc != ERR_OK)
            return rc;
    }
    if (c.bad)
        return error_set(e, ERR_MALFORMED, "%s: %s is broken off or garbled at byte %zu of %zu",
                         rules->what, type->short_name, c.pos, in.len);
    return ERR_OK;
}

/* ---- decoding ---- */

/* An allocator with a budget; it also tells a lack of memory from a malformed message. */
struct budget {
    size_t left;
    enum err failed;
};

static void *budget_alloc(void *ctx, size_t size) {
    struct budget *budget = ctx;
    if (size > budget->left) {
        budget->failed = ERR_CAP;
        return NULL;
    }
    void *memory = malloc(size);
    if (memory == NULL)
        budget->failed = ERR_NO_MEMORY;
    else
        budget->left -= size;
    return memory;
}

static void budget_free(void *ctx, void *memory) {
    (void)ctx;
    free(memory);
}

static enum err unpack(const ProtobufCMessageDescriptor *type, struct bytes in, const char *what,
                       ProtobufCMessage **ret, struct error *e) {
    struct budget budget = {.left = CODEC_MAX_MEMORY, .failed = ERR_OK};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    static const uint8_t nothing = 0; /* protobuf-c is never handed a null pointer */
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &allocator, in.len, in.data != NULL ? in.data : &nothing);
    if (message != NULL) {
        *ret = message;
        return ERR_OK;
    }
    if (budget.failed == ERR_NO_MEMORY)
        return error_set(e, ERR_NO_MEMORY, "%s: no memory to decode %zu bytes", what, in.len);
    if (budget.failed == ERR_CAP)
        return error_set(e, ERR_CAP, "%s: %zu bytes would decode to more than %zu bytes in memory",
                         what, in.len, CODEC_MAX_MEMORY);
    return error_set(e, ERR_MALFORMED,
                     "%s: %zu bytes are not a %s (a required field is missing or a type is wrong)",
                     what, in.len, type->short_name);
}

/* Compares an encoding with the bytes it should equal, without making a copy. */
struct compare {
    ProtobufCBuffer base; /* first, so that a pointer to it is a pointer to the whole */
    struct bytes expected;
    size_t pos;
    bool differs;
};

static void compare_append(ProtobufCBuffer *base, size_t len, const uint8_t *data) {
    struct compare *c = (struct compare *)base;
    if (c->differs || len == 0)
        return;
    if (len > c->expected.len - c->pos || memcmp(c->expected.data + c->pos, data, len) != 0)
        c->differs = true;
    else
        c->pos += len;
}

static bool encodes_to(const ProtobufCMessage *message, struct bytes expected) {
    struct compare c = {.base = {compare_append}, .expected = expected};
    protobuf_c_message_pack_to_buffer(message, &c.base);
    return !c.differs && c.pos == expected.len;
}

static enum err check_bytes(const ProtobufCMessageDescriptor *type, struct bytes in,
                            size_t max_bytes, const struct rules *rules, struct error *e) {
    if (in.len > max_bytes)
        return error_set(e, ERR_CAP, "%s: found %zu bytes, expected at most %zu", rules->what,
                         in.len, max_bytes);
    return check_wire(type, in, rules, 1, e);
}

enum err codec_decode(const ProtobufCMessageDescriptor *type, struct bytes in, size_t max_bytes,
                      const char *what, ProtobufCMessage **ret, struct error *e) {
    struct rules rules = {.what = what, .strict = true};
    enum err rc = check_bytes(type, in, max_bytes, &rules, e);
    if (rc != ERR_OK)
        return rc;
    ProtobufCMessage *message = NULL;
    rc = unpack(type, in, what, &message, e);
    if (rc != ERR_OK)
        return rc;
    if (!encodes_to(message, in)) {
        codec_free(message);
        return error_set(e, ERR_MALFORMED,
                         "%s: %zu bytes are not the canonical encoding of their %s", what, in.len,
                         type->short_name);
    }
    *ret = message;
    return ERR_OK;
}

enum err codec_decode_view(const ProtobufCMessageDescriptor *type, struct bytes in,
                           size_t max_bytes, const char *what, ProtobufCMessage **ret,
                           struct error *e) {
    struct rules rules = {.what = what, .strict = false};
    enum err rc = check_bytes(type, in, max_bytes, &rules, e);
    return rc != ERR_OK ? rc : unpack(type, in, what, ret, e);
}

void codec_free(void *message) {
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}

/* ---- encoding ---- */

struct sink {
    ProtobufCBuffer base; /* first, as above */
    struct buf *out;
};

static void sink_append(ProtobufCBuffer *base, size_t len, const uint8_t *data) {
    buf_append(((struct sink *)base)->out, data, len);
}

void codec_encode(const void *message, struct buf *out) {
    struct sink sink = {.base = {sink_append}, .out = out};
    size_t before = out->len;
    protobuf_c_message_pack_to_buffer(message, &sink.base);
    if (out->failed != ERR_OK)
        out->len = before; /* never half a message */
}
