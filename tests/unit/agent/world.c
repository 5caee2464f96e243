/* Owns the small network of the sharing tests (see world.h). */
#include "unit/agent/world.h"

#include "db_private.h"
#include "feed.h"
#include "find.h"
#include "inbox.h"
#include "outbox.h"
#include "records.h"
#include "sharing.h"

static const char default_charter[] =
    "{\"format\":1,\"purpose\":\"test\",\"time_zone\":\"Europe/"
    "Amsterdam\",\"longest_validity\":\"7d\","
    "\"services\":["
    "{\"code\":\"bed\",\"label\":\"Bed\",\"definition\":\"A bed\",\"unit\":\"bed\",\"decimals\":0,"
    "\"validity\":\"24h\",\"light\":{\"green\":3,\"orange\":1},"
    "\"attributes\":[{\"name\":\"security\",\"label\":\"Security\",\"values\":["
    "{\"code\":\"low\",\"label\":\"Low\"},{\"code\":\"high\",\"label\":\"High\"}]}]},"
    "{\"code\":\"care\",\"label\":\"Care\",\"definition\":\"Hours\",\"unit\":\"hour\",\"period\":"
    "\"week\","
    "\"decimals\":1,\"validity\":\"48h\",\"attributes\":[]}]}";

/* Seeded: the n-th draw is a hash of n. */
static void fill(void *ctx, void *out, size_t len) {
    struct world *w = ctx;
    uint8_t *to = out;
    while (len > 0) {
        w->counter++;
        struct hash h = hash_blake2b(bytes_of(&w->counter, sizeof w->counter));
        size_t n = len < HASH_LEN ? len : HASH_LEN;
        memcpy(to, h.b, n);
        to += n;
        len -= n;
    }
}

/* ---- the hub's feed ---- */

void world_hub_entry(struct world *w, uint32_t kind, struct bytes content) {
    struct error e = {0};
    struct header header = {.network = w->hub.pub,
                            .member = w->hub.pub,
                            .agent = w->hub.pub,
                            .incarnation = 1,
                            .seq = w->hub_head.seq + 1,
                            .prev = w->hub_head.hash,
                            .claimed_ms = w->now_ms,
                            .kind = kind};
    struct view view = {.target = target_plain(), .kind = VIEW_PLAIN, .data = content};
    struct buf bytes, excerpt;
    struct entry *entry = NULL;
    const uint32_t which[] = {0};
    buf_init(&bytes, ENTRY_MAX_BYTES);
    buf_init(&excerpt, ENTRY_MAX_BYTES);
    RUN_OK(entry_build(&header, &view, 1, &w->hub, &bytes, NULL, &e));
    RUN_OK(entry_parse(buf_bytes(&bytes), &entry, &e));
    RUN_OK(entry_excerpt(entry, which, 1, &excerpt, &e));
    w->hub_head = (struct head){1, header.seq, entry->hash};
    w->feed[w->feed_count++] = blob_new(buf_bytes(&excerpt));
    entry_free(entry);
    buf_done(&bytes);
    buf_done(&excerpt);
}

#define HUB_EVENT(w, kind, append)                                                                 \
    do {                                                                                           \
        struct buf content_;                                                                       \
        struct buf *out = &content_;                                                               \
        buf_init(out, ENTRY_MAX_BYTES);                                                            \
        RUN_OK(append);                                                                            \
        world_hub_entry((w), (kind), buf_bytes(out));                                              \
        buf_done(out);                                                                             \
    } while (0)

void world_member_event(struct world *w, int i, uint32_t kind) {
    struct error e = {0};
    HUB_EVENT(w, kind, event_member(&w->agents[i].member, NULL, out, &e));
    w->agents[i].blocked = kind != ENTRY_HUB_RESUMED;
}

void world_revoke(struct world *w, int i) {
    struct error e = {0};
    struct world_agent *a = &w->agents[i];
    HUB_EVENT(w, ENTRY_HUB_REVOKED,
              event_revoked(&a->member, &agent_keys(a->agent)->pub, NULL, out, &e));
    a->blocked = true;
}

