/* Owns the store's verbs for what the hub itself holds: keys granted to it, pictures it opened,
 * counters and marks. Must not open or judge anything. */
#include "store_private.h"

#include <string.h>

static struct bytes audience_bytes(const uint8_t id[static AUDIENCE_ID_LEN]) {
    return bytes_of(id, AUDIENCE_ID_LEN);
}

/* ---- keys ---- */

enum err store_put_key(struct store *s, const struct store_held_key *key, struct error *e) {
    struct db_query q = store_query(s, SQL_KEY_SUPERSEDE);
    db_bind_int(&q, ":author", key->author);
    db_bind_blob(&q, ":audience", audience_bytes(key->audience));
    store_bind_hash(&q, ":key_id", &key->key_id);
    enum err err = db_run_query(&q, e);
    if (err != ERR_OK)
        return err;
    q = store_query(s, SQL_KEY_PUT);
    db_bind_int(&q, ":author", key->author);
    store_bind_hash(&q, ":key_id", &key->key_id);
    db_bind_blob(&q, ":audience", audience_bytes(key->audience));
    db_bind_blob(&q, ":key", bytes_of(key->key.b, AUDIENCE_KEY_LEN));
    err = db_run_query(&q, e);
    static const enum store_sql trims[] = {SQL_KEY_TRIM, SQL_PICTURE_TRIM};
    for (size_t i = 0; i < sizeof trims / sizeof trims[0] && err == ERR_OK; i++) {
        q = store_query(s, trims[i]);
        db_bind_int(&q, ":author", key->author);
        err = db_run_query(&q, e);
    }
    return err;
}

enum err store_find_key(struct store *s, int64_t author, const struct hash *key_id, bool *ret_found,
                        struct store_held_key *ret, struct error *e) {
    struct db_query q = store_query(s, SQL_KEY_FIND);
    struct store_held_key key = {.author = author, .key_id = *key_id};
    db_bind_int(&q, ":author", author);
    store_bind_hash(&q, ":key_id", key_id);
    bool found = db_step(&q);
    bool good = !found || (store_column_copy(&q, 0, key.audience, AUDIENCE_ID_LEN) &&
                           store_column_copy(&q, 1, key.key.b, AUDIENCE_KEY_LEN));
    enum err err = db_finish_visit(&q, good ? ERR_OK : store_damaged("held_key", e), e);
    if (err == ERR_OK) {
        *ret_found = found;
        if (found)
            *ret = key;
    }
    audience_key_wipe(&key.key);
    return err;
}

enum err store_key_authors(struct store *s, store_author_id_visit *visit, void *ctx,
                           struct error *e) {
    struct db_query q = store_query(s, SQL_KEY_AUTHORS);
    enum err visited = ERR_OK;
    while (visited == ERR_OK && db_step(&q))
        visited = visit(ctx, db_column_int(&q, 0), e);
    return db_finish_visit(&q, visited, e);
}

/* ---- pictures ---- */

enum err store_state_under(struct store *s, int64_t author,
                           const uint8_t audience[static AUDIENCE_ID_LEN],
                           const struct hash *key_id, store_view_visit *visit, void *ctx,
                           struct error *e) {
    struct db_query q = store_query(s, SQL_STATE_UNDER);
    db_bind_int(&q, ":author", author);
    db_bind_blob(&q, ":audience", audience_bytes(audience));
    store_bind_hash(&q, ":key_id", key_id);
    enum err visited = ERR_OK;
    if (db_step(&q))
        visited = visit(ctx, db_column_blob(&q, 0), db_column_blob(&q, 1), db_column_int(&q, 2), e);
    return db_finish_visit(&q, visited, e);
}

enum err store_put_picture(struct store *s, const struct store_picture *p, struct error *e) {
    struct db_query q = store_query(s, SQL_PICTURE_PUT);
    db_bind_int(&q, ":author", p->author);
    db_bind_blob(&q, ":audience", audience_bytes(p->audience));
    db_bind_int(&q, ":incarnation", (int64_t)p->incarnation);
    db_bind_int(&q, ":seq", (int64_t)p->seq);
    db_bind_int(&q, ":received", p->received_ms);
    db_bind_int(&q, ":shift", p->shift_ms);
    db_bind_blob(&q, ":plain", p->plain);
    return db_run_query(&q, e);
}

