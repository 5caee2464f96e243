/* Owns the three handshake messages and the keys that come out of them.
 * Source: docs/protocol.md, "Session". Pure: nonces and ephemeral seeds are passed in. */
#ifndef PLEK_HELLO_H
#define PLEK_HELLO_H

#include "cert.h"
#include "entry.h"
#include "join.h"

#define PROTOCOL_VERSION 1u
#define HELLO_MAX_BYTES 8192
#define HELLO_NONCE_LEN 32

/* One side's secrets of one handshake. */
struct hello_secret {
    uint8_t nonce[HELLO_NONCE_LEN];
    struct box_pair kx;
};
void hello_secret_from_entropy(struct hello_secret *ret, const struct entropy *r);
void hello_secret_wipe(struct hello_secret *s);

/* 1. hub -> agent, unsigned (the answer's signature covers it). */
enum err hub_hello_build(const struct public_key *network, const struct hello_secret *secret,
                         struct buf *out, struct error *e) MUST_USE;
struct hub_hello {
    struct public_key network, kx;
    uint64_t features;
};
/* ERR_MALFORMED, ERR_CAP, ERR_VERSION, ERR_NETWORK (another hub than the pinned one),
 * ERR_LOW_ORDER (its kx key). */
enum err hub_hello_parse(struct bytes in, const struct public_key *pinned, struct hub_hello *ret,
                         struct error *e) MUST_USE;

/* 2. agent -> hub, signed over (pinned hub key, hub hello, hello). */
struct agent_hello {
    struct public_key network, kx;
    struct cert cert;        /* verified */
    struct bytes cert_bytes; /* borrowed */
    bool has_hub_head;
    struct head hub_head;
    struct bytes checkpoint, join; /* borrowed; len 0: none */
    uint64_t features;
};
enum err agent_hello_build(const struct agent_hello *fields, const struct hello_secret *secret,
                           const struct public_key *hub, struct bytes hub_hello,
                           const struct sign_pair *agent, struct buf *out, struct error *e)
    MUST_USE;
/* Certificate and signature verified; the directory is the caller's. ERR_MALFORMED, ERR_CAP,
 * ERR_VERSION, ERR_NETWORK, ERR_CERTIFICATE, ERR_SIGNATURE, ERR_LOW_ORDER. */
enum err agent_hello_verify(struct bytes in, const struct public_key *hub, struct bytes hub_hello,
                            struct agent_hello *ret, struct error *e) MUST_USE;

/* 3. hub -> agent, signed over (hub hello, signed agent hello, which, answer). */
struct welcome {
    int64_t hub_time_ms;
    struct head hub_head;
    bool has_own_head;
    struct head own_head;
    uint64_t features, credit_bytes;
};
#define REFUSED_DETAIL_MAX 256
struct refused {
    enum err code;
    int64_t hub_time_ms;
    char detail[REFUSED_DETAIL_MAX + 1];
    uint32_t retry_after_ms;   /* 0: none */
    int64_t used_ms;           /* 0: none */
    struct public_key used_by; /* zero: none */
};
enum err welcome_build(const struct welcome *w, struct bytes hub_hello, struct bytes agent_hello,
                       const struct sign_pair *hub, struct buf *out, struct error *e) MUST_USE;
enum err refused_build(const struct refused *r, struct bytes hub_hello, struct bytes agent_hello,
                       const struct sign_pair *hub, struct buf *out, struct error *e) MUST_USE;
/* Nothing is believed before the signature verifies. Exactly one of the two is filled:
 * *ret_welcomed says which. ERR_MALFORMED, ERR_CAP, ERR_SIGNATURE. */
enum err answer_verify(struct bytes in, const struct public_key *hub, struct bytes hub_hello,
                       struct bytes agent_hello, bool *ret_welcomed, struct welcome *ret_welcome,
                       struct refused *ret_refused, struct error *e) MUST_USE;

#endif
