/* What a hub that lies may try against an agent that holds its feed. */
#include "agent_kit.h"
#include "alarm.h"

static struct kit kit;

static void setup(void) {
    kit_joined(&kit, NULL);
}

static void teardown(void) {
    kit_done(&kit);
}

TestSuite(attack, .init = setup, .fini = teardown, .timeout = 60);

/* As the shell does with a verified welcome; whether the alarm stands afterwards. */
static bool alarmed_by(struct head hub_head) {
    struct error e = {0};
    struct agent_effect effect = {.kind = AGENT_EFFECT_WELCOMED,
                                  .welcome = {.hub_time_ms = KIT_NOW, .hub_head = hub_head}};
    bool stands = false;
    KIT_OK(db_begin(agent_db(kit.agent), &e));
    KIT_OK(agent_perform(kit.agent, &effect, KIT_NOW, &e));
    KIT_OK(db_commit(agent_db(kit.agent), &e));
    KIT_OK(alarm_stands(kit.agent, ALARM_HUB_FEED, &stands, &e));
    return stands;
}

Test(attack, a_hub_that_takes_its_feed_back_is_noticed) {
    struct head head = directory_head(agent_directory(kit.agent));
    cr_assert_not(alarmed_by(head), "the same head");
    struct head older = {1, head.seq - 1, {{7}}};
    cr_assert(alarmed_by(older));
    cr_assert_not(alarmed_by(head), "it is over");
}

Test(attack, a_hub_that_shows_us_another_feed_is_noticed) {
    struct head head = directory_head(agent_directory(kit.agent));
    struct head other = head, later = {1, head.seq + 1, {{7}}};
    other.hash.b[0] ^= 1;
    cr_assert(alarmed_by(other));
    cr_assert(alarmed_by(later), "what follows has to fit first");
    cr_assert_not(alarmed_by(head));
    cr_assert_not(alarmed_by(later), "more of the same feed");
}
