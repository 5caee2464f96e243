/* Tests the hub's rule and the chain part of the reader's rule: every place an entry can claim,
 * every kind of view it can carry. */
#include <criterion/criterion.h>

#include "entry_fixture.h"
#include "feed.h"

static void init(void) {
    cr_assert_eq(keys_init(NULL), ERR_OK);
}
TestSuite(feed, .init = init, .timeout = 30);

/* ---- place ---- */

enum { NONE = 0, HEAD_HASH = 0xaa, OTHER_HASH = 0xbb, OWN_HASH = 0xcc };

struct place_case {
    const char *name;
    struct {
        uint64_t incarnation, seq;
    } head, entry;
    uint32_t kind;
    uint8_t prev; /* every byte of it; NONE: zero */
    uint8_t held; /* what the store has at the entry's place; NONE: nothing */
    enum feed_verdict verdict;
    enum err code; /* of FEED_REJECT and FEED_FORK */
};

static struct header place_header(const struct place_case *c, bool hub_feed) {
    struct header h = fixture_header(false);
    if (hub_feed)
        h.member = h.agent = h.network;
    h.incarnation = c->entry.incarnation;
    h.seq = c->entry.seq;
    h.kind = c->kind;
    h.prev = fixture_hash(c->prev);
    return h;
}

static void expect_place(const struct place_case *c, bool hub_feed) {
    struct header h = place_header(c, hub_feed), header_before = h;
    struct hash own = fixture_hash(OWN_HASH), held = fixture_hash(c->held);
    struct feed_place place = {
        .head = {c->head.incarnation, c->head.seq, fixture_hash(HEAD_HASH)},
        .held = c->held != NONE ? &held : NULL,
    };
    struct feed_place before = place;
    struct error e = {0};
    enum feed_verdict verdict = feed_check(&place, &h, &own, &e);
    cr_assert_eq(verdict, c->verdict, "%s: found verdict %d (%s), expected %d", c->name,
                 (int)verdict, e.detail, (int)c->verdict);
    cr_assert_eq(e.code, c->code, "%s: found %s, expected %s", c->name, error_name(e.code),
                 error_name(c->code));
    cr_assert_eq(memcmp(&place, &before, sizeof place), 0, "%s: place changed", c->name);
    cr_assert_eq(memcmp(&h, &header_before, sizeof h), 0, "%s: header changed", c->name);
}

static void expect_places(const struct place_case *cases, size_t count, bool hub_feed) {
    cr_assert_gt(count, 0);
    for (size_t i = 0; i < count; i++)
        expect_place(&cases[i], hub_feed);
}
#define EXPECT_PLACES(cases, hub_feed)                                                             \
    expect_places(cases, sizeof(cases) / sizeof(cases)[0], hub_feed)

Test(feed, first_entry_of_an_agent) {
    static const struct place_case cases[] = {
        {"opens", {0, 0}, {1, 1}, ENTRY_OPEN, NONE, NONE, FEED_ACCEPT, ERR_OK},
        {"head's other fields of an empty feed do not count",
         {7, 0},
         {1, 1},
         ENTRY_OPEN,
         NONE,
         NONE,
         FEED_ACCEPT,
         ERR_OK},
        {"prev not zero", {0, 0}, {1, 1}, ENTRY_OPEN, 1, NONE, FEED_REJECT, ERR_PREV},
        {"prev of what an empty head holds",
         {0, 0},
         {1, 1},
         ENTRY_OPEN,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_PREV},
        {"an update", {0, 0}, {1, 1}, ENTRY_UPDATE, NONE, NONE, FEED_REJECT, ERR_KIND},
        {"a genesis", {0, 0}, {1, 1}, ENTRY_HUB_GENESIS, NONE, NONE, FEED_REJECT, ERR_KIND},
        {"an unknown kind", {0, 0}, {1, 1}, 999, NONE, NONE, FEED_REJECT, ERR_KIND},
        {"seq 2", {0, 0}, {1, 2}, ENTRY_OPEN, NONE, NONE, FEED_REJECT, ERR_SEQ},
        {"seq 0", {0, 0}, {1, 0}, ENTRY_OPEN, NONE, NONE, FEED_REJECT, ERR_SEQ},
        {"incarnation 2", {0, 0}, {2, 1}, ENTRY_OPEN, NONE, NONE, FEED_REJECT, ERR_INCARNATION},
        {"incarnation 0", {0, 0}, {0, 1}, ENTRY_OPEN, NONE, NONE, FEED_REJECT, ERR_INCARNATION},
        {"incarnation 0, seq 0",
         {0, 0},
         {0, 0},
         ENTRY_OPEN,
         NONE,
         NONE,
         FEED_REJECT,
         ERR_INCARNATION},
    };
    EXPECT_PLACES(cases, false);
}

