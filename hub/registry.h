/* Owns the map from an agent's key to its live connection. Network thread only. */
#ifndef PLEK_HUB_REGISTRY_H
#define PLEK_HUB_REGISTRY_H

#include "keys.h"

struct registry;
struct registry *registry_new(void);
void registry_free(struct registry *r);
/* The connection that stood there before, or NULL. *ret_failed on lack of memory (nothing changed).
 */
void *registry_put(struct registry *r, const struct public_key *agent, void *connection,
                   bool *ret_failed);
void *registry_get(const struct registry *r, const struct public_key *agent);
/* Only when it still maps to this connection. */
void registry_remove(struct registry *r, const struct public_key *agent, const void *connection);
size_t registry_count(const struct registry *r);
/* Slot by slot: for (size_t i = 0; (c = registry_each(r, &i));) */
void *registry_each(const struct registry *r, size_t *cursor);

#endif
