/* Owns reading import profiles (see profile.h).
 * Must not look at a table: whether its columns exist is for the import. */
#include "profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "records.h"
#include "text.h"

#define FORMAT 1

static const char *const default_unknown[] = {"NA", "-", ""};

static const char *read_column(const struct json_at *at) {
    return json_text(at, 1, PROFILE_COLUMN_MAX);
}

/* "text" or {"column": "name"} */
static struct profile_value read_value(const struct json_at *at, size_t max_bytes) {
    static const char *const keys[] = {"column", NULL};
    struct profile_value v = {0};
    if (!json_present(at))
        return v;
    if (json_is_object(at->value)) {
        json_only(at, keys);
        struct json_at column = json_member(at, "column");
        v.column = read_column(&column);
    } else if (json_is_string(at->value)) {
        v.fixed = json_text(at, 1, max_bytes);
    } else {
        json_fault(at, "found something else, expected a text or {\"column\": \"NAME\"}");
    }
    return v;
}

static bool is_figure(const char *key) {
    for (size_t i = 0; records_figure_keys[i]; i++) {
        if (strcmp(records_figure_keys[i], key) == 0)
            return true;
    }
    return false;
}

static void read_place_columns(struct profile *p, const struct json_at *at) {
    static const char *const keys[] = {"state", "reason", "until", "note", NULL};
    json_only(at, keys);
    struct json_at state = json_member(at, keys[0]);
    p->places[p->place_count++] = (struct profile_map){keys[0], {.column = read_column(&state)}};
    for (size_t i = 1; keys[i]; i++) {
        struct json_at column = json_optional(at, keys[i]);
        if (json_present(&column))
            p->places[p->place_count++] =
                (struct profile_map){keys[i], {.column = read_column(&column)}};
    }
}

static void read_states(struct profile *p, const struct json_at *at) {
    if (!json_present(at))
        return;
    if (!json_is_object(at->value)) {
        json_fault(at, "found something else, expected {\"WORD\": \"occupied\", ...}");
        return;
    }
    for (void *it = json_object_iter(at->value); it; it = json_object_iter_next(at->value, it)) {
        struct json_at value = json_member(at, json_object_iter_key(it));
        enum place_state state;
        struct error why = {0};
        if (place_state_parse(json_text(&value, 1, CODE_MAX), &state, &why) != ERR_OK)
            json_fault(&value, "%s", why.detail);
    }
    p->states = at->value;
}

/* "place" makes it a table of places: other columns then, and words for their states. */
static void read_places(struct profile *p, const struct json_at *root) {
    struct json_at place = json_optional(root, "place");
    struct json_at states = json_optional(root, "states");
    struct json_at complete = json_optional(root, "complete");
    struct json_at attributes = json_optional(root, "attributes");
    if (json_present(&place)) {
        struct profile_value value = read_value(&place, 0);
        p->place_column = value.column;
        if (!value.column)
            json_fault(&place, "found something else, expected {\"column\": \"NAME\"}");
        if (json_present(&attributes))
            json_fault(&attributes,
                       "found attributes in a profile of places: set them on the line");
    } else if (json_present(&states) || json_present(&complete)) {
        json_fault(json_present(&states) ? &states : &complete,
                   "found this without \"place\", expected both in a profile of places");
    }
    read_states(p, &states);
    p->complete = json_bool_or(&complete, false);
}

static void read_figures(struct profile *p, const struct json_at *at) {
    if (!json_is_object(at->value)) {
        json_fault(at, "found something else, expected {\"free\": \"COLUMN\", ...}");
        return;
    }
    for (void *it = json_object_iter(at->value); it; it = json_object_iter_next(at->value, it)) {
        const char *key = json_object_iter_key(it);
        struct json_at column = json_member(at, key);
        if (!is_figure(key)) {
            json_fault(&column, "found this key, expected total, occupied, free, held, blocked, "
                                "blocked_reason, blocked_until, need, status, next_free or note");
            return;
        }
        /* Each key once, so that PROFILE_MAX_FIGURES is never exceeded. */
        p->figures[p->figure_count++] = (struct profile_map){key, {.column = read_column(&column)}};
    }
    if (p->figure_count == 0)
        json_fault(at, "found no columns, expected at least one, such as {\"free\": \"COLUMN\"}");
}