Test(feed, first_entry_of_the_hub) {
    static const struct place_case cases[] = {
        {"genesis", {0, 0}, {1, 1}, ENTRY_HUB_GENESIS, NONE, NONE, FEED_ACCEPT, ERR_OK},
        {"open", {0, 0}, {1, 1}, ENTRY_OPEN, NONE, NONE, FEED_REJECT, ERR_KIND},
        {"charter", {0, 0}, {1, 1}, ENTRY_HUB_CHARTER, NONE, NONE, FEED_REJECT, ERR_KIND},
        {"prev", {0, 0}, {1, 1}, ENTRY_HUB_GENESIS, 9, NONE, FEED_REJECT, ERR_PREV},
    };
    EXPECT_PLACES(cases, true);
}

Test(feed, next_entry) {
    static const struct place_case cases[] = {
        {"follows", {3, 16}, {3, 17}, ENTRY_UPDATE, HEAD_HASH, NONE, FEED_ACCEPT, ERR_OK},
        {"renewal", {3, 16}, {3, 17}, ENTRY_BOX_RENEWAL, HEAD_HASH, NONE, FEED_ACCEPT, ERR_OK},
        {"unknown kind", {3, 16}, {3, 17}, 999, HEAD_HASH, NONE, FEED_ACCEPT, ERR_OK},
        {"other prev", {3, 16}, {3, 17}, ENTRY_UPDATE, OTHER_HASH, NONE, FEED_REJECT, ERR_PREV},
        {"zero prev", {3, 16}, {3, 17}, ENTRY_UPDATE, NONE, NONE, FEED_REJECT, ERR_PREV},
        {"a gap", {3, 16}, {3, 18}, ENTRY_UPDATE, HEAD_HASH, NONE, FEED_REJECT, ERR_SEQ},
        {"far ahead", {3, 16}, {3, INT64_MAX}, ENTRY_UPDATE, HEAD_HASH, NONE, FEED_REJECT, ERR_SEQ},
        {"open within", {3, 16}, {3, 17}, ENTRY_OPEN, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"genesis", {3, 16}, {3, 17}, ENTRY_HUB_GENESIS, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"hub kind", {3, 16}, {3, 17}, ENTRY_HUB_ADMITTED, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"last hub kind",
         {3, 16},
         {3, 17},
         ENTRY_HUB_CERTIFIED,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_KIND},
    };
    EXPECT_PLACES(cases, false);
}

Test(feed, next_entry_of_the_hub) {
    static const struct place_case cases[] = {
        {"charter", {1, 1}, {1, 2}, ENTRY_HUB_CHARTER, HEAD_HASH, NONE, FEED_ACCEPT, ERR_OK},
        {"certified", {1, 1}, {1, 2}, ENTRY_HUB_CERTIFIED, HEAD_HASH, NONE, FEED_ACCEPT, ERR_OK},
        {"unknown kind", {1, 1}, {1, 2}, 999, HEAD_HASH, NONE, FEED_ACCEPT, ERR_OK},
        {"second genesis",
         {1, 1},
         {1, 2},
         ENTRY_HUB_GENESIS,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_KIND},
        {"an agent's kind", {1, 1}, {1, 2}, ENTRY_UPDATE, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"a renewal", {1, 1}, {1, 2}, ENTRY_BOX_RENEWAL, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"genesis of a next incarnation",
         {1, 5},
         {2, 6},
         ENTRY_HUB_GENESIS,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_KIND},
    };
    EXPECT_PLACES(cases, true);
}

