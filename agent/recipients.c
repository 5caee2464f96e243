/* Owns the answer to "who receives what an audience is sealed to" (see recipients.h).
 * Must not know keys of audiences or figures. */
#include "recipients.h"

#include <stdlib.h>
#include <string.h>

#include "store.h"

static int compare_approvals(const void *left, const void *right) {
    return key_compare(&((const struct approval *)left)->member,
                       &((const struct approval *)right)->member);
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

static enum err take_approval(struct db_query *q, struct approval *ret, struct error *e) {
    ret->since_ms = db_column_int(q, 1);
    ret->directory = db_column_int(q, 2) != 0;
    return store_read_key(q, 0, &ret->member, e);
}

enum err approvals_load(struct agent *a, struct approvals *ret, struct error *e) {
    size_t expected = 0;
    enum err code = count_approvals(a, &expected, e);
    if (code != ERR_OK)
        return code;
    struct approvals made = {.list = calloc(expected + 1, sizeof *made.list)};
    if (!made.list)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu approvals", expected);
    struct db_query q = db_query(agent_db(a), SQL_PARTNERS);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":directory", agent_settings(a)->trust == TRUST_DIRECTORY);
    while (code == ERR_OK && made.count < expected && db_step(&q))
        code = take_approval(&q, &made.list[made.count++], e);
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        free(made.list);
        return code;
    }
    qsort(made.list, made.count, sizeof *made.list, compare_approvals);
    *ret = made;
    return ERR_OK;
}

void approvals_done(struct approvals *approvals) {
    free(approvals->list);
    *approvals = (struct approvals){0};
}

const struct approval *approvals_find(const struct approvals *approvals,
                                      const struct public_key *member) {
    struct approval wanted = {.member = *member};
    if (approvals->count == 0)
        return NULL;
    return bsearch(&wanted, approvals->list, approvals->count, sizeof *approvals->list,
                   compare_approvals);
}

bool approvals_has(const struct approvals *approvals, const struct public_key *member) {
    const struct approval *found = approvals_find(approvals, member);
    return found && !found->directory;
}

/* ---- recipients ---- */

const char *basis_name(enum basis b) {
    switch (b) {
    case BASIS_NONE:
        return NULL;
    case BASIS_HUB:
        return "hub";
    case BASIS_OWN:
        return "own";
    case BASIS_APPROVED:
        return "approved";
    case BASIS_DIRECTORY:
        return "directory";
    }
    return NULL;
}

bool recipients_coarse(const struct policy_audience *audience) {
    switch (audience->precision.kind) {
    case PRECISION_BAND:
    case PRECISION_LIGHT:
        return true;
    case PRECISION_EXACT:
    case PRECISION_ROUNDED:
        return false;
    }
    return false;
}

enum basis recipients_basis(struct agent *a, const struct policy_audience *audience,
                            const struct approvals *approvals, const struct public_key *member) {
    const struct directory *d = agent_directory(a);
    if (key_equal(member, directory_network(d)))
        return BASIS_HUB; /* approved by joining */
    const struct member *m = directory_member(d, member);
    if (!m || m->state != MEMBER_ADMITTED)
        return BASIS_NONE;
    if (key_equal(member, agent_member(a)))
        return BASIS_OWN; /* its other agents */
    const struct approval *found = approvals_find(approvals, member);
    if (!found || (found->directory && !recipients_coarse(audience)))
        return BASIS_NONE;
    return found->directory ? BASIS_DIRECTORY : BASIS_APPROVED;
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

/* A member of the audience who is allowed, and why. */
struct allowed {
    struct public_key member;
    enum basis basis;
};
struct allowed_list {
    struct allowed *list; /* sorted by member, without the hub */
    size_t count;
    bool hub;
};

static int compare_allowed(const void *left, const void *right) {
    return key_compare(&((const struct allowed *)left)->member,
                       &((const struct allowed *)right)->member);
}

static enum err allowed_members(struct agent *a, const struct policy_audience *audience,
                                const struct approvals *approvals, struct allowed_list *ret,
                                struct error *e) {
    struct allowed_list made = {.list = calloc(audience->member_count + 1, sizeof *made.list)};
    if (!made.list)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu members", audience->member_count);
    for (size_t i = 0; i < audience->member_count; i++) {
        const struct public_key *member = &audience->members[i];
        enum basis basis = recipients_basis(a, audience, approvals, member);
        if (basis == BASIS_HUB)
            made.hub = true;
        else if (basis != BASIS_NONE)
            made.list[made.count++] = (struct allowed){*member, basis};
    }
    qsort(made.list, made.count, sizeof *made.list, compare_allowed);
    *ret = made;
    return ERR_OK;
}

static const struct allowed *find_allowed(const struct allowed_list *members,
                                          const struct public_key *member) {
    struct allowed wanted = {.member = *member};
    if (members->count == 0)
        return NULL;
    return bsearch(&wanted, members->list, members->count, sizeof *members->list, compare_allowed);
}

enum err recipients_of(struct agent *a, const struct policy_audience *audience,
                       const struct approvals *approvals, struct recipients *ret, struct error *e) {
    const struct directory *d = agent_directory(a);
    struct allowed_list members = {.list = NULL};
    enum err code = allowed_members(a, audience, approvals, &members, e);
    if (code != ERR_OK)
        return code;
    size_t agents = directory_agent_count(d);
    struct recipients made = {.list = calloc(agents + 1, sizeof *made.list)};
    if (!made.list) {
        free(members.list);
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu recipients", agents);
    }
    for (size_t i = 0; i < agents; i++) {
        const struct member_agent *agent = directory_agent_at(d, i);
        bool other = !agent->revoked && !key_equal(&agent->agent, &agent_keys(a)->pub);
        const struct allowed *allowed = other ? find_allowed(&members, &agent->member->key) : NULL;
        if (allowed)
            made.list[made.count++] =
                (struct recipient){agent->agent, agent->box, agent->member->key, allowed->basis};
    }
    if (members.hub)
        made.list[made.count++] = (struct recipient){*directory_network(d), *directory_hub_box(d),
                                                     *directory_network(d), BASIS_HUB};
    free(members.list);
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
