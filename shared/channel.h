/* Owns the encrypted channel after a handshake: one secretstream per direction, and frames in it.
 * Source: docs/protocol.md, "Channel". */
#ifndef PLEK_CHANNEL_H
#define PLEK_CHANNEL_H

#include <sodium.h>

#include "hello.h"

#define FRAME_MAX_BYTES (ENTRY_MAX_BYTES + 4096)
#define CHANNEL_OVERHEAD crypto_secretstream_xchacha20poly1305_ABYTES

struct channel {
    crypto_secretstream_xchacha20poly1305_state out, in;
    bool ready;
};

/* T = BLAKE2b-256 over hub hello, signed agent hello, answer, each with its u64be length. The agent
 * is the kx client. ERR_LOW_ORDER when the peer's ephemeral key is bad. */
enum err channel_init(struct channel *ret, bool is_agent, const struct hello_secret *mine,
                      const struct public_key *peer_kx, struct bytes hub_hello,
                      struct bytes agent_hello, struct bytes answer, struct error *e) MUST_USE;
void channel_wipe(struct channel *c);
/* Appends the sealed message. Order matters: call once per message sent. */
enum err channel_seal(struct channel *c, struct bytes frame, struct buf *out, struct error *e)
    MUST_USE;
/* ERR_DECRYPT: the connection is no longer to be trusted. ERR_CAP. */
enum err channel_open(struct channel *c, struct bytes sealed, struct buf *ret_frame,
                      struct error *e) MUST_USE;

#endif
