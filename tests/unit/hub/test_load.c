/* Owns the tests of what readers get: order, positions, pages, who is left out; and a random run in
 * which readers that load pages of any size, lose connections and see the hub restart end with
 * exactly the newest states they hold grants for. */
#include <criterion/criterion.h>

#include "renewal.h"
#include "town.h"

#define ALL_BYTES (1u << 20)
static const struct cursors from_start;

/* ---- small things ---- */

/* The state's plaintext: which author's circle, which version. */
struct mark {
    uint32_t author, circle, version;
};

static struct bytes mark_bytes(const struct mark *m) {
    return bytes_of(m, sizeof *m);
}

static size_t count_class(const struct page *page, enum deliver_class class_) {
    size_t n = 0;
    for (size_t i = 0; i < page->count; i++)
        n += page->items[i].class_ == class_;
    return n;
}

static struct cursors cursors_of(const struct page *page) {
    struct cursors c = {{0}, {0}};
    memcpy(c.after, page->upto, sizeof c.after);
    memcpy(c.within, page->within, sizeof c.within);
    return c;
}

/* Loads everything after *cursors and moves them; how many states came. */
static size_t load_states(struct town *t, const struct person *reader, struct cursors *cursors) {
    struct page page = town_load(t, &reader->agent.pub, cursors, ALL_BYTES);
    cr_assert(page.tip);
    size_t n = count_class(&page, CLASS_STATES);
    *cursors = cursors_of(&page);
    page_done(&page);
    return n;
}

static void publish_state(struct town *t, struct person *author, const struct circle *c,
                          const struct person *grant_to, uint32_t version) {
    struct draft d;
    struct mark m = {.version = version};
    draft_init(t, &d, author);
    if (grant_to)
        draft_grant_to(t, &d, c, grant_to);
    draft_state(t, &d, c, mark_bytes(&m));
    person_publish(t, author, &d);
}

static void publish_grant(struct town *t, struct person *author, const struct circle *c,
                          const struct person *to) {
    struct draft d;
    draft_init(t, &d, author);
    draft_grant_to(t, &d, c, to);
    person_publish(t, author, &d);
}

/* ---- single rules ---- */

Test(load, hub_feed_first_then_grants_then_states) {
    struct town t;
    struct person p, q;
    struct circle c;
    town_init(&t, 1, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    circle_new(&t, &c, &p);
    publish_state(&t, &p, &c, &q, 1);
    struct page page = town_load(&t, &q.agent.pub, &from_start, ALL_BYTES);
    /* genesis, charter, and invited and admitted of both */
    cr_assert_eq(page.count, 6 + 2);
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(page.items[i].class_, CLASS_HUB);
        cr_assert_eq(page.items[i].position, i + 1);
    }
    cr_assert_eq(page.items[6].class_, CLASS_GRANTS);
    cr_assert_eq(page.items[7].class_, CLASS_STATES);
    cr_assert_eq(page.items[7].position, 7);
    cr_assert_eq(page.items[7].received_ms, t.now_ms);
    cr_assert_eq(page.upto[CLASS_HUB], 6);
    cr_assert_eq(page.upto[CLASS_STATES], 7);
    cr_assert(page.tip);
    page_done(&page);
    struct page other = town_load(&t, &p.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(other.count, 6, "who holds no grant gets the hub's feed only");
    page_done(&other);
    town_done(&t);
}

static void publish_withdrawal(struct town *t, struct person *author, const struct circle *c) {
    struct draft d;
    draft_init(t, &d, author);
    draft_raw(&d, VIEW_WITHDRAW, target_audience(c->id), c->key_id,
              bytes_str("sealed, taken back"));
    person_publish(t, author, &d);
}

static uint32_t first_kind(const struct page *page, enum deliver_class class_) {
    for (size_t i = 0; i < page->count; i++) {
        struct entry *entry = NULL;
        if (page->items[i].class_ != class_)
            continue;
        cr_assert_eq(excerpt_parse(blob_bytes(page->items[i].excerpt), &entry, NULL), ERR_OK);
        uint32_t kind = entry->views[0].kind;
        entry_free(entry);
        return kind;
    }
    return 0;
}

Test(load, a_withdrawal_comes_once_to_each_and_the_state_before_it_never_again) {
    struct town t;
    struct person p, here, away, late;
    struct circle c;
    town_init(&t, 1, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &here, "Zuid", "provider");
    person_join(&t, &away, "West", "provider");
    person_join(&t, &late, "Oost", "provider");
    circle_new(&t, &c, &p);
    publish_grant(&t, &p, &c, &away);
    publish_state(&t, &p, &c, &here, 1);
    struct cursors here_at = from_start, away_at = from_start, late_at = from_start;
    cr_assert_eq(load_states(&t, &here, &here_at), 1);
    cr_assert_eq(load_states(&t, &away, &away_at), 1);
    publish_withdrawal(&t, &p, &c);
    struct page page = town_load(&t, &here.agent.pub, &here_at, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_STATES), 1);
    cr_assert_eq(first_kind(&page, CLASS_STATES), VIEW_WITHDRAW);
    here_at = cursors_of(&page);
    page_done(&page);
    cr_assert_eq(load_states(&t, &late, &late_at), 0, "it was never shown to this one");
    /* Shared again, with one only. */
    circle_rotate(&t, &c, &p);
    publish_state(&t, &p, &c, &here, 2);
    cr_assert_eq(load_states(&t, &here, &here_at), 1);
    page = town_load(&t, &away.agent.pub, &away_at, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_STATES), 1);
    cr_assert_eq(first_kind(&page, CLASS_STATES), VIEW_WITHDRAW);
    away_at = cursors_of(&page);
    page_done(&page);
    cr_assert_eq(load_states(&t, &away, &away_at), 0);
    /* From the start: the withdrawal before the state that followed it. */
    page = town_load(&t, &here.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_STATES), 2);
    cr_assert_eq(first_kind(&page, CLASS_STATES), VIEW_WITHDRAW);
    page_done(&page);
    town_done(&t);
}

