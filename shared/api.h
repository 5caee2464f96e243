/* Owns the form of a local API: one table of routes, each a function from request to response over
 * the domain. Serves the command line, the web listener and in-process calls alike (design 4).
 * Must not know sockets or any route's meaning. */
#ifndef PLEK_API_H
#define PLEK_API_H

#include "json.h"

#define API_BODY_MAX (1024 * 1024)
#define API_PATH_MAX 512
#define API_ACTOR_MAX 64
#define API_PARAMS_MAX 4

enum api_method { API_GET, API_POST, API_PUT, API_DELETE };
/* What a caller may do, from least to most; each may do what those before it may. 0: nobody known.
 */
enum api_role { API_STRANGER, API_VIEWER, API_EDITOR, API_ADMIN };

/* Who may use the API from elsewhere, and what such a request brought: access.h. */
struct access;
struct access_caller;

struct api_request {
    enum api_method method;
    const char *path;   /* decoded, without query: "/v1/partners/Hospital A/approve" */
    json_t *query;      /* object of strings; NULL: none */
    json_t *body;       /* parsed JSON object; NULL: none */
    const char *actor;  /* "uid:1000", "user:NAME", "token:NAME": who is responsible */
    enum api_role role; /* what the actor may do */
    struct access *access;
    struct access_caller *caller; /* NULL: a call in this process */
    int64_t now_ms;
    const char *params[API_PARAMS_MAX]; /* set by dispatch: what the {..} of the pattern matched */
};

/* Success: fills *ret_body (may stay NULL: {}). Failure: the error becomes the response. */
typedef enum err (*api_handler)(void *domain, const struct api_request *request, json_t **ret_body,
                                struct error *e);
/* Each route is described in docs/openapi, and tests/openapi holds the two together. */
struct api_route {
    enum api_method method;
    enum api_role least; /* whom it is for */
    /* "/v1/partners/{name}/approve": {..} matches one segment. Behind the path stand the names that
     * a query may have, "/v1/lines?service&site". */
    const char *pattern;
    api_handler handler;
    const char *summary;
};

/* Two patterns, whatever queries they declare. */
bool api_same_path(const char *a, const char *b);
/* Finds the route, checks that the caller may use it (ERR_LOGIN for a stranger, ERR_PERMISSION) and
 * that it knows all of the query's names (ERR_USAGE), and calls it. ret_body is always an object or
 * array: the handler's, or
 * {"error":{"code","detail","file"?,"line"?,"column"?}}. Returns the code (ERR_NOT_FOUND: no
 * route). */
enum err api_dispatch(const struct api_route *routes, size_t count, void *domain,
                      struct api_request *request, json_t **ret_body);
json_t *api_error_to_json(const struct error *e);
/* The inverse, for a client: ERR_OK when the body is not an error. */
enum err api_error_from_json(const json_t *body, struct error *ret);
const char *api_method_name(enum api_method m);
const char *api_role_name(enum api_role role); /* "viewer" */
/* "viewer", "editor" or "admin". ERR_DATA. */
enum err api_role_parse(const char *text, enum api_role *ret, struct error *e) MUST_USE;
/* A query value, or NULL. */
const char *api_query(const struct api_request *r, const char *key);
/* Given, and neither "" nor "0". */
bool api_query_flag(const struct api_request *r, const char *key);

#endif
