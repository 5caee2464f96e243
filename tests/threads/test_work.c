/* Passwords hashed on libuv's threads while the loop goes on: all come back once, on the loop's
 * thread, and what runs when the daemon stops ends with the loop. Another thread wakes the loop
 * meanwhile, as the store thread does. */
#include <stdatomic.h>
#include <string.h>

#include "threads.h"
#include "web_work.h"

#define CALLS 6
#define WAKES 200

struct world {
    uv_loop_t loop;
    uv_async_t async;
    struct web_work *work;
    pthread_t owner;
    int back, stop_after;
    atomic_int woken;
};

static void finish(struct world *w) {
    web_work_stop(w->work);
    uv_close((uv_handle_t *)&w->async, NULL);
}

static void done(void *ctx, struct web_call *take_call) {
    struct world *w = ctx;
    CHECK(pthread_equal(pthread_self(), w->owner));
    CHECK(take_call->caller.work.done && take_call->caller.work.code == ERR_OK);
    CHECK(strncmp(take_call->caller.work.made, "$argon2id$", 10) == 0);
    web_call_free(take_call);
    if (++w->back == w->stop_after)
        finish(w);
}

static void on_async(uv_async_t *async) {
    struct world *w = async->data;
    atomic_fetch_add(&w->woken, 1);
}

static void *wake(void *ctx) {
    struct world *w = ctx;
    for (int i = 0; i < WAKES; i++)
        uv_async_send(&w->async);
    return NULL;
}

/* As many come back as are waited for; the others are freed. */
static void run(int calls, int stop_after) {
    struct world w = {.owner = pthread_self(), .stop_after = stop_after};
    pthread_t waker;
    CHECK(uv_loop_init(&w.loop) == 0);
    CHECK(uv_async_init(&w.loop, &w.async, on_async) == 0);
    w.async.data = &w;
    w.work = web_work_new(&w.loop, done, &w);
    CHECK(w.work);
    for (int i = 0; i < calls; i++) {
        struct web_call *call = calloc(1, sizeof *call);
        CHECK(call);
        call->caller.work = (struct password_work){.wanted = true, .make = "een zin van woorden"};
        web_work_take(w.work, call);
    }
    thread_start(&waker, wake, &w);
    thread_join(waker); /* before the handle may close */
    uv_run(&w.loop, UV_RUN_DEFAULT);
    CHECK(w.back >= stop_after && w.back <= calls);
    CHECK(atomic_load(&w.woken) > 0);
    CHECK(uv_loop_close(&w.loop) == 0);
    web_work_free(w.work);
}

int main(void) {
    CHECK(sodium_init() >= 0);
    run(CALLS, CALLS);
    run(CALLS, 1);
    return 0;
}
