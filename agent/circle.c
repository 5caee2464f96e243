/* Owns what is known of one audience of the policy (see circle.h): why it needs a new key, which
 * grants and whether a state are due. Must not build entries. */
#include "circle.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failpoint.h"
#include "pause.h"
#include "store.h"
#include "withdraw.h"

/* ---- what the policy says of it, as text ---- */

static void precision_now(const struct precision *p, char out[static CIRCLE_PRECISION_MAX]) {
    char name[32];
    size_t len = (size_t)snprintf(out, CIRCLE_PRECISION_MAX, "%s", precision_text(p, name));
    for (size_t i = 0; p->kind == PRECISION_BAND && i < p->band_count; i++)
        len += (size_t)snprintf(out + len, CIRCLE_PRECISION_MAX - len, " %lld",
                                (long long)p->bands[i]);
}

void circle_services(const struct policy_audience *p, char out[static CIRCLE_SERVICES_MAX]) {
    size_t len = 0;
    out[0] = '\0';
    if (p->all_services)
        snprintf(out, CIRCLE_SERVICES_MAX, "*");
    for (size_t i = 0; !p->all_services && i < p->service_count; i++)
        len += (size_t)snprintf(out + len, CIRCLE_SERVICES_MAX - len, "%s%s", i > 0 ? "," : "",
                                p->services[i]);
}

/* Whether something that the key's holders could see is no longer for this audience. */
static bool narrowed(const char *before, const struct policy_audience *now) {
    if (now->all_services)
        return false;
    if (strcmp(before, "*") == 0)
        return true;
    char code[CODE_MAX + 1];
    while (*before) {
        size_t len = strcspn(before, ",");
        snprintf(code, sizeof code, "%.*s", (int)len, before);
        if (!policy_covers(now, code))
            return true;
        before += len + (before[len] == ',');
    }
    return false;
}

/* ---- the row ---- */

static enum err take_row(struct circle *c, struct db_query *q, struct error *e) {
    struct bytes id = db_column_blob(q, 0), key = db_column_blob(q, 1);
    if (id.len != AUDIENCE_ID_LEN || (key.len != 0 && key.len != AUDIENCE_KEY_LEN))
        return error_set(e, ERR_STORE, "agent.db: audience '%s' is damaged: restore a backup",
                         c->policy->name);
    c->exists = true;
    memcpy(c->id, id.data, AUDIENCE_ID_LEN);
    c->has_key = key.len > 0;
    c->key_ms = db_column_int(q, 3);
    snprintf(c->key_precision, sizeof c->key_precision, "%s", db_column_text(q, 4));
    snprintf(c->key_services, sizeof c->key_services, "%s", db_column_text(q, 5));
    c->counter = (uint64_t)db_column_int(q, 6);
    c->sealed_seq = (uint64_t)db_column_int(q, 8);
    c->sealed_ms = db_column_int(q, 9);
    c->history_counter = (uint64_t)db_column_int(q, 10);
    enum err code = ERR_OK;
    if (c->has_key) {
        memcpy(c->key.b, key.data, AUDIENCE_KEY_LEN);
        code = store_read_hash(q, 2, &c->key_id, e);
    }
    c->has_digest = db_column_blob(q, 7).len > 0;
    if (code == ERR_OK && c->has_digest)
        code = store_read_hash(q, 7, &c->digest, e);
    return code;
}

static enum err load_row(struct agent *a, struct circle *c, struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_AUDIENCE);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_text(&q, ":name", c->policy->name);
    if (db_step(&q))
        code = take_row(c, &q, e);
    return db_finish_visit(&q, code, e);
}

