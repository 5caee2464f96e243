/* Owns `trust = directory` (see newcomers.h). Must not seal anything. */
#include "newcomers.h"

#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "store.h"

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the members that wait");
}

static int compare_keys(const void *left, const void *right) {
    return key_compare(left, right);
}

/* ---- refused ---- */

enum err refusals_load(struct agent *a, struct refusals *ret, struct error *e) {
    size_t room = agent_directory(a) ? directory_member_count(agent_directory(a)) : 0;
    struct refusals made = {.list = calloc(room + 1, sizeof *made.list)};
    enum err code = made.list ? ERR_OK : no_memory(e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(agent_db(a), SQL_REFUSED);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && made.count < room && db_step(&q))
        code = store_read_key(&q, 0, &made.list[made.count++], e);
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        refusals_done(&made);
        return code;
    }
    qsort(made.list, made.count, sizeof *made.list, compare_keys);
    *ret = made;
    return ERR_OK;
}

void refusals_done(struct refusals *r) {
    free(r->list);
    *r = (struct refusals){0};
}

bool refusals_has(const struct refusals *r, const struct public_key *member) {
    return r->count > 0 &&
           bsearch(member, r->list, r->count, sizeof *r->list, compare_keys) != NULL;
}

/* ---- whom it concerns ---- */

static int compare_newcomers(const void *left, const void *right) {
    return key_compare(&((const struct newcomer *)left)->member,
                       &((const struct newcomer *)right)->member);
}

void newcomers_done(struct newcomers *n) {
    free(n->list);
    *n = (struct newcomers){0};
}

static struct newcomer *find(const struct newcomers *n, const struct public_key *member) {
    struct newcomer wanted = {.member = *member};
    if (n->count == 0)
        return NULL;
    return bsearch(&wanted, n->list, n->count, sizeof *n->list, compare_newcomers);
}

const struct newcomer *newcomers_find(const struct newcomers *n, const struct public_key *member) {
    return find(n, member);
}

static bool concerns(struct agent *a, const struct approvals *approvals,
                     const struct refusals *refusals, const struct public_key *key) {
    const struct member *m = directory_member(agent_directory(a), key);
    return m && m->state == MEMBER_ADMITTED && !key_equal(key, agent_member(a)) &&
           !approvals_has(approvals, key) && !refusals_has(refusals, key);
}

/* Every one once, sorted; nothing is known of them yet. */
static enum err gather(struct agent *a, const struct approvals *approvals,
                       const struct refusals *refusals, struct newcomers *ret, struct error *e) {
    const struct policy *policy = agent_policy(a);
    size_t room = 0, kept = 0;
    for (size_t i = 0; policy && i < policy->audience_count; i++)
        if (recipients_coarse(&policy->audiences[i]))
            room += policy->audiences[i].member_count;
    struct newcomers made = {.list = calloc(room + 1, sizeof *made.list)};
    if (!made.list)
        return no_memory(e);
    for (size_t i = 0; policy && i < policy->audience_count; i++) {
        const struct policy_audience *audience = &policy->audiences[i];
        for (size_t k = 0; recipients_coarse(audience) && k < audience->member_count; k++)
            if (concerns(a, approvals, refusals, &audience->members[k]))
                made.list[made.count++].member = audience->members[k];
    }
    qsort(made.list, made.count, sizeof *made.list, compare_newcomers);
    for (size_t i = 0; i < made.count; i++)
        if (kept == 0 || !key_equal(&made.list[kept - 1].member, &made.list[i].member))
            made.list[kept++] = made.list[i];
    made.count = kept;
    *ret = made;
    return ERR_OK;
}

static enum err concerned(struct agent *a, struct newcomers *ret, struct error *e) {
    struct approvals approvals = {0};
    struct refusals refusals = {0};
    if (agent_settings(a)->trust != TRUST_DIRECTORY || !agent_joined(a)) {
        *ret = (struct newcomers){0};
        return ERR_OK;
    }
    enum err code = approvals_load(a, &approvals, e);
    if (code == ERR_OK)
        code = refusals_load(a, &refusals, e);
    if (code == ERR_OK)
        code = gather(a, &approvals, &refusals, ret, e);
    refusals_done(&refusals);
    approvals_done(&approvals);
    return code;
}

