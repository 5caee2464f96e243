/* Owns the routes about sharing (see sharing_routes.h). Must not hold any rule. */
#include "sharing_routes.h"

#include <string.h>

#include "alarm.h"
#include "audit.h"
#include "find.h"
#include "past_rows.h"
#include "pause.h"
#include "sharing.h"
#include "status.h"
#include "withdraw.h"

/* A member of the body that must be text; NULL when absent. */
static enum err body_text(const struct api_request *r, const char *key, const char **ret,
                          struct error *e) {
    json_t *value = r->body ? json_object_get(r->body, key) : NULL;
    if (value && !json_is_null(value) && !json_is_string(value))
        return error_at(e, ERR_USAGE, key, 0, 0, "found something else, expected a text");
    *ret = json_string_value(value);
    return ERR_OK;
}

/* ---- policy ---- */

static enum err policy_show(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    (void)r;
    return sharing_show(domain, ret, e);
}

static enum err policy_apply(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    const char *text = NULL, *file = NULL;
    enum err code = body_text(r, "policy", &text, e);
    if (code == ERR_OK)
        code = body_text(r, "file", &file, e);
    if (code != ERR_OK)
        return code;
    json_t *base = r->body ? json_object_get(r->body, "base_version") : NULL;
    if (base && !json_is_integer(base) && !json_is_null(base))
        return error_at(e, ERR_USAGE, "base_version", 0, 0,
                        "found something else, expected a whole number");
    int64_t base_version = json_integer_value(base);
    struct sharing_apply what = {
        .base = json_is_integer(base) ? &base_version : NULL,
        .text = text ? bytes_str(text) : (struct bytes){0},
        .file = file,
        .suggested = r->body && json_is_true(json_object_get(r->body, "suggested")),
        .dry_run = api_query_flag(r, "dry_run"),
        .actor = r->actor,
    };
    if (!text && !what.suggested)
        return error_set(e, ERR_USAGE,
                         "expected a body {\"policy\": text} or {\"suggested\": true}");
    return sharing_apply(domain, &what, r->now_ms, ret, e);
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
    const char *fingerprint = NULL;
    enum err code = body_text(r, "fingerprint", &fingerprint, e);
    if (code != ERR_OK)
        return code;
    return sharing_approve(domain, r->params[0], fingerprint, r->actor, r->now_ms, ret, e);
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

static enum err body_flag(const struct api_request *r, const char *key, bool *ret,
                          struct error *e) {
    json_t *value = r->body ? json_object_get(r->body, key) : NULL;
    if (value && !json_is_null(value) && !json_is_boolean(value))
        return error_at(e, ERR_USAGE, key, 0, 0, "found something else, expected true or false");
    *ret = json_is_true(value);
    return ERR_OK;
}

/* What withdrawing and pausing are asked alike. */
static enum err read_halt(const struct api_request *r, const char **ret_audience, bool *ret_undo,
                          bool *ret_dry, struct error *e) {
    enum err code = body_text(r, "audience", ret_audience, e);
    if (code == ERR_OK)
        code = body_flag(r, "undo", ret_undo, e);
    return code != ERR_OK ? code : body_flag(r, "dry_run", ret_dry, e);
}

static enum err withdraw(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    struct withdraw_request what = {.actor = r->actor};
    enum err code = read_halt(r, &what.audience, &what.undo, &what.dry_run, e);
    return code != ERR_OK ? code : withdraw_run(domain, &what, r->now_ms, ret, e);
}

static enum err pause(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    struct pause_request what = {.actor = r->actor};
    enum err code = read_halt(r, &what.audience, &what.undo, &what.dry_run, e);
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
    {API_POST, API_ADMIN, "/v1/policy", policy_apply,
     "replaces the policy: {policy | suggested, base_version?}; dry_run=1 only shows the "
     "difference"},
    {API_GET, API_VIEWER, "/v1/policy/preview", policy_preview, "what partner=NAME finds of us"},
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
    {API_GET, API_VIEWER, "/v1/audit", audit,
     "what was sealed to whom, and who decided it: partner, from, to, after, limit"},
    {API_GET, API_VIEWER, "/v1/find", find, "who has room: service, min, region, where=a=b,c=d"},
    {API_GET, API_VIEWER, "/v1/room", room,
     "find by the page: the same and taking=1, offset, limit; {rows, total, at, regions}"},
    {API_GET, API_VIEWER, "/v1/history", history,
     "past figures; ?service, ?member, ?own=1, ?from, ?to"},
    {API_GET, API_VIEWER, "/v1/status", status, "how this agent is"},
    {API_GET, API_VIEWER, "/v1/alarms", alarms, "what a person must know"},
};

const struct api_route *sharing_routes(size_t *ret_count) {
    *ret_count = sizeof routes / sizeof routes[0];
    return routes;
}
