/* Owns the sweep of a scripted run with power cuts: at every sync, at chosen moments between, and
 * once each deed was answered. Must not know what the deeds are (script.h). */
#ifndef PLEK_TEST_CRASH_SWEEP_H
#define PLEK_TEST_CRASH_SWEEP_H

#include "script.h"
#include "vfs/watch_disk.h"

enum crash_defect {
    CRASH_SOUND,
    CRASH_NO_SYNC,     /* synchronous=OFF */
    CRASH_LYING_DISK,  /* syncs that save nothing */
    CRASH_EARLY_ANSWER /* deeds are answered before their commit */
};

struct crash_plan {
    enum crash_defect defect;
    int seeds;        /* fates of unsynced writes tried at each sync */
    int between;      /* of so many writes, truncations and deletions one is a moment too */
    int replay_every; /* of so many crashes one goes on with the rest of the script */
};

struct crash_report {
    uint64_t deeds, syncs, crashes, reopened, replayed;
    struct disk_tally writes;
    char loss[512]; /* the first; "": nothing was lost, nothing applied twice */
};

void crash_sweep(const struct script *script, const struct crash_plan *plan,
                 struct crash_report *ret);
void crash_tell(const struct script *script, const struct crash_report *r);

#endif
