/* Owns one candidate a line or a place: the newest row of each that a table has (see
 * import_private.h). Must not read cells. */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "import_private.h"

uint32_t import_hash(uint32_t h, const char *text) {
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return (h ^ 0xFF) * 16777619u;
}

enum err import_newest_init(struct import_newest *n, const struct import_kind *kind,
                            struct error *e) {
    int32_t *slots = malloc(kind->slots * sizeof *slots);
    if (!slots)
        return error_set(e, ERR_NO_MEMORY, "no memory for an import");
    memset(slots, 0xFF, kind->slots * sizeof *slots); /* -1 */
    *n = (struct import_newest){.kind = kind, .slots = slots};
    return ERR_OK;
}

void import_newest_done(struct import_newest *n) {
    free(n->slots);
    free(n->list);
    *n = (struct import_newest){.list = NULL};
}

static struct import_seen *at(const struct import_newest *n, size_t index) {
    return (struct import_seen *)((char *)n->list + index * n->kind->size);
}

/* The slot of this key: with its candidate, or free. */
static int32_t *find_slot(const struct import_newest *n, const struct import_seen *c) {
    size_t slot = n->kind->hash(c) % n->kind->slots;
    while (n->slots[slot] >= 0 && !n->kind->same(at(n, (size_t)n->slots[slot]), c))
        slot = (slot + 1) % n->kind->slots;
    return &n->slots[slot];
}

static enum err add(struct import *im, int32_t *slot, const struct import_seen *c,
                    struct error *e) {
    struct import_newest *n = &im->newest;
    if (n->count == n->kind->max)
        return error_at(e, ERR_TOO_LARGE, im->request.file, c->row, 0,
                        "found more than %zu different %s, which is the most an agent has",
                        n->kind->max, n->kind->what);
    void *list = array_grow(n->list, n->count, &n->room, n->kind->size);
    if (!list)
        return error_set(e, ERR_NO_MEMORY, "no memory for more than %zu %s", n->count,
                         n->kind->what);
    n->list = list;
    memcpy(at(n, n->count), c, n->kind->size);
    *slot = (int32_t)n->count++;
    return ERR_OK;
}

/* Two rows of one date are a fault only while nothing newer comes: the order does not matter. */
enum err import_newest_keep(struct import *im, const struct import_seen *c, size_t *ret_index,
                            struct error *e) {
    struct import_newest *n = &im->newest;
    bool dated = im->profile->date_column != NULL;
    int32_t *slot = find_slot(n, c);
    enum err code = ERR_OK;
    if (*slot < 0) {
        code = add(im, slot, c, e);
    } else {
        struct import_seen *held = at(n, (size_t)*slot);
        if (dated && c->date_ms != held->date_ms)
            im->superseded++;
        if (dated && c->date_ms > held->date_ms)
            memcpy(held, c, n->kind->size);
        else if ((!dated || c->date_ms == held->date_ms) && held->same_date == 0)
            held->same_date = c->row;
    }
    if (code == ERR_OK)
        *ret_index = (size_t)*slot;
    return code;
}

enum err import_two_rows(const struct import *im, const char *of, int first, int second,
                         struct error *e) {
    const char *why =
        im->profile->date_column
            ? "both of the same date: filter the rows with --where, or correct one"
            : "expected one: name a date column in the profile, or filter with --where";
    return error_at(e, ERR_DATA, im->request.file, second, 0,
                    "found a second row for %.120s (the first is line %d), %s", of, first, why);
}
