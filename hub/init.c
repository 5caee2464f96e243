/* Owns making a hub: a directory with configuration, keys, and a database that holds its first two
 * events. All or nothing, also when the machine stops half-way.
 *
 * Everything is written under names that end in .init and renamed at the end, hub.key last: it is
 * what makes the directory a hub's. A hub.key.init beside no hub.key shows an attempt that was cut
 * off, and that nothing of it was ever used. */
#include "hub_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db.h"
#include "zone.h"

#define INIT_PATH_MAX (PATH_MAX + 32)

struct place {
    const char *dir;
    bool made;     /* the directory is ours to remove */
    bool own_conf; /* hub.conf is: an administrator's stays */
    bool claimed;  /* hub.key.init is ours */
    bool own_lock; /* DIR/lock was not there before */
    int lock;      /* -1: not held */
};

static const char *path_of(const struct place *p, const char *name,
                           char out[static INIT_PATH_MAX]) {
    snprintf(out, INIT_PATH_MAX, "%s/%s", p->dir, name);
    return out;
}

static bool exists(const struct place *p, const char *name) {
    char path[INIT_PATH_MAX];
    return access(path_of(p, name, path), F_OK) == 0;
}

static void remove_file(const struct place *p, const char *name) {
    char path[INIT_PATH_MAX];
    unlink(path_of(p, name, path));
}

static enum err io_error(const char *path, const char *what, struct error *e) {
    bool full = errno == ENOSPC || errno == EDQUOT;
    return error_at(e, full ? ERR_DISK_FULL : ERR_CANNOT_CREATE, path, 0, 0, "%s: %s", what,
                    strerror(errno));
}

/* ---- before ---- */

static enum err check_charter(struct bytes json, struct error *e) {
    struct charter *charter = NULL;
    const struct zone *zone = NULL;
    enum err err = charter_parse(json, "charter", &charter, e);
    if (err != ERR_OK)
        return err;
    err = zone_find(charter->time_zone, &zone, e);
    charter_free(charter);
    return err;
}

static enum err check_name(const char *name, const struct keyfile *keys, struct error *e) {
    struct buf scratch;
    buf_init(&scratch, VIEW_MAX_BYTES);
    enum err err = event_genesis(name, &keys->box.pub, &scratch, e);
    buf_done(&scratch);
    return err;
}