/* Marks who holds the key; *ret_left when somebody does who may not any more. */
static enum err load_granted(struct agent *a, struct circle *c, bool *ret_left, struct error *e) {
    enum err code = ERR_OK;
    bool left = false;
    struct db_query q = db_query(agent_db(a), SQL_GRANTED);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":audience", bytes_of(c->id, AUDIENCE_ID_LEN));
    while (code == ERR_OK && db_step(&q)) {
        struct public_key agent;
        code = store_read_key(&q, 0, &agent, e);
        const struct recipient *r = code == ERR_OK ? recipients_find(&c->recipients, &agent) : NULL;
        if (!r)
            left = !failpoint_is("agent-keeps-key");
        else /* to a renewed box key the grant goes again */
            c->granted[r - c->recipients.list] =
                bytes_equal(db_column_blob(&q, 1), bytes_of(r->box.b, KEY_LEN));
    }
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret_left = left;
    return code;
}

/* ---- what is due ---- */

enum err circle_compose(struct agent *a, const struct policy_audience *audience,
                        const struct records *records, struct snapshot **ret, struct error *e) {
    return snapshot_compose(audience, agent_charter(a),
                            directory_charter_version(agent_directory(a)), records->sites,
                            records->site_count, records->lines, records->line_count, ret, e);
}

static bool is_fatal(enum err code) {
    return code == ERR_NO_MEMORY || code == ERR_STORE || code == ERR_DISK_FULL;
}

/* A picture that cannot be sealed stops this audience only; it is told in `why`. */
static enum err compose(struct agent *a, struct circle *c, const struct records *records,
                        struct error *e) {
    struct error why = {0};
    enum err code = circle_compose(a, c->policy, records, &c->snapshot, &why);
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    if (code == ERR_OK)
        code = snapshot_digest(c->snapshot, &c->now_digest, &why);
    if (code == ERR_OK) {
        c->snapshot->counter = c->counter + 1;
        code = snapshot_encode(c->snapshot, &plain, &why);
    }
    if (code == ERR_OK && plain.len > VIEW_PLAIN_MAX)
        code = error_set(&why, ERR_CAP,
                         "%zu lines make %zu bytes, expected at most %d: share "
                         "fewer services with this audience, or shorten notes",
                         c->snapshot->line_count, plain.len, VIEW_PLAIN_MAX);
    buf_done(&plain);
    if (code == ERR_OK)
        return ERR_OK;
    snapshot_free(c->snapshot);
    c->snapshot = NULL;
    if (!is_fatal(code)) {
        c->why = why;
        return ERR_OK;
    }
    if (e)
        *e = why;
    return code;
}

static bool key_worn(const struct circle *c, bool left, int64_t now_ms) {
    char precision[CIRCLE_PRECISION_MAX];
    precision_now(&c->policy->precision, precision);
    /* From the future by more than that: the clock was wrong then, its age is unknown. */
    bool old = now_ms - c->key_ms >= CIRCLE_KEY_MAX_MS || c->key_ms - now_ms >= CIRCLE_KEY_MAX_MS;
    return left || old || strcmp(precision, c->key_precision) != 0 ||
           narrowed(c->key_services, c->policy);
}

struct past_view circle_past(const struct circle *c) {
    return (struct past_view){c->policy, c->exists ? c->id : NULL};
}

static enum err decide(struct agent *a, struct circle *c, const struct records *records,
                       int64_t now_ms, struct error *e) {
    bool left = false, withdrawn = false, paused = false;
    enum err code = withdraw_stands(a, c->policy->name, &withdrawn, e);
    if (code == ERR_OK)
        code = pause_stands(a, c->policy->name, &paused, e);
    if (code != ERR_OK || withdrawn || paused)
        return code; /* nothing is due, and what must be said has its own way (seal.h) */
    code = load_row(a, c, e);
    if (code == ERR_OK && c->exists)
        code = load_granted(a, c, &left, e);
    if (code != ERR_OK)
        return code;
    if (c->recipients.count == 0) {
        c->retire = c->has_key;
        return ERR_OK;
    }
    code = compose(a, c, records, e);
    if (code != ERR_OK || !c->snapshot)
        return code;
    c->rekey = !c->has_key || key_worn(c, left, now_ms);
    c->state_due = c->rekey || !c->has_digest || !hash_equal(&c->digest, &c->now_digest);
    for (size_t i = 0; i < c->recipients.count; i++)
        c->grants_due += c->rekey || !c->granted[i];
    struct past_view past = circle_past(c);
    return c->policy->history ? past_view_look(a, &past, &c->history_due, &c->history_seen, e)
                              : ERR_OK;
}

