/* Owns an import from its first piece to its report: comparing what a table says with the records,
 * storing what is newer. Must not parse a table: import_rows.c and import_places.c do. */
#include "import.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_private.h"
#include "past.h"

const char *import_action_name(enum import_action action) {
    static const char *const names[] = {"new", "changed", "unchanged", "older", "removed"};
    return names[action];
}

/* ---- comparing ---- */

static bool same_figure(const struct capacity *x, const struct capacity *y,
                        const struct charter_service *service) {
    char of_x[RECORDS_TEXT_SIZE], of_y[RECORDS_TEXT_SIZE];
    for (size_t i = 0; records_figure_keys[i]; i++) {
        const char *key = records_figure_keys[i];
        if (strcmp(records_figure_text(x, service, key, of_x),
                   records_figure_text(y, service, key, of_y)) != 0)
            return false;
    }
    return true;
}

static bool same_attributes(const struct line *x, const struct line *y) {
    if (x->attribute_count != y->attribute_count)
        return false;
    for (size_t i = 0; i < x->attribute_count; i++) {
        if (strcmp(x->attributes[i].name, y->attributes[i].name) != 0 ||
            strcmp(x->attributes[i].value, y->attributes[i].value) != 0)
            return false;
    }
    return true;
}

/* A file that does not say when it was counted cannot renew a figure by saying it again; one that
 * was written before somebody entered a figure does not replace it. */
static enum import_action decide(const struct import *im, const struct line *old,
                                 const struct line *new, const struct charter_service *service) {
    const struct capacity *was = &old->capacity, *is = &new->capacity;
    bool dated = import_dated(im);
    bool same = same_figure(was, is, service) && same_attributes(old, new);
    if (!dated && same)
        return IMPORT_UNCHANGED;
    if ((dated || im->request.counted_ms != 0) && is->observed_ms < was->observed_ms)
        return IMPORT_OLDER;
    if (!dated)
        return IMPORT_CHANGED;
    same = same && is->observed_ms == was->observed_ms && is->valid_until_ms == was->valid_until_ms;
    return same ? IMPORT_UNCHANGED : IMPORT_CHANGED;
}

/* ---- the report ---- */

void import_put_change(json_t *changes, const char *key, const char *old, const char *new) {
    if (strcmp(old, new) == 0)
        return;
    json_array_append_new(changes,
                          json_pack("{s:s, s:o, s:o}", "key", key, "old", records_text_json(old),
                                    "new", records_text_json(new)));
}

static const char *attribute_value(const struct line *line, const char *name) {
    for (size_t i = 0; i < line->attribute_count; i++) {
        if (strcmp(line->attributes[i].name, name) == 0)
            return line->attributes[i].value;
    }
    return "";
}

static const char *time_or_empty(int64_t ms, char out[static TEXT_TIME_SIZE]) {
    return ms == 0 ? "" : text_time(ms, out);
}

static json_t *changes_json(const struct line *old, const struct line *new,
                            const struct charter_service *service) {
    json_t *changes = json_array();
    char was[RECORDS_TEXT_SIZE], is[RECORDS_TEXT_SIZE];
    for (size_t i = 0; records_figure_keys[i]; i++) {
        const char *key = records_figure_keys[i];
        import_put_change(changes, key, records_figure_text(&old->capacity, service, key, was),
                          records_figure_text(&new->capacity, service, key, is));
    }
    for (size_t i = 0; i < service->attribute_count; i++) {
        const char *name = service->attributes[i].name;
        import_put_change(changes, name, attribute_value(old, name), attribute_value(new, name));
    }
    import_put_change(changes, "observed_at", time_or_empty(old->capacity.observed_ms, was),
                      time_or_empty(new->capacity.observed_ms, is));
    import_put_change(changes, "valid_until", time_or_empty(old->capacity.valid_until_ms, was),
                      time_or_empty(new->capacity.valid_until_ms, is));
    return changes;
}

static json_t *line_json(const struct import *im, int row, const struct line *old,
                         const struct line *new, const struct charter_service *service,
                         enum import_action action) {
    bool moves = action == IMPORT_NEW || action == IMPORT_CHANGED;
    return json_pack("{s:i, s:s, s:s, s:o, s:s, s:o}", "row", row, "site",
                     import_site_name(im, new->site), "service", new->service, "ward",
                     records_text_json(new->ward), "action", import_action_name(action), "changes",
                     moves ? changes_json(old, new, service) : json_array());
}

/* ---- storing ---- */

