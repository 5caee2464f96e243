/* Owns reading a table's rows by a profile into one candidate a line (see import_private.h).
 * Must not compare them with what is stored, nor store anything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_private.h"

#define SLOTS 16384 /* power of two, well over SNAPSHOT_MAX_LINES */

_Static_assert(SLOTS >= 2 * SNAPSHOT_MAX_LINES, "the hash never fills up");

bool import_dated(const struct importing *im) {
    return im->profile->date_column || im->request->observed;
}

/* ---- the header ------------------------------------------------------------------------------ */

static enum err find_column(const struct importing *im, const struct sheet_row *header,
                            const char *name, int *ret, struct error *e) {
    int found = -1;
    for (size_t i = 0; i < header->count; i++) {
        if (strcmp(header->fields[i], name) != 0)
            continue;
        if (found >= 0)
            return error_at(e, ERR_DATA, im->request->file, header->line, (int)i + 1,
                            "found column '%.60s' twice, expected it once", name);
        found = (int)i;
    }
    if (found < 0) {
        char first[80];
        snprintf(first, sizeof first, "%.70s", header->fields[0]);
        return error_at(
            e, ERR_DATA, im->request->file, header->line, 0,
            "found no column '%.60s' among %zu columns (the first is '%s'): check the profile, "
            "the delimiter and --where",
            name, header->count, first);
    }
    *ret = found;
    return ERR_OK;
}

static enum err find_optional(const struct importing *im, const struct sheet_row *header,
                              const char *name, int *ret, struct error *e) {
    *ret = -1;
    return name ? find_column(im, header, name, ret, e) : ERR_OK;
}

static const struct profile_filter *filter_at(const struct importing *im, size_t i) {
    return i < im->profile->filter_count ? &im->profile->filters[i]
                                         : &im->where[i - im->profile->filter_count];
}

static size_t filter_count(const struct importing *im) {
    return im->profile->filter_count + im->request->where_count;
}