enum err circle_load(struct agent *a, const struct policy_audience *audience,
                     const struct approvals *approvals, const struct records *records,
                     int64_t now_ms, struct circle *ret, struct error *e) {
    struct circle c = {.policy = audience};
    enum err code = recipients_of(a, audience, approvals, &c.recipients, e);
    if (code != ERR_OK)
        return code;
    c.granted = calloc(c.recipients.count + 1, sizeof *c.granted);
    c.fresh = calloc(c.recipients.count + 1, sizeof *c.fresh);
    code = c.granted && c.fresh ? decide(a, &c, records, now_ms, e)
                                : error_set(e, ERR_NO_MEMORY, "no memory for an audience");
    if (code != ERR_OK) {
        circle_done(&c);
        return code;
    }
    *ret = c;
    audience_key_wipe(&c.key);
    return ERR_OK;
}

void circle_done(struct circle *c) {
    recipients_done(&c->recipients);
    free(c->granted);
    free(c->fresh);
    snapshot_free(c->snapshot);
    audience_key_wipe(&c->key);
    c->granted = NULL;
    c->fresh = NULL;
    c->snapshot = NULL;
}

bool circle_due(const struct circle *c) {
    return c->state_due || c->grants_due > 0;
}

/* ---- changing it ---- */

struct audience_ctx circle_ctx(struct agent *a, const struct circle *c) {
    struct audience_ctx ctx = {.network = *directory_network(agent_directory(a)),
                               .member = *agent_member(a),
                               .agent = agent_keys(a)->pub};
    memcpy(ctx.audience, c->id, AUDIENCE_ID_LEN);
    return ctx;
}

void circle_rekey(struct agent *a, struct circle *c, int64_t now_ms) {
    if (!c->exists)
        entropy_fill(agent_entropy(a), c->id, AUDIENCE_ID_LEN);
    entropy_fill(agent_entropy(a), c->key.b, AUDIENCE_KEY_LEN);
    struct audience_ctx ctx = circle_ctx(a, c);
    c->key_id = audience_key_id(&ctx, &c->key);
    c->key_ms = now_ms;
    c->exists = c->has_key = true;
    c->has_digest = false;
    precision_now(&c->policy->precision, c->key_precision);
    memset(c->granted, 0, c->recipients.count * sizeof *c->granted);
}

static enum err store_row(struct agent *a, const struct circle *c, struct error *e) {
    char services[CIRCLE_SERVICES_MAX];
    bool has_key = c->has_key && !c->retire;
    circle_services(c->policy, services);
    struct db_query q = db_query(agent_db(a), SQL_AUDIENCE_PUT);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_text(&q, ":name", c->policy->name);
    db_bind_blob(&q, ":id", bytes_of(c->id, AUDIENCE_ID_LEN));
    db_bind_blob(&q, ":key", bytes_of(c->key.b, has_key ? AUDIENCE_KEY_LEN : 0));
    db_bind_blob(&q, ":key_id", bytes_of(c->key_id.b, has_key ? HASH_LEN : 0));
    db_bind_int(&q, ":key_ms", c->key_ms);
    db_bind_text(&q, ":key_precision", c->key_precision);
    db_bind_text(&q, ":key_services", services);
    db_bind_int(&q, ":counter", (int64_t)c->counter);
    db_bind_blob(&q, ":digest", bytes_of(c->digest.b, has_key && c->has_digest ? HASH_LEN : 0));
    db_bind_int(&q, ":sealed_seq", (int64_t)c->sealed_seq);
    db_bind_int(&q, ":sealed_ms", c->sealed_ms);
    db_bind_int(&q, ":history_counter", (int64_t)c->history_counter);
    return db_run_query(&q, e);
}

