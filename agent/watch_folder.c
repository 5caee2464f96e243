/* Owns what stands in the watched folder (see watch_folder.h). */
#include "watch_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"
#include "watch.h"

#define FALLBACK_PROFILE "profile.json"
#define NAMES_TRIED 100

static bool ends_with(const char *name, const char *suffix) {
    size_t len = strlen(name), n = strlen(suffix);
    return len >= n && strcasecmp(name + len - n, suffix) == 0;
}

/* Hidden, a profile, or what a program writes before it gives a file its name. */
static bool is_ignored(const char *name) {
    static const char *const suffixes[] = {".json",     ".tmp",        ".part", ".new",
                                           ".filepart", ".crdownload", "~"};
    if (name[0] == '.')
        return true;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (ends_with(name, suffixes[i]))
            return true;
    }
    return false;
}

static enum err make_dir(const char *path, struct error *e) {
    struct stat info;
    if (mkdir(path, 0700) == 0)
        return ERR_OK;
    if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return ERR_OK;
    return files_fail(errno == EEXIST ? ENOTDIR : errno, path, ERR_CANNOT_CREATE,
                      "cannot be made for the watched folder", e);
}

enum err folder_open(struct folder *f, const char *dir, struct error *e) {
    f->count = 0;
    enum err code = files_path(dir, WATCH_DIR, f->path, e);
    code = code != ERR_OK ? code : files_path(f->path, WATCH_DONE, f->done, e);
    code = code != ERR_OK ? code : files_path(f->path, WATCH_FAILED, f->failed, e);
    code = code != ERR_OK ? code : make_dir(f->path, e);
    code = code != ERR_OK ? code : make_dir(f->done, e);
    return code != ERR_OK ? code : make_dir(f->failed, e);
}

/* ---- looking ---- */

/* False: not there, or no regular file (a link could lead anywhere). */
static bool inspect(const struct folder *f, const char *name, struct folder_file *ret) {
    char path[FILES_PATH_MAX];
    struct stat info;
    if (files_path(f->path, name, path, NULL) != ERR_OK || lstat(path, &info) != 0 ||
        !S_ISREG(info.st_mode) || strlen(name) > FOLDER_NAME_MAX)
        return false;
    *ret = (struct folder_file){.inode = info.st_ino,
                                .size = (uint64_t)info.st_size,
                                .mtime_ms = (int64_t)info.st_mtim.tv_sec * 1000 +
                                            info.st_mtim.tv_nsec / 1000000,
                                .mtime_ns = info.st_mtim.tv_nsec};
    memcpy(ret->name, name, strlen(name) + 1);
    return true;
}

static bool is_same(const struct folder_file *x, const struct folder_file *y) {
    return x->inode == y->inode && x->size == y->size && x->mtime_ms == y->mtime_ms &&
           x->mtime_ns == y->mtime_ns;
}

bool folder_same(const struct folder *f, const struct folder_file *file) {
    struct folder_file now;
    return inspect(f, file->name, &now) && is_same(&now, file);
}

static void take_entry(const struct folder *f, const char *name, int64_t now_ms,
                       struct folder_file *list, size_t *count) {
    struct folder_file *file = &list[*count];
    if (*count == FOLDER_FILES_MAX || is_ignored(name) || !inspect(f, name, file))
        return;
    file->since_ms = now_ms;
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->files[i].name, name) == 0 && is_same(&f->files[i], file)) {
            file->since_ms = f->files[i].since_ms;
            file->stuck = f->files[i].stuck;
        }
    }
    (*count)++;
}

