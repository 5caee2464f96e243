/* Owns approving partners and listing them (see sharing.h).
 * Must not know audiences: the policy says who sees what, approval only whether it may be sealed.
 */
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "newcomers.h"
#include "sharing.h"
#include "store.h"

#define HUB "@hub"

/* Approval by somebody's key; the hub and our own member need none. */
static struct db_query partner_query(struct agent *a, int statement,
                                     const struct public_key *member) {
    struct db_query q = db_query(agent_db(a), statement);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":member", bytes_of(member->b, KEY_LEN));
    return q;
}

/* When a statement's first column has a time for this member; 0: it has none. */
static enum err since_of(struct agent *a, int statement, const struct public_key *member,
                         int64_t *ret_ms, struct error *e) {
    struct db_query q = partner_query(a, statement, member);
    int64_t since_ms = db_step(&q) ? db_column_int(&q, 0) : 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret_ms = since_ms;
    return code;
}

enum err sharing_approved(struct agent *a, const struct public_key *member, bool *ret,
                          struct error *e) {
    int64_t since_ms = 0;
    enum err code = agent_need_joined(a, e);
    if (code != ERR_OK)
        return code;
    if (key_equal(member, directory_network(agent_directory(a))) ||
        key_equal(member, agent_member(a))) {
        *ret = true;
        return ERR_OK;
    }
    code = since_of(a, SQL_PARTNER_SINCE, member, &since_ms, e);
    if (code == ERR_OK)
        *ret = since_ms != 0;
    return code;
}

/* ---- the list ---- */

/* When each member was last heard of, sorted by key. */
struct seen {
    struct public_key member;
    int64_t ms;
};
struct seen_list {
    struct seen *list;
    size_t count;
};

static int compare_seen(const void *left, const void *right) {
    return key_compare(&((const struct seen *)left)->member, &((const struct seen *)right)->member);
}

static enum err load_seen(struct agent *a, struct seen_list *ret, struct error *e) {
    size_t room = directory_member_count(agent_directory(a));
    struct seen_list made = {.list = calloc(room + 1, sizeof *made.list)};
    enum err code = ERR_OK;
    if (!made.list)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu partners", room);
    struct db_query q = db_query(agent_db(a), SQL_PARTNERS_SEEN);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && made.count < room && db_step(&q)) {
        struct seen *s = &made.list[made.count++];
        code = store_read_key(&q, 0, &s->member, e);
        s->ms = db_column_int(&q, 1);
    }
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        free(made.list);
        return code;
    }
    qsort(made.list, made.count, sizeof *made.list, compare_seen);
    *ret = made;
    return ERR_OK;
}

static json_t *last_seen_json(const struct seen_list *seen, const struct public_key *member) {
    struct seen wanted = {.member = *member};
    char text[TEXT_TIME_SIZE];
    const struct seen *found =
        seen->count > 0 ? bsearch(&wanted, seen->list, seen->count, sizeof wanted, compare_seen)
                        : NULL;
    return found ? json_string(text_time(found->ms, text)) : json_null();
}

/* What is known of partners beside the directory. */
struct known {
    struct seen_list seen;
    struct approvals approvals;
    struct refusals refusals;
    struct newcomers newcomers;
};

static const char *trust_of(const struct known *known, const struct public_key *member) {
    const struct newcomer *newcomer = newcomers_find(&known->newcomers, member);
    if (approvals_has(&known->approvals, member))
        return "approved";
    if (refusals_has(&known->refusals, member))
        return "refused";
    if (newcomer)
        return newcomer->trusted_ms != 0 ? "directory" : "waiting";
    return "none";
}

static json_t *partner_json(const struct member *m, const struct known *known) {
    char hex[2 * KEY_LEN + 1], fingerprint[FINGERPRINT_SIZE];
    hex_encode(hex, bytes_of(m->key.b, KEY_LEN));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:s}", "name", m->name, "key", hex,
                     "role", role_name(m->role), "state", member_state_name(m->state),
                     "fingerprint", fingerprint_text(&m->key, fingerprint), "last_seen",
                     last_seen_json(&known->seen, &m->key), "approved",
                     (int)approvals_has(&known->approvals, &m->key), "trust",
                     trust_of(known, &m->key));
}

static enum err list_partners(struct agent *a, const struct known *known, json_t **ret,
                              struct error *e) {
    const struct directory *d = agent_directory(a);
    json_t *list = json_array();
    int failed = list ? 0 : -1;
    for (size_t i = 0; !failed && i < directory_member_count(d); i++) {
        const struct member *m = directory_member_at(d, i);
        if (!key_equal(&m->key, agent_member(a)))
            failed = json_array_append_new(list, partner_json(m, known));
    }
    if (failed) {
        json_decref(list);
        return error_set(e, ERR_NO_MEMORY, "no memory for the partners");
    }
    *ret = list;
    return ERR_OK;
}

