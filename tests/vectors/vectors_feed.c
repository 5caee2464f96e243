/* Implements the vectors of trees, entries, excerpts and audience keys. What a client needs to see
 * half-way (leaves, AAD, derived keys) is made here from the definition, not taken from the code
 * that is under test, and the two are compared. */
#include <sodium.h>
#include <string.h>

#include "audience.h"
#include "codec.h"
#include "plek.pb-c.h"
#include "tree.h"
#include "vectors.h"

#define MAX_ITEMS 16

static void must(bool holds, const char *what) {
    vector_check(holds ? ERR_OK : ERR_INTERNAL, NULL, what);
}

/* ---- tree ---- */

static json_t *paths_of(const struct hash *leaves, size_t count) {
    json_t *paths = json_array();
    for (size_t i = 0; i < count; i++) {
        struct hash path[TREE_MAX_PATH];
        size_t len = tree_path(leaves, count, i, path);
        json_t *hashes = json_array();
        for (size_t n = 0; n < len; n++)
            json_array_append_new(hashes, vector_hex(bytes_of(path[n].b, HASH_LEN)));
        json_array_append_new(paths, hashes);
    }
    return paths;
}

json_t *vector_tree(const json_t *in) {
    const json_t *items = vector_get_member(in, "leaves");
    size_t count = json_array_size(items);
    struct hash leaves[MAX_ITEMS];
    json_t *out = json_object(), *hashes = json_array(), *roots = json_array();
    must(count <= MAX_ITEMS, "leaves");
    for (size_t i = 0; i < count; i++) {
        struct buf leaf = vector_buf_of(json_array_get(items, i));
        leaves[i] = tree_leaf_hash(buf_bytes(&leaf));
        json_array_append_new(hashes, vector_hex(bytes_of(leaves[i].b, HASH_LEN)));
        buf_done(&leaf);
    }
    for (size_t n = 0; n <= count; n++) {
        struct hash root = tree_root(leaves, n);
        json_array_append_new(roots, vector_hex(bytes_of(root.b, HASH_LEN)));
    }
    json_object_set_new(out, "leaf_hashes", hashes);
    json_object_set_new(out, "roots_of_the_first_n", roots);
    json_object_set_new(out, "paths_in_all", paths_of(leaves, count));
    return out;
}

/* ---- entry ---- */

struct entry_inputs {
    struct header header;
    struct sign_pair agent;
    struct buf checkpoint;
    struct view views[MAX_ITEMS];
    struct buf data[MAX_ITEMS];
    size_t count;
};

static struct head head_of(const json_t *in) {
    struct head head = {.incarnation = (uint64_t)vector_get_int(in, "incarnation"),
                        .seq = (uint64_t)vector_get_int(in, "seq")};
    vector_get(in, "hash", head.hash.b, HASH_LEN);
    return head;
}

static void view_of(const json_t *in, struct view *ret, struct buf *ret_data) {
    struct buf target = vector_get_buf(in, "target");
    *ret_data = vector_get_buf(in, "data");
    must(target.len == 16 || target.len == 32, "target");
    ret->target.len = target.len;
    memcpy(ret->target.b, target.data, target.len);
    ret->kind = (uint32_t)vector_get_int(in, "kind");
    vector_get(in, "key_id", ret->key_id.b, HASH_LEN);
    ret->data = buf_bytes(ret_data);
    buf_done(&target);
}

static void entry_inputs_read(const json_t *in, struct entry_inputs *ret) {
    const json_t *views = vector_get_member(in, "views");
    memset(ret, 0, sizeof *ret);
    ret->agent = vector_get_sign_pair(in, "agent_seed");
    ret->checkpoint = vector_get_buf(in, "checkpoint");
    ret->count = json_array_size(views);
    must(ret->count <= MAX_ITEMS, "views");
    ret->header = (struct header){
        .network = vector_get_sign_pair(in, "hub_seed").pub,
        .member = vector_get_sign_pair(in, "member_seed").pub,
        .agent = ret->agent.pub,
        .incarnation = (uint64_t)vector_get_int(in, "incarnation"),
        .seq = (uint64_t)vector_get_int(in, "seq"),
        .claimed_ms = vector_get_int(in, "claimed_ms"),
        .kind = (uint32_t)vector_get_int(in, "kind"),
        .has_hub_head = true,
        .hub_head = head_of(vector_get_member(in, "hub_head")),
        .checkpoint = buf_bytes(&ret->checkpoint),
    };
    vector_get(in, "prev", ret->header.prev.b, HASH_LEN);
    for (size_t i = 0; i < ret->count; i++)
        view_of(json_array_get(views, i), &ret->views[i], &ret->data[i]);
}

static void entry_inputs_done(struct entry_inputs *i) {
    buf_done(&i->checkpoint);
    for (size_t n = 0; n < i->count; n++)
        buf_done(&i->data[n]);
}

