/* Owns what arrives: the reader's rule, keys held, partners' pictures, cursors, the hub's feed.
 * Source: design 5 "Reader's rule"; docs/protocol.md. */
#ifndef PLEK_INBOX_H
#define PLEK_INBOX_H

#include "agent.h"

/* One delivered excerpt. CLASS_HUB: chain, signature by the pinned hub key, directory, stored.
 * Others: pinned member, certificate, signature, leaf and path, target, key, AEAD, newest only,
 * clock, validity. History: likewise, each view once, in any order. A view without its key is kept
 * and tried again when a grant arrives (ERR_NO_KEY). Replaces the picture atomically. Typed errors
 * as in feed.h and errors.def; nothing changed then. */
enum err inbox_take(struct agent *a, uint32_t class_, uint64_t position, int64_t received_ms,
                    struct bytes excerpt, int64_t now_ms, struct error *e) MUST_USE;
enum err inbox_reached(struct agent *a, uint32_t class_, uint64_t upto, bool tip, int64_t now_ms,
                       struct error *e) MUST_USE;
/* How often each reader's rule refused something since the database was made: {"signature": 2}. */
enum err inbox_counters(struct agent *a, json_t **ret, struct error *e) MUST_USE;

#endif
