/* Owns hub.key: the hub's two key pairs on disk, mode 0600. Must not know where else they are used.
 */
#ifndef PLEK_HUB_KEYFILE_H
#define PLEK_HUB_KEYFILE_H

#include "keys.h"

#define KEYFILE_NAME "hub.key"

struct keyfile {
    uint8_t sign_seed[SEED_LEN], box_seed[SEED_LEN];
    struct sign_pair sign; /* the network's identity */
    struct box_pair box;
};
void keyfile_make(struct keyfile *ret, const struct entropy *entropy);
void keyfile_wipe(struct keyfile *k);
/* A new file, synced. ERR_CANNOT_CREATE when it is there already, ERR_IO, ERR_DISK_FULL. */
enum err keyfile_write(const char *path, const struct keyfile *k, struct error *e) MUST_USE;
/* ERR_NO_INPUT, ERR_PERMISSION (others could read it), ERR_DATA. */
enum err keyfile_read(const char *path, struct keyfile *ret, struct error *e) MUST_USE;

#endif
