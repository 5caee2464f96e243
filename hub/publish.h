/* Owns publishing: sums for others than the operator, by the rule of published.h, and keeping what
 * was shown of each cell. Source: docs/aggregate.md, "Published figures". */
#ifndef PLEK_HUB_PUBLISH_H
#define PLEK_HUB_PUBLISH_H

#include "hub_private.h"

struct publish_query {
    const char *service; /* NULL: all */
    int64_t first_day;   /* since 1970-01-01 */
    size_t count;
    const bool *final; /* of each day; NULL: none is. Final days are shown as they were last */
    bool moment;       /* instead: now, count 1; first_day is today */
};
/* Decides and keeps, inside hub_begin/hub_commit: nobody may be told before the commit. Appends
 * rows to `rows` unless it is NULL. */
enum err publish_days(struct hub *hub, const struct publish_query *query, int64_t now_ms,
                      json_t *rows, struct error *e) MUST_USE;

/* Rows of what was published last; decides and keeps nothing. */
enum err publish_last(struct hub *hub, const struct publish_query *query, json_t *rows,
                      struct error *e) MUST_USE;

#endif
