/* Owns opening a database: private file, ownership checks, settings, migrations, preparation.
 * Must not write a byte to a file before it is known to be ours and not newer. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db_private.h"

#define DB_LOG_PAGES 1000
#define DB_CACHE_KIB 2000
#define DB_LOG_KEEP 2 /* a log grown by one big commit is cut back to so many times its size */
#define DB_PAGE_BYTES 4096
#define DB_PIECE_BYTES (64 * 1024) /* of the log, when it is written again */
#define DB_SYNCHRONOUS_FULL 2

static const char *const verb_sql[VERB_COUNT] = {
    [VERB_BEGIN] = "BEGIN IMMEDIATE", [VERB_COMMIT] = "COMMIT",
    [VERB_ROLLBACK] = "ROLLBACK",     [VERB_SAVE] = "SAVEPOINT item",
    [VERB_RELEASE] = "RELEASE item",  [VERB_UNDO] = "ROLLBACK TO item",
};

/* ---- small SQL, outside the table ---- */

static enum err db_exec(struct db *db, const char *sql, const char *what, struct error *e) {
    errno = 0;
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : db_fail(db, db_result(db, rc), what, e);
}

/* The first column of the first row, 0 when there is no row. */
static enum err db_read_int(struct db *db, const char *sql, int64_t *ret, struct error *e) {
    sqlite3_stmt *statement = NULL;
    errno = 0;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    rc = db_result(db, rc);
    int64_t value = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    enum err code = db_code(rc);
    if (code != ERR_OK)
        code = db_fail(db, rc, sql, e);
    sqlite3_finalize(statement);
    if (code == ERR_OK)
        *ret = value;
    return code;
}

static enum err db_expect_wal(struct db *db, struct error *e) {
    int64_t is_wal = 0;
    enum err code = db_exec(db, "PRAGMA journal_mode = WAL", "cannot use a write-ahead log", e);
    if (code == ERR_OK)
        code = db_read_int(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal, e);
    if (code == ERR_OK && !is_wal)
        code = error_at(e, ERR_STORE, db->path, 0, 0,
                        "the file system does not allow a write-ahead log: use a local disk");
    return code;
}

/* ---- open ---- */

/* The log and any journal take their mode from the database file. O_EXCL: an existing file is not
 * opened here, because closing it would drop the locks this process may hold on it. */
static enum err db_create_private(const char *path, struct error *e) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return ERR_OK;
    if (fd < 0) {
        bool full = errno == ENOSPC || errno == EDQUOT;
        return error_at(e, full ? ERR_DISK_FULL : ERR_STORE, path, 0, 0,
                        "the database cannot be created: %s", strerror(errno));
    }
    int failed = fchmod(fd, 0600); /* whatever the umask is */
    close(fd);
    if (failed)
        return error_at(e, ERR_STORE, path, 0, 0, "cannot be made private: %s", strerror(errno));
    return ERR_OK;
}

/* Nothing is written to the file before db_inspect accepted it: a log that is there stays there. */
static enum err db_open_handle(struct db *db, const char *vfs, struct error *e) {
    enum err code = db_create_private(db->path, e);
    if (code != ERR_OK)
        return code;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    /* Counting its memory costs a lock an allocation and nobody reads it. Refused, which is
     * harmless, once SQLite has been used in this process. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    errno = 0;
    int rc = sqlite3_open_v2(db->path, &db->handle, flags, vfs);
    if (db->handle == NULL)
        return error_at(e, ERR_NO_MEMORY, db->path, 0, 0, "no memory to open the database");
    sqlite3_extended_result_codes(db->handle, 1);
    if (rc != SQLITE_OK)
        return db_fail(db, db_result(db, rc), "cannot be opened", e);

    char log[PATH_MAX];
    int n = snprintf(log, sizeof log, "%s-wal", db->path);
    bool keep_log = n > 0 && (size_t)n < sizeof log && access(log, F_OK) == 0;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_log ? 1 : 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    /* Exclusive before the first access: the index of the log then lives on the heap and no
     * shared-memory file is made. Temporary tables and sorts never reach a file elsewhere. */
    return db_exec(db,
                   "PRAGMA locking_mode = EXCLUSIVE;"
                   "PRAGMA temp_store = MEMORY;"
                   "PRAGMA cell_size_check = ON;",
                   "cannot be configured", e);
}

static enum err db_refuse_foreign(const struct db *db, const char *found, struct error *e) {
    return error_at(e, ERR_CONFIG, db->path, 0, 0,
                    "%s: this is not a database of this program; name another file", found);
}

