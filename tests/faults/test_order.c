/* The order of system calls, with every sync held up by half a second: what a daemon promised left
 * it after the sync of its commit had returned, and meanwhile it answered others. Figures of time
 * are printed, not judged; that an answer came before the sync returned is. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "faults.h"
#include "peer.h"
#include "traced.h"

#define EXACT_TO_B                                                                                 \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"                  \
    "\"precision\":\"exact\"}]}"
#define SYNC_MS 500
#define SYNC_TEXT "500000"
#define UPDATES 3
#define FDS_MAX 64

static const char *const slow_syncs[] = {
    "-ttt", "-T",
    "-e",   "trace=fdatasync,fsync,accept,accept4,recvfrom,recvmsg,read,sendto,sendmsg,write",
    "-e",   "inject=fdatasync,fsync:delay_enter=" SYNC_TEXT,
    NULL};

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "order");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B);
    AGENT_DO(&net, "A", "set", "bed", "free=1");
    EVENTUALLY(network_drained(&net, "A"));
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(order, .init = setup, .fini = teardown, .timeout = 600);

/* False: the test is over, and said why. */
static bool can_trace(void) {
    if (traced_works(&lab))
        return true;
    printf("%s\n", TRACED_SKIPPED);
    lab_pass(&lab);
    return false;
}

static bool is_sync(const struct call *c) {
    return strcmp(c->name, "fdatasync") == 0 || strcmp(c->name, "fsync") == 0;
}

static bool is_send(const struct call *c) {
    return strncmp(c->name, "send", 4) == 0 || strcmp(c->name, "write") == 0;
}

static bool is_receive(const struct call *c) {
    return strncmp(c->name, "recv", 4) == 0 || strcmp(c->name, "read") == 0;
}

/* ---- the hub ---- */

static int64_t available_at_b(void) {
    return number_at(json_array_get(AGENT(&net, "B", "find", "bed"), 0), "available");
}

struct quickness {
    double worst_health_ms, worst_ping_ms;
    unsigned healths, pings;
};

/* GET /healthz and a websocket ping of a stranger. */
static void look(struct quickness *q, struct peer *stranger) {
    uint8_t answer[16];
    size_t len = 0;
    double health_ms = ask_health_ms(net.address, 10 * SYNC_MS);
    cr_assert_geq(health_ms, 0, "/healthz did not answer");
    double from_ms = (double)clock_monotonic_ms();
    cr_assert(peer_send_frame(stranger, PEER_PING, "quick?", 6));
    int opcode = peer_read_frame(stranger, answer, sizeof answer, &len);
    double ping_ms = (double)clock_monotonic_ms() - from_ms;
    cr_assert_eq(opcode, PEER_PONG, "found opcode %d", opcode);
    q->healths++;
    q->pings++;
    q->worst_health_ms = health_ms > q->worst_health_ms ? health_ms : q->worst_health_ms;
    q->worst_ping_ms = ping_ms > q->worst_ping_ms ? ping_ms : q->worst_ping_ms;
}

/* The hub greets who connects; a stranger that says nothing is pinged and left alone for 10 s. */
static void open_stranger(struct peer *stranger) {
    uint8_t hello[4096];
    size_t len = 0;
    peer_open(stranger, net.address);
    cr_assert(peer_upgrade(stranger, "plek.v1"));
    cr_assert_eq(peer_read_frame(stranger, hello, sizeof hello, &len), PEER_BINARY);
}

static const struct call *sync_between(const struct call *calls, size_t count, double after_s,
                                       double before_s) {
    for (size_t i = 0; i < count; i++)
        if (is_sync(&calls[i]) && calls[i].from_s >= after_s && calls[i].until_s > 0 &&
            calls[i].until_s <= before_s)
            return &calls[i];
    return NULL;
}

/* What comes with these first bytes ("": with any) comes in one read, and what is said to it leaves
 * after it: between them a whole sync. Says how many pairs it looked at. `from_s`: only later ones.
 */
static unsigned expect_answers_after_syncs(const struct call *calls, size_t count, long fd,
                                           const char *first_bytes, double from_s) {
    double received_s = 0;
    unsigned answers = 0;
    for (size_t i = 0; i < count; i++) {
        const struct call *c = &calls[i];
        if (c->fd != fd || c->from_s < from_s)
            continue;
        if (is_receive(c) && c->value > 0 &&
            strncmp(c->data, first_bytes, strlen(first_bytes)) == 0)
            received_s = c->until_s;
        if (!is_send(c) || received_s == 0)
            continue;
        const struct call *sync = sync_between(calls, count, received_s, c->from_s);
        cr_assert(sync, "something left by %ld at %.6f, with nothing synced since %.6f", fd,
                  c->from_s, received_s);
        received_s = 0;
        answers++;
    }
    return answers;
}

/* Answers to others that began and ended while a sync was held up. */
static unsigned answers_during_syncs(const struct call *calls, size_t count, long not_fd) {
    unsigned answers = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count && is_sync(&calls[i]); k++)
            answers += strcmp(calls[k].name, "sendto") == 0 && calls[k].fd != not_fd &&
                       calls[k].from_s > calls[i].from_s && calls[k].until_s < calls[i].until_s;
    return answers;
}

static bool is_accepted(const struct call *c) {
    return strncmp(c->name, "accept", 6) == 0 && c->value >= 0;
}

