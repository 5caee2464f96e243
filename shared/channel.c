/* Owns the encrypted channel after a handshake (docs/protocol.md, "Channel"): keys from the
 * transcript, one secretstream per direction. Must not know what a frame says. */
#include "channel.h"

#include <string.h>

#define STREAM_KEY_DOMAIN "plek/1/stream"
#define STREAM_HEADER_DOMAIN "plek/1/stream-header"
#define TAG_MESSAGE crypto_secretstream_xchacha20poly1305_TAG_MESSAGE

_Static_assert(crypto_kx_SESSIONKEYBYTES == crypto_secretstream_xchacha20poly1305_KEYBYTES, "");
_Static_assert(FRAME_MAX_BYTES < crypto_secretstream_xchacha20poly1305_MESSAGEBYTES_MAX, "");

static void transcript_add(crypto_generichash_state *state, struct bytes message) {
    uint8_t len[8];
    for (int i = 0; i < 8; i++)
        len[i] = (uint8_t)((uint64_t)message.len >> (56 - 8 * i));
    crypto_generichash_update(state, len, sizeof len);
    crypto_generichash_update(state, message.data, message.len);
}

static struct hash transcript_hash(struct bytes hub_hello, struct bytes agent_hello,
                                   struct bytes answer) {
    crypto_generichash_state state;
    struct hash t;
    crypto_generichash_init(&state, NULL, 0, sizeof t.b);
    transcript_add(&state, hub_hello);
    transcript_add(&state, agent_hello);
    transcript_add(&state, answer);
    crypto_generichash_final(&state, t.b, sizeof t.b);
    return t;
}

/* BLAKE2b of `len` bytes keyed with a direction's kx key, over domain || T. */
static void derive(uint8_t *out, size_t len, const uint8_t key[crypto_kx_SESSIONKEYBYTES],
                   const char *domain, const struct hash *t) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, crypto_kx_SESSIONKEYBYTES, len);
    crypto_generichash_update(&state, (const uint8_t *)domain, strlen(domain));
    crypto_generichash_update(&state, t->b, HASH_LEN);
    crypto_generichash_final(&state, out, len);
    sodium_memzero(&state, sizeof state);
}

/* Both ends derive key and header, so both start as a puller would: init_push would draw a header
 * of its own. The two ends of a stream start in the same state. */
static void start_stream(crypto_secretstream_xchacha20poly1305_state *stream,
                         const uint8_t kx_key[crypto_kx_SESSIONKEYBYTES], const struct hash *t) {
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    uint8_t header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
    derive(key, sizeof key, kx_key, STREAM_KEY_DOMAIN, t);
    derive(header, sizeof header, kx_key, STREAM_HEADER_DOMAIN, t);
    crypto_secretstream_xchacha20poly1305_init_pull(stream, header, key);
    sodium_memzero(key, sizeof key);
    sodium_memzero(header, sizeof header);
}

enum err channel_init(struct channel *ret, bool is_agent, const struct hello_secret *mine,
                      const struct public_key *peer_kx, struct bytes hub_hello,
                      struct bytes agent_hello, struct bytes answer, struct error *e) {
    uint8_t rx[crypto_kx_SESSIONKEYBYTES], tx[crypto_kx_SESSIONKEYBYTES];
    int rc =
        is_agent
            ? crypto_kx_client_session_keys(rx, tx, mine->kx.pub.b, mine->kx.secret, peer_kx->b)
            : crypto_kx_server_session_keys(rx, tx, mine->kx.pub.b, mine->kx.secret, peer_kx->b);
    if (rc != 0)
        return error_set(e, ERR_LOW_ORDER, "channel: found an ephemeral key of low order");
    struct hash t = transcript_hash(hub_hello, agent_hello, answer);
    start_stream(&ret->out, tx, &t);
    start_stream(&ret->in, rx, &t);
    ret->ready = true;
    sodium_memzero(rx, sizeof rx);
    sodium_memzero(tx, sizeof tx);
    return ERR_OK;
}

void channel_wipe(struct channel *c) {
    sodium_memzero(c, sizeof *c);
}

static enum err check_frame_len(size_t len, struct error *e) {
    if (len > FRAME_MAX_BYTES)
        return error_set(e, ERR_CAP, "channel: found a frame of %zu bytes, expected at most %d",
                         len, FRAME_MAX_BYTES);
    return ERR_OK;
}

/* Makes room for `first` and `more` bytes at the end of the buffer and lends it; what is copied
 * there only fills it until the cipher writes over it. NULL after a failure, nothing appended. */
static uint8_t *make_room(struct buf *out, struct bytes first, size_t more) {
    static const uint8_t filler[CHANNEL_OVERHEAD];
    size_t before = out->len;
    buf_append(out, first.data, first.len);
    buf_append(out, filler, more);
    if (out->failed == ERR_OK)
        return out->data + before;
    out->len = before;
    return NULL;
}

enum err channel_seal(struct channel *c, struct bytes frame, struct buf *out, struct error *e) {
    if (!c->ready)
        return error_set(e, ERR_PROTOCOL, "channel: not open, nothing can be sent");
    enum err rc = check_frame_len(frame.len, e);
    if (rc != ERR_OK)
        return rc;
    uint8_t *sealed = make_room(out, frame, CHANNEL_OVERHEAD);
    if (sealed == NULL)
        return buf_failed(out, e);
    crypto_secretstream_xchacha20poly1305_push(&c->out, sealed, NULL, frame.data, frame.len, NULL,
                                               0, TAG_MESSAGE);
    return ERR_OK;
}

static enum err decrypt_failed(struct channel *c, const char *why, struct error *e) {
    c->ready = false; /* what follows cannot be in order either */
    return error_set(e, ERR_DECRYPT, "channel: %s; the connection must be closed", why);
}

enum err channel_open(struct channel *c, struct bytes sealed, struct buf *ret_frame,
                      struct error *e) {
    if (!c->ready)
        return decrypt_failed(c, "not open, or an earlier frame did not authenticate", e);
    if (sealed.len < CHANNEL_OVERHEAD)
        return decrypt_failed(c, "a frame is shorter than its seal", e);
    size_t len = sealed.len - CHANNEL_OVERHEAD;
    enum err rc = check_frame_len(len, e);
    if (rc != ERR_OK)
        return rc;
    size_t before = ret_frame->len;
    uint8_t nothing;
    uint8_t *frame = &nothing;
    if (len > 0 && (frame = make_room(ret_frame, bytes_of(sealed.data, len), 0)) == NULL)
        return buf_failed(ret_frame, e);
    uint8_t tag = 0;
    int failed = crypto_secretstream_xchacha20poly1305_pull(&c->in, frame, NULL, &tag, sealed.data,
                                                            sealed.len, NULL, 0);
    if (failed == 0 && tag == TAG_MESSAGE)
        return ERR_OK;
    if (len > 0)
        sodium_memzero(frame, len);
    ret_frame->len = before;
    return decrypt_failed(c,
                          failed != 0 ? "a frame does not authenticate"
                                      : "a frame has a tag that "
                                        "is not in use",
                          e);
}
