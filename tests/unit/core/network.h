/* Owns a small network for tests: a hub that signs its feed, members from one-byte seeds, and the
 * directory that follows. Entries go through entry_build, entry_parse and entry_verify. */
#ifndef PLEK_TEST_NETWORK_H
#define PLEK_TEST_NETWORK_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "directory.h"

#define NETWORK_T0 INT64_C(1763730000000)

struct network {
    struct sign_pair hub;
    struct box_pair hub_box;
    struct directory *directory;
    int64_t now_ms;      /* claimed by the next entry */
    struct head claimed; /* of the last entry that was made */
};

static inline struct sign_pair network_pair(uint32_t seed_number, uint8_t use) {
    uint8_t seed[SEED_LEN] = {use, (uint8_t)(seed_number >> 16), (uint8_t)(seed_number >> 8),
                              (uint8_t)seed_number};
    struct sign_pair pair;
    sign_pair_from_seed(&pair, seed);
    return pair;
}

static inline struct sign_pair network_member(uint32_t n) {
    return network_pair(n, 'm');
}
static inline struct sign_pair network_agent(uint32_t n) {
    return network_pair(n, 'a');
}
static inline struct sign_pair network_invite(uint32_t n) {
    return network_pair(n, 'i');
}

static inline struct box_pair network_box(uint32_t n) {
    uint8_t seed[SEED_LEN] = {'b', (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    struct box_pair pair;
    box_pair_from_seed(&pair, seed);
    return pair;
}

static inline void network_init(struct network *n) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
    memset(n, 0, sizeof(*n));
    n->hub = network_pair(0, 'h');
    n->hub_box = network_box(0);
    n->now_ms = NETWORK_T0;
    cr_assert_eq(directory_new(&n->hub.pub, &n->directory, &e), ERR_OK);
}

static inline void network_done(struct network *n) {
    directory_free(n->directory);
}

/* The header of the entry that follows what the directory holds. */
static inline struct header network_header(const struct network *n, uint32_t kind) {
    struct head head = directory_head(n->directory);
    struct header h = {.network = n->hub.pub,
                       .member = n->hub.pub,
                       .agent = n->hub.pub,
                       .incarnation = 1,
                       .seq = head.seq + 1,
                       .claimed_ms = n->now_ms,
                       .kind = kind};
    if (head.seq > 0) {
        h.prev = head.hash;
    }
    return h;
}

static inline enum err network_apply_views(struct network *n, const struct header *header,
                                           const struct view *views, size_t count,
                                           struct error *e) {
    struct buf bytes;
    struct entry *entry = NULL;
    buf_init(&bytes, ENTRY_MAX_BYTES);
    cr_assert_eq(entry_build(header, views, count, &n->hub, &bytes, NULL, e), ERR_OK, "%s",
                 e->detail);
    cr_assert_eq(entry_parse(buf_bytes(&bytes), &entry, e), ERR_OK, "%s", e->detail);
    cr_assert_eq(entry_verify(entry, &n->hub.pub, e), ERR_OK);
    n->claimed = (struct head){header->incarnation, header->seq, entry->hash};
    enum err code = directory_apply(n->directory, entry, e);
    entry_free(entry);
    buf_done(&bytes);
    return code;
}

/* Signs one plain view of these bytes and applies it. */
static inline enum err network_apply(struct network *n, uint32_t kind, struct bytes view,
                                     struct error *e) {
    struct header header = network_header(n, kind);
    struct view plain = {.target = target_plain(), .kind = VIEW_PLAIN, .data = view};
    return network_apply_views(n, &header, &plain, 1, e);
}

/* Applies what `build_call` appends to a buffer named `out` with an error named `e`; a statement
 * expression would not be C17, hence a macro that ends in an assignment. */
#define NETWORK_EVENT(result, net, kind, build_call, errp)                                         \
    do {                                                                                           \
        struct buf out_;                                                                           \
        struct buf *out = &out_;                                                                   \
        buf_init(out, ENTRY_MAX_BYTES);                                                            \
        cr_assert_eq((build_call), ERR_OK, "%s", (errp)->detail);                                  \
        (result) = network_apply((net), (kind), buf_bytes(out), (errp));                           \
        buf_done(out);                                                                             \
    } while (0)

static inline enum err network_genesis(struct network *n, struct error *e) {
    enum err code = ERR_INTERNAL;
    NETWORK_EVENT(code, n, ENTRY_HUB_GENESIS,
                  event_genesis("Netwerk Noord", &n->hub_box.pub, out, e), e);
    return code;
}

static inline enum err network_charter(struct network *n, uint32_t version, const char *json,
                                       struct error *e) {
    enum err code = ERR_INTERNAL;
    NETWORK_EVENT(code, n, ENTRY_HUB_CHARTER, event_charter(version, bytes_str(json), out, e), e);
    return code;
}

static inline enum err network_invited(struct network *n, uint32_t number, const char *name,
                                       enum role role, struct error *e) {
    struct invitation i = {.invite = network_invite(number).pub,
                           .name = name,
                           .role = role,
                           .expires_ms = NETWORK_T0 + INT64_C(86400000)};
    enum err code = ERR_INTERNAL;
    NETWORK_EVENT(code, n, ENTRY_HUB_INVITED, event_invited(&i, out, e), e);
    return code;
}

static inline void network_cert(const struct network *n, uint32_t member, uint32_t agent,
                                uint64_t serial, struct buf *out) {
    struct sign_pair member_pair = network_member(member);
    struct sign_pair agent_pair = network_agent(agent);
    struct cert cert = {.network = n->hub.pub,
                        .member = member_pair.pub,
                        .agent = agent_pair.pub,
                        .box = network_box(agent).pub,
                        .serial = serial,
                        .not_after_ms = NETWORK_T0 + INT64_C(86400000) * 365,
                        .label = "kantoor"};
    struct error e = {0};
    cr_assert_eq(cert_issue(&cert, &member_pair, &agent_pair, out, &e), ERR_OK, "%s", e.detail);
}

/* The SignedJoin of this member and agent by this invitation. */
static inline void network_join(const struct network *n, uint32_t invite, uint32_t member,
                                uint32_t agent, struct buf *ret) {
    struct sign_pair invite_pair = network_invite(invite);
    struct sign_pair member_pair = network_member(member);
    struct sign_pair agent_pair = network_agent(agent);
    struct hash next = hash_blake2b(bytes_of("next", 4));
    struct buf cert;
    struct error e = {0};
    buf_init(&cert, CERT_MAX_BYTES);
    network_cert(n, member, agent, 1, &cert);
    cr_assert_eq(join_build(&n->hub.pub, &invite_pair, &member_pair, &next, &agent_pair,
                            buf_bytes(&cert), ret, &e),
                 ERR_OK, "%s", e.detail);
    buf_done(&cert);
}

static inline enum err network_admitted(struct network *n, uint32_t invite, uint32_t member,
                                        uint32_t agent, struct error *e) {
    struct buf join;
    enum err code = ERR_INTERNAL;
    buf_init(&join, JOIN_MAX_BYTES);
    network_join(n, invite, member, agent, &join);
    NETWORK_EVENT(code, n, ENTRY_HUB_ADMITTED, event_admitted(buf_bytes(&join), out, e), e);
    buf_done(&join);
    return code;
}

static inline enum err network_member_event(struct network *n, uint32_t kind, uint32_t member,
                                            struct error *e) {
    struct public_key key = network_member(member).pub;
    enum err code = ERR_INTERNAL;
    NETWORK_EVENT(code, n, kind, event_member(&key, "reden", out, e), e);
    return code;
}

/* Genesis, the charter, and members 1..count called "lid-1", ... */
static inline void network_open(struct network *n, const char *charter_json, uint32_t count) {
    struct error e = {0};
    network_init(n);
    cr_assert_eq(network_genesis(n, &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(network_charter(n, 1, charter_json, &e), ERR_OK, "%s: %s", e.file, e.detail);
    for (uint32_t i = 1; i <= count; i++) {
        char name[NAME_MAX_BYTES + 1];
        snprintf(name, sizeof(name), "lid-%u", i);
        cr_assert_eq(network_invited(n, i, name, ROLE_PROVIDER, &e), ERR_OK, "%s", e.detail);
        cr_assert_eq(network_admitted(n, i, i, i, &e), ERR_OK, "%s", e.detail);
    }
}

#endif
