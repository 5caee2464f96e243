/* Tests of how much one address may ask. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "allowance.h"

static struct allowance *a;
static int64_t wait_ms;

static void setup(void) {
    a = allowance_new();
}
static void teardown(void) {
    allowance_free(a);
}
TestSuite(allowance, .init = setup, .fini = teardown);

/* How many it gets at this moment. */
static int take_all(const char *address, int64_t now_ms) {
    int n = 0;
    while (n < 10 * ALLOWANCE_BURST && allowance_take(a, address, now_ms, &wait_ms))
        n++;
    return n;
}

Test(allowance, a_burst_and_then_a_rate) {
    cr_assert_eq(take_all("192.0.2.1", 5000), ALLOWANCE_BURST);
    cr_assert_eq(wait_ms, 1000 / ALLOWANCE_RATE);
    cr_assert_eq(take_all("192.0.2.1", 6000), ALLOWANCE_RATE);
    cr_assert_eq(take_all("192.0.2.1", 6000 + wait_ms), 1);
    cr_assert_eq(take_all("192.0.2.1", 10000000), ALLOWANCE_BURST);
}

Test(allowance, addresses_do_not_share) {
    cr_assert_eq(take_all("192.0.2.1", 0), ALLOWANCE_BURST);
    cr_assert_eq(take_all("192.0.2.2", 0), ALLOWANCE_BURST);
    cr_assert_eq(take_all("192.0.2.1", 0), 0);
}

Test(allowance, a_clock_set_back_gives_nothing_and_takes_nothing) {
    cr_assert_eq(take_all("192.0.2.1", 100000), ALLOWANCE_BURST);
    cr_assert_eq(take_all("192.0.2.1", 1000), 0);
    cr_assert_eq(take_all("192.0.2.1", 2000), ALLOWANCE_RATE);
}

/* Many addresses push out who asked longest ago, not who is asking now. */
Test(allowance, the_table_is_bounded) {
    char address[40];
    for (int i = 0; i < 3 * ALLOWANCE_ADDRESSES; i++) {
        snprintf(address, sizeof address, "10.0.%d.%d", i / 250, i % 250);
        cr_assert(allowance_take(a, address, i, &wait_ms));
        while (allowance_take(a, "192.0.2.1", i, &wait_ms))
            continue;
    }
    cr_assert_not(allowance_take(a, "192.0.2.1", 3 * ALLOWANCE_ADDRESSES - 1, &wait_ms));
}
