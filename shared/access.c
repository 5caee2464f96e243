/* Owns whom a request is from (see access.h). Must not know sockets. */
#include "access_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CSRF_CONTEXT "plek csrf"

struct access *access_new(const struct access_config *config) {
    struct access *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->config = *config;
    a->throttle = throttle_new();
    if (!a->throttle) {
        free(a);
        return NULL;
    }
    return a;
}

void access_free(struct access *a) {
    if (!a)
        return;
    throttle_free(a->throttle);
    free(a);
}

void access_set_url(struct access *a, const char *url) {
    snprintf(a->url, sizeof a->url, "%s", url);
}

/* ---- secrets ---- */

struct hash access_hash(const char *secret) {
    return hash_blake2b(bytes_str(secret));
}

void access_new_secret(struct access *a, char text[static ACCESS_SECRET_SIZE], struct hash *ret) {
    uint8_t secret[ACCESS_SECRET_LEN];
    entropy_fill(&a->config.entropy, secret, sizeof secret);
    base64_encode(text, ACCESS_SECRET_SIZE, bytes_of(secret, sizeof secret));
    *ret = access_hash(text);
    sodium_memzero(secret, sizeof secret);
}

void access_csrf(const char *session, char out[static ACCESS_SECRET_SIZE]) {
    uint8_t made[ACCESS_SECRET_LEN];
    crypto_generichash(made, sizeof made, (const uint8_t *)CSRF_CONTEXT, strlen(CSRF_CONTEXT),
                       (const uint8_t *)session, strlen(session));
    base64_encode(out, ACCESS_SECRET_SIZE, bytes_of(made, sizeof made));
}

static bool csrf_ok(const struct access_caller *c) {
    char expected[ACCESS_SECRET_SIZE];
    access_csrf(c->session, expected);
    size_t len = strlen(expected);
    return strlen(c->csrf) == len && sodium_memcmp(c->csrf, expected, len) == 0;
}

/* ---- decisions ---- */

bool access_session_alive(int64_t created_ms, int64_t seen_ms, int64_t now_ms) {
    return now_ms - created_ms < ACCESS_SESSION_MS && now_ms - seen_ms < ACCESS_IDLE_MS;
}

enum err access_check_name(const char *name, struct error *e) {
    size_t len = strlen(name);
    bool good = len > 0 && len <= USERS_NAME_MAX && utf8_valid(bytes_of(name, len));
    for (const char *p = name; good && *p; p++) {
        unsigned char c = (unsigned char)*p;
        good = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
               (c >= 'A' && c <= 'Z') || strchr(".-_@+", c);
    }
    if (!good)
        return error_at(e, ERR_DATA, "name", 0, 0,
                        "found '%.60s', expected a name of 1 to %d letters, digits, '.', '-', '_', "
                        "'@' or '+'",
                        name, USERS_NAME_MAX);
    return ERR_OK;
}

/* ---- whom a request is from ---- */

