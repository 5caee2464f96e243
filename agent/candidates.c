/* Implements the ordered list (see candidates.h). Must not know the store. */
#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

void candidates_init(struct candidates *c, size_t keep) {
    *c = (struct candidates){.keep = keep};
}

static void drop_last(struct candidates *c) {
    const struct candidate *last = &c->list[--c->count];
    json_decref(last->row);
    free(last->texts);
}

void candidates_done(struct candidates *c) {
    while (c->count > 0)
        drop_last(c);
    free(c->list);
}

static int compare(const void *left, const void *right) {
    const struct candidate *a = left, *b = right;
    int order = found_compare(&a->rank, &b->rank);
    if (order == 0 && a->member != b->member)
        order = strcmp(a->member, b->member);
    if (order == 0)
        order = strcmp(a->site, b->site);
    if (order == 0 && a->service != b->service)
        order = strcmp(a->service, b->service);
    return order == 0 ? strcmp(a->ward, b->ward) : order;
}

void candidates_sort(struct candidates *c) {
    if (c->count > 1)
        qsort(c->list, c->count, sizeof *c->list, compare);
    while (c->count > c->keep)
        drop_last(c);
    c->settled = c->count;
}

/* Whether so many better ones are there already that nobody will look at this one. */
static bool is_pushed_out(const struct candidates *c, const struct candidate *candidate) {
    return c->settled == c->keep &&
           (c->keep == 0 || compare(candidate, &c->list[c->keep - 1]) >= 0);
}

/* Its texts are copied: where they came from goes. */
static bool keep_texts(struct candidate *candidate) {
    size_t site = strlen(candidate->site) + 1, ward = strlen(candidate->ward) + 1;
    char *texts = malloc(site + ward);
    if (!texts)
        return false;
    candidate->site = memcpy(texts, candidate->site, site);
    candidate->ward = memcpy(texts + site, candidate->ward, ward);
    candidate->texts = texts;
    return true;
}

enum err candidates_add(struct candidates *c, const struct candidate *take, struct error *e) {
    struct candidate kept = *take;
    c->total++;
    if (is_pushed_out(c, take)) {
        json_decref(take->row);
        return ERR_OK;
    }
    struct candidate *list = array_grow(c->list, c->count, &c->cap, sizeof *list);
    if (list)
        c->list = list;
    if (!list || !keep_texts(&kept)) {
        json_decref(take->row);
        return error_set(e, ERR_NO_MEMORY, "no memory for more than %zu rows", c->count);
    }
    c->list[c->count++] = kept;
    if (c->count / 2 >= c->keep)
        candidates_sort(c);
    return ERR_OK;
}
