/* Owns the hub's picture in memory of who published.
 * Must not know the store: hub.c fills it. */
#include "authors.h"

#include <assert.h>
#include <stdlib.h>

#include "array.h"

static struct bytes agent_bytes(const struct public_key *agent) {
    return bytes_of(agent->b, KEY_LEN);
}

static struct bytes agent_of(const void *item) {
    return agent_bytes(&((const struct author *)item)->agent);
}

void authors_init(struct authors *a, const uint8_t seed[static MAP_SEED_LEN]) {
    *a = (struct authors){.items = NULL};
    map_init(&a->by_agent, seed, agent_of);
}

void authors_done(struct authors *a) {
    for (size_t i = 0; i < a->count; i++)
        free(a->items[i]);
    free(a->items);
    map_done(&a->by_agent);
    a->items = NULL;
    a->count = a->cap = 0;
}

struct author *authors_find(const struct authors *a, const struct public_key *agent) {
    return (struct author *)(uintptr_t)map_get(&a->by_agent, agent_bytes(agent));
}

struct author *authors_by_id(const struct authors *a, int64_t id) {
    size_t low = 0, high = a->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (a->items[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->count && a->items[low]->id == id ? a->items[low] : NULL;
}

enum err authors_reserve(struct authors *a, struct error *e) {
    struct author **items = array_grow(a->items, a->count, &a->cap, sizeof *items);
    if (items == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for more than %zu authors", a->count);
    a->items = items;
    return map_reserve(&a->by_agent, e);
}

void authors_add(struct authors *a, struct author *take_author) {
    assert(a->count < a->cap);
    assert(a->count == 0 || a->items[a->count - 1]->id < take_author->id);
    a->items[a->count++] = take_author;
    map_put(&a->by_agent, take_author);
}
