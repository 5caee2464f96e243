/* Owns the sweep with power cuts (see crash_sweep.h). What a restart finds is kept as a VFS of its
 * own until the deed under way has ended, and then opened, compared and worked on with. */
#include "crash_sweep.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "vfs/crash_vfs.h"

#define SWEEP_MAX_IMAGES 2048 /* of one deed */
#define SWEEP_LOG_PAGES 12    /* the log is folded in often: that is where orders of syncs count */

struct image {
    struct crash_vfs *vfs;
    char name[32];
    uint64_t seed;
    bool answered; /* the deed's answer was out by then */
};

struct sweep {
    const struct script *script;
    const struct crash_plan *plan;
    struct crash_report *report;
    struct crash_vfs *vfs;
    struct stage stage;
    struct image images[SWEEP_MAX_IMAGES];
    int image_count;
    bool answered;
    uint64_t serial; /* of the image, which its seed follows from */
    uint64_t moments;
};

/* ---- taking images ---- */

/* 0 and the largest are the two extremes: everything unsynced is gone, or all of it is there. */
static uint64_t seed_of(uint64_t serial, int n) {
    if (n == 0)
        return DISK_DROP_ALL;
    return n == 2 ? DISK_KEEP_ALL : serial * 1000 + (uint64_t)n;
}

static void take_image(struct sweep *w, uint64_t seed) {
    cr_assert_lt(w->image_count, SWEEP_MAX_IMAGES);
    struct image *image = &w->images[w->image_count++];
    *image = (struct image){.seed = seed, .answered = w->answered};
    snprintf(image->name, sizeof image->name, "crash-%llu", (unsigned long long)++w->serial);
    image->vfs = crash_vfs_restart(w->vfs, image->name, seed, &w->report->writes);
    cr_assert_not_null(image->vfs);
    w->report->crashes++;
}

static int gate(void *ctx, enum crash_op op) {
    struct sweep *w = ctx;
    if (op == CRASH_OP_SYNC) {
        w->report->syncs++;
        for (int n = 0; n < w->plan->seeds; n++)
            take_image(w, seed_of(w->serial, n));
    } else if (op != CRASH_OP_READ && ++w->moments % (uint64_t)w->plan->between == 0) {
        take_image(w, seed_of(w->serial, 1));
    }
    return SQLITE_OK;
}

static void on_answer(void *ctx) {
    struct sweep *w = ctx;
    w->answered = true;
    take_image(w, DISK_DROP_ALL);
}

/* ---- after the crash ---- */

static void lose(struct sweep *w, const struct deed *d, const struct image *image,
                 const char *what) {
    if (w->report->loss[0])
        return;
    snprintf(w->report->loss, sizeof w->report->loss,
             "%s: a power cut with seed %llu %s deed %d, '%s': %s", w->script->name,
             (unsigned long long)image->seed, image->answered ? "after" : "during", d->number,
             d->title, what);
}

static bool is(const struct stage *s, const struct hash *tables) {
    struct hash now = stage_tables((struct stage *)s, NULL);
    return hash_equal(&now, tables);
}

/* Its peer never heard that it was done. */
static void repeat(struct sweep *w, struct stage *s, const struct deed *d,
                   const struct image *image) {
    struct error e = {0};
    struct hash before = stage_tables_but(s, SCRIPT_REFUSALS);
    if (stage_repeat(s, d, &e) != ERR_OK)
        lose(w, d, image, e.detail);
    struct hash after = stage_tables_but(s, SCRIPT_REFUSALS);
    if (!hash_equal(&before, &after))
        lose(w, d, image, "said twice, it is applied twice");
}

/* From the deed at `from` to the end. */
static void replay(struct sweep *w, struct stage *s, int from, const struct image *image,
                   bool repeated) {
    for (int i = from; i < w->script->count && !w->report->loss[0]; i++) {
        const struct deed *d = &w->script->deeds[i];
        struct error e = {0};
        if (stage_do(s, d, &e) != ERR_OK)
            lose(w, d, image, e.detail);
    }
    const struct deed *last = &w->script->deeds[w->script->count - 1];
    w->report->replayed++;
    struct hash now = repeated ? stage_tables_but(s, SCRIPT_REFUSALS) : stage_tables(s, NULL);
    const struct hash *end = repeated ? &last->but_refusals : &last->after;
    if (!w->report->loss[0] && !hash_equal(&now, end))
        lose(w, last, image, "the rest of the script ends with other tables");
}

