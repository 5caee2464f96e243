/* The queues between the hub's threads and the blobs that travel in them: many senders, a chain of
 * queues, announcements, closing while some still push. Nothing is lost, order is kept, each blob
 * is freed once. */
#include <string.h>

#include "job.h"
#include "threads.h"

#define SENDERS 4
#define EACH 2000
#define BLOBS 16
#define CHAIN_ROOM 32

/* ---- blobs that all threads hold at once ---- */

static struct blob *blobs[BLOBS];

static void *hold_and_let_go(void *ctx) {
    size_t seed = *(const size_t *)ctx;
    for (size_t i = 0; i < EACH; i++) {
        struct blob *b = blob_ref(blobs[(seed + i * 7) % BLOBS]);
        CHECK(blob_bytes(b).len == 64 && blob_bytes(b).data[63] == blob_bytes(b).data[0]);
        blob_unref(b);
    }
    for (size_t i = 0; i < BLOBS; i++)
        blob_unref(blobs[i]); /* this thread's own share: the last one frees */
    return NULL;
}

static void try_blobs(void) {
    pthread_t threads[SENDERS];
    size_t seeds[SENDERS];
    for (size_t i = 0; i < BLOBS; i++) {
        uint8_t bytes[64];
        memset(bytes, (int)i, sizeof bytes);
        blobs[i] = blob_new(bytes_of(bytes, sizeof bytes));
        CHECK(blobs[i]);
        for (size_t k = 1; k < SENDERS; k++)
            blob_ref(blobs[i]);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        seeds[i] = i;
        thread_start(&threads[i], hold_and_let_go, &seeds[i]);
    }
    for (size_t i = 0; i < SENDERS; i++)
        thread_join(threads[i]);
}

/* ---- a chain as from the network thread over a worker to the store thread ---- */

struct chain {
    struct job_queue *first, *second;
    uint64_t connection;
};

static void *send_all(void *ctx) {
    struct chain *c = ctx;
    struct blob *data = blob_new(bytes_str("the same bytes for all"));
    for (uint64_t i = 0; i < EACH; i++) {
        struct job *job = job_new(JOB_ACCEPT);
        CHECK(job);
        job->connection = c->connection;
        job->req = i;
        job->data = blob_ref(data);
        job_queue_announce(c->second, 1);
        if (i % 2 == 0) {
            job_queue_push(c->first, job);
            continue;
        }
        while (!job_queue_offer(c->first, job))
            ; /* full: try again, as a sender that must not wait would later */
    }
    blob_unref(data);
    return NULL;
}

static void *pass_on(void *ctx) {
    struct chain *c = ctx;
    for (;;) {
        struct job *job = job_queue_take(c->first, 1, -1);
        if (!job)
            return NULL;
        job_queue_push(c->second, job);
    }
}

static void take_list(struct job *list, uint64_t *next, size_t *got) {
    while (list) {
        struct job *job = list;
        list = job->next;
        CHECK(job->req == next[job->connection]++);
        CHECK(blob_bytes(job->data).len == strlen("the same bytes for all"));
        job_free(job);
        (*got)++;
    }
}

/* Each sender's jobs take one worker: their order stays. */
static void try_chain(void) {
    struct job_queue *second = job_queue_new(CHAIN_ROOM);
    struct chain chains[SENDERS];
    pthread_t senders[SENDERS], workers[SENDERS];
    uint64_t next[SENDERS] = {0};
    size_t got = 0;
    for (size_t i = 0; i < SENDERS; i++) {
        chains[i] = (struct chain){job_queue_new(CHAIN_ROOM), second, i};
        thread_start(&workers[i], pass_on, &chains[i]);
        thread_start(&senders[i], send_all, &chains[i]);
    }
    while (got < (size_t)SENDERS * EACH)
        take_list(job_queue_gather(second, 1000, 100, 1), next, &got);
    for (size_t i = 0; i < SENDERS; i++) {
        thread_join(senders[i]);
        job_queue_close(chains[i].first);
        thread_join(workers[i]);
        job_queue_free(chains[i].first);
    }
    CHECK(!job_queue_closed(second));
    job_queue_free(second);
}

/* ---- closing while others push and wait ---- */

static void *push_until_closed(void *ctx) {
    struct job_queue *q = ctx;
    while (!job_queue_closed(q))
        job_queue_push(q, job_new(JOB_NOTE));
    return NULL;
}

static void try_closing(void) {
    for (int round = 0; round < 50; round++) {
        struct job_queue *q = job_queue_new(4);
        pthread_t senders[SENDERS];
        size_t got = 0;
        for (size_t i = 0; i < SENDERS; i++)
            thread_start(&senders[i], push_until_closed, q);
        while (got < 100) {
            struct job *list = job_queue_take(q, 3, -1);
            while (list) {
                struct job *job = list;
                list = job->next;
                job_free(job);
                got++;
            }
        }
        job_queue_close(q);
        for (size_t i = 0; i < SENDERS; i++)
            thread_join(senders[i]);
        job_queue_free(q); /* with what was left in it */
    }
}

int main(void) {
    try_blobs();
    try_chain();
    try_closing();
    return 0;
}
