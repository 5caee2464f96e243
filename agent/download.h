/* Owns bringing a table to a file or to standard output, page by page. Must not know what it says.
 */
#ifndef PLEK_AGENT_DOWNLOAD_H
#define PLEK_AGENT_DOWNLOAD_H

#include "client.h"

struct download {
    const char *path; /* of the file, written whole or not at all; NULL: standard output */
    json_t *query;    /* of GET /v1/export; borrowed, `after` is put into it */
};
/* ERR_USAGE, ERR_NO_INPUT, ERR_IO, or what the export says. */
enum err download_run(struct client *c, const struct download *d, struct error *e) MUST_USE;

#endif
