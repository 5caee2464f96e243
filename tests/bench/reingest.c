/* Measures a hub that was restored from a backup of before 100,000 entries, and is sent them again
 * by those who signed them. Source: design 8. */
#include "backup.h"
#include "testbed.h"

#define STORE "hub.db"
#define AGENTS 200
#define PHASE_SECONDS 600
#define LOOK_NS INT64_C(20000000) /* how often at its memory */

struct refill {
    struct testbed t; /* puppets [0, AGENTS) publish, puppet AGENTS is whom they grant to */
    size_t entries;
    int64_t looked_ns;
    /* Private memory of the hub: the most up to a tenth, of the last tenth, of all. */
    double start_kib, first_kib, last_kib, peak_kib;
    struct process_usage before, after;
    double seconds;
};

static enum err seal(struct refill *x, struct error *e) {
    const struct puppet *reader[] = {&x->t.puppets[AGENTS]};
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    size_t each = x->entries / AGENTS;
    enum err err = ERR_OK;
    for (size_t i = 0; i < AGENTS && err == ERR_OK; i++) {
        struct puppet *p = &x->t.puppets[i];
        p->keeps = true;
        err = puppet_open_feed(p, reader, 1, now_ms, e);
        while (p->entry_count < each && err == ERR_OK)
            err = puppet_seal_state(p, now_ms, e);
    }
    return err;
}

static void look(struct refill *x, size_t stored) {
    double now_kib = process_memory_kib(&x->t.hub);
    double *part = stored <= x->entries / 10                ? &x->first_kib
                   : stored >= x->entries - x->entries / 10 ? &x->last_kib
                                                            : &x->peak_kib;
    *part = now_kib > *part ? now_kib : *part;
    x->peak_kib = now_kib > x->peak_kib ? now_kib : x->peak_kib;
}

static bool all_stored(void *ctx) {
    struct refill *x = ctx;
    size_t stored = 0;
    for (size_t i = 0; i < AGENTS; i++)
        stored += x->t.puppets[i].acked_seq;
    int64_t now_ns = bench_now_ns();
    if (now_ns - x->looked_ns >= LOOK_NS) {
        x->looked_ns = now_ns;
        look(x, stored);
    }
    return stored >= x->entries;
}

/* All are connected; nobody pushes yet. */
static enum err connect_all(struct refill *x, struct error *e) {
    for (size_t i = 0; i < AGENTS; i++)
        x->t.puppets[i].window = 0;
    return testbed_connect(&x->t, 0, AGENTS, e);
}

/* Everybody pushes what the hub lacks. */
static enum err push(struct refill *x, struct error *e) {
    for (size_t i = 0; i < AGENTS; i++) {
        x->t.puppets[i].window = (uint64_t)x->t.bench->window;
        peer_outbox(x->t.puppets[i].peer);
    }
    enum err err = testbed_until(&x->t, all_stored, x, PHASE_SECONDS, e);
    for (size_t i = 0; i < AGENTS; i++)
        puppet_disconnect(&x->t.puppets[i]);
    return err;
}

static enum err back_up(struct refill *x, struct error *e) {
    enum err err = testbed_stop_hub(&x->t, e);
    if (err == ERR_OK)
        err = backup_keep(x->t.hub_dir, STORE, e);
    return err == ERR_OK ? testbed_start_hub(&x->t, e) : err;
}

static enum err fill(struct refill *x, struct error *e) {
    enum err err = connect_all(x, e);
    return err == ERR_OK ? push(x, e) : err;
}

/* The disk died, the backup of before is all there is. */
static enum err restore(struct refill *x, struct error *e) {
    testbed_kill_hub(&x->t);
    enum err err = backup_restore(x->t.hub_dir, STORE, e);
    return err == ERR_OK ? testbed_start_hub(&x->t, e) : err;
}

static enum err refill(struct refill *x, struct error *e) {
    enum err err = connect_all(x, e);
    if (err == ERR_OK)
        err = process_usage(&x->t.hub, &x->before, e);
    int64_t start_ns = bench_now_ns();
    x->start_kib = x->before.rss_anon_kib;
    x->first_kib = x->last_kib = x->peak_kib = 0;
    if (err == ERR_OK)
        err = push(x, e);
    x->seconds = bench_seconds(bench_now_ns() - start_ns);
    return err == ERR_OK ? process_usage(&x->t.hub, &x->after, e) : err;
}

/* ---- reporting ---- */

static enum err add(struct bench *b, struct report_row row, struct error *e) {
    row.group = "reingest";
    return report_add(b->report, &row, e);
}

static enum err add_times(struct bench *b, const struct refill *x, struct error *e) {
    char note[320];
    double count = (double)x->entries;
    double hub_us = (double)(x->after.cpu_ns - x->before.cpu_ns) / 1e3 / count;
    double least_us = b->limits.verify_us + 1e6 / b->limits.raw_row_rate;
    snprintf(note, sizeof note,
             "%zu entries of %d agents that the hub had acknowledged and lost, sent again byte for "
             "byte, up to %d of each under way; against one verify and one raw row of 512 bytes, "
             "1,000 a commit: %.1f us of this run",
             x->entries, AGENTS, x->t.bench->window, least_us);
    enum err err = add(b,
                       (struct report_row){.name = "hub's processor time an entry",
                                           .value = hub_us,
                                           .unit = "us",
                                           .ratio_to = "verify + raw insert",
                                           .ratio = hub_us / least_us,
                                           .budget = "within 1.5 x verify + raw insert",
                                           .met = report_within(hub_us, 1.5 * least_us),
                                           .note = note},
                       e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "entries verified, durable, acknowledged again",
                                      .value = count / x->seconds,
                                      .unit = "/s",
                                      .ratio_to = "verify + raw insert on one core",
                                      .ratio = count / x->seconds * least_us / 1e6,
                                      .note = "all were connected before"},
                  e);
    return err;
}

static enum err add_memories(struct bench *b, const struct refill *x, struct error *e) {
    enum err err = report_memory(b->report, "reingest", "private memory, restored, all connected",
                                 x->start_kib, "RssAnon, looked at about fifty times a second", e);
    if (err == ERR_OK)
        err = report_memory(b->report, "reingest", "most private memory in the first tenth",
                            x->first_kib, NULL, e);
    if (err == ERR_OK)
        err = report_memory(b->report, "reingest", "most private memory in the last tenth",
                            x->last_kib, NULL, e);
    if (err == ERR_OK)
        err = report_memory(b->report, "reingest", "most private memory at any moment", x->peak_kib,
                            NULL, e);
    if (err == ERR_OK)
        err = report_flat(b->report, "reingest", "the last tenth against the first", x->first_kib,
                          x->last_kib, e);
    return err;
}

enum err bench_reingest(struct bench *b, struct error *e) {
    static struct refill x;
    x = (struct refill){.entries = (size_t)b->reingest / AGENTS * AGENTS};
    enum err err = testbed_open(&x.t, b, "reingest", false, e);
    if (err == ERR_OK)
        err = testbed_join(&x.t, AGENTS + 1, e);
    if (err == ERR_OK)
        err = back_up(&x, e);
    if (err == ERR_OK)
        err = seal(&x, e);
    if (err == ERR_OK)
        err = fill(&x, e);
    if (err == ERR_OK)
        err = restore(&x, e);
    if (err == ERR_OK)
        err = refill(&x, e);
    if (err == ERR_OK)
        err = add_times(b, &x, e);
    if (err == ERR_OK)
        err = add_memories(b, &x, e);
    testbed_close(&x.t);
    return err;
}
