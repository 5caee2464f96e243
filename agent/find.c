/* Owns finding room (see find.h): which lines pass, and which of them are shown. Reading is
 * seen.c's, the order candidates.c's, a row found.c's. Must not change anything. */
#include "find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circle.h"
#include "found.h"
#include "pause.h"
#include "recipients.h"
#include "records.h"
#include "seen.h"
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

static bool can_have(const struct charter_service *service, const struct attribute *wanted) {
    const struct charter_attribute *known = charter_attribute(service, wanted->name);
    return known && charter_value_allowed(known, wanted->value);
}

/* A name or value mistyped would find nothing, and look like no room. */
static enum err check_where(const struct charter *charter, const struct charter_service *service,
                            const struct find_filter *filter, struct error *e) {
    for (size_t i = 0; i < filter->where_count; i++) {
        const struct attribute *wanted = &filter->where[i];
        bool possible = service && can_have(service, wanted);
        for (size_t k = 0; !service && k < charter->service_count; k++)
            possible |= can_have(&charter->services[k], wanted);
        if (!possible)
            return error_at(e, ERR_DATA, "where", 0, 0,
                            "found '%s=%s', expected an attribute and a value of it that the "
                            "charter gives %s",
                            wanted->name, wanted->value, service ? service->code : "a service");
    }
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
    if (code == ERR_OK)
        code = check_where(agent_charter(a), known, &filter, e);
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

/* ---- rows ---- */

static int compare_lines(const void *left, const void *right) {
    const struct candidate *a = *(const struct candidate *const *)left,
                           *b = *(const struct candidate *const *)right;
    return a->line < b->line ? -1 : a->line > b->line;
}

/* Read in the order in which they are stored: of many rows the pages are many times the cache. */
static enum err read_rows(struct agent *a, const struct candidates *found, struct candidate *first,
                          size_t count, int64_t now_ms, struct error *e) {
    struct candidate **order = calloc(count + 1, sizeof(struct candidate *));
    enum err code = ERR_OK;
    if (!order)
        return error_set(e, ERR_NO_MEMORY, "no memory for %zu rows", count);
    for (size_t i = 0; i < count; i++)
        order[i] = &first[i];
    qsort(order, count, sizeof(struct candidate *), compare_lines);
    for (size_t i = 0; code == ERR_OK && i < count; i++)
        if (!order[i]->row)
            code = seen_row(a, order[i], found->zone, now_ms, &order[i]->row, e);
    free(order);
    return code;
}

/* In order; only the rows of the page are written. */
static enum err page_rows(struct agent *a, struct candidates *found, const struct find_page *page,
                          int64_t now_ms, json_t **ret, struct error *e) {
    size_t from = (size_t)page->offset < found->count ? (size_t)page->offset : found->count;
    size_t count = found->count - from;
    if ((int64_t)count > page->limit)
        count = (size_t)page->limit;
    candidates_sort(found);
    struct candidate *first = count > 0 ? &found->list[from] : NULL;
    enum err code = read_rows(a, found, first, count, now_ms, e);
    if (code != ERR_OK)
        return code;
    json_t *rows = json_array();
    for (size_t i = from; code == ERR_OK && i < from + count; i++)
        if (json_array_append(rows, found->list[i].row))
            code = error_set(e, ERR_NO_MEMORY, "no memory for %zu rows", found->count);
    if (code == ERR_OK && !rows)
        code = error_set(e, ERR_NO_MEMORY, "no memory for rows");
    if (code != ERR_OK) {
        json_decref(rows);
        return code;
    }
    *ret = rows;
    return ERR_OK;
}

static const struct find_page whole = {.offset = 0, .limit = INT64_MAX};

/* ---- partners' lines ---- */

struct judging {
    const struct find_filter *filter;
    int64_t now_ms;
    struct candidates *found;
};

static enum err judge(void *ctx, const struct seen_judged *line, struct error *e) {
    const struct judging *j = ctx;
    const struct found f = {
        .member = line->member->name, .line = line->figure, .service = line->service};
    if (!passes(j->filter, &f, j->now_ms))
        return ERR_OK;
    const struct candidate candidate = {.rank = found_rank(&f, j->now_ms),
                                        .member = line->member->name,
                                        .service = line->service->code,
                                        .site = line->site,
                                        .ward = line->ward,
                                        .line = line->line};
    return candidates_add(j->found, &candidate, e);
}

static enum err gather(struct agent *a, const struct find_filter *filter, int64_t now_ms,
                       struct candidates *found, int64_t *ret_judged_ms, struct error *e) {
    int64_t judged_ms = now_ms;
    enum err code = agent_zone(a, &found->zone, e);
    if (code == ERR_OK)
        code = status_now(a, now_ms, &judged_ms, e);
    if (code != ERR_OK)
        return code;
    struct judging judging = {filter, judged_ms, found};
    *ret_judged_ms = judged_ms;
    return seen_each(a, filter, judge, &judging, e);
}

enum err find_rows(struct agent *a, const struct find_filter *filter, int64_t now_ms, json_t **ret,
                   struct error *e) {
    struct candidates found;
    int64_t judged_ms = now_ms;
    candidates_init(&found, SIZE_MAX);
    enum err code = gather(a, filter, now_ms, &found, &judged_ms, e);
    if (code == ERR_OK)
        code = page_rows(a, &found, &whole, judged_ms, ret, e);
    candidates_done(&found);
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

/* The first region after this one; NULL: there is none. */
static enum err next_region(struct agent *a, const char *after, json_t **ret, struct error *e) {
    json_t *region = NULL;
    struct db_query q = db_query(agent_db(a), SQL_SEEN_REGION_AFTER);
    db_bind_int(&q, ":network", agent_network(a));
    db_bind_text(&q, ":after", after);
    bool found = db_step(&q);
    if (found)
        region = json_string(db_column_text(&q, 0));
    enum err code = db_finish(&q, e);
    if (code == ERR_OK && found && !region)
        code = error_set(e, ERR_NO_MEMORY, "no memory for the regions");
    if (code == ERR_OK)
        *ret = region;
    else
        json_decref(region);
    return code;
}

static enum err regions_json(struct agent *a, json_t **ret, struct error *e) {
    json_t *regions = json_array(), *region = NULL;
    enum err code = next_region(a, "", &region, e);
    while (code == ERR_OK && region) {
        if (json_array_append(regions, region))
            code = error_set(e, ERR_NO_MEMORY, "no memory for the regions");
        json_t *last = region;
        region = NULL;
        if (code == ERR_OK)
            code = next_region(a, json_string_value(last), &region, e);
        json_decref(last);
    }
    if (code == ERR_OK && !regions)
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
    struct candidates found;
    json_t *rows = NULL, *regions = NULL;
    char at[TEXT_TIME_SIZE];
    int64_t judged_ms = now_ms;
    candidates_init(&found, (size_t)(page->offset + page->limit));
    enum err code = gather(a, filter, now_ms, &found, &judged_ms, e);
    if (code == ERR_OK)
        code = page_rows(a, &found, page, judged_ms, &rows, e);
    if (code == ERR_OK)
        code = regions_json(a, &regions, e);
    json_t *made = code == ERR_OK ? json_pack("{s:O, s:I, s:s, s:O}", "rows", rows, "total",
                                              (json_int_t)found.total, "at",
                                              text_time(judged_ms, at), "regions", regions)
                                  : NULL;
    if (code == ERR_OK && !made)
        code = error_set(e, ERR_NO_MEMORY, "no memory for a page of rows");
    json_decref(rows);
    json_decref(regions);
    candidates_done(&found);
    if (code == ERR_OK)
        *ret = made;
    return code;
}

/* ---- what a partner sees of us ---- */

static enum err add_own(struct candidates *found, const struct found *f, int64_t now_ms,
                        struct error *e) {
    const struct candidate candidate = {.rank = found_rank(f, now_ms),
                                        .member = f->member,
                                        .service = f->service->code,
                                        .site = f->site->name,
                                        .ward = f->line->ward,
                                        .row = found_json(f, now_ms)};
    if (!candidate.row)
        return error_set(e, ERR_NO_MEMORY, "no memory for a row");
    return candidates_add(found, &candidate, e);
}

/* Who looks, and what lets it. */
struct viewer {
    const struct public_key *member;
    const struct approvals *approvals;
    enum basis basis; /* for the audience at hand */
};

static enum err add_snapshot(struct agent *a, const struct snapshot *s, const struct viewer *viewer,
                             int64_t now_ms, struct candidates *found, struct error *e) {
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
                          .zone = found->zone,

                          .why = basis_name(viewer->basis),
                          .why_since_ms = approval ? approval->since_ms : 0};
        if (f.site && f.service)
            code = add_own(found, &f, now_ms, e);
    }
    return code;
}

