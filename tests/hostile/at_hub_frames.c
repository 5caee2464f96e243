/* Owns the cases of rules broken after the welcome at a real hub: sealed messages, frames, and what
 * is pushed, delivered and taken. */
#include "codec.h"
#include "rules.h"

/* ---- sealed messages ---- */

static const struct frame taken_nothing = {.kind = FRAME_TAKEN};

/* A good message of this session, sealed and not sent. */
static struct blob *seal_good(struct actor *a) {
    struct frame frame = taken_nothing;
    frame.taken.bytes = a->delivered;
    return puppet_frame(&a->puppet, &frame, NULL);
}

static void send_blob(struct actor *a, struct blob *take_blob) {
    actor_send(a, blob_bytes(take_blob));
    blob_unref(take_blob);
}

CASE_FUNCTION(damaged_message) {
    uint8_t data[512];
    actor_connect(&s->guest);
    struct blob *good = seal_good(&s->guest);
    size_t len = blob_bytes(good).len;
    memcpy(data, blob_bytes(good).data, len);
    data[len / 2] ^= 1;
    actor_send(&s->guest, bytes_of(data, len));
    blob_unref(good);
    actor_expect_end(&s->guest, code, false);
}

CASE_FUNCTION(repeated_message) {
    actor_connect(&s->guest);
    struct blob *good = seal_good(&s->guest);
    actor_send(&s->guest, blob_bytes(good));
    send_blob(&s->guest, good);
    actor_expect_end(&s->guest, code, false);
}

CASE_FUNCTION(missing_message) {
    actor_connect(&s->guest);
    blob_unref(seal_good(&s->guest));
    send_blob(&s->guest, seal_good(&s->guest));
    actor_expect_end(&s->guest, code, false);
}

CASE_FUNCTION(message_of_the_other_direction) {
    uint8_t data[512];
    size_t len = 0;
    struct craft c;
    struct buf entry;
    actor_connect(&s->guest);
    /* Anything the hub says: the answer to a push that it rejects. */
    actor_craft(&s->guest, &c);
    c.header.seq += 5;
    craft_build(&c, &entry, NULL);
    struct frame push = {.kind = FRAME_PUSH, .push = {.entry = buf_bytes(&entry)}};
    actor_send_frame(&s->guest, &push);
    cr_assert_eq(peer_read_frame(&s->guest.peer, data, sizeof data, &len), PEER_BINARY);
    puppet_open(&s->guest.puppet, bytes_of(data, len));
    actor_send(&s->guest, bytes_of(data, len));
    struct frame frame;
    while (actor_next(&s->guest, &frame) != 0)
        continue;
    cr_assert_str_eq(s->guest.reason, error_name(code));
    buf_done(&entry);
    craft_done(&c);
    actor_disconnect(&s->guest);
}

CASE_FUNCTION(message_of_another_handshake) {
    actor_connect(&s->guest);
    struct blob *earlier = seal_good(&s->guest);
    actor_disconnect(&s->guest);
    actor_connect(&s->guest);
    send_blob(&s->guest, earlier);
    actor_expect_end(&s->guest, code, false);
}

CASE_FUNCTION(message_too_short_to_be_sealed) {
    actor_connect(&s->guest);
    actor_send(&s->guest, bytes_of("0123456789abcdef", 16));
    actor_expect_end(&s->guest, code, false);
}

