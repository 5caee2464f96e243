/* Implements canonical protobuf fields (wire types 0 and 2), read in place and appended.
 * Must not allocate but through the buffer it is given. */
#include "wire.h"

#include <assert.h>
#include <string.h>

#define VARINT_MAX_LEN 10

enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static uint8_t tag_of(unsigned field, enum wire_type type) {
    assert(field > 0 && field <= WIRE_MAX_FIELD);
    return (uint8_t)(field << 3 | (unsigned)type);
}

struct wire wire_open(struct bytes message) {
    /* An empty message may have a NULL pointer; arithmetic on it must not happen. */
    static const uint8_t nothing[1];
    const uint8_t *at = message.len > 0 ? message.data : nothing;
    return (struct wire){.at = at, .end = at + message.len};
}

static bool next_is(const struct wire *w, uint8_t tag) {
    return !w->bad && w->at < w->end && *w->at == tag;
}

bool wire_has_bytes(const struct wire *w, unsigned field) {
    return next_is(w, tag_of(field, WIRE_BYTES));
}

bool wire_has_uint(const struct wire *w, unsigned field) {
    return next_is(w, tag_of(field, WIRE_VARINT));
}

/* The shortest form only: a last byte of zero says nothing, and a tenth byte holds one bit. */
static uint64_t read_varint(struct wire *w) {
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_MAX_LEN && w->at < w->end; i++) {
        uint8_t b = *w->at++;
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b & 0x80)
            continue;
        if ((b == 0 && i > 0) || (i == VARINT_MAX_LEN - 1 && b > 1))
            break;
        return v;
    }
    w->bad = true;
    return 0;
}

struct bytes wire_bytes(struct wire *w, unsigned field) {
    if (!wire_has_bytes(w, field)) {
        w->bad = true;
        return (struct bytes){NULL, 0};
    }
    w->at++;
    uint64_t len = read_varint(w);
    if (w->bad || len > (uint64_t)(w->end - w->at)) {
        w->bad = true;
        return (struct bytes){NULL, 0};
    }
    struct bytes content = {w->at, (size_t)len};
    w->at += content.len;
    return content;
}

void wire_take(struct wire *w, unsigned field, void *ret, size_t len) {
    struct bytes content = wire_bytes(w, field);
    if (w->bad || content.len != len) {
        w->bad = true;
        return;
    }
    memcpy(ret, content.data, len);
}

uint64_t wire_uint(struct wire *w, unsigned field, uint64_t max) {
    if (!wire_has_uint(w, field)) {
        w->bad = true;
        return 0;
    }
    w->at++;
    uint64_t v = read_varint(w);
    if (v > max)
        w->bad = true;
    return w->bad ? 0 : v;
}

bool wire_done(const struct wire *w) {
    return !w->bad && w->at == w->end;
}

static size_t varint_size(uint64_t v) {
    size_t size = 1;
    for (; v > 0x7f; v >>= 7)
        size++;
    return size;
}

size_t wire_size_uint(uint64_t v) {
    return 1 + varint_size(v);
}

size_t wire_size_bytes(size_t len) {
    return 1 + varint_size(len) + len;
}

static void put_field(struct buf *out, uint8_t tag, uint64_t v) {
    uint8_t bytes[1 + VARINT_MAX_LEN] = {tag};
    size_t len = 1;
    for (; v > 0x7f; v >>= 7)
        bytes[len++] = (uint8_t)(v | 0x80);
    bytes[len++] = (uint8_t)v;
    buf_append(out, bytes, len);
}

void wire_put_uint(struct buf *out, unsigned field, uint64_t v) {
    put_field(out, tag_of(field, WIRE_VARINT), v);
}

void wire_put_open(struct buf *out, unsigned field, size_t len) {
    put_field(out, tag_of(field, WIRE_BYTES), len);
}

void wire_put_bytes(struct buf *out, unsigned field, struct bytes v) {
    wire_put_open(out, field, v.len);
    buf_append(out, v.data, v.len);
}
