/* Owns reading what members' agents show the hub now: their newest pictures, decoded, their clocks
 * corrected. Must not sum up. */
#ifndef PLEK_HUB_PICTURES_H
#define PLEK_HUB_PICTURES_H

#include "aggregate.h"
#include "hub_private.h"

struct pictures {
    struct contribution *items; /* by member and author, of each author the newest first */
    size_t count, cap;
};
enum pictures_of {
    PICTURES_ADMITTED, /* agents in good standing */
    PICTURES_ALL       /* those of suspended members and revoked agents too: for what was */
};
/* Free with pictures_done. */
enum err pictures_read(struct hub *hub, enum pictures_of whose, struct pictures *ret,
                       struct error *e) MUST_USE;
void pictures_done(struct pictures *p); /* accepts a zeroed one */

#endif
