/* Owns the way in of HTTP/1.1 on a libwebsockets vhost: requests, their bodies, whom they are from.
 * Must not know any route, and must not block the loop. */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "address.h"
#include "clock.h"
#include "guard.h"
#include "web_private.h"

#define BODY_READ_ON 4 /* of a body up to this many times too large all is read, then refused */
#define BODY_MS 30000
#define QUERY_PART_MAX 1024
#define HEADERS_MAX 4096 /* libwebsockets takes no more of all headers together */

struct web *web_new(const struct web_config *config) {
    struct web *web = calloc(1, sizeof *web);
    if (!web)
        return NULL;
    web->config = *config;
    web->next_id = 1;
    web->allowance = config->browsers ? allowance_new() : NULL;
    web->visitors = config->visitors.all > 0 ? visitors_new(&config->visitors) : NULL;
    if ((!config->browsers || web->allowance) && (config->visitors.all == 0 || web->visitors))
        return web;
    web_free(web);
    return NULL;
}

void web_free(struct web *web) {
    if (!web)
        return;
    allowance_free(web->allowance);
    visitors_free(web->visitors);
    free(web);
}

void web_call_free(struct web_call *call) {
    if (!call)
        return;
    json_decref(call->request.query);
    json_decref(call->request.body);
    free(call->path);
    sodium_memzero(&call->caller, sizeof call->caller);
    free(call);
}

