/* Owns comparing what a table says with the records, storing what is newer, and the report.
 * Must not parse a table: import_rows.c does. */
#include "import.h"

#include <stdio.h>
#include <string.h>

#include "import_private.h"

enum action { ACTION_NEW, ACTION_CHANGED, ACTION_UNCHANGED, ACTION_OLDER, ACTION_COUNT };
static const char *const action_names[] = {"new", "changed", "unchanged", "older"};

/* ---- comparing ------------------------------------------------------------------------------- */

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

/* A file that does not say when it was counted cannot renew a figure by saying it again. */
static enum action decide(const struct importing *im, const struct line *old,
                          const struct line *new, const struct charter_service *service) {
    const struct capacity *was = &old->capacity, *is = &new->capacity;
    bool dated = import_dated(im);
    bool same = same_figure(was, is, service) && same_attributes(old, new);
    if (dated && is->observed_ms < was->observed_ms)
        return ACTION_OLDER;
    if (!dated)
        return same ? ACTION_UNCHANGED : ACTION_CHANGED;
    same = same && is->observed_ms == was->observed_ms && is->valid_until_ms == was->valid_until_ms;
    return same ? ACTION_UNCHANGED : ACTION_CHANGED;
}

/* ---- the report ------------------------------------------------------------------------------ */

static void put_change(json_t *changes, const char *key, const char *old, const char *new) {
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
        put_change(changes, key, records_figure_text(&old->capacity, service, key, was),
                   records_figure_text(&new->capacity, service, key, is));
    }
    for (size_t i = 0; i < service->attribute_count; i++) {
        const char *name = service->attributes[i].name;
        put_change(changes, name, attribute_value(old, name), attribute_value(new, name));
    }
    put_change(changes, "observed_at", time_or_empty(old->capacity.observed_ms, was),
               time_or_empty(new->capacity.observed_ms, is));
    put_change(changes, "valid_until", time_or_empty(old->capacity.valid_until_ms, was),
               time_or_empty(new->capacity.valid_until_ms, is));
    return changes;
}

static json_t *line_json(const struct importing *im, int row, const struct line *old,
                         const struct line *new, const struct charter_service *service,
                         enum action action) {
    const struct site *site = records_site(&im->records, new->site);
    bool moves = action == ACTION_NEW || action == ACTION_CHANGED;
    return json_pack("{s:i, s:s, s:s, s:o, s:s, s:o}", "row", row, "site", site ? site->name : "",
                     "service", new->service, "ward", records_text_json(new->ward), "action",
                     action_names[action], "changes",
                     moves ? changes_json(old, new, service) : json_array());
}

/* ---- storing --------------------------------------------------------------------------------- */

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

static enum err apply(struct importing *im, const struct candidate *c, json_t *rows,
                      size_t counts[static ACTION_COUNT], struct error *e) {
    const struct charter_service *service = charter_service(agent_charter(im->a), c->line.service);
    struct record record;
    bool found = false;
    enum err code =
        records_find_line(im->a, c->line.site, c->line.service, c->line.ward, &record, &found, e);
    if (code != ERR_OK)
        return code;
    const struct line old = record.line;
    code = overlay(&record.line, c, service, e);
    if (code != ERR_OK)
        return code;
    enum action action = found ? decide(im, &old, &record.line, service) : ACTION_NEW;
    counts[action]++;
    if (json_array_append_new(rows, line_json(im, c->row, &old, &record.line, service, action)) !=
        0)
        return error_set(e, ERR_NO_MEMORY, "no memory for the report");
    if (action != ACTION_NEW && action != ACTION_CHANGED)
        return ERR_OK;
    record.entered_ms = im->now_ms;
    snprintf(record.actor, sizeof record.actor, "%s", im->request->actor ? im->request->actor : "");
    return records_store(im->a, &record, e);
}

/* A dry run takes the very same way and is rolled back, so that it finds every fault the real one
 * would. */
static enum err apply_all(struct importing *im, json_t *rows, size_t counts[static ACTION_COUNT],
                          struct error *e) {
    struct db *db = agent_db(im->a);
    enum err code = db_begin(db, e);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < im->count && code == ERR_OK; i++)
        code = apply(im, &im->list[i], rows, counts, e);
    if (code == ERR_OK && !im->request->dry_run)
        return db_commit(db, e);
    db_rollback(db);
    return code;
}

static enum err report(struct importing *im, json_t **ret, struct error *e) {
    size_t counts[ACTION_COUNT] = {0};
    json_t *rows = json_array();
    if (!rows)
        return error_set(e, ERR_NO_MEMORY, "no memory for the report");
    enum err code = apply_all(im, rows, counts, e);
    if (code != ERR_OK) {
        json_decref(rows);
        return code;
    }
    json_t *made = json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "file", im->request->file, "dry_run",
        (int)im->request->dry_run, "rows_read", (json_int_t)im->rows_read, "rows_used",
        (json_int_t)im->rows_used, "superseded", (json_int_t)im->superseded, "new",
        (json_int_t)counts[ACTION_NEW], "changed", (json_int_t)counts[ACTION_CHANGED], "unchanged",
        (json_int_t)counts[ACTION_UNCHANGED], "older", (json_int_t)counts[ACTION_OLDER], "lines",
        rows);
    if (!made)
        return error_set(e, ERR_NO_MEMORY, "no memory for the report");
    *ret = made;
    return ERR_OK;
}

enum err import_run(struct agent *a, const struct import_request *request, int64_t now_ms,
                    json_t **ret_report, struct error *e) {
    struct importing im = {.a = a, .request = request, .now_ms = now_ms};
    struct profile *profile = NULL;
    if (request->text.len > IMPORT_MAX_FILE)
        return error_at(
            e, ERR_TOO_LARGE, request->file, 0, 0,
            "found %zu bytes, expected at most %d: split the file or leave out old rows",
            request->text.len, IMPORT_MAX_FILE);
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK)
        code = profile_parse(request->profile, request->profile_file, &profile, e);
    if (code != ERR_OK)
        return code;
    im.profile = profile;
    code = agent_zone(a, &im.zone, e);
    if (code == ERR_OK)
        code = records_load(a, &im.records, e);
    if (code == ERR_OK)
        code = import_read(&im, e);
    if (code == ERR_OK)
        code = report(&im, ret_report, e);
    import_done(&im);
    profile_free(profile);
    return code;
}
