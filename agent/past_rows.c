/* Owns rows of the past (see past_rows.h): which, in what order, how they are written.
 * Must not change anything. */
#include "past_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "json.h"
#include "past.h"
#include "records.h"
#include "sharing.h"
#include "store.h"

#define MS_PER_DAY (INT64_C(24) * 3600 * 1000)

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the rows of history");
}

/* ---- what is asked ---- */

struct asked {
    const char *service;
    uint32_t site; /* of our own; 0: any */
    bool any_member, own, partners;
    struct public_key member; /* unless any_member */
    int64_t from_ms, to_ms;   /* [from, to) */
};

/* Of the day around a noon: days are not all 24 hours long. */
static int64_t beginning(const struct zone *zone, int64_t noon_ms) {
    char text[TEXT_DAY_SIZE];
    int year = 0, month = 0, day = 0;
    if (text_parse_day(zone_day(zone, noon_ms, text), &year, &month, &day, NULL) != ERR_OK)
        return noon_ms;
    return zone_instant(zone, year, month, day, 0, 0);
}

static enum err parse_bound(const struct zone *zone, const char *name, const char *text, bool end,
                            int64_t *ret, struct error *e) {
    int year = 0, month = 0, day = 0;
    if (!text)
        return ERR_OK;
    if (text_parse_day(text, &year, &month, &day, NULL) == ERR_OK) {
        *ret =
            beginning(zone, zone_instant(zone, year, month, day, 12, 0) + (end ? MS_PER_DAY : 0));
        return ERR_OK;
    }
    if (text_parse_time(text, ret, NULL) == ERR_OK)
        return ERR_OK;
    return error_at(e, ERR_DATA, name, 0, 0,
                    "found '%.40s', expected a day such as 2026-11-20, or a time such as "
                    "2026-11-20T14:05:09Z or 2026-11-20T15:05:09+01:00",
                    text);
}

static enum err parse(struct agent *a, const struct past_filter *f, struct asked *ret,
                      struct error *e) {
    const struct zone *zone = NULL;
    struct asked x = {.service = f->service,
                      .any_member = true,
                      .own = !f->partners,
                      .partners = !f->own,
                      .from_ms = INT64_MIN,
                      .to_ms = INT64_MAX};
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK)
        code = agent_zone(a, &zone, e);
    if (code == ERR_OK && f->service && !charter_service(agent_charter(a), f->service))
        code = error_set(e, ERR_NOT_FOUND, "found service '%.40s', expected one of the charter's",
                         f->service);
    if (code == ERR_OK && f->own + f->partners + (f->member != NULL) > 1)
        code = error_set(e, ERR_USAGE, "found two of a member, own and partners, expected one");
    if (code == ERR_OK && f->site && !f->own)
        code = error_set(e, ERR_USAGE, "found a site beside partners, expected it for own figures");
    if (code == ERR_OK && f->site)
        code = records_find_site(a, f->site, &x.site, e);
    if (code == ERR_OK)
        code = parse_bound(zone, "from", f->from, false, &x.from_ms, e);
    if (code == ERR_OK)
        code = parse_bound(zone, "to", f->to, true, &x.to_ms, e);
    if (code == ERR_OK && f->member) {
        x.any_member = false;
        code = sharing_find_member(a, f->member, &x.member, e);
        x.own = code == ERR_OK && key_equal(&x.member, agent_member(a));
    }
    if (code != ERR_OK)
        records_hide_numbers(e, false);
    else
        *ret = x;
    return code;
}

/* ---- a place in all rows: our own, then partners' ---- */

#define AFTER_MAX 1024

struct past_at {
    bool partners;
    struct public_key agent; /* with partners */
    struct past_place place; /* of partners' as their senders count */
};

static struct past_place place_of(int64_t site, const char *service, const char *ward,
                                  int64_t observed_ms) {
    struct past_place place = {.site = (uint32_t)site, .observed_ms = observed_ms};
    snprintf(place.service, sizeof place.service, "%s", service);
    snprintf(place.ward, sizeof place.ward, "%s", ward);
    return place;
}

