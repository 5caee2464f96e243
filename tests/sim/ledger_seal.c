/* Owns the truth about what leaves: each sealed entry is opened with its readers' own keys, and
 * held against the policy, approvals and directory of that moment. Must not look at what arrived.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/records.h"
#include "agent/vault.h"
#include "ledger_private.h"

#define KEY_LIFE_MS (7 * SIM_DAY_MS)

void ledger_sealed_done(struct sealed *s) {
    for (size_t i = 0; i < s->state_count; i++)
        blob_unref(s->states[i].plain);
    free(s->grants);
    *s = (struct sealed){0};
}

struct sealed *ledger_find(struct sim *sim, int author, uint64_t incarnation, uint64_t seq) {
    struct author_ledger *l = &sim->ledger->authors[author];
    for (size_t i = l->count; i > 0; i--)
        if (l->list[i - 1].head.seq == seq && l->list[i - 1].head.incarnation == incarnation)
            return &l->list[i - 1];
    return NULL;
}

const struct sealed *ledger_row(struct sim *sim, sqlite3_stmt *q, int *ret_author) {
    *ret_author = ledger_author_at(sim, q, 0);
    return *ret_author < 0 ? NULL
                           : ledger_find(sim, *ret_author, (uint64_t)sqlite3_column_int64(q, 2),
                                         (uint64_t)sqlite3_column_int64(q, 3));
}

const struct sealed_state *ledger_state(const struct sealed *s, const uint8_t *audience) {
    for (size_t i = 0; i < s->state_count; i++)
        if (memcmp(s->states[i].audience, audience, AUDIENCE_ID_LEN) == 0)
            return &s->states[i];
    return NULL;
}

const struct sealed_key *ledger_find_key(struct sim *sim, int author, const struct hash *key_id) {
    struct author_ledger *l = &sim->ledger->authors[author];
    for (size_t i = 0; i < l->key_count; i++)
        if (hash_equal(&l->keys[i].key_id, key_id))
            return &l->keys[i];
    return NULL;
}

uint64_t ledger_holders(struct sim *sim, int author, const struct hash *key_id) {
    struct author_ledger *l = &sim->ledger->authors[author];
    uint64_t holders = 0;
    for (size_t i = 0; i < l->count; i++)
        for (size_t g = 0; g < l->list[i].grant_count; g++)
            if (hash_equal(&l->list[i].grants[g].key_id, key_id))
                holders |= SIM_BIT(l->list[i].grants[g].reader);
    return holders;
}

/* ---- who may read ---- */

static const struct ledger_audience *audience_named(struct sim *sim, int author, const char *name) {
    const struct ledger_policy *p = &sim->ledger->authors[author].truth.policy;
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->list[i].name, name) == 0)
            return &p->list[i];
    return NULL;
}

bool ledger_allows(struct sim *sim, int author, const char *name, int reader) {
    const struct ledger_audience *a = audience_named(sim, author, name);
    if (!a || reader < 0 || reader == author || !(a->members & SIM_BIT(reader)))
        return false;
    if (reader == SIM_HUB)
        return true;
    const struct directory *d = agent_directory(sim->agents[author].agent);
    const struct member *m = directory_member(d, &sim->agents[reader].member);
    return m && m->state == MEMBER_ADMITTED &&
           (sim->ledger->authors[author].truth.approved & SIM_BIT(reader));
}

static uint64_t allowed_bits(struct sim *sim, int author, const char *name) {
    uint64_t bits = 0;
    for (int i = 0; i < sim->agent_count; i++)
        bits |= ledger_allows(sim, author, name, i) ? SIM_BIT(i) : 0;
    return bits | (ledger_allows(sim, author, name, SIM_HUB) ? SIM_BIT(SIM_HUB) : 0);
}

/* ---- keys ---- */

static void audience_name(struct sim *sim, int author, const uint8_t *id, char out[CODE_MAX + 1]) {
    sqlite3_stmt *q =
        ledger_query(ledger_agent_db(sim, author), "SELECT name FROM audience WHERE id = ?");
    sqlite3_bind_blob(q, 1, id, AUDIENCE_ID_LEN, SQLITE_STATIC);
    out[0] = '\0';
    if (sqlite3_step(q) == SQLITE_ROW)
        snprintf(out, CODE_MAX + 1, "%s", (const char *)sqlite3_column_text(q, 0));
    ledger_query_done(q);
}

