/* Owns taking the hub's feed: each entry verified in its place, kept, and applied to the directory.
 * Must not know authors or views (inbox.c). */
#include "alarm.h"
#include "feed.h"
#include "inbox_private.h"
#include "picture.h"
#include "store.h"

static enum err hub_hash(struct agent *a, uint64_t seq, struct hash *ret, bool *ret_found,
                         struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_HUB_ENTRY_HASH);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":seq", (int64_t)seq);
    bool found = db_step(&q);
    if (found)
        code = store_read_hash(&q, 0, ret, e);
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret_found = found;
    return code;
}

static enum err check_hub_place(struct agent *a, const struct entry *entry, struct error *e) {
    struct hash held;
    bool found = false;
    struct feed_place place = {.head = directory_head(agent_directory(a))};
    enum err code = hub_hash(a, entry->header.seq, &held, &found, e);
    if (code != ERR_OK)
        return code;
    place.held = found ? &held : NULL;
    struct error why = {0};
    switch (feed_check(&place, &entry->header, &entry->hash, &why)) {
    case FEED_ACCEPT:
        return ERR_OK;
    case FEED_HELD:
        return error_set(e, ERR_OLD, "entry %llu of the hub's feed is held already",
                         (unsigned long long)entry->header.seq);
    case FEED_REJECT:
    case FEED_FORK:
        break;
    }
    return error_set(e, why.code, "hub's feed: %s", why.detail);
}

static enum err verify_hub(struct agent *a, const struct entry *entry, struct error *e) {
    const struct public_key *hub = directory_network(agent_directory(a));
    const struct header *h = &entry->header;
    if (!key_equal(&h->network, hub))
        return error_set(e, ERR_NETWORK, "found an entry of another network in the hub's feed");
    if (!key_equal(&h->member, hub) || !key_equal(&h->agent, hub))
        return error_set(e, ERR_UNKNOWN_AUTHOR,
                         "found an entry in the hub's feed that is not the hub's");
    enum err code = entry_verify(entry, hub, e);
    if (code == ERR_OK)
        code = feed_check_views(entry, true, e);
    return code != ERR_OK ? code : check_hub_place(a, entry, e);
}

static enum err store_hub_entry(struct agent *a, const struct delivery *d, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_HUB_ENTRY_ADD);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_int(&q, ":seq", (int64_t)d->entry->header.seq);
    db_bind_blob(&q, ":hash", bytes_of(d->entry->hash.b, HASH_LEN));
    db_bind_int(&q, ":received_ms", d->received_ms);
    db_bind_blob(&q, ":excerpt", d->excerpt);
    return db_run_query(&q, e);
}

static bool is_gone(struct agent *a, const struct public_key *agent) {
    const struct member_agent *known = directory_agent(agent_directory(a), agent);
    return !known || known->revoked || known->member->state == MEMBER_REMOVED;
}

/* The first agent that something is stored of and that is gone; *ret_found false when none. */
static enum err find_gone(struct agent *a, struct public_key *ret, bool *ret_found,
                          struct error *e) {
    enum err code = ERR_OK;
    bool found = false;
    struct db_query q = db_query(agent_db(a), SQL_PEER_AGENTS);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && !found && db_step(&q)) {
        code = store_read_key(&q, 0, ret, e);
        found = code == ERR_OK && is_gone(a, ret);
    }
    code = db_finish_visit(&q, code, e);
    if (code == ERR_OK)
        *ret_found = found;
    return code;
}

static enum err forget_gone(struct agent *a, struct error *e) {
    for (;;) {
        struct public_key agent;
        bool found = false;
        enum err code = find_gone(a, &agent, &found, e);
        if (code != ERR_OK || !found)
            return code;
        code = picture_forget_agent(a, &agent, e);
        if (code != ERR_OK)
            return code;
    }
}

/* The row goes in first: where the directory refuses, it is undone with everything else, and only
 * the directory's own change cannot be undone, so nothing but this machine may fail after it. */
enum err inbox_take_hub(struct agent *a, const struct delivery *d, struct error *e) {
    enum err code = verify_hub(a, d->entry, e);
    if (code == ERR_OK)
        code = store_hub_entry(a, d, e);
    if (code == ERR_OK)
        code = directory_apply(agent_directory(a), d->entry, e);
    if (code != ERR_OK)
        return code;
    uint32_t kind = d->entry->header.kind;
    if (kind == ENTRY_HUB_REMOVED || kind == ENTRY_HUB_REVOKED)
        code = forget_gone(a, e);
    if (code == ERR_OK)
        code = alarm_clear_all(a, ALARM_HUB_FEED, e);
    agent_mark_dirty(a);
    agent_raise_event(a, AGENT_EVENT_STATUS | AGENT_EVENT_PICTURE);
    return code;
}
