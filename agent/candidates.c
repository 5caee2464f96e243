/* Implements the ordered list (see candidates.h). Must not know the store. */
#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

#define TEXTS_MAX ((size_t)1024 * 1024 * 1024)

void candidates_init(struct candidates *c, size_t keep) {
    *c = (struct candidates){.keep = keep};
    buf_init(&c->texts, TEXTS_MAX);
    buf_append_u8(&c->texts, 0); /* the empty text */
}

void candidates_done(struct candidates *c) {
    for (size_t i = 0; i < c->count; i++)
        json_decref(c->list[i].row);
    free(c->list);
    buf_done(&c->texts);
}

size_t candidates_text(struct candidates *c, const char *text) {
    size_t at = c->texts.len;
    if (text[0] == '\0')
        return 0;
    buf_append(&c->texts, text, strlen(text) + 1);
    return at;
}

static int compare(const void *left, const void *right, void *ctx) {
    const struct candidate *a = left, *b = right;
    const char *texts = ctx;
    int order = found_compare(&a->rank, &b->rank);
    if (order == 0 && a->member != b->member)
        order = strcmp(a->member, b->member);
    if (order == 0 && a->site != b->site)
        order = strcmp(texts + a->site, texts + b->site);
    if (order == 0 && a->service != b->service)
        order = strcmp(a->service, b->service);
    return order == 0 ? strcmp(texts + a->ward, texts + b->ward) : order;
}

void candidates_sort(struct candidates *c) {
    if (c->count > 1)
        qsort_r(c->list, c->count, sizeof *c->list, compare, c->texts.data);
    for (; c->count > c->keep; c->count--)
        json_decref(c->list[c->count - 1].row);
    c->settled = c->count;
}

/* Whether so many better ones are there already that nobody will look at this one. */
static bool is_pushed_out(const struct candidates *c, const struct candidate *candidate) {
    return c->settled == c->keep &&
           (c->keep == 0 || compare(candidate, &c->list[c->keep - 1], c->texts.data) >= 0);
}

enum err candidates_add(struct candidates *c, const struct candidate *take, struct error *e) {
    enum err code = buf_failed(&c->texts, e);
    c->total++;
    if (code == ERR_OK && is_pushed_out(c, take)) {
        json_decref(take->row);
        return ERR_OK;
    }
    struct candidate *list = array_grow(c->list, c->count, &c->cap, sizeof *list);
    if (list)
        c->list = list;
    else if (code == ERR_OK)
        code = error_set(e, ERR_NO_MEMORY, "no memory for more than %zu rows", c->count);
    if (code == ERR_OK)
        c->list[c->count++] = *take;
    else
        json_decref(take->row);
    if (code == ERR_OK && c->count / 2 >= c->keep)
        candidates_sort(c);
    return code;
}
