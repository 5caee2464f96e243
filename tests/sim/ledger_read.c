/* Owns the truth about what arrives: every picture and key a reader holds is something its author
 * sealed for it, in the newest form it was given. Must not judge what should have arrived
 * (ledger_end.c). */
#include <stdlib.h>
#include <string.h>

#include "ledger_private.h"

/* ---- marks ---- */

static struct reader_mark *find_mark(struct sim *sim, int reader, int author,
                                     const uint8_t *audience) {
    struct ledger *l = sim->ledger;
    for (size_t i = 0; i < l->mark_count; i++)
        if (l->marks[i].reader == reader && l->marks[i].author == author &&
            memcmp(l->marks[i].audience, audience, AUDIENCE_ID_LEN) == 0)
            return &l->marks[i];
    if (l->mark_count == l->mark_cap) {
        l->mark_cap = l->mark_cap ? l->mark_cap * 2 : 32;
        l->marks = realloc(l->marks, l->mark_cap * sizeof *l->marks);
        if (!l->marks)
            abort();
    }
    struct reader_mark *mark = &l->marks[l->mark_count++];
    *mark = (struct reader_mark){.reader = reader, .author = author};
    memcpy(mark->audience, audience, AUDIENCE_ID_LEN);
    return mark;
}

/* ---- lines ---- */

static bool same_amount(sqlite3_stmt *q, int column, const struct amount *a) {
    if (sqlite3_column_type(q, column) == SQLITE_NULL)
        return !a->known;
    return a->known && sqlite3_column_int64(q, column) == a->value;
}

static bool same_text(sqlite3_stmt *q, int column, const char *text) {
    return strcmp((const char *)sqlite3_column_text(q, column), text) == 0;
}

static bool same_figure(sqlite3_stmt *q, const struct disclosed *f) {
    struct amount low = {f->has_band, f->low}, high = {f->has_band && f->high.known, f->high.value};
    return same_amount(q, 3, &f->available) && same_amount(q, 4, &f->total) &&
           same_amount(q, 5, &f->occupied) && same_amount(q, 6, &f->held) &&
           same_amount(q, 7, &f->blocked) && same_amount(q, 8, &f->need) &&
           sqlite3_column_int64(q, 9) == (int64_t)f->status && same_amount(q, 10, &low) &&
           same_amount(q, 11, &high) && sqlite3_column_int64(q, 12) == f->observed_ms &&
           sqlite3_column_int64(q, 13) == f->valid_until_ms && same_text(q, 14, f->note);
}

static const struct seen_line *find_line(const struct snapshot *s, sqlite3_stmt *q) {
    for (size_t i = 0; i < s->line_count; i++)
        if (sqlite3_column_int64(q, 0) == s->lines[i].site &&
            same_text(q, 1, s->lines[i].service) && same_text(q, 2, s->lines[i].ward))
            return &s->lines[i];
    return NULL;
}

/* Lines may be missing where another audience of the same author has the later word on their
 * service; *ret_lines says how many are there. */
static bool same_lines(struct sim *sim, int reader, int64_t picture, const struct snapshot *s,
                       size_t *ret_lines) {
    sqlite3_stmt *q = ledger_query(
        ledger_agent_db(sim, reader),
        "SELECT site, service, ward, available, total, occupied, held, blocked, need, status, low, "
        "high, observed_ms, valid_until_ms, note FROM seen_line WHERE picture = ?");
    bool same = true;
    size_t lines = 0;
    sqlite3_bind_int64(q, 1, picture);
    while (same && sqlite3_step(q) == SQLITE_ROW) {
        const struct seen_line *line = find_line(s, q);
        same = line && same_figure(q, &line->figure);
        lines++;
    }
    ledger_query_done(q);
    *ret_lines = lines;
    return same;
}

/* ---- pictures ---- */

struct found {
    int64_t id;
    int author;
    uint8_t audience[AUDIENCE_ID_LEN];
    struct head head;
    uint64_t counter;
    int64_t received_ms;
};

static struct snapshot *snapshot_of(struct sim *sim, const struct sealed *s,
                                    const struct sealed_state *state, int64_t received_ms) {
    struct snapshot *snapshot = NULL;
    struct error e = {0};
    int64_t shift_ms = received_ms < s->claimed_ms ? received_ms - s->claimed_ms : 0;
    if (snapshot_decode(blob_bytes(state->plain), &snapshot, &e) != ERR_OK ||
        snapshot_apply_clock(snapshot, shift_ms, INT64_C(3650) * SIM_DAY_MS, &e) != ERR_OK)
        sim_fail(sim, "a sealed state cannot be read again: %s", e.detail);
    return snapshot;
}

static void check_content(struct sim *sim, int reader, const struct found *f,
                          const struct sealed *s, const struct sealed_state *state) {
    size_t lines = 0;
    struct snapshot *snapshot = snapshot_of(sim, s, state, f->received_ms);
    if (snapshot &&
        (!same_lines(sim, reader, f->id, snapshot, &lines) || snapshot->counter != f->counter))
        sim_fail(sim, "%s's picture of %s is not what %llu said", sim_name(sim, reader),
                 sim_name(sim, f->author), (unsigned long long)f->head.seq);
    snapshot_free(snapshot);
}