/* The bytes a leaf hash covers, by the general codec. */
static json_t *leaves_of(const struct entry_inputs *inputs, struct hash ret_hashes[MAX_ITEMS]) {
    json_t *leaves = json_array();
    for (size_t i = 0; i < inputs->count; i++) {
        const struct view *v = &inputs->views[i];
        struct hash hash = hash_sha256(v->data);
        Plek__Leaf leaf = PLEK__LEAF__INIT;
        struct buf bytes;
        leaf.target = codec_binary(bytes_of(v->target.b, v->target.len));
        leaf.kind = v->kind;
        leaf.key_id = codec_binary(bytes_of(v->key_id.b, HASH_LEN));
        leaf.length = (uint32_t)v->data.len;
        leaf.hash = codec_binary(bytes_of(hash.b, HASH_LEN));
        buf_init(&bytes, 256);
        codec_encode(&leaf, &bytes);
        ret_hashes[i] = tree_leaf_hash(buf_bytes(&bytes));
        json_array_append_new(leaves, vector_hex(buf_bytes(&bytes)));
        buf_done(&bytes);
    }
    return leaves;
}

static void put_excerpt(json_t *out, const json_t *in, const struct entry *entry) {
    const json_t *choice = vector_get_member(in, "excerpt");
    uint32_t which[MAX_ITEMS];
    size_t count = json_array_size(choice);
    struct buf bytes;
    struct error e = {0};
    must(count <= MAX_ITEMS, "excerpt");
    for (size_t i = 0; i < count; i++)
        which[i] = (uint32_t)json_integer_value(json_array_get(choice, i));
    buf_init(&bytes, ENTRY_MAX_BYTES);
    vector_check(entry_excerpt(entry, which, count, &bytes, &e), &e, "excerpt");
    vector_put(out, "excerpt", buf_bytes(&bytes));
    buf_done(&bytes);
}

static void put_pruned(json_t *out, const json_t *in, const struct entry *entry) {
    const json_t *kept = vector_get_member(in, "kept");
    bool keep[MAX_ITEMS] = {false};
    struct buf bytes;
    struct error e = {0};
    for (size_t i = 0; i < json_array_size(kept); i++)
        keep[json_integer_value(json_array_get(kept, i)) % MAX_ITEMS] = true;
    buf_init(&bytes, ENTRY_MAX_BYTES);
    vector_check(entry_encode(entry, keep, &bytes, &e), &e, "pruned entry");
    vector_put(out, "pruned_entry", buf_bytes(&bytes));
    buf_done(&bytes);
}

json_t *vector_entry(const json_t *in) {
    struct entry_inputs inputs;
    struct hash leaves[MAX_ITEMS];
    struct buf bytes;
    struct entry *entry = NULL;
    struct error e = {0};
    json_t *out = json_object();
    entry_inputs_read(in, &inputs);
    buf_init(&bytes, ENTRY_MAX_BYTES);
    vector_check(
        entry_build(&inputs.header, inputs.views, inputs.count, &inputs.agent, &bytes, NULL, &e),
        &e, "entry");
    vector_check(entry_parse(buf_bytes(&bytes), &entry, &e), &e, "entry");
    json_object_set_new(out, "leaves", leaves_of(&inputs, leaves));
    struct hash root = tree_root(leaves, inputs.count);
    must(hash_equal(&root, &entry->header.views_root), "views_root");
    vector_put(out, "views_root", bytes_of(root.b, HASH_LEN));
    vector_put(out, "header", entry->header_bytes);
    vector_put(out, "header_hash", bytes_of(entry->hash.b, HASH_LEN));
    vector_put(out, "signature", bytes_of(entry->signature.b, SIGNATURE_LEN));
    vector_put(out, "entry", buf_bytes(&bytes));
    put_pruned(out, in, entry);
    put_excerpt(out, in, entry);
    entry_free(entry);
    entry_inputs_done(&inputs);
    buf_done(&bytes);
    return out;
}

/* ---- audience keys ---- */

struct audience_inputs {
    struct audience_ctx ctx;
    struct audience_key key;
    uint64_t incarnation, seq;
    uint32_t kind;
    struct buf plain;
    uint8_t nonce[VIEW_NONCE_LEN];
};

static struct audience_inputs audience_inputs_read(const json_t *in) {
    struct audience_inputs a = {
        .ctx = {.network = vector_get_sign_pair(in, "hub_seed").pub,
                .member = vector_get_sign_pair(in, "member_seed").pub,
                .agent = vector_get_sign_pair(in, "agent_seed").pub},
        .incarnation = (uint64_t)vector_get_int(in, "incarnation"),
        .seq = (uint64_t)vector_get_int(in, "seq"),
        .kind = (uint32_t)vector_get_int(in, "view_kind"),
        .plain = vector_get_buf(in, "view_plaintext"),
    };
    vector_get(in, "audience", a.ctx.audience, AUDIENCE_ID_LEN);
    vector_get(in, "key", a.key.b, AUDIENCE_KEY_LEN);
    vector_get(in, "view_nonce", a.nonce, VIEW_NONCE_LEN);
    return a;
}

