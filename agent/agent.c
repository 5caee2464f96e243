/* Owns what the modules of agent_core share of an open agent, and the one way in for the session's
 * store effects. Must not know what an effect means: it hands each to its module. */
#include "agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent_private.h"
#include "alarm.h"
#include "inbox.h"
#include "outbox.h"
#include "series.h"
#include "store.h"

/* ---- accessors ---- */

struct access *agent_access(struct agent *a) {
    return a->access;
}

struct db *agent_db(struct agent *a) {
    return a->db;
}
const char *agent_dir(const struct agent *a) {
    return a->dir;
}
const struct agent_settings *agent_settings(const struct agent *a) {
    return &a->settings;
}
const struct entropy *agent_entropy(const struct agent *a) {
    return &a->entropy;
}
const struct sign_pair *agent_keys(const struct agent *a) {
    return &a->keys;
}
const struct box_pair *agent_box(const struct agent *a) {
    return &a->boxes.list[0].pair;
}
struct directory *agent_directory(struct agent *a) {
    return a->directory;
}
const struct charter *agent_charter(const struct agent *a) {
    return a->directory ? directory_charter(a->directory) : NULL;
}
const struct public_key *agent_member(const struct agent *a) {
    return a->network.id != 0 ? &a->network.member : NULL;
}
int64_t agent_network(const struct agent *a) {
    return a->network.id;
}
const struct policy *agent_policy(const struct agent *a) {
    return a->policy;
}
uint32_t agent_policy_version(const struct agent *a) {
    return a->policy_version;
}
bool agent_joined(const struct agent *a) {
    return a->network.joined;
}

enum err agent_need_joined(const struct agent *a, struct error *e) {
    if (!agent_joined(a) || !agent_charter(a))
        return error_set(
            e, ERR_NOT_JOINED,
            "join a network first: ask the hub for an invitation, then plek-agent join");
    return ERR_OK;
}

enum err agent_zone(const struct agent *a, const struct zone **ret, struct error *e) {
    const struct charter *charter = agent_charter(a);
    if (!charter)
        return agent_need_joined(a, e);
    return zone_find(charter->time_zone, ret, e);
}

const char *agent_hub_address(const struct agent *a) {
    return a->settings.hub[0] != '\0' ? a->settings.hub : a->network.address;
}

void agent_take_policy(struct agent *a, struct policy *take_policy, uint32_t version) {
    policy_free(a->policy);
    a->policy = take_policy;
    a->policy_version = version;
    agent_mark_dirty(a);
}

void agent_mark_dirty(struct agent *a) {
    a->dirty = true;
}
bool agent_dirty(const struct agent *a) {
    return a->dirty;
}
void agent_clear_dirty(struct agent *a) {
    a->dirty = false;
}

void agent_raise_event(struct agent *a, unsigned events) {
    a->events |= events;
}
unsigned agent_take_events(struct agent *a) {
    unsigned events = a->events;
    a->events = 0;
    return events;
}

void agent_rest(struct agent *a) {
    db_rest(agent_db(a));
}

struct import_sessions **agent_import_sessions(struct agent *a) {
    return &a->import_sessions;
}

int64_t agent_hole_asked(const struct agent *a) {
    return a->hole_asked;
}
void agent_ask_again(struct agent *a, bool again) {
    a->hole_asked = 0;
    a->ask_again = again;
}
bool agent_take_again(struct agent *a) {
    bool again = a->ask_again;
    a->ask_again = false;
    return again;
}

/* ---- the connection ---- */

void agent_note_connection(struct agent *a, bool connected, enum err why, const char *detail,
                           int64_t now_ms) {
    struct agent_connection *c = &a->connection;
    if (c->connected != connected || c->since_ms == 0)
        c->since_ms = now_ms;
    c->connected = connected;
    c->why = why;
    snprintf(c->detail, sizeof c->detail, "%s", detail ? detail : "");
    agent_raise_event(a, AGENT_EVENT_STATUS);
}

const struct agent_connection *agent_connection(const struct agent *a) {
    return &a->connection;
}

/* Nothing signed, or nothing acknowledged yet: seq 0, and the row has no hash. */
static enum err read_head(struct db_query *q, int column, struct head *ret, struct error *e) {
    ret->incarnation = (uint64_t)db_column_int(q, column);
    ret->seq = (uint64_t)db_column_int(q, column + 1);
    return ret->seq == 0 ? ERR_OK : store_read_hash(q, column + 2, &ret->hash, e);
}

static enum err fill_heads(struct agent *a, struct agent_session_config *config, struct error *e) {
    struct db_query q = db_query(a->db, SQL_AGENT_HEADS);
    db_bind_int(&q, ":network", a->network.id);
    enum err code = ERR_OK;
    if (db_step(&q)) {
        code = read_head(&q, 0, &config->own, e);
        if (code == ERR_OK)
            code = read_head(&q, 3, &config->sent, e);
    }
    return db_finish_visit(&q, code, e);
}

