/* Owns importing places: rows into one candidate a place, and storing them below their lines.
 * Must not derive a line's counts: place.c does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_private.h"

/* ---- a row ---- */

/* The table's word for a state, or ours. */
static const char *state_of(const struct import *im, const char *cell) {
    const char *known = json_string_value(json_object_get(im->profile->states, cell));
    return known ? known : cell;
}

static enum err read_values(struct import *im, const struct sheet_row *row, struct place *p,
                            struct error *e) {
    for (size_t i = 0; i < im->profile->place_count; i++) {
        const struct profile_map *map = &im->profile->places[i];
        int column = im->columns.places[i];
        const char *cell = import_cell(im, row, column);
        char plain[IMPORT_PLAIN_SIZE];
        struct error why = {0};
        if (strcmp(map->key, "state") == 0)
            cell = state_of(im, cell);
        else if (strcmp(map->key, "until") == 0)
            cell = import_plain_time(im, cell, plain);
        if (place_set_value(p, im->zone, map->key, cell, &why) != ERR_OK)
            return import_at(im, row, column, map->from.column, &why, e);
    }
    return ERR_OK;
}

static enum err read_date(struct import *im, const struct sheet_row *row, int64_t *ret,
                          struct error *e) {
    struct error why = {0};
    *ret = im->request.counted_ms != 0 ? im->request.counted_ms : im->now_ms;
    enum err code = ERR_OK;
    if (im->columns.date >= 0)
        code = import_date(im, import_cell(im, row, im->columns.date), ret, &why);
    if (code == ERR_OK && im->request.observed)
        code = zone_parse_time(im->zone, im->request.observed, ret, &why);
    if (code == ERR_OK)
        code = records_check_observed(*ret, im->now_ms, &why);
    if (code == ERR_OK)
        return ERR_OK;
    int column = im->request.observed ? -1 : im->columns.date;
    return import_at(im, row, column, im->profile->date_column, &why, e);
}

static enum err read_row(struct import *im, const struct sheet_row *row,
                         struct place_candidate *ret, struct error *e) {
    const struct charter_service *service = NULL;
    struct line line = {0};
    struct error why = {0};
    const char *code_text = import_cell(im, row, im->columns.place);
    ret->seen.row = row->line;
    enum err code = import_read_line(im, row, &service, &line, e);
    if (code != ERR_OK)
        return code;
    if (places_allowed(service, &why) != ERR_OK)
        return import_at(im, row, -1, NULL, &why, e);
    if (place_check_code(code_text, &why) != ERR_OK)
        return import_at(im, row, im->columns.place, im->profile->place_column, &why, e);
    ret->site = line.site;
    memcpy(ret->service, line.service, sizeof ret->service);
    memcpy(ret->ward, line.ward, sizeof ret->ward);
    memcpy(ret->place.code, code_text, strlen(code_text) + 1);
    code = read_values(im, row, &ret->place, e);
    return code != ERR_OK ? code : read_date(im, row, &ret->seen.date_ms, e);
}

/* ---- the candidate ---- */

static bool same_line(const struct place_candidate *x, const struct place_candidate *y) {
    return x->site == y->site && strcmp(x->service, y->service) == 0 &&
           strcmp(x->ward, y->ward) == 0;
}

static uint32_t hash_place(const void *candidate) {
    const struct place_candidate *c = candidate;
    uint32_t h = import_hash(import_hash(IMPORT_HASH_START ^ c->site, c->service), c->ward);
    return import_hash(h, c->place.code);
}

static bool same_key(const void *left, const void *right) {
    const struct place_candidate *x = left, *y = right;
    return same_line(x, y) && strcmp(x->place.code, y->place.code) == 0;
}

#define PLACE_SLOTS 65536
_Static_assert(PLACE_SLOTS >= 2 * PLACE_MAX, "a full table finds no free slot");
const struct import_kind import_kind_place = {
    .what = "places",
    .size = sizeof(struct place_candidate),
    .max = PLACE_MAX,
    .slots = PLACE_SLOTS,
    .hash = hash_place,
    .same = same_key,
};

enum err import_place_row(void *ctx, const struct sheet_row *row, struct error *e) {
    struct import *im = ctx;
    if (row->header)
        return import_read_header(im, row, e);
    if (!import_takes(im, row))
        return ERR_OK;
    struct place_candidate c = {0};
    size_t index;
    enum err code = read_row(im, row, &c, e);
    return code != ERR_OK ? code : import_newest_keep(im, &c.seen, &index, e);
}

/* ---- storing ---- */

static int by_line(const void *x, const void *y) {
    const struct place_candidate *a = x, *b = y;
    int order = a->site < b->site ? -1 : a->site > b->site;
    order = order ? order : strcmp(a->service, b->service);
    order = order ? order : strcmp(a->ward, b->ward);
    return order ? order : strcmp(a->place.code, b->place.code);
}

static json_t *place_changes(const struct place *old, const struct place *new) {
    char was[TEXT_TIME_SIZE], is[TEXT_TIME_SIZE];
    json_t *changes = json_array();
    import_put_change(changes, "state", old->code[0] ? place_state_name(old->state) : "",
                      new->code[0] ? place_state_name(new->state) : "");
    import_put_change(changes, "reason", old->reason, new->reason);
    import_put_change(changes, "until", old->until_ms ? text_time(old->until_ms, was) : "",
                      new->until_ms ? text_time(new->until_ms, is) : "");
    import_put_change(changes, "note", old->note, new->note);
    return changes;
}

