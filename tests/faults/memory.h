/* Owns memory that runs out on purpose: the n-th allocation of this process fails, once or from
 * there on. Covers the product's own code (the program is linked with --wrap for malloc, calloc,
 * realloc, reallocarray, strdup and asprintf), SQLite and Jansson, which are given allocators,
 * protobuf-c, which takes the product's, and with memory_csv.c libcsv. Not what the C library
 * allocates inside. */
#ifndef PLEK_TEST_MEMORY_H
#define PLEK_TEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Before anything of SQLite or Jansson is used. */
void memory_init(void);
/* The nth allocation from now fails (1 is the next), and with `on` all that follow. */
void memory_arm(uint64_t nth, bool on);
/* While it is paused nothing is counted and nothing fails: what a test does between the calls that
 * it is about. */
void memory_pause(bool now);
uint64_t memory_failed(void); /* how many did since memory_arm */
/* Memory is plenty again, and nothing is paused; how many allocations failed. */
uint64_t memory_disarm(void);

#endif
