/* Owns passwords: what a good one is, and the slow work of hashing one (Argon2id), which is done on
 * a worker thread. Must not know users or keep anything. */
#ifndef PLEK_PASSWORD_H
#define PLEK_PASSWORD_H

#include <sodium.h>
#include <stdbool.h>

#include "error.h"

#define PASSWORD_MIN_CHARS 10
#define PASSWORD_MAX_BYTES 256

/* Long enough, no known sequence, not the user's name: ERR_PASSWORD says what is wrong. Bytes that
 * are not UTF-8: ERR_DATA. */
enum err password_check(const char *password, const char *user, struct error *e) MUST_USE;

/* One password's work. Filled by who wants it, done by password_work on any thread. */
struct password_work {
    bool wanted, done;
    const char *verify;                  /* against `stored`; NULL: nothing to verify. Borrowed */
    char stored[crypto_pwhash_STRBYTES]; /* "": nobody's; takes as long, and fails */
    const char *make;                    /* to be hashed into `made`; NULL: none. Borrowed */
    char made[crypto_pwhash_STRBYTES];
    bool verified;
    enum err code; /* ERR_NO_MEMORY */
};
/* Takes some 64 MiB and a tenth of a second. Sets done. */
void password_work(struct password_work *work);

#endif
