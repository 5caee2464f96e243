/* Owns bringing a file to an import, piece by piece, and saying how far it is. Must not know what a
 * table means. */
#ifndef PLEK_AGENT_UPLOAD_H
#define PLEK_AGENT_UPLOAD_H

#include "client.h"

struct upload {
    const char *path;
    json_t *body;  /* of POST /v1/imports; borrowed */
    bool progress; /* on standard error */
};
/* Begins, sends, commits; gives an import up that fails on the way. ERR_NO_INPUT, ERR_IO, or what
 * the import says. The caller owns *ret. */
enum err upload_run(struct client *c, const struct upload *u, json_t **ret, struct error *e)
    MUST_USE;

#endif
