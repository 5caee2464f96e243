/* Owns the past as one audience sees it (see history.h): its figures, bytes and clock.
 * Must not know keys or a store. */
#include "history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "snapshot_private.h"

#define MS_PER_SECOND INT64_C(1000)
#define COARSE_MS (INT64_C(15) * 60 * MS_PER_SECOND)

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for a history");
}

static enum err malformed(struct error *e, const char *what) {
    return error_set(e, ERR_MALFORMED, "history: %s", what);
}

/* ---- figures ---- */

int64_t history_grain_ms(const struct precision *p) {
    return p->kind == PRECISION_EXACT ? MS_PER_SECOND : COARSE_MS;
}

struct history_point history_point_of(const struct disclosed *d) {
    return (struct history_point){.available = d->available,
                                  .total = d->total,
                                  .occupied = d->occupied,
                                  .held = d->held,
                                  .blocked = d->blocked,
                                  .need = d->need,
                                  .status = d->status,
                                  .has_band = d->has_band,
                                  .low = d->low,
                                  .high = d->high,
                                  .light = d->light,
                                  .observed_ms = d->observed_ms,
                                  .valid_until_ms = d->valid_until_ms};
}

bool history_disclose(const struct precision *p, const struct capacity *c,
                      const struct charter_service *service, struct history_point *ret) {
    struct disclosed d;
    precision_apply(p, c, service, &d);
    d.observed_ms -= d.observed_ms % MS_PER_SECOND;
    d.valid_until_ms -= d.valid_until_ms % MS_PER_SECOND;
    if (d.observed_ms <= 0)
        return false;
    *ret = history_point_of(&d);
    return true;
}

const struct site *history_site(const struct history *h, uint32_t id) {
    for (size_t i = 0; i < h->site_count; i++)
        if (h->sites[i].id == id)
            return &h->sites[i];
    return NULL;
}

void history_free(struct history *h) {
    if (h == NULL)
        return;
    free(h->sites);
    free(h->series);
    free(h->points);
    free(h);
}

static int compare_series(const struct history_series *a, const struct history_series *b) {
    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    int order = strcmp(a->service, b->service);
    return order != 0 ? order : strcmp(a->ward, b->ward);
}

/* ---- writing ---- */

/* The message and the memory its pointers lead to. */
struct draft {
    Plek__History message;
    Plek__SiteCard *sites, **site_pointers;
    Plek__Series *series, **series_pointers;
    Plek__Point *points, **point_pointers;
};

static void draft_done(struct draft *d) {
    free(d->sites);
    free(d->site_pointers);
    free(d->series);
    free(d->series_pointers);
    free(d->points);
    free(d->point_pointers);
}

static enum err draft_init(struct draft *d, const struct history *h, struct error *e) {
    *d = (struct draft){.message = PLEK__HISTORY__INIT};
    d->sites = calloc(h->site_count + 1, sizeof *d->sites);
    d->site_pointers = calloc(h->site_count + 1, sizeof *d->site_pointers);
    d->series = calloc(h->series_count + 1, sizeof *d->series);
    d->series_pointers = calloc(h->series_count + 1, sizeof *d->series_pointers);
    d->points = calloc(h->point_count + 1, sizeof *d->points);
    d->point_pointers = calloc(h->point_count + 1, sizeof *d->point_pointers);
    if (d->sites && d->site_pointers && d->series && d->series_pointers && d->points &&
        d->point_pointers)
        return ERR_OK;
    draft_done(d);
    return no_memory(e);
}

static void put_amount(const struct amount *from, protobuf_c_boolean *has, int64_t *value) {
    *has = from->known;
    *value = from->known ? from->value : 0;
}

