/* Implements reading for find (see seen.h). Must not change anything. */
#include "seen.h"

#include <stdlib.h>
#include <string.h>

#include "judged.h"
#include "store.h"

/* ---- columns ---- */

/* There are many rows: not by snprintf. */
static void copy_part(char *out, size_t size, const char *text, size_t len) {
    size_t kept = len < size ? len : size - 1;
    memcpy(out, text, kept);
    out[kept] = '\0';
}

static void copy_text(char *out, size_t size, const char *text) {
    copy_part(out, size, text, strlen(text));
}

/* "name=value,name=value", as picture.c wrote it. */
static void read_attributes(const char *text, struct seen_line *line) {
    line->attribute_count = 0;
    while (*text && line->attribute_count < LINE_MAX_ATTRIBUTES) {
        struct attribute *at = &line->attributes[line->attribute_count++];
        size_t name = strcspn(text, "="), value = strcspn(text + name, ",");
        copy_part(at->name, sizeof at->name, text, name);
        copy_part(at->value, sizeof at->value, text + name + (value > 0),
                  value > 0 ? value - 1 : 0);
        text += name + value;
        text += *text == ',';
    }
}

/* ---- all lines, as far as they are judged ---- */

static bool is_asked(const struct find_filter *filter, const struct judged_place *place) {
    return (!filter->service || strcmp(filter->service, place->service) == 0) &&
           (!filter->region || strcmp(filter->region, place->region) == 0);
}

struct visiting {
    struct agent *agent;
    const struct find_filter *filter;
    seen_visit *visit;
    void *ctx;
};

static enum err visit_picture(const struct visiting *v, const struct member *member,
                              struct bytes packed, struct error *e) {
    struct judged_lines lines = {.left = packed};
    struct seen_line figure = {.attribute_count = 0};
    const struct charter_service *service = NULL;
    enum err code = ERR_OK;
    while (code == ERR_OK && judged_next(&lines, &figure.figure)) {
        if (lines.moved)
            service = is_asked(v->filter, &lines.place)
                          ? charter_service(agent_charter(v->agent), lines.place.service)
                          : NULL;
        if (!service)
            continue;
        if (v->filter->where_count > 0)
            read_attributes(lines.attributes, &figure);
        const struct seen_judged judged = {.line = lines.id,
                                           .member = member,
                                           .service = service,
                                           .site = lines.place.site,
                                           .ward = lines.ward,
                                           .figure = &figure};
        code = v->visit(v->ctx, &judged, e);
    }
    if (code == ERR_OK && lines.left.len > 0)
        code = error_set(e, ERR_STORE, "agent.db: a partner's lines are damaged: restore a backup");
    return code;
}

enum err seen_each(struct agent *a, const struct find_filter *filter, seen_visit *visit, void *ctx,
                   struct error *e) {
    const struct visiting v = {a, filter, visit, ctx};
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_FIND_JUDGED);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && db_step(&q)) {
        struct public_key agent;
        code = store_read_key(&q, 0, &agent, e);
        const struct member *member =
            code == ERR_OK ? directory_admitted(agent_directory(a), &agent) : NULL;
        if (member)
            code = visit_picture(&v, member, db_column_blob(&q, 1), e);
    }
    return db_finish_visit(&q, code, e);
}

/* ---- one line, whole ---- */

static void read_figure(struct db_query *q, struct disclosed *d) {
    d->available = store_read_amount(q, 3);
    d->has_band = !db_column_null(q, 4);
    d->low = d->has_band ? db_column_int(q, 4) : 0;
    d->light = (enum light)db_column_int(q, 5);
    d->status = (enum status)db_column_int(q, 6);
    d->observed_ms = db_column_int(q, 7);
    d->valid_until_ms = db_column_int(q, 8);
    d->total = store_read_amount(q, 9);
    d->occupied = store_read_amount(q, 10);
    d->held = store_read_amount(q, 11);
    d->blocked = store_read_amount(q, 12);
    d->need = store_read_amount(q, 13);
    copy_text(d->blocked_reason, sizeof d->blocked_reason, db_column_text(q, 14));
    d->blocked_until_ms = db_column_int(q, 15);
    d->next_free_ms = db_column_int(q, 16);
    copy_text(d->note, sizeof d->note, db_column_text(q, 17));
    d->high = store_read_amount(q, 18);
}

static void read_site(struct db_query *q, struct site *site) {
    copy_text(site->name, sizeof site->name, db_column_text(q, 19));
    copy_text(site->region, sizeof site->region, db_column_text(q, 20));
    copy_text(site->phone, sizeof site->phone, db_column_text(q, 21));
    copy_text(site->hours, sizeof site->hours, db_column_text(q, 22));
    copy_text(site->reports, sizeof site->reports, db_column_text(q, 23));
    copy_text(site->note, sizeof site->note, db_column_text(q, 24));
}

static json_t *make_row(struct agent *a, struct db_query *q, const struct candidate *candidate,
                        const struct zone *zone, int64_t now_ms) {
    struct site site = {.id = 0};
    struct seen_line line = {.attribute_count = 0};
    copy_text(line.service, sizeof line.service, candidate->service);
    copy_text(line.ward, sizeof line.ward, db_column_text(q, 1));
    read_attributes(db_column_text(q, 2), &line);
    read_figure(q, &line.figure);
    read_site(q, &site);
    const struct found f = {.member = candidate->member,
                            .site = &site,
                            .line = &line,
                            .precision = (enum precision_kind)db_column_int(q, 25),
                            .step = db_column_int(q, 26),
                            .service = charter_service(agent_charter(a), candidate->service),
                            .verified = db_column_int(q, 27) != 0,
                            .zone = zone};
    return found_json(&f, now_ms);
}

enum err seen_row(struct agent *a, const struct candidate *candidate, const struct zone *zone,
                  int64_t now_ms, json_t **ret, struct error *e) {
    json_t *row = NULL;
    struct db_query q = db_query(agent_db(a), SQL_FIND_ROW);
    db_bind_int(&q, ":line", candidate->line);
    bool found = db_step(&q);
    if (found)
        row = make_row(a, &q, candidate, zone, now_ms);
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && !row)
        code = found ? error_set(e, ERR_NO_MEMORY, "no memory for a row")
                     : error_set(e, ERR_STORE, "agent.db: a line went while it was being read");
    if (code != ERR_OK) {
        json_decref(row);
        return code;
    }
    *ret = row;
    return ERR_OK;
}
