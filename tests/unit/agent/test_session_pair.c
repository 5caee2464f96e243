/* Tests of both session machines against each other, in the world of session_world.h. Each failed
 * check prints the seed that repeats it. */
#include "session_world.h"

#include "unit/core/flip.h"

static void fill_shelves(struct world *w, size_t count) {
    for (int c = 0; c < HUB_CLASSES; c++)
        w->shelves[c].count = count;
}

Test(session_pair, everything_goes_both_ways_whatever_the_order_of_completions) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world *w = world_new(seed);
        w->outbox = seed * 3;
        fill_shelves(w, (size_t)(seed % 7) * 20);
        world_connect(w);
        world_run(w);
        check_complete(w);
        world_free(w);
    }
}

Test(session_pair, ten_thousand_entries_and_as_many_deliveries_in_bounded_memory) {
    struct world *w = world_new(100);
    w->outbox = 10000;
    fill_shelves(w, 2500);
    world_connect(w);
    world_run(w);
    check_complete(w);
    CHECK(w, w->peak_accept_bytes <= HUB_CREDIT_BYTES);
    CHECK(w, w->peak_take_bytes <= HUB_WINDOW_BYTES + FRAME_MAX_BYTES);
    CHECK(w, w->peak_pending <=
                 (HUB_CREDIT_BYTES + HUB_WINDOW_BYTES + FRAME_MAX_BYTES) / WORLD_ENTRY_MIN + 16);
    world_free(w);
}

/* The one store that never answers holds everything up, and nothing piles up behind it. */
Test(session_pair, stores_that_do_not_answer_stop_the_other_side) {
    struct world *w = world_new(101);
    w->outbox = 20000;
    fill_shelves(w, 10000);
    world_connect(w);
    for (int guard = 0; guard < 10000000; guard++) {
        size_t quick = 0;
        while (quick < w->pending_count && w->pending[quick].kind != PENDING_GREET &&
               w->pending[quick].kind != PENDING_LOAD && w->pending[quick].kind != PENDING_NEXT &&
               (w->pending[quick].kind != PENDING_DONE || w->accept_bytes > 0))
            quick++; /* accepts stay open; takes too once pushing has begun */
        if (quick < w->pending_count)
            complete(w, quick);
        else if (w->link[SIDE_HUB].count > 0)
            pass_message(w, SIDE_HUB);
        else if (w->link[SIDE_AGENT].count > 0)
            pass_message(w, SIDE_AGENT);
        else
            break;
    }
    CHECK(w, both_open(w));
    CHECK(w, w->accept_bytes > HUB_CREDIT_BYTES / 2 && w->accept_bytes <= HUB_CREDIT_BYTES);
    CHECK(w, w->take_bytes > HUB_WINDOW_BYTES / 2 && w->take_bytes <= HUB_WINDOW_BYTES + 1024);
    CHECK(w, w->link[SIDE_HUB].count == 0 && w->link[SIDE_AGENT].count == 0);
    world_run(w); /* and when they do answer, all of it goes through */
    check_complete(w);
    world_free(w);
}

Test(session_pair, news_while_loading_and_while_pushing_arrives) {
    for (uint64_t seed = 200; seed < 230; seed++) {
        struct world *w = world_new(seed);
        fill_shelves(w, 5);
        world_connect(w);
        for (int round = 0; round < 300; round++) {
            for (size_t steps = rng_below(&w->dice, 8); steps > 0; steps--)
                (void)world_step(w);
            int class_ = 1 + (int)rng_below(&w->dice, 4);
            w->shelves[class_].count++;
            hub_session_news(w->hub, w->now);
            drain_hub(w);
            w->outbox++;
            agent_session_outbox(w->agent, w->now);
            drain_agent(w);
        }
        world_run(w);
        check_complete(w);
        world_free(w);
    }
}

Test(session_pair, too_fast_is_waited_out_and_nothing_is_lost) {
    for (uint64_t seed = 300; seed < 310; seed++) {
        struct world *w = world_new(seed);
        w->outbox = 200;
        w->rate_percent = 2;
        fill_shelves(w, 3);
        world_connect(w);
        world_run(w);
        check_complete(w);
        CHECK(w, w->now > 1000000 + 5000);
        world_free(w);
    }
}

