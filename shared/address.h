/* Owns what counts as one place in the network when requests, tries and connections are counted.
 * Pure. Must not know what is counted. */
#ifndef PLEK_ADDRESS_H
#define PLEK_ADDRESS_H

#define ADDRESS_PLACE_SIZE 48 /* room for any place and its NUL */

/* An IPv4 address, also one mapped into IPv6, is a place of its own; of IPv6 the first 64 bits are,
 * since whoever has one such address has them all. What is no address stays as it is, cut. Gives
 * `out`. */
const char *address_place(const char *address, char out[static ADDRESS_PLACE_SIZE]);

#endif
