/* Owns the picture one audience has of one agent: composing it, comparing it, correcting its clock.
 * Its bytes are snapshot_wire.c's. Must not know keys, recipients or a store. */
#include "snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MS_PER_SECOND INT64_C(1000)
#define COARSE_MS (INT64_C(15) * 60 * MS_PER_SECOND)

static int compare_lines(const void *left, const void *right) {
    const struct line *a = *(const struct line *const *)left;
    const struct line *b = *(const struct line *const *)right;
    if (a->site != b->site) {
        return a->site < b->site ? -1 : 1;
    }
    int order = strcmp(a->service, b->service);
    return order != 0 ? order : strcmp(a->ward, b->ward);
}

static int compare_sites(const void *left, const void *right) {
    uint32_t a = (*(const struct site *const *)left)->id;
    uint32_t b = (*(const struct site *const *)right)->id;
    return a < b ? -1 : a > b;
}

static int compare_attributes(const void *left, const void *right) {
    return strcmp(((const struct attribute *)left)->name, ((const struct attribute *)right)->name);
}

/* What compose reads, and the records it picked, in their order. */
struct composing {
    const struct policy_audience *audience;
    const struct charter *charter;
    const struct line **lines;
    size_t line_count;
    const struct site **sites;
    size_t site_count;
};

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for a snapshot");
}

/* A line of a service that the charter does not have (any more) says nothing to anybody. */
static bool covered(const struct composing *c, const struct line *line) {
    return policy_covers(c->audience, line->service) && charter_service(c->charter, line->service);
}

static enum err pick_lines(struct composing *c, const struct line *lines, size_t count,
                           struct error *e) {
    c->lines = (const struct line **)calloc(count + 1, sizeof(*c->lines));
    if (!c->lines) {
        return no_memory(e);
    }
    for (size_t i = 0; i < count; i++) {
        if (covered(c, &lines[i])) {
            c->lines[c->line_count++] = &lines[i];
        }
    }
    if (c->line_count > SNAPSHOT_MAX_LINES) {
        return error_set(e, ERR_CAP, "found %zu lines for audience '%s', expected at most %d",
                         c->line_count, c->audience->name, SNAPSHOT_MAX_LINES);
    }
    qsort(c->lines, c->line_count, sizeof(*c->lines), compare_lines);
    for (size_t i = 1; i < c->line_count; i++) {
        if (compare_lines(&c->lines[i - 1], &c->lines[i]) == 0) {
            return error_set(e, ERR_CONFLICT,
                             "found two lines of site %u, service '%s', ward '%s', expected one",
                             c->lines[i]->site, c->lines[i]->service, c->lines[i]->ward);
        }
    }
    return ERR_OK;
}

static enum err pick_sites(struct composing *c, const struct site *sites, size_t count,
                           struct error *e) {
    c->sites = (const struct site **)calloc(count + 1, sizeof(*c->sites));
    if (!c->sites) {
        return no_memory(e);
    }
    for (size_t i = 0; i < count; i++) {
        c->sites[i] = &sites[i];
    }
    qsort(c->sites, count, sizeof(*c->sites), compare_sites);
    /* Both are in the order of site ids: one walk keeps the sites that have a line. */
    size_t at = 0;
    for (size_t i = 0; i < c->line_count; i++) {
        uint32_t id = c->lines[i]->site;
        if (c->site_count > 0 && c->sites[c->site_count - 1]->id == id) {
            continue;
        }
        while (at < count && c->sites[at]->id < id) {
            at++;
        }
        if (at == count || c->sites[at]->id != id) {
            return error_set(e, ERR_INTERNAL, "found a line of site %u, which was not given", id);
        }
        c->sites[c->site_count++] = c->sites[at++];
    }
    if (c->site_count > SNAPSHOT_MAX_SITES) {
        return error_set(e, ERR_CAP, "found %zu sites for audience '%s', expected at most %d",
                         c->site_count, c->audience->name, SNAPSHOT_MAX_SITES);
    }
    return ERR_OK;
}

static int64_t whole_seconds(int64_t ms) {
    return ms - ms % MS_PER_SECOND;
}

static void fill_line(const struct composing *c, const struct line *from, struct seen_line *to) {
    to->site = from->site;
    memcpy(to->service, from->service, sizeof(to->service));
    memcpy(to->ward, from->ward, sizeof(to->ward));
    memcpy(to->attributes, from->attributes, sizeof(to->attributes));
    to->attribute_count = from->attribute_count;
    qsort(to->attributes, to->attribute_count, sizeof(*to->attributes), compare_attributes);
    if (from->capacity.observed_ms == 0) {
        return; /* never reported: nothing is known, so nothing is said */
    }
    struct disclosed *d = &to->figure;
    precision_apply(&c->audience->precision, &from->capacity,
                    charter_service(c->charter, from->service), d);
    /* Views count in seconds; a preview shows what the reader will see. */
    d->observed_ms = whole_seconds(d->observed_ms);
    d->valid_until_ms = whole_seconds(d->valid_until_ms);
    d->blocked_until_ms = whole_seconds(d->blocked_until_ms);
    d->next_free_ms = whole_seconds(d->next_free_ms);
    if (d->observed_ms == 0) {
        *d = (struct disclosed){.observed_ms = 0}; /* the first quarter of 1970 cannot be said */
    }
}

