/* Owns the sums over what members sent to the hub's own audience.
 * Must not know the store, nor who may see the result. */
#include "aggregate.h"

#include <stdlib.h>
#include <string.h>

/* One row to be: `members` counts those with a figure that counts now. */
struct cell {
    char region[REGION_MAX + 1]; /* "": the whole network */
    struct amount low, high, total, occupied, held, blocked, need;
    bool open_ended; /* some interval has no upper end */
    int64_t members, current, expired;
    const struct public_key *last_member;
};
struct cells {
    struct cell *items;
    size_t count, cap;
};

/* ---- adding ---- */

/* Figures are far below this together; members that send absurd ones get an absurd sum, not
 * undefined behaviour. */
static int64_t sum(int64_t a, int64_t b) {
    int64_t result;
    if (__builtin_add_overflow(a, b, &result))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return result;
}

static void add(struct amount *to, bool known, int64_t value) {
    if (!known)
        return;
    to->value = to->known ? sum(to->value, value) : value;
    to->known = true;
}

static void add_amount(struct amount *to, const struct amount *from) {
    add(to, from->known, from->value);
}

static int64_t scale_of(const struct charter_service *service) {
    int64_t scale = 1;
    for (int i = 0; i < service->decimals; i++)
        scale *= 10;
    return scale;
}

/* What is known of `available`, as an interval: rounding goes down to a multiple of the step. */
static void add_available(struct cell *cell, const struct snapshot *s, const struct disclosed *f,
                          const struct charter_service *service) {
    if (f->has_band) {
        add(&cell->low, true, f->low);
        add(&cell->high, f->high.known, f->high.value);
        cell->open_ended = cell->open_ended || !f->high.known;
        return;
    }
    if (!f->available.known)
        return;
    int64_t slack = 0;
    if (s->precision == PRECISION_ROUNDED &&
        __builtin_mul_overflow(s->step, scale_of(service), &slack))
        slack = INT64_MAX;
    add(&cell->low, true, f->available.value);
    add(&cell->high, true, sum(f->available.value, slack > 0 ? slack - 1 : 0));
}

static void add_line(struct cell *cell, const struct contribution *c, const struct seen_line *line,
                     const struct charter_service *service) {
    const struct disclosed *f = &line->figure;
    add_available(cell, c->snapshot, f, service);
    add_amount(&cell->total, &f->total);
    add_amount(&cell->occupied, &f->occupied);
    add_amount(&cell->held, &f->held);
    add_amount(&cell->blocked, &f->blocked);
    add_amount(&cell->need, &f->need);
    if (cell->last_member == NULL || !key_equal(cell->last_member, &c->member))
        cell->members++;
    cell->last_member = &c->member;
}

/* ---- cells ---- */

/* The first is the whole network's; pointers are good until the next call. */
static enum err find_cell(struct cells *cells, const char *region, size_t *ret, struct error *e) {
    for (size_t i = 0; i < cells->count; i++) {
        if (strcmp(cells->items[i].region, region) == 0) {
            *ret = i;
            return ERR_OK;
        }
    }
    if (cells->count == cells->cap) {
        size_t cap = cells->cap > 0 ? cells->cap * 2 : 16;
        struct cell *items = reallocarray(cells->items, cap, sizeof *items);
        if (items == NULL)
            return error_set(e, ERR_NO_MEMORY, "no memory for %zu regions", cap);
        cells->items = items;
        cells->cap = cap;
    }
    cells->items[cells->count] = (struct cell){.members = 0};
    memcpy(cells->items[cells->count].region, region, strlen(region) + 1);
    *ret = cells->count++;
    return ERR_OK;
}

/* Lines of a snapshot stand by site: [from, to) is one site's. */
struct run {
    size_t from, to;
    bool any, expired; /* lines of the service; one of them no longer counts */
};

static struct run next_site(const struct snapshot *s, size_t from, const char *service,
                            int64_t now_ms) {
    struct run run = {.from = from, .to = from};
    for (; run.to < s->line_count && s->lines[run.to].site == s->lines[from].site; run.to++) {
        const struct seen_line *line = &s->lines[run.to];
        if (strcmp(line->service, service) != 0)
            continue;
        run.any = true;
        if (capacity_freshness(line->figure.observed_ms, line->figure.valid_until_ms, now_ms) ==
            FRESH_EXPIRED)
            run.expired = true;
    }
    return run;
}

static void add_site(struct cell *cell, const struct contribution *c, const struct run *run,
                     const struct charter_service *service, int64_t now_ms) {
    cell->current += !run->expired;
    cell->expired += run->expired;
    for (size_t i = run->from; i < run->to; i++) {
        const struct seen_line *line = &c->snapshot->lines[i];
        if (strcmp(line->service, service->code) == 0 &&
            capacity_freshness(line->figure.observed_ms, line->figure.valid_until_ms, now_ms) !=
                FRESH_EXPIRED)
            add_line(cell, c, line, service);
    }
}

