/* Owns the two loops every codec test runs: cut a message at every byte, flip each of its bits.
 * Each damaged copy is heap memory of its exact size, so that a sanitizer sees any over-read.
 * Must not know what the bytes mean. */
#ifndef PLEK_TEST_FLIP_H
#define PLEK_TEST_FLIP_H

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/* `damaged` is borrowed for the call. `at`: the bit flipped (byte at / 8, bit at % 8), or the
 * length that was left. */
typedef void flip_check(struct bytes damaged, size_t at, void *ctx);

static inline uint8_t *flip_copy(const uint8_t *data, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

/* Calls `check` once per bit with a copy in which only that bit differs. Returns how many calls:
 * assert that it is what the message's length makes it. */
static inline size_t flip_each_bit(struct bytes in, flip_check *check, void *ctx) {
    size_t bits = in.len * 8;
    for (size_t at = 0; at < bits; at++) {
        uint8_t *copy = flip_copy(in.data, in.len);
        copy[at / 8] ^= (uint8_t)(1u << (at % 8));
        check(bytes_of(copy, in.len), at, ctx);
        free(copy);
    }
    return bits;
}

/* Calls `check` with the first 0, 1, ... len - 1 bytes. Returns how many calls. */
static inline size_t truncate_each(struct bytes in, flip_check *check, void *ctx) {
    for (size_t at = 0; at < in.len; at++) {
        uint8_t *copy = flip_copy(in.data, at);
        check(bytes_of(copy, at), at, ctx);
        free(copy);
    }
    return in.len;
}

#endif
