/* Owns jobs and the bounded queues between the hub's threads. Must not know what a job does. */
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct job_queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled, emptied;
    struct job *first, *last;
    size_t count, max;
    size_t announced; /* on their way */
    size_t awaited;   /* the receiver need not know before so many wait */
    bool closed;
};

struct job *job_new(enum job_kind kind) {
    struct job *job = calloc(1, sizeof *job);
    if (job)
        job->kind = kind;
    return job;
}

void job_free(struct job *job) {
    if (!job)
        return;
    blob_unref(job->data);
    blob_unref(job->hub_hello_copy);
    entry_free(job->entry);
    page_done(&job->page);
    web_call_free(job->call);
    json_decref(job->response);
    hub_news_done(&job->news);
    free(job);
}

struct job_queue *job_queue_new(size_t max_jobs) {
    struct job_queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->max = max_jobs;
    q->awaited = 1;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->filled, &monotonic);
    pthread_cond_init(&q->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return q;
}

void job_queue_free(struct job_queue *q) {
    if (!q)
        return;
    while (q->first) {
        struct job *job = q->first;
        q->first = job->next;
        job_free(job);
    }
    pthread_mutex_destroy(&q->mutex);
    pthread_cond_destroy(&q->filled);
    pthread_cond_destroy(&q->emptied);
    free(q);
}

static void append(struct job_queue *q, struct job *job) {
    job->next = NULL;
    if (q->last)
        q->last->next = job;
    else
        q->first = job;
    q->last = job;
    q->count++;
    if (q->count >= q->awaited)
        pthread_cond_signal(&q->filled);
}

bool job_queue_offer(struct job_queue *q, struct job *take_job) {
    pthread_mutex_lock(&q->mutex);
    bool room = q->count < q->max && !q->closed;
    if (room)
        append(q, take_job);
    pthread_mutex_unlock(&q->mutex);
    return room;
}

void job_queue_push(struct job_queue *q, struct job *take_job) {
    pthread_mutex_lock(&q->mutex);
    while (q->count >= q->max && !q->closed)
        pthread_cond_wait(&q->emptied, &q->mutex);
    bool closed = q->closed;
    if (q->announced > 0)
        q->announced--;
    if (!closed)
        append(q, take_job);
    pthread_mutex_unlock(&q->mutex);
    if (closed)
        job_free(take_job);
}

static struct timespec after_ms(int ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

void job_queue_announce(struct job_queue *q, int change) {
    pthread_mutex_lock(&q->mutex);
    if (change > 0)
        q->announced++;
    else if (q->announced > 0)
        q->announced--;
    pthread_mutex_unlock(&q->mutex);
}

/* Until as many wait as are awaited. */
static void wait_filled(struct job_queue *q, int wait_ms) {
    struct timespec deadline = after_ms(wait_ms < 0 ? 0 : wait_ms);
    while (q->count < q->awaited && !q->closed) {
        if (wait_ms < 0)
            pthread_cond_wait(&q->filled, &q->mutex);
        else if (pthread_cond_timedwait(&q->filled, &q->mutex, &deadline) == ETIMEDOUT)
            return;
    }
}

static struct job *take_locked(struct job_queue *q, size_t max) {
    struct job *list = q->first, *tail = list;
    size_t taken = list ? 1 : 0;
    while (tail && tail->next && taken < max) {
        tail = tail->next;
        taken++;
    }
    if (tail) {
        q->first = tail->next;
        tail->next = NULL;
        if (!q->first)
            q->last = NULL;
        q->count -= taken;
        pthread_cond_broadcast(&q->emptied);
    }
    return list;
}

struct job *job_queue_gather(struct job_queue *q, size_t max, int wait_ms, int gather_ms) {
    pthread_mutex_lock(&q->mutex);
    wait_filled(q, wait_ms);
    size_t coming = q->count + q->announced;
    if (q->count > 0 && q->count < max && q->announced >= JOB_GATHER_MIN && gather_ms > 0) {
        q->awaited = coming < max ? coming : max;
        wait_filled(q, gather_ms);
        q->awaited = 1;
    }
    struct job *list = take_locked(q, max);
    pthread_mutex_unlock(&q->mutex);
    return list;
}

struct job *job_queue_take(struct job_queue *q, size_t max, int wait_ms) {
    return job_queue_gather(q, max, wait_ms, 0);
}

void job_queue_close(struct job_queue *q) {
    pthread_mutex_lock(&q->mutex);
    q->closed = true;
    pthread_cond_broadcast(&q->filled);
    pthread_cond_broadcast(&q->emptied);
    pthread_mutex_unlock(&q->mutex);
}

bool job_queue_closed(struct job_queue *q) {
    pthread_mutex_lock(&q->mutex);
    bool closed = q->closed;
    pthread_mutex_unlock(&q->mutex);
    return closed;
}
