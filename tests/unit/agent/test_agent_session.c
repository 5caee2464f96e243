/* Tests of agent/session.c against a puppet hub: the handshake, the order after the welcome,
 * leaving and abuse. */
#include "unit/agent/agent_rig.h"

/* ---- handshake ---- */

Test(agent_session, answers_a_hello_with_what_it_holds) {
    struct rig *r = rig_new(6);
    cr_assert_eq(find(r, AGENT_EFFECT_WAKE)->at_ms, NOW + AGENT_HANDSHAKE_MS);
    struct bytes hello = greet(r);
    struct agent_hello fields;
    struct error e = {0};
    cr_assert_eq(
        agent_hello_verify(hello, &r->kit.hub.pub, buf_bytes(&r->hub.hub_hello), &fields, &e),
        ERR_OK, "%s", e.detail);
    cr_assert(fields.has_hub_head);
    cr_assert_eq(fields.hub_head.seq, 6u);
    cr_assert_not(agent_session_established(r->s));
    rig_free(r);
}

Test(agent_session, times_out_before_the_welcome_only) {
    struct rig *r = rig_new(0);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS - 1);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_WAKE), 2u);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS);
    expect_closed(r, ERR_TIMEOUT);
    rig_free(r);
    r = rig_new(0);
    greet(r);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS);
    expect_closed(r, ERR_TIMEOUT);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    forget(r);
    agent_session_wake(r->s, NOW + AGENT_HANDSHAKE_MS);
    drain(r);
    cr_assert_eq(r->count, 0u);
    rig_free(r);
}

Test(agent_session, does_not_talk_to_another_hub) {
    struct rig *r = rig_new(0);
    struct error e = {0};
    struct buf hello;
    struct sign_pair other;
    kit_pair(&r->kit, &other);
    buf_init(&hello, HELLO_MAX_BYTES);
    cr_assert_eq(hub_hello_build(&other.pub, &r->hub.secret, &hello, &e), ERR_OK);
    agent_session_bytes(r->s, buf_bytes(&hello), NOW);
    buf_done(&hello);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_SEND), 0u);
    expect_closed(r, ERR_NETWORK);
    rig_free(r);
}

Test(agent_session, believes_no_welcome_that_another_key_signed) {
    struct rig *r = rig_new(0);
    struct welcome welcome = welcome_of(0, 0);
    struct bytes hello = greet(r);
    kit_pair(&r->kit, &r->hub.hub);
    struct bytes message = puppet_welcome(&r->hub, hello, &welcome);
    forget(r);
    agent_session_bytes(r->s, message, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_WELCOMED), 0u);
    expect_closed(r, ERR_SIGNATURE);
    rig_free(r);
}

Test(agent_session, a_signed_refusal_is_reported_and_a_forged_one_is_not) {
    for (int forged = 0; forged <= 1; forged++) {
        struct rig *r = rig_new(0);
        struct bytes hello = greet(r);
        struct refused refused = refused_of(ERR_REMOVED);
        struct error e = {0};
        struct sign_pair key = r->kit.hub;
        if (forged)
            kit_pair(&r->kit, &key);
        cr_assert_eq(
            refused_build(&refused, buf_bytes(&r->hub.hub_hello), hello, &key, &r->hub.answer, &e),
            ERR_OK);
        forget(r);
        agent_session_bytes(r->s, buf_bytes(&r->hub.answer), NOW);
        drain(r);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_REFUSED), forged ? 0u : 1u);
        if (!forged) {
            cr_assert_eq(find(r, AGENT_EFFECT_REFUSED)->refused.code, ERR_REMOVED);
            cr_assert_str_eq(find(r, AGENT_EFFECT_REFUSED)->refused.detail, "detail");
        }
        expect_closed(r, forged ? ERR_SIGNATURE : ERR_REMOVED);
        rig_free(r);
    }
}

/* ---- order after the welcome ---- */

Test(agent_session, pulls_once_the_welcome_is_stored) {
    struct welcome welcome = welcome_of(0, 0);
    struct rig *r = rig_open(0, &welcome);
    cr_assert_eq(r->count, 1u, "before that nothing is sent");
    cr_assert_eq(find(r, AGENT_EFFECT_WELCOMED)->welcome.credit_bytes, CREDIT);
    agent_session_done(r->s, r->welcomed_req, ERR_OK, NOW);
    drain(r);
    agent_session_done(r->s, r->welcomed_req, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_frames(r, FRAME_PULL), 1u);
    for (int c = 1; c < FRAME_CLASSES; c++)
        cr_assert_eq(find_frame(r, FRAME_PULL)->pull.after[c], 10u * (unsigned)c);
    rig_free(r);
}

