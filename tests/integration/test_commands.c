/* The contract of the commands: help, options, exit statuses, one-line errors that name the place,
 * the same answers with and without a daemon, and files that only their owner reads. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "commands");
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(commands, .init = setup, .fini = teardown, .timeout = 240);

static const char *const agent_commands[] = {
    "run",
    "join",
    "init",
    "site add",
    "site set",
    "site list",
    "set",
    "lines",
    "confirm",
    "undo",
    "import",
    "charter show",
    "policy show",
    "policy apply",
    "policy preview",
    "policy check",
    "partner list",
    "partner approve",
    "partner refuse",
    "partner forget",
    "withdraw",
    "pause",
    "resume",
    "audit",
    "find",
    "history",
    "status",
    "export",
    "place add",
    "place set",
    "place remove",
    "place list",
    "place import",
    "renew-certificate",
    "renew-keys",
    "request",
    "certify",
    "user add",
    "user list",
    "user role",
    "user reset",
    "user remove",
    "token add",
    "token list",
    "token remove",
    NULL,
};
static const char *const hub_commands[] = {
    "run",
    "init",
    "invite",
    "member list",
    "member show",
    "member revoke",
    "member suspend",
    "member resume",
    "member remove",
    "charter show",
    "charter publish",
    "aggregate",
    "status",
    "user add",
    "user list",
    "user role",
    "user reset",
    "user remove",
    "token add",
    "token list",
    "token remove",
    NULL,
};

/* ---- every command ---- */

/* The words of "site add" into argv after the program's name; returns how many. */
static int split_words(const char *command, const char **argv) {
    const char *space = strchr(command, ' ');
    argv[0] = space ? lab_text(&lab, "%.*s", (int)(space - command), command) : command;
    argv[1] = space ? space + 1 : NULL;
    return space ? 2 : 1;
}

static void expect_command(const char *program, const char *command) {
    const char *argv[8] = {program};
    int n = 1 + split_words(command, argv + 1);
    argv[n] = "--help";
    argv[n + 1] = NULL;
    const struct result *r = lab_run(&lab, NULL, argv);
    cr_assert_eq(r->status, 0, "%s %s --help gave %d", program, command, r->status);
    cr_assert(strstr(r->out, command) && strstr(r->out, "Usage: "), "%s", r->out);
    argv[n] = "--no-such-option";
    r = lab_run(&lab, NULL, argv);
    cr_assert_eq(r->status, 64, "%s %s --no-such-option gave %d: %s", program, command, r->status,
                 r->err);
    cr_assert(strstr(r->err, "--no-such-option"), "%s", r->err);
    cr_assert_eq(strchr(r->err, '\n'), r->err + strlen(r->err) - 1, "not one line: %s", r->err);
}

/* The help lists what is tested here and nothing else: a new command has to be added. */
static void expect_program(const char *program, const char *const *commands) {
    const struct result *help = LAB_OK(&lab, program, "--help");
    int listed = 0, known = 0;
    const char *list = strstr(help->out, "Commands:\n");
    cr_assert(list, "%s", help->out);
    for (const char *line = list; (line = strstr(line, "\n  ")); line++)
        listed++;
    for (; commands[known]; known++) {
        cr_assert(strstr(list, lab_text(&lab, "\n  %s ", commands[known])), "%s is not listed",
                  commands[known]);
        expect_command(program, commands[known]);
    }
    cr_assert_eq(listed, known, "%s lists %d commands, %d are tested", program, listed, known);
    cr_assert_str_eq(LAB_OK(&lab, program, "--version")->out,
                     lab_text(&lab, "%s " PLEK_VERSION "\n", program));
    LAB_FAILS(&lab, 64, program);
    LAB_FAILS(&lab, 64, program, "no-such-command");
}

Test(commands, help_version_and_unknown_options) {
    expect_program("plek-agent", agent_commands);
    expect_program("plek-hub", hub_commands);
    lab_pass(&lab);
}

/* ---- files and processes ---- */

static void expect_mode(const char *path, mode_t mode) {
    struct stat info;
    cr_assert_eq(stat(path, &info), 0, "there is no %s", path);
    cr_assert_eq(info.st_mode & 0777, mode, "%s has mode %o", path, (unsigned)info.st_mode & 0777);
}