static enum err tell(struct import *im, struct import_report *report,
                     const struct place_candidate *of, const struct place *old,
                     const struct place *new, enum import_action action, struct error *e) {
    static const struct place nothing = {.state = PLACE_FREE};
    bool moves = action == IMPORT_NEW || action == IMPORT_CHANGED || action == IMPORT_REMOVED;
    const char *code = new ? new->code : old->code;
    report->counts[action]++;
    json_t *row = json_pack(
        "{s:i, s:s, s:s, s:o, s:s, s:s, s:o}", "row", action == IMPORT_REMOVED ? 0 : of->seen.row,
        "site", import_site_name(im, of->site), "service", of->service, "ward",
        records_text_json(of->ward), "place", code, "action", import_action_name(action), "changes",
        moves ? place_changes(old ? old : &nothing, new ? new : &nothing) : json_array());
    return json_array_append_new(report->rows, row) == 0
               ? ERR_OK
               : error_set(e, ERR_NO_MEMORY, "no memory for the report");
}

static bool same_place(const struct place *x, const struct place *y) {
    return x->state == y->state && strcmp(x->reason, y->reason) == 0 &&
           x->until_ms == y->until_ms && strcmp(x->note, y->note) == 0;
}

static enum err apply_one(struct import *im, const struct place_candidate *c, int64_t line,
                          struct import_report *report, struct error *e) {
    struct place old = {0}, new = c->place;
    bool found = false;
    enum err code = places_find(im->a, line, c->place.code, &old, &found, e);
    if (code != ERR_OK)
        return code;
    new.changed_ms = c->seen.date_ms;
    snprintf(new.actor, sizeof new.actor, "%s", im->request.actor ? im->request.actor : "");
    enum import_action action = IMPORT_NEW;
    if (found && same_place(&old, &new))
        action = IMPORT_UNCHANGED;
    else if (found)
        action = c->seen.date_ms < old.changed_ms ? IMPORT_OLDER : IMPORT_CHANGED;
    code = tell(im, report, c, found ? &old : NULL, &new, action, e);
    if (code != ERR_OK || action == IMPORT_UNCHANGED || action == IMPORT_OLDER)
        return code;
    return places_put(im->a, line, &new, e);
}

static bool names(const struct place_candidate *list, size_t count, const char *code) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].place.code, code) == 0)
            return true;
    }
    return false;
}

/* A complete table names all places of the lines it names: others are gone. */
static enum err remove_others(struct import *im, const struct place_candidate *list, size_t count,
                              int64_t line, struct import_report *report, struct error *e) {
    struct place *held = NULL;
    size_t held_count = 0;
    enum err code = places_of(im->a, line, &held, &held_count, e);
    for (size_t i = 0; i < held_count && code == ERR_OK; i++) {
        if (names(list, count, held[i].code))
            continue;
        code = tell(im, report, list, &held[i], NULL, IMPORT_REMOVED, e);
        if (code == ERR_OK)
            code = places_remove(im->a, line, held[i].code, e);
    }
    free(held);
    return code;
}

static size_t moved(const struct import_report *report) {
    return report->counts[IMPORT_NEW] + report->counts[IMPORT_CHANGED] +
           report->counts[IMPORT_REMOVED];
}

/* All candidates of one line, and then the counts that follow. */
static enum err apply_line(struct import *im, const struct place_candidate *list, size_t count,
                           struct import_report *report, struct error *e) {
    struct record record;
    bool found = false;
    size_t before = moved(report);
    const char *actor = im->request.actor;
    int64_t counted_ms = 0;
    for (size_t i = 0; i < count; i++)
        counted_ms = list[i].seen.date_ms > counted_ms ? list[i].seen.date_ms : counted_ms;
    enum err code =
        records_find_line(im->a, list->site, list->service, list->ward, &record, &found, e);
    if (code == ERR_OK && !found)
        code = places_restate(im->a, &record, counted_ms, actor, e);
    for (size_t i = 0; i < count && code == ERR_OK; i++)
        code = apply_one(im, &list[i], record.id, report, e);
    if (code == ERR_OK && im->profile->complete)
        code = remove_others(im, list, count, record.id, report, e);
    if (code != ERR_OK || moved(report) == before)
        return code;
    return places_restate(im->a, &record, counted_ms, actor, e);
}

enum err import_apply_places(struct import *im, struct import_report *report, struct error *e) {
    struct place_candidate *list = im->newest.list;
    size_t total = im->newest.count;
    enum err code = ERR_OK;
    for (size_t i = 0; i < total && code == ERR_OK; i++) {
        const struct place_candidate *c = &list[i];
        char of[160];
        snprintf(of, sizeof of, "place %.40s", c->place.code);
        if (c->seen.same_date != 0)
            code = import_two_rows(im, of, c->seen.row, c->seen.same_date, e);
    }
    if (total > 0)
        qsort(list, total, sizeof *list, by_line);
    for (size_t i = 0, end = 0; i < total && code == ERR_OK; i = end) {
        for (end = i + 1; end < total && same_line(&list[i], &list[end]); end++)
            ;
        code = apply_line(im, &list[i], end - i, report, e);
    }
    return code;
}