/* Who connected first after the start is A: it alone runs then. */
static long first_accepted(const struct call *calls, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (is_accepted(&calls[i]))
            return (long)calls[i].value;
    cr_assert_fail("nobody connected");
    return -1;
}

Test(order, no_ack_leaves_the_hub_before_its_sync_and_others_do_not_wait) {
    struct peer stranger;
    struct quickness q = {0};
    if (!can_trace())
        return;
    lab_kill(&lab, network_process(&net, "A"));
    lab_kill(&lab, network_process(&net, "B"));
    lab_kill(&lab, network_process(&net, "hub"));
    struct process *hub = traced_run(&net, "hub", slow_syncs);
    cr_assert(traced_comes_up(&lab, hub));
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(network_connected(&net, "A"));
    network_run_agent(&net, "B", NULL);
    EVENTUALLY(network_connected(&net, "B") && network_drained(&net, "A"));
    double from_s = (double)clock_wall_ms() / 1000;
    open_stranger(&stranger);
    for (int free = 2; free < 2 + UPDATES; free++) {
        AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%d", free));
        while (!network_drained(&net, "A"))
            look(&q, &stranger);
        EVENTUALLY(available_at_b() == free);
    }
    peer_close(&stranger);
    lab_kill(&lab, hub);
    size_t count = 0;
    struct call *calls = traced_calls(&lab, "hub", &count);
    long a = first_accepted(calls, count);
    unsigned acks = expect_answers_after_syncs(calls, count, a, "", from_s);
    unsigned answers = answers_during_syncs(calls, count, a);
    cr_assert_geq(acks, (unsigned)UPDATES, "found %u acks in %zu calls", acks, count);
    cr_assert_geq(answers, (unsigned)UPDATES, "nobody was answered while a sync was held up");
    faults_say("hub, syncs held up %d ms: %u acks, each after a sync that began when its entry was "
               "there; %u answers left during syncs; worst of %u GET /healthz %.1f ms, of %u pings "
               "%.0f ms",
               SYNC_MS, acks, answers, q.healths, q.worst_health_ms, q.pings, q.worst_ping_ms);
    free(calls);
    lab_pass(&lab);
}

/* ---- the agent ---- */

/* Each answer that follows a request's whole sync; the connection's number is used again. */
Test(order, no_set_is_answered_before_its_sync) {
    if (!can_trace())
        return;
    lab_stop(&lab, network_process(&net, "hub"));
    lab_kill(&lab, network_process(&net, "A"));
    struct process *agent = traced_run(&net, "A", slow_syncs);
    cr_assert(traced_comes_up(&lab, agent));
    double from_s = (double)clock_wall_ms() / 1000;
    for (int free = 2; free < 2 + UPDATES; free++)
        AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%d", free));
    lab_kill(&lab, agent);
    size_t count = 0;
    struct call *calls = traced_calls(&lab, "A", &count);
    unsigned answers = 0, accepted = 0;
    long fds[FDS_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct call *c = &calls[i];
        bool known = false;
        if (!is_accepted(c) || c->from_s < from_s)
            continue;
        for (unsigned k = 0; k < accepted; k++)
            known |= fds[k] == (long)c->value;
        if (!known && accepted < FDS_MAX)
            fds[accepted++] = (long)c->value;
    }
    for (unsigned k = 0; k < accepted; k++)
        answers += expect_answers_after_syncs(calls, count, fds[k], "POST", from_s);
    cr_assert_geq(answers, (unsigned)UPDATES, "found %u answers in %zu calls", answers, count);
    faults_say("agent, syncs held up %d ms: %u answers to `set`, each after a whole sync", SYNC_MS,
               answers);
    free(calls);
    lab_pass(&lab);
}

/* ---- what waited at the hub ---- */

/* Each update is a delivery of its own: B may see the history. */
#define HISTORY_TO_B                                                                               \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\"],\"services\":[\"*\"],"                  \
    "\"precision\":\"exact\",\"history\":true}]}"
#define WAITING 40

static unsigned syncs_from(const struct call *calls, size_t count, double from_s) {
    unsigned syncs = 0;
    for (size_t i = 0; i < count; i++)
        syncs += is_sync(&calls[i]) && calls[i].from_s >= from_s;
    return syncs;
}

Test(order, what_arrives_during_a_sync_shares_the_next_one) {
    if (!can_trace())
        return;
    network_policy(&net, "A", HISTORY_TO_B);
    EVENTUALLY(network_drained(&net, "A") && available_at_b() == 1);
    lab_stop(&lab, network_process(&net, "B"));
    for (int free = 2; free < 2 + WAITING; free++) {
        AGENT_DO(&net, "A", "set", "bed", lab_text(&lab, "free=%d", free));
        EVENTUALLY(network_drained(&net, "A"));
    }
    double from_s = (double)clock_wall_ms() / 1000;
    struct process *agent = traced_run(&net, "B", slow_syncs);
    cr_assert(traced_comes_up(&lab, agent));
    EVENTUALLY(available_at_b() == 1 + WAITING);
    lab_kill(&lab, agent);
    size_t count = 0;
    struct call *calls = traced_calls(&lab, "B", &count);
    unsigned syncs = syncs_from(calls, count, from_s);
    cr_assert_lt(syncs, (unsigned)WAITING / 2, "%u syncs for %d updates", syncs, WAITING);
    faults_say("agent, syncs held up %d ms: %u of them from its start until it had %d updates that "
               "waited at the hub",
               SYNC_MS, syncs, WAITING);
    free(calls);
    lab_pass(&lab);
}
