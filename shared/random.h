/* Owns the shells' source of randomness: libsodium's. The core is given an entropy instead. */
#ifndef PLEK_RANDOM_H
#define PLEK_RANDOM_H

#include <sodium.h>

#include "keys.h"

static inline void random_fill(void *ctx, void *out, size_t len) {
    (void)ctx;
    randombytes_buf(out, len);
}
static inline struct entropy random_entropy(void) {
    return (struct entropy){random_fill, NULL};
}

#endif
