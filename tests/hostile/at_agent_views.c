/* Owns the cases of rules that an author (and a hub that helps it) breaks towards a real agent: the
 * reader's rule on entries and grants, and what may stand in a state or in history. Each is refused
 * with its code and counted, the session goes on, and the picture stays. */
#include "clock.h"
#include "codec.h"
#include "rules.h"

#define WEEK_S (7 * 24 * 3600)

/* Refused; the author's chain goes on as if it had not been. */
static void bad_craft(struct stage *s, struct craft *c, uint32_t class_, enum err code) {
    struct buf excerpt;
    false_hub_excerpt(c, NULL, &excerpt);
    false_hub_refused(&s->false_hub, class_, buf_bytes(&excerpt), code);
    buf_done(&excerpt);
    craft_done(c);
}

/* ---- the reader's rule ---- */

static void flip_last(struct stage *s, const struct craft *c, enum err code) {
    struct buf excerpt;
    false_hub_excerpt(c, NULL, &excerpt);
    /* The data stands before its path; one view alone has none. */
    excerpt.data[excerpt.len - 1] ^= 1;
    false_hub_refused(&s->false_hub, FALSE_HUB_STATES, buf_bytes(&excerpt), code);
    buf_done(&excerpt);
}
CASE_FUNCTION(view_that_does_not_lead_to_the_root) {
    struct craft c;
    false_hub_state(&s->false_hub, NULL, &c);
    flip_last(s, &c, code);
    craft_done(&c);
}

CASE_FUNCTION(excerpt_with_descending_indices) {
    struct craft c;
    struct buf right, bytes;
    ProtobufCMessage *message = NULL;
    false_hub_state(&s->false_hub, NULL, &c);
    c.views[c.count++] = actor_view(VIEW_STATE, 16, 3, 300);
    false_hub_excerpt(&c, NULL, &right);
    cr_assert_eq(codec_decode(&plek__excerpt__descriptor, buf_bytes(&right), ENTRY_MAX_BYTES,
                              "excerpt", &message, NULL),
                 ERR_OK);
    Plek__Excerpt *excerpt = (Plek__Excerpt *)message;
    Plek__ExcerptView *first = excerpt->views[0];
    excerpt->views[0] = excerpt->views[1];
    excerpt->views[1] = first;
    buf_init(&bytes, ENTRY_MAX_BYTES);
    codec_encode(excerpt, &bytes);
    false_hub_refused(&s->false_hub, FALSE_HUB_STATES, buf_bytes(&bytes), code);
    codec_free(message);
    buf_done(&bytes);
    buf_done(&right);
    craft_done(&c);
}

CASE_FUNCTION(entry_of_another_network) {
    struct craft c;
    false_hub_state(&s->false_hub, NULL, &c);
    c.header.network.b[3] ^= 1;
    bad_craft(s, &c, FALSE_HUB_STATES, code);
}
CASE_FUNCTION(entry_of_another_members_agent) {
    struct craft c;
    false_hub_state(&s->false_hub, NULL, &c);
    c.header.member = s->false_hub.member;
    bad_craft(s, &c, FALSE_HUB_STATES, code);
}
CASE_FUNCTION(entry_forged_by_the_hub) {
    struct craft c;
    false_hub_state(&s->false_hub, NULL, &c);
    c.signer = &s->false_hub.kit.hub;
    bad_craft(s, &c, FALSE_HUB_STATES, code);
}
CASE_FUNCTION(entry_behind_another_prev) {
    struct craft c;
    false_hub_state(&s->false_hub, NULL, &c);
    c.header.prev.b[0] ^= 1;
    bad_craft(s, &c, FALSE_HUB_STATES, code);
}
CASE_FUNCTION(second_entry_for_one_place) {
    struct craft c;
    struct head head = s->false_hub.partner.head;
    s->false_hub.partner.head.seq--;
    false_hub_state(&s->false_hub, NULL, &c);
    bad_craft(s, &c, FALSE_HUB_STATES, code);
    s->false_hub.partner.head = head;
    cr_assert(network_alarm(&s->false_hub.net, "A", "peer-forked"));
}
static struct buf last_state;
CASE_FUNCTION(state_told_again) {
    struct craft c;
    struct false_hub *h = &s->false_hub;
    false_hub_state(h, NULL, &c);
    false_hub_excerpt(&c, &h->partner.head, &last_state);
    false_hub_deliver(h, FALSE_HUB_STATES, buf_bytes(&last_state));
    false_hub_wait_taken(h);
    false_hub_refused(h, FALSE_HUB_STATES, buf_bytes(&last_state), code);
    buf_done(&last_state);
    craft_done(&c);
}

