/* Owns one agent's connection in the load generator: a websocket and the real agent session machine
 * (agent/session.c). What a store would do is its owner's. One thread. */
#ifndef PLEK_BENCH_PEER_H
#define PLEK_BENCH_PEER_H

#include "session.h"
#include "sockets.h"

/* One thing for the owner's store, as agent/link.c has it: WELCOMED, TAKE, REACHED, NEXT, ACKED,
 * REJECTED, REFUSED. The owner fills code, and for NEXT entry (its share goes over; NULL: nothing).
 */
struct peer_step {
    struct agent_effect effect; /* data stays the peer's */
    enum err code;
    struct blob *entry;
    struct head head;
};
struct peer_owner {
    void (*run)(void *ctx, struct peer_step *steps, size_t count);
    void (*ended)(void *ctx, const char *why); /* the peer is closed; free it later */
};

struct peer;
/* Connects; `config` as in session.h (what it borrows has to outlive the peer). */
enum err peer_open(struct sockets *sockets, const char *address,
                   const struct agent_session_config *config, const struct peer_owner *owner,
                   void *ctx, struct peer **ret, struct error *e) MUST_USE;
/* Closes without a word; `ended` does not follow. Accepts NULL. Not from inside `run`. */
void peer_free(struct peer *p);
/* Something to send may be waiting: `run` gets a NEXT when the credit allows it. */
void peer_outbox(struct peer *p);
bool peer_established(const struct peer *p);
bool peer_caught_up(const struct peer *p);

#endif
