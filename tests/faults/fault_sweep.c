/* Owns the sweep with faults (see fault_sweep.h). */
#include "fault_sweep.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_FIRST 2           /* of each deed these faults are always tried */
#define SWEEP_MAX_FAULTS 200000 /* a deed that meets more never passes */

struct sweep {
    const struct script *script;
    const struct fault *fault;
    const struct fault_plan *plan;
    struct fault_report *report;
    struct crash_vfs *vfs;  /* what the store stands on */
    struct crash_vfs *base; /* the same before the deed */
    struct stage stage;
    uint64_t serial;
};

static void wrong(struct sweep *w, const struct deed *d, uint64_t nth, const char *what,
                  const char *detail) {
    if (w->report->wrong[0])
        return;
    snprintf(w->report->wrong, sizeof w->report->wrong, "%s, %s %llu of deed %d, '%s': %s: %.380s",
             w->script->name, w->fault->name, (unsigned long long)nth, d->number, d->title, what,
             detail);
}

/* ---- the store under test ---- */

static struct crash_vfs *copy_of(struct sweep *w, const struct crash_vfs *vfs, char *name,
                                 size_t size) {
    struct disk_tally tally = {0};
    snprintf(name, size, "fault-%llu", (unsigned long long)++w->serial);
    struct crash_vfs *copy = crash_vfs_restart(vfs, name, DISK_KEEP_ALL, &tally);
    cr_assert_not_null(copy);
    return copy;
}

static void keep_base(struct sweep *w) {
    char name[32];
    crash_vfs_free(w->base);
    w->base = copy_of(w, w->vfs, name, sizeof name);
}

/* Back to before the deed. */
static void rewind_(struct sweep *w) {
    char name[32];
    struct error e = {0};
    const struct script *script = w->script;
    stage_close(&w->stage);
    crash_vfs_free(w->vfs);
    w->vfs = copy_of(w, w->base, name, sizeof name);
    cr_assert_eq(stage_open(&w->stage, script, name, &e), ERR_OK, "%s", e.detail);
}

static bool is(struct sweep *w, const struct hash *tables) {
    struct hash now = stage_tables(&w->stage, NULL);
    return hash_equal(&now, tables);
}

static bool is_allowed(const struct fault *f, enum err code) {
    for (size_t i = 0; i < sizeof f->codes / sizeof f->codes[0] && f->codes[i]; i++)
        if (f->codes[i] == code)
            return true;
    return false;
}

/* ---- one fault ---- */

/* Faults in quiet moments are nobody's business: the work waits for the next one. */
static bool is_quiet(const struct deed *d) {
    return d->kind == DEED_IDLE || d->kind == DEED_REST;
}

/* Each of these is refused or done for itself; those before it stay. */
static bool is_group(const struct deed *d) {
    return d->kind == DEED_ACCEPT && d->bytes[1];
}

static bool same_answer(const struct sweep *w, const struct deed *d) {
    if (d->kind != DEED_CALL)
        return true;
    char *text = json_dumps(w->stage.answer, JSON_SORT_KEYS | JSON_COMPACT);
    bool same = text && strcmp(text, d->answer) == 0;
    free(text);
    return same;
}

static void judge(struct sweep *w, const struct deed *d, const struct hash *before, uint64_t nth,
                  enum err err, const struct error *e) {
    if (err && !is_allowed(w->fault, err)) {
        wrong(w, d, nth, error_name(err), e->detail);
    } else if (err || (is_quiet(d) && !is(w, &d->after))) {
        w->report->refused++;
        if (!is(w, before) && !is_group(d))
            wrong(w, d, nth, "refused, and the tables changed", e->detail);
        else if (is_quiet(d))
            rewind_(w);
    } else {
        w->report->passed++;
        if (!is(w, &d->after))
            wrong(w, d, nth, "said to be done, and the tables are not so", e->detail);
        else if (!same_answer(w, d))
            wrong(w, d, nth, "done, and the answer is not what it should be", "");
        else
            rewind_(w);
    }
}

