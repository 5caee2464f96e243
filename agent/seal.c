/* Owns making the next entry of the own feed (see seal.h): packing grants and states, building the
 * entry, storing it; history when nothing newer waits. Must not decide when, nor send. */
#include "seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "alarm.h"
#include "boxes.h"
#include "journal.h"
#include "renewal.h"
#include "store.h"
#include "withdraw.h"
#include "withdrawal.h"

/* Upper bounds of what an entry takes beside its views' data. */
#define ENTRY_BASE_BYTES 640
#define PART_BASE_BYTES 96

/* ---- the look ---- */

enum err sealing_load(struct agent *a, int64_t now_ms, struct sealing *ret, struct error *e) {
    const struct policy *policy = agent_policy(a);
    struct sealing s = {0};
    size_t wanted = policy ? policy->audience_count : 0;
    enum err code = approvals_load(a, &s.approvals, e);
    if (code == ERR_OK && wanted > 0)
        code = records_load(a, &s.records, e);
    if (code == ERR_OK && !(s.circles = calloc(wanted + 1, sizeof *s.circles)))
        code = error_set(e, ERR_NO_MEMORY, "no memory for %zu audiences", wanted);
    for (size_t i = 0; code == ERR_OK && i < wanted; i++) {
        code = circle_load(a, &policy->audiences[i], &s.approvals, &s.records, now_ms,
                           &s.circles[i], e);
        s.count += code == ERR_OK;
    }
    if (code != ERR_OK) {
        sealing_done(&s);
        return code;
    }
    *ret = s;
    return ERR_OK;
}

void sealing_done(struct sealing *s) {
    for (size_t i = 0; i < s->count; i++)
        circle_done(&s->circles[i]);
    free(s->circles);
    records_done(&s->records);
    approvals_done(&s->approvals);
    *s = (struct sealing){0};
}

int64_t sealing_due(const struct sealing *s) {
    int64_t due = 0;
    for (size_t i = 0; i < s->count; i++)
        due += circle_due(&s->circles[i]) || s->circles[i].history_due;
    return due;
}

/* ---- packing ---- */

/* The views of the entry in the making, and what it may still take. */
struct pack {
    struct view views[ENTRY_MAX_VIEWS];
    struct buf data[ENTRY_MAX_VIEWS];
    size_t count, grants, bytes, max_bytes;
    uint64_t incarnation, seq;
    uint32_t kind; /* the entry's */
    int64_t now_ms;
    bool complete;
};

/* For the entry after `own`; NULL: no memory. */
static struct pack *pack_new(const struct head *own, size_t max_bytes, int64_t now_ms) {
    struct pack *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->incarnation = own->seq == 0 ? 1 : own->incarnation;
    p->seq = own->seq + 1;
    p->kind = own->seq == 0 ? ENTRY_OPEN : ENTRY_UPDATE;
    p->now_ms = now_ms;
    p->bytes = ENTRY_BASE_BYTES;
    p->max_bytes = max_bytes < ENTRY_MAX_BYTES ? max_bytes : ENTRY_MAX_BYTES;
    p->complete = true;
    return p;
}

static void pack_free(struct pack *p) {
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        buf_done(&p->data[i]);
    free(p);
}

static bool pack_fits(const struct pack *p, size_t view_len) {
    size_t wanted = view_len + PART_BASE_BYTES;
    return p->count < ENTRY_MAX_VIEWS && wanted <= p->max_bytes &&
           p->bytes <= p->max_bytes - wanted;
}

static void pack_add(struct pack *p, const struct view *view, struct buf *take_data) {
    p->data[p->count] = *take_data;
    p->views[p->count] = *view;
    p->views[p->count].data = buf_bytes(take_data);
    p->count++;
    p->grants += view->kind == VIEW_GRANT;
    p->bytes += take_data->len + PART_BASE_BYTES;
}

/* One recipient's failing grant is reported and skipped: it must not keep the others waiting. */
static enum err report_grant(struct agent *a, const struct recipient *r, const struct error *why,
                             int64_t now_ms, struct error *e) {
    const struct member *member = directory_member(agent_directory(a), &r->member);
    return alarm_raise(a, ALARM_GRANT, member ? member->name : "@hub", why->detail, now_ms, e);
}