Test(feed, next_incarnation) {
    static const struct place_case cases[] = {
        {"opens", {3, 16}, {4, 17}, ENTRY_OPEN, HEAD_HASH, NONE, FEED_ACCEPT, ERR_OK},
        {"not open", {3, 16}, {4, 17}, ENTRY_UPDATE, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"unknown kind", {3, 16}, {4, 17}, 999, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"genesis", {3, 16}, {4, 17}, ENTRY_HUB_GENESIS, HEAD_HASH, NONE, FEED_REJECT, ERR_KIND},
        {"other prev", {3, 16}, {4, 17}, ENTRY_OPEN, OTHER_HASH, NONE, FEED_REJECT, ERR_PREV},
        {"seq restarts", {3, 16}, {4, 1}, ENTRY_OPEN, HEAD_HASH, NONE, FEED_REJECT, ERR_SEQ},
        {"seq of the head", {3, 16}, {4, 16}, ENTRY_OPEN, HEAD_HASH, NONE, FEED_REJECT, ERR_SEQ},
        {"a gap", {3, 16}, {4, 18}, ENTRY_OPEN, HEAD_HASH, NONE, FEED_REJECT, ERR_SEQ},
        {"two on", {3, 16}, {5, 17}, ENTRY_OPEN, HEAD_HASH, NONE, FEED_REJECT, ERR_INCARNATION},
        {"far on",
         {3, 16},
         {INT64_MAX, 17},
         ENTRY_OPEN,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_INCARNATION},
        {"one back, next seq",
         {3, 16},
         {2, 17},
         ENTRY_UPDATE,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_INCARNATION},
        {"one back, the head's seq",
         {3, 16},
         {2, 16},
         ENTRY_UPDATE,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_INCARNATION},
        {"one back, far ahead",
         {3, 16},
         {2, 40},
         ENTRY_UPDATE,
         HEAD_HASH,
         NONE,
         FEED_REJECT,
         ERR_INCARNATION},
        {"zero", {3, 16}, {0, 17}, ENTRY_OPEN, HEAD_HASH, NONE, FEED_REJECT, ERR_INCARNATION},
    };
    EXPECT_PLACES(cases, false);
}

Test(feed, places_at_or_below_the_head) {
    static const struct place_case cases[] = {
        {"an older one again", {3, 16}, {3, 9}, ENTRY_UPDATE, NONE, OWN_HASH, FEED_HELD, ERR_OK},
        {"of an older incarnation", {3, 16}, {1, 1}, ENTRY_OPEN, NONE, OWN_HASH, FEED_HELD, ERR_OK},
        {"the head again", {3, 16}, {3, 16}, ENTRY_UPDATE, NONE, OWN_HASH, FEED_HELD, ERR_OK},
        {"another at an older place",
         {3, 16},
         {3, 9},
         ENTRY_UPDATE,
         NONE,
         OTHER_HASH,
         FEED_FORK,
         ERR_FORK},
        {"another in an older incarnation",
         {3, 16},
         {2, 5},
         ENTRY_UPDATE,
         NONE,
         OTHER_HASH,
         FEED_FORK,
         ERR_FORK},
        {"another head, not looked up",
         {3, 16},
         {3, 16},
         ENTRY_UPDATE,
         NONE,
         NONE,
         FEED_FORK,
         ERR_FORK},
        {"another opening", {3, 16}, {3, 16}, ENTRY_OPEN, NONE, OTHER_HASH, FEED_FORK, ERR_FORK},
        {"no longer held", {3, 16}, {3, 9}, ENTRY_UPDATE, NONE, NONE, FEED_REJECT, ERR_OLD},
        {"no longer held, older incarnation",
         {3, 16},
         {1, 2},
         ENTRY_UPDATE,
         NONE,
         NONE,
         FEED_REJECT,
         ERR_OLD},
        {"seq 0", {3, 16}, {3, 0}, ENTRY_UPDATE, NONE, NONE, FEED_REJECT, ERR_OLD},
    };
    EXPECT_PLACES(cases, false);
}

