/* Implements audience keys: key ids, grants, and the sealing of views under such a key.
 * Must not choose a key, nonce or seed, nor know who is in an audience. */
#include "audience.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define KEY_ID_LABEL "plek/1/key-id"
#define VIEW_KEY_LABEL "plek/1/view"
#define AAD_LEN (3 * KEY_LEN + AUDIENCE_ID_LEN + 8 + 8 + 4 + HASH_LEN)
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES
#define GRANT_PLAIN_LEN (2 + AUDIENCE_ID_LEN + 2 + AUDIENCE_KEY_LEN)
#define GRANT_SEALED_LEN (GRANT_PLAIN_LEN + crypto_box_SEALBYTES)
#define PAD_MARK 0x80

_Static_assert(VIEW_OVERHEAD == VIEW_NONCE_LEN + TAG_LEN, "what sealing adds");
_Static_assert(VIEW_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(GRANT_SEALED_LEN <= GRANT_MAX_BYTES, "a grant fits its cap");
_Static_assert(VIEW_PLAIN_MAX + 1 + VIEW_OVERHEAD <= VIEW_MAX_BYTES, "a full view fits its cap");

void audience_key_wipe(struct audience_key *k) {
    sodium_memzero(k, sizeof *k);
}

struct hash audience_key_id(const struct audience_ctx *ctx, const struct audience_key *key) {
    struct hash id;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, HASH_LEN);
    crypto_generichash_update(&state, (const uint8_t *)KEY_ID_LABEL, strlen(KEY_ID_LABEL));
    crypto_generichash_update(&state, ctx->network.b, KEY_LEN);
    crypto_generichash_update(&state, ctx->member.b, KEY_LEN);
    crypto_generichash_update(&state, ctx->agent.b, KEY_LEN);
    crypto_generichash_update(&state, ctx->audience, AUDIENCE_ID_LEN);
    crypto_generichash_update(&state, key->b, AUDIENCE_KEY_LEN);
    crypto_generichash_final(&state, id.b, HASH_LEN);
    sodium_memzero(&state, sizeof state);
    return id;
}

/* ---- grants ---- */

/* The canonical Grant message, written and read on the stack so that no copy of a key stays behind.
 */
static void grant_write(const uint8_t audience[static AUDIENCE_ID_LEN],
                        const struct audience_key *key, uint8_t out[static GRANT_PLAIN_LEN]) {
    uint8_t *at = out;
    *at++ = 1 << 3 | 2;
    *at++ = AUDIENCE_ID_LEN;
    memcpy(at, audience, AUDIENCE_ID_LEN);
    at += AUDIENCE_ID_LEN;
    *at++ = 2 << 3 | 2;
    *at++ = AUDIENCE_KEY_LEN;
    memcpy(at, key->b, AUDIENCE_KEY_LEN);
}

static bool grant_read(const uint8_t plain[static GRANT_PLAIN_LEN],
                       uint8_t audience[static AUDIENCE_ID_LEN], struct audience_key *key) {
    struct wire w = wire_open(bytes_of(plain, GRANT_PLAIN_LEN));
    wire_take(&w, 1, audience, AUDIENCE_ID_LEN);
    wire_take(&w, 2, key->b, AUDIENCE_KEY_LEN);
    return wire_done(&w);
}

/* libsodium's sealed box, but for the ephemeral pair, which comes from a seed here. */
enum err grant_seal(const struct audience_ctx *ctx, const struct audience_key *key,
                    const struct public_key *recipient_box, const uint8_t seed[static SEED_LEN],
                    struct buf *out, struct error *e) {
    struct box_pair ephemeral;
    box_pair_from_seed(&ephemeral, seed);
    uint8_t nonce[crypto_box_NONCEBYTES];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof nonce);
    crypto_generichash_update(&state, ephemeral.pub.b, KEY_LEN);
    crypto_generichash_update(&state, recipient_box->b, KEY_LEN);
    crypto_generichash_final(&state, nonce, sizeof nonce);
    uint8_t plain[GRANT_PLAIN_LEN], sealed[GRANT_SEALED_LEN];
    grant_write(ctx->audience, key, plain);
    memcpy(sealed, ephemeral.pub.b, KEY_LEN);
    int rc = crypto_box_easy(sealed + KEY_LEN, plain, sizeof plain, nonce, recipient_box->b,
                             ephemeral.secret);
    sodium_memzero(plain, sizeof plain);
    box_pair_wipe(&ephemeral);
    if (rc != 0) /* the shared secret would be zero, known to all */
        return error_set(e, ERR_LOW_ORDER, "grant: the recipient's X25519 key is of low order");
    buf_append(out, sealed, sizeof sealed);
    return buf_failed(out, e);
}

