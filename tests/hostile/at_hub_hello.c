/* Owns the cases of rules broken in the handshake with a real hub: what a hello, a certificate or a
 * join request may not be. */
#include "codec.h"
#include "rules.h"

/* ---- hellos ---- */

static uint8_t scratch[3 * HELLO_MAX_BYTES];

/* A guest's hello, changed; the hub closes without a word. */
static void bad_hello(struct stage *s, change_hello *change, const char *domain, enum err code) {
    struct actor *a = &s->guest;
    actor_open(a);
    actor_make_hello(a, change, domain);
    actor_send(a, buf_bytes(&a->puppet.agent_hello));
    actor_expect_closed(a, code);
}

/* The same for the bytes of the whole message. */
static void bad_bytes(struct stage *s, size_t len, enum err code) {
    actor_open(&s->guest);
    actor_send(&s->guest, bytes_of(scratch, len));
    actor_expect_closed(&s->guest, code);
}

static size_t right_bytes(struct stage *s) {
    actor_open(&s->guest);
    actor_make_hello(&s->guest, NULL, NULL);
    size_t len = s->guest.puppet.agent_hello.len;
    memcpy(scratch, s->guest.puppet.agent_hello.data, len);
    return len;
}

CASE_FUNCTION(hello_over_its_cap) {
    memset(scratch, 0, sizeof scratch);
    bad_bytes(s, HELLO_MAX_BYTES + 1, code);
}

/* The signature, which is the last field, before the hello, which is the first. */
CASE_FUNCTION(hello_out_of_order) {
    size_t len = right_bytes(s), last = 2 + SIGNATURE_LEN;
    static uint8_t turned[HELLO_MAX_BYTES];
    memcpy(turned, scratch + len - last, last);
    memcpy(turned + last, scratch, len - last);
    memcpy(scratch, turned, len);
    bad_bytes(s, len, code);
}

CASE_FUNCTION(hello_with_an_unknown_field) {
    size_t len = right_bytes(s);
    scratch[len] = 15 << 3;
    scratch[len + 1] = 1;
    bad_bytes(s, len + 2, code);
}

static void short_nonce(Plek__AgentHello *hello, struct actor *a) {
    (void)a;
    hello->nonce.len = HELLO_NONCE_LEN - 1;
}
CASE_FUNCTION(hello_with_a_short_nonce) {
    bad_hello(s, short_nonce, NULL, code);
}

static void version_2(Plek__AgentHello *hello, struct actor *a) {
    (void)a;
    hello->version = 2;
}
CASE_FUNCTION(hello_of_another_version) {
    bad_hello(s, version_2, NULL, code);
}

static void other_network(Plek__AgentHello *hello, struct actor *a) {
    hello->network = codec_binary(bytes_of(a->kit.member.pub.b, KEY_LEN));
}
CASE_FUNCTION(hello_to_another_network) {
    bad_hello(s, other_network, NULL, code);
}

static void low_order(Plek__AgentHello *hello, struct actor *a) {
    static const uint8_t zero[KEY_LEN];
    (void)a;
    hello->kx = codec_binary(bytes_of(zero, KEY_LEN));
}
CASE_FUNCTION(hello_with_a_key_of_low_order) {
    bad_hello(s, low_order, NULL, code);
}

CASE_FUNCTION(hello_signed_under_another_domain) {
    bad_hello(s, NULL, DOMAIN_ENTRY, code);
}

/* A hello that was good in an earlier handshake. */
CASE_FUNCTION(hello_of_another_handshake) {
    size_t len = right_bytes(s);
    bad_bytes(s, len, code);
}

CASE_FUNCTION(text_instead_of_binary) {
    actor_open(&s->guest);
    peer_send_frame(&s->guest.peer, PEER_TEXT, "hello", 5);
    actor_expect_closed(&s->guest, code);
}

CASE_FUNCTION(two_messages_at_once) {
    size_t len = right_bytes(s);
    actor_open(&s->guest);
    actor_make_hello(&s->guest, NULL, NULL);
    actor_send(&s->guest, buf_bytes(&s->guest.puppet.agent_hello));
    actor_send(&s->guest, bytes_of(scratch, len));
    /* The hub may have answered the first when it reads the second, which no channel opens. */
    struct welcome welcome;
    struct refused refused;
    uint8_t data[64];
    size_t got = 0;
    char reason[128];
    int opcode = peer_read_frame(&s->guest.peer, scratch, sizeof scratch, &got);
    if (opcode == PEER_BINARY) {
        cr_assert(puppet_welcomed(&s->guest.puppet, bytes_of(scratch, got), &welcome, &refused));
        peer_wait_closed(&s->guest.peer, 5, reason, sizeof reason);
        cr_assert_str_eq(reason, error_name(ERR_DECRYPT));
    } else {
        cr_assert_eq(opcode, PEER_CLOSE);
        cr_assert_eq(memcmp(scratch + 2, error_name(code), got - 2), 0);
    }
    (void)data;
    actor_disconnect(&s->guest);
}

