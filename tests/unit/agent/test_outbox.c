/* Tests what leaves an agent: lazily sealed, one key for those who may read, a new one when
 * somebody leaves, byte-identical when sent again, nothing half done. */
#include <errno.h>
#include <sqlite3.h>

#include "alarm.h"
#include "boxes.h"
#include "circle.h"
#include "inbox.h"
#include "unit/agent/outbox_kit.h"
#include "vfs/watch_vfs.h"

Test(outbox, nothing_leaves_before_a_policy) {
    struct world w;
    three(&w);
    cr_assert_eq(world_push(&w, A), 0);
    cr_assert_eq(status(&w, A).own.seq, 0u);
    world_done(&w);
}

Test(outbox, nothing_leaves_for_nobody_approved) {
    struct world w;
    three(&w);
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"
                 "\"precision\":\"exact\"}]}");
    cr_assert_eq(world_push(&w, A), 0);
    world_approve(&w, A, "B");
    cr_assert_eq(status(&w, A).dirty_audiences, 1);
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_eq(status(&w, A).dirty_audiences, 0);
    world_done(&w);
}

Test(outbox, the_first_entry_opens_the_feed_with_grants_and_the_state) {
    struct world w;
    three_sharing(&w);
    cr_assert_eq(w.log_count, 1u);
    const struct entry *entry = newest(&w);
    cr_assert_eq(entry->header.kind, ENTRY_OPEN);
    cr_assert_eq(entry->header.incarnation, 1u);
    cr_assert_eq(entry->header.seq, 1u);
    cr_assert_eq(entry->header.claimed_ms, w.now_ms);
    cr_assert_eq(views_of(entry, VIEW_GRANT), 3u); /* B, C and the hub */
    cr_assert_eq(views_of(entry, VIEW_STATE), 1u);
    cr_assert_eq(world_push(&w, A), 0);
    world_done(&w);
}

Test(outbox, changes_while_offline_become_one_state) {
    struct world w;
    three_sharing(&w);
    for (int i = 0; i < 5; i++) {
        char pairs[64];
        snprintf(pairs, sizeof pairs, "total=10 free=%d", i);
        world_set(&w, A, "bed", NULL, pairs);
    }
    cr_assert_eq(status(&w, A).own.seq, 1u, "sealed when a figure changed");
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_eq(views_of(newest(&w), VIEW_GRANT), 0u);
    cr_assert_eq(views_of(newest(&w), VIEW_STATE), 1u);
    cr_assert_eq(newest(&w)->header.kind, ENTRY_UPDATE);
    world_pull(&w, B);
    json_t *rows = world_find(&w, B, "bed");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 0), "available")), 4);
    json_decref(rows);
    world_done(&w);
}

Test(outbox, the_same_figures_are_not_sent_again) {
    struct world w;
    three_sharing(&w);
    world_set(&w, A, "bed", NULL, "total=10 free=9");
    world_set(&w, A, "bed", NULL, "total=10 free=4 status=admitting");
    agent_mark_dirty(w.agents[A].agent);
    cr_assert_eq(world_push(&w, A), 0);
    cr_assert_not(agent_dirty(w.agents[A].agent));
    world_done(&w);
}

Test(outbox, an_entry_not_acknowledged_is_sent_again_byte_for_byte) {
    struct world w;
    struct head first, again;
    three_sharing(&w);
    world_set(&w, A, "bed", NULL, "free=1");
    struct blob *one = world_next(&w, A, ENTRY_MAX_BYTES, &first);
    cr_assert_not_null(one);
    cr_assert_eq(status(&w, A).entries, 1);
    world_set(&w, A, "bed", NULL, "free=2");
    world_reopen(&w, A, NULL);
    struct blob *two = world_next(&w, A, ENTRY_MAX_BYTES, &again);
    cr_assert(bytes_equal(blob_bytes(one), blob_bytes(two)));
    cr_assert(hash_equal(&first.hash, &again.hash));
    world_accept(&w, A, two);
    cr_assert_eq(world_push(&w, A), 1, "the change made meanwhile goes next");
    blob_unref(one);
    blob_unref(two);
    world_done(&w);
}

Test(outbox, a_joiner_gets_the_current_key_only) {
    struct world w;
    three(&w);
    world_approve(&w, A, "B");
    world_policy(&w, A, EXACT);
    world_settle(&w);
    struct hash key_id = newest(&w)->views[0].key_id;
    world_approve(&w, A, "C");
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_eq(newest(&w)->view_count, 1u);
    cr_assert_eq(newest(&w)->views[0].kind, VIEW_GRANT);
    cr_assert(hash_equal(&newest(&w)->views[0].key_id, &key_id));
    world_pull(&w, C);
    json_t *rows = world_find(&w, C, NULL);
    cr_assert_eq(json_array_size(rows), 1u);
    json_decref(rows);
    world_done(&w);
}

