/* Owns the fixed cast of the identity and session tests: keys from one-byte seeds, a certificate
 * and a join request made of them. Values in the tests' golden hashes depend on every line here. */
#ifndef PLEK_TEST_PARTY_H
#define PLEK_TEST_PARTY_H

#include <criterion/criterion.h>
#include <string.h>

#include "join.h"

#define PARTY_PATTERN 0xa5 /* what outputs are filled with to see that they stay untouched */

struct party {
    struct sign_pair hub, member, next, agent, invite;
    struct box_pair box;
    struct cert cert_fields;
    struct buf cert, join;
};

static inline struct sign_pair party_sign_pair(uint8_t seed_byte) {
    uint8_t seed[SEED_LEN];
    struct sign_pair pair;
    memset(seed, seed_byte, sizeof seed);
    sign_pair_from_seed(&pair, seed);
    return pair;
}

static inline struct box_pair party_box_pair(uint8_t seed_byte) {
    uint8_t seed[SEED_LEN];
    struct box_pair pair;
    memset(seed, seed_byte, sizeof seed);
    box_pair_from_seed(&pair, seed);
    return pair;
}

static inline void party_init(struct party *p) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
    memset(p, 0, sizeof *p);
    p->hub = party_sign_pair(1);
    p->member = party_sign_pair(2);
    p->next = party_sign_pair(3);
    p->agent = party_sign_pair(4);
    p->box = party_box_pair(5);
    p->invite = party_sign_pair(6);
    p->cert_fields = (struct cert){.network = p->hub.pub,
                                   .member = p->member.pub,
                                   .agent = p->agent.pub,
                                   .box = p->box.pub,
                                   .serial = 7,
                                   .not_after_ms = 1800000000000,
                                   .label = "Huis Zuid"};
    buf_init(&p->cert, CERT_MAX_BYTES);
    buf_init(&p->join, JOIN_MAX_BYTES);
    cr_assert_eq(cert_issue(&p->cert_fields, &p->member, &p->agent, &p->cert, &e), ERR_OK, "%s",
                 e.detail);
    struct hash next = hash_blake2b(bytes_of(p->next.pub.b, KEY_LEN));
    cr_assert_eq(join_build(&p->hub.pub, &p->invite, &p->member, &next, &p->agent,
                            buf_bytes(&p->cert), &p->join, &e),
                 ERR_OK, "%s", e.detail);
}

static inline void party_done(struct party *p) {
    buf_done(&p->cert);
    buf_done(&p->join);
}

static inline void party_fill(void *out, size_t len) {
    memset(out, PARTY_PATTERN, len);
}

static inline bool party_untouched(const void *out, size_t len) {
    const uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != PARTY_PATTERN)
            return false;
    return true;
}

/* The BLAKE2b-256 of `in` in hex; out has 65 bytes. */
static inline const char *party_hash_hex(struct bytes in, char out[static 65]) {
    struct hash h = hash_blake2b(in);
    hex_encode(out, bytes_of(h.b, HASH_LEN));
    return out;
}

#endif
