/* Owns how a daemon fares while it is attacked: its memory and descriptors as the kernel tells
 * them, what /healthz says, and a pair of members whose updates come across. Must not attack
 * anybody. Failures end the test. */
#ifndef PLEK_TEST_GAUGE_H
#define PLEK_TEST_GAUGE_H

#include "actor.h"
#include "network.h"

struct gauge {
    struct lab *lab;
    const char *address, *path; /* of the daemon's HTTP, and what it answers; NULL: /healthz */
    pid_t pid;
    struct actor *author, *reader; /* NULL: nobody waits for updates */
    int64_t before_kib;
    int64_t worst_ms,
        update_ms; /* the longest that a new connection's answer took, and an update */
    int descriptors;
    int proofs;
};

/* A member of a real network by an invitation; connected. */
void gauge_admit(struct network *n, struct actor *ret, const char *name, uint64_t seed);
/* Begins: what is there now is what has to be there again. */
void gauge_open(struct gauge *g, const char *address, pid_t pid);
/* In the midst of it: /healthz answers, an update comes across. */
void gauge_prove(struct gauge *g);
/* Prints one line: the worst latency, the peak of memory beyond the beginning, and fails when that
 * is over the cap; then waits until descriptors are back. */
void gauge_close(struct gauge *g, const char *what, int64_t cap_kib);
/* How many descriptors the process has open. */
int gauge_descriptors(pid_t pid);

/* Attackers: plain TCP connections from `count` addresses of this machine's own, 400 from each. */
int gauge_connect(const char *address, int number);
/* Descriptors for so many attackers, or the test is left out. */
bool gauge_room(int count);
/* The small number in a normal run, the large one in a long run. */
int gauge_scale(int normal, int large);

#endif
