/* Owns the status object and the clock as the hub sees it (see status.h). Must not change anything.
 */
#include "status.h"

#include <string.h>

#include "alarm.h"
#include "boxes.h"
#include "certify.h"
#include "inbox.h"
#include "listing.h"
#include "newcomers.h"
#include "outbox.h"
#include "pause.h"
#include "picture.h"
#include "recipients.h"
#include "series.h"
#include "store.h"
#include "withdraw.h"

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the status");
}

/* ---- the clock ---- */

/* What the network's row says; 0 where it says nothing. */
struct network_row {
    bool has_offset, has_picture;
    int64_t offset_ms, picture_ms;
};

static enum err load_row(struct agent *a, struct network_row *ret, struct error *e) {
    struct network_row row = {.has_offset = false};
    struct db_query q = db_query(agent_db(a), SQL_STATUS_NETWORK);
    db_bind_int(&q, ":network", agent_network(a));
    if (db_step(&q)) {
        row.has_offset = !db_column_null(&q, 0);
        row.has_picture = !db_column_null(&q, 1);
        row.offset_ms = row.has_offset ? db_column_int(&q, 0) : 0;
        row.picture_ms = row.has_picture ? db_column_int(&q, 1) : 0;
    }
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = row;
    return code;
}

enum err status_clock(struct agent *a, bool *ret_known, int64_t *ret_offset_ms, struct error *e) {
    struct network_row row;
    enum err code = load_row(a, &row, e);
    if (code != ERR_OK)
        return code;
    *ret_known = row.has_offset;
    *ret_offset_ms = row.offset_ms;
    return ERR_OK;
}

enum err status_now(struct agent *a, int64_t now_ms, int64_t *ret_ms, struct error *e) {
    bool known = false;
    int64_t offset_ms = 0, corrected_ms = now_ms;
    enum err code = status_clock(a, &known, &offset_ms, e);
    if (code != ERR_OK)
        return code;
    bool off = known && (offset_ms > STATUS_CLOCK_MAX_MS || offset_ms < -STATUS_CLOCK_MAX_MS);
    if (off && __builtin_add_overflow(now_ms, offset_ms, &corrected_ms))
        corrected_ms = now_ms;
    *ret_ms = corrected_ms;
    return ERR_OK;
}

/* ---- the parts ---- */

static json_t *time_json(bool known, int64_t ms) {
    char text[TEXT_TIME_SIZE];
    return known ? json_string(text_time(ms, text)) : json_null();
}

static json_t *text_or_null(const char *text) {
    return text && text[0] ? json_string(text) : json_null();
}

static json_t *hub_json(struct agent *a, const struct network_row *row) {
    const struct agent_connection *c = agent_connection(a);
    json_t *hub = json_pack("{s:o, s:b, s:o}", "address",
                            agent_network(a) ? text_or_null(agent_hub_address(a)) : json_null(),
                            "connected", (int)c->connected, "clock_offset_ms",
                            row->has_offset ? json_integer(row->offset_ms) : json_null());
    if (hub && c->since_ms != 0)
        json_object_set_new(hub, "since", time_json(true, c->since_ms));
    if (hub && !c->connected && c->why != ERR_OK) {
        json_object_set_new(hub, "reason", json_string(error_name(c->why)));
        json_object_set_new(hub, "detail", text_or_null(c->detail));
    }
    return hub;
}

static json_t *partners_json(struct agent *a, const struct approvals *approvals) {
    const struct directory *d = agent_directory(a);
    json_int_t known = 0, approved = 0;
    for (size_t i = 0; d && i < directory_member_count(d); i++) {
        const struct member *m = directory_member_at(d, i);
        if (m->state == MEMBER_REMOVED || key_equal(&m->key, agent_member(a)))
            continue;
        known++;
        approved += approvals_has(approvals, &m->key);
    }
    return json_pack("{s:I, s:I}", "known", known, "approved", approved);
}

static json_t *waiting_json(struct agent *a, struct db_query *q) {
    struct public_key agent;
    const struct member_agent *known = NULL;
    if (key_from_bytes(&agent, db_column_blob(q, 0), NULL) == ERR_OK)
        known = directory_agent(agent_directory(a), &agent);
    return json_pack("{s:s, s:o}", "member", known ? known->member->name : "?", "since",
                     time_json(true, db_column_int(q, 1)));
}

