/* Owns the hub's local API: one table of routes over the domain. A writing route stands in a group
 * of its own, or in the one that is open. Must not know sockets or who calls. */
#include "report.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trend.h"
#include "zone.h"

#define ROUTES_MAX 64
#define DEFAULT_INVITE_MS (INT64_C(7) * 86400000)
#define REASON_BYTES 128

static enum err no_memory(struct error *e) {
    return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
}

static enum err answer(json_t *take_body, json_t **ret, struct error *e) {
    if (take_body == NULL)
        return no_memory(e);
    *ret = take_body;
    return ERR_OK;
}

/* A failed event leaves the group as it was: what else is in it stays. */
static enum err append(struct hub *hub, const struct hub_event *event, int64_t now_ms,
                       struct error *e) {
    enum err err = hub_begin(hub, e);
    if (err != ERR_OK)
        return err;
    err = hub_append(hub, event, now_ms, e);
    enum err ended = hub_commit(hub, err == ERR_OK ? e : NULL);
    return err == ERR_OK ? ended : err;
}

/* The body's root, or a fault in *sticky. */
static struct json_at body_root(const struct api_request *request, struct error *sticky) {
    struct json_at root = json_root(request->body, sticky);
    if (request->body == NULL)
        (void)error_set(sticky, ERR_USAGE, "found no body, expected a JSON object");
    return root;
}

/* ---- status, members ---- */

static enum err get_status(void *domain, const struct api_request *request, json_t **ret,
                           struct error *e) {
    struct hub *hub = domain;
    (void)request;
    enum err err = hub_refresh(hub, e);
    return err == ERR_OK ? report_status(hub, ret, e) : err;
}

static enum err get_members(void *domain, const struct api_request *request, json_t **ret,
                            struct error *e) {
    struct hub *hub = domain;
    enum err err = hub_refresh(hub, e);
    return err == ERR_OK ? report_members(hub, request->now_ms, ret, e) : err;
}

static enum err find_member(const struct hub *hub, const char *name, const struct member **ret,
                            struct error *e) {
    struct public_key key;
    const struct member *found = directory_member_named(hub->directory, name);
    if (found == NULL && strlen(name) == 2 * (size_t)KEY_LEN &&
        hex_decode(key.b, KEY_LEN, name, NULL) == ERR_OK)
        found = directory_member(hub->directory, &key);
    if (found == NULL)
        return error_set(e, ERR_UNKNOWN_MEMBER, "found no member '%.64s'%s", name,
                         directory_name_used(hub->directory, name)
                             ? ": it was invited and has not joined yet"
                             : "; `plek-hub member list` shows them");
    *ret = found;
    return ERR_OK;
}

static enum err get_member(void *domain, const struct api_request *request, json_t **ret,
                           struct error *e) {
    struct hub *hub = domain;
    const struct member *m = NULL;
    enum err err = hub_refresh(hub, e);
    if (err == ERR_OK)
        err = find_member(hub, request->params[0], &m, e);
    return err == ERR_OK ? report_member(hub, m, request->now_ms, ret, e) : err;
}

static enum err read_reason(const struct api_request *request, char out[static REASON_BYTES + 1],
                            struct error *e) {
    static const char *const keys[] = {"reason", NULL};
    struct error sticky = {0};
    out[0] = '\0';
    if (request->body == NULL)
        return ERR_OK;
    struct json_at root = json_root(request->body, &sticky);
    json_only(&root, keys);
    struct json_at reason = json_optional(&root, "reason");
    if (json_present(&reason))
        snprintf(out, REASON_BYTES + 1, "%s", json_text(&reason, 0, REASON_BYTES));
    if (sticky.code != ERR_OK && e != NULL)
        *e = sticky;
    return sticky.code;
}

static enum err check_change(const struct member *m, uint32_t kind, struct error *e) {
    bool wrong = m->state == MEMBER_REMOVED ||
                 (kind == ENTRY_HUB_SUSPENDED && m->state != MEMBER_ADMITTED) ||
                 (kind == ENTRY_HUB_RESUMED && m->state != MEMBER_SUSPENDED);
    if (!wrong)
        return ERR_OK;
    const char *then = kind == ENTRY_HUB_RESUMED ? "only a suspended member can be resumed"
                       : m->state == MEMBER_REMOVED
                           ? "a removed member does not come back; invite it under another name"
                           : "nothing to do";
    return error_set(e, ERR_CONFLICT, "member '%s' is %s: %s", m->name, member_state_name(m->state),
                     then);
}