Test(commands, keys_and_sockets_are_the_owners_alone) {
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_add(&net, "A", NULL);
    const char *dir = network_dir(&net, "A");
    expect_mode(lab_text(&lab, "%s/agent.key", dir), 0600);
    expect_mode(lab_text(&lab, "%s/member.key", dir), 0600);
    expect_mode(lab_text(&lab, "%s/member-next.key", dir), 0600);
    expect_mode(lab_text(&lab, "%s/api.sock", dir), 0600);
    expect_mode(lab_text(&lab, "%s/agent.db", dir), 0600);
    expect_mode(lab_text(&lab, "%s/hub.key", net.hub_dir), 0600);
    expect_mode(lab_text(&lab, "%s/api.sock", net.hub_dir), 0600);
    expect_mode(lab_text(&lab, "%s/hub.db", net.hub_dir), 0600);
    lab_pass(&lab);
}

Test(commands, one_daemon_a_directory_and_signals_end_it_well) {
    network_init(&net, &lab, NULL);
    struct process *hub = network_run_hub(&net, NULL);
    struct process *agent = network_add(&net, "A", NULL);
    const struct result *r =
        LAB_FAILS(&lab, 75, "plek-agent", "run", "--dir", network_dir(&net, "A"));
    cr_assert(strstr(r->err, lab_text(&lab, "%ld", (long)agent->pid)), "%s", r->err);
    r = LAB_FAILS(&lab, 75, "plek-hub", "run", "--dir", net.hub_dir, "--listen", "127.0.0.1:0");
    cr_assert(strstr(r->err, lab_text(&lab, "%ld", (long)hub->pid)), "%s", r->err);
    LAB_FAILS(&lab, 75, "plek-agent", "join", network_invite(&net, "B", NULL), "--dir",
              network_dir(&net, "A"));
    lab_signal(agent, SIGINT);
    cr_assert_eq(lab_wait_end(&lab, agent), 0);
    lab_signal(hub, SIGINT);
    cr_assert_eq(lab_wait_end(&lab, hub), 0);
    network_run_hub(&net, NULL);
    network_run_agent(&net, "A", NULL);
    EVENTUALLY(network_connected(&net, "A"));
    lab_stop(&lab, hub);   /* with an agent connected */
    lab_stop(&lab, agent); /* with no hub to reach */
    lab_pass(&lab);
}

/* The address is taken: said so, and at once. */
Test(commands, taken_address_is_refused) {
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    const char *dir = lab_path(&lab, "other");
    LAB_OK(&lab, "plek-hub", "init", "--dir", dir, "--name", "Other");
    const struct result *r =
        LAB_FAILS(&lab, 74, "plek-hub", "run", "--dir", dir, "--listen", net.address);
    cr_assert(strstr(r->err, net.address), "%s", r->err);
    LAB_FAILS(&lab, 64, "plek-hub", "run", "--dir", dir, "--listen", "nonsense");
    lab_pass(&lab);
}

Test(commands, directories_that_are_none_are_told_apart) {
    const char *nothing = lab_path(&lab, "nothing"), *dir = lab_path(&lab, "agent");
    LAB_FAILS(&lab, 66, "plek-agent", "run", "--dir", nothing);
    LAB_FAILS(&lab, 66, "plek-agent", "status", "--dir", nothing);
    LAB_FAILS(&lab, 66, "plek-hub", "run", "--dir", nothing);
    LAB_FAILS(&lab, 66, "plek-hub", "status", "--dir", nothing);
    LAB_OK(&lab, "plek-agent", "init", "--dir", dir, "--unsealed");
    LAB_FAILS(&lab, 73, "plek-agent", "init", "--dir", dir, "--unsealed");
    const struct result *r = LAB_FAILS(&lab, 69, "plek-agent", "run", "--dir", dir);
    cr_assert(strstr(r->err, "join"), "%s", r->err);
    LAB_OK(&lab, "plek-agent", "status", "--dir", dir);
    r = LAB_FAILS(&lab, 69, "plek-agent", "set", "bed", "free=1", "--dir", dir);
    cr_assert(strstr(r->err, "join"), "%s", r->err);
    LAB_FAILS(&lab, 65, "plek-agent", "join", "plek:nonsense", "--dir", dir);
    const char *hub = lab_path(&lab, "hub");
    LAB_OK(&lab, "plek-hub", "init", "--dir", hub, "--name", "N");
    LAB_FAILS(&lab, 73, "plek-hub", "init", "--dir", hub, "--name", "N");
    lab_pass(&lab);
}

