/* Owns how much each network address may ask (see allowance.h). Must not know what is asked. */
#include "allowance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_MAX 64
#define MILLI 1000 /* one request, in thousandths */

struct bucket {
    char address[ADDRESS_MAX]; /* "": free */
    int64_t left_milli, last_ms;
};

struct allowance {
    struct bucket buckets[ALLOWANCE_ADDRESSES];
};

struct allowance *allowance_new(void) {
    return calloc(1, sizeof(struct allowance));
}

void allowance_free(struct allowance *a) {
    free(a);
}

static struct bucket *find(struct allowance *a, const char *address, int64_t now_ms) {
    struct bucket *oldest = &a->buckets[0];
    for (size_t i = 0; i < ALLOWANCE_ADDRESSES; i++) {
        struct bucket *b = &a->buckets[i];
        if (b->address[0] && strncmp(b->address, address, ADDRESS_MAX - 1) == 0)
            return b;
        if (!oldest->address[0])
            continue;
        if (!b->address[0] || b->last_ms < oldest->last_ms)
            oldest = b;
    }
    *oldest = (struct bucket){.left_milli = ALLOWANCE_BURST * MILLI, .last_ms = now_ms};
    snprintf(oldest->address, sizeof oldest->address, "%s", address);
    return oldest;
}

bool allowance_take(struct allowance *a, const char *address, int64_t now_ms,
                    int64_t *ret_wait_ms) {
    struct bucket *b = find(a, address, now_ms);
    int64_t passed_ms = now_ms > b->last_ms ? now_ms - b->last_ms : 0;
    if (passed_ms >= ALLOWANCE_BURST * MILLI / ALLOWANCE_RATE)
        b->left_milli = ALLOWANCE_BURST * MILLI;
    else
        b->left_milli += passed_ms * ALLOWANCE_RATE;
    if (b->left_milli > ALLOWANCE_BURST * MILLI)
        b->left_milli = ALLOWANCE_BURST * MILLI;
    b->last_ms = now_ms;
    if (b->left_milli < MILLI) {
        *ret_wait_ms = (MILLI - b->left_milli + ALLOWANCE_RATE - 1) / ALLOWANCE_RATE;
        return false;
    }
    b->left_milli -= MILLI;
    return true;
}
