/* Owns running a daemon under strace: faults and delays injected into its system calls, and what it
 * called, in order. Must not know what the calls mean. Every failure ends the test. */
#ifndef PLEK_TEST_TRACED_H
#define PLEK_TEST_TRACED_H

#include "network.h"

#define TRACED_SKIPPED "SKIPPED: strace is missing or may not trace here (packaging/setup; ptrace)"

/* Whether strace works here. */
bool traced_works(struct lab *lab);
/* Starts `argv` as lab_start does, under strace: the pid is the program's own, the tracer goes when
 * it ends. `options` are strace's, NULL-terminated. What it called goes to DIR/NAME.trace, anew. */
struct process *traced_start(struct lab *lab, const char *name, const char *const *options,
                             const char *const *argv);
/* The same for the network's hub or agent of this name, as network.h runs them. */
struct process *traced_run(struct network *n, const char *name, const char *const *options);
/* Waits until it said "ready" (true) or ended (false). */
bool traced_comes_up(struct lab *lab, struct process *p);
/* Ends the tracing; the program goes on, without faults. Nothing when it ended. */
void traced_let_go(struct process *p);
/* How many calls were made to fail or wait so far. */
unsigned traced_injected(struct lab *lab, const char *name);

/* One call, as strace prints it with -f -ttt -T. */
struct call {
    long thread;
    double from_s, until_s; /* wall clock */
    char name[24];
    long fd;       /* its first argument; -1 when that is no number */
    int64_t value; /* what it returned */
    char data[8];  /* how its data begins */
};
/* The calls of DIR/NAME.trace in order of their beginning, with how many; the caller frees. */
struct call *traced_calls(struct lab *lab, const char *name, size_t *ret_count);

#endif
