/* Tests of lines that somebody else brings about: the first few of a kind are written, the others
 * counted. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys.h"
#include "log_repeats.h"

static uv_loop_t loop;
static struct log_repeats *repeats;
static FILE *written;
static int saved;

static void setup(void) {
    struct error e = {0};
    cr_assert_eq(keys_init(&e), ERR_OK);
    cr_assert_eq(uv_loop_init(&loop), 0);
    repeats = log_repeats_new(&loop);
    cr_assert_not_null(repeats);
    written = tmpfile();
    cr_assert_not_null(written);
    saved = dup(STDERR_FILENO);
    dup2(fileno(written), STDERR_FILENO);
}

static void teardown(void) {
    dup2(saved, STDERR_FILENO);
    close(saved);
    log_repeats_stop(repeats);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
    log_repeats_free(repeats);
    fclose(written);
}

TestSuite(log_repeats, .init = setup, .fini = teardown);

/* How many of the lines so far hold this. */
static int lines_with(const char *what) {
    char line[2048];
    int count = 0;
    rewind(written);
    while (fgets(line, sizeof line, written))
        count += strstr(line, what) != NULL;
    return count;
}

static void say(int times, const char *subject) {
    for (int i = 0; i < times; i++)
        log_repeated(repeats, LOG_WARN, "refused", subject, "connection=%d", i);
}

Test(log_repeats, the_first_of_a_kind_are_written_and_the_others_counted) {
    say(1000 + LOG_REPEATS_FIRST, "agent=ab code=rate");
    say(1, "agent=ab code=fork");
    say(LOG_REPEATS_FIRST, "agent=cd code=rate");
    cr_assert_eq(lines_with(" warn refused agent=ab code=rate connection="), LOG_REPEATS_FIRST);
    cr_assert_eq(lines_with("agent=ab code=fork connection=0\n"), 1);
    cr_assert_eq(lines_with("agent=cd code=rate connection="), LOG_REPEATS_FIRST);
    cr_assert_eq(lines_with("more="), 0);
    log_repeats_flush(repeats);
    cr_assert_eq(lines_with(" warn refused agent=ab code=rate more=1000\n"), 1);
    cr_assert_eq(lines_with("more="), 1, "of the others there were no more");
}

Test(log_repeats, each_minute_begins_anew) {
    say(LOG_REPEATS_FIRST + 1, "code=rate");
    log_repeats_flush(repeats);
    say(1, "code=rate");
    cr_assert_eq(lines_with("connection="), LOG_REPEATS_FIRST + 1);
    log_repeats_flush(repeats);
    log_repeats_flush(repeats);
    cr_assert_eq(lines_with("more="), 1);
}

/* Whoever connects from ever new addresses makes ever new kinds. */
Test(log_repeats, kinds_are_bounded) {
    char subject[32];
    for (int i = 0; i < LOG_REPEATS_KINDS + 500; i++) {
        snprintf(subject, sizeof subject, "peer=%d", i);
        say(1, subject);
    }
    cr_assert_eq(lines_with("connection="), LOG_REPEATS_KINDS);
    say(1, "peer=0");
    cr_assert_eq(lines_with("connection="), LOG_REPEATS_KINDS + 1);
    log_repeats_flush(repeats);
    cr_assert_eq(lines_with(" warn not-logged more=500\n"), 1);
    say(1, "peer=new");
    cr_assert_eq(lines_with("peer=new"), 1);
}

Test(log_repeats, what_was_counted_is_said_at_the_end) {
    say(LOG_REPEATS_FIRST + 3, "code=rate");
    log_repeats_stop(repeats);
    cr_assert_eq(lines_with("code=rate more=3\n"), 1);
    say(LOG_REPEATS_FIRST + 3, "code=late");
    cr_assert_eq(lines_with("code=late connection="), LOG_REPEATS_FIRST + 3);
}
