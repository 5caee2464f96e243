/* Owns the commands over tables and places (see commands_tables.h). Must not hold any rule: the API
 * does. */
#include "commands_tables.h"

#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "download.h"
#include "local.h"
#include "profile.h"
#include "show.h"
#include "upload.h"

/* ---- import ---- */

static enum err fill_import(const struct args *a, bool places, json_t *body, struct error *e) {
    const char *profile = args_option(a, "profile");
    if (!profile)
        return error_set(e, ERR_USAGE,
                         "found no --profile FILE, expected one that says what the columns mean");
    json_t *where = json_array();
    json_object_set_new(body, "where", where);
    for (int i = 0; i < args_option_count(a, "where"); i++)
        json_array_append_new(where, json_string(args_option_at(a, "where", i)));
    json_object_set_new(body, "file", json_string(args_at(a, 0)));
    json_object_set_new(body, "profile_file", json_string(profile));
    json_object_set_new(body, "dry_run", json_boolean(args_flag(a, "dry-run")));
    json_object_set_new(body, "places", json_boolean(places));
    if (!places && args_flag(a, "history"))
        json_object_set_new(body, "history", json_true());
    local_put_option(body, "site", a, "site");
    local_put_option(body, "observed", a, "observed");
    return local_put_file(body, "profile", profile, PROFILE_MAX_BYTES, e);
}

static enum err upload(const struct args *a, bool places, struct error *e) {
    json_t *body = json_object(), *answer = NULL;
    struct client *client = NULL;
    const struct upload u = {.path = args_at(a, 0),
                             .body = body,
                             .progress = args_flag(a, "progress") || isatty(STDERR_FILENO)};
    enum err code = fill_import(a, places, body, e);
    if (code == ERR_OK && access(u.path, F_OK) != 0)
        code = error_at(e, ERR_NO_INPUT, u.path, 0, 0, "there is no such file");
    if (code == ERR_OK)
        code = local_open(a, &client, e);
    if (code == ERR_OK)
        code = upload_run(client, &u, &answer, e);
    client_close(client);
    if (code == ERR_OK)
        code = local_print(a, answer, show_import, e);
    json_decref(answer);
    json_decref(body);
    return code;
}

static enum err run_import(const struct args *a, struct error *e) {
    return upload(a, false, e);
}

static enum err run_place_import(const struct args *a, struct error *e) {
    return upload(a, true, e);
}

/* ---- places ---- */

static enum err change_place(const struct args *a, enum api_method method, struct error *e) {
    json_t *body = json_object(), *set = json_object();
    enum err code = commands_read_pairs(a, 2, set, e);
    if (code != ERR_OK) {
        json_decref(set);
        json_decref(body);
        return code;
    }
    json_object_set_new(body, "set", set);
    json_object_set_new(body, "service", json_string(args_at(a, 0)));
    json_object_set_new(body, "code", json_string(args_at(a, 1)));
    local_put_option(body, "site", a, "site");
    local_put_option(body, "ward", a, "ward");
    struct local_call call = {.method = method, .path = "/v1/places", .take_body = body};
    return local_run(a, &call, show_line, e);
}

static enum err run_place_add(const struct args *a, struct error *e) {
    return change_place(a, API_POST, e);
}

static enum err run_place_set(const struct args *a, struct error *e) {
    return change_place(a, API_PUT, e);
}

static enum err run_place_remove(const struct args *a, struct error *e) {
    return change_place(a, API_DELETE, e);
}

static enum err run_place_list(const struct args *a, struct error *e) {
    json_t *query = json_object();
    if (args_count(a) > 0)
        json_object_set_new(query, "service", json_string(args_at(a, 0)));
    local_put_option(query, "site", a, "site");
    local_put_option(query, "ward", a, "ward");
    struct local_call call = {.method = API_GET, .path = "/v1/places", .take_query = query};
    return local_run(a, &call, show_places, e);
}

/* ---- export ---- */

