/* Owns the organisation's own sites, lines and figures in agent.db (see records.h).
 * Must not know who sees them, and must not parse what people type: records_text.c does. */
#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "past.h"
#include "place.h"
#include "store.h"

#define NAMES_SHOWN 160 /* bytes of site names that a message lists */

/* Ends a transaction by how its work went; a committed change is one to look at. */
static enum err settle(struct agent *a, enum err code, struct error *e) {
    code = db_end(agent_db(a), code, e);
    if (code != ERR_OK)
        return code;
    agent_mark_dirty(a);
    agent_raise_event(a, AGENT_EVENT_LINES);
    return ERR_OK;
}

static void copy_text(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
}

/* ---- sites ---- */

static void read_site(struct db_query *q, struct site *ret) {
    *ret = (struct site){.id = (uint32_t)db_column_int(q, 0)};
    copy_text(ret->name, sizeof ret->name, db_column_text(q, 1));
    copy_text(ret->region, sizeof ret->region, db_column_text(q, 2));
    copy_text(ret->phone, sizeof ret->phone, db_column_text(q, 3));
    copy_text(ret->hours, sizeof ret->hours, db_column_text(q, 4));
    copy_text(ret->reports, sizeof ret->reports, db_column_text(q, 5));
    copy_text(ret->note, sizeof ret->note, db_column_text(q, 6));
}

static void bind_site(struct db_query *q, const struct site *site) {
    db_bind_text(q, ":name", site->name);
    db_bind_text(q, ":region", site->region);
    db_bind_text(q, ":phone", site->phone);
    db_bind_text(q, ":hours", site->hours);
    db_bind_text(q, ":reports", site->reports);
    db_bind_text(q, ":note", site->note);
}

static enum err load_sites(struct agent *a, struct site **ret, size_t *ret_count, struct error *e) {
    struct db_query count = db_query(agent_db(a), SQL_SITE_COUNT);
    size_t expected = db_step(&count) ? (size_t)db_column_int(&count, 0) : 0;
    enum err code = db_finish(&count, e);
    if (code != ERR_OK)
        return code;
    struct site *sites = calloc(expected + 1, sizeof *sites);
    if (!sites)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu sites", expected);
    size_t n = 0;
    struct db_query q = db_query(agent_db(a), SQL_SITES);
    while (n < expected && db_step(&q))
        read_site(&q, &sites[n++]);
    code = db_finish(&q, e);
    if (code != ERR_OK) {
        free(sites);
        return code;
    }
    *ret = sites;
    *ret_count = n;
    return ERR_OK;
}

static enum err site_named(struct agent *a, const char *name, struct site *ret, bool *ret_found,
                           struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_SITE_NAMED);
    db_bind_text(&q, ":name", name);
    bool found = db_step(&q);
    if (found)
        read_site(&q, ret);
    *ret_found = found;
    return db_finish(&q, e);
}

static enum err name_is_free(struct agent *a, const char *name, struct error *e) {
    struct site other;
    bool found = false;
    enum err code = site_named(a, name, &other, &found, e);
    if (code == ERR_OK && found)
        return error_at(
            e, ERR_CONFLICT, "name", 0, 0,
            "there is a site '%s' already: choose another name, or change it with site set", name);
    return code;
}

