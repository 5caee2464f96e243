/* Owns the run over lines, sites and members in their order (see days.h). Must not know the store,
 * the calendar, nor who may see a sum. */
#include "days.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

/* A row of cells, one a day, for each region. */
struct track {
    char region[REGION_MAX + 1];
    struct cell *cells;
};
struct tracks {
    struct track *items;
    size_t count, cap;
};

#define SITE_VALID 1u   /* a line of the site counts on this day */
#define SITE_EXPIRED 2u /* a line of it is unknown on this day */

struct days {
    struct days_config config;
    struct tracks sums;
    struct tracks member; /* what the member at hand adds */
    uint8_t *marks;       /* of the site at hand, one a day */
    bool pending;         /* an observation waits to hear when it ends */
    bool standing;        /* the line's */
    int64_t known_ms;     /* when the line was observed last */
    struct observation last;
    char region[REGION_MAX + 1], ward[WARD_MAX + 1]; /* what last's texts point to */
};

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the sums of the days");
}

/* ---- tracks ---- */

static void tracks_done(struct tracks *t) {
    for (size_t i = 0; i < t->count; i++)
        free(t->items[i].cells);
    free(t->items);
    *t = (struct tracks){.count = 0};
}

/* NULL without memory. The pointer is good until the next call. */
static struct track *track_of(struct tracks *t, const char *region, size_t days) {
    size_t at = 0;
    while (at < t->count && strcmp(t->items[at].region, region) < 0)
        at++;
    if (at < t->count && strcmp(t->items[at].region, region) == 0)
        return &t->items[at];
    struct track *items = array_grow(t->items, t->count, &t->cap, sizeof *items);
    if (items == NULL)
        return NULL;
    t->items = items;
    struct track track = {.cells = calloc(days, sizeof *track.cells)};
    if (track.cells == NULL)
        return NULL;
    memcpy(track.region, region, strlen(region) + 1);
    memmove(&t->items[at + 1], &t->items[at], (t->count - at) * sizeof *t->items);
    t->items[at] = track;
    t->count++;
    return &t->items[at];
}

/* Where the site at hand adds to: the whole network's track, and its region's when it has one. That
 * of sites without one is kept for the visit alone. */
struct places {
    struct track *whole, *region; /* region NULL: none */
};

static const char *region_at_hand(const struct days *d) {
    return d->region[0] == '\0' && d->config.visit != NULL ? DAYS_NOWHERE : d->region;
}

static enum err find_places(struct days *d, struct places *ret, struct error *e) {
    struct track *whole = track_of(&d->member, "", d->config.count), *region = NULL;
    const char *code = region_at_hand(d);
    if (whole != NULL && code[0] != '\0')
        region = track_of(&d->member, code, d->config.count);
    if (whole == NULL || (region == NULL && code[0] != '\0'))
        return no_memory(e);
    *ret = (struct places){&d->member.items[0], region}; /* "" sorts first */
    return ERR_OK;
}

/* ---- one line ---- */

