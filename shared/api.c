/* Owns the form of a local API: route matching, and errors as JSON. Must not know any route. */
#include "api.h"

#include "json_memory.h"

#include <stdlib.h>
#include <string.h>

/* Matches one path against one pattern; captured segments are copied into `room`. */
static bool match(const char *pattern, const char *path, char *room, size_t size,
                  const char *params[API_PARAMS_MAX]) {
    size_t used = 0;
    int count = 0;
    while (*pattern && *pattern != '?') {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t len = strcspn(path, "/");
        if (len == 0 || count == API_PARAMS_MAX || len >= size - used)
            return false;
        memcpy(room + used, path, len);
        room[used + len] = '\0';
        params[count++] = room + used;
        used += len + 1;
        path += len;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == '\0';
}

bool api_same_path(const char *a, const char *b) {
    size_t len = strcspn(a, "?");
    return strcspn(b, "?") == len && memcmp(a, b, len) == 0;
}

/* The names that a pattern declares: "service&site"; "": none. */
static const char *declared(const char *pattern) {
    const char *end = pattern + strcspn(pattern, "?");
    return *end ? end + 1 : end;
}

static bool declares(const char *names, const char *name) {
    size_t len = strlen(name);
    for (const char *at = names; *at; at += strcspn(at, "&"), at += *at == '&')
        if (strcspn(at, "&") == len && memcmp(at, name, len) == 0)
            return true;
    return false;
}

/* A filter with a slip of the pen in its name would give everything. */
static enum err check_query(const struct api_route *route, const struct api_request *request,
                            struct error *e) {
    const char *names = declared(route->pattern), *name;
    json_t *value;
    json_object_foreach(request->query, name, value) {
        if (!declares(names, name))
            return error_at(e, ERR_USAGE, name, 0, 0, "found the parameter '%.40s', expected %s%s",
                            name, *names ? "of these only: " : "none here", names);
    }
    return ERR_OK;
}

static enum err check_role(const struct api_route *route, const struct api_request *request,
                           struct error *e) {
    if (request->role >= route->least)
        return ERR_OK;
    if (request->role == API_STRANGER)
        return error_set(e, ERR_LOGIN, "log in first");
    return error_set(e, ERR_PERMISSION, "%s may not do this: it takes the role %s, found %s",
                     request->actor ? request->actor : "this caller", api_role_name(route->least),
                     api_role_name(request->role));
}

/* An answer that lacks something for want of memory is none. */
static enum err handle(const struct api_route *route, void *domain, struct api_request *request,
                       json_t **ret_body, struct error *e) {
    uint64_t failures = json_failures();
    enum err err = route->handler(domain, request, ret_body, e);
    if (err == ERR_OK && json_failures() != failures)
        return error_set(e, ERR_NO_MEMORY, "no memory for the answer");
    return err;
}

enum err api_dispatch(const struct api_route *routes, size_t count, void *domain,
                      struct api_request *request, json_t **ret_body) {
    struct error e = {0};
    enum err err = ERR_NOT_FOUND;
    json_t *body = NULL;
    char room[API_PATH_MAX + API_PARAMS_MAX];
    bool path_known = false;
    for (size_t i = 0; i < count; i++) {
        memset(request->params, 0, sizeof request->params);
        if (!match(routes[i].pattern, request->path, room, sizeof room, request->params))
            continue;
        path_known = true;
        if (routes[i].method != request->method)
            continue;
        err = check_role(&routes[i], request, &e);
        if (err == ERR_OK)
            err = check_query(&routes[i], request, &e);
        if (err == ERR_OK)
            err = handle(&routes[i], domain, request, &body, &e);
        e.code = err;
        break;
    }
    if (err == ERR_NOT_FOUND && e.detail[0] == '\0')
        error_set(&e, err, "no route %s %s%s", api_method_name(request->method), request->path,
                  path_known ? " (the path has other methods)" : "");
    if (err) {
        json_decref(body);
        body = api_error_to_json(&e);
    } else if (!body) {
        body = json_object();
    }
    memset(request->params, 0, sizeof request->params);
    *ret_body = body;
    return err;
}

json_t *api_error_to_json(const struct error *e) {
    json_t *inner = json_object();
    json_object_set_new(inner, "code", json_string(error_name(e->code)));
    json_object_set_new(inner, "detail",
                        json_string(e->detail[0] ? e->detail : error_text(e->code)));
    if (e->file[0])
        json_object_set_new(inner, "file", json_string(e->file));
    if (e->line)
        json_object_set_new(inner, "line", json_integer(e->line));
    if (e->column)
        json_object_set_new(inner, "column", json_integer(e->column));
    if (e->retry_ms)
        json_object_set_new(inner, "retry_ms", json_integer(e->retry_ms));
    return json_pack("{s:o}", "error", inner);
}

enum err api_error_from_json(const json_t *body, struct error *ret) {
    const json_t *inner = json_object_get(body, "error");
    if (!json_is_object(inner))
        return ERR_OK;
    const char *code = json_string_value(json_object_get(inner, "code"));
    const char *detail = json_string_value(json_object_get(inner, "detail"));
    const char *file = json_string_value(json_object_get(inner, "file"));
    enum err err = error_from_name(code ? code : "");
    return error_at(ret, err ? err : ERR_INTERNAL, file,
                    (int)json_integer_value(json_object_get(inner, "line")),
                    (int)json_integer_value(json_object_get(inner, "column")), "%s",
                    detail ? detail : "");
}

const char *api_method_name(enum api_method m) {
    static const char *const names[] = {"GET", "POST", "PUT", "DELETE"};
    return names[m];
}

static const char *const role_names[] = {"stranger", "viewer", "editor", "admin"};

const char *api_role_name(enum api_role role) {
    return role_names[role];
}

enum err api_role_parse(const char *text, enum api_role *ret, struct error *e) {
    for (int role = API_VIEWER; role <= API_ADMIN; role++) {
        if (strcmp(text, role_names[role]) == 0) {
            *ret = (enum api_role)role;
            return ERR_OK;
        }
    }
    return error_at(e, ERR_DATA, "role", 0, 0, "found '%.40s', expected viewer, editor or admin",
                    text);
}

const char *api_query(const struct api_request *r, const char *key) {
    return json_string_value(json_object_get(r->query, key));
}

bool api_query_flag(const struct api_request *r, const char *key) {
    const char *value = api_query(r, key);
    return value && strcmp(value, "0") != 0 && strcmp(value, "") != 0;
}
