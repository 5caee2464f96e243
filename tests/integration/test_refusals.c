/* What both programs say to a command that cannot be carried out: the exit status, and one line
 * that names what was found and what was expected. Nothing listens: each is refused on the way. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "network.h"

static struct lab lab;
static struct network net;

static void setup(void) {
    lab_open(&lab, "refusals");
    network_init(&net, &lab, NULL);
    LAB_OK(&lab, "plek-agent", "init", "--unsealed", "--dir", network_dir(&net, "A"));
}

static void teardown(void) {
    lab_close(&lab);
}

TestSuite(refusals, .init = setup, .fini = teardown, .timeout = 240);

enum { WORDS_MAX = 10 };

struct refusal {
    const char *command[WORDS_MAX];
    int status;
    const char *words;
};

/* In a word: @file is a file in the scratch directory, @@ some five thousand letters, @. a
 * directory that is there and has the longest name. */
static const char *expand(const char *word) {
    static char many[5001], long_dir[PATH_MAX];
    memset(many, 'x', sizeof many - 1);
    if (strcmp(word, "@@") == 0)
        return many;
    if (strcmp(word, "@.") == 0) {
        int n = snprintf(long_dir, sizeof long_dir, "%s", lab_path(&lab, "folder"));
        for (; n + 4 < PATH_MAX; n += 2)
            snprintf(long_dir + n, 3, "/.");
        return long_dir;
    }
    return word[0] == '@' ? lab_path(&lab, "%s", word + 1) : word;
}

/* Each with --dir DIR at its end unless it names a directory itself. */
static void expect_refusals(const char *program, const char *dir, const struct refusal *cases,
                            size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *argv[WORDS_MAX + 4] = {program};
        int n = 1;
        bool has_dir = false;
        for (int w = 0; w < WORDS_MAX && cases[i].command[w]; w++) {
            has_dir = has_dir || strcmp(cases[i].command[w], "--dir") == 0;
            argv[n++] = expand(cases[i].command[w]);
        }
        if (!has_dir) {
            argv[n++] = "--dir";
            argv[n++] = dir;
        }
        const struct result *r = lab_run(&lab, NULL, argv);
        cr_assert_eq(r->status, cases[i].status, "%s %s %s gave %d: %s", program, argv[1], argv[2],
                     r->status, r->err);
        cr_assert(strstr(r->err, cases[i].words), "expected '%s', found: %s", cases[i].words,
                  r->err);
        cr_assert_eq(strchr(r->err, '\n'), r->err + strlen(r->err) - 1, "not one line: %s", r->err);
        cr_assert_str_eq(r->out, "");
    }
}
#define EXPECT_REFUSALS(program, dir, cases)                                                       \
    expect_refusals(program, dir, cases, sizeof(cases) / sizeof((cases)[0]))

static void write_files(void) {
    lab_write(lab_path(&lab, "empty"), "");
    lab_write(lab_path(&lab, "two"), "one\ntwo\n");
    lab_write(lab_path(&lab, "latin"), "{\"purpose\": \"caf\xE9\"}");
    lab_write(lab_path(&lab, "large"), "");
    cr_assert_eq(truncate(lab_path(&lab, "large"), 4 << 20), 0);
    cr_assert_eq(mkdir(lab_path(&lab, "folder"), 0700), 0);
}

