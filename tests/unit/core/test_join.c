/* Tests of addresses, invitations and join requests. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "flip.h"
#include "join.h"
#include "party.h"
#include "plek.pb-c.h"

static struct party party;

static void setup(void) {
    party_init(&party);
}
static void teardown(void) {
    party_done(&party);
}
TestSuite(join, .init = setup, .fini = teardown);

/* ---- addresses ---- */

Test(join, addresses_that_are_completed) {
    static const char *const good[][2] = {
        {"hub.example.org:8470", "ws://hub.example.org:8470"},
        {"ws://hub.example.org:8470", "ws://hub.example.org:8470"},
        {"wss://hub.example.org:443", "wss://hub.example.org:443"},
        {"localhost:1", "ws://localhost:1"},
        {"192.0.2.7:65535", "ws://192.0.2.7:65535"},
        {"[2001:db8::1]:8470", "ws://[2001:db8::1]:8470"},
        {"wss://[::1]:8470", "wss://[::1]:8470"},
        {"[::ffff:192.0.2.7]:80", "ws://[::ffff:192.0.2.7]:80"},
        {"1password.example:80", "ws://1password.example:80"},
        {"xn--caf-dma.example:80", "ws://xn--caf-dma.example:80"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char out[INVITE_ADDRESS_MAX];
        struct error e = {0};
        cr_expect_eq(address_parse(good[i][0], out, &e), ERR_OK, "%s: %s", good[i][0], e.detail);
        cr_expect_str_eq(out, good[i][1]);
    }
}

Test(join, addresses_that_are_refused) {
    static const char *const bad[] = {
        "",
        "hub",
        "hub:",
        ":80",
        "hub:0",
        "hub:65536",
        "hub:080",
        "hub:+80",
        "hub:80 ",
        " hub:80",
        "hub:80/",
        "hub:8x",
        "hub:99999999999999999999",
        "http://hub:80",
        "WS://hub:80",
        "ws://",
        "ws://ws://hub:80",
        "hub_1:80",
        "-hub:80",
        "hub-:80",
        "hub..org:80",
        "hub.org.:80",
        ".hub:80",
        "user@hub:80",
        "h\xc3\xbcis.example:80",
        "256.0.0.1:80",
        "1.2.3:80",
        "2001:db8::1:80",
        "[2001:db8::1]",
        "[2001:db8::1]80",
        "[2001:db8::1:80",
        "[]:80",
        "[:80",
        "[hub]:80",
        "[192.0.2.7]:80",
        "[fe80::1%eth0]:80",
        "hub:80#hub=x",
    };
    char out[INVITE_ADDRESS_MAX];
    party_fill(out, sizeof out);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error e = {0};
        cr_expect_eq(address_parse(bad[i], out, &e), ERR_DATA, "%s", bad[i]);
        cr_expect_not_null(strstr(e.detail, "HOST:PORT"), "%s", e.detail);
    }
    cr_expect(party_untouched(out, sizeof out));
}

Test(join, addresses_at_their_limits) {
    char text[400], out[INVITE_ADDRESS_MAX];
    struct error e;
    memset(text, 'a', sizeof text);
    snprintf(text + 63, sizeof text - 63, "%s", ":80");
    cr_expect_eq(address_parse(text, out, &e), ERR_OK, "a label of 63");
    text[63] = 'a';
    snprintf(text + 64, sizeof text - 64, "%s", ":80");
    cr_expect_eq(address_parse(text, out, &e), ERR_DATA, "a label of 64");
    for (size_t len = 240; len < 300; len++) {
        for (size_t i = 0; i < len; i++)
            text[i] = i % 50 == 49 ? '.' : 'a';
        text[len - 1] = 'a';
        snprintf(text + len, sizeof text + len, "%s", ":80");
        /* ws:// and :80 take 8 of the 255 characters */
        cr_expect_eq(address_parse(text, out, &e), len <= 247 ? ERR_OK : ERR_DATA, "%zu", len);
    }
}

/* ---- invitations ---- */

#define GOOD_HUB "hub=iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
#define SEED_TEXT "BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY"
#define GOOD_SEED "seed=" SEED_TEXT
#define GOOD_EXPIRES "expires=1800000000"
#define GOOD_URI "plek:wss://hub.example.org:443#" GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES

static struct invite good_invite(void) {
    struct invite i = {.network = party.hub.pub, .expires_ms = 1800000000000};
    snprintf(i.address, sizeof i.address, "%s", "wss://hub.example.org:443");
    memset(i.seed, 6, SEED_LEN);
    return i;
}

