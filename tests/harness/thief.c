/* Owns a thief (see thief.h). */
#include "thief.h"

#include <stdlib.h>
#include <string.h>

#include "keyfile.h"
#include "vault.h"

/* ---- databases ---- */

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s: %s", sql,
                 sqlite3_errmsg(db));
    return statement;
}

static struct bytes column(sqlite3_stmt *statement, int i) {
    return bytes_of(sqlite3_column_blob(statement, i), (size_t)sqlite3_column_bytes(statement, i));
}

/* ---- the loot ---- */

static void add_view(struct loot *loot, const struct entry *entry, size_t index,
                     struct bytes data) {
    cr_assert_lt(loot->count, (size_t)LOOT_MAX);
    cr_assert_lt(index, entry->view_count, "a view that its entry does not name");
    const struct view *v = &entry->views[index];
    struct stolen_view *to = &loot->views[loot->count++];
    *to = (struct stolen_view){.header = entry->header,
                               .target = v->target,
                               .kind = v->kind,
                               .key_id = v->key_id,
                               .data = malloc(data.len + 1),
                               .len = data.len};
    cr_assert_not_null(to->data);
    memcpy(to->data, data.data, data.len);
    struct hash hash = hash_sha256(data);
    cr_assert(hash_equal(&hash, &v->hash), "the data of another view");
}

/* Views stand where they are routed from; what an entry's own bytes still have counts too. */
static void load_bodies(sqlite3 *db, struct loot *loot) {
    struct error e = {0};
    sqlite3_stmt *q = prepare(db, "SELECT body FROM log UNION ALL SELECT body FROM fork");
    while (sqlite3_step(q) == SQLITE_ROW) {
        struct entry *entry = NULL;
        cr_assert_eq(entry_parse(column(q, 0), &entry, &e), ERR_OK, "%s", e.detail);
        for (size_t i = 0; i < entry->view_count; i++)
            if (entry->views[i].data.len > 0)
                add_view(loot, entry, i, entry->views[i].data);
        entry_free(entry);
    }
    sqlite3_finalize(q);
}

static void load_table(struct lab *lab, sqlite3 *db, const char *table, struct loot *loot) {
    struct error e = {0};
    sqlite3_stmt *q = prepare(db, lab_text(lab,
                                           "SELECT v.place, v.data, l.body FROM %s AS v"
                                           " JOIN log AS l ON l.log_index = v.place / %d",
                                           table, ENTRY_MAX_VIEWS));
    while (sqlite3_step(q) == SQLITE_ROW) {
        struct entry *entry = NULL;
        size_t index = (size_t)(sqlite3_column_int64(q, 0) % ENTRY_MAX_VIEWS);
        cr_assert_eq(entry_parse(column(q, 2), &entry, &e), ERR_OK, "%s", e.detail);
        add_view(loot, entry, index, column(q, 1));
        entry_free(entry);
    }
    sqlite3_finalize(q);
}

void loot_load(struct lab *lab, const char *hub_dir, struct loot *ret) {
    static const char *const tables[] = {"state", "key_grant", "kept"};
    sqlite3 *db = stored_open(lab, hub_dir, "hub.db");
    ret->count = 0;
    load_bodies(db, ret);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        load_table(lab, db, tables[i], ret);
    stored_close(db);
}

void loot_done(struct loot *loot) {
    for (size_t i = 0; i < loot->count; i++)
        free(loot->views[i].data);
    loot->count = 0;
}

/* ---- keys ---- */

static void add_key(struct thief *thief, const struct audience_key *key) {
    for (size_t i = 0; i < thief->count; i++)
        if (memcmp(thief->keys[i].b, key->b, AUDIENCE_KEY_LEN) == 0)
            return;
    cr_assert_lt(thief->count, (size_t)THIEF_KEYS_MAX);
    thief->keys[thief->count++] = *key;
}

