/* Owns making a new agent's directory: all of it or nothing.
 * Must not touch a directory that holds an agent. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_private.h"
#include "store.h"
#include "vault.h"

static const char *const made_files[] = {
    VAULT_AGENT,     VAULT_BOX_FIRST, VAULT_MEMBER,        VAULT_MEMBER_NEXT, AGENT_DB,
    AGENT_DB "-wal", AGENT_DB "-shm", AGENT_DB "-journal", AGENT_UNFINISHED,
};

static void remove_made(const char *dir) {
    for (size_t i = 0; i < sizeof made_files / sizeof made_files[0]; i++)
        files_remove(dir, made_files[i]);
}

static enum err check_free(const char *dir, struct error *e) {
    if (files_exist(dir, AGENT_UNFINISHED))
        return ERR_OK; /* an init was cut short: nothing in there was ever in use */
    for (size_t i = 0; i < sizeof made_files / sizeof made_files[0]; i++) {
        if (files_exist(dir, made_files[i]))
            return error_at(e, ERR_CANNOT_CREATE, dir, 0, 0,
                            "found %s: an agent lives here already; use another DIR",
                            made_files[i]);
    }
    return ERR_OK;
}

static enum err make_dir(const char *dir, bool *ret_made, struct error *e) {
    if (mkdir(dir, 0700) == 0) {
        *ret_made = true;
        return ERR_OK;
    }
    if (errno != EEXIST)
        return files_fail(errno, dir, ERR_CANNOT_CREATE, "cannot be created", e);
    struct stat info;
    if (stat(dir, &info) != 0 || !S_ISDIR(info.st_mode))
        return error_at(e, ERR_CANNOT_CREATE, dir, 0, 0, "is not a directory: use another DIR");
    *ret_made = false;
    return ERR_OK;
}

static enum err write_conf(const char *dir, bool *ret_made, struct error *e) {
    if (files_exist(dir, AGENT_CONF))
        return ERR_OK; /* prepared by the administrator */
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    settings_write_default(&text);
    enum err code = buf_failed(&text, e);
    if (code == ERR_OK)
        code = files_write(dir, AGENT_CONF, buf_bytes(&text), e);
    *ret_made = code == ERR_OK;
    buf_done(&text);
    return code;
}

static enum err make_db(const char *dir, struct error *e) {
    char path[FILES_PATH_MAX];
    struct db *db = NULL;
    enum err code = files_path(dir, AGENT_DB, path, e);
    if (code == ERR_OK)
        code = agent_store_open(path, NULL, &db, e);
    db_close(db);
    if (code == ERR_OK && chmod(path, 0600) != 0)
        code = files_fail(errno, path, ERR_IO, "cannot be made private", e);
    return code;
}

static enum err make_keys(const char *dir, const struct bytes *passphrase,
                          const struct entropy *entropy, int64_t now_ms, struct error *e) {
    return passphrase ? vault_create(dir, *passphrase, entropy, now_ms, e)
                      : vault_create_agent(dir, entropy, now_ms, e);
}

static enum err fill(const char *dir, const struct bytes *passphrase, const struct entropy *entropy,
                     int64_t now_ms, struct error *e) {
    bool conf = false;
    remove_made(dir);
    enum err code = files_write(dir, AGENT_UNFINISHED, bytes_str("init is at work\n"), e);
    if (code == ERR_OK && chmod(dir, 0700) != 0)
        code = files_fail(errno, dir, ERR_PERMISSION, "cannot be made private", e);
    if (code == ERR_OK)
        code = write_conf(dir, &conf, e);
    if (code == ERR_OK)
        code = make_db(dir, e);
    if (code == ERR_OK)
        code = make_keys(dir, passphrase, entropy, now_ms, e);
    if (code == ERR_OK)
        code = files_sync_dir(dir, e);
    if (code != ERR_OK) {
        remove_made(dir);
        if (conf)
            files_remove(dir, AGENT_CONF);
        return code;
    }
    files_remove(dir, AGENT_UNFINISHED);
    return files_sync_dir(dir, e);
}

/* passphrase NULL: no member key. */
static enum err make_agent(const char *dir, const struct bytes *passphrase,
                           const struct entropy *entropy, int64_t now_ms, struct error *e) {
    bool made = false;
    int lock = -1;
    enum err code = check_free(dir, e);
    if (code == ERR_OK)
        code = make_dir(dir, &made, e);
    if (code != ERR_OK)
        return code;
    bool had_lock = files_exist(dir, "lock");
    code = lock_acquire(dir, &lock, e);
    if (code == ERR_OK) {
        code = check_free(dir, e); /* another init may have been faster */
        bool ours = code == ERR_OK;
        if (ours)
            code = fill(dir, passphrase, entropy, now_ms, e);
        if (code != ERR_OK && ours && !had_lock)
            files_remove(dir, "lock");
        lock_release(lock);
    }
    if (code != ERR_OK && made)
        rmdir(dir); /* stays when something else is in there by now */
    return code;
}

enum err agent_init(const char *dir, struct bytes passphrase, const struct entropy *entropy,
                    int64_t now_ms, struct error *e) {
    return make_agent(dir, &passphrase, entropy, now_ms, e);
}

enum err agent_init_second(const char *dir, const struct entropy *entropy, int64_t now_ms,
                           struct error *e) {
    return make_agent(dir, NULL, entropy, now_ms, e);
}
