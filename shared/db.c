/* Owns transactions and queries over one SQLite connection, and what its results mean to us.
 * Must not know any table, read the environment, or be used by two threads at a time. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db_private.h"

/* ---- results ---- */

/* A full disk can show as a failed sync, truncate or open: only errno tells. SQLite keeps it for
 * sqlite3_system_errno in some calls only (not in a failed COMMIT), so the errno that the call left
 * comes first; the caller cleared it before. */
int db_result(const struct db *db, int rc) {
    int number = errno != 0 ? errno : sqlite3_system_errno(db->handle);
    int primary = rc & 0xff;
    if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
        return rc;
    return number == ENOSPC || number == EDQUOT ? SQLITE_FULL : rc;
}

enum err db_code(int rc) {
    if (rc == SQLITE_IOERR_NOMEM)
        return ERR_NO_MEMORY;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_LOCKED;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_STORE;
    }
}

static const char *db_advice(enum err code) {
    if (code == ERR_DISK_FULL)
        return "; free some space and try again";
    if (code == ERR_LOCKED)
        return "; another process uses it: stop it first";
    return "";
}

/* SQLite's own message is used only while it still belongs to that result. */
enum err db_fail_as(const struct db *db, enum err code, int rc, const char *what, struct error *e) {
    bool current = rc == sqlite3_extended_errcode(db->handle);
    return error_at(e, code, db->path, 0, 0, "%s: %s (SQLite %d)%s", what,
                    current ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc), rc, db_advice(code));
}

enum err db_fail(const struct db *db, int rc, const char *what, struct error *e) {
    return db_fail_as(db, db_code(rc), rc, what, e);
}

void db_close(struct db *db) {
    if (db == NULL)
        return;
    for (int i = 0; i < VERB_COUNT; i++)
        sqlite3_finalize(db->verbs[i]);
    for (int i = 0; db->prepared != NULL && i < db->count; i++)
        sqlite3_finalize(db->prepared[i]);
    int rc = sqlite3_close(db->handle);
    assert(rc == SQLITE_OK);
    (void)rc;
    free(db->prepared);
    free(db->running);
    free(db->path);
    free(db);
}

/* ---- transactions ---- */

/* Some failures make SQLite end the whole transaction, savepoints included. */
static void db_notice_rollback(struct db *db, enum err cause) {
    if (db->depth == 0 || !sqlite3_get_autocommit(db->handle))
        return;
    db->doom = cause;
}

/* A db_result; SQLITE_DONE is success. */
static int db_verb(struct db *db, enum db_verb verb) {
    errno = 0;
    int rc = db_result(db, sqlite3_step(db->verbs[verb]));
    sqlite3_reset(db->verbs[verb]); /* leaves the message of a failed step in place */
    return rc;
}

/* Savepoints opened at this depth or deeper: their changes stay with what surrounds them. */
static void db_drop_saves(struct db *db, int depth) {
    while (db->saves > 0 && db->save_depth[db->saves - 1] >= depth) {
        if (!sqlite3_get_autocommit(db->handle))
            db_verb(db, VERB_RELEASE);
        db->saves--;
    }
}

static void db_end_level(struct db *db) {
    db_drop_saves(db, db->depth);
    db->depth--;
    if (db->depth > 0)
        return;
    if (!sqlite3_get_autocommit(db->handle))
        db_verb(db, VERB_ROLLBACK);
    db->doom = ERR_OK;
}

static enum err db_doomed(const struct db *db, struct error *e) {
    return error_at(e, db->doom, db->path, 0, 0,
                    "the transaction was rolled back after a failure (%s): nothing of it is kept",
                    error_name(db->doom));
}

enum err db_begin(struct db *db, struct error *e) {
    if (db->doom != ERR_OK)
        return db_doomed(db, e);
    if (db->depth == 0) {
        int rc = db_verb(db, VERB_BEGIN);
        if (rc != SQLITE_DONE)
            return db_fail(db, rc, "a transaction cannot begin", e);
    }
    db->depth++;
    return ERR_OK;
}

enum err db_commit(struct db *db, struct error *e) {
    if (db->depth == 0)
        return error_at(e, ERR_STORE, db->path, 0, 0, "commit without an open transaction");
    if (db->doom != ERR_OK) {
        enum err code = db_doomed(db, e);
        db_rollback(db);
        return code;
    }
    assert(db->saves == 0 || db->save_depth[db->saves - 1] < db->depth);
    enum err code = ERR_OK;
    int rc = db->depth == 1 ? db_verb(db, VERB_COMMIT) : SQLITE_DONE;
    if (rc != SQLITE_DONE) {
        code = db_code(rc) == ERR_LOCKED ? ERR_STORE : db_code(rc); /* a query is unfinished */
        code = db_fail_as(db, code, rc, "the transaction was not committed", e);
    }
    db_end_level(db);
    return code;
}

