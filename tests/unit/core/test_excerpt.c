/* Tests excerpts: every choice of views, paths, damage, views moved elsewhere, the cap. */
#include <criterion/criterion.h>

#include "entry_craft.h"

static void init(void) {
    cr_assert_eq(keys_init(NULL), ERR_OK);
}
TestSuite(excerpt, .init = init, .timeout = 60);

static struct buf excerpt_of(const struct entry *entry, const uint32_t *which, size_t count) {
    struct buf out;
    struct error e = {0};
    buf_init(&out, BIG);
    cr_assert_eq(entry_excerpt(entry, which, count, &out, &e), ERR_OK, "%s", e.detail);
    return out;
}

Test(excerpt, excerpt_of_every_choice_of_views) {
    enum { COUNT = 6 };
    struct header h = fixture_header(true);
    struct view *views = many_views(COUNT, bytes_str("some figures"));
    struct buf out = built(&h, views, COUNT);
    struct entry *entry = parsed(buf_bytes(&out));
    for (unsigned mask = 0; mask < 1u << COUNT; mask++) {
        uint32_t which[COUNT];
        size_t count = 0;
        for (uint32_t i = 0; i < COUNT; i++)
            if (mask >> i & 1)
                which[count++] = i;
        struct buf bytes = excerpt_of(entry, which, count);
        struct entry *excerpt = NULL;
        cr_assert_eq(excerpt_parse(buf_bytes(&bytes), &excerpt, NULL), ERR_OK);
        cr_assert(hash_equal(&excerpt->hash, &entry->hash));
        cr_assert_eq(entry_verify(excerpt, &h.agent, NULL), ERR_OK);
        cr_assert_eq(excerpt->view_count, count);
        cr_assert_eq(excerpt->header.view_count, COUNT);
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(excerpt->indices[i], which[i]);
            expect_same_view(&excerpt->views[i], &views[which[i]], true);
        }
        entry_free(excerpt);
        buf_done(&bytes);
    }
    entry_free(entry);
    buf_done(&out);
    free(views);
}

Test(excerpt, every_bit_of_an_excerpt_matters) {
    struct header h = fixture_header(false);
    struct view *views = many_views(5, bytes_str("some figures"));
    struct buf out = built(&h, views, 5);
    struct entry *entry = parsed(buf_bytes(&out));
    struct buf bytes = excerpt_of(entry, (uint32_t[]){1, 4}, 2);
    struct damage d = {.agent = h.agent, .parse = excerpt_parse};
    expect_every_bit_found(buf_bytes(&bytes), d);
    entry_free(entry);
    buf_done(&bytes);
    buf_done(&out);
    free(views);
}

/* What was cut may only be whole views from the end: that is an excerpt of fewer views. */
static void expect_whole_views(struct bytes cut, size_t at, void *ctx) {
    size_t *parsed_cuts = ctx;
    struct entry *excerpt = NULL;
    if (excerpt_parse(cut, &excerpt, NULL) != ERR_OK)
        return;
    cr_assert_eq(excerpt->view_count, *parsed_cuts, "length %zu", at);
    cr_assert_eq(entry_verify(excerpt, &excerpt->header.agent, NULL), ERR_OK);
    entry_free(excerpt);
    ++*parsed_cuts;
}

Test(excerpt, truncations_are_refused_but_between_views) {
    struct header h = fixture_header(false);
    struct view *views = many_views(5, bytes_str("some figures"));
    struct buf out = built(&h, views, 5);
    struct entry *entry = parsed(buf_bytes(&out));
    struct buf bytes = excerpt_of(entry, (uint32_t[]){1, 4}, 2);
    size_t parsed_cuts = 0;
    cr_assert_eq(truncate_each(buf_bytes(&bytes), expect_whole_views, &parsed_cuts), bytes.len);
    cr_assert_eq(parsed_cuts, 2, "with none and with one of its two views");
    entry_free(entry);
    buf_done(&bytes);
    buf_done(&out);
    free(views);
}

/* An excerpt as protobuf-c would write it, changed before it is encoded. */
struct loose_excerpt {
    Plek__Excerpt *message;
};

static struct loose_excerpt loose(struct bytes excerpt) {
    ProtobufCMessage *message = NULL;
    struct error e = {0};
    cr_assert_eq(
        codec_decode(&plek__excerpt__descriptor, excerpt, ENTRY_MAX_BYTES, "excerpt", &message, &e),
        ERR_OK, "%s", e.detail);
    return (struct loose_excerpt){(Plek__Excerpt *)message};
}

static void expect_loose(struct loose_excerpt x, enum err expected) {
    struct buf out;
    struct entry *entry = NULL;
    buf_init(&out, BIG);
    codec_encode(x.message, &out);
    enum err err = excerpt_parse(buf_bytes(&out), &entry, NULL);
    cr_assert_eq(err, expected, "found %s, expected %s", error_name(err), error_name(expected));
    entry_free(entry);
    codec_free(x.message);
    buf_done(&out);
}

