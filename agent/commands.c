/* Owns the commands over own records: init, site, set, lines, confirm, undo, charter; and
 * the table of all commands but `run` and `join`. Must not hold any rule: the API does. */
#include "commands.h"

#include <string.h>

#include "access_commands.h"
#include "agent.h"
#include "clock.h"
#include "commands_certify.h"
#include "commands_sharing.h"
#include "commands_tables.h"
#include "files.h"
#include "local.h"
#include "random.h"
#include "show.h"

/* ---- init ---- */

enum err passphrase_read(const char *path, struct buf *out, struct error *e) {
    size_t before = out->len;
    enum err code = files_read(path, out, e);
    if (code != ERR_OK)
        return code;
    if (out->len > before && out->data[out->len - 1] == '\n')
        out->len--;
    if (out->len > before && out->data[out->len - 1] == '\r')
        out->len--;
    if (out->len == before)
        return error_at(e, ERR_DATA, path, 0, 0,
                        "found an empty passphrase, expected one on the first line");
    if (memchr(out->data + before, '\n', out->len - before))
        return error_at(e, ERR_DATA, path, 2, 0,
                        "found a second line, expected one line with the passphrase");
    return ERR_OK;
}

static void show_made(const json_t *answer, FILE *out) {
    char room[2][SHOW_TEXT_SIZE];
    fprintf(out, "Made an agent in %s.\nMember fingerprint: %s\n",
            show_cell(answer, "dir", room[0]), show_cell(answer, "fingerprint", room[1]));
    if (!json_is_true(json_object_get(answer, "sealed")))
        fprintf(out,
                "member.key is not sealed: whoever reads it can speak for this organisation.\n");
    fprintf(out, "Next: plek-agent join with the invitation of the hub.\n");
}

static enum err report_made(const struct args *a, struct error *e) {
    struct public_key member;
    bool sealed = false;
    char fingerprint[FINGERPRINT_SIZE], hex[2 * KEY_LEN + 1];
    enum err code = vault_member_public(local_dir(a), &member, &sealed, e);
    if (code != ERR_OK)
        return code;
    hex_encode(hex, bytes_of(member.b, KEY_LEN));
    json_t *answer =
        json_pack("{s:s, s:s, s:s, s:b}", "dir", local_dir(a), "key", hex, "fingerprint",
                  fingerprint_text(&member, fingerprint), "sealed", (int)sealed);
    code = local_print(a, answer, show_made, e);
    json_decref(answer);
    return code;
}

static void show_made_second(const json_t *answer, FILE *out) {
    char room[SHOW_TEXT_SIZE];
    fprintf(out,
            "Made an agent in %s, without a member key.\n"
            "Next: plek-agent request, and have it certified where the member key is.\n",
            show_cell(answer, "dir", room));
}

/* A further agent of an organisation whose member key is on another machine. */
static enum err init_second(const struct args *a, const char *passphrase_file, struct error *e) {
    struct entropy entropy = random_entropy();
    if (passphrase_file)
        return error_set(e, ERR_USAGE,
                         "found --passphrase-file and --second, which makes no member key to seal");
    enum err code = agent_init_second(local_dir(a), &entropy, clock_wall_ms(), e);
    if (code != ERR_OK)
        return code;
    json_t *answer = json_pack("{s:s}", "dir", local_dir(a));
    code = local_print(a, answer, show_made_second, e);
    json_decref(answer);
    return code;
}

static enum err run_init(const struct args *a, struct error *e) {
    const char *file = args_option(a, "passphrase-file");
    if (args_flag(a, "second"))
        return init_second(a, file, e);
    if (file && args_flag(a, "unsealed"))
        return error_set(e, ERR_USAGE,
                         "found --passphrase-file and --unsealed, expected one of them");
    struct entropy entropy = random_entropy();
    struct buf passphrase;
    buf_init(&passphrase, PASSPHRASE_MAX);
    enum err code = file ? passphrase_read(file, &passphrase, e) : ERR_OK;
    if (code == ERR_OK)
        code = agent_init(local_dir(a), buf_bytes(&passphrase), &entropy, clock_wall_ms(), e);
    buf_wipe_done(&passphrase);
    return code != ERR_OK ? code : report_made(a, e);
}

/* ---- sites ---- */

static json_t *site_body(const struct args *a) {
    static const char *const keys[] = {"name", "region", "phone", "hours", "reports", "note"};
    json_t *body = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        local_put_option(body, keys[i], a, keys[i]);
    return body;
}

