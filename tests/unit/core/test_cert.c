/* Tests of certificates: golden bytes, round trip, every field wrong in turn, every damage. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cert.h"
#include "codec.h"
#include "flip.h"
#include "party.h"
#include "plek.pb-c.h"

static struct party party;

static void setup(void) {
    party_init(&party);
}
static void teardown(void) {
    party_done(&party);
}
TestSuite(cert, .init = setup, .fini = teardown);

/* The output stays as it was whenever verification fails. */
static enum err verify(struct bytes in) {
    struct cert cert;
    struct error e = {0};
    party_fill(&cert, sizeof cert);
    enum err rc = cert_verify(in, &cert, &e);
    if (rc != ERR_OK) {
        cr_expect(party_untouched(&cert, sizeof cert));
        cr_expect_eq(e.code, rc);
        cr_expect_gt(strlen(e.detail), 0);
    }
    return rc;
}

Test(cert, golden_bytes) {
    char hex[65];
    cr_expect_eq(party.cert.len, 293);
    cr_expect_str_eq(party_hash_hex(buf_bytes(&party.cert), hex),
                     "e1ad54aeba5de08dcbd3e85fc9250ed7a9381f0e80e77923c5ad2fef5937fc52");
}

Test(cert, round_trip) {
    struct cert back;
    struct error e;
    cr_assert_eq(cert_verify(buf_bytes(&party.cert), &back, &e), ERR_OK);
    cr_expect(key_equal(&back.network, &party.hub.pub));
    cr_expect(key_equal(&back.member, &party.member.pub));
    cr_expect(key_equal(&back.agent, &party.agent.pub));
    cr_expect(key_equal(&back.box, &party.box.pub));
    cr_expect_eq(back.serial, 7);
    cr_expect_eq(back.not_after_ms, 1800000000000);
    cr_expect_str_eq(back.label, "Huis Zuid");
}

Test(cert, extremes_round_trip) {
    struct cert cert = party.cert_fields, back;
    struct buf out;
    struct error e;
    cert.serial = UINT64_MAX;
    cert.not_after_ms = INT64_MIN; /* long past: never an error */
    memset(cert.label, 'x', CERT_MAX_LABEL);
    buf_init(&out, CERT_MAX_BYTES);
    cr_assert_eq(cert_issue(&cert, &party.member, &party.agent, &out, &e), ERR_OK);
    cr_assert_eq(cert_verify(buf_bytes(&out), &back, &e), ERR_OK);
    cr_expect_eq(back.serial, UINT64_MAX);
    cr_expect_eq(back.not_after_ms, INT64_MIN);
    cr_expect_eq(strlen(back.label), CERT_MAX_LABEL);
    buf_done(&out);
}

/* ---- what is not issued ---- */

static enum err issue(const struct cert *cert, const struct sign_pair *member,
                      const struct sign_pair *agent) {
    struct buf out;
    struct error e;
    buf_init(&out, CERT_MAX_BYTES);
    enum err rc = cert_issue(cert, member, agent, &out, &e);
    if (rc != ERR_OK)
        cr_expect_eq(out.len, 0);
    buf_done(&out);
    return rc;
}

Test(cert, wrong_certificates_are_not_issued) {
    const struct cert *good = &party.cert_fields;
    cr_expect_eq(issue(good, &party.member, &party.agent), ERR_OK);
    cr_expect_eq(issue(good, &party.next, &party.agent), ERR_CERTIFICATE);
    cr_expect_eq(issue(good, &party.member, &party.next), ERR_CERTIFICATE);
    struct cert cert = *good;
    memset(cert.label, 'x', sizeof cert.label);
    cr_expect_eq(issue(&cert, &party.member, &party.agent), ERR_CAP);
    cert = *good;
    snprintf(cert.label, sizeof cert.label, "%s", "\xff");
    cr_expect_eq(issue(&cert, &party.member, &party.agent), ERR_MALFORMED);
    cert = *good;
    memset(&cert.box, 0, sizeof cert.box);
    cr_expect_eq(issue(&cert, &party.member, &party.agent), ERR_LOW_ORDER);
    cert = *good;
    cert.agent = party.hub.pub;
    cr_expect_eq(issue(&cert, &party.member, &party.hub), ERR_CERTIFICATE);
}

