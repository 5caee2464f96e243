/* Tests entries: the bytes protobuf-c would give, round trips, damage, caps. */
#include <criterion/criterion.h>

#include "entry_craft.h"

static void init(void) {
    cr_assert_eq(keys_init(NULL), ERR_OK);
}
TestSuite(entry, .init = init, .timeout = 60);

static void expect_refused(struct bytes in, enum err expected) {
    struct entry *untouched = (struct entry *)&in, *entry = untouched;
    struct error e = {0};
    enum err err = entry_parse(in, &entry, &e);
    cr_assert_eq(err, expected, "found %s (%s), expected %s", error_name(err), e.detail,
                 error_name(expected));
    cr_assert_eq(e.code, expected);
    cr_assert_eq(entry, untouched, "the output must stay untouched");
}

static void expect_crafted_refused(struct crafted *c, enum err expected) {
    struct buf out;
    craft_finish(c, &out);
    expect_refused(buf_bytes(&out), expected);
    buf_done(&out);
}

static struct crafted *craft_fixture(void) {
    struct header h = fixture_header(true);
    static struct view views[FIXTURE_VIEWS];
    static struct header kept;
    fixture_views(views);
    kept = h;
    return craft(&kept, views, FIXTURE_VIEWS);
}

Test(entry, bytes_are_those_of_the_schema) {
    for (int full = 0; full < 2; full++) {
        struct header h = fixture_header(full == 1);
        struct view views[FIXTURE_VIEWS];
        fixture_views(views);
        struct buf mine = built(&h, views, FIXTURE_VIEWS), theirs;
        craft_finish(craft(&h, views, FIXTURE_VIEWS), &theirs);
        cr_assert(bytes_equal(buf_bytes(&mine), buf_bytes(&theirs)));
        buf_done(&mine);
        buf_done(&theirs);
    }
}

Test(entry, extreme_numbers_are_those_of_the_schema) {
    const int64_t times[] = {0, -1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct header h = fixture_header(false);
        h.claimed_ms = times[i];
        h.incarnation = h.seq = INT64_MAX;
        h.kind = UINT32_MAX;
        struct buf mine = built(&h, NULL, 0), theirs;
        craft_finish(craft(&h, NULL, 0), &theirs);
        cr_assert(bytes_equal(buf_bytes(&mine), buf_bytes(&theirs)));
        struct entry *entry = parsed(buf_bytes(&mine));
        cr_assert_eq(entry->header.claimed_ms, times[i]);
        cr_assert_eq(entry->header.seq, (uint64_t)INT64_MAX);
        cr_assert_eq(entry->header.kind, UINT32_MAX);
        entry_free(entry);
        buf_done(&mine);
        buf_done(&theirs);
    }
}

/* ---- round trip ---- */

static void expect_same_header(const struct header *found, const struct header *given) {
    cr_assert(key_equal(&found->network, &given->network));
    cr_assert(key_equal(&found->member, &given->member));
    cr_assert(key_equal(&found->agent, &given->agent));
    cr_assert_eq(found->incarnation, given->incarnation);
    cr_assert_eq(found->seq, given->seq);
    cr_assert(hash_equal(&found->prev, &given->prev));
    cr_assert_eq(found->claimed_ms, given->claimed_ms);
    cr_assert_eq(found->kind, given->kind);
    cr_assert_eq(found->has_hub_head, given->has_hub_head);
    if (given->has_hub_head) {
        cr_assert_eq(found->hub_head.incarnation, given->hub_head.incarnation);
        cr_assert_eq(found->hub_head.seq, given->hub_head.seq);
        cr_assert(hash_equal(&found->hub_head.hash, &given->hub_head.hash));
    }
    cr_assert(bytes_equal(found->checkpoint, given->checkpoint));
}

