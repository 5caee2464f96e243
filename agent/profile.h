/* Owns import profiles: which column of a table means what. Pure.
 * Source: docs/formats.md, "Import profile". */
#ifndef PLEK_AGENT_PROFILE_H
#define PLEK_AGENT_PROFILE_H

#include "charter.h"
#include "json.h"
#include "sheet_text.h"

#define PROFILE_MAX_BYTES (64 * 1024)
#define PROFILE_MAX_FIGURES 11
#define PROFILE_MAX_FILTERS 32
#define PROFILE_MAX_VALUES 256 /* of a filter */
#define PROFILE_MAX_UNKNOWN 32
#define PROFILE_COLUMN_MAX 256 /* bytes of a column's name */

/* A fixed text or a column's name; both NULL: not given. */
struct profile_value {
    const char *fixed, *column;
};
struct profile_map {
    const char *key;
    struct profile_value from;
};
struct profile_filter {
    const char *column;
    const char **values; /* owned array; any of them lets a row pass */
    size_t count;
};
enum profile_date {
    PROFILE_DATE_ISO,
    PROFILE_DATE_RFC3339,
    PROFILE_DATE_DMY,        /* 05-11-2026 */
    PROFILE_DATE_DMY_SHORT,  /* 5-11-2026 */
    PROFILE_DATE_DMY_SLASH,  /* 05/11/2026 */
    PROFILE_DATE_DMY_SLASHES /* 5/11/2026 */
};
/* What the rows are: figures of lines, or places below them. */
#define PROFILE_MAX_PLACE_COLUMNS 4

/* Texts are borrowed from `document`. */
struct profile {
    json_t *document;
    char delimiter; /* '\0': found in the header */
    enum sheet_encoding encoding;
    char decimal; /* ',' or '.'; '\0': not said */
    struct profile_value service, site, ward;
    struct profile_map figures[PROFILE_MAX_FIGURES];
    size_t figure_count;
    struct profile_map attributes[CHARTER_MAX_ATTRIBUTES];
    size_t attribute_count;
    struct profile_filter filters[PROFILE_MAX_FILTERS];
    size_t filter_count;
    /* Rows are places: the column of their codes (NULL: rows are figures), columns of state,
     * reason, until and note, the table's words for states, and whether the table names all places.
     */
    const char *place_column;
    struct profile_map places[PROFILE_MAX_PLACE_COLUMNS];
    size_t place_count;
    json_t *states; /* borrowed object: word -> state; NULL: none */
    bool complete;
    const char *date_column; /* NULL: none */
    enum profile_date date_format;
    struct profile_value valid; /* a duration, or the column of the end; none: the service's */
    const char *unknown[PROFILE_MAX_UNKNOWN];
    size_t unknown_count;
};

/* ERR_DATA with line and column, or the path to the fault; ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err profile_parse(struct bytes text, const char *name, struct profile **ret, struct error *e)
    MUST_USE;
void profile_free(struct profile *p);
/* How a date of this format is written, for messages: "20-11-2026". */
const char *profile_date_example(enum profile_date format);

#endif
