/* Owns what the store's own files share: the handle and the names of the statements.
 * Must not be included by anything else. */
#ifndef PLEK_HUB_STORE_PRIVATE_H
#define PLEK_HUB_STORE_PRIVATE_H

#include "db.h"
#include "store.h"

enum store_sql {
#define SQL(name, text) SQL_##name,
#include "store_sql.def"
#undef SQL
    SQL_COUNT
};

struct store {
    struct db *db;
    int64_t network; /* the row's id; 0 until store_use_network */
};

static inline struct db_query store_query(struct store *s, enum store_sql sql) {
    return db_query(s->db, (int)sql);
}
void store_bind_key(struct db_query *q, const char *name, const struct public_key *k);
void store_bind_hash(struct db_query *q, const char *name, const struct hash *h);
/* An amount that may be unknown: NULL. */
void store_bind_amount(struct db_query *q, const char *name, const struct amount *a);
struct amount store_amount(struct db_query *q, int column);
/* False when the column does not hold exactly `len` bytes: the database was changed by hand. */
bool store_column_copy(struct db_query *q, int column, void *ret, size_t len);
/* A time of the network itself. */
enum err store_network_time(struct store *s, enum store_sql sql, int64_t *ret_ms, struct error *e)
    MUST_USE;
enum err store_damaged(const char *what, struct error *e) MUST_USE;

#endif
