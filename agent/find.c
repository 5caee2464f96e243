/* Owns finding room (see find.h): reading partners' lines, filtering, ordering. The rows themselves
 * are found.c's. Must not change anything. */
#include "find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circle.h"
#include "found.h"
#include "pause.h"
#include "recipients.h"
#include "records.h"
#include "status.h"
#include "store.h"
#include "withdraw.h"

#define FINEST_DECIMALS 3 /* a charter's most */

/* ---- the filter ---- */

static enum err unknown_service(const struct charter *charter, const char *service,
                                struct error *e) {
    char names[160];
    size_t len = 0;
    names[0] = '\0';
    for (size_t i = 0; i < charter->service_count && len + CODE_MAX + 3 < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i > 0 ? ", " : "",
                                charter->services[i].code);
    return error_set(e, ERR_NOT_FOUND, "found service '%.40s', expected one of the charter's: %s",
                     service, names);
}

static enum err where_pair(const char *text, size_t len, struct attribute *ret, struct error *e) {
    const char *equals = memchr(text, '=', len);
    size_t name = equals ? (size_t)(equals - text) : 0;
    if (!equals || name == 0 || name > CODE_MAX || len - name - 1 == 0 || len - name - 1 > CODE_MAX)
        return error_at(e, ERR_DATA, "where", 0, 0, "found '%.*s', expected attribute=value",
                        len > 80 ? 80 : (int)len, text);
    memcpy(ret->name, text, name);
    memcpy(ret->value, equals + 1, len - name - 1);
    return ERR_OK;
}

static enum err parse_where(const char *text, struct find_filter *filter, struct error *e) {
    while (*text) {
        size_t len = strcspn(text, ",");
        if (filter->where_count == FIND_WHERE_MAX)
            return error_at(e, ERR_DATA, "where", 0, 0, "found more than %d conditions",
                            FIND_WHERE_MAX);
        enum err code = where_pair(text, len, &filter->where[filter->where_count++], e);
        if (code != ERR_OK)
            return code;
        text += len + (text[len] == ',');
    }
    return ERR_OK;
}

enum err find_filter_parse(struct agent *a, const char *service, const char *min,
                           const char *region, const char *where, struct find_filter *ret,
                           struct error *e) {
    struct find_filter filter = {.service = service && *service ? service : NULL,
                                 .region = region && *region ? region : NULL};
    const struct charter_service *known = NULL;
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK && filter.service && !(known = charter_service(agent_charter(a), service)))
        code = unknown_service(agent_charter(a), service, e);
    if (code == ERR_OK && min && *min) {
        struct error why = {0};
        filter.has_min = true;
        code = text_parse_number(min, known ? known->decimals : FINEST_DECIMALS, &filter.min, &why);
        if (code != ERR_OK)
            code = error_at(e, code, "min", 0, 0, "%s", why.detail);
    }
    if (code == ERR_OK && where)
        code = parse_where(where, &filter, e);
    if (code != ERR_OK)
        records_hide_numbers(e, false);
    else
        *ret = filter;
    return code;
}

static bool has_attribute(const struct seen_line *line, const struct attribute *wanted) {
    for (size_t i = 0; i < line->attribute_count; i++)
        if (strcmp(line->attributes[i].name, wanted->name) == 0)
            return strcmp(line->attributes[i].value, wanted->value) == 0;
    return false;
}

static bool passes(const struct find_filter *filter, const struct found *f, int64_t now_ms) {
    if (filter->taking && !found_takes(f, now_ms))
        return false;
    for (size_t i = 0; i < filter->where_count; i++)
        if (!has_attribute(f->line, &filter->where[i]))
            return false;
    if (!filter->has_min)
        return true;
    int64_t room = 0;
    if (!found_room(f, now_ms, &room))
        return false;
    for (int i = f->service->decimals; !filter->service && i < FINEST_DECIMALS; i++)
        if (__builtin_mul_overflow(room, 10, &room))
            return room > 0;
    return room >= filter->min;
}

/* ---- gathering rows ---- */

struct item {
    struct found_rank rank;
    json_t *row;
};
struct items {
    struct item *list;
    size_t count, cap;
    const struct zone *zone; /* in which its rows speak of days */
};

static void items_done(struct items *items) {
    for (size_t i = 0; i < items->count; i++)
        json_decref(items->list[i].row);
    free(items->list);
}

