/* Files of the agent: what the system says becomes what to do, and a file is whole or not there. */
#include "files.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "unit/db/scratch.h"

static struct scratch scratch;

static void setup(void) {
    scratch_init(&scratch);
}
static void teardown(void) {
    scratch_done(&scratch);
}
TestSuite(files, .init = setup, .fini = teardown);

Test(files, what_the_system_says_becomes_what_to_do) {
    static const struct {
        int number;
        enum err code;
        const char *words;
    } cases[] = {
        {ENOSPC, ERR_DISK_FULL, "free some space"},
        {EDQUOT, ERR_DISK_FULL, "free some space"},
        {EACCES, ERR_PERMISSION, "check the owner and mode"},
        {EROFS, ERR_PERMISSION, "check the owner and mode"},
        {ENOENT, ERR_NO_INPUT, "No such file"},
        {ENOTDIR, ERR_NO_INPUT, "Not a directory"},
        {EIO, ERR_CANNOT_CREATE, "Input/output error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error e = {0};
        cr_assert_eq(files_fail(cases[i].number, "f", ERR_CANNOT_CREATE, "cannot be made", &e),
                     cases[i].code);
        cr_assert_str_eq(e.file, "f");
        cr_assert(strstr(e.detail, "cannot be made") && strstr(e.detail, cases[i].words), "%s",
                  e.detail);
    }
}

Test(files, where_no_file_can_be_nothing_is_left) {
    struct error e = {0};
    struct files_new file = {.fd = -1};
    char dir[FILES_PATH_MAX], path[PATH_MAX], *name = malloc(FILES_PATH_MAX);
    memset(name, 'x', FILES_PATH_MAX);
    name[FILES_PATH_MAX - 2] = '\0';
    cr_assert_eq(files_begin_at("folder/", dir, &file, &e), ERR_USAGE);
    cr_assert_eq(files_begin_at(name, dir, &file, &e), ERR_TOO_LARGE);
    cr_assert(strstr(e.detail, "shorter DIR"), "%s", e.detail);
    name[FILES_PATH_MAX - 4] = '\0'; /* the name fits, the one it has until it is whole does not */
    cr_assert_eq(files_begin_at(name, dir, &file, &e), ERR_TOO_LARGE);
    cr_assert_eq(file.fd, -1);
    free(name);
    cr_assert_eq(mkdir(scratch_path(&scratch, "taken", path), 0700), 0);
    cr_assert_eq(files_write(scratch.dir, "taken", bytes_str("x"), &e), ERR_CANNOT_CREATE);
    cr_assert_not(scratch_exists(&scratch, ".taken.new"));
    cr_assert_eq(files_write(scratch_path(&scratch, "none", path), "f", bytes_str("x"), &e),
                 ERR_NO_INPUT);
}

Test(files, what_cannot_be_read_as_a_file_is_named) {
    struct error e = {0};
    struct buf out;
    char path[PATH_MAX];
    buf_init(&out, 3);
    cr_assert_eq(files_read(scratch.dir, &out, &e), ERR_NO_INPUT);
    cr_assert(strstr(e.detail, "is a directory"), "%s", e.detail);
    cr_assert_eq(files_write(scratch.dir, "large", bytes_str("four"), &e), ERR_OK, "%s", e.detail);
    cr_assert_eq(files_read(scratch_path(&scratch, "large", path), &out, &e), ERR_TOO_LARGE);
    cr_assert(strstr(e.detail, "larger than the 3 bytes"), "%s", e.detail);
    cr_assert_str_eq(e.file, path);
    buf_done(&out);
}