static enum err seen(struct access *a, const struct hash *secret, const char *token, int64_t now_ms,
                     struct error *e) {
    enum err err = db_begin(a->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = token ? users_token_used(&a->config.users, token, now_ms, e)
                : users_session_seen(&a->config.users, secret, now_ms, e);
    return db_end(a->config.users.db, err, e);
}

/* A full disk must not keep people from looking. */
static void note_use(struct access *a, const struct hash *secret, const char *token,
                     int64_t last_ms, int64_t now_ms) {
    struct error ignored;
    if (now_ms - last_ms >= ACCESS_SEEN_MS && seen(a, secret, token, now_ms, &ignored) != ERR_OK)
        return;
}

static enum err identify_token(struct access *a, struct api_request *r, struct error *e) {
    struct access_caller *c = r->caller;
    struct hash secret = access_hash(c->bearer);
    struct api_token token;
    bool found = false;
    enum err err = users_token_find(&a->config.users, &secret, &found, &token, e);
    if (err != ERR_OK)
        return err;
    if (!found)
        return error_set(e, ERR_CREDENTIALS, "found a token that is not known here");
    note_use(a, &secret, token.name, token.used_ms, r->now_ms);
    r->role = token.role;
    snprintf(c->actor, sizeof c->actor, "token:%s", token.name);
    return ERR_OK;
}

/* A session that is over is nobody's; one whose page did not prove itself changes nothing. */
static enum err identify_session(struct access *a, struct api_request *r, bool *ret_proven,
                                 struct error *e) {
    struct access_caller *c = r->caller;
    struct hash secret = access_hash(c->session);
    struct user_session s;
    bool found = false;
    enum err err = users_session_find(&a->config.users, &secret, &found, &s, e);
    if (err != ERR_OK || !found || !access_session_alive(s.created_ms, s.seen_ms, r->now_ms))
        return err;
    *ret_proven = r->method == API_GET || csrf_ok(c);
    if (!*ret_proven)
        return ERR_OK;
    if (!c->idle)
        note_use(a, &secret, NULL, s.seen_ms, r->now_ms);
    r->role = s.user.role;
    snprintf(c->actor, sizeof c->actor, "user:%s", s.user.name);
    return ERR_OK;
}

/* These begin a session: they come from a page that has none, or whose session is another's. */
static bool begins_session(const struct api_request *r) {
    return r->method == API_POST &&
           (strcmp(r->path, "/v1/login") == 0 || strcmp(r->path, "/v1/invite") == 0);
}

static enum err identify(struct access *a, struct api_request *r, struct error *e) {
    struct access_caller *c = r->caller;
    bool proven = true;
    enum err err = ERR_OK;
    r->role = API_STRANGER;
    snprintf(c->actor, sizeof c->actor, "nobody");
    r->actor = c->actor;
    if (c->bearer[0])
        return identify_token(a, r, e);
    if (c->foreign && r->method != API_GET)
        return error_set(e, ERR_CSRF, "found a request that a page of another site sent");
    if (c->session[0])
        err = identify_session(a, r, &proven, e);
    if (err == ERR_OK && !proven && !begins_session(r))
        err = error_set(e, ERR_CSRF,
                        "found another X-Plek-CSRF than this session's; GET /v1/me tells it");
    return err;
}

/* ---- requests ---- */

static bool is_fatal(enum err code) {
    return code == ERR_NO_MEMORY || code == ERR_STORE || code == ERR_DISK_FULL ||
           code == ERR_LOCKED || code == ERR_IO;
}

static enum err dispatch_write(struct access *a, const struct api_route *routes, size_t count,
                               void *domain, struct api_request *request, json_t **ret_body,
                               struct error *e) {
    const struct access_config *c = &a->config;
    enum err err = c->begin(c->ctx, e);
    if (err != ERR_OK)
        return err;
    json_t *body = NULL;
    err = api_dispatch(routes, count, domain, request, &body);
    if (err != ERR_OK) {
        c->abandon(c->ctx, is_fatal(err));
        *ret_body = body;
        return err;
    }
    err = c->commit(c->ctx, e);
    if (err == ERR_OK)
        *ret_body = body;
    else
        json_decref(body);
    return err;
}

static enum err dispatch(struct access *a, const struct api_route *routes, size_t count,
                         void *domain, struct api_request *request, json_t **ret_body,
                         struct error *e) {
    const struct access_config *c = &a->config;
    enum err err = c->refresh ? c->refresh(c->ctx, e) : ERR_OK;
    if (err == ERR_OK && request->caller && !request->caller->local)
        err = identify(a, request, e);
    if (err != ERR_OK)
        return err;
    if (request->method != API_GET && c->begin)
        return dispatch_write(a, routes, count, domain, request, ret_body, e);
    return api_dispatch(routes, count, domain, request, ret_body);
}

enum err access_dispatch(struct access *a, const struct api_route *routes, size_t count,
                         void *domain, struct api_request *request, json_t **ret_body) {
    struct error e = {0};
    json_t *body = NULL;
    request->access = a;
    enum err err = dispatch(a, routes, count, domain, request, &body, &e);
    if (err != ERR_OK && body == NULL) {
        e.code = err;
        body = api_error_to_json(&e);
    }
    *ret_body = body;
    return err;
}

enum err access_call(struct access *a, const struct api_route *routes, size_t count, void *domain,
                     struct api_request *request, json_t **ret_body) {
    enum err err = access_dispatch(a, routes, count, domain, request, ret_body);
    struct password_work *work = request->caller ? &request->caller->work : NULL;
    if (!work || !work->wanted || work->done)
        return err;
    json_decref(*ret_body);
    password_work(work);
    return access_dispatch(a, routes, count, domain, request, ret_body);
}
