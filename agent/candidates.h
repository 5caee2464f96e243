/* Owns the lines that answer a find while they are judged and ordered, before a row of any is
 * written: of many lines few are shown at a time. Must not know the store. */
#ifndef PLEK_AGENT_CANDIDATES_H
#define PLEK_AGENT_CANDIDATES_H

#include "found.h"

struct candidate {
    struct found_rank rank;
    const char *member, *service; /* borrowed for as long as the list is used */
    const char *site, *ward;      /* borrowed until it is added; in the list, of its texts */
    int64_t line;                 /* whose row is written when it is shown; or else: */
    json_t *row;                  /* owned by the list */
    char *texts;                  /* the list's */
};
struct candidates {
    struct candidate *list;
    size_t count, cap;
    size_t keep;    /* only the best so many are needed */
    size_t settled; /* the first so many are in order; what came later is better than the last */
    size_t total;   /* added */
    const struct zone *zone; /* in which their rows speak of days; the caller's to set */
};
/* keep: how many of them will be looked at, at most; SIZE_MAX: all. */
void candidates_init(struct candidates *c, size_t keep);
void candidates_done(struct candidates *c);
/* Takes over take->row in any case. One that `keep` better ones push out is dropped. */
enum err candidates_add(struct candidates *c, const struct candidate *take, struct error *e)
    MUST_USE;
/* Most useful first; equals by member, site, service and ward. At most `keep` are left. */
void candidates_sort(struct candidates *c);

#endif