Test(commands, configuration_faults_name_file_and_line) {
    const char *agent = lab_path(&lab, "agent"), *hub = lab_path(&lab, "hub");
    LAB_OK(&lab, "plek-agent", "init", "--dir", agent, "--unsealed");
    LAB_OK(&lab, "plek-hub", "init", "--dir", hub, "--name", "N");
    const char *conf = lab_path(&lab, "agent/agent.conf");
    lab_write(conf, "# first line\nlog.level = \"info\"\nlog.levle = \"debug\"\n");
    const struct result *r = LAB_FAILS(&lab, 78, "plek-agent", "run", "--dir", agent);
    cr_assert(strstr(r->err, lab_text(&lab, "%s:3", conf)), "%s", r->err);
    lab_write(conf, "# first line\nlog.level = \"loud\"\n");
    r = LAB_FAILS(&lab, 78, "plek-agent", "run", "--dir", agent);
    cr_assert(strstr(r->err, lab_text(&lab, "%s:2: log.level: found", conf)), "%s", r->err);
    conf = lab_path(&lab, "hub/hub.conf");
    lab_write(conf, "\n\nlimit.connections = many\n");
    r = LAB_FAILS(&lab, 78, "plek-hub", "run", "--dir", hub, "--listen", "127.0.0.1:0");
    cr_assert(strstr(r->err, lab_text(&lab, "%s:3", conf)), "%s", r->err);
    lab_write(conf, "tls.cert = \"/nowhere.pem\"\n");
    r = LAB_FAILS(&lab, 78, "plek-hub", "run", "--dir", hub, "--listen", "127.0.0.1:0");
    cr_assert(strstr(r->err, "tls.key"), "%s", r->err);
    lab_pass(&lab);
}

/* ---- bad input: the place is named and nothing changes ---- */

#define PROFILE                                                                                    \
    "{\"format\":1,\"service\":\"bed\",\"ward\":{\"column\":\"ward\"},"                            \
    "\"columns\":{\"free\":\"free\",\"total\":\"total\"}}"

/* Files by name; @NAME in an argument stands for the path. */
static const char *const files[][2] = {
    {"good.csv", "ward,free,total\nW1,1,4\nW2,NA,5\n"},
    {"number.csv", "ward,free,total\nW1,1,4\nW2,many,5\n"},
    {"twice.csv", "ward,free,total\nW1,1,4\nW1,2,4\n"},
    {"columns.csv", "ward,free\nW1,1\n"},
    {"ragged.csv", "ward,free,total\nW1,1\n"},
    {"contradiction.csv", "ward,free,total\nW1,9,4\n"},
    {"profile.json", PROFILE},
    {"syntax.json", "{\n  \"format\": 1,\n  \"service\" \"bed\"\n}\n"},
    {"key.json",
     "{\"format\":1,\"service\":\"bed\",\"columms\":{},\"columns\":{\"free\":\"free\"}}"},
    {"policy-syntax.json", "{\"audiences\":[\n  {\"name\": }\n]}"},
    {"policy-key.json",
     "{\"audiences\":[{\"name\":\"a\",\"members\":[\"@hub\"],\"services\":[\"*\"],"
     "\"precission\":\"exact\"}]}"},
    {"policy-precision.json", "{\"audiences\":[{\"name\":\"a\",\"members\":[\"@hub\"],"
                              "\"services\":[\"*\"],\"precision\":\"exactly\"}]}"},
    {"policy-twice.json",
     "{\"audiences\":[{\"name\":\"a\",\"members\":[\"@hub\"],\"services\":[\"*\"],"
     "\"precision\":\"exact\"},{\"name\":\"b\",\"members\":[\"@hub\"],\"services\":[\"bed\"],"
     "\"precision\":\"band\"}]}"},
};

struct bad {
    const char *argv[10]; /* after the program's name and before --dir */
    int status;
    const char *says[3]; /* parts of the one line on standard error */
};

