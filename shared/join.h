/* Owns the invitation URI and the join request. Source: docs/protocol.md, "Enrolment". */
#ifndef PLEK_JOIN_H
#define PLEK_JOIN_H

#include "cert.h"

#define JOIN_MAX_BYTES 4096
#define INVITE_URI_MAX 512
#define INVITE_ADDRESS_MAX 256 /* "wss://host:port" and its NUL */

/* plek:ws://HOST:PORT#hub=<b64url>&seed=<b64url>&expires=<unix seconds>  (wss likewise) */
struct invite {
    char address[INVITE_ADDRESS_MAX]; /* "ws://HOST:PORT" or "wss://HOST:PORT" */
    struct public_key network;        /* the hub's key */
    uint8_t seed[SEED_LEN];           /* secret: wipe with invite_wipe */
    int64_t expires_ms;
};
void invite_wipe(struct invite *i);
enum err invite_format(const struct invite *i, char out[static INVITE_URI_MAX], struct error *e)
    MUST_USE;
/* ERR_DATA with what was found and expected, never printing the seed. */
enum err invite_parse(const char *uri, struct invite *ret, struct error *e) MUST_USE;
/* "[ws://|wss://]HOST:PORT" checked and completed with ws:// ; ERR_DATA. */
enum err address_parse(const char *text, char out[static INVITE_ADDRESS_MAX], struct error *e)
    MUST_USE;
/* Whether a setting can be an address; "" is: none. ERR_DATA. */
enum err address_check(const char *text, struct error *e) MUST_USE;

struct join {
    struct public_key network, invite;
    struct hash next_member; /* BLAKE2b-256 of the successor member key */
    struct cert cert;        /* verified */
    struct bytes cert_bytes; /* borrowed from the bytes given to join_verify */
};

/* Appends the SignedJoin's bytes; deterministic: the same keys give the same request. */
enum err join_build(const struct public_key *network, const struct sign_pair *invite,
                    const struct sign_pair *member, const struct hash *next_member,
                    const struct sign_pair *agent, struct bytes cert, struct buf *out,
                    struct error *e) MUST_USE;
/* Strict decode, all three signatures, the certificate, network and member alike throughout.
 * ERR_MALFORMED, ERR_CAP, ERR_FORMAT, ERR_SIGNATURE, ERR_CERTIFICATE, ERR_NETWORK, ERR_LOW_ORDER.
 */
enum err join_verify(struct bytes in, const struct public_key *network, struct join *ret,
                     struct error *e) MUST_USE;

#endif
