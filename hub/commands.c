/* Owns plek-hub's commands but for `run`: reading options and files, one call of the local API, and
 * showing the answer. Must not hold any rule: the API does. */
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "access_commands.h"
#include "client.h"
#include "clock.h"
#include "hub.h"
#include "keyfile.h"
#include "random.h"
#include "show.h"

/* ---- the way to the domain ---- */

static enum err open_local(const char *dir, void **ret, struct error *e) {
    struct entropy entropy = random_entropy();
    struct hub *hub = NULL;
    enum err err = hub_open(dir, NULL, &entropy, &hub, e);
    if (err == ERR_OK)
        *ret = hub;
    return err;
}

static void close_local(void *domain) {
    hub_close(domain);
}

static struct access *access_of(void *domain) {
    return hub_access(domain);
}

/* Without --dir the current directory, as long as it holds a hub: hub_settings_read says so. */
static enum err find_dir(const struct args *a, const char **ret, struct error *e) {
    const char *given = args_option(a, "dir");
    struct hub_settings settings;
    enum err err = hub_settings_read(given != NULL ? given : ".", &settings, e);
    if (err == ERR_NO_INPUT && given == NULL)
        return error_set(e, ERR_USAGE, "found no hub in this directory; name one with --dir DIR");
    if (err == ERR_OK)
        *ret = given != NULL ? given : ".";
    return err;
}

struct call {
    enum api_method method;
    const char *path;
    json_t *take_query, *take_body;
};

static enum err ask(struct client *client, const struct call *call, json_t **ret, struct error *e) {
    return client_call(client, call->method, call->path, call->take_query, call->take_body, ret, e);
}

static enum err open_client(const struct args *a, struct client **ret, struct error *e) {
    struct client_local local = {.open = open_local, .close = close_local, .access = access_of};
    const char *dir = NULL;
    local.routes = hub_routes(&local.route_count);
    enum err err = find_dir(a, &dir, e);
    return err == ERR_OK ? client_open(dir, &local, ret, e) : err;
}

typedef void show_fn(const json_t *answer, FILE *out);

static enum err print(const struct args *a, const json_t *answer, show_fn *show, struct error *e) {
    if (!args_flag(a, "json")) {
        show(answer, stdout);
    } else {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return error_set(e, ERR_IO, "the answer cannot be written: %s", strerror(errno));
    return ERR_OK;
}

/* One call and its answer. Frees what the call brought. */
static enum err run_call(const struct args *a, const struct call *call, show_fn *show,
                         struct error *e) {
    struct client *client = NULL;
    json_t *answer = NULL;
    enum err err = open_client(a, &client, e);
    if (err == ERR_OK)
        err = ask(client, call, &answer, e);
    client_close(client);
    if (err == ERR_OK)
        err = print(a, answer, show, e);
    json_decref(answer);
    json_decref(call->take_query);
    json_decref(call->take_body);
    return err;
}

/* ---- files ---- */

static enum err read_stream(FILE *in, const char *path, struct buf *out, struct error *e) {
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, in)) > 0)
        buf_append(out, piece, n);
    if (ferror(in))
        return error_at(e, ERR_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    if (out->failed == ERR_TOO_LARGE)
        return error_at(e, ERR_TOO_LARGE, path, 0, 0,
                        "found more than %zu bytes, expected a charter", out->max);
    return buf_failed(out, e);
}

static enum err read_file(const char *path, struct buf *out, struct error *e) {
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return error_at(e, ERR_NO_INPUT, path, 0, 0, "cannot be opened: %s", strerror(errno));
    enum err err = read_stream(in, path, out, e);
    fclose(in);
    if (err == ERR_OK && out->len == 0)
        err = error_at(e, ERR_DATA, path, 0, 0, "found an empty file, expected a charter");
    return err;
}

/* ---- init ---- */

