/* Owns the watched folder: tables put into DIR/watch are imported and moved to watch/done, or to
 * watch/failed with the reason beside them. Must not know what a table means: import.h does.
 * Source: docs/formats.md, "The watched folder". */
#ifndef PLEK_AGENT_WATCH_H
#define PLEK_AGENT_WATCH_H

#include <uv.h>

#include "agent.h"

#define WATCH_DIR "watch"
#define WATCH_DONE "done"
#define WATCH_FAILED "failed"
#define WATCH_SETTLE_MS 1000 /* a file is taken when it has not changed for so long */
#define WATCH_POLL_MS 30000  /* where the system tells nothing: network drives */

struct watch_config {
    struct agent *agent;
    uv_loop_t *loop;
    const char *dir;            /* DIR; borrowed */
    void (*changed)(void *ctx); /* after an import */
    void *ctx;
};
struct watch; /* opaque */

/* Makes the folders where they are missing (mode 0700), and looks at once. ERR_CANNOT_CREATE,
 * ERR_PERMISSION, ERR_TOO_LARGE (path), ERR_NO_MEMORY. */
enum err watch_open(const struct watch_config *config, struct watch **ret, struct error *e)
    MUST_USE;
/* Begins to close its handles: the loop has to run before watch_free. Both accept NULL. */
void watch_close(struct watch *w);
void watch_free(struct watch *w);

#endif