Test(session_pair, cut_connections_lose_nothing_and_store_nothing_twice) {
    for (uint64_t seed = 400; seed < 430; seed++) {
        struct world *w = world_new(seed);
        w->outbox = 150;
        fill_shelves(w, 60);
        for (int cut = 0; cut < 6; cut++) {
            world_connect(w);
            for (size_t steps = rng_below(&w->dice, 400); steps > 0; steps--)
                (void)world_step(w);
        }
        world_connect(w);
        world_run(w);
        check_complete(w);
        world_free(w);
    }
}

/* ---- the one in the middle ---- */

Test(session_pair, whoever_tampers_only_ever_ends_the_session) {
    size_t tampered = 0, late = 0;
    for (uint64_t seed = 1000; seed < 1400; seed++) {
        struct world *w = world_new(seed);
        w->outbox = 60;
        fill_shelves(w, 15);
        w->tamper_per_mille = seed % 2 == 0 ? 5 : 100;
        world_connect(w);
        world_run(w);
        if (w->tampered > 0) {
            tampered++;
            CHECK(w, !both_open(w));
            late += w->hub_holds > 0;
        } else {
            check_complete(w);
        }
        w->tamper_per_mille = 0;
        world_connect(w);
        world_run(w);
        check_complete(w);
        world_free(w);
    }
    cr_assert_gt(tampered, 200u);
    cr_assert_gt(late, 20u, "some of it came after the handshake");
}

Test(session_pair, a_whole_old_session_replayed_is_worth_nothing) {
    struct world *w = world_new(500);
    w->outbox = 30;
    fill_shelves(w, 10);
    w->recording = true;
    world_connect(w);
    world_run(w);
    check_complete(w);
    w->recording = false;
    struct ring old[2] = {w->record[SIDE_HUB], w->record[SIDE_AGENT]};
    for (int side = 0; side < 2; side++)
        ring_init(&w->record[side], sizeof(struct blob *), 1000000);
    cr_assert_gt(old[SIDE_HUB].count, 30u);
    for (int side = 0; side < 2; side++) {
        world_connect(w);
        uint64_t held = w->hub_holds, feed = w->hub_feed_stored;
        for (size_t i = 0; i < old[side].count && !w->closed[side]; i++) {
            give_message(w, (enum side)side, blob_bytes(*(struct blob **)ring_at(&old[side], i)));
            for (size_t n = 0; n < w->pending_count; n++)
                if (w->pending[n].kind == PENDING_GREET)
                    complete(w, n);
        }
        CHECK(w, w->closed[side]);
        CHECK(w, w->close_code[side] == ERR_SIGNATURE);
        CHECK(w, w->hub_holds == held && w->hub_feed_stored == feed);
    }
    clear_blobs(&old[0]);
    clear_blobs(&old[1]);
    world_free(w);
}

/* Frames of one session put into another of the same two parties. */
Test(session_pair, a_frame_of_another_session_closes) {
    struct world *w = world_new(510);
    w->outbox = 5;
    fill_shelves(w, 3);
    w->recording = true;
    world_connect(w);
    world_run(w);
    struct blob *up = blob_ref(*(struct blob **)ring_at(&w->record[SIDE_HUB], 3));
    struct blob *down = blob_ref(*(struct blob **)ring_at(&w->record[SIDE_AGENT], 3));
    world_connect(w);
    world_run(w);
    CHECK(w, both_open(w));
    give_message(w, SIDE_HUB, blob_bytes(up));
    give_message(w, SIDE_AGENT, blob_bytes(down));
    CHECK(w, w->close_code[SIDE_HUB] == ERR_DECRYPT && w->closed[SIDE_HUB]);
    CHECK(w, w->close_code[SIDE_AGENT] == ERR_DECRYPT && w->closed[SIDE_AGENT]);
    blob_unref(up);
    blob_unref(down);
    world_free(w);
}

/* ---- damage to the handshake ---- */

struct damage {
    struct world *w;
    int which;       /* 0 hub hello, 1 agent hello, 2 answer */
    struct rng keys; /* the same every time: the messages are the same, too */
    size_t runs;
};

/* The handshake with `replacement` in place of message `which` (NULL: as it is). Returns what stood
 * there. */
