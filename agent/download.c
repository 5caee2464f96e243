/* Owns bringing a table from an export (see download.h). Must not know what it says. */
#include "download.h"

#include <stdio.h>
#include <string.h>

#include "files.h"

/* Into the file, or onto standard output when there is none. */
static enum err put(struct files_new *file, struct bytes text, struct error *e) {
    if (file)
        return files_append(file, text, e);
    if (fwrite(text.data, 1, text.len, stdout) != text.len || fflush(stdout) != 0)
        return error_set(e, ERR_IO, "standard output cannot be written");
    return ERR_OK;
}

static enum err put_pages(struct client *c, const struct download *d, struct files_new *file,
                          struct error *e) {
    for (bool more = true; more;) {
        json_t *answer = NULL;
        enum err code = client_call(c, API_GET, "/v1/export", d->query, NULL, &answer, e);
        json_t *text = json_object_get(answer, "text"), *next = json_object_get(answer, "next");
        more = json_is_string(next);
        if (code == ERR_OK)
            code = put(file, bytes_of(json_string_value(text), json_string_length(text)), e);
        if (code == ERR_OK && more && json_object_set(d->query, "after", next) != 0)
            code = error_set(e, ERR_NO_MEMORY, "no memory for the export");
        json_decref(answer);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err download_run(struct client *c, const struct download *d, struct error *e) {
    char dir[FILES_PATH_MAX];
    struct files_new file = {.fd = -1};
    if (!d->path)
        return put_pages(c, d, NULL, e);
    enum err code = files_begin_at(d->path, dir, &file, e);
    if (code == ERR_OK)
        code = put_pages(c, d, &file, e);
    enum err ended = files_end(&file, code == ERR_OK, e);
    return code != ERR_OK ? code : ended;
}
