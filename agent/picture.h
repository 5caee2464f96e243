/* Owns what is stored of partners: their pictures, the keys they granted, views that wait for a
 * key. Must not verify anything: inbox.c did. */
#ifndef PLEK_AGENT_PICTURE_H
#define PLEK_AGENT_PICTURE_H

#include "agent.h"
#include "audience.h"

#define PICTURE_WAITING_MAX POLICY_MAX_AUDIENCES /* views without a key, of one agent */

/* What one agent may fill here; beyond it the oldest go, counted in status. A policy has at most as
 * many audiences; the keys beside the newest are for views still under way and for history, which
 * the hub gives under keys up to keep_days old. */
#define PICTURE_AUDIENCES_MAX POLICY_MAX_AUDIENCES
#define PICTURE_KEYS_MAX 8 /* of an audience */

/* A key an agent granted us, and where. */
struct held_key {
    uint8_t audience[AUDIENCE_ID_LEN];
    struct audience_key key;
    struct head granted; /* hash unused */
};
enum err picture_key(struct agent *a, const struct public_key *agent, const struct hash *key_id,
                     struct held_key *ret, bool *ret_found, struct error *e) MUST_USE;
/* Older keys of the audience go, see PICTURE_KEYS_MAX. */
enum err picture_key_put(struct agent *a, const struct public_key *agent, const struct hash *key_id,
                         const struct held_key *key, int64_t now_ms, struct error *e) MUST_USE;

/* (incarnation, seq) of the state held of that agent and audience; seq 0: none. */
enum err picture_head(struct agent *a, const struct public_key *agent,
                      const uint8_t audience[static AUDIENCE_ID_LEN], struct head *ret,
                      struct error *e) MUST_USE;
/* Replaces the picture of (agent, audience). granted: where its key was granted. Lines of a service
 * that another audience of the agent shows by a later word give way, on either side. */
enum err picture_put(struct agent *a, const struct header *header,
                     const uint8_t audience[static AUDIENCE_ID_LEN], const struct head *granted,
                     const struct snapshot *snapshot, int64_t received_ms, struct error *e)
    MUST_USE;

/* Its author took the picture of this audience back: it goes, and a tombstone stays in its place,
 * so that picture_head tells what is older. A newer state takes the tombstone's place. */
enum err picture_withdraw(struct agent *a, const struct header *header,
                          const uint8_t audience[static AUDIENCE_ID_LEN], uint64_t counter,
                          int64_t received_ms, struct error *e) MUST_USE;
/* {"pictures","keys","superseded_keys"}: how many were let go since the database was made. */
enum err picture_dropped(struct agent *a, json_t **ret, struct error *e) MUST_USE;

/* A view whose key has not come: the newest of each agent and audience, in its excerpt. */
struct waiting {
    uint8_t audience[AUDIENCE_ID_LEN];
    struct hash key_id;
    struct head head;
    int64_t received_ms;
};
/* ERR_OLD when a newer one waits, ERR_CAP beyond PICTURE_WAITING_MAX. */
enum err picture_wait(struct agent *a, const struct public_key *agent, const struct waiting *view,
                      struct bytes excerpt, int64_t now_ms, struct error *e) MUST_USE;
/* Takes out the one that waits for this key, if any: *ret NULL when none. Caller unrefs. */
enum err picture_take_waiting(struct agent *a, const struct public_key *agent,
                              const struct hash *key_id, struct blob **ret,
                              int64_t *ret_received_ms, struct error *e) MUST_USE;
/* A newer view was opened: what waits for that audience and is not newer goes. */
enum err picture_unwait(struct agent *a, const struct public_key *agent,
                        const uint8_t audience[static AUDIENCE_ID_LEN], const struct head *head,
                        struct error *e) MUST_USE;

/* Pictures, past, keys, headers and waiting views of an agent that was revoked or whose member was
 * removed. */
enum err picture_forget_agent(struct agent *a, const struct public_key *agent, struct error *e)
    MUST_USE;

#endif
