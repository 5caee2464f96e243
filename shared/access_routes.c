/* Owns the routes of log-in, users and tokens. Must not know the daemon's domain or sockets. */
#include <stdio.h>
#include <string.h>

#include "access_private.h"
#include "address.h"
#include "text.h"

/* ---- bodies and answers ---- */

struct body {
    struct json_at at;
    struct error fault;
};

static enum err read_body(const struct api_request *r, const char *const *keys, struct body *b,
                          struct error *e) {
    if (!json_is_object(r->body))
        return error_set(e, ERR_USAGE, "found no JSON object as body, expected one");
    b->fault = (struct error){.code = ERR_OK};
    b->at = json_root(r->body, &b->fault);
    json_only(&b->at, keys);
    return ERR_OK;
}

static const char *text(struct body *b, const char *key, size_t max_bytes) {
    struct json_at member = json_member(&b->at, key);
    return json_text(&member, 1, max_bytes);
}

static enum err end_body(const struct body *b, struct error *e) {
    if (b->fault.code != ERR_OK && e)
        *e = b->fault;
    return b->fault.code;
}

static enum err answer(json_t *take_body, json_t **ret, struct error *e) {
    if (!take_body)
        return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
    *ret = take_body;
    return ERR_OK;
}

static json_t *time_or_null(int64_t ms) {
    char room[TEXT_TIME_SIZE];
    return ms ? json_string(text_time(ms, room)) : json_null();
}

/* Ends a transaction by how what was in it went. */
static enum err end_change(struct access *a, enum err err, struct error *e) {
    return db_end(a->config.users.db, err, e);
}

/* Who is logged in, as `me` says it; `csrf` NULL: no session. */
static enum err answer_me(struct access *a, const char *name, enum api_role role, const char *csrf,
                          json_t **ret, struct error *e) {
    const char *member = "", *network = "";
    a->config.describe(a->config.ctx, &member, &network);
    return answer(json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "user", name, "role",
                            api_role_name(role), "csrf", csrf, "member", member[0] ? member : NULL,
                            "network", network[0] ? network : NULL),
                  ret, e);
}

static enum err get_me(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    char csrf[ACCESS_SECRET_SIZE];
    const struct access_caller *c = r->caller;
    (void)domain;
    if (r->role == API_STRANGER)
        return error_set(e, ERR_LOGIN, "log in first");
    const char *colon = strchr(r->actor, ':');
    if (c && c->session[0])
        access_csrf(c->session, csrf);
    return answer_me(r->access, colon ? colon + 1 : r->actor, r->role,
                     c && c->session[0] ? csrf : NULL, ret, e);
}

/* ---- log-in ---- */

static enum err check_secret_way(const struct api_request *r, struct error *e) {
    if (!r->caller || r->caller->local)
        return error_set(e, ERR_USAGE, "log-in is for the screens: this socket needs none");
    if (r->caller->open)
        return error_set(e, ERR_PERMISSION,
                         "a password would travel here for everybody to read: use https");
    return ERR_OK;
}

struct keys {
    char list[ACCESS_THROTTLE_KEYS][THROTTLE_KEY_MAX];
    int count;
};

