/* Owns the commands about sharing and about what partners share: policy, partner, find, status.
 * Must not hold any rule: the API does. */
#include "commands_sharing.h"

#include <string.h>

#include "local.h"
#include "policy.h"
#include "show.h"

#define NAME_PATH_MAX API_PATH_MAX

/* ---- policy ---- */

static enum err run_policy_show(const struct args *a, struct error *e) {
    struct local_call call = {.method = API_GET, .path = "/v1/policy"};
    return local_run(a, &call, show_policy, e);
}

static enum err fill_policy(const struct args *a, json_t *body, struct error *e) {
    bool suggested = args_flag(a, "suggested");
    if (suggested == (args_count(a) > 0))
        return error_set(e, ERR_USAGE, "found %s, expected FILE or --suggested",
                         suggested ? "both a file and --suggested" : "neither");
    json_object_set_new(body, "suggested", json_boolean(suggested));
    if (suggested)
        return ERR_OK;
    json_object_set_new(body, "file", json_string(args_at(a, 0)));
    return local_put_file(body, "policy", args_at(a, 0), POLICY_MAX_BYTES, e);
}

static enum err run_policy_apply(const struct args *a, struct error *e) {
    json_t *body = json_object();
    enum err code = fill_policy(a, body, e);
    if (code != ERR_OK) {
        json_decref(body);
        return code;
    }
    struct local_call call = {
        .method = API_POST,
        .path = "/v1/policy",
        .take_query = args_flag(a, "dry-run") ? json_pack("{s:s}", "dry_run", "1") : NULL,
        .take_body = body,
        .again = ERR_UNKNOWN_MEMBER};
    code = local_run(a, &call, show_applied, e);
    return code != ERR_OK && args_count(a) > 0 ? error_in_file(e, args_at(a, 0)) : code;
}

static enum err run_policy_preview(const struct args *a, struct error *e) {
    const char *partner = args_option(a, "partner");
    if (!partner)
        return error_set(e, ERR_USAGE, "found no --partner NAME, expected whose view to show");
    struct local_call call = {.method = API_GET,
                              .path = "/v1/policy/preview",
                              .take_query = json_pack("{s:s}", "partner", partner)};
    return local_run(a, &call, show_preview, e);
}

static enum err run_policy_check(const struct args *a, struct error *e) {
    struct local_call call = {.method = API_GET, .path = "/v1/policy/check"};
    return local_run(a, &call, show_findings, e);
}

/* ---- partners ---- */

static enum err run_partner_list(const struct args *a, struct error *e) {
    struct local_call call = {.method = API_GET, .path = "/v1/partners"};
    return local_run(a, &call, show_partners, e);
}

static enum err partner_path(const struct args *a, const char *verb, char out[static NAME_PATH_MAX],
                             struct error *e) {
    const char *name = args_at(a, 0);
    int n = snprintf(out, NAME_PATH_MAX, "/v1/partners/%s/%s", name, verb);
    if (strchr(name, '/'))
        return error_set(e, ERR_USAGE,
                         "'%.60s' has a '/': give its key instead, as partner list --json shows it",
                         name);
    if (name[0] == '\0' || n < 0 || n >= NAME_PATH_MAX)
        return error_set(e, ERR_USAGE,
                         "found a name of %zu bytes, expected a partner's: see partner list",
                         strlen(name));
    return ERR_OK;
}

static enum err run_partner_approve(const struct args *a, struct error *e) {
    char path[NAME_PATH_MAX];
    enum err code = partner_path(a, "approve", path, e);
    if (code != ERR_OK)
        return code;
    json_t *body = json_object();
    local_put_option(body, "fingerprint", a, "fingerprint");
    struct local_call call = {
        .method = API_POST, .path = path, .take_body = body, .again = ERR_UNKNOWN_MEMBER};
    return local_run(a, &call, show_partner, e);
}

static enum err run_verdict(const struct args *a, const char *verb, struct error *e) {
    char path[NAME_PATH_MAX];
    enum err code = partner_path(a, verb, path, e);
    if (code != ERR_OK)
        return code;
    struct local_call call = {.method = API_POST, .path = path, .take_body = json_object()};
    return local_run(a, &call, show_partner, e);
}

static enum err run_partner_refuse(const struct args *a, struct error *e) {
    return run_verdict(a, "refuse", e);
}

static enum err run_partner_forget(const struct args *a, struct error *e) {
    return run_verdict(a, "forget", e);
}

/* ---- withdraw, pause ---- */

static enum err run_halt(const struct args *a, const char *path, bool undo, local_show show,
                         struct error *e) {
    json_t *body =
        json_pack("{s:b, s:b}", "undo", (int)undo, "dry_run", (int)args_flag(a, "dry-run"));
    local_put_option(body, "audience", a, "audience");
    struct local_call call = {.method = API_POST, .path = path, .take_body = body};
    return local_run(a, &call, show, e);
}

