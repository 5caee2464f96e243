/* Fuzzes the three messages of the handshake, as they come and signed anew for a handshake we hold
 * the keys of: docs/protocol.md, "Session". Nothing is filled in before a signature verifies. */
#include <string.h>

#include "codec.h"
#include "fuzz.h"
#include "hello.h"
#include "plek.pb-c.h"

struct cast {
    struct sign_pair hub, agent;
    struct buf hub_hello;
};

static void cast_init(struct cast *c) {
    uint8_t seed[SEED_LEN];
    struct hello_secret secret = {.nonce = {7}};
    struct error e = {0};
    memset(seed, 1, sizeof seed);
    sign_pair_from_seed(&c->hub, seed);
    memset(seed, 4, sizeof seed);
    sign_pair_from_seed(&c->agent, seed);
    box_pair_from_seed(&secret.kx, seed);
    buf_init(&c->hub_hello, HELLO_MAX_BYTES);
    FUZZ_CHECK(hub_hello_build(&c->hub.pub, &secret, &c->hub_hello, &e) == ERR_OK);
}

static void try_hub_hello(struct bytes in, const struct cast *c) {
    struct error e = {0};
    struct hub_hello hello;
    fuzz_fill(&hello, sizeof hello);
    if (fuzz_accepted(hub_hello_parse(in, &c->hub.pub, &hello, &e), &e)) {
        FUZZ_CHECK(in.len <= HELLO_MAX_BYTES && key_equal(&hello.network, &c->hub.pub));
        FUZZ_CHECK(box_key_check(&hello.kx, &e) == ERR_OK);
    } else {
        FUZZ_CHECK(fuzz_untouched(&hello, sizeof hello));
    }
}

/* ---- the agent's ---- */

static bool lies_in(struct bytes part, struct bytes whole) {
    return part.len == 0 ||
           (part.data > whole.data && part.data + part.len <= whole.data + whole.len);
}

static bool try_agent_hello(struct bytes in, const struct cast *c) {
    struct error e = {0};
    struct agent_hello hello;
    fuzz_fill(&hello, sizeof hello);
    if (!fuzz_accepted(agent_hello_verify(in, &c->hub.pub, buf_bytes(&c->hub_hello), &hello, &e),
                       &e)) {
        FUZZ_CHECK(fuzz_untouched(&hello, sizeof hello));
        return false;
    }
    FUZZ_CHECK(key_equal(&hello.network, &c->hub.pub));
    FUZZ_CHECK(key_equal(&hello.cert.network, &c->hub.pub));
    FUZZ_CHECK(lies_in(hello.cert_bytes, in) && lies_in(hello.join, in) &&
               lies_in(hello.checkpoint, in));
    return true;
}

static void sign_agent_hello(struct bytes inner, const struct cast *c, struct buf *out) {
    struct bytes parts[] = {bytes_of(c->hub.pub.b, KEY_LEN), buf_bytes(&c->hub_hello), inner};
    struct signature sig;
    Plek__SignedAgentHello m = PLEK__SIGNED_AGENT_HELLO__INIT;
    sign_parts(&sig, &c->agent, DOMAIN_HELLO_AGENT, parts, 3);
    m.hello = codec_binary(inner);
    m.signature = codec_binary(bytes_of(sig.b, SIGNATURE_LEN));
    codec_encode(&m, out);
}

/* ---- the answer ---- */

static void try_answer(struct bytes in, const struct cast *c, struct bytes agent_hello, bool ours) {
    struct error e = {0};
    struct welcome welcome;
    struct refused refused;
    bool welcomed = false;
    fuzz_fill(&welcome, sizeof welcome);
    fuzz_fill(&refused, sizeof refused);
    bool accepted = fuzz_accepted(answer_verify(in, &c->hub.pub, buf_bytes(&c->hub_hello),
                                                agent_hello, &welcomed, &welcome, &refused, &e),
                                  &e);
    FUZZ_CHECK(!accepted || ours);
    FUZZ_CHECK((accepted && welcomed) || fuzz_untouched(&welcome, sizeof welcome));
    FUZZ_CHECK((accepted && !welcomed) || fuzz_untouched(&refused, sizeof refused));
    if (accepted && !welcomed) {
        FUZZ_CHECK(refused.code != ERR_OK && refused.code < ERR_COUNT);
        FUZZ_CHECK(utf8_valid(bytes_str(refused.detail)));
    }
}

static void sign_answer(struct bytes inner, bool welcome, struct bytes agent_hello,
                        const struct cast *c, struct buf *out) {
    uint8_t which = welcome ? 1 : 2;
    struct bytes parts[] = {buf_bytes(&c->hub_hello), agent_hello, bytes_of(&which, 1), inner};
    struct signature sig;
    Plek__Answer m = PLEK__ANSWER__INIT;
    sign_parts(&sig, &c->hub, DOMAIN_HELLO_HUB, parts, 4);
    m.has_welcome = welcome;
    m.has_refused = !welcome;
    m.welcome = m.refused = codec_binary(inner);
    m.signature = codec_binary(bytes_of(sig.b, SIGNATURE_LEN));
    codec_encode(&m, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in) % 6;
    struct bytes message = fuzz_rest(&in), agent_hello = bytes_str("the agent's hello");
    struct cast c;
    struct buf out;
    if (message.len > SIGN_MAX_BYTES / 2)
        return 0; /* more than anybody signs */
    cast_init(&c);
    buf_init(&out, message.len + 1024);
    switch (how) {
    case 0:
        try_hub_hello(message, &c);
        break;
    case 1:
        (void)try_agent_hello(message, &c);
        break;
    case 2:
        sign_agent_hello(message, &c, &out);
        (void)try_agent_hello(buf_bytes(&out), &c);
        break;
    case 3:
        try_answer(message, &c, agent_hello, false);
        break;
    default:
        sign_answer(message, how == 4, agent_hello, &c, &out);
        try_answer(buf_bytes(&out), &c, agent_hello, true);
        try_answer(buf_bytes(&out), &c, bytes_str("another hello"), false);
    }
    buf_done(&out);
    buf_done(&c.hub_hello);
    return 0;
}
