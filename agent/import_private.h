/* Owns what the two halves of an import share: import_rows.c reads rows into candidates, import.c
 * compares them with the records and stores them. Must not be included by anything else. */
#ifndef PLEK_AGENT_IMPORT_PRIVATE_H
#define PLEK_AGENT_IMPORT_PRIVATE_H

#include "import.h"
#include "profile.h"
#include "records.h"
#include "sheet.h"

#define IMPORT_MAX_FILTERS (PROFILE_MAX_FILTERS + IMPORT_MAX_WHERE)

/* A newest row for one line. Its attributes are those the profile names. */
struct candidate {
    int row;         /* line number in the file */
    int64_t date_ms; /* by the date column; without one: now */
    struct line line;
};

/* Which column of this table is meant; -1: none. */
struct import_columns {
    int service, site, ward, date;
    int figures[PROFILE_MAX_FIGURES];
    int attributes[CHARTER_MAX_ATTRIBUTES];
    int filters[IMPORT_MAX_FILTERS];
};

struct importing {
    struct agent *a;
    const struct import_request *request;
    int64_t now_ms;
    const struct zone *zone;
    const struct profile *profile;
    struct records records; /* as they are now; for the sites */
    struct profile_filter where[IMPORT_MAX_WHERE];
    const char *where_value[IMPORT_MAX_WHERE];
    char *where_text[IMPORT_MAX_WHERE]; /* owned */
    struct import_columns columns;
    size_t rows_read, rows_used, superseded;
    struct candidate *list;
    size_t count, room;
    int32_t *slots; /* hash of (site, service, ward) -> index in list, -1: free */
};

/* Whether rows carry or were given the time of their count. */
bool import_dated(const struct importing *im);
/* Reads the table into im->list; the caller calls import_done whatever happens. */
enum err import_read(struct importing *im, struct error *e) MUST_USE;
void import_done(struct importing *im);

#endif
