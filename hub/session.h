/* Owns the hub's side of one connection as a state machine: bytes, clock and completions go in,
 * effects come out. Pure: no store, sockets, threads or clock. Source: docs/protocol.md, "Session".
 */
#ifndef PLEK_HUB_SESSION_H
#define PLEK_HUB_SESSION_H

#include "blob.h"
#include "channel.h"

#define HUB_CREDIT_BYTES (2u * 1024 * 1024) /* an agent may push before an ack */
#define HUB_WINDOW_BYTES (1u * 1024 * 1024) /* delivered and not yet taken */
#define HUB_HANDSHAKE_MS 10000
#define HUB_CLASSES 5

enum deliver_class {
    CLASS_HUB = 0,
    CLASS_GRANTS = 1,
    CLASS_STATES = 2,
    CLASS_MESSAGES = 3,
    CLASS_HISTORY = 4
};

/* Positions a reader holds, by class (CLASS_HUB: seq of the hub's feed). `within`: of position
 * after + 1, everything up to this place went out as well; 0: nothing. The reader never hears of
 * it, so what it is for lives as long as the session. */
struct cursors {
    uint64_t after[HUB_CLASSES], within[HUB_CLASSES];
};

/* Completion of HUB_EFFECT_GREET: the verified hello met the directory. */
struct greeting {
    enum err code; /* ERR_OK: welcome is filled; else refused is (close unsigned when the
                      hello itself did not verify: `unsigned_close`) */
    bool unsigned_close;
    struct error error;     /* for the log */
    struct welcome welcome; /* hub time, heads; the machine adds features and credit */
    struct refused refused;
    struct public_key kx; /* the agent's ephemeral key */
    struct cert cert;
};

/* One thing to deliver; a page is what a store read gives. Owned blobs. */
struct delivery {
    enum deliver_class class_;
    uint64_t position;
    int64_t received_ms;
    struct blob *excerpt;
};
struct page {
    struct delivery *items; /* in the order to send: hub feed, grants, states, messages, history */
    size_t count;
    uint64_t upto[HUB_CLASSES];   /* after these items everything up to here was delivered */
    uint64_t within[HUB_CLASSES]; /* as struct cursors */
    bool tip;                     /* nothing more was waiting when this was read */
};
void page_done(struct page *p); /* unrefs and frees the contents */

enum hub_effect_kind {
    HUB_EFFECT_SEND,   /* data: one binary websocket message */
    HUB_EFFECT_CLOSE,  /* after what was sent; code for the log; nothing follows */
    HUB_EFFECT_WAKE,   /* call hub_session_wake at at_ms (replaces an earlier wake) */
    HUB_EFFECT_GREET,  /* req, data: SignedAgentHello -> verify worker, directory ->
                          hub_session_greeted */
    HUB_EFFECT_ACCEPT, /* req, data: Entry of `agent` -> verify worker, store ->
                          hub_session_accepted */
    HUB_EFFECT_LOAD,   /* req, cursors, max_bytes -> store -> hub_session_loaded */
    HUB_EFFECT_JOINED  /* the session is established: the shell registers it under `agent` (an older
                          session of the same agent gets hub_session_expel(ERR_SUPERSEDED)) */
};
struct hub_effect {
    enum hub_effect_kind kind;
    uint64_t req;
    struct blob *data; /* owned by the receiver */
    enum err code;
    char reason[ERROR_DETAIL_MAX];
    int64_t at_ms;
    struct public_key agent; /* GREET: zero; ACCEPT, LOAD, JOINED: the authenticated agent */
    struct bytes hub_hello;  /* GREET: borrowed for as long as the session lives */
    struct cursors cursors;
    size_t max_bytes;
};

struct hub_session;
/* Starts with a hub hello to send. `keys` and `entropy` are borrowed for the session's life. */
enum err hub_session_new(const struct sign_pair *keys, const struct entropy *entropy,
                         int64_t now_ms, struct hub_session **ret, struct error *e) MUST_USE;
void hub_session_free(
    struct hub_session *s); /* wipes; accepts NULL; pending completions are dropped */

/* One whole binary message from the peer. */
void hub_session_bytes(struct hub_session *s, struct bytes message, int64_t now_ms);
void hub_session_wake(struct hub_session *s, int64_t now_ms);
void hub_session_greeted(struct hub_session *s, uint64_t req, const struct greeting *g,
                         int64_t now_ms);
/* verdict as feed.h; head is the author's head after it (for the ack). Several ACCEPTs may be open;
 * completions may come in any order: the ack stays cumulative. */
void hub_session_accepted(struct hub_session *s, uint64_t req, enum err code,
                          const struct error *error, const struct head *entry,
                          const struct head *head, int64_t now_ms);
/* Takes over the page's contents. */
void hub_session_loaded(struct hub_session *s, uint64_t req, enum err code, struct page *take_page,
                        int64_t now_ms);
/* Something new may be waiting for this agent (coalesced: any number of calls, one load). */
void hub_session_news(struct hub_session *s, int64_t now_ms);
/* How many bytes the shell still has queued for this peer: sending pauses above HUB_WINDOW_BYTES.
 */
void hub_session_queued(struct hub_session *s, size_t bytes, int64_t now_ms);
/* Suspended, removed, revoked, superseded, shutting down: a signed Leave, then close. */
void hub_session_expel(struct hub_session *s, enum err code, const char *detail, int64_t now_ms);

/* The next effect, or false. Call until false after each of the above. */
bool hub_session_next(struct hub_session *s, struct hub_effect *ret);
bool hub_session_established(const struct hub_session *s);
const struct cert *hub_session_cert(const struct hub_session *s); /* NULL before greeted */

#endif
