/* Owns HTTP/1.1 on a libwebsockets vhost: request in, JSON out, server-sent events.
 * Must not know any route, and must not block the loop. */
#include "web.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK (16 * 1024)
#define HEADER_ROOM 2048
#define PENDING_EVENTS 8 /* distinct names waiting for one follower */

/* One request on one connection; the connection's user data. */
struct exchange {
    struct web *web;
    struct lws *wsi;
    struct exchange *next, *prev; /* all that are open */
    uint64_t id;
    enum api_method method;
    char *path;
    json_t *query;
    char actor[API_ACTOR_MAX];
    struct buf body;
    char *response;
    size_t response_len, written;
    int status;
    const char *content_type;
    bool headers_sent, follows, dispatched;
    char events[PENDING_EVENTS][32];
    int event_count;
};

struct web {
    struct web_config config;
    struct exchange *open;
    uint64_t next_id;
    struct lws_protocols socket_protocols[2];
};

struct web *web_new(const struct web_config *config) {
    struct web *web = calloc(1, sizeof *web);
    if (!web)
        return NULL;
    web->config = *config;
    web->next_id = 1;
    return web;
}

void web_free(struct web *web) {
    free(web);
}

void web_call_free(struct web_call *call) {
    if (!call)
        return;
    json_decref(call->request.query);
    json_decref(call->request.body);
    free(call->path);
    free(call);
}

static void exchange_clear(struct exchange *x) {
    free(x->path);
    free(x->response);
    json_decref(x->query);
    buf_done(&x->body);
    x->path = NULL;
    x->response = NULL;
    x->query = NULL;
    x->id = 0;
    x->headers_sent = x->follows = x->dispatched = false;
    x->written = x->response_len = 0;
    x->event_count = 0;
}

static void exchange_open(struct web *web, struct exchange *x, struct lws *wsi) {
    if (x->web)
        return;
    x->web = web;
    x->wsi = wsi;
    x->prev = NULL;
    x->next = web->open;
    if (x->next)
        x->next->prev = x;
    web->open = x;
}

static void exchange_close(struct exchange *x) {
    if (!x || !x->web)
        return;
    exchange_clear(x);
    if (x->next)
        x->next->prev = x->prev;
    if (x->prev)
        x->prev->next = x->next;
    else
        x->web->open = x->next;
    x->web = NULL;
}

