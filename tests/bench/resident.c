/* Implements a real agent in a measurement. Must not measure. */
#include "resident.h"

#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "random.h"

#define POLL_MS 250
#define QUIET_POLLS 4 /* in a row, each with less than QUIET_NS of processor time */
#define QUIET_NS 2000000
#define SETTLE_SECONDS 180

enum err resident_join(struct resident *r, struct testbed *t, const char *name, struct error *e) {
    char uri[INVITE_URI_MAX];
    memset(r, 0, sizeof *r);
    r->bench = t->bench;
    r->lock = -1;
    snprintf(r->dir, sizeof r->dir, "%.4000s/%s", t->dir, name);
    snprintf(r->log, sizeof r->log, "%.4000s/%s.log", t->dir, name);
    const char *init[] = {r->bench->agent, "init", "--dir", r->dir, "--unsealed", NULL};
    const char *join[] = {r->bench->agent, "join", "--dir", r->dir, uri, NULL};
    enum err err = testbed_invite(t, name, uri, e);
    if (err == ERR_OK)
        err = process_run(init, NULL, e);
    return err == ERR_OK ? process_run(join, NULL, e) : err;
}

enum err resident_start(struct resident *r, struct error *e) {
    const char *argv[] = {r->bench->agent, "run", "--dir", r->dir, NULL};
    struct stat log;
    r->log_start = stat(r->log, &log) == 0 ? (long)log.st_size : 0;
    return process_start(&r->daemon, argv, r->log, e);
}

enum err resident_stop(struct resident *r, struct error *e) {
    return process_stop(&r->daemon, e);
}

struct pause {
    struct resident *r;
    int64_t until_ns;
};

static bool later(void *ctx) {
    struct pause *pause = ctx;
    double now_kib = process_memory_kib(&pause->r->daemon);
    if (now_kib > pause->r->peak_kib)
        pause->r->peak_kib = now_kib;
    return bench_now_ns() >= pause->until_ns;
}

/* Its log of this life says so. */
static bool was_connected(const struct resident *r) {
    char line[512];
    bool found = false;
    FILE *file = fopen(r->log, "re");
    if (file == NULL)
        return false;
    (void)fseek(file, r->log_start, SEEK_SET);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, " connected ") != NULL;
    fclose(file);
    return found;
}

enum err resident_settle(struct resident *r, struct testbed *t, struct process_usage *ret,
                         struct error *e) {
    struct process_usage last, now = {.threads = 0};
    int64_t deadline = bench_now_ns() + SETTLE_SECONDS * INT64_C(1000000000);
    int quiet = 0;
    r->peak_kib = 0;
    enum err err = process_usage(&r->daemon, &last, e);
    while (err == ERR_OK && quiet < QUIET_POLLS) {
        struct pause pause = {r, bench_now_ns() + POLL_MS * INT64_C(1000000)};
        if (pause.until_ns > deadline)
            return error_set(e, ERR_TIMEOUT, "an agent was still busy after %d s", SETTLE_SECONDS);
        err = testbed_until(t, later, &pause, 10, e);
        if (err == ERR_OK)
            err = process_usage(&r->daemon, &now, e);
        quiet = was_connected(r) && now.cpu_ns - last.cpu_ns < QUIET_NS ? quiet + 1 : 0;
        last = now;
    }
    if (err == ERR_OK)
        *ret = now;
    return err;
}

enum err resident_open(struct resident *r, struct error *e) {
    static struct entropy entropy;
    entropy = random_entropy();
    enum err err = lock_acquire(r->dir, &r->lock, e);
    return err == ERR_OK ? agent_open(r->dir, NULL, &entropy, &r->agent, e) : err;
}

void resident_close(struct resident *r) {
    agent_close(r->agent);
    r->agent = NULL;
    if (r->lock >= 0)
        lock_release(r->lock);
    r->lock = -1;
}

enum err resident_live(struct resident *r, struct testbed *t, struct process_usage *ret,
                       struct error *e) {
    enum err err = resident_start(r, e);
    if (err == ERR_OK)
        err = resident_settle(r, t, ret, e);
    return err == ERR_OK ? resident_stop(r, e) : err;
}

enum err resident_told(struct resident *r, struct testbed *t, size_t count, struct error *e) {
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    enum err err = resident_open(r, e);
    if (err != ERR_OK)
        return err;
    struct puppet_reader reader = {agent_keys(r->agent)->pub, agent_box(r->agent)->pub};
    resident_close(r);
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        err = puppet_open_feed_to(&t->puppets[i], &reader, 1, now_ms, e);
        if (err == ERR_OK)
            err = puppet_seal_state(&t->puppets[i], now_ms, e);
    }
    return err == ERR_OK ? testbed_push(t, 0, count, e) : err;
}

static enum err dispatch(struct resident *r, struct api_request *request, json_t **ret,
                         struct error *e) {
    size_t count = 0;
    json_t *answer = NULL;
    const struct api_route *routes = agent_routes(&count);
    request->actor = "bench";
    request->role = API_ADMIN;
    request->now_ms = clock_wall_ms();
    enum err err = api_dispatch(routes, count, r->agent, request, &answer);
    if (err != ERR_OK)
        err = api_error_from_json(answer, e);
    else if (ret != NULL)
        *ret = json_incref(answer);
    json_decref(answer);
    return err;
}

enum err resident_call(struct resident *r, enum api_method method, const char *path, json_t *body,
                       json_t **ret, struct error *e) {
    struct api_request request = {.method = method, .path = path, .body = body};
    return dispatch(r, &request, ret, e);
}

enum err resident_get(struct resident *r, const char *path, json_t *query, json_t **ret,
                      struct error *e) {
    struct api_request request = {.method = API_GET, .path = path, .query = query};
    return dispatch(r, &request, ret, e);
}

void resident_done(struct resident *r) {
    struct error e;
    resident_close(r);
    if (resident_stop(r, &e) != ERR_OK)
        fprintf(stderr, "bench: an agent: %s\n", e.detail);
}
