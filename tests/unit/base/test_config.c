/* Tests configuration files: defaults, types and bounds, file:line of every kind of fault, and that
 * a fault leaves the target alone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

struct settings {
    char listen[16];
    char label[8];
    int64_t limit;
    int64_t validity;
    bool tls;
};

#define KEY(field) offsetof(struct settings, field)

static enum err no_bang(const char *value, struct error *e) {
    return strchr(value, '!') ? error_set(e, ERR_DATA, "found '!', expected a name") : ERR_OK;
}

static const struct config_key keys[] = {
    {"web.listen", CONFIG_TEXT, KEY(listen), 16, 0, 0, "127.0.0.1:8080", "Where the pages are",
     NULL},
    {"label", CONFIG_TEXT, KEY(label), 8, 0, 0, NULL, "A name", no_bang},
    {"session.limit", CONFIG_INT, KEY(limit), 0, -2, 1000, "100", "Sessions at a time", NULL},
    {"validity", CONFIG_DURATION, KEY(validity), 0, 60000, INT64_C(604800000), "2h", "How long",
     NULL},
    {"web.tls", CONFIG_BOOL, KEY(tls), 0, 0, 0, "no", "Whether TLS is on", NULL},
};
#define COUNT (sizeof(keys) / sizeof(keys[0]))

static char path[] = "/tmp/plek-config-XXXXXX";

static void make_file(void) {
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void remove_file(void) {
    unlink(path);
}

TestSuite(config, .init = make_file, .fini = remove_file);

static void write_file(const void *text, size_t len) {
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    cr_assert_eq(fwrite(text, 1, len, out), len);
    cr_assert_eq(fclose(out), 0);
}

static struct settings read_ok(const char *text) {
    struct settings s;
    memset(&s, 0, sizeof(s));
    cr_assert_eq(config_defaults(keys, COUNT, &s, NULL), ERR_OK);
    write_file(text, strlen(text));
    struct error e = {0};
    char line[512];
    cr_assert_eq(config_read(path, keys, COUNT, &s, &e), ERR_OK, "%s: %s", text,
                 error_format(&e, line, sizeof(line)));
    return s;
}

/* Refused at `line` with `part` in the message, nothing changed. */
static void refused_bytes(const void *text, size_t len, enum err err, int line, const char *part) {
    struct settings s;
    memset(&s, 0x5A, sizeof(s));
    struct settings before = s;
    write_file(text, len);
    struct error e = {0};
    cr_assert_eq(config_read(path, keys, COUNT, &s, &e), err, "%s", (const char *)text);
    cr_assert_eq(e.code, err);
    cr_assert_str_eq(e.file, path);
    cr_assert_eq(e.line, line, "%s: line %d", (const char *)text, e.line);
    cr_assert_not_null(strstr(e.detail, part), "%s: %s", (const char *)text, e.detail);
    cr_assert_arr_eq(&s, &before, sizeof(s));
}

static void refused(const char *text, int line, const char *part) {
    refused_bytes(text, strlen(text), ERR_CONFIG, line, part);
}

Test(config, defaults) {
    struct settings s;
    memset(&s, 0x5A, sizeof(s));
    cr_assert_eq(config_defaults(keys, COUNT, &s, NULL), ERR_OK);
    cr_assert_str_eq(s.listen, "127.0.0.1:8080");
    cr_assert_str_empty(s.label);
    cr_assert_eq(s.limit, 100);
    cr_assert_eq(s.validity, 7200000);
    cr_assert_eq(s.tls, false);
}

Test(config, no_file_changes_nothing) {
    struct settings s = {.limit = 7};
    struct error e = {0};
    cr_assert_eq(config_read("/nonexistent/plek.conf", keys, COUNT, &s, &e), ERR_OK);
    cr_assert_eq(s.limit, 7);
    cr_assert_eq(e.code, ERR_OK);
}

