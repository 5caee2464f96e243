/* Owns how many connections each place in the network (address.h) has open, for the limit per
 * address. Must not know connections or the limit. */
#ifndef PLEK_HUB_ADDRESSES_H
#define PLEK_HUB_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_TEXT_MAX 48 /* an address as text, and its NUL */

struct addresses;
struct addresses *addresses_new(void);    /* NULL: no memory */
void addresses_free(struct addresses *a); /* accepts NULL */
size_t addresses_count(const struct addresses *a, const char *text);
/* The address as text. One more. False: no memory, nothing changed. */
bool addresses_add(struct addresses *a, const char *text);
/* One less; of an address that was added. */
void addresses_remove(struct addresses *a, const char *text);

#endif