/* A state of an audience (by its first byte) whose key nobody granted. */
static void unkeyed(struct stage *s, uint8_t audience, struct buf *ret) {
    struct craft c;
    actor_craft(&s->false_hub.partner, &c);
    c.views[0] = actor_view(VIEW_STATE, 16, audience, VIEW_PAD_MIN + VIEW_OVERHEAD);
    false_hub_excerpt(&c, &s->false_hub.partner.head, ret);
    craft_done(&c);
}
CASE_FUNCTION(state_without_its_key) {
    struct false_hub *h = &s->false_hub;
    struct buf excerpt;
    (void)code;
    unkeyed(s, 1, &excerpt);
    false_hub_deliver(h, FALSE_HUB_STATES, buf_bytes(&excerpt));
    false_hub_wait_taken(h);
    buf_done(&excerpt);
    json_t *waiting = json_object_get(AGENT(&h->net, "A", "status"), "no_key");
    cr_assert_not_null(row_where(waiting, "member", "B"), "not shown as waiting for its key");
}
CASE_FUNCTION(more_audiences_than_an_author_may_have) {
    struct false_hub *h = &s->false_hub;
    struct buf excerpt;
    for (int i = 1; i <= 64; i++) {
        unkeyed(s, (uint8_t)i, &excerpt);
        false_hub_deliver(h, FALSE_HUB_STATES, buf_bytes(&excerpt));
        false_hub_wait_taken(h);
        buf_done(&excerpt);
    }
    unkeyed(s, 65, &excerpt);
    false_hub_refused(h, FALSE_HUB_STATES, buf_bytes(&excerpt), code);
    buf_done(&excerpt);
}

/* ---- keys ---- */

CASE_FUNCTION(grant_of_another_key_than_it_names) {
    struct craft c;
    struct error e = {0};
    struct false_hub *h = &s->false_hub;
    struct audience_key other = h->partner.key;
    uint8_t seed[SEED_LEN] = {5};
    other.b[0] ^= 1;
    actor_craft(&h->partner, &c);
    buf_init(&c.data[1], GRANT_MAX_BYTES);
    cr_assert_eq(grant_seal(&h->partner.ctx, &other, &h->kit.cert.box, seed, &c.data[1], &e),
                 ERR_OK);
    c.views[0] = (struct view){.target = target_key(&h->agent),
                               .kind = VIEW_GRANT,
                               .key_id = h->partner.key_id,
                               .data = buf_bytes(&c.data[1])};
    bad_craft(s, &c, FALSE_HUB_KEYS, code);
}
CASE_FUNCTION(view_of_a_size_that_none_has) {
    struct craft c;
    false_hub_state(&s->false_hub, NULL, &c);
    c.views[0].data.len -= 3;
    bad_craft(s, &c, FALSE_HUB_STATES, code);
}
CASE_FUNCTION(view_that_does_not_open) {
    struct craft c;
    false_hub_state(&s->false_hub, NULL, &c);
    c.data[0].data[100] ^= 1;
    bad_craft(s, &c, FALSE_HUB_STATES, code);
}
CASE_FUNCTION(renewal_that_is_not_newer) {
    Plek__BoxRenewal message = PLEK__BOX_RENEWAL__INIT;
    struct false_hub *h = &s->false_hub;
    struct craft c;
    struct buf payload, excerpt;
    message.box = codec_binary(bytes_of(h->box.pub.b, KEY_LEN));
    message.since_ms = clock_wall_ms();
    buf_init(&payload, 128);
    codec_encode(&message, &payload);
    actor_craft(&h->partner, &c);
    c.header.kind = ENTRY_BOX_RENEWAL;
    c.views[0] =
        (struct view){.target = target_plain(), .kind = VIEW_PLAIN, .data = buf_bytes(&payload)};
    false_hub_excerpt(&c, &h->partner.head, &excerpt);
    false_hub_deliver(h, FALSE_HUB_KEYS, buf_bytes(&excerpt));
    false_hub_wait_taken(h);
    false_hub_refused(h, FALSE_HUB_KEYS, buf_bytes(&excerpt), code);
    buf_done(&excerpt);
    buf_done(&payload);
    craft_done(&c);
}

/* ---- states ---- */

static void bad_state(struct stage *s, change_snapshot *change, enum err code) {
    struct craft c;
    false_hub_state(&s->false_hub, change, &c);
    bad_craft(s, &c, FALSE_HUB_STATES, code);
}

#define BAD_STATE(name, ...)                                                                       \
    static void change_##name(Plek__Snapshot *m){__VA_ARGS__} CASE_FUNCTION(name) {                \
        bad_state(s, change_##name, code);                                                         \
    }

static Plek__SiteCard second_site = PLEK__SITE_CARD__INIT;
static Plek__Line second_line = PLEK__LINE__INIT;

static void add_site(Plek__Snapshot *m, uint32_t id) {
    static Plek__SiteCard *sites[2];
    second_site = *m->sites[0];
    second_site.id = id;
    sites[0] = m->sites[0];
    sites[1] = &second_site;
    m->sites = sites;
    m->n_sites = 2;
}
static void add_line(Plek__Snapshot *m) {
    static Plek__Line *lines[2];
    second_line = *m->lines[0];
    lines[0] = m->lines[0];
    lines[1] = &second_line;
    m->lines = lines;
    m->n_lines = 2;
}
static void add_words(Plek__Snapshot *m, const uint32_t *pairs, size_t count) {
    static char *words[] = {(char *)(uintptr_t) "bed", (char *)(uintptr_t) "group",
                            (char *)(uintptr_t) "women"};
    m->words = words;
    m->n_words = 3;
    m->lines[0]->attributes = (uint32_t *)(uintptr_t)pairs;
    m->lines[0]->n_attributes = count;
}

