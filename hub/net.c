/* Owns the network thread: contexts, vhosts, limits, who is connected, answers back to connections.
 * Must not touch the domain: jobs go to the workers and the store thread. */
#include "net.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "address.h"
#include "clock.h"
#include "connection.h"
#include "keepalive.h"
#include "log.h"
#include "log_repeats.h"
#include "registry.h"
#include "screens.h"
#include "signals.h"

#define CONNECTION_READ_SIZE                                                                       \
    (8 * 1024) /* every connection keeps this much for as long as it lives */
#define DONE_PER_PASS 4096
#define FD_MARGIN 32
#define FD_CAP 1000000
#define HTTP_TIMEOUT_S 15
#define LEAVE_GRACE_MS 2000
#define UNDER_WAY_BYTES ((size_t)64 * 1024 * 1024)

struct net {
    struct net_config config;
    struct connection_host host;
    uv_loop_t loop;
    uv_async_t async;
    uv_signal_t terminate, interrupt;
    uv_timer_t grace;
    struct lws_context *context;
    struct screens *screens;
    struct log_repeats *log; /* what peers bring about */
    struct lws_protocols protocols[3];
    lws_retry_bo_t keepalive;
    struct verify *verify;
    struct registry *registry; /* established: agent key -> connection */
    struct connection **slots; /* by slot number, NULL: free */
    size_t slot_count;
    size_t first_free; /* no slot below it is free */
    uint32_t generation;
    struct connection *due; /* answered in this pass and not yet pumped */
    size_t open;
    size_t under_way, under_way_bytes; /* entries read and not yet answered */
    size_t paused;                     /* connections that are not read from for that */
    char address[INVITE_ADDRESS_MAX];
    char host_name[128]; /* of the public vhost: libwebsockets keeps the pointer */
    uv_check_t pass;
    bool stopping, loop_ready;
};

/* ---- connections by number: an answer may come after its connection went ----------------------
 */

static enum err slot_take(struct net *net, struct connection *c, uint64_t *ret_id) {
    size_t i = net->first_free;
    while (i < net->slot_count && net->slots[i])
        i++;
    if (i == net->slot_count) {
        size_t count = net->slot_count ? net->slot_count * 2 : 64;
        struct connection **slots = realloc(net->slots, count * sizeof(struct connection *));
        if (!slots)
            return ERR_NO_MEMORY;
        memset(slots + net->slot_count, 0, (count - net->slot_count) * sizeof *slots);
        net->slots = slots;
        net->slot_count = count;
    }
    net->slots[i] = c;
    net->first_free = i + 1;
    *ret_id = (uint64_t)++net->generation << 32 | (uint64_t)i;
    return ERR_OK;
}

static void slot_give(struct net *net, uint64_t id) {
    size_t i = (size_t)(id & 0xffffffffu);
    net->slots[i] = NULL;
    if (i < net->first_free)
        net->first_free = i;
}

static struct connection *slot_find(struct net *net, uint64_t id) {
    size_t i = (size_t)(id & 0xffffffffu);
    struct connection *c = i < net->slot_count ? net->slots[i] : NULL;
    return c && c->id == id ? c : NULL;
}

/* Whose doing a line of the log is: the member's, whatever address it comes from, or the place's.
 */
#define SUBJECT_SIZE 96
static const char *subject_of(const struct connection *c, enum err code, char out[SUBJECT_SIZE]) {
    char agent[2 * 8 + 1] = "", place[ADDRESS_PLACE_SIZE] = "-";
    if (c && c->registered)
        hex_encode(agent, bytes_of(c->agent.b, 8));
    else if (c)
        address_place(c->address, place);
    snprintf(out, SUBJECT_SIZE, "%s=%s code=%s", agent[0] ? "agent" : "peer",
             agent[0] ? agent : place, error_name(code));
    return out;
}

/* ---- jobs out and in ---- */

static bool submit_entry(struct net *net, struct job *take_job) {
    size_t len = blob_bytes(take_job->data).len;
    struct connection *c = slot_find(net, take_job->connection);
    if (!verify_offer(net->verify, take_job))
        return false;
    net->under_way++;
    net->under_way_bytes += len;
    bool many = net->under_way >= (size_t)net->config.settings->under_way;
    if (c && !c->paused && (many || net->under_way_bytes >= UNDER_WAY_BYTES)) {
        connection_pause(c, true);
        net->paused++;
        log_event(LOG_DEBUG, "paused", "peer=%s connection=%llu under_way=%zu", c->address,
                  (unsigned long long)c->id, net->under_way);
    }
    return true;
}

static void entry_answered(struct net *net, const struct job *job) {
    net->under_way--;
    net->under_way_bytes -= blob_bytes(job->data).len;
}

