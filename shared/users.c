/* Owns users, their links, sessions and tokens as rows (see users.h). Must not decide anything. */
#include "users.h"

#include <stdio.h>
#include <string.h>

/* Places from the first of users_sql.def on; a store's own enum gives that one. */
enum place {
#define SQL(name, text) AT_##name,
#include "users_sql.def"
#undef SQL
};

static struct db_query query(const struct users *u, enum place at) {
    return db_query(u->db, u->first + (int)at);
}

static void bind_hash(struct db_query *q, const char *name, const struct hash *h) {
    db_bind_blob(q, name, bytes_of(h->b, HASH_LEN));
}

static void read_user(struct db_query *q, struct user *ret) {
    *ret = (struct user){.id = db_column_int(q, 0),
                         .role = (enum api_role)db_column_int(q, 2),
                         .created_ms = db_column_int(q, 4),
                         .login_ms = db_column_int(q, 5),
                         .link_expires_ms = db_column_int(q, 6)};
    snprintf(ret->name, sizeof ret->name, "%s", db_column_text(q, 1));
    snprintf(ret->password, sizeof ret->password, "%s", db_column_text(q, 3));
}

/* ---- users ---- */

enum err users_find(const struct users *u, const char *name, bool *ret_found, struct user *ret,
                    struct error *e) {
    struct db_query q = query(u, AT_USER_NAMED);
    struct user found;
    db_bind_text(&q, ":name", name);
    bool there = db_step(&q);
    if (there)
        read_user(&q, &found);
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    *ret_found = there;
    if (there)
        *ret = found;
    return ERR_OK;
}

enum err users_of_link(const struct users *u, const struct hash *link, bool *ret_found,
                       bool *ret_used, struct user *ret, struct error *e) {
    struct db_query q = query(u, AT_USER_OF_LINK);
    struct user found;
    bool used = false;
    bind_hash(&q, ":link", link);
    bool there = db_step(&q);
    if (there) {
        read_user(&q, &found);
        used = db_column_int(&q, 7) != 0;
    }
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    *ret_found = there;
    *ret_used = used;
    if (there)
        *ret = found;
    return ERR_OK;
}

enum err users_each(const struct users *u, users_visit *visit, void *ctx, struct error *e) {
    struct db_query q = query(u, AT_USERS);
    enum err visited = ERR_OK;
    while (visited == ERR_OK && db_step(&q)) {
        struct user user;
        read_user(&q, &user);
        visited = visit(ctx, &user, e);
    }
    enum err err = db_finish(&q, visited == ERR_OK ? e : NULL);
    return visited != ERR_OK ? visited : err;
}

enum err users_count(const struct users *u, int64_t *ret_users, int64_t *ret_tokens,
                     struct error *e) {
    struct db_query q = query(u, AT_USERS_COUNT);
    int64_t users = 0, tokens = 0;
    if (db_step(&q)) {
        users = db_column_int(&q, 0);
        tokens = db_column_int(&q, 1);
    }
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    *ret_users = users;
    *ret_tokens = tokens;
    return ERR_OK;
}

