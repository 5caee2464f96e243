/* Implements the libwebsockets without sockets (see fake_lws.h). Must not judge a request. */
#include "fake_lws.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct fake_peer fake_peers[FAKE_PEERS] = {
    {"127.0.0.1", true}, {"192.0.2.7", false}, {"::ffff:127.0.0.1", true}, {"2001:db8::7", false}};

static const struct {
    enum lws_token_indexes token;
    const char *name;
} names[] = {{WSI_TOKEN_HOST, "host"},
             {WSI_TOKEN_ORIGIN, "origin"},
             {WSI_TOKEN_HTTP_COOKIE, "cookie"},
             {WSI_TOKEN_HTTP_AUTHORIZATION, "authorization"},
             {WSI_TOKEN_X_FORWARDED_FOR, "x-forwarded-for"},
             {WSI_TOKEN_HTTP_CONTENT_TYPE, "content-type"},
             {WSI_TOKEN_HTTP_CONTENT_LENGTH, "content-length"},
             {WSI_TOKEN_HTTP_TRANSFER_ENCODING, "transfer-encoding"},
             {WSI_TOKEN_HTTP_ACCEPT_ENCODING, "accept-encoding"},
             {WSI_TOKEN_HTTP_IF_NONE_MATCH, "if-none-match"}};

static const struct {
    enum lws_token_indexes token;
    const char *name;
} methods[] = {{WSI_TOKEN_GET_URI, "GET"},
               {WSI_TOKEN_POST_URI, "POST"},
               {WSI_TOKEN_PUT_URI, "PUT"},
               {WSI_TOKEN_DELETE_URI, "DELETE"}};

/* ---- the connection ---- */

void fake_open(struct lws *wsi) {
    wsi->user = calloc(1, wsi->protocol.per_session_data_size);
    FUZZ_CHECK(wsi->user != NULL);
}

void fake_shut(struct lws *wsi) {
    free(wsi->user);
    wsi->user = NULL;
}

int fake_call(struct lws *wsi, enum lws_callback_reasons reason, void *in, size_t len) {
    return wsi->protocol.callback(wsi, reason, wsi->user, in, len);
}

/* ---- the request ---- */

/* Up to `end`, which goes too; all of it when it is not there. */
static struct bytes cut(struct bytes *text, uint8_t end) {
    const uint8_t *at = text->len > 0 ? memchr(text->data, end, text->len) : NULL;
    struct bytes piece = {text->data, at != NULL ? (size_t)(at - text->data) : text->len};
    size_t used = piece.len + (at != NULL ? 1 : 0);
    *text = bytes_of(text->data + used, text->len - used);
    return piece;
}

static bool is_name(struct bytes found, const char *name) {
    return found.len == strlen(name) && strncasecmp((const char *)found.data, name, found.len) == 0;
}

static void read_lines(struct lws *wsi, struct bytes *text) {
    wsi->line_count = 0;
    while (text->len > 0) {
        struct bytes line = cut(text, '\n');
        if (line.len == 0)
            return;
        if (memchr(line.data, '\0', line.len) != NULL || wsi->line_count == FAKE_MAX_LINES)
            continue; /* the library takes no such request */
        struct bytes name = cut(&line, ':');
        while (line.len > 0 && line.data[0] == ' ')
            line = bytes_of(line.data + 1, line.len - 1);
        if (line.len > 0)
            wsi->lines[wsi->line_count++] = (struct fake_header){name, line};
    }
}

size_t fake_read(struct lws *wsi, struct bytes text, char *path, size_t size) {
    struct bytes line = cut(&text, '\n');
    wsi->method = cut(&line, ' ');
    struct bytes where = cut(&line, '?');
    wsi->arguments = line;
    read_lines(wsi, &text);
    char length[32] = "";
    struct bytes announced = fake_line(wsi, "content-length");
    if (announced.len < sizeof length && announced.len > 0)
        memcpy(length, announced.data, announced.len);
    unsigned long long len = strtoull(length, NULL, 10);
    wsi->body = bytes_of(text.data, len < text.len ? (size_t)len : text.len);
    wsi->wants_to_write = wsi->timer = wsi->killed = wsi->completed = false;
    wsi->header_blocks = 0;
    size_t n = where.len < size ? where.len : size - 1;
    if (n > 0)
        memcpy(path, where.data, n);
    path[n] = '\0';
    return n;
}

