/* Owns imports under way: a table that comes in pieces over several requests, each bounded.
 * Must not know what a table means: import.h does. */
#ifndef PLEK_AGENT_IMPORT_SESSION_H
#define PLEK_AGENT_IMPORT_SESSION_H

#include "import.h"

#define IMPORT_SESSIONS_MAX 4
#define IMPORT_SESSION_IDLE_MS (10 * 60 * 1000)
#define IMPORT_SESSION_STALE_MS                                                                    \
    (30 * 1000)                       /* idle for so long it makes room when room is needed        \
                                       */
#define IMPORT_PIECE_MAX (256 * 1024) /* bytes of a table in one request */
#define IMPORT_SESSION_ID_SIZE 33     /* 32 hex digits and the NUL */

/* Begins one; `request` borrows from `keep`, which is referenced until the import ends. ERR_BUSY
 * while IMPORT_SESSIONS_MAX are under way; else as import_open. */
enum err import_session_begin(struct agent *a, const struct import_request *request, json_t *keep,
                              int64_t now_ms, char ret_id[static IMPORT_SESSION_ID_SIZE],
                              struct error *e) MUST_USE;
/* The piece at `offset`, which must be where the last one ended (ERR_CONFLICT, nothing changed). A
 * fault of the table ends the import. ERR_NOT_FOUND: none of this actor's has that id. */
struct import_progress {
    uint64_t offset;
    size_t rows_read;
};
enum err import_session_piece(struct agent *a, const char *id, const char *actor, uint64_t offset,
                              struct bytes piece, int64_t now_ms, struct import_progress *ret,
                              struct error *e) MUST_USE;
/* import_finish, and its end. */
enum err import_session_commit(struct agent *a, const char *id, const char *actor,
                               json_t **ret_report, struct error *e) MUST_USE;
enum err import_session_drop(struct agent *a, const char *id, const char *actor, struct error *e)
    MUST_USE;
void import_sessions_free(struct import_sessions *s); /* accepts NULL */

#endif
