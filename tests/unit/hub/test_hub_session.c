/* Tests of hub/session.c against a puppet agent: the handshake, what it pushes, abuse, expulsion.
 */
#include "unit/hub/hub_rig.h"

/* ---- handshake ---- */

Test(hub_session, opens_with_a_hello_and_a_deadline) {
    struct rig *r = rig_new();
    cr_assert_eq(r->count, 2u);
    struct error e = {0};
    struct hub_hello hello;
    cr_assert_eq(
        hub_hello_parse(blob_bytes(find(r, HUB_EFFECT_SEND)->data), &r->kit.hub.pub, &hello, &e),
        ERR_OK);
    cr_assert_eq(find(r, HUB_EFFECT_WAKE)->at_ms, NOW + HUB_HANDSHAKE_MS);
    cr_assert_null(hub_session_cert(r->s));
    rig_free(r);
}

Test(hub_session, times_out_at_every_point_of_the_handshake_and_not_before) {
    struct rig *r = rig_new();
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS - 1);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_CLOSE), 0u);
    cr_assert_eq(count_kind(r, HUB_EFFECT_WAKE), 2u, "woken early it asks again");
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS);
    expect_closed(r, ERR_TIMEOUT);
    rig_free(r);

    r = rig_new();
    uint64_t req = say_hello(r, 0);
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS);
    struct greeting g = greeting_ok(r, 0);
    expect_closed(r, ERR_TIMEOUT);
    hub_session_greeted(r->s, req, &g, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u, "a greeting after the close does nothing");
    rig_free(r);

    r = rig_open(0, 0);
    forget(r);
    hub_session_wake(r->s, NOW + HUB_HANDSHAKE_MS);
    drain(r);
    cr_assert_eq(r->count, 0u, "an open session has no deadline");
    cr_assert(hub_session_established(r->s));
    rig_free(r);
}

Test(hub_session, a_message_before_the_greeting_is_complete_closes) {
    struct rig *r = rig_new();
    say_hello(r, 0);
    forget(r);
    hub_session_bytes(r->s, bytes_str("early"), NOW);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(hub_session, a_hello_over_its_cap_closes) {
    struct rig *r = rig_new();
    forget(r);
    static uint8_t big[HELLO_MAX_BYTES + 1];
    hub_session_bytes(r->s, bytes_of(big, sizeof big), NOW);
    expect_closed(r, ERR_CAP);
    rig_free(r);
}

Test(hub_session, a_refusal_is_signed_unless_the_hello_did_not_verify) {
    struct rig *r = rig_new();
    uint64_t req = say_hello(r, 0);
    forget(r);
    struct greeting g = {
        .code = ERR_SUSPENDED,
        .refused = {.code = ERR_SUSPENDED, .hub_time_ms = HUB_TIME, .detail = "why"}};
    hub_session_greeted(r->s, req + 1, &g, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u, "a completion of a request never made");
    hub_session_greeted(r->s, req, &g, NOW);
    drain(r);
    struct welcome welcome;
    struct refused refused;
    cr_assert_not(
        puppet_welcomed(&r->agent, blob_bytes(find(r, HUB_EFFECT_SEND)->data), &welcome, &refused));
    cr_assert_eq(refused.code, ERR_SUSPENDED);
    cr_assert_str_eq(refused.detail, "why");
    expect_closed(r, ERR_SUSPENDED);
    rig_free(r);

    r = rig_new();
    req = say_hello(r, 0);
    forget(r);
    g = (struct greeting){.code = ERR_SIGNATURE, .unsigned_close = true};
    hub_session_greeted(r->s, req, &g, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    expect_closed(r, ERR_SIGNATURE);
    rig_free(r);
}

Test(hub_session, streams_its_own_feed_from_the_hellos_head_and_nothing_else_before_the_pull) {
    struct rig *r = rig_open(4, 0);
    const struct hub_effect *first = find(r, HUB_EFFECT_LOAD);
    cr_assert_eq(first->cursors.after[CLASS_HUB], 4u);
    for (int c = CLASS_GRANTS; c < HUB_CLASSES; c++)
        cr_assert_eq(first->cursors.after[c], UINT64_MAX);
    cr_assert_gt(first->max_bytes, 0u);
    struct page page = page_of(CLASS_HUB, 4, 5, 300, true);
    page.upto[CLASS_STATES] = 99; /* not asked for: has to be ignored */
    load(r, page);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 5u);
    cr_assert_eq(count_frames(r, FRAME_REACHED), 1u);
    cr_assert_eq(find_frame(r, FRAME_REACHED)->reached.upto, 9u);
    cr_assert_not(find_frame(r, FRAME_REACHED)->reached.tip, "other classes were not looked at");
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 0u, "the tip: nothing to load until news");
    forget(r);
    pull(r, 10);
    const struct hub_effect *second = find(r, HUB_EFFECT_LOAD);
    cr_assert_eq(second->cursors.after[CLASS_HUB], 9u);
    cr_assert_eq(second->cursors.after[CLASS_STATES], 10u);
    rig_free(r);
}