static void put_point(const struct history_point *from, int64_t before_s, Plek__Point *to) {
    plek__point__init(to);
    to->observed_s = from->observed_ms / MS_PER_SECOND - before_s;
    to->has_valid_s = 1;
    to->valid_s = (from->valid_until_ms - from->observed_ms) / MS_PER_SECOND;
    to->has_status = from->status != STATUS_UNKNOWN;
    to->status = (uint32_t)from->status;
    put_amount(&from->available, &to->has_available, &to->available);
    put_amount(&from->total, &to->has_total, &to->total);
    put_amount(&from->occupied, &to->has_occupied, &to->occupied);
    put_amount(&from->held, &to->has_held, &to->held);
    put_amount(&from->blocked, &to->has_blocked, &to->blocked);
    put_amount(&from->need, &to->has_need, &to->need);
    to->has_low = from->has_band;
    to->low = from->has_band ? from->low : 0;
    if (from->has_band)
        put_amount(&from->high, &to->has_high, &to->high);
    to->has_light = from->light != LIGHT_UNKNOWN;
    to->light = (uint32_t)from->light;
}

static void put_series(struct draft *d, const struct history *h, size_t i, int64_t base_s) {
    const struct history_series *from = &h->series[i];
    Plek__Series *to = &d->series[i];
    int64_t before_s = base_s;
    plek__series__init(to);
    to->site = from->site;
    to->service = (char *)(uintptr_t)from->service; /* not written to */
    to->ward = from->ward[0] ? (char *)(uintptr_t)from->ward : NULL;
    to->precision = (uint32_t)from->precision;
    to->has_step = from->precision == PRECISION_ROUNDED;
    to->step = to->has_step ? (uint32_t)from->step : 0;
    to->n_points = from->count;
    to->points = &d->point_pointers[from->first];
    for (size_t k = from->first; k < from->first + from->count; k++) {
        put_point(&h->points[k], before_s, &d->points[k]);
        d->point_pointers[k] = &d->points[k];
        before_s = h->points[k].observed_ms / MS_PER_SECOND;
    }
    d->series_pointers[i] = to;
}

/* The oldest time: every series begins at it or a little later. */
static int64_t oldest_s(const struct history *h) {
    int64_t oldest_ms = h->point_count > 0 ? h->points[0].observed_ms : 0;
    for (size_t i = 0; i < h->point_count; i++)
        if (h->points[i].observed_ms < oldest_ms)
            oldest_ms = h->points[i].observed_ms;
    return oldest_ms / MS_PER_SECOND;
}

static void fill_draft(struct draft *d, const struct history *h) {
    Plek__History *m = &d->message;
    m->counter = h->counter;
    m->base_s = oldest_s(h);
    for (size_t i = 0; i < h->site_count; i++) {
        snapshot_put_site(&h->sites[i], &d->sites[i]);
        d->site_pointers[i] = &d->sites[i];
    }
    for (size_t i = 0; i < h->series_count; i++) {
        assert(i == 0 || compare_series(&h->series[i - 1], &h->series[i]) < 0);
        put_series(d, h, i, m->base_s);
    }
    m->n_sites = h->site_count;
    m->sites = d->site_pointers;
    m->n_series = h->series_count;
    m->series = d->series_pointers;
}

enum err history_encode(const struct history *h, struct buf *out, struct error *e) {
    struct draft d;
    enum err code = draft_init(&d, h, e);
    if (code != ERR_OK)
        return code;
    fill_draft(&d, h);
    size_t size = protobuf_c_message_get_packed_size(&d.message.base);
    if (size > VIEW_MAX_BYTES)
        code = error_set(e, ERR_CAP, "found a history of %zu bytes, expected at most %d", size,
                         VIEW_MAX_BYTES);
    if (code == ERR_OK) {
        codec_encode(&d.message, out);
        code = buf_failed(out, e);
    }
    draft_done(&d);
    return code;
}

/* ---- reading ---- */

