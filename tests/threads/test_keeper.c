/* The hub's verify workers and its store thread over a real store, with this thread in the place of
 * the network's: entries of several members, some of them spoilt, pages, API requests and notes,
 * all under way at once; then the end while jobs still wait. */
#include <stdatomic.h>
#include <string.h>

#include "clock.h"
#include "keeper.h"
#include "threads.h"
#include "unit/hub/town.h"
#include "verify.h"

#define MEMBERS 4
#define ENTRIES 60 /* of each */
#define SPOILT_EVERY 10
#define WORKERS 3
#define QUEUE_JOBS 4096

static struct town town;
static struct person people[MEMBERS];
static struct blob *entries[MEMBERS][ENTRIES];
static atomic_size_t wakes;

static void wake(void *ctx) {
    (void)ctx;
    atomic_fetch_add(&wakes, 1);
}

/* ---- what is sent, made beforehand: the hub is the store thread's alone while that runs ---- */

/* The next state of a member, signed; its head moves on as if the hub had taken it. */
static struct blob *make_entry(struct person *p, struct circle *c, int64_t total) {
    const struct figures row = {
        .site = 1, .region = "NL-UT", .service = "bed", .ward = "", .total = known(total)};
    struct draft d;
    struct buf plain, out;
    struct hash hash;
    struct error e = {0};
    size_t len = 0;
    figures_encode(&town, "exact", &row, 1, &plain);
    draft_init(&town, &d, p);
    draft_state(&town, &d, c, buf_bytes(&plain));
    for (size_t i = 0; i < d.count; i++)
        d.views[i].data = buf_bytes(&d.data[i]);
    buf_init(&out, ENTRY_MAX_BYTES);
    CHECK(entry_build(&d.header, d.views, d.count, &p->agent, &out, &hash, &e) == ERR_OK);
    p->head = (struct head){d.header.incarnation, d.header.seq, hash};
    for (size_t i = 0; i < d.count; i++)
        buf_done(&d.data[i]);
    buf_done(&plain);
    uint8_t *bytes = buf_take(&out, &len);
    return blob_take(bytes, len);
}

static void set_up(void) {
    static struct circle circles[MEMBERS];
    town_init(&town, 1, NULL);
    town.now_ms = clock_wall_ms();
    for (int i = 0; i < MEMBERS; i++) {
        const struct figures row = {
            .site = 1, .region = "NL-UT", .service = "bed", .ward = "", .total = known(5)};
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        person_join(&town, &people[i], name, "provider");
        person_share(&town, &people[i], &circles[i], "exact", &row, 1);
    }
    for (int i = 0; i < MEMBERS; i++)
        for (int k = 0; k < ENTRIES; k++)
            entries[i][k] = make_entry(&people[i], &circles[i], k);
}

/* ---- jobs ---- */

struct shell {
    struct job_queue *jobs, *done;
    struct verify *verify;
    size_t sent, answered, accepted, refused, pages, calls;
};

static struct job *job_of(struct shell *s, enum job_kind kind, const struct person *p) {
    struct job *job = job_new(kind);
    CHECK(job);
    job->agent = p->agent.pub;
    job->connection = (uint64_t)(p - people) + 1;
    job->req = ++s->sent;
    job->now_ms = clock_wall_ms();
    return job;
}

static void send_entry(struct shell *s, const struct person *p, struct blob *entry) {
    struct job *job = job_of(s, JOB_ACCEPT, p);
    job->data = blob_ref(entry);
    CHECK(verify_offer(s->verify, job));
}

/* An entry with one byte changed, and a hello of noise. */
static void send_spoilt(struct shell *s, const struct person *p, struct blob *entry) {
    struct bytes whole = blob_bytes(entry);
    uint8_t *copy = malloc(whole.len);
    CHECK(copy);
    memcpy(copy, whole.data, whole.len);
    copy[whole.len / 2] ^= 1;
    struct job *job = job_of(s, JOB_ACCEPT, p);
    job->data = blob_take(copy, whole.len);
    CHECK(verify_offer(s->verify, job));
    job = job_of(s, JOB_GREET, p);
    job->data = blob_new(bytes_str("no hello at all"));
    job->hub_hello_copy = blob_new(bytes_str("nor this"));
    CHECK(verify_offer(s->verify, job));
}

