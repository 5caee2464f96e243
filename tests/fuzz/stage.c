/* Implements what targets over a real store share (see stage.h). Nothing here has to survive a
 * power cut: syncs are nothing. Opening a database and preparing its statements takes longer than
 * most tries, so the one on the stage is opened once; linked with --wrap=db_open,--wrap=db_close.
 */
#include "stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db_private.h"
#include "unit/db/dump.h"

#define PATH_SIZE 4096
#define SEGMENT_MAX 80 /* bytes of a part of a path */

/* In place of libc's, for SQLite too. */
int fsync(int fd) {
    (void)fd;
    return 0;
}
int fdatasync(int fildes) {
    (void)fildes;
    return 0;
}

/* ---- the database ---- */

/* The connection to the database below `dir`: made at the first opening, kept when it is closed. */
static struct {
    const char *dir; /* borrowed; NULL: nothing is on the stage yet */
    struct db *db;
    sqlite3_int64 changes; /* of rows, when it was put back */
    bool lent;
} kept;

enum err __real_db_open(const char *path, const char *vfs, const struct db_schema *schema,
                        const struct db_statement *statements, int count, struct db **ret,
                        struct error *e);
enum err __wrap_db_open(const char *path, const char *vfs, const struct db_schema *schema,
                        const struct db_statement *statements, int count, struct db **ret,
                        struct error *e);
void __real_db_close(struct db *db);
void __wrap_db_close(struct db *db);

enum err __wrap_db_open(const char *path, const char *vfs, const struct db_schema *schema,
                        const struct db_statement *statements, int count, struct db **ret,
                        struct error *e) {
    if (kept.dir == NULL || strncmp(path, kept.dir, strlen(kept.dir)) != 0)
        return __real_db_open(path, vfs, schema, statements, count, ret, e);
    FUZZ_CHECK(!kept.lent);
    if (kept.db == NULL) {
        FUZZ_CHECK(__real_db_open(path, vfs, schema, statements, count, &kept.db, e) == ERR_OK);
        FUZZ_CHECK(db_prepare_all(kept.db, e) == ERR_OK);
    }
    FUZZ_CHECK(kept.db->table == statements);
    kept.lent = true;
    *ret = kept.db;
    return ERR_OK;
}

/* It goes to the next one that opens it as a new one would be. */
void __wrap_db_close(struct db *db) {
    if (db == NULL || db != kept.db) {
        __real_db_close(db);
        return;
    }
    FUZZ_CHECK(db->depth == 0 && db->saves == 0 && db->doom == ERR_OK);
    FUZZ_CHECK(sqlite3_get_autocommit(db->handle));
    for (int i = 0; i < db->count; i++)
        FUZZ_CHECK(!db->running[i]);
    kept.lent = false;
}

/* Before its file is written from outside: nothing of its own is in the log... */
static void empty_log(void) {
    FUZZ_CHECK(!kept.lent);
    if (kept.db != NULL)
        FUZZ_CHECK(sqlite3_wal_checkpoint_v2(kept.db->handle, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                             NULL, NULL) == SQLITE_OK);
}

/* ... and after it, nothing in memory. The schema is the same, so that statements stay. */
static void forget_pages(void) {
    if (kept.db != NULL)
        FUZZ_CHECK(sqlite3_file_control(kept.db->handle, "main", SQLITE_FCNTL_RESET_CACHE, NULL) ==
                   SQLITE_OK);
}

/* ---- files ---- */

static void file_path(const char *dir, const char *name, char out[static PATH_SIZE]) {
    FUZZ_CHECK((size_t)snprintf(out, PATH_SIZE, "%s/%s", dir, name) < PATH_SIZE);
}

static void save_file(struct stage *s, const char *name) {
    char path[PATH_SIZE];
    struct stat info;
    file_path(s->dir, name, path);
    FUZZ_CHECK(stat(path, &info) == 0);
    if (!S_ISREG(info.st_mode))
        return;
    FUZZ_CHECK(s->count < STAGE_FILES);
    struct stage_file *file = &s->files[s->count++];
    FILE *in = fopen(path, "rb");
    snprintf(file->name, sizeof file->name, "%s", name);
    file->len = (size_t)info.st_size;
    file->data = malloc(file->len + 1);
    FUZZ_CHECK(in != NULL && file->data != NULL);
    FUZZ_CHECK(fread(file->data, 1, file->len, in) == file->len);
    fclose(in);
}

void stage_begin(void) {
    if (access("/dev/shm", W_OK) == 0)
        FUZZ_CHECK(setenv("TMPDIR", "/dev/shm", 0) == 0);
}

void stage_save(struct stage *s, const char *dir) {
    DIR *d = opendir(dir);
    FUZZ_CHECK(d != NULL);
    s->dir = dir;
    for (const struct dirent *at; (at = readdir(d)) != NULL;)
        save_file(s, at->d_name);
    closedir(d);
    FUZZ_CHECK(s->count > 0);
    kept.dir = dir;
}

