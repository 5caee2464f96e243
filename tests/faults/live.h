/* Owns one synthetic member that publishes one update after the other, on a thread and sockets of
 * its own, and how long each took until its ack. Must not know what else happens to its hub. */
#ifndef PLEK_TEST_LIVE_H
#define PLEK_TEST_LIVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "puppet.h"

#define LIVE_SAMPLES_MAX 100000

struct live {
    struct puppet_network network;
    struct puppet puppet;
    pthread_t thread;
    atomic_bool stop;
    bool lost;
    int64_t retry_at_ms, sent_ns;
    double samples[LIVE_SAMPLES_MAX]; /* ms, of the newest run */
    size_t count;
    enum err failed;
    struct error why;
};

/* From an invitation's URI. It joins when it first runs. */
enum err live_init(struct live *l, const char *uri, struct error *e) MUST_USE;
void live_done(struct live *l);
/* Connects to "ws://host:port" and publishes until live_end, whose last update is acknowledged. */
enum err live_begin(struct live *l, const char *address, struct error *e) MUST_USE;
enum err live_end(struct live *l, struct error *e) MUST_USE;

#endif
