/* All agents of a network come back at once: the hub is killed under them and started again, and
 * then stopped and started. Real connections of synthetic members (tests/bench), the real session
 * machine and back-off. Prints what it saw; judges no duration.
 * Fails when something acknowledged is gone or counted twice, when somebody does not come back, or
 * when /healthz goes unanswered meanwhile. */
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ask.h"
#include "clock.h"
#include "keys.h"
#include "live.h"
#include "prng.h"
#include "testbed.h"

#define AGENTS 120
#define AGENTS_LONG 2000
#define WAIT_S 300 /* until nobody comes back any more */
#define PASS_MS 5
#define RETRY_MIN_MS 500 /* as agent/link.c has it */
#define RETRY_MAX_MS 30000
#define HEALTH_PAUSE_MS 20
#define HEALTH_WAIT_MS 30000

struct caller {
    struct storm *storm;
    struct puppet *puppet;
    int64_t retry_at_ms, wait_ms;
    bool lost, caught_up;
};

struct health {
    pthread_t thread;
    char address[128];
    atomic_bool stop;
    unsigned answers, failures;
    double worst_ms;
};

struct storm {
    struct bench bench;
    struct testbed bed;
    struct prng prng;
    struct caller *members;
    size_t count, back;
    unsigned lost, refused, told_to_wait;
    struct live live; /* one that is there before the others */
};

/* ---- the members ---- */

/* Decorrelated jitter, after what the hub asked for. */
static void on_lost(void *ctx, struct puppet *p, enum err code, int64_t retry_after_ms) {
    struct caller *m = ctx;
    struct storm *s = m->storm;
    (void)p;
    s->refused += code != ERR_UNAVAILABLE;
    s->told_to_wait += retry_after_ms > 0;
    if (m->lost && retry_after_ms == 0)
        return; /* refused, and then closed */
    int64_t span = m->wait_ms * 3 - RETRY_MIN_MS;
    m->wait_ms = prng_between(&s->prng, RETRY_MIN_MS, RETRY_MIN_MS + (span > 0 ? span : 0));
    m->wait_ms = m->wait_ms > RETRY_MAX_MS ? RETRY_MAX_MS : m->wait_ms;
    m->retry_at_ms = clock_monotonic_ms() + retry_after_ms + m->wait_ms;
    s->lost += !m->lost;
    s->back -= m->caught_up;
    m->lost = true;
    m->caught_up = false;
}

static enum err look_at(struct caller *m, struct error *e) {
    struct puppet *p = m->puppet;
    if (m->lost && clock_monotonic_ms() >= m->retry_at_ms) {
        puppet_disconnect(p);
        m->lost = false;
        return puppet_connect(p, e);
    }
    if (!m->lost && !m->caught_up && p->peer && peer_caught_up(p->peer)) {
        m->caught_up = true;
        m->storm->back++;
        peer_outbox(p->peer);
    }
    return ERR_OK;
}

static enum err publish(struct caller *m, struct error *e) {
    enum err err = puppet_seal_state(m->puppet, clock_wall_ms(), e);
    if (err == ERR_OK && !m->lost && m->puppet->peer)
        peer_outbox(m->puppet->peer);
    return err;
}

static bool all_acked(const struct storm *s) {
    for (size_t i = 0; i < s->count; i++)
        if (s->members[i].puppet->acked_seq < s->members[i].puppet->signed_head.seq)
            return false;
    return true;
}

/* Passes until everybody is back and what waited is acknowledged. */
static enum err until_all_back(struct storm *s, struct error *e) {
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_S * INT64_C(1000);
    enum err err = ERR_OK;
    while (err == ERR_OK && (s->back < s->count || !all_acked(s))) {
        err = sockets_pass(s->bed.network.sockets, PASS_MS, e);
        for (size_t i = 0; i < s->count && err == ERR_OK; i++)
            err = look_at(&s->members[i], e);
        if (err == ERR_OK && s->bed.network.failed) {
            *e = s->bed.network.why;
            err = e->code;
        }
        if (err == ERR_OK && clock_monotonic_ms() > deadline_ms)
            err = error_set(e, ERR_TIMEOUT, "%zu of %zu are back after %d s", s->back, s->count,
                            WAIT_S);
    }
    return err;
}

