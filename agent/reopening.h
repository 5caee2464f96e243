/* Owns saying that a figure still counts because its site is closed, and when the site reports
 * again. Must not decide how long a figure is believed: its sender did (records_date). */
#ifndef PLEK_AGENT_REOPENING_H
#define PLEK_AGENT_REOPENING_H

#include "agent.h"

/* What is known of one figure; reports: of its site's card, "" when not said. */
struct reopening {
    const char *reports;
    const struct charter_service *service; /* NULL: says nothing */
    const struct zone *zone;               /* NULL: says nothing */
    int64_t observed_ms, valid_until_ms;
};
/* Sets `reports_again` (a time) and `still_counts` ("confirmed Fri 16:40, reports again Mon 08:00")
 * when the service's validity has passed, and the figure counts because it ran on. Otherwise sets
 * nothing. False: no memory. */
bool reopening_set(json_t *row, const struct reopening *r, int64_t now_ms);

#endif
