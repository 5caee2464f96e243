/* Owns tables for spreadsheets and other programs: rows of the API as CSV text.
 * Must not fetch rows. Source: docs/formats.md, "Export"; RFC 4180. */
#ifndef PLEK_AGENT_EXPORT_H
#define PLEK_AGENT_EXPORT_H

#include <jansson.h>

#include "bytes.h"
#include "zone.h"

#define EXPORT_MAX_BYTES (128 * 1024 * 1024)

/* EXCEL_NL: what a Dutch Excel opens with a double click: byte order mark, ';', decimal comma, days
 * and times as 20-11-2026 15:05:09 in the zone. RFC4180: ',', decimal point, RFC 3339 UTC. */
enum export_format { EXPORT_EXCEL_NL, EXPORT_RFC4180 };
enum err export_format_parse(const char *text, enum export_format *ret, struct error *e) MUST_USE;

/* What the rows are: of `lines`, of `find`, or of past_rows_page. */
enum export_kind { EXPORT_LINES, EXPORT_PICTURE, EXPORT_HISTORY };
enum err export_kind_parse(const char *text, enum export_kind *ret, struct error *e) MUST_USE;

/* What a table is like. `more`: rows of a table that has begun, so without a header. */
struct export_form {
    enum export_kind kind;
    enum export_format format;
    const struct zone *zone;
    bool more;
};
/* Appends a header and the rows; attributes get a column each. A text that a spreadsheet would take
 * for a formula gets a "'" in front; a number never does. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err export_csv(const struct export_form *form, const json_t *rows, struct buf *out,
                    struct error *e) MUST_USE;

#endif
