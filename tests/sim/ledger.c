/* Owns the truth about promises: what the hub said it holds, what agents were told to keep; and the
 * look into their databases. Must not know what is sealed for whom (ledger_seal.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/hub_private.h"
#include "hub/store_private.h"
#include "ledger_private.h"
#include "shared/db_private.h"

/* ---- looking into databases ---- */

static struct {
    sqlite3_stmt **list;
    size_t count, cap;
} looks; /* kept while their database is open: a look comes again after every step */

sqlite3_stmt *ledger_query(sqlite3 *db, const char *sql) {
    sqlite3_stmt *q = NULL;
    for (size_t i = 0; i < looks.count; i++)
        if (sqlite3_db_handle(looks.list[i]) == db && strcmp(sqlite3_sql(looks.list[i]), sql) == 0)
            return looks.list[i];
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) {
        fprintf(stderr, "the simulator's query does not fit the schema: %s: %s\n", sql,
                sqlite3_errmsg(db));
        abort();
    }
    if (looks.count == looks.cap) {
        looks.cap = looks.cap ? looks.cap * 2 : 64;
        looks.list = realloc(looks.list, looks.cap * sizeof(sqlite3_stmt *));
        if (!looks.list)
            abort();
    }
    return looks.list[looks.count++] = q;
}

void ledger_query_done(sqlite3_stmt *q) {
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
}

static void stop_looking(const sqlite3 *db) {
    size_t kept = 0;
    for (size_t i = 0; i < looks.count; i++)
        if (sqlite3_db_handle(looks.list[i]) == db)
            sqlite3_finalize(looks.list[i]);
        else
            looks.list[kept++] = looks.list[i];
    looks.count = kept;
}

void ledger_agent_closes(struct sim *sim, int agent) {
    if (sim->agents[agent].agent)
        stop_looking(ledger_agent_db(sim, agent));
}

void ledger_hub_closes(struct sim *sim) {
    if (sim->hub.hub)
        stop_looking(ledger_hub_db(sim));
}

sqlite3 *ledger_agent_db(struct sim *sim, int agent) {
    return agent_db(sim->agents[agent].agent)->handle;
}

sqlite3 *ledger_hub_db(struct sim *sim) {
    return sim->hub.hub->store->db->handle;
}

struct bytes ledger_blob(sqlite3_stmt *q, int column) {
    const void *data = sqlite3_column_blob(q, column);
    return bytes_of(data, (size_t)sqlite3_column_bytes(q, column));
}

bool ledger_key(sqlite3_stmt *q, int column, struct public_key *ret) {
    return key_from_bytes(ret, ledger_blob(q, column), NULL) == ERR_OK;
}

bool ledger_hash(sqlite3_stmt *q, int column, struct hash *ret) {
    return hash_from_bytes(ret, ledger_blob(q, column), NULL) == ERR_OK;
}

void ledger_hub_no_sync(struct sim *sim) {
#ifdef PLEK_FAILPOINTS
    store_test_set_synchronous(sim->hub.hub->store, 0);
#else
    (void)sim;
#endif
}

void ledger_agent_no_sync(struct sim *sim, int agent) {
#ifdef PLEK_FAILPOINTS
    db_test_set_synchronous(agent_db(sim->agents[agent].agent), 0);
#else
    (void)sim;
    (void)agent;
#endif
}

int ledger_author(const struct sim *sim, const struct public_key *agent) {
    for (int i = 0; i < sim->agent_count; i++)
        if (sim->agents[i].known && key_equal(&sim->agents[i].key, agent))
            return i;
    return -1;
}

int ledger_author_at(const struct sim *sim, sqlite3_stmt *q, int column) {
    struct public_key agent;
    return ledger_key(q, column, &agent) ? ledger_author(sim, &agent) : -1;
}

int ledger_reader(const struct sim *sim, const struct public_key *agent) {
    return key_equal(agent, &sim->hub.network) ? SIM_HUB : ledger_author(sim, agent);
}

/* ---- life ---- */

void ledger_open(struct sim *sim) {
    sim->ledger = calloc(1, sizeof *sim->ledger);
    if (!sim->ledger)
        abort();
}

void ledger_free(struct sim *sim) {
    struct ledger *l = sim->ledger;
    if (!l)
        return;
    for (int i = 0; i < SIM_MAX_AGENTS; i++) {
        for (size_t s = 0; s < l->authors[i].count; s++)
            ledger_sealed_done(&l->authors[i].list[s]);
        free(l->authors[i].list);
        free(l->authors[i].keys);
    }
    free(l->marks);
    free(l);
    free(looks.list);
    looks.list = NULL;
    looks.count = looks.cap = 0;
    sim->ledger = NULL;
}

/* ---- what the hub promised ---- */

void ledger_told(struct sim *sim, int agent, const struct head *head) {
    struct head *told = &sim->ledger->authors[agent].told;
    if (head->seq > told->seq)
        *told = *head;
}

