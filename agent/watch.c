/* Owns the watched folder on the loop (see watch.h): when to look, and one import at a time in
 * slices, so that the rest of the daemon goes on. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "failpoint.h"
#include "import_session.h"
#include "log.h"
#include "profile.h"
#include "sheet_text.h"
#include "watch_folder.h"

#define REASON_TEXT_MAX 1024

struct watch {
    struct watch_config config;
    struct folder folder;
    uv_fs_event_t event;
    uv_timer_t timer;
    uv_idle_t slice; /* runs while an import is under way */
    struct folder_file current;
    struct import *import; /* NULL: none */
    int fd;
    uint8_t piece[IMPORT_PIECE_MAX];
};

static void look(struct watch *w);

static void on_timer(uv_timer_t *timer) {
    look(timer->data);
}

static void look_in(struct watch *w, int64_t ms) {
    uv_timer_start(&w->timer, on_timer, (uint64_t)ms, 0);
}

static void log_fault(const char *event, const char *name, const struct error *e) {
    char file[2 * FOLDER_NAME_MAX], line[ERROR_DETAIL_MAX + ERROR_FILE_MAX], quoted[1024];
    log_event(LOG_WARN, event, "file=%s error=%s detail=%s", log_quote(name, file, sizeof file),
              error_name(e->code),
              log_quote(error_format(e, line, sizeof line), quoted, sizeof quoted));
}

/* ---- the end of one file ---- */

/* What another look at the same bytes would find again; else the machine is at fault, not they. */
static bool is_the_files(enum err code) {
    int status = error_exit_status(code);
    return status == EX_DATAERR || status == EX_USAGE || status == EX_NOINPUT ||
           status == EX_NOPERM;
}

static void leave_stuck(struct watch *w, const struct error *e) {
    for (size_t i = 0; i < w->folder.count; i++) {
        if (strcmp(w->folder.files[i].name, w->current.name) == 0)
            w->folder.files[i].stuck = true;
    }
    log_fault("watch-stuck", w->current.name, e);
}

static void move(struct watch *w, const char *to, const char *reason) {
    struct error e = {0};
    if (folder_move(&w->folder, w->current.name, to, reason, clock_wall_ms(), &e) != ERR_OK)
        leave_stuck(w, &e);
}

static void fail(struct watch *w, const struct error *e) {
    char line[ERROR_DETAIL_MAX + ERROR_FILE_MAX + 32], reason[REASON_TEXT_MAX];
    if (!is_the_files(e->code)) {
        log_fault("watch-waits", w->current.name, e);
        look_in(w, WATCH_POLL_MS);
        return;
    }
    snprintf(reason, sizeof reason,
             "%s\n\nNothing of this file was taken. Correct it and put it into the folder %s "
             "again.\n",
             error_format(e, line, sizeof line), WATCH_DIR);
    log_fault("watch-failed", w->current.name, e);
    move(w, w->folder.failed, reason);
    look_in(w, 0);
}

static int64_t count_of(const json_t *report, const char *key) {
    return json_integer_value(json_object_get(report, key));
}

static void succeed(struct watch *w, const json_t *report) {
    char file[2 * FOLDER_NAME_MAX];
    log_event(LOG_INFO, "watch-imported",
              "file=%s rows=%" PRId64 " new=%" PRId64 " changed=%" PRId64 " unchanged=%" PRId64
              " older=%" PRId64 " removed=%" PRId64,
              log_quote(w->current.name, file, sizeof file), count_of(report, "rows_used"),
              count_of(report, "new"), count_of(report, "changed"), count_of(report, "unchanged"),
              count_of(report, "older"), count_of(report, "removed"));
    failpoint("watch-imported");
    move(w, w->folder.done, NULL);
    w->config.changed(w->config.ctx);
    look_in(w, 0);
}

