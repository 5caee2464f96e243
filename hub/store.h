/* Owns the hub's store as verbs of the domain: the log, what is routed, what the hub could open,
 * and counters. Behind it stands SQLite (hub.db); no SQL and no handle come out, so that another
 * database can stand there later. Must not decide anything: the rules are accept.c's, greet.c's,
 * load.c's.
 *
 * Positions. The log is numbered from 1 in the order of acceptance, the hub's own feed included;
 * leaf i of the transparency log is entry i + 1. A view's place is its entry's log index times
 * ENTRY_MAX_VIEWS plus its own index: places order like the log. */
#ifndef PLEK_HUB_STORE_H
#define PLEK_HUB_STORE_H

#include "audience.h"
#include "cell.h"
#include "users.h"

struct store;

static inline uint64_t place_of(uint64_t log_index, uint32_t view) {
    return log_index * ENTRY_MAX_VIEWS + view;
}
static inline uint64_t place_index(uint64_t place) {
    return place / ENTRY_MAX_VIEWS;
}

/* ---- the file ---- */

/* Errors as db_open's. `vfs` NULL: the default. */
enum err store_open(const char *path, const char *vfs, struct store **ret, struct error *e)
    MUST_USE;
void store_close(struct store *s); /* accepts NULL */
/* Who may use the hub's API: rows of the same database, with verbs of their own (users.h). */
struct users store_users(struct store *s);

/* As db.h's: begin and commit nest by counting, a savepoint bounds one item. */
enum err store_begin(struct store *s, struct error *e) MUST_USE;
enum err store_commit(struct store *s, struct error *e) MUST_USE;
void store_rollback(struct store *s);
enum err store_savepoint(struct store *s, struct error *e) MUST_USE;
enum err store_release(struct store *s, struct error *e) MUST_USE;
void store_undo(struct store *s);
void store_checkpoint(struct store *s);
enum err store_bytes(struct store *s, int64_t *ret, struct error *e) MUST_USE;
#ifdef PLEK_FAILPOINTS
void store_test_set_synchronous(struct store *s, int level); /* as db_test_set_synchronous */
#endif

/* ---- network and authors ---- */

enum err store_create_network(struct store *s, const struct public_key *network, int64_t now_ms,
                              struct error *e) MUST_USE;
/* Finds the network's row; everything after belongs to it. ERR_CONFIG when the database is another
 * network's or holds none. Call once after open. */
enum err store_use_network(struct store *s, const struct public_key *network, struct error *e)
    MUST_USE;

struct store_author {
    int64_t id;
    struct public_key agent, member;
    bool forked;
    struct head head; /* of its feed in the log; seq 0: nothing yet */
};
/* Called once per row; a failure it returns ends the scan and comes out of it. */
typedef enum err store_author_visit(void *ctx, const struct store_author *author, struct error *e);
enum err store_authors(struct store *s, store_author_visit *visit, void *ctx, struct error *e)
    MUST_USE;
enum err store_add_author(struct store *s, const struct public_key *agent,
                          const struct public_key *member, int64_t *ret_id, struct error *e)
    MUST_USE;
enum err store_set_forked(struct store *s, int64_t author, bool forked, struct error *e) MUST_USE;

/* ---- the log ---- */

struct store_entry {
    uint64_t log_index;
    int64_t author;
    uint64_t incarnation, seq;
    uint32_t kind;
    int64_t received_ms;
    const struct hash *hash;
    struct bytes
        body; /* Entry bytes; of agents' entries without the views' data, see the verbs below */
};
enum err store_append(struct store *s, const struct store_entry *entry, struct error *e) MUST_USE;
enum err store_tip(struct store *s, uint64_t *ret_log_index, struct error *e)
    MUST_USE; /* 0: empty */
/* What the log holds at an author's seq; *ret_found false: nothing. */
enum err store_held(struct store *s, int64_t author, uint64_t seq, bool *ret_found,
                    uint64_t *ret_incarnation, struct hash *ret_hash, struct error *e) MUST_USE;
/* Entries of one feed with seq above `after`, in order, at most `limit`. `entry` is borrowed for
 * the visit; its hash is NULL. */
typedef enum err store_entry_visit(void *ctx, const struct store_entry *entry, struct error *e);
enum err store_feed(struct store *s, int64_t author, uint64_t after, int64_t limit,
                    store_entry_visit *visit, void *ctx, struct error *e) MUST_USE;
