/* Owns the watching VFS: what was written, what of it was synced, chosen failures, power cuts.
 * Must not know any table or any module above SQLite; for tests only. */
#include "watch_vfs.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch_disk.h"

struct watch_fault {
    uint64_t skip;
    uint64_t times;
    int rc;
    int error_number;
};

struct watch_vfs {
    sqlite3_vfs vfs; /* pAppData is this struct */
    sqlite3_vfs *real;
    pthread_mutex_t lock;
    struct disk disk;
    uint64_t now;
    uint64_t counts[WATCH_KINDS];
    struct watch_fault faults[WATCH_KINDS];
    void (*hook)(void *arg);
    void *hook_arg;
    struct watch_event events[WATCH_MAX_EVENTS]; /* event n at n % WATCH_MAX_EVENTS */
};

/* The default VFS's file follows in the same allocation, at WATCH_FILE_SIZE. */
struct watch_file {
    sqlite3_file base;
    struct watch_vfs *w;
    struct disk_record *record; /* NULL for temporary files, which no restart sees */
};
#define WATCH_FILE_SIZE ((sizeof(struct watch_file) + 15) / 16 * 16)

static struct watch_vfs *vfs_of(sqlite3_vfs *vfs) {
    return vfs->pAppData;
}

static struct watch_file *file_of(sqlite3_file *file) {
    return (struct watch_file *)(void *)file;
}

static sqlite3_file *real_of(sqlite3_file *file) {
    return (sqlite3_file *)(void *)((uint8_t *)file + WATCH_FILE_SIZE);
}

/* ---- events and faults; all under the lock ---- */

/* True when this event has to fail (or, for rc SQLITE_OK, to lie). */
static bool event_add(struct watch_vfs *w, enum watch_kind kind, const char *path, int64_t offset,
                      int64_t len, int *ret_rc) {
    struct watch_event *event = &w->events[++w->now % WATCH_MAX_EVENTS];
    const char *slash = strrchr(path, '/');
    *event = (struct watch_event){.number = w->now, .kind = kind, .offset = offset, .len = len};
    snprintf(event->name, sizeof event->name, "%s", slash == NULL ? path : slash + 1);
    w->counts[kind]++;
    struct watch_fault *fault = &w->faults[kind];
    if (fault->times == 0)
        return false;
    if (fault->skip > 0) {
        fault->skip--;
        return false;
    }
    fault->times--;
    event->failed = true;
    *ret_rc = fault->rc;
    errno = fault->error_number;
    return true;
}

/* ---- file methods ---- */

static int watch_close(sqlite3_file *file) {
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int watch_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset) {
    return real_of(file)->pMethods->xRead(real_of(file), data, len, offset);
}

static int write_locked(struct watch_file *f, const void *data, int len, int64_t offset) {
    sqlite3_file *real = real_of(&f->base);
    int failure = SQLITE_OK;
    bool fails = event_add(f->w, WATCH_WRITE, f->record->path, offset, len, &failure);
    int error_number = errno;
    int written = fails && failure != SQLITE_OK ? len / 2 : len;
    int rc = written > 0 ? real->pMethods->xWrite(real, data, written, offset) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    if (!disk_record_change(f->record, f->w->now, false, offset, data, (size_t)written))
        return SQLITE_IOERR_NOMEM;
    errno = error_number;
    return failure;
}

static int watch_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset) {
    struct watch_file *f = file_of(file);
    if (f->record == NULL)
        return real_of(file)->pMethods->xWrite(real_of(file), data, len, offset);
    pthread_mutex_lock(&f->w->lock);
    int rc = write_locked(f, data, len, offset);
    pthread_mutex_unlock(&f->w->lock);
    return rc;
}

static int truncate_locked(struct watch_file *f, int64_t size) {
    sqlite3_file *real = real_of(&f->base);
    int rc = SQLITE_OK;
    if (event_add(f->w, WATCH_TRUNCATE, f->record->path, size, 0, &rc) && rc != SQLITE_OK)
        return rc;
    rc = real->pMethods->xTruncate(real, size);
    if (rc == SQLITE_OK && !disk_record_change(f->record, f->w->now, true, size, NULL, 0))
        rc = SQLITE_IOERR_NOMEM;
    return rc;
}

static int watch_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct watch_file *f = file_of(file);
    if (f->record == NULL)
        return real_of(file)->pMethods->xTruncate(real_of(file), size);
    pthread_mutex_lock(&f->w->lock);
    int rc = truncate_locked(f, size);
    pthread_mutex_unlock(&f->w->lock);
    return rc;
}