static void note_key(struct sim *sim, int author, const struct hash *key_id,
                     const struct audience_ctx *ctx, const struct audience_key *key) {
    struct author_ledger *l = &sim->ledger->authors[author];
    if (ledger_find_key(sim, author, key_id))
        return;
    if (l->key_count == l->key_cap) {
        l->key_cap = l->key_cap ? l->key_cap * 2 : 16;
        l->keys = realloc(l->keys, l->key_cap * sizeof *l->keys);
    }
    if (!l->keys)
        abort();
    struct sealed_key *k = &l->keys[l->key_count++];
    *k = (struct sealed_key){
        .key_id = *key_id, .ctx = *ctx, .key = *key, .first_ms = sim_agent_clock(sim, author)};
    audience_name(sim, author, ctx->audience, k->name);
    const struct ledger_audience *a = audience_named(sim, author, k->name);
    snprintf(k->precision, sizeof k->precision, "%s", a ? a->precision : "");
}

/* With any of the keys that the reader ever had: it never wipes one here. */
static enum err open_grant(struct sim *sim, int reader, const struct entry *entry,
                           const struct view *view, struct audience_ctx *ctx,
                           struct audience_key *key, struct error *e) {
    if (reader == SIM_HUB)
        return grant_open(&entry->header, &view->key_id, view->data, &sim->hub.box, ctx, key, e);
    enum err err = ERR_DECRYPT;
    const char *dir = sim->agents[reader].disk.dir;
    for (int64_t n = 1; err == ERR_DECRYPT && vault_has_box(dir, n); n++) {
        struct box_pair pair;
        int64_t since_ms = 0;
        err = vault_open_box(dir, n, &pair, &since_ms, e);
        if (err == ERR_OK)
            err = grant_open(&entry->header, &view->key_id, view->data, &pair, ctx, key, e);
    }
    return err;
}

static void take_grant(struct sim *sim, int author, const struct entry *entry,
                       const struct view *view, struct sealed *s) {
    struct public_key recipient;
    struct audience_ctx ctx;
    struct audience_key key;
    struct error e = {0};
    memcpy(recipient.b, view->target.b, KEY_LEN);
    int reader = ledger_reader(sim, &recipient);
    if (reader < 0) {
        sim_fail(sim, "%s grants a key to a stranger", sim_name(sim, author));
        return;
    }
    if (open_grant(sim, reader, entry, view, &ctx, &key, &e) != ERR_OK) {
        sim_fail(sim, "%s cannot open a grant of %s: %s", sim_name(sim, reader),
                 sim_name(sim, author), e.detail);
        return;
    }
    note_key(sim, author, &view->key_id, &ctx, &key);
    const char *name = ledger_find_key(sim, author, &view->key_id)->name;
    if (!ledger_allows(sim, author, name, reader))
        sim_fail(sim, "%s grants %s the key of audience '%s', which is not for it",
                 sim_name(sim, author), sim_name(sim, reader), name);
    const struct ledger_audience *a = audience_named(sim, author, name);
    s->grants[s->grant_count++] = (struct sealed_grant){view->key_id, reader, a ? a->services : 0};
}

/* A sender never goes back to an older key of an audience. */
static void check_key_order(struct sim *sim, int author, const struct sealed_state *state) {
    struct author_ledger *l = &sim->ledger->authors[author];
    bool newer = false;
    for (size_t i = l->count; i > 0; i--) {
        const struct sealed_state *before = ledger_state(&l->list[i - 1], state->audience);
        if (!before)
            continue;
        bool same = hash_equal(&before->key_id, &state->key_id);
        if (same && newer)
            sim_fail(sim, "%s seals with an older key of an audience again", sim_name(sim, author));
        newer |= !same;
    }
}

/* ---- states ---- */

static const struct policy_audience *policy_named(const struct policy *p, const char *name) {
    for (size_t i = 0; p && i < p->audience_count; i++)
        if (strcmp(p->audiences[i].name, name) == 0)
            return &p->audiences[i];
    return NULL;
}

