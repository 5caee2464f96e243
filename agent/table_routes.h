/* Owns the routes about tables and places: imports, places, export.
 * Must not hold any rule: it reads requests and calls import_session.h, place.h, export.h. */
#ifndef PLEK_AGENT_TABLE_ROUTES_H
#define PLEK_AGENT_TABLE_ROUTES_H

#include "agent.h"

/* Bytes of a request's body: a piece of a table as base64, or a whole policy as JSON text. */
#define AGENT_BODY_MAX (3 * 1024 * 1024)

const struct api_route *table_routes(size_t *ret_count);

#endif
