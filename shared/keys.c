/* Owns key types, signing under a domain, fingerprints, hashing and their text forms.
 * Must not draw randomness, and must not put a secret into an error. */
#include "keys.h"

#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_STACK_BYTES 4096
#define FINGERPRINT_BYTES 20
#define FINGERPRINT_CHARS 32

_Static_assert(KEY_LEN == crypto_sign_PUBLICKEYBYTES && KEY_LEN == crypto_box_PUBLICKEYBYTES, "");
_Static_assert(SEED_LEN == crypto_sign_SEEDBYTES && SEED_LEN == crypto_box_SEEDBYTES, "");
_Static_assert(SIGNATURE_LEN == crypto_sign_BYTES, "");
_Static_assert(HASH_LEN == crypto_hash_sha256_BYTES, "");
_Static_assert(sizeof((struct sign_pair *)0)->secret == crypto_sign_SECRETKEYBYTES, "");
_Static_assert(sizeof((struct box_pair *)0)->secret == crypto_box_SECRETKEYBYTES, "");

enum err keys_init(struct error *e) {
    if (sodium_init() < 0)
        return error_set(e, ERR_INTERNAL, "libsodium could not be initialised");
    return ERR_OK;
}

/* ---- pairs ---- */

void sign_pair_from_seed(struct sign_pair *ret, const uint8_t seed[static SEED_LEN]) {
    crypto_sign_seed_keypair(ret->pub.b, ret->secret, seed);
}

void box_pair_from_seed(struct box_pair *ret, const uint8_t seed[static SEED_LEN]) {
    crypto_box_seed_keypair(ret->pub.b, ret->secret, seed);
}

void sign_pair_wipe(struct sign_pair *p) {
    sodium_memzero(p, sizeof *p);
}

void box_pair_wipe(struct box_pair *p) {
    sodium_memzero(p, sizeof *p);
}

/* ---- public values ---- */

bool key_equal(const struct public_key *a, const struct public_key *b) {
    return memcmp(a->b, b->b, KEY_LEN) == 0;
}

bool key_is_zero(const struct public_key *k) {
    return sodium_is_zero(k->b, KEY_LEN) == 1;
}

int key_compare(const struct public_key *a, const struct public_key *b) {
    return memcmp(a->b, b->b, KEY_LEN);
}

bool hash_equal(const struct hash *a, const struct hash *b) {
    return memcmp(a->b, b->b, HASH_LEN) == 0;
}

enum err key_from_bytes(struct public_key *ret, struct bytes in, struct error *e) {
    if (in.len != KEY_LEN)
        return error_set(e, ERR_MALFORMED, "found a key of %zu bytes, expected %d", in.len,
                         KEY_LEN);
    memcpy(ret->b, in.data, KEY_LEN);
    return ERR_OK;
}

enum err hash_from_bytes(struct hash *ret, struct bytes in, struct error *e) {
    if (in.len != HASH_LEN)
        return error_set(e, ERR_MALFORMED, "found a hash of %zu bytes, expected %d", in.len,
                         HASH_LEN);
    memcpy(ret->b, in.data, HASH_LEN);
    return ERR_OK;
}

enum err signature_from_bytes(struct signature *ret, struct bytes in, struct error *e) {
    if (in.len != SIGNATURE_LEN)
        return error_set(e, ERR_MALFORMED, "found a signature of %zu bytes, expected %d", in.len,
                         SIGNATURE_LEN);
    memcpy(ret->b, in.data, SIGNATURE_LEN);
    return ERR_OK;
}

enum err box_key_check(const struct public_key *k, struct error *e) {
    /* Clamping makes every X25519 scalar a multiple of the cofactor, so one scalar shows a point of
     * low order as well as any other (RFC 7748, section 6.1). */
    static const uint8_t scalar[crypto_scalarmult_SCALARBYTES] = {1};
    uint8_t shared[crypto_scalarmult_BYTES];
    if (crypto_scalarmult(shared, scalar, k->b) != 0)
        return error_set(e, ERR_LOW_ORDER,
                         "found an X25519 key of low order, which would share a known secret");
    return ERR_OK;
}

/* ---- signing under a domain ---- */

/* Bytes that are signed, or 0 when they exceed the cap. */
static size_t signed_len(const char *domain, const struct bytes *parts, int count) {
    size_t len = strlen(domain) + 1;
    for (int i = 0; i < count; i++) {
        if (len > SIGN_MAX_BYTES - 8 || parts[i].len > SIGN_MAX_BYTES - 8 - len)
            return 0;
        len += 8 + parts[i].len;
    }
    return len;
}

static uint8_t *put_u64be(uint8_t *out, uint64_t value) {
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    return out + 8;
}

/* `out` has room for signed_len bytes. */
static void join_parts(uint8_t *out, const char *domain, const struct bytes *parts, int count) {
    size_t domain_len = strlen(domain) + 1; /* the NUL is the 0x00 that ends the domain */
    memcpy(out, domain, domain_len);
    out += domain_len;
    for (int i = 0; i < count; i++) {
        out = put_u64be(out, parts[i].len);
        if (parts[i].len > 0)
            memcpy(out, parts[i].data, parts[i].len);
        out += parts[i].len;
    }
}

