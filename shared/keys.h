/* Owns key types, signing under a domain, fingerprints and hashing. Pure: seeds and nonces are
 * passed in. Source: docs/protocol.md, "Keys"; RFC 8032, RFC 7748, FIPS 180-4, RFC 7693. */
#ifndef PLEK_KEYS_H
#define PLEK_KEYS_H

#include "bytes.h"

#define KEY_LEN 32
#define HASH_LEN 32
#define SEED_LEN 32
#define SIGNATURE_LEN 64
#define FINGERPRINT_SIZE 40 /* "XXXX-XXXX-..." eight groups of four, and its NUL */

struct public_key {
    uint8_t b[KEY_LEN];
}; /* Ed25519 or X25519 */
struct hash {
    uint8_t b[HASH_LEN];
};
struct signature {
    uint8_t b[SIGNATURE_LEN];
};
struct sign_pair {
    struct public_key pub;
    uint8_t secret[64];
};
struct box_pair {
    struct public_key pub;
    uint8_t secret[32];
};

/* sodium_init once; ERR_INTERNAL when it fails. Call first in every main and test. */
enum err keys_init(struct error *e) MUST_USE;

void sign_pair_from_seed(struct sign_pair *ret, const uint8_t seed[static SEED_LEN]);
void box_pair_from_seed(struct box_pair *ret, const uint8_t seed[static SEED_LEN]);
void sign_pair_wipe(struct sign_pair *p);
void box_pair_wipe(struct box_pair *p);

bool key_equal(const struct public_key *a, const struct public_key *b);
bool key_is_zero(const struct public_key *k);
/* Orders by bytes, for sorting and bsearch. */
int key_compare(const struct public_key *a, const struct public_key *b);
bool hash_equal(const struct hash *a, const struct hash *b);
/* Exactly 32 bytes or ERR_MALFORMED. */
enum err key_from_bytes(struct public_key *ret, struct bytes in, struct error *e) MUST_USE;
enum err hash_from_bytes(struct hash *ret, struct bytes in, struct error *e) MUST_USE;
/* Exactly 64 bytes or ERR_MALFORMED. */
enum err signature_from_bytes(struct signature *ret, struct bytes in, struct error *e) MUST_USE;
/* Refuses X25519 keys that give the all-zero secret with any scalar. ERR_LOW_ORDER. */
enum err box_key_check(const struct public_key *k, struct error *e) MUST_USE;

#define DOMAIN_ENTRY "plek/1/entry"
#define DOMAIN_CERT "plek/1/cert"
#define DOMAIN_CERT_AGENT "plek/1/cert-agent"
#define DOMAIN_JOIN "plek/1/join"
#define DOMAIN_REQUEST "plek/1/agent-request"
#define DOMAIN_HELLO_AGENT "plek/1/hello-agent"
#define DOMAIN_HELLO_HUB "plek/1/hello-hub"

/* Ed25519 over: domain, 0x00, then each part as u64be length and its bytes. At most
 * SIGN_MAX_BYTES in all (assert when signing: our bug; ERR_CAP when verifying). */
#define SIGN_MAX_BYTES (64 * 1024)
void sign_parts(struct signature *ret, const struct sign_pair *key, const char *domain,
                const struct bytes *parts, int count);
/* ERR_OK, ERR_SIGNATURE, ERR_CAP. */
enum err verify_parts(const struct public_key *key, const char *domain, const struct bytes *parts,
                      int count, const struct signature *sig, struct error *e) MUST_USE;

struct hash hash_sha256(struct bytes in);
struct hash hash_blake2b(struct bytes in); /* BLAKE2b-256, no key */

/* Of a member key, for people to compare by phone: BLAKE2b-160 in base32 (RFC 4648), eight groups
 * of four joined by '-'. Returns out. */
char *fingerprint_text(const struct public_key *member, char out[static FINGERPRINT_SIZE]);
/* Case, '-' and spaces do not matter. */
bool fingerprint_matches(const struct public_key *member, const char *text);

/* base64url without padding (RFC 4648 section 5); out has room for 4*ceil(len/3)+1. */
void base64_encode(char *out, size_t size, struct bytes in);
enum err base64_decode(uint8_t *ret, size_t len, const char *text, size_t text_len, struct error *e)
    MUST_USE; /* exactly len bytes or ERR_DATA */

/* Randomness, injected wherever it is needed: the shell gives libsodium's, tests a seeded one. */
struct entropy {
    void (*fill)(void *ctx, void *out, size_t len);
    void *ctx;
};
void entropy_fill(const struct entropy *r, void *out, size_t len);

#endif
