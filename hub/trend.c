/* Owns the rows of a run of days (see trend.h). Sums come from span.c, final ones from the store,
 * today's from report.c. */
#include "trend.h"

#include <stdlib.h>
#include <string.h>

#include "publish.h"
#include "report.h"
#include "span.h"

#define PAGE_ROWS 10000
#define PAGE_DAYS 366
#define PUBLISHED_PAGE_DAYS 31 /* contributions are told apart there */

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
}

/* Both ends are days since 1970-01-01. */
struct range {
    int64_t from, to, today;
};

/* ---- what is asked ---- */

static enum err read_day(const char *key, const char *text, int64_t *ret, struct error *e) {
    struct error inner = {0};
    int year, month, day;
    if (text_parse_day(text, &year, &month, &day, &inner) != ERR_OK)
        return error_at(e, ERR_DATA, key, 0, 0, "%.200s", inner.detail);
    *ret = text_days_from_civil(year, month, day);
    return ERR_OK;
}

static enum err read_range(const struct hub *hub, const struct trend_query *query, int64_t now_ms,
                           struct range *ret, struct error *e) {
    struct range r;
    const struct zone *zone = NULL;
    char today[TEXT_DAY_SIZE];
    enum err err = zone_find(directory_charter(hub->directory)->time_zone, &zone, e);
    if (err == ERR_OK && query->from == NULL)
        err = error_set(e, ERR_USAGE, "found a day to end with, expected one to start from too");
    if (err != ERR_OK)
        return err;
    r.today = r.to = zone_day_number(zone, now_ms);
    err = read_day("from", query->from, &r.from, e);
    if (err == ERR_OK && query->to != NULL)
        err = read_day("to", query->to, &r.to, e);
    if (err != ERR_OK)
        return err;
    if (r.to > r.today || r.from > r.today)
        return error_at(e, ERR_DATA, r.to > r.today ? "to" : "from", 0, 0,
                        "found '%.10s', which lies ahead; expected today (%s) or earlier",
                        r.to > r.today ? query->to : query->from, text_day(r.today, today));
    if (r.from > r.to)
        return error_at(e, ERR_DATA, "from", 0, 0,
                        "found '%.10s', which is after the last day '%.10s'", query->from,
                        query->to);
    *ret = r;
    return ERR_OK;
}

/* ---- how much goes in one piece ---- */

static enum err add_region(void *ctx, const char *region, struct error *e) {
    return json_object_set_new(ctx, region, json_null()) == 0 ? ERR_OK : no_memory(e);
}

/* So many days that about PAGE_ROWS rows come of them. */
static enum err page_days(struct hub *hub, const struct trend_query *query, size_t *ret,
                          struct error *e) {
    struct pictures pictures = {.count = 0};
    json_t *regions = json_object();
    enum err err = regions != NULL ? ERR_OK : no_memory(e);
    if (err == ERR_OK)
        err = pictures_read(hub, PICTURES_ALL, &pictures, e);
    for (size_t i = 0; i < pictures.count && err == ERR_OK; i++)
        for (size_t k = 0; k < pictures.items[i].snapshot->site_count && err == ERR_OK; k++)
            err = add_region(regions, pictures.items[i].snapshot->sites[k].region, e);
    if (err == ERR_OK)
        err = store_regions(hub->store, add_region, regions, e);
    if (err == ERR_OK) {
        size_t services =
            query->service != NULL ? 1 : directory_charter(hub->directory)->service_count;
        size_t days = PAGE_ROWS / (services * (json_object_size(regions) + 1));
        *ret = days < 1 ? 1 : days < PAGE_DAYS ? days : PAGE_DAYS;
    }
    pictures_done(&pictures);
    json_decref(regions);
    return err;
}

/* ---- one page ---- */