static enum err preview_audience(struct agent *a, const struct policy_audience *audience,
                                 const struct viewer *viewer, const struct records *records,
                                 int64_t now_ms, struct candidates *found, struct error *e) {
    struct snapshot *s = NULL;
    bool withdrawn = false, paused = false;
    enum err code = withdraw_stands(a, audience->name, &withdrawn, e);
    if (code == ERR_OK)
        code = pause_stands(a, audience->name, &paused, e);
    if (code != ERR_OK || withdrawn || paused)
        return code;
    code = circle_compose(a, audience, records, &s, e);
    if (code == ERR_OK)
        code = add_snapshot(a, s, viewer, now_ms, found, e);
    snapshot_free(s);
    return code;
}

static enum err preview(struct agent *a, struct viewer *viewer, int64_t now_ms,
                        struct candidates *found, struct error *e) {
    const struct policy *policy = agent_policy(a);
    struct records records = {0};
    enum err code = records_load(a, &records, e);
    for (size_t i = 0; code == ERR_OK && policy && i < policy->audience_count; i++) {
        const struct policy_audience *audience = &policy->audiences[i];
        viewer->basis = recipients_basis(a, audience, viewer->approvals, viewer->member);
        if (viewer->basis != BASIS_NONE && policy_has_member(audience, viewer->member))
            code = preview_audience(a, audience, viewer, &records, now_ms, found, e);
    }
    records_done(&records);
    return code;
}

enum err find_preview(struct agent *a, const struct public_key *member, int64_t now_ms,
                      json_t **ret, struct error *e) {
    struct approvals approvals = {0};
    struct candidates found;
    struct viewer viewer = {.member = member, .approvals = &approvals};
    int64_t judged_ms = now_ms;
    candidates_init(&found, SIZE_MAX);
    enum err code = agent_zone(a, &found.zone, e);
    if (code == ERR_OK)
        code = status_now(a, now_ms, &judged_ms, e);
    if (code == ERR_OK)
        code = approvals_load(a, &approvals, e);
    if (code == ERR_OK && recipients_publish(a))
        code = preview(a, &viewer, judged_ms, &found, e);
    if (code == ERR_OK)
        code = page_rows(a, &found, &whole, judged_ms, ret, e);
    candidates_done(&found);
    approvals_done(&approvals);
    return code;
}
