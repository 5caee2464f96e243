/* Owns cells of CSV tables: texts and numbers as spreadsheets and other programs read them.
 * Must not know columns. Source: RFC 4180. */
#ifndef PLEK_CSV_CELL_H
#define PLEK_CSV_CELL_H

#include <jansson.h>

#include "bytes.h"

/* Appends one text. One that a spreadsheet would take for a formula gets a "'" in front. */
void csv_cell_text(struct buf *out, char delimiter, const char *text);
/* Appends an integer, or a text such as "-12.5" with this decimal mark; another text as
 * csv_cell_text; nothing for anything else. */
void csv_cell_number(struct buf *out, char delimiter, char decimal, const json_t *value);

#endif
