/* Owns the files that browsers get: embedded by CMake, or read from directories while somebody
 * works on them. Must not know sockets or the API. */
#ifndef PLEK_PAGES_H
#define PLEK_PAGES_H

#include "bytes.h"

/* One embedded file. Tags are strong, with their quotes; the packed form has one of its own. */
struct pages_asset {
    const char *path; /* "/app.js" */
    const char *type;
    const char *etag, *gzip_etag;
    struct bytes plain, gzip;
};
/* A program's embedded files, by path. CMake makes it: packaging/cmake/embed.cmake. */
struct pages_assets {
    const struct pages_asset *list;
    size_t count;
};

struct pages {
    const struct pages_assets *assets;
    const char *root;    /* its files come before the embedded ones, never cached; NULL: none */
    const char *shared;  /* the same for paths below "/shared/"; NULL: none */
    const char *without; /* a path that is not there; NULL: none */
};

/* What a path gives. */
struct pages_file {
    struct bytes body; /* borrowed from the program, or from `owned` */
    uint8_t *owned;    /* NULL, or the caller's to free */
    const char *type;
    const char *etag; /* NULL: not to be cached */
    bool gzip;
};
/* "/" is "/index.html", "/public" is "/public.html". False: no such file, or it cannot be read now.
 */
bool pages_find(const struct pages *pages, const char *path, bool gzip_ok, struct pages_file *ret);

#endif
