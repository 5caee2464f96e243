/* Tests what arrives: each refusal of the reader's rule typed, counted and without effect; keys,
 * waiting views, suspension and removal. */
#include "alarm.h"
#include "unit/agent/inbox_kit.h"

Test(inbox, an_entry_of_another_network_is_refused) {
    struct world w;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    c.header.network.b[0] ^= 1;
    refused_craft(&w, B, CLASS_STATES, &c, ERR_NETWORK);
    world_done(&w);
}

Test(inbox, an_author_nobody_vouched_for_is_refused) {
    struct world w;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    uint8_t seed[SEED_LEN] = {77};
    struct sign_pair stranger;
    sign_pair_from_seed(&stranger, seed);
    c.header.agent = stranger.pub;
    c.signer = &stranger;
    refused_craft(&w, B, CLASS_STATES, &c, ERR_UNKNOWN_AUTHOR);
    world_done(&w);
}

Test(inbox, an_agent_in_another_members_name_is_refused) {
    struct world w;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    c.header.member = w.agents[B].member;
    refused_craft(&w, B, CLASS_STATES, &c, ERR_CERTIFICATE);
    world_done(&w);
}

Test(inbox, a_forged_signature_is_refused) {
    struct world w;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    c.signer = agent_keys(w.agents[B].agent);
    refused_craft(&w, B, CLASS_STATES, &c, ERR_SIGNATURE);
    world_done(&w);
}

Test(inbox, our_own_feed_given_back_is_refused) {
    struct world w;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    refused_craft(&w, A, CLASS_STATES, &c, ERR_NOT_FOR_ME);
    world_done(&w);
}

Test(inbox, removed_and_revoked_authors_are_refused) {
    struct world w;
    sharing(&w);
    world_add(&w, "C", ROLE_PROVIDER, NULL);
    struct craft of_a = craft_of(&w, A), of_c = craft_of(&w, C);
    of_c.header.kind = ENTRY_OPEN;
    world_member_event(&w, A, ENTRY_HUB_REMOVED);
    world_revoke(&w, C);
    world_feed(&w, B);
    refused_craft(&w, B, CLASS_STATES, &of_a, ERR_REMOVED);
    refused_craft(&w, B, CLASS_STATES, &of_c, ERR_REVOKED);
    world_done(&w);
}

Test(inbox, kinds_out_of_place_are_refused) {
    struct world w;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    c.header.kind = 99;
    refused_craft(&w, B, CLASS_STATES, &c, ERR_KIND);
    c = craft_of(&w, A);
    c.view.kind = VIEW_HISTORY;
    refused_craft(&w, B, CLASS_STATES, &c, ERR_KIND);
    c = craft_of(&w, A);
    refused_craft(&w, B, CLASS_GRANTS, &c, ERR_KIND);
    for (uint32_t class_ = 3; class_ < 6; class_++)
        refused_craft(&w, B, class_, &c, ERR_KIND);
    world_done(&w);
}

Test(inbox, a_broken_chain_and_a_fork_are_refused) {
    struct world w;
    struct error e;
    struct buf grants;
    sharing(&w);
    excerpt_of(&w, 0, B, VIEW_GRANT, &grants);
    RUN_OK(take(&w, B, CLASS_GRANTS, buf_bytes(&grants), &e));
    struct craft c = craft_of(&w, A);
    c.header.prev.b[0] ^= 1;
    refused_craft(&w, B, CLASS_STATES, &c, ERR_PREV);
    c = craft_of(&w, A);
    c.header.kind = ENTRY_OPEN;
    c.header.seq = 1;
    c.header.prev = (struct hash){{0}};
    refused_craft(&w, B, CLASS_STATES, &c, ERR_FORK);
    cr_assert(world_alarm(w.agents[B].agent, ALARM_PEER_FORKED));
    buf_done(&grants);
    world_done(&w);
}

