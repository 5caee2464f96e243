/* Measures a reader with many partners: its processor time to catch up after an absence, its memory
 * afterwards, and how long `find` takes over all it then holds. Source: design 8. */
#include <stdlib.h>
#include <string.h>

#include "find.h"
#include "resident.h"

#define FIND_RUNS 20
#define FIRST_ROWS 100 /* as a screen shows them */

struct reading {
    struct testbed t;
    struct resident r;
    struct process_usage idle, directory, states;
};

static enum err add(struct bench *b, struct report_row row, struct error *e) {
    row.group = "reader";
    return report_add(b->report, &row, e);
}

/* ---- catching up ---- */

static enum err catch_up(struct reading *x, struct error *e) {
    enum err err = resident_live(&x->r, &x->t, &x->directory, e);
    if (err == ERR_OK)
        err = resident_live(&x->r, &x->t, &x->idle, e);
    if (err == ERR_OK)
        err = resident_told(&x->r, &x->t, x->t.count, e);
    return err == ERR_OK ? resident_live(&x->r, &x->t, &x->states, e) : err;
}

static enum err add_catch_up(struct bench *b, const struct reading *x, struct error *e) {
    char note[256];
    double verify_s = (double)x->t.count * 2 / b->limits.verify_rate;
    double states_s = bench_seconds(x->states.cpu_ns - x->idle.cpu_ns);
    snprintf(note, sizeof note,
             "a real plek-agent: grants and states of %zu partners, 10 lines and a site card each; "
             "processor time of the whole daemon from its start, less %.0f ms that a start with "
             "nothing to fetch takes; with their past figures: group away",
             x->t.count, (double)x->idle.cpu_ns / 1e6);
    enum err err = add(b,
                       (struct report_row){.name = "catch-up of all partners' states",
                                           .value = states_s,
                                           .unit = "s of CPU",
                                           .ratio_to = "its 2 verifies a partner",
                                           .ratio = states_s / verify_s,
                                           .note = note},
                       e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "private memory before it",
                                      .value = x->idle.rss_anon_kib / 1024,
                                      .unit = "MiB"},
                  e);
    if (err == ERR_OK)
        err = add(b,
                  (struct report_row){.name = "private memory after it",
                                      .value = x->states.rss_anon_kib / 1024,
                                      .unit = "MiB"},
                  e);
    return err;
}

/* ---- find ---- */

/* `page` NULL: every row. */
static enum err time_find(struct bench *b, struct reading *x, const char *name,
                          const struct find_filter *filter, const struct find_page *page,
                          bool budget, struct error *e) {
    char note[160];
    double samples[FIND_RUNS];
    size_t rows = 0;
    for (int i = 0; i < FIND_RUNS; i++) {
        json_t *found = NULL;
        int64_t start = bench_cpu_ns(), now_ms = (int64_t)time(NULL) * 1000;
        enum err err = page != NULL ? find_room(x->r.agent, filter, page, now_ms, &found, e)
                                    : find_rows(x->r.agent, filter, now_ms, &found, e);
        if (err != ERR_OK)
            return err;
        samples[i] = (double)(bench_cpu_ns() - start) / 1e6;
        rows = json_array_size(page != NULL ? json_object_get(found, "rows") : found);
        json_decref(found);
    }
    snprintf(note, sizeof note,
             "%zu rows out of %zu lines of %zu partners; processor time in the daemon's own "
             "code, median of %d",
             rows, x->t.count * PUPPET_LINES, x->t.count, FIND_RUNS);
    double ms = bench_percentile(samples, FIND_RUNS, 0.5);
    return add(b,
               (struct report_row){.name = name,
                                   .value = ms,
                                   .unit = "ms",
                                   .budget = budget ? "under 5 ms" : NULL,
                                   .met = budget ? report_within(ms, 5) : REPORT_NO_BUDGET,
                                   .note = note},
               e);
}

