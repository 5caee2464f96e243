/* Owns the rows of a table that are a line's past: every one of them goes into the log of own
 * figures, in the order of time. Must not decide what the newest is (import_rows.c), nor parse. */
#include <stdlib.h>

#include "array.h"
#include "import_private.h"
#include "past.h"
#include "store.h"

/* Only what the log keeps of a row: a table may have very many. */
struct import_point {
    size_t candidate;
    int row;
    int64_t observed_ms, valid_until_ms;
    struct amount total, occupied, free, held, blocked, need;
    enum status status;
};

enum err import_past_add(struct import *im, size_t candidate, const struct candidate *c,
                         struct error *e) {
    const struct capacity *f = &c->line.capacity;
    if (im->point_count == PAST_MAX_POINTS)
        return error_at(
            e, ERR_TOO_LARGE, im->request.file, c->seen.row, 0,
            "found more than %d rows, which is the longest history an agent keeps: leave out "
            "the oldest with --where, or split the file",
            PAST_MAX_POINTS);
    struct import_point *points =
        array_grow(im->points, im->point_count, &im->point_room, sizeof *points);
    if (!points)
        return error_set(e, ERR_NO_MEMORY, "no memory for more than %zu rows", im->point_count);
    im->points = points;
    im->points[im->point_count++] = (struct import_point){.candidate = candidate,
                                                          .row = c->seen.row,
                                                          .observed_ms = f->observed_ms,
                                                          .valid_until_ms = f->valid_until_ms,
                                                          .total = f->total,
                                                          .occupied = f->occupied,
                                                          .free = f->free,
                                                          .held = f->held,
                                                          .blocked = f->blocked,
                                                          .need = f->need,
                                                          .status = f->status};
    return ERR_OK;
}

static int compare_points(const void *left, const void *right) {
    const struct import_point *a = left, *b = right;
    if (a->candidate != b->candidate)
        return a->candidate < b->candidate ? -1 : 1;
    if (a->observed_ms != b->observed_ms)
        return a->observed_ms < b->observed_ms ? -1 : 1;
    return a->row - b->row;
}

static const struct line *line_of(const struct import *im, size_t candidate) {
    const struct candidate *list = im->newest.list;
    return &list[candidate].line;
}

static enum err check_twice(const struct import *im, const struct import_point *before,
                            const struct import_point *p, struct error *e) {
    const struct line *line = line_of(im, p->candidate);
    if (before->candidate != p->candidate || before->observed_ms != p->observed_ms)
        return ERR_OK;
    return error_at(
        e, ERR_DATA, im->request.file, p->row, 0,
        "found a second row for %.40s%s%.40s (the first is line %d), both of the same date: "
        "filter the rows with --where, or correct one",
        line->service, line->ward[0] ? " " : "", line->ward, before->row);
}

static enum err line_id(const struct import *im, size_t candidate, int64_t *ret, struct error *e) {
    const struct line *line = line_of(im, candidate);
    struct record record = {.id = 0};
    bool found = false;
    enum err code =
        records_find_line(im->a, line->site, line->service, line->ward, &record, &found, e);
    if (code == ERR_OK && !found)
        code = error_set(e, ERR_INTERNAL, "a line of the table was not stored");
    if (code == ERR_OK)
        *ret = record.id;
    return code;
}

static enum err put(const struct import *im, const struct import_point *p, int64_t line,
                    struct error *e) {
    const struct capacity c = {.total = p->total,
                               .occupied = p->occupied,
                               .free = p->free,
                               .held = p->held,
                               .blocked = p->blocked,
                               .need = p->need,
                               .status = p->status,
                               .observed_ms = p->observed_ms,
                               .valid_until_ms = p->valid_until_ms};
    return past_put(im->a, line, &c, im->now_ms, im->request.actor, NULL, e);
}

enum err import_past_store(struct import *im, struct error *e) {
    enum err code = ERR_OK;
    int64_t line = 0;
    if (im->point_count > 1)
        qsort(im->points, im->point_count, sizeof *im->points, compare_points);
    for (size_t i = 0; code == ERR_OK && i < im->point_count; i++) {
        const struct import_point *p = &im->points[i];
        if (i > 0)
            code = check_twice(im, p - 1, p, e);
        if (code == ERR_OK && (i == 0 || p[-1].candidate != p->candidate))
            code = line_id(im, p->candidate, &line, e);
        if (code == ERR_OK)
            code = put(im, p, line, e);
    }
    return code != ERR_OK ? code : past_prune(im->a, im->now_ms, e);
}

enum err import_past_last(struct import *im, int64_t *ret, struct error *e) {
    struct db_query q = db_query(agent_db(im->a), SQL_PAST_LAST);
    *ret = db_step(&q) ? db_column_int(&q, 0) : 0;
    return db_finish(&q, e);
}

enum err import_past_check(const struct import *im, struct error *e) {
    if (!im->request.history)
        return ERR_OK;
    if (im->request.observed)
        return error_set(
            e, ERR_USAGE,
            "found both --history and --observed: in a history every row has its own date");
    if (im->profile->place_column)
        return error_set(e, ERR_USAGE,
                         "found --history and a profile of places, expected one of figures: places "
                         "have no past");
    if (!im->profile->date_column)
        return error_set(e, ERR_USAGE,
                         "found --history and no date column: name it in the profile as \"date\"");
    return ERR_OK;
}
