/* A bad network between an agent and its hub: slow, cut, silent, doubled, reset; one agent is
 * behind a proxy that does it, its partner is not.
 * The rule: whatever the network does, once it is well what was set last comes to the partner, each
 * entry stands in the hub's log once, and nothing alarms. */
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "proxy.h"

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"
#define SECOND_GENERATION 3750 /* bytes a second: 30 kbit/s */
#define HANDSHAKE_BYTES 1400   /* about what goes each way before the first entry */
#define PING "PLEK_PING_S=1"
#define ANSWER_MS 5000

static struct lab lab;
static struct network net;
static struct prng prng;
static struct proxy *proxy;
static int64_t figure;

static void setup(void) {
    lab_open(&lab, "link");
    network_init(&net, &lab, NULL);
    prng = faults_prng();
}

static void teardown(void) {
    proxy_free(proxy);
    lab_close(&lab);
}

TestSuite(link, .init = setup, .fini = teardown, .timeout = 3600);

/* A's invitation names the proxy. */
static void share(const char *env) {
    network_run_hub(&net, env);
    proxy = proxy_new(net.address, NULL);
    network_join_at(&net, "A", lab_text(&lab, "ws://%s", proxy_address(proxy)));
    network_run_agent(&net, "A", env);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
}

static void set_next(void) {
    AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%lld", (long long)++figure));
}

static int64_t at_b(void) {
    json_t *rows = faults_ask(&lab, network_dir(&net, "B"), "/v1/find?service=bed", ANSWER_MS);
    return json_array_size(rows) > 0 ? number_at(json_array_get(rows, 0), "available") : INT64_MIN;
}

static void comes_to_b(void) {
    set_next();
    EVENTUALLY(at_b() == figure && network_drained(&net, "A"));
}

/* An agent that was cut off often waits long; a new one connects at once. */
static void restart_a(const char *env) {
    lab_kill(&lab, network_process(&net, "A"));
    network_run_agent(&net, "A", env);
}

static void make_well(const char *env) {
    struct proxy_rule well = proxy_plain();
    proxy_set(proxy, &well);
    restart_a(env);
    comes_to_b();
}

static void expect_whole(void) {
    static const char *const agents[] = {"A", "B", NULL};
    faults_expect_calm(&net, "A");
    faults_expect_calm(&net, "B");
    faults_expect_once(&net, agents);
    proxy_free(proxy);
    proxy = NULL;
    lab_pass(&lab);
}

Test(link, that_is_late_and_slow_delivers_all_the_same) {
    struct proxy_rule slow = proxy_plain();
    share(NULL);
    comes_to_b();
    slow.delay_ms = 300;
    slow.bytes_per_s = SECOND_GENERATION;
    proxy_set(proxy, &slow);
    for (unsigned i = 0; i < faults_times(2, 10); i++)
        comes_to_b();
    restart_a(NULL); /* a handshake, too */
    comes_to_b();
    struct proxy_counts n = proxy_count(proxy);
    faults_say("300 ms later and 30 kbit/s: %llu bytes up, %llu down",
               (unsigned long long)n.bytes[PROXY_UP], (unsigned long long)n.bytes[PROXY_DOWN]);
    expect_whole();
}

/* Where a handshake, an entry or its ack is in the middle. */
Test(link, cut_at_any_byte_loses_nothing) {
    share(NULL);
    comes_to_b();
    unsigned cuts = faults_times(10, 150);
    for (unsigned i = 0; i < cuts; i++) {
        struct proxy_rule cutting = proxy_plain();
        enum proxy_way way = prng_chance(&prng, 500) ? PROXY_UP : PROXY_DOWN;
        cutting.cut_at[way] = prng_between(&prng, 0, 3 * HANDSHAKE_BYTES);
        cutting.reset = prng_chance(&prng, 500);
        unsigned before = proxy_count(proxy).cut;
        proxy_set(proxy, &cutting);
        restart_a(NULL);
        EVENTUALLY((set_next(), proxy_count(proxy).cut > before));
        make_well(NULL);
    }
    struct proxy_counts n = proxy_count(proxy);
    faults_say("%u connections, %u cut at a drawn byte, %lld updates", n.opened, n.cut,
               (long long)figure);
    expect_whole();
}

Test(link, reset_again_and_again_loses_nothing) {
    struct proxy_rule resets = proxy_plain();
    share(NULL);
    resets.reset = true;
    proxy_set(proxy, &resets);
    for (unsigned i = 0; i < faults_times(6, 100); i++) {
        restart_a(NULL);
        for (uint64_t updates = prng_below(&prng, 3); updates > 0; updates--)
            set_next();
        faults_pause_ms(prng_between(&prng, 0, 30));
        proxy_cut_all(proxy);
        if (i % 3 == 2)
            make_well(NULL), proxy_set(proxy, &resets);
    }
    make_well(NULL);
    struct proxy_counts n = proxy_count(proxy);
    faults_say("%u connections, %u reset, %lld updates", n.opened, n.cut, (long long)figure);
    expect_whole();
}