static void show_init(const json_t *answer, FILE *out) {
    fprintf(out, "Made the hub of network '%s' in %s.\nFingerprint: %s\n",
            show_text(answer, "name"), show_text(answer, "dir"), show_text(answer, "fingerprint"));
    fprintf(out, "Next: plek-hub run --dir %s, and plek-hub invite for each member.\n",
            show_text(answer, "dir"));
}

static enum err report_init(const struct args *a, const char *dir, struct error *e) {
    char path[PATH_MAX + 16], fingerprint[FINGERPRINT_SIZE], hex[2 * KEY_LEN + 1];
    struct keyfile keys;
    snprintf(path, sizeof path, "%s/" KEYFILE_NAME, dir);
    enum err err = keyfile_read(path, &keys, e);
    if (err != ERR_OK)
        return err;
    hex_encode(hex, bytes_of(keys.sign.pub.b, KEY_LEN));
    json_t *answer =
        json_pack("{s:s, s:s, s:s, s:s}", "dir", dir, "name", args_option(a, "name"), "network",
                  hex, "fingerprint", fingerprint_text(&keys.sign.pub, fingerprint));
    keyfile_wipe(&keys);
    err = print(a, answer, show_init, e);
    json_decref(answer);
    return err;
}

static enum err run_init(const struct args *a, struct error *e) {
    const char *dir = args_option(a, "dir"), *name = args_option(a, "name");
    const char *file = args_option(a, "charter");
    struct entropy entropy = random_entropy();
    struct buf charter;
    if (dir == NULL || name == NULL)
        return error_set(e, ERR_USAGE, "expected --dir DIR and --name NAME");
    buf_init(&charter, CHARTER_MAX_BYTES);
    enum err err = file != NULL ? read_file(file, &charter, e) : ERR_OK;
    if (err == ERR_OK)
        err = hub_init(dir, name, buf_bytes(&charter), &entropy, clock_wall_ms(), e);
    /* The library calls the document "charter": people know it by its file. */
    if (err == ERR_DATA && file != NULL && e != NULL && strncmp(e->file, "charter", 7) == 0 &&
        (e->file[7] == '\0'))
        snprintf(e->file, sizeof e->file, "%s", file);
    else if (err == ERR_DATA && file != NULL && e != NULL && strcmp(e->file, "name") != 0)
        err = error_in_file(e, file);
    buf_done(&charter);
    return err == ERR_OK ? report_init(a, dir, e) : err;
}

/* ---- invite ---- */

static void show_invite(const json_t *answer, FILE *out) {
    fprintf(out, "%s\n", show_text(answer, "uri"));
}

static enum err run_invite(const struct args *a, struct error *e) {
    const char *name = args_option(a, "name"), *expires = args_option(a, "expires");
    const char *role = args_option(a, "role"), *address = args_option(a, "address");
    int64_t lasts_ms = 0;
    if (name == NULL)
        return error_set(e, ERR_USAGE, "expected --name NAME: the member's name in this network");
    enum err err = text_parse_duration(expires != NULL ? expires : "7d", &lasts_ms, e);
    if (err == ERR_OK && lasts_ms <= 0)
        err = error_set(e, ERR_USAGE, "found --expires %.40s, expected more than nothing", expires);
    if (err != ERR_OK)
        return err;
    json_int_t expires_ms = clock_wall_ms() + lasts_ms;
    json_t *body = json_pack("{s:s, s:I}", "name", name, "expires_ms", expires_ms);
    if (body == NULL)
        return error_set(e, ERR_DATA, "found a name that is not UTF-8 text");
    if (role != NULL)
        json_object_set_new(body, "role", json_string(role));
    if (address != NULL)
        json_object_set_new(body, "address", json_string(address));
    if (args_flag(a, "again"))
        json_object_set_new(body, "again", json_true());
    struct call call = {.method = API_POST, .path = "/v1/invitations", .take_body = body};
    return run_call(a, &call, show_invite, e);
}

/* ---- members ---- */

