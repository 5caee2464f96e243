/* Owns the slowing down of those who fail (see throttle.h). Must not know what failed. */
#include "throttle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char key[THROTTLE_KEY_MAX]; /* "": free */
    int count;
    int64_t last_ms;
};

struct throttle {
    struct entry entries[THROTTLE_MAX];
};

struct throttle *throttle_new(void) {
    return calloc(1, sizeof(struct throttle));
}

void throttle_free(struct throttle *t) {
    free(t);
}

static struct entry *find(struct throttle *t, const char *key) {
    for (size_t i = 0; i < THROTTLE_MAX; i++)
        if (t->entries[i].key[0] && strncmp(t->entries[i].key, key, THROTTLE_KEY_MAX - 1) == 0)
            return &t->entries[i];
    return NULL;
}

static int64_t delay_of(const struct entry *x) {
    int64_t delay_ms = THROTTLE_FIRST_MS;
    if (x->count <= THROTTLE_FREE)
        return 0;
    for (int i = THROTTLE_FREE + 1; i < x->count && delay_ms < THROTTLE_MOST_MS; i++)
        delay_ms *= 2;
    return delay_ms < THROTTLE_MOST_MS ? delay_ms : THROTTLE_MOST_MS;
}

/* A clock that was set back must not keep anybody out for longer. */
static void forget_old(struct entry *x, int64_t now_ms) {
    if (now_ms - x->last_ms >= THROTTLE_FORGET_MS)
        *x = (struct entry){.count = 0};
    else if (x->last_ms > now_ms)
        x->last_ms = now_ms;
}

int64_t throttle_wait_ms(struct throttle *t, const char *key, int64_t now_ms) {
    struct entry *x = find(t, key);
    if (!x)
        return 0;
    forget_old(x, now_ms);
    int64_t left_ms = x->last_ms + delay_of(x) - now_ms;
    return left_ms > 0 ? left_ms : 0;
}

static struct entry *make_room(struct throttle *t) {
    struct entry *least = &t->entries[0];
    for (size_t i = 0; i < THROTTLE_MAX; i++) {
        struct entry *x = &t->entries[i];
        if (!x->key[0])
            return x;
        if (x->count < least->count || (x->count == least->count && x->last_ms < least->last_ms))
            least = x;
    }
    return least;
}

void throttle_count(struct throttle *t, const char *key, int64_t now_ms) {
    struct entry *x = find(t, key);
    if (x)
        forget_old(x, now_ms);
    if (!x || !x->key[0]) {
        x = x ? x : make_room(t);
        *x = (struct entry){.count = 0};
        snprintf(x->key, sizeof x->key, "%s", key);
    }
    if (x->count < INT32_MAX)
        x->count++;
    x->last_ms = now_ms;
}

void throttle_clear(struct throttle *t, const char *key) {
    struct entry *x = find(t, key);
    if (x)
        *x = (struct entry){.count = 0};
}
