/* Owns the answer to "who receives what an audience is sealed to" (see recipients.h).
 * Must not know keys of audiences or figures. */
#include "recipients.h"

#include <stdlib.h>
#include <string.h>

#include "store.h"

static int compare_keys(const void *left, const void *right) {
    return key_compare(left, right);
}

/* ---- approvals ---- */

static enum err count_approvals(struct agent *a, size_t *ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PARTNER_COUNT);
    db_bind_int(&q, ":network", agent_network(a));
    size_t count = db_step(&q) ? (size_t)db_column_int(&q, 0) : 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = count;
    return code;
}

enum err approvals_load(struct agent *a, struct approvals *ret, struct error *e) {
    size_t expected = 0;
    enum err code = count_approvals(a, &expected, e);
    if (code != ERR_OK)
        return code;
    struct approvals made = {.members = calloc(expected + 1, sizeof *made.members)};
    if (!made.members)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu approvals", expected);
    struct db_query q = db_query(agent_db(a), SQL_PARTNERS);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && made.count < expected && db_step(&q))
        code = key_from_bytes(&made.members[made.count++], db_column_blob(&q, 0), e);
    enum err finished = db_finish(&q, code == ERR_OK ? e : NULL);
    code = code != ERR_OK ? code : finished;
    if (code != ERR_OK) {
        free(made.members);
        return code;
    }
    qsort(made.members, made.count, sizeof *made.members, compare_keys);
    *ret = made;
    return ERR_OK;
}

void approvals_done(struct approvals *approvals) {
    free(approvals->members);
    *approvals = (struct approvals){0};
}

bool approvals_has(const struct approvals *approvals, const struct public_key *member) {
    return approvals->count > 0 && bsearch(member, approvals->members, approvals->count,
                                           sizeof *approvals->members, compare_keys) != NULL;
}

/* ---- recipients ---- */

bool recipients_allow(struct agent *a, const struct approvals *approvals,
                      const struct public_key *member) {
    const struct directory *d = agent_directory(a);
    if (key_equal(member, directory_network(d)))
        return true; /* approved by joining */
    if (key_equal(member, agent_member(a)))
        return false;
    const struct member *m = directory_member(d, member);
    return m && m->state == MEMBER_ADMITTED && approvals_has(approvals, member);
}

bool recipients_publish(struct agent *a) {
    const struct directory *d = agent_directory(a);
    const struct member *self = d && agent_member(a) ? directory_member(d, agent_member(a)) : NULL;
    return agent_joined(a) && agent_charter(a) && self && self->state == MEMBER_ADMITTED &&
           self->role != ROLE_OBSERVER;
}

static int compare_recipients(const void *left, const void *right) {
    return key_compare(&((const struct recipient *)left)->agent,
                       &((const struct recipient *)right)->agent);
}

/* The audience's members that are allowed, sorted; the hub stands apart. */
static enum err allowed_members(struct agent *a, const struct policy_audience *audience,
                                const struct approvals *approvals, struct public_key **ret,
                                size_t *ret_count, bool *ret_hub, struct error *e) {
    struct public_key *list = calloc(audience->member_count + 1, sizeof *list);
    if (!list)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu members", audience->member_count);
    size_t count = 0;
    bool hub = false;
    for (size_t i = 0; i < audience->member_count; i++) {
        const struct public_key *member = &audience->members[i];
        if (key_equal(member, directory_network(agent_directory(a))))
            hub = true;
        else if (recipients_allow(a, approvals, member))
            list[count++] = *member;
    }
    qsort(list, count, sizeof *list, compare_keys);
    *ret = list;
    *ret_count = count;
    *ret_hub = hub;
    return ERR_OK;
}

static bool listed(const struct public_key *list, size_t count, const struct public_key *member) {
    return count > 0 && bsearch(member, list, count, sizeof *list, compare_keys) != NULL;
}

enum err recipients_of(struct agent *a, const struct policy_audience *audience,
                       const struct approvals *approvals, struct recipients *ret, struct error *e) {
    const struct directory *d = agent_directory(a);
    struct public_key *members = NULL;
    size_t member_count = 0;
    bool hub = false;
    enum err code = allowed_members(a, audience, approvals, &members, &member_count, &hub, e);
    if (code != ERR_OK)
        return code;
    size_t agents = directory_agent_count(d);
    struct recipients made = {.list = calloc(agents + 1, sizeof *made.list)};
    if (!made.list) {
        free(members);
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu recipients", agents);
    }
    for (size_t i = 0; i < agents; i++) {
        const struct member_agent *agent = directory_agent_at(d, i);
        if (!agent->revoked && listed(members, member_count, &agent->member->key))
            made.list[made.count++] =
                (struct recipient){agent->agent, agent->box, agent->member->key};
    }
    if (hub)
        made.list[made.count++] =
            (struct recipient){*directory_network(d), *directory_hub_box(d), *directory_network(d)};
    free(members);
    qsort(made.list, made.count, sizeof *made.list, compare_recipients);
    *ret = made;
    return ERR_OK;
}

void recipients_done(struct recipients *r) {
    free(r->list);
    *r = (struct recipients){0};
}

const struct recipient *recipients_find(const struct recipients *r,
                                        const struct public_key *agent) {
    struct recipient wanted = {.agent = *agent};
    if (r->count == 0)
        return NULL;
    return bsearch(&wanted, r->list, r->count, sizeof *r->list, compare_recipients);
}
