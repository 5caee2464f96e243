/* Fuzzes tables: an import profile, then CSV (docs/formats.md, "Import profile"). However a table
 * is cut into pieces, it reads the same; a dry run and a refusal change nothing; own history that
 * is exported and read again changes nothing. */
#include "import.h"
#include "profile.h"
#include "sheet.h"
#include "stage.h"
#include "unit/agent/agent_kit.h"

#define MAX_TEXT (1u << 20)

static struct kit kit;

static void clean_up(void) {
    scratch_done(&kit.scratch);
}

static void build(struct stage *s) {
    stage_begin();
    kit_joined(&kit, NULL);
    atexit(clean_up);
    agent_close(kit.agent);
    kit.agent = NULL;
    stage_save(s, kit.dir);
}

/* ---- rows ---- */

static enum err note_row(void *ctx, const struct sheet_row *row, struct error *e) {
    struct buf *out = ctx;
    (void)e;
    buf_printf(out, "%d %d", row->line, row->header);
    for (size_t i = 0; i < row->count; i++) {
        FUZZ_CHECK(utf8_valid(bytes_str(row->fields[i])));
        buf_printf(out, "|%s", row->fields[i]);
    }
    buf_append_u8(out, '\n');
    return ERR_OK;
}

/* All rows, and how it ended, when the table comes in pieces of this size. */
static void read_in_pieces(struct bytes text, struct sheet_config config, size_t piece,
                           struct buf *out) {
    struct error e = {0};
    struct sheet *sheet = NULL;
    config.ctx = out;
    FUZZ_CHECK(sheet_open(&config, &sheet, &e) == ERR_OK);
    enum err rc = ERR_OK;
    for (size_t at = 0; at < text.len && rc == ERR_OK; at += piece) {
        size_t len = text.len - at < piece ? text.len - at : piece;
        rc = sheet_feed(sheet, bytes_of(text.data + at, len), &e);
    }
    if (rc == ERR_OK)
        rc = sheet_end(sheet, &e);
    (void)fuzz_accepted(rc, &e);
    buf_printf(out, "%s %d %d %s", error_name(rc), e.line, e.column, e.detail);
    sheet_close(sheet);
}

static void try_sheet(struct bytes text, uint8_t how) {
    static const char delimiters[] = {'\0', ',', ';', '\t'};
    struct sheet_config config = {.name = "t.csv",
                                  .delimiter = delimiters[how % 4],
                                  .encoding = (enum sheet_encoding)(how / 4 % 3),
                                  .visit = note_row};
    struct buf whole, cut;
    buf_init(&whole, MAX_TEXT);
    buf_init(&cut, MAX_TEXT);
    read_in_pieces(text, config, text.len + 1, &whole);
    read_in_pieces(text, config, 1 + how / 16, &cut);
    FUZZ_CHECK(bytes_equal(buf_bytes(&whole), buf_bytes(&cut)));
    buf_done(&whole);
    buf_done(&cut);
}

/* ---- imports ---- */

/* What a route answers; `query` may be NULL. */
static json_t *ask(const char *path, json_t *query) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    json_t *answer = NULL;
    struct api_request request = {.method = API_GET,
                                  .path = path,
                                  .query = query,
                                  .actor = "uid:1000",
                                  .role = API_ADMIN,
                                  .now_ms = KIT_NOW};
    FUZZ_CHECK(api_dispatch(routes, count, kit.agent, &request, &answer) == ERR_OK);
    return answer;
}

static int64_t lines_held(void) {
    json_t *answer = ask("/v1/lines", NULL);
    int64_t held = (int64_t)json_array_size(answer);
    if (json_is_object(answer))
        held = (int64_t)json_array_size(json_object_get(answer, "lines"));
    json_decref(answer);
    return held;
}

static enum err run_import(struct import_request request, struct bytes text, json_t **ret) {
    struct error e = {0};
    enum err rc = import_run(kit.agent, &request, text, KIT_NOW, ret, &e);
    FUZZ_CHECK(fuzz_accepted(rc, &e) == (*ret != NULL));
    return rc;
}

