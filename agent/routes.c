/* Owns the local API's routes for own records and the charter, and the whole table.
 * Must not hold any rule: it reads requests and calls records.h, import.h. */
#include <assert.h>
#include <string.h>

#include "import.h"
#include "profile.h"
#include "records.h"
#include "sharing_routes.h"

#define ROUTES_MAX 64
#define SET_MAX_PAIRS 64
#define TIME_TEXT_MAX 64
#define FILE_NAME_MAX 4096

/* A body must be there; reading goes on through `ret` and ends in done(). */
static enum err open_body(const struct api_request *r, const char *const *keys, struct error *fault,
                          struct json_at *ret, struct error *e) {
    if (!json_is_object(r->body))
        return error_set(e, ERR_USAGE, "found no JSON object as body, expected one");
    *ret = json_root(r->body, fault);
    json_only(ret, keys);
    return ERR_OK;
}

static enum err done(const struct error *fault, struct error *e) {
    if (fault->code != ERR_OK && e)
        *e = *fault;
    return fault->code;
}

/* A text that may be absent; NULL then. */
static const char *optional_text(const struct json_at *at, const char *key, size_t max_bytes) {
    struct json_at member = json_optional(at, key);
    return json_present(&member) ? json_text(&member, 0, max_bytes) : NULL;
}

static const char *required_text(const struct json_at *at, const char *key, size_t max_bytes) {
    struct json_at member = json_member(at, key);
    return json_text(&member, 1, max_bytes);
}

static bool optional_bool(const struct json_at *at, const char *key) {
    struct json_at member = json_optional(at, key);
    return json_bool_or(&member, false);
}

/* ---- sites ----------------------------------------------------------------------------------- */

static const char *const site_keys[] = {"name",    "region", "phone", "hours",
                                        "reports", "note",   NULL};

