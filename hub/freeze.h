/* Owns the end of past figures: their time is over, the sums of the days they counted in stay. */
#ifndef PLEK_HUB_FREEZE_H
#define PLEK_HUB_FREEZE_H

#include "hub_private.h"

/* A small step, inside hub_begin/hub_commit: makes days that ended before before_ms final, and
 * drops points that counted only in final days. *ret_more: there is more to do. */
enum err freeze_step(struct hub *hub, int64_t before_ms, int64_t now_ms, bool *ret_more,
                     struct error *e) MUST_USE;

#endif
