/* Tests of trees: the known roots of the certificate transparency test data, and every path of
 * every small tree. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "flip.h"
#include "party.h"
#include "tree.h"

#define SMALL_TREES 70

static void setup(void) {
    struct error e;
    cr_assert_eq(keys_init(&e), ERR_OK);
}
TestSuite(tree, .init = setup);

static const struct bytes known_leaves[] = {
    {NULL, 0},
    {(const uint8_t *)"\x00", 1},
    {(const uint8_t *)"\x10", 1},
    {(const uint8_t *)"\x20\x21", 2},
    {(const uint8_t *)"\x30\x31", 2},
    {(const uint8_t *)"\x40\x41\x42\x43", 4},
    {(const uint8_t *)"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
    {(const uint8_t *)"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16},
};

static void known_hashes(struct hash out[static 8]) {
    for (int i = 0; i < 8; i++)
        out[i] = tree_leaf_hash(known_leaves[i]);
}

static void expect_hash(const struct hash *h, const char *expected) {
    char hex[2 * HASH_LEN + 1];
    hex_encode(hex, bytes_of(h->b, HASH_LEN));
    cr_expect_str_eq(hex, expected);
}

Test(tree, known_roots) {
    static const char *const roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    struct hash leaves[8];
    known_hashes(leaves);
    for (size_t count = 0; count <= 8; count++) {
        struct hash root = tree_root(leaves, count);
        expect_hash(&root, roots[count]);
    }
}

Test(tree, known_paths) {
    struct hash leaves[8], path[TREE_MAX_PATH];
    known_hashes(leaves);
    cr_assert_eq(tree_path(leaves, 7, 5, path), 3);
    expect_hash(&path[0], "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
    expect_hash(&path[1], "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f");
    expect_hash(&path[2], "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    cr_assert_eq(tree_path(leaves, 7, 6, path), 2);
    expect_hash(&path[0], "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    expect_hash(&path[1], "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    cr_expect_eq(tree_path(leaves, 1, 0, path), 0);
}

static struct hash *number_leaves(size_t count) {
    struct hash *leaves = calloc(count, sizeof *leaves);
    cr_assert_not_null(leaves);
    for (size_t i = 0; i < count; i++) {
        uint8_t number[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        leaves[i] = tree_leaf_hash(bytes_of(number, sizeof number));
    }
    return leaves;
}

/* Everything near the truth but not the truth is refused. */
static void expect_only_truth(const struct hash *leaves, size_t count, size_t index) {
    struct hash path[TREE_MAX_PATH + 1] = {{{0}}};
    struct hash root = tree_root(leaves, count);
    size_t len = tree_path(leaves, count, index, path);
    struct error e;
    cr_assert_leq(len, TREE_MAX_PATH);
    cr_expect_eq(tree_verify(&leaves[index], index, count, path, len, &root, &e), ERR_OK,
                 "%zu of %zu: %s", index, count, e.detail);
    for (size_t other = 0; other <= count; other++)
        if (other != index)
            cr_expect_eq(tree_verify(&leaves[index], other, count, path, len, &root, &e),
                         ERR_VIEWS_ROOT);
    cr_expect_eq(tree_verify(&leaves[index], index, count, path, len + 1, &root, &e),
                 ERR_VIEWS_ROOT);
    if (len > 0)
        cr_expect_eq(tree_verify(&leaves[index], index, count, path, len - 1, &root, &e),
                     ERR_VIEWS_ROOT);
    struct hash wrong = leaves[index];
    wrong.b[0] ^= 1;
    cr_expect_eq(tree_verify(&wrong, index, count, path, len, &root, &e), ERR_VIEWS_ROOT);
    for (size_t i = 0; i < len; i++) {
        path[i].b[HASH_LEN - 1] ^= 0x80;
        cr_expect_eq(tree_verify(&leaves[index], index, count, path, len, &root, &e),
                     ERR_VIEWS_ROOT);
        path[i].b[HASH_LEN - 1] ^= 0x80;
    }
}