struct bytes fake_line(const struct lws *wsi, const char *name) {
    static char joined[16][FAKE_VALUE_SIZE];
    static unsigned next;
    char *out = joined[next++ % 16];
    size_t len = 0;
    for (size_t i = 0; i < wsi->line_count; i++) {
        const struct fake_header *h = &wsi->lines[i];
        if (!is_name(h->name, name) || len + h->value.len + 1 >= FAKE_VALUE_SIZE)
            continue;
        if (len > 0)
            out[len++] = strcmp(name, "cookie") == 0 ? ';' : ',';
        memcpy(out + len, h->value.data, h->value.len);
        len += h->value.len;
    }
    out[len] = '\0';
    return bytes_of(out, len);
}

static struct bytes token_value(const struct lws *wsi, enum lws_token_indexes token) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].token == token)
            return fake_line(wsi, names[i].name);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].token == token && is_name(wsi->method, methods[i].name))
            return bytes_str("/");
    return bytes_of(NULL, 0);
}

static int give(struct bytes value, char *dest, int len) {
    dest[0] = '\0';
    if (value.len >= (size_t)len)
        return -1;
    if (value.len > 0)
        memcpy(dest, value.data, value.len);
    dest[value.len] = '\0';
    return (int)value.len;
}

/* One of "a=b&c=d"; with data NULL there is none. */
static struct bytes argument(const struct lws *wsi, int index) {
    struct bytes rest = wsi->arguments;
    for (; index > 0 && rest.len > 0; index--)
        (void)cut(&rest, '&');
    return rest.len > 0 ? cut(&rest, '&') : bytes_of(NULL, 0);
}

int lws_hdr_total_length(struct lws *wsi, enum lws_token_indexes h) {
    return (int)(h == WSI_TOKEN_HTTP_URI_ARGS ? wsi->arguments : token_value(wsi, h)).len;
}

int lws_hdr_fragment_length(struct lws *wsi, enum lws_token_indexes h, int frag_idx) {
    int count = 0;
    if (h == WSI_TOKEN_HTTP_URI_ARGS)
        return (int)argument(wsi, frag_idx).len;
    FUZZ_CHECK(h == WSI_TOKEN_HTTP_CONTENT_LENGTH);
    for (size_t i = 0; i < wsi->line_count; i++)
        if (is_name(wsi->lines[i].name, "content-length") && count++ == frag_idx)
            return (int)wsi->lines[i].value.len;
    return 0;
}

int lws_hdr_copy(struct lws *wsi, char *dest, int len, enum lws_token_indexes h) {
    return give(token_value(wsi, h), dest, len);
}

int lws_hdr_copy_fragment(struct lws *wsi, char *dest, int len, enum lws_token_indexes h,
                          int frag_idx) {
    FUZZ_CHECK(h == WSI_TOKEN_HTTP_URI_ARGS);
    struct bytes piece = argument(wsi, frag_idx);
    return piece.data == NULL ? -1 : give(piece, dest, len);
}

/* "x-plek-idle:" */
static struct bytes custom_value(const struct lws *wsi, const char *name, int nlen) {
    char plain[64];
    FUZZ_CHECK(nlen > 1 && (size_t)nlen < sizeof plain && name[nlen - 1] == ':');
    memcpy(plain, name, (size_t)nlen - 1);
    plain[nlen - 1] = '\0';
    return fake_line(wsi, plain);
}

int lws_hdr_custom_length(struct lws *wsi, const char *name, int nlen) {
    struct bytes value = custom_value(wsi, name, nlen);
    return value.len == 0 ? -1 : (int)value.len;
}

int lws_hdr_custom_copy(struct lws *wsi, char *dst, int len, const char *name, int nlen) {
    struct bytes value = custom_value(wsi, name, nlen);
    return value.len == 0 ? -1 : give(value, dst, len);
}

