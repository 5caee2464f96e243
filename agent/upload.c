/* Owns bringing a file to an import (see upload.h). */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "import_session.h"

#define TELL_MS 500 /* between two lines of progress */
#define BASE64_MAX ((size_t)(IMPORT_PIECE_MAX + 2) / 3 * 4 + 1)

struct sending {
    struct client *client;
    const struct upload *upload;
    int fd;
    char path[80]; /* "/v1/imports/ID" */
    uint64_t size; /* of the file; 0: not known */
    uint64_t sent;
    size_t rows;
    int64_t told_ms; /* monotonic; 0: nothing told yet */
    uint8_t piece[IMPORT_PIECE_MAX];
    char text[BASE64_MAX];
};

static enum err open_file(struct sending *s, struct error *e) {
    struct stat info;
    s->fd = open(s->upload->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return files_fail(errno, s->upload->path, ERR_IO, "cannot be read", e);
    if (fstat(s->fd, &info) != 0)
        return files_fail(errno, s->upload->path, ERR_IO, "cannot be read", e);
    if (S_ISDIR(info.st_mode))
        return error_at(e, ERR_NO_INPUT, s->upload->path, 0, 0, "is a directory, expected a file");
    s->size = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    return ERR_OK;
}

/* On a terminal one line that changes; elsewhere a line each time. */
static void tell(struct sending *s, bool last) {
    int64_t now_ms = clock_monotonic_ms();
    if (!s->upload->progress || (!last && s->told_ms != 0 && now_ms - s->told_ms < TELL_MS))
        return;
    s->told_ms = now_ms;
    bool terminal = isatty(STDERR_FILENO);
    fprintf(stderr, "%simport: %" PRIu64 " KiB", terminal ? "\r" : "", s->sent / 1024);
    if (s->size > 0)
        fprintf(stderr, " of %" PRIu64 " (%" PRIu64 " %%)", s->size / 1024,
                s->sent >= s->size ? 100 : 100 * s->sent / s->size);
    fprintf(stderr, ", %zu rows%s", s->rows, terminal && !last ? "  " : "\n");
    fflush(stderr);
}

static enum err begin(struct sending *s, struct error *e) {
    json_t *answer = NULL;
    enum err code =
        client_call(s->client, API_POST, "/v1/imports", NULL, s->upload->body, &answer, e);
    const char *id = json_string_value(json_object_get(answer, "id"));
    if (code == ERR_OK && !id)
        code = error_set(e, ERR_INTERNAL, "the agent began no import");
    if (code == ERR_OK)
        snprintf(s->path, sizeof s->path, "/v1/imports/%.40s", id);
    json_decref(answer);
    return code;
}

static enum err send_piece(struct sending *s, size_t len, struct error *e) {
    json_t *answer = NULL;
    sodium_bin2base64(s->text, sizeof s->text, s->piece, len, sodium_base64_VARIANT_ORIGINAL);
    json_t *body = json_pack("{s:I, s:s}", "offset", (json_int_t)s->sent, "data", s->text);
    if (!body)
        return error_set(e, ERR_NO_MEMORY, "no memory for a piece of %.100s", s->upload->path);
    enum err code = client_call(s->client, API_PUT, s->path, NULL, body, &answer, e);
    json_decref(body);
    if (code == ERR_OK) {
        s->sent += len;
        s->rows = (size_t)json_integer_value(json_object_get(answer, "rows_read"));
        tell(s, false);
    }
    json_decref(answer);
    return code;
}

/* A whole piece, unless the file ends in it. */
static enum err read_piece(struct sending *s, size_t *ret_len, struct error *e) {
    size_t len = 0;
    while (len < sizeof s->piece) {
        ssize_t n = read(s->fd, s->piece + len, sizeof s->piece - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return files_fail(errno, s->upload->path, ERR_IO, "cannot be read", e);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return ERR_OK;
}

static enum err send_all(struct sending *s, struct error *e) {
    size_t len = 0;
    for (;;) {
        enum err code = read_piece(s, &len, e);
        if (code != ERR_OK || len == 0)
            return code;
        code = send_piece(s, len, e);
        if (code != ERR_OK)
            return code;
    }
}

static enum err finish(struct sending *s, json_t **ret, struct error *e) {
    char path[sizeof s->path + 8];
    tell(s, true);
    snprintf(path, sizeof path, "%s/commit", s->path);
    return client_call(s->client, API_POST, path, NULL, NULL, ret, e);
}

/* Most faults have ended it already; then there is nothing to give up. */
static void give_up(struct sending *s) {
    json_t *answer = NULL;
    struct error ignored;
    (void)!client_call(s->client, API_DELETE, s->path, NULL, NULL, &answer, &ignored);
    json_decref(answer);
}

enum err upload_run(struct client *c, const struct upload *u, json_t **ret, struct error *e) {
    struct sending *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(e, ERR_NO_MEMORY, "no memory to read %.100s", u->path);
    s->client = c;
    s->upload = u;
    enum err code = open_file(s, e);
    if (code == ERR_OK)
        code = begin(s, e);
    if (code == ERR_OK) {
        code = send_all(s, e);
        if (code != ERR_OK) {
            if (s->told_ms != 0 && isatty(STDERR_FILENO))
                fputc('\n', stderr);
            give_up(s);
        }
    }
    if (code == ERR_OK)
        code = finish(s, ret, e);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    return code;
}
