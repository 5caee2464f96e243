/* Owns the model of a disk that loses what was not synced: one durable copy per file, the changes
 * since, and what a restart finds. Must not know SQLite, and takes no lock. */
#include "watch_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_SECTOR 512 /* bytes: what a disk writes at once */
#define DISK_SECTOR_LARGE 4096
#define DISK_COPY_BLOCK 65536

/* ---- content ---- */

bool disk_content_write(struct disk_content *c, size_t offset, const uint8_t *data, size_t len) {
    size_t end = offset + len;
    if (end > c->cap) {
        size_t cap = end > c->cap * 2 ? end : c->cap * 2;
        uint8_t *grown = realloc(c->data, cap);
        if (grown == NULL)
            return false;
        c->data = grown;
        c->cap = cap;
    }
    if (offset > c->len)
        memset(c->data + c->len, 0, offset - c->len);
    if (len > 0)
        memcpy(c->data + offset, data, len);
    if (end > c->len)
        c->len = end;
    return true;
}

void disk_content_truncate(struct disk_content *c, size_t len) {
    if (len < c->len)
        c->len = len;
}

static bool content_apply(struct disk_content *c, const struct disk_change *change) {
    if (!change->truncate)
        return disk_content_write(c, (size_t)change->offset, change->data, change->len);
    disk_content_truncate(c, (size_t)change->offset);
    return true;
}

/* Appends what the file holds now. */
static bool content_read(struct disk_content *c, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    static _Thread_local uint8_t block[DISK_COPY_BLOCK];
    ssize_t n;
    bool ok = true;
    while (ok && (n = read(fd, block, sizeof block)) != 0)
        ok = n > 0 && disk_content_write(c, c->len, block, (size_t)n);
    close(fd);
    return ok;
}

