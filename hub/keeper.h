/* Owns the store thread: the only one that touches the hub's domain. Groups commits; answers leave
 * after the sync of their commit. */
#ifndef PLEK_HUB_KEEPER_H
#define PLEK_HUB_KEEPER_H

#include "job.h"

struct keeper;
struct keeper_config {
    struct hub *hub;         /* borrowed; the keeper's alone while it runs */
    struct job_queue *jobs;  /* in */
    struct job_queue *done;  /* out, to the network thread */
    void (*wake)(void *ctx); /* any thread: the network thread should look at `done` */
    void *ctx;
};
enum err keeper_start(const struct keeper_config *config, struct keeper **ret, struct error *e)
    MUST_USE;
/* Closes `jobs`, finishes what is in it, joins, frees. Accepts NULL. */
void keeper_stop(struct keeper *k);

#endif
