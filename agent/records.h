/* Owns the organisation's own records: sites, lines with attributes, and each line's newest figure.
 * Must not know who sees them. Every change is one transaction: ERR_OK means committed (inside a
 * caller's db_begin: with the caller's commit). Source: design 2, docs/formats.md. */
#ifndef PLEK_AGENT_RECORDS_H
#define PLEK_AGENT_RECORDS_H

#include "agent.h"

/* Everything, for composing what leaves: sites by id, lines by site, service, ward. */
struct records {
    struct site *sites;
    size_t site_count;
    struct line *lines;
    size_t line_count;
};
enum err records_load(struct agent *a, struct records *ret, struct error *e) MUST_USE;
void records_done(struct records *r);
const struct site *records_site(const struct records *r, uint32_t id);

/* ---- sites ---- */
/* site->id is ignored. ERR_CONFLICT for a name in use, ERR_DATA for a text (with the key as path),
 * ERR_TOO_LARGE beyond SNAPSHOT_MAX_SITES. */
enum err records_site_add(struct agent *a, const struct site *site, struct error *e) MUST_USE;
/* NULL fields stay. ERR_NOT_FOUND, ERR_CONFLICT, ERR_DATA. */
struct site_change {
    const char *name, *region, *phone, *hours, *reports, *note;
};
enum err records_site_set(struct agent *a, const char *name, const struct site_change *change,
                          struct error *e) MUST_USE;
/* The same on a card in memory; unchanged on failure. */
enum err records_site_change(struct site *site, const struct site_change *change, struct error *e)
    MUST_USE;
/* Its texts; `reports` becomes its normal form. */
enum err records_check_site(struct site *site, struct error *e) MUST_USE;

/* ---- one line ---- */
struct record {
    int64_t id; /* of the line; 0: not there yet */
    struct line line;
    int64_t entered_ms;
    char actor[API_ACTOR_MAX];
    int64_t revision; /* rises by one with each change; 0: not there yet */
    bool undo;        /* what the line said before is kept: records_undo */
};
/* name NULL or "": the only site there is. ERR_NOT_FOUND listing the names; ERR_USAGE when several.
 */
enum err records_find_site(struct agent *a, const char *name, uint32_t *ret, struct error *e)
    MUST_USE;
/* *ret_found false: no such line; *ret then has site, service and ward only. */
enum err records_find_line(struct agent *a, uint32_t site, const char *service, const char *ward,
                           struct record *ret, bool *ret_found, struct error *e) MUST_USE;
/* Every line with its figure, by site, service, ward. The caller frees *ret. */
enum err records_list(struct agent *a, struct record **ret, size_t *ret_count, struct error *e)
    MUST_USE;
/* Checks service, ward and figure against the charter; then stores line, attributes, figure. The
 * counts of a line with places become what follows from them. id 0 makes the line. ERR_DATA
 * (contradictions too), ERR_TOO_LARGE beyond SNAPSHOT_MAX_LINES. */
enum err records_store(struct agent *a, struct record *record, struct error *e) MUST_USE;
enum err records_check(const struct agent *a, const struct record *record, struct error *e)
    MUST_USE;
enum err records_check_ward(const char *ward, struct error *e) MUST_USE;
enum err records_check_one_line(const char *key, const char *text, size_t max, struct error *e)
    MUST_USE;
/* A message that repeats nine digits that can be a citizen service number loses them; `always`:
 * whatever stands in it. For whoever hands an error about what people entered to the outside. */
void records_hide_numbers(struct error *e, bool always);
/* A service of the charter; ERR_DATA listing them, ERR_NOT_JOINED. */
enum err records_service(const struct agent *a, const char *code,
                         const struct charter_service **ret, struct error *e) MUST_USE;
/* The one place where a figure gets its times. A validity that somebody named stays exactly that;
 * validity_ms 0: the service's, and where its end falls outside the hours in which the line's site
 * reports it runs on (shared/hours.h), within the charter's longest validity. */
enum err records_date(struct agent *a, struct line *line, const struct zone *zone,
                      int64_t observed_ms, int64_t validity_ms, struct error *e) MUST_USE;
/* The same from texts: observed NULL: now; valid NULL: the service's. ERR_DATA. */
enum err records_times(struct agent *a, struct line *line, const struct zone *zone,
                       const char *observed, const char *valid, int64_t now_ms, struct error *e)
    MUST_USE;