static void db_rollback_all(struct db *db) {
    if (!sqlite3_get_autocommit(db->handle))
        db_verb(db, VERB_ROLLBACK);
    db->doom = ERR_STORE;
}

void db_rollback(struct db *db) {
    if (db->depth == 0)
        return;
    if (!sqlite3_get_autocommit(db->handle)) {
        db_drop_saves(db, db->depth);
        db->doom = ERR_STORE; /* with a savepoint around this level, db_undo does the rest */
        if (db->saves == 0)
            db_rollback_all(db);
    }
    db_end_level(db);
}

enum err db_end(struct db *db, enum err code, struct error *e) {
    if (code == ERR_OK)
        return db_commit(db, e);
    db_rollback(db);
    return code;
}

enum err db_savepoint(struct db *db, struct error *e) {
    if (db->doom != ERR_OK)
        return db_doomed(db, e);
    if (db->depth == 0 || db->saves == DB_MAX_SAVEPOINTS)
        return error_at(e, ERR_STORE, db->path, 0, 0,
                        "savepoint at transaction depth %d with %d open: expected a transaction "
                        "and fewer than %d",
                        db->depth, db->saves, DB_MAX_SAVEPOINTS);
    int rc = db_verb(db, VERB_SAVE);
    if (rc != SQLITE_DONE) {
        enum err code = db_fail(db, rc, "a savepoint cannot be set", e);
        db_notice_rollback(db, code);
        return code;
    }
    db->save_depth[db->saves++] = db->depth;
    return ERR_OK;
}

enum err db_release(struct db *db, struct error *e) {
    if (db->doom != ERR_OK) {
        enum err code = db_doomed(db, e);
        db_undo(db);
        return code;
    }
    if (db->saves == 0)
        return error_at(e, ERR_STORE, db->path, 0, 0, "release without an open savepoint");
    int rc = db_verb(db, VERB_RELEASE);
    if (rc != SQLITE_DONE) {
        enum err code = db_fail(db, rc, "a savepoint cannot be released", e);
        db_notice_rollback(db, code);
        db_undo(db);
        return code;
    }
    db->saves--;
    return ERR_OK;
}

void db_undo(struct db *db) {
    if (db->saves == 0)
        return;
    assert(db->depth == db->save_depth[db->saves - 1]);
    if (!sqlite3_get_autocommit(db->handle)) {
        db->doom = ERR_OK;
        if (db_verb(db, VERB_UNDO) != SQLITE_DONE || db_verb(db, VERB_RELEASE) != SQLITE_DONE)
            db_rollback_all(db);
    }
    db->saves--;
}

bool db_in_transaction(const struct db *db) {
    return db->depth > 0;
}