static enum err pack_grant(struct agent *a, struct circle *c, size_t index, struct pack *p,
                           struct error *e) {
    const struct recipient *r = &c->recipients.list[index];
    struct audience_ctx ctx = circle_ctx(a, c);
    struct error why = {0};
    uint8_t seed[SEED_LEN];
    struct buf data;
    buf_init(&data, GRANT_MAX_BYTES);
    entropy_fill(agent_entropy(a), seed, sizeof seed);
    enum err code = grant_seal(&ctx, &c->key, &r->box, seed, &data, &why);
    sodium_memzero(seed, sizeof seed);
    if (code == ERR_OK) {
        struct view view = {
            .target = target_key(&r->agent), .kind = VIEW_GRANT, .key_id = c->key_id};
        pack_add(p, &view, &data);
        c->granted[index] = c->fresh[index] = true;
        return ERR_OK;
    }
    buf_done(&data);
    if (code == ERR_LOW_ORDER)
        return report_grant(a, r, &why, p->now_ms, e);
    if (e)
        *e = why;
    return code;
}

/* False in *ret_all when some have to wait for a following entry. */
static enum err pack_grants(struct agent *a, struct circle *c, struct pack *p, bool *ret_all,
                            struct error *e) {
    *ret_all = true;
    for (size_t i = 0; i < c->recipients.count; i++) {
        if (c->granted[i])
            continue;
        if (p->grants == ENTRY_MAX_GRANTS || !pack_fits(p, GRANT_MAX_BYTES)) {
            *ret_all = false;
            return ERR_OK;
        }
        enum err code = pack_grant(a, c, i, p, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err seal_state(struct agent *a, struct circle *c, const struct pack *p, struct buf *out,
                           struct error *e) {
    struct audience_ctx ctx = circle_ctx(a, c);
    uint8_t nonce[VIEW_NONCE_LEN];
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    entropy_fill(agent_entropy(a), nonce, sizeof nonce);
    enum err code = snapshot_encode(c->snapshot, &plain, e);
    if (code == ERR_OK)
        code = view_seal(&ctx, &c->key, p->incarnation, p->seq, VIEW_STATE, buf_bytes(&plain),
                         nonce, out, e);
    buf_wipe_done(&plain);
    return code;
}

static enum err pack_state(struct agent *a, struct circle *c, struct pack *p, bool *ret_packed,
                           struct error *e) {
    struct buf data;
    buf_init(&data, VIEW_MAX_BYTES);
    enum err code = seal_state(a, c, p, &data, e);
    if (code != ERR_OK || !pack_fits(p, data.len)) {
        buf_done(&data);
        *ret_packed = false;
        return code;
    }
    struct view view = {.target = target_audience(c->id), .kind = VIEW_STATE, .key_id = c->key_id};
    pack_add(p, &view, &data);
    c->counter = c->snapshot->counter;
    c->digest = c->now_digest;
    c->has_digest = true;
    c->sealed_seq = p->seq;
    c->sealed_ms = p->now_ms;
    *ret_packed = true;
    return ERR_OK;
}

/* *ret_touched: the circle differs from its row. */
static enum err pack_circle(struct agent *a, struct circle *c, struct pack *p, bool *ret_touched,
                            struct error *e) {
    size_t before = p->count;
    bool all = true;
    *ret_touched = false;
    if (!circle_due(c))
        return ERR_OK;
    if (!pack_fits(p, GRANT_MAX_BYTES) || (c->grants_due > 0 && p->grants == ENTRY_MAX_GRANTS)) {
        p->complete = false;
        return ERR_OK;
    }
    if (c->rekey)
        circle_rekey(a, c, p->now_ms);
    enum err code = pack_grants(a, c, p, &all, e);
    bool sealed = all;
    if (code == ERR_OK && all && c->state_due)
        code = pack_state(a, c, p, &sealed, e);
    p->complete = p->complete && all && sealed;
    *ret_touched = p->count > before;
    return code;
}

static enum err seal_history(struct agent *a, const struct circle *c, const struct pack *p,
                             struct history *history, struct buf *out, struct error *e) {
    struct audience_ctx ctx = circle_ctx(a, c);
    uint8_t nonce[VIEW_NONCE_LEN];
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    entropy_fill(agent_entropy(a), nonce, sizeof nonce);
    history->counter = c->history_counter + 1;
    enum err code = history_encode(history, &plain, e);
    if (code == ERR_OK)
        code = view_seal(&ctx, &c->key, p->incarnation, p->seq, VIEW_HISTORY, buf_bytes(&plain),
                         nonce, out, e);
    buf_wipe_done(&plain);
    return code;
}

static enum err add_history(struct agent *a, struct circle *c, struct history *history,
                            struct pack *p, bool *ret_packed, struct error *e) {
    struct buf data;
    buf_init(&data, VIEW_MAX_BYTES);
    enum err code = seal_history(a, c, p, history, &data, e);
    *ret_packed = code == ERR_OK && pack_fits(p, data.len);
    if (!*ret_packed) {
        buf_done(&data);
        return code;
    }
    struct view view = {
        .target = target_audience(c->id), .kind = VIEW_HISTORY, .key_id = c->key_id};
    pack_add(p, &view, &data);
    c->history_counter = history->counter;
    c->history_seq = p->seq;
    return ERR_OK;
}

/* One view an entry: the rest goes with the entries that follow. */
static enum err pack_history(struct agent *a, const struct sealing *s, struct circle *c,
                             struct pack *p, bool *ret_touched, struct error *e) {
    struct history *history = NULL;
    struct past_view past = circle_past(c);
    int64_t upto = 0;
    bool more = false, packed = false;
    if (!c->history_due || !c->has_key)
        return ERR_OK;
    enum err code = past_view_compose(a, &past, &s->records, &history, &upto, &more, e);
    if (code != ERR_OK || !history)
        return code;
    code = add_history(a, c, history, p, &packed, e);
    history_free(history);
    if (code == ERR_OK && packed)
        code = past_view_told(a, &past, upto, e);
    *ret_touched = *ret_touched || packed;
    p->complete = p->complete && packed && !more;
    return code;
}

/* ---- the entry ---- */

static enum err build(struct agent *a, const struct pack *p, const struct head *own,
                      struct buf *out, struct hash *ret_hash, struct error *e) {
    struct head hub_head = directory_head(agent_directory(a));
    struct header header = {
        .network = *directory_network(agent_directory(a)),
        .member = *agent_member(a),
        .agent = agent_keys(a)->pub,
        .incarnation = p->incarnation,
        .seq = p->seq,
        .claimed_ms = p->now_ms,
        .kind = p->kind,
        .has_hub_head = true,
        .hub_head = hub_head,
    };
    if (own->seq > 0)
        header.prev = own->hash;
    return entry_build(&header, p->views, p->count, agent_keys(a), out, ret_hash, e);
}

static enum err store_feed(struct agent *a, const struct head *head, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_OWN_FEED_PUT);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":incarnation", (int64_t)head->incarnation);
    db_bind_int(&q, ":seq", (int64_t)head->seq);
    db_bind_blob(&q, ":hash", bytes_of(head->hash.b, HASH_LEN));
    return db_run_query(&q, e);
}

static enum err store_entry(struct agent *a, const struct head *head, uint32_t kind,
                            struct bytes entry, int64_t now_ms, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_OWN_ENTRY_ADD);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":incarnation", (int64_t)head->incarnation);
    db_bind_int(&q, ":seq", (int64_t)head->seq);
    db_bind_blob(&q, ":hash", bytes_of(head->hash.b, HASH_LEN));
    db_bind_int(&q, ":kind", kind);
    db_bind_blob(&q, ":bytes", entry);
    db_bind_int(&q, ":now", now_ms);
    enum err code = db_run_query(&q, e);
    return code != ERR_OK ? code : store_feed(a, head, e);
}

