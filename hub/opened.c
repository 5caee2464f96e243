/* Owns what the hub can read itself: grants to it, and the states and history they open. What
 * cannot be used is noted against its author and never a reason to refuse the entry. Must not sum
 * up or publish anything (aggregate.c). */
#include "hub_private.h"

#include "snapshot.h"

static enum err note(struct hub *hub, int64_t author, const struct error *why, int64_t now_ms,
                     struct error *e) {
    return why->code == ERR_NO_MEMORY ? error_set(e, ERR_NO_MEMORY, "%s", why->detail)
                                      : store_note_trouble(hub->store, author, why, now_ms, e);
}

/* A far-off claim must not overflow: what it says is simply expired. */
static int64_t shift_of(const struct header *header, int64_t received_ms) {
    return header->claimed_ms > received_ms && header->claimed_ms > 0
               ? received_ms - header->claimed_ms
               : 0;
}

/* What would be shown must decode and keep to the charter, after the clock's correction. */
static enum err read_plain(const struct hub *hub, struct bytes plain, int64_t shift_ms,
                           struct snapshot **ret, struct error *e) {
    struct snapshot *snapshot = NULL;
    const struct charter *charter = directory_charter(hub->directory);
    enum err err = snapshot_decode(plain, &snapshot, e);
    if (err == ERR_OK)
        err = snapshot_apply_clock(snapshot, shift_ms, charter->longest_validity_ms, e);
    if (err != ERR_OK) {
        snapshot_free(snapshot);
        return err;
    }
    *ret = snapshot;
    return ERR_OK;
}

/* Since when each line is known. */
static enum err put_lines(struct hub *hub, const struct store_held_key *key,
                          const struct snapshot *s, struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < s->line_count && err == ERR_OK; i++) {
        const struct store_line line = {.author = key->author,
                                        .audience = key->audience,
                                        .site = s->lines[i].site,
                                        .service = s->lines[i].service,
                                        .ward = s->lines[i].ward,
                                        .since_ms = s->lines[i].figure.observed_ms};
        if (line.since_ms > 0)
            err = store_put_line(hub->store, &line, e);
    }
    return err;
}

static enum err open_view(struct hub *hub, const struct store_held_key *key,
                          const struct header *header, struct bytes sealed, int64_t received_ms,
                          int64_t now_ms, struct error *e) {
    struct audience_ctx ctx = {header->network, header->member, header->agent, {0}};
    struct snapshot *snapshot = NULL;
    struct error why = {0};
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    for (size_t i = 0; i < AUDIENCE_ID_LEN; i++)
        ctx.audience[i] = key->audience[i];
    int64_t shift_ms = shift_of(header, received_ms);
    enum err err = view_open(&ctx, &key->key, header->incarnation, header->seq, VIEW_STATE, sealed,
                             &plain, &why);
    if (err == ERR_OK)
        err = read_plain(hub, buf_bytes(&plain), shift_ms, &snapshot, &why);
    if (err == ERR_OK) {
        struct store_picture p = {.author = key->author,
                                  .incarnation = header->incarnation,
                                  .seq = header->seq,
                                  .received_ms = received_ms,
                                  .shift_ms = shift_ms,
                                  .plain = buf_bytes(&plain)};
        for (size_t i = 0; i < AUDIENCE_ID_LEN; i++)
            p.audience[i] = key->audience[i];
        err = store_put_picture(hub->store, &p, e);
        if (err == ERR_OK)
            err = put_lines(hub, key, snapshot, e);
    } else {
        err = note(hub, key->author, &why, now_ms, e);
    }
    snapshot_free(snapshot);
    buf_wipe_done(&plain);
    return err;
}

/* ---- history ---- */

static enum err open_history(struct hub *hub, const struct store_held_key *key,
                             const struct header *header, struct bytes sealed, int64_t received_ms,
                             int64_t now_ms, struct error *e) {
    struct audience_ctx ctx = {header->network, header->member, header->agent, {0}};
    struct history *history = NULL;
    struct error why = {0};
    struct buf plain;
    buf_init(&plain, VIEW_MAX_BYTES);
    for (size_t i = 0; i < AUDIENCE_ID_LEN; i++)
        ctx.audience[i] = key->audience[i];
    struct store_history h = {.author = key->author,
                              .audience = key->audience,
                              .incarnation = header->incarnation,
                              .seq = header->seq,
                              .received_ms = received_ms,
                              .shift_ms = shift_of(header, received_ms)};
    enum err err = view_open(&ctx, &key->key, header->incarnation, header->seq, VIEW_HISTORY,
                             sealed, &plain, &why);
    if (err == ERR_OK)
        err = history_decode(buf_bytes(&plain), &history, &why);
    if (err == ERR_OK)
        err = history_check_clock(history, h.shift_ms,
                                  directory_charter(hub->directory)->longest_validity_ms, &why);
    h.history = history;
    if (err == ERR_OK)
        err = store_put_history(hub->store, &h, e);
    else
        err = note(hub, key->author, &why, now_ms, e);
    history_free(history);
    buf_wipe_done(&plain);
    return err;
}

