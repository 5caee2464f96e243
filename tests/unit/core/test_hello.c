/* Tests of the handshake's messages one by one: every field wrong in turn, every damage. */
#include <criterion/criterion.h>
#include <string.h>

#include "codec.h"
#include "flip.h"
#include "hello_checks.h"
#include "plek.pb-c.h"

TestSuite(hello, .init = setup, .fini = teardown);

/* ---- each field of the hub hello wrong in turn ---- */

static uint8_t spare[HELLO_MAX_BYTES];

static void no_versions(Plek__HubHello *h) {
    h->n_versions = 0;
}
static void later_versions(Plek__HubHello *h) {
    h->versions[0] = 2;
}
static void short_hub_network(Plek__HubHello *h) {
    h->network.len--;
}
static void other_hub_network(Plek__HubHello *h) {
    h->network.data[0] ^= 1;
}
static void short_hub_nonce(Plek__HubHello *h) {
    h->nonce.len--;
}
static void long_hub_kx(Plek__HubHello *h) {
    h->kx = codec_binary(bytes_of(spare, KEY_LEN + 1));
}
static void low_order_hub_kx(Plek__HubHello *h) {
    h->kx = codec_binary(bytes_of(spare, KEY_LEN));
}
static void many_versions(Plek__HubHello *h) {
    static uint32_t versions[HELLO_MAX_BYTES];
    h->versions = versions;
    h->n_versions = sizeof versions / sizeof versions[0];
}

static enum err parse_damaged_hub(void (*damage)(Plek__HubHello *)) {
    ProtobufCMessage *message = NULL;
    struct error e;
    struct buf out;
    buf_init(&out, 4 * HELLO_MAX_BYTES);
    cr_assert_eq(codec_decode(&plek__hub_hello__descriptor, hub_hello(), HELLO_MAX_BYTES, "test",
                              &message, &e),
                 ERR_OK);
    Plek__HubHello copy = *(Plek__HubHello *)message; /* shares its byte strings */
    damage(&copy);
    codec_encode(&copy, &out);
    enum err rc = parse_hub(buf_bytes(&out));
    codec_free(message);
    buf_done(&out);
    return rc;
}

