/* Tests the shared blob: copies, ownership, and counting from several threads. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"

Test(blob, copies_what_it_is_given) {
    char text[] = "hello";
    struct blob *b = blob_new(bytes_str(text));
    memset(text, 'x', sizeof(text) - 1);
    cr_assert(bytes_equal(blob_bytes(b), bytes_str("hello")));
    blob_unref(b);
}

Test(blob, takes_over_the_heap_memory_of_a_buffer) {
    struct buf buf = {.max = 100};
    buf_append_str(&buf, "content");
    size_t len = 0;
    uint8_t *data = buf_take(&buf, &len);
    struct blob *b = blob_take(data, len);
    cr_assert_eq(blob_bytes(b).data, data);
    cr_assert(bytes_equal(blob_bytes(b), bytes_str("content")));
    blob_unref(b);
}

Test(blob, may_be_empty) {
    struct blob *b = blob_new(bytes_of(NULL, 0));
    cr_assert_not_null(b);
    cr_assert_eq(blob_bytes(b).len, 0);
    blob_unref(b);
    b = blob_take(NULL, 0);
    cr_assert_not_null(b);
    cr_assert_eq(blob_bytes(b).len, 0);
    blob_unref(b);
}

Test(blob, null_is_nobody) {
    cr_assert_null(blob_ref(NULL));
    blob_unref(NULL);
}

Test(blob, lives_until_the_last_owner_goes) {
    struct blob *b = blob_new(bytes_str("kept"));
    cr_assert_eq(blob_ref(b), b);
    cr_assert_eq(blob_ref(b), b);
    blob_unref(b);
    blob_unref(b);
    cr_assert(bytes_equal(blob_bytes(b), bytes_str("kept")));
    blob_unref(b);
}

#define THREADS 8
#define ROUNDS 20000

static void *share(void *arg) {
    struct blob *b = (struct blob *)arg;
    size_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct blob *mine = blob_ref(b);
        wrong += bytes_equal(blob_bytes(mine), bytes_str("shared")) ? 0 : 1;
        blob_unref(mine);
    }
    blob_unref(b); /* the share that was made for this thread */
    return wrong == 0 ? NULL : arg;
}

/* A lost count shows as a use after free or a leak under AddressSanitizer. */
Test(blob, counts_across_threads) {
    struct blob *b = blob_new(bytes_str("shared"));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, share, blob_ref(b)), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        cr_assert_eq(pthread_join(threads[i], &failed), 0);
        cr_assert_null(failed);
    }
    cr_assert(bytes_equal(blob_bytes(b), bytes_str("shared")));
    blob_unref(b);
}
