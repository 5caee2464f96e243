/* Owns how own records look as JSON: rows of `lines` and `site list`.
 * Must not decide what a figure means: capacity.h does. */
#include <stdlib.h>
#include <string.h>

#include "records.h"
#include "reopening.h"
#include "store.h"

json_t *records_amount_json(struct amount amount, int decimals) {
    char text[TEXT_NUMBER_SIZE];
    if (!amount.known)
        return json_null();
    return decimals == 0 ? json_integer(amount.value)
                         : json_string(text_number(amount.value, decimals, text));
}

json_t *records_time_json(int64_t ms) {
    char text[TEXT_TIME_SIZE];
    return ms == 0 ? json_null() : json_string(text_time(ms, text));
}

json_t *records_text_json(const char *text) {
    return text && text[0] != '\0' ? json_string(text) : json_null();
}

json_t *records_attributes_json(const struct attribute *attributes, size_t count) {
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, attributes[i].name, json_string(attributes[i].value));
    return object;
}

static json_t *site_json(const struct site *site) {
    return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o}", "id", (int)site->id, "name", site->name,
                     "region", records_text_json(site->region), "phone",
                     records_text_json(site->phone), "hours", records_text_json(site->hours),
                     "reports", records_text_json(site->reports), "note",
                     records_text_json(site->note));
}

/* The keys that were entered, not derived. */
static json_t *entered_json(const struct capacity *c) {
    json_t *list = json_array();
    const struct {
        const char *key;
        bool known;
    } keys[] = {
        {"total", c->total.known}, {"occupied", c->occupied.known}, {"free", c->free.known},
        {"held", c->held.known},   {"blocked", c->blocked.known},   {"need", c->need.known},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].known)
            json_array_append_new(list, json_string(keys[i].key));
    }
    return list;
}

static void put_figure(json_t *row, const struct capacity *c, int decimals) {
    const char *status = status_name(c->status);
    json_object_set_new(row, "available", records_amount_json(capacity_available(c), decimals));
    json_object_set_new(row, "status", records_text_json(status));
    json_object_set_new(row, "total", records_amount_json(capacity_total(c), decimals));
    json_object_set_new(row, "occupied", records_amount_json(c->occupied, decimals));
    json_object_set_new(row, "free", records_amount_json(c->free, decimals));
    json_object_set_new(row, "held", records_amount_json(c->held, decimals));
    json_object_set_new(row, "blocked", records_amount_json(c->blocked, decimals));
    json_object_set_new(row, "blocked_reason", records_text_json(c->blocked_reason));
    json_object_set_new(row, "blocked_until", records_time_json(c->blocked_until_ms));
    json_object_set_new(row, "need", records_amount_json(c->need, decimals));
    json_object_set_new(row, "next_free", records_time_json(c->next_free_ms));
    json_object_set_new(row, "note", records_text_json(c->note));
    json_object_set_new(row, "entered", entered_json(c));
}

json_t *records_line_json(const struct site *site, const struct record *record,
                          const struct charter_service *service, const struct zone *zone,
                          int64_t now_ms) {
    const struct line *line = &record->line;
    const struct capacity *c = &line->capacity;
    int64_t age_ms = now_ms > c->observed_ms ? now_ms - c->observed_ms : 0;
    json_t *row = json_pack("{s:s, s:s, s:o, s:o}", "site", site ? site->name : "", "service",
                            line->service, "ward", records_text_json(line->ward), "attributes",
                            records_attributes_json(line->attributes, line->attribute_count));
    if (!row)
        return NULL;
    put_figure(row, c, service ? service->decimals : 0);
    json_object_set_new(row, "observed_at", records_time_json(c->observed_ms));
    json_object_set_new(row, "valid_until", records_time_json(c->valid_until_ms));
    json_object_set_new(row, "age_s", json_integer(age_ms / 1000));
    json_object_set_new(
        row, "freshness",
        json_string(freshness_name(capacity_freshness(c->observed_ms, c->valid_until_ms, now_ms))));
    json_object_set_new(row, "entered_at", records_time_json(record->entered_ms));
    json_object_set_new(row, "actor", records_text_json(record->actor));
    json_object_set_new(row, "revision", json_integer(record->revision));
    json_object_set_new(row, "undo", json_boolean(record->undo));
    const struct reopening reopening = {.reports = site ? site->reports : "",
                                        .service = service,
                                        .zone = zone,
                                        .observed_ms = c->observed_ms,
                                        .valid_until_ms = c->valid_until_ms};
    if (c->validity_ms == 0 && !reopening_set(row, &reopening, now_ms)) {
        json_decref(row);
        return NULL;
    }
    return row;
}

enum err records_sites_json(struct agent *a, json_t **ret, struct error *e) {
    struct records r = {0};
    enum err code = records_load(a, &r, e);
    if (code != ERR_OK)
        return code;
    json_t *list = json_array();
    for (size_t i = 0; i < r.site_count; i++)
        json_array_append_new(list, site_json(&r.sites[i]));
    bool whole = json_array_size(list) == r.site_count;
    records_done(&r);
    if (!whole) {
        json_decref(list);
        return error_set(e, ERR_NO_MEMORY, "no memory for the list of sites");
    }
    *ret = list;
    return ERR_OK;
}

enum err records_lines_json(struct agent *a, const char *service, const char *site, int64_t now_ms,
                            json_t **ret, struct error *e) {
    struct records r = {0};
    struct record *list = NULL;
    size_t count = 0;
    uint32_t wanted = 0;
    json_t *rows = NULL;
    bool whole = true;
    const struct charter *charter = agent_charter(a);
    const struct zone *zone = NULL;
    if (charter && agent_zone(a, &zone, NULL) != ERR_OK)
        zone = NULL; /* rows say nothing of days then */
    enum err code = site ? records_find_site(a, site, &wanted, e) : ERR_OK;
    if (code == ERR_OK)
        code = records_load(a, &r, e);
    if (code == ERR_OK)
        code = records_list(a, &list, &count, e);
    if (code == ERR_OK)
        rows = json_array();
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        const struct line *line = &list[i].line;
        if ((service && strcmp(service, line->service) != 0) ||
            (wanted != 0 && wanted != line->site))
            continue;
        const struct charter_service *known =
            charter ? charter_service(charter, line->service) : NULL;
        json_t *row =
            records_line_json(records_site(&r, line->site), &list[i], known, zone, now_ms);
        whole = json_array_append_new(rows, row) == 0 && whole;
    }
    free(list);
    records_done(&r);
    if (code == ERR_OK && (!rows || !whole)) {
        json_decref(rows);
        return error_set(e, ERR_NO_MEMORY, "no memory for the list of lines");
    }
    if (code == ERR_OK)
        *ret = rows;
    return code;
}
