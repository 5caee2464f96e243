/* Owns the answer to "what did we seal to whom, and who decided that": the journal as rows.
 * Must not write it (journal.h). */
#ifndef PLEK_AGENT_AUDIT_H
#define PLEK_AGENT_AUDIT_H

#include "agent.h"

#define AUDIT_ROWS_DEFAULT 500 /* a page */
#define AUDIT_ROWS_MAX 5000
#define AUDIT_NAMES_MAX 20000 /* members named in a page, after which it ends early */

/* Texts as people give them, NULL: not asked. */
struct audit_query {
    const char *partner;   /* rows that concern it: a name, a key in hex or "@hub" */
    const char *from, *to; /* a day of the charter's zone, `to` included; or RFC 3339 */
    const char *after;     /* `next` of the page before */
    const char *limit;
};
/* {"rows":[{"id","at","event","audience","members","precision","services","policy_version","entry",
 * "actor","detail"}],"next":id|null}, oldest first. ERR_UNKNOWN_MEMBER, ERR_DATA with the
 * parameter. */
enum err audit_rows(struct agent *a, const struct audit_query *query, json_t **ret, struct error *e)
    MUST_USE;

#endif
