/* Owns what arrives (see inbox.h): the reader's rule, one delivery at a time, all or nothing.
 * Must not answer questions about what it stored (find.c) nor know the session. */
#include "inbox.h"

#include <sodium.h>
#include <string.h>

#include "alarm.h"
#include "audience.h"
#include "boxes.h"
#include "feed.h"
#include "inbox_private.h"
#include "picture.h"
#include "series.h"
#include "store.h"
#include "withdrawal.h"

enum class_ { CLASS_HUB, CLASS_GRANTS, CLASS_STATES, CLASS_MESSAGES, CLASS_HISTORY };

/* Of this machine rather than of what came in: the caller takes the whole batch back. */
static bool is_local(enum err code) {
    return code == ERR_NO_MEMORY || code == ERR_STORE || code == ERR_DISK_FULL ||
           code == ERR_LOCKED || code == ERR_IO;
}

static enum err count_refusal(struct agent *a, const struct error *why, int64_t now_ms,
                              struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_REFUSAL_ADD);
    db_bind_text(&q, ":code", error_name(why->code));
    db_bind_text(&q, ":detail", why->detail);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

/* ---- an author ---- */

static enum err check_author(struct agent *a, const struct header *h, struct error *e) {
    const struct directory *d = agent_directory(a);
    const struct member_agent *author = directory_agent(d, &h->agent);
    if (!key_equal(&h->network, directory_network(d)))
        return error_set(e, ERR_NETWORK, "found an entry of another network");
    if (key_equal(&h->agent, &agent_keys(a)->pub))
        return error_set(e, ERR_NOT_FOR_ME, "found an entry of our own feed");
    if (!author)
        return error_set(e, ERR_UNKNOWN_AUTHOR,
                         "found an entry of an agent that no member vouched for");
    if (!key_equal(&h->member, &author->member->key))
        return error_set(e, ERR_CERTIFICATE,
                         "found an entry of an agent of '%s' in another member's name",
                         author->member->name);
    if (author->revoked)
        return error_set(e, ERR_REVOKED, "found an entry of a revoked agent of '%s'",
                         author->member->name);
    if (author->member->state == MEMBER_REMOVED)
        return error_set(e, ERR_REMOVED, "found an entry of '%s', which was removed",
                         author->member->name);
    if (h->kind != ENTRY_OPEN && h->kind != ENTRY_UPDATE && h->kind != ENTRY_BOX_RENEWAL)
        return error_set(
            e, ERR_KIND, "found views in an entry of kind %u of '%s', expected %u, %u or %u",
            h->kind, author->member->name, ENTRY_OPEN, ENTRY_UPDATE, ENTRY_BOX_RENEWAL);
    return ERR_OK;
}

static enum err peer_head(struct agent *a, const struct public_key *agent, struct head *ret,
                          struct error *e) {
    struct head head = {0};
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_PEER_HEADER);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":agent", bytes_of(agent->b, KEY_LEN));
    if (db_step(&q)) {
        head.incarnation = (uint64_t)db_column_int(&q, 0);
        head.seq = (uint64_t)db_column_int(&q, 1);
        code = store_read_hash(&q, 2, &head.hash, e);
    }
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret = head;
    return code;
}

static enum err put_peer_head(struct agent *a, const struct entry *entry, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PEER_HEADER_PUT);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_blob(&q, ":agent", bytes_of(entry->header.agent.b, KEY_LEN));
    db_bind_int(&q, ":incarnation", (int64_t)entry->header.incarnation);
    db_bind_int(&q, ":seq", (int64_t)entry->header.seq);
    db_bind_blob(&q, ":hash", bytes_of(entry->hash.b, HASH_LEN));
    return db_run_query(&q, e);
}

