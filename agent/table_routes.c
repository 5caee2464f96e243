/* Owns the routes about tables and places (see table_routes.h). Must not hold any rule. */
#include "table_routes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "export.h"
#include "find.h"
#include "import_session.h"
#include "past_rows.h"
#include "place.h"
#include "profile.h"

/* ---- imports ---- */

static const char *const import_keys[] = {"text",    "file",    "profile",  "profile_file",
                                          "where",   "site",    "observed", "places",
                                          "dry_run", "history", NULL};

/* What an import's body says, but for its table. */
static void read_import(const struct api_request *r, const struct json_at *at,
                        struct import_request *ret) {
    const char *file = body_optional_text(at, "file", BODY_FILE_NAME_MAX);
    const char *profile_file = body_optional_text(at, "profile_file", BODY_FILE_NAME_MAX);
    *ret = (struct import_request){
        .file = file ? file : "table",
        .profile = bytes_str(body_text(at, "profile", PROFILE_MAX_BYTES)),
        .profile_file = profile_file ? profile_file : "profile",
        .site = body_optional_text(at, "site", API_PATH_MAX),
        .observed = body_optional_text(at, "observed", BODY_TIME_MAX),
        .places = body_bool(at, "places"),
        .dry_run = body_bool(at, "dry_run"),
        .history = body_bool(at, "history"),
        .actor = r->actor,
    };
    struct json_at where = json_optional(at, "where");
    ret->where_count = json_present(&where) ? json_len(&where, IMPORT_MAX_WHERE) : 0;
    for (size_t i = 0; i < ret->where_count; i++) {
        struct json_at item = json_item(&where, i);
        ret->where[i] = json_text(&item, 1, API_PATH_MAX);
    }
}