CASE_FUNCTION(message_with_another_tag) {
    uint8_t sealed[64];
    unsigned long long len = 0;
    static const uint8_t plain[] = {0x3a, 0x02, 0x08, 0x00};
    actor_connect(&s->guest);
    crypto_secretstream_xchacha20poly1305_push(&s->guest.puppet.channel.out, sealed, &len, plain,
                                               sizeof plain, NULL, 0,
                                               crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    actor_send(&s->guest, bytes_of(sealed, len));
    actor_expect_end(&s->guest, code, false);
}

CASE_FUNCTION(message_over_its_cap) {
    static uint8_t huge[FRAME_MAX_BYTES + CHANNEL_OVERHEAD + 1];
    actor_connect(&s->guest);
    actor_send(&s->guest, bytes_of(huge, sizeof huge));
    actor_expect_end(&s->guest, code, false);
}

/* ---- frames ---- */

static void bad_plain(struct stage *s, struct bytes plain, enum err code) {
    actor_connect(&s->guest);
    actor_send_plain(&s->guest, plain);
    actor_expect_end(&s->guest, code, false);
}

CASE_FUNCTION(frame_with_a_group) {
    bad_plain(s, bytes_of("\x3b\x3c", 2), code);
}
CASE_FUNCTION(frame_without_a_body) {
    bad_plain(s, bytes_of("", 0), code);
}
CASE_FUNCTION(frame_with_two_bodies) {
    bad_plain(s, bytes_of("\x3a\x02\x08\x00\x3a\x02\x08\x00", 8), code);
}
CASE_FUNCTION(frame_that_only_hubs_send) {
    struct frame ack = {.kind = FRAME_ACK, .ack = {1, 1, 1}};
    actor_connect(&s->guest);
    actor_send_frame(&s->guest, &ack);
    actor_expect_end(&s->guest, code, false);
}
CASE_FUNCTION(second_pull) {
    struct frame pull = {.kind = FRAME_PULL};
    actor_connect(&s->guest);
    actor_send_frame(&s->guest, &pull);
    actor_expect_end(&s->guest, code, false);
}
CASE_FUNCTION(taken_more_than_delivered) {
    struct frame taken = taken_nothing;
    actor_connect(&s->guest);
    taken.taken.bytes = s->guest.delivered + 1;
    actor_send_frame(&s->guest, &taken);
    actor_expect_end(&s->guest, code, false);
}
CASE_FUNCTION(taken_back) {
    actor_connect(&s->guest);
    cr_assert_gt(s->guest.delivered, 0u);
    actor_send_frame(&s->guest, &taken_nothing);
    actor_expect_end(&s->guest, code, false);
}

#define BURST 16000
/* Small entries, of which the hub has to verify each, faster than it can: eight times the credit,
 * sealed beforehand and sent as one run of bytes. */
CASE_FUNCTION(pushed_beyond_the_credit) {
    struct craft c;
    struct buf entry;
    struct frame frame;
    struct actor *a = &s->guest;
    actor_connect(a);
    actor_craft(a, &c);
    c.header.seq += 9;
    c.views[0] = actor_view(VIEW_STATE, 16, 9, 600);
    craft_build(&c, &entry, NULL);
    struct frame push = {.kind = FRAME_PUSH, .push = {.entry = buf_bytes(&entry)}};
    uint8_t *burst = malloc((size_t)BURST * (entry.len + 64));
    cr_assert_not_null(burst);
    size_t len = 0;
    for (int i = 0; i < BURST; i++) {
        struct blob *sealed = puppet_frame(&a->puppet, &push, NULL);
        struct bytes bytes = blob_bytes(sealed);
        len += peer_put_frame(&a->peer, PEER_BINARY, bytes.data, bytes.len, burst + len);
        blob_unref(sealed);
    }
    cr_assert_gt(len, 4 * a->credit);
    struct process *hub = network_process(&s->net, "hub");
    size_t log_from = strlen(lab_log(&s->lab, hub));
    (void)peer_send(&a->peer, burst, len);
    while (actor_next(a, &frame) != 0)
        continue;
    /* Where a hub hangs up on bytes that it has not read, the system throws away what it said last:
     * then its log tells. */
    if (a->left == ERR_OK)
        EVENTUALLY(strstr(lab_log(&s->lab, hub) + log_from, "reason=\"pushed beyond the credit\""));
    else
        cr_assert_eq(a->left, code, "left as %s '%s'", error_name(a->left), a->reason);
    free(burst);
    buf_done(&entry);
    craft_done(&c);
    actor_disconnect(a);
}

/* Pushed bytes that are no entry: the hub leaves. */
static void no_entry(struct stage *s, struct bytes entry, enum err code) {
    struct frame push = {.kind = FRAME_PUSH, .push = {.entry = entry}};
    actor_connect(&s->guest);
    actor_send_frame(&s->guest, &push);
    actor_expect_end(&s->guest, code, true);
}
CASE_FUNCTION(pushed_bytes_that_are_no_entry) {
    no_entry(s, bytes_of("\x0a\x01\x00", 3), code);
}
