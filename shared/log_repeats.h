/* Owns how often a line may stand in the log that somebody else can bring about as often as they
 * like: the first few of a kind in a minute, then how many more there were. Loop thread only. */
#ifndef PLEK_LOG_REPEATS_H
#define PLEK_LOG_REPEATS_H

#include <uv.h>

#include "log.h"

#define LOG_REPEATS_FIRST 10   /* of a kind in a minute are written */
#define LOG_REPEATS_KINDS 4096 /* in a minute; of others only how many there were */
#define LOG_REPEATS_MS 60000

struct log_repeats;
/* NULL: no memory. The loop outlives it. */
struct log_repeats *log_repeats_new(uv_loop_t *loop);
/* Ends the count under way; lines are written as they come from now on. Before the loop is closed.
 */
void log_repeats_stop(struct log_repeats *r);
void log_repeats_free(struct log_repeats *r); /* after the loop ran once more; accepts NULL */

/* Like log_event. Level, event and `subject` ("peer=1.2.3.4 code=rate") are the kind, and stand in
 * front of the fields; in the end comes `EVENT SUBJECT more=1234`. */
void log_repeated(struct log_repeats *r, enum log_level level, const char *event,
                  const char *subject, const char *fields, ...) PRINTF_LIKE(5, 6);
/* Says how many more there were of each kind, and begins anew: what the minute's end does. */
void log_repeats_flush(struct log_repeats *r);

#endif