Test(inbox, a_flipped_bit_anywhere_changes_nothing) {
    struct world w;
    struct buf state, grants;
    sharing(&w);
    struct agent *b = w.agents[B].agent;
    excerpt_of(&w, 0, B, VIEW_GRANT, &grants);
    excerpt_of(&w, 0, B, VIEW_STATE, &state);
    struct buf *both[] = {&grants, &state};
    struct hash before = world_dump(b);
    for (int which = 0; which < 2; which++) {
        for (size_t bit = 0; bit < both[which]->len * 8; bit += 3) {
            struct error e;
            both[which]->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            enum err code =
                take(&w, B, which == 0 ? CLASS_GRANTS : CLASS_STATES, buf_bytes(both[which]), &e);
            cr_assert_neq(code, ERR_OK, "bit %zu", bit);
            cr_assert_neq(code, ERR_NO_KEY, "bit %zu", bit);
            both[which]->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    struct hash after = world_dump(b);
    cr_assert(hash_equal(&before, &after));
    for (size_t len = 0; len < state.len; len += 7) {
        struct error e;
        cr_assert_neq(take(&w, B, CLASS_STATES, bytes_of(state.data, len), &e), ERR_OK);
    }
    world_pull(&w, B);
    json_t *rows = world_find(&w, B, NULL);
    cr_assert_eq(json_array_size(rows), 1u, "the true ones still arrive");
    json_decref(rows);
    buf_done(&grants);
    buf_done(&state);
    world_done(&w);
}

/* ---- grants ---- */

/* A grant by A to the agent `to`, of any key, under this key id. */
static void refused_grant(struct world *w, const struct public_key *to,
                          const struct public_key *box, bool true_id, struct bytes junk,
                          enum err expected) {
    struct error e = {0};
    struct craft c = craft_of(w, A);
    struct audience_ctx ctx = {w->hub.pub, w->agents[A].member, c.header.agent, {3}};
    struct audience_key key = {{4}};
    uint8_t seed[SEED_LEN] = {5};
    struct buf sealed;
    buf_init(&sealed, GRANT_MAX_BYTES);
    RUN_OK(grant_seal(&ctx, &key, box, seed, &sealed, &e));
    c.view.kind = VIEW_GRANT;
    c.view.target = target_key(to);
    c.view.key_id = true_id ? audience_key_id(&ctx, &key) : (struct hash){{6}};
    c.view.data = junk.len > 0 ? junk : buf_bytes(&sealed);
    refused_craft(w, B, CLASS_GRANTS, &c, expected);
    buf_done(&sealed);
}

Test(inbox, grants_that_do_not_hold_are_refused) {
    struct world w;
    sharing(&w);
    struct agent *b = w.agents[B].agent;
    const struct public_key *us = &agent_keys(b)->pub, *box = &agent_box(b)->pub;
    refused_grant(&w, &agent_keys(w.agents[A].agent)->pub, box, true, (struct bytes){0},
                  ERR_NOT_FOR_ME);
    refused_grant(&w, us, box, false, (struct bytes){0}, ERR_GRANT);
    refused_grant(&w, us, &agent_box(w.agents[A].agent)->pub, true, (struct bytes){0}, ERR_DECRYPT);
    refused_grant(&w, us, box, true, bytes_str("short"), ERR_MALFORMED);
    world_done(&w);
}

/* ---- states ---- */

Test(inbox, a_state_is_applied_once_and_only_forward) {
    struct world w;
    struct error e;
    struct buf first, second, grants;
    sharing(&w);
    world_set(&w, A, "bed", NULL, "total=10 free=2");
    world_push(&w, A);
    excerpt_of(&w, 0, B, VIEW_GRANT, &grants);
    excerpt_of(&w, 0, B, VIEW_STATE, &first);
    excerpt_of(&w, 1, B, VIEW_STATE, &second);
    RUN_OK(take(&w, B, CLASS_GRANTS, buf_bytes(&grants), &e));
    RUN_OK(
        take(&w, B, CLASS_GRANTS, buf_bytes(&grants), &e)); /* the same grant again is the same */
    RUN_OK(take(&w, B, CLASS_STATES, buf_bytes(&second), &e));
    refused(&w, B, CLASS_STATES, buf_bytes(&second), ERR_OLD);
    refused(&w, B, CLASS_STATES, buf_bytes(&first), ERR_OLD);
    json_t *rows = world_find(&w, B, NULL);
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(rows, 0), "available")), 2);
    json_decref(rows);
    buf_done(&grants);
    buf_done(&first);
    buf_done(&second);
    world_done(&w);
}

