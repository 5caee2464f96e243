/* Owns what the parts of an import share: import_cells.c reads cells, import_rows.c rows of
 * figures, import_places.c rows of places, import_newest.c keeps one candidate of each, import.c
 * compares the candidates with the records and stores them. Must not be included by anything else.
 */
#ifndef PLEK_AGENT_IMPORT_PRIVATE_H
#define PLEK_AGENT_IMPORT_PRIVATE_H

#include "import.h"
#include "place.h"
#include "profile.h"
#include "records.h"
#include "sheet.h"

#define IMPORT_MAX_FILTERS (PROFILE_MAX_FILTERS + IMPORT_MAX_WHERE)

/* What every candidate begins with: where it was seen. */
struct import_seen {
    int row;         /* line number in the file */
    int same_date;   /* of a second row that is as new; 0: none */
    int64_t date_ms; /* by the date column; without one: when the file was counted */
};
/* A newest row for one line. Its attributes are those the profile names. */
struct candidate {
    struct import_seen seen;
    struct line line;
};
/* A newest row for one place. */
struct place_candidate {
    struct import_seen seen;
    uint32_t site;
    char service[CODE_MAX + 1], ward[WARD_MAX + 1];
    struct place place;
};

/* Which column of this table is meant; -1: none. */
struct import_columns {
    int service, site, ward, date, valid, place;
    int figures[PROFILE_MAX_FIGURES];
    int attributes[CHARTER_MAX_ATTRIBUTES];
    int places[PROFILE_MAX_PLACE_COLUMNS];
    int filters[IMPORT_MAX_FILTERS];
};

/* What a table has one candidate of: a line, or a place. */
struct import_kind {
    const char *what; /* "lines" */
    size_t size;      /* of a candidate */
    size_t max;
    size_t slots; /* a power of two, over twice max */
    uint32_t (*hash)(const void *candidate);
    bool (*same)(const void *x, const void *y);
};
extern const struct import_kind import_kind_line, import_kind_place;

/* The candidates, in the order their keys came, and a hash table of where they stand. */
struct import_newest {
    const struct import_kind *kind;
    void *list; /* struct candidate or struct place_candidate */
    size_t count, room;
    int32_t *slots; /* of a key's hash: its index, -1: free */
};

/* A date as it stood in the row before: tables repeat them, and a zone is slow to ask. */
struct import_date {
    char text[TEXT_TIME_SIZE];
    int64_t ms;
};

struct import {
    struct agent *a;
    struct import_request request;
    int64_t now_ms;
    const struct zone *zone;
    struct profile *profile; /* owned */
    struct sheet *sheet;     /* owned */
    struct records records;  /* as they were at the start; for the sites */
    struct profile_filter where[IMPORT_MAX_WHERE];
    const char *where_value[IMPORT_MAX_WHERE];
    char *where_text[IMPORT_MAX_WHERE]; /* owned */
    struct import_columns columns;
    struct import_date last_date;
    size_t rows_read, rows_used, superseded;
    struct import_newest newest;
    struct import_point *points; /* with history; import_past.c */
    size_t point_count, point_room;
};

enum import_action {
    IMPORT_NEW,
    IMPORT_CHANGED,
    IMPORT_UNCHANGED,
    IMPORT_OLDER,
    IMPORT_REMOVED,
    IMPORT_ACTIONS
};
/* What import_finish counts and lists. */
struct import_report {
    json_t *rows;
    size_t counts[IMPORT_ACTIONS];
};
const char *import_action_name(enum import_action action);
void import_put_change(json_t *changes, const char *key, const char *old, const char *new);

/* ---- cells ---- */
/* A cell's text, "" for what the profile calls unknown. */
const char *import_cell(const struct import *im, const struct sheet_row *row, int column);
const char *import_value(const struct import *im, const struct sheet_row *row,
                         const struct profile_value *value, int column);
/* The same fault with the place in the table in front. column -1: the whole row. */
enum err import_at(const struct import *im, const struct sheet_row *row, int column,
                   const char *name, const struct error *why, struct error *e) MUST_USE;
/* When the row was counted, by its date column. */
enum err import_date(struct import *im, const char *cell, int64_t *ret, struct error *e) MUST_USE;
/* A time in the form of the profile's dates. */
enum err import_time(const struct import *im, const char *cell, int64_t *ret, struct error *e)
    MUST_USE;
/* A cell for records_set_figure or place_set_value: numbers without thousands, dates as RFC 3339.
 */
#define IMPORT_PLAIN_SIZE 64
enum err import_plain_number(const struct import *im, const char *cell,
                             char out[static IMPORT_PLAIN_SIZE], struct error *e) MUST_USE;
const char *import_plain_time(const struct import *im, const char *cell,
                              char out[static IMPORT_PLAIN_SIZE]);

/* ---- rows ---- */
/* Whether rows carry or were given the time of their count. */
bool import_dated(const struct import *im);
enum err import_read_header(struct import *im, const struct sheet_row *header, struct error *e)
    MUST_USE;
/* Counts the row; false: it says nothing, or a filter keeps it out. */
bool import_takes(struct import *im, const struct sheet_row *row);
/* The row's line: service, site, ward. */
enum err import_read_line(struct import *im, const struct sheet_row *row,
                          const struct charter_service **ret_service, struct line *ret,
                          struct error *e) MUST_USE;
/* A sheet_visit, for figures; import_place_row for places. */
enum err import_row(void *ctx, const struct sheet_row *row, struct error *e) MUST_USE;
enum err import_place_row(void *ctx, const struct sheet_row *row, struct error *e) MUST_USE;
const char *import_site_name(const struct import *im, uint32_t site);

/* ---- one candidate a key ---- */
#define IMPORT_HASH_START 2166136261u
uint32_t import_hash(uint32_t h, const char *text);
enum err import_newest_init(struct import_newest *n, const struct import_kind *kind,
                            struct error *e) MUST_USE;
void import_newest_done(struct import_newest *n);
/* Copies a candidate that is the newest of its key so far. *ret_index: where its key's stands. */
enum err import_newest_keep(struct import *im, const struct import_seen *candidate,
                            size_t *ret_index, struct error *e) MUST_USE;
/* Two rows are as new as each other: which, and what to do. */
enum err import_two_rows(const struct import *im, const char *of, int first, int second,
                         struct error *e) MUST_USE;

/* ---- storing, inside a transaction ---- */
enum err import_apply_places(struct import *im, struct import_report *report, struct error *e)
    MUST_USE;

/* import_past.c. ERR_USAGE when a history is asked for and rows have no dates of their own. */
enum err import_past_check(const struct import *im, struct error *e) MUST_USE;
/* A row of the line of that candidate. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err import_past_add(struct import *im, size_t candidate, const struct candidate *c,
                         struct error *e) MUST_USE;
/* All of them, once their lines are stored. ERR_DATA: two rows of a line with one date. The
 * caller's transaction. */
enum err import_past_store(struct import *im, struct error *e) MUST_USE;
/* The number of the point recorded last. */
enum err import_past_last(struct import *im, int64_t *ret, struct error *e) MUST_USE;

#endif