static enum err items_add(struct items *items, const struct found *f, int64_t now_ms,
                          struct error *e) {
    if (items->count == items->cap) {
        size_t cap = items->cap > 0 ? items->cap * 2 : 64;
        struct item *list = reallocarray(items->list, cap, sizeof *list);
        if (!list)
            return error_set(e, ERR_NO_MEMORY, "no memory for %zu rows", cap);
        items->list = list;
        items->cap = cap;
    }
    json_t *row = found_json(f, now_ms);
    if (!row)
        return error_set(e, ERR_NO_MEMORY, "no memory for a row");
    items->list[items->count++] = (struct item){found_rank(f, now_ms), row};
    return ERR_OK;
}

static int compare_text(const json_t *a, const json_t *b, const char *key) {
    const char *left = json_string_value(json_object_get(a, key));
    const char *right = json_string_value(json_object_get(b, key));
    return strcmp(left ? left : "", right ? right : "");
}

static int compare_items(const void *left, const void *right) {
    static const char *const names[] = {"member", "site", "service", "ward"};
    const struct item *a = left, *b = right;
    int order = found_compare(&a->rank, &b->rank);
    for (size_t i = 0; order == 0 && i < sizeof names / sizeof names[0]; i++)
        order = compare_text(a->row, b->row, names[i]);
    return order;
}

static const struct find_page whole = {.offset = 0, .limit = INT64_MAX};

static enum err items_json(struct items *items, const struct find_page *page, json_t **ret,
                           struct error *e) {
    json_t *rows = json_array();
    int failed = rows ? 0 : -1;
    if (items->count > 1)
        qsort(items->list, items->count, sizeof *items->list, compare_items);
    for (size_t i = (size_t)page->offset;
         i < items->count && (int64_t)json_array_size(rows) < page->limit; i++)
        failed |= json_array_append(rows, items->list[i].row);
    if (failed) {
        json_decref(rows);
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu rows", items->count);
    }
    *ret = rows;
    return ERR_OK;
}

/* ---- partners' lines ---- */

/* Ten a row, and there are many rows: not by snprintf. */
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

static void read_figure(struct db_query *q, struct disclosed *d) {
    d->available = amount_at(q, 14);
    d->total = amount_at(q, 15);
    d->occupied = amount_at(q, 16);
    d->held = amount_at(q, 17);
    d->blocked = amount_at(q, 18);
    d->need = amount_at(q, 19);
    copy_text(d->blocked_reason, sizeof d->blocked_reason, db_column_text(q, 20));
    d->blocked_until_ms = db_column_int(q, 21);
    d->next_free_ms = db_column_int(q, 22);
    copy_text(d->note, sizeof d->note, db_column_text(q, 23));
    d->status = (enum status)db_column_int(q, 24);
    d->has_band = !db_column_null(q, 25);
    d->low = d->has_band ? db_column_int(q, 25) : 0;
    d->high = amount_at(q, 26);
    d->light = (enum light)db_column_int(q, 27);
    d->observed_ms = db_column_int(q, 28);
    d->valid_until_ms = db_column_int(q, 29);
}

static void read_site(struct db_query *q, struct site *site) {
    copy_text(site->name, sizeof site->name, db_column_text(q, 5));
    copy_text(site->region, sizeof site->region, db_column_text(q, 6));
    copy_text(site->phone, sizeof site->phone, db_column_text(q, 7));
    copy_text(site->hours, sizeof site->hours, db_column_text(q, 8));
    copy_text(site->reports, sizeof site->reports, db_column_text(q, 9));
    copy_text(site->note, sizeof site->note, db_column_text(q, 10));
}

/* Whose line it is, when it may be shown: not suspended, removed or revoked, and not our own. */
static const struct member *shown_member(struct agent *a, struct db_query *q) {
    struct public_key agent;
    if (key_from_bytes(&agent, db_column_blob(q, 0), NULL) != ERR_OK)
        return NULL;
    const struct member_agent *known = directory_agent(agent_directory(a), &agent);
    if (!known || known->revoked || known->member->state != MEMBER_ADMITTED ||
        key_equal(&known->member->key, agent_member(a)))
        return NULL;
    return known->member;
}

/* Room for one line: rows are read one at a time. */
struct reading {
    struct site site;
    struct seen_line line;
};

