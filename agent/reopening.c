/* Owns the words for a figure that outlives its validity (see reopening.h). */
#include "reopening.h"

#include "hours.h"

/* Below exact the end of validity is rounded up to a quarter of an hour. */
#define COARSE_MS (INT64_C(15) * 60 * 1000)
/* Further back a weekday alone can be mistaken. */
#define WEEKDAY_MS (INT64_C(6) * 24 * 3600 * 1000)

static bool runs_on(const struct reopening *r, int64_t now_ms, struct hours_run *ret) {
    struct hours hours;
    if (!r->service || !r->zone || r->observed_ms == 0 || r->reports[0] == '\0' ||
        now_ms >= r->valid_until_ms || now_ms < r->observed_ms + r->service->validity_ms)
        return false;
    return hours_parse(r->reports, &hours, NULL) == ERR_OK &&
           hours_run_on(&hours, r->zone, r->observed_ms + r->service->validity_ms,
                        r->service->validity_ms, ret) &&
           r->valid_until_ms < ret->end_ms + COARSE_MS; /* else somebody named a longer one */
}

bool reopening_set(json_t *row, const struct reopening *r, int64_t now_ms) {
    struct hours_run run;
    char confirmed[HOURS_MOMENT_SIZE], again[HOURS_MOMENT_SIZE], time[TEXT_TIME_SIZE];
    if (!runs_on(r, now_ms, &run))
        return true;
    hours_moment(r->zone, r->observed_ms, now_ms - r->observed_ms >= WEEKDAY_MS, confirmed);
    hours_moment(r->zone, run.opens_ms, run.opens_ms - now_ms >= WEEKDAY_MS, again);
    json_t *words = json_sprintf("confirmed %s, reports again %s", confirmed, again);
    bool ok =
        json_object_set_new(row, "reports_again", json_string(text_time(run.opens_ms, time))) == 0;
    return json_object_set_new(row, "still_counts", words) == 0 && ok;
}