static void end_import(struct watch *w) {
    uv_idle_stop(&w->slice);
    import_close(w->import);
    w->import = NULL;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

/* ---- one import ---- */

/* Somebody went on writing: it settles again first. */
static void finish(struct watch *w) {
    struct error e = {0};
    json_t *report = NULL;
    if (!folder_same(&w->folder, &w->current)) {
        end_import(w);
        look_in(w, WATCH_SETTLE_MS);
        return;
    }
    enum err code = import_finish(w->import, &report, &e);
    end_import(w);
    if (code == ERR_OK)
        succeed(w, report);
    else
        fail(w, &e);
    json_decref(report);
}

static void on_slice(uv_idle_t *idle) {
    struct watch *w = idle->data;
    struct error e = {0};
    ssize_t n = read(w->fd, w->piece, sizeof w->piece);
    if (n < 0 && errno == EINTR)
        return;
    if (n == 0) {
        finish(w);
        return;
    }
    enum err code = n < 0 ? files_fail(errno, w->current.name, ERR_IO, "cannot be read", &e)
                          : import_feed(w->import, bytes_of(w->piece, (size_t)n), &e);
    if (code == ERR_OK)
        return;
    end_import(w);
    fail(w, &e);
}

static enum err read_profile(struct watch *w, const char *name, struct buf *out, struct error *e) {
    char path[FILES_PATH_MAX];
    enum err code = files_path(w->folder.path, name, path, e);
    code = code != ERR_OK ? code : files_read(path, out, e);
    return code != ERR_OK ? code : sheet_check_text(buf_bytes(out), name, e);
}

static enum err open_table(struct watch *w, struct error *e) {
    char path[FILES_PATH_MAX];
    enum err code = files_path(w->folder.path, w->current.name, path, e);
    if (code != ERR_OK)
        return code;
    w->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return w->fd >= 0 ? ERR_OK : files_fail(errno, w->current.name, ERR_IO, "cannot be read", e);
}

/* Rows without a date were counted when the file was written, not when we came to read it. */
static enum err open_import(struct watch *w, struct error *e) {
    char profile[FOLDER_NAME_MAX + 1];
    struct buf text;
    int64_t now_ms = clock_wall_ms();
    buf_init(&text, PROFILE_MAX_BYTES);
    enum err code = folder_profile(&w->folder, w->current.name, profile, e);
    if (code == ERR_OK)
        code = read_profile(w, profile, &text, e);
    if (code == ERR_OK)
        code = open_table(w, e);
    if (code == ERR_OK) {
        const struct import_request request = {
            .file = w->current.name,
            .profile = buf_bytes(&text),
            .profile_file = profile,
            .counted_ms = w->current.mtime_ms < now_ms ? w->current.mtime_ms : now_ms,
            .actor = WATCH_DIR,
        };
        code = import_open(w->config.agent, &request, now_ms, &w->import, e);
    }
    buf_done(&text);
    return code;
}

static void begin(struct watch *w, const struct folder_file *file) {
    struct error e = {0};
    w->current = *file;
    if (open_import(w, &e) == ERR_OK) {
        uv_idle_start(&w->slice, on_slice);
        return;
    }
    end_import(w);
    fail(w, &e);
}

/* ---- looking ---- */

static void look(struct watch *w) {
    struct error e = {0};
    int64_t now_ms = clock_monotonic_ms();
    if (w->import)
        return;
    if (folder_look(&w->folder, now_ms, &e) != ERR_OK) {
        log_fault("watch-unreadable", WATCH_DIR, &e);
        look_in(w, WATCH_POLL_MS);
        return;
    }
    struct folder_file *file = folder_ready(&w->folder, now_ms, WATCH_SETTLE_MS);
    look_in(w, folder_unsettled(&w->folder) ? WATCH_SETTLE_MS : WATCH_POLL_MS);
    if (file)
        begin(w, file);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status) {
    (void)name;
    (void)events;
    (void)status;
    struct watch *w = handle->data;
    if (!w->import && uv_timer_get_due_in(&w->timer) > WATCH_SETTLE_MS)
        look_in(w, 0);
}

enum err watch_open(const struct watch_config *config, struct watch **ret, struct error *e) {
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return error_set(e, ERR_NO_MEMORY, "no memory for the watched folder");
    w->config = *config;
    w->fd = -1;
    enum err code = folder_open(&w->folder, config->dir, e);
    if (code != ERR_OK) {
        free(w);
        return code;
    }
    uv_fs_event_init(config->loop, &w->event);
    uv_timer_init(config->loop, &w->timer);
    uv_idle_init(config->loop, &w->slice);
    w->event.data = w->timer.data = w->slice.data = w;
    int rc = uv_fs_event_start(&w->event, on_event, w->folder.path, 0);
    if (rc != 0) /* the timer looks, only later */
        log_event(LOG_WARN, "watch-polls", "error=%s", uv_err_name(rc));
    look_in(w, 0);
    *ret = w;
    return ERR_OK;
}

void watch_close(struct watch *w) {
    if (!w)
        return;
    end_import(w);
    uv_close((uv_handle_t *)&w->event, NULL);
    uv_close((uv_handle_t *)&w->timer, NULL);
    uv_close((uv_handle_t *)&w->slice, NULL);
}

void watch_free(struct watch *w) {
    free(w);
}
