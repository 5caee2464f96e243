/* Owns imports under way (see import_session.h). */
#include "import_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
    struct import *import; /* NULL: this place is free */
    json_t *keep;
    char id[IMPORT_SESSION_ID_SIZE];
    char actor[API_ACTOR_MAX];
    uint64_t offset;
    int64_t used_ms;
};
struct import_sessions {
    struct session list[IMPORT_SESSIONS_MAX];
};

static void end(struct session *s) {
    import_close(s->import);
    json_decref(s->keep);
    *s = (struct session){0};
}

void import_sessions_free(struct import_sessions *s) {
    for (size_t i = 0; s && i < IMPORT_SESSIONS_MAX; i++)
        end(&s->list[i]);
    free(s);
}

/* A clock that was set back makes nothing immortal. */
static bool idle_for(const struct session *s, int64_t ms, int64_t now_ms) {
    return now_ms - s->used_ms >= ms || s->used_ms - now_ms >= ms;
}

static struct session *free_place(struct import_sessions *s, int64_t idle_ms, int64_t now_ms) {
    struct session *free_one = NULL;
    for (size_t i = 0; i < IMPORT_SESSIONS_MAX; i++) {
        if (s->list[i].import && idle_for(&s->list[i], idle_ms, now_ms))
            end(&s->list[i]);
        if (!s->list[i].import)
            free_one = &s->list[i];
    }
    return free_one;
}

/* Clients that were interrupted do not say so: theirs go when others need the room. */
static struct session *take_place(struct import_sessions *s, int64_t now_ms) {
    struct session *found = free_place(s, IMPORT_SESSION_IDLE_MS, now_ms);
    return found ? found : free_place(s, IMPORT_SESSION_STALE_MS, now_ms);
}

enum err import_session_begin(struct agent *a, const struct import_request *request, json_t *keep,
                              int64_t now_ms, char ret_id[static IMPORT_SESSION_ID_SIZE],
                              struct error *e) {
    struct import_sessions **all = agent_import_sessions(a);
    uint8_t id[(IMPORT_SESSION_ID_SIZE - 1) / 2];
    if (!*all)
        *all = calloc(1, sizeof **all);
    if (!*all)
        return error_set(e, ERR_NO_MEMORY, "no memory for an import");
    struct session *s = take_place(*all, now_ms);
    if (!s)
        return error_set(e, ERR_BUSY, "%d imports are under way already: wait until one has ended",
                         IMPORT_SESSIONS_MAX);
    struct import_request own = *request;
    snprintf(s->actor, sizeof s->actor, "%s", request->actor ? request->actor : "");
    own.actor = s->actor;
    enum err code = import_open(a, &own, now_ms, &s->import, e);
    if (code != ERR_OK) {
        end(s);
        return code;
    }
    entropy_fill(agent_entropy(a), id, sizeof id);
    hex_encode(s->id, bytes_of(id, sizeof id));
    s->keep = json_incref(keep);
    s->used_ms = now_ms;
    memcpy(ret_id, s->id, sizeof s->id);
    return ERR_OK;
}

static enum err find(struct agent *a, const char *id, const char *actor, struct session **ret,
                     struct error *e) {
    struct import_sessions *all = *agent_import_sessions(a);
    for (size_t i = 0; all && i < IMPORT_SESSIONS_MAX; i++) {
        struct session *s = &all->list[i];
        if (s->import && strcmp(s->id, id) == 0 && strcmp(s->actor, actor ? actor : "") == 0) {
            *ret = s;
            return ERR_OK;
        }
    }
    return error_set(
        e, ERR_NOT_FOUND,
        "there is no such import under way: it ended, or nothing came for too long; begin "
        "again");
}

enum err import_session_piece(struct agent *a, const char *id, const char *actor, uint64_t offset,
                              struct bytes piece, int64_t now_ms, struct import_progress *ret,
                              struct error *e) {
    struct session *s = NULL;
    enum err code = find(a, id, actor, &s, e);
    if (code != ERR_OK)
        return code;
    if (offset != s->offset)
        return error_at(e, ERR_CONFLICT, "offset", 0, 0,
                        "found a piece at byte %llu, expected the one at byte %llu",
                        (unsigned long long)offset, (unsigned long long)s->offset);
    code = import_feed(s->import, piece, e);
    if (code != ERR_OK) {
        end(s);
        return code;
    }
    s->offset += piece.len;
    s->used_ms = now_ms;
    *ret = (struct import_progress){s->offset, import_rows_read(s->import)};
    return ERR_OK;
}

enum err import_session_commit(struct agent *a, const char *id, const char *actor,
                               json_t **ret_report, struct error *e) {
    struct session *s = NULL;
    enum err code = find(a, id, actor, &s, e);
    if (code != ERR_OK)
        return code;
    code = import_finish(s->import, ret_report, e);
    end(s);
    return code;
}

enum err import_session_drop(struct agent *a, const char *id, const char *actor, struct error *e) {
    struct session *s = NULL;
    enum err code = find(a, id, actor, &s, e);
    if (code == ERR_OK)
        end(s);
    return code;
}
