/* Owns one synthetic member that publishes one update after the other (live.h). */
#include "live.h"

#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "clock.h"

#define PASS_MS 1
#define RETRY_MS 100
#define PATIENCE_MS 60000 /* for the last ack */

static void on_lost(void *ctx, struct puppet *p, enum err code, int64_t retry_after_ms) {
    struct live *l = ctx;
    (void)p, (void)code;
    l->lost = true;
    l->retry_at_ms = clock_monotonic_ms() + retry_after_ms + RETRY_MS;
}

static bool all_acked(const struct live *l) {
    return l->puppet.acked_seq >= l->puppet.signed_head.seq;
}

static void on_acked(void *ctx, struct puppet *p) {
    struct live *l = ctx;
    (void)p;
    if (l->sent_ns == 0 || !all_acked(l))
        return;
    if (l->count < LIVE_SAMPLES_MAX)
        l->samples[l->count++] = (double)(bench_now_ns() - l->sent_ns) / 1e6;
    l->sent_ns = 0;
}

enum err live_init(struct live *l, const char *uri, struct error *e) {
    memset(l, 0, sizeof *l);
    enum err err = puppet_network_init(&l->network, e);
    if (err == ERR_OK)
        err = puppet_init(&l->puppet, &l->network, -1, uri, e);
    l->puppet.lost = on_lost;
    l->puppet.acked = on_acked;
    l->puppet.take_ctx = l;
    return err;
}

void live_done(struct live *l) {
    if (!l->network.sockets)
        return; /* never made */
    puppet_done(&l->puppet);
    puppet_network_done(&l->network);
}

/* Connects, sends what waits, and publishes anew when all is acknowledged. */
static enum err go_on(struct live *l, bool publish, struct error *e) {
    struct puppet *p = &l->puppet;
    enum err err = ERR_OK;
    if (l->lost && clock_monotonic_ms() >= l->retry_at_ms) {
        puppet_disconnect(p);
        l->lost = false;
        err = puppet_connect(p, e);
    }
    if (err == ERR_OK && !l->lost && publish && all_acked(l) && peer_caught_up(p->peer)) {
        err = p->signed_head.seq == 0 ? puppet_open_feed(p, NULL, 0, clock_wall_ms(), e)
                                      : puppet_seal_state(p, clock_wall_ms(), e);
        l->sent_ns = bench_now_ns();
    }
    if (err == ERR_OK && !l->lost && peer_caught_up(p->peer))
        peer_outbox(p->peer);
    return err == ERR_OK ? sockets_pass(l->network.sockets, PASS_MS, e) : err;
}

static void *run(void *arg) {
    struct live *l = arg;
    int64_t until_ms = INT64_MAX;
    while (l->failed == ERR_OK && (!atomic_load(&l->stop) || !all_acked(l))) {
        bool stopping = atomic_load(&l->stop);
        if (stopping && until_ms == INT64_MAX)
            until_ms = clock_monotonic_ms() + PATIENCE_MS;
        l->failed = go_on(l, !stopping, &l->why);
        if (l->failed == ERR_OK && l->network.failed) {
            l->why = l->network.why;
            l->failed = l->why.code;
        }
        if (l->failed == ERR_OK && clock_monotonic_ms() > until_ms)
            l->failed = error_set(&l->why, ERR_TIMEOUT, "the last update was not acknowledged");
    }
    return NULL;
}

enum err live_begin(struct live *l, const char *address, struct error *e) {
    snprintf(l->network.address, sizeof l->network.address, "%s", address);
    atomic_store(&l->stop, false);
    l->count = 0;
    l->sent_ns = l->retry_at_ms = 0;
    l->lost = true;
    if (pthread_create(&l->thread, NULL, run, l) != 0)
        return error_set(e, ERR_NO_MEMORY, "no thread");
    return ERR_OK;
}

enum err live_end(struct live *l, struct error *e) {
    atomic_store(&l->stop, true);
    pthread_join(l->thread, NULL);
    puppet_disconnect(&l->puppet);
    if (l->failed != ERR_OK)
        *e = l->why;
    return l->failed;
}
