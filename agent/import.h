/* Owns importing a table into lines and figures: all of it or nothing, with a report row by row.
 * Must not read files: their contents come in. Source: docs/formats.md, "Import profile". */
#ifndef PLEK_AGENT_IMPORT_H
#define PLEK_AGENT_IMPORT_H

#include "agent.h"

#define IMPORT_MAX_FILE (24 * 1024 * 1024)  /* bytes of a table */
#define IMPORT_MAX_BYTES (64 * 1024 * 1024) /* of the request that carries one as JSON text */
#define IMPORT_MAX_WHERE 32

struct import_request {
    struct bytes text;
    const char *file; /* what errors and the report call the table */
    struct bytes profile;
    const char *profile_file;
    const char *where[IMPORT_MAX_WHERE]; /* "COLUMN=VALUE" */
    size_t where_count;
    const char *site;     /* NULL: the profile's, else the only one */
    const char *observed; /* TIME; NULL: the profile's date column, else now */
    bool dry_run;
    const char *actor;
};
/* {"file","dry_run","rows_read","rows_used","superseded","new","changed","unchanged","older",
 *  "lines":[{"row","site","service","ward","action","changes":[{"key","old","new"}]}]}
 * action: new, changed, unchanged (the line says this already), older (the line has a newer
 * figure). ERR_DATA with file, line and column (the field's number): a value, a contradiction, two
 * rows for one line, no row left by the filters; ERR_TOO_LARGE, ERR_NOT_JOINED, and the store's. */
enum err import_run(struct agent *a, const struct import_request *request, int64_t now_ms,
                    json_t **ret_report, struct error *e) MUST_USE;

#endif
