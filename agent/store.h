/* Owns agent.db: its schema and the one table of named statements. Modules run them through db.h.
 * The SQL itself stands in store_sql.def, one line a statement: SQL(NAME, "text"). */
#ifndef PLEK_AGENT_STORE_H
#define PLEK_AGENT_STORE_H

#include "capacity.h"
#include "db.h"
#include "keys.h"

enum agent_sql {
#define SQL(name, text) SQL_##name,
#include "store_sql.def"
#undef SQL
    SQL_COUNT
};

enum err agent_store_open(const char *path, const char *vfs, struct db **ret, struct error *e)
    MUST_USE;
/* NULL: not known. */
struct amount store_read_amount(struct db_query *q, int column);

/* A key or a hash in a column. ERR_STORE: of another length, so the database is damaged. */
enum err store_read_key(struct db_query *q, int column, struct public_key *ret, struct error *e)
    MUST_USE;
enum err store_read_hash(struct db_query *q, int column, struct hash *ret, struct error *e)
    MUST_USE;

#endif
