/* Owns what targets over a real store share: a daemon's directory that is put back before every
 * input, and requests drawn from the input. Must not know a route. */
#ifndef PLEK_TEST_FUZZ_STAGE_H
#define PLEK_TEST_FUZZ_STAGE_H

#include "access.h"
#include "fuzz.h"
#include "keys.h"

#define STAGE_FILES 32

struct stage_file {
    char name[64];
    uint8_t *data;
    size_t len;
};
/* The files of a directory as they were: zero-initialised it is empty. */
struct stage {
    const char *dir; /* borrowed */
    struct stage_file files[STAGE_FILES];
    size_t count;
};
/* Once, before the directory is made: it is made in memory where the system has a place for that.
 */
void stage_begin(void);
/* Nobody may have the directory open. One stage in a process: from here on the database in it is
 * opened once, and whoever opens it again gets the same connection, with nothing of its own left
 * open (checked when it is closed). Settings, keys and all that a daemon keeps in memory are read
 * anew. */
void stage_save(struct stage *s, const char *dir);
/* After every input: each file as it was saved; others go. The database must be closed. */
void stage_restore(const struct stage *s);
/* Whether a row was written since, even if that was undone. */
bool stage_changed(void);
/* All rows of the database, without those of some tables (dump.h), the same ones in every call. It
 * was opened once. */
struct hash stage_dump(const char *but);
#define STAGE_LOOK 16 /* of so many inputs one looks whether all was put back */

struct stage_api {
    const struct api_route *routes;
    size_t count;
    void *domain;
    struct access *access;
    int64_t now_ms;
};
/* One request of the input through the table: a route, or any path; a query; a body. An answer is
 * always JSON that can be written; a refusal has its code. Slow work is not carried out. */
void stage_request(const struct stage_api *api, struct fuzz_input *in);

#endif
