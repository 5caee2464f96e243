/* Owns growing lists of items of one size. Must not know what the items are, nor cap their number:
 * the caller does. */
#ifndef PLEK_ARRAY_H
#define PLEK_ARRAY_H

#include <stddef.h>

/* Room for one more item behind `count` of `size` bytes each: the list as it is, or moved to twice
 * the room, with *room set. NULL without memory: list and *room are as they were.
 *     struct thing *list = array_grow(all->list, all->count, &all->room, sizeof *list);
 *     if (!list)
 *         return no_memory(e);
 *     all->list = list; */
void *array_grow(void *list, size_t count, size_t *room, size_t size);

#endif
