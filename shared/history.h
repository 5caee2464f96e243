/* Owns the past as one audience sees it: series of points of an agent's lines, their bytes, and
 * reading them back. Source: docs/protocol.md, "History". Pure; must not know keys or a store. */
#ifndef PLEK_HISTORY_H
#define PLEK_HISTORY_H

#include "snapshot.h"

#define HISTORY_MAX_POINTS 4096 /* a view; more of them go in several */

/* One past figure, at some precision. What only concerns the present is not in it. */
struct history_point {
    struct amount available, total, occupied, held, blocked, need;
    enum status status;
    bool has_band;
    int64_t low;
    struct amount high;
    enum light light;
    int64_t observed_ms, valid_until_ms; /* whole seconds */
};
struct history_series {
    uint32_t site;
    char service[CODE_MAX + 1];
    char ward[WARD_MAX + 1];
    enum precision_kind precision;
    int64_t step;        /* of rounded */
    size_t first, count; /* in `points`, ascending by time, each time once */
};
/* The plaintext of one view. */
struct history {
    uint64_t counter;
    struct site *sites; /* ascending; those that have a series here */
    size_t site_count;
    struct history_series *series; /* ascending by site, service, ward */
    size_t series_count;
    struct history_point *points; /* series after series */
    size_t point_count;
};

/* The width of the times a precision tells: of several figures in one such span the last counts. */
int64_t history_grain_ms(const struct precision *p);
/* What is disclosed of a line, as a figure of history: what only concerns the present goes. */
struct history_point history_point_of(const struct disclosed *d);
/* What the audience is told of a past figure. False: nothing can be (it lies before any time that
 * can be said), *ret is untouched. */
bool history_disclose(const struct precision *p, const struct capacity *c,
                      const struct charter_service *service, struct history_point *ret);
/* Appends at most VIEW_MAX_BYTES (ERR_CAP): one encoding for one content. Points, series and sites
 * stand in the order above (assert). ERR_NO_MEMORY. */
enum err history_encode(const struct history *h, struct buf *out, struct error *e) MUST_USE;
/* Lenient about unknown fields, strict about everything else, and whole or not at all.
 * ERR_MALFORMED, ERR_CAP, ERR_NO_MEMORY. Free with history_free. */
enum err history_decode(struct bytes plain, struct history **ret, struct error *e) MUST_USE;
/* The reader's rule on times, as snapshot_apply_clock's, for every point; but nothing is moved: a
 * point is known by the time its sender says, the shift is kept beside it. ERR_VALIDITY. */
enum err history_check_clock(const struct history *h, int64_t shift_ms, int64_t longest_validity_ms,
                             struct error *e) MUST_USE;
void history_free(struct history *h);                                  /* accepts NULL */
const struct site *history_site(const struct history *h, uint32_t id); /* NULL: not there */

#endif
