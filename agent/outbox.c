/* Owns the own feed towards the hub (see outbox.h): what goes next, what is acknowledged, and what
 * a hub that holds something else means. Must not compose or seal (seal.c). */
#include "outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alarm.h"
#include "boxes.h"
#include "feed.h"
#include "journal.h"
#include "seal.h"
#include "store.h"
#include "withdraw.h"

#define MS_PER_DAY (INT64_C(24) * 3600 * 1000)
#define PRUNE_MAX 8 /* entries a time, so that an ack stays cheap */

/* ---- heads ---- */

static enum err read_head(struct db_query *q, int column, struct head *ret, struct error *e) {
    ret->incarnation = (uint64_t)db_column_int(q, column);
    ret->seq = (uint64_t)db_column_int(q, column + 1);
    return ret->seq == 0 ? ERR_OK : store_read_hash(q, column + 2, &ret->hash, e);
}

enum err outbox_heads(struct agent *a, struct head *ret_own, struct head *ret_acked,
                      struct error *e) {
    struct head own = {0}, acked = {0};
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_AGENT_HEADS);
    db_bind_int(&q, ":network", agent_network(a));
    if (db_step(&q)) {
        code = read_head(&q, 0, &own, e);
        code = code != ERR_OK ? code : read_head(&q, 3, &acked, e);
    }
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK)
        return code;
    *ret_own = own;
    *ret_acked = acked;
    return ERR_OK;
}

static enum err store_acked(struct agent *a, const struct head *acked, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_OWN_FEED_ACKED);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":incarnation", (int64_t)acked->incarnation);
    db_bind_int(&q, ":seq", (int64_t)acked->seq);
    db_bind_blob(&q, ":hash", bytes_of(acked->hash.b, acked->seq > 0 ? HASH_LEN : 0));
    return db_run_query(&q, e);
}

/* Our own entry at that seq; *ret_found false when we never signed one. */
static enum err find_own(struct agent *a, uint64_t seq, struct head *ret, bool *ret_found,
                         struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_OWN_ENTRY_HEAD);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":seq", (int64_t)seq);
    bool found = db_step(&q);
    if (found)
        code = read_head(&q, 0, ret, e);
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret_found = found;
    return code;
}

static bool same_head(const struct head *left, const struct head *right) {
    return left->incarnation == right->incarnation && left->seq == right->seq &&
           (left->seq == 0 || hash_equal(&left->hash, &right->hash));
}

/* ---- the next entry ---- */

/* One already signed, byte for byte; *ret_any also when it does not fit. */
static enum err next_signed(struct agent *a, const struct head *last, size_t max_bytes,
                            struct blob **ret, struct head *ret_head, bool *ret_any,
                            struct error *e) {
    struct blob *made = NULL;
    struct head head = {0};
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_OWN_ENTRY_AFTER);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":seq", (int64_t)last->seq);
    bool any = db_step(&q);
    if (any) {
        struct bytes entry = db_column_blob(&q, 3);
        code = read_head(&q, 0, &head, e);
        if (code == ERR_OK && entry.len <= max_bytes && !(made = blob_new(entry)))
            code = error_set(e, ERR_NO_MEMORY, "no memory for an entry of %zu bytes", entry.len);
    }
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        blob_unref(made);
        return code;
    }
    *ret_any = any;
    *ret = made;
    if (made)
        *ret_head = head;
    return ERR_OK;
}

static enum err seal_next(struct agent *a, const struct head *own, size_t max_bytes, int64_t now_ms,
                          struct blob **ret, struct head *ret_head, struct error *e) {
    struct sealing s;
    bool complete = false, withdrawals = false;
    enum err code = sealing_withdrawals(a, own, max_bytes, now_ms, ret, ret_head, &withdrawals, e);
    if (code != ERR_OK || withdrawals)
        return code;
    code = sealing_load(a, now_ms, &s, e);
    if (code != ERR_OK)
        return code;
    code = sealing_tidy(a, &s, now_ms, e);
    if (code == ERR_OK)
        code = sealing_entry(a, &s, own, max_bytes, now_ms, ret, ret_head, &complete, e);
    sealing_done(&s);
    if (code == ERR_OK && complete)
        agent_clear_dirty(a);
    return code;
}

