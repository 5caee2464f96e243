/* Owns the one thing threads share: an immutable, reference-counted run of bytes. */
#ifndef PLEK_BLOB_H
#define PLEK_BLOB_H

#include "bytes.h"

struct blob; /* opaque; the count is atomic, the bytes never change after creation */

/* A copy of `in`; NULL when memory ran out. */
struct blob *blob_new(struct bytes in);
/* Takes over heap memory (malloc'ed, e.g. from buf_take). On failure frees it and gives NULL. */
struct blob *blob_take(uint8_t *take_data, size_t len);
/* Takes over what the buffer holds and leaves it empty. */
struct blob *blob_take_buf(struct buf *b);
struct blob *blob_ref(struct blob *b);         /* one more owner; returns b; NULL stays NULL */
void blob_unref(struct blob *b);               /* one owner less; frees at zero; accepts NULL */
struct bytes blob_bytes(const struct blob *b); /* borrowed for as long as the caller owns a share */

#endif
