/* Owns the three messages of the handshake and what they sign (docs/protocol.md, "Session").
 * Must not know the directory, the clock, or which answer is due. */
#include "hello.h"

#include <sodium.h>
#include <string.h>

#include "codec.h"
#include "plek.pb-c.h"

#define FEATURES_NONE UINT64_C(0)

/* What the answer's signature names, so that a welcome never passes for a refusal. */
static const uint8_t answer_is_welcome = 0x01;
static const uint8_t answer_is_refused = 0x02;

void hello_secret_from_entropy(struct hello_secret *ret, const struct entropy *r) {
    uint8_t seed[SEED_LEN];
    entropy_fill(r, ret->nonce, sizeof ret->nonce);
    entropy_fill(r, seed, sizeof seed);
    box_pair_from_seed(&ret->kx, seed);
    sodium_memzero(seed, sizeof seed);
}

void hello_secret_wipe(struct hello_secret *s) {
    sodium_memzero(s, sizeof *s);
}

/* ---- parts the messages share ---- */

static Plek__Head head_message(const struct head *head) {
    Plek__Head message = PLEK__HEAD__INIT;
    message.incarnation = head->incarnation;
    message.seq = head->seq;
    message.hash = codec_binary(bytes_of(head->hash.b, HASH_LEN));
    return message;
}

static enum err read_head(const Plek__Head *in, struct head *ret, struct error *e) {
    ret->incarnation = in->incarnation;
    ret->seq = in->seq;
    return hash_from_bytes(&ret->hash, codec_bytes(in->hash), e);
}

static enum err check_nonce(ProtobufCBinaryData nonce, struct error *e) {
    if (nonce.len != HELLO_NONCE_LEN)
        return error_set(e, ERR_MALFORMED, "hello: found a nonce of %zu bytes, expected %d",
                         nonce.len, HELLO_NONCE_LEN);
    return ERR_OK;
}

/* ---- 1. hub hello ---- */

enum err hub_hello_build(const struct public_key *network, const struct hello_secret *secret,
                         struct buf *out, struct error *e) {
    uint32_t versions[] = {PROTOCOL_VERSION};
    Plek__HubHello message = PLEK__HUB_HELLO__INIT;
    message.n_versions = sizeof versions / sizeof versions[0];
    message.versions = versions;
    message.network = codec_binary(bytes_of(network->b, KEY_LEN));
    message.nonce = codec_binary(bytes_of(secret->nonce, HELLO_NONCE_LEN));
    message.kx = codec_binary(bytes_of(secret->kx.pub.b, KEY_LEN));
    message.features = FEATURES_NONE;
    codec_encode(&message, out);
    return buf_failed(out, e);
}

static bool offers_version(const Plek__HubHello *in) {
    for (size_t i = 0; i < in->n_versions; i++)
        if (in->versions[i] == PROTOCOL_VERSION)
            return true;
    return false;
}

static enum err read_hub_hello(const Plek__HubHello *in, const struct public_key *pinned,
                               struct hub_hello *ret, struct error *e) {
    enum err rc;
    if ((rc = key_from_bytes(&ret->network, codec_bytes(in->network), e)) != ERR_OK ||
        (rc = key_from_bytes(&ret->kx, codec_bytes(in->kx), e)) != ERR_OK ||
        (rc = check_nonce(in->nonce, e)) != ERR_OK)
        return rc;
    if (!key_equal(&ret->network, pinned))
        return error_set(e, ERR_NETWORK,
                         "hub hello: another hub answers at this address than the "
                         "one whose key is pinned");
    if (!offers_version(in))
        return error_set(e, ERR_VERSION, "hub hello: the hub offers %zu versions, none of them %u",
                         in->n_versions, PROTOCOL_VERSION);
    ret->features = in->features;
    return box_key_check(&ret->kx, e);
}

enum err hub_hello_parse(struct bytes in, const struct public_key *pinned, struct hub_hello *ret,
                         struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc =
        codec_decode(&plek__hub_hello__descriptor, in, HELLO_MAX_BYTES, "hub hello", &message, e);
    if (rc != ERR_OK)
        return rc;
    struct hub_hello hello = {0};
    rc = read_hub_hello((const Plek__HubHello *)message, pinned, &hello, e);
    if (rc == ERR_OK)
        *ret = hello;
    codec_free(message);
    return rc;
}

/* ---- 2. agent hello ---- */

static enum err check_optional(struct bytes in, bool present, size_t max, const char *what,
                               struct error *e) {
    if (in.len > max)
        return error_set(e, ERR_CAP, "agent hello: found a %s of %zu bytes, expected at most %zu",
                         what, in.len, max);
    if (present && in.len == 0)
        return error_set(e, ERR_MALFORMED, "agent hello: found an empty %s, expected it left out",
                         what);
    return ERR_OK;
}

