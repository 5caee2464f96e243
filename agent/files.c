/* Owns small files in DIR, durable and private (see files.h).
 * Must not know what they hold: a key's bytes pass through and are never kept. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 16384

enum err files_fail(int error_number, const char *path, enum err otherwise, const char *what,
                    struct error *e) {
    const char *why = strerror(error_number);
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        return error_at(e, ERR_DISK_FULL, path, 0, 0, "%s (%s): free some space", what, why);
    case EACCES:
    case EPERM:
    case EROFS:
        return error_at(e, ERR_PERMISSION, path, 0, 0, "%s (%s): check the owner and mode", what,
                        why);
    case ENOENT:
    case ENOTDIR:
        return error_at(e, ERR_NO_INPUT, path, 0, 0, "%s (%s)", what, why);
    default:
        return error_at(e, otherwise, path, 0, 0, "%s (%s)", what, why);
    }
}

enum err files_path(const char *dir, const char *name, char out[static FILES_PATH_MAX],
                    struct error *e) {
    int n = snprintf(out, FILES_PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= FILES_PATH_MAX)
        return error_set(e, ERR_TOO_LARGE,
                         "the path of %s is longer than %d bytes: use a shorter DIR", name,
                         FILES_PATH_MAX - 1);
    return ERR_OK;
}

enum err files_sync_dir(const char *dir, struct error *e) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return files_fail(errno, dir, ERR_IO, "cannot be opened", e);
    enum err code = ERR_OK;
    /* Some file systems have no sync for directories and say so. */
    if (fsync(fd) != 0 && errno != EINVAL)
        code = files_fail(errno, dir, ERR_IO, "cannot be synced", e);
    close(fd);
    return code;
}

static enum err write_all(int fd, struct bytes content, const char *path, struct error *e) {
    size_t done = 0;
    while (done < content.len) {
        ssize_t n = write(fd, content.data + done, content.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return files_fail(errno, path, ERR_IO, "cannot be written", e);
        done += (size_t)n;
    }
    if (fsync(fd) != 0)
        return files_fail(errno, path, ERR_IO, "cannot be synced", e);
    return ERR_OK;
}

enum err files_write(const char *dir, const char *name, struct bytes content, struct error *e) {
    char path[FILES_PATH_MAX], temporary[FILES_PATH_MAX];
    enum err code = files_path(dir, name, path, e);
    if (code != ERR_OK)
        return code;
    int n = snprintf(temporary, sizeof temporary, "%s/.%s.new", dir, name);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return error_at(e, ERR_TOO_LARGE, path, 0, 0, "path too long: use a shorter DIR");
    unlink(temporary); /* left over from a crash; never anybody else's, DIR is locked and ours */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return files_fail(errno, temporary, ERR_CANNOT_CREATE, "cannot be created", e);
    code = write_all(fd, content, temporary, e);
    if (close(fd) != 0 && code == ERR_OK)
        code = files_fail(errno, temporary, ERR_IO, "cannot be closed", e);
    if (code == ERR_OK && rename(temporary, path) != 0)
        code = files_fail(errno, path, ERR_CANNOT_CREATE, "cannot be created", e);
    if (code != ERR_OK) {
        unlink(temporary);
        return code;
    }
    return files_sync_dir(dir, e);
}

enum err files_read(const char *path, struct buf *out, struct error *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return files_fail(errno, path, ERR_IO, "cannot be read", e);
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        close(fd);
        return error_at(e, ERR_NO_INPUT, path, 0, 0, "is a directory, expected a file");
    }
    enum err code = ERR_OK;
    uint8_t chunk[READ_CHUNK];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            code = files_fail(errno, path, ERR_IO, "cannot be read", e);
        if (n <= 0)
            break;
        buf_append(out, chunk, (size_t)n);
        if (out->failed != ERR_OK)
            break;
    }
    close(fd);
    explicit_bzero(chunk, sizeof chunk);
    if (code == ERR_OK && out->failed == ERR_TOO_LARGE)
        return error_at(e, ERR_TOO_LARGE, path, 0, 0, "larger than the %zu bytes expected at most",
                        out->max);
    return code != ERR_OK ? code : buf_failed(out, e);
}

bool files_exist(const char *dir, const char *name) {
    char path[FILES_PATH_MAX];
    struct stat info;
    return files_path(dir, name, path, NULL) == ERR_OK && lstat(path, &info) == 0;
}

void files_remove(const char *dir, const char *name) {
    char path[FILES_PATH_MAX];
    if (files_path(dir, name, path, NULL) == ERR_OK)
        unlink(path);
}
