/* Owns what the hub domain's own files share: the hub's fields and the steps between them.
 * Must not be included by the shell. */
#ifndef PLEK_HUB_PRIVATE_H
#define PLEK_HUB_PRIVATE_H

#include "authors.h"
#include "excerpts.h"
#include "hub.h"
#include "keyfile.h"
#include "news.h"
#include "presence.h"
#include "schedule.h"
#include "settings.h"
#include "store.h"

struct hub {
    struct store *store;
    struct access *access;
    struct keyfile keys;
    struct entropy entropy;
    struct hub_settings settings;
    char address[INVITE_ADDRESS_MAX]; /* told by the shell; "": nobody did */
    /* What follows from the store, and is read from it again after a failed commit. */
    struct directory *directory;
    struct authors authors;
    struct author *own;    /* the hub's own feed */
    uint64_t tip;          /* log index of the newest entry */
    uint64_t last_resumed; /* highest `resumed` of any author */
    bool stale;            /* that reading failed so far */
    /* The open group. */
    int depth;
    bool doomed; /* memory is ahead of the store: the group cannot be kept */
    struct news pending;
    int64_t rejections[ERR_COUNT]; /* not yet written */
    int64_t rejections_before[ERR_COUNT];
    int64_t rejections_ms;
    /* Beside the store. */
    struct news ready;
    struct presence presence;
    struct excerpts excerpts;
    struct schedule schedule;
    bool checkpoint_due;
};

/* Opens DIR's database under another name than hub.db too: init uses it before the renaming.
 * Takes over the keys' contents. */
enum err hub_start(const char *db_path, const char *vfs, const struct keyfile *keys,
                   const struct hub_settings *settings, const struct entropy *entropy,
                   struct hub **ret, struct error *e) MUST_USE;
/* Without network and feed: for init alone. */
enum err hub_start_empty(const char *db_path, const struct keyfile *keys,
                         const struct hub_settings *settings, const struct entropy *entropy,
                         int64_t now_ms, struct hub **ret, struct error *e) MUST_USE;

/* Reads memory from the store again when a failed commit left it in doubt. ERR_STORE, ... */
enum err hub_refresh(struct hub *hub, struct error *e) MUST_USE;

/* An event for the hub's own feed. Inside hub_begin/hub_commit. */
struct hub_event {
    uint32_t kind;
    struct bytes payload;
    const struct public_key *member; /* of suspended, resumed, removed; else NULL */
    const struct public_key *agent;  /* of revoked; else NULL */
    const char *actor; /* who on this machine; NULL: a member did it by its own hello */
};
/* Signs, stores and applies it, in a savepoint: on failure nothing of it happened. What
 * directory_apply refuses comes out as it is. */
enum err hub_append(struct hub *hub, const struct hub_event *event, int64_t now_ms, struct error *e)
    MUST_USE;
/* Reads the hub's own feed from the store into hub->directory. */
enum err hub_replay(struct hub *hub, struct error *e) MUST_USE;

/* A grant to the hub: kept, and the state it opens is opened. A view it cannot use is noted, not
 * refused: errors are the store's. Inside a savepoint. */
enum err opened_grant(struct hub *hub, int64_t author, const struct header *header,
                      const struct view *grant, int64_t now_ms, struct error *e) MUST_USE;
/* A state of any audience: opened when the hub holds its key. */
enum err opened_state(struct hub *hub, int64_t author, const struct header *header,
                      const struct view *state, int64_t now_ms, struct error *e) MUST_USE;
/* A history of any audience, likewise: its points are kept. */
enum err opened_history(struct hub *hub, int64_t author, const struct header *header,
                        const struct view *view, int64_t now_ms, struct error *e) MUST_USE;

/* ERR_SUSPENDED, ERR_REMOVED in words for that member. */
enum err hub_check_member(const struct member *member, struct error *e) MUST_USE;
/* ERR_OK for an agent of an admitted member; ret_agent (may be NULL) is set whenever it is known.
 */
enum err hub_check_agent(const struct hub *hub, const struct public_key *agent,
                         const struct member_agent **ret_agent, struct error *e) MUST_USE;

#endif
