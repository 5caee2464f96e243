/* Tests of the form of the local API: matching of routes, and errors there and back as JSON. */
#include <criterion/criterion.h>
#include <string.h>

#include "api.h"

static enum err tell_params(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    (void)e;
    ++*(int *)domain;
    json_t *list = json_array();
    for (int i = 0; i < API_PARAMS_MAX && r->params[i]; i++)
        json_array_append_new(list, json_string(r->params[i]));
    *ret = list;
    return ERR_OK;
}

static enum err say_nothing(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    (void)domain, (void)r, (void)ret, (void)e;
    return ERR_OK;
}

/* A handler that fails after it made a body. */
static enum err fail(void *domain, const struct api_request *r, json_t **ret, struct error *e) {
    (void)domain, (void)r;
    *ret = json_object();
    return error_at(e, ERR_CONFLICT, "rows.csv", 12, 3, "found 9, expected at most 8");
}

static enum err not_there(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    (void)domain, (void)ret;
    return error_set(e, ERR_NOT_FOUND, "no site '%s'", r->params[0]);
}

static const struct api_route routes[] = {
    {API_GET, API_VIEWER, "/v1/rows?site&service", say_nothing, ""},
    {API_GET, API_VIEWER, "/v1/status", say_nothing, ""},
    {API_GET, API_VIEWER, "/v1/a/{x}", tell_params, ""},
    {API_POST, API_VIEWER, "/v1/a/{x}/b/{y}", tell_params, ""},
    {API_PUT, API_VIEWER, "/v1/fail", fail, ""},
    {API_DELETE, API_VIEWER, "/v1/sites/{name}", not_there, ""},
};

static int calls;

Test(api, a_route_is_for_those_who_may) {
    static const struct api_route table[] = {{API_POST, API_EDITOR, "/v1/x", say_nothing, ""}};
    static const enum err expected[] = {ERR_LOGIN, ERR_PERMISSION, ERR_OK, ERR_OK};
    for (int role = API_STRANGER; role <= API_ADMIN; role++) {
        json_t *body = NULL;
        struct api_request r = {.method = API_POST,
                                .path = "/v1/x",
                                .actor = "user:balie",
                                .role = (enum api_role)role};
        cr_expect_eq(api_dispatch(table, 1, NULL, &r, &body), expected[role], "%s",
                     api_role_name((enum api_role)role));
        json_decref(body);
    }
}

Test(api, roles_are_known_by_name) {
    enum api_role role = API_STRANGER;
    cr_expect_eq(api_role_parse("editor", &role, NULL), ERR_OK);
    cr_expect_eq(role, API_EDITOR);
    cr_expect_eq(api_role_parse("stranger", &role, NULL), ERR_DATA);
    cr_expect_eq(api_role_parse("", &role, NULL), ERR_DATA);
    cr_expect_eq(role, API_EDITOR);
}

static enum err call(enum api_method method, const char *path, json_t **ret) {
    struct api_request r = {.method = method, .path = path, .role = API_VIEWER};
    return api_dispatch(routes, sizeof routes / sizeof routes[0], &calls, &r, ret);
}

static void expect_params(enum api_method method, const char *path, const char *first,
                          const char *second) {
    json_t *body = NULL;
    cr_assert_eq(call(method, path, &body), ERR_OK, "%s", path);
    cr_assert_eq(json_array_size(body), second ? 2 : 1);
    cr_assert_str_eq(json_string_value(json_array_get(body, 0)), first);
    if (second)
        cr_assert_str_eq(json_string_value(json_array_get(body, 1)), second);
    json_decref(body);
}

static void expect_no_route(enum api_method method, const char *path) {
    json_t *body = NULL;
    int before = calls;
    cr_assert_eq(call(method, path, &body), ERR_NOT_FOUND, "%s", path);
    cr_assert_eq(calls, before);
    struct error e = {0};
    cr_assert_eq(api_error_from_json(body, &e), ERR_NOT_FOUND);
    cr_assert(strstr(e.detail, path), "'%s' does not name %s", e.detail, path);
    json_decref(body);
}

Test(api, braces_match_exactly_one_segment) {
    expect_params(API_GET, "/v1/a/one", "one", NULL);
    expect_params(API_GET, "/v1/a/Hospital A & \xC3\xA9", "Hospital A & \xC3\xA9", NULL);
    expect_params(API_POST, "/v1/a/1/b/2", "1", "2");
    expect_no_route(API_GET, "/v1/a/");
    expect_no_route(API_GET, "/v1/a");
    expect_no_route(API_GET, "/v1/a/one/");
    expect_no_route(API_GET, "/v1/a/one/two");
    expect_no_route(API_POST, "/v1/a//b/2");
    expect_no_route(API_GET, "");
    expect_no_route(API_GET, "/v1/statusx");
    expect_no_route(API_GET, "/v1/statu");
}

