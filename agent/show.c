/* Owns tables of own records, rows found and the charter for people (see show.h).
 * Must not decide anything: it prints what the API said. */
#include "show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "table.h"

char *show_age(int64_t seconds, char out[static SHOW_TEXT_SIZE]) {
    const int64_t minute = 60, hour = 3600, day = 86400;
    if (seconds < minute)
        snprintf(out, SHOW_TEXT_SIZE, "just now");
    else if (seconds < hour)
        snprintf(out, SHOW_TEXT_SIZE, "%" PRId64 " min", seconds / minute);
    else if (seconds < 2 * day)
        snprintf(out, SHOW_TEXT_SIZE, "%" PRId64 " h", seconds / hour);
    else
        snprintf(out, SHOW_TEXT_SIZE, "%" PRId64 " days", seconds / day);
    return out;
}

const char *show_cell(const json_t *object, const char *key, char out[static SHOW_TEXT_SIZE]) {
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(out, SHOW_TEXT_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return out;
    }
    if (json_is_boolean(value))
        return json_is_true(value) ? "yes" : "no";
    return "-";
}

static void print_table(struct table *t, FILE *out) {
    if (t)
        table_print(t, out);
    else
        fputs("(out of memory)\n", out);
    table_free(t);
}

/* ---- own records ---- */

void show_sites(const json_t *answer, FILE *out) {
    static const char *const headings[] = {"SITE", "REGION", "PHONE", "HOURS", "REPORTS", "NOTE"};
    static const char *const keys[] = {"name", "region", "phone", "hours", "reports", "note"};
    struct table *t = table_new(headings, 6);
    size_t i;
    json_t *row;
    json_array_foreach(answer, i, row) {
        char room[6][SHOW_TEXT_SIZE];
        const char *cells[6];
        for (size_t k = 0; k < 6; k++)
            cells[k] = show_cell(row, keys[k], room[k]);
        if (t)
            table_row(t, cells);
    }
    print_table(t, out);
}

/* "security=high gender=any" */
static const char *attributes_text(const json_t *row, char *out, size_t size) {
    size_t len = 0;
    const char *name;
    json_t *value;
    out[0] = '\0';
    json_object_foreach(json_object_get(row, "attributes"), name, value) {
        const char *text = json_string_value(value);
        if (len < size)
            len += (size_t)snprintf(out + len, size - len, "%s%s=%s", len > 0 ? " " : "", name,
                                    text ? text : "");
    }
    return out[0] != '\0' ? out : NULL;
}

static const char *age_text(const json_t *row, char out[static SHOW_TEXT_SIZE]) {
    return show_age(json_integer_value(json_object_get(row, "age_s")), out);
}

/* "current, unverified", "current, confirmed Fri 16:40, reports again Mon 08:00" */
static const char *freshness_text(const json_t *row, char out[static SHOW_TEXT_SIZE]) {
    const char *why = json_string_value(json_object_get(row, "still_counts"));
    const char *freshness = json_string_value(json_object_get(row, "freshness"));
    bool verified = !json_is_false(json_object_get(row, "verified"));
    snprintf(out, SHOW_TEXT_SIZE, "%s%s%s%s", freshness ? freshness : "-",
             verified ? "" : ", unverified", why ? ", " : "", why ? why : "");
    return out;
}

void show_lines(const json_t *answer, FILE *out) {
    static const char *const headings[] = {"SITE",   "SERVICE",   "WARD", "AVAILABLE",
                                           "TOTAL",  "OCCUPIED",  "HELD", "BLOCKED",
                                           "STATUS", "FRESHNESS", "AGE",  "ATTRIBUTES"};
    static const char *const keys[] = {"site",     "service", "ward",    "available", "total",
                                       "occupied", "held",    "blocked", "status"};
    if (json_array_size(answer) == 0) {
        fputs("No figures yet: plek-agent set SERVICE key=value...\n", out);
        return;
    }
    struct table *t = table_new(headings, 12);
    size_t i;
    json_t *row;
    json_array_foreach(answer, i, row) {
        char room[11][SHOW_TEXT_SIZE], attributes[256];
        const char *cells[12];
        for (size_t k = 0; k < 9; k++)
            cells[k] = show_cell(row, keys[k], room[k]);
        cells[9] = freshness_text(row, room[9]);
        cells[10] = age_text(row, room[10]);
        cells[11] = attributes_text(row, attributes, sizeof attributes);
        if (t)
            table_row(t, cells);
    }
    print_table(t, out);
}

