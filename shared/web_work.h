/* Owns slow work of requests (a password's hash) beside the loop: a few at a time on libuv's
 * threads, the rest waits in a bounded line. Loop thread only. Must not know what is worked on. */
#ifndef PLEK_WEB_WORK_H
#define PLEK_WEB_WORK_H

#include <uv.h>

#include "web.h"

#define WEB_WORK_AT_ONCE 2 /* each takes 64 MiB */
#define WEB_WORK_WAITING 16

struct web_work;
/* `done` gets each call back, its caller's work done. */
struct web_work *web_work_new(uv_loop_t *loop, void (*done)(void *ctx, struct web_call *take_call),
                              void *ctx);
/* Takes the call; answers it with ERR_BUSY when the line is full. */
void web_work_take(struct web_work *w, struct web_call *take_call);
/* Nothing comes back any more; what runs ends with the loop. */
void web_work_stop(struct web_work *w);
void web_work_free(struct web_work *w); /* after the loop ended; accepts NULL */

#endif
