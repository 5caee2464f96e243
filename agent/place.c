/* Owns places below lines, and the counts that follow from them (see place.h).
 * Must not store a figure but through records.h. */
#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "store.h"

static const char *const state_names[] = {"free", "occupied", "held", "blocked"};
#define STATES (sizeof state_names / sizeof state_names[0])

const char *place_state_name(enum place_state state) {
    return state_names[state];
}

enum err place_state_parse(const char *text, enum place_state *ret, struct error *e) {
    for (size_t i = 0; i < STATES; i++) {
        if (strcmp(state_names[i], text) == 0) {
            *ret = (enum place_state)i;
            return ERR_OK;
        }
    }
    return error_set(e, ERR_DATA, "found '%.40s', expected free, occupied, held or blocked", text);
}

/* ---- one place ---- */

/* What stays here may say anything; it only has to be a text that fits. */
static enum err set_text(char *out, size_t size, const char *key, const char *value,
                         struct error *e) {
    if (strlen(value) >= size)
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found a text of %zu bytes, expected at most %zu; shorten it",
                        strlen(value), size - 1);
    for (const char *s = value; *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7F)
            return error_at(e, ERR_DATA, key, 0, 0,
                            "found a control character, expected plain text");
    }
    memcpy(out, value, strlen(value) + 1);
    return ERR_OK;
}

enum err place_check_code(const char *code, struct error *e) {
    char room[PLACE_CODE_MAX + 1];
    if (code[0] == '\0')
        return error_at(e, ERR_DATA, "code", 0, 0, "found nothing, expected the place's code");
    if (strpbrk(code, "\n\t"))
        return error_at(e, ERR_DATA, "code", 0, 0, "found a line break or tab, expected a code");
    return set_text(room, sizeof room, "code", code, e);
}

enum err place_set_value(struct place *p, const struct zone *zone, const char *key,
                         const char *value, struct error *e) {
    struct error why = {0};
    enum err code = ERR_OK;
    if (strcmp(key, "reason") == 0)
        return set_text(p->reason, sizeof p->reason, key, value, e);
    if (strcmp(key, "note") == 0)
        return set_text(p->note, sizeof p->note, key, value, e);
    if (strcmp(key, "state") == 0) {
        code = place_state_parse(value, &p->state, &why);
    } else if (strcmp(key, "until") == 0) {
        int64_t ms = 0;
        code = value[0] == '\0' ? ERR_OK : zone_parse_time(zone, value, &ms, &why);
        if (code == ERR_OK)
            p->until_ms = ms;
    } else {
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found this key, expected state, reason, until or note");
    }
    return code == ERR_OK ? code : error_at(e, code, key, 0, 0, "%s", why.detail);
}

/* ---- rows ---- */

static void copy_text(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
}

static void read_place(struct db_query *q, struct place *ret) {
    *ret = (struct place){.state = (enum place_state)db_column_int(q, 1),
                          .until_ms = db_column_int(q, 3),
                          .changed_ms = db_column_int(q, 5)};
    copy_text(ret->code, sizeof ret->code, db_column_text(q, 0));
    copy_text(ret->reason, sizeof ret->reason, db_column_text(q, 2));
    copy_text(ret->note, sizeof ret->note, db_column_text(q, 4));
    copy_text(ret->actor, sizeof ret->actor, db_column_text(q, 6));
}

enum err places_find(struct agent *a, int64_t line, const char *code, struct place *ret,
                     bool *ret_found, struct error *e) {
    struct place p = {0};
    struct db_query q = db_query(agent_db(a), SQL_PLACE_NAMED);
    db_bind_int(&q, ":line", line);
    db_bind_text(&q, ":code", code);
    bool found = db_step(&q);
    if (found)
        read_place(&q, &p);
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    *ret_found = found;
    if (found)
        *ret = p;
    return ERR_OK;
}

static enum err check_room(struct agent *a, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PLACE_COUNT);
    int64_t count = db_step(&q) ? db_column_int(&q, 0) : 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && count > PLACE_MAX)
        return error_set(e, ERR_TOO_LARGE,
                         "found more than %d places, which is the most an agent has", PLACE_MAX);
    return code;
}

enum err places_put(struct agent *a, int64_t line, const struct place *p, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PLACE_PUT);
    db_bind_int(&q, ":line", line);
    db_bind_text(&q, ":code", p->code);
    db_bind_int(&q, ":state", p->state);
    db_bind_text(&q, ":reason", p->reason);
    db_bind_int(&q, ":until_ms", p->until_ms);
    db_bind_text(&q, ":note", p->note);
    db_bind_int(&q, ":changed_ms", p->changed_ms);
    db_bind_text(&q, ":actor", p->actor);
    enum err code = db_run_query(&q, e);
    return code != ERR_OK ? code : check_room(a, e);
}

enum err places_remove(struct agent *a, int64_t line, const char *code, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PLACE_REMOVE);
    db_bind_int(&q, ":line", line);
    db_bind_text(&q, ":code", code);
    return db_run_query(&q, e);
}

