/* Owns the sums of one service over a run of days: observations of lines go in, one cell for each
 * day and region comes out. Pure. Source: design 7, docs/aggregate.md.
 *
 * A line counts on a day with its last observation before the day's end, if that is valid then. If
 * not, it is unknown then, unless it is gone: nothing was observed of it later, and it stands in no
 * picture. */
#ifndef PLEK_HUB_DAYS_H
#define PLEK_HUB_DAYS_H

#include "cell.h"

/* A figure of a line: (author, site, ward). Texts are borrowed for the call. */
struct observation {
    struct public_key member;
    int64_t author;
    uint32_t site;
    const char *region, *ward; /* "": none */
    bool standing;             /* the line stands in its agent's newest picture: it is not gone */
    bool mark;                 /* no figure: the line is known from observed_ms on */
    int64_t last_ms;           /* of a mark: when the line was observed last, as far as is known */
    enum precision_kind precision;
    int64_t step;
    struct history_point figure; /* its clock corrected */
};

/* What one member adds to a cell, told when all of it is known: to the whole network, to regions,
 * and by its sites without a region to DAYS_NOWHERE, which is no region of a site. */
#define DAYS_NOWHERE "\x7f"
typedef enum err days_visit(void *ctx, const struct public_key *member, const char *region,
                            size_t day, const struct cell *part, struct error *e);
struct days_config {
    const struct charter_service *service; /* borrowed, as at_ms: until days_free */
    const int64_t *at_ms;                  /* the instant of each day at which it is counted */
    size_t count;
    days_visit *visit; /* NULL: nobody asks */
    void *ctx;
};

struct days;
enum err days_new(const struct days_config *config, struct days **ret, struct error *e) MUST_USE;
void days_free(struct days *d); /* accepts NULL */
/* Observations by member, author, site and ward, each line's by time; of one time the later one
 * replaces. ERR_NO_MEMORY, or what the visit gave: then free it. */
enum err days_add(struct days *d, const struct observation *o, struct error *e) MUST_USE;
enum err days_end(struct days *d, struct error *e) MUST_USE; /* no more comes */

/* After days_end. Regions ascend; the first, "", is the whole network. A region in which no site
 * was known on a day has nothing of it: current and expired are 0. */
size_t days_region_count(const struct days *d);
const char *days_region(const struct days *d, size_t region);
const struct cell *days_cell(const struct days *d, size_t region, size_t day);

#endif
