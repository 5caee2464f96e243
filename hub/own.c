/* Owns the hub's own feed: signing and storing its events, and replaying them into the directory.
 * Must not decide which event comes: routes.c, greet.c and init.c do. */
#include "hub_private.h"

#include <assert.h>
#include <stdlib.h>

#include "codec.h"
#include "plek.pb-c.h"

/* ---- after an event ---- */

/* Its sessions end; `forget`: what it had routed goes, and what was routed to it. */
static enum err expel(struct hub *hub, const struct public_key *agent, enum err code, bool forget,
                      struct error *e) {
    const struct author *author = authors_find(&hub->authors, agent);
    enum err err = news_add_expelled(&hub->pending, agent, code, e);
    return err == ERR_OK && forget
               ? store_drop_author(hub->store, author != NULL ? author->id : 0, agent, e)
               : err;
}

static enum err leave(struct hub *hub, const struct public_key *member, enum err code,
                      struct error *e) {
    enum err err = ERR_OK;
    size_t count = directory_agent_count(hub->directory);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        const struct member_agent *a = directory_agent_at(hub->directory, i);
        if (key_equal(&a->member->key, member))
            err = expel(hub, &a->agent, code, code == ERR_REMOVED, e);
    }
    return err;
}

/* What was passed over while the member was suspended is handed out from here on. */
static void mark_resumed(struct hub *hub, const struct public_key *member, uint64_t log_index) {
    for (size_t i = 0; i < hub->authors.count; i++) {
        struct author *a = hub->authors.items[i];
        if (key_equal(&a->member, member))
            a->resumed = log_index;
    }
    hub->last_resumed = log_index;
}

static enum err follow(struct hub *hub, const struct hub_event *event, struct error *e) {
    hub->pending.everybody = true;
    if (event->kind == ENTRY_HUB_SUSPENDED)
        return leave(hub, event->member, ERR_SUSPENDED, e);
    if (event->kind == ENTRY_HUB_REMOVED)
        return leave(hub, event->member, ERR_REMOVED, e);
    if (event->kind == ENTRY_HUB_REVOKED)
        return expel(hub, event->agent, ERR_REVOKED, true, e);
    return ERR_OK;
}

/* ---- appending ---- */

static enum err build(struct hub *hub, const struct hub_event *event, int64_t now_ms,
                      struct entry **ret, struct buf *out, struct error *e) {
    const struct public_key *network = &hub->keys.sign.pub;
    const struct head *head = &hub->own->head;
    struct header header = {.network = *network,
                            .member = *network,
                            .agent = *network,
                            .incarnation = head->seq > 0 ? head->incarnation : 1,
                            .seq = head->seq + 1,
                            .prev = head->hash,
                            .claimed_ms = now_ms,
                            .kind = event->kind};
    struct view view = {.target = target_plain(), .kind = VIEW_PLAIN, .data = event->payload};
    enum err err = entry_build(&header, &view, 1, &hub->keys.sign, out, NULL, e);
    return err == ERR_OK ? entry_parse(buf_bytes(out), ret, e) : err;
}

static enum err check(const struct hub *hub, const struct entry *entry, struct error *e) {
    struct feed_place place = {.head = hub->own->head, .held = NULL};
    enum err err = feed_check_views(entry, true, e);
    if (err != ERR_OK)
        return err;
    if (feed_check(&place, &entry->header, &entry->hash, e) != FEED_ACCEPT)
        return error_set(e, ERR_STORE,
                         "the hub's feed does not continue at seq %llu; restore a backup",
                         (unsigned long long)entry->header.seq);
    return ERR_OK;
}

static enum err write_event(struct hub *hub, const struct hub_event *event,
                            const struct entry *entry, struct bytes bytes, int64_t now_ms,
                            struct error *e) {
    struct store_entry row = {.log_index = hub->tip + 1,
                              .author = hub->own->id,
                              .incarnation = entry->header.incarnation,
                              .seq = entry->header.seq,
                              .kind = entry->header.kind,
                              .received_ms = now_ms,
                              .hash = &entry->hash,
                              .body = bytes};
    enum err err = store_append(hub->store, &row, e);
    if (err == ERR_OK && event->actor != NULL)
        err = store_add_actor(hub->store, row.log_index, event->actor, e);
    if (err == ERR_OK)
        err = follow(hub, event, e);
    /* Last: it is what cannot be undone in memory. */
    return err == ERR_OK ? directory_apply(hub->directory, entry, e) : err;
}