/* Since the stage opened. */
CASE_FUNCTION(silence_for_ten_seconds) {
    char reason[128];
    peer_wait_closed(&s->silent, 15, reason, sizeof reason);
    cr_assert_str_eq(reason, error_name(code));
    peer_close(&s->silent);
}

/* ---- certificates ---- */

/* What a certificate says, and by whom it is signed, before it is signed. */
struct cert_parts {
    Plek__Certificate fields;
    struct sign_pair member, agent;
    size_t signature_len;
};
typedef void change_cert(struct cert_parts *parts);
static struct buf changed_cert;

static void build_cert(struct actor *a, change_cert *change) {
    struct cert_parts p = {.fields = PLEK__CERTIFICATE__INIT,
                           .member = a->kit.member,
                           .agent = a->kit.agent,
                           .signature_len = SIGNATURE_LEN};
    Plek__SignedCertificate outer = PLEK__SIGNED_CERTIFICATE__INIT;
    struct signature by_member, by_agent;
    struct buf inner;
    p.fields.format = 1;
    p.fields.network = codec_binary(bytes_of(a->kit.hub.pub.b, KEY_LEN));
    p.fields.member = codec_binary(bytes_of(a->kit.member.pub.b, KEY_LEN));
    p.fields.agent = codec_binary(bytes_of(a->kit.agent.pub.b, KEY_LEN));
    p.fields.box = codec_binary(bytes_of(a->box.pub.b, KEY_LEN));
    p.fields.serial = 1;
    p.fields.label = (char *)(uintptr_t) "hostile";
    p.fields.not_after_ms = a->kit.cert.not_after_ms;
    change(&p);
    buf_init(&inner, CERT_MAX_BYTES);
    codec_encode(&p.fields, &inner);
    struct bytes part = buf_bytes(&inner);
    sign_parts(&by_member, &p.member, DOMAIN_CERT, &part, 1);
    sign_parts(&by_agent, &p.agent, DOMAIN_CERT_AGENT, &part, 1);
    /* What verifies under the neutral element, if anybody let it. */
    if (p.signature_len == 0) {
        memset(by_member.b, 0, SIGNATURE_LEN);
        by_member.b[0] = 1;
        p.signature_len = SIGNATURE_LEN;
    }
    outer.certificate = codec_binary(part);
    outer.member_signature = codec_binary(bytes_of(by_member.b, p.signature_len));
    outer.agent_signature = codec_binary(bytes_of(by_agent.b, SIGNATURE_LEN));
    buf_done(&changed_cert);
    buf_init(&changed_cert, CERT_MAX_BYTES * 2);
    codec_encode(&outer, &changed_cert);
    buf_done(&inner);
}

static void put_cert(Plek__AgentHello *hello, struct actor *a) {
    (void)a;
    hello->certificate = codec_binary(buf_bytes(&changed_cert));
}

static void bad_cert(struct stage *s, change_cert *change, enum err code) {
    build_cert(&s->guest, change);
    bad_hello(s, put_cert, NULL, code);
    buf_done(&changed_cert);
}

static void bad_label(struct cert_parts *p) {
    p->fields.label = (char *)(uintptr_t) "\xc0\xaf";
}
CASE_FUNCTION(label_that_is_no_utf_8) {
    bad_cert(s, bad_label, code);
}

static void format_2(struct cert_parts *p) {
    p->fields.format = 2;
}
CASE_FUNCTION(certificate_of_format_2) {
    bad_cert(s, format_2, code);
}

/* The neutral element of the curve as a member's key. */
static void neutral_member(struct cert_parts *p) {
    static uint8_t neutral[KEY_LEN] = {1};
    p->fields.member = codec_binary(bytes_of(neutral, KEY_LEN));
    p->signature_len = 0;
}
CASE_FUNCTION(member_key_of_small_order) {
    bad_cert(s, neutral_member, code);
}