static const struct bad bad_input[] = {
    {{"set", "cot", "free=1"}, 65, {"cot"}},
    {{"set", "bed", "free=many"}, 65, {"free", "many"}},
    {{"set", "bed", "free=1.5"}, 65, {"1.5"}},
    {{"set", "bed", "free"}, 64, {"free"}},
    {{"set", "bed", "colour=red"}, 65, {"colour"}},
    {{"set", "bed", "total=4", "occupied=3", "free=2"}, 65, {NULL}},
    {{"set", "bed", "free=1", "--site", "Nowhere"}, 65, {"Nowhere"}},
    {{"set", "bed", "free=1", "--valid", "2 hours"}, 65, {"2 hours"}},
    {{"set", "bed", "free=1", "--observed", "2026-11-20", "--valid", "400d"}, 65, {"7d"}},
    {{"set", "bed", "free=1", "--observed", "yesterday"}, 65, {"yesterday"}},
    {{"set", "bed", "free=1", "--observed", "2026-02-30"}, 65, {"2026-02-30"}},
    {{"set", "bed", "status=open"}, 65, {"open", "admitting"}},
    {{"set"}, 64, {"SERVICE"}},
    {{"confirm", "--site", "Nowhere"}, 65, {"Nowhere"}},
    {{"undo"}, 64, {"SERVICE"}},
    {{"undo", "bed", "--ward", "Nowhere"}, 65, {"lines"}},
    {{"undo", "bed", "--site", "Nowhere"}, 65, {"Nowhere"}},
    {{"undo", "bed"}, 65, {"before"}},
    {{"pause", "--audience", "nobody"}, 65, {"nobody", "policy show"}},
    {{"resume", "--audience", "nobody"}, 65, {"nobody", "policy show"}},
    {{"lines", "--site", "Nowhere"}, 65, {"Nowhere"}},
    {{"site", "add", "A"}, 65, {"A"}},
    {{"site", "set", "Nowhere", "--phone", "1"}, 65, {"Nowhere"}},
    {{"site", "set", "A"}, 64, {"--phone"}},
    {{"import", "@good.csv"}, 64, {"--profile"}},
    {{"place", "import", "@good.csv", "--profile", "@profile.json"}, 65, {"profile.json", "place"}},
    {{"place", "add", "cot", "K1"}, 65, {"cot"}},
    {{"place", "add", "bed", "K1", "state=full"}, 65, {"full", "occupied"}},
    {{"place", "add", "bed", "K1", "colour=red"}, 65, {"colour"}},
    {{"place", "set", "bed", "K1", "state=free"}, 65, {"K1", "place list"}},
    {{"place", "set", "bed", "K1"}, 64, {"key=value"}},
    {{"place", "remove", "bed", "K1"}, 65, {"K1"}},
    {{"export", "everything"}, 65, {"everything", "picture"}},
    {{"export", "lines", "--format", "xlsx"}, 65, {"xlsx", "rfc4180"}},
    {{"set", "bed", "note=bsn 111222333"}, 65, {"note", "BSN"}},
    {{"set", "bed", "free=111222333"}, 65, {"free", "BSN"}},
    {{"import", "@none.csv", "--profile", "@profile.json"}, 66, {"none.csv"}},
    {{"import", "@good.csv", "--profile", "@none.json"}, 66, {"none.json"}},
    {{"import", "@number.csv", "--profile", "@profile.json"},
     65,
     {"number.csv:3:2: ", "many", "number"}},
    {{"import", "@twice.csv", "--profile", "@profile.json"}, 65, {"twice.csv:3", "W1"}},
    {{"import", "@columns.csv", "--profile", "@profile.json"}, 65, {"columns.csv:1", "total"}},
    {{"import", "@ragged.csv", "--profile", "@profile.json"}, 65, {"ragged.csv:2"}},
    {{"import", "@contradiction.csv", "--profile", "@profile.json"}, 65, {"contradiction.csv:2"}},
    {{"import", "@good.csv", "--profile", "@syntax.json"}, 65, {"syntax.json:3:"}},
    {{"import", "@good.csv", "--profile", "@key.json"}, 65, {"columms"}},
    {{"import", "@good.csv", "--profile", "@profile.json", "--where", "ward=W9"}, 65, {"good.csv"}},
    {{"import", "@good.csv", "--profile", "@profile.json", "--where", "nope=1"}, 65, {"nope"}},
    {{"import", "@good.csv", "--profile", "@profile.json", "--where", "nope"}, 64, {"nope"}},
    {{"policy", "apply"}, 64, {"--suggested"}},
    {{"policy", "apply", "--suggested"}, 65, {"suggest"}},
    {{"policy", "apply", "@none.json"}, 66, {"none.json"}},
    {{"policy", "apply", "@policy-syntax.json"}, 65, {"policy-syntax.json:2:"}},
    {{"policy", "apply", "@policy-key.json"}, 65, {"audiences[0]", "precission"}},
    {{"policy", "apply", "@policy-precision.json"}, 65, {"audiences[0].precision", "exactly"}},
    {{"policy", "apply", "@policy-twice.json"}, 65, {"audiences"}},
    {{"policy", "preview"}, 64, {"--partner"}},
    {{"policy", "preview", "--partner", "Nobody"}, 65, {"Nobody"}},
    {{"partner", "forget", "Nobody"}, 65, {"Nobody"}},
    {{"find", "cot"}, 65, {"cot"}},
    {{"find", "bed", "--min", "some"}, 65, {"some"}},
    {{"find", "bed", "--where", "colour"}, 65, {"colour"}},
};
#define BAD_COUNT (sizeof bad_input / sizeof bad_input[0])

