/* Owns the hub's domain: its keys, its feed and directory, what it accepts, what it hands out, and
 * its own picture. Runs on the store thread alone. Must not know sockets, threads or the clock:
 * time comes in. */
#ifndef PLEK_HUB_H
#define PLEK_HUB_H

#include "access.h"
#include "api.h"
#include "directory.h"
#include "feed.h"
#include "hello.h"
#include "session.h"
#include "settings.h"

struct hub;

/* DIR with hub.conf (commented defaults), hub.db and keys (0600). `charter` empty: the default one.
 * ERR_CANNOT_CREATE when DIR holds a hub already (nothing changed), ERR_DATA for a bad charter or
 * name. All or nothing: a DIR it could not finish is as it was. */
enum err hub_init(const char *dir, const char *name, struct bytes charter,
                  const struct entropy *entropy, int64_t now_ms, struct error *e) MUST_USE;
/* `vfs` NULL: SQLite's default. The caller holds DIR/lock. ERR_NO_INPUT: no hub there (says to run
 * init), ERR_STORE, ERR_SCHEMA_NEWER, ... */
enum err hub_open(const char *dir, const char *vfs, const struct entropy *entropy, struct hub **ret,
                  struct error *e) MUST_USE;
void hub_close(struct hub *hub);
/* Who may use the API from elsewhere; store thread only. Borrowed. */
struct access *hub_access(struct hub *hub);

const struct sign_pair *hub_keys(const struct hub *hub);        /* borrowed; for sessions */
const struct hub_settings *hub_settings(const struct hub *hub); /* as hub_open read them */
const struct directory *hub_directory(const struct hub *hub);   /* store thread only */

/* Group commit: everything between begin and commit becomes durable together; results may be told
 * to anybody only after hub_commit returned ERR_OK. After a failed commit nothing of the group
 * happened, in memory either. hub_greet, hub_accept and writing routes must stand inside. */
enum err hub_begin(struct hub *hub, struct error *e) MUST_USE;
enum err hub_commit(struct hub *hub, struct error *e) MUST_USE;

/* A verified agent hello meets the directory; admits when it brings a join request for an unused
 * invitation (writes the hub's feed). Fills *ret wholly; ret->code says how it went. Errors
 * returned are the store's only. */
enum err hub_greet(struct hub *hub, const struct agent_hello *hello, int64_t now_ms,
                   struct greeting *ret, struct error *e) MUST_USE;

/* The hub's rule for a parsed entry whose signature verified under `agent` (its session's key):
 * author known, certified, unrevoked, not suspended or removed; role; feed_check; kinds; rate.
 * FEED_ACCEPT: stored, its grants and state routed, the hub's own views opened. FEED_HELD: nothing
 * changed. FEED_REJECT: nothing changed but the counter of its code. FEED_FORK: both kept as proof,
 * the agent stopped. ret_head is the author's head afterwards. */
enum err hub_accept(struct hub *hub, const struct entry *entry, struct bytes entry_bytes,
                    const struct public_key *agent, int64_t now_ms, enum feed_verdict *ret_verdict,
                    struct head *ret_head, struct error *ret_reject, struct error *e) MUST_USE;

#define HUB_PAGE_ROWS 500
/* The next page for a reader: hub feed, then grants, then states (newest of each author and
 * audience; position = the later of the state's and the grant's log index), then messages, history.
 * A cursor of UINT64_MAX skips its class. Never inside begin/commit. */
enum err hub_load(struct hub *hub, const struct public_key *agent, const struct cursors *cursors,
                  size_t max_bytes, struct page *ret, struct error *e) MUST_USE;

/* What the last committed group means for sessions; cleared by taking. Owned by the caller. */
struct hub_news {
    bool hub_feed;             /* everybody: the hub's feed grew */
    struct public_key *agents; /* something waits for these */
    size_t agent_count;
    struct hub_expulsion {
        struct public_key agent;
        enum err code;
    } * expelled;
    size_t expelled_count;
    bool published; /* the screens: something was published. For the keeper to set */
};
void hub_take_news(struct hub *hub, struct hub_news *ret);
void hub_news_done(struct hub_news *news);

/* Who is connected, told by the shell, for `connected` and `last_seen`. */
void hub_note_session(struct hub *hub, const struct public_key *agent, bool connected,
                      int64_t now_ms);

/* The address agents can really reach, told by the shell once it listens ("ws://127.0.0.1:34567"):
 * what invitations name when hub.conf gives no address. Cut to INVITE_ADDRESS_MAX. */
void hub_note_address(struct hub *hub, const char *address);
/* A rejection the shell decided before the store (a signature, a frame): counted with the hub's
 * own, and written with the next commit. Any time. */
void hub_note_rejection(struct hub *hub, enum err code, int64_t now_ms);

/* Work for an idle moment: prune what is superseded and older than keep_days, checkpoint the WAL.
 * At most a few ms; returns whether more is waiting. */
bool hub_idle(struct hub *hub, int64_t now_ms);

/* Publishes what hub.conf's publish.every asks for when it is time, in a group of its own. What it
 * failed with stands in the status too, and it is tried again a minute later. Cheap when it is not
 * time. */
enum err hub_publish_due(struct hub *hub, int64_t now_ms, bool *ret_published, struct error *e)
    MUST_USE;

/* The routes table of the local API; the domain pointer is struct hub *. */
const struct api_route *hub_routes(size_t *ret_count);

#endif
