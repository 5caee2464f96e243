/* Owns small files in DIR: written so that a power cut leaves the old or the new one, mode 0600.
 * Must not know what they hold. */
#ifndef PLEK_AGENT_FILES_H
#define PLEK_AGENT_FILES_H

#include "bytes.h"

/* "dir/name" into out; ERR_TOO_LARGE when it does not fit. */
#define FILES_PATH_MAX 4096
enum err files_path(const char *dir, const char *name, char out[static FILES_PATH_MAX],
                    struct error *e) MUST_USE;
/* A file that comes in pieces: a temporary one, its sync, a rename, the directory's sync. On
 * failure, and when it is not kept, the temporary is removed and what stood there before stays.
 * Begun, it has to be ended, failed or not. `dir` is borrowed until then. ERR_CANNOT_CREATE,
 * ERR_DISK_FULL, ERR_PERMISSION, ERR_IO. */
struct files_new {
    int fd;
    const char *dir;
    char path[FILES_PATH_MAX], temporary[FILES_PATH_MAX];
};
enum err files_begin(const char *dir, const char *name, struct files_new *ret, struct error *e)
    MUST_USE;
/* The same for any path of a person's. `dir` holds its folder until files_end. ERR_USAGE: no file's
 * name. */
enum err files_begin_at(const char *path, char dir[static FILES_PATH_MAX], struct files_new *ret,
                        struct error *e) MUST_USE;
enum err files_append(struct files_new *f, struct bytes content, struct error *e) MUST_USE;
enum err files_end(struct files_new *f, bool keep, struct error *e) MUST_USE;
/* The whole of it in one piece. */
enum err files_write(const char *dir, const char *name, struct bytes content, struct error *e)
    MUST_USE;
/* Appends the whole file to out. ERR_NO_INPUT, ERR_PERMISSION, ERR_TOO_LARGE (out->max), ERR_IO. */
enum err files_read(const char *path, struct buf *out, struct error *e) MUST_USE;
bool files_exist(const char *dir, const char *name);
enum err files_sync_dir(const char *dir, struct error *e) MUST_USE;
/* Removes DIR/name if it is there; for clean-up, so failures are left alone. */
void files_remove(const char *dir, const char *name);
/* Overwrites DIR/name with zeros, syncs, removes it, syncs DIR. ERR_OK when it is not there. File
 * errors: it may still be there, with or without its content. */
enum err files_wipe(const char *dir, const char *name, struct error *e) MUST_USE;
/* ERR_DISK_FULL, ERR_PERMISSION, ERR_NO_INPUT or `otherwise` for an errno, naming path and reason.
 */
enum err files_fail(int error_number, const char *path, enum err otherwise, const char *what,
                    struct error *e);

#endif
