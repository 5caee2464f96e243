/* Owns what a run found: named figures with their ratio to a limit of the same machine and what the
 * budget says, as a table and as JSON. Must not measure anything. */
#ifndef PLEK_BENCH_REPORT_H
#define PLEK_BENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "error.h"

struct report;

enum report_met { REPORT_NO_BUDGET, REPORT_MET, REPORT_NOT_MET };

struct report_row {
    const char *group; /* "limits", "ingest", ... */
    const char *name;
    double value;
    const char *unit;
    const char *ratio_to; /* name of a limit; NULL: none */
    double ratio;
    const char *budget; /* in words; NULL: none */
    enum report_met met;
    const char *note; /* what was done exactly; NULL: nothing to add */
};

enum err report_new(struct report **ret, struct error *e) MUST_USE;
void report_free(struct report *r);
/* A figure, copied; printed at once as one line on standard error. */
enum err report_add(struct report *r, const struct report_row *row, struct error *e) MUST_USE;
/* Memory as MiB; and how much more the second of two took, which has to be flat. */
enum err report_memory(struct report *r, const char *group, const char *name, double kib,
                       const char *note, struct error *e) MUST_USE;
enum err report_flat(struct report *r, const char *group, const char *name, double first_kib,
                     double second_kib, struct error *e) MUST_USE;
/* A point of a growth curve: copied; printed at once as one line on standard error. */
struct report_point {
    const char *family; /* what grows along x: "members", "recipients", "stored entries" */
    const char *name, *unit;
    double x, value; /* above 0; the points of a curve come with growing x */
};
enum err report_point(struct report *r, const struct report_point *point, struct error *e) MUST_USE;
/* A fact about the run ("cpu", "kernel"). */
enum err report_fact(struct report *r, const char *key, const char *value, struct error *e)
    MUST_USE;
void report_print(const struct report *r, FILE *out);
/* DIR/growth-FAMILY.svg for each family, blanks in its name as hyphens. */
enum err report_draw(const struct report *r, const char *dir, struct error *e) MUST_USE;
enum err report_write(const struct report *r, const char *path, struct error *e) MUST_USE;

static inline enum report_met report_within(double value, double limit) {
    return value <= limit ? REPORT_MET : REPORT_NOT_MET;
}
static inline enum report_met report_at_least(double value, double limit) {
    return value >= limit ? REPORT_MET : REPORT_NOT_MET;
}

#endif