/* Entries of our own are taken at all: an observer's too, which has no figures in them. */
static bool may_send(struct agent *a) {
    const struct directory *d = agent_directory(a);
    return agent_joined(a) && d && directory_admitted(d, &agent_keys(a)->pub);
}

/* A feed that was never opened is opened first; the renewal follows it. */
static enum err renew_next(struct agent *a, const struct head *own, size_t max_bytes,
                           int64_t now_ms, struct blob **ret, struct head *ret_head, bool *ret_any,
                           struct error *e) {
    *ret_any = true;
    if (max_bytes < SEALING_RENEWAL_BYTES)
        return ERR_OK;
    enum err code = boxes_make_next(a, now_ms, e);
    return code != ERR_OK ? code : sealing_renewal(a, own, now_ms, ret, ret_head, e);
}

enum err outbox_next(struct agent *a, const struct head *last, size_t max_bytes, int64_t now_ms,
                     struct blob **ret, struct head *ret_head, struct error *e) {
    struct head own, acked;
    struct blob *made = NULL;
    bool stops = false, any = false;
    enum err code = alarm_stops_outbox(a, &stops, e);
    if (code == ERR_OK)
        code = outbox_heads(a, &own, &acked, e);
    if (code != ERR_OK)
        return code;
    *ret = NULL;
    if (stops)
        return ERR_OK;
    code = next_signed(a, last, max_bytes, &made, ret_head, &any, e);
    if (code == ERR_OK && !any && may_send(a) && boxes_renewal_due(a, now_ms))
        code = renew_next(a, &own, max_bytes, now_ms, &made, ret_head, &any, e);
    bool look = agent_dirty(a) || outbox_wake_at(a, now_ms) <= now_ms;
    if (code == ERR_OK && !any && look && recipients_publish(a))
        code = seal_next(a, &own, max_bytes, now_ms, &made, ret_head, e);
    if (code == ERR_OK)
        *ret = made;
    return code;
}

/* Audience keys wear out. */
static int64_t rekey_at(struct agent *a) {
    if (!recipients_publish(a))
        return INT64_MAX;
    struct db_query q = db_query(agent_db(a), SQL_AUDIENCE_OLDEST_KEY);
    db_bind_int(&q, ":network", agent_network(a));
    bool any = db_step(&q) && !db_column_null(&q, 0);
    int64_t oldest_ms = any ? db_column_int(&q, 0) : 0;
    if (db_finish(&q, NULL) != ERR_OK || !any)
        return INT64_MAX; /* the next look at the store tells why */
    return oldest_ms + CIRCLE_KEY_MAX_MS;
}

int64_t outbox_wake_at(struct agent *a, int64_t now_ms) {
    (void)now_ms;
    bool stops = true;
    if (alarm_stops_outbox(a, &stops, NULL) != ERR_OK || stops)
        return INT64_MAX;
    int64_t rekey_ms = rekey_at(a), renew_ms = may_send(a) ? boxes_renew_at(a) : INT64_MAX;
    return rekey_ms < renew_ms ? rekey_ms : renew_ms;
}

/* ---- acknowledged ---- */

/* What the hub needs if it has to be refilled: the views that are current. */
struct kept {
    struct hash key_ids[POLICY_MAX_AUDIENCES];
    uint64_t sealed_seqs[POLICY_MAX_AUDIENCES];
    size_t count;
    uint64_t renewal_seq; /* the entry with the newest key renewal, 0: none */
};

