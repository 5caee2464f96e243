/* Owns what a reading puppet does with an excerpt: the reader's rule as far as it costs time - form
 * and paths, the author's signature, grants, decryption, decoding. Must not store. */
#ifndef PLEK_BENCH_OPENING_H
#define PLEK_BENCH_OPENING_H

#include "puppet.h"

/* Knows the authors among `puppets` by their agent key. */
struct opening;
enum err opening_new(const struct puppet *reader, const struct puppet *puppets, size_t count,
                     struct opening **ret, struct error *e) MUST_USE;
void opening_free(struct opening *o);
/* Takes an excerpt. A state's author (index) and seq go to *ret_author, *ret_seq; -1 for a grant.
 */
enum err opening_take(struct opening *o, struct bytes excerpt, long *ret_author, uint64_t *ret_seq,
                      struct error *e) MUST_USE;

#endif
