/* Owns putting points and pictures into one order for days.h (see span.h). */
#include "span.h"

#include <stdlib.h>
#include <string.h>

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the sums of the days");
}

/* ---- one service: points of the store and lines of pictures, in one order ---- */

/* A line of an agent's newest picture with the service. */
struct standing {
    const struct contribution *from;
    const struct seen_line *line;
};
struct merging {
    const struct hub *hub;
    const struct pictures *pictures;
    struct days *days;
    int64_t author; /* the site at hand; 0: none yet */
    uint32_t site;
    const char *region;     /* as the newest picture has it; NULL: the site is in none */
    struct standing *lines; /* by member, author, site and ward */
    size_t count, at;
};

/* A site's region is what its agent's newest picture says; of one in no picture, what history said
 * last. */
static const char *region_of(struct merging *m, int64_t author, uint32_t id,
                             const char *otherwise) {
    if (m->author != author || m->site != id)
        m->region = NULL;
    for (size_t i = 0; i < m->pictures->count && (m->author != author || m->site != id); i++) {
        const struct contribution *c = &m->pictures->items[i];
        const struct site *site = c->author == author ? snapshot_site(c->snapshot, id) : NULL;
        if (site != NULL && m->region == NULL)
            m->region = site->region;
    }
    m->author = author;
    m->site = id;
    return m->region != NULL ? m->region : otherwise;
}