/* The second of two entries for one place in a feed; the first stands in the log. */
enum err store_add_fork(struct store *s, const struct store_entry *entry, struct error *e) MUST_USE;
struct store_fork {
    struct public_key agent, member;
    uint64_t incarnation, seq;
    int64_t found_ms;
};
typedef enum err store_fork_visit(void *ctx, const struct store_fork *fork, struct error *e);
enum err store_forks(struct store *s, store_fork_visit *visit, void *ctx, struct error *e) MUST_USE;
/* Who on this machine caused an entry of the hub's feed. */
enum err store_add_actor(struct store *s, uint64_t log_index, const char *actor, struct error *e)
    MUST_USE;

/* ---- what is routed to readers ---- */

/* A view of an entry just appended. Of states, the newest of (author, target) takes the older one's
 * place, and the grants of the key it leaves behind go unless another view still needs them. An
 * author has one state under a key and 256 in all: the oldest go. */
struct store_view {
    uint64_t place;
    int64_t author;
    const struct view *view; /* with data */
};
enum err store_put_state(struct store *s, const struct store_view *v, struct error *e) MUST_USE;
/* Takes the place of the audience's state, whose data goes, with its history. A later state takes
 * the withdrawal's place; for readers who were away it is then kept among the views of class 2,
 * states. */
enum err store_put_withdrawal(struct store *s, const struct store_view *v, struct error *e)
    MUST_USE;
enum err store_put_grant(struct store *s, const struct store_view *v, struct error *e) MUST_USE;
/* Takes the place of the author's renewal before it. */
enum err store_put_renewal(struct store *s, const struct store_view *v, struct error *e) MUST_USE;
/* Messages, history and kinds this version does not know; `class_` as session.h's. */
enum err store_put_view(struct store *s, int class_, const struct store_view *v, struct error *e)
    MUST_USE;
/* All that was routed from or to these agents' author rows goes: their member was removed. */
enum err store_drop_author(struct store *s, int64_t author, const struct public_key *agent,
                           struct error *e) MUST_USE;
/* Deletes up to `limit` messages and history views received before `before_ms`, and grants nothing
 * needs any more. Returns how many went in *ret_count. */
enum err store_prune(struct store *s, int64_t before_ms, int64_t limit, int64_t *ret_count,
                     struct error *e) MUST_USE;

enum store_table { TABLE_GRANT, TABLE_STATE, TABLE_VIEW, TABLE_RENEWAL, TABLE_COUNT };
/* One thing to hand out: the view at `place`, at log position `position`. */
struct store_row {
    uint64_t position;
    uint64_t place;
    int64_t author;
    enum store_table table;
};
/* Each fills rows[0..limit) in order of position and says how many. All take log indices. */
/* Grants of a reader after a position. */
enum err store_scan_grants(struct store *s, const struct public_key *reader, uint64_t after,
                           size_t limit, struct store_row *rows, size_t *ret_count, struct error *e)
    MUST_USE;
/* The newest key renewal of every author but the reader, after a position. */
enum err store_scan_renewals(struct store *s, const struct public_key *reader, uint64_t after,
                             size_t limit, struct store_row *rows, size_t *ret_count,
                             struct error *e) MUST_USE;
/* States after a position whose grant stood already: position = the state's. */
enum err store_scan_states(struct store *s, const struct public_key *reader, uint64_t after,
                           size_t limit, struct store_row *rows, size_t *ret_count, struct error *e)
    MUST_USE;
/* Grants after a position whose state stood already: position = the grant's. */
enum err store_scan_granted(struct store *s, const struct public_key *reader, uint64_t after,
                            size_t limit, struct store_row *rows, size_t *ret_count,
                            struct error *e) MUST_USE;
/* All states of one author that the reader holds a grant of, state and grant both below `below`;
 * position = `below`. */
enum err store_scan_author(struct store *s, const struct public_key *reader, int64_t author,
                           uint64_t below, size_t limit, struct store_row *rows, size_t *ret_count,
                           struct error *e) MUST_USE;
/* Messages and history. Of the first position after `after`, only places beyond `within`: a
 * position may hold more than fits a page. Rows come in order of (position, place). */
struct store_scan {
    int class_;
    const struct public_key *reader;
    uint64_t after, within;
};
/* Views that are for this reader, or under a key granted to it before: position = the
 * view's. */
enum err store_scan_views(struct store *s, const struct store_scan *scan, size_t limit,
                          struct store_row *rows, size_t *ret_count, struct error *e) MUST_USE;
/* Views whose key was granted later: position = the grant's. */
enum err store_scan_views_granted(struct store *s, const struct store_scan *scan, size_t limit,
                                  struct store_row *rows, size_t *ret_count, struct error *e)
    MUST_USE;