Test(refusals, an_agents_commands) {
    static const struct refusal cases[] = {
        {{"init", "--dir", "@new", "--passphrase-file", "@empty"}, 65, "an empty passphrase"},
        {{"init", "--dir", "@new", "--passphrase-file", "@two"}, 65, "two:2: found a second line"},
        {{"init", "--dir", "@new", "--passphrase-file", "@folder"}, 66, "folder: is a directory"},
        {{"init", "--dir", "@new", "--passphrase-file", "@large"}, 65, "large: larger than the"},
        {{"init", "--dir", "@new", "--passphrase-file", "@none"}, 66, "none: cannot be read"},
        {{"init", "--dir", "@new", "--passphrase-file", "@two", "--second"}, 64, "no member key"},
        {{"init", "--dir", "@new", "--passphrase-file", "@two", "--unsealed"}, 64, "one of them"},
        {{"init", "--unsealed", "--dir", "@@"}, 73, "File name too long"},
        {{"init", "--unsealed", "--dir", "@."}, 66, "is too long"},
        {{"run", "--dir", "@@"}, 64, "--dir is too long"},
        {{"lines", "--dir", "@@"}, 64, "--dir is too long"},
        {{"join", "-"}, 66, "nothing on standard input"},
        {{"run", "--web", "@@"}, 64, "--web is too long"},
        {{"run", "--ca", "@none"}, 66, "none: No such file"},
        {{"site", "set", "X"}, 64, "nothing to change"},
        {{"set", "bed", "free"}, 64, "expected key=value"},
        {{"set", "bed", "@@"}, 64, "expected key=value"},
        {{"set", "bed",
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=1"},
         64,
         "expected key=value"},
        {{"set", "bed", "free=1", "free=2"}, 64, "found free twice"},
        {{"set", "bed", "note=caf\xE9"}, 65, "a value for note that is not UTF-8"},
        {{"set", "bed"}, 64, "found no key=value"},
        {{"set", "bed", "free=1"}, 69, "join"},
        {{"place", "add", "bed", "1", "state"}, 64, "expected key=value"},
        {{"export", "lines", "--from", "2026-01-01"}, 64, "--from"},
        {{"import", "@folder", "--profile", "@two"}, 66, "folder: is a directory"},
        {{"import", "@none", "--profile", "@none"}, 66, "none"},
        {{"partner", "approve", ""}, 64, "expected a partner's"},
        {{"partner", "approve", "@@"}, 64, "expected a partner's"},
        {{"partner", "approve", "a/b"}, 64, "give its key instead"},
        {{"find", "--watch"}, 69, "--watch needs the daemon"},
        {{"user", "role", "a/b", "viewer"}, 64, "which nobody can have"},
        {{"user", "role", "@@", "viewer"}, 64, "a name that is too long"},
        {{"user", "add", "caf\xE9"}, 65, "a name that is not UTF-8"},
        {{"token", "remove", "nobody"}, 65, "found no token 'nobody'"},
        {{"certify", "@folder", "--yes"}, 66, "is a directory"},
        {{"certify", "@large", "--yes"}, 65, "large"},
    };
    write_files();
    EXPECT_REFUSALS("plek-agent", network_dir(&net, "A"), cases);
    lab_pass(&lab);
}

Test(refusals, a_hubs_commands) {
    static const struct refusal cases[] = {
        {{"init"}, 64, "expected --dir DIR and --name NAME"},
        {{"init", "--dir", "@new"}, 64, "expected --dir DIR and --name NAME"},
        {{"init", "--dir", "@@", "--name", "N"}, 73, "is too long"},
        {{"init", "--dir", "@new", "--name", "N", "--charter", "@empty"},
         65,
         "empty: found an empty"},
        {{"init", "--dir", "@new", "--name", "N", "--charter", "@large"},
         65,
         "large: found more than"},
        {{"init", "--dir", "@new", "--name", "N", "--charter", "@folder"},
         74,
         "folder: cannot be read"},
        {{"init", "--dir", "@new", "--name", "N", "--charter", "@none"},
         66,
         "none: cannot be opened"},
        {{"status", "--dir", "@@"}, 66, "is too long"},
        {{"run", "--listen", "@@"}, 64, "--listen is too long"},
        {{"invite"}, 64, "expected --name NAME"},
        {{"invite", "--name", "A", "--expires", "0s"}, 64, "more than nothing"},
        {{"invite", "--name", "caf\xE9"}, 65, "not UTF-8"},
        {{"member", "show", "a/b"}, 65, "found no member 'a/b'"},
        {{"member", "show", "@@"}, 65, "found no member 'xxx"},
        {{"member", "suspend", "nobody"}, 65, "nobody"},
        {{"member", "suspend", "nobody", "--reason", "caf\xE9"}, 65, "not UTF-8"},
        {{"member", "revoke", "nobody"}, 64, "expected --agent KEY"},
        {{"member", "revoke", "nobody", "--agent", "caf\xE9"}, 65, "not UTF-8"},
        {{"charter", "publish", "@latin"}, 65, "latin: found bytes that are not UTF-8"},
        {{"charter", "publish", "@empty"}, 65, "empty: found an empty file"},
        {{"aggregate", "--audience", "all"}, 64, "operator, public or observers"},
        {{"aggregate", "--json", "--csv"}, 64, "one of them"},
        {{"user", "add", "a/b"}, 65, "found 'a/b'"},
        {{"user", "role", "a/b", "viewer"}, 64, "which nobody can have"},
        {{"token", "remove", "nobody"}, 65, "found no token 'nobody'"},
    };
    write_files();
    EXPECT_REFUSALS("plek-hub", net.hub_dir, cases);
    char program[PATH_MAX];
    const struct result *r =
        LAB_FAILS(&lab, 64, "env", "-C", lab.dir, lab_program("plek-hub", program), "status");
    cr_assert(strstr(r->err, "name one with --dir DIR"), "%s", r->err);
    lab_pass(&lab);
}

Test(refusals, half_of_a_setting) {
    static const struct refusal agent[] = {{{"run"}, 78, "only one of web.cert and web.key"}};
    static const struct refusal hub[] = {{{"run"}, 78, "only one of tls.cert and tls.key"}};
    lab_write(lab_text(&lab, "%s/agent.conf", network_dir(&net, "A")), "web.cert = \"c.pem\"\n");
    lab_write(lab_text(&lab, "%s/hub.conf", net.hub_dir), "tls.cert = \"c.pem\"\n");
    EXPECT_REFUSALS("plek-agent", network_dir(&net, "A"), agent);
    EXPECT_REFUSALS("plek-hub", net.hub_dir, hub);
    lab_pass(&lab);
}

Test(refusals, a_member_that_shares_nothing_yet) {
    static const struct refusal cases[] = {
        {{"pause"}, 65, "no policy was applied"},
        {{"withdraw", "--audience", "all"}, 65, "no policy was applied"},
        {{"import", "@two", "--profile", "@places", "--history"}, 64, "places have no past"},
    };
    write_files();
    lab_write(lab_path(&lab, "places"),
              "{\"format\":1,\"service\":\"bed\",\"place\":{\"column\":\"k\"},"
              "\"columns\":{\"state\":\"s\"}}");
    network_run_hub(&net, NULL);
    network_join(&net, "B", NULL);
    EXPECT_REFUSALS("plek-agent", network_dir(&net, "B"), cases);
    lab_pass(&lab);
}

/* An answer that cannot be written is no success, short or long. */
Test(refusals, an_answer_that_cannot_be_written) {
    static const struct {
        const char *program, *words;
    } cases[] = {
        {"plek-agent", "lines"},   {"plek-agent", "status --json"},
        {"plek-agent", "find"},    {"plek-agent", "export lines"},
        {"plek-hub", "status"},    {"plek-hub", "charter show --json"},
        {"plek-hub", "aggregate"}, {"plek-hub", "aggregate --csv"},
    };
    network_run_hub(&net, NULL);
    network_join(&net, "B", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char program[PATH_MAX];
        const char *dir =
            strcmp(cases[i].program, "plek-hub") == 0 ? net.hub_dir : network_dir(&net, "B");
        const struct result *r =
            LAB_FAILS(&lab, 74, "sh", "-c",
                      lab_text(&lab, "exec '%s' %s --dir '%s' >/dev/full",
                               lab_program(cases[i].program, program), cases[i].words, dir));
        cr_assert(strstr(r->err, "cannot be written"), "%s: %s", cases[i].words, r->err);
    }
    lab_pass(&lab);
}
