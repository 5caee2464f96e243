/* Implements the websocket clients (RFC 6455, client side) over non-blocking sockets and epoll.
 * Must not know what a message says. */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (128 * 1024)
#define MESSAGE_MAX (2 * 1024 * 1024)
#define EVENTS 256
#define OPCODE_CONTINUE 0u
#define OPCODE_BINARY 2u
#define OPCODE_CLOSE 8u
#define OPCODE_PING 9u
#define OPCODE_PONG 10u
#define HEADER_MAX 14
#define REQUEST_MAX 512

struct socket {
    struct sockets *owner;
    struct socket_events events;
    void *ctx;
    int fd;
    SSL *ssl;           /* NULL: ws */
    struct buf in;      /* what is left of earlier reads */
    struct buf message; /* fragments before the final one */
    struct buf out;
    size_t out_from;
    bool upgraded, wants_out, dirty, closing, broken;
    struct socket *next_dirty, *next_dead;
    struct socket *prev, *next;
};

struct sockets {
    int epoll;
    SSL_CTX *tls;
    uint8_t *room;
    uint32_t mask;
    size_t count;
    uint64_t sent;
    struct socket *all, *dirty, *dead;
};

enum err sockets_new(struct sockets **ret, struct error *e) {
    struct sockets *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for the load generator's sockets");
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->room = malloc(READ_BYTES);
    s->mask = 0x9e3779b9u;
    if (s->epoll < 0 || s->room == NULL) {
        sockets_free(s);
        return error_set(e, ERR_NO_MEMORY, "no epoll instance: %s", strerror(errno));
    }
    *ret = s;
    return ERR_OK;
}

static void release(struct socket *socket) {
    struct sockets *s = socket->owner;
    if (socket->prev != NULL)
        socket->prev->next = socket->next;
    else
        s->all = socket->next;
    if (socket->next != NULL)
        socket->next->prev = socket->prev;
    SSL_free(socket->ssl);
    close(socket->fd);
    buf_done(&socket->in);
    buf_done(&socket->message);
    buf_done(&socket->out);
    free(socket);
    s->count--;
}

void sockets_free(struct sockets *s) {
    if (s == NULL)
        return;
    while (s->all != NULL)
        release(s->all);
    if (s->epoll >= 0)
        close(s->epoll);
    SSL_CTX_free(s->tls);
    free(s->room);
    free(s);
}

size_t sockets_count(const struct sockets *s) {
    return s->count;
}

uint64_t sockets_sent(const struct sockets *s) {
    return s->sent;
}

/* ---- what is due: sockets to write, sockets to release ---- */

static void mark_dirty(struct socket *socket) {
    if (socket->dirty)
        return;
    socket->dirty = true;
    socket->next_dirty = socket->owner->dirty;
    socket->owner->dirty = socket;
}

static void mark_dead(struct socket *socket) {
    if (socket->closing)
        return;
    socket->closing = true;
    socket->next_dead = socket->owner->dead;
    socket->owner->dead = socket;
}

void socket_close(struct socket *socket) {
    socket->events.closed = NULL;
    mark_dead(socket);
}

static void break_off(struct socket *socket, const char *why) {
    if (socket->closing)
        return;
    mark_dead(socket);
    if (socket->events.closed != NULL)
        socket->events.closed(socket->ctx, why);
}

/* ---- writing ---- */

static void watch(struct socket *socket, bool out) {
    struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = socket};
    if (socket->wants_out == out)
        return;
    socket->wants_out = out;
    epoll_ctl(socket->owner->epoll, EPOLL_CTL_MOD, socket->fd, &event);
}

