/* Owns the simulated hub's verify workers and store thread, as hub/verify.c and hub/keeper.c run
 * them: groups committed together, answers after the commit, power cuts in between. Must not touch
 * a session machine (hub_node.c). */
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "sim.h"

#define GROUP_MAX_JOBS 200
#define IDLE_MS 250

int64_t sim_hub_clock(const struct sim *sim) {
    return sim->now_ms + sim->hub.skew_ms;
}

/* ---- queues ---- */

bool sim_hub_full(const struct sim *sim) {
    const struct sim_hub *h = &sim->hub;
    size_t under_way = h->store.count + h->done.count;
    for (int i = 0; i < SIM_WORKERS; i++)
        under_way += h->verify[i].count;
    return sim->climate.queue > 0 && under_way >= sim->climate.queue;
}

static void put(struct sim_queue *q, struct sim_job *job) {
    job->next = NULL;
    if (q->last)
        q->last->next = job;
    else
        q->first = job;
    q->last = job;
    q->count++;
}

static struct sim_job *take_at(struct sim_queue *q, size_t index) {
    struct sim_job *before = NULL, *job = q->first;
    for (size_t i = 0; i < index && job; i++) {
        before = job;
        job = job->next;
    }
    if (!job)
        return NULL;
    if (before)
        before->next = job->next;
    else
        q->first = job->next;
    if (q->last == job)
        q->last = before;
    q->count--;
    job->next = NULL;
    return job;
}

static void forget(struct sim_queue *q) {
    struct sim_job *job;
    while ((job = take_at(q, 0)))
        sim_job_free(job);
}

void sim_hub_forget_jobs(struct sim *sim) {
    struct sim_hub *h = &sim->hub;
    for (int i = 0; i < SIM_WORKERS; i++) {
        forget(&h->verify[i]);
        h->verify_scheduled[i] = false;
    }
    forget(&h->store);
    forget(&h->done);
    h->keep_scheduled = h->done_scheduled = h->idle_scheduled = false;
}

/* ---- answers back to the network thread ---- */

static void schedule_done(struct sim *sim);

/* Greetings and news keep their order: a member that was suspended after its greeting was judged
 * must be registered before it is expelled. Of the rest the machine takes any. */
static size_t pick_done(struct sim *sim) {
    struct sim_queue *q = &sim->hub.done;
    if (!sim->climate.any_order)
        return 0;
    size_t index = (size_t)prng_below(&sim->prng, q->count), i = 0, first = SIZE_MAX;
    bool ordered = false;
    for (struct sim_job *job = q->first; job; job = job->next, i++) {
        bool is_ordered = job->kind == JOB_GREET || job->kind == JOB_NEWS;
        if (is_ordered && first == SIZE_MAX)
            first = i;
        if (i == index)
            ordered = is_ordered;
    }
    return ordered ? first : index;
}

static void on_done(struct sim *sim, const struct sim_event *event) {
    if (sim_stale(sim, event))
        return;
    sim->hub.done_scheduled = false;
    if (sim->hub.done.count == 0)
        return;
    struct sim_job *job = take_at(&sim->hub.done, pick_done(sim));
    schedule_done(sim);
    sim_hub_finish(sim, job);
    sim_job_free(job);
}

static void schedule_done(struct sim *sim) {
    if (sim->hub.done_scheduled || sim->hub.done.count == 0)
        return;
    sim->hub.done_scheduled = true;
    sim_schedule(sim, sim_delay(sim, sim->climate.store_ms), SIM_HUB, on_done);
}

void sim_hub_publish_news(struct sim *sim) {
    struct sim_job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->kind = JOB_NEWS;
    hub_take_news(sim->hub.hub, &job->news);
    bool any = job->news.hub_feed || job->news.agent_count || job->news.expelled_count;
    if (any && sim->mutation != MUTATION_NO_NEWS) {
        put(&sim->hub.done, job);
        schedule_done(sim);
    } else {
        sim_job_free(job);
    }
}

/* ---- the store thread ---- */

static void fail(struct sim_job *job, enum err code, const struct error *e) {
    job->code = code;
    job->error = *e;
    if (job->kind == JOB_GREET) {
        job->greeting.code = code;
        job->greeting.error = *e;
        job->greeting.unsigned_close = true;
    }
}

static void greet(struct sim *sim, struct sim_job *job) {
    struct error e = {0};
    if (job->code) {
        struct error refused = job->error;
        fail(job, job->code, &refused);
        return;
    }
    if (hub_greet(sim->hub.hub, &job->hello, sim_hub_clock(sim), &job->greeting, &e))
        fail(job, e.code, &e);
}