void world_feed(struct world *w, int i) {
    struct error e = {0};
    struct agent *a = w->agents[i].agent;
    for (size_t k = (size_t)directory_head(agent_directory(a)).seq; k < w->feed_count; k++)
        RUN_OK(inbox_take(a, 0, k + 1, w->now_ms, blob_bytes(w->feed[k]), w->now_ms, &e));
}

/* ---- agents ---- */

void world_init(struct world *w, const char *charter) {
    struct error e = {0};
    RUN_OK(keys_init(&e));
    memset(w, 0, sizeof *w);
    scratch_init(&w->scratch);
    w->entropy = (struct entropy){fill, w};
    w->now_ms = WORLD_NOW;
    uint8_t seed[SEED_LEN] = {1};
    sign_pair_from_seed(&w->hub, seed);
    seed[0] = 2;
    box_pair_from_seed(&w->hub_box, seed);
    HUB_EVENT(w, ENTRY_HUB_GENESIS, event_genesis("Testnet", &w->hub_box.pub, out, &e));
    HUB_EVENT(w, ENTRY_HUB_CHARTER,
              event_charter(1, bytes_str(charter ? charter : default_charter), out, &e));
}

void world_done(struct world *w) {
    for (int i = 0; i < w->count; i++)
        agent_close(w->agents[i].agent);
    for (size_t i = 0; i < w->feed_count; i++)
        blob_unref(w->feed[i]);
    for (size_t i = 0; i < w->log_count; i++) {
        entry_free(w->log[i].entry);
        blob_unref(w->log[i].bytes);
    }
    scratch_done(&w->scratch);
}

/* Tests that look at syncs name a VFS of their own; the others need not wait for the disk. */
static void spare_disk(struct agent *a, const char *vfs) {
#ifdef PLEK_FAILPOINTS
    if (!vfs)
        db_test_set_synchronous(agent_db(a), 0);
#else
    (void)a;
    (void)vfs;
#endif
}

void world_reopen(struct world *w, int i, const char *vfs) {
    struct error e = {0};
    struct world_agent *a = &w->agents[i];
    agent_close(a->agent);
    a->agent = NULL;
    RUN_OK(agent_open(a->dir, vfs, &w->entropy, &a->agent, &e));
    spare_disk(a->agent, vfs);
}

/* Asks for admission and gets it. */
static void join(struct world *w, struct world_agent *a, enum role role) {
    struct error e = {0};
    struct agent_session_config config;
    struct invite invite = {.address = "ws://127.0.0.1:7535",
                            .network = w->hub.pub,
                            .expires_ms = w->now_ms + WORLD_DAY};
    fill(w, invite.seed, sizeof invite.seed);
    struct sign_pair pair;
    sign_pair_from_seed(&pair, invite.seed);
    struct invitation invitation = {
        .invite = pair.pub, .name = a->name, .role = role, .expires_ms = w->now_ms + WORLD_DAY};
    HUB_EVENT(w, ENTRY_HUB_INVITED, event_invited(&invitation, out, &e));
    RUN_OK(agent_join_begin(a->agent, &invite, bytes_of(NULL, 0), w->now_ms, &e));
    RUN_OK(agent_session_fill(a->agent, &config, &e));
    HUB_EVENT(w, ENTRY_HUB_ADMITTED, event_admitted(config.join, out, &e));
}

int world_add(struct world *w, const char *name, enum role role, const char *vfs) {
    struct error e = {0};
    int i = w->count++;
    struct world_agent *a = &w->agents[i];
    snprintf(a->name, sizeof a->name, "%s", name);
    char number[16], dir[PATH_MAX];
    snprintf(number, sizeof number, "%d", i);
    memcpy(a->dir, scratch_path(&w->scratch, number, dir), sizeof a->dir);
    RUN_OK(agent_init(a->dir, bytes_of(NULL, 0), &w->entropy, w->now_ms, &e));
    RUN_OK(agent_open(a->dir, vfs, &w->entropy, &a->agent, &e));
    spare_disk(a->agent, vfs);
    join(w, a, role);
    world_feed(w, i);
    RUN_OK(agent_join_finish(a->agent, w->now_ms, &e));
    a->member = *agent_member(a->agent);
    return i;
}

/* ---- up ---- */

