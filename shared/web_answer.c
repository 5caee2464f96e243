/* Owns the way out of HTTP on a vhost: headers, bodies in pieces, files, server-sent events.
 * Must not know any route, and must not block the loop. */
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "web_private.h"

#define HEADER_ROOM 2048
#define BEAT_US (20 * LWS_USEC_PER_SEC)
#define BEATS_MAX 30 /* of a browser: then it comes again, and shows that it still may */

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/* libwebsockets 4.1 reads nothing during an answer, and yet is woken without end by what comes
 * then, a hang-up too; with reading off it does not look whether it can write either. */
static void rest(struct exchange *x) {
    lws_rx_flow_control(x->wsi, 0);
}

static void want_to_write(struct exchange *x) {
    lws_rx_flow_control(x->wsi, 1);
    lws_callback_on_writable(x->wsi);
}

void exchange_hold(struct exchange *x) {
    x->dispatched = true;
    rest(x);
}

void exchange_reply(struct exchange *x, int status, const char *type, char *take_text, size_t len) {
    if (!take_text)
        lws_set_timeout(x->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    free(x->reply.owned);
    x->reply = (struct web_reply){
        .status = status, .type = type, .data = take_text, .owned = take_text, .len = len};
    x->answered = take_text != NULL;
    x->headers_sent = false;
    want_to_write(x);
}

void exchange_reply_json(struct exchange *x, enum err code, json_t *take_body) {
    char *text = json_dumps(take_body, JSON_COMPACT);
    json_decref(take_body);
    exchange_reply(x, error_http_status(code), "application/json", text, text ? strlen(text) : 0);
}

void exchange_reply_error(struct exchange *x, const struct error *e) {
    exchange_reply_json(x, e->code, api_error_to_json(e));
}

/* Cookies are told apart by host, not by port: two daemons on one machine must not mix theirs up.
 */
void web_cookie_name(const struct web *web, bool secure, char *out, size_t size) {
    snprintf(out, size, "%splek-%d", secure ? "__Host-" : "", web->port);
}

void exchange_set_cookie(struct exchange *x, const struct access_caller *c) {
    char name[32];
    web_cookie_name(x->web, x->secure, name, sizeof name);
    if (c->new_session[0] || c->end_session)
        snprintf(x->reply.cookie, sizeof x->reply.cookie,
                 "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", name, c->new_session,
                 x->secure ? "; Secure" : "", c->new_session[0] ? "" : "; Max-Age=0");
}

bool exchange_reply_file(struct exchange *x, const char *path) {
    char accepts[256] = "", known[512] = "";
    struct pages_file file;
    lws_hdr_copy(x->wsi, accepts, sizeof accepts, WSI_TOKEN_HTTP_ACCEPT_ENCODING);
    lws_hdr_copy(x->wsi, known, sizeof known, WSI_TOKEN_HTTP_IF_NONE_MATCH);
    if (!pages_find(&x->web->config.browsers->pages, path, guard_gzip_ok(accepts), &file))
        return false;
    bool same = file.etag && guard_etag_match(known, file.etag);
    x->reply = (struct web_reply){.status = same ? HTTP_STATUS_NOT_MODIFIED : HTTP_STATUS_OK,
                                  .type = file.type,
                                  .etag = file.etag,
                                  .gzip = file.gzip,
                                  .data = (const char *)file.body.data,
                                  .owned = (char *)file.owned,
                                  .len = same ? 0 : file.body.len};
    exchange_hold(x);
    x->answered = true;
    want_to_write(x);
    return true;
}

void exchange_follow(struct exchange *x) {
    x->follows = x->answered = true;
    x->web->follower_count++;
    x->reply.status = HTTP_STATUS_OK;
    x->reply.type = "text/event-stream";
    lws_set_timer_usecs(x->wsi, BEAT_US);
    want_to_write(x);
}

int exchange_beat(struct exchange *x) {
    if (x->web->config.browsers && ++x->beats >= BEATS_MAX)
        return -1;
    x->beat = true;
    lws_set_timer_usecs(x->wsi, BEAT_US);
    want_to_write(x);
    return 0;
}

void web_event(struct web *web, const char *name) {
    for (struct exchange *x = web->open; x; x = x->next) {
        bool waiting = !x->follows || x->event_count == WEB_PENDING_EVENTS;
        for (int i = 0; i < x->event_count; i++)
            waiting |= strcmp(x->events[i], name) == 0;
        if (waiting)
            continue;
        snprintf(x->events[x->event_count++], WEB_EVENT_MAX, "%s", name);
        want_to_write(x);
    }
}

/* ---- writing ---- */

struct headers {
    struct lws *wsi;
    unsigned char *p, *end;
    bool failed;
};

static void add(struct headers *h, const char *name, const char *value) {
    h->failed |= lws_add_http_header_by_name(h->wsi, (const unsigned char *)name,
                                             (const unsigned char *)value, (int)strlen(value),
                                             &h->p, h->end) != 0;
}

static void add_common(struct headers *h, const struct exchange *x) {
    const struct web_reply *r = &x->reply;
    if (r->status == HTTP_STATUS_NOT_MODIFIED)
        h->failed |= lws_add_http_header_status(h->wsi, (unsigned)r->status, &h->p, h->end) != 0;
    else
        h->failed |= lws_add_http_common_headers(h->wsi, (unsigned)r->status, r->type,
                                                 x->follows ? LWS_ILLEGAL_HTTP_CONTENT_LEN : r->len,
                                                 &h->p, h->end) != 0;
    /* A file is asked for again each time, and mostly answered by 304. */
    add(h, "cache-control:", r->etag ? "no-cache" : "no-store");
    add(h, "x-content-type-options:", "nosniff");
    if (r->etag) {
        add(h, "etag:", r->etag);
        add(h, "vary:", "accept-encoding");
    }
    if (r->cookie[0])
        add(h, "set-cookie:", r->cookie);
    if (r->gzip && r->status == HTTP_STATUS_OK)
        add(h, "content-encoding:", "gzip");
}

static void add_browsers(struct headers *h) {
    add(h, "content-security-policy:", policy);
    add(h, "referrer-policy:", "no-referrer");
    add(h, "cross-origin-opener-policy:", "same-origin");
    add(h, "cross-origin-resource-policy:", "same-origin");
    add(h, "x-frame-options:", "DENY");
}

static int write_headers(struct exchange *x) {
    unsigned char room[LWS_PRE + HEADER_ROOM], *start = room + LWS_PRE;
    struct headers h = {.wsi = x->wsi, .p = start, .end = room + sizeof room - 1};
    add_common(&h, x);
    if (x->web->config.browsers)
        add_browsers(&h);
    if (h.failed || lws_finalize_write_http_header(x->wsi, start, &h.p, h.end))
        return -1;
    x->headers_sent = true;
    lws_callback_on_writable(x->wsi);
    return 0;
}

static int write_event(struct exchange *x) {
    unsigned char room[LWS_PRE + 128];
    char *text = (char *)room + LWS_PRE;
    int len = 0;
    if (x->event_count > 0) {
        len = snprintf(text, sizeof room - LWS_PRE, "event: %s\ndata: {}\n\n", x->events[0]);
        memmove(x->events[0], x->events[1], sizeof x->events[0] * (size_t)(--x->event_count));
    } else if (x->beat) {
        len = snprintf(text, sizeof room - LWS_PRE, ":\n\n");
    }
    x->beat = false;
    if (len > 0 && lws_write(x->wsi, room + LWS_PRE, (size_t)len, LWS_WRITE_HTTP) < 0)
        return -1;
    if (x->event_count > 0)
        lws_callback_on_writable(x->wsi);
    else
        rest(x);
    return 0;
}

static int end_reply(struct exchange *x) {
    struct lws *wsi = x->wsi;
    exchange_clear(x);
    visitor_idle(lws_get_opaque_user_data(wsi)); /* also while a body is still to be thrown away */
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int write_chunk(struct exchange *x) {
    unsigned char room[LWS_PRE + WEB_CHUNK];
    struct web_reply *r = &x->reply;
    if (r->status == HTTP_STATUS_NOT_MODIFIED)
        return end_reply(x);
    size_t left = r->len - r->written, len = left < WEB_CHUNK ? left : WEB_CHUNK;
    memcpy(room + LWS_PRE, r->data + r->written, len);
    bool last = len == left;
    if (lws_write(x->wsi, room + LWS_PRE, len, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    r->written += len;
    if (last)
        return end_reply(x);
    lws_callback_on_writable(x->wsi);
    return 0;
}

int exchange_writable(struct exchange *x) {
    if (!x->answered)
        return 0;
    if (!x->headers_sent)
        return write_headers(x);
    return x->follows ? write_event(x) : write_chunk(x);
}