/* Leftovers of an attempt that was cut off: its database was never used. */
static void clear_leftovers(const struct place *p, bool with_db) {
    static const char *const names[] = {"hub.db.init", "hub.db.init-wal", "hub.db.init-journal",
                                        "hub.conf.init"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove_file(p, names[i]);
    if (with_db)
        remove_file(p, "hub.db");
}

static enum err check_free(const struct place *p, struct error *e) {
    if (exists(p, KEYFILE_NAME))
        return error_set(e, ERR_CANNOT_CREATE,
                         "%s holds a hub already (" KEYFILE_NAME "); name another directory",
                         p->dir);
    if (exists(p, KEYFILE_NAME ".init"))
        return ERR_OK;
    if (exists(p, "hub.db"))
        return error_set(e, ERR_CANNOT_CREATE,
                         "%s holds a hub.db without its " KEYFILE_NAME "; restore that from a "
                         "backup, or name another directory",
                         p->dir);
    return ERR_OK;
}

static enum err enter(struct place *p, struct error *e) {
    if (strlen(p->dir) >= PATH_MAX - 32)
        return error_set(e, ERR_CANNOT_CREATE, "directory name of %zu bytes is too long",
                         strlen(p->dir));
    p->made = mkdir(p->dir, 0700) == 0;
    if (!p->made && errno != EEXIST)
        return io_error(p->dir, "the directory cannot be made", e);
    enum err err = check_free(p, e);
    if (err != ERR_OK)
        return err;
    p->own_lock = !exists(p, "lock");
    err = lock_acquire(p->dir, &p->lock, e);
    if (err == ERR_OK)
        err = check_free(p, e); /* another one may have finished meanwhile */
    if (err == ERR_OK && exists(p, KEYFILE_NAME ".init")) {
        clear_leftovers(p, true);
        remove_file(p, KEYFILE_NAME ".init");
    }
    return err;
}

/* ---- writing ---- */

static enum err sync_path(const char *path, struct error *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    enum err err = synced ? ERR_OK : io_error(path, "cannot be synced", e);
    if (fd >= 0)
        close(fd);
    return err;
}

static enum err write_conf(struct place *p, struct error *e) {
    char path[INIT_PATH_MAX];
    if (exists(p, SETTINGS_FILE))
        return ERR_OK;
    FILE *out = fopen(path_of(p, SETTINGS_FILE ".init", path), "wxe");
    if (out == NULL)
        return io_error(path, "cannot be created", e);
    p->own_conf = true;
    hub_settings_print(out);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    return failed ? io_error(path, "cannot be written", e) : sync_path(path, e);
}

static enum err append_first(struct hub *hub, uint32_t kind, const struct buf *payload,
                             int64_t now_ms, struct error *e) {
    struct hub_event event = {.kind = kind, .payload = buf_bytes(payload), .actor = "init"};
    return hub_append(hub, &event, now_ms, e);
}

static enum err write_feed(struct hub *hub, const char *name, struct bytes charter, int64_t now_ms,
                           struct error *e) {
    struct buf genesis, first;
    buf_init(&genesis, VIEW_MAX_BYTES);
    buf_init(&first, 2 * VIEW_MAX_BYTES);
    enum err err = event_genesis(name, &hub->keys.box.pub, &genesis, e);
    if (err == ERR_OK)
        err = event_charter(1, charter, &first, e);
    if (err == ERR_OK)
        err = hub_begin(hub, e);
    if (err == ERR_OK) {
        err = append_first(hub, ENTRY_HUB_GENESIS, &genesis, now_ms, e);
        if (err == ERR_OK)
            err = append_first(hub, ENTRY_HUB_CHARTER, &first, now_ms, e);
        enum err ended = hub_commit(hub, err == ERR_OK ? e : NULL);
        err = err == ERR_OK ? ended : err;
    }
    buf_done(&genesis);
    buf_done(&first);
    return err;
}

static enum err write_db(const struct place *p, const struct keyfile *keys, const char *name,
                         struct bytes charter, const struct entropy *entropy, int64_t now_ms,
                         struct error *e) {
    struct hub_settings settings = {.member_rate = 1};
    struct hub *hub = NULL;
    char path[INIT_PATH_MAX];
    enum err err =
        hub_start_empty(path_of(p, "hub.db.init", path), keys, &settings, entropy, now_ms, &hub, e);
    if (err != ERR_OK)
        return err;
    err = write_feed(hub, name, charter, now_ms, e);
    hub_close(hub); /* folds the log into the file */
    if (err == ERR_OK && exists(p, "hub.db.init-wal"))
        err = error_at(e, ERR_STORE, path, 0, 0, "its log could not be folded in; try again");
    return err == ERR_OK ? sync_path(path, e) : err;
}

static enum err move(const struct place *p, const char *from, const char *to, struct error *e) {
    char old[INIT_PATH_MAX], new[INIT_PATH_MAX];
    if (rename(path_of(p, from, old), path_of(p, to, new)) != 0)
        return io_error(new, "cannot be put in place", e);
    return ERR_OK;
}

static enum err put_in_place(const struct place *p, struct error *e) {
    enum err err = ERR_OK;
    if (p->own_conf)
        err = move(p, SETTINGS_FILE ".init", SETTINGS_FILE, e);
    if (err == ERR_OK)
        err = move(p, "hub.db.init", "hub.db", e);
    if (err == ERR_OK)
        err = sync_path(p->dir, e);
    if (err == ERR_OK)
        err = move(p, KEYFILE_NAME ".init", KEYFILE_NAME, e);
    return err == ERR_OK ? sync_path(p->dir, e) : err;
}

static void give_up(const struct place *p) {
    if (p->claimed) {
        clear_leftovers(p, true);
        if (p->own_conf)
            remove_file(p, SETTINGS_FILE);
        remove_file(p, KEYFILE_NAME);
        remove_file(p, KEYFILE_NAME ".init");
    }
    if (p->own_lock && p->lock >= 0)
        remove_file(p, "lock");
    if (p->made)
        rmdir(p->dir);
}

static enum err fill(struct place *p, const char *name, struct bytes charter,
                     const struct keyfile *keys, const struct entropy *entropy, int64_t now_ms,
                     struct error *e) {
    char path[INIT_PATH_MAX];
    enum err err = keyfile_write(path_of(p, KEYFILE_NAME ".init", path), keys, e);
    p->claimed = err == ERR_OK;
    if (err == ERR_OK)
        err = write_conf(p, e);
    if (err == ERR_OK)
        err = write_db(p, keys, name, charter, entropy, now_ms, e);
    return err == ERR_OK ? put_in_place(p, e) : err;
}

enum err hub_init(const char *dir, const char *name, struct bytes charter,
                  const struct entropy *entropy, int64_t now_ms, struct error *e) {
    struct place p = {.dir = dir, .lock = -1};
    struct keyfile keys;
    if (charter.len == 0)
        charter = bytes_str(charter_default_json());
    keyfile_make(&keys, entropy);
    enum err err = check_charter(charter, e);
    if (err == ERR_OK)
        err = check_name(name, &keys, e);
    if (err == ERR_OK)
        err = enter(&p, e);
    if (err == ERR_OK)
        err = fill(&p, name, charter, &keys, entropy, now_ms, e);
    if (err != ERR_OK)
        give_up(&p);
    keyfile_wipe(&keys);
    lock_release(p.lock);
    return err;
}