static void encode_agent_hello(const struct agent_hello *fields, const struct hello_secret *secret,
                               struct buf *out) {
    Plek__AgentHello message = PLEK__AGENT_HELLO__INIT;
    Plek__Head head = head_message(&fields->hub_head);
    message.version = PROTOCOL_VERSION;
    message.network = codec_binary(bytes_of(fields->network.b, KEY_LEN));
    message.nonce = codec_binary(bytes_of(secret->nonce, HELLO_NONCE_LEN));
    message.kx = codec_binary(bytes_of(secret->kx.pub.b, KEY_LEN));
    message.certificate = codec_binary(fields->cert_bytes);
    message.features = fields->features;
    message.hub_head = fields->has_hub_head ? &head : NULL;
    message.has_checkpoint = fields->checkpoint.len > 0;
    message.checkpoint = codec_binary(fields->checkpoint);
    message.has_join = fields->join.len > 0;
    message.join = codec_binary(fields->join);
    codec_encode(&message, out);
}

enum err agent_hello_build(const struct agent_hello *fields, const struct hello_secret *secret,
                           const struct public_key *hub, struct bytes hub_hello,
                           const struct sign_pair *agent, struct buf *out, struct error *e) {
    enum err rc;
    if (!key_equal(&fields->network, hub))
        return error_set(e, ERR_NETWORK, "agent hello: made for another network than the hub's");
    if ((rc = check_optional(fields->checkpoint, false, CHECKPOINT_MAX_BYTES, "checkpoint", e)) !=
            ERR_OK ||
        (rc = check_optional(fields->join, false, JOIN_MAX_BYTES, "join request", e)) != ERR_OK)
        return rc;
    struct buf hello;
    buf_init(&hello, HELLO_MAX_BYTES);
    encode_agent_hello(fields, secret, &hello);
    rc = buf_failed(&hello, e);
    if (rc == ERR_OK) {
        struct bytes parts[] = {bytes_of(hub->b, KEY_LEN), hub_hello, buf_bytes(&hello)};
        struct signature sig;
        sign_parts(&sig, agent, DOMAIN_HELLO_AGENT, parts, 3);
        Plek__SignedAgentHello message = PLEK__SIGNED_AGENT_HELLO__INIT;
        message.hello = codec_binary(buf_bytes(&hello));
        message.signature = codec_binary(bytes_of(sig.b, SIGNATURE_LEN));
        codec_encode(&message, out);
        rc = buf_failed(out, e);
    }
    buf_done(&hello);
    return rc;
}

static enum err read_agent_keys(const Plek__AgentHello *in, const struct public_key *hub,
                                struct agent_hello *ret, struct error *e) {
    enum err rc;
    if ((rc = key_from_bytes(&ret->network, codec_bytes(in->network), e)) != ERR_OK ||
        (rc = key_from_bytes(&ret->kx, codec_bytes(in->kx), e)) != ERR_OK ||
        (rc = check_nonce(in->nonce, e)) != ERR_OK)
        return rc;
    if (!key_equal(&ret->network, hub))
        return error_set(e, ERR_NETWORK, "agent hello: made for another network");
    if ((rc = cert_verify(codec_bytes(in->certificate), &ret->cert, e)) != ERR_OK)
        return rc;
    if (!key_equal(&ret->cert.network, hub))
        return error_set(e, ERR_NETWORK, "agent hello: its certificate is for another network");
    return box_key_check(&ret->kx, e);
}

/* `hello` is where the message stands in the caller's bytes: what is borrowed points there. */
static enum err read_agent_hello(const Plek__AgentHello *in, struct bytes hello,
                                 const struct public_key *hub, struct agent_hello *ret,
                                 struct error *e) {
    if (in->version != PROTOCOL_VERSION)
        return error_set(e, ERR_VERSION, "agent hello: found version %u, expected %u",
                         (unsigned)in->version, PROTOCOL_VERSION);
    enum err rc;
    ret->cert_bytes = codec_borrow(hello, 5);
    ret->checkpoint = codec_borrow(hello, 8);
    ret->join = codec_borrow(hello, 9);
    if ((rc = check_optional(ret->checkpoint, in->has_checkpoint, CHECKPOINT_MAX_BYTES,
                             "checkpoint", e)) != ERR_OK ||
        (rc = check_optional(ret->join, in->has_join, JOIN_MAX_BYTES, "join request", e)) != ERR_OK)
        return rc;
    ret->features = in->features;
    ret->has_hub_head = in->hub_head != NULL;
    if (in->hub_head != NULL && (rc = read_head(in->hub_head, &ret->hub_head, e)) != ERR_OK)
        return rc;
    return read_agent_keys(in, hub, ret, e);
}

