/* Owns the simulator's command line: seeds to try, mutations that must be found.
 *     test_sim --seeds N [--seed FIRST] [--steps K] [-v]
 *     test_sim --mutations [--seeds N]
 * PLEK_SIM_SEEDS in the environment replaces the default number of seeds (slow builds), which
 * --default-seeds sets, from --first on. A plain program: one seed, one world, and the exit status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define DEFAULT_SEEDS 100
#define DEFAULT_STEPS 60
#define MUTATION_SEEDS 150

struct arguments {
    struct sim_options options;
    uint64_t seeds;
    bool mutations;
};

static int usage(void) {
    fprintf(stderr,
            "usage: test_sim [--seeds N] [--seed FIRST] [--steps K] [--mutation NAME] [-v]\n"
            "       test_sim --mutations [--seeds N] [--steps K]\n");
    return 64;
}

static bool read_number(const char *text, uint64_t *ret) {
    char *end = NULL;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!text || !*text || *end)
        return false;
    *ret = value;
    return true;
}

static bool read_mutation(const char *text, enum sim_mutation *ret) {
    for (int m = 0; text && m < MUTATION_COUNT; m++) {
        if (strcmp(text, sim_mutation_names[m]) != 0)
            continue;
        *ret = (enum sim_mutation)m;
        return true;
    }
    return false;
}

static bool read_arguments(int argc, char **argv, struct arguments *ret) {
    bool one = false, some = false;
    uint64_t steps = DEFAULT_STEPS, usual = DEFAULT_SEEDS;
    const char *wanted = getenv("PLEK_SIM_SEEDS");
    *ret = (struct arguments){.options = {.seed = 1}};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool good = true, has_value = true;
        if (strcmp(argv[i], "--seeds") == 0)
            good = some = read_number(value, &ret->seeds);
        else if (strcmp(argv[i], "--default-seeds") == 0)
            good = read_number(value, &usual);
        else if (strcmp(argv[i], "--first") == 0)
            good = read_number(value, &ret->options.seed);
        else if (strcmp(argv[i], "--seed") == 0)
            good = one = read_number(value, &ret->options.seed);
        else if (strcmp(argv[i], "--steps") == 0)
            good = read_number(value, &steps) && steps < 1000000;
        else if (strcmp(argv[i], "--mutation") == 0)
            good = read_mutation(value, &ret->options.mutation);
        else
            has_value = false;
        if (!has_value && strcmp(argv[i], "-v") == 0)
            ret->options.verbose = true;
        else if (!has_value && strcmp(argv[i], "--mutations") == 0)
            ret->mutations = true;
        else if (!has_value || !good)
            return false;
        i += has_value;
    }
    if (wanted && !read_number(wanted, &usual))
        return false;
    if (ret->mutations && usual < MUTATION_SEEDS)
        usual = MUTATION_SEEDS;
    if (!some)
        ret->seeds = one ? 1 : usual;
    ret->options.steps = (int)steps;
    return true;
}

static void add(struct sim_result *sum, const struct sim_result *r) {
    sum->events += r->events;
    sum->entries += r->entries;
    sum->takes += r->takes;
    sum->crashes += r->crashes;
    sum->cuts += r->cuts;
    sum->altered += r->altered;
    sum->faults += r->faults;
    sum->joins += r->joins;
    sum->checks += r->checks;
    sum->views += r->views;
}

/* The number of seeds that failed; ret_first is the digest of the first. */
static uint64_t try_seeds(const struct arguments *a, struct sim_result *sum, uint64_t *ret_first) {
    uint64_t failed = 0;
    for (uint64_t n = 0; n < a->seeds; n++) {
        struct sim_options options = a->options;
        struct sim_result result;
        options.seed += n;
        sim_run(&options, true, &result);
        if (n == 0)
            *ret_first = result.digest;
        add(sum, &result);
        failed += result.failed;
        if (result.failed)
            fprintf(stderr, "to see it again: test_sim --seed %llu --steps %d%s%s -v\n",
                    (unsigned long long)options.seed, options.steps,
                    options.mutation ? " --mutation " : "",
                    options.mutation ? sim_mutation_names[options.mutation] : "");
    }
    return failed;
}

