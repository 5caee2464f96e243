/* Owns Merkle trees over short lists of leaf hashes (RFC 6962, section 2.1).
 * Must not know what a leaf stands for. */
#include "tree.h"

#include <assert.h>
#include <sodium.h>

struct hash tree_leaf_hash(struct bytes leaf) {
    static const uint8_t prefix = 0x00;
    crypto_hash_sha256_state state;
    struct hash h;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &prefix, 1);
    crypto_hash_sha256_update(&state, leaf.data, leaf.len);
    crypto_hash_sha256_final(&state, h.b);
    return h;
}

static struct hash node_hash(const struct hash *left, const struct hash *right) {
    static const uint8_t prefix = 0x01;
    crypto_hash_sha256_state state;
    struct hash h;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &prefix, 1);
    crypto_hash_sha256_update(&state, left->b, HASH_LEN);
    crypto_hash_sha256_update(&state, right->b, HASH_LEN);
    crypto_hash_sha256_final(&state, h.b);
    return h;
}

struct hash tree_root(const struct hash *leaves, size_t count) {
    assert(count <= TREE_MAX_LEAVES);
    if (count == 0)
        return hash_sha256(bytes_of(NULL, 0));
    struct hash subtrees[TREE_MAX_PATH]; /* complete ones, the largest first: a bit of count each */
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        struct hash h = leaves[i];
        for (size_t n = i; n & 1; n >>= 1)
            h = node_hash(&subtrees[--held], &h);
        subtrees[held++] = h;
    }
    while (held > 1) {
        subtrees[held - 2] = node_hash(&subtrees[held - 2], &subtrees[held - 1]);
        held--;
    }
    return subtrees[0];
}

size_t tree_path(const struct hash *leaves, size_t count, size_t index,
                 struct hash ret[static TREE_MAX_PATH]) {
    assert(count <= TREE_MAX_LEAVES && index < count);
    struct hash from_top[TREE_MAX_PATH];
    size_t len = 0;
    while (count > 1) {
        size_t split = 1; /* the largest power of two below count */
        while (split * 2 < count)
            split *= 2;
        if (index < split) {
            from_top[len++] = tree_root(leaves + split, count - split);
            count = split;
        } else {
            from_top[len++] = tree_root(leaves, split);
            leaves += split;
            count -= split;
            index -= split;
        }
    }
    for (size_t i = 0; i < len; i++)
        ret[i] = from_top[len - 1 - i];
    return len;
}

enum err tree_verify(const struct hash *leaf, size_t index, size_t count, const struct hash *path,
                     size_t path_len, const struct hash *root, struct error *e) {
    if (count > TREE_MAX_LEAVES || index >= count)
        return error_set(e, ERR_VIEWS_ROOT, "found leaf %zu of %zu, expected an index below %d",
                         index, count, TREE_MAX_LEAVES);
    struct hash h = *leaf;
    size_t at = index, last = count - 1;
    for (size_t i = 0; i < path_len; i++) {
        if (last == 0)
            return error_set(e, ERR_VIEWS_ROOT, "found a path of %zu hashes, expected %zu",
                             path_len, i);
        if (at & 1 || at == last) {
            h = node_hash(&path[i], &h);
            for (; (at & 1) == 0 && at != 0; at >>= 1)
                last >>= 1; /* levels at which this subtree has no sibling */
        } else {
            h = node_hash(&h, &path[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    if (last != 0)
        return error_set(e, ERR_VIEWS_ROOT, "found a path of %zu hashes, too short for %zu leaves",
                         path_len, count);
    if (!hash_equal(&h, root))
        return error_set(e, ERR_VIEWS_ROOT, "the path of leaf %zu of %zu does not lead to the root",
                         index, count);
    return ERR_OK;
}