static enum err change_member(struct hub *hub, const struct api_request *request, uint32_t kind,
                              json_t **ret, struct error *e) {
    char reason[REASON_BYTES + 1];
    const struct member *found = NULL;
    enum err err = hub_refresh(hub, e);
    if (err == ERR_OK)
        err = read_reason(request, reason, e);
    if (err == ERR_OK)
        err = find_member(hub, request->params[0], &found, e);
    if (err == ERR_OK)
        err = check_change(found, kind, e);
    if (err != ERR_OK)
        return err;
    struct public_key key = found->key;
    struct buf payload;
    buf_init(&payload, VIEW_MAX_BYTES);
    err = event_member(&key, reason[0] != '\0' ? reason : NULL, &payload, e);
    if (err == ERR_OK) {
        struct hub_event event = {
            .kind = kind, .payload = buf_bytes(&payload), .member = &key, .actor = request->actor};
        err = append(hub, &event, request->now_ms, e);
    }
    buf_done(&payload);
    if (err != ERR_OK)
        return err;
    const struct member *m = directory_member(hub->directory, &key);
    return answer(json_pack("{s:s, s:s}", "name", m->name, "state", member_state_name(m->state)),
                  ret, e);
}

static enum err post_suspend(void *domain, const struct api_request *request, json_t **ret,
                             struct error *e) {
    return change_member(domain, request, ENTRY_HUB_SUSPENDED, ret, e);
}

static enum err post_resume(void *domain, const struct api_request *request, json_t **ret,
                            struct error *e) {
    return change_member(domain, request, ENTRY_HUB_RESUMED, ret, e);
}

static enum err post_remove(void *domain, const struct api_request *request, json_t **ret,
                            struct error *e) {
    return change_member(domain, request, ENTRY_HUB_REMOVED, ret, e);
}

static enum err read_agent(const struct api_request *request, struct public_key *ret_agent,
                           char reason[static REASON_BYTES + 1], struct error *e) {
    static const char *const keys[] = {"agent", "reason", NULL};
    struct error sticky = {0};
    struct json_at root = body_root(request, &sticky);
    json_only(&root, keys);
    struct json_at agent = json_member(&root, "agent"), why = json_optional(&root, "reason");
    const char *hex = json_text(&agent, 1, 2 * KEY_LEN);
    snprintf(reason, REASON_BYTES + 1, "%s",
             json_present(&why) ? json_text(&why, 0, REASON_BYTES) : "");
    if (sticky.code != ERR_OK) {
        if (e != NULL)
            *e = sticky;
        return sticky.code;
    }
    if (strlen(hex) != 2 * (size_t)KEY_LEN ||
        hex_decode(ret_agent->b, KEY_LEN, hex, NULL) != ERR_OK)
        return error_set(e, ERR_DATA,
                         "found '%.64s', expected an agent's key in 64 hex digits, as `plek-hub "
                         "member show` prints it",
                         hex);
    return ERR_OK;
}

static enum err check_revoke(const struct hub *hub, const struct member *m,
                             const struct public_key *key, struct error *e) {
    const struct member_agent *agent = directory_agent(hub->directory, key);
    if (agent == NULL || agent->member != m)
        return error_set(e, ERR_NOT_FOUND,
                         "found no such agent of '%s'; `plek-hub member show` lists them", m->name);
    if (agent->revoked)
        return error_set(e, ERR_CONFLICT, "this agent of '%s' was revoked before", m->name);
    return ERR_OK;
}