Test(feed, the_head_again_is_known_by_the_head_alone) {
    struct header h = fixture_header(false);
    struct hash own = fixture_hash(OWN_HASH);
    struct feed_place place = {.head = {h.incarnation, h.seq, own}, .held = NULL};
    cr_assert_eq(feed_check(&place, &h, &own, NULL), FEED_HELD);
}

/* A replay of any entry of a whole feed is acknowledged again, wherever the head stands by then. */
Test(feed, every_held_entry_replays) {
    enum { COUNT = 12, OPENS_EVERY = 5 };
    struct head at[COUNT + 1] = {{0}};
    for (uint64_t seq = 1; seq <= COUNT; seq++) {
        struct header h = fixture_header(false);
        bool opens = (seq - 1) % OPENS_EVERY == 0;
        h.incarnation = 1 + (seq - 1) / OPENS_EVERY;
        h.seq = seq;
        h.kind = opens ? ENTRY_OPEN : ENTRY_UPDATE;
        h.prev = at[seq - 1].hash;
        struct hash own = fixture_hash((uint8_t)seq);
        struct feed_place place = {.head = at[seq - 1]};
        cr_assert_eq(feed_check(&place, &h, &own, NULL), FEED_ACCEPT, "seq %d", (int)seq);
        at[seq] = (struct head){h.incarnation, seq, own};
        for (uint64_t old = 1; old <= seq; old++) {
            struct header again = h;
            again.incarnation = at[old].incarnation;
            again.seq = old;
            struct feed_place later = {.head = at[seq], .held = &at[old].hash};
            cr_assert_eq(feed_check(&later, &again, &at[old].hash, NULL), FEED_HELD);
        }
    }
}

Test(feed, head_after_orders_by_incarnation_then_seq) {
    struct head a = {2, 5, {{0}}}, same = a, seq = {2, 6, {{0}}}, incarnation = {3, 1, {{0}}};
    cr_assert_not(head_after(&same, &a));
    cr_assert(head_after(&seq, &a));
    cr_assert_not(head_after(&a, &seq));
    cr_assert(head_after(&incarnation, &seq));
    cr_assert_not(head_after(&seq, &incarnation));
}

/* ---- views ---- */

/* feed_check_views looks at the kind and the views alone: no bytes are needed. */
static enum err check(uint32_t entry_kind, struct view *views, size_t count, bool hub_feed) {
    struct entry entry = {.views = views, .view_count = count};
    struct error e = {0};
    entry.header.kind = entry_kind;
    entry.header.view_count = (uint32_t)count;
    enum err err = feed_check_views(&entry, hub_feed, &e);
    cr_assert_eq(e.code, err, "code and message agree");
    return err;
}

static struct view sealed(uint32_t kind, size_t target_len) {
    return fixture_view(kind, target_len, 0x21, bytes_str("sealed"));
}

static struct view plain(void) {
    return (struct view){.target = target_plain(), .kind = VIEW_PLAIN, .data = bytes_str("plain")};
}

