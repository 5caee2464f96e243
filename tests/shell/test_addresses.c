/* Tests of the counts per address, against a plain array as model. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "addresses.h"
#include "keys.h"

#define ADDRESSES 5000 /* more than there are buckets: chains are walked */
#define STEPS 50000

static void setup(void) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
}

TestSuite(addresses, .init = setup);

Test(addresses, an_unknown_address_counts_nothing_and_a_removed_one_again) {
    struct addresses *a = addresses_new();
    cr_assert_not_null(a);
    cr_assert_eq(addresses_count(a, "192.0.2.1"), 0u);
    cr_assert(addresses_add(a, "192.0.2.1"));
    cr_assert(addresses_add(a, "192.0.2.1"));
    cr_assert(addresses_add(a, "::ffff:192.0.2.1"));
    cr_assert(addresses_add(a, "2001:db8:1:2::3"));
    cr_assert_eq(addresses_count(a, "192.0.2.1"), 3u);
    cr_assert_eq(addresses_count(a, "2001:db8:1:2::4"), 1u, "of the same network");
    cr_assert_eq(addresses_count(a, "2001:db8:1:3::3"), 0u);
    addresses_remove(a, "192.0.2.1");
    addresses_remove(a, "::ffff:192.0.2.1");
    addresses_remove(a, "192.0.2.1");
    cr_assert_eq(addresses_count(a, "192.0.2.1"), 0u);
    addresses_remove(a, "2001:db8:1:2::5");
    cr_assert_eq(addresses_count(a, "2001:db8:1:2::3"), 0u);
    addresses_free(a);
    addresses_free(NULL);
}

Test(addresses, agrees_with_a_model_over_many_comings_and_goings) {
    static size_t model[ADDRESSES];
    struct addresses *a = addresses_new();
    char text[ADDRESS_TEXT_MAX];
    srandom(7);
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)random() % ADDRESSES;
        snprintf(text, sizeof text, "2001:db8:0:%zx::1", i);
        cr_assert_eq(addresses_count(a, text), model[i], "step %d, address %s", step, text);
        if (model[i] > 0 && random() % 2 == 0) {
            addresses_remove(a, text);
            model[i]--;
        } else {
            cr_assert(addresses_add(a, text));
            model[i]++;
        }
    }
    for (size_t i = 0; i < ADDRESSES; i++) {
        snprintf(text, sizeof text, "2001:db8:0:%zx::1", i);
        cr_assert_eq(addresses_count(a, text), model[i], "address %s", text);
    }
    addresses_free(a);
}
