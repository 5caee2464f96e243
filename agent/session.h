/* Owns the agent's side of one connection as a state machine: bytes, clock and completions go in,
 * effects come out. Pure: no store, sockets or clock. Source: docs/protocol.md, "Session".
 * Order (design 5): hub feed up to the welcome's head first, then push and pull side by side. */
#ifndef PLEK_AGENT_SESSION_H
#define PLEK_AGENT_SESSION_H

#include "blob.h"
#include "channel.h"

#define AGENT_HANDSHAKE_MS 20000
#define AGENT_CLASSES 5

/* What the agent is when it connects; bytes and keys borrowed for the session's life. */
struct agent_session_config {
    struct public_key network; /* the pinned hub key */
    const struct sign_pair *keys;
    struct bytes cert;             /* SignedCertificate */
    struct bytes join;             /* SignedJoin when not known to be admitted, else empty */
    struct head hub_head;          /* seq 0: none held */
    struct head sent;              /* own feed: last entry known acknowledged here (acked) */
    struct head own;               /* own feed: head as signed here */
    uint64_t after[AGENT_CLASSES]; /* cursors, [0] unused */
    const struct entropy *entropy;
};

enum agent_effect_kind {
    AGENT_EFFECT_SEND,     /* data: one binary websocket message */
    AGENT_EFFECT_CLOSE,    /* code, reason */
    AGENT_EFFECT_WAKE,     /* at_ms */
    AGENT_EFFECT_WELCOMED, /* req, welcome: store clock offset and what the hub holds -> done(code):
                              ERR_OK, or ERR_AHEAD / ERR_FORK: push nothing, keep pulling */
    AGENT_EFFECT_REFUSED,  /* refused: signed by the hub; alarm; no completion (CLOSE follows) */
    AGENT_EFFECT_TAKE, /* req, class, position, received_ms, data: Excerpt -> store -> done(code) */
    AGENT_EFFECT_REACHED, /* req, class, position: store the cursor, after the TAKEs before it ->
                             done */
    AGENT_EFFECT_NEXT,  /* req, head (last sent), max_bytes -> outbox -> agent_session_next_entry */
    AGENT_EFFECT_ACKED, /* req, head: store -> done */
    AGENT_EFFECT_REJECTED /* head, code, reason: the hub rejected an entry; alarm; no completion */
};
struct agent_effect {
    enum agent_effect_kind kind;
    uint64_t req;
    struct blob *data; /* owned by the receiver */
    enum err code;
    char reason[ERROR_DETAIL_MAX];
    int64_t at_ms;
    uint32_t class_;
    uint64_t position;
    bool tip;
    int64_t received_ms;
    struct head head;
    struct welcome welcome;
    struct refused refused;
    size_t max_bytes;
};

struct agent_session;
enum err agent_session_new(const struct agent_session_config *config, int64_t now_ms,
                           struct agent_session **ret, struct error *e) MUST_USE;
void agent_session_free(struct agent_session *s);

void agent_session_bytes(struct agent_session *s, struct bytes message, int64_t now_ms);
void agent_session_wake(struct agent_session *s, int64_t now_ms);
/* Completion of WELCOMED, TAKE, REACHED, ACKED. A TAKE that failed by the reader's rule is done
 * with its code (counted by the store) and its bytes are credited all the same; ERR_DISK_FULL,
 * ERR_STORE, ERR_NO_MEMORY close the session (nothing is credited). */
void agent_session_done(struct agent_session *s, uint64_t req, enum err code, int64_t now_ms);
/* Completion of NEXT. entry NULL: nothing to send now. code: as done. head: the entry's. Borrowed.
 */
void agent_session_next_entry(struct agent_session *s, uint64_t req, enum err code,
                              struct blob *entry, const struct head *head, int64_t now_ms);
/* Something to seal or send may be waiting (coalesced). */
void agent_session_outbox(struct agent_session *s, int64_t now_ms);
void agent_session_queued(struct agent_session *s, size_t bytes, int64_t now_ms);

/* The next effect, or false. Call until false after each of the above. */
bool agent_session_next(struct agent_session *s, struct agent_effect *ret);
bool agent_session_established(const struct agent_session *s); /* welcome verified */
bool agent_session_caught_up(const struct agent_session *s); /* hub feed at the welcome's head, and
                                                                a Reached with tip was stored */

#endif
