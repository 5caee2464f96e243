/* Tests of shared/ring.c. */
#include "ring.h"

#include <criterion/criterion.h>

Test(ring, first_in_first_out_across_growth_and_wrapping) {
    struct ring r;
    struct error e = {0};
    ring_init(&r, sizeof(int), 1000);
    int in = 0, out = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 11 + round % 3; i++, in++)
            cr_assert_eq(ring_push(&r, &in, &e), ERR_OK);
        for (int i = 0; i < 10; i++, out++) {
            int got = -1;
            cr_assert(ring_pop(&r, &got));
            cr_assert_eq(got, out);
        }
        cr_assert_eq(*(int *)ring_at(&r, 0), out);
        cr_assert_eq(*(int *)ring_at(&r, r.count - 1), in - 1);
        cr_assert_null(ring_at(&r, r.count));
    }
    ring_done(&r);
    cr_assert_eq(r.count, 0u);
}

Test(ring, refuses_more_than_its_cap_and_keeps_what_it_has) {
    struct ring r;
    struct error e = {0};
    ring_init(&r, sizeof(int), 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(ring_push(&r, &i, &e), ERR_OK);
    int more = 5, got = -1;
    cr_assert_eq(ring_push(&r, &more, &e), ERR_CAP);
    cr_assert(ring_pop(&r, &got));
    cr_assert_eq(got, 0);
    cr_assert_eq(ring_push(&r, &more, &e), ERR_OK);
    for (int i = 1; i <= 5; i++) {
        cr_assert(ring_pop(&r, &got));
        cr_assert_eq(got, i);
    }
    cr_assert_not(ring_pop(&r, &got));
    ring_done(&r);
}

Test(ring, gives_its_memory_back_when_it_runs_empty) {
    struct ring r;
    struct error e = {0};
    ring_init(&r, 100, 10);
    char item[100] = "x";
    cr_assert_eq(ring_push(&r, item, &e), ERR_OK);
    cr_assert_not_null(r.data);
    cr_assert(ring_pop(&r, NULL));
    cr_assert_null(r.data);
    cr_assert_eq(ring_push(&r, item, &e), ERR_OK);
    cr_assert_str_eq(ring_at(&r, 0), "x");
    ring_done(&r);
}