/* What an excerpt is made of; data and body are borrowed for the visit. ERR_NOT_FOUND: gone. */
typedef enum err store_view_visit(void *ctx, struct bytes data, struct bytes body,
                                  int64_t received_ms, struct error *e);
enum err store_view(struct store *s, enum store_table table, uint64_t place,
                    store_view_visit *visit, void *ctx, struct error *e) MUST_USE;
/* Who holds a grant of this key. */
typedef enum err store_key_visit(void *ctx, const struct public_key *agent, struct error *e);
enum err store_recipients(struct store *s, int64_t author, const struct hash *key_id,
                          store_key_visit *visit, void *ctx, struct error *e) MUST_USE;

/* ---- the hub's own audience ---- */

struct store_held_key {
    int64_t author;
    struct hash key_id;
    uint8_t audience[AUDIENCE_ID_LEN];
    struct audience_key key;
};
/* Keys of the same audience that came before it go; of an author the newest 64 stay, with their
 * pictures. */
enum err store_put_key(struct store *s, const struct store_held_key *key, struct error *e) MUST_USE;
/* ret is written only when *ret_found; wipe it after use. */
enum err store_find_key(struct store *s, int64_t author, const struct hash *key_id, bool *ret_found,
                        struct store_held_key *ret, struct error *e) MUST_USE;
/* Who granted the hub a key that is held. */
typedef enum err store_author_id_visit(void *ctx, int64_t author, struct error *e);
enum err store_key_authors(struct store *s, store_author_id_visit *visit, void *ctx,
                           struct error *e) MUST_USE;
/* The newest state of an audience, if it is under this key: the visit gets its data and entry. */
enum err store_state_under(struct store *s, int64_t author,
                           const uint8_t audience[static AUDIENCE_ID_LEN],
                           const struct hash *key_id, store_view_visit *visit, void *ctx,
                           struct error *e) MUST_USE;

/* What one audience of an agent told the hub, opened: the plaintext of a Snapshot. */
struct store_picture {
    int64_t author;
    uint8_t audience[AUDIENCE_ID_LEN];
    uint64_t incarnation, seq;
    int64_t received_ms, shift_ms; /* shift: added to its times, docs/protocol.md "Clocks" */
    struct bytes plain;
};
enum err store_put_picture(struct store *s, const struct store_picture *p, struct error *e)
    MUST_USE;
enum err store_drop_picture(struct store *s, int64_t author,
                            const uint8_t audience[static AUDIENCE_ID_LEN], struct error *e)
    MUST_USE;
typedef enum err store_picture_visit(void *ctx, const struct store_picture *p, struct error *e);
enum err store_pictures(struct store *s, store_picture_visit *visit, void *ctx, struct error *e)
    MUST_USE;

/* History views of an audience under this key that came before it, oldest first. */
enum err store_history_under(struct store *s, const struct store_held_key *key,
                             store_view_visit *visit, void *ctx, struct error *e) MUST_USE;
/* Every point of an opened history, and its sites. A point said again for the same time takes the
 * place of what an earlier entry said. */
struct store_history {
    int64_t author;
    const uint8_t *audience;
    uint64_t incarnation, seq;
    int64_t received_ms, shift_ms;
    const struct history *history;
};
enum err store_put_history(struct store *s, const struct store_history *h, struct error *e)
    MUST_USE;
/* What this audience of the author told. */
enum err store_drop_history(struct store *s, int64_t author,
                            const uint8_t audience[static AUDIENCE_ID_LEN], struct error *e)
    MUST_USE;
/* Past figures of a service, observed before an instant, by member, author, site, ward, time and
 * seq. Each line that was ever told begins with a mark, whether points of it are left or not: no
 * figure, observed when the line was first, with when it was last. Texts are borrowed for the
 * visit. */
struct store_point {
    int64_t author;
    uint32_t site;
    const char *site_name, *region, *service, *ward;
    enum precision_kind precision;
    int64_t step;
    uint64_t seq; /* of the entry that said it */
    bool mark;
    int64_t last_ms;             /* of a mark */
    struct history_point figure; /* its clock corrected */
};
typedef enum err store_point_visit(void *ctx, const struct store_point *p, struct error *e);
enum err store_points(struct store *s, const char *service, int64_t before_ms,
                      store_point_visit *visit, void *ctx, struct error *e) MUST_USE;
