/* Owns the way down at the agent: what was delivered and is not stored yet, in order; which
 * positions may be stored; how much was taken. Pure; part of agent/session.c. Source:
 * docs/protocol.md, "Frames". Must not know the store or the channel. */
#ifndef PLEK_AGENT_TAKING_H
#define PLEK_AGENT_TAKING_H

#include "frame.h"
#include "ring.h"

/* Open TAKEs and REACHEDs. The window holds no more than 4,000 valid excerpts; each may have a
 * Reached per class behind it. */
#define TAKING_MAX_ITEMS 32768

struct taking_item {
    size_t bytes; /* of the Deliver frame; 0 for a Reached */
    uint64_t position;
    uint32_t class_;
    bool is_reached, tip;
    bool asked; /* the effect is out (a Reached waits for the TAKEs before it) */
    bool done;
};

struct taking {
    struct ring items;             /* struct taking_item, in the order of the frames */
    uint64_t first;                /* number of the oldest */
    uint64_t after[FRAME_CLASSES]; /* what the hub said last, per class; [0] the hub's feed as
                                      delivered */
    uint64_t hub_stored;           /* the hub's feed, as stored */
    uint64_t delivered, taken;     /* bytes of Deliver frames: arrived; stored without a gap */
    bool taken_due;                /* taken moved since it was told */
    bool tip_stored;
};

/* hub_seq: of the hub's feed as held; after: positions held, [0] unused. */
void taking_init(struct taking *t, uint64_t hub_seq, const uint64_t after[static FRAME_CLASSES]);
void taking_done(struct taking *t);
/* A Deliver frame. ERR_CAP beyond the window, ERR_PROTOCOL for a hole in the hub's feed,
 * ERR_NO_MEMORY. */
enum err taking_deliver(struct taking *t, const struct frame *frame, size_t frame_len,
                        uint64_t *ret_number, struct error *e) MUST_USE;
/* A Reached frame. ERR_PROTOCOL when it goes back, or past what was delivered of the hub's feed. */
enum err taking_reached(struct taking *t, const struct frame *frame, struct error *e) MUST_USE;
/* The next Reached with no unfinished TAKE before it, once; false when there is none. */
bool taking_next_reached(struct taking *t, struct taking_item *ret, uint64_t *ret_number);
/* The store is through with an item. Numbers that are not open are ignored. An error by the
 * reader's rule counts as taken, but not in the hub's own feed; returns the code that must close
 * the session, or ERR_OK. */
enum err taking_finish(struct taking *t, uint64_t number, enum err code) MUST_USE;

/* Errors of this machine rather than of what came in. */
bool taking_is_local(enum err code);

#endif
