/* Owns the defects that are made behind the product's back, in its databases: each stands for a
 * rule that a version of the product could break, and must be found by the ledger's checks. Does
 * nothing unless a mutation asks for it. */
#include <stdio.h>
#include <stdlib.h>

#include "ledger_private.h"

static void run(sqlite3 *db, const char *sql) {
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK)
        return;
    fprintf(stderr, "the mutation does not fit the schema: %s: %s\n", sql, why);
    abort();
}

void sim_mutate_before_batch(struct sim *sim, int i) {
    char sql[128];
    if (sim->mutation != MUTATION_OLD_KEY)
        return;
    snprintf(sql, sizeof sql, "UPDATE audience SET key_ms = %lld",
             (long long)sim_agent_clock(sim, i));
    run(ledger_agent_db(sim, i), sql);
}

void sim_mutate_forgotten(struct sim *sim, int i) {
    if (sim->mutation == MUTATION_NO_REKEY)
        run(ledger_agent_db(sim, i), "DELETE FROM granted WHERE member NOT IN (SELECT member FROM "
                                     "partner) AND member NOT IN (SELECT key FROM network)");
}

static bool author_of(const struct blob *excerpt, struct public_key *ret) {
    struct entry *entry = NULL;
    if (excerpt_parse(blob_bytes(excerpt), &entry, NULL) != ERR_OK)
        return false;
    *ret = entry->header.agent;
    entry_free(entry);
    return true;
}

static void forget_author(sqlite3 *db, const char *sql, const struct public_key *agent) {
    sqlite3_stmt *q = ledger_query(db, sql);
    sqlite3_bind_blob(q, 1, agent->b, KEY_LEN, SQLITE_STATIC);
    (void)sqlite3_step(q);
    ledger_query_done(q);
}

/* An older state is taken for news: the reader has forgotten that it held a newer one. */
static void take_older(struct sim *sim, int i, struct sim_step *step) {
    struct sim_agent *a = &sim->agents[i];
    struct public_key now, kept;
    if (!author_of(step->effect.data, &now))
        return;
    if (!a->kept_state) {
        a->kept_state = blob_ref(step->effect.data);
        return;
    }
    if (!author_of(a->kept_state, &kept) || !key_equal(&now, &kept))
        return;
    sqlite3 *db = ledger_agent_db(sim, i);
    forget_author(db, "DELETE FROM picture WHERE agent = ?", &now);
    forget_author(db, "DELETE FROM peer_header WHERE agent = ?", &now);
    blob_unref(step->effect.data);
    step->effect.data = a->kept_state;
    a->kept_state = NULL;
}

void sim_mutate_before_take(struct sim *sim, int i, struct sim_step *step) {
    bool state = step->effect.kind == AGENT_EFFECT_TAKE && step->effect.class_ == CLASS_STATES;
    if (sim->mutation == MUTATION_OLD_PICTURE && state && prng_chance(&sim->prng, 200))
        take_older(sim, i, step);
}

void sim_mutate_after_take(struct sim *sim, int i, const struct sim_step *step) {
    bool state = step->effect.kind == AGENT_EFFECT_TAKE && step->effect.class_ == CLASS_STATES;
    if (sim->mutation == MUTATION_PAINTED_PICTURE && state && prng_chance(&sim->prng, 200))
        run(ledger_agent_db(sim, i), "UPDATE seen_line SET total = 4711 WHERE id = (SELECT max(id) "
                                     "FROM seen_line)");
}

void sim_mutate_before_sums(struct sim *sim) {
    if (sim->mutation == MUTATION_WRONG_SUM)
        run(ledger_hub_db(sim),
            "DELETE FROM picture WHERE rowid = (SELECT min(rowid) FROM picture)");
}

/* ---- what no reader may hold ---- */