static const char *resolve(const char *argument) {
    return argument[0] == '@' ? lab_path(&lab, "%s", argument + 1) : argument;
}

/* All that these commands could change. */
static json_t *whole_state(void) {
    static const char *const reads[][3] = {
        {"lines"}, {"site", "list"}, {"policy", "show"}, {"partner", "list"}};
    json_t *state = json_array();
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        const char *argv[8] = {"plek-agent"};
        int n = 1;
        for (int k = 0; reads[i][k]; k++)
            argv[n++] = reads[i][k];
        argv[n++] = "--dir";
        argv[n++] = network_dir(&net, "A");
        json_t *got = json_deep_copy(lab_json(&lab, __FILE__, __LINE__, argv));
        size_t k;
        json_t *row;
        json_array_foreach(got, k, row) json_object_del(row, "age_s");
        json_array_append_new(state, got);
    }
    json_array_append_new(lab.documents, state);
    return state;
}

static const struct result *run_bad(const struct bad *bad) {
    const char *argv[16] = {"plek-agent"};
    int n = 1;
    for (int i = 0; i < 10 && bad->argv[i]; i++)
        argv[n++] = resolve(bad->argv[i]);
    argv[n++] = "--dir";
    argv[n++] = network_dir(&net, "A");
    const struct result *r = lab_run(&lab, NULL, argv);
    cr_expect_eq(r->status, bad->status, "%s %s %s: status %d, expected %d: %s", bad->argv[0],
                 bad->argv[1], bad->argv[2], r->status, bad->status, r->err);
    for (int i = 0; i < 3 && bad->says[i]; i++)
        cr_expect(strstr(r->err, bad->says[i]), "%s %s: '%s' is not in: %s", bad->argv[0],
                  bad->argv[1], bad->says[i], r->err);
    cr_expect_eq(strncmp(r->err, "plek-agent: ", 12), 0, "%s", r->err);
    cr_expect_eq(strchr(r->err, '\n') + 1 - r->err, (long)strlen(r->err), "not one line: %s",
                 r->err);
    return r;
}

static void one_member(void) {
    network_init(&net, &lab, NULL);
    network_run_hub(&net, NULL);
    network_add(&net, "A", NULL);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        lab_write(lab_path(&lab, "%s", files[i][0]), files[i][1]);
    network_policy(&net, "A",
                   "{\"audiences\":[{\"name\":\"a\",\"members\":[\"@hub\"],"
                   "\"services\":[\"*\"],\"precision\":\"exact\"}]}");
    AGENT_DO(&net, "A", "set", "bed", "free=1", "total=4");
}

/* Each case over the socket and in-process: the same status and the same words. */
Test(commands, bad_input_changes_nothing_and_names_the_place) {
    const struct result *remote[BAD_COUNT];
    one_member();
    json_t *before = whole_state();
    for (size_t i = 0; i < BAD_COUNT; i++)
        remote[i] = run_bad(&bad_input[i]);
    cr_assert(json_equal(before, whole_state()));
    lab_stop(&lab, network_process(&net, "A"));
    for (size_t i = 0; i < BAD_COUNT; i++)
        cr_expect_str_eq(run_bad(&bad_input[i])->err, remote[i]->err);
    cr_assert(json_equal(before, whole_state()), "%s\n%s", lab_dump(&lab, before),
              lab_dump(&lab, whole_state()));
    LAB_FAILS(&lab, 65, "plek-agent", "partner", "approve", "Nobody", "--dir",
              network_dir(&net, "A"));
    lab_pass(&lab);
}

