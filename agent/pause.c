/* Owns pausing an audience (see pause.h). Must not take anything back. */
#include "pause.h"

#include <string.h>

#include "holders.h"
#include "listing.h"
#include "store.h"

#define NOTE                                                                                       \
    "A pause takes nothing back: who has a figure keeps it until it expires. To have it removed, " \
    "withdraw it."

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the pause");
}

static bool in_policy(const struct policy *policy, const char *audience) {
    for (size_t i = 0; policy && i < policy->audience_count; i++)
        if (strcmp(policy->audiences[i].name, audience) == 0)
            return true;
    return false;
}

enum err pause_stands(struct agent *a, const char *audience, bool *ret, struct error *e) {
    struct db_query q = holders_query(a, SQL_PAUSED, audience);
    bool stands = db_step(&q);
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = stands;
    return code;
}

static json_t *pause_json(struct agent *a, struct db_query *q) {
    (void)a;
    char since[TEXT_TIME_SIZE];
    return json_pack("{s:s, s:s, s:s}", "audience", db_column_text(q, 0), "since",
                     text_time(db_column_int(q, 1), since), "actor", db_column_text(q, 2));
}

enum err pause_list(struct agent *a, json_t **ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PAUSED_ALL);
    db_bind_int(&q, ":network", agent_network(a));
    return listing_read(a, &q, pause_json, ret, e);
}

enum err pause_forget_others(struct agent *a, const struct policy *policy, struct error *e) {
    json_t *list = NULL, *row;
    size_t i;
    enum err code = pause_list(a, &list, e);
    json_array_foreach(list, i, row) {
        const char *name = json_string_value(json_object_get(row, "audience"));
        if (code != ERR_OK || in_policy(policy, name))
            continue;
        struct db_query q = holders_query(a, SQL_PAUSED_REMOVE, name);
        code = db_run_query(&q, e);
    }
    json_decref(list);
    return code;
}

/* ---- the command ---- */

static enum err set_paused(struct agent *a, const struct pause_request *what, int64_t now_ms,
                           struct error *e) {
    struct db_query q =
        holders_query(a, what->undo ? SQL_PAUSED_REMOVE : SQL_PAUSED_ADD, what->audience);
    if (!what->undo) {
        db_bind_int(&q, ":now", now_ms);
        db_bind_text(&q, ":actor", what->actor ? what->actor : "");
    }
    enum err code = db_run_query(&q, e);
    return code != ERR_OK ? code
                          : holders_journal(a, what->undo ? JOURNAL_RESUMED : JOURNAL_PAUSED,
                                            what->audience, NULL, what->actor, now_ms, e);
}

static enum err answer(struct agent *a, const struct pause_request *what, bool changed,
                       json_t **ret, struct error *e) {
    struct holders holders = {.count = 0};
    json_t *members = NULL;
    enum err code = holders_load(a, what->audience, &holders, e);
    if (code == ERR_OK)
        code = holders_json(a, &holders, &members, e);
    holders_done(&holders);
    if (code != ERR_OK)
        return code;
    json_t *made =
        json_pack("{s:s, s:b, s:o, s:b, s:s}", "audience", what->audience, "paused",
                  (int)!what->undo, "members", members, "changed", (int)changed, "note", NOTE);
    if (!made)
        return no_memory(e);
    *ret = made;
    return ERR_OK;
}

static enum err carry_out(struct agent *a, const struct pause_request *what, int64_t now_ms,
                          json_t **ret, struct error *e) {
    bool stands = false;
    json_t *made = NULL;
    enum err code = pause_stands(a, what->audience, &stands, e);
    bool changed = stands == what->undo;
    if (code == ERR_OK && changed)
        code = set_paused(a, what, now_ms, e);
    if (code == ERR_OK)
        code = answer(a, what, changed, &made, e);
    code = db_end(agent_db(a), code, e);
    if (code != ERR_OK) {
        json_decref(made);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

enum err pause_run(struct agent *a, const struct pause_request *what, int64_t now_ms, json_t **ret,
                   struct error *e) {
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK && !in_policy(agent_policy(a), what->audience))
        code = error_set(e, ERR_NOT_FOUND,
                         "found no audience '%.64s' in the policy: see plek-agent policy show",
                         what->audience);
    if (code == ERR_OK)
        code = db_begin(agent_db(a), e);
    if (code == ERR_OK)
        code = carry_out(a, what, now_ms, ret, e);
    if (code == ERR_OK) {
        agent_mark_dirty(a);
        agent_raise_event(a, AGENT_EVENT_STATUS);
    }
    return code;
}