Test(entry, round_trip) {
    for (int full = 0; full < 2; full++) {
        struct header h = fixture_header(full == 1);
        struct view views[FIXTURE_VIEWS];
        fixture_views(views);
        struct sign_pair agent = fixture_sign_pair(3);
        struct buf out;
        struct hash hash;
        buf_init(&out, BIG);
        cr_assert_eq(entry_build(&h, views, FIXTURE_VIEWS, &agent, &out, &hash, NULL), ERR_OK);
        struct entry *entry = parsed(buf_bytes(&out));
        struct hash header_hash = hash_sha256(entry->header_bytes);
        cr_assert(hash_equal(&entry->hash, &hash));
        cr_assert(hash_equal(&entry->hash, &header_hash));
        expect_same_header(&entry->header, &h);
        cr_assert_eq(entry->header.view_count, FIXTURE_VIEWS);
        cr_assert_eq(entry->view_count, FIXTURE_VIEWS);
        for (uint32_t i = 0; i < FIXTURE_VIEWS; i++) {
            expect_same_view(&entry->views[i], &views[i], true);
            cr_assert_eq(entry->indices[i], i);
        }
        cr_assert_eq(entry_verify(entry, &agent.pub, NULL), ERR_OK);
        entry_free(entry);
        buf_done(&out);
    }
}

Test(entry, an_entry_without_views_is_fine) {
    struct header h = fixture_header(false);
    struct buf out = built(&h, NULL, 0);
    struct entry *entry = parsed(buf_bytes(&out));
    struct hash root = tree_root(NULL, 0);
    cr_assert_eq(entry->view_count, 0);
    cr_assert(hash_equal(&entry->header.views_root, &root));
    entry_free(entry);
    buf_done(&out);
}

Test(entry, outlives_the_bytes_it_was_parsed_from) {
    struct buf out = built_fixture(true);
    uint8_t *copy = flip_copy(out.data, out.len);
    struct entry *entry = parsed(bytes_of(copy, out.len));
    memset(copy, 0xff, out.len);
    free(copy);
    struct buf again;
    buf_init(&again, BIG);
    cr_assert_eq(entry_encode(entry, NULL, &again, NULL), ERR_OK);
    cr_assert(bytes_equal(buf_bytes(&again), buf_bytes(&out)));
    entry_free(entry);
    buf_done(&again);
    buf_done(&out);
}

Test(entry, verify_wants_the_given_agent_not_the_headers_own) {
    struct buf out = built_fixture(false);
    struct entry *entry = parsed(buf_bytes(&out));
    struct sign_pair other = fixture_sign_pair(9);
    cr_assert_eq(entry_verify(entry, &entry->header.agent, NULL), ERR_OK);
    cr_assert_eq(entry_verify(entry, &other.pub, NULL), ERR_SIGNATURE);
    entry_free(entry);
    buf_done(&out);
}

Test(entry, build_appends_and_leaves_what_stood_before) {
    struct header h = fixture_header(false);
    struct sign_pair agent = fixture_sign_pair(3);
    struct buf out, alone = built(&h, NULL, 0);
    buf_init(&out, BIG);
    buf_append_str(&out, "before");
    cr_assert_eq(entry_build(&h, NULL, 0, &agent, &out, NULL, NULL), ERR_OK);
    cr_assert_eq(out.len, alone.len + 6);
    cr_assert_eq(memcmp(out.data, "before", 6), 0);
    cr_assert_eq(memcmp(out.data + 6, alone.data, alone.len), 0);
    buf_done(&out);
    buf_done(&alone);
}

/* ---- pruning ---- */

Test(entry, encode_drops_data_and_keeps_the_leaf) {
    struct buf whole = built_fixture(true), pruned;
    struct view views[FIXTURE_VIEWS];
    fixture_views(views);
    for (unsigned mask = 0; mask < 1u << FIXTURE_VIEWS; mask++) {
        struct entry *entry = parsed(buf_bytes(&whole));
        bool keep[FIXTURE_VIEWS];
        for (unsigned i = 0; i < FIXTURE_VIEWS; i++)
            keep[i] = mask >> i & 1;
        buf_init(&pruned, BIG);
        cr_assert_eq(entry_encode(entry, keep, &pruned, NULL), ERR_OK);
        entry_free(entry);
        entry = parsed(buf_bytes(&pruned));
        cr_assert_eq(entry_verify(entry, &entry->header.agent, NULL), ERR_OK);
        for (unsigned i = 0; i < FIXTURE_VIEWS; i++)
            expect_same_view(&entry->views[i], &views[i], keep[i]);
        struct buf again;
        buf_init(&again, BIG);
        cr_assert_eq(entry_encode(entry, NULL, &again, NULL), ERR_OK);
        cr_assert(bytes_equal(buf_bytes(&again), buf_bytes(&pruned)), "what is gone stays gone");
        entry_free(entry);
        buf_done(&again);
        buf_done(&pruned);
    }
    buf_done(&whole);
}

