/* Owns writing rows as CSV (see export.h). Must not know where rows come from. */
#include "export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv_cell.h"

#define ATTRIBUTES_MAX 512 /* different names over all services */

enum cell { CELL_TEXT, CELL_NUMBER, CELL_TIME, CELL_LOW, CELL_HIGH, CELL_LAST };
enum column_id {
    COLUMN_MEMBER,
    COLUMN_SITE,
    COLUMN_SERVICE,
    COLUMN_WARD,
    COLUMN_AVAILABLE,
    COLUMN_TOTAL,
    COLUMN_OCCUPIED,
    COLUMN_FREE,
    COLUMN_HELD,
    COLUMN_BLOCKED,
    COLUMN_BLOCKED_REASON,
    COLUMN_BLOCKED_UNTIL,
    COLUMN_NEED,
    COLUMN_STATUS,
    COLUMN_NEXT_FREE,
    COLUMN_NOTE,
    COLUMN_OBSERVED_AT,
    COLUMN_VALID_UNTIL,
    COLUMN_FRESHNESS,
    COLUMN_ENTERED_AT,
    COLUMN_ACTOR,
    COLUMN_PRECISION,
    COLUMN_BAND_LOW,
    COLUMN_BAND_HIGH,
    COLUMN_LIGHT,
    COLUMN_LAST_AVAILABLE,
    COLUMN_PHONE,
    COLUMN_REGION,
    COLUMN_AGE_S,
    COLUMN_VERIFIED,
    COLUMN_HOURS,
    COLUMNS
};
static const struct column {
    const char *name, *key;
    enum cell cell;
} columns[COLUMNS] = {
    [COLUMN_MEMBER] = {"member", "member", CELL_TEXT},
    [COLUMN_SITE] = {"site", "site", CELL_TEXT},
    [COLUMN_SERVICE] = {"service", "service", CELL_TEXT},
    [COLUMN_WARD] = {"ward", "ward", CELL_TEXT},
    [COLUMN_AVAILABLE] = {"available", "available", CELL_NUMBER},
    [COLUMN_TOTAL] = {"total", "total", CELL_NUMBER},
    [COLUMN_OCCUPIED] = {"occupied", "occupied", CELL_NUMBER},
    [COLUMN_FREE] = {"free", "free", CELL_NUMBER},
    [COLUMN_HELD] = {"held", "held", CELL_NUMBER},
    [COLUMN_BLOCKED] = {"blocked", "blocked", CELL_NUMBER},
    [COLUMN_BLOCKED_REASON] = {"blocked_reason", "blocked_reason", CELL_TEXT},
    [COLUMN_BLOCKED_UNTIL] = {"blocked_until", "blocked_until", CELL_TIME},
    [COLUMN_NEED] = {"need", "need", CELL_NUMBER},
    [COLUMN_STATUS] = {"status", "status", CELL_TEXT},
    [COLUMN_NEXT_FREE] = {"next_free", "next_free", CELL_TIME},
    [COLUMN_NOTE] = {"note", "note", CELL_TEXT},
    [COLUMN_OBSERVED_AT] = {"observed_at", "observed_at", CELL_TIME},
    [COLUMN_VALID_UNTIL] = {"valid_until", "valid_until", CELL_TIME},
    [COLUMN_FRESHNESS] = {"freshness", "freshness", CELL_TEXT},
    [COLUMN_ENTERED_AT] = {"entered_at", "entered_at", CELL_TIME},
    [COLUMN_ACTOR] = {"actor", "actor", CELL_TEXT},
    [COLUMN_PRECISION] = {"precision", "precision", CELL_TEXT},
    [COLUMN_BAND_LOW] = {"band_low", "band", CELL_LOW},
    [COLUMN_BAND_HIGH] = {"band_high", "band", CELL_HIGH},
    [COLUMN_LIGHT] = {"light", "light", CELL_TEXT},
    [COLUMN_LAST_AVAILABLE] = {"last_available", "last", CELL_LAST},
    [COLUMN_PHONE] = {"phone", "phone", CELL_TEXT},
    [COLUMN_REGION] = {"region", "region", CELL_TEXT},
    [COLUMN_AGE_S] = {"age_s", "age_s", CELL_NUMBER},
    [COLUMN_VERIFIED] = {"verified", "verified", CELL_TEXT},
    [COLUMN_HOURS] = {"hours", "hours", CELL_TEXT},
};

