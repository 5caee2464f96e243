/* Owns the way in of HTTP/1.1 on a libwebsockets vhost: requests, their bodies, whom they are from.
 * Must not know any route, and must not block the loop. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "guard.h"
#include "web_private.h"

#define BODY_S 30 /* a request is here by then, or its connection goes */

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

void exchange_clear(struct exchange *x) {
    if (x->follows)
        x->web->follower_count--;
    free(x->path);
    free(x->reply.owned);
    json_decref(x->query);
    buf_done(&x->body);
    *x = (struct exchange){.web = x->web, .wsi = x->wsi, .next = x->next, .prev = x->prev};
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
    web->open_count++;
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
    x->web->open_count--;
    x->web = NULL;
}

void web_answer(struct web_call *take_call, enum err code, json_t *take_body) {
    struct web *web = take_call->web;
    struct exchange *x = web->open;
    while (x && x->id != take_call->id)
        x = x->next;
    if (x && x->wants_events && code == ERR_OK)
        exchange_follow(x);
    else if (x)
        exchange_reply_json(x, code, json_incref(take_body));
    json_decref(take_body);
    web_call_free(take_call);
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

/* What the local API trusts the kernel for has to be shown elsewhere. */
static void read_caller(const struct exchange *x, struct web_call *call) {
    bool local = x->web->config.browsers == NULL;
    snprintf(call->actor, sizeof call->actor, "%s", x->actor);
    call->request.role = local ? API_ADMIN : API_STRANGER;
}

static struct web_call *make_call(struct exchange *x, json_t *body) {
    struct web_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->web = x->web;
    call->id = x->id;
    call->path = x->path;
    call->request = (struct api_request){.method = x->method,
                                         .path = call->path,
                                         .query = x->query,
                                         .body = body,
                                         .actor = call->actor};
    x->path = NULL;
    x->query = NULL;
    return call;
}

static void dispatch(struct exchange *x) {
    struct error e = {0};
    json_t *body = NULL;
    if (x->dispatched)
        return;
    x->dispatched = true;
    lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
    lws_set_timer_usecs(x->wsi, LWS_SET_TIMER_USEC_CANCEL);
    enum err err = buf_failed(&x->body, &e);
    if (!err && x->body.len > 0)
        err = json_parse(buf_bytes(&x->body), x->web->config.max_body, "request body", &body, &e);
    buf_done(&x->body);
    struct web_call *call = err ? NULL : make_call(x, body);
    if (!err && !call) {
        json_decref(body);
        err = error_set(&e, ERR_NO_MEMORY, "not enough memory for the request");
    }
    if (err) {
        exchange_reply_error(x, &e);
        return;
    }
    read_caller(x, call);
    x->web->config.serve(x->web->config.ctx, call);
}

static bool serve_plain(struct exchange *x, const char *path) {
    if (!x->web->config.plain)
        return false;
    struct buf text;
    buf_init(&text, WEB_CHUNK);
    int status = x->web->config.plain(x->web->config.ctx, path, &text);
    if (status == 0) {
        buf_done(&text);
        return false;
    }
    x->dispatched = true;
    size_t len = 0;
    uint8_t *data = buf_take(&text, &len);
    exchange_reply(x, status, "text/plain; charset=utf-8", (char *)data, len);
    return true;
}

/* ---- what keeps others out ---- */

static enum err check_room(const struct exchange *x, struct error *e) {
    const struct web *web = x->web;
    size_t open = web->config.max_open, followers = web->config.max_followers;
    if ((open && web->open_count > open) ||
        (x->wants_events && followers && web->follower_count >= followers))
        return error_set(e, ERR_BUSY, "too many at a time; try again in a moment");
    return ERR_OK;
}

/* Host names come from the browser's address bar: a name that is not ours was put there by somebody
 * else's. */
static enum err check_host(struct exchange *x, struct error *e) {
    const struct web_browsers *b = x->web->config.browsers;
    if (!b)
        return ERR_OK;
    lws_hdr_copy(x->wsi, x->host, sizeof x->host, WSI_TOKEN_HOST);
    if (guard_host_ok(x->host, b->hosts))
        return ERR_OK;
    return error_set(e, ERR_HOST,
                     "found the name '%.80s' in the address, which is not served here; add it to "
                     "web.hosts",
                     x->host);
}

static enum err check_api(const struct exchange *x, struct error *e) {
    if (strncmp(x->path, "/v1/", 4) != 0)
        return error_set(e, ERR_NOT_FOUND, "found nothing at %.100s", x->path);
    if (!x->web->config.serve)
        return error_set(e, ERR_PERMISSION,
                         "found a request for %.100s, but this address serves no API: use the "
                         "command line on the machine itself",
                         x->path);
    return ERR_OK;
}

static void refuse(struct exchange *x, const struct error *e) {
    x->dispatched = true;
    exchange_reply_error(x, e);
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

static void serve(struct exchange *x, bool body_follows) {
    struct error e = {0};
    bool get = x->method == API_GET;
    if (get && serve_plain(x, x->path))
        return;
    x->wants_events = get && strcmp(x->path, "/v1/events") == 0;
    enum err err = check_room(x, &e);
    if (!err)
        err = check_host(x, &e);
    if (!err && get && x->web->config.browsers && exchange_reply_file(x, x->path))
        return;
    if (!err)
        err = check_api(x, &e);
    if (err)
        refuse(x, &e);
    else if (get || !body_follows)
        dispatch(x);
    else
        lws_set_timer_usecs(x->wsi, BODY_S * LWS_USEC_PER_SEC);
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
    serve(x, has_body(wsi));
    return 0;
}

/* A follower hears that we are here; a request that takes this long to arrive never will. */
static int on_timer(struct exchange *x) {
    if (x->follows)
        return exchange_beat(x);
    return x->dispatched ? 0 : -1;
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
        return x && x->web ? exchange_writable(x) : 0;
    case LWS_CALLBACK_TIMER:
        return x && x->web ? on_timer(x) : 0;
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
                                  .rx_buffer_size = WEB_CHUNK,
                                  .user = web};
}
