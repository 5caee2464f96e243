/* Owns what people do with their figures: stating one anew, confirming that it still holds, and
 * taking the last change back.
 * Must not store anything but through records.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hours.h"
#include "past.h"
#include "place.h"
#include "records.h"
#include "store.h"

/* Further ahead than a date's noon can be, a time is a slip of the hand. */
#define FUTURE_MAX_MS (INT64_C(24) * 3600 * 1000)

enum err records_service(const struct agent *a, const char *code,
                         const struct charter_service **ret, struct error *e) {
    enum err joined = agent_need_joined(a, e);
    if (joined != ERR_OK)
        return joined;
    const struct charter *charter = agent_charter(a);
    const struct charter_service *service = charter_service(charter, code);
    if (service) {
        *ret = service;
        return ERR_OK;
    }
    char known[160];
    size_t len = 0;
    known[0] = '\0';
    for (size_t i = 0; i < charter->service_count && len + CODE_MAX + 8 < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "",
                                charter->services[i].code);
    enum err unknown = error_set(
        e, ERR_DATA, "found service '%.40s', expected one of the charter's: %s", code, known);
    records_hide_numbers(e, false);
    return unknown;
}

/* ---- times ---- */

/* A card of before hours had a form says nothing here: its site has none. */
static enum err hours_of(struct agent *a, uint32_t site, struct hours *ret, struct error *e) {
    *ret = (struct hours){.count = {0}};
    struct db_query q = db_query(agent_db(a), SQL_SITE_REPORTS);
    db_bind_int(&q, ":id", site);
    enum err parsed = db_step(&q) ? hours_parse(db_column_text(&q, 0), ret, NULL) : ERR_OK;
    (void)parsed;
    return db_finish(&q, e);
}

enum err records_date(struct agent *a, struct line *line, const struct zone *zone,
                      int64_t observed_ms, int64_t validity_ms, struct error *e) {
    const struct charter_service *service = NULL;
    struct hours hours;
    struct hours_run run;
    enum err code = records_service(a, line->service, &service, e);
    code = code != ERR_OK ? code : hours_of(a, line->site, &hours, e);
    if (code != ERR_OK)
        return code;
    int64_t length_ms = validity_ms > 0 ? validity_ms : service->validity_ms;
    int64_t until_ms = observed_ms + length_ms;
    int64_t last_ms = observed_ms + agent_charter(a)->longest_validity_ms;
    if (validity_ms == 0 && hours_run_on(&hours, zone, until_ms, length_ms, &run))
        until_ms = run.end_ms < last_ms ? run.end_ms : last_ms;
    line->capacity.observed_ms = observed_ms;
    line->capacity.valid_until_ms = until_ms;
    line->capacity.validity_ms = validity_ms;
    return ERR_OK;
}

enum err records_check_observed(int64_t observed_ms, int64_t now_ms, struct error *e) {
    char found[TEXT_TIME_SIZE];
    if (observed_ms <= now_ms + FUTURE_MAX_MS)
        return ERR_OK;
    return error_at(e, ERR_DATA, "observed", 0, 0,
                    "found %s, which is still to come; expected the time of the count",
                    text_time(observed_ms, found));
}

enum err records_times(struct agent *a, struct line *line, const struct zone *zone,
                       const char *observed, const char *valid, int64_t now_ms, struct error *e) {
    int64_t observed_ms = now_ms, validity_ms = 0;
    struct error why = {0};
    if (observed && zone_parse_time(zone, observed, &observed_ms, &why) != ERR_OK)
        return error_at(e, ERR_DATA, "observed", 0, 0, "%s", why.detail);
    if (valid && text_parse_duration(valid, &validity_ms, &why) != ERR_OK)
        return error_at(e, ERR_DATA, "valid", 0, 0, "%s", why.detail);
    if (valid && validity_ms == 0)
        return error_at(e, ERR_DATA, "valid", 0, 0, "found '%.40s', expected a duration over 0",
                        valid);
    enum err code = records_check_observed(observed_ms, now_ms, e);
    return code != ERR_OK ? code : records_date(a, line, zone, observed_ms, validity_ms, e);
}

/* ---- set ---- */

static bool names_figure(const struct record_set *set, const char *key) {
    for (size_t i = 0; i < set->pair_count; i++) {
        if (strcmp(set->pairs[i].key, key) == 0)
            return true;
    }
    return false;
}

static bool states_figure(const struct record_set *set) {
    if (set->keep || set->observed || set->valid || set->pair_count == 0)
        return true;
    for (size_t i = 0; records_figure_keys[i]; i++) {
        if (names_figure(set, records_figure_keys[i]))
            return true;
    }
    return false;
}