static const enum column_id line_columns[] = {
    COLUMN_SITE,        COLUMN_SERVICE,        COLUMN_WARD,          COLUMN_AVAILABLE,
    COLUMN_TOTAL,       COLUMN_OCCUPIED,       COLUMN_FREE,          COLUMN_HELD,
    COLUMN_BLOCKED,     COLUMN_BLOCKED_REASON, COLUMN_BLOCKED_UNTIL, COLUMN_NEED,
    COLUMN_STATUS,      COLUMN_NEXT_FREE,      COLUMN_NOTE,          COLUMN_OBSERVED_AT,
    COLUMN_VALID_UNTIL, COLUMN_FRESHNESS,      COLUMN_ENTERED_AT,    COLUMN_ACTOR,
};
static const enum column_id picture_columns[] = {
    COLUMN_MEMBER,    COLUMN_SITE,      COLUMN_SERVICE,     COLUMN_WARD,
    COLUMN_PRECISION, COLUMN_AVAILABLE, COLUMN_BAND_LOW,    COLUMN_BAND_HIGH,
    COLUMN_LIGHT,     COLUMN_STATUS,    COLUMN_TOTAL,       COLUMN_OCCUPIED,
    COLUMN_HELD,      COLUMN_BLOCKED,   COLUMN_NEED,        COLUMN_LAST_AVAILABLE,
    COLUMN_PHONE,     COLUMN_REGION,    COLUMN_OBSERVED_AT, COLUMN_VALID_UNTIL,
    COLUMN_AGE_S,     COLUMN_FRESHNESS, COLUMN_VERIFIED,    COLUMN_HOURS,
    COLUMN_NOTE,
};
static const enum column_id history_columns[] = {
    COLUMN_MEMBER,      COLUMN_SITE,      COLUMN_SERVICE,   COLUMN_WARD,     COLUMN_OBSERVED_AT,
    COLUMN_VALID_UNTIL, COLUMN_PRECISION, COLUMN_AVAILABLE, COLUMN_BAND_LOW, COLUMN_BAND_HIGH,
    COLUMN_LIGHT,       COLUMN_STATUS,    COLUMN_TOTAL,     COLUMN_OCCUPIED, COLUMN_FREE,
    COLUMN_HELD,        COLUMN_BLOCKED,   COLUMN_NEED,
};
static const struct {
    const char *name;
    const enum column_id *columns;
    size_t count;
} kinds[] = {
    [EXPORT_LINES] = {"lines", line_columns, sizeof line_columns / sizeof line_columns[0]},
    [EXPORT_PICTURE] = {"picture", picture_columns,
                        sizeof picture_columns / sizeof picture_columns[0]},
    [EXPORT_HISTORY] = {"history", history_columns,
                        sizeof history_columns / sizeof history_columns[0]},
};

enum err export_format_parse(const char *text, enum export_format *ret, struct error *e) {
    if (strcmp(text, "excel-nl") != 0 && strcmp(text, "rfc4180") != 0)
        return error_at(e, ERR_DATA, "format", 0, 0, "found '%.40s', expected excel-nl or rfc4180",
                        text);
    *ret = strcmp(text, "excel-nl") == 0 ? EXPORT_EXCEL_NL : EXPORT_RFC4180;
    return ERR_OK;
}

enum err export_kind_parse(const char *text, enum export_kind *ret, struct error *e) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, text) != 0)
            continue;
        *ret = (enum export_kind)i;
        return ERR_OK;
    }
    return error_at(e, ERR_DATA, "what", 0, 0,
                    "found '%.40s', expected lines (own figures), picture (partners') or history",
                    text);
}

/* ---- cells ---- */

struct writing {
    struct buf *out;
    char delimiter, decimal;
    bool local; /* times in the zone */
    const struct zone *zone;
};

static void put_text(struct writing *w, const json_t *value) {
    if (json_is_boolean(value))
        csv_cell_text(w->out, w->delimiter, json_is_true(value) ? "yes" : "no");
    else if (json_is_string(value))
        csv_cell_text(w->out, w->delimiter, json_string_value(value));
}

static void put_number(struct writing *w, const json_t *value) {
    csv_cell_number(w->out, w->delimiter, w->decimal, value);
}

