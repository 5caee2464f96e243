/* Owns the aggregate per day as an answer: which days are final, which have ended, which is open,
 * and how much goes in one piece. Must not change anything. */
#ifndef PLEK_HUB_TREND_H
#define PLEK_HUB_TREND_H

#include "hub_private.h"

struct trend_query {
    const char *service, *region; /* NULL: all; the region filter leaves the whole network out */
    const char *from, *to;        /* days as "2026-11-20"; to NULL: today */
};
/* {"rows": [...], "next": "2026-12-01" or null}: rows by day, service and region, whole days, so
 * many that memory stays bounded; `next` is the day to ask from for the rest. ERR_DATA naming the
 * day at fault, ERR_NOT_FOUND for a service that neither the charter nor a final day has. Caller
 * owns *ret. */
enum err trend_read(struct hub *hub, const struct trend_query *query, int64_t now_ms, json_t **ret,
                    struct error *e) MUST_USE;

/* The same for others than the operator, by the rule of published.h; without `from`, now. Keeps
 * what it shows, in a group of its own. Rows have `published_at` too; components are null. */
enum err trend_publish(struct hub *hub, const struct trend_query *query, int64_t now_ms,
                       json_t **ret, struct error *e) MUST_USE;

/* What trend_publish showed last, in the same form. Changes nothing. */
enum err trend_published(struct hub *hub, const struct trend_query *query, int64_t now_ms,
                         json_t **ret, struct error *e) MUST_USE;

#endif