static void check_picture(struct sim *sim, int reader, const struct found *f) {
    struct reader_mark *mark = find_mark(sim, reader, f->author, f->audience);
    const struct sealed *s = ledger_find(sim, f->author, f->head.incarnation, f->head.seq);
    const struct sealed_state *state = s && s->left ? ledger_state(s, f->audience) : NULL;
    const char *who = sim_name(sim, reader), *whom = sim_name(sim, f->author);
    if (!state)
        sim_fail(sim, "%s holds a picture of %s that was never sealed as %llu", who, whom,
                 (unsigned long long)f->head.seq);
    else if (!(ledger_holders(sim, f->author, &state->key_id) & SIM_BIT(reader)))
        sim_fail(sim, "%s holds a picture of %s that was not sealed for it", who, whom);
    else if (f->head.seq < mark->head.seq || f->counter < mark->counter)
        sim_fail(sim, "%s's picture of %s goes back from %llu to %llu", who, whom,
                 (unsigned long long)mark->head.seq, (unsigned long long)f->head.seq);
    else
        check_content(sim, reader, f, s, state);
    mark->head = f->head;
    mark->counter = f->counter;
}

static bool read_found(struct sim *sim, sqlite3_stmt *q, struct found *ret) {
    struct public_key agent;
    if (!ledger_key(q, 1, &agent) || sqlite3_column_bytes(q, 2) != AUDIENCE_ID_LEN)
        return false;
    *ret = (struct found){.id = sqlite3_column_int64(q, 0),
                          .author = ledger_author(sim, &agent),
                          .head = {.incarnation = (uint64_t)sqlite3_column_int64(q, 3),
                                   .seq = (uint64_t)sqlite3_column_int64(q, 4)},
                          .counter = (uint64_t)sqlite3_column_int64(q, 5),
                          .received_ms = sqlite3_column_int64(q, 6)};
    memcpy(ret->audience, sqlite3_column_blob(q, 2), AUDIENCE_ID_LEN);
    return ret->author >= 0;
}

static void check_keys(struct sim *sim, int reader) {
    sqlite3_stmt *q =
        ledger_query(ledger_agent_db(sim, reader), "SELECT agent, key_id FROM held_key");
    while (!sim->failed && sqlite3_step(q) == SQLITE_ROW) {
        struct hash key_id;
        int author = ledger_author_at(sim, q, 0);
        bool given = author >= 0 && ledger_hash(q, 1, &key_id) &&
                     ledger_holders(sim, author, &key_id) & SIM_BIT(reader);
        if (!given)
            sim_fail(sim, "%s holds a key that nobody granted it", sim_name(sim, reader));
    }
    ledger_query_done(q);
}

void ledger_check_reader(struct sim *sim, int reader) {
    if (!sim->agents[reader].agent)
        return;
    sqlite3_stmt *q = ledger_query(ledger_agent_db(sim, reader),
                                   "SELECT id, agent, audience, incarnation, seq, counter, "
                                   "received_ms FROM picture");
    while (!sim->failed && sqlite3_step(q) == SQLITE_ROW) {
        struct found f;
        if (!read_found(sim, q, &f))
            sim_fail(sim, "%s holds a picture of a stranger", sim_name(sim, reader));
        else
            check_picture(sim, reader, &f);
    }
    ledger_query_done(q);
    check_keys(sim, reader);
    sim->seen.checks++;
}

/* ---- after each step ---- */

static void check_exactness(struct sim *sim, int reader, int64_t picture) {
    sqlite3_stmt *q = ledger_query(
        ledger_agent_db(sim, reader),
        "SELECT count(*) FROM seen_line WHERE picture = ? AND coalesce(available, total, occupied, "
        "held, blocked, need) IS NOT NULL");
    sqlite3_bind_int64(q, 1, picture);
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_int64(q, 0) > 0)
        sim_fail(sim, "%s holds a figure finer than the precision at which it was sealed",
                 sim_name(sim, reader));
    ledger_query_done(q);
}

static bool only_services(const struct sealed_state *state, uint32_t services) {
    struct snapshot *said = NULL;
    bool only = snapshot_decode(blob_bytes(state->plain), &said, NULL) == ERR_OK;
    for (size_t i = 0; only && i < said->line_count; i++)
        only = sim_service_shared(services, said->lines[i].service);
    snapshot_free(said);
    return only;
}

/* A state of that audience was sealed after `s` and not after `until`. */
static bool replaced(const struct author_ledger *l, const struct sealed *s, const uint8_t *audience,
                     uint64_t until) {
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].head.seq > s->head.seq && l->list[i].head.seq <= until &&
            ledger_state(&l->list[i], audience))
            return true;
    return false;
}

