/* Owns what the operator is told: status, members, the aggregate.
 * Must not change anything. */
#include "report.h"

#include <string.h>

#include "pictures.h"
#include "zone.h"

#define KEY_HEX_SIZE (2 * KEY_LEN + 1)

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
}

static json_t *key_json(const struct public_key *k) {
    char hex[KEY_HEX_SIZE];
    hex_encode(hex, bytes_of(k->b, KEY_LEN));
    return json_string(hex);
}

static json_t *fingerprint_json(const struct public_key *k) {
    char text[FINGERPRINT_SIZE];
    return json_string(fingerprint_text(k, text));
}

static json_t *time_json(int64_t ms) {
    char text[TEXT_TIME_SIZE];
    return ms > 0 ? json_string(text_time(ms, text)) : json_null();
}

static json_t *name_json(const struct hub *hub, const struct public_key *member) {
    const struct member *m = directory_member(hub->directory, member);
    return m != NULL ? json_string(m->name) : json_null();
}

/* ---- members ---- */

static json_t *member_json(const struct hub *hub, const struct member *m, int64_t now_ms) {
    int64_t last_ms = 0;
    bool connected = false;
    size_t agents = directory_agent_count(hub->directory);
    for (size_t i = 0; i < agents; i++) {
        const struct member_agent *agent = directory_agent_at(hub->directory, i);
        if (agent->member != m)
            continue;
        const struct presence_agent *seen = presence_find(&hub->presence, &agent->agent);
        connected = connected || (seen != NULL && seen->sessions > 0);
        if (seen != NULL && seen->last_ms > last_ms)
            last_ms = seen->last_ms;
    }
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:b, s:o}", "name", m->name, "key",
                     key_json(&m->key), "role", role_name(m->role), "state",
                     member_state_name(m->state), "fingerprint", fingerprint_json(&m->key),
                     "connected", connected, "last_seen", time_json(connected ? now_ms : last_ms));
}

enum err report_members(struct hub *hub, int64_t now_ms, json_t **ret, struct error *e) {
    json_t *list = json_array();
    size_t count = directory_member_count(hub->directory);
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(
                list, member_json(hub, directory_member_at(hub->directory, i), now_ms))) {
            json_decref(list);
            return no_memory(e);
        }
    }
    *ret = list;
    return ERR_OK;
}

static json_t *agent_json(const struct hub *hub, const struct member_agent *a, int64_t now_ms) {
    const struct presence_agent *seen = presence_find(&hub->presence, &a->agent);
    bool connected = seen != NULL && seen->sessions > 0;
    return json_pack("{s:o, s:I, s:o, s:b, s:b, s:o}", "key", key_json(&a->agent), "serial",
                     (json_int_t)a->serial, "expires", time_json(a->not_after_ms), "revoked",
                     (int)a->revoked, "connected", (int)connected, "last_seen",
                     time_json(connected      ? now_ms
                               : seen != NULL ? seen->last_ms
                                              : 0));
}

enum err report_member(struct hub *hub, const struct member *m, int64_t now_ms, json_t **ret,
                       struct error *e) {
    json_t *made = member_json(hub, m, now_ms), *list = json_array();
    int failed = json_object_set(made, "agents", list);
    size_t count = directory_agent_count(hub->directory);
    for (size_t i = 0; i < count && !failed; i++) {
        const struct member_agent *a = directory_agent_at(hub->directory, i);
        if (a->member == m)
            failed = json_array_append_new(list, agent_json(hub, a, now_ms));
    }
    json_decref(list);
    if (failed) {
        json_decref(made);
        return no_memory(e);
    }
    *ret = made;
    return ERR_OK;
}

/* ---- status ---- */

struct listing {
    const struct hub *hub;
    json_t *json;
};

static enum err add_rejection(void *ctx, const char *code, int64_t count, struct error *e) {
    struct listing *l = ctx;
    return json_object_set_new(l->json, code, json_integer(count)) == 0 ? ERR_OK : no_memory(e);
}

static enum err add_fork(void *ctx, const struct store_fork *f, struct error *e) {
    struct listing *l = ctx;
    json_t *row = json_pack("{s:o, s:o, s:I, s:I, s:o}", "member", name_json(l->hub, &f->member),
                            "agent", key_json(&f->agent), "incarnation", (json_int_t)f->incarnation,
                            "seq", (json_int_t)f->seq, "found_at", time_json(f->found_ms));
    return json_array_append_new(l->json, row) == 0 ? ERR_OK : no_memory(e);
}

