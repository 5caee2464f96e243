/* Owns a command's way to the agent (see local.h). Must not know what a command means. */
#include "local.h"

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "files.h"
#include "random.h"
#include "sheet.h"

const char *local_dir(const struct args *a) {
    const char *dir = args_option(a, "dir");
    return dir ? dir : ".";
}

static enum err open_agent(const char *dir, void **ret_domain, struct error *e) {
    struct entropy entropy = random_entropy();
    struct agent *a = NULL;
    enum err code = agent_open(dir, NULL, &entropy, &a, e);
    if (code == ERR_OK)
        *ret_domain = a;
    return code;
}

static void close_agent(void *domain) {
    agent_close(domain);
}

static struct access *access_of(void *domain) {
    return agent_access(domain);
}

enum err local_open(const struct args *a, struct client **ret, struct error *e) {
    static struct client_local local = {
        .open = open_agent, .close = close_agent, .access = access_of};
    local.routes = agent_routes(&local.route_count);
    return client_open(local_dir(a), &local, ret, e);
}

enum err local_call(const struct args *a, const struct local_call *call, json_t **ret,
                    struct error *e) {
    struct client *c = NULL;
    enum err code = local_open(a, &c, e);
    if (code == ERR_OK && call->again != ERR_OK)
        code = client_call_until(c, call->again, call->method, call->path, call->take_query,
                                 call->take_body, ret, e);
    else if (code == ERR_OK)
        code = client_call(c, call->method, call->path, call->take_query, call->take_body, ret, e);
    client_close(c);
    json_decref(call->take_query);
    json_decref(call->take_body);
    return code;
}

enum err local_print(const struct args *a, const json_t *answer, local_show show, struct error *e) {
    if (args_flag(a, "json")) {
        json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        fputc('\n', stdout);
    } else {
        show(answer, stdout);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return error_set(e, ERR_IO, "standard output cannot be written");
    return ERR_OK;
}

enum err local_run(const struct args *a, const struct local_call *call, local_show show,
                   struct error *e) {
    json_t *answer = NULL;
    enum err code = local_call(a, call, &answer, e);
    if (code == ERR_OK)
        code = local_print(a, answer, show, e);
    json_decref(answer);
    return code;
}

enum err local_put_file(json_t *object, const char *key, const char *path, size_t max_bytes,
                        struct error *e) {
    struct buf text;
    buf_init(&text, max_bytes);
    enum err code = files_read(path, &text, e);
    if (code == ERR_OK)
        code = sheet_check_text(buf_bytes(&text), path, e);
    if (code == ERR_OK &&
        json_object_set_new(
            object, key, json_stringn(text.len > 0 ? (const char *)text.data : "", text.len)) != 0)
        code = error_set(e, ERR_NO_MEMORY, "no memory for %.100s", path);
    buf_done(&text);
    return code;
}

void local_put_option(json_t *object, const char *key, const struct args *a, const char *option) {
    const char *value = args_option(a, option);
    if (value)
        json_object_set_new(object, key, json_string(value));
}