struct page_of_days {
    struct hub *hub;
    const struct trend_query *query;
    struct range range;
    size_t count;
    json_t **finals; /* of each day its rows, NULL while it is not final */
    bool known;      /* a final day has the service that is asked for */
    struct span span;
};

static bool wanted(const struct trend_query *query, const char *service, const char *region) {
    return (query->service == NULL || strcmp(query->service, service) == 0) &&
           (query->region == NULL || (region[0] != '\0' && strcmp(query->region, region) == 0));
}

static enum err append(json_t *rows, const struct cell *cell, const struct cell_name *name,
                       struct error *e) {
    return json_array_append_new(rows, cell_json(cell, name)) == 0 ? ERR_OK : no_memory(e);
}

static enum err add_final(void *ctx, const struct store_final *f, struct error *e) {
    struct page_of_days *page = ctx;
    char day[TEXT_DAY_SIZE];
    json_t **rows = &page->finals[f->day - page->range.from];
    if (*rows == NULL && (*rows = json_array()) == NULL)
        return no_memory(e);
    if (page->query->service != NULL && strcmp(page->query->service, f->service) == 0)
        page->known = true;
    if (!wanted(page->query, f->service, f->region))
        return ERR_OK;
    const struct cell_name name = {.day = text_day(f->day, day),
                                   .service = f->service,
                                   .region = f->region,
                                   .decimals = f->decimals,
                                   .final = true};
    return append(*rows, &f->cell, &name, e);
}

static enum err add_ended(const struct page_of_days *page, size_t day, json_t *rows,
                          struct error *e) {
    const struct span *s = &page->span;
    char text[TEXT_DAY_SIZE];
    enum err err = ERR_OK;
    text_day(page->range.from + (int64_t)day, text);
    for (size_t i = 0; i < s->charter->service_count && err == ERR_OK; i++) {
        const struct charter_service *service = &s->charter->services[i];
        size_t regions = s->services[i] != NULL ? days_region_count(s->services[i]) : 0;
        for (size_t r = 0; r < regions && err == ERR_OK; r++) {
            const struct cell_name name = {.day = text,
                                           .service = service->code,
                                           .region = days_region(s->services[i], r),
                                           .decimals = service->decimals};
            const struct cell cell = span_cell(s, i, r, day);
            if (span_has(s, i, r, day) && wanted(page->query, service->code, name.region))
                err = append(rows, &cell, &name, e);
        }
    }
    return err;
}

static enum err add_today(const struct page_of_days *page, int64_t now_ms, json_t *rows,
                          struct error *e) {
    json_t *now = NULL;
    const struct trend_query *q = page->query;
    if (q->service != NULL &&
        charter_service(directory_charter(page->hub->directory), q->service) == NULL)
        return ERR_OK;
    enum err err = report_aggregate(page->hub, q->service, q->region, now_ms, &now, e);
    if (err == ERR_OK && json_array_extend(rows, now) != 0)
        err = no_memory(e);
    json_decref(now);
    return err;
}

/* Days that are neither final nor open are summed up, all at once. */
static enum err read_ended(struct page_of_days *page, struct error *e) {
    size_t first = 0, end = page->count;
    while (end > 0 && (page->finals[end - 1] != NULL ||
                       page->range.from + (int64_t)end - 1 == page->range.today))
        end--;
    while (first < end && page->finals[first] != NULL)
        first++;
    if (first == end)
        return ERR_OK;
    const struct span_query query = {
        .first_day = page->range.from, .count = end, .service = page->query->service};
    return span_read(page->hub, &query, &page->span, e);
}

static enum err add_days(struct page_of_days *page, int64_t now_ms, json_t *rows, size_t *ret_done,
                         struct error *e) {
    enum err err = ERR_OK;
    size_t day = 0;
    for (; day < page->count && err == ERR_OK && json_array_size(rows) < PAGE_ROWS; day++) {
        if (page->finals[day] != NULL)
            err = json_array_extend(rows, page->finals[day]) == 0 ? ERR_OK : no_memory(e);
        else if (page->range.from + (int64_t)day == page->range.today)
            err = add_today(page, now_ms, rows, e);
        else
            err = add_ended(page, day, rows, e);
    }
    *ret_done = day;
    return err;
}

