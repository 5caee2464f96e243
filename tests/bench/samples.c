/* Implements what is said of many samples. Must not measure. */
#include <stdlib.h>

#include "bench.h"

static int compare_samples(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

double bench_percentile(double *samples, size_t count, double share) {
    if (count == 0)
        return 0;
    qsort(samples, count, sizeof *samples, compare_samples);
    size_t at = (size_t)((double)count * share);
    return samples[at < count ? at : count - 1];
}