static enum err take_row(struct agent *a, struct db_query *q, const struct find_filter *filter,
                         int64_t now_ms, struct reading *r, struct items *items, struct error *e) {
    const struct member *member = shown_member(a, q);
    const struct charter_service *service =
        charter_service(agent_charter(a), db_column_text(q, 11));
    if (!member || !service)
        return ERR_OK;
    copy_text(r->line.service, sizeof r->line.service, db_column_text(q, 11));
    copy_text(r->line.ward, sizeof r->line.ward, db_column_text(q, 12));
    read_attributes(db_column_text(q, 13), &r->line);
    read_figure(q, &r->line.figure);
    struct found f = {.member = member->name,
                      .site = &r->site,
                      .line = &r->line,
                      .precision = (enum precision_kind)db_column_int(q, 2),
                      .step = db_column_int(q, 3),
                      .service = service,
                      .verified = db_column_int(q, 4) != 0,
                      .zone = items->zone};
    if (!passes(filter, &f, now_ms))
        return ERR_OK;
    read_site(q, &r->site);
    return items_add(items, &f, now_ms, e);
}

static struct db_query find_query(struct agent *a, const struct find_filter *filter) {
    int statement = SQL_FIND_ALL;
    if (filter->service)
        statement = filter->region ? SQL_FIND_SERVICE_REGION : SQL_FIND_SERVICE;
    else if (filter->region)
        statement = SQL_FIND_REGION;
    struct db_query q = db_query(agent_db(a), statement);
    db_bind_int(&q, ":network", agent_network(a));
    if (filter->service)
        db_bind_text(&q, ":service", filter->service);
    if (filter->region)
        db_bind_text(&q, ":region", filter->region);
    return q;
}

static enum err gather(struct agent *a, const struct find_filter *filter, int64_t judged_ms,
                       struct items *items, struct error *e) {
    struct reading reading = {.line = {.attribute_count = 0}};
    enum err code = ERR_OK;
    struct db_query q = find_query(a, filter);
    while (code == ERR_OK && db_step(&q))
        code = take_row(a, &q, filter, judged_ms, &reading, items, e);
    enum err finished = db_finish(&q, code == ERR_OK ? e : NULL);
    return code != ERR_OK ? code : finished;
}

enum err find_rows(struct agent *a, const struct find_filter *filter, int64_t now_ms, json_t **ret,
                   struct error *e) {
    struct items items = {0};
    int64_t judged_ms = now_ms;
    enum err code = agent_zone(a, &items.zone, e);
    if (code == ERR_OK)
        code = status_now(a, now_ms, &judged_ms, e);
    if (code == ERR_OK)
        code = gather(a, filter, judged_ms, &items, e);
    if (code == ERR_OK)
        code = items_json(&items, &whole, ret, e);
    items_done(&items);
    return code;
}

/* ---- by the page ---- */

static enum err page_number(const char *key, const char *text, int64_t max, int64_t *ret,
                            struct error *e) {
    int64_t number = 0;
    if (!text || !*text)
        return ERR_OK;
    if (text_parse_number(text, 0, &number, NULL) != ERR_OK || number < 0 || number > max)
        return error_at(e, ERR_DATA, key, 0, 0, "found '%.20s', expected a whole number up to %lld",
                        text, (long long)max);
    *ret = number;
    return ERR_OK;
}

enum err find_page_parse(const char *offset, const char *limit, struct find_page *ret,
                         struct error *e) {
    struct find_page page = {.offset = 0, .limit = FIND_LIMIT_MAX};
    enum err code = page_number("offset", offset, INT32_MAX, &page.offset, e);
    if (code == ERR_OK)
        code = page_number("limit", limit, FIND_LIMIT_MAX, &page.limit, e);
    if (code == ERR_OK)
        *ret = page;
    return code;
}

static enum err regions_json(struct agent *a, json_t **ret, struct error *e) {
    json_t *regions = json_array();
    int failed = regions ? 0 : -1;
    struct db_query q = db_query(agent_db(a), SQL_SEEN_REGIONS);
    db_bind_int(&q, ":network", agent_network(a));
    while (!failed && db_step(&q))
        failed = json_array_append_new(regions, json_string(db_column_text(&q, 0)));
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && failed)
        code = error_set(e, ERR_NO_MEMORY, "no memory for the regions");
    if (code != ERR_OK) {
        json_decref(regions);
        return code;
    }
    *ret = regions;
    return ERR_OK;
}