/* For one user at one address; without a user (NULL) for the address alone. */
static struct keys throttle_keys(const struct api_request *r, const char *user) {
    char place[ADDRESS_PLACE_SIZE];
    struct keys k = {.count = user ? 2 : 1};
    snprintf(k.list[0], THROTTLE_KEY_MAX, "at:%s", address_place(r->caller->address, place));
    snprintf(k.list[1], THROTTLE_KEY_MAX, "user:%.60s", user ? user : "");
    for (char *p = k.list[1]; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return k;
}

/* Each try counts before its outcome is known. */
static enum err take_try(const struct api_request *r, const struct keys *k, struct error *e) {
    int64_t wait_ms = 0;
    for (int i = 0; i < k->count; i++) {
        int64_t one_ms = throttle_wait_ms(r->access->throttle, k->list[i], r->now_ms);
        wait_ms = one_ms > wait_ms ? one_ms : wait_ms;
    }
    if (wait_ms > 0) {
        enum err err = error_set(e, ERR_RATE, "tried too often: wait %lld seconds",
                                 (long long)(wait_ms + 999) / 1000);
        e->retry_ms = wait_ms;
        return err;
    }
    for (int i = 0; i < k->count; i++)
        throttle_count(r->access->throttle, k->list[i], r->now_ms);
    return ERR_OK;
}

static void give_back(const struct api_request *r, const struct keys *k) {
    for (int i = 0; i < k->count; i++)
        throttle_clear(r->access->throttle, k->list[i]);
}

/* A new session for this user, in the open transaction. */
static enum err begin_session(const struct api_request *r, const struct user *user,
                              struct error *e) {
    struct access *a = r->access;
    struct hash secret;
    access_new_secret(a, r->caller->new_session, &secret);
    enum err err = users_sessions_prune(&a->config.users, r->now_ms - ACCESS_SESSION_MS, e);
    if (err == ERR_OK)
        err = users_session_add(&a->config.users, user->id, &secret, r->now_ms, e);
    if (err != ERR_OK)
        r->caller->new_session[0] = '\0';
    return err;
}

static enum err answer_begun(const struct api_request *r, const struct user *user, json_t **ret,
                             struct error *e) {
    char csrf[ACCESS_SECRET_SIZE];
    access_csrf(r->caller->new_session, csrf);
    return answer_me(r->access, user->name, user->role, csrf, ret, e);
}

static enum err log_in(const struct api_request *r, const struct user *user, json_t **ret,
                       struct error *e) {
    enum err err = db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = end_change(r->access, begin_session(r, user, e), e);
    return err == ERR_OK ? answer_begun(r, user, ret, e) : err;
}

static enum err post_login(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    static const char *const names[] = {"user", "password", NULL};
    struct body b;
    struct user user = {.id = 0};
    bool found = false;
    (void)domain;
    enum err err = check_secret_way(r, e);
    err = err != ERR_OK ? err : read_body(r, names, &b, e);
    if (err != ERR_OK)
        return err;
    const char *name = text(&b, "user", 200), *password = text(&b, "password", PASSWORD_MAX_BYTES);
    err = end_body(&b, e);
    if (err != ERR_OK)
        return err;
    struct password_work *work = &r->caller->work;
    struct keys k = throttle_keys(r, name);
    if (!work->done)
        err = take_try(r, &k, e);
    if (err == ERR_OK)
        err = users_find(&r->access->config.users, name, &found, &user, e);
    if (err != ERR_OK)
        return err;
    if (!work->done) {
        *work = (struct password_work){.wanted = true, .verify = password};
        snprintf(work->stored, sizeof work->stored, "%s", user.password);
        return ERR_OK;
    }
    /* The password may have changed while it was tried. */
    if (!work->verified || !found || strcmp(work->stored, user.password) != 0)
        return error_set(e, ERR_CREDENTIALS, "user name or password is wrong");
    give_back(r, &k);
    return log_in(r, &user, ret, e);
}

static enum err find_link(const struct api_request *r, const char *token, struct user *ret,
                          struct error *e) {
    struct hash link = access_hash(token);
    bool found = false, used = false;
    enum err err = users_of_link(&r->access->config.users, &link, &found, &used, ret, e);
    if (err != ERR_OK)
        return err;
    if (!found)
        return error_set(e, ERR_INVITE_UNKNOWN, "found a link that is not known here");
    if (used)
        return error_set(e, ERR_INVITE_USED, "this link was used already");
    if (r->now_ms >= ret->link_expires_ms)
        return error_set(e, ERR_INVITE_EXPIRED, "this link has expired");
    return ERR_OK;
}

/* In the open transaction: another password, and whoever was logged in is not any more. */
static enum err set_password(const struct api_request *r, const struct user *user,
                             struct error *e) {
    const struct users *u = &r->access->config.users;
    enum err err = r->caller->work.code;
    if (err != ERR_OK)
        return error_set(e, err, "not enough memory to keep a password");
    err = users_set_password(u, user->id, r->caller->work.made, e);
    if (err == ERR_OK)
        err = users_sessions_end(u, user->id, e);
    return err == ERR_OK ? begin_session(r, user, e) : err;
}

static enum err keep_password(const struct api_request *r, const struct user *user, json_t **ret,
                              struct error *e) {
    enum err err = db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = end_change(r->access, set_password(r, user, e), e);
    return err == ERR_OK ? answer_begun(r, user, ret, e) : err;
}

static enum err post_invite(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    static const char *const names[] = {"token", "password", NULL};
    struct body b;
    struct user user;
    (void)domain;
    enum err err = check_secret_way(r, e);
    err = err != ERR_OK ? err : read_body(r, names, &b, e);
    if (err != ERR_OK)
        return err;
    const char *token = text(&b, "token", ACCESS_SECRET_SIZE),
               *password = text(&b, "password", 4096);
    err = end_body(&b, e);
    struct keys k = throttle_keys(r, NULL);
    if (err == ERR_OK && !r->caller->work.done)
        err = take_try(r, &k, e);
    if (err == ERR_OK)
        err = find_link(r, token, &user, e);
    if (err != ERR_OK)
        return err;
    give_back(r, &k);
    err = password_check(password, user.name, e);
    if (err != ERR_OK)
        return err;
    if (r->caller->work.done)
        return keep_password(r, &user, ret, e);
    r->caller->work = (struct password_work){.wanted = true, .make = password};
    return ERR_OK;
}

/* The user of a session: a token or the local socket has none. */
static enum err find_self(const struct api_request *r, struct user *ret, struct error *e) {
    bool found = false;
    enum err err = ERR_OK;
    if (r->caller && strncmp(r->actor, "user:", 5) == 0)
        err = users_find(&r->access->config.users, r->actor + 5, &found, ret, e);
    if (err == ERR_OK && !found)
        err = error_set(e, ERR_USAGE, "only somebody who is logged in can do this");
    return err;
}

static enum err post_password(void *domain, const struct api_request *r, json_t **ret,
                              struct error *e) {
    static const char *const names[] = {"old", "new", NULL};
    struct body b;
    struct user user;
    (void)domain;
    enum err err = find_self(r, &user, e);
    err = err != ERR_OK ? err : check_secret_way(r, e);
    err = err != ERR_OK ? err : read_body(r, names, &b, e);
    if (err != ERR_OK)
        return err;
    const char *old = text(&b, "old", PASSWORD_MAX_BYTES), *new = text(&b, "new", 4096);
    struct password_work *work = &r->caller->work;
    struct keys k = throttle_keys(r, user.name);
    err = end_body(&b, e);
    err = err != ERR_OK ? err : password_check(new, user.name, e);
    if (err == ERR_OK && !work->done)
        err = take_try(r, &k, e);
    if (err != ERR_OK)
        return err;
    if (!work->done) {
        *work = (struct password_work){.wanted = true, .verify = old, .make = new};
        snprintf(work->stored, sizeof work->stored, "%s", user.password);
        return ERR_OK;
    }
    if (!work->verified || strcmp(work->stored, user.password) != 0)
        return error_at(e, ERR_CREDENTIALS, "old", 0, 0, "the old password is wrong");
    give_back(r, &k);
    return keep_password(r, &user, ret, e);
}

static enum err post_logout(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    struct access *a = r->access;
    (void)domain, (void)ret;
    if (!r->caller || !r->caller->session[0])
        return error_set(e, ERR_USAGE, "only somebody who is logged in can log out");
    struct hash secret = access_hash(r->caller->session);
    enum err err = db_begin(a->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = end_change(a, users_session_end(&a->config.users, &secret, e), e);
    r->caller->end_session = err == ERR_OK;
    return err;
}

/* ---- users ---- */

static json_t *user_json(const struct user *u) {
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", u->name, "role", api_role_name(u->role),
                     "state", u->password[0] ? "active" : "invited", "created_at",
                     time_or_null(u->created_ms), "last_login_at", time_or_null(u->login_ms));
}

static enum err list_user(void *ctx, const struct user *u, struct error *e) {
    if (json_array_append_new(ctx, user_json(u)) != 0)
        return error_set(e, ERR_NO_MEMORY, "no memory for the list of users");
    return ERR_OK;
}

static enum err end_list(json_t *take_list, enum err err, json_t **ret, struct error *e) {
    if (err == ERR_OK)
        return answer(take_list, ret, e);
    json_decref(take_list);
    return err;
}

static enum err get_users(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    json_t *list = json_array();
    (void)domain;
    return end_list(list, users_each(&r->access->config.users, list_user, list, e), ret, e);
}

static enum err need_user(const struct api_request *r, const char *name, struct user *ret,
                          struct error *e) {
    bool found = false;
    enum err err = users_find(&r->access->config.users, name, &found, ret, e);
    if (err == ERR_OK && !found)
        err = error_set(e, ERR_NOT_FOUND, "found no user '%.60s'", name);
    return err;
}

/* Somebody has to be left who can let others in; the command line always can. */
static enum err check_not_self(const struct api_request *r, const struct user *user,
                               struct error *e) {
    if (strncmp(r->actor, "user:", 5) != 0 || strcmp(r->actor + 5, user->name) != 0)
        return ERR_OK;
    return error_set(e, ERR_CONFLICT,
                     "you cannot do this to yourself: ask another administrator, or use the "
                     "command line");
}

/* In the open transaction: a link for a first or a new password. */
static enum err give_link(const struct api_request *r, const char *name,
                          char secret[static ACCESS_SECRET_SIZE], struct user *ret,
                          struct error *e) {
    const struct users *u = &r->access->config.users;
    struct hash link;
    enum err err = need_user(r, name, ret, e);
    access_new_secret(r->access, secret, &link);
    if (err == ERR_OK)
        err = users_set_link(u, ret->id, &link, r->now_ms + ACCESS_LINK_MS, e);
    return err == ERR_OK ? users_sessions_end(u, ret->id, e) : err;
}

static enum err answer_link(const struct api_request *r, const struct user *user,
                            const char *secret, json_t **ret, struct error *e) {
    char path[ACCESS_SECRET_SIZE + 16], url[ACCESS_URL_MAX + sizeof path], at[TEXT_TIME_SIZE];
    snprintf(path, sizeof path, "/#invite=%s", secret);
    snprintf(url, sizeof url, "%s%s", r->access->url, path);
    return answer(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", user->name, "role",
                            api_role_name(user->role), "invite", secret, "path", path, "url", url,
                            "expires_at", text_time(r->now_ms + ACCESS_LINK_MS, at)),
                  ret, e);
}