static enum err add_site(struct agent *a, const struct site *site, struct error *e) {
    struct db_query count = db_query(agent_db(a), SQL_SITE_COUNT);
    int64_t sites = db_step(&count) ? db_column_int(&count, 0) : 0;
    enum err code = db_finish(&count, e);
    if (code == ERR_OK && sites >= SNAPSHOT_MAX_SITES)
        return error_set(e, ERR_TOO_LARGE,
                         "there are %d sites already, which is the most an agent has",
                         SNAPSHOT_MAX_SITES);
    code = code != ERR_OK ? code : name_is_free(a, site->name, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(agent_db(a), SQL_SITE_ADD);
    bind_site(&q, site);
    return db_run_query(&q, e);
}

enum err records_site_add(struct agent *a, const struct site *site, struct error *e) {
    struct site added = *site;
    enum err code = records_check_site(&added, e);
    if (code == ERR_OK)
        code = db_begin(agent_db(a), e);
    return code != ERR_OK ? code : settle(a, add_site(a, &added, e), e);
}

/* ERR_TOO_LARGE texts are caught here: a field of struct site only holds what fits. */
static enum err change_text(char *field, size_t size, const char *key, const char *text,
                            struct error *e) {
    if (!text)
        return ERR_OK;
    if (strlen(text) >= size)
        return error_at(e, ERR_DATA, key, 0, 0,
                        "found a text of %zu bytes, expected at most %zu; shorten it", strlen(text),
                        size - 1);
    memcpy(field, text, strlen(text) + 1);
    return ERR_OK;
}

enum err records_site_change(struct site *site, const struct site_change *c, struct error *e) {
    struct site changed = *site;
    const struct {
        char *field;
        size_t size;
        const char *key, *text;
    } parts[] = {
        {changed.name, sizeof changed.name, "name", c->name},
        {changed.region, sizeof changed.region, "region", c->region},
        {changed.phone, sizeof changed.phone, "phone", c->phone},
        {changed.hours, sizeof changed.hours, "hours", c->hours},
        {changed.reports, sizeof changed.reports, "reports", c->reports},
        {changed.note, sizeof changed.note, "note", c->note},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        enum err code = change_text(parts[i].field, parts[i].size, parts[i].key, parts[i].text, e);
        if (code != ERR_OK)
            return code;
    }
    enum err code = records_check_site(&changed, e);
    if (code != ERR_OK)
        records_hide_numbers(e, false);
    else
        *site = changed;
    return code;
}

static enum err set_site(struct agent *a, const char *name, const struct site_change *change,
                         struct error *e) {
    uint32_t id = 0;
    struct site site;
    bool found = false;
    enum err code = records_find_site(a, name, &id, e);
    if (code == ERR_OK)
        code = site_named(a, name, &site, &found, e);
    if (code == ERR_OK && change->name && strcmp(change->name, name) != 0)
        code = name_is_free(a, change->name, e);
    if (code == ERR_OK)
        code = records_site_change(&site, change, e);
    if (code != ERR_OK)
        return code;
    struct db_query q = db_query(agent_db(a), SQL_SITE_SET);
    bind_site(&q, &site);
    db_bind_int(&q, ":id", id);
    return db_run_query(&q, e);
}

enum err records_site_set(struct agent *a, const char *name, const struct site_change *change,
                          struct error *e) {
    enum err code = db_begin(agent_db(a), e);
    code = code != ERR_OK ? code : settle(a, set_site(a, name, change, e), e);
    if (code != ERR_OK)
        records_hide_numbers(e, false);
    return code;
}

/* "North, South, ..." */
static void list_names(const struct site *sites, size_t count, char out[static NAMES_SHOWN]) {
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t room = NAMES_SHOWN - len;
        if (strlen(sites[i].name) + sizeof ", ..." > room) {
            snprintf(out + len, room, "...");
            return;
        }
        len += (size_t)snprintf(out + len, room, "%s%s", sites[i].name, i + 1 < count ? ", " : "");
    }
}

static enum err no_site(const struct site *sites, size_t count, const char *name, struct error *e) {
    char names[NAMES_SHOWN];
    list_names(sites, count, names);
    if (count == 0)
        return error_set(e, ERR_NOT_FOUND,
                         "there is no site yet: add one with plek-agent site add NAME");
    if (name && name[0] != '\0')
        return error_set(e, ERR_NOT_FOUND, "found site '%.80s', expected one of: %s", name, names);
    return error_set(e, ERR_USAGE, "there are %zu sites, say which with --site: %s", count, names);
}