static uint64_t next_of(const struct sweep *w, uint64_t nth) {
    return nth < SWEEP_FIRST ? nth + 1 : nth + w->plan->every;
}

/* ---- one deed ---- */

static void try_deed(struct sweep *w, int at) {
    const struct deed *d = &w->script->deeds[at];
    const struct hash *before = at > 0 ? &w->script->deeds[at - 1].after : &w->script->before;
    uint64_t came = 1;
    keep_base(w);
    for (uint64_t nth = 1; came > 0 && !w->report->wrong[0]; nth = next_of(w, nth)) {
        struct error e = {0};
        cr_assert_lt(nth, (uint64_t)SWEEP_MAX_FAULTS);
        w->fault->arm(w->fault->ctx, w->vfs, nth);
        enum err err = stage_do(&w->stage, d, &e);
        came = w->fault->disarm(w->fault->ctx, w->vfs);
        w->report->faults += came > 0;
        if (came > 0)
            judge(w, d, before, nth, err, &e);
        else if (err)
            wrong(w, d, nth, "fails although nothing failed any more", e.detail);
        else if (!is(w, &d->after) || !same_answer(w, d))
            wrong(w, d, nth, "tried again after faults, it comes to something else", "");
    }
    w->report->retried++;
    w->report->deeds++;
}

/* ---- opening ---- */

static void try_opening(struct sweep *w, int at) {
    struct deed opening = {.title = "opening", .number = at};
    const struct script *script = w->script;
    uint64_t came = 1;
    char name[32];
    keep_base(w);
    for (uint64_t nth = 1; came > 0 && !w->report->wrong[0]; nth = next_of(w, nth)) {
        struct error e = {0};
        stage_close(&w->stage);
        crash_vfs_free(w->vfs);
        w->vfs = copy_of(w, w->base, name, sizeof name);
        w->fault->arm(w->fault->ctx, w->vfs, nth);
        enum err err = stage_open(&w->stage, script, name, &e);
        came = w->fault->disarm(w->fault->ctx, w->vfs);
        w->report->faults += came > 0;
        w->report->refused += err != ERR_OK;
        w->report->passed += came > 0 && err == ERR_OK;
        if (err && (came == 0 || !is_allowed(w->fault, err)))
            wrong(w, &opening, nth, error_name(err), e.detail);
        if (err)
            w->stage.script = NULL; /* nothing to close */
        else if (!is(w, &script->before))
            wrong(w, &opening, nth, "opened, and the tables are not what they were", "");
    }
    w->report->deeds++;
}

void fault_sweep(const struct script *script, const struct fault *fault,
                 const struct fault_plan *plan, struct fault_report *ret) {
    static struct sweep w;
    struct error e = {0};
    *ret = (struct fault_report){0};
    w = (struct sweep){.script = script, .fault = fault, .plan = plan, .report = ret};
    w.vfs = crash_vfs_new("fault-0");
    cr_assert_not_null(w.vfs);
    cr_assert_eq(stage_open(&w.stage, script, "fault-0", &e), ERR_OK, "%s", e.detail);
    if (plan->reopen)
        try_opening(&w, 0);
    for (int i = 0; i < script->count && !plan->reopen && !ret->wrong[0]; i++)
        try_deed(&w, i);
    stage_close(&w.stage);
    crash_vfs_free(w.vfs);
    crash_vfs_free(w.base);
}

void fault_tell(const struct script *script, const struct fault *fault,
                const struct fault_report *r) {
    printf("%s, %s: %llu deeds, %llu faults: %llu refused, %llu passed; %llu deeds tried again "
           "and done\n",
           script->name, fault->name, (unsigned long long)r->deeds, (unsigned long long)r->faults,
           (unsigned long long)r->refused, (unsigned long long)r->passed,
           (unsigned long long)r->retried);
}
