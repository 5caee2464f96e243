/* Tests that both session machines take a lack of memory at any moment as the end of the session
 * and nothing else: whole runs in the world of the session tests, in each of which the first, the
 * second,
 * ... allocation within the machines fails, once or with all that follow. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "agent/session.h"
#include "hub/session.h"
#include "memory.h"

/* Memory ends inside the machines only: the world around them has its own. */
static int within; /* enum side */
static uint64_t failed_in[2];

static bool enter(int side) {
    within = side;
    memory_pause(false);
    return true;
}

static bool leave_with(bool result) {
    static uint64_t before;
    memory_pause(true);
    if (memory_failed() < before)
        before = 0;
    failed_in[within] += memory_failed() - before;
    before = memory_failed();
    return result;
}

#define IN(side, call) ((void)enter(side), (call), (void)leave_with(true))
#define hub_session_next(...) (enter(0) && leave_with(hub_session_next(__VA_ARGS__)))
#define hub_session_bytes(...) IN(0, hub_session_bytes(__VA_ARGS__))
#define hub_session_wake(...) IN(0, hub_session_wake(__VA_ARGS__))
#define hub_session_greeted(...) IN(0, hub_session_greeted(__VA_ARGS__))
#define hub_session_accepted(...) IN(0, hub_session_accepted(__VA_ARGS__))
#define hub_session_loaded(...) IN(0, hub_session_loaded(__VA_ARGS__))
#define hub_session_expel(...) IN(0, hub_session_expel(__VA_ARGS__))
#define agent_session_next(...) (enter(1) && leave_with(agent_session_next(__VA_ARGS__)))
#define agent_session_bytes(...) IN(1, agent_session_bytes(__VA_ARGS__))
#define agent_session_wake(...) IN(1, agent_session_wake(__VA_ARGS__))
#define agent_session_done(...) IN(1, agent_session_done(__VA_ARGS__))
#define agent_session_next_entry(...) IN(1, agent_session_next_entry(__VA_ARGS__))

#include "unit/agent/session_world.h"

_Static_assert(SIDE_HUB == 0 && SIDE_AGENT == 1, "the sides above");

/* One run: how much there is to do, and how it ends. */
struct course {
    const char *name;
    uint64_t outbox;
    size_t shelves;
    unsigned rate_percent;
    enum err refuse, expel;
};

static const struct course courses[] = {
    {.name = "catches up and pushes", .outbox = 5, .shelves = 3},
    {.name = "is told to wait", .outbox = 6, .shelves = 1, .rate_percent = 30},
    {.name = "is refused", .outbox = 1, .shelves = 1, .refuse = ERR_SUSPENDED},
    {.name = "is sent away", .outbox = 2, .shelves = 2, .expel = ERR_SUPERSEDED},
};

static bool is_over(const struct world *w) {
    return w->closed[SIDE_HUB] || w->closed[SIDE_AGENT];
}

/* Until nothing happens any more or a side is gone; what was under way then still arrives. */
static void run_session(struct world *w, const struct course *c) {
    world_connect(w);
    while (!is_over(w) && (world_step(w) || world_wake(w)))
        ;
    if (c->expel && !is_over(w)) {
        hub_session_expel(w->hub, c->expel, "another came", w->now);
        drain_hub(w);
    }
    while (world_step(w))
        ;
}

static struct world *world_for(const struct course *c, uint64_t seed) {
    struct world *w = world_new(seed);
    w->outbox = c->outbox;
    w->rate_percent = c->rate_percent;
    w->refuse = c->refuse;
    for (int k = 0; k < HUB_CLASSES; k++)
        w->shelves[k].count = c->shelves;
    return w;
}

static void check_undisturbed(const struct world *w, const struct course *c) {
    if (c->refuse || c->expel) {
        CHECK(w, w->refused && w->close_code[SIDE_AGENT] == (c->refuse ? c->refuse : c->expel));
        CHECK(w, c->refuse ? w->hub_holds == 0 : w->hub_holds == w->outbox);
    } else {
        check_complete(w);
    }
}

/* The machine that had no memory closed, and said why; the next session does what was to be done.
 */