Test(config, reads_over_the_defaults) {
    struct settings s = read_ok("# a comment\n"
                                "web.listen = [::1]:80   # and one here\n"
                                "session.limit = -2\n"
                                "\n"
                                "web.tls = Yes\n"
                                "label = \"a b=c\"\n"
                                "/* two\n lines */ validity = 7d\n");
    cr_assert_str_eq(s.listen, "[::1]:80");
    cr_assert_str_eq(s.label, "a b=c");
    cr_assert_eq(s.limit, -2);
    cr_assert_eq(s.validity, INT64_C(604800000));
    cr_assert(s.tls);
    s = read_ok("");
    cr_assert_eq(s.limit, 100);
}

Test(config, forms_of_booleans) {
    static const char *const yes[] = {"true", "yes", "on", "TRUE", "\"on\""};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "web.tls = %s\n", yes[i]);
        cr_assert(read_ok(text).tls, "%s", text);
    }
    cr_assert_not(read_ok("web.tls = off\n").tls);
    refused("web.tls = 1\n", 1, "web.tls: found '1', expected true or false");
}

Test(config, files_from_windows) {
    struct settings s = read_ok("\xEF\xBB\xBFsession.limit = 3\r\nlabel = x\r\n");
    cr_assert_eq(s.limit, 3);
    cr_assert_str_eq(s.label, "x");
}

Test(config, an_unknown_key_has_its_line) {
    refused("label = a\n\nweb.listn = x\n", 3, "'web.listn'");
    refused("web { listen = x }\n", 1, "'web'");
    refused("include(\"/etc/passwd\")\n", 1, "'include'");
    refused("plek.end-of-file = 1\n", 0, "not for use");
}

Test(config, comments_do_not_move_the_line_of_a_fault) {
    refused("# a\n# b\nweb.listn = x\n", 3, "'web.listn'");
    refused("// a\nlabel = x # why\nsession.limit = many\n", 3, "session.limit");
    cr_assert_str_eq(read_ok("label = \"a#b//c\"\n").label, "a#b//c");
    cr_assert_str_eq(read_ok("label = 'a\\'#b'\n# 'x\n").label, "a'#b");
}

Test(config, types_and_bounds) {
    refused("label = ok\nsession.limit = many\n", 2,
            "session.limit: found 'many', expected a whole");
    refused("session.limit = 1001\n", 1, "session.limit: found 1001, expected -2 to 1000");
    refused("session.limit = -3\n", 1, "found -3, expected -2 to 1000");
    refused("session.limit = 1.5\n", 1, "whole number");
    refused("session.limit = 99999999999999999999\n", 1, "whole number");
    refused("session.limit = \"\"\n", 1, "whole number");
    refused("\nvalidity = 3\n", 2, "validity: found '3', expected a duration");
    refused("validity = 59s\n", 1, "found 59s, expected 1m to 7d");
    refused("validity = 8d\n", 1, "found 8d, expected 1m to 7d");
    cr_assert_eq(read_ok("session.limit = 1000\n").limit, 1000);
    cr_assert_eq(read_ok("validity = 60s\n").validity, 60000);
}

Test(config, text_is_bounded_by_its_room) {
    cr_assert_str_eq(read_ok("label = 1234567\n").label, "1234567");
    refused("label = 12345678\n", 1, "label: found 8 bytes, expected at most 7");
    refused("label = \"\xFF\"\n", 1, "UTF-8");
}

Test(config, a_rule_of_ones_own_has_the_line_too) {
    cr_assert_str_eq(read_ok("label = ab\n").label, "ab");
    refused("session.limit = 5\nlabel = \"ab!\"\n", 2, "label: found '!', expected a name");
}

Test(config, a_key_given_twice) {
    refused("label = a\nsession.limit = 5\nlabel = b\n", 3, "first in line 1");
}

Test(config, syntax) {
    refused("label = a\nlabel\n", 3, "expected `key = value`");
    refused("label a\n", 1, "missing equal sign");
    refused("label = a b\n", 1, "'b'");
    refused("label = a=b\n", 1, "quote a value");
    refused("label = {a}\n", 1, "unexpected token");
    refused("label = (a)\n", 1, "unexpected token");
    refused("label += a\n", 1, "append");
    refused("}\n", 1, "brace");
    refused("label = \"open\n", 2, "expected");
    refused("label = 'open\n", 2, "expected");
}

