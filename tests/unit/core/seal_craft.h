/* Owns a view as docs/protocol.md ("Sealed views") writes it down, sealed a second time by hand: by
 * somebody who pads as he likes. Must not call view_seal. */
#ifndef PLEK_TEST_SEAL_CRAFT_H
#define PLEK_TEST_SEAL_CRAFT_H

#include <sodium.h>
#include <stdlib.h>

#include "audience.h"

/* Under the right key. The caller frees the result. */
static inline struct buf seal_padded(const struct audience_ctx *ctx, const struct audience_key *key,
                                     uint64_t incarnation, uint64_t seq, uint32_t kind,
                                     const uint8_t *nonce, struct bytes padded) {
    uint8_t secret[32];
    struct buf aad, out;
    struct hash id = audience_key_id(ctx, key);
    buf_init(&aad, 1024);
    buf_append(&aad, ctx->network.b, 32);
    buf_append(&aad, ctx->member.b, 32);
    buf_append(&aad, ctx->agent.b, 32);
    buf_append(&aad, ctx->audience, 16);
    buf_append_u64be(&aad, incarnation);
    buf_append_u64be(&aad, seq);
    buf_append_u32be(&aad, kind);
    buf_append(&aad, id.b, 32);
    crypto_generichash(secret, sizeof secret, (const uint8_t *)"plek/1/view", 11, key->b, 32);
    uint8_t *sealed = malloc(padded.len + 16);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, padded.data, padded.len, aad.data,
                                               aad.len, NULL, nonce, secret);
    buf_init(&out, 4 * VIEW_MAX_BYTES);
    buf_append(&out, nonce, VIEW_NONCE_LEN);
    buf_append(&out, sealed, padded.len + 16);
    free(sealed);
    buf_done(&aad);
    return out;
}

#endif