static enum err add_trouble(void *ctx, const struct store_trouble *t, struct error *e) {
    struct listing *l = ctx;
    const struct author *author = authors_by_id(&l->hub->authors, t->author);
    json_t *row = json_pack("{s:o, s:s, s:s, s:I, s:o}", "member",
                            author != NULL ? name_json(l->hub, &author->member) : json_null(),
                            "code", t->code, "detail", t->detail, "count", (json_int_t)t->count,
                            "last_at", time_json(t->last_ms));
    return json_array_append_new(l->json, row) == 0 ? ERR_OK : no_memory(e);
}

/* Those not yet written count too. */
static void add_unwritten(const struct hub *hub, json_t *rejections) {
    for (int code = 0; code < ERR_COUNT; code++) {
        const char *name = error_name((enum err)code);
        json_int_t written = json_integer_value(json_object_get(rejections, name));
        if (hub->rejections[code] > 0)
            json_object_set_new(rejections, name,
                                json_integer(written + (json_int_t)hub->rejections[code]));
    }
}

static enum err fill_lists(struct hub *hub, json_t *rejections, json_t *forks, json_t *troubles,
                           struct error *e) {
    struct listing l = {hub, rejections};
    enum err err = store_rejections(hub->store, add_rejection, &l, e);
    add_unwritten(hub, rejections);
    l.json = forks;
    if (err == ERR_OK)
        err = store_forks(hub->store, add_fork, &l, e);
    l.json = troubles;
    if (err == ERR_OK)
        err = store_troubles(hub->store, add_trouble, &l, e);
    return err;
}

static json_t *states_json(const struct hub *hub) {
    json_int_t counts[MEMBER_REMOVED + 1] = {0};
    size_t count = directory_member_count(hub->directory);
    for (size_t i = 0; i < count; i++)
        counts[directory_member_at(hub->directory, i)->state]++;
    return json_pack("{s:I, s:I, s:I}", "admitted", counts[MEMBER_ADMITTED], "suspended",
                     counts[MEMBER_SUSPENDED], "removed", counts[MEMBER_REMOVED]);
}

static json_t *feed_json(const struct hub *hub) {
    struct head head = directory_head(hub->directory);
    char hex[2 * HASH_LEN + 1];
    hex_encode(hex, bytes_of(head.hash.b, HASH_LEN));
    return json_pack("{s:I, s:I, s:s}", "incarnation", (json_int_t)head.incarnation, "seq",
                     (json_int_t)head.seq, "hash", hex);
}

enum err report_status(struct hub *hub, json_t **ret, struct error *e) {
    json_t *rejections = json_object(), *forks = json_array(), *troubles = json_array();
    json_t *publishing = NULL;
    int64_t bytes = 0;
    enum err err = store_bytes(hub->store, &bytes, e);
    if (err == ERR_OK)
        err = fill_lists(hub, rejections, forks, troubles, e);
    if (err == ERR_OK)
        err = schedule_report(hub, &publishing, e);
    if (err != ERR_OK) {
        json_decref(rejections);
        json_decref(forks);
        json_decref(troubles);
        return err;
    }
    json_t *status = json_pack(
        "{s:s, s:o, s:o, s:I, s:o, s:I, s:I, s:o, s:I, s:o, s:o, s:o, s:o}", "name",
        directory_name(hub->directory), "network", key_json(&hub->keys.sign.pub), "fingerprint",
        fingerprint_json(&hub->keys.sign.pub), "charter_version",
        (json_int_t)directory_charter_version(hub->directory), "members", states_json(hub),
        "connected", (json_int_t)hub->presence.connected, "log", (json_int_t)hub->tip, "feed",
        feed_json(hub), "database_bytes", (json_int_t)bytes, "rejections", rejections, "forks",
        forks, "troubles", troubles, "publishing", publishing);
    if (status == NULL)
        return no_memory(e);
    *ret = status;
    return ERR_OK;
}

/* ---- coverage by member ---- */

/* A member's part of the sorted pictures. */
static struct pictures pictures_of(const struct pictures *all, const struct member *m) {
    size_t from = 0, to;
    while (from < all->count && !key_equal(&all->items[from].member, &m->key))
        from++;
    for (to = from; to < all->count && key_equal(&all->items[to].member, &m->key);)
        to++;
    if (from == to)
        return (struct pictures){0}; /* no pictures at all are no array at all */
    return (struct pictures){.items = all->items + from, .count = to - from};
}

