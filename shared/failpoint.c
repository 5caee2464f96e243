/* Owns named failpoints of test builds: the process dies as by a power cut. */
#include "failpoint.h"

#ifdef PLEK_FAILPOINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void failpoint(const char *name) {
    static atomic_long passes;
    const char *wanted = getenv("PLEK_FAILPOINT");
    size_t len = strlen(name);
    if (!wanted || strncmp(wanted, name, len) != 0 || (wanted[len] != '\0' && wanted[len] != ':'))
        return;
    long nth = wanted[len] == ':' ? strtol(wanted + len + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&passes, 1) + 1 == nth)
        raise(SIGKILL);
}

bool failpoint_is(const char *name) {
    const char *wanted = getenv("PLEK_FAILPOINT");
    return wanted && strcmp(wanted, name) == 0;
}
#else
typedef int failpoint_is_compiled_out;
#endif