static enum err read_header(struct importing *im, const struct sheet_row *h, struct error *e) {
    const struct profile *p = im->profile;
    struct import_columns *c = &im->columns;
    enum err code = find_optional(im, h, p->service.column, &c->service, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->site.column, &c->site, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->ward.column, &c->ward, e);
    code = code != ERR_OK ? code : find_optional(im, h, p->date_column, &c->date, e);
    for (size_t i = 0; i < p->figure_count && code == ERR_OK; i++)
        code = find_column(im, h, p->figures[i].from.column, &c->figures[i], e);
    for (size_t i = 0; i < p->attribute_count && code == ERR_OK; i++)
        code = find_optional(im, h, p->attributes[i].from.column, &c->attributes[i], e);
    for (size_t i = 0; i < filter_count(im) && code == ERR_OK; i++)
        code = find_column(im, h, filter_at(im, i)->column, &c->filters[i], e);
    return code;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static bool passes(const struct importing *im, const struct sheet_row *row) {
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

/* A cell's text, "" for what the profile calls unknown. */
static const char *known_cell(const struct importing *im, const struct sheet_row *row, int column) {
    const char *cell = row->fields[column];
    for (size_t i = 0; i < im->profile->unknown_count; i++) {
        if (strcmp(cell, im->profile->unknown[i]) == 0)
            return "";
    }
    return cell;
}

static const char *value_of(const struct importing *im, const struct sheet_row *row,
                            const struct profile_value *value, int column) {
    if (value->fixed)
        return value->fixed;
    return column >= 0 ? known_cell(im, row, column) : "";
}

/* The same fault with the place in the table in front. column -1: the whole row. */
static enum err at_cell(const struct importing *im, const struct sheet_row *row, int column,
                        const char *name, const struct error *why, struct error *e) {
    if (column < 0)
        return error_at(e, why->code, im->request->file, row->line, 0, "%s%s%s", why->file,
                        why->file[0] ? ": " : "", why->detail);
    return error_at(e, why->code, im->request->file, row->line, column + 1, "column '%.60s': %s",
                    name, why->detail);
}

/* ---- a row ----------------------------------------------------------------------------------- */

static enum err read_service(struct importing *im, const struct sheet_row *row,
                             const struct charter_service **ret, struct error *e) {
    const struct profile_value *from = &im->profile->service;
    struct error why = {0};
    enum err code = records_service(im->a, value_of(im, row, from, im->columns.service), ret, &why);
    return code == ERR_OK ? code : at_cell(im, row, im->columns.service, from->column, &why, e);
}

static enum err read_site(struct importing *im, const struct sheet_row *row, uint32_t *ret,
                          struct error *e) {
    const struct profile_value *from = &im->profile->site;
    bool given = im->request->site != NULL;
    const char *name = given ? im->request->site : value_of(im, row, from, im->columns.site);
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
    return code == ERR_OK ? code
                          : at_cell(im, row, given ? -1 : im->columns.site, from->column, &why, e);
}

static enum err read_ward(struct importing *im, const struct sheet_row *row, struct line *line,
                          struct error *e) {
    const struct profile_value *from = &im->profile->ward;
    const char *ward = value_of(im, row, from, im->columns.ward);
    struct error why = {0};
    enum err code = records_check_ward(ward, &why);
    if (code != ERR_OK)
        return at_cell(im, row, im->columns.ward, from->column, &why, e);
    memcpy(line->ward, ward, strlen(ward) + 1);
    return ERR_OK;
}

static enum err parse_dmy(const struct zone *zone, const char *cell, int64_t *ret,
                          struct error *e) {
    int day = 0, month = 0, year = 0, end = -1;
    char iso[TEXT_DAY_SIZE + 8];
    int got = sscanf(cell, "%2d-%2d-%4d%n", &day, &month, &year, &end);
    if (got != 3 || end < 0 || cell[end] != '\0' || day < 1 || month < 1 || year < 1000)
        return error_set(e, ERR_DATA, "found '%.40s', expected a date such as 20-11-2026", cell);
    snprintf(iso, sizeof iso, "%04d-%02d-%02d", year % 10000, month % 100, day % 100);
    enum err code = text_parse_day(iso, &year, &month, &day, e);
    if (code == ERR_OK)
        *ret = zone_instant(zone, year, month, day, 12, 0);
    return code;
}

static enum err parse_date(const struct importing *im, const char *cell, int64_t *ret,
                           struct error *e) {
    int year = 0, month = 0, day = 0;
    if (cell[0] == '\0')
        return error_set(e, ERR_DATA, "found no date, expected one in every row");
    switch (im->profile->date_format) {
    case PROFILE_DATE_ISO: {
        enum err code = text_parse_day(cell, &year, &month, &day, e);
        if (code == ERR_OK)
            *ret = zone_instant(im->zone, year, month, day, 12, 0);
        return code;
    }
    case PROFILE_DATE_DMY:
        return parse_dmy(im->zone, cell, ret, e);
    case PROFILE_DATE_RFC3339:
        return text_parse_time(cell, ret, e);
    }
    return error_set(e, ERR_INTERNAL, "unknown date format");
}

/* --observed speaks for every row; else the date column; else now. The date column says which of
 * two rows is newer in any case. */
static enum err read_times(struct importing *im, const struct sheet_row *row,
                           const struct charter_service *service, struct candidate *ret,
                           struct error *e) {
    struct error why = {0};
    struct capacity *c = &ret->line.capacity;
    int64_t date_ms = im->now_ms;
    const char *observed = im->request->observed;
    char text[TEXT_TIME_SIZE];
    enum err code = ERR_OK;
    if (im->columns.date >= 0)
        code = parse_date(im, known_cell(im, row, im->columns.date), &date_ms, &why);
    if (code == ERR_OK && !observed)
        observed = text_time(date_ms, text);
    if (code == ERR_OK)
        code = records_times(c, service, im->zone, observed, im->profile->valid, im->now_ms, &why);
    ret->date_ms = date_ms;
    if (code == ERR_OK)
        return ERR_OK;
    int column = strcmp(why.file, "observed") == 0 && im->request->observed ? -1 : im->columns.date;
    return at_cell(im, row, column, im->profile->date_column, &why, e);
}

static enum err read_figures(struct importing *im, const struct sheet_row *row,
                             const struct charter_service *service, struct capacity *c,
                             struct error *e) {
    for (size_t i = 0; i < im->profile->figure_count; i++) {
        const struct profile_map *map = &im->profile->figures[i];
        int column = im->columns.figures[i];
        struct error why = {0};
        if (records_set_figure(c, service, im->zone, map->key, known_cell(im, row, column), &why) !=
            ERR_OK)
            return at_cell(im, row, column, map->from.column, &why, e);
    }
    return ERR_OK;
}

static enum err read_attributes(struct importing *im, const struct sheet_row *row,
                                const struct charter_service *service, struct line *line,
                                struct error *e) {
    for (size_t i = 0; i < im->profile->attribute_count; i++) {
        const struct profile_map *map = &im->profile->attributes[i];
        int column = im->columns.attributes[i];
        const char *value = value_of(im, row, &map->from, column);
        struct error why = {0};
        if (value[0] == '\0')
            continue; /* unknown says nothing: what the line has stays */
        enum err code = records_set_attribute(line, service, map->key, value, &why);
        if (code != ERR_OK && column < 0)
            return at_cell(im, row, -1, NULL, &why, e);
        if (code != ERR_OK)
            return at_cell(im, row, column, map->from.column, &why, e);
    }
    return ERR_OK;
}

static enum err read_row(struct importing *im, const struct sheet_row *row, struct candidate *ret,
                         struct error *e) {
    const struct charter_service *service = NULL;
    struct line *line = &ret->line;
    ret->row = row->line;
    enum err code = read_service(im, row, &service, e);
    code = code != ERR_OK ? code : read_site(im, row, &line->site, e);
    code = code != ERR_OK ? code : read_ward(im, row, line, e);
    if (code != ERR_OK)
        return code;
    memcpy(line->service, service->code, sizeof line->service);
    code = read_figures(im, row, service, &line->capacity, e);
    code = code != ERR_OK ? code : read_attributes(im, row, service, line, e);
    code = code != ERR_OK ? code : read_times(im, row, service, ret, e);
    if (code != ERR_OK)
        return code;
    struct error why = {0};
    code = capacity_check(&line->capacity, agent_charter(im->a), service, &why);
    return code == ERR_OK ? code : at_cell(im, row, -1, NULL, &why, e);
}

/* ---- one candidate a line -------------------------------------------------------------------- */

static uint32_t hash_text(uint32_t h, const char *text) {
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return (h ^ 0xFF) * 16777619u;
}

static bool same_place(const struct line *x, const struct line *y) {
    return x->site == y->site && strcmp(x->service, y->service) == 0 &&
           strcmp(x->ward, y->ward) == 0;
}

/* The slot of this line: with its candidate, or free. */
static size_t find_slot(const struct importing *im, const struct line *line) {
    uint32_t h = hash_text(hash_text(2166136261u ^ line->site, line->service), line->ward);
    size_t at = h % SLOTS;
    while (im->slots[at] >= 0 && !same_place(&im->list[im->slots[at]].line, line))
        at = (at + 1) % SLOTS;
    return at;
}

static enum err add_candidate(struct importing *im, size_t slot, const struct candidate *c,
                              struct error *e) {
    if (im->count == SNAPSHOT_MAX_LINES)
        return error_at(e, ERR_TOO_LARGE, im->request->file, c->row, 0,
                        "found more than %d different lines, which is the most an agent has",
                        SNAPSHOT_MAX_LINES);
    if (im->count == im->room) {
        size_t room = im->room == 0 ? 16 : 2 * im->room;
        struct candidate *grown = reallocarray(im->list, room, sizeof *grown);
        if (!grown)
            return error_set(e, ERR_NO_MEMORY, "no memory for %zu lines", room);
        im->list = grown;
        im->room = room;
    }
    im->list[im->count] = *c;
    im->slots[slot] = (int32_t)im->count++;
    return ERR_OK;
}

static enum err two_rows(const struct importing *im, const struct candidate *first,
                         const struct candidate *second, struct error *e) {
    const struct site *site = records_site(&im->records, second->line.site);
    const char *why =
        im->profile->date_column
            ? "both of the same date: filter the rows with --where, or correct one"
            : "expected one: name a date column in the profile, or filter with --where";
    return error_at(e, ERR_DATA, im->request->file, second->row, 0,
                    "found a second row for %.40s %.40s%s%.40s (the first is line %d), %s",
                    site ? site->name : "", second->line.service, second->line.ward[0] ? " " : "",
                    second->line.ward, first->row, why);
}

static enum err keep_newest(struct importing *im, const struct candidate *c, struct error *e) {
    size_t slot = find_slot(im, &c->line);
    if (im->slots[slot] < 0)
        return add_candidate(im, slot, c, e);
    struct candidate *held = &im->list[im->slots[slot]];
    int64_t newer_ms = c->date_ms - held->date_ms;
    if (!im->profile->date_column || newer_ms == 0)
        return two_rows(im, held, c, e);
    im->superseded++;
    if (newer_ms > 0)
        *held = *c;
    return ERR_OK;
}

static enum err take_row(void *ctx, const struct sheet_row *row, struct error *e) {
    struct importing *im = ctx;
    if (row->header)
        return read_header(im, row, e);
    im->rows_read++;
    if (!passes(im, row))
        return ERR_OK;
    im->rows_used++;
    struct candidate c = {0};
    enum err code = read_row(im, row, &c, e);
    return code != ERR_OK ? code : keep_newest(im, &c, e);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static enum err split_where(struct importing *im, struct error *e) {
    for (size_t i = 0; i < im->request->where_count; i++) {
        const char *text = im->request->where[i];
        char *copy = strdup(text);
        if (!copy)
            return error_set(e, ERR_NO_MEMORY, "no memory for --where");
        im->where_text[i] = copy;
        char *equals = strchr(copy, '=');
        if (!equals || equals == copy)
            return error_set(e, ERR_USAGE, "found --where '%.80s', expected COLUMN=VALUE", text);
        *equals = '\0';
        im->where_value[i] = equals + 1;
        im->where[i] = (struct profile_filter){copy, &im->where_value[i], 1};
    }
    return ERR_OK;
}

enum err import_read(struct importing *im, struct error *e) {
    im->slots = malloc(SLOTS * sizeof *im->slots);
    if (!im->slots)
        return error_set(e, ERR_NO_MEMORY, "no memory for an import");
    memset(im->slots, 0xFF, SLOTS * sizeof *im->slots); /* -1 */
    enum err code = split_where(im, e);
    if (code == ERR_OK)
        code = sheet_read(im->request->text, im->request->file, im->profile->delimiter, take_row,
                          im, e);
    if (code == ERR_OK && im->rows_used == 0)
        return error_at(
            e, ERR_DATA, im->request->file, 0, 0,
            "none of its %zu rows passes the filters: check --where and the profile's filter",
            im->rows_read);
    return code;
}

void import_done(struct importing *im) {
    for (size_t i = 0; i < im->request->where_count; i++)
        free(im->where_text[i]);
    free(im->slots);
    free(im->list);
    records_done(&im->records);
}
