/* Owns the rule of what is published (see published.h). Must not know the store, keys or figures.
 */
#include "published.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Part of a sorted list. */
struct slice {
    const struct published_part *items;
    size_t count;
};

static int compare_parts(const void *left, const void *right) {
    return memcmp(left, right, REGION_MAX + 1 + PUBLISHED_DIGEST_LEN);
}

_Static_assert(offsetof(struct published_part, who) == REGION_MAX + 1 &&
                   sizeof(struct published_part) == REGION_MAX + 1 + 2 * PUBLISHED_DIGEST_LEN,
               "parts are compared and kept as bytes");

void published_sort(struct published_part *parts, size_t count) {
    if (count > 1)
        qsort(parts, count, sizeof *parts, compare_parts);
}

static struct slice of_region(struct slice all, const char *region) {
    size_t from = 0, to;
    if (all.count == 0)
        return all; /* its items may be none */
    while (from < all.count && strcmp(all.items[from].region, region) != 0)
        from++;
    for (to = from; to < all.count && strcmp(all.items[to].region, region) == 0;)
        to++;
    return (struct slice){all.items + from, to - from};
}

/* ---- sets of members ---- */

/* Room for everybody who can be in it. */
struct members {
    uint8_t (*items)[PUBLISHED_DIGEST_LEN];
    size_t count;
};

static int compare_members(const void *left, const void *right) {
    return memcmp(left, right, PUBLISHED_DIGEST_LEN);
}

static void add(struct members *to, const struct published_part *part) {
    memcpy(to->items[to->count++], part->who, PUBLISHED_DIGEST_LEN);
}

static void add_all(struct members *to, struct slice parts) {
    for (size_t i = 0; i < parts.count; i++)
        add(to, &parts.items[i]);
}

/* Who joined, left or contributes otherwise. */
static void add_changed(struct members *to, struct slice before, struct slice now) {
    size_t b = 0, n = 0;
    while (b < before.count || n < now.count) {
        int order = b == before.count ? 1
                    : n == now.count  ? -1
                                      : compare_parts(&before.items[b], &now.items[n]);
        if (order < 0)
            add(to, &before.items[b++]);
        else if (order > 0)
            add(to, &now.items[n++]);
        else if (memcmp(before.items[b++].what, now.items[n++].what, PUBLISHED_DIGEST_LEN) != 0)
            add(to, &now.items[n - 1]);
    }
}

/* Each once; empties it. */
static int64_t count_distinct(struct members *m) {
    int64_t distinct = 0;
    if (m->count > 1)
        qsort(m->items, m->count, sizeof *m->items, compare_members);
    for (size_t i = 0; i < m->count; i++)
        distinct += i == 0 || compare_members(m->items[i - 1], m->items[i]) != 0;
    m->count = 0;
    return distinct;
}

/* ---- the rule ---- */

struct deciding {
    int64_t k;
    struct slice fresh;
    struct published_cell *cells;
    size_t count;
    struct members members; /* at hand */
};

static struct slice shown_of(const struct published_cell *cell) {
    return (struct slice){cell->parts, cell->count};
}

/* What others can compare a region with: what was shown of it, else what stood behind the whole
 * network's figure. */
static struct slice base_of(const struct deciding *d, size_t cell) {
    if (d->cells[cell].known)
        return shown_of(&d->cells[cell]);
    return of_region(shown_of(&d->cells[0]), d->cells[cell].region);
}

static int64_t region_members(const struct deciding *d, size_t cell) {
    return (int64_t)of_region(d->fresh, d->cells[cell].region).count;
}

static enum published_verdict judge_region(struct deciding *d, size_t cell) {
    add_changed(&d->members, base_of(d, cell), of_region(d->fresh, d->cells[cell].region));
    if (count_distinct(&d->members) < d->k)
        return PUBLISHED_KEEP;
    if (region_members(d, cell) >= d->k)
        return PUBLISHED_SHOW;
    return d->cells[cell].known ? PUBLISHED_HIDE : PUBLISHED_KEEP;
}

static enum published_verdict judge_whole(struct deciding *d) {
    add_changed(&d->members, shown_of(&d->cells[0]), d->fresh);
    int64_t changed = count_distinct(&d->members);
    add_all(&d->members, d->fresh);
    int64_t members = count_distinct(&d->members);
    if (d->cells[0].known && changed < d->k)
        return PUBLISHED_KEEP;
    if (members >= d->k)
        return PUBLISHED_SHOW;
    return d->cells[0].known ? PUBLISHED_HIDE : PUBLISHED_KEEP;
}

/* Visits what is not shown anew with the whole network: regions that stay, and sites without one.
 */
static void add_rest(struct deciding *d, bool since_whole) {
    struct slice whole = shown_of(&d->cells[0]);
    for (size_t i = 1; i <= d->count; i++) {
        const char *region = i < d->count ? d->cells[i].region : DAYS_NOWHERE;
        bool known = i < d->count && d->cells[i].known;
        struct slice now = of_region(d->fresh, region);
        if (i < d->count && d->cells[i].verdict == PUBLISHED_SHOW)
            continue;
        if (since_whole)
            add_changed(&d->members, of_region(whole, region), now);
        else if (known)
            add_changed(&d->members, shown_of(&d->cells[i]), now);
        else
            add_all(&d->members, now);
    }
}

static bool hidden_well(const struct deciding *d, int64_t members) {
    return members == 0 || members >= d->k;
}

/* The whole network's figure less those of the regions tells what is left: it must be nothing, or
 * of k members. So must what changed in it since the whole network's figure of before. */
static bool rest_is_safe(struct deciding *d) {
    add_rest(d, false);
    if (!hidden_well(d, count_distinct(&d->members)))
        return false;
    if (!d->cells[0].known)
        return true;
    add_rest(d, true);
    return hidden_well(d, count_distinct(&d->members));
}

/* The smallest region that would be shown anew; 0: none. */
static size_t smallest(const struct deciding *d) {
    size_t found = 0;
    for (size_t i = 1; i < d->count; i++)
        if (d->cells[i].verdict == PUBLISHED_SHOW &&
            (found == 0 || region_members(d, i) < region_members(d, found)))
            found = i;
    return found;
}

/* Regions that can be shown are held back, the smallest first, until the rest is safe. If it never
 * is, the whole network's figure stays instead, and holds back none. */
static void protect(struct deciding *d) {
    while (d->cells[0].verdict == PUBLISHED_SHOW && !rest_is_safe(d)) {
        size_t region = smallest(d);
        d->cells[region].verdict = PUBLISHED_KEEP; /* 0: the whole network's */
    }
    for (size_t i = 1; i < d->count && d->cells[0].verdict == PUBLISHED_KEEP; i++)
        d->cells[i].verdict = judge_region(d, i);
}

enum err published_decide(int64_t k, const struct published_part *fresh, size_t fresh_count,
                          struct published_cell *cells, size_t count, struct error *e) {
    struct deciding d = {.k = k, .fresh = {fresh, fresh_count}, .cells = cells, .count = count};
    size_t room = fresh_count;
    assert(count > 0 && cells[0].region[0] == '\0');
    for (size_t i = 0; i < count; i++)
        room += cells[i].count;
    d.members.items = calloc(2 * room + 1, sizeof *d.members.items);
    if (d.members.items == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory to decide what is published");
    cells[0].verdict = judge_whole(&d);
    for (size_t i = 1; i < count; i++)
        cells[i].verdict = judge_region(&d, i);
    protect(&d);
    free(d.members.items);
    return ERR_OK;
}