/* ---- damage ---- */

Test(entry, every_bit_matters) {
    struct buf out = built_fixture(true);
    struct damage d = {.agent = fixture_sign_pair(3).pub, .parse = entry_parse};
    expect_every_bit_found(buf_bytes(&out), d);
    buf_done(&out);
}

Test(entry, every_bit_matters_when_pruned) {
    struct buf out = built_fixture(false), pruned;
    struct entry *entry = parsed(buf_bytes(&out));
    buf_init(&pruned, BIG);
    cr_assert_eq(entry_encode(entry, (bool[]){false, true, false}, &pruned, NULL), ERR_OK);
    entry_free(entry);
    struct damage d = {.agent = fixture_sign_pair(3).pub, .parse = entry_parse};
    expect_every_bit_found(buf_bytes(&pruned), d);
    buf_done(&pruned);
    buf_done(&out);
}

static void expect_no_truncation_passes(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    struct entry *entry = NULL;
    cr_assert_neq(entry_parse(damaged, &entry, NULL), ERR_OK, "length %zu", at);
}

Test(entry, no_truncation_parses) {
    struct buf out = built_fixture(true);
    cr_assert_eq(truncate_each(buf_bytes(&out), expect_no_truncation_passes, NULL), out.len);
    buf_done(&out);
}

/* Whatever the reader in place takes for well-formed, protobuf-c takes for canonical too. */
static void expect_codec_agrees(struct bytes damaged, size_t at, void *ctx) {
    size_t *agreed = ctx;
    struct entry *entry = NULL;
    enum err err = entry_parse(damaged, &entry, NULL);
    if (err != ERR_OK && err != ERR_VIEWS_ROOT)
        return;
    ProtobufCMessage *message = NULL;
    struct error e = {0};
    cr_assert_eq(
        codec_decode(&plek__entry__descriptor, damaged, ENTRY_MAX_BYTES, "entry", &message, &e),
        ERR_OK, "bit %zu: %s", at, e.detail);
    ProtobufCMessage *header = NULL;
    cr_assert_eq(codec_decode(&plek__header__descriptor,
                              codec_bytes(((Plek__Entry *)message)->header), HEADER_MAX_BYTES,
                              "header", &header, &e),
                 ERR_OK, "bit %zu: %s", at, e.detail);
    codec_free(header);
    codec_free(message);
    entry_free(entry);
    ++*agreed;
}

Test(entry, agrees_with_the_general_codec) {
    struct buf out = built_fixture(true);
    size_t agreed = 0;
    cr_assert_eq(flip_each_bit(buf_bytes(&out), expect_codec_agrees, &agreed), out.len * 8);
    cr_assert_gt(agreed, out.len, "most flips keep the form");
    buf_done(&out);
}

/* ---- refusals ---- */

Test(entry, another_format_is_named_as_such) {
    struct crafted *c = craft_fixture();
    c->header.format = 2;
    expect_crafted_refused(c, ERR_FORMAT);
}

Test(entry, wrong_lengths_are_malformed) {
    static const uint8_t zeros[64];
    struct crafted *c = craft_fixture();
    c->header.agent = codec_binary(bytes_of(zeros, 31));
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->header.prev = codec_binary(bytes_of(zeros, 33));
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->hub_head.hash = codec_binary(bytes_of(zeros, 0));
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->header.checkpoint = codec_binary(bytes_of(zeros, 0));
    expect_crafted_refused(c, ERR_MALFORMED);
    const size_t targets[] = {0, 15, 17, 31, 33};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        c = craft_fixture();
        c->parts[1].target = codec_binary(bytes_of(zeros, targets[i]));
        expect_crafted_refused(c, ERR_MALFORMED);
    }
    c = craft_fixture();
    c->parts[1].key_id = codec_binary(bytes_of(zeros, 16));
    expect_crafted_refused(c, ERR_MALFORMED);
}

Test(entry, numbers_beyond_63_bits_are_malformed) {
    struct crafted *c = craft_fixture();
    c->header.seq = (uint64_t)INT64_MAX + 1;
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->header.incarnation = UINT64_MAX;
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->hub_head.seq = UINT64_MAX;
    expect_crafted_refused(c, ERR_MALFORMED);
}