/* Half of the limit first: else every answer would start and stop somebody. */
static void read_on(struct net *net) {
    if (net->paused == 0 || net->under_way > (size_t)net->config.settings->under_way / 2 ||
        net->under_way_bytes > UNDER_WAY_BYTES / 2)
        return;
    net->paused = 0;
    for (size_t i = 0; i < net->slot_count; i++)
        if (net->slots[i] && net->slots[i]->paused)
            connection_pause(net->slots[i], false);
}

static bool submit(void *ctx, struct job *take_job) {
    struct net *net = ctx;
    if (take_job->kind == JOB_ACCEPT)
        return submit_entry(net, take_job);
    if (take_job->kind == JOB_GREET)
        return verify_offer(net->verify, take_job);
    return job_queue_offer(net->config.store, take_job);
}

static void note(struct net *net, const struct public_key *agent, bool connected) {
    struct job *job = job_new(JOB_NOTE);
    if (!job)
        return;
    job->agent = *agent;
    job->connected = connected;
    if (!job_queue_offer(net->config.store, job))
        job_free(job);
    screens_changed(net->screens);
}

static void joined(void *ctx, struct connection *c, const struct public_key *agent) {
    struct net *net = ctx;
    char subject[SUBJECT_SIZE];
    bool failed = false;
    struct connection *before = registry_put(net->registry, agent, c, &failed);
    if (failed) {
        connection_expel(c, ERR_NO_MEMORY, "out of memory");
        return;
    }
    c->agent = *agent;
    c->registered = true;
    if (before)
        connection_expel(before, ERR_SUPERSEDED, "the same agent connected again");
    note(net, agent, true);
    log_repeated(net->log, LOG_INFO, "joined", subject_of(c, ERR_OK, subject),
                 "peer=%s connection=%llu", c->address, (unsigned long long)c->id);
}

static void spread_news(struct net *net, const struct hub_news *news) {
    struct connection *c;
    if (news->published)
        screens_changed(net->screens);
    if (news->hub_feed)
        for (size_t i = 0; (c = registry_each(net->registry, &i));)
            connection_news(c);
    for (size_t i = 0; i < news->agent_count && !news->hub_feed; i++)
        if ((c = registry_get(net->registry, &news->agents[i])))
            connection_news(c);
    for (size_t i = 0; i < news->expelled_count; i++)
        if ((c = registry_get(net->registry, &news->expelled[i].agent)))
            connection_expel(c, news->expelled[i].code, error_text(news->expelled[i].code));
}

static void finish(struct net *net, struct job *job) {
    struct connection *c;
    char subject[SUBJECT_SIZE];
    switch (job->kind) {
    case JOB_NEWS:
        spread_news(net, &job->news);
        return;
    case JOB_API:
        screens_answer(net->screens, job);
        return;
    case JOB_GREET:
    case JOB_ACCEPT:
    case JOB_LOAD:
        if (!job->code && job->kind != JOB_LOAD)
            screens_changed(net->screens);
        c = slot_find(net, job->connection);
        if (job->code)
            log_repeated(net->log, LOG_WARN, "refused", subject_of(c, job->code, subject),
                         "connection=%llu detail=\"%s\"", (unsigned long long)job->connection,
                         job->error.detail);
        if (job->kind == JOB_ACCEPT)
            entry_answered(net, job);
        if (c && connection_finish(c, job) && !c->due) {
            c->due = true;
            c->next_due = net->due;
            net->due = c;
        }
        return;
    case JOB_NOTE:
        return;
    }
}

/* Several answers to one connection become one message: an ack stands for all before it. */
static void pump_due(struct net *net) {
    while (net->due) {
        struct connection *c = net->due;
        net->due = c->next_due;
        c->due = false;
        connection_pump(c);
    }
}

static void on_async(uv_async_t *async) {
    struct net *net = async->data;
    struct job *list;
    while ((list = job_queue_take(net->config.done, DONE_PER_PASS, 0))) {
        while (list) {
            struct job *job = list;
            list = job->next;
            finish(net, job);
            job_free(job);
        }
        pump_due(net);
    }
    read_on(net);
}

void net_wake(void *ctx) {
    struct net *net = ctx;
    uv_async_send(&net->async);
}

static int serve_health(void *ctx, const char *path, struct buf *text) {
    struct net *net = ctx;
    if (strcmp(path, "/healthz") != 0)
        return 0;
    buf_printf(text, "ok connections=%zu established=%zu\n", net->open,
               registry_count(net->registry));
    return 200;
}

/* ---- libwebsockets ---- */

