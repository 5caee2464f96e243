/* Owns reading a table's rows by a profile into one candidate a line (see import_private.h).
 * Must not compare them with what is stored, nor store anything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_private.h"

bool import_dated(const struct import *im) {
    return im->profile->date_column || im->request.observed;
}

/* ---- the header ---- */

static enum err find_column(const struct import *im, const struct sheet_row *header,
                            const char *name, int *ret, struct error *e) {
    int found = -1;
    for (size_t i = 0; i < header->count; i++) {
        if (strcmp(header->fields[i], name) != 0)
            continue;
        if (found >= 0)
            return error_at(e, ERR_DATA, im->request.file, header->line, (int)i + 1,
                            "found column '%.60s' twice, expected it once", name);
        found = (int)i;
    }
    if (found < 0) {
        char first[80];
        snprintf(first, sizeof first, "%.70s",
                 capacity_holds_bsn(header->fields[0]) ? "..." : header->fields[0]);
        return error_at(
            e, ERR_DATA, im->request.file, header->line, 0,
            "found no column '%.60s' among %zu columns (the first is '%s'): check the profile, "
            "the delimiter and --where",
            name, header->count, first);
    }
    *ret = found;
    return ERR_OK;
}

static enum err find_optional(const struct import *im, const struct sheet_row *header,
                              const char *name, int *ret, struct error *e) {
    *ret = -1;
    return name ? find_column(im, header, name, ret, e) : ERR_OK;
}

static const struct profile_filter *filter_at(const struct import *im, size_t i) {
    return i < im->profile->filter_count ? &im->profile->filters[i]
                                         : &im->where[i - im->profile->filter_count];
}

static size_t filter_count(const struct import *im) {
    return im->profile->filter_count + im->request.where_count;
}

enum err import_read_header(struct import *im, const struct sheet_row *h, struct error *e) {
    const struct profile *p = im->profile;
    struct import_columns *c = &im->columns;
    enum err code = find_optional(im, h, p->service.column, &c->service, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->site.column, &c->site, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->ward.column, &c->ward, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->date_column, &c->date, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->valid.column, &c->valid, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->place_column, &c->place, e);
    for (size_t i = 0; i < p->place_count && code == ERR_OK; i++)
        code = find_column(im, h, p->places[i].from.column, &c->places[i], e);
    for (size_t i = 0; i < p->figure_count && code == ERR_OK; i++)
        code = find_column(im, h, p->figures[i].from.column, &c->figures[i], e);
    for (size_t i = 0; i < p->attribute_count && code == ERR_OK; i++)
        code = find_optional(im, h, p->attributes[i].from.column, &c->attributes[i], e);
    for (size_t i = 0; i < filter_count(im) && code == ERR_OK; i++)
        code = find_column(im, h, filter_at(im, i)->column, &c->filters[i], e);
    return code;
}

static bool passes(const struct import *im, const struct sheet_row *row) {
    for (size_t i = 0; i < filter_count(im); i++) {
        const struct profile_filter *f = filter_at(im, i);
        const char *cell = row->fields[im->columns.filters[i]];
        bool any = false;
        for (size_t k = 0; k < f->count && !any; k++)
            any = strcmp(cell, f->values[k]) == 0;
        if (!any)
            return false;
    }
    return true;
}

/* ---- a row ---- */

static enum err read_service(struct import *im, const struct sheet_row *row,
                             const struct charter_service **ret, struct error *e) {
    const struct profile_value *from = &im->profile->service;
    struct error why = {0};
    enum err code =
        records_service(im->a, import_value(im, row, from, im->columns.service), ret, &why);
    return code == ERR_OK ? code : import_at(im, row, im->columns.service, from->column, &why, e);
}

static enum err read_site(struct import *im, const struct sheet_row *row, uint32_t *ret,
                          struct error *e) {
    const struct profile_value *from = &im->profile->site;
    bool given = im->request.site != NULL;
    const char *name = given ? im->request.site : import_value(im, row, from, im->columns.site);
    if (name[0] == '\0' && im->records.site_count == 1) {
        *ret = im->records.sites[0].id;
        return ERR_OK;
    }
    for (size_t i = 0; i < im->records.site_count; i++) {
        if (strcmp(im->records.sites[i].name, name) == 0) {
            *ret = im->records.sites[i].id;
            return ERR_OK;
        }
    }
    struct error why = {0};
    enum err code = records_find_site(im->a, name, ret, &why); /* fails, and says what there is */
    return code == ERR_OK
               ? code
               : import_at(im, row, given ? -1 : im->columns.site, from->column, &why, e);
}

