/* An agent's X25519 keys: renewed by an entry of its own, learnt by partners, wiped when nothing
 * can be under way to them any more; whatever a crash cuts short. */
#include <sys/stat.h>

#include "boxes.h"
#include "outbox.h"
#include "renewal.h"
#include "unit/agent/inbox_kit.h"
#include "vault.h"

#define KEEP_DAYS 35 /* the charter's, when it says nothing */

static bool has_file(struct world *w, int i, const char *name) {
    char path[PATH_MAX + 32];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", w->agents[i].dir, name);
    if (stat(path, &info) != 0)
        return false;
    cr_assert_eq(info.st_mode & 0777, 0600);
    return true;
}

static void renew_now(struct world *w, int i) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(boxes_renew(w->agents[i].agent, w->now_ms, &answer, &e));
    cr_assert(json_is_true(json_object_get(answer, "waiting")));
    json_decref(answer);
}

static int64_t older(struct world *w, int i) {
    json_t *key = boxes_json(w->agents[i].agent);
    int64_t count = json_integer_value(json_object_get(key, "older"));
    json_decref(key);
    return count;
}

/* How many grants from this place in the log on to that agent the pair opens. */
static int opens(struct world *w, size_t from, int to, const struct box_pair *pair) {
    struct target target = target_key(&agent_keys(w->agents[to].agent)->pub);
    int opened = 0;
    for (size_t n = from; n < w->log_count; n++) {
        const struct entry *entry = w->log[n].entry;
        for (size_t i = 0; i < entry->view_count; i++) {
            const struct view *v = &entry->views[i];
            struct audience_ctx ctx;
            struct audience_key key;
            if (v->kind == VIEW_GRANT && target_equal(&v->target, &target))
                opened += grant_open(&entry->header, &v->key_id, v->data, pair, &ctx, &key, NULL) ==
                          ERR_OK;
        }
    }
    return opened;
}

static const struct public_key *box_known(struct world *w, int reader, int of) {
    return &directory_agent(agent_directory(w->agents[reader].agent),
                            &agent_keys(w->agents[of].agent)->pub)
                ->box;
}

/* ---- renewing ---- */

/* B has nothing to publish: its feed is opened for this. */
Test(boxes, after_90_days_a_new_key_is_announced) {
    struct world w;
    sharing(&w);
    world_pull(&w, B);
    struct public_key first = agent_box(w.agents[B].agent)->pub;
    int64_t wake_ms = outbox_wake_at(w.agents[B].agent, w.now_ms);
    cr_assert_eq(wake_ms, WORLD_NOW + BOXES_RENEW_MS);
    w.now_ms = wake_ms - 1;
    cr_assert_eq(world_push(&w, B), 0);
    w.now_ms = wake_ms;
    cr_assert_eq(world_push(&w, B), 2);
    cr_assert_eq(w.log[w.log_count - 2].entry->header.kind, ENTRY_OPEN);
    cr_assert_eq(w.log[w.log_count - 1].entry->header.kind, ENTRY_BOX_RENEWAL);
    cr_assert_not(key_equal(&agent_box(w.agents[B].agent)->pub, &first));
    cr_assert(has_file(&w, B, "box-1.key"));
    cr_assert(has_file(&w, B, "box-2.key"));
    cr_assert_eq(older(&w, B), 1);
    cr_assert_eq(world_push(&w, B), 0);
    world_reopen(&w, B, NULL);
    cr_assert_eq(outbox_wake_at(w.agents[B].agent, w.now_ms), wake_ms + BOXES_RENEW_MS);
    cr_assert_eq(world_push(&w, B), 0, "announced twice");
    world_done(&w);
}

Test(boxes, partners_grant_to_the_new_key_and_the_stolen_old_one_opens_nothing_of_it) {
    struct world w;
    sharing(&w);
    struct box_pair stolen = *agent_box(w.agents[B].agent);
    cr_assert_eq(opens(&w, 0, B, &stolen), 1);
    renew_now(&w, B);
    cr_assert_eq(world_push(&w, B), 2);
    size_t after = w.log_count;
    world_pull(&w, A);
    cr_assert(key_equal(box_known(&w, A, B), &agent_box(w.agents[B].agent)->pub));
    /* The key in use is granted again, to the new key; so is the next one. */
    cr_assert_eq(world_push(&w, A), 1);
    w.now_ms += 8 * WORLD_DAY;
    world_set(&w, A, "bed", NULL, "total=10 free=5");
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_eq(opens(&w, after, B, agent_box(w.agents[B].agent)), 2);
    cr_assert_eq(opens(&w, after, B, &stolen), 0);
    world_pull(&w, B);
    json_t *rows = world_find(&w, B, "bed");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 0), "available")), 5);
    json_decref(rows);
    world_done(&w);
}

