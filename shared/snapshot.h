/* Owns the picture one audience has of one agent: composing it from records, its bytes, and reading
 * it back. Preview and sealing both go through snapshot_compose. Source: docs/protocol.md, "State".
 */
#ifndef PLEK_SNAPSHOT_H
#define PLEK_SNAPSHOT_H

#include "policy.h"

#define SITE_NAME_MAX 80
#define REGION_MAX 20
#define PHONE_MAX 32
#define HOURS_MAX 120
#define WARD_MAX 60
#define LINE_MAX_ATTRIBUTES CHARTER_MAX_ATTRIBUTES
#define SNAPSHOT_MAX_LINES 4000
#define SNAPSHOT_MAX_SITES 1000

struct site {
    uint32_t id;
    char name[SITE_NAME_MAX + 1];
    char region[REGION_MAX + 1], phone[PHONE_MAX + 1], hours[HOURS_MAX + 1], reports[HOURS_MAX + 1],
        note[NOTE_MAX + 1]; /* "" = not said */
};
struct attribute {
    char name[CODE_MAX + 1], value[CODE_MAX + 1];
};

/* An own line with its newest capacity (the agent's records). */
struct line {
    uint32_t site;
    char service[CODE_MAX + 1];
    char ward[WARD_MAX + 1]; /* "" = none */
    struct attribute attributes[LINE_MAX_ATTRIBUTES];
    size_t attribute_count;
    struct capacity capacity;
};

/* A line as a reader sees it. */
struct seen_line {
    uint32_t site;
    char service[CODE_MAX + 1];
    char ward[WARD_MAX + 1];
    struct attribute attributes[LINE_MAX_ATTRIBUTES];
    size_t attribute_count;
    struct disclosed figure;
};
struct snapshot {
    uint64_t counter;
    uint32_t charter_version;
    enum precision_kind precision;
    int64_t step;
    struct site *sites; /* only those with a line here */
    size_t site_count;
    struct seen_line *lines; /* ordered by site, service, ward: same content, same bytes */
    size_t line_count;
};

/* What the audience sees of these records, in a stable order and in whole seconds. counter is set
 * to 0. A line whose capacity has observed_ms 0 was never reported: it is there without a figure.
 * ERR_NO_MEMORY, ERR_CAP, ERR_CONFLICT (two lines of one site, service and ward), ERR_INTERNAL (a
 * line whose site is not given). */
enum err snapshot_compose(const struct policy_audience *audience, const struct charter *charter,
                          uint32_t charter_version, const struct site *sites, size_t site_count,
                          const struct line *lines, size_t line_count, struct snapshot **ret,
                          struct error *e) MUST_USE;
void snapshot_free(struct snapshot *s);
/* Appends at most VIEW_MAX_BYTES (ERR_CAP). Times are cut to seconds. */
enum err snapshot_encode(const struct snapshot *s, struct buf *out, struct error *e) MUST_USE;
/* BLAKE2b-256 over what the audience would see, without counter: has it changed? */
enum err snapshot_digest(const struct snapshot *s, struct hash *ret, struct error *e) MUST_USE;
/* Lenient about unknown fields, strict about ranges, indices, texts, what the precision may say,
 * and the order of sites, lines and attributes (which has no duplicates). ERR_MALFORMED, ERR_CAP,
 * ERR_NO_MEMORY. */
enum err snapshot_decode(struct bytes plain, struct snapshot **ret, struct error *e) MUST_USE;
/* The reader's rule on times: shift_ms = min(0, received - claimed) is added to observed and valid;
 * ERR_VALIDITY when a validity is longer than allowed (below exact: than that rounded up to 15
 * minutes, plus 15 minutes). All or nothing. */
enum err snapshot_apply_clock(struct snapshot *s, int64_t shift_ms, int64_t longest_validity_ms,
                              struct error *e) MUST_USE;
const struct site *snapshot_site(const struct snapshot *s, uint32_t id);

#endif