static const struct bad bad_hub_input[] = {
    {{"invite"}, 64, {"--name"}},
    {{"invite", "--name", ""}, 65, {NULL}},
    {{"invite", "--name", "B", "--role", "king"}, 65, {"king", "provider"}},
    {{"invite", "--name", "B", "--expires", "soon"}, 65, {"soon"}},
    {{"invite", "--name", "B", "--address", "nowhere"}, 65, {"nowhere"}},
    {{"invite", "--name", "A"}, 65, {"A"}},
    {{"member", "suspend", "Nobody"}, 65, {"Nobody"}},
    {{"member", "resume", "A"}, 65, {"A"}},
    {{"charter", "publish", "@none.json"}, 66, {"none.json"}},
    {{"charter", "publish", "@syntax.json"}, 65, {"syntax.json:3:"}},
    {{"charter", "publish", "@policy-key.json"}, 65, {"audiences"}},
    {{"aggregate", "--service", "cot"}, 65, {"cot"}},
    {{"aggregate", "--audience", "press"}, 64, {"press", "public"}},
    {{"user", "add", "balie", "--role", "editor"}, 65, {"editor", "viewer or admin"}},
    {{"token", "add", "epd", "--role", "editor"}, 65, {"editor", "viewer or admin"}},
    {{"aggregate", "--from", "2020-13-01"}, 65, {"2020-13-01", "from"}},
    {{"aggregate", "--to", "2020-01-01"}, 64, {"start"}},
    {{"aggregate", "--csv", "--json"}, 64, {"--csv"}},
};

static void run_bad_hub(const struct bad *bad) {
    const char *argv[16] = {"plek-hub"};
    int n = 1;
    for (int i = 0; i < 10 && bad->argv[i]; i++)
        argv[n++] = resolve(bad->argv[i]);
    argv[n++] = "--dir";
    argv[n++] = net.hub_dir;
    const struct result *r = lab_run(&lab, NULL, argv);
    cr_expect_eq(r->status, bad->status, "%s %s %s: status %d, expected %d: %s", bad->argv[0],
                 bad->argv[1], bad->argv[2], r->status, bad->status, r->err);
    for (int i = 0; i < 3 && bad->says[i]; i++)
        cr_expect(strstr(r->err, bad->says[i]), "%s %s: '%s' is not in: %s", bad->argv[0],
                  bad->argv[1], bad->says[i], r->err);
}

Test(commands, bad_input_at_the_hub_changes_nothing) {
    one_member();
    for (int daemon = 1; daemon >= 0; daemon--) {
        int64_t before = number_at(HUB(&net, "status"), "log");
        for (size_t i = 0; i < sizeof bad_hub_input / sizeof bad_hub_input[0]; i++)
            run_bad_hub(&bad_hub_input[i]);
        cr_assert_eq(number_at(HUB(&net, "status"), "log"), before);
        if (daemon)
            lab_stop(&lab, network_process(&net, "hub"));
    }
    const char *dir = lab_path(&lab, "none-made");
    const struct result *r = LAB_FAILS(&lab, 65, "plek-hub", "init", "--dir", dir, "--name", "N",
                                       "--charter", lab_path(&lab, "syntax.json"));
    cr_assert(strstr(r->err, "syntax.json:3:"), "%s", r->err);
    LAB_FAILS(&lab, 66, "plek-hub", "status", "--dir", dir);
    lab_pass(&lab);
}

/* ---- alike with and without a daemon ---- */

static const char *const reads[][4] = {
    {"lines"},          {"lines", "bed"},    {"site", "list"},
    {"policy", "show"}, {"policy", "check"}, {"partner", "list"},
    {"find"},           {"charter", "show"}, {"policy", "preview", "--partner", "@hub"},
};
#define READ_COUNT (sizeof reads / sizeof reads[0])

static json_t *read_one(size_t i) {
    const char *argv[10] = {"plek-agent"};
    int n = 1;
    for (int k = 0; k < 4 && reads[i][k]; k++)
        argv[n++] = reads[i][k];
    argv[n++] = "--dir";
    argv[n++] = network_dir(&net, "A");
    json_t *got = lab_json(&lab, __FILE__, __LINE__, argv), *row;
    size_t k;
    json_array_foreach(got, k, row) json_object_del(row, "age_s");
    return got;
}

