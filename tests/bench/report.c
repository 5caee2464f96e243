/* Implements the report on Jansson, whose document is both what is printed and what is written.
 * Must not measure anything. */
#include "report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "chart.h"
#include "table.h"

#define CELL_MAX 64

struct report {
    json_t *document;                   /* {"machine":{}, "figures":[], "growth":{}} */
    json_t *machine, *figures, *growth; /* borrowed from it */
};

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the report");
}

enum err report_new(struct report **ret, struct error *e) {
    struct report *r = calloc(1, sizeof *r);
    if (r == NULL)
        return no_memory(e);
    r->document = json_pack("{s:{}, s:[], s:{}}", "machine", "figures", "growth");
    if (r->document == NULL) {
        free(r);
        return no_memory(e);
    }
    r->machine = json_object_get(r->document, "machine");
    r->figures = json_object_get(r->document, "figures");
    r->growth = json_object_get(r->document, "growth");
    *ret = r;
    return ERR_OK;
}

void report_free(struct report *r) {
    if (r == NULL)
        return;
    json_decref(r->document);
    free(r);
}

static void format_value(double value, const char *unit, char out[static CELL_MAX]) {
    int digits = value == floor(value) || fabs(value) >= 1000 ? 0 : fabs(value) >= 10 ? 1 : 3;
    snprintf(out, CELL_MAX, "%.*f %s", digits, value, unit);
}

static json_t *met_json(enum report_met met) {
    switch (met) {
    case REPORT_NO_BUDGET:
        return json_null();
    case REPORT_MET:
        return json_true();
    case REPORT_NOT_MET:
        return json_false();
    }
    return json_null();
}

enum err report_add(struct report *r, const struct report_row *row, struct error *e) {
    char value[CELL_MAX];
    format_value(row->value, row->unit, value);
    fprintf(stderr, "bench: %s: %s: %s\n", row->group, row->name, value);
    bool has_ratio = row->ratio_to != NULL;
    json_t *figure =
        json_pack("{s:s, s:s, s:f, s:s, s:s?, s:o, s:s?, s:o, s:s?}", "group", row->group, "name",
                  row->name, "value", row->value, "unit", row->unit, "ratio_to", row->ratio_to,
                  "ratio", has_ratio ? json_real(row->ratio) : json_null(), "budget", row->budget,
                  "met", met_json(row->met), "note", row->note);
    if (figure == NULL || json_array_append_new(r->figures, figure) != 0)
        return no_memory(e);
    return ERR_OK;
}

enum err report_memory(struct report *r, const char *group, const char *name, double kib,
                       const char *note, struct error *e) {
    const struct report_row row = {
        .group = group, .name = name, .value = kib / 1024, .unit = "MiB", .note = note};
    return report_add(r, &row, e);
}

enum err report_flat(struct report *r, const char *group, const char *name, double first_kib,
                     double second_kib, struct error *e) {
    double grown = (second_kib - first_kib) / first_kib * 100;
    const struct report_row row = {.group = group,
                                   .name = name,
                                   .value = grown,
                                   .unit = "% more",
                                   .budget = "flat: within 10 %",
                                   .met = report_within(grown, 10)};
    return report_add(r, &row, e);
}

enum err report_fact(struct report *r, const char *key, const char *value, struct error *e) {
    return json_object_set_new(r->machine, key, json_string(value)) == 0 ? ERR_OK : no_memory(e);
}

/* ---- growth ---- */

/* The object at `key` of `parent`, made when there is none; borrowed, NULL without memory. */
static json_t *child_of(json_t *parent, const char *key) {
    json_t *child = json_object_get(parent, key);
    if (child == NULL && json_object_set_new(parent, key, json_object()) == 0)
        child = json_object_get(parent, key);
    return child;
}

enum err report_point(struct report *r, const struct report_point *point, struct error *e) {
    char value[CELL_MAX];
    format_value(point->value, point->unit, value);
    fprintf(stderr, "bench: growth: %s, %.0f %s: %s\n", point->name, point->x, point->family,
            value);
    json_t *family = child_of(r->growth, point->family);
    json_t *curve = family != NULL ? child_of(family, point->name) : NULL;
    if (curve == NULL)
        return no_memory(e);
    json_t *points = json_object_get(curve, "points");
    if (points == NULL && (json_object_set_new(curve, "unit", json_string(point->unit)) != 0 ||
                           json_object_set_new(curve, "points", json_array()) != 0))
        return no_memory(e);
    points = json_object_get(curve, "points");
    json_t *pair = json_pack("[f, f]", point->x, point->value);
    return json_array_append_new(points, pair) == 0 ? ERR_OK : no_memory(e);
}