/* A point says its values in the words of a line: the same rules read them. */
static Plek__Line values_of(const Plek__Point *p) {
    Plek__Line l = PLEK__LINE__INIT;
    l.has_status = p->has_status;
    l.status = p->status;
    l.has_available = p->has_available;
    l.available = p->available;
    l.has_total = p->has_total;
    l.total = p->total;
    l.has_occupied = p->has_occupied;
    l.occupied = p->occupied;
    l.has_held = p->has_held;
    l.held = p->held;
    l.has_blocked = p->has_blocked;
    l.blocked = p->blocked;
    l.has_need = p->has_need;
    l.need = p->need;
    l.has_low = p->has_low;
    l.low = p->low;
    l.has_high = p->has_high;
    l.high = p->high;
    l.has_light = p->has_light;
    l.light = p->light;
    return l;
}

static enum err read_point(const Plek__Point *p, enum precision_kind precision, bool first,
                           int64_t *before_s, struct history_point *ret, struct error *e) {
    int64_t observed_s = 0;
    struct disclosed d = {.observed_ms = 0};
    Plek__Line values = values_of(p);
    if (!first && p->observed_s <= 0)
        return malformed(e, "found points out of order or twice");
    if (__builtin_add_overflow(*before_s, p->observed_s, &observed_s) || observed_s <= 0 ||
        observed_s > TIME_MAX_S)
        return malformed(e, "found a time outside the years 1970 to 9999");
    if (!p->has_valid_s || p->valid_s < 0 || p->valid_s > VALIDITY_MAX_S ||
        p->valid_s > TIME_MAX_S - observed_s)
        return malformed(e, "found a point without a validity of 0 seconds to ten years");
    enum err code = snapshot_take_values(&values, precision, &d, e);
    if (code != ERR_OK)
        return code;
    d.observed_ms = observed_s * MS_PER_SECOND;
    d.valid_until_ms = (observed_s + p->valid_s) * MS_PER_SECOND;
    *ret = history_point_of(&d);
    *before_s = observed_s;
    return ERR_OK;
}

static enum err read_series(const Plek__History *m, size_t i, struct history *h, struct error *e) {
    const Plek__Series *s = m->series[i];
    struct history_series *ret = &h->series[i];
    int64_t before_s = m->base_s;
    if (!charter_code_valid(s->service))
        return malformed(e, "found a service that is not a code");
    if (!history_site(h, s->site))
        return error_set(e, ERR_MALFORMED, "history: found a series of site %u without its card",
                         s->site);
    if (s->n_points == 0)
        return malformed(e, "found a series without a point");
    enum err code = snapshot_check_precision(s->precision, s->has_step, s->step, e);
    if (code == ERR_OK)
        code = snapshot_take_ward(s->ward, ret->ward, e);
    if (code != ERR_OK)
        return code;
    ret->site = s->site;
    memcpy(ret->service, s->service, strlen(s->service) + 1);
    ret->precision = (enum precision_kind)s->precision;
    ret->step = s->has_step ? s->step : 0;
    ret->first = h->point_count;
    ret->count = s->n_points;
    if (i > 0 && compare_series(&h->series[i - 1], ret) >= 0)
        return malformed(e, "found series out of order or twice, expected site, service, ward");
    for (size_t k = 0; code == ERR_OK && k < s->n_points; k++)
        code = read_point(s->points[k], ret->precision, k == 0, &before_s,
                          &h->points[h->point_count++], e);
    return code;
}

static enum err read_all(const Plek__History *m, struct history *h, struct error *e) {
    enum err code = ERR_OK;
    h->counter = m->counter;
    for (size_t i = 0; code == ERR_OK && i < m->n_sites; i++) {
        code = snapshot_take_site(m->sites[i], &h->sites[i], e);
        if (code == ERR_OK && i > 0 && h->sites[i - 1].id >= h->sites[i].id)
            code = malformed(e, "found sites out of order or twice");
        h->site_count = i + 1;
    }
    for (size_t i = 0; code == ERR_OK && i < m->n_series; i++) {
        code = read_series(m, i, h, e);
        h->series_count = i + 1;
    }
    return code;
}

