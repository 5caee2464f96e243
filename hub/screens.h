/* Owns HTTP at the hub: the API on its socket, pages and API for browsers, and the way of a call to
 * the store and back. Network thread only. Must not touch the domain: jobs do. */
#ifndef PLEK_HUB_SCREENS_H
#define PLEK_HUB_SCREENS_H

#include <uv.h>

#include "job.h"
#include "settings.h"

struct screens_config {
    uv_loop_t *loop;
    const struct hub_settings *settings;
    struct log_repeats *log;           /* what peers bring about */
    const char *web_root, *web_shared; /* files of the pages while somebody works on them */
    struct job_queue *store;           /* API */
    /* As web.h's `plain`, at the public address. */
    int (*plain)(void *ctx, const char *path, struct buf *text);
    void *ctx;
};
struct screens;
struct screens *screens_new(const struct screens_config *config); /* NULL: no memory */
void screens_free(struct screens *s);          /* after vhosts and loop ended; accepts NULL */
struct web *screens_socket(struct screens *s); /* for DIR/api.sock */
struct web *screens_public(struct screens *s); /* for the address that anybody reaches */
/* A call came back from the store. */
void screens_answer(struct screens *s, struct job *job);
/* Members, connections or figures changed: whoever looks is told, soon and not too often. */
void screens_changed(struct screens *s);
void screens_stop(struct screens *s); /* slow work comes back no more; accepts NULL */

#endif