static void read_attributes(struct profile *p, const struct json_at *at) {
    if (!json_present(at))
        return;
    if (!json_is_object(at->value)) {
        json_fault(at,
                   "found something else, expected {\"ATTRIBUTE\": \"value\" or {\"column\": ..}}");
        return;
    }
    for (void *it = json_object_iter(at->value); it; it = json_object_iter_next(at->value, it)) {
        const char *key = json_object_iter_key(it);
        struct json_at value = json_member(at, key);
        if (p->attribute_count == CHARTER_MAX_ATTRIBUTES) {
            json_fault(at, "found more than %d attributes", CHARTER_MAX_ATTRIBUTES);
            return;
        }
        p->attributes[p->attribute_count++] =
            (struct profile_map){key, read_value(&value, CODE_MAX)};
    }
}

static void read_filter_values(struct profile_filter *f, const struct json_at *at) {
    struct json_at equals = json_optional(at, "equals");
    struct json_at in = json_optional(at, "in");
    if (json_present(&equals) == json_present(&in)) {
        json_fault(at, "found %s, expected one of \"equals\" and \"in\"",
                   json_present(&in) ? "both" : "neither");
        return;
    }
    size_t count = json_present(&in) ? json_len(&in, PROFILE_MAX_VALUES) : 1;
    f->values = calloc(count + 1, sizeof *f->values);
    if (!f->values) {
        error_set(at->error, ERR_NO_MEMORY, "no memory for a filter");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct json_at value = json_present(&in) ? json_item(&in, i) : equals;
        f->values[i] = json_text(&value, 0, PROFILE_COLUMN_MAX);
    }
    f->count = count;
    if (count == 0)
        json_fault(&in, "found an empty list, expected at least one value");
}

static void read_filters(struct profile *p, const struct json_at *at) {
    static const char *const keys[] = {"column", "equals", "in", NULL};
    size_t count = json_present(at) ? json_len(at, PROFILE_MAX_FILTERS) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);
        json_only(&item, keys);
        struct json_at column = json_member(&item, "column");
        struct profile_filter *f = &p->filters[p->filter_count++];
        f->column = read_column(&column);
        read_filter_values(f, &item);
    }
}

/* "jjjj" is how Dutch spreadsheets write the year of such a form. */
static const struct {
    const char *name, *dutch, *example;
} formats[] = {
    [PROFILE_DATE_ISO] = {"iso", "iso", "2026-11-20"},
    [PROFILE_DATE_RFC3339] = {"rfc3339", "rfc3339", "2026-11-20T14:05:09Z"},
    [PROFILE_DATE_DMY] = {"dd-mm-yyyy", "dd-mm-jjjj", "20-11-2026"},
    [PROFILE_DATE_DMY_SHORT] = {"d-m-yyyy", "d-m-jjjj", "5-11-2026"},
    [PROFILE_DATE_DMY_SLASH] = {"dd/mm/yyyy", "dd/mm/jjjj", "20/11/2026"},
    [PROFILE_DATE_DMY_SLASHES] = {"d/m/yyyy", "d/m/jjjj", "5/11/2026"},
};

const char *profile_date_example(enum profile_date format) {
    return formats[format].example;
}

static void read_date(struct profile *p, const struct json_at *at) {
    static const char *const keys[] = {"column", "format", NULL};
    if (!json_present(at))
        return;
    json_only(at, keys);
    struct json_at column = json_member(at, "column");
    struct json_at format = json_optional(at, "format");
    p->date_column = read_column(&column);
    if (!json_present(&format))
        return;
    const char *text = json_text(&format, 1, CODE_MAX);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(formats[i].name, text) == 0 || strcmp(formats[i].dutch, text) == 0) {
            p->date_format = (enum profile_date)i;
            return;
        }
    }
    json_fault(&format,
               "found '%s', expected iso, dd-mm-yyyy, d-m-yyyy, dd/mm/yyyy, d/m/yyyy (or "
               "jjjj for yyyy) or rfc3339",
               text);
}

static void read_unknown(struct profile *p, const struct json_at *at) {
    if (!json_present(at)) {
        memcpy(p->unknown, default_unknown, sizeof default_unknown);
        p->unknown_count = sizeof default_unknown / sizeof default_unknown[0];
        return;
    }
    size_t count = json_len(at, PROFILE_MAX_UNKNOWN);
    for (size_t i = 0; i < count; i++) {
        struct json_at item = json_item(at, i);
        p->unknown[p->unknown_count++] = json_text(&item, 0, PROFILE_COLUMN_MAX);
    }
}