enum err folder_look(struct folder *f, int64_t now_ms, struct error *e) {
    size_t count = 0;
    struct folder_file *list = calloc(FOLDER_FILES_MAX, sizeof *list);
    if (!list)
        return error_set(e, ERR_NO_MEMORY, "no memory to look into %.100s", f->path);
    DIR *dir = opendir(f->path);
    if (!dir) {
        enum err code = files_fail(errno, f->path, ERR_IO, "cannot be read", e);
        free(list);
        return code;
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        take_entry(f, entry->d_name, now_ms, list, &count);
    closedir(dir);
    memcpy(f->files, list, count * sizeof *list);
    f->count = count;
    free(list);
    return ERR_OK;
}

static bool comes_first(const struct folder_file *x, const struct folder_file *y) {
    return x->mtime_ms != y->mtime_ms ? x->mtime_ms < y->mtime_ms : strcmp(x->name, y->name) < 0;
}

struct folder_file *folder_ready(struct folder *f, int64_t now_ms, int64_t settle_ms) {
    struct folder_file *first = NULL;
    for (size_t i = 0; i < f->count; i++) {
        struct folder_file *file = &f->files[i];
        if (!file->stuck && now_ms - file->since_ms >= settle_ms &&
            (!first || comes_first(file, first)))
            first = file;
    }
    return first;
}

bool folder_unsettled(const struct folder *f) {
    for (size_t i = 0; i < f->count; i++) {
        if (!f->files[i].stuck)
            return true;
    }
    return false;
}

/* ---- profiles ---- */

enum err folder_profile(const struct folder *f, const char *name,
                        char ret[static FOLDER_NAME_MAX + 1], struct error *e) {
    char best[FOLDER_NAME_MAX + 1] = "";
    size_t best_len = 0;
    bool fallback = false;
    DIR *dir = opendir(f->path);
    if (!dir)
        return files_fail(errno, f->path, ERR_IO, "cannot be read", e);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, ".json"))
            continue;
        len -= strlen(".json");
        fallback |= strcmp(entry->d_name, FALLBACK_PROFILE) == 0;
        if (len > best_len && strncmp(entry->d_name, name, len) == 0) {
            snprintf(best, sizeof best, "%s", entry->d_name);
            best_len = len;
        }
    }
    closedir(dir);
    if (best_len == 0 && !fallback)
        return error_at(
            e, ERR_NO_INPUT, name, 0, 0,
            "found no profile for it, expected " FALLBACK_PROFILE
            " in the watched folder, or one whose name this file's begins with, such as "
            "beds.json for beds-monday.csv");
    memcpy(ret, best_len > 0 ? best : FALLBACK_PROFILE,
           best_len > 0 ? sizeof best : sizeof FALLBACK_PROFILE);
    return ERR_OK;
}

/* ---- moving ---- */

/* "20261120-140509-NAME" on the n-th try; the name itself first. False: too long. */
static bool try_name(const char *name, int64_t now_ms, int n,
                     char out[static FOLDER_NAME_MAX + 1]) {
    char time[TEXT_TIME_SIZE], stamp[TEXT_TIME_SIZE];
    size_t len = 0;
    text_time(now_ms + n * INT64_C(1000), time);
    for (const char *s = time; *s && *s != '.' && *s != 'Z'; s++) {
        if (*s != '-' && *s != ':')
            stamp[len++] = *s == 'T' ? '-' : *s;
    }
    stamp[len] = '\0';
    int made = n == 0 ? snprintf(out, FOLDER_NAME_MAX + 1, "%s", name)
                      : snprintf(out, FOLDER_NAME_MAX + 1, "%s-%s", stamp, name);
    return made > 0 && made <= FOLDER_NAME_MAX;
}

static enum err free_name(const char *to, const char *name, int64_t now_ms,
                          char ret[static FOLDER_NAME_MAX + 1], struct error *e) {
    for (int n = 0; n < NAMES_TRIED; n++) {
        if (!try_name(name, now_ms, n, ret))
            break;
        if (!files_exist(to, ret))
            return ERR_OK;
    }
    return error_at(e, ERR_CANNOT_CREATE, to, 0, 0, "has no free name for %.100s: clear it up",
                    name);
}

enum err folder_move(const struct folder *f, const char *name, const char *to, const char *reason,
                     int64_t now_ms, struct error *e) {
    char own[FOLDER_NAME_MAX + 1], beside[FOLDER_NAME_MAX + 8];
    char from[FILES_PATH_MAX], target[FILES_PATH_MAX];
    enum err code = free_name(to, name, now_ms, own, e);
    snprintf(beside, sizeof beside, "%s.txt", own);
    if (code == ERR_OK && reason)
        code = files_write(to, beside, bytes_str(reason), e);
    code = code != ERR_OK ? code : files_path(f->path, name, from, e);
    code = code != ERR_OK ? code : files_path(to, own, target, e);
    if (code != ERR_OK)
        return code;
    if (rename(from, target) != 0)
        return files_fail(errno, from, ERR_IO, "cannot be moved out of the watched folder", e);
    code = files_sync_dir(to, e);
    return code != ERR_OK ? code : files_sync_dir(f->path, e);
}