/* ERR_DATA for a time more than a day ahead. */
enum err records_check_observed(int64_t observed_ms, int64_t now_ms, struct error *e) MUST_USE;

/* ---- a key=value of a figure ---- */
/* total occupied free held blocked need: amounts; blocked_until next_free: TIME; status; note
 * blocked_reason: text. "" means unknown. ERR_NOT_FOUND when `key` is none of these (nothing set);
 * ERR_DATA for the value, the key as path. */
enum err records_set_figure(struct capacity *c, const struct charter_service *service,
                            const struct zone *zone, const char *key, const char *value,
                            struct error *e) MUST_USE;
/* An attribute of the service; "" removes it. ERR_DATA naming the allowed values. */
enum err records_set_attribute(struct line *line, const struct charter_service *service,
                               const char *key, const char *value, struct error *e) MUST_USE;
/* The same texts back: "" when unknown. For showing changes. `out` has room for NOTE_MAX + 1. */
#define RECORDS_TEXT_SIZE (NOTE_MAX + 1)
const char *records_figure_text(const struct capacity *c, const struct charter_service *service,
                                const char *key, char out[static RECORDS_TEXT_SIZE]);
extern const char *const records_figure_keys[]; /* NULL-terminated, in the order people expect */

/* ---- what people do ---- */
struct record_pair {
    const char *key, *value;
};
/* `set`: states the figure anew. What is not named becomes unknown; attributes stay; keep carries
 * over what a figure that is not expired says. A set that names attributes only leaves the figure
 * as it is. observed NULL: now; valid NULL: the service's validity. Gives the line as stored.
 * ERR_CONFLICT when `seen` is not the line's revision: somebody changed it in between. */
struct record_set {
    const char *site, *service, *ward; /* site, ward may be NULL */
    const int64_t *seen;               /* NULL: whatever it says now */
    const char *observed, *valid;      /* texts or NULL */
    bool keep;
    const struct record_pair *pairs;
    size_t pair_count;
    const char *actor;
};
enum err records_set(struct agent *a, const struct record_set *set, int64_t now_ms,
                     struct record *ret, struct error *e) MUST_USE;

/* `confirm`: the figures still hold; observed becomes now, and each is believed as if it had been
 * stated now: for the validity that somebody named, else for the service's.
 * Expired figures are left unless `all` (they are unknown until somebody says otherwise).
 * ERR_NOT_FOUND when nothing matches, ERR_CONFLICT when all that match are expired or `seen` is not
 * the revision of one. */
struct record_confirm {
    const char *service, *site, *ward; /* NULL: any */
    const int64_t *seen;               /* NULL: whatever they say now */
    bool all;
    const char *actor;
};
struct record_confirmed {
    size_t confirmed, expired;
    size_t dropped; /* of services the charter no longer has: never confirmed */
};
enum err records_confirm(struct agent *a, const struct record_confirm *what, int64_t now_ms,
                         struct record_confirmed *ret, struct error *e) MUST_USE;

/* `undo`: the line says again what it said before its last change, with the age and end that had;
 * undone once more, the change is back. ERR_NOT_FOUND (line, or nothing before), ERR_CONFLICT (as
 * of set), ERR_DATA (its counts follow from places, or the charter no longer allows it). */
struct record_undo {
    const char *site, *service, *ward; /* site, ward may be NULL */
    const int64_t *seen;
    const char *actor;
};
enum err records_undo(struct agent *a, const struct record_undo *what, int64_t now_ms,
                      struct record *ret, struct error *e) MUST_USE;
/* The line as it stood before its last change; ERR_NOT_FOUND when that is not kept. */
enum err records_before(struct agent *a, const struct record *now, struct record *ret,
                        struct error *e) MUST_USE;

/* ---- JSON (amounts: integers, strings when the service has decimals, null when unknown) ---- */
json_t *records_amount_json(struct amount amount, int decimals);
json_t *records_time_json(int64_t ms);       /* null for 0 */
json_t *records_text_json(const char *text); /* null for "" and NULL */
json_t *records_attributes_json(const struct attribute *attributes, size_t count);
enum err records_sites_json(struct agent *a, json_t **ret, struct error *e) MUST_USE;
/* Rows of `lines`; service, site NULL: any. */
enum err records_lines_json(struct agent *a, const char *service, const char *site, int64_t now_ms,
                            json_t **ret, struct error *e) MUST_USE;
json_t *records_line_json(const struct site *site, const struct record *record,
                          const struct charter_service *service, const struct zone *zone,
                          int64_t now_ms);

#endif
