/* Owns the commands over users and tokens (see access_commands.h). Must not know how the API is
 * reached. */
#include "access_commands.h"

#include <string.h>

#include "table.h"

const struct args_option access_new_options[] = {
    {"dir", "DIR", false, "the directory of the agent or hub (default: this one)"},
    {"role", "ROLE", false, "viewer (default) or admin; at an agent also editor"},
    {"json", NULL, false, "print JSON"},
    {0}};
const struct args_option access_plain_options[] = {
    {"dir", "DIR", false, "the directory of the agent or hub (default: this one)"},
    {"json", NULL, false, "print JSON"},
    {0}};

/* ---- answers ---- */

static const char *cell(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static void show_users(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {{"USER", "name", NULL},
                                                  {"ROLE", "role", NULL},
                                                  {"STATE", "state", NULL},
                                                  {"LAST LOG-IN", "last_login_at", NULL},
                                                  {0}};
    table_show(answer, columns, out);
}

static void show_tokens(const json_t *answer, FILE *out) {
    static const struct table_column columns[] = {{"TOKEN", "name", NULL},
                                                  {"ROLE", "role", NULL},
                                                  {"MADE BY", "created_by", NULL},
                                                  {"LAST USED", "last_used_at", NULL},
                                                  {0}};
    table_show(answer, columns, out);
}

static void show_link(const json_t *answer, FILE *out) {
    fprintf(out, "%s\n", cell(answer, "url"));
    fprintf(out,
            "Whoever opens this link chooses the password of %s (%s). It works once, until %s.\n",
            cell(answer, "name"), cell(answer, "role"), cell(answer, "expires_at"));
}

static void show_token(const json_t *answer, FILE *out) {
    fprintf(out, "%s\n", cell(answer, "token"));
    fprintf(out,
            "Send it as `Authorization: Bearer TOKEN`. It may do what a %s may; it is not shown "
            "again.\n",
            cell(answer, "role"));
}

static void show_role(const json_t *answer, FILE *out) {
    fprintf(out, "%s is %s.\n", cell(answer, "name"), cell(answer, "role"));
}

static void show_done(const json_t *answer, FILE *out) {
    (void)answer;
    fputs("Done.\n", out);
}

/* ---- the table ---- */

enum body { BODY_NONE, BODY_NEW, BODY_ROLE };

static const struct row {
    const char *name;
    enum api_method method;
    const char *path, *tail; /* around the name, if `named` */
    bool named;
    enum body body;
    void (*show)(const json_t *answer, FILE *out);
} rows[ACCESS_COMMAND_COUNT] = {
    {"user add", API_POST, "/v1/users", "", false, BODY_NEW, show_link},
    {"user list", API_GET, "/v1/users", "", false, BODY_NONE, show_users},
    {"user role", API_POST, "/v1/users/", "/role", true, BODY_ROLE, show_role},
    {"user reset", API_POST, "/v1/users/", "/reset", true, BODY_NONE, show_link},
    {"user remove", API_DELETE, "/v1/users/", "", true, BODY_NONE, show_done},
    {"token add", API_POST, "/v1/tokens", "", false, BODY_NEW, show_token},
    {"token list", API_GET, "/v1/tokens", "", false, BODY_NONE, show_tokens},
    {"token remove", API_DELETE, "/v1/tokens/", "", true, BODY_NONE, show_done},
};

static json_t *make_body(const struct args *a, enum body body) {
    const char *role = args_option(a, "role");
    switch (body) {
    case BODY_NONE:
        return NULL;
    case BODY_NEW:
        return json_pack("{s:s, s:s}", "name", args_at(a, 0), "role", role ? role : "viewer");
    case BODY_ROLE:
        return json_pack("{s:s}", "role", args_at(a, 1));
    }
    return NULL;
}

enum err access_command(const struct args *a, struct access_command *ret, struct error *e) {
    const struct row *row = rows;
    while (strcmp(row->name, args_command_name(a)) != 0)
        row++;
    struct access_command made = {.method = row->method, .show = row->show};
    const char *name = row->named ? args_at(a, 0) : "";
    if (strchr(name, '/') || (row->named && !name[0]))
        return error_set(e, ERR_USAGE, "found the name '%.60s', which nobody can have", name);
    int n = snprintf(made.path, sizeof made.path, "%s%s%s", row->path, name, row->tail);
    if (n < 0 || (size_t)n >= sizeof made.path)
        return error_set(e, ERR_USAGE, "found a name that is too long: %.60s...", name);
    made.take_body = make_body(a, row->body);
    if (!made.take_body && row->body != BODY_NONE)
        return error_set(e, ERR_DATA, "found a name that is not UTF-8");
    *ret = made;
    return ERR_OK;
}
