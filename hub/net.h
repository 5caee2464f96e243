/* Owns the hub's network thread: libwebsockets on libuv, connections and their session machines,
 * limits, and the way to workers and store. Translates and delegates. */
#ifndef PLEK_HUB_NET_H
#define PLEK_HUB_NET_H

#include <uv.h>

#include "job.h"
#include "settings.h"
#include "verify.h"

struct net;
struct net_config {
    const struct hub_settings *settings;
    const char *dir;
    const struct sign_pair *keys; /* borrowed */
    const struct entropy *entropy;
    struct job_queue *store;           /* LOAD, API, NOTE */
    struct job_queue *done;            /* answers */
    const char *listen;                /* ADDR:PORT, port 0: any */
    const char *web_root, *web_shared; /* files of the screens while somebody works on them */
};
/* Listens on the address and on DIR/api.sock. ERR_IO, ERR_CONFIG, ERR_NO_MEMORY. */
enum err net_open(const struct net_config *config, struct net **ret, struct error *e) MUST_USE;
void net_set_verify(struct net *net, struct verify *verify);
/* "127.0.0.1:43121": what was bound. Borrowed. */
const char *net_address(const struct net *net);
/* Any thread: look at `done`. */
void net_wake(void *ctx);
/* Until SIGTERM or SIGINT; then every session is told to leave. */
void net_run(struct net *net);
void net_close(struct net *net); /* after workers and store have stopped; accepts NULL */

#endif
