/* Tests of command lines: what is understood, what is refused with which status and message. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>
#include <sysexits.h>

#include "args.h"

/* What the command saw, for the test to look at. */
static struct {
    int calls, operands, wheres;
    bool json;
    char dir[64], first[64], second[64], where[4][64];
} seen;

static void copy_text(char out[static 64], const char *text) {
    snprintf(out, 64, "%s", text ? text : "(null)");
}

static enum err look(const struct args *a, struct error *e) {
    (void)e;
    seen.calls++;
    seen.json = args_flag(a, "json");
    seen.operands = args_count(a);
    seen.wheres = args_option_count(a, "where");
    copy_text(seen.dir, args_option(a, "dir"));
    copy_text(seen.first, args_at(a, 0));
    copy_text(seen.second, args_at(a, 1));
    for (int i = 0; i < 4; i++)
        copy_text(seen.where[i], args_option_at(a, "where", i));
    return ERR_OK;
}

static enum err fail(const struct args *a, struct error *e) {
    return error_at(e, ERR_DATA, "a.csv", 3, 7, "found '%s', expected a number", args_at(a, 0));
}

static const struct args_option options[] = {
    {"dir", "DIR", false, "where"},
    {"json", NULL, false, "as JSON"},
    {"where", "COLUMN=VALUE", true, "only such rows"},
    {0},
};
static const struct args_option no_options[] = {{0}};
static const struct args_command commands[] = {
    {"site", "", no_options, 0, 0, "one word", fail},
    {"site add", "NAME [MORE]", options, 1, 2, "two words", look},
    {"policy show", "", no_options, 0, 0, "shows", look},
    {"policy apply", "FILE", no_options, 1, 1, "applies", look},
    {"find", "[SERVICE]", options, 0, 1, "finds", look},
    {"set", "SERVICE key=value...", options, 1, -1, "sets", look},
    {"fail", "WORD", no_options, 1, 1, "fails", fail},
    {0},
};
static const struct args_program program = {"prog", "prog: a test", commands};

#define RUN(...) run((const char *[]){"prog", __VA_ARGS__, NULL})

static int run(const char **argv) {
    int argc = 0;
    while (argv[argc])
        argc++;
    memset(&seen, 0, sizeof seen);
    return args_main(&program, argc, (char **)(uintptr_t)argv);
}