Test(inbox, a_view_without_its_key_waits_for_the_grant) {
    struct world w;
    struct error e;
    struct buf first, second, grants;
    sharing(&w);
    world_set(&w, A, "bed", NULL, "total=10 free=2");
    world_push(&w, A);
    excerpt_of(&w, 0, B, VIEW_GRANT, &grants);
    excerpt_of(&w, 0, B, VIEW_STATE, &first);
    excerpt_of(&w, 1, B, VIEW_STATE, &second);
    struct agent *b = w.agents[B].agent;
    RUN_FAILS(take(&w, B, CLASS_STATES, buf_bytes(&first), &e), ERR_NO_KEY);
    RUN_FAILS(take(&w, B, CLASS_STATES, buf_bytes(&second), &e), ERR_NO_KEY);
    refused(&w, B, CLASS_STATES, buf_bytes(&first), ERR_OLD);
    cr_assert_eq(world_number(b, "SELECT count(*) FROM waiting"), 1, "the newest only");
    cr_assert_eq(world_refusals(b, "no-key"), 0);
    agent_take_events(b);
    RUN_OK(take(&w, B, CLASS_GRANTS, buf_bytes(&grants), &e));
    cr_assert(agent_take_events(b) & AGENT_EVENT_PICTURE);
    cr_assert_eq(world_number(b, "SELECT count(*) FROM waiting"), 0);
    cr_assert_eq(world_number(b, "SELECT available FROM seen_line"), 2);
    buf_done(&grants);
    buf_done(&first);
    buf_done(&second);
    world_done(&w);
}

/* The key of A's only audience, as B opens it from the log. */
static void open_key(struct world *w, struct audience_ctx *ctx, struct audience_key *key,
                     struct hash *id) {
    struct error e = {0};
    const struct entry *entry = w->log[0].entry;
    for (size_t i = 0; i < entry->view_count; i++) {
        if (entry->views[i].kind != VIEW_GRANT)
            continue;
        RUN_OK(grant_open(&entry->header, &entry->views[i].key_id, entry->views[i].data,
                          agent_box(w->agents[B].agent), ctx, key, &e));
        *id = entry->views[i].key_id;
    }
}

/* A state of A with this plaintext, under the true key, for the audience whose target is given. */
static void refused_state(struct world *w, struct bytes plain, int64_t claimed_ms, bool true_target,
                          bool true_seq, enum err expected) {
    struct error e = {0};
    struct craft c = craft_of(w, A);
    struct audience_ctx ctx = {0};
    struct audience_key key = {{0}};
    uint8_t nonce[VIEW_NONCE_LEN] = {1}, other[AUDIENCE_ID_LEN] = {8};
    struct buf sealed;
    buf_init(&sealed, VIEW_MAX_BYTES);
    open_key(w, &ctx, &key, &c.view.key_id);
    c.header.claimed_ms = claimed_ms;
    RUN_OK(view_seal(&ctx, &key, 1, true_seq ? c.header.seq : 77, VIEW_STATE, plain, nonce, &sealed,
                     &e));
    c.view.target = target_audience(true_target ? ctx.audience : other);
    c.view.data = buf_bytes(&sealed);
    refused_craft(w, B, CLASS_STATES, &c, expected);
    buf_done(&sealed);
}

static struct snapshot bed_snapshot(struct site *site, struct seen_line *line) {
    *site = (struct site){.id = 1, .name = "A"};
    *line = (struct seen_line){.site = 1, .service = "bed"};
    line->figure.observed_ms = WORLD_NOW;
    line->figure.valid_until_ms = WORLD_NOW + WORLD_DAY;
    line->figure.available = (struct amount){true, 3};
    return (struct snapshot){.counter = 1,
                             .charter_version = 1,
                             .precision = PRECISION_EXACT,
                             .sites = site,
                             .site_count = 1,
                             .lines = line,
                             .line_count = 1};
}

Test(inbox, states_that_do_not_hold_are_refused) {
    struct world w;
    struct error e;
    struct buf grants, plain;
    struct site site;
    struct seen_line line;
    sharing(&w);
    excerpt_of(&w, 0, B, VIEW_GRANT, &grants);
    RUN_OK(take(&w, B, CLASS_GRANTS, buf_bytes(&grants), &e));
    struct snapshot s = bed_snapshot(&site, &line);
    buf_init(&plain, VIEW_MAX_BYTES);
    RUN_OK(snapshot_encode(&s, &plain, &e));
    refused_state(&w, bytes_str("\xff\xff"), w.now_ms, true, true, ERR_MALFORMED);
    refused_state(&w, buf_bytes(&plain), w.now_ms, false, true, ERR_GRANT);
    refused_state(&w, buf_bytes(&plain), w.now_ms, true, false, ERR_DECRYPT);
    refused_state(&w, buf_bytes(&plain), INT64_MAX, true, true, ERR_VALIDITY);
    refused_state(&w, buf_bytes(&plain), INT64_MIN, true, true, ERR_VALIDITY);
    plain.len = 0;
    line.figure.valid_until_ms = WORLD_NOW + 8 * WORLD_DAY;
    RUN_OK(snapshot_encode(&s, &plain, &e));
    refused_state(&w, buf_bytes(&plain), w.now_ms, true, true, ERR_VALIDITY);
    buf_done(&plain);
    buf_done(&grants);
    world_done(&w);
}

