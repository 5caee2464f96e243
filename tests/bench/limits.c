/* Measures what this machine can do at most: signatures, SQLite commits and rows, disk syncs.
 * Must not use any of the project's own code but keys.h: these are the yardsticks. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "keys.h"

#define SIGNED_BYTES 320 /* about a header and its domain */
#define KEYS 64          /* more than one, as a hub sees them */
#define VERIFIERS_MAX 256
#define ROW_BYTES 512
#define SYNC_BYTES 4096
#define LIMIT_SECONDS 2
#define SYNC_MAX 200000

/* ---- signatures ---- */

static double rate_since(int64_t start_ns, int64_t count) {
    return (double)count / bench_seconds(bench_now_ns() - start_ns);
}

static enum err measure_signatures(struct bench *b, struct error *e) {
    static uint8_t message[SIGNED_BYTES];
    static struct sign_pair pairs[KEYS];
    static uint8_t signatures[KEYS][SIGNATURE_LEN];
    int64_t until = LIMIT_SECONDS * INT64_C(1000000000), start, count;
    randombytes_buf(message, sizeof message);
    for (int i = 0; i < KEYS; i++)
        crypto_sign_keypair(pairs[i].pub.b, pairs[i].secret);
    start = bench_now_ns();
    for (count = 0; bench_now_ns() - start < until; count++)
        crypto_sign_detached(signatures[count % KEYS], NULL, message, sizeof message,
                             pairs[count % KEYS].secret);
    b->limits.sign_rate = rate_since(start, count);
    int64_t cpu = bench_cpu_ns();
    start = bench_now_ns();
    for (count = 0; bench_now_ns() - start < until; count++)
        if (crypto_sign_verify_detached(signatures[count % KEYS], message, sizeof message,
                                        pairs[count % KEYS].pub.b) != 0)
            return error_set(e, ERR_INTERNAL, "a signature just made does not verify");
    b->limits.verify_rate = rate_since(start, count);
    b->limits.verify_us = (double)(bench_cpu_ns() - cpu) / 1000 / (double)count;
    return ERR_OK;
}

/* What all processors verify together: two of them are often no two whole cores. */
struct verifier {
    pthread_t thread;
    int64_t count;
    bool failed;
};

static void *verify_for_a_while(void *ctx) {
    struct verifier *v = ctx;
    uint8_t message[SIGNED_BYTES], signature[SIGNATURE_LEN];
    struct sign_pair pair;
    int64_t until = bench_now_ns() + LIMIT_SECONDS * INT64_C(1000000000);
    randombytes_buf(message, sizeof message);
    crypto_sign_keypair(pair.pub.b, pair.secret);
    crypto_sign_detached(signature, NULL, message, sizeof message, pair.secret);
    for (v->count = 0; bench_now_ns() < until && !v->failed; v->count++)
        v->failed =
            crypto_sign_verify_detached(signature, message, sizeof message, pair.pub.b) != 0;
    return NULL;
}

static enum err measure_all_cores(struct bench *b, struct error *e) {
    struct verifier verifiers[VERIFIERS_MAX] = {{.count = 0}};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = processors < 1 ? 1 : (size_t)processors, started = 0;
    int64_t count = 0, start = bench_now_ns();
    bool failed = false;
    for (; started < wanted && started < VERIFIERS_MAX; started++)
        if (pthread_create(&verifiers[started].thread, NULL, verify_for_a_while,
                           &verifiers[started]) != 0)
            break;
    for (size_t i = 0; i < started; i++) {
        pthread_join(verifiers[i].thread, NULL);
        count += verifiers[i].count;
        failed |= verifiers[i].failed;
    }
    if (failed || started < wanted)
        return error_set(e, ERR_INTERNAL, "%zu threads of %zu verified", started, wanted);
    b->limits.verify_all_rate = rate_since(start, count);
    return ERR_OK;
}

/* ---- SQLite ---- */

static enum err sql(sqlite3 *db, const char *text, struct error *e) {
    char *why = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &why) == SQLITE_OK)
        return ERR_OK;
    error_set(e, ERR_STORE, "SQLite: %s: %s", text, why != NULL ? why : "failed");
    sqlite3_free(why);
    return e->code;
}

static enum err insert_group(sqlite3 *db, sqlite3_stmt *insert, int rows, struct error *e) {
    static uint8_t row[ROW_BYTES];
    enum err err = sql(db, "BEGIN IMMEDIATE", e);
    for (int i = 0; i < rows && err == ERR_OK; i++) {
        randombytes_buf(row, 16);
        sqlite3_bind_blob(insert, 1, row, sizeof row, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            err = error_set(e, ERR_STORE, "SQLite: %s", sqlite3_errmsg(db));
        sqlite3_reset(insert);
    }
    return err == ERR_OK ? sql(db, "COMMIT", e) : err;
}

static enum err open_database(const char *path, sqlite3 **ret, sqlite3_stmt **ret_insert,
                              struct error *e) {
    sqlite3 *db = NULL;
    unlink(path);
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        sqlite3_close(db);
        return error_set(e, ERR_STORE, "%s cannot be made", path);
    }
    enum err err = sql(db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                       "PRAGMA locking_mode=EXCLUSIVE;"
                       "CREATE TABLE row(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
                       e);
    if (err == ERR_OK && sqlite3_prepare_v2(db, "INSERT INTO row(body) VALUES(?)", -1, ret_insert,
                                            NULL) != SQLITE_OK)
        err = error_set(e, ERR_STORE, "SQLite: %s", sqlite3_errmsg(db));
    if (err != ERR_OK) {
        sqlite3_close(db);
        return err;
    }
    *ret = db;
    return ERR_OK;
}