/* Without text (no memory for it) the connection goes: the client then knows that nothing came. */
static void respond_text(struct exchange *x, int status, const char *type, char *take_text,
                         size_t len) {
    if (!take_text)
        lws_set_timeout(x->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    x->response = take_text;
    x->response_len = len;
    x->status = status;
    x->content_type = type;
    x->written = 0;
    x->headers_sent = false;
    lws_callback_on_writable(x->wsi);
}

static void respond_json(struct exchange *x, enum err code, json_t *take_body) {
    char *text = json_dumps(take_body, JSON_COMPACT);
    json_decref(take_body);
    respond_text(x, error_http_status(code), "application/json", text, text ? strlen(text) : 0);
}

static void respond_error(struct exchange *x, const struct error *e) {
    respond_json(x, e->code, api_error_to_json(e));
}

void web_answer(struct web *web, uint64_t id, enum err code, json_t *take_body) {
    for (struct exchange *x = web->open; x; x = x->next) {
        if (x->id == id) {
            respond_json(x, code, take_body);
            return;
        }
    }
    json_decref(take_body);
}

void web_event(struct web *web, const char *name) {
    for (struct exchange *x = web->open; x; x = x->next) {
        bool waiting = !x->follows || x->event_count == PENDING_EVENTS;
        for (int i = 0; i < x->event_count; i++)
            waiting |= strcmp(x->events[i], name) == 0;
        if (waiting)
            continue;
        snprintf(x->events[x->event_count++], sizeof x->events[0], "%s", name);
        lws_callback_on_writable(x->wsi);
    }
}

/* ---- request ---- */

static bool read_method(struct lws *wsi, enum api_method *ret) {
    static const struct {
        enum lws_token_indexes token;
        enum api_method method;
    } methods[] = {
        {WSI_TOKEN_GET_URI, API_GET},
        {WSI_TOKEN_POST_URI, API_POST},
        {WSI_TOKEN_PUT_URI, API_PUT},
        {WSI_TOKEN_DELETE_URI, API_DELETE},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (lws_hdr_total_length(wsi, methods[i].token) > 0) {
            *ret = methods[i].method;
            return true;
        }
    }
    return false;
}

static json_t *read_query(struct lws *wsi) {
    json_t *query = json_object();
    char fragment[1024];
    for (int i = 0;
         lws_hdr_copy_fragment(wsi, fragment, sizeof fragment, WSI_TOKEN_HTTP_URI_ARGS, i) > 0;
         i++) {
        char *equals = strchr(fragment, '=');
        if (equals)
            *equals = '\0';
        json_object_set_new(query, fragment, json_string(equals ? equals + 1 : ""));
    }
    return query;
}

/* Who is on the other side: the kernel says so for Unix sockets. */
static void read_actor(struct lws *wsi, char *actor, size_t size) {
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(lws_get_socket_fd(wsi), SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
        peer.pid > 0)
        snprintf(actor, size, "uid:%ld", (long)peer.uid);
    else
        snprintf(actor, size, "network");
}

static void dispatch(struct exchange *x) {
    struct error e = {0};
    json_t *body = NULL;
    if (x->dispatched)
        return;
    x->dispatched = true;
    lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
    if (buf_failed(&x->body, &e)) {
        respond_error(x, &e);
        return;
    }
    if (x->body.len > 0 &&
        json_parse(buf_bytes(&x->body), x->web->config.max_body, "request body", &body, &e)) {
        respond_error(x, &e);
        return;
    }
    struct web_call *call = calloc(1, sizeof *call);
    if (!call) {
        json_decref(body);
        error_set(&e, ERR_NO_MEMORY, "not enough memory for the request");
        respond_error(x, &e);
        return;
    }
    call->id = x->id;
    call->path = x->path;
    x->path = NULL;
    snprintf(call->actor, sizeof call->actor, "%s", x->actor);
    call->request = (struct api_request){.method = x->method,
                                         .path = call->path,
                                         .query = x->query,
                                         .body = body,
                                         .actor = call->actor};
    x->query = NULL;
    buf_done(&x->body);
    x->web->config.serve(x->web->config.ctx, call);
}

static void follow_events(struct exchange *x) {
    x->follows = true;
    x->dispatched = true;
    x->content_type = "text/event-stream";
    lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
    lws_callback_on_writable(x->wsi);
}

static bool serve_plain(struct exchange *x, const char *path) {
    if (!x->web->config.plain)
        return false;
    struct buf text;
    buf_init(&text, CHUNK);
    int status = x->web->config.plain(x->web->config.ctx, path, &text);
    if (status == 0) {
        buf_done(&text);
        return false;
    }
    x->dispatched = true;
    size_t len = 0;
    uint8_t *data = buf_take(&text, &len);
    respond_text(x, status, "text/plain; charset=utf-8", (char *)data, len);
    return true;
}

static void refuse_api(struct exchange *x) {
    struct error e;
    error_set(&e, ERR_PERMISSION,
              "found a request for %s, but this address serves no API: use the "
              "command line on the machine itself",
              x->path);
    x->dispatched = true;
    respond_error(x, &e);
}

/* Is a body announced? One of no bytes never completes on its own. */
static bool has_body(struct lws *wsi) {
    char length[24] = "";
    if (lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0)
        return strtoull(length, NULL, 10) > 0;
    return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 ||
           lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
}

static int refuse_request(struct lws *wsi, unsigned status) {
    if (lws_return_http_status(wsi, status, NULL))
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int on_request(struct exchange *x, struct lws *wsi, const char *path, size_t len) {
    exchange_clear(x);
    x->id = x->web->next_id++;
    buf_init(&x->body, x->web->config.max_body);
    if (!read_method(wsi, &x->method))
        return refuse_request(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED);
    if (len >= API_PATH_MAX)
        return refuse_request(wsi, HTTP_STATUS_REQ_URI_TOO_LONG);
    x->path = strndup(path, len);
    x->query = read_query(wsi);
    read_actor(wsi, x->actor, sizeof x->actor);
    if (!x->path || !x->query)
        return -1;
    if (x->method == API_GET && serve_plain(x, x->path))
        return 0;
    if (!x->web->config.serve)
        refuse_api(x);
    else if (x->method == API_GET && strcmp(x->path, "/v1/events") == 0)
        follow_events(x);
    else if (x->method == API_GET || !has_body(wsi))
        dispatch(x);
    return 0;
}

/* ---- response ---- */

static int write_headers(struct exchange *x) {
    unsigned char room[LWS_PRE + HEADER_ROOM], *start = room + LWS_PRE, *p = start;
    unsigned char *end = room + sizeof room - 1;
    lws_filepos_t len = x->follows ? LWS_ILLEGAL_HTTP_CONTENT_LEN : x->response_len;
    unsigned status = x->follows ? HTTP_STATUS_OK : (unsigned)x->status;
    if (lws_add_http_common_headers(x->wsi, status, x->content_type, len, &p, end) ||
        lws_add_http_header_by_name(x->wsi, (const unsigned char *)"cache-control:",
                                    (const unsigned char *)"no-store", 8, &p, end) ||
        lws_finalize_write_http_header(x->wsi, start, &p, end))
        return -1;
    x->headers_sent = true;
    lws_callback_on_writable(x->wsi);
    return 0;
}

static int write_event(struct exchange *x) {
    if (x->event_count == 0)
        return 0;
    unsigned char room[LWS_PRE + 128];
    int len = snprintf((char *)room + LWS_PRE, sizeof room - LWS_PRE, "event: %s\ndata: {}\n\n",
                       x->events[0]);
    memmove(x->events[0], x->events[1], sizeof x->events[0] * (size_t)(--x->event_count));
    if (lws_write(x->wsi, room + LWS_PRE, (size_t)len, LWS_WRITE_HTTP) < 0)
        return -1;
    if (x->event_count > 0)
        lws_callback_on_writable(x->wsi);
    return 0;
}

static int write_chunk(struct exchange *x) {
    unsigned char room[LWS_PRE + CHUNK];
    size_t left = x->response_len - x->written, len = left < CHUNK ? left : CHUNK;
    memcpy(room + LWS_PRE, x->response + x->written, len);
    bool last = len == left;
    if (lws_write(x->wsi, room + LWS_PRE, len, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    x->written += len;
    if (!last) {
        lws_callback_on_writable(x->wsi);
        return 0;
    }
    exchange_clear(x);
    return lws_http_transaction_completed(x->wsi) ? -1 : 0;
}

static int on_writable(struct exchange *x) {
    if (!x->follows && !x->response)
        return 0;
    if (!x->headers_sent)
        return write_headers(x);
    return x->follows ? write_event(x) : write_chunk(x);
}

static int refuse_websocket(struct lws *wsi) {
    static const char reason[] = "name a subprotocol that is served here";
    lws_close_reason(wsi, LWS_CLOSE_STATUS_POLICY_VIOLATION, (unsigned char *)(uintptr_t)reason,
                     sizeof reason - 1);
    return -1;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    struct exchange *x = user;
    const struct lws_protocols *protocol = lws_get_protocol(wsi);
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
        exchange_open(protocol->user, x, wsi);
        return on_request(x, wsi, in, len);
    case LWS_CALLBACK_HTTP_BODY:
        if (x->web)
            buf_append(&x->body, in, len);
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        if (x->web)
            dispatch(x);
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return x && x->web ? on_writable(x) : 0;
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL: /* after each answer: the user data is freed next */
    case LWS_CALLBACK_CLOSED_HTTP:
        exchange_close(x);
        return 0;
    case LWS_CALLBACK_ESTABLISHED: /* a websocket that named no subprotocol ends up here */
        return refuse_websocket(wsi);
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

struct lws_protocols web_protocol(struct web *web) {
    return (struct lws_protocols){.name = WEB_PROTOCOL_NAME,
                                  .callback = callback,
                                  .per_session_data_size = sizeof(struct exchange),
                                  .rx_buffer_size = CHUNK,
                                  .user = web};
}

enum err web_listen_socket(struct web *web, struct lws_context *context, const char *path,
                           struct error *e) {
    /* libwebsockets would cut a longer path and listen there. */
    if (strlen(path) >= sizeof((struct sockaddr_un){0}.sun_path))
        return error_set(e, ERR_IO,
                         "cannot listen on %s: the path is longer than %zu bytes; use a "
                         "shorter directory",
                         path, sizeof((struct sockaddr_un){0}.sun_path) - 1);
    web->socket_protocols[0] = web_protocol(web);
    unlink(path);
    struct lws_context_creation_info info = {
        .vhost_name = "api.sock",
        .iface = path,
        .port = 0,
        .protocols = web->socket_protocols,
        .options = LWS_SERVER_OPTION_UNIX_SOCK,
        .keepalive_timeout = 30,
    };
    mode_t mask = umask(0177);
    struct lws_vhost *vhost = lws_create_vhost(context, &info);
    umask(mask);
    if (!vhost)
        return error_set(e, ERR_IO, "cannot listen on %s; is the directory writable?", path);
    return ERR_OK;
}
