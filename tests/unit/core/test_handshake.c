/* Tests of the handshake as a whole: golden bytes, both sides against each other, and what somebody
 * in between could try. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "flip.h"
#include "hello_checks.h"
#include "plek.pb-c.h"

TestSuite(handshake, .init = setup, .fini = teardown);

/* ---- golden bytes ---- */

Test(handshake, golden_bytes) {
    char hex[65];
    struct refused r = good_refusal();
    struct buf refusal;
    build_refusal(&r, &refusal);
    cr_expect_eq(hs.hub_hello.len, 106);
    cr_expect_str_eq(party_hash_hex(hub_hello(), hex),
                     "4ca609b5e38e2cb7c0bb07cfee8a15db61af85dbfdacbc7d871fa842dffc95b2");
    cr_expect_eq(hs.agent_hello.len, 1166);
    cr_expect_str_eq(party_hash_hex(agent_hello(), hex),
                     "7ac14c7015186463ec8ee7c00e341d8d004fe16d281d8e92f66cc1f6f38baac1");
    cr_expect_eq(hs.answer.len, 161);
    cr_expect_str_eq(party_hash_hex(answer(), hex),
                     "1be831de8ba76cf2dc31b573506acfa3c6dc442053aade4abb597a33f0e11a48");
    cr_expect_eq(refusal.len, 127);
    cr_expect_str_eq(party_hash_hex(buf_bytes(&refusal), hex),
                     "ae8a9755030dac234d87f21be2ba80fd91e033690397f94777f41da4faecfda5");
    buf_done(&refusal);
}

/* ---- both sides ---- */

static void count_up(void *ctx, void *out, size_t len) {
    uint8_t *next = ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (*next)++;
}

Test(handshake, secrets_come_from_the_entropy_given) {
    uint8_t next = 0;
    struct entropy entropy = {count_up, &next};
    struct hello_secret one, two;
    hello_secret_from_entropy(&one, &entropy);
    cr_expect_eq(next, HELLO_NONCE_LEN + SEED_LEN);
    hello_secret_from_entropy(&two, &entropy);
    cr_expect_neq(memcmp(one.nonce, two.nonce, HELLO_NONCE_LEN), 0);
    cr_expect_not(key_equal(&one.kx.pub, &two.kx.pub));
    hello_secret_wipe(&one);
    cr_expect(sodium_is_zero((const uint8_t *)&one, sizeof one));
}

static void expect_head(const struct head *head, uint64_t incarnation, uint64_t seq, uint8_t fill) {
    struct head expected = handshake_head(incarnation, seq, fill);
    cr_expect_eq(head->incarnation, incarnation);
    cr_expect_eq(head->seq, seq);
    cr_expect(hash_equal(&head->hash, &expected.hash));
}

Test(handshake, each_side_reads_what_the_other_said) {
    struct hub_hello hub;
    struct agent_hello agent;
    struct error e;
    cr_assert_eq(hub_hello_parse(hub_hello(), &hs.party.hub.pub, &hub, &e), ERR_OK);
    cr_expect(key_equal(&hub.network, &hs.party.hub.pub));
    cr_expect(key_equal(&hub.kx, &hs.hub.kx.pub));
    cr_expect_eq(hub.features, 0);
    cr_assert_eq(agent_hello_verify(agent_hello(), &hs.party.hub.pub, hub_hello(), &agent, &e),
                 ERR_OK);
    cr_expect(key_equal(&agent.network, &hs.party.hub.pub));
    cr_expect(key_equal(&agent.kx, &hs.agent.kx.pub));
    cr_expect(key_equal(&agent.cert.agent, &hs.party.agent.pub));
    cr_expect(key_equal(&agent.cert.member, &hs.party.member.pub));
    cr_expect(bytes_equal(agent.cert_bytes, buf_bytes(&hs.party.cert)));
    cr_expect(bytes_equal(agent.join, buf_bytes(&hs.party.join)));
    cr_expect(bytes_equal(agent.checkpoint, bytes_str("checkpoint text")));
    cr_expect_eq(agent.features, 5);
    cr_expect(agent.has_hub_head);
    expect_head(&agent.hub_head, 1, 42, 0x77);
    const uint8_t *start = hs.agent_hello.data, *end = start + hs.agent_hello.len;
    cr_expect(agent.cert_bytes.data > start && agent.cert_bytes.data < end);
    cr_expect(agent.join.data > start && agent.join.data < end);
    cr_expect(agent.checkpoint.data > start && agent.checkpoint.data < end);
}

