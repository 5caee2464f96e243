/* What an admitted member with a program of its own may try against the hub and its other members:
 * entries that keep every rule but are made to grow, stall or starve something. */
#include <criterion/criterion.h>
#include <sqlite3.h>

#include "town.h"

static struct town town;
static struct person mallory, alice, bob;
static struct draft draft; /* large */

static void setup(void) {
    town_init(&town, 666, NULL);
    person_join(&town, &mallory, "Mallory", "provider");
    person_join(&town, &alice, "Alice", "provider");
    person_join(&town, &bob, "Bob", "provider");
}

static void teardown(void) {
    town_done(&town);
}

TestSuite(attack, .init = setup, .fini = teardown, .timeout = 120);

/* Rows of a table, read as an administrator would; the hub is closed for it. */
static int64_t rows_of(const char *sql) {
    char path[PATH_MAX + 16];
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    town_close(&town);
    snprintf(path, sizeof path, "%s/hub.db", town.dir);
    cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(query), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(db);
    town_open(&town);
    return count;
}

static struct target numbered_audience(uint32_t number) {
    uint8_t id[AUDIENCE_ID_LEN] = {0xa7};
    memcpy(id + 1, &number, sizeof number);
    return target_audience(id);
}

static void pass_time(void) {
    town.now_ms += 60 * 1000; /* the bucket of the rate is full again */
}

/* Entries of as many states as fit, each for an audience of its own. */
static void publish_states(uint32_t entries, const struct hash *one_key) {
    uint32_t number = 0;
    for (uint32_t i = 0; i < entries; i++) {
        pass_time();
        draft_init(&town, &draft, &mallory);
        for (size_t k = 0; k < ENTRY_MAX_VIEWS; k++, number++) {
            struct hash key_id = hash_sha256(bytes_of(&number, sizeof number));
            draft_raw(&draft, VIEW_STATE, numbered_audience(number), one_key ? *one_key : key_id,
                      bytes_of("no state at all", 15));
        }
        person_publish(&town, &mallory, &draft);
    }
}

static void publish_honestly(struct person *from, const struct person *to) {
    struct circle circle;
    circle_new(&town, &circle, from);
    draft_init(&town, &draft, from);
    draft_grant_to(&town, &draft, &circle, to);
    draft_state(&town, &draft, &circle, bytes_of("figures", 7));
    person_publish(&town, from, &draft);
}

/* Reads as a session does, page by page, until the tip; how many states of this author came. Every
 * page before the tip has to move a cursor, or the session would end with an error each time. */
static size_t read_states(const struct person *reader, const struct person *author) {
    struct cursors at = {.after = {0}};
    struct error e = {0};
    size_t found = 0;
    for (bool tip = false; !tip;) {
        struct page page = town_load(&town, &reader->agent.pub, &at, 256 * 1024);
        bool moved = false;
        for (size_t i = 0; i < page.count; i++) {
            struct entry *entry = NULL;
            cr_assert_eq(excerpt_parse(blob_bytes(page.items[i].excerpt), &entry, &e), ERR_OK);
            found += page.items[i].class_ == CLASS_STATES &&
                     key_equal(&entry->header.agent, &author->agent.pub);
            entry_free(entry);
        }
        for (int c = 0; c < HUB_CLASSES; c++) {
            moved = moved || page.upto[c] > at.after[c];
            at.after[c] = page.upto[c];
        }
        tip = page.tip;
        cr_assert(tip || moved, "a page of %zu items moves no cursor: the reader never gets on",
                  page.count);
        page_done(&page);
    }
    return found;
}

Test(attack, states_under_one_key_do_not_keep_a_reader_from_the_others) {
    struct circle circle;
    circle_new(&town, &circle, &mallory);
    publish_states(3, &circle.key_id);
    pass_time();
    draft_init(&town, &draft, &mallory);
    draft_grant_to(&town, &draft, &circle, &alice);
    person_publish(&town, &mallory, &draft);
    publish_honestly(&bob, &alice);
    cr_assert_eq(read_states(&alice, &bob), 1);
    cr_assert_leq(read_states(&alice, &mallory), 1, "a key belongs to one audience");
}

Test(attack, the_states_of_one_agent_are_bounded_and_the_newest_stay) {
    publish_honestly(&mallory, &alice);
    publish_states(4, NULL);
    pass_time();
    publish_honestly(&mallory, &alice);
    cr_assert_leq(rows_of("SELECT count(*) FROM state"), 256);
    cr_assert_eq(read_states(&alice, &mallory), 1, "the newest");
}

