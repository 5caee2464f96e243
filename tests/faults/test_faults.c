/* Tests that a lack of memory and a failing disk at any moment are errors like any other: typed,
 * nothing half done, and the same deed succeeds once the fault is over. Both daemons' stores and
 * routes, each allocation and each call of the disk in turn. With PLEK_SWEEP_ALL in the environment
 * every one of them; else a part. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "fault_sweep.h"
#include "memory.h"

typedef void make_script(struct script *s);

static void sweep(make_script *make, const struct fault *fault, uint64_t every, bool reopen) {
    static struct script script;
    struct fault_report r;
    struct fault_plan plan = {.every = getenv("PLEK_SWEEP_ALL") ? 1 : every, .reopen = reopen};
    static bool begun;
    if (!begun)
        memory_init();
    begun = true;
    make(&script);
    fault_sweep(&script, fault, &plan, &r);
    fault_tell(&script, fault, &r);
    cr_assert_str_empty(r.wrong, "%s", r.wrong);
    cr_assert_gt(r.faults, 10u);
    script_done(&script);
}

/* ---- memory ---- */

static void arm_memory(void *ctx, struct crash_vfs *vfs, uint64_t nth) {
    (void)vfs;
    memory_arm(nth, ctx != NULL);
}

static uint64_t disarm_memory(void *ctx, struct crash_vfs *vfs) {
    (void)ctx;
    (void)vfs;
    return memory_disarm();
}

static const struct fault one_allocation = {
    "allocation", arm_memory, disarm_memory, NULL, {ERR_NO_MEMORY}};
static const struct fault no_memory_left = {"no memory from allocation",
                                            arm_memory,
                                            disarm_memory,
                                            (void *)"on",
                                            {ERR_NO_MEMORY, ERR_STORE}};

Test(memory, agent_deeds_when_one_allocation_fails) {
    sweep(script_agent, &one_allocation, 61, false);
}

Test(memory, agent_deeds_when_memory_is_gone) {
    sweep(script_agent, &no_memory_left, 67, false);
}

Test(memory, hub_deeds_when_one_allocation_fails) {
    sweep(script_hub, &one_allocation, 61, false);
}

Test(memory, hub_deeds_when_memory_is_gone) {
    sweep(script_hub, &no_memory_left, 67, false);
}

Test(memory, opening_an_agent) {
    sweep(script_agent, &one_allocation, 101, true);
}

Test(memory, opening_a_hub) {
    sweep(script_hub, &one_allocation, 101, true);
}

/* ---- the disk ---- */

/* Which calls fail, from the nth on or once, and how. */
struct disk_fault {
    unsigned ops; /* bits of enum crash_op */
    int rc, error_number;
    bool on;
    uint64_t left, came;
};

static int fail_disk(void *ctx, enum crash_op op) {
    struct disk_fault *f = ctx;
    if (!(f->ops & 1u << op) || (f->left > 0 && --f->left > 0) || (f->came > 0 && !f->on))
        return SQLITE_OK;
    f->came++;
    errno = f->error_number;
    return f->rc;
}

static void arm_disk(void *ctx, struct crash_vfs *vfs, uint64_t nth) {
    struct disk_fault *f = ctx;
    f->left = nth;
    f->came = 0;
    crash_vfs_watch(vfs, fail_disk, f);
}

static uint64_t disarm_disk(void *ctx, struct crash_vfs *vfs) {
    struct disk_fault *f = ctx;
    crash_vfs_watch(vfs, NULL, NULL);
    return f->came;
}

#define EVERY_CALL ((1u << CRASH_OPS) - 1)
#define WRITES (1u << CRASH_OP_WRITE)

static void sweep_disk(make_script *make, const char *name, struct disk_fault how, enum err code,
                       bool reopen) {
    struct fault fault = {name, arm_disk, disarm_disk, &how, {code, ERR_STORE}};
    sweep(make, &fault, reopen ? 1 : 11, reopen);
}

static void sweep_disks(make_script *make) {
    sweep_disk(make, "failing call of the disk",
               (struct disk_fault){.ops = EVERY_CALL, .rc = SQLITE_IOERR, .error_number = EIO},
               ERR_STORE, false);
    sweep_disk(
        make, "disk gone from call",
        (struct disk_fault){.ops = EVERY_CALL, .rc = SQLITE_IOERR, .error_number = EIO, .on = true},
        ERR_STORE, false);
}

static void sweep_full(make_script *make) {
    sweep_disk(make, "no space for write",
               (struct disk_fault){.ops = WRITES, .rc = SQLITE_FULL, .error_number = ENOSPC},
               ERR_DISK_FULL, false);
    sweep_disk(make, "disk full from write",
               (struct disk_fault){
                   .ops = WRITES, .rc = SQLITE_IOERR_WRITE, .error_number = ENOSPC, .on = true},
               ERR_DISK_FULL, false);
}

Test(disk, agent_deeds_when_a_call_fails) {
    sweep_disks(script_agent);
}

Test(disk, hub_deeds_when_a_call_fails) {
    sweep_disks(script_hub);
}

Test(disk, agent_deeds_when_it_is_full) {
    sweep_full(script_agent);
}

Test(disk, hub_deeds_when_it_is_full) {
    sweep_full(script_hub);
}

Test(disk, opening_an_agent) {
    sweep_disk(script_agent, "failing call of the disk",
               (struct disk_fault){.ops = EVERY_CALL, .rc = SQLITE_IOERR, .error_number = EIO},
               ERR_STORE, true);
}

Test(disk, opening_a_hub) {
    sweep_disk(script_hub, "failing call of the disk",
               (struct disk_fault){.ops = EVERY_CALL, .rc = SQLITE_IOERR, .error_number = EIO},
               ERR_STORE, true);
}

/* ---- SQL steps ---- */

int __real_sqlite3_step(sqlite3_stmt *q);
int __wrap_sqlite3_step(sqlite3_stmt *q);

static struct {
    bool armed;
    int rc;
    uint64_t left, came;
} step;

int __wrap_sqlite3_step(sqlite3_stmt *q) {
    if (!step.armed || step.came > 0 || --step.left > 0)
        return __real_sqlite3_step(q);
    step.came++;
    return step.rc;
}

static void arm_step(void *ctx, struct crash_vfs *vfs, uint64_t nth) {
    (void)vfs;
    step.armed = true;
    step.rc = *(const int *)ctx;
    step.left = nth;
    step.came = 0;
}

static uint64_t disarm_step(void *ctx, struct crash_vfs *vfs) {
    (void)ctx;
    (void)vfs;
    step.armed = false;
    return step.came;
}

static void sweep_steps(make_script *make) {
    static const struct {
        int rc;
        enum err code;
    } ways[] = {{SQLITE_NOMEM, ERR_NO_MEMORY},
                {SQLITE_IOERR, ERR_STORE},
                {SQLITE_FULL, ERR_DISK_FULL},
                {SQLITE_BUSY, ERR_LOCKED}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int rc = ways[i].rc;
        struct fault fault = {
            sqlite3_errstr(rc), arm_step, disarm_step, &rc, {ways[i].code, ERR_STORE}};
        if (i == 0 || getenv("PLEK_SWEEP_ALL"))
            sweep(make, &fault, 47, false);
    }
}

Test(steps, agent_deeds_when_one_fails) {
    sweep_steps(script_agent);
}

Test(steps, hub_deeds_when_one_fails) {
    sweep_steps(script_hub);
}
