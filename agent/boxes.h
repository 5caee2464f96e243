/* Owns the agent's X25519 keys: the one partners seal grants to, the next one, and older ones until
 * they are wiped. Secrets stand in box-N.key (vault.h), which of them was announced in agent.db.
 * Must not seal: seal.h makes the entry that announces a key. Source: docs/protocol.md, "Key
 * renewal". */
#ifndef PLEK_AGENT_BOXES_H
#define PLEK_AGENT_BOXES_H

#include "agent.h"
#include "audience.h"

#define BOXES_MAX 64 /* held at once, the one in use included */
#define BOXES_RENEW_MS (INT64_C(90) * 24 * 3600 * 1000)

struct box_held {
    int64_t number, since_ms; /* since: when it was made */
    struct box_pair pair;
};
struct boxes {
    struct box_held list[BOXES_MAX]; /* newest first: the first is the one in use */
    size_t count;
    bool has_next; /* made and recorded, not announced yet */
    struct box_held next;
    int64_t wipe_after_ms; /* wiping failed: not again before */
};

/* Reads the files that the database says are held. ERR_NO_INPUT, ERR_DATA: a file is missing or
 * damaged; then *boxes is as it was. */
enum err boxes_load(struct agent *a, struct error *e) MUST_USE;
void boxes_wipe_memory(struct boxes *boxes);

/* Makes the next key, durably, unless one waits already. The caller's transaction. ERR_NOT_JOINED,
 * ERR_CONFLICT (BOXES_MAX are held), file errors. */
enum err boxes_make_next(struct agent *a, int64_t now_ms, struct error *e) MUST_USE;
/* The same at a person's word, in a transaction of its own; *ret as boxes_json. */
enum err boxes_renew(struct agent *a, int64_t now_ms, json_t **ret, struct error *e) MUST_USE;
/* The key in use is BOXES_RENEW_MS old, or the next one waits. */
bool boxes_renewal_due(const struct agent *a, int64_t now_ms);
/* The next key's public half; there is one. */
const struct public_key *boxes_next(const struct agent *a, int64_t *ret_since_ms);
/* The next key is announced in this entry of the own feed: it is the one in use from here on. The
 * transaction that stores the entry. */
enum err boxes_announced(struct agent *a, const struct head *entry, int64_t now_ms, struct error *e)
    MUST_USE;
/* Wipes keys whose successor the hub acknowledged and that was announced keep_days ago. File
 * errors, after which it waits an hour. */
enum err boxes_wipe_old(struct agent *a, int64_t now_ms, struct error *e) MUST_USE;
/* When one of both is next due, ms; INT64_MAX: not known. */
int64_t boxes_renew_at(const struct agent *a);
int64_t boxes_wipe_at(struct agent *a);

/* Opens a grant with whichever key it was sealed to. As grant_open. */
enum err boxes_open_grant(struct agent *a, const struct header *header, const struct view *grant,
                          struct audience_ctx *ret_ctx, struct audience_key *ret_key,
                          struct error *e) MUST_USE;
/* {"since", "next_renewal", "waiting", "older"} for the status. */
json_t *boxes_json(struct agent *a);

#endif
