/* Owns a TCP proxy that does badly on purpose (proxy.h). */
#include "proxy.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TICK_MS 2
#define BACKLOG 64
#define READ_SIZE 16384
#define SLOW_PIECE 512 /* bytes at once where bytes_per_s holds */
#define PASSED_MAX (8 * 1024 * 1024)

struct piece {
    struct piece *next;
    int64_t due_ms;
    size_t len; /* 0: the end of this way */
    uint8_t data[];
};

struct way {
    struct piece *first, **end;
    int64_t free_ms; /* when the last piece is through, where bytes_per_s holds */
    int64_t passed;
    char room[READ_SIZE];
};

/* sides[PROXY_UP] is who connected, sides[PROXY_DOWN] the target. */
struct connection {
    struct connection *next;
    struct proxy *proxy;
    uv_tcp_t sides[2], second;
    uv_connect_t connects[2];
    struct way ways[2];
    int64_t active_ms;
    bool has_second, closing, silenced;
    int open_handles;
    void *seen;
};

struct proxy {
    struct sockaddr_in target;
    struct proxy_hook hook;
    char address[64];
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t tick;
    uv_async_t async;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    struct proxy_rule rule;
    struct proxy_counts counts;
    bool cut_all, stop;
    struct connection *connections; /* the loop's alone */
};

/* ---- what the test and the loop share ---- */

static struct proxy_rule rule_of(struct proxy *p) {
    pthread_mutex_lock(&p->lock);
    struct proxy_rule rule = p->rule;
    pthread_mutex_unlock(&p->lock);
    return rule;
}

static void count_one(struct proxy *p, unsigned *counter) {
    pthread_mutex_lock(&p->lock);
    (*counter)++;
    pthread_mutex_unlock(&p->lock);
}

/* ---- ending ---- */

static void on_handle_closed(uv_handle_t *handle) {
    struct connection *c = handle->data;
    if (--c->open_handles > 0)
        return;
    struct connection **at = &c->proxy->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    for (int way = 0; way < 2; way++)
        while (c->ways[way].first) {
            struct piece *piece = c->ways[way].first;
            c->ways[way].first = piece->next;
            free(piece);
        }
    if (c->proxy->hook.closed)
        c->proxy->hook.closed(c->seen);
    count_one(c->proxy, &c->proxy->counts.closed);
    free(c);
}

static void close_side(uv_tcp_t *side, bool reset) {
    if (reset && uv_tcp_close_reset(side, on_handle_closed) == 0)
        return;
    uv_close((uv_handle_t *)side, on_handle_closed);
}

static void end(struct connection *c, bool reset) {
    if (c->closing)
        return;
    c->closing = true;
    close_side(&c->sides[PROXY_UP], reset);
    close_side(&c->sides[PROXY_DOWN], reset);
    if (c->has_second)
        close_side(&c->second, reset);
}

static void cut(struct connection *c, bool reset) {
    if (!c->closing)
        count_one(c->proxy, &c->proxy->counts.cut);
    end(c, reset);
}

/* ---- passing on ---- */

static void on_written(uv_write_t *write, int status) {
    (void)status;
    free(write);
}

static void send_to(uv_tcp_t *side, const uint8_t *data, size_t len) {
    uv_write_t *write = malloc(sizeof *write + len);
    if (!write)
        return;
    memcpy(write + 1, data, len);
    uv_buf_t piece = uv_buf_init((char *)(write + 1), (unsigned)len);
    if (uv_write(write, (uv_stream_t *)side, &piece, 1, on_written) != 0)
        free(write);
}

static void pass_on(struct connection *c, enum proxy_way way, const struct piece *piece) {
    struct proxy *p = c->proxy;
    struct way *w = &c->ways[way];
    struct proxy_rule rule = rule_of(p);
    size_t len = piece->len;
    int64_t left = rule.cut_at[way] - w->passed;
    bool cuts = rule.cut_at[way] >= 0 && (int64_t)len >= left;
    if (cuts)
        len = left > 0 ? (size_t)left : 0;
    w->passed += (int64_t)len;
    pthread_mutex_lock(&p->lock);
    p->counts.bytes[way] += len;
    pthread_mutex_unlock(&p->lock);
    if (len > 0)
        send_to(&c->sides[way == PROXY_UP ? PROXY_DOWN : PROXY_UP], piece->data, len);
    if (len > 0 && way == PROXY_UP && c->has_second)
        send_to(&c->second, piece->data, len);
    if (cuts)
        cut(c, rule.reset);
    else if (piece->len == 0)
        end(c, false);
}