static enum err run_withdraw(const struct args *a, struct error *e) {
    return run_halt(a, "/v1/withdraw", args_flag(a, "undo"), show_withdraw, e);
}

static enum err run_pause(const struct args *a, struct error *e) {
    return run_halt(a, "/v1/pause", false, show_pause, e);
}

static enum err run_resume(const struct args *a, struct error *e) {
    return run_halt(a, "/v1/pause", true, show_pause, e);
}

/* ---- audit ---- */

/* Page after page, until there is none. */
static enum err collect_audit(struct client *client, json_t *query, json_t *rows, struct error *e) {
    for (;;) {
        json_t *page = NULL;
        enum err code = client_call(client, API_GET, "/v1/audit", query, NULL, &page, e);
        if (code != ERR_OK)
            return code;
        json_array_extend(rows, json_object_get(page, "rows"));
        json_t *next = json_object_get(page, "next");
        bool more = json_is_integer(next);
        if (more)
            json_object_set_new(query, "after",
                                json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(next)));
        json_decref(page);
        if (!more)
            return ERR_OK;
    }
}

static enum err run_audit(const struct args *a, struct error *e) {
    struct client *client = NULL;
    json_t *query = json_object(), *rows = json_array();
    local_put_option(query, "partner", a, "partner");
    local_put_option(query, "from", a, "from");
    local_put_option(query, "to", a, "to");
    enum err code = local_open(a, &client, e);
    if (code == ERR_OK)
        code = collect_audit(client, query, rows, e);
    if (code == ERR_OK)
        code = local_print(a, rows, show_audit, e);
    client_close(client);
    json_decref(query);
    json_decref(rows);
    return code;
}

/* ---- find ---- */

static enum err fill_find(const struct args *a, json_t *query, struct error *e) {
    struct buf where;
    buf_init(&where, API_PATH_MAX);
    if (args_count(a) > 0)
        json_object_set_new(query, "service", json_string(args_at(a, 0)));
    local_put_option(query, "min", a, "min");
    local_put_option(query, "region", a, "region");
    for (int i = 0; i < args_option_count(a, "where"); i++)
        buf_printf(&where, "%s%s", i > 0 ? "," : "", args_option_at(a, "where", i));
    enum err code = buf_failed(&where, e);
    if (code == ERR_OK && where.len > 0)
        json_object_set_new(query, "where", json_string(buf_text(&where)));
    buf_done(&where);
    return code;
}

/* What --watch keeps while it follows: its own connection for the rows. */
struct watching {
    const struct args *args;
    struct client *client;
    json_t *query;
    json_t *shown; /* the rows as last printed, without their ages */
    enum err code;
    struct error *e;
};

static json_t *without_ages(const json_t *rows) {
    json_t *copy = json_deep_copy(rows);
    size_t i = 0;
    json_t *row = NULL;
    json_array_foreach(copy, i, row) {
        json_object_del(row, "age_s");
    }
    return copy;
}

/* Prints what is found, but for a mere tick only when more than ages differ. */
static enum err print_found(struct watching *w, bool tick) {
    json_t *rows = NULL;
    enum err code = client_call(w->client, API_GET, "/v1/find", w->query, NULL, &rows, w->e);
    json_t *plain = code == ERR_OK ? without_ages(rows) : NULL;
    if (code == ERR_OK && !(tick && json_equal(plain, w->shown))) {
        if (w->shown)
            fputc('\n', stdout);
        code = local_print(w->args, rows, show_find, w->e);
        fflush(stdout);
        json_decref(w->shown);
        w->shown = json_incref(plain);
    }
    json_decref(plain);
    json_decref(rows);
    return code;
}

static bool on_event(void *ctx, const char *name) {
    struct watching *w = ctx;
    bool tick = strcmp(name, CLIENT_TICK) == 0;
    if (!tick && strcmp(name, "picture") != 0)
        return true;
    w->code = print_found(w, tick);
    return w->code == ERR_OK;
}

static enum err watch(struct watching *w) {
    struct client *events = NULL;
    enum err code = local_open(w->args, &w->client, w->e);
    if (code == ERR_OK && !client_is_remote(w->client))
        code = error_set(w->e, ERR_UNAVAILABLE,
                         "--watch needs the daemon: start plek-agent run --dir %.100s",
                         local_dir(w->args));
    if (code == ERR_OK)
        code = local_open(w->args, &events, w->e);
    if (code == ERR_OK)
        code = print_found(w, false);
    if (code == ERR_OK) {
        code = client_follow(events, on_event, w, w->e);
        code = w->code != ERR_OK ? w->code : code;
    }
    json_decref(w->shown);
    client_close(events);
    client_close(w->client);
    return code;
}

static enum err run_find(const struct args *a, struct error *e) {
    json_t *query = json_object();
    enum err code = fill_find(a, query, e);
    if (code == ERR_OK && args_flag(a, "watch")) {
        struct watching w = {.args = a, .query = query, .e = e};
        code = watch(&w);
    } else if (code == ERR_OK) {
        struct local_call call = {
            .method = API_GET, .path = "/v1/find", .take_query = json_incref(query)};
        code = local_run(a, &call, show_find, e);
    }
    json_decref(query);
    return code;
}

