/* Tests log lines as they reach standard error, levels and quoting. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "log.h"
#include "text.h"

static char captured[8192];
static int saved_stderr;
static int pipe_end;

static void capture(void) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_end = ends[0];
}

static const char *captured_text(void) {
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(captured) - 1 &&
           (n = read(pipe_end, captured + len, sizeof(captured) - 1 - len)) > 0) {
        len += (size_t)n;
    }
    close(pipe_end);
    captured[len] = '\0';
    return captured;
}

Test(log, a_line_has_time_level_event_and_fields) {
    capture();
    log_event(LOG_WARN, "session-closed", "peer=%s entries=%d", "1.2.3.4:5", 7);
    const char *line = captured_text();
    cr_assert_str_eq(line + 24, " warn session-closed peer=1.2.3.4:5 entries=7\n", "%s", line);
    char time[25] = {0};
    memcpy(time, line, 24);
    int64_t ms = 0;
    cr_assert_eq(text_parse_time(time, &ms, NULL), ERR_OK, "%s", time);
    cr_assert_eq(time[19], '.');
    cr_assert_gt(ms, INT64_C(1577836800000));
}

Test(log, a_line_may_have_no_fields) {
    capture();
    log_event(LOG_ERROR, "stopped", NULL);
    const char *line = captured_text();
    cr_assert_str_eq(line + 24, " error stopped\n", "%s", line);
}

Test(log, levels_below_are_silent) {
    capture();
    log_event(LOG_DEBUG, "hidden", "a=1"); /* the level starts at info */
    log_set_level(LOG_ERROR);
    log_event(LOG_WARN, "hidden", "a=1");
    log_event(LOG_ERROR, "seen", "a=2");
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "seen-too", "a=3");
    const char *text = captured_text();
    cr_assert_null(strstr(text, "hidden"), "%s", text);
    cr_assert_not_null(strstr(text, " error seen a=2\n"), "%s", text);
    cr_assert_not_null(strstr(text, " debug seen-too a=3\n"), "%s", text);
}

Test(log, one_event_stays_one_line) {
    capture();
    log_event(LOG_INFO, "e", "text=%s", "one\ntwo\rthree\x1b[31m");
    const char *line = captured_text();
    cr_assert_str_eq(line + 24, " info e text=one two three [31m\n", "%s", line);
}

/* Every alignment of a two-byte character against the cut. */
Test(log, a_long_line_is_cut_between_characters_and_says_so) {
    for (int shift = 0; shift < 3; shift++) {
        char value[4000];
        memset(value, 'a', 3);
        for (size_t i = (size_t)shift; i + 1 < sizeof(value); i += 2) {
            memcpy(value + i, "é", 2);
        }
        value[sizeof(value) - 1] = '\0';
        value[sizeof(value) - 2 + (size_t)shift % 2] = '\0';
        capture();
        log_event(LOG_INFO, "e", "text=%s", value);
        const char *line = captured_text();
        size_t len = strlen(line);
        cr_assert_lt(len, 2048);
        cr_assert_gt(len, 2000);
        cr_assert_str_eq(line + len - 9, " cut=yes\n");
        cr_assert(utf8_valid(bytes_str(line)), "shift %d", shift);
        cr_assert_eq(strchr(line, '\n'), line + len - 1);
    }
}

Test(log, level_names) {
    enum log_level level = LOG_WARN;
    cr_assert_eq(log_level_parse("debug", &level, NULL), ERR_OK);
    cr_assert_eq(level, LOG_DEBUG);
    cr_assert_eq(log_level_parse("Error", &level, NULL), ERR_OK);
    cr_assert_eq(level, LOG_ERROR);
    struct error e = {0};
    cr_assert_eq(log_level_parse("loud", &level, &e), ERR_DATA);
    cr_assert_eq(level, LOG_ERROR);
    cr_assert_not_null(strstr(e.detail, "'loud'"));
    cr_assert_eq(log_level_parse("", &level, NULL), ERR_DATA);
}

static const char *quoted(const char *value) {
    static char out[256];
    return log_quote(value, out, sizeof(out));
}

Test(log, quotes_only_when_needed) {
    cr_assert_str_eq(quoted("plain-1.2:3/é"), "plain-1.2:3/é");
    cr_assert_str_eq(quoted(""), "\"\"");
    cr_assert_str_eq(quoted(NULL), "-");
    cr_assert_str_eq(quoted("two words"), "\"two words\"");
    cr_assert_str_eq(quoted("a=b"), "\"a=b\"");
    cr_assert_str_eq(quoted("say \"hi\" \\ é"), "\"say \\\"hi\\\" \\\\ é\"");
    cr_assert_str_eq(quoted("a\nb\tc\rd\x01\x7f"), "\"a\\nb\\tc\\x0dd\\x01\\x7f\"");
    cr_assert_str_eq(quoted("bad\xFFutf\xC3"), "\"bad\\xffutf\\xc3\"");
}

Test(log, quoting_respects_every_size) {
    static const char *const values[] = {"plain", "two words", "é é é", "\n\n\n\"\xFF", ""};
    for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
        char whole[64];
        log_quote(values[v], whole, sizeof(whole));
        for (size_t size = 0; size < sizeof(whole); size++) {
            char out[65];
            memset(out, '#', sizeof(out));
            cr_assert_eq(log_quote(values[v], out, size), out);
            cr_assert_eq(out[size], '#', "%s at %zu", values[v], size);
            if (size == 0) {
                continue;
            }
            size_t len = strlen(out);
            cr_assert_lt(len, size);
            cr_assert(utf8_valid(bytes_of(out, len)));
            cr_assert(size <= strlen(whole) || strcmp(out, whole) == 0, "%s at %zu: %s", values[v],
                      size, out);
            cr_assert(len == 0 || strcmp(out, whole) == 0 || out[len - 1] == '"', "%s", out);
        }
    }
}