void sign_parts(struct signature *ret, const struct sign_pair *key, const char *domain,
                const struct bytes *parts, int count) {
    uint8_t message[SIGN_MAX_BYTES]; /* on the stack: signing cannot fail for want of memory */
    size_t len = signed_len(domain, parts, count);
    assert(len > 0);
    if (len == 0)
        abort();
    join_parts(message, domain, parts, count);
    crypto_sign_detached(ret->b, NULL, message, len, key->secret);
}

enum err verify_parts(const struct public_key *key, const char *domain, const struct bytes *parts,
                      int count, const struct signature *sig, struct error *e) {
    uint8_t small[VERIFY_STACK_BYTES];
    uint8_t *message = small;
    size_t len = signed_len(domain, parts, count);
    if (len == 0)
        return error_set(e, ERR_CAP, "more than %d bytes to verify under %s", SIGN_MAX_BYTES,
                         domain);
    if (len > sizeof small && (message = malloc(len)) == NULL)
        return error_set(e, ERR_NO_MEMORY, "no memory to verify %zu bytes under %s", len, domain);
    join_parts(message, domain, parts, count);
    int rc = crypto_sign_verify_detached(sig->b, message, len, key->b);
    if (message != small)
        free(message);
    if (rc != 0)
        return error_set(e, ERR_SIGNATURE, "signature under %s does not verify", domain);
    return ERR_OK;
}

/* ---- hashes ---- */

struct hash hash_sha256(struct bytes in) {
    struct hash h;
    crypto_hash_sha256(h.b, in.data, in.len);
    return h;
}

struct hash hash_blake2b(struct bytes in) {
    struct hash h;
    crypto_generichash(h.b, sizeof h.b, in.data, in.len, NULL, 0);
    return h;
}

/* ---- fingerprints ---- */

static void fingerprint_chars(const struct public_key *member, char out[static FINGERPRINT_CHARS]) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t digest[FINGERPRINT_BYTES];
    crypto_generichash(digest, sizeof digest, member->b, KEY_LEN, NULL, 0);
    for (int group = 0; group < FINGERPRINT_BYTES / 5; group++) {
        uint64_t bits = 0;
        for (int i = 0; i < 5; i++)
            bits = bits << 8 | digest[group * 5 + i];
        for (int i = 0; i < 8; i++)
            out[group * 8 + i] = alphabet[bits >> (35 - 5 * i) & 31];
    }
}

char *fingerprint_text(const struct public_key *member, char out[static FINGERPRINT_SIZE]) {
    char chars[FINGERPRINT_CHARS];
    fingerprint_chars(member, chars);
    size_t at = 0;
    for (size_t i = 0; i < FINGERPRINT_CHARS; i++) {
        if (i > 0 && i % 4 == 0)
            out[at++] = '-';
        out[at++] = chars[i];
    }
    out[at] = '\0';
    return out;
}

bool fingerprint_matches(const struct public_key *member, const char *text) {
    char chars[FINGERPRINT_CHARS];
    fingerprint_chars(member, chars);
    size_t matched = 0;
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == ' ')
            continue;
        char upper = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;
        if (matched == FINGERPRINT_CHARS || upper != chars[matched])
            return false;
        matched++;
    }
    return matched == FINGERPRINT_CHARS;
}

/* ---- base64url ---- */

void base64_encode(char *out, size_t size, struct bytes in) {
    static const uint8_t nothing = 0;
    sodium_bin2base64(out, size, in.len > 0 ? in.data : &nothing, in.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

/* The text is never shown in an error: it may be a seed. */
enum err base64_decode(uint8_t *ret, size_t len, const char *text, size_t text_len,
                       struct error *e) {
    size_t rest = len % 3;
    size_t expected = len / 3 * 4 + (rest > 0 ? rest + 1 : 0);
    if (text_len != expected)
        return error_set(e, ERR_DATA, "found %zu characters of base64url, expected %zu", text_len,
                         expected);
    for (size_t i = 0; i < text_len; i++)
        if (base64_value(text[i]) < 0)
            return error_set(e, ERR_DATA,
                             "character %zu is not base64url (letters, digits, '-' and '_')",
                             i + 1);
    int unused = rest == 1 ? 15 : rest == 2 ? 3 : 0;
    if (unused > 0 && (base64_value(text[text_len - 1]) & unused) != 0)
        return error_set(e, ERR_DATA, "the last base64url character has bits set beyond %zu bytes",
                         len);
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0, at = 0; i < text_len; i++) {
        bits = bits << 6 | (uint32_t)base64_value(text[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            ret[at++] = (uint8_t)(bits >> held);
        }
    }
    return ERR_OK;
}

void entropy_fill(const struct entropy *r, void *out, size_t len) {
    r->fill(r->ctx, out, len);
}
