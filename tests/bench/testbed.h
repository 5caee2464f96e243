/* Owns the network a measurement runs on: a real hub process on loopback, its invitations, and the
 * puppets that joined it. Must not measure. */
#ifndef PLEK_BENCH_TESTBED_H
#define PLEK_BENCH_TESTBED_H

#include "bench.h"
#include "process.h"
#include "puppet.h"

struct client;

struct testbed {
    const struct bench *bench;
    char dir[BENCH_PATH_MAX]; /* everything of this network */
    char hub_dir[BENCH_PATH_MAX];
    struct process hub;
    bool tls;
    struct puppet_network network;
    struct puppet *puppets;
    size_t count;
    struct client *client; /* to the hub's local API; NULL: not open */
};

/* Initialises and starts a hub whose limits for one member and one address are out of the way: all
 * load comes from 127.0.0.1. `tls`: wss, with a certificate made here. */
enum err testbed_open(struct testbed *t, const struct bench *b, const char *name, bool tls,
                      struct error *e) MUST_USE;
void testbed_close(struct testbed *t);
enum err testbed_start_hub(struct testbed *t, struct error *e) MUST_USE;
enum err testbed_stop_hub(struct testbed *t, struct error *e) MUST_USE;
void testbed_kill_hub(struct testbed *t); /* as by a power cut */

/* The URI of a new invitation. */
enum err testbed_invite(struct testbed *t, const char *name, char ret[static INVITE_URI_MAX],
                        struct error *e) MUST_USE;
/* Makes `count` puppets and lets each join through the protocol; they are disconnected afterwards.
 */
enum err testbed_join(struct testbed *t, size_t count, struct error *e) MUST_USE;
/* Connects puppets [from, to) and waits until all are established. */
enum err testbed_connect(struct testbed *t, size_t from, size_t to, struct error *e) MUST_USE;
/* Puppets [from, to) push what they sealed, and are disconnected once all of it is acknowledged. */
enum err testbed_push(struct testbed *t, size_t from, size_t to, struct error *e) MUST_USE;
/* Passes until `done` gives true. ERR_TIMEOUT after `seconds`, or what cut a puppet off. */
enum err testbed_until(struct testbed *t, bool (*done)(void *ctx), void *ctx, int seconds,
                       struct error *e) MUST_USE;

#endif
