/* Owns writing the organisation's own journal (see journal.h). Must not decide what is sealed. */
#include "journal.h"

#include <stdlib.h>

#include "status.h"
#include "store.h"

#define PRUNE_ROWS 256 /* a time, so that an ack stays cheap */

/* ---- who ---- */

static int compare_keys(const void *left, const void *right) {
    return key_compare(left, right);
}

/* Sorted, each once. */
static enum err distinct(const struct journal_row *row, struct public_key **ret, size_t *ret_count,
                         struct error *e) {
    struct public_key *list = calloc(row->member_count + 1, sizeof *list);
    size_t count = 0;
    if (!list)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu members", row->member_count);
    for (size_t i = 0; i < row->member_count; i++)
        list[i] = row->members[i];
    qsort(list, row->member_count, sizeof *list, compare_keys);
    for (size_t i = 0; i < row->member_count; i++)
        if (count == 0 || !key_equal(&list[count - 1], &list[i]))
            list[count++] = list[i];
    *ret = list;
    *ret_count = count;
    return ERR_OK;
}

static enum err find_group(struct agent *a, const struct hash *digest, int64_t *ret,
                           struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_JOURNAL_GROUP);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":digest", bytes_of(digest->b, HASH_LEN));
    int64_t id = db_step(&q) ? db_column_int(&q, 0) : 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = id;
    return code;
}

static enum err add_group(struct agent *a, const struct hash *digest,
                          const struct public_key *members, size_t count, int64_t *ret,
                          struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_JOURNAL_GROUP_ADD);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":digest", bytes_of(digest->b, HASH_LEN));
    enum err code = db_run_query(&q, e);
    int64_t id = db_last_rowid(agent_db(a));
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct db_query add = db_query(agent_db(a), SQL_JOURNAL_MEMBER_ADD);
        db_bind_int(&add, ":group", id);
        db_bind_blob(&add, ":member", bytes_of(members[i].b, KEY_LEN));
        code = db_run_query(&add, e);
    }
    if (code == ERR_OK)
        *ret = id;
    return code;
}

/* The id of this set of members, made when it is new; 0 for none. */
static enum err group_of(struct agent *a, const struct journal_row *row, int64_t *ret,
                         struct error *e) {
    struct public_key *members = NULL;
    size_t count = 0;
    int64_t id = 0;
    *ret = 0;
    if (row->member_count == 0)
        return ERR_OK;
    enum err code = distinct(row, &members, &count, e);
    if (code != ERR_OK)
        return code;
    struct hash digest = hash_blake2b(bytes_of(members, count * sizeof *members));
    code = find_group(a, &digest, &id, e);
    if (code == ERR_OK && id == 0)
        code = add_group(a, &digest, members, count, &id, e);
    free(members);
    if (code == ERR_OK)
        *ret = id;
    return code;
}

/* ---- rows ---- */

static const char *or_empty(const char *text) {
    return text ? text : "";
}

static enum err add_row(struct agent *a, const struct journal_row *row, struct error *e) {
    int64_t group = 0;
    enum err code = group_of(a, row, &group, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(agent_db(a), SQL_JOURNAL_ADD);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":now", row->at_ms);
    db_bind_text(&q, ":event", row->event);
    db_bind_opt(&q, ":group", group != 0, group);
    db_bind_text(&q, ":audience", or_empty(row->audience));
    db_bind_text(&q, ":precision", or_empty(row->precision));
    db_bind_text(&q, ":services", or_empty(row->services));
    db_bind_int(&q, ":policy", row->policy > 0 ? row->policy : agent_policy_version(a));
    db_bind_int(&q, ":incarnation", (int64_t)row->entry.incarnation);
    db_bind_int(&q, ":seq", (int64_t)row->entry.seq);
    db_bind_text(&q, ":actor", row->actor);
    db_bind_text(&q, ":detail", or_empty(row->detail));
    return db_run_query(&q, e);
}

enum err journal_add(struct agent *a, const struct journal_row *row, struct error *e) {
    struct db *db = agent_db(a);
    enum err code = db_begin(db, e);
    if (code != ERR_OK)
        return code;
    code = add_row(a, row, e);
    return db_end(db, code, e);
}

enum who { EVERYBODY, BY_PERSON, BY_DIRECTORY };

static bool is_among(enum who who, const struct recipient *r) {
    return who == EVERYBODY || (who == BY_DIRECTORY) == (r->basis == BASIS_DIRECTORY);
}

/* The members of the recipients that are marked, and among `who`. */
static enum err add_marked(struct agent *a, const struct circle *c, const bool *marked,
                           enum who who, struct journal_row *row, struct error *e) {
    struct public_key *members = calloc(c->recipients.count + 1, sizeof *members);
    if (!members)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu members", c->recipients.count);
    row->member_count = 0;
    for (size_t i = 0; i < c->recipients.count; i++) {
        const struct recipient *r = &c->recipients.list[i];
        if (marked[i] && is_among(who, r))
            members[row->member_count++] = r->member;
    }
    row->members = members;
    enum err code = row->member_count > 0 ? journal_add(a, row, e) : ERR_OK;
    row->members = NULL;
    free(members);
    return code;
}

/* Whom the directory let in stands apart from whom a person approved. */
static enum err add_keys(struct agent *a, const struct circle *c, struct journal_row *row,
                         struct error *e) {
    enum err code = add_marked(a, c, c->fresh, BY_PERSON, row, e);
    row->detail = "{\"trust\":\"directory\"}";
    if (code == ERR_OK)
        code = add_marked(a, c, c->fresh, BY_DIRECTORY, row, e);
    row->detail = NULL;
    return code;
}

enum err journal_sealed(struct agent *a, const struct circle *c, const struct head *head,
                        int64_t now_ms, struct error *e) {
    char services[CIRCLE_SERVICES_MAX];
    circle_services(c->policy, services);
    struct journal_row row = {.event = JOURNAL_KEYS,
                              .at_ms = now_ms,
                              .audience = c->policy->name,
                              .precision = c->key_precision,
                              .services = services,
                              .entry = *head};
    enum err code = add_keys(a, c, &row, e);
    row.event = JOURNAL_STATE;
    if (code == ERR_OK && c->sealed_seq == head->seq)
        code = add_marked(a, c, c->granted, EVERYBODY, &row, e);
    row.event = JOURNAL_HISTORY;
    if (code == ERR_OK && c->history_seq == head->seq)
        code = add_marked(a, c, c->granted, EVERYBODY, &row, e);
    return code;
}

/* ---- not for ever ---- */

/* By the hub's clock where ours is off: a wrong clock must not empty the journal. */
enum err journal_prune(struct agent *a, int64_t now_ms, struct error *e) {
    int64_t judged_ms = now_ms;
    enum err code = status_now(a, now_ms, &judged_ms, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(agent_db(a), SQL_JOURNAL_PRUNE);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":before", judged_ms - JOURNAL_KEEP_MS);
    db_bind_int(&q, ":limit", PRUNE_ROWS);
    code = db_run_query(&q, e);
    if (code != ERR_OK || db_changes(agent_db(a)) == 0)
        return code;
    return db_run(agent_db(a), SQL_JOURNAL_GROUPS_PRUNE, e);
}