static enum err check_user_room(const struct api_request *r, bool tokens, struct error *e) {
    int64_t users = 0, held = 0;
    enum err err = users_count(&r->access->config.users, &users, &held, e);
    if (err == ERR_OK && (tokens ? held : users) >= USERS_MAX)
        err = error_set(e, ERR_CAP, "there are %d already: remove one first", USERS_MAX);
    return err;
}

/* Nobody enters figures at a hub: who was given that role there would wait for a page in vain. */
static enum err read_role(const struct api_request *r, const char *name, enum api_role *ret,
                          struct error *e) {
    enum api_role role = API_VIEWER;
    enum err err = api_role_parse(name, &role, e);
    if (err == ERR_OK && role == API_EDITOR && !r->access->config.editors)
        err = error_at(e, ERR_DATA, "role", 0, 0,
                       "found 'editor', which is for agents: figures are not entered at a hub; "
                       "expected viewer or admin");
    if (err == ERR_OK)
        *ret = role;
    return err;
}

/* Name and role of a new user or token. */
static enum err read_new(const struct api_request *r, const char **ret_name, enum api_role *ret,
                         struct error *e) {
    static const char *const names[] = {"name", "role", NULL};
    struct body b;
    enum err err = read_body(r, names, &b, e);
    if (err != ERR_OK)
        return err;
    const char *name = text(&b, "name", 200), *role = text(&b, "role", 20);
    err = end_body(&b, e);
    err = err != ERR_OK ? err : access_check_name(name, e);
    err = err != ERR_OK ? err : read_role(r, role, ret, e);
    if (err == ERR_OK)
        *ret_name = name;
    return err;
}

