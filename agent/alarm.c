/* Owns the agent's alarms (see alarm.h). Must not decide what is alarming. */
#include "alarm.h"

#include <inttypes.h>
#include <stdio.h>

#include "status.h"
#include "store.h"

/* Somebody may be looking at the status when what is listed changed. */
static enum err run_change(struct agent *a, struct db_query *q, struct error *e) {
    enum err code = db_run_query(q, e);
    if (code == ERR_OK && db_changes(agent_db(a)) > 0)
        agent_raise_event(a, AGENT_EVENT_STATUS);
    return code;
}

enum err alarm_raise(struct agent *a, const char *code, const char *subject, const char *detail,
                     int64_t now_ms, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_ALARM_RAISE);
    db_bind_text(&q, ":code", code);
    db_bind_text(&q, ":subject", subject);
    db_bind_text(&q, ":detail", detail);
    db_bind_int(&q, ":now", now_ms);
    return run_change(a, &q, e);
}

enum err alarm_clear(struct agent *a, const char *code, const char *subject, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_ALARM_CLEAR);
    db_bind_text(&q, ":code", code);
    db_bind_text(&q, ":subject", subject);
    return run_change(a, &q, e);
}

enum err alarm_clear_all(struct agent *a, const char *code, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_ALARM_CLEAR_ALL);
    db_bind_text(&q, ":code", code);
    return run_change(a, &q, e);
}

enum err alarm_stands(struct agent *a, const char *code, bool *ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_ALARM_STANDS);
    db_bind_text(&q, ":code", code);
    bool stands = db_step(&q);
    enum err failed = db_finish(&q, e);
    if (failed == ERR_OK)
        *ret = stands;
    return failed;
}

enum err alarm_stops_outbox(struct agent *a, bool *ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_ALARM_STOPS_OUTBOX);
    bool stops = db_step(&q);
    enum err failed = db_finish(&q, e);
    if (failed == ERR_OK)
        *ret = stops;
    return failed;
}

static int append(json_t *list, const char *code, const char *subject, const char *detail,
                  int64_t since_ms) {
    char since[TEXT_TIME_SIZE];
    return json_array_append_new(list,
                                 json_pack("{s:s, s:s, s:s, s:s}", "code", code, "subject", subject,
                                           "detail", detail, "since", text_time(since_ms, since)));
}

/* Follows from what the last welcome said, so it is told rather than stored. */
static enum err append_clock(struct agent *a, int64_t now_ms, json_t *list, struct error *e) {
    bool known = false;
    int64_t offset_ms = 0;
    enum err code = status_clock(a, &known, &offset_ms, e);
    int64_t off_ms = offset_ms < 0 ? -offset_ms : offset_ms;
    if (code != ERR_OK || !known || off_ms <= STATUS_CLOCK_MAX_MS)
        return code;
    char detail[ERROR_DETAIL_MAX];
    snprintf(detail, sizeof detail,
             "this machine's clock is %" PRId64
             " s %s the hub's: ages and freshness are judged by the "
             "hub's time; set the clock right",
             off_ms / 1000, offset_ms > 0 ? "behind" : "ahead of");
    return append(list, ALARM_CLOCK, "", detail, now_ms) == 0
               ? ERR_OK
               : error_set(e, ERR_NO_MEMORY, "no memory for the alarms");
}

enum err alarm_list(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) {
    json_t *list = json_array();
    bool ok = list != NULL;
    struct db_query q = db_query(agent_db(a), SQL_ALARMS);
    while (ok && db_step(&q))
        ok = append(list, db_column_text(&q, 0), db_column_text(&q, 1), db_column_text(&q, 2),
                    db_column_int(&q, 3)) == 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && !ok)
        code = error_set(e, ERR_NO_MEMORY, "no memory for the alarms");
    if (code == ERR_OK)
        code = append_clock(a, now_ms, list, e);
    if (code != ERR_OK) {
        json_decref(list);
        return code;
    }
    *ret = list;
    return ERR_OK;
}