/* Points received before an instant that counted for the last time before it too. */
struct store_retiree {
    int64_t id;
    int64_t observed_ms, until_ms; /* when it counted */
};
enum err store_retirable(struct store *s, int64_t before_ms, int64_t now_ms, size_t limit,
                         struct store_retiree *rows, size_t *ret_count, struct error *e) MUST_USE;
enum err store_drop_point(struct store *s, int64_t id, struct error *e) MUST_USE;
typedef enum err store_region_visit(void *ctx, const char *region, struct error *e);
/* Each region of a site that points are known of, once. */
enum err store_regions(struct store *s, store_region_visit *visit, void *ctx, struct error *e)
    MUST_USE;

/* When a line was observed first and, in history, last (0: not in history); the widest stays. */
struct store_line {
    int64_t author;
    const uint8_t *audience;
    uint32_t site;
    const char *service, *ward;
    int64_t since_ms, last_ms;
};
enum err store_put_line(struct store *s, const struct store_line *line, struct error *e) MUST_USE;
typedef enum err store_since_visit(void *ctx, int64_t author, int64_t since_ms, struct error *e);
/* Each author with a line, and the earliest of its lines. */
enum err store_authors_since(struct store *s, store_since_visit *visit, void *ctx, struct error *e)
    MUST_USE;
enum err store_network_since(struct store *s, int64_t *ret_ms, struct error *e) MUST_USE;

/* ---- final sums ---- */

struct store_final {
    int64_t day;                  /* since 1970-01-01 */
    const char *service, *region; /* "": the whole network */
    int decimals;
    struct cell cell;
};
/* ERR_CONFLICT when it is there already. */
enum err store_put_final(struct store *s, const struct store_final *f, struct error *e) MUST_USE;
typedef enum err store_final_visit(void *ctx, const struct store_final *f, struct error *e);
/* Of [from_day, to_day], by day, service and region. */
enum err store_finals(struct store *s, int64_t from_day, int64_t to_day, store_final_visit *visit,
                      void *ctx, struct error *e) MUST_USE;
enum err store_newest_final(struct store *s, bool *ret_found, int64_t *ret_day, struct error *e)
    MUST_USE;

/* ---- what was published ---- */

#define STORE_NOW (-1) /* the day of figures of the moment */
struct store_published {
    const char *service;
    int64_t day;
    const char *region; /* "": the whole network */
    bool shown;
    int64_t published_ms;
    struct cell cell; /* its components are not published */
    struct bytes parts;
};
/* When all that is of now was published last; 0: never. */
enum err store_note_publication(struct store *s, int64_t now_ms, struct error *e) MUST_USE;
enum err store_last_publication(struct store *s, int64_t *ret_ms, struct error *e) MUST_USE;
/* Takes the place of what was published of the cell before, and is shown. */
enum err store_put_published(struct store *s, const struct store_published *p, struct error *e)
    MUST_USE;
enum err store_hide_published(struct store *s, const struct store_published *p, struct error *e)
    MUST_USE;
typedef enum err store_published_visit(void *ctx, const struct store_published *p, struct error *e);
/* By region; texts and bytes are borrowed for the visit. */
enum err store_published(struct store *s, const char *service, int64_t day,
                         store_published_visit *visit, void *ctx, struct error *e) MUST_USE;
/* Forgets who stood behind a day's figures: they are final. */
enum err store_seal_published(struct store *s, int64_t day, struct error *e) MUST_USE;

/* ---- counters and marks ---- */

enum err store_count_rejections(struct store *s, enum err code, int64_t count, int64_t now_ms,
                                struct error *e) MUST_USE;
typedef enum err store_count_visit(void *ctx, const char *code, int64_t count, struct error *e);
enum err store_rejections(struct store *s, store_count_visit *visit, void *ctx, struct error *e)
    MUST_USE;
/* A view for the hub that could not be used. */
enum err store_note_trouble(struct store *s, int64_t author, const struct error *why,
                            int64_t now_ms, struct error *e) MUST_USE;
struct store_trouble {
    int64_t author;
    const char *code, *detail;
    int64_t count, last_ms;
};
typedef enum err store_trouble_visit(void *ctx, const struct store_trouble *t, struct error *e);
enum err store_troubles(struct store *s, store_trouble_visit *visit, void *ctx, struct error *e)
    MUST_USE;
enum err store_put_seen(struct store *s, const struct public_key *agent, int64_t last_ms,
                        struct error *e) MUST_USE;
typedef enum err store_seen_visit(void *ctx, const struct public_key *agent, int64_t last_ms,
                                  struct error *e);
enum err store_seen(struct store *s, store_seen_visit *visit, void *ctx, struct error *e) MUST_USE;

#endif
