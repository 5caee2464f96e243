/* Owns what is known of one audience of the policy when the outbox looks at it: its key, who holds
 * it, what it would see now, and what therefore has to be sent. Reads only, but for circle_store
 * and circle_forget. Source: design 5 "Audience keys". Must not build entries (seal.h). */
#ifndef PLEK_AGENT_CIRCLE_H
#define PLEK_AGENT_CIRCLE_H

#include "audience.h"
#include "past_view.h"
#include "recipients.h"
#include "records.h"

#define CIRCLE_KEY_MAX_MS (INT64_C(7) * 24 * 3600 * 1000) /* a key's time in use */
#define CIRCLE_PRECISION_MAX 128
#define CIRCLE_SERVICES_MAX (CHARTER_MAX_SERVICES * (CODE_MAX + 1) + 1)

struct circle {
    const struct policy_audience *policy; /* borrowed */
    struct recipients recipients;
    bool *granted; /* per recipient: holds the current key */
    bool *fresh;   /* per recipient: was given it by the entry in the making */
    /* as stored; has_key false: none in use */
    bool exists, has_key, has_digest;
    uint8_t id[AUDIENCE_ID_LEN];
    struct audience_key key;
    struct hash key_id, digest;
    int64_t key_ms, sealed_ms;
    uint64_t counter, sealed_seq, history_counter;
    char key_services[CIRCLE_SERVICES_MAX], key_precision[CIRCLE_PRECISION_MAX];
    /* as it should be */
    struct snapshot *snapshot; /* NULL: nobody to see it, or `why` */
    struct hash now_digest;
    struct error why; /* own data that cannot be sealed */
    bool rekey;       /* the next grant or state needs a new key */
    bool retire;      /* nobody is left: the key goes */
    bool state_due;
    size_t grants_due;
    bool history_due;
    uint64_t history_seq; /* the entry in the making that has some, 0: none */
    int64_t history_seen; /* when none is due: how far the log was looked at */
};

/* What the audience would see now: preview and sealing come through here. */
enum err circle_compose(struct agent *a, const struct policy_audience *audience,
                        const struct records *records, struct snapshot **ret, struct error *e)
    MUST_USE;
enum err circle_load(struct agent *a, const struct policy_audience *audience,
                     const struct approvals *approvals, const struct records *records,
                     int64_t now_ms, struct circle *ret, struct error *e) MUST_USE;
void circle_done(struct circle *c);
bool circle_due(const struct circle *c); /* grants or a state wait to be sent */
struct past_view circle_past(const struct circle *c);
/* Draws the new key (and id for a new audience): nobody holds it yet, nothing is sealed with it. */
void circle_rekey(struct agent *a, struct circle *c, int64_t now_ms);
/* The policy's services as text: "*", or codes with commas. */
void circle_services(const struct policy_audience *p, char out[static CIRCLE_SERVICES_MAX]);
struct audience_ctx circle_ctx(struct agent *a, const struct circle *c);
/* Writes the row, and who holds its key when that changed. The caller's transaction. */
enum err circle_store(struct agent *a, const struct circle *c, int64_t now_ms, struct error *e)
    MUST_USE;
/* Forgets the keys of audiences that the policy does not name (any more). */
enum err circle_forget_others(struct agent *a, const struct policy *policy, struct error *e)
    MUST_USE;

#endif