/* Readers hold the newest header of each author: prev counts only when that is the one before. */
static enum err check_chain(struct agent *a, const struct entry *entry, struct error *e) {
    const struct header *h = &entry->header;
    struct head held, now = {.incarnation = h->incarnation, .seq = h->seq};
    enum err code = peer_head(a, &h->agent, &held, e);
    if (code != ERR_OK)
        return code;
    bool same = held.seq == h->seq && held.incarnation == h->incarnation;
    if (held.seq > 0 && same && !hash_equal(&held.hash, &entry->hash))
        return error_set(e, ERR_FORK, "found a second signed entry (%llu, %llu) of '%s'",
                         (unsigned long long)h->incarnation, (unsigned long long)h->seq,
                         directory_agent(agent_directory(a), &h->agent)->member->name);
    if (held.seq > 0 && held.seq == h->seq - 1 && h->incarnation >= held.incarnation &&
        !hash_equal(&held.hash, &h->prev))
        return error_set(e, ERR_PREV, "prev of entry (%llu, %llu) is not the entry held before it",
                         (unsigned long long)h->incarnation, (unsigned long long)h->seq);
    return held.seq == 0 || head_after(&now, &held) ? put_peer_head(a, entry, e) : ERR_OK;
}

static enum err verify_author(struct agent *a, const struct entry *entry, struct error *e) {
    enum err code = check_author(a, &entry->header, e);
    if (code == ERR_OK)
        code = entry_verify(entry, &entry->header.agent, e); /* the directory's, by check_author */
    if (code == ERR_OK)
        code = feed_check_views(entry, false, e);
    if (code == ERR_OK && entry->view_count == 0)
        code = error_set(e, ERR_NOT_FOR_ME, "found an excerpt without a view for this reader");
    return code != ERR_OK ? code : check_chain(a, entry, e);
}

/* ---- states ---- */

/* How far the sender's clock was ahead when the hub took the entry. */
enum err inbox_clock_shift(const struct delivery *d, int64_t *ret, struct error *e) {
    int64_t shift = 0;
    if (__builtin_sub_overflow(d->received_ms, d->entry->header.claimed_ms, &shift) ||
        shift == INT64_MIN)
        return error_set(e, ERR_VALIDITY, "found a claimed time that is no time");
    *ret = shift < 0 ? shift : 0;
    return ERR_OK;
}

static enum err read_snapshot(struct agent *a, const struct delivery *d, struct bytes plain,
                              struct snapshot **ret, struct error *e) {
    struct snapshot *s = NULL;
    int64_t shift_ms = 0;
    enum err code = inbox_clock_shift(d, &shift_ms, e);
    if (code == ERR_OK)
        code = snapshot_decode(plain, &s, e);
    if (code == ERR_OK)
        code = snapshot_apply_clock(s, shift_ms, agent_charter(a)->longest_validity_ms, e);
    if (code != ERR_OK) {
        snapshot_free(s);
        return code;
    }
    *ret = s;
    return ERR_OK;
}

static enum err open_state(struct agent *a, const struct delivery *d, const struct view *view,
                           const struct held_key *key, struct error *e) {
    const struct header *h = &d->entry->header;
    struct audience_ctx ctx = {h->network, h->member, h->agent, {0}};
    struct snapshot *s = NULL;
    struct buf plain;
    memcpy(ctx.audience, key->audience, AUDIENCE_ID_LEN);
    buf_init(&plain, VIEW_MAX_BYTES);
    enum err code =
        view_open(&ctx, &key->key, h->incarnation, h->seq, VIEW_STATE, view->data, &plain, e);
    if (code == ERR_OK)
        code = read_snapshot(a, d, buf_bytes(&plain), &s, e);
    if (code == ERR_OK)
        code = picture_put(a, h, key->audience, &key->granted, s, d->received_ms, e);
    snapshot_free(s);
    buf_done(&plain);
    return code;
}

/* The picture and history go; what stays says that nothing older may come back. */
static enum err open_withdrawal(struct agent *a, const struct delivery *d, const struct view *view,
                                const struct held_key *key, struct error *e) {
    const struct header *h = &d->entry->header;
    struct audience_ctx ctx = {h->network, h->member, h->agent, {0}};
    uint64_t counter = 0;
    struct buf plain;
    memcpy(ctx.audience, key->audience, AUDIENCE_ID_LEN);
    buf_init(&plain, VIEW_MAX_BYTES);
    enum err code =
        view_open(&ctx, &key->key, h->incarnation, h->seq, VIEW_WITHDRAW, view->data, &plain, e);
    if (code == ERR_OK)
        code = withdrawal_decode(buf_bytes(&plain), &counter, e);
    buf_done(&plain);
    if (code == ERR_OK)
        code = series_withdraw(a, h, key->audience, d->received_ms, e);
    return code != ERR_OK ? code
                          : picture_withdraw(a, h, key->audience, counter, d->received_ms, e);
}

