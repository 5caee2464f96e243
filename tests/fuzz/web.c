/* Fuzzes requests as they come in over HTTP: shared/web.c and web_answer.c between a libwebsockets
 * of our own (fake_lws.h), whose headers are the input's lines, and a daemon that answers at once,
 * later or never. What is believed of a caller is what its headers, read a second time here, say;
 * each request is answered at most once; no answer's header has a line break of the input. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fake_lws.h"
#include "fuzz.h"
#include "guard.h"
#include "web.h"

#define MAX_REQUESTS 3
#define MAX_BODY 600
#define MAX_TURNS 50
#define HOSTS "plek.local, ward"
#define PORT 7536
#define BURST 1000

static struct web_call *pending; /* not answered yet */
static int served;               /* of this request */

/* ---- what is believed of a caller ---- */

static bool own_site(const struct lws *wsi) {
    struct bytes origin = fake_line(wsi, "origin"), site = fake_line(wsi, "sec-fetch-site");
    struct bytes host = fake_line(wsi, "host");
    if (site.len > 0 && !bytes_equal(site, bytes_str("same-origin")) &&
        !bytes_equal(site, bytes_str("none")))
        return false;
    if (origin.len == 0)
        return true;
    size_t scheme = strncasecmp((const char *)origin.data, "https://", 8) == 0 ? 8 : 7;
    return origin.len == scheme + host.len && host.len > 0 &&
           (scheme == 8 || strncasecmp((const char *)origin.data, "http://", 7) == 0) &&
           strncasecmp((const char *)origin.data + scheme, (const char *)host.data, host.len) == 0;
}

/* Behind a proxy on this machine the last one it names, whatever stands before. */
static void check_address(const struct lws *wsi, const char *address, const char *host) {
    struct bytes forwarded = fake_line(wsi, "x-forwarded-for");
    size_t at = forwarded.len;
    char last[INET6_ADDRSTRLEN] = "";
    struct in6_addr room;
    while (at > 0 && forwarded.data[at - 1] != ',')
        at--;
    while (at < forwarded.len && forwarded.data[at] == ' ')
        at++;
    if (forwarded.len - at < sizeof last)
        memcpy(last, forwarded.data + at, forwarded.len - at);
    bool valid = inet_pton(AF_INET, last, &room) == 1 || inet_pton(AF_INET6, last, &room) == 1;
    bool proxied = fake_peers[wsi->peer].loopback && !guard_host_local(host);
    FUZZ_CHECK(strcmp(address, proxied && valid ? last : fake_peers[wsi->peer].address) == 0);
}

static void check_secrets(const struct lws *wsi, const struct access_caller *c) {
    struct bytes sent = fake_line(wsi, "authorization"), cookies = fake_line(wsi, "cookie");
    size_t bearer = strlen(c->bearer), session = strlen(c->session);
    if (bearer > 0) {
        FUZZ_CHECK(sent.len == strlen("Bearer ") + bearer);
        FUZZ_CHECK(memcmp(sent.data + sent.len - bearer, c->bearer, bearer) == 0);
    }
    if (session > 0)
        FUZZ_CHECK(memmem(cookies.data, cookies.len, c->session, session) != NULL);
    FUZZ_CHECK(strlen(c->csrf) < sizeof c->csrf && c->new_session[0] == '\0' && !c->end_session);
}

static void check_caller(const struct lws *wsi, const struct access_caller *c) {
    char host[256] = "";
    struct bytes line = fake_line(wsi, "host"), type = fake_line(wsi, "content-type");
    FUZZ_CHECK(!c->local && c->actor[0] == '\0' && line.len < sizeof host);
    if (line.len > 0)
        memcpy(host, line.data, line.len);
    FUZZ_CHECK(guard_host_ok(host, HOSTS));
    FUZZ_CHECK(c->foreign == !own_site(wsi));
    FUZZ_CHECK(wsi->body.len == 0 || (type.len >= 16 && strncasecmp((const char *)type.data,
                                                                    "application/json", 16) == 0));
    check_address(wsi, c->address, host);
    check_secrets(wsi, c);
}

/* ---- the daemon ---- */

static void serve(void *ctx, struct web_call *call) {
    const struct lws *wsi = ctx;
    const struct api_request *r = &call->request;
    FUZZ_CHECK(++served == 1 && pending == NULL);
    FUZZ_CHECK(strncmp(r->path, "/v1/", 4) == 0 && strlen(r->path) < API_PATH_MAX);
    FUZZ_CHECK(json_is_object(r->query) && r->caller == &call->caller);
    char *query = json_dumps(r->query, 0);
    FUZZ_CHECK(query != NULL && utf8_valid(bytes_str(query)));
    free(query);
    if (wsi->browsers) {
        FUZZ_CHECK(r->role == API_STRANGER);
        check_caller(wsi, &call->caller);
    } else {
        FUZZ_CHECK(r->role == API_ADMIN && call->caller.local && call->caller.actor[0] != '\0');
    }
    pending = call;
}

