/* Owns the one thing threads share: an immutable, reference-counted run of bytes. */
#include "blob.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct blob {
    atomic_size_t owners;
    uint8_t *data;
    size_t len;
};

struct blob *blob_take(uint8_t *take_data, size_t len) {
    struct blob *b = (struct blob *)malloc(sizeof(*b));
    if (!b) {
        free(take_data);
        return NULL;
    }
    atomic_init(&b->owners, 1);
    b->data = take_data;
    b->len = take_data ? len : 0;
    return b;
}

struct blob *blob_take_buf(struct buf *b) {
    size_t len = 0;
    uint8_t *data = buf_take(b, &len);
    return blob_take(data, len);
}

struct blob *blob_new(struct bytes in) {
    if (in.len == 0) {
        return blob_take(NULL, 0);
    }
    uint8_t *copy = (uint8_t *)malloc(in.len);
    if (!copy) {
        return NULL;
    }
    memcpy(copy, in.data, in.len);
    return blob_take(copy, in.len);
}

struct blob *blob_ref(struct blob *b) {
    if (b) {
        /* Whoever adds an owner holds a share already, so nothing needs ordering here. */
        size_t before = atomic_fetch_add_explicit(&b->owners, 1, memory_order_relaxed);
        assert(before > 0);
        (void)before;
    }
    return b;
}

void blob_unref(struct blob *b) {
    if (!b) {
        return;
    }
    /* Release what this owner read, acquire what the others did, before the memory goes. */
    size_t before = atomic_fetch_sub_explicit(&b->owners, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        free(b->data);
        free(b);
    }
}

struct bytes blob_bytes(const struct blob *b) {
    return bytes_of(b->data, b->len);
}