enum err places_of(struct agent *a, int64_t line, struct place **ret, size_t *ret_count,
                   struct error *e) {
    struct place *list = NULL;
    size_t count = 0, room = 0;
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_PLACES_OF);
    db_bind_int(&q, ":line", line);
    while (db_step(&q)) {
        struct place *grown = array_grow(list, count, &room, sizeof *list);
        if (!grown) {
            code = error_set(e, ERR_NO_MEMORY, "no memory for more than %zu places", count);
            break;
        }
        list = grown;
        read_place(&q, &list[count++]);
    }
    code = db_finish_visit(&q, code, e);
    if (code != ERR_OK) {
        free(list);
        return code;
    }
    *ret = list;
    *ret_count = count;
    return ERR_OK;
}

/* ---- the counts ---- */

enum err places_allowed(const struct charter_service *service, struct error *e) {
    if (service->unit == UNIT_HOUR)
        return error_at(e, ERR_DATA, "service", 0, 0,
                        "found '%s', which counts hours; expected a service that counts beds, "
                        "places or homes",
                        service->code);
    return ERR_OK;
}

/* Of the line: all, occupied, held, blocked. */
static enum err count_states(struct agent *a, int64_t line, int64_t ret[static STATES],
                             struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_PLACE_COUNTS);
    db_bind_int(&q, ":line", line);
    bool any = db_step(&q);
    for (int i = 0; i < (int)STATES; i++)
        ret[i] = any ? db_column_int(&q, i) : 0;
    return db_finish(&q, e);
}

static int64_t scale_of(const struct agent *a, const char *service) {
    const struct charter *charter = agent_charter(a);
    const struct charter_service *s = charter ? charter_service(charter, service) : NULL;
    int64_t scale = 1;
    for (int i = 0; s && i < s->decimals; i++)
        scale *= 10;
    return scale;
}

enum err places_derive(struct agent *a, struct record *record, struct error *e) {
    int64_t n[STATES];
    if (record->id == 0)
        return ERR_OK;
    enum err code = count_states(a, record->id, n, e);
    if (code != ERR_OK || n[0] == 0)
        return code;
    struct capacity *c = &record->line.capacity;
    int64_t scale = scale_of(a, record->line.service);
    c->total = (struct amount){true, n[0] * scale};
    c->occupied = (struct amount){true, n[1] * scale};
    c->held = (struct amount){true, n[2] * scale};
    c->blocked = (struct amount){true, n[3] * scale};
    c->free = (struct amount){.known = false}; /* what is available follows from these */
    c->blocked_reason[0] = '\0';               /* a place's reason stays here */
    c->blocked_until_ms = 0;
    return ERR_OK;
}

static bool is_count(const char *key) {
    static const char *const keys[] = {"total",   "occupied",       "free",         "held",
                                       "blocked", "blocked_reason", "blocked_until"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], key) == 0)
            return true;
    }
    return false;
}

enum err places_refuse_count(struct agent *a, int64_t line, const char *key, struct error *e) {
    int64_t n[STATES] = {0};
    if (!is_count(key))
        return ERR_OK;
    enum err code = count_states(a, line, n, e);
    if (code == ERR_OK && n[0] > 0)
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found a count for a line with %lld places, from which its counts follow: "
                        "change those with plek-agent place set or place import, or take them away "
                        "with place remove",
                        (long long)n[0]);
    return code;
}

enum err places_restate(struct agent *a, struct record *record, int64_t now_ms, const char *actor,
                        struct error *e) {
    const struct zone *zone = NULL;
    struct capacity *c = &record->line.capacity;
    int64_t n[STATES];
    enum err code = agent_zone(a, &zone, e);
    if (code == ERR_OK)
        code = count_states(a, record->id, n, e);
    if (code != ERR_OK)
        return code;
    if (c->observed_ms == 0 ||
        capacity_freshness(c->observed_ms, c->valid_until_ms, now_ms) == FRESH_EXPIRED)
        *c = (struct capacity){0};
    if (n[0] == 0) /* the last one went: nobody has counted since */
        c->total = c->occupied = c->held = c->blocked = c->free = (struct amount){.known = false};
    if (c->observed_ms < now_ms) /* an older file tells nothing newer than what stands */
        code = records_date(a, &record->line, zone, now_ms, 0, e);
    if (code != ERR_OK)
        return code;
    record->entered_ms = now_ms;
    copy_text(record->actor, sizeof record->actor, actor);
    return records_store(a, record, e);
}

/* ---- what people do ---- */

static bool names(const struct place_change *change, const char *key) {
    for (size_t i = 0; i < change->pair_count; i++) {
        if (strcmp(change->pairs[i].key, key) == 0)
            return true;
    }
    return false;
}