static enum err forget_granted(struct agent *a, struct bytes id, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_GRANTED_FORGET);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":audience", id);
    return db_run_query(&q, e);
}

static enum err add_granted(struct agent *a, const struct circle *c, const struct recipient *r,
                            int64_t now_ms, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_GRANTED_PUT);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":audience", bytes_of(c->id, AUDIENCE_ID_LEN));
    db_bind_blob(&q, ":agent", bytes_of(r->agent.b, KEY_LEN));
    db_bind_blob(&q, ":member", bytes_of(r->member.b, KEY_LEN));
    db_bind_blob(&q, ":box", bytes_of(r->box.b, KEY_LEN));
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err circle_store(struct agent *a, const struct circle *c, int64_t now_ms, struct error *e) {
    enum err code = store_row(a, c, e);
    if (code == ERR_OK && (c->rekey || c->retire))
        code = forget_granted(a, bytes_of(c->id, AUDIENCE_ID_LEN), e);
    bool changed = c->rekey || c->grants_due > 0;
    for (size_t i = 0; code == ERR_OK && changed && !c->retire && i < c->recipients.count; i++)
        if (c->granted[i])
            code = add_granted(a, c, &c->recipients.list[i], now_ms, e);
    return code;
}

/* ---- audiences that are gone ---- */

static bool named(const struct policy *policy, const char *name) {
    for (size_t i = 0; policy && i < policy->audience_count; i++)
        if (strcmp(policy->audiences[i].name, name) == 0)
            return true;
    return false;
}

static enum err forget(struct agent *a, const char *name, const uint8_t id[static AUDIENCE_ID_LEN],
                       struct error *e) {
    enum err code = forget_granted(a, bytes_of(id, AUDIENCE_ID_LEN), e);
    if (code != ERR_OK)
        return code;
    struct db_query told = db_query(agent_db(a), SQL_PAST_TOLD_FORGET);
    db_bind_int(&told, ":network", agent_network(a));
    db_bind_blob(&told, ":audience", bytes_of(id, AUDIENCE_ID_LEN));
    code = db_run_query(&told, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(agent_db(a), SQL_AUDIENCE_FORGET);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_text(&q, ":name", name);
    return db_run_query(&q, e);
}

/* The first stored audience that is not in the policy; *ret_name "" when there is none. */
static enum err find_other(struct agent *a, const struct policy *policy,
                           char ret_name[static CODE_MAX + 1],
                           uint8_t ret_id[static AUDIENCE_ID_LEN], struct error *e) {
    ret_name[0] = '\0';
    struct db_query q = db_query(agent_db(a), SQL_AUDIENCES);
    db_bind_int(&q, ":network", agent_network(a));
    while (ret_name[0] == '\0' && db_step(&q)) {
        struct bytes id = db_column_blob(&q, 1);
        if (named(policy, db_column_text(&q, 0)) || id.len != AUDIENCE_ID_LEN)
            continue;
        snprintf(ret_name, CODE_MAX + 1, "%s", db_column_text(&q, 0));
        memcpy(ret_id, id.data, AUDIENCE_ID_LEN);
    }
    return db_finish(&q, e);
}

enum err circle_forget_others(struct agent *a, const struct policy *policy, struct error *e) {
    for (;;) {
        char name[CODE_MAX + 1];
        uint8_t id[AUDIENCE_ID_LEN];
        enum err code = find_other(a, policy, name, id, e);
        if (code != ERR_OK || name[0] == '\0')
            return code;
        code = forget(a, name, id, e);
        if (code != ERR_OK)
            return code;
    }
}
