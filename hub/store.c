/* Owns hub.db: its schema, the file, authors and the log. Must not know what a row means to the
 * rules. Migrations are append-only: a released one is never edited. */
#include "store_private.h"

#include <stdlib.h>
#include <string.h>

#define HUB_APPLICATION_ID 0x506c6548 /* "PleH" */
/* 64 MiB. Under load there is no idle moment to fold the log in, and a commit that has to do it
 * keeps everybody waiting; the longer the log, the more of its pages are the same page again. */
#define LOG_PAGES 16384

/* Keys, ids and hashes are BLOBs; times are ms UTC. What belongs to an author belongs to that
 * author's network. Views' data stand only where they are routed from (state, key_grant, kept), so
 * that a newer state replaces the older one's data by replacing its row; the log's bodies keep
 * every leaf. */
static const char schema_1[] =
    /* One row in this version. */
    "CREATE TABLE network("
    " id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, created_ms INTEGER NOT NULL,"
    " published_ms INTEGER) STRICT;" /* when all that is of now was published last */
    /* agents that published, and the hub itself */
    "CREATE TABLE author("
    " id INTEGER PRIMARY KEY, network INTEGER NOT NULL REFERENCES network, agent BLOB NOT NULL,"
    " member BLOB NOT NULL, forked INTEGER NOT NULL, UNIQUE(network, agent)) STRICT;"
    "CREATE TABLE log("
    " log_index INTEGER PRIMARY KEY, network INTEGER NOT NULL REFERENCES network,"
    " author INTEGER NOT NULL REFERENCES author, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, kind INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " hash BLOB NOT NULL, body BLOB NOT NULL, UNIQUE(author, seq)) STRICT;"
    "CREATE TABLE fork("
    " id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES author,"
    " incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,"
    " found_ms INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE(author, hash)) STRICT;"
    "CREATE TABLE act("
    " log_index INTEGER PRIMARY KEY REFERENCES log, actor TEXT NOT NULL) STRICT;"
    /* routed views */
    "CREATE TABLE state("
    " id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES author, target BLOB NOT NULL,"
    " key_id BLOB NOT NULL, place INTEGER NOT NULL UNIQUE, data BLOB NOT NULL,"
    " UNIQUE(author, target)) STRICT;"
    /* A key belongs to one audience. Readers' scans go from grants to states: without this, states
     * under one key would be rows without end at the position of one grant. */
    "CREATE UNIQUE INDEX state_key ON state(author, key_id);"
    "CREATE TABLE key_grant("
    " place INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES author, key_id BLOB NOT NULL,"
    " recipient BLOB NOT NULL, data BLOB NOT NULL, UNIQUE(author, key_id, recipient)) STRICT;"
    "CREATE INDEX key_grant_recipient ON key_grant(recipient, place);"
    /* the newest key renewal of an author: it stays, for newcomers */
    "CREATE TABLE renewal("
    " author INTEGER PRIMARY KEY REFERENCES author, place INTEGER NOT NULL UNIQUE,"
    " data BLOB NOT NULL) STRICT;"
    "CREATE TABLE kept("
    " place INTEGER PRIMARY KEY, class INTEGER NOT NULL,"
    " author INTEGER NOT NULL REFERENCES author, kind INTEGER NOT NULL, target BLOB NOT NULL,"
    " key_id BLOB NOT NULL, data BLOB NOT NULL) STRICT;"
    "CREATE INDEX kept_class ON kept(class, place);"
    "CREATE INDEX kept_key ON kept(author, key_id);"
    /* the hub's own audience: keys granted to it, and what it could open with them */
    "CREATE TABLE held_key("
    " author INTEGER NOT NULL REFERENCES author, key_id BLOB NOT NULL, audience BLOB NOT NULL,"
    " key BLOB NOT NULL, PRIMARY KEY(author, key_id)) STRICT;"
    "CREATE TABLE picture("
    " author INTEGER NOT NULL REFERENCES author, audience BLOB NOT NULL,"
    " incarnation INTEGER NOT NULL, seq INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " shift_ms INTEGER NOT NULL, plain BLOB NOT NULL, PRIMARY KEY(author, audience)) STRICT;"
    /* History the hub could open, one row a past figure. said: the sender's time, by which a point
     * is known; observed: the same, its clock corrected. incarnation, seq: the entry that said it
     * last. */
    "CREATE TABLE point("
    " author INTEGER NOT NULL REFERENCES author, audience BLOB NOT NULL, site INTEGER NOT NULL, "
    "service TEXT NOT NULL,"
    " ward TEXT NOT NULL, said_ms INTEGER NOT NULL, observed_ms INTEGER NOT NULL,"
    " valid_until_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, incarnation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, precision INTEGER NOT NULL, step INTEGER NOT NULL,"
    " status INTEGER NOT NULL, available INTEGER, total INTEGER, occupied INTEGER, held INTEGER,"
    " blocked INTEGER, need INTEGER, low INTEGER, high INTEGER, light INTEGER NOT NULL,"
    " PRIMARY KEY(author, site, service, ward, said_ms)) STRICT;"
    "CREATE INDEX point_service ON point(service, observed_ms);"
    "CREATE INDEX point_received ON point(received_ms);"
    "CREATE INDEX point_audience ON point(author, audience);"
    "CREATE TABLE point_site("
    " author INTEGER NOT NULL REFERENCES author, site INTEGER NOT NULL, name TEXT NOT NULL,"
    " region TEXT NOT NULL, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY(author, site)) STRICT;"
    /* When each line was observed first and, in history, last: outlives the points. audience: which
     * one told it last. */
    "CREATE TABLE line_since("
    " author INTEGER NOT NULL REFERENCES author, site INTEGER NOT NULL, service TEXT NOT NULL,"
    " ward TEXT NOT NULL, audience BLOB NOT NULL, since_ms INTEGER NOT NULL,"
    " last_ms INTEGER NOT NULL, PRIMARY KEY(service, author, site, ward)) STRICT;"
    "CREATE INDEX line_since_author ON line_since(author);"
    /* Sums of days whose points went, for good; of nobody in particular. day: since 1970-01-01.
     * region '': the whole network, which each such day has for every service. */
    "CREATE TABLE final_sum("
    " network INTEGER NOT NULL REFERENCES network, day INTEGER NOT NULL, service TEXT NOT NULL,"
    " region TEXT NOT NULL, decimals INTEGER NOT NULL, low INTEGER, high INTEGER,"
    " open_ended INTEGER NOT NULL, total INTEGER, occupied INTEGER, held INTEGER, blocked INTEGER,"
    " need INTEGER, members INTEGER NOT NULL, current INTEGER NOT NULL, expired INTEGER NOT NULL,"
    " never INTEGER NOT NULL, PRIMARY KEY(network, day, service, region)) STRICT;"
    /* What was published last: of a service, of a day or now (-1), of a region or the whole network
     * (''). parts: who stood behind it, keyed; empty once the day is final. */
    "CREATE TABLE published("
    " network INTEGER NOT NULL REFERENCES network, service TEXT NOT NULL, day INTEGER NOT NULL,"
    " region TEXT NOT NULL, shown INTEGER NOT NULL, published_ms INTEGER NOT NULL, low INTEGER,"
    " high INTEGER, open_ended INTEGER NOT NULL, members INTEGER NOT NULL,"
    " current INTEGER NOT NULL, expired INTEGER NOT NULL, never INTEGER NOT NULL,"
    " parts BLOB NOT NULL, PRIMARY KEY(network, service, day, region)) STRICT;"
    /* counters and marks */
    "CREATE TABLE rejection("
    " network INTEGER NOT NULL REFERENCES network, code TEXT NOT NULL, count INTEGER NOT NULL,"
    " last_ms INTEGER NOT NULL, PRIMARY KEY(network, code)) STRICT;"
    "CREATE TABLE trouble("
    " author INTEGER NOT NULL REFERENCES author, code TEXT NOT NULL, count INTEGER NOT NULL,"
    " last_ms INTEGER NOT NULL, detail TEXT NOT NULL, PRIMARY KEY(author, code)) STRICT;"
    "CREATE TABLE seen("
    " network INTEGER NOT NULL REFERENCES network, agent BLOB NOT NULL, last_ms INTEGER NOT NULL,"
    " PRIMARY KEY(network, agent)) STRICT;" USERS_SCHEMA;

