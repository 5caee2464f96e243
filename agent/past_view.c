/* Owns what an audience is still to be told of the own past (see past_view.h).
 * Must not seal, nor send. */
#include "past_view.h"

#include <stdlib.h>
#include <string.h>

#include "past.h"
#include "store.h"

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for a history");
}

/* ---- what was told ---- */

/* One service of the charter that the audience covers. */
struct told {
    const struct charter_service *service;
    int64_t upto;
};
struct tolds {
    struct told list[CHARTER_MAX_SERVICES];
    size_t count;
    int64_t least;
};

static enum err told_upto(struct agent *a, const uint8_t *id, const char *service, int64_t *ret,
                          struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PAST_TOLD);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":audience", bytes_of(id, AUDIENCE_ID_LEN));
    db_bind_text(&q, ":service", service);
    *ret = db_step(&q) ? db_column_int(&q, 0) : 0;
    return db_finish(&q, e);
}

static enum err load_tolds(struct agent *a, const struct past_view *view, struct tolds *ret,
                           struct error *e) {
    const struct charter *charter = agent_charter(a);
    enum err code = ERR_OK;
    *ret = (struct tolds){.least = INT64_MAX};
    for (size_t i = 0; code == ERR_OK && i < charter->service_count; i++) {
        const struct charter_service *service = &charter->services[i];
        if (!policy_covers(view->audience, service->code))
            continue;
        struct told *t = &ret->list[ret->count++];
        *t = (struct told){.service = service};
        if (view->id)
            code = told_upto(a, view->id, service->code, &t->upto, e);
        ret->least = t->upto < ret->least ? t->upto : ret->least;
    }
    return code;
}

/* The service of a point this audience lacks; NULL: none of its business, or told. */
static const struct charter_service *wanted(const struct tolds *tolds, const struct past *p) {
    for (size_t i = 0; i < tolds->count; i++)
        if (strcmp(tolds->list[i].service->code, p->service) == 0)
            return p->id > tolds->list[i].upto ? tolds->list[i].service : NULL;
    return NULL;
}

enum err past_view_told(struct agent *a, const struct past_view *view, int64_t upto,
                        struct error *e) {
    struct tolds tolds;
    enum err code = load_tolds(a, view, &tolds, e);
    for (size_t i = 0; code == ERR_OK && i < tolds.count; i++) {
        if (upto <= tolds.list[i].upto)
            continue;
        struct db_query q = db_query(agent_db(a), SQL_PAST_TELL);
        db_bind_int(&q, ":network", agent_network(a));
        db_bind_blob(&q, ":audience", bytes_of(view->id, AUDIENCE_ID_LEN));
        db_bind_text(&q, ":service", tolds.list[i].service->code);
        db_bind_int(&q, ":upto", upto);
        code = db_run_query(&q, e);
    }
    return code;
}

/* ---- looking ---- */

struct looking {
    const struct tolds *tolds;
    bool due;
    int64_t upto;
};

static enum err look_at(void *ctx, const struct past *p, bool *ret_stop, struct error *e) {
    struct looking *x = ctx;
    (void)e;
    x->due = wanted(x->tolds, p) != NULL;
    x->upto = p->id;
    *ret_stop = x->due;
    return ERR_OK;
}

enum err past_view_look(struct agent *a, const struct past_view *view, bool *ret_due,
                        int64_t *ret_upto, struct error *e) {
    struct tolds tolds;
    enum err code = load_tolds(a, view, &tolds, e);
    struct looking x = {.tolds = &tolds};
    if (code == ERR_OK && tolds.count > 0)
        code = past_after(a, tolds.least, history_grain_ms(&view->audience->precision), look_at, &x,
                          e);
    if (code != ERR_OK)
        return code;
    *ret_due = x.due;
    *ret_upto = x.upto;
    return ERR_OK;
}

/* ---- composing ---- */

/* A point with the line it belongs to. */
struct item {
    uint32_t site;
    char service[CODE_MAX + 1], ward[WARD_MAX + 1];
    struct history_point point;
};
struct composing {
    const struct policy_audience *audience;
    const struct tolds *tolds;
    int64_t longest_ms;
    struct item *items;
    size_t count, most;
    int64_t upto;
    bool more;
};

/* The charter may have become stricter since: readers ask for its longest validity now. */
static struct capacity cut_validity(const struct capacity *c, int64_t longest_ms) {
    struct capacity cut = *c;
    if (cut.valid_until_ms > cut.observed_ms + longest_ms)
        cut.valid_until_ms = cut.observed_ms + longest_ms;
    return cut;
}

static enum err add_point(void *ctx, const struct past *p, bool *ret_stop, struct error *e) {
    struct composing *c = ctx;
    const struct charter_service *service = wanted(c->tolds, p);
    (void)e;
    if (service && c->count == c->most) {
        c->more = *ret_stop = true;
        return ERR_OK;
    }
    c->upto = p->id;
    struct item *item = &c->items[c->count];
    struct capacity said = cut_validity(&p->capacity, c->longest_ms);
    if (!service || !history_disclose(&c->audience->precision, &said, service, &item->point))
        return ERR_OK;
    item->site = p->site;
    memcpy(item->service, service->code, sizeof item->service);
    memcpy(item->ward, p->ward, strlen(p->ward) + 1);
    c->count++;
    return ERR_OK;
}