static void judge(struct sweep *w, struct stage *s, int at, const struct image *image) {
    const struct deed *d = &w->script->deeds[at];
    const struct hash *before = at > 0 ? &w->script->deeds[at - 1].after : &w->script->before;
    bool fault = false;
    struct hash tables = stage_tables(s, &fault);
    bool done = hash_equal(&tables, &d->after);
    if (fault)
        lose(w, d, image, "the file is damaged");
    else if (image->answered && !done)
        lose(w, d, image, "it was answered, and its effect is gone");
    else if (!done && !hash_equal(&tables, before))
        lose(w, d, image, "it is there in part");
    if (w->report->loss[0] || w->report->reopened % (uint64_t)w->plan->replay_every != 0)
        return;
    if (done && d->again)
        repeat(w, s, d, image);
    replay(w, s, done ? at + 1 : at, image, done && d->again);
}

static void look(struct sweep *w, int at) {
    for (int i = 0; i < w->image_count; i++) {
        struct image *image = &w->images[i];
        struct stage s = {0};
        struct error e = {0};
        if (!w->report->loss[0]) {
            w->report->reopened++;
            if (stage_open(&s, w->script, image->name, &e) == ERR_OK)
                judge(w, &s, at, image);
            else
                lose(w, &w->script->deeds[at], image, e.detail);
        }
        stage_close(&s);
        crash_vfs_free(image->vfs);
    }
    w->image_count = 0;
}

/* ---- the sweep ---- */

static void begin(struct sweep *w) {
    struct error e = {0};
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL); /* the same run again */
    w->vfs = crash_vfs_new("crash-sweep");
    cr_assert_not_null(w->vfs);
    cr_assert_eq(stage_open(&w->stage, w->script, "crash-sweep", &e), ERR_OK, "%s", e.detail);
    sqlite3_wal_autocheckpoint(w->script->side->db(&w->stage), SWEEP_LOG_PAGES);
    if (w->plan->defect == CRASH_NO_SYNC)
        w->script->side->no_sync(&w->stage);
    if (w->plan->defect == CRASH_LYING_DISK)
        crash_vfs_lie(w->vfs);
    if (w->plan->defect == CRASH_EARLY_ANSWER) {
        w->stage.answered = on_answer;
        w->stage.answered_ctx = w;
    }
    crash_vfs_watch(w->vfs, gate, w);
}

void crash_sweep(const struct script *script, const struct crash_plan *plan,
                 struct crash_report *ret) {
    static struct sweep w;
    *ret = (struct crash_report){0};
    w = (struct sweep){.script = script, .plan = plan, .report = ret};
    begin(&w);
    for (int i = 0; i < script->count && !ret->loss[0]; i++) {
        const struct deed *d = &script->deeds[i];
        struct error e = {0};
        w.answered = false;
        cr_assert_eq(stage_do(&w.stage, d, &e), ERR_OK, "%s: %s", d->title, e.detail);
        cr_assert(is(&w.stage, &d->after), "%s: '%s' does not run the same way twice", script->name,
                  d->title);
        w.answered = true;
        take_image(&w, DISK_DROP_ALL);
        take_image(&w, seed_of(w.serial, 1));
        ret->deeds++;
        look(&w, i);
    }
    stage_close(&w.stage); /* folds the log in, and removes it */
    look(&w, script->count - 1);
    crash_vfs_free(w.vfs);
}

void crash_tell(const struct script *script, const struct crash_report *r) {
    printf("%s: %llu deeds, %llu syncs, %llu power cuts; unsynced writes: %llu kept, %llu dropped, "
           "%llu torn; %llu stores opened again, %llu scripts gone on with\n",
           script->name, (unsigned long long)r->deeds, (unsigned long long)r->syncs,
           (unsigned long long)r->crashes, (unsigned long long)r->writes.kept,
           (unsigned long long)r->writes.dropped, (unsigned long long)r->writes.torn,
           (unsigned long long)r->reopened, (unsigned long long)r->replayed);
}
