/* Owns a TCP proxy that does badly on purpose: on a thread and loop of its own, towards one
 * address, by a rule that the test changes while it runs. Must not know what the bytes mean: a hook
 * may. */
#ifndef PLEK_TEST_PROXY_H
#define PLEK_TEST_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

enum proxy_way { PROXY_UP, PROXY_DOWN }; /* from who connected; back to it */

/* Holds for every connection from the moment it is set. All zero, with proxy_plain: a wire. */
struct proxy_rule {
    int64_t delay_ms;    /* each piece goes on so much later */
    int64_t bytes_per_s; /* each way; 0: as they come */
    int64_t cut_at[2]; /* by way: ends the connection when so many bytes of it went by; -1: never */
    bool reset;        /* what ends is reset (RST) at both ends, not closed */
    bool silent;       /* takes everything, passes nothing on, and closes nothing */
    int64_t idle_cut_ms; /* ends a connection after so long without a byte; 0: never */
    bool twice;          /* what goes up goes to a second connection too; its answers go nowhere */
};
static inline struct proxy_rule proxy_plain(void) {
    return (struct proxy_rule){.cut_at = {-1, -1}};
}

/* What sees, and may change, all that goes by. Called on the proxy's thread. */
struct proxy_hook {
    void *(*opened)(void *ctx); /* what `passes` and `closed` are given of a connection */
    /* out[way] is passed on that way: what came, something else, or nothing. */
    void (*passes)(void *connection, enum proxy_way way, struct bytes in, struct buf out[2]);
    void (*closed)(void *connection);
    void *ctx;
};

struct proxy_counts {
    unsigned opened, cut, closed, doubled;
    uint64_t bytes[2];
};

struct proxy;
/* To "host:port"; `hook` NULL: none. Listens on a free port of the same host. Fails the test. */
struct proxy *proxy_new(const char *target, const struct proxy_hook *hook);
/* Ends every connection, the loop and the thread. Accepts NULL. */
void proxy_free(struct proxy *p);
const char *proxy_address(const struct proxy *p); /* "host:port" */
void proxy_set(struct proxy *p, const struct proxy_rule *rule);
/* Ends every connection that there is, as the rule says. */
void proxy_cut_all(struct proxy *p);
struct proxy_counts proxy_count(struct proxy *p);

#endif
