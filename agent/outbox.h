/* Owns what leaves: lazy sealing of what audiences see, audience keys and grants, the agent's own
 * feed. Source: design 5 "Sealing", "Audience keys"; docs/protocol.md. */
#ifndef PLEK_OUTBOX_H
#define PLEK_OUTBOX_H

#include "agent.h"
#include "hello.h"

/* The next entry of the own feed after `last` (acked or sent): one already signed, else, when what
 * an audience sees changed or a key must change, a newly sealed one - signed, committed, then
 * returned. *ret NULL: nothing to send. Changes while offline coalesce into one state per audience.
 * Stops (nothing returned) while an alarm `ahead`, `forked`, `suspended` or `removed` stands.
 * Inside the caller's db_begin/db_commit; nothing may be sent before that commit. */
enum err outbox_next(struct agent *a, const struct head *last, size_t max_bytes, int64_t now_ms,
                     struct blob **ret, struct head *ret_head, struct error *e) MUST_USE;

/* A welcome was verified: stores the clock's offset and compares what the hub holds of our feed.
 * ERR_AHEAD (it holds more, or a later incarnation: alarm `ahead`), ERR_FORK (another entry in the
 * place of ours: alarm `forked`): push nothing, keep pulling. The alarms are stored in both cases.
 * A hub that lost what it acknowledged (alarm `hub-behind`) is sent again what is held. */
enum err outbox_welcomed(struct agent *a, const struct welcome *welcome, int64_t now_ms,
                         struct error *e) MUST_USE;
/* The hub holds everything up to this head. Heads that are not ours change nothing (ERR_PROTOCOL);
 * what is acknowledged, older than keep_days and not the newest loses its bytes. */
enum err outbox_acked(struct agent *a, const struct head *head, int64_t now_ms, struct error *e)
    MUST_USE;
/* The hub refused one of our entries: alarm `forked` for ERR_FORK, `rejected` otherwise; none for
 * ERR_RATE, which passes. */
enum err outbox_rejected(struct agent *a, const struct head *head, enum err why, const char *reason,
                         int64_t now_ms, struct error *e) MUST_USE;

/* When the outbox wants to be looked at again without any change (age of keys), ms; INT64_MAX:
 * never. */
int64_t outbox_wake_at(struct agent *a, int64_t now_ms);

/* What we signed last and what of it the hub holds; seq 0 where there is none. */
enum err outbox_heads(struct agent *a, struct head *ret_own, struct head *ret_acked,
                      struct error *e) MUST_USE;

struct outbox_status {
    struct head own, acked;
    int64_t entries;         /* signed and not acknowledged */
    int64_t dirty_audiences; /* audiences whose picture differs from the last sealed one */
};
enum err outbox_status(struct agent *a, int64_t now_ms, struct outbox_status *ret, struct error *e)
    MUST_USE;

#endif
