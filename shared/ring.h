/* Owns a first-in first-out queue of equal items that grows up to a mandatory cap and gives its
 * memory back when it runs empty. Must not know what an item is: what items own is the caller's to
 * free. */
#ifndef PLEK_RING_H
#define PLEK_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct ring {
    unsigned char *data;
    size_t item_size, max; /* bytes of an item; how many items at most */
    size_t cap, first, count;
};

void ring_init(struct ring *r, size_t item_size, size_t max);
void ring_done(struct ring *r); /* forgets all items; accepts a zeroed ring; may be used again */
/* Appends a copy. ERR_CAP when max items are queued, ERR_NO_MEMORY; nothing changed then. */
enum err ring_push(struct ring *r, const void *item, struct error *e) MUST_USE;
/* Item `index` counted from the oldest, valid until the next push or pop; NULL beyond the last. */
void *ring_at(const struct ring *r, size_t index);
/* Removes the oldest, into *ret unless that is NULL; false when there is none. */
bool ring_pop(struct ring *r, void *ret);

#endif