static enum err wait_for_key(struct agent *a, const struct delivery *d, const struct view *view,
                             const struct head *head, struct error *e) {
    struct waiting waiting = {.key_id = view->key_id, .head = *head, .received_ms = d->received_ms};
    memcpy(waiting.audience, view->target.b, AUDIENCE_ID_LEN);
    enum err code = picture_wait(a, &d->entry->header.agent, &waiting, d->excerpt, d->now_ms, e);
    return code != ERR_OK
               ? code
               : error_set(e, ERR_NO_KEY, "the key of this view was not granted to us yet");
}

static enum err take_state(struct agent *a, const struct delivery *d, const struct view *view,
                           struct error *e) {
    const struct header *h = &d->entry->header;
    struct head held, now = {.incarnation = h->incarnation, .seq = h->seq};
    struct held_key key = {.granted = {0}};
    bool found = false;
    bool withdrawal = view->kind == VIEW_WITHDRAW;
    if (view->kind != VIEW_STATE && !withdrawal)
        return error_set(e, ERR_KIND, "found a view of kind %u among states", view->kind);
    enum err code = picture_head(a, &h->agent, view->target.b, &held, e);
    if (code == ERR_OK && held.seq > 0 && !head_after(&now, &held))
        return error_set(e, ERR_OLD,
                         "state (%llu, %llu) is not newer than (%llu, %llu), which is held",
                         (unsigned long long)now.incarnation, (unsigned long long)now.seq,
                         (unsigned long long)held.incarnation, (unsigned long long)held.seq);
    if (code == ERR_OK)
        code = picture_key(a, &h->agent, &view->key_id, &key, &found, e);
    if (code != ERR_OK)
        return code;
    if (!found)
        return wait_for_key(a, d, view, &now, e);
    if (memcmp(key.audience, view->target.b, AUDIENCE_ID_LEN) != 0)
        code = error_set(e, ERR_GRANT, "found a view for one audience under the key of another");
    if (code == ERR_OK)
        code = withdrawal ? open_withdrawal(a, d, view, &key, e) : open_state(a, d, view, &key, e);
    audience_key_wipe(&key.key);
    return code != ERR_OK ? code : picture_unwait(a, &h->agent, view->target.b, &now, e);
}

/* Several views: when a reader is in more than one audience. A violation refuses them all;
 * otherwise a missing key is told, and `old` only when nothing was newer. `only`: NULL, or the key
 * to try. */
static enum err take_states(struct agent *a, const struct delivery *d, const struct hash *only,
                            struct error *e) {
    enum err waiting = ERR_OK, old = ERR_OK;
    struct error why_waiting = {0}, why_old = {0};
    size_t opened = 0;
    for (size_t i = 0; i < d->entry->view_count; i++) {
        const struct view *view = &d->entry->views[i];
        struct error why = {0};
        if (only && !hash_equal(only, &view->key_id))
            continue;
        enum err code = take_state(a, d, view, &why);
        if (code == ERR_NO_KEY) {
            waiting = code;
            why_waiting = why;
        } else if (code == ERR_OLD) {
            old = code;
            why_old = why;
        } else if (code != ERR_OK) {
            if (e)
                *e = why;
            return code;
        }
        opened += code == ERR_OK;
    }
    if (opened > 0)
        agent_raise_event(a, AGENT_EVENT_PICTURE);
    if (waiting != ERR_OK)
        return error_set(e, waiting, "%s", why_waiting.detail);
    return opened == 0 && old != ERR_OK ? error_set(e, old, "%s", why_old.detail) : ERR_OK;
}

/* ---- grants ---- */

static enum err open_waiting(struct agent *a, const struct delivery *d, const struct hash *key_id,
                             struct error *e) {
    struct delivery again = *d;
    struct entry *entry = NULL;
    enum err code = excerpt_parse(d->excerpt, &entry, e);
    again.entry = entry;
    if (code == ERR_OK)
        code = take_states(a, &again, key_id, e);
    entry_free(entry);
    return code;
}

