/* Owns the command line's way to the domain: the daemon's API over DIR/api.sock when one runs
 * (libcurl), in-process when not. */
#ifndef PLEK_CLIENT_H
#define PLEK_CLIENT_H

#include "api.h"

#define CLIENT_WAIT_MS 10000

/* How to reach the domain when no daemon holds DIR/lock. */
struct client_local {
    enum err (*open)(const char *dir, void **ret_domain, struct error *e);
    void (*close)(void *domain);
    const struct api_route *routes;
    size_t route_count;
    struct access *(*access)(void *domain); /* what routes use of it; NULL: none */
};
struct client;
/* Takes DIR/lock and opens in-process; if it is held, waits up to CLIENT_WAIT_MS for api.sock to
 * answer. ERR_LOCKED, ERR_UNAVAILABLE, or what open gave. */
enum err client_open(const char *dir, const struct client_local *local, struct client **ret,
                     struct error *e) MUST_USE;
void client_close(struct client *c);
/* DIR/lock for a daemon: waits up to CLIENT_WAIT_MS while a command that is about to end holds it.
 * ERR_LOCKED at once when the holder listens on api.sock: it is a daemon. */
enum err client_lock_daemon(const char *dir, int *ret_lock, struct error *e) MUST_USE;
bool client_is_remote(const struct client *c); /* a daemon runs */
/* One call; path is not yet percent-encoded (segments with '/' are the caller's to avoid), query
 * an object of strings or NULL, body an object or NULL (both borrowed). The error is the daemon's.
 * Caller owns *ret. */
enum err client_call(struct client *c, enum api_method method, const char *path, json_t *query,
                     json_t *body, json_t **ret, struct error *e) MUST_USE;
/* As client_call, again every 100 ms while the answer is `again` and a daemon runs, for up to
 * CLIENT_WAIT_MS: a name not yet in the directory. */
enum err client_call_until(struct client *c, enum err again, enum api_method method,
                           const char *path, json_t *query, json_t *body, json_t **ret,
                           struct error *e) MUST_USE;
#define CLIENT_TICK "tick"
#define CLIENT_TICK_MS 20000
/* Follows GET /v1/events (server-sent events): calls `event` with each event's name, and with
 * CLIENT_TICK every CLIENT_TICK_MS because figures age without an event, until it returns
 * false or the daemon goes away (ERR_UNAVAILABLE). Only when remote. */
enum err client_follow(struct client *c, bool (*event)(void *ctx, const char *name), void *ctx,
                       struct error *e) MUST_USE;

#endif
