/* Tests of what survives: power cuts at every sync, failing writes and syncs, a full disk.
 * Each claim about durability is also shown to fail on a disk or a setting that does not sync. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>

#include "db.h"
#include "unit/db/scratch.h"
#include "vfs/watch_vfs.h"

#define VFS "watch"
#define ROW_BYTES 600
#define FOREVER UINT64_MAX

enum { ADD, COUNT, HIGHEST, GOOD_ROWS, INTEGRITY, STATEMENTS };

static const struct db_statement statements[STATEMENTS] = {
    [ADD] = {"add", "INSERT INTO item (id, body) VALUES (:id, :body)"},
    [COUNT] = {"count", "SELECT count(*) FROM item"},
    [HIGHEST] = {"highest", "SELECT coalesce(max(id), 0) FROM item"},
    [GOOD_ROWS] = {"good_rows", "SELECT count(*) FROM item WHERE length(body) = 600"},
    [INTEGRITY] = {"integrity", "SELECT integrity_check = 'ok' FROM pragma_integrity_check"},
};

static const char *const migrations[] = {
    "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;",
    "CREATE INDEX item_by_length ON item (length(body));",
};
static const struct db_schema schema = {0x706c656bu, migrations, 2, 0, 0};

static struct scratch scratch;
static char path[PATH_MAX];
static struct watch_vfs *disk;
static struct error e;

static void setup(void) {
    scratch_init(&scratch);
    scratch_path(&scratch, "a.db", path);
    disk = watch_vfs_new(VFS);
    cr_assert_not_null(disk);
}

static void teardown(void) {
    watch_vfs_free(disk);
    scratch_done(&scratch);
}

TestSuite(sync, .init = setup, .fini = teardown, .timeout = 120);

static struct db *open_watched(void) {
    struct db *db = NULL;
    enum err code = db_open(path, VFS, &schema, statements, STATEMENTS, &db, &e);
    cr_assert_eq(code, ERR_OK, "%s", e.detail);
    return db;
}

static enum err add(struct db *db, int64_t id) {
    uint8_t body[ROW_BYTES];
    memset(body, (int)(id & 0xff), sizeof body);
    struct db_query q = db_query(db, ADD);
    db_bind_int(&q, ":id", id);
    db_bind_blob(&q, ":body", bytes_of(body, sizeof body));
    db_step(&q);
    return db_finish(&q, &e);
}

static int64_t read_one(struct db *db, int statement) {
    struct db_query q = db_query(db, statement);
    int64_t value = db_step(&q) ? db_column_int(&q, 0) : -1;
    cr_assert_eq(db_finish(&q, &e), ERR_OK, "%s", e.detail);
    return value;
}

/* Rows 1..n and nothing else, and a sound file; returns n. */
static int64_t check_rows(struct db *db) {
    int64_t count = read_one(db, COUNT);
    cr_assert_eq(read_one(db, HIGHEST), count, "rows are missing below the highest");
    cr_assert_eq(read_one(db, GOOD_ROWS), count);
    cr_assert_eq(read_one(db, INTEGRITY), 1);
    return count;
}

/* How many rows a restart after a power cut now finds. */
static int64_t rows_after_power_cut(uint64_t seed) {
    struct scratch after;
    scratch_init(&after);
    char copy[PATH_MAX];
    enum err code = watch_vfs_crash(disk, scratch.dir, after.dir, seed, &e);
    cr_assert_eq(code, ERR_OK, "%s", e.detail);
    struct db *db = NULL;
    code =
        db_open(scratch_path(&after, "a.db", copy), NULL, &schema, statements, STATEMENTS, &db, &e);
    cr_assert_eq(code, ERR_OK, "seed %llu: %s", (unsigned long long)seed, e.detail);
    int64_t count = check_rows(db);
    db_close(db);
    scratch_done(&after);
    return count;
}

static enum err add_batch(struct db *db, int64_t first, int64_t last) {
    enum err code = db_begin(db, &e);
    if (code != ERR_OK)
        return code;
    for (int64_t id = first; id <= last && code == ERR_OK; id++)
        code = add(db, id);
    if (code == ERR_OK)
        return db_commit(db, &e);
    db_rollback(db);
    return code;
}

/* ---- what is committed is there ---- */

