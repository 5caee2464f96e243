/* Owns the verify workers. Must not touch the store or the directory: bytes and keys only. */
#include "verify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define VERIFY_QUEUE_JOBS 131072 /* never full: limit.under_way, and one or two a connection */

struct worker {
    pthread_t thread;
    struct job_queue *queue;
    struct verify *owner;
    bool started;
};
struct verify {
    struct public_key network;
    struct job_queue *store;
    int count;
    struct worker workers[];
};

static void verify_greet(const struct public_key *network, struct job *job) {
    job->code = agent_hello_verify(blob_bytes(job->data), network, blob_bytes(job->hub_hello_copy),
                                   &job->hello, &job->error);
}

static void verify_accept(struct job *job) {
    job->code = entry_parse(blob_bytes(job->data), &job->entry, &job->error);
    if (!job->code)
        job->code = entry_verify(job->entry, &job->agent, &job->error);
}

static void *work(void *arg) {
    struct worker *w = arg;
    prctl(PR_SET_NAME, "verify");
    for (;;) {
        struct job *job = job_queue_take(w->queue, 1, -1);
        if (!job)
            return NULL;
        if (job->kind == JOB_GREET)
            verify_greet(&w->owner->network, job);
        else
            verify_accept(job);
        job_queue_push(w->owner->store, job);
    }
}

enum err verify_start(int workers, const struct public_key *network, struct job_queue *store,
                      struct verify **ret, struct error *e) {
    struct verify *v = calloc(1, sizeof *v + (size_t)workers * sizeof v->workers[0]);
    if (!v)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for %d verify workers", workers);
    v->network = *network;
    v->store = store;
    v->count = workers;
    for (int i = 0; i < workers; i++) {
        struct worker *w = &v->workers[i];
        w->owner = v;
        w->queue = job_queue_new(VERIFY_QUEUE_JOBS);
        w->started = w->queue && pthread_create(&w->thread, NULL, work, w) == 0;
        if (!w->started) {
            verify_stop(v);
            return error_set(e, ERR_NO_MEMORY, "cannot start verify worker %d", i + 1);
        }
    }
    *ret = v;
    return ERR_OK;
}

void verify_stop(struct verify *v) {
    if (!v)
        return;
    for (int i = 0; i < v->count; i++)
        if (v->workers[i].queue)
            job_queue_close(v->workers[i].queue);
    for (int i = 0; i < v->count; i++) {
        if (v->workers[i].started)
            pthread_join(v->workers[i].thread, NULL);
        job_queue_free(v->workers[i].queue);
    }
    free(v);
}

bool verify_offer(struct verify *v, struct job *take_job) {
    uint64_t hash = take_job->connection;
    if (take_job->kind == JOB_ACCEPT)
        memcpy(&hash, take_job->agent.b, sizeof hash);
    job_queue_announce(v->store, 1);
    bool taken = job_queue_offer(v->workers[hash % (uint64_t)v->count].queue, take_job);
    if (!taken)
        job_queue_announce(v->store, -1);
    return taken;
}
