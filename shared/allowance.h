/* Owns how much each network address may ask in a time: a bounded table. Pure: the time is passed
 * in. Must not know what is asked. */
#ifndef PLEK_ALLOWANCE_H
#define PLEK_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#define ALLOWANCE_ADDRESSES 512 /* the one that asked longest ago makes room */
#define ALLOWANCE_BURST 300     /* at once */
#define ALLOWANCE_RATE 50       /* a second, for long */

struct allowance;
struct allowance *allowance_new(void);    /* NULL: no memory */
void allowance_free(struct allowance *a); /* accepts NULL */
/* Takes one. False: nothing left, ask again in *ret_wait_ms. */
bool allowance_take(struct allowance *a, const char *address, int64_t now_ms, int64_t *ret_wait_ms);

#endif