Test(feed, targets_of_each_kind) {
    static const struct {
        uint32_t kind;
        enum err with_16, with_32;
    } cases[] = {
        {VIEW_GRANT, ERR_KIND, ERR_OK},
        {VIEW_STATE, ERR_OK, ERR_KIND},
        {VIEW_HISTORY, ERR_OK, ERR_KIND},
        {VIEW_MESSAGE, ERR_OK, ERR_OK},
        {VIEW_WITHDRAW, ERR_OK, ERR_KIND},
        {VIEW_SELF, ERR_OK, ERR_KIND},
        {0, ERR_OK, ERR_OK},
        {8, ERR_OK, ERR_OK},
        {UINT32_MAX, ERR_OK, ERR_OK},
    };
    static const uint32_t entries[] = {ENTRY_OPEN, ENTRY_UPDATE, 999};
    for (size_t n = 0; n < sizeof entries / sizeof *entries; n++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct view v = sealed(cases[i].kind, 16);
            cr_assert_eq(check(entries[n], &v, 1, false), cases[i].with_16, "kind %u, 16",
                         cases[i].kind);
            v = sealed(cases[i].kind, 32);
            cr_assert_eq(check(entries[n], &v, 1, false), cases[i].with_32, "kind %u, 32",
                         cases[i].kind);
        }
}

Test(feed, sealed_views_have_a_target_and_a_key) {
    for (uint32_t kind = VIEW_GRANT; kind <= VIEW_SELF; kind++) {
        size_t len = kind == VIEW_GRANT ? 32 : 16;
        struct view v = sealed(kind, len);
        cr_assert_eq(check(ENTRY_UPDATE, &v, 1, false), ERR_OK);
        v.key_id = fixture_hash(0);
        cr_assert_eq(check(ENTRY_UPDATE, &v, 1, false), ERR_KIND, "kind %u, zero key", kind);
        v = sealed(kind, len);
        v.target = fixture_target(len, 0);
        cr_assert_eq(check(ENTRY_UPDATE, &v, 1, false), ERR_KIND, "kind %u, zero target", kind);
    }
}

Test(feed, no_views_and_views_without_data_are_fine) {
    struct view v = sealed(VIEW_STATE, 16);
    v.data.len = 0;
    cr_assert_eq(check(ENTRY_OPEN, NULL, 0, false), ERR_OK);
    cr_assert_eq(check(ENTRY_UPDATE, NULL, 0, false), ERR_OK);
    cr_assert_eq(check(ENTRY_UPDATE, &v, 1, false), ERR_OK);
}

Test(feed, plain_views_of_an_agent_only_in_a_renewal) {
    struct view views[2] = {plain(), sealed(VIEW_STATE, 16)};
    cr_assert_eq(check(ENTRY_BOX_RENEWAL, views, 1, false), ERR_OK);
    cr_assert_eq(check(ENTRY_UPDATE, views, 1, false), ERR_KIND);
    cr_assert_eq(check(ENTRY_OPEN, views, 1, false), ERR_KIND);
    cr_assert_eq(check(999, views, 1, false), ERR_KIND);
    cr_assert_eq(check(ENTRY_BOX_RENEWAL, views, 2, false), ERR_KIND, "nothing beside it");
    cr_assert_eq(check(ENTRY_BOX_RENEWAL, views + 1, 1, false), ERR_KIND, "nothing else");
    cr_assert_eq(check(ENTRY_BOX_RENEWAL, NULL, 0, false), ERR_KIND, "not without it");
    views[0].target.b[3] = 1;
    cr_assert_eq(check(ENTRY_BOX_RENEWAL, views, 1, false), ERR_KIND, "a target");
    views[0] = plain();
    views[0].target.len = 32;
    cr_assert_eq(check(ENTRY_BOX_RENEWAL, views, 1, false), ERR_KIND, "a longer target");
    views[0] = plain();
    views[0].key_id.b[31] = 1;
    cr_assert_eq(check(ENTRY_BOX_RENEWAL, views, 1, false), ERR_KIND, "a key id");
}

