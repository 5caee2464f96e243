/* Owns a real agent that shares, in a measurement: its lines, approvals and policy, and what its
 * outbox seals of them. In-process; must not measure. */
#ifndef PLEK_BENCH_SHARER_H
#define PLEK_BENCH_SHARER_H

#include "resident.h"

#define SHARER_MANY 2000 /* members "Member 0" and so on, as testbed_join names them */

struct sharer {
    struct resident r; /* open in-process */
    struct head head;  /* of the own feed */
    int change;        /* how often a figure was stated anew */
};

/* A route that writes; its answer is not looked at. */
enum err sharer_call(struct sharer *s, enum api_method method, const char *path, json_t *take_body,
                     struct error *e) MUST_USE;
enum err sharer_line(struct sharer *s, const char *site, const char *service, int number,
                     int occupied, struct error *e) MUST_USE;
/* Audience i has members [i * each, (i + 1) * each). */
enum err sharer_policy(struct sharer *s, int audiences, int each, struct error *e) MUST_USE;
enum err sharer_approve(struct sharer *s, struct error *e) MUST_USE;
/* Seals everything that waits: openings, grants, first states; how many entries and bytes. */
enum err sharer_drain(struct sharer *s, int *ret_entries, size_t *ret_bytes, struct error *e)
    MUST_USE;
/* One figure of the line 3 of service bed changes; what goes out then, in websocket bytes. */
enum err sharer_update(struct sharer *s, double *ret, struct error *e) MUST_USE;

#endif
