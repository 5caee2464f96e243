/* Owns the step from bytes to decoded messages and back (protobuf-c), strict and lenient.
 * Source: docs/protocol.md, "Canonical bytes". Must not know what a message means. */
#ifndef PLEK_CODEC_H
#define PLEK_CODEC_H

#include <protobuf-c/protobuf-c.h>

#include "bytes.h"

/* Strict: at most max_bytes; re-encodes to itself; no unknown field at any depth; valid UTF-8.
 * For frames, headers, certificates, joins, grants, hellos. ERR_CAP, ERR_MALFORMED, ERR_NO_MEMORY.
 * Free with codec_free. `what` names the message in errors. */
enum err codec_decode(const ProtobufCMessageDescriptor *type, struct bytes in, size_t max_bytes,
                      const char *what, ProtobufCMessage **ret, struct error *e) MUST_USE;
/* Lenient: as above but unknown fields are ignored and the encoding may differ. For the
 * plaintext of views only. */
enum err codec_decode_view(const ProtobufCMessageDescriptor *type, struct bytes in,
                           size_t max_bytes, const char *what, ProtobufCMessage **ret,
                           struct error *e) MUST_USE;
void codec_free(void *message); /* accepts NULL */
/* Appends the canonical encoding, or nothing when the buffer fails (buf_failed). */
void codec_encode(const void *message, struct buf *out);
/* The first length-delimited field of that number inside `in`, borrowed from `in`, for a message
 * codec_decode accepted: the decoded copy dies with the message. data NULL: not there. */
struct bytes codec_borrow(struct bytes in, uint32_t number);

/* Borrowed views between our bytes and protobuf-c's. */
static inline ProtobufCBinaryData codec_binary(struct bytes in) {
    return (ProtobufCBinaryData){in.len, (uint8_t *)(uintptr_t)in.data};
}
static inline struct bytes codec_bytes(ProtobufCBinaryData in) {
    return (struct bytes){in.data, in.len};
}

#endif