void ledger_hub_told(struct sim *sim) {
    sim->ledger->hub_told = directory_head(hub_directory(sim->hub.hub));
}

static void check_told(struct sim *sim, const struct public_key *author, const struct head *told,
                       const char *name) {
    struct hash hash;
    if (told->seq == 0)
        return;
    sqlite3_stmt *q =
        ledger_query(ledger_hub_db(sim), "SELECT l.hash FROM log l JOIN author a ON "
                                         "a.id = l.author WHERE a.agent = ? AND l.seq = ?");
    sqlite3_bind_blob(q, 1, author->b, KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, (int64_t)told->seq);
    bool held =
        sqlite3_step(q) == SQLITE_ROW && ledger_hash(q, 0, &hash) && hash_equal(&hash, &told->hash);
    ledger_query_done(q);
    if (!held)
        sim_fail(sim, "the hub said it holds entry %llu of %s and does not, after a crash",
                 (unsigned long long)told->seq, name);
}

void ledger_hub_restarted(struct sim *sim) {
    struct ledger *l = sim->ledger;
    for (int i = 0; i < sim->agent_count; i++) {
        check_told(sim, &sim->agents[i].key, &l->authors[i].told, sim->agents[i].name);
        l->authors[i].in_log = (struct head){0};
    }
    check_told(sim, &sim->hub.network, &l->hub_told, "the hub itself");
    l->hub_in_log = (struct head){0};
    l->log_index = 0;
    ledger_check_hub(sim);
}

/* ---- the hub's log ---- */

static void check_chain(struct sim *sim, const struct entry *entry, struct head *last,
                        const char *name) {
    const struct header *h = &entry->header;
    bool first = last->seq == 0;
    struct hash zero = {0};
    if (h->seq != last->seq + 1)
        sim_fail(sim, "the log has entry %llu of %s after %llu", (unsigned long long)h->seq, name,
                 (unsigned long long)last->seq);
    if (!hash_equal(&h->prev, first ? &zero : &last->hash))
        sim_fail(sim, "prev of entry %llu of %s is not the entry before it",
                 (unsigned long long)h->seq, name);
    *last = (struct head){h->incarnation, h->seq, entry->hash};
}

static void check_row(struct sim *sim, sqlite3_stmt *q) {
    struct ledger *l = sim->ledger;
    struct public_key agent;
    struct entry *entry = NULL;
    struct error e = {0};
    int64_t index = sqlite3_column_int64(q, 0);
    if (index != l->log_index + 1)
        sim_fail(sim, "the log goes from %lld to %lld", (long long)l->log_index, (long long)index);
    l->log_index = index;
    if (!ledger_key(q, 1, &agent) || entry_parse(ledger_blob(q, 2), &entry, &e) != ERR_OK) {
        sim_fail(sim, "log entry %lld is not an entry: %s", (long long)index, e.detail);
        return;
    }
    int author = ledger_reader(sim, &agent);
    const char *name = author < 0 ? "a stranger" : sim_name(sim, author);
    if (author < 0)
        sim_fail(sim, "log entry %lld is a stranger's", (long long)index);
    else if (entry_verify(entry, &agent, &e) != ERR_OK)
        sim_fail(sim, "log entry %lld of %s does not verify: %s", (long long)index, name, e.detail);
    else
        check_chain(sim, entry, author == SIM_HUB ? &l->hub_in_log : &l->authors[author].in_log,
                    name);
    if (author >= 0 && author != SIM_HUB) {
        const struct sealed *s =
            ledger_find(sim, author, entry->header.incarnation, entry->header.seq);
        if (!s || !s->left || !hash_equal(&s->head.hash, &entry->hash))
            sim_fail(sim, "log entry %lld is not what %s sealed as %llu", (long long)index, name,
                     (unsigned long long)entry->header.seq);
    }
    entry_free(entry);
}

static void check_pictures(struct sim *sim) {
    sqlite3_stmt *q = ledger_query(ledger_hub_db(sim),
                                   "SELECT a.agent, p.audience, p.incarnation, p.seq, p.plain "
                                   "FROM picture p JOIN author a ON a.id = p.author");
    while (!sim->failed && sqlite3_step(q) == SQLITE_ROW) {
        int author = ledger_author_at(sim, q, 0);
        uint64_t seq = (uint64_t)sqlite3_column_int64(q, 3);
        const struct sealed *s =
            author < 0 ? NULL : ledger_find(sim, author, (uint64_t)sqlite3_column_int64(q, 2), seq);
        const struct sealed_state *state =
            s && s->left ? ledger_state(s, sqlite3_column_blob(q, 1)) : NULL;
        if (!state || !bytes_equal(blob_bytes(state->plain), ledger_blob(q, 4)))
            sim_fail(sim, "the hub's picture of %s is not what was sealed as %llu",
                     author < 0 ? "a stranger" : sim_name(sim, author), (unsigned long long)seq);
        else if (!(ledger_holders(sim, author, &state->key_id) & SIM_BIT(SIM_HUB)))
            sim_fail(sim, "the hub opened a view of %s that was not for it", sim_name(sim, author));
    }
    ledger_query_done(q);
}