static enum err store_event(struct hub *hub, const struct hub_event *event,
                            const struct entry *entry, struct bytes bytes, int64_t now_ms,
                            struct error *e) {
    struct news_mark mark = news_mark(&hub->pending);
    enum err err = store_savepoint(hub->store, e);
    if (err != ERR_OK)
        return err;
    err = write_event(hub, event, entry, bytes, now_ms, e);
    if (err != ERR_OK) {
        store_undo(hub->store);
        news_forget(&hub->pending, &mark);
        return err;
    }
    hub->own->head = (struct head){entry->header.incarnation, entry->header.seq, entry->hash};
    hub->tip++;
    if (event->kind == ENTRY_HUB_RESUMED)
        mark_resumed(hub, event->member, hub->tip);
    /* A savepoint that cannot be released takes the whole group with it: the directory is ahead. */
    err = store_release(hub->store, e);
    if (err != ERR_OK)
        hub->doomed = true;
    return err;
}

enum err hub_append(struct hub *hub, const struct hub_event *event, int64_t now_ms,
                    struct error *e) {
    assert(hub->depth > 0);
    struct buf bytes;
    struct entry *entry = NULL;
    buf_init(&bytes, ENTRY_MAX_BYTES);
    enum err err = build(hub, event, now_ms, &entry, &bytes, e);
    if (err == ERR_OK)
        err = check(hub, entry, e);
    if (err == ERR_OK)
        err = store_event(hub, event, entry, buf_bytes(&bytes), now_ms, e);
    entry_free(entry);
    buf_done(&bytes);
    return err;
}

/* ---- replaying ---- */

static enum err replay_resumed(struct hub *hub, const struct entry *entry, uint64_t log_index,
                               struct error *e) {
    Plek__HubMember *message = NULL;
    struct public_key member;
    enum err err = codec_decode(&plek__hub_member__descriptor, entry->views[0].data, VIEW_MAX_BYTES,
                                "resumed", (ProtobufCMessage **)&message, e);
    if (err != ERR_OK)
        return err;
    err = key_from_bytes(&member, codec_bytes(message->member), e);
    codec_free(message);
    if (err == ERR_OK)
        mark_resumed(hub, &member, log_index);
    return err;
}

struct replay {
    struct hub *hub;
    struct head head;
};

static enum err replay_entry(struct replay *r, const struct entry *entry, uint64_t log_index,
                             struct error *e) {
    struct feed_place place = {.head = r->head, .held = NULL};
    if (feed_check(&place, &entry->header, &entry->hash, e) != FEED_ACCEPT)
        return ERR_STORE;
    enum err err = feed_check_views(entry, true, e);
    if (err == ERR_OK)
        err = directory_apply(r->hub->directory, entry, e);
    if (err == ERR_OK && entry->header.kind == ENTRY_HUB_RESUMED)
        err = replay_resumed(r->hub, entry, log_index, e);
    if (err == ERR_OK)
        r->head = (struct head){entry->header.incarnation, entry->header.seq, entry->hash};
    return err;
}

static enum err replay_row(void *ctx, const struct store_entry *row, struct error *e) {
    struct replay *r = ctx;
    struct error inner = {0};
    struct entry *entry = NULL;
    enum err err = entry_parse(row->body, &entry, &inner);
    if (err == ERR_OK)
        err = replay_entry(r, entry, row->log_index, &inner);
    entry_free(entry);
    if (err == ERR_OK || err == ERR_NO_MEMORY)
        return err;
    return error_set(e, ERR_STORE,
                     "hub.db: seq %llu of the hub's own feed cannot be applied (%.120s); restore a "
                     "backup",
                     (unsigned long long)row->seq, inner.detail);
}

enum err hub_replay(struct hub *hub, struct error *e) {
    struct replay r = {.hub = hub};
    enum err err = directory_new(&hub->keys.sign.pub, &hub->directory, e);
    if (err == ERR_OK)
        err = store_feed(hub->store, hub->own->id, 0, INT64_MAX, replay_row, &r, e);
    if (err != ERR_OK)
        return err;
    if (directory_charter(hub->directory) == NULL)
        return error_set(e, ERR_STORE, "hub.db holds no charter; restore a backup");
    return ERR_OK;
}
