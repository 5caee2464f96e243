/* Owns byte views, the growable buffer with a mandatory cap, and hex.
 * Must not know what the bytes mean. */
#ifndef PLEK_BYTES_H
#define PLEK_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* A borrowed view. data may be NULL when len is 0. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len) {
    return (struct bytes){(const uint8_t *)data, len};
}
/* The bytes of a C string without its NUL. */
struct bytes bytes_str(const char *s);
bool bytes_equal(struct bytes a, struct bytes b); /* not constant time: never for secrets */

/* A growable buffer that never exceeds max bytes. Its failure is sticky: append freely, then ask
 * buf_failed once. Zero-initialised with a max it is valid and empty. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    enum err failed; /* ERR_OK, ERR_TOO_LARGE or ERR_NO_MEMORY */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);      /* frees; accepts NULL and a zeroed buf */
void buf_wipe_done(struct buf *b); /* zeroes the content first */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_append_u8(struct buf *b, uint8_t v);
void buf_append_u32be(struct buf *b, uint32_t v);
void buf_append_u64be(struct buf *b, uint64_t v);
/* Sticky state as an error with a message; ERR_OK when all appends succeeded. */
enum err buf_failed(const struct buf *b, struct error *e) MUST_USE;
struct bytes buf_bytes(const struct buf *b);
/* NUL-terminates (the NUL is not counted in len) and lends the text; "" after a failure. */
const char *buf_text(struct buf *b);
/* Hands the heap memory to the caller (free() it); the buffer is empty afterwards. */
uint8_t *buf_take(struct buf *b, size_t *ret_len);

/* Lower-case hex; out has room for 2*len+1 bytes. */
void hex_encode(char *out, struct bytes in);
/* Exactly `len` bytes from 2*len hex digits; ERR_DATA otherwise (nothing written). */
enum err hex_decode(uint8_t *ret, size_t len, const char *hex, struct error *e) MUST_USE;

/* True when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms)
 * without NUL. */
bool utf8_valid(struct bytes in);

#endif