Test(handshake, the_agent_reads_the_welcome) {
    bool welcomed = false;
    struct welcome w;
    struct refused r;
    struct error e;
    cr_assert_eq(answer_verify(answer(), &hs.party.hub.pub, hub_hello(), agent_hello(), &welcomed,
                               &w, &r, &e),
                 ERR_OK);
    cr_expect(welcomed);
    cr_expect_eq(w.hub_time_ms, 1800000000123);
    cr_expect_eq(w.features, 5);
    cr_expect_eq(w.credit_bytes, 65536);
    expect_head(&w.hub_head, 1, 43, 0x78);
    cr_expect(w.has_own_head);
    expect_head(&w.own_head, 2, 9, 0x79);
}

static void read_refusal(const struct refused *sent, struct refused *ret) {
    struct buf out;
    bool welcomed = true;
    struct welcome w;
    struct error e = {0};
    build_refusal(sent, &out);
    cr_assert_eq(answer_verify(buf_bytes(&out), &hs.party.hub.pub, hub_hello(), agent_hello(),
                               &welcomed, &w, ret, &e),
                 ERR_OK, "%s", e.detail);
    cr_expect_not(welcomed);
    buf_done(&out);
}

Test(handshake, the_agent_reads_a_refusal) {
    struct refused sent = good_refusal(), got;
    read_refusal(&sent, &got);
    cr_expect_eq(got.code, ERR_INVITE_USED);
    cr_expect_eq(got.hub_time_ms, sent.hub_time_ms);
    cr_expect_str_eq(got.detail, "used");
    cr_expect_eq(got.retry_after_ms, 1500);
    cr_expect_eq(got.used_ms, 1799999999000);
    cr_expect(key_equal(&got.used_by, &hs.party.member.pub));
}

Test(handshake, a_bare_and_a_full_refusal) {
    struct refused bare = {.code = ERR_BUSY, .hub_time_ms = 0}, got;
    read_refusal(&bare, &got);
    cr_expect_eq(got.code, ERR_BUSY);
    cr_expect_str_eq(got.detail, "");
    cr_expect(got.retry_after_ms == 0 && got.used_ms == 0 && key_is_zero(&got.used_by));
    memset(bare.detail, 'x', REFUSED_DETAIL_MAX);
    read_refusal(&bare, &got);
    cr_expect_eq(strlen(got.detail), REFUSED_DETAIL_MAX);
}

Test(handshake, refusals_that_cannot_be_sent) {
    struct refused r = {.code = ERR_OK};
    struct buf out;
    struct error e;
    buf_init(&out, HELLO_MAX_BYTES);
    cr_expect_eq(refused_build(&r, hub_hello(), agent_hello(), &hs.party.hub, &out, &e),
                 ERR_INTERNAL);
    r.code = ERR_BUSY;
    snprintf(r.detail, sizeof r.detail, "%s", "\xff");
    cr_expect_eq(refused_build(&r, hub_hello(), agent_hello(), &hs.party.hub, &out, &e),
                 ERR_INTERNAL);
    memset(r.detail, 'x', sizeof r.detail);
    cr_expect_eq(refused_build(&r, hub_hello(), agent_hello(), &hs.party.hub, &out, &e),
                 ERR_INTERNAL);
    cr_expect_eq(out.len, 0);
    buf_done(&out);
}

/* A hello with nothing optional, and a welcome for an agent the hub holds nothing of. */
Test(handshake, the_least_that_can_be_said) {
    struct agent_hello fields = {.network = hs.party.hub.pub,
                                 .cert_bytes = buf_bytes(&hs.party.cert)},
                       got;
    struct welcome w = {.hub_time_ms = 1}, got_w;
    struct refused r;
    struct buf hello, reply;
    struct error e;
    bool welcomed = false;
    buf_init(&hello, HELLO_MAX_BYTES);
    buf_init(&reply, HELLO_MAX_BYTES);
    cr_assert_eq(agent_hello_build(&fields, &hs.agent, &hs.party.hub.pub, hub_hello(),
                                   &hs.party.agent, &hello, &e),
                 ERR_OK);
    cr_assert_eq(agent_hello_verify(buf_bytes(&hello), &hs.party.hub.pub, hub_hello(), &got, &e),
                 ERR_OK);
    cr_expect(!got.has_hub_head && got.checkpoint.len == 0 && got.join.len == 0);
    cr_assert_eq(welcome_build(&w, hub_hello(), buf_bytes(&hello), &hs.party.hub, &reply, &e),
                 ERR_OK);
    cr_assert_eq(answer_verify(buf_bytes(&reply), &hs.party.hub.pub, hub_hello(), buf_bytes(&hello),
                               &welcomed, &got_w, &r, &e),
                 ERR_OK);
    cr_expect(welcomed && !got_w.has_own_head && got_w.hub_head.seq == 0);
    buf_done(&hello);
    buf_done(&reply);
}