Test(join, invitation_golden_and_round_trip) {
    struct invite invite = good_invite(), back;
    char uri[INVITE_URI_MAX];
    struct error e;
    memset(&back, 0, sizeof back);
    cr_assert_eq(invite_format(&invite, uri, &e), ERR_OK);
    cr_expect_str_eq(uri, GOOD_URI);
    cr_assert_eq(invite_parse(uri, &back, &e), ERR_OK, "%s", e.detail);
    cr_expect_str_eq(back.address, invite.address);
    cr_expect(key_equal(&back.network, &invite.network));
    cr_expect_eq(sodium_memcmp(back.seed, invite.seed, SEED_LEN), 0);
    cr_expect_eq(back.expires_ms, invite.expires_ms);
    invite_wipe(&back);
    cr_expect(sodium_is_zero((const uint8_t *)&back, sizeof back));
}

Test(join, invitation_expiry_counts_whole_seconds) {
    struct invite invite = good_invite(), back;
    char uri[INVITE_URI_MAX];
    struct error e;
    invite.expires_ms += 999;
    cr_assert_eq(invite_format(&invite, uri, &e), ERR_OK);
    cr_assert_eq(invite_parse(uri, &back, &e), ERR_OK);
    cr_expect_eq(back.expires_ms, 1800000000000);
}

Test(join, invitation_parameters_in_any_order) {
    struct invite back;
    struct error e;
    cr_expect_eq(invite_parse("plek:ws://h:1#" GOOD_EXPIRES "&" GOOD_SEED "&" GOOD_HUB, &back, &e),
                 ERR_OK);
    cr_expect_eq(
        invite_parse("plek:ws://[::1]:1#" GOOD_SEED "&" GOOD_HUB "&" GOOD_EXPIRES, &back, &e),
        ERR_OK);
    cr_expect_str_eq(back.address, "ws://[::1]:1");
}

Test(join, invitations_that_cannot_be_written) {
    static const char *const addresses[] = {"", "hub:80", "ws://hub", "http://hub:80"};
    char uri[INVITE_URI_MAX];
    struct error e;
    party_fill(uri, sizeof uri);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct invite invite = good_invite();
        snprintf(invite.address, sizeof invite.address, "%s", addresses[i]);
        cr_expect_eq(invite_format(&invite, uri, &e), ERR_DATA, "%s", addresses[i]);
    }
    static const int64_t times[] = {0, 999, -1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct invite invite = good_invite();
        invite.expires_ms = times[i];
        cr_expect_eq(invite_format(&invite, uri, &e), ERR_DATA, "%lld", (long long)times[i]);
    }
    cr_expect(party_untouched(uri, sizeof uri));
}

#define BAD(address, parameters) "plek:" address "#" parameters

Test(join, invitations_that_are_refused_without_showing_the_seed) {
    static const char *const bad[] = {
        "",
        "plek:",
        "plek:ws://h:1",
        "PLEK:ws://h:1#" GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES,
        " " GOOD_URI,
        GOOD_URI " ",
        GOOD_URI "\n",
        GOOD_URI "&",
        GOOD_URI "&x=1",
        GOOD_URI "&" GOOD_SEED,
        GOOD_URI "&" GOOD_HUB,
        GOOD_URI "&" GOOD_EXPIRES,
        GOOD_URI "#",
        "plek:ws://h:1?" GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES,
        "plek:ws://h:1&" GOOD_SEED "#" GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES,
        BAD("h:1", GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h", GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:0", GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:1/", GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("http://h:1", GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED),
        BAD("ws://h:1", "&" GOOD_HUB "&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&" SEED_TEXT "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&" SEED_TEXT "=1&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "A&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "=&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&seed=&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&Seed=" SEED_TEXT "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "A&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:1",
            "hub=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&" GOOD_SEED "&" GOOD_EXPIRES),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires="),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires=0"),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires=01"),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires=-1"),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires=1.5"),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires=253402300800"),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires=99999999999999999999"),
        BAD("ws://h:1", GOOD_HUB "&" GOOD_SEED "&expires=" SEED_TEXT),
    };
    struct invite invite;
    party_fill(&invite, sizeof invite);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error e = {0};
        cr_expect_eq(invite_parse(bad[i], &invite, &e), ERR_DATA, "%s", bad[i]);
        cr_expect_gt(strlen(e.detail), 0);
        cr_expect_null(strstr(e.detail, "BgYG"), "%s", e.detail);
        char address[INVITE_ADDRESS_MAX]; /* pasted where an address belongs */
        cr_expect_eq(address_parse(bad[i], address, &e), ERR_DATA);
        cr_expect_null(strstr(e.detail, "BgYG"), "%s", e.detail);
    }
    cr_expect(party_untouched(&invite, sizeof invite));
}

