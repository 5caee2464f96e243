/* Owns what changes between two policies, for people: audiences, and who sees which service at
 * which precision. Must not know the store. */
#ifndef PLEK_AGENT_SHARING_DIFF_H
#define PLEK_AGENT_SHARING_DIFF_H

#include "policy.h"

/* {"added":[names],"removed":[names],"changed":[{"audience","members_added","members_removed",
 * "services_added","services_removed","precision":{"from","to"}?,"history"?}],
 * "members":[{"member","service","from":precision|null,"to":precision|null}]}. before may be NULL
 * (none yet). *ret_any: something differs. NULL: no memory. Caller owns it. */
json_t *sharing_diff(const struct policy *before, const struct policy *after,
                     const struct directory *directory, bool *ret_any);

#endif
