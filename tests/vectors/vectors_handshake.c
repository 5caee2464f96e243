/* Implements the vector of one handshake: its three messages, T, the stream keys, and the first
 * frame each way. T and the keys are made here from the definition and compared with what the
 * channel does. */
#include <sodium.h>
#include <string.h>

#include "channel.h"
#include "vectors.h"

struct handshake {
    struct sign_pair hub, agent;
    struct hello_secret hub_secret, agent_secret;
    struct buf hub_hello, agent_hello, welcome, refused;
};

static struct hello_secret secret_of(const json_t *in, const char *nonce, const char *kx_seed) {
    struct hello_secret s;
    vector_get(in, nonce, s.nonce, sizeof s.nonce);
    s.kx = vector_get_box_pair(in, kx_seed);
    return s;
}

static struct head head_of(const json_t *in) {
    struct head head = {.incarnation = (uint64_t)vector_get_int(in, "incarnation"),
                        .seq = (uint64_t)vector_get_int(in, "seq")};
    vector_get(in, "hash", head.hash.b, HASH_LEN);
    return head;
}

static void build_hellos(struct handshake *h, const json_t *in) {
    struct buf cert = vector_make_certificate(in);
    struct error e = {0};
    struct agent_hello fields = {
        .network = h->hub.pub,
        .cert_bytes = buf_bytes(&cert),
        .has_hub_head = true,
        .hub_head = head_of(vector_get_member(in, "agent_knows_hub_head")),
    };
    buf_init(&h->hub_hello, HELLO_MAX_BYTES);
    buf_init(&h->agent_hello, HELLO_MAX_BYTES);
    vector_check(hub_hello_build(&h->hub.pub, &h->hub_secret, &h->hub_hello, &e), &e, "hub hello");
    vector_check(agent_hello_build(&fields, &h->agent_secret, &h->hub.pub, buf_bytes(&h->hub_hello),
                                   &h->agent, &h->agent_hello, &e),
                 &e, "agent hello");
    buf_done(&cert);
}

static void build_answers(struct handshake *h, const json_t *in) {
    struct error e = {0};
    struct welcome w = {
        .hub_time_ms = vector_get_int(in, "hub_time_ms"),
        .hub_head = head_of(vector_get_member(in, "hub_head")),
        .has_own_head = true,
        .own_head = head_of(vector_get_member(in, "own_head")),
        .credit_bytes = (uint64_t)vector_get_int(in, "credit_bytes"),
    };
    struct refused r = {.code = ERR_BUSY,
                        .hub_time_ms = w.hub_time_ms,
                        .retry_after_ms = (uint32_t)vector_get_int(in, "retry_after_ms")};
    struct bytes hub_hello = buf_bytes(&h->hub_hello), agent_hello = buf_bytes(&h->agent_hello);
    strncpy(r.detail, vector_get_text(in, "refused_detail"), REFUSED_DETAIL_MAX);
    buf_init(&h->welcome, HELLO_MAX_BYTES);
    buf_init(&h->refused, HELLO_MAX_BYTES);
    vector_check(welcome_build(&w, hub_hello, agent_hello, &h->hub, &h->welcome, &e), &e,
                 "welcome");
    vector_check(refused_build(&r, hub_hello, agent_hello, &h->hub, &h->refused, &e), &e,
                 "refused");
}

static struct hash transcript(const struct handshake *h) {
    const struct buf *messages[] = {&h->hub_hello, &h->agent_hello, &h->welcome};
    struct buf all;
    buf_init(&all, 4 * HELLO_MAX_BYTES);
    for (size_t i = 0; i < 3; i++) {
        buf_append_u64be(&all, messages[i]->len);
        buf_append(&all, messages[i]->data, messages[i]->len);
    }
    struct hash t = hash_blake2b(buf_bytes(&all));
    buf_done(&all);
    return t;
}

static void derive(uint8_t *out, size_t len, const uint8_t kx_key[static 32], const char *label,
                   const struct hash *t) {
    struct buf b;
    buf_init(&b, 256);
    buf_append_str(&b, label);
    buf_append(&b, t->b, HASH_LEN);
    crypto_generichash(out, len, b.data, b.len, kx_key, 32);
    buf_done(&b);
}