static enum err run_site_add(const struct args *a, struct error *e) {
    json_t *body = site_body(a);
    json_object_set_new(body, "name", json_string(args_at(a, 0)));
    struct local_call call = {.method = API_POST, .path = "/v1/sites", .take_body = body};
    return local_run(a, &call, show_sites, e);
}

static enum err run_site_set(const struct args *a, struct error *e) {
    json_t *body = site_body(a);
    if (json_object_size(body) == 0) {
        json_decref(body);
        return error_set(e, ERR_USAGE,
                         "found nothing to change: name --region, --phone, --hours, ...");
    }
    struct local_call call = {.method = API_PUT,
                              .path = "/v1/sites",
                              .take_query = json_pack("{s:s}", "site", args_at(a, 0)),
                              .take_body = body};
    return local_run(a, &call, show_sites, e);
}

static enum err run_site_list(const struct args *a, struct error *e) {
    struct local_call call = {.method = API_GET, .path = "/v1/sites"};
    return local_run(a, &call, show_sites, e);
}

/* ---- figures ---- */

enum err commands_read_pairs(const struct args *a, int first, json_t *set, struct error *e) {
    for (int i = first; i < args_count(a); i++) {
        const char *text = args_at(a, i);
        const char *equals = strchr(text, '=');
        if (!equals || equals == text)
            return error_set(e, ERR_USAGE, "found '%.80s', expected key=value, such as free=3",
                             text);
        char key[80];
        int len = (int)(equals - text);
        if ((size_t)len >= sizeof key)
            return error_set(e, ERR_USAGE, "found '%.60s...', expected key=value, such as free=3",
                             text);
        snprintf(key, sizeof key, "%.*s", len, text);
        if (json_object_get(set, key))
            return error_set(e, ERR_USAGE, "found %s twice, expected it once", key);
        if (json_object_set_new(set, key, json_string(equals + 1)) != 0)
            return error_set(e, ERR_DATA, "found a value for %s that is not UTF-8", key);
    }
    return ERR_OK;
}

static enum err run_set(const struct args *a, struct error *e) {
    json_t *body = json_object(), *set = json_object();
    enum err code = commands_read_pairs(a, 1, set, e);
    if (code == ERR_OK && json_object_size(set) == 0 && !args_flag(a, "keep"))
        code = error_set(e, ERR_USAGE,
                         "found no key=value, which would make every figure unknown; "
                         "name at least one, such as free=3 or status=full");
    json_object_set_new(body, "set", set);
    json_object_set_new(body, "service", json_string(args_at(a, 0)));
    json_object_set_new(body, "keep", json_boolean(args_flag(a, "keep")));
    local_put_option(body, "site", a, "site");
    local_put_option(body, "ward", a, "ward");
    local_put_option(body, "observed", a, "observed");
    local_put_option(body, "valid", a, "valid");
    if (code != ERR_OK) {
        json_decref(body);
        return code;
    }
    struct local_call call = {.method = API_POST, .path = "/v1/lines", .take_body = body};
    return local_run(a, &call, show_line, e);
}

static enum err run_lines(const struct args *a, struct error *e) {
    json_t *query = json_object();
    if (args_count(a) > 0)
        json_object_set_new(query, "service", json_string(args_at(a, 0)));
    local_put_option(query, "site", a, "site");
    struct local_call call = {.method = API_GET, .path = "/v1/lines", .take_query = query};
    return local_run(a, &call, show_lines, e);
}

static enum err run_confirm(const struct args *a, struct error *e) {
    json_t *body = json_pack("{s:b}", "all", (int)args_flag(a, "all"));
    if (args_count(a) > 0)
        json_object_set_new(body, "service", json_string(args_at(a, 0)));
    local_put_option(body, "site", a, "site");
    local_put_option(body, "ward", a, "ward");
    struct local_call call = {.method = API_POST, .path = "/v1/confirm", .take_body = body};
    return local_run(a, &call, show_confirmed, e);
}

static enum err run_undo(const struct args *a, struct error *e) {
    json_t *body = json_pack("{s:s}", "service", args_at(a, 0));
    local_put_option(body, "site", a, "site");
    local_put_option(body, "ward", a, "ward");
    struct local_call call = {.method = API_POST, .path = "/v1/undo", .take_body = body};
    return local_run(a, &call, show_line, e);
}

/* ---- the charter ------------------------------------------------------------------------------
 */

static enum err run_charter(const struct args *a, struct error *e) {
    struct local_call call = {.method = API_GET, .path = "/v1/charter"};
    return local_run(a, &call, show_charter, e);
}

/* ---- users and tokens ---- */

static enum err run_access(const struct args *a, struct error *e) {
    struct access_command c;
    enum err code = access_command(a, &c, e);
    if (code != ERR_OK)
        return code;
    const struct local_call call = {.method = c.method, .path = c.path, .take_body = c.take_body};
    return local_run(a, &call, c.show, e);
}

