/* Owns hub.key: the hub's two key pairs on disk, mode 0600.
 * Form: three lines, a title and two seeds in hex, so that it can be copied and checked by eye. */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TITLE "plek hub key 1\n"
#define TITLE_LEN (sizeof TITLE - 1)
#define SEED_HEX (2 * SEED_LEN)
#define FILE_LEN (TITLE_LEN + 2 * (SEED_HEX + 1))

static void make_pairs(struct keyfile *k) {
    sign_pair_from_seed(&k->sign, k->sign_seed);
    box_pair_from_seed(&k->box, k->box_seed);
}

void keyfile_make(struct keyfile *ret, const struct entropy *entropy) {
    entropy_fill(entropy, ret->sign_seed, SEED_LEN);
    entropy_fill(entropy, ret->box_seed, SEED_LEN);
    make_pairs(ret);
}

void keyfile_wipe(struct keyfile *k) {
    sodium_memzero(k, sizeof *k);
}

static enum err write_all(int fd, const char *path, const char *text, struct error *e) {
    bool written = write(fd, text, FILE_LEN) == (ssize_t)FILE_LEN;
    if (written && fsync(fd) == 0)
        return ERR_OK;
    enum err code = errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO;
    return error_at(e, code, path, 0, 0, "cannot be written: %s", strerror(errno));
}

enum err keyfile_write(const char *path, const struct keyfile *k, struct error *e) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_at(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_CANNOT_CREATE, path, 0, 0,
                        "cannot be created: %s", strerror(errno));
    char text[FILE_LEN + 1];
    memcpy(text, TITLE, TITLE_LEN);
    hex_encode(text + TITLE_LEN, bytes_of(k->sign_seed, SEED_LEN));
    text[TITLE_LEN + SEED_HEX] = '\n';
    hex_encode(text + TITLE_LEN + SEED_HEX + 1, bytes_of(k->box_seed, SEED_LEN));
    text[FILE_LEN - 1] = '\n';
    enum err err = write_all(fd, path, text, e);
    sodium_memzero(text, sizeof text);
    close(fd);
    if (err != ERR_OK)
        unlink(path);
    return err;
}

static enum err check_mode(int fd, const char *path, struct error *e) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_at(e, ERR_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    if ((info.st_mode & 077) != 0)
        return error_at(e, ERR_PERMISSION, path, 0, 0,
                        "found mode %04o, expected 0600: others could read the hub's key; run "
                        "`chmod 600` on it",
                        (unsigned)(info.st_mode & 07777));
    return ERR_OK;
}

static bool read_seed(char *text, size_t at, uint8_t ret[static SEED_LEN]) {
    if (text[at + SEED_HEX] != '\n')
        return false;
    text[at + SEED_HEX] = '\0';
    return hex_decode(ret, SEED_LEN, text + at, NULL) == ERR_OK;
}

static enum err read_text(int fd, const char *path, struct keyfile *ret, struct error *e) {
    char text[FILE_LEN + 2];
    ssize_t n = read(fd, text, sizeof text - 1);
    struct keyfile k;
    bool good = n == (ssize_t)FILE_LEN && memcmp(text, TITLE, TITLE_LEN) == 0 &&
                read_seed(text, TITLE_LEN, k.sign_seed) &&
                read_seed(text, TITLE_LEN + SEED_HEX + 1, k.box_seed);
    if (good) {
        make_pairs(&k);
        *ret = k;
    }
    sodium_memzero(text, sizeof text);
    keyfile_wipe(&k);
    if (good)
        return ERR_OK;
    return error_at(e, ERR_DATA, path, 0, 0,
                    "found %zd bytes that are not a hub key, expected three lines: a title and two "
                    "seeds in hex; restore it from a backup",
                    n);
}

enum err keyfile_read(const char *path, struct keyfile *ret, struct error *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_at(e, errno == EACCES ? ERR_PERMISSION : ERR_NO_INPUT, path, 0, 0,
                        "cannot be opened: %s", strerror(errno));
    enum err err = check_mode(fd, path, e);
    if (err == ERR_OK)
        err = read_text(fd, path, ret, e);
    close(fd);
    return err;
}