Test(load, classes_not_asked_for_are_skipped) {
    struct town t;
    struct person p, q;
    struct circle c;
    struct cursors only = {.after = {UINT64_MAX, UINT64_MAX, 0, UINT64_MAX, UINT64_MAX}};
    town_init(&t, 2, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    circle_new(&t, &c, &p);
    publish_state(&t, &p, &c, &q, 1);
    struct page page = town_load(&t, &q.agent.pub, &only, ALL_BYTES);
    cr_assert_eq(page.count, 1);
    cr_assert_eq(page.items[0].class_, CLASS_STATES);
    cr_assert_eq(page.upto[CLASS_HUB], UINT64_MAX);
    cr_assert_eq(page.upto[CLASS_GRANTS], UINT64_MAX);
    page_done(&page);
    town_done(&t);
}

Test(load, excerpt_is_what_the_author_signed) {
    struct town t;
    struct person p, q;
    struct circle c;
    struct error e = {0};
    struct entry *excerpt = NULL;
    struct buf plain;
    struct audience_ctx ctx;
    struct audience_key key;
    town_init(&t, 3, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    circle_new(&t, &c, &p);
    publish_state(&t, &p, &c, &q, 77);
    for (int round = 0; round < 2; round++) { /* the second comes from the cache of excerpts */
        struct page page = town_load(&t, &q.agent.pub, &from_start, ALL_BYTES);
        struct bytes grant = blob_bytes(page.items[6].excerpt);
        cr_assert_eq(excerpt_parse(grant, &excerpt, &e), ERR_OK, "%s", e.detail);
        cr_assert_eq(entry_verify(excerpt, &p.agent.pub, &e), ERR_OK);
        cr_assert_eq(grant_open(&excerpt->header, &excerpt->views[0].key_id, excerpt->views[0].data,
                                &q.box, &ctx, &key, &e),
                     ERR_OK, "%s", e.detail);
        entry_free(excerpt);
        cr_assert_eq(excerpt_parse(blob_bytes(page.items[7].excerpt), &excerpt, &e), ERR_OK);
        cr_assert_eq(entry_verify(excerpt, &p.agent.pub, &e), ERR_OK);
        cr_assert_eq(excerpt->view_count, 1);
        buf_init(&plain, 1024);
        cr_assert_eq(view_open(&ctx, &key, excerpt->header.incarnation, excerpt->header.seq,
                               VIEW_STATE, excerpt->views[0].data, &plain, &e),
                     ERR_OK, "%s", e.detail);
        struct mark m;
        cr_assert_eq(plain.len, sizeof m);
        memcpy(&m, plain.data, sizeof m);
        cr_assert_eq(m.version, 77);
        buf_done(&plain);
        entry_free(excerpt);
        page_done(&page);
    }
    town_done(&t);
}

/* A partner that comes later gets the state that stood before its grant. */
Test(load, joining_later) {
    struct town t;
    struct person p, q;
    struct circle c;
    struct cursors at = from_start;
    town_init(&t, 4, NULL);
    person_join(&t, &p, "Noord", "provider");
    circle_new(&t, &c, &p);
    publish_state(&t, &p, &c, NULL, 1);
    person_join(&t, &q, "Zuid", "provider");
    cr_assert_eq(load_states(&t, &q, &at), 0);
    publish_grant(&t, &p, &c, &q);
    cr_assert_eq(load_states(&t, &q, &at), 1);
    cr_assert_eq(load_states(&t, &q, &at), 0);
    publish_state(&t, &p, &c, NULL, 2);
    cr_assert_eq(load_states(&t, &q, &at), 1);
    town_done(&t);
}

/* Only the newest state is held, and nothing under the new key goes to who is not granted it. */
Test(load, leaving_with_a_new_key) {
    struct town t;
    struct person p, q, r;
    struct circle c;
    struct cursors at_q = from_start, at_r = from_start;
    struct draft d;
    struct mark m = {.version = 2};
    town_init(&t, 5, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    person_join(&t, &r, "Oost", "provider");
    circle_new(&t, &c, &p);
    draft_init(&t, &d, &p);
    draft_grant_to(&t, &d, &c, &q);
    draft_grant_to(&t, &d, &c, &r);
    draft_state(&t, &d, &c, mark_bytes(&m));
    person_publish(&t, &p, &d);
    cr_assert_eq(load_states(&t, &q, &at_q), 1);
    circle_rotate(&t, &c, &p);
    publish_state(&t, &p, &c, &q, 3);
    cr_assert_eq(load_states(&t, &q, &at_q), 1);
    struct page page = town_load(&t, &r.agent.pub, &at_r, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_STATES), 0, "the old state is gone, the new is not its");
    cr_assert_eq(count_class(&page, CLASS_GRANTS), 0, "and so is the grant of the old key");
    page_done(&page);
    town_done(&t);
}

Test(load, suspended_authors_and_readers) {
    struct town t;
    struct person p, q;
    struct circle c;
    struct cursors at = from_start, fresh = from_start;
    town_init(&t, 6, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    circle_new(&t, &c, &p);
    publish_state(&t, &p, &c, &q, 1);
    town_change(&t, "Noord", "suspend");
    cr_assert_eq(load_states(&t, &q, &at), 0, "passed over while suspended");
    town_change(&t, "Noord", "resume");
    cr_assert_eq(load_states(&t, &q, &at), 1, "and handed out when that ends");
    cr_assert_eq(load_states(&t, &q, &at), 0);
    town_close(&t);
    town_open(&t);
    cr_assert_eq(load_states(&t, &q, &fresh), 1, "once, also for who comes after");

    town_change(&t, "Zuid", "suspend");
    publish_state(&t, &p, &c, NULL, 2);
    struct page page = town_load(&t, &q.agent.pub, &at, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_HUB), 1);
    cr_assert_eq(page.count, 1, "a suspended reader gets the hub's feed only");
    cr_assert_eq(page.upto[CLASS_STATES], at.after[CLASS_STATES]);
    cr_assert(page.tip);
    page_done(&page);
    town_change(&t, "Zuid", "resume");
    cr_assert_eq(load_states(&t, &q, &at), 1);
    town_change(&t, "Noord", "remove");
    fresh = from_start;
    cr_assert_eq(load_states(&t, &q, &fresh), 0, "what a removed member published is pruned");
    town_done(&t);
}

Test(load, who_is_unknown_or_removed_gets_nothing) {
    struct town t;
    struct person p;
    struct error e = {0};
    struct page page;
    struct public_key stranger = {{7}};
    town_init(&t, 7, NULL);
    person_join(&t, &p, "Noord", "provider");
    cr_assert_eq(hub_load(t.hub, &stranger, &from_start, ALL_BYTES, &page, &e), ERR_UNKNOWN_AUTHOR);
    town_change(&t, "Noord", "remove");
    cr_assert_eq(hub_load(t.hub, &p.agent.pub, &from_start, ALL_BYTES, &page, &e), ERR_REMOVED);
    town_done(&t);
}

Test(load, cursor_beyond_the_log_is_kept) {
    struct town t;
    struct person p;
    struct cursors far = {.after = {1000, 1000, UINT64_MAX - 1, 1000, 1000}};
    town_init(&t, 8, NULL);
    person_join(&t, &p, "Noord", "provider");
    struct page page = town_load(&t, &p.agent.pub, &far, ALL_BYTES);
    cr_assert_eq(page.count, 0);
    cr_assert(page.tip);
    cr_assert_eq(memcmp(page.upto, far.after, sizeof far.after), 0);
    page_done(&page);
    town_done(&t);
}

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

/* Messages go to who they name, history to who holds the key. */
Test(load, messages_and_history) {
    struct town t;
    struct person p, q, r;
    struct circle c;
    struct draft d;
    town_init(&t, 10, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    person_join(&t, &r, "Oost", "provider");
    circle_new(&t, &c, &p);
    publish_grant(&t, &p, &c, &q);
    draft_init(&t, &d, &p);
    draft_raw(&d, VIEW_MESSAGE, target_key(&q.agent.pub), c.key_id, bytes_str("for Zuid"));
    draft_raw(&d, VIEW_HISTORY, target_audience(c.id), c.key_id, bytes_str("series"));
    draft_raw(&d, 4711, target_audience(c.id), c.key_id, bytes_str("of a later version"));
    person_publish(&t, &p, &d);
    struct page page = town_load(&t, &q.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_MESSAGES), 1);
    cr_assert_eq(count_class(&page, CLASS_HISTORY), 2);
    page_done(&page);
    page = town_load(&t, &r.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_MESSAGES), 0);
    cr_assert_eq(count_class(&page, CLASS_HISTORY), 0);
    page_done(&page);

    /* Older than the charter keeps them, an idle hub prunes them. */
    t.now_ms += 34 * 24 * TOWN_HOUR_MS;
    while (hub_idle(t.hub, t.now_ms))
        continue;
    page = town_load(&t, &q.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_HISTORY), 2);
    page_done(&page);
    t.now_ms += 2 * 24 * TOWN_HOUR_MS;
    publish_grant(&t, &p, &c, &r);
    while (hub_idle(t.hub, t.now_ms))
        continue;
    page = town_load(&t, &q.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_class(&page, CLASS_HISTORY), 0);
    cr_assert_eq(count_class(&page, CLASS_MESSAGES), 0);
    page_done(&page);
    town_done(&t);
}

