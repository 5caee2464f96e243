/* Owns what the tests of loading share: marked states, grants, cursors taken from pages. Must not
 * test anything itself. */
#ifndef PLEK_TEST_LOAD_KIT_H
#define PLEK_TEST_LOAD_KIT_H

#include <criterion/criterion.h>

#include "unit/hub/town.h"

#define ALL_BYTES (1u << 20)
static const struct cursors from_start;

/* The state's plaintext: which author's circle, which version. */
struct mark {
    uint32_t author, circle, version;
};

static inline struct bytes mark_bytes(const struct mark *m) {
    return bytes_of(m, sizeof *m);
}

static inline size_t count_class(const struct page *page, enum deliver_class class_) {
    size_t n = 0;
    for (size_t i = 0; i < page->count; i++)
        n += page->items[i].class_ == class_;
    return n;
}

static inline struct cursors cursors_of(const struct page *page) {
    struct cursors c = {{0}, {0}};
    memcpy(c.after, page->upto, sizeof c.after);
    memcpy(c.within, page->within, sizeof c.within);
    return c;
}

/* Loads everything after *cursors and moves them; how many states came. */
static inline size_t load_states(struct town *t, const struct person *reader,
                                 struct cursors *cursors) {
    struct page page = town_load(t, &reader->agent.pub, cursors, ALL_BYTES);
    cr_assert(page.tip);
    size_t n = count_class(&page, CLASS_STATES);
    *cursors = cursors_of(&page);
    page_done(&page);
    return n;
}

static inline void publish_state(struct town *t, struct person *author, const struct circle *c,
                                 const struct person *grant_to, uint32_t version) {
    struct draft d;
    struct mark m = {.version = version};
    draft_init(t, &d, author);
    if (grant_to)
        draft_grant_to(t, &d, c, grant_to);
    draft_state(t, &d, c, mark_bytes(&m));
    person_publish(t, author, &d);
}

static inline void publish_grant(struct town *t, struct person *author, const struct circle *c,
                                 const struct person *to) {
    struct draft d;
    draft_init(t, &d, author);
    draft_grant_to(t, &d, c, to);
    person_publish(t, author, &d);
}

#endif
