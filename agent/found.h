/* Owns one row of find: how useful it is, and how it is written.
 * Must not know the store. Source: docs/openapi/agent.yaml; design 2. */
#ifndef PLEK_AGENT_FOUND_H
#define PLEK_AGENT_FOUND_H

#include "snapshot.h"

/* One line somebody shares, with everything its row says. Texts are borrowed. */
struct found {
    const char *member;
    const struct site *site;
    const struct seen_line *line;
    enum precision_kind precision;
    int64_t step;                          /* of rounded */
    const struct charter_service *service; /* says with how many decimals */
    bool verified;
    const struct zone *zone; /* of the charter; NULL: no local times */
    /* of a preview: why the reader may see it (recipients.h); NULL: not said */
    const char *why;
    int64_t why_since_ms; /* 0: by nature */
};

/* [the keys, hours, note], `last` on an expired row, and what else was said, where it was:
 * blocked_reason blocked_until next_free reports reports_again still_counts site_note why.
 * NULL: no memory. */
json_t *found_json(const struct found *f, int64_t now_ms);
/* The least room this row surely has, scaled; false when unknown or expired. */
bool found_room(const struct found *f, int64_t now_ms, int64_t *ret);

/* Whether it takes people, as far as it says: not full, not stopped, not expired. */
bool found_takes(const struct found *f, int64_t now_ms);

/* How rows are ordered, without the texts. */
struct found_rank {
    bool expired;
    int use;      /* enum use of found.c */
    int64_t room; /* in thousandths */
    int status;
    int64_t observed_ms;
};
struct found_rank found_rank(const struct found *f, int64_t now_ms);
int found_compare(const struct found_rank *a, const struct found_rank *b); /* most useful first */

#endif