Test(cert, buffer_too_small) {
    struct buf out;
    struct error e;
    buf_init(&out, party.cert.len - 1);
    cr_expect_eq(cert_issue(&party.cert_fields, &party.member, &party.agent, &out, &e),
                 ERR_TOO_LARGE);
    cr_expect_eq(out.len, 0);
    buf_done(&out);
}

/* ---- each field wrong in turn, properly signed ---- */

static uint8_t spare[KEY_LEN + 1] = {9};

static void bad_format(Plek__Certificate *c) {
    c->format = 2;
}
static void short_network(Plek__Certificate *c) {
    c->network.len--;
}
static void long_member(Plek__Certificate *c) {
    c->member = codec_binary(bytes_of(spare, sizeof spare));
}
static void empty_agent(Plek__Certificate *c) {
    c->agent.len = 0;
}
static void short_box(Plek__Certificate *c) {
    c->box.len--;
}
static void zero_box(Plek__Certificate *c) {
    memset(c->box.data, 0, KEY_LEN);
}
static void long_label(Plek__Certificate *c) {
    static char label[CERT_MAX_LABEL + 2];
    memset(label, 'x', CERT_MAX_LABEL + 1);
    c->label = label;
}
static void bad_label(Plek__Certificate *c) {
    static char label[] = "\xc3(";
    c->label = label;
}
static void other_member(Plek__Certificate *c) {
    memcpy(c->member.data, party.next.pub.b, KEY_LEN);
}
static void other_agent(Plek__Certificate *c) {
    memcpy(c->agent.data, party.next.pub.b, KEY_LEN);
}
static void hub_as_member(Plek__Certificate *c) {
    memcpy(c->member.data, party.hub.pub.b, KEY_LEN);
}
static void hub_as_agent(Plek__Certificate *c) {
    memcpy(c->agent.data, party.hub.pub.b, KEY_LEN);
}

/* Signs whatever `certificate` is, as its two owners would. */
static void sign_any(struct bytes certificate, struct buf *out) {
    struct signature by_member, by_agent;
    sign_parts(&by_member, &party.member, DOMAIN_CERT, &certificate, 1);
    sign_parts(&by_agent, &party.agent, DOMAIN_CERT_AGENT, &certificate, 1);
    Plek__SignedCertificate message = PLEK__SIGNED_CERTIFICATE__INIT;
    message.certificate = codec_binary(certificate);
    message.member_signature = codec_binary(bytes_of(by_member.b, SIGNATURE_LEN));
    message.agent_signature = codec_binary(bytes_of(by_agent.b, SIGNATURE_LEN));
    codec_encode(&message, out);
}

static enum err verify_damaged(void (*damage)(Plek__Certificate *)) {
    ProtobufCMessage *message = NULL;
    struct error e;
    struct buf inner, out;
    buf_init(&inner, CERT_MAX_BYTES);
    buf_init(&out, 2 * CERT_MAX_BYTES);
    cr_assert_eq(codec_decode(&plek__certificate__descriptor,
                              codec_borrow(buf_bytes(&party.cert), 1), CERT_MAX_BYTES, "test",
                              &message, &e),
                 ERR_OK);
    Plek__Certificate copy = *(Plek__Certificate *)message; /* shares its byte strings */
    damage(&copy);
    codec_encode(&copy, &inner);
    sign_any(buf_bytes(&inner), &out);
    enum err rc = verify(buf_bytes(&out));
    codec_free(message);
    buf_done(&inner);
    buf_done(&out);
    return rc;
}

