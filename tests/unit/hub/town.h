/* Owns a small network for the hub's tests: a hub in a directory of its own, members that join and
 * publish with the real core functions, readers that follow hub_load. Same seed, same bytes. */
#ifndef PLEK_TEST_TOWN_H
#define PLEK_TEST_TOWN_H

#include "audience.h"
#include "history.h"
#include "hub.h"
#include "unit/db/scratch.h"

#define TOWN_START_MS INT64_C(1763733600000) /* 2025-11-21T14:00:00Z */
#define TOWN_HOUR_MS INT64_C(3600000)
#define DRAFT_MAX_VIEWS 512

/* A repeatable source of bytes. */
struct stream {
    uint64_t seed, used;
};
struct entropy stream_entropy(struct stream *s);
uint64_t stream_next(struct stream *s, uint64_t bound); /* 0 <= result < bound */

struct town {
    struct scratch scratch;
    char dir[PATH_MAX];
    const char *vfs;
    struct stream stream;
    struct hub *hub;
    int64_t now_ms;
};
/* `charter` NULL: the default one. */
void town_init(struct town *t, uint64_t seed, const char *charter);
void town_open(struct town *t);
void town_close(struct town *t);
void town_done(struct town *t);
/* A route's answer; *ret NULL after a failure, whose text is in *e. Inside no group. */
enum err town_call(struct town *t, enum api_method method, const char *path, json_t *take_query,
                   json_t *take_body, json_t **ret, struct error *e);
/* As town_call, and it must succeed. */
json_t *town_get(struct town *t, const char *path);
void town_change(struct town *t, const char *name, const char *verb);

struct person {
    char name[NAME_MAX_BYTES + 1];
    struct sign_pair member, next, agent, invite;
    struct box_pair box;
    struct cert cert;
    uint8_t cert_bytes[CERT_MAX_BYTES], join_bytes[JOIN_MAX_BYTES];
    size_t cert_len, join_len;
    struct head head; /* what the hub acknowledged */
};
/* Keys, certificate and join request by an invitation; nothing is sent. */
void person_make(struct town *t, struct person *p, const char *invite_uri);
/* Invites and joins: an admitted member. */
void person_join(struct town *t, struct person *p, const char *name, const char *role);
void town_invite(struct town *t, const char *name, const char *role,
                 char uri[static INVITE_URI_MAX]);
/* The hello of this person's agent meets the hub, in a group of its own that is committed. */
struct greeting person_greet(struct town *t, const struct person *p, bool with_join);

/* An audience as its owner keeps it. */
struct circle {
    uint8_t id[AUDIENCE_ID_LEN];
    struct audience_key key;
    struct hash key_id;
};
void circle_new(struct town *t, struct circle *c, const struct person *owner);
void circle_rotate(struct town *t, struct circle *c, const struct person *owner);

/* An entry in the making. */
struct draft {
    struct header header;
    struct view views[DRAFT_MAX_VIEWS];
    struct buf data[DRAFT_MAX_VIEWS];
    size_t count;
};
/* The next of the person's feed: `open` for the first, else an update. */
void draft_init(const struct town *t, struct draft *d, const struct person *p);
void draft_grant(struct town *t, struct draft *d, const struct circle *c,
                 const struct public_key *recipient, const struct public_key *box);
void draft_grant_to(struct town *t, struct draft *d, const struct circle *c,
                    const struct person *to);
void draft_grant_hub(struct town *t, struct draft *d, const struct circle *c);
void draft_state(struct town *t, struct draft *d, const struct circle *c, struct bytes plain);
void draft_history(struct town *t, struct draft *d, const struct circle *c,
                   const struct history *h);
/* Any view with any bytes. */
void draft_raw(struct draft *d, uint32_t kind, struct target target, struct hash key_id,
               struct bytes data);
/* Signs under `key` and parses; caller frees. Ends the draft. */
struct entry *draft_build(struct draft *d, const struct sign_pair *key);

struct outcome {
    enum err err; /* of the store */
    enum feed_verdict verdict;
    struct head head;
    struct error reject;
};
/* Inside an open group. */
struct outcome town_accept(struct town *t, const struct entry *entry,
                           const struct public_key *agent);
void town_begin(struct town *t);
void town_commit(struct town *t);
/* In a group of its own; an accepted entry becomes the person's head. Frees the entry. */
struct outcome person_send(struct town *t, struct person *p, struct entry *take_entry);
/* Draft built by the person, sent, and it must be accepted. */
void person_publish(struct town *t, struct person *p, struct draft *d);

/* A snapshot with one line per row, exact or as `precision` says. Caller frees. */
struct figures {
    uint32_t site;
    const char *region, *service, *ward;
    struct amount total, occupied, free, held, blocked, need;
    int64_t observed_ms, valid_until_ms; /* 0: now, and a day later */
};
void figures_encode(const struct town *t, const char *precision, const struct figures *rows,
                    size_t count, struct buf *out);
/* Publishes a state of these, granted to the hub the first time: the circle is made then. */
void person_share(struct town *t, struct person *p, struct circle *c, const char *precision,
                  const struct figures *rows, size_t count);
/* Compares the named keys of one row with what was worked out, written as JSON. */
void expect_row(const json_t *rows, size_t index, const char *expected);
static inline struct amount known(int64_t value) {
    return (struct amount){true, value};
}

struct page town_load(struct town *t, const struct public_key *reader, const struct cursors *after,
                      size_t max_bytes);

#endif