static enum err put_at(const struct past_at *at, json_t **ret, struct error *e) {
    char hex[2 * KEY_LEN + 1] = "";
    const struct past_place *p = &at->place;
    if (at->partners)
        hex_encode(hex, bytes_of(at->agent.b, KEY_LEN));
    json_t *list = json_pack("[s, I, s, s, I]", hex, (json_int_t)p->site, p->service, p->ward,
                             (json_int_t)p->observed_ms);
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    json_t *made = text ? json_string(text) : NULL;
    free(text);
    json_decref(list);
    if (!made)
        return no_memory(e);
    *ret = made;
    return ERR_OK;
}

static void read_at(const json_t *document, struct error *fault, struct past_at *ret) {
    struct json_at root = json_root((json_t *)document, fault);
    struct json_at agent = json_item(&root, 0), site = json_item(&root, 1),
                   service = json_item(&root, 2), ward = json_item(&root, 3),
                   observed = json_item(&root, 4);
    const char *hex = json_text(&agent, 0, 2 * KEY_LEN);
    ret->partners = hex[0] != '\0';
    int64_t of = json_int(&site, 0, UINT32_MAX);
    const char *code = json_text(&service, 0, CODE_MAX);
    ret->place = place_of(of, code, json_text(&ward, 0, WARD_MAX),
                          json_int(&observed, INT64_MIN / 2, INT64_MAX / 2));
    if (ret->partners && hex_decode(ret->agent.b, KEY_LEN, hex, NULL) != ERR_OK)
        json_fault(&agent, "found no key");
}

/* `after` as a page before gave it. */
static enum err parse_at(const char *after, struct past_at *ret, struct error *e) {
    struct error fault = {0};
    struct past_at at = {.partners = false};
    json_t *document = NULL;
    if (after && json_parse(bytes_str(after), AFTER_MAX, "after", &document, &fault) == ERR_OK)
        read_at(document, &fault, &at);
    json_decref(document);
    if (fault.code != ERR_OK)
        return error_at(e, ERR_DATA, "after", 0, 0,
                        "found '%.40s', expected the `next` of the page before", after);
    *ret = at;
    return ERR_OK;
}

/* ---- a row ---- */

struct row {
    const char *member, *site, *service, *ward;
    struct precision precision;
    const struct history_point *point;
};
struct rows {
    struct agent *a;
    struct records records;
    const char *own_name;
    json_t *list;
    bool as_entered; /* our own, besides what follows from it */
    int64_t most;    /* points to look at; -1: any number */
    struct past_at last;
    int64_t seen;
};

static json_t *band_json(const struct history_point *p, int decimals) {
    if (!p->has_band)
        return json_null();
    return json_pack("[o, o]", records_amount_json((struct amount){true, p->low}, decimals),
                     records_amount_json(p->high, decimals));
}

static json_t *row_json(const struct row *r, int decimals) {
    const struct history_point *p = r->point;
    char precision[32];
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "member", r->member, "site", r->site, "service", r->service, "ward",
        records_text_json(r->ward), "observed_at", records_time_json(p->observed_ms), "valid_until",
        records_time_json(p->valid_until_ms), "precision", precision_text(&r->precision, precision),
        "available", records_amount_json(p->available, decimals), "band", band_json(p, decimals),
        "light", records_text_json(light_name(p->light)), "status",
        records_text_json(status_name(p->status)), "total", records_amount_json(p->total, decimals),
        "occupied", records_amount_json(p->occupied, decimals), "held",
        records_amount_json(p->held, decimals), "blocked",
        records_amount_json(p->blocked, decimals), "need", records_amount_json(p->need, decimals));
}

/* Of a service that the charter dropped nobody knows the decimals. */
static enum err add_row(struct rows *rows, const struct row *r, struct error *e) {
    const struct charter_service *service = charter_service(agent_charter(rows->a), r->service);
    if (!service)
        return ERR_OK;
    if (json_array_size(rows->list) == PAST_ROWS_MAX)
        return error_set(e, ERR_TOO_LARGE,
                         "found more than %d rows: ask for one service, one member, or give --from "
                         "and --to",
                         PAST_ROWS_MAX);
    return json_array_append_new(rows->list, row_json(r, service->decimals)) == 0 ? ERR_OK
                                                                                  : no_memory(e);
}