Test(boxes, a_grant_under_way_to_the_old_key_still_opens) {
    struct world w;
    sharing(&w);
    renew_now(&w, B);
    cr_assert_eq(world_push(&w, B), 2);
    world_pull(&w, B);
    json_t *rows = world_find(&w, B, "bed");
    cr_assert_eq(json_array_size(rows), 1);
    json_decref(rows);
    cr_assert_eq(world_refusals(w.agents[B].agent, "decrypt"), 0);
    world_done(&w);
}

Test(boxes, who_comes_later_learns_it) {
    struct world w;
    sharing(&w);
    struct box_pair stolen = *agent_box(w.agents[B].agent);
    renew_now(&w, B);
    cr_assert_eq(world_push(&w, B), 2);
    int c = world_add(&w, "C", ROLE_PROVIDER, NULL);
    for (int i = 0; i < w.count; i++)
        world_feed(&w, i);
    world_pull(&w, c);
    cr_assert(key_equal(box_known(&w, c, B), &agent_box(w.agents[B].agent)->pub));
    world_set(&w, c, "bed", NULL, "total=3 free=1");
    world_approve(&w, c, "B");
    world_policy(&w, c, TO_B);
    size_t after = w.log_count;
    cr_assert_eq(world_push(&w, c), 1);
    cr_assert_eq(opens(&w, after, B, agent_box(w.agents[B].agent)), 1);
    cr_assert_eq(opens(&w, after, B, &stolen), 0);
    world_reopen(&w, c, NULL);
    cr_assert(key_equal(box_known(&w, c, B), &agent_box(w.agents[B].agent)->pub));
    world_done(&w);
}

Test(boxes, a_word_before_there_is_a_network_is_refused) {
    struct world w;
    struct error e = {0};
    struct agent *a = NULL;
    char dir[PATH_MAX];
    json_t *answer = NULL;
    world_init(&w, NULL);
    RUN_OK(agent_init(scratch_path(&w.scratch, "alone", dir), bytes_of(NULL, 0), &w.entropy,
                      w.now_ms, &e));
    RUN_OK(agent_open(dir, NULL, &w.entropy, &a, &e));
    RUN_FAILS(boxes_renew(a, w.now_ms, &answer, &e), ERR_NOT_JOINED);
    agent_close(a);
    world_done(&w);
}

/* While its member is suspended nothing of it is taken; the word stands. */
Test(boxes, a_suspended_member_renews_when_it_is_back) {
    struct world w;
    sharing(&w);
    world_member_event(&w, B, ENTRY_HUB_SUSPENDED);
    world_feed(&w, B);
    renew_now(&w, B);
    cr_assert_eq(outbox_wake_at(w.agents[B].agent, w.now_ms), INT64_MAX);
    struct head head;
    cr_assert_null(world_next(&w, B, ENTRY_MAX_BYTES, &head));
    world_member_event(&w, B, ENTRY_HUB_RESUMED);
    world_feed(&w, B);
    cr_assert_eq(world_push(&w, B), 2);
    world_done(&w);
}

/* ---- crashes ---- */

/* The file is there, its row and the entry are not. */
Test(boxes, a_key_that_was_made_and_not_announced_is_taken_up) {
    struct world w;
    struct error e = {0};
    struct blob *bytes = NULL;
    struct head head;
    struct box_pair made;
    int64_t since_ms = 0;
    sharing(&w);
    struct agent *a = w.agents[A].agent;
    struct public_key first = agent_box(a)->pub;
    w.now_ms += BOXES_RENEW_MS;
    RUN_OK(db_begin(agent_db(a), &e));
    RUN_OK(outbox_next(a, &w.agents[A].head, ENTRY_MAX_BYTES, w.now_ms, &bytes, &head, &e));
    cr_assert_not_null(bytes);
    blob_unref(bytes);
    db_rollback(agent_db(a));
    RUN_OK(agent_reload(a, &e));
    cr_assert(key_equal(&agent_box(a)->pub, &first));
    RUN_OK(vault_open_box(w.agents[A].dir, 2, &made, &since_ms, &e));
    world_reopen(&w, A, NULL);
    cr_assert_geq(world_push(&w, A), 1);
    cr_assert(key_equal(&agent_box(w.agents[A].agent)->pub, &made.pub));
    cr_assert_not(has_file(&w, A, "box-3.key"));
    world_done(&w);
}

