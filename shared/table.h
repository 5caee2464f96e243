/* Owns printing rows as an aligned table for a terminal (UTF-8 widths, no colour). */
#ifndef PLEK_TABLE_H
#define PLEK_TABLE_H

#include <stdio.h>

struct table;                                                      /* grows as rows are added */
struct table *table_new(const char *const *headings, int columns); /* NULL: no memory */
void table_free(struct table *t);
void table_row(
    struct table *t,
    const char *const *cells); /* NULL cell prints "-"; control characters are shown as '?' */
void table_print(const struct table *t, FILE *out);

#endif