/* Rows a second in groups of `rows`, in a new database each time. */
static enum err measure_rows(const struct bench *b, int rows, double *ret, struct error *e) {
    char path[BENCH_PATH_MAX];
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    snprintf(path, sizeof path, "%s/limit-%d.db", b->dir, rows);
    enum err err = open_database(path, &db, &insert, e);
    if (err != ERR_OK)
        return err;
    int64_t start = bench_now_ns(), count = 0;
    while (err == ERR_OK && bench_now_ns() - start < LIMIT_SECONDS * INT64_C(1000000000)) {
        err = insert_group(db, insert, rows, e);
        count += rows;
    }
    if (err == ERR_OK)
        *ret = rate_since(start, count);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    unlink(path);
    return err;
}

/* ---- the disk ---- */

static enum err sync_loop(int fd, double *samples, size_t *ret_count, struct error *e) {
    static uint8_t page[SYNC_BYTES];
    int64_t until = bench_now_ns() + LIMIT_SECONDS * INT64_C(1000000000);
    size_t count = 0;
    while (count < SYNC_MAX) {
        int64_t start = bench_now_ns();
        if (start >= until)
            break;
        if (write(fd, page, sizeof page) != (ssize_t)sizeof page || fdatasync(fd) != 0)
            return error_set(e, ERR_IO, "fdatasync: %s", strerror(errno));
        samples[count++] = (double)(bench_now_ns() - start) / 1e6;
    }
    *ret_count = count;
    return ERR_OK;
}

static enum err measure_sync(struct bench *b, struct error *e) {
    char path[BENCH_PATH_MAX];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/limit-sync", b->dir);
    double *samples = calloc(SYNC_MAX, sizeof *samples);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    enum err err = ERR_OK;
    if (samples == NULL || fd < 0)
        err = error_set(e, ERR_CANNOT_CREATE, "%s: %s", path, strerror(errno));
    int64_t start = bench_now_ns();
    if (err == ERR_OK)
        err = sync_loop(fd, samples, &count, e);
    if (err == ERR_OK) {
        b->limits.sync_rate = rate_since(start, (int64_t)count);
        b->limits.sync_p50_ms = bench_percentile(samples, count, 0.50);
        b->limits.sync_p99_ms = bench_percentile(samples, count, 0.99);
    }
    if (fd >= 0)
        close(fd);
    unlink(path);
    free(samples);
    return err;
}

/* ---- all ---- */

static enum err add(struct bench *b, const char *name, double value, const char *unit,
                    const char *note, struct error *e) {
    struct report_row row = {
        .group = "limits", .name = name, .value = value, .unit = unit, .note = note};
    return report_add(b->report, &row, e);
}

static enum err add_all(struct bench *b, struct error *e) {
    const struct limits *l = &b->limits;
    enum err err = add(b, "Ed25519 verify, one core", l->verify_rate, "/s",
                       "320 bytes, 64 keys in turn, libsodium called directly", e);
    if (err == ERR_OK)
        err = add(b, "Ed25519 verify, processor time", l->verify_us, "us", NULL, e);
    if (err == ERR_OK)
        err = add(b, "Ed25519 verify, all cores", l->verify_all_rate, "/s",
                  "one thread a processor, nothing else", e);
    if (err == ERR_OK)
        err = add(b, "Ed25519 sign, one core", l->sign_rate, "/s", NULL, e);
    if (err == ERR_OK)
        err = add(b, "SQLite, one 512-byte row a commit", l->commit_rate, "rows/s",
                  "WAL, synchronous=FULL", e);
    if (err == ERR_OK)
        err = add(b, "SQLite, 100 rows a commit", l->row_rate, "rows/s", NULL, e);
    if (err == ERR_OK)
        err = add(b, "SQLite, 1,000 rows a commit", l->raw_row_rate, "rows/s", NULL, e);
    if (err == ERR_OK)
        err = add(b, "append 4 KiB and fdatasync", l->sync_rate, "/s", NULL, e);
    if (err == ERR_OK)
        err = add(b, "fdatasync, p50", l->sync_p50_ms, "ms", NULL, e);
    if (err == ERR_OK)
        err = add(b, "fdatasync, p99", l->sync_p99_ms, "ms", NULL, e);
    if (err == ERR_OK && l->postgres_rate > 0)
        err = add(b, "PostgreSQL, one durable INSERT an update", l->postgres_rate, "rows/s",
                  "16 connections, synchronous_commit=on, measured by packaging/bench with pgbench",
                  e);
    return err;
}

enum err bench_limits(struct bench *b, struct error *e) {
    enum err err = measure_signatures(b, e);
    if (err == ERR_OK)
        err = measure_all_cores(b, e);
    if (err == ERR_OK)
        err = measure_rows(b, 1, &b->limits.commit_rate, e);
    if (err == ERR_OK)
        err = measure_rows(b, 100, &b->limits.row_rate, e);
    if (err == ERR_OK)
        err = measure_rows(b, 1000, &b->limits.raw_row_rate, e);
    if (err == ERR_OK)
        err = measure_sync(b, e);
    return err == ERR_OK ? add_all(b, e) : err;
}
