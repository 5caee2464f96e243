/* Owns applying, showing and explaining the policy (see sharing.h). Must not seal anything. */
#include "sharing.h"

#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "journal.h"
#include "newcomers.h"
#include "pause.h"
#include "sharing_diff.h"
#include "store.h"
#include "withdraw.h"

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the policy");
}

/* ---- members that need a word ---- */

/* Every member named in the policy, once. */
static enum err named_members(const struct policy *p, struct public_key **ret, size_t *ret_count,
                              struct error *e) {
    size_t total = 0, count = 0;
    for (size_t i = 0; i < p->audience_count; i++)
        total += p->audiences[i].member_count;
    struct public_key *list = calloc(total + 1, sizeof *list);
    if (!list)
        return no_memory(e);
    for (size_t i = 0; i < p->audience_count; i++)
        for (size_t k = 0; k < p->audiences[i].member_count; k++)
            list[count++] = p->audiences[i].members[k];
    qsort(list, count, sizeof *list, (int (*)(const void *, const void *))key_compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !key_equal(&list[kept - 1], &list[i]))
            list[kept++] = list[i];
    *ret = list;
    *ret_count = kept;
    return ERR_OK;
}

static bool is_listed(const struct public_key *list, size_t count, const struct public_key *key) {
    return count > 0 && bsearch(key, list, count, sizeof *list,
                                (int (*)(const void *, const void *))key_compare) != NULL;
}

/* Of the policy's members; the hub and our own member aside. */
static bool needs_approval(struct agent *a, const struct approvals *approvals,
                           const struct public_key *key) {
    return !key_equal(key, directory_network(agent_directory(a))) &&
           !key_equal(key, agent_member(a)) && !approvals_has(approvals, key);
}

/* ---- check ---- */

struct report {
    struct agent *agent;
    const struct policy *policy;
    const struct public_key *named; /* sorted */
    size_t named_count;
    const struct approvals *approvals;
    const struct refusals *refusals;
    json_t *findings;
    size_t problems;
    struct error failure; /* the first; code ERR_OK: none */
};

static void report(struct report *r, bool problem, const char *code, const char *subject,
                   const char *detail) {
    json_t *finding = json_pack("{s:s, s:s, s:s, s:s}", "level", problem ? "problem" : "notice",
                                "code", code, "subject", subject, "detail", detail);
    if (json_array_append_new(r->findings, finding) != 0 && r->failure.code == ERR_OK)
        (void)no_memory(&r->failure);
    r->problems += problem;
}

/* Whether some audience of the policy that names this member is as coarse, or as fine. */
static bool named_in(const struct policy *p, const struct public_key *key, bool coarse) {
    for (size_t i = 0; i < p->audience_count; i++)
        if (recipients_coarse(&p->audiences[i]) == coarse &&
            policy_has_member(&p->audiences[i], key))
            return true;
    return false;
}

static void check_unapproved(struct report *r, const struct public_key *key, const char *name) {
    bool directory = agent_settings(r->agent)->trust == TRUST_DIRECTORY;
    bool refused = refusals_has(r->refusals, key);
    if (refused)
        report(r, false, "refused", name,
               "was refused: nothing is sealed to it until plek-agent partner approve");
    else if (directory && named_in(r->policy, key, true))
        report(
            r, false, "directory", name,
            "is not approved: by trust = directory it is shown bands and lights once it stood 24 "
            "hours in plek-agent status; plek-agent partner refuse stops that");
    if (!refused && (!directory || named_in(r->policy, key, false)))
        report(r, true, "unapproved", name,
               directory
                   ? "is not approved: what is exact or rounded is not sealed to it until "
                     "plek-agent partner approve (compare its fingerprint by phone)"
                   : "is not approved: nothing is sealed to it until plek-agent partner approve "
                     "(compare its fingerprint by phone)");
}

