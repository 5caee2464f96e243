/* Owns a stranger that speaks HTTP and websocket frames by hand (peer.h). */
#include "peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <libwebsockets.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"

#define READ_S 20

static struct sockaddr_in socket_address(const char *address) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(address, ':');
    cr_assert(colon && colon - address < (int)sizeof host, "bad address %s", address);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    in.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    cr_assert_eq(inet_pton(AF_INET, host, &in.sin_addr), 1, "bad address %s", address);
    return in;
}

int peer_listen(const char *host, char *out, size_t size) {
    char any[80];
    snprintf(any, sizeof any, "%s:0", host);
    struct sockaddr_in in = socket_address(any);
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 16) == 0 &&
                  getsockname(fd, (struct sockaddr *)&in, &len) == 0,
              "cannot listen on %s: %s", host, strerror(errno));
    snprintf(out, size, "%s:%d", host, ntohs(in.sin_port));
    return fd;
}

/* RFC 6455 section 4.2.2: what shows that the server understood. */
static void accept_key(const char *head, char *out, int size) {
    static const char name[] = "sec-websocket-key:";
    const char *key = strcasestr(head, name);
    char text[128];
    uint8_t digest[20];
    cr_assert_not_null(key, "found no websocket in: %s", head);
    key += strlen(name);
    key += strspn(key, " ");
    snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
             (int)strcspn(key, "\r\n"), key);
    lws_SHA1((const unsigned char *)text, strlen(text), digest);
    cr_assert_gt(lws_b64_encode_string((const char *)digest, sizeof digest, out, size), 0);
}

void peer_accept(struct peer *p, int listener) {
    char head[4096], key[64], answer[512];
    struct pollfd wanted = {.fd = listener, .events = POLLIN};
    int64_t deadline_ms = lab_deadline(READ_S);
    memset(p, 0, sizeof *p);
    p->server = true;
    while (poll(&wanted, 1, 50) <= 0)
        cr_assert_not(lab_passed_deadline(deadline_ms), "nobody connected");
    p->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(p->fd, 0);
    cr_assert(peer_read_head(p, head, sizeof head), "the connection ended before its request");
    accept_key(head, key, sizeof key);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: plek.v1\r\n\r\n",
             key);
    cr_assert(peer_send_text(p, answer));
}

void peer_open(struct peer *p, const char *address) {
    struct sockaddr_in in = socket_address(address);
    memset(p, 0, sizeof *p);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(p->fd, 0);
    cr_assert_eq(connect(p->fd, (struct sockaddr *)&in, sizeof in), 0, "cannot connect to %s: %s",
                 address, strerror(errno));
}

void peer_close(struct peer *p) {
    if (p->fd > 0)
        close(p->fd);
    p->fd = 0;
}

