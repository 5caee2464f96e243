/* Tests the own feed against a hub: what a welcome, an ack and a rejection mean, and what is kept.
 */
#include "alarm.h"
#include "unit/agent/outbox_kit.h"

static enum err welcome(struct world *w, int i, const struct head *hub, struct error *e) {
    struct welcome said = {
        .hub_time_ms = w->now_ms + 1500, .hub_head = w->hub_head, .credit_bytes = 1};
    if (hub) {
        said.has_own_head = true;
        said.own_head = *hub;
    }
    return outbox_welcomed(w->agents[i].agent, &said, w->now_ms, e);
}

Test(outbox_hub, a_hub_that_holds_what_it_acknowledged_is_fine) {
    struct world w;
    struct error e = {0};
    three_sharing(&w);
    RUN_OK(welcome(&w, A, &w.agents[A].head, &e));
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT clock_offset_ms FROM network"), 1500);
    cr_assert_eq(world_number(w.agents[A].agent, "SELECT count(*) FROM alarm"), 0);
    world_done(&w);
}

Test(outbox_hub, what_the_hub_took_without_our_hearing_of_it_is_acknowledged) {
    struct world w;
    struct error e = {0};
    struct head head;
    three_sharing(&w);
    world_set(&w, A, "bed", NULL, "free=1");
    struct blob *bytes = world_next(&w, A, ENTRY_MAX_BYTES, &head);
    cr_assert_eq(status(&w, A).acked.seq, 1u);
    RUN_OK(welcome(&w, A, &head, &e));
    cr_assert_eq(status(&w, A).acked.seq, 2u);
    blob_unref(bytes);
    world_done(&w);
}

Test(outbox_hub, a_hub_that_lost_entries_is_sent_them_again) {
    struct world w;
    struct error e = {0};
    struct head head, none = {0};
    three_sharing(&w);
    world_set(&w, A, "bed", NULL, "free=1");
    world_push(&w, A);
    RUN_OK(welcome(&w, A, NULL, &e));
    struct agent *a = w.agents[A].agent;
    cr_assert(world_alarm(a, ALARM_HUB_BEHIND));
    w.agents[A].head = none;
    for (uint64_t seq = 1; seq <= 2; seq++) {
        struct blob *bytes = world_next(&w, A, ENTRY_MAX_BYTES, &head);
        cr_assert_eq(head.seq, seq);
        cr_assert(bytes_equal(blob_bytes(bytes), blob_bytes(w.log[seq - 1].bytes)));
        w.agents[A].head = head;
        RUN_OK(outbox_acked(a, &head, w.now_ms, &e));
        blob_unref(bytes);
    }
    cr_assert_not(world_alarm(a, ALARM_HUB_BEHIND), "over once all of it is there again");
    world_done(&w);
}

Test(outbox_hub, a_hub_ahead_of_us_stops_the_outbox_and_says_so) {
    struct world w;
    struct error e = {0};
    struct head head;
    three_sharing(&w);
    struct head ahead = {.incarnation = 1, .seq = 5};
    RUN_FAILS(welcome(&w, A, &ahead, &e), ERR_AHEAD);
    struct agent *a = w.agents[A].agent;
    cr_assert(world_alarm(a, ALARM_AHEAD));
    world_set(&w, A, "bed", NULL, "free=9");
    cr_assert_null(world_next(&w, A, ENTRY_MAX_BYTES, &head));
    cr_assert_eq(status(&w, A).own.seq, 1u, "everything is kept, nothing is signed");
    RUN_FAILS(welcome(&w, A, &w.agents[A].head, &e), ERR_AHEAD);
    cr_assert_eq(outbox_wake_at(a, w.now_ms), INT64_MAX);
    struct head later = {.incarnation = 2, .seq = 1};
    struct world other;
    three_sharing(&other);
    RUN_FAILS(welcome(&other, A, &later, &e), ERR_AHEAD);
    world_done(&other);
    world_done(&w);
}

Test(outbox_hub, another_entry_in_our_place_is_a_fork) {
    struct world w;
    struct error e = {0};
    struct head head;
    three_sharing(&w);
    struct head forked = {.incarnation = 1, .seq = 1, .hash = {{7}}};
    RUN_FAILS(welcome(&w, A, &forked, &e), ERR_FORK);
    cr_assert(world_alarm(w.agents[A].agent, ALARM_FORKED));
    world_set(&w, A, "bed", NULL, "free=9");
    cr_assert_null(world_next(&w, A, ENTRY_MAX_BYTES, &head));
    world_done(&w);
}