enum err records_find_site(struct agent *a, const char *name, uint32_t *ret, struct error *e) {
    struct site *sites = NULL;
    size_t count = 0;
    enum err code = load_sites(a, &sites, &count, e);
    if (code != ERR_OK)
        return code;
    bool any = !name || name[0] == '\0';
    size_t at = any && count == 1 ? 0 : count;
    for (size_t i = 0; i < count && !any; i++) {
        if (strcmp(sites[i].name, name) == 0)
            at = i;
    }
    if (at < count)
        *ret = sites[at].id;
    else
        code = no_site(sites, count, name, e);
    if (code != ERR_OK)
        records_hide_numbers(e, false);
    free(sites);
    return code;
}

/* ---- lines ---- */

static struct amount column_amount(struct db_query *q, int column) {
    if (db_column_null(q, column))
        return (struct amount){.known = false};
    return (struct amount){true, db_column_int(q, column)};
}

/* Columns of LINE_BEFORE, with which LINES and LINE_NAMED begin. */
static void read_figure(struct db_query *q, struct record *ret) {
    *ret = (struct record){.id = db_column_int(q, 0)};
    struct line *line = &ret->line;
    struct capacity *c = &line->capacity;
    line->site = (uint32_t)db_column_int(q, 1);
    copy_text(line->service, sizeof line->service, db_column_text(q, 2));
    copy_text(line->ward, sizeof line->ward, db_column_text(q, 3));
    c->total = column_amount(q, 4);
    c->occupied = column_amount(q, 5);
    c->free = column_amount(q, 6);
    c->held = column_amount(q, 7);
    c->blocked = column_amount(q, 8);
    c->need = column_amount(q, 9);
    copy_text(c->blocked_reason, sizeof c->blocked_reason, db_column_text(q, 10));
    c->blocked_until_ms = db_column_int(q, 11);
    c->status = (enum status)db_column_int(q, 12);
    c->next_free_ms = db_column_int(q, 13);
    copy_text(c->note, sizeof c->note, db_column_text(q, 14));
    c->observed_ms = db_column_int(q, 15);
    c->valid_until_ms = db_column_int(q, 16);
    c->validity_ms = db_column_int(q, 17);
}

static void read_line(struct db_query *q, struct record *ret) {
    read_figure(q, ret);
    ret->entered_ms = db_column_int(q, 18);
    copy_text(ret->actor, sizeof ret->actor, db_column_text(q, 19));
    ret->revision = db_column_int(q, 20);
    ret->undo = db_column_int(q, 21) != 0;
}

static enum err read_attributes(struct agent *a, struct record *record, struct error *e) {
    struct line *line = &record->line;
    struct db_query q = db_query(agent_db(a), SQL_LINE_ATTRIBUTES_OF);
    db_bind_int(&q, ":line", record->id);
    while (line->attribute_count < LINE_MAX_ATTRIBUTES && db_step(&q)) {
        struct attribute *attribute = &line->attributes[line->attribute_count++];
        copy_text(attribute->name, sizeof attribute->name, db_column_text(&q, 1));
        copy_text(attribute->value, sizeof attribute->value, db_column_text(&q, 2));
    }
    return db_finish(&q, e);
}

enum err records_find_line(struct agent *a, uint32_t site, const char *service, const char *ward,
                           struct record *ret, bool *ret_found, struct error *e) {
    struct record record = {.line = {.site = site}};
    copy_text(record.line.service, sizeof record.line.service, service);
    copy_text(record.line.ward, sizeof record.line.ward, ward);
    struct db_query q = db_query(agent_db(a), SQL_LINE_NAMED);
    db_bind_int(&q, ":site", site);
    db_bind_text(&q, ":service", service);
    db_bind_text(&q, ":ward", ward ? ward : "");
    bool found = db_step(&q);
    if (found)
        read_line(&q, &record);
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && found)
        code = read_attributes(a, &record, e);
    if (code == ERR_OK) {
        *ret = record;
        *ret_found = found;
    }
    return code;
}

