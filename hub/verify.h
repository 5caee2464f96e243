/* Owns the verify workers: threads that check signatures before anything reaches the store.
 * A feed always goes to the same worker, which keeps its order. */
#ifndef PLEK_HUB_VERIFY_H
#define PLEK_HUB_VERIFY_H

#include "job.h"

struct verify;
/* `network` is the hub's key (copied). Verified jobs go on into `store`; ones that fail are
 * finished (code set) and go there too, so that all answers come from one place in order. */
enum err verify_start(int workers, const struct public_key *network, struct job_queue *store,
                      struct verify **ret, struct error *e) MUST_USE;
void verify_stop(struct verify *v); /* drains, joins, frees; accepts NULL */
/* False: that worker's queue is full, the job was not taken. */
bool verify_offer(struct verify *v, struct job *take_job);

#endif
