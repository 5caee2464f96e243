/* Owns HTTP/1.1 on a libwebsockets vhost: assembles a request, hands it to the daemon, writes the
 * answer when it comes, and server-sent events. Must not know any route. Loop thread only. */
#ifndef PLEK_WEB_H
#define PLEK_WEB_H

#include <libwebsockets.h>

#include "api.h"

/* A request on its way; owned by whoever holds it. */
struct web_call {
    uint64_t id; /* for web_answer */
    struct api_request request;
    char *path; /* owned; request.path points here */
    char actor[API_ACTOR_MAX];
};
void web_call_free(struct web_call *call); /* accepts NULL */

struct web;
struct web_config {
    /* Takes over the call; answers with web_answer, at once or later. NULL: only `plain` is served
     * (an address that strangers reach must not offer the local API). */
    void (*serve)(void *ctx, struct web_call *take_call);
    /* A path served without the API (NULL: none), e.g. "/healthz": fills text, returns HTTP status;
     * 0: not such a path. */
    int (*plain)(void *ctx, const char *path, struct buf *text);
    void *ctx;
    size_t max_body; /* bytes of a request's body */
};
struct web *web_new(const struct web_config *config);
void web_free(struct web *web); /* after its vhosts are gone */

/* Answers call `id`; the body is taken over. A client that went away in between is no error. */
void web_answer(struct web *web, uint64_t id, enum err code, json_t *take_body);
/* Tells everybody who follows /v1/events. */
void web_event(struct web *web, const char *name);

/* The protocol to put first into a vhost's list; its `user` is the struct web. */
struct lws_protocols web_protocol(struct web *web);
#define WEB_PROTOCOL_NAME "http"

/* A vhost on DIR/api.sock, mode 0600; a stale socket is removed first (the caller holds DIR/lock).
 */
enum err web_listen_socket(struct web *web, struct lws_context *context, const char *path,
                           struct error *e) MUST_USE;

#endif