Test(sync, every_commit_is_synced_before_it_returns) {
    struct db *db = open_watched();
    for (int64_t id = 1; id <= 30; id++) {
        uint64_t before = watch_vfs_now(disk);
        cr_assert_eq(id % 2 == 0 ? add(db, id) : add_batch(db, id, id), ERR_OK);
        uint64_t moment = watch_vfs_now(disk);
        cr_assert_gt(moment, before);
        cr_assert(watch_vfs_durable(disk, moment));
        struct watch_event last;
        cr_assert(watch_vfs_event(disk, moment, &last));
        cr_expect_eq(last.kind, WATCH_SYNC);
        cr_expect_str_eq(last.name, "a.db-wal");
        cr_assert_eq(rows_after_power_cut(0), id);
    }
    cr_assert(!scratch_exists(&scratch, "a.db-shm"));
    db_close(db);
    cr_assert_eq(rows_after_power_cut(0), 30);
}

Test(sync, a_lying_disk_loses_commits) {
    struct db *db = open_watched();
    cr_assert_eq(add(db, 1), ERR_OK);
    watch_vfs_fail(disk, WATCH_SYNC, 1, FOREVER, SQLITE_OK, 0);
    for (int64_t id = 2; id <= 9; id++)
        cr_assert_eq(add(db, id), ERR_OK);
    cr_assert(!watch_vfs_durable(disk, watch_vfs_now(disk)));
    cr_assert_eq(rows_after_power_cut(0), 1);
    watch_vfs_fail(disk, WATCH_SYNC, 1, 0, 0, 0);
    cr_assert_eq(add(db, 10), ERR_OK);
    cr_assert(watch_vfs_durable(disk, watch_vfs_now(disk)));
    cr_assert_eq(rows_after_power_cut(0), 10);
    db_close(db);
}

#ifdef PLEK_FAILPOINTS
Test(sync, without_syncs_commits_are_lost) {
    struct db *db = open_watched();
    cr_assert_eq(add(db, 1), ERR_OK);
    for (int level = 0; level <= 1; level++) {
        db_test_set_synchronous(db, level);
        uint64_t syncs = watch_vfs_count(disk, WATCH_SYNC);
        cr_assert_eq(add(db, 2 + level), ERR_OK);
        cr_assert_eq(watch_vfs_count(disk, WATCH_SYNC), syncs);
        cr_assert(!watch_vfs_durable(disk, watch_vfs_now(disk)));
        cr_assert_eq(rows_after_power_cut(0), 1, "synchronous=%d must lose the commit", level);
    }
    db_test_set_synchronous(db, 2);
    cr_assert_eq(add(db, 4), ERR_OK);
    cr_assert_eq(rows_after_power_cut(0), 4);
    db_close(db);
}
#endif

/* ---- power cuts at every sync ---- */

struct cut {
    uint64_t seeds; /* 0..seeds-1 are tried at each sync */
    int64_t committed;
    int64_t attempted;
    int64_t cuts;
};

static void cut_now(void *arg) {
    struct cut *cut = arg;
    for (uint64_t seed = 0; seed < cut->seeds; seed++) {
        int64_t rows = rows_after_power_cut(seed);
        cr_assert(rows == cut->committed || rows == cut->attempted,
                  "seed %llu: %lld rows, expected %lld or %lld", (unsigned long long)seed,
                  (long long)rows, (long long)cut->committed, (long long)cut->attempted);
        cut->cuts++;
    }
}

static void commit_under_cuts(struct db *db, struct cut *cut, int64_t last) {
    cut->attempted = last;
    cr_assert_eq(add_batch(db, cut->committed + 1, last), ERR_OK, "%s", e.detail);
    cut->committed = last;
    cut_now(cut);
}

Test(sync, a_power_cut_at_any_sync_keeps_whole_transactions) {
    struct db *db = open_watched();
    struct cut cut = {.seeds = 4};
    watch_vfs_on_sync(disk, cut_now, &cut);
    for (int64_t last = 1; last <= 6; last++)
        commit_under_cuts(db, &cut, last);
    for (int round = 0; round < 3; round++) {
        db_checkpoint(db);
        cut_now(&cut);
        commit_under_cuts(db, &cut, cut.committed + 40);
    }
    db_close(db); /* checkpoints and deletes the log */
    watch_vfs_on_sync(disk, NULL, NULL);
    cut_now(&cut);
    cr_assert_eq(cut.committed, 126);
    cr_assert_gt(cut.cuts, 100, "only %lld cuts were tried", (long long)cut.cuts);
}