static void check_member(struct report *r, const struct public_key *key) {
    const struct member *m = directory_member(agent_directory(r->agent), key);
    if (!m)
        return; /* the hub */
    if (key_equal(key, agent_member(r->agent)) && m->agents < 2)
        report(r, false, "self", m->name,
               "is this organisation itself, which has no other agent: nobody sees it");
    else if (m->state == MEMBER_REMOVED)
        report(r, true, "removed", m->name,
               "was removed from the network: nothing is sealed to it; take it out of the policy");
    else if (m->state == MEMBER_SUSPENDED)
        report(r, false, "suspended", m->name,
               "is suspended: nothing is sealed to it until it is resumed");
    else if (needs_approval(r->agent, r->approvals, key))
        check_unapproved(r, key, m->name);
}

static void check_services(struct report *r, const struct policy_audience *audience) {
    for (size_t i = 0; i < audience->service_count; i++)
        if (!charter_service(agent_charter(r->agent), audience->services[i]))
            report(r, true, "service-gone", audience->services[i],
                   "is no longer in the charter: the audiences that name it share nothing of it");
}

static bool anybody_sees(const struct policy *p, const char *service) {
    for (size_t i = 0; i < p->audience_count; i++)
        if (p->audiences[i].member_count > 0 && policy_covers(&p->audiences[i], service))
            return true;
    return false;
}

static void check_audiences(struct report *r) {
    const struct charter *charter = agent_charter(r->agent);
    for (size_t i = 0; i < r->policy->audience_count; i++) {
        const struct policy_audience *audience = &r->policy->audiences[i];
        check_services(r, audience);
        bool withdrawn = false;
        struct error e = {0};
        if (withdraw_stands(r->agent, audience->name, &withdrawn, &e) != ERR_OK)
            r->failure = e;
        if (withdrawn && r->policy == agent_policy(r->agent))
            report(r, false, "withdrawn", audience->name,
                   "is withdrawn: nothing is sealed to it until plek-agent withdraw --undo, or "
                   "until a "
                   "policy is applied");
        bool paused = false;
        if (pause_stands(r->agent, audience->name, &paused, &e) != ERR_OK)
            r->failure = e;
        if (paused)
            report(r, false, "paused", audience->name,
                   "is paused: nothing newer is sealed to it until it is resumed");
        if (audience->member_count == 0)
            report(r, false, "empty", audience->name, "has no members: nobody sees it");
    }
    for (size_t i = 0; i < charter->service_count; i++)
        if (!anybody_sees(r->policy, charter->services[i].code))
            report(r, false, "unshared", charter->services[i].code, "is shared with nobody");
}

static void check_left_out(struct report *r) {
    const struct directory *d = agent_directory(r->agent);
    for (size_t i = 0; i < directory_member_count(d); i++) {
        const struct member *m = directory_member_at(d, i);
        if (m->state == MEMBER_ADMITTED && !key_equal(&m->key, agent_member(r->agent)) &&
            !is_listed(r->named, r->named_count, &m->key))
            report(r, false, "left-out", m->name, "is in no audience: it sees nothing");
    }
}

static void check_self(struct report *r) {
    const struct member *self = directory_member(agent_directory(r->agent), agent_member(r->agent));
    if (self && self->role == ROLE_OBSERVER)
        report(r, false, "observer", self->name, "is an observer here: observers publish nothing");
}

static void check_all(struct report *r) {
    check_self(r);
    for (size_t i = 0; i < r->named_count; i++)
        check_member(r, &r->named[i]);
    check_audiences(r);
    check_left_out(r);
}

