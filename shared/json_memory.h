/* Owns Jansson's memory: its allocator, and what happens when there is none. Jansson leaves out of
 * an answer what it has no memory for, and nobody looks at each of dozens of values: failed
 * allocations are counted, and a builder compares the count before and after. While it reads a text
 * it goes on with what is left, or asserts: reading is given up at once instead. */
#ifndef PLEK_JSON_MEMORY_H
#define PLEK_JSON_MEMORY_H

#include <jansson.h>
#include <stdint.h>

#include "bytes.h"

/* Once, before Jansson is used; without it nothing is counted. */
void json_watch(void);
uint64_t json_failures(void); /* of this thread */
/* json_loadb; *ret_no_memory says that it was given up for want of memory. */
json_t *json_read(struct bytes text, size_t flags, json_error_t *ret_fault, bool *ret_no_memory);

#endif
