/* Owns what db.c and db_open.c share: the handle's fields and the mapping of SQLite's results.
 * Must not be included by anything else. */
#ifndef PLEK_DB_PRIVATE_H
#define PLEK_DB_PRIVATE_H

#include <sqlite3.h>

#include "db.h"

#define DB_MAX_SAVEPOINTS 8 /* nested */

/* The transaction verbs, prepared at open so that ending a transaction needs no memory. */
enum db_verb {
    VERB_BEGIN,
    VERB_COMMIT,
    VERB_ROLLBACK,
    VERB_SAVE,
    VERB_RELEASE,
    VERB_UNDO,
    VERB_COUNT
};

/* doom is ERR_OK, or why the open transaction can no longer commit. While doomed no statement runs,
 * because SQLite might commit it on its own. When SQLite is still in a transaction then, the damage
 * is bounded by the innermost savepoint. */
struct db {
    sqlite3 *handle;
    char *path;
    const struct db_statement *table;
    sqlite3_stmt **prepared;
    bool *running;
    int count;
    sqlite3_stmt *verbs[VERB_COUNT];
    int depth;
    int saves;
    int save_depth[DB_MAX_SAVEPOINTS];
    enum err doom;
};

/* SQLite's result, or SQLITE_FULL where only errno tells that the disk is full. Set errno to 0
 * before the call into SQLite and come here right after it. */
int db_result(const struct db *db, int rc);
/* Our code of a db_result; ERR_OK for OK, ROW and DONE. */
enum err db_code(int rc);
/* The message of a db_result, with its place and an advice; returns `code`. */
enum err db_fail_as(const struct db *db, enum err code, int rc, const char *what, struct error *e);
enum err db_fail(const struct db *db, int rc, const char *what, struct error *e);

#endif