/* A world that differs between two runs of one seed could not be looked into. */
static bool repeats(const struct arguments *a, uint64_t digest) {
    struct sim_result again;
    struct sim_options options = a->options;
    if (a->seeds == 0)
        return true;
    sim_run(&options, false, &again);
    if (again.digest == digest)
        return true;
    fprintf(stderr, "seed %llu does not run the same way twice\n",
            (unsigned long long)options.seed);
    return false;
}

static int run_seeds(const struct arguments *a) {
    struct sim_result sum = {0};
    uint64_t first = 0, failed = try_seeds(a, &sum, &first);
    printf(
        "%llu seeds from %llu, %d steps each: %llu failed; %llu events, %llu entries, %llu taken, "
        "%llu sessions, %llu crashes, %llu lines broken, %llu messages altered, %llu disk faults, "
        "%llu looks, %llu views at the end\n",
        (unsigned long long)a->seeds, (unsigned long long)a->options.seed, a->options.steps,
        (unsigned long long)failed, (unsigned long long)sum.events, (unsigned long long)sum.entries,
        (unsigned long long)sum.takes, (unsigned long long)sum.joins,
        (unsigned long long)sum.crashes, (unsigned long long)sum.cuts,
        (unsigned long long)sum.altered, (unsigned long long)sum.faults,
        (unsigned long long)sum.checks, (unsigned long long)sum.views);
    bool same = a->options.verbose || failed > 0 || repeats(a, first);
    return failed > 0 || !same;
}

/* Some must be found by the check that is there for them, not by another. */
static bool says_why(enum sim_mutation mutation, const char *failure) {
    const char *why = mutation == MUTATION_STRAY_KEY         ? "a key that policy did not allow"
                      : mutation == MUTATION_FINER_FIGURE    ? "finer than the precision"
                      : mutation == MUTATION_STRAY_PICTURE   ? "figures of"
                      : mutation == MUTATION_EARLIER_PICTURE ? "did not allow it when they were"
                      : mutation == MUTATION_BUSY_READS      ? "although nobody meddled with it"
                                                             : "";
    bool says = strstr(failure, why) != NULL;
    if (!says)
        fprintf(stderr, "%s: found, but by another check: %s\n", sim_mutation_names[mutation],
                failure);
    return says;
}

/* Each way of breaking the shells must make some seed fail. */
static bool is_found(const struct arguments *a, enum sim_mutation mutation) {
    for (uint64_t n = 0; n < a->seeds; n++) {
        struct sim_options options = a->options;
        struct sim_result result;
        options.seed += n;
        options.mutation = mutation;
        sim_run(&options, false, &result);
        if (!result.failed)
            continue;
        if (!says_why(mutation, result.failure))
            return false;
        printf("%-20s found by seed %llu: %.200s\n", sim_mutation_names[mutation],
               (unsigned long long)options.seed, result.failure);
        return true;
    }
    fprintf(stderr, "%s: no seed of %llu fails: the simulator does not see this defect\n",
            sim_mutation_names[mutation], (unsigned long long)a->seeds);
    return false;
}

static int run_mutations(const struct arguments *a) {
    int missed = 0;
    for (int m = MUTATION_NONE + 1; m < MUTATION_COUNT; m++) {
#ifndef PLEK_FAILPOINTS
        if (m == MUTATION_HUB_NO_SYNC || m == MUTATION_AGENT_NO_SYNC) {
            printf("%-20s skipped: needs a build with PLEK_FAILPOINTS\n", sim_mutation_names[m]);
            continue;
        }
#endif
        missed += !is_found(a, (enum sim_mutation)m);
    }
    return missed > 0;
}

int main(int argc, char **argv) {
    struct arguments a;
    struct error e = {0};
    if (!read_arguments(argc, argv, &a))
        return usage();
    if (keys_init(&e) != ERR_OK) {
        fprintf(stderr, "%s\n", e.detail);
        return 70;
    }
    return a.mutations ? run_mutations(&a) : run_seeds(&a);
}