enum err records_list(struct agent *a, struct record **ret, size_t *ret_count, struct error *e) {
    struct record *list = NULL;
    size_t count = 0, room = 0;
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_LINES);
    while (code == ERR_OK && db_step(&q)) {
        struct record *grown = array_grow(list, count, &room, sizeof *list);
        if (!grown) {
            code = error_set(e, ERR_NO_MEMORY, "no memory for more than %zu lines", count);
            break;
        }
        list = grown;
        read_line(&q, &list[count]);
        code = read_attributes(a, &list[count++], e);
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

enum err records_load(struct agent *a, struct records *ret, struct error *e) {
    struct records r = {0};
    struct record *list = NULL;
    enum err code = load_sites(a, &r.sites, &r.site_count, e);
    if (code == ERR_OK)
        code = records_list(a, &list, &r.line_count, e);
    if (code == ERR_OK) {
        r.lines = calloc(r.line_count + 1, sizeof *r.lines);
        if (!r.lines)
            code = error_set(e, ERR_NO_MEMORY, "no memory for %zu lines", r.line_count);
    }
    for (size_t i = 0; code == ERR_OK && i < r.line_count; i++)
        r.lines[i] = list[i].line;
    free(list);
    if (code != ERR_OK) {
        records_done(&r);
        return code;
    }
    *ret = r;
    return ERR_OK;
}

void records_done(struct records *r) {
    if (!r)
        return;
    free(r->sites);
    free(r->lines);
    *r = (struct records){0};
}

const struct site *records_site(const struct records *r, uint32_t id) {
    for (size_t i = 0; i < r->site_count; i++) {
        if (r->sites[i].id == id)
            return &r->sites[i];
    }
    return NULL;
}

/* "name=value,name=value" */
static void split_attributes(const char *text, struct line *line) {
    while (*text && line->attribute_count < LINE_MAX_ATTRIBUTES) {
        struct attribute *at = &line->attributes[line->attribute_count++];
        int name = (int)strcspn(text, "="), value = (int)strcspn(text + name, ",");
        snprintf(at->name, sizeof at->name, "%.*s", name, text);
        snprintf(at->value, sizeof at->value, "%.*s", value > 0 ? value - 1 : 0, text + name + 1);
        text += name + value;
        text += *text == ',';
    }
}

enum err records_before(struct agent *a, const struct record *now, struct record *ret,
                        struct error *e) {
    struct record before;
    struct db_query q = db_query(agent_db(a), SQL_LINE_BEFORE);
    db_bind_int(&q, ":line", now->id);
    bool found = db_step(&q);
    if (found) {
        read_figure(&q, &before);
        split_attributes(db_column_text(&q, 18), &before.line);
    }
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && !found)
        return error_set(e, ERR_NOT_FOUND, "nothing is known that this line said before");
    if (code == ERR_OK)
        *ret = before;
    return code;
}

/* ---- storing a line ---- */

static enum err add_line(struct agent *a, struct record *record, struct error *e) {
    struct db_query count = db_query(agent_db(a), SQL_LINE_COUNT);
    int64_t lines = db_step(&count) ? db_column_int(&count, 0) : 0;
    enum err code = db_finish(&count, e);
    if (code != ERR_OK)
        return code;
    if (lines >= SNAPSHOT_MAX_LINES)
        return error_set(e, ERR_TOO_LARGE,
                         "there are %d lines already, which is the most an agent has",
                         SNAPSHOT_MAX_LINES);
    struct db_query q = db_query(agent_db(a), SQL_LINE_ADD);
    db_bind_int(&q, ":site", record->line.site);
    db_bind_text(&q, ":service", record->line.service);
    db_bind_text(&q, ":ward", record->line.ward);
    code = db_run_query(&q, e);
    if (code == ERR_OK)
        record->id = db_last_rowid(agent_db(a));
    return code;
}