struct earlier {
    struct hub *hub;
    const struct store_held_key *key;
    int64_t now_ms;
};

/* A state that came before its key. */
static enum err open_earlier(void *ctx, struct bytes data, struct bytes body, int64_t received_ms,
                             struct error *e) {
    struct earlier *x = ctx;
    struct entry *entry = NULL;
    enum err err = entry_parse(body, &entry, e);
    if (err == ERR_OK)
        err = open_view(x->hub, x->key, &entry->header, data, received_ms, x->now_ms, e);
    entry_free(entry);
    return err;
}

/* History that came before its key. */
static enum err open_past(void *ctx, struct bytes data, struct bytes body, int64_t received_ms,
                          struct error *e) {
    struct earlier *x = ctx;
    struct entry *entry = NULL;
    enum err err = entry_parse(body, &entry, e);
    if (err == ERR_OK)
        err = open_history(x->hub, x->key, &entry->header, data, received_ms, x->now_ms, e);
    entry_free(entry);
    return err;
}

enum err opened_grant(struct hub *hub, int64_t author, const struct header *header,
                      const struct view *grant, int64_t now_ms, struct error *e) {
    struct audience_ctx ctx;
    struct store_held_key key = {.author = author, .key_id = grant->key_id};
    struct error why = {0};
    if (grant_open(header, &grant->key_id, grant->data, &hub->keys.box, &ctx, &key.key, &why) !=
        ERR_OK)
        return note(hub, author, &why, now_ms, e);
    for (size_t i = 0; i < AUDIENCE_ID_LEN; i++)
        key.audience[i] = ctx.audience[i];
    struct earlier x = {.hub = hub, .key = &key, .now_ms = now_ms};
    enum err err = store_put_key(hub->store, &key, e);
    if (err == ERR_OK)
        err = store_state_under(hub->store, author, key.audience, &key.key_id, open_earlier, &x, e);
    if (err == ERR_OK)
        err = store_history_under(hub->store, &key, open_past, &x, e);
    audience_key_wipe(&key.key);
    return err;
}

enum err opened_state(struct hub *hub, int64_t author, const struct header *header,
                      const struct view *state, int64_t now_ms, struct error *e) {
    const struct author *known = authors_by_id(&hub->authors, author);
    struct store_held_key key;
    bool found = false;
    if (known != NULL && !known->keyed)
        return ERR_OK;
    enum err err = store_find_key(hub->store, author, &state->key_id, &found, &key, e);
    if (err != ERR_OK)
        return err;
    /* Under a key the hub does not hold, it is no longer in that audience: what it knew goes. */
    if (!found)
        return store_drop_picture(hub->store, author, state->target.b, e);
    struct target audience = target_audience(key.audience);
    if (target_equal(&audience, &state->target)) {
        err = open_view(hub, &key, header, state->data, now_ms, now_ms, e);
    } else {
        struct error why = {0};
        (void)error_set(&why, ERR_GRANT, "a state stands under another audience's key");
        err = note(hub, author, &why, now_ms, e);
    }
    audience_key_wipe(&key.key);
    return err;
}

enum err opened_history(struct hub *hub, int64_t author, const struct header *header,
                        const struct view *view, int64_t now_ms, struct error *e) {
    const struct author *known = authors_by_id(&hub->authors, author);
    struct store_held_key key;
    bool found = false;
    if (known != NULL && !known->keyed)
        return ERR_OK;
    enum err err = store_find_key(hub->store, author, &view->key_id, &found, &key, e);
    if (err != ERR_OK || !found)
        return err;
    struct target audience = target_audience(key.audience);
    if (target_equal(&audience, &view->target)) {
        err = open_history(hub, &key, header, view->data, now_ms, now_ms, e);
    } else {
        struct error why = {0};
        (void)error_set(&why, ERR_GRANT, "a history stands under another audience's key");
        err = note(hub, author, &why, now_ms, e);
    }
    audience_key_wipe(&key.key);
    return err;
}
