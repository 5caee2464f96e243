/* Measures the part of a hub's work that an MQTT broker does: as many clients as live ingest has
 * publish at QoS 1, one persistent subscriber takes it all. Needs Mosquitto and its library;
 * without the library this file only says so. Must not use the project's own protocol. */
#include "bench.h"

#ifndef PLEK_MOSQUITTO

enum err bench_mosquitto(struct bench *b, struct error *e) {
    (void)b;
    (void)e;
    fputs("bench: built without libmosquitto-dev: that comparison is left out\n", stderr);
    return ERR_OK;
}

#else

#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

#define PAYLOAD 900 /* about an entry of one line that changed */
#define QOS 1
#define CONNECT_TRIES 100
#define WARM_UP 5 /* the first 1/5 is not timed */
#define TAIL 20   /* nor the last 1/20 */
#define PHASE_SECONDS 300

struct mqtt {
    const struct bench *bench;
    struct process broker;
    int port;
    struct publisher {
        struct mqtt *all;
        struct mosquitto *client;
        int sent;
        bool connected;
    } * publishers; /* [bench->agents], then the subscriber */
    int each;       /* messages of one publisher */
    long acked, received, wanted;
    bool subscribed, failed;
};

static struct publisher *subscriber(const struct mqtt *q) {
    return &q->publishers[q->bench->agents];
}

static enum err check(int code, const char *what, struct error *e) {
    return code == MOSQ_ERR_SUCCESS
               ? ERR_OK
               : error_set(e, ERR_UNAVAILABLE, "MQTT: %s: %s", what, mosquitto_strerror(code));
}

/* ---- the broker ---- */

