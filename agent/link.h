/* Owns the agent's connection to its hub: libwebsockets client on libuv, reconnecting with jitter,
 * and carrying out the session machine's effects on the store. Loop thread only. */
#ifndef PLEK_AGENT_LINK_H
#define PLEK_AGENT_LINK_H

#include <libwebsockets.h>
#include <uv.h>

#include "agent.h"
#include "log_repeats.h"
#include "settings.h"

struct link;
struct link_config {
    struct agent *agent; /* borrowed */
    const struct agent_settings *settings;
    uv_loop_t *loop;
    struct lws_context *context; /* foreign loop, explicit vhosts */
    struct log_repeats *log;     /* what a hub brings about */
    /* After anything happened: events to tell, a join to finish. */
    void (*changed)(void *ctx);
    /* The hub refused us with its signature, or the connection ended. */
    void (*ended)(void *ctx, const struct error *why, bool refused);
    void *ctx;
};
enum err link_open(const struct link_config *config, struct link **ret, struct error *e) MUST_USE;
void link_start(struct link *link); /* connect now, and again for ever */
/* No reconnect; closes the connection (`ended` follows, at once when there is none) and its
 * handles. */
void link_stop(struct link *link);
void link_free(struct link *link); /* after the loop ran out; accepts NULL */
/* Records or policy changed: look at the outbox. */
void link_outbox(struct link *link);
bool link_caught_up(const struct link *link);

#endif