static void pass_due(struct connection *c, int64_t now_ms) {
    for (enum proxy_way way = PROXY_UP; way <= PROXY_DOWN; way++) {
        struct way *w = &c->ways[way];
        while (w->first && !c->closing && w->first->due_ms <= now_ms) {
            struct piece *piece = w->first;
            w->first = piece->next;
            if (!w->first)
                w->end = &w->first;
            pass_on(c, way, piece);
            free(piece);
        }
    }
}

static void queue(struct connection *c, enum proxy_way way, const uint8_t *data, size_t len) {
    struct way *w = &c->ways[way];
    struct proxy_rule rule = rule_of(c->proxy);
    struct piece *piece = malloc(sizeof *piece + len);
    int64_t now_ms = (int64_t)uv_now(&c->proxy->loop);
    if (!piece)
        return;
    piece->next = NULL;
    piece->len = len;
    piece->due_ms = now_ms + rule.delay_ms;
    if (rule.bytes_per_s > 0) {
        int64_t from_ms = w->free_ms > piece->due_ms ? w->free_ms : piece->due_ms;
        w->free_ms = piece->due_ms = from_ms + (int64_t)len * 1000 / rule.bytes_per_s;
    }
    if (len > 0)
        memcpy(piece->data, data, len);
    *w->end = piece;
    w->end = &piece->next;
}

static void queue_bytes(struct connection *c, enum proxy_way way, struct bytes in) {
    size_t most = rule_of(c->proxy).bytes_per_s > 0 ? SLOW_PIECE : in.len;
    for (size_t at = 0; at < in.len;) {
        size_t len = in.len - at < most ? in.len - at : most;
        queue(c, way, in.data + at, len);
        at += len;
    }
}

/* ---- reading ---- */

static enum proxy_way way_of(struct connection *c, const uv_stream_t *from) {
    return from == (uv_stream_t *)&c->sides[PROXY_UP] ? PROXY_UP : PROXY_DOWN;
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret) {
    struct connection *c = handle->data;
    (void)wanted;
    *ret = uv_buf_init(c->ways[way_of(c, (uv_stream_t *)handle)].room, READ_SIZE);
}

static void hear(struct connection *c, enum proxy_way way, struct bytes in) {
    struct buf out[2];
    buf_init(&out[PROXY_UP], PASSED_MAX);
    buf_init(&out[PROXY_DOWN], PASSED_MAX);
    c->proxy->hook.passes(c->seen, way, in, out);
    for (enum proxy_way to = PROXY_UP; to <= PROXY_DOWN; to++) {
        queue_bytes(c, to, buf_bytes(&out[to]));
        buf_done(&out[to]);
    }
}

static void on_read(uv_stream_t *from, ssize_t n, const uv_buf_t *room) {
    struct connection *c = from->data;
    struct proxy *p = c->proxy;
    enum proxy_way way = way_of(c, from);
    c->silenced |= rule_of(p).silent;
    if (n < 0)
        uv_read_stop(from);
    if (n == 0 || c->closing || c->silenced)
        return;
    c->active_ms = (int64_t)uv_now(&p->loop);
    struct bytes in = bytes_of(room->base, n > 0 ? (size_t)n : 0);
    if (n > 0 && p->hook.passes) {
        hear(c, way, in);
    } else if (n > 0) {
        queue_bytes(c, way, in);
    } else {
        queue(c, way, NULL, 0);
    }
    pass_due(c, (int64_t)uv_now(&p->loop));
}

/* ---- connecting ---- */

static void on_connected(uv_connect_t *connect, int status) {
    struct connection *c = connect->data;
    if (status != 0 && connect == &c->connects[0])
        end(c, false);
}

static void discard_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret) {
    static char nowhere[READ_SIZE];
    (void)handle, (void)wanted;
    *ret = uv_buf_init(nowhere, sizeof nowhere);
}

static void discard(uv_stream_t *from, ssize_t n, const uv_buf_t *room) {
    (void)room;
    if (n < 0)
        uv_read_stop(from);
}

static void add_handle(struct connection *c, uv_tcp_t *side) {
    uv_tcp_init(&c->proxy->loop, side);
    side->data = c;
    c->open_handles++;
}

static void connect_to_target(struct connection *c, uv_tcp_t *side, uv_connect_t *connect) {
    connect->data = c;
    uv_tcp_connect(connect, side, (const struct sockaddr *)&c->proxy->target, on_connected);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct proxy *p = listener->data;
    struct connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return;
    c->proxy = p;
    c->next = p->connections;
    p->connections = c;
    c->active_ms = (int64_t)uv_now(&p->loop);
    c->seen = p->hook.opened ? p->hook.opened(p->hook.ctx) : NULL;
    for (int way = 0; way < 2; way++) {
        c->ways[way].end = &c->ways[way].first;
        add_handle(c, &c->sides[way]);
    }
    count_one(p, &p->counts.opened);
    if (uv_accept(listener, (uv_stream_t *)&c->sides[PROXY_UP]) != 0) {
        end(c, false);
        return;
    }
    connect_to_target(c, &c->sides[PROXY_DOWN], &c->connects[0]);
    uv_read_start((uv_stream_t *)&c->sides[PROXY_UP], give_room, on_read);
    uv_read_start((uv_stream_t *)&c->sides[PROXY_DOWN], give_room, on_read);
    if (rule_of(p).twice) {
        c->has_second = true;
        add_handle(c, &c->second);
        connect_to_target(c, &c->second, &c->connects[1]);
        uv_read_start((uv_stream_t *)&c->second, discard_room, discard);
        count_one(p, &p->counts.doubled);
    }
}