Test(attack, what_one_agent_tells_the_hubs_own_audience_is_bounded) {
    struct buf plain;
    const struct figures row = {.site = 1, .service = "bed", .total = known(4), .free = known(1)};
    figures_encode(&town, "exact", &row, 1, &plain);
    for (int i = 0; i < 300; i++) {
        struct circle circle;
        pass_time();
        circle_new(&town, &circle, &mallory);
        draft_init(&town, &draft, &mallory);
        draft_grant_hub(&town, &draft, &circle);
        draft_state(&town, &draft, &circle, buf_bytes(&plain));
        person_publish(&town, &mallory, &draft);
    }
    buf_done(&plain);
    cr_assert_leq(rows_of("SELECT count(*) FROM held_key"), 64);
    cr_assert_leq(rows_of("SELECT count(*) FROM picture"), 64);
    cr_assert_eq(rows_of("SELECT count(*) FROM picture WHERE seq = 300"), 1, "the newest stays");
}

Test(attack, a_grant_has_the_size_of_a_grant) {
    struct circle circle;
    uint8_t filler[VIEW_MAX_BYTES] = {1};
    circle_new(&town, &circle, &mallory);
    draft_init(&town, &draft, &mallory);
    draft_raw(&draft, VIEW_GRANT, target_key(&alice.agent.pub), circle.key_id,
              bytes_of(filler, sizeof filler));
    struct outcome o = person_send(&town, &mallory, draft_build(&draft, &mallory.agent));
    cr_assert_eq(o.verdict, FEED_REJECT);
    cr_assert_eq(o.reject.code, ERR_CAP);
}

Test(attack, an_entry_is_rated_by_the_work_and_the_room_it_takes) {
    const struct hub_settings *s = hub_settings(town.hub);
    int64_t accepted = 0;
    struct outcome o = {.verdict = FEED_ACCEPT};
    for (uint32_t i = 0; o.verdict == FEED_ACCEPT && accepted < s->member_burst; i++) {
        draft_init(&town, &draft, &mallory);
        for (uint32_t k = 0; k < ENTRY_MAX_VIEWS; k++) {
            uint32_t number = i * ENTRY_MAX_VIEWS + k;
            draft_raw(&draft, VIEW_HISTORY, numbered_audience(k),
                      hash_sha256(bytes_of(&number, sizeof number)), bytes_of("x", 1));
        }
        o = person_send(&town, &mallory, draft_build(&draft, &mallory.agent));
        accepted += o.verdict == FEED_ACCEPT;
    }
    cr_assert_eq(o.verdict, FEED_REJECT);
    cr_assert_eq(o.reject.code, ERR_RATE);
    cr_assert_leq(accepted, s->member_burst / 32);
    pass_time();
    publish_honestly(&mallory, &alice); /* it passes */
}

Test(attack, grants_to_keys_that_are_nobodys_are_not_kept) {
    struct circle circle;
    circle_new(&town, &circle, &mallory);
    draft_init(&town, &draft, &mallory);
    for (uint32_t i = 0; i < ENTRY_MAX_GRANTS - 1; i++) {
        struct public_key nobody;
        struct hash any = hash_sha256(bytes_of(&i, sizeof i));
        memcpy(nobody.b, any.b, KEY_LEN);
        draft_raw(&draft, VIEW_GRANT, target_key(&nobody), circle.key_id, bytes_of(any.b, 32));
    }
    draft_grant_to(&town, &draft, &circle, &alice);
    draft_state(&town, &draft, &circle, bytes_of("figures", 7));
    person_publish(&town, &mallory, &draft);
    cr_assert_eq(rows_of("SELECT count(*) FROM key_grant"), 1);
    cr_assert_eq(read_states(&alice, &mallory), 1);
}

/* Anybody can send join requests; five signatures each would keep the store's thread busy. */
Test(attack, a_join_without_an_invitation_is_refused_before_it_is_verified) {
    struct person stranger;
    char uri[INVITE_URI_MAX];
    struct invite invite;
    struct error e = {0};
    town_invite(&town, "Carol", "provider", uri);
    cr_assert_eq(invite_parse(uri, &invite, &e), ERR_OK);
    memset(invite.seed, 0x77, sizeof invite.seed); /* somebody's own idea of an invitation */
    cr_assert_eq(invite_format(&invite, uri, &e), ERR_OK);
    person_make(&town, &stranger, uri);
    stranger.join_bytes[stranger.join_len - 1] ^= 1; /* a signature that does not verify */
    struct greeting g = person_greet(&town, &stranger, true);
    cr_assert_eq(g.code, ERR_INVITE_UNKNOWN, "%s", g.error.detail);
    memset(stranger.join_bytes, 0xff, stranger.join_len);
    g = person_greet(&town, &stranger, true);
    cr_assert_eq(g.code, ERR_INVITE_UNKNOWN, "%s", g.error.detail);
}