Test(cert, each_field_wrong) {
    static const struct {
        const char *name;
        void (*damage)(Plek__Certificate *);
        enum err expected;
    } cases[] = {
        {"format", bad_format, ERR_FORMAT},
        {"short network", short_network, ERR_MALFORMED},
        {"long member", long_member, ERR_MALFORMED},
        {"empty agent", empty_agent, ERR_MALFORMED},
        {"short box", short_box, ERR_MALFORMED},
        {"zero box", zero_box, ERR_LOW_ORDER},
        {"long label", long_label, ERR_CAP},
        {"bad label", bad_label, ERR_MALFORMED},
        {"other member", other_member, ERR_CERTIFICATE},
        {"other agent", other_agent, ERR_CERTIFICATE},
        {"hub as member", hub_as_member, ERR_CERTIFICATE},
        {"hub as agent", hub_as_agent, ERR_CERTIFICATE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(verify_damaged(cases[i].damage), cases[i].expected, "%s", cases[i].name);
}

/* ---- the signatures ---- */

static enum err verify_with(struct bytes member_signature, struct bytes agent_signature) {
    struct buf out;
    Plek__SignedCertificate message = PLEK__SIGNED_CERTIFICATE__INIT;
    buf_init(&out, CERT_MAX_BYTES);
    message.certificate = codec_binary(codec_borrow(buf_bytes(&party.cert), 1));
    message.member_signature = codec_binary(member_signature);
    message.agent_signature = codec_binary(agent_signature);
    codec_encode(&message, &out);
    enum err rc = verify(buf_bytes(&out));
    buf_done(&out);
    return rc;
}

Test(cert, both_signatures_count) {
    struct bytes whole = buf_bytes(&party.cert);
    struct bytes certificate = codec_borrow(whole, 1);
    struct bytes by_member = codec_borrow(whole, 2), by_agent = codec_borrow(whole, 3);
    cr_expect_eq(verify_with(by_member, by_agent), ERR_OK);
    cr_expect_eq(verify_with(by_agent, by_member), ERR_CERTIFICATE);
    cr_expect_eq(verify_with(by_member, by_member), ERR_CERTIFICATE);
    cr_expect_eq(verify_with(bytes_of(by_member.data, 63), by_agent), ERR_MALFORMED);
    cr_expect_eq(verify_with(by_member, bytes_of(NULL, 0)), ERR_MALFORMED);
    struct signature sig; /* the agent's, but under the member's domain */
    sign_parts(&sig, &party.agent, DOMAIN_CERT, &certificate, 1);
    cr_expect_eq(verify_with(by_member, bytes_of(sig.b, SIGNATURE_LEN)), ERR_CERTIFICATE);
    sign_parts(&sig, &party.next, DOMAIN_CERT, &certificate, 1);
    cr_expect_eq(verify_with(bytes_of(sig.b, SIGNATURE_LEN), by_agent), ERR_CERTIFICATE);
}

/* ---- bytes ---- */

Test(cert, unknown_fields_inside_and_outside) {
    struct buf inner, out;
    struct bytes certificate = codec_borrow(buf_bytes(&party.cert), 1);
    buf_init(&inner, CERT_MAX_BYTES);
    buf_init(&out, CERT_MAX_BYTES);
    buf_append(&inner, certificate.data, certificate.len);
    buf_append(&inner, "\x48\x01", 2); /* field 9 */
    sign_any(buf_bytes(&inner), &out);
    cr_expect_eq(verify(buf_bytes(&out)), ERR_MALFORMED);
    buf_append(&party.cert, "\x20\x01", 2); /* field 4 */
    cr_expect_eq(verify(buf_bytes(&party.cert)), ERR_MALFORMED);
    buf_done(&inner);
    buf_done(&out);
}

Test(cert, larger_than_the_cap) {
    uint8_t big[CERT_MAX_BYTES + 1] = {0};
    cr_expect_eq(verify(bytes_of(big, sizeof big)), ERR_CAP);
    cr_expect_eq(verify(bytes_of(NULL, 0)), ERR_MALFORMED);
    struct signature by_member = {{0}};
    struct buf out;
    struct cert cert;
    buf_init(&out, 2 * sizeof big);
    cr_expect_eq(
        cert_countersign(bytes_of(big, sizeof big), &by_member, &party.agent, &out, &cert, NULL),
        ERR_CAP);
    cr_expect_eq(out.len, 0u);
    buf_done(&out);
}

static void expect_malformed(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_eq(verify(damaged), ERR_MALFORMED, "%zu bytes", at);
}

Test(cert, truncated_at_every_byte) {
    cr_expect_eq(truncate_each(buf_bytes(&party.cert), expect_malformed, NULL), party.cert.len);
}

static void expect_refused(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_neq(verify(damaged), ERR_OK, "bit %zu", at);
}

Test(cert, every_flipped_bit_is_refused) {
    cr_expect_eq(flip_each_bit(buf_bytes(&party.cert), expect_refused, NULL), party.cert.len * 8);
}
