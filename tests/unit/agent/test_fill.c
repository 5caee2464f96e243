/* What a new session is told of the own feed. Must not run a session. */
#include "unit/agent/world.h"

/* Found by the simulator: an agent whose first entry was signed, and whose line broke before the
 * ack, could not connect any more. */
Test(fill, connects_again_before_anything_was_acknowledged) {
    struct world w;
    struct agent_session_config config;
    struct head head;
    struct error e = {0};
    world_init(&w, NULL);
    int i = world_add(&w, "Noord", ROLE_PROVIDER, NULL);
    world_policy(&w, i,
                 "{\"audiences\":[{\"name\":\"hub\",\"members\":[\"@hub\"],"
                 "\"services\":[\"*\"],\"precision\":\"exact\"}]}");
    world_set(&w, i, "bed", NULL, "free=2");
    struct blob *entry = world_next(&w, i, ENTRY_MAX_BYTES, &head);
    cr_assert_not_null(entry);
    RUN_OK(agent_session_fill(w.agents[i].agent, &config, &e));
    cr_assert_eq(config.own.seq, 1);
    cr_assert(hash_equal(&config.own.hash, &head.hash));
    cr_assert_eq(config.sent.seq, 0);
    blob_unref(entry);
    world_done(&w);
}