static void quiet(void) {
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(args, .init = quiet);

static void read_all(FILE *file, char *out, size_t size) {
    fflush(stdout);
    fflush(stderr);
    size_t n = fread(out, 1, size - 1, file);
    out[n] = '\0';
}

#define STDERR_HAS(part)                                                                           \
    do {                                                                                           \
        char text_[2048];                                                                          \
        read_all(cr_get_redirected_stderr(), text_, sizeof text_);                                 \
        cr_assert(strstr(text_, (part)), "found '%s', expected '%s' in it", text_, (part));        \
    } while (0)

Test(args, options_stand_anywhere_after_the_command_word) {
    cr_assert_eq(RUN("site", "add", "--dir", "/d", "A", "--json", "B"), EX_OK);
    cr_assert_eq(seen.calls, 1);
    cr_assert_str_eq(seen.dir, "/d");
    cr_assert_str_eq(seen.first, "A");
    cr_assert_str_eq(seen.second, "B");
    cr_assert(seen.json);
    cr_assert_eq(RUN("site", "add", "A", "B", "--dir=/e"), EX_OK);
    cr_assert_str_eq(seen.dir, "/e");
    cr_assert_not(seen.json);
}

Test(args, value_may_be_empty_or_hold_an_equals_sign) {
    cr_assert_eq(RUN("find", "--dir=", "--where", "a=b=c", "--where=x="), EX_OK);
    cr_assert_str_eq(seen.dir, "");
    cr_assert_eq(seen.wheres, 2);
    cr_assert_str_eq(seen.where[0], "a=b=c");
    cr_assert_str_eq(seen.where[1], "x=");
    cr_assert_str_eq(seen.where[2], "(null)");
}

Test(args, two_dashes_end_the_options) {
    cr_assert_eq(RUN("site", "add", "--", "--dir", "--json"), EX_OK);
    cr_assert_str_eq(seen.first, "--dir");
    cr_assert_str_eq(seen.second, "--json");
    cr_assert_not(seen.json);
    cr_assert_eq(RUN("set", "bed", "--", "--help"), EX_OK);
    cr_assert_eq(seen.operands, 2);
}

Test(args, single_dash_and_negative_number_are_operands) {
    cr_assert_eq(RUN("set", "-", "free=-3", "-x"), EX_OK);
    cr_assert_eq(seen.operands, 3);
    cr_assert_str_eq(seen.first, "-");
}

Test(args, unknown_command_is_64) {
    cr_assert_eq(RUN("fnd"), EX_USAGE);
    STDERR_HAS("found 'fnd', expected a command");
}

Test(args, nothing_at_all_is_64_with_help) {
    cr_assert_eq(run((const char *[]){"prog", NULL}), EX_USAGE);
    STDERR_HAS("site add");
}

Test(args, unknown_option_is_64_and_runs_nothing) {
    cr_assert_eq(RUN("find", "bed", "--colour"), EX_USAGE);
    cr_assert_eq(seen.calls, 0);
    STDERR_HAS("prog: found option --colour");
}

/* "--di" must not be taken for "--dir". */
Test(args, option_names_are_not_abbreviated) {
    cr_assert_eq(RUN("find", "--di", "/d"), EX_USAGE);
    cr_assert_eq(RUN("find", "--dirs", "/d"), EX_USAGE);
    cr_assert_eq(seen.calls, 0);
}

Test(args, option_without_its_value_is_64) {
    cr_assert_eq(RUN("find", "--dir"), EX_USAGE);
    STDERR_HAS("--dir needs a value: DIR");
}

Test(args, flag_with_a_value_is_64) {
    cr_assert_eq(RUN("find", "--json=yes"), EX_USAGE);
    STDERR_HAS("--json takes no value");
}

Test(args, option_given_twice_is_64) {
    cr_assert_eq(RUN("find", "--dir", "/a", "--dir", "/b"), EX_USAGE);
    cr_assert_eq(seen.calls, 0);
    STDERR_HAS("--dir is given twice");
}

Test(args, number_of_operands_is_checked) {
    cr_assert_eq(RUN("site", "add"), EX_USAGE);
    cr_assert_eq(RUN("site", "add", "a", "b", "c"), EX_USAGE);
    cr_assert_eq(seen.calls, 0);
    STDERR_HAS("found 'c', which 'site add' does not expect");
}

Test(args, help_of_a_command_runs_nothing) {
    char text[2048];
    cr_assert_eq(RUN("find", "--dir", "/d", "--help"), EX_OK);
    cr_assert_eq(seen.calls, 0);
    read_all(cr_get_redirected_stdout(), text, sizeof text);
    cr_assert(strstr(text, "Usage: prog find [options] [SERVICE]"), "%s", text);
    cr_assert(strstr(text, "--where COLUMN=VALUE") && strstr(text, "(may be repeated)"), "%s",
              text);
}

Test(args, help_of_a_first_word_lists_its_commands) {
    char text[2048];
    cr_assert_eq(RUN("policy", "--help"), EX_OK);
    read_all(cr_get_redirected_stdout(), text, sizeof text);
    cr_assert(strstr(text, "policy show") && strstr(text, "policy apply"), "%s", text);
    cr_assert_null(strstr(text, "site add"), "%s", text);
    cr_assert_eq(RUN("polic", "--help"), EX_USAGE);
    cr_assert_eq(RUN("policy", "--", "--help"), EX_USAGE);
    cr_assert_eq(seen.calls, 0);
}

Test(args, a_first_word_alone_says_where_to_look) {
    cr_assert_eq(RUN("policy"), EX_USAGE);
    cr_assert_eq(RUN("policy", "remove"), EX_USAGE);
    char text[2048];
    read_all(cr_get_redirected_stderr(), text, sizeof text);
    cr_assert(strstr(text, "found 'policy', expected a command; 'prog policy --help' lists"), "%s",
              text);
    cr_assert(strstr(text, "found 'policy remove', expected"), "%s", text);
}

Test(args, help_lists_every_command) {
    char text[2048];
    cr_assert_eq(RUN("--help"), EX_OK);
    read_all(cr_get_redirected_stdout(), text, sizeof text);
    for (const struct args_command *c = commands; c->name; c++)
        cr_assert(strstr(text, c->name), "%s is missing in %s", c->name, text);
}

Test(args, version_names_program_and_number) {
    char text[256];
    cr_assert_eq(RUN("--version"), EX_OK);
    read_all(cr_get_redirected_stdout(), text, sizeof text);
    cr_assert_str_eq(text, "prog " PLEK_VERSION "\n");
}

Test(args, failure_is_one_line_with_place_and_its_exit_status) {
    cr_assert_eq(RUN("fail", "x\ny"), EX_DATAERR);
    char text[512];
    read_all(cr_get_redirected_stderr(), text, sizeof text);
    cr_assert_str_eq(text, "prog: a.csv:3:7: found 'x y', expected a number\n");
}

Test(args, one_word_is_not_taken_for_the_first_of_two) {
    cr_assert_eq(RUN("site", "remove"), EX_USAGE);
    cr_assert_eq(RUN("add", "x"), EX_USAGE);
    cr_assert_eq(seen.calls, 0);
}