static enum err run_members(const struct args *a, struct error *e) {
    struct call call = {.method = API_GET, .path = "/v1/members"};
    return run_call(a, &call, show_members, e);
}

static void show_member(const json_t *answer, FILE *out) {
    fprintf(out, "%s is now %s.\n", show_text(answer, "name"), show_text(answer, "state"));
}

/* A name with '/' does not fit a path: its key does. */
static enum err key_of(const struct args *a, const char *name, char out[static API_PATH_MAX],
                       struct error *e) {
    struct client *client = NULL;
    struct call call = {.method = API_GET, .path = "/v1/members"};
    json_t *members = NULL;
    size_t i = 0;
    const json_t *member = NULL;
    enum err err = open_client(a, &client, e);
    if (err == ERR_OK)
        err = ask(client, &call, &members, e);
    client_close(client);
    if (err != ERR_OK)
        return err;
    err = error_set(e, ERR_UNKNOWN_MEMBER, "found no member '%.64s'", name);
    json_array_foreach(members, i, member) {
        if (strcmp(show_text(member, "name"), name) != 0)
            continue;
        snprintf(out, API_PATH_MAX, "%s", show_text(member, "key"));
        err = ERR_OK;
    }
    json_decref(members);
    return err;
}

/* /v1/members/NAME and what follows it. */
static enum err member_path(const struct args *a, const char *rest, char out[static API_PATH_MAX],
                            struct error *e) {
    char name[API_PATH_MAX];
    snprintf(name, sizeof name, "%s", args_at(a, 0));
    enum err err = strchr(name, '/') != NULL ? key_of(a, args_at(a, 0), name, e) : ERR_OK;
    if (err == ERR_OK &&
        snprintf(out, API_PATH_MAX, "/v1/members/%s%s", name, rest) >= API_PATH_MAX)
        return error_set(e, ERR_UNKNOWN_MEMBER, "found no member '%.64s...'", name);
    return err;
}

static enum err change_member(const struct args *a, const char *verb, struct error *e) {
    char path[API_PATH_MAX];
    const char *reason = args_option(a, "reason");
    enum err err = member_path(a, verb, path, e);
    if (err != ERR_OK)
        return err;
    json_t *body = reason != NULL ? json_pack("{s:s}", "reason", reason) : json_object();
    if (body == NULL)
        return error_set(e, ERR_DATA, "found a reason that is not UTF-8 text");
    struct call call = {.method = API_POST, .path = path, .take_body = body};
    return run_call(a, &call, show_member, e);
}

static enum err run_suspend(const struct args *a, struct error *e) {
    return change_member(a, "/suspend", e);
}

static enum err run_resume(const struct args *a, struct error *e) {
    return change_member(a, "/resume", e);
}

static enum err run_remove(const struct args *a, struct error *e) {
    return change_member(a, "/remove", e);
}

static enum err run_member_show(const struct args *a, struct error *e) {
    char path[API_PATH_MAX];
    enum err err = member_path(a, "", path, e);
    struct call call = {.method = API_GET, .path = path};
    return err == ERR_OK ? run_call(a, &call, show_one_member, e) : err;
}

static enum err run_revoke(const struct args *a, struct error *e) {
    char path[API_PATH_MAX];
    const char *agent = args_option(a, "agent"), *reason = args_option(a, "reason");
    if (agent == NULL)
        return error_set(e, ERR_USAGE, "expected --agent KEY, as `plek-hub member show` prints it");
    enum err err = member_path(a, "/revoke", path, e);
    if (err != ERR_OK)
        return err;
    json_t *body = json_pack("{s:s, s:s*}", "agent", agent, "reason", reason);
    if (body == NULL)
        return error_set(e, ERR_DATA, "found a key or reason that is not UTF-8 text");
    struct call call = {.method = API_POST, .path = path, .take_body = body};
    return run_call(a, &call, show_one_member, e);
}

/* ---- charter ---- */