/* ---- key renewals ---- */

static void publish_renewal(struct town *t, struct person *p, uint8_t seed_byte) {
    struct error e = {0};
    struct draft d;
    struct box_pair pair;
    struct buf view;
    uint8_t seed[SEED_LEN];
    memset(seed, seed_byte, sizeof seed);
    box_pair_from_seed(&pair, seed);
    buf_init(&view, RENEWAL_MAX_BYTES);
    cr_assert_eq(renewal_encode(&pair.pub, t->now_ms, &view, &e), ERR_OK);
    draft_init(t, &d, p);
    if (p->head.seq == 0) {
        person_publish(t, p, &d);
        draft_init(t, &d, p);
    }
    d.header.kind = ENTRY_BOX_RENEWAL;
    draft_raw(&d, VIEW_PLAIN, target_plain(), (struct hash){{0}}, buf_bytes(&view));
    person_publish(t, p, &d);
    buf_done(&view);
}

/* How many deliveries of class 1 are key renewals, and the seq of the newest. */
static size_t count_renewals(const struct page *page, uint64_t *ret_seq) {
    struct error e = {0};
    size_t count = 0;
    for (size_t i = 0; i < page->count; i++) {
        struct entry *entry = NULL;
        if (page->items[i].class_ != CLASS_GRANTS)
            continue;
        cr_assert_eq(excerpt_parse(blob_bytes(page->items[i].excerpt), &entry, &e), ERR_OK);
        if (entry->header.kind == ENTRY_BOX_RENEWAL) {
            cr_assert_eq(entry_verify(entry, &entry->header.agent, &e), ERR_OK);
            *ret_seq = entry->header.seq;
            count++;
        }
        entry_free(entry);
    }
    return count;
}

