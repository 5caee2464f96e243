/* Measures what 1 to 2,000 recipients of one audience cost its author and the hub that relays.
 * Source: design 8. */
#include "growth.h"
#include "sharer.h"

#define FAMILY "recipients"
#define UPDATES 20 /* of which the mean is told */
#define WAIT_SECONDS 60

static const int sizes[] = {1, 10, 100, 1000, SHARER_MANY};
#define SIZES (sizeof sizes / sizeof sizes[0])

struct audience_growth {
    struct testbed t; /* puppets [0, SHARER_MANY) read, one behind them publishes for each size */
    struct sharer s;
};

/* ---- the author, in-process ---- */

static enum err share(struct bench *b, struct sharer *s, int recipients, struct error *e) {
    int entries = 0;
    size_t bytes = 0;
    double update = 0;
    int64_t start = bench_cpu_ns();
    enum err err = sharer_policy(s, 1, recipients, e);
    int64_t applied = bench_cpu_ns();
    if (err == ERR_OK)
        err = sharer_drain(s, &entries, &bytes, e);
    int64_t drained = bench_cpu_ns();
    for (int i = 0; i < UPDATES && err == ERR_OK; i++)
        err = sharer_update(s, &update, e);
    int64_t updated = bench_cpu_ns();
    const struct growth_value values[] = {
        {"author, policy applied", "ms of CPU", (double)(applied - start) / 1e6},
        {"author, newcomers granted", "ms of CPU", (double)(drained - applied) / 1e6},
        {"author, bytes of their grants", "KiB", (double)bytes / 1024},
        {"author, an update sealed", "ms of CPU", (double)(updated - drained) / 1e6 / UPDATES},
        {"wire, an update", "bytes", update},
    };
    return err == ERR_OK
               ? growth_add(b, FAMILY, recipients, values, sizeof values / sizeof values[0], e)
               : err;
}

static enum err author(struct bench *b, struct audience_growth *g, struct error *e) {
    enum err err = resident_join(&g->s.r, &g->t, "Resident", e);
    /* The directory first: the policy names its members. */
    struct process_usage unused;
    if (err == ERR_OK)
        err = resident_start(&g->s.r, e);
    if (err == ERR_OK)
        err = resident_settle(&g->s.r, &g->t, &unused, e);
    if (err == ERR_OK)
        err = resident_stop(&g->s.r, e);
    if (err == ERR_OK)
        err = resident_open(&g->s.r, e);
    for (int i = 0; i < 10 && err == ERR_OK; i++)
        err = sharer_line(&g->s, "Resident", "bed", i, 10, e);
    if (err == ERR_OK)
        err = sharer_approve(&g->s, e);
    for (size_t i = 0; i < SIZES && err == ERR_OK; i++)
        err = share(b, &g->s, sizes[i], e);
    resident_close(&g->s.r);
    return err;
}

/* ---- the hub, relaying ---- */

struct relay {
    const struct testbed *t;
    size_t readers;
    uint64_t expected; /* excerpts that each of them has in the end */
};

static bool all_have_it(void *ctx) {
    const struct relay *r = ctx;
    for (size_t i = 0; i < r->readers; i++)
        if (r->t->puppets[i].taken < r->expected)
            return false;
    return true;
}

static enum err open_feed(struct puppet *p, struct testbed *t, size_t readers, struct error *e) {
    static struct puppet_reader keys[SHARER_MANY];
    for (size_t i = 0; i < readers; i++)
        keys[i] = (struct puppet_reader){t->puppets[i].agent.pub, t->puppets[i].box.pub};
    return puppet_open_feed_to(p, keys, readers, (int64_t)time(NULL) * 1000, e);
}

static enum err publish(struct puppet *p, struct relay *r, struct error *e) {
    enum err err = puppet_seal_state(p, (int64_t)time(NULL) * 1000, e);
    r->expected++;
    if (err == ERR_OK)
        peer_outbox(p->peer);
    return err == ERR_OK ? testbed_until((struct testbed *)r->t, all_have_it, r, WAIT_SECONDS, e)
                         : err;
}

static enum err relay(struct bench *b, struct testbed *t, struct puppet *p, size_t readers,
                      struct error *e) {
    struct relay r = {t, readers, 1}; /* the grant comes first */
    struct process_usage before, after;
    for (size_t i = 0; i < readers; i++)
        t->puppets[i].taken = 0;
    p->window = ENTRY_MAX_GRANTS;
    enum err err = open_feed(p, t, readers, e);
    if (err == ERR_OK)
        err = puppet_connect(p, e);
    if (err == ERR_OK)
        err = publish(p, &r, e); /* warms up, and waits for the grants */
    if (err == ERR_OK)
        err = process_usage(&t->hub, &before, e);
    int64_t start = bench_now_ns();
    for (int i = 0; i < UPDATES && err == ERR_OK; i++)
        err = publish(p, &r, e);
    int64_t end = bench_now_ns();
    if (err == ERR_OK)
        err = process_usage(&t->hub, &after, e);
    if (err != ERR_OK)
        return err;
    const struct growth_value values[] = {
        {"hub, an update relayed to all", "ms of CPU",
         (double)(after.cpu_ns - before.cpu_ns) / 1e6 / UPDATES},
        {"until the last one has it", "ms", (double)(end - start) / 1e6 / UPDATES},
    };
    return growth_add(b, FAMILY, (double)readers, values, 2, e);
}

static enum err hub(struct bench *b, struct testbed *t, struct error *e) {
    enum err err = testbed_connect(t, 0, SHARER_MANY, e);
    for (size_t i = 0; i < SIZES && err == ERR_OK; i++)
        err = relay(b, t, &t->puppets[SHARER_MANY + i], (size_t)sizes[i], e);
    return err;
}

enum err bench_growth_recipients(struct bench *b, struct error *e) {
    static struct audience_growth g;
    g = (struct audience_growth){.s = {.r = {.lock = -1}}};
    enum err err = testbed_open(&g.t, b, "recipients", false, e);
    if (err == ERR_OK)
        err = testbed_join(&g.t, SHARER_MANY + SIZES, e);
    if (err == ERR_OK)
        err = author(b, &g, e);
    if (err == ERR_OK)
        err = hub(b, &g.t, e);
    resident_done(&g.s.r);
    testbed_close(&g.t);
    return err;
}
