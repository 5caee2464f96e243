/* Owns all rows of a database as one hash, for tests that show that nothing changed. Its statements
 * stay prepared, so that it can be taken again and again. Must not know any table. */
#ifndef PLEK_TEST_DUMP_H
#define PLEK_TEST_DUMP_H

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>

#include "keys.h"

#define DUMP_TABLES 64
#define DUMP_MAX_BYTES (64u << 20)

struct dump {
    sqlite3_stmt *rows[DUMP_TABLES]; /* of one table each */
    size_t count;
};

static inline sqlite3_stmt *dump_prepare(sqlite3 *handle, const char *sql) {
    sqlite3_stmt *statement = NULL;
    cr_assert_eq(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(handle));
    return statement;
}

static inline sqlite3_stmt *dump_table(sqlite3 *handle, const char *table) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT * FROM %s LIMIT 0", table);
    sqlite3_stmt *statement = dump_prepare(handle, sql);
    int columns = sqlite3_column_count(statement);
    sqlite3_finalize(statement);
    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1%s%s", table, columns > 1 ? ", 2" : "",
             columns > 2 ? ", 3" : "");
    return dump_prepare(handle, sql);
}

/* `but` names tables to leave out, as an SQL list: "'alarm', 'refusal'". */
static inline void dump_open(struct dump *d, sqlite3 *handle, const char *but) {
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN (%s)"
             " AND name <> 'sqlite_sequence' ORDER BY name",
             but);
    sqlite3_stmt *names = dump_prepare(handle, sql);
    d->count = 0;
    while (sqlite3_step(names) == SQLITE_ROW) {
        cr_assert_lt(d->count, (size_t)DUMP_TABLES);
        d->rows[d->count++] = dump_table(handle, (const char *)sqlite3_column_text(names, 0));
    }
    cr_assert_gt(d->count, (size_t)0);
    sqlite3_finalize(names);
}

static inline void dump_close(struct dump *d) {
    for (size_t i = 0; i < d->count; i++)
        sqlite3_finalize(d->rows[i]);
    d->count = 0;
}

static inline void dump_rows(sqlite3_stmt *rows, struct buf *out) {
    buf_append_str(out, sqlite3_sql(rows));
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            buf_append_u8(out, (uint8_t)sqlite3_column_type(rows, i));
            int len = sqlite3_column_bytes(rows, i);
            buf_append_u32be(out, (uint32_t)len);
            buf_append(out, sqlite3_column_blob(rows, i), (size_t)len);
        }
    }
    cr_assert_eq(sqlite3_reset(rows), SQLITE_OK);
}

static inline struct hash dump_hash(const struct dump *d) {
    struct buf out;
    buf_init(&out, DUMP_MAX_BYTES);
    for (size_t i = 0; i < d->count; i++)
        dump_rows(d->rows[i], &out);
    cr_assert_eq(out.failed, ERR_OK);
    struct hash hash = hash_blake2b(buf_bytes(&out));
    buf_done(&out);
    return hash;
}

#endif
