/* Owns the files that browsers get (see pages.h). Must not know sockets or the API. */
#include "pages.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard.h"

#define FILE_MAX ((size_t)4 * 1024 * 1024)
#define SHARED "/shared/"
#define PIECE (16 * 1024)

static const char *type_of(const char *path) {
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".webmanifest", "application/manifest+json"},
    };
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t n = strlen(types[i].ending);
        if (len > n && strcmp(path + len - n, types[i].ending) == 0)
            return types[i].type;
    }
    return NULL;
}

/* No link is followed in the last place, and nothing but plain files is read. */
static bool read_file(const char *path, struct pages_file *ret) {
    uint8_t piece[PIECE];
    struct stat info;
    struct buf text;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    buf_init(&text, FILE_MAX);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        while ((n = read(fd, piece, sizeof piece)) > 0)
            buf_append(&text, piece, (size_t)n);
    close(fd);
    if (n < 0 || text.failed) {
        buf_done(&text);
        return false;
    }
    size_t len = 0;
    ret->owned = buf_take(&text, &len);
    ret->body = bytes_of(ret->owned, len);
    return true;
}

static bool find_on_disk(const struct pages *pages, const char *path, struct pages_file *ret) {
    char full[PATH_MAX];
    size_t prefix = strlen(SHARED) - 1;
    bool shared = strncmp(path, SHARED, prefix + 1) == 0;
    const char *root = shared ? pages->shared : pages->root, *type = type_of(path);
    int n = root ? snprintf(full, sizeof full, "%s%s", root, shared ? path + prefix : path) : -1;
    if (n < 0 || n >= (int)sizeof full || !type)
        return false;
    struct pages_file found = {.type = type};
    if (!read_file(full, &found))
        return false;
    *ret = found;
    return true;
}

bool pages_find(const struct pages *pages, const char *path, bool gzip_ok, struct pages_file *ret) {
    if (strcmp(path, "/") == 0)
        path = "/index.html";
    else if (strcmp(path, "/public") == 0)
        path = "/public.html";
    if (pages->without && strcmp(path, pages->without) == 0)
        return false;
    if (!guard_path_ok(path))
        return false;
    if (find_on_disk(pages, path, ret))
        return true;
    for (size_t i = 0; i < pages->assets->count; i++) {
        const struct pages_asset *a = &pages->assets->list[i];
        if (strcmp(a->path, path) != 0)
            continue;
        *ret = (struct pages_file){.body = gzip_ok ? a->gzip : a->plain,
                                   .type = a->type,
                                   .etag = gzip_ok ? a->gzip_etag : a->etag,
                                   .gzip = gzip_ok};
        return true;
    }
    return false;
}