static void low_order_box(struct cert_parts *p) {
    static const uint8_t zero[KEY_LEN];
    p->fields.box = codec_binary(bytes_of(zero, KEY_LEN));
}
CASE_FUNCTION(box_key_of_low_order) {
    bad_cert(s, low_order_box, code);
}

static void short_signature(struct cert_parts *p) {
    p->signature_len = SIGNATURE_LEN - 1;
}
CASE_FUNCTION(certificate_with_a_short_signature) {
    bad_cert(s, short_signature, code);
}

static void hub_as_member(struct cert_parts *p) {
    p->fields.member = p->fields.network;
}
CASE_FUNCTION(certificate_of_the_hubs_own_key) {
    bad_cert(s, hub_as_member, code);
}

static void agent_signs_both(struct cert_parts *p) {
    p->member = p->agent;
}
CASE_FUNCTION(certificate_not_signed_by_its_member) {
    bad_cert(s, agent_signs_both, code);
}

static void member_signs_both(struct cert_parts *p) {
    p->agent = p->member;
}
CASE_FUNCTION(certificate_not_countersigned) {
    bad_cert(s, member_signs_both, code);
}

static void cert_of_another_network(struct cert_parts *p) {
    p->fields.network = p->fields.box;
}
CASE_FUNCTION(certificate_of_another_network) {
    bad_cert(s, cert_of_another_network, code);
}

/* A member that certifies an agent that is another member's. */
CASE_FUNCTION(certificate_for_anothers_agent) {
    struct actor thief;
    struct welcome welcome;
    struct refused refused;
    stage_invite(s, &thief, "Thief");
    actor_connect(&thief);
    s->log++; /* admitted */
    actor_disconnect(&thief);
    thief.kit.agent = s->guest.kit.agent;
    thief.kit.cert.agent = s->guest.kit.agent.pub;
    thief.kit.cert.serial = 2;
    actor_certify(&thief);
    actor_open(&thief);
    actor_make_hello(&thief, NULL, NULL);
    actor_send(&thief, buf_bytes(&thief.puppet.agent_hello));
    cr_assert_eq(actor_answer(&thief, &welcome, &refused), code);
    actor_done(&thief);
}

/* Every new serial is an entry that all members keep. */
CASE_FUNCTION(certificates_without_end) {
    struct welcome welcome;
    struct refused refused;
    enum err answer = ERR_OK;
    int taken = 0;
    struct cert right = s->guest.kit.cert;
    for (; answer == ERR_OK && taken <= 40; taken++) {
        s->guest.kit.cert.serial++;
        actor_certify(&s->guest);
        actor_open(&s->guest);
        actor_make_hello(&s->guest, NULL, NULL);
        actor_send(&s->guest, buf_bytes(&s->guest.puppet.agent_hello));
        answer = actor_answer(&s->guest, &welcome, &refused);
        s->log += answer == ERR_OK;
    }
    cr_assert_eq(answer, code);
    cr_assert_eq(taken, 33, "refused the %d-th", taken);
    s->guest.kit.cert = right;
    s->guest.kit.cert.serial += 32;
    actor_certify(&s->guest);
    actor_disconnect(&s->guest);
}

/* ---- invitations and join requests ---- */

static void join_by_uri(struct stage *s, const char *address, const char *rest) {
    const char *dir = lab_path(&s->lab, "never-joined");
    const char *seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    LAB_OK(&s->lab, "plek-agent", "init", "--dir", dir, "--unsealed");
    const char *uri = lab_text(&s->lab, "plek:%s#hub=%s&seed=%s%s", address, seed, seed, rest);
    const struct result *r =
        LAB_FAILS(&s->lab, 65, "plek-agent", "join", uri, "--dir", dir); /* EX_DATAERR */
    cr_assert_null(strstr(r->err, seed), "the secret is repeated: %s", r->err);
    LAB_OK(&s->lab, "rm", "-r", dir);
}
CASE_FUNCTION(address_with_a_path) {
    (void)code;
    join_by_uri(s, lab_text(&s->lab, "ws://%s/path", s->net.address), "&expires=4000000000");
}
CASE_FUNCTION(invitation_with_a_parameter_twice) {
    (void)code;
    join_by_uri(s, lab_text(&s->lab, "ws://%s", s->net.address),
                "&expires=4000000000&expires=4000000000");
}

struct join_parts {
    Plek__JoinRequest fields;
    struct sign_pair invite, member, agent;
};
typedef void change_join(struct join_parts *parts, struct stage *s);

