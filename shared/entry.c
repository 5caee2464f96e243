/* Implements entries: their bytes, header hash, leaves and root, excerpts with paths.
 * Must not judge an author or a place in a feed (feed.c), nor open a view (audience.c). */
#include "entry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"
#include "wire.h"

#define HEADER_FORMAT 1u
#define LEAF_MAX_BYTES 128 /* a leaf takes at most 114 */

_Static_assert(ENTRY_MAX_VIEWS <= TREE_MAX_LEAVES, "a tree holds the views of any entry");

struct target target_audience(const uint8_t id[static AUDIENCE_ID_LEN]) {
    struct target t = {.len = AUDIENCE_ID_LEN};
    memcpy(t.b, id, AUDIENCE_ID_LEN);
    return t;
}

struct target target_key(const struct public_key *k) {
    struct target t = {.len = KEY_LEN};
    memcpy(t.b, k->b, KEY_LEN);
    return t;
}

struct target target_plain(void) {
    return (struct target){.len = AUDIENCE_ID_LEN};
}

bool target_equal(const struct target *a, const struct target *b) {
    return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static enum err malformed(struct error *e, const char *what) {
    return error_set(e, ERR_MALFORMED,
                     "%s: found fields, lengths or an order that plek.proto does not give it",
                     what);
}

static struct bytes hash_view(const struct hash *h) {
    return bytes_of(h->b, HASH_LEN);
}

static struct bytes key_view(const struct public_key *k) {
    return bytes_of(k->b, KEY_LEN);
}

/* ---- header ---- */

static void head_write(const struct head *h, unsigned field, struct buf *out) {
    wire_put_open(out, field,
                  wire_size_uint(h->incarnation) + wire_size_uint(h->seq) +
                      wire_size_bytes(HASH_LEN));
    wire_put_uint(out, 1, h->incarnation);
    wire_put_uint(out, 2, h->seq);
    wire_put_bytes(out, 3, hash_view(&h->hash));
}

static void header_write(const struct header *h, struct buf *out) {
    wire_put_uint(out, 1, HEADER_FORMAT);
    wire_put_bytes(out, 2, key_view(&h->network));
    wire_put_bytes(out, 3, key_view(&h->member));
    wire_put_bytes(out, 4, key_view(&h->agent));
    wire_put_uint(out, 5, h->incarnation);
    wire_put_uint(out, 6, h->seq);
    wire_put_bytes(out, 7, hash_view(&h->prev));
    wire_put_uint(out, 8, (uint64_t)h->claimed_ms);
    wire_put_uint(out, 9, h->kind);
    wire_put_uint(out, 10, h->view_count);
    wire_put_bytes(out, 11, hash_view(&h->views_root));
    if (h->has_hub_head)
        head_write(&h->hub_head, 12, out);
    if (h->checkpoint.len > 0)
        wire_put_bytes(out, 13, h->checkpoint);
}

static void head_read(struct bytes in, struct head *ret, bool *bad) {
    struct wire w = wire_open(in);
    ret->incarnation = wire_uint(&w, 1, INT64_MAX);
    ret->seq = wire_uint(&w, 2, INT64_MAX);
    wire_take(&w, 3, ret->hash.b, HASH_LEN);
    *bad = !wire_done(&w);
}

static enum err header_caps(const struct header *h, struct error *e) {
    if (h->view_count > ENTRY_MAX_VIEWS)
        return error_set(e, ERR_CAP, "header: found %u views, expected at most %d", h->view_count,
                         ENTRY_MAX_VIEWS);
    if (h->checkpoint.len > CHECKPOINT_MAX_BYTES)
        return error_set(e, ERR_CAP, "header: found a checkpoint of %zu bytes, expected at most %d",
                         h->checkpoint.len, CHECKPOINT_MAX_BYTES);
    return ERR_OK;
}

/* The format comes first and is asked first: what follows it may look different in another. */
static enum err header_read(struct bytes in, struct header *ret, struct error *e) {
    if (in.len > HEADER_MAX_BYTES)
        return error_set(e, ERR_CAP, "header: found %zu bytes, expected at most %d", in.len,
                         HEADER_MAX_BYTES);
    struct wire w = wire_open(in);
    struct header h = {0};
    uint64_t format = wire_uint(&w, 1, UINT32_MAX);
    if (!w.bad && format != HEADER_FORMAT)
        return error_set(e, ERR_FORMAT, "header: found format %llu, this version reads %u",
                         (unsigned long long)format, HEADER_FORMAT);
    wire_take(&w, 2, h.network.b, KEY_LEN);
    wire_take(&w, 3, h.member.b, KEY_LEN);
    wire_take(&w, 4, h.agent.b, KEY_LEN);
    h.incarnation = wire_uint(&w, 5, INT64_MAX);
    h.seq = wire_uint(&w, 6, INT64_MAX);
    wire_take(&w, 7, h.prev.b, HASH_LEN);
    h.claimed_ms = (int64_t)wire_uint(&w, 8, UINT64_MAX);
    h.kind = (uint32_t)wire_uint(&w, 9, UINT32_MAX);
    h.view_count = (uint32_t)wire_uint(&w, 10, UINT32_MAX);
    wire_take(&w, 11, h.views_root.b, HASH_LEN);
    bool bad_head = false;
    if (wire_has_bytes(&w, 12)) {
        h.has_hub_head = true;
        head_read(wire_bytes(&w, 12), &h.hub_head, &bad_head);
    }
    bool empty_checkpoint = false;
    if (wire_has_bytes(&w, 13)) {
        h.checkpoint = wire_bytes(&w, 13);
        empty_checkpoint = h.checkpoint.len == 0;
    }
    if (bad_head || empty_checkpoint || !wire_done(&w))
        return malformed(e, "header");
    enum err err = header_caps(&h, e);
    if (err == ERR_OK)
        *ret = h;
    return err;
}

/* ---- leaves ---- */

static enum err leaves_fill(const struct view *views, size_t count, struct hash *ret,
                            struct error *e) {
    struct buf leaf;
    buf_init(&leaf, LEAF_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        const struct view *v = &views[i];
        leaf.len = 0;
        wire_put_bytes(&leaf, 1, bytes_of(v->target.b, v->target.len));
        wire_put_uint(&leaf, 2, v->kind);
        wire_put_bytes(&leaf, 3, hash_view(&v->key_id));
        wire_put_uint(&leaf, 4, v->length);
        wire_put_bytes(&leaf, 5, hash_view(&v->hash));
        ret[i] = tree_leaf_hash(buf_bytes(&leaf));
    }
    enum err err = buf_failed(&leaf, e);
    buf_done(&leaf);
    return err;
}

static enum err view_size_check(size_t len, size_t index, struct error *e) {
    if (len == 0)
        return error_set(e, ERR_MALFORMED, "view %zu: found no bytes, expected at least one",
                         index);
    if (len > VIEW_MAX_BYTES)
        return error_set(e, ERR_CAP, "view %zu: found %zu bytes, expected at most %d", index, len,
                         VIEW_MAX_BYTES);
    return ERR_OK;
}

/* ---- writing ---- */

static size_t part_size(const struct view *v, bool with_data) {
    size_t size =
        wire_size_bytes(v->target.len) + wire_size_uint(v->kind) + wire_size_bytes(HASH_LEN);
    if (with_data)
        return size + wire_size_bytes(v->data.len);
    return size + wire_size_uint(v->length) + wire_size_bytes(HASH_LEN);
}

static void part_write(const struct view *v, bool with_data, struct buf *out) {
    wire_put_open(out, 3, part_size(v, with_data));
    wire_put_bytes(out, 1, bytes_of(v->target.b, v->target.len));
    wire_put_uint(out, 2, v->kind);
    wire_put_bytes(out, 3, hash_view(&v->key_id));
    if (with_data) {
        wire_put_bytes(out, 4, v->data);
        return;
    }
    wire_put_uint(out, 5, v->length);
    wire_put_bytes(out, 6, hash_view(&v->hash));
}

/* What was appended since `start` stays only when all of it fitted. */
static enum err finish_append(struct buf *out, size_t start, const char *what, struct error *e) {
    enum err err = buf_failed(out, e);
    if (err == ERR_OK && out->len - start > ENTRY_MAX_BYTES)
        err = error_set(e, ERR_CAP, "%s: found %zu bytes, expected at most %d", what,
                        out->len - start, ENTRY_MAX_BYTES);
    if (err != ERR_OK)
        out->len = start;
    return err;
}

/* Copies of the caller's views with length and hash, and their leaves. */
static enum err views_prepare(const struct view *views, size_t count, struct view *ret,
                              struct hash *ret_leaves, struct error *e) {
    for (size_t i = 0; i < count; i++) {
        enum err err = view_size_check(views[i].data.len, i, e);
        if (err != ERR_OK)
            return err;
        assert(views[i].target.len == AUDIENCE_ID_LEN || views[i].target.len == TARGET_MAX);
        ret[i] = views[i];
        ret[i].length = (uint32_t)views[i].data.len;
        ret[i].hash = hash_sha256(views[i].data);
    }
    return leaves_fill(ret, count, ret_leaves, e);
}

static enum err build_from(const struct header *header, const struct view *views, size_t count,
                           const struct sign_pair *key, struct buf *out, struct hash *ret_hash,
                           struct error *e) {
    struct buf bytes;
    buf_init(&bytes, HEADER_MAX_BYTES);
    header_write(header, &bytes);
    enum err err = buf_failed(&bytes, e);
    if (err != ERR_OK) {
        buf_done(&bytes);
        return err;
    }
    struct bytes signed_part = buf_bytes(&bytes);
    struct signature signature;
    sign_parts(&signature, key, DOMAIN_ENTRY, &signed_part, 1);
    struct hash hash = hash_sha256(signed_part);
    size_t start = out->len;
    wire_put_bytes(out, 1, signed_part);
    wire_put_bytes(out, 2, bytes_of(signature.b, SIGNATURE_LEN));
    for (size_t i = 0; i < count; i++)
        part_write(&views[i], true, out);
    buf_done(&bytes);
    err = finish_append(out, start, "entry", e);
    if (err == ERR_OK && ret_hash != NULL)
        *ret_hash = hash;
    return err;
}

enum err entry_build(const struct header *header, const struct view *views, size_t count,
                     const struct sign_pair *key, struct buf *out, struct hash *ret_hash,
                     struct error *e) {
    if (count > ENTRY_MAX_VIEWS)
        return error_set(e, ERR_CAP, "entry: found %zu views, expected at most %d", count,
                         ENTRY_MAX_VIEWS);
    struct header h = *header;
    h.view_count = (uint32_t)count;
    enum err err = header_caps(&h, e);
    if (err != ERR_OK)
        return err;
    struct view *prepared = calloc(count + 1, sizeof *prepared);
    struct hash *leaves = calloc(count + 1, sizeof *leaves);
    if (prepared == NULL || leaves == NULL)
        err = error_set(e, ERR_NO_MEMORY, "entry: no memory for %zu views", count);
    else
        err = views_prepare(views, count, prepared, leaves, e);
    if (err == ERR_OK) {
        h.views_root = tree_root(leaves, count);
        err = build_from(&h, prepared, count, key, out, ret_hash, e);
    }
    free(prepared);
    free(leaves);
    return err;
}

enum err entry_encode(const struct entry *entry, const bool *keep, struct buf *out,
                      struct error *e) {
    assert(entry->leaves != NULL);
    size_t start = out->len;
    wire_put_bytes(out, 1, entry->header_bytes);
    wire_put_bytes(out, 2, bytes_of(entry->signature.b, SIGNATURE_LEN));
    for (size_t i = 0; i < entry->view_count; i++) {
        const struct view *v = &entry->views[i];
        part_write(v, v->data.len > 0 && (keep == NULL || keep[i]), out);
    }
    return finish_append(out, start, "entry", e);
}

static void excerpt_view_write(const struct entry *entry, uint32_t index, struct buf *out) {
    const struct view *v = &entry->views[index];
    struct hash path[TREE_MAX_PATH];
    size_t path_len = tree_path(entry->leaves, entry->view_count, index, path);
    wire_put_open(out, 3,
                  wire_size_uint(index) + wire_size_bytes(v->target.len) + wire_size_uint(v->kind) +
                      wire_size_bytes(HASH_LEN) + wire_size_bytes(v->data.len) +
                      path_len * wire_size_bytes(HASH_LEN));
    wire_put_uint(out, 1, index);
    wire_put_bytes(out, 2, bytes_of(v->target.b, v->target.len));
    wire_put_uint(out, 3, v->kind);
    wire_put_bytes(out, 4, hash_view(&v->key_id));
    wire_put_bytes(out, 5, v->data);
    for (size_t i = 0; i < path_len; i++)
        wire_put_bytes(out, 6, hash_view(&path[i]));
}

enum err entry_excerpt(const struct entry *entry, const uint32_t *which, size_t count,
                       struct buf *out, struct error *e) {
    assert(entry->leaves != NULL);
    for (size_t i = 0; i < count; i++) {
        assert(which[i] < entry->view_count && (i == 0 || which[i] > which[i - 1]));
        if (entry->views[which[i]].data.len == 0)
            return error_set(e, ERR_NOT_FOUND, "excerpt: view %u is no longer held", which[i]);
    }
    size_t start = out->len;
    wire_put_bytes(out, 1, entry->header_bytes);
    wire_put_bytes(out, 2, bytes_of(entry->signature.b, SIGNATURE_LEN));
    for (size_t i = 0; i < count; i++)
        excerpt_view_write(entry, which[i], out);
    return finish_append(out, start, "excerpt", e);
}

/* ---- reading ---- */

/* Entry and Excerpt share their first two fields and a repeated third. */
static enum err count_items(struct bytes in, const char *what, size_t *ret, struct error *e) {
    if (in.len > ENTRY_MAX_BYTES)
        return error_set(e, ERR_CAP, "%s: found %zu bytes, expected at most %d", what, in.len,
                         ENTRY_MAX_BYTES);
    struct wire w = wire_open(in);
    size_t count = 0;
    (void)wire_bytes(&w, 1);
    (void)wire_bytes(&w, 2);
    for (; wire_has_bytes(&w, 3); count++)
        (void)wire_bytes(&w, 3);
    if (!wire_done(&w))
        return malformed(e, what);
    if (count > ENTRY_MAX_VIEWS)
        return error_set(e, ERR_CAP, "%s: found %zu views, expected at most %d", what, count,
                         ENTRY_MAX_VIEWS);
    *ret = count;
    return ERR_OK;
}

/* One block: the struct, its arrays in order of alignment, then the bytes everything points into.
 */
static struct entry *entry_alloc(struct bytes in, size_t count, struct bytes *ret_copy) {
    size_t arrays = count * (sizeof(struct view) + sizeof(uint32_t) + sizeof(struct hash));
    struct entry *entry = malloc(sizeof *entry + arrays + in.len);
    if (entry == NULL)
        return NULL;
    memset(entry, 0, sizeof *entry + arrays);
    entry->views = (struct view *)(entry + 1);
    entry->indices = (uint32_t *)(entry->views + count);
    entry->leaves = (struct hash *)(entry->indices + count);
    entry->view_count = count;
    uint8_t *copy = (uint8_t *)(entry->leaves + count);
    memcpy(copy, in.data, in.len);
    *ret_copy = bytes_of(copy, in.len);
    return entry;
}

/* Allocates, and reads up to the first of the repeated items, where ret_items then stands. */
static enum err envelope_read(struct bytes in, const char *what, struct entry **ret,
                              struct wire *ret_items, struct error *e) {
    size_t count = 0;
    enum err err = count_items(in, what, &count, e);
    if (err != ERR_OK)
        return err;
    struct bytes copy;
    struct entry *entry = entry_alloc(in, count, &copy);
    if (entry == NULL)
        return error_set(e, ERR_NO_MEMORY, "%s: no memory for %zu bytes", what, in.len);
    struct wire w = wire_open(copy);
    entry->header_bytes = wire_bytes(&w, 1);
    wire_take(&w, 2, entry->signature.b, SIGNATURE_LEN);
    err = w.bad ? malformed(e, what) : header_read(entry->header_bytes, &entry->header, e);
    if (err != ERR_OK) {
        entry_free(entry);
        return err;
    }
    entry->hash = hash_sha256(entry->header_bytes);
    *ret = entry;
    *ret_items = w;
    return ERR_OK;
}

/* Target, kind and key id stand in this order in Part and ExcerptView, at other numbers. */
static void leaf_fields_read(struct wire *w, unsigned first, struct view *v) {
    struct bytes target = wire_bytes(w, first);
    v->kind = (uint32_t)wire_uint(w, first + 1, UINT32_MAX);
    wire_take(w, first + 2, v->key_id.b, HASH_LEN);
    if (w->bad || (target.len != AUDIENCE_ID_LEN && target.len != TARGET_MAX)) {
        w->bad = true;
        return;
    }
    memcpy(v->target.b, target.data, target.len);
    v->target.len = target.len;
}

static enum err view_set_data(struct view *v, struct bytes data, size_t index, struct error *e) {
    enum err err = view_size_check(data.len, index, e);
    if (err != ERR_OK)
        return err;
    v->data = data;
    v->length = (uint32_t)data.len;
    v->hash = hash_sha256(data);
    return ERR_OK;
}

static enum err part_read(struct bytes in, struct view *v, size_t index, struct error *e) {
    struct wire w = wire_open(in);
    leaf_fields_read(&w, 1, v);
    bool with_data = wire_has_bytes(&w, 4);
    struct bytes data = {NULL, 0};
    if (with_data) {
        data = wire_bytes(&w, 4);
    } else {
        v->length = (uint32_t)wire_uint(&w, 5, UINT32_MAX);
        wire_take(&w, 6, v->hash.b, HASH_LEN);
    }
    if (!wire_done(&w))
        return malformed(e, "part");
    return with_data ? view_set_data(v, data, index, e) : view_size_check(v->length, index, e);
}

static enum err parts_read(struct wire *items, struct entry *entry, struct error *e) {
    if (entry->view_count != entry->header.view_count)
        return error_set(e, ERR_VIEWS_ROOT, "entry: found %zu parts, its header says %u",
                         entry->view_count, entry->header.view_count);
    for (size_t i = 0; i < entry->view_count; i++) {
        entry->indices[i] = (uint32_t)i;
        enum err err = part_read(wire_bytes(items, 3), &entry->views[i], i, e);
        if (err != ERR_OK)
            return err;
    }
    enum err err = leaves_fill(entry->views, entry->view_count, entry->leaves, e);
    if (err != ERR_OK)
        return err;
    struct hash root = tree_root(entry->leaves, entry->view_count);
    if (!hash_equal(&root, &entry->header.views_root))
        return error_set(e, ERR_VIEWS_ROOT,
                         "entry: its %zu parts do not give the root in its header",
                         entry->view_count);
    return ERR_OK;
}

static size_t path_read(struct wire *w, struct hash ret[static TREE_MAX_PATH]) {
    size_t len = 0;
    while (len < TREE_MAX_PATH && wire_has_bytes(w, 6))
        wire_take(w, 6, ret[len++].b, HASH_LEN);
    return len;
}

static enum err excerpt_view_read(struct bytes in, struct entry *entry, size_t at,
                                  struct error *e) {
    struct wire w = wire_open(in);
    struct view *v = &entry->views[at];
    struct hash path[TREE_MAX_PATH];
    uint32_t index = (uint32_t)wire_uint(&w, 1, UINT32_MAX);
    leaf_fields_read(&w, 2, v);
    struct bytes data = wire_bytes(&w, 5);
    size_t path_len = path_read(&w, path);
    bool ascends = at == 0 || index > entry->indices[at - 1];
    if (!wire_done(&w) || !ascends)
        return malformed(e, "excerpt view");
    enum err err = view_set_data(v, data, at, e);
    if (err == ERR_OK)
        err = leaves_fill(v, 1, &entry->leaves[at], e);
    if (err != ERR_OK)
        return err;
    entry->indices[at] = index;
    if (tree_verify(&entry->leaves[at], index, entry->header.view_count, path, path_len,
                    &entry->header.views_root, NULL) != ERR_OK)
        return error_set(e, ERR_VIEW_MISMATCH,
                         "excerpt: view %u of %u does not lead to the root in its header", index,
                         entry->header.view_count);
    return ERR_OK;
}

static enum err excerpt_views_read(struct wire *items, struct entry *entry, struct error *e) {
    for (size_t i = 0; i < entry->view_count; i++) {
        enum err err = excerpt_view_read(wire_bytes(items, 3), entry, i, e);
        if (err != ERR_OK)
            return err;
    }
    entry->leaves = NULL; /* only its own leaves were known */
    return ERR_OK;
}

typedef enum err read_items(struct wire *items, struct entry *entry, struct error *e);

static enum err parse_with(struct bytes in, const char *what, read_items *read, struct entry **ret,
                           struct error *e) {
    struct entry *entry = NULL;
    struct wire items;
    enum err err = envelope_read(in, what, &entry, &items, e);
    if (err != ERR_OK)
        return err;
    err = read(&items, entry, e);
    if (err != ERR_OK) {
        entry_free(entry);
        return err;
    }
    *ret = entry;
    return ERR_OK;
}

enum err entry_parse(struct bytes in, struct entry **ret, struct error *e) {
    return parse_with(in, "entry", parts_read, ret, e);
}

enum err excerpt_parse(struct bytes in, struct entry **ret, struct error *e) {
    return parse_with(in, "excerpt", excerpt_views_read, ret, e);
}

void entry_free(struct entry *entry) {
    free(entry);
}

enum err entry_verify(const struct entry *entry, const struct public_key *agent, struct error *e) {
    return verify_parts(agent, DOMAIN_ENTRY, &entry->header_bytes, 1, &entry->signature, e);
}