/* ---- our own ---- */

/* Entered is what can be imported again and is the same. */
static enum err put_entered(json_t *row, const struct capacity *c, int decimals, struct error *e) {
    return json_object_set_new(row, "total", records_amount_json(c->total, decimals)) == 0 &&
                   json_object_set_new(row, "free", records_amount_json(c->free, decimals)) == 0
               ? ERR_OK
               : no_memory(e);
}

static enum err add_own(void *ctx, const struct past *p, bool *ret_stop, struct error *e) {
    static const struct precision exact = {.kind = PRECISION_EXACT};
    struct rows *rows = ctx;
    const struct charter_service *service = charter_service(agent_charter(rows->a), p->service);
    const struct site *site = records_site(&rows->records, p->site);
    struct history_point point;
    (void)ret_stop;
    rows->seen++;
    rows->last.place = place_of(p->site, p->service, p->ward, p->capacity.observed_ms);
    if (!service || !site || !history_disclose(&exact, &p->capacity, service, &point))
        return ERR_OK;
    const struct row r = {rows->own_name, site->name, p->service, p->ward, exact, &point};
    enum err code = add_row(rows, &r, e);
    size_t count = json_array_size(rows->list);
    return code == ERR_OK && rows->as_entered ? put_entered(json_array_get(rows->list, count - 1),
                                                            &p->capacity, service->decimals, e)
                                              : code;
}

/* Those behind rows->last. */
static enum err add_owns(struct rows *rows, const struct asked *x, struct error *e) {
    const struct past_range range = {.service = x->service,
                                     .site = x->site,
                                     .from_ms = x->from_ms,
                                     .to_ms = x->to_ms,
                                     .after = rows->last.place,
                                     .most = rows->most};
    return past_between(rows->a, &range, add_own, rows, e);
}

/* ---- partners' ---- */

static void read_point(struct db_query *q, struct history_point *ret) {
    struct amount low = store_read_amount(q, 15);
    *ret = (struct history_point){.observed_ms = db_column_int(q, 4),
                                  .valid_until_ms = db_column_int(q, 5),
                                  .status = (enum status)db_column_int(q, 8),
                                  .available = store_read_amount(q, 9),
                                  .total = store_read_amount(q, 10),
                                  .occupied = store_read_amount(q, 11),
                                  .held = store_read_amount(q, 12),
                                  .blocked = store_read_amount(q, 13),
                                  .need = store_read_amount(q, 14),
                                  .has_band = low.known,
                                  .low = low.value,
                                  .high = store_read_amount(q, 16),
                                  .light = (enum light)db_column_int(q, 17)};
}

static enum err take_row(struct rows *rows, struct db_query *q, struct error *e) {
    struct history_point point;
    rows->seen++;
    rows->last = (struct past_at){.partners = true,
                                  .place = place_of(db_column_int(q, 18), db_column_text(q, 2),
                                                    db_column_text(q, 3), db_column_int(q, 19))};
    enum err code = store_read_key(q, 0, &rows->last.agent, e);
    if (code != ERR_OK)
        return code;
    const struct member *member = directory_admitted(agent_directory(rows->a), &rows->last.agent);
    if (!member)
        return ERR_OK;
    read_point(q, &point);
    const struct row r = {.member = member->name,
                          .site = db_column_text(q, 1),
                          .service = db_column_text(q, 2),
                          .ward = db_column_text(q, 3),
                          .precision = {.kind = (enum precision_kind)db_column_int(q, 6),
                                        .step = db_column_int(q, 7)},
                          .point = &point};
    return add_row(rows, &r, e);
}