enum err sharing_partners(struct agent *a, json_t **ret, struct error *e) {
    struct known known = {.seen = {0}};
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK)
        code = load_seen(a, &known.seen, e);
    if (code == ERR_OK)
        code = approvals_load(a, &known.approvals, e);
    if (code == ERR_OK)
        code = refusals_load(a, &known.refusals, e);
    if (code == ERR_OK)
        code = newcomers_load(a, &known.newcomers, e);
    if (code == ERR_OK)
        code = list_partners(a, &known, ret, e);
    free(known.seen.list);
    approvals_done(&known.approvals);
    refusals_done(&known.refusals);
    newcomers_done(&known.newcomers);
    return code;
}

/* ---- approve, refuse, forget ---- */

enum err sharing_find_member(struct agent *a, const char *name, struct public_key *ret,
                             struct error *e) {
    struct public_key key;
    enum err code = agent_need_joined(a, e);
    if (code != ERR_OK)
        return code;
    const struct directory *d = agent_directory(a);
    const struct member *member = directory_member_named(d, name);
    if (strcmp(name, HUB) == 0) {
        *ret = *directory_network(d);
        return ERR_OK;
    }
    if (!member && strlen(name) == 2 * (size_t)KEY_LEN &&
        hex_decode(key.b, KEY_LEN, name, NULL) == ERR_OK)
        member = directory_member(d, &key);
    if (!member)
        return error_set(
            e, ERR_UNKNOWN_MEMBER,
            "found no member '%.80s' in the directory: check the name with partner list", name);
    *ret = member->key;
    return ERR_OK;
}

static enum err check_approval(struct agent *a, const struct public_key *member,
                               const char *fingerprint, struct error *e) {
    char found[FINGERPRINT_SIZE];
    const struct member *m = directory_member(agent_directory(a), member);
    if (key_equal(member, agent_member(a)))
        return error_set(e, ERR_USAGE, "'%s' is this organisation itself: approve partners",
                         m->name);
    if (m && m->state == MEMBER_REMOVED)
        return error_set(e, ERR_REMOVED, "'%s' was removed from the network", m->name);
    if (fingerprint && !fingerprint_matches(member, fingerprint))
        return error_set(e, ERR_FINGERPRINT,
                         "the directory says %s, not what was given: nothing was approved; ask the "
                         "partner, and the hub's operator, before trying again",
                         fingerprint_text(member, found));
    return ERR_OK;
}

/* What people decide about a partner. Each undoes the others, and what it waited. */
enum verdict { VERDICT_APPROVE, VERDICT_REFUSE, VERDICT_FORGET };

static const struct {
    int add, drop[2]; /* statements; -1: none */
    const char *event;
} verdicts[] = {
    [VERDICT_APPROVE] = {SQL_PARTNER_ADD, {SQL_REFUSED_LIFT, -1}, JOURNAL_APPROVED},
    [VERDICT_REFUSE] = {SQL_REFUSED_ADD, {SQL_PARTNER_FORGET, -1}, JOURNAL_REFUSED},
    [VERDICT_FORGET] = {-1, {SQL_PARTNER_FORGET, SQL_REFUSED_LIFT}, JOURNAL_FORGOTTEN},
};

static enum err drop_partner(struct agent *a, int statement, const struct public_key *member,
                             bool *ret_any, struct error *e) {
    struct db_query q = partner_query(a, statement, member);
    enum err code = db_run_query(&q, e);
    *ret_any = *ret_any || (code == ERR_OK && db_changes(agent_db(a)) > 0);
    return code;
}

static enum err add_partner(struct agent *a, int statement, const struct public_key *member,
                            const char *actor, int64_t now_ms, bool *ret_any, struct error *e) {
    struct db_query q = partner_query(a, statement, member);
    db_bind_int(&q, ":now", now_ms);
    db_bind_text(&q, ":actor", actor ? actor : "");
    enum err code = db_run_query(&q, e);
    *ret_any = *ret_any || (code == ERR_OK && db_changes(agent_db(a)) > 0);
    return code;
}

