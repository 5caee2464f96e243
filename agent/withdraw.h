/* Owns taking back what an audience was shown: which audiences are withdrawn, since when and by
 * whom, and what of that still has to be said. Must not build entries (seal.h). Source: design 3
 * "Withdraw". */
#ifndef PLEK_AGENT_WITHDRAW_H
#define PLEK_AGENT_WITHDRAW_H

#include "agent.h"
#include "audience.h"

/* From a withdrawal on nothing is sealed to the audience but the withdrawal itself, until a policy
 * is applied or it is undone. Undone before it could be sent, nothing was said. */
struct withdraw_request {
    const char *audience; /* NULL: all of the policy; with undo: all that are withdrawn */
    bool undo, dry_run;
    const char *actor;
};
/* {"dry_run","undo","audiences":[{"audience","members":[who holds its key],"withdrawn","sent",
 * "changed"}],"note"}. ERR_NOT_FOUND: no policy, no such audience, or undo of one that is not
 * withdrawn. */
enum err withdraw_run(struct agent *a, const struct withdraw_request *what, int64_t now_ms,
                      json_t **ret, struct error *e) MUST_USE;
/* For status: [{"audience","since","actor","sent","resumes"}]. */
enum err withdraw_list(struct agent *a, json_t **ret, struct error *e) MUST_USE;

/* A policy is applied, in the caller's transaction: audiences go on once their withdrawal is said.
 * Names are appended to `resumed` (array); dry: only that. */
enum err withdraw_lift(struct agent *a, const char *actor, int64_t now_ms, bool dry,
                       json_t *resumed, struct error *e) MUST_USE;

/* ---- for sealing ---- */
/* Whether nothing may be sealed to this audience now. */
enum err withdraw_stands(struct agent *a, const char *audience, bool *ret, struct error *e)
    MUST_USE;
enum err withdraw_pending(struct agent *a, int64_t *ret_count, struct error *e) MUST_USE;
/* One that has to be said. The key is the caller's to wipe. */
struct withdrawal {
    char audience[CODE_MAX + 1];
    uint8_t id[AUDIENCE_ID_LEN];
    struct audience_key key;
    struct hash key_id;
    uint64_t counter;
};
/* The first by name after `after` (""), *ret_found false when there is none. */
enum err withdraw_next(struct agent *a, const char *after, struct withdrawal *ret, bool *ret_found,
                       struct error *e) MUST_USE;
/* It stands in the entry at `head`: its key goes, never to be used again; journalled. */
enum err withdraw_sealed(struct agent *a, const struct withdrawal *w, const struct head *head,
                         int64_t now_ms, struct error *e) MUST_USE;

#endif