Test(agent_session, ahead_or_forked_it_pulls_and_pushes_nothing) {
    static const enum err codes[] = {ERR_AHEAD, ERR_FORK};
    for (size_t i = 0; i < 2; i++) {
        struct welcome welcome = welcome_of(0, 5);
        struct rig *r = rig_open(0, &welcome);
        agent_session_done(r->s, r->welcomed_req, codes[i], NOW);
        agent_session_outbox(r->s, NOW);
        drain(r);
        cr_assert_eq(count_frames(r, FRAME_PULL), 1u);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
        rig_free(r);
    }
    struct welcome welcome = welcome_of(0, 5);
    struct rig *r = rig_open(0, &welcome);
    agent_session_done(r->s, r->welcomed_req, ERR_DISK_FULL, NOW);
    expect_closed(r, ERR_DISK_FULL);
    rig_free(r);
}

Test(agent_session, pushes_only_after_the_hubs_feed_up_to_the_welcomes_head) {
    struct rig *r = rig_ready(2, 4, 0);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    forget(r);
    deliver(r, 0, 3, 300);
    uint64_t third = find(r, AGENT_EFFECT_TAKE)->req;
    forget(r);
    deliver(r, 0, 4, 300);
    uint64_t fourth = find(r, AGENT_EFFECT_TAKE)->req;
    cr_assert_eq(find(r, AGENT_EFFECT_TAKE)->position, 4u);
    cr_assert_eq(find(r, AGENT_EFFECT_TAKE)->received_ms, 77);
    agent_session_done(r->s, third, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 0u);
    agent_session_done(r->s, fourth, ERR_OK, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u);
    rig_free(r);

    r = rig_ready(4, 4, 0);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_NEXT), 1u, "at once when it is held already");
    rig_free(r);
}

Test(agent_session, a_hub_that_forges_its_feed_is_not_talked_to) {
    static const enum err codes[] = {ERR_SIGNATURE, ERR_PREV, ERR_OLD, ERR_KIND};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct rig *r = rig_ready(2, 4, 0);
        forget(r);
        deliver(r, 0, 3, 300);
        agent_session_done(r->s, find(r, AGENT_EFFECT_TAKE)->req, codes[i], NOW);
        expect_closed(r, codes[i]);
        rig_free(r);
    }
    for (uint64_t position = 2; position <= 4; position += 2) {
        struct rig *r = rig_ready(2, 4, 0);
        forget(r);
        deliver(r, 0, position, 300);
        cr_assert_eq(count_kind(r, AGENT_EFFECT_TAKE), 0u);
        expect_closed(r, ERR_PROTOCOL);
        rig_free(r);
    }
}

/* ---- leaving and abuse ---- */

static void send_leave(struct rig *r, const struct sign_pair *key, enum err code) {
    struct refused refused = refused_of(code);
    struct error e = {0};
    struct buf answer_bytes;
    struct frame leave;
    buf_init(&answer_bytes, HELLO_MAX_BYTES);
    cr_assert_eq(refused_build(&refused, buf_bytes(&r->hub.hub_hello),
                               buf_bytes(&r->hub.agent_hello), key, &answer_bytes, &e),
                 ERR_OK);
    cr_assert_eq(frame_leave_from_answer(buf_bytes(&answer_bytes), &leave, &e), ERR_OK);
    forget(r);
    send_to_agent(r, &leave);
    buf_done(&answer_bytes);
}

Test(agent_session, a_leave_counts_only_when_the_hub_signed_it) {
    struct rig *r = rig_ready(0, 0, 0);
    send_leave(r, &r->kit.hub, ERR_DISK_FULL);
    cr_assert_eq(find(r, AGENT_EFFECT_REFUSED)->refused.code, ERR_DISK_FULL);
    cr_assert_eq(find(r, AGENT_EFFECT_REFUSED)->refused.retry_after_ms, 9u);
    expect_closed(r, ERR_DISK_FULL);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    struct sign_pair other;
    kit_pair(&r->kit, &other);
    send_leave(r, &other, ERR_REMOVED);
    cr_assert_eq(count_kind(r, AGENT_EFFECT_REFUSED), 0u);
    expect_closed(r, ERR_SIGNATURE);
    rig_free(r);
}

Test(agent_session, frames_of_the_wrong_direction_or_form_close) {
    static const enum frame_kind wrong[] = {FRAME_PUSH, FRAME_PULL, FRAME_TAKEN};
    for (size_t i = 0; i < 3; i++) {
        struct rig *r = rig_ready(0, 0, 0);
        send_to_agent(r, &(struct frame){.kind = wrong[i]});
        expect_closed(r, ERR_PROTOCOL);
        rig_free(r);
    }
    struct rig *r = rig_ready(0, 0, 0);
    struct blob *message = puppet_seal(&r->hub, bytes_str("no frame"));
    agent_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    expect_closed(r, ERR_MALFORMED);
    rig_free(r);
    r = rig_ready(0, 0, 0);
    agent_session_bytes(r->s, bytes_str("this was never sealed, by anybody"), NOW);
    expect_closed(r, ERR_DECRYPT);
    rig_free(r);
    agent_session_free(NULL);
}