Test(entry, a_part_has_data_or_length_and_hash) {
    static const uint8_t zeros[64];
    struct crafted *c = craft_fixture();
    c->parts[0].has_length = true;
    c->parts[0].length = (uint32_t)c->parts[0].data.len;
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->parts[0].has_hash = true;
    c->parts[0].hash = codec_binary(bytes_of(c->hashes[0].b, HASH_LEN));
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->parts[0].has_data = false;
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->parts[0].has_data = false;
    c->parts[0].has_length = true;
    c->parts[0].length = (uint32_t)c->parts[0].data.len;
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->parts[0].has_data = false;
    c->parts[0].has_hash = c->parts[0].has_length = true;
    c->parts[0].hash = codec_binary(bytes_of(zeros, 31));
    expect_crafted_refused(c, ERR_MALFORMED);
}

Test(entry, an_empty_view_is_malformed) {
    struct crafted *c = craft_fixture();
    c->parts[2].data.len = 0;
    expect_crafted_refused(c, ERR_MALFORMED);
    c = craft_fixture();
    c->parts[2].has_data = false;
    c->parts[2].has_length = c->parts[2].has_hash = true;
    c->parts[2].length = 0;
    c->parts[2].hash = codec_binary(bytes_of(c->hashes[2].b, HASH_LEN));
    expect_crafted_refused(c, ERR_MALFORMED);
}

Test(entry, leaves_that_do_not_give_the_root_are_refused) {
    struct crafted *c = craft_fixture();
    c->parts[0].kind = VIEW_HISTORY;
    expect_crafted_refused(c, ERR_VIEWS_ROOT);
    c = craft_fixture();
    c->entry.n_parts = 2;
    expect_crafted_refused(c, ERR_VIEWS_ROOT);
    c = craft_fixture();
    c->header.view_count = 4;
    expect_crafted_refused(c, ERR_VIEWS_ROOT);
    c = craft_fixture();
    c->part_pointers[0] = &c->parts[1];
    c->part_pointers[1] = &c->parts[0];
    expect_crafted_refused(c, ERR_VIEWS_ROOT);
}

/* The same message in other bytes: protobuf allows them, a hash does not. */
Test(entry, other_encodings_are_malformed) {
    struct buf out = built_fixture(false), other;
    struct bytes in = buf_bytes(&out);
    buf_init(&other, BIG);
    buf_append(&other, in.data, in.len);
    buf_append(&other, "\x20\x01", 2);
    expect_refused(buf_bytes(&other), ERR_MALFORMED);
    other.len = in.len;
    buf_append(&other, in.data, in.len);
    expect_refused(buf_bytes(&other), ERR_MALFORMED);
    /* the signature before the header */
    size_t signature_at = 0;
    while (in.data[signature_at] != 0x12 || in.data[signature_at + 1] != SIGNATURE_LEN)
        signature_at++;
    size_t after = signature_at + 2 + SIGNATURE_LEN;
    other.len = 0;
    buf_append(&other, in.data + signature_at, after - signature_at);
    buf_append(&other, in.data, signature_at);
    buf_append(&other, in.data + after, in.len - after);
    expect_refused(buf_bytes(&other), ERR_MALFORMED);
    /* a length in one byte more than it needs */
    other.len = 0;
    buf_append(&other, in.data, signature_at);
    buf_append(&other, "\x12\xc0\x00", 3);
    buf_append(&other, in.data + signature_at + 2, in.len - signature_at - 2);
    expect_refused(buf_bytes(&other), ERR_MALFORMED);
    expect_refused(bytes_of(NULL, 0), ERR_MALFORMED);
    buf_done(&other);
    buf_done(&out);
}

/* ---- caps ---- */

static void expect_build_refused(const struct header *h, const struct view *views, size_t count,
                                 enum err expected) {
    struct sign_pair agent = fixture_sign_pair(3);
    struct hash hash = fixture_hash(0x77), before = hash;
    struct buf out;
    struct error e = {0};
    buf_init(&out, BIG);
    buf_append_str(&out, "kept");
    cr_assert_eq(entry_build(h, views, count, &agent, &out, &hash, &e), expected);
    cr_assert_eq(e.code, expected);
    cr_assert_eq(out.len, 4);
    cr_assert(hash_equal(&hash, &before));
    buf_done(&out);
}