enum err store_drop_picture(struct store *s, int64_t author,
                            const uint8_t audience[static AUDIENCE_ID_LEN], struct error *e) {
    struct db_query q = store_query(s, SQL_PICTURE_DROP);
    db_bind_int(&q, ":author", author);
    db_bind_blob(&q, ":audience", audience_bytes(audience));
    return db_run_query(&q, e);
}

enum err store_pictures(struct store *s, store_picture_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_PICTURES);
    enum err visited = ERR_OK;
    while (visited == ERR_OK && db_step(&q)) {
        struct store_picture p = {.author = db_column_int(&q, 0),
                                  .incarnation = (uint64_t)db_column_int(&q, 2),
                                  .seq = (uint64_t)db_column_int(&q, 3),
                                  .received_ms = db_column_int(&q, 4),
                                  .shift_ms = db_column_int(&q, 5),
                                  .plain = db_column_blob(&q, 6)};
        visited = store_column_copy(&q, 1, p.audience, AUDIENCE_ID_LEN)
                      ? visit(ctx, &p, e)
                      : store_damaged("picture", e);
    }
    return db_finish_visit(&q, visited, e);
}

/* ---- counters and marks ---- */

enum err store_count_rejections(struct store *s, enum err code, int64_t count, int64_t now_ms,
                                struct error *e) {
    struct db_query q = store_query(s, SQL_REJECTION_ADD);
    db_bind_int(&q, ":network", s->network);
    db_bind_text(&q, ":code", error_name(code));
    db_bind_int(&q, ":count", count);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err store_rejections(struct store *s, store_count_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_REJECTIONS);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":network", s->network);
    while (visited == ERR_OK && db_step(&q))
        visited = visit(ctx, db_column_text(&q, 0), db_column_int(&q, 1), e);
    return db_finish_visit(&q, visited, e);
}

enum err store_note_trouble(struct store *s, int64_t author, const struct error *why,
                            int64_t now_ms, struct error *e) {
    struct db_query q = store_query(s, SQL_TROUBLE_ADD);
    db_bind_int(&q, ":author", author);
    db_bind_text(&q, ":code", error_name(why->code));
    db_bind_int(&q, ":now", now_ms);
    db_bind_text(&q, ":detail", why->detail);
    return db_run_query(&q, e);
}

enum err store_troubles(struct store *s, store_trouble_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_TROUBLES);
    enum err visited = ERR_OK;
    while (visited == ERR_OK && db_step(&q)) {
        struct store_trouble t = {.author = db_column_int(&q, 0),
                                  .code = db_column_text(&q, 1),
                                  .detail = db_column_text(&q, 2),
                                  .count = db_column_int(&q, 3),
                                  .last_ms = db_column_int(&q, 4)};
        visited = visit(ctx, &t, e);
    }
    return db_finish_visit(&q, visited, e);
}

enum err store_put_seen(struct store *s, const struct public_key *agent, int64_t last_ms,
                        struct error *e) {
    struct db_query q = store_query(s, SQL_SEEN_PUT);
    db_bind_int(&q, ":network", s->network);
    store_bind_key(&q, ":agent", agent);
    db_bind_int(&q, ":last", last_ms);
    return db_run_query(&q, e);
}

enum err store_seen(struct store *s, store_seen_visit *visit, void *ctx, struct error *e) {
    struct db_query q = store_query(s, SQL_SEEN);
    enum err visited = ERR_OK;
    db_bind_int(&q, ":network", s->network);
    while (visited == ERR_OK && db_step(&q)) {
        struct public_key agent;
        visited = store_column_copy(&q, 0, agent.b, KEY_LEN)
                      ? visit(ctx, &agent, db_column_int(&q, 1), e)
                      : store_damaged("seen", e);
    }
    return db_finish_visit(&q, visited, e);
}
