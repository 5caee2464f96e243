/* Owns the store's verbs for what was published. Must not decide what may be. */
#include "store_private.h"

enum err store_put_published(struct store *s, const struct store_published *p, struct error *e) {
    struct db_query q = store_query(s, SQL_PUBLISHED_PUT);
    db_bind_int(&q, ":network", s->network);
    db_bind_text(&q, ":service", p->service);
    db_bind_int(&q, ":day", p->day);
    db_bind_text(&q, ":region", p->region);
    db_bind_int(&q, ":published", p->published_ms);
    store_bind_amount(&q, ":low", &p->cell.low);
    store_bind_amount(&q, ":high", &p->cell.high);
    db_bind_int(&q, ":open_ended", p->cell.open_ended);
    db_bind_int(&q, ":members", p->cell.members);
    db_bind_int(&q, ":current", p->cell.current);
    db_bind_int(&q, ":expired", p->cell.expired);
    db_bind_int(&q, ":never", p->cell.never);
    db_bind_blob(&q, ":parts", p->parts);
    return db_run_query(&q, e);
}

enum err store_hide_published(struct store *s, const struct store_published *p, struct error *e) {
    struct db_query q = store_query(s, SQL_PUBLISHED_HIDE);
    db_bind_int(&q, ":network", s->network);
    db_bind_text(&q, ":service", p->service);
    db_bind_int(&q, ":day", p->day);
    db_bind_text(&q, ":region", p->region);
    return db_run_query(&q, e);
}

enum err store_published(struct store *s, const char *service, int64_t day,
                         store_published_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_PUBLISHED);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":network", s->network);
    db_bind_text(&q, ":service", service);
    db_bind_int(&q, ":day", day);
    while (visited == ERR_OK && db_step(&q)) {
        const struct store_published p = {.service = service,
                                          .day = day,
                                          .region = db_column_text(&q, 0),
                                          .shown = db_column_int(&q, 1) != 0,
                                          .published_ms = db_column_int(&q, 2),
                                          .cell = {.low = store_amount(&q, 3),
                                                   .high = store_amount(&q, 4),
                                                   .open_ended = db_column_int(&q, 5) != 0,
                                                   .members = db_column_int(&q, 6),
                                                   .current = db_column_int(&q, 7),
                                                   .expired = db_column_int(&q, 8),
                                                   .never = db_column_int(&q, 9)},
                                          .parts = db_column_blob(&q, 10)};
        visited = visit(ctx, &p, e);
    }
    return db_finish_visit(&q, visited, e);
}

enum err store_note_publication(struct store *s, int64_t now_ms, struct error *e) {
    struct db_query q = store_query(s, SQL_NETWORK_PUBLISHED_SET);
    db_bind_int(&q, ":network", s->network);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err store_last_publication(struct store *s, int64_t *ret_ms, struct error *e) {
    return store_network_time(s, SQL_NETWORK_PUBLISHED, ret_ms, e);
}

enum err store_seal_published(struct store *s, int64_t day, struct error *e) {
    struct db_query q = store_query(s, SQL_PUBLISHED_SEAL);
    db_bind_int(&q, ":network", s->network);
    db_bind_int(&q, ":day", day);
    return db_run_query(&q, e);
}
