/* Owns many websocket clients on one epoll instance: connecting, the upgrade, masked binary
 * messages out, messages in, ws and wss. A load generator, not a client for the world: it trusts
 * the server's upgrade and certificate (the protocol's own handshake proves the peer). One thread.
 */
#ifndef PLEK_BENCH_SOCKETS_H
#define PLEK_BENCH_SOCKETS_H

#include "bytes.h"

struct sockets;
struct socket;

/* Called from sockets_pass. A callback may send on or close any socket. */
struct socket_events {
    void (*opened)(void *ctx);
    void (*message)(void *ctx, struct bytes message); /* borrowed */
    void (*closed)(void *ctx, const char *why);       /* the socket is gone afterwards */
};

enum err sockets_new(struct sockets **ret, struct error *e) MUST_USE;
void sockets_free(struct sockets *s); /* closes what is open, without telling */
/* "ws://HOST:PORT" or "wss://HOST:PORT", numeric host. */
enum err sockets_connect(struct sockets *s, const char *address, const char *subprotocol,
                         const struct socket_events *events, void *ctx, struct socket **ret,
                         struct error *e) MUST_USE;
/* One message, copied; written at the end of the pass. Without memory the socket closes. */
void socket_send(struct socket *socket, struct bytes message);
/* After the current pass; no event follows. */
void socket_close(struct socket *socket);
/* Waits up to wait_ms for events, handles them, writes what is due. */
enum err sockets_pass(struct sockets *s, int wait_ms, struct error *e) MUST_USE;
size_t sockets_count(const struct sockets *s);
uint64_t sockets_sent(const struct sockets *s); /* bytes written, TLS not counted */

#endif
