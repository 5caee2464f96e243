/* Owns somebody in the middle of a plain websocket: relays the handshake and every message, and, as
 * a test asks, changes, drops, swaps, repeats, reflects or forges some. A hook of a proxy
 * (proxy.h). Knows websocket frames and which message comes when, and has no key. */
#ifndef PLEK_TEST_MIDDLE_H
#define PLEK_TEST_MIDDLE_H

#include "prng.h"
#include "proxy.h"

enum middle_attack {
    MIDDLE_RELAY, /* and keep the handshake and the last sealed message, for later */
    /* one message, the at-th of its way: 0 is the hello, down 1 the hub's answer, the rest sealed
     */
    MIDDLE_FLIP,    /* one bit of it */
    MIDDLE_DROP,    /* it never comes */
    MIDDLE_SWAP,    /* it comes after the next one */
    MIDDLE_TWICE,   /* it comes twice */
    MIDDLE_REFLECT, /* who sent it gets it, too */
    /* everything sealed that goes up is swallowed, and answered with what could be an ack: */
    MIDDLE_FORGE_BYTES,  /* bytes made up */
    MIDDLE_FORGE_REPEAT, /* the last sealed message that came down here */
    MIDDLE_FORGE_OTHER,  /* one that was kept, of another session */
    MIDDLE_FORGE_OWN,    /* what just went up */
    /* the hub is played: */
    MIDDLE_OWN_KEY,      /* a hello with another network key */
    MIDDLE_OLD_ANSWER,   /* the hub's hello, and the answer that was kept */
    MIDDLE_OLD_HANDSHAKE /* both as they were kept; the hub hears nothing */
};

struct middle;
struct middle *middle_new(uint64_t seed);
void middle_free(struct middle *m); /* after its proxy; accepts NULL */
struct proxy_hook middle_hook(struct middle *m);
/* From now on. `way` and `at`: of attacks on one message. */
void middle_set(struct middle *m, enum middle_attack attack, enum proxy_way way, unsigned at);
/* How many messages were not relayed as they came, since middle_set. */
unsigned middle_done(struct middle *m);

#endif
