/* Owns the form in which a picture's lines stand for find, packed into one value when the picture
 * changes: nearly all of them are judged and not shown. Must not know the store. */
#ifndef PLEK_AGENT_JUDGED_H
#define PLEK_AGENT_JUDGED_H

#include "bytes.h"
#include "precision.h"

#define JUDGED_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* What lines that follow one another have in common. */
struct judged_place {
    const char *site, *region, *service;
};
/* Walks them, or holds one of them to be packed. Texts are borrowed from what is walked. */
struct judged_lines {
    struct bytes left; /* not yet walked; not empty after the end: damaged */
    struct judged_place place;
    bool moved; /* the place is another than that of the line before */
    int64_t id; /* of the row that has the line whole */
    const char *ward, *attributes;
};
/* Appends one line, and its place when it moved. Of its figure only status, light, what is
 * available or else the band's lower bound, and its times. */
void judged_pack(struct buf *out, const struct judged_lines *line, const struct disclosed *figure);
/* The next line; of the figure only what judged_pack kept is set. False: no more. */
bool judged_next(struct judged_lines *lines, struct disclosed *ret_figure);

#endif
