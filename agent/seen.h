/* Owns reading what partners' pictures hold, for find: all lines as far as they are judged, and
 * single lines whole. Must not change anything, nor decide what passes. */
#ifndef PLEK_AGENT_SEEN_H
#define PLEK_AGENT_SEEN_H

#include "candidates.h"
#include "find.h"

/* One line as far as it is judged: of its figure only status, light, what is available or the
 * band's lower bound, and its times; attributes when the filter has conditions on them. */
struct seen_judged {
    int64_t line;
    const struct member *member;
    const struct charter_service *service;
    const char *site, *ward; /* borrowed for the visit */
    const struct seen_line *figure;
};
typedef enum err seen_visit(void *ctx, const struct seen_judged *judged, struct error *e);
/* Lines of admitted members and known services, in no order. Of the filter only service and region
 * are looked at. ERR_STORE, ERR_NO_MEMORY. */
enum err seen_each(struct agent *a, const struct find_filter *filter, seen_visit *visit, void *ctx,
                   struct error *e) MUST_USE;
/* The row of one line that seen_each gave. */
enum err seen_row(struct agent *a, const struct candidate *candidate, const struct zone *zone,
                  int64_t now_ms, json_t **ret, struct error *e) MUST_USE;

#endif