static enum err check_frame(const Plek__History *m, size_t *ret_points, struct error *e) {
    size_t points = 0;
    if (m->counter == 0)
        return malformed(e, "found counter 0, expected 1 or more");
    if (m->base_s < 0 || m->base_s > TIME_MAX_S)
        return malformed(e, "found a base outside the years 1970 to 9999");
    for (size_t i = 0; i < m->n_series; i++)
        points += m->series[i]->n_points;
    if (points > HISTORY_MAX_POINTS || m->n_series > HISTORY_MAX_POINTS ||
        m->n_sites > SNAPSHOT_MAX_SITES)
        return error_set(e, ERR_CAP,
                         "history: found %zu points, %zu series, %zu sites, expected at most %d, "
                         "%d, %d",
                         points, m->n_series, m->n_sites, HISTORY_MAX_POINTS, HISTORY_MAX_POINTS,
                         SNAPSHOT_MAX_SITES);
    *ret_points = points;
    return ERR_OK;
}

static enum err make(const Plek__History *m, struct history **ret, struct error *e) {
    size_t points = 0;
    enum err code = check_frame(m, &points, e);
    if (code != ERR_OK)
        return code;
    struct history *made = calloc(1, sizeof *made);
    if (made == NULL)
        return no_memory(e);
    made->sites = calloc(m->n_sites + 1, sizeof *made->sites);
    made->series = calloc(m->n_series + 1, sizeof *made->series);
    made->points = calloc(points + 1, sizeof *made->points);
    code = made->sites && made->series && made->points ? read_all(m, made, e) : no_memory(e);
    if (code != ERR_OK) {
        history_free(made);
        return code;
    }
    *ret = made;
    return ERR_OK;
}

enum err history_decode(struct bytes plain, struct history **ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err code = codec_decode_view(&plek__history__descriptor, plain, VIEW_MAX_BYTES, "history",
                                      &message, e);
    if (code != ERR_OK)
        return code;
    code = make((const Plek__History *)message, ret, e);
    codec_free(message);
    return code;
}

/* ---- the clock ---- */

/* Below exact, observed went down and valid up to a quarter of an hour, each by less than one. */
static int64_t allowed_ms(const struct history_series *s, int64_t longest_ms) {
    if (s->precision == PRECISION_EXACT)
        return longest_ms;
    return (longest_ms + COARSE_MS - 1) / COARSE_MS * COARSE_MS + COARSE_MS;
}

static enum err check_point(const struct history_point *p, const struct history_series *s,
                            int64_t shift_ms, int64_t longest_ms, struct error *e) {
    if (p->valid_until_ms - p->observed_ms > allowed_ms(s, longest_ms)) {
        char found[TEXT_TIME_SIZE], longest[TEXT_TIME_SIZE];
        return error_set(e, ERR_VALIDITY,
                         "found a validity of %s for service '%s' of site %u, expected at most %s",
                         text_duration(p->valid_until_ms - p->observed_ms, found), s->service,
                         s->site, text_duration(allowed_ms(s, longest_ms), longest));
    }
    if (p->observed_ms <= -shift_ms)
        return error_set(e, ERR_VALIDITY,
                         "found a point of service '%s' of site %u from before 1970, once its "
                         "sender's clock is corrected",
                         s->service, s->site);
    return ERR_OK;
}

enum err history_check_clock(const struct history *h, int64_t shift_ms, int64_t longest_validity_ms,
                             struct error *e) {
    assert(shift_ms <= 0 && shift_ms > INT64_MIN);
    for (size_t i = 0; i < h->series_count; i++) {
        const struct history_series *s = &h->series[i];
        for (size_t k = s->first; k < s->first + s->count; k++) {
            enum err code = check_point(&h->points[k], s, shift_ms, longest_validity_ms, e);
            if (code != ERR_OK)
                return code;
        }
    }
    return ERR_OK;
}