static void cut_creation(void *arg) {
    uint64_t *cuts = arg;
    for (uint64_t seed = 0; seed < 4; seed++, ++*cuts)
        cr_assert_eq(rows_after_power_cut(seed), 0);
}

Test(sync, a_power_cut_while_creating_leaves_something_that_opens) {
    uint64_t cuts = 0;
    watch_vfs_on_sync(disk, cut_creation, &cuts);
    db_close(open_watched());
    db_close(open_watched());
    cr_assert_gt(cuts, 12);
}

/* ---- failures ---- */

struct fault {
    enum watch_kind kind;
    int rc;
    int error_number;
    enum err expected;
};

static const struct fault faults[] = {
    {WATCH_WRITE, SQLITE_FULL, ENOSPC, ERR_DISK_FULL},
    {WATCH_WRITE, SQLITE_IOERR_WRITE, EIO, ERR_STORE},
    {WATCH_SYNC, SQLITE_IOERR_FSYNC, EIO, ERR_STORE},
    {WATCH_SYNC, SQLITE_IOERR_FSYNC, ENOSPC, ERR_DISK_FULL},
    {WATCH_SYNC, SQLITE_IOERR_FSYNC, EDQUOT, ERR_DISK_FULL},
};
#define FAULTS (sizeof faults / sizeof *faults)

/* The nth event of the kind fails during one transaction. True when the transaction met it. */
static bool one_fault(struct db *db, const struct fault *fault, uint64_t nth, int64_t *rows) {
    watch_vfs_fail(disk, fault->kind, nth, 1, fault->rc, fault->error_number);
    enum err code = add_batch(db, *rows + 1, *rows + 12);
    watch_vfs_fail(disk, fault->kind, 1, 0, 0, 0);
    cr_assert(!db_in_transaction(db));
    if (code == ERR_OK) {
        *rows += 12;
        return false;
    }
    cr_assert_eq(code, fault->expected, "event %llu: %s", (unsigned long long)nth, e.detail);
    cr_assert_eq(check_rows(db), *rows, "event %llu", (unsigned long long)nth);
    cr_assert_eq(rows_after_power_cut(0), *rows);
    cr_assert_eq(add(db, ++*rows), ERR_OK, "after event %llu: %s", (unsigned long long)nth,
                 e.detail);
    cr_assert_eq(rows_after_power_cut(0), *rows, "a row written after the failure");
    return true;
}

Test(sync, a_failing_write_or_sync_changes_nothing) {
    struct db *db = open_watched();
    int64_t rows = 0;
    for (size_t i = 0; i < FAULTS; i++) {
        uint64_t met = 0;
        db_checkpoint(db); /* the next commit starts the log anew, and writes its header */
        while (one_fault(db, &faults[i], met + 1, &rows))
            met++;
        cr_expect_geq(met, faults[i].kind == WATCH_SYNC ? 1u : 4u, "fault %zu: %llu met", i,
                      (unsigned long long)met);
    }
    cr_assert_eq(check_rows(db), rows);
    db_close(db);
    cr_assert_eq(rows_after_power_cut(0), rows);
}

/* A commit whose sync failed was refused, and yet the log reads as if it had been made: what a
 * restart finds there has to be on the disk before anybody is told of it. */
Test(sync, what_a_restart_reads_is_durable_first) {
    for (size_t i = 0; i < FAULTS; i++) {
        if (faults[i].kind != WATCH_SYNC)
            continue;
        struct db *db = open_watched();
        int64_t rows = check_rows(db);
        cr_assert_eq(add(db, rows + 1), ERR_OK, "%s", e.detail);
        watch_vfs_fail(disk, WATCH_SYNC, 1, FOREVER, faults[i].rc, faults[i].error_number);
        cr_assert_eq(add(db, rows + 2), faults[i].expected);
        db_close(db); /* what it had written stays in the log */
        watch_vfs_fail(disk, WATCH_SYNC, 1, 0, 0, 0);
        db = open_watched();
        int64_t told = check_rows(db);
        cr_assert_eq(told, rows + 2, "nothing unsynced was there to be read");
        cr_assert_eq(rows_after_power_cut(0), told);
        db_close(db);
    }
}

