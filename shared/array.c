/* Owns growing lists (see array.h). Must not free anything: the list is the caller's. */
#include "array.h"

#include <stdlib.h>

#define FIRST_ROOM 16

void *array_grow(void *list, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return list;
    size_t wanted = *room > 0 ? *room * 2 : FIRST_ROOM;
    void *grown = reallocarray(list, wanted, size);
    if (grown)
        *room = wanted;
    return grown;
}
