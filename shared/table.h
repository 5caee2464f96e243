/* Owns printing rows as an aligned table for a terminal (UTF-8 widths, no colour). Must not know
 * what a row means. */
#ifndef PLEK_TABLE_H
#define PLEK_TABLE_H

#include <jansson.h>
#include <stdio.h>

struct table;                                                      /* grows as rows are added */
struct table *table_new(const char *const *headings, int columns); /* NULL: no memory */
void table_free(struct table *t);
void table_row(
    struct table *t,
    const char *const *cells); /* NULL cell prints "-"; control characters are shown as '?' */
void table_print(const struct table *t, FILE *out);

/* A column of a table of JSON objects: what stands under `key`, or what `text` makes of the row:
 * `out`, another text that lives as long as the row, or NULL for "-". */
#define TABLE_CELL_SIZE 1024
struct table_column {
    const char *heading, *key;
    const char *(*text)(const json_t *row, char *out);
};
#define TABLE_MAX_COLUMNS 16
/* One row an object; the last column is followed by one without heading. */
void table_show(const json_t *rows, const struct table_column *columns, FILE *out);
/* A value as text: strings as they are, numbers, "yes" or "no", NULL for everything else. */
#define TABLE_NUMBER_SIZE 24
const char *table_value(const json_t *value, char out[static TABLE_NUMBER_SIZE]);

#endif
