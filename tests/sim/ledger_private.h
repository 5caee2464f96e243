/* Owns the ledger's own shapes and how it looks into a node's database, beside the product's code.
 * Must not be included outside ledger*.c. */
#ifndef PLEK_SIM_LEDGER_PRIVATE_H
#define PLEK_SIM_LEDGER_PRIVATE_H

#include <sqlite3.h>

#include "ledger.h"
#include "shared/audience.h"

/* What one entry said to one audience. */
struct sealed_state {
    uint8_t audience[AUDIENCE_ID_LEN];
    struct hash key_id;
    struct blob *plain;
    uint64_t allowed; /* bits of readers that policy allowed when it was sealed */
    bool exact;       /* the precision then */
};
struct sealed_grant {
    struct hash key_id;
    int reader;
    uint32_t services; /* that policy gave the audience when it was sealed */
};
struct sealed {
    struct head head;
    int64_t claimed_ms;
    bool left; /* it was given to a session */
    struct sealed_state states[LEDGER_MAX_AUDIENCES];
    size_t state_count;
    struct sealed_grant *grants;
    size_t grant_count;
};
struct sealed_key {
    struct hash key_id;
    struct audience_ctx ctx;
    struct audience_key key;
    int64_t first_ms;
    char name[CODE_MAX + 1], precision[16];
};
struct author_ledger {
    bool begun, in_doubt;
    struct ledger_truth truth, doubtful;
    struct sealed *list;
    size_t count, cap;
    struct sealed_key *keys;
    size_t key_count, key_cap;
    struct head told;   /* the hub's word */
    struct head in_log; /* as far as the log was looked through */
};
/* The newest state a reader was seen to hold. */
struct reader_mark {
    int reader, author;
    uint8_t audience[AUDIENCE_ID_LEN];
    struct head head;
    uint64_t counter;
};
struct ledger {
    struct author_ledger authors[SIM_MAX_AGENTS];
    struct head hub_told, hub_in_log;
    int64_t log_index;
    struct reader_mark *marks;
    size_t mark_count, mark_cap;
};

/* A query beside the product's statements; ends the program when it is not SQL. One of a text at a
 * time; it is kept for the next one of that text. */
sqlite3_stmt *ledger_query(sqlite3 *db, const char *sql);
void ledger_query_done(sqlite3_stmt *q);
sqlite3 *ledger_agent_db(struct sim *sim, int agent);
sqlite3 *ledger_hub_db(struct sim *sim);
struct bytes ledger_blob(sqlite3_stmt *q, int column);
bool ledger_key(sqlite3_stmt *q, int column, struct public_key *ret);
bool ledger_hash(sqlite3_stmt *q, int column, struct hash *ret);

int ledger_author(const struct sim *sim, const struct public_key *agent); /* -1: none */
int ledger_author_at(const struct sim *sim, sqlite3_stmt *q, int column);
int ledger_reader(const struct sim *sim, const struct public_key *agent); /* the hub too */
struct sealed *ledger_find(struct sim *sim, int author, uint64_t incarnation, uint64_t seq);
/* What stands behind a row of LEDGER_PICTURES; NULL: nothing that was ever sealed. */
#define LEDGER_PICTURES "SELECT agent, audience, incarnation, seq, id FROM picture"
const struct sealed *ledger_row(struct sim *sim, sqlite3_stmt *q, int *ret_author);
const struct sealed_state *ledger_state(const struct sealed *s, const uint8_t *audience);
const struct sealed_key *ledger_find_key(struct sim *sim, int author, const struct hash *key_id);
/* Bits of the readers that were ever given this key. */
uint64_t ledger_holders(struct sim *sim, int author, const struct hash *key_id);
void ledger_sealed_done(struct sealed *s);
/* By the administrator's decisions and what the author knows of the network. */
bool ledger_allows(struct sim *sim, int author, const char *audience, int reader);
/* What that audience should see now; NULL after a failure of the world. The caller frees. */
struct snapshot *ledger_compose(struct sim *sim, int author, const char *name);
/* (incarnation, seq) of the state that a reader, or the hub, holds; seq 0: none. */
struct head ledger_picture(struct sim *sim, int reader, int author, const uint8_t *audience,
                           size_t *ret_lines);

#endif