/* What the audience should see now; NULL after a failure of the world. */
struct snapshot *ledger_compose(struct sim *sim, int author, const char *name) {
    struct agent *a = sim->agents[author].agent;
    const struct policy_audience *p = policy_named(agent_policy(a), name);
    struct records records = {0};
    struct snapshot *s = NULL;
    struct error e = {0};
    if (!p || records_load(a, &records, &e) != ERR_OK ||
        snapshot_compose(p, agent_charter(a), directory_charter_version(agent_directory(a)),
                         records.sites, records.site_count, records.lines, records.line_count, &s,
                         &e) != ERR_OK)
        sim_fail(sim, "%s: audience '%s' cannot be composed: %s", sim_name(sim, author), name,
                 p ? e.detail : "not in the policy");
    records_done(&records);
    return s;
}

static bool same_snapshot(const struct snapshot *left, const struct snapshot *right) {
    struct hash a, b;
    return snapshot_digest(left, &a, NULL) == ERR_OK &&
           snapshot_digest(right, &b, NULL) == ERR_OK && hash_equal(&a, &b);
}

static void check_content(struct sim *sim, int author, const struct sealed_key *key,
                          struct bytes plain) {
    const struct ledger_audience *a = audience_named(sim, author, key->name);
    struct error e = {0};
    struct snapshot *said = NULL, *right = ledger_compose(sim, author, key->name);
    if (snapshot_decode(plain, &said, &e) != ERR_OK)
        sim_fail(sim, "%s sealed a state that cannot be read: %s", sim_name(sim, author), e.detail);
    else if (right && !same_snapshot(said, right))
        sim_fail(sim, "%s sealed for '%s' something else than its records give",
                 sim_name(sim, author), key->name);
    for (size_t i = 0; said && a && i < said->line_count; i++) {
        const struct disclosed *f = &said->lines[i].figure;
        if (!sim_service_shared(a->services, said->lines[i].service))
            sim_fail(sim, "%s tells '%s' about %s, which it does not share", sim_name(sim, author),
                     key->name, said->lines[i].service);
        bool finer = f->total.known || f->occupied.known || f->held.known || f->blocked.known ||
                     f->need.known || f->available.known;
        if (strcmp(a->precision, "exact") != 0 && finer)
            sim_fail(sim, "%s tells '%s' figures although it shares a band", sim_name(sim, author),
                     key->name);
    }
    snapshot_free(said);
    snapshot_free(right);
}

static void check_readers(struct sim *sim, int author, const struct sealed_key *key,
                          const struct sealed *s) {
    uint64_t holders = ledger_holders(sim, author, &key->key_id);
    for (size_t g = 0; g < s->grant_count; g++)
        if (hash_equal(&s->grants[g].key_id, &key->key_id))
            holders |= SIM_BIT(s->grants[g].reader);
    uint64_t wrong = holders & ~allowed_bits(sim, author, key->name);
    for (int r = 0; r <= SIM_HUB; r++)
        if (wrong & SIM_BIT(r))
            sim_fail(sim, "%s seals a state for '%s' with a key that %s holds, who may not see it",
                     sim_name(sim, author), key->name, sim_name(sim, r));
}

static void check_key(struct sim *sim, int author, const struct sealed_key *key) {
    const struct ledger_audience *a = audience_named(sim, author, key->name);
    if (!a) {
        sim_fail(sim, "%s seals for an audience that its policy does not name",
                 sim_name(sim, author));
        return;
    }
    if (strcmp(key->precision, a->precision) != 0)
        sim_fail(sim, "%s seals '%s' with a key from before its precision changed from %s to %s",
                 sim_name(sim, author), key->name, key->precision, a->precision);
    if (sim_agent_clock(sim, author) - key->first_ms > KEY_LIFE_MS)
        sim_fail(sim, "%s seals '%s' with a key older than seven days", sim_name(sim, author),
                 key->name);
}

static void keep_state(struct sim *sim, int author, const struct view *view,
                       const struct sealed_key *key, struct bytes plain, struct sealed *s) {
    struct sealed_state *state = &s->states[s->state_count++];
    memcpy(state->audience, view->target.b, AUDIENCE_ID_LEN);
    state->key_id = view->key_id;
    state->plain = blob_new(plain);
    state->allowed = allowed_bits(sim, author, key->name);
    state->exact = strcmp(key->precision, "exact") == 0;
    if (memcmp(state->audience, key->ctx.audience, AUDIENCE_ID_LEN) != 0)
        sim_fail(sim, "%s seals for one audience under the key of another", sim_name(sim, author));
    check_key(sim, author, key);
    check_readers(sim, author, key, s);
    check_key_order(sim, author, state);
    check_content(sim, author, key, plain);
}

