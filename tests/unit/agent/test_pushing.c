/* Tests of agent/pushing.c against a puppet hub: credit, acknowledgements, rejections. */
#include "unit/agent/agent_rig.h"

Test(agent_session, starts_after_what_the_hub_holds_and_goes_on_until_nothing) {
    struct rig *r = rig_ready(0, 0, 5);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 5u);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->max_bytes, (size_t)ENTRY_MAX_BYTES);
    uint64_t req = find(r, AGENT_EFFECT_NEXT)->req;
    give(r, 6, 400);
    cr_assert_eq(find_frame(r, FRAME_PUSH)->push.entry.len, 400u);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 6u);
    struct head again = kit_head(6);
    agent_session_next_entry(r->s, req, ERR_OK, NULL, &again, NOW); /* twice */
    give(r, 7, 400);
    give_nothing(r);
    cr_assert_eq(r->count, 0u);
    agent_session_outbox(r->s, NOW);
    agent_session_outbox(r->s, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 7u);
    agent_session_outbox(r->s, NOW); /* while asking */
    give_nothing(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);

    r = rig_ready(0, 0, 0);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 0u, "a hub that holds nothing gets all");
    rig_free(r);
}

Test(agent_session, keeps_within_the_credit_and_goes_on_when_it_grows) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, ENTRY_MAX_BYTES);
    size_t left = find(r, AGENT_EFFECT_NEXT)->max_bytes;
    cr_assert_lt(left, (size_t)ENTRY_MAX_BYTES);
    give(r, 2, left);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    agent_session_outbox(r->s, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u, "no credit, no question");
    forget(r);
    ack(r, 1, CREDIT + ENTRY_MAX_BYTES);
    cr_assert_eq(find(r, AGENT_EFFECT_ACKED)->head.seq, 1u);
    cr_assert(hash_equal(&find(r, AGENT_EFFECT_ACKED)->head.hash, &(struct hash){{0}}) == false);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);
}

Test(agent_session, asks_again_for_what_did_not_fit_once_the_credit_grows) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, ENTRY_MAX_BYTES);
    give_nothing(r); /* the second may wait, and be too large */
    cr_assert_eq(r->count, 0u);
    ack(r, 1, CREDIT + ENTRY_MAX_BYTES);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->max_bytes, (size_t)ENTRY_MAX_BYTES);
    give_nothing(r);
    ack(r, 1, CREDIT + ENTRY_MAX_BYTES + 100);
    cr_assert_eq(r->count, 0u, "there was room for the largest: nothing waits");
    rig_free(r);
}

Test(agent_session, an_entry_larger_than_asked_for_is_our_bug_and_never_sent) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, ENTRY_MAX_BYTES);
    give(r, 2, ENTRY_MAX_BYTES);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_SEND), 0u);
    expect_closed(r, ERR_INTERNAL);
    rig_free(r);
    r = rig_ready(0, 0, 5);
    give(r, 5, 400);
    expect_closed(r, ERR_INTERNAL);
    rig_free(r);
}

Test(agent_session, acks_are_stored_one_at_a_time_and_the_newest_wins) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 4; seq++)
        give(r, seq, 400);
    forget(r);
    ack(r, 1, CREDIT);
    uint64_t req = find(r, AGENT_EFFECT_ACKED)->req;
    forget(r);
    ack(r, 2, CREDIT + 10);
    ack(r, 4, CREDIT + 20);
    ack(r, 4, CREDIT + 30); /* credit only */
    cr_assert_eq(count_kind(r, AGENT_EFFECT_ACKED), 0u);
    agent_session_done(r->s, req, ERR_OK, NOW);
    agent_session_done(r->s, req, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_ACKED), 1u);
    cr_assert_eq(find(r, AGENT_EFFECT_ACKED)->head.seq, 4u);
    struct head four = kit_head(4);
    cr_assert(hash_equal(&find(r, AGENT_EFFECT_ACKED)->head.hash, &four.hash));
    agent_session_done(r->s, find(r, AGENT_EFFECT_ACKED)->req, ERR_DISK_FULL, NOW);
    expect_closed(r, ERR_DISK_FULL);
    rig_free(r);
}

