/* Owns the copy of a store in a measurement: kept while its daemon is stopped, put back later, as
 * from last night's backup. Must not measure. */
#ifndef PLEK_BENCH_BACKUP_H
#define PLEK_BENCH_BACKUP_H

#include "error.h"

/* DIR/name beside itself; a daemon that was stopped left all of it in that one file. */
enum err backup_keep(const char *dir, const char *name, struct error *e) MUST_USE;
/* The store is again what it was; its log goes. */
enum err backup_restore(const char *dir, const char *name, struct error *e) MUST_USE;

#endif
