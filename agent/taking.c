/* Implements the way down at the agent over one queue, so that a position is stored only after
 * everything before it. Must not know the store or the channel. */
#include "taking.h"

void taking_init(struct taking *t, uint64_t hub_seq, const uint64_t after[static FRAME_CLASSES]) {
    *t = (struct taking){.hub_stored = hub_seq};
    ring_init(&t->items, sizeof(struct taking_item), TAKING_MAX_ITEMS);
    for (int class_ = 1; class_ < FRAME_CLASSES; class_++)
        t->after[class_] = after[class_];
    t->after[0] = hub_seq;
}

void taking_done(struct taking *t) {
    ring_done(&t->items);
}

bool taking_is_local(enum err code) {
    return code == ERR_NO_MEMORY || code == ERR_IO || code == ERR_DISK_FULL || code == ERR_STORE ||
           code == ERR_LOCKED || code == ERR_SCHEMA_NEWER || code == ERR_INTERNAL;
}

enum err taking_deliver(struct taking *t, const struct frame *frame, size_t frame_len,
                        uint64_t *ret_number, struct error *e) {
    if (t->delivered - t->taken >= FRAME_WINDOW_BYTES)
        return error_set(e, ERR_CAP,
                         "the hub delivered %llu bytes that are not taken yet, expected "
                         "it to wait at %u",
                         (unsigned long long)(t->delivered - t->taken), FRAME_WINDOW_BYTES);
    bool hub_feed = frame->deliver.class_ == 0;
    if (hub_feed && frame->deliver.position != t->after[0] + 1)
        return error_set(e, ERR_PROTOCOL, "the hub delivered entry %llu of its feed, expected %llu",
                         (unsigned long long)frame->deliver.position,
                         (unsigned long long)t->after[0] + 1);
    struct taking_item item = {.bytes = frame_len,
                               .position = frame->deliver.position,
                               .class_ = frame->deliver.class_,
                               .asked = true};
    enum err rc = ring_push(&t->items, &item, e);
    if (rc != ERR_OK)
        return rc;
    if (hub_feed)
        t->after[0] = item.position;
    t->delivered += frame_len;
    *ret_number = t->first + t->items.count - 1;
    return ERR_OK;
}

/* A waiting Reached of the same class with no TAKE behind it: the newer one takes its place. */
static struct taking_item *waiting_reached(const struct taking *t, uint32_t class_) {
    for (size_t i = t->items.count; i > 0; i--) {
        struct taking_item *item = ring_at(&t->items, i - 1);
        if (!item->is_reached || item->asked)
            return NULL;
        if (item->class_ == class_)
            return item;
    }
    return NULL;
}

enum err taking_reached(struct taking *t, const struct frame *frame, struct error *e) {
    uint32_t class_ = frame->reached.class_;
    uint64_t upto = frame->reached.upto;
    if (upto < t->after[class_] || (class_ == 0 && upto != t->after[0]))
        return error_set(e, ERR_PROTOCOL, "the hub says class %u is at %llu, expected %s%llu",
                         class_, (unsigned long long)upto, class_ == 0 ? "" : "at least ",
                         (unsigned long long)t->after[class_]);
    struct taking_item *waiting = waiting_reached(t, class_);
    if (waiting != NULL) {
        waiting->position = upto;
        waiting->tip = frame->reached.tip;
    } else {
        struct taking_item item = {
            .position = upto, .class_ = class_, .is_reached = true, .tip = frame->reached.tip};
        enum err rc = ring_push(&t->items, &item, e);
        if (rc != ERR_OK)
            return rc;
    }
    t->after[class_] = upto;
    return ERR_OK;
}

bool taking_next_reached(struct taking *t, struct taking_item *ret, uint64_t *ret_number) {
    for (size_t i = 0; i < t->items.count; i++) {
        struct taking_item *item = ring_at(&t->items, i);
        if (!item->is_reached && !item->done)
            return false;
        if (!item->is_reached || item->asked)
            continue;
        item->asked = true;
        *ret = *item;
        *ret_number = t->first + i;
        return true;
    }
    return false;
}

/* Only what is stored without a gap counts as taken: so what is open stays within the window. */
static void settle(struct taking *t) {
    struct taking_item *oldest;
    while ((oldest = ring_at(&t->items, 0)) != NULL && oldest->done) {
        t->taken += oldest->bytes;
        t->taken_due = t->taken_due || oldest->bytes > 0;
        t->first++;
        (void)ring_pop(&t->items, NULL);
    }
}

enum err taking_finish(struct taking *t, uint64_t number, enum err code) {
    struct taking_item *item =
        number < t->first ? NULL : ring_at(&t->items, (size_t)(number - t->first));
    if (item == NULL || item->done || !item->asked)
        return ERR_OK;
    bool must_hold = item->is_reached || item->class_ == 0;
    if (code != ERR_OK && (must_hold || taking_is_local(code)))
        return code;
    item->done = true;
    if (!item->is_reached && item->class_ == 0 && item->position > t->hub_stored)
        t->hub_stored = item->position;
    t->tip_stored = t->tip_stored || (item->is_reached && item->tip);
    settle(t);
    return ERR_OK;
}
