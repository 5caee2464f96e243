/* Owns taking back what an audience was shown (see withdraw.h). Must not build entries. */
#include "withdraw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holders.h"
#include "listing.h"
#include "store.h"

#define NOTE                                                                                       \
    "Partners' software removes what it was shown, and the hub drops what it holds. What was "     \
    "seen "                                                                                        \
    "stays seen: somebody who kept a copy has it. A partner who is not connected removes it when " \
    "it "                                                                                          \
    "connects again."

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the withdrawal");
}

/* ---- rows ---- */

/* What is stored of one audience's withdrawal. */
struct standing {
    bool found, pending, lifted;
    int64_t since_ms;
};

static enum err load_standing(struct agent *a, const char *audience, struct standing *ret,
                              struct error *e) {
    struct standing s = {.found = false};
    struct db_query q = holders_query(a, SQL_WITHDRAWN, audience);
    if (db_step(&q))
        s = (struct standing){true, db_column_int(&q, 1) != 0, db_column_int(&q, 3) != 0,
                              db_column_int(&q, 0)};
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = s;
    return code;
}

enum err withdraw_stands(struct agent *a, const char *audience, bool *ret, struct error *e) {
    struct standing s;
    enum err code = load_standing(a, audience, &s, e);
    if (code == ERR_OK)
        *ret = s.found;
    return code;
}

enum err withdraw_pending(struct agent *a, int64_t *ret_count, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_WITHDRAWN_PENDING);
    db_bind_int(&q, ":network", agent_network(a));
    *ret_count = db_step(&q) ? db_column_int(&q, 0) : 0;
    return db_finish(&q, e);
}

/* ---- for sealing ---- */

static enum err take_next(struct db_query *q, struct withdrawal *w, struct error *e) {
    struct bytes id = db_column_blob(q, 1), key = db_column_blob(q, 2);
    if (id.len != AUDIENCE_ID_LEN || key.len != AUDIENCE_KEY_LEN)
        return error_set(e, ERR_STORE, "agent.db: audience '%s' is damaged: restore a backup",
                         db_column_text(q, 0));
    snprintf(w->audience, sizeof w->audience, "%s", db_column_text(q, 0));
    memcpy(w->id, id.data, AUDIENCE_ID_LEN);
    memcpy(w->key.b, key.data, AUDIENCE_KEY_LEN);
    w->counter = (uint64_t)db_column_int(q, 4) + 1;
    return store_read_hash(q, 3, &w->key_id, e);
}

enum err withdraw_next(struct agent *a, const char *after, struct withdrawal *ret, bool *ret_found,
                       struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = holders_query(a, SQL_WITHDRAWN_NEXT, after);
    bool found = db_step(&q);
    if (found)
        code = take_next(&q, ret, e);
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret_found = found;
    return code;
}

static enum err who_withdrew(struct agent *a, const char *audience, char ret[static API_ACTOR_MAX],
                             struct error *e) {
    struct db_query q = holders_query(a, SQL_WITHDRAWN, audience);
    snprintf(ret, API_ACTOR_MAX, "%s", db_step(&q) ? db_column_text(&q, 2) : "");
    return db_finish(&q, e);
}

static enum err retire_key(struct agent *a, const struct withdrawal *w, struct error *e) {
    struct db_query q = holders_query(a, SQL_AUDIENCE_WITHDRAWN, w->audience);
    db_bind_int(&q, ":counter", (int64_t)w->counter);
    enum err code = db_run_query(&q, e);
    if (code != ERR_OK)
        return code;
    q = db_query(agent_db(a), SQL_GRANTED_FORGET);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":audience", bytes_of(w->id, AUDIENCE_ID_LEN));
    code = db_run_query(&q, e);
    if (code != ERR_OK)
        return code;
    /* Readers forget the past too: shared again, it is told again. */
    q = db_query(agent_db(a), SQL_PAST_TOLD_FORGET);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":audience", bytes_of(w->id, AUDIENCE_ID_LEN));
    return db_run_query(&q, e);
}

