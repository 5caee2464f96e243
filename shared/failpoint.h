/* Named failpoints: in test builds (PLEK_FAILPOINTS) the process kills itself with SIGKILL when it
 * passes the point named in PLEK_FAILPOINT ("name" or "name:n" for the n-th pass). Nothing in
 * others. */
#ifndef PLEK_FAILPOINT_H
#define PLEK_FAILPOINT_H

#ifdef PLEK_FAILPOINTS
void failpoint(const char *name);
#else
#define failpoint(name) ((void)0)
#endif

#endif
