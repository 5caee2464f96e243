/* Implements the network of a measurement. Must not measure. */
#include "testbed.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

#define JOINS_AT_ONCE 32
#define WAIT_SECONDS 120
#define PATH_SPACE (BENCH_PATH_MAX + 64)

/* ---- the hub ---- */

static enum err write_settings(const struct testbed *t, struct error *e) {
    char path[PATH_SPACE];
    snprintf(path, sizeof path, "%s/hub.conf", t->hub_dir);
    FILE *file = fopen(path, "ae");
    if (file == NULL)
        return error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    fputs(
        "\nlog.level = \"warn\"\nlimit.connections = 19000\nlimit.connections_per_address = 19000\n"
        "limit.member_rate = 1000000\nlimit.member_burst = 1000000\n",
        file);
    if (t->tls)
        fprintf(file, "tls.cert = \"%s/cert.pem\"\ntls.key = \"%s/key.pem\"\n", t->dir, t->dir);
    return fclose(file) == 0 ? ERR_OK : error_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

static enum err make_certificate(const struct testbed *t, struct error *e) {
    char cert[PATH_SPACE], key[PATH_SPACE];
    snprintf(cert, sizeof cert, "%s/cert.pem", t->dir);
    snprintf(key, sizeof key, "%s/key.pem", t->dir);
    const char *argv[] = {
        "openssl", "req",           "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-keyout",       key,     "-out",    cert, "-days",    "2",
        "-subj",   "/CN=127.0.0.1", NULL};
    return process_run(argv, NULL, e);
}

static enum err init_hub(struct testbed *t, struct error *e) {
    const char *argv[] = {t->bench->hub, "init", "--dir", t->hub_dir, "--name", "Bench", NULL};
    enum err err = t->tls ? make_certificate(t, e) : ERR_OK;
    if (err == ERR_OK)
        err = process_run(argv, NULL, e);
    return err == ERR_OK ? write_settings(t, e) : err;
}

enum err testbed_start_hub(struct testbed *t, struct error *e) {
    char log[PATH_SPACE];
    snprintf(log, sizeof log, "%s/hub.log", t->dir);
    const char *argv[] = {t->bench->hub, "run",         "--dir", t->hub_dir,
                          "--listen",    "127.0.0.1:0", NULL};
    enum err err = process_start(&t->hub, argv, log, e);
    if (err == ERR_OK)
        snprintf(t->network.address, sizeof t->network.address, "%s://%s", t->tls ? "wss" : "ws",
                 t->hub.address);
    return err;
}

enum err testbed_stop_hub(struct testbed *t, struct error *e) {
    client_close(t->client);
    t->client = NULL;
    return process_stop(&t->hub, e);
}

void testbed_kill_hub(struct testbed *t) {
    client_close(t->client);
    t->client = NULL;
    process_kill(&t->hub);
}

enum err testbed_open(struct testbed *t, const struct bench *b, const char *name, bool tls,
                      struct error *e) {
    memset(t, 0, sizeof *t);
    t->bench = b;
    t->tls = tls;
    snprintf(t->dir, sizeof t->dir, "%.4000s/%s", b->dir, name);
    snprintf(t->hub_dir, sizeof t->hub_dir, "%.4000s/%s/hub", b->dir, name);
    if (mkdir(t->dir, 0700) != 0)
        return error_set(e, ERR_CANNOT_CREATE, "%s: %s", t->dir, strerror(errno));
    enum err err = puppet_network_init(&t->network, e);
    if (err == ERR_OK)
        err = init_hub(t, e);
    return err == ERR_OK ? testbed_start_hub(t, e) : err;
}

void testbed_close(struct testbed *t) {
    struct error e;
    for (size_t i = 0; i < t->count; i++)
        puppet_done(&t->puppets[i]);
    free(t->puppets);
    puppet_network_done(&t->network);
    if (testbed_stop_hub(t, &e) != ERR_OK)
        fprintf(stderr, "bench: the hub: %s\n", e.detail);
}

/* ---- invitations ---- */

/* Nothing is done in-process: without a running hub there is nothing to measure. */
static enum err no_local(const char *dir, void **ret, struct error *e) {
    (void)ret;
    return error_set(e, ERR_UNAVAILABLE, "no hub runs in %s", dir);
}

static void close_local(void *domain) {
    (void)domain;
}

static enum err open_client(struct testbed *t, struct error *e) {
    static const struct client_local local = {no_local, close_local, NULL, 0, NULL};
    return t->client != NULL ? ERR_OK : client_open(t->hub_dir, &local, &t->client, e);
}

enum err testbed_invite(struct testbed *t, const char *name, char ret[static INVITE_URI_MAX],
                        struct error *e) {
    json_t *answer = NULL;
    json_t *body = json_pack("{s:s}", "name", name);
    enum err err = open_client(t, e);
    if (err == ERR_OK)
        err = client_call(t->client, API_POST, "/v1/invitations", NULL, body, &answer, e);
    const char *uri = json_string_value(json_object_get(answer, "uri"));
    if (err == ERR_OK && uri == NULL)
        err = error_set(e, ERR_INTERNAL, "the hub answered without a uri");
    if (err == ERR_OK)
        snprintf(ret, INVITE_URI_MAX, "%s", uri);
    json_decref(answer);
    json_decref(body);
    return err;
}

/* ---- puppets ---- */

enum err testbed_until(struct testbed *t, bool (*done)(void *ctx), void *ctx, int seconds,
                       struct error *e) {
    int64_t deadline = bench_now_ns() + seconds * INT64_C(1000000000);
    enum err err = ERR_OK;
    while (err == ERR_OK && !done(ctx)) {
        if (t->network.failed) {
            *e = t->network.why;
            return e->code;
        }
        if (bench_now_ns() > deadline)
            return error_set(e, ERR_TIMEOUT, "a phase did not end within %d s", seconds);
        err = sockets_pass(t->network.sockets, 20, e);
    }
    return err;
}

struct range {
    const struct testbed *t;
    size_t from, to;
};

static bool all_established(void *ctx) {
    const struct range *r = ctx;
    for (size_t i = r->from; i < r->to; i++)
        if (!peer_established(r->t->puppets[i].peer) || !r->t->puppets[i].welcomed)
            return false;
    return true;
}

static bool all_caught_up(void *ctx) {
    const struct range *r = ctx;
    for (size_t i = r->from; i < r->to; i++)
        if (!peer_caught_up(r->t->puppets[i].peer))
            return false;
    return true;
}

static enum err connect_range(struct testbed *t, size_t from, size_t to, bool (*done)(void *ctx),
                              struct error *e) {
    struct range r = {t, from, to};
    enum err err = ERR_OK;
    for (size_t i = from; i < to && err == ERR_OK; i++)
        err = puppet_connect(&t->puppets[i], e);
    return err == ERR_OK ? testbed_until(t, done, &r, WAIT_SECONDS, e) : err;
}

enum err testbed_connect(struct testbed *t, size_t from, size_t to, struct error *e) {
    enum err err = ERR_OK;
    for (size_t i = from; i < to && err == ERR_OK; i += JOINS_AT_ONCE) {
        size_t end = to - i < JOINS_AT_ONCE ? to : i + JOINS_AT_ONCE;
        err = connect_range(t, i, end, all_caught_up, e);
    }
    return err;
}

static bool all_acked(void *ctx) {
    const struct range *r = ctx;
    for (size_t i = r->from; i < r->to; i++)
        if (r->t->puppets[i].acked_seq < r->t->puppets[i].entry_count)
            return false;
    return true;
}

enum err testbed_push(struct testbed *t, size_t from, size_t to, struct error *e) {
    struct range r = {t, from, to};
    enum err err = testbed_connect(t, from, to, e);
    if (err == ERR_OK)
        err = testbed_until(t, all_acked, &r, WAIT_SECONDS, e);
    for (size_t i = from; i < to; i++)
        puppet_disconnect(&t->puppets[i]);
    return err;
}

static enum err invite_puppet(struct testbed *t, size_t number, struct error *e) {
    char name[NAME_MAX_BYTES + 1], uri[INVITE_URI_MAX];
    snprintf(name, sizeof name, "Member %zu", number);
    enum err err = testbed_invite(t, name, uri, e);
    if (err != ERR_OK)
        return err;
    err = puppet_init(&t->puppets[number], &t->network, (int)number, uri, e);
    t->count++;
    return err;
}

enum err testbed_join(struct testbed *t, size_t count, struct error *e) {
    enum err err = ERR_OK;
    t->puppets = calloc(count, sizeof *t->puppets);
    if (t->puppets == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu puppets", count);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = invite_puppet(t, i, e);
    for (size_t i = 0; i < count && err == ERR_OK; i += JOINS_AT_ONCE) {
        size_t end = count - i < JOINS_AT_ONCE ? count : i + JOINS_AT_ONCE;
        err = connect_range(t, i, end, all_established, e);
        for (size_t j = i; j < end; j++)
            puppet_disconnect(&t->puppets[j]);
    }
    return err;
}
