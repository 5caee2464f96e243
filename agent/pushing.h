/* Owns the way up at the agent: credit, which entries are under way, what the hub acknowledged or
 * rejected, and whether another one may be asked for. Pure; part of agent/session.c.
 * Source: docs/protocol.md, "Frames". Must not know the outbox or the channel. */
#ifndef PLEK_AGENT_PUSHING_H
#define PLEK_AGENT_PUSHING_H

#include "frame.h"
#include "ring.h"

#define PUSHING_MAX_FLIGHT 4096 /* entries pushed and not answered */
#define PUSHING_QUEUE_BYTES                                                                        \
    (1024u * 1024)            /* the shell's queue above which nothing is asked for                \
                               */
#define PUSHING_RETRY_MS 5000 /* after ERR_RATE */

struct pushing {
    struct ring flight;    /* struct head, oldest first */
    struct head last_sent; /* seq 0: nothing */
    struct head acked;
    uint64_t pushed, credit; /* bytes of Push frames: sent, allowed, since the welcome */
    size_t queued;           /* at the shell */
    bool may_push;           /* the store agreed to the welcome */
    bool outbox_due;         /* something may be waiting */
    bool next_open;
    size_t next_max;
    bool stopped; /* an entry was rejected for good: not again in this session */
    bool has_rejected;
    struct head rejected; /* the earliest: rejections of what follows it are its consequence */
    int64_t retry_ms;     /* 0: no retry is due */
};

/* From what the hub holds and allows. Nothing may be pushed until may_push. */
void pushing_init(struct pushing *p, const struct welcome *welcome);
void pushing_done(struct pushing *p);
/* Whether to ask the outbox now, for what follows last_sent; opens that request. */
bool pushing_ask(struct pushing *p, size_t *ret_max_bytes);
/* The outbox had nothing to send now. */
void pushing_nothing(struct pushing *p);
/* Whether an entry that the outbox just gave may still go (a rejection may have come between). */
bool pushing_goes(const struct pushing *p);
/* An entry is about to be sent in a frame of that length. ERR_INTERNAL when it does not follow
 * what was sent or does not fit what was asked for, ERR_NO_MEMORY. */
enum err pushing_send(struct pushing *p, const struct head *head, size_t frame_len, struct error *e)
    MUST_USE;
/* ERR_PROTOCOL unless it names something under way or the last acknowledged, and the credit does
 * not shrink. *ret_moved: acked moved. */
enum err pushing_ack(struct pushing *p, const struct frame *frame, bool *ret_moved, struct error *e)
    MUST_USE;
/* ERR_PROTOCOL unless it names something under way. *ret_cause: not a mere consequence. ERR_RATE
 * sets retry_ms, everything else stops. */
enum err pushing_reject(struct pushing *p, const struct frame *frame, int64_t now_ms,
                        bool *ret_cause, struct error *e) MUST_USE;
/* retry_ms has come: starts again behind acked, or postpones while answers are outstanding. */
void pushing_retry(struct pushing *p, int64_t now_ms);

#endif