static enum err fill_export(const struct args *a, json_t *query, struct error *e) {
    static const char *const any[] = {"format", "service", "site", "region"};
    static const char *const of_history[] = {"partner", "from", "to"};
    const char *what = args_count(a) > 0 ? args_at(a, 0) : "lines";
    bool history = strcmp(what, "history") == 0, partners = args_flag(a, "partners");
    json_object_set_new(query, "what", json_string(what));
    for (size_t i = 0; i < sizeof any / sizeof any[0]; i++)
        local_put_option(query, any[i], a, any[i]);
    for (size_t i = 0; i < sizeof of_history / sizeof of_history[0]; i++) {
        if (!history && args_option(a, of_history[i]))
            return error_set(e, ERR_USAGE, "found --%s, expected it with `export history` only",
                             of_history[i]);
        local_put_option(query, of_history[i], a, of_history[i]);
    }
    if (partners && !history)
        return error_set(e, ERR_USAGE, "found --partners, expected it with `export history` only");
    if (partners)
        json_object_set_new(query, "partners", json_string("1"));
    return ERR_OK;
}

static enum err run_export(const struct args *a, struct error *e) {
    json_t *query = json_object();
    struct client *client = NULL;
    const struct download d = {.path = args_option(a, "output"), .query = query};
    enum err code = fill_export(a, query, e);
    if (code == ERR_OK)
        code = local_open(a, &client, e);
    if (code == ERR_OK)
        code = download_run(client, &d, e);
    client_close(client);
    json_decref(query);
    return code;
}

/* ---- the table ---- */

#define IMPORT_OPTIONS                                                                             \
    LOCAL_DIR,                                                                                     \
        {"profile", "FILE", false, "JSON that says what the columns mean (docs/formats.md)"},      \
        {"where", "COLUMN=VALUE", true, "only rows with this value"},                              \
        {"site", "S", false, "the site of every row"},                                             \
        {"observed", "TIME", false,                                                                \
         "when it was counted, whatever the profile's date column says"},                          \
        {"dry-run", NULL, false, "show row by row what would change, change nothing"},             \
        {"progress", NULL, false,                                                                  \
         "say on standard error how far it is (a terminal always sees it)"},                       \
        LOCAL_JSON
#define WARD_OPTIONS                                                                               \
    {"site", "S", false, "the site; optional while there is one"}, {                               \
        "ward", "W", false, "a ward of the site"                                                   \
    }

static const struct args_option import_options[] = {
    IMPORT_OPTIONS,
    {"history", NULL, false, "keep every row by its date, not only the newest of each line"},
    {0}};
static const struct args_option place_options[] = {LOCAL_DIR, WARD_OPTIONS, LOCAL_JSON, {0}};
static const struct args_option export_options[] = {
    LOCAL_DIR,
    {"format", "F", false, "excel-nl (default: opens in a Dutch Excel) or rfc4180 (for programs)"},
    {"output", "FILE", false, "write this file, whole or not at all; default: standard output"},
    {"service", "C", false, "only this service"},
    {"site", "S", false, "own figures: only this site"},
    {"region", "R", false, "partners' picture: only this region"},
    {"partner", "NAME", false, "history: this partner's instead of our own"},
    {"partners", NULL, false, "history: all partners' instead of our own"},
    {"from", "DAY", false, "history: from this day's beginning, or this time"},
    {"to", "DAY", false, "history: to this day's end, or this time"},
    {0}};

static const struct args_command commands[] = {
    {"import", "FILE", import_options, 1, 1,
     "take figures (or places) from a CSV file, all or nothing", run_import},
    {"export", "[lines|picture|history]", export_options, 0, 1,
     "write own figures, partners', or how they were, as a CSV table", run_export},
    {"place add", "SERVICE CODE [key=value...]", place_options, 2, -1,
     "add a place: state=free|occupied|held|blocked reason= until= note=; counts follow from "
     "places",
     run_place_add},
    {"place set", "SERVICE CODE key=value...", place_options, 3, -1, "change a place",
     run_place_set},
    {"place remove", "SERVICE CODE", place_options, 2, 2, "take a place away", run_place_remove},
    {"place list", "[SERVICE]", place_options, 0, 1, "show the places: they never leave the agent",
     run_place_list},
    {"place import", "FILE", import_options, 1, 1, "take places from a CSV file, all or nothing",
     run_place_import},
    {0},
};

const struct args_command *table_commands(void) {
    return commands;
}
