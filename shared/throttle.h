/* Owns the slowing down of those who fail: by user name and by network address, a bounded table.
 * Pure: the time is passed in. Must not know what failed. */
#ifndef PLEK_THROTTLE_H
#define PLEK_THROTTLE_H

#include <stdint.h>

#define THROTTLE_MAX 1024      /* keys; the one with the fewest failures makes room */
#define THROTTLE_KEY_MAX 80    /* bytes, NUL included; a longer one is cut */
#define THROTTLE_FREE 5        /* failures that cost nothing */
#define THROTTLE_FIRST_MS 1000 /* then this, twice as long for each further one */
#define THROTTLE_MOST_MS (5 * 60 * 1000)
#define THROTTLE_FORGET_MS (60 * 60 * 1000) /* after the last failure */

struct throttle;
struct throttle *throttle_new(void); /* NULL: no memory */
void throttle_free(struct throttle *t);
/* How long this key still has to wait; 0: it may try. */
int64_t throttle_wait_ms(struct throttle *t, const char *key, int64_t now_ms);
/* Counts a try before its outcome is known, so that many at once count as many. */
void throttle_count(struct throttle *t, const char *key, int64_t now_ms);
/* It succeeded: what was counted for the key is forgotten. */
void throttle_clear(struct throttle *t, const char *key);

#endif
