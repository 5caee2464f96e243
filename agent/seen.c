/* Implements reading for find (see seen.h). Must not change anything. */
#include "seen.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "store.h"

/* ---- whose lines ---- */

/* A site of a partner that may be shown. */
struct place {
    int64_t picture, site;
    const struct member *member;
    size_t name;
};
struct places {
    struct place *list; /* ordered by picture and site */
    size_t count, cap;
    size_t last; /* found last: lines of one site stand together */
};

/* Whose line it is, when it may be shown: not suspended, removed or revoked. */
static const struct member *shown_member(struct agent *a, struct bytes key) {
    struct public_key agent;
    if (key_from_bytes(&agent, key, NULL) != ERR_OK)
        return NULL;
    const struct member_agent *known = directory_agent(agent_directory(a), &agent);
    if (!known || known->revoked || known->member->state != MEMBER_ADMITTED)
        return NULL;
    return known->member;
}

static enum err places_add(struct places *p, const struct place *place, struct error *e) {
    struct place *list = array_grow(p->list, p->count, &p->cap, sizeof *list);
    if (!list)
        return error_set(e, ERR_NO_MEMORY, "no memory for more than %zu sites", p->count);
    p->list = list;
    p->list[p->count++] = *place;
    return ERR_OK;
}

static enum err places_load(struct agent *a, struct candidates *texts, struct places *p,
                            struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(a), SQL_FIND_SITES);
    db_bind_int(&q, ":network", agent_network(a));
    while (code == ERR_OK && db_step(&q)) {
        const struct member *member = shown_member(a, db_column_blob(&q, 2));
        struct place place = {
            .picture = db_column_int(&q, 0), .site = db_column_int(&q, 1), .member = member};
        if (!member)
            continue;
        place.name = candidates_text(texts, db_column_text(&q, 3));
        code = places_add(p, &place, e);
    }
    return db_finish_visit(&q, code, e);
}

static int compare_places(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    if (a->picture != b->picture)
        return a->picture < b->picture ? -1 : 1;
    return a->site < b->site ? -1 : a->site > b->site;
}

static const struct place *place_of(struct places *p, int64_t picture, int64_t site) {
    const struct place wanted = {.picture = picture, .site = site};
    if (p->count == 0)
        return NULL;
    if (compare_places(&wanted, &p->list[p->last]) == 0)
        return &p->list[p->last];
    const struct place *found =
        bsearch(&wanted, p->list, p->count, sizeof *p->list, compare_places);
    if (found)
        p->last = (size_t)(found - p->list);
    return found;
}

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

static struct amount amount_at(struct db_query *q, int column) {
    if (db_column_null(q, column))
        return (struct amount){.known = false};
    return (struct amount){true, db_column_int(q, column)};
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

/* A whole number, and the blank after it; "-" is none. */
static bool read_number(const char **at, int64_t *ret) {
    const char *digit = *at;
    int64_t value = 0;
    bool negative = *digit == '-';
    for (digit += negative; *digit >= '0' && *digit <= '9'; digit++)
        value = value * 10 + (*digit - '0');
    bool found = digit > *at + negative;
    *at = digit + (*digit == ' ');
    if (found)
        *ret = negative ? -value : value;
    return found;
}

/* Column `judged` of seen_line. There are many: not by strtoll. */
static bool read_judged(const char *text, int64_t *ret_site, struct disclosed *d) {
    int64_t status = 0, light = 0;
    bool good = read_number(&text, ret_site) && read_number(&text, &status) &&
                read_number(&text, &light) && read_number(&text, &d->observed_ms) &&
                read_number(&text, &d->valid_until_ms);
    d->status = (enum status)status;
    d->light = (enum light)light;
    d->available.known = read_number(&text, &d->available.value);
    d->has_band = read_number(&text, &d->low);
    return good;
}

static struct db_query lines_query(struct agent *a, const struct find_filter *filter) {
    int statement = SQL_FIND_ALL;
    if (filter->service)
        statement = filter->region ? SQL_FIND_SERVICE_REGION : SQL_FIND_SERVICE;
    else if (filter->region)
        statement = SQL_FIND_REGION;
    struct db_query q = db_query(agent_db(a), statement);
    if (filter->service)
        db_bind_text(&q, ":service", filter->service);
    if (filter->region)
        db_bind_text(&q, ":region", filter->region);
    return q;
}

static enum err visit_line(struct agent *a, struct db_query *q, bool conditions,
                           struct places *places, struct seen_line *line, seen_visit *visit,
                           void *ctx, struct error *e) {
    int64_t site = 0;
    if (!read_judged(db_column_text(q, 3), &site, &line->figure))
        return error_set(e, ERR_STORE, "agent.db: a partner's line is damaged: restore a backup");
    const struct place *place = place_of(places, db_column_int(q, 1), site);
    const struct charter_service *service = charter_service(agent_charter(a), db_column_text(q, 2));
    if (!place || !service)
        return ERR_OK;
    if (conditions)
        read_attributes(db_column_text(q, 5), line);
    const struct seen_judged judged = {.line = db_column_int(q, 0),
                                       .member = place->member,
                                       .service = service,
                                       .site = place->name,
                                       .ward = db_column_text(q, 4),
                                       .figure = line};
    return visit(ctx, &judged, e);
}

enum err seen_each(struct agent *a, const struct find_filter *filter, struct candidates *texts,
                   seen_visit *visit, void *ctx, struct error *e) {
    struct places places = {.count = 0};
    struct seen_line line = {.attribute_count = 0};
    enum err code = places_load(a, texts, &places, e);
    if (code == ERR_OK) {
        struct db_query q = lines_query(a, filter);
        while (code == ERR_OK && db_step(&q))
            code = visit_line(a, &q, filter->where_count > 0, &places, &line, visit, ctx, e);
        code = db_finish_visit(&q, code, e);
    }
    free(places.list);
    return code;
}

/* ---- one line, whole ---- */

static void read_figure(struct db_query *q, struct disclosed *d) {
    d->available = amount_at(q, 3);
    d->has_band = !db_column_null(q, 4);
    d->low = d->has_band ? db_column_int(q, 4) : 0;
    d->light = (enum light)db_column_int(q, 5);
    d->status = (enum status)db_column_int(q, 6);
    d->observed_ms = db_column_int(q, 7);
    d->valid_until_ms = db_column_int(q, 8);
    d->total = amount_at(q, 9);
    d->occupied = amount_at(q, 10);
    d->held = amount_at(q, 11);
    d->blocked = amount_at(q, 12);
    d->need = amount_at(q, 13);
    copy_text(d->blocked_reason, sizeof d->blocked_reason, db_column_text(q, 14));
    d->blocked_until_ms = db_column_int(q, 15);
    d->next_free_ms = db_column_int(q, 16);
    copy_text(d->note, sizeof d->note, db_column_text(q, 17));
    d->high = amount_at(q, 18);
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