enum err users_add(const struct users *u, const char *name, enum api_role role, int64_t now_ms,
                   struct error *e) {
    struct db_query q = query(u, AT_USER_ADD);
    db_bind_text(&q, ":name", name);
    db_bind_int(&q, ":role", role);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err users_set_role(const struct users *u, int64_t id, enum api_role role, struct error *e) {
    struct db_query q = query(u, AT_USER_ROLE);
    db_bind_int(&q, ":id", id);
    db_bind_int(&q, ":role", role);
    return db_run_query(&q, e);
}

static enum err run_for(const struct users *u, enum place at, const char *name, int64_t id,
                        struct error *e) {
    struct db_query q = query(u, at);
    db_bind_int(&q, name, id);
    return db_run_query(&q, e);
}

enum err users_set_link(const struct users *u, int64_t id, const struct hash *link,
                        int64_t expires_ms, struct error *e) {
    struct db_query q = query(u, AT_USER_LINK);
    db_bind_int(&q, ":id", id);
    bind_hash(&q, ":link", link);
    db_bind_int(&q, ":expires", expires_ms);
    return db_run_query(&q, e);
}

enum err users_set_password(const struct users *u, int64_t id, const char *password,
                            struct error *e) {
    enum err err = run_for(u, AT_USER_LINK_USED, ":id", id, e);
    if (err != ERR_OK)
        return err;
    struct db_query q = query(u, AT_USER_PASSWORD);
    db_bind_int(&q, ":id", id);
    db_bind_text(&q, ":password", password);
    return db_run_query(&q, e);
}

enum err users_remove(const struct users *u, int64_t id, struct error *e) {
    return run_for(u, AT_USER_REMOVE, ":id", id, e);
}

/* ---- sessions ---- */

enum err users_session_add(const struct users *u, int64_t user, const struct hash *secret,
                           int64_t now_ms, struct error *e) {
    struct db_query q = query(u, AT_SESSION_ADD);
    bind_hash(&q, ":secret", secret);
    db_bind_int(&q, ":user", user);
    db_bind_int(&q, ":now", now_ms);
    enum err err = db_run_query(&q, e);
    if (err == ERR_OK) {
        q = query(u, AT_SESSION_CROWD);
        db_bind_int(&q, ":user", user);
        db_bind_int(&q, ":limit", USERS_SESSIONS);
        err = db_run_query(&q, e);
    }
    if (err == ERR_OK) {
        q = query(u, AT_USER_LOGIN);
        db_bind_int(&q, ":id", user);
        db_bind_int(&q, ":now", now_ms);
        err = db_run_query(&q, e);
    }
    return err;
}

enum err users_session_find(const struct users *u, const struct hash *secret, bool *ret_found,
                            struct user_session *ret, struct error *e) {
    struct db_query q = query(u, AT_SESSION_FIND);
    struct user_session found;
    bind_hash(&q, ":secret", secret);
    bool there = db_step(&q);
    if (there) {
        read_user(&q, &found.user);
        found.created_ms = db_column_int(&q, 7);
        found.seen_ms = db_column_int(&q, 8);
    }
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    *ret_found = there;
    if (there)
        *ret = found;
    return ERR_OK;
}

enum err users_session_seen(const struct users *u, const struct hash *secret, int64_t now_ms,
                            struct error *e) {
    struct db_query q = query(u, AT_SESSION_SEEN);
    bind_hash(&q, ":secret", secret);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err users_session_end(const struct users *u, const struct hash *secret, struct error *e) {
    struct db_query q = query(u, AT_SESSION_END);
    bind_hash(&q, ":secret", secret);
    return db_run_query(&q, e);
}

enum err users_sessions_end(const struct users *u, int64_t user, struct error *e) {
    return run_for(u, AT_SESSIONS_END, ":user", user, e);
}

enum err users_sessions_prune(const struct users *u, int64_t before_ms, struct error *e) {
    return run_for(u, AT_SESSIONS_PRUNE, ":before", before_ms, e);
}

/* ---- tokens ---- */

static void read_token(struct db_query *q, struct api_token *ret) {
    *ret = (struct api_token){.role = (enum api_role)db_column_int(q, 1),
                              .created_ms = db_column_int(q, 2),
                              .used_ms = db_column_int(q, 3)};
    snprintf(ret->name, sizeof ret->name, "%s", db_column_text(q, 0));
    snprintf(ret->actor, sizeof ret->actor, "%s", db_column_text(q, 4));
}

enum err users_token_add(const struct users *u, const struct api_token *token,
                         const struct hash *secret, struct error *e) {
    struct db_query q = query(u, AT_TOKEN_ADD);
    db_bind_text(&q, ":name", token->name);
    bind_hash(&q, ":secret", secret);
    db_bind_int(&q, ":role", token->role);
    db_bind_int(&q, ":now", token->created_ms);
    db_bind_text(&q, ":actor", token->actor);
    return db_run_query(&q, e);
}

enum err users_token_find(const struct users *u, const struct hash *secret, bool *ret_found,
                          struct api_token *ret, struct error *e) {
    struct db_query q = query(u, AT_TOKEN_FIND);
    struct api_token found;
    bind_hash(&q, ":secret", secret);
    bool there = db_step(&q);
    if (there)
        read_token(&q, &found);
    enum err err = db_finish(&q, e);
    if (err != ERR_OK)
        return err;
    *ret_found = there;
    if (there)
        *ret = found;
    return ERR_OK;
}

enum err users_token_used(const struct users *u, const char *name, int64_t now_ms,
                          struct error *e) {
    struct db_query q = query(u, AT_TOKEN_USED);
    db_bind_text(&q, ":name", name);
    db_bind_int(&q, ":now", now_ms);
    return db_run_query(&q, e);
}

enum err users_token_remove(const struct users *u, const char *name, bool *ret_found,
                            struct error *e) {
    struct db_query q = query(u, AT_TOKEN_REMOVE);
    db_bind_text(&q, ":name", name);
    enum err err = db_run_query(&q, e);
    if (err == ERR_OK)
        *ret_found = db_changes(u->db) > 0;
    return err;
}

enum err users_tokens(const struct users *u, users_token_visit *visit, void *ctx, struct error *e) {
    struct db_query q = query(u, AT_TOKENS);
    enum err visited = ERR_OK;
    while (visited == ERR_OK && db_step(&q)) {
        struct api_token token;
        read_token(&q, &token);
        visited = visit(ctx, &token, e);
    }
    enum err err = db_finish(&q, visited == ERR_OK ? e : NULL);
    return visited != ERR_OK ? visited : err;
}