struct blob *world_next(struct world *w, int i, size_t max_bytes, struct head *ret_head) {
    struct error e = {0};
    struct agent *a = w->agents[i].agent;
    struct blob *bytes = NULL;
    RUN_OK(db_begin(agent_db(a), &e));
    RUN_OK(outbox_next(a, &w->agents[i].head, max_bytes, w->now_ms, &bytes, ret_head, &e));
    RUN_OK(db_commit(agent_db(a), &e));
    return bytes;
}

void world_accept(struct world *w, int i, struct blob *bytes) {
    struct error e = {0};
    struct world_agent *a = &w->agents[i];
    struct world_entry *kept = &w->log[w->log_count++];
    cr_assert_lt(w->log_count, (size_t)WORLD_LOG);
    *kept = (struct world_entry){.author = i, .received_ms = w->now_ms, .bytes = blob_ref(bytes)};
    RUN_OK(entry_parse(blob_bytes(bytes), &kept->entry, &e));
    RUN_OK(entry_verify(kept->entry, &agent_keys(a->agent)->pub, &e));
    RUN_OK(feed_check_views(kept->entry, false, &e));
    struct feed_place place = {.head = a->head};
    cr_assert_eq(feed_check(&place, &kept->entry->header, &kept->entry->hash, &e), FEED_ACCEPT,
                 "%s", e.detail);
    cr_assert_leq(kept->entry->header.hub_head.seq, w->hub_head.seq);
    a->head =
        (struct head){kept->entry->header.incarnation, kept->entry->header.seq, kept->entry->hash};
    RUN_OK(outbox_acked(a->agent, &a->head, w->now_ms, &e));
}

int world_push(struct world *w, int i) {
    struct head head;
    struct blob *bytes;
    int pushed = 0;
    while (!w->agents[i].blocked && (bytes = world_next(w, i, ENTRY_MAX_BYTES, &head)) != NULL) {
        world_accept(w, i, bytes);
        blob_unref(bytes);
        pushed++;
    }
    return pushed;
}

/* ---- down ---- */

/* Whether the author granted that key to the reader anywhere: the hub's rule for handing out. */
static bool was_granted(struct world *w, int author, const struct target *reader,
                        const struct hash *key_id) {
    for (size_t i = 0; i < w->log_count; i++) {
        const struct entry *entry = w->log[i].entry;
        for (size_t k = 0; w->log[i].author == author && k < entry->view_count; k++)
            if (entry->views[k].kind == VIEW_GRANT &&
                target_equal(&entry->views[k].target, reader) &&
                hash_equal(&entry->views[k].key_id, key_id))
                return true;
    }
    return false;
}

bool world_excerpt(struct world *w, const struct world_entry *from, int i, uint32_t kind,
                   bool any_state, struct buf *out) {
    struct error e = {0};
    uint32_t which[ENTRY_MAX_VIEWS];
    size_t count = 0;
    struct target reader = target_key(&agent_keys(w->agents[i].agent)->pub);
    for (uint32_t k = 0; k < from->entry->view_count; k++) {
        const struct view *v = &from->entry->views[k];
        bool mine = v->kind == VIEW_GRANT ? target_equal(&v->target, &reader)
                                          : any_state || v->kind == VIEW_PLAIN ||
                                                was_granted(w, from->author, &reader, &v->key_id);
        if (v->kind == kind && v->data.len > 0 && mine)
            which[count++] = k;
    }
    if (count > 0)
        RUN_OK(entry_excerpt(from->entry, which, count, out, &e));
    return count > 0;
}

static uint32_t class_of(uint32_t kind) {
    return kind == VIEW_GRANT || kind == VIEW_PLAIN      ? 1
           : kind == VIEW_STATE || kind == VIEW_WITHDRAW ? 2
                                                         : 4;
}

static void deliver(struct world *w, int i, size_t at, uint32_t kind) {
    struct error e = {0};
    struct buf excerpt;
    buf_init(&excerpt, ENTRY_MAX_BYTES);
    const struct world_entry *from = &w->log[at];
    if (from->author != i && world_excerpt(w, from, i, kind, false, &excerpt)) {
        enum err code = inbox_take(w->agents[i].agent, class_of(kind), at + 1, from->received_ms,
                                   buf_bytes(&excerpt), w->now_ms, &e);
        /* Of states that a hub would not hand out any more, the key may be gone. */
        cr_assert(code == ERR_OK || code == ERR_OLD || code == ERR_NO_KEY || code == ERR_REMOVED ||
                      code == ERR_REVOKED,
                  "%s: %s", error_name(code), e.detail);
    }
    buf_done(&excerpt);
}

