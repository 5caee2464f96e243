/* Owns the last question: once the network healed and everything came to rest, does every reader
 * see what its author's policy gives it, and the hub's aggregate add up to what members gave the
 * hub? Must not change anything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/find.h"
#include "ledger_private.h"

static bool admitted(struct sim *sim, int i) {
    const struct member *m =
        sim->agents[i].known ? directory_member(hub_directory(sim->hub.hub), &sim->agents[i].member)
                             : NULL;
    return m && m->state == MEMBER_ADMITTED;
}

/* The id that stands for an audience of the policy; false: none was made. */
static bool audience_id(struct sim *sim, int author, const char *name,
                        uint8_t ret[AUDIENCE_ID_LEN]) {
    sqlite3_stmt *q =
        ledger_query(ledger_agent_db(sim, author), "SELECT id FROM audience WHERE name = ?");
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    bool found = sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 0) == AUDIENCE_ID_LEN;
    if (found)
        memcpy(ret, sqlite3_column_blob(q, 0), AUDIENCE_ID_LEN);
    ledger_query_done(q);
    return found;
}

static bool says(struct sim *sim, int author, const struct head *head, const uint8_t *id,
                 const struct snapshot *right) {
    struct hash a, b;
    struct snapshot *said = NULL;
    const struct sealed *s = ledger_find(sim, author, head->incarnation, head->seq);
    const struct sealed_state *state = s ? ledger_state(s, id) : NULL;
    bool same = state && snapshot_decode(blob_bytes(state->plain), &said, NULL) == ERR_OK &&
                snapshot_digest(said, &a, NULL) == ERR_OK &&
                snapshot_digest(right, &b, NULL) == ERR_OK && hash_equal(&a, &b);
    snapshot_free(said);
    return same;
}

static void check_view(struct sim *sim, int author, const char *name, int reader) {
    uint8_t id[AUDIENCE_ID_LEN];
    size_t lines = 0;
    const char *who = sim_name(sim, reader), *whom = sim_name(sim, author);
    struct snapshot *right = ledger_compose(sim, author, name);
    if (!right)
        return;
    struct head head = {0};
    sim->seen.views++;
    if (audience_id(sim, author, name, id))
        head = ledger_picture(sim, reader, author, id, &lines);
    if (head.seq == 0)
        sim_fail(sim, "%s never got the picture '%s' of %s that it may see", who, name, whom);
    else if (!says(sim, author, &head, id, right))
        sim_fail(sim, "%s sees %s '%s' as of entry %llu, which is not what it is now", who, whom,
                 name, (unsigned long long)head.seq);
    else if (reader != SIM_HUB && lines != right->line_count)
        sim_fail(sim, "%s shows %zu of %zu lines of %s '%s'", who, lines, right->line_count, whom,
                 name);
    snapshot_free(right);
}

/* What `find` prints at the reader against what `policy preview` prints at the author. `verified`
 * is the reader's own word, `why` the author's. Rows of audiences it has left since may stay there
 * as they were. */
static bool is_among(json_t *row, json_t *rows) {
    size_t index;
    json_t *other;
    json_object_del(row, "verified");
    json_object_del(row, "why");
    json_array_foreach(rows, index, other) {
        json_object_del(other, "verified");
        if (json_equal(row, other))
            return true;
    }
    return false;
}

static void check_find(struct sim *sim, int author, int reader) {
    struct find_filter all = {.service = NULL};
    json_t *preview = NULL, *found = NULL, *row;
    struct error e = {0};
    size_t index;
    if (find_preview(sim->agents[author].agent, &sim->agents[reader].member, sim->now_ms, &preview,
                     &e) != ERR_OK ||
        find_rows(sim->agents[reader].agent, &all, sim->now_ms, &found, &e) != ERR_OK)
        sim_fail(sim, "find or preview fails: %s", e.detail);
    json_array_foreach(preview, index, row) {
        sim->seen.views++;
        if (sim->failed || is_among(row, found))
            continue;
        char *text = json_dumps(row, JSON_COMPACT);
        sim_fail(sim, "%s does not find what %s previews for it: %.600s", sim_name(sim, reader),
                 sim_name(sim, author), text);
        free(text);
    }
    json_decref(preview);
    json_decref(found);
}

/* Nothing of a member that is not admitted is shown. */
static void check_hidden(struct sim *sim, int reader) {
    struct find_filter all = {.service = NULL};
    json_t *found = NULL, *row;
    struct error e = {0};
    size_t index;
    if (find_rows(sim->agents[reader].agent, &all, sim->now_ms, &found, &e) != ERR_OK)
        sim_fail(sim, "find fails: %s", e.detail);
    json_array_foreach(found, index, row) {
        const char *name = json_string_value(json_object_get(row, "member"));
        for (int i = 0; name && i < sim->agent_count; i++)
            if (strcmp(name, sim->agents[i].name) == 0 && !admitted(sim, i))
                sim_fail(sim, "%s shows rows of %s, which is not admitted", sim_name(sim, reader),
                         name);
    }
    json_decref(found);
}