/* What waited was verified when it came, but for what is inside: a fault there is the view's own,
 * and no reason to refuse the grant. */
static enum err retry_waiting(struct agent *a, const struct public_key *agent,
                              const struct hash *key_id, int64_t now_ms, struct error *e) {
    struct blob *excerpt = NULL;
    struct delivery d = {.now_ms = now_ms};
    struct error why = {0};
    struct db *db = agent_db(a);
    enum err code = picture_take_waiting(a, agent, key_id, &excerpt, &d.received_ms, e);
    if (code != ERR_OK || !excerpt)
        return code;
    d.excerpt = blob_bytes(excerpt);
    code = db_savepoint(db, e);
    if (code == ERR_OK) {
        code = open_waiting(a, &d, key_id, &why);
        if (code == ERR_OK) {
            code = db_release(db, e);
        } else {
            db_undo(db);
            code = is_local(code) ? error_set(e, code, "%s", why.detail)
                                  : count_refusal(a, &why, now_ms, e);
        }
    }
    blob_unref(excerpt);
    return code;
}

static enum err take_grant(struct agent *a, const struct delivery *d, const struct view *view,
                           struct error *e) {
    const struct header *h = &d->entry->header;
    struct target mine = target_key(&agent_keys(a)->pub);
    struct audience_ctx ctx;
    struct held_key key = {.granted = {.incarnation = h->incarnation, .seq = h->seq}};
    if (view->kind != VIEW_GRANT)
        return error_set(e, ERR_KIND, "found a view of kind %u among grants", view->kind);
    if (!target_equal(&view->target, &mine))
        return error_set(e, ERR_NOT_FOR_ME, "found a grant to another agent");
    enum err code = boxes_open_grant(a, h, view, &ctx, &key.key, e);
    if (code != ERR_OK)
        return code;
    memcpy(key.audience, ctx.audience, AUDIENCE_ID_LEN);
    code = picture_key_put(a, &h->agent, &view->key_id, &key, d->now_ms, e);
    audience_key_wipe(&key.key);
    return code != ERR_OK ? code : retry_waiting(a, &h->agent, &view->key_id, d->now_ms, e);
}

static enum err take_grants(struct agent *a, const struct delivery *d, struct error *e) {
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < d->entry->view_count; i++)
        code = take_grant(a, d, &d->entry->views[i], e);
    return code;
}

/* ---- one delivery ---- */

static enum err take_parsed(struct agent *a, uint32_t class_, const struct delivery *d,
                            struct error *e) {
    if (class_ == CLASS_HUB)
        return inbox_take_hub(a, d, e);
    enum err code = verify_author(a, d->entry, e);
    if (code != ERR_OK)
        return code;
    if (class_ == CLASS_HISTORY)
        return inbox_take_history(a, d, e);
    if (class_ == CLASS_GRANTS && d->entry->header.kind == ENTRY_BOX_RENEWAL)
        return inbox_take_renewal(a, d, e);
    return class_ == CLASS_GRANTS ? take_grants(a, d, e) : take_states(a, d, NULL, e);
}

static enum err take(struct agent *a, uint32_t class_, struct delivery *d, struct error *e) {
    struct entry *entry = NULL;
    if (!agent_directory(a))
        return error_set(e, ERR_PROTOCOL, "found a delivery before a join began");
    if (class_ > CLASS_STATES && class_ != CLASS_HISTORY)
        return error_set(e, ERR_KIND,
                         "found a delivery of class %u, which this version does not read", class_);
    if (class_ != CLASS_HUB && !agent_charter(a))
        return error_set(e, ERR_PROTOCOL, "found a partner's entry before the network's charter");
    enum err code = excerpt_parse(d->excerpt, &entry, e);
    if (code != ERR_OK)
        return code;
    d->entry = entry;
    code = take_parsed(a, class_, d, e);
    d->entry = NULL;
    entry_free(entry);
    return code;
}