void show_line(const json_t *answer, FILE *out) {
    json_t *list = json_array();
    json_array_append(list, (json_t *)(uintptr_t)answer); /* a shared reference; not changed */
    show_lines(list, out);
    json_decref(list);
}

void show_confirmed(const json_t *answer, FILE *out) {
    json_int_t confirmed = json_integer_value(json_object_get(answer, "confirmed"));
    json_int_t expired = json_integer_value(json_object_get(answer, "expired"));
    json_int_t unknown = json_integer_value(json_object_get(answer, "unknown_service"));
    fprintf(out, "%" JSON_INTEGER_FORMAT " figure%s confirmed\n", confirmed,
            confirmed == 1 ? "" : "s");
    if (expired > 0)
        fprintf(out,
                "%" JSON_INTEGER_FORMAT
                " have expired and were left: state them anew, or confirm --all\n",
                expired);
    if (unknown > 0)
        fprintf(out, "%" JSON_INTEGER_FORMAT " are of services the charter no longer has\n",
                unknown);
}

void show_places(const json_t *answer, FILE *out) {
    static const char *const headings[] = {"SITE",  "SERVICE", "WARD",  "PLACE",
                                           "STATE", "REASON",  "UNTIL", "NOTE"};
    static const char *const keys[] = {"site",  "service", "ward",  "code",
                                       "state", "reason",  "until", "note"};
    if (json_array_size(answer) == 0) {
        fputs("No places: counts are entered with plek-agent set. Or: plek-agent place add SERVICE "
              "CODE\n",
              out);
        return;
    }
    struct table *t = table_new(headings, 8);
    size_t i;
    json_t *row;
    json_array_foreach(answer, i, row) {
        char room[8][SHOW_TEXT_SIZE];
        const char *cells[8];
        for (size_t k = 0; k < 8; k++)
            cells[k] = show_cell(row, keys[k], room[k]);
        if (t)
            table_row(t, cells);
    }
    print_table(t, out);
}

static void import_changes(const json_t *line, FILE *out) {
    size_t i;
    json_t *change;
    json_array_foreach(json_object_get(line, "changes"), i, change) {
        char key[SHOW_TEXT_SIZE], old[SHOW_TEXT_SIZE], new[SHOW_TEXT_SIZE];
        fprintf(out, "    %s: %s -> %s\n", show_cell(change, "key", key),
                show_cell(change, "old", old), show_cell(change, "new", new));
    }
}

void show_import(const json_t *answer, FILE *out) {
    static const char *const counts[] = {"new",   "changed", "unchanged",
                                         "older", "removed", "superseded"};
    char text[6][SHOW_TEXT_SIZE];
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(answer, "lines"), i, line) {
        const char *ward = json_string_value(json_object_get(line, "ward"));
        const char *place = json_string_value(json_object_get(line, "place"));
        if (json_integer_value(json_object_get(line, "row")) > 0)
            fprintf(out, "line %s: ", show_cell(line, "row", text[0]));
        else
            fputs("in no line: ", out);
        fprintf(out, "%s %s%s%s%s%s: %s\n", show_cell(line, "site", text[1]),
                show_cell(line, "service", text[2]), ward ? " " : "", ward ? ward : "",
                place ? " place " : "", place ? place : "", show_cell(line, "action", text[3]));
        import_changes(line, out);
    }
    fprintf(out, "%s of %s rows used:", show_cell(answer, "rows_used", text[0]),
            show_cell(answer, "rows_read", text[1]));
    for (size_t k = 0; k < 6; k++)
        fprintf(out, "%s %s %s", k > 0 ? "," : "", show_cell(answer, counts[k], text[k]),
                counts[k]);
    const json_t *past = json_object_get(answer, "history");
    if (past)
        fprintf(out, ". History: %s recorded, %s known already",
                show_cell(past, "recorded", text[0]), show_cell(past, "unchanged", text[1]));
    fputs(json_is_true(json_object_get(answer, "dry_run")) ? ". Dry run: nothing was changed.\n"
                                                           : ".\n",
          out);
}

static const char *label(const json_t *object, const char *key, char out[static SHOW_TEXT_SIZE]) {
    const json_t *text = json_object_get(object, key);
    return json_is_object(text) ? show_cell(text, "en", out) : show_cell(object, key, out);
}

