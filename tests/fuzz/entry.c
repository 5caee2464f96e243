/* Fuzzes entries and excerpts: the field cursor of entry.c against protobuf-c's strict walk and the
 * rules of docs/protocol.md, "Entries", written a second time here. The first byte says which form,
 * and whether count and root are mended first, so that more than the outermost form is reached. */
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "feed.h"
#include "fuzz.h"
#include "plek.pb-c.h"
#include "tree.h"

#define FLAG_EXCERPT 1u
#define FLAG_MEND 2u

static bool decoded(const ProtobufCMessageDescriptor *type, struct bytes in, size_t max,
                    void *ret) {
    struct error e = {0};
    return fuzz_accepted(codec_decode(type, in, max, "message", ret, &e), &e);
}

static bool is_len(ProtobufCBinaryData field, size_t len) {
    return field.len == len;
}

static struct hash leaf_of(ProtobufCBinaryData target, uint32_t kind, ProtobufCBinaryData key_id,
                           uint32_t length, struct bytes hash) {
    Plek__Leaf leaf = PLEK__LEAF__INIT;
    struct buf out;
    leaf.target = target;
    leaf.kind = kind;
    leaf.key_id = key_id;
    leaf.length = length;
    leaf.hash = codec_binary(hash);
    buf_init(&out, 65536 + target.len + key_id.len + hash.len);
    codec_encode(&leaf, &out);
    FUZZ_CHECK(buf_failed(&out, NULL) == ERR_OK);
    struct hash h = tree_leaf_hash(buf_bytes(&out));
    buf_done(&out);
    return h;
}

static struct hash part_leaf(const Plek__Part *p) {
    if (!p->has_data)
        return leaf_of(p->target, p->kind, p->key_id, p->length, codec_bytes(p->hash));
    struct hash hash = hash_sha256(codec_bytes(p->data));
    return leaf_of(p->target, p->kind, p->key_id, (uint32_t)p->data.len,
                   bytes_of(hash.b, HASH_LEN));
}

static struct hash root_of(const Plek__Entry *entry) {
    struct hash *leaves = calloc(entry->n_parts + 1, sizeof *leaves);
    FUZZ_CHECK(leaves != NULL);
    for (size_t i = 0; i < entry->n_parts; i++)
        leaves[i] = part_leaf(entry->parts[i]);
    struct hash root = tree_root(leaves, entry->n_parts);
    free(leaves);
    return root;
}

/* ---- the rules, a second time ---- */

static bool head_fits(const Plek__Head *h) {
    return h->incarnation <= INT64_MAX && h->seq <= INT64_MAX && is_len(h->hash, HASH_LEN);
}

static bool header_fits(const Plek__Header *h) {
    return h->format == 1 && is_len(h->network, KEY_LEN) && is_len(h->member, KEY_LEN) &&
           is_len(h->agent, KEY_LEN) && h->incarnation <= INT64_MAX && h->seq <= INT64_MAX &&
           is_len(h->prev, HASH_LEN) && is_len(h->views_root, HASH_LEN) &&
           h->view_count <= ENTRY_MAX_VIEWS && (h->hub_head == NULL || head_fits(h->hub_head)) &&
           (!h->has_checkpoint ||
            (h->checkpoint.len > 0 && h->checkpoint.len <= CHECKPOINT_MAX_BYTES));
}

static bool leaf_fits(ProtobufCBinaryData target, ProtobufCBinaryData key_id) {
    return (is_len(target, AUDIENCE_ID_LEN) || is_len(target, TARGET_MAX)) &&
           is_len(key_id, HASH_LEN);
}

static bool size_fits(size_t len) {
    return len > 0 && len <= VIEW_MAX_BYTES;
}

static bool part_fits(const Plek__Part *p) {
    if (!leaf_fits(p->target, p->key_id))
        return false;
    if (p->has_data)
        return !p->has_length && !p->has_hash && size_fits(p->data.len);
    return p->has_length && p->has_hash && size_fits(p->length) && is_len(p->hash, HASH_LEN);
}

static bool entry_fits(const Plek__Entry *entry, const Plek__Header *h) {
    if (!is_len(entry->signature, SIGNATURE_LEN) || !header_fits(h) ||
        entry->n_parts != h->view_count)
        return false;
    for (size_t i = 0; i < entry->n_parts; i++)
        if (!part_fits(entry->parts[i]))
            return false;
    struct hash root = root_of(entry);
    return memcmp(root.b, h->views_root.data, HASH_LEN) == 0;
}

static bool path_leads(const Plek__ExcerptView *v, const Plek__Header *h) {
    struct hash path[TREE_MAX_PATH], root, hash = hash_sha256(codec_bytes(v->data));
    if (v->n_path > TREE_MAX_PATH)
        return false;
    for (size_t i = 0; i < v->n_path; i++) {
        if (!is_len(v->path[i], HASH_LEN))
            return false;
        memcpy(path[i].b, v->path[i].data, HASH_LEN);
    }
    memcpy(root.b, h->views_root.data, HASH_LEN);
    struct hash leaf =
        leaf_of(v->target, v->kind, v->key_id, (uint32_t)v->data.len, bytes_of(hash.b, HASH_LEN));
    return tree_verify(&leaf, v->index, h->view_count, path, v->n_path, &root, NULL) == ERR_OK;
}

