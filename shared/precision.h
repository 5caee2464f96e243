/* Owns precision: what of a capacity is disclosed at exact, rounded:N, band or light.
 * Source: design 2, "audience". The one place where figures get coarser. */
#ifndef PLEK_PRECISION_H
#define PLEK_PRECISION_H

#include "capacity.h"

#define BANDS_MAX 8

enum precision_kind {
    PRECISION_EXACT = 1,
    PRECISION_ROUNDED = 2,
    PRECISION_BAND = 3,
    PRECISION_LIGHT = 4
};
enum light { LIGHT_UNKNOWN = 0, LIGHT_GREEN = 1, LIGHT_ORANGE = 2, LIGHT_RED = 3 };
const char *light_name(enum light l); /* NULL for unknown */

struct precision {
    enum precision_kind kind;
    int64_t step;             /* rounded: whole units, >= 2 */
    int64_t bands[BANDS_MAX]; /* lower bounds in whole units, ascending, the first 1 */
    size_t band_count;        /* default 1, 3, 6: none, 1-2, 3-5, 6+ */
};

/* "exact" "rounded:5" "band" "light" with the default bands. ERR_DATA. */
enum err precision_parse(const char *text, struct precision *ret, struct error *e) MUST_USE;
char *precision_text(const struct precision *p, char out[static 32]);

/* What a reader gets of one figure. */
struct disclosed {
    struct amount available, total, occupied, held, blocked,
        need; /* exact; available also rounded */
    char blocked_reason[REASON_MAX + 1];
    int64_t blocked_until_ms, next_free_ms;
    char note[NOTE_MAX + 1];
    enum status status;
    bool has_band;
    int64_t low;        /* scaled */
    struct amount high; /* scaled; unknown = "or more" */
    enum light light;
    int64_t observed_ms, valid_until_ms; /* below exact: observed down to 15 minutes, validity up */
};
void precision_apply(const struct precision *p, const struct capacity *c,
                     const struct charter_service *service, struct disclosed *ret);

#endif
