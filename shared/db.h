/* Owns the one gateway to SQLite: open, migrate, prepared statements, transactions.
 * Must not know any table. Design: one connection per file, WAL, synchronous=FULL,
 * locking_mode=EXCLUSIVE, foreign keys on, STRICT tables. Not for use by two threads at a time. */
#ifndef PLEK_DB_H
#define PLEK_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "error.h"

struct db; /* opaque */

/* Append-only: migration i takes the database from version i to i+1, each in one transaction with
 * its `user_version` bump. */
struct db_schema {
    uint32_t application_id;
    const char *const *migrations;
    int count;
    /* Pages of the write-ahead log before a commit folds it into the file, which makes that commit
     * wait; the log may keep that size. 0: 1,000, about 4 MiB. */
    int log_pages;
    int cache_kib; /* of pages that stay in memory until db_rest; 0: 2,000 */
};

/* All SQL of a store: an array indexed by the store's own statement enum, each prepared when it is
 * first run. */
struct db_statement {
    const char *name; /* for error messages */
    const char *sql;  /* named parameters only (":seq") */
};

/* Opens or creates the file and migrates it. `vfs` NULL is SQLite's default (tests name others).
 * Errors: ERR_SCHEMA_NEWER (nothing touched), ERR_CONFIG for a file that is another application's,
 * ERR_LOCKED, ERR_DISK_FULL, ERR_STORE. */
enum err db_open(const char *path, const char *vfs, const struct db_schema *schema,
                 const struct db_statement *statements, int count, struct db **ret, struct error *e)
    MUST_USE;
void db_close(struct db *db); /* accepts NULL; rolls back an open transaction; checkpoints */

/* Transactions. They nest by counting: only the outermost begins and commits. After db_rollback at
 * any depth every enclosing db_commit fails with ERR_STORE and nothing is changed; only a savepoint
 * that stands around the rolled-back level bounds it: db_undo to it, and the rest can commit.
 * db_commit returns only after the sync of its commit. ERR_DISK_FULL, ERR_STORE, ERR_CONFLICT (a
 * deferred foreign key): rolled back, and the level has ended (no db_rollback after it). When
 * SQLite itself ended the transaction after a failure, every statement and commit in it fails. */
enum err db_begin(struct db *db, struct error *e) MUST_USE;
enum err db_commit(struct db *db, struct error *e) MUST_USE;
void db_rollback(struct db *db);
/* Ends a transaction by how its work went: commits ERR_OK, or rolls back and returns `code`. */
enum err db_end(struct db *db, enum err code, struct error *e) MUST_USE;
/* A savepoint inside a transaction, for one item of a batch that may fail alone. */
enum err db_savepoint(struct db *db, struct error *e) MUST_USE;
enum err db_release(struct db *db, struct error *e) MUST_USE;
void db_undo(struct db *db); /* back to the savepoint, and release it */

/* Prepares every statement of the table now, for the tests that show that none is wrong. ERR_STORE
 * names the first that does not fit the schema, is not one statement, or has a parameter without a
 * name. */
enum err db_prepare_all(struct db *db, struct error *e) MUST_USE;

/* A run of one prepared statement. Usage:
 *     struct db_query q = db_query(db, STMT_FIND);
 *     db_bind_int(&q, ":seq", seq);
 *     while (db_step(&q)) { ... db_column_int(&q, 0) ... }
 *     return db_finish(&q, e);
 * Errors are sticky in the query and come out of db_finish, which always resets the statement.
 * Binding an unknown parameter name is our bug (assert). One query of a statement at a time. */
struct db_query {
    struct db *db;
    int statement;
    int rc;    /* sticky SQLite result */
    int bound; /* the parameter bound last */
};

struct db_query db_query(struct db *db, int statement);
void db_bind_int(struct db_query *q, const char *name, int64_t value);
void db_bind_text(struct db_query *q, const char *name, const char *value); /* NULL binds NULL */
void db_bind_blob(struct db_query *q, const char *name,
                  struct bytes value); /* data NULL, len 0: empty blob */
void db_bind_null(struct db_query *q, const char *name);
/* NULL when !present: unknown is never 0. */
void db_bind_opt(struct db_query *q, const char *name, bool present, int64_t value);
bool db_step(struct db_query *q); /* true: a row is there */
bool db_column_null(struct db_query *q, int column);
int64_t db_column_int(struct db_query *q, int column);
/* Borrowed until the next step or finish; "" for NULL. */
const char *db_column_text(struct db_query *q, int column);
struct bytes db_column_blob(struct db_query *q, int column);
/* ERR_OK, or ERR_CONFLICT for a violated constraint, ERR_DISK_FULL, ERR_NO_MEMORY, ERR_STORE. */
enum err db_finish(struct db_query *q, struct error *e) MUST_USE;
/* After the loop over a query's rows: what the visit returned wins over how the query went. */
enum err db_finish_visit(struct db_query *q, enum err visited, struct error *e) MUST_USE;
/* Step to the end, finish. */
enum err db_run_query(struct db_query *q, struct error *e) MUST_USE;
/* The same for a statement without parameters. */
enum err db_run(struct db *db, int statement, struct error *e) MUST_USE;

#ifdef PLEK_FAILPOINTS
/* For the test that shows what a commit without syncs loses. level: 0 OFF, 1 NORMAL, 2 FULL. */
void db_test_set_synchronous(struct db *db, int level);
#endif

int64_t db_changes(struct db *db); /* rows changed by the last statement */
int64_t db_last_rowid(struct db *db);
bool db_in_transaction(const struct db *db);
/* PASSIVE checkpoint, for idle moments. */
void db_checkpoint(struct db *db);
/* The same, and the page cache and the prepared statements that do not run go. */
void db_rest(struct db *db);

/* DIR/lock: taken with flock for the life of the process. ERR_LOCKED names the holder's pid when it
 * is written there. The caller closes with lock_release. */
enum err lock_acquire(const char *dir, int *ret_fd, struct error *e) MUST_USE;
void lock_release(int fd);

#endif
