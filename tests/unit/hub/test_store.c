/* Owns the tests of the store's verbs by themselves: what supersedes what, which order scans have,
 * and which databases are refused. */
#include <criterion/criterion.h>

#include "store_private.h"
#include "unit/db/scratch.h"

static const struct public_key network = {{1}}, reader = {{2}}, other = {{3}};

struct fixture {
    struct scratch scratch;
    char path[PATH_MAX];
    struct store *store;
    int64_t author;
    uint64_t index;
};

static void fixture_open(struct fixture *f) {
    struct error e = {0};
    cr_assert_eq(store_open(f->path, NULL, &f->store, &e), ERR_OK, "%s", e.detail);
}

static void fixture_init(struct fixture *f) {
    struct error e = {0};
    struct public_key agent = {{9}};
    memset(f, 0, sizeof *f);
    scratch_init(&f->scratch);
    scratch_path(&f->scratch, "hub.db", f->path);
    fixture_open(f);
    cr_assert_eq(store_create_network(f->store, &network, 1000, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(store_use_network(f->store, &network, &e), ERR_OK);
    cr_assert_eq(store_add_author(f->store, &agent, &agent, &f->author, &e), ERR_OK);
}

static void fixture_done(struct fixture *f) {
    store_close(f->store);
    scratch_done(&f->scratch);
}

static uint64_t append(struct fixture *f, int64_t received_ms) {
    struct error e = {0};
    struct hash hash = {{0}};
    hash.b[0] = (uint8_t)++f->index;
    struct store_entry entry = {.log_index = f->index,
                                .author = f->author,
                                .incarnation = 1,
                                .seq = f->index,
                                .kind = ENTRY_UPDATE,
                                .received_ms = received_ms,
                                .hash = &hash,
                                .body = bytes_str("body")};
    cr_assert_eq(store_append(f->store, &entry, &e), ERR_OK, "%s", e.detail);
    return f->index;
}

static struct hash key_of(uint8_t byte) {
    struct hash h = {{0}};
    h.b[0] = byte;
    return h;
}

static void put(struct fixture *f, uint32_t kind, uint64_t index, uint32_t at, struct target target,
                uint8_t key) {
    struct error e = {0};
    struct view view = {
        .target = target, .kind = kind, .key_id = key_of(key), .data = bytes_str("data")};
    struct store_view v = {.place = place_of(index, at), .author = f->author, .view = &view};
    enum err err = kind == VIEW_STATE      ? store_put_state(f->store, &v, &e)
                   : kind == VIEW_WITHDRAW ? store_put_withdrawal(f->store, &v, &e)
                   : kind == VIEW_GRANT    ? store_put_grant(f->store, &v, &e)
                                           : store_put_view(f->store, 4, &v, &e);
    cr_assert_eq(err, ERR_OK, "%s", e.detail);
}

static struct target audience(uint8_t byte) {
    return target_audience((uint8_t[AUDIENCE_ID_LEN]){byte});
}

typedef enum err scan_verb(struct store *s, const struct public_key *who, uint64_t after,
                           size_t limit, struct store_row *rows, size_t *ret_count,
                           struct error *e);

static size_t scan(struct fixture *f, scan_verb *verb, const struct public_key *who, uint64_t after,
                   struct store_row rows[static 16]) {
    struct error e = {0};
    size_t count = 0;
    cr_assert_eq(verb(f->store, who, after, 16, rows, &count, &e), ERR_OK, "%s", e.detail);
    return count;
}

Test(store, every_statement_fits_the_schema) {
    struct fixture f;
    struct error e = {0};
    fixture_init(&f);
    cr_expect_eq(db_prepare_all(f.store->db, &e), ERR_OK, "%s", e.detail);
    fixture_done(&f);
}

Test(store, newest_state_takes_the_older_ones_place) {
    struct fixture f;
    struct store_row rows[16];
    fixture_init(&f);
    uint64_t one = append(&f, 1);
    put(&f, VIEW_GRANT, one, 0, target_key(&reader), 1);
    put(&f, VIEW_STATE, one, 1, audience(7), 1);
    uint64_t two = append(&f, 2);
    put(&f, VIEW_STATE, two, 0, audience(7), 1);
    cr_assert_eq(scan(&f, store_scan_states, &reader, 0, rows), 1);
    cr_assert_eq(rows[0].position, two);
    cr_assert_eq(rows[0].place, place_of(two, 0));
    cr_assert_eq(rows[0].author, f.author);
    cr_assert_eq(scan(&f, store_scan_states, &reader, two, rows), 0);
    cr_assert_eq(scan(&f, store_scan_states, &other, 0, rows), 0);
    cr_assert_eq(scan(&f, store_scan_grants, &reader, 0, rows), 1, "the grant still serves");
    fixture_done(&f);
}

Test(store, new_key_drops_the_grants_of_the_old) {
    struct fixture f;
    struct store_row rows[16];
    fixture_init(&f);
    uint64_t one = append(&f, 1);
    put(&f, VIEW_GRANT, one, 0, target_key(&reader), 1);
    put(&f, VIEW_GRANT, one, 1, target_key(&other), 1);
    put(&f, VIEW_GRANT, one, 2, target_key(&other), 3); /* of another audience */
    put(&f, VIEW_STATE, one, 3, audience(7), 1);
    uint64_t two = append(&f, 2);
    put(&f, VIEW_GRANT, two, 0, target_key(&reader), 2);
    cr_assert_eq(scan(&f, store_scan_grants, &reader, 0, rows), 2, "no state under it yet");
    put(&f, VIEW_STATE, two, 1, audience(7), 2);
    cr_assert_eq(scan(&f, store_scan_grants, &reader, 0, rows), 1);
    cr_assert_eq(rows[0].place, place_of(two, 0));
    cr_assert_eq(scan(&f, store_scan_grants, &other, 0, rows), 1);
    cr_assert_eq(rows[0].place, place_of(one, 2));
    fixture_done(&f);
}

static size_t scan_withdrawals(struct fixture *f, const struct public_key *who, uint64_t after,
                               struct store_row rows[static 16]) {
    struct error e = {0};
    size_t count = 0;
    const struct store_scan what = {2, who, after, 0};
    cr_assert_eq(store_scan_views(f->store, &what, 16, rows, &count, &e), ERR_OK, "%s", e.detail);
    return count;
}

static enum err ignore_view(void *ctx, struct bytes data, struct bytes body, int64_t received_ms,
                            struct error *e) {
    (void)data;
    (void)body;
    (void)received_ms;
    (void)e;
    ++*(int *)ctx;
    return ERR_OK;
}

Test(store, a_withdrawal_stands_where_the_state_stood_and_then_for_who_was_away) {
    struct fixture f;
    struct store_row rows[16];
    struct error e = {0};
    int64_t pruned = 0;
    int visits = 0;
    fixture_init(&f);
    uint64_t one = append(&f, 100);
    put(&f, VIEW_GRANT, one, 0, target_key(&reader), 1);
    put(&f, VIEW_GRANT, one, 1, target_key(&other), 1);
    put(&f, VIEW_STATE, one, 2, audience(7), 1);
    put(&f, VIEW_HISTORY, one, 3, audience(7), 1);
    put(&f, VIEW_HISTORY, one, 4, audience(8), 1);
    uint64_t two = append(&f, 200);
    put(&f, VIEW_WITHDRAW, two, 0, audience(7), 1);
    cr_assert_eq(scan(&f, store_scan_states, &reader, 0, rows), 1, "the state is gone");
    cr_assert_eq(rows[0].place, place_of(two, 0));
    cr_assert_eq(rows[0].table, TABLE_STATE);
    size_t count = 0;
    const struct store_scan history = {4, &reader, 0, 0};
    cr_assert_eq(store_scan_views(f.store, &history, 16, rows, &count, &e), ERR_OK);
    cr_assert_eq(count, 1, "its history goes, another audience's stays");
    uint8_t id[AUDIENCE_ID_LEN] = {7};
    struct hash key = key_of(1);
    cr_assert_eq(store_state_under(f.store, f.author, id, &key, ignore_view, &visits, &e), ERR_OK);
    cr_assert_eq(visits, 0, "a withdrawal is no state");
    cr_assert_eq(scan_withdrawals(&f, &other, 0, rows), 0);

    uint64_t three = append(&f, 300);
    put(&f, VIEW_GRANT, three, 0, target_key(&reader), 2);
    put(&f, VIEW_STATE, three, 1, audience(7), 2);
    cr_assert_eq(scan(&f, store_scan_states, &other, 0, rows), 0);
    cr_assert_eq(scan_withdrawals(&f, &other, 0, rows), 1, "who was away hears of it");
    cr_assert_eq(rows[0].place, place_of(two, 0));
    cr_assert_eq(rows[0].table, TABLE_VIEW);
    cr_assert_eq(scan_withdrawals(&f, &other, two, rows), 0, "and only once");
    cr_assert_eq(scan(&f, store_scan_grants, &other, 0, rows), 1, "with its key");
    cr_assert_eq(store_prune(f.store, 250, 16, &pruned, &e), ERR_OK);
    cr_assert_eq(pruned, 2);
    cr_assert_eq(scan_withdrawals(&f, &other, 0, rows), 0, "not for ever");
    cr_assert_eq(scan(&f, store_scan_grants, &other, 0, rows), 0);
    fixture_done(&f);
}

Test(store, grants_stay_while_history_needs_them) {
    struct fixture f;
    struct store_row rows[16];
    struct error e = {0};
    int64_t count = 0;
    fixture_init(&f);
    uint64_t one = append(&f, 100);
    put(&f, VIEW_GRANT, one, 0, target_key(&reader), 1);
    put(&f, VIEW_STATE, one, 1, audience(7), 1);
    put(&f, VIEW_HISTORY, one, 2, audience(7), 1);
    uint64_t two = append(&f, 200);
    put(&f, VIEW_STATE, two, 0, audience(7), 2);
    cr_assert_eq(scan(&f, store_scan_grants, &reader, 0, rows), 1);
    cr_assert_eq(store_begin(f.store, &e), ERR_OK);
    cr_assert_eq(store_prune(f.store, 100, 10, &count, &e), ERR_OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(store_prune(f.store, 101, 10, &count, &e), ERR_OK);
    cr_assert_eq(count, 1);
    cr_assert_eq(store_commit(f.store, &e), ERR_OK);
    cr_assert_eq(scan(&f, store_scan_grants, &reader, 0, rows), 0);
    fixture_done(&f);
}

/* Position: the later of state and grant; the same entry counts as the grant standing before. */
Test(store, states_and_grants_in_either_order) {
    struct fixture f;
    struct store_row rows[16];
    fixture_init(&f);
    uint64_t one = append(&f, 1);
    put(&f, VIEW_STATE, one, 0, audience(7), 1);
    put(&f, VIEW_STATE, one, 1, audience(8), 2);
    uint64_t two = append(&f, 2);
    put(&f, VIEW_GRANT, two, 0, target_key(&reader), 1);
    put(&f, VIEW_GRANT, two, 1, target_key(&reader), 3);
    put(&f, VIEW_STATE, two, 2, audience(9), 3);
    cr_assert_eq(scan(&f, store_scan_states, &reader, 0, rows), 1);
    cr_assert_eq(rows[0].place, place_of(two, 2));
    cr_assert_eq(scan(&f, store_scan_granted, &reader, 0, rows), 1);
    cr_assert_eq(rows[0].place, place_of(one, 0));
    cr_assert_eq(rows[0].position, two);
    cr_assert_eq(scan(&f, store_scan_granted, &reader, one, rows), 1);
    cr_assert_eq(scan(&f, store_scan_granted, &reader, two, rows), 0);
    fixture_done(&f);
}

Test(store, removed_author) {
    struct fixture f;
    struct store_row rows[16];
    struct error e = {0};
    struct public_key agent = {{9}};
    fixture_init(&f);
    uint64_t one = append(&f, 1);
    put(&f, VIEW_GRANT, one, 0, target_key(&reader), 1);
    put(&f, VIEW_GRANT, one, 1, target_key(&agent), 1);
    put(&f, VIEW_STATE, one, 2, audience(7), 1);
    put(&f, VIEW_HISTORY, one, 3, audience(7), 1);
    cr_assert_eq(store_drop_author(f.store, f.author, &agent, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(scan(&f, store_scan_states, &reader, 0, rows), 0);
    cr_assert_eq(scan(&f, store_scan_grants, &reader, 0, rows), 0);
    cr_assert_eq(scan(&f, store_scan_grants, &agent, 0, rows), 0);
    fixture_done(&f);
}

static enum err copy_author(void *ctx, const struct store_author *author, struct error *e) {
    (void)e;
    *(struct store_author *)ctx = *author;
    return ERR_OK;
}

Test(store, heads_come_from_the_log) {
    struct fixture f;
    struct error e = {0};
    struct store_author author;
    bool found = false;
    uint64_t incarnation = 0, tip = 0;
    struct hash hash;
    fixture_init(&f);
    cr_assert_eq(store_authors(f.store, copy_author, &author, &e), ERR_OK);
    cr_assert_eq(author.head.seq, 0);
    append(&f, 1);
    append(&f, 1);
    cr_assert_eq(store_authors(f.store, copy_author, &author, &e), ERR_OK);
    cr_assert_eq(author.head.seq, 2);
    cr_assert_eq(author.head.hash.b[0], 2);
    cr_assert_eq(store_held(f.store, f.author, 1, &found, &incarnation, &hash, &e), ERR_OK);
    cr_assert(found && incarnation == 1 && hash.b[0] == 1);
    cr_assert_eq(store_held(f.store, f.author, 3, &found, &incarnation, &hash, &e), ERR_OK);
    cr_assert(!found);
    cr_assert_eq(store_tip(f.store, &tip, &e), ERR_OK);
    cr_assert_eq(tip, 2);
    fixture_done(&f);
}

static enum err refuse(void *ctx, const struct store_author *author, struct error *e) {
    (void)ctx;
    (void)author;
    return error_set(e, ERR_CAP, "enough");
}

Test(store, a_visit_can_end_the_scan) {
    struct fixture f;
    struct error e = {0};
    fixture_init(&f);
    cr_assert_eq(store_authors(f.store, refuse, NULL, &e), ERR_CAP);
    cr_assert_str_eq(e.detail, "enough");
    struct store_author author;
    cr_assert_eq(store_authors(f.store, copy_author, &author, &e), ERR_OK, "and it can run again");
    fixture_done(&f);
}

Test(store, of_another_network) {
    struct fixture f;
    struct error e = {0};
    fixture_init(&f);
    store_close(f.store);
    fixture_open(&f);
    cr_assert_eq(store_use_network(f.store, &other, &e), ERR_CONFIG);
    cr_assert(strstr(e.detail, "another network"), "%s", e.detail);
    cr_assert_eq(store_use_network(f.store, &network, &e), ERR_OK);
    fixture_done(&f);
}

Test(store, two_entries_for_one_place_are_refused) {
    struct fixture f;
    struct error e = {0};
    struct hash hash = {{0}};
    fixture_init(&f);
    append(&f, 1);
    struct store_entry again = {.log_index = 99,
                                .author = f.author,
                                .incarnation = 2,
                                .seq = 1,
                                .hash = &hash,
                                .body = bytes_str("body")};
    cr_assert_eq(store_append(f.store, &again, &e), ERR_CONFLICT);
    fixture_done(&f);
}