/* ---- keys ---- */

static enum err run_renew_keys(const struct args *a, struct error *e) {
    struct local_call call = {.method = API_POST, .path = "/v1/keys/renew", .take_body = NULL};
    return local_run(a, &call, show_key, e);
}

/* ---- the table ---- */

#define CARD_OPTIONS                                                                               \
    {"region", "R", false, "region code of the charter's area"},                                   \
        {"phone", "P", false, "number to call about a place"},                                     \
        {"hours", "H", false, "when somebody answers"},                                            \
        {"reports", "T", false, "when figures are entered, such as 'mo-fr 08:00-17:00'"}, {        \
        "note", "N", false, "what partners should know"                                            \
    }

static const struct args_option init_options[] = {
    LOCAL_DIR,
    {"passphrase-file", "FILE", false, "seals the member key by the passphrase in this file"},
    {"unsealed", NULL, false,
     "leaves the member key readable, for unattended installs (the default)"},
    {"second", NULL, false,
     "a further agent of an organisation that has one: makes no member key (see request)"},
    LOCAL_JSON,
    {0}};
static const struct args_option site_add_options[] = {LOCAL_DIR, CARD_OPTIONS, LOCAL_JSON, {0}};
static const struct args_option site_set_options[] = {
    LOCAL_DIR, {"name", "NEW", false, "a new name"}, CARD_OPTIONS, LOCAL_JSON, {0}};
static const struct args_option plain_options[] = {LOCAL_DIR, LOCAL_JSON, {0}};
static const struct args_option set_options[] = {
    LOCAL_DIR,
    {"site", "S", false, "the site; optional while there is one"},
    {"ward", "W", false, "a ward of the site"},
    {"observed", "TIME", false, "when it was counted: RFC 3339, or a date (12:00); default: now"},
    {"valid", "DURATION", false, "for how long, such as 2h; default: the service's"},
    {"keep", NULL, false, "keep what is not named, if the figure has not expired"},
    LOCAL_JSON,
    {0}};
static const struct args_option lines_options[] = {
    LOCAL_DIR, {"site", "S", false, "only this site"}, LOCAL_JSON, {0}};
static const struct args_option confirm_options[] = {
    LOCAL_DIR,
    {"site", "S", false, "only this site"},
    {"ward", "W", false, "only this ward"},
    {"all", NULL, false, "figures that have expired too"},
    LOCAL_JSON,
    {0}};
static const struct args_option undo_options[] = {
    LOCAL_DIR,
    {"site", "S", false, "the site; optional while there is one"},
    {"ward", "W", false, "a ward of the site"},
    LOCAL_JSON,
    {0}};
static const struct args_command own_commands[] = {
    {"init", "", init_options, 0, 0, "make a new agent: its directory, keys and database",
     run_init},
    {"site add", "NAME", site_add_options, 1, 1, "add a site", run_site_add},
    {"site set", "NAME", site_set_options, 1, 1, "change a site's name or card", run_site_set},
    {"site list", "", plain_options, 0, 0, "list the sites", run_site_list},
    {"set", "SERVICE key=value...", set_options, 1, -1,
     "state a figure anew: what is not named becomes unknown, attributes stay", run_set},
    {"lines", "[SERVICE]", lines_options, 0, 1, "show own figures", run_lines},
    {"confirm", "[SERVICE]", confirm_options, 0, 1,
     "say that figures which have not expired still hold", run_confirm},
    {"undo", "SERVICE", undo_options, 1, 1,
     "a line says again what it said before its last change; once more brings the change back",
     run_undo},
    {"renew-keys", "", plain_options, 0, 0,
     "make a new key for what partners seal to this agent, before its 90 days are over",
     run_renew_keys},
    {"charter show", "", plain_options, 0, 0, "show the network's rules", run_charter},
    ACCESS_COMMANDS(run_access),
};
#define OWN_COUNT (sizeof own_commands / sizeof own_commands[0])

const struct args_command *agent_commands(void) {
    /* The same content at every call: constant tables put side by side, and the end. */
    static struct args_command table[AGENT_COMMANDS_MAX + 1];
    size_t count = OWN_COUNT;
    memcpy(table, own_commands, sizeof own_commands);
    const struct args_command *const more[] = {table_commands(), sharing_commands(),
                                               certify_commands()};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        for (const struct args_command *c = more[i]; c->name && count < AGENT_COMMANDS_MAX; c++)
            table[count++] = *c;
    }
    table[count] = (struct args_command){0};
    return table;
}
