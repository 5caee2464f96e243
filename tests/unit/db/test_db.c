/* Tests of the gateway to SQLite: opening, migrations, statements. Transactions are in
 * test_transaction.c, power cuts and failing disks in test_sync.c. */
#include <dirent.h>
#include <sys/wait.h>

#include "unit/db/db_kit.h"

TestSuite(db, .init = setup, .fini = teardown);

/* ---- open ---- */

Test(db, new_files_are_private_whatever_the_umask) {
    umask(0);
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    int files = 0;
    DIR *dir = opendir(scratch.dir);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char file[PATH_MAX];
        struct stat info;
        if (entry->d_name[0] == '.')
            continue;
        cr_assert_eq(stat(scratch_path(&scratch, entry->d_name, file), &info), 0);
        cr_expect_eq(info.st_mode & 0777, 0600, "%s has mode %o", entry->d_name, info.st_mode);
        files++;
    }
    closedir(dir);
    cr_assert_eq(files, 2, "expected the database and its log, found %d files", files);
    cr_assert(scratch_exists(&scratch, "a.db-wal"));
    db_close(db);
    cr_assert(!scratch_exists(&scratch, "a.db-wal"));
}

Test(db, settings_hold) {
    setenv("SQLITE_TMPDIR", "/nonexistent", 1);
    struct db *db = open_with(&schema);
    cr_expect_eq(read_one(db, FOREIGN_KEYS), 1);
    cr_expect_eq(read_one(db, SYNCHRONOUS), 2);
    cr_expect_eq(read_one(db, TRUSTED), 0);
    struct db_query q = db_query(db, LOCKING);
    cr_assert(db_step(&q));
    cr_expect_str_eq(db_column_text(&q, 0), "exclusive");
    cr_assert_eq(db_finish(&q, &e), ERR_OK);
    db_close(db);
    cr_expect_eq(raw_int("PRAGMA application_id"), APPLICATION);
    cr_expect_eq(raw_int("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
}

Test(db, a_name_is_a_file_name_and_no_uri) {
    char name[] = "file:a?mode=memory";
    struct db *db = NULL;
    cr_assert_eq(chdir(scratch.dir), 0);
    cr_assert_eq(db_open(name, NULL, &schema, statements, STATEMENTS, &db, &e), ERR_OK);
    db_close(db);
    cr_assert(scratch_exists(&scratch, name));
    cr_assert_eq(db_open(":memory:", NULL, &schema, statements, STATEMENTS, &db, &e), ERR_OK);
    db_close(db);
    cr_assert(scratch_exists(&scratch, ":memory:"));
    cr_assert_eq(chdir("/"), 0);
}

Test(db, a_missing_directory_is_named) {
    scratch_path(&scratch, "absent/a.db", path);
    cr_assert_eq(open_fails(&schema), ERR_STORE);
    cr_assert(strstr(e.file, "absent/a.db") != NULL);
    cr_assert(strstr(e.detail, "No such file") != NULL, "%s", e.detail);
}

Test(db, a_second_opening_is_locked_out) {
    struct db *db = open_with(&schema);
    cr_assert_eq(open_fails(&schema), ERR_LOCKED);
    pid_t child = fork();
    if (child == 0) {
        struct db *second = NULL;
        enum err code = db_open(path, NULL, &schema, statements, STATEMENTS, &second, NULL);
        _exit(code == ERR_LOCKED ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0);
    cr_assert_eq(add(db, "still", 1), ERR_OK);
    db_close(db);
}

/* ---- what is refused stays untouched ---- */

struct snapshot {
    uint8_t *file;
    size_t file_len;
    uint8_t *log; /* NULL when there is none */
    size_t log_len;
};

static struct snapshot snapshot_take(void) {
    struct snapshot s = {0};
    s.file = scratch_read(&scratch, "a.db", &s.file_len);
    s.log = scratch_read(&scratch, "a.db-wal", &s.log_len);
    return s;
}

static void snapshot_check(struct snapshot before) {
    struct snapshot after = snapshot_take();
    cr_assert_eq(after.file_len, before.file_len);
    cr_assert_arr_eq(after.file, before.file, before.file_len);
    cr_assert_eq(after.log == NULL, before.log == NULL);
    cr_assert_eq(after.log_len, before.log_len);
    if (before.log != NULL)
        cr_assert_arr_eq(after.log, before.log, before.log_len);
    cr_assert(!scratch_exists(&scratch, "a.db-shm"));
    free(before.file);
    free(before.log);
    free(after.file);
    free(after.log);
}

/* A process that dies with the database open leaves a log that was not folded in. */
static void leave_hot_log(void) {
    pid_t child = fork();
    if (child == 0) {
        struct db *db = NULL;
        if (db_open(path, NULL, &schema, statements, STATEMENTS, &db, NULL) != ERR_OK)
            _exit(1);
        _exit(add(db, "hot", 1) == ERR_OK ? 0 : 2);
    }
    int status = -1;
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0);
    cr_assert_gt(scratch_size(&scratch, "a.db-wal"), 0);
}

Test(db, a_newer_schema_is_refused_untouched) {
    const struct db_schema older = {APPLICATION, two_migrations, 1, 0, 0};
    db_close(open_with(&schema));
    struct snapshot before = snapshot_take();
    cr_assert_eq(open_fails(&older), ERR_SCHEMA_NEWER);
    cr_assert(strstr(e.detail, "version 2") != NULL && strstr(e.detail, "up to 1") != NULL, "%s",
              e.detail);
    snapshot_check(before);
}

Test(db, a_newer_schema_in_an_unfolded_log_is_refused_untouched) {
    const struct db_schema older = {APPLICATION, two_migrations, 1, 0, 0};
    leave_hot_log();
    struct snapshot before = snapshot_take();
    cr_assert_eq(open_fails(&older), ERR_SCHEMA_NEWER);
    snapshot_check(before);
    struct db *db = open_with(&schema);
    cr_assert_eq(read_one(db, COUNT), 1);
    db_close(db);
}

Test(db, another_applications_database_is_refused_untouched) {
    raw_exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);");
    struct snapshot before = snapshot_take();
    cr_assert_eq(open_fails(&schema), ERR_CONFIG);
    cr_assert(strstr(e.detail, "0x00000000") && strstr(e.detail, "0x706c656b"), "%s", e.detail);
    snapshot_check(before);

    const struct db_schema other = {0x12345678, two_migrations, 2, 0, 0};
    cr_assert_eq(unlink(path), 0);
    db_close(open_with(&schema));
    before = snapshot_take();
    cr_assert_eq(open_fails(&other), ERR_CONFIG);
    snapshot_check(before);
}

Test(db, a_file_of_another_format_is_refused_untouched) {
    scratch_write(&scratch, "a.db",
                  "name;free\nward 1;3\nthis is a table, but not of a database\n");
    struct snapshot before = snapshot_take();
    cr_assert_eq(open_fails(&schema), ERR_CONFIG);
    snapshot_check(before);
}

/* ---- migrations ---- */

Test(db, appended_migrations_run_once_and_keep_rows) {
    const char *const more[] = {ITEM_TABLE, PART_TABLE,
                                ("ALTER TABLE item ADD COLUMN note TEXT;"
                                 "UPDATE item SET value = value + 1;")};
    const struct db_schema longer = {APPLICATION, more, 3, 0, 0};
    const struct db_schema shorter = {APPLICATION, two_migrations, 0, 0, 0};
    db_close(open_with(&shorter));
    cr_assert_eq(raw_int("PRAGMA user_version"), 0);
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 41), ERR_OK);
    db_close(db);
    cr_assert_eq(raw_int("PRAGMA user_version"), 2);
    for (int i = 0; i < 2; i++)
        db_close(open_with(&longer));
    cr_assert_eq(raw_int("PRAGMA user_version"), 3);
    cr_assert_eq(raw_int("SELECT value FROM item WHERE note IS NULL"), 42);
}