static bool hub_logged(const char *text) {
    return strstr(lab_log(&lab, network_process(&net, "hub")), text) != NULL;
}

/* Nothing comes and nothing closes: both ends find out by their pings. */
Test(link, gone_silent_is_noticed_at_both_ends) {
    struct proxy_rule silent = proxy_plain();
    share(PING);
    comes_to_b();
    silent.silent = true;
    proxy_set(proxy, &silent);
    set_next();
    EVENTUALLY(!network_connected(&net, "A"));
    EVENTUALLY(number_at(HUB(&net, "status"), "connected") == 1);
    cr_assert_eq(number_at(AGENT(&net, "A", "status"), "feed.seq") -
                     number_at(AGENT(&net, "A", "status"), "feed.acked_seq"),
                 1, "what was not acknowledged is kept");
    make_well(PING);
    faults_say("gone silent: noticed at both ends by pings every 1 s (25 s when installed)");
    expect_whole();
}

/* The hub still holds a connection that died without a word when the agent is back on another: the
 * later one wins. */
Test(link, held_open_by_the_dead_gives_way_to_the_living) {
    struct proxy_rule silent = proxy_plain(), well = proxy_plain();
    share(NULL);
    comes_to_b();
    silent.silent = true;
    proxy_set(proxy, &silent);
    set_next(); /* this connection is silent from here on */
    EVENTUALLY(number_at(AGENT(&net, "A", "status"), "feed.seq") >
               number_at(AGENT(&net, "A", "status"), "feed.acked_seq"));
    lab_kill(&lab, network_process(&net, "A"));
    proxy_set(proxy, &well);
    cr_assert_eq(number_at(HUB(&net, "status"), "connected"), 2, "the hub cannot know");
    network_run_agent(&net, "A", NULL);
    comes_to_b();
    cr_assert(hub_logged("code=superseded"));
    cr_assert_eq(number_at(HUB(&net, "status"), "connected"), 2);
    faults_say("half-open and back on a new connection: the older one was superseded");
    expect_whole();
}

/* A proxy on the way cuts what says nothing; pings keep the connection, and without them it comes
 * back. 60 s and 25 s, at a tenth and less. */
Test(link, that_cuts_the_idle_is_kept_by_pings) {
    struct proxy_rule cutting = proxy_plain();
    share(PING);
    comes_to_b();
    cutting.idle_cut_ms = 6000;
    proxy_set(proxy, &cutting);
    unsigned before = proxy_count(proxy).cut;
    faults_pause_ms(8000);
    cr_assert_eq(proxy_count(proxy).cut, before, "cut in spite of pings");
    cutting.idle_cut_ms = 300; /* sooner than any ping */
    proxy_set(proxy, &cutting);
    EVENTUALLY(proxy_count(proxy).cut > before + 1);
    make_well(PING);
    faults_say("idle cut: none with pings in between, %u without", proxy_count(proxy).cut - before);
    expect_whole();
}

/* How long this agent waits before it connects again, as it says. */
static long retry_ms(const char *name) {
    static const char key[] = "code=unavailable reason=\"the hub is stopping\" retry_ms=";
    const char *at = strstr(lab_log(&lab, network_process(&net, name)), key);
    return at ? strtol(at + sizeof key - 1, NULL, 10) : 0;
}

/* A hub that stops asks all its agents at once for the same patience. */
Test(link, told_to_wait_is_tried_later_than_that_and_not_by_all_at_once) {
    static const char *const names[] = {"A", "B", "C", "D"};
    long least = LONG_MAX, most = 0;
    share(NULL);
    network_add(&net, "C", NULL);
    network_add(&net, "D", NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        EVENTUALLY(network_connected(&net, names[i]));
    lab_stop(&lab, network_process(&net, "hub"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        EVENTUALLY(retry_ms(names[i]) > 0);
        least = retry_ms(names[i]) < least ? retry_ms(names[i]) : least;
        most = retry_ms(names[i]) > most ? retry_ms(names[i]) : most;
    }
    cr_assert_geq(least, 5000 + 500, "found %ld ms", least);
    cr_assert_gt(most, least, "all come back after %ld ms", least);
    network_run_hub(&net, NULL);
    make_well(NULL);
    faults_say("a hub that stops: 4 agents come back %ld to %ld ms later", least, most);
    expect_whole();
}

/* Everything that the agent says comes to the hub twice, on two connections. */
Test(link, doubled_counts_once) {
    struct proxy_rule twice = proxy_plain();
    share(NULL);
    twice.twice = true;
    proxy_set(proxy, &twice);
    restart_a(NULL);
    for (unsigned i = 0; i < faults_times(3, 30); i++)
        comes_to_b();
    struct proxy_counts n = proxy_count(proxy);
    cr_assert_geq(n.doubled, 1u);
    cr_assert_eq(number_at(HUB(&net, "status"), "connected"), 2);
    faults_say("%u connections doubled, %llu bytes said twice: each entry counted once", n.doubled,
               (unsigned long long)n.bytes[PROXY_UP]);
    expect_whole();
}