/* ---- new keys ---- */

static struct hash current_key(const struct world *w) {
    for (size_t i = w->log_count; i > 0; i--)
        for (size_t k = 0; k < w->log[i - 1].entry->view_count; k++)
            if (w->log[i - 1].entry->views[k].kind == VIEW_STATE)
                return w->log[i - 1].entry->views[k].key_id;
    return (struct hash){{0}};
}

/* Everything the hub holds is given to that agent, which opens with all the keys it ever had. */
static void opens_nothing_newer(struct world *w, int i, size_t from) {
    struct agent *a = w->agents[i].agent;
    struct hash before = world_dump(a);
    for (size_t k = from; k < w->log_count; k++) {
        struct error e = {0};
        struct buf excerpt;
        buf_init(&excerpt, ENTRY_MAX_BYTES);
        cr_assert_not(world_excerpt(w, &w->log[k], i, VIEW_GRANT, false, &excerpt),
                      "entry %zu grants a key to one who left", k);
        if (world_excerpt(w, &w->log[k], i, VIEW_STATE, true, &excerpt))
            RUN_FAILS(inbox_take(a, 2, k + 1, w->now_ms, buf_bytes(&excerpt), w->now_ms, &e),
                      ERR_NO_KEY);
        buf_done(&excerpt);
    }
    cr_assert_eq(world_number(a, "SELECT count(*) FROM picture WHERE seq > 1"), 0);
    struct hash after = world_dump(a);
    cr_assert_not(hash_equal(&before, &after), "the views wait for a key");
}

static void leaves(struct world *w, void (*leave)(struct world *w)) {
    three_sharing(w);
    struct hash old = current_key(w);
    size_t from = w->log_count;
    leave(w);
    world_feed(w, A);
    cr_assert_eq(world_push(w, A), 1, "those who stay get a new key at once");
    cr_assert_eq(views_of(newest(w), VIEW_STATE), 1u);
    cr_assert_eq(views_of(newest(w), VIEW_GRANT), 2u); /* B and the hub */
    struct hash now = current_key(w);
    cr_assert_not(hash_equal(&old, &now));
    world_set(w, A, "bed", NULL, "free=7");
    cr_assert_eq(world_push(w, A), 1);
    opens_nothing_newer(w, C, from);
    world_feed(w, B);
    world_pull(w, B);
    json_t *rows = world_find(w, B, "bed");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 0), "available")), 7);
    json_decref(rows);
}

static void by_policy(struct world *w) {
    world_policy(w, A, WITHOUT_C);
}
static void by_approval(struct world *w) {
    world_forget(w, A, "C");
}
static void by_suspension(struct world *w) {
    world_member_event(w, C, ENTRY_HUB_SUSPENDED);
}
static void by_removal(struct world *w) {
    world_member_event(w, C, ENTRY_HUB_REMOVED);
}
static void by_revocation(struct world *w) {
    world_revoke(w, C);
}

Test(outbox, one_who_is_taken_out_of_the_policy_reads_nothing_newer) {
    struct world w;
    leaves(&w, by_policy);
    world_done(&w);
}
Test(outbox, one_whose_approval_is_withdrawn_reads_nothing_newer) {
    struct world w;
    leaves(&w, by_approval);
    world_done(&w);
}
Test(outbox, one_who_is_suspended_reads_nothing_newer) {
    struct world w;
    leaves(&w, by_suspension);
    world_done(&w);
}
Test(outbox, one_who_is_removed_reads_nothing_newer) {
    struct world w;
    leaves(&w, by_removal);
    world_done(&w);
}
Test(outbox, a_revoked_agent_reads_nothing_newer) {
    struct world w;
    leaves(&w, by_revocation);
    world_done(&w);
}

Test(outbox, one_who_is_resumed_gets_the_new_key) {
    struct world w;
    leaves(&w, by_suspension);
    world_member_event(&w, C, ENTRY_HUB_RESUMED);
    world_settle(&w);
    json_t *rows = world_find(&w, C, "bed");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 0), "available")), 7);
    json_decref(rows);
    world_done(&w);
}