static enum err add_user(const struct api_request *r, const char *name, enum api_role role,
                         char secret[static ACCESS_SECRET_SIZE], struct user *ret,
                         struct error *e) {
    bool found = false;
    enum err err = users_find(&r->access->config.users, name, &found, ret, e);
    if (err == ERR_OK && found)
        err = error_at(e, ERR_CONFLICT, "name", 0, 0, "there is a user '%s' already", ret->name);
    err = err != ERR_OK ? err : check_user_room(r, false, e);
    err = err != ERR_OK ? err : users_add(&r->access->config.users, name, role, r->now_ms, e);
    return err != ERR_OK ? err : give_link(r, name, secret, ret, e);
}

static enum err post_user(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    const char *name = NULL;
    enum api_role role = API_VIEWER;
    char secret[ACCESS_SECRET_SIZE];
    struct user user;
    (void)domain;
    enum err err = read_new(r, &name, &role, e);
    err = err != ERR_OK ? err : db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = end_change(r->access, add_user(r, name, role, secret, &user, e), e);
    return err == ERR_OK ? answer_link(r, &user, secret, ret, e) : err;
}

static enum err post_reset(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    char secret[ACCESS_SECRET_SIZE];
    struct user user;
    (void)domain;
    enum err err = db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = end_change(r->access, give_link(r, r->params[0], secret, &user, e), e);
    return err == ERR_OK ? answer_link(r, &user, secret, ret, e) : err;
}

