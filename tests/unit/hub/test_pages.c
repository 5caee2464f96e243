/* Owns the tests of loading by pages: where they end, what is passed over, long histories. */
#include "unit/hub/load_kit.h"

enum { AUTHORS = 5, EACH = 220, ALL = AUTHORS * EACH };

/* Entries with hundreds of states each, and after them entries with the grants for one reader. */
static void publish_many(struct town *t, struct person p[static AUTHORS], const struct person *q) {
    struct draft *d = malloc(sizeof *d);
    struct circle *circles = calloc(ALL, sizeof *circles);
    cr_assert(d && circles);
    for (int a = 0; a < AUTHORS; a++) {
        char name[16];
        snprintf(name, sizeof name, "P%d", a);
        person_join(t, &p[a], name, "provider");
        draft_init(t, d, &p[a]);
        for (int i = a * EACH; i < (a + 1) * EACH; i++) {
            circle_new(t, &circles[i], &p[a]);
            draft_raw(d, VIEW_STATE, target_audience(circles[i].id), circles[i].key_id,
                      bytes_of(circles[i].id, AUDIENCE_ID_LEN));
        }
        person_publish(t, &p[a], d);
    }
    for (int a = 0; a < AUTHORS; a++) {
        draft_init(t, d, &p[a]);
        for (int i = a * EACH; i < (a + 1) * EACH; i++)
            draft_grant_to(t, d, &circles[i], q);
        person_publish(t, &p[a], d);
    }
    free(d);
    free(circles);
}

/* Every page is whole positions, and nothing is lost between them. */
Test(load, pages_end_between_positions) {
    struct town t;
    struct person p[AUTHORS], q;
    town_init(&t, 9, NULL);
    person_join(&t, &q, "Zuid", "provider");
    publish_many(&t, p, &q);
    struct cursors at = from_start;
    size_t states = 0, grants = 0, pages = 0;
    for (bool tip = false; !tip; pages++) {
        struct page page = town_load(&t, &q.agent.pub, &at, 64 * 1024 * 1024);
        cr_assert_leq(page.count, HUB_PAGE_ROWS + ENTRY_MAX_VIEWS);
        for (size_t i = 0; i < page.count; i++) {
            const struct delivery *item = &page.items[i];
            cr_assert_leq(item->position, page.upto[item->class_]);
            cr_assert_gt(item->position, at.after[item->class_]);
        }
        states += count_class(&page, CLASS_STATES);
        grants += count_class(&page, CLASS_GRANTS);
        tip = page.tip;
        at = cursors_of(&page);
        page_done(&page);
    }
    cr_assert_eq(states, ALL);
    cr_assert_eq(grants, ALL);
    cr_assert_gt(pages, 3);
    town_done(&t);
}

/* More rows than one scan reads are of suspended authors: what comes after them is still reached.
 */
Test(load, many_rows_that_are_not_shown) {
    struct town t;
    struct person p[AUTHORS], q, late;
    struct circle c;
    struct cursors at = from_start;
    size_t states = 0;
    town_init(&t, 12, NULL);
    person_join(&t, &q, "Zuid", "provider");
    publish_many(&t, p, &q);
    person_join(&t, &late, "Oost", "provider");
    circle_new(&t, &c, &late);
    publish_state(&t, &late, &c, NULL, 1);
    publish_grant(&t, &late, &c, &q); /* found by the same scan as the others */
    for (int a = 0; a < AUTHORS; a++)
        town_change(&t, (char[]){'P', (char)('0' + a), '\0'}, "suspend");
    for (int pages = 0; pages < 20; pages++) {
        struct page page = town_load(&t, &q.agent.pub, &at, 64 * 1024 * 1024);
        states += count_class(&page, CLASS_STATES);
        at = cursors_of(&page);
        bool tip = page.tip;
        page_done(&page);
        if (tip)
            break;
    }
    cr_assert_eq(states, 1);
    town_done(&t);
}

/* ---- history whose key is granted later ---- */

#define PAST_VIEWS 1200 /* more than a page and a scan */

static void publish_past(struct town *t, struct person *author, const struct circle *c,
                         uint32_t number) {
    struct draft d;
    struct mark m = {.version = number};
    draft_init(t, &d, author);
    draft_raw(&d, VIEW_HISTORY, target_audience(c->id), c->key_id, mark_bytes(&m));
    person_publish(t, author, &d);
}

/* All history this reader gets from here on, page by page; each view once and in order. */
static size_t follow_past(struct town *t, const struct person *reader, struct cursors *at,
                          size_t max_bytes, size_t *ret_pages) {
    size_t n = 0;
    bool tip = false;
    for (*ret_pages = 0; !tip; ++*ret_pages) {
        struct page page = town_load(t, &reader->agent.pub, at, max_bytes);
        size_t count = count_class(&page, CLASS_HISTORY);
        n += count;
        tip = page.tip;
        *at = cursors_of(&page);
        page_done(&page);
    }
    return n;
}

Test(load, history_is_delivered_behind_a_later_grant) {
    struct town t;
    struct person p, q, r;
    struct circle c;
    struct cursors at = from_start;
    size_t pages = 0;
    town_init(&t, 31, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    person_join(&t, &r, "Oost", "provider");
    circle_new(&t, &c, &p);
    publish_grant(&t, &p, &c, &q);
    for (uint32_t i = 0; i < PAST_VIEWS; i++) {
        t.now_ms += TOWN_HOUR_MS / 60; /* the rate */
        publish_past(&t, &p, &c, i);
    }
    cr_assert_eq(follow_past(&t, &q, &at, 64 * 1024, &pages), (size_t)PAST_VIEWS);
    cr_assert_gt(pages, 3u);
    at = from_start;
    cr_assert_eq(follow_past(&t, &r, &at, 64 * 1024, &pages), 0);
    publish_grant(&t, &p, &c, &r);
    struct cursors granted = at;
    cr_assert_eq(follow_past(&t, &r, &granted, 64 * 1024, &pages), (size_t)PAST_VIEWS);
    cr_assert_gt(pages, 3u, "one position in several pages");
    cr_assert_eq(granted.after[CLASS_HISTORY], granted.after[CLASS_GRANTS]);
    cr_assert_eq(follow_past(&t, &r, &granted, 64 * 1024, &pages), 0);
    /* A reader whose connection ends within the position gets it again, from its beginning. */
    struct page first = town_load(&t, &r.agent.pub, &at, 16 * 1024);
    cr_assert_gt(count_class(&first, CLASS_HISTORY), 0);
    cr_assert_not(first.tip);
    struct cursors lost = {.after = {0}};
    memcpy(lost.after, first.upto, sizeof lost.after);
    page_done(&first);
    cr_assert_eq(follow_past(&t, &r, &lost, ALL_BYTES, &pages), (size_t)PAST_VIEWS);
    town_done(&t);
}