Test(outbox, another_precision_makes_a_new_key) {
    struct world w;
    three_sharing(&w);
    struct hash old = current_key(&w);
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\",\"@hub\"],"
                 "\"services\":[\"*\"],\"precision\":\"band\"}]}");
    cr_assert_eq(world_push(&w, A), 1);
    struct hash band = current_key(&w);
    cr_assert_not(hash_equal(&old, &band));
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\",\"@hub\"],"
                 "\"services\":[\"*\"],\"precision\":\"band\",\"bands\":[1,2]}]}");
    cr_assert_eq(world_push(&w, A), 1);
    struct hash bands = current_key(&w);
    cr_assert_not(hash_equal(&band, &bands));
    cr_assert_not(hash_equal(&old, &bands));
    world_done(&w);
}

Test(outbox, fewer_services_make_a_new_key_and_more_do_not) {
    struct world w;
    three_sharing(&w);
    world_set(&w, A, "care", NULL, "free=1.5");
    world_push(&w, A);
    struct hash old = current_key(&w);
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\",\"@hub\"],"
                 "\"services\":[\"bed\"],\"precision\":\"exact\"}]}");
    cr_assert_eq(world_push(&w, A), 1);
    struct hash narrow = current_key(&w);
    cr_assert_not(hash_equal(&old, &narrow));
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\",\"@hub\"],"
                 "\"services\":[\"care\",\"bed\"],\"precision\":\"exact\"}]}");
    cr_assert_eq(world_push(&w, A), 1);
    struct hash wide = current_key(&w);
    cr_assert(hash_equal(&narrow, &wide));
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"C\",\"@hub\"],"
                 "\"services\":[\"bed\"],\"precision\":\"exact\"}]}");
    cr_assert_eq(world_push(&w, A), 1);
    struct hash again = current_key(&w);
    cr_assert_not(hash_equal(&wide, &again), "narrowing what was widened under this key");
    world_done(&w);
}

Test(outbox, a_key_is_seven_days_in_use) {
    struct world w;
    three_sharing(&w);
    struct hash old = current_key(&w);
    struct agent *a = w.agents[A].agent;
    int64_t wake_ms = outbox_wake_at(a, w.now_ms);
    cr_assert_eq(wake_ms, w.now_ms + CIRCLE_KEY_MAX_MS);
    w.now_ms = wake_ms - 1;
    cr_assert_eq(world_push(&w, A), 0);
    w.now_ms = wake_ms;
    cr_assert_eq(world_push(&w, A), 1, "without any other change");
    struct hash now = current_key(&w);
    cr_assert_not(hash_equal(&old, &now));
    cr_assert_eq(outbox_wake_at(a, w.now_ms), w.now_ms + CIRCLE_KEY_MAX_MS);
    world_done(&w);
}

Test(outbox, an_audience_without_recipients_keeps_no_key_and_does_not_wake) {
    struct world w;
    three(&w);
    world_approve(&w, A, "B");
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"
                 "\"precision\":\"exact\"}]}");
    world_settle(&w);
    struct agent *a = w.agents[A].agent;
    struct hash old = current_key(&w);
    world_forget(&w, A, "B");
    cr_assert_eq(world_push(&w, A), 0);
    cr_assert_eq(outbox_wake_at(a, w.now_ms), boxes_renew_at(a));
    cr_assert_eq(world_number(a, "SELECT sum(length(key)) FROM audience"), 0);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM granted"), 0);
    world_approve(&w, A, "B");
    cr_assert_eq(world_push(&w, A), 1);
    struct hash now = current_key(&w);
    cr_assert_not(hash_equal(&old, &now));
    world_done(&w);
}

Test(outbox, an_audience_that_is_deleted_is_forgotten) {
    struct world w;
    three_sharing(&w);
    world_policy(&w, A, "{\"audiences\":[]}");
    cr_assert_eq(world_push(&w, A), 0);
    struct agent *a = w.agents[A].agent;
    cr_assert_eq(world_number(a, "SELECT count(*) FROM audience"), 0);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM granted"), 0);
    world_set(&w, A, "bed", NULL, "free=9");
    cr_assert_eq(world_push(&w, A), 0);
    world_done(&w);
}

Test(outbox, observers_publish_nothing) {
    struct world w;
    world_init(&w, NULL);
    world_add(&w, "A", ROLE_OBSERVER, NULL);
    world_add(&w, "B", ROLE_PROVIDER, NULL);
    world_settle(&w);
    world_set(&w, A, "bed", NULL, "free=1");
    world_approve(&w, A, "B");
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"
                 "\"precision\":\"exact\"}]}");
    cr_assert_eq(world_push(&w, A), 0);
    json_t *rows = world_preview(&w, A, "B");
    cr_assert_eq(json_array_size(rows), 0u);
    json_decref(rows);
    cr_assert_eq(status(&w, A).dirty_audiences, 0);
    world_done(&w);
}

