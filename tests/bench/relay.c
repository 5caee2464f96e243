/* Measures the way of an update with nothing but the machine in it: sent at the same rate as in
 * latency.c, handed through as many threads, verified twice, synced to the disk once. What comes
 * out is what no hub on this machine can go below at that moment. Must not use the project's own
 * code but keys.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "keys.h"

#define SIGNED_BYTES 320
#define ENTRY_BYTES 1024
#define SYNCED_AT_ONCE 256
#define NOTHING_MORE (-1) /* the last message */

struct message {
    int64_t sent_ns;
};

/* sender -> network -> verifier -> store -> network -> reader: a pipe before each but the first. */
enum { TO_NETWORK, TO_VERIFIER, TO_STORE, TO_SENDING, TO_READER, PIPES };

struct relay {
    int pipes[PIPES][2];
    int file;
    struct sign_pair pair;
    uint8_t message[SIGNED_BYTES], signature[SIGNATURE_LEN];
    bool failed; /* of the stages; read after they ended */
    double *samples;
    size_t count;
};
struct stage {
    pthread_t thread;
    struct relay *relay;
    int from, to;
    bool verifies, syncs, started;
};

static bool verify(const struct relay *r) {
    return crypto_sign_verify_detached(r->signature, r->message, sizeof r->message,
                                       r->pair.pub.b) == 0;
}

static bool pass_on(int fd, const struct message *messages, size_t count) {
    return write(fd, messages, count * sizeof *messages) == (ssize_t)(count * sizeof *messages);
}

/* As many messages as wait, at least one; 0 at an end. */
static size_t take(int fd, struct message *ret, size_t max) {
    ssize_t got = read(fd, ret, max * sizeof *ret);
    return got > 0 ? (size_t)got / sizeof *ret : 0;
}

static bool sync_all(int fd, size_t count) {
    static const uint8_t entry[ENTRY_BYTES];
    for (size_t i = 0; i < count; i++)
        if (write(fd, entry, sizeof entry) != (ssize_t)sizeof entry)
            return false;
    return fdatasync(fd) == 0;
}

static void *run_stage(void *ctx) {
    struct stage *s = ctx;
    struct message messages[SYNCED_AT_ONCE];
    bool good = true, last = false;
    while (good && !last) {
        size_t count = take(s->relay->pipes[s->from][0], messages, s->syncs ? SYNCED_AT_ONCE : 1);
        good = count > 0;
        last = good && messages[count - 1].sent_ns == NOTHING_MORE;
        good = good && (!s->verifies || verify(s->relay));
        good = good && (!s->syncs || sync_all(s->relay->file, count));
        good = good && pass_on(s->relay->pipes[s->to][1], messages, count);
    }
    if (!good)
        __atomic_store_n(&s->relay->failed, true, __ATOMIC_RELAXED);
    close(s->relay->pipes[s->to][1]);
    return NULL;
}

/* The reader; it runs in a thread of its own, as a partner would. */
static void *run_reader(void *ctx) {
    struct stage *s = ctx;
    struct relay *r = s->relay;
    struct message message;
    while (take(r->pipes[TO_READER][0], &message, 1) > 0 && message.sent_ns != NOTHING_MORE) {
        if (!verify(r))
            __atomic_store_n(&r->failed, true, __ATOMIC_RELAXED);
        r->samples[r->count++] = (double)(bench_now_ns() - message.sent_ns) / 1e6;
    }
    return NULL;
}

static bool send_all(struct relay *r, const struct bench *b) {
    int64_t interval = 1000000000 / b->rate, start = bench_now_ns();
    size_t total = (size_t)b->seconds * (size_t)b->rate;
    bool good = true;
    for (size_t n = 0; good && n < total; n++) {
        int64_t now = bench_wait_until(start + (int64_t)n * interval);
        good = pass_on(r->pipes[TO_NETWORK][1], &(struct message){now}, 1);
    }
    good = pass_on(r->pipes[TO_NETWORK][1], &(struct message){NOTHING_MORE}, 1) && good;
    close(r->pipes[TO_NETWORK][1]);
    return good;
}

static enum err run(struct relay *r, const struct bench *b, struct error *e) {
    struct stage stages[] = {
        {.from = TO_NETWORK, .to = TO_VERIFIER},
        {.from = TO_VERIFIER, .to = TO_STORE, .verifies = true},
        {.from = TO_STORE, .to = TO_SENDING, .syncs = true},
        {.from = TO_SENDING, .to = TO_READER},
        {.from = TO_READER},
    };
    enum { STAGES = sizeof stages / sizeof stages[0] };
    bool good = true;
    for (size_t i = 0; i < STAGES && good; i++) {
        stages[i].relay = r;
        good = pthread_create(&stages[i].thread, NULL, i + 1 < STAGES ? run_stage : run_reader,
                              &stages[i]) == 0;
        stages[i].started = good;
    }
    if (good)
        good = send_all(r, b);
    else
        close(r->pipes[TO_NETWORK][1]); /* each stage that runs ends with the one before it */
    for (size_t i = 0; i < STAGES; i++)
        if (stages[i].started)
            pthread_join(stages[i].thread, NULL);
    if (!good || r->failed || r->count == 0)
        return error_set(e, ERR_INTERNAL, "%zu messages came through threads and pipes", r->count);
    return ERR_OK;
}

static enum err prepare(struct relay *r, const struct bench *b, struct error *e) {
    char path[BENCH_PATH_MAX];
    snprintf(path, sizeof path, "%s/limit-relay", b->dir);
    r->file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    r->samples = calloc((size_t)b->seconds * (size_t)b->rate, sizeof *r->samples);
    if (r->file < 0 || r->samples == NULL)
        return error_set(e, ERR_CANNOT_CREATE, "%s: %s", path, strerror(errno));
    for (size_t i = 0; i < PIPES; i++)
        if (pipe2(r->pipes[i], O_CLOEXEC) != 0)
            return error_set(e, ERR_IO, "a pipe cannot be made: %s", strerror(errno));
    randombytes_buf(r->message, sizeof r->message);
    crypto_sign_keypair(r->pair.pub.b, r->pair.secret);
    crypto_sign_detached(r->signature, NULL, r->message, sizeof r->message, r->pair.secret);
    return ERR_OK;
}

enum err bench_relay(struct bench *b, struct error *e) {
    struct relay r = {.file = -1};
    enum err err = prepare(&r, b, e);
    if (err == ERR_OK)
        err = run(&r, b, e);
    if (err == ERR_OK) {
        b->limits.relay_p50_ms = bench_percentile(r.samples, r.count, 0.50);
        b->limits.relay_p99_ms = bench_percentile(r.samples, r.count, 0.99);
    }
    for (size_t i = 0; i < PIPES; i++)
        if (r.pipes[i][0] > 0)
            close(r.pipes[i][0]);
    if (r.file >= 0)
        close(r.file);
    free(r.samples);
    static const char note[] = "the latency measurement's rate; five threads joined by pipes, two "
                               "verifications, an append of 1 KiB with fdatasync, shared by all "
                               "that wait; no sockets, no database, no encryption";
    struct report_row p50 = {.group = "relay",
                             .name = "an update's way, the machine alone, p50",
                             .value = b->limits.relay_p50_ms,
                             .unit = "ms",
                             .note = note};
    struct report_row p99 = {.group = "relay",
                             .name = "an update's way, the machine alone, p99",
                             .value = b->limits.relay_p99_ms,
                             .unit = "ms"};
    if (err == ERR_OK)
        err = report_add(b->report, &p50, e);
    return err == ERR_OK ? report_add(b->report, &p99, e) : err;
}
