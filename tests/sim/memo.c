/* Owns what tests remember of libsodium instead of asking again: the simulator's hub, readers and
 * ledger, and each input of a fuzz target, ask about the same bytes. Linked (--wrap) into those
 * alone. A question stands under a hash of all that its answer depends on, so that one changed byte
 * is a question that was never asked. Must not answer anything itself. */
#include <sodium.h>
#include <string.h>

#include "shared/bytes.h"

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