/* Every way in which a daemon answers. */
static void answer(uint8_t how) {
    struct web_call *call = pending;
    struct error e = {0};
    pending = NULL;
    if (call == NULL)
        return;
    if (how % 4 == 1)
        memset(call->caller.new_session, 's', sizeof call->caller.new_session - 1);
    call->caller.end_session = how % 4 == 2;
    if (how >= 0x80) {
        enum err code = error_set(&e, ERR_DATA, "found '%.40s', expected less", call->path);
        web_answer(call, code, api_error_to_json(&e));
    } else {
        web_answer(call, ERR_OK, json_pack("{s:s}", "path", call->path));
    }
}

static int plain(void *ctx, const char *path, struct buf *text) {
    (void)ctx;
    if (strcmp(path, "/healthz") != 0)
        return 0;
    buf_append_str(text, "ok\n");
    return 200;
}

/* ---- the connection ---- */

static const struct pages_asset assets[] = {{"/index.html",
                                             "text/html; charset=utf-8",
                                             "\"i\"",
                                             "\"i-gz\"",
                                             {(const uint8_t *)"<html>", 6},
                                             {(const uint8_t *)"gz", 2}}};
static const struct pages_assets all_assets = {assets, 1};
static const struct web_browsers browsers = {.pages = {.assets = &all_assets}, .hosts = HOSTS};

/* Until nothing more is to be written, or the connection ends. */
static bool write_out(struct lws *wsi, uint8_t how) {
    for (int turn = 0; turn < MAX_TURNS; turn++) {
        if (wsi->timer && how % 8 == 7) {
            wsi->timer = false;
            if (fake_call(wsi, LWS_CALLBACK_TIMER, NULL, 0) != 0)
                return false;
        }
        if (!wsi->wants_to_write)
            return !wsi->killed;
        wsi->wants_to_write = false;
        if (fake_call(wsi, LWS_CALLBACK_HTTP_WRITEABLE, NULL, 0) != 0)
            return false;
    }
    FUZZ_CHECK(wsi->timer); /* who follows is written to without end */
    return true;
}

/* The body as libwebsockets gives it: what the length announces, in pieces. */
static bool send_body(struct lws *wsi, uint8_t how) {
    size_t piece = 1 + how % 200;
    for (size_t at = 0; at < wsi->body.len; at += piece) {
        size_t len = wsi->body.len - at < piece ? wsi->body.len - at : piece;
        if (fake_call(wsi, LWS_CALLBACK_HTTP_BODY, (void *)(uintptr_t)(wsi->body.data + at), len))
            return false;
    }
    return wsi->body.len == 0 || fake_call(wsi, LWS_CALLBACK_HTTP_BODY_COMPLETION, NULL, 0) == 0;
}

/* Whether the connection can take another request. */
static bool request(struct lws *wsi, struct web *web, uint8_t how, struct bytes text) {
    char path[4096];
    served = 0;
    size_t len = fake_read(wsi, text, path, sizeof path);
    bool open = fake_call(wsi, LWS_CALLBACK_HTTP, path, len) == 0 && send_body(wsi, how);
    if (open && how % 16 == 15) { /* the client hangs up, then the answer comes */
        (void)fake_call(wsi, LWS_CALLBACK_CLOSED_HTTP, NULL, 0);
        answer(how);
        return false;
    }
    open = open && write_out(wsi, 0);
    answer(how);
    web_event(web, "lines");
    open = open && write_out(wsi, how);
    FUZZ_CHECK(wsi->header_blocks <= 1 && served <= 1);
    if (!open || !wsi->completed) {
        (void)fake_call(wsi, LWS_CALLBACK_CLOSED_HTTP, NULL, 0);
        return false;
    }
    FUZZ_CHECK(fake_call(wsi, LWS_CALLBACK_HTTP_DROP_PROTOCOL, NULL, 0) == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in);
    struct lws wsi = {.browsers = how % 4 != 0, .peer = how / 4 % FAKE_PEERS};
    struct web_config config = {.serve = how >= 0xf0 ? NULL : serve,
                                .plain = plain,
                                .ctx = &wsi,
                                .max_body = MAX_BODY,
                                .browsers = wsi.browsers ? &browsers : NULL,
                                .max_open = how % 32 == 31 ? 1 : 0};
    struct web *web = web_new(&config);
    FUZZ_CHECK(web != NULL);
    web_note_address(web, PORT, how & 0x40);
    wsi.protocol = web_protocol(web);
    fake_open(&wsi);
    for (int i = 0; i < MAX_REQUESTS && in.left > 0; i++) {
        uint8_t way = fuzz_byte(&in);
        if (!request(&wsi, web, way, fuzz_piece(&in)))
            break;
    }
    fake_shut(&wsi);
    web_call_free(pending);
    pending = NULL;
    web_free(web);
    return 0;
}