/* What is wrong or notable about a policy, whether it is in force or not. */
static enum err check_policy(struct agent *a, const struct policy *policy, json_t **ret,
                             bool *ret_ok, struct error *e) {
    struct approvals approvals = {0};
    struct refusals refusals = {0};
    struct public_key *named = NULL;
    struct report r = {.agent = a,
                       .policy = policy,
                       .approvals = &approvals,
                       .refusals = &refusals,
                       .findings = json_array()};
    enum err code = r.findings ? approvals_load(a, &approvals, e) : no_memory(e);
    if (code == ERR_OK)
        code = refusals_load(a, &refusals, e);
    if (code == ERR_OK)
        code = named_members(policy, &named, &r.named_count, e);
    if (code == ERR_OK) {
        r.named = named;
        check_all(&r);
        code = r.failure.code;
        if (code != ERR_OK && e)
            *e = r.failure;
    }
    free(named);
    refusals_done(&refusals);
    approvals_done(&approvals);
    if (code != ERR_OK) {
        json_decref(r.findings);
        return code;
    }
    *ret = r.findings;
    *ret_ok = r.problems == 0;
    return ERR_OK;
}

static json_t *no_policy_json(void) {
    return json_pack("{s:i, s:b, s:[{s:s, s:s, s:s, s:s}]}", "version", 0, "ok", 1, "findings",
                     "level", "notice", "code", "no-policy", "subject", "", "detail",
                     "no policy was applied: nothing is shared; see plek-agent policy apply");
}

enum err sharing_check(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) {
    (void)now_ms;
    json_t *findings = NULL, *made = NULL;
    bool ok = true;
    enum err code = agent_need_joined(a, e);
    if (code != ERR_OK)
        return code;
    if (!agent_policy(a)) {
        made = no_policy_json();
    } else {
        code = check_policy(a, agent_policy(a), &findings, &ok, e);
        if (code != ERR_OK)
            return code;
        made = json_pack("{s:I, s:b, s:o}", "version", (json_int_t)agent_policy_version(a), "ok",
                         (int)ok, "findings", findings);
    }
    if (!made)
        return no_memory(e);
    *ret = made;
    return ERR_OK;
}

/* ---- apply ---- */

static enum err parse(struct agent *a, const struct sharing_apply *what, struct policy **ret,
                      struct error *e) {
    const char *suggested = agent_charter(a)->suggested_policy;
    if (!what->suggested)
        return policy_parse(what->text, what->file ? what->file : "policy", agent_directory(a), ret,
                            e);
    if (!suggested)
        return error_set(e, ERR_NOT_FOUND,
                         "the charter suggests no policy: write one and apply the file");
    return policy_parse(bytes_str(suggested), "the charter's suggested policy", agent_directory(a),
                        ret, e);
}

static char *stored_text(struct agent *a, const struct policy *policy) {
    json_t *json = policy_to_json(policy, agent_directory(a));
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static enum err add_version(struct agent *a, uint32_t version, const char *text, const char *actor,
                            int64_t now_ms, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_POLICY_ADD);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":version", version);
    db_bind_text(&q, ":json", text);
    db_bind_int(&q, ":now", now_ms);
    db_bind_text(&q, ":actor", actor ? actor : "");
    return db_run_query(&q, e);
}

/* What was unapproved stands beside the warnings too, for programs. */
static int split_findings(const json_t *findings, json_t *warnings, json_t *unapproved) {
    size_t i;
    json_t *finding;
    int failed = 0;
    json_array_foreach((json_t *)(uintptr_t)findings, i, finding) {
        const char *level = "", *code = "", *subject = "", *detail = "";
        json_unpack(finding, "{s:s, s:s, s:s, s:s}", "level", &level, "code", &code, "subject",
                    &subject, "detail", &detail);
        bool problem = strcmp(level, "problem") == 0;
        bool state = strcmp(code, "suspended") == 0 || strcmp(code, "observer") == 0 ||
                     strcmp(code, "refused") == 0 || strcmp(code, "directory") == 0;
        if (strcmp(code, "unapproved") == 0)
            failed |= json_array_append_new(unapproved, json_string(subject));
        if (problem || state)
            failed |= json_array_append_new(warnings, json_sprintf("%s %s", subject, detail));
    }
    return failed;
}