/* libconfuse's lexer is global: a fault must not disturb the next file. */
Test(config, a_fault_does_not_spoil_the_next_read) {
    refused("label = \"open\n", 2, "expected");
    cr_assert_str_eq(read_ok("label = a\n").label, "a");
    refused("label = 'open\n", 2, "expected");
    cr_assert_str_eq(read_ok("label = b\n").label, "b");
    refused("label = c\n/* open\nsession.limit = 5\n", 0, "never ends");
    cr_assert_str_eq(read_ok("label = d\n").label, "d");
}

Test(config, a_comment_that_never_ends_is_found) {
    refused("label = a\n/* open\nsession.limit = 5\n", 0, "never ends");
    cr_assert_str_eq(read_ok("label = \"/*\"\n").label, "/*");
    cr_assert_str_eq(read_ok("/* a */ label = b /* c */").label, "b");
}

Test(config, files_that_cannot_be_read) {
    struct settings s = {.limit = 7};
    struct error e = {0};
    cr_assert_eq(config_read("/tmp", keys, COUNT, &s, &e), ERR_CONFIG);
    cr_assert_not_null(strstr(e.detail, "cannot be read"), "%s", e.detail);
    cr_assert_eq(config_read("/dev/null/x", keys, COUNT, &s, &e), ERR_CONFIG);
    cr_assert_not_null(strstr(e.detail, "cannot be opened"), "%s", e.detail);
    cr_assert_eq(config_read("/dev/null/x", keys, COUNT, &s, NULL), ERR_CONFIG);
    cr_assert_eq(s.limit, 7);
    refused_bytes("label = a\0b\n", 12, ERR_CONFIG, 0, "NUL");
}

Test(config, a_file_too_large) {
    char *text = (char *)malloc(CONFIG_FILE_MAX + 2);
    cr_assert_not_null(text);
    memset(text, '#', CONFIG_FILE_MAX + 1);
    text[CONFIG_FILE_MAX + 1] = '\0';
    refused_bytes(text, CONFIG_FILE_MAX + 1, ERR_CONFIG, 0, "65536 bytes");
    text[CONFIG_FILE_MAX] = '\0';
    cr_assert_eq(read_ok(text).limit, 100);
    free(text);
}

/* A file that needs the second parse (for an open comment) at the largest size. */
Test(config, the_largest_file_with_a_comment) {
    char *text = (char *)malloc(CONFIG_FILE_MAX + 1);
    cr_assert_not_null(text);
    memset(text, '\n', CONFIG_FILE_MAX);
    text[CONFIG_FILE_MAX] = '\0';
    memcpy(text, "/* c */ label = z", 17);
    cr_assert_str_eq(read_ok(text).label, "z");
    free(text);
}

static const char *printed(void (*print)(FILE *, const struct config_key *, size_t)) {
    static char out[4096];
    FILE *file = fmemopen(out, sizeof(out), "w");
    cr_assert_not_null(file);
    print(file, keys, COUNT);
    cr_assert_eq(fclose(file), 0);
    return out;
}

Test(config, help_names_type_default_and_bounds) {
    const char *text = printed(config_print_help);
    cr_assert_not_null(strstr(text, "  web.listen = TEXT\n      Where the pages are "
                                    "(default 127.0.0.1:8080, at most 15 bytes)\n"),
                       "%s", text);
    cr_assert_not_null(strstr(text, "(no default, at most 7 bytes)\n"), "%s", text);
    cr_assert_not_null(strstr(text, "NUMBER\n      Sessions at a time (default 100, -2 to 1000)"),
                       "%s", text);
    cr_assert_not_null(strstr(text, "DURATION\n      How long (default 2h, 1m to 7d)"), "%s", text);
    cr_assert_not_null(strstr(text, "true|false\n      Whether TLS is on (default no)"), "%s",
                       text);
}

Test(config, manual_is_troff) {
    const char *text = printed(config_print_manual);
    cr_assert_not_null(strstr(text, ".TP\n.B session.limit = \\fINUMBER\\fR\nSessions at a time\n"
                                    "(default 100, \\-2 to 1000)\n"),
                       "%s", text);
}
