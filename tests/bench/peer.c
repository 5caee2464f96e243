/* Implements a peer: effects of the session machine carried out as agent/link.c does, without
 * timers (the measurement's own deadlines stand for them). Must not know what an entry says. */
#include "peer.h"

#include <stdlib.h>
#include <time.h>

#define BATCH_MAX 32 /* on the stack: one peer's step may wake another peer */

struct peer {
    struct socket *socket; /* NULL: closed */
    struct agent_session *session;
    struct peer_owner owner;
    void *ctx;
    bool pumping, ended;
};

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void end(struct peer *p, const char *why) {
    if (p->ended)
        return;
    p->ended = true;
    if (p->socket != NULL)
        socket_close(p->socket);
    p->socket = NULL;
    p->owner.ended(p->ctx, why);
}

static void complete(struct peer *p, struct peer_step *step) {
    int64_t now = now_ms();
    if (step->effect.kind == AGENT_EFFECT_NEXT)
        agent_session_next_entry(p->session, step->effect.req, step->code, step->entry, &step->head,
                                 now);
    else if (step->effect.kind != AGENT_EFFECT_REFUSED &&
             step->effect.kind != AGENT_EFFECT_REJECTED)
        agent_session_done(p->session, step->effect.req, step->code, now);
    blob_unref(step->entry);
    blob_unref(step->effect.data);
}

/* Sends at once; what is the store's goes into the batch. False: the connection is to end. */
static bool carry_out(struct peer *p, struct agent_effect *effect, struct peer_step *batch,
                      size_t *count) {
    switch (effect->kind) {
    case AGENT_EFFECT_SEND:
        if (p->socket != NULL)
            socket_send(p->socket, blob_bytes(effect->data));
        blob_unref(effect->data);
        return true;
    case AGENT_EFFECT_CLOSE:
        end(p, effect->reason);
        return false;
    case AGENT_EFFECT_WAKE:
        return true;
    case AGENT_EFFECT_WELCOMED:
    case AGENT_EFFECT_REFUSED:
    case AGENT_EFFECT_TAKE:
    case AGENT_EFFECT_REACHED:
    case AGENT_EFFECT_NEXT:
    case AGENT_EFFECT_ACKED:
    case AGENT_EFFECT_REJECTED:
        batch[(*count)++] = (struct peer_step){.effect = *effect};
        return true;
    }
    return true;
}

static void pump(struct peer *p) {
    struct peer_step batch[BATCH_MAX];
    struct agent_effect effect;
    bool open = !p->pumping;
    p->pumping = true;
    while (open) {
        size_t count = 0;
        while (open && count < BATCH_MAX && agent_session_next(p->session, &effect))
            open = carry_out(p, &effect, batch, &count);
        if (count == 0)
            break;
        p->owner.run(p->ctx, batch, count);
        for (size_t i = 0; i < count; i++)
            complete(p, &batch[i]);
    }
    p->pumping = false;
}

static void on_opened(void *ctx) {
    pump(ctx);
}

static void on_message(void *ctx, struct bytes message) {
    struct peer *p = ctx;
    agent_session_bytes(p->session, message, now_ms());
    pump(p);
}

static void on_closed(void *ctx, const char *why) {
    struct peer *p = ctx;
    p->socket = NULL;
    end(p, why);
}

enum err peer_open(struct sockets *sockets, const char *address,
                   const struct agent_session_config *config, const struct peer_owner *owner,
                   void *ctx, struct peer **ret, struct error *e) {
    static const struct socket_events events = {on_opened, on_message, on_closed};
    struct peer *p = calloc(1, sizeof *p);
    if (p == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for a peer");
    p->owner = *owner;
    p->ctx = ctx;
    enum err err = agent_session_new(config, now_ms(), &p->session, e);
    if (err == ERR_OK)
        err = sockets_connect(sockets, address, "plek.v1", &events, p, &p->socket, e);
    if (err != ERR_OK) {
        peer_free(p);
        return err;
    }
    *ret = p;
    return ERR_OK;
}

void peer_free(struct peer *p) {
    if (p == NULL)
        return;
    if (p->socket != NULL)
        socket_close(p->socket);
    agent_session_free(p->session);
    free(p);
}

void peer_outbox(struct peer *p) {
    if (p->ended)
        return;
    agent_session_outbox(p->session, now_ms());
    pump(p); /* from inside `run`: the pump that runs looks again */
}

bool peer_established(const struct peer *p) {
    return !p->ended && agent_session_established(p->session);
}

bool peer_caught_up(const struct peer *p) {
    return !p->ended && agent_session_caught_up(p->session);
}
