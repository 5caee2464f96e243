/* Owns the tests of what readers get: order, positions, who is left out, who is told. */
#include "renewal.h"
#include "unit/hub/load_kit.h"

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