static void check_author(struct sim *sim, int author) {
    const struct ledger_policy *p = &sim->ledger->authors[author].truth.policy;
    for (size_t i = 0; i < p->count && !sim->failed; i++)
        for (int r = 0; r <= SIM_HUB && !sim->failed; r++) {
            /* What a dishonest hub said was delivered is not asked for again. */
            bool reachable = r == SIM_HUB || (r < sim->agent_count && admitted(sim, r) &&
                                              sim->climate.dishonest == 0);
            if (!reachable || !ledger_allows(sim, author, p->list[i].name, r))
                continue;
            check_view(sim, author, p->list[i].name, r);
            if (!sim->failed && r != SIM_HUB && !sim->climate.skewed)
                check_find(sim, author, r);
        }
}

/* ---- the aggregate ---- */

struct sum {
    bool known, open_ended;
    int64_t low, high;
};

/* The newest state of each audience, if the hub was given its key; its place in the feed ranks. */
static struct snapshot *hub_sees(struct sim *sim, int author, const char *service) {
    const struct author_ledger *l = &sim->ledger->authors[author];
    uint8_t done[64][AUDIENCE_ID_LEN];
    size_t done_count = 0;
    for (size_t i = l->count; i > 0; i--) {
        const struct sealed *s = &l->list[i - 1];
        for (size_t k = 0; k < s->state_count; k++) {
            const struct sealed_state *state = &s->states[k];
            bool newest = true;
            for (size_t d = 0; d < done_count; d++)
                newest &= memcmp(done[d], state->audience, AUDIENCE_ID_LEN) != 0;
            if (!newest || done_count == 64)
                continue;
            memcpy(done[done_count++], state->audience, AUDIENCE_ID_LEN);
            struct snapshot *snapshot = NULL;
            if (!(ledger_holders(sim, author, &state->key_id) & SIM_BIT(SIM_HUB)) ||
                snapshot_decode(blob_bytes(state->plain), &snapshot, NULL) != ERR_OK)
                continue;
            for (size_t n = 0; n < snapshot->line_count; n++)
                if (strcmp(snapshot->lines[n].service, service) == 0)
                    return snapshot;
            snapshot_free(snapshot);
        }
    }
    return NULL;
}

static void add_lines(struct sum *sum, const struct snapshot *s, const char *service,
                      int64_t shift_ms, int64_t now_ms) {
    for (size_t i = 0; s && i < s->line_count; i++) {
        const struct disclosed *f = &s->lines[i].figure;
        bool counts = strcmp(s->lines[i].service, service) == 0 &&
                      f->valid_until_ms + shift_ms > now_ms && f->observed_ms != 0;
        if (!counts || (!f->has_band && !f->available.known))
            continue;
        sum->known = true;
        sum->low += f->has_band ? f->low : f->available.value;
        sum->high += f->has_band ? f->high.value : f->available.value;
        sum->open_ended |= f->has_band && !f->high.known;
    }
}

static bool row_says(const json_t *row, const struct sum *sum) {
    const json_t *available = json_object_get(row, "available");
    const json_t *low = json_object_get(available, "low"),
                 *high = json_object_get(available, "high");
    if (!sum->known)
        return json_is_null(low) && json_is_null(high);
    if (!json_is_integer(low) || json_integer_value(low) != sum->low)
        return false;
    return sum->open_ended ? json_is_null(high) : json_integer_value(high) == sum->high;
}

/* Clocks that run ahead are corrected by when the hub took the entry; here none of them does. */
static void check_service(struct sim *sim, const json_t *rows, const char *service) {
    struct sum sum = {0};
    for (int i = 0; i < sim->agent_count; i++) {
        if (!admitted(sim, i))
            continue;
        struct snapshot *s = hub_sees(sim, i, service);
        add_lines(&sum, s, service, 0, sim->now_ms);
        snapshot_free(s);
    }
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row) {
        const char *code = json_string_value(json_object_get(row, "service"));
        if (!code || strcmp(code, service) != 0 || !json_is_null(json_object_get(row, "region")) ||
            row_says(row, &sum))
            continue;
        char *text = json_dumps(json_object_get(row, "available"), JSON_COMPACT);
        sim_fail(sim, "the aggregate of %s is %s, expected %lld to %lld%s", service, text,
                 (long long)sum.low, (long long)sum.high,
                 !sum.known       ? " (nothing known)"
                 : sum.open_ended ? " or more"
                                  : "");
        free(text);
    }
}

static void check_aggregate(struct sim *sim) {
    json_t *rows = NULL;
    const struct charter *charter = directory_charter(hub_directory(sim->hub.hub));
    if (sim->climate.skewed)
        return;
    sim_mutate_before_sums(sim);
    if (sim_hub_call(sim, API_GET, "/v1/aggregate", NULL, &rows) != ERR_OK)
        sim_fail(sim, "the hub gives no aggregate");
    for (size_t i = 0; i < charter->service_count && !sim->failed; i++)
        check_service(sim, rows, charter->services[i].code);
    json_decref(rows);
}

void ledger_check_convergence(struct sim *sim) {
    ledger_check_hub(sim);
    for (int i = 0; i < sim->agent_count && !sim->failed; i++) {
        ledger_check_reader(sim, i);
        if (admitted(sim, i))
            check_hidden(sim, i);
        if (admitted(sim, i) && sim->agents[i].role != ROLE_OBSERVER)
            check_author(sim, i);
    }
    if (!sim->failed)
        check_aggregate(sim);
}