/* Who joins an audience is granted its key of now, and sees what its members saw at that moment:
 * the newest state, although it was sealed before. Nothing older, unless the hub is one that hands
 * out old states, and no service that was no longer shared then. That policy allowed the grant was
 * looked at when it was sealed (ledger_seal.c). */
static bool granted_later(struct sim *sim, int author, const struct sealed *s,
                          const struct sealed_state *state, int reader) {
    const struct author_ledger *l = &sim->ledger->authors[author];
    for (size_t i = 0; i < l->count; i++)
        for (size_t g = 0; g < l->list[i].grant_count && l->list[i].head.seq > s->head.seq; g++) {
            const struct sealed_grant *grant = &l->list[i].grants[g];
            if (grant->reader != reader || !hash_equal(&grant->key_id, &state->key_id))
                continue;
            if (sim->climate.dishonest > 0 ||
                (!replaced(l, s, state->audience, l->list[i].head.seq) &&
                 only_services(state, grant->services)))
                return true;
        }
    return false;
}

/* Rows: author's agent key, audience, incarnation, seq, and the picture's id. */
static void check_allowed_pictures(struct sim *sim, int reader, sqlite3 *db, const char *sql) {
    sqlite3_stmt *q = ledger_query(db, sql);
    while (!sim->failed && sqlite3_step(q) == SQLITE_ROW) {
        int author;
        const struct sealed *s = ledger_row(sim, q, &author);
        const struct sealed_state *state = s ? ledger_state(s, sqlite3_column_blob(q, 1)) : NULL;
        if (!state)
            sim_fail(sim, "%s holds figures of %s that were never sealed for that audience",
                     sim_name(sim, reader), author < 0 ? "a stranger" : sim_name(sim, author));
        else if (!(state->allowed & SIM_BIT(reader)) &&
                 !granted_later(sim, author, s, state, reader))
            sim_fail(sim,
                     "%s holds figures of %s that policy did not allow it when they were sealed",
                     sim_name(sim, reader), author < 0 ? "a stranger" : sim_name(sim, author));
        else if (reader != SIM_HUB && !state->exact)
            check_exactness(sim, reader, sqlite3_column_int64(q, 4));
    }
    ledger_query_done(q);
}

/* Rows: author's agent key, key id. A grant that policy did not allow fails when it is sealed. */
static void check_allowed_keys(struct sim *sim, int reader, sqlite3 *db, const char *sql) {
    sqlite3_stmt *q = ledger_query(db, sql);
    while (!sim->failed && sqlite3_step(q) == SQLITE_ROW) {
        struct hash key_id;
        int author = ledger_author_at(sim, q, 0);
        if (author < 0 || !ledger_hash(q, 1, &key_id) ||
            !(ledger_holders(sim, author, &key_id) & SIM_BIT(reader)))
            sim_fail(sim, "%s holds a key that policy did not allow it", sim_name(sim, reader));
    }
    ledger_query_done(q);
}

void ledger_check_allowed(struct sim *sim) {
    for (int i = 0; i < sim->agent_count && !sim->failed; i++) {
        if (!sim->agents[i].agent)
            continue;
        sqlite3 *db = ledger_agent_db(sim, i);
        check_allowed_keys(sim, i, db, "SELECT agent, key_id FROM held_key");
        check_allowed_pictures(sim, i, db, LEDGER_PICTURES);
    }
    if (sim->failed || !sim->hub.hub)
        return;
    sqlite3 *db = ledger_hub_db(sim);
    check_allowed_keys(sim, SIM_HUB, db,
                       "SELECT a.agent, k.key_id FROM held_key k JOIN author a ON a.id = k.author");
    check_allowed_pictures(sim, SIM_HUB, db,
                           "SELECT a.agent, p.audience, p.incarnation, p.seq, 0 FROM picture p "
                           "JOIN author a ON a.id = p.author");
    sim->seen.checks++;
}

/* ---- at the end ---- */

struct head ledger_picture(struct sim *sim, int reader, int author, const uint8_t *audience,
                           size_t *ret_lines) {
    struct head head = {0};
    const char *sql = reader == SIM_HUB
                          ? "SELECT 0, p.incarnation, p.seq, 0 FROM picture p JOIN author a ON "
                            "a.id = p.author WHERE a.agent = ? AND p.audience = ?"
                          : "SELECT id, incarnation, seq, (SELECT count(*) FROM seen_line l WHERE "
                            "l.picture = p.id) FROM picture p WHERE agent = ? AND audience = ?";
    sqlite3_stmt *q =
        ledger_query(reader == SIM_HUB ? ledger_hub_db(sim) : ledger_agent_db(sim, reader), sql);
    sqlite3_bind_blob(q, 1, sim->agents[author].key.b, KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(q, 2, audience, AUDIENCE_ID_LEN, SQLITE_STATIC);
    if (sqlite3_step(q) == SQLITE_ROW) {
        head.incarnation = (uint64_t)sqlite3_column_int64(q, 1);
        head.seq = (uint64_t)sqlite3_column_int64(q, 2);
        *ret_lines = (size_t)sqlite3_column_int64(q, 3);
    }
    ledger_query_done(q);
    return head;
}
