/* Tests of the map from agents to connections, against a plain list as model. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "registry.h"

#define KEYS 500
#define STEPS 20000

static struct public_key key_of(unsigned i) {
    struct public_key key;
    memset(&key, 0, sizeof key);
    memcpy(key.b, &i, sizeof i);
    return key;
}

static void setup(void) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
}

TestSuite(registry, .init = setup);

Test(registry, put_gives_what_stood_there_before) {
    struct registry *r = registry_new();
    struct public_key key = key_of(1);
    int a = 0, b = 0;
    bool failed = true;
    cr_assert_null(registry_get(r, &key));
    cr_assert_null(registry_put(r, &key, &a, &failed));
    cr_assert_not(failed);
    cr_assert_eq(registry_put(r, &key, &b, &failed), &a);
    cr_assert_eq(registry_get(r, &key), &b);
    cr_assert_eq(registry_count(r), 1);
    registry_free(r);
    registry_free(NULL);
}

/* The older session ends after the newer took its place: the newer stays reachable. */
Test(registry, only_the_current_connection_removes_itself) {
    struct registry *r = registry_new();
    struct public_key key = key_of(7);
    int older = 0, newer = 0;
    bool failed = false;
    registry_remove(r, &key, &older);
    registry_put(r, &key, &older, &failed);
    registry_put(r, &key, &newer, &failed);
    registry_remove(r, &key, &older);
    cr_assert_eq(registry_get(r, &key), &newer);
    registry_remove(r, &key, &newer);
    cr_assert_null(registry_get(r, &key));
    registry_remove(r, &key, NULL);
    cr_assert_eq(registry_count(r), 0);
    registry_free(r);
}

static void compare(const struct registry *r, void *const *model) {
    size_t count = 0, visited = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        struct public_key key = key_of(i);
        cr_assert_eq(registry_get(r, &key), model[i], "key %u", i);
        count += model[i] != NULL;
    }
    cr_assert_eq(registry_count(r), count);
    for (size_t i = 0; registry_each(r, &i);)
        visited++;
    cr_assert_eq(visited, count);
}

/* Removal moves slots; whatever the order, every key is found again. */
Test(registry, behaves_like_a_list_over_many_steps) {
    struct registry *r = registry_new();
    void *model[KEYS] = {NULL};
    static char connections[KEYS];
    unsigned state = 1;
    bool failed = false;
    for (int step = 0; step < STEPS; step++) {
        state = state * 1664525u + 1013904223u;
        unsigned i = (state >> 8) % KEYS;
        struct public_key key = key_of(i);
        if (state >> 31) {
            registry_put(r, &key, &connections[i], &failed);
            model[i] = &connections[i];
        } else {
            registry_remove(r, &key, &connections[i]);
            model[i] = NULL;
        }
        cr_assert_not(failed);
        if (step % 500 == 0)
            compare(r, model);
    }
    compare(r, model);
    registry_free(r);
}
