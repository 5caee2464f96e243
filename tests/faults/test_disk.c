/* A disk that fails: EIO and ENOSPC injected by strace into the writes and syncs of a daemon's
 * database, each at a drawn call, once or from there on.
 * The rule: a daemon that is up stays up, refuses what it could not store with a typed error (exit
 * status 74, or a signed farewell of the hub's), and goes on by itself when the disk does; one that
 * cannot open its database ends with 74 and says so. What exited 0 is there in the end, at both
 * ends, and nothing stands in the log twice. */
#include <string.h>

#include "faults.h"
#include "traced.h"

#define EXACT_TO_B_AND_HUB                                                                         \
    "{\"audiences\":[{\"name\":\"all\",\"members\":[\"B\",\"@hub\"],\"services\":[\"*\"],"         \
    "\"precision\":\"exact\"}]}"
#define LATEST_SYNC 6   /* after this many the daemon is long at work */
#define LATEST_WRITE 24 /* a commit writes several pages */
#define SETS_MAX 12     /* to come to the call that fails, */
#define SETS_AFTER 2    /* and when it has failed */
#define PUSH_MS 60      /* between them, for the hub to be told */
#define ANSWER_MS 5000

struct fault {
    const char *calls, *error, *code; /* code: as it is told */
    unsigned latest;
};
static const struct fault kinds[] = {{"fdatasync,fsync", "EIO", "store", LATEST_SYNC},
                                     {"fdatasync,fsync", "ENOSPC", "disk-full", LATEST_SYNC},
                                     {"pwrite64", "EIO", "store", LATEST_WRITE},
                                     {"pwrite64", "ENOSPC", "disk-full", LATEST_WRITE}};
#define KINDS (sizeof kinds / sizeof kinds[0])

static struct lab lab;
static struct network net;
static struct prng prng;
static const char *const agents[] = {"A", "B", NULL};
static struct {
    int64_t tried, done;
    unsigned exited_0, refused, injected, missed, not_opened, told, runs;
} count;

