/* Tests of the channel: golden frames, both directions, and everything somebody who can touch the
 * bytes in between could do to them. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "flip.h"
#include "handshake.h"

static struct handshake hs;
static struct channel hub, agent;

static void open_channel(struct channel *ret, bool is_agent) {
    struct error e = {0};
    const struct hello_secret *mine = is_agent ? &hs.agent : &hs.hub;
    const struct public_key *peer = is_agent ? &hs.hub.kx.pub : &hs.agent.kx.pub;
    cr_assert_eq(channel_init(ret, is_agent, mine, peer, buf_bytes(&hs.hub_hello),
                              buf_bytes(&hs.agent_hello), buf_bytes(&hs.answer), &e),
                 ERR_OK, "%s", e.detail);
}

static void setup(void) {
    handshake_init(&hs);
    open_channel(&hub, false);
    open_channel(&agent, true);
}
static void teardown(void) {
    channel_wipe(&hub);
    channel_wipe(&agent);
    handshake_done(&hs);
}
TestSuite(channel, .init = setup, .fini = teardown);

static struct buf seal(struct channel *c, const char *frame) {
    struct buf out;
    struct error e = {0};
    buf_init(&out, 4096);
    cr_assert_eq(channel_seal(c, bytes_str(frame), &out, &e), ERR_OK, "%s", e.detail);
    cr_expect_eq(out.len, strlen(frame) + CHANNEL_OVERHEAD);
    return out;
}

/* The frame is appended only when it authenticates. */
static enum err open_bytes(struct channel *c, struct bytes sealed, const char *expected) {
    struct buf out;
    struct error e = {0};
    buf_init(&out, FRAME_MAX_BYTES + 4096);
    buf_append_str(&out, "before");
    enum err rc = channel_open(c, sealed, &out, &e);
    cr_expect_eq(out.len, 6 + (rc == ERR_OK ? strlen(expected) : 0));
    const char *text = buf_text(&out);
    cr_expect_eq(strncmp(text, "before", 6), 0);
    cr_expect_str_eq(text + 6, rc == ERR_OK ? expected : "");
    cr_expect(rc == ERR_OK || e.code == rc);
    buf_done(&out);
    return rc;
}

static enum err open_frame(struct channel *c, const struct buf *sealed, const char *expected) {
    return open_bytes(c, buf_bytes(sealed), expected);
}

/* ---- what works ---- */

static void expect_golden(struct buf *take_sealed, const char *expected) {
    char hex[128];
    cr_assert_leq(2 * take_sealed->len + 1, sizeof hex);
    hex_encode(hex, buf_bytes(take_sealed));
    cr_expect_str_eq(hex, expected);
    buf_done(take_sealed);
}

Test(channel, golden_frames) {
    struct buf sealed = seal(&agent, "first");
    expect_golden(&sealed, "f98d81fa4c42325ff42e078c17da9064148e23d8754f");
    sealed = seal(&agent, "second");
    expect_golden(&sealed, "45c47529ac2f1d831fc7974db1319081ed34497303ebf2");
    sealed = seal(&hub, "first");
    expect_golden(&sealed, "f4d92a98cbdf221c3c8e949002c1eed2c591e5bde43f");
}

Test(channel, many_frames_both_ways) {
    for (int i = 0; i < 300; i++) {
        char text[32];
        snprintf(text, sizeof text, "frame %d", i);
        struct buf up = seal(&agent, text), down = seal(&hub, text);
        cr_expect_eq(open_frame(&hub, &up, text), ERR_OK);
        cr_expect_eq(open_frame(&agent, &down, text), ERR_OK);
        buf_done(&up);
        buf_done(&down);
    }
}

