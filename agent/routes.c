/* Owns the local API's routes for own records and the charter, and the whole table.
 * Must not hold any rule: it reads requests and calls records.h. */
#include <assert.h>
#include <string.h>

#include "body.h"
#include "boxes.h"
#include "certify.h"
#include "records.h"
#include "sharing_routes.h"
#include "table_routes.h"

#define ROUTES_MAX 64

/* ---- sites ---- */

static const char *const site_keys[] = {"name",    "region", "phone", "hours",
                                        "reports", "note",   NULL};

/* Lengths are judged by records.h, which names the field's own limit. */
static enum err read_site_change(const struct api_request *r, struct site_change *ret,
                                 struct error *e) {
    struct error fault = {0};
    struct json_at at;
    enum err code = body_open(r, site_keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    *ret = (struct site_change){
        .name = body_optional_text(&at, "name", API_BODY_MAX),
        .region = body_optional_text(&at, "region", API_BODY_MAX),
        .phone = body_optional_text(&at, "phone", API_BODY_MAX),
        .hours = body_optional_text(&at, "hours", API_BODY_MAX),
        .reports = body_optional_text(&at, "reports", API_BODY_MAX),
        .note = body_optional_text(&at, "note", API_BODY_MAX),
    };
    return body_done(&fault, e);
}

static enum err get_sites(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    (void)r;
    return records_sites_json(domain, ret, e);
}

static enum err post_site(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    struct site_change change;
    struct site site = {0};
    enum err code = read_site_change(r, &change, e);
    if (code == ERR_OK)
        code = records_site_change(&site, &change, e);
    if (code == ERR_OK)
        code = records_site_add(domain, &site, e);
    return code != ERR_OK ? code : records_sites_json(domain, ret, e);
}

static enum err put_site(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    struct site_change change;
    const char *name = r->params[0] ? r->params[0] : api_query(r, "site");
    enum err code = read_site_change(r, &change, e);
    if (code == ERR_OK && !name)
        code = error_set(e, ERR_USAGE, "found no site, expected ?site=NAME");
    if (code == ERR_OK)
        code = records_site_set(domain, name, &change, e);
    return code != ERR_OK ? code : records_sites_json(domain, ret, e);
}

/* ---- lines ---- */

static enum err get_lines(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    return records_lines_json(domain, api_query(r, "service"), api_query(r, "site"), r->now_ms, ret,
                              e);
}

enum err routes_answer_line(struct agent *a, const struct record *record, int64_t now_ms,
                            json_t **ret, struct error *e) {
    struct records records;
    const struct zone *zone = NULL;
    enum err code = agent_zone(a, &zone, e);
    if (code == ERR_OK)
        code = records_load(a, &records, e);
    if (code != ERR_OK)
        return code;
    *ret = records_line_json(records_site(&records, record->line.site), record,
                             charter_service(agent_charter(a), record->line.service), zone, now_ms);
    records_done(&records);
    return ERR_OK;
}

/* The revision a caller looked at; NULL when it does not say. */
static const int64_t *read_seen(const struct json_at *at, int64_t *room) {
    struct json_at revision = json_optional(at, "revision");
    if (!json_present(&revision))
        return NULL;
    *room = json_int(&revision, 0, INT64_MAX);
    return room;
}

static enum err post_line(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    static const char *const keys[] = {"service", "site", "ward",     "observed", "valid",
                                       "keep",    "set",  "revision", NULL};
    struct error fault = {0};
    struct json_at at;
    struct body_pairs pairs = {.count = 0};
    enum err code = body_open(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    struct json_at values = json_optional(&at, "set");
    body_read_pairs(&values, &pairs);
    int64_t seen = 0;
    const struct record_set set = {
        .seen = read_seen(&at, &seen),
        .service = body_text(&at, "service", API_PATH_MAX),
        .site = body_optional_text(&at, "site", API_PATH_MAX),
        .ward = body_optional_text(&at, "ward", API_PATH_MAX),
        .observed = body_optional_text(&at, "observed", BODY_TIME_MAX),
        .valid = body_optional_text(&at, "valid", BODY_TIME_MAX),
        .keep = body_bool(&at, "keep"),
        .pairs = pairs.list,
        .pair_count = pairs.count,
        .actor = r->actor,
    };
    code = body_done(&fault, e);
    struct record record;
    if (code == ERR_OK)
        code = records_set(domain, &set, r->now_ms, &record, e);
    return code != ERR_OK ? code : routes_answer_line(domain, &record, r->now_ms, ret, e);
}

static enum err post_undo(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    static const char *const keys[] = {"service", "site", "ward", "revision", NULL};
    struct error fault = {0};
    struct json_at at;
    struct record record;
    int64_t seen = 0;
    enum err code = body_open(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    const struct record_undo what = {
        .service = body_text(&at, "service", API_PATH_MAX),
        .site = body_optional_text(&at, "site", API_PATH_MAX),
        .ward = body_optional_text(&at, "ward", API_PATH_MAX),
        .seen = read_seen(&at, &seen),
        .actor = r->actor,
    };
    code = body_done(&fault, e);
    if (code == ERR_OK)
        code = records_undo(domain, &what, r->now_ms, &record, e);
    return code != ERR_OK ? code : routes_answer_line(domain, &record, r->now_ms, ret, e);
}

static enum err post_confirm(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    static const char *const keys[] = {"service", "site", "ward", "all", "revision", NULL};
    struct error fault = {0};
    struct json_at at;
    int64_t seen = 0;
    enum err code = body_open(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    const struct record_confirm what = {
        .seen = read_seen(&at, &seen),
        .service = body_optional_text(&at, "service", API_PATH_MAX),
        .site = body_optional_text(&at, "site", API_PATH_MAX),
        .ward = body_optional_text(&at, "ward", API_PATH_MAX),
        .all = body_bool(&at, "all"),
        .actor = r->actor,
    };
    struct record_confirmed confirmed;
    code = body_done(&fault, e);
    if (code == ERR_OK)
        code = records_confirm(domain, &what, r->now_ms, &confirmed, e);
    if (code == ERR_OK)
        *ret = json_pack("{s:I, s:I, s:I}", "confirmed", (json_int_t)confirmed.confirmed, "expired",
                         (json_int_t)confirmed.expired, "unknown_service",
                         (json_int_t)confirmed.dropped);
    return code;
}

/* ---- the charter ---- */

static enum err get_charter(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    (void)r;
    struct agent *a = domain;
    if (!agent_charter(a))
        return agent_need_joined(a, e);
    const struct directory *d = agent_directory(a);
    json_t *charter = charter_to_json(directory_charter_json(d), directory_charter_version(d));
    if (!charter)
        return error_set(e, ERR_NO_MEMORY, "no memory for the charter");
    *ret = charter;
    return ERR_OK;
}

/* ---- keys ---- */

static enum err post_renew(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    return boxes_renew(domain, r->now_ms, ret, e);
}

/* ---- further agents ---- */

static enum err get_request(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    return certify_request(domain, api_query(r, "label"), ret, e);
}

static enum err get_terms(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    const char *hex = api_query(r, "agent");
    struct public_key agent;
    if (!hex || strlen(hex) != 2 * (size_t)KEY_LEN ||
        hex_decode(agent.b, KEY_LEN, hex, NULL) != ERR_OK)
        return error_set(e, ERR_USAGE, "found no agent's key, expected ?agent= and 64 hex digits");
    return certify_terms(domain, &agent, ret, e);
}

/* ---- the table ---- */

static const struct api_route own_routes[] = {
    {API_GET, API_VIEWER, "/v1/sites", get_sites, "the sites and their cards"},
    {API_POST, API_EDITOR, "/v1/sites", post_site,
     "adds a site: {name, region?, phone?, hours?, reports?, note?}"},
    {API_PUT, API_EDITOR, "/v1/sites?site", put_site, "the same for any name: ?site=NAME"},
    {API_PUT, API_EDITOR, "/v1/sites/{name}", put_site, "changes what is named of a site"},
    {API_GET, API_VIEWER, "/v1/lines?service&site", get_lines,
     "own lines with their figures; ?service, ?site"},
    {API_POST, API_EDITOR, "/v1/lines", post_line,
     "states a figure: {service, site?, ward?, observed?, valid?, keep?, revision?, set: {key: "
     "value}}"},
    {API_POST, API_EDITOR, "/v1/undo", post_undo,
     "the line says again what it said before: {service, site?, ward?, revision?}"},
    {API_POST, API_EDITOR, "/v1/confirm", post_confirm,
     "figures still hold: {service?, site?, ward?, all?, revision?}"},
    {API_GET, API_VIEWER, "/v1/charter", get_charter, "the charter in force"},
    {API_GET, API_ADMIN, "/v1/request?label", get_request,
     "what this agent asks to be certified: {text, fingerprint, label}; ?label"},
    {API_GET, API_ADMIN, "/v1/certify?agent", get_terms,
     "what a certificate for ?agent=KEY says: {network, member, address, serial}"},
    {API_POST, API_ADMIN, "/v1/keys/renew", post_renew,
     "a new key for what partners seal to this agent"},
};
#define OWN_COUNT (sizeof own_routes / sizeof own_routes[0])

typedef const struct api_route *routes_fn(size_t *ret_count);

const struct api_route *agent_routes(size_t *ret_count) {
    /* The same content at every call: constant tables put side by side. */
    static struct api_route table[ROUTES_MAX];
    static routes_fn *const more[] = {sharing_routes, table_routes, access_routes};
    size_t count = OWN_COUNT;
    memcpy(table, own_routes, sizeof own_routes);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        size_t part_count = 0;
        const struct api_route *part = more[i](&part_count);
        assert(count + part_count <= ROUTES_MAX);
        memcpy(table + count, part, part_count * sizeof *part);
        count += part_count;
    }
    *ret_count = count;
    return table;
}
