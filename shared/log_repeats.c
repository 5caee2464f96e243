/* Owns the kinds of lines of the current minute (see log_repeats.h). Must not know what they mean.
 */
#include "log_repeats.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"

#define KIND_MAX 160
#define FIELDS_MAX 1536

struct kind {
    struct kind *next;
    enum log_level level;
    uint64_t count;
    const char *event;   /* the caller's, which is constant */
    const char *subject; /* within `text` */
    char text[];         /* "event subject": the key */
};

struct log_repeats {
    uv_timer_t minute;
    struct map map;
    struct kind *kinds, *last;
    uint64_t others;
    bool counting, stopped;
};

static struct bytes key_of(const void *item) {
    const struct kind *kind = item;
    return bytes_of(kind->text, strlen(kind->text));
}

struct log_repeats *log_repeats_new(uv_loop_t *loop) {
    uint8_t seed[MAP_SEED_LEN];
    struct log_repeats *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    randombytes_buf(seed, sizeof seed);
    map_init(&r->map, seed, key_of);
    uv_timer_init(loop, &r->minute);
    r->minute.data = r;
    return r;
}

void log_repeats_flush(struct log_repeats *r) {
    struct kind *kind = r->kinds;
    map_done(&r->map);
    r->kinds = r->last = NULL;
    while (kind) {
        struct kind *next = kind->next;
        if (kind->count > LOG_REPEATS_FIRST)
            log_event(kind->level, kind->event, "%s more=%llu", kind->subject,
                      (unsigned long long)(kind->count - LOG_REPEATS_FIRST));
        free(kind);
        kind = next;
    }
    if (r->others > 0)
        log_event(LOG_WARN, "not-logged", "more=%llu", (unsigned long long)r->others);
    r->others = 0;
    r->counting = false;
}

static void on_minute(uv_timer_t *timer) {
    log_repeats_flush(timer->data);
}

void log_repeats_stop(struct log_repeats *r) {
    if (!r || r->stopped)
        return;
    log_repeats_flush(r);
    r->stopped = true;
    uv_close((uv_handle_t *)&r->minute, NULL);
}

void log_repeats_free(struct log_repeats *r) {
    free(r);
}

static struct kind *add(struct log_repeats *r, const char *event, size_t event_len,
                        const char *text, size_t len) {
    struct error e;
    if (r->map.count >= LOG_REPEATS_KINDS || map_reserve(&r->map, &e))
        return NULL;
    struct kind *made = calloc(1, sizeof *made + len + 1);
    if (!made)
        return NULL;
    memcpy(made->text, text, len);
    made->event = event;
    made->subject = made->text + event_len + 1;
    if (r->last)
        r->last->next = made;
    else
        r->kinds = made;
    r->last = made;
    map_put(&r->map, made);
    return made;
}

/* Is this one to be written? */
static bool count(struct log_repeats *r, enum log_level level, const char *event,
                  const char *subject) {
    char text[KIND_MAX];
    if (r->stopped)
        return true;
    if (!r->counting)
        uv_timer_start(&r->minute, on_minute, LOG_REPEATS_MS, 0);
    r->counting = true;
    snprintf(text, sizeof text, "%s %s", event, subject);
    struct bytes key = bytes_of(text, strlen(text));
    struct kind *kind = (struct kind *)(uintptr_t)map_get(&r->map, key);
    if (!kind)
        kind = add(r, event, strlen(event), text, key.len);
    if (!kind) {
        r->others++;
        return false;
    }
    kind->level = level;
    return ++kind->count <= LOG_REPEATS_FIRST;
}

void log_repeated(struct log_repeats *r, enum log_level level, const char *event,
                  const char *subject, const char *fields, ...) {
    char text[FIELDS_MAX];
    va_list args;
    if (!count(r, level, event, subject))
        return;
    va_start(args, fields);
    vsnprintf(text, sizeof text, fields, args);
    va_end(args);
    log_event(level, event, "%s %s", subject, text);
}
