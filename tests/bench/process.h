/* Owns the real programs that a measurement runs: starting, asking, stopping, and what the kernel
 * says of their memory and time. Must not know what they do. */
#ifndef PLEK_BENCH_PROCESS_H
#define PLEK_BENCH_PROCESS_H

#include <sys/types.h>

#include "bytes.h"

#define PROCESS_ARGS_MAX 24

struct process {
    pid_t pid;         /* 0: not running */
    char address[128]; /* what stood behind "ready addr=", or "" */
};

/* Starts argv (NULL-terminated) with standard error appended to `log`, and waits for a line on
 * standard output that begins with "ready". ERR_TIMEOUT, ERR_UNAVAILABLE when it ended first. */
enum err process_start(struct process *p, const char *const *argv, const char *log, struct error *e)
    MUST_USE;
/* SIGTERM and its end. Accepts one that does not run. ERR_UNAVAILABLE when its status is not 0. */
enum err process_stop(struct process *p, struct error *e) MUST_USE;
/* SIGKILL and its end. Accepts one that does not run. */
void process_kill(struct process *p);
/* Runs a command to its end; its standard output in *ret_out (may be NULL). ERR_UNAVAILABLE with
 * what it wrote to standard error when its status is not 0. */
enum err process_run(const char *const *argv, struct buf *ret_out, struct error *e) MUST_USE;

struct process_usage {
    double rss_kib, rss_anon_kib;
    double peak_kib;   /* the most it ever had resident */
    int64_t cpu_ns;    /* of all its threads */
    int64_t verify_ns; /* of those named "verify" */
    int64_t switches;  /* voluntary: how often it went to sleep */
    int threads;
};
/* Its private memory (RssAnon) now, KiB: cheap enough to be asked fifty times a second. -1: gone.
 */
double process_memory_kib(const struct process *p);
enum err process_usage(const struct process *p, struct process_usage *ret, struct error *e)
    MUST_USE;

#endif
