/* Named failpoints: in test builds (PLEK_FAILPOINTS) the process kills itself with SIGKILL when it
 * passes the point named in PLEK_FAILPOINT ("name" or "name:n" for the n-th pass). Nothing in
 * others. */
#ifndef PLEK_FAILPOINT_H
#define PLEK_FAILPOINT_H

#ifdef PLEK_FAILPOINTS
#include <stdbool.h>

void failpoint(const char *name);
/* Whether PLEK_FAILPOINT is this name: for a fault that a test has to notice, not a death. */
bool failpoint_is(const char *name);
#else
#define failpoint(name) ((void)0)
#define failpoint_is(name) (false)
#endif

#endif
