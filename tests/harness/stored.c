/* Owns looking into what programs left on disk (see stored.h). */
#include "stored.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (64 * 1024)

/* Calls visit for each plain file. */
static void each_file(const char *dir, void (*visit)(const char *path, const char *name, void *ctx),
                      void *ctx) {
    char path[PATH_MAX];
    struct dirent *item;
    struct stat info;
    DIR *list = opendir(dir);
    cr_assert(list, "cannot read %s: %s", dir, strerror(errno));
    while ((item = readdir(list)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", dir, item->d_name);
        if (lstat(path, &info) == 0 && S_ISREG(info.st_mode))
            visit(path, item->d_name, ctx);
    }
    closedir(list);
}

/* ---- copies ---- */

static void copy_file(const char *path, const char *name, void *ctx) {
    char to[PATH_MAX], piece[PIECE];
    size_t n;
    snprintf(to, sizeof to, "%s/%s", (const char *)ctx, name);
    FILE *in = fopen(path, "re"), *out = fopen(to, "we");
    cr_assert(in && out, "cannot copy %s to %s: %s", path, to, strerror(errno));
    while ((n = fread(piece, 1, sizeof piece, in)) > 0)
        cr_assert_eq(fwrite(piece, 1, n, out), n, "cannot write %s", to);
    fclose(in);
    cr_assert_eq(fclose(out), 0, "cannot write %s", to);
    chmod(to, 0600); /* keys that others could read are refused */
}

void stored_copy(const char *from, const char *to) {
    cr_assert_eq(mkdir(to, 0700), 0, "cannot make %s: %s", to, strerror(errno));
    each_file(from, copy_file, (void *)(uintptr_t)to);
}

/* ---- bytes ---- */

struct search {
    const void *text;
    size_t len;
    bool found;
};

static void search_file(const char *path, const char *name, void *ctx) {
    struct search *s = ctx;
    size_t len = s->len, held = 0, n;
    char piece[PIECE];
    FILE *in = fopen(path, "re");
    cr_assert(in, "cannot read %s: %s", name, strerror(errno));
    while (!s->found && (n = fread(piece + held, 1, sizeof piece - held, in)) > 0) {
        held += n;
        s->found = memmem(piece, held, s->text, len) != NULL;
        size_t kept = held < len - 1 ? held : len - 1; /* it may go on in the next piece */
        memmove(piece, piece + held - kept, kept);
        held = kept;
    }
    fclose(in);
}

bool stored_holds(const char *dir, const void *data, size_t len) {
    struct search s = {.text = data, .len = len};
    each_file(dir, search_file, &s);
    return s.found;
}

bool stored_contains(struct lab *lab, const char *dir, const char *text) {
    (void)lab;
    return stored_holds(dir, text, strlen(text));
}

/* ---- databases ---- */

sqlite3 *stored_open(struct lab *lab, const char *dir, const char *file) {
    sqlite3 *db = NULL;
    const char *path = lab_text(lab, "%s/%s", dir, file);
    cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK, "%s: %s", path,
                 sqlite3_errmsg(db));
    return db;
}

void stored_close(sqlite3 *db) {
    cr_assert_eq(sqlite3_close(db), SQLITE_OK, "%s", sqlite3_errmsg(db));
}

int stored_change(struct lab *lab, const char *dir, const char *file, const char *sql) {
    sqlite3 *db = stored_open(lab, dir, file);
    char *why = NULL;
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s: %s", sql, why);
    int changes = sqlite3_changes(db);
    stored_close(db);
    return changes;
}