static void swap_views(Plek__Excerpt *x) {
    Plek__ExcerptView *first = x->views[0];
    x->views[0] = x->views[1];
    x->views[1] = first;
}

Test(excerpt, excerpts_with_other_indices_or_paths_are_refused) {
    struct header h = fixture_header(false);
    struct view *views = many_views(5, bytes_str("some figures"));
    struct buf out = built(&h, views, 5);
    struct entry *entry = parsed(buf_bytes(&out));
    struct buf bytes = excerpt_of(entry, (uint32_t[]){1, 2}, 2);
    struct bytes in = buf_bytes(&bytes);
    expect_loose(loose(in), ERR_OK);
    struct loose_excerpt x = loose(in);
    swap_views(x.message);
    expect_loose(x, ERR_MALFORMED);
    x = loose(in);
    x.message->views[1]->index = 1;
    expect_loose(x, ERR_MALFORMED);
    x = loose(in);
    x.message->views[1]->index = 3;
    expect_loose(x, ERR_VIEW_MISMATCH);
    x = loose(in);
    x.message->views[1]->index = 5;
    expect_loose(x, ERR_VIEW_MISMATCH);
    x = loose(in);
    x.message->views[1]->index = UINT32_MAX;
    expect_loose(x, ERR_VIEW_MISMATCH);
    x = loose(in);
    free(x.message->views[0]->path[--x.message->views[0]->n_path].data);
    expect_loose(x, ERR_VIEW_MISMATCH);
    x = loose(in);
    x.message->views[0]->path[0].len = 31;
    expect_loose(x, ERR_MALFORMED);
    x = loose(in);
    x.message->views[0]->data.len = 0;
    expect_loose(x, ERR_MALFORMED);
    x = loose(in);
    x.message->views[0]->kind++;
    expect_loose(x, ERR_VIEW_MISMATCH);
    entry_free(entry);
    buf_done(&bytes);
    buf_done(&out);
    free(views);
}

Test(excerpt, a_view_moved_under_another_header_is_refused) {
    struct header h = fixture_header(false);
    struct view *views = many_views(4, bytes_str("some figures"));
    struct buf out = built(&h, views, 4), other = built(&h, views, 3);
    struct entry *entry = parsed(buf_bytes(&out)), *second = parsed(buf_bytes(&other));
    struct buf bytes = excerpt_of(entry, (uint32_t[]){1}, 1);
    struct loose_excerpt x = loose(buf_bytes(&bytes));
    memcpy(x.message->header.data, second->header_bytes.data, second->header_bytes.len);
    cr_assert_eq(x.message->header.len, second->header_bytes.len);
    expect_loose(x, ERR_VIEW_MISMATCH);
    entry_free(entry);
    entry_free(second);
    buf_done(&bytes);
    buf_done(&other);
    buf_done(&out);
    free(views);
}

Test(excerpt, excerpt_of_a_view_no_longer_held_is_refused) {
    struct buf out = built_fixture(false), pruned, bytes;
    struct entry *entry = parsed(buf_bytes(&out));
    buf_init(&pruned, BIG);
    cr_assert_eq(entry_encode(entry, (bool[]){true, false, true}, &pruned, NULL), ERR_OK);
    entry_free(entry);
    entry = parsed(buf_bytes(&pruned));
    buf_init(&bytes, BIG);
    cr_assert_eq(entry_excerpt(entry, (uint32_t[]){0, 1}, 2, &bytes, NULL), ERR_NOT_FOUND);
    cr_assert_eq(bytes.len, 0);
    cr_assert_eq(entry_excerpt(entry, (uint32_t[]){0, 2}, 2, &bytes, NULL), ERR_OK);
    entry_free(entry);
    buf_done(&bytes);
    buf_done(&pruned);
    buf_done(&out);
}

/* Paths can lift an excerpt over the cap that its entry kept to. */
Test(excerpt, an_excerpt_over_the_cap_is_told) {
    struct header h = fixture_header(false);
    uint8_t *data = calloc(1, 1900);
    struct view *views = many_views(ENTRY_MAX_VIEWS, bytes_of(data, 1900));
    struct buf out = built(&h, views, ENTRY_MAX_VIEWS), bytes;
    struct entry *entry = parsed(buf_bytes(&out));
    uint32_t which[ENTRY_MAX_VIEWS];
    for (uint32_t i = 0; i < ENTRY_MAX_VIEWS; i++)
        which[i] = i;
    buf_init(&bytes, BIG);
    cr_assert_eq(entry_excerpt(entry, which, ENTRY_MAX_VIEWS, &bytes, NULL), ERR_CAP);
    cr_assert_eq(bytes.len, 0);
    cr_assert_eq(entry_excerpt(entry, which, ENTRY_MAX_VIEWS / 2, &bytes, NULL), ERR_OK);
    entry_free(entry);
    buf_done(&bytes);
    buf_done(&out);
    free(views);
    free(data);
}
