/* Implements the report on Jansson, whose document is both what is printed and what is written.
 * Must not measure anything. */
#include "report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "table.h"

#define CELL_MAX 64

struct report {
    json_t *document;          /* {"machine":{}, "figures":[]} */
    json_t *machine, *figures; /* borrowed from it */
};

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the report");
}

enum err report_new(struct report **ret, struct error *e) {
    struct report *r = calloc(1, sizeof *r);
    if (r == NULL)
        return no_memory(e);
    r->document = json_pack("{s:{}, s:[]}", "machine", "figures");
    if (r->document == NULL) {
        free(r);
        return no_memory(e);
    }
    r->machine = json_object_get(r->document, "machine");
    r->figures = json_object_get(r->document, "figures");
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

enum err report_fact(struct report *r, const char *key, const char *value, struct error *e) {
    return json_object_set_new(r->machine, key, json_string(value)) == 0 ? ERR_OK : no_memory(e);
}

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
    json_t *figure;
    json_array_foreach(r->figures, i, figure) {
        add_row(t, figure);
    }
    fputc('\n', out);
    table_print(t, out);
    fputc('\n', out);
    print_notes(r, out);
    table_free(t);
}

enum err report_write(const struct report *r, const char *path, struct error *e) {
    if (json_dump_file(r->document, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0)
        return error_set(e, ERR_IO, "%s cannot be written", path);
    return ERR_OK;
}