enum err find_room(struct agent *a, const struct find_filter *filter, const struct find_page *page,
                   int64_t now_ms, json_t **ret, struct error *e) {
    struct items items = {0};
    json_t *rows = NULL, *regions = NULL;
    char at[TEXT_TIME_SIZE];
    int64_t judged_ms = now_ms;
    enum err code = agent_zone(a, &items.zone, e);
    if (code == ERR_OK)
        code = status_now(a, now_ms, &judged_ms, e);
    if (code == ERR_OK)
        code = gather(a, filter, judged_ms, &items, e);
    if (code == ERR_OK)
        code = items_json(&items, page, &rows, e);
    if (code == ERR_OK)
        code = regions_json(a, &regions, e);
    json_t *made = code == ERR_OK ? json_pack("{s:O, s:I, s:s, s:O}", "rows", rows, "total",
                                              (json_int_t)items.count, "at",
                                              text_time(judged_ms, at), "regions", regions)
                                  : NULL;
    if (code == ERR_OK && !made)
        code = error_set(e, ERR_NO_MEMORY, "no memory for a page of rows");
    json_decref(rows);
    json_decref(regions);
    items_done(&items);
    if (code == ERR_OK)
        *ret = made;
    return code;
}

/* ---- what a partner sees of us ---- */

/* Who looks, and what lets it. */
struct viewer {
    const struct public_key *member;
    const struct approvals *approvals;
    enum basis basis; /* for the audience at hand */
};

static enum err add_snapshot(struct agent *a, const struct snapshot *s, const struct viewer *viewer,
                             int64_t now_ms, struct items *items, struct error *e) {
    const struct approval *approval = approvals_find(viewer->approvals, viewer->member);
    const struct member *self = directory_member(agent_directory(a), agent_member(a));
    enum err code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < s->line_count; i++) {
        struct found f = {.member = self ? self->name : "",
                          .site = snapshot_site(s, s->lines[i].site),
                          .line = &s->lines[i],
                          .precision = s->precision,
                          .step = s->step,
                          .service = charter_service(agent_charter(a), s->lines[i].service),
                          .verified = true,
                          .zone = items->zone,

                          .why = basis_name(viewer->basis),
                          .why_since_ms = approval ? approval->since_ms : 0};
        if (f.site && f.service)
            code = items_add(items, &f, now_ms, e);
    }
    return code;
}

static enum err preview_audience(struct agent *a, const struct policy_audience *audience,
                                 const struct viewer *viewer, const struct records *records,
                                 int64_t now_ms, struct items *items, struct error *e) {
    struct snapshot *s = NULL;
    bool withdrawn = false, paused = false;
    enum err code = withdraw_stands(a, audience->name, &withdrawn, e);
    if (code == ERR_OK)
        code = pause_stands(a, audience->name, &paused, e);
    if (code != ERR_OK || withdrawn || paused)
        return code;
    code = circle_compose(a, audience, records, &s, e);
    if (code == ERR_OK)
        code = add_snapshot(a, s, viewer, now_ms, items, e);
    snapshot_free(s);
    return code;
}

static enum err preview(struct agent *a, struct viewer *viewer, int64_t now_ms, struct items *items,
                        struct error *e) {
    const struct policy *policy = agent_policy(a);
    struct records records = {0};
    enum err code = records_load(a, &records, e);
    for (size_t i = 0; code == ERR_OK && policy && i < policy->audience_count; i++) {
        const struct policy_audience *audience = &policy->audiences[i];
        viewer->basis = recipients_basis(a, audience, viewer->approvals, viewer->member);
        if (viewer->basis != BASIS_NONE && policy_has_member(audience, viewer->member))
            code = preview_audience(a, audience, viewer, &records, now_ms, items, e);
    }
    records_done(&records);
    return code;
}

enum err find_preview(struct agent *a, const struct public_key *member, int64_t now_ms,
                      json_t **ret, struct error *e) {
    struct approvals approvals = {0};
    struct items items = {0};
    struct viewer viewer = {.member = member, .approvals = &approvals};
    int64_t judged_ms = now_ms;
    enum err code = agent_zone(a, &items.zone, e);
    if (code == ERR_OK)
        code = status_now(a, now_ms, &judged_ms, e);
    if (code == ERR_OK)
        code = approvals_load(a, &approvals, e);
    if (code == ERR_OK && recipients_publish(a))
        code = preview(a, &viewer, judged_ms, &items, e);
    if (code == ERR_OK)
        code = items_json(&items, &whole, ret, e);
    items_done(&items);
    approvals_done(&approvals);
    return code;
}
