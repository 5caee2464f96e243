/* Implements the store's part of a session (see batch.h). Must not know the socket. */
#include "batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "outbox.h"

#define BATCH_MAX 500 /* effects in one transaction */
#define READY_STEPS 64
#define READY_BYTES (64 * 1024)

enum err batch_init(struct batch *b, struct error *e) {
    *b = (struct batch){.steps = calloc(BATCH_MAX, sizeof *b->steps)};
    return b->steps ? ERR_OK : error_set(e, ERR_NO_MEMORY, "not enough memory for the connection");
}

void batch_done(struct batch *b) {
    batch_clear(b);
    free(b->steps);
    b->steps = NULL;
}

bool batch_full(const struct batch *b) {
    return b->count == BATCH_MAX;
}

bool batch_ready(const struct batch *b) {
    return b->count >= READY_STEPS || b->bytes >= READY_BYTES;
}

void batch_add(struct batch *b, const struct agent_effect *take_effect) {
    b->steps[b->count++] = (struct batch_step){.effect = *take_effect};
    b->bytes += take_effect->data ? blob_bytes(take_effect->data).len : 0;
}

void batch_clear(struct batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        blob_unref(b->steps[i].entry);
        blob_unref(b->steps[i].effect.data);
    }
    b->count = b->bytes = 0;
}

/* ---- the transaction ---- */

static bool is_fatal(enum err code) {
    return code == ERR_DISK_FULL || code == ERR_STORE || code == ERR_NO_MEMORY;
}

/* A hub can send as many of these as it likes. */
static void log_refused(struct log_repeats *log, const struct batch_step *step,
                        const struct error *e) {
    char subject[64];
    snprintf(subject, sizeof subject, "code=%s", error_name(step->code));
    log_repeated(log, LOG_WARN, "refused", subject, "effect=%d class=%u detail=\"%s\"",
                 (int)step->effect.kind, step->effect.class_, e->detail);
}

static void perform(struct batch_step *step, struct agent *agent, struct log_repeats *log) {
    struct error e = {0};
    int64_t now_ms = clock_wall_ms();
    if (step->effect.kind == AGENT_EFFECT_NEXT)
        step->code = outbox_next(agent, &step->effect.head, step->effect.max_bytes, now_ms,
                                 &step->entry, &step->head, &e);
    else
        step->code = agent_perform(agent, &step->effect, now_ms, &e);
    if (step->code && step->code != ERR_OLD && step->code != ERR_NO_KEY)
        log_refused(log, step, &e);
}

void batch_run(struct batch *b, struct agent *agent, struct log_repeats *log) {
    struct error e = {0};
    enum err fatal = agent_begin(agent, &e);
    bool begun = fatal == ERR_OK;
    for (size_t i = 0; i < b->count && !fatal; i++) {
        perform(&b->steps[i], agent, log);
        if (is_fatal(b->steps[i].code))
            fatal = b->steps[i].code;
    }
    if (fatal && begun)
        agent_rollback(agent);
    else if (!fatal)
        fatal = agent_commit(agent, &e);
    if (!fatal)
        return;
    log_event(LOG_ERROR, "store", "code=%s detail=\"%s\"", error_name(fatal), e.detail);
    for (size_t i = 0; i < b->count; i++)
        b->steps[i].code = fatal;
}
