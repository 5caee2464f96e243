/* Owns reading the clock. Only shells do: the core is given the time. */
#ifndef PLEK_CLOCK_H
#define PLEK_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_ms(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
/* ms since 1970 UTC: for what people and records see. */
static inline int64_t clock_wall_ms(void) {
    return clock_read_ms(CLOCK_REALTIME);
}
/* ms since some moment, never set back: for timers and deadlines. */
static inline int64_t clock_monotonic_ms(void) {
    return clock_read_ms(CLOCK_MONOTONIC);
}

#endif