static enum err load_kept(struct agent *a, struct kept *ret, struct error *e) {
    enum err code = ERR_OK;
    ret->count = 0;
    struct db_query q = db_query(agent_db(a), SQL_AUDIENCE_KEYS);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && ret->count < POLICY_MAX_AUDIENCES && db_step(&q)) {
        code = store_read_hash(&q, 0, &ret->key_ids[ret->count], e);
        ret->sealed_seqs[ret->count++] = (uint64_t)db_column_int(&q, 1);
    }
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK)
        return code;
    struct db_query newest = db_query(agent_db(a), SQL_OWN_BOX_NEWEST);
    db_bind_int(&newest, ":network", agent_network(a));
    ret->renewal_seq = db_step(&newest) ? (uint64_t)db_column_int(&newest, 0) : 0;
    return db_finish(&newest, e);
}

static bool is_kept(const struct kept *kept, const struct view *v, uint64_t seq) {
    if (v->kind == VIEW_PLAIN)
        return seq == kept->renewal_seq;
    for (size_t i = 0; i < kept->count; i++)
        if (hash_equal(&kept->key_ids[i], &v->key_id))
            return v->kind != VIEW_HISTORY &&
                   (v->kind != VIEW_STATE || kept->sealed_seqs[i] == seq);
    return false;
}

static enum err put_pruned(struct agent *a, uint64_t seq, struct bytes entry, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_OWN_ENTRY_PRUNE);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":seq", (int64_t)seq);
    db_bind_blob(&q, ":bytes", entry);
    return db_run_query(&q, e);
}

static enum err prune_entry(struct agent *a, const struct kept *kept, const struct blob *whole,
                            struct error *e) {
    struct entry *entry = NULL;
    bool keep[ENTRY_MAX_VIEWS] = {false};
    struct buf out;
    buf_init(&out, ENTRY_MAX_BYTES);
    enum err code = entry_parse(blob_bytes(whole), &entry, e);
    if (code == ERR_NO_MEMORY)
        return code;
    if (code != ERR_OK)
        return error_set(e, ERR_STORE, "agent.db: an own entry is damaged: restore a backup");
    for (size_t i = 0; i < entry->view_count; i++)
        keep[i] = is_kept(kept, &entry->views[i], entry->header.seq);
    code = entry_encode(entry, keep, &out, e);
    if (code == ERR_OK)
        code = put_pruned(a, entry->header.seq, buf_bytes(&out), e);
    buf_done(&out);
    entry_free(entry);
    return code;
}

/* The oldest whole entry that is acknowledged, old enough, and not the newest. */
static enum err find_prunable(struct agent *a, const struct head *acked, int64_t before_ms,
                              struct blob **ret, struct error *e) {
    struct blob *made = NULL;
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_OWN_ENTRY_OLDEST);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":seq", (int64_t)acked->seq);
    if (db_step(&q) && db_column_int(&q, 0) < before_ms &&
        !(made = blob_new(db_column_blob(&q, 1))))
        code = error_set(e, ERR_NO_MEMORY, "no memory to prune an entry");
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        blob_unref(made);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

