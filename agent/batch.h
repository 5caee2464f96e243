/* Owns the effects that a session has for the store, gathered into one transaction, and how each
 * went. Loop thread only. Must not know the socket, nor the session that is told. */
#ifndef PLEK_AGENT_BATCH_H
#define PLEK_AGENT_BATCH_H

#include "agent.h"
#include "log_repeats.h"
#include "session.h"

/* One store effect and its result, told to the machine after the commit. */
struct batch_step {
    struct agent_effect effect;
    enum err code;
    struct blob *entry; /* NEXT */
    struct head head;
};
struct batch {
    struct batch_step *steps;
    size_t count, bytes; /* of what was delivered */
};

/* Nothing in it; ERR_NO_MEMORY. */
enum err batch_init(struct batch *b, struct error *e) MUST_USE;
void batch_done(struct batch *b);
/* No other effect may be added. */
bool batch_full(const struct batch *b);
/* As much as is worth a commit, or should be kept waiting. */
bool batch_ready(const struct batch *b);
void batch_add(struct batch *b, const struct agent_effect *take_effect);
/* Everything in one transaction; what fails fatally takes all of it back, and is then what each
 * step says. */
void batch_run(struct batch *b, struct agent *agent, struct log_repeats *log);
/* Releases what the steps hold: empty again. */
void batch_clear(struct batch *b);

#endif
