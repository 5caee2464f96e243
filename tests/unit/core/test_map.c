/* Tests the hash table: what was put in is found, nothing else is, through many growths. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"

static const uint8_t seed[MAP_SEED_LEN] = {1, 2, 3};

static struct bytes text_key(const void *item) {
    return bytes_str((const char *)item);
}

Test(map, an_empty_one_finds_nothing) {
    struct map m;
    map_init(&m, seed, text_key);
    cr_assert_null(map_get(&m, bytes_str("a")));
    map_done(&m);
    map_done(&m);
}

Test(map, finds_each_item_by_its_key_only) {
    enum { COUNT = 5000 };
    static char keys[COUNT][16];
    struct map m;
    map_init(&m, seed, text_key);
    for (size_t i = 0; i < COUNT; i++) {
        struct error e = {0};
        snprintf(keys[i], sizeof(keys[i]), "key %zu", i);
        cr_assert_eq(map_reserve(&m, &e), ERR_OK);
        map_put(&m, keys[i]);
    }
    cr_assert_eq(m.count, (size_t)COUNT);
    cr_assert_lt(m.count, m.cap);
    for (size_t i = 0; i < COUNT; i++) {
        char copy[16];
        memcpy(copy, keys[i], sizeof(copy));
        cr_assert_eq(map_get(&m, bytes_str(copy)), keys[i]);
        copy[0] = 'K';
        cr_assert_null(map_get(&m, bytes_str(copy)));
    }
    cr_assert_null(map_get(&m, bytes_of("key 10", 5 - 1)));
    map_done(&m);
}