/* Said; one that was lifted meanwhile is over. */
static enum err mark_said(struct agent *a, const struct withdrawal *w, const struct head *head,
                          struct error *e) {
    struct db_query q = holders_query(a, SQL_WITHDRAWN_SAID, w->audience);
    db_bind_int(&q, ":incarnation", (int64_t)head->incarnation);
    db_bind_int(&q, ":seq", (int64_t)head->seq);
    enum err code = db_run_query(&q, e);
    if (code != ERR_OK)
        return code;
    q = db_query(agent_db(a), SQL_WITHDRAWN_OVER);
    db_bind_int(&q, ":network", agent_network(a));
    return db_run_query(&q, e);
}

enum err withdraw_sealed(struct agent *a, const struct withdrawal *w, const struct head *head,
                         int64_t now_ms, struct error *e) {
    char actor[API_ACTOR_MAX];
    enum err code = who_withdrew(a, w->audience, actor, e);
    if (code == ERR_OK)
        code = holders_journal(a, JOURNAL_WITHDRAWAL, w->audience, head, actor, now_ms, e);
    if (code == ERR_OK)
        code = retire_key(a, w, e);
    return code != ERR_OK ? code : mark_said(a, w, head, e);
}

/* ---- a policy is applied ---- */

static enum err name_lifted(struct agent *a, json_t *resumed, struct error *e) {
    int failed = 0;
    struct db_query q = db_query(agent_db(a), SQL_WITHDRAWN_ALL);
    db_bind_int(&q, ":network", agent_network(a));
    while (!failed && db_step(&q))
        if (db_column_int(&q, 4) == 0)
            failed = json_array_append_new(resumed, json_string(db_column_text(&q, 0)));
    enum err code = db_finish(&q, e);
    return code == ERR_OK && failed ? no_memory(e) : code;
}

enum err withdraw_lift(struct agent *a, const char *actor, int64_t now_ms, bool dry,
                       json_t *resumed, struct error *e) {
    static const int statements[] = {SQL_WITHDRAWN_LIFT, SQL_WITHDRAWN_OVER};
    size_t i;
    json_t *name;
    enum err code = name_lifted(a, resumed, e);
    if (code != ERR_OK || dry)
        return code;
    json_array_foreach(resumed, i, name) {
        if (code == ERR_OK)
            code = holders_journal(a, JOURNAL_RESUMED, json_string_value(name), NULL, actor, now_ms,
                                   e);
    }
    for (size_t k = 0; code == ERR_OK && k < sizeof statements / sizeof statements[0]; k++) {
        struct db_query q = db_query(agent_db(a), statements[k]);
        db_bind_int(&q, ":network", agent_network(a));
        code = db_run_query(&q, e);
    }
    return code;
}

/* ---- the command ---- */

static enum err audience_json(struct agent *a, const char *audience, const struct standing *before,
                              bool changed, json_t *list, struct error *e) {
    char since[TEXT_TIME_SIZE];
    struct holders holders = {.count = 0};
    json_t *members = NULL;
    enum err code = holders_load(a, audience, &holders, e);
    if (code == ERR_OK)
        code = holders_json(a, &holders, &members, e);
    holders_done(&holders);
    if (code != ERR_OK)
        return code;
    json_t *row = json_pack(
        "{s:s, s:o, s:o, s:b, s:b}", "audience", audience, "members", members, "withdrawn",
        before->found ? json_string(text_time(before->since_ms, since)) : json_null(), "sent",
        (int)(before->found && !before->pending), "changed", (int)changed);
    return json_array_append_new(list, row) != 0 ? no_memory(e) : ERR_OK;
}

static enum err set_withdrawn(struct agent *a, const struct withdraw_request *what,
                              const char *audience, int64_t now_ms, struct error *e) {
    enum err code = holders_journal(a, what->undo ? JOURNAL_RESUMED : JOURNAL_WITHDRAWN, audience,
                                    NULL, what->actor, now_ms, e);
    if (code != ERR_OK)
        return code;
    struct db_query q =
        holders_query(a, what->undo ? SQL_WITHDRAWN_UNDO : SQL_WITHDRAWN_ADD, audience);
    if (!what->undo) {
        db_bind_int(&q, ":now", now_ms);
        db_bind_text(&q, ":actor", what->actor ? what->actor : "");
    }
    return db_run_query(&q, e);
}

