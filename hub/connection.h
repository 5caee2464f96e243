/* Owns one websocket connection of the hub: assembling messages, the queue to the peer, and
 * carrying out its session machine's effects. Network thread only. */
#ifndef PLEK_HUB_CONNECTION_H
#define PLEK_HUB_CONNECTION_H

#include <libwebsockets.h>

#include "job.h"
#include "outgoing.h"
#include "visitors.h"

#define CONNECTION_ADDRESS_MAX ADDRESS_TEXT_MAX

/* What a connection needs of the network thread. */
struct connection;

struct connection_host {
    const struct sign_pair *keys;
    const struct entropy *entropy;
    void *ctx;
    /* Takes the job unless it gives false (queues full: the connection is closed with `busy`). */
    bool (*submit)(void *ctx, struct job *take_job);
    void (*joined)(void *ctx, struct connection *c, const struct public_key *agent);
    unsigned char *write_room; /* LWS_PRE + FRAME_MAX_BYTES + CHANNEL_OVERHEAD, shared by all */
};

/* The websocket's user data, zeroed by libwebsockets. */
struct connection {
    const struct connection_host *host;
    struct lws *wsi;
    struct hub_session *session;
    uint64_t id;
    struct buf incoming;
    struct outgoing outgoing;
    int64_t wake_at_ms;
    bool closing, registered;
    bool paused; /* not read from */
    bool due;    /* in the network thread's list of those to pump */
    struct connection *next_due;
    enum err close_code;
    char close_reason[ERROR_DETAIL_MAX];
    char address[CONNECTION_ADDRESS_MAX];
    struct public_key agent;
};

enum err connection_open(struct connection *c, const struct connection_host *host, struct lws *wsi,
                         uint64_t id, struct error *e) MUST_USE;
void connection_done(struct connection *c);
/* A piece of a message; `final`: the last. Returns -1 when the connection must go at once. */
int connection_receive(struct connection *c, struct bytes piece, bool final, bool binary);
int connection_writable(struct connection *c); /* -1: close now */
int connection_timer(struct connection *c);    /* -1: close now */
/* An answer; the job stays the caller's. True: what follows from it waits for connection_pump. */
bool connection_finish(struct connection *c, struct job *job);
void connection_pump(struct connection *c);
void connection_news(struct connection *c);
void connection_expel(struct connection *c, enum err code, const char *detail);
/* Reads no more from it, or reads on: what the peer sends meanwhile waits in its socket. */
void connection_pause(struct connection *c, bool paused);

#endif
