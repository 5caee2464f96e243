/* Tests of the queues between the hub's threads: order, bounds, closing, and who frees what. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "job.h"

#define SENDERS 4
#define EACH 2000

static struct job *numbered(uint64_t n) {
    struct job *job = job_new(JOB_NOTE);
    cr_assert(job);
    job->req = n;
    return job;
}

static size_t free_list(struct job *list) {
    size_t count = 0;
    while (list) {
        struct job *next = list->next;
        job_free(list);
        list = next;
        count++;
    }
    return count;
}

Test(job, keeps_order_and_takes_at_most_what_was_asked) {
    struct job_queue *q = job_queue_new(10);
    for (uint64_t i = 0; i < 5; i++)
        cr_assert(job_queue_offer(q, numbered(i)));
    struct job *list = job_queue_take(q, 3, 0);
    cr_assert_eq(list->req, 0);
    cr_assert_eq(list->next->req, 1);
    cr_assert_eq(list->next->next->req, 2);
    cr_assert_null(list->next->next->next);
    free_list(list);
    cr_assert(job_queue_offer(q, numbered(9)));
    list = job_queue_take(q, 10, 0);
    cr_assert_eq(list->req, 3);
    cr_assert_eq(list->next->next->req, 9);
    cr_assert_eq(free_list(list), 3);
    cr_assert_null(job_queue_take(q, 10, 0));
    job_queue_free(q);
}

/* The network thread must not block: a full queue refuses, and the job stays the caller's. */
Test(job, full_queue_refuses_an_offer) {
    struct job_queue *q = job_queue_new(2);
    struct job *third = numbered(3);
    cr_assert(job_queue_offer(q, numbered(1)));
    cr_assert(job_queue_offer(q, numbered(2)));
    cr_assert_not(job_queue_offer(q, third));
    free_list(job_queue_take(q, 1, 0));
    cr_assert(job_queue_offer(q, third));
    job_queue_free(q); /* with two in it */
    job_queue_free(NULL);
}

Test(job, take_waits_no_longer_than_told) {
    struct job_queue *q = job_queue_new(2);
    int64_t before_ms = clock_monotonic_ms();
    cr_assert_null(job_queue_take(q, 1, 30));
    cr_assert_geq(clock_monotonic_ms() - before_ms, 29);
    job_queue_free(q);
}

Test(job, closed_queue_is_drained_then_gives_nothing) {
    struct job_queue *q = job_queue_new(4);
    struct job *late = numbered(2);
    cr_assert(job_queue_offer(q, numbered(1)));
    cr_assert_not(job_queue_closed(q));
    job_queue_close(q);
    cr_assert(job_queue_closed(q));
    cr_assert_not(job_queue_offer(q, late));
    job_queue_push(q, late); /* freed by the queue */
    cr_assert_eq(free_list(job_queue_take(q, 4, -1)), 1);
    cr_assert_null(job_queue_take(q, 4, -1));
    job_queue_free(q);
}

struct sender {
    pthread_t thread;
    struct job_queue *queue;
    uint64_t base;
};

static void *send_all(void *arg) {
    struct sender *s = arg;
    for (uint64_t i = 0; i < EACH; i++) {
        struct job *job = job_new(JOB_NOTE);
        job->connection = s->base;
        job->req = i;
        job_queue_push(s->queue, job);
    }
    return NULL;
}

/* Many senders through a queue of eight: nothing lost, and each sender's order kept. */
Test(job, pushing_waits_for_room_and_loses_nothing) {
    struct job_queue *q = job_queue_new(8);
    struct sender senders[SENDERS];
    uint64_t next[SENDERS] = {0};
    for (uint64_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.queue = q, .base = i};
        cr_assert_eq(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (size_t got = 0; got < SENDERS * EACH;) {
        struct job *list = job_queue_take(q, 5, -1);
        for (struct job *job = list; job; job = job->next, got++)
            cr_assert_eq(job->req, next[job->connection]++);
        free_list(list);
    }
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    cr_assert_null(job_queue_take(q, 1, 0));
    job_queue_free(q);
}

/* One sender of announced jobs: a group holds them all, though the first was there before. */
static void *send_announced(void *arg) {
    struct sender *s = arg;
    for (uint64_t i = 0; i < EACH; i++)
        job_queue_push(s->queue, numbered(i));
    return NULL;
}

Test(job, gathering_waits_for_what_was_announced) {
    struct job_queue *q = job_queue_new(2 * EACH);
    struct sender sender = {.queue = q};
    cr_assert(job_queue_offer(q, numbered(0)));
    for (size_t i = 0; i < EACH; i++)
        job_queue_announce(q, 1);
    cr_assert_eq(pthread_create(&sender.thread, NULL, send_announced, &sender), 0);
    cr_assert_eq(free_list(job_queue_gather(q, 2 * EACH, -1, 60000)), EACH + 1);
    pthread_join(sender.thread, NULL);
    job_queue_free(q);
}

static void announce(struct job_queue *q, int count, int change) {
    for (int i = 0; i < count; i++)
        job_queue_announce(q, change);
}

Test(job, gathering_goes_on_without_what_does_not_come) {
    struct job_queue *q = job_queue_new(8 * JOB_GATHER_MIN);
    announce(q, JOB_GATHER_MIN, 1);
    cr_assert_null(job_queue_gather(q, 1000, 0, 60000)); /* nothing is there: nothing to wait for */
    cr_assert(job_queue_offer(q, numbered(0)));
    cr_assert_eq(free_list(job_queue_gather(q, 1000, 0, 1)), 1);
    announce(q, 1, -1); /* one less is too few */
    cr_assert(job_queue_offer(q, numbered(1)));
    cr_assert_eq(free_list(job_queue_gather(q, 1000, 0, 60000)), 1);
    announce(q, 1, 1);
    cr_assert(job_queue_offer(q, numbered(2)));
    job_queue_close(q);
    cr_assert_eq(free_list(job_queue_gather(q, 1000, -1, 60000)), 1);
    job_queue_free(q);
}