static enum err answer(struct agent *a, const struct sharing_apply *what,
                       const struct policy *policy, bool unchanged, uint32_t version,
                       int64_t now_ms, json_t **ret, struct error *e) {
    bool ok = true, any = false;
    char applied[TEXT_TIME_SIZE];
    json_t *findings = NULL;
    enum err code = check_policy(a, policy, &findings, &ok, e);
    if (code != ERR_OK)
        return code;
    json_t *warnings = json_array(), *unapproved = json_array();
    json_t *changes = sharing_diff(agent_policy(a), policy, agent_directory(a), &any);
    json_t *named = policy_to_json_named(policy, agent_directory(a));
    int failed = split_findings(findings, warnings, unapproved);
    json_decref(findings);
    json_t *when = what->dry_run ? json_null() : json_string(text_time(now_ms, applied));
    json_t *made =
        failed ? NULL
               : json_pack("{s:I, s:O, s:b, s:b, s:O, s:O, s:O, s:O}", "version",
                           (json_int_t)version, "applied", when, "dry_run", (int)what->dry_run,
                           "unchanged", (int)unchanged, "policy", named, "changes", changes,
                           "unapproved", unapproved, "warnings", warnings);
    json_decref(when);
    json_decref(named);
    json_decref(changes);
    json_decref(unapproved);
    json_decref(warnings);
    if (!made)
        return no_memory(e);
    *ret = made;
    return ERR_OK;
}

/* The change as people see it, with who made it. */
static enum err journal_policy(struct agent *a, const struct policy *policy, uint32_t version,
                               const char *actor, int64_t now_ms, struct error *e) {
    bool any = false;
    json_t *changes = sharing_diff(agent_policy(a), policy, agent_directory(a), &any);
    char *text = changes ? json_dumps(changes, JSON_COMPACT) : NULL;
    json_decref(changes);
    if (!text)
        return no_memory(e);
    struct journal_row row = {.event = JOURNAL_POLICY,
                              .at_ms = now_ms,
                              .policy = version,
                              .actor = actor ? actor : "",
                              .detail = text};
    enum err code = journal_add(a, &row, e);
    free(text);
    return code;
}

/* One transaction; the policy in memory follows what was committed. */
static enum err store(struct agent *a, struct policy *take_policy, const char *text,
                      uint32_t version, const char *actor, int64_t now_ms, json_t *resumed,
                      struct error *e) {
    enum err code = db_begin(agent_db(a), e);
    if (code == ERR_OK) {
        code = add_version(a, version, text, actor, now_ms, e);
        if (code == ERR_OK)
            code = journal_policy(a, take_policy, version, actor, now_ms, e);
        if (code == ERR_OK)
            code = withdraw_lift(a, actor, now_ms, false, resumed, e);
        if (code == ERR_OK)
            code = pause_forget_others(a, take_policy, e);
        code = db_end(agent_db(a), code, e);
    }
    if (code != ERR_OK) {
        policy_free(take_policy);
        return code;
    }
    agent_take_policy(a, take_policy, version);
    agent_mark_dirty(a);
    agent_raise_event(a, AGENT_EVENT_STATUS);
    return ERR_OK;
}

/* The policy in force again: what was withdrawn from it goes on. */
static enum err resume(struct agent *a, const char *actor, int64_t now_ms, json_t *resumed,
                       struct error *e) {
    enum err code = db_begin(agent_db(a), e);
    if (code != ERR_OK)
        return code;
    code = withdraw_lift(a, actor, now_ms, false, resumed, e);
    code = db_end(agent_db(a), code, e);
    if (code == ERR_OK && json_array_size(resumed) > 0)
        agent_mark_dirty(a);
    return code;
}

static bool same_as_now(struct agent *a, const char *text) {
    char *now = agent_policy(a) ? stored_text(a, agent_policy(a)) : NULL;
    bool same = now && strcmp(now, text) == 0;
    free(now);
    return same;
}

