/* Owns the store's verbs for the aggregate over time: since when lines are known, and the sums of
 * days that are final. Must not sum up anything. */
#include "store_private.h"

/* ---- lines ---- */

enum err store_put_line(struct store *s, const struct store_line *line, struct error *e) {
    struct db_query q = store_query(s, SQL_LINE_SINCE_PUT);
    db_bind_int(&q, ":author", line->author);
    db_bind_int(&q, ":site", line->site);
    db_bind_text(&q, ":service", line->service);
    db_bind_text(&q, ":ward", line->ward);
    db_bind_blob(&q, ":audience", bytes_of(line->audience, AUDIENCE_ID_LEN));
    db_bind_int(&q, ":since", line->since_ms);
    db_bind_int(&q, ":last", line->last_ms);
    return db_run_query(&q, e);
}

enum err store_authors_since(struct store *s, store_since_visit *visit, void *ctx,
                             struct error *e) {
    struct db_query q = store_query(s, SQL_AUTHOR_SINCE);
    enum err visited = ERR_OK;
    while (visited == ERR_OK && db_step(&q))
        visited = visit(ctx, db_column_int(&q, 0), db_column_int(&q, 1), e);
    return db_finish_visit(&q, visited, e);
}

enum err store_network_time(struct store *s, enum store_sql sql, int64_t *ret_ms, struct error *e) {
    struct db_query q = store_query(s, sql);
    db_bind_int(&q, ":network", s->network);
    int64_t ms = db_step(&q) ? db_column_int(&q, 0) : 0;
    enum err err = db_finish(&q, e);
    if (err == ERR_OK)
        *ret_ms = ms;
    return err;
}

enum err store_network_since(struct store *s, int64_t *ret_ms, struct error *e) {
    return store_network_time(s, SQL_NETWORK_SINCE, ret_ms, e);
}

enum err store_regions(struct store *s, store_region_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_POINT_REGIONS);
    enum err visited = ERR_OK;
    while (visited == ERR_OK && db_step(&q))
        visited = visit(ctx, db_column_text(&q, 0), e);
    return db_finish_visit(&q, visited, e);
}

/* ---- final sums ---- */

enum err store_put_final(struct store *s, const struct store_final *f, struct error *e) {
    struct db_query q = store_query(s, SQL_FINAL_PUT);
    db_bind_int(&q, ":network", s->network);
    db_bind_int(&q, ":day", f->day);
    db_bind_text(&q, ":service", f->service);
    db_bind_text(&q, ":region", f->region);
    db_bind_int(&q, ":decimals", f->decimals);
    store_bind_amount(&q, ":low", &f->cell.low);
    store_bind_amount(&q, ":high", &f->cell.high);
    db_bind_int(&q, ":open_ended", f->cell.open_ended);
    store_bind_amount(&q, ":total", &f->cell.total);
    store_bind_amount(&q, ":occupied", &f->cell.occupied);
    store_bind_amount(&q, ":held", &f->cell.held);
    store_bind_amount(&q, ":blocked", &f->cell.blocked);
    store_bind_amount(&q, ":need", &f->cell.need);
    db_bind_int(&q, ":members", f->cell.members);
    db_bind_int(&q, ":current", f->cell.current);
    db_bind_int(&q, ":expired", f->cell.expired);
    db_bind_int(&q, ":never", f->cell.never);
    return db_run_query(&q, e);
}

/* Columns of FINALS. */
static void read_final(struct db_query *q, struct store_final *ret) {
    struct cell *c = &ret->cell;
    *ret = (struct store_final){.day = db_column_int(q, 0),
                                .service = db_column_text(q, 1),
                                .region = db_column_text(q, 2),
                                .decimals = (int)db_column_int(q, 3)};
    c->low = store_amount(q, 4);
    c->high = store_amount(q, 5);
    c->open_ended = db_column_int(q, 6) != 0;
    c->total = store_amount(q, 7);
    c->occupied = store_amount(q, 8);
    c->held = store_amount(q, 9);
    c->blocked = store_amount(q, 10);
    c->need = store_amount(q, 11);
    c->members = db_column_int(q, 12);
    c->current = db_column_int(q, 13);
    c->expired = db_column_int(q, 14);
    c->never = db_column_int(q, 15);
}

enum err store_finals(struct store *s, int64_t from_day, int64_t to_day, store_final_visit *visit,
                      void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_FINALS);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":network", s->network);
    db_bind_int(&q, ":from", from_day);
    db_bind_int(&q, ":to", to_day);
    while (visited == ERR_OK && db_step(&q)) {
        struct store_final f;
        read_final(&q, &f);
        visited = visit(ctx, &f, e);
    }
    return db_finish_visit(&q, visited, e);
}

enum err store_newest_final(struct store *s, bool *ret_found, int64_t *ret_day, struct error *e) {
    struct db_query q = store_query(s, SQL_FINAL_NEWEST);
    db_bind_int(&q, ":network", s->network);
    bool found = db_step(&q) && !db_column_null(&q, 0);
    int64_t day = found ? db_column_int(&q, 0) : 0;
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    *ret_found = found;
    *ret_day = day;
    return ERR_OK;
}
