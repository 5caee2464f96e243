/* Measures how many bytes one state update costs on the wire, as the real agent seals it: for one
 * audience of 2 and of 2,000 partners, and for each further audience. Source: design 8. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "frame.h"
#include "outbox.h"
#include "resident.h"
#include "sharing.h"

#define MANY 2000
#define LINES 10
#define WS_HEADER 8 /* RFC 6455: masked, 126 to 65,535 bytes */
#define POLICY_BYTES (MANY * 80)
#define ENTRIES_MAX 64

struct bytes_bench {
    struct testbed t;
    struct resident r;
    struct head head; /* of the own feed */
    int change;       /* how often a figure was stated anew */
};

/* ---- the agent's own records and policy ---- */

static enum err call(struct bytes_bench *x, enum api_method method, const char *path,
                     json_t *take_body, struct error *e) {
    enum err err = resident_call(&x->r, method, path, take_body, NULL, e);
    json_decref(take_body);
    return err;
}

static enum err state_line(struct bytes_bench *x, int number, int occupied, struct error *e) {
    char ward[32], count[16];
    snprintf(ward, sizeof ward, "Afdeling %c%d", 'A' + number % 3, number + 1);
    snprintf(count, sizeof count, "%d", occupied);
    return call(x, API_POST, "/v1/lines",
                json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}}", "service", "bed", "ward", ward,
                          "set", "total", "24", "occupied", count, "held", "1", "blocked", "2",
                          "status", "admitting"),
                e);
}

static enum err make_records(struct bytes_bench *x, struct error *e) {
    enum err err = call(x, API_PUT, "/v1/sites/Resident",
                        json_pack("{s:s, s:s, s:s, s:s, s:s}", "region", "NL-UT", "phone",
                                  "+31301234567", "hours", "24 uur", "reports",
                                  "elke dag 8:00, 20:00", "note", "Via de hoofdingang, balie B"),
                        e);
    for (int i = 0; i < LINES && err == ERR_OK; i++)
        err = state_line(x, i, 15 + i % 5, e);
    return err;
}

/* Audience i has members [i * each, (i + 1) * each). */
static enum err apply_policy(struct bytes_bench *x, int audiences, int each, struct error *e) {
    struct buf text;
    json_t *answer = NULL;
    buf_init(&text, POLICY_BYTES);
    buf_append_str(&text, "{\"audiences\":[");
    for (int i = 0; i < audiences; i++) {
        buf_printf(&text, "%s{\"name\":\"a%d\",\"members\":[", i > 0 ? "," : "", i);
        for (int j = 0; j < each; j++)
            buf_printf(&text, "%s\"Member %d\"", j > 0 ? "," : "", i * each + j);
        buf_append_str(&text, "],\"services\":[\"*\"],\"precision\":\"exact\"}");
    }
    buf_append_str(&text, "]}");
    struct sharing_apply apply = {.text = buf_bytes(&text), .file = "policy", .actor = "bench"};
    enum err err = buf_failed(&text, e);
    if (err == ERR_OK)
        err = sharing_apply(x->r.agent, &apply, clock_wall_ms(), &answer, e);
    json_decref(answer);
    buf_done(&text);
    return err;
}

static enum err approve_all(struct bytes_bench *x, struct error *e) {
    struct db *db = agent_db(x->r.agent);
    enum err err = db_begin(db, e);
    for (int i = 0; i < MANY && err == ERR_OK; i++) {
        char name[32];
        json_t *answer = NULL;
        snprintf(name, sizeof name, "Member %d", i);
        err = sharing_approve(x->r.agent, name, NULL, "bench", clock_wall_ms(), &answer, e);
        json_decref(answer);
    }
    if (err == ERR_OK)
        return db_commit(db, e);
    db_rollback(db);
    return err;
}

/* ---- sealing ---- */

/* The next entry's length, or 0 when there is none. */
static enum err next_entry(struct bytes_bench *x, size_t *ret_len, struct error *e) {
    struct db *db = agent_db(x->r.agent);
    struct blob *entry = NULL;
    struct head head;
    enum err err = db_begin(db, e);
    if (err != ERR_OK)
        return err;
    err = outbox_next(x->r.agent, &x->head, ENTRY_MAX_BYTES, clock_wall_ms(), &entry, &head, e);
    if (err == ERR_OK)
        err = db_commit(db, e);
    else
        db_rollback(db);
    if (err == ERR_OK && entry != NULL)
        x->head = head;
    if (err == ERR_OK)
        *ret_len = entry != NULL ? blob_bytes(entry).len : 0;
    blob_unref(entry);
    return err;
}

/* Everything that waits: openings, grants, first states. */
static enum err drain(struct bytes_bench *x, int *ret_entries, struct error *e) {
    size_t len = 1;
    enum err err = ERR_OK;
    *ret_entries = 0;
    while (len > 0 && err == ERR_OK && *ret_entries < ENTRIES_MAX) {
        err = next_entry(x, &len, e);
        *ret_entries += len > 0;
    }
    return err;
}

/* One figure changes; what goes out then, in websocket bytes. */
static enum err update_bytes(struct bytes_bench *x, double *ret, struct error *e) {
    size_t len = 0, more = 0;
    x->change++;
    enum err err = state_line(x, 3, 10 + x->change % 7, e);
    if (err == ERR_OK)
        err = next_entry(x, &len, e);
    if (err == ERR_OK)
        err = next_entry(x, &more, e);
    if (err == ERR_OK && (len == 0 || more != 0))
        err = error_set(e, ERR_INTERNAL, "a changed figure gave %s entry",
                        len == 0 ? "no" : "more than one");
    if (err != ERR_OK)
        return err;
    uint8_t *zeros = calloc(1, len);
    struct frame frame = {.kind = FRAME_PUSH, .push = {.entry = bytes_of(zeros, len)}};
    struct buf out;
    buf_init(&out, FRAME_MAX_BYTES);
    err = zeros != NULL ? frame_encode(&frame, &out, e)
                        : error_set(e, ERR_NO_MEMORY, "no memory for a frame");
    if (err == ERR_OK)
        *ret = (double)(out.len + CHANNEL_OVERHEAD + WS_HEADER);
    buf_done(&out);
    free(zeros);
    return err;
}

static enum err measure(struct bytes_bench *x, int audiences, int each, double *ret,
                        int *ret_entries, struct error *e) {
    enum err err = apply_policy(x, audiences, each, e);
    if (err == ERR_OK)
        err = drain(x, ret_entries, e);
    return err == ERR_OK ? update_bytes(x, ret, e) : err;
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
        err = measure(x, 1, MANY, &many, &grants, e);
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
    x = (struct bytes_bench){.r = {.lock = -1}};
    enum err err = testbed_open(&x.t, b, "bytes", false, e);
    if (err == ERR_OK)
        err = testbed_join(&x.t, MANY, e);
    if (err == ERR_OK)
        err = resident_join(&x.r, &x.t, "Resident", e);
    if (err == ERR_OK)
        err = resident_open(&x.r, e);
    if (err == ERR_OK)
        err = make_records(&x, e);
    if (err == ERR_OK)
        err = approve_all(&x, e);
    if (err == ERR_OK)
        err = measure_all(b, &x, e);
    resident_done(&x.r);
    testbed_close(&x.t);
    return err;
}
