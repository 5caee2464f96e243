/* Owns the sums over what members sent to the hub's own audience: intervals, coverage, per service
 * for the whole network and per region. Pure. Source: design 7. */
#ifndef PLEK_HUB_AGGREGATE_H
#define PLEK_HUB_AGGREGATE_H

#include "cell.h"

/* One opened picture, its times corrected already. Of one member's agent with several, the newest
 * has the highest `order`. */
struct contribution {
    struct public_key member;
    int64_t author;
    uint64_t order;
    struct snapshot *snapshot;
};
/* By member and author, of each author the newest first. */
void contribution_sort(struct contribution *items, size_t count);

struct aggregate_query {
    const struct charter *charter;
    const char *service, *region; /* NULL: all; the region filter leaves the whole network out */
    const char *day;              /* what the rows say */
    int64_t now_ms;
    int64_t never; /* providers of which nothing was ever opened */
};
/* Rows as `aggregate --json` prints them, of `items` as contribution_sort leaves them. A line
 * counts while it is current or due; a site counts as expired when any line of it is. A service
 * that stands in several pictures of one agent (it moved to another audience) counts from the
 * newest. ERR_NOT_FOUND for a service the charter does not have, ERR_NO_MEMORY. Caller owns *ret.
 */
enum err aggregate_rows(const struct aggregate_query *query, const struct contribution *items,
                        size_t count, json_t **ret, struct error *e) MUST_USE;

#endif