/* ---- somebody in between ---- */

Test(handshake, another_hub_than_the_pinned_one) {
    struct hub_hello hub;
    struct agent_hello agent;
    struct error e;
    const struct public_key *other = &hs.party.next.pub;
    cr_expect_eq(hub_hello_parse(hub_hello(), other, &hub, &e), ERR_NETWORK);
    cr_expect_eq(agent_hello_verify(agent_hello(), other, hub_hello(), &agent, &e), ERR_NETWORK);
    bool welcomed;
    struct welcome w;
    struct refused r;
    cr_expect_eq(answer_verify(answer(), other, hub_hello(), agent_hello(), &welcomed, &w, &r, &e),
                 ERR_SIGNATURE);
    struct agent_hello fields = handshake_fields(&hs);
    struct buf out;
    buf_init(&out, HELLO_MAX_BYTES);
    cr_expect_eq(
        agent_hello_build(&fields, &hs.agent, other, hub_hello(), &hs.party.agent, &out, &e),
        ERR_NETWORK);
    buf_done(&out);
}

/* The hub hello is not signed by itself: both later signatures cover it. */
static void expect_tampering_noticed(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_eq(verify_agent(agent_hello(), damaged), ERR_SIGNATURE, "bit %zu", at);
    cr_expect_eq(verify_answer(answer(), damaged, agent_hello()), ERR_SIGNATURE, "bit %zu", at);
}

Test(handshake, tampered_hub_hello_is_noticed_by_both) {
    cr_expect_eq(flip_each_bit(hub_hello(), expect_tampering_noticed, NULL), hs.hub_hello.len * 8);
}

static void expect_answer_refused(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    cr_expect_eq(verify_answer(answer(), hub_hello(), damaged), ERR_SIGNATURE, "at %zu", at);
}

Test(handshake, an_answer_to_another_hello_is_refused) {
    struct bytes part = bytes_of(hs.agent_hello.data, 64);
    cr_expect_eq(flip_each_bit(part, expect_answer_refused, NULL), 512);
    cr_expect_eq(truncate_each(agent_hello(), expect_answer_refused, NULL), hs.agent_hello.len);
}

Test(handshake, messages_in_each_others_place) {
    cr_expect_eq(parse_hub(agent_hello()), ERR_MALFORMED);
    cr_expect_eq(parse_hub(answer()), ERR_MALFORMED);
    cr_expect_eq(verify_agent(hub_hello(), hub_hello()), ERR_MALFORMED);
    cr_expect_eq(verify_agent(answer(), hub_hello()), ERR_MALFORMED);
    cr_expect_eq(verify_answer(hub_hello(), hub_hello(), agent_hello()), ERR_MALFORMED);
    cr_expect_eq(verify_answer(agent_hello(), hub_hello(), agent_hello()), ERR_MALFORMED);
}

/* A welcome relabelled as a refusal, or the other way about. */
Test(handshake, a_welcome_does_not_pass_for_a_refusal) {
    struct bytes welcome = codec_borrow(answer(), 1), signature = codec_borrow(answer(), 3);
    struct buf out;
    Plek__Answer message = PLEK__ANSWER__INIT;
    buf_init(&out, HELLO_MAX_BYTES);
    message.has_refused = true;
    message.refused = codec_binary(welcome);
    message.signature = codec_binary(signature);
    codec_encode(&message, &out);
    cr_expect_eq(verify_answer(buf_bytes(&out), hub_hello(), agent_hello()), ERR_SIGNATURE);
    buf_done(&out);
    buf_init(&out, HELLO_MAX_BYTES);
    message.has_welcome = true;
    message.welcome = codec_binary(welcome);
    codec_encode(&message, &out);
    cr_expect_eq(verify_answer(buf_bytes(&out), hub_hello(), agent_hello()), ERR_MALFORMED);
    buf_done(&out);
    buf_init(&out, HELLO_MAX_BYTES);
    message.has_welcome = message.has_refused = false;
    codec_encode(&message, &out);
    cr_expect_eq(verify_answer(buf_bytes(&out), hub_hello(), agent_hello()), ERR_MALFORMED);
    buf_done(&out);
}
