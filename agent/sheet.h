/* Owns reading a table of text: CSV with ',' or ';', strictly quoted, over libcsv.
 * Must not know what a column means. Source: docs/formats.md, "Import profile"; RFC 4180. */
#ifndef PLEK_AGENT_SHEET_H
#define PLEK_AGENT_SHEET_H

#include "bytes.h"

#define SHEET_MAX_COLUMNS 1024
#define SHEET_MAX_FIELD (64 * 1024) /* bytes */
#define SHEET_MAX_ROW (1024 * 1024) /* bytes */

/* Fields without the spaces around unquoted ones; borrowed for the call. */
struct sheet_row {
    int line;     /* where the row begins, from 1 */
    bool header;  /* the first row */
    size_t count; /* as many as the header has */
    const char *const *fields;
};
typedef enum err (*sheet_visit)(void *ctx, const struct sheet_row *row, struct error *e);

/* Calls visit for the header, then each row; stops at its first error and returns it. Blank lines
 * are skipped; a byte order mark, CRLF, LF and CR are understood. delimiter '\0': found in the
 * header. ERR_DATA with `name`, line and, as column, the number of the field: bytes that are not
 * UTF-8, wrong quotes, more or fewer fields than the header. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err sheet_read(struct bytes text, const char *name, char delimiter, sheet_visit visit,
                    void *ctx, struct error *e) MUST_USE;
/* The first part of that: ERR_DATA with line and column (in characters) of what is not UTF-8. */
enum err sheet_check_text(struct bytes text, const char *name, struct error *e) MUST_USE;

#endif