/* ---- rows ---- */

static enum err take_row(struct db_query *q, struct newcomer *ret, struct error *e) {
    ret->since_ms = db_column_int(q, 1);
    ret->waited_ms = db_column_int(q, 2);
    ret->counted_ms = db_column_int(q, 3);
    ret->trusted_ms = db_column_int(q, 4);
    return store_read_key(q, 0, &ret->member, e);
}

static enum err load_rows(struct agent *a, struct newcomers *ret, struct error *e) {
    struct db_query count = db_query(agent_db(a), SQL_NEWCOMER_COUNT);
    db_bind_int(&count, ":network", agent_network(a));
    size_t room = db_step(&count) ? (size_t)db_column_int(&count, 0) : 0;
    enum err code = db_finish(&count, e);
    struct newcomers made = {.list = code == ERR_OK ? calloc(room + 1, sizeof *made.list) : NULL};
    if (!made.list)
        return code != ERR_OK ? code : no_memory(e);
    struct db_query q = db_query(agent_db(a), SQL_NEWCOMERS);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && made.count < room && db_step(&q))
        code = take_row(&q, &made.list[made.count++], e);
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        newcomers_done(&made);
        return code;
    }
    qsort(made.list, made.count, sizeof *made.list, compare_newcomers);
    *ret = made;
    return ERR_OK;
}

/* Those it concerns, with what is stored of them; and the rows themselves. */
static enum err load_both(struct agent *a, struct newcomers *ret_now, struct newcomers *ret_rows,
                          struct error *e) {
    enum err code = concerned(a, ret_now, e);
    if (code == ERR_OK)
        code = load_rows(a, ret_rows, e);
    for (size_t i = 0; code == ERR_OK && i < ret_now->count; i++) {
        const struct newcomer *row = find(ret_rows, &ret_now->list[i].member);
        if (row)
            ret_now->list[i] = *row;
    }
    return code;
}

enum err newcomers_load(struct agent *a, struct newcomers *ret, struct error *e) {
    struct newcomers now = {0}, rows = {0};
    enum err code = load_both(a, &now, &rows, e);
    newcomers_done(&rows);
    if (code != ERR_OK) {
        newcomers_done(&now);
        return code;
    }
    *ret = now;
    return ERR_OK;
}

/* ---- the look ---- */

static enum err put_row(struct agent *a, const struct newcomer *n, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_NEWCOMER_PUT);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":member", bytes_of(n->member.b, KEY_LEN));
    db_bind_int(&q, ":since_ms", n->since_ms);
    db_bind_int(&q, ":waited_ms", n->waited_ms);
    db_bind_int(&q, ":counted_ms", n->counted_ms);
    db_bind_int(&q, ":trusted_ms", n->trusted_ms);
    return db_run_query(&q, e);
}

static enum err forget_row(struct agent *a, const struct newcomer *n, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_NEWCOMER_FORGET);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":member", bytes_of(n->member.b, KEY_LEN));
    return db_run_query(&q, e);
}

static enum err journal(struct agent *a, const char *event, const struct newcomer *n,
                        int64_t now_ms, struct error *e) {
    struct journal_row row = {.event = event,
                              .at_ms = now_ms,
                              .members = &n->member,
                              .member_count = 1,
                              .actor = "trust=directory"};
    return journal_add(a, &row, e);
}

/* What passed since the last look, as far as it may be believed. */
static int64_t step_ms(const struct newcomer *n, int64_t now_ms) {
    int64_t passed_ms = 0;
    if (__builtin_sub_overflow(now_ms, n->counted_ms, &passed_ms) || passed_ms < 0)
        return 0;
    return passed_ms < NEWCOMER_STEP_MS ? passed_ms : NEWCOMER_STEP_MS;
}