static void send_page(struct shell *s, const struct person *p) {
    struct job *job = job_of(s, JOB_LOAD, p);
    job->max_bytes = 64 * 1024;
    CHECK(job_queue_offer(s->jobs, job));
    job = job_of(s, JOB_NOTE, p);
    job->connected = true;
    s->sent--; /* a note has no answer */
    CHECK(job_queue_offer(s->jobs, job));
}

static void send_call(struct shell *s, const struct person *p, const char *path) {
    struct job *job = job_of(s, JOB_API, p);
    job->call = calloc(1, sizeof *job->call);
    CHECK(job->call);
    job->call->path = strdup(path);
    job->call->request = (struct api_request){
        .method = API_GET, .path = job->call->path, .actor = "uid:0", .role = API_ADMIN};
    CHECK(job_queue_offer(s->jobs, job));
}

static void take_answers(struct shell *s, int wait_ms) {
    struct job *list = job_queue_take(s->done, 100, wait_ms);
    while (list) {
        struct job *job = list;
        list = job->next;
        if (job->kind != JOB_NEWS)
            s->answered++;
        if (job->kind == JOB_ACCEPT && job->code == ERR_OK)
            s->accepted++;
        else if (job->code != ERR_OK)
            s->refused++;
        if (job->kind == JOB_LOAD && job->code == ERR_OK)
            s->pages++;
        if (job->kind == JOB_API && job->code == ERR_OK)
            s->calls++;
        job_free(job);
    }
}

static void start(struct shell *s, struct keeper **ret) {
    struct error e = {0};
    *s = (struct shell){.jobs = job_queue_new(QUEUE_JOBS), .done = job_queue_new(QUEUE_JOBS)};
    struct keeper_config config = {.hub = town.hub, .jobs = s->jobs, .done = s->done, .wake = wake};
    CHECK(keeper_start(&config, ret, &e) == ERR_OK);
    CHECK(verify_start(WORKERS, &hub_keys(town.hub)->pub, s->jobs, &s->verify, &e) == ERR_OK);
}

static void stop(struct shell *s, struct keeper *keeper) {
    verify_stop(s->verify);
    keeper_stop(keeper);
    job_queue_free(s->jobs);
    job_queue_free(s->done);
}

/* ---- the tries ---- */

static void all_at_once(void) {
    static const char *const paths[] = {"/v1/status", "/v1/members", "/v1/aggregate",
                                        "/v1/coverage"};
    struct shell s;
    struct keeper *keeper = NULL;
    size_t spoilt = 0;
    start(&s, &keeper);
    for (int k = 0; k < ENTRIES; k++) {
        for (int i = 0; i < MEMBERS; i++) {
            send_entry(&s, &people[i], entries[i][k]);
            if (k % SPOILT_EVERY == 0) {
                send_spoilt(&s, &people[i], entries[i][k]);
                spoilt += 2;
            }
        }
        send_page(&s, &people[k % MEMBERS]);
        send_call(&s, &people[k % MEMBERS], paths[k % 4]);
        take_answers(&s, 0);
    }
    while (s.answered < s.sent)
        take_answers(&s, 1000);
    CHECK(s.accepted == (size_t)MEMBERS * ENTRIES);
    CHECK(s.refused == spoilt);
    CHECK(s.pages == ENTRIES && s.calls == ENTRIES);
    CHECK(atomic_load(&wakes) > 0);
    stop(&s, keeper);
}

/* What was sent before is held already, and nobody reads the answers any more. */
static void end_with_jobs_waiting(void) {
    struct shell s;
    struct keeper *keeper = NULL;
    start(&s, &keeper);
    for (int k = 0; k < ENTRIES; k++)
        for (int i = 0; i < MEMBERS; i++)
            send_entry(&s, &people[i], entries[i][k]);
    stop(&s, keeper);
}

int main(void) {
    set_up();
    all_at_once();
    end_with_jobs_waiting();
    for (int i = 0; i < MEMBERS; i++)
        for (int k = 0; k < ENTRIES; k++)
            blob_unref(entries[i][k]);
    town_done(&town);
    return 0;
}
