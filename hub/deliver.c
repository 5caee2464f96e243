/* Implements the way down: one load at a time, its page sent as the window allows, then a Reached
 * for each class it carried further. Must not know the store or the channel. */
#include "deliver.h"

#include <stdlib.h>

_Static_assert(HUB_WINDOW_BYTES == FRAME_WINDOW_BYTES, "the agent holds us to this window");
_Static_assert(HUB_CLASSES == FRAME_CLASSES, "classes are the protocol's");

void page_done(struct page *p) {
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->count; i++)
        blob_unref(p->items[i].excerpt);
    free(p->items);
    *p = (struct page){0};
}

void deliver_init(struct deliver *d) {
    *d = (struct deliver){0};
    for (int class_ = 0; class_ < HUB_CLASSES; class_++)
        d->cursors.after[class_] = DELIVER_POSITION_NONE;
}

static void drop_page(struct deliver *d) {
    page_done(&d->page);
    d->has_page = false;
    d->page_next = 0;
}

void deliver_done(struct deliver *d) {
    drop_page(d);
}

void deliver_start(struct deliver *d, uint64_t hub_cursor) {
    d->cursors.after[CLASS_HUB] = hub_cursor;
    d->load_due = true;
}

enum err deliver_pull(struct deliver *d, const uint64_t after[static FRAME_CLASSES],
                      struct error *e) {
    if (d->pulled)
        return error_set(e, ERR_PROTOCOL, "found a second pull, expected one a session");
    for (int class_ = CLASS_GRANTS; class_ < HUB_CLASSES; class_++)
        d->cursors.after[class_] = after[class_];
    d->pulled = true;
    d->load_due = true;
    return ERR_OK;
}

enum err deliver_taken(struct deliver *d, uint64_t bytes, struct error *e) {
    if (bytes < d->taken || bytes > d->sent)
        return error_set(e, ERR_PROTOCOL, "found %llu bytes taken, expected %llu to %llu",
                         (unsigned long long)bytes, (unsigned long long)d->taken,
                         (unsigned long long)d->sent);
    d->taken = bytes;
    return ERR_OK;
}

/* Whether the page carries a class further. One that the load left out stands at the highest
 * position there is: nothing moves it. */
static bool moves_class(const struct deliver *d, const struct page *page, int class_) {
    return page->upto[class_] > d->loading.after[class_];
}

/* Or further within a position that holds more than a page. */
static bool moves_within(const struct deliver *d, const struct page *page, int class_) {
    return moves_class(d, page, class_) || (page->upto[class_] == d->loading.after[class_] &&
                                            page->within[class_] > d->loading.within[class_]);
}

static bool moves_anything(const struct deliver *d, const struct page *page) {
    for (int class_ = 0; class_ < HUB_CLASSES; class_++)
        if (moves_within(d, page, class_))
            return true;
    return page->tip;
}

/* A page before the tip has to move a cursor: items alone would be loaded and sent again for ever.
 */
enum err deliver_loaded(struct deliver *d, struct page *take_page, struct error *e) {
    d->load_open = false;
    if (!moves_anything(d, take_page)) {
        size_t count = take_page->count;
        page_done(take_page);
        return error_set(e, ERR_INTERNAL,
                         "the store read %zu items that move no position, before the tip", count);
    }
    d->page = *take_page;
    *take_page = (struct page){0};
    d->has_page = true;
    d->page_next = 0;
    d->load_due = d->load_due || !d->page.tip;
    return ERR_OK;
}

static bool window_open(const struct deliver *d) {
    return d->sent - d->taken < HUB_WINDOW_BYTES && d->queued <= HUB_WINDOW_BYTES;
}

/* Tip is news only when something moved or it was not told since the last page before a tip; of a
 * load before the Pull it would speak of classes that were not looked at. */
static void finish_page(struct deliver *d) {
    bool any = false;
    for (int class_ = 0; class_ < HUB_CLASSES; class_++) {
        d->moved[class_] = moves_class(d, &d->page, class_);
        if (moves_within(d, &d->page, class_))
            d->cursors.within[class_] = d->page.within[class_];
        if (d->moved[class_])
            d->cursors.after[class_] = d->page.upto[class_];
        any = any || d->moved[class_];
    }
    bool tip = d->page.tip && d->loading_pulled;
    d->tip_due = tip && (any || !d->tip_told);
    d->tip_told = tip;
    drop_page(d);
}

static struct frame delivery_frame(const struct delivery *item) {
    return (struct frame){.kind = FRAME_DELIVER,
                          .deliver = {.class_ = (uint32_t)item->class_,
                                      .position = item->position,
                                      .received_ms = item->received_ms,
                                      .excerpt = blob_bytes(item->excerpt)}};
}

/* One Reached per class that moved, tip on the last. When nothing moved, the tip rides on the
 * unmoved position of the hub's feed, which every reader has. */
static bool next_reached(struct deliver *d, struct frame *ret) {
    int class_ = 0;
    while (class_ < HUB_CLASSES && !d->moved[class_])
        class_++;
    if (class_ == HUB_CLASSES && !d->tip_due)
        return false;
    if (class_ == HUB_CLASSES)
        class_ = CLASS_HUB;
    d->moved[class_] = false;
    bool last = true;
    for (int other = 0; other < HUB_CLASSES; other++)
        last = last && !d->moved[other];
    *ret = (struct frame){.kind = FRAME_REACHED,
                          .reached = {.class_ = (uint32_t)class_,
                                      .upto = d->cursors.after[class_],
                                      .tip = last && d->tip_due}};
    if (last)
        d->tip_due = false;
    return true;
}

enum deliver_step deliver_next(struct deliver *d, struct frame *ret_frame) {
    if (next_reached(d, ret_frame))
        return DELIVER_FRAME;
    if (d->has_page && d->page_next == d->page.count) {
        finish_page(d);
        if (next_reached(d, ret_frame))
            return DELIVER_FRAME;
    }
    if (!window_open(d))
        return DELIVER_NOTHING;
    if (d->has_page) {
        *ret_frame = delivery_frame(&d->page.items[d->page_next]);
        return DELIVER_FRAME;
    }
    if (!d->load_due || d->load_open)
        return DELIVER_NOTHING;
    d->load_due = false;
    d->load_open = true;
    d->loading = d->cursors;
    d->loading_pulled = d->pulled;
    return DELIVER_LOAD;
}

void deliver_sent(struct deliver *d, const struct frame *frame, size_t frame_len) {
    if (frame->kind != FRAME_DELIVER)
        return;
    d->sent += frame_len;
    struct delivery *item = &d->page.items[d->page_next++];
    blob_unref(item->excerpt);
    item->excerpt = NULL;
}