static void accept_entry(struct sim *sim, struct sim_job *job) {
    if (job->code)
        return;
    struct error e = {0};
    enum feed_verdict verdict = FEED_REJECT;
    const struct header *h = &job->entry->header;
    job->entry_head = (struct head){h->incarnation, h->seq, job->entry->hash};
    enum err err = hub_accept(sim->hub.hub, job->entry, blob_bytes(job->data), &job->agent,
                              sim_hub_clock(sim), &verdict, &job->head, &job->error, &e);
    if (err)
        fail(job, err, &e);
    else if (verdict == FEED_REJECT || verdict == FEED_FORK)
        job->code = job->error.code;
    if (verdict == FEED_FORK)
        sim_fail(sim, "an honest agent's feed was forked at %llu", (unsigned long long)h->seq);
    sim->seen.entries++;
}

static bool writes(const struct sim_job *job) {
    return job->kind == JOB_GREET || job->kind == JOB_ACCEPT;
}

/* The defect this mutation stands for: entries are answered although nothing is durable yet. */
static void answer_early(struct sim *sim, struct sim_job **jobs, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (jobs[i]->kind == JOB_ACCEPT && jobs[i]->code == ERR_OK)
            sim_hub_finish(sim, jobs[i]);
}

static void write_group(struct sim *sim, struct sim_job **jobs, size_t count) {
    struct error e = {0};
    struct hub *hub = sim->hub.hub;
    enum err err = hub_begin(hub, &e);
    for (size_t i = 0; i < count && !err; i++) {
        if (jobs[i]->kind == JOB_GREET)
            greet(sim, jobs[i]);
        else if (jobs[i]->kind == JOB_ACCEPT)
            accept_entry(sim, jobs[i]);
    }
    if (!err && sim->mutation == MUTATION_ACK_BEFORE_COMMIT)
        answer_early(sim, jobs, count);
    if (!err)
        err = hub_commit(hub, &e);
    if (err)
        sim_trace(sim, "hub loses a group: %s %.120s", error_name(err), e.detail);
    for (size_t i = 0; i < count; i++) {
        jobs[i]->committed = err == ERR_OK;
        jobs[i]->moment = watch_vfs_now(sim->hub.disk.vfs);
        if (err && writes(jobs[i]))
            fail(jobs[i], err, &e);
    }
}

static struct blob *flipped(struct sim *sim, struct bytes in) {
    uint8_t *copy = malloc(in.len ? in.len : 1);
    if (!copy)
        abort();
    memcpy(copy, in.data, in.len);
    if (in.len > 0)
        copy[prng_below(&sim->prng, in.len)] ^= (uint8_t)(1u << prng_below(&sim->prng, 8));
    return blob_take(copy, in.len);
}

/* A hub that is not honest: readers must see nothing but what authors sealed for them. */
static void falsify(struct sim *sim, struct page *page) {
    if (page->count == 0 || !sim_hits(sim, sim->climate.dishonest))
        return;
    struct delivery *item = &page->items[prng_below(&sim->prng, page->count)];
    struct blob *false_one = sim->old_excerpt && prng_chance(&sim->prng, 500)
                                 ? blob_ref(sim->old_excerpt)
                                 : flipped(sim, blob_bytes(item->excerpt));
    blob_unref(sim->old_excerpt);
    sim->old_excerpt = item->excerpt;
    item->excerpt = false_one;
    sim->seen.altered++;
}

static void run_single(struct sim *sim, struct sim_job *job) {
    if (job->kind == JOB_LOAD)
        job->code = hub_load(sim->hub.hub, &job->agent, &job->cursors, job->max_bytes, &job->page,
                             &job->error);
    if (job->kind == JOB_LOAD && job->code == ERR_OK)
        falsify(sim, &job->page);
    else if (job->kind == JOB_NOTE)
        hub_note_session(sim->hub.hub, &job->agent, job->connected, sim_hub_clock(sim));
}

static void on_idle(struct sim *sim, const struct sim_event *event) {
    struct sim_hub *h = &sim->hub;
    if (sim_stale(sim, event))
        return;
    h->idle_scheduled = false;
    if (h->store.count > 0)
        return;
    sim_disk_arm(sim, &h->disk);
    bool more = hub_idle(h->hub, sim_hub_clock(sim));
    if (sim_disk_disarm(&h->disk)) {
        sim_hub_crash(sim);
        return;
    }
    if (more) {
        h->idle_scheduled = true;
        sim_schedule(sim, 0, SIM_HUB, on_idle);
    }
}

static void finish_group(struct sim *sim, struct sim_job **jobs, size_t count) {
    struct sim_hub *h = &sim->hub;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i]->kind == JOB_NOTE)
            sim_job_free(jobs[i]);
        else
            put(&h->done, jobs[i]);
    }
    sim_hub_publish_news(sim);
    schedule_done(sim);
    if (!h->idle_scheduled && h->store.count == 0) {
        h->idle_scheduled = true;
        sim_schedule(sim, IDLE_MS, SIM_HUB, on_idle);
    }
}

static void run_group(struct sim *sim, struct sim_job **jobs, size_t count) {
    struct sim_hub *h = &sim->hub;
    bool any_write = false;
    for (size_t i = 0; i < count; i++)
        any_write |= writes(jobs[i]);
    sim_disk_arm(sim, &h->disk);
    sim_disk_fault(sim, &h->disk);
    if (any_write)
        write_group(sim, jobs, count);
    for (size_t i = 0; i < count; i++)
        run_single(sim, jobs[i]);
    sim_disk_heal(&h->disk);
}

