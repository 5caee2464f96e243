/* Implements the reading of excerpts. Must not store. */
#include "opening.h"

#include <stdlib.h>
#include <string.h>

struct known {
    struct public_key agent;
    long index;
    bool granted;
    struct audience_ctx ctx;
    struct audience_key key;
};

struct opening {
    const struct puppet *reader;
    const struct puppet *puppets;
    struct known *known; /* ordered by agent */
    size_t count;
};

static int compare_known(const void *left, const void *right) {
    return key_compare(&((const struct known *)left)->agent, &((const struct known *)right)->agent);
}

enum err opening_new(const struct puppet *reader, const struct puppet *puppets, size_t count,
                     struct opening **ret, struct error *e) {
    struct opening *o = calloc(1, sizeof *o);
    if (o == NULL || (o->known = calloc(count, sizeof *o->known)) == NULL) {
        free(o);
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu authors", count);
    }
    o->reader = reader;
    o->puppets = puppets;
    o->count = count;
    for (size_t i = 0; i < count; i++)
        o->known[i] = (struct known){.agent = puppets[i].agent.pub, .index = (long)i};
    qsort(o->known, count, sizeof *o->known, compare_known);
    *ret = o;
    return ERR_OK;
}

void opening_free(struct opening *o) {
    if (o == NULL)
        return;
    free(o->known);
    free(o);
}

static struct known *find(struct opening *o, const struct public_key *agent) {
    struct known wanted = {.agent = *agent};
    return bsearch(&wanted, o->known, o->count, sizeof wanted, compare_known);
}

static enum err open_state(const struct known *author, const struct header *h,
                           const struct view *view, struct error *e) {
    struct buf plain;
    struct snapshot *snapshot = NULL;
    if (!author->granted)
        return error_set(e, ERR_NO_KEY, "a state came before the grant of its key");
    buf_init(&plain, VIEW_PLAIN_MAX);
    enum err err = view_open(&author->ctx, &author->key, h->incarnation, h->seq, view->kind,
                             view->data, &plain, e);
    if (err == ERR_OK)
        err = snapshot_decode(buf_bytes(&plain), &snapshot, e);
    if (err == ERR_OK && snapshot->line_count != PUPPET_LINES)
        err = error_set(e, ERR_DATA, "found %zu lines, expected %d", snapshot->line_count,
                        PUPPET_LINES);
    if (err == ERR_OK)
        err = snapshot_apply_clock(snapshot, 0, INT64_C(7) * 86400000, e);
    snapshot_free(snapshot);
    buf_done(&plain);
    return err;
}

static enum err open_view(struct opening *o, struct known *author, const struct header *h,
                          const struct view *view, struct error *e) {
    if (view->kind == VIEW_STATE)
        return open_state(author, h, view, e);
    if (view->kind != VIEW_GRANT)
        return error_set(e, ERR_KIND, "found view kind %u, expected a state or a grant",
                         view->kind);
    enum err err =
        grant_open(h, &view->key_id, view->data, &o->reader->box, &author->ctx, &author->key, e);
    author->granted = author->granted || err == ERR_OK;
    return err;
}

static enum err open_entry(struct opening *o, const struct entry *entry, long *ret_author,
                           uint64_t *ret_seq, struct error *e) {
    struct known *author = find(o, &entry->header.agent);
    if (author == NULL)
        return error_set(e, ERR_UNKNOWN_AUTHOR, "an excerpt of an author who is no puppet");
    enum err err = entry_verify(entry, &author->agent, e);
    bool state = false;
    for (size_t i = 0; i < entry->view_count && err == ERR_OK; i++) {
        err = open_view(o, author, &entry->header, &entry->views[i], e);
        state = state || entry->views[i].kind == VIEW_STATE;
    }
    if (err != ERR_OK)
        return err;
    *ret_author = state ? author->index : -1;
    *ret_seq = entry->header.seq;
    return ERR_OK;
}

enum err opening_take(struct opening *o, struct bytes excerpt, long *ret_author, uint64_t *ret_seq,
                      struct error *e) {
    struct entry *entry = NULL;
    enum err err = excerpt_parse(excerpt, &entry, e);
    if (err == ERR_OK)
        err = open_entry(o, entry, ret_author, ret_seq, e);
    entry_free(entry);
    return err;
}