Test(sync, a_failing_checkpoint_costs_nothing) {
    struct db *db = open_watched();
    int64_t rows = 0;
    for (size_t i = 0; i < FAULTS; i++) {
        for (uint64_t nth = 1; nth <= 6; nth++) {
            cr_assert_eq(add_batch(db, rows + 1, rows + 30), ERR_OK);
            rows += 30;
            watch_vfs_fail(disk, faults[i].kind, nth, 1, faults[i].rc, faults[i].error_number);
            db_checkpoint(db);
            watch_vfs_fail(disk, faults[i].kind, 1, 0, 0, 0);
            cr_assert_eq(rows_after_power_cut(0), rows);
            cr_assert_eq(rows_after_power_cut(nth), rows);
            cr_assert_eq(add(db, ++rows), ERR_OK, "%s", e.detail);
            cr_assert_eq(rows_after_power_cut(0), rows);
        }
    }
    cr_assert_eq(check_rows(db), rows);
    db_close(db);
    cr_assert_eq(rows_after_power_cut(0), rows);
}

/* One database created while the nth event fails, then again without failure. True when the first
 * opening met it. */
static bool create_with_fault(const struct fault *fault, size_t number, uint64_t nth) {
    char name[32];
    struct db *db = NULL;
    snprintf(name, sizeof name, "n%zu-%llu.db", number, (unsigned long long)nth);
    scratch_path(&scratch, name, path);
    watch_vfs_fail(disk, fault->kind, nth, 1, fault->rc, fault->error_number);
    enum err code = db_open(path, VFS, &schema, statements, STATEMENTS, &db, &e);
    watch_vfs_fail(disk, fault->kind, 1, 0, 0, 0);
    if (code != ERR_OK) {
        /* Leaving rollback mode, SQLite deletes its journal after the failed sync: errno is gone.
         */
        bool vague = fault->kind == WATCH_SYNC && nth <= 3 && code == ERR_STORE;
        cr_assert(code == fault->expected || vague, "fault %zu event %llu: %s", number,
                  (unsigned long long)nth, e.detail);
        db = open_watched();
    }
    cr_assert_eq(add(db, 1), ERR_OK);
    cr_assert_eq(check_rows(db), 1);
    db_close(db);
    return code != ERR_OK;
}

Test(sync, a_failure_while_creating_can_be_tried_again) {
    static const struct fault create = {WATCH_CREATE, SQLITE_CANTOPEN, ENOSPC, ERR_DISK_FULL};
    for (size_t i = 0; i <= FAULTS; i++) {
        uint64_t met = 0;
        while (create_with_fault(i < FAULTS ? &faults[i] : &create, i, met + 1))
            met++;
        cr_expect_geq(met, i < FAULTS ? 4u : 2u, "fault %zu was met %llu times", i,
                      (unsigned long long)met);
    }
}

Test(sync, a_full_disk_refuses_clearly_until_there_is_space) {
    struct db *db = open_watched();
    cr_assert_eq(add(db, 1), ERR_OK);
    watch_vfs_fail(disk, WATCH_WRITE, 1, FOREVER, SQLITE_FULL, ENOSPC);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(add(db, 2), ERR_DISK_FULL);
        cr_assert(strstr(e.detail, "free some space") != NULL, "%s", e.detail);
        cr_assert_eq(add_batch(db, 2, 4), ERR_DISK_FULL);
        cr_assert_eq(check_rows(db), 1);
    }
    watch_vfs_fail(disk, WATCH_WRITE, 1, 0, 0, 0);
    cr_assert_eq(add_batch(db, 2, 4), ERR_OK);
    cr_assert_eq(rows_after_power_cut(0), 4);
    db_close(db);
}

/* A transaction larger than SQLite's cache writes before its commit. When that fails SQLite may end
 * the transaction by itself; what its caller still runs must not be committed row by row. */