/* The journal says in the same transaction what the entry says: neither exists without the other.
 */
static enum err store_circles(struct agent *a, const struct sealing *s, const bool *touched,
                              const struct head *head, int64_t now_ms, struct error *e) {
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < s->count; i++) {
        if (!touched[i])
            continue;
        code = circle_store(a, &s->circles[i], now_ms, e);
        if (code == ERR_OK)
            code = journal_sealed(a, &s->circles[i], head, now_ms, e);
    }
    return code;
}

/* Signed and stored; what it says of audiences is the caller's to store. */
static enum err make_entry(struct agent *a, const struct pack *p, const struct head *own,
                           struct blob **ret, struct head *ret_head, struct error *e) {
    struct head head = {.incarnation = p->incarnation, .seq = p->seq};
    struct buf out;
    buf_init(&out, ENTRY_MAX_BYTES);
    enum err code = build(a, p, own, &out, &head.hash, e);
    if (code == ERR_OK)
        code = store_entry(a, &head, p->kind, buf_bytes(&out), p->now_ms, e);
    struct blob *blob = code == ERR_OK ? blob_new(buf_bytes(&out)) : NULL;
    if (code == ERR_OK && !blob)
        code = error_set(e, ERR_NO_MEMORY, "no memory for an entry of %zu bytes", out.len);
    buf_done(&out);
    if (code != ERR_OK)
        return code;
    *ret = blob;
    *ret_head = head;
    return ERR_OK;
}