bool peer_send(struct peer *p, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = send(p->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool peer_send_text(struct peer *p, const char *text) {
    return peer_send(p, text, strlen(text));
}

/* Up to `size` bytes within the deadline; 0: the connection ended. */
static size_t read_some(struct peer *p, void *out, size_t size, int64_t deadline_ms) {
    if (p->buffered_len > 0) {
        size_t n = p->buffered_len < size ? p->buffered_len : size;
        memcpy(out, p->buffered, n);
        memmove(p->buffered, p->buffered + n, p->buffered_len - n);
        p->buffered_len -= n;
        return n;
    }
    struct pollfd wanted = {.fd = p->fd, .events = POLLIN};
    while (poll(&wanted, 1, 50) <= 0)
        cr_assert_not(lab_passed_deadline(deadline_ms), "the other side neither sent nor closed");
    ssize_t n = recv(p->fd, out, size, 0);
    return n > 0 ? (size_t)n : 0;
}

static bool read_whole(struct peer *p, void *out, size_t len, int64_t deadline_ms) {
    uint8_t *at = out;
    while (len > 0) {
        size_t n = read_some(p, at, len, deadline_ms);
        if (n == 0)
            return false;
        at += n;
        len -= n;
    }
    return true;
}

bool peer_read_head(struct peer *p, char *out, size_t size) {
    int64_t deadline_ms = lab_deadline(READ_S);
    size_t len = 0;
    out[0] = '\0';
    while (!strstr(out, "\r\n\r\n")) {
        cr_assert_lt(len + 1, size, "the head is longer than %zu bytes", size);
        if (read_some(p, out + len, 1, deadline_ms) == 0)
            return false;
        out[++len] = '\0';
    }
    return true;
}

bool peer_upgrade(struct peer *p, const char *subprotocol) {
    char request[512], head[4096];
    snprintf(request, sizeof request,
             "GET / HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
             "%s%s%s\r\n",
             subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol ? subprotocol : "",
             subprotocol ? "\r\n" : "");
    return peer_send_text(p, request) && peer_read_head(p, head, sizeof head) &&
           strstr(head, " 101 ") != NULL;
}

size_t peer_put_frame(const struct peer *p, int opcode, const void *data, size_t len,
                      uint8_t *frame) {
    static const uint8_t masks[2][4] = {{0x37, 0xfa, 0x21, 0x3d}, {0}};
    const uint8_t *mask = masks[p->server], masked = p->server ? 0 : 0x80;
    size_t at = 2;
    cr_assert_leq(len, PEER_FRAME_MAX);
    frame[0] = (uint8_t)(0x80 | opcode);
    if (len < 126) {
        frame[1] = (uint8_t)(masked | len);
    } else if (len < 65536) {
        frame[1] = masked | 126;
    } else {
        frame[1] = masked | 127;
    }
    size_t length_bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;
    for (size_t i = 0; i < length_bytes; i++)
        frame[at++] = (uint8_t)(len >> (8 * (length_bytes - 1 - i)));
    if (!p->server) {
        memcpy(frame + at, mask, 4);
        at += 4;
    }
    for (size_t i = 0; i < len; i++)
        frame[at++] = ((const uint8_t *)data)[i] ^ mask[i % 4];
    return at;
}

bool peer_send_frame(struct peer *p, int opcode, const void *data, size_t len) {
    static uint8_t frame[PEER_FRAME_MAX + PEER_FRAME_HEAD];
    return peer_send(p, frame, peer_put_frame(p, opcode, data, len, frame));
}

static int read_one(struct peer *p, void *ret, size_t size, size_t *ret_len, int64_t deadline_ms) {
    static uint8_t payload[PEER_FRAME_MAX];
    uint8_t head[2], more[8], mask[4] = {0};
    if (!read_whole(p, head, 2, deadline_ms))
        return -1;
    size_t len = head[1] & 0x7f;
    size_t length_bytes = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (!read_whole(p, more, length_bytes, deadline_ms))
        return -1;
    for (size_t i = 0; i < length_bytes; i++)
        len = (i ? len << 8 : 0) | more[i];
    cr_assert_leq(len, sizeof payload, "found a frame of %zu bytes", len);
    if (((head[1] & 0x80) && !read_whole(p, mask, sizeof mask, deadline_ms)) ||
        !read_whole(p, payload, len, deadline_ms))
        return -1;
    for (size_t i = 0; i < len; i++)
        payload[i] ^= mask[i % 4];
    *ret_len = len < size ? len : size;
    memcpy(ret, payload, *ret_len);
    return head[0] & 0x0f;
}

int peer_read_frame(struct peer *p, void *ret, size_t size, size_t *ret_len) {
    int64_t deadline_ms = lab_deadline(READ_S);
    int opcode = PEER_PING;
    while (opcode == PEER_PING) {
        opcode = read_one(p, ret, size, ret_len, deadline_ms);
        if (opcode == PEER_PING)
            peer_send_frame(p, PEER_PONG, ret, *ret_len);
    }
    return opcode;
}

int peer_wait_closed(struct peer *p, int seconds, char *reason, size_t size) {
    int64_t deadline_ms = lab_deadline(seconds);
    uint8_t frame[256];
    size_t len = 0;
    int opcode = 0;
    reason[0] = '\0';
    while (opcode >= 0 && opcode != PEER_CLOSE)
        opcode = read_one(p, frame, sizeof frame, &len, deadline_ms);
    if (opcode != PEER_CLOSE || len < 2)
        return 0;
    snprintf(reason, size, "%.*s", (int)(len - 2), (const char *)frame + 2);
    return frame[0] << 8 | frame[1];
}