static void encode_join(struct join_parts *p, struct buf *out) {
    Plek__SignedJoin outer = PLEK__SIGNED_JOIN__INIT;
    const struct sign_pair *const signers[] = {&p->invite, &p->member, &p->agent};
    struct signature signatures[3];
    struct buf inner;
    buf_init(&inner, JOIN_MAX_BYTES);
    codec_encode(&p->fields, &inner);
    struct bytes part = buf_bytes(&inner);
    for (int i = 0; i < 3; i++)
        sign_parts(&signatures[i], signers[i], DOMAIN_JOIN, &part, 1);
    outer.request = codec_binary(part);
    outer.invite_signature = codec_binary(bytes_of(signatures[0].b, SIGNATURE_LEN));
    outer.member_signature = codec_binary(bytes_of(signatures[1].b, SIGNATURE_LEN));
    outer.agent_signature = codec_binary(bytes_of(signatures[2].b, SIGNATURE_LEN));
    buf_done(out);
    buf_init(out, JOIN_MAX_BYTES);
    codec_encode(&outer, out);
    buf_done(&inner);
}

static void bad_join(struct stage *s, change_join *change, enum err code) {
    struct actor a;
    struct welcome welcome;
    struct refused refused;
    stage_invite(s, &a, "Joiner");
    struct join_parts p = {.fields = PLEK__JOIN_REQUEST__INIT,
                           .invite = a.invite,
                           .member = a.kit.member,
                           .agent = a.kit.agent};
    struct hash next = hash_blake2b(bytes_of("next", 4));
    p.fields.format = 1;
    p.fields.network = codec_binary(bytes_of(a.kit.hub.pub.b, KEY_LEN));
    p.fields.invite = codec_binary(bytes_of(a.invite.pub.b, KEY_LEN));
    p.fields.member = codec_binary(bytes_of(a.kit.member.pub.b, KEY_LEN));
    p.fields.next_member_hash = codec_binary(bytes_of(next.b, HASH_LEN));
    p.fields.certificate = codec_binary(buf_bytes(&a.kit.cert_bytes));
    change(&p, s);
    encode_join(&p, &a.join);
    actor_open(&a);
    actor_make_hello(&a, NULL, NULL);
    actor_send(&a, buf_bytes(&a.puppet.agent_hello));
    enum err answer = actor_answer(&a, &welcome, &refused);
    cr_assert_eq(answer, code, "found %s, expected %s", error_name(answer), error_name(code));
    actor_done(&a);
}

static void join_format_2(struct join_parts *p, struct stage *s) {
    (void)s;
    p->fields.format = 2;
}
CASE_FUNCTION(join_of_format_2) {
    bad_join(s, join_format_2, code);
}

static void join_other_network(struct join_parts *p, struct stage *s) {
    (void)s;
    p->fields.network = p->fields.member;
}
CASE_FUNCTION(join_of_another_network) {
    bad_join(s, join_other_network, code);
}

static void join_other_member(struct join_parts *p, struct stage *s) {
    p->member = s->guest.kit.member;
    p->fields.member = codec_binary(bytes_of(s->guest.kit.member.pub.b, KEY_LEN));
}
CASE_FUNCTION(join_of_another_member_than_its_certificates) {
    bad_join(s, join_other_member, code);
}

static void join_by_agent_alone(struct join_parts *p, struct stage *s) {
    (void)s;
    p->member = p->agent;
}
CASE_FUNCTION(join_not_signed_by_its_member) {
    bad_join(s, join_by_agent_alone, code);
}

/* The guest's own invitation once more, by somebody else. */
static void join_used_invitation(struct join_parts *p, struct stage *s) {
    p->invite = s->guest.invite;
    p->fields.invite = codec_binary(bytes_of(s->guest.invite.pub.b, KEY_LEN));
}
CASE_FUNCTION(join_by_a_used_invitation) {
    bad_join(s, join_used_invitation, code);
}

static void join_no_invitation(struct join_parts *p, struct stage *s) {
    (void)s;
    p->invite = p->member;
    p->fields.invite = p->fields.member;
}
CASE_FUNCTION(join_by_no_invitation) {
    bad_join(s, join_no_invitation, code);
}

/* ---- silence of one who was welcomed ---- */

/* Pings come and are not answered: 25 seconds until the first, hung up on after 50 and a little. */
CASE_FUNCTION(pings_without_an_answer) {
    char reason[128];
    (void)code;
    actor_connect(&s->guest);
    (void)peer_wait_closed(&s->guest.peer, 100, reason, sizeof reason);
    actor_disconnect(&s->guest);
}