static bool changes_nothing(const json_t *report) {
    return json_integer_value(json_object_get(report, "new")) == 0 &&
           json_integer_value(json_object_get(report, "changed")) == 0;
}

/* docs/formats.md, "Export", says of which names that is not so: they have a "'" in front. */
static void try_history(void) {
    static const char profile[] =
        "{\"format\":1,\"service\":{\"column\":\"service\"},\"site\":{\"column\":\"site\"},"
        "\"ward\":{\"column\":\"ward\"},\"delimiter\":\",\",\"encoding\":\"utf-8\","
        "\"decimal\":\".\",\"columns\":{\"total\":\"total\",\"occupied\":\"occupied\","
        "\"free\":\"free\",\"held\":\"held\",\"blocked\":\"blocked\",\"need\":\"need\","
        "\"status\":\"status\"},\"date\":{\"column\":\"observed_at\",\"format\":"
        "\"rfc3339\"},\"valid\":{\"column\":\"valid_until\"},\"unknown\":[\"\"]}";
    struct import_request request = {.file = "history.csv",
                                     .profile = bytes_str(profile),
                                     .profile_file = "profile-own-history.json",
                                     .history = true,
                                     .actor = "uid:1000"};
    json_t *query = json_pack("{s:s,s:s}", "what", "history", "format", "rfc4180"), *again = NULL;
    json_t *answer = ask("/v1/export", query);
    const char *text = json_string_value(json_object_get(answer, "text"));
    const char *rows = strchr(text, '\n');
    bool whole = json_is_null(json_object_get(answer, "next"));
    if (rows != NULL && rows[1] != '\0' && whole && strchr(rows, '\'') == NULL) {
        FUZZ_CHECK(run_import(request, bytes_str(text), &again) == ERR_OK);
        FUZZ_CHECK(changes_nothing(again));
        FUZZ_CHECK(json_integer_value(
                       json_object_get(json_object_get(again, "history"), "recorded")) == 0);
    }
    json_decref(again);
    json_decref(answer);
    json_decref(query);
}

/* A dry run says what the import will do, and the same table twice changes nothing. */
static void try_import(struct bytes profile, struct bytes text, uint8_t how) {
    struct import_request request = {.file = "t.csv",
                                     .profile = profile,
                                     .profile_file = "p.json",
                                     .places = how % 8 == 7,
                                     .dry_run = true,
                                     .history = how % 8 == 6,
                                     .actor = "uid:1000"};
    json_t *dry = NULL, *real = NULL, *again = NULL;
    int64_t before = lines_held();
    enum err foreseen = run_import(request, text, &dry);
    FUZZ_CHECK(lines_held() == before);
    request.dry_run = false;
    enum err rc = run_import(request, text, &real);
    FUZZ_CHECK(rc == foreseen);
    FUZZ_CHECK(rc == ERR_OK || lines_held() == before);
    if (rc == ERR_OK) {
        FUZZ_CHECK(json_equal(json_object_get(dry, "lines"), json_object_get(real, "lines")));
        FUZZ_CHECK(run_import(request, text, &again) == ERR_OK);
        FUZZ_CHECK(changes_nothing(again));
        try_history();
    }
    json_decref(dry);
    json_decref(real);
    json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stage stage;
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in);
    struct bytes profile_text = fuzz_piece(&in), text = fuzz_rest(&in);
    struct error e = {0};
    struct profile *profile = NULL;
    try_sheet(text, how);
    if (!fuzz_accepted(profile_parse(profile_text, "p.json", &profile, &e), &e)) {
        FUZZ_CHECK(profile == NULL);
        return 0;
    }
    profile_free(profile);
    if (stage.count == 0)
        build(&stage);
    kit_reopen(&kit, NULL);
    try_import(profile_text, text, how);
    agent_close(kit.agent);
    kit.agent = NULL;
    stage_restore(&stage);
    return 0;
}