static enum err put_attributes(struct agent *a, const struct record *record, struct error *e) {
    struct db_query forget = db_query(agent_db(a), SQL_LINE_ATTRIBUTES_FORGET);
    db_bind_int(&forget, ":line", record->id);
    enum err code = db_run_query(&forget, e);
    for (size_t i = 0; i < record->line.attribute_count && code == ERR_OK; i++) {
        struct db_query q = db_query(agent_db(a), SQL_LINE_ATTRIBUTE_ADD);
        db_bind_int(&q, ":line", record->id);
        db_bind_text(&q, ":name", record->line.attributes[i].name);
        db_bind_text(&q, ":value", record->line.attributes[i].value);
        code = db_run_query(&q, e);
    }
    return code;
}

static void bind_amount(struct db_query *q, const char *name, const struct amount *amount) {
    db_bind_opt(q, name, amount->known, amount->value);
}

static enum err put_capacity(struct agent *a, struct record *record, struct error *e) {
    const struct capacity *c = &record->line.capacity;
    struct db_query q = db_query(agent_db(a), SQL_CAPACITY_PUT);
    db_bind_int(&q, ":line", record->id);
    bind_amount(&q, ":total", &c->total);
    bind_amount(&q, ":occupied", &c->occupied);
    bind_amount(&q, ":free", &c->free);
    bind_amount(&q, ":held", &c->held);
    bind_amount(&q, ":blocked", &c->blocked);
    bind_amount(&q, ":need", &c->need);
    db_bind_text(&q, ":blocked_reason", c->blocked_reason);
    db_bind_int(&q, ":blocked_until_ms", c->blocked_until_ms);
    db_bind_int(&q, ":status", c->status);
    db_bind_int(&q, ":next_free_ms", c->next_free_ms);
    db_bind_text(&q, ":note", c->note);
    db_bind_int(&q, ":observed_ms", c->observed_ms);
    db_bind_int(&q, ":valid_until_ms", c->valid_until_ms);
    db_bind_int(&q, ":validity_ms", c->validity_ms);
    db_bind_int(&q, ":entered_ms", record->entered_ms);
    db_bind_text(&q, ":actor", record->actor);
    int64_t revision = db_step(&q) ? db_column_int(&q, 0) : 0;
    enum err code = db_finish(&q, e);
    if (code == ERR_OK)
        record->revision = revision;
    return code;
}

/* What the line says until now, for records_undo; a new one says nothing. */
static enum err keep_before(struct agent *a, struct record *record, struct error *e) {
    struct db_query q = db_query(agent_db(a), SQL_LINE_KEEP);
    db_bind_int(&q, ":line", record->id);
    enum err code = db_run_query(&q, e);
    record->undo = db_changes(agent_db(a)) > 0;
    return code;
}

static enum err store_line(struct agent *a, struct record *record, struct error *e) {
    bool fresh = record->id == 0;
    enum err code = fresh ? add_line(a, record, e) : keep_before(a, record, e);
    code = code != ERR_OK ? code : put_attributes(a, record, e);
    code = code != ERR_OK ? code : put_capacity(a, record, e);
    if (code == ERR_OK)
        code = past_put(a, record->id, &record->line.capacity, record->entered_ms, record->actor,
                        NULL, e);
    return code != ERR_OK ? code : past_prune(a, record->entered_ms, e);
}

enum err records_store(struct agent *a, struct record *record, struct error *e) {
    struct record stored = *record;
    enum err code = places_derive(a, &stored, e);
    if (code == ERR_OK)
        code = records_check(a, &stored, e);
    if (code == ERR_OK)
        code = db_begin(agent_db(a), e);
    if (code == ERR_OK)
        code = settle(a, store_line(a, &stored, e), e);
    if (code == ERR_OK)
        *record = stored;
    return code;
}