static int sync_locked(struct watch_file *f) {
    int rc = SQLITE_OK;
    if (!event_add(f->w, WATCH_SYNC, f->record->path, 0, 0, &rc))
        return disk_record_sync(&f->w->disk, f->record) ? SQLITE_OK : SQLITE_IOERR_NOMEM;
    if (rc != SQLITE_OK)
        disk_record_lose(f->record);
    return rc;
}

static int watch_sync(sqlite3_file *file, int flags) {
    (void)flags;
    struct watch_file *f = file_of(file);
    if (f->record == NULL)
        return SQLITE_OK;
    pthread_mutex_lock(&f->w->lock);
    void (*hook)(void *) = f->w->hook;
    void *hook_arg = f->w->hook_arg;
    pthread_mutex_unlock(&f->w->lock);
    if (hook != NULL)
        hook(hook_arg);
    pthread_mutex_lock(&f->w->lock);
    int rc = sync_locked(f);
    pthread_mutex_unlock(&f->w->lock);
    return rc;
}

static int watch_file_size(sqlite3_file *file, sqlite3_int64 *ret) {
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int watch_lock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int watch_unlock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int watch_check_reserved(sqlite3_file *file, int *ret) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int watch_file_control(sqlite3_file *file, int op, void *arg) {
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int watch_sector_size(sqlite3_file *file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

/* Without batches of atomic writes: they would pass by xWrite and xSync. */
static int watch_characteristics(sqlite3_file *file) {
    int found = real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
    return found & ~SQLITE_IOCAP_BATCH_ATOMIC;
}

static const sqlite3_io_methods watch_methods = {
    .iVersion = 1,
    .xClose = watch_close,
    .xRead = watch_read,
    .xWrite = watch_write,
    .xTruncate = watch_truncate,
    .xSync = watch_sync,
    .xFileSize = watch_file_size,
    .xLock = watch_lock,
    .xUnlock = watch_unlock,
    .xCheckReservedLock = watch_check_reserved,
    .xFileControl = watch_file_control,
    .xSectorSize = watch_sector_size,
    .xDeviceCharacteristics = watch_characteristics,
};

/* ---- VFS methods ---- */

static int open_locked(struct watch_vfs *w, const char *path, struct watch_file *f, int flags,
                       int *ret_flags) {
    sqlite3_file *real = real_of(&f->base);
    bool existed = access(path, F_OK) == 0;
    int rc = SQLITE_OK;
    if (!existed && (flags & SQLITE_OPEN_CREATE) != 0 &&
        event_add(w, WATCH_CREATE, path, 0, 0, &rc) && rc != SQLITE_OK)
        return rc;
    f->record = disk_find(&w->disk, path);
    if (f->record == NULL)
        f->record = disk_add(&w->disk, path, existed);
    if (f->record == NULL)
        return SQLITE_NOMEM;
    rc = w->real->xOpen(w->real, path, real, flags, ret_flags);
    if (rc != SQLITE_OK)
        return rc;
    if (!existed)
        f->record->fresh = true;
    f->record->live_named = true;
    return SQLITE_OK;
}

static int watch_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                      int *ret_flags) {
    struct watch_vfs *w = vfs_of(vfs);
    const int watched = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    struct watch_file *f = file_of(file);
    memset(f, 0, (size_t)vfs->szOsFile);
    f->w = w;
    int rc;
    if (path != NULL && (flags & watched) != 0) {
        pthread_mutex_lock(&w->lock);
        rc = open_locked(w, path, f, flags, ret_flags);
        pthread_mutex_unlock(&w->lock);
    } else {
        rc = w->real->xOpen(w->real, path, real_of(file), flags, ret_flags);
    }
    if (rc == SQLITE_OK)
        f->base.pMethods = &watch_methods;
    else if (real_of(file)->pMethods != NULL)
        real_of(file)->pMethods->xClose(real_of(file));
    return rc;
}

static int delete_locked(struct watch_vfs *w, const char *path, bool durable) {
    int rc = SQLITE_OK;
    if (access(path, F_OK) == 0 && event_add(w, WATCH_DELETE, path, 0, 0, &rc) && rc != SQLITE_OK)
        return rc;
    rc = w->real->xDelete(w->real, path, 0);
    struct disk_record *r = disk_find(&w->disk, path);
    if (rc != SQLITE_OK || r == NULL)
        return rc;
    disk_record_deleted(&w->disk, r, durable);
    return rc;
}

static int watch_delete(sqlite3_vfs *vfs, const char *path, int sync_directory) {
    struct watch_vfs *w = vfs_of(vfs);
    pthread_mutex_lock(&w->lock);
    int rc = delete_locked(w, path, sync_directory != 0);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static int watch_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret) {
    return vfs_of(vfs)->real->xAccess(vfs_of(vfs)->real, path, flags, ret);
}

static int watch_full_path(sqlite3_vfs *vfs, const char *path, int size, char *ret) {
    return vfs_of(vfs)->real->xFullPathname(vfs_of(vfs)->real, path, size, ret);
}

static int watch_randomness(sqlite3_vfs *vfs, int len, char *ret) {
    return vfs_of(vfs)->real->xRandomness(vfs_of(vfs)->real, len, ret);
}

static int watch_sleep(sqlite3_vfs *vfs, int microseconds) {
    return vfs_of(vfs)->real->xSleep(vfs_of(vfs)->real, microseconds);
}

static int watch_current_time(sqlite3_vfs *vfs, double *ret) {
    return vfs_of(vfs)->real->xCurrentTime(vfs_of(vfs)->real, ret);
}

static int watch_current_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ret) {
    return vfs_of(vfs)->real->xCurrentTimeInt64(vfs_of(vfs)->real, ret);
}

static int watch_last_error(sqlite3_vfs *vfs, int size, char *text) {
    return vfs_of(vfs)->real->xGetLastError(vfs_of(vfs)->real, size, text);
}

struct watch_vfs *watch_vfs_new(const char *name) {
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    struct watch_vfs *w = calloc(1, sizeof *w);
    if (w == NULL || real == NULL) {
        free(w);
        return NULL;
    }
    w->real = real;
    w->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)WATCH_FILE_SIZE + real->szOsFile,
        .mxPathname = real->mxPathname,
        .zName = name,
        .pAppData = w,
        .xOpen = watch_open,
        .xDelete = watch_delete,
        .xAccess = watch_access,
        .xFullPathname = watch_full_path,
        .xRandomness = watch_randomness,
        .xSleep = watch_sleep,
        .xCurrentTime = watch_current_time,
        .xGetLastError = watch_last_error,
        .xCurrentTimeInt64 = watch_current_time_ms,
    };
    pthread_mutex_init(&w->lock, NULL);
    if (sqlite3_vfs_register(&w->vfs, 0) != SQLITE_OK) {
        pthread_mutex_destroy(&w->lock);
        free(w);
        return NULL;
    }
    return w;
}

