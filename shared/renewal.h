/* Owns the plain view of a key renewal: an agent's new X25519 key. Source: docs/protocol.md, "Key
 * renewal". Must not know who said it, nor order renewals. */
#ifndef PLEK_RENEWAL_H
#define PLEK_RENEWAL_H

#include "keys.h"

#define RENEWAL_MAX_BYTES 128

/* since_ms: when the key was made, by its owner's clock. */
enum err renewal_encode(const struct public_key *box, int64_t since_ms, struct buf *out,
                        struct error *e) MUST_USE;
/* Strictly, as every view that is not sealed. ERR_MALFORMED, ERR_CAP, ERR_LOW_ORDER, ERR_NO_MEMORY.
 */
enum err renewal_decode(struct bytes view, struct public_key *ret_box, struct error *e) MUST_USE;

#endif