void show_charter(const json_t *answer, FILE *out) {
    static const char *const headings[] = {"SERVICE", "LABEL", "UNIT", "VALIDITY", "ATTRIBUTES"};
    static const struct {
        const char *key, *text;
    } rules[] = {{"time_zone", "Time zone"},
                 {"longest_validity", "Longest validity"},
                 {"k", "Members behind a published figure, at least"},
                 {"keep_days", "Days that history is kept"}};
    char room[5][SHOW_TEXT_SIZE];
    fprintf(out, "Charter version %s: %s\n", show_cell(answer, "version", room[1]),
            label(answer, "name", room[0]));
    fprintf(out, "Purpose: %s\n", label(answer, "purpose", room[0]));
    for (size_t n = 0; n < sizeof rules / sizeof rules[0]; n++) {
        if (json_object_get(answer, rules[n].key))
            fprintf(out, "%s: %s\n", rules[n].text, show_cell(answer, rules[n].key, room[0]));
    }
    fputc('\n', out);
    struct table *t = table_new(headings, 5);
    size_t i, k;
    json_t *service, *attribute;
    json_array_foreach(json_object_get(answer, "services"), i, service) {
        char names[256] = "", text[SHOW_TEXT_SIZE];
        size_t len = 0;
        json_array_foreach(json_object_get(service, "attributes"), k, attribute) {
            if (len < sizeof names)
                len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", k > 0 ? ", " : "",
                                        show_cell(attribute, "name", text));
        }
        const char *cells[] = {
            show_cell(service, "code", room[0]), label(service, "label", room[1]),
            show_cell(service, "unit", room[2]), show_cell(service, "validity", room[3]),
            names[0] != '\0' ? names : NULL};
        if (t)
            table_row(t, cells);
    }
    print_table(t, out);
}

/* ---- rows found ---- */

/* What there is room for, at whatever precision it came. */
const char *show_available(const json_t *row, char out[static SHOW_TEXT_SIZE]) {
    const json_t *band = json_object_get(row, "band");
    const json_t *light = json_object_get(row, "light");
    const char *freshness = json_string_value(json_object_get(row, "freshness"));
    if (freshness && strcmp(freshness, "expired") == 0)
        return "unknown";
    if (json_is_string(light))
        return json_string_value(light);
    if (!json_is_array(band))
        return show_cell(row, "available", out);
    char low[SHOW_TEXT_SIZE], high[SHOW_TEXT_SIZE];
    json_t *pair =
        json_pack("{s:O, s:O}", "low", json_array_get(band, 0), "high", json_array_get(band, 1));
    bool open = json_is_null(json_array_get(band, 1));
    const char *from = show_cell(pair, "low", low), *to = show_cell(pair, "high", high);
    if (open)
        snprintf(out, SHOW_TEXT_SIZE, "%.40s+", from);
    else if (strcmp(from, to) == 0)
        snprintf(out, SHOW_TEXT_SIZE, "%.40s", strcmp(from, "0") == 0 ? "none" : from);
    else
        snprintf(out, SHOW_TEXT_SIZE, "%.40s-%.40s", from, to);
    json_decref(pair);
    return out;
}

void show_find(const json_t *answer, FILE *out) {
    static const char *const headings[] = {"AVAILABLE", "SERVICE", "MEMBER",    "SITE",
                                           "WARD",      "STATUS",  "REGION",    "AGE",
                                           "FRESHNESS", "PHONE",   "ATTRIBUTES"};
    if (json_array_size(answer) == 0) {
        fputs(
            "No rows. What a partner shares shows up here, as far as the filters let it through.\n",
            out);
        return;
    }
    struct table *t = table_new(headings, 11);
    size_t i;
    json_t *row;
    json_array_foreach(answer, i, row) {
        char room[10][SHOW_TEXT_SIZE], attributes[256];
        const char *cells[] = {show_available(row, room[0]),
                               show_cell(row, "service", room[1]),
                               show_cell(row, "member", room[2]),
                               show_cell(row, "site", room[3]),
                               show_cell(row, "ward", room[4]),
                               show_cell(row, "status", room[5]),
                               show_cell(row, "region", room[6]),
                               age_text(row, room[7]),
                               freshness_text(row, room[8]),
                               show_cell(row, "phone", room[9]),
                               attributes_text(row, attributes, sizeof attributes)};
        if (t)
            table_row(t, cells);
    }
    print_table(t, out);
}
