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
    const char *text = table_value(json_object_get(object, key), out);
    return text ? text : "-";
}

/* ---- own records ---- */

void show_sites(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {{"SITE", "name", NULL},
                                                  {"REGION", "region", NULL},
                                                  {"PHONE", "phone", NULL},
                                                  {"HOURS", "hours", NULL},
                                                  {"REPORTS", "reports", NULL},
                                                  {"NOTE", "note", NULL},
                                                  {0}};
    table_show(answer, columns, out);
}

/* "security=high gender=any" */
static const char *attributes_text(const json_t *row, char *out) {
    size_t len = 0;
    const char *name;
    json_t *value;
    out[0] = '\0';
    json_object_foreach(json_object_get(row, "attributes"), name, value) {
        const char *text = json_string_value(value);
        if (len < TABLE_CELL_SIZE)
            len += (size_t)snprintf(out + len, TABLE_CELL_SIZE - len, "%s%s=%s", len > 0 ? " " : "",
                                    name, text ? text : "");
    }
    return out[0] != '\0' ? out : NULL;
}

static const char *age_text(const json_t *row, char *out) {
    const json_t *age = json_object_get(row, "age_s");
    return json_is_integer(age) ? show_age(json_integer_value(age), out) : "-";
}

/* "current, unverified", "current, confirmed Fri 16:40, reports again Mon 08:00" */
static const char *freshness_text(const json_t *row, char *out) {
    const char *why = json_string_value(json_object_get(row, "still_counts"));
    const char *freshness = json_string_value(json_object_get(row, "freshness"));
    bool verified = !json_is_false(json_object_get(row, "verified"));
    snprintf(out, TABLE_CELL_SIZE, "%s%s%s%s", freshness ? freshness : "-",
             verified ? "" : ", unverified", why ? ", " : "", why ? why : "");
    return out;
}

void show_lines(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {
        {"SITE", "site", NULL},
        {"SERVICE", "service", NULL},
        {"WARD", "ward", NULL},
        {"AVAILABLE", "available", NULL},
        {"TOTAL", "total", NULL},
        {"OCCUPIED", "occupied", NULL},
        {"HELD", "held", NULL},
        {"BLOCKED", "blocked", NULL},
        {"STATUS", "status", NULL},
        {"FRESHNESS", NULL, freshness_text},
        {"AGE", NULL, age_text},
        {"ATTRIBUTES", NULL, attributes_text},
        {0},
    };
    if (json_array_size(answer) == 0) {
        fputs("No figures yet: plek-agent set SERVICE key=value...\n", out);
        return;
    }
    table_show(answer, columns, out);
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
    static const struct table_column columns[] = {
        {"SITE", "site", NULL},   {"SERVICE", "service", NULL}, {"WARD", "ward", NULL},
        {"PLACE", "code", NULL},  {"STATE", "state", NULL},     {"REASON", "reason", NULL},
        {"UNTIL", "until", NULL}, {"NOTE", "note", NULL},       {0}};
    if (json_array_size(answer) == 0) {
        fputs("No places: counts are entered with plek-agent set. Or: plek-agent place add SERVICE "
              "CODE\n",
              out);
        return;
    }
    table_show(answer, columns, out);
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

static const char *label_text(const json_t *service, char *out) {
    return label(service, "label", out);
}

static const char *names_text(const json_t *service, char *out) {
    size_t len = 0, i;
    json_t *attribute;
    out[0] = '\0';
    json_array_foreach(json_object_get(service, "attributes"), i, attribute) {
        char text[SHOW_TEXT_SIZE];
        if (len < TABLE_CELL_SIZE)
            len += (size_t)snprintf(out + len, TABLE_CELL_SIZE - len, "%s%s", i > 0 ? ", " : "",
                                    show_cell(attribute, "name", text));
    }
    return out[0] != '\0' ? out : NULL;
}

void show_charter(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {
        {"SERVICE", "code", NULL},      {"LABEL", NULL, label_text},      {"UNIT", "unit", NULL},
        {"VALIDITY", "validity", NULL}, {"ATTRIBUTES", NULL, names_text}, {0}};
    static const struct {
        const char *key, *text;
    } rules[] = {{"time_zone", "Time zone"},
                 {"longest_validity", "Longest validity"},
                 {"k", "Members behind a published figure, at least"},
                 {"keep_days", "Days that history is kept"}};
    char room[2][SHOW_TEXT_SIZE];
    fprintf(out, "Charter version %s: %s\n", show_cell(answer, "version", room[1]),
            label(answer, "name", room[0]));
    fprintf(out, "Purpose: %s\n", label(answer, "purpose", room[0]));
    for (size_t n = 0; n < sizeof rules / sizeof rules[0]; n++) {
        if (json_object_get(answer, rules[n].key))
            fprintf(out, "%s: %s\n", rules[n].text, show_cell(answer, rules[n].key, room[0]));
    }
    fputc('\n', out);
    table_show(json_object_get(answer, "services"), columns, out);
}

/* ---- rows found ---- */

/* What there is room for, at whatever precision it came. */
const char *show_available(const json_t *row, char *out) {
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
    static const struct table_column columns[] = {
        {"AVAILABLE", NULL, show_available},
        {"SERVICE", "service", NULL},
        {"MEMBER", "member", NULL},
        {"SITE", "site", NULL},
        {"WARD", "ward", NULL},
        {"STATUS", "status", NULL},
        {"REGION", "region", NULL},
        {"AGE", NULL, age_text},
        {"FRESHNESS", NULL, freshness_text},
        {"PHONE", "phone", NULL},
        {"ATTRIBUTES", NULL, attributes_text},
        {0},
    };
    if (json_array_size(answer) == 0) {
        fputs(
            "No rows. What a partner shares shows up here, as far as the filters let it through.\n",
            out);
        return;
    }
    table_show(answer, columns, out);
}