/* Limits are told in the close frame: the peer's log then says what to change. */
static int refuse(struct net *net, struct lws *wsi, const char *which, int64_t limit) {
    char address[CONNECTION_ADDRESS_MAX], place[ADDRESS_PLACE_SIZE], subject[SUBJECT_SIZE];
    lws_get_peer_simple(wsi, address, sizeof address);
    snprintf(subject, sizeof subject, "peer=%s", address_place(address, place));
    log_repeated(net->log, LOG_WARN, "too-many-connections", subject, "limit=%s value=%lld", which,
                 (long long)limit);
    lws_close_reason(wsi, LWS_CLOSE_STATUS_POLICY_VIOLATION, (unsigned char *)(uintptr_t)which,
                     strlen(which));
    return -1;
}

static int on_established(struct net *net, struct connection *c, struct lws *wsi) {
    const struct hub_settings *s = net->config.settings;
    struct error e = {0};
    uint64_t id = 0;
    if (net->stopping)
        return -1;
    if ((int64_t)net->open >= s->connections)
        return refuse(net, wsi, "limit.connections", s->connections);
    if (!web_stay(wsi))
        return refuse(net, wsi, "limit.connections_per_address", s->connections_per_address);
    if (slot_take(net, c, &id))
        return -1;
    if (connection_open(c, &net->host, wsi, id, &e)) {
        log_repeated(net->log, LOG_ERROR, "connection", error_name(e.code), "peer=%s", c->address);
        slot_give(net, id);
        connection_done(c);
        c->host = NULL;
        return -1;
    }
    net->open++;
    return 0;
}

static void on_closed(struct net *net, struct connection *c) {
    char subject[SUBJECT_SIZE];
    if (!c->host)
        return;
    log_repeated(net->log, c->close_code ? LOG_WARN : LOG_INFO, "closed",
                 subject_of(c, c->close_code, subject), "peer=%s connection=%llu reason=\"%s\"",
                 c->address, (unsigned long long)c->id, c->close_reason);
    if (c->registered) {
        bool current = registry_get(net->registry, &c->agent) == c;
        registry_remove(net->registry, &c->agent, c);
        if (current)
            note(net, &c->agent, false);
    }
    slot_give(net, c->id);
    net->paused -= c->paused;
    net->open--;
    connection_done(c);
    c->host = NULL;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    struct connection *c = user;
    const struct lws_protocols *protocol = lws_get_protocol(wsi);
    if (!protocol)
        return 0;
    struct net *net = protocol->user;
    switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(net, c, wsi);
    case LWS_CALLBACK_RECEIVE:
        return connection_receive(c, bytes_of(in, len),
                                  lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi),
                                  lws_frame_is_binary(wsi));
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return c->host ? connection_writable(c) : -1;
    case LWS_CALLBACK_TIMER:
        return c && c->host ? connection_timer(c) : 0;
    case LWS_CALLBACK_CLOSED:
        on_closed(net, c);
        return 0;
    default:
        return 0;
    }
}

/* ---- open, run, close ---- */

/* libwebsockets spins in accept() when descriptors run out, so it must stop before they do. */
static unsigned raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 - FD_MARGIN;
    limit.rlim_cur = limit.rlim_max > FD_CAP ? FD_CAP : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return (unsigned)limit.rlim_cur - FD_MARGIN;
}

static enum err listen_public(struct net *net, struct error *e) {
    char *host = net->host_name;
    int port = 0;
    enum err err = web_split_address(net->config.listen, host, sizeof net->host_name, &port, e);
    if (err)
        return err;
    net->protocols[0] = web_protocol(screens_public(net->screens));
    net->protocols[1] = (struct lws_protocols){.name = "plek.v1",
                                               .callback = callback,
                                               .per_session_data_size = sizeof(struct connection),
                                               .rx_buffer_size = CONNECTION_READ_SIZE,
                                               .user = net};
    const struct hub_settings *s = net->config.settings;
    bool tls = s->tls_cert[0] != '\0';
    struct lws_context_creation_info info = {
        .vhost_name = "public",
        .port = port,
        /* The vhost's own: without it libwebsockets ignores the certificate and speaks plain ws. */
        .options = tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
        .iface = host[0] ? host : NULL,
        .protocols = net->protocols,
        .user = screens_public(net->screens),
        .retry_and_idle_policy = &net->keepalive,
        .timeout_secs = HTTP_TIMEOUT_S,
        .keepalive_timeout = HTTP_TIMEOUT_S,
        .alpn = "http/1.1",
        .ssl_cert_filepath = tls ? s->tls_cert : NULL,
        .ssl_private_key_filepath = tls ? s->tls_key : NULL,
    };
    struct lws_vhost *vhost = lws_create_vhost(net->context, &info);
    if (!vhost)
        return error_set(e, ERR_IO, "cannot listen on %s: is the port in use, or the %s wrong?",
                         net->config.listen, tls ? "certificate or key" : "address");
    web_note_address(screens_public(net->screens), lws_get_vhost_listen_port(vhost), tls);
    bool v6 = strchr(host, ':') != NULL;
    snprintf(net->address, sizeof net->address, v6 ? "[%s]:%d" : "%s:%d",
             host[0] ? host : "0.0.0.0", lws_get_vhost_listen_port(vhost));
    return ERR_OK;
}

