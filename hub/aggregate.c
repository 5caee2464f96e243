/* Owns the sums over what members sent to the hub's own audience.
 * Must not know the store, nor who may see the result. */
#include "aggregate.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

/* One row to be. */
struct region {
    char code[REGION_MAX + 1]; /* "": the whole network */
    struct cell cell;
    const struct public_key *last_member;
};
struct regions {
    struct region *items;
    size_t count, cap;
};

static void add_line(struct region *to, const struct contribution *c, const struct seen_line *line,
                     const struct charter_service *service) {
    const struct history_point figure = history_point_of(&line->figure);
    cell_add(&to->cell, service, c->snapshot->precision, c->snapshot->step, &figure);
    if (to->last_member == NULL || !key_equal(to->last_member, &c->member))
        to->cell.members++;
    to->last_member = &c->member;
}

/* ---- regions ---- */

/* The first is the whole network's; pointers are good until the next call. */
static enum err find_region(struct regions *regions, const char *code, size_t *ret,
                            struct error *e) {
    for (size_t i = 0; i < regions->count; i++) {
        if (strcmp(regions->items[i].code, code) == 0) {
            *ret = i;
            return ERR_OK;
        }
    }
    struct region *items = array_grow(regions->items, regions->count, &regions->cap, sizeof *items);
    if (items == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for more than %zu regions", regions->count);
    regions->items = items;
    regions->items[regions->count] = (struct region){.last_member = NULL};
    memcpy(regions->items[regions->count].code, code, strlen(code) + 1);
    *ret = regions->count++;
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

static void add_site(struct region *to, const struct contribution *c, const struct run *run,
                     const struct charter_service *service, int64_t now_ms) {
    to->cell.current += !run->expired;
    to->cell.expired += run->expired;
    for (size_t i = run->from; i < run->to; i++) {
        const struct seen_line *line = &c->snapshot->lines[i];
        if (strcmp(line->service, service->code) == 0 &&
            capacity_freshness(line->figure.observed_ms, line->figure.valid_until_ms, now_ms) !=
                FRESH_EXPIRED)
            add_line(to, c, line, service);
    }
}

/* *ret_any: the picture has lines of the service. */
static enum err add_picture(struct regions *regions, const struct contribution *c,
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
        add_site(&regions->items[0], c, &run, service, now_ms);
        if (site == NULL || site->region[0] == '\0')
            continue;
        enum err err = find_region(regions, site->region, &index, e);
        if (err != ERR_OK)
            return err;
        add_site(&regions->items[index], c, &run, service, now_ms);
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

void contribution_sort(struct contribution *items, size_t count) {
    if (count > 1)
        qsort(items, count, sizeof *items, compare_items);
}

static int compare_regions(const void *left, const void *right) {
    return strcmp(((const struct region *)left)->code, ((const struct region *)right)->code);
}

static enum err add_service(struct regions *regions, const struct aggregate_query *query,
                            const struct charter_service *service, const struct contribution *items,
                            size_t count, struct error *e) {
    size_t whole = 0;
    bool taken = false;
    enum err err = find_region(regions, "", &whole, e);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        if (i == 0 || items[i - 1].author != items[i].author)
            taken = false;
        if (!taken)
            err = add_picture(regions, &items[i], service, query->now_ms, &taken, e);
    }
    if (err == ERR_OK) /* "" sorts first: the whole network stays in front */
        qsort(regions->items, regions->count, sizeof *regions->items, compare_regions);
    return err;
}

/* ---- rows ---- */

static json_t *row(const struct aggregate_query *query, const struct charter_service *service,
                   struct region *region) {
    const struct cell_name name = {.day = query->day,
                                   .service = service->code,
                                   .region = region->code,
                                   .decimals = service->decimals,
                                   .open = true};
    region->cell.never = region->code[0] == '\0' ? query->never : 0;
    return cell_json(&region->cell, &name);
}

static enum err append_rows(const struct aggregate_query *query,
                            const struct charter_service *service, const struct regions *regions,
                            json_t *rows, struct error *e) {
    for (size_t i = 0; i < regions->count; i++) {
        if (query->region != NULL && strcmp(regions->items[i].code, query->region) != 0)
            continue;
        if (query->region != NULL && query->region[0] == '\0')
            continue;
        if (json_array_append_new(rows, row(query, service, &regions->items[i])) != 0)
            return error_set(e, ERR_NO_MEMORY, "no memory for the aggregate");
    }
    return ERR_OK;
}

enum err aggregate_rows(const struct aggregate_query *query, const struct contribution *items,
                        size_t count, json_t **ret, struct error *e) {
    const struct charter *charter = query->charter;
    if (query->service != NULL && charter_service(charter, query->service) == NULL)
        return error_set(e, ERR_NOT_FOUND,
                         "the charter has no service '%.40s'; see `plek-hub charter show`",
                         query->service);
    json_t *rows = json_array();
    enum err err = rows != NULL ? ERR_OK : error_set(e, ERR_NO_MEMORY, "no memory");
    for (size_t i = 0; i < charter->service_count && err == ERR_OK; i++) {
        const struct charter_service *service = &charter->services[i];
        struct regions regions = {.items = NULL};
        if (query->service != NULL && strcmp(service->code, query->service) != 0)
            continue;
        err = add_service(&regions, query, service, items, count, e);
        if (err == ERR_OK)
            err = append_rows(query, service, &regions, rows, e);
        free(regions.items);
    }
    if (err != ERR_OK) {
        json_decref(rows);
        return err;
    }
    *ret = rows;
    return ERR_OK;
}