Test(join, invitation_beyond_its_length) {
    char uri[INVITE_URI_MAX + 100];
    struct invite invite;
    struct error e;
    memset(uri, 'a', sizeof uri);
    memcpy(uri, "plek:ws://", 10);
    uri[sizeof uri - 1] = '\0';
    cr_expect_eq(invite_parse(uri, &invite, &e), ERR_DATA);
}

static void parse_damaged(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    char uri[INVITE_URI_MAX];
    struct invite invite;
    struct error e;
    memcpy(uri, damaged.data, damaged.len);
    uri[damaged.len] = '\0';
    party_fill(&invite, sizeof invite);
    if (invite_parse(uri, &invite, &e) != ERR_OK)
        cr_expect(party_untouched(&invite, sizeof invite), "at %zu", at);
}

static void expect_cut(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    char uri[INVITE_URI_MAX];
    struct invite invite;
    struct error e;
    memcpy(uri, damaged.data, damaged.len);
    uri[damaged.len] = '\0';
    /* A shorter expiry is a number all the same; everything else is missed. */
    bool whole = damaged.len > strlen(GOOD_URI) - strlen("1800000000");
    cr_expect_eq(invite_parse(uri, &invite, &e), whole ? ERR_OK : ERR_DATA, "at %zu", at);
}

Test(join, damaged_invitations) {
    struct bytes uri = bytes_str(GOOD_URI);
    cr_expect_eq(truncate_each(uri, expect_cut, NULL), uri.len);
    cr_expect_eq(flip_each_bit(uri, parse_damaged, NULL), uri.len * 8);
}

/* ---- join requests ---- */

static enum err verify(struct bytes in) {
    struct join join;
    struct error e = {0};
    party_fill(&join, sizeof join);
    enum err rc = join_verify(in, &party.hub.pub, &join, &e);
    if (rc != ERR_OK) {
        cr_expect(party_untouched(&join, sizeof join));
        cr_expect_eq(e.code, rc);
    }
    return rc;
}

Test(join, request_golden_bytes) {
    char hex[65];
    cr_expect_eq(party.join.len, 635);
    cr_expect_str_eq(party_hash_hex(buf_bytes(&party.join), hex),
                     "a9ea779afe3b65e73fadd0421f45aa3385ab62c751fc13521b0db29ffad5052d");
}

Test(join, request_round_trip) {
    struct join join;
    struct error e;
    struct hash next = hash_blake2b(bytes_of(party.next.pub.b, KEY_LEN));
    cr_assert_eq(join_verify(buf_bytes(&party.join), &party.hub.pub, &join, &e), ERR_OK);
    cr_expect(key_equal(&join.network, &party.hub.pub));
    cr_expect(key_equal(&join.invite, &party.invite.pub));
    cr_expect(hash_equal(&join.next_member, &next));
    cr_expect(key_equal(&join.cert.member, &party.member.pub));
    cr_expect(key_equal(&join.cert.agent, &party.agent.pub));
    cr_expect(bytes_equal(join.cert_bytes, buf_bytes(&party.cert)));
    cr_expect(join.cert_bytes.data > party.join.data &&
              join.cert_bytes.data < party.join.data + party.join.len);
}

Test(join, request_is_deterministic) {
    struct party again;
    party_init(&again);
    cr_expect(bytes_equal(buf_bytes(&again.join), buf_bytes(&party.join)));
    party_done(&again);
}

Test(join, request_for_another_network) {
    struct join join;
    struct error e;
    cr_expect_eq(join_verify(buf_bytes(&party.join), &party.next.pub, &join, &e), ERR_NETWORK);
}

static enum err build(const struct public_key *network, const struct sign_pair *member,
                      const struct sign_pair *agent, struct bytes cert) {
    struct hash next = {{0}};
    struct error e;
    struct buf out;
    buf_init(&out, JOIN_MAX_BYTES);
    enum err rc = join_build(network, &party.invite, member, &next, agent, cert, &out, &e);
    if (rc != ERR_OK)
        cr_expect_eq(out.len, 0);
    buf_done(&out);
    return rc;
}