#define COLUMNS_MAX 8 /* of a family's table, the name in front included */

static const json_t *points_of(const json_t *curve) {
    return json_object_get(curve, "points");
}

static void add_curve(struct table *t, const char *name, const json_t *curve, size_t columns) {
    char cells[COLUMNS_MAX][CELL_MAX];
    const char *row[COLUMNS_MAX] = {name};
    for (size_t i = 1; i < columns; i++) {
        const json_t *pair = json_array_get(points_of(curve), i - 1);
        cells[i][0] = '\0';
        if (pair != NULL)
            format_value(json_number_value(json_array_get(pair, 1)),
                         json_string_value(json_object_get(curve, "unit")), cells[i]);
        row[i] = cells[i];
    }
    table_row(t, row);
}

/* One row a curve, one column a value of x: all curves of a family have the same. */
static void print_family(const char *family, json_t *curves, FILE *out) {
    char cells[COLUMNS_MAX][CELL_MAX];
    const char *headings[COLUMNS_MAX] = {family};
    const char *name;
    json_t *curve = json_object_iter_value(json_object_iter(curves));
    size_t columns = 1 + json_array_size(points_of(curve));
    if (columns > COLUMNS_MAX)
        columns = COLUMNS_MAX;
    for (size_t i = 1; i < columns; i++) {
        double x = json_number_value(json_array_get(json_array_get(points_of(curve), i - 1), 0));
        snprintf(cells[i], CELL_MAX, "%.0f", x);
        headings[i] = cells[i];
    }
    struct table *t = table_new(headings, (int)columns);
    if (t == NULL)
        return;
    json_object_foreach(curves, name, curve) {
        add_curve(t, name, curve, columns);
    }
    table_print(t, out);
    fputc('\n', out);
    table_free(t);
}

enum err report_draw(const struct report *r, const char *dir, struct error *e) {
    char path[BENCH_PATH_MAX];
    const char *family;
    json_t *curves;
    json_object_foreach(r->growth, family, curves) {
        snprintf(path, sizeof path, "%s/growth-%s.svg", dir, family);
        for (char *at = path + strlen(dir); *at != '\0'; at++)
            if (*at == ' ')
                *at = '-';
        enum err err = chart_write(family, curves, path, e);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* ---- printing ---- */

static const char *text_of(const json_t *figure, const char *key) {
    return json_string_value(json_object_get(figure, key));
}

static void add_row(struct table *t, const json_t *figure) {
    char value[CELL_MAX], ratio[CELL_MAX] = "";
    const json_t *met = json_object_get(figure, "met");
    format_value(json_number_value(json_object_get(figure, "value")), text_of(figure, "unit"),
                 value);
    if (text_of(figure, "ratio_to") != NULL)
        snprintf(ratio, sizeof ratio, "%.2f x %s",
                 json_number_value(json_object_get(figure, "ratio")), text_of(figure, "ratio_to"));
    const char *budget = text_of(figure, "budget");
    const char *cells[] = {text_of(figure, "group"),
                           text_of(figure, "name"),
                           value,
                           ratio,
                           budget != NULL ? budget : "",
                           json_is_true(met)    ? "met"
                           : json_is_false(met) ? "NOT MET"
                                                : ""};
    table_row(t, cells);
}

static void print_notes(const struct report *r, FILE *out) {
    size_t i;
    json_t *figure;
    json_array_foreach(r->figures, i, figure) {
        if (text_of(figure, "note") != NULL)
            fprintf(out, "%s, %s: %s.\n", text_of(figure, "group"), text_of(figure, "name"),
                    text_of(figure, "note"));
    }
}

void report_print(const struct report *r, FILE *out) {
    static const char *const headings[] = {"group", "figure", "value", "ratio", "budget", ""};
    const char *key;
    json_t *value;
    json_object_foreach(r->machine, key, value) {
        fprintf(out, "%s: %s\n", key, json_string_value(value));
    }
    struct table *t = table_new(headings, 6);
    if (t == NULL)
        return;
    size_t i;
    json_t *figure, *curves;
    json_array_foreach(r->figures, i, figure) {
        add_row(t, figure);
    }
    fputc('\n', out);
    table_print(t, out);
    fputc('\n', out);
    table_free(t);
    json_object_foreach(r->growth, key, curves) {
        print_family(key, curves, out);
    }
    print_notes(r, out);
}

enum err report_write(const struct report *r, const char *path, struct error *e) {
    if (json_dump_file(r->document, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0)
        return error_set(e, ERR_IO, "%s cannot be written", path);
    return ERR_OK;
}
