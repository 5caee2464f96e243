/* Owns reading the clock. Only shells do: the core is given the time. */
#ifndef PLEK_CLOCK_H
#define PLEK_CLOCK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline int64_t clock_read_ms(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
/* In test builds (PLEK_FAILPOINTS) PLEK_CLOCK_AHEAD_S sets this program's clock wrong, in seconds;
 * "@FILE" names a file that says how much, and may change. */
static inline int64_t clock_test_ahead_ms(void) {
#ifdef PLEK_FAILPOINTS
    const char *ahead = getenv("PLEK_CLOCK_AHEAD_S");
    char text[32] = "";
    FILE *file = ahead && ahead[0] == '@' ? fopen(ahead + 1, "re") : NULL;
    if (file) {
        ahead = fgets(text, sizeof text, file);
        fclose(file);
    }
    return ahead ? strtoll(ahead, NULL, 10) * 1000 : 0;
#else
    return 0;
#endif
}
/* ms since 1970 UTC: for what people and records see. */
static inline int64_t clock_wall_ms(void) {
    return clock_read_ms(CLOCK_REALTIME) + clock_test_ahead_ms();
}
/* ms since some moment, never set back: for timers and deadlines. */
static inline int64_t clock_monotonic_ms(void) {
    return clock_read_ms(CLOCK_MONOTONIC);
}

#endif
