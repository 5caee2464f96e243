/* Owns making a JSON list of the rows of a query. Must not know what the rows are. */
#ifndef PLEK_AGENT_LISTING_H
#define PLEK_AGENT_LISTING_H

#include "agent.h"
#include "db.h"

typedef json_t *listing_row(struct agent *a, struct db_query *q); /* NULL: no memory */

/* Runs the query, bound and not stepped yet, and finishes it. ERR_NO_MEMORY, or its own error. */
enum err listing_read(struct agent *a, struct db_query *q, listing_row *row, json_t **ret,
                      struct error *e) MUST_USE;

#endif
