/* Owns the proof that nothing is promised before it is durable: in a whole network with both sides'
 * stores on the watching VFS, each ack and admission of the hub, each answer of its routes, each
 * entry an agent sends and each write it reports as done follows the sync of its commit. And that
 * the proof can fail: with synchronous=OFF, and with an ack before its commit, it does. */
#include <criterion/criterion.h>
#include <string.h>

#include "sim/sim.h"

#define SEEDS 3
#define STEPS 30

static void run(uint64_t seed, enum sim_mutation mutation, struct sim_result *ret) {
    struct sim_options options = {
        .seed = seed, .steps = STEPS, .watch_sync = true, .mutation = mutation};
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
    sim_run(&options, mutation == MUTATION_NONE, ret);
}

Test(ack_sync, every_promise_follows_the_sync_of_its_commit) {
    uint64_t acks = 0, writes = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_result result;
        run(seed, MUTATION_NONE, &result);
        cr_assert_not(result.failed, "seed %llu: %s", (unsigned long long)seed, result.failure);
        acks += result.acks;
        writes += result.writes;
    }
    cr_assert_gt(acks, 20);
    cr_assert_gt(writes, 60);
}

#ifdef PLEK_FAILPOINTS
Test(ack_sync, is_missed_by_a_hub_that_does_not_sync) {
    struct sim_result result;
    run(1, MUTATION_HUB_NO_SYNC, &result);
    cr_assert(result.failed);
    cr_assert_not_null(strstr(result.failure, "hub"), "%s", result.failure);
    cr_assert_not_null(strstr(result.failure, "before the sync of its commit"), "%s",
                       result.failure);
}

Test(ack_sync, is_missed_by_an_agent_that_does_not_sync) {
    struct sim_result result;
    run(1, MUTATION_AGENT_NO_SYNC, &result);
    cr_assert(result.failed);
    cr_assert_not_null(strstr(result.failure, "agent"), "%s", result.failure);
    cr_assert_not_null(strstr(result.failure, "before the sync of its commit"), "%s",
                       result.failure);
}
#endif

Test(ack_sync, is_missed_by_a_hub_that_answers_before_its_commit) {
    struct sim_result result;
    run(1, MUTATION_ACK_BEFORE_COMMIT, &result);
    cr_assert(result.failed);
    cr_assert_str_eq(result.failure, "the hub answers before its commit");
}
