/* Owns who may use a daemon's API from elsewhere: users with their one-time links, sessions and
 * tokens, as rows of the daemon's own database. Secrets stand there as hashes only. Must not decide
 * anything: access.c does. */
#ifndef PLEK_USERS_H
#define PLEK_USERS_H

#include "api.h"
#include "db.h"
#include "keys.h"
#include "password.h"

#define USERS_NAME_MAX 48 /* bytes of a user's or a token's name */
#define USERS_MAX 1000    /* of each */
#define USERS_SESSIONS 20 /* of one user; the one that was used least recently goes */

/* A store's migration contains this, and its statements users_sql.def. */
#define USERS_SCHEMA                                                                               \
    "CREATE TABLE user("                                                                           \
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, role INTEGER NOT NULL,"    \
    " password TEXT NOT NULL, created_ms INTEGER NOT NULL, login_ms INTEGER NOT NULL,"             \
    " link BLOB UNIQUE, link_expires_ms INTEGER NOT NULL) STRICT;" /* links that were used: one    \
                                                                      that comes again is told so  \
                                                                    */                             \
    "CREATE TABLE used_link("                                                                      \
    " link BLOB PRIMARY KEY, user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE) STRICT;"     \
    "CREATE TABLE user_session("                                                                   \
    " secret BLOB PRIMARY KEY, user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"           \
    " created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) STRICT;"                              \
    "CREATE INDEX user_session_of ON user_session(user, seen_ms);"                                 \
    "CREATE TABLE api_token("                                                                      \
    " name TEXT PRIMARY KEY COLLATE NOCASE, secret BLOB NOT NULL UNIQUE, role INTEGER NOT NULL,"   \
    " created_ms INTEGER NOT NULL, actor TEXT NOT NULL, used_ms INTEGER NOT NULL) STRICT;"

/* Where the rows are. A plain value. */
struct users {
    struct db *db;
    int first; /* the store's SQL_USER_NAMED */
};

struct user {
    int64_t id;
    char name[USERS_NAME_MAX + 1];
    enum api_role role;
    char password[crypto_pwhash_STRBYTES]; /* "": a link waits to be used */
    int64_t created_ms, login_ms;          /* 0: never */
    int64_t link_expires_ms;
};
/* ret_found false: nobody by that name, in any case of letters. */
enum err users_find(const struct users *u, const char *name, bool *ret_found, struct user *ret,
                    struct error *e) MUST_USE;
enum err users_of_link(const struct users *u, const struct hash *link, bool *ret_found,
                       bool *ret_used, struct user *ret, struct error *e) MUST_USE;
typedef enum err users_visit(void *ctx, const struct user *user, struct error *e);
enum err users_each(const struct users *u, users_visit *visit, void *ctx, struct error *e) MUST_USE;
enum err users_count(const struct users *u, int64_t *ret_users, int64_t *ret_tokens,
                     struct error *e) MUST_USE;

/* These change rows; inside the caller's transaction. */
enum err users_add(const struct users *u, const char *name, enum api_role role, int64_t now_ms,
                   struct error *e) MUST_USE;
enum err users_set_role(const struct users *u, int64_t id, enum api_role role, struct error *e)
    MUST_USE;
/* The password goes, and whoever brings the link may choose another. */
enum err users_set_link(const struct users *u, int64_t id, const struct hash *link,
                        int64_t expires_ms, struct error *e) MUST_USE;
/* The link, if there is one, is used with it. */
enum err users_set_password(const struct users *u, int64_t id, const char *password,
                            struct error *e) MUST_USE;
enum err users_remove(const struct users *u, int64_t id, struct error *e) MUST_USE;

struct user_session {
    struct user user;
    int64_t created_ms, seen_ms;
};
enum err users_session_add(const struct users *u, int64_t user, const struct hash *secret,
                           int64_t now_ms, struct error *e) MUST_USE;
enum err users_session_find(const struct users *u, const struct hash *secret, bool *ret_found,
                            struct user_session *ret, struct error *e) MUST_USE;
enum err users_session_seen(const struct users *u, const struct hash *secret, int64_t now_ms,
                            struct error *e) MUST_USE;
enum err users_session_end(const struct users *u, const struct hash *secret, struct error *e)
    MUST_USE;
/* All of a user's; those seen before `before_ms` of everybody. */
enum err users_sessions_end(const struct users *u, int64_t user, struct error *e) MUST_USE;
enum err users_sessions_prune(const struct users *u, int64_t before_ms, struct error *e) MUST_USE;

struct api_token {
    char name[USERS_NAME_MAX + 1];
    enum api_role role;
    int64_t created_ms, used_ms; /* 0: never */
    char actor[API_ACTOR_MAX];
};
enum err users_token_add(const struct users *u, const struct api_token *token,
                         const struct hash *secret, struct error *e) MUST_USE;
enum err users_token_find(const struct users *u, const struct hash *secret, bool *ret_found,
                          struct api_token *ret, struct error *e) MUST_USE;
enum err users_token_used(const struct users *u, const char *name, int64_t now_ms, struct error *e)
    MUST_USE;
enum err users_token_remove(const struct users *u, const char *name, bool *ret_found,
                            struct error *e) MUST_USE;
typedef enum err users_token_visit(void *ctx, const struct api_token *token, struct error *e);
enum err users_tokens(const struct users *u, users_token_visit *visit, void *ctx, struct error *e)
    MUST_USE;

#endif