static void check_disturbed(struct world *w, const struct course *c, uint64_t nth) {
    for (int side = 0; side < 2; side++)
        cr_assert(failed_in[side] == 0 || (w->closed[side] && w->close_code[side] == ERR_NO_MEMORY),
                  "%s, seed %llu, allocation %llu: side %d: closed %d, %s", c->name,
                  (unsigned long long)w->seed, (unsigned long long)nth, side, w->closed[side],
                  error_name(w->close_code[side]));
    run_session(w, c);
    check_undisturbed(w, c);
}

/* Returns how many allocations a run makes. */
static uint64_t sweep(const struct course *c, uint64_t seed, bool on) {
    for (uint64_t nth = 1; nth < 100000; nth++) {
        struct world *w = world_for(c, seed);
        failed_in[SIDE_HUB] = failed_in[SIDE_AGENT] = 0;
        memory_arm(nth, on);
        memory_pause(true);
        run_session(w, c);
        bool clean = memory_disarm() == 0;
        if (clean)
            check_undisturbed(w, c);
        else
            check_disturbed(w, c, nth);
        world_free(w);
        if (clean)
            return nth - 1;
    }
    cr_assert_fail("%s does not end", c->name);
    return 0;
}

static void sweep_all(bool on) {
    uint64_t seeds = getenv("PLEK_SWEEP_ALL") ? 20 : 1, faults = 0;
    for (size_t i = 0; i < sizeof courses / sizeof courses[0]; i++)
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            uint64_t met = sweep(&courses[i], seed, on);
            cr_assert_gt(met, 10u, "%s", courses[i].name);
            faults += met;
        }
    printf("faults: %llu allocations in both session machines failed%s, one a run; each ended the "
           "session, and the next one did what was to be done\n",
           (unsigned long long)faults, on ? " with all that followed" : "");
}

Test(sessions, when_one_allocation_fails) {
    sweep_all(false);
}

Test(sessions, when_memory_is_gone) {
    sweep_all(true);
}

/* A session that cannot be made is an error, and one that is made closes by itself. */
static bool makes_agent(struct kit *k, struct error *e) {
    struct agent_session_config config = {.network = k->hub.pub,
                                          .keys = &k->agent,
                                          .cert = buf_bytes(&k->cert_bytes),
                                          .entropy = &k->entropy};
    struct agent_session *s = NULL;
    struct agent_effect effect = {.kind = AGENT_EFFECT_CLOSE};
    enum err err = agent_session_new(&config, 0, &s, e);
    uint64_t failed = memory_disarm();
    cr_assert_eq(s != NULL, err == ERR_OK);
    cr_assert(s == NULL || agent_session_next(s, &effect));
    bool open = s != NULL && effect.kind != AGENT_EFFECT_CLOSE;
    cr_assert(open || (err ? e->code : effect.code) == ERR_NO_MEMORY);
    cr_assert_eq(open, failed == 0);
    agent_session_free(s);
    return open;
}

static bool makes_hub(struct kit *k, struct error *e) {
    struct hub_session *s = NULL;
    struct hub_effect effect = {.kind = HUB_EFFECT_SEND};
    enum err err = hub_session_new(&k->hub, &k->entropy, 0, &s, e);
    uint64_t failed = memory_disarm();
    cr_assert_eq(s != NULL, err == ERR_OK);
    while (s != NULL && effect.kind != HUB_EFFECT_CLOSE && hub_session_next(s, &effect))
        blob_unref(effect.data);
    bool open = s != NULL && effect.kind != HUB_EFFECT_CLOSE;
    cr_assert(open || (err ? e->code : effect.code) == ERR_NO_MEMORY);
    cr_assert_eq(open, failed == 0);
    hub_session_free(s);
    return open;
}

Test(sessions, that_cannot_be_made) {
    static bool (*const makers[])(struct kit * k, struct error * e) = {makes_agent, makes_hub};
    struct kit k;
    kit_init(&k, 1);
    for (size_t i = 0; i < 2; i++) {
        bool open = false;
        uint64_t nth = 1;
        for (; !open && nth < 1000; nth++) {
            struct error e = {0};
            memory_arm(nth, false);
            open = makers[i](&k, &e);
        }
        cr_assert(open && nth > 2);
    }
    kit_done(&k);
}