static enum err put_partner(struct agent *a, const struct public_key *member, const char *actor,
                            int64_t now_ms, enum verdict verdict, struct error *e) {
    bool any = false, waited = false;
    enum err code = drop_partner(a, SQL_NEWCOMER_FORGET, member, &waited, e);
    for (size_t i = 0; code == ERR_OK && i < 2 && verdicts[verdict].drop[i] >= 0; i++)
        code = drop_partner(a, verdicts[verdict].drop[i], member, &any, e);
    if (code == ERR_OK && verdicts[verdict].add >= 0)
        code = add_partner(a, verdicts[verdict].add, member, actor, now_ms, &any, e);
    if (code != ERR_OK || !any)
        return code; /* it stood like that already */
    struct journal_row row = {.event = verdicts[verdict].event,
                              .at_ms = now_ms,
                              .members = member,
                              .member_count = 1,
                              .actor = actor ? actor : ""};
    return journal_add(a, &row, e);
}

/* The verdict and its row in the journal: both or neither. */
static enum err set_partner(struct agent *a, const struct public_key *member, const char *actor,
                            int64_t now_ms, enum verdict verdict, struct error *e) {
    struct db *db = agent_db(a);
    enum err code = db_begin(db, e);
    if (code != ERR_OK)
        return code;
    code = put_partner(a, member, actor, now_ms, verdict, e);
    return db_end(db, code, e);
}

static void changed(struct agent *a) {
    agent_mark_dirty(a);
    agent_raise_event(a, AGENT_EVENT_STATUS | AGENT_EVENT_PICTURE);
}

static enum err verdict_json(struct agent *a, const struct public_key *member, json_t **ret,
                             struct error *e) {
    char hex[2 * KEY_LEN + 1], fingerprint[FINGERPRINT_SIZE], since[TEXT_TIME_SIZE];
    const struct member *m = directory_member(agent_directory(a), member);
    int64_t approved_ms = 0, refused_ms = 0;
    enum err code = m ? since_of(a, SQL_PARTNER_SINCE, member, &approved_ms, e) : ERR_OK;
    if (code == ERR_OK)
        code = since_of(a, SQL_REFUSED_SINCE, member, &refused_ms, e);
    if (code != ERR_OK)
        return code;
    int64_t since_ms = approved_ms != 0 ? approved_ms : refused_ms;
    hex_encode(hex, bytes_of(member->b, KEY_LEN));
    json_t *made = json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:s, s:o}", "name", m ? m->name : HUB, "key", hex, "fingerprint",
        fingerprint_text(member, fingerprint), "approved", (int)(!m || approved_ms != 0), "refused",
        (int)(refused_ms != 0), "mode", trust_name(agent_settings(a)->trust), "since",
        since_ms ? json_string(text_time(since_ms, since)) : json_null());
    if (!made)
        return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
    *ret = made;
    return ERR_OK;
}

enum err sharing_approve(struct agent *a, const char *name, const char *fingerprint,
                         const char *actor, int64_t now_ms, json_t **ret, struct error *e) {
    struct public_key member;
    enum err code = sharing_find_member(a, name, &member, e);
    if (code == ERR_OK)
        code = check_approval(a, &member, fingerprint, e);
    if (code == ERR_OK && !key_equal(&member, directory_network(agent_directory(a)))) {
        code = set_partner(a, &member, actor, now_ms, VERDICT_APPROVE, e);
        changed(a);
    }
    return code != ERR_OK ? code : verdict_json(a, &member, ret, e);
}

static enum err check_not_hub(struct agent *a, const struct public_key *member, struct error *e) {
    if (key_equal(member, directory_network(agent_directory(a))))
        return error_set(
            e, ERR_USAGE,
            "the hub is approved by joining: take @hub out of the policy to share nothing "
            "with it");
    return ERR_OK;
}

enum err sharing_refuse(struct agent *a, const char *name, const char *actor, int64_t now_ms,
                        json_t **ret, struct error *e) {
    struct public_key member;
    enum err code = sharing_find_member(a, name, &member, e);
    if (code == ERR_OK)
        code = check_not_hub(a, &member, e);
    if (code == ERR_OK && key_equal(&member, agent_member(a)))
        code = error_set(e, ERR_USAGE, "'%s' is this organisation itself: refuse partners",
                         directory_member(agent_directory(a), &member)->name);
    if (code != ERR_OK)
        return code;
    code = set_partner(a, &member, actor, now_ms, VERDICT_REFUSE, e);
    changed(a);
    return code != ERR_OK ? code : verdict_json(a, &member, ret, e);
}

enum err sharing_forget(struct agent *a, const char *name, const char *actor, int64_t now_ms,
                        json_t **ret, struct error *e) {
    struct public_key member;
    enum err code = sharing_find_member(a, name, &member, e);
    if (code == ERR_OK)
        code = check_not_hub(a, &member, e);
    if (code != ERR_OK)
        return code;
    code = set_partner(a, &member, actor, now_ms, VERDICT_FORGET, e);
    changed(a);
    return code != ERR_OK ? code : verdict_json(a, &member, ret, e);
}