static enum err one_audience(struct agent *a, const struct withdraw_request *what,
                             const char *audience, int64_t now_ms, json_t *list, struct error *e) {
    struct standing before;
    enum err code = load_standing(a, audience, &before, e);
    if (code != ERR_OK)
        return code;
    bool changed = (before.found && !before.lifted) == what->undo;
    if (!changed && what->undo && !what->audience)
        return ERR_OK; /* "all" means all that are withdrawn */
    if (!changed && what->undo)
        return error_set(e, ERR_NOT_FOUND, "audience '%s' is not withdrawn: nothing to undo",
                         audience);
    code = audience_json(a, audience, &before, changed, list, e);
    return code != ERR_OK || !changed || what->dry_run
               ? code
               : set_withdrawn(a, what, audience, now_ms, e);
}

static enum err each_audience(struct agent *a, const struct withdraw_request *what, int64_t now_ms,
                              json_t *list, struct error *e) {
    const struct policy *policy = agent_policy(a);
    bool any = false;
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < policy->audience_count; i++) {
        const char *name = policy->audiences[i].name;
        if (what->audience && strcmp(what->audience, name) != 0)
            continue;
        any = true;
        code = one_audience(a, what, name, now_ms, list, e);
    }
    if (code == ERR_OK && what->audience && !any)
        return error_set(e, ERR_NOT_FOUND,
                         "found no audience '%.64s' in the policy: see plek-agent policy show",
                         what->audience);
    return code;
}

/* One transaction: all audiences or none. */
static enum err carry_out(struct agent *a, const struct withdraw_request *what, int64_t now_ms,
                          json_t *list, struct error *e) {
    struct db *db = agent_db(a);
    enum err code = db_begin(db, e);
    if (code != ERR_OK)
        return code;
    code = each_audience(a, what, now_ms, list, e);
    code = db_end(db, code, e);
    if (code == ERR_OK && !what->dry_run) {
        agent_mark_dirty(a);
        agent_raise_event(a, AGENT_EVENT_STATUS);
    }
    return code;
}

enum err withdraw_run(struct agent *a, const struct withdraw_request *what, int64_t now_ms,
                      json_t **ret, struct error *e) {
    enum err code = agent_need_joined(a, e);
    if (code != ERR_OK)
        return code;
    if (!agent_policy(a))
        return error_set(e, ERR_NOT_FOUND, "no policy was applied: nothing is shared");
    json_t *list = json_array();
    code = list ? carry_out(a, what, now_ms, list, e) : no_memory(e);
    json_t *made = code == ERR_OK
                       ? json_pack("{s:b, s:b, s:O, s:s}", "dry_run", (int)what->dry_run, "undo",
                                   (int)what->undo, "audiences", list, "note", NOTE)
                       : NULL;
    json_decref(list);
    if (code != ERR_OK)
        return code;
    if (!made)
        return no_memory(e);
    *ret = made;
    return ERR_OK;
}

/* ---- status ---- */

static json_t *withdrawal_json(struct agent *a, struct db_query *q) {
    (void)a;
    char since[TEXT_TIME_SIZE];
    return json_pack("{s:s, s:s, s:s, s:b, s:b}", "audience", db_column_text(q, 0), "since",
                     text_time(db_column_int(q, 1), since), "actor", db_column_text(q, 2), "sent",
                     (int)(db_column_int(q, 3) == 0), "resumes", (int)(db_column_int(q, 4) != 0));
}

enum err withdraw_list(struct agent *a, json_t **ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_WITHDRAWN_ALL);
    db_bind_int(&q, ":network", agent_network(a));
    return listing_read(a, &q, withdrawal_json, ret, e);
}