/* To all but its author, whoever comes when; however old it is; until a newer takes its place. */
Test(load, the_newest_key_renewal_is_for_everybody) {
    struct town t;
    struct person p, q, late;
    uint64_t seq = 0;
    town_init(&t, 11, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    publish_renewal(&t, &p, 5);
    publish_renewal(&t, &p, 6);
    struct page page = town_load(&t, &q.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_renewals(&page, &seq), 1);
    cr_assert_eq(seq, p.head.seq);
    struct cursors at = cursors_of(&page);
    page_done(&page);
    page = town_load(&t, &q.agent.pub, &at, ALL_BYTES);
    cr_assert_eq(count_renewals(&page, &seq), 0);
    page_done(&page);
    page = town_load(&t, &p.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_renewals(&page, &seq), 0, "its author has it");
    page_done(&page);
    publish_renewal(&t, &p, 7);
    page = town_load(&t, &q.agent.pub, &at, ALL_BYTES);
    cr_assert_eq(count_renewals(&page, &seq), 1, "of one who was away");
    page_done(&page);

    t.now_ms += 400 * 24 * TOWN_HOUR_MS;
    while (hub_idle(t.hub, t.now_ms))
        continue;
    town_close(&t);
    town_open(&t);
    person_join(&t, &late, "Oost", "observer");
    page = town_load(&t, &late.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_renewals(&page, &seq), 1);
    cr_assert_eq(seq, p.head.seq);
    page_done(&page);
    town_change(&t, "Noord", "remove");
    page = town_load(&t, &late.agent.pub, &from_start, ALL_BYTES);
    cr_assert_eq(count_renewals(&page, &seq), 0);
    page_done(&page);
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

/* ---- news ---- */

static bool told(const struct hub_news *news, const struct person *p) {
    for (size_t i = 0; i < news->agent_count; i++)
        if (key_equal(&news->agents[i], &p->agent.pub))
            return true;
    return false;
}

Test(load, news_name_who_has_something_waiting) {
    struct town t;
    struct person p, q, r;
    struct circle c;
    struct hub_news news;
    town_init(&t, 11, NULL);
    person_join(&t, &p, "Noord", "provider");
    person_join(&t, &q, "Zuid", "provider");
    person_join(&t, &r, "Oost", "provider");
    hub_take_news(t.hub, &news);
    cr_assert(news.hub_feed);
    hub_news_done(&news);
    circle_new(&t, &c, &p);
    publish_state(&t, &p, &c, &q, 1);
    hub_take_news(t.hub, &news);
    cr_assert(!news.hub_feed);
    cr_assert(told(&news, &q) && !told(&news, &r));
    cr_assert_eq(news.agent_count, 1, "once, for the grant and the state");
    hub_news_done(&news);
    publish_grant(&t, &p, &c, &r);
    publish_state(&t, &p, &c, NULL, 2);
    hub_take_news(t.hub, &news);
    cr_assert(told(&news, &q) && told(&news, &r));
    hub_news_done(&news);
    hub_take_news(t.hub, &news);
    cr_assert(!news.hub_feed && news.agent_count == 0, "taking clears them");
    hub_news_done(&news);
    town_change(&t, "Zuid", "suspend");
    hub_take_news(t.hub, &news);
    cr_assert(news.hub_feed);
    cr_assert_eq(news.expelled_count, 1);
    cr_assert(key_equal(&news.expelled[0].agent, &q.agent.pub));
    cr_assert_eq(news.expelled[0].code, ERR_SUSPENDED);
    hub_news_done(&news);
    town_done(&t);
}

/* ---- the random run ---- */

enum { PERSONS = 5, CIRCLES_EACH = 2, STEPS = 300 };

struct follower {
    struct cursors cursors;
    uint32_t version[PERSONS][CIRCLES_EACH]; /* 0: nothing */
    uint64_t seq[PERSONS][CIRCLES_EACH];
};
struct random_run {
    struct town t;
    struct person persons[PERSONS];
    struct circle circles[PERSONS][CIRCLES_EACH];
    bool granted[PERSONS][CIRCLES_EACH][PERSONS];  /* the current key */
    bool readable[PERSONS][CIRCLES_EACH][PERSONS]; /* the key of the newest state */
    struct hash key_id[PERSONS][CIRCLES_EACH];     /* which that is */
    uint32_t version[PERSONS][CIRCLES_EACH];       /* of the newest state; 0: none */
    bool sealed[PERSONS][CIRCLES_EACH];            /* it is under the current key */
    bool suspended[PERSONS];
    struct follower followers[PERSONS];
};

static void run_init(struct random_run *x, uint64_t seed) {
    memset(x, 0, sizeof *x);
    town_init(&x->t, seed, NULL);
    for (int i = 0; i < PERSONS; i++) {
        char name[16];
        snprintf(name, sizeof name, "P%d", i);
        person_join(&x->t, &x->persons[i], name, "provider");
        for (int c = 0; c < CIRCLES_EACH; c++)
            circle_new(&x->t, &x->circles[i][c], &x->persons[i]);
    }
}

/* Raw views: what matters here is who gets which, not what is in them. */
static void add_state(struct random_run *x, struct draft *d, uint32_t a, uint32_t c) {
    struct mark m = {a, c, x->version[a][c] + 1};
    const struct circle *circle = &x->circles[a][c];
    draft_raw(d, VIEW_STATE, target_audience(circle->id), circle->key_id, mark_bytes(&m));
    x->version[a][c]++;
    x->sealed[a][c] = true;
    x->key_id[a][c] = circle->key_id;
    memcpy(x->readable[a][c], x->granted[a][c], sizeof x->readable[a][c]);
}

static void add_grant(struct random_run *x, struct draft *d, uint32_t a, uint32_t c, uint32_t to) {
    const struct circle *circle = &x->circles[a][c];
    draft_raw(d, VIEW_GRANT, target_key(&x->persons[to].agent.pub), circle->key_id,
              bytes_str("a grant"));
    x->granted[a][c][to] = true;
    x->readable[a][c][to] = x->readable[a][c][to] || x->sealed[a][c];
}

static void random_publish(struct random_run *x) {
    struct stream *s = &x->t.stream;
    uint32_t a = (uint32_t)stream_next(s, PERSONS), c = (uint32_t)stream_next(s, CIRCLES_EACH);
    struct draft d;
    if (x->suspended[a])
        return;
    draft_init(&x->t, &d, &x->persons[a]);
    if (stream_next(s, 6) == 0) { /* a new key: everybody is granted anew, now or later, or not */
        circle_rotate(&x->t, &x->circles[a][c], &x->persons[a]);
        memset(x->granted[a][c], 0, sizeof x->granted[a][c]);
        x->sealed[a][c] = false;
    }
    for (uint32_t to = 0; to < PERSONS; to++)
        if (stream_next(s, 3) == 0 && !x->granted[a][c][to])
            add_grant(x, &d, a, c, to);
    if (stream_next(s, 2) == 0)
        add_state(x, &d, a, c);
    if (stream_next(s, 4) == 0)
        add_state(x, &d, a, 1 - c);
    person_publish(&x->t, &x->persons[a], &d);
}

static void random_standing(struct random_run *x) {
    uint32_t i = (uint32_t)stream_next(&x->t.stream, PERSONS);
    char name[16];
    snprintf(name, sizeof name, "P%u", i);
    town_change(&x->t, name, x->suspended[i] ? "resume" : "suspend");
    x->suspended[i] = !x->suspended[i];
}

static void apply_state(struct random_run *x, uint32_t reader, const struct delivery *item) {
    struct error e = {0};
    struct entry *excerpt = NULL;
    struct mark m;
    cr_assert_eq(excerpt_parse(blob_bytes(item->excerpt), &excerpt, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(excerpt->view_count, 1);
    memcpy(&m, excerpt->views[0].data.data, sizeof m);
    cr_assert(key_equal(&excerpt->header.agent, &x->persons[m.author].agent.pub));
    cr_assert(hash_equal(&excerpt->views[0].key_id, &x->key_id[m.author][m.circle]));
    cr_assert_eq(m.version, x->version[m.author][m.circle], "not the newest");
    cr_assert(x->readable[m.author][m.circle][reader], "a state whose key was not granted");
    cr_assert(!x->suspended[m.author]);
    struct follower *f = &x->followers[reader];
    if (excerpt->header.seq > f->seq[m.author][m.circle]) {
        f->seq[m.author][m.circle] = excerpt->header.seq;
        f->version[m.author][m.circle] = m.version;
    }
    entry_free(excerpt);
}

/* One page; with `dropped` the connection ends within it: some items came, no cursor moved. */
static bool follow(struct random_run *x, uint32_t reader, size_t max_bytes, bool dropped) {
    struct follower *f = &x->followers[reader];
    struct page page = town_load(&x->t, &x->persons[reader].agent.pub, &f->cursors, max_bytes);
    size_t upto = dropped ? (size_t)stream_next(&x->t.stream, page.count + 1) : page.count;
    bool tip = page.tip;
    for (size_t i = 0; i < upto; i++)
        if (page.items[i].class_ == CLASS_STATES)
            apply_state(x, reader, &page.items[i]);
    if (!dropped)
        memcpy(f->cursors.after, page.upto, sizeof f->cursors.after);
    page_done(&page);
    return tip && !dropped;
}

static void random_follow(struct random_run *x) {
    static const size_t sizes[] = {1, 700, 3000, ALL_BYTES};
    uint32_t reader = (uint32_t)stream_next(&x->t.stream, PERSONS);
    size_t max_bytes = sizes[stream_next(&x->t.stream, 4)];
    follow(x, reader, max_bytes, stream_next(&x->t.stream, 4) == 0);
}

static void check_follower(struct random_run *x, uint32_t reader, uint64_t seed) {
    while (!follow(x, reader, 1, false))
        continue;
    for (int a = 0; a < PERSONS; a++) {
        for (int c = 0; c < CIRCLES_EACH; c++) {
            if (x->version[a][c] > 0 && x->readable[a][c][reader] && !x->suspended[a])
                cr_assert_eq(x->followers[reader].version[a][c], x->version[a][c],
                             "seed %llu: reader %u has version %u of circle %d.%d, newest is %u",
                             (unsigned long long)seed, reader, x->followers[reader].version[a][c],
                             a, c, x->version[a][c]);
        }
    }
}

static void random_step(struct random_run *x) {
    uint64_t what = stream_next(&x->t.stream, 40);
    x->t.now_ms += 50;
    if (what < 18) {
        random_publish(x);
    } else if (what < 37) {
        random_follow(x);
    } else if (what < 39) {
        random_standing(x);
    } else {
        town_close(&x->t);
        town_open(&x->t);
    }
}

Test(load, random_readers_end_with_the_newest) {
    struct random_run *x = malloc(sizeof *x);
    const char *given = getenv("PLEK_TEST_SEED"), *many = getenv("PLEK_TEST_SEEDS");
    uint64_t first = given ? strtoull(given, NULL, 10) : 1;
    uint64_t count = many ? strtoull(many, NULL, 10) : given ? 1 : 20;
    cr_assert(x);
    for (uint64_t seed = first; seed < first + count; seed++) {
        run_init(x, seed);
        for (int step = 0; step < STEPS; step++)
            random_step(x);
        for (uint32_t reader = 0; reader < PERSONS; reader++)
            if (!x->suspended[reader])
                check_follower(x, reader, seed);
        town_done(&x->t);
    }
    free(x);
}