void db_checkpoint(struct db *db) {
    if (db->depth > 0)
        return;
    /* A failure costs nothing: the log keeps what it holds and the next commit tries again. */
    sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

void db_rest(struct db *db) {
    db_checkpoint(db);
    for (int i = 0; i < db->count; i++) {
        if (db->running[i])
            continue;
        sqlite3_finalize(db->prepared[i]);
        db->prepared[i] = NULL;
    }
    sqlite3_db_release_memory(db->handle);
}

int64_t db_changes(struct db *db) {
    return sqlite3_changes64(db->handle);
}

int64_t db_last_rowid(struct db *db) {
    return sqlite3_last_insert_rowid(db->handle);
}

/* ---- queries ---- */

static sqlite3_stmt *query_prepared(const struct db_query *q) {
    return q->db->prepared[q->statement];
}

/* When it is first run, and again after db_rest let go of it. */
static int query_prepare(struct db *db, int statement) {
    if (db->prepared[statement] != NULL)
        return SQLITE_OK;
    errno = 0;
    return db_result(db,
                     sqlite3_prepare_v3(db->handle, db->table[statement].sql, -1,
                                        SQLITE_PREPARE_PERSISTENT, &db->prepared[statement], NULL));
}

struct db_query db_query(struct db *db, int statement) {
    assert(statement >= 0 && statement < db->count);
    assert(!db->running[statement]);
    db->running[statement] = true;
    return (struct db_query){db, statement, query_prepare(db, statement), 0};
}

/* The parameter's number; 0 when the query failed already, so that nothing is bound. Bound in the
 * order in which they stand, parameters are not searched for. */
static int query_parameter(struct db_query *q, const char *name) {
    if (q->rc != SQLITE_OK)
        return 0;
    const char *next = sqlite3_bind_parameter_name(query_prepared(q), q->bound + 1);
    int index = next != NULL && strcmp(next, name) == 0
                    ? q->bound + 1
                    : sqlite3_bind_parameter_index(query_prepared(q), name);
    q->bound = index;
    assert(index > 0);
    if (index == 0)
        q->rc = SQLITE_RANGE;
    return index;
}

void db_bind_int(struct db_query *q, const char *name, int64_t value) {
    int index = query_parameter(q, name);
    if (index > 0)
        q->rc = sqlite3_bind_int64(query_prepared(q), index, value);
}

void db_bind_text(struct db_query *q, const char *name, const char *value) {
    int index = query_parameter(q, name);
    if (index > 0)
        q->rc =
            sqlite3_bind_text64(query_prepared(q), index, value, value == NULL ? 0 : strlen(value),
                                SQLITE_TRANSIENT, SQLITE_UTF8);
}

void db_bind_blob(struct db_query *q, const char *name, struct bytes value) {
    assert(value.data != NULL || value.len == 0);
    int index = query_parameter(q, name);
    if (index > 0 && value.len == 0)
        q->rc = sqlite3_bind_zeroblob(query_prepared(q), index, 0);
    else if (index > 0)
        q->rc =
            sqlite3_bind_blob64(query_prepared(q), index, value.data, value.len, SQLITE_TRANSIENT);
}

void db_bind_null(struct db_query *q, const char *name) {
    int index = query_parameter(q, name);
    if (index > 0)
        q->rc = sqlite3_bind_null(query_prepared(q), index);
}

void db_bind_opt(struct db_query *q, const char *name, bool present, int64_t value) {
    if (present)
        db_bind_int(q, name, value);
    else
        db_bind_null(q, name);
}

bool db_step(struct db_query *q) {
    if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW)
        return false;
    if (q->db->doom != ERR_OK) {
        q->rc = SQLITE_ABORT;
        return false;
    }
    errno = 0;
    q->rc = db_result(q->db, sqlite3_step(query_prepared(q)));
    if (q->rc == SQLITE_ROW)
        return true;
    if (q->rc != SQLITE_DONE)
        db_notice_rollback(q->db, db_code(q->rc));
    return false;
}

bool db_column_null(struct db_query *q, int column) {
    assert(q->rc == SQLITE_ROW);
    return sqlite3_column_type(query_prepared(q), column) == SQLITE_NULL;
}

int64_t db_column_int(struct db_query *q, int column) {
    assert(q->rc == SQLITE_ROW);
    return sqlite3_column_int64(query_prepared(q), column);
}

const char *db_column_text(struct db_query *q, int column) {
    assert(q->rc == SQLITE_ROW);
    const unsigned char *text = sqlite3_column_text(query_prepared(q), column);
    return text == NULL ? "" : (const char *)text;
}

struct bytes db_column_blob(struct db_query *q, int column) {
    assert(q->rc == SQLITE_ROW);
    const void *data = sqlite3_column_blob(query_prepared(q), column);
    int len = sqlite3_column_bytes(query_prepared(q), column);
    return bytes_of(data, (size_t)len);
}

enum err db_finish(struct db_query *q, struct error *e) {
    struct db *db = q->db;
    sqlite3_stmt *statement = query_prepared(q);
    errno = 0;
    int reset = sqlite3_reset(statement); /* repeats the failure of the last step, if any */
    enum err code = db_code(q->rc);
    if (code == ERR_OK && reset != SQLITE_OK) { /* the commit of a statement left half-read */
        q->rc = db_result(db, reset);
        code = db_code(q->rc);
        db_notice_rollback(db, code);
    }
    if (code != ERR_OK && q->rc == SQLITE_ABORT && db->doom != ERR_OK)
        code = db_doomed(db, e);
    else if (code != ERR_OK)
        code = db_fail(db, q->rc, db->table[q->statement].name, e);
    if (statement != NULL) /* it could not be prepared again */
        sqlite3_clear_bindings(statement);
    db->running[q->statement] = false;
    return code;
}

enum err db_finish_visit(struct db_query *q, enum err visited, struct error *e) {
    enum err code = db_finish(q, visited == ERR_OK ? e : NULL);
    return visited != ERR_OK ? visited : code;
}

enum err db_run_query(struct db_query *q, struct error *e) {
    while (db_step(q))
        continue;
    return db_finish(q, e);
}

enum err db_run(struct db *db, int statement, struct error *e) {
    struct db_query q = db_query(db, statement);
    return db_run_query(&q, e);
}

#ifdef PLEK_FAILPOINTS
void db_test_set_synchronous(struct db *db, int level) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA synchronous = %d", level);
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    assert(rc == SQLITE_OK);
    (void)rc;
}
#endif
