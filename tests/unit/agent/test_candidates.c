/* Tests the order of lines before rows are written: keeping the best few gives what sorting all
 * and looking at the first few does. */
#include "candidates.h"
#include "unit/agent/agent_kit.h"

#define LINES 500

/* No two are equal in order. */
static struct candidate candidate(size_t n, const char *const members[static 3]) {
    return (struct candidate){.rank = {.room = (int64_t)(n * 7919 % 13), .status = (int)(n % 2)},
                              .member = members[n % 3],
                              .service = "bed",
                              .site = "",
                              .ward = "",
                              .line = (int64_t)n};
}

static void fill(struct candidates *c, size_t keep, bool worst_first) {
    static const char *const members[] = {"Noord", "Oost", "West"};
    struct error e = {0};
    char ward[16];
    candidates_init(c, keep);
    for (size_t i = 0; i < LINES; i++) {
        size_t n = worst_first ? LINES - 1 - i : i;
        struct candidate take = candidate(n, members);
        snprintf(ward, sizeof ward, "%04zu", n);
        take.ward = ward;
        KIT_OK(candidates_add(c, &take, &e));
    }
    candidates_sort(c);
}

Test(candidates, the_best_few_are_those_that_sorting_all_puts_first) {
    static const size_t keeps[] = {0, 1, 2, 7, 100, LINES - 1, LINES, LINES + 1};
    for (size_t i = 0; i < 2 * sizeof keeps / sizeof keeps[0]; i++) {
        struct candidates all, few;
        size_t keep = keeps[i / 2], expected = keep < LINES ? keep : LINES;
        fill(&all, SIZE_MAX, false);
        fill(&few, keep, i % 2 != 0);
        cr_assert_eq(all.count, LINES);
        cr_assert_eq(few.count, expected);
        cr_assert_eq(few.total, LINES);
        for (size_t k = 0; k < expected; k++)
            cr_assert_eq(few.list[k].line, all.list[k].line, "keep %zu: place %zu", keep, k);
        candidates_done(&all);
        candidates_done(&few);
    }
}

Test(candidates, no_more_are_held_than_twice_what_is_looked_at) {
    static const char *const members[] = {"Noord", "Oost", "West"};
    struct candidates c;
    struct error e = {0};
    candidates_init(&c, 10);
    for (size_t n = 0; n < LINES; n++) {
        struct candidate take = candidate(n, members);
        KIT_OK(candidates_add(&c, &take, &e));
        cr_assert_lt(c.count, 20u);
    }
    candidates_done(&c);
}
