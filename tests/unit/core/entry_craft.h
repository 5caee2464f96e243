/* Owns what the tests of entries and of excerpts share: building and parsing with the failure
 * shown, an entry as protobuf-c would write it (to be changed before it is encoded), and damage. */
#ifndef PLEK_TEST_ENTRY_CRAFT_H
#define PLEK_TEST_ENTRY_CRAFT_H

#include <criterion/criterion.h>

#include "codec.h"
#include "entry_fixture.h"
#include "flip.h"
#include "plek.pb-c.h"
#include "tree.h"

#define BIG (8 * ENTRY_MAX_BYTES)

static inline struct buf built(const struct header *h, const struct view *views, size_t count) {
    struct sign_pair agent = fixture_sign_pair(3);
    struct buf out;
    struct error e = {0};
    buf_init(&out, BIG);
    cr_assert_eq(entry_build(h, views, count, &agent, &out, NULL, &e), ERR_OK, "%s", e.detail);
    return out;
}

static inline struct buf built_fixture(bool full) {
    struct header h = fixture_header(full);
    struct view views[FIXTURE_VIEWS];
    fixture_views(views);
    return built(&h, views, FIXTURE_VIEWS);
}

static inline struct entry *parsed(struct bytes in) {
    struct entry *entry = NULL;
    struct error e = {0};
    cr_assert_eq(entry_parse(in, &entry, &e), ERR_OK, "%s", e.detail);
    return entry;
}

static inline struct view *many_views(size_t count, struct bytes data) {
    struct view *views = calloc(count, sizeof *views);
    cr_assert_not_null(views);
    for (size_t i = 0; i < count; i++) {
        views[i] = fixture_view(VIEW_STATE, 16, (uint8_t)i, data);
        views[i].target.b[0] = (uint8_t)(i >> 8);
    }
    return views;
}

static inline void expect_same_view(const struct view *found, const struct view *given,
                                    bool with_data) {
    struct hash hash = hash_sha256(given->data);
    cr_assert(target_equal(&found->target, &given->target));
    cr_assert_eq(found->kind, given->kind);
    cr_assert(hash_equal(&found->key_id, &given->key_id));
    cr_assert_eq(found->length, given->data.len);
    cr_assert(hash_equal(&found->hash, &hash));
    if (with_data)
        cr_assert(bytes_equal(found->data, given->data));
    else
        cr_assert_eq(found->data.len, 0);
}

/* ---- an entry as protobuf-c would write it ---- */

struct crafted {
    Plek__Header header;
    Plek__Head hub_head;
    Plek__Part parts[ENTRY_MAX_VIEWS + 1];
    Plek__Part *part_pointers[ENTRY_MAX_VIEWS + 1];
    Plek__Entry entry;
    struct hash leaves[ENTRY_MAX_VIEWS + 1], hashes[ENTRY_MAX_VIEWS + 1], root;
    struct buf header_bytes;
    struct signature signature;
};

static inline void craft_part(struct crafted *c, size_t i, const struct view *v) {
    Plek__Leaf leaf = PLEK__LEAF__INIT;
    c->hashes[i] = hash_sha256(v->data);
    leaf.target = codec_binary(bytes_of(v->target.b, v->target.len));
    leaf.kind = v->kind;
    leaf.key_id = codec_binary(bytes_of(v->key_id.b, HASH_LEN));
    leaf.length = (uint32_t)v->data.len;
    leaf.hash = codec_binary(bytes_of(c->hashes[i].b, HASH_LEN));
    struct buf bytes;
    buf_init(&bytes, 256);
    codec_encode(&leaf, &bytes);
    c->leaves[i] = tree_leaf_hash(buf_bytes(&bytes));
    buf_done(&bytes);
    plek__part__init(&c->parts[i]);
    c->part_pointers[i] = &c->parts[i];
    c->parts[i].target = leaf.target;
    c->parts[i].kind = leaf.kind;
    c->parts[i].key_id = leaf.key_id;
    c->parts[i].has_data = true;
    c->parts[i].data = codec_binary(v->data);
}