static void schedule_keep(struct sim *sim);

static void on_keep(struct sim *sim, const struct sim_event *event) {
    struct sim_hub *h = &sim->hub;
    if (sim_stale(sim, event))
        return;
    h->keep_scheduled = false;
    struct sim_job *jobs[GROUP_MAX_JOBS];
    size_t most = prng_chance(&sim->prng, 700) ? GROUP_MAX_JOBS : 1 + prng_below(&sim->prng, 4);
    size_t count = 0;
    while (count < most && h->store.count > 0)
        jobs[count++] = take_at(&h->store, 0);
    if (count == 0)
        return;
    run_group(sim, jobs, count);
    /* The power may also go after the commit, before anybody was told. */
    bool over = sim_disk_disarm(&h->disk) || sim_hits(sim, sim->climate.crash / 2);
    if (over) {
        for (size_t i = 0; i < count; i++)
            sim_job_free(jobs[i]);
        sim_hub_crash(sim);
        return;
    }
    finish_group(sim, jobs, count);
    schedule_keep(sim);
}

static void schedule_keep(struct sim *sim) {
    if (sim->hub.keep_scheduled || sim->hub.store.count == 0)
        return;
    sim->hub.keep_scheduled = true;
    sim_schedule(sim, sim_delay(sim, sim->climate.store_ms), SIM_HUB, on_keep);
}

/* ---- the verify workers ---- */

static void verify(struct sim *sim, struct sim_job *job) {
    if (job->kind == JOB_GREET) {
        job->code = agent_hello_verify(blob_bytes(job->data), &sim->hub.network,
                                       blob_bytes(job->hub_hello), &job->hello, &job->error);
        if (job->code == ERR_OK && job->suspect)
            sim_fail(sim, "a hello verifies although its bytes were altered on the way");
        return;
    }
    job->code = entry_parse(blob_bytes(job->data), &job->entry, &job->error);
    if (!job->code && sim->mutation != MUTATION_NO_VERIFY)
        job->code = entry_verify(job->entry, &job->agent, &job->error);
}

static void schedule_verify(struct sim *sim, int worker);

static void on_verify(struct sim *sim, const struct sim_event *event) {
    if (sim_stale(sim, event))
        return;
    sim->hub.verify_scheduled[event->worker] = false;
    struct sim_job *job = take_at(&sim->hub.verify[event->worker], 0);
    schedule_verify(sim, event->worker);
    if (!job)
        return;
    verify(sim, job);
    put(&sim->hub.store, job);
    schedule_keep(sim);
}

static void schedule_verify(struct sim *sim, int worker) {
    if (sim->hub.verify_scheduled[worker] || sim->hub.verify[worker].count == 0)
        return;
    sim->hub.verify_scheduled[worker] = true;
    sim_schedule(sim, sim_delay(sim, 4), SIM_HUB, on_verify)->worker = worker;
}

void sim_hub_submit(struct sim *sim, struct sim_job *take_job) {
    if (take_job->kind != JOB_GREET && take_job->kind != JOB_ACCEPT) {
        put(&sim->hub.store, take_job);
        schedule_keep(sim);
        return;
    }
    uint64_t hash = take_job->kind == JOB_ACCEPT ? take_job->agent.b[0] : take_job->conn;
    int worker = (int)(hash % SIM_WORKERS);
    put(&sim->hub.verify[worker], take_job);
    schedule_verify(sim, worker);
}

/* ---- routes ---- */

enum err sim_hub_call(struct sim *sim, enum api_method method, const char *path, json_t *take_body,
                      json_t **ret) {
    struct sim_hub *h = &sim->hub;
    size_t count = 0;
    const struct api_route *routes = hub_routes(&count);
    struct api_request request = {.method = method,
                                  .path = path,
                                  .body = take_body,
                                  .actor = "sim",
                                  .role = API_ADMIN,
                                  .now_ms = sim_hub_clock(sim)};
    json_t *answer = NULL;
    if (method != API_GET) {
        sim_disk_arm(sim, &h->disk);
        sim_disk_fault(sim, &h->disk);
    }
    enum err err = access_dispatch(hub_access(h->hub), routes, count, h->hub, &request, &answer);
    sim_disk_heal(&h->disk);
    json_decref(take_body);
    if (sim_disk_disarm(&h->disk)) {
        json_decref(answer);
        sim_hub_crash(sim);
        return ERR_UNAVAILABLE;
    }
    if (err == ERR_OK && method != API_GET) {
        sim->seen.writes++;
        sim_disk_check(sim, &h->disk, watch_vfs_now(h->disk.vfs), "a route of the hub answers");
        ledger_hub_told(sim);
    }
    if (method != API_GET)
        sim_hub_publish_news(sim);
    *ret = answer;
    return err;
}