static enum err run_charter_show(const struct args *a, struct error *e) {
    struct call call = {.method = API_GET, .path = "/v1/charter"};
    return run_call(a, &call, show_charter, e);
}

static enum err run_charter_publish(const struct args *a, struct error *e) {
    const char *file = args_at(a, 0);
    struct buf text;
    json_t *body = NULL;
    buf_init(&text, CHARTER_MAX_BYTES);
    enum err err = read_file(file, &text, e);
    if (err == ERR_OK) {
        body = json_pack("{s:s%, s:s}", "text", (const char *)text.data, text.len, "file", file);
        if (body == NULL)
            err = error_at(e, ERR_DATA, file, 0, 0, "found bytes that are not UTF-8 text");
    }
    buf_done(&text);
    if (err != ERR_OK)
        return err;
    struct call call = {.method = API_POST, .path = "/v1/charter", .take_body = body};
    err = run_call(a, &call, show_published, e);
    return err != ERR_OK ? error_in_file(e, file) : ERR_OK;
}

/* ---- aggregate ---- */

static enum err print_rows(const struct args *a, const json_t *rows, bool more, struct error *e) {
    if (args_flag(a, "csv"))
        return show_aggregate_csv(rows, more, stdout, e);
    if (args_flag(a, "json"))
        show_aggregate_json(rows, more, stdout);
    else
        show_aggregate(rows, stdout);
    return ERR_OK;
}

static bool for_others(const struct args *a) {
    const char *audience = args_option(a, "audience");
    return audience != NULL && strcmp(audience, "operator") != 0;
}

/* A run of days comes in pieces, and is printed as it comes. */
static enum err print_pages(const struct args *a, struct client *client, json_t *query,
                            struct error *e) {
    bool more = false, first = true, last = false, published = for_others(a);
    enum err err = ERR_OK;
    for (; !last && err == ERR_OK; first = false) {
        json_t *answer = NULL;
        err = published ? client_call(client, API_POST, "/v1/published", NULL, query, &answer, e)
                        : client_call(client, API_GET, "/v1/aggregate", query, NULL, &answer, e);
        if (err != ERR_OK)
            break;
        const json_t *rows = json_is_array(answer) ? answer : json_object_get(answer, "rows");
        json_t *next = json_object_get(answer, "next");
        if (first && args_flag(a, "json"))
            putchar('[');
        err = print_rows(a, rows, more, e);
        more = more || json_array_size(rows) > 0;
        last = !json_is_string(next) || json_object_set(query, "from", next) != 0;
        json_decref(answer);
    }
    return err;
}

static enum err run_aggregate(const struct args *a, struct error *e) {
    static const char *const keys[] = {"service", "region", "from", "to"};
    struct client *client = NULL;
    const char *audience = args_option(a, "audience");
    bool json = args_flag(a, "json");
    if (for_others(a) && strcmp(audience, "public") != 0 && strcmp(audience, "observers") != 0)
        return error_set(e, ERR_USAGE,
                         "found --audience %.40s, expected operator, public or observers",
                         audience);
    if (json && args_flag(a, "csv"))
        return error_set(e, ERR_USAGE, "found --json and --csv, expected one of them");
    json_t *query = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (args_option(a, keys[i]) != NULL)
            json_object_set_new(query, keys[i], json_string(args_option(a, keys[i])));
    enum err err = open_client(a, &client, e);
    if (err == ERR_OK)
        err = print_pages(a, client, query, e);
    if (err == ERR_OK && json)
        puts("]");
    if (err == ERR_OK && (fflush(stdout) != 0 || ferror(stdout)))
        err = error_set(e, ERR_IO, "the answer cannot be written: %s", strerror(errno));
    client_close(client);
    json_decref(query);
    return err;
}

/* ---- status ---- */

static enum err run_status(const struct args *a, struct error *e) {
    struct call call = {.method = API_GET, .path = "/v1/status"};
    return run_call(a, &call, show_status, e);
}

/* ---- users and tokens ---- */

