/* Tests of hub/deliver.c against a puppet agent: pages, the window, what cannot be loaded. */
#include "unit/hub/hub_rig.h"

Test(hub_session, a_page_is_sent_in_order_with_a_reached_per_class_and_tip_on_the_last) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 1, 300, true));
    forget(r);
    pull(r, 0);
    struct page page = {.items = calloc(3, sizeof(struct delivery)), .count = 3, .tip = true};
    page.items[0] = item(CLASS_GRANTS, 3, 310);
    page.items[1] = item(CLASS_STATES, 2, 320);
    page.items[2] = item(CLASS_HISTORY, 1, 330);
    page.upto[CLASS_HUB] = 1; /* not further than before: no Reached */
    for (int c = CLASS_GRANTS; c < HUB_CLASSES; c++)
        page.upto[c] = 20 + (uint64_t)c;
    load(r, page);
    cr_assert_eq(r->count, 7u);
    for (size_t i = 0; i < 3; i++) {
        static const uint32_t classes[] = {CLASS_GRANTS, CLASS_STATES, CLASS_HISTORY};
        cr_assert_eq(r->frames[i].deliver.class_, classes[i]);
        cr_assert_eq(r->frames[i].deliver.position, 3u - i);
        cr_assert_eq(r->frames[i].deliver.received_ms, 5);
        cr_assert_eq(r->frames[i].deliver.excerpt.len, 310u + 10 * i);
    }
    for (size_t i = 3; i < 7; i++) {
        cr_assert_eq(r->frames[i].reached.class_, i - 2);
        cr_assert_eq(r->frames[i].reached.upto, 20u + i - 2);
        cr_assert_eq(r->frames[i].reached.tip, i == 6);
    }
    rig_free(r);
}

Test(hub_session, a_reader_that_misses_nothing_is_told_so_once) {
    struct rig *r = rig_open(9, 0);
    load(r, (struct page){.tip = true});
    cr_assert_eq(count_kind(r, HUB_EFFECT_SEND), 0u);
    pull(r, 50);
    load(r, (struct page){.upto = {9, 50, 50, 50, 50}, .tip = true});
    cr_assert_eq(count_frames(r, FRAME_REACHED), 1u);
    cr_assert(find_frame(r, FRAME_REACHED)->reached.tip);
    cr_assert_eq(find_frame(r, FRAME_REACHED)->reached.upto, 9u);
    forget(r);
    hub_session_news(r->s, NOW);
    drain(r);
    load(r, (struct page){.upto = {9, 50, 50, 50, 50}, .tip = true});
    cr_assert_eq(r->count, 0u);
    rig_free(r);
}

Test(hub_session, news_during_a_load_is_one_more_load) {
    struct rig *r = rig_open(0, 0);
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 1u);
    for (int i = 0; i < 5; i++)
        hub_session_news(r->s, NOW);
    drain(r);
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 1u, "one load at a time");
    load(r, page_of(CLASS_HUB, 0, 2, 300, true));
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 1u);
    cr_assert_eq(find(r, HUB_EFFECT_LOAD)->cursors.after[CLASS_HUB], 2u);
    load(r, (struct page){.upto = {2}, .tip = true});
    cr_assert_eq(r->count, 0u);
    rig_free(r);
}

Test(hub_session, loads_on_until_the_tip) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 2, 300, false));
    load(r, page_of(CLASS_HUB, 2, 2, 300, false));
    cr_assert_eq(find(r, HUB_EFFECT_LOAD)->cursors.after[CLASS_HUB], 4u);
    rig_free(r);
}

Test(hub_session, the_window_holds_back_and_taken_opens_it) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 30, 100 * 1024, false));
    size_t sent = count_frames(r, FRAME_DELIVER);
    cr_assert_eq(sent, 11u, "found %zu frames of 100 KiB in a window of 1 MiB and one over", sent);
    cr_assert_eq(count_kind(r, HUB_EFFECT_LOAD), 0u);
    forget(r);
    hub_session_news(r->s, NOW);
    drain(r);
    cr_assert_eq(r->count, 0u);
    struct frame taken = {.kind = FRAME_TAKEN, .taken = {.bytes = 5 * 100 * 1024}};
    send_to_hub(r, &taken);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 5u);
    forget(r);
    taken.taken.bytes = 11 * 100 * 1024;
    send_to_hub(r, &taken);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 6u);
    rig_free(r);
}

Test(hub_session, a_long_queue_at_the_shell_holds_back_too) {
    struct rig *r = rig_open(0, 0);
    hub_session_queued(r->s, HUB_WINDOW_BYTES + 1, NOW);
    load(r, page_of(CLASS_HUB, 0, 3, 300, true));
    cr_assert_eq(r->count, 0u);
    hub_session_queued(r->s, HUB_WINDOW_BYTES, NOW);
    drain(r);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 3u);
    rig_free(r);
}

static void check_taken_closes(uint64_t first, uint64_t second) {
    struct rig *r = rig_open(0, 0);
    load(r, page_of(CLASS_HUB, 0, 3, 300, true));
    forget(r);
    struct frame taken = {.kind = FRAME_TAKEN, .taken = {.bytes = first}};
    send_to_hub(r, &taken);
    cr_assert_eq(r->count, 0u);
    taken.taken.bytes = second;
    send_to_hub(r, &taken);
    expect_closed(r, ERR_PROTOCOL);
    rig_free(r);
}

Test(hub_session, taken_must_not_go_back_nor_beyond_what_was_sent) {
    check_taken_closes(600, 599);
    check_taken_closes(0, 2000);
    check_taken_closes(0, UINT64_MAX);
}

Test(hub_session, a_page_that_moves_nothing_is_our_bug_and_no_endless_loop) {
    struct rig *r = rig_open(0, 0);
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    struct page page = {.tip = false};
    hub_session_loaded(r->s, req, ERR_OK, &page, NOW);
    check_leave(r, ERR_INTERNAL);
    rig_free(r);
}

Test(hub_session, a_failed_load_says_when_to_come_back) {
    struct rig *r = rig_open(0, 0);
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    struct page page = {0};
    hub_session_loaded(r->s, req, ERR_STORE, &page, NOW);
    cr_assert_eq(check_leave(r, ERR_STORE).retry_after_ms, 5000u);
    rig_free(r);
}

Test(hub_session, a_page_nobody_waits_for_is_freed) {
    struct rig *r = rig_open(0, 0);
    uint64_t req = find(r, HUB_EFFECT_LOAD)->req;
    forget(r);
    struct page stray = page_of(CLASS_HUB, 0, 3, 300, true);
    hub_session_loaded(r->s, req + 7, ERR_OK, &stray, NOW);
    cr_assert_null(stray.items);
    struct page page = page_of(CLASS_HUB, 0, 3, 300, true);
    hub_session_loaded(r->s, req, ERR_OK, &page, NOW);
    struct page twice = page_of(CLASS_HUB, 0, 3, 300, true);
    hub_session_loaded(r->s, req, ERR_OK, &twice, NOW);
    cr_assert_null(twice.items);
    drain(r);
    cr_assert_eq(count_frames(r, FRAME_DELIVER), 3u);
    rig_free(r);
}
