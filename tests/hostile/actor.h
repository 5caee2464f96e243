/* Owns an agent played by hand at a real hub: keys and certificate, a websocket, the handshake and
 * the channel, its own feed, and every piece of it open to be made wrong before it is sent. Must
 * not know which rule a test breaks. Failures end the test. */
#ifndef PLEK_TEST_ACTOR_H
#define PLEK_TEST_ACTOR_H

#include "audience.h"
#include "peer.h"
#include "plek.pb-c.h"
#include "unit/session_kit.h"

struct actor {
    char address[64];
    struct kit kit; /* of the hub only the public key */
    struct sign_pair invite;
    struct box_pair box;
    struct buf join; /* SignedJoin, until it was used */
    bool joined;
    struct puppet puppet;
    struct peer peer;
    bool connected, pulled;
    struct head head; /* of its feed, as acknowledged */
    uint64_t pushed, credit, delivered;
    struct audience_ctx ctx;
    struct audience_key key;
    struct hash key_id;
    /* Of what ended the connection: the close frame's reason, or the signed refusal's code. */
    char reason[128];
    enum err left;
};

/* A member-to-be by an invitation's URI; `seed` makes all its keys. */
void actor_init(struct actor *a, const char *uri, uint64_t seed);
void actor_done(struct actor *a);
/* The certificate anew, after kit.cert or keys were changed. */
void actor_certify(struct actor *a);

/* ---- the handshake, step by step or all at once ---- */

/* Connects and reads the hub's hello. */
void actor_open(struct actor *a);
typedef void change_hello(Plek__AgentHello *hello, struct actor *a);
/* The signed hello (with the join request when it is not admitted yet), changed before it is signed
 * under `domain` (NULL: the right one); it stays in puppet.agent_hello. */
void actor_make_hello(struct actor *a, change_hello *change, const char *domain);
void actor_send(struct actor *a, struct bytes message);
/* The hub's answer: ERR_OK welcomed, or the code of a signed refusal. The connection has to give
 * one. */
enum err actor_answer(struct actor *a, struct welcome *ret_welcome, struct refused *ret_refused);
/* Closed with this code's name and not a word before it. */
void actor_expect_closed(struct actor *a, enum err code);
/* All of it, and the Pull; catches up until the tip. */
void actor_connect(struct actor *a);
void actor_disconnect(struct actor *a);

/* ---- frames ---- */

void actor_send_plain(struct actor *a, struct bytes plain);
void actor_send_frame(struct actor *a, const struct frame *frame);
/* The next frame, its kind; 0: the connection ended (reason). Deliver frames are taken. */
int actor_next(struct actor *a, struct frame *ret);
/* Reads until the end: a Leave's code (left), or the close frame's reason. */
void actor_expect_end(struct actor *a, enum err code, bool signed_leave);

/* ---- entries ---- */

#define ACTOR_VIEWS 4
struct craft {
    struct header header;
    struct view views[ENTRY_MAX_VIEWS];
    size_t count;
    const struct sign_pair *signer;
    struct buf data[ACTOR_VIEWS];
};
/* The next entry of its feed: an update with one sealed state. */
void actor_craft(struct actor *a, struct craft *ret);
/* A view of the i-th kind of thing with this target byte; its data is `len` bytes of nothing. */
struct view actor_view(uint32_t kind, size_t target_len, uint8_t byte, size_t len);
void craft_build(const struct craft *c, struct buf *out, struct hash *ret_hash);
void craft_done(struct craft *c);
typedef void change_entry(Plek__Entry *entry, Plek__Header *header, struct actor *a);
/* The bytes of the crafted entry, taken apart, changed, and signed again. */
void craft_changed(const struct craft *c, change_entry *change, struct actor *a, struct buf *out);
/* Pushes and reads the answer: ERR_OK acknowledged, else the code of the Reject, or of the Leave
 * (then a->left is set). */
enum err actor_push(struct actor *a, struct bytes entry);
/* Opens its feed when it is not, with grants to these; publishes one state. */
void actor_publish(struct actor *a, struct actor *const *readers, size_t count);
/* Reads frames until a state of this author's (seq) was delivered. */
void actor_expect_state(struct actor *a, const struct actor *author);

#endif
