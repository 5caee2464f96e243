/* Owns the commands for a further agent of an organisation (see commands_certify.h). The member key
 * is opened here, by the person's command: it never passes through the daemon. */
#include "commands_certify.h"

#include <string.h>
#include <unistd.h>

#include "certify.h"
#include "clock.h"
#include "commands.h"
#include "files.h"
#include "local.h"
#include "show.h"

/* ---- writing a file ---- */

/* Whole or not at all; "-" or none: standard output. */
static enum err write_output(const char *path, struct bytes text, struct error *e) {
    char dir[FILES_PATH_MAX];
    struct files_new file = {.fd = -1};
    if (!path || strcmp(path, "-") == 0) {
        bool written = fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
        return written ? ERR_OK : error_set(e, ERR_IO, "standard output cannot be written");
    }
    enum err code = files_begin_at(path, dir, &file, e);
    if (code == ERR_OK)
        code = files_append(&file, text, e);
    enum err ended = files_end(&file, code == ERR_OK, code == ERR_OK ? e : NULL);
    return code != ERR_OK ? code : ended;
}

/* ---- request ---- */

static enum err run_request(const struct args *a, struct error *e) {
    json_t *query = json_object(), *answer = NULL;
    char room[SHOW_TEXT_SIZE];
    local_put_option(query, "label", a, "label");
    struct local_call call = {.method = API_GET, .path = "/v1/request", .take_query = query};
    enum err code = local_call(a, &call, &answer, e);
    if (code == ERR_OK)
        code = write_output(args_option(a, "output"),
                            bytes_str(json_string_value(json_object_get(answer, "text"))), e);
    if (code == ERR_OK)
        fprintf(stderr,
                "Fingerprint: %s\nNext: plek-agent certify where the member key is; compare this "
                "fingerprint there.\n",
                show_cell(answer, "fingerprint", room));
    json_decref(answer);
    return code;
}

/* ---- certify ---- */

static enum err read_request(const char *path, struct agent_request *ret, struct error *e) {
    struct buf text;
    buf_init(&text, CERTIFY_FILE_MAX);
    enum err code = files_read(path, &text, e);
    if (code == ERR_OK)
        code = certify_read_request(buf_bytes(&text), path, ret, e);
    buf_done(&text);
    return code;
}

/* By the fingerprint that was given, by --yes, or by the person at the terminal. */
static enum err confirm(const struct args *a, const struct agent_request *r, struct error *e) {
    char fingerprint[FINGERPRINT_SIZE], line[16];
    const char *given = args_option(a, "fingerprint");
    fingerprint_text(&r->agent, fingerprint);
    fprintf(stderr, "Agent: %s\nFingerprint: %s\n", r->label, fingerprint);
    if (given && !fingerprint_matches(&r->agent, given))
        return error_set(e, ERR_FINGERPRINT,
                         "the request's fingerprint is %s, not the one given: it is not the "
                         "request of that machine; nothing was certified",
                         fingerprint);
    if (given || args_flag(a, "yes"))
        return ERR_OK;
    if (!isatty(STDIN_FILENO))
        return error_set(e, ERR_USAGE,
                         "compare the fingerprint with what the other machine shows, then give "
                         "--fingerprint, or --yes");
    fputs("Is that what the other machine shows? Then type yes: ", stderr);
    if (!fgets(line, sizeof line, stdin) || strncmp(line, "yes", 3) != 0)
        return error_set(e, ERR_FINGERPRINT, "nothing was certified");
    return ERR_OK;
}

static enum err fetch_terms(const struct args *a, const struct public_key *agent, json_t **ret,
                            struct error *e) {
    char hex[2 * KEY_LEN + 1];
    hex_encode(hex, bytes_of(agent->b, KEY_LEN));
    struct local_call call = {
        .method = API_GET, .path = "/v1/certify", .take_query = json_pack("{s:s}", "agent", hex)};
    return local_call(a, &call, ret, e);
}

static enum err issue(const struct args *a, const struct agent_request *r, const json_t *terms,
                      struct error *e) {
    const char *file = args_option(a, "passphrase-file");
    struct buf passphrase, text;
    buf_init(&passphrase, PASSPHRASE_MAX);
    buf_init(&text, CERTIFY_FILE_MAX);
    enum err code = file ? passphrase_read(file, &passphrase, e) : ERR_OK;
    if (code == ERR_OK)
        code = certify_issue(local_dir(a), buf_bytes(&passphrase), r, terms, clock_wall_ms(), &text,
                             e);
    buf_wipe_done(&passphrase);
    if (code == ERR_OK)
        code = write_output(args_option(a, "output"), buf_bytes(&text), e);
    buf_done(&text);
    return code;
}

static enum err run_certify(const struct args *a, struct error *e) {
    struct agent_request request;
    json_t *terms = NULL;
    enum err code = read_request(args_at(a, 0), &request, e);
    if (code == ERR_OK)
        code = fetch_terms(a, &request.agent, &terms, e);
    if (code == ERR_OK)
        code = confirm(a, &request, e);
    if (code == ERR_OK)
        code = issue(a, &request, terms, e);
    if (code == ERR_OK)
        fputs("Certified. Next: plek-agent join with the certificate, on the other machine.\n",
              stderr);
    json_decref(terms);
    return code;
}

/* ---- the table ---- */

static const struct args_option request_options[] = {
    LOCAL_DIR,
    {"label", "TEXT", false, "what people call this agent, and its first site"},
    {"output", "FILE", false, "write this file, whole or not at all; default: standard output"},
    {0}};
static const struct args_option certify_options[] = {
    LOCAL_DIR,
    {"passphrase-file", "FILE", false, "opens the sealed member key"},
    {"fingerprint", "F", false, "what the other machine shows; nothing else is certified"},
    {"yes", NULL, false, "do not ask whether the fingerprint is right"},
    {"output", "FILE", false, "write this file, whole or not at all; default: standard output"},
    {0}};

static const struct args_command commands[] = {
    {"request", "", request_options, 0, 0,
     "write what a further agent of this organisation asks to be certified", run_request},
    {"certify", "REQUEST", certify_options, 1, 1,
     "with the member key: let another agent of this organisation in", run_certify},
    {0},
};

const struct args_command *certify_commands(void) {
    return commands;
}