Test(channel, sealing_appends) {
    struct buf out;
    struct error e;
    buf_init(&out, 4096);
    buf_append_str(&out, "header");
    cr_assert_eq(channel_seal(&agent, bytes_str("one"), &out, &e), ERR_OK);
    cr_assert_eq(channel_seal(&agent, bytes_str("three"), &out, &e), ERR_OK);
    cr_expect_eq(memcmp(out.data, "header", 6), 0);
    size_t first = 3 + CHANNEL_OVERHEAD;
    cr_expect_eq(open_bytes(&hub, bytes_of(out.data + 6, first), "one"), ERR_OK);
    cr_expect_eq(open_bytes(&hub, bytes_of(out.data + 6 + first, out.len - 6 - first), "three"),
                 ERR_OK);
    buf_done(&out);
}

Test(channel, an_empty_frame) {
    struct buf sealed, none;
    struct error e;
    buf_init(&sealed, 64);
    cr_assert_eq(channel_seal(&agent, bytes_of(NULL, 0), &sealed, &e), ERR_OK);
    cr_expect_eq(sealed.len, CHANNEL_OVERHEAD);
    buf_init(&none, 0);
    cr_expect_eq(channel_open(&hub, buf_bytes(&sealed), &none, &e), ERR_OK);
    cr_expect_eq(none.len, 0);
    buf_done(&sealed);
    buf_done(&none);
}

Test(channel, the_largest_frame_and_one_more_byte) {
    uint8_t *frame = malloc(FRAME_MAX_BYTES + 1);
    struct buf sealed, opened;
    struct error e;
    cr_assert_not_null(frame);
    memset(frame, 'x', FRAME_MAX_BYTES + 1);
    buf_init(&sealed, FRAME_MAX_BYTES + 1 + CHANNEL_OVERHEAD);
    buf_init(&opened, FRAME_MAX_BYTES + 1);
    cr_expect_eq(channel_seal(&agent, bytes_of(frame, FRAME_MAX_BYTES + 1), &sealed, &e), ERR_CAP);
    cr_expect_eq(sealed.len, 0);
    cr_assert_eq(channel_seal(&agent, bytes_of(frame, FRAME_MAX_BYTES), &sealed, &e), ERR_OK);
    cr_assert_eq(channel_open(&hub, buf_bytes(&sealed), &opened, &e), ERR_OK);
    cr_expect(bytes_equal(buf_bytes(&opened), bytes_of(frame, FRAME_MAX_BYTES)));
    buf_append_u8(&sealed, 0);
    opened.len = 0;
    cr_expect_eq(channel_open(&hub, buf_bytes(&sealed), &opened, &e), ERR_CAP);
    cr_expect_eq(opened.len, 0);
    buf_done(&sealed);
    buf_done(&opened);
    free(frame);
}

/* A buffer that is too small is the caller's trouble: the stream does not lose its place. */
Test(channel, a_full_buffer_does_not_put_the_stream_out_of_step) {
    struct buf small, sealed;
    struct error e;
    buf_init(&small, 10);
    cr_expect_eq(channel_seal(&agent, bytes_str("a frame"), &small, &e), ERR_TOO_LARGE);
    cr_expect_eq(small.len, 0);
    buf_done(&small);
    sealed = seal(&agent, "a frame");
    buf_init(&small, 3);
    cr_expect_eq(channel_open(&hub, buf_bytes(&sealed), &small, &e), ERR_TOO_LARGE);
    cr_expect_eq(small.len, 0);
    buf_done(&small);
    cr_expect_eq(open_frame(&hub, &sealed, "a frame"), ERR_OK);
    buf_done(&sealed);
}

/* ---- what does not ---- */

Test(channel, replayed_frame) {
    struct buf one = seal(&agent, "one");
    cr_expect_eq(open_frame(&hub, &one, "one"), ERR_OK);
    cr_expect_eq(open_frame(&hub, &one, "one"), ERR_DECRYPT);
    buf_done(&one);
}

Test(channel, dropped_frame) {
    struct buf one = seal(&agent, "one"), two = seal(&agent, "two");
    cr_expect_eq(open_frame(&hub, &two, "two"), ERR_DECRYPT);
    buf_done(&one);
    buf_done(&two);
}

