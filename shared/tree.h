/* Owns Merkle trees over short lists: root, inclusion path, and their check.
 * Source: RFC 6962 section 2.1 (SHA-256). */
#ifndef PLEK_TREE_H
#define PLEK_TREE_H

#include "keys.h"

#define TREE_MAX_LEAVES 4096
#define TREE_MAX_PATH 12

struct hash tree_leaf_hash(struct bytes leaf);
/* Root over `count` leaf hashes; of none: SHA-256 of nothing. */
struct hash tree_root(const struct hash *leaves, size_t count);
/* The path of leaf `index`, nearest sibling first; returns its length (<= TREE_MAX_PATH). */
size_t tree_path(const struct hash *leaves, size_t count, size_t index,
                 struct hash ret[static TREE_MAX_PATH]);
/* ERR_VIEWS_ROOT unless the path of that length leads from leaf to root. */
enum err tree_verify(const struct hash *leaf, size_t index, size_t count, const struct hash *path,
                     size_t path_len, const struct hash *root, struct error *e) MUST_USE;

#endif