static enum err decode_agent_hello(struct bytes hello, const struct public_key *hub,
                                   struct agent_hello *ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__agent_hello__descriptor, hello, HELLO_MAX_BYTES,
                               "agent hello", &message, e);
    if (rc == ERR_OK)
        rc = read_agent_hello((const Plek__AgentHello *)message, hello, hub, ret, e);
    codec_free(message);
    return rc;
}

enum err agent_hello_verify(struct bytes in, const struct public_key *hub, struct bytes hub_hello,
                            struct agent_hello *ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__signed_agent_hello__descriptor, in, HELLO_MAX_BYTES,
                               "signed agent hello", &message, e);
    if (rc != ERR_OK)
        return rc;
    struct signature sig;
    struct agent_hello fields = {0};
    struct bytes hello = codec_borrow(in, 1);
    rc = signature_from_bytes(&sig,
                              codec_bytes(((const Plek__SignedAgentHello *)message)->signature), e);
    codec_free(message);
    if (rc != ERR_OK || (rc = decode_agent_hello(hello, hub, &fields, e)) != ERR_OK)
        return rc;
    struct bytes parts[] = {bytes_of(hub->b, KEY_LEN), hub_hello, hello};
    rc = verify_parts(&fields.cert.agent, DOMAIN_HELLO_AGENT, parts, 3, &sig, e);
    if (rc == ERR_OK)
        *ret = fields;
    return rc;
}

/* ---- 3. the answer ---- */

static enum err build_answer(struct bytes answer, const uint8_t *which, struct bytes hub_hello,
                             struct bytes agent_hello, const struct sign_pair *hub, struct buf *out,
                             struct error *e) {
    struct bytes parts[] = {hub_hello, agent_hello, bytes_of(which, 1), answer};
    struct signature sig;
    sign_parts(&sig, hub, DOMAIN_HELLO_HUB, parts, 4);
    Plek__Answer message = PLEK__ANSWER__INIT;
    message.has_welcome = which == &answer_is_welcome;
    message.has_refused = which == &answer_is_refused;
    message.welcome = message.refused = codec_binary(answer);
    message.signature = codec_binary(bytes_of(sig.b, SIGNATURE_LEN));
    codec_encode(&message, out);
    return buf_failed(out, e);
}

enum err welcome_build(const struct welcome *w, struct bytes hub_hello, struct bytes agent_hello,
                       const struct sign_pair *hub, struct buf *out, struct error *e) {
    Plek__Welcome message = PLEK__WELCOME__INIT;
    Plek__Head hub_head = head_message(&w->hub_head);
    Plek__Head own_head = head_message(&w->own_head);
    message.hub_time_ms = w->hub_time_ms;
    message.hub_head = &hub_head;
    message.own_head = w->has_own_head ? &own_head : NULL;
    message.features = w->features;
    message.credit_bytes = w->credit_bytes;
    struct buf answer;
    buf_init(&answer, HELLO_MAX_BYTES);
    codec_encode(&message, &answer);
    enum err rc = buf_failed(&answer, e);
    if (rc == ERR_OK)
        rc = build_answer(buf_bytes(&answer), &answer_is_welcome, hub_hello, agent_hello, hub, out,
                          e);
    buf_done(&answer);
    return rc;
}

static enum err check_refusal(const struct refused *r, struct error *e) {
    size_t len = strnlen(r->detail, sizeof r->detail);
    if (r->code == ERR_OK || len > REFUSED_DETAIL_MAX || !utf8_valid(bytes_of(r->detail, len)))
        return error_set(e, ERR_INTERNAL, "refusal: its code or its detail cannot be sent");
    return ERR_OK;
}

enum err refused_build(const struct refused *r, struct bytes hub_hello, struct bytes agent_hello,
                       const struct sign_pair *hub, struct buf *out, struct error *e) {
    enum err rc = check_refusal(r, e);
    if (rc != ERR_OK)
        return rc;
    Plek__Refused message = PLEK__REFUSED__INIT;
    message.code = error_wire(r->code);
    message.hub_time_ms = r->hub_time_ms;
    message.detail = r->detail[0] != '\0' ? (char *)(uintptr_t)r->detail : NULL;
    message.has_retry_after_ms = r->retry_after_ms != 0;
    message.retry_after_ms = r->retry_after_ms;
    message.has_used_ms = r->used_ms != 0;
    message.used_ms = r->used_ms;
    message.has_used_by = !key_is_zero(&r->used_by);
    message.used_by = codec_binary(bytes_of(r->used_by.b, KEY_LEN));
    struct buf answer;
    buf_init(&answer, HELLO_MAX_BYTES);
    codec_encode(&message, &answer);
    rc = buf_failed(&answer, e);
    if (rc == ERR_OK)
        rc = build_answer(buf_bytes(&answer), &answer_is_refused, hub_hello, agent_hello, hub, out,
                          e);
    buf_done(&answer);
    return rc;
}

