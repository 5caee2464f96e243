/* Owns the directory: members, roles, agents, invitations and the charter as they follow from the
 * hub's feed. One event is applied at a time; on error nothing is changed. Pure, in memory.
 * Source: docs/protocol.md, "The hub's feed". */
#ifndef PLEK_DIRECTORY_H
#define PLEK_DIRECTORY_H

#include "charter.h"
#include "entry.h"
#include "join.h"

#define NAME_MAX_BYTES 64 /* of a member or network */
#define DIRECTORY_MAX_MEMBERS 100000
#define DIRECTORY_MAX_AGENTS 64 /* of a member, those revoked not counted */

enum role { ROLE_PROVIDER = 1, ROLE_COORDINATOR = 2, ROLE_OBSERVER = 3 };
const char *role_name(enum role r);
enum err role_parse(const char *text, enum role *ret, struct error *e) MUST_USE;

enum member_state { MEMBER_ADMITTED, MEMBER_SUSPENDED, MEMBER_REMOVED };
const char *member_state_name(enum member_state s);

struct member {
    struct public_key key;
    const char *name; /* the directory's */
    enum role role;
    enum member_state state;
    struct hash next_member;
    int64_t since_ms; /* claimed time of admission */
    uint32_t agents;  /* not revoked */
};
struct member_agent {
    struct public_key agent;
    struct public_key box; /* the newest renewal's, else the certificate's */
    struct head renewed;   /* where that renewal stands in the agent's feed; seq 0: never renewed */
    const struct member *member; /* borrowed from the directory, valid until it is freed */
    uint64_t serial;
    int64_t not_after_ms;
    bool revoked;
};
struct invitation {
    struct public_key invite;
    const char *name; /* borrowed; of those in a directory, the directory's */
    enum role role;
    int64_t expires_ms;
    bool replaced; /* by a newer one for the same name, before it was used */
    bool used;
    int64_t used_ms;
    struct public_key used_by; /* member key */
    struct hash used_request; /* SHA-256 of the SignedJoin: the same request gets the same answer */
};

struct directory;
enum err directory_new(const struct public_key *network, struct directory **ret, struct error *e)
    MUST_USE;
void directory_free(struct directory *d);

/* Applies the next entry of the hub's feed: parsed, signature verified, chain checked with
 * feed_check by the caller. Checks the event itself: names never reused, invitation known, unused
 * and not expired at the claimed time, join's signatures, charter valid, state transitions.
 * Errors: ERR_MALFORMED, ERR_NAME_TAKEN, ERR_INVITE_*, ERR_SIGNATURE, ERR_CERTIFICATE, ERR_DATA,
 * ERR_NETWORK, ERR_CONFLICT, ERR_UNKNOWN_MEMBER, ERR_NOT_FOUND, ERR_REVOKED, ERR_LOW_ORDER,
 * ERR_CAP, ERR_NO_MEMORY. Unknown kinds: ERR_OK, no effect. Afterwards directory_head is this
 * entry's. */
enum err directory_apply(struct directory *d, const struct entry *entry, struct error *e) MUST_USE;

/* The agent of this key renewed its box key in this entry of its own feed: signature and key were
 * checked. Renewals outrank certificates, and a newer one an older: otherwise nothing changes. */
void directory_renew(struct directory *d, const struct public_key *key, const struct head *at,
                     const struct public_key *box);

struct head directory_head(const struct directory *d); /* seq 0: nothing applied */
const struct public_key *directory_network(const struct directory *d);
const struct public_key *directory_hub_box(const struct directory *d);
const char *directory_name(const struct directory *d); /* the network's */
const struct charter *directory_charter(
    const struct directory *d); /* NULL before genesis+charter */
struct bytes directory_charter_json(const struct directory *d);
uint32_t directory_charter_version(const struct directory *d);

const struct member *directory_member(const struct directory *d, const struct public_key *key);
/* Names are told apart without regard to the case of ASCII letters. */
const struct member *directory_member_named(const struct directory *d, const char *name);
const struct member_agent *directory_agent(const struct directory *d,
                                           const struct public_key *agent);
/* Whose agent that is, while it takes part: the member is admitted, not suspended or removed, and
 * the agent not revoked. NULL otherwise. */
const struct member *directory_admitted(const struct directory *d, const struct public_key *agent);
const struct invitation *directory_invitation(const struct directory *d,
                                              const struct public_key *invite);
/* The newest for this name, used or not; NULL: there never was one. */
const struct invitation *directory_invitation_named(const struct directory *d, const char *name);
bool directory_name_used(const struct directory *d, const char *name); /* members and invitations */
size_t directory_member_count(const struct directory *d);
const struct member *directory_member_at(const struct directory *d,
                                         size_t index); /* in order of admission */
size_t directory_agent_count(const struct directory *d);
const struct member_agent *directory_agent_at(const struct directory *d, size_t index);

/* Builders of the hub feed's plain views (hub side, tests): append the encoded message. ERR_DATA
 * when a name, role, reason or charter is not one. `reason` may be NULL. */
enum err event_genesis(const char *name, const struct public_key *box, struct buf *out,
                       struct error *e) MUST_USE;
enum err event_charter(uint32_t version, struct bytes json, struct buf *out, struct error *e)
    MUST_USE;
enum err event_invited(const struct invitation *i, struct buf *out, struct error *e) MUST_USE;
enum err event_admitted(struct bytes join, struct buf *out, struct error *e) MUST_USE;
enum err event_certified(struct bytes certificate, struct buf *out, struct error *e)
    MUST_USE; /* a SignedCertificate */
enum err event_member(const struct public_key *member, const char *reason, struct buf *out,
                      struct error *e) MUST_USE;
enum err event_revoked(const struct public_key *member, const struct public_key *agent,
                       const char *reason, struct buf *out, struct error *e) MUST_USE;

#endif
