/* Tests that a power cut at any moment loses nothing that was answered, leaves nothing half done
 * and nothing to be applied twice: both daemons' stores, at every sync of a scripted run. With
 * PLEK_SWEEP_ALL in the environment every crash goes on with the rest of the script. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "agent/store.h"
#include "crash_sweep.h"
#include "hub/store.h"
#include "vfs/crash_vfs.h"

typedef void make_script(struct script *s);

static struct crash_plan plan_of(enum crash_defect defect) {
    bool all = getenv("PLEK_SWEEP_ALL") != NULL;
    return (struct crash_plan){.defect = defect,
                               .seeds = all ? 8 : 2,
                               .between = all ? 3 : 100,
                               .replay_every = all ? 7 : 100};
}

static void sweep(make_script *make, enum crash_defect defect, struct crash_report *ret) {
    static struct script script;
    struct crash_plan plan = plan_of(defect);
    make(&script);
    crash_sweep(&script, &plan, ret);
    crash_tell(&script, ret);
    script_done(&script);
}

static void expect_whole(make_script *make) {
    struct crash_report r;
    sweep(make, CRASH_SOUND, &r);
    cr_assert_str_empty(r.loss, "%s", r.loss);
    cr_assert_gt(r.syncs, r.deeds / 2);
    cr_assert_gt(r.writes.kept, 100u);
    cr_assert_gt(r.writes.dropped, 100u);
    cr_assert_gt(r.writes.torn, 50u);
    cr_assert_gt(r.replayed, 0u);
}

static void expect_loss(make_script *make, enum crash_defect defect, const char *what) {
    struct crash_report r;
    sweep(make, defect, &r);
    cr_assert_not_null(strstr(r.loss, what), "'%s', expected '%s'", r.loss, what);
}

Test(crash, agent_store_loses_nothing_answered) {
    expect_whole(script_agent);
}

Test(crash, hub_store_loses_nothing_answered) {
    expect_whole(script_hub);
}

/* ---- a store that is being made ---- */

typedef enum err make_store(const char *path, const char *vfs, struct error *e);

static enum err make_agent_store(const char *path, const char *vfs, struct error *e) {
    struct db *db = NULL;
    enum err err = agent_store_open(path, vfs, &db, e);
    db_close(db);
    return err;
}

static enum err make_hub_store(const char *path, const char *vfs, struct error *e) {
    struct store *store = NULL;
    enum err err = store_open(path, vfs, &store, e);
    store_close(store);
    return err;
}

struct birth {
    struct crash_vfs *vfs;
    make_store *make;
    const char *path;
    struct disk_tally tally;
    uint64_t crashes, moments;
    bool within;
};

/* Whatever is found, the next opening makes the store or goes on with it. */
static int on_birth(void *ctx, enum crash_op op) {
    struct birth *b = ctx;
    uint64_t between = getenv("PLEK_SWEEP_ALL") ? 1 : 20;
    if (op == CRASH_OP_READ || b->within || (op != CRASH_OP_SYNC && ++b->moments % between != 0))
        return SQLITE_OK;
    b->within = true;
    for (uint64_t n = 0; n < 4; n++) {
        struct error e = {0};
        uint64_t seed = n == 0 ? DISK_DROP_ALL : n == 1 ? DISK_KEEP_ALL : b->crashes + n;
        struct crash_vfs *after = crash_vfs_restart(b->vfs, "born-again", seed, &b->tally);
        cr_assert_not_null(after);
        cr_assert_eq(b->make(b->path, "born-again", &e), ERR_OK, "seed %llu: %s",
                     (unsigned long long)seed, e.detail);
        crash_vfs_free(after);
        b->crashes++;
    }
    b->within = false;
    return SQLITE_OK;
}

static void expect_birth(make_store *make) {
    struct scratch scratch;
    char path[PATH_MAX];
    struct error e = {0};
    scratch_init(&scratch);
    struct birth b = {.vfs = crash_vfs_new("birth"), .make = make};
    b.path = scratch_path(&scratch, "new.db", path);
    crash_vfs_watch(b.vfs, on_birth, &b);
    cr_assert_eq(make(b.path, "birth", &e), ERR_OK, "%s", e.detail);
    printf("a new store: %llu power cuts; unsynced writes: %llu kept, %llu dropped, %llu torn\n",
           (unsigned long long)b.crashes, (unsigned long long)b.tally.kept,
           (unsigned long long)b.tally.dropped, (unsigned long long)b.tally.torn);
    cr_assert_gt(b.crashes, 20u);
    crash_vfs_free(b.vfs);
    scratch_done(&scratch);
}

Test(crash, agent_store_is_made_or_not) {
    expect_birth(make_agent_store);
}

Test(crash, hub_store_is_made_or_not) {
    expect_birth(make_hub_store);
}

/* ---- what must be found ---- */

#ifdef PLEK_FAILPOINTS
Test(crash, finds_an_agent_that_does_not_sync) {
    expect_loss(script_agent, CRASH_NO_SYNC, "it was answered, and its effect is gone");
}

Test(crash, finds_a_hub_that_does_not_sync) {
    expect_loss(script_hub, CRASH_NO_SYNC, "it was answered, and its effect is gone");
}
#endif

Test(crash, finds_a_disk_that_lies_under_an_agent) {
    expect_loss(script_agent, CRASH_LYING_DISK, "it was answered, and its effect is gone");
}

Test(crash, finds_a_disk_that_lies_under_a_hub) {
    expect_loss(script_hub, CRASH_LYING_DISK, "it was answered, and its effect is gone");
}

Test(crash, finds_an_agent_that_answers_before_its_commit) {
    expect_loss(script_agent, CRASH_EARLY_ANSWER, "it was answered, and its effect is gone");
}

Test(crash, finds_a_hub_that_answers_before_its_commit) {
    expect_loss(script_hub, CRASH_EARLY_ANSWER, "it was answered, and its effect is gone");
}
