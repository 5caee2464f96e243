/* Owns the rule by which sums are shown to others than the operator: none of fewer than k members,
 * none that follows from others by subtraction, and none that changes by fewer than k members.
 * Pure. Source: design 7; docs/aggregate.md, "Published figures". */
#ifndef PLEK_HUB_PUBLISHED_H
#define PLEK_HUB_PUBLISHED_H

#include "days.h"

#define PUBLISHED_DIGEST_LEN 16

/* One member's contribution to a region: who (keyed, so that the store does not name it) and a
 * digest of what it adds. Bytes only: kept as they are. */
struct published_part {
    char region[REGION_MAX + 1]; /* DAYS_NOWHERE: of sites without one; the rest is zeros */
    uint8_t who[PUBLISHED_DIGEST_LEN], what[PUBLISHED_DIGEST_LEN];
};
/* By region and who. */
void published_sort(struct published_part *parts, size_t count);

enum published_verdict {
    PUBLISHED_KEEP, /* what is shown, if anything, stays */
    PUBLISHED_SHOW, /* the new figure takes its place */
    PUBLISHED_HIDE  /* nothing is shown any more */
};
/* One cell of a service and day: the whole network first, then regions ascending. */
struct published_cell {
    char region[REGION_MAX + 1];        /* "": the whole network */
    bool known;                         /* it was shown before */
    const struct published_part *parts; /* who stood behind what was shown; sorted, borrowed */
    size_t count;
    enum published_verdict verdict; /* the answer */
};
/* `fresh`: the contributions as they are now, sorted. Sets every verdict. ERR_NO_MEMORY. */
enum err published_decide(int64_t k, const struct published_part *fresh, size_t fresh_count,
                          struct published_cell *cells, size_t count, struct error *e) MUST_USE;

#endif
