/* Fuzzes certificates and join requests, as they come and signed anew with keys we hold, so that
 * what lies behind the signatures is reached: docs/protocol.md, "Certificates" and "Enrolment". */
#include <string.h>

#include "codec.h"
#include "fuzz.h"
#include "join.h"
#include "plek.pb-c.h"

struct cast {
    struct sign_pair hub, member, agent, invite;
};

static struct sign_pair pair_of(uint8_t byte) {
    uint8_t seed[SEED_LEN];
    struct sign_pair pair;
    memset(seed, byte, sizeof seed);
    sign_pair_from_seed(&pair, seed);
    return pair;
}

static struct cast cast_of(void) {
    return (struct cast){pair_of(1), pair_of(2), pair_of(4), pair_of(6)};
}

static ProtobufCBinaryData sign(struct signature *room, const struct sign_pair *key,
                                const char *domain, struct bytes what) {
    sign_parts(room, key, domain, &what, 1);
    return codec_binary(bytes_of(room->b, SIGNATURE_LEN));
}

/* ---- certificates ---- */

/* All that was read, signed again by the same keys, gives the same certificate. */
static void check_certificate(struct bytes in, const struct cert *cert, const struct cast *c) {
    if (!key_equal(&cert->member, &c->member.pub) || !key_equal(&cert->agent, &c->agent.pub))
        return;
    struct error e = {0};
    struct buf again;
    buf_init(&again, CERT_MAX_BYTES);
    FUZZ_CHECK(cert_issue(cert, &c->member, &c->agent, &again, &e) == ERR_OK);
    FUZZ_CHECK(bytes_equal(buf_bytes(&again), in));
    buf_done(&again);
}

static void try_certificate(struct bytes in, const struct cast *c) {
    struct error e = {0};
    struct cert cert;
    fuzz_fill(&cert, sizeof cert);
    if (!fuzz_accepted(cert_verify(in, &cert, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(&cert, sizeof cert));
        return;
    }
    FUZZ_CHECK(in.len <= CERT_MAX_BYTES);
    FUZZ_CHECK(utf8_valid(bytes_str(cert.label)));
    FUZZ_CHECK(!key_equal(&cert.member, &cert.network) && !key_equal(&cert.agent, &cert.network));
    check_certificate(in, &cert, c);
}

static void certificate_signed(struct bytes inner, const struct cast *c, struct buf *out) {
    struct signature by_member, by_agent;
    Plek__SignedCertificate m = PLEK__SIGNED_CERTIFICATE__INIT;
    m.certificate = codec_binary(inner);
    m.member_signature = sign(&by_member, &c->member, DOMAIN_CERT, inner);
    m.agent_signature = sign(&by_agent, &c->agent, DOMAIN_CERT_AGENT, inner);
    codec_encode(&m, out);
}

static void try_countersign(struct bytes inner, const struct cast *c) {
    struct error e = {0};
    struct signature by_member;
    struct cert cert;
    struct buf out;
    sign_parts(&by_member, &c->member, DOMAIN_CERT, &inner, 1);
    buf_init(&out, CERT_MAX_BYTES);
    fuzz_fill(&cert, sizeof cert);
    if (fuzz_accepted(cert_countersign(inner, &by_member, &c->agent, &out, &cert, &e), &e))
        try_certificate(buf_bytes(&out), c);
    else
        FUZZ_CHECK(out.len == 0 && fuzz_untouched(&cert, sizeof cert));
    buf_done(&out);
}

/* ---- join requests ---- */

static void try_join(struct bytes in, const struct cast *c) {
    struct error e = {0};
    struct join join;
    fuzz_fill(&join, sizeof join);
    if (!fuzz_accepted(join_verify(in, &c->hub.pub, &join, &e), &e)) {
        FUZZ_CHECK(fuzz_untouched(&join, sizeof join));
        return;
    }
    FUZZ_CHECK(key_equal(&join.network, &c->hub.pub));
    FUZZ_CHECK(key_equal(&join.cert.network, &c->hub.pub));
    FUZZ_CHECK(join.cert_bytes.data > in.data &&
               join.cert_bytes.data + join.cert_bytes.len <= in.data + in.len);
    try_certificate(join.cert_bytes, c);
}

static void join_signed(struct bytes inner, const struct cast *c, struct buf *out) {
    struct signature by_invite, by_member, by_agent;
    Plek__SignedJoin m = PLEK__SIGNED_JOIN__INIT;
    m.request = codec_binary(inner);
    m.invite_signature = sign(&by_invite, &c->invite, DOMAIN_JOIN, inner);
    m.member_signature = sign(&by_member, &c->member, DOMAIN_JOIN, inner);
    m.agent_signature = sign(&by_agent, &c->agent, DOMAIN_JOIN, inner);
    codec_encode(&m, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_init();
    struct fuzz_input in = fuzz_input(data, size);
    uint8_t how = fuzz_byte(&in) % 4;
    struct bytes message = fuzz_rest(&in);
    struct cast c = cast_of();
    struct buf out;
    buf_init(&out, message.len + 1024);
    if (message.len > SIGN_MAX_BYTES / 2) {
        how = how < 2 ? 0 : 2; /* more than we would ever sign */
    }
    switch (how) {
    case 0:
        try_certificate(message, &c);
        break;
    case 1:
        certificate_signed(message, &c, &out);
        try_certificate(buf_bytes(&out), &c);
        try_countersign(message, &c);
        break;
    case 2:
        try_join(message, &c);
        break;
    default:
        join_signed(message, &c, &out);
        try_join(buf_bytes(&out), &c);
    }
    buf_done(&out);
    return 0;
}