/* Signed and stored, not sent: the same bytes go later. */
Test(boxes, an_announcement_that_was_not_sent_goes_after_the_restart) {
    struct world w;
    struct head head, again;
    sharing(&w);
    renew_now(&w, A);
    struct blob *bytes = world_next(&w, A, ENTRY_MAX_BYTES, &head);
    cr_assert_not_null(bytes);
    struct public_key renewed = agent_box(w.agents[A].agent)->pub;
    world_reopen(&w, A, NULL);
    cr_assert(key_equal(&agent_box(w.agents[A].agent)->pub, &renewed));
    struct blob *same = world_next(&w, A, ENTRY_MAX_BYTES, &again);
    cr_assert(bytes_equal(blob_bytes(bytes), blob_bytes(same)));
    blob_unref(bytes);
    blob_unref(same);
    world_done(&w);
}

Test(boxes, a_key_in_use_whose_file_is_gone_is_named) {
    struct world w;
    struct error e = {0};
    char path[PATH_MAX + 32];
    sharing(&w);
    struct world_agent *a = &w.agents[A];
    snprintf(path, sizeof path, "%s/box-1.key", a->dir);
    agent_close(a->agent);
    a->agent = NULL;
    cr_assert_eq(unlink(path), 0);
    RUN_FAILS(agent_open(a->dir, NULL, &w.entropy, &a->agent, &e), ERR_NO_INPUT);
    cr_assert_not_null(strstr(e.file, "box-1.key"));
    a->agent = NULL;
    world_done(&w);
}

/* ---- wiping ---- */

Test(boxes, the_old_key_is_wiped_keep_days_after_the_renewal) {
    struct world w;
    struct error e = {0};
    sharing(&w);
    world_pull(&w, B);
    struct agent *b = w.agents[B].agent;
    renew_now(&w, B);
    cr_assert_eq(boxes_wipe_at(b), INT64_MAX);
    cr_assert_eq(world_push(&w, B), 2);
    int64_t at_ms = w.now_ms + KEEP_DAYS * WORLD_DAY;
    cr_assert_eq(boxes_wipe_at(b), at_ms);
    RUN_OK(boxes_wipe_old(b, at_ms - 1, &e));
    cr_assert(has_file(&w, B, "box-1.key"));
    RUN_OK(boxes_wipe_old(b, at_ms, &e));
    cr_assert_not(has_file(&w, B, "box-1.key"));
    cr_assert(has_file(&w, B, "box-2.key"));
    cr_assert_eq(older(&w, B), 0);
    cr_assert_eq(boxes_wipe_at(b), INT64_MAX);
    world_reopen(&w, B, NULL);
    cr_assert_eq(older(&w, B), 0);
    world_done(&w);
}

/* While the hub does not have the announcement, partners seal to the old key. */
Test(boxes, the_old_key_stays_while_the_announcement_is_not_acknowledged) {
    struct world w;
    struct error e = {0};
    struct head head;
    sharing(&w);
    renew_now(&w, A);
    struct blob *bytes = world_next(&w, A, ENTRY_MAX_BYTES, &head);
    w.now_ms += 2 * KEEP_DAYS * WORLD_DAY;
    RUN_OK(boxes_wipe_old(w.agents[A].agent, w.now_ms, &e));
    cr_assert(has_file(&w, A, "box-1.key"));
    world_accept(&w, A, bytes);
    blob_unref(bytes);
    RUN_OK(boxes_wipe_old(w.agents[A].agent, w.now_ms, &e));
    cr_assert_not(has_file(&w, A, "box-1.key"));
    world_done(&w);
}

