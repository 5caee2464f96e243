/* Tests of agent/taking.c against a puppet hub: what is stored, credited, refused. */
#include "unit/agent/agent_rig.h"

Test(agent_session, taken_is_cumulative_coalesced_and_has_no_gaps) {
    struct rig *r = rig_ready(0, 0, 0);
    uint64_t req[3], bytes[3];
    for (uint32_t i = 0; i < 3; i++) {
        forget(r);
        bytes[i] = deliver(r, 1 + i, 50 + i, 300 + i);
        const struct agent_effect *take = find(r, AGENT_EFFECT_TAKE);
        cr_assert_eq(take->class_, 1 + i);
        cr_assert_eq(blob_bytes(take->data).len, 300u + i);
        req[i] = take->req;
    }
    forget(r);
    agent_session_done(r->s, req[1], ERR_NO_KEY, NOW);    /* the reader's rule: counts as taken */
    agent_session_done(r->s, req[1], ERR_DISK_FULL, NOW); /* completed once is completed */
    drain(r);
    cr_assert_eq(r->count, 0u);
    agent_session_done(r->s, req[0], ERR_OK, NOW);
    agent_session_done(r->s, req[0], ERR_OK, NOW);
    agent_session_done(r->s, req[2] + 1, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(r->count, 1u);
    cr_assert_eq(find_frame(r, FRAME_TAKEN)->taken.bytes, bytes[0] + bytes[1]);
    forget(r);
    agent_session_done(r->s, req[2], ERR_SIGNATURE, NOW);
    drain(r);
    cr_assert_eq(find_frame(r, FRAME_TAKEN)->taken.bytes, bytes[0] + bytes[1] + bytes[2]);
    cr_assert(agent_session_established(r->s));
    rig_free(r);
}

Test(agent_session, a_store_that_fails_closes_and_credits_nothing) {
    static const enum err codes[] = {ERR_DISK_FULL, ERR_STORE, ERR_NO_MEMORY};
    for (size_t i = 0; i < 3; i++) {
        struct rig *r = rig_ready(0, 0, 0);
        forget(r);
        deliver(r, 2, 50, 300);
        agent_session_done(r->s, find(r, AGENT_EFFECT_TAKE)->req, codes[i], NOW);
        drain(r);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_SEND), 0u);
        expect_closed(r, codes[i]);
        rig_free(r);
    }
}

Test(agent_session, a_position_is_stored_only_after_what_came_before_it) {
    struct rig *r = rig_ready(0, 0, 0);
    forget(r);
    deliver(r, 1, 50, 300);
    uint64_t first = find(r, AGENT_EFFECT_TAKE)->req;
    reached(r, 1, 50, false);
    reached(r, 2, 60, true);
    forget(r);
    deliver(r, 2, 61, 300);
    uint64_t second = find(r, AGENT_EFFECT_TAKE)->req;
    reached(r, 2, 61, true);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REACHED), 0u);
    forget(r);
    agent_session_done(r->s, first, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REACHED), 2u);
    cr_assert_eq(find(r, AGENT_EFFECT_REACHED)->class_, 1u);
    cr_assert_eq(find(r, AGENT_EFFECT_REACHED)->position, 50u);
    uint64_t reached_req[2] = {0}, n = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->seen[i].kind == AGENT_EFFECT_REACHED)
            reached_req[n++] = r->seen[i].req;
    cr_assert_not(agent_session_caught_up(r->s));
    agent_session_done(r->s, reached_req[1], ERR_OK, NOW);
    cr_assert(agent_session_caught_up(r->s));
    forget(r);
    agent_session_done(r->s, second, ERR_OK, NOW);
    agent_session_done(r->s, reached_req[0], ERR_OK, NOW);
    drain(r);
    cr_assert_eq(find(r, AGENT_EFFECT_REACHED)->position, 61u);
    rig_free(r);
}

Test(agent_session, a_position_that_cannot_be_stored_closes) {
    static const enum err codes[] = {ERR_STORE, ERR_CONFLICT};
    for (size_t i = 0; i < 2; i++) {
        struct rig *r = rig_ready(0, 0, 0);
        forget(r);
        reached(r, 1, 50, false);
        agent_session_done(r->s, find(r, AGENT_EFFECT_REACHED)->req, codes[i], NOW);
        expect_closed(r, codes[i]);
        rig_free(r);
    }
}

Test(agent_session, reached_frames_without_end_take_no_memory) {
    struct rig *r = rig_ready(0, 0, 0);
    forget(r);
    deliver(r, 1, 50, 300); /* nothing may be stored before this */
    for (uint64_t i = 0; i < 100000; i++) {
        struct frame frame = {.kind = FRAME_REACHED,
                              .reached = {1 + (uint32_t)(i % 4), 100 + i, i % 7 == 0}};
        struct blob *message = puppet_frame(&r->hub, &frame, NULL);
        agent_session_bytes(r->s, blob_bytes(message), NOW);
        blob_unref(message);
    }
    drain(r);
    cr_assert(agent_session_established(r->s));
    uint64_t take = find(r, AGENT_EFFECT_TAKE)->req;
    forget(r);
    agent_session_done(r->s, take, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REACHED), 4u);
    rig_free(r);
}

Test(agent_session, a_position_must_not_go_back_nor_past_the_hubs_feed) {
    struct rig *r = rig_ready(2, 2, 0);
    reached(r, 1, 9, false); /* 10 is held */
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
    r = rig_ready(2, 2, 0);
    reached(r, 0, 3, false);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
    r = rig_ready(2, 2, 0);
    forget(r);
    reached(r, 0, 2, true);
    cr_assert(find(r, AGENT_EFFECT_REACHED)->tip);
    rig_free(r);
}

Test(agent_session, a_hub_that_ignores_the_window_is_left) {
    struct rig *r = rig_ready(0, 0, 0);
    size_t sent = 0;
    while (sent < FRAME_WINDOW_BYTES) {
        forget(r);
        sent += deliver(r, 1, 50, 100 * 1024);
        cr_assert(agent_session_established(r->s));
    }
    forget(r);
    deliver(r, 1, 51, 10);
    expect_closed(r, ERR_CAP);
    rig_free(r);
}
