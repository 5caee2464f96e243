/* Owns the nodes' disks: directories under a VFS that forgets what was not synced, faults, and
 * power cuts at any sync. Must not know what a node is. */
#include <errno.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim.h"

static void fill(void *ctx, void *out, size_t len) {
    prng_fill(ctx, out, len);
}

struct entropy sim_entropy(struct sim *sim) {
    return (struct entropy){fill, &sim->prng};
}

/* ---- life ---- */

enum err sim_disk_open(struct sim *sim, struct sim_disk *disk, int node, struct error *e) {
    (void)sim;
    disk->generation++;
    snprintf(disk->vfs_name, sizeof disk->vfs_name, "sim-%d-%d", node, disk->generation);
    disk->vfs = watch_vfs_new(disk->vfs_name);
    if (!disk->vfs)
        return error_set(e, ERR_NO_MEMORY, "no memory for a simulated disk");
    return ERR_OK;
}

void sim_disk_done(struct sim_disk *disk) {
    watch_vfs_free(disk->vfs);
    disk->vfs = NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw) {
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

void sim_remove_tree(const char *dir) {
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- power cuts ---- */

static void take_image(struct sim_disk *disk) {
    struct error e = {0};
    char dir[SIM_PATH_MAX];
    size_t stem = strcspn(disk->dir, "~");
    snprintf(dir, sizeof dir, "%.*s~%d", (int)stem, disk->dir, disk->generation);
    if (mkdir(dir, 0700) != 0 ||
        watch_vfs_crash(disk->vfs, disk->dir, dir, disk->crash_seed, &e) != ERR_OK) {
        fprintf(stderr, "the simulator cannot write %s: %s %s\n", dir, strerror(errno), e.detail);
        abort();
    }
    disk->crashed = true;
    memcpy(disk->next_dir, dir, sizeof dir);
}

static void on_sync(void *arg) {
    struct sim_disk *disk = arg;
    if (disk->crash_at > 0 && --disk->crash_at == 0)
        take_image(disk);
}

void sim_disk_arm(struct sim *sim, struct sim_disk *disk) {
    if (!sim_hits(sim, sim->climate.crash))
        return;
    disk->crash_at = (int)prng_between(&sim->prng, 1, 3);
    disk->crash_seed = prng_chance(&sim->prng, 400) ? 0 : prng_next(&sim->prng) | 1;
    watch_vfs_on_sync(disk->vfs, on_sync, disk);
}

bool sim_disk_disarm(struct sim_disk *disk) {
    watch_vfs_on_sync(disk->vfs, NULL, NULL);
    disk->crash_at = 0;
    return disk->crashed;
}

void sim_disk_cut(struct sim *sim, struct sim_disk *disk) {
    watch_vfs_on_sync(disk->vfs, NULL, NULL);
    if (disk->crashed)
        return;
    disk->crash_seed = prng_chance(&sim->prng, 400) ? 0 : prng_next(&sim->prng) | 1;
    take_image(disk);
}

void sim_disk_swap(struct sim *sim, struct sim_disk *disk) {
    (void)sim;
    sim_disk_done(disk);
    sim_remove_tree(disk->dir);
    memcpy(disk->dir, disk->next_dir, sizeof disk->dir);
    disk->crashed = false;
}

/* ---- faults ---- */

void sim_disk_fault(struct sim *sim, struct sim_disk *disk) {
    if (!sim_hits(sim, sim->climate.disk_fault))
        return;
    uint64_t nth = prng_below(&sim->prng, 4) + 1, times = prng_below(&sim->prng, 3) + 1;
    sim->seen.faults++;
    if (prng_chance(&sim->prng, 500))
        watch_vfs_fail(disk->vfs, WATCH_WRITE, nth, times, SQLITE_FULL, ENOSPC);
    else
        watch_vfs_fail(disk->vfs, WATCH_SYNC, 1, times, SQLITE_IOERR_FSYNC, EIO);
}

void sim_disk_heal(struct sim_disk *disk) {
    watch_vfs_fail(disk->vfs, WATCH_WRITE, 1, 0, SQLITE_OK, 0);
    watch_vfs_fail(disk->vfs, WATCH_SYNC, 1, 0, SQLITE_OK, 0);
}

/* ---- promises ---- */

void sim_disk_check(struct sim *sim, const struct sim_disk *disk, uint64_t moment,
                    const char *what) {
    if (sim->watch_sync && !watch_vfs_durable(disk->vfs, moment))
        sim_fail(sim, "%s before the sync of its commit", what);
}
