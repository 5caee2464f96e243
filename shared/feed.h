/* Owns the hub's rule and the chain part of the reader's rule (design 5). Pure decisions: who may
 * append what. Source: docs/protocol.md, "The hub's rule", "The reader's rule". */
#ifndef PLEK_FEED_H
#define PLEK_FEED_H

#include "entry.h"

enum feed_verdict {
    FEED_ACCEPT,
    FEED_HELD,   /* the head or an older entry with this very hash: acknowledge again */
    FEED_REJECT, /* see error */
    FEED_FORK    /* other bytes for a seq that is held, signature verified: keep both, stop */
};

/* What the hub holds of this author: its head (seq 0: nothing), and the hash held at the entry's
 * (incarnation, seq) when it is at or below the head (NULL when not held any more: ERR_OLD). */
struct feed_place {
    struct head head;
    const struct hash *held;
};

/* The hub's rule but for author, signature, leaves and rate, which come before it:
 * the head's incarnation with seq + 1, or the next incarnation with kind `open` and seq + 1;
 * (1, 1) first, kind open (or genesis for a hub feed), prev zero; prev = head.
 * Errors: ERR_INCARNATION, ERR_SEQ, ERR_PREV, ERR_KIND, ERR_OLD, ERR_FORK. */
enum feed_verdict feed_check(const struct feed_place *place, const struct header *header,
                             const struct hash *hash, struct error *e);
/* What views an entry may carry. Of an agent: the known sealed kinds with a target of their length,
 * neither target nor key id zero; at most ENTRY_MAX_GRANTS grants; no two views with the same
 * (target, kind, key_id); plain alone, and only in a key renewal. Of the hub: exactly one plain
 * view, with data, and no hub_head or checkpoint. Unknown kinds pass in an agent's entry. An
 * excerpt is judged by what it carries. ERR_KIND, ERR_CAP. */
enum err feed_check_views(const struct entry *entry, bool hub_feed, struct error *e) MUST_USE;
/* (incarnation, seq) of a exceeds b's. */
bool head_after(const struct head *a, const struct head *b);

#endif
