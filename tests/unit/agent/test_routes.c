/* The local API's routes for own records: forms of bodies, answers and faults. */
#include "import_session.h"
#include "unit/access/gate.h"
#include "unit/agent/agent_kit.h"

static int64_t later_ms; /* each test is a process of its own */
static struct kit kit;

static void setup(void) {
    kit_joined(&kit, NULL);
}
static void teardown(void) {
    kit_done(&kit);
}
TestSuite(routes, .init = setup, .fini = teardown);

/* The answer; its code in *ret. body, query: JSON text or NULL. */
static json_t *call(enum api_method method, const char *path, const char *query, const char *body,
                    enum err *ret) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    json_t *answer = NULL;
    struct api_request r = {.method = method,
                            .path = path,
                            .query = query ? json_loads(query, 0, NULL) : NULL,
                            .body = body ? json_loads(body, JSON_DECODE_ANY, NULL) : NULL,
                            .actor = "uid:1000",
                            .role = API_ADMIN,
                            .now_ms = KIT_NOW + later_ms};
    cr_assert(!body || r.body, "%s", body);
    *ret = access_call(agent_access(kit.agent), routes, count, kit.agent, &r, &answer);
    json_decref(r.query);
    json_decref(r.body);
    return answer;
}

static json_t *ok(enum api_method method, const char *path, const char *body) {
    enum err code = ERR_OK;
    json_t *answer = call(method, path, NULL, body, &code);
    char *text = json_dumps(answer, 0);
    cr_assert_eq(code, ERR_OK, "%s: %s", path, text);
    free(text);
    return answer;
}