static enum err grant_check(const struct header *enclosing, const struct hash *key_id,
                            const uint8_t plain[static GRANT_PLAIN_LEN],
                            struct audience_ctx *ret_ctx, struct audience_key *ret_key,
                            struct error *e) {
    struct audience_ctx ctx = {enclosing->network, enclosing->member, enclosing->agent, {0}};
    struct audience_key key;
    if (!grant_read(plain, ctx.audience, &key)) {
        audience_key_wipe(&key);
        return error_set(e, ERR_MALFORMED, "grant: its plaintext is not a canonical Grant");
    }
    struct hash id = audience_key_id(&ctx, &key);
    if (!hash_equal(&id, key_id)) {
        audience_key_wipe(&key);
        return error_set(
            e, ERR_GRANT,
            "grant: its key does not give the leaf's key id under its header's author");
    }
    *ret_ctx = ctx;
    *ret_key = key;
    audience_key_wipe(&key);
    return ERR_OK;
}

enum err grant_open(const struct header *enclosing, const struct hash *key_id, struct bytes sealed,
                    const struct box_pair *recipient, struct audience_ctx *ret_ctx,
                    struct audience_key *ret_key, struct error *e) {
    if (sealed.len != GRANT_SEALED_LEN)
        return error_set(e, ERR_MALFORMED, "grant: found %zu bytes, expected %d", sealed.len,
                         (int)GRANT_SEALED_LEN);
    uint8_t plain[GRANT_PLAIN_LEN];
    if (crypto_box_seal_open(plain, sealed.data, sealed.len, recipient->pub.b, recipient->secret) !=
        0)
        return error_set(e, ERR_DECRYPT, "grant: not sealed to this agent's current X25519 key");
    enum err err = grant_check(enclosing, key_id, plain, ret_ctx, ret_key, e);
    sodium_memzero(plain, sizeof plain);
    return err;
}

/* ---- views ---- */

static void view_key(const struct audience_key *key,
                     uint8_t ret[static crypto_aead_xchacha20poly1305_ietf_KEYBYTES]) {
    crypto_generichash(ret, crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
                       (const uint8_t *)VIEW_KEY_LABEL, strlen(VIEW_KEY_LABEL), key->b,
                       AUDIENCE_KEY_LEN);
}

