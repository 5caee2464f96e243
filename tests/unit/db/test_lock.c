/* Tests of DIR/lock: one process at a time, told by pid, free when its holder is gone. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "db.h"
#include "unit/db/scratch.h"

static struct scratch scratch;

static void setup(void) {
    scratch_init(&scratch);
}

static void teardown(void) {
    scratch_done(&scratch);
}

TestSuite(lock, .init = setup, .fini = teardown);

Test(lock, is_free_again_after_release) {
    struct error e = {0};
    int fd = -1;
    cr_assert_eq(lock_acquire(scratch.dir, &fd, &e), ERR_OK, "%s", e.detail);
    int second = -1;
    cr_assert_eq(lock_acquire(scratch.dir, &second, &e), ERR_LOCKED);
    cr_assert_eq(second, -1);
    lock_release(fd);
    cr_assert_eq(lock_acquire(scratch.dir, &second, &e), ERR_OK, "%s", e.detail);
    lock_release(second);
    lock_release(-1);
}

Test(lock, a_directory_that_cannot_hold_one_is_named) {
    struct error e = {0};
    char path[PATH_MAX], none[PATH_MAX];
    int fd = -1;
    cr_assert_eq(lock_acquire(scratch_path(&scratch, "none", none), &fd, &e), ERR_NO_INPUT);
    cr_assert(strstr(e.file, "none"), "%s", e.file);
    cr_assert_eq(mkdir(scratch_path(&scratch, "lock", path), 0700), 0);
    cr_assert_eq(lock_acquire(scratch.dir, &fd, &e), ERR_IO);
    cr_assert_str_eq(e.file, path);
    cr_assert_eq(fd, -1);
}

Test(lock, file_is_private_and_not_inherited_by_exec) {
    struct error e = {0};
    char path[PATH_MAX];
    struct stat info;
    int fd = -1;
    umask(0);
    cr_assert_eq(lock_acquire(scratch.dir, &fd, &e), ERR_OK);
    cr_assert_eq(stat(scratch_path(&scratch, "lock", path), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    lock_release(fd);
}

/* A child that takes the lock, says so, and waits to be killed. */
static pid_t start_holder(void) {
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        int fd = -1;
        char answer = lock_acquire(scratch.dir, &fd, NULL) == ERR_OK ? 'y' : 'n';
        if (write(ready[1], &answer, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char answer = '?';
    cr_assert_eq(read(ready[0], &answer, 1), 1);
    cr_assert_eq(answer, 'y');
    close(ready[0]);
    close(ready[1]);
    return pid;
}

Test(lock, names_the_holder_and_dies_with_it) {
    pid_t holder = start_holder();
    struct error e = {0};
    char expected[64];
    snprintf(expected, sizeof expected, "process %d:", (int)holder);
    int fd = -1;
    enum err code = lock_acquire(scratch.dir, &fd, &e);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    cr_assert_eq(code, ERR_LOCKED);
    cr_assert(strstr(e.detail, expected) != NULL, "'%s' lacks '%s'", e.detail, expected);
    cr_assert(strstr(e.file, "/lock") != NULL, "'%s'", e.file);

    cr_assert_eq(lock_acquire(scratch.dir, &fd, &e), ERR_OK, "%s", e.detail);
    size_t len = 0;
    uint8_t *text = scratch_read(&scratch, "lock", &len);
    cr_assert_not_null(text);
    text[len] = '\0';
    cr_assert_eq(strtol((const char *)text, NULL, 10), (long)getpid());
    free(text);
    lock_release(fd);
}

Test(lock, stale_text_does_not_hold_it) {
    scratch_write(&scratch, "lock", "1\n");
    struct error e = {0};
    int fd = -1;
    cr_assert_eq(lock_acquire(scratch.dir, &fd, &e), ERR_OK, "%s", e.detail);
    lock_release(fd);
}

Test(lock, says_what_is_wrong_with_the_directory) {
    struct error e = {0};
    int fd = -1;
    char path[PATH_MAX];
    cr_assert_eq(lock_acquire(scratch_path(&scratch, "absent", path), &fd, &e), ERR_NO_INPUT);
    cr_assert(strstr(e.file, "absent/lock") != NULL);
    char too_long[PATH_MAX + 8];
    memset(too_long, 'a', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    cr_assert_eq(lock_acquire(too_long, &fd, &e), ERR_NO_INPUT);
    cr_assert_eq(fd, -1);
}