Test(commands, answers_are_alike_with_and_without_a_daemon) {
    json_t *remote[READ_COUNT];
    one_member();
    network_add(&net, "B", NULL);
    AGENT_DO(&net, "A", "partner", "approve", "B"); /* waits until the name is known */
    AGENT_DO(&net, "A", "import", lab_path(&lab, "good.csv"), "--profile",
             lab_path(&lab, "profile.json"));
    EVENTUALLY(network_drained(&net, "A"));
    for (size_t i = 0; i < READ_COUNT; i++)
        remote[i] = read_one(i);
    json_t *members = HUB(&net, "member", "list"), *sum = HUB(&net, "aggregate");
    json_t *charter = HUB(&net, "charter", "show");
    lab_stop(&lab, network_process(&net, "A"));
    for (size_t i = 0; i < READ_COUNT; i++) {
        json_t *local = read_one(i);
        cr_assert(json_equal(local, remote[i]), "%s %s: %s\n%s", reads[i][0], reads[i][1],
                  lab_dump(&lab, local), lab_dump(&lab, remote[i]));
    }
    lab_stop(&lab, network_process(&net, "B"));
    lab_stop(&lab, network_process(&net, "hub"));
    cr_assert(json_equal(sum, HUB(&net, "aggregate")));
    cr_assert(json_equal(charter, HUB(&net, "charter", "show")));
    json_t *now = HUB(&net, "member", "list");
    cr_assert_eq(json_array_size(now), json_array_size(members));
    /* NA is unknown, not 0. */
    json_t *row = row_where(read_one(0), "ward", "W2");
    cr_assert(json_is_null(json_object_get(row, "available")), "%s", lab_dump(&lab, row));
    cr_assert_eq(number_at(row, "total"), 5);
    lab_pass(&lab);
}

/* Options stand anywhere after the command word. */
Test(commands, options_stand_anywhere) {
    one_member();
    const char *dir = network_dir(&net, "A");
    LAB_OK(&lab, "plek-agent", "set", "--dir", dir, "bed", "--valid", "2h", "free=2", "--json");
    LAB_OK(&lab, "plek-agent", "set", "bed", "free=3", "--valid=2h", "--dir", dir);
    LAB_OK(&lab, "plek-agent", "set", "--valid", "2h", "bed", "--keep", "held=1", "--dir", dir);
    json_t *row = json_array_get(AGENT(&net, "A", "lines"), 0);
    cr_assert_eq(number_at(row, "available"), 3);
    cr_assert_eq(number_at(row, "held"), 1);
    LAB_FAILS(&lab, 64, "plek-agent", "--dir", dir, "lines");
    lab_pass(&lab);
}

/* `set` states the figure anew; --keep carries over; a dry run changes nothing; the same file twice
 * changes nothing either. */
Test(commands, set_and_import_mean_what_they_say) {
    one_member();
    AGENT_DO(&net, "A", "set", "bed", "total=10", "occupied=4", "need=2");
    AGENT_DO(&net, "A", "set", "bed", "free=5");
    json_t *row = json_array_get(AGENT(&net, "A", "lines"), 0);
    cr_assert(json_is_null(json_object_get(row, "need")), "what is not named becomes unknown");
    cr_assert_eq(number_at(row, "available"), 5);
    AGENT_DO(&net, "A", "set", "bed", "total=4", "occupied=6", "held=0", "blocked=0");
    cr_assert_eq(number_at(json_array_get(AGENT(&net, "A", "lines"), 0), "available"), -2);
    const char *csv = lab_path(&lab, "good.csv"), *profile = lab_path(&lab, "profile.json");
    json_t *report = AGENT(&net, "A", "import", csv, "--profile", profile, "--dry-run");
    cr_assert_eq(number_at(report, "new"), 2);
    cr_assert_eq(json_array_size(AGENT(&net, "A", "lines")), 1);
    cr_assert_eq(number_at(AGENT(&net, "A", "import", csv, "--profile", profile), "new"), 2);
    report = AGENT(&net, "A", "import", csv, "--profile", profile);
    cr_assert_eq(number_at(report, "unchanged"), 2);
    cr_assert_eq(number_at(report, "changed"), 0);
    cr_assert_eq(json_array_size(AGENT(&net, "A", "lines")), 3);
    lab_pass(&lab);
}