static void put_time(struct writing *w, const json_t *value) {
    int64_t ms = 0, year = 0;
    int month = 0, day = 0;
    const char *text = json_string_value(value);
    if (!text)
        return;
    if (!w->local || text_parse_time(text, &ms, NULL) != ERR_OK) {
        csv_cell_text(w->out, w->delimiter, text);
        return;
    }
    int64_t local = zone_local_ms(w->zone, ms);
    int seconds = (int)(local % 86400000 / 1000);
    text_civil_from_days(local / 86400000, &year, &month, &day);
    buf_printf(w->out, "%02d-%02d-%04" PRId64 " %02d:%02d:%02d", day, month, year, seconds / 3600,
               seconds / 60 % 60, seconds % 60);
}

static void put_cell(struct writing *w, const struct column *column, const json_t *row) {
    const json_t *value = json_object_get(row, column->key);
    switch (column->cell) {
    case CELL_TEXT:
        put_text(w, value);
        break;
    case CELL_NUMBER:
        put_number(w, value);
        break;
    case CELL_TIME:
        put_time(w, value);
        break;
    case CELL_LOW:
        put_number(w, json_array_get(value, 0));
        break;
    case CELL_HIGH:
        put_number(w, json_array_get(value, 1));
        break;
    case CELL_LAST:
        put_number(w, json_object_get(value, "available"));
        break;
    }
}

/* ---- attributes: a column for each name that any row has ---- */

struct names {
    const char *list[ATTRIBUTES_MAX];
    size_t count;
};

static int by_text(const void *x, const void *y) {
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static enum err gather_names(const json_t *rows, struct names *ret, struct error *e) {
    json_t *seen = json_object(), *row, *value;
    const char *name;
    size_t i;
    if (!seen)
        return error_set(e, ERR_NO_MEMORY, "no memory for the export");
    enum err code = ERR_OK;
    json_array_foreach(rows, i, row) {
        json_object_foreach(json_object_get(row, "attributes"), name, value) {
            if (code != ERR_OK || json_object_get(seen, name))
                continue;
            json_object_set_new(seen, name, json_true());
            if (ret->count == ATTRIBUTES_MAX)
                code = error_set(e, ERR_TOO_LARGE,
                                 "found more than %d different attributes: export one service",
                                 ATTRIBUTES_MAX);
            else
                ret->list[ret->count++] = name; /* borrowed from the rows */
        }
    }
    json_decref(seen);
    qsort(ret->list, ret->count, sizeof ret->list[0], by_text);
    return code;
}

/* ---- the table ---- */

static void put_delimiter(struct writing *w, size_t column) {
    if (column > 0)
        buf_append_u8(w->out, (uint8_t)w->delimiter);
}

static void put_header(struct writing *w, enum export_kind kind, const struct names *names) {
    size_t n = 0;
    for (; n < kinds[kind].count; n++) {
        put_delimiter(w, n);
        buf_append_str(w->out, columns[kinds[kind].columns[n]].name);
    }
    for (size_t i = 0; i < names->count; i++) {
        char name[128];
        put_delimiter(w, n + i);
        snprintf(name, sizeof name, "attribute.%.100s", names->list[i]);
        csv_cell_text(w->out, w->delimiter, name);
    }
    buf_append_str(w->out, "\r\n");
}

static void put_row(struct writing *w, enum export_kind kind, const struct names *names,
                    const json_t *row) {
    const json_t *attributes = json_object_get(row, "attributes");
    size_t n = 0;
    for (; n < kinds[kind].count; n++) {
        put_delimiter(w, n);
        put_cell(w, &columns[kinds[kind].columns[n]], row);
    }
    for (size_t i = 0; i < names->count; i++) {
        put_delimiter(w, n + i);
        put_text(w, json_object_get(attributes, names->list[i]));
    }
    buf_append_str(w->out, "\r\n");
}

enum err export_csv(const struct export_form *form, const json_t *rows, struct buf *out,
                    struct error *e) {
    bool excel = form->format == EXPORT_EXCEL_NL;
    struct writing w = {.out = out,
                        .delimiter = excel ? ';' : ',',
                        .decimal = excel ? ',' : '.',
                        .local = excel && form->zone,
                        .zone = form->zone};
    struct names names = {.count = 0};
    size_t i;
    json_t *row;
    enum err code = gather_names(rows, &names, e);
    if (code != ERR_OK)
        return code;
    if (excel && !form->more)
        buf_append_str(out, "\xEF\xBB\xBF");
    if (!form->more)
        put_header(&w, form->kind, &names);
    json_array_foreach(rows, i, row) put_row(&w, form->kind, &names, row);
    return buf_failed(out, e);
}
