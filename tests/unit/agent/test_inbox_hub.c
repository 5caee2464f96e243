/* Tests the hub's feed as it arrives, positions and counts, and what happens to a batch of
 * deliveries that is refused in part or not committed. */
#include <errno.h>
#include <sqlite3.h>

#include "alarm.h"
#include "unit/agent/inbox_kit.h"
#include "vfs/watch_vfs.h"

static size_t count_rows(struct world *w, int i) {
    json_t *rows = world_find(w, i, NULL);
    size_t count = json_array_size(rows);
    json_decref(rows);
    return count;
}

/* ---- the hub's feed ---- */

static void refused_hub(struct world *w, struct header header, uint32_t view_kind,
                        const struct sign_pair *signer, struct bytes content, enum err expected) {
    struct craft c = {.header = header, .signer = signer};
    c.view = (struct view){.target = target_plain(), .kind = view_kind, .data = content};
    refused_craft(w, B, CLASS_HUB, &c, expected);
    cr_assert(expected == ERR_OLD || world_alarm(w->agents[B].agent, ALARM_HUB_FEED));
}

Test(inbox_hub, the_hubs_feed_is_checked_by_its_own_rule) {
    struct world w;
    struct error e = {0};
    sharing(&w);
    struct buf content, taken;
    buf_init(&content, ENTRY_MAX_BYTES);
    buf_init(&taken, ENTRY_MAX_BYTES);
    RUN_OK(event_member(&w.agents[A].member, NULL, &content, &e));
    struct invitation again = {.name = "A", .role = ROLE_PROVIDER, .expires_ms = w.now_ms + 1};
    again.invite.b[0] = 1;
    RUN_OK(event_invited(&again, &taken, &e));
    struct header h = {.network = w.hub.pub,
                       .member = w.hub.pub,
                       .agent = w.hub.pub,
                       .incarnation = 1,
                       .seq = w.hub_head.seq + 1,
                       .prev = w.hub_head.hash,
                       .claimed_ms = w.now_ms,
                       .kind = ENTRY_HUB_SUSPENDED};
    struct bytes event = buf_bytes(&content);
    struct header bad = h;
    bad.network.b[0] ^= 1;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_NETWORK);
    bad = h;
    bad.member = w.agents[A].member;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_UNKNOWN_AUTHOR);
    refused_hub(&w, h, VIEW_PLAIN, agent_keys(w.agents[A].agent), event, ERR_SIGNATURE);
    bad = h;
    bad.seq++;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_SEQ);
    bad = h;
    bad.incarnation = 3;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_INCARNATION);
    bad = h;
    bad.prev.b[0] ^= 1;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_PREV);
    bad = h;
    bad.seq--;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_FORK);
    bad = h;
    bad.kind = ENTRY_UPDATE;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_KIND);
    refused_hub(&w, h, VIEW_PLAIN, &w.hub, bytes_str("\xff"), ERR_MALFORMED);
    bad = h;
    bad.kind = ENTRY_HUB_INVITED;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, buf_bytes(&taken), ERR_NAME_TAKEN);
    bad.kind = ENTRY_HUB_RESUMED;
    refused_hub(&w, bad, VIEW_PLAIN, &w.hub, event, ERR_CONFLICT);
    refused(&w, B, CLASS_HUB, blob_bytes(w.feed[0]), ERR_OLD);
    world_member_event(&w, A, ENTRY_HUB_SUSPENDED);
    world_feed(&w, B);
    cr_assert_not(world_alarm(w.agents[B].agent, ALARM_HUB_FEED), "over with the next true entry");
    buf_done(&content);
    buf_done(&taken);
    world_done(&w);
}

Test(inbox_hub, what_was_refused_survives_a_restart_as_a_count) {
    struct world w;
    struct error e = {0};
    json_t *counters = NULL;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    c.header.network.b[0] ^= 1;
    refused_craft(&w, B, CLASS_STATES, &c, ERR_NETWORK);
    refused_craft(&w, B, CLASS_STATES, &c, ERR_NETWORK);
    world_reopen(&w, B, NULL);
    RUN_OK(inbox_counters(w.agents[B].agent, &counters, &e));
    cr_assert_eq(json_integer_value(json_object_get(counters, "network")), 2);
    json_decref(counters);
    world_done(&w);
}

