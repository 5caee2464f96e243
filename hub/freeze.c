/* Owns making days final and dropping their points (see freeze.h). Must not decide for how long
 * points are kept: the charter says. */
#include "freeze.h"

#include <string.h>

#include "publish.h"
#include "span.h"

#define STEP_DAYS 31
#define STEP_POINTS 100

struct freezing {
    struct hub *hub;
    const struct zone *zone;
    int64_t now_ms;
    size_t budget; /* days that this step may still make final */
};

/* ---- days ---- */

static enum err put_day(const struct freezing *f, const struct span *s, size_t day,
                        struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < s->charter->service_count; i++) {
        const struct charter_service *service = &s->charter->services[i];
        for (size_t r = 0; r < days_region_count(s->services[i]) && err == ERR_OK; r++) {
            const struct store_final final = {.day = s->query.first_day + (int64_t)day,
                                              .service = service->code,
                                              .region = days_region(s->services[i], r),
                                              .decimals = service->decimals,
                                              .cell = span_cell(s, i, r, day)};
            if (span_has(s, i, r, day))
                err = store_put_final(f->hub->store, &final, e);
        }
    }
    if (err == ERR_OK)
        err = store_seal_published(f->hub->store, s->query.first_day + (int64_t)day, e);
    return err;
}

struct marks {
    int64_t first;
    bool final[STEP_DAYS];
};

static enum err mark(void *ctx, const struct store_final *final, struct error *e) {
    struct marks *m = ctx;
    (void)e;
    m->final[final->day - m->first] = true;
    return ERR_OK;
}

/* At most STEP_DAYS days; those that are final already stay as they are. The others are published
 * for the last time while it is known who stands behind them. */
static enum err freeze_window(struct freezing *f, int64_t first, size_t count, struct error *e) {
    struct marks marks = {.first = first};
    struct span span = {.charter = NULL};
    size_t missing = 0;
    enum err err = store_finals(f->hub->store, first, first + (int64_t)count - 1, mark, &marks, e);
    for (size_t i = 0; i < count; i++)
        missing += !marks.final[i];
    if (err != ERR_OK || missing == 0)
        return err;
    const struct span_query query = {.first_day = first, .count = count};
    const struct publish_query last = {.first_day = first, .count = count, .final = marks.final};
    err = publish_days(f->hub, &last, f->now_ms, NULL, e);
    if (err == ERR_OK)
        err = span_read(f->hub, &query, &span, e);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        if (!marks.final[i])
            err = put_day(f, &span, i, e);
    span_done(&span);
    f->budget -= missing < f->budget ? missing : f->budget;
    return err;
}

/* [first, last], as far as the budget goes. *ret_done: all of them are final. */
static enum err freeze_days(struct freezing *f, int64_t first, int64_t last, bool *ret_done,
                            struct error *e) {
    enum err err = ERR_OK;
    while (first <= last && f->budget > 0 && err == ERR_OK) {
        int64_t left = last - first + 1;
        size_t count = left < STEP_DAYS ? (size_t)left : STEP_DAYS;
        err = freeze_window(f, first, count, e);
        first += (int64_t)count;
    }
    *ret_done = first > last;
    return err;
}

/* Every day since there is a network, figures or none: the record has no holes. */
static enum err freeze_ended(struct freezing *f, int64_t last, bool *ret_done, struct error *e) {
    int64_t since_ms = 0, newest = 0;
    bool found = false;
    enum err err = store_network_since(f->hub->store, &since_ms, e);
    if (err == ERR_OK)
        err = store_newest_final(f->hub->store, &found, &newest, e);
    int64_t first = zone_day_number(f->zone, since_ms);
    if (err == ERR_OK)
        err = freeze_days(f, found && newest >= first ? newest + 1 : first, last, ret_done, e);
    return err;
}

/* ---- points ---- */

static enum err retire(struct freezing *f, int64_t before_ms, int64_t now_ms, bool *ret_more,
                       struct error *e) {
    struct store_retiree found[STEP_POINTS];
    size_t count = 0;
    bool done = true;
    enum err err = store_retirable(f->hub->store, before_ms, now_ms, STEP_POINTS, found, &count, e);
    for (size_t i = 0; i < count && err == ERR_OK && done; i++) {
        const struct store_retiree *p = &found[i];
        if (p->until_ms <= before_ms)
            err = freeze_days(f, zone_day_number(f->zone, p->observed_ms),
                              zone_day_number(f->zone, p->until_ms) - 1, &done, e);
        if (err == ERR_OK && done)
            err = store_drop_point(f->hub->store, p->id, e);
    }
    *ret_more = !done || count == STEP_POINTS;
    return err;
}

enum err freeze_step(struct hub *hub, int64_t before_ms, int64_t now_ms, bool *ret_more,
                     struct error *e) {
    struct freezing f = {.hub = hub, .now_ms = now_ms, .budget = STEP_DAYS};
    bool done = false, more = true;
    enum err err = zone_find(directory_charter(hub->directory)->time_zone, &f.zone, e);
    if (err == ERR_OK)
        err = freeze_ended(&f, zone_day_number(f.zone, before_ms) - 1, &done, e);
    if (err == ERR_OK && done)
        err = retire(&f, before_ms, now_ms, &more, e);
    if (err == ERR_OK)
        *ret_more = more;
    return err;
}
