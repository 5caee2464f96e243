/* Measures live ingest: many agents push entries signed beforehand, the hub verifies each, makes it
 * durable before its ack, and relays states to one reader. Source: design 8. */
#include <stdlib.h>
#include <string.h>

#include "testbed.h"

#define WARM_UP 5 /* the first 1/5 of the entries is not timed */
#define TAIL 20   /* nor the last 1/20: agents run dry one by one */
#define PHASE_SECONDS 600
#define ENTRIES_MAX 400000

struct ingest {
    struct testbed *t;
    size_t agents;    /* puppets [0, agents) publish, puppet `agents` reads */
    uint64_t entries; /* of all agents together, openings included */
    uint64_t acked;
    uint64_t from, to; /* timed: acks number `from` to `to` */
    int64_t start_ns, end_ns;
    struct process_usage hub_start, hub_end;
    int64_t own_start_ns, own_end_ns;
    uint64_t taken_start, taken_end;
    enum err err;
    struct error e;
};

static struct puppet *reader_of(const struct ingest *in) {
    return &in->t->puppets[in->agents];
}

static void note(struct ingest *in, int64_t *ret_ns, struct process_usage *ret_hub,
                 int64_t *ret_own_ns, uint64_t *ret_taken) {
    *ret_ns = bench_now_ns();
    *ret_own_ns = bench_cpu_ns();
    *ret_taken = reader_of(in)->taken;
    in->err = process_usage(&in->t->hub, ret_hub, &in->e);
}

static bool step_done(void *ctx) {
    struct ingest *in = ctx;
    uint64_t acked = 0;
    for (size_t i = 0; i < in->agents; i++)
        acked += in->t->puppets[i].acked_seq;
    in->acked = acked;
    if (in->start_ns == 0 && acked >= in->from) {
        in->from = acked;
        note(in, &in->start_ns, &in->hub_start, &in->own_start_ns, &in->taken_start);
    }
    if (in->end_ns == 0 && acked >= in->to) {
        in->to = acked;
        note(in, &in->end_ns, &in->hub_end, &in->own_end_ns, &in->taken_end);
    }
    return in->err != ERR_OK || acked >= in->entries;
}

/* ---- preparing ---- */

static enum err seal_all(struct ingest *in, uint64_t per_agent, struct error *e) {
    const struct puppet *readers[] = {reader_of(in)};
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    enum err err = ERR_OK;
    for (size_t i = 0; i < in->agents && err == ERR_OK; i++) {
        struct puppet *p = &in->t->puppets[i];
        p->window = (uint64_t)in->t->bench->window;
        err = puppet_open_feed(p, readers, 1, now_ms, e);
        for (uint64_t n = 1; n < per_agent && err == ERR_OK; n++)
            err = puppet_seal_state(p, now_ms, e);
    }
    return err;
}

static enum err prepare(struct ingest *in, struct error *e) {
    const struct bench *b = in->t->bench;
    in->agents = (size_t)b->agents;
    /* Enough for the phase at one and a half times the expected rate. */
    double wanted = b->limits.verify_rate * 1.8 * b->seconds;
    uint64_t per_agent = (uint64_t)(wanted > ENTRIES_MAX ? ENTRIES_MAX : wanted) / in->agents + 2;
    in->entries = per_agent * in->agents;
    in->from = in->entries / WARM_UP;
    in->to = in->entries - in->entries / TAIL;
    enum err err = testbed_join(in->t, in->agents + 1, e);
    return err == ERR_OK ? seal_all(in, per_agent, e) : err;
}

/* ---- reporting ---- */

static enum err add(struct bench *b, const struct report_row *row, struct error *e) {
    struct report_row copy = *row;
    copy.group = "ingest";
    return report_add(b->report, &copy, e);
}