/* ---- pushing ---- */

Test(hub_session, each_push_is_accepted_and_acks_are_cumulative_and_coalesced) {
    struct rig *r = rig_open(0, 3);
    forget(r);
    size_t bytes = 0;
    uint64_t req[3];
    for (int i = 0; i < 3; i++) {
        forget(r);
        bytes += push(r, 300 + (size_t)i);
        const struct hub_effect *accept = find(r, HUB_EFFECT_ACCEPT);
        cr_assert_eq(blob_bytes(accept->data).len, 300u + (size_t)i);
        cr_assert(key_equal(&accept->agent, &r->kit.agent.pub));
        req[i] = accept->req;
    }
    forget(r);
    struct head h4 = kit_head(4), h5 = kit_head(5), h6 = kit_head(6);
    /* the last first: it stands for all before it, their credit comes with them */
    hub_session_accepted(r->s, req[2], ERR_OK, NULL, &h6, &h6, NOW);
    drain(r);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 6u);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.credit_bytes, HUB_CREDIT_BYTES);
    forget(r);
    hub_session_accepted(r->s, req[0], ERR_OK, NULL, &h4, &h6, NOW);
    hub_session_accepted(r->s, req[0], ERR_OK, NULL, &h4, &h6, NOW); /* twice counts once */
    hub_session_accepted(r->s, req[1], ERR_OK, NULL, &h5, &h6, NOW);
    hub_session_accepted(r->s, req[2] + 1, ERR_OK, NULL, &h5, &h6, NOW); /* never made */
    drain(r);
    cr_assert_eq(r->count, 1u, "one ack a drain");
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 6u);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.credit_bytes, HUB_CREDIT_BYTES + bytes);
    rig_free(r);
}

Test(hub_session, an_ack_never_exceeds_what_was_pushed_here) {
    struct rig *r = rig_open(0, 3);
    forget(r);
    push(r, 300);
    uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
    forget(r);
    struct head h4 = kit_head(4), h7 = kit_head(7); /* an older session's pushes went further */
    hub_session_accepted(r->s, req, ERR_OK, NULL, &h4, &h7, NOW);
    drain(r);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 4u);
    rig_free(r);
}

Test(hub_session, a_rejection_is_typed_returns_credit_and_keeps_the_session) {
    struct rig *r = rig_open(0, 3);
    forget(r);
    size_t bytes = push(r, 300);
    uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
    forget(r);
    struct head entry = kit_head(5), head = kit_head(3);
    struct error why = {0};
    (void)error_set(&why, ERR_SEQ, "found 5, expected 4");
    hub_session_accepted(r->s, req, ERR_SEQ, &why, &entry, &head, NOW);
    drain(r);
    const struct frame *reject = find_frame(r, FRAME_REJECT);
    cr_assert_eq(reject->reject.code, ERR_SEQ);
    cr_assert_eq(reject->reject.head.seq, 5u);
    cr_assert(hash_equal(&reject->reject.head.hash, &entry.hash));
    cr_assert_str_eq(reject->reject.detail, "found 5, expected 4");
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.seq, 3u);
    cr_assert_eq(find_frame(r, FRAME_ACK)->ack.credit_bytes, HUB_CREDIT_BYTES + bytes);
    cr_assert(hub_session_established(r->s));
    rig_free(r);
}

Test(hub_session, passing_trouble_says_when_to_come_back) {
    static const enum err passing[] = {ERR_DISK_FULL, ERR_STORE, ERR_BUSY, ERR_NO_MEMORY};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        struct rig *r = rig_open(0, 0);
        forget(r);
        push(r, 300);
        uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
        forget(r);
        struct head entry = kit_head(1), head = kit_head(0);
        hub_session_accepted(r->s, req, passing[i], NULL, &entry, &head, NOW + 50);
        struct refused refused = check_leave(r, passing[i]);
        cr_assert_eq(refused.retry_after_ms, 5000u);
        cr_assert_eq(refused.hub_time_ms, HUB_TIME + 50);
        rig_free(r);
    }
}

Test(hub_session, bytes_that_are_no_entry_end_the_session) {
    struct head none = {0};
    const struct head *nameless[] = {NULL, &none};
    for (size_t i = 0; i < 2; i++) {
        struct rig *r = rig_open(0, 0);
        forget(r);
        push(r, 3);
        uint64_t req = find(r, HUB_EFFECT_ACCEPT)->req;
        forget(r);
        hub_session_accepted(r->s, req, ERR_MALFORMED, NULL, nameless[i], nameless[i], NOW);
        check_leave(r, ERR_MALFORMED);
        rig_free(r);
    }
}