Test(entry, as_many_views_as_the_cap_and_no_more) {
    struct header h = fixture_header(false);
    struct view *views = many_views(ENTRY_MAX_VIEWS + 1, bytes_str("x"));
    struct buf out = built(&h, views, ENTRY_MAX_VIEWS);
    struct entry *entry = parsed(buf_bytes(&out));
    cr_assert_eq(entry->view_count, ENTRY_MAX_VIEWS);
    entry_free(entry);
    buf_done(&out);
    expect_build_refused(&h, views, ENTRY_MAX_VIEWS + 1, ERR_CAP);
    expect_crafted_refused(craft(&h, views, ENTRY_MAX_VIEWS + 1), ERR_CAP);
    struct crafted *c = craft(&h, views, 1);
    c->header.view_count = ENTRY_MAX_VIEWS + 1;
    expect_crafted_refused(c, ERR_CAP);
    free(views);
}

Test(entry, as_large_a_view_as_the_cap_and_no_larger) {
    struct header h = fixture_header(false);
    uint8_t *data = calloc(1, VIEW_MAX_BYTES + 1);
    struct view view = fixture_view(VIEW_STATE, 16, 1, bytes_of(data, VIEW_MAX_BYTES));
    struct buf out = built(&h, &view, 1);
    entry_free(parsed(buf_bytes(&out)));
    buf_done(&out);
    view.data.len++;
    expect_build_refused(&h, &view, 1, ERR_CAP);
    expect_crafted_refused(craft(&h, &view, 1), ERR_CAP);
    view.data.len = 0;
    expect_build_refused(&h, &view, 1, ERR_MALFORMED);
    struct crafted *c = craft_fixture();
    c->parts[0].has_data = false;
    c->parts[0].has_length = c->parts[0].has_hash = true;
    c->parts[0].length = VIEW_MAX_BYTES + 1;
    c->parts[0].hash = codec_binary(bytes_of(c->hashes[0].b, HASH_LEN));
    expect_crafted_refused(c, ERR_CAP);
    free(data);
}

Test(entry, an_entry_over_its_cap_is_refused_on_both_sides) {
    struct header h = fixture_header(false);
    uint8_t *data = calloc(1, VIEW_MAX_BYTES);
    struct view *views = many_views(5, bytes_of(data, VIEW_MAX_BYTES));
    expect_build_refused(&h, views, 5, ERR_CAP);
    expect_crafted_refused(craft(&h, views, 5), ERR_CAP);
    free(views);
    free(data);
}

Test(entry, a_buffer_too_small_is_told_and_left_alone) {
    struct header h = fixture_header(false);
    struct sign_pair agent = fixture_sign_pair(3);
    struct buf out;
    buf_init(&out, 100);
    cr_assert_eq(entry_build(&h, NULL, 0, &agent, &out, NULL, NULL), ERR_TOO_LARGE);
    cr_assert_eq(out.len, 0);
    buf_done(&out);
}

Test(entry, checkpoint_and_header_have_caps) {
    static const uint8_t text[HEADER_MAX_BYTES];
    struct header h = fixture_header(true);
    h.checkpoint = bytes_of(text, CHECKPOINT_MAX_BYTES);
    struct buf out = built(&h, NULL, 0);
    entry_free(parsed(buf_bytes(&out)));
    buf_done(&out);
    h.checkpoint.len++;
    expect_build_refused(&h, NULL, 0, ERR_CAP);
    expect_crafted_refused(craft(&h, NULL, 0), ERR_CAP);
    h.checkpoint.len = HEADER_MAX_BYTES;
    expect_crafted_refused(craft(&h, NULL, 0), ERR_CAP);
}

Test(entry, targets) {
    static const uint8_t id[AUDIENCE_ID_LEN] = {1, 2, 3};
    struct public_key key = fixture_sign_pair(5).pub;
    struct target audience = target_audience(id), recipient = target_key(&key);
    struct target plain = target_plain(), zero = fixture_target(16, 0);
    cr_assert_eq(audience.len, 16);
    cr_assert_eq(recipient.len, 32);
    cr_assert(target_equal(&plain, &zero));
    cr_assert_not(target_equal(&audience, &plain));
    struct target longer = fixture_target(32, 0);
    cr_assert_not(target_equal(&longer, &plain), "zeros of another length");
    entry_free(NULL);
}
