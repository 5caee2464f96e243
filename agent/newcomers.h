/* Owns `trust = directory`: which members of a coarse audience, not approved and not refused, stand
 * in `status`, how long they stood there, and so who is let in. Must not seal anything:
 * recipients.h reads the verdict. Source: design 3 "secret reader"; docs/formats.md, "agent.conf".
 */
#ifndef PLEK_AGENT_NEWCOMERS_H
#define PLEK_AGENT_NEWCOMERS_H

#include "recipients.h"

#define NEWCOMER_WAIT_MS (INT64_C(24) * 3600 * 1000)
/* How often the daemon looks, and the most that one look can add to what somebody waited: so
 * neither a clock that jumps nor a machine that was off shortens the wait by more. */
#define NEWCOMER_LOOK_MS (INT64_C(10) * 60 * 1000)
#define NEWCOMER_STEP_MS (2 * NEWCOMER_LOOK_MS)

struct newcomer {
    struct public_key member;
    int64_t since_ms;   /* when it was first seen to wait, by our clock; 0: not looked at yet */
    int64_t waited_ms;  /* of NEWCOMER_WAIT_MS */
    int64_t counted_ms; /* up to when that was counted, by our clock */
    int64_t trusted_ms; /* since when it is let in; 0: it waits */
};
struct newcomers {
    struct newcomer *list; /* sorted by member */
    size_t count;
};
/* Whom `trust = directory` concerns now: admitted members of an audience of precision band or light
 * that were neither approved nor refused. None with `trust = manual`. */
enum err newcomers_load(struct agent *a, struct newcomers *ret, struct error *e) MUST_USE;
void newcomers_done(struct newcomers *n);
const struct newcomer *newcomers_find(const struct newcomers *n, const struct public_key *member);

/* Counts the time since the last look, lets in who waited long enough (journal `trusted`), begins
 * with those who are new (journal `waiting`) and forgets those whom it does not concern any more:
 * they begin anew. Marks the agent dirty when somebody was let in or is out again. The caller's
 * transaction, or one of its own. */
enum err newcomers_look(struct agent *a, int64_t now_ms, struct error *e) MUST_USE;

/* {"mode","waiting":[{"member","fingerprint","audiences","since","waited_s","not_before"}],
 * "trusted":[{"member","fingerprint","audiences","since"}]}: not_before when the agent runs on. */
enum err newcomers_json(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;

/* The members this administrator refused, sorted. */
struct refusals {
    struct public_key *list;
    size_t count;
};
enum err refusals_load(struct agent *a, struct refusals *ret, struct error *e) MUST_USE;
void refusals_done(struct refusals *r);
bool refusals_has(const struct refusals *r, const struct public_key *member);

#endif