/* As write(2): -1 and EAGAIN when it would block. */
static ssize_t write_some(struct socket *socket, const uint8_t *data, size_t len) {
    if (socket->ssl == NULL)
        return send(socket->fd, data, len, MSG_NOSIGNAL);
    int n = SSL_write(socket->ssl, data, len > INT32_MAX ? INT32_MAX : (int)len);
    if (n > 0)
        return n;
    int why = SSL_get_error(socket->ssl, n);
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t read_some(struct socket *socket, uint8_t *room, size_t len) {
    if (socket->ssl == NULL)
        return recv(socket->fd, room, len, 0);
    int n = SSL_read(socket->ssl, room, (int)len);
    if (n > 0)
        return n;
    int why = SSL_get_error(socket->ssl, n);
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return -1;
}

static void flush(struct socket *socket) {
    while (!socket->closing && socket->out_from < socket->out.len) {
        ssize_t n = write_some(socket, socket->out.data + socket->out_from,
                               socket->out.len - socket->out_from);
        if (n < 0 && errno == EAGAIN) {
            watch(socket, true);
            return;
        }
        if (n <= 0) {
            break_off(socket, "writing failed");
            return;
        }
        socket->out_from += (size_t)n;
        socket->owner->sent += (uint64_t)n;
    }
    socket->out.len = 0;
    socket->out_from = 0;
    if (!socket->closing)
        watch(socket, false);
}

/* Bytes that were sent already make room. */
static void compact(struct socket *socket) {
    if (socket->out_from == 0)
        return;
    socket->out.len -= socket->out_from;
    memmove(socket->out.data, socket->out.data + socket->out_from, socket->out.len);
    socket->out_from = 0;
}

static void send_frame(struct socket *socket, unsigned opcode, struct bytes payload) {
    struct sockets *s = socket->owner;
    uint8_t header[HEADER_MAX] = {(uint8_t)(0x80u | opcode)};
    size_t at = 2, len = payload.len;
    if (len < 126) {
        header[1] = (uint8_t)(0x80u | len);
    } else {
        size_t wide = len < 65536 ? 2 : 8;
        header[1] = wide == 2 ? 0x80u | 126 : 0x80u | 127;
        for (size_t i = 0; i < wide; i++)
            header[at++] = (uint8_t)((uint64_t)len >> 8 * (wide - 1 - i));
    }
    s->mask = s->mask * 1664525u + 1013904223u;
    memcpy(header + at, &s->mask, 4);
    at += 4;
    compact(socket);
    buf_append(&socket->out, header, at);
    buf_append(&socket->out, payload.data, len);
    if (socket->out.failed) {
        break_off(socket, "no memory to send");
        return;
    }
    uint8_t *p = socket->out.data + socket->out.len - len;
    uint64_t wide = (uint64_t)s->mask << 32 | s->mask, word;
    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        word ^= wide;
        memcpy(p, &word, 8);
    }
    for (size_t i = 0; i < len; i++)
        p[i] ^= header[at - 4 + i % 4];
    mark_dirty(socket);
}

void socket_send(struct socket *socket, struct bytes message) {
    if (!socket->closing)
        send_frame(socket, OPCODE_BINARY, message);
}

/* ---- connecting ---- */

static enum err split_address(const char *address, bool *ret_tls, struct sockaddr_in *ret,
                              struct error *e) {
    char host[64];
    const char *start = strstr(address, "://");
    const char *colon = strrchr(address, ':');
    *ret_tls = strncmp(address, "wss://", 6) == 0;
    if (start == NULL || colon <= start || (size_t)(colon - start - 3) >= sizeof host)
        return error_set(e, ERR_DATA, "found '%s', expected ws://HOST:PORT", address);
    snprintf(host, sizeof host, "%.*s", (int)(colon - start - 3), start + 3);
    *ret = (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10))};
    if (inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        return error_set(e, ERR_DATA, "found host '%s', expected an IPv4 address", host);
    return ERR_OK;
}

static enum err start_tls(struct socket *socket, struct error *e) {
    struct sockets *s = socket->owner;
    if (s->tls == NULL)
        s->tls = SSL_CTX_new(TLS_client_method());
    socket->ssl = s->tls != NULL ? SSL_new(s->tls) : NULL;
    if (socket->ssl == NULL || SSL_set_fd(socket->ssl, socket->fd) != 1)
        return error_set(e, ERR_NO_MEMORY, "TLS could not start");
    SSL_set_mode(socket->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_connect_state(socket->ssl);
    return ERR_OK;
}

static void ask_upgrade(struct socket *socket, const char *subprotocol) {
    /* The key only tells a websocket server from a confused cache: any 16 bytes will do. */
    buf_printf(&socket->out,
               "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Key: cGxlay1iZW5jaC1jbGllbnQ=\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
               subprotocol);
    mark_dirty(socket);
}

static enum err connect_fd(const struct sockaddr_in *to, int *ret, struct error *e) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return error_set(e, ERR_IO, "socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        error_set(e, ERR_IO, "connect: %s", strerror(errno));
        close(fd);
        return e->code;
    }
    *ret = fd;
    return ERR_OK;
}

static enum err add_socket(struct sockets *s, int take_fd, struct socket **ret, struct error *e) {
    struct socket *made = calloc(1, sizeof *made);
    if (made == NULL) {
        close(take_fd);
        return error_set(e, ERR_NO_MEMORY, "no memory for a socket");
    }
    made->owner = s;
    made->fd = take_fd;
    buf_init(&made->in, MESSAGE_MAX);
    buf_init(&made->message, MESSAGE_MAX);
    buf_init(&made->out, 8 * MESSAGE_MAX);
    made->next = s->all;
    if (s->all != NULL)
        s->all->prev = made;
    s->all = made;
    s->count++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = made};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, take_fd, &event) != 0) {
        release(made);
        return error_set(e, ERR_IO, "epoll: %s", strerror(errno));
    }
    *ret = made;
    return ERR_OK;
}

enum err sockets_connect(struct sockets *s, const char *address, const char *subprotocol,
                         const struct socket_events *events, void *ctx, struct socket **ret,
                         struct error *e) {
    struct sockaddr_in to;
    struct socket *made = NULL;
    bool tls = false;
    int fd = -1;
    enum err err = split_address(address, &tls, &to, e);
    if (err == ERR_OK)
        err = connect_fd(&to, &fd, e);
    if (err == ERR_OK)
        err = add_socket(s, fd, &made, e);
    if (err == ERR_OK && tls && (err = start_tls(made, e)) != ERR_OK)
        release(made);
    if (err != ERR_OK)
        return err;
    made->events = *events;
    made->ctx = ctx;
    ask_upgrade(made, subprotocol);
    *ret = made;
    return ERR_OK;
}

