/* Owns the VFS in memory: live contents, the calls SQLite makes, and their failures.
 * Must not know any table or any module above SQLite; for tests only. */
#include "crash_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRASH_NAME_SIZE 48
#define CRASH_PATH_MAX 1024
#define CRASH_SECTOR 4096 /* as SQLite's own VFS says */

struct crash_vfs {
    sqlite3_vfs vfs; /* pAppData is this struct */
    char name[CRASH_NAME_SIZE];
    struct disk disk;
    uint64_t counts[CRASH_OPS];
    uint64_t changes;
    crash_gate *gate;
    void *gate_ctx;
    bool lies;
};

struct crash_file {
    sqlite3_file base;
    struct crash_vfs *v;
    struct disk_record *record;
};

static struct crash_vfs *vfs_of(sqlite3_vfs *vfs) {
    return vfs->pAppData;
}

static struct crash_file *file_of(sqlite3_file *file) {
    return (struct crash_file *)(void *)file;
}

static int pass(struct crash_vfs *v, enum crash_op op) {
    v->counts[op]++;
    return v->gate != NULL ? v->gate(v->gate_ctx, op) : SQLITE_OK;
}

/* ---- file methods ---- */

static int crash_close(sqlite3_file *file) {
    (void)file;
    return SQLITE_OK;
}

static int crash_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset) {
    struct crash_file *f = file_of(file);
    const struct disk_content *live = &f->record->live;
    int rc = pass(f->v, CRASH_OP_READ);
    if (rc != SQLITE_OK)
        return rc;
    size_t at = (size_t)offset, wanted = (size_t)len;
    size_t there = at < live->len ? live->len - at : 0;
    size_t n = there < wanted ? there : wanted;
    if (n > 0)
        memcpy(data, live->data + at, n);
    memset((uint8_t *)data + n, 0, wanted - n);
    return n < wanted ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int put(struct crash_file *f, const void *data, size_t len, int64_t offset) {
    if (!disk_content_write(&f->record->live, (size_t)offset, data, len) ||
        !disk_record_change(f->record, ++f->v->changes, false, offset, data, len))
        return SQLITE_IOERR_NOMEM;
    return SQLITE_OK;
}

static int crash_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset) {
    struct crash_file *f = file_of(file);
    int rc = pass(f->v, CRASH_OP_WRITE), error_number = errno;
    int done = put(f, data, rc == SQLITE_OK ? (size_t)len : (size_t)len / 2, offset);
    errno = error_number;
    return rc != SQLITE_OK ? rc : done;
}

static int crash_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct crash_file *f = file_of(file);
    int rc = pass(f->v, CRASH_OP_TRUNCATE);
    if (rc != SQLITE_OK)
        return rc;
    disk_content_truncate(&f->record->live, (size_t)size);
    return disk_record_change(f->record, ++f->v->changes, true, size, NULL, 0) ? SQLITE_OK
                                                                               : SQLITE_IOERR_NOMEM;
}

