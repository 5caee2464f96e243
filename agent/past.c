/* Owns the agent's log of its own figures (see past.h): rows in, rows out.
 * Must not know audiences nor change what a line says now. */
#include "past.h"

#include "store.h"

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_DAY (24 * 3600 * MS_PER_SECOND)

static void bind_amount(struct db_query *q, const char *name, const struct amount *amount) {
    db_bind_opt(q, name, amount->known, amount->value);
}

/* As views count. */
static int64_t second_of(int64_t ms) {
    return ms - ms % MS_PER_SECOND;
}

static struct db_query point_query(struct agent *a, int statement, int64_t line,
                                   const struct capacity *c) {
    struct db_query q = db_query(agent_db(a), statement);
    db_bind_int(&q, ":line", line);
    db_bind_int(&q, ":observed", second_of(c->observed_ms));
    db_bind_int(&q, ":valid_until", second_of(c->valid_until_ms));
    bind_amount(&q, ":total", &c->total);
    bind_amount(&q, ":occupied", &c->occupied);
    bind_amount(&q, ":free", &c->free);
    bind_amount(&q, ":held", &c->held);
    bind_amount(&q, ":blocked", &c->blocked);
    bind_amount(&q, ":need", &c->need);
    db_bind_int(&q, ":status", c->status);
    return q;
}

enum err past_holds(struct agent *a, int64_t line, const struct capacity *c, bool *ret,
                    struct error *e) {
    struct db_query q = point_query(a, SQL_PAST_HOLDS, line, c);
    bool found = db_step(&q);
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        *ret = found;
    return code;
}

enum err past_put(struct agent *a, int64_t line, const struct capacity *c, int64_t entered_ms,
                  const char *actor, bool *ret_recorded, struct error *e) {
    if (ret_recorded)
        *ret_recorded = false;
    if (second_of(c->observed_ms) <= 0)
        return ERR_OK;
    struct db_query q = point_query(a, SQL_PAST_PUT, line, c);
    db_bind_int(&q, ":entered", entered_ms);
    db_bind_text(&q, ":actor", actor ? actor : "");
    enum err code = db_run_query(&q, e);
    if (code == ERR_OK && ret_recorded)
        *ret_recorded = db_changes(agent_db(a)) > 0;
    return code;
}

enum err past_drop(struct agent *a, int64_t line, int64_t observed_ms, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PAST_DROP);
    db_bind_int(&q, ":line", line);
    db_bind_int(&q, ":observed", second_of(observed_ms));
    return db_run_query(&q, e);
}

enum err past_prune(struct agent *a, int64_t now_ms, struct error *e) {
    const struct charter *charter = agent_charter(a);
    enum err code = ERR_OK;
    if (charter) {
        struct db_query q = db_query(agent_db(a), SQL_PAST_PRUNE);
        db_bind_int(&q, ":before", now_ms - charter->keep_days * MS_PER_DAY);
        code = db_run_query(&q, e);
    }
    if (code != ERR_OK)
        return code;
    struct db_query span = db_query(agent_db(a), SQL_PAST_SPAN);
    bool over = db_step(&span) && db_column_int(&span, 0) > PAST_MAX_POINTS;
    code = db_finish(&span, e);
    if (code != ERR_OK || !over)
        return code;
    struct db_query q = db_query(agent_db(a), SQL_PAST_TRIM);
    db_bind_int(&q, ":most", PAST_MAX_POINTS);
    return db_run_query(&q, e);
}

static struct amount amount_at(struct db_query *q, int column) {
    if (db_column_null(q, column))
        return (struct amount){.known = false};
    return (struct amount){true, db_column_int(q, column)};
}

/* Columns of PAST_AFTER and PAST_BETWEEN. */
static void read_past(struct db_query *q, struct past *ret) {
    *ret = (struct past){.id = db_column_int(q, 0),
                         .site = (uint32_t)db_column_int(q, 1),
                         .service = db_column_text(q, 2),
                         .ward = db_column_text(q, 3)};
    struct capacity *c = &ret->capacity;
    c->observed_ms = db_column_int(q, 4);
    c->valid_until_ms = db_column_int(q, 5);
    c->total = amount_at(q, 6);
    c->occupied = amount_at(q, 7);
    c->free = amount_at(q, 8);
    c->held = amount_at(q, 9);
    c->blocked = amount_at(q, 10);
    c->need = amount_at(q, 11);
    c->status = (enum status)db_column_int(q, 12);
}

static enum err visit_all(struct db_query *q, past_visit *visit, void *ctx, struct error *e) {
    enum err code = ERR_OK;
    bool stop = false;
    while (code == ERR_OK && !stop && db_step(q)) {
        struct past p;
        read_past(q, &p);
        code = visit(ctx, &p, &stop, e);
    }
    return db_finish_visit(q, code, e);
}

enum err past_after(struct agent *a, int64_t after, int64_t grain_ms, past_visit *visit, void *ctx,
                    struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PAST_AFTER);
    db_bind_int(&q, ":after", after);
    db_bind_int(&q, ":grain", grain_ms);
    return visit_all(&q, visit, ctx, e);
}

enum err past_between(struct agent *a, const struct past_range *range, past_visit *visit, void *ctx,
                      struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PAST_BETWEEN);
    db_bind_text(&q, ":service", range->service);
    db_bind_int(&q, ":site", range->site);
    db_bind_int(&q, ":from", range->from_ms);
    db_bind_int(&q, ":to", range->to_ms);
    db_bind_int(&q, ":after_site", range->after.site);
    db_bind_text(&q, ":after_service", range->after.service);
    db_bind_text(&q, ":after_ward", range->after.ward);
    db_bind_int(&q, ":after", range->after.observed_ms);
    db_bind_int(&q, ":most", range->most);
    return visit_all(&q, visit, ctx, e);
}