Test(inbox, a_senders_fast_clock_is_corrected_and_a_slow_one_left) {
    struct world w;
    sharing(&w);
    int64_t observed = world_number(w.agents[A].agent, "SELECT observed_ms FROM capacity");
    w.log[0].received_ms = w.now_ms - WORLD_HOUR; /* the hub says it was an hour earlier */
    world_pull(&w, B);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT observed_ms FROM seen_line"),
                 observed - WORLD_HOUR);
    world_set(&w, A, "bed", NULL, "free=3");
    world_push(&w, A);
    w.log[1].received_ms = w.now_ms + WORLD_HOUR;
    world_pull(&w, B);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT observed_ms FROM seen_line"), observed);
    world_done(&w);
}

Test(inbox, views_that_wait_are_bounded) {
    struct world w;
    struct error e;
    sharing(&w);
    struct craft c = craft_of(&w, A);
    for (unsigned i = 0; i < POLICY_MAX_AUDIENCES + 1; i++) {
        struct buf excerpt;
        uint8_t id[AUDIENCE_ID_LEN] = {1, (uint8_t)i};
        c.view.target = target_audience(id);
        c.header.seq = 100 + i * 2; /* gaps: their chain is not held */
        craft_excerpt(&c, &excerpt);
        if (i < POLICY_MAX_AUDIENCES)
            RUN_FAILS(take(&w, B, CLASS_STATES, buf_bytes(&excerpt), &e), ERR_NO_KEY);
        else
            refused(&w, B, CLASS_STATES, buf_bytes(&excerpt), ERR_CAP);
        buf_done(&excerpt);
    }
    world_done(&w);
}

/* ---- suspension, removal ---- */

static size_t count_rows(struct world *w, int i) {
    json_t *rows = world_find(w, i, NULL);
    size_t count = json_array_size(rows);
    json_decref(rows);
    return count;
}

Test(inbox, suspended_rows_are_hidden_and_come_back_and_removed_ones_are_deleted) {
    struct world w;
    sharing(&w);
    world_settle(&w);
    cr_assert_eq(count_rows(&w, B), 1u);
    world_member_event(&w, A, ENTRY_HUB_SUSPENDED);
    world_settle(&w);
    cr_assert_eq(count_rows(&w, B), 0u);
    cr_assert_eq(world_number(w.agents[B].agent, "SELECT count(*) FROM picture"), 1);
    world_member_event(&w, A, ENTRY_HUB_RESUMED);
    world_settle(&w);
    cr_assert_eq(count_rows(&w, B), 1u);
    world_member_event(&w, A, ENTRY_HUB_REMOVED);
    world_settle(&w);
    cr_assert_eq(count_rows(&w, B), 0u);
    static const char *const tables[] = {"picture", "seen_line", "seen_site", "held_key",
                                         "peer_header"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        cr_assert_eq(world_number(w.agents[B].agent, sql), 0, "%s", tables[i]);
    }
    world_done(&w);
}

Test(inbox, one_who_is_moved_to_another_audience_sees_each_line_once) {
    struct world w;
    sharing(&w);
    world_add(&w, "C", ROLE_PROVIDER, NULL);
    world_settle(&w);
    world_approve(&w, A, "C");
    /* the coarse audience stands before B is moved into it: its state is older than what B holds */
    world_policy(
        &w, A,
        "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],\"precision\":"
        "\"exact\"},"
        "{\"name\":\"coarse\",\"members\":[\"C\"],\"services\":[\"*\"],\"precision\":\"band\"}]}");
    world_settle(&w);
    world_set(&w, A, "bed", NULL, "total=10 free=5"); /* the same band */
    world_settle(&w);
    world_policy(&w, A,
                 "{\"audiences\":[{\"name\":\"all\",\"members\":[\"@hub\"],\"services\":[\"*\"],"
                 "\"precision\":\"exact\"},"
                 "{\"name\":\"coarse\",\"members\":[\"B\",\"C\"],\"services\":[\"*\"],"
                 "\"precision\":\"band\"}]}");
    world_settle(&w);
    json_t *rows = world_find(&w, B, NULL), *preview = world_preview(&w, A, "B");
    cr_assert_eq(json_array_size(rows), 1u);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "precision")),
                     "band");
    cr_assert_eq(json_array_size(preview), 1u);
    json_decref(rows);
    json_decref(preview);
    world_policy(&w, A, TO_B);
    world_settle(&w);
    rows = world_find(&w, B, NULL);
    cr_assert_eq(json_array_size(rows), 1u);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "precision")),
                     "exact");
    json_decref(rows);
    world_done(&w);
}
