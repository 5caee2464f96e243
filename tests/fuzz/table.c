/* Fuzzes tables: an import profile, then CSV (docs/formats.md, "Import profile"). However a table
 * is cut into pieces, it reads the same; a dry run and a refusal change nothing. */
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

static int64_t lines_held(void) {
    size_t count = 0;
    const struct api_route *routes = agent_routes(&count);
    json_t *answer = NULL;
    struct api_request request = {.method = API_GET,
                                  .path = "/v1/lines",
                                  .actor = "uid:1000",
                                  .role = API_ADMIN,
                                  .now_ms = KIT_NOW};
    FUZZ_CHECK(api_dispatch(routes, count, kit.agent, &request, &answer) == ERR_OK);
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
        FUZZ_CHECK(json_integer_value(json_object_get(again, "new")) == 0);
        FUZZ_CHECK(json_integer_value(json_object_get(again, "changed")) == 0);
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
    stage_restore(&stage);
    kit_reopen(&kit, NULL);
    try_import(profile_text, text, how);
    agent_close(kit.agent);
    kit.agent = NULL;
    return 0;
}
