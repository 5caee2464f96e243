/* Owns the routes about sharing (see sharing_routes.h). Must not hold any rule. */
#include "sharing_routes.h"

#include "alarm.h"
#include "audit.h"
#include "body.h"
#include "find.h"
#include "past_rows.h"
#include "pause.h"
#include "sharing.h"
#include "status.h"
#include "table_routes.h"
#include "withdraw.h"

/* A body that may be left out: nothing is named then. */
static struct json_at open_optional(const struct api_request *r, const char *const *keys,
                                    struct error *fault) {
    struct json_at at = json_root(r->body, fault);
    if (r->body)
        json_only(&at, keys);
    return at;
}

/* ---- policy ---- */

static enum err policy_show(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    (void)r;
    return sharing_show(domain, ret, e);
}

static enum err policy_apply(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    static const char *const keys[] = {"policy", "file", "suggested", "base_version", NULL};
    struct error fault = {0};
    struct json_at at;
    enum err code = body_open(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    struct json_at base = json_optional(&at, "base_version");
    int64_t base_version = json_present(&base) ? json_int(&base, 0, INT64_MAX) : 0;
    const char *text = body_optional_text(&at, "policy", AGENT_BODY_MAX);
    struct sharing_apply what = {
        .base = json_present(&base) ? &base_version : NULL,
        .text = text ? bytes_str(text) : (struct bytes){0},
        .file = body_optional_text(&at, "file", BODY_FILE_NAME_MAX),
        .suggested = body_bool(&at, "suggested"),
        .dry_run = api_query_flag(r, "dry_run"),
        .actor = r->actor,
    };
    code = body_done(&fault, e);
    if (code == ERR_OK && (text != NULL) == what.suggested)
        code = error_set(e, ERR_USAGE,
                         "expected a body with one of \"policy\": text and \"suggested\": true");
    return code != ERR_OK ? code : sharing_apply(domain, &what, r->now_ms, ret, e);
}

static enum err policy_preview(void *domain, const struct api_request *r, json_t **ret,
                               struct error *e) {
    const char *partner = api_query(r, "partner");
    if (!partner || !*partner)
        return error_at(e, ERR_USAGE, "partner", 0, 0, "expected the name of a partner, or @hub");
    return sharing_preview(domain, partner, r->now_ms, ret, e);
}

static enum err policy_check(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    return sharing_check(domain, r->now_ms, ret, e);
}

/* ---- partners ---- */

static enum err partner_list(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    (void)r;
    return sharing_partners(domain, ret, e);
}

static enum err partner_approve(void *domain, const struct api_request *r, json_t **ret,
                                struct error *e) {
    static const char *const keys[] = {"fingerprint", NULL};
    struct error fault = {0};
    struct json_at at = open_optional(r, keys, &fault);
    const char *fingerprint = body_optional_text(&at, "fingerprint", API_PATH_MAX);
    enum err code = body_done(&fault, e);
    return code != ERR_OK
               ? code
               : sharing_approve(domain, r->params[0], fingerprint, r->actor, r->now_ms, ret, e);
}

static enum err partner_refuse(void *domain, const struct api_request *r, json_t **ret,
                               struct error *e) {
    return sharing_refuse(domain, r->params[0], r->actor, r->now_ms, ret, e);
}

static enum err partner_forget(void *domain, const struct api_request *r, json_t **ret,
                               struct error *e) {
    return sharing_forget(domain, r->params[0], r->actor, r->now_ms, ret, e);
}

/* ---- withdraw, pause ---- */

/* What withdrawing and pausing are asked alike. */
struct halt {
    const char *audience;
    bool undo, dry_run;
};

static enum err read_halt(const struct api_request *r, struct halt *ret, struct error *e) {
    static const char *const keys[] = {"audience", "undo", "dry_run", NULL};
    struct error fault = {0};
    struct json_at at = open_optional(r, keys, &fault);
    *ret = (struct halt){.audience = body_optional_text(&at, "audience", API_PATH_MAX),
                         .undo = body_bool(&at, "undo"),
                         .dry_run = body_bool(&at, "dry_run")};
    return body_done(&fault, e);
}

static enum err withdraw(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    struct halt halt;
    enum err code = read_halt(r, &halt, e);
    const struct withdraw_request what = {halt.audience, halt.undo, halt.dry_run, r->actor};
    return code != ERR_OK ? code : withdraw_run(domain, &what, r->now_ms, ret, e);
}

static enum err pause(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    struct halt halt;
    enum err code = read_halt(r, &halt, e);
    const struct pause_request what = {halt.audience, halt.undo, halt.dry_run, r->actor};
    return code != ERR_OK ? code : pause_run(domain, &what, r->now_ms, ret, e);
}

/* ---- audit ---- */

static enum err audit(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    const struct audit_query query = {
        .partner = api_query(r, "partner"),
        .from = api_query(r, "from"),
        .to = api_query(r, "to"),
        .after = api_query(r, "after"),
        .limit = api_query(r, "limit"),
    };
    return audit_rows(domain, &query, ret, e);
}

/* ---- find, status ---- */

static enum err find(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    struct find_filter filter;
    enum err code = find_filter_parse(domain, api_query(r, "service"), api_query(r, "min"),
                                      api_query(r, "region"), api_query(r, "where"), &filter, e);
    return code != ERR_OK ? code : find_rows(domain, &filter, r->now_ms, ret, e);
}

static enum err room(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    struct find_filter filter;
    struct find_page page;
    enum err code = find_filter_parse(domain, api_query(r, "service"), api_query(r, "min"),
                                      api_query(r, "region"), api_query(r, "where"), &filter, e);
    if (code == ERR_OK)
        code = find_page_parse(api_query(r, "offset"), api_query(r, "limit"), &page, e);
    if (code != ERR_OK)
        return code;
    filter.taking = api_query_flag(r, "taking");
    return find_room(domain, &filter, &page, r->now_ms, ret, e);
}

static enum err history(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    const struct past_filter filter = {.service = api_query(r, "service"),
                                       .member = api_query(r, "member"),
                                       .from = api_query(r, "from"),
                                       .to = api_query(r, "to"),
                                       .own = api_query_flag(r, "own")};
    return past_rows(domain, &filter, ret, e);
}

static enum err status(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    return status_json(domain, r->now_ms, ret, e);
}

static enum err alarms(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    return alarm_list(domain, r->now_ms, ret, e);
}

static const struct api_route routes[] = {
    {API_GET, API_VIEWER, "/v1/policy", policy_show, "the policy, with names"},
    {API_POST, API_ADMIN, "/v1/policy?dry_run", policy_apply,
     "replaces the policy: {policy | suggested, base_version?}; dry_run=1 only shows the "
     "difference"},
    {API_GET, API_VIEWER, "/v1/policy/preview?partner", policy_preview,
     "what partner=NAME finds of us"},
    {API_GET, API_VIEWER, "/v1/policy/check", policy_check, "what is wrong or notable"},
    {API_GET, API_VIEWER, "/v1/partners", partner_list, "the other members"},
    {API_POST, API_ADMIN, "/v1/partners/{name}/approve", partner_approve,
     "allows sealing to a partner"},
    {API_POST, API_ADMIN, "/v1/partners/{name}/refuse", partner_refuse,
     "trust = directory does not let it in; an approval lifts that"},
    {API_POST, API_ADMIN, "/v1/partners/{name}/forget", partner_forget,
     "withdraws the approval, or the refusal"},
    {API_POST, API_ADMIN, "/v1/withdraw", withdraw,
     "takes back what an audience was shown: {audience?, undo?, dry_run?}"},
    {API_POST, API_ADMIN, "/v1/pause", pause,
     "seals nothing newer to an audience: {audience?, undo?, dry_run?}"},
    {API_GET, API_VIEWER, "/v1/audit?partner&from&to&after&limit", audit,
     "what was sealed to whom, and who decided it: partner, from, to, after, limit"},
    {API_GET, API_VIEWER, "/v1/find?service&min&region&where", find,
     "who has room: service, min, region, where=a=b,c=d"},
    {API_GET, API_VIEWER, "/v1/room?service&min&region&where&taking&offset&limit", room,
     "find by the page: the same and taking=1, offset, limit; {rows, total, at, regions}"},
    {API_GET, API_VIEWER, "/v1/history?service&member&own&from&to", history,
     "past figures; ?service, ?member, ?own=1, ?from, ?to"},
    {API_GET, API_VIEWER, "/v1/status", status, "how this agent is"},
    {API_GET, API_VIEWER, "/v1/alarms", alarms, "what a person must know"},
};

const struct api_route *sharing_routes(size_t *ret_count) {
    *ret_count = sizeof routes / sizeof routes[0];
    return routes;
}
