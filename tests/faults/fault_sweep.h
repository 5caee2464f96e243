/* Owns the sweep of a scripted run with faults: in each deed the first, the second, ... thing that
 * can fail fails, until the deed passes without one. Must not know what fails (memory.h, the VFS)
 * nor what the deeds are (script.h). */
#ifndef PLEK_TEST_FAULT_SWEEP_H
#define PLEK_TEST_FAULT_SWEEP_H

#include "script.h"
#include "vfs/crash_vfs.h"

/* One kind of fault. */
struct fault {
    const char *name;
    void (*arm)(void *ctx, struct crash_vfs *vfs, uint64_t nth);
    uint64_t (*disarm)(void *ctx, struct crash_vfs *vfs); /* how often it came */
    void *ctx;
    enum err codes[4]; /* what a deed may say then; ERR_OK ends the list */
};

struct fault_plan {
    uint64_t every; /* of so many faults one is tried; the first ones and the end always */
    bool reopen;    /* each opening of the store is a deed too */
};

struct fault_report {
    uint64_t deeds, faults, refused, passed, retried;
    char wrong[700]; /* the first; "": each deed was refused whole, or done whole and said so */
};

void fault_sweep(const struct script *script, const struct fault *fault,
                 const struct fault_plan *plan, struct fault_report *ret);
void fault_tell(const struct script *script, const struct fault *fault,
                const struct fault_report *r);

#endif
