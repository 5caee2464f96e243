/* Owns DIR/lock: one process per data directory, for as long as that process lives.
 * Must not remove the file (a waiting process could then lock a file nobody else sees) and must
 * not trust the number in it: only the lock decides, the pid is for the message. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "db.h"

#define LOCK_MAX_TEXT 32 /* room for a pid, a line feed and a NUL */

static enum err lock_open_error(int error_number, const char *path, struct error *e) {
    const char *why = strerror(error_number);
    switch (error_number) {
    case ENOENT:
    case ENOTDIR:
        return error_at(e, ERR_NO_INPUT, path, 0, 0,
                        "the directory does not exist: create it or name another");
    case EACCES:
    case EPERM:
    case EROFS:
        return error_at(e, ERR_PERMISSION, path, 0, 0,
                        "cannot be opened for writing (%s): run as the directory's owner", why);
    case ENOSPC:
    case EDQUOT:
        return error_at(e, ERR_DISK_FULL, path, 0, 0, "cannot be created (%s): free some space",
                        why);
    default:
        return error_at(e, ERR_IO, path, 0, 0, "cannot be opened (%s)", why);
    }
}

/* The pid in the file, 0 when there is none (its holder has not written it yet). */
static long lock_read_pid(int fd) {
    char text[LOCK_MAX_TEXT];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *end = text;
    long pid = strtol(text, &end, 10);
    return *end == '\n' && pid > 0 ? pid : 0;
}

static enum err lock_held(int fd, const char *path, struct error *e) {
    long pid = lock_read_pid(fd);
    if (pid == 0)
        return error_at(e, ERR_LOCKED, path, 0, 0, "held by another process: stop it first");
    return error_at(e, ERR_LOCKED, path, 0, 0, "held by process %ld: stop it first", pid);
}

/* Without effect on a full disk: the lock itself holds, only the message of a second process is
 * then less precise. */
static void lock_write_pid(int fd) {
    char text[LOCK_MAX_TEXT];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0)
        return;
    if (pwrite(fd, text, (size_t)n, 0) != n && ftruncate(fd, 0) != 0)
        return;
}

static int lock_try(int fd) {
    int rc;
    do {
        rc = flock(fd, LOCK_EX | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

enum err lock_acquire(const char *dir, int *ret_fd, struct error *e) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/lock", dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return error_set(e, ERR_NO_INPUT, "directory name of %zu bytes is too long", strlen(dir));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return lock_open_error(errno, path, e);
    int failure = lock_try(fd);
    if (failure != 0) {
        enum err code =
            failure == EWOULDBLOCK
                ? lock_held(fd, path, e)
                : error_at(e, ERR_IO, path, 0, 0, "cannot be locked (%s)", strerror(failure));
        close(fd);
        return code;
    }
    lock_write_pid(fd);
    *ret_fd = fd;
    return ERR_OK;
}

void lock_release(int fd) {
    if (fd < 0)
        return;
    /* Emptied first: a pid left behind would be named as the holder of somebody else's lock. */
    int emptied = ftruncate(fd, 0);
    (void)emptied;
    close(fd);
}