/* {service: {current, expired}} of the sites that one member's figures are of. */
static enum err member_services(const struct aggregate_query *query, const struct pictures *own,
                                json_t **ret, struct error *e) {
    json_t *rows = NULL, *row, *services = json_object();
    size_t i;
    enum err err = aggregate_rows(query, own->items, own->count, &rows, e);
    json_array_foreach(rows, i, row) {
        json_t *current = json_object_get(row, "sites_current"),
               *expired = json_object_get(row, "sites_expired");
        if (json_is_string(json_object_get(row, "region")) ||
            json_integer_value(current) + json_integer_value(expired) == 0)
            continue;
        json_object_set_new(services, json_string_value(json_object_get(row, "service")),
                            json_pack("{s:O, s:O}", "current", current, "expired", expired));
    }
    json_decref(rows);
    if (err == ERR_OK)
        *ret = services;
    else
        json_decref(services);
    return err;
}

static enum err add_coverage(const struct hub *hub, const struct pictures *all, int64_t now_ms,
                             const struct member *m, json_t *list, struct error *e) {
    const struct pictures own = pictures_of(all, m);
    const struct aggregate_query query = {
        .charter = directory_charter(hub->directory), .day = "", .now_ms = now_ms};
    json_t *services = NULL;
    if (m->state != MEMBER_ADMITTED || (m->role != ROLE_PROVIDER && own.count == 0))
        return ERR_OK;
    enum err err = member_services(&query, &own, &services, e);
    if (err != ERR_OK)
        return err;
    json_t *row = json_pack("{s:s, s:b, s:o}", "member", m->name, "reported", own.count > 0,
                            "services", services);
    return json_array_append_new(list, row) == 0 ? ERR_OK : no_memory(e);
}

enum err report_coverage(struct hub *hub, int64_t now_ms, json_t **ret, struct error *e) {
    struct pictures pictures = {.count = 0};
    json_t *list = json_array();
    size_t count = directory_member_count(hub->directory);
    enum err err = pictures_read(hub, PICTURES_ADMITTED, &pictures, e);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = add_coverage(hub, &pictures, now_ms, directory_member_at(hub->directory, i), list, e);
    pictures_done(&pictures);
    if (err == ERR_OK)
        *ret = list;
    else
        json_decref(list);
    return err;
}

/* ---- the aggregate now ---- */

static bool contributed(const struct pictures *p, const struct member *m) {
    for (size_t i = 0; i < p->count; i++)
        if (key_equal(&p->items[i].member, &m->key))
            return true;
    return false;
}

/* Admitted providers of which nothing was ever opened. */
static int64_t count_never(const struct hub *hub, const struct pictures *p) {
    int64_t never = 0;
    size_t count = directory_member_count(hub->directory);
    for (size_t i = 0; i < count; i++) {
        const struct member *m = directory_member_at(hub->directory, i);
        if (m->role == ROLE_PROVIDER && m->state == MEMBER_ADMITTED && !contributed(p, m))
            never++;
    }
    return never;
}

enum err report_aggregate(struct hub *hub, const char *service, const char *region, int64_t now_ms,
                          json_t **ret, struct error *e) {
    const struct charter *charter = directory_charter(hub->directory);
    struct pictures pictures = {.count = 0};
    const struct zone *zone = NULL;
    char day[TEXT_DAY_SIZE];
    enum err err = zone_find(charter->time_zone, &zone, e);
    if (err == ERR_OK)
        err = pictures_read(hub, PICTURES_ADMITTED, &pictures, e);
    if (err == ERR_OK) {
        struct aggregate_query query = {.charter = charter,
                                        .service = service,
                                        .region = region,
                                        .day = zone_day(zone, now_ms, day),
                                        .now_ms = now_ms,
                                        .never = count_never(hub, &pictures)};
        err = aggregate_rows(&query, pictures.items, pictures.count, ret, e);
    }
    pictures_done(&pictures);
    return err;
}

enum err report_lines_of(struct hub *hub, const char *service, int64_t *ret, struct error *e) {
    struct pictures pictures = {.count = 0};
    int64_t lines = 0;
    enum err err = pictures_read(hub, PICTURES_ADMITTED, &pictures, e);
    for (size_t i = 0; i < pictures.count; i++)
        for (size_t k = 0; k < pictures.items[i].snapshot->line_count; k++)
            lines += strcmp(pictures.items[i].snapshot->lines[k].service, service) == 0;
    pictures_done(&pictures);
    if (err == ERR_OK)
        *ret = lines;
    return err;
}