BAD_STATE(step_without_rounding, m->has_step = true; m->step = 5;)
BAD_STATE(sites_that_do_not_ascend, add_site(m, 1);)
BAD_STATE(site_without_a_line, add_site(m, 2);)
BAD_STATE(line_told_twice, add_line(m);)
BAD_STATE(attribute_told_twice, static const uint32_t pairs[] = {1, 2, 1, 2};
          add_words(m, pairs, 4);)
BAD_STATE(figure_that_was_never_reported, m->lines[0]->has_observed_s = false;)
BAD_STATE(figure_beyond_all_bounds, m->lines[0]->available = INT64_C(4000000000001);)
BAD_STATE(total_below_zero, m->lines[0]->has_total = true; m->lines[0]->total = -1;)
BAD_STATE(status_that_there_is_not, m->lines[0]->has_status = true; m->lines[0]->status = 5;)
BAD_STATE(band_with_an_exact_figure, m->precision = 3; m->lines[0]->has_low = true;
          m->lines[0]->low = 1;)
BAD_STATE(validity_beyond_the_charters, m->valid_s = WEEK_S + 1;)
BAD_STATE(time_beyond_all_bounds, m->base_s = INT64_C(253402300800);)

/* The picture goes; a state from before does not bring it back. */
CASE_FUNCTION(state_from_before_a_withdrawal) {
    Plek__Withdraw message = PLEK__WITHDRAW__INIT;
    struct false_hub *h = &s->false_hub;
    struct craft before, c;
    struct buf older, plain, excerpt;
    message.counter = 1;
    buf_init(&plain, 64);
    codec_encode(&message, &plain);
    false_hub_state(h, NULL, &before);
    false_hub_excerpt(&before, &h->partner.head, &older);
    false_hub_sealed(h, VIEW_WITHDRAW, buf_bytes(&plain), &c);
    false_hub_excerpt(&c, &h->partner.head, &excerpt);
    false_hub_deliver(h, FALSE_HUB_STATES, buf_bytes(&excerpt));
    false_hub_wait_taken(h);
    cr_assert_null(row_where(AGENT(&h->net, "A", "find", "bed"), "member", "B"));
    false_hub_refused(h, FALSE_HUB_STATES, buf_bytes(&older), code);
    cr_assert_null(row_where(AGENT(&h->net, "A", "find", "bed"), "member", "B"));
    buf_done(&excerpt);
    buf_done(&older);
    buf_done(&plain);
    craft_done(&before);
    craft_done(&c);
}

/* ---- history ---- */

typedef void change_history(Plek__History *history);

static void bad_history(struct stage *s, change_history *change, enum err code) {
    static Plek__Point points[5000];
    static Plek__Point *pointers[5000];
    static uint64_t counter;
    Plek__History m = PLEK__HISTORY__INIT;
    Plek__SiteCard site = PLEK__SITE_CARD__INIT, *sites[] = {&site};
    Plek__Series series = PLEK__SERIES__INIT, *all[] = {&series};
    struct craft c;
    struct buf plain;
    for (size_t i = 0; i < 5000; i++) {
        plek__point__init(&points[i]);
        points[i].observed_s = i ? 1 : 0;
        points[i].has_available = points[i].has_valid_s = true;
        points[i].valid_s = 60;
        pointers[i] = &points[i];
    }
    site.id = series.site = 1;
    site.name = (char *)(uintptr_t) "Huis";
    series.service = (char *)(uintptr_t) "bed";
    series.precision = 1;
    series.points = pointers;
    series.n_points = 2;
    m.counter = ++counter;
    m.base_s = clock_wall_ms() / 1000 - 7200;
    m.n_sites = m.n_series = 1;
    m.sites = sites;
    m.series = all;
    change(&m);
    buf_init(&plain, VIEW_PLAIN_MAX);
    codec_encode(&m, &plain);
    cr_assert_eq(buf_failed(&plain, NULL), ERR_OK);
    false_hub_sealed(&s->false_hub, VIEW_HISTORY, buf_bytes(&plain), &c);
    bad_craft(s, &c, FALSE_HUB_HISTORY, code);
    buf_done(&plain);
}

#define BAD_HISTORY(name, ...)                                                                     \
    static void change_##name(Plek__History *m){__VA_ARGS__} CASE_FUNCTION(name) {                 \
        bad_history(s, change_##name, code);                                                       \
    }

BAD_HISTORY(series_without_a_point, m->series[0]->n_points = 0;)
BAD_HISTORY(more_points_than_a_view_may_have, m->series[0]->n_points = 4097;)
BAD_HISTORY(point_told_twice, m->series[0]->points[1]->observed_s = 0;)
BAD_HISTORY(point_without_validity, m->series[0]->points[1]->has_valid_s = false;)