Test(join, requests_that_contradict_their_certificate_are_not_built) {
    struct bytes cert = buf_bytes(&party.cert);
    cr_expect_eq(build(&party.hub.pub, &party.member, &party.agent, cert), ERR_OK);
    cr_expect_eq(build(&party.next.pub, &party.member, &party.agent, cert), ERR_NETWORK);
    cr_expect_eq(build(&party.hub.pub, &party.next, &party.agent, cert), ERR_CERTIFICATE);
    cr_expect_eq(build(&party.hub.pub, &party.member, &party.next, cert), ERR_CERTIFICATE);
    cr_expect_eq(build(&party.hub.pub, &party.member, &party.agent, bytes_of(cert.data, 9)),
                 ERR_MALFORMED);
}

/* ---- each field wrong in turn, properly signed ---- */

static uint8_t spare[64];

static void bad_format(Plek__JoinRequest *r) {
    r->format = 0;
}
static void short_network(Plek__JoinRequest *r) {
    r->network.len--;
}
static void other_network(Plek__JoinRequest *r) {
    memcpy(r->network.data, party.next.pub.b, KEY_LEN);
}
static void short_invite(Plek__JoinRequest *r) {
    r->invite.len--;
}
static void other_invite(Plek__JoinRequest *r) {
    memcpy(r->invite.data, party.next.pub.b, KEY_LEN);
}
static void short_member(Plek__JoinRequest *r) {
    r->member.len--;
}
static void other_member(Plek__JoinRequest *r) {
    memcpy(r->member.data, party.next.pub.b, KEY_LEN);
}
static void long_next(Plek__JoinRequest *r) {
    r->next_member_hash = codec_binary(bytes_of(spare, HASH_LEN + 1));
}
static void no_certificate(Plek__JoinRequest *r) {
    r->certificate.len = 0;
}
static void damaged_certificate(Plek__JoinRequest *r) {
    r->certificate.data[r->certificate.len - 1] ^= 1;
}

/* Another certificate, valid in itself, in the place of the right one. */
static struct buf replacement;
static void foreign_certificate(Plek__JoinRequest *r) {
    struct cert cert = party.cert_fields;
    struct error e;
    cert.network = party.next.pub;
    cr_assert_eq(cert_issue(&cert, &party.member, &party.agent, &replacement, &e), ERR_OK);
    r->certificate = codec_binary(buf_bytes(&replacement));
}
static void anothers_certificate(Plek__JoinRequest *r) {
    struct cert cert = party.cert_fields;
    struct error e;
    cert.member = party.next.pub;
    cr_assert_eq(cert_issue(&cert, &party.next, &party.agent, &replacement, &e), ERR_OK);
    r->certificate = codec_binary(buf_bytes(&replacement));
}
/* Its box key is zeroed in place: the check comes before the certificate's own signatures. */
static void low_order_certificate(Plek__JoinRequest *r) {
    uint8_t *box = memmem(r->certificate.data, r->certificate.len, party.box.pub.b, KEY_LEN);
    cr_assert_not_null(box);
    memset(box, 0, KEY_LEN);
}

static void sign_any(struct bytes request, struct buf *out) {
    struct signature sigs[3];
    sign_parts(&sigs[0], &party.invite, DOMAIN_JOIN, &request, 1);
    sign_parts(&sigs[1], &party.member, DOMAIN_JOIN, &request, 1);
    sign_parts(&sigs[2], &party.agent, DOMAIN_JOIN, &request, 1);
    Plek__SignedJoin message = PLEK__SIGNED_JOIN__INIT;
    message.request = codec_binary(request);
    message.invite_signature = codec_binary(bytes_of(sigs[0].b, SIGNATURE_LEN));
    message.member_signature = codec_binary(bytes_of(sigs[1].b, SIGNATURE_LEN));
    message.agent_signature = codec_binary(bytes_of(sigs[2].b, SIGNATURE_LEN));
    codec_encode(&message, out);
}

static enum err verify_damaged(void (*damage)(Plek__JoinRequest *)) {
    ProtobufCMessage *message = NULL;
    struct error e;
    struct buf inner, out;
    buf_init(&inner, JOIN_MAX_BYTES);
    buf_init(&out, JOIN_MAX_BYTES);
    buf_init(&replacement, CERT_MAX_BYTES);
    cr_assert_eq(codec_decode(&plek__join_request__descriptor,
                              codec_borrow(buf_bytes(&party.join), 1), JOIN_MAX_BYTES, "test",
                              &message, &e),
                 ERR_OK);
    Plek__JoinRequest copy = *(Plek__JoinRequest *)message; /* shares its byte strings */
    damage(&copy);
    codec_encode(&copy, &inner);
    sign_any(buf_bytes(&inner), &out);
    enum err rc = verify(buf_bytes(&out));
    codec_free(message);
    buf_done(&inner);
    buf_done(&out);
    buf_done(&replacement);
    return rc;
}