/* ---- /healthz meanwhile ---- */

static void *ask_health(void *arg) {
    struct health *h = arg;
    while (!atomic_load(&h->stop)) {
        double ms = ask_health_ms(h->address, HEALTH_WAIT_MS);
        h->answers += ms >= 0;
        h->failures += ms < 0;
        h->worst_ms = ms > h->worst_ms ? ms : h->worst_ms;
        usleep(HEALTH_PAUSE_MS * 1000);
    }
    return NULL;
}

static enum err health_start(struct health *h, const char *address, struct error *e) {
    memset(h, 0, sizeof *h);
    snprintf(h->address, sizeof h->address, "%s", address);
    if (pthread_create(&h->thread, NULL, ask_health, h) != 0)
        return error_set(e, ERR_NO_MEMORY, "no thread");
    return ERR_OK;
}

static enum err health_stop(struct health *h, struct error *e) {
    atomic_store(&h->stop, true);
    pthread_join(h->thread, NULL);
    if (h->failures > 0 || h->answers == 0)
        return error_set(e, ERR_UNAVAILABLE, "/healthz went unanswered %u times of %u", h->failures,
                         h->failures + h->answers);
    return ERR_OK;
}

/* ---- the storm ---- */

/* Everybody's feed is open to member 0, and begins with a state. */
static enum err prepare(struct storm *s, struct error *e) {
    enum err err = testbed_join(&s->bed, s->count, e);
    const struct puppet *reader[] = {&s->bed.puppets[0]};
    for (size_t i = 0; i < s->count && err == ERR_OK; i++) {
        struct puppet *p = &s->bed.puppets[i];
        s->members[i] = (struct caller){.storm = s, .puppet = p, .lost = true};
        p->lost = on_lost;
        p->take_ctx = &s->members[i];
        err = puppet_open_feed(p, reader, i == 0 ? 0 : 1, clock_wall_ms(), e);
        if (err == ERR_OK)
            err = publish(&s->members[i], e);
    }
    if (err == ERR_OK)
        err = until_all_back(s, e);
    char uri[INVITE_URI_MAX];
    if (err == ERR_OK)
        err = testbed_invite(&s->bed, "Live", uri, e);
    return err == ERR_OK ? live_init(&s->live, uri, e) : err;
}

static void say(struct storm *s, const struct health *h, const char *how, int64_t took_ms) {
    struct process_usage usage = {.threads = 0};
    struct error e;
    enum err err = process_usage(&s->bed.hub, &usage, &e);
    printf("faults: hub %s under %zu agents: all back after %.1f s; %u connections lost, %u "
           "refused, %u told to wait; a live member's updates meanwhile: %zu, p50 %.0f ms, p99 "
           "%.0f ms; %u GET /healthz, the slowest %.0f ms; of the hub: peak memory %.1f MiB, "
           "processor time %.1f s (%.1f s of it verifying)\n",
           how, s->count, (double)took_ms / 1000, s->lost, s->refused, s->told_to_wait,
           s->live.count, bench_percentile(s->live.samples, s->live.count, 0.5),
           bench_percentile(s->live.samples, s->live.count, 0.99), h->answers, h->worst_ms,
           err == ERR_OK ? usage.peak_kib / 1024 : 0, bench_seconds(usage.cpu_ns),
           bench_seconds(usage.verify_ns));
    fflush(stdout);
}

static enum err until_all_noticed(struct storm *s, struct error *e) {
    int64_t until_ms = clock_monotonic_ms() + WAIT_S * INT64_C(1000);
    enum err err = ERR_OK;
    while (err == ERR_OK && s->lost < s->count)
        err = clock_monotonic_ms() > until_ms
                  ? error_set(e, ERR_TIMEOUT, "only %u noticed", s->lost)
                  : sockets_pass(s->bed.network.sockets, PASS_MS, e);
    return err;
}

