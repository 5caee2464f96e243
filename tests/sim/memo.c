/* Owns what the simulator remembers instead of doing it again: what libsodium answered, which hub,
 * readers and ledger ask about the same bytes, and the empty stores of new agents. Linked (--wrap)
 * into the simulator alone. A question stands under a hash of all that its answer depends on, so
 * that one changed byte is a question that was never asked. Must not answer anything itself. */
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/db.h"

/* ---- curves ---- */

#define MEMO_SLOTS 65536 /* a power of two; a newer answer takes an older one's place */
#define MEMO_ANSWER 64

struct answer {
    uint8_t question[crypto_generichash_BYTES], bytes[MEMO_ANSWER];
    bool known;
    int rc;
};

/* The slot of a question; `known` says whether it holds the answer. */
static struct answer *answer_to(const char *function, const struct bytes *asked, int count) {
    static struct answer answers[MEMO_SLOTS];
    crypto_generichash_state state;
    uint8_t question[crypto_generichash_BYTES];
    uint32_t slot;
    crypto_generichash_init(&state, NULL, 0, sizeof question);
    crypto_generichash_update(&state, (const uint8_t *)function, strlen(function) + 1);
    for (int i = 0; i < count; i++) /* all but the last are of one length */
        crypto_generichash_update(&state, asked[i].data, asked[i].len);
    crypto_generichash_final(&state, question, sizeof question);
    memcpy(&slot, question, sizeof slot);
    struct answer *a = &answers[slot % MEMO_SLOTS];
    if (memcmp(a->question, question, sizeof question) != 0) {
        memcpy(a->question, question, sizeof question);
        a->known = false;
    }
    return a;
}

int __real_crypto_sign_verify_detached(const uint8_t *sig, const uint8_t *m, unsigned long long len,
                                       const uint8_t *pk);
int __wrap_crypto_sign_verify_detached(const uint8_t *sig, const uint8_t *m, unsigned long long len,
                                       const uint8_t *pk);
int __wrap_crypto_sign_verify_detached(const uint8_t *sig, const uint8_t *m, unsigned long long len,
                                       const uint8_t *pk) {
    const struct bytes asked[] = {bytes_of(sig, crypto_sign_BYTES),
                                  bytes_of(pk, crypto_sign_PUBLICKEYBYTES), bytes_of(m, len)};
    struct answer *a = answer_to("verify", asked, 3);
    if (!a->known)
        a->rc = __real_crypto_sign_verify_detached(sig, m, len, pk);
    a->known = true;
    return a->rc;
}

int __real_crypto_sign_detached(uint8_t *sig, unsigned long long *sig_len, const uint8_t *m,
                                unsigned long long len, const uint8_t *sk);
int __wrap_crypto_sign_detached(uint8_t *sig, unsigned long long *sig_len, const uint8_t *m,
                                unsigned long long len, const uint8_t *sk);
int __wrap_crypto_sign_detached(uint8_t *sig, unsigned long long *sig_len, const uint8_t *m,
                                unsigned long long len, const uint8_t *sk) {
    const struct bytes asked[] = {bytes_of(sk, crypto_sign_SECRETKEYBYTES), bytes_of(m, len)};
    struct answer *a = answer_to("sign", asked, 2);
    if (!a->known)
        a->rc = __real_crypto_sign_detached(a->bytes, NULL, m, len, sk);
    a->known = true;
    memcpy(sig, a->bytes, crypto_sign_BYTES);
    if (sig_len != NULL)
        *sig_len = crypto_sign_BYTES;
    return a->rc;
}

int __real_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __wrap_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __wrap_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p) {
    const struct bytes asked[] = {bytes_of(n, crypto_scalarmult_SCALARBYTES),
                                  bytes_of(p, crypto_scalarmult_BYTES)};
    struct answer *a = answer_to("scalarmult", asked, 2);
    if (!a->known)
        a->rc = __real_crypto_scalarmult(a->bytes, n, p);
    a->known = true;
    memcpy(q, a->bytes, crypto_scalarmult_BYTES);
    return a->rc;
}

int __real_crypto_box_seed_keypair(uint8_t *pk, uint8_t *sk, const uint8_t *seed);
int __wrap_crypto_box_seed_keypair(uint8_t *pk, uint8_t *sk, const uint8_t *seed);
int __wrap_crypto_box_seed_keypair(uint8_t *pk, uint8_t *sk, const uint8_t *seed) {
    const struct bytes asked[] = {bytes_of(seed, crypto_box_SEEDBYTES)};
    struct answer *a = answer_to("keypair", asked, 1);
    uint8_t *secret = a->bytes + crypto_box_PUBLICKEYBYTES;
    if (!a->known)
        a->rc = __real_crypto_box_seed_keypair(a->bytes, secret, seed);
    a->known = true;
    memcpy(pk, a->bytes, crypto_box_PUBLICKEYBYTES);
    memcpy(sk, secret, crypto_box_SECRETKEYBYTES);
    return a->rc;
}

/* ---- empty stores ---- */

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
