/* SIGKILL at drawn moments, of an agent that publishes, of the hub and of the agent that reads.
 * The rule: after each start of A its own figure is that of the last `set` that exited 0, or of one
 * tried after it whose exit was another; in the end B shows A's figure; and what B shows never goes
 * back. */
#include <signal.h>

#include "clock.h"
#include "faults.h"

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"
#define KILL_PERMILLE 250
#define SETTLE_PERMILLE 150 /* of the kills: what was set has to come to B before it goes on */
#define SOON_MS 8           /* a kill comes at most this long after what it is to hit, */
#define COMMAND_MS 40       /* or a command that has to start first, began */
#define PATIENCE_MS 700     /* for a connection, before a restart that connects at once */
#define ANSWER_MS 2000

static struct lab lab;
static struct network net;
static struct prng prng;
static const char *const agents[] = {"A", "B", NULL};

/* What was tried, what of it exited 0, and what B showed. */
static struct {
    int64_t tried, done, seen;
    unsigned exited_0, unknown, shown, killed_a, killed_b, killed_hub, settled;
} count;

static void setup(void) {
    lab_open(&lab, "kills");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    prng = faults_prng();
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(kills, .init = setup, .fini = teardown, .timeout = 3600);

static int64_t available(const char *name, const char *path) {
    json_t *rows = faults_ask(&lab, network_dir(&net, name), path, ANSWER_MS);
    return json_array_size(rows) > 0 ? number_at(json_array_get(rows, 0), "available") : INT64_MIN;
}

/* Whatever B answers is not older than what it answered before. */
static void look_at_b(void) {
    int64_t now = available("B", "/v1/find?service=bed");
    if (now == INT64_MIN)
        return;
    cr_assert_geq(now, count.seen, "B went back from %lld to %lld", (long long)count.seen,
                  (long long)now);
    cr_assert_leq(now, count.tried, "B shows what was never set");
    count.shown += now > count.seen;
    count.seen = now;
}

static void expect_own_figure(void) {
    int64_t own = available("A", "/v1/lines");
    if (own == INT64_MIN && count.done == 0)
        return;
    cr_assert_geq(own, count.done, "A has %lld; `set` exited 0 for %lld", (long long)own,
                  (long long)count.done);
    cr_assert_leq(own, count.tried, "A has what was never set");
}

static void note_set(int status) {
    if (status == 0)
        count.done = count.tried, count.exited_0++;
    else
        count.unknown++;
}

static void set_next(void) {
    count.tried++;
    note_set(LAB_RUN(&lab, "plek-agent", "set", "bed",
                     lab_text(&lab, "free=%lld", (long long)count.tried), "--dir",
                     network_dir(&net, "A"))
                 ->status);
}

static void pause_drawn(int64_t most_ms) {
    faults_pause_ms(prng_between(&prng, 0, most_ms));
}

static void restart_agent(const char *name) {
    lab_kill(&lab, network_process(&net, name));
    network_run_agent(&net, name, NULL);
}

/* The daemon goes while a `set` is under way. */
static void kill_a(void) {
    count.tried++;
    struct process *set = lab_start(&lab, "set", NULL,
                                    LAB_ARGV("plek-agent", "set", "bed",
                                             lab_text(&lab, "free=%lld", (long long)count.tried),
                                             "--dir", network_dir(&net, "A")));
    pause_drawn(COMMAND_MS);
    lab_kill(&lab, network_process(&net, "A"));
    note_set(lab_wait_end(&lab, set));
    network_run_agent(&net, "A", NULL);
    expect_own_figure();
    count.killed_a++;
}

static void kill_b(void) {
    set_next();
    pause_drawn(SOON_MS);
    restart_agent("B");
    count.killed_b++;
}

static void kill_hub(void) {
    set_next();
    pause_drawn(SOON_MS);
    lab_kill(&lab, network_process(&net, "hub"));
    network_run_hub(&net, NULL);
    count.killed_hub++;
}

/* An agent that lost its hub often waits long before it tries again; a new one tries at once. */
static void hurry(const char *name, unsigned *killed) {
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (!network_connected(&net, name) && clock_monotonic_ms() < until_ms)
        lab_poll_pause();
    if (network_connected(&net, name))
        return;
    restart_agent(name);
    (*killed)++;
}

static void settle(void) {
    hurry("A", &count.killed_a);
    hurry("B", &count.killed_b);
    expect_own_figure();
    int64_t own = available("A", "/v1/lines");
    EVENTUALLY((look_at_b(), count.seen == own));
    count.settled++;
}

static void inject(void) {
    switch (prng_below(&prng, 3)) {
    case 0:
        kill_a();
        break;
    case 1:
        kill_b();
        break;
    default:
        kill_hub();
        break;
    }
    if (prng_chance(&prng, SETTLE_PERMILLE))
        settle();
}

Test(kills, at_any_moment_lose_nothing_and_bring_nothing_back) {
    unsigned updates = faults_times(200, 3000);
    while (count.tried < (int64_t)updates) {
        if (prng_chance(&prng, KILL_PERMILLE))
            inject();
        else
            set_next();
        look_at_b();
    }
    settle();
    EVENTUALLY(network_drained(&net, "A"));
    faults_expect_calm(&net, "A");
    faults_expect_calm(&net, "B");
    faults_expect_once(&net, agents);
    json_t *sum = NULL;
    EVENTUALLY((sum = network_sum(&net, "bed"), number_at(sum, "available.low") == count.seen));
    cr_assert_eq(number_at(sum, "members"), 1);
    cr_assert_gt(count.exited_0, updates / 2);
    faults_say("%lld updates, %u exited 0, %u otherwise; SIGKILL %u times (A %u, hub %u, B %u); "
               "B showed %u figures, none older than one before; %u times all was compared",
               (long long)count.tried, count.exited_0, count.unknown,
               count.killed_a + count.killed_hub + count.killed_b, count.killed_a, count.killed_hub,
               count.killed_b, count.shown, count.settled + 1);
    lab_pass(&lab);
}
