/* Measures how many websocket messages a second libwebsockets on libuv can echo over loopback on
 * this machine, with the load generator of the other measurements. The yardstick for what a hub
 * relays. Must not use anything of the protocol. */
#include <errno.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "bench.h"
#include "outgoing.h"
#include "sockets.h"

#define ECHO_BYTES 512
#define ECHO_CLIENTS 200
#define ECHO_WINDOW 16 /* messages a client has under way */
#define ECHO_SECONDS 3
#define READ_SIZE (16 * 1024)

/* ---- the server: a process of its own ---- */

static unsigned char write_room[LWS_PRE + READ_SIZE];

static int on_receive(struct outgoing *o, struct lws *wsi, struct bytes message) {
    struct error e;
    struct blob *copy = blob_new(message);
    return copy == NULL || outgoing_push(o, wsi, copy, &e) != ERR_OK ? -1 : 0;
}

static int serve(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                 size_t len) {
    switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
        outgoing_init(user);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return on_receive(user, wsi, bytes_of(in, len));
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return outgoing_write(user, wsi, write_room);
    case LWS_CALLBACK_CLOSED:
        outgoing_done(user);
        return 0;
    default:
        return 0;
    }
}

/* Writes its port to the pipe, then serves until it is killed. */
static void run_server(int port_pipe) {
    static const struct lws_protocols protocols[] = {
        {.name = "echo",
         .callback = serve,
         .per_session_data_size = sizeof(struct outgoing),
         .rx_buffer_size = READ_SIZE},
        {.name = NULL}};
    uv_loop_t loop;
    void *loops[] = {&loop};
    struct lws_context_creation_info info = {.port = 0,
                                             .iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .options = LWS_SERVER_OPTION_LIBUV,
                                             .foreign_loops = loops,
                                             .pt_serv_buf_size = READ_SIZE,
                                             .fd_limit_per_thread = 1000,
                                             .vhost_name = "echo"};
    lws_set_log_level(LLL_ERR, NULL);
    if (uv_loop_init(&loop) != 0)
        _exit(71);
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL)
        _exit(71);
    int port = lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "echo"));
    if (write(port_pipe, &port, sizeof port) != (ssize_t)sizeof port)
        _exit(74);
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(0);
}

static enum err start_server(pid_t *ret_pid, int *ret_port, struct error *e) {
    int ends[2];
    if (pipe(ends) != 0)
        return error_set(e, ERR_IO, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_server(ends[1]);
    }
    close(ends[1]);
    ssize_t n = pid > 0 ? read(ends[0], ret_port, sizeof *ret_port) : -1;
    close(ends[0]);
    if (n != (ssize_t)sizeof *ret_port)
        return error_set(e, ERR_IO, "the echo server did not start");
    *ret_pid = pid;
    return ERR_OK;
}

/* ---- the clients ---- */

struct echo_client {
    struct socket *socket;
    int64_t *count;
    const char **why;
};

static void on_opened(void *ctx) {
    static const uint8_t message[ECHO_BYTES];
    struct echo_client *c = ctx;
    for (int i = 0; i < ECHO_WINDOW; i++)
        socket_send(c->socket, bytes_of(message, sizeof message));
}

static void on_message(void *ctx, struct bytes message) {
    struct echo_client *c = ctx;
    ++*c->count;
    socket_send(c->socket, message);
}

static void on_closed(void *ctx, const char *why) {
    (void)why;
    struct echo_client *c = ctx;
    *c->why = "the echo server closed a connection";
}

static enum err run_for(struct sockets *s, int64_t ns, const char *const *why, struct error *e) {
    int64_t until = bench_now_ns() + ns;
    enum err err = ERR_OK;
    while (err == ERR_OK && *why == NULL && bench_now_ns() < until)
        err = sockets_pass(s, 10, e);
    return err == ERR_OK && *why != NULL ? error_set(e, ERR_IO, "%s", *why) : err;
}

static enum err run_clients(struct bench *b, struct sockets *s, int port, struct error *e) {
    static struct echo_client clients[ECHO_CLIENTS];
    static const struct socket_events events = {on_opened, on_message, on_closed};
    char address[64];
    const char *why = NULL;
    int64_t count = 0;
    enum err err = ERR_OK;
    snprintf(address, sizeof address, "ws://127.0.0.1:%d", port);
    for (int i = 0; i < ECHO_CLIENTS && err == ERR_OK; i++) {
        clients[i] = (struct echo_client){NULL, &count, &why};
        err = sockets_connect(s, address, "echo", &events, &clients[i], &clients[i].socket, e);
    }
    if (err == ERR_OK)
        err = run_for(s, 1000000000, &why, e);
    int64_t start = bench_now_ns();
    count = 0;
    if (err == ERR_OK)
        err = run_for(s, ECHO_SECONDS * INT64_C(1000000000), &why, e);
    if (err == ERR_OK)
        b->limits.echo_rate = (double)count / bench_seconds(bench_now_ns() - start);
    return err;
}

enum err bench_echo(struct bench *b, struct error *e) {
    struct sockets *s = NULL;
    pid_t pid = 0;
    int port = 0;
    enum err err = sockets_new(&s, e);
    if (err == ERR_OK)
        err = start_server(&pid, &port, e);
    if (err == ERR_OK)
        err = run_clients(b, s, port, e);
    sockets_free(s);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    struct report_row row = {.group = "limits",
                             .name = "websocket echo",
                             .value = b->limits.echo_rate,
                             .unit = "messages/s",
                             .note = "200 connections, 16 messages of 512 bytes under way on each, "
                                     "server and load generator on the same cores"};
    return err == ERR_OK ? report_add(b->report, &row, e) : err;
}