/* ---- the loop ---- */

static void on_tick(uv_timer_t *timer) {
    struct proxy *p = timer->data;
    int64_t now_ms = (int64_t)uv_now(&p->loop);
    struct proxy_rule rule = rule_of(p);
    for (struct connection *c = p->connections; c; c = c->next) {
        if (!c->closing && rule.idle_cut_ms > 0 && now_ms - c->active_ms >= rule.idle_cut_ms)
            cut(c, rule.reset);
        pass_due(c, now_ms);
    }
}

static void on_async(uv_async_t *async) {
    struct proxy *p = async->data;
    struct proxy_rule rule = rule_of(p);
    pthread_mutex_lock(&p->lock);
    bool all = p->cut_all, stop = p->stop;
    p->cut_all = false;
    pthread_mutex_unlock(&p->lock);
    for (struct connection *c = p->connections; c && (all || stop); c = c->next) {
        if (stop)
            end(c, false);
        else
            cut(c, rule.reset);
    }
    if (stop) {
        uv_close((uv_handle_t *)&p->listener, NULL);
        uv_close((uv_handle_t *)&p->tick, NULL);
        uv_close((uv_handle_t *)&p->async, NULL);
    }
}

static void *run(void *arg) {
    struct proxy *p = arg;
    sigset_t pipe; /* libuv leaves it to its user */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void listen_beside(struct proxy *p) {
    struct sockaddr_in own = p->target;
    int len = sizeof own;
    char host[32];
    own.sin_port = 0;
    cr_assert_eq(uv_tcp_bind(&p->listener, (const struct sockaddr *)&own, 0), 0);
    cr_assert_eq(uv_listen((uv_stream_t *)&p->listener, BACKLOG, on_connection), 0);
    cr_assert_eq(uv_tcp_getsockname(&p->listener, (struct sockaddr *)&own, &len), 0);
    cr_assert_eq(uv_ip4_name(&own, host, sizeof host), 0);
    snprintf(p->address, sizeof p->address, "%s:%d", host, ntohs(own.sin_port));
}

struct proxy *proxy_new(const char *target, const struct proxy_hook *hook) {
    char host[64];
    const char *colon = strrchr(target, ':');
    struct proxy *p = calloc(1, sizeof *p);
    cr_assert(p && colon, "no proxy to %s", target);
    snprintf(host, sizeof host, "%.*s", (int)(colon - target), target);
    cr_assert_eq(uv_ip4_addr(host, (int)strtol(colon + 1, NULL, 10), &p->target), 0, "%s", target);
    p->rule = proxy_plain();
    if (hook)
        p->hook = *hook;
    cr_assert_eq(uv_loop_init(&p->loop), 0);
    uv_tcp_init(&p->loop, &p->listener);
    uv_timer_init(&p->loop, &p->tick);
    uv_async_init(&p->loop, &p->async, on_async);
    p->listener.data = p->tick.data = p->async.data = p;
    pthread_mutex_init(&p->lock, NULL);
    listen_beside(p);
    uv_timer_start(&p->tick, on_tick, TICK_MS, TICK_MS);
    cr_assert_eq(pthread_create(&p->thread, NULL, run, p), 0);
    return p;
}

void proxy_free(struct proxy *p) {
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_mutex_unlock(&p->lock);
    uv_async_send(&p->async);
    pthread_join(p->thread, NULL);
    uv_loop_close(&p->loop);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

const char *proxy_address(const struct proxy *p) {
    return p->address;
}

void proxy_set(struct proxy *p, const struct proxy_rule *rule) {
    pthread_mutex_lock(&p->lock);
    p->rule = *rule;
    pthread_mutex_unlock(&p->lock);
}

void proxy_cut_all(struct proxy *p) {
    pthread_mutex_lock(&p->lock);
    p->cut_all = true;
    pthread_mutex_unlock(&p->lock);
    uv_async_send(&p->async);
}

struct proxy_counts proxy_count(struct proxy *p) {
    pthread_mutex_lock(&p->lock);
    struct proxy_counts counts = p->counts;
    pthread_mutex_unlock(&p->lock);
    return counts;
}
