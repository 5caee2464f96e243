/* Owns the answer to "who receives what an audience is sealed to": approvals, admission, agents.
 * Must not know keys of audiences or figures. Source: design 3 "secret reader". */
#ifndef PLEK_AGENT_RECIPIENTS_H
#define PLEK_AGENT_RECIPIENTS_H

#include "agent.h"

/* A partner this administrator approved; or one that `trust = directory` let in (newcomers.h),
 * whom nothing finer than band may be sealed to. */
struct approval {
    struct public_key member;
    int64_t since_ms;
    bool directory;
};
struct approvals {
    struct approval *list; /* sorted by member */
    size_t count;
};
enum err approvals_load(struct agent *a, struct approvals *ret, struct error *e) MUST_USE;
void approvals_done(struct approvals *approvals);
/* NULL: neither. */
const struct approval *approvals_find(const struct approvals *approvals,
                                      const struct public_key *member);
/* Whether the administrator approved this member. */
bool approvals_has(const struct approvals *approvals, const struct public_key *member);

/* Why an audience may be sealed to a member. */
enum basis { BASIS_NONE, BASIS_HUB, BASIS_OWN, BASIS_APPROVED, BASIS_DIRECTORY };
const char *basis_name(enum basis b); /* NULL for none */

/* One agent of a member, or the hub (agent = member = the network's key). */
struct recipient {
    struct public_key agent, box, member;
    enum basis basis;
};
struct recipients {
    struct recipient *list; /* sorted by agent */
    size_t count;
};
/* Whether this audience shows so little that `trust = directory` may let somebody in. */
bool recipients_coarse(const struct policy_audience *audience);
/* Whether the audience may be sealed to this member now, were it in it: admitted, and approved, let
 * in, the hub or our own. */
enum basis recipients_basis(struct agent *a, const struct policy_audience *audience,
                            const struct approvals *approvals, const struct public_key *member);
/* Whether we publish at all: joined, admitted, and not an observer. */
bool recipients_publish(struct agent *a);
/* The agents, not revoked and not this one, of the audience's members who are allowed. */
enum err recipients_of(struct agent *a, const struct policy_audience *audience,
                       const struct approvals *approvals, struct recipients *ret, struct error *e)
    MUST_USE;
void recipients_done(struct recipients *r);
/* NULL: not among them. */
const struct recipient *recipients_find(const struct recipients *r, const struct public_key *agent);

#endif
