/* Owns the answer to "who receives what an audience is sealed to": approvals, admission, agents.
 * Must not know keys of audiences or figures. Source: design 3 "secret reader". */
#ifndef PLEK_AGENT_RECIPIENTS_H
#define PLEK_AGENT_RECIPIENTS_H

#include "agent.h"

/* The partners this administrator approved, sorted. */
struct approvals {
    struct public_key *members;
    size_t count;
};
enum err approvals_load(struct agent *a, struct approvals *ret, struct error *e) MUST_USE;
void approvals_done(struct approvals *approvals);
bool approvals_has(const struct approvals *approvals, const struct public_key *member);

/* One agent of a member, or the hub (agent = member = the network's key). */
struct recipient {
    struct public_key agent, box, member;
};
struct recipients {
    struct recipient *list; /* sorted by agent */
    size_t count;
};
/* Whether anything may be sealed to this member now: admitted, approved or the hub, and not us. */
bool recipients_allow(struct agent *a, const struct approvals *approvals,
                      const struct public_key *member);
/* Whether we publish at all: joined, admitted, and not an observer. */
bool recipients_publish(struct agent *a);
/* The agents, not revoked, of the audience's members who are allowed. */
enum err recipients_of(struct agent *a, const struct policy_audience *audience,
                       const struct approvals *approvals, struct recipients *ret, struct error *e)
    MUST_USE;
void recipients_done(struct recipients *r);
/* NULL: not among them. */
const struct recipient *recipients_find(const struct recipients *r, const struct public_key *agent);

#endif