Test(tree, every_path_of_every_small_tree) {
    struct hash *leaves = number_leaves(SMALL_TREES);
    for (size_t count = 1; count <= SMALL_TREES; count++)
        for (size_t index = 0; index < count; index++)
            expect_only_truth(leaves, count, index);
    free(leaves);
}

Test(tree, the_largest_trees) {
    struct hash *leaves = number_leaves(TREE_MAX_LEAVES);
    struct error e;
    for (size_t count = TREE_MAX_LEAVES - 1; count <= TREE_MAX_LEAVES; count++) {
        size_t indices[] = {0, 1, count / 2, count - 2, count - 1};
        for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
            struct hash path[TREE_MAX_PATH];
            struct hash root = tree_root(leaves, count);
            size_t len = tree_path(leaves, count, indices[i], path);
            /* 4095 = 2048 + 1024 + ... + 1: its last leaf hangs one level higher. */
            cr_expect_eq(len, count == 4095 && indices[i] == 4094 ? 11 : 12);
            cr_expect_eq(tree_verify(&leaves[indices[i]], indices[i], count, path, len, &root, &e),
                         ERR_OK);
        }
    }
    free(leaves);
}

Test(tree, impossible_places_are_refused) {
    struct hash leaves[8];
    struct error e;
    known_hashes(leaves);
    cr_expect_eq(tree_verify(&leaves[0], 0, 0, NULL, 0, &leaves[0], &e), ERR_VIEWS_ROOT);
    cr_expect_eq(tree_verify(&leaves[0], 1, 1, NULL, 0, &leaves[0], &e), ERR_VIEWS_ROOT);
    cr_expect_eq(tree_verify(&leaves[0], 0, TREE_MAX_LEAVES + 1, leaves, 8, &leaves[0], &e),
                 ERR_VIEWS_ROOT);
    cr_expect_eq(tree_verify(&leaves[0], SIZE_MAX, SIZE_MAX, leaves, 8, &leaves[0], &e),
                 ERR_VIEWS_ROOT);
    cr_expect_eq(tree_verify(&leaves[0], 0, 1, NULL, 0, &leaves[0], &e), ERR_OK);
}

/* The path is right for a tree of two, but the header says that there is one view. */
Test(tree, a_path_longer_than_the_tree_is_refused) {
    struct hash leaves[8];
    struct error e;
    known_hashes(leaves);
    struct hash root = tree_root(leaves, 2);
    cr_expect_eq(tree_verify(&leaves[1], 1, 2, &leaves[0], 1, &root, &e), ERR_OK);
    cr_expect_eq(tree_verify(&leaves[1], 0, 1, &leaves[0], 1, &root, &e), ERR_VIEWS_ROOT);
}

/* A node's hash must not pass for a leaf's: the prefixes differ. */
Test(tree, a_node_is_not_a_leaf) {
    struct hash leaves[8];
    known_hashes(leaves);
    uint8_t pair[2 * HASH_LEN];
    memcpy(pair, leaves[0].b, HASH_LEN);
    memcpy(pair + HASH_LEN, leaves[1].b, HASH_LEN);
    struct hash root = tree_root(leaves, 2);
    struct hash leaf = tree_leaf_hash(bytes_of(pair, sizeof pair));
    cr_expect_not(hash_equal(&root, &leaf));
}

struct flipped {
    const struct hash *leaves;
    size_t count;
};

static void expect_other_root(struct bytes damaged, size_t at, void *ctx) {
    const struct flipped *f = ctx;
    struct hash root = tree_root(f->leaves, f->count), other;
    struct hash leaves[8];
    memcpy(leaves, damaged.data, damaged.len);
    other = tree_root(leaves, f->count);
    cr_expect_not(hash_equal(&root, &other), "bit %zu", at);
}

Test(tree, every_bit_of_the_leaves_counts) {
    struct hash leaves[8];
    known_hashes(leaves);
    struct flipped f = {leaves, 7};
    cr_expect_eq(flip_each_bit(bytes_of(leaves, 7 * HASH_LEN), expect_other_root, &f),
                 7 * HASH_LEN * 8);
}