/* ---- reading ---- */

struct ws_frame {
    unsigned opcode;
    bool final;
    struct bytes payload;
    size_t whole; /* with its header */
};

/* False: more bytes are needed. */
static bool next_frame(struct bytes in, struct ws_frame *ret) {
    if (in.len < 2)
        return false;
    size_t at = 2, len = in.data[1] & 0x7fu, wide = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (in.len < at + wide)
        return false;
    for (size_t i = 0; i < wide; i++)
        len = (i == 0 ? 0 : len << 8) | in.data[at++];
    if (in.len - at < len)
        return false;
    *ret = (struct ws_frame){.opcode = in.data[0] & 0x0fu,
                             .final = (in.data[0] & 0x80u) != 0,
                             .payload = bytes_of(in.data + at, len),
                             .whole = at + len};
    return true;
}

static void take_data(struct socket *socket, const struct ws_frame *frame) {
    if (frame->final && socket->message.len == 0) {
        socket->events.message(socket->ctx, frame->payload);
        return;
    }
    buf_append(&socket->message, frame->payload.data, frame->payload.len);
    if (socket->message.failed) {
        break_off(socket, "a message is too large");
        return;
    }
    if (!frame->final)
        return;
    socket->events.message(socket->ctx, buf_bytes(&socket->message));
    socket->message.len = 0;
}

static void take_frame(struct socket *socket, const struct ws_frame *frame) {
    char why[160];
    size_t len = frame->payload.len;
    switch (frame->opcode) {
    case OPCODE_CONTINUE:
    case OPCODE_BINARY:
        take_data(socket, frame);
        return;
    case OPCODE_PING:
        send_frame(socket, OPCODE_PONG, frame->payload);
        return;
    case OPCODE_PONG:
        return;
    case OPCODE_CLOSE:
        snprintf(why, sizeof why, "the server closed: %.*s", len > 2 ? (int)len - 2 : 0,
                 len > 2 ? (const char *)frame->payload.data + 2 : "");
        break_off(socket, why);
        return;
    default:
        break_off(socket, "unexpected websocket frame");
    }
}

/* Bytes of the answer to the upgrade; 0: not whole yet. */
static size_t take_upgrade(struct socket *socket, struct bytes in) {
    const uint8_t *end = memmem(in.data, in.len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    if (in.len < 12 || memcmp(in.data + 8, " 101", 4) != 0) {
        break_off(socket, "the server did not upgrade to websocket");
        return 0;
    }
    socket->upgraded = true;
    socket->events.opened(socket->ctx);
    return (size_t)(end - in.data) + 4;
}

/* Returns how many bytes were used up. */
static size_t take_bytes(struct socket *socket, struct bytes in) {
    size_t used = socket->upgraded ? 0 : take_upgrade(socket, in);
    struct ws_frame frame;
    while (socket->upgraded && !socket->closing &&
           next_frame(bytes_of(in.data + used, in.len - used), &frame)) {
        used += frame.whole;
        take_frame(socket, &frame);
    }
    return used;
}

static void receive(struct socket *socket, struct bytes piece) {
    if (socket->in.len == 0) {
        size_t used = take_bytes(socket, piece);
        buf_append(&socket->in, piece.data + used, piece.len - used);
    } else {
        buf_append(&socket->in, piece.data, piece.len);
        size_t used = take_bytes(socket, buf_bytes(&socket->in));
        socket->in.len -= used;
        memmove(socket->in.data, socket->in.data + used, socket->in.len);
    }
    if (socket->in.failed)
        break_off(socket, "a message is too large");
}

static void on_readable(struct socket *socket) {
    struct sockets *s = socket->owner;
    do {
        ssize_t n = read_some(socket, s->room, READ_BYTES);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            break_off(socket, "the server hung up");
            return;
        }
        receive(socket, bytes_of(s->room, (size_t)n));
    } while (socket->ssl != NULL && !socket->closing); /* TLS keeps bytes that epoll cannot see */
}

enum err sockets_pass(struct sockets *s, int wait_ms, struct error *e) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(s->epoll, events, EVENTS, s->dirty != NULL ? 0 : wait_ms);
    if (n < 0 && errno != EINTR)
        return error_set(e, ERR_IO, "epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct socket *socket = events[i].data.ptr;
        if (!socket->closing && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
            on_readable(socket);
        if (!socket->closing && (events[i].events & EPOLLOUT) != 0)
            mark_dirty(socket);
    }
    while (s->dirty != NULL) {
        struct socket *socket = s->dirty;
        s->dirty = socket->next_dirty;
        socket->dirty = false;
        if (!socket->closing)
            flush(socket);
    }
    while (s->dead != NULL) {
        struct socket *socket = s->dead;
        s->dead = socket->next_dead;
        release(socket);
    }
    return ERR_OK;
}
