/* Owns certificates: a member key vouching for an agent's keys. Source: docs/protocol.md,
 * "Certificates". */
#ifndef PLEK_CERT_H
#define PLEK_CERT_H

#include "keys.h"

#define CERT_MAX_BYTES 1024
#define CERT_MAX_LABEL 64

struct cert {
    struct public_key network, member, agent, box;
    uint64_t serial;
    int64_t not_after_ms;
    char label[CERT_MAX_LABEL + 1];
};

/* Appends the SignedCertificate's bytes. */
enum err cert_issue(const struct cert *cert, const struct sign_pair *member,
                    const struct sign_pair *agent, struct buf *out, struct error *e) MUST_USE;
/* The same in two steps, where the keys are on two machines. Appends the Certificate's bytes, with
 * the member's signature in *ret; */
enum err cert_sign(const struct cert *cert, const struct sign_pair *member, struct buf *out,
                   struct signature *ret, struct error *e) MUST_USE;
/* then the SignedCertificate's; *ret is what was verified, as by cert_verify. */
enum err cert_countersign(struct bytes certificate, const struct signature *by_member,
                          const struct sign_pair *agent, struct buf *out, struct cert *ret,
                          struct error *e) MUST_USE;
/* Decodes strictly, verifies both signatures and the box key (low order). The network is the
 * caller's to compare. Expiry is never an error (design 5). ERR_MALFORMED, ERR_CAP, ERR_FORMAT,
 * ERR_CERTIFICATE, ERR_LOW_ORDER. */
enum err cert_verify(struct bytes in, struct cert *ret, struct error *e) MUST_USE;

#endif