static void setup(void) {
    lab_open(&lab, "disk");
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_add(&net, "A", NULL);
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B");
    network_policy(&net, "A", EXACT_TO_B_AND_HUB);
    prng = faults_prng();
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(disk, .init = setup, .fini = teardown, .timeout = 3600);

static void set_next(const struct fault *fault) {
    count.tried++;
    const struct result *r = LAB_RUN(&lab, "plek-agent", "set", "bed",
                                     lab_text(&lab, "free=%lld", (long long)count.tried), "--dir",
                                     network_dir(&net, "A"));
    if (r->status == 0) {
        count.done = count.tried, count.exited_0++;
        return;
    }
    count.refused++;
    cr_assert(fault, "a sound disk refuses: %s", r->err);
    cr_assert_eq(r->status, 74, "found %d: %s", r->status, r->err);
    if (strcmp(fault->error, "ENOSPC") == 0)
        cr_assert(strstr(r->err, "free some space"), "%s", r->err);
    else
        cr_assert(strstr(r->err, "agent.db"), "%s", r->err);
}

static int64_t available(const char *name, const char *path) {
    json_t *rows = faults_ask(&lab, network_dir(&net, name), path, ANSWER_MS);
    return json_array_size(rows) > 0 ? number_at(json_array_get(rows, 0), "available") : INT64_MIN;
}

static void restart(const char *name) {
    struct process *p = network_process(&net, name);
    if (lab_running(p))
        lab_kill(&lab, p);
    if (strcmp(name, "hub") == 0)
        network_run_hub(&net, NULL);
    else
        network_run_agent(&net, name, NULL);
}

static void expect_not_opened(const char *name) {
    struct process *p = network_process(&net, name);
    cr_assert_eq(lab_wait_end(&lab, p), 74, "%s", lab_log(&lab, p));
    cr_assert(strstr(lab_log(&lab, p), ".db"), "%s", lab_log(&lab, p));
    count.not_opened++;
}

static const char *when(uint64_t nth, bool for_good) {
    return lab_text(&lab, "%llu%s", (unsigned long long)nth, for_good ? "+" : "");
}

/* Sets until the fault was met, and a few more. */
static void set_some(const char *name, const struct fault *fault) {
    bool hub = strcmp(name, "hub") == 0;
    for (int i = 0, after = 0; i < SETS_MAX && after < SETS_AFTER; i++) {
        set_next(hub ? NULL : fault);
        faults_pause_ms(hub ? PUSH_MS : 0);
        after += traced_injected(&lab, name) > 0;
    }
}

/* The hub said, signed, why it turned the author away. */
static void expect_told(const struct fault *fault) {
    const char *reason = NULL;
    EVENTUALLY((reason = json_string_value(
                    json_object_get(json_object_get(AGENT(&net, "A", "status"), "hub"), "reason")),
                reason && strcmp(reason, fault->code) == 0));
    count.told++;
}

/* The disk of one daemon fails, then it is mended under the running daemon, or that is killed. */
static void one_fault(const char *name, const struct fault *fault, uint64_t nth, bool for_good,
                      bool mended) {
    const char *const options[] = {"-e", lab_text(&lab, "trace=%s", fault->calls), "-e",
                                   lab_text(&lab, "inject=%s:error=%s:when=%s", fault->calls,
                                            fault->error, when(nth, for_good)),
                                   NULL};
    lab_kill(&lab, network_process(&net, name));
    struct process *p = traced_run(&net, name, options);
    bool up = traced_comes_up(&lab, p), hub = strcmp(name, "hub") == 0;
    if (up && hub)
        restart("A"); /* connects at once */
    if (up)
        set_some(name, fault);
    unsigned injected = traced_injected(&lab, name);
    count.injected += injected;
    count.missed += injected == 0;
    count.runs++;
    if (!up)
        expect_not_opened(name);
    else
        cr_assert(lab_running(p), "%s ended: %s", name, lab_log(&lab, p));
    if (up && hub && for_good && injected > 0)
        expect_told(fault);
    if (up && mended)
        traced_let_go(p);
    else
        restart(name);
}

/* The partner sees what the author has, and that is what `set` promised. */
static void settle(void) {
    set_next(NULL);
    cr_assert_eq(available("A", "/v1/lines"), count.done);
    for (int i = 0; agents[i]; i++)
        if (!network_connected(&net, agents[i]))
            restart(agents[i]); /* tries at once */
    EVENTUALLY(available("B", "/v1/find?service=bed") == count.done);
    EVENTUALLY(network_drained(&net, "A"));
}

static void sweep(const char *name) {
    if (!traced_works(&lab)) {
        printf("%s\n", TRACED_SKIPPED);
        lab_pass(&lab);
        return;
    }
    set_next(NULL);
    unsigned rounds = faults_times(1, 12);
    for (unsigned i = 0; i < rounds; i++)
        for (size_t kind = 0; kind < KINDS; kind++) {
            uint64_t nth = 1 + prng_below(&prng, kinds[kind].latest);
            one_fault(name, &kinds[kind], nth, prng_chance(&prng, 500), prng_chance(&prng, 500));
            settle();
        }
    faults_expect_calm(&net, "A");
    faults_expect_calm(&net, "B");
    faults_expect_once(&net, agents);
    faults_say("%s: %u runs, %u calls failed (none in %u runs), the database was not opened %u "
               "times, an agent was told so %u times; %lld updates, %u exited 0, %u were refused",
               name, count.runs, count.injected, count.missed, count.not_opened, count.told,
               (long long)count.tried, count.exited_0, count.refused);
    lab_pass(&lab);
}

Test(disk, of_an_agent_that_fails_costs_nothing_promised) {
    sweep("A");
}

Test(disk, of_the_hub_that_fails_costs_nothing_promised) {
    sweep("hub");
}
