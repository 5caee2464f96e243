/* Owns import profiles: which column of a table means what. Pure.
 * Source: docs/formats.md, "Import profile". */
#ifndef PLEK_AGENT_PROFILE_H
#define PLEK_AGENT_PROFILE_H

#include "charter.h"
#include "json.h"

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
enum profile_date { PROFILE_DATE_ISO, PROFILE_DATE_DMY, PROFILE_DATE_RFC3339 };

/* Texts are borrowed from `document`. */
struct profile {
    json_t *document;
    char delimiter; /* '\0': found in the header */
    struct profile_value service, site, ward;
    struct profile_map figures[PROFILE_MAX_FIGURES];
    size_t figure_count;
    struct profile_map attributes[CHARTER_MAX_ATTRIBUTES];
    size_t attribute_count;
    struct profile_filter filters[PROFILE_MAX_FILTERS];
    size_t filter_count;
    const char *date_column; /* NULL: none */
    enum profile_date date_format;
    const char *valid; /* NULL: the service's validity */
    const char *unknown[PROFILE_MAX_UNKNOWN];
    size_t unknown_count;
};

/* ERR_DATA with line and column, or the path to the fault; ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err profile_parse(struct bytes text, const char *name, struct profile **ret, struct error *e)
    MUST_USE;
void profile_free(struct profile *p);

#endif