static int crash_sync(sqlite3_file *file, int flags) {
    struct crash_file *f = file_of(file);
    (void)flags;
    int rc = pass(f->v, CRASH_OP_SYNC);
    if (rc != SQLITE_OK) {
        disk_record_lose(f->record);
        return rc;
    }
    return f->v->lies || disk_record_sync(&f->v->disk, f->record) ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

static int crash_file_size(sqlite3_file *file, sqlite3_int64 *ret) {
    *ret = (sqlite3_int64)file_of(file)->record->live.len;
    return SQLITE_OK;
}

static int crash_lock(sqlite3_file *file, int level) {
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int crash_check_reserved(sqlite3_file *file, int *ret) {
    (void)file;
    *ret = 0;
    return SQLITE_OK;
}

static int crash_file_control(sqlite3_file *file, int op, void *arg) {
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int crash_sector_size(sqlite3_file *file) {
    (void)file;
    return CRASH_SECTOR;
}

static int crash_characteristics(sqlite3_file *file) {
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods crash_methods = {
    .iVersion = 1,
    .xClose = crash_close,
    .xRead = crash_read,
    .xWrite = crash_write,
    .xTruncate = crash_truncate,
    .xSync = crash_sync,
    .xFileSize = crash_file_size,
    .xLock = crash_lock,
    .xUnlock = crash_lock,
    .xCheckReservedLock = crash_check_reserved,
    .xFileControl = crash_file_control,
    .xSectorSize = crash_sector_size,
    .xDeviceCharacteristics = crash_characteristics,
};

/* ---- VFS methods ---- */

/* The product makes its database file itself, so that one that is not here may stand in the
 * directory. */
static bool find_or_read(struct crash_vfs *v, const char *path, struct disk_record **ret) {
    struct disk_record *r = disk_find(&v->disk, path);
    bool made = access(path, F_OK) == 0;
    if (r == NULL) {
        r = disk_add(&v->disk, path, made);
        if (r == NULL || !disk_content_write(&r->live, 0, r->durable.data, r->durable.len))
            return false;
    }
    if (!r->live_named && made) {
        r->live_named = r->fresh = true;
        r->live.len = 0;
    }
    *ret = r;
    return true;
}

static int crash_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                      int *ret_flags) {
    struct crash_vfs *v = vfs_of(vfs);
    struct crash_file *f = file_of(file);
    memset(f, 0, sizeof *f);
    int rc = pass(v, CRASH_OP_OPEN);
    if (rc != SQLITE_OK)
        return rc;
    if (path == NULL) /* every store keeps its temporary things in memory */
        return SQLITE_CANTOPEN;
    if (!find_or_read(v, path, &f->record))
        return SQLITE_NOMEM;
    if (!f->record->live_named && (flags & SQLITE_OPEN_CREATE) == 0)
        return SQLITE_CANTOPEN;
    if (!f->record->live_named) {
        f->record->live_named = f->record->fresh = true;
        f->record->live.len = 0;
    }
    f->v = v;
    f->base.pMethods = &crash_methods;
    if (ret_flags != NULL)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int crash_delete(sqlite3_vfs *vfs, const char *path, int sync_directory) {
    struct crash_vfs *v = vfs_of(vfs);
    struct disk_record *r = disk_find(&v->disk, path);
    if (r == NULL || !r->live_named)
        return SQLITE_IOERR_DELETE_NOENT;
    int rc = pass(v, CRASH_OP_DELETE);
    if (rc != SQLITE_OK)
        return rc;
    disk_record_deleted(&v->disk, r, sync_directory != 0 && !v->lies);
    r->live.len = 0;
    return SQLITE_OK;
}

static int crash_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret) {
    const struct disk_record *r = disk_find(&vfs_of(vfs)->disk, path);
    *ret = r != NULL && r->live_named && (flags != SQLITE_ACCESS_EXISTS || r->live.len > 0);
    return SQLITE_OK;
}

static int crash_full_path(sqlite3_vfs *vfs, const char *path, int size, char *ret) {
    (void)vfs;
    int n = snprintf(ret, (size_t)size, "%s", path);
    return n > 0 && n < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* The same run, the same bytes: nothing of ours depends on these. */
static int crash_randomness(sqlite3_vfs *vfs, int len, char *ret) {
    (void)vfs;
    memset(ret, 0x5a, (size_t)len);
    return len;
}

static int crash_sleep(sqlite3_vfs *vfs, int microseconds) {
    (void)vfs;
    return microseconds;
}

static int crash_current_time(sqlite3_vfs *vfs, double *ret) {
    (void)vfs;
    *ret = 2461000.5;
    return SQLITE_OK;
}

static int crash_last_error(sqlite3_vfs *vfs, int size, char *text) {
    (void)vfs;
    (void)size;
    (void)text;
    return 0;
}

/* ---- life ---- */

struct crash_vfs *crash_vfs_new(const char *name) {
    struct crash_vfs *v = calloc(1, sizeof *v);
    if (v == NULL)
        return NULL;
    snprintf(v->name, sizeof v->name, "%s", name);
    v->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(struct crash_file),
        .mxPathname = CRASH_PATH_MAX,
        .zName = v->name,
        .pAppData = v,
        .xOpen = crash_open,
        .xDelete = crash_delete,
        .xAccess = crash_access,
        .xFullPathname = crash_full_path,
        .xRandomness = crash_randomness,
        .xSleep = crash_sleep,
        .xCurrentTime = crash_current_time,
        .xGetLastError = crash_last_error,
    };
    if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
        free(v);
        return NULL;
    }
    return v;
}

void crash_vfs_free(struct crash_vfs *v) {
    if (v == NULL)
        return;
    sqlite3_vfs_unregister(&v->vfs);
    disk_done(&v->disk);
    free(v);
}

void crash_vfs_watch(struct crash_vfs *v, crash_gate *gate, void *ctx) {
    v->gate = gate;
    v->gate_ctx = ctx;
}

void crash_vfs_lie(struct crash_vfs *v) {
    v->lies = true;
}

uint64_t crash_vfs_count(const struct crash_vfs *v, enum crash_op op) {
    return v->counts[op];
}

struct crash_vfs *crash_vfs_restart(const struct crash_vfs *v, const char *name, uint64_t seed,
                                    struct disk_tally *tally) {
    struct crash_vfs *after = crash_vfs_new(name);
    if (after != NULL && !disk_restart(&v->disk, &after->disk, seed, tally)) {
        crash_vfs_free(after);
        return NULL;
    }
    return after;
}
