/* Measures how many bytes one state update costs on the wire, as the real agent seals it: for one
 * audience of 2 and of 2,000 partners, and for each further audience. Source: design 8. */
#include "sharer.h"

#define LINES 10

struct bytes_bench {
    struct testbed t;
    struct sharer s;
};

static enum err make_records(struct bytes_bench *x, struct error *e) {
    enum err err = sharer_call(
        &x->s, API_PUT, "/v1/sites/Resident",
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "region", "NL-UT", "phone", "+31301234567", "hours",
                  "24 uur", "reports", "ma-zo 08:00-20:00", "note", "Via de hoofdingang, balie B"),
        e);
    for (int i = 0; i < LINES && err == ERR_OK; i++)
        err = sharer_line(&x->s, "Resident", "bed", i, 15 + i % 5, e);
    return err;
}

static enum err measure(struct bytes_bench *x, int audiences, int each, double *ret,
                        int *ret_entries, struct error *e) {
    size_t sealed = 0;
    enum err err = sharer_policy(&x->s, audiences, each, e);
    if (err == ERR_OK)
        err = sharer_drain(&x->s, ret_entries, &sealed, e);
    return err == ERR_OK ? sharer_update(&x->s, ret, e) : err;
}

/* ---- all ---- */

static enum err add(struct bench *b, const char *name, double value, double limit,
                    const char *budget, const char *note, struct error *e) {
    struct report_row row = {.group = "bytes",
                             .name = name,
                             .value = value,
                             .unit = "bytes",
                             .budget = budget,
                             .met = report_within(value, limit),
                             .note = note};
    return report_add(b->report, &row, e);
}

static enum err measure_all(struct bench *b, struct bytes_bench *x, struct error *e) {
    double two = 0, many = 0, three_audiences = 0;
    int grants = 0, ignored = 0;
    char note[160];
    enum err err = measure(x, 1, 2, &two, &ignored, e);
    if (err == ERR_OK)
        err = measure(x, 1, SHARER_MANY, &many, &grants, e);
    if (err == ERR_OK)
        err = measure(x, 3, 2, &three_audiences, &ignored, e);
    if (err != ERR_OK)
        return err;
    snprintf(note, sizeof note,
             "the audience's key was granted before, once, in %d entries of up to 256 grants",
             grants);
    err =
        add(b, "state update, one audience of 2", two, 1000, "under 1,000",
            "10 lines and a site card, exact, as the agent's outbox seals it; with the frame, the "
            "channel and the websocket's header",
            e);
    if (err == ERR_OK)
        err = add(b, "state update, one audience of 2,000", many, 1000, "under 1,000", note, e);
    if (err == ERR_OK)
        err = add(b, "each further audience", (three_audiences - two) / 2, 600, "under 600",
                  "the difference between one and three audiences, halved", e);
    return err;
}

enum err bench_bytes(struct bench *b, struct error *e) {
    static struct bytes_bench x;
    x = (struct bytes_bench){.s = {.r = {.lock = -1}}};
    enum err err = testbed_open(&x.t, b, "bytes", false, e);
    if (err == ERR_OK)
        err = testbed_join(&x.t, SHARER_MANY, e);
    if (err == ERR_OK)
        err = resident_join(&x.s.r, &x.t, "Resident", e);
    if (err == ERR_OK)
        err = resident_open(&x.s.r, e);
    if (err == ERR_OK)
        err = make_records(&x, e);
    if (err == ERR_OK)
        err = sharer_approve(&x.s, e);
    if (err == ERR_OK)
        err = measure_all(b, &x, e);
    resident_done(&x.s.r);
    testbed_close(&x.t);
    return err;
}