/* Reads only. ret_version is the schema version found, ret_fresh that the file holds nothing. */
static enum err db_inspect(struct db *db, const struct db_schema *schema, int *ret_version,
                           bool *ret_fresh, struct error *e) {
    int64_t application = 0;
    int64_t version = 0;
    int64_t objects = 0;
    enum err code = db_read_int(db, "SELECT count(*) FROM sqlite_schema", &objects, e);
    if (code == ERR_STORE && sqlite3_errcode(db->handle) == SQLITE_NOTADB)
        return db_refuse_foreign(db, "found a file of another format", e);
    if (code == ERR_OK)
        code = db_read_int(db, "PRAGMA application_id", &application, e);
    if (code == ERR_OK)
        code = db_read_int(db, "PRAGMA user_version", &version, e);
    if (code != ERR_OK)
        return code;

    bool fresh = objects == 0 && application == 0 && version == 0;
    char found[64];
    snprintf(found, sizeof found, "found application id 0x%08x, expected 0x%08x",
             (unsigned)(uint32_t)application, (unsigned)schema->application_id);
    if (!fresh && (uint32_t)application != schema->application_id)
        return db_refuse_foreign(db, found, e);
    if (version < 0)
        return db_refuse_foreign(db, "found a negative schema version", e);
    if (version > schema->count)
        return error_at(e, ERR_SCHEMA_NEWER, db->path, 0, 0,
                        "found schema version %lld, this program knows up to %d: install the "
                        "version that wrote it or a later one",
                        (long long)version, schema->count);
    *ret_version = (int)version;
    *ret_fresh = fresh;
    return ERR_OK;
}

/* ---- the log that is there ---- */

/* Writes the log's own bytes over themselves, and syncs them. */
static int db_rewrite(sqlite3_file *log, uint8_t *piece) {
    sqlite3_int64 size = 0, at = 0;
    int rc = log->pMethods->xFileSize(log, &size);
    for (; rc == SQLITE_OK && at < size; at += DB_PIECE_BYTES) {
        int len = size - at < DB_PIECE_BYTES ? (int)(size - at) : DB_PIECE_BYTES;
        rc = log->pMethods->xRead(log, piece, len, at);
        if (rc == SQLITE_OK)
            rc = log->pMethods->xWrite(log, piece, len, at);
    }
    if (rc == SQLITE_OK && size > 0)
        rc = log->pMethods->xSync(log, SQLITE_SYNC_FULL);
    return rc;
}

/* A process that ended after a failed sync leaves a log that reads well and may be on no disk: the
 * system drops what it could not write and says so once. Nothing is answered from it before it was
 * written again. A log that an orderly end left behind is empty. */
static enum err db_renew_log(struct db *db, struct error *e) {
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc != SQLITE_OK || log == NULL || log->pMethods == NULL)
        return ERR_OK; /* a new database has none yet */
    uint8_t *piece = malloc(DB_PIECE_BYTES);
    if (piece == NULL)
        return error_at(e, ERR_NO_MEMORY, db->path, 0, 0, "no memory to open the database");
    errno = 0;
    rc = db_result(db, db_rewrite(log, piece));
    free(piece);
    return rc == SQLITE_OK ? ERR_OK : db_fail(db, rc, "the log cannot be written again", e);
}

static enum err db_configure(struct db *db, const struct db_schema *schema, bool fresh,
                             struct error *e) {
    char sql[64], sizes[160];
    int pages = schema->log_pages > 0 ? schema->log_pages : DB_LOG_PAGES;
    snprintf(sql, sizeof sql, "PRAGMA application_id = %ld", (long)(int32_t)schema->application_id);
    int cache_kib = schema->cache_kib > 0 ? schema->cache_kib : DB_CACHE_KIB;
    snprintf(sizes, sizeof sizes,
             "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %lld;"
             "PRAGMA cache_size = -%d;",
             pages, (long long)pages * DB_PAGE_BYTES * DB_LOG_KEEP, cache_kib);
    int64_t synchronous = 0;
    enum err code = db_expect_wal(db, e);
    if (code == ERR_OK)
        code = db_exec(db, "PRAGMA synchronous = FULL", "cannot be configured", e);
    if (code == ERR_OK)
        code = db_exec(db, sizes, "cannot be configured", e);
    if (code == ERR_OK)
        code = db_read_int(db, "PRAGMA synchronous", &synchronous, e);
    if (code == ERR_OK && synchronous != DB_SYNCHRONOUS_FULL)
        code = error_at(e, ERR_STORE, db->path, 0, 0, "SQLite does not sync every commit");
    if (code == ERR_OK && fresh)
        code = db_exec(db, sql, "cannot be marked as ours", e);
    return code;
}

/* ---- migrations ---- */

static enum err db_check_references(struct db *db, struct error *e) {
    int64_t broken = 0;
    enum err code = db_read_int(db, "SELECT count(*) FROM pragma_foreign_key_check", &broken, e);
    if (code == ERR_OK && broken != 0)
        code =
            error_set(e, ERR_STORE, "%lld rows refer to rows that do not exist", (long long)broken);
    return code;
}

static enum err db_migrate_inside(struct db *db, const char *sql, int version, struct error *e) {
    enum err code = db_exec(db, sql, "SQL", e);
    if (code == ERR_OK && sqlite3_get_autocommit(db->handle))
        code = error_set(e, ERR_STORE, "it ends its own transaction");
    if (code == ERR_OK)
        code = db_check_references(db, e);
    char bump[64];
    snprintf(bump, sizeof bump, "PRAGMA user_version = %d", version + 1);
    if (code == ERR_OK)
        code = db_exec(db, bump, "version", e);
    if (code == ERR_OK)
        code = db_exec(db, "COMMIT", "commit", e);
    return code;
}

