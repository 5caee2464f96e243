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

static enum err set_paused(struct agent *a, const struct pause_request *what, const char *audience,
                           int64_t now_ms, struct error *e) {
    struct db_query q = holders_query(a, what->undo ? SQL_PAUSED_REMOVE : SQL_PAUSED_ADD, audience);
    if (!what->undo) {
        db_bind_int(&q, ":now", now_ms);
        db_bind_text(&q, ":actor", what->actor ? what->actor : "");
    }
    enum err code = db_run_query(&q, e);
    return code != ERR_OK ? code
                          : holders_journal(a, what->undo ? JOURNAL_RESUMED : JOURNAL_PAUSED,
                                            audience, NULL, what->actor, now_ms, e);
}

static enum err add_json(struct agent *a, const char *audience, bool changed, json_t *list,
                         struct error *e) {
    struct holders holders = {.count = 0};
    json_t *members = NULL;
    enum err code = holders_load(a, audience, &holders, e);
    if (code == ERR_OK)
        code = holders_json(a, &holders, &members, e);
    holders_done(&holders);
    if (code != ERR_OK)
        return code;
    json_t *row = json_pack("{s:s, s:o, s:b}", "audience", audience, "members", members, "changed",
                            (int)changed);
    return json_array_append_new(list, row) != 0 ? no_memory(e) : ERR_OK;
}

static enum err one_audience(struct agent *a, const struct pause_request *what,
                             const char *audience, int64_t now_ms, json_t *list, struct error *e) {
    bool stands = false;
    enum err code = pause_stands(a, audience, &stands, e);
    bool changed = stands == what->undo;
    if (code != ERR_OK || (!changed && what->undo && !what->audience))
        return code; /* "all" means all that are paused */
    code = add_json(a, audience, changed, list, e);
    return code != ERR_OK || !changed || what->dry_run ? code
                                                       : set_paused(a, what, audience, now_ms, e);
}

static enum err carry_out(struct agent *a, const struct pause_request *what, int64_t now_ms,
                          json_t *list, struct error *e) {
    const struct policy *policy = agent_policy(a);
    enum err code = db_begin(agent_db(a), e);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; code == ERR_OK && i < policy->audience_count; i++)
        if (!what->audience || strcmp(what->audience, policy->audiences[i].name) == 0)
            code = one_audience(a, what, policy->audiences[i].name, now_ms, list, e);
    return db_end(agent_db(a), code, e);
}

enum err pause_run(struct agent *a, const struct pause_request *what, int64_t now_ms, json_t **ret,
                   struct error *e) {
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK && !agent_policy(a))
        code = error_set(e, ERR_NOT_FOUND, "no policy was applied: nothing is shared");
    else if (code == ERR_OK && what->audience && !in_policy(agent_policy(a), what->audience))
        code = error_set(e, ERR_NOT_FOUND,
                         "found no audience '%.64s' in the policy: see plek-agent policy show",
                         what->audience);
    if (code != ERR_OK)
        return code;
    json_t *list = json_array();
    code = list ? carry_out(a, what, now_ms, list, e) : no_memory(e);
    json_t *made = code == ERR_OK
                       ? json_pack("{s:b, s:b, s:O, s:s}", "dry_run", (int)what->dry_run, "undo",
                                   (int)what->undo, "audiences", list, "note", NOTE)
                       : NULL;
    json_decref(list);
    if (code == ERR_OK && !made)
        code = no_memory(e);
    if (code != ERR_OK)
        return code;
    if (!what->dry_run) {
        agent_mark_dirty(a);
        agent_raise_event(a, AGENT_EVENT_STATUS);
    }
    *ret = made;
    return ERR_OK;
}
