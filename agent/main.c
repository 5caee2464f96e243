/* Owns the plek-agent program: its command table, `run` and `join`. Everything else is delegated.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "certify.h"
#include "clock.h"
#include "commands.h"
#include "daemon.h"
#include "files.h"
#include "json_memory.h"
#include "log.h"
#include "random.h"

#define JOIN_TIMEOUT_MS 30000
#define URI_LINE_MAX (INVITE_URI_MAX + 2)
#define CA_HELP "certificate authority (PEM) of a wss hub, instead of the one in agent.conf"

static const char *dir_of(const struct args *a) {
    const char *dir = args_option(a, "dir");
    return dir ? dir : ".";
}

static enum err run(const struct args *a, struct error *e) {
    struct daemon *d = NULL;
    const struct daemon_options options = {.dir = dir_of(a),
                                           .serve = true,
                                           .ca = args_option(a, "ca"),
                                           .web_listen = args_option(a, "web"),
                                           .web_root = args_option(a, "web-root"),
                                           .web_shared = args_option(a, "web-shared")};
    enum err err = daemon_open(&options, &d, e);
    if (err)
        return err;
    printf("ready dir=%s web=%s\n", dir_of(a), daemon_web_address(d));
    fflush(stdout);
    daemon_run(d, 0);
    log_event(LOG_INFO, "stopped", "dir=%s", dir_of(a));
    daemon_close(d);
    return ERR_OK;
}

/* The invitation from the command line, or from standard input for "-". */
static enum err read_invite(const char *operand, struct invite *ret, struct error *e) {
    char line[URI_LINE_MAX];
    if (strcmp(operand, "-") != 0)
        return invite_parse(operand, ret, e);
    if (!fgets(line, sizeof line, stdin))
        return error_set(e, ERR_NO_INPUT,
                         "found nothing on standard input, expected an invitation URI");
    line[strcspn(line, "\r\n")] = '\0';
    enum err err = invite_parse(line, ret, e);
    sodium_memzero(line, sizeof line);
    return err;
}

/* What there is to begin with: each leaves the agent ready for its first word to the hub. */
struct joining {
    const struct args *args;
    struct daemon *d;
    struct bytes passphrase;
};

static enum err begin_by_invite(const struct joining *j, struct error *e) {
    struct invite invite = {0};
    enum err err = read_invite(args_at(j->args, 0), &invite, e);
    if (!err)
        err = agent_join_begin(daemon_agent(j->d), &invite, j->passphrase, clock_wall_ms(), e);
    invite_wipe(&invite);
    return err;
}

static enum err begin_by_certificate(const struct joining *j, struct error *e) {
    const char *file = args_at(j->args, 0);
    struct buf text;
    buf_init(&text, CERTIFY_FILE_MAX);
    enum err err = files_read(file, &text, e);
    if (!err)
        err = certify_take(daemon_agent(j->d), buf_bytes(&text), file, clock_wall_ms(), e);
    buf_done(&text);
    return err;
}

static enum err begin_by_own_key(const struct joining *j, struct error *e) {
    return certify_own(daemon_agent(j->d), j->passphrase, clock_wall_ms(), e);
}

/* Certificates are files; anything that begins like an invitation is one. */
static enum err begin_join(const struct joining *j, struct error *e) {
    const char *operand = args_at(j->args, 0);
    bool invite = strcmp(operand, "-") == 0 || strncmp(operand, "plek:", 5) == 0 ||
                  access(operand, F_OK) != 0;
    return invite ? begin_by_invite(j, e) : begin_by_certificate(j, e);
}

static void print_joined(struct agent *agent, const char *word) {
    const struct directory *directory = agent_directory(agent);
    const struct member *me = directory_member(directory, agent_member(agent));
    char fingerprint[FINGERPRINT_SIZE];
    printf("%s network=\"%s\" member=\"%s\" fingerprint=%s\n", word, directory_name(directory),
           me->name, fingerprint_text(&me->key, fingerprint));
}

/* Begins, and tells the hub; the same command can be repeated. */
static enum err connect_once(const struct args *a,
                             enum err (*begin)(const struct joining *j, struct error *e),
                             const char *word, struct error *e) {
    const char *file = args_option(a, "passphrase-file");
    const struct daemon_options options = {.dir = dir_of(a), .ca = args_option(a, "ca")};
    struct joining j = {.args = a};
    struct buf passphrase;
    buf_init(&passphrase, PASSPHRASE_MAX);
    enum err err = file ? passphrase_read(file, &passphrase, e) : ERR_OK;
    if (!err)
        err = daemon_open(&options, &j.d, e);
    j.passphrase = buf_bytes(&passphrase);
    if (!err)
        err = begin(&j, e);
    buf_wipe_done(&passphrase);
    if (!err)
        err = daemon_join(j.d, JOIN_TIMEOUT_MS, e);
    if (!err)
        print_joined(daemon_agent(j.d), word);
    daemon_close(j.d);
    return err;
}

static enum err join(const struct args *a, struct error *e) {
    return connect_once(a, begin_join, "joined", e);
}

static enum err renew_certificate(const struct args *a, struct error *e) {
    return connect_once(a, begin_by_own_key, "renewed", e);
}

static const struct args_option run_options[] = {
    {"dir", "DIR", false, "the agent's directory (default: this one)"},
    {"ca", "FILE", false, CA_HELP},
    {"web", "ADDR:PORT", false, "where the screens are, instead of web.listen; off: nowhere"},
    {"web-root", "DIR", false, "files of the screens before the built-in ones, never cached"},
    {"web-shared", "DIR", false, "the same for those below /shared/"},
    {0}};
static const struct args_option join_options[] = {
    {"dir", "DIR", false, "the agent's directory (default: this one)"},
    {"passphrase-file", "FILE", false, "opens the sealed member key"},
    {"ca", "FILE", false, CA_HELP},
    {0}};

static const struct args_command shell_commands[] = {
    {"run", "", run_options, 0, 0, "keep in touch with the hub until SIGTERM; prints `ready`", run},
    {"join", "URI|-|CERTIFICATE", join_options, 1, 1,
     "join a network by its invitation (\"-\": from standard input), or as a further agent by a "
     "certificate file",
     join},
    {"renew-certificate", "", join_options, 0, 0,
     "with the member key: a newer certificate for this agent, shown to the hub",
     renew_certificate},
};
#define SHELL_COMMANDS (sizeof shell_commands / sizeof shell_commands[0])

int main(int argc, char **argv) {
    struct error e = {0};
    json_watch();
    if (keys_init(&e)) {
        fprintf(stderr, "plek-agent: %s\n", e.detail);
        return error_exit_status(e.code);
    }
    struct args_command table[SHELL_COMMANDS + AGENT_COMMANDS_MAX + 1];
    size_t count = SHELL_COMMANDS;
    memcpy(table, shell_commands, sizeof shell_commands);
    for (const struct args_command *c = agent_commands();
         c->name && count < SHELL_COMMANDS + AGENT_COMMANDS_MAX; c++)
        table[count++] = *c;
    table[count] = (struct args_command){0};
    struct args_program program = {
        "plek-agent", "plek-agent: your organisation's own figures, shared as you decide.", table};
    return args_main(&program, argc, argv);
}
