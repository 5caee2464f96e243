/* Owns the store's verbs for views on their way to readers: states, grants, and what is kept.
 * Must not know who may read: it matches grants by key id, the rules stand above. */
#include "store_private.h"

#include <string.h>

/* ---- writing ---- */

static struct bytes target_bytes(const struct target *t) {
    return bytes_of(t->b, t->len);
}

static struct db_query bind_view(struct store *s, enum store_sql sql, const struct store_view *v) {
    struct db_query q = store_query(s, sql);
    db_bind_int(&q, ":place", (int64_t)v->place);
    db_bind_int(&q, ":author", v->author);
    db_bind_blob(&q, ":target", target_bytes(&v->view->target));
    store_bind_hash(&q, ":key_id", &v->view->key_id);
    db_bind_blob(&q, ":data", v->view->data);
    return q;
}

/* Whoever held the older key and was away still has to hear of it; the key's grants stay with it.
 */
static enum err keep_withdrawal(struct store *s, const struct store_view *v, struct error *e) {
    struct db_query q = store_query(s, SQL_STATE_KEEP);
    db_bind_int(&q, ":author", v->author);
    db_bind_blob(&q, ":target", target_bytes(&v->view->target));
    store_bind_hash(&q, ":key_id", &v->view->key_id);
    db_bind_int(&q, ":withdraw", VIEW_WITHDRAW);
    return db_run_query(&q, e);
}

/* Mostly an audience's state follows one under the same key: then one row changes, and nothing
 * else. */
enum err store_put_state(struct store *s, const struct store_view *v, struct error *e) {
    struct db_query q = bind_view(s, SQL_STATE_RENEW, v);
    db_bind_int(&q, ":kind", v->view->kind);
    enum err err = db_run_query(&q, e);
    if (err != ERR_OK || db_changes(s->db) > 0)
        return err;
    err = keep_withdrawal(s, v, e);
    if (err != ERR_OK)
        return err;
    q = store_query(s, SQL_STATE_SUPERSEDE);
    db_bind_int(&q, ":author", v->author);
    db_bind_blob(&q, ":target", target_bytes(&v->view->target));
    store_bind_hash(&q, ":key_id", &v->view->key_id);
    err = db_run_query(&q, e);
    if (err != ERR_OK)
        return err;
    q = bind_view(s, SQL_STATE_PUT, v);
    db_bind_int(&q, ":kind", v->view->kind);
    err = db_run_query(&q, e);
    if (err != ERR_OK)
        return err;
    q = store_query(s, SQL_STATE_TRIM);
    db_bind_int(&q, ":author", v->author);
    return db_run_query(&q, e);
}

enum err store_put_withdrawal(struct store *s, const struct store_view *v, struct error *e) {
    struct db_query q = store_query(s, SQL_KEPT_DROP);
    db_bind_int(&q, ":author", v->author);
    db_bind_blob(&q, ":target", target_bytes(&v->view->target));
    db_bind_int(&q, ":history", VIEW_HISTORY);
    enum err err = db_run_query(&q, e);
    return err == ERR_OK ? store_put_state(s, v, e) : err;
}

enum err store_put_grant(struct store *s, const struct store_view *v, struct error *e) {
    struct db_query q = bind_view(s, SQL_GRANT_PUT, v);
    return db_run_query(&q, e);
}

enum err store_put_renewal(struct store *s, const struct store_view *v, struct error *e) {
    struct db_query q = store_query(s, SQL_RENEWAL_PUT);
    db_bind_int(&q, ":place", (int64_t)v->place);
    db_bind_int(&q, ":author", v->author);
    db_bind_blob(&q, ":data", v->view->data);
    return db_run_query(&q, e);
}

enum err store_put_view(struct store *s, int class_, const struct store_view *v, struct error *e) {
    struct db_query q = bind_view(s, SQL_VIEW_PUT, v);
    db_bind_int(&q, ":class", class_);
    db_bind_int(&q, ":kind", v->view->kind);
    return db_run_query(&q, e);
}