static enum err post_role(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    static const char *const names[] = {"role", NULL};
    struct body b;
    struct user user;
    enum api_role role = API_VIEWER;
    (void)domain;
    enum err err = read_body(r, names, &b, e);
    if (err != ERR_OK)
        return err;
    const char *wanted = text(&b, "role", 20);
    err = end_body(&b, e);
    err = err != ERR_OK ? err : read_role(r, wanted, &role, e);
    err = err != ERR_OK ? err : need_user(r, r->params[0], &user, e);
    err = err != ERR_OK ? err : check_not_self(r, &user, e);
    err = err != ERR_OK ? err : db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = end_change(r->access, users_set_role(&r->access->config.users, user.id, role, e), e);
    user.role = role;
    return err == ERR_OK ? answer(user_json(&user), ret, e) : err;
}

static enum err delete_user(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    struct user user;
    (void)domain, (void)ret;
    enum err err = need_user(r, r->params[0], &user, e);
    err = err != ERR_OK ? err : check_not_self(r, &user, e);
    err = err != ERR_OK ? err : db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    return end_change(r->access, users_remove(&r->access->config.users, user.id, e), e);
}

/* ---- tokens ---- */

static enum err list_token(void *ctx, const struct api_token *t, struct error *e) {
    json_t *one = json_pack("{s:s, s:s, s:o, s:s, s:o}", "name", t->name, "role",
                            api_role_name(t->role), "created_at", time_or_null(t->created_ms),
                            "created_by", t->actor, "last_used_at", time_or_null(t->used_ms));
    if (json_array_append_new(ctx, one) != 0)
        return error_set(e, ERR_NO_MEMORY, "no memory for the list of tokens");
    return ERR_OK;
}