static enum err add_costs(struct bench *b, const struct ingest *in, double count, struct error *e) {
    double hub_us = (double)(in->hub_end.cpu_ns - in->hub_start.cpu_ns) / 1000 / count;
    double own_us = (double)(in->own_end_ns - in->own_start_ns) / 1000 / count;
    double verify_us = (double)(in->hub_end.verify_ns - in->hub_start.verify_ns) / 1000 / count;
    double one_us = b->limits.verify_us;
    enum err err = add(b,
                       &(struct report_row){.name = "hub's processor time an entry",
                                            .value = hub_us,
                                            .unit = "us",
                                            .ratio_to = "one verify",
                                            .ratio = hub_us / one_us},
                       e);
    if (err == ERR_OK)
        err = add(b,
                  &(struct report_row){.name = "of it, beside its verify threads",
                                       .value = hub_us - verify_us,
                                       .unit = "us",
                                       .ratio_to = "its verify threads' time",
                                       .ratio = (hub_us - verify_us) / verify_us,
                                       .note = "network and store; verifying was slowed or helped "
                                               "by the same neighbours at the same time, so this "
                                               "ratio is the one to compare between runs"},
                  e);
    if (err == ERR_OK)
        err = add(b,
                  &(struct report_row){.name = "load generator's processor time an entry",
                                       .value = own_us,
                                       .unit = "us",
                                       .ratio_to = "one verify",
                                       .ratio = own_us / one_us,
                                       .note = "sealing for the channel, masking, reading acks; "
                                               "entries were sealed and signed beforehand"},
                  e);
    if (err == ERR_OK)
        err =
            add(b,
                &(struct report_row){.name = "what two cores would reach with nothing else to do",
                                     .value = 2e6 / (hub_us + own_us),
                                     .unit = "/s",
                                     .ratio_to = "verify",
                                     .ratio = 2 * one_us / (hub_us + own_us),
                                     .note = "computed from the two processor times, not measured: "
                                             "it hardly changes when others use the machine too"},
                e);
    return err;
}

static enum err add_results(struct bench *b, const struct ingest *in, struct error *e) {
    char note_text[256];
    double count = (double)(in->to - in->from);
    double seconds = bench_seconds(in->end_ns - in->start_ns), rate = count / seconds;
    snprintf(
        note_text, sizeof note_text,
        "%zu agents with up to %d entries under way each, %.0f entries in %.1f s after %llu to "
        "warm up; hub and load generator on the same cores",
        in->agents, b->window, count, seconds, (unsigned long long)in->from);
    enum err err =
        add(b,
            &(struct report_row){.name = "entries verified, durable, acknowledged",
                                 .value = rate,
                                 .unit = "/s",
                                 .ratio_to = "verify",
                                 .ratio = rate / b->limits.verify_rate,
                                 .budget = "1.2 x one core's verify",
                                 .met = report_at_least(rate, 1.2 * b->limits.verify_rate),
                                 .note = note_text},
            e);
    if (err == ERR_OK)
        err = add(b,
                  &(struct report_row){.name = "the same against all cores only verifying",
                                       .value = rate / b->limits.verify_all_rate,
                                       .unit = "x",
                                       .note = "1.0 would be a hub and a load generator that do "
                                               "nothing but verify"},
                  e);
    if (err == ERR_OK && b->limits.postgres_rate > 0)
        err = add(b,
                  &(struct report_row){.name = "the same against PostgreSQL",
                                       .value = rate / b->limits.postgres_rate,
                                       .unit = "x",
                                       .budget = "above one durable INSERT an update",
                                       .met = report_at_least(rate, b->limits.postgres_rate)},
                  e);
    if (err == ERR_OK)
        err = add(b,
                  &(struct report_row){.name = "the same against SQLite, 100 rows a commit",
                                       .value = rate / b->limits.row_rate,
                                       .unit = "x"},
                  e);
    double relayed = (double)(in->taken_end - in->taken_start) / seconds;
    if (err == ERR_OK)
        err = add(b,
                  &(struct report_row){.name = "states relayed to the reader",
                                       .value = relayed,
                                       .unit = "/s",
                                       .note = "a newer state takes the place of one that was not "
                                               "sent yet"},
                  e);
    return err == ERR_OK ? add_costs(b, in, count, e) : err;
}

/* ---- the phase ---- */

static bool reader_has_all(void *ctx) {
    const struct ingest *in = ctx;
    return peer_caught_up(reader_of(in)->peer) && reader_of(in)->taken >= 2 * in->agents;
}

static enum err run(struct bench *b, struct ingest *in, struct error *e) {
    enum err err = prepare(in, e);
    if (err == ERR_OK)
        err = testbed_connect(in->t, in->agents, in->agents + 1, e);
    for (size_t i = 0; i < in->agents && err == ERR_OK; i++)
        err = puppet_connect(&in->t->puppets[i], e);
    if (err == ERR_OK)
        err = testbed_until(in->t, step_done, in, PHASE_SECONDS, e);
    if (err == ERR_OK && in->err != ERR_OK) {
        *e = in->e;
        err = in->err;
    }
    if (err == ERR_OK)
        err = testbed_until(in->t, reader_has_all, in, 60, e);
    return err == ERR_OK ? add_results(b, in, e) : err;
}

enum err bench_ingest(struct bench *b, struct error *e) {
    struct testbed t;
    struct ingest in = {.t = &t};
    enum err err = testbed_open(&t, b, "ingest", false, e);
    if (err == ERR_OK)
        err = run(b, &in, e);
    testbed_close(&t);
    return err;
}
