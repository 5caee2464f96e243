/* Owns the picture of growth curves: one panel a curve, both axes logarithmic, as SVG that needs no
 * script, no font and no colour to be read. Must not measure anything. */
#ifndef PLEK_BENCH_CHART_H
#define PLEK_BENCH_CHART_H

#include <jansson.h>

#include "error.h"

/* `curves` {name: {"unit": text, "points": [[x, y], ...]}}, x and y above 0, x growing. Writes the
 * file anew. ERR_IO, ERR_NO_MEMORY, ERR_CAP when the picture would not fit its buffer. */
enum err chart_write(const char *x_name, json_t *curves, const char *path, struct error *e)
    MUST_USE;

#endif
