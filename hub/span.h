/* Owns the sums of a run of days that have ended, as they follow from what the hub holds: points of
 * history and, for who sends none, the newest pictures. Must not know which days are final, nor who
 * asks. */
#ifndef PLEK_HUB_SPAN_H
#define PLEK_HUB_SPAN_H

#include "days.h"
#include "hub_private.h"
#include "pictures.h"
#include "zone.h"

struct span_query {
    int64_t first_day; /* since 1970-01-01, in the charter's zone */
    size_t count;
    int64_t now_ms;      /* not 0: instead the one moment now, of agents in good standing */
    const char *service; /* NULL: all of the charter */
    days_visit *visit;   /* NULL: nobody asks; its ctx is a struct span_part */
    void *ctx;
};
/* What a visit is told with: which service, and the caller's own. */
struct span_part {
    const struct charter_service *service;
    void *ctx;
};
struct span {
    const struct charter *charter; /* borrowed from the hub */
    struct span_query query;
    int64_t *at_ms; /* of each day its last millisecond */
    int64_t *never; /* of each day: providers of which nothing was opened by then */
    struct days *services[CHARTER_MAX_SERVICES]; /* as the charter's; NULL: not asked for */
};
/* ERR_NO_MEMORY, the store's. Free with span_done. */
enum err span_read(struct hub *hub, const struct span_query *query, struct span *ret,
                   struct error *e) MUST_USE;
void span_done(struct span *s); /* accepts a zeroed one */

/* The cell of a service, region and day; of the whole network with `never`. */
struct cell span_cell(const struct span *s, size_t service, size_t region, size_t day);
/* Whether a day has a row of this: the whole network always, a region while a site is known. */
bool span_has(const struct span *s, size_t service, size_t region, size_t day);

#endif