Test(feed, the_hubs_feed_has_one_plain_view) {
    struct view views[2] = {plain(), plain()};
    cr_assert_eq(check(ENTRY_HUB_CHARTER, views, 1, true), ERR_OK);
    cr_assert_eq(check(999, views, 1, true), ERR_OK);
    cr_assert_eq(check(ENTRY_HUB_CHARTER, views, 2, true), ERR_KIND);
    cr_assert_eq(check(ENTRY_HUB_CHARTER, NULL, 0, true), ERR_KIND);
    views[0].data.len = 0;
    cr_assert_eq(check(ENTRY_HUB_CHARTER, views, 1, true), ERR_KIND, "without data");
    views[0] = sealed(VIEW_STATE, 16);
    cr_assert_eq(check(ENTRY_HUB_CHARTER, views, 1, true), ERR_KIND, "sealed");
    views[0] = plain();
    views[0].key_id.b[0] = 1;
    cr_assert_eq(check(ENTRY_HUB_CHARTER, views, 1, true), ERR_KIND, "a key id");
}

Test(feed, as_many_grants_as_the_cap_and_no_more) {
    struct view views[ENTRY_MAX_GRANTS + 2];
    for (size_t i = 0; i < ENTRY_MAX_GRANTS + 2; i++) {
        views[i] = sealed(VIEW_GRANT, 32);
        views[i].target.b[0] = (uint8_t)i;
        views[i].target.b[1] = (uint8_t)(i >> 8);
    }
    cr_assert_eq(check(ENTRY_UPDATE, views, ENTRY_MAX_GRANTS, false), ERR_OK);
    cr_assert_eq(check(ENTRY_UPDATE, views, ENTRY_MAX_GRANTS + 1, false), ERR_CAP);
    views[0] = sealed(VIEW_STATE, 16);
    cr_assert_eq(check(ENTRY_UPDATE, views, ENTRY_MAX_GRANTS + 1, false), ERR_OK);
    cr_assert_eq(check(ENTRY_UPDATE, views, ENTRY_MAX_GRANTS + 2, false), ERR_CAP);
}

Test(feed, no_two_views_with_the_same_target_kind_and_key) {
    struct view views[3] = {sealed(VIEW_STATE, 16), sealed(VIEW_HISTORY, 16),
                            sealed(VIEW_STATE, 16)};
    cr_assert_eq(check(ENTRY_UPDATE, views, 2, false), ERR_OK, "another kind");
    cr_assert_eq(check(ENTRY_UPDATE, views, 3, false), ERR_KIND);
    views[2].key_id.b[31] ^= 1;
    cr_assert_eq(check(ENTRY_UPDATE, views, 3, false), ERR_OK, "another key");
    views[2] = sealed(VIEW_STATE, 16);
    views[2].target.b[15] ^= 1;
    cr_assert_eq(check(ENTRY_UPDATE, views, 3, false), ERR_OK, "another target");
    views[0] = views[2] = sealed(77, 16);
    cr_assert_eq(check(ENTRY_UPDATE, views, 3, false), ERR_KIND, "of an unknown kind too");
    views[2].target.len = 32;
    cr_assert_eq(check(ENTRY_UPDATE, views, 3, false), ERR_OK, "another length of target");
}

Test(feed, more_views_than_an_entry_holds) {
    struct entry entry = {.view_count = ENTRY_MAX_VIEWS + 1}; /* none of them is looked at */
    cr_assert_eq(feed_check_views(&entry, false, NULL), ERR_CAP);
    cr_assert_eq(feed_check_views(&entry, true, NULL), ERR_CAP);
}

Test(feed, the_hubs_headers_name_no_hub_head_or_checkpoint) {
    struct view view = plain();
    struct entry entry = {.views = &view, .view_count = 1};
    entry.header.kind = ENTRY_HUB_CHARTER;
    entry.header.view_count = 1;
    cr_assert_eq(feed_check_views(&entry, true, NULL), ERR_OK);
    entry.header.has_hub_head = true;
    cr_assert_eq(feed_check_views(&entry, true, NULL), ERR_KIND);
    entry.header.has_hub_head = false;
    entry.header.checkpoint = bytes_str("a checkpoint");
    cr_assert_eq(feed_check_views(&entry, true, NULL), ERR_KIND);
}
