/* Owns the shapes of the disk model behind watch_vfs.c and crash_vfs.c (the model itself:
 * watch_vfs.h). Must not be included by anything else. Every function is called under the VFS's
 * lock. */
#ifndef PLEK_WATCH_DISK_H
#define PLEK_WATCH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One write or truncation that no sync has made durable. */
struct disk_change {
    struct disk_change *next;
    uint64_t number;
    bool truncate;
    bool lost; /* a sync of it failed: it will never be durable */
    int64_t offset;
    size_t len;
    uint8_t data[];
};

struct disk_content {
    uint8_t *data;
    size_t len;
    size_t cap;
};
/* Zeros fill a gap before the offset. False without memory. */
bool disk_content_write(struct disk_content *c, size_t offset, const uint8_t *data, size_t len);
void disk_content_truncate(struct disk_content *c, size_t len);

/* What a power cut did to the changes that waited for a sync. */
struct disk_tally {
    uint64_t kept, dropped, torn;
};

/* One path; it outlives the open files, because the durable copy of a deleted file can return. */
struct disk_record {
    struct disk_record *next;
    char *path;
    struct disk_content durable;
    struct disk_content live; /* what reads see; of crash_vfs.c alone */
    bool on_disk;             /* the durable directory names it */
    bool live_named;          /* the live directory names it */
    bool fresh;               /* created since its last sync: the durable copy is an older file's */
    struct disk_change *first;
    struct disk_change **end;
};

struct disk {
    struct disk_record *records;
};

void disk_done(struct disk *d);
struct disk_record *disk_find(struct disk *d, const char *path); /* NULL: never opened here */
/* A file seen for the first time is taken to be durable as it is. NULL without memory. */
struct disk_record *disk_add(struct disk *d, const char *path, bool exists);
/* Notes a write, or a truncation to `offset`, that is not durable yet. False without memory. */
bool disk_record_change(struct disk_record *r, uint64_t number, bool truncate, int64_t offset,
                        const void *data, size_t len);
/* A completed sync. False without memory: nothing became durable. */
bool disk_record_sync(struct disk *d, struct disk_record *r);
void disk_record_lose(struct disk_record *r); /* a failed sync */
void disk_record_deleted(struct disk *d, struct disk_record *r, bool durable);
/* No write up to and including `moment` waits for a sync. */
bool disk_record_durable(const struct disk_record *r, uint64_t moment);
/* How the unsynced changes fare: DISK_DROP_ALL, DISK_KEEP_ALL (only the process ended), or by the
 * seed each is kept, dropped or torn: cut off at any byte, some of its sectors missing or filled
 * with something else. */
#define DISK_DROP_ALL 0
#define DISK_KEEP_ALL UINT64_MAX
/* Adds the files that a restart finds to `to`, which is empty. False without memory. */
bool disk_restart(const struct disk *from, struct disk *to, uint64_t seed,
                  struct disk_tally *tally);
/* from_dir is a real path. False when a file could not be read or written. */
bool disk_crash(struct disk *d, const char *from_dir, const char *to_dir, uint64_t seed);

#endif