static enum err post_revoke(void *domain, const struct api_request *request, json_t **ret,
                            struct error *e) {
    struct hub *hub = domain;
    char reason[REASON_BYTES + 1];
    const struct member *m = NULL;
    struct public_key agent;
    enum err err = hub_refresh(hub, e);
    if (err == ERR_OK)
        err = read_agent(request, &agent, reason, e);
    if (err == ERR_OK)
        err = find_member(hub, request->params[0], &m, e);
    if (err == ERR_OK)
        err = check_revoke(hub, m, &agent, e);
    if (err != ERR_OK)
        return err;
    struct public_key key = m->key;
    struct buf payload;
    buf_init(&payload, VIEW_MAX_BYTES);
    err = event_revoked(&key, &agent, reason[0] != '\0' ? reason : NULL, &payload, e);
    if (err == ERR_OK) {
        struct hub_event event = {.kind = ENTRY_HUB_REVOKED,
                                  .payload = buf_bytes(&payload),
                                  .agent = &agent,
                                  .actor = request->actor};
        err = append(hub, &event, request->now_ms, e);
    }
    buf_done(&payload);
    return err != ERR_OK ? err
                         : report_member(hub, directory_member(hub->directory, &key),
                                         request->now_ms, ret, e);
}

/* ---- invitations ---- */

struct wanted {
    struct invitation invitation;
    bool again; /* also when one for this name is still to be used */
    char address[INVITE_ADDRESS_MAX];
};

/* Where agents reach this hub, as far as it knows. */
static enum err default_address(const struct hub *hub, char out[static INVITE_ADDRESS_MAX],
                                struct error *e) {
    const struct hub_settings *s = &hub->settings;
    char text[INVITE_ADDRESS_MAX + 8];
    const char *colon = strrchr(s->listen, ':');
    if (s->address[0] != '\0')
        return address_parse(s->address, out, e);
    if (hub->address[0] != '\0')
        return address_parse(hub->address, out, e);
    if (colon != NULL && strcmp(colon, ":0") == 0)
        return error_set(e, ERR_DATA,
                         "found listen address '%.100s', whose port is chosen at start: start the "
                         "hub first, or name the address agents reach it at with --address",
                         s->listen);
    snprintf(text, sizeof text, "%s%s", s->tls_cert[0] != '\0' ? "wss://" : "ws://", s->listen);
    return address_parse(text, out, e);
}

static enum err read_wanted(const struct hub *hub, const struct api_request *request,
                            struct wanted *ret, struct error *e) {
    static const char *const keys[] = {"name", "role", "expires_ms", "address", "again", NULL};
    struct error sticky = {0};
    struct json_at root = body_root(request, &sticky);
    struct wanted w = {
        .invitation = {.role = ROLE_PROVIDER, .expires_ms = request->now_ms + DEFAULT_INVITE_MS}};
    json_only(&root, keys);
    struct json_at name = json_member(&root, "name"), role = json_optional(&root, "role"),
                   expires = json_optional(&root, "expires_ms"),
                   address = json_optional(&root, "address"), again = json_optional(&root, "again");
    w.again = json_present(&again) && json_bool(&again);
    w.invitation.name = json_text(&name, 1, NAME_MAX_BYTES); /* the request's */
    const char *role_text = json_present(&role) ? json_text(&role, 1, 40) : "provider";
    const char *address_text =
        json_present(&address) ? json_text(&address, 1, INVITE_ADDRESS_MAX - 1) : "";
    if (json_present(&expires))
        w.invitation.expires_ms = json_int(&expires, 1, INT64_MAX);
    if (sticky.code != ERR_OK) {
        if (e != NULL)
            *e = sticky;
        return sticky.code;
    }
    if (w.invitation.expires_ms <= request->now_ms)
        return error_set(e, ERR_DATA,
                         "found an expiry that has passed already, expected a later "
                         "time");
    enum err err = role_parse(role_text, &w.invitation.role, e);
    if (err == ERR_OK)
        err = address_text[0] != '\0' ? address_parse(address_text, w.address, e)
                                      : default_address(hub, w.address, e);
    if (err == ERR_OK)
        *ret = w;
    return err;
}

/* A second one for the same name ends the first, which somebody may be about to use. */
static enum err check_first(const struct hub *hub, const struct wanted *w, int64_t now_ms,
                            struct error *e) {
    char expires[TEXT_TIME_SIZE];
    const struct invitation *made = directory_invitation_named(hub->directory, w->invitation.name);
    if (w->again || made == NULL || made->used || made->expires_ms <= now_ms)
        return ERR_OK;
    return error_at(
        e, ERR_CONFLICT, "name", 0, 0,
        "found an invitation for '%.64s' (%s) that can be used until %s; send that one, "
        "or ask again with --again (`again`: true), which ends it",
        made->name, role_name(made->role), text_time(made->expires_ms, expires));
}

