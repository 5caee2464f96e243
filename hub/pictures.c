/* Owns reading the newest pictures from the store (see pictures.h). */
#include "pictures.h"

#include <stdlib.h>

#include "array.h"

/* Long enough for any charter: what was accepted under an older one is not judged again. */
#define ANY_VALIDITY_MS (INT64_C(100) * 366 * 86400000)

struct reading {
    const struct hub *hub;
    enum pictures_of whose;
    struct pictures *pictures;
};

static enum err decode(struct pictures *to, const struct author *author,
                       const struct store_picture *p, struct error *e) {
    struct snapshot *snapshot = NULL;
    enum err err = snapshot_decode(p->plain, &snapshot, e);
    if (err == ERR_OK)
        err = snapshot_apply_clock(snapshot, p->shift_ms, ANY_VALIDITY_MS, e);
    if (err != ERR_OK) {
        snapshot_free(snapshot);
        return err;
    }
    to->items[to->count++] = (struct contribution){
        .member = author->member, .author = author->id, .order = p->seq, .snapshot = snapshot};
    return ERR_OK;
}

/* seq never restarts: it orders an agent's pictures. */
static enum err read_one(void *ctx, const struct store_picture *p, struct error *e) {
    struct reading *r = ctx;
    struct pictures *to = r->pictures;
    const struct author *author = authors_by_id(&r->hub->authors, p->author);
    if (author == NULL || (r->whose == PICTURES_ADMITTED &&
                           hub_check_agent(r->hub, &author->agent, NULL, NULL) != ERR_OK))
        return ERR_OK;
    struct contribution *items = array_grow(to->items, to->count, &to->cap, sizeof *items);
    if (items == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for more than %zu pictures", to->count);
    to->items = items;
    return decode(to, author, p, e);
}

enum err pictures_read(struct hub *hub, enum pictures_of whose, struct pictures *ret,
                       struct error *e) {
    struct pictures read = {.count = 0};
    struct reading r = {hub, whose, &read};
    enum err err = store_pictures(hub->store, read_one, &r, e);
    if (err != ERR_OK) {
        pictures_done(&read);
        return err;
    }
    contribution_sort(read.items, read.count);
    *ret = read;
    return ERR_OK;
}

void pictures_done(struct pictures *p) {
    for (size_t i = 0; i < p->count; i++)
        snapshot_free(p->items[i].snapshot);
    free(p->items);
    *p = (struct pictures){.count = 0};
}