static enum err check_service(const struct page_of_days *page, struct error *e) {
    const char *service = page->query->service;
    if (service == NULL || page->known ||
        charter_service(directory_charter(page->hub->directory), service) != NULL)
        return ERR_OK;
    return error_set(e, ERR_NOT_FOUND,
                     "neither the charter nor a final day has a service '%.40s'; see `plek-hub "
                     "charter show`",
                     service);
}

static enum err read_page(struct page_of_days *page, int64_t now_ms, json_t *rows, size_t *ret_done,
                          struct error *e) {
    int64_t last = page->range.from + (int64_t)page->count - 1;
    page->finals = calloc(page->count, sizeof *page->finals);
    if (page->finals == NULL)
        return no_memory(e);
    enum err err = store_finals(page->hub->store, page->range.from, last, add_final, page, e);
    if (err == ERR_OK)
        err = check_service(page, e);
    if (err == ERR_OK)
        err = read_ended(page, e);
    if (err == ERR_OK)
        err = add_days(page, now_ms, rows, ret_done, e);
    for (size_t i = 0; i < page->count; i++)
        json_decref(page->finals[i]);
    free(page->finals);
    span_done(&page->span);
    return err;
}

static enum err take_answer(json_t *rows, json_t *take_next, json_t **ret, struct error *e) {
    json_t *answer = json_pack("{s:O, s:o}", "rows", rows, "next", take_next);
    if (answer == NULL)
        return no_memory(e);
    *ret = answer;
    return ERR_OK;
}

static json_t *next_json(int64_t day, int64_t last) {
    char text[TEXT_DAY_SIZE];
    return day > last ? json_null() : json_string(text_day(day, text));
}

enum err trend_read(struct hub *hub, const struct trend_query *query, int64_t now_ms, json_t **ret,
                    struct error *e) {
    struct page_of_days page = {.hub = hub, .query = query};
    size_t done = 0;
    enum err err = read_range(hub, query, now_ms, &page.range, e);
    if (err == ERR_OK)
        err = page_days(hub, query, &page.count, e);
    if (err != ERR_OK)
        return err;
    int64_t days = page.range.to - page.range.from + 1;
    if ((int64_t)page.count > days)
        page.count = (size_t)days;
    json_t *rows = json_array();
    err = rows != NULL ? read_page(&page, now_ms, rows, &done, e) : no_memory(e);
    if (err == ERR_OK)
        err = take_answer(rows, next_json(page.range.from + (int64_t)done, page.range.to), ret, e);
    json_decref(rows);
    return err;
}

/* ---- published ---- */

struct finals {
    int64_t first;
    bool days[PUBLISHED_PAGE_DAYS];
};

static enum err mark_final(void *ctx, const struct store_final *f, struct error *e) {
    struct finals *finals = ctx;
    (void)e;
    finals->days[f->day - finals->first] = true;
    return ERR_OK;
}

/* One page of an answer: the days from..last, of from..to that were asked for. */
struct publication {
    struct hub *hub;
    const struct trend_query *query;
    struct range range;
    int64_t last, now_ms;
    bool keep; /* decide anew and keep it; else what was shown last */
    json_t *rows;
};