static bool excerpt_fits(const Plek__Excerpt *x, const Plek__Header *h) {
    if (!is_len(x->signature, SIGNATURE_LEN) || !header_fits(h) || x->n_views > ENTRY_MAX_VIEWS)
        return false;
    for (size_t i = 0; i < x->n_views; i++) {
        const Plek__ExcerptView *v = x->views[i];
        bool ascends = i == 0 || v->index > x->views[i - 1]->index;
        if (!ascends || !leaf_fits(v->target, v->key_id) || !size_fits(v->data.len) ||
            !path_leads(v, h))
            return false;
    }
    return true;
}

/* ---- both walks ---- */

static void check_excerpt_of(const struct entry *entry) {
    uint32_t which[ENTRY_MAX_VIEWS];
    size_t count = 0;
    for (size_t i = 0; i < entry->view_count; i++)
        if (entry->views[i].data.len > 0)
            which[count++] = (uint32_t)i;
    struct buf out;
    struct error e = {0};
    struct entry *excerpt = NULL;
    buf_init(&out, ENTRY_MAX_BYTES);
    if (entry_excerpt(entry, which, count, &out, &e) == ERR_OK) {
        FUZZ_CHECK(excerpt_parse(buf_bytes(&out), &excerpt, &e) == ERR_OK);
        FUZZ_CHECK(excerpt->view_count == count && hash_equal(&excerpt->hash, &entry->hash));
        for (size_t i = 0; i < count; i++)
            FUZZ_CHECK(excerpt->indices[i] == which[i] &&
                       bytes_equal(excerpt->views[i].data, entry->views[which[i]].data));
        entry_free(excerpt);
    }
    buf_done(&out);
}

static void check_entry(const struct entry *entry, struct bytes in) {
    struct buf again;
    struct error e = {0};
    buf_init(&again, ENTRY_MAX_BYTES);
    FUZZ_CHECK(entry_encode(entry, NULL, &again, &e) == ERR_OK);
    FUZZ_CHECK(bytes_equal(buf_bytes(&again), in));
    buf_done(&again);
    check_excerpt_of(entry);
}

static void compare(struct bytes in, bool excerpt) {
    struct error e = {0};
    void *outer = NULL;
    Plek__Header *header = NULL;
    struct entry *entry = NULL;
    bool fits = false;
    const ProtobufCMessageDescriptor *type =
        excerpt ? &plek__excerpt__descriptor : &plek__entry__descriptor;
    if (decoded(type, in, ENTRY_MAX_BYTES, &outer)) {
        struct bytes bytes = codec_bytes(excerpt ? ((Plek__Excerpt *)outer)->header
                                                 : ((Plek__Entry *)outer)->header);
        if (decoded(&plek__header__descriptor, bytes, HEADER_MAX_BYTES, &header))
            fits = excerpt ? excerpt_fits(outer, header) : entry_fits(outer, header);
    }
    bool ours =
        fuzz_accepted(excerpt ? excerpt_parse(in, &entry, &e) : entry_parse(in, &entry, &e), &e);
    FUZZ_CHECK(ours == fits);
    FUZZ_CHECK(ours == (entry != NULL));
    if (ours) {
        for (int hub_feed = 0; hub_feed < 2; hub_feed++) {
            struct error views = {0};
            (void)fuzz_accepted(feed_check_views(entry, hub_feed == 1, &views), &views);
        }
        if (!excerpt)
            check_entry(entry, in);
    }
    entry_free(entry);
    codec_free(header);
    codec_free(outer);
}

/* The same entry with the count and root that its parts give; false when it is none. */
static bool mend(struct bytes in, struct buf *out) {
    Plek__Entry *entry = NULL;
    Plek__Header *header = NULL;
    bool done =
        decoded(&plek__entry__descriptor, in, ENTRY_MAX_BYTES, &entry) &&
        decoded(&plek__header__descriptor, codec_bytes(entry->header), HEADER_MAX_BYTES, &header);
    if (done) {
        struct hash root = root_of(entry);
        ProtobufCBinaryData old_root = header->views_root, old_header = entry->header;
        struct buf bytes;
        buf_init(&bytes, ENTRY_MAX_BYTES);
        header->views_root = codec_binary(bytes_of(root.b, HASH_LEN));
        header->view_count = (uint32_t)entry->n_parts;
        codec_encode(header, &bytes);
        header->views_root = old_root;
        entry->header = codec_binary(buf_bytes(&bytes));
        codec_encode(entry, out);
        entry->header = old_header;
        done = buf_failed(out, NULL) == ERR_OK;
        buf_done(&bytes);
    }
    codec_free(header);
    codec_free(entry);
    return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    uint8_t flags = fuzz_byte(&in);
    struct bytes message = fuzz_rest(&in);
    compare(message, flags & FLAG_EXCERPT);
    struct buf mended;
    buf_init(&mended, 2 * ENTRY_MAX_BYTES);
    if ((flags & (FLAG_EXCERPT | FLAG_MEND)) == FLAG_MEND && mend(message, &mended))
        compare(buf_bytes(&mended), false);
    buf_done(&mended);
    return 0;
}
