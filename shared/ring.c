/* Implements the growable queue over one circular array.
 * Must not keep memory while empty: a hub has thousands of idle connections. */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#define RING_FIRST_CAP 4

void ring_init(struct ring *r, size_t item_size, size_t max) {
    *r = (struct ring){.item_size = item_size, .max = max};
}

void ring_done(struct ring *r) {
    free(r->data);
    ring_init(r, r->item_size, r->max);
}

static enum err grow(struct ring *r, struct error *e) {
    size_t cap = r->cap == 0 ? RING_FIRST_CAP : r->cap * 2;
    unsigned char *data = calloc(cap, r->item_size);
    if (data == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for a queue of %zu items", cap);
    for (size_t i = 0; i < r->count; i++)
        memcpy(data + i * r->item_size, ring_at(r, i), r->item_size);
    free(r->data);
    r->data = data;
    r->cap = cap;
    r->first = 0;
    return ERR_OK;
}

enum err ring_push(struct ring *r, const void *item, struct error *e) {
    if (r->count >= r->max)
        return error_set(e, ERR_CAP, "a queue holds %zu items already, its cap", r->count);
    if (r->count == r->cap) {
        enum err rc = grow(r, e);
        if (rc != ERR_OK)
            return rc;
    }
    r->count++;
    memcpy(ring_at(r, r->count - 1), item, r->item_size);
    return ERR_OK;
}

void *ring_at(const struct ring *r, size_t index) {
    if (index >= r->count)
        return NULL;
    return r->data + (r->first + index) % r->cap * r->item_size;
}

bool ring_pop(struct ring *r, void *ret) {
    if (r->count == 0)
        return false;
    if (ret != NULL)
        memcpy(ret, ring_at(r, 0), r->item_size);
    r->first = (r->first + 1) % r->cap;
    if (--r->count == 0)
        ring_done(r);
    return true;
}
