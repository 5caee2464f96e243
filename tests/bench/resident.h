/* Owns a real agent in a measurement: its directory, joined by the real program, run as a daemon or
 * opened in-process. Must not measure. */
#ifndef PLEK_BENCH_RESIDENT_H
#define PLEK_BENCH_RESIDENT_H

#include "agent.h"
#include "testbed.h"

struct resident {
    const struct bench *bench;
    char dir[BENCH_PATH_MAX], log[BENCH_PATH_MAX];
    struct process daemon;
    long log_start;      /* where this life's log begins */
    double peak_kib;     /* the most private memory seen while resident_settle waited */
    struct agent *agent; /* open in-process; NULL: not */
    int lock;
};
/* plek-agent init and join. */
enum err resident_join(struct resident *r, struct testbed *t, const char *name, struct error *e)
    MUST_USE;
enum err resident_start(struct resident *r, struct error *e) MUST_USE;
enum err resident_stop(struct resident *r, struct error *e) MUST_USE;
/* Waits until the daemon was connected and has used next to no processor time for a while. */
enum err resident_settle(struct resident *r, struct testbed *t, struct process_usage *ret,
                         struct error *e) MUST_USE;
/* One life of the daemon: started, settled, stopped. */
enum err resident_live(struct resident *r, struct testbed *t, struct process_usage *ret,
                       struct error *e) MUST_USE;
/* Each of the first `count` puppets publishes its state to it, while no daemon runs; they are
 * disconnected afterwards. */
enum err resident_told(struct resident *r, struct testbed *t, size_t count, struct error *e)
    MUST_USE;
/* In-process, while no daemon runs. */
enum err resident_open(struct resident *r, struct error *e) MUST_USE;
void resident_close(struct resident *r);
/* A route of the local API, in-process; body borrowed. ret may be NULL. */
enum err resident_call(struct resident *r, enum api_method method, const char *path, json_t *body,
                       json_t **ret, struct error *e) MUST_USE;
/* The same for reading, with a query (borrowed). */
enum err resident_get(struct resident *r, const char *path, json_t *query, json_t **ret,
                      struct error *e) MUST_USE;
void resident_done(struct resident *r);

#endif