/* A grant may make older states readable, so states are offered from the start: what is held is
 * old. */
void world_pull(struct world *w, int i) {
    if (w->agents[i].blocked)
        return;
    for (size_t k = w->agents[i].delivered; k < w->log_count; k++) {
        deliver(w, i, k, VIEW_PLAIN);
        deliver(w, i, k, VIEW_GRANT);
    }
    for (size_t k = 0; k < w->log_count; k++) {
        deliver(w, i, k, VIEW_STATE);
        deliver(w, i, k, VIEW_WITHDRAW);
    }
    for (size_t k = 0; k < w->log_count; k++)
        deliver(w, i, k, VIEW_HISTORY);
    w->agents[i].delivered = w->log_count;
}

void world_settle(struct world *w) {
    int moved = 1;
    while (moved > 0) {
        moved = 0;
        for (int i = 0; i < w->count; i++) {
            if (!w->agents[i].blocked)
                world_feed(w, i);
            moved += world_push(w, i);
        }
    }
    for (int i = 0; i < w->count; i++)
        world_pull(w, i);
}

/* ---- people ---- */

enum err world_apply(struct world *w, int i, const char *policy, json_t **ret, struct error *e) {
    struct sharing_apply what = {.text = bytes_str(policy), .file = "policy.json", .actor = "test"};
    return sharing_apply(w->agents[i].agent, &what, w->now_ms, ret, e);
}

void world_policy(struct world *w, int i, const char *policy) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(world_apply(w, i, policy, &answer, &e));
    json_decref(answer);
}

void world_approve(struct world *w, int i, const char *name) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(sharing_approve(w->agents[i].agent, name, NULL, "test", w->now_ms, &answer, &e));
    json_decref(answer);
}

void world_forget(struct world *w, int i, const char *name) {
    struct error e = {0};
    json_t *answer = NULL;
    RUN_OK(sharing_forget(w->agents[i].agent, name, "test", w->now_ms, &answer, &e));
    json_decref(answer);
}

void world_set(struct world *w, int i, const char *service, const char *ward, const char *pairs) {
    struct error e = {0};
    struct record_pair list[16];
    struct record record;
    char text[512];
    size_t count = 0;
    snprintf(text, sizeof text, "%s", pairs);
    char *rest = text, *word;
    while ((word = strsep(&rest, " ")) != NULL) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        list[count++] = (struct record_pair){word, equals + 1};
    }
    struct record_set set = {
        .service = service, .ward = ward, .pairs = list, .pair_count = count, .actor = "test"};
    RUN_OK(records_set(w->agents[i].agent, &set, w->now_ms, &record, &e));
}

json_t *world_find(struct world *w, int i, const char *service) {
    struct error e = {0};
    struct find_filter filter = {.service = service};
    json_t *rows = NULL;
    RUN_OK(find_rows(w->agents[i].agent, &filter, w->now_ms, &rows, &e));
    return rows;
}

json_t *world_preview(struct world *w, int i, const char *partner) {
    struct error e = {0};
    json_t *rows = NULL;
    RUN_OK(sharing_preview(w->agents[i].agent, partner, w->now_ms, &rows, &e));
    return rows;
}

/* ---- looking inside ---- */

struct hash world_dump(struct agent *a) {
    struct dump dump;
    dump_open(&dump, agent_db(a)->handle, WORLD_DUMP_BUT);
    struct hash hash = dump_hash(&dump);
    dump_close(&dump);
    return hash;
}

int64_t world_number(struct agent *a, const char *sql) {
    sqlite3_stmt *statement = dump_prepare(agent_db(a)->handle, sql);
    int64_t number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return number;
}

int64_t world_refusals(struct agent *a, const char *code) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count FROM refusal WHERE code = '%s'", code);
    return world_number(a, sql);
}

bool world_alarm(struct agent *a, const char *code) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM alarm WHERE code = '%s'", code);
    return world_number(a, sql) > 0;
}
