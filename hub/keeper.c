/* Owns the store thread: group commit, then reads, then answers. Must not know sockets. */
#include "keeper.h"

#include "clock.h"
#include "failpoint.h"
#include "log.h"
#include <stdlib.h>
#include <sys/prctl.h>

#define GROUP_MAX_JOBS 1000
#define IDLE_WAIT_MS 250
/* A commit, and the acks that follow it, cost much the same for one entry as for many: when many
 * are under verification, they wait for each other a moment. */
#define GATHER_MS 5

struct keeper {
    struct keeper_config config;
    pthread_t thread;
};

static void fail(struct job *job, enum err code, const struct error *e) {
    job->code = code;
    job->error = *e;
    if (job->kind == JOB_GREET) {
        job->greeting.code = code;
        job->greeting.error = *e;
        job->greeting.unsigned_close = true;
    }
}

static void greet(struct hub *hub, struct job *job, int64_t now_ms) {
    struct error e = {0};
    if (job->code) {
        struct error refused = job->error;
        hub_note_rejection(hub, job->code, now_ms);
        fail(job, job->code, &refused);
        return;
    }
    enum err err = hub_greet(hub, &job->hello, now_ms, &job->greeting, &e);
    if (err)
        fail(job, err, &e);
}

static void accept_entry(struct hub *hub, struct job *job, int64_t now_ms) {
    struct error e = {0};
    enum feed_verdict verdict = FEED_REJECT;
    if (job->entry) {
        const struct header *h = &job->entry->header;
        job->entry_head = (struct head){h->incarnation, h->seq, job->entry->hash};
    }
    if (job->code) {
        hub_note_rejection(hub, job->code, now_ms);
        return;
    }
    enum err err = hub_accept(hub, job->entry, blob_bytes(job->data), &job->agent, now_ms, &verdict,
                              &job->head, &job->error, &e);
    if (err)
        fail(job, err, &e);
    else if (verdict == FEED_REJECT || verdict == FEED_FORK)
        job->code = job->error.code;
}

static bool writes(const struct job *job) {
    return job->kind == JOB_GREET || job->kind == JOB_ACCEPT;
}

static bool holds(const struct job *list, enum job_kind kind) {
    while (list && list->kind != kind)
        list = list->next;
    return list != NULL;
}

/* One transaction for all greetings and entries of the batch. A failed commit undoes all of them.
 */
static void write_group(struct hub *hub, struct job *list, int64_t now_ms) {
    struct error e = {0};
    enum err err = hub_begin(hub, &e);
    for (struct job *job = list; job && !err; job = job->next) {
        if (job->kind == JOB_GREET)
            greet(hub, job, now_ms);
        else if (job->kind == JOB_ACCEPT)
            accept_entry(hub, job, now_ms);
    }
    if (!err)
        err = hub_commit(hub, &e);
    for (struct job *job = list; job && err; job = job->next)
        if (writes(job))
            fail(job, err, &e);
    if (holds(list, JOB_ACCEPT))
        failpoint("hub-after-commit");
    if (holds(list, JOB_GREET))
        failpoint("hub-after-greet");
}

static void run_single(struct hub *hub, struct job *job, int64_t now_ms) {
    size_t count = 0;
    const struct api_route *routes = hub_routes(&count);
    switch (job->kind) {
    case JOB_LOAD:
        job->code =
            hub_load(hub, &job->agent, &job->cursors, job->max_bytes, &job->page, &job->error);
        return;
    case JOB_API:
        job->call->request.now_ms = now_ms;
        job->code = access_dispatch(hub_access(hub), routes, count, hub, &job->call->request,
                                    &job->response);
        return;
    case JOB_NOTE:
        hub_note_session(hub, &job->agent, job->connected, now_ms);
        return;
    case JOB_GREET:
    case JOB_ACCEPT:
    case JOB_NEWS:
        return;
    }
}

static void publish_news(struct keeper *k, bool published) {
    struct job *job = job_new(JOB_NEWS);
    if (!job)
        return;
    hub_take_news(k->config.hub, &job->news);
    job->news.published = published;
    if (job->news.hub_feed || job->news.agent_count || job->news.expelled_count || published)
        job_queue_push(k->config.done, job);
    else
        job_free(job);
}

/* What is to be published by itself, also while there is no quiet moment. */
static void publish_due(struct keeper *k, int64_t now_ms) {
    struct error e = {0};
    bool published = false;
    if (hub_publish_due(k->config.hub, now_ms, &published, &e)) {
        log_event(LOG_WARN, "publish", "code=%s detail=\"%s\"", error_name(e.code), e.detail);
        return;
    }
    if (!published)
        return;
    log_event(LOG_INFO, "published", "by=schedule");
    publish_news(k, true);
    k->config.wake(k->config.ctx);
}

static void finish(struct keeper *k, struct job *list) {
    while (list) {
        struct job *job = list;
        list = job->next;
        if (job->kind == JOB_NOTE)
            job_free(job);
        else
            job_queue_push(k->config.done, job);
    }
    publish_news(k, false);
    k->config.wake(k->config.ctx);
}

static void *keep(void *arg) {
    struct keeper *k = arg;
    struct hub *hub = k->config.hub;
    bool more = false;
    prctl(PR_SET_NAME, "store");
    for (;;) {
        struct job *list =
            job_queue_gather(k->config.jobs, GROUP_MAX_JOBS, more ? 0 : IDLE_WAIT_MS, GATHER_MS);
        if (!list && job_queue_closed(k->config.jobs))
            return NULL;
        int64_t now_ms = clock_wall_ms();
        publish_due(k, now_ms);
        if (!list) {
            more = hub_idle(hub, now_ms);
            continue;
        }
        if (holds(list, JOB_GREET) || holds(list, JOB_ACCEPT))
            write_group(hub, list, now_ms);
        for (struct job *job = list; job; job = job->next)
            run_single(hub, job, now_ms);
        finish(k, list);
    }
}

enum err keeper_start(const struct keeper_config *config, struct keeper **ret, struct error *e) {
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        return error_set(e, ERR_NO_MEMORY, "not enough memory for the store thread");
    k->config = *config;
    if (pthread_create(&k->thread, NULL, keep, k) != 0) {
        free(k);
        return error_set(e, ERR_NO_MEMORY, "cannot start the store thread");
    }
    *ret = k;
    return ERR_OK;
}

void keeper_stop(struct keeper *k) {
    if (!k)
        return;
    job_queue_close(k->config.jobs);
    pthread_join(k->thread, NULL);
    free(k);
}
