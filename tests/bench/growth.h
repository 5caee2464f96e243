/* Owns what the growth measurements share. Must not measure. */
#ifndef PLEK_BENCH_GROWTH_H
#define PLEK_BENCH_GROWTH_H

#include "testbed.h"

/* One point of each of `count` curves of a family, at the same x. A value that is not above 0 is
 * below what could be measured and left out with a word on standard error. */
struct growth_value {
    const char *name, *unit;
    double value;
};
enum err growth_add(struct bench *b, const char *family, double x,
                    const struct growth_value *values, size_t count, struct error *e) MUST_USE;
/* A store's file and its log, MiB; 0 when there is none. */
double growth_store_mib(const char *dir, const char *name);
/* Stops the hub and starts it again: its usage once it rests. */
enum err growth_restart_hub(struct testbed *t, struct process_usage *ret, struct error *e) MUST_USE;

#endif