/* A withdrawal stands where its audience's state stood: the view's kind tells which it is. */
static const char schema_2[] = "ALTER TABLE state ADD COLUMN kind INTEGER NOT NULL DEFAULT 3;";

static const char *const migrations[] = {schema_1, schema_2};

static const struct db_schema schema = {
    .application_id = HUB_APPLICATION_ID,
    .migrations = migrations,
    .count = (int)(sizeof migrations / sizeof migrations[0]),
    .log_pages = LOG_PAGES,
};

static const struct db_statement statements[] = {
#define SQL(name, text) {#name, text},
#include "store_sql.def"
#undef SQL
};

_Static_assert(ENTRY_MAX_VIEWS == 512, "store_sql.def shifts places by 9");

/* ---- shared by the store's files ---- */

void store_bind_key(struct db_query *q, const char *name, const struct public_key *k) {
    db_bind_blob(q, name, bytes_of(k->b, KEY_LEN));
}

void store_bind_hash(struct db_query *q, const char *name, const struct hash *h) {
    db_bind_blob(q, name, bytes_of(h->b, HASH_LEN));
}

void store_bind_amount(struct db_query *q, const char *name, const struct amount *a) {
    db_bind_opt(q, name, a->known, a->value);
}

struct amount store_amount(struct db_query *q, int column) {
    if (db_column_null(q, column))
        return (struct amount){.known = false};
    return (struct amount){true, db_column_int(q, column)};
}

