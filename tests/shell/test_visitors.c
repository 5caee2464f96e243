/* Tests of who makes room for whom among those connected, and of the counts against plain arrays as
 * model. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys.h"
#include "visitors.h"

#define PLACES 5000 /* more than there are buckets: chains are walked */
#define STEPS 50000

static void setup(void) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
}

TestSuite(visitors, .init = setup);

static struct visitors *make(size_t all, size_t each) {
    struct visitors *v = visitors_new(&(struct visitors_limits){.all = all, .each = each});
    cr_assert_not_null(v);
    return v;
}

static struct visitor *come(struct visitors *v, const char *address, const char *name) {
    struct visitor *made = visitors_come(v, address, (void *)(uintptr_t)name);
    cr_assert_not_null(made);
    return made;
}

/* Who has to go when one more comes from there; "none": nobody; "shut": there is no room. */
static const char *makes_room(struct visitors *v, const char *address) {
    void *leaves = NULL;
    if (!visitors_room(v, address, &leaves))
        return "shut";
    return leaves ? leaves : "none";
}

Test(visitors, the_longest_idle_of_a_full_place_makes_room) {
    struct visitors *v = make(10, 3);
    struct visitor *other = come(v, "192.0.2.9", "other");
    struct visitor *a = come(v, "192.0.2.1", "a");
    struct visitor *b = come(v, "::ffff:192.0.2.1", "b");
    cr_assert_str_eq(makes_room(v, "192.0.2.1"), "none");
    struct visitor *c = come(v, "192.0.2.1", "c");
    visitor_busy(a);
    visitor_idle(a);
    cr_assert_str_eq(makes_room(v, "192.0.2.1"), "b", "a was heard of since");
    struct visitor *d = come(v, "192.0.2.1", "d");
    visitor_busy(c);
    cr_assert_str_eq(makes_room(v, "192.0.2.1"), "a");
    visitor_leave(b);
    visitor_leave(a);
    visitor_busy(d);
    struct visitor *last = come(v, "192.0.2.1", "last");
    visitor_busy(last);
    cr_assert_str_eq(makes_room(v, "192.0.2.1"), "shut", "all of them ask for something");
    cr_assert_str_eq(makes_room(v, "192.0.2.2"), "none", "another place");
    struct visitor *all[] = {other, c, d, last, NULL};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        visitor_leave(all[i]);
    visitors_free(v);
    visitors_free(NULL);
}

Test(visitors, one_of_the_most_crowded_place_makes_room_for_others) {
    struct visitors *v = make(4, 4);
    struct visitor *all[4] = {come(v, "192.0.2.7", "alone"), come(v, "2001:db8:1:2::1", "first"),
                              come(v, "2001:db8:1:2::2", "second"),
                              come(v, "2001:db8:1:2::3", "third")};
    cr_assert_str_eq(makes_room(v, "192.0.2.8"), "first", "the network of three");
    visitor_idle(all[1]);
    visitor_busy(all[1]);
    cr_assert_str_eq(makes_room(v, "192.0.2.8"), "none", "it went and counts no longer");
    for (size_t i = 0; i < 4; i++)
        visitor_leave(all[i]);
    visitors_free(v);
}

Test(visitors, a_crowd_that_is_busy_does_not_drive_out_who_is_idle) {
    struct visitors *v = make(3, 3);
    struct visitor *crowd[2] = {come(v, "192.0.2.1", "one"), come(v, "192.0.2.1", "two")};
    visitor_busy(crowd[0]);
    visitor_busy(crowd[1]);
    struct visitor *alone = come(v, "192.0.2.7", "alone");
    cr_assert_str_eq(makes_room(v, "192.0.2.1"), "shut");
    cr_assert_str_eq(makes_room(v, "192.0.2.8"), "alone");
    visitor_leave(crowd[0]);
    visitor_leave(crowd[1]);
    visitor_leave(alone);
    visitors_free(v);
}

Test(visitors, who_stays_makes_no_room_and_takes_none) {
    struct visitors *v = make(2, 1);
    struct visitor *a = come(v, "192.0.2.1", "a");
    cr_assert(visitor_stay(a));
    cr_assert(visitor_stay(a), "it does already");
    cr_assert_str_eq(makes_room(v, "192.0.2.1"), "none");
    struct visitor *b = come(v, "192.0.2.1", "b");
    cr_assert_not(visitor_stay(b), "one of this place does");
    visitor_idle(a);
    cr_assert_str_eq(makes_room(v, "192.0.2.1"), "b");
    cr_assert_not(visitor_stay(b), "it made room");
    visitor_leave(a);
    struct visitor *c = come(v, "192.0.2.1", "c");
    cr_assert(visitor_stay(c));
    visitor_leave(b);
    visitor_leave(c);
    cr_assert(visitor_stay(NULL), "a listener without limits has no visitors");
    visitors_free(v);
}

Test(visitors, agree_with_a_model_over_many_comings_and_goings) {
    static struct visitor *there[PLACES][2];
    struct visitors *v = make(STEPS, 2);
    char text[ADDRESS_TEXT_MAX];
    srandom(7);
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)random() % PLACES, k = (size_t)random() % 2;
        snprintf(text, sizeof text, "2001:db8:0:%zx::1", i);
        if (there[i][k]) {
            visitor_leave(there[i][k]);
            there[i][k] = NULL;
        } else {
            there[i][k] = come(v, text, "x");
            visitor_busy(there[i][k]);
        }
        bool full = there[i][0] && there[i][1];
        cr_assert_str_eq(makes_room(v, text), full ? "shut" : "none", "step %d, %s", step, text);
    }
    for (size_t i = 0; i < PLACES; i++)
        for (size_t k = 0; k < 2; k++)
            visitor_leave(there[i][k]);
    visitors_free(v);
}