/* Those behind rows->last. */
static enum err add_partners(struct rows *rows, const struct asked *x, struct error *e) {
    enum err code = ERR_OK;
    const struct past_at after = rows->last;
    struct db_query q = db_query(agent_db(rows->a), SQL_SEEN_PAST_BETWEEN);
    db_bind_int(&q, ":network", agent_network(rows->a));
    db_bind_text(&q, ":service", x->service);
    if (x->any_member)
        db_bind_null(&q, ":member");
    else
        db_bind_blob(&q, ":member", bytes_of(x->member.b, KEY_LEN));
    db_bind_int(&q, ":from", x->from_ms);
    db_bind_int(&q, ":to", x->to_ms);
    db_bind_blob(&q, ":after_agent", bytes_of(after.agent.b, after.partners ? KEY_LEN : 0));
    db_bind_int(&q, ":after_site", after.place.site);
    db_bind_text(&q, ":after_service", after.place.service);
    db_bind_text(&q, ":after_ward", after.place.ward);
    db_bind_int(&q, ":after", after.place.observed_ms);
    db_bind_int(&q, ":most", rows->most < 0 ? -1 : rows->most - rows->seen);
    while (code == ERR_OK && db_step(&q))
        code = take_row(rows, &q, e);
    return db_finish_visit(&q, code, e);
}

/* ---- order ---- */

static const char *text_of(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

/* Times are written so that they order as texts. */
static int compare_rows(const void *left, const void *right) {
    static const char *const keys[] = {"member", "site", "service", "ward", "observed_at"};
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    int order = 0;
    for (size_t i = 0; order == 0 && i < sizeof keys / sizeof keys[0]; i++)
        order = strcmp(text_of(a, keys[i]), text_of(b, keys[i]));
    return order;
}

static enum err ordered(const json_t *list, json_t **ret, struct error *e) {
    size_t count = json_array_size(list);
    json_t **items = calloc(count + 1, sizeof *items);
    json_t *made = json_array();
    int failed = items && made ? 0 : -1;
    for (size_t i = 0; !failed && i < count; i++)
        items[i] = json_array_get(list, i);
    if (!failed && count > 1)
        qsort(items, count, sizeof *items, compare_rows);
    for (size_t i = 0; !failed && i < count; i++)
        failed = json_array_append(made, items[i]);
    free(items);
    if (failed) {
        json_decref(made);
        return no_memory(e);
    }
    *ret = made;
    return ERR_OK;
}

/* ---- answers ---- */

/* Our own, then partners', from rows->last on and as many as rows->most. */
static enum err gather(struct rows *rows, const struct asked *x, struct error *e) {
    const struct member *self = directory_member(agent_directory(rows->a), agent_member(rows->a));
    enum err code = records_load(rows->a, &rows->records, e);
    rows->own_name = self ? self->name : "";
    rows->list = json_array();
    if (code == ERR_OK && !rows->list)
        code = no_memory(e);
    if (code == ERR_OK && x->own && !rows->last.partners)
        code = add_owns(rows, x, e);
    if (code == ERR_OK && x->partners && rows->seen != rows->most) {
        if (!rows->last.partners) /* from the first of them */
            rows->last = (struct past_at){.partners = false};
        code = add_partners(rows, x, e);
    }
    records_done(&rows->records);
    return code;
}

enum err past_rows(struct agent *a, const struct past_filter *filter, json_t **ret,
                   struct error *e) {
    struct asked x;
    struct rows rows = {.a = a, .most = -1};
    enum err code = parse(a, filter, &x, e);
    if (code == ERR_OK)
        code = gather(&rows, &x, e);
    if (code == ERR_OK)
        code = ordered(rows.list, ret, e);
    json_decref(rows.list);
    return code;
}

enum err past_rows_page(struct agent *a, const struct past_filter *filter, const char *after,
                        json_t **ret_rows, json_t **ret_next, struct error *e) {
    struct asked x;
    struct rows rows = {.a = a, .as_entered = true, .most = PAST_PAGE_POINTS};
    json_t *next = NULL;
    enum err code = parse(a, filter, &x, e);
    if (code == ERR_OK)
        code = parse_at(after, &rows.last, e);
    if (code == ERR_OK)
        code = gather(&rows, &x, e);
    if (code == ERR_OK && rows.seen == rows.most)
        code = put_at(&rows.last, &next, e);
    if (code != ERR_OK) {
        json_decref(rows.list);
        return code;
    }
    *ret_rows = rows.list;
    *ret_next = next ? next : json_null();
    return ERR_OK;
}