/* The first day that is counted at or after an instant. */
static size_t first_day(const struct days *d, int64_t ms) {
    size_t low = 0, high = d->config.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->config.at_ms[middle] < ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_figure(struct days *d, struct track *to, size_t day) {
    if (to == NULL)
        return;
    cell_add(&to->cells[day], d->config.service, d->last.precision, d->last.step, &d->last.figure);
    to->cells[day].members = 1;
}

/* The observation that waits holds until end_ms, when another takes its place or the line goes. */
static enum err settle(struct days *d, int64_t end_ms, struct error *e) {
    const struct history_point *f = &d->last.figure;
    size_t day = first_day(d, f->observed_ms);
    struct places places;
    if (day == d->config.count || d->config.at_ms[day] >= end_ms)
        return ERR_OK;
    enum err err = find_places(d, &places, e);
    if (err != ERR_OK)
        return err;
    for (; day < d->config.count && d->config.at_ms[day] < end_ms; day++) {
        if (capacity_freshness(f->observed_ms, f->valid_until_ms, d->config.at_ms[day]) ==
            FRESH_EXPIRED) {
            d->marks[day] |= SITE_EXPIRED;
            continue;
        }
        d->marks[day] |= SITE_VALID;
        add_figure(d, places.whole, day);
        add_figure(d, places.region, day);
    }
    return ERR_OK;
}

/* While a line is not gone it is unknown when nothing holds. */
static enum err end_line(struct days *d, struct error *e) {
    const struct history_point *f = &d->last.figure;
    int64_t end_ms = d->standing                    ? INT64_MAX
                     : d->known_ms > f->observed_ms ? d->known_ms
                                                    : f->valid_until_ms;
    d->standing = false;
    d->known_ms = 0;
    return settle(d, end_ms, e);
}

/* ---- one site, one member ---- */

static void count_site(struct track *to, size_t day, bool current, bool expired) {
    if (to == NULL)
        return;
    to->cells[day].current += current;
    to->cells[day].expired += expired;
}

/* A site is current when every line of it that there is then is known. */
static enum err end_site(struct days *d, struct error *e) {
    struct places places;
    enum err err = find_places(d, &places, e);
    if (err != ERR_OK)
        return err;
    for (size_t day = 0; day < d->config.count; day++) {
        bool expired = (d->marks[day] & SITE_EXPIRED) != 0;
        bool current = d->marks[day] == SITE_VALID;
        count_site(places.whole, day, current, expired);
        count_site(places.region, day, current, expired);
    }
    memset(d->marks, 0, d->config.count);
    return ERR_OK;
}

static enum err end_member(struct days *d, struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < d->member.count && err == ERR_OK; i++) {
        const struct track *part = &d->member.items[i];
        struct track *to = track_of(&d->sums, part->region, d->config.count);
        if (to == NULL)
            err = no_memory(e);
        for (size_t day = 0; day < d->config.count && err == ERR_OK; day++) {
            cell_merge(&to->cells[day], &part->cells[day]);
            if (d->config.visit != NULL && part->cells[day].members > 0)
                err = d->config.visit(d->config.ctx, &d->last.member, part->region, day,
                                      &part->cells[day], e);
        }
    }
    tracks_done(&d->member);
    return err;
}

/* ---- in order ---- */

static bool same_site(const struct observation *a, const struct observation *b) {
    return a->author == b->author && a->site == b->site;
}

/* What ends where the next observation begins; `next` NULL: everything. */
static enum err end_before(struct days *d, const struct observation *next, struct error *e) {
    bool site = next == NULL || !same_site(&d->last, next);
    bool line = site || strcmp(d->ward, next->ward) != 0;
    bool member = next == NULL || !key_equal(&d->last.member, &next->member);
    bool again = next != NULL && !line && next->figure.observed_ms == d->last.figure.observed_ms;
    enum err err = ERR_OK;
    if (line)
        err = end_line(d, e);
    else if (!again)
        err = settle(d, next->figure.observed_ms, e);
    if (err == ERR_OK && site)
        err = end_site(d, e);
    if (err == ERR_OK && member)
        err = end_member(d, e);
    return err;
}

enum err days_add(struct days *d, const struct observation *o, struct error *e) {
    enum err err = d->pending ? end_before(d, o, e) : ERR_OK;
    if (err != ERR_OK)
        return err;
    d->last = *o;
    memcpy(d->region, o->region, strnlen(o->region, REGION_MAX) + 1);
    memcpy(d->ward, o->ward, strnlen(o->ward, WARD_MAX) + 1);
    d->region[REGION_MAX] = d->ward[WARD_MAX] = '\0';
    d->standing = d->standing || o->standing;
    if (o->mark && o->last_ms > d->known_ms)
        d->known_ms = o->last_ms;
    d->pending = true;
    return ERR_OK;
}

enum err days_end(struct days *d, struct error *e) {
    enum err err = d->pending ? end_before(d, NULL, e) : ERR_OK;
    d->pending = false;
    return err;
}

/* ---- the sums ---- */

enum err days_new(const struct days_config *config, struct days **ret, struct error *e) {
    struct days *d = calloc(1, sizeof *d);
    if (d == NULL)
        return no_memory(e);
    d->config = *config;
    d->marks = calloc(config->count + 1, 1);
    if (d->marks == NULL || track_of(&d->sums, "", config->count) == NULL) {
        days_free(d);
        return no_memory(e);
    }
    *ret = d;
    return ERR_OK;
}

void days_free(struct days *d) {
    if (d == NULL)
        return;
    tracks_done(&d->sums);
    tracks_done(&d->member);
    free(d->marks);
    free(d);
}

size_t days_region_count(const struct days *d) {
    size_t count = d->sums.count; /* DAYS_NOWHERE sorts last */
    return count - (strcmp(d->sums.items[count - 1].region, DAYS_NOWHERE) == 0);
}

const char *days_region(const struct days *d, size_t region) {
    return d->sums.items[region].region;
}

const struct cell *days_cell(const struct days *d, size_t region, size_t day) {
    return &d->sums.items[region].cells[day];
}
