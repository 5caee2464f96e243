/* Owns the answer to "how is this agent": one JSON object, and the clock as the hub sees it.
 * Must not change anything. Source: docs/openapi/agent.yaml. */
#ifndef PLEK_AGENT_STATUS_H
#define PLEK_AGENT_STATUS_H

#include "agent.h"

#define STATUS_CLOCK_MAX_MS (INT64_C(5) * 60 * 1000)

/* member agent network hub{address connected clock_offset_ms} feed{incarnation seq acked_seq}
 * outbox{entries dirty_audiences} partners{known approved} trust (newcomers_json) alarms[]
 * policy_version picture_at refusals. Works before a join: what is not known is null. */
enum err status_json(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;

/* Hub time minus ours, as the last welcome said; *ret_known false before the first. */
enum err status_clock(struct agent *a, bool *ret_known, int64_t *ret_offset_ms, struct error *e)
    MUST_USE;
/* The time to judge freshness by: ours, or the hub's when ours is over STATUS_CLOCK_MAX_MS off. */
enum err status_now(struct agent *a, int64_t now_ms, int64_t *ret_ms, struct error *e) MUST_USE;

#endif
