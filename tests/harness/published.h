/* Owns the published figures that some tests are about (Robert Koch-Institut,
 * DIVI-Intensivregister, doi 10.5281/zenodo.22058262, CC BY 4.0): German intensive-care beds, per
 * state and per day, and the national totals of the same days. The files are not part of the
 * project: they are looked for in PLEK_DIVI_DIR or ../shared/data/divi, and what needs them is
 * skipped, visibly, where they are absent. Must not know what a test does with them. */
#ifndef PLEK_TEST_PUBLISHED_H
#define PLEK_TEST_PUBLISHED_H

#include "lab.h"

#define PUBLISHED_STATES 16
#define PUBLISHED_SKIPPED                                                                          \
    "SKIPPED: the published DIVI files are not in ../shared/data/divi or PLEK_DIVI_DIR"

struct published_row {
    char day[11], place[40];
    int64_t free, occupied, reserve; /* reserve -1: NA */
    char *text;                      /* the line as it stands in the file */
};
/* The adults' rows of a file, in its order. */
struct published {
    struct published_row *rows;
    size_t count;
    char *header;
};
/* Paths of the states' and the nation's file, owned by the lab; false where they are absent. */
bool published_find(struct lab *lab, const char **ret_states, const char **ret_nation);
struct published published_read(const char *path);
void published_free(struct published *p); /* accepts a zeroed one */
/* The row of that day and place (NULL: any); fails the test when there is none. */
const struct published_row *published_row(const struct published *p, const char *day,
                                          const char *place);
/* The published lines of `count` rows under the published header: row `first` and every step-th
 * after it. */
void published_cut(const struct published *p, size_t first, size_t step, size_t count,
                   const char *path);
/* The places of the file's first day, as they come: PUBLISHED_STATES of them. */
void published_places(const struct published *p, char ret[][40]);

#endif