/* How many own entries hold this public key in full. */
static int64_t entries_with(struct world *w, int i, const struct public_key *box) {
    char sql[256], hex[2 * KEY_LEN + 1];
    hex_encode(hex, bytes_of(box->b, KEY_LEN));
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM own_entry WHERE kind = 3 AND instr(bytes, x'%s') > 0", hex);
    return world_number(w->agents[i].agent, sql);
}

/* For a hub that has to be refilled. */
Test(boxes, of_old_announcements_only_the_newest_is_kept_whole) {
    struct world w;
    sharing(&w);
    renew_now(&w, A);
    cr_assert_eq(world_push(&w, A), 1);
    struct public_key second = agent_box(w.agents[A].agent)->pub;
    renew_now(&w, A);
    cr_assert_eq(world_push(&w, A), 1);
    struct public_key third = agent_box(w.agents[A].agent)->pub;
    cr_assert_eq(entries_with(&w, A, &second), 1);
    for (int n = 0; n < 8; n++) {
        char pairs[32];
        w.now_ms += 10 * WORLD_DAY;
        snprintf(pairs, sizeof pairs, "total=10 free=%d", n);
        world_set(&w, A, "bed", NULL, pairs);
        cr_assert_geq(world_push(&w, A), 1);
    }
    cr_assert_eq(entries_with(&w, A, &second), 0);
    cr_assert_eq(entries_with(&w, A, &third), 1);
    world_done(&w);
}

/* ---- what is refused ---- */

static void craft_renewal(struct world *w, struct craft *c, struct bytes view) {
    *c = craft_of(w, A);
    c->header.kind = ENTRY_BOX_RENEWAL;
    c->view = (struct view){.target = target_plain(), .kind = VIEW_PLAIN, .data = view};
}

Test(boxes, renewals_that_do_not_hold_are_refused_and_change_nothing) {
    struct world w;
    struct error e = {0};
    struct craft c;
    struct public_key low = {{0}};
    struct buf good, zero;
    sharing(&w);
    world_pull(&w, B);
    struct public_key before = *box_known(&w, B, A);
    buf_init(&good, RENEWAL_MAX_BYTES);
    buf_init(&zero, RENEWAL_MAX_BYTES);
    RUN_OK(renewal_encode(&before, w.now_ms, &good, &e));
    RUN_OK(renewal_encode(&low, w.now_ms, &zero, &e));
    craft_renewal(&w, &c, bytes_str("no key"));
    refused_craft(&w, B, CLASS_GRANTS, &c, ERR_MALFORMED);
    craft_renewal(&w, &c, buf_bytes(&zero));
    refused_craft(&w, B, CLASS_GRANTS, &c, ERR_LOW_ORDER);
    craft_renewal(&w, &c, buf_bytes(&good));
    refused_craft(&w, B, CLASS_STATES, &c, ERR_KIND);
    c.signer = agent_keys(w.agents[B].agent);
    refused_craft(&w, B, CLASS_GRANTS, &c, ERR_SIGNATURE);
    craft_renewal(&w, &c, buf_bytes(&good));
    c.header.kind = ENTRY_UPDATE;
    refused_craft(&w, B, CLASS_GRANTS, &c, ERR_KIND);
    cr_assert(key_equal(box_known(&w, B, A), &before));
    buf_done(&good);
    buf_done(&zero);
    world_done(&w);
}

Test(boxes, an_older_renewal_does_not_come_back) {
    struct world w;
    struct buf first, second;
    sharing(&w);
    renew_now(&w, A);
    cr_assert_eq(world_push(&w, A), 1);
    size_t one = w.log_count - 1;
    renew_now(&w, A);
    cr_assert_eq(world_push(&w, A), 1);
    excerpt_of(&w, one, B, VIEW_PLAIN, &first);
    excerpt_of(&w, w.log_count - 1, B, VIEW_PLAIN, &second);
    struct error e;
    cr_assert_eq(take(&w, B, CLASS_GRANTS, buf_bytes(&second), &e), ERR_OK);
    refused(&w, B, CLASS_GRANTS, buf_bytes(&first), ERR_OLD);
    refused(&w, B, CLASS_GRANTS, buf_bytes(&second), ERR_OLD);
    cr_assert(key_equal(box_known(&w, B, A), &agent_box(w.agents[A].agent)->pub));
    buf_done(&first);
    buf_done(&second);
    world_done(&w);
}