static enum err read_ward(struct import *im, const struct sheet_row *row, struct line *line,
                          struct error *e) {
    const struct profile_value *from = &im->profile->ward;
    const char *ward = import_value(im, row, from, im->columns.ward);
    struct error why = {0};
    enum err code = records_check_ward(ward, &why);
    if (code != ERR_OK)
        return import_at(im, row, im->columns.ward, from->column, &why, e);
    memcpy(line->ward, ward, strlen(ward) + 1);
    return ERR_OK;
}

enum err import_read_line(struct import *im, const struct sheet_row *row,
                          const struct charter_service **ret_service, struct line *ret,
                          struct error *e) {
    enum err code = read_service(im, row, ret_service, e);
    code = code != ERR_OK ? code : read_site(im, row, &ret->site, e);
    code = code != ERR_OK ? code : read_ward(im, row, ret, e);
    if (code == ERR_OK)
        memcpy(ret->service, (*ret_service)->code, sizeof ret->service);
    return code;
}

/* An empty cell says nothing: the service's validity stays. What it names is named by the row. */
static enum err read_valid_until(const struct import *im, const struct sheet_row *row,
                                 struct capacity *c, struct error *e) {
    const char *cell = im->columns.valid >= 0 ? import_cell(im, row, im->columns.valid) : "";
    struct error why = {0};
    if (cell[0] == '\0')
        return ERR_OK;
    if (import_time(im, cell, &c->valid_until_ms, &why) != ERR_OK)
        return import_at(im, row, im->columns.valid, im->profile->valid.column, &why, e);
    c->validity_ms = c->valid_until_ms - c->observed_ms;
    return ERR_OK;
}

/* --observed speaks for every row; else the date column; else when the file was counted. The date
 * column says which of two rows is newer in any case. */
static enum err read_times(struct import *im, const struct sheet_row *row, struct candidate *ret,
                           struct error *e) {
    struct error why = {0};
    const char *observed = im->request.observed;
    char text[TEXT_TIME_SIZE];
    enum err code = ERR_OK;
    ret->seen.date_ms = im->request.counted_ms != 0 ? im->request.counted_ms : im->now_ms;
    if (im->columns.date >= 0)
        code = import_date(im, import_cell(im, row, im->columns.date), &ret->seen.date_ms, &why);
    if (code == ERR_OK && !observed)
        observed = text_time(ret->seen.date_ms, text);
    if (code == ERR_OK)
        code = records_times(im->a, &ret->line, im->zone, observed, im->profile->valid.fixed,
                             im->now_ms, &why);
    if (code == ERR_OK)
        return read_valid_until(im, row, &ret->line.capacity, e);
    int column = strcmp(why.file, "observed") == 0 && im->request.observed ? -1 : im->columns.date;
    return import_at(im, row, column, im->profile->date_column, &why, e);
}

static bool is_amount(const char *key) {
    static const char *const keys[] = {"total", "occupied", "free", "held", "blocked", "need"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], key) == 0)
            return true;
    }
    return false;
}

static bool is_time(const char *key) {
    return strcmp(key, "blocked_until") == 0 || strcmp(key, "next_free") == 0;
}

static enum err read_figure(struct import *im, const char *key, const char *cell,
                            const struct charter_service *service, struct capacity *c,
                            struct error *e) {
    char plain[IMPORT_PLAIN_SIZE];
    if (is_amount(key) && !capacity_holds_bsn(cell)) {
        enum err code = import_plain_number(im, cell, plain, e);
        if (code != ERR_OK)
            return code;
        cell = plain;
    } else if (is_time(key)) {
        cell = import_plain_time(im, cell, plain);
    }
    return records_set_figure(c, service, im->zone, key, cell, e);
}

