/* Owns printing rows as an aligned table. Must not know what a row means. */
#include "table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

struct table {
    int columns;
    size_t rows, room;
    char **cells; /* rows * columns, headings first; each owned */
    int *widths;
    int failed;
};

/* Code points, which is close enough to columns for the scripts these screens use. */
static int text_width(const char *s) {
    int width = 0;
    for (; *s; s++)
        width += ((unsigned char)*s & 0xC0) != 0x80;
    return width;
}

/* Partners choose names and notes: a terminal must not obey them. */
static char *clean_copy(const char *s) {
    char *copy = strdup(s ? s : "-");
    for (unsigned char *c = (unsigned char *)copy; c && *c; c++) {
        if (iscntrl(*c))
            *c = '?';
        if (c[0] == 0xC2 && c[1] >= 0x80 && c[1] <= 0x9F) /* C1 controls in UTF-8 */
            c[0] = c[1] = '?';
    }
    return copy;
}

struct table *table_new(const char *const *headings, int columns) {
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->columns = columns;
    /* A table has columns. NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI) */
    t->widths = calloc((size_t)columns, sizeof *t->widths);
    if (!t->widths) {
        free(t);
        return NULL;
    }
    table_row(t, headings);
    return t;
}

void table_free(struct table *t) {
    if (!t)
        return;
    for (size_t i = 0; i < t->rows * (size_t)t->columns; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->widths);
    free(t);
}

void table_row(struct table *t, const char *const *cells) {
    char **grown = array_grow(t->cells, t->rows, &t->room, (size_t)t->columns * sizeof *grown);
    if (t->failed || !grown) {
        t->failed = 1;
        return;
    }
    t->cells = grown;
    char **row = t->cells + t->rows * (size_t)t->columns;
    for (int i = 0; i < t->columns; i++) {
        /* A cell for each column. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
        row[i] = clean_copy(cells[i]);
        int width = row[i] ? text_width(row[i]) : 0;
        if (width > t->widths[i])
            t->widths[i] = width;
    }
    t->rows++;
}

void table_print(const struct table *t, FILE *out) {
    for (size_t r = 0; r < t->rows; r++) {
        char *const *row = t->cells + r * (size_t)t->columns;
        for (int i = 0; i < t->columns; i++) {
            const char *cell = row[i] ? row[i] : "?";
            int pad = i + 1 < t->columns ? t->widths[i] - text_width(cell) + 2 : 0;
            fprintf(out, "%s%*s", cell, pad, "");
        }
        fputc('\n', out);
    }
    if (t->failed)
        fputs("(not all rows are shown: out of memory)\n", out);
}

/* ---- of JSON ---- */

const char *table_value(const json_t *value, char out[static TABLE_NUMBER_SIZE]) {
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    if (!json_is_integer(value))
        return NULL;
    snprintf(out, TABLE_NUMBER_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return out;
}

static void show_row(struct table *t, const json_t *row, const struct table_column *columns) {
    char room[TABLE_MAX_COLUMNS][TABLE_CELL_SIZE];
    const char *cells[TABLE_MAX_COLUMNS];
    for (int i = 0; i < t->columns; i++)
        cells[i] = columns[i].text ? columns[i].text(row, room[i])
                                   : table_value(json_object_get(row, columns[i].key), room[i]);
    table_row(t, cells);
}

void table_show(const json_t *rows, const struct table_column *columns, FILE *out) {
    const char *headings[TABLE_MAX_COLUMNS];
    int count = 0;
    while (count < TABLE_MAX_COLUMNS && columns[count].heading) {
        headings[count] = columns[count].heading;
        count++;
    }
    struct table *t = table_new(headings, count);
    size_t i;
    json_t *row;
    if (!t) {
        fputs("(out of memory)\n", out);
        return;
    }
    json_array_foreach(rows, i, row) {
        show_row(t, row, columns);
    }
    table_print(t, out);
    table_free(t);
}
