/* Owns the way down to one reader: where it stands per class, the page being sent, the window of
 * what was delivered and not yet taken. Pure; part of hub/session.c, which seals and sends the
 * frames. Source: docs/protocol.md, "Frames". Must not know the store or the channel. */
#ifndef PLEK_HUB_DELIVER_H
#define PLEK_HUB_DELIVER_H

#include "frame.h"
#include "session.h"

#define DELIVER_PAGE_BYTES (256u * 1024)
#define DELIVER_POSITION_NONE UINT64_MAX /* a class that is not wanted, or not yet */

struct deliver {
    struct cursors cursors; /* everything up to here was sent */
    struct cursors loading; /* the cursors of the open or last load */
    bool pulled;
    bool loading_pulled; /* that load came after the Pull: its tip is one of all classes */
    bool load_due, load_open;
    bool tip_told;
    bool has_page;
    struct page page;
    size_t page_next;
    bool moved[HUB_CLASSES]; /* by the finished page: a Reached is due */
    bool tip_due;
    uint64_t sent, taken; /* bytes of Deliver frames */
    size_t queued;        /* at the shell */
};

/* Nothing is loaded before deliver_start. */
void deliver_init(struct deliver *d);
void deliver_done(struct deliver *d); /* drops the page */
/* The reader holds the hub's feed up to here: its own feed is streamed without being asked. */
void deliver_start(struct deliver *d, uint64_t hub_cursor);
/* The positions of classes 1 to 4, once. ERR_PROTOCOL. */
enum err deliver_pull(struct deliver *d, const uint64_t after[static FRAME_CLASSES],
                      struct error *e) MUST_USE;
/* Cumulative. ERR_PROTOCOL when less than before or more than was sent. */
enum err deliver_taken(struct deliver *d, uint64_t bytes, struct error *e) MUST_USE;
/* The load's page; takes over its contents in any case. ERR_INTERNAL when it neither moves anything
 * nor says tip: the next load would be the same again. */
enum err deliver_loaded(struct deliver *d, struct page *take_page, struct error *e) MUST_USE;

enum deliver_step { DELIVER_NOTHING, DELIVER_FRAME, DELIVER_LOAD };
/* What to do now. FRAME: *ret_frame borrows from the page until the next call; tell deliver_sent
 * how long it was. LOAD: load from d->loading. */
enum deliver_step deliver_next(struct deliver *d, struct frame *ret_frame);
void deliver_sent(struct deliver *d, const struct frame *frame, size_t frame_len);

#endif