static struct blob *handshake(struct damage *d, const struct bytes *replacement) {
    struct world *w = d->w;
    struct blob *message, *original = NULL;
    w->kit.rng = d->keys;
    world_connect(w);
    for (int i = 0; i < 3; i++) {
        enum side to = i == 1 ? SIDE_HUB : SIDE_AGENT;
        if (!ring_pop(&w->link[to], &message))
            break;
        if (i == d->which)
            original = blob_ref(message);
        give_message(w, to,
                     i == d->which && replacement != NULL ? *replacement : blob_bytes(message));
        blob_unref(message);
        if (w->pending_count > 0 && w->pending[0].kind == PENDING_GREET)
            complete(w, 0);
    }
    return original;
}

static void check_damaged(struct bytes message, size_t at, void *ctx) {
    struct damage *d = ctx;
    blob_unref(handshake(d, &message));
    d->runs++;
    cr_assert_not(both_open(d->w), "message %d, damaged at %zu", d->which, at);
    bool somebody_closed = d->w->closed[SIDE_HUB] || d->w->closed[SIDE_AGENT];
    cr_assert(somebody_closed, "message %d, damaged at %zu", d->which, at);
    if (d->which == 2) /* only the hub may believe in it, and it hears nothing it can read */
        cr_assert(d->w->closed[SIDE_AGENT]);
}

static void damage_handshake(int which, bool flip) {
    struct damage d = {.w = world_new(600), .which = which};
    d.w->outbox = 3;
    fill_shelves(d.w, 2);
    d.keys = d.w->kit.rng;
    struct blob *original = handshake(&d, NULL);
    cr_assert(both_open(d.w), "undamaged it works");
    size_t len = blob_bytes(original).len;
    cr_assert_gt(len, 100u);
    if (flip)
        cr_assert_eq(flip_each_bit(blob_bytes(original), check_damaged, &d), len * 8);
    else
        cr_assert_eq(truncate_each(blob_bytes(original), check_damaged, &d), len);
    cr_assert_eq(d.runs, flip ? len * 8 : len);
    blob_unref(original);
    world_free(d.w);
}

Test(session_pair, every_bit_of_the_hubs_hello) {
    damage_handshake(0, true);
}
Test(session_pair, every_bit_of_the_agents_hello) {
    damage_handshake(1, true);
}
Test(session_pair, every_bit_of_the_answer) {
    damage_handshake(2, true);
}
Test(session_pair, every_truncation_of_the_handshake) {
    for (int which = 0; which < 3; which++)
        damage_handshake(which, false);
}

Test(session_pair, an_agent_that_pinned_another_hub_goes_away) {
    struct world *w = world_new(700);
    struct error e = {0};
    struct sign_pair other;
    kit_pair(&w->kit, &other);
    world_connect(w);
    hub_session_free(w->hub);
    clear_blobs(&w->link[SIDE_AGENT]);
    cr_assert_eq(hub_session_new(&other, &w->kit.entropy, w->now, &w->hub, &e), ERR_OK);
    drain_hub(w);
    world_run(w);
    CHECK(w, w->closed[SIDE_AGENT] && w->close_code[SIDE_AGENT] == ERR_NETWORK);
    CHECK(w, w->closed[SIDE_HUB] && w->close_code[SIDE_HUB] == ERR_TIMEOUT);
    world_free(w);
}

Test(session_pair, expel_after_any_number_of_steps) {
    size_t told = 0;
    for (uint64_t seed = 800; seed < 1000; seed++) {
        struct world *w = world_new(seed);
        w->outbox = 20;
        fill_shelves(w, 10);
        world_connect(w);
        for (size_t steps = (size_t)(seed - 800); steps > 0; steps--)
            (void)world_step(w);
        bool established = hub_session_established(w->hub);
        hub_session_expel(w->hub, ERR_SUSPENDED, "test", w->now);
        drain_hub(w);
        world_run(w);
        CHECK(w, w->closed[SIDE_HUB] && w->close_code[SIDE_HUB] == ERR_SUSPENDED);
        CHECK(w, w->refused == established);
        CHECK(w, w->closed[SIDE_AGENT]);
        CHECK(w, w->close_code[SIDE_AGENT] == (established ? ERR_SUSPENDED : ERR_TIMEOUT));
        told += established;
        world_free(w);
    }
    cr_assert(told > 100 && told < 200, "both kinds occurred (%zu)", told);
}
