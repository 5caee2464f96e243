/* Owns when a websocket is pinged and given up, the same at both ends (docs/protocol.md, "Timing").
 * In test builds (PLEK_FAILPOINTS) PLEK_PING_S shortens both. */
#ifndef PLEK_KEEPALIVE_H
#define PLEK_KEEPALIVE_H

#include <libwebsockets.h>
#include <stdlib.h>

#define KEEPALIVE_PING_S 25
#define KEEPALIVE_HANGUP_S 50

static inline lws_retry_bo_t keepalive_policy(void) {
    lws_retry_bo_t policy = {.secs_since_valid_ping = KEEPALIVE_PING_S,
                             .secs_since_valid_hangup = KEEPALIVE_HANGUP_S};
#ifdef PLEK_FAILPOINTS
    const char *ping = getenv("PLEK_PING_S");
    if (ping) {
        policy.secs_since_valid_ping = (uint16_t)strtol(ping, NULL, 10);
        policy.secs_since_valid_hangup = (uint16_t)(policy.secs_since_valid_ping * 2);
    }
#endif
    return policy;
}

#endif
