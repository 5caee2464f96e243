/* Owns importing a table into lines and figures, or into places: all of it or nothing, with a
 * report row by row. The table comes in pieces; memory grows with the lines it names, not with its
 * rows. Must not read files: their contents come in. Source: docs/formats.md, "Import profile". */
#ifndef PLEK_AGENT_IMPORT_H
#define PLEK_AGENT_IMPORT_H

#include "agent.h"

#define IMPORT_MAX_WHERE 32

/* Texts are borrowed until import_close, but for the profile. */
struct import_request {
    const char *file; /* what errors and the report call the table */
    struct bytes profile;
    const char *profile_file;
    const char *where[IMPORT_MAX_WHERE]; /* "COLUMN=VALUE" */
    size_t where_count;
    const char *site;     /* NULL: the profile's, else the only one */
    const char *observed; /* TIME; NULL: the profile's date column, else counted_ms */
    int64_t counted_ms;   /* of rows that have no date: when the file was written; 0: now */
    bool places;          /* the profile has to be one of places */
    bool dry_run;
    bool history; /* every row goes into the log of own figures; needs a date column */
    const char *actor;
};
struct import; /* opaque */

/* ERR_NOT_JOINED, ERR_DATA (the profile, with its path), ERR_USAGE (where), and the store's. */
enum err import_open(struct agent *a, const struct import_request *request, int64_t now_ms,
                     struct import **ret, struct error *e) MUST_USE;
void import_close(struct import *im); /* accepts NULL */
/* The next piece. ERR_DATA with file, line and column (the field's number; for a fault of the
 * encoding the character's), ERR_TOO_LARGE. After a failure the import can only be closed. */
enum err import_feed(struct import *im, struct bytes piece, struct error *e) MUST_USE;
size_t import_rows_read(const struct import *im);
/* The table has ended: compares, stores in one transaction (a dry run: does not), and reports.
 * {"file","dry_run","rows_read","rows_used","superseded","new","changed","unchanged","older",
 *  "removed","lines":[{"row","site","service","ward","place"?,"action",
 *  "changes":[{"key","old","new"}]}]}, with history also "history":{"recorded","unchanged"}, rows.
 * action: new, changed, unchanged (it is so already), older (there is something newer), removed (a
 * place that a complete table does not name). ERR_DATA also: a contradiction, two newest rows for
 * one line (with history any two rows of one date), no row left by the filters. */
enum err import_finish(struct import *im, json_t **ret_report, struct error *e) MUST_USE;
/* All of it, for a table that is in memory. */
enum err import_run(struct agent *a, const struct import_request *request, struct bytes text,
                    int64_t now_ms, json_t **ret_report, struct error *e) MUST_USE;

#endif