/* A small table in one request. */
static enum err post_import(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    struct error fault = {0};
    struct json_at at;
    struct import_request request;
    enum err code = body_open(r, import_keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    struct json_at text = json_member(&at, "text");
    struct bytes table = bytes_str(json_text(&text, 0, AGENT_BODY_MAX));
    read_import(r, &at, &request);
    code = body_done(&fault, e);
    return code != ERR_OK ? code : import_run(domain, &request, table, r->now_ms, ret, e);
}

static enum err begin_import(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    struct error fault = {0};
    struct json_at at;
    struct import_request request;
    char id[IMPORT_SESSION_ID_SIZE];
    enum err code = body_open(r, import_keys + 1, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    read_import(r, &at, &request);
    code = body_done(&fault, e);
    if (code == ERR_OK)
        code = import_session_begin(domain, &request, r->body, r->now_ms, id, e);
    if (code == ERR_OK)
        *ret = json_pack("{s:s, s:i}", "id", id, "piece_max", IMPORT_PIECE_MAX);
    return code;
}

static enum err decode_piece(const char *text, uint8_t *out, size_t *ret_len, struct error *e) {
    const char *end = NULL;
    size_t len = strlen(text);
    if (sodium_base642bin(out, IMPORT_PIECE_MAX, text, len, NULL, ret_len, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text + len)
        return error_at(e, ERR_DATA, "data", 0, 0,
                        "found something else, expected base64 of at most %d bytes",
                        IMPORT_PIECE_MAX);
    return ERR_OK;
}

static enum err put_piece(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    static const char *const keys[] = {"offset", "data", NULL};
    struct error fault = {0};
    struct json_at at;
    struct import_progress progress;
    size_t len = 0;
    enum err code = body_open(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    struct json_at offset = json_member(&at, "offset"), data = json_member(&at, "data");
    int64_t from = json_int(&offset, 0, INT64_MAX);
    const char *text = json_text(&data, 0, AGENT_BODY_MAX);
    code = body_done(&fault, e);
    if (code != ERR_OK)
        return code;
    uint8_t *piece = malloc(IMPORT_PIECE_MAX);
    code = piece ? decode_piece(text, piece, &len, e)
                 : error_set(e, ERR_NO_MEMORY, "no memory for a piece of a table");
    if (code == ERR_OK)
        code = import_session_piece(domain, r->params[0], r->actor, (uint64_t)from,
                                    bytes_of(piece, len), r->now_ms, &progress, e);
    free(piece);
    if (code == ERR_OK)
        *ret = json_pack("{s:I, s:I}", "offset", (json_int_t)progress.offset, "rows_read",
                         (json_int_t)progress.rows_read);
    return code;
}

static enum err commit_import(void *domain, const struct api_request *r, json_t **ret,
                              struct error *e) {
    return import_session_commit(domain, r->params[0], r->actor, ret, e);
}

static enum err drop_import(void *domain, const struct api_request *r, json_t **ret,
                            struct error *e) {
    (void)ret;
    return import_session_drop(domain, r->params[0], r->actor, e);
}

/* ---- places ---- */

static enum err get_places(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    return places_json(domain, api_query(r, "service"), api_query(r, "site"), api_query(r, "ward"),
                       ret, e);
}

static enum err change_place(struct agent *a, const struct api_request *r, enum place_act act,
                             json_t **ret, struct error *e) {
    static const char *const keys[] = {"service", "site", "ward", "code", "set", NULL};
    struct error fault = {0};
    struct json_at at;
    struct body_pairs pairs = {.count = 0};
    struct record record;
    enum err code = body_open(r, keys, &fault, &at, e);
    if (code != ERR_OK)
        return code;
    struct json_at values = json_optional(&at, "set");
    body_read_pairs(&values, &pairs);
    const struct place_change change = {
        .act = act,
        .service = body_text(&at, "service", API_PATH_MAX),
        .site = body_optional_text(&at, "site", API_PATH_MAX),
        .ward = body_optional_text(&at, "ward", API_PATH_MAX),
        .code = body_text(&at, "code", API_PATH_MAX),
        .pairs = pairs.list,
        .pair_count = pairs.count,
        .actor = r->actor,
    };
    code = body_done(&fault, e);
    if (code == ERR_OK)
        code = place_apply(a, &change, r->now_ms, &record, e);
    return code != ERR_OK ? code : routes_answer_line(a, &record, r->now_ms, ret, e);
}

static enum err post_place(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    return change_place(domain, r, PLACE_ADD, ret, e);
}

static enum err put_place(void *domain, const struct api_request *r, json_t **ret,
                          struct error *e) {
    return change_place(domain, r, PLACE_CHANGE, ret, e);
}

static enum err delete_place(void *domain, const struct api_request *r, json_t **ret,
                             struct error *e) {
    return change_place(domain, r, PLACE_DROP, ret, e);
}

/* ---- export ---- */

static enum err history_rows(struct agent *a, const struct api_request *r, json_t **ret,
                             json_t **ret_next, struct error *e) {
    const struct past_filter filter = {.service = api_query(r, "service"),
                                       .member = api_query(r, "partner"),
                                       .site = api_query(r, "site"),
                                       .from = api_query(r, "from"),
                                       .to = api_query(r, "to"),
                                       .own = !api_query(r, "partner") &&
                                              !api_query_flag(r, "partners"),
                                       .partners = api_query_flag(r, "partners")};
    return past_rows_page(a, &filter, api_query(r, "after"), ret, ret_next, e);
}

static enum err export_rows(struct agent *a, const struct api_request *r, enum export_kind kind,
                            json_t **ret, json_t **ret_next, struct error *e) {
    struct find_filter filter;
    const char *service = api_query(r, "service");
    enum err code = ERR_OK;
    switch (kind) {
    case EXPORT_LINES:
        return records_lines_json(a, service, api_query(r, "site"), r->now_ms, ret, e);
    case EXPORT_PICTURE:
        code = find_filter_parse(a, service, NULL, api_query(r, "region"), NULL, &filter, e);
        return code != ERR_OK ? code : find_rows(a, &filter, r->now_ms, ret, e);
    case EXPORT_HISTORY:
        return history_rows(a, r, ret, ret_next, e);
    }
    return ERR_OK;
}

static enum err read_form(struct agent *a, const struct api_request *r, struct export_form *ret,
                          struct error *e) {
    const char *what = api_query(r, "what"), *how = api_query(r, "format");
    enum err code = what ? export_kind_parse(what, &ret->kind, e) : ERR_OK;
    code = code != ERR_OK || !how ? code : export_format_parse(how, &ret->format, e);
    ret->more = api_query(r, "after") != NULL;
    if (code == ERR_OK && ret->more && ret->kind != EXPORT_HISTORY)
        code = error_at(e, ERR_USAGE, "after", 0, 0, "only a table of history has pages");
    return code != ERR_OK ? code : agent_zone(a, &ret->zone, e);
}

static enum err get_export(void *domain, const struct api_request *r, json_t **ret,
                           struct error *e) {
    struct export_form form = {.kind = EXPORT_LINES, .format = EXPORT_EXCEL_NL};
    json_t *rows = NULL, *next = NULL;
    struct buf text;
    buf_init(&text, EXPORT_MAX_BYTES);
    enum err code = read_form(domain, r, &form, e);
    code = code != ERR_OK ? code : export_rows(domain, r, form.kind, &rows, &next, e);
    code = code != ERR_OK ? code : export_csv(&form, rows, &text, e);
    json_decref(rows);
    if (code == ERR_OK) {
        *ret = json_pack("{s:s%, s:O?}", "text", buf_text(&text), text.len, "next", next);
        if (!*ret)
            code = error_set(e, ERR_NO_MEMORY, "no memory for the export");
    }
    json_decref(next);
    buf_done(&text);
    return code;
}

/* ---- the table ---- */

static const struct api_route routes[] = {
    {API_POST, API_EDITOR, "/v1/import", post_import,
     "{text, file?, profile, profile_file?, where?, site?, observed?, places?, dry_run?, "
     "history?}"},
    {API_POST, API_EDITOR, "/v1/imports", begin_import,
     "begins an import in pieces: the same without text; answers {id, piece_max}"},
    {API_PUT, API_EDITOR, "/v1/imports/{id}", put_piece, "the next piece: {offset, data: base64}"},
    {API_POST, API_EDITOR, "/v1/imports/{id}/commit", commit_import,
     "the table has ended: stores, reports"},
    {API_DELETE, API_EDITOR, "/v1/imports/{id}", drop_import, "gives an import up"},
    {API_GET, API_VIEWER, "/v1/places?service&site&ward", get_places,
     "places; ?service, ?site, ?ward"},
    {API_POST, API_EDITOR, "/v1/places", post_place,
     "adds a place: {service, site?, ward?, code, set?: {state, reason, until, note}}"},
    {API_PUT, API_EDITOR, "/v1/places", put_place, "changes a place: the same"},
    {API_DELETE, API_EDITOR, "/v1/places", delete_place,
     "takes a place away: {service, site?, ward?, code}"},
    {API_GET, API_VIEWER,
     "/v1/export?what&format&service&site&region&partner&partners&from&to&after", get_export,
     "a CSV table as {text, next}: ?what=lines|picture|history, ?format=excel-nl|rfc4180, "
     "?service, ?site, ?region; of history ?partner, ?partners=1, ?from, ?to, ?after=next"},
};

const struct api_route *table_routes(size_t *ret_count) {
    *ret_count = sizeof routes / sizeof routes[0];
    return routes;
}
