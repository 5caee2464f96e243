/* Owns one row of the aggregate in the making: sums, or intervals where a member sends less than
 * exact figures, and who was counted. Pure. Source: docs/aggregate.md. */
#ifndef PLEK_HUB_CELL_H
#define PLEK_HUB_CELL_H

#include "history.h"

struct cell {
    struct amount low, high, total, occupied, held, blocked, need; /* low, high: of available */
    bool open_ended;                                               /* no upper end: high is void */
    int64_t members;                                               /* with a figure that counts */
    int64_t current, expired;                                      /* sites */
    int64_t never; /* providers of which nothing was ever opened */
};

/* Adds one line's figure; members and sites are the caller's to count. */
void cell_add(struct cell *cell, const struct charter_service *service,
              enum precision_kind precision, int64_t step, const struct history_point *figure);
/* Adds all of `from`: members who stand in both count twice. */
void cell_merge(struct cell *cell, const struct cell *from);

struct cell_name {
    const char *day, *service;
    const char *region; /* "": the whole network */
    int decimals;       /* of the service */
    bool open;          /* the day has not ended */
    bool final;         /* nothing changes it any more */
};
/* A row as `aggregate --json` prints it; NULL without memory. Caller owns it. */
json_t *cell_json(const struct cell *cell, const struct cell_name *name);

#endif