static void check_forged_ack(uint64_t incarnation, uint64_t seq, uint64_t credit) {
    struct rig *r = rig_ready(0, 0, 5);
    give(r, 6, 400);
    give(r, 7, 400);
    ack(r, 6, CREDIT + 100);
    forget(r);
    send_to_agent(r, &(struct frame){.kind = FRAME_ACK, .ack = {incarnation, seq, credit}});
    cr_assert_eq(count_kind(r, AGENT_EFFECT_ACKED), 0u);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(agent_session, acks_of_what_was_not_sent_or_that_go_back_close) {
    check_forged_ack(1, 8, CREDIT + 100);
    check_forged_ack(1, UINT64_MAX, CREDIT + 100);
    check_forged_ack(2, 7, CREDIT + 100);
    check_forged_ack(1, 5, CREDIT + 100);
    check_forged_ack(0, 0, CREDIT + 100);
    check_forged_ack(1, 7, CREDIT + 99);
    check_forged_ack(1, 6, 0);
}

Test(agent_session, a_rejection_is_reported_once_and_stops_the_pushing) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 4; seq++)
        give(r, seq, 400);
    uint64_t next = find(r, AGENT_EFFECT_NEXT)->req;
    forget(r);
    reject(r, 2, ERR_KIND);
    const struct agent_effect *rejected = find(r, AGENT_EFFECT_REJECTED);
    cr_assert_eq(rejected->head.seq, 2u);
    cr_assert_eq(rejected->code, ERR_KIND);
    cr_assert_str_eq(rejected->reason, "why");
    forget(r);
    reject(r, 3, ERR_SEQ); /* what follows from it is no second alarm */
    reject(r, 4, ERR_SEQ);
    cr_assert_eq(r->count, 0u);
    struct head five = kit_head(5);
    struct blob *entry = blob_new(bytes_str("entry"));
    agent_session_next_entry(r->s, next, ERR_OK, entry, &five, NOW); /* was asked for before */
    blob_unref(entry);
    agent_session_outbox(r->s, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u);
    ack(r, 1, CREDIT + 9999);
    cr_assert_eq(find(r, AGENT_EFFECT_ACKED)->head.seq, 1u);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    rig_free(r);
}

Test(agent_session, an_ack_beyond_a_rejection_closes) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        give(r, seq, 400);
    reject(r, 2, ERR_KIND);
    ack(r, 3, CREDIT);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(agent_session, a_rejection_of_what_was_not_sent_closes) {
    struct rig *r = rig_ready(0, 0, 0);
    give(r, 1, 400);
    reject(r, 2, ERR_KIND);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    give(r, 1, 400);
    struct frame frame = {.kind = FRAME_REJECT, .reject = {.head = kit_head(1), .code = ERR_KIND}};
    frame.reject.head.hash.b[0] ^= 1;
    send_to_agent(r, &frame);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(agent_session, too_fast_is_tried_again_behind_what_was_acknowledged) {
    struct rig *r = rig_ready(0, 0, 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        give(r, seq, 400);
    give_nothing(r);
    ack(r, 1, CREDIT);
    forget(r);
    reject(r, 2, ERR_RATE);
    cr_assert_eq(find(r, AGENT_EFFECT_REJECTED)->code, ERR_RATE);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + 5000);
    forget(r);
    agent_session_wake(r->s, NOW + 4999);
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + 5000);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    forget(r);
    agent_session_wake(r->s, NOW + 5000); /* the third entry is not answered yet */
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + 10000);
    forget(r);
    reject(r, 3, ERR_SEQ);
    agent_session_wake(r->s, NOW + 10000);
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_NEXT)->head.seq, 1u);
    give(r, 2, 400);
    ack(r, 2, CREDIT + 1000);
    cr_assert(agent_session_established(r->s));
    rig_free(r);
}

Test(agent_session, a_long_queue_at_the_shell_holds_back) {
    struct rig *r = rig_ready(0, 0, 0);
    agent_session_queued(r->s, 2 * 1024 * 1024, NOW);
    give(r, 1, 400);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    agent_session_queued(r->s, 0, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);
}

Test(agent_session, an_outbox_that_fails_closes_and_one_that_refuses_waits) {
    struct rig *r = rig_ready(0, 0, 0);
    uint64_t req = find(r, AGENT_EFFECT_NEXT)->req;
    forget(r);
    agent_session_next_entry(r->s, req, ERR_CONFLICT, NULL, NULL, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u);
    agent_session_outbox(r->s, NOW);
    drain(r);
    req = find(r, AGENT_EFFECT_NEXT)->req;
    agent_session_next_entry(r->s, req, ERR_STORE, NULL, NULL, NOW);
    expect_closed(r, ERR_STORE);
    rig_free(r);
}
