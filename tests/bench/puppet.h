/* Owns one synthetic member with one agent: real keys, certificate, join request, feed and audience
 * key, made as docs/protocol.md has it, kept in memory instead of a store. Publishes states made
 * beforehand or on the spot, and reads what others sealed to it. */
#ifndef PLEK_BENCH_PUPPET_H
#define PLEK_BENCH_PUPPET_H

#include "audience.h"
#include "blob.h"
#include "join.h"
#include "peer.h"
#include "snapshot.h"

#define PUPPET_LINES 10 /* of the state that all measurements publish, with one site card */

/* What puppets of one network have in common. */
struct puppet_network {
    struct sockets *sockets;
    char address[INVITE_ADDRESS_MAX];
    struct public_key key;
    struct head hub_head; /* the newest that a welcome named */
    struct entropy entropy;
    struct charter *charter;
    bool failed; /* a puppet was refused, rejected or cut off */
    struct error why;
};
enum err puppet_network_init(struct puppet_network *n, struct error *e) MUST_USE;
void puppet_network_done(struct puppet_network *n);

struct puppet_entry {
    struct blob *blob;
    struct head head;
};

struct puppet {
    struct puppet_network *network;
    int number;
    struct sign_pair member, agent;
    struct box_pair box;
    struct buf cert, join;
    struct audience_ctx ctx;
    struct audience_key key;
    struct hash key_id;
    struct snapshot *snapshot; /* what it publishes; figures change with each state */
    struct head signed_head;
    uint64_t sent_seq, acked_seq;
    uint64_t window;              /* entries under way at most */
    bool keeps;                   /* its entries, acknowledged or not: its hub may lose them */
    uint64_t histories;           /* views of past figures sealed */
    struct puppet_entry *entries; /* [seq - 1] */
    size_t entry_count, entry_cap;
    uint64_t after[AGENT_CLASSES];
    struct peer *peer;
    bool welcomed;
    uint64_t taken; /* excerpts delivered to it, the hub's feed left out */
    /* What a reader does with an excerpt (NULL: it only counts). */
    enum err (*take)(void *ctx, const struct agent_effect *effect);
    void (*acked)(void *ctx, struct puppet *p); /* NULL: nobody is told */
    /* Its connection ended, or the hub refused it and said to wait so long; it may be disconnected
     * and connected again, later. NULL: a failure. */
    void (*lost)(void *ctx, struct puppet *p, enum err code, int64_t retry_after_ms);
    void *take_ctx;
};

/* Makes keys and the request from an invitation's URI. */
enum err puppet_init(struct puppet *p, struct puppet_network *n, int number, const char *uri,
                     struct error *e) MUST_USE;
void puppet_done(struct puppet *p);
enum err puppet_connect(struct puppet *p, struct error *e) MUST_USE;
void puppet_disconnect(struct puppet *p);

/* Appends an entry: the first opens the feed and grants the audience key to `readers`, at most
 * ENTRY_MAX_GRANTS. */
enum err puppet_open_feed(struct puppet *p, const struct puppet *const *readers, size_t count,
                          int64_t now_ms, struct error *e) MUST_USE;
/* Grants also to agents that are no puppets, in as many entries as it takes: their agent and X25519
 * keys. */
struct puppet_reader {
    struct public_key agent, box;
};
enum err puppet_open_feed_to(struct puppet *p, const struct puppet_reader *readers, size_t count,
                             int64_t now_ms, struct error *e) MUST_USE;
/* Appends a state with figures that differ from the last one's. */
enum err puppet_seal_state(struct puppet *p, int64_t now_ms, struct error *e) MUST_USE;
/* Appends one view of history, once a state was sealed: `each` past figures of every line, at most
 * PUPPET_PAST_MAX, PUPPET_PAST_STEP_MS apart and the newest of them at newest_ms. */
#define PUPPET_PAST_MAX 16
#define PUPPET_PAST_STEP_MS (INT64_C(6) * 3600 * 1000)
enum err puppet_seal_history(struct puppet *p, size_t each, int64_t newest_ms, int64_t now_ms,
                             struct error *e) MUST_USE;

#endif
