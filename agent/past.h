/* Owns the agent's log of its own figures: what each line said, and when. A figure stated again for
 * the same second takes the place of the older one. Source: docs/protocol.md, "History".
 * Must not know audiences (past_view.h) nor change what a line says now. */
#ifndef PLEK_AGENT_PAST_H
#define PLEK_AGENT_PAST_H

#include "agent.h"

/* Points are kept for the charter's keep_days after they were recorded, and never more than this:
 * the longest recorded go first. */
#define PAST_MAX_POINTS 1000000

/* Records what line `line` says; *ret_recorded (may be NULL) false: it was recorded already, just
 * so. A figure without a time of observation is none. Inside the caller's transaction. */
enum err past_put(struct agent *a, int64_t line, const struct capacity *c, int64_t entered_ms,
                  const char *actor, bool *ret_recorded, struct error *e) MUST_USE;
/* Forgets what was recorded for that second. Inside the caller's transaction. */
enum err past_drop(struct agent *a, int64_t line, int64_t observed_ms, struct error *e) MUST_USE;
/* Whether the log says just so of that second. */
enum err past_holds(struct agent *a, int64_t line, const struct capacity *c, bool *ret,
                    struct error *e) MUST_USE;
/* What is too old or too much. Cheap when nothing is. */
enum err past_prune(struct agent *a, int64_t now_ms, struct error *e) MUST_USE;

/* One point; texts are borrowed for the visit. */
struct past {
    int64_t id; /* rises with the order of recording */
    uint32_t site;
    const char *service, *ward;
    struct capacity capacity; /* without texts and what lay ahead */
};
typedef enum err past_visit(void *ctx, const struct past *p, bool *ret_stop, struct error *e);
/* Points recorded after `after`, in that order. Of several in one span of grain_ms only the last
 * observed. */
enum err past_after(struct agent *a, int64_t after, int64_t grain_ms, past_visit *visit, void *ctx,
                    struct error *e) MUST_USE;
/* Where a point stands in the order of lines and time. */
struct past_place {
    uint32_t site; /* 0: before all */
    char service[CODE_MAX + 1], ward[WARD_MAX + 1];
    int64_t observed_ms;
};
/* Points observed in [from_ms, to_ms); service NULL, site 0: any. */
struct past_range {
    const char *service;
    uint32_t site;
    int64_t from_ms, to_ms;
    struct past_place after; /* only those behind it; zero: all */
    int64_t most;            /* so many at most; -1: all */
};
/* By site, service, ward and time. */
enum err past_between(struct agent *a, const struct past_range *range, past_visit *visit, void *ctx,
                      struct error *e) MUST_USE;

#endif
