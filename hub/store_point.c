/* Owns the store's verbs for history the hub could open: past figures, one row each.
 * Must not open or judge anything, nor sum up. */
#include "store_private.h"

enum err store_history_under(struct store *s, const struct store_held_key *key,
                             store_view_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_HISTORY_UNDER);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":author", key->author);
    store_bind_hash(&q, ":key_id", &key->key_id);
    db_bind_blob(&q, ":audience", bytes_of(key->audience, AUDIENCE_ID_LEN));
    while (visited == ERR_OK && db_step(&q))
        visited = visit(ctx, db_column_blob(&q, 0), db_column_blob(&q, 1), db_column_int(&q, 2), e);
    return db_finish_visit(&q, visited, e);
}

static void bind_entry(struct db_query *q, const struct store_history *h) {
    db_bind_int(q, ":author", h->author);
    db_bind_int(q, ":incarnation", (int64_t)h->incarnation);
    db_bind_int(q, ":seq", (int64_t)h->seq);
}

static enum err put_point(struct store *s, const struct store_history *h,
                          const struct history_series *series, const struct history_point *p,
                          struct error *e) {
    struct db_query q = store_query(s, SQL_POINT_PUT);
    bind_entry(&q, h);
    db_bind_blob(&q, ":audience", bytes_of(h->audience, AUDIENCE_ID_LEN));
    db_bind_int(&q, ":site", series->site);
    db_bind_text(&q, ":service", series->service);
    db_bind_text(&q, ":ward", series->ward);
    db_bind_int(&q, ":said", p->observed_ms);
    db_bind_int(&q, ":observed", p->observed_ms + h->shift_ms);
    db_bind_int(&q, ":valid_until", p->valid_until_ms + h->shift_ms);
    db_bind_int(&q, ":received", h->received_ms);
    db_bind_int(&q, ":precision", series->precision);
    db_bind_int(&q, ":step", series->step);
    db_bind_int(&q, ":status", p->status);
    store_bind_amount(&q, ":available", &p->available);
    store_bind_amount(&q, ":total", &p->total);
    store_bind_amount(&q, ":occupied", &p->occupied);
    store_bind_amount(&q, ":held", &p->held);
    store_bind_amount(&q, ":blocked", &p->blocked);
    store_bind_amount(&q, ":need", &p->need);
    db_bind_opt(&q, ":low", p->has_band, p->low);
    db_bind_opt(&q, ":high", p->has_band && p->high.known, p->high.value);
    db_bind_int(&q, ":light", p->light);
    return db_run_query(&q, e);
}

static enum err put_site(struct store *s, const struct store_history *h, const struct site *site,
                         struct error *e) {
    struct db_query q = store_query(s, SQL_POINT_SITE_PUT);
    bind_entry(&q, h);
    db_bind_int(&q, ":site", site->id);
    db_bind_text(&q, ":name", site->name);
    db_bind_text(&q, ":region", site->region);
    return db_run_query(&q, e);
}

static enum err put_since(struct store *s, const struct store_history *h,
                          const struct history_series *series, struct error *e) {
    const struct history_point *first = &h->history->points[series->first];
    const struct store_line line = {.author = h->author,
                                    .audience = h->audience,
                                    .site = series->site,
                                    .service = series->service,
                                    .ward = series->ward,
                                    .since_ms = first->observed_ms + h->shift_ms,
                                    .last_ms = first[series->count - 1].observed_ms + h->shift_ms};
    return store_put_line(s, &line, e);
}

enum err store_put_history(struct store *s, const struct store_history *h, struct error *e) {
    const struct history *history = h->history;
    enum err err = ERR_OK;
    for (size_t i = 0; i < history->site_count && err == ERR_OK; i++)
        err = put_site(s, h, &history->sites[i], e);
    for (size_t i = 0; i < history->series_count && err == ERR_OK; i++) {
        const struct history_series *series = &history->series[i];
        for (size_t k = series->first; k < series->first + series->count && err == ERR_OK; k++)
            err = put_point(s, h, series, &history->points[k], e);
        if (err == ERR_OK)
            err = put_since(s, h, series, e);
    }
    return err;
}

enum err store_drop_history(struct store *s, int64_t author,
                            const uint8_t audience[static AUDIENCE_ID_LEN], struct error *e) {
    static const enum store_sql drops[] = {SQL_POINTS_WITHDRAW, SQL_LINE_SINCE_WITHDRAW};
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof drops / sizeof drops[0] && err == ERR_OK; i++) {
        struct db_query q = store_query(s, drops[i]);
        db_bind_int(&q, ":author", author);
        db_bind_blob(&q, ":audience", bytes_of(audience, AUDIENCE_ID_LEN));
        err = db_run_query(&q, e);
    }
    return err;
}

/* Columns of POINTS. */
static void read_point(struct db_query *q, struct store_point *ret) {
    struct history_point *p = &ret->figure;
    *ret = (struct store_point){.author = db_column_int(q, 0),
                                .site = (uint32_t)db_column_int(q, 1),
                                .site_name = db_column_text(q, 2),
                                .region = db_column_text(q, 3),
                                .service = db_column_text(q, 4),
                                .ward = db_column_text(q, 5),
                                .precision = (enum precision_kind)db_column_int(q, 8),
                                .step = db_column_int(q, 9),
                                .seq = (uint64_t)db_column_int(q, 20),
                                .mark = !db_column_null(q, 21),
                                .last_ms = db_column_int(q, 21)};
    p->observed_ms = db_column_int(q, 6);
    p->valid_until_ms = db_column_int(q, 7);
    p->status = (enum status)db_column_int(q, 10);
    p->available = store_amount(q, 11);
    p->total = store_amount(q, 12);
    p->occupied = store_amount(q, 13);
    p->held = store_amount(q, 14);
    p->blocked = store_amount(q, 15);
    p->need = store_amount(q, 16);
    struct amount low = store_amount(q, 17);
    p->has_band = low.known;
    p->low = low.value;
    p->high = store_amount(q, 18);
    p->light = (enum light)db_column_int(q, 19);
}

enum err store_points(struct store *s, const char *service, int64_t before_ms,
                      store_point_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_POINTS);
    enum err visited = ERR_OK;
    db_bind_text(&q, ":service", service);
    db_bind_int(&q, ":before", before_ms);
    while (visited == ERR_OK && db_step(&q)) {
        struct store_point p;
        read_point(&q, &p);
        visited = visit(ctx, &p, e);
    }
    return db_finish_visit(&q, visited, e);
}

enum err store_retirable(struct store *s, int64_t before_ms, int64_t now_ms, size_t limit,
                         struct store_retiree *rows, size_t *ret_count, struct error *e) {
    struct db_query q = store_query(s, SQL_POINTS_RETIRABLE);
    size_t count = 0;
    db_bind_int(&q, ":before", before_ms);
    db_bind_int(&q, ":now", now_ms);
    db_bind_int(&q, ":limit", (int64_t)limit);
    while (count < limit && db_step(&q))
        rows[count++] = (struct store_retiree){db_column_int(&q, 0), db_column_int(&q, 1),
                                               db_column_int(&q, 2)};
    enum err err = db_finish(&q, e);
    if (err == ERR_OK)
        *ret_count = count;
    return err;
}

enum err store_drop_point(struct store *s, int64_t id, struct error *e) {
    struct db_query q = store_query(s, SQL_POINT_DROP);
    db_bind_int(&q, ":id", id);
    return db_run_query(&q, e);
}
