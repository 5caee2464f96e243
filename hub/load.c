/* Owns what a reader gets next: pages of the hub's feed, grants, states, messages and history after
 * its cursors. Must not write, nor choose when to send.
 *
 * A state's position is the latest log index of: the state, the reader's grant of its key, and its
 * author's last resumption. So whatever becomes readable by a later event stands after that event,
 * and a reader that holds everything up to a cursor misses nothing by asking only for what is
 * beyond it. `upto` never passes a position of which something is still to come: pages end between
 * positions. The same holds of a message or history view and the grant of its key; but one grant
 * may open any number of those, so of these classes a page may also end within a position
 * (`within`). */
#include "hub_private.h"

#include <assert.h>
#include <stdlib.h>

#include "array.h"

/* More rows than one position can have, beyond a page: then a page always ends between positions.
 */
#define SCAN_ROWS (HUB_PAGE_ROWS + ENTRY_MAX_VIEWS + 1)
#define TABLE_FEED TABLE_COUNT /* in the cache of excerpts: whole entries of the hub's feed */

struct rows {
    struct store_row *items;
    size_t count, cap;
    uint64_t bound;       /* rows are complete up to this position */
    uint64_t bound_place; /* of messages and history: and, of it, up to this place */
};

struct loading {
    struct hub *hub;
    const struct public_key *reader;
    size_t max_bytes;
    struct page page;
    size_t cap;
    size_t bytes;
    bool full;
};

/* ---- the page ---- */

static bool enough(const struct loading *l) {
    return l->page.count > 0 && (l->page.count >= HUB_PAGE_ROWS || l->bytes >= l->max_bytes);
}

/* Takes over the caller's share of the blob. */
static enum err add_item(struct loading *l, enum deliver_class class_, uint64_t position,
                         struct blob *take_excerpt, int64_t received_ms, struct error *e) {
    struct delivery *items = array_grow(l->page.items, l->page.count, &l->cap, sizeof *items);
    if (items == NULL) {
        blob_unref(take_excerpt);
        return error_set(e, ERR_NO_MEMORY, "no memory for a page of more than %zu items",
                         l->page.count);
    }
    l->page.items = items;
    l->bytes += blob_bytes(take_excerpt).len;
    l->page.items[l->page.count++] = (struct delivery){class_, position, received_ms, take_excerpt};
    return ERR_OK;
}

/* ---- excerpts ---- */

struct making {
    struct hub *hub;
    int table;
    uint64_t place;
    int64_t received_ms;
    struct blob *blob;
};