static inline void craft_header(struct crafted *c, const struct header *h, size_t count) {
    plek__header__init(&c->header);
    c->header.format = 1;
    c->header.network = codec_binary(bytes_of(h->network.b, KEY_LEN));
    c->header.member = codec_binary(bytes_of(h->member.b, KEY_LEN));
    c->header.agent = codec_binary(bytes_of(h->agent.b, KEY_LEN));
    c->header.incarnation = h->incarnation;
    c->header.seq = h->seq;
    c->header.prev = codec_binary(bytes_of(h->prev.b, HASH_LEN));
    c->header.claimed_ms = h->claimed_ms;
    c->header.kind = h->kind;
    c->header.view_count = (uint32_t)count;
    c->header.views_root = codec_binary(bytes_of(c->root.b, HASH_LEN));
    if (h->has_hub_head) {
        plek__head__init(&c->hub_head);
        c->hub_head.incarnation = h->hub_head.incarnation;
        c->hub_head.seq = h->hub_head.seq;
        c->hub_head.hash = codec_binary(bytes_of(h->hub_head.hash.b, HASH_LEN));
        c->header.hub_head = &c->hub_head;
    }
    c->header.has_checkpoint = h->checkpoint.len > 0;
    c->header.checkpoint = codec_binary(h->checkpoint);
}

/* Views and header are borrowed until craft_bytes. Change c->header or c->parts in between. */
static inline struct crafted *craft(const struct header *h, const struct view *views,
                                    size_t count) {
    struct crafted *c = calloc(1, sizeof *c);
    cr_assert_not_null(c);
    for (size_t i = 0; i < count; i++)
        craft_part(c, i, &views[i]);
    c->root = tree_root(c->leaves, count);
    craft_header(c, h, count);
    plek__entry__init(&c->entry);
    c->entry.n_parts = count;
    c->entry.parts = c->part_pointers;
    return c;
}

static inline void craft_finish(struct crafted *c, struct buf *out) {
    struct sign_pair agent = fixture_sign_pair(3);
    buf_init(&c->header_bytes, BIG);
    codec_encode(&c->header, &c->header_bytes);
    struct bytes header = buf_bytes(&c->header_bytes);
    sign_parts(&c->signature, &agent, DOMAIN_ENTRY, &header, 1);
    c->entry.header = codec_binary(header);
    c->entry.signature = codec_binary(bytes_of(c->signature.b, SIGNATURE_LEN));
    buf_init(out, BIG);
    codec_encode(&c->entry, out);
    cr_assert_eq(buf_failed(out, NULL), ERR_OK);
    buf_done(&c->header_bytes);
    free(c);
}

/* ---- damage ---- */

struct damage {
    struct public_key agent;
    enum err (*parse)(struct bytes in, struct entry **ret, struct error *e);
    size_t malformed, mismatched, unsigned_;
};

static inline void expect_damaged(struct bytes damaged, size_t at, void *ctx) {
    struct damage *d = ctx;
    struct entry *entry = NULL;
    enum err err = d->parse(damaged, &entry, NULL);
    if (err != ERR_OK) {
        cr_assert_null(entry);
        d->mismatched += err == ERR_VIEWS_ROOT || err == ERR_VIEW_MISMATCH;
        d->malformed += err != ERR_VIEWS_ROOT && err != ERR_VIEW_MISMATCH;
        return;
    }
    cr_assert_eq(entry_verify(entry, &d->agent, NULL), ERR_SIGNATURE, "bit or length %zu", at);
    d->unsigned_++;
    entry_free(entry);
}

static inline void expect_every_bit_found(struct bytes in, struct damage d) {
    cr_assert_eq(flip_each_bit(in, expect_damaged, &d), in.len * 8);
    cr_assert_gt(d.malformed, 0);
    cr_assert_gt(d.mismatched, 0);
    cr_assert_gt(d.unsigned_, 0);
}

#endif
