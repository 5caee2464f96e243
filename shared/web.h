/* Owns HTTP/1.1 on a libwebsockets vhost: assembles a request, hands it to the daemon, writes the
 * answer when it comes, and server-sent events; for browsers also files, and what keeps other sites
 * out. Must not know any route. Loop thread only. */
#ifndef PLEK_WEB_H
#define PLEK_WEB_H

#include <libwebsockets.h>
#include <uv.h>

#include "access.h"
#include "api.h"
#include "log_repeats.h"
#include "pages.h"
#include "visitors.h"

struct web;

/* A request on its way; owned by whoever holds it. */
struct web_call {
    struct web *web; /* where it came in */
    uint64_t id;
    struct api_request request;
    char *path; /* owned; request.path points here */
    struct access_caller caller;
};
void web_call_free(struct web_call *call); /* accepts NULL */

/* What an address that browsers reach needs besides. */
struct web_browsers {
    struct pages pages;
    const char *hosts; /* names it goes by, besides loopback ones: guard.h */
};

struct web_config {
    /* Takes over the call; ends in web_answer, at once or later. NULL: only `plain` and files are
     * served. */
    void (*serve)(void *ctx, struct web_call *take_call);
    /* A path served without the API (NULL: none), e.g. "/healthz": fills text, returns HTTP status;
     * 0: not such a path. */
    int (*plain)(void *ctx, const char *path, struct buf *text);
    void *ctx;
    size_t max_body;                     /* bytes of a request's body */
    const struct web_browsers *browsers; /* NULL: a Unix socket, whose callers may do everything */
    struct visitors_limits visitors;     /* who may be connected; `all` 0: everybody */
    struct log_repeats *log;             /* for visitors that are not let in */
    size_t max_open;                     /* requests and followers at a time; 0: no limit */
    size_t max_followers;                /* 0: no limit */
    int64_t body_ms; /* a request is whole by then, or its connection goes; 0: half a minute */
};
struct web *web_new(const struct web_config *config);
void web_free(struct web *web); /* after its vhosts are gone */

/* Answers a call; call and body are taken over. A client that went away in between is no error. */
void web_answer(struct web_call *take_call, enum err code, json_t *take_body);
/* Tells everybody who follows /v1/events. */
void web_event(struct web *web, const char *name);

/* This connection became something else than HTTP, such as a member's websocket: from now on it
 * makes no room for others. False: its address has as many of those as it may. */
bool web_stay(struct lws *wsi);

/* The protocol to put first into a vhost's list; its `user` is the struct web, and so is the
 * vhost's. */
struct lws_protocols web_protocol(struct web *web);
#define WEB_PROTOCOL_NAME "http"

/* A libwebsockets context on a loop of the caller's, without a vhost; what it says goes to the log.
 * ERR_IO. */
struct web_context {
    uv_loop_t *loop;
    unsigned max_descriptors; /* it never has more open */
    unsigned timeout_s;       /* of a handshake; 0: as libwebsockets has it */
    bool client;              /* it calls others, who may be away: no fault of this machine */
};
enum err web_context_new(const struct web_context *config, struct lws_context **ret,
                         struct error *e) MUST_USE;

/* A vhost on DIR/api.sock, mode 0600; a stale socket is removed first (the caller holds DIR/lock).
 */
enum err web_listen_socket(struct web *web, struct lws_context *context, const char *path,
                           struct error *e) MUST_USE;

/* "ADDR:PORT" into its parts; an address that has colons itself is in brackets. The port is digits,
 * 0 to 65535. ERR_USAGE, nothing is filled in then. */
enum err web_split_address(const char *text, char *host, size_t size, int *ret_port,
                           struct error *e) MUST_USE;
struct web_listen {
    const char *address;    /* "ADDR:PORT"; port 0: any free one */
    const char *cert, *key; /* PEM files; "": no TLS */
};
#define WEB_ADDRESS_MAX 160
/* For a vhost of the caller's own: what its cookie is named by, and whether it may be sent in the
 * clear. */
void web_note_address(struct web *web, int port, bool tls);
/* A vhost for browsers. ret_address: "127.0.0.1:43121", as bound. ERR_USAGE, ERR_IO. */
enum err web_listen_browsers(struct web *web, struct lws_context *context,
                             const struct web_listen *listen, char ret_address[WEB_ADDRESS_MAX],
                             struct error *e) MUST_USE;

#endif