static struct observation of_line(struct merging *m, const struct standing *s) {
    /* Standing ones have one. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    const struct snapshot *snapshot = s->from->snapshot;
    return (struct observation){.member = s->from->member,
                                .author = s->from->author,
                                .site = s->line->site,
                                .region = region_of(m, s->from->author, s->line->site, ""),
                                .ward = s->line->ward,
                                .standing = true,
                                .precision = snapshot->precision,
                                .step = snapshot->step,
                                .figure = history_point_of(&s->line->figure)};
}

static struct observation of_point(struct merging *m, const struct author *author,
                                   const struct store_point *p) {
    return (struct observation){.member = author->member,
                                .author = p->author,
                                .site = p->site,
                                .region = region_of(m, p->author, p->site, p->region),
                                .ward = p->ward,
                                .precision = p->precision,
                                .step = p->step,
                                .mark = p->mark,
                                .last_ms = p->last_ms,
                                .figure = p->figure};
}

/* The order of days.h, without time. */
static int compare_lines(const struct observation *a, const struct observation *b) {
    int by_member = key_compare(&a->member, &b->member);
    if (by_member != 0)
        return by_member;
    if (a->author != b->author)
        return a->author < b->author ? -1 : 1;
    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    return strcmp(a->ward, b->ward);
}

/* Lines of pictures that come before this point are told first. One of its own line and time is
 * told once, by the word of the later entry. */
static enum err add_before(struct merging *m, struct observation *o, uint64_t seq,
                           struct error *e) {
    enum err err = ERR_OK;
    for (; m->at < m->count && err == ERR_OK; m->at++) {
        const struct standing *next = &m->lines[m->at];
        struct observation shown = of_line(m, next);
        int order = compare_lines(&shown, o);
        int64_t ahead_ms = shown.figure.observed_ms - o->figure.observed_ms;
        if (order > 0 || (order == 0 && ahead_ms > 0))
            break;
        if (order < 0 || ahead_ms < 0) {
            err = days_add(m->days, &shown, e);
            continue;
        }
        if (next->from->order >= seq)
            *o = shown;
        o->standing = true;
        m->at++;
        break;
    }
    return err;
}

static enum err add_point(void *ctx, const struct store_point *p, struct error *e) {
    struct merging *m = ctx;
    const struct author *author = authors_by_id(&m->hub->authors, p->author);
    if (author == NULL)
        return ERR_OK;
    struct observation o = of_point(m, author, p);
    enum err err = add_before(m, &o, p->seq, e);
    return err == ERR_OK ? days_add(m->days, &o, e) : err;
}

static enum err add_rest(struct merging *m, struct error *e) {
    enum err err = ERR_OK;
    for (; m->at < m->count && err == ERR_OK; m->at++) {
        struct observation shown = of_line(m, &m->lines[m->at]);
        err = days_add(m->days, &shown, e);
    }
    return err;
}

/* Lines of the service in the newest picture of each author that has any; those that never reported
 * have no first day. */
static enum err list_lines(struct merging *m, const char *service, struct error *e) {
    const struct pictures *pictures = m->pictures;
    size_t cap = 0;
    for (size_t i = 0; i < pictures->count; i++)
        cap += pictures->items[i].snapshot->line_count;
    m->lines = calloc(cap + 1, sizeof *m->lines);
    if (m->lines == NULL)
        return no_memory(e);
    bool taken = false;
    for (size_t i = 0; i < pictures->count; i++) {
        const struct contribution *c = &pictures->items[i];
        if (i == 0 || c->author != c[-1].author)
            taken = false;
        bool any = false;
        for (size_t k = 0; k < c->snapshot->line_count && !taken; k++) {
            const struct seen_line *line = &c->snapshot->lines[k];
            if (strcmp(line->service, service) != 0)
                continue;
            any = true;
            if (line->figure.observed_ms > 0)
                m->lines[m->count++] = (struct standing){c, line};
        }
        taken = taken || any;
    }
    return ERR_OK;
}

static enum err read_service(struct hub *hub, struct span *s, const struct pictures *pictures,
                             const struct charter_service *service, struct days **ret,
                             struct error *e) {
    struct merging m = {.hub = hub, .pictures = pictures};
    struct span_part part = {service, s->query.ctx};
    const struct days_config config = {.service = service,
                                       .at_ms = s->at_ms,
                                       .count = s->query.count,
                                       .visit = s->query.visit,
                                       .ctx = &part};
    enum err err = days_new(&config, &m.days, e);
    if (err == ERR_OK)
        err = list_lines(&m, service->code, e);
    if (err == ERR_OK && s->query.now_ms == 0)
        err = store_points(hub->store, service->code, s->at_ms[s->query.count - 1] + 1, add_point,
                           &m, e);
    if (err == ERR_OK)
        err = add_rest(&m, e);
    if (err == ERR_OK)
        err = days_end(m.days, e);
    free(m.lines);
    if (err != ERR_OK) {
        days_free(m.days);
        return err;
    }
    *ret = m.days;
    return ERR_OK;
}

/* ---- who never reported ---- */

struct arrival {
    const struct member *member;
    int64_t first_ms; /* of anything that was opened; INT64_MAX: nothing */
};
struct arrivals {
    const struct hub *hub;
    struct arrival *items; /* by member key */
    size_t count;
};

static int compare_arrivals(const void *left, const void *right) {
    const struct arrival *a = left, *b = right;
    return key_compare(&a->member->key, &b->member->key);
}

static enum err add_arrival(void *ctx, int64_t id, int64_t since_ms, struct error *e) {
    struct arrivals *a = ctx;
    const struct author *author = authors_by_id(&a->hub->authors, id);
    (void)e;
    if (author == NULL)
        return ERR_OK;
    struct member wanted = {.key = author->member};
    const struct arrival key = {.member = &wanted};
    struct arrival *found =
        a->count > 0 ? bsearch(&key, a->items, a->count, sizeof key, compare_arrivals) : NULL;
    if (found != NULL && since_ms < found->first_ms)
        found->first_ms = since_ms;
    return ERR_OK;
}

static enum err count_never(struct hub *hub, struct span *s, struct error *e) {
    size_t members = directory_member_count(hub->directory);
    struct arrivals a = {.hub = hub, .items = calloc(members + 1, sizeof *a.items)};
    if (a.items == NULL)
        return no_memory(e);
    for (size_t i = 0; i < members; i++) {
        const struct member *m = directory_member_at(hub->directory, i);
        if (m->role == ROLE_PROVIDER && m->state != MEMBER_REMOVED)
            a.items[a.count++] = (struct arrival){m, INT64_MAX};
    }
    if (a.count > 1)
        qsort(a.items, a.count, sizeof *a.items, compare_arrivals);
    enum err err = store_authors_since(hub->store, add_arrival, &a, e);
    for (size_t i = 0; i < a.count && err == ERR_OK; i++)
        for (size_t day = 0; day < s->query.count; day++)
            s->never[day] +=
                a.items[i].member->since_ms <= s->at_ms[day] && s->at_ms[day] < a.items[i].first_ms;
    free(a.items);
    return err;
}

/* ---- the span ---- */

static enum err span_new(struct hub *hub, const struct span_query *query, struct span *s,
                         struct error *e) {
    const struct zone *zone = NULL;
    s->charter = directory_charter(hub->directory);
    s->query = *query;
    enum err err = zone_find(s->charter->time_zone, &zone, e);
    if (err != ERR_OK)
        return err;
    s->at_ms = calloc(query->count + 1, sizeof *s->at_ms);
    s->never = calloc(query->count + 1, sizeof *s->never);
    if (s->at_ms == NULL || s->never == NULL)
        return no_memory(e);
    if (query->now_ms != 0)
        s->at_ms[0] = query->now_ms;
    for (size_t i = 0; i < query->count && query->now_ms == 0; i++)
        s->at_ms[i] = zone_day_start(zone, query->first_day + (int64_t)i + 1) - 1;
    return ERR_OK;
}

enum err span_read(struct hub *hub, const struct span_query *query, struct span *ret,
                   struct error *e) {
    struct span s = {.charter = NULL};
    struct pictures pictures = {.count = 0};
    enum err err = span_new(hub, query, &s, e);
    if (err == ERR_OK)
        err =
            pictures_read(hub, query->now_ms != 0 ? PICTURES_ADMITTED : PICTURES_ALL, &pictures, e);
    if (err == ERR_OK)
        err = count_never(hub, &s, e);
    for (size_t i = 0; err == ERR_OK && i < s.charter->service_count; i++) {
        const struct charter_service *service = &s.charter->services[i];
        if (query->service == NULL || strcmp(query->service, service->code) == 0)
            err = read_service(hub, &s, &pictures, service, &s.services[i], e);
    }
    pictures_done(&pictures);
    if (err != ERR_OK) {
        span_done(&s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

void span_done(struct span *s) {
    for (size_t i = 0; i < CHARTER_MAX_SERVICES; i++)
        days_free(s->services[i]);
    free(s->at_ms);
    free(s->never);
    *s = (struct span){.charter = NULL};
}

struct cell span_cell(const struct span *s, size_t service, size_t region, size_t day) {
    struct cell cell = *days_cell(s->services[service], region, day);
    if (region == 0)
        cell.never = s->never[day];
    return cell;
}

bool span_has(const struct span *s, size_t service, size_t region, size_t day) {
    const struct cell *cell = days_cell(s->services[service], region, day);
    return region == 0 || cell->current + cell->expired > 0;
}
