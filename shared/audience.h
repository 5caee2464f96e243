/* Owns audience keys: key ids, grants, sealing and opening of views.
 * Source: docs/protocol.md, "Audience keys". Pure: keys, seeds and nonces are passed in. */
#ifndef PLEK_AUDIENCE_H
#define PLEK_AUDIENCE_H

#include "entry.h"

#define AUDIENCE_KEY_LEN 32
#define VIEW_NONCE_LEN 24
#define VIEW_PAD_MIN 256
#define VIEW_OVERHEAD (VIEW_NONCE_LEN + 16)
#define VIEW_PLAIN_MAX (128 * 1024 - 1) /* the largest padding step that fits VIEW_MAX_BYTES */
#define GRANT_MAX_BYTES 256

/* Whose audience: ctx of design 5. */
struct audience_ctx {
    struct public_key network, member, agent;
    uint8_t audience[AUDIENCE_ID_LEN];
};

struct audience_key {
    uint8_t b[AUDIENCE_KEY_LEN];
};
void audience_key_wipe(struct audience_key *k);

struct hash audience_key_id(const struct audience_ctx *ctx, const struct audience_key *key);

/* Seals (audience id, key) to an X25519 key; `seed` makes the ephemeral pair. ERR_LOW_ORDER. */
enum err grant_seal(const struct audience_ctx *ctx, const struct audience_key *key,
                    const struct public_key *recipient_box, const uint8_t seed[static SEED_LEN],
                    struct buf *out, struct error *e) MUST_USE;
/* Opens a grant found in an entry of (network, member, agent) with this leaf key_id; refused unless
 * the key under the enclosing header's ctx gives key_id. ctx->audience is filled in.
 * ERR_DECRYPT, ERR_MALFORMED, ERR_GRANT. */
enum err grant_open(const struct header *enclosing, const struct hash *key_id, struct bytes sealed,
                    const struct box_pair *recipient, struct audience_ctx *ret_ctx,
                    struct audience_key *ret_key, struct error *e) MUST_USE;

/* XChaCha20-Poly1305 over the plaintext padded (ISO 7816-4) to 256, 512, 1024, ... bytes; output is
 * nonce, ciphertext, tag. AAD: ctx, incarnation, seq, kind, key_id. */
enum err view_seal(const struct audience_ctx *ctx, const struct audience_key *key,
                   uint64_t incarnation, uint64_t seq, uint32_t kind, struct bytes plain,
                   const uint8_t nonce[static VIEW_NONCE_LEN], struct buf *out, struct error *e)
    MUST_USE;
/* Opens and strips the padding. ERR_DECRYPT, ERR_MALFORMED (padding), ERR_CAP. */
enum err view_open(const struct audience_ctx *ctx, const struct audience_key *key,
                   uint64_t incarnation, uint64_t seq, uint32_t kind, struct bytes sealed,
                   struct buf *ret_plain, struct error *e) MUST_USE;

#endif
