/* Owns what the agent's tests share: a scratch directory with an agent in it, seeded randomness,
 * and a small hub that signs its feed and admits that agent. Must not connect to anything. */
#ifndef PLEK_TEST_AGENT_KIT_H
#define PLEK_TEST_AGENT_KIT_H

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "unit/db/scratch.h"

#define KIT_NOW INT64_C(1789300800000) /* 2026-09-13T12:00:00Z, 14:00 in Amsterdam */
#define KIT_HOUR INT64_C(3600000)
#define KIT_DAY (24 * KIT_HOUR)
#define KIT_MEMBER "Huis Zuid"

/* ok(expression with &e) */
#define KIT_OK(call) cr_assert_eq((call), ERR_OK, "%s %d: %s", e.file, e.line, e.detail)
#define KIT_FAILS(call, code_)                                                                     \
    cr_assert_eq((call), (code_), "not %s: %s %s", #code_, e.file, e.detail)

static const char kit_charter[] =
    "{\"format\":1,\"purpose\":\"test\",\"time_zone\":\"Europe/"
    "Amsterdam\",\"longest_validity\":\"7d\","
    "\"services\":["
    "{\"code\":\"bed\",\"label\":\"Bed\",\"definition\":\"A bed\",\"unit\":\"bed\",\"decimals\":0,"
    "\"validity\":\"24h\",\"attributes\":[{\"name\":\"security\",\"label\":\"Security\",\"values\":"
    "["
    "{\"code\":\"low\",\"label\":\"Low\"},{\"code\":\"high\",\"label\":\"High\"}]},"
    "{\"name\":\"gender\",\"label\":\"Gender\",\"values\":[{\"code\":\"any\",\"label\":\"Any\"}]}]}"
    ","
    "{\"code\":\"care\",\"label\":\"Care\",\"definition\":\"Hours\",\"unit\":\"hour\",\"period\":"
    "\"week\","
    "\"decimals\":1,\"validity\":\"48h\",\"attributes\":[]}]}";

struct kit {
    struct scratch scratch;
    char dir[PATH_MAX];
    uint64_t counter; /* of the seeded randomness */
    struct entropy entropy;
    struct agent *agent;
    struct sign_pair hub;
    struct box_pair hub_box;
    struct invite invite;
    struct head head; /* of the hub's feed */
};

/* Seeded: the n-th draw is a hash of n. */
static inline void kit_fill(void *ctx, void *out, size_t len) {
    struct kit *k = ctx;
    uint8_t *to = out;
    while (len > 0) {
        k->counter++;
        struct hash h = hash_blake2b(bytes_of(&k->counter, sizeof k->counter));
        size_t n = len < HASH_LEN ? len : HASH_LEN;
        memcpy(to, h.b, n);
        to += n;
        len -= n;
    }
}

static inline struct sign_pair kit_pair(uint8_t seed_byte) {
    uint8_t seed[SEED_LEN];
    struct sign_pair pair;
    memset(seed, seed_byte, sizeof seed);
    sign_pair_from_seed(&pair, seed);
    return pair;
}

static inline void kit_new(struct kit *k) {
    struct error e = {0};
    KIT_OK(keys_init(&e));
    memset(k, 0, sizeof *k);
    scratch_init(&k->scratch);
    snprintf(k->dir, sizeof k->dir, "%s/agent", k->scratch.dir);
    k->entropy = (struct entropy){kit_fill, k};
    k->hub = kit_pair(1);
    uint8_t seed[SEED_LEN] = {2};
    box_pair_from_seed(&k->hub_box, seed);
    k->invite = (struct invite){
        .address = "ws://127.0.0.1:7535", .network = k->hub.pub, .expires_ms = KIT_NOW + KIT_DAY};
    memset(k->invite.seed, 3, SEED_LEN);
}

static inline void kit_done(struct kit *k) {
    agent_close(k->agent);
    scratch_done(&k->scratch);
}

static inline void kit_reopen(struct kit *k, const char *vfs) {
    struct error e = {0};
    agent_close(k->agent);
    k->agent = NULL;
    KIT_OK(agent_open(k->dir, vfs, &k->entropy, &k->agent, &e));
}

/* An agent that is initialised and open, and belongs to no network. */
static inline void kit_alone(struct kit *k) {
    struct error e = {0};
    kit_new(k);
    KIT_OK(agent_init(k->dir, bytes_of(NULL, 0), &k->entropy, KIT_NOW, &e));
    kit_reopen(k, NULL);
}

/* Signs the next entry of the hub's feed; appends its excerpt. */
static inline void kit_hub_entry(struct kit *k, uint32_t kind, struct bytes content,
                                 struct buf *ret) {
    struct error e = {0};
    struct header header = {.network = k->hub.pub,
                            .member = k->hub.pub,
                            .agent = k->hub.pub,
                            .incarnation = 1,
                            .seq = k->head.seq + 1,
                            .prev = k->head.hash,
                            .claimed_ms = KIT_NOW,
                            .kind = kind};
    struct view view = {.target = target_plain(), .kind = VIEW_PLAIN, .data = content};
    struct buf bytes;
    struct entry *entry = NULL;
    const uint32_t which[] = {0};
    buf_init(&bytes, ENTRY_MAX_BYTES);
    KIT_OK(entry_build(&header, &view, 1, &k->hub, &bytes, NULL, &e));
    KIT_OK(entry_parse(buf_bytes(&bytes), &entry, &e));
    KIT_OK(entry_excerpt(entry, which, 1, ret, &e));
    k->head = (struct head){1, header.seq, entry->hash};
    entry_free(entry);
    buf_done(&bytes);
}

/* Stores it as the agent holds the hub's feed; the agent must be closed. */
static inline void kit_store_hub_entry(struct kit *k, uint32_t kind, struct bytes content) {
    char path[PATH_MAX + 16];
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    struct buf excerpt;
    buf_init(&excerpt, ENTRY_MAX_BYTES);
    kit_hub_entry(k, kind, content, &excerpt);
    snprintf(path, sizeof path, "%s/agent.db", k->dir);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(
        sqlite3_prepare_v2(db,
                           "INSERT INTO hub_entry(network, seq, hash, received_ms, excerpt)"
                           " SELECT id, ?1, ?2, ?3, ?4 FROM network",
                           -1, &insert, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(insert, 1, (sqlite3_int64)k->head.seq);
    sqlite3_bind_blob(insert, 2, k->head.hash.b, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 3, KIT_NOW);
    sqlite3_bind_blob(insert, 4, excerpt.data, (int)excerpt.len, SQLITE_STATIC);
    cr_assert_eq(sqlite3_step(insert), SQLITE_DONE, "%s", sqlite3_errmsg(db));
    sqlite3_finalize(insert);
    sqlite3_close(db);
    buf_done(&excerpt);
}

#define KIT_EVENT(k, kind, append)                                                                 \
    do {                                                                                           \
        struct buf content_;                                                                       \
        struct buf *out = &content_;                                                               \
        buf_init(out, ENTRY_MAX_BYTES);                                                            \
        KIT_OK(append);                                                                            \
        kit_store_hub_entry((k), (kind), buf_bytes(out));                                          \
        buf_done(out);                                                                             \
    } while (0)

/* The hub's feed up to the charter and the invitation; join began. The agent is closed. */
static inline void kit_invited(struct kit *k, const char *charter, struct buf *ret_join) {
    struct error e = {0};
    struct agent_session_config config;
    kit_alone(k);
    KIT_OK(agent_join_begin(k->agent, &k->invite, bytes_of(NULL, 0), KIT_NOW, &e));
    KIT_OK(agent_session_fill(k->agent, &config, &e));
    buf_append(ret_join, config.join.data, config.join.len);
    agent_close(k->agent);
    k->agent = NULL;
    struct invitation invitation = {.invite = kit_pair(3).pub,
                                    .name = KIT_MEMBER,
                                    .role = ROLE_PROVIDER,
                                    .expires_ms = KIT_NOW + KIT_DAY};
    KIT_EVENT(k, ENTRY_HUB_GENESIS, event_genesis("Testnet", &k->hub_box.pub, out, &e));
    KIT_EVENT(k, ENTRY_HUB_CHARTER, event_charter(1, bytes_str(charter), out, &e));
    KIT_EVENT(k, ENTRY_HUB_INVITED, event_invited(&invitation, out, &e));
}

/* An agent that joined: one site named after the member, this charter (NULL: kit_charter). */
static inline void kit_joined(struct kit *k, const char *charter) {
    struct error e = {0};
    struct buf join;
    buf_init(&join, JOIN_MAX_BYTES);
    kit_invited(k, charter ? charter : kit_charter, &join);
    KIT_EVENT(k, ENTRY_HUB_ADMITTED, event_admitted(buf_bytes(&join), out, &e));
    kit_reopen(k, NULL);
    KIT_OK(agent_join_finish(k->agent, KIT_NOW, &e));
    buf_done(&join);
}

#endif
