/* Owns rows of the past (see past_rows.h): which, in what order, how they are written.
 * Must not change anything. */
#include "past_rows.h"

#include <stdlib.h>
#include <string.h>

#include "history.h"
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
    struct error why = {0};
    if (!text)
        return ERR_OK;
    if (text_parse_day(text, &year, &month, &day, NULL) == ERR_OK) {
        *ret =
            beginning(zone, zone_instant(zone, year, month, day, 12, 0) + (end ? MS_PER_DAY : 0));
        return ERR_OK;
    }
    if (zone_parse_time(zone, text, ret, &why) != ERR_OK)
        return error_at(e, ERR_DATA, name, 0, 0, "%s", why.detail);
    return ERR_OK;
}

static enum err parse(struct agent *a, const struct past_filter *f, struct asked *ret,
                      struct error *e) {
    const struct zone *zone = NULL;
    struct asked x = {.service = f->service,
                      .any_member = true,
                      .own = true,
                      .partners = !f->own,
                      .from_ms = INT64_MIN,
                      .to_ms = INT64_MAX};
    enum err code = agent_need_joined(a, e);
    if (code == ERR_OK)
        code = agent_zone(a, &zone, e);
    if (code == ERR_OK && f->service && !charter_service(agent_charter(a), f->service))
        code = error_set(e, ERR_NOT_FOUND, "found service '%.40s', expected one of the charter's",
                         f->service);
    if (code == ERR_OK && f->own && f->member)
        code = error_set(e, ERR_USAGE, "found both a member and own, expected one of them");
    if (code == ERR_OK)
        code = parse_bound(zone, "from", f->from, false, &x.from_ms, e);
    if (code == ERR_OK)
        code = parse_bound(zone, "to", f->to, true, &x.to_ms, e);
    if (code == ERR_OK && f->member) {
        x.any_member = false;
        code = sharing_find_member(a, f->member, &x.member, e);
        x.own = code == ERR_OK && key_equal(&x.member, agent_member(a));
    }
    if (code == ERR_OK)
        *ret = x;
    return code;
}

/* ---- a row ---- */

struct row {
    const char *member, *site, *service, *ward;
    struct precision precision;
    const struct history_point *point;
};
struct rows {
    struct agent *a;
    const struct records *records;
    const char *own_name;
    json_t *list;
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

static enum err add_own(void *ctx, const struct past *p, bool *ret_stop, struct error *e) {
    static const struct precision exact = {.kind = PRECISION_EXACT};
    struct rows *rows = ctx;
    const struct charter_service *service = charter_service(agent_charter(rows->a), p->service);
    const struct site *site = records_site(rows->records, p->site);
    struct history_point point;
    (void)ret_stop;
    if (!service || !site || !history_disclose(&exact, &p->capacity, service, &point))
        return ERR_OK;
    const struct row r = {rows->own_name, site->name, p->service, p->ward, exact, &point};
    return add_row(rows, &r, e);
}

/* ---- partners' ---- */

static struct amount amount_at(struct db_query *q, int column) {
    if (db_column_null(q, column))
        return (struct amount){.known = false};
    return (struct amount){true, db_column_int(q, column)};
}

static void read_point(struct db_query *q, struct history_point *ret) {
    struct amount low = amount_at(q, 15);
    *ret = (struct history_point){.observed_ms = db_column_int(q, 4),
                                  .valid_until_ms = db_column_int(q, 5),
                                  .status = (enum status)db_column_int(q, 8),
                                  .available = amount_at(q, 9),
                                  .total = amount_at(q, 10),
                                  .occupied = amount_at(q, 11),
                                  .held = amount_at(q, 12),
                                  .blocked = amount_at(q, 13),
                                  .need = amount_at(q, 14),
                                  .has_band = low.known,
                                  .low = low.value,
                                  .high = amount_at(q, 16),
                                  .light = (enum light)db_column_int(q, 17)};
}

static const struct member *shown_member(struct agent *a, struct db_query *q) {
    struct public_key agent;
    if (key_from_bytes(&agent, db_column_blob(q, 0), NULL) != ERR_OK)
        return NULL;
    const struct member_agent *known = directory_agent(agent_directory(a), &agent);
    bool shown = known && !known->revoked && known->member->state == MEMBER_ADMITTED;
    return shown ? known->member : NULL;
}

static enum err take_row(struct rows *rows, struct db_query *q, struct error *e) {
    const struct member *member = shown_member(rows->a, q);
    struct history_point point;
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

static enum err add_partners(struct rows *rows, const struct asked *x, struct error *e) {
    enum err code = ERR_OK;
    struct db_query q = db_query(agent_db(rows->a), SQL_SEEN_PAST_BETWEEN);
    db_bind_int(&q, ":network", agent_network(rows->a));
    db_bind_text(&q, ":service", x->service);
    if (x->any_member)
        db_bind_null(&q, ":member");
    else
        db_bind_blob(&q, ":member", bytes_of(x->member.b, KEY_LEN));
    db_bind_int(&q, ":from", x->from_ms);
    db_bind_int(&q, ":to", x->to_ms);
    while (code == ERR_OK && db_step(&q))
        code = take_row(rows, &q, e);
    enum err finished = db_finish(&q, code == ERR_OK ? e : NULL);
    return code != ERR_OK ? code : finished;
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

enum err past_rows(struct agent *a, const struct past_filter *filter, json_t **ret,
                   struct error *e) {
    struct asked x;
    struct records records = {0};
    enum err code = parse(a, filter, &x, e);
    if (code == ERR_OK)
        code = records_load(a, &records, e);
    if (code != ERR_OK)
        return code;
    const struct member *self = directory_member(agent_directory(a), agent_member(a));
    struct rows rows = {a, &records, self ? self->name : "", json_array()};
    if (!rows.list)
        code = no_memory(e);
    if (code == ERR_OK && x.own)
        code = past_between(a, x.service, x.from_ms, x.to_ms, add_own, &rows, e);
    if (code == ERR_OK && x.partners)
        code = add_partners(&rows, &x, e);
    if (code == ERR_OK)
        code = ordered(rows.list, ret, e);
    json_decref(rows.list);
    records_done(&records);
    return code;
}