static int compare_lines(const struct item *a, const struct item *b) {
    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    int order = strcmp(a->service, b->service);
    return order != 0 ? order : strcmp(a->ward, b->ward);
}

static int compare_items(const void *left, const void *right) {
    const struct item *a = left, *b = right;
    int order = compare_lines(a, b);
    if (order != 0)
        return order;
    return a->point.observed_ms < b->point.observed_ms
               ? -1
               : a->point.observed_ms > b->point.observed_ms;
}

static void add_to_series(struct history *h, const struct composing *c, size_t i) {
    const struct item *item = &c->items[i];
    if (i == 0 || compare_lines(&c->items[i - 1], item) != 0) {
        struct history_series *s = &h->series[h->series_count++];
        s->site = item->site;
        memcpy(s->service, item->service, sizeof s->service);
        memcpy(s->ward, item->ward, sizeof s->ward);
        s->precision = c->audience->precision.kind;
        s->step = s->precision == PRECISION_ROUNDED ? c->audience->precision.step : 0;
        s->first = h->point_count;
    }
    h->series[h->series_count - 1].count++;
    h->points[h->point_count++] = item->point;
}

/* Cards of the sites that have a series; series stand in the order of sites. */
static enum err add_sites(struct history *h, const struct records *records, struct error *e) {
    for (size_t i = 0; i < h->series_count; i++) {
        uint32_t id = h->series[i].site;
        if (h->site_count > 0 && h->sites[h->site_count - 1].id == id)
            continue;
        const struct site *site = records_site(records, id);
        if (!site)
            return error_set(e, ERR_INTERNAL, "found a point of site %u, which is not there", id);
        h->sites[h->site_count++] = *site;
    }
    return ERR_OK;
}

static enum err arrange(struct composing *c, const struct records *records, struct history **ret,
                        struct error *e) {
    struct history *h = calloc(1, sizeof *h);
    if (!h)
        return no_memory(e);
    h->sites = calloc(records->site_count + 1, sizeof *h->sites);
    h->series = calloc(c->count + 1, sizeof *h->series);
    h->points = calloc(c->count + 1, sizeof *h->points);
    enum err code = h->sites && h->series && h->points ? ERR_OK : no_memory(e);
    if (code == ERR_OK && c->count > 1)
        qsort(c->items, c->count, sizeof *c->items, compare_items);
    for (size_t i = 0; code == ERR_OK && i < c->count; i++)
        add_to_series(h, c, i);
    if (code == ERR_OK)
        code = add_sites(h, records, e);
    if (code != ERR_OK) {
        history_free(h);
        return code;
    }
    *ret = h;
    return ERR_OK;
}

static enum err fits(const struct history *h, bool *ret, struct error *e) {
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    enum err code = history_encode(h, &plain, e);
    *ret = code == ERR_OK && plain.len + 10 <= VIEW_PLAIN_MAX; /* the counter is still to come */
    buf_done(&plain);
    return code == ERR_CAP ? ERR_OK : code;
}

static enum err compose_at_most(struct agent *a, const struct past_view *view,
                                const struct records *records, struct composing *c,
                                struct history **ret, struct error *e) {
    c->count = 0;
    c->more = false;
    enum err code = past_after(a, c->tolds->least, history_grain_ms(&view->audience->precision),
                               add_point, c, e);
    return code != ERR_OK ? code : arrange(c, records, ret, e);
}

static enum err compose(struct agent *a, const struct past_view *view,
                        const struct records *records, struct composing *c, struct history **ret,
                        struct error *e) {
    bool fit = false;
    for (c->most = HISTORY_MAX_POINTS; c->most > 0; c->most /= 2) {
        struct history *made = NULL;
        enum err code = compose_at_most(a, view, records, c, &made, e);
        if (code == ERR_OK)
            code = fits(made, &fit, e);
        if (code == ERR_OK && fit && c->count > 0) {
            *ret = made;
            return ERR_OK;
        }
        history_free(made);
        if (code != ERR_OK || c->count == 0)
            return code;
    }
    return error_set(e, ERR_INTERNAL, "one point does not fit a view");
}

enum err past_view_compose(struct agent *a, const struct past_view *view,
                           const struct records *records, struct history **ret, int64_t *ret_upto,
                           bool *ret_more, struct error *e) {
    struct tolds tolds;
    struct history *made = NULL;
    enum err code = load_tolds(a, view, &tolds, e);
    if (code != ERR_OK)
        return code;
    struct composing c = {.audience = view->audience,
                          .tolds = &tolds,
                          .longest_ms = agent_charter(a)->longest_validity_ms,
                          .items = calloc(HISTORY_MAX_POINTS + 1, sizeof *c.items)};
    if (!c.items)
        return no_memory(e);
    if (tolds.count > 0)
        code = compose(a, view, records, &c, &made, e);
    free(c.items);
    if (code != ERR_OK)
        return code;
    *ret = made;
    *ret_upto = c.upto;
    *ret_more = c.more;
    return ERR_OK;
}