static struct buf ctx_bytes(const struct audience_ctx *ctx, const char *label) {
    struct buf b;
    buf_init(&b, 1024);
    buf_append_str(&b, label);
    buf_append(&b, ctx->network.b, KEY_LEN);
    buf_append(&b, ctx->member.b, KEY_LEN);
    buf_append(&b, ctx->agent.b, KEY_LEN);
    buf_append(&b, ctx->audience, AUDIENCE_ID_LEN);
    return b;
}

static struct hash put_key_id(json_t *out, const struct audience_inputs *a) {
    struct buf b = ctx_bytes(&a->ctx, "plek/1/key-id");
    buf_append(&b, a->key.b, AUDIENCE_KEY_LEN);
    struct hash by_definition = hash_blake2b(buf_bytes(&b));
    struct hash id = audience_key_id(&a->ctx, &a->key);
    must(hash_equal(&id, &by_definition), "key_id");
    vector_put(out, "key_id", bytes_of(id.b, HASH_LEN));
    buf_done(&b);
    return id;
}

static void put_grant(json_t *out, const json_t *in, const struct audience_inputs *a) {
    struct box_pair recipient = vector_get_box_pair(in, "recipient_box_seed");
    struct box_pair ephemeral = vector_get_box_pair(in, "grant_ephemeral_seed");
    Plek__Grant grant = PLEK__GRANT__INIT;
    struct buf plain, sealed;
    struct error e = {0};
    uint8_t seed[SEED_LEN], opened[GRANT_MAX_BYTES];
    vector_get(in, "grant_ephemeral_seed", seed, sizeof seed);
    grant.audience = codec_binary(bytes_of(a->ctx.audience, AUDIENCE_ID_LEN));
    grant.key = codec_binary(bytes_of(a->key.b, AUDIENCE_KEY_LEN));
    buf_init(&plain, GRANT_MAX_BYTES);
    buf_init(&sealed, GRANT_MAX_BYTES);
    codec_encode(&grant, &plain);
    vector_check(grant_seal(&a->ctx, &a->key, &recipient.pub, seed, &sealed, &e), &e, "grant");
    must(crypto_box_seal_open(opened, sealed.data, sealed.len, recipient.pub.b, recipient.secret) ==
             0,
         "grant as a sealed box");
    must(memcmp(opened, plain.data, plain.len) == 0, "grant plaintext");
    vector_put(out, "recipient_box", bytes_of(recipient.pub.b, KEY_LEN));
    vector_put(out, "grant_ephemeral", bytes_of(ephemeral.pub.b, KEY_LEN));
    vector_put(out, "grant_plaintext", buf_bytes(&plain));
    vector_put(out, "grant", buf_bytes(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
}

static void put_view(json_t *out, const struct audience_inputs *a, const struct hash *key_id) {
    uint8_t key[32], opened[VIEW_MAX_BYTES];
    unsigned long long opened_len = 0;
    struct buf aad = ctx_bytes(&a->ctx, ""), sealed;
    struct error e = {0};
    buf_append_u64be(&aad, a->incarnation);
    buf_append_u64be(&aad, a->seq);
    buf_append_u32be(&aad, a->kind);
    buf_append(&aad, key_id->b, HASH_LEN);
    crypto_generichash(key, sizeof key, (const uint8_t *)"plek/1/view", strlen("plek/1/view"),
                       a->key.b, AUDIENCE_KEY_LEN);
    buf_init(&sealed, VIEW_MAX_BYTES);
    vector_check(view_seal(&a->ctx, &a->key, a->incarnation, a->seq, a->kind, buf_bytes(&a->plain),
                           a->nonce, &sealed, &e),
                 &e, "view");
    must(crypto_aead_xchacha20poly1305_ietf_decrypt(
             opened, &opened_len, NULL, sealed.data + VIEW_NONCE_LEN, sealed.len - VIEW_NONCE_LEN,
             aad.data, aad.len, a->nonce, key) == 0,
         "view under the derived key and AAD");
    vector_put(out, "view_key", bytes_of(key, sizeof key));
    vector_put(out, "view_aad", buf_bytes(&aad));
    vector_put(out, "view_padded", bytes_of(opened, (size_t)opened_len));
    vector_put(out, "view", buf_bytes(&sealed));
    buf_done(&aad);
    buf_done(&sealed);
}

json_t *vector_audience(const json_t *in) {
    struct audience_inputs a = audience_inputs_read(in);
    json_t *out = json_object();
    struct hash key_id = put_key_id(out, &a);
    put_grant(out, in, &a);
    put_view(out, &a, &key_id);
    buf_done(&a.plain);
    return out;
}