/* After everything of the delivery was undone. */
static enum err refuse(struct agent *a, uint32_t class_, const struct error *why, int64_t now_ms,
                       struct error *e) {
    enum err code = count_refusal(a, why, now_ms, e);
    if (code == ERR_OK && class_ == CLASS_HUB && why->code != ERR_OLD)
        code = alarm_raise(a, ALARM_HUB_FEED, error_name(why->code), why->detail, now_ms, e);
    if (code == ERR_OK && class_ != CLASS_HUB && why->code == ERR_FORK)
        code = alarm_raise(a, ALARM_PEER_FORKED, "", why->detail, now_ms, e);
    if (code != ERR_OK)
        return code;
    if (e)
        *e = *why;
    return why->code;
}

static enum err take_or_undo(struct agent *a, uint32_t class_, struct delivery *d,
                             struct error *e) {
    struct error why = {0};
    struct db *db = agent_db(a);
    enum err code = db_savepoint(db, e);
    if (code != ERR_OK)
        return code;
    code = take(a, class_, d, &why);
    if (code == ERR_OK || code == ERR_NO_KEY) {
        enum err released = db_release(db, e);
        if (released != ERR_OK)
            return released;
        return code == ERR_OK ? ERR_OK : error_set(e, code, "%s", why.detail);
    }
    db_undo(db);
    if (!is_local(code))
        return refuse(a, class_, &why, d->now_ms, e);
    if (e)
        *e = why;
    return code;
}

enum err inbox_take(struct agent *a, uint32_t class_, uint64_t position, int64_t received_ms,
                    struct bytes excerpt, int64_t now_ms, struct error *e) {
    struct delivery d = {
        .excerpt = excerpt, .position = position, .received_ms = received_ms, .now_ms = now_ms};
    struct db *db = agent_db(a);
    enum err code = db_begin(db, e);
    if (code != ERR_OK)
        return code;
    code = take_or_undo(a, class_, &d, e);
    if (is_local(code)) {
        db_rollback(db);
        return code;
    }
    struct error failed = {0};
    enum err committed = db_commit(db, &failed);
    if (committed != ERR_OK && e)
        *e = failed;
    return committed != ERR_OK ? committed : code;
}

static enum err put_cursor(struct agent *a, uint32_t class_, uint64_t upto, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_CURSOR_PUT);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":class", class_);
    db_bind_int(&q, ":position", (int64_t)upto);
    return db_run_query(&q, e);
}

/* Everything that waited came: holes that were asked for stay, others want a session of their own.
 */
static enum err caught_up(struct agent *a, int64_t now_ms, struct error *e) {
    bool more = false;
    enum err code = series_prune(a, now_ms, e);
    if (code == ERR_OK)
        code = series_pulled(a, agent_hole_asked(a), &more, e);
    if (code == ERR_OK)
        agent_ask_again(a, more);
    return code;
}

enum err inbox_reached(struct agent *a, uint32_t class_, uint64_t upto, bool tip, int64_t now_ms,
                       struct error *e) {
    enum err code = ERR_OK;
    if (upto > INT64_MAX) /* stored it would stand below every position */
        return error_set(e, ERR_PROTOCOL, "found position %llu reached, expected at most 2^63-1",
                         (unsigned long long)upto);
    if (class_ != CLASS_HUB) /* the directory's own head is the hub feed's cursor */
        code = put_cursor(a, class_, upto, e);
    if (code != ERR_OK || !tip)
        return code;
    code = caught_up(a, now_ms, e);
    if (code != ERR_OK)
        return code;
    agent_raise_event(a, AGENT_EVENT_STATUS);
    struct db_query q = db_query(agent_db(a), SQL_NETWORK_PICTURE);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err inbox_counters(struct agent *a, json_t **ret, struct error *e) {
    json_t *counters = json_object();
    bool ok = counters != NULL;
    struct db_query q = db_query(agent_db(a), SQL_REFUSALS);
    while (ok && db_step(&q))
        ok = json_object_set_new(counters, db_column_text(&q, 0),
                                 json_integer(db_column_int(&q, 1))) == 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && !ok)
        code = error_set(e, ERR_NO_MEMORY, "no memory for the counters");
    if (code != ERR_OK) {
        json_decref(counters);
        return code;
    }
    *ret = counters;
    return ERR_OK;
}