/* What the page "room now" loads when news comes, as text, as it goes out. */
static enum err load_page(struct reading *x, size_t *ret_bytes, struct error *e) {
    static const struct {
        const char *path, *limit;
    } asked[] = {{"/v1/room", "100"}, {"/v1/status", NULL}};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        json_t *answer = NULL, *query = json_pack("{s:s*}", "limit", asked[i].limit);
        enum err err = resident_get(&x->r, asked[i].path, query, &answer, e);
        char *text = err == ERR_OK ? json_dumps(answer, JSON_COMPACT) : NULL;
        bytes += text ? strlen(text) : 0;
        free(text);
        json_decref(answer);
        json_decref(query);
        if (err != ERR_OK)
            return err;
    }
    *ret_bytes = bytes;
    return ERR_OK;
}

static enum err time_page(struct bench *b, struct reading *x, struct error *e) {
    char note[160];
    double samples[FIND_RUNS];
    size_t bytes = 0;
    for (int i = 0; i < FIND_RUNS; i++) {
        int64_t start = bench_cpu_ns();
        enum err err = load_page(x, &bytes, e);
        if (err != ERR_OK)
            return err;
        samples[i] = (double)(bench_cpu_ns() - start) / 1e6;
    }
    double ms = bench_percentile(samples, FIND_RUNS, 0.5);
    snprintf(note, sizeof note,
             "the first 100 rows out of %zu, and the status: %zu bytes of JSON, written; processor "
             "time, median of %d",
             x->t.count * PUPPET_LINES, bytes, FIND_RUNS);
    return add(b,
               (struct report_row){.name = "the page \"room now\", all it asks",
                                   .value = ms,
                                   .unit = "ms",
                                   .budget = "under 100 ms",
                                   .met = report_within(ms, 100),
                                   .note = note},
               e);
}

static enum err check_rows(struct reading *x, struct error *e) {
    json_t *found = NULL;
    struct find_filter all = {.service = NULL};
    enum err err = find_rows(x->r.agent, &all, (int64_t)time(NULL) * 1000, &found, e);
    size_t rows = json_array_size(found), expected = x->t.count * PUPPET_LINES;
    json_decref(found);
    if (err == ERR_OK && rows != expected)
        return error_set(e, ERR_INTERNAL,
                         "the reader shows %zu lines after catching up, expected %zu", rows,
                         expected);
    return err;
}

static enum err find_all(struct bench *b, struct reading *x, struct error *e) {
    struct find_filter all = {.service = "bed"};
    struct find_filter some = {.service = "bed", .has_min = true, .min = 5};
    struct find_filter none = {.service = "bed", .region = "NL-ZZ"};
    const struct find_page first = {.offset = 0, .limit = FIRST_ROWS};
    enum err err = resident_open(&x->r, e);
    if (err == ERR_OK)
        err = check_rows(x, e);
    if (err == ERR_OK)
        err = time_find(b, x, "find, the first 100 rows", &all, &first, true, e);
    if (err == ERR_OK)
        err = time_find(b, x, "find --min 5, the first 100 rows", &some, &first, true, e);
    if (err == ERR_OK)
        err = time_page(b, x, e);
    if (err == ERR_OK)
        err = time_find(b, x, "find, every line", &all, NULL, true, e);
    if (err == ERR_OK)
        err = time_find(b, x, "find --min 5", &some, NULL, true, e);
    if (err == ERR_OK)
        err = time_find(b, x, "find in a region without any", &none, NULL, false, e);
    resident_close(&x->r);
    return err;
}

enum err bench_reader(struct bench *b, struct error *e) {
    static struct reading x;
    x = (struct reading){.r = {.lock = -1}};
    enum err err = testbed_open(&x.t, b, "reader", false, e);
    if (err == ERR_OK)
        err = testbed_join(&x.t, (size_t)b->readers_partners, e);
    if (err == ERR_OK)
        err = resident_join(&x.r, &x.t, "Resident", e);
    if (err == ERR_OK)
        err = catch_up(&x, e);
    if (err == ERR_OK)
        err = add_catch_up(b, &x, e);
    if (err == ERR_OK)
        err = find_all(b, &x, e);
    resident_done(&x.r);
    testbed_close(&x.t);
    return err;
}