void watch_vfs_free(struct watch_vfs *w) {
    if (w == NULL)
        return;
    sqlite3_vfs_unregister(&w->vfs);
    disk_done(&w->disk);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* ---- what a test asks and orders ---- */

uint64_t watch_vfs_now(struct watch_vfs *w) {
    pthread_mutex_lock(&w->lock);
    uint64_t now = w->now;
    pthread_mutex_unlock(&w->lock);
    return now;
}

uint64_t watch_vfs_count(struct watch_vfs *w, enum watch_kind kind) {
    pthread_mutex_lock(&w->lock);
    uint64_t count = w->counts[kind];
    pthread_mutex_unlock(&w->lock);
    return count;
}

bool watch_vfs_durable(struct watch_vfs *w, uint64_t moment) {
    pthread_mutex_lock(&w->lock);
    const struct disk_record *r = w->disk.records;
    while (r != NULL && disk_record_durable(r, moment))
        r = r->next;
    pthread_mutex_unlock(&w->lock);
    return r == NULL;
}

bool watch_vfs_event(struct watch_vfs *w, uint64_t number, struct watch_event *ret) {
    pthread_mutex_lock(&w->lock);
    const struct watch_event *event = &w->events[number % WATCH_MAX_EVENTS];
    bool found = number > 0 && event->number == number;
    if (found)
        *ret = *event;
    pthread_mutex_unlock(&w->lock);
    return found;
}

void watch_vfs_fail(struct watch_vfs *w, enum watch_kind kind, uint64_t nth, uint64_t times, int rc,
                    int error_number) {
    pthread_mutex_lock(&w->lock);
    w->faults[kind] = (struct watch_fault){nth > 0 ? nth - 1 : 0, times, rc, error_number};
    pthread_mutex_unlock(&w->lock);
}

void watch_vfs_on_sync(struct watch_vfs *w, void (*hook)(void *arg), void *arg) {
    pthread_mutex_lock(&w->lock);
    w->hook = hook;
    w->hook_arg = arg;
    pthread_mutex_unlock(&w->lock);
}

enum err watch_vfs_crash(struct watch_vfs *w, const char *from_dir, const char *to_dir,
                         uint64_t seed, struct error *e) {
    char from[PATH_MAX];
    if (realpath(from_dir, from) == NULL)
        return error_at(e, ERR_NO_INPUT, from_dir, 0, 0, "cannot be read: %s", strerror(errno));
    pthread_mutex_lock(&w->lock);
    bool ok = disk_crash(&w->disk, from, to_dir, seed);
    pthread_mutex_unlock(&w->lock);
    if (!ok)
        return error_at(e, ERR_IO, to_dir, 0, 0, "the files after the power cut were not written");
    return ERR_OK;
}
