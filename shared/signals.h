/* Owns when SIGTERM and SIGINT may arrive: a daemon holds them back while it starts, so that one
 * that comes before its loop listens ends it properly too. Must not decide what they do. */
#ifndef PLEK_SIGNALS_H
#define PLEK_SIGNALS_H

/* From here on both wait. Threads started after this never receive them. */
void signals_hold(void);
/* Those that came meanwhile are delivered now: call it once handlers stand. */
void signals_release(void);

#endif