static enum err run_access(const struct args *a, struct error *e) {
    struct access_command c;
    enum err err = access_command(a, &c, e);
    if (err != ERR_OK)
        return err;
    const struct call call = {.method = c.method, .path = c.path, .take_body = c.take_body};
    return run_call(a, &call, c.show, e);
}

/* ---- the table ---- */

#define DIR_OPTION                                                                                 \
    { "dir", "DIR", false, "the hub's directory (default: this one)" }
#define JSON_OPTION                                                                                \
    { "json", NULL, false, "print JSON" }

static const struct args_option init_options[] = {
    {"dir", "DIR", false, "the directory to make"},
    {"name", "NAME", false, "the network's name"},
    {"charter", "FILE", false, "the network's rules (JSON); without it one service, bed"},
    JSON_OPTION,
    {0}};
static const struct args_option invite_options[] = {
    DIR_OPTION,
    {"name", "NAME", false, "the member's name, never used before in this network"},
    {"role", "ROLE", false, "provider (default), coordinator or observer"},
    {"again", NULL, false, "also when one for this name is still to be used: that one ends"},
    {"expires", "DURATION", false, "how long it can be used: 4h, 7d (default)"},
    {"address", "HOST:PORT", false, "where agents reach this hub, with ws:// or wss:// in front"},
    JSON_OPTION,
    {0}};
static const struct args_option plain_options[] = {DIR_OPTION, JSON_OPTION, {0}};
static const struct args_option revoke_options[] = {
    DIR_OPTION,
    {"agent", "KEY", false, "which one, as `member show` prints it"},
    {"reason", "TEXT", false, "told to all members"},
    JSON_OPTION,
    {0}};
static const struct args_option member_options[] = {
    DIR_OPTION, {"reason", "TEXT", false, "told to all members"}, JSON_OPTION, {0}};
static const struct args_option aggregate_options[] = {
    DIR_OPTION,
    {"service", "CODE", false, "only this service"},
    {"region", "CODE", false, "only this region"},
    {"from", "DAY", false, "per day instead of now, from this one on (2026-11-20)"},
    {"to", "DAY", false, "up to this one (default: today, which is open: up to now)"},
    {"audience", "WHO", false,
     "public, observers: what may be published, of k members and more (docs/aggregate.md); "
     "operator "
     "(default): everything"},
    {"csv", NULL, false, "print a table for programs (RFC 4180)"},
    JSON_OPTION,
    {0}};

static const struct args_command commands[] = {
    {"init", "", init_options, 0, 0, "make a new hub: directory, keys, charter", run_init},
    {"invite", "", invite_options, 0, 0, "print a one-time invitation for one new member",
     run_invite},
    {"member list", "", plain_options, 0, 0, "all members", run_members},
    {"member show", "NAME", plain_options, 1, 1, "one member and its agents", run_member_show},
    {"member revoke", "NAME", revoke_options, 1, 1, "end one agent of a member for good",
     run_revoke},
    {"member suspend", "NAME", member_options, 1, 1, "stop a member for now", run_suspend},
    {"member resume", "NAME", member_options, 1, 1, "let a suspended member in again", run_resume},
    {"member remove", "NAME", member_options, 1, 1, "end a membership for good", run_remove},
    {"charter show", "", plain_options, 0, 0, "the charter in force", run_charter_show},
    {"charter publish", "FILE", plain_options, 1, 1, "put a newer charter in force",
     run_charter_publish},
    {"aggregate", "", aggregate_options, 0, 0,
     "sums over what members send the hub, now or per day, and their coverage", run_aggregate},
    {"status", "", plain_options, 0, 0, "the hub's state in short", run_status},
    ACCESS_COMMANDS(run_access),
    {0}};

_Static_assert(sizeof commands / sizeof commands[0] <= HUB_COMMANDS_MAX, "commands.h says so");

const struct args_command *hub_commands(void) {
    return commands;
}