Test(join, each_field_wrong) {
    static const struct {
        const char *name;
        void (*damage)(Plek__JoinRequest *);
        enum err expected;
    } cases[] = {
        {"format", bad_format, ERR_FORMAT},
        {"short network", short_network, ERR_MALFORMED},
        {"other network", other_network, ERR_NETWORK},
        {"short invite", short_invite, ERR_MALFORMED},
        {"other invite", other_invite, ERR_SIGNATURE},
        {"short member", short_member, ERR_MALFORMED},
        {"other member", other_member, ERR_CERTIFICATE},
        {"long next member hash", long_next, ERR_MALFORMED},
        {"no certificate", no_certificate, ERR_MALFORMED},
        {"damaged certificate", damaged_certificate, ERR_CERTIFICATE},
        {"certificate for another network", foreign_certificate, ERR_NETWORK},
        {"certificate of another member", anothers_certificate, ERR_CERTIFICATE},
        {"certificate with a box key of low order", low_order_certificate, ERR_LOW_ORDER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(verify_damaged(cases[i].damage), cases[i].expected, "%s", cases[i].name);
}

/* ---- the three signatures ---- */

static enum err verify_with(struct bytes invite, struct bytes member, struct bytes agent) {
    struct buf out;
    Plek__SignedJoin message = PLEK__SIGNED_JOIN__INIT;
    buf_init(&out, JOIN_MAX_BYTES);
    message.request = codec_binary(codec_borrow(buf_bytes(&party.join), 1));
    message.invite_signature = codec_binary(invite);
    message.member_signature = codec_binary(member);
    message.agent_signature = codec_binary(agent);
    codec_encode(&message, &out);
    enum err rc = verify(buf_bytes(&out));
    buf_done(&out);
    return rc;
}

Test(join, all_three_signatures_count) {
    struct bytes whole = buf_bytes(&party.join), request = codec_borrow(whole, 1);
    struct bytes i = codec_borrow(whole, 2), m = codec_borrow(whole, 3), a = codec_borrow(whole, 4);
    cr_expect_eq(verify_with(i, m, a), ERR_OK);
    cr_expect_eq(verify_with(m, m, a), ERR_SIGNATURE);
    cr_expect_eq(verify_with(i, i, a), ERR_SIGNATURE);
    cr_expect_eq(verify_with(i, m, m), ERR_SIGNATURE);
    cr_expect_eq(verify_with(bytes_of(i.data, 63), m, a), ERR_MALFORMED);
    cr_expect_eq(verify_with(i, bytes_of(m.data, 63), a), ERR_MALFORMED);
    cr_expect_eq(verify_with(i, m, bytes_of(NULL, 0)), ERR_MALFORMED);
    struct signature sig; /* right key, another domain */
    sign_parts(&sig, &party.agent, DOMAIN_CERT_AGENT, &request, 1);
    cr_expect_eq(verify_with(i, m, bytes_of(sig.b, SIGNATURE_LEN)), ERR_SIGNATURE);
}

/* ---- bytes ---- */

static void expect_malformed(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_eq(verify(damaged), ERR_MALFORMED, "%zu bytes", at);
}

static void expect_refused(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_neq(verify(damaged), ERR_OK, "bit %zu", at);
}

Test(join, request_truncated_or_flipped_anywhere) {
    cr_expect_eq(truncate_each(buf_bytes(&party.join), expect_malformed, NULL), party.join.len);
    cr_expect_eq(flip_each_bit(buf_bytes(&party.join), expect_refused, NULL), party.join.len * 8);
}

Test(join, request_larger_than_the_cap_or_with_unknown_fields) {
    uint8_t big[JOIN_MAX_BYTES + 1] = {0};
    cr_expect_eq(verify(bytes_of(big, sizeof big)), ERR_CAP);
    struct buf inner, out;
    struct bytes request = codec_borrow(buf_bytes(&party.join), 1);
    buf_init(&inner, JOIN_MAX_BYTES);
    buf_init(&out, JOIN_MAX_BYTES);
    buf_append(&inner, request.data, request.len);
    buf_append(&inner, "\x48\x01", 2); /* field 9 */
    sign_any(buf_bytes(&inner), &out);
    cr_expect_eq(verify(buf_bytes(&out)), ERR_MALFORMED);
    buf_append(&party.join, "\x48\x01", 2);
    cr_expect_eq(verify(buf_bytes(&party.join)), ERR_MALFORMED);
    buf_done(&inner);
    buf_done(&out);
}