Test(hub_session, pushing_beyond_the_credit_ends_the_session) {
    struct rig *r = rig_open(0, 0);
    forget(r);
    size_t pushed = push(r, ENTRY_MAX_BYTES);
    pushed += push(r, HUB_CREDIT_BYTES - pushed - FRAME_PUSH_OVERHEAD);
    size_t left = HUB_CREDIT_BYTES - pushed;
    cr_assert_eq(count_kind(r, HUB_EFFECT_ACCEPT), 2u);
    cr_assert_leq(left, 2u, "the credit is used to the byte");
    forget(r);
    struct frame over = {.kind = FRAME_PUSH, .push = {.entry = bytes_str("one more")}};
    struct blob *message = puppet_frame(&r->agent, &over, NULL);
    hub_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    check_leave(r, ERR_CAP);
    rig_free(r);
}

Test(hub_session, more_open_pushes_than_its_cap_end_the_session) {
    struct rig *r = rig_open(0, 0);
    struct frame tiny = {.kind = FRAME_PUSH, .push = {.entry = bytes_str("")}};
    size_t accepts = 0;
    for (;;) {
        forget(r);
        struct blob *message = puppet_frame(&r->agent, &tiny, NULL);
        hub_session_bytes(r->s, blob_bytes(message), NOW);
        blob_unref(message);
        if (!hub_session_established(r->s))
            break;
        drain(r);
        cr_assert_lt(++accepts, 10000u);
    }
    cr_assert_eq(accepts, 8192u);
    check_leave(r, ERR_CAP);
    rig_free(r);
}

/* ---- abuse and expulsion ---- */

Test(hub_session, frames_of_the_wrong_direction_or_form_close_without_an_answer) {
    static const enum frame_kind wrong[] = {FRAME_ACK, FRAME_REJECT, FRAME_DELIVER, FRAME_REACHED,
                                            FRAME_LEAVE};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rig *r = rig_open(0, 0);
        forget(r);
        struct frame frame = {.kind = wrong[i]};
        if (wrong[i] == FRAME_REJECT)
            frame.reject.code = ERR_SEQ;
        send_to_hub(r, &frame);
        cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
        expect_closed(r, ERR_PROTOCOL);
        rig_free(r);
    }
    struct rig *r = rig_open(0, 0);
    forget(r);
    struct blob *message = puppet_seal(&r->agent, bytes_str("no frame"));
    hub_session_bytes(r->s, blob_bytes(message), NOW);
    blob_unref(message);
    expect_closed(r, ERR_MALFORMED);
    rig_free(r);
    r = rig_open(0, 0);
    forget(r);
    hub_session_bytes(r->s, bytes_str("this was never sealed, by anybody"), NOW);
    expect_closed(r, ERR_DECRYPT);
    rig_free(r);
}

Test(hub_session, a_second_pull_closes) {
    struct rig *r = rig_open(0, 0);
    pull(r, 0);
    forget(r);
    pull(r, 0);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(hub_session, expel_is_signed_once_established_and_a_plain_close_before) {
    struct rig *r = rig_new();
    forget(r);
    hub_session_expel(r->s, ERR_UNAVAILABLE, "shutting down", NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    expect_closed(r, ERR_UNAVAILABLE);
    rig_free(r);

    r = rig_new();
    say_hello(r, 0);
    forget(r);
    hub_session_expel(r->s, ERR_REMOVED, NULL, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    expect_closed(r, ERR_REMOVED);
    rig_free(r);

    r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 30, 100 * 1024, false)); /* a page stands waiting */
    forget(r);
    hub_session_expel(r->s, ERR_SUPERSEDED, "a newer session", NOW);
    struct refused refused = check_leave(r, ERR_SUPERSEDED);
    cr_assert_str_eq(refused.detail, "a newer session");
    cr_assert_eq(refused.retry_after_ms, 0u);
    rig_free(r);
}

Test(hub_session, expel_right_after_the_welcome_comes_after_it) {
    struct rig *r = rig_new();
    uint64_t req = say_hello(r, 0);
    forget(r);
    struct greeting g = greeting_ok(r, 0);
    hub_session_greeted(r->s, req, &g, NOW);
    hub_session_expel(r->s, ERR_SUPERSEDED, "x", NOW);
    drain(r);
    cr_assert_eq(r->count, 4u);
    cr_assert_eq(r->seen[0].kind, HUB_EFFECT_SEND);
    cr_assert_eq(r->seen[1].kind, HUB_EFFECT_JOINED);
    cr_assert_eq(r->seen[2].kind, HUB_EFFECT_SEND);
    cr_assert_eq(r->seen[3].kind, HUB_EFFECT_CLOSE);
    rig_free(r);
}

Test(hub_session, effects_that_nobody_drains_end_the_session) {
    struct rig *r = rig_open(0, 0);
    struct frame frame = {.kind = FRAME_PUSH, .push = {.entry = bytes_str("entry")}};
    for (int i = 0; i < 100; i++) {
        struct blob *message = puppet_frame(&r->agent, &frame, NULL);
        hub_session_bytes(r->s, blob_bytes(message), NOW);
        blob_unref(message);
    }
    expect_closed(r, ERR_CAP);
    hub_session_free(NULL);
    rig_free(r);
}