static enum err run_history(const struct args *a, struct error *e) {
    static const char *const options[] = {"member", "from", "to"};
    json_t *query = json_object();
    if (args_count(a) > 0)
        json_object_set_new(query, "service", json_string(args_at(a, 0)));
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        local_put_option(query, options[i], a, options[i]);
    if (args_flag(a, "own"))
        json_object_set_new(query, "own", json_string("1"));
    struct local_call call = {.method = API_GET, .path = "/v1/history", .take_query = query};
    return local_run(a, &call, show_history, e);
}

static enum err run_status(const struct args *a, struct error *e) {
    struct local_call call = {.method = API_GET, .path = "/v1/status"};
    return local_run(a, &call, show_status, e);
}

/* ---- the table ---- */

static const struct args_option plain_options[] = {LOCAL_DIR, LOCAL_JSON, {0}};
static const struct args_option apply_options[] = {
    LOCAL_DIR,
    {"dry-run", NULL, false, "show what would change, change nothing"},
    {"suggested", NULL, false, "the policy that the charter suggests"},
    LOCAL_JSON,
    {0}};
static const struct args_option preview_options[] = {
    LOCAL_DIR, {"partner", "NAME", false, "whose view"}, LOCAL_JSON, {0}};
static const struct args_option approve_options[] = {
    LOCAL_DIR,
    {"fingerprint", "F", false, "as the partner read it out; another one is refused"},
    LOCAL_JSON,
    {0}};
static const struct args_option withdraw_options[] = {
    LOCAL_DIR,
    {"audience", "A", false, "only this audience (default: all of the policy)"},
    {"undo", NULL, false, "share again with what was withdrawn"},
    {"dry-run", NULL, false, "show whom it concerns, change nothing"},
    LOCAL_JSON,
    {0}};
static const struct args_option pause_options[] = {
    LOCAL_DIR,
    {"audience", "A", false, "only this audience (default: all of the policy)"},
    {"dry-run", NULL, false, "show whom it concerns, change nothing"},
    LOCAL_JSON,
    {0}};
static const struct args_option audit_options[] = {
    LOCAL_DIR,
    {"partner", "NAME", false, "only what concerns this member, or @hub"},
    {"from", "TIME", false, "a day (2026-11-20) or an RFC 3339 time; from then on"},
    {"to", "TIME", false, "a day, itself included, or a time"},
    LOCAL_JSON,
    {0}};
static const struct args_option find_options[] = {
    LOCAL_DIR,
    {"min", "N", false, "at least this much room, known for certain"},
    {"region", "R", false, "only sites of this region"},
    {"where", "attr=value", true, "only lines with this attribute"},
    {"watch", NULL, false, "print again whenever what is found changes or ages"},
    LOCAL_JSON,
    {0}};

static const struct args_option history_options[] = {
    LOCAL_DIR,
    {"member", "NAME", false, "only this member's"},
    {"own", NULL, false, "only our own"},
    {"from", "TIME", false, "from this day's beginning, or this time"},
    {"to", "TIME", false, "to this day's end, or this time"},
    LOCAL_JSON,
    {0}};

static const struct args_command commands[] = {
    {"policy show", "", plain_options, 0, 0, "show who sees what", run_policy_show},
    {"policy apply", "FILE", apply_options, 0, 1, "replace the whole policy", run_policy_apply},
    {"policy preview", "", preview_options, 0, 0, "show what a partner sees of us",
     run_policy_preview},
    {"policy check", "", plain_options, 0, 0, "look for what stands in the way of the policy",
     run_policy_check},
    {"partner list", "", plain_options, 0, 0, "list the other members", run_partner_list},
    {"partner approve", "NAME", approve_options, 1, 1, "allow sealing to this member",
     run_partner_approve},
    {"partner refuse", "NAME", plain_options, 1, 1,
     "never seal to this member before it is approved, whatever `trust` says", run_partner_refuse},
    {"partner forget", "NAME", plain_options, 1, 1, "withdraw the approval, or the refusal",
     run_partner_forget},
    {"withdraw", "", withdraw_options, 0, 0, "take back what an audience was shown, and stop",
     run_withdraw},
    {"pause", "", pause_options, 0, 0,
     "seal nothing newer to an audience; what it has stays until it expires", run_pause},
    {"resume", "", pause_options, 0, 0, "end a pause", run_resume},
    {"audit", "", audit_options, 0, 0, "what was sealed to whom, when, and who decided it",
     run_audit},
    {"find", "[SERVICE]", find_options, 0, 1, "who has room", run_find},
    {"history", "[SERVICE]", history_options, 0, 1, "how it was: our own figures and partners'",
     run_history},
    {"status", "", plain_options, 0, 0, "how this agent is", run_status},
    {0}};

const struct args_command *sharing_commands(void) {
    return commands;
}
