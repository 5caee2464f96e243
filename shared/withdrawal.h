/* Owns the plaintext of a withdraw view: an audience's picture of its author is to be removed.
 * Source: docs/protocol.md, "Withdrawals". Must not seal, nor know the audience. */
#ifndef PLEK_WITHDRAWAL_H
#define PLEK_WITHDRAWAL_H

#include "bytes.h"

/* counter: 1 for the audience's first withdrawal, one more for each after it. */
enum err withdrawal_encode(uint64_t counter, struct buf *out, struct error *e) MUST_USE;
/* As views are read: unknown fields are ignored. ERR_MALFORMED, ERR_CAP, ERR_NO_MEMORY. */
enum err withdrawal_decode(struct bytes plain, uint64_t *ret_counter, struct error *e) MUST_USE;

#endif