static uint8_t *put_be(uint8_t *at, uint64_t v, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        at[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
    return at + size;
}

static uint8_t *put_raw(uint8_t *at, const uint8_t *b, size_t len) {
    memcpy(at, b, len);
    return at + len;
}

static void view_aad(const struct audience_ctx *ctx, const struct audience_key *key,
                     uint64_t incarnation, uint64_t seq, uint32_t kind,
                     uint8_t ret[static AAD_LEN]) {
    struct hash key_id = audience_key_id(ctx, key);
    uint8_t *at = ret;
    at = put_raw(at, ctx->network.b, KEY_LEN);
    at = put_raw(at, ctx->member.b, KEY_LEN);
    at = put_raw(at, ctx->agent.b, KEY_LEN);
    at = put_raw(at, ctx->audience, AUDIENCE_ID_LEN);
    at = put_be(at, incarnation, 8);
    at = put_be(at, seq, 8);
    at = put_be(at, kind, 4);
    at = put_raw(at, key_id.b, HASH_LEN);
    assert(at == ret + AAD_LEN);
}

/* Always more than len, so that the mark fits. */
static size_t padded_size(size_t len) {
    size_t size = VIEW_PAD_MIN;
    while (size <= len)
        size *= 2;
    return size;
}

/* Scratch that held a plaintext. */
static void wipe_free(uint8_t *bytes, size_t len) {
    sodium_memzero(bytes, len);
    free(bytes);
}

enum err view_seal(const struct audience_ctx *ctx, const struct audience_key *key,
                   uint64_t incarnation, uint64_t seq, uint32_t kind, struct bytes plain,
                   const uint8_t nonce[static VIEW_NONCE_LEN], struct buf *out, struct error *e) {
    if (plain.len > VIEW_PLAIN_MAX)
        return error_set(e, ERR_CAP, "view: found %zu bytes to seal, expected at most %d",
                         plain.len, VIEW_PLAIN_MAX);
    size_t padded = padded_size(plain.len);
    uint8_t *sealed = calloc(1, padded + VIEW_OVERHEAD);
    if (sealed == NULL)
        return error_set(e, ERR_NO_MEMORY, "view: no memory for %zu bytes", padded);
    uint8_t *text = sealed + VIEW_NONCE_LEN;
    memcpy(sealed, nonce, VIEW_NONCE_LEN);
    if (plain.len > 0)
        memcpy(text, plain.data, plain.len);
    text[plain.len] = PAD_MARK;
    uint8_t secret[crypto_aead_xchacha20poly1305_ietf_KEYBYTES], aad[AAD_LEN];
    view_key(key, secret);
    view_aad(ctx, key, incarnation, seq, kind, aad);
    /* In place: the scratch holds no plaintext afterwards. */
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(text, text + padded, NULL, text, padded,
                                                        aad, sizeof aad, NULL, nonce, secret);
    sodium_memzero(secret, sizeof secret);
    buf_append(out, sealed, padded + VIEW_OVERHEAD);
    free(sealed);
    return buf_failed(out, e);
}

/* The length before padding; false unless the padding is the one view_seal makes. */
static bool unpad(const uint8_t *text, size_t padded, size_t *ret_len) {
    size_t len = padded;
    while (len > 0 && text[len - 1] == 0)
        len--;
    if (len == 0 || text[len - 1] != PAD_MARK || padded_size(len - 1) != padded)
        return false;
    *ret_len = len - 1;
    return true;
}

static enum err check_sealed_size(size_t len, struct error *e) {
    if (len > VIEW_MAX_BYTES)
        return error_set(e, ERR_CAP, "view: found %zu bytes, expected at most %d", len,
                         VIEW_MAX_BYTES);
    if (len < VIEW_OVERHEAD + VIEW_PAD_MIN ||
        padded_size(len - VIEW_OVERHEAD - 1) != len - VIEW_OVERHEAD)
        return error_set(e, ERR_MALFORMED, "view: found %zu bytes, expected %d and 256, 512, ...",
                         len, VIEW_OVERHEAD);
    return ERR_OK;
}

enum err view_open(const struct audience_ctx *ctx, const struct audience_key *key,
                   uint64_t incarnation, uint64_t seq, uint32_t kind, struct bytes sealed,
                   struct buf *ret_plain, struct error *e) {
    enum err err = check_sealed_size(sealed.len, e);
    if (err != ERR_OK)
        return err;
    size_t padded = sealed.len - VIEW_OVERHEAD;
    const uint8_t *text = sealed.data + VIEW_NONCE_LEN;
    uint8_t *plain = malloc(padded);
    if (plain == NULL)
        return error_set(e, ERR_NO_MEMORY, "view: no memory for %zu bytes", padded);
    uint8_t secret[crypto_aead_xchacha20poly1305_ietf_KEYBYTES], aad[AAD_LEN];
    view_key(key, secret);
    view_aad(ctx, key, incarnation, seq, kind, aad);
    int rc = crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
        plain, NULL, text, padded, text + padded, aad, sizeof aad, sealed.data, secret);
    sodium_memzero(secret, sizeof secret);
    size_t len = 0;
    if (rc != 0) {
        err = error_set(e, ERR_DECRYPT, "view: not sealed under this key for this place and kind");
    } else if (!unpad(plain, padded, &len)) {
        err = error_set(e, ERR_MALFORMED, "view: its padding is not 0x80 and zeros to a full step");
    } else {
        buf_append(ret_plain, plain, len);
        err = buf_failed(ret_plain, e);
    }
    wipe_free(plain, padded);
    return err;
}
