/* Owns slow work of requests beside the loop (see web_work.h). Must not know what is worked on. */
#include "web_work.h"

#include <stdlib.h>

struct item {
    uv_work_t request; /* first: the item is found by it */
    struct web_work *work;
    struct web_call *call;
    struct item *next;
};

struct web_work {
    uv_loop_t *loop;
    void (*done)(void *ctx, struct web_call *take_call);
    void *ctx;
    struct item *first, *last; /* waiting */
    int running, waiting;
    bool stopped;
};

struct web_work *web_work_new(uv_loop_t *loop, void (*done)(void *ctx, struct web_call *take_call),
                              void *ctx) {
    struct web_work *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->loop = loop;
    w->done = done;
    w->ctx = ctx;
    return w;
}

static void refuse(struct web_call *take_call) {
    struct error e;
    error_set(&e, ERR_BUSY, "too many log in at this moment; try again in a moment");
    web_answer(take_call, e.code, api_error_to_json(&e));
}

/* On a thread of libuv. */
static void run(uv_work_t *request) {
    struct item *item = (struct item *)request;
    password_work(&item->call->caller.work);
}

static void start_next(struct web_work *w);

static void on_done(uv_work_t *request, int status) {
    struct item *item = (struct item *)request;
    struct web_work *w = item->work;
    (void)status; /* nothing is ever cancelled */
    w->running--;
    if (w->stopped)
        web_call_free(item->call);
    else
        w->done(w->ctx, item->call);
    free(item);
    start_next(w);
}

static void start_next(struct web_work *w) {
    while (w->first && w->running < WEB_WORK_AT_ONCE && !w->stopped) {
        struct item *item = w->first;
        w->first = item->next;
        w->waiting--;
        if (uv_queue_work(w->loop, &item->request, run, on_done) == 0) {
            w->running++;
            continue;
        }
        refuse(item->call);
        free(item);
    }
}

void web_work_take(struct web_work *w, struct web_call *take_call) {
    struct item *item =
        w->waiting < WEB_WORK_WAITING && !w->stopped ? calloc(1, sizeof *item) : NULL;
    if (!item) {
        refuse(take_call);
        return;
    }
    item->work = w;
    item->call = take_call;
    if (w->first)
        w->last->next = item;
    else
        w->first = item;
    w->last = item;
    w->waiting++;
    start_next(w);
}

void web_work_stop(struct web_work *w) {
    if (w)
        w->stopped = true;
}

void web_work_free(struct web_work *w) {
    if (!w)
        return;
    while (w->first) {
        struct item *item = w->first;
        w->first = item->next;
        web_call_free(item->call);
        free(item);
    }
    free(w);
}