static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static enum err write_config(const struct mqtt *q, const char *dir, const char *path,
                             struct error *e) {
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return error_set(e, ERR_CANNOT_CREATE, "%s: %s", path, strerror(errno));
    fprintf(file,
            "listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "max_inflight_messages %d\npersistence true\npersistence_location %s/\n"
            "autosave_interval 1\nlog_type error\nset_tcp_nodelay true\n",
            q->port, q->bench->window, dir);
    if (geteuid() == 0)
        fputs("user root\n", file);
    return fclose(file) == 0 ? ERR_OK : error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* It prints nothing when it is ready: the first connection tells. */
static enum err start_broker(struct mqtt *q, struct error *e) {
    char dir[BENCH_PATH_MAX], config[BENCH_PATH_MAX + 32];
    snprintf(dir, sizeof dir, "%.4000s/mosquitto", q->bench->dir);
    snprintf(config, sizeof config, "%s/mosquitto.conf", dir);
    if (mkdir(dir, 0700) != 0)
        return error_set(e, ERR_CANNOT_CREATE, "%s: %s", dir, strerror(errno));
    q->port = free_port();
    enum err err = write_config(q, dir, config, e);
    if (err != ERR_OK)
        return err;
    pid_t pid = fork();
    if (pid < 0)
        return error_set(e, ERR_UNAVAILABLE, "fork: %s", strerror(errno));
    if (pid == 0) {
        execl(q->bench->mosquitto, "mosquitto", "-c", config, (char *)NULL);
        _exit(127);
    }
    q->broker.pid = pid;
    return ERR_OK;
}

/* ---- clients ---- */

static void publish_next(struct publisher *p) {
    static const uint8_t payload[PAYLOAD];
    char topic[32];
    snprintf(topic, sizeof topic, "bench/%d", (int)(p - p->all->publishers));
    if (p->sent >= p->all->each)
        return;
    p->sent++;
    if (mosquitto_publish(p->client, NULL, topic, PAYLOAD, payload, QOS, false) != MOSQ_ERR_SUCCESS)
        p->all->failed = true;
}

static void on_connect(struct mosquitto *client, void *ctx, int code) {
    struct publisher *p = ctx;
    p->connected = code == 0;
    p->all->failed |= code != 0;
    if (p == subscriber(p->all) &&
        mosquitto_subscribe(client, NULL, "bench/#", QOS) != MOSQ_ERR_SUCCESS)
        p->all->failed = true;
}

static void on_subscribe(struct mosquitto *client, void *ctx, int id, int count, const int *qos) {
    (void)client;
    (void)id;
    (void)count;
    (void)qos;
    ((struct publisher *)ctx)->all->subscribed = true;
}

static void on_acked(struct mosquitto *client, void *ctx, int id) {
    struct publisher *p = ctx;
    (void)client;
    (void)id;
    p->all->acked++;
    publish_next(p);
}

static void on_message(struct mosquitto *client, void *ctx,
                       const struct mosquitto_message *message) {
    (void)client;
    (void)message;
    ((struct publisher *)ctx)->all->received++;
}

static enum err open_client(struct mqtt *q, int number, struct error *e) {
    struct publisher *p = &q->publishers[number];
    bool reads = p == subscriber(q);
    *p = (struct publisher){.all = q};
    p->client = mosquitto_new(reads ? "reader" : NULL, !reads, p);
    if (p->client == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for an MQTT client");
    mosquitto_connect_callback_set(p->client, on_connect);
    mosquitto_subscribe_callback_set(p->client, on_subscribe);
    mosquitto_publish_callback_set(p->client, on_acked);
    mosquitto_message_callback_set(p->client, on_message);
    mosquitto_max_inflight_messages_set(p->client, (unsigned)q->bench->window);
    mosquitto_int_option(p->client, MOSQ_OPT_TCP_NODELAY, 1);
    int code = MOSQ_ERR_ERRNO;
    for (int i = 0; i < CONNECT_TRIES && code != MOSQ_ERR_SUCCESS; i++) {
        code = mosquitto_connect(p->client, "127.0.0.1", q->port, 60);
        if (code != MOSQ_ERR_SUCCESS)
            usleep(50000);
    }
    return check(code, "connecting", e);
}

static void close_clients(struct mqtt *q) {
    for (int i = 0; i <= q->bench->agents; i++)
        if (q->publishers != NULL && q->publishers[i].client != NULL)
            mosquitto_destroy(q->publishers[i].client);
    free(q->publishers);
}

/* ---- the phase ---- */

static enum err pass(struct mqtt *q, struct pollfd *fds, struct error *e) {
    int count = q->bench->agents + 1;
    for (int i = 0; i < count; i++)
        fds[i] = (struct pollfd){
            .fd = mosquitto_socket(q->publishers[i].client),
            .events = mosquitto_want_write(q->publishers[i].client) ? POLLIN | POLLOUT : POLLIN};
    if (poll(fds, (nfds_t)count, 100) < 0 && errno != EINTR)
        return error_set(e, ERR_IO, "poll: %s", strerror(errno));
    enum err err = ERR_OK;
    for (int i = 0; i < count && err == ERR_OK; i++) {
        struct mosquitto *client = q->publishers[i].client;
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
            err = check(mosquitto_loop_read(client, 32), "reading", e);
        if (err == ERR_OK && mosquitto_want_write(client))
            err = check(mosquitto_loop_write(client, 32), "writing", e);
    }
    return err == ERR_OK && q->failed ? error_set(e, ERR_UNAVAILABLE, "MQTT: a client failed")
                                      : err;
}

static bool ready(const struct mqtt *q) {
    for (int i = 0; i <= q->bench->agents; i++)
        if (!q->publishers[i].connected)
            return false;
    return q->subscribed;
}

struct timing {
    int64_t start_ns, end_ns;
    long from, to;
    struct process_usage broker_start, broker_end;
};

static enum err note(struct mqtt *q, struct timing *t, struct error *e) {
    enum err err = ERR_OK;
    if (t->start_ns == 0 && q->acked >= q->wanted / WARM_UP) {
        t->start_ns = bench_now_ns();
        t->from = q->acked;
        err = process_usage(&q->broker, &t->broker_start, e);
    }
    if (err == ERR_OK && t->end_ns == 0 && q->acked >= q->wanted - q->wanted / TAIL) {
        t->end_ns = bench_now_ns();
        t->to = q->acked;
        err = process_usage(&q->broker, &t->broker_end, e);
    }
    return err;
}

static enum err drive(struct mqtt *q, struct timing *t, struct error *e) {
    struct pollfd *fds = calloc((size_t)q->bench->agents + 1, sizeof *fds);
    int64_t deadline = bench_now_ns() + PHASE_SECONDS * INT64_C(1000000000);
    enum err err = fds != NULL ? ERR_OK : error_set(e, ERR_NO_MEMORY, "no memory to poll");
    while (err == ERR_OK && !ready(q) && bench_now_ns() < deadline)
        err = pass(q, fds, e);
    for (int i = 0; i < q->bench->agents && err == ERR_OK; i++)
        for (int n = 0; n < q->bench->window; n++)
            publish_next(&q->publishers[i]);
    while (err == ERR_OK && (q->acked < q->wanted || q->received < q->wanted)) {
        err = pass(q, fds, e);
        if (err == ERR_OK)
            err = note(q, t, e);
        if (err == ERR_OK && bench_now_ns() > deadline)
            err = error_set(e, ERR_TIMEOUT, "MQTT: %ld of %ld acknowledged, %ld received in %d s",
                            q->acked, q->wanted, q->received, PHASE_SECONDS);
    }
    free(fds);
    return err;
}

static enum err add_results(struct bench *b, const struct timing *t, struct error *e) {
    double count = (double)(t->to - t->from);
    double rate = count / bench_seconds(t->end_ns - t->start_ns);
    struct report_row row = {
        .group = "mosquitto",
        .name = "messages acknowledged at QoS 1",
        .value = rate,
        .unit = "/s",
        .ratio_to = "verify",
        .ratio = rate / b->limits.verify_rate,
        .note = "as many clients and messages under way as live ingest, 900 bytes, one persistent "
                "subscriber sent all; acknowledged out of memory: the broker writes its state once "
                "a second and no message waits for the disk; no signature is verified"};
    enum err err = report_add(b->report, &row, e);
    double us = (double)(t->broker_end.cpu_ns - t->broker_start.cpu_ns) / 1e3 / count;
    row = (struct report_row){.group = "mosquitto",
                              .name = "broker's processor time a message",
                              .value = us,
                              .unit = "us",
                              .ratio_to = "one verify",
                              .ratio = us / b->limits.verify_us};
    return err == ERR_OK ? report_add(b->report, &row, e) : err;
}

enum err bench_mosquitto(struct bench *b, struct error *e) {
    struct mqtt q = {.bench = b, .each = (int)(b->limits.verify_rate * b->seconds) / b->agents + 1};
    struct timing t = {.start_ns = 0};
    struct error ignored;
    if (b->mosquitto == NULL) {
        fputs("bench: no --mosquitto program: that comparison is left out\n", stderr);
        return ERR_OK;
    }
    q.wanted = (long)q.each * b->agents;
    mosquitto_lib_init();
    enum err err = start_broker(&q, e);
    q.publishers = calloc((size_t)b->agents + 1, sizeof *q.publishers);
    if (err == ERR_OK && q.publishers == NULL)
        err = error_set(e, ERR_NO_MEMORY, "no memory for MQTT clients");
    for (int i = b->agents; i >= 0 && err == ERR_OK; i--)
        err = open_client(&q, i, e);
    if (err == ERR_OK)
        err = drive(&q, &t, e);
    if (err == ERR_OK)
        err = add_results(b, &t, e);
    close_clients(&q);
    if (process_stop(&q.broker, &ignored) != ERR_OK)
        fprintf(stderr, "bench: the broker: %s\n", ignored.detail);
    mosquitto_lib_cleanup();
    return err;
}

#endif
