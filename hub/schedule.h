/* Owns when the hub publishes by itself: every so often, as hub.conf says. Whether a figure may
 * change is published.h's rule, whoever asks. Source: docs/aggregate.md, "Published figures". */
#ifndef PLEK_HUB_SCHEDULE_H
#define PLEK_HUB_SCHEDULE_H

#include <jansson.h>

#include "error.h"

struct hub;

/* The rest is in the store: when all that is of now was published last. */
struct schedule {
    int64_t look_ms;    /* not before this; 0: at once */
    struct error fault; /* of the last try; code ERR_OK: none */
};

/* {"every": "1h" or null, "last_at", "next_at", "fault"}; times null when there is none. Caller
 * owns *ret. */
enum err schedule_report(struct hub *hub, json_t **ret, struct error *e) MUST_USE;

#endif
