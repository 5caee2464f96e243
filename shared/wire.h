/* Owns reading and writing single protobuf fields in place, canonical encoding only, for the
 * messages on the hot path (entries). Must not know what a field means. Source: docs/protocol.md,
 * "Canonical bytes". codec.h is the general way; tests/unit/core/test_entry.c holds the two against
 * each other. */
#ifndef PLEK_WIRE_H
#define PLEK_WIRE_H

#include "bytes.h"

#define WIRE_MAX_FIELD 15 /* so that a tag is one byte */

/* A cursor over one message. Fields are asked for in ascending order; a wrong field, type, length
 * or a varint longer than needed makes it bad for good. Read freely, then ask wire_done once. */
struct wire {
    const uint8_t *at, *end;
    bool bad;
};

struct wire wire_open(struct bytes message);
/* Whether the next field is this one, as a length-delimited field or as a varint. */
bool wire_has_bytes(const struct wire *w, unsigned field);
bool wire_has_uint(const struct wire *w, unsigned field);
/* The next field's content, borrowed; empty when bad. */
struct bytes wire_bytes(struct wire *w, unsigned field);
/* Copies a length-delimited field of exactly `len` bytes; untouched when bad. */
void wire_take(struct wire *w, unsigned field, void *ret, size_t len);
/* A varint of at most max; 0 when bad. */
uint64_t wire_uint(struct wire *w, unsigned field, uint64_t max);
/* Nothing was bad and nothing is left. */
bool wire_done(const struct wire *w);

/* Bytes a field takes, tag included. */
size_t wire_size_uint(uint64_t v);
size_t wire_size_bytes(size_t len);
void wire_put_uint(struct buf *out, unsigned field, uint64_t v);
void wire_put_bytes(struct buf *out, unsigned field, struct bytes v);
/* Tag and length of a length-delimited field whose `len` bytes the caller appends next. */
void wire_put_open(struct buf *out, unsigned field, size_t len);

#endif
