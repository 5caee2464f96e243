/* Owns certificates: building, decoding and verifying them (docs/protocol.md, "Certificates").
 * Must not judge expiry, nor which members are admitted. */
#include "cert.h"

#include <string.h>

#include "codec.h"
#include "plek.pb-c.h"

#define CERT_FORMAT 1u

/* A member or agent that signs with the hub's key would make its feed pass for the hub's own. */
static enum err check_fields(const struct cert *cert, struct error *e) {
    size_t len = strnlen(cert->label, sizeof cert->label);
    if (len > CERT_MAX_LABEL)
        return error_set(e, ERR_CAP, "certificate: label is longer than %d bytes", CERT_MAX_LABEL);
    if (!utf8_valid(bytes_of(cert->label, len)))
        return error_set(e, ERR_MALFORMED, "certificate: label is not valid UTF-8");
    if (key_equal(&cert->member, &cert->network) || key_equal(&cert->agent, &cert->network))
        return error_set(e, ERR_CERTIFICATE,
                         "certificate: found the hub's key as member or agent key");
    return box_key_check(&cert->box, e);
}

static void encode_certificate(const struct cert *cert, struct buf *out) {
    Plek__Certificate message = PLEK__CERTIFICATE__INIT;
    message.format = CERT_FORMAT;
    message.network = codec_binary(bytes_of(cert->network.b, KEY_LEN));
    message.member = codec_binary(bytes_of(cert->member.b, KEY_LEN));
    message.agent = codec_binary(bytes_of(cert->agent.b, KEY_LEN));
    message.box = codec_binary(bytes_of(cert->box.b, KEY_LEN));
    message.serial = cert->serial;
    message.label = (char *)(uintptr_t)cert->label;
    message.not_after_ms = cert->not_after_ms;
    codec_encode(&message, out);
}

enum err cert_sign(const struct cert *cert, const struct sign_pair *member, struct buf *out,
                   struct signature *ret, struct error *e) {
    enum err rc = check_fields(cert, e);
    if (rc != ERR_OK)
        return rc;
    if (!key_equal(&cert->member, &member->pub))
        return error_set(e, ERR_CERTIFICATE,
                         "certificate: the key that signs is not the member key it names");
    encode_certificate(cert, out);
    rc = buf_failed(out, e);
    if (rc == ERR_OK) {
        struct bytes certificate = buf_bytes(out);
        sign_parts(ret, member, DOMAIN_CERT, &certificate, 1);
    }
    return rc;
}

enum err cert_countersign(struct bytes certificate, const struct signature *by_member,
                          const struct sign_pair *agent, struct buf *out, struct cert *ret,
                          struct error *e) {
    struct signature by_agent;
    Plek__SignedCertificate message = PLEK__SIGNED_CERTIFICATE__INIT;
    if (certificate.len > CERT_MAX_BYTES)
        return error_set(e, ERR_CAP, "certificate: found %zu bytes, expected at most %d",
                         certificate.len, CERT_MAX_BYTES);
    sign_parts(&by_agent, agent, DOMAIN_CERT_AGENT, &certificate, 1);
    message.certificate = codec_binary(certificate);
    message.member_signature = codec_binary(bytes_of(by_member->b, SIGNATURE_LEN));
    message.agent_signature = codec_binary(bytes_of(by_agent.b, SIGNATURE_LEN));
    struct buf made;
    buf_init(&made, CERT_MAX_BYTES);
    codec_encode(&message, &made);
    enum err rc = buf_failed(&made, e);
    if (rc == ERR_OK)
        rc = cert_verify(buf_bytes(&made), ret, e);
    if (rc == ERR_OK) {
        buf_append(out, made.data, made.len);
        rc = buf_failed(out, e);
    }
    buf_done(&made);
    return rc;
}

enum err cert_issue(const struct cert *cert, const struct sign_pair *member,
                    const struct sign_pair *agent, struct buf *out, struct error *e) {
    struct signature by_member;
    struct cert made;
    struct buf inner;
    buf_init(&inner, CERT_MAX_BYTES);
    enum err rc = cert_sign(cert, member, &inner, &by_member, e);
    if (rc == ERR_OK)
        rc = cert_countersign(buf_bytes(&inner), &by_member, agent, out, &made, e);
    buf_done(&inner);
    return rc;
}

static enum err read_fields(const Plek__Certificate *in, struct cert *ret, struct error *e) {
    if (in->format != CERT_FORMAT)
        return error_set(e, ERR_FORMAT, "certificate: found format %u, expected %u",
                         (unsigned)in->format, CERT_FORMAT);
    if (strlen(in->label) > CERT_MAX_LABEL)
        return error_set(e, ERR_CAP, "certificate: found a label of %zu bytes, expected at most %d",
                         strlen(in->label), CERT_MAX_LABEL);
    enum err rc;
    if ((rc = key_from_bytes(&ret->network, codec_bytes(in->network), e)) != ERR_OK ||
        (rc = key_from_bytes(&ret->member, codec_bytes(in->member), e)) != ERR_OK ||
        (rc = key_from_bytes(&ret->agent, codec_bytes(in->agent), e)) != ERR_OK ||
        (rc = key_from_bytes(&ret->box, codec_bytes(in->box), e)) != ERR_OK)
        return rc;
    ret->serial = in->serial;
    ret->not_after_ms = in->not_after_ms;
    memcpy(ret->label, in->label, strlen(in->label) + 1);
    return check_fields(ret, e);
}

static enum err read_certificate(struct bytes in, struct cert *ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__certificate__descriptor, in, CERT_MAX_BYTES, "certificate",
                               &message, e);
    if (rc == ERR_OK)
        rc = read_fields((const Plek__Certificate *)message, ret, e);
    codec_free(message);
    return rc;
}

static enum err check_signature(const struct public_key *key, const char *domain,
                                struct bytes certificate, ProtobufCBinaryData signature,
                                const char *whose, struct error *e) {
    struct signature sig;
    enum err rc = signature_from_bytes(&sig, codec_bytes(signature), e);
    if (rc != ERR_OK)
        return rc;
    rc = verify_parts(key, domain, &certificate, 1, &sig, e);
    if (rc != ERR_SIGNATURE)
        return rc;
    return error_set(e, ERR_CERTIFICATE, "certificate: the signature of its %s key does not verify",
                     whose);
}

enum err cert_verify(struct bytes in, struct cert *ret, struct error *e) {
    ProtobufCMessage *message = NULL;
    enum err rc = codec_decode(&plek__signed_certificate__descriptor, in, CERT_MAX_BYTES,
                               "signed certificate", &message, e);
    if (rc != ERR_OK)
        return rc;
    const Plek__SignedCertificate *outer = (const Plek__SignedCertificate *)message;
    struct bytes certificate = codec_bytes(outer->certificate);
    struct cert cert = {0};
    if ((rc = read_certificate(certificate, &cert, e)) == ERR_OK &&
        (rc = check_signature(&cert.member, DOMAIN_CERT, certificate, outer->member_signature,
                              "member", e)) == ERR_OK &&
        (rc = check_signature(&cert.agent, DOMAIN_CERT_AGENT, certificate, outer->agent_signature,
                              "agent", e)) == ERR_OK)
        *ret = cert;
    codec_free(message);
    return rc;
}