Test(channel, reordered_frames) {
    struct buf one = seal(&agent, "one"), two = seal(&agent, "two"), three = seal(&agent, "three");
    cr_expect_eq(open_frame(&hub, &one, "one"), ERR_OK);
    cr_expect_eq(open_frame(&hub, &three, "three"), ERR_DECRYPT);
    cr_expect_eq(open_frame(&hub, &two, "two"), ERR_DECRYPT);
    buf_done(&one);
    buf_done(&two);
    buf_done(&three);
}

/* After one frame that fails nothing is believed any more, not even the right next one. */
Test(channel, failure_is_final) {
    struct buf one = seal(&agent, "one"), out;
    struct error e;
    uint8_t forged[CHANNEL_OVERHEAD + 4] = {0};
    cr_expect_eq(open_bytes(&hub, bytes_of(forged, sizeof forged), ""), ERR_DECRYPT);
    cr_expect_eq(open_frame(&hub, &one, "one"), ERR_DECRYPT);
    buf_init(&out, 4096);
    cr_expect_eq(channel_seal(&hub, bytes_str("reply"), &out, &e), ERR_PROTOCOL);
    cr_expect_eq(out.len, 0);
    buf_done(&out);
    buf_done(&one);
}

Test(channel, reflected_frame) {
    struct buf one = seal(&agent, "one");
    cr_expect_eq(open_frame(&agent, &one, "one"), ERR_DECRYPT);
    buf_done(&one);
}

Test(channel, both_ends_in_the_same_role) {
    struct channel wrong;
    struct error e;
    cr_assert_eq(channel_init(&wrong, true, &hs.hub, &hs.agent.kx.pub, buf_bytes(&hs.hub_hello),
                              buf_bytes(&hs.agent_hello), buf_bytes(&hs.answer), &e),
                 ERR_OK);
    struct buf one = seal(&agent, "one");
    cr_expect_eq(open_frame(&wrong, &one, "one"), ERR_DECRYPT);
    channel_wipe(&wrong);
    buf_done(&one);
}

/* One bit of difference in what either side saw of the handshake leaves them unable to talk. */
static void expect_other_channel(struct bytes damaged, size_t at, void *ctx) {
    int which = *(const int *)ctx;
    struct bytes seen[] = {buf_bytes(&hs.hub_hello), buf_bytes(&hs.agent_hello),
                           buf_bytes(&hs.answer)};
    struct channel other;
    struct error e;
    seen[which] = damaged;
    cr_assert_eq(
        channel_init(&other, false, &hs.hub, &hs.agent.kx.pub, seen[0], seen[1], seen[2], &e),
        ERR_OK);
    open_channel(&agent, true);
    struct buf one = seal(&agent, "one");
    cr_expect_eq(open_frame(&other, &one, "one"), ERR_DECRYPT, "message %d at %zu", which, at);
    buf_done(&one);
}

Test(channel, any_difference_in_the_transcript) {
    const struct buf *messages[] = {&hs.hub_hello, &hs.agent_hello, &hs.answer};
    for (int i = 0; i < 3; i++) {
        struct bytes whole = buf_bytes(messages[i]);
        cr_expect_eq(truncate_each(whole, expect_other_channel, &i), whole.len);
        struct bytes last = bytes_of(whole.data + whole.len - 8, 8);
        cr_expect_eq(flip_each_bit(last, expect_other_channel, &i), 64);
    }
}

/* Bytes moved from the end of one message to the start of the next are another transcript. */
Test(channel, transcript_messages_are_length_prefixed) {
    struct bytes h = buf_bytes(&hs.hub_hello), a = buf_bytes(&hs.agent_hello);
    struct buf longer;
    struct channel other;
    struct error e;
    buf_init(&longer, HELLO_MAX_BYTES);
    buf_append(&longer, h.data + h.len - 1, 1);
    buf_append(&longer, a.data, a.len);
    cr_assert_eq(channel_init(&other, false, &hs.hub, &hs.agent.kx.pub, bytes_of(h.data, h.len - 1),
                              buf_bytes(&longer), buf_bytes(&hs.answer), &e),
                 ERR_OK);
    struct buf one = seal(&agent, "one");
    cr_expect_eq(open_frame(&other, &one, "one"), ERR_DECRYPT);
    buf_done(&one);
    buf_done(&longer);
}