void ledger_check_hub(struct sim *sim) {
    if (!sim->hub.hub)
        return;
    sqlite3_stmt *q = ledger_query(
        ledger_hub_db(sim), "SELECT l.log_index, a.agent, l.body FROM log l JOIN author a ON "
                            "a.id = l.author WHERE l.log_index > ? ORDER BY l.log_index");
    sqlite3_bind_int64(q, 1, sim->ledger->log_index);
    while (!sim->failed && sqlite3_step(q) == SQLITE_ROW)
        check_row(sim, q);
    ledger_query_done(q);
    check_pictures(sim);
    q = ledger_query(ledger_hub_db(sim), "SELECT count(*) FROM fork");
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_int64(q, 0) > 0)
        sim_fail(sim, "the hub keeps a fork of honest agents");
    ledger_query_done(q);
    sim->seen.checks++;
}

/* ---- an agent's own tables ---- */

static uint64_t digest_column(uint64_t h, sqlite3_stmt *q, int column) {
    const uint8_t *data = sqlite3_column_blob(q, column);
    int len = sqlite3_column_bytes(q, column);
    h = (h ^ (uint64_t)sqlite3_column_type(q, column)) * UINT64_C(0x100000001b3);
    for (int i = 0; i < len; i++)
        h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    return (h ^ (uint64_t)len) * UINT64_C(0x100000001b3);
}

/* Of everything a person entered or decided there. */
static uint64_t digest_rows(struct sim *sim, int agent) {
    static const char *const tables[] = {"SELECT * FROM site ORDER BY id",
                                         "SELECT * FROM line ORDER BY id",
                                         "SELECT * FROM line_attribute ORDER BY line, name",
                                         "SELECT * FROM capacity ORDER BY line",
                                         "SELECT * FROM policy ORDER BY version",
                                         "SELECT * FROM partner ORDER BY member"};
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        sqlite3_stmt *q = ledger_query(ledger_agent_db(sim, agent), tables[t]);
        while (sqlite3_step(q) == SQLITE_ROW)
            for (int c = 0; c < sqlite3_column_count(q); c++)
                h = digest_column(h, q, c);
        ledger_query_done(q);
        h = (h ^ t) * UINT64_C(0x100000001b3);
    }
    return h;
}

const struct ledger_truth *ledger_truth(struct sim *sim, int agent) {
    return &sim->ledger->authors[agent].truth;
}

void ledger_wrote(struct sim *sim, int agent, const struct ledger_truth *meant, enum err code,
                  bool crashed) {
    struct author_ledger *l = &sim->ledger->authors[agent];
    uint64_t rows = digest_rows(sim, agent);
    struct ledger_truth after = code == ERR_OK ? *meant : l->truth;
    after.rows = rows;
    if (code != ERR_OK && rows != l->truth.rows)
        sim_fail(sim, "%s: a write that failed with %s changed something", sim_name(sim, agent),
                 error_name(code));
    if (!crashed) {
        l->truth = after;
        return;
    }
    l->doubtful = after;
    l->in_doubt = true;
}

static void check_own_feed(struct sim *sim, int agent) {
    struct author_ledger *l = &sim->ledger->authors[agent];
    sqlite3_stmt *q = ledger_query(ledger_agent_db(sim, agent),
                                   "SELECT hash FROM own_entry WHERE seq = ? AND incarnation = ?");
    for (size_t i = 0; i < l->count; i++) {
        struct hash hash;
        if (!l->list[i].left)
            continue;
        sqlite3_bind_int64(q, 1, (int64_t)l->list[i].head.seq);
        sqlite3_bind_int64(q, 2, (int64_t)l->list[i].head.incarnation);
        bool held = sqlite3_step(q) == SQLITE_ROW && ledger_hash(q, 0, &hash) &&
                    hash_equal(&hash, &l->list[i].head.hash);
        sqlite3_reset(q);
        if (!held)
            sim_fail(sim, "%s sent its entry %llu and does not hold it after a crash",
                     sim_name(sim, agent), (unsigned long long)l->list[i].head.seq);
    }
    ledger_query_done(q);
}

void ledger_agent_restarted(struct sim *sim, int agent) {
    struct author_ledger *l = &sim->ledger->authors[agent];
    uint64_t rows = digest_rows(sim, agent);
    if (!l->begun)
        l->truth.rows = rows;
    else if (l->in_doubt && rows == l->doubtful.rows)
        l->truth = l->doubtful;
    else if (rows != l->truth.rows)
        sim_fail(sim, "%s lost, after a crash, something it had reported as done",
                 sim_name(sim, agent));
    l->begun = true;
    l->in_doubt = false;
    check_own_feed(sim, agent);
    ledger_forget_unsent(sim, agent);
    ledger_check_reader(sim, agent);
}
