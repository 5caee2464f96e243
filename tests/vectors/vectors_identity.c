/* Implements the vectors of certificates and of enrolment. */
#include <string.h>

#include "codec.h"
#include "join.h"
#include "vectors.h"

static struct cert cert_of(const json_t *in) {
    struct cert cert = {
        .network = vector_get_sign_pair(in, "hub_seed").pub,
        .member = vector_get_sign_pair(in, "member_seed").pub,
        .agent = vector_get_sign_pair(in, "agent_seed").pub,
        .box = vector_get_box_pair(in, "agent_box_seed").pub,
        .serial = (uint64_t)vector_get_int(in, "serial"),
        .not_after_ms = vector_get_int(in, "not_after_ms"),
    };
    strncpy(cert.label, vector_get_text(in, "label"), CERT_MAX_LABEL);
    return cert;
}

struct buf vector_make_certificate(const json_t *in) {
    struct cert cert = cert_of(in);
    struct sign_pair member = vector_get_sign_pair(in, "member_seed");
    struct sign_pair agent = vector_get_sign_pair(in, "agent_seed");
    struct buf out;
    struct error e = {0};
    buf_init(&out, CERT_MAX_BYTES);
    vector_check(cert_issue(&cert, &member, &agent, &out, &e), &e, "certificate");
    return out;
}

json_t *vector_certificate(const json_t *in) {
    struct cert cert = cert_of(in);
    struct buf signed_bytes = vector_make_certificate(in);
    char fingerprint[FINGERPRINT_SIZE];
    json_t *out = json_object();
    vector_put(out, "network", bytes_of(cert.network.b, KEY_LEN));
    vector_put(out, "member", bytes_of(cert.member.b, KEY_LEN));
    vector_put_text(out, "member_fingerprint", fingerprint_text(&cert.member, fingerprint));
    vector_put(out, "agent", bytes_of(cert.agent.b, KEY_LEN));
    vector_put(out, "agent_box", bytes_of(cert.box.b, KEY_LEN));
    vector_put(out, "certificate", codec_borrow(buf_bytes(&signed_bytes), 1));
    vector_put(out, "member_signature", codec_borrow(buf_bytes(&signed_bytes), 2));
    vector_put(out, "agent_signature", codec_borrow(buf_bytes(&signed_bytes), 3));
    vector_put(out, "signed_certificate", buf_bytes(&signed_bytes));
    buf_done(&signed_bytes);
    return out;
}

static void put_invitation(json_t *out, const json_t *in) {
    struct invite invite = {
        .network = vector_get_sign_pair(in, "hub_seed").pub,
        .expires_ms = vector_get_int(in, "expires_ms"),
    };
    char uri[INVITE_URI_MAX];
    struct error e = {0};
    strncpy(invite.address, vector_get_text(in, "address"), sizeof invite.address - 1);
    vector_get(in, "invite_seed", invite.seed, sizeof invite.seed);
    vector_check(invite_format(&invite, uri, &e), &e, "invitation");
    vector_put_text(out, "invitation", uri);
}

json_t *vector_join(const json_t *in) {
    struct sign_pair hub = vector_get_sign_pair(in, "hub_seed");
    struct sign_pair invite = vector_get_sign_pair(in, "invite_seed");
    struct sign_pair member = vector_get_sign_pair(in, "member_seed");
    struct sign_pair next = vector_get_sign_pair(in, "next_member_seed");
    struct sign_pair agent = vector_get_sign_pair(in, "agent_seed");
    struct hash next_hash = hash_blake2b(bytes_of(next.pub.b, KEY_LEN));
    struct buf cert = vector_make_certificate(in), join;
    struct error e = {0};
    json_t *out = json_object();
    buf_init(&join, JOIN_MAX_BYTES);
    vector_check(
        join_build(&hub.pub, &invite, &member, &next_hash, &agent, buf_bytes(&cert), &join, &e), &e,
        "join");
    put_invitation(out, in);
    vector_put(out, "network", bytes_of(hub.pub.b, KEY_LEN));
    vector_put(out, "invite", bytes_of(invite.pub.b, KEY_LEN));
    vector_put(out, "next_member_hash", bytes_of(next_hash.b, HASH_LEN));
    vector_put(out, "signed_certificate", buf_bytes(&cert));
    vector_put(out, "request", codec_borrow(buf_bytes(&join), 1));
    vector_put(out, "invite_signature", codec_borrow(buf_bytes(&join), 2));
    vector_put(out, "member_signature", codec_borrow(buf_bytes(&join), 3));
    vector_put(out, "agent_signature", codec_borrow(buf_bytes(&join), 4));
    vector_put(out, "signed_join", buf_bytes(&join));
    buf_done(&cert);
    buf_done(&join);
    return out;
}
