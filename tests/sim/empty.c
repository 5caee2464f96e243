/* Owns the empty stores of the simulator's new agents: made once, then copied. Linked (--wrap) into
 * the simulator alone. Must not know any table. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/db.h"

#define MEMO_STORES 2
#define MEMO_STORE_MAX (4 * 1024 * 1024)

enum err __real_db_open(const char *path, const char *vfs, const struct db_schema *schema,
                        const struct db_statement *statements, int count, struct db **ret,
                        struct error *e);
enum err __wrap_db_open(const char *path, const char *vfs, const struct db_schema *schema,
                        const struct db_statement *statements, int count, struct db **ret,
                        struct error *e);

struct empty_store {
    uint32_t application_id;
    uint8_t *bytes;
    size_t len;
};

static struct empty_store *empty_store(uint32_t application_id) {
    static struct empty_store stores[MEMO_STORES];
    for (int i = 0; i < MEMO_STORES; i++) {
        if (stores[i].bytes == NULL)
            stores[i].application_id = application_id;
        if (stores[i].application_id == application_id)
            return &stores[i];
    }
    return NULL;
}

/* After its database was made and closed, so that nothing stands in a log. */
static void keep_store(struct empty_store *s, const char *path) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size > MEMO_STORE_MAX ||
        (s->bytes = malloc((size_t)info.st_size)) == NULL ||
        read(fd, s->bytes, (size_t)info.st_size) != info.st_size)
        abort();
    s->len = (size_t)info.st_size;
    close(fd);
}

static void put_store(const struct empty_store *s, const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, s->bytes, s->len) != (ssize_t)s->len)
        abort();
    close(fd);
}

/* A store that is not there yet, on the real disk: init makes it before the simulated one begins.
 */
enum err __wrap_db_open(const char *path, const char *vfs, const struct db_schema *schema,
                        const struct db_statement *statements, int count, struct db **ret,
                        struct error *e) {
    bool fresh = vfs == NULL && access(path, F_OK) != 0;
    struct empty_store *s = fresh ? empty_store(schema->application_id) : NULL;
    if (s != NULL && s->bytes == NULL) {
        enum err err = __real_db_open(path, vfs, schema, statements, count, ret, e);
        if (err != ERR_OK)
            return err;
        db_close(*ret);
        keep_store(s, path);
    } else if (s != NULL) {
        put_store(s, path);
    }
    return __real_db_open(path, vfs, schema, statements, count, ret, e);
}
