/* Fuzzes trees of RFC 6962: every path that is made leads to the root, and a changed path, leaf,
 * index or count does not. */
#include <string.h>

#include "fuzz.h"
#include "tree.h"

#define MAX_LEAVES 300

static bool leads(const struct hash *leaf, size_t index, size_t count, const struct hash *path,
                  size_t len, const struct hash *root) {
    struct error e = {0};
    return fuzz_accepted(tree_verify(leaf, index, count, path, len, root, &e), &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    static struct hash leaves[MAX_LEAVES];
    size_t count = 1 + (size_t)fuzz_below(&in, MAX_LEAVES);
    size_t index = (size_t)fuzz_below(&in, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = i;
        leaves[i] = tree_leaf_hash(bytes_of(&number, sizeof number));
    }
    struct hash root = tree_root(leaves, count), path[TREE_MAX_PATH + 1];
    size_t len = tree_path(leaves, count, index, path);
    FUZZ_CHECK(len <= TREE_MAX_PATH);
    FUZZ_CHECK(leads(&leaves[index], index, count, path, len, &root));
    /* another place in a tree of another size, and any path at all */
    uint64_t other = fuzz_number(&in), size_said = fuzz_number(&in);
    size_t used = (size_t)fuzz_below(&in, TREE_MAX_PATH + 2);
    struct bytes change = fuzz_piece(&in);
    size_t room = sizeof path < change.len ? sizeof path : change.len;
    bool changed =
        room > 0 && memcmp(path, change.data, room < len * HASH_LEN ? room : len * HASH_LEN) != 0;
    bool found = leads(&leaves[index], (size_t)other, count, path, len, &root);
    FUZZ_CHECK(found == (other == index));
    (void)leads(&leaves[index], index, (size_t)size_said, path, len, &root);
    if (room > 0)
        memcpy(path, change.data, room);
    found = leads(&leaves[index], index, count, path, used <= TREE_MAX_PATH ? used : len, &root);
    FUZZ_CHECK(!found || !changed);
    return 0;
}
