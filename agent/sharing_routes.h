/* Owns the routes about sharing and about what partners share: policy, partners, find, status,
 * alarms. Must not hold any rule: it reads requests and calls sharing.h, find.h, status.h. */
#ifndef PLEK_AGENT_SHARING_ROUTES_H
#define PLEK_AGENT_SHARING_ROUTES_H

#include "agent.h"

const struct api_route *sharing_routes(size_t *ret_count);

#endif
