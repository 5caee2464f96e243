/* Tests alarms: raised once, cleared, listed oldest first, and which of them stop the outbox. */
#include "alarm.h"

#include <stdlib.h>

#include "unit/agent/world.h"

static void one(struct world *w) {
    world_init(w, NULL);
    world_add(w, "A", ROLE_PROVIDER, NULL);
}

static char *listed(struct world *w) {
    struct error e = {0};
    json_t *list = NULL;
    RUN_OK(alarm_list(w->agents[0].agent, w->now_ms, &list, &e));
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

Test(alarm, what_is_raised_again_keeps_its_first_moment) {
    struct world w;
    struct error e = {0};
    one(&w);
    struct agent *a = w.agents[0].agent;
    agent_take_events(a);
    RUN_OK(alarm_raise(a, "grant", "B", "first", w.now_ms, &e));
    cr_assert(agent_take_events(a) & AGENT_EVENT_STATUS);
    RUN_OK(alarm_raise(a, "grant", "B", "first", w.now_ms + WORLD_HOUR, &e));
    cr_assert_eq(agent_take_events(a), 0u, "nothing new to tell");
    RUN_OK(alarm_raise(a, "grant", "B", "second", w.now_ms + WORLD_HOUR, &e));
    world_reopen(&w, 0, NULL);
    char *text = listed(&w);
    cr_assert_str_eq(text, "[{\"code\":\"grant\",\"subject\":\"B\",\"detail\":\"second\",\"since\":"
                           "\"2026-09-13T12:00:00Z\"}]");
    free(text);
    world_done(&w);
}

Test(alarm, clearing_takes_one_or_all_of_a_code) {
    struct world w;
    struct error e = {0};
    bool stands = false;
    one(&w);
    struct agent *a = w.agents[0].agent;
    RUN_OK(alarm_raise(a, "rejected", "1/2", "x", w.now_ms + 1000, &e));
    RUN_OK(alarm_raise(a, "rejected", "1/3", "x", w.now_ms, &e));
    RUN_OK(alarm_raise(a, "grant", "B", "x", w.now_ms, &e));
    RUN_OK(alarm_clear(a, "rejected", "1/9", &e));
    char *text = listed(&w);
    cr_assert_lt(strstr(text, "grant"), strstr(text, "1/3"));
    cr_assert_lt(strstr(text, "1/3"), strstr(text, "1/2"), "the oldest first");
    free(text);
    RUN_OK(alarm_clear(a, "rejected", "1/2", &e));
    RUN_OK(alarm_stands(a, "rejected", &stands, &e));
    cr_assert(stands);
    RUN_OK(alarm_clear_all(a, "rejected", &e));
    RUN_OK(alarm_stands(a, "rejected", &stands, &e));
    cr_assert_not(stands);
    RUN_OK(alarm_stands(a, "grant", &stands, &e));
    cr_assert(stands);
    world_done(&w);
}

Test(alarm, only_some_stop_the_outbox) {
    static const struct {
        const char *code;
        bool stops;
    } cases[] = {{ALARM_AHEAD, true},     {ALARM_FORKED, true},      {ALARM_SUSPENDED, true},
                 {ALARM_REMOVED, true},   {ALARM_REVOKED, true},     {ALARM_HUB_BEHIND, false},
                 {ALARM_REJECTED, false}, {ALARM_OWN_DATA, false},   {ALARM_GRANT, false},
                 {ALARM_HUB_FEED, false}, {ALARM_PEER_FORKED, false}};
    struct world w;
    struct error e = {0};
    bool stops = true;
    one(&w);
    struct agent *a = w.agents[0].agent;
    RUN_OK(alarm_stops_outbox(a, &stops, &e));
    cr_assert_not(stops);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        RUN_OK(alarm_raise(a, cases[i].code, "", "x", w.now_ms, &e));
        RUN_OK(alarm_stops_outbox(a, &stops, &e));
        cr_assert_eq(stops, cases[i].stops, "%s", cases[i].code);
        RUN_OK(alarm_clear(a, cases[i].code, "", &e));
    }
    world_done(&w);
}

Test(alarm, the_names_of_refusals_are_those_of_the_errors) {
    cr_assert_str_eq(error_name(ERR_SUSPENDED), ALARM_SUSPENDED);
    cr_assert_str_eq(error_name(ERR_REMOVED), ALARM_REMOVED);
    cr_assert_str_eq(error_name(ERR_REVOKED), ALARM_REVOKED);
}