/* The live member is there at once, the others after their jitter. */
static enum err watch_them_come(struct storm *s, const char *how, struct error *e) {
    struct health h;
    struct error ignored;
    enum err err = live_begin(&s->live, s->bed.network.address, e);
    if (err == ERR_OK)
        err = health_start(&h, s->bed.hub.address, e);
    if (err != ERR_OK)
        return err;
    int64_t from_ms = clock_monotonic_ms();
    err = until_all_noticed(s, e);
    if (err == ERR_OK)
        err = until_all_back(s, e);
    int64_t took_ms = clock_monotonic_ms() - from_ms;
    enum err healthy = health_stop(&h, err == ERR_OK ? e : &ignored);
    err = err == ERR_OK ? healthy : err;
    enum err lived = live_end(&s->live, err == ERR_OK ? e : &ignored);
    err = err == ERR_OK ? lived : err;
    if (err == ERR_OK)
        say(s, &h, how, took_ms);
    return err;
}

static enum err end_hub(struct storm *s, bool kill_it, struct error *e) {
    if (!kill_it)
        return testbed_stop_hub(&s->bed, e);
    testbed_kill_hub(&s->bed);
    return ERR_OK;
}

/* Half of them have something under way when the hub goes. */
static enum err blow(struct storm *s, bool kill_it, struct error *e) {
    enum err err = ERR_OK;
    s->lost = s->refused = s->told_to_wait = 0;
    for (size_t i = 0; i < s->count && err == ERR_OK; i += 2)
        err = publish(&s->members[i], e);
    if (err == ERR_OK)
        err = sockets_pass(s->bed.network.sockets, PASS_MS, e);
    if (err == ERR_OK)
        err = end_hub(s, kill_it, e);
    if (err == ERR_OK)
        err = testbed_start_hub(&s->bed, e);
    return err == ERR_OK ? watch_them_come(s, kill_it ? "killed" : "stopped", e) : err;
}

/* The hub's log holds its own feed and each member's, every entry once. */
static enum err expect_once(struct storm *s, struct error *e) {
    const char *argv[] = {s->bench.hub, "status", "--json", "--dir", s->bed.hub_dir, NULL};
    struct buf out;
    enum err err = process_run(argv, &out, e);
    if (err != ERR_OK)
        return err;
    json_t *status = json_loadb((const char *)buf_bytes(&out).data, buf_bytes(&out).len, 0, NULL);
    json_int_t held = json_integer_value(json_object_get(status, "log"));
    json_int_t signed_ =
        json_integer_value(json_object_get(json_object_get(status, "feed"), "seq"));
    size_t forks = json_array_size(json_object_get(status, "forks"));
    buf_done(&out);
    json_decref(status);
    signed_ += (json_int_t)s->live.puppet.signed_head.seq;
    for (size_t i = 0; i < s->count; i++)
        signed_ += (json_int_t)s->members[i].puppet->signed_head.seq;
    if (held != signed_ || forks > 0)
        return error_set(e, ERR_STORE, "the hub's log holds %lld of %lld entries, and %zu forks",
                         (long long)held, (long long)signed_, forks);
    printf("faults: %lld entries stand in the hub's log, each once\n", (long long)held);
    return ERR_OK;
}

static enum err run(struct storm *s, struct error *e) {
    enum err err = testbed_open(&s->bed, &s->bench, "storm", false, e);
    if (err == ERR_OK)
        err = prepare(s, e);
    if (err == ERR_OK)
        err = blow(s, true, e);
    if (err == ERR_OK)
        err = blow(s, false, e);
    return err == ERR_OK ? expect_once(s, e) : err;
}

static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static struct storm storm;

int main(void) {
    struct error e = {0};
    char dir[] = "/tmp/plek-storm-XXXXXX";
    if (keys_init(&e) != ERR_OK || !mkdtemp(dir))
        return 1;
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    storm.bench = (struct bench){.hub = PLEK_BIN_DIR "/plek-hub", .dir = dir};
    storm.prng.state = 1;
    storm.count = getenv("PLEK_FAULTS_LONG") ? AGENTS_LONG : AGENTS;
    storm.members = calloc(storm.count, sizeof *storm.members);
    enum err err = storm.members ? run(&storm, &e) : ERR_NO_MEMORY;
    live_done(&storm.live);
    testbed_close(&storm.bed);
    free(storm.members);
    if (err != ERR_OK) {
        fprintf(stderr, "storm: %s: %s; kept %s\n", error_name(err), e.detail, dir);
        return 1;
    }
    const char *remove[] = {"rm", "-rf", dir, NULL};
    return process_run(remove, NULL, &e) == ERR_OK ? 0 : 1;
}