static enum err apply_pairs(struct line *line, const struct charter_service *service,
                            const struct zone *zone, const struct record_set *set,
                            struct error *e) {
    for (size_t i = 0; i < set->pair_count; i++) {
        const struct record_pair *p = &set->pairs[i];
        enum err code = records_set_figure(&line->capacity, service, zone, p->key, p->value, e);
        if (code == ERR_NOT_FOUND)
            code = records_set_attribute(line, service, p->key, p->value, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* What is kept of an older figure must not outlive the number it belongs to. */
static void drop_stale_block(struct capacity *c, const struct record_set *set) {
    if (c->blocked.known && c->blocked.value > 0)
        return;
    if (!names_figure(set, "blocked_reason"))
        c->blocked_reason[0] = '\0';
    if (!names_figure(set, "blocked_until"))
        c->blocked_until_ms = 0;
}

static enum err state_figure(struct agent *a, struct record *record, bool found,
                             const struct charter_service *service, const struct zone *zone,
                             const struct record_set *set, int64_t now_ms, struct error *e) {
    const struct capacity old = record->line.capacity;
    bool kept = set->keep && found &&
                capacity_freshness(old.observed_ms, old.valid_until_ms, now_ms) != FRESH_EXPIRED;
    if (!kept)
        record->line.capacity = (struct capacity){0};
    enum err code = apply_pairs(&record->line, service, zone, set, e);
    if (code != ERR_OK)
        return code;
    if (kept)
        drop_stale_block(&record->line.capacity, set);
    return records_times(a, &record->line, zone, set->observed, set->valid, now_ms, e);
}

/* A line that is not there yet has revision 0. */
static enum err check_seen(const int64_t *seen, const struct record *record, struct error *e) {
    char when[TEXT_TIME_SIZE];
    if (!seen || *seen == record->revision)
        return ERR_OK;
    return error_set(
        e, ERR_CONFLICT,
        "this line was changed in between, by %s at %s: look at what it says now, then "
        "change it again",
        record->actor[0] ? record->actor : "somebody", text_time(record->entered_ms, when));
}

static enum err change_line(struct agent *a, const struct charter_service *service,
                            const struct zone *zone, const struct record_set *set, int64_t now_ms,
                            struct record *ret, struct error *e) {
    uint32_t site = 0;
    bool found = false;
    enum err code = records_find_site(a, set->site, &site, e);
    if (code == ERR_OK)
        code = records_check_ward(set->ward ? set->ward : "", e);
    if (code == ERR_OK)
        code = records_find_line(a, site, service->code, set->ward, ret, &found, e);
    if (code == ERR_OK)
        code = check_seen(set->seen, ret, e);
    for (size_t i = 0; i < set->pair_count && code == ERR_OK && found; i++)
        code = places_refuse_count(a, ret->id, set->pairs[i].key, e);
    if (code != ERR_OK)
        return code;
    if (found && !states_figure(set))
        code = apply_pairs(&ret->line, service, zone, set, e);
    else
        code = state_figure(a, ret, found, service, zone, set, now_ms, e);
    if (code != ERR_OK)
        return code;
    ret->entered_ms = now_ms;
    snprintf(ret->actor, sizeof ret->actor, "%s", set->actor ? set->actor : "");
    return records_store(a, ret, e);
}

enum err records_set(struct agent *a, const struct record_set *set, int64_t now_ms,
                     struct record *ret, struct error *e) {
    const struct charter_service *service = NULL;
    const struct zone *zone = NULL;
    struct record record;
    enum err code = records_service(a, set->service, &service, e);
    if (code == ERR_OK)
        code = agent_zone(a, &zone, e);
    if (code == ERR_OK)
        code = change_line(a, service, zone, set, now_ms, &record, e);
    if (code != ERR_OK)
        records_hide_numbers(e, false);
    else
        *ret = record;
    return code;
}

/* ---- confirm ---- */

struct confirming {
    struct agent *a;
    const struct record_confirm *what;
    uint32_t site; /* 0: any */
    const struct zone *zone;
    int64_t now_ms;
    size_t matched;
    struct record_confirmed done;
};

static bool confirm_matches(const struct confirming *c, const struct line *line) {
    return (!c->what->service || strcmp(c->what->service, line->service) == 0) &&
           (c->site == 0 || c->site == line->site) &&
           (!c->what->ward || strcmp(c->what->ward, line->ward) == 0);
}

static enum err confirm_one(struct confirming *c, struct record *record, struct error *e) {
    struct capacity *figure = &record->line.capacity;
    const struct charter *charter = agent_charter(c->a);
    if (!confirm_matches(c, &record->line))
        return ERR_OK;
    c->matched++;
    enum err seen = check_seen(c->what->seen, record, e);
    if (seen != ERR_OK)
        return seen;
    if (!charter_service(charter, record->line.service)) {
        c->done.dropped++;
        return ERR_OK;
    }
    if (!c->what->all && capacity_freshness(figure->observed_ms, figure->valid_until_ms,
                                            c->now_ms) == FRESH_EXPIRED) {
        c->done.expired++;
        return ERR_OK;
    }
    int64_t validity_ms = figure->validity_ms;
    if (validity_ms > charter->longest_validity_ms)
        validity_ms = charter->longest_validity_ms; /* the charter became stricter since */
    enum err code = records_date(c->a, &record->line, c->zone, c->now_ms, validity_ms, e);
    if (code != ERR_OK)
        return code;
    record->entered_ms = c->now_ms;
    snprintf(record->actor, sizeof record->actor, "%s", c->what->actor ? c->what->actor : "");
    c->done.confirmed++;
    return records_store(c->a, record, e);
}

static enum err confirm_all(struct confirming *c, struct error *e) {
    struct record *list = NULL;
    size_t count = 0;
    enum err code = ERR_OK;
    if (c->what->site)
        code = records_find_site(c->a, c->what->site, &c->site, e);
    if (code == ERR_OK)
        code = records_list(c->a, &list, &count, e);
    for (size_t i = 0; i < count && code == ERR_OK; i++)
        code = confirm_one(c, &list[i], e);
    free(list);
    if (code != ERR_OK)
        return code;
    if (c->matched == 0)
        return error_set(e, ERR_NOT_FOUND, "no figure matches: see plek-agent lines");
    if (c->done.confirmed == 0 && c->done.expired > 0)
        return error_set(
            e, ERR_CONFLICT,
            "%zu matching figures have expired: state them anew with set, or confirm --all",
            c->done.expired);
    return ERR_OK;
}

enum err records_confirm(struct agent *a, const struct record_confirm *what, int64_t now_ms,
                         struct record_confirmed *ret, struct error *e) {
    struct confirming c = {.a = a, .what = what, .now_ms = now_ms};
    enum err code = agent_zone(a, &c.zone, e);
    if (code == ERR_OK)
        code = db_begin(agent_db(a), e);
    if (code != ERR_OK)
        return code;
    code = confirm_all(&c, e);
    code = db_end(agent_db(a), code, e);
    if (code == ERR_OK)
        *ret = c.done;
    return code;
}

/* ---- undo ---- */

/* The log says what was known then: for the moment of the figure that is taken back, what stands
 * again, unless that had ended by then. */
static enum err correct_past(struct agent *a, const struct record *undone,
                             const struct record *restored, struct error *e) {
    struct capacity c = restored->line.capacity;
    int64_t observed_ms = undone->line.capacity.observed_ms;
    if (observed_ms <= c.observed_ms)
        return ERR_OK;
    if (c.valid_until_ms <= observed_ms)
        return past_drop(a, undone->id, observed_ms, e);
    c.observed_ms = observed_ms;
    return past_put(a, undone->id, &c, restored->entered_ms, restored->actor, NULL, e);
}

static enum err undo_line(struct agent *a, const struct record_undo *what, int64_t now_ms,
                          struct record *ret, struct error *e) {
    uint32_t site = 0;
    bool found = false;
    struct record now, before;
    enum err code = records_find_site(a, what->site, &site, e);
    if (code == ERR_OK)
        code = records_find_line(a, site, what->service, what->ward, &now, &found, e);
    if (code == ERR_OK && !found)
        code = error_set(e, ERR_NOT_FOUND, "no such line: see plek-agent lines");
    if (code == ERR_OK)
        code = check_seen(what->seen, &now, e);
    if (code == ERR_OK)
        code = places_refuse_count(a, now.id, "total", e);
    if (code == ERR_OK)
        code = records_before(a, &now, &before, e);
    if (code != ERR_OK)
        return code;
    before.entered_ms = now_ms;
    snprintf(before.actor, sizeof before.actor, "%s", what->actor ? what->actor : "");
    code = records_store(a, &before, e);
    if (code == ERR_OK)
        code = correct_past(a, &now, &before, e);
    if (code == ERR_OK)
        *ret = before;
    return code;
}

enum err records_undo(struct agent *a, const struct record_undo *what, int64_t now_ms,
                      struct record *ret, struct error *e) {
    struct record record;
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK)
        code = db_begin(agent_db(a), e);
    if (code != ERR_OK)
        return code;
    code = undo_line(a, what, now_ms, &record, e);
    code = db_end(agent_db(a), code, e);
    if (code == ERR_OK)
        *ret = record;
    return code;
}
