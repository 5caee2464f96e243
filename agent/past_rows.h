/* Owns the answer to "how was it": rows of the own past and of partners', by time.
 * Must not change anything. */
#ifndef PLEK_AGENT_PAST_ROWS_H
#define PLEK_AGENT_PAST_ROWS_H

#include "agent.h"

#define PAST_ROWS_MAX 100000 /* an answer; ask for less at a time */

/* What is wanted; NULL and false: any. Texts as people give them: a day (from its beginning, to its
 * end, in the charter's zone) or a time. */
struct past_filter {
    const char *service, *member, *from, *to;
    const char *site;   /* with own: one of our sites */
    bool own, partners; /* only ours; only theirs */
};
/* [{member, site, service, ward, observed_at, valid_until, precision, available, band, light,
 * status, total, occupied, held, blocked, need}], by member, site, service, ward, time. Our own are
 * exact. Rows of suspended, removed and revoked members are hidden. ERR_NOT_JOINED, ERR_NOT_FOUND
 * (service), ERR_UNKNOWN_MEMBER, ERR_DATA with the parameter as path, ERR_TOO_LARGE beyond
 * PAST_ROWS_MAX. */
enum err past_rows(struct agent *a, const struct past_filter *filter, json_t **ret, struct error *e)
    MUST_USE;

/* A page of the same rows for a table that may be of any length, by line and time; ours say what
 * was entered: `total` and `free` too. `after` NULL: the first page, else *ret_next of the page
 * before, which is null behind the last. Rows may be few, or none, before that: hidden ones count.
 * ERR_DATA: `after` is none of ours. */
#define PAST_PAGE_POINTS 2000
enum err past_rows_page(struct agent *a, const struct past_filter *filter, const char *after,
                        json_t **ret_rows, json_t **ret_next, struct error *e) MUST_USE;

#endif