Test(hello, each_field_of_the_hub_hello_wrong) {
    static const struct {
        const char *name;
        void (*damage)(Plek__HubHello *);
        enum err expected;
    } cases[] = {
        {"no versions", no_versions, ERR_VERSION},
        {"later versions", later_versions, ERR_VERSION},
        {"short network", short_hub_network, ERR_MALFORMED},
        {"other network", other_hub_network, ERR_NETWORK},
        {"short nonce", short_hub_nonce, ERR_MALFORMED},
        {"long kx", long_hub_kx, ERR_MALFORMED},
        {"kx of low order", low_order_hub_kx, ERR_LOW_ORDER},
        {"beyond the cap", many_versions, ERR_CAP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(parse_damaged_hub(cases[i].damage), cases[i].expected, "%s", cases[i].name);
}

Test(hello, a_hub_that_speaks_more_versions) {
    ProtobufCMessage *message = NULL;
    struct error e;
    struct buf out;
    buf_init(&out, HELLO_MAX_BYTES);
    cr_assert_eq(codec_decode(&plek__hub_hello__descriptor, hub_hello(), HELLO_MAX_BYTES, "test",
                              &message, &e),
                 ERR_OK);
    Plek__HubHello copy = *(Plek__HubHello *)message;
    uint32_t versions[] = {3, PROTOCOL_VERSION};
    copy.versions = versions;
    copy.n_versions = 2;
    codec_encode(&copy, &out);
    cr_expect_eq(parse_hub(buf_bytes(&out)), ERR_OK);
    codec_free(message);
    buf_done(&out);
}

/* ---- each field of the agent hello wrong in turn, properly signed ---- */

static void other_version(Plek__AgentHello *h) {
    h->version = 2;
}
static void short_network(Plek__AgentHello *h) {
    h->network.len--;
}
static void other_network(Plek__AgentHello *h) {
    h->network.data[0] ^= 1;
}
static void long_nonce(Plek__AgentHello *h) {
    h->nonce = codec_binary(bytes_of(spare, HELLO_NONCE_LEN + 1));
}
static void short_kx(Plek__AgentHello *h) {
    h->kx.len--;
}
static void low_order_kx(Plek__AgentHello *h) {
    h->kx = codec_binary(bytes_of(spare, KEY_LEN));
}
static void no_certificate(Plek__AgentHello *h) {
    h->certificate.len = 0;
}
static void damaged_certificate(Plek__AgentHello *h) {
    h->certificate.data[h->certificate.len - 1] ^= 1;
}
static void short_head(Plek__AgentHello *h) {
    h->hub_head->hash.len--;
}
static void long_checkpoint(Plek__AgentHello *h) {
    h->checkpoint = codec_binary(bytes_of(spare, CHECKPOINT_MAX_BYTES + 1));
}
static void empty_checkpoint(Plek__AgentHello *h) {
    h->checkpoint.len = 0;
}
static void long_join(Plek__AgentHello *h) {
    h->join = codec_binary(bytes_of(spare, JOIN_MAX_BYTES + 1));
}
static void empty_join(Plek__AgentHello *h) {
    h->join.len = 0;
}

static struct buf replacement;
static void replace_certificate(Plek__AgentHello *h, const struct cert *cert,
                                const struct sign_pair *member, const struct sign_pair *agent) {
    struct error e;
    cr_assert_eq(cert_issue(cert, member, agent, &replacement, &e), ERR_OK);
    h->certificate = codec_binary(buf_bytes(&replacement));
}
static void foreign_certificate(Plek__AgentHello *h) {
    struct cert cert = hs.party.cert_fields;
    cert.network = hs.party.next.pub;
    replace_certificate(h, &cert, &hs.party.member, &hs.party.agent);
}
static void certificate_of_another_agent(Plek__AgentHello *h) {
    struct cert cert = hs.party.cert_fields;
    cert.agent = hs.party.next.pub;
    replace_certificate(h, &cert, &hs.party.member, &hs.party.next);
}

static void sign_any(struct bytes hello, const char *domain, struct buf *out) {
    struct bytes parts[] = {bytes_of(hs.party.hub.pub.b, KEY_LEN), hub_hello(), hello};
    struct signature sig;
    sign_parts(&sig, &hs.party.agent, domain, parts, 3);
    Plek__SignedAgentHello message = PLEK__SIGNED_AGENT_HELLO__INIT;
    message.hello = codec_binary(hello);
    message.signature = codec_binary(bytes_of(sig.b, SIGNATURE_LEN));
    codec_encode(&message, out);
}

static enum err verify_damaged_agent(void (*damage)(Plek__AgentHello *)) {
    ProtobufCMessage *message = NULL;
    struct error e;
    struct buf inner, out;
    buf_init(&inner, 2 * HELLO_MAX_BYTES);
    buf_init(&out, 2 * HELLO_MAX_BYTES);
    buf_init(&replacement, CERT_MAX_BYTES);
    cr_assert_eq(codec_decode(&plek__agent_hello__descriptor, codec_borrow(agent_hello(), 1),
                              HELLO_MAX_BYTES, "test", &message, &e),
                 ERR_OK);
    Plek__AgentHello copy = *(Plek__AgentHello *)message; /* shares its byte strings */
    damage(&copy);
    codec_encode(&copy, &inner);
    sign_any(buf_bytes(&inner), DOMAIN_HELLO_AGENT, &out);
    enum err rc = verify_agent(buf_bytes(&out), hub_hello());
    codec_free(message);
    buf_done(&inner);
    buf_done(&out);
    buf_done(&replacement);
    return rc;
}

Test(hello, each_field_of_the_agent_hello_wrong) {
    static const struct {
        const char *name;
        void (*damage)(Plek__AgentHello *);
        enum err expected;
    } cases[] = {
        {"other version", other_version, ERR_VERSION},
        {"short network", short_network, ERR_MALFORMED},
        {"other network", other_network, ERR_NETWORK},
        {"long nonce", long_nonce, ERR_MALFORMED},
        {"short kx", short_kx, ERR_MALFORMED},
        {"kx of low order", low_order_kx, ERR_LOW_ORDER},
        {"no certificate", no_certificate, ERR_MALFORMED},
        {"damaged certificate", damaged_certificate, ERR_CERTIFICATE},
        {"certificate for another network", foreign_certificate, ERR_NETWORK},
        {"certificate of another agent", certificate_of_another_agent, ERR_SIGNATURE},
        {"short head", short_head, ERR_MALFORMED},
        {"long checkpoint", long_checkpoint, ERR_CAP},
        {"empty checkpoint", empty_checkpoint, ERR_MALFORMED},
        {"long join", long_join, ERR_CAP},
        {"empty join", empty_join, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(verify_damaged_agent(cases[i].damage), cases[i].expected, "%s", cases[i].name);
}

Test(hello, agent_hellos_that_are_not_built) {
    struct agent_hello fields = handshake_fields(&hs);
    struct buf out;
    struct error e;
    buf_init(&out, HELLO_MAX_BYTES);
    fields.checkpoint = bytes_of(spare, CHECKPOINT_MAX_BYTES + 1);
    cr_expect_eq(agent_hello_build(&fields, &hs.agent, &hs.party.hub.pub, hub_hello(),
                                   &hs.party.agent, &out, &e),
                 ERR_CAP);
    fields = handshake_fields(&hs);
    fields.join = bytes_of(spare, JOIN_MAX_BYTES + 1);
    cr_expect_eq(agent_hello_build(&fields, &hs.agent, &hs.party.hub.pub, hub_hello(),
                                   &hs.party.agent, &out, &e),
                 ERR_CAP);
    cr_expect_eq(out.len, 0);
    buf_done(&out);
}

Test(hello, signed_under_another_domain) {
    struct buf out;
    buf_init(&out, HELLO_MAX_BYTES);
    sign_any(codec_borrow(agent_hello(), 1), DOMAIN_HELLO_HUB, &out);
    cr_expect_eq(verify_agent(buf_bytes(&out), hub_hello()), ERR_SIGNATURE);
    buf_done(&out);
}

/* ---- each field of the answer wrong in turn, properly signed ---- */

static enum err verify_signed(struct bytes inner, uint8_t which) {
    struct bytes parts[] = {hub_hello(), agent_hello(), bytes_of(&which, 1), inner};
    struct signature sig;
    struct buf out;
    sign_parts(&sig, &hs.party.hub, DOMAIN_HELLO_HUB, parts, 4);
    Plek__Answer message = PLEK__ANSWER__INIT;
    message.has_welcome = which == 1;
    message.has_refused = which == 2;
    message.welcome = message.refused = codec_binary(inner);
    message.signature = codec_binary(bytes_of(sig.b, SIGNATURE_LEN));
    buf_init(&out, 2 * HELLO_MAX_BYTES);
    codec_encode(&message, &out);
    enum err rc = verify_answer(buf_bytes(&out), hub_hello(), agent_hello());
    buf_done(&out);
    return rc;
}

static enum err verify_message(const void *message, uint8_t which) {
    struct buf inner;
    buf_init(&inner, HELLO_MAX_BYTES);
    codec_encode(message, &inner);
    enum err rc = verify_signed(buf_bytes(&inner), which);
    buf_done(&inner);
    return rc;
}

Test(hello, each_field_of_the_answer_wrong) {
    Plek__Head head = PLEK__HEAD__INIT, bad = PLEK__HEAD__INIT;
    head.hash = codec_binary(bytes_of(spare, HASH_LEN));
    bad.hash = codec_binary(bytes_of(spare, HASH_LEN - 1));
    Plek__Welcome w = PLEK__WELCOME__INIT;
    w.hub_head = &head;
    cr_expect_eq(verify_message(&w, 1), ERR_OK);
    cr_expect_eq(verify_message(&w, 2), ERR_MALFORMED);
    w.own_head = &bad;
    cr_expect_eq(verify_message(&w, 1), ERR_MALFORMED);
    w.own_head = NULL;
    w.hub_head = &bad;
    cr_expect_eq(verify_message(&w, 1), ERR_MALFORMED);
    Plek__Refused r = PLEK__REFUSED__INIT;
    char detail[REFUSED_DETAIL_MAX + 2];
    memset(detail, 'x', sizeof detail);
    detail[REFUSED_DETAIL_MAX + 1] = '\0';
    r.code = error_wire(ERR_BUSY);
    cr_expect_eq(verify_message(&r, 2), ERR_OK);
    cr_expect_eq(verify_message(&r, 1), ERR_MALFORMED);
    r.detail = detail;
    cr_expect_eq(verify_message(&r, 2), ERR_CAP);
    r.detail = NULL;
    r.code = 0;
    cr_expect_eq(verify_message(&r, 2), ERR_MALFORMED);
    r.code = 9999; /* a later version's: known to be a refusal all the same */
    cr_expect_eq(verify_message(&r, 2), ERR_OK);
    r.has_used_by = true;
    r.used_by = codec_binary(bytes_of(spare, KEY_LEN + 1));
    cr_expect_eq(verify_message(&r, 2), ERR_MALFORMED);
    cr_expect_eq(verify_signed(bytes_of(NULL, 0), 1), ERR_MALFORMED);
    cr_expect_eq(verify_signed(bytes_of("\x08", 1), 2), ERR_MALFORMED);
}

Test(hello, unknown_fields_inside) {
    struct buf inner, out;
    struct bytes hello = codec_borrow(agent_hello(), 1), welcome = codec_borrow(answer(), 1);
    buf_init(&inner, HELLO_MAX_BYTES);
    buf_init(&out, HELLO_MAX_BYTES);
    buf_append(&inner, hello.data, hello.len);
    buf_append(&inner, "\x78\x01", 2); /* field 15 */
    sign_any(buf_bytes(&inner), DOMAIN_HELLO_AGENT, &out);
    cr_expect_eq(verify_agent(buf_bytes(&out), hub_hello()), ERR_MALFORMED);
    buf_done(&inner);
    buf_init(&inner, HELLO_MAX_BYTES);
    buf_append(&inner, welcome.data, welcome.len);
    buf_append(&inner, "\x78\x01", 2);
    cr_expect_eq(verify_signed(buf_bytes(&inner), 1), ERR_MALFORMED);
    buf_append(&hs.hub_hello, "\x78\x01", 2);
    cr_expect_eq(parse_hub(hub_hello()), ERR_MALFORMED);
    buf_done(&inner);
    buf_done(&out);
}

/* ---- bytes ---- */

Test(hello, larger_than_the_cap) {
    static uint8_t big[HELLO_MAX_BYTES + 1];
    struct bytes in = bytes_of(big, sizeof big);
    cr_expect_eq(parse_hub(in), ERR_CAP);
    cr_expect_eq(verify_agent(in, hub_hello()), ERR_CAP);
    cr_expect_eq(verify_answer(in, hub_hello(), agent_hello()), ERR_CAP);
}

static void expect_cut(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_eq(parse_hub(damaged), ERR_MALFORMED, "%zu bytes", at);
    cr_expect_eq(verify_agent(damaged, hub_hello()), ERR_MALFORMED, "%zu bytes", at);
    cr_expect_eq(verify_answer(damaged, hub_hello(), agent_hello()), ERR_MALFORMED, "%zu bytes",
                 at);
}

Test(hello, truncated_at_every_byte) {
    cr_expect_eq(truncate_each(hub_hello(), expect_cut, NULL), hs.hub_hello.len);
    cr_expect_eq(truncate_each(agent_hello(), expect_cut, NULL), hs.agent_hello.len);
    cr_expect_eq(truncate_each(answer(), expect_cut, NULL), hs.answer.len);
}

static void expect_agent_refused(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_neq(verify_agent(damaged, hub_hello()), ERR_OK, "bit %zu", at);
}

static void expect_flipped_answer_refused(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_neq(verify_answer(damaged, hub_hello(), agent_hello()), ERR_OK, "bit %zu", at);
}

Test(hello, every_flipped_bit_of_what_is_signed_is_refused) {
    cr_expect_eq(flip_each_bit(agent_hello(), expect_agent_refused, NULL), hs.agent_hello.len * 8);
    cr_expect_eq(flip_each_bit(answer(), expect_flipped_answer_refused, NULL), hs.answer.len * 8);
    struct refused r = good_refusal();
    struct buf refusal;
    build_refusal(&r, &refusal);
    cr_expect_eq(flip_each_bit(buf_bytes(&refusal), expect_flipped_answer_refused, NULL),
                 refusal.len * 8);
    buf_done(&refusal);
}
