/* Owns the agent's domain: its keys, store, directory and policy in memory, and the one way in for
 * the shell. Must not know sockets or the clock: time comes in. */
#ifndef PLEK_AGENT_H
#define PLEK_AGENT_H

#include "access.h"
#include "api.h"
#include "db.h"
#include "directory.h"
#include "policy.h"
#include "session.h"
#include "settings.h"
#include "snapshot.h"
#include "zone.h"

struct agent;

/* DIR with agent.conf (commented defaults), agent.db and keys (0600). passphrase empty: unsealed
 * member key. ERR_CANNOT_CREATE when DIR holds an agent (nothing changed). All or nothing. */
enum err agent_init(const char *dir, struct bytes passphrase, const struct entropy *entropy,
                    int64_t now_ms, struct error *e) MUST_USE;
/* The same without member keys, for an organisation that has them on another machine. */
enum err agent_init_second(const char *dir, const struct entropy *entropy, int64_t now_ms,
                           struct error *e) MUST_USE;
/* The caller holds DIR/lock. ERR_NO_INPUT: no agent there (says to run init). */
enum err agent_open(const char *dir, const char *vfs, const struct entropy *entropy,
                    struct agent **ret, struct error *e) MUST_USE;
void agent_close(struct agent *a);
/* Who may use the API from elsewhere. Borrowed. */
struct access *agent_access(struct agent *a);

/* ---- shared by the modules of agent_core; borrowed, valid while open ---- */
struct db *agent_db(struct agent *a); /* statements: store.h */
const char *agent_dir(const struct agent *a);
const struct agent_settings *agent_settings(const struct agent *a);
const struct entropy *agent_entropy(const struct agent *a);
const struct sign_pair *agent_keys(const struct agent *a); /* Ed25519 */
const struct box_pair *agent_box(const struct agent *a);   /* X25519, the one in use */
struct directory *agent_directory(struct agent *a);        /* NULL until a join began */
/* Charter in force; NULL until the hub's feed was received. */
const struct charter *agent_charter(const struct agent *a);
/* The charter's zone; ERR_NOT_JOINED before there is a charter, ERR_DATA when this system lacks it.
 */
enum err agent_zone(const struct agent *a, const struct zone **ret, struct error *e) MUST_USE;
const struct public_key *agent_member(const struct agent *a); /* NULL until a join began */
int64_t agent_network(const struct agent *a);                 /* network.id; 0 until a join began */
/* A partner's picture or an entry is stored with its network: ERR_NOT_JOINED with what to do. */
enum err agent_need_joined(const struct agent *a, struct error *e) MUST_USE;
const struct policy *agent_policy(const struct agent *a); /* NULL: none applied yet */
uint32_t agent_policy_version(const struct agent *a);
void agent_take_policy(struct agent *a, struct policy *take_policy, uint32_t version);
/* Reads memory from the store again. On failure the older picture stays, and the agent is stale:
 * it begins nothing until a later reading succeeds. */
enum err agent_reload(struct agent *a, struct error *e) MUST_USE;
enum err agent_refresh(struct agent *a, struct error *e) MUST_USE; /* reads it if it is stale */
/* Transactions whose failure memory follows: db_begin after agent_refresh; a failed commit and a
 * rollback read memory again. */
enum err agent_begin(struct agent *a, struct error *e) MUST_USE;
enum err agent_commit(struct agent *a, struct error *e) MUST_USE;
void agent_rollback(struct agent *a);
/* Records changed, policy changed, a partner was approved, the directory changed: the next look at
 * the outbox composes every audience again. Cheap. */
void agent_mark_dirty(struct agent *a);
bool agent_dirty(const struct agent *a);
void agent_clear_dirty(struct agent *a);

/* ---- joining (join.c); needs no daemon, the shell carries the session ---- */
/* Checks that DIR is not joined yet (ERR_ALREADY_JOINED), opens the member key with the passphrase,
 * certifies the agent's keys, stores network, address and the request. The same URI again is ERR_OK
 * (a join that was interrupted goes on). */
enum err agent_join_begin(struct agent *a, const struct invite *invite, struct bytes passphrase,
                          int64_t now_ms, struct error *e) MUST_USE;
/* After the hub feed was applied: ERR_OK when our admission stands in it; stores it and creates the
 * first site named after the member. ERR_NOT_JOINED when it does not. */
enum err agent_join_finish(struct agent *a, int64_t now_ms, struct error *e) MUST_USE;
bool agent_joined(const struct agent *a);
const char *agent_hub_address(const struct agent *a); /* "ws://host:port" */

/* Missing history is pulled again when a session begins: which hole was the newest then, and
 * whether others were found since. The shell begins a new session when agent_take_again says so,
 * once. */
int64_t agent_hole_asked(const struct agent *a);
void agent_ask_again(struct agent *a, bool again);
bool agent_take_again(struct agent *a);

/* ---- the shell's side: one connection at a time ---- */
/* What a new session needs. Borrowed from the agent until the next call. ERR_NOT_JOINED. */
enum err agent_session_fill(struct agent *a, struct agent_session_config *ret, struct error *e)
    MUST_USE;
/* Carries out one store effect (WELCOMED, TAKE, REACHED, ACKED, REJECTED, REFUSED) inside the
 * caller's db_begin/db_commit; the code for agent_session_done. Rule violations are counted and
 * returned, and change nothing. Fatal: ERR_DISK_FULL, ERR_STORE, ERR_NO_MEMORY: roll back the
 * batch, agent_reload, drop the session. */
enum err agent_perform(struct agent *a, const struct agent_effect *effect, int64_t now_ms,
                       struct error *e) MUST_USE;
/* outbox.h's outbox_next for the NEXT effect stands beside it. */
struct agent_connection {
    bool connected;
    enum err why; /* the last disconnection's; ERR_OK: never or orderly */
    char detail[ERROR_DETAIL_MAX];
    int64_t since_ms; /* 0: not tried since the start */
};
void agent_note_connection(struct agent *a, bool connected, enum err why, const char *detail,
                           int64_t now_ms);
const struct agent_connection *agent_connection(const struct agent *a);

/* Names of events for GET /v1/events since the last call ("picture", "lines", "status"), as bits.
 */
#define AGENT_EVENT_PICTURE 1u
#define AGENT_EVENT_LINES 2u
#define AGENT_EVENT_STATUS 4u
void agent_raise_event(struct agent *a, unsigned events);
unsigned agent_take_events(struct agent *a);
/* For quiet moments: what is only kept to be quick goes. */
void agent_rest(struct agent *a);

/* Where import_session.c keeps the imports that are under way; they end with the agent. */
struct import_sessions;
struct import_sessions **agent_import_sessions(struct agent *a);

/* The routes table of the local API; the domain pointer is struct agent *. */
const struct api_route *agent_routes(size_t *ret_count);

#endif
