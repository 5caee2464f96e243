/* Owns when the hub publishes by itself (see schedule.h). What is published, and keeping it, is
 * trend.c's. */
#include "schedule.h"

#include "trend.h"
#include "zone.h"

#define RETRY_MS 60000
#define DAYS_BACK 30 /* ended days that one publication looks at, at most */

/* From the day before the last publication, so that each day is published after its end also when
 * the hub stood still for a while. */
static enum err first_day(const struct hub *hub, int64_t last_ms, int64_t now_ms, int64_t *ret,
                          struct error *e) {
    const struct zone *zone = NULL;
    enum err err = zone_find(directory_charter(hub->directory)->time_zone, &zone, e);
    if (err != ERR_OK)
        return err;
    int64_t today = zone_day_number(zone, now_ms), first = today - 1;
    if (last_ms > 0 && zone_day_number(zone, last_ms) - 1 < first)
        first = zone_day_number(zone, last_ms) - 1;
    *ret = first < today - DAYS_BACK ? today - DAYS_BACK : first;
    return ERR_OK;
}

static enum err publish(struct hub *hub, int64_t last_ms, int64_t now_ms, struct error *e) {
    int64_t first = 0;
    char day[TEXT_DAY_SIZE];
    json_t *shown = NULL;
    enum err err = first_day(hub, last_ms, now_ms, &first, e);
    if (err != ERR_OK)
        return err;
    const struct trend_query query = {.from = text_day(first, day)};
    err = trend_publish(hub, &query, now_ms, &shown, e);
    json_decref(shown);
    return err;
}

/* A clock that was set back must not make the hub wait for the time it showed before. */
static int64_t due_ms(int64_t last_ms, int64_t every_ms, int64_t now_ms) {
    return last_ms == 0 || last_ms > now_ms ? now_ms : last_ms + every_ms;
}

static enum err look(struct hub *hub, int64_t now_ms, bool *ret_published, struct error *e) {
    int64_t every_ms = hub->settings.publish_every_ms, last_ms = 0;
    enum err err = hub_refresh(hub, e);
    if (err == ERR_OK)
        err = store_last_publication(hub->store, &last_ms, e);
    if (err != ERR_OK)
        return err;
    int64_t due = due_ms(last_ms, every_ms, now_ms);
    if (due > now_ms) {
        hub->schedule.look_ms = due;
        return ERR_OK;
    }
    err = publish(hub, last_ms, now_ms, e);
    if (err == ERR_OK) {
        hub->schedule.look_ms = now_ms + every_ms;
        *ret_published = true;
    }
    return err;
}

enum err hub_publish_due(struct hub *hub, int64_t now_ms, bool *ret_published, struct error *e) {
    struct schedule *s = &hub->schedule;
    int64_t every_ms = hub->settings.publish_every_ms;
    struct error fault = {0};
    *ret_published = false;
    if (every_ms == 0 || (now_ms < s->look_ms && s->look_ms - now_ms <= every_ms))
        return ERR_OK;
    enum err err = look(hub, now_ms, ret_published, &fault);
    if (err != ERR_OK)
        s->look_ms = now_ms + RETRY_MS;
    s->fault = fault;
    if (err != ERR_OK && e != NULL)
        *e = fault;
    return err;
}

static json_t *time_json(int64_t ms) {
    char text[TEXT_TIME_SIZE];
    return ms > 0 ? json_string(text_time(ms, text)) : json_null();
}

enum err schedule_report(struct hub *hub, json_t **ret, struct error *e) {
    const struct schedule *s = &hub->schedule;
    int64_t every_ms = hub->settings.publish_every_ms, last_ms = 0;
    char every[TEXT_TIME_SIZE];
    enum err err = store_last_publication(hub->store, &last_ms, e);
    if (err != ERR_OK)
        return err;
    json_t *made = json_pack(
        "{s:s?, s:o, s:o, s:s?}", "every", every_ms > 0 ? text_duration(every_ms, every) : NULL,
        "last_at", time_json(last_ms), "next_at", time_json(every_ms > 0 ? s->look_ms : 0), "fault",
        s->fault.code != ERR_OK ? s->fault.detail : NULL);
    if (made == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
    *ret = made;
    return ERR_OK;
}