/* Both databases keep the keys they were granted in a table of this name. */
static void load_held(struct lab *lab, const char *dir, const char *file, struct thief *thief) {
    sqlite3 *db = stored_open(lab, dir, file);
    sqlite3_stmt *q = prepare(db, "SELECT key FROM held_key");
    while (sqlite3_step(q) == SQLITE_ROW) {
        struct audience_key key;
        cr_assert_eq(column(q, 0).len, (size_t)AUDIENCE_KEY_LEN);
        memcpy(key.b, column(q, 0).data, AUDIENCE_KEY_LEN);
        add_key(thief, &key);
    }
    sqlite3_finalize(q);
    stored_close(db);
}

void thief_agent(struct lab *lab, const char *dir, struct thief *ret) {
    struct error e = {0};
    struct sign_pair sign;
    memset(ret, 0, sizeof *ret);
    int64_t since_ms = 0;
    cr_assert_eq(vault_open_agent(dir, &sign, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(vault_open_box(dir, 1, &ret->box, &since_ms, &e), ERR_OK, "%s", e.detail);
    ret->self = sign.pub;
    load_held(lab, dir, "agent.db", ret);
}

void thief_hub(struct lab *lab, const char *hub_dir, struct thief *ret) {
    struct error e = {0};
    struct keyfile keys;
    memset(ret, 0, sizeof *ret);
    cr_assert_eq(keyfile_read(lab_text(lab, "%s/%s", hub_dir, KEYFILE_NAME), &keys, &e), ERR_OK,
                 "%s", e.detail);
    ret->self = keys.sign.pub;
    ret->box = keys.box;
    load_held(lab, hub_dir, "hub.db", ret);
}

void thief_take_grants(struct thief *thief, const struct loot *loot) {
    for (size_t i = 0; i < loot->count; i++) {
        const struct stolen_view *v = &loot->views[i];
        struct audience_ctx ctx;
        struct audience_key key;
        if (v->kind != VIEW_GRANT || grant_open(&v->header, &v->key_id, bytes_of(v->data, v->len),
                                                &thief->box, &ctx, &key, NULL) != ERR_OK)
            continue;
        struct target mine = target_key(&thief->self);
        cr_assert(target_equal(&v->target, &mine), "opens a grant to somebody else");
        thief->granted++;
        add_key(thief, &key);
    }
}

/* ---- trying ---- */

bool thief_reads(const struct thief *thief, const struct stolen_view *v, struct buf *ret) {
    const struct header *h = &v->header;
    struct audience_ctx ctx = {h->network, h->member, h->agent, {0}};
    bool opened = false;
    if (v->target.len != AUDIENCE_ID_LEN)
        return false;
    memcpy(ctx.audience, v->target.b, AUDIENCE_ID_LEN);
    for (size_t i = 0; !opened && i < thief->count; i++)
        opened = view_open(&ctx, &thief->keys[i], h->incarnation, h->seq, v->kind,
                           bytes_of(v->data, v->len), ret, NULL) == ERR_OK;
    return opened;
}

bool thief_opens(const struct thief *thief, const struct stolen_view *v) {
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    bool opened = thief_reads(thief, v, &plain);
    buf_wipe_done(&plain);
    return opened;
}

struct tally thief_tally(const struct thief *thief, const struct loot *loot,
                         const struct public_key *author, const uint8_t *audience, uint64_t seq) {
    struct tally t = {.old_opened = 0};
    for (size_t i = 0; i < loot->count; i++) {
        const struct stolen_view *v = &loot->views[i];
        if (v->kind == VIEW_GRANT || v->kind == VIEW_PLAIN ||
            !key_equal(&v->header.agent, author) ||
            (audience && memcmp(v->target.b, audience, AUDIENCE_ID_LEN) != 0))
            continue;
        bool opened = thief_opens(thief, v), newer = v->header.seq > seq;
        t.old_opened += opened && !newer;
        t.new_opened += opened && newer;
        t.new_sealed += newer;
        if (newer && v->kind < THIEF_KINDS)
            t.new_kinds[v->kind]++;
    }
    return t;
}