/* The row's figure and attributes over what the line has. */
static enum err overlay(struct line *line, const struct candidate *c,
                        const struct charter_service *service, struct error *e) {
    line->capacity = c->line.capacity;
    for (size_t i = 0; i < c->line.attribute_count; i++) {
        enum err code = records_set_attribute(line, service, c->line.attributes[i].name,
                                              c->line.attributes[i].value, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* Counts that a line's places give are not entered beside them; what is no count may be. */
static enum err check_places(struct import *im, struct record *record, struct error *e) {
    char text[RECORDS_TEXT_SIZE];
    for (size_t i = 0; record->id != 0 && records_figure_keys[i]; i++) {
        const char *key = records_figure_keys[i];
        if (records_figure_text(&record->line.capacity, NULL, key, text)[0] == '\0')
            continue;
        enum err code = places_refuse_count(im->a, record->id, key, e);
        if (code != ERR_OK)
            return code;
    }
    return places_derive(im->a, record, e);
}

static enum err fault_of_row(const struct import *im, int row, struct error *why, struct error *e) {
    records_hide_numbers(why, false);
    return error_at(e, why->code, im->request.file, row, 0, "%s%s%s", why->file,
                    why->file[0] ? ": " : "", why->detail);
}

/* A row that stands in the log, while the line's own figure is as new: what the log does not keep
 * (a note, places) is not lost by saying it again. */
static enum err is_known(const struct import *im, const struct record *record,
                         const struct candidate *c, bool *ret, struct error *e) {
    const struct capacity *said = &c->line.capacity;
    *ret = false;
    if (!im->request.history || record->id == 0 || c->line.attribute_count > 0 ||
        said->observed_ms > record->line.capacity.observed_ms)
        return ERR_OK;
    return past_holds(im->a, record->id, said, ret, e);
}

static enum err apply(struct import *im, const struct candidate *c, struct import_report *report,
                      struct error *e) {
    const struct charter_service *service = NULL;
    struct record record;
    struct error why = {0};
    bool found = false, known = false;
    enum err code =
        records_find_line(im->a, c->line.site, c->line.service, c->line.ward, &record, &found, e);
    code = code != ERR_OK ? code : is_known(im, &record, c, &known, e);
    if (code != ERR_OK)
        return code;
    const struct line old = record.line;
    /* The charter may have changed while the table came in. */
    code = records_service(im->a, c->line.service, &service, &why);
    if (!known) {
        code = code != ERR_OK ? code : overlay(&record.line, c, service, &why);
        code = code != ERR_OK ? code : check_places(im, &record, &why);
    }
    if (code != ERR_OK)
        return fault_of_row(im, c->seen.row, &why, e);
    enum import_action action = found ? decide(im, &old, &record.line, service) : IMPORT_NEW;
    report->counts[action]++;
    if (json_array_append_new(report->rows,
                              line_json(im, c->seen.row, &old, &record.line, service, action)) != 0)
        return error_set(e, ERR_NO_MEMORY, "no memory for the report");
    if (action != IMPORT_NEW && action != IMPORT_CHANGED)
        return ERR_OK;
    record.entered_ms = im->now_ms;
    snprintf(record.actor, sizeof record.actor, "%s", im->request.actor ? im->request.actor : "");
    return records_store(im->a, &record, e);
}

static enum err apply_lines(struct import *im, struct import_report *report, struct error *e) {
    const struct candidate *list = im->newest.list;
    for (size_t i = 0; i < im->newest.count; i++) {
        const struct candidate *c = &list[i];
        char of[200];
        snprintf(of, sizeof of, "%.40s %.40s%s%.40s", import_site_name(im, c->line.site),
                 c->line.service, c->line.ward[0] ? " " : "", c->line.ward);
        enum err code = c->seen.same_date != 0
                            ? import_two_rows(im, of, c->seen.row, c->seen.same_date, e)
                            : apply(im, c, report, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* A dry run takes the very same way and is rolled back, so that it finds every fault the real one
 * would. */
/* ret_recorded: rows that are a line's past and were not known. */
static enum err apply_all(struct import *im, struct import_report *report, int64_t *ret_recorded,
                          struct error *e) {
    struct db *db = agent_db(im->a);
    int64_t before = 0, after = 0;
    enum err code = db_begin(db, e);
    if (code != ERR_OK)
        return code;
    code = db_savepoint(db, e);
    if (code == ERR_OK)
        code = import_past_last(im, &before, e);
    if (code == ERR_OK)
        code = im->profile->place_column ? import_apply_places(im, report, e)
                                         : apply_lines(im, report, e);
    if (code == ERR_OK && im->request.history)
        code = import_past_store(im, e);
    if (code == ERR_OK)
        code = import_past_last(im, &after, e);
    *ret_recorded = after - before;
    if (code == ERR_OK && im->request.dry_run)
        db_undo(db); /* and no more: what surrounds this goes on */
    else if (code == ERR_OK)
        code = db_release(db, e);
    code = db_end(db, code, e);
    if (code == ERR_OK && !im->request.dry_run && *ret_recorded > 0)
        agent_mark_dirty(im->a);
    return code;
}

static json_t *report_json(const struct import *im, const struct import_report *report,
                           int64_t recorded) {
    json_t *made =
        json_pack("{s:s, s:b, s:I, s:I, s:I}", "file", im->request.file, "dry_run",
                  (int)im->request.dry_run, "rows_read", (json_int_t)im->rows_read, "rows_used",
                  (json_int_t)im->rows_used, "superseded", (json_int_t)im->superseded);
    for (int i = 0; i < IMPORT_ACTIONS; i++)
        json_object_set_new(made, import_action_name((enum import_action)i),
                            json_integer((json_int_t)report->counts[i]));
    bool good = made && json_object_set(made, "lines", report->rows) == 0;
    if (good && im->request.history)
        good = json_object_set_new(
                   made, "history",
                   json_pack("{s:I, s:I}", "recorded", (json_int_t)recorded, "unchanged",
                             (json_int_t)im->rows_used - (json_int_t)recorded)) == 0;
    if (good)
        return made;
    json_decref(made);
    return NULL;
}

enum err import_finish(struct import *im, json_t **ret_report, struct error *e) {
    struct import_report report = {.rows = json_array()};
    int64_t recorded = 0;
    enum err code = report.rows ? sheet_end(im->sheet, e)
                                : error_set(e, ERR_NO_MEMORY, "no memory for the report");
    if (code == ERR_OK && im->rows_used == 0)
        code = error_at(
            e, ERR_DATA, im->request.file, 0, 0,
            "none of its %zu rows passes the filters: check --where and the profile's filter",
            im->rows_read);
    if (code == ERR_OK)
        code = apply_all(im, &report, &recorded, e);
    json_t *made = code == ERR_OK ? report_json(im, &report, recorded) : NULL;
    json_decref(report.rows);
    if (code == ERR_OK && !made)
        return error_set(e, ERR_NO_MEMORY, "no memory for the report");
    if (code == ERR_OK)
        *ret_report = made;
    return code;
}

/* ---- the whole ---- */

static enum err split_where(struct import *im, struct error *e) {
    for (size_t i = 0; i < im->request.where_count; i++) {
        const char *text = im->request.where[i];
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

static enum err open_sheet(struct import *im, struct error *e) {
    const struct sheet_config config = {.name = im->request.file,
                                        .delimiter = im->profile->delimiter,
                                        .encoding = im->profile->encoding,
                                        .visit = im->profile->place_column ? import_place_row
                                                                           : import_row,
                                        .ctx = im};
    return sheet_open(&config, &im->sheet, e);
}

static enum err prepare(struct import *im, struct error *e) {
    const struct import_request *r = &im->request;
    enum err code = agent_need_joined(im->a, e);
    if (code == ERR_OK)
        code = profile_parse(r->profile, r->profile_file, &im->profile, e);
    if (code == ERR_OK && r->places && !im->profile->place_column)
        code = error_at(e, ERR_DATA, r->profile_file, 0, 0,
                        "found a profile of figures, expected one of places: name the column of "
                        "their codes as \"place\": {\"column\": \"NAME\"}");
    if (code == ERR_OK)
        code = import_past_check(im, e);
    if (code == ERR_OK)
        code = agent_zone(im->a, &im->zone, e);
    if (code == ERR_OK)
        code = records_load(im->a, &im->records, e);
    if (code == ERR_OK)
        code = split_where(im, e);
    if (code == ERR_OK)
        code = import_newest_init(
            &im->newest, im->profile->place_column ? &import_kind_place : &import_kind_line, e);
    return code != ERR_OK ? code : open_sheet(im, e);
}

enum err import_open(struct agent *a, const struct import_request *request, int64_t now_ms,
                     struct import **ret, struct error *e) {
    struct import *im = calloc(1, sizeof *im);
    if (!im)
        return error_set(e, ERR_NO_MEMORY, "no memory for an import");
    im->a = a;
    im->request = *request;
    im->now_ms = now_ms;
    enum err code = prepare(im, e);
    if (code != ERR_OK) {
        import_close(im);
        return code;
    }
    *ret = im;
    return ERR_OK;
}

void import_close(struct import *im) {
    if (!im)
        return;
    sheet_close(im->sheet);
    profile_free(im->profile);
    for (size_t i = 0; i < im->request.where_count; i++)
        free(im->where_text[i]);
    import_newest_done(&im->newest);
    free(im->points);
    records_done(&im->records);
    free(im);
    malloc_trim(0); /* thousands of candidates leave holes that a daemon would keep for months */
}

enum err import_feed(struct import *im, struct bytes piece, struct error *e) {
    return sheet_feed(im->sheet, piece, e);
}

size_t import_rows_read(const struct import *im) {
    return im->rows_read;
}

enum err import_run(struct agent *a, const struct import_request *request, struct bytes text,
                    int64_t now_ms, json_t **ret_report, struct error *e) {
    struct import *im = NULL;
    enum err code = import_open(a, request, now_ms, &im, e);
    if (code == ERR_OK)
        code = import_feed(im, text, e);
    if (code == ERR_OK)
        code = import_finish(im, ret_report, e);
    import_close(im);
    return code;
}
