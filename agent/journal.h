/* Owns writing the organisation's own journal: what was sealed to whom, and what people decided
 * about sharing. A row is written in the transaction of what it tells. Must not read it back
 * (audit.h). */
#ifndef PLEK_AGENT_JOURNAL_H
#define PLEK_AGENT_JOURNAL_H

#include "circle.h"

/* Two years, whatever the charter keeps: the journal never leaves the organisation. */
#define JOURNAL_KEEP_MS (INT64_C(731) * 24 * 3600 * 1000)

/* Events, as they are stored and shown. */
#define JOURNAL_STATE "state"           /* a state was sealed to an audience */
#define JOURNAL_HISTORY "history"       /* past figures were sealed to an audience */
#define JOURNAL_KEYS "keys"             /* these members were given an audience's key */
#define JOURNAL_POLICY "policy"         /* a policy was applied */
#define JOURNAL_APPROVED "approved"     /* a partner was approved */
#define JOURNAL_FORGOTTEN "forgotten"   /* its approval was withdrawn */
#define JOURNAL_REFUSED "refused"       /* it was refused: trust = directory does not let it in */
#define JOURNAL_WAITING "waiting"       /* trust = directory: it stands in status from now on */
#define JOURNAL_TRUSTED "trusted"       /* ... and stood there long enough: it is let in */
#define JOURNAL_WITHDRAWN "withdrawn"   /* somebody withdrew an audience's picture */
#define JOURNAL_WITHDRAWAL "withdrawal" /* ... and that was sealed to it */
#define JOURNAL_RESUMED "resumed"       /* undone, a policy was applied, or a pause ended */
#define JOURNAL_PAUSED "paused"         /* nothing newer is sealed to an audience */

struct journal_row {
    const char *event;
    int64_t at_ms;
    const struct public_key *members; /* in any order, any number of times */
    size_t member_count;
    const char *audience, *precision, *services; /* NULL: none */
    struct head entry;                           /* of the own feed; seq 0: none */
    uint32_t policy;                             /* 0: the one in force */
    const char *actor;                           /* NULL: who applied that policy */
    const char *detail;                          /* JSON text; NULL: none */
};
/* The caller's transaction, or one of its own. */
enum err journal_add(struct agent *a, const struct journal_row *row, struct error *e) MUST_USE;
/* After circle_store: what the entry at `head` holds for this audience. */
enum err journal_sealed(struct agent *a, const struct circle *c, const struct head *head,
                        int64_t now_ms, struct error *e) MUST_USE;
/* Drops a bounded number of rows older than JOURNAL_KEEP_MS by the hub's clock. */
enum err journal_prune(struct agent *a, int64_t now_ms, struct error *e) MUST_USE;

#endif