/* The seed goes into the URI and nowhere else. */
static enum err make_invite(struct hub *hub, struct wanted *w, const char *actor, int64_t now_ms,
                            char uri[static INVITE_URI_MAX], struct error *e) {
    struct invite invite = {.network = hub->keys.sign.pub, .expires_ms = w->invitation.expires_ms};
    struct sign_pair pair;
    struct buf payload;
    buf_init(&payload, VIEW_MAX_BYTES);
    memcpy(invite.address, w->address, sizeof invite.address);
    entropy_fill(&hub->entropy, invite.seed, SEED_LEN);
    sign_pair_from_seed(&pair, invite.seed);
    w->invitation.invite = pair.pub;
    enum err err = invite_format(&invite, uri, e);
    if (err == ERR_OK)
        err = event_invited(&w->invitation, &payload, e);
    if (err == ERR_OK) {
        struct hub_event event = {
            .kind = ENTRY_HUB_INVITED, .payload = buf_bytes(&payload), .actor = actor};
        err = append(hub, &event, now_ms, e);
    }
    buf_done(&payload);
    sign_pair_wipe(&pair);
    invite_wipe(&invite);
    return err;
}

static enum err post_invitation(void *domain, const struct api_request *request, json_t **ret,
                                struct error *e) {
    struct hub *hub = domain;
    struct wanted w;
    char uri[INVITE_URI_MAX], expires[TEXT_TIME_SIZE];
    enum err err = hub_refresh(hub, e);
    if (err == ERR_OK)
        err = read_wanted(hub, request, &w, e);
    if (err == ERR_OK)
        err = check_first(hub, &w, request->now_ms, e);
    if (err == ERR_OK)
        err = make_invite(hub, &w, request->actor, request->now_ms, uri, e);
    if (err == ERR_OK)
        err = answer(json_pack("{s:s, s:s, s:s, s:s}", "uri", uri, "name", w.invitation.name,
                               "role", role_name(w.invitation.role), "expires_at",
                               text_time(w.invitation.expires_ms, expires)),
                     ret, e);
    sodium_memzero(uri, sizeof uri);
    return err;
}

/* ---- charter ---- */

static enum err get_charter(void *domain, const struct api_request *request, json_t **ret,
                            struct error *e) {
    struct hub *hub = domain;
    (void)request;
    enum err err = hub_refresh(hub, e);
    if (err != ERR_OK)
        return err;
    return answer(charter_to_json(directory_charter_json(hub->directory),
                                  directory_charter_version(hub->directory)),
                  ret, e);
}

/* Services that the newer charter lacks, with how many lines members still send. */
static enum err list_dropped(struct hub *hub, const struct charter *newer, json_t *list,
                             struct error *e) {
    const struct charter *older = directory_charter(hub->directory);
    enum err err = ERR_OK;
    for (size_t i = 0; i < older->service_count && err == ERR_OK; i++) {
        const char *code = older->services[i].code;
        int64_t lines = 0;
        if (charter_service(newer, code) != NULL)
            continue;
        err = report_lines_of(hub, code, &lines, e);
        if (err == ERR_OK && json_array_append_new(list, json_pack("{s:s, s:I}", "service", code,
                                                                   "lines", (json_int_t)lines)))
            err = no_memory(e);
    }
    return err;
}

/* Figures everywhere are integers scaled by it: another scale would read 5 as 0.5. */
static enum err check_scale(struct hub *hub, const struct charter *newer, struct error *e) {
    const struct charter *older = directory_charter(hub->directory);
    for (size_t i = 0; i < newer->service_count; i++) {
        const struct charter_service *s = &newer->services[i];
        const struct charter_service *was = charter_service(older, s->code);
        char path[64];
        snprintf(path, sizeof path, "services[%zu].decimals", i);
        if (was != NULL && was->decimals != s->decimals)
            return error_at(e, ERR_DATA, path, 0, 0,
                            "found %d, expected %d as in the charter in force: figures that exist "
                            "count by it; give the service another code",
                            s->decimals, was->decimals);
    }
    return ERR_OK;
}

