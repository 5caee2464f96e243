/* Owns what stands in the watched folder: which files are tables, which have settled, which profile
 * is theirs, and moving them away. Must not import anything, nor know the loop. */
#ifndef PLEK_AGENT_WATCH_FOLDER_H
#define PLEK_AGENT_WATCH_FOLDER_H

#include <limits.h>

#include "files.h"

#define FOLDER_NAME_MAX NAME_MAX
#define FOLDER_FILES_MAX 256 /* looked at together; others wait their turn */

/* A file as it was seen; `since_ms` (monotonic): unchanged since then. */
struct folder_file {
    char name[FOLDER_NAME_MAX + 1];
    uint64_t inode, size;
    int64_t mtime_ms, mtime_ns;
    int64_t since_ms;
    bool stuck; /* was dealt with but cannot be moved: left alone until it changes */
};
struct folder {
    char path[FILES_PATH_MAX], done[FILES_PATH_MAX], failed[FILES_PATH_MAX];
    struct folder_file files[FOLDER_FILES_MAX];
    size_t count;
};

/* Makes DIR/watch, done and failed where they are missing. */
enum err folder_open(struct folder *f, const char *dir, struct error *e) MUST_USE;
/* Looks again; files that are as they were keep their since_ms. ERR_IO, ERR_NO_INPUT. */
enum err folder_look(struct folder *f, int64_t now_ms, struct error *e) MUST_USE;
/* The oldest that is unchanged for settle_ms, or NULL. */
struct folder_file *folder_ready(struct folder *f, int64_t now_ms, int64_t settle_ms);
bool folder_unsettled(const struct folder *f); /* any that is not stuck */
bool folder_same(const struct folder *f, const struct folder_file *file); /* as it was seen */
/* The profile with the longest name that the file's begins with, else profile.json. ERR_NO_INPUT
 * says what to do. */
enum err folder_profile(const struct folder *f, const char *name,
                        char ret[static FOLDER_NAME_MAX + 1], struct error *e) MUST_USE;
/* Moves it into `to` (done or failed) under its own name, or with the time in front when that is
 * taken; `reason` (NULL: none) stands beside it as NAME.txt before it is there itself. */
enum err folder_move(const struct folder *f, const char *name, const char *to, const char *reason,
                     int64_t now_ms, struct error *e) MUST_USE;

#endif