static enum err fill(const struct composing *c, uint32_t charter_version, struct snapshot **ret,
                     struct error *e) {
    struct snapshot *made = (struct snapshot *)calloc(1, sizeof(*made));
    if (!made) {
        return no_memory(e);
    }
    made->sites = (struct site *)calloc(c->site_count + 1, sizeof(*made->sites));
    made->lines = (struct seen_line *)calloc(c->line_count + 1, sizeof(*made->lines));
    if (!made->sites || !made->lines) {
        snapshot_free(made);
        return no_memory(e);
    }
    made->charter_version = charter_version;
    made->precision = c->audience->precision.kind;
    made->step = made->precision == PRECISION_ROUNDED ? c->audience->precision.step : 0;
    for (size_t i = 0; i < c->site_count; i++) {
        made->sites[i] = *c->sites[i];
    }
    for (size_t i = 0; i < c->line_count; i++) {
        fill_line(c, c->lines[i], &made->lines[i]);
    }
    made->site_count = c->site_count;
    made->line_count = c->line_count;
    *ret = made;
    return ERR_OK;
}

enum err snapshot_compose(const struct policy_audience *audience, const struct charter *charter,
                          uint32_t charter_version, const struct site *sites, size_t site_count,
                          const struct line *lines, size_t line_count, struct snapshot **ret,
                          struct error *e) {
    struct composing c = {.audience = audience, .charter = charter};
    enum err code = pick_lines(&c, lines, line_count, e);
    code = code != ERR_OK ? code : pick_sites(&c, sites, site_count, e);
    code = code != ERR_OK ? code : fill(&c, charter_version, ret, e);
    free(c.lines);
    free(c.sites);
    return code;
}

void snapshot_free(struct snapshot *s) {
    if (!s) {
        return;
    }
    free(s->sites);
    free(s->lines);
    free(s);
}

enum err snapshot_digest(const struct snapshot *s, struct hash *ret, struct error *e) {
    struct snapshot uncounted = *s;
    struct buf bytes;
    uncounted.counter = 0;
    buf_init(&bytes, VIEW_MAX_BYTES);
    enum err code = snapshot_encode(&uncounted, &bytes, e);
    if (code == ERR_OK) {
        *ret = hash_blake2b(buf_bytes(&bytes));
    }
    buf_done(&bytes);
    return code;
}

/* Below exact, observed went down and valid up to a quarter of an hour, each by less than one: the
 * distance may grow by a quarter more than the longest validity, itself taken up to a quarter. */
static int64_t allowed_ms(const struct snapshot *s, int64_t longest_ms) {
    if (s->precision == PRECISION_EXACT) {
        return longest_ms;
    }
    return (longest_ms + COARSE_MS - 1) / COARSE_MS * COARSE_MS + COARSE_MS;
}

static enum err check_clock(const struct seen_line *line, int64_t shift_ms, int64_t longest_ms,
                            struct error *e) {
    const struct disclosed *d = &line->figure;
    if (d->observed_ms == 0) {
        return ERR_OK;
    }
    if (d->valid_until_ms - d->observed_ms > longest_ms) {
        char found[TEXT_TIME_SIZE];
        char longest[TEXT_TIME_SIZE];
        return error_set(e, ERR_VALIDITY,
                         "found a validity of %s for service '%s' of site %u, expected at most %s",
                         text_duration(d->valid_until_ms - d->observed_ms, found), line->service,
                         line->site, text_duration(longest_ms, longest));
    }
    if (d->observed_ms <= -shift_ms) {
        return error_set(e, ERR_VALIDITY,
                         "found a figure for service '%s' of site %u from before 1970, once its "
                         "sender's clock is corrected",
                         line->service, line->site);
    }
    return ERR_OK;
}

enum err snapshot_apply_clock(struct snapshot *s, int64_t shift_ms, int64_t longest_validity_ms,
                              struct error *e) {
    assert(shift_ms <= 0 && shift_ms > INT64_MIN);
    int64_t longest_ms = allowed_ms(s, longest_validity_ms);
    for (size_t i = 0; i < s->line_count; i++) {
        enum err code = check_clock(&s->lines[i], shift_ms, longest_ms, e);
        if (code != ERR_OK) {
            return code;
        }
    }
    for (size_t i = 0; i < s->line_count; i++) {
        struct disclosed *d = &s->lines[i].figure;
        if (d->observed_ms != 0) {
            d->observed_ms += shift_ms;
            d->valid_until_ms += shift_ms;
        }
    }
    return ERR_OK;
}

const struct site *snapshot_site(const struct snapshot *s, uint32_t id) {
    size_t low = 0;
    size_t high = s->site_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->sites[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->site_count && s->sites[low].id == id ? &s->sites[low] : NULL;
}
