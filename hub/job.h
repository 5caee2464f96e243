/* Owns the unit of work that travels between the hub's threads, and the bounded queues it travels
 * in. A job belongs to exactly one thread at a time; blobs are the only thing shared. */
#ifndef PLEK_HUB_JOB_H
#define PLEK_HUB_JOB_H

#include <pthread.h>

#include "hub.h"
#include "web.h"

enum job_kind {
    JOB_GREET,  /* data: SignedAgentHello -> greeting */
    JOB_ACCEPT, /* data: Entry -> code, entry_head, head */
    JOB_LOAD,   /* cursors, max_bytes -> code, page */
    JOB_API,    /* call -> code, response */
    JOB_NOTE,   /* agent, connected: no answer */
    JOB_NEWS    /* store -> network only: news */
};

struct job {
    enum job_kind kind;
    struct job *next;
    uint64_t connection; /* who asked: network thread's id */
    uint64_t req;
    struct blob *data;      /* owned */
    struct bytes hub_hello; /* GREET: owned copy, see hub_hello_copy */
    struct blob *hub_hello_copy;
    struct public_key agent;
    bool connected; /* NOTE */
    int64_t now_ms;
    /* after verification */
    struct agent_hello hello; /* GREET; borrows from data */
    struct entry *entry;      /* ACCEPT */
    /* results */
    enum err code;
    struct error error;
    struct greeting greeting;
    struct head entry_head, head;
    struct cursors cursors;
    size_t max_bytes;
    struct page page;
    struct web_call *call;
    json_t *response;
    struct hub_news news;
};

struct job *job_new(enum job_kind kind); /* NULL: no memory */
void job_free(struct job *job);          /* with all it owns; accepts NULL */

/* Many senders, one receiver. Bounded by jobs; a full queue makes job_queue_push block (worker to
 * store) or job_queue_offer refuse (the network thread, which must not block). */
struct job_queue;
struct job_queue *job_queue_new(size_t max_jobs);
void job_queue_free(struct job_queue *q);                        /* frees what is left in it */
bool job_queue_offer(struct job_queue *q, struct job *take_job); /* false: full, job not taken */
void job_queue_push(struct job_queue *q, struct job *take_job);  /* waits for room */
/* Everything waiting, at most max, as a list in order; waits up to wait_ms (-1: for ever) for the
 * first. NULL: nothing came, or the queue was closed and is empty. */
struct job *job_queue_take(struct job_queue *q, size_t max, int wait_ms);
/* As job_queue_take; and when this many jobs were announced by the time the first is there, waits
 * up to gather_ms for those too, without a wake-up for each. Fewer are not worth a wait. */
#define JOB_GATHER_MIN 64
struct job *job_queue_gather(struct job_queue *q, size_t max, int wait_ms, int gather_ms);
/* One more job (1) is on its way here through another queue, or will not come (-1); its
 * job_queue_push takes that back. Any thread. */
void job_queue_announce(struct job_queue *q, int change);
void job_queue_close(struct job_queue *q); /* the receiver drains, then gets NULL */
bool job_queue_closed(struct job_queue *q);

#endif
