/* Owns pausing an audience: since when and by whom. Nothing newer is sealed to a paused one; what
 * its members have stays until it expires. Must not take anything back (withdraw.h). */
#ifndef PLEK_AGENT_PAUSE_H
#define PLEK_AGENT_PAUSE_H

#include "agent.h"

struct pause_request {
    const char *audience; /* NULL: all of the policy; with undo: all that are paused */
    bool undo, dry_run;
    const char *actor;
};
/* {"dry_run","undo","audiences":[{"audience","members":[who holds its key],"changed"}],"note"}.
 * ERR_NOT_FOUND: no policy, or no such audience. One transaction. */
enum err pause_run(struct agent *a, const struct pause_request *what, int64_t now_ms, json_t **ret,
                   struct error *e) MUST_USE;
enum err pause_stands(struct agent *a, const char *audience, bool *ret, struct error *e) MUST_USE;
/* For status: [{"audience","since","actor"}]. */
enum err pause_list(struct agent *a, json_t **ret, struct error *e) MUST_USE;
/* A policy is applied, in the caller's transaction: audiences it lacks are paused no more. */
enum err pause_forget_others(struct agent *a, const struct policy *policy, struct error *e)
    MUST_USE;

#endif