const struct lws_protocols *lws_get_protocol(struct lws *wsi) {
    return &wsi->protocol;
}

const char *lws_get_peer_simple(struct lws *wsi, char *name, size_t namelen) {
    snprintf(name, namelen, "%s", fake_peers[wsi->peer].address);
    return name;
}

/* Visitors are counted by sockets, of which there are none. */
void *lws_get_opaque_user_data(const struct lws *wsi) {
    (void)wsi;
    return NULL;
}

lws_sockfd_type lws_get_socket_fd(struct lws *wsi) {
    (void)wsi;
    return -1;
}

/* ---- the answer ---- */

static void check_value(const void *value, size_t len) {
    FUZZ_CHECK(len == 0 || (memchr(value, '\n', len) == NULL && memchr(value, '\r', len) == NULL &&
                            memchr(value, '\0', len) == NULL));
}

int lws_add_http_header_by_name(struct lws *wsi, const unsigned char *name,
                                const unsigned char *value, int length, unsigned char **p,
                                unsigned char *end) {
    (void)wsi;
    check_value(value, (size_t)length);
    size_t room = (size_t)(end - *p), needed = strlen((const char *)name) + (size_t)length + 3;
    if (room < needed)
        return 1;
    *p += needed;
    return 0;
}

int lws_add_http_header_status(struct lws *wsi, unsigned int code, unsigned char **p,
                               unsigned char *end) {
    FUZZ_CHECK(code >= 200 && code < 600 && *p < end);
    wsi->announced = 0;
    return 0;
}

int lws_add_http_common_headers(struct lws *wsi, unsigned int code, const char *content_type,
                                lws_filepos_t content_len, unsigned char **p, unsigned char *end) {
    (void)!lws_add_http_header_status(wsi, code, p, end);
    wsi->announced = content_len == LWS_ILLEGAL_HTTP_CONTENT_LEN ? UINT64_MAX : content_len;
    return lws_add_http_header_by_name(
        wsi, (const unsigned char *)"content-type:", (const unsigned char *)content_type,
        (int)strlen(content_type), p, end);
}

int lws_finalize_write_http_header(struct lws *wsi, unsigned char *start, unsigned char **p,
                                   unsigned char *end) {
    FUZZ_CHECK(start < *p && *p <= end);
    wsi->header_blocks++;
    wsi->written = 0;
    return 0;
}

int lws_write(struct lws *wsi, unsigned char *buf, size_t len, enum lws_write_protocol protocol) {
    (void)buf;
    FUZZ_CHECK(wsi->header_blocks == 1 && !wsi->completed);
    wsi->written += len;
    FUZZ_CHECK(protocol != LWS_WRITE_HTTP_FINAL || wsi->written == wsi->announced);
    FUZZ_CHECK(wsi->written <= wsi->announced);
    return (int)len;
}

int lws_http_transaction_completed(struct lws *wsi) {
    wsi->completed = true;
    return 0;
}

int lws_return_http_status(struct lws *wsi, unsigned int code, const char *html_body) {
    (void)html_body;
    FUZZ_CHECK(code >= 400 && code < 600);
    wsi->header_blocks++;
    return 0;
}

int lws_callback_on_writable(struct lws *wsi) {
    wsi->wants_to_write = true;
    return 0;
}

int lws_rx_flow_control(struct lws *wsi, int enable) {
    (void)wsi;
    (void)enable;
    return 0;
}

void lws_set_timeout(struct lws *wsi, enum pending_timeout reason, int secs) {
    (void)reason;
    wsi->killed |= secs == LWS_TO_KILL_ASYNC;
}

void lws_set_timer_usecs(struct lws *wsi, lws_usec_t usecs) {
    wsi->timer = usecs != LWS_SET_TIMER_USEC_CANCEL;
}

void lws_close_reason(struct lws *wsi, enum lws_close_status status, unsigned char *buf,
                      size_t len) {
    (void)wsi;
    (void)status;
    (void)buf;
    (void)len;
}

int lws_callback_http_dummy(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                            size_t len) {
    (void)wsi;
    (void)reason;
    (void)user;
    (void)in;
    (void)len;
    return 0;
}