enum err store_drop_author(struct store *s, int64_t author, const struct public_key *agent,
                           struct error *e) {
    static const enum store_sql drops[] = {
        SQL_DROP_STATES,     SQL_DROP_VIEWS,  SQL_DROP_GRANTS_OF,
        SQL_DROP_PICTURES,   SQL_DROP_POINTS, SQL_DROP_POINT_SITES,
        SQL_DROP_LINE_SINCE, SQL_DROP_KEYS,   SQL_DROP_RENEWAL};
    for (size_t i = 0; i < sizeof drops / sizeof drops[0]; i++) {
        struct db_query q = store_query(s, drops[i]);
        db_bind_int(&q, ":author", author);
        enum err err = db_run_query(&q, e);
        if (err != ERR_OK)
            return err;
    }
    struct db_query q = store_query(s, SQL_DROP_GRANTS_TO);
    store_bind_key(&q, ":agent", agent);
    return db_run_query(&q, e);
}

/* ---- pruning ---- */

#define PRUNE_MAX 512

struct prunable {
    int64_t place, author;
    struct hash key_id;
};

static enum err prune_one(struct store *s, const struct prunable *p, struct error *e) {
    struct db_query q = store_query(s, SQL_VIEW_DROP);
    db_bind_int(&q, ":place", p->place);
    enum err err = db_run_query(&q, e);
    if (err != ERR_OK)
        return err;
    q = store_query(s, SQL_GRANT_UNUSED);
    db_bind_int(&q, ":author", p->author);
    store_bind_hash(&q, ":key_id", &p->key_id);
    return db_run_query(&q, e);
}

enum err store_prune(struct store *s, int64_t before_ms, int64_t limit, int64_t *ret_count,
                     struct error *e) {
    struct prunable found[PRUNE_MAX];
    size_t count = 0;
    bool good = true;
    struct db_query q = store_query(s, SQL_PRUNABLE);
    db_bind_int(&q, ":before", before_ms);
    db_bind_int(&q, ":limit", limit < PRUNE_MAX ? limit : PRUNE_MAX);
    while (good && count < PRUNE_MAX && db_step(&q)) {
        found[count].place = db_column_int(&q, 0);
        found[count].author = db_column_int(&q, 1);
        good = store_column_copy(&q, 2, found[count].key_id.b, HASH_LEN);
        count++;
    }
    enum err err = db_finish_visit(&q, good ? ERR_OK : store_damaged("kept", e), e);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = prune_one(s, &found[i], e);
    if (err == ERR_OK)
        *ret_count = (int64_t)count;
    return err;
}

/* ---- scans ---- */

/* A place that no entry reaches, for cursors that stand beyond the log. */
static int64_t first_place_after(uint64_t log_index) {
    const uint64_t last = (uint64_t)INT64_MAX / ENTRY_MAX_VIEWS - 1;
    return (int64_t)place_of(log_index < last ? log_index + 1 : last, 0);
}

/* The three columns: position as a place, place, author. */
static enum err read_rows(struct db_query *q, enum store_table table, size_t limit,
                          struct store_row *rows, size_t *ret_count, struct error *e) {
    size_t count = 0;
    db_bind_int(q, ":limit", (int64_t)limit);
    while (count < limit && db_step(q)) {
        rows[count++] = (struct store_row){.position = place_index((uint64_t)db_column_int(q, 0)),
                                           .place = (uint64_t)db_column_int(q, 1),
                                           .author = db_column_int(q, 2),
                                           .table = table};
    }
    enum err err = db_finish(q, e);
    if (err == ERR_OK)
        *ret_count = count;
    return err;
}

static struct db_query scan_after(struct store *s, enum store_sql sql,
                                  const struct public_key *reader, uint64_t after) {
    struct db_query q = store_query(s, sql);
    store_bind_key(&q, ":reader", reader);
    db_bind_int(&q, ":from", first_place_after(after));
    return q;
}

enum err store_scan_grants(struct store *s, const struct public_key *reader, uint64_t after,
                           size_t limit, struct store_row *rows, size_t *ret_count,
                           struct error *e) {
    struct db_query q = scan_after(s, SQL_SCAN_GRANTS, reader, after);
    return read_rows(&q, TABLE_GRANT, limit, rows, ret_count, e);
}