static enum err make_blob(struct making *m, const struct entry *entry, uint32_t index,
                          struct error *e) {
    struct buf out;
    buf_init(&out, ENTRY_MAX_BYTES);
    enum err err = entry_excerpt(entry, &index, 1, &out, e);
    if (err != ERR_OK) {
        buf_done(&out);
        return err;
    }
    size_t len = out.len;
    m->blob = blob_take_buf(&out);
    if (m->blob == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for an excerpt of %zu bytes", len);
    excerpts_put(&m->hub->excerpts, m->table, m->place, m->blob, m->received_ms);
    return ERR_OK;
}

/* The log's body has every leaf; the data stand with what is routed. */
static enum err make_excerpt(void *ctx, struct bytes data, struct bytes body, int64_t received_ms,
                             struct error *e) {
    struct making *m = ctx;
    struct entry *entry = NULL;
    uint32_t index = (uint32_t)(m->place % ENTRY_MAX_VIEWS);
    enum err err = entry_parse(body, &entry, e);
    if (err != ERR_OK)
        return err;
    m->received_ms = received_ms;
    if (index < entry->view_count) {
        entry->views[index].data = data;
        err = make_blob(m, entry, index, e);
    } else {
        err = error_set(e, ERR_STORE, "hub.db: a view stands where its entry has none");
    }
    entry_free(entry);
    return err;
}

static enum err add_view(struct loading *l, enum deliver_class class_, const struct store_row *row,
                         struct error *e) {
    struct making m = {.hub = l->hub, .table = (int)row->table, .place = row->place};
    enum err err = ERR_OK;
    m.blob = excerpts_get(&l->hub->excerpts, m.table, row->place, &m.received_ms);
    if (m.blob == NULL)
        err = store_view(l->hub->store, row->table, row->place, make_excerpt, &m, e);
    return err == ERR_OK ? add_item(l, class_, row->position, m.blob, m.received_ms, e) : err;
}

/* ---- the hub's feed ---- */

static enum err make_feed_excerpt(struct making *m, struct bytes body, struct error *e) {
    struct entry *entry = NULL;
    enum err err = entry_parse(body, &entry, e);
    if (err == ERR_OK)
        err = make_blob(m, entry, 0, e);
    entry_free(entry);
    return err;
}

static enum err add_event(void *ctx, const struct store_entry *row, struct error *e) {
    struct loading *l = ctx;
    struct making m = {.hub = l->hub,
                       .table = TABLE_FEED,
                       .place = place_of(row->log_index, 0),
                       .received_ms = row->received_ms};
    enum err err = ERR_OK;
    if (l->full || enough(l)) {
        l->full = true;
        return ERR_OK;
    }
    m.blob = excerpts_get(&l->hub->excerpts, m.table, m.place, &m.received_ms);
    if (m.blob == NULL)
        err = make_feed_excerpt(&m, row->body, e);
    if (err == ERR_OK)
        err = add_item(l, CLASS_HUB, row->seq, m.blob, m.received_ms, e);
    if (err == ERR_OK)
        l->page.upto[CLASS_HUB] = row->seq;
    return err;
}

static enum err load_feed(struct loading *l, uint64_t after, struct error *e) {
    uint64_t head = directory_head(l->hub->directory).seq;
    if (after >= head)
        return ERR_OK;
    return store_feed(l->hub->store, l->hub->own->id, after, HUB_PAGE_ROWS + 1, add_event, l, e);
}

/* ---- rows ---- */

typedef enum err scan_fn(struct store *s, const struct public_key *reader, uint64_t after,
                         size_t limit, struct store_row *rows, size_t *ret_count, struct error *e);

static enum err reserve_rows(struct rows *r, size_t more, struct error *e) {
    if (more <= r->cap - r->count)
        return ERR_OK;
    size_t cap = r->count + more;
    struct store_row *items = reallocarray(r->items, cap, sizeof *items);
    if (items == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu rows", cap);
    r->items = items;
    r->cap = cap;
    return ERR_OK;
}

/* Of a scan that was cut, the last position may lack rows. */
static void note_scanned(struct rows *r, size_t count) {
    r->count += count;
    if (count < SCAN_ROWS)
        return;
    uint64_t complete = r->items[r->count - 1].position - 1;
    if (complete < r->bound)
        r->bound = complete;
}

static enum err scan(const struct loading *l, scan_fn *fn, uint64_t after, struct rows *r,
                     struct error *e) {
    size_t count = 0;
    enum err err = reserve_rows(r, SCAN_ROWS, e);
    if (err == ERR_OK)
        err = fn(l->hub->store, l->reader, after, SCAN_ROWS, r->items + r->count, &count, e);
    if (err == ERR_OK)
        note_scanned(r, count);
    return err;
}

/* The states of authors resumed after the cursor: all of one author share one position. */
static enum err scan_resumed(const struct loading *l, uint64_t after, struct rows *r,
                             struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = 0; i < l->hub->authors.count && err == ERR_OK; i++) {
        const struct author *a = l->hub->authors.items[i];
        size_t wanted = SCAN_ROWS, count = SCAN_ROWS;
        if (a->resumed <= after)
            continue;
        while (err == ERR_OK && count == wanted) {
            wanted *= 2;
            err = reserve_rows(r, wanted, e);
            if (err == ERR_OK)
                err = store_scan_author(l->hub->store, l->reader, a->id, a->resumed, wanted,
                                        r->items + r->count, &count, e);
        }
        if (err == ERR_OK)
            r->count += count;
    }
    return err;
}

/* Withdrawals that a newer state, for others perhaps, took the place of. Their key was granted
 * before them or never: it is used no more. */
static enum err scan_withdrawals(struct store *s, const struct public_key *reader, uint64_t after,
                                 size_t limit, struct store_row *rows, size_t *ret_count,
                                 struct error *e) {
    const struct store_scan what = {CLASS_STATES, reader, after, 0};
    return store_scan_views(s, &what, limit, rows, ret_count, e);
}

static int compare_rows(const void *left, const void *right) {
    const struct store_row *a = left, *b = right;
    if (a->position != b->position)
        return a->position < b->position ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* States of members that are not admitted now stay here; a resumption brings them back. So does it
 * those whose position it is. */
static bool shown(const struct hub *hub, const struct store_row *row) {
    const struct author *author = authors_by_id(&hub->authors, row->author);
    return author != NULL && row->position >= author->resumed &&
           hub_check_agent(hub, &author->agent, NULL, NULL) == ERR_OK;
}

/* Hands out the rows, in order of position, up to where they are complete or the page is full. */
static enum err add_rows(struct loading *l, enum deliver_class class_, struct rows *r,
                         struct error *e) {
    enum err err = ERR_OK;
    uint64_t done = r->bound;
    if (r->count > 1)
        qsort(r->items, r->count, sizeof *r->items, compare_rows);
    for (size_t i = 0; i < r->count && err == ERR_OK; i++) {
        const struct store_row *row = &r->items[i];
        bool first = i == 0 || r->items[i - 1].position != row->position;
        if (row->position > r->bound)
            break;
        if (first && enough(l)) {
            done = row->position - 1;
            l->full = true;
            break;
        }
        if (row->table != TABLE_STATE || shown(l->hub, row))
            err = add_view(l, class_, row, e);
    }
    l->full = l->full || r->bound != UINT64_MAX;
    if (l->full && done > l->page.upto[class_])
        l->page.upto[class_] = done;
    return err;
}

/* ---- messages and history ---- */

typedef enum err scan_kept_fn(struct store *s, const struct store_scan *scan, size_t limit,
                              struct store_row *rows, size_t *ret_count, struct error *e);

static enum err scan_kept(const struct loading *l, scan_kept_fn *fn, const struct store_scan *scan,
                          struct rows *r, struct error *e) {
    size_t count = 0;
    enum err err = reserve_rows(r, SCAN_ROWS, e);
    if (err == ERR_OK)
        err = fn(l->hub->store, scan, SCAN_ROWS, r->items + r->count, &count, e);
    if (err != ERR_OK)
        return err;
    r->count += count;
    const struct store_row *last = count < SCAN_ROWS ? NULL : &r->items[r->count - 1];
    if (last && (last->position < r->bound ||
                 (last->position == r->bound && last->place < r->bound_place))) {
        r->bound = last->position;
        r->bound_place = last->place;
    }
    return ERR_OK;
}

static bool beyond(const struct rows *r, const struct store_row *row) {
    return row->position > r->bound || (row->position == r->bound && row->place > r->bound_place);
}

/* Of what does not fit, the last row handed out says where to go on: its position is not reached.
 */
static enum err add_kept(struct loading *l, enum deliver_class class_, struct rows *r,
                         struct error *e) {
    enum err err = ERR_OK;
    size_t i = 0;
    if (r->count > 1)
        qsort(r->items, r->count, sizeof *r->items, compare_rows);
    for (; i < r->count && err == ERR_OK && !beyond(r, &r->items[i]) && !enough(l); i++)
        err = add_view(l, class_, &r->items[i], e);
    bool cut = i < r->count || r->bound != UINT64_MAX;
    l->full = l->full || cut;
    if (!cut || i == 0 || err != ERR_OK)
        return err;
    const struct store_row *last = &r->items[i - 1];
    l->page.upto[class_] = last->position - 1;
    l->page.within[class_] = last->place;
    return ERR_OK;
}

static enum err load_kept(struct loading *l, enum deliver_class class_, uint64_t after,
                          uint64_t within, struct error *e) {
    const struct store_scan what = {(int)class_, l->reader, after, within};
    struct rows r = {.bound = UINT64_MAX, .bound_place = UINT64_MAX};
    if (after >= l->hub->tip)
        return ERR_OK;
    enum err err = scan_kept(l, store_scan_views, &what, &r, e);
    if (err == ERR_OK)
        err = scan_kept(l, store_scan_views_granted, &what, &r, e);
    if (err == ERR_OK)
        err = add_kept(l, class_, &r, e);
    if (err == ERR_OK && !l->full) {
        l->page.upto[class_] = l->hub->tip;
        l->page.within[class_] = 0;
    }
    free(r.items);
    return err;
}

/* ---- classes ---- */

static enum err scan_class(const struct loading *l, enum deliver_class class_, uint64_t after,
                           struct rows *r, struct error *e) {
    enum err err = ERR_OK;
    switch (class_) {
    case CLASS_GRANTS:
        err = scan(l, store_scan_grants, after, r, e);
        return err == ERR_OK ? scan(l, store_scan_renewals, after, r, e) : err;
    case CLASS_STATES:
        err = scan(l, store_scan_states, after, r, e);
        if (err == ERR_OK)
            err = scan(l, store_scan_granted, after, r, e);
        if (err == ERR_OK && l->hub->last_resumed > after)
            err = scan_resumed(l, after, r, e);
        if (err == ERR_OK)
            err = scan(l, scan_withdrawals, after, r, e);
        return err;
    case CLASS_MESSAGES:
    case CLASS_HISTORY:
    case CLASS_HUB:
        break;
    }
    return error_set(e, ERR_INTERNAL, "class %d has no rows", (int)class_);
}

static enum err load_class(struct loading *l, enum deliver_class class_, uint64_t after,
                           struct error *e) {
    struct rows r = {.bound = UINT64_MAX};
    if (after >= l->hub->tip)
        return ERR_OK;
    enum err err = scan_class(l, class_, after, &r, e);
    if (err == ERR_OK)
        err = add_rows(l, class_, &r, e);
    if (err == ERR_OK && !l->full)
        l->page.upto[class_] = l->hub->tip;
    free(r.items);
    return err;
}

static enum err load_all(struct loading *l, const struct cursors *cursors, bool feed_only,
                         struct error *e) {
    enum err err = ERR_OK;
    if (cursors->after[CLASS_HUB] != UINT64_MAX)
        err = load_feed(l, cursors->after[CLASS_HUB], e);
    for (int c = CLASS_GRANTS; c < HUB_CLASSES && err == ERR_OK && !l->full && !feed_only; c++) {
        if (cursors->after[c] == UINT64_MAX)
            continue;
        if (c == CLASS_MESSAGES || c == CLASS_HISTORY)
            err = load_kept(l, (enum deliver_class)c, cursors->after[c], cursors->within[c], e);
        else
            err = load_class(l, (enum deliver_class)c, cursors->after[c], e);
    }
    return err;
}

enum err hub_load(struct hub *hub, const struct public_key *agent, const struct cursors *cursors,
                  size_t max_bytes, struct page *ret, struct error *e) {
    assert(hub->depth == 0);
    struct loading l = {.hub = hub, .reader = agent, .max_bytes = max_bytes};
    enum err err = hub_refresh(hub, e);
    if (err != ERR_OK)
        return err;
    err = hub_check_agent(hub, agent, NULL, e);
    bool suspended = err == ERR_SUSPENDED;
    if (err != ERR_OK && !suspended)
        return err;
    for (int c = 0; c < HUB_CLASSES; c++) {
        l.page.upto[c] = cursors->after[c];
        l.page.within[c] = cursors->within[c];
    }
    err = load_all(&l, cursors, suspended, e);
    if (err != ERR_OK) {
        page_done(&l.page);
        return err;
    }
    l.page.tip = !l.full;
    *ret = l.page;
    return ERR_OK;
}