static enum err check_charter(struct hub *hub, struct bytes text, const char *file, json_t *dropped,
                              struct error *e) {
    struct charter *charter = NULL;
    const struct zone *zone = NULL;
    struct error inner = {0};
    enum err err = charter_parse(text, file, &charter, e);
    if (err != ERR_OK)
        return err;
    if (zone_find(charter->time_zone, &zone, &inner) != ERR_OK)
        err = error_at(e, ERR_DATA, file, 0, 0, "%.200s", inner.detail);
    if (err == ERR_OK)
        err = check_scale(hub, charter, e);
    if (err == ERR_OK)
        err = list_dropped(hub, charter, dropped, e);
    charter_free(charter);
    return err;
}

static enum err publish(struct hub *hub, struct bytes text, const struct api_request *request,
                        struct error *e) {
    struct buf payload;
    buf_init(&payload, 2 * VIEW_MAX_BYTES);
    enum err err = event_charter(directory_charter_version(hub->directory) + 1, text, &payload, e);
    if (err == ERR_OK) {
        struct hub_event event = {
            .kind = ENTRY_HUB_CHARTER, .payload = buf_bytes(&payload), .actor = request->actor};
        err = append(hub, &event, request->now_ms, e);
    }
    buf_done(&payload);
    return err;
}

static enum err post_charter(void *domain, const struct api_request *request, json_t **ret,
                             struct error *e) {
    static const char *const keys[] = {"text", "file", NULL};
    struct hub *hub = domain;
    struct error sticky = {0};
    struct json_at root = body_root(request, &sticky);
    json_only(&root, keys);
    struct json_at text_at = json_member(&root, "text"), file_at = json_optional(&root, "file");
    const char *text = json_text(&text_at, 1, CHARTER_MAX_BYTES);
    const char *file = json_present(&file_at) ? json_text(&file_at, 1, PATH_MAX) : "charter";
    if (sticky.code != ERR_OK) {
        *e = sticky;
        return sticky.code;
    }
    json_t *dropped = json_array();
    enum err err = hub_refresh(hub, e);
    if (err == ERR_OK)
        err = check_charter(hub, bytes_str(text), file, dropped, e);
    bool same =
        err == ERR_OK && bytes_equal(bytes_str(text), directory_charter_json(hub->directory));
    if (err == ERR_OK && !same)
        err = publish(hub, bytes_str(text), request, e);
    if (err != ERR_OK) {
        json_decref(dropped);
        return err;
    }
    return answer(json_pack("{s:I, s:b, s:o}", "version",
                            (json_int_t)directory_charter_version(hub->directory), "changed", !same,
                            "dropped", dropped),
                  ret, e);
}

/* ---- aggregate ---- */

static enum err get_aggregate(void *domain, const struct api_request *request, json_t **ret,
                              struct error *e) {
    struct hub *hub = domain;
    enum err err = hub_refresh(hub, e);
    if (err != ERR_OK)
        return err;
    const struct trend_query query = {.service = api_query(request, "service"),
                                      .region = api_query(request, "region"),
                                      .from = api_query(request, "from"),
                                      .to = api_query(request, "to")};
    if (query.from != NULL || query.to != NULL)
        return trend_read(hub, &query, request->now_ms, ret, e);
    return report_aggregate(hub, query.service, query.region, request->now_ms, ret, e);
}

static enum err get_coverage(void *domain, const struct api_request *request, json_t **ret,
                             struct error *e) {
    struct hub *hub = domain;
    enum err err = hub_refresh(hub, e);
    return err == ERR_OK ? report_coverage(hub, request->now_ms, ret, e) : err;
}

static enum err get_published(void *domain, const struct api_request *request, json_t **ret,
                              struct error *e) {
    struct hub *hub = domain;
    enum err err = hub_refresh(hub, e);
    const struct trend_query query = {.service = api_query(request, "service"),
                                      .region = api_query(request, "region"),
                                      .from = api_query(request, "from"),
                                      .to = api_query(request, "to")};
    return err == ERR_OK ? trend_published(hub, &query, request->now_ms, ret, e) : err;
}