static enum err get_tokens(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    json_t *list = json_array();
    (void)domain;
    return end_list(list, users_tokens(&r->access->config.users, list_token, list, e), ret, e);
}

static enum err add_token(const struct api_request *r, const struct api_token *token,
                          const struct hash *secret, struct error *e) {
    enum err err = check_user_room(r, true, e);
    if (err == ERR_OK)
        err = users_token_add(&r->access->config.users, token, secret, e);
    if (err == ERR_CONFLICT)
        err = error_at(e, ERR_CONFLICT, "name", 0, 0, "there is a token '%s' already", token->name);
    return err;
}

static enum err post_token(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    char secret[ACCESS_SECRET_SIZE], token_text[sizeof secret + sizeof ACCESS_TOKEN_PREFIX];
    struct api_token token = {.created_ms = r->now_ms};
    const char *name = NULL;
    struct hash hash;
    (void)domain;
    enum err err = read_new(r, &name, &token.role, e);
    err = err != ERR_OK ? err : db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    snprintf(token.name, sizeof token.name, "%s", name);
    snprintf(token.actor, sizeof token.actor, "%s", r->actor);
    access_new_secret(r->access, secret, &hash);
    snprintf(token_text, sizeof token_text, ACCESS_TOKEN_PREFIX "%s", secret);
    hash = access_hash(token_text);
    err = end_change(r->access, add_token(r, &token, &hash, e), e);
    if (err == ERR_OK)
        err = answer(json_pack("{s:s, s:s, s:s}", "name", token.name, "role",
                               api_role_name(token.role), "token", token_text),
                     ret, e);
    return err;
}

static enum err delete_token(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    bool found = false;
    (void)domain, (void)ret;
    enum err err = db_begin(r->access->config.users.db, e);
    if (err != ERR_OK)
        return err;
    err = users_token_remove(&r->access->config.users, r->params[0], &found, e);
    if (err == ERR_OK && !found)
        err = error_set(e, ERR_NOT_FOUND, "found no token '%.60s'", r->params[0]);
    return end_change(r->access, err, e);
}

/* The stream itself is the shell's; here is only whether one may follow it. */
static enum err get_events(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    (void)domain, (void)r, (void)ret, (void)e;
    return ERR_OK;
}

/* ---- the table ---- */

static const struct api_route routes[] = {
    {API_GET, API_STRANGER, "/v1/me", get_me, "who is logged in"},
    {API_POST, API_STRANGER, "/v1/login", post_login, "{user, password}: begins a session"},
    {API_POST, API_STRANGER, "/v1/invite", post_invite,
     "{token, password}: a password by a one-time link"},
    {API_POST, API_VIEWER, "/v1/logout", post_logout, "ends this session"},
    {API_POST, API_VIEWER, "/v1/password", post_password, "{old, new}: ends the other sessions"},
    {API_GET, API_VIEWER, "/v1/events", get_events, "server-sent events: what to load again"},
    {API_GET, API_ADMIN, "/v1/users", get_users, "who can log in"},
    {API_POST, API_ADMIN, "/v1/users", post_user, "{name, role}: a one-time link for a new user"},
    {API_POST, API_ADMIN, "/v1/users/{name}/role", post_role, "{role}"},
    {API_POST, API_ADMIN, "/v1/users/{name}/reset", post_reset,
     "a new link: the old password and sessions end"},
    {API_DELETE, API_ADMIN, "/v1/users/{name}", delete_user, "the user and its sessions"},
    {API_GET, API_ADMIN, "/v1/tokens", get_tokens, "which programs may use the API"},
    {API_POST, API_ADMIN, "/v1/tokens", post_token, "{name, role}: a token, shown this once"},
    {API_DELETE, API_ADMIN, "/v1/tokens/{name}", delete_token, "a token is over"},
};

const struct api_route *access_routes(size_t *ret_count) {
    *ret_count = sizeof routes / sizeof routes[0];
    return routes;
}
