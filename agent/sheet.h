/* Owns reading a table of text as it comes, in pieces of any size: CSV with ',', ';' or tab,
 * strictly quoted, over libcsv; UTF-8 or Windows-1252 in, UTF-8 out. Memory does not grow with it.
 * Must not know what a column means. Source: docs/formats.md, "Import profile"; RFC 4180. */
#ifndef PLEK_AGENT_SHEET_H
#define PLEK_AGENT_SHEET_H

#include "bytes.h"
#include "sheet_text.h"

#define SHEET_MAX_COLUMNS 1024
#define SHEET_MAX_FIELD (64 * 1024) /* bytes */
#define SHEET_MAX_ROW (1024 * 1024) /* bytes */
#define SHEET_MAX_LINES 1000000000

/* Fields without the spaces around unquoted ones; borrowed for the call. */
struct sheet_row {
    int line;     /* where the row begins, from 1 */
    bool header;  /* the first row */
    size_t count; /* as many as the header has */
    const char *const *fields;
};
typedef enum err (*sheet_visit)(void *ctx, const struct sheet_row *row, struct error *e);

struct sheet_config {
    const char *name; /* what errors call it; borrowed while open, as ctx is */
    char delimiter;   /* '\0': found in the header. A "sep=" line in the table wins over both */
    enum sheet_encoding encoding;
    sheet_visit visit;
    void *ctx;
};
struct sheet; /* opaque */

/* ERR_NO_MEMORY. Close with sheet_close. */
enum err sheet_open(const struct sheet_config *config, struct sheet **ret, struct error *e)
    MUST_USE;
void sheet_close(struct sheet *s); /* accepts NULL */
/* Calls visit for the header, then each row; the first error of a visit, or of the text, stays and
 * comes out of every later call. Blank lines are skipped; a byte order mark, a first line "sep=;",
 * CRLF, LF and CR are understood. ERR_DATA with `name`, line and, as column, the number of the
 * field: wrong quotes, more or fewer fields than the header; with the character as column: bytes of
 * another encoding. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err sheet_feed(struct sheet *s, struct bytes piece, struct error *e) MUST_USE;
/* The table ends here. ERR_DATA also when there was no row at all. */
enum err sheet_end(struct sheet *s, struct error *e) MUST_USE;
/* All of the above for a table that is in memory. */
enum err sheet_read(struct bytes text, const struct sheet_config *config, struct error *e) MUST_USE;

#endif