enum err sealing_entry(struct agent *a, struct sealing *s, const struct head *own, size_t max_bytes,
                       int64_t now_ms, struct blob **ret, struct head *ret_head, bool *ret_complete,
                       struct error *e) {
    bool touched[POLICY_MAX_AUDIENCES] = {false};
    struct pack *p = pack_new(own, max_bytes, now_ms);
    if (!p)
        return error_set(e, ERR_NO_MEMORY, "no memory for an entry");
    struct blob *made = NULL;
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < s->count; i++)
        code = pack_circle(a, &s->circles[i], p, &touched[i], e);
    struct head head = {0};
    bool newest_first = p->complete; /* the past waits until everybody has the newest state */
    for (size_t i = 0; code == ERR_OK && newest_first && i < s->count; i++)
        code = pack_history(a, s, &s->circles[i], p, &touched[i], e);
    if (code == ERR_OK && p->count > 0)
        code = make_entry(a, p, own, &made, &head, e);
    if (code == ERR_OK && made)
        code = store_circles(a, s, touched, &head, p->now_ms, e);
    if (code == ERR_OK) {
        *ret = made;
        *ret_head = head;
        *ret_complete = p->complete;
    } else {
        blob_unref(made);
    }
    pack_free(p);
    return code;
}

/* ---- key renewals ---- */

static enum err pack_renewal(struct agent *a, struct pack *p, struct error *e) {
    int64_t since_ms = 0;
    const struct public_key *next = boxes_next(a, &since_ms);
    struct buf data;
    buf_init(&data, RENEWAL_MAX_BYTES);
    enum err code = renewal_encode(next, since_ms, &data, e);
    if (code != ERR_OK) {
        buf_done(&data);
        return code;
    }
    p->kind = ENTRY_BOX_RENEWAL;
    pack_add(p, &(struct view){.target = target_plain(), .kind = VIEW_PLAIN}, &data);
    return ERR_OK;
}

enum err sealing_renewal(struct agent *a, const struct head *own, int64_t now_ms, struct blob **ret,
                         struct head *ret_head, struct error *e) {
    struct pack *p = pack_new(own, SEALING_RENEWAL_BYTES, now_ms);
    struct blob *made = NULL;
    struct head head = {0};
    bool opens = own->seq == 0;
    if (!p)
        return error_set(e, ERR_NO_MEMORY, "no memory for an entry");
    enum err code = opens ? ERR_OK : pack_renewal(a, p, e);
    if (code == ERR_OK)
        code = make_entry(a, p, own, &made, &head, e);
    if (code == ERR_OK && !opens)
        code = boxes_announced(a, &head, now_ms, e);
    pack_free(p);
    if (code != ERR_OK) {
        blob_unref(made);
        return code;
    }
    *ret = made;
    *ret_head = head;
    return ERR_OK;
}

/* ---- withdrawals ---- */