/* Lengths are judged by records.h, which names the field's own limit. */
static enum err read_site_change(const struct api_request *r, struct site_change *ret,
                                 struct error *e) {
    struct error fault = {0};
    struct json_at at;
    enum err code = open_body(r, site_keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    *ret = (struct site_change){
        .name = optional_text(&at, "name", API_BODY_MAX),
        .region = optional_text(&at, "region", API_BODY_MAX),
        .phone = optional_text(&at, "phone", API_BODY_MAX),
        .hours = optional_text(&at, "hours", API_BODY_MAX),
        .reports = optional_text(&at, "reports", API_BODY_MAX),
        .note = optional_text(&at, "note", API_BODY_MAX),
    };
    return done(&fault, e);
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

/* ---- lines ----------------------------------------------------------------------------------- */

static enum err get_lines(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    return records_lines_json(domain, api_query(r, "service"), api_query(r, "site"), r->now_ms, ret,
                              e);
}

/* A value as the text people would type: "3", 3 and null (unknown) are understood. */
static const char *pair_text(const struct json_at *at, char number[static TEXT_NUMBER_SIZE]) {
    if (json_is_integer(at->value))
        return text_number(json_int(at, INT64_MIN, INT64_MAX), 0, number);
    if (json_is_string(at->value))
        return json_text(at, 0, API_BODY_MAX);
    json_fault(at, "found something else, expected a text, a whole number or null");
    return "";
}

struct pairs {
    struct record_pair list[SET_MAX_PAIRS];
    char numbers[SET_MAX_PAIRS][TEXT_NUMBER_SIZE];
    size_t count;
};

static void read_pairs(const struct json_at *at, struct pairs *ret) {
    if (!json_present(at))
        return;
    if (!json_is_object(at->value) || json_object_size(at->value) > SET_MAX_PAIRS) {
        json_fault(at, "found something else, expected an object of at most %d keys",
                   SET_MAX_PAIRS);
        return;
    }
    for (void *it = json_object_iter(at->value); it; it = json_object_iter_next(at->value, it)) {
        const char *key = json_object_iter_key(it);
        struct json_at value = json_optional(at, key);
        ret->list[ret->count].key = key;
        ret->list[ret->count].value =
            json_present(&value) ? pair_text(&value, ret->numbers[ret->count]) : "";
        ret->count++;
    }
}

static enum err answer_line(struct agent *a, const struct record *record, int64_t now_ms,
                            json_t **ret, struct error *e) {
    struct records records;
    enum err code = records_load(a, &records, e);
    if (code != ERR_OK)
        return code;
    *ret = records_line_json(records_site(&records, record->line.site), record,
                             charter_service(agent_charter(a), record->line.service), now_ms);
    records_done(&records);
    return ERR_OK;
}

static enum err post_line(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    static const char *const keys[] = {"service", "site", "ward", "observed",
                                       "valid",   "keep", "set",  NULL};
    struct error fault = {0};
    struct json_at at;
    struct pairs pairs = {.count = 0};
    enum err code = open_body(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    struct json_at values = json_optional(&at, "set");
    read_pairs(&values, &pairs);
    const struct record_set set = {
        .service = required_text(&at, "service", API_PATH_MAX),
        .site = optional_text(&at, "site", API_PATH_MAX),
        .ward = optional_text(&at, "ward", API_PATH_MAX),
        .observed = optional_text(&at, "observed", TIME_TEXT_MAX),
        .valid = optional_text(&at, "valid", TIME_TEXT_MAX),
        .keep = optional_bool(&at, "keep"),
        .pairs = pairs.list,
        .pair_count = pairs.count,
        .actor = r->actor,
    };
    code = done(&fault, e);
    struct record record;
    if (code == ERR_OK)
        code = records_set(domain, &set, r->now_ms, &record, e);
    return code != ERR_OK ? code : answer_line(domain, &record, r->now_ms, ret, e);
}

static enum err post_confirm(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    static const char *const keys[] = {"service", "site", "ward", "all", NULL};
    struct error fault = {0};
    struct json_at at;
    enum err code = open_body(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    const struct record_confirm what = {
        .service = optional_text(&at, "service", API_PATH_MAX),
        .site = optional_text(&at, "site", API_PATH_MAX),
        .ward = optional_text(&at, "ward", API_PATH_MAX),
        .all = optional_bool(&at, "all"),
        .actor = r->actor,
    };
    struct record_confirmed confirmed;
    code = done(&fault, e);
    if (code == ERR_OK)
        code = records_confirm(domain, &what, r->now_ms, &confirmed, e);
    if (code == ERR_OK)
        *ret = json_pack("{s:I, s:I, s:I}", "confirmed", (json_int_t)confirmed.confirmed, "expired",
                         (json_int_t)confirmed.expired, "unknown_service",
                         (json_int_t)confirmed.dropped);
    return code;
}

/* ---- import ---------------------------------------------------------------------------------- */

static enum err post_import(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    static const char *const keys[] = {
        "text", "file", "profile", "profile_file", "where", "site", "observed", "dry_run", NULL};
    struct error fault = {0};
    struct json_at at;
    enum err code = open_body(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    struct json_at text = json_member(&at, "text");
    const char *file = optional_text(&at, "file", FILE_NAME_MAX);
    const char *profile_file = optional_text(&at, "profile_file", FILE_NAME_MAX);
    struct import_request request = {
        .text = bytes_str(json_text(&text, 0, IMPORT_MAX_FILE)),
        .file = file ? file : "table",
        .profile = bytes_str(required_text(&at, "profile", PROFILE_MAX_BYTES)),
        .profile_file = profile_file ? profile_file : "profile",
        .site = optional_text(&at, "site", API_PATH_MAX),
        .observed = optional_text(&at, "observed", TIME_TEXT_MAX),
        .dry_run = optional_bool(&at, "dry_run"),
        .actor = r->actor,
    };
    struct json_at where = json_optional(&at, "where");
    request.where_count = json_present(&where) ? json_len(&where, IMPORT_MAX_WHERE) : 0;
    for (size_t i = 0; i < request.where_count; i++) {
        struct json_at item = json_item(&where, i);
        request.where[i] = json_text(&item, 1, API_PATH_MAX);
    }
    code = done(&fault, e);
    return code != ERR_OK ? code : import_run(domain, &request, r->now_ms, ret, e);
}

/* ---- the charter ----------------------------------------------------------------------------- */

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

/* ---- the table ------------------------------------------------------------------------------- */

static const struct api_route own_routes[] = {
    {API_GET, "/v1/sites", get_sites, "the sites and their cards"},
    {API_POST, "/v1/sites", post_site,
     "adds a site: {name, region?, phone?, hours?, reports?, note?}"},
    {API_PUT, "/v1/sites", put_site, "the same for any name: ?site=NAME"},
    {API_PUT, "/v1/sites/{name}", put_site, "changes what is named of a site"},
    {API_GET, "/v1/lines", get_lines, "own lines with their figures; ?service, ?site"},
    {API_POST, "/v1/lines", post_line,
     "states a figure: {service, site?, ward?, observed?, valid?, keep?, set: {key: value}}"},
    {API_POST, "/v1/confirm", post_confirm, "figures still hold: {service?, site?, ward?, all?}"},
    {API_POST, "/v1/import", post_import,
     "{text, file?, profile, profile_file?, where?, site?, observed?, dry_run?}"},
    {API_GET, "/v1/charter", get_charter, "the charter in force"},
};
#define OWN_COUNT (sizeof own_routes / sizeof own_routes[0])

const struct api_route *agent_routes(size_t *ret_count) {
    /* The same content at every call: two constant tables put side by side. */
    static struct api_route table[ROUTES_MAX];
    size_t sharing_count = 0;
    const struct api_route *sharing = sharing_routes(&sharing_count);
    assert(OWN_COUNT + sharing_count <= ROUTES_MAX);
    memcpy(table, own_routes, sizeof own_routes);
    memcpy(table + OWN_COUNT, sharing, sharing_count * sizeof *sharing);
    *ret_count = OWN_COUNT + sharing_count;
    return table;
}
