/* Owns a SQLite VFS for tests whose files are in memory, and what a power cut leaves of them: the
 * model of watch_vfs.h, where each unsynced write is kept, dropped or torn (watch_disk.h). Every
 * call can be watched and made to fail. Not for production.
 *
 * A file that exists when it is first opened is read once, and never written: the same directory
 * can be begun from again and again. Whoever holds the VFS's name opens its databases; one thread.
 * The file methods are version 1, without shared memory: WAL needs locking_mode=EXCLUSIVE. Locks
 * are granted always. */
#ifndef PLEK_CRASH_VFS_H
#define PLEK_CRASH_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "watch_disk.h"

struct crash_vfs; /* opaque */

enum crash_op {
    CRASH_OP_OPEN,
    CRASH_OP_READ,
    CRASH_OP_WRITE,
    CRASH_OP_TRUNCATE,
    CRASH_OP_SYNC,
    CRASH_OP_DELETE,
    CRASH_OPS
};

/* Called before each call takes effect. A SQLite result other than SQLITE_OK makes it fail: nothing
 * happens, but of a write the first half, and a failed sync loses for good what it should have
 * saved (Linux drops such pages). errno is left as the gate set it. */
typedef int crash_gate(void *ctx, enum crash_op op);

/* Registers a VFS under a copy of `name`. NULL without memory. */
struct crash_vfs *crash_vfs_new(const char *name);
/* Unregisters and frees. Every database opened through it must be closed. Accepts NULL. */
void crash_vfs_free(struct crash_vfs *v);
void crash_vfs_watch(struct crash_vfs *v, crash_gate *gate, void *ctx); /* NULL: nobody */
/* From now on a sync reports success and saves nothing. */
void crash_vfs_lie(struct crash_vfs *v);
uint64_t crash_vfs_count(const struct crash_vfs *v, enum crash_op op);
/* What a machine finds whose power went now, under a new name; `v` goes on as if nothing had
 * happened. seed: as disk_restart. NULL without memory. */
struct crash_vfs *crash_vfs_restart(const struct crash_vfs *v, const char *name, uint64_t seed,
                                    struct disk_tally *tally);

#endif