static bool is_saved(const struct stage *s, const char *name) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->files[i].name, name) == 0)
            return true;
    return false;
}

/* The log of the kept database is empty, and open. */
static bool is_log(const char *name) {
    size_t len = strlen(name);
    return kept.db != NULL && len > 4 && strcmp(name + len - 4, "-wal") == 0;
}

static void remove_others(const struct stage *s) {
    char path[PATH_SIZE];
    DIR *d = opendir(s->dir);
    FUZZ_CHECK(d != NULL);
    for (const struct dirent *at; (at = readdir(d)) != NULL;) {
        file_path(s->dir, at->d_name, path);
        if (!is_saved(s, at->d_name) && !is_log(at->d_name) && unlink(path) != 0)
            continue; /* a folder */
    }
    closedir(d);
}

static void write_file(const struct stage *s, const struct stage_file *file) {
    char path[PATH_SIZE];
    file_path(s->dir, file->name, path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(write(fd, file->data, file->len) == (ssize_t)file->len);
    FUZZ_CHECK(ftruncate(fd, (off_t)file->len) == 0);
    close(fd);
}

void stage_restore(const struct stage *s) {
    empty_log();
    remove_others(s);
    for (size_t i = 0; i < s->count; i++)
        write_file(s, &s->files[i]);
    forget_pages();
    kept.changes = kept.db != NULL ? sqlite3_total_changes64(kept.db->handle) : 0;
}

struct hash stage_dump(const char *but) {
    static struct dump dump;
    if (dump.count == 0)
        dump_open(&dump, kept.db->handle, but);
    return dump_hash(&dump);
}

bool stage_changed(void) {
    return sqlite3_total_changes64(kept.db->handle) != kept.changes;
}

/* ---- requests ---- */

/* "{..}" of the pattern becomes a piece of the input. */
static void fill_pattern(const char *pattern, struct fuzz_input *in, struct buf *path) {
    for (const char *at = pattern; *at != '\0' && *at != '?';) {
        if (*at != '{') {
            buf_append_u8(path, (uint8_t)*at++);
            continue;
        }
        size_t len = (size_t)fuzz_below(in, SEGMENT_MAX);
        for (; len > 0 && in->left > 0; len--) {
            uint8_t c = fuzz_byte(in);
            if (c != '/' && c != '\0')
                buf_append_u8(path, c);
        }
        at += strcspn(at, "}") + 1;
    }
}

/* "key=value&key=value" as a shell decodes it: UTF-8 or not there. */
static json_t *read_query(struct bytes text) {
    json_t *query = json_object();
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != '&')
            continue;
        char pair[1024];
        size_t len = i - start < sizeof pair ? i - start : sizeof pair - 1;
        memcpy(pair, text.data + start, len);
        pair[len] = '\0';
        char *equals = strchr(pair, '=');
        if (equals != NULL)
            *equals = '\0';
        json_object_set_new(query, pair, json_string(equals != NULL ? equals + 1 : ""));
        start = i + 1;
    }
    return query;
}

static void check_answer(enum err code, const json_t *answer) {
    struct error e = {0};
    FUZZ_CHECK(json_is_object(answer) || json_is_array(answer));
    char *text = json_dumps(answer, 0);
    FUZZ_CHECK(text != NULL && utf8_valid(bytes_str(text)));
    free(text);
    enum err said = api_error_from_json(answer, &e);
    FUZZ_CHECK(said == code);
    (void)fuzz_accepted(said, &e);
}

void stage_request(const struct stage_api *api, struct fuzz_input *in) {
    static const enum api_role roles[] = {API_ADMIN, API_ADMIN, API_EDITOR, API_VIEWER,
                                          API_STRANGER};
    struct buf path;
    struct error e = {0};
    json_t *body = NULL, *answer = NULL;
    buf_init(&path, API_PATH_MAX);
    const struct api_route *route = &api->routes[fuzz_below(in, api->count)];
    uint8_t how = fuzz_byte(in);
    struct api_request request = {.method = how < 0xf0 ? route->method : (enum api_method)(how % 4),
                                  .actor = "uid:1000",
                                  .role = roles[how % 5],
                                  .access = api->access,
                                  .now_ms = api->now_ms};
    fill_pattern(route->pattern, in, &path);
    request.path = buf_text(&path);
    request.query = read_query(fuzz_piece(in));
    if (json_parse(fuzz_piece(in), API_BODY_MAX, "request body", &body, &e) == ERR_OK)
        request.body = body;
    struct access_caller caller = {.local = how % 2 == 0, .address = "192.0.2.1"};
    request.caller = &caller;
    enum err code =
        access_dispatch(api->access, api->routes, api->count, api->domain, &request, &answer);
    if (!caller.work.wanted || caller.work.done)
        check_answer(code, answer);
    json_decref(answer);
    json_decref(body);
    json_decref(request.query);
    buf_done(&path);
}
