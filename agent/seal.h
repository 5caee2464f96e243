/* Owns making the next entry of the own feed: grants and states of all audiences that need any, as
 * far as they fit, then history. Source: design 5 "Sealing", "Audience keys". Must not decide when
 * (outbox.h). */
#ifndef PLEK_AGENT_SEAL_H
#define PLEK_AGENT_SEAL_H

#include "circle.h"

/* A look at everything the policy shares. Reads only. */
struct sealing {
    struct records records;
    struct approvals approvals;
    struct circle *circles; /* one per audience of the policy */
    size_t count;
};
enum err sealing_load(struct agent *a, int64_t now_ms, struct sealing *ret, struct error *e)
    MUST_USE;
void sealing_done(struct sealing *s);
int64_t sealing_due(const struct sealing *s); /* audiences with something to send */

/* Makes one entry after `own`, of at most max_bytes; keys and rows are stored with it. An
 * audience's state goes only when all its grants went, here or before; history only when all states
 * did. *ret NULL: nothing fits or
 * nothing is due. *ret_complete: nothing is left for a following entry. */
enum err sealing_entry(struct agent *a, struct sealing *s, const struct head *own, size_t max_bytes,
                       int64_t now_ms, struct blob **ret, struct head *ret_head, bool *ret_complete,
                       struct error *e) MUST_USE;
/* The same for withdrawals that are to be said: they go first and alone, because a state in the
 * same entry would not be newer than they are. *ret_any: some are left, made or not. */
enum err sealing_withdrawals(struct agent *a, const struct head *own, size_t max_bytes,
                             int64_t now_ms, struct blob **ret, struct head *ret_head,
                             bool *ret_any, struct error *e) MUST_USE;
/* The own feed's next entry, when the next box key is to be announced: the one that announces it,
 * or, in a feed that was never opened, the one that opens it. At most SEALING_RENEWAL_BYTES. */
#define SEALING_RENEWAL_BYTES 1024
enum err sealing_renewal(struct agent *a, const struct head *own, int64_t now_ms, struct blob **ret,
                         struct head *ret_head, struct error *e) MUST_USE;
/* Alarms for what cannot be sealed, clears those that are over, keys of audiences that are gone. */
enum err sealing_tidy(struct agent *a, const struct sealing *s, int64_t now_ms, struct error *e)
    MUST_USE;

#endif
