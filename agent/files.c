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
                         "the path of %.60s is longer than %d bytes: use a shorter DIR", name,
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
    return ERR_OK;
}

enum err files_append(struct files_new *f, struct bytes content, struct error *e) {
    return write_all(f->fd, content, f->temporary, e);
}

enum err files_begin(const char *dir, const char *name, struct files_new *ret, struct error *e) {
    *ret = (struct files_new){.fd = -1, .dir = dir};
    enum err code = files_path(dir, name, ret->path, e);
    if (code != ERR_OK)
        return code;
    int n = snprintf(ret->temporary, sizeof ret->temporary, "%s/.%s.new", dir, name);
    if (n < 0 || (size_t)n >= sizeof ret->temporary)
        return error_at(e, ERR_TOO_LARGE, ret->path, 0, 0, "path too long: use a shorter DIR");
    unlink(ret->temporary); /* left over from a crash; never anybody else's */
    ret->fd = open(ret->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return ret->fd < 0
               ? files_fail(errno, ret->temporary, ERR_CANNOT_CREATE, "cannot be created", e)
               : ERR_OK;
}

enum err files_begin_at(const char *path, char dir[static FILES_PATH_MAX], struct files_new *ret,
                        struct error *e) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strlen(path) >= FILES_PATH_MAX || name[0] == '\0')
        return error_set(e, ERR_USAGE, "found --output '%.80s', expected the name of a file", path);
    snprintf(dir, FILES_PATH_MAX, "%.*s", slash ? (int)(slash - path + (slash == path)) : 1,
             slash ? path : ".");
    return files_begin(dir, name, ret, e);
}

enum err files_end(struct files_new *f, bool keep, struct error *e) {
    enum err code = ERR_OK;
    if (f->fd < 0)
        return ERR_OK;
    if (keep && fsync(f->fd) != 0)
        code = files_fail(errno, f->temporary, ERR_IO, "cannot be synced", e);
    if (close(f->fd) != 0 && keep && code == ERR_OK)
        code = files_fail(errno, f->temporary, ERR_IO, "cannot be closed", e);
    f->fd = -1;
    if (keep && code == ERR_OK && rename(f->temporary, f->path) != 0)
        code = files_fail(errno, f->path, ERR_CANNOT_CREATE, "cannot be created", e);
    if (keep && code == ERR_OK)
        return files_sync_dir(f->dir, e);
    unlink(f->temporary);
    return code;
}

enum err files_write(const char *dir, const char *name, struct bytes content, struct error *e) {
    struct files_new f;
    enum err code = files_begin(dir, name, &f, e);
    if (code == ERR_OK)
        code = files_append(&f, content, e);
    enum err ended = files_end(&f, code == ERR_OK, e);
    return code != ERR_OK ? code : ended;
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

static enum err overwrite(const char *path, struct error *e) {
    static const uint8_t zeros[READ_CHUNK];
    struct stat info;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return files_fail(errno, path, ERR_IO, "cannot be opened", e);
    enum err code = ERR_OK;
    if (fstat(fd, &info) != 0)
        code = files_fail(errno, path, ERR_IO, "cannot be read", e);
    for (off_t done = 0; code == ERR_OK && done < info.st_size; done += READ_CHUNK) {
        off_t left = info.st_size - done;
        size_t len = left < READ_CHUNK ? (size_t)left : READ_CHUNK;
        code = write_all(fd, bytes_of(zeros, len), path, e);
    }
    if (code == ERR_OK && fsync(fd) != 0)
        code = files_fail(errno, path, ERR_IO, "cannot be synced", e);
    close(fd);
    return code;
}

enum err files_wipe(const char *dir, const char *name, struct error *e) {
    char path[FILES_PATH_MAX];
    if (!files_exist(dir, name))
        return ERR_OK;
    enum err code = files_path(dir, name, path, e);
    if (code == ERR_OK)
        code = overwrite(path, e);
    if (code == ERR_OK && unlink(path) != 0)
        code = files_fail(errno, path, ERR_IO, "cannot be removed", e);
    return code == ERR_OK ? files_sync_dir(dir, e) : code;
}