static enum err db_migrate_one(struct db *db, const struct db_schema *schema, int version,
                               struct error *e) {
    struct error inner = {0};
    enum err code = db_exec(db, verb_sql[VERB_BEGIN], "begin", &inner);
    if (code == ERR_OK)
        code = db_migrate_inside(db, schema->migrations[version], version, &inner);
    if (code == ERR_OK)
        return ERR_OK;
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, verb_sql[VERB_ROLLBACK], NULL, NULL, NULL);
    /* A constraint or a lock met here is no caller's conflict: the migration is wrong. */
    if (code != ERR_DISK_FULL && code != ERR_NO_MEMORY)
        code = ERR_STORE;
    return error_at(e, code, db->path, 0, 0,
                    "migration %d of %d failed, the database stays at version %d: %.150s",
                    version + 1, schema->count, version, inner.detail);
}

/* Foreign keys are off meanwhile, so that a migration can rebuild a table others refer to; every
 * reference is checked before its commit instead. */
static enum err db_migrate(struct db *db, const struct db_schema *schema, int version,
                           struct error *e) {
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    enum err code = ERR_OK;
    for (int i = version; i < schema->count && code == ERR_OK; i++)
        code = db_migrate_one(db, schema, i, e);
    if (code != ERR_OK)
        return code;
    int on = 0;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, &on);
    if (!on)
        return error_at(e, ERR_STORE, db->path, 0, 0, "SQLite does not enforce foreign keys");
    return ERR_OK;
}

/* ---- prepared statements ---- */

static enum err db_prepare_one(struct db *db, const char *name, const char *sql, sqlite3_stmt **ret,
                               struct error *e) {
    char what[96];
    snprintf(what, sizeof what, "statement '%s'", name);
    const char *tail = NULL;
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, &tail);
    if (rc != SQLITE_OK)
        return db_fail_as(db, rc == SQLITE_NOMEM ? ERR_NO_MEMORY : ERR_STORE, rc, what, e);
    *ret = statement;
    if (statement == NULL || tail[strspn(tail, "; \t\r\n")] != '\0')
        return error_at(e, ERR_STORE, db->path, 0, 0, "%s must hold exactly one statement", what);
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
        const char *parameter = sqlite3_bind_parameter_name(statement, i);
        if (parameter == NULL || parameter[0] != ':')
            return error_at(e, ERR_STORE, db->path, 0, 0,
                            "%s has a parameter without a ':name' (number %d)", what, i);
    }
    return ERR_OK;
}

static enum err db_prepare_verbs(struct db *db, struct error *e) {
    enum err code = ERR_OK;
    for (int i = 0; i < VERB_COUNT && code == ERR_OK; i++)
        code = db_prepare_one(db, verb_sql[i], verb_sql[i], &db->verbs[i], e);
    return code;
}

enum err db_prepare_all(struct db *db, struct error *e) {
    enum err code = ERR_OK;
    for (int i = 0; i < db->count && code == ERR_OK; i++)
        if (db->prepared[i] == NULL)
            code = db_prepare_one(db, db->table[i].name, db->table[i].sql, &db->prepared[i], e);
    return code;
}

/* A relative name gets "./" in front: SQLite gives a meaning of its own to "", ":memory:" and
 * "file:...?..." (the last could even switch locking off). */
static struct db *db_new(const char *path, const struct db_statement *statements, int count) {
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return NULL;
    const char *prefix = path[0] == '/' ? "" : "./";
    size_t room = (size_t)count + 1; /* an empty table is allowed */
    db->table = statements;
    db->count = count;
    db->prepared = calloc(room, sizeof(sqlite3_stmt *));
    db->running = calloc(room, sizeof(bool));
    if (asprintf(&db->path, "%s%s", prefix, path) < 0)
        db->path = NULL;
    if (db->prepared == NULL || db->running == NULL || db->path == NULL) {
        db_close(db);
        return NULL;
    }
    return db;
}

enum err db_open(const char *path, const char *vfs, const struct db_schema *schema,
                 const struct db_statement *statements, int count, struct db **ret,
                 struct error *e) {
    struct db *db = db_new(path, statements, count);
    if (db == NULL)
        return error_at(e, ERR_NO_MEMORY, path, 0, 0, "no memory to open the database");
    int version = 0;
    bool fresh = false;
    enum err code = db_open_handle(db, vfs, e);
    if (code == ERR_OK)
        code = db_inspect(db, schema, &version, &fresh, e);
    if (code == ERR_OK)
        code = db_renew_log(db, e);
    if (code == ERR_OK) {
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        code = db_configure(db, schema, fresh, e);
    }
    if (code == ERR_OK)
        code = db_migrate(db, schema, version, e);
    if (code == ERR_OK)
        code = db_prepare_verbs(db, e);
    if (code != ERR_OK) {
        db_close(db);
        return code;
    }
    *ret = db;
    return ERR_OK;
}