void exchange_clear(struct exchange *x) {
    if (x->follows)
        x->web->follower_count--;
    if (x->admitted)
        x->web->open_count--;
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
    visitor_idle(lws_get_opaque_user_data(x->wsi));
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
    if (x)
        exchange_set_cookie(x, &take_call->caller);
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

/* "name=value", decoded, into the query. */
static enum err add_parameter(json_t *query, char *text, size_t len, struct error *e) {
    char *equals = memchr(text, '=', len);
    const char *value = equals ? equals + 1 : "";
    if (memchr(text, '\0', len) ||
        !utf8_valid(bytes_of(text, equals ? (size_t)(equals - text) : len)))
        return error_set(e, ERR_USAGE, "found a parameter whose name is not UTF-8 text");
    if (equals)
        *equals = '\0';
    if (!utf8_valid(bytes_str(value)))
        return error_at(e, ERR_USAGE, text, 0, 0,
                        "found a value of the parameter '%.40s' that is not UTF-8 text", text);
    if (json_object_get(query, text))
        return error_at(e, ERR_USAGE, text, 0, 0,
                        "found the parameter '%.40s' twice, expected it once", text);
    if (json_object_set_new(query, text, json_string(value)) != 0)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the request");
    return ERR_OK;
}

/* Nothing of what was asked for is left out in silence. */
static enum err read_query(struct exchange *x, struct error *e) {
    char text[QUERY_PART_MAX];
    int read = 0, total = lws_hdr_total_length(x->wsi, WSI_TOKEN_HTTP_URI_ARGS);
    x->query = json_object();
    if (!x->query)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the request");
    for (int i = 0; read < total; i++) {
        int len = lws_hdr_fragment_length(x->wsi, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (len <= 0)
            return error_set(e, ERR_USAGE, "found an empty parameter, expected NAME=VALUE");
        if (lws_hdr_copy_fragment(x->wsi, text, sizeof text, WSI_TOKEN_HTTP_URI_ARGS, i) != len)
            return error_set(e, ERR_USAGE, "found a parameter of %d bytes, expected at most %zu",
                             len, sizeof text - 1);
        if (total == 1 && text[0] == '/') /* so libwebsockets tells of a '?' with nothing behind */
            return ERR_OK;
        enum err err = add_parameter(x->query, text, (size_t)len, e);
        if (err)
            return err;
        read += len + 1; /* each but the last counts with what is behind it */
    }
    return ERR_OK;
}

/* False: it does not fit, which is no way of leaving it out; *out is empty then. */
static bool copy_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size) {
    out[0] = '\0';
    bool fits = lws_hdr_copy(wsi, out, (int)size, token) >= 0;
    if (!fits)
        out[0] = '\0';
    return fits;
}

static bool copy_custom(struct lws *wsi, const char *name, char *out, size_t size) {
    out[0] = '\0';
    if (lws_hdr_custom_copy(wsi, out, (int)size, name, (int)strlen(name)) < 0)
        out[0] = '\0';
    return lws_hdr_custom_length(wsi, name, (int)strlen(name)) < (int)size;
}

/* Who is on the other side: the kernel says so for Unix sockets. */
static void read_local(struct lws *wsi, struct access_caller *c) {
    struct ucred peer;
    socklen_t len = sizeof peer;
    c->local = true;
    if (getsockopt(lws_get_socket_fd(wsi), SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
        peer.pid > 0)
        snprintf(c->actor, sizeof c->actor, "uid:%ld", (long)peer.uid);
    else
        snprintf(c->actor, sizeof c->actor, "socket");
}

/* A proxy on this machine says whom it speaks for, behind whatever it was told itself. */
static void read_address(struct lws *wsi, const char *host, struct access_caller *c) {
    char forwarded[HEADERS_MAX];
    struct in6_addr room;
    lws_get_peer_simple(wsi, c->address, sizeof c->address);
    bool proxied = (strncmp(c->address, "127.", 4) == 0 || strcmp(c->address, "::1") == 0 ||
                    strncmp(c->address, "::ffff:127.", 11) == 0) &&
                   !guard_host_local(host);
    (void)copy_header(wsi, WSI_TOKEN_X_FORWARDED_FOR, forwarded, sizeof forwarded);
    const char *comma = strrchr(forwarded, ','), *last = comma ? comma + 1 : forwarded;
    last += strspn(last, " ");
    if (proxied && (inet_pton(AF_INET, last, &room) == 1 || inet_pton(AF_INET6, last, &room) == 1))
        snprintf(c->address, sizeof c->address, "%.60s", last);
}

static void read_secrets(struct exchange *x, struct access_caller *c) {
    static const char bearer[] = "Bearer ";
    char cookies[HEADERS_MAX], name[32], text[256];
    (void)copy_header(x->wsi, WSI_TOKEN_HTTP_COOKIE, cookies, sizeof cookies);
    web_cookie_name(x->web, true, name, sizeof name);
    if (!guard_cookie(cookies, name, c->session, sizeof c->session)) {
        web_cookie_name(x->web, false, name, sizeof name);
        if (!guard_cookie(cookies, name, c->session, sizeof c->session))
            c->session[0] = '\0';
    }
    (void)copy_custom(x->wsi, "x-plek-csrf:", c->csrf, sizeof c->csrf);
    (void)copy_header(x->wsi, WSI_TOKEN_HTTP_AUTHORIZATION, text, sizeof text);
    size_t len = strlen(bearer);
    if (strncasecmp(text, bearer, len) == 0 && strlen(text + len) < sizeof c->bearer)
        memcpy(c->bearer, text + len, strlen(text + len) + 1);
}

/* What the local API trusts the kernel for has to be shown elsewhere. Headers go with the body's
 * arrival, so they are read before. */
static void read_caller(struct exchange *x, struct access_caller *c) {
    char origin[WEB_HOST_MAX + 16], site[32], idle[8];
    if (!x->web->config.browsers) {
        read_local(x->wsi, c);
        return;
    }
    bool whole = copy_header(x->wsi, WSI_TOKEN_ORIGIN, origin, sizeof origin);
    whole &= copy_custom(x->wsi, "sec-fetch-site:", site, sizeof site);
    (void)copy_custom(x->wsi, "x-plek-idle:", idle, sizeof idle);
    x->secure = x->web->tls || strncasecmp(origin, "https://", 8) == 0;
    c->foreign = !whole || !guard_same_site(origin, site, x->host);
    c->open = !x->secure && !guard_host_local(x->host);
    c->idle = idle[0] != '\0' || x->wants_events;
    read_secrets(x, c);
}

static struct web_call *make_call(struct exchange *x, json_t *body) {
    struct web_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->web = x->web;
    call->id = x->id;
    call->path = x->path;
    call->caller = x->caller;
    call->request = (struct api_request){.method = x->method,
                                         .path = call->path,
                                         .query = x->query,
                                         .body = body,
                                         .actor = call->caller.actor,
                                         .role = x->caller.local ? API_ADMIN : API_STRANGER,
                                         .caller = &call->caller};
    x->path = NULL;
    x->query = NULL;
    return call;
}

static void dispatch(struct exchange *x) {
    struct error e = {0};
    json_t *body = NULL;
    if (x->dispatched)
        return;
    exchange_hold(x);
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
    exchange_hold(x);
    size_t len = 0;
    uint8_t *data = buf_take(&text, &len);
    exchange_reply(x, status, "text/plain; charset=utf-8", (char *)data, len);
    return true;
}

/* ---- what keeps others out ---- */

/* Followers do not count: they are logged in, and have a number of their own. */
static size_t open_of_place(const struct exchange *x) {
    size_t count = 0;
    char place[ADDRESS_PLACE_SIZE], other[ADDRESS_PLACE_SIZE];
    address_place(x->caller.address, place);
    for (const struct exchange *at = x->web->open; at; at = at->next)
        count += at->admitted && !at->follows &&
                 strcmp(address_place(at->caller.address, other), place) == 0;
    return count;
}

/* One place gets no more than what is left for all others. */
static enum err check_room(struct exchange *x, struct error *e) {
    struct web *web = x->web;
    size_t open = web->config.max_open, followers = web->config.max_followers;
    if ((open && (web->open_count >= open || open_of_place(x) >= open - web->open_count)) ||
        (x->wants_events && followers && web->follower_count >= followers))
        return error_set(e, ERR_BUSY, "too many at a time; try again in a moment");
    x->admitted = true;
    web->open_count++;
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

/* A form of another site can send other types without asking first. */
static enum err check_type(const struct exchange *x, bool body_follows, struct error *e) {
    static const char json[] = "application/json";
    char type[64] = "";
    if (!x->web->config.browsers || !body_follows)
        return ERR_OK;
    lws_hdr_copy(x->wsi, type, sizeof type, WSI_TOKEN_HTTP_CONTENT_TYPE);
    if (strncasecmp(type, json, strlen(json)) == 0)
        return ERR_OK;
    return error_set(e, ERR_USAGE, "found a body of type '%s', expected %s", type, json);
}

static enum err check_allowance(const struct exchange *x, struct error *e) {
    int64_t wait_ms = 0;
    char place[ADDRESS_PLACE_SIZE];
    if (!x->web->allowance ||
        allowance_take(x->web->allowance, address_place(x->caller.address, place),
                       clock_monotonic_ms(), &wait_ms))
        return ERR_OK;
    enum err err = error_set(e, ERR_RATE, "too many requests in too short a time");
    e->retry_ms = wait_ms;
    return err;
}

static void wait_for_body(struct exchange *x) {
    int64_t body_ms = x->web->config.body_ms;
    lws_set_timer_usecs(x->wsi, (body_ms ? body_ms : BODY_MS) * LWS_USEC_PER_SEC / 1000);
}

static void refuse(struct exchange *x, const struct error *e) {
    exchange_hold(x);
    exchange_reply_error(x, e);
}

/* Is a body announced? One of no bytes never completes on its own. */
static bool has_body(struct lws *wsi) {
    char length[24] = "";
    if (lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0)
        return strtoull(length, NULL, 10) > 0;
    return false;
}

/* Where a body ends has to be beyond doubt: what is read on as a body here may be the next request
 * for a proxy in front, or the other way round (RFC 9112, section 6.3). One that is far too large
 * is not read at all. An HTTP status; 0: nothing is wrong. */
static unsigned framing_fault(struct lws *wsi, size_t max_body) {
    char length[20] = "";
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
        return HTTP_STATUS_LENGTH_REQUIRED;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0)
        return 0;
    if (lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, 1) > 0 ||
        lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0 ||
        length[strspn(length, "0123456789")] != '\0')
        return HTTP_STATUS_BAD_REQUEST;
    return strtoull(length, NULL, 10) / BODY_READ_ON > max_body ? HTTP_STATUS_REQ_ENTITY_TOO_LARGE
                                                                : 0;
}

/* A body that follows is nobody's. */
static int refuse_request(struct exchange *x, unsigned status) {
    x->dispatched = true;
    if (lws_return_http_status(x->wsi, status, NULL))
        return -1;
    visitor_idle(lws_get_opaque_user_data(x->wsi));
    return lws_http_transaction_completed(x->wsi) ? -1 : 0;
}

static void serve(struct exchange *x, bool body_follows) {
    struct error e = {0};
    bool get = x->method == API_GET;
    if (get && serve_plain(x, x->path))
        return;
    x->wants_events = get && strcmp(x->path, "/v1/events") == 0;
    enum err err = check_host(x, &e);
    if (!err && x->web->config.browsers)
        read_address(x->wsi, x->host, &x->caller);
    if (!err)
        err = check_room(x, &e);
    if (!err && get && x->web->config.browsers && exchange_reply_file(x, x->path))
        return;
    if (!err)
        err = check_api(x, &e);
    if (!err)
        err = read_query(x, &e);
    if (!err)
        err = check_type(x, body_follows, &e);
    if (!err) {
        read_caller(x, &x->caller);
        err = check_allowance(x, &e);
    }
    if (err)
        refuse(x, &e);
    else if (get || !body_follows)
        dispatch(x);
    else
        wait_for_body(x);
}

static int on_request(struct exchange *x, struct lws *wsi, const char *path, size_t len) {
    exchange_clear(x);
    visitor_busy(lws_get_opaque_user_data(wsi));
    x->id = x->web->next_id++;
    buf_init(&x->body, x->web->config.max_body);
    unsigned fault = framing_fault(wsi, x->web->config.max_body);
    if (!fault && memchr(path, '\0', len))
        fault = HTTP_STATUS_BAD_REQUEST;
    if (fault) { /* and nothing behind it is a request */
        (void)!lws_return_http_status(wsi, fault, NULL);
        return -1;
    }
    if (!read_method(wsi, &x->method))
        return refuse_request(x, HTTP_STATUS_METHOD_NOT_ALLOWED);
    if (len >= API_PATH_MAX)
        return refuse_request(x, HTTP_STATUS_REQ_URI_TOO_LONG);
    x->path = strndup(path, len);
    if (!x->path)
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
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: /* to a websocket, and to no HTTP/2 */
        return in && strcasecmp(in, "websocket") == 0 ? 0 : -1;
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
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
    case LWS_CALLBACK_WSI_DESTROY:
        return web_visit(wsi, reason, in);
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