/* *ret_changed: there is another recipient, or another row in `status`. */
static enum err look_at(struct agent *a, struct newcomer *n, int64_t now_ms, bool *ret_changed,
                        struct error *e) {
    const char *event = NULL;
    if (n->trusted_ms != 0)
        return ERR_OK;
    if (n->since_ms == 0) {
        n->since_ms = now_ms;
        event = JOURNAL_WAITING;
    } else {
        n->waited_ms += step_ms(n, now_ms);
    }
    n->counted_ms = now_ms;
    if (n->waited_ms >= NEWCOMER_WAIT_MS) {
        n->trusted_ms = now_ms;
        event = JOURNAL_TRUSTED;
    }
    *ret_changed = *ret_changed || event;
    enum err code = put_row(a, n, e);
    return code == ERR_OK && event ? journal(a, event, n, now_ms, e) : code;
}

static enum err look(struct agent *a, int64_t now_ms, bool *ret_changed, struct error *e) {
    struct newcomers now = {0}, rows = {0};
    enum err code = load_both(a, &now, &rows, e);
    for (size_t i = 0; code == ERR_OK && i < rows.count; i++)
        if (!find(&now, &rows.list[i].member)) {
            *ret_changed = true;
            code = forget_row(a, &rows.list[i], e);
        }
    for (size_t i = 0; code == ERR_OK && i < now.count; i++)
        code = look_at(a, &now.list[i], now_ms, ret_changed, e);
    newcomers_done(&rows);
    newcomers_done(&now);
    return code;
}

enum err newcomers_look(struct agent *a, int64_t now_ms, struct error *e) {
    struct db *db = agent_db(a);
    bool changed = false;
    enum err code = db_begin(db, e);
    if (code != ERR_OK)
        return code;
    code = look(a, now_ms, &changed, e);
    code = db_end(db, code, e);
    if (code == ERR_OK && changed) {
        agent_mark_dirty(a);
        agent_raise_event(a, AGENT_EVENT_STATUS);
    }
    return code;
}

/* ---- for status ---- */

static json_t *audiences_json(struct agent *a, const struct public_key *member) {
    const struct policy *policy = agent_policy(a);
    json_t *names = json_array();
    for (size_t i = 0; policy && i < policy->audience_count; i++)
        if (recipients_coarse(&policy->audiences[i]) &&
            policy_has_member(&policy->audiences[i], member))
            json_array_append_new(names, json_string(policy->audiences[i].name));
    return names;
}

static json_t *newcomer_json(struct agent *a, const struct newcomer *n, int64_t now_ms) {
    char fingerprint[FINGERPRINT_SIZE], since[TEXT_TIME_SIZE], from[TEXT_TIME_SIZE];
    const struct member *m = directory_member(agent_directory(a), &n->member);
    int64_t begun_ms = n->trusted_ms != 0 ? n->trusted_ms : n->since_ms;
    json_t *made = json_pack("{s:s, s:s, s:o, s:o}", "member", m->name, "fingerprint",
                             fingerprint_text(&n->member, fingerprint), "audiences",
                             audiences_json(a, &n->member), "since",
                             begun_ms != 0 ? json_string(text_time(begun_ms, since)) : json_null());
    if (!made || n->trusted_ms != 0)
        return made;
    int64_t left_ms = NEWCOMER_WAIT_MS - n->waited_ms;
    json_object_set_new(made, "waited_s", json_integer(n->waited_ms / 1000));
    json_object_set_new(made, "not_before", json_string(text_time(now_ms + left_ms, from)));
    return made;
}

enum err newcomers_json(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) {
    struct newcomers now = {0};
    enum err code = newcomers_load(a, &now, e);
    if (code != ERR_OK)
        return code;
    json_t *waiting = json_array(), *trusted = json_array();
    int failed = 0;
    for (size_t i = 0; !failed && i < now.count; i++)
        failed = json_array_append_new(now.list[i].trusted_ms != 0 ? trusted : waiting,
                                       newcomer_json(a, &now.list[i], now_ms));
    newcomers_done(&now);
    json_t *made = failed
                       ? NULL
                       : json_pack("{s:s, s:O, s:O}", "mode", trust_name(agent_settings(a)->trust),
                                   "waiting", waiting, "trusted", trusted);
    json_decref(waiting);
    json_decref(trusted);
    if (!made)
        return no_memory(e);
    *ret = made;
    return ERR_OK;
}