static enum err read_welcome(struct bytes in, struct welcome *ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc =
        codec_decode(&plek__welcome__descriptor, in, HELLO_MAX_BYTES, "welcome", &message, e);
    if (rc != ERR_OK)
        return rc;
    const Plek__Welcome *welcome = (const Plek__Welcome *)message;
    struct welcome w = {.hub_time_ms = welcome->hub_time_ms,
                        .has_own_head = welcome->own_head != NULL,
                        .features = welcome->features,
                        .credit_bytes = welcome->credit_bytes};
    rc = read_head(welcome->hub_head, &w.hub_head, e);
    if (rc == ERR_OK && welcome->own_head != NULL)
        rc = read_head(welcome->own_head, &w.own_head, e);
    if (rc == ERR_OK)
        *ret = w;
    codec_free(message);
    return rc;
}

static enum err read_refusal(const Plek__Refused *in, struct refused *ret, struct error *e) {
    const char *detail = in->detail != NULL ? in->detail : "";
    if (strlen(detail) > REFUSED_DETAIL_MAX)
        return error_set(e, ERR_CAP, "refusal: found a detail of %zu bytes, expected at most %d",
                         strlen(detail), REFUSED_DETAIL_MAX);
    if (error_from_wire(in->code) == ERR_OK)
        return error_set(e, ERR_MALFORMED, "refusal: found code 0, which is no error");
    struct refused r = {.code = error_from_wire(in->code),
                        .hub_time_ms = in->hub_time_ms,
                        .retry_after_ms = in->has_retry_after_ms ? in->retry_after_ms : 0,
                        .used_ms = in->has_used_ms ? in->used_ms : 0};
    memcpy(r.detail, detail, strlen(detail) + 1);
    if (in->has_used_by) {
        enum err rc = key_from_bytes(&r.used_by, codec_bytes(in->used_by), e);
        if (rc != ERR_OK)
            return rc;
    }
    *ret = r;
    return ERR_OK;
}

static enum err read_refused(struct bytes in, struct refused *ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc =
        codec_decode(&plek__refused__descriptor, in, HELLO_MAX_BYTES, "refusal", &message, e);
    if (rc == ERR_OK)
        rc = read_refusal((const Plek__Refused *)message, ret, e);
    codec_free(message);
    return rc;
}

/* Takes an Answer apart; the answer is borrowed from `in`. */
static enum err open_answer(struct bytes in, bool *ret_welcomed, struct bytes *ret_answer,
                            struct signature *ret_sig, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc =
        codec_decode(&plek__answer__descriptor, in, HELLO_MAX_BYTES, "answer", &message, e);
    if (rc != ERR_OK)
        return rc;
    const Plek__Answer *answer = (const Plek__Answer *)message;
    bool welcomed = answer->has_welcome;
    if (answer->has_welcome == answer->has_refused)
        rc = error_set(e, ERR_MALFORMED, "answer: found %s, expected exactly one of them",
                       welcomed ? "both welcome and refused" : "neither welcome nor refused");
    else
        rc = signature_from_bytes(ret_sig, codec_bytes(answer->signature), e);
    codec_free(message);
    if (rc != ERR_OK)
        return rc;
    *ret_welcomed = welcomed;
    *ret_answer = codec_borrow(in, welcomed ? 1 : 2);
    return ERR_OK;
}

enum err answer_verify(struct bytes in, const struct public_key *hub, struct bytes hub_hello,
                       struct bytes agent_hello, bool *ret_welcomed, struct welcome *ret_welcome,
                       struct refused *ret_refused, struct error *e) {
    bool welcomed;
    struct bytes answer;
    struct signature sig;
    enum err rc = open_answer(in, &welcomed, &answer, &sig, e);
    if (rc != ERR_OK)
        return rc;
    const uint8_t *which = welcomed ? &answer_is_welcome : &answer_is_refused;
    struct bytes parts[] = {hub_hello, agent_hello, bytes_of(which, 1), answer};
    rc = verify_parts(hub, DOMAIN_HELLO_HUB, parts, 4, &sig, e);
    if (rc != ERR_OK)
        return rc;
    rc = welcomed ? read_welcome(answer, ret_welcome, e) : read_refused(answer, ret_refused, e);
    if (rc == ERR_OK)
        *ret_welcomed = welcomed;
    return rc;
}