Test(db, keeps_no_more_pages_in_memory_than_the_store_says) {
    const struct db_schema small = {APPLICATION, two_migrations, 2, 0, 300};
    struct db *db = open_with(&schema);
    cr_expect_eq(read_one(db, CACHE), -2000);
    db_close(db);
    db = open_with(&small);
    cr_expect_eq(read_one(db, CACHE), -300);
    db_close(db);
}

Test(db, a_broken_migration_leaves_the_version_before_it) {
    const char *const broken[] = {
        ITEM_TABLE,
        ("INSERT INTO item (name) VALUES ('x');"
         "CREATE TABLE half (x INTEGER) STRICT; INSERT INTO absent VALUES (1);"),
        PART_TABLE};
    const struct db_schema bad = {APPLICATION, broken, 3, 0, 0};
    cr_assert_eq(open_fails(&bad), ERR_STORE);
    cr_assert(strstr(e.detail, "migration 2 of 3") && strstr(e.detail, "absent"), "%s", e.detail);
    cr_assert_eq(raw_int("PRAGMA user_version"), 1);
    cr_assert_eq(raw_int("SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
    cr_assert_eq(raw_int("SELECT count(*) FROM item"), 0);
    db_close(open_with(&schema));
    cr_assert_eq(raw_int("PRAGMA user_version"), 2);
}

Test(db, a_migration_cannot_end_its_transaction) {
    const char *const broken[] = {ITEM_TABLE, "INSERT INTO item (name) VALUES ('x'); COMMIT;"};
    const struct db_schema bad = {APPLICATION, broken, 2, 0, 0};
    cr_assert_eq(open_fails(&bad), ERR_STORE);
    cr_assert(strstr(e.detail, "migration 2 of 2") != NULL, "%s", e.detail);
    cr_assert_eq(raw_int("PRAGMA user_version"), 1);
}

Test(db, a_migration_may_rebuild_a_table_but_not_leave_orphans) {
    const char *const rebuild[] = {
        ITEM_TABLE, PART_TABLE,
        ("CREATE TABLE item2 (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"
         "INSERT INTO item2 SELECT id, name FROM item; DROP TABLE item;"
         "ALTER TABLE item2 RENAME TO item;"),
        "DELETE FROM item;"};
    const struct db_schema rebuilt = {APPLICATION, rebuild, 3, 0, 0};
    const struct db_schema orphaning = {APPLICATION, rebuild, 4, 0, 0};
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    struct db_query q = db_query(db, ADD_PART);
    db_bind_int(&q, ":item", 1);
    cr_assert(!db_step(&q));
    cr_assert_eq(db_finish(&q, &e), ERR_OK, "%s", e.detail);
    db_close(db);

    cr_assert_eq(db_open(path, NULL, &rebuilt, NULL, 0, &db, &e), ERR_OK, "%s", e.detail);
    db_close(db);
    cr_assert_eq(raw_int("SELECT count(*) FROM part JOIN item ON item.id = part.item"), 1);
    cr_assert_eq(open_fails(&orphaning), ERR_STORE);
    cr_assert(strstr(e.detail, "refer to rows") != NULL, "%s", e.detail);
    cr_assert_eq(raw_int("SELECT count(*) FROM item"), 1);
    cr_assert_eq(raw_int("PRAGMA user_version"), 3);
}

/* ---- statements ---- */

static void expect_bad_statement(const char *sql, const char *message) {
    const struct db_statement table[] = {{"good", "SELECT 1"}, {"faulty", sql}};
    struct db *db = NULL;
    cr_assert_eq(db_open(path, NULL, &schema, table, 2, &db, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(db_prepare_all(db, &e), ERR_STORE);
    cr_assert(strstr(e.detail, "'faulty'") && strstr(e.detail, message), "%s", e.detail);
    db_close(db);
}

Test(db, a_faulty_statement_is_named) {
    expect_bad_statement("SELECT nothing FROM item", "nothing");
    expect_bad_statement("SELECT 1; SELECT 2", "exactly one");
    expect_bad_statement("", "exactly one");
    expect_bad_statement("SELECT ?", ":name");
    expect_bad_statement("SELECT @name", ":name");
    expect_bad_statement("SELECT name FROM item WHERE name = \"text\"", "text");
}

Test(db, values_come_back_as_they_were) {
    const int64_t values[] = {0, 1, -1, INT64_MAX, INT64_MIN};
    const uint8_t raw[] = {0, 255, 0, 7};
    struct db *db = open_with(&schema);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char name[32];
        snprintf(name, sizeof name, "caf\xc3\xa9 %zu", i);
        struct db_query q = db_query(db, ADD);
        db_bind_text(&q, ":name", name);
        db_bind_int(&q, ":value", values[i]);
        db_bind_blob(&q, ":body", bytes_of(raw, sizeof raw));
        cr_assert(!db_step(&q));
        cr_assert_eq(db_finish(&q, &e), ERR_OK);
        cr_expect_eq(db_changes(db), 1);
        cr_expect_eq(db_last_rowid(db), (int64_t)i + 1);

        q = db_query(db, FIND);
        db_bind_text(&q, ":name", name);
        cr_assert(db_step(&q));
        cr_expect_eq(db_column_int(&q, 0), values[i]);
        cr_expect(bytes_equal(db_column_blob(&q, 1), bytes_of(raw, sizeof raw)));
        cr_expect_str_eq(db_column_text(&q, 2), name);
        cr_assert(!db_step(&q));
        cr_assert(!db_step(&q), "a finished query stays finished");
        cr_assert_eq(db_finish(&q, &e), ERR_OK);
    }
    db_close(db);
}

static void add_opt(struct db *db, const char *name, bool present, bool empty_blob) {
    struct db_query q = db_query(db, ADD);
    db_bind_text(&q, ":name", name);
    db_bind_opt(&q, ":value", present, 0);
    if (empty_blob)
        db_bind_blob(&q, ":body", bytes_of(NULL, 0));
    else
        db_bind_null(&q, ":body");
    db_step(&q);
    cr_assert_eq(db_finish(&q, &e), ERR_OK);
}

static void expect_null(struct db *db, const char *name, bool value_null, bool body_null) {
    struct db_query q = db_query(db, FIND);
    db_bind_text(&q, ":name", name);
    cr_assert(db_step(&q));
    cr_expect_eq(db_column_null(&q, 0), value_null);
    cr_expect_eq(db_column_null(&q, 1), body_null);
    cr_expect_eq(db_column_blob(&q, 1).len, 0);
    cr_expect_str_eq(db_column_text(&q, 0), value_null ? "" : "0");
    cr_assert_eq(db_finish(&q, &e), ERR_OK); /* left half-read */
}

Test(db, unknown_is_null_and_not_zero) {
    struct db *db = open_with(&schema);
    add_opt(db, "known", true, true);
    add_opt(db, "unknown", false, false);
    expect_null(db, "known", false, false);
    expect_null(db, "unknown", true, true);
    db_close(db);
}

Test(db, bindings_do_not_leak_into_the_next_run) {
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 7), ERR_OK);
    struct db_query q = db_query(db, ADD);
    db_bind_text(&q, ":name", "b");
    cr_assert(!db_step(&q));
    cr_assert_eq(db_finish(&q, &e), ERR_OK);
    expect_null(db, "b", true, true);
    db_close(db);
}

Test(db, a_rest_disturbs_nothing_that_runs_or_waits) {
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    cr_assert_eq(add(db, "b", 2), ERR_OK);
    struct db_query q = db_query(db, LIST);
    cr_assert(db_step(&q));
    db_rest(db);
    cr_assert(db_step(&q));
    cr_expect_str_eq(db_column_text(&q, 0), "b");
    cr_assert_eq(db_finish(&q, &e), ERR_OK);
    db_rest(db);
    db_rest(db);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "c", 3), ERR_OK);
    db_rest(db);
    cr_assert_eq(add(db, "a", 4), ERR_CONFLICT);
    db_rollback(db);
    cr_expect_eq(read_one(db, COUNT), 2);
    db_close(db);
    cr_expect_eq(raw_int("SELECT count(*) FROM item"), 2);
}

