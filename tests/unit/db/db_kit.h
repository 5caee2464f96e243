/* Owns what the tests of the gateway to SQLite share: a scratch database with two tables, and a way
 * past the gateway. Must not test anything itself. */
#ifndef PLEK_TEST_DB_KIT_H
#define PLEK_TEST_DB_KIT_H

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "db.h"
#include "unit/db/scratch.h"

#define APPLICATION 0x706c656bu
#define ITEM_TABLE                                                                                 \
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value INTEGER,"         \
    " body BLOB) STRICT;"
#define PART_TABLE                                                                                 \
    "CREATE TABLE part (item INTEGER NOT NULL REFERENCES item (id) DEFERRABLE INITIALLY"           \
    " DEFERRED) STRICT;"

enum {
    ADD,
    SET,
    FIND,
    COUNT,
    ADD_PART,
    ADD_WRONG_TYPE,
    FOREIGN_KEYS,
    SYNCHRONOUS,
    LOCKING,
    TRUSTED,
    CACHE,
    LIST,
    STATEMENTS
};

static const struct db_statement statements[STATEMENTS] = {
    [ADD] = {"add", "INSERT INTO item (name, value, body) VALUES (:name, :value, :body)"},
    [SET] = {"set", "UPDATE item SET value = :value WHERE name = :name"},
    [FIND] = {"find", "SELECT value, body, name FROM item WHERE name = :name"},
    [COUNT] = {"count", "SELECT count(*) FROM item"},
    [ADD_PART] = {"add_part", "INSERT INTO part (item) VALUES (:item)"},
    [ADD_WRONG_TYPE] = {"add_wrong_type", "INSERT INTO item (name, value) VALUES ('w', 'x')"},
    [FOREIGN_KEYS] = {"foreign_keys", "PRAGMA foreign_keys"},
    [SYNCHRONOUS] = {"synchronous", "PRAGMA synchronous"},
    [LOCKING] = {"locking", "SELECT locking_mode FROM pragma_locking_mode"},
    [TRUSTED] = {"trusted", "PRAGMA trusted_schema"},
    [CACHE] = {"cache", "PRAGMA cache_size"},
    [LIST] = {"list", "SELECT name FROM item ORDER BY id;"},
};

static const char *const two_migrations[] = {ITEM_TABLE, PART_TABLE};
static const struct db_schema schema = {APPLICATION, two_migrations, 2, 0, 0};

static struct scratch scratch;
static char path[PATH_MAX];
static struct error e;

static inline void setup(void) {
    scratch_init(&scratch);
    scratch_path(&scratch, "a.db", path);
}

static inline void teardown(void) {
    scratch_done(&scratch);
}

static inline struct db *open_with(const struct db_schema *s) {
    struct db *db = NULL;
    enum err code = db_open(path, NULL, s, statements, s->count >= 2 ? STATEMENTS : 0, &db, &e);
    cr_assert_eq(code, ERR_OK, "%s", e.detail);
    return db;
}

static inline enum err open_fails(const struct db_schema *s) {
    struct db *db = NULL;
    enum err code = db_open(path, NULL, s, NULL, 0, &db, &e);
    cr_assert_neq(code, ERR_OK);
    cr_assert_null(db);
    cr_assert_eq(e.code, code);
    return code;
}

static inline enum err add(struct db *db, const char *name, int64_t value) {
    struct db_query q = db_query(db, ADD);
    db_bind_text(&q, ":name", name);
    db_bind_int(&q, ":value", value);
    db_step(&q);
    return db_finish(&q, &e);
}

static inline int64_t read_one(struct db *db, int statement) {
    struct db_query q = db_query(db, statement);
    int64_t value = db_step(&q) ? db_column_int(&q, 0) : -1;
    cr_assert_eq(db_finish(&q, &e), ERR_OK, "%s", e.detail);
    return value;
}

/* Past our own gateway. */
static inline int64_t raw_int(const char *sql) {
    sqlite3 *raw = NULL;
    sqlite3_stmt *statement = NULL;
    cr_assert_eq(sqlite3_open_v2(path, &raw, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(raw, sql, -1, &statement, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(raw));
    int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    sqlite3_close(raw);
    return value;
}

static inline void raw_exec(const char *sql) {
    sqlite3 *raw = NULL;
    cr_assert_eq(sqlite3_open(path, &raw), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(raw));
    sqlite3_close(raw);
}

#endif