static void refuse(enum api_method method, const char *path, const char *body, enum err expected,
                   const char *file) {
    enum err code = ERR_OK;
    struct error e = {0};
    json_t *answer = call(method, path, NULL, body, &code);
    cr_assert_eq(code, expected, "%s %s: %d", path, body ? body : "", code);
    cr_assert_eq(api_error_from_json(answer, &e), expected);
    cr_assert_str_eq(e.file, file, "%s: %s", path, e.file);
    json_decref(answer);
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

Test(routes, set_and_lines) {
    json_t *line = ok(
        API_POST, "/v1/lines",
        "{\"service\":\"bed\",\"ward\":\"A\",\"set\":{\"free\":3,\"occupied\":\"4\",\"held\":null,"
        "\"security\":\"high\"}}");
    cr_assert_str_eq(text_of(line, "site"), KIT_MEMBER);
    cr_assert_str_eq(text_of(line, "ward"), "A");
    cr_assert_eq(json_integer_value(json_object_get(line, "total")), 7);
    cr_assert(json_is_null(json_object_get(line, "held")));
    cr_assert_str_eq(text_of(line, "actor"), "uid:1000");
    cr_assert_str_eq(text_of(json_object_get(line, "attributes"), "security"), "high");
    json_t *lines = ok(API_GET, "/v1/lines", NULL);
    cr_assert_eq(json_array_size(lines), 1);
    cr_assert(json_equal(json_array_get(lines, 0), line));
    json_decref(lines);
    json_decref(line);
}

Test(routes, set_faults_have_a_path) {
    refuse(API_POST, "/v1/lines", NULL, ERR_USAGE, "");
    refuse(API_POST, "/v1/lines", "[1]", ERR_USAGE, "");
    refuse(API_POST, "/v1/lines", "{\"set\":{\"free\":\"3\"}}", ERR_DATA, "service");
    refuse(API_POST, "/v1/lines", "{\"service\":\"bed\",\"colour\":1}", ERR_DATA, "");
    refuse(API_POST, "/v1/lines", "{\"service\":\"bed\",\"set\":[]}", ERR_DATA, "set");
    refuse(API_POST, "/v1/lines", "{\"service\":\"bed\",\"set\":{\"free\":true}}", ERR_DATA,
           "set.free");
    refuse(API_POST, "/v1/lines", "{\"service\":\"bed\",\"set\":{\"free\":1.5}}", ERR_DATA,
           "set.free");
    refuse(API_POST, "/v1/lines", "{\"service\":\"bed\",\"set\":{\"free\":\"x\"}}", ERR_DATA,
           "free");
    refuse(API_POST, "/v1/lines", "{\"service\":\"bed\",\"keep\":\"yes\"}", ERR_DATA, "keep");
    json_t *lines = ok(API_GET, "/v1/lines", NULL);
    cr_assert_eq(json_array_size(lines), 0);
    json_decref(lines);
}

Test(routes, sites) {
    json_decref(ok(API_POST, "/v1/sites", "{\"name\":\"Noord / Oost\",\"region\":\"NL-GR\"}"));
    enum err code = ERR_OK;
    json_t *sites =
        call(API_PUT, "/v1/sites", "{\"site\":\"Noord / Oost\"}", "{\"phone\":\"030 1\"}", &code);
    cr_assert_eq(code, ERR_OK);
    cr_assert_eq(json_array_size(sites), 2);
    cr_assert_str_eq(text_of(json_array_get(sites, 1), "phone"), "030 1");
    cr_assert_str_eq(text_of(json_array_get(sites, 1), "region"), "NL-GR");
    cr_assert(json_is_null(json_object_get(json_array_get(sites, 1), "note")));
    json_decref(sites);
    json_decref(ok(API_PUT, "/v1/sites/" KIT_MEMBER, "{\"note\":\"bel eerst\"}"));
    refuse(API_PUT, "/v1/sites", "{\"note\":\"x\"}", ERR_USAGE, "");
    refuse(API_PUT, "/v1/sites/West", "{\"note\":\"x\"}", ERR_NOT_FOUND, "");
    refuse(API_POST, "/v1/sites", "{\"name\":\"Noord / Oost\"}", ERR_CONFLICT, "name");
    refuse(API_POST, "/v1/sites", "{\"region\":\"NL\"}", ERR_DATA, "name");
    refuse(API_POST, "/v1/sites", "{\"name\":\"x\",\"owner\":\"y\"}", ERR_DATA, "");
}

Test(routes, confirm) {
    json_decref(ok(API_POST, "/v1/lines", "{\"service\":\"bed\",\"set\":{\"free\":3}}"));
    json_t *answer = ok(API_POST, "/v1/confirm", "{}");
    cr_assert_eq(json_integer_value(json_object_get(answer, "confirmed")), 1);
    json_decref(answer);
    refuse(API_POST, "/v1/confirm", "{\"service\":\"care\"}", ERR_NOT_FOUND, "");
    refuse(API_POST, "/v1/confirm", "{\"everything\":true}", ERR_DATA, "");
}

Test(routes, import) {
    json_t *report = ok(
        API_POST, "/v1/import",
        "{\"text\":\"w,f\\nA,1\\nB,2\\n\",\"file\":\"in.csv\",\"where\":[\"w=B\"],"
        "\"profile\":\"{\\\"format\\\":1,\\\"service\\\":\\\"bed\\\",\\\"ward\\\":{\\\"column\\\":"
        "\\\"w\\\"},\\\"columns\\\":{\\\"free\\\":\\\"f\\\"}}\"}");
    cr_assert_eq(json_integer_value(json_object_get(report, "new")), 1);
    cr_assert_eq(json_integer_value(json_object_get(report, "rows_read")), 2);
    json_decref(report);
    refuse(API_POST, "/v1/import", "{\"text\":\"f\\n1\\n\"}", ERR_DATA, "profile");
    refuse(API_POST, "/v1/import",
           "{\"text\":\"f\\n1\\n\",\"profile\":\"{\",\"profile_file\":\"p.json\"}", ERR_DATA,
           "p.json");
    refuse(API_POST, "/v1/import", "{\"text\":\"f\\n1\\n\",\"profile\":\"{}\",\"where\":\"a=b\"}",
           ERR_DATA, "where");
}

/* ---- two people at one line ---- */

static json_int_t int_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

#define FREE(n, revision) "{\"service\":\"bed\",\"revision\":" revision ",\"set\":{\"free\":" n "}}"

Test(routes, the_second_to_change_a_line_is_told) {
    json_t *line = ok(API_POST, "/v1/lines", FREE("3", "0"));
    cr_assert_eq(int_of(line, "revision"), 1);
    cr_assert(json_is_false(json_object_get(line, "undo")));
    json_decref(line);
    refuse(API_POST, "/v1/lines", FREE("5", "0"), ERR_CONFLICT, "");
    line = ok(API_POST, "/v1/lines", FREE("4", "1"));
    cr_assert_eq(int_of(line, "revision"), 2);
    json_decref(line);
    refuse(API_POST, "/v1/lines", FREE("9", "1"), ERR_CONFLICT, "");
    refuse(API_POST, "/v1/lines", FREE("9", "-1"), ERR_DATA, "revision");
    refuse(API_POST, "/v1/confirm", "{\"service\":\"bed\",\"revision\":1}", ERR_CONFLICT, "");
    refuse(API_POST, "/v1/undo", "{\"service\":\"bed\",\"revision\":1}", ERR_CONFLICT, "");
    json_t *lines = ok(API_GET, "/v1/lines", NULL);
    cr_assert_eq(int_of(json_array_get(lines, 0), "free"), 4);
    cr_assert_eq(int_of(json_array_get(lines, 0), "revision"), 2);
    json_decref(lines);
    json_decref(ok(API_POST, "/v1/confirm", "{\"service\":\"bed\",\"revision\":2}"));
}

Test(routes, undo_brings_back_what_stood_before_with_its_age) {
    refuse(API_POST, "/v1/undo", "{\"service\":\"bed\"}", ERR_NOT_FOUND, "");
    json_t *first =
        ok(API_POST, "/v1/lines",
           "{\"service\":\"bed\",\"set\":{\"free\":3,\"note\":\"bel\",\"security\":\"high\"}}");
    refuse(API_POST, "/v1/undo", "{\"service\":\"bed\"}", ERR_NOT_FOUND, "");
    later_ms = KIT_HOUR;
    json_decref(ok(API_POST, "/v1/lines",
                   "{\"service\":\"bed\",\"set\":{\"free\":30,\"security\":\"low\"}}"));
    json_t *back = ok(API_POST, "/v1/undo", "{\"service\":\"bed\",\"revision\":2}");
    static const char *const same[] = {"free",        "note",        "attributes",
                                       "observed_at", "valid_until", "entered"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        cr_assert(json_equal(json_object_get(first, same[i]), json_object_get(back, same[i])), "%s",
                  same[i]);
    cr_assert_eq(int_of(back, "revision"), 3);
    cr_assert_eq(int_of(back, "age_s"), 3600);
    json_decref(back);
    /* The log does not keep the slip. */
    json_t *past = ok(API_GET, "/v1/history", NULL);
    json_decref(past);
    enum err code = ERR_OK;
    past = call(API_GET, "/v1/history", "{\"own\":\"1\"}", NULL, &code);
    cr_assert_eq(json_array_size(past), 2);
    cr_assert_eq(int_of(json_array_get(past, 0), "available"), 3);
    cr_assert_eq(int_of(json_array_get(past, 1), "available"), 3);
    json_decref(past);
    /* Once more: the change is back. */
    back = ok(API_POST, "/v1/undo", "{\"service\":\"bed\"}");
    cr_assert_eq(int_of(back, "free"), 30);
    cr_assert_str_eq(text_of(json_object_get(back, "attributes"), "security"), "low");
    json_decref(back);
    json_decref(first);
}

Test(routes, an_expired_figure_comes_back_expired) {
    json_decref(ok(API_POST, "/v1/lines", "{\"service\":\"bed\",\"set\":{\"free\":3}}"));
    later_ms = 25 * KIT_HOUR;
    json_decref(ok(API_POST, "/v1/confirm", "{\"all\":true}"));
    json_t *back = ok(API_POST, "/v1/undo", "{\"service\":\"bed\"}");
    cr_assert_str_eq(text_of(back, "freshness"), "expired");
    json_decref(back);
    enum err code = ERR_OK;
    json_t *past = call(API_GET, "/v1/history", "{\"own\":\"1\"}", NULL, &code);
    cr_assert_eq(json_array_size(past), 1, "a figure stays in the log that nobody stood by");
    json_decref(past);
}

Test(routes, counts_of_places_are_not_undone) {
    json_decref(ok(API_POST, "/v1/places", "{\"service\":\"bed\",\"code\":\"1\"}"));
    json_decref(ok(API_POST, "/v1/places", "{\"service\":\"bed\",\"code\":\"2\"}"));
    refuse(API_POST, "/v1/undo", "{\"service\":\"bed\"}", ERR_DATA, "total");
}

/* ---- imports in pieces ---- */

#define BEGIN                                                                                      \
    "{\"file\":\"in.csv\",\"profile\":\"{\\\"format\\\":1,\\\"service\\\":\\\"bed\\\","            \
    "\\\"columns\\\":{\\\"free\\\":\\\"f\\\"}}\"}"

static void begin(char path[static 64]) {
    json_t *answer = ok(API_POST, "/v1/imports", BEGIN);
    snprintf(path, 64, "/v1/imports/%s", text_of(answer, "id"));
    cr_assert_eq(json_integer_value(json_object_get(answer, "piece_max")), IMPORT_PIECE_MAX);
    json_decref(answer);
}

Test(routes, import_in_pieces) {
    char path[64], commit[80];
    begin(path);
    snprintf(commit, sizeof commit, "%s/commit", path);
    /* "f\n4" and "2\n" */
    json_t *answer = ok(API_PUT, path, "{\"offset\":0,\"data\":\"Zgo0\"}");
    cr_assert_eq(json_integer_value(json_object_get(answer, "offset")), 3);
    json_decref(answer);
    refuse(API_PUT, path, "{\"offset\":0,\"data\":\"Zgo0\"}", ERR_CONFLICT, "offset");
    refuse(API_PUT, path, "{\"offset\":3,\"data\":\"?\"}", ERR_DATA, "data");
    answer = ok(API_PUT, path, "{\"offset\":3,\"data\":\"Mgo=\"}");
    cr_assert_eq(json_integer_value(json_object_get(answer, "rows_read")), 1);
    json_decref(answer);
    answer = ok(API_POST, commit, NULL);
    cr_assert_eq(json_integer_value(json_object_get(answer, "new")), 1);
    json_decref(answer);
    refuse(API_POST, commit, NULL, ERR_NOT_FOUND, "");
}

Test(routes, a_faulty_piece_ends_the_import) {
    char path[64];
    begin(path);
    /* "f\nx\n" */
    refuse(API_PUT, path, "{\"offset\":0,\"data\":\"Zgp4Cg==\"}", ERR_DATA, "in.csv");
    refuse(API_PUT, path, "{\"offset\":5,\"data\":\"Mgo=\"}", ERR_NOT_FOUND, "");
}

Test(routes, imports_under_way_are_bounded_and_can_be_given_up) {
    char paths[IMPORT_SESSIONS_MAX][64];
    for (int i = 0; i < IMPORT_SESSIONS_MAX; i++)
        begin(paths[i]);
    refuse(API_POST, "/v1/imports", BEGIN, ERR_BUSY, "");
    json_decref(ok(API_DELETE, paths[1], NULL));
    begin(paths[1]);
    later_ms = IMPORT_SESSION_STALE_MS - 1;
    json_decref(ok(API_PUT, paths[0], "{\"offset\":0,\"data\":\"Zgo0\"}"));
    refuse(API_POST, "/v1/imports", BEGIN, ERR_BUSY, "");
    later_ms++; /* the others' clients were interrupted */
    begin(paths[2]);
    json_decref(ok(API_PUT, paths[0], "{\"offset\":3,\"data\":\"Cg==\"}"));
    refuse(API_PUT, paths[3], "{\"offset\":0,\"data\":\"\"}", ERR_NOT_FOUND, "");
    refuse(API_PUT, "/v1/imports/00", "{\"offset\":0,\"data\":\"\"}", ERR_NOT_FOUND, "");
}

Test(routes, places_and_export) {
    json_decref(ok(API_POST, "/v1/places",
                   "{\"service\":\"bed\",\"code\":\"1\",\"set\":{\"state\":\"held\"}}"));
    json_t *list = ok(API_GET, "/v1/places", NULL);
    cr_assert_str_eq(text_of(json_array_get(list, 0), "state"), "held");
    json_decref(list);
    refuse(API_POST, "/v1/places", "{\"service\":\"bed\"}", ERR_DATA, "code");
    json_t *table = ok(API_GET, "/v1/export", NULL);
    cr_assert_not_null(strstr(text_of(table, "text"), "bed;;0;1;0;;1;0;"), "%s",
                       text_of(table, "text"));
    json_decref(table);
    json_decref(ok(API_DELETE, "/v1/places", "{\"service\":\"bed\",\"code\":\"1\"}"));
}

Test(routes, charter) {
    json_t *charter = ok(API_GET, "/v1/charter", NULL);
    cr_assert_eq(json_integer_value(json_object_get(charter, "version")), 1);
    json_t *services = json_object_get(charter, "services");
    cr_assert_str_eq(text_of(json_array_get(services, 0), "code"), "bed");
    json_decref(charter);
    kit_done(&kit);
    kit_alone(&kit);
    refuse(API_GET, "/v1/charter", NULL, ERR_NOT_JOINED, "");
}

/* The table is one: every route answers, and none stands twice. */
Test(routes, table) {
    size_t count = 0, again = 0;
    const struct api_route *routes = agent_routes(&count);
    cr_assert_eq(agent_routes(&again), routes);
    cr_assert_eq(again, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++)
            cr_assert(routes[i].method != routes[k].method ||
                          !api_same_path(routes[i].pattern, routes[k].pattern),
                      "%s", routes[i].pattern);
        cr_assert_not_null(routes[i].handler);
        cr_assert_not_null(routes[i].summary);
    }
}

Test(routes, every_route_has_its_role) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    gate_expect_roles(routes, count);
    gate_expect_refusals(routes, count);
}
