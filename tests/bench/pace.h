/* Owns how evenly the machine computes: the processor time of one repeated piece of work, in
 * moments of 50 ms. Waiting for a processor is not in it, nor what the host says it took away. */
#ifndef PLEK_BENCH_PACE_H
#define PLEK_BENCH_PACE_H

#include "bench.h"

struct pace_moment {
    int64_t cpu_ns;
    size_t count;
};
struct pace {
    int64_t start_ns;
    struct pace_moment *moments;
    size_t count;
    double slow_ns; /* above it a moment's mean is slow; 0 before pace_judge */
};

/* From `start_ns` (bench_now_ns) on for `seconds`; ERR_NO_MEMORY. */
enum err pace_init(struct pace *p, int64_t start_ns, int seconds, struct error *e) MUST_USE;
void pace_done(struct pace *p);
/* Of this thread. */
int64_t pace_cpu_ns(void);
/* The work was done at that time; outside of the span it does not count. */
void pace_note(struct pace *p, int64_t at_ns, int64_t cpu_ns);
/* A moment is slow when the work cost more than twice its median moment's mean. */
enum err pace_judge(struct pace *p, struct error *e) MUST_USE;
size_t pace_slow_count(const struct pace *p);
/* Whether a moment that the span touches was slow. */
bool pace_slow_between(const struct pace *p, int64_t from_ns, int64_t until_ns);

#endif
