/* Owns a SQLite VFS for tests that watches writes and syncs, makes chosen ones fail, and models a
 * power cut: what was not synced is gone. Stands over the default VFS. Not for production.
 *
 * The model, per file: a write lands in the live file at once and in the durable copy only when a
 * later sync of that file completes. A sync that fails loses for good what it should have made
 * durable, although reads still see it (Linux drops dirty pages after a failed fsync); only
 * writing the bytes again helps. A deletion is durable when SQLite asked for it, or with the next
 * sync of a new journal or log in the same directory. The real file is never synced: a power cut is
 * modelled, not caused, so that would only cost time.
 *
 * A file is known from its first opening here on and must not be changed behind the VFS's back.
 * The file methods are version 1 (no shared memory): a WAL database opens only when
 * locking_mode=EXCLUSIVE was set first. All functions may be called from any thread. */
#ifndef PLEK_WATCH_VFS_H
#define PLEK_WATCH_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define WATCH_MAX_EVENTS 8192 /* the newest events kept for watch_vfs_event */
#define WATCH_NAME_SIZE 64    /* last part of a file's name, NUL included, cut when longer */

struct watch_vfs; /* opaque */

enum watch_kind { WATCH_CREATE, WATCH_WRITE, WATCH_TRUNCATE, WATCH_SYNC, WATCH_DELETE };
#define WATCH_KINDS 5

struct watch_event {
    uint64_t number; /* 1 is the first; over all files */
    enum watch_kind kind;
    bool failed; /* made to fail by watch_vfs_fail */
    char name[WATCH_NAME_SIZE];
    int64_t offset; /* write: where; truncate: the new size */
    int64_t len;    /* write: bytes */
};

/* Registers a VFS under `name` (borrowed, as is the name given to db_open; not the default one).
 * Returns NULL without memory. */
struct watch_vfs *watch_vfs_new(const char *name);
/* Unregisters and frees. Every database opened through it must be closed. Accepts NULL. */
void watch_vfs_free(struct watch_vfs *w);

/* The number of the newest event: "this moment". */
uint64_t watch_vfs_now(struct watch_vfs *w);
/* How many events of a kind there were, failed ones included. */
uint64_t watch_vfs_count(struct watch_vfs *w, enum watch_kind kind);
/* True when every write up to and including `moment` precedes a completed sync of its file. Take
 * the moment in the thread that owns the database, right after its commit: a checkpoint that runs
 * meanwhile writes more. */
bool watch_vfs_durable(struct watch_vfs *w, uint64_t moment);
/* False when there is no such event, or it is older than the newest WATCH_MAX_EVENTS. */
bool watch_vfs_event(struct watch_vfs *w, uint64_t number, struct watch_event *ret);

/* The nth event of a kind from now (1 is the next) and the `times` - 1 that follow return the
 * SQLite result `rc` with errno set to `error_number`. A failing write leaves the first half of its
 * bytes. rc SQLITE_OK for WATCH_SYNC is a disk that lies: it reports success and syncs nothing; the
 * writes stay pending. times 0 ends what an earlier call asked for. */
void watch_vfs_fail(struct watch_vfs *w, enum watch_kind kind, uint64_t nth, uint64_t times, int rc,
                    int error_number);

/* Called before each sync takes effect (a crash there loses what it would have saved), without any
 * lock held. NULL removes it. */
void watch_vfs_on_sync(struct watch_vfs *w, void (*hook)(void *arg), void *arg);

/* A power cut now: writes into `to_dir` (existing, empty) the files of `from_dir` as a restart
 * would find them. seed 0 drops everything unsynced; another seed keeps, drops or tears each
 * unsynced write, truncation and deletion, as a disk that reorders. Files this VFS never opened
 * (keys, configuration) are copied as they are; sockets, directories and the file named "lock" are
 * left out. ERR_IO, ERR_NO_INPUT. */
enum err watch_vfs_crash(struct watch_vfs *w, const char *from_dir, const char *to_dir,
                         uint64_t seed, struct error *e) MUST_USE;

#endif