static enum err apply(struct agent *a, const struct sharing_apply *what, struct policy *take_policy,
                      const char *text, int64_t now_ms, json_t **ret, struct error *e) {
    json_t *made = NULL, *resumed = json_array();
    bool unchanged = same_as_now(a, text);
    uint32_t version = agent_policy_version(a) + (unchanged ? 0 : 1);
    enum err code =
        resumed ? answer(a, what, take_policy, unchanged, version, now_ms, &made, e) : no_memory(e);
    if (code != ERR_OK || what->dry_run || unchanged)
        policy_free(take_policy);
    else
        code = store(a, take_policy, text, version, what->actor, now_ms, resumed, e);
    if (code == ERR_OK && what->dry_run)
        code = withdraw_lift(a, what->actor, now_ms, true, resumed, e);
    else if (code == ERR_OK && unchanged)
        code = resume(a, what->actor, now_ms, resumed, e);
    if (code == ERR_OK && json_object_set(made, "resumed", resumed) != 0)
        code = no_memory(e);
    json_decref(resumed);
    if (code != ERR_OK) {
        json_decref(made);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

enum err sharing_apply(struct agent *a, const struct sharing_apply *what, int64_t now_ms,
                       json_t **ret, struct error *e) {
    struct policy *policy = NULL;
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK && what->base && *what->base != agent_policy_version(a))
        code = error_set(e, ERR_CONFLICT,
                         "found policy version %u in force, the change was made to %lld: somebody "
                         "applied another in between; look at it, then change it again",
                         (unsigned)agent_policy_version(a), (long long)*what->base);
    if (code == ERR_OK)
        code = parse(a, what, &policy, e);
    if (code != ERR_OK)
        return code;
    char *text = stored_text(a, policy);
    if (!text) {
        policy_free(policy);
        return no_memory(e);
    }
    code = apply(a, what, policy, text, now_ms, ret, e);
    free(text);
    return code;
}

/* ---- show, preview ---- */

static enum err applied_when(struct agent *a, json_t **ret_when, json_t **ret_actor,
                             struct error *e) {
    char text[TEXT_TIME_SIZE];
    struct db_query q = db_query(agent_db(a), SQL_POLICY_APPLIED);
    db_bind_int(&q, ":network", agent_network(a));
    bool any = db_step(&q);
    *ret_when = any ? json_string(text_time(db_column_int(&q, 1), text)) : json_null();
    *ret_actor = any ? json_string(db_column_text(&q, 2)) : json_null();
    return db_finish(&q, e);
}

enum err sharing_show(struct agent *a, json_t **ret, struct error *e) {
    json_t *when = NULL, *actor = NULL, *withdrawn = NULL, *paused = NULL;
    enum err code = agent_need_joined(a, e);
    if (code != ERR_OK)
        return code;
    code = applied_when(a, &when, &actor, e);
    if (code == ERR_OK)
        code = withdraw_list(a, &withdrawn, e);
    if (code == ERR_OK)
        code = pause_list(a, &paused, e);
    const struct policy *policy = agent_policy(a);
    json_t *named = policy ? policy_to_json_named(policy, agent_directory(a))
                           : json_pack("{s:[]}", "audiences");
    json_t *made =
        json_pack("{s:I, s:O*, s:O*, s:O*, s:o*, s:o*}", "version",
                  (json_int_t)agent_policy_version(a), "applied", when, "actor", actor, "audiences",
                  json_object_get(named, "audiences"), "withdrawn", withdrawn, "paused", paused);
    json_decref(when);
    json_decref(actor);
    json_decref(named);
    if (code == ERR_OK && !made)
        code = no_memory(e);
    if (code != ERR_OK) {
        json_decref(made);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

enum err sharing_preview(struct agent *a, const char *partner, int64_t now_ms, json_t **ret,
                         struct error *e) {
    struct public_key member;
    enum err code = sharing_find_member(a, partner, &member, e);
    return code != ERR_OK ? code : find_preview(a, &member, now_ms, ret, e);
}