static enum err fill(struct place *p, const struct zone *zone, const struct place_change *change,
                     struct error *e) {
    if (names(change, "state")) { /* what was said of another state */
        p->reason[0] = '\0';
        p->until_ms = 0;
    }
    for (size_t i = 0; i < change->pair_count; i++) {
        enum err code = place_set_value(p, zone, change->pairs[i].key, change->pairs[i].value, e);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static enum err find_one(struct agent *a, const struct place_change *change,
                         const struct record *line, struct place *ret, struct error *e) {
    bool found = false;
    enum err code = ERR_OK;
    if (line->id != 0)
        code = places_find(a, line->id, change->code, ret, &found, e);
    if (code != ERR_OK)
        return code;
    if (found && change->act == PLACE_ADD)
        return error_at(e, ERR_CONFLICT, "code", 0, 0,
                        "there is a place '%.40s' on this line already: change it with plek-agent "
                        "place set",
                        change->code);
    if (!found && change->act != PLACE_ADD)
        return error_at(e, ERR_NOT_FOUND, "code", 0, 0,
                        "there is no place '%.40s' on this line: see plek-agent place list",
                        change->code);
    return ERR_OK;
}

static enum err carry_out(struct agent *a, const struct place_change *change,
                          const struct zone *zone, int64_t now_ms, struct record *line,
                          struct error *e) {
    struct place p = {0};
    enum err code = find_one(a, change, line, &p, e);
    if (code == ERR_OK)
        code = fill(&p, zone, change, e);
    if (code == ERR_OK && line->id == 0)
        code = places_restate(a, line, now_ms, change->actor, e); /* makes the line */
    if (code != ERR_OK)
        return code;
    copy_text(p.code, sizeof p.code, change->code);
    copy_text(p.actor, sizeof p.actor, change->actor);
    p.changed_ms = now_ms;
    code = change->act == PLACE_DROP ? places_remove(a, line->id, p.code, e)
                                     : places_put(a, line->id, &p, e);
    return code != ERR_OK ? code : places_restate(a, line, now_ms, change->actor, e);
}

static enum err find_line(struct agent *a, const struct place_change *change, struct record *ret,
                          struct error *e) {
    const struct charter_service *service = NULL;
    uint32_t site = 0;
    bool found = false;
    enum err code = records_service(a, change->service, &service, e);
    code = code != ERR_OK ? code : places_allowed(service, e);
    code = code != ERR_OK ? code : place_check_code(change->code, e);
    code = code != ERR_OK ? code : records_find_site(a, change->site, &site, e);
    code = code != ERR_OK ? code : records_check_ward(change->ward ? change->ward : "", e);
    if (code != ERR_OK)
        return code;
    return records_find_line(a, site, service->code, change->ward, ret, &found, e);
}

enum err place_apply(struct agent *a, const struct place_change *change, int64_t now_ms,
                     struct record *ret, struct error *e) {
    struct error why = {0};
    const struct zone *zone = NULL;
    struct record line;
    enum err code = agent_need_joined(a, &why);
    code = code != ERR_OK ? code : agent_zone(a, &zone, &why);
    code = code != ERR_OK ? code : find_line(a, change, &line, &why);
    if (code == ERR_OK)
        code = db_begin(agent_db(a), &why);
    if (code == ERR_OK) {
        code = carry_out(a, change, zone, now_ms, &line, &why);
        code = db_end(agent_db(a), code, &why);
    }
    if (code == ERR_OK) {
        *ret = line;
        return ERR_OK;
    }
    records_hide_numbers(&why, false);
    if (e)
        *e = why;
    return code;
}

/* ---- the list ---- */

static json_t *place_json(const struct records *r, struct db_query *q) {
    struct place p;
    read_place(q, &p);
    const struct site *site = records_site(r, (uint32_t)db_column_int(q, 7));
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "site",
                     site ? site->name : "", "service", db_column_text(q, 8), "ward",
                     records_text_json(db_column_text(q, 9)), "code", p.code, "state",
                     place_state_name(p.state), "reason", records_text_json(p.reason), "until",
                     records_time_json(p.until_ms), "note", records_text_json(p.note), "changed_at",
                     records_time_json(p.changed_ms), "actor", records_text_json(p.actor));
}

enum err places_json(struct agent *a, const char *service, const char *site, const char *ward,
                     json_t **ret, struct error *e) {
    struct records r = {0};
    uint32_t wanted = 0;
    bool whole = true;
    enum err code = site ? records_find_site(a, site, &wanted, e) : ERR_OK;
    if (code == ERR_OK)
        code = records_load(a, &r, e);
    if (code != ERR_OK)
        return code;
    json_t *rows = json_array();
    struct db_query q = db_query(agent_db(a), SQL_PLACES);
    while (db_step(&q)) {
        bool other = (wanted != 0 && db_column_int(&q, 7) != wanted) ||
                     (service && strcmp(service, db_column_text(&q, 8)) != 0) ||
                     (ward && strcmp(ward, db_column_text(&q, 9)) != 0);
        if (!other)
            whole = json_array_append_new(rows, place_json(&r, &q)) == 0 && whole;
    }
    code = db_finish(&q, e);
    records_done(&r);
    if (code == ERR_OK && (!rows || !whole))
        code = error_set(e, ERR_NO_MEMORY, "no memory for the list of places");
    if (code != ERR_OK) {
        json_decref(rows);
        return code;
    }
    *ret = rows;
    return ERR_OK;
}