static enum err read_figures(struct import *im, const struct sheet_row *row,
                             const struct charter_service *service, struct capacity *c,
                             struct error *e) {
    for (size_t i = 0; i < im->profile->figure_count; i++) {
        const struct profile_map *map = &im->profile->figures[i];
        int column = im->columns.figures[i];
        struct error why = {0};
        if (read_figure(im, map->key, import_cell(im, row, column), service, c, &why) != ERR_OK)
            return import_at(im, row, column, map->from.column, &why, e);
    }
    return ERR_OK;
}

static enum err read_attributes(struct import *im, const struct sheet_row *row,
                                const struct charter_service *service, struct line *line,
                                struct error *e) {
    for (size_t i = 0; i < im->profile->attribute_count; i++) {
        const struct profile_map *map = &im->profile->attributes[i];
        int column = im->columns.attributes[i];
        const char *value = import_value(im, row, &map->from, column);
        struct error why = {0};
        if (value[0] == '\0')
            continue; /* unknown says nothing: what the line has stays */
        enum err code = records_set_attribute(line, service, map->key, value, &why);
        if (code != ERR_OK && column < 0)
            return import_at(im, row, -1, NULL, &why, e);
        if (code != ERR_OK)
            return import_at(im, row, column, map->from.column, &why, e);
    }
    return ERR_OK;
}

static enum err read_row(struct import *im, const struct sheet_row *row, struct candidate *ret,
                         struct error *e) {
    const struct charter_service *service = NULL;
    struct line *line = &ret->line;
    ret->seen.row = row->line;
    enum err code = import_read_line(im, row, &service, line, e);
    code = code != ERR_OK ? code : read_figures(im, row, service, &line->capacity, e);
    code = code != ERR_OK ? code : read_attributes(im, row, service, line, e);
    code = code != ERR_OK ? code : read_times(im, row, ret, e);
    if (code != ERR_OK)
        return code;
    struct error why = {0};
    code = capacity_check(&line->capacity, agent_charter(im->a), service, &why);
    return code == ERR_OK ? code : import_at(im, row, -1, NULL, &why, e);
}

/* ---- the candidate ---- */

static uint32_t hash_line(const void *candidate) {
    const struct line *line = &((const struct candidate *)candidate)->line;
    return import_hash(import_hash(IMPORT_HASH_START ^ line->site, line->service), line->ward);
}

static bool same_line(const void *left, const void *right) {
    const struct line *x = &((const struct candidate *)left)->line;
    const struct line *y = &((const struct candidate *)right)->line;
    return x->site == y->site && strcmp(x->service, y->service) == 0 &&
           strcmp(x->ward, y->ward) == 0;
}

#define LINE_SLOTS 16384
_Static_assert(LINE_SLOTS >= 2 * SNAPSHOT_MAX_LINES, "a full table finds no free slot");
const struct import_kind import_kind_line = {
    .what = "lines",
    .size = sizeof(struct candidate),
    .max = SNAPSHOT_MAX_LINES,
    .slots = LINE_SLOTS,
    .hash = hash_line,
    .same = same_line,
};

const char *import_site_name(const struct import *im, uint32_t site) {
    const struct site *s = records_site(&im->records, site);
    return s ? s->name : "";
}

/* What a spreadsheet leaves of rows that were cleared: delimiters only. */
static bool is_empty(const struct sheet_row *row) {
    for (size_t i = 0; i < row->count; i++) {
        if (row->fields[i][0] != '\0')
            return false;
    }
    return true;
}

bool import_takes(struct import *im, const struct sheet_row *row) {
    if (is_empty(row))
        return false;
    im->rows_read++;
    if (!passes(im, row))
        return false;
    im->rows_used++;
    return true;
}

enum err import_row(void *ctx, const struct sheet_row *row, struct error *e) {
    struct import *im = ctx;
    if (row->header)
        return import_read_header(im, row, e);
    if (!import_takes(im, row))
        return ERR_OK;
    struct candidate c = {0};
    size_t index = 0;
    enum err code = read_row(im, row, &c, e);
    if (code == ERR_OK)
        code = import_newest_keep(im, &c.seen, &index, e);
    if (code == ERR_OK && im->request.history)
        code = import_past_add(im, index, &c, e);
    return code;
}