static enum err read_publication(struct publication *p, struct error *e) {
    const struct charter *charter = directory_charter(p->hub->directory);
    const char *service = p->query->service;
    const struct zone *zone = NULL;
    struct range r;
    if (service != NULL && charter_service(charter, service) == NULL)
        return error_set(e, ERR_NOT_FOUND,
                         "the charter has no service '%.40s'; see `plek-hub charter show`",
                         service);
    enum err err = zone_find(charter->time_zone, &zone, e);
    if (err != ERR_OK)
        return err;
    r.from = r.to = r.today = zone_day_number(zone, p->now_ms);
    if (p->query->from != NULL || p->query->to != NULL)
        err = read_range(p->hub, p->query, p->now_ms, &r, e);
    if (err != ERR_OK)
        return err;
    p->range = r;
    p->last = r.to - r.from < PUBLISHED_PAGE_DAYS ? r.to : r.from + PUBLISHED_PAGE_DAYS - 1;
    return ERR_OK;
}

static enum err add_published(const struct publication *p, const struct publish_query *query,
                              struct error *e) {
    return p->keep ? publish_days(p->hub, query, p->now_ms, p->rows, e)
                   : publish_last(p->hub, query, p->rows, e);
}

/* Ended days, then today as it is now. */
static enum err publish_range(const struct publication *p, struct error *e) {
    const struct range *r = &p->range;
    struct finals finals = {.first = r->from};
    int64_t ended = p->last < r->today ? p->last : r->today - 1;
    struct publish_query asked = {.service = p->query->service,
                                  .first_day = r->from,
                                  .count = (size_t)(ended - r->from + 1),
                                  .final = finals.days};
    enum err err = store_finals(p->hub->store, r->from, ended, mark_final, &finals, e);
    if (err == ERR_OK && asked.count > 0)
        err = add_published(p, &asked, e);
    if (err != ERR_OK || p->last < r->today)
        return err;
    asked = (struct publish_query){
        .service = p->query->service, .first_day = r->today, .count = 1, .moment = true};
    return add_published(p, &asked, e);
}

/* What is not told was not published. */
static enum err publish_whole(const struct publication *p, struct error *e) {
    enum err err = store_savepoint(p->hub->store, e);
    if (err != ERR_OK)
        return err;
    err = publish_range(p, e);
    if (err == ERR_OK && p->query->service == NULL && p->last == p->range.today)
        err = store_note_publication(p->hub->store, p->now_ms, e);
    if (err == ERR_OK)
        return store_release(p->hub->store, e);
    store_undo(p->hub->store);
    return err;
}

static enum err publish_group(const struct publication *p, struct error *e) {
    enum err err = hub_begin(p->hub, e);
    if (err != ERR_OK)
        return err;
    err = publish_whole(p, e);
    enum err ended = hub_commit(p->hub, err == ERR_OK ? e : NULL);
    return err != ERR_OK ? err : ended;
}

/* The region's rows alone; every cell was decided. */
static void filter_region(json_t *rows, const char *region) {
    for (size_t i = json_array_size(rows); region != NULL && i-- > 0;) {
        const char *found = json_string_value(json_object_get(json_array_get(rows, i), "region"));
        if (found == NULL || strcmp(found, region) != 0)
            json_array_remove(rows, i);
    }
}

static enum err answer_publication(struct publication *p, json_t **ret, struct error *e) {
    enum err err = read_publication(p, e);
    if (err != ERR_OK)
        return err;
    p->rows = json_array();
    if (p->rows == NULL)
        return no_memory(e);
    err = p->keep ? publish_group(p, e) : publish_range(p, e);
    filter_region(p->rows, p->query->region);
    if (err == ERR_OK)
        err = take_answer(p->rows, next_json(p->last + 1, p->range.to), ret, e);
    json_decref(p->rows);
    return err;
}

enum err trend_publish(struct hub *hub, const struct trend_query *query, int64_t now_ms,
                       json_t **ret, struct error *e) {
    struct publication p = {.hub = hub, .query = query, .now_ms = now_ms, .keep = true};
    return answer_publication(&p, ret, e);
}

enum err trend_published(struct hub *hub, const struct trend_query *query, int64_t now_ms,
                         json_t **ret, struct error *e) {
    struct publication p = {.hub = hub, .query = query, .now_ms = now_ms};
    return answer_publication(&p, ret, e);
}
