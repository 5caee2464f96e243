/* Implements copies of a store, by cp. Must not measure. */
#include "backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "process.h"

#define PATH_SPACE (BENCH_PATH_MAX + 64)

static enum err copy(const char *from, const char *to, struct error *e) {
    const char *argv[] = {"cp", "--", from, to, NULL};
    return process_run(argv, NULL, e);
}

enum err backup_keep(const char *dir, const char *name, struct error *e) {
    char store[PATH_SPACE], kept[PATH_SPACE];
    snprintf(store, sizeof store, "%s/%s", dir, name);
    snprintf(kept, sizeof kept, "%s/%s.kept", dir, name);
    return copy(store, kept, e);
}

enum err backup_restore(const char *dir, const char *name, struct error *e) {
    static const char *const logs[] = {"-wal", "-shm"};
    char store[PATH_SPACE], kept[PATH_SPACE], log[PATH_SPACE + 8];
    snprintf(store, sizeof store, "%s/%s", dir, name);
    snprintf(kept, sizeof kept, "%s/%s.kept", dir, name);
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        snprintf(log, sizeof log, "%s%s", store, logs[i]);
        if (unlink(log) != 0 && errno != ENOENT)
            return error_set(e, ERR_IO, "%s: %s", log, strerror(errno));
    }
    return copy(kept, store, e);
}