static void read_valid(struct profile *p, const struct json_at *at) {
    if (!json_present(at))
        return;
    struct error why = {0};
    int64_t ms = 0;
    p->valid = read_value(at, TEXT_TIME_SIZE);
    if (at->error->code == ERR_OK && p->valid.fixed &&
        text_parse_duration(p->valid.fixed, &ms, &why) != ERR_OK)
        json_fault(at, "%s", why.detail);
}

static void read_delimiter(struct profile *p, const struct json_at *at) {
    if (!json_present(at))
        return;
    const char *text = json_text(at, 1, 1);
    if (strcmp(text, ",") != 0 && strcmp(text, ";") != 0 && strcmp(text, "\t") != 0)
        json_fault(at, "found '%s', expected \",\", \";\" or \"\\t\" (a tab)", text);
    p->delimiter = text[0];
}

static void read_encoding(struct profile *p, const struct json_at *at) {
    if (!json_present(at))
        return;
    const char *text = json_text(at, 1, CODE_MAX);
    if (strcmp(text, "utf-8") == 0)
        p->encoding = SHEET_UTF8;
    else if (strcmp(text, "windows-1252") == 0)
        p->encoding = SHEET_WINDOWS_1252;
    else
        json_fault(at, "found '%s', expected utf-8 or windows-1252, or neither to find out", text);
}

static void read_decimal(struct profile *p, const struct json_at *at) {
    if (!json_present(at))
        return;
    const char *text = json_text(at, 1, 1);
    if (strcmp(text, ",") != 0 && strcmp(text, ".") != 0)
        json_fault(at, "found '%s', expected \",\" or \".\": the mark before the decimals", text);
    p->decimal = text[0];
}

static void read_profile(struct profile *p, const struct json_at *root) {
    static const char *const keys[] = {"format",   "service",    "site",    "ward",  "delimiter",
                                       "columns",  "attributes", "filter",  "date",  "valid",
                                       "unknown",  "encoding",   "decimal", "place", "states",
                                       "complete", NULL};
    json_only(root, keys);
    struct json_at at = json_member(root, "format");
    json_int(&at, FORMAT, FORMAT);
    at = json_member(root, "service");
    p->service = read_value(&at, CODE_MAX);
    at = json_optional(root, "site");
    p->site = read_value(&at, SITE_NAME_MAX);
    at = json_optional(root, "ward");
    p->ward = read_value(&at, WARD_MAX);
    at = json_optional(root, "delimiter");
    read_delimiter(p, &at);
    at = json_optional(root, "encoding");
    read_encoding(p, &at);
    at = json_optional(root, "decimal");
    read_decimal(p, &at);
    read_places(p, root);
    at = json_member(root, "columns");
    if (p->place_column)
        read_place_columns(p, &at);
    else
        read_figures(p, &at);
    at = json_optional(root, "attributes");
    read_attributes(p, &at);
    at = json_optional(root, "filter");
    read_filters(p, &at);
    at = json_optional(root, "date");
    read_date(p, &at);
    at = json_optional(root, "valid");
    read_valid(p, &at);
    at = json_optional(root, "unknown");
    read_unknown(p, &at);
}

enum err profile_parse(struct bytes text, const char *name, struct profile **ret, struct error *e) {
    struct profile *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(e, ERR_NO_MEMORY, "no memory for a profile");
    enum err code = json_parse(text, PROFILE_MAX_BYTES, name, &p->document, e);
    if (code != ERR_OK) {
        profile_free(p);
        return code;
    }
    struct error fault = {0};
    struct json_at root = json_root(p->document, &fault);
    read_profile(p, &root);
    if (fault.code == ERR_OK) {
        *ret = p;
        return ERR_OK;
    }
    code = error_at(e, fault.code, name, 0, 0, "%s%s%s", fault.file, fault.file[0] ? ": " : "",
                    fault.detail);
    profile_free(p);
    return code;
}

void profile_free(struct profile *p) {
    if (!p)
        return;
    for (size_t i = 0; i < p->filter_count; i++)
        free(p->filters[i].values);
    json_decref(p->document);
    free(p);
}
