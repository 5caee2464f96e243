/* Owns what the inbox's files share: inbox.c verifies an author's excerpt, inbox_history.c takes
 * its history, inbox_renewal.c its key renewal, inbox_hub.c takes the hub's feed. Must not be
 * included by anything else. */
#ifndef PLEK_AGENT_INBOX_PRIVATE_H
#define PLEK_AGENT_INBOX_PRIVATE_H

#include "entry.h"
#include "inbox.h"

/* One excerpt on its way in. */
struct delivery {
    const struct entry *entry;
    struct bytes excerpt;
    uint64_t position;
    int64_t received_ms, now_ms;
};

/* How far the sender's clock was ahead when the hub took the entry: 0 or less. ERR_VALIDITY. */
enum err inbox_clock_shift(const struct delivery *d, int64_t *ret, struct error *e) MUST_USE;
/* An entry of the hub's feed, not yet verified; the directory follows it. ERR_OLD: held already. */
enum err inbox_take_hub(struct agent *a, const struct delivery *d, struct error *e) MUST_USE;
/* The views of a verified excerpt of class history. Kinds this version does not know are passed
 * over. ERR_NO_KEY: of one the key is not held; nothing of it is kept, the hub gives it again
 * behind the grant. */
enum err inbox_take_history(struct agent *a, const struct delivery *d, struct error *e) MUST_USE;
/* A verified key renewal: the newest of its agent is what grants are sealed to. ERR_OLD,
 * ERR_MALFORMED, ERR_LOW_ORDER. */
enum err inbox_take_renewal(struct agent *a, const struct delivery *d, struct error *e) MUST_USE;

#endif