static enum err prune(struct agent *a, const struct head *acked, int64_t now_ms, struct error *e) {
    const struct charter *charter = agent_charter(a);
    if (!charter)
        return ERR_OK;
    int64_t before_ms = now_ms - charter->keep_days * MS_PER_DAY;
    struct kept kept = {.count = 0};
    for (int i = 0; i < PRUNE_MAX; i++) {
        struct blob *whole = NULL;
        enum err code = find_prunable(a, acked, before_ms, &whole, e);
        if (code != ERR_OK || !whole)
            return code;
        if (i == 0)
            code = load_kept(a, &kept, e);
        if (code == ERR_OK)
            code = prune_entry(a, &kept, whole, e);
        blob_unref(whole);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err outbox_acked(struct agent *a, const struct head *head, int64_t now_ms, struct error *e) {
    struct head own, acked, mine = {0};
    bool found = false;
    enum err code = outbox_heads(a, &own, &acked, e);
    if (code == ERR_OK && head->seq > 0)
        code = find_own(a, head->seq, &mine, &found, e);
    if (code != ERR_OK)
        return code;
    if (!found || !same_head(&mine, head))
        return error_set(e, ERR_PROTOCOL,
                         "the hub acknowledges entry (%" PRIu64 ", %" PRIu64 "), which is not ours",
                         head->incarnation, head->seq);
    if (head->seq <= acked.seq)
        return ERR_OK;
    code = store_acked(a, head, e);
    if (code == ERR_OK && head->seq == own.seq)
        code = alarm_clear(a, ALARM_HUB_BEHIND, "", e);
    if (code == ERR_OK && head->seq == own.seq)
        code = alarm_clear_all(a, ALARM_REJECTED, e);
    if (code == ERR_OK)
        code = prune(a, head, now_ms, e);
    return code != ERR_OK ? code : journal_prune(a, now_ms, e);
}

/* ---- the welcome ---- */

enum verdict { VERDICT_FINE, VERDICT_BEHIND, VERDICT_AHEAD, VERDICT_FORKED };

static enum err judge(struct agent *a, const struct head *hub, const struct head *own,
                      const struct head *acked, enum verdict *ret, struct error *e) {
    struct head mine = {0};
    bool found = false;
    if (hub->incarnation > own->incarnation || hub->seq > own->seq) {
        *ret = VERDICT_AHEAD;
        return ERR_OK;
    }
    enum err code = hub->seq > 0 ? find_own(a, hub->seq, &mine, &found, e) : ERR_OK;
    if (code != ERR_OK)
        return code;
    if (hub->seq > 0 && (!found || !same_head(&mine, hub)))
        *ret = VERDICT_FORKED;
    else
        *ret = hub->seq < acked->seq ? VERDICT_BEHIND : VERDICT_FINE;
    return ERR_OK;
}

static enum err raise_ahead(struct agent *a, const struct head *hub, const struct head *own,
                            int64_t now_ms, struct error *e) {
    char detail[ERROR_DETAIL_MAX];
    snprintf(detail, sizeof detail,
             "the hub holds our feed up to (%" PRIu64 ", %" PRIu64 "), here it ends at (%" PRIu64
             ", %" PRIu64
             "): this directory was restored from a backup or another copy runs; nothing "
             "is sent until that is resolved",
             hub->incarnation, hub->seq, own->incarnation, own->seq);
    enum err code = alarm_raise(a, ALARM_AHEAD, "", detail, now_ms, e);
    return code != ERR_OK ? code : error_set(e, ERR_AHEAD, "%s", detail);
}

static enum err raise_forked(struct agent *a, const struct head *hub, int64_t now_ms,
                             struct error *e) {
    char detail[ERROR_DETAIL_MAX];
    snprintf(detail, sizeof detail,
             "the hub holds another entry signed by us at (%" PRIu64 ", %" PRIu64
             "): a second copy of "
             "this directory was in use; stop it; nothing is sent until that is resolved",
             hub->incarnation, hub->seq);
    enum err code = alarm_raise(a, ALARM_FORKED, "", detail, now_ms, e);
    return code != ERR_OK ? code : error_set(e, ERR_FORK, "%s", detail);
}

static enum err raise_behind(struct agent *a, const struct head *hub, const struct head *acked,
                             int64_t now_ms, struct error *e) {
    char detail[ERROR_DETAIL_MAX];
    snprintf(detail, sizeof detail,
             "the hub acknowledged our feed up to entry %" PRIu64 " and now holds %" PRIu64
             ": it lost data and is sent again what is kept here; tell its operator",
             acked->seq, hub->seq);
    enum err code = alarm_raise(a, ALARM_HUB_BEHIND, "", detail, now_ms, e);
    return code != ERR_OK ? code : store_acked(a, hub, e);
}

/* An alarm from before keeps standing until a person resolved it. */
static enum err stopped_before(struct agent *a, struct error *e) {
    bool ahead = false, forked = false;
    enum err code = alarm_stands(a, ALARM_AHEAD, &ahead, e);
    if (code == ERR_OK)
        code = alarm_stands(a, ALARM_FORKED, &forked, e);
    if (code == ERR_OK && forked)
        return error_set(e, ERR_FORK, "the own feed is forked: nothing is sent");
    if (code == ERR_OK && ahead)
        return error_set(e, ERR_AHEAD, "the hub is ahead of the own feed: nothing is sent");
    return code;
}

static enum err store_offset(struct agent *a, int64_t hub_ms, int64_t now_ms, struct error *e) {
    int64_t offset_ms = 0;
    if (__builtin_sub_overflow(hub_ms, now_ms, &offset_ms))
        offset_ms = 0; /* not a time: better no correction than that one */
    struct db_query q = db_query(agent_db(a), SQL_NETWORK_CLOCK);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":offset_ms", offset_ms);
    return db_run_query(&q, e);
}

enum err outbox_welcomed(struct agent *a, const struct welcome *welcome, int64_t now_ms,
                         struct error *e) {
    struct head own, acked, hub = {0};
    enum verdict verdict = VERDICT_FINE;
    if (welcome->has_own_head)
        hub = welcome->own_head;
    enum err code = store_offset(a, welcome->hub_time_ms, now_ms, e);
    if (code == ERR_OK)
        code = outbox_heads(a, &own, &acked, e);
    if (code == ERR_OK)
        code = stopped_before(a, e);
    if (code == ERR_OK)
        code = judge(a, &hub, &own, &acked, &verdict, e);
    if (code != ERR_OK)
        return code;
    switch (verdict) {
    case VERDICT_AHEAD:
        return raise_ahead(a, &hub, &own, now_ms, e);
    case VERDICT_FORKED:
        return raise_forked(a, &hub, now_ms, e);
    case VERDICT_BEHIND:
        return raise_behind(a, &hub, &acked, now_ms, e);
    case VERDICT_FINE:
        break;
    }
    return hub.seq > 0 ? outbox_acked(a, &hub, now_ms, e) : ERR_OK;
}

enum err outbox_rejected(struct agent *a, const struct head *head, enum err why, const char *reason,
                         int64_t now_ms, struct error *e) {
    char subject[64], detail[ERROR_DETAIL_MAX];
    if (why == ERR_RATE)
        return ERR_OK;
    if (why == ERR_FORK) {
        enum err code = raise_forked(a, head, now_ms, e);
        return code == ERR_FORK ? ERR_OK : code;
    }
    snprintf(subject, sizeof subject, "%" PRIu64 "/%" PRIu64, head->incarnation, head->seq);
    snprintf(detail, sizeof detail, "%s: %.200s", error_name(why), reason);
    return alarm_raise(a, ALARM_REJECTED, subject, detail, now_ms, e);
}

/* ---- status ---- */

static enum err count_pending(struct agent *a, const struct head *acked, int64_t *ret,
                              struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_OWN_ENTRY_PENDING);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":seq", (int64_t)acked->seq);
    *ret = db_step(&q) ? db_column_int(&q, 0) : 0;
    return db_finish(&q, e);
}

static enum err count_dirty(struct agent *a, int64_t now_ms, int64_t *ret, struct error *e) {
    *ret = 0;
    if (!recipients_publish(a) || (!agent_dirty(a) && outbox_wake_at(a, now_ms) > now_ms))
        return ERR_OK;
    struct sealing s;
    enum err code = sealing_load(a, now_ms, &s, e);
    if (code != ERR_OK)
        return code;
    *ret = sealing_due(&s);
    sealing_done(&s);
    int64_t withdrawals = 0;
    code = withdraw_pending(a, &withdrawals, e);
    *ret += withdrawals;
    return code;
}

enum err outbox_status(struct agent *a, int64_t now_ms, struct outbox_status *ret,
                       struct error *e) {
    struct outbox_status s = {0};
    enum err code = outbox_heads(a, &s.own, &s.acked, e);
    if (code == ERR_OK)
        code = count_pending(a, &s.acked, &s.entries, e);
    if (code == ERR_OK)
        code = count_dirty(a, now_ms, &s.dirty_audiences, e);
    if (code == ERR_OK)
        *ret = s;
    return code;
}
