/* Tests of the gateway to SQLite: transactions, batches, savepoints. */
#include "unit/db/db_kit.h"

TestSuite(transaction, .init = setup, .fini = teardown);

Test(transaction, only_the_outermost_level_commits) {
    struct db *db = open_with(&schema);
    cr_assert(!db_in_transaction(db));
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    cr_assert_eq(db_commit(db, &e), ERR_OK);
    cr_assert(db_in_transaction(db));
    db_rollback(db);
    cr_assert(!db_in_transaction(db));
    cr_assert_eq(read_one(db, COUNT), 0);
    db_rollback(db); /* without a transaction: nothing */
    cr_assert_eq(db_commit(db, &e), ERR_STORE);
    db_close(db);
}

Test(transaction, an_inner_rollback_fails_every_enclosing_commit) {
    struct db *db = open_with(&schema);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    db_rollback(db);
    cr_assert_eq(add(db, "escaped", 1), ERR_STORE, "must not be committed on its own");
    cr_assert(strstr(e.detail, "rolled back") != NULL, "%s", e.detail);
    cr_assert_eq(db_begin(db, &e), ERR_STORE);
    cr_assert_eq(db_savepoint(db, &e), ERR_STORE);
    cr_assert_eq(db_commit(db, &e), ERR_STORE);
    cr_assert_eq(db_commit(db, &e), ERR_STORE);
    cr_assert(!db_in_transaction(db));
    cr_assert_eq(read_one(db, COUNT), 0);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "b", 1), ERR_OK);
    cr_assert_eq(db_commit(db, &e), ERR_OK);
    cr_assert_eq(read_one(db, COUNT), 1);
    db_close(db);
}

Test(transaction, a_deferred_reference_fails_the_commit_and_frees_the_handle) {
    struct db *db = open_with(&schema);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    struct db_query q = db_query(db, ADD_PART);
    db_bind_int(&q, ":item", 99);
    cr_assert(!db_step(&q));
    cr_assert_eq(db_finish(&q, &e), ERR_OK);
    cr_assert_eq(db_commit(db, &e), ERR_CONFLICT);
    cr_assert(!db_in_transaction(db));
    cr_assert_eq(read_one(db, COUNT), 0);
    cr_assert_eq(add(db, "b", 1), ERR_OK);
    db_close(db);
}

Test(transaction, closing_rolls_back) {
    struct db *db = open_with(&schema);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "b", 1), ERR_OK);
    struct db_query q = db_query(db, LIST);
    cr_assert(db_step(&q)); /* never finished */
    db_close(db);
    db_close(NULL);
    cr_assert_eq(raw_int("SELECT count(*) FROM item"), 1);
}

Test(transaction, one_item_of_a_batch_may_fail_alone) {
    struct db *db = open_with(&schema);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    for (int i = 0; i < 6; i++) {
        char name[] = {(char)('a' + i), '\0'};
        cr_assert_eq(db_savepoint(db, &e), ERR_OK);
        cr_assert_eq(add(db, name, i), ERR_OK);
        if (i % 2 == 0)
            cr_assert_eq(db_release(db, &e), ERR_OK);
        else
            db_undo(db);
    }
    cr_assert_eq(db_commit(db, &e), ERR_OK);
    struct db_query q = db_query(db, LIST);
    for (const char *expected = "ace"; *expected != '\0'; expected++) {
        cr_assert(db_step(&q));
        cr_expect_eq(db_column_text(&q, 0)[0], *expected);
    }
    cr_assert(!db_step(&q));
    cr_assert_eq(db_finish(&q, &e), ERR_OK);
    db_close(db);
}

Test(transaction, a_savepoint_bounds_a_rollback_inside_it) {
    struct db *db = open_with(&schema);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "before", 1), ERR_OK);
    cr_assert_eq(db_savepoint(db, &e), ERR_OK);
    cr_assert_eq(add(db, "item", 1), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(db_savepoint(db, &e), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(add(db, "deep", 1), ERR_OK);
    db_rollback(db);
    cr_assert_eq(add(db, "escaped", 1), ERR_STORE);
    db_rollback(db); /* the level that opened the inner savepoint: the outer one bounds it */
    cr_assert_eq(add(db, "escaped", 1), ERR_STORE);
    db_undo(db);
    cr_assert_eq(add(db, "after", 1), ERR_OK, "%s", e.detail);
    cr_assert_eq(db_commit(db, &e), ERR_OK, "%s", e.detail);
    db_close(db);
    cr_assert_eq(raw_int("SELECT count(*) FROM item"), 2);
    cr_assert_eq(raw_int("SELECT count(*) FROM item WHERE name IN ('before', 'after')"), 2);
}

Test(transaction, a_rolled_back_item_cannot_be_released) {
    struct db *db = open_with(&schema);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(db_savepoint(db, &e), ERR_OK);
    cr_assert_eq(add(db, "item", 1), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    db_rollback(db);
    cr_assert_eq(db_release(db, &e), ERR_STORE);
    cr_assert_eq(add(db, "after", 1), ERR_OK);
    cr_assert_eq(db_commit(db, &e), ERR_OK);
    cr_assert_eq(read_one(db, COUNT), 1);

    cr_assert_eq(db_begin(db, &e), ERR_OK);
    cr_assert_eq(db_savepoint(db, &e), ERR_OK);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    db_rollback(db);
    cr_assert_eq(db_commit(db, &e), ERR_STORE, "without an undo nothing is kept");
    cr_assert(!db_in_transaction(db));
    cr_assert_eq(read_one(db, COUNT), 1);
    cr_assert_eq(add(db, "usable", 1), ERR_OK);
    db_close(db);
}

Test(transaction, savepoints_need_a_transaction_and_have_a_cap) {
    struct db *db = open_with(&schema);
    cr_assert_eq(db_savepoint(db, &e), ERR_STORE);
    cr_assert_eq(db_release(db, &e), ERR_STORE);
    db_undo(db);
    cr_assert_eq(db_begin(db, &e), ERR_OK);
    int opened = 0;
    while (opened < 100 && db_savepoint(db, &e) == ERR_OK)
        opened++;
    cr_assert_eq(opened, 8);
    cr_assert_eq(add(db, "a", 1), ERR_OK);
    while (opened-- > 0)
        cr_assert_eq(db_release(db, &e), ERR_OK);
    cr_assert_eq(db_commit(db, &e), ERR_OK);
    cr_assert_eq(read_one(db, COUNT), 1);
    db_close(db);
}
