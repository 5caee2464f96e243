/* Owns a whole handshake between the fixed cast of party.h, for the tests of hello and channel.
 * Values in the tests' golden hashes depend on every line here. */
#ifndef PLEK_TEST_HANDSHAKE_H
#define PLEK_TEST_HANDSHAKE_H

#include "hello.h"
#include "party.h"

struct handshake {
    struct party party;
    struct hello_secret hub, agent;
    struct buf hub_hello, agent_hello, answer;
};

static inline void handshake_secret(struct hello_secret *ret, uint8_t nonce, uint8_t seed) {
    memset(ret->nonce, nonce, sizeof ret->nonce);
    ret->kx = party_box_pair(seed);
}

static inline struct head handshake_head(uint64_t incarnation, uint64_t seq, uint8_t fill) {
    struct head head = {.incarnation = incarnation, .seq = seq};
    memset(head.hash.b, fill, HASH_LEN);
    return head;
}

static inline struct agent_hello handshake_fields(const struct handshake *h) {
    return (struct agent_hello){.network = h->party.hub.pub,
                                .cert_bytes = buf_bytes(&h->party.cert),
                                .has_hub_head = true,
                                .hub_head = handshake_head(1, 42, 0x77),
                                .checkpoint = bytes_str("checkpoint text"),
                                .join = buf_bytes(&h->party.join),
                                .features = 5};
}

static inline struct welcome handshake_welcome(void) {
    return (struct welcome){.hub_time_ms = 1800000000123,
                            .hub_head = handshake_head(1, 43, 0x78),
                            .has_own_head = true,
                            .own_head = handshake_head(2, 9, 0x79),
                            .features = 5,
                            .credit_bytes = 65536};
}

static inline void handshake_init(struct handshake *h) {
    struct error e = {0};
    memset(h, 0, sizeof *h);
    party_init(&h->party);
    handshake_secret(&h->hub, 7, 8);
    handshake_secret(&h->agent, 9, 10);
    buf_init(&h->hub_hello, HELLO_MAX_BYTES);
    buf_init(&h->agent_hello, HELLO_MAX_BYTES);
    buf_init(&h->answer, HELLO_MAX_BYTES);
    cr_assert_eq(hub_hello_build(&h->party.hub.pub, &h->hub, &h->hub_hello, &e), ERR_OK);
    struct agent_hello fields = handshake_fields(h);
    cr_assert_eq(agent_hello_build(&fields, &h->agent, &h->party.hub.pub, buf_bytes(&h->hub_hello),
                                   &h->party.agent, &h->agent_hello, &e),
                 ERR_OK, "%s", e.detail);
    struct welcome welcome = handshake_welcome();
    cr_assert_eq(welcome_build(&welcome, buf_bytes(&h->hub_hello), buf_bytes(&h->agent_hello),
                               &h->party.hub, &h->answer, &e),
                 ERR_OK, "%s", e.detail);
}

static inline void handshake_done(struct handshake *h) {
    party_done(&h->party);
    buf_done(&h->hub_hello);
    buf_done(&h->agent_hello);
    buf_done(&h->answer);
}

#endif
