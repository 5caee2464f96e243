/* Owns who holds an audience's key, and journalling what people decide about an audience with them.
 * Must not decide anything. */
#ifndef PLEK_AGENT_HOLDERS_H
#define PLEK_AGENT_HOLDERS_H

#include "db.h"
#include "journal.h"

/* A statement about an audience (:network, :name). */
struct db_query holders_query(struct agent *a, int statement, const char *audience);

/* Each member once, by key; the hub too. */
struct holders {
    struct public_key *list;
    size_t count;
};
enum err holders_load(struct agent *a, const char *audience, struct holders *ret, struct error *e)
    MUST_USE;
void holders_done(struct holders *h);
/* Their names, the hub as "@hub". */
enum err holders_json(struct agent *a, const struct holders *h, json_t **ret, struct error *e)
    MUST_USE;
/* A row about them. head NULL: no entry. Inside the caller's transaction. */
enum err holders_journal(struct agent *a, const char *event, const char *audience,
                         const struct head *head, const char *actor, int64_t now_ms,
                         struct error *e) MUST_USE;

#endif
