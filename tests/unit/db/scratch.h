/* Owns a directory of its own for one test, and reading whole files in it.
 * Must not outlive the test: scratch_done removes everything below it. */
#ifndef PLEK_TEST_SCRATCH_H
#define PLEK_TEST_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH_MAX_FILE (64u << 20) /* bytes scratch_read takes */

struct scratch {
    char dir[PATH_MAX / 2];
};

static inline void scratch_init(struct scratch *s) {
    const char *base = getenv("TMPDIR");
    snprintf(s->dir, sizeof s->dir, "%s/plek-test-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(s->dir) == NULL)
        abort();
}

static inline int scratch_remove(const char *path, const struct stat *info, int type,
                                 struct FTW *at) {
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void scratch_done(struct scratch *s) {
    nftw(s->dir, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *scratch_path(const struct scratch *s, const char *name,
                                       char out[static PATH_MAX]) {
    snprintf(out, PATH_MAX, "%s/%s", s->dir, name);
    return out;
}

static inline bool scratch_exists(const struct scratch *s, const char *name) {
    char path[PATH_MAX];
    return access(scratch_path(s, name, path), F_OK) == 0;
}

static inline int64_t scratch_size(const struct scratch *s, const char *name) {
    char path[PATH_MAX];
    struct stat info;
    return stat(scratch_path(s, name, path), &info) == 0 ? info.st_size : -1;
}

/* The whole file, to be freed; its length in ret_len. NULL when there is none. */
static inline uint8_t *scratch_read(const struct scratch *s, const char *name, size_t *ret_len) {
    char path[PATH_MAX];
    FILE *file = fopen(scratch_path(s, name, path), "rb");
    if (file == NULL)
        return NULL;
    int64_t size = scratch_size(s, name);
    if (size < 0 || size > SCRATCH_MAX_FILE)
        abort();
    uint8_t *data = malloc((size_t)size + 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size)
        abort();
    fclose(file);
    *ret_len = (size_t)size;
    return data;
}

static inline void scratch_write(const struct scratch *s, const char *name, const char *text) {
    char path[PATH_MAX];
    FILE *file = fopen(scratch_path(s, name, path), "wb");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

#endif