enum err store_scan_renewals(struct store *s, const struct public_key *reader, uint64_t after,
                             size_t limit, struct store_row *rows, size_t *ret_count,
                             struct error *e) {
    struct db_query q = scan_after(s, SQL_SCAN_RENEWALS, reader, after);
    return read_rows(&q, TABLE_RENEWAL, limit, rows, ret_count, e);
}

enum err store_scan_states(struct store *s, const struct public_key *reader, uint64_t after,
                           size_t limit, struct store_row *rows, size_t *ret_count,
                           struct error *e) {
    struct db_query q = scan_after(s, SQL_SCAN_STATES, reader, after);
    return read_rows(&q, TABLE_STATE, limit, rows, ret_count, e);
}

enum err store_scan_granted(struct store *s, const struct public_key *reader, uint64_t after,
                            size_t limit, struct store_row *rows, size_t *ret_count,
                            struct error *e) {
    struct db_query q = scan_after(s, SQL_SCAN_GRANTED, reader, after);
    return read_rows(&q, TABLE_STATE, limit, rows, ret_count, e);
}

enum err store_scan_author(struct store *s, const struct public_key *reader, int64_t author,
                           uint64_t below, size_t limit, struct store_row *rows, size_t *ret_count,
                           struct error *e) {
    struct db_query q = store_query(s, SQL_SCAN_AUTHOR);
    store_bind_key(&q, ":reader", reader);
    db_bind_int(&q, ":author", author);
    db_bind_int(&q, ":below", (int64_t)place_of(below, 0));
    return read_rows(&q, TABLE_STATE, limit, rows, ret_count, e);
}

static struct db_query scan_kept(struct store *s, enum store_sql sql,
                                 const struct store_scan *scan) {
    struct db_query q = scan_after(s, sql, scan->reader, scan->after);
    db_bind_int(&q, ":class", scan->class_);
    db_bind_int(&q, ":first", (int64_t)place_index((uint64_t)first_place_after(scan->after)));
    db_bind_int(&q, ":within", (int64_t)scan->within);
    return q;
}

enum err store_scan_views(struct store *s, const struct store_scan *scan, size_t limit,
                          struct store_row *rows, size_t *ret_count, struct error *e) {
    struct db_query q = scan_kept(s, SQL_SCAN_VIEWS, scan);
    return read_rows(&q, TABLE_VIEW, limit, rows, ret_count, e);
}

enum err store_scan_views_granted(struct store *s, const struct store_scan *scan, size_t limit,
                                  struct store_row *rows, size_t *ret_count, struct error *e) {
    struct db_query q = scan_kept(s, SQL_SCAN_VIEWS_GRANTED, scan);
    return read_rows(&q, TABLE_VIEW, limit, rows, ret_count, e);
}

enum err store_view(struct store *s, enum store_table table, uint64_t place,
                    store_view_visit *visit, void *ctx, struct error *e) {
    static const enum store_sql fetch[TABLE_COUNT] = {
        [TABLE_GRANT] = SQL_FETCH_GRANT,
        [TABLE_STATE] = SQL_FETCH_STATE,
        [TABLE_VIEW] = SQL_FETCH_VIEW,
        [TABLE_RENEWAL] = SQL_FETCH_RENEWAL,
    };
    struct db_query q = store_query(s, fetch[table]);
    db_bind_int(&q, ":place", (int64_t)place);
    bool found = db_step(&q);
    enum err visited = ERR_OK;
    if (found)
        visited = visit(ctx, db_column_blob(&q, 0), db_column_blob(&q, 1), db_column_int(&q, 2), e);
    enum err err = db_finish_visit(&q, visited, e);
    if (err == ERR_OK && !found)
        return error_set(e, ERR_NOT_FOUND, "the view at place %llu is no longer held",
                         (unsigned long long)place);
    return err;
}

enum err store_recipients(struct store *s, int64_t author, const struct hash *key_id,
                          store_key_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_RECIPIENTS);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":author", author);
    store_bind_hash(&q, ":key_id", key_id);
    while (visited == ERR_OK && db_step(&q)) {
        struct public_key agent;
        visited = store_column_copy(&q, 0, agent.b, KEY_LEN) ? visit(ctx, &agent, e)
                                                             : store_damaged("key_grant", e);
    }
    return db_finish_visit(&q, visited, e);
}