Test(db, violated_constraints_are_conflicts_and_harmless) {
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    cr_assert_eq(add(db, "a", 2), ERR_CONFLICT);
    cr_assert(strstr(e.detail, "item.name") && strstr(e.detail, "add"), "%s", e.detail);
    cr_assert(strstr(e.file, "a.db") != NULL);
    cr_assert_eq(add(db, NULL, 2), ERR_CONFLICT);
    cr_assert_eq(db_run(db, ADD_WRONG_TYPE, &e), ERR_CONFLICT);
    struct db_query q = db_query(db, ADD_PART);
    db_bind_int(&q, ":item", 99);
    cr_assert(!db_step(&q));
    cr_assert_eq(db_finish(&q, NULL), ERR_CONFLICT);
    cr_assert_eq(read_one(db, COUNT), 1);
    db_close(db);
}

Test(db, an_error_survives_other_queries_until_finish) {
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    struct db_query q = db_query(db, ADD);
    db_bind_text(&q, ":name", "a");
    cr_assert(!db_step(&q));
    cr_assert_eq(read_one(db, COUNT), 1);
    cr_assert_eq(db_finish(&q, &e), ERR_CONFLICT);
    cr_assert(strstr(e.detail, "UNIQUE") != NULL, "%s", e.detail);
    db_close(db);
}