Test(sync, nothing_escapes_from_a_transaction_that_ended_itself) {
    struct db *db = open_watched();
    cr_assert_eq(add(db, 1), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(db_savepoint(db, &e), ERR_OK);
    watch_vfs_fail(disk, WATCH_WRITE, 1, 1, SQLITE_IOERR_WRITE, EIO);
    enum err code = ERR_OK;
    int64_t id = 2;
    while (code == ERR_OK && id < 20000)
        code = add(db, id++);
    cr_assert_eq(code, ERR_STORE, "the cache never spilled");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(add(db, id + i), ERR_STORE);
    cr_assert(strstr(e.detail, "rolled back") != NULL, "%s", e.detail);
    db_undo(db);
    cr_assert_eq(add(db, id), ERR_STORE, "a savepoint that is gone bounds nothing");
    cr_assert_eq(db_commit(db, &e), ERR_STORE);
    cr_assert_eq(check_rows(db), 1);
    cr_assert_eq(add(db, 2), ERR_OK);
    cr_assert_eq(rows_after_power_cut(0), 2);
    db_close(db);
}

/* ---- the log stays bounded ---- */

Test(sync, the_log_stays_bounded) {
    struct db *db = open_watched();
    int64_t rows = 0;
    int64_t largest = 0;
    for (int batch = 0; batch < 400; batch++) {
        cr_assert_eq(add_batch(db, rows + 1, rows + 50), ERR_OK);
        rows += 50;
        int64_t size = scratch_size(&scratch, "a.db-wal");
        largest = size > largest ? size : largest;
    }
    cr_assert_gt(rows * ROW_BYTES, 10 << 20);
    cr_assert_lt(largest, 6 << 20, "the log grew to %lld bytes", (long long)largest);

    cr_assert_eq(add_batch(db, rows + 1, rows + 30000), ERR_OK);
    rows += 30000;
    cr_assert_gt(scratch_size(&scratch, "a.db-wal"), 16 << 20);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(add(db, ++rows), ERR_OK);
    cr_assert_leq(scratch_size(&scratch, "a.db-wal"), 8 << 20);
    cr_assert_eq(rows_after_power_cut(0), rows);
    db_close(db);
}

Test(sync, a_checkpoint_makes_the_next_commit_start_the_log_anew) {
    struct db *db = open_watched();
    cr_assert_eq(add_batch(db, 1, 200), ERR_OK);
    db_checkpoint(db);
    struct watch_event event = {0};
    uint64_t before = watch_vfs_now(disk);
    cr_assert(watch_vfs_durable(disk, before));
    cr_assert(watch_vfs_event(disk, before, &event));
    cr_assert_eq(event.kind, WATCH_SYNC);
    cr_assert_str_eq(event.name, "a.db", "the checkpoint ends with a sync of the database");
    cr_assert_eq(add(db, 201), ERR_OK);
    cr_assert(watch_vfs_event(disk, before + 1, &event));
    cr_assert_eq(event.kind, WATCH_WRITE);
    cr_assert_str_eq(event.name, "a.db-wal");
    cr_assert_eq(event.offset, 0);
    db_close(db);
}

/* ---- the instrument itself ---- */

Test(sync, the_same_seed_cuts_the_same_way) {
    struct db *db = open_watched();
    watch_vfs_fail(disk, WATCH_SYNC, 1, FOREVER, SQLITE_OK, 0);
    cr_assert_eq(add_batch(db, 1, 40), ERR_OK);
    uint8_t *files[3] = {0};
    size_t lens[3] = {0};
    for (uint64_t i = 0; i < 3; i++) {
        struct scratch after;
        scratch_init(&after);
        cr_assert_eq(watch_vfs_crash(disk, scratch.dir, after.dir, 7 + i / 2, &e), ERR_OK);
        files[i] = scratch_read(&after, "a.db-wal", &lens[i]);
        scratch_done(&after);
    }
    cr_assert_eq(lens[0], lens[1]);
    cr_assert_arr_eq(files[0], files[1], lens[0]);
    cr_assert(lens[0] != lens[2] || memcmp(files[0], files[2], lens[0]) != 0);
    for (int i = 0; i < 3; i++)
        free(files[i]);
    db_close(db);
}

Test(sync, a_power_cut_copies_other_files_but_the_lock) {
    scratch_write(&scratch, "agent.conf", "listen = none\n");
    scratch_write(&scratch, "lock", "1\n");
    struct scratch after;
    scratch_init(&after);
    cr_assert_eq(watch_vfs_crash(disk, scratch.dir, after.dir, 0, &e), ERR_OK);
    cr_assert_eq(scratch_size(&after, "agent.conf"), 14);
    cr_assert(!scratch_exists(&after, "lock"));
    cr_assert_eq(watch_vfs_crash(disk, "/nonexistent", after.dir, 0, &e), ERR_NO_INPUT);
    cr_assert_eq(watch_vfs_crash(disk, scratch.dir, "/nonexistent", 0, &e), ERR_IO);
    scratch_done(&after);
}