Test(outbox_hub, a_rejection_for_a_fork_stops_and_another_is_told) {
    struct world w;
    struct error e = {0};
    struct head head;
    three_sharing(&w);
    struct agent *a = w.agents[A].agent;
    RUN_OK(outbox_rejected(a, &w.agents[A].head, ERR_RATE, "too fast", w.now_ms, &e));
    cr_assert_eq(world_number(a, "SELECT count(*) FROM alarm"), 0);
    RUN_OK(outbox_rejected(a, &w.agents[A].head, ERR_PREV, "prev", w.now_ms, &e));
    cr_assert(world_alarm(a, ALARM_REJECTED));
    world_set(&w, A, "bed", NULL, "free=9");
    cr_assert_eq(world_push(&w, A), 1);
    cr_assert_not(world_alarm(a, ALARM_REJECTED), "over once the hub took all");
    RUN_OK(outbox_rejected(a, &w.agents[A].head, ERR_FORK, "fork", w.now_ms, &e));
    cr_assert(world_alarm(a, ALARM_FORKED));
    world_set(&w, A, "bed", NULL, "free=8");
    cr_assert_null(world_next(&w, A, ENTRY_MAX_BYTES, &head));
    world_done(&w);
}

Test(outbox_hub, an_ack_for_what_is_not_ours_changes_nothing) {
    struct world w;
    struct error e = {0};
    three_sharing(&w);
    struct head foreign = w.agents[A].head;
    foreign.hash.b[0] ^= 1;
    RUN_FAILS(outbox_acked(w.agents[A].agent, &foreign, w.now_ms, &e), ERR_PROTOCOL);
    foreign = (struct head){.incarnation = 1, .seq = 9};
    RUN_FAILS(outbox_acked(w.agents[A].agent, &foreign, w.now_ms, &e), ERR_PROTOCOL);
    cr_assert_eq(status(&w, A).acked.seq, 1u);
    world_done(&w);
}

Test(outbox_hub, suspension_stops_and_the_alarm_is_the_hubs_to_lift) {
    struct world w;
    struct error e = {0};
    struct head head;
    three_sharing(&w);
    struct agent *a = w.agents[A].agent;
    RUN_OK(alarm_raise(a, ALARM_SUSPENDED, "", "by the operator", w.now_ms, &e));
    world_set(&w, A, "bed", NULL, "free=9");
    cr_assert_null(world_next(&w, A, ENTRY_MAX_BYTES, &head));
    RUN_OK(alarm_clear(a, ALARM_SUSPENDED, "", &e));
    cr_assert_eq(world_push(&w, A), 1);
    world_done(&w);
}

/* ---- pruning ---- */

Test(outbox_hub, old_entries_keep_their_headers_and_what_is_current) {
    struct world w;
    three_sharing(&w);
    struct agent *a = w.agents[A].agent;
    for (int day = 1; day <= 45; day++) {
        char pairs[64];
        w.now_ms += WORLD_DAY;
        snprintf(pairs, sizeof pairs, "total=100 free=%d", day);
        world_set(&w, A, "bed", NULL, pairs);
        cr_assert_eq(world_push(&w, A), 1);
    }
    int64_t pruned = world_number(a, "SELECT count(*) FROM own_entry WHERE pruned = 1");
    cr_assert_eq(pruned, 10, "%lld: those older than 35 days", (long long)pruned);
    cr_assert_eq(world_number(a, "SELECT count(*) FROM own_entry"), 46);
    for (size_t i = 0; i < w.log_count; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT length(bytes) FROM own_entry WHERE seq = %zu", i + 1);
        int64_t now = world_number(a, sql), whole = (int64_t)blob_bytes(w.log[i].bytes).len;
        cr_assert(i < 10 ? now < whole : now == whole, "entry %zu: %lld of %lld", i + 1,
                  (long long)now, (long long)whole);
    }
    /* A hub that lost everything is given the whole chain all the same. */
    struct error e = {0};
    struct head head;
    RUN_OK(welcome(&w, A, NULL, &e));
    w.agents[A].head = (struct head){0};
    struct blob *bytes;
    int sent = 0;
    while ((bytes = world_next(&w, A, ENTRY_MAX_BYTES, &head)) != NULL) {
        world_accept(&w, A, bytes);
        blob_unref(bytes);
        sent++;
    }
    cr_assert_eq(sent, 46);
    world_done(&w);
}