static enum err seal_withdrawal(struct agent *a, const struct withdrawal *w, const struct pack *p,
                                struct buf *out, struct error *e) {
    struct audience_ctx ctx = {.network = *directory_network(agent_directory(a)),
                               .member = *agent_member(a),
                               .agent = agent_keys(a)->pub};
    uint8_t nonce[VIEW_NONCE_LEN];
    struct buf plain;
    memcpy(ctx.audience, w->id, AUDIENCE_ID_LEN);
    buf_init(&plain, VIEW_MAX_BYTES);
    entropy_fill(agent_entropy(a), nonce, sizeof nonce);
    enum err code = withdrawal_encode(w->counter, &plain, e);
    if (code == ERR_OK)
        code = view_seal(&ctx, &w->key, p->incarnation, p->seq, VIEW_WITHDRAW, buf_bytes(&plain),
                         nonce, out, e);
    buf_done(&plain);
    return code;
}

/* *ret_packed false: it has to wait for a following entry. */
static enum err pack_withdrawal(struct agent *a, const struct withdrawal *w, struct pack *p,
                                bool *ret_packed, struct error *e) {
    struct buf data;
    buf_init(&data, VIEW_MAX_BYTES);
    enum err code = seal_withdrawal(a, w, p, &data, e);
    *ret_packed = code == ERR_OK && pack_fits(p, data.len);
    if (!*ret_packed) {
        buf_done(&data);
        return code;
    }
    struct view view = {
        .target = target_audience(w->id), .kind = VIEW_WITHDRAW, .key_id = w->key_id};
    pack_add(p, &view, &data);
    return ERR_OK;
}

/* Names of what was packed are read again afterwards: their rows change only then. */
static enum err pack_withdrawals(struct agent *a, struct pack *p, bool *ret_any, struct error *e) {
    struct withdrawal w = {.audience = ""};
    bool found = true, packed = true;
    enum err code = ERR_OK;
    while (code == ERR_OK && packed) {
        code = withdraw_next(a, w.audience, &w, &found, e);
        if (code != ERR_OK || !found)
            break;
        *ret_any = true;
        code = pack_withdrawal(a, &w, p, &packed, e);
    }
    audience_key_wipe(&w.key);
    return code;
}

static enum err store_withdrawals(struct agent *a, const struct pack *p, const struct head *head,
                                  struct error *e) {
    struct withdrawal w = {.audience = ""};
    bool found = true;
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && found && i < p->count; i++) {
        code = withdraw_next(a, w.audience, &w, &found, e);
        if (code == ERR_OK && found)
            code = withdraw_sealed(a, &w, head, p->now_ms, e);
    }
    audience_key_wipe(&w.key);
    return code;
}

enum err sealing_withdrawals(struct agent *a, const struct head *own, size_t max_bytes,
                             int64_t now_ms, struct blob **ret, struct head *ret_head,
                             bool *ret_any, struct error *e) {
    struct pack *p = pack_new(own, max_bytes, now_ms);
    struct blob *made = NULL;
    struct head head = {0};
    bool any = false;
    if (!p)
        return error_set(e, ERR_NO_MEMORY, "no memory for an entry");
    enum err code = pack_withdrawals(a, p, &any, e);
    if (code == ERR_OK && p->count > 0)
        code = make_entry(a, p, own, &made, &head, e);
    if (code == ERR_OK && made)
        code = store_withdrawals(a, p, &head, e);
    pack_free(p);
    if (code != ERR_OK) {
        blob_unref(made);
        return code;
    }
    *ret = made;
    *ret_head = head;
    *ret_any = any;
    return ERR_OK;
}

/* ---- around it ---- */

static enum err tidy_circle(struct agent *a, const struct circle *c, int64_t now_ms,
                            struct error *e) {
    if (c->why.code != ERR_OK)
        return alarm_raise(a, ALARM_OWN_DATA, c->policy->name, c->why.detail, now_ms, e);
    enum err code = alarm_clear(a, ALARM_OWN_DATA, c->policy->name, e);
    struct past_view past = circle_past(c);
    if (code == ERR_OK && c->exists && !c->history_due && c->history_seen > 0)
        code =
            past_view_told(a, &past, c->history_seen, e); /* nothing in it was for this audience */
    if (code != ERR_OK || !c->retire)
        return code;
    return circle_store(a, c, now_ms, e);
}

enum err sealing_tidy(struct agent *a, const struct sealing *s, int64_t now_ms, struct error *e) {
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < s->count; i++)
        code = tidy_circle(a, &s->circles[i], now_ms, e);
    return code != ERR_OK ? code : circle_forget_others(a, agent_policy(a), e);
}