Test(inbox_hub, positions_are_stored_and_never_go_back) {
    struct world w;
    struct error e = {0};
    sharing(&w);
    struct agent *b = w.agents[B].agent;
    RUN_OK(inbox_reached(b, CLASS_STATES, 9, false, w.now_ms, &e));
    cr_assert_eq(world_number(b, "SELECT count(*) FROM network WHERE picture_ms IS NOT NULL"), 0);
    RUN_OK(inbox_reached(b, CLASS_STATES, 7, true, w.now_ms, &e));
    RUN_OK(inbox_reached(b, CLASS_HUB, 3, true, w.now_ms, &e));
    cr_assert_eq(world_number(b, "SELECT position FROM cursor WHERE class = 2"), 9);
    cr_assert_eq(world_number(b, "SELECT count(*) FROM cursor"), 1);
    cr_assert_eq(world_number(b, "SELECT picture_ms FROM network"), w.now_ms);
    world_done(&w);
}

/* ---- one transaction ---- */

Test(inbox_hub, a_batch_goes_on_past_what_is_refused) {
    struct world w;
    struct error e;
    struct buf grants, state;
    sharing(&w);
    struct agent *b = w.agents[B].agent;
    struct craft c = craft_of(&w, A);
    struct buf bad;
    c.header.network.b[0] ^= 1;
    craft_excerpt(&c, &bad);
    excerpt_of(&w, 0, B, VIEW_GRANT, &grants);
    excerpt_of(&w, 0, B, VIEW_STATE, &state);
    e = (struct error){0};
    RUN_OK(db_begin(agent_db(b), &e));
    RUN_OK(take(&w, B, CLASS_GRANTS, buf_bytes(&grants), &e));
    RUN_FAILS(take(&w, B, CLASS_STATES, buf_bytes(&bad), &e), ERR_NETWORK);
    RUN_OK(take(&w, B, CLASS_STATES, buf_bytes(&state), &e));
    RUN_OK(db_commit(agent_db(b), &e));
    cr_assert_eq(count_rows(&w, B), 1u);
    cr_assert_eq(world_refusals(b, "network"), 1);
    buf_done(&bad);
    buf_done(&grants);
    buf_done(&state);
    world_done(&w);
}

Test(inbox_hub, a_failed_commit_takes_the_picture_and_the_directory_back) {
    struct world w;
    struct error e = {0};
    struct watch_vfs *vfs = watch_vfs_new("inbox-watch");
    sharing(&w);
    world_reopen(&w, B, "inbox-watch");
    struct agent *b = w.agents[B].agent;
    world_member_event(&w, A, ENTRY_HUB_SUSPENDED);
    struct hash before = world_dump(b);
    uint64_t seq = directory_head(agent_directory(b)).seq;
    RUN_OK(db_begin(agent_db(b), &e));
    world_feed(&w, B);
    world_pull(&w, B);
    cr_assert_eq(directory_head(agent_directory(b)).seq, seq + 1);
    watch_vfs_fail(vfs, WATCH_SYNC, 1, 1, SQLITE_IOERR_FSYNC, EIO);
    cr_assert_neq(db_commit(agent_db(b), &e), ERR_OK);
    watch_vfs_fail(vfs, WATCH_SYNC, 0, 0, SQLITE_OK, 0);
    RUN_OK(agent_reload(b, &e));
    struct hash after = world_dump(b);
    cr_assert(hash_equal(&before, &after));
    cr_assert_eq(directory_head(agent_directory(b)).seq, seq);
    w.agents[B].delivered = 0;
    world_feed(&w, B);
    world_pull(&w, B);
    cr_assert_eq(world_number(b, "SELECT count(*) FROM picture"), 1);
    world_done(&w);
    watch_vfs_free(vfs);
}