Test(channel, another_ephemeral_key) {
    struct channel other;
    struct error e;
    struct hello_secret stranger;
    handshake_secret(&stranger, 7, 11);
    cr_assert_eq(channel_init(&other, false, &stranger, &hs.agent.kx.pub, buf_bytes(&hs.hub_hello),
                              buf_bytes(&hs.agent_hello), buf_bytes(&hs.answer), &e),
                 ERR_OK);
    struct buf one = seal(&agent, "one");
    cr_expect_eq(open_frame(&other, &one, "one"), ERR_DECRYPT);
    buf_done(&one);
}

Test(channel, ephemeral_key_of_low_order) {
    struct channel c;
    struct error e;
    struct public_key zero = {{0}}, one = {{1}};
    party_fill(&c, sizeof c);
    for (int is_agent = 0; is_agent < 2; is_agent++) {
        cr_expect_eq(channel_init(&c, is_agent, &hs.agent, &zero, buf_bytes(&hs.hub_hello),
                                  buf_bytes(&hs.agent_hello), buf_bytes(&hs.answer), &e),
                     ERR_LOW_ORDER);
        cr_expect_eq(channel_init(&c, is_agent, &hs.agent, &one, buf_bytes(&hs.hub_hello),
                                  buf_bytes(&hs.agent_hello), buf_bytes(&hs.answer), &e),
                     ERR_LOW_ORDER);
    }
    cr_expect(party_untouched(&c, sizeof c));
}

Test(channel, not_opened_or_wiped) {
    struct channel never = {.ready = false};
    struct buf one = seal(&agent, "one"), out;
    struct error e;
    cr_expect_eq(open_frame(&never, &one, "one"), ERR_DECRYPT);
    channel_wipe(&agent);
    cr_expect(sodium_is_zero((const uint8_t *)&agent, sizeof agent));
    buf_init(&out, 64);
    cr_expect_eq(channel_seal(&agent, bytes_str("x"), &out, &e), ERR_PROTOCOL);
    buf_done(&out);
    buf_done(&one);
}

/* A peer that holds the keys may still not end or rekey the stream: only plain messages are in use.
 */
Test(channel, tags_that_are_not_in_use) {
    static const uint8_t tags[] = {crypto_secretstream_xchacha20poly1305_TAG_PUSH,
                                   crypto_secretstream_xchacha20poly1305_TAG_REKEY,
                                   crypto_secretstream_xchacha20poly1305_TAG_FINAL, 0x80};
    for (size_t i = 0; i < sizeof tags; i++) {
        uint8_t sealed[3 + CHANNEL_OVERHEAD];
        open_channel(&agent, true);
        open_channel(&hub, false);
        crypto_secretstream_xchacha20poly1305_push(&agent.out, sealed, NULL, (const uint8_t *)"one",
                                                   3, NULL, 0, tags[i]);
        cr_expect_eq(open_bytes(&hub, bytes_of(sealed, sizeof sealed), "one"), ERR_DECRYPT);
    }
}

static void expect_damage_noticed(struct bytes damaged, size_t at, void *ctx) {
    (void)ctx;
    open_channel(&hub, false);
    cr_expect_eq(open_bytes(&hub, damaged, ""), ERR_DECRYPT, "at %zu", at);
}

Test(channel, truncated_or_flipped_anywhere) {
    struct buf sealed = seal(&agent, "a frame of some length");
    struct bytes whole = buf_bytes(&sealed);
    cr_expect_eq(truncate_each(whole, expect_damage_noticed, NULL), whole.len);
    cr_expect_eq(flip_each_bit(whole, expect_damage_noticed, NULL), whole.len * 8);
    buf_append_u8(&sealed, 0);
    expect_damage_noticed(buf_bytes(&sealed), sealed.len, NULL);
    open_channel(&hub, false);
    cr_expect_eq(open_bytes(&hub, whole, "a frame of some length"), ERR_OK);
    buf_done(&sealed);
}
