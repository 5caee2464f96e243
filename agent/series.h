/* Owns what is stored of partners' past: points by agent, site, service, ward and time; which
 * history views came, and the holes between them. Source: docs/protocol.md, "History". Must not
 * verify anything: the inbox did. */
#ifndef PLEK_AGENT_SERIES_H
#define PLEK_AGENT_SERIES_H

#include "agent.h"
#include "history.h"

/* One opened view. */
struct series_view {
    const struct header *header;
    const uint8_t *audience;
    uint64_t position; /* at the hub */
    int64_t shift_ms, received_ms, now_ms;
    const struct history *history;
};
/* Applies it once: *ret_new false when its counter came before. A point of the same time takes the
 * place of what an earlier entry said. Opens and closes holes. */
enum err series_take(struct agent *a, const struct series_view *view, bool *ret_new,
                     struct error *e) MUST_USE;

/* Its author took back what this audience was shown up to `header`: its points go, and what was
 * known of its views, so that what it shows later opens no hole back to them. */
enum err series_withdraw(struct agent *a, const struct header *header,
                         const uint8_t audience[static AUDIENCE_ID_LEN], int64_t received_ms,
                         struct error *e) MUST_USE;
/* Whether that was taken back: `header` is not newer than the audience's last withdrawal. */
enum err series_withdrawn(struct agent *a, const struct header *header,
                          const uint8_t audience[static AUDIENCE_ID_LEN], bool *ret,
                          struct error *e) MUST_USE;

/* From where to pull history in a new session: `cursor`, or further back while a hole was never
 * asked for; *ret_hole: the newest of those, 0: none. */
enum err series_pull_from(struct agent *a, uint64_t cursor, uint64_t *ret_after, int64_t *ret_hole,
                          struct error *e) MUST_USE;
/* Everything after that position came: what is still missing up to this hole, the hub does not have
 * for us. *ret_more: others were found since. */
enum err series_pulled(struct agent *a, int64_t hole, bool *ret_more, struct error *e) MUST_USE;
/* Points, counters and holes of before the charter's keep_days. */
enum err series_prune(struct agent *a, int64_t now_ms, struct error *e) MUST_USE;
/* [{"member","missing","since","asked"}]: how many views lack. */
enum err series_holes(struct agent *a, json_t **ret, struct error *e) MUST_USE;

#endif