static enum err fill_cursors(struct agent *a, struct agent_session_config *config,
                             struct error *e) {
    struct db_query q = db_query(a->db, SQL_AGENT_CURSORS);
    db_bind_int(&q, ":network", a->network.id);
    while (db_step(&q)) {
        int64_t class_ = db_column_int(&q, 0);
        if (class_ > 0 && class_ < AGENT_CLASSES)
            config->after[class_] = (uint64_t)db_column_int(&q, 1);
    }
    enum err code = db_finish(&q, e);
    if (code != ERR_OK)
        return code;
    uint64_t *history = &config->after[AGENT_CLASSES - 1];
    return series_pull_from(a, *history, history, &a->hole_asked, e);
}

enum err agent_session_fill(struct agent *a, struct agent_session_config *ret, struct error *e) {
    enum err code = agent_refresh(a, e);
    if (code != ERR_OK)
        return code;
    if (a->network.id == 0)
        return error_set(e, ERR_NOT_JOINED, "no join began: run plek-agent join");
    struct agent_session_config config = {
        .network = a->network.key,
        .keys = &a->keys,
        .cert = bytes_of(a->network.cert, a->network.cert_len),
        .hub_head = directory_head(a->directory),
        .entropy = &a->entropy,
    };
    if (!directory_agent(a->directory, &a->keys.pub))
        config.join = bytes_of(a->network.join, a->network.join_len);
    code = fill_heads(a, &config, e);
    if (code == ERR_OK)
        code = fill_cursors(a, &config, e);
    if (code == ERR_OK)
        *ret = config;
    return code;
}

/* ---- effects ---- */

/* A refusal by the signed word of the hub that stands until the hub says otherwise. */
static bool refusal_alarms(enum err code) {
    return code == ERR_SUSPENDED || code == ERR_REMOVED || code == ERR_REVOKED;
}

static const enum err admission_alarms[] = {ERR_SUSPENDED, ERR_REMOVED, ERR_REVOKED};

/* A hub that signs an older head than one it signed before took something back; one that signs
 * another entry at the same place tells others something else. Entries further on are judged when
 * they come. */
static enum err check_hub_head(struct agent *a, const struct head *said, int64_t now_ms,
                               struct error *e) {
    struct head held = directory_head(a->directory);
    char detail[ERROR_DETAIL_MAX];
    if (said->seq > held.seq)
        return ERR_OK;
    if (said->seq == held.seq && hash_equal(&said->hash, &held.hash)) {
        /* What was refused of its feed stands until a good entry comes in its place. */
        enum err code = alarm_clear(a, ALARM_HUB_FEED, error_name(ERR_FORK), e);
        return code == ERR_OK ? alarm_clear(a, ALARM_HUB_FEED, error_name(ERR_OLD), e) : code;
    }
    bool other = said->seq == held.seq;
    snprintf(detail, sizeof detail,
             "the hub says its feed ends at entry %" PRIu64 "%s, here it ends at %" PRIu64
             ": it was restored from a backup, or tells others something else; tell its operator",
             said->seq, other ? " with another content" : "", held.seq);
    return alarm_raise(a, ALARM_HUB_FEED, error_name(other ? ERR_FORK : ERR_OLD), detail, now_ms,
                       e);
}

static enum err welcomed(struct agent *a, const struct welcome *w, int64_t now_ms,
                         struct error *e) {
    enum err code = check_hub_head(a, &w->hub_head, now_ms, e);
    for (size_t i = 0; i < sizeof admission_alarms / sizeof admission_alarms[0] && code == ERR_OK;
         i++)
        code = alarm_clear(a, error_name(admission_alarms[i]), "", e);
    if (code != ERR_OK)
        return code;
    agent_raise_event(a, AGENT_EVENT_STATUS);
    return outbox_welcomed(a, w, now_ms, e);
}

static enum err refused(struct agent *a, const struct refused *r, int64_t now_ms, struct error *e) {
    if (!refusal_alarms(r->code))
        return ERR_OK; /* the shell shows and logs it; nothing that outlasts the connection */
    agent_raise_event(a, AGENT_EVENT_STATUS);
    return alarm_raise(a, error_name(r->code), "", r->detail, now_ms, e);
}

enum err agent_perform(struct agent *a, const struct agent_effect *effect, int64_t now_ms,
                       struct error *e) {
    switch (effect->kind) {
    case AGENT_EFFECT_WELCOMED:
        return welcomed(a, &effect->welcome, now_ms, e);
    case AGENT_EFFECT_REFUSED:
        return refused(a, &effect->refused, now_ms, e);
    case AGENT_EFFECT_TAKE:
        return inbox_take(a, effect->class_, effect->position, effect->received_ms,
                          blob_bytes(effect->data), now_ms, e);
    case AGENT_EFFECT_REACHED:
        return inbox_reached(a, effect->class_, effect->position, effect->tip, now_ms, e);
    case AGENT_EFFECT_ACKED:
        return outbox_acked(a, &effect->head, now_ms, e);
    case AGENT_EFFECT_REJECTED:
        agent_raise_event(a, AGENT_EVENT_STATUS);
        return outbox_rejected(a, &effect->head, effect->code, effect->reason, now_ms, e);
    case AGENT_EFFECT_SEND:
    case AGENT_EFFECT_CLOSE:
    case AGENT_EFFECT_WAKE:
    case AGENT_EFFECT_NEXT:
        break;
    }
    return error_set(e, ERR_INTERNAL, "effect %d is not the store's", (int)effect->kind);
}