/* One direction: stream key, header, and the first frame as a reader with just these opens it. */
static void put_direction(json_t *out, const char *name, const uint8_t kx_key[static 32],
                          const struct hash *t, struct channel *sender, struct bytes frame) {
    uint8_t key[32], header[24], opened[4096];
    unsigned char tag = 0xff;
    unsigned long long opened_len = 0;
    crypto_secretstream_xchacha20poly1305_state stream;
    struct buf sealed;
    struct error e = {0};
    json_t *direction = json_object();
    derive(key, sizeof key, kx_key, "plek/1/stream", t);
    derive(header, sizeof header, kx_key, "plek/1/stream-header", t);
    buf_init(&sealed, FRAME_MAX_BYTES);
    vector_check(channel_seal(sender, frame, &sealed, &e), &e, name);
    crypto_secretstream_xchacha20poly1305_init_pull(&stream, header, key);
    bool same = sealed.len <= sizeof opened &&
                crypto_secretstream_xchacha20poly1305_pull(&stream, opened, &opened_len, &tag,
                                                           sealed.data, sealed.len, NULL, 0) == 0 &&
                tag == 0 && bytes_equal(bytes_of(opened, (size_t)opened_len), frame);
    vector_check(same ? ERR_OK : ERR_INTERNAL, NULL, name);
    vector_put(direction, "kx_key", bytes_of(kx_key, 32));
    vector_put(direction, "stream_key", bytes_of(key, sizeof key));
    vector_put(direction, "stream_header", bytes_of(header, sizeof header));
    vector_put(direction, "first_message", buf_bytes(&sealed));
    json_object_set_new(out, name, direction);
    buf_done(&sealed);
}

static void put_channel(json_t *out, const json_t *in, const struct handshake *h) {
    struct hash t = transcript(h);
    uint8_t rx[32], tx[32];
    struct channel agent, hub;
    struct error e = {0};
    struct buf from_agent = vector_get_buf(in, "agent_frame");
    struct buf from_hub = vector_get_buf(in, "hub_frame");
    vector_check(channel_init(&agent, true, &h->agent_secret, &h->hub_secret.kx.pub,
                              buf_bytes(&h->hub_hello), buf_bytes(&h->agent_hello),
                              buf_bytes(&h->welcome), &e),
                 &e, "channel");
    vector_check(channel_init(&hub, false, &h->hub_secret, &h->agent_secret.kx.pub,
                              buf_bytes(&h->hub_hello), buf_bytes(&h->agent_hello),
                              buf_bytes(&h->welcome), &e),
                 &e, "channel");
    int rc = crypto_kx_client_session_keys(rx, tx, h->agent_secret.kx.pub.b,
                                           h->agent_secret.kx.secret, h->hub_secret.kx.pub.b);
    vector_check(rc == 0 ? ERR_OK : ERR_LOW_ORDER, NULL, "kx");
    vector_put(out, "transcript_hash", bytes_of(t.b, HASH_LEN));
    put_direction(out, "agent_to_hub", tx, &t, &agent, buf_bytes(&from_agent));
    put_direction(out, "hub_to_agent", rx, &t, &hub, buf_bytes(&from_hub));
    buf_done(&from_agent);
    buf_done(&from_hub);
}

json_t *vector_handshake(const json_t *in) {
    struct handshake h = {
        .hub = vector_get_sign_pair(in, "hub_seed"),
        .agent = vector_get_sign_pair(in, "agent_seed"),
        .hub_secret = secret_of(in, "hub_nonce", "hub_kx_seed"),
        .agent_secret = secret_of(in, "agent_nonce", "agent_kx_seed"),
    };
    json_t *out = json_object();
    build_hellos(&h, in);
    build_answers(&h, in);
    vector_put(out, "hub_kx", bytes_of(h.hub_secret.kx.pub.b, KEY_LEN));
    vector_put(out, "agent_kx", bytes_of(h.agent_secret.kx.pub.b, KEY_LEN));
    vector_put(out, "hub_hello", buf_bytes(&h.hub_hello));
    vector_put(out, "signed_agent_hello", buf_bytes(&h.agent_hello));
    vector_put(out, "welcome_answer", buf_bytes(&h.welcome));
    vector_put(out, "refused_answer", buf_bytes(&h.refused));
    put_channel(out, in, &h);
    buf_done(&h.hub_hello);
    buf_done(&h.agent_hello);
    buf_done(&h.welcome);
    buf_done(&h.refused);
    return out;
}