Test(api, known_path_with_another_method_says_so) {
    json_t *body = NULL;
    struct error e = {0};
    cr_assert_eq(call(API_POST, "/v1/status", &body), ERR_NOT_FOUND);
    api_error_from_json(body, &e);
    cr_assert(strstr(e.detail, "other methods"), "%s", e.detail);
    json_decref(body);
}

Test(api, segment_of_the_longest_path_fits) {
    char path[API_PATH_MAX];
    memset(path, 'x', sizeof path);
    memcpy(path, "/v1/a/", 6);
    path[sizeof path - 1] = '\0';
    expect_params(API_GET, path, path + 6, NULL);
}

Test(api, nothing_to_say_is_an_empty_object) {
    json_t *body = NULL;
    cr_assert_eq(call(API_GET, "/v1/status", &body), ERR_OK);
    cr_assert(json_is_object(body));
    cr_assert_eq(json_object_size(body), 0);
    struct error e = {0};
    cr_assert_eq(api_error_from_json(body, &e), ERR_OK);
    json_decref(body);
}

Test(api, error_survives_the_way_through_json) {
    json_t *body = NULL;
    struct error e = {0};
    cr_assert_eq(call(API_PUT, "/v1/fail", &body), ERR_CONFLICT);
    cr_assert_eq(api_error_from_json(body, &e), ERR_CONFLICT);
    cr_assert_str_eq(e.file, "rows.csv");
    cr_assert_eq(e.line, 12);
    cr_assert_eq(e.column, 3);
    cr_assert_str_eq(e.detail, "found 9, expected at most 8");
    json_decref(body);
}

Test(api, handlers_own_not_found_is_kept) {
    json_t *body = NULL;
    struct error e = {0};
    cr_assert_eq(call(API_DELETE, "/v1/sites/Oost", &body), ERR_NOT_FOUND);
    cr_assert_eq(api_error_from_json(body, &e), ERR_NOT_FOUND);
    cr_assert_str_eq(e.detail, "no site 'Oost'");
    json_decref(body);
}

/* What is no error of ours must not pass for success either. */
Test(api, unknown_code_in_an_error_is_internal) {
    json_t *body = json_loads("{\"error\":{\"code\":\"never-heard\"}}", 0, NULL);
    struct error e = {0};
    cr_assert_eq(api_error_from_json(body, &e), ERR_INTERNAL);
    json_decref(body);
    body = json_loads("{\"error\":{\"code\":\"ok\"}}", 0, NULL);
    cr_assert_eq(api_error_from_json(body, &e), ERR_INTERNAL);
    json_decref(body);
}

/* Also one that is only the beginning of a name, or a name and more. */
Test(api, a_query_has_names_that_the_route_knows) {
    static const struct {
        const char *path, *name;
        enum err expected;
    } cases[] = {{"/v1/rows", "site", ERR_OK},      {"/v1/rows", "service", ERR_OK},
                 {"/v1/rows", "servic", ERR_USAGE}, {"/v1/rows", "services", ERR_USAGE},
                 {"/v1/rows", "", ERR_USAGE},       {"/v1/rows", "site&service", ERR_USAGE},
                 {"/v1/status", "site", ERR_USAGE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *body = NULL, *query = json_pack("{s:s}", cases[i].name, "x");
        struct error e = {0};
        struct api_request r = {
            .method = API_GET, .path = cases[i].path, .role = API_VIEWER, .query = query};
        enum err err = api_dispatch(routes, sizeof routes / sizeof routes[0], NULL, &r, &body);
        cr_expect_eq(err, cases[i].expected, "%s ?%s", cases[i].path, cases[i].name);
        if (err != ERR_OK) {
            cr_expect_eq(api_error_from_json(body, &e), err);
            cr_expect_str_eq(e.file, cases[i].name);
        }
        json_decref(body);
        json_decref(query);
    }
}

Test(api, query_values_and_method_names) {
    json_t *query = json_pack("{s:s}", "service", "bed");
    struct api_request r = {.query = query};
    cr_assert_str_eq(api_query(&r, "service"), "bed");
    cr_assert_null(api_query(&r, "site"));
    r.query = NULL;
    cr_assert_null(api_query(&r, "service"));
    cr_assert_str_eq(api_method_name(API_DELETE), "DELETE");
    json_decref(query);
}