static void stray_key(struct sim *sim, int to) {
    int from = (int)prng_below(&sim->prng, (uint64_t)sim->agent_count);
    if (from == to || !sim->agents[from].agent)
        return;
    sqlite3_stmt *q =
        ledger_query(ledger_agent_db(sim, from),
                     "SELECT agent, key_id, audience, key, incarnation, seq, received_ms "
                     "FROM held_key LIMIT 1");
    sqlite3_stmt *put =
        ledger_query(ledger_agent_db(sim, to),
                     "INSERT OR IGNORE INTO held_key(network, agent, key_id, audience, "
                     "key, incarnation, seq, received_ms) SELECT id, ?, ?, ?, ?, ?, ?, "
                     "? FROM network");
    if (sqlite3_step(q) == SQLITE_ROW) {
        for (int i = 0; i < 7; i++)
            sqlite3_bind_value(put, i + 1, sqlite3_column_value(q, i));
        (void)sqlite3_step(put);
    }
    ledger_query_done(q);
    ledger_query_done(put);
}

/* One audience's picture in the place of another's, of the same entry. */
static void stray_picture(struct sim *sim, int reader) {
    sqlite3 *db = ledger_agent_db(sim, reader);
    sqlite3_stmt *q = ledger_query(db, LEDGER_PICTURES);
    sqlite3_stmt *put = ledger_query(db, "UPDATE OR IGNORE picture SET audience = ? WHERE id = ?");
    while (sqlite3_step(q) == SQLITE_ROW) {
        int author;
        const struct sealed *s = ledger_row(sim, q, &author);
        for (size_t k = 0; s && k < s->state_count; k++) {
            if (ledger_holders(sim, author, &s->states[k].key_id) & SIM_BIT(reader))
                continue;
            sqlite3_bind_blob(put, 1, s->states[k].audience, AUDIENCE_ID_LEN, SQLITE_STATIC);
            sqlite3_bind_int64(put, 2, sqlite3_column_int64(q, 4));
            (void)sqlite3_step(put);
            sqlite3_reset(put);
        }
    }
    ledger_query_done(q);
    ledger_query_done(put);
}

/* What the same key opened earlier, before the reader was granted it. */
static uint64_t earlier_seq(struct sim *sim, int author, const struct sealed *now,
                            const uint8_t *audience, int reader) {
    const struct author_ledger *l = now ? &sim->ledger->authors[author] : NULL;
    const struct sealed_state *held = now ? ledger_state(now, audience) : NULL;
    for (size_t i = 0; held && i < l->count; i++) {
        const struct sealed_state *state = ledger_state(&l->list[i], audience);
        if (l->list[i].head.seq < now->head.seq && state &&
            hash_equal(&state->key_id, &held->key_id) && !(state->allowed & SIM_BIT(reader)))
            return l->list[i].head.seq;
    }
    return 0;
}

/* A newcomer is shown more than the newest state. */
static void earlier_picture(struct sim *sim, int reader) {
    sqlite3 *db = ledger_agent_db(sim, reader);
    sqlite3_stmt *q = ledger_query(db, LEDGER_PICTURES);
    sqlite3_stmt *put = ledger_query(db, "UPDATE OR IGNORE picture SET seq = ? WHERE id = ?");
    while (sqlite3_step(q) == SQLITE_ROW) {
        int author;
        const struct sealed *now = ledger_row(sim, q, &author);
        uint64_t seq = earlier_seq(sim, author, now, sqlite3_column_blob(q, 1), reader);
        if (seq == 0)
            continue;
        sqlite3_bind_int64(put, 1, (int64_t)seq);
        sqlite3_bind_int64(put, 2, sqlite3_column_int64(q, 4));
        (void)sqlite3_step(put);
        sqlite3_reset(put);
    }
    ledger_query_done(q);
    ledger_query_done(put);
}

void sim_mutate_after_step(struct sim *sim) {
    int i = (int)prng_below(&sim->prng, (uint64_t)sim->agent_count);
    if (sim->mutation == MUTATION_NONE || !sim->agents[i].agent)
        return;
    sqlite3 *db = ledger_agent_db(sim, i);
    if (sim->mutation == MUTATION_STRAY_KEY)
        stray_key(sim, i);
    if (sim->mutation == MUTATION_FINER_FIGURE)
        run(db, "UPDATE seen_line SET total = high WHERE high IS NOT NULL");
    if (sim->mutation == MUTATION_STRAY_PICTURE)
        stray_picture(sim, i);
    if (sim->mutation == MUTATION_EARLIER_PICTURE)
        earlier_picture(sim, i);
}
