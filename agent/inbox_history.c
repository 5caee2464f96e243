/* Owns taking history that arrives: key, opening, times; each view once.
 * Must not verify the excerpt (inbox.c did) nor know rows (series.c). */
#include <string.h>

#include "audience.h"
#include "inbox_private.h"
#include "picture.h"
#include "series.h"

static enum err apply(struct agent *a, const struct delivery *d, const struct held_key *key,
                      struct bytes plain, bool *ret_new, struct error *e) {
    struct history *history = NULL;
    struct series_view view = {.header = &d->entry->header,
                               .audience = key->audience,
                               .position = d->position,
                               .received_ms = d->received_ms,
                               .now_ms = d->now_ms};
    enum err code = inbox_clock_shift(d, &view.shift_ms, e);
    if (code == ERR_OK)
        code = history_decode(plain, &history, e);
    if (code == ERR_OK)
        code =
            history_check_clock(history, view.shift_ms, agent_charter(a)->longest_validity_ms, e);
    view.history = history;
    if (code == ERR_OK)
        code = series_take(a, &view, ret_new, e);
    history_free(history);
    return code;
}

static enum err open_view(struct agent *a, const struct delivery *d, const struct view *view,
                          const struct held_key *key, bool *ret_new, struct error *e) {
    const struct header *h = &d->entry->header;
    struct audience_ctx ctx = {h->network, h->member, h->agent, {0}};
    struct buf plain;
    if (view->target.len != AUDIENCE_ID_LEN ||
        memcmp(key->audience, view->target.b, AUDIENCE_ID_LEN) != 0)
        return error_set(e, ERR_GRANT, "found a view for one audience under the key of another");
    memcpy(ctx.audience, key->audience, AUDIENCE_ID_LEN);
    buf_init(&plain, VIEW_MAX_BYTES);
    enum err code =
        view_open(&ctx, &key->key, h->incarnation, h->seq, VIEW_HISTORY, view->data, &plain, e);
    if (code == ERR_OK)
        code = apply(a, d, key, buf_bytes(&plain), ret_new, e);
    buf_wipe_done(&plain);
    return code;
}

/* What its author took back by a later entry is passed over, as an older state would be. */
static enum err take_one(struct agent *a, const struct delivery *d, const struct view *view,
                         bool *ret_new, struct error *e) {
    struct held_key key = {.granted = {0}};
    bool found = false, withdrawn = false;
    enum err code = picture_key(a, &d->entry->header.agent, &view->key_id, &key, &found, e);
    if (code == ERR_OK && !found)
        code = error_set(e, ERR_NO_KEY, "the key of this history was not granted to us yet");
    if (code == ERR_OK)
        code = series_withdrawn(a, &d->entry->header, key.audience, &withdrawn, e);
    if (code == ERR_OK && !withdrawn)
        code = open_view(a, d, view, &key, ret_new, e);
    audience_key_wipe(&key.key);
    return code;
}

static bool known_elsewhere(uint32_t kind) {
    return kind == VIEW_PLAIN || kind == VIEW_GRANT || kind == VIEW_STATE ||
           kind == VIEW_WITHDRAW || kind == VIEW_MESSAGE;
}

enum err inbox_take_history(struct agent *a, const struct delivery *d, struct error *e) {
    bool any_new = false, missing = false;
    for (size_t i = 0; i < d->entry->view_count; i++) {
        const struct view *view = &d->entry->views[i];
        bool is_new = false;
        if (known_elsewhere(view->kind))
            return error_set(e, ERR_KIND, "found a view of kind %u among history", view->kind);
        if (view->kind != VIEW_HISTORY)
            continue;
        enum err code = take_one(a, d, view, &is_new, e);
        if (code != ERR_OK && code != ERR_NO_KEY)
            return code;
        missing = missing || code == ERR_NO_KEY;
        any_new = any_new || is_new;
    }
    if (any_new)
        agent_raise_event(a, AGENT_EVENT_STATUS);
    return missing ? ERR_NO_KEY : ERR_OK; /* the message stands */
}