/* What strangers may know besides: what the figures are of. */
static enum err get_public(void *domain, const struct api_request *request, json_t **ret,
                           struct error *e) {
    static const char *const keys[] = {"code", "label", "definition", "unit", "period"};
    struct hub *hub = domain;
    json_t *found = NULL, *service;
    size_t i;
    if (!hub->settings.public_page)
        return error_set(e, ERR_NOT_FOUND, "this hub has no public page (`public` in hub.conf)");
    enum err err = get_published(domain, request, &found, e);
    if (err != ERR_OK)
        return err;
    json_t *charter = charter_to_json(directory_charter_json(hub->directory),
                                      directory_charter_version(hub->directory));
    json_t *services = json_array();
    json_array_foreach(json_object_get(charter, "services"), i, service) {
        json_t *told = json_object();
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            json_object_set(told, keys[k], json_object_get(service, keys[k]));
        json_array_append_new(services, told);
    }
    json_object_set_new(found, "network", json_string(directory_name(hub->directory)));
    json_object_set_new(found, "k", json_integer(directory_charter(hub->directory)->k));
    json_object_set_new(found, "services", services);
    json_decref(charter);
    return answer(found, ret, e);
}

/* Publishing keeps what it shows: it writes. */
static enum err post_published(void *domain, const struct api_request *request, json_t **ret,
                               struct error *e) {
    static const char *const keys[] = {"service", "region", "from", "to", NULL};
    const char *values[4] = {NULL};
    struct hub *hub = domain;
    struct error sticky = {0};
    struct json_at root = body_root(request, &sticky);
    json_only(&root, keys);
    for (size_t i = 0; i < 4; i++) {
        struct json_at at = json_optional(&root, keys[i]);
        if (json_present(&at))
            values[i] = json_text(&at, 1, 64);
    }
    if (sticky.code != ERR_OK) {
        *e = sticky;
        return sticky.code;
    }
    enum err err = hub_refresh(hub, e);
    const struct trend_query query = {values[0], values[1], values[2], values[3]};
    return err == ERR_OK ? trend_publish(hub, &query, request->now_ms, ret, e) : err;
}

/* ---- the table ---- */

static const struct api_route own_routes[] = {
    {API_GET, API_VIEWER, "/v1/status", get_status, "the hub's state in short"},
    {API_GET, API_VIEWER, "/v1/members", get_members, "all members in order of admission"},
    {API_GET, API_VIEWER, "/v1/members/{name}", get_member, "one member, with its agents"},
    {API_POST, API_ADMIN, "/v1/members/{name}/revoke", post_revoke,
     "end one agent of a member for good {agent, reason?}"},
    {API_POST, API_ADMIN, "/v1/members/{name}/suspend", post_suspend,
     "stop a member for now {reason?}"},
    {API_POST, API_ADMIN, "/v1/members/{name}/resume", post_resume,
     "let a suspended member in {reason?}"},
    {API_POST, API_ADMIN, "/v1/members/{name}/remove", post_remove,
     "end a membership for good {reason?}"},
    {API_POST, API_ADMIN, "/v1/invitations", post_invitation,
     "a one-time invitation {name, role?, expires_ms?, address?}"},
    {API_GET, API_VIEWER, "/v1/charter", get_charter, "the charter in force"},
    {API_POST, API_ADMIN, "/v1/charter", post_charter, "publish a newer charter {text, file?}"},
    {API_GET, API_VIEWER, "/v1/aggregate?service&region&from&to", get_aggregate,
     "sums and coverage ?service= &region=, now or per day ?from= &to="},
    {API_GET, API_VIEWER, "/v1/coverage", get_coverage, "whose figures are current, by member"},
    {API_GET, API_VIEWER, "/v1/published?service&region&from&to", get_published,
     "what was published last ?service= &region= &from= &to="},
    {API_GET, API_STRANGER, "/v1/public/aggregate?service&region&from&to", get_public,
     "the same for anybody, where hub.conf says public"},
    {API_POST, API_ADMIN, "/v1/published", post_published,
     "publish sums, and what was {service?, region?, from?, to?}"},
};

#define OWN_COUNT (sizeof own_routes / sizeof own_routes[0])

const struct api_route *hub_routes(size_t *ret_count) {
    /* The same content at every call: constant tables put side by side. */
    static struct api_route table[ROUTES_MAX];
    size_t count = 0;
    const struct api_route *access = access_routes(&count);
    assert(OWN_COUNT + count <= ROUTES_MAX);
    memcpy(table, own_routes, sizeof own_routes);
    memcpy(table + OWN_COUNT, access, count * sizeof *access);
    *ret_count = OWN_COUNT + count;
    return table;
}
