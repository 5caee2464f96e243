/* Owns a hub played by hand for one real agent: its keys and feed, a partner that it admitted, the
 * websocket, the handshake and the channel, and every piece of it open to be made wrong. The agent
 * is a process of its own; when it hangs up it is ended and started again for the next case. Must
 * not know which rule a test breaks. Failures end the test. */
#ifndef PLEK_TEST_FALSE_HUB_H
#define PLEK_TEST_FALSE_HUB_H

#include "actor.h"
#include "network.h"

#define FALSE_HUB_FEED 256
enum { FALSE_HUB_KEYS = 1, FALSE_HUB_STATES = 2, FALSE_HUB_HISTORY = 4, FALSE_HUB_CLASSES = 5 };

struct false_hub {
    struct network net; /* of the agent alone: what asks it */
    struct kit kit;     /* the hub's keys */
    struct box_pair box;
    struct sign_pair invite; /* of the agent */
    int listener;
    char address[64];
    struct buf feed[FALSE_HUB_FEED]; /* excerpts, by seq - 1 */
    struct head head;                /* of that feed */
    struct actor partner;            /* "B": never connected; its entries are handed out by us */
    struct peer peer;
    struct puppet puppet;
    bool connected, granted, silent; /* silent: pushes are not answered */
    struct public_key agent, member;
    struct head named;         /* what the agent's last hello named of the hub's feed */
    uint64_t held;             /* what it was delivered of it since */
    struct head pushed, acked; /* of the agent's feed */
    uint64_t positions[FALSE_HUB_CLASSES], delivered, taken, pushed_bytes;
    uint64_t counter; /* of the partner's states */
    size_t log_from;  /* the agent's log, where the case began */
};

/* Makes all, lets an agent join, and shares both ways. */
void false_hub_open(struct false_hub *h, struct lab *lab);
void false_hub_close(struct false_hub *h);

/* An honest session that caught up; the one there is, or a new one. */
void false_hub_meet(struct false_hub *h);
/* The agent is gone, its process ended. */
void false_hub_part(struct false_hub *h);
/* Step by step: starts the agent and accepts its connection; */
void false_hub_accept(struct false_hub *h);
/* its hello, as the answer to ours (bytes to be sent stand in puppet.hub_hello); */
void false_hub_take_hello(struct false_hub *h);
/* the rest, up to the tip. own_head NULL: what was acknowledged. */
void false_hub_welcome(struct false_hub *h, const struct head *own_head);

void false_hub_send(struct false_hub *h, struct bytes message); /* as it is */
void false_hub_send_plain(struct false_hub *h, struct bytes plain);
void false_hub_send_frame(struct false_hub *h, const struct frame *frame);
/* The next frame's kind; 0: the agent closed. Pushes are acknowledged unless `silent`. */
int false_hub_next(struct false_hub *h, struct frame *ret);
void false_hub_deliver(struct false_hub *h, uint32_t class_, struct bytes excerpt);
void false_hub_wait_taken(struct false_hub *h);
/* The agent hung up and said why in its log; then it is ended. */
void false_hub_expect_hang_up(struct false_hub *h, enum err code);
/* What was delivered last was refused by the reader's rule, counted, and the session goes on. */
void false_hub_refused(struct false_hub *h, uint32_t class_, struct bytes excerpt, enum err code);
/* A new figure of the partner's comes through. */
void false_hub_prove(struct false_hub *h);

/* ---- what it hands out ---- */

/* The excerpt of a crafted entry with all its views; moves the signer's head when `head` is
 * given. */
void false_hub_excerpt(const struct craft *c, struct head *head, struct buf *out);
/* The next entry of the hub's feed with one plain view of these bytes. */
void false_hub_craft(struct false_hub *h, uint32_t kind, struct bytes payload, struct craft *ret);
/* Appends it to the feed that honest sessions hand out. */
void false_hub_append(struct false_hub *h, uint32_t kind, struct bytes payload);
/* The partner's next state: one site, one line of beds. */
typedef void change_snapshot(Plek__Snapshot *snapshot);
void false_hub_state(struct false_hub *h, change_snapshot *change, struct craft *ret);
/* Any plaintext of the partner's, sealed to its audience, in its next entry. */
void false_hub_sealed(struct false_hub *h, uint32_t kind, struct bytes plain, struct craft *ret);

#endif
