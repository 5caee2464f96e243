/* Tests of the slowing down of those who fail. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "throttle.h"

static struct throttle *t;

static void setup(void) {
    t = throttle_new();
}
static void teardown(void) {
    throttle_free(t);
}
TestSuite(throttle, .init = setup, .fini = teardown);

static void count(const char *key, int times, int64_t now_ms) {
    for (int i = 0; i < times; i++)
        throttle_count(t, key, now_ms);
}

Test(throttle, a_few_failures_cost_nothing_and_more_cost_ever_more) {
    count("user:balie", THROTTLE_FREE, 1000);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 1000), 0);
    count("user:balie", 1, 1000);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 1000), THROTTLE_FIRST_MS);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 1000 + THROTTLE_FIRST_MS), 0);
    count("user:balie", 1, 1000);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 1000), 2 * THROTTLE_FIRST_MS);
    count("user:balie", 100, 1000);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 1000), THROTTLE_MOST_MS);
    cr_assert_eq(throttle_wait_ms(t, "user:piet", 1000), 0);
}

Test(throttle, success_and_time_forget) {
    count("user:balie", 10, 0);
    throttle_clear(t, "user:balie");
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 0), 0);
    count("user:balie", 10, 0);
    cr_assert_gt(throttle_wait_ms(t, "user:balie", 1), 0);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", THROTTLE_FORGET_MS), 0);
    count("user:balie", 1, THROTTLE_FORGET_MS);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", THROTTLE_FORGET_MS), 0);
}

Test(throttle, a_clock_set_back_keeps_nobody_out_for_longer) {
    count("user:balie", 100, 1000000000);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 5), THROTTLE_MOST_MS);
    cr_assert_eq(throttle_wait_ms(t, "user:balie", 5 + THROTTLE_MOST_MS), 0);
}

Test(throttle, the_table_is_bounded_and_keeps_the_worst) {
    char key[40];
    count("user:balie", 12, 0);
    for (int i = 0; i < 3 * THROTTLE_MAX; i++) {
        snprintf(key, sizeof key, "at:%d", i);
        count(key, 1, i);
    }
    cr_assert_gt(throttle_wait_ms(t, "user:balie", 1), 0);
}

/* A name that is longer than a key must not become another's, or nobody's. */
Test(throttle, long_keys_are_cut_and_still_counted) {
    char key[THROTTLE_KEY_MAX + 50];
    for (size_t i = 0; i < sizeof key - 1; i++)
        key[i] = 'x';
    key[sizeof key - 1] = '\0';
    count(key, 12, 0);
    cr_assert_gt(throttle_wait_ms(t, key, 0), 0);
}
