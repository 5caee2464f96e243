/* Owns the simulator's one source of chance: seeded, the same numbers on every machine.
 * Must not be used for anything but tests. Algorithm: splitmix64 (public domain). */
#ifndef PLEK_SIM_PRNG_H
#define PLEK_SIM_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline uint64_t prng_next(struct prng *p) {
    uint64_t z = (p->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. limit - 1; limit > 0. */
static inline uint64_t prng_below(struct prng *p, uint64_t limit) {
    return prng_next(p) % limit;
}

/* low .. high, both included. */
static inline int64_t prng_between(struct prng *p, int64_t low, int64_t high) {
    return low + (int64_t)prng_below(p, (uint64_t)(high - low) + 1);
}

/* True `permille` times in a thousand. */
static inline bool prng_chance(struct prng *p, unsigned permille) {
    return prng_below(p, 1000) < permille;
}

/* An entropy's fill (keys.h); ctx is the struct prng. */
static inline void prng_fill(void *ctx, void *out, size_t len) {
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)prng_next(ctx);
}

#endif