static void on_grace(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct net *net = handle->data;
    if (net->stopping)
        return;
    net->stopping = true;
    log_event(LOG_INFO, "stopping", "signal=%d connections=%zu", number, net->open);
    for (size_t i = 0; i < net->slot_count; i++)
        if (net->slots[i])
            connection_expel(net->slots[i], ERR_UNAVAILABLE, "the hub is stopping");
    uv_timer_start(&net->grace, on_grace, net->open ? LEAVE_GRACE_MS : 0, 0);
}

static void on_pass(uv_check_t *check) {
    struct net *net = check->data;
    if (net->stopping && net->open == 0)
        uv_stop(&net->loop);
}

static enum err open_loop(struct net *net, struct error *e) {
    if (uv_loop_init(&net->loop) != 0 || uv_async_init(&net->loop, &net->async, on_async) != 0)
        return error_set(e, ERR_NO_MEMORY, "libuv could not start");
    uv_signal_init(&net->loop, &net->terminate);
    uv_signal_init(&net->loop, &net->interrupt);
    uv_timer_init(&net->loop, &net->grace);
    uv_check_init(&net->loop, &net->pass);
    net->log = log_repeats_new(&net->loop);
    if (!net->log)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the log");
    net->async.data = net->terminate.data = net->interrupt.data = net->pass.data = net;
    net->loop_ready = true;
    return ERR_OK;
}

enum err net_open(const struct net_config *config, struct net **ret, struct error *e) {
    struct net *net = calloc(1, sizeof *net);
    if (!net)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the network");
    net->config = *config;
    net->keepalive = keepalive_policy();
    net->registry = registry_new();
    enum err err = open_loop(net, e);
    if (err) {
        net_close(net);
        return err;
    }
    struct screens_config screens = {.loop = &net->loop,
                                     .log = net->log,
                                     .settings = config->settings,
                                     .web_root = config->web_root,
                                     .web_shared = config->web_shared,
                                     .store = config->store,
                                     .plain = serve_health,
                                     .ctx = net};
    net->screens = screens_new(&screens);
    net->host = (struct connection_host){.keys = config->keys,
                                         .entropy = config->entropy,
                                         .ctx = net,
                                         .submit = submit,
                                         .joined = joined,
                                         .write_room =
                                             malloc(LWS_PRE + FRAME_MAX_BYTES + CHANNEL_OVERHEAD)};
    if (!net->registry || !net->screens || !net->host.write_room)
        err = error_set(e, ERR_NO_MEMORY, "not enough memory for the network");
    if (!err)
        err = web_context_new(&(struct web_context){.loop = &net->loop,
                                                    .max_descriptors = raise_descriptors(),
                                                    .timeout_s = HTTP_TIMEOUT_S},
                              &net->context, e);
    if (!err)
        err = listen_public(net, e);
    char socket[512];
    snprintf(socket, sizeof socket, "%s/api.sock", config->dir);
    if (!err)
        err = web_listen_socket(screens_socket(net->screens), net->context, socket, e);
    if (err) {
        net_close(net);
        return err;
    }
    *ret = net;
    return ERR_OK;
}

void net_set_verify(struct net *net, struct verify *verify) {
    net->verify = verify;
}

const char *net_address(const struct net *net) {
    return net->address;
}

void net_run(struct net *net) {
    uv_check_start(&net->pass, on_pass);
    uv_signal_start(&net->terminate, on_signal, SIGTERM);
    uv_signal_start(&net->interrupt, on_signal, SIGINT);
    signals_release();
    uv_run(&net->loop, UV_RUN_DEFAULT);
}

static void close_handles(struct net *net) {
    uv_handle_t *handles[] = {(uv_handle_t *)&net->async, (uv_handle_t *)&net->terminate,
                              (uv_handle_t *)&net->interrupt, (uv_handle_t *)&net->grace,
                              (uv_handle_t *)&net->pass};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        uv_close(handles[i], NULL);
    log_repeats_stop(net->log);
}

/* A foreign loop is torn down in two steps: the context closes its handles, the loop carries that
 * out, then the context can go. */
void net_close(struct net *net) {
    if (!net)
        return;
    if (net->loop_ready)
        close_handles(net);
    screens_stop(net->screens);
    if (net->context) {
        lws_context_destroy(net->context);
        uv_run(&net->loop, UV_RUN_DEFAULT);
        lws_context_destroy(net->context);
    }
    if (net->loop_ready) {
        uv_run(&net->loop, UV_RUN_DEFAULT);
        uv_loop_close(&net->loop);
    }
    screens_free(net->screens);
    log_repeats_free(net->log);
    registry_free(net->registry);
    free(net->slots);
    free(net->host.write_room);
    free(net);
}
