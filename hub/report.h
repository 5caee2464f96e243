/* Owns what the operator is told: status, members, the aggregate, as JSON over the domain.
 * Must not change anything. */
#ifndef PLEK_HUB_REPORT_H
#define PLEK_HUB_REPORT_H

#include "hub_private.h"

enum err report_status(struct hub *hub, json_t **ret, struct error *e) MUST_USE;
/* name key role state fingerprint connected last_seen, in order of admission. */
enum err report_members(struct hub *hub, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;
/* The same of one, with `agents`: key serial expires revoked connected last_seen. */
enum err report_member(struct hub *hub, const struct member *m, int64_t now_ms, json_t **ret,
                       struct error *e) MUST_USE;
enum err report_aggregate(struct hub *hub, const char *service, const char *region, int64_t now_ms,
                          json_t **ret, struct error *e) MUST_USE;
/* How many lines of a service members sent; for a charter that drops it. */
enum err report_lines_of(struct hub *hub, const char *service, int64_t *ret, struct error *e)
    MUST_USE;

/* Of each admitted provider whether the hub ever opened anything of it, and per service how many
 * of its sites are current and expired. Caller owns *ret. */
enum err report_coverage(struct hub *hub, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;

#endif