static void take_state(struct sim *sim, int author, const struct entry *entry,
                       const struct view *view, struct sealed *s) {
    const struct header *h = &entry->header;
    const struct sealed_key *key = ledger_find_key(sim, author, &view->key_id);
    struct error e = {0};
    struct buf plain;
    if (!key || s->state_count == LEDGER_MAX_AUDIENCES) {
        sim_fail(sim, "%s seals a state under a key it granted to nobody", sim_name(sim, author));
        return;
    }
    buf_init(&plain, VIEW_MAX_BYTES);
    if (view_open(&key->ctx, &key->key, h->incarnation, h->seq, VIEW_STATE, view->data, &plain,
                  &e) == ERR_OK)
        keep_state(sim, author, view, key, buf_bytes(&plain), s);
    else
        sim_fail(sim, "a state of %s does not open: %s", sim_name(sim, author), e.detail);
    buf_done(&plain);
}

/* ---- entries ---- */

static void take_views(struct sim *sim, int author, const struct entry *entry, struct sealed *s) {
    for (size_t i = 0; i < entry->view_count && !sim->failed; i++)
        if (entry->views[i].kind == VIEW_GRANT)
            take_grant(sim, author, entry, &entry->views[i], s);
    for (size_t i = 0; i < entry->view_count && !sim->failed; i++)
        if (entry->views[i].kind == VIEW_STATE)
            take_state(sim, author, entry, &entry->views[i], s);
}

static struct sealed *find_hash(struct author_ledger *l, const struct hash *hash) {
    for (size_t i = 0; i < l->count; i++)
        if (hash_equal(&l->list[i].head.hash, hash))
            return &l->list[i];
    return NULL;
}

static void append(struct author_ledger *l, const struct sealed *s) {
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 32;
        l->list = realloc(l->list, l->cap * sizeof *l->list);
        if (!l->list)
            abort();
    }
    l->list[l->count++] = *s;
}

void ledger_sealed(struct sim *sim, int agent, struct bytes bytes) {
    struct author_ledger *l = &sim->ledger->authors[agent];
    struct entry *entry = NULL;
    struct error e = {0};
    if (entry_parse(bytes, &entry, &e) != ERR_OK ||
        entry_verify(entry, &sim->agents[agent].key, &e) != ERR_OK) {
        sim_fail(sim, "%s made an entry that is none: %s", sim_name(sim, agent), e.detail);
        entry_free(entry);
        return;
    }
    const struct header *h = &entry->header;
    if (!find_hash(l, &entry->hash)) {
        struct sealed s = {.head = {h->incarnation, h->seq, entry->hash},
                           .claimed_ms = h->claimed_ms,
                           .grants = calloc(entry->view_count + 1, sizeof *s.grants)};
        if (!s.grants)
            abort();
        take_views(sim, agent, entry, &s);
        sim_trace(sim, "%s seals %llu: %zu grants, %zu states", sim_name(sim, agent),
                  (unsigned long long)h->seq, s.grant_count, s.state_count);
        append(l, &s);
    }
    entry_free(entry);
}

void ledger_sent(struct sim *sim, int agent, const struct head *head) {
    struct author_ledger *l = &sim->ledger->authors[agent];
    struct sealed *found = find_hash(l, &head->hash);
    if (!found) {
        sim_fail(sim, "%s sends entry %llu, which was never seen sealed", sim_name(sim, agent),
                 (unsigned long long)head->seq);
        return;
    }
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].left && l->list[i].head.seq == head->seq && &l->list[i] != found)
            sim_fail(sim, "%s sends a second entry %llu", sim_name(sim, agent),
                     (unsigned long long)head->seq);
    found->left = true;
}

void ledger_forget_unsent(struct sim *sim, int agent) {
    struct author_ledger *l = &sim->ledger->authors[agent];
    sqlite3_stmt *q =
        ledger_query(ledger_agent_db(sim, agent), "SELECT 1 FROM own_entry WHERE hash = ?");
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        sqlite3_bind_blob(q, 1, l->list[i].head.hash.b, HASH_LEN, SQLITE_STATIC);
        bool held = l->list[i].left || sqlite3_step(q) == SQLITE_ROW;
        sqlite3_reset(q);
        if (held)
            l->list[kept++] = l->list[i];
        else
            ledger_sealed_done(&l->list[i]);
    }
    l->count = kept;
    ledger_query_done(q);
}
