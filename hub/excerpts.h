/* Owns a small cache of excerpts ready to send: one update goes to many readers, and is made once.
 * Must not know how an excerpt is made. */
#ifndef PLEK_HUB_EXCERPTS_H
#define PLEK_HUB_EXCERPTS_H

#include "blob.h"

#define EXCERPTS_SLOTS 2048
#define EXCERPTS_MAX_BYTES (16 * 1024) /* larger ones are not kept: at most 32 MiB in all */

struct excerpts_slot {
    uint64_t place; /* 0: free; no view stands there, because log indices start at 1 */
    int table;
    int64_t received_ms;
    struct blob *blob;
};
struct excerpts {
    struct excerpts_slot slots[EXCERPTS_SLOTS];
};

void excerpts_done(struct excerpts *x); /* forgets everything; usable afterwards */
/* A share of its own for the caller, or NULL. */
struct blob *excerpts_get(const struct excerpts *x, int table, uint64_t place,
                          int64_t *ret_received_ms);
/* Keeps a share; `blob` stays the caller's. */
void excerpts_put(struct excerpts *x, int table, uint64_t place, struct blob *blob,
                  int64_t received_ms);

#endif