static bool content_save(const struct disk_content *c, const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    size_t done = 0;
    while (done < c->len) {
        ssize_t n = write(fd, c->data + done, c->len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return close(fd) == 0 && done == c->len;
}

/* ---- records ---- */

static void record_drop_changes(struct disk_record *r) {
    while (r->first != NULL) {
        struct disk_change *next = r->first->next;
        free(r->first);
        r->first = next;
    }
    r->end = &r->first;
}

static void record_free(struct disk_record *r) {
    record_drop_changes(r);
    free(r->durable.data);
    free(r->live.data);
    free(r->path);
    free(r);
}

struct disk_record *disk_find(struct disk *d, const char *path) {
    struct disk_record *r = d->records;
    while (r != NULL && strcmp(r->path, path) != 0)
        r = r->next;
    return r;
}

static struct disk_record *record_new(const char *path, bool exists) {
    struct disk_record *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->end = &r->first;
    r->path = strdup(path);
    r->on_disk = r->live_named = exists;
    if (r->path == NULL) {
        record_free(r);
        return NULL;
    }
    return r;
}

/* A file seen for the first time is taken to be durable as it is. */
struct disk_record *disk_add(struct disk *d, const char *path, bool exists) {
    struct disk_record *r = record_new(path, exists);
    if (r != NULL && !content_read(&r->durable, path)) {
        record_free(r);
        return NULL;
    }
    if (r == NULL)
        return NULL;
    r->next = d->records;
    d->records = r;
    return r;
}

bool disk_record_change(struct disk_record *r, uint64_t number, bool truncate, int64_t offset,
                        const void *data, size_t len) {
    struct disk_change *change = calloc(1, sizeof *change + len);
    if (change == NULL)
        return false;
    change->number = number;
    change->truncate = truncate;
    change->offset = offset;
    change->len = len;
    if (len > 0)
        memcpy(change->data, data, len);
    *r->end = change;
    r->end = &change->next;
    return true;
}

static bool record_in(const struct disk_record *r, const char *dir, size_t dir_len) {
    return strncmp(r->path, dir, dir_len) == 0 && r->path[dir_len] == '/' &&
           strchr(r->path + dir_len + 1, '/') == NULL;
}

/* What a sync of the directory that holds `path` makes durable. */
static void disk_sync_directory(struct disk *d, const char *path) {
    const char *slash = strrchr(path, '/');
    size_t dir_len = slash == NULL ? 0 : (size_t)(slash - path);
    for (struct disk_record *r = d->records; r != NULL; r = r->next) {
        if (record_in(r, path, dir_len) && !r->live_named)
            r->on_disk = false;
    }
}

bool disk_record_sync(struct disk *d, struct disk_record *r) {
    bool created = r->fresh;
    if (created)
        r->durable.len = 0;
    for (const struct disk_change *c = r->first; c != NULL; c = c->next) {
        if (!c->lost && !content_apply(&r->durable, c))
            return false;
    }
    record_drop_changes(r);
    r->on_disk = true;
    r->fresh = false;
    if (created)
        disk_sync_directory(d, r->path);
    return true;
}

void disk_record_lose(struct disk_record *r) {
    for (struct disk_change *c = r->first; c != NULL; c = c->next)
        c->lost = true;
}

void disk_record_deleted(struct disk *d, struct disk_record *r, bool durable) {
    record_drop_changes(r);
    r->live_named = false;
    if (durable)
        disk_sync_directory(d, r->path);
}

void disk_done(struct disk *d) {
    while (d->records != NULL) {
        struct disk_record *next = d->records->next;
        record_free(d->records);
        d->records = next;
    }
}

bool disk_record_durable(const struct disk_record *r, uint64_t moment) {
    const struct disk_change *c = r->first;
    while (c != NULL && (c->truncate || c->number > moment))
        c = c->next;
    return c == NULL;
}

/* ---- power cut ---- */

/* Chance, the same for the same seed (splitmix64). */
struct disk_chance {
    uint64_t seed, state;
    struct disk_tally *tally;
};

static uint64_t chance_draw(struct disk_chance *chance) {
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool chance_toss(struct disk_chance *chance) {
    if (chance->seed == DISK_DROP_ALL || chance->seed == DISK_KEEP_ALL)
        return chance->seed == DISK_KEEP_ALL;
    return (chance_draw(chance) & 1) != 0;
}

/* Of each sector what was there, what was written, or neither. The bytes outside the write are not
 * touched: SQLite is told so (SQLITE_IOCAP_POWERSAFE_OVERWRITE). */
static bool tear_sectors(struct disk_content *c, const struct disk_change *change,
                         struct disk_chance *chance) {
    const size_t sector = chance_toss(chance) ? DISK_SECTOR : DISK_SECTOR_LARGE;
    size_t done = 0;
    while (done < change->len) {
        size_t at = (size_t)change->offset + done, room = sector - at % sector;
        size_t len = room < change->len - done ? room : change->len - done;
        uint64_t fate = chance_draw(chance) % 5;
        if (fate < 3 && !disk_content_write(c, at, change->data + done, len))
            return false;
        if (fate == 0)
            memset(c->data + at, (int)(chance_draw(chance) & 0xff), len);
        done += len;
    }
    return true;
}

static bool crash_write(struct disk_content *c, const struct disk_change *change,
                        struct disk_chance *chance) {
    uint64_t fate = chance_draw(chance) % 6;
    if (fate >= 4) {
        chance->tally->dropped++;
        return true;
    }
    if (fate >= 2) {
        chance->tally->kept++;
        return disk_content_write(c, (size_t)change->offset, change->data, change->len);
    }
    chance->tally->torn++;
    if (fate == 1)
        return tear_sectors(c, change, chance);
    return disk_content_write(c, (size_t)change->offset, change->data,
                              chance_draw(chance) % (change->len + 1));
}

static bool crash_change(struct disk_content *c, const struct disk_change *change,
                         struct disk_chance *chance) {
    bool chosen = chance->seed == DISK_DROP_ALL || chance->seed == DISK_KEEP_ALL;
    if (!chosen && !change->truncate)
        return crash_write(c, change, chance);
    bool kept = chance_toss(chance);
    chance->tally->kept += kept;
    chance->tally->dropped += !kept;
    return !kept || content_apply(c, change);
}

/* *ret_there false: a restart finds no such file. The caller frees the content. */
static bool crash_record(const struct disk_record *r, struct disk_chance *chance,
                         struct disk_content *ret, bool *ret_there) {
    bool renewed = r->live_named && r->fresh && chance_toss(chance);
    bool gone = !r->live_named && chance_toss(chance);
    *ret_there = !gone && (r->on_disk || renewed);
    if (!*ret_there)
        return true;
    bool ok = renewed || disk_content_write(ret, 0, r->durable.data, r->durable.len);
    bool current = renewed || !r->fresh; /* the pending changes belong to this very file */
    for (const struct disk_change *c = r->first; ok && current && c != NULL; c = c->next)
        ok = crash_change(ret, c, chance);
    return ok;
}

bool disk_restart(const struct disk *from, struct disk *to, uint64_t seed,
                  struct disk_tally *tally) {
    struct disk_chance chance = {seed, seed, tally};
    bool ok = true;
    for (const struct disk_record *r = from->records; ok && r != NULL; r = r->next) {
        struct disk_content content = {0};
        bool there = false;
        ok = crash_record(r, &chance, &content, &there);
        struct disk_record *found = ok ? record_new(r->path, there) : NULL;
        ok = found != NULL && disk_content_write(&found->live, 0, content.data, content.len);
        if (found != NULL) {
            found->durable = content;
            found->next = to->records;
            to->records = found;
        } else {
            free(content.data);
        }
    }
    return ok;
}

static bool crash_save(const struct disk_record *r, const char *to_dir,
                       struct disk_chance *chance) {
    struct disk_content content = {0};
    bool there = false;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s", to_dir, strrchr(r->path, '/'));
    bool ok = n > 0 && (size_t)n < sizeof path && crash_record(r, chance, &content, &there) &&
              (!there || content_save(&content, path));
    free(content.data);
    return ok;
}

static bool crash_unwatched(struct disk *d, const char *from, const char *to) {
    struct stat info;
    if (disk_find(d, from) != NULL || lstat(from, &info) != 0 || !S_ISREG(info.st_mode))
        return true;
    struct disk_content content = {0};
    bool ok = content_read(&content, from) && content_save(&content, to) &&
              chmod(to, info.st_mode & 0777) == 0;
    free(content.data);
    return ok;
}

static bool crash_directory(struct disk *d, DIR *dir, const char *from_dir, const char *to_dir) {
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(dir)) != NULL) {
        char from[PATH_MAX];
        char to[PATH_MAX];
        if (strcmp(entry->d_name, "lock") == 0)
            continue;
        int a = snprintf(from, sizeof from, "%s/%s", from_dir, entry->d_name);
        int b = snprintf(to, sizeof to, "%s/%s", to_dir, entry->d_name);
        ok = a > 0 && (size_t)a < sizeof from && b > 0 && (size_t)b < sizeof to &&
             crash_unwatched(d, from, to);
    }
    return ok;
}

bool disk_crash(struct disk *d, const char *from_dir, const char *to_dir, uint64_t seed) {
    DIR *dir = opendir(from_dir);
    if (dir == NULL)
        return false;
    struct disk_tally tally = {0};
    struct disk_chance chance = {seed, seed, &tally};
    bool ok = crash_directory(d, dir, from_dir, to_dir);
    closedir(dir);
    for (const struct disk_record *r = d->records; ok && r != NULL; r = r->next) {
        if (record_in(r, from_dir, strlen(from_dir)))
            ok = crash_save(r, to_dir, &chance);
    }
    return ok;
}