/* Whose views wait for a key, and since when: "no key received since T". */
static enum err no_key_json(struct agent *a, json_t **ret, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_WAITING_SINCE);
    db_bind_int(&q, ":network", agent_network(a));
    return listing_read(a, &q, waiting_json, ret, e);
}

/* ---- the whole ---- */

struct parts {
    struct network_row row;
    struct outbox_status outbox;
    struct approvals approvals;
    json_t *alarms, *refusals, *no_key, *withdrawn, *paused, *dropped, *holes, *trust;
};

static enum err gather(struct agent *a, int64_t now_ms, struct parts *p, struct error *e) {
    enum err code = load_row(a, &p->row, e);
    if (code == ERR_OK)
        code = outbox_status(a, now_ms, &p->outbox, e);
    if (code == ERR_OK)
        code = approvals_load(a, &p->approvals, e);
    if (code == ERR_OK)
        code = alarm_list(a, now_ms, &p->alarms, e);
    if (code == ERR_OK)
        code = inbox_counters(a, &p->refusals, e);
    if (code == ERR_OK)
        code = no_key_json(a, &p->no_key, e);
    if (code == ERR_OK)
        code = withdraw_list(a, &p->withdrawn, e);
    if (code == ERR_OK)
        code = pause_list(a, &p->paused, e);
    if (code == ERR_OK)
        code = series_holes(a, &p->holes, e);
    if (code == ERR_OK)
        code = newcomers_json(a, now_ms, &p->trust, e);
    return code != ERR_OK ? code : picture_dropped(a, &p->dropped, e);
}

static const struct member *own_member(struct agent *a) {
    const struct directory *d = agent_directory(a);
    return d && agent_member(a) ? directory_member(d, agent_member(a)) : NULL;
}

/* What to read out by phone; null before a join. */
static json_t *fingerprint_json(const struct public_key *key) {
    char text[FINGERPRINT_SIZE];
    return key ? json_string(fingerprint_text(key, text)) : json_null();
}

static json_t *build(struct agent *a, const struct parts *p, int64_t now_ms) {
    const struct outbox_status *o = &p->outbox;
    const struct directory *d = agent_directory(a);
    const struct member *self = own_member(a);
    char key[2 * KEY_LEN + 1];
    hex_encode(key, bytes_of(agent_keys(a)->pub.b, KEY_LEN));
    json_t *feed = json_pack("{s:I, s:I, s:I}", "incarnation", (json_int_t)o->own.incarnation,
                             "seq", (json_int_t)o->own.seq, "acked_seq", (json_int_t)o->acked.seq);
    json_t *outbox = json_pack("{s:I, s:I}", "entries", (json_int_t)o->entries, "dirty_audiences",
                               (json_int_t)o->dirty_audiences);
    return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:O, s:I, s:o, s:O, s:O, "
                     "s:O, s:O, s:O, s:O, s:O, s:o, s:o}",
                     "member", self ? json_string(self->name) : json_null(), "role",
                     self ? json_string(role_name(self->role)) : json_null(), "fingerprint",
                     fingerprint_json(agent_member(a)), "agent", key, "network",
                     d ? text_or_null(directory_name(d)) : json_null(), "network_fingerprint",
                     fingerprint_json(d ? directory_network(d) : NULL), "hub", hub_json(a, &p->row),
                     "feed", feed, "outbox", outbox, "partners", partners_json(a, &p->approvals),
                     "alarms", p->alarms, "policy_version", (json_int_t)agent_policy_version(a),
                     "picture_at", time_json(p->row.has_picture, p->row.picture_ms), "refusals",
                     p->refusals, "no_key", p->no_key, "withdrawn", p->withdrawn, "paused",
                     p->paused, "dropped", p->dropped, "history_holes", p->holes, "trust", p->trust,
                     "key", boxes_json(a), "certificate", certify_json(a, now_ms));
}

enum err status_json(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) {
    struct parts p = {.alarms = NULL};
    enum err code = gather(a, now_ms, &p, e);
    json_t *made = code == ERR_OK ? build(a, &p, now_ms) : NULL;
    if (code == ERR_OK && !made)
        code = no_memory(e);
    approvals_done(&p.approvals);
    json_decref(p.alarms);
    json_decref(p.refusals);
    json_decref(p.no_key);
    json_decref(p.withdrawn);
    json_decref(p.paused);
    json_decref(p.dropped);
    json_decref(p.holes);
    json_decref(p.trust);
    if (code == ERR_OK)
        *ret = made;
    return code;
}
