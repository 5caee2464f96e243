/* Owns what an audience is still to be told of the own past, and that it was told: a place in the
 * log for each audience and service. A new key or member changes nothing about it. Source:
 * docs/protocol.md, "History". Must not seal (seal.h). */
#ifndef PLEK_AGENT_PAST_VIEW_H
#define PLEK_AGENT_PAST_VIEW_H

#include "audience.h"
#include "history.h"
#include "records.h"

/* Whose turn it is. `id` NULL: a new audience, which was told nothing. */
struct past_view {
    const struct policy_audience *audience;
    const uint8_t *id;
};
/* *ret_due: at least one point; *ret_upto: the place in the log that was looked at. Reads only. */
enum err past_view_look(struct agent *a, const struct past_view *view, bool *ret_due,
                        int64_t *ret_upto, struct error *e) MUST_USE;
/* The next points, as few as it takes to keep the plaintext within VIEW_PLAIN_MAX, at the
 * audience's precision. Counter 0. *ret NULL: none. *ret_upto: told with it. *ret_more: others
 * follow. Reads only. */
enum err past_view_compose(struct agent *a, const struct past_view *view,
                           const struct records *records, struct history **ret, int64_t *ret_upto,
                           bool *ret_more, struct error *e) MUST_USE;
/* The audience was told everything up to this place. The caller's transaction. */
enum err past_view_told(struct agent *a, const struct past_view *view, int64_t upto,
                        struct error *e) MUST_USE;

#endif