/* ---- room ---- */

Test(outbox, what_does_not_fit_goes_in_following_entries_grants_first) {
    struct world w;
    struct head head;
    three(&w);
    world_approve(&w, A, "B");
    world_approve(&w, A, "C");
    world_policy(&w, A, EXACT);
    cr_assert_null(world_next(&w, A, 700, &head), "not even a grant fits");
    cr_assert(agent_dirty(w.agents[A].agent));
    cr_assert_eq(status(&w, A).own.seq, 0u);
    struct blob *bytes;
    size_t grants = 0, states = 0, entries = 0;
    while ((bytes = world_next(&w, A, 1100, &head)) != NULL) {
        cr_assert_leq(blob_bytes(bytes).len, 1100u);
        world_accept(&w, A, bytes);
        cr_assert_eq(views_of(newest(&w), VIEW_GRANT) + views_of(newest(&w), VIEW_STATE),
                     newest(&w)->view_count);
        cr_assert_eq(states, 0u, "nothing follows the state");
        grants += views_of(newest(&w), VIEW_GRANT);
        states += views_of(newest(&w), VIEW_STATE);
        cr_assert(states == 0 || grants == 3, "a state before all its grants");
        blob_unref(bytes);
        entries++;
    }
    cr_assert_eq(grants, 3u);
    cr_assert_eq(states, 1u);
    cr_assert_gt(entries, 1u);
    world_done(&w);
}

/* ---- nothing half done ---- */

Test(outbox, a_failed_commit_leaves_nothing_half_done) {
    struct world w;
    struct error e = {0};
    struct head head;
    struct watch_vfs *vfs = watch_vfs_new("outbox-watch");
    world_init(&w, NULL);
    world_add(&w, "A", ROLE_PROVIDER, "outbox-watch");
    world_add(&w, "B", ROLE_PROVIDER, NULL);
    world_settle(&w);
    world_set(&w, A, "bed", NULL, "free=4");
    world_approve(&w, A, "B");
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"
                 "\"precision\":\"exact\"}]}");
    struct agent *a = w.agents[A].agent;
    struct hash before = world_dump(a);
    struct blob *bytes = NULL;
    RUN_OK(db_begin(agent_db(a), &e));
    RUN_OK(outbox_next(a, &w.agents[A].head, ENTRY_MAX_BYTES, w.now_ms, &bytes, &head, &e));
    cr_assert_not_null(bytes);
    watch_vfs_fail(vfs, WATCH_SYNC, 1, 1, SQLITE_IOERR_FSYNC, EIO);
    cr_assert_neq(db_commit(agent_db(a), &e), ERR_OK);
    watch_vfs_fail(vfs, WATCH_SYNC, 0, 0, SQLITE_OK, 0);
    blob_unref(bytes);
    RUN_OK(agent_reload(a, &e));
    struct hash after = world_dump(a);
    cr_assert(hash_equal(&before, &after));
    cr_assert(agent_dirty(a), "it is looked at again");
    world_settle(&w);
    json_t *rows = world_find(&w, B, NULL);
    cr_assert_eq(json_array_size(rows), 1u);
    json_decref(rows);
    cr_assert_eq(w.log[0].entry->header.seq, 1u);
    world_done(&w);
    watch_vfs_free(vfs);
}

Test(outbox, own_data_that_cannot_be_sealed_is_told_and_holds_up_nobody_else) {
    struct world w;
    three(&w);
    world_approve(&w, A, "B");
    world_approve(&w, A, "C");
    char ward[32], note[NOTE_MAX + 32];
    struct agent *a = w.agents[A].agent;
    for (int i = 0; i < 600; i++) {
        snprintf(ward, sizeof ward, "ward %d", i);
        memset(note, 'a', sizeof note);
        snprintf(note, sizeof note, "free=1.5 note=%0250d", i);
        world_set(&w, A, "care", ward, note);
    }
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"big\",\"members\":[\"B\"],\"services\":[\"care\"],"
                 "\"precision\":\"exact\"},"
                 "{\"name\":\"small\",\"members\":[\"C\"],\"services\":[\"bed\"],\"precision\":"
                 "\"exact\"}]}");
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert(world_alarm(a, ALARM_OWN_DATA));
    cr_assert_eq(newest(&w)->view_count, 2u);
    cr_assert_eq(world_push(&w, A), 0);
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"big\",\"members\":[\"B\"],\"services\":[\"care\"],"
                 "\"precision\":\"band\"}]}");
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_not(world_alarm(a, ALARM_OWN_DATA));
    world_done(&w);
}
