/* Somebody in the middle of a plain ws connection, who relays the real handshake between a real
 * agent and a real hub and then does as it likes.
 * The rule: nothing that it changes, repeats, swaps, drops, reflects or makes up is believed by
 * either side; the connection ends, the agent keeps what was not acknowledged and says why it is
 * not connected, and when there is only a wire again everything comes through, once. */
#include <string.h>

#include "faults.h"
#include "middle.h"

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"
#define ANSWER_MS 5000
#define LATEST 6 /* message of a session that is aimed at */

static struct lab lab;
static struct network net;
static struct prng prng;
static struct proxy *proxy;
static struct middle *middle;
static int64_t figure;

static void setup(void) {
    lab_open(&lab, "middle");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    prng = faults_prng();
    middle = middle_new(prng_next(&prng));
    struct proxy_hook hook = middle_hook(middle);
    proxy = proxy_new(net.address, &hook);
    network_join_at(&net, "A", lab_text(&lab, "ws://%s", proxy_address(proxy)));
    network_run_agent(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
}

static void teardown(void) {
    proxy_free(proxy);
    middle_free(middle);
    lab_close(&lab);
}

TestSuite(middle, .init = setup, .fini = teardown, .timeout = 3600);

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

static void restart_a(void) {
    lab_kill(&lab, network_process(&net, "A"));
    network_run_agent(&net, "A", NULL);
}

static void relay_again(void) {
    middle_set(middle, MIDDLE_RELAY, PROXY_UP, 0);
    restart_a();
    comes_to_b();
}

static int64_t feed(const char *what) {
    return number_at(AGENT(&net, "A", "status"), what);
}

static int64_t hub_log(void) {
    return number_at(HUB(&net, "status"), "log");
}

static bool says(const char *code) {
    json_t *hub = json_object_get(AGENT(&net, "A", "status"), "hub");
    const char *reason = json_string_value(json_object_get(hub, "reason"));
    return reason && strcmp(reason, code) == 0;
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

/* Both ways, at the handshake and after it. A message that only never comes is noticed with the
 * next one, so the handshake, which would wait for its time-out, is not dropped from. */
Test(middle, who_touches_one_message_ends_the_connection) {
    static const struct {
        enum middle_attack attack;
        unsigned first_up, first_down;
    } attacks[] = {{MIDDLE_FLIP, 0, 0},
                   {MIDDLE_DROP, 1, 2},
                   {MIDDLE_SWAP, 1, 2},
                   {MIDDLE_TWICE, 0, 0},
                   {MIDDLE_REFLECT, 0, 0}};
    unsigned count = 0, rounds = faults_times(1, 15);
    comes_to_b();
    for (unsigned i = 0; i < rounds * 2 * sizeof attacks / sizeof attacks[0]; i++) {
        size_t k = i / 2 % (sizeof attacks / sizeof attacks[0]);
        enum proxy_way way = i % 2 ? PROXY_DOWN : PROXY_UP;
        int64_t first = way == PROXY_UP ? attacks[k].first_up : attacks[k].first_down;
        unsigned at = (unsigned)prng_between(&prng, first, LATEST);
        unsigned opened = proxy_count(proxy).opened;
        middle_set(middle, attacks[k].attack, way, at);
        restart_a();
        EVENTUALLY((set_next(), middle_done(middle) > 0));
        /* The one that was touched, and the one after its end. */
        EVENTUALLY((set_next(), proxy_count(proxy).opened >= opened + 2));
        cr_assert_leq(at_b(), figure);
        relay_again();
        count++;
    }
    faults_say("%u messages flipped, dropped, swapped, repeated or reflected: each ended its "
               "connection; %lld updates, the last at the partner",
               count, (long long)figure);
    expect_whole();
}

Test(middle, a_forged_ack_is_not_believed) {
    static const enum middle_attack forgeries[] = {MIDDLE_FORGE_BYTES, MIDDLE_FORGE_REPEAT,
                                                   MIDDLE_FORGE_OTHER, MIDDLE_FORGE_OWN};
    unsigned forged = 0;
    comes_to_b();
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        int64_t seq = feed("feed.seq"), held = hub_log(), shown = at_b();
        middle_set(middle, forgeries[i], PROXY_UP, 0);
        set_next();
        EVENTUALLY(says("decrypt"));
        cr_assert_geq(middle_done(middle), 1u);
        cr_assert_eq(feed("feed.acked_seq"), seq, "believed forgery %zu", i);
        cr_assert_eq(feed("feed.seq"), seq + 1);
        cr_assert_eq(feed("outbox.entries"), 1, "kept");
        cr_assert_eq(hub_log(), held);
        cr_assert_eq(at_b(), shown);
        /* Every further connection fares the same. */
        unsigned before = middle_done(middle);
        restart_a();
        EVENTUALLY(middle_done(middle) > before && says("decrypt"));
        cr_assert_eq(feed("feed.acked_seq"), seq);
        forged += middle_done(middle);
        relay_again();
    }
    faults_say("%u forged acks (made up, repeated, of another session, reflected): none believed, "
               "the entry kept and sent when there was a wire",
               forged);
    expect_whole();
}

Test(middle, who_plays_the_hub_is_not_believed) {
    static const struct {
        enum middle_attack attack;
        const char *code;
    } plays[] = {{MIDDLE_OWN_KEY, "network"},
                 {MIDDLE_OLD_ANSWER, "signature"},
                 {MIDDLE_OLD_HANDSHAKE, "signature"}};
    comes_to_b();
    for (size_t i = 0; i < sizeof plays / sizeof plays[0]; i++) {
        restart_a(); /* a handshake to keep */
        comes_to_b();
        int64_t seq = feed("feed.seq"), shown = at_b();
        middle_set(middle, plays[i].attack, PROXY_UP, 0);
        restart_a();
        EVENTUALLY(middle_done(middle) > 0 && says(plays[i].code));
        set_next();
        cr_assert_not(network_connected(&net, "A"));
        cr_assert_eq(feed("feed.acked_seq"), seq);
        cr_assert_eq(at_b(), shown);
        relay_again();
    }
    faults_say("another hub's key, a kept answer, a whole kept handshake: refused, and said so");
    expect_whole();
}