/* *ret_any: the picture has lines of the service. */
static enum err add_picture(struct cells *cells, const struct contribution *c,
                            const struct charter_service *service, int64_t now_ms, bool *ret_any,
                            struct error *e) {
    const struct snapshot *s = c->snapshot;
    struct run run = {.to = 0};
    for (size_t at = 0; at < s->line_count; at = run.to) {
        const struct site *site = snapshot_site(s, s->lines[at].site);
        size_t index = 0;
        run = next_site(s, at, service->code, now_ms);
        if (!run.any)
            continue;
        *ret_any = true;
        add_site(&cells->items[0], c, &run, service, now_ms);
        if (site == NULL || site->region[0] == '\0')
            continue;
        enum err err = find_cell(cells, site->region, &index, e);
        if (err != ERR_OK)
            return err;
        add_site(&cells->items[index], c, &run, service, now_ms);
    }
    return ERR_OK;
}

static int compare_items(const void *left, const void *right) {
    const struct contribution *a = left, *b = right;
    int by_member = key_compare(&a->member, &b->member);
    if (by_member != 0)
        return by_member;
    if (a->author != b->author)
        return a->author < b->author ? -1 : 1;
    return a->order > b->order ? -1 : a->order < b->order;
}

static int compare_cells(const void *left, const void *right) {
    return strcmp(((const struct cell *)left)->region, ((const struct cell *)right)->region);
}

static enum err add_service(struct cells *cells, const struct aggregate_query *query,
                            const struct charter_service *service, const struct contribution *items,
                            size_t count, struct error *e) {
    size_t whole = 0;
    bool taken = false;
    enum err err = find_cell(cells, "", &whole, e);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        if (i == 0 || items[i - 1].author != items[i].author)
            taken = false;
        if (!taken)
            err = add_picture(cells, &items[i], service, query->now_ms, &taken, e);
    }
    if (err == ERR_OK) /* "" sorts first: the whole network stays in front */
        qsort(cells->items, cells->count, sizeof *cells->items, compare_cells);
    return err;
}

/* ---- rows ---- */

static json_t *number(const struct amount *a, const struct charter_service *service) {
    char text[TEXT_NUMBER_SIZE];
    if (!a->known)
        return json_null();
    return service->decimals == 0 ? json_integer(a->value)
                                  : json_string(text_number(a->value, service->decimals, text));
}

static json_t *row(const struct aggregate_query *query, const struct charter_service *service,
                   const struct cell *cell) {
    struct amount high = cell->high;
    bool whole = cell->region[0] == '\0';
    high.known = cell->low.known && !cell->open_ended;
    return json_pack(
        "{s:s, s:s, s:o, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:b}", "day",
        query->day, "service", service->code, "region",
        whole ? json_null() : json_string(cell->region), "available", "low",
        number(&cell->low, service), "high", number(&high, service), "total",
        number(&cell->total, service), "occupied", number(&cell->occupied, service), "held",
        number(&cell->held, service), "blocked", number(&cell->blocked, service), "need",
        number(&cell->need, service), "members", (json_int_t)cell->members, "sites_current",
        (json_int_t)cell->current, "sites_expired", (json_int_t)cell->expired, "sites_never",
        (json_int_t)(whole ? query->never : 0), "suppressed", 0);
}

static enum err append_rows(const struct aggregate_query *query,
                            const struct charter_service *service, const struct cells *cells,
                            json_t *rows, struct error *e) {
    for (size_t i = 0; i < cells->count; i++) {
        if (query->region != NULL && strcmp(cells->items[i].region, query->region) != 0)
            continue;
        if (query->region != NULL && query->region[0] == '\0')
            continue;
        if (json_array_append_new(rows, row(query, service, &cells->items[i])) != 0)
            return error_set(e, ERR_NO_MEMORY, "no memory for the aggregate");
    }
    return ERR_OK;
}

enum err aggregate_rows(const struct aggregate_query *query, struct contribution *items,
                        size_t count, json_t **ret, struct error *e) {
    const struct charter *charter = query->charter;
    if (query->service != NULL && charter_service(charter, query->service) == NULL)
        return error_set(e, ERR_NOT_FOUND,
                         "the charter has no service '%.40s'; see `plek-hub charter show`",
                         query->service);
    json_t *rows = json_array();
    enum err err = rows != NULL ? ERR_OK : error_set(e, ERR_NO_MEMORY, "no memory");
    if (count > 1)
        qsort(items, count, sizeof *items, compare_items);
    for (size_t i = 0; i < charter->service_count && err == ERR_OK; i++) {
        const struct charter_service *service = &charter->services[i];
        struct cells cells = {.items = NULL};
        if (query->service != NULL && strcmp(service->code, query->service) != 0)
            continue;
        err = add_service(&cells, query, service, items, count, e);
        if (err == ERR_OK)
            err = append_rows(query, service, &cells, rows, e);
        free(cells.items);
    }
    if (err != ERR_OK) {
        json_decref(rows);
        return err;
    }
    *ret = rows;
    return ERR_OK;
}