bool store_column_copy(struct db_query *q, int column, void *ret, size_t len) {
    struct bytes found = db_column_blob(q, column);
    if (found.len != len)
        return false;
    memcpy(ret, found.data, len);
    return true;
}

enum err store_damaged(const char *what, struct error *e) {
    return error_set(e, ERR_STORE,
                     "hub.db: a row of '%s' does not have the expected form; restore a backup",
                     what);
}

/* ---- the file ---- */

enum err store_open(const char *path, const char *vfs, struct store **ret, struct error *e) {
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory to open %s", path);
    enum err err = db_open(path, vfs, &schema, statements, SQL_COUNT, &s->db, e);
    if (err != ERR_OK) {
        free(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

struct users store_users(struct store *s) {
    return (struct users){s->db, SQL_USER_NAMED};
}

void store_close(struct store *s) {
    if (s == NULL)
        return;
    db_close(s->db);
    free(s);
}

enum err store_begin(struct store *s, struct error *e) {
    return db_begin(s->db, e);
}

enum err store_commit(struct store *s, struct error *e) {
    return db_commit(s->db, e);
}

void store_rollback(struct store *s) {
    db_rollback(s->db);
}

enum err store_savepoint(struct store *s, struct error *e) {
    return db_savepoint(s->db, e);
}

enum err store_release(struct store *s, struct error *e) {
    return db_release(s->db, e);
}

void store_undo(struct store *s) {
    db_undo(s->db);
}

void store_checkpoint(struct store *s) {
    db_checkpoint(s->db);
}

enum err store_bytes(struct store *s, int64_t *ret, struct error *e) {
    struct db_query q = store_query(s, SQL_BYTES);
    int64_t bytes = db_step(&q) ? db_column_int(&q, 0) : 0;
    enum err err = db_finish(&q, e);
    if (err == ERR_OK)
        *ret = bytes;
    return err;
}

#ifdef PLEK_FAILPOINTS
void store_test_set_synchronous(struct store *s, int level) {
    db_test_set_synchronous(s->db, level);
}
#endif

/* ---- network and authors ---- */

enum err store_create_network(struct store *s, const struct public_key *network, int64_t now_ms,
                              struct error *e) {
    struct db_query q = store_query(s, SQL_NETWORK_ADD);
    store_bind_key(&q, ":key", network);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err store_use_network(struct store *s, const struct public_key *network, struct error *e) {
    struct db_query q = store_query(s, SQL_NETWORK_GET);
    struct public_key found = {{0}};
    int64_t id = 0;
    bool ours = false;
    if (db_step(&q)) {
        id = db_column_int(&q, 0);
        ours = store_column_copy(&q, 1, found.b, KEY_LEN) && key_equal(&found, network);
    }
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    if (!ours)
        return error_set(e, ERR_CONFIG,
                         "hub.db belongs to %s than hub.key: restore both from the same backup",
                         id == 0 ? "no network rather" : "another network");
    s->network = id;
    return ERR_OK;
}

enum err store_authors(struct store *s, store_author_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_AUTHORS);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":network", s->network);
    while (visited == ERR_OK && db_step(&q)) {
        struct store_author a = {.id = db_column_int(&q, 0), .forked = db_column_int(&q, 3) != 0};
        bool good = store_column_copy(&q, 1, a.agent.b, KEY_LEN) &&
                    store_column_copy(&q, 2, a.member.b, KEY_LEN);
        if (!db_column_null(&q, 5)) {
            a.head.incarnation = (uint64_t)db_column_int(&q, 4);
            a.head.seq = (uint64_t)db_column_int(&q, 5);
            good = good && store_column_copy(&q, 6, a.head.hash.b, HASH_LEN);
        }
        visited = good ? visit(ctx, &a, e) : store_damaged("author", e);
    }
    return db_finish_visit(&q, visited, e);
}

enum err store_add_author(struct store *s, const struct public_key *agent,
                          const struct public_key *member, int64_t *ret_id, struct error *e) {
    struct db_query q = store_query(s, SQL_AUTHOR_ADD);
    db_bind_int(&q, ":network", s->network);
    store_bind_key(&q, ":agent", agent);
    store_bind_key(&q, ":member", member);
    enum err err = db_run_query(&q, e);
    if (err == ERR_OK)
        *ret_id = db_last_rowid(s->db);
    return err;
}

enum err store_set_forked(struct store *s, int64_t author, bool forked, struct error *e) {
    struct db_query q = store_query(s, SQL_AUTHOR_FORKED);
    db_bind_int(&q, ":author", author);
    db_bind_int(&q, ":forked", forked ? 1 : 0);
    return db_run_query(&q, e);
}

/* ---- the log ---- */

static void bind_entry(struct db_query *q, const struct store_entry *entry) {
    db_bind_int(q, ":author", entry->author);
    db_bind_int(q, ":incarnation", (int64_t)entry->incarnation);
    db_bind_int(q, ":seq", (int64_t)entry->seq);
    db_bind_int(q, ":received", entry->received_ms);
    store_bind_hash(q, ":hash", entry->hash);
    db_bind_blob(q, ":body", entry->body);
}

enum err store_append(struct store *s, const struct store_entry *entry, struct error *e) {
    struct db_query q = store_query(s, SQL_LOG_ADD);
    bind_entry(&q, entry);
    db_bind_int(&q, ":index", (int64_t)entry->log_index);
    db_bind_int(&q, ":network", s->network);
    db_bind_int(&q, ":kind", entry->kind);
    return db_run_query(&q, e);
}

enum err store_tip(struct store *s, uint64_t *ret_log_index, struct error *e) {
    struct db_query q = store_query(s, SQL_LOG_TIP);
    int64_t tip = db_step(&q) ? db_column_int(&q, 0) : 0;
    enum err err = db_finish(&q, e);
    if (err == ERR_OK)
        *ret_log_index = (uint64_t)tip;
    return err;
}

enum err store_held(struct store *s, int64_t author, uint64_t seq, bool *ret_found,
                    uint64_t *ret_incarnation, struct hash *ret_hash, struct error *e) {
    struct db_query q = store_query(s, SQL_LOG_HELD);
    struct hash hash = {{0}};
    int64_t incarnation = 0;
    bool good = true;
    db_bind_int(&q, ":author", author);
    db_bind_int(&q, ":seq", (int64_t)seq);
    bool found = db_step(&q);
    if (found) {
        incarnation = db_column_int(&q, 0);
        good = store_column_copy(&q, 1, hash.b, HASH_LEN);
    }
    enum err err = db_finish(&q, e);
    if (err == ERR_OK && !good)
        err = store_damaged("log", e);
    if (err != ERR_OK)
        return err;
    *ret_found = found;
    *ret_incarnation = (uint64_t)incarnation;
    *ret_hash = hash;
    return ERR_OK;
}

enum err store_feed(struct store *s, int64_t author, uint64_t after, int64_t limit,
                    store_entry_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_LOG_FEED);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":author", author);
    db_bind_int(&q, ":after", after > INT64_MAX ? INT64_MAX : (int64_t)after);
    db_bind_int(&q, ":limit", limit);
    while (visited == ERR_OK && db_step(&q)) {
        struct store_entry entry = {
            .log_index = (uint64_t)db_column_int(&q, 0),
            .author = author,
            .incarnation = (uint64_t)db_column_int(&q, 1),
            .seq = (uint64_t)db_column_int(&q, 2),
            .kind = (uint32_t)db_column_int(&q, 3),
            .received_ms = db_column_int(&q, 4),
            .body = db_column_blob(&q, 5),
        };
        visited = visit(ctx, &entry, e);
    }
    return db_finish_visit(&q, visited, e);
}

enum err store_add_fork(struct store *s, const struct store_entry *entry, struct error *e) {
    struct db_query q = store_query(s, SQL_FORK_ADD);
    bind_entry(&q, entry);
    return db_run_query(&q, e);
}

enum err store_forks(struct store *s, store_fork_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_FORKS);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":network", s->network);
    while (visited == ERR_OK && db_step(&q)) {
        struct store_fork f = {.incarnation = (uint64_t)db_column_int(&q, 2),
                               .seq = (uint64_t)db_column_int(&q, 3),
                               .found_ms = db_column_int(&q, 4)};
        bool good = store_column_copy(&q, 0, f.agent.b, KEY_LEN) &&
                    store_column_copy(&q, 1, f.member.b, KEY_LEN);
        visited = good ? visit(ctx, &f, e) : store_damaged("fork", e);
    }
    return db_finish_visit(&q, visited, e);
}

enum err store_add_actor(struct store *s, uint64_t log_index, const char *actor, struct error *e) {
    struct db_query q = store_query(s, SQL_ACT_ADD);
    db_bind_int(&q, ":index", (int64_t)log_index);
    db_bind_text(&q, ":actor", actor);
    return db_run_query(&q, e);
}
