/* Owns who may use a daemon's API from elsewhere: log-in, sessions, links, tokens; whom a request
 * is from. Decides; the rows are users.c's. Must not know sockets: the shell says what a request
 * brought, and carries out the slow work that a handler asks for. */
#ifndef PLEK_ACCESS_H
#define PLEK_ACCESS_H

#include "throttle.h"
#include "users.h"

#define ACCESS_SECRET_LEN 32
#define ACCESS_SECRET_SIZE 48 /* room for a secret in base64url and its NUL */
#define ACCESS_ADDRESS_MAX 64
#define ACCESS_TOKEN_PREFIX "plek_"
#define ACCESS_LINK_MS (INT64_C(24) * 3600 * 1000)    /* a one-time link */
#define ACCESS_IDLE_MS (INT64_C(12) * 3600 * 1000)    /* a session that nobody uses */
#define ACCESS_SESSION_MS (INT64_C(7) * 86400 * 1000) /* any session */
#define ACCESS_SEEN_MS (INT64_C(5) * 60 * 1000)       /* a use is written at most this often */

/* What a request brought from elsewhere, and what its answer takes back. NULL in a request: it came
 * from this machine. */
struct access_caller {
    bool local;   /* its own socket: role and actor are set already */
    bool foreign; /* a page of another site sent it */
    bool idle;    /* nobody was at it: the session's time runs on */
    bool open;    /* what it brings can be read on the way: no password may come so */
    char address[ACCESS_ADDRESS_MAX];
    char session[ACCESS_SECRET_SIZE]; /* of the cookie; "": none */
    char csrf[ACCESS_SECRET_SIZE];
    char bearer[ACCESS_SECRET_SIZE + sizeof ACCESS_TOKEN_PREFIX];
    char actor[API_ACTOR_MAX];
    /* `wanted` and not `done` after a dispatch: nothing is decided yet. The shell carries it out
     * and dispatches the same request again. */
    struct password_work work;
    char new_session[ACCESS_SECRET_SIZE]; /* for a cookie; "": none */
    bool end_session;                     /* the cookie is over */
};

struct access_config {
    struct users users;
    struct entropy entropy;
    /* Whom this daemon serves, for `me`; "" where it is not known. Borrowed until the next call. */
    void (*describe)(void *ctx, const char **ret_member, const char **ret_network);
    /* A request that changes something and its answer are one transaction of the daemon's store:
     * what cannot be told was not done. `refresh` comes before every request: memory that a failure
     * left in doubt is read again. `abandon`: the request failed; `fatal`: by the machine, so that
     * memory may be ahead of the store. NULL, all four: a store that needs none of it. */
    enum err (*refresh)(void *ctx, struct error *e);
    enum err (*begin)(void *ctx, struct error *e);
    enum err (*commit)(void *ctx, struct error *e);
    void (*abandon)(void *ctx, bool fatal);
    void *ctx;
    bool editors; /* figures are entered here: the role `editor` exists */
};
struct access;
struct access *access_new(const struct access_config *config); /* NULL: no memory */
void access_free(struct access *a);
/* Where people reach the screens: "https://plek.example". What links begin with. Cut to 255 bytes.
 */
void access_set_url(struct access *a, const char *url);

/* Finds out whom the request is from (unless it is local), and dispatches it: api_dispatch. */
enum err access_dispatch(struct access *a, const struct api_route *routes, size_t count,
                         void *domain, struct api_request *request, json_t **ret_body);
/* The same for a caller that may wait: carries out the slow work itself. */
enum err access_call(struct access *a, const struct api_route *routes, size_t count, void *domain,
                     struct api_request *request, json_t **ret_body);

/* The routes; part of both daemons' tables. They use request->access, not the domain. */
const struct api_route *access_routes(size_t *ret_count);

/* ---- decisions, pure ---- */
bool access_session_alive(int64_t created_ms, int64_t seen_ms, int64_t now_ms);
/* Letters (any script), digits and ".-_@+", 1 to USERS_NAME_MAX bytes. ERR_DATA. */
enum err access_check_name(const char *name, struct error *e) MUST_USE;
/* What a page has to send back with whatever it changes, derived from the session's secret. */
void access_csrf(const char *session, char out[static ACCESS_SECRET_SIZE]);

#endif
